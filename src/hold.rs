//! The caller while everything of its call rings beside its thread: what it hears, and the
//! key with which it gives up. Core plays `ringback` only inside an originate that has the
//! caller's session, and there is none between stages or beside parts and late starts.

use crate::calls::Call;
use crate::plan::Variables;
use crate::plan::time::is_true;
use crate::ring::{CallerThread, Cause, Event};
use crate::switch::session::{Listener, Session, Sound};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long the caller's media is read before its commands are looked at again.
const SLICE: u32 = 20;

pub struct Hold {
    /// What is played to the caller; `None`: it hears what its own phone makes of a 180.
    sound: Option<Sound>,
    /// Before anybody rings, as core does for parts side by side.
    at_once: bool,
    /// It could not be played, and trying again would only repeat the error.
    unusable: AtomicBool,
    /// `origination_cancel_key`: the caller gives up.
    pub cancel_key: Option<u8>,
}

impl Hold {
    pub fn new(
        caller: &Session<'_>,
        globals: &Variables,
        parts: usize,
        cancel_key: Option<u8>,
    ) -> Hold {
        let lookup = |name: &str| {
            let written = globals.get(name).map(str::to_owned);
            written
                .or_else(|| caller.variable(name))
                .filter(|value| !value.is_empty())
        };
        let yes = |name: &str| lookup(name).is_some_and(|value| is_true(&value));
        let silent = yes("bypass_media") || yes("proxy_media") || caller.makes_no_sound();
        let transferred = lookup("transfer_ringback").filter(|_| caller.answered());
        Hold {
            sound: transferred
                .or_else(|| lookup("ringback"))
                .filter(|_| !silent)
                .map(|text| sound(&text)),
            at_once: parts > 1 || yes("instant_ringback"),
            unusable: AtomicBool::new(false),
            cancel_key,
        }
    }

    /// What of the call may ring on the caller's own thread.
    pub fn caller_thread(&self) -> CallerThread {
        if self.sounds() {
            CallerThread::RingsAlone
        } else {
            CallerThread::Rings
        }
    }

    /// The caller hears a sound of its own and needs no 180.
    pub fn sounds(&self) -> bool {
        self.sound.is_some() && !self.unusable.load(Ordering::Relaxed)
    }
}

/// As core reads `ringback`: `silence` with an optional divisor, a file, else a tone script.
fn sound(text: &str) -> Sound {
    let is_silence = text
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("silence"));
    if let Some(divisor) = is_silence.then(|| text[7..].trim_start_matches(':')) {
        return Sound::File(format!("silence_stream://-1,{divisor}"));
    }
    let is_file = text.starts_with(['/', '\\']) || text.contains("://");
    if is_file {
        Sound::File(text.to_owned())
    } else {
        Sound::Tones(text.to_owned())
    }
}

/// The caller's thread has nothing to do: let it hear its ringback until there is.
pub fn wait(call: &Arc<Call>, caller: &Session<'_>) {
    let hold = &call.hold;
    let due = || hold.at_once || call.state.lock().ring.has_rung();
    match hold.sound.as_ref().filter(|_| hold.sounds() && due()) {
        Some(sound) => {
            let mut waiting = Waiting { call, caller };
            if !caller.play(sound, &mut waiting) && caller.ready() {
                hold.unusable.store(true, Ordering::Relaxed);
                // The phone's own ringing must do then.
                caller.ring();
            }
        }
        None => caller.live(SLICE),
    }
    if !caller.ready() {
        call.feed(Event::CallerGone);
        // A caller on the way out is not slept with: do not spin meanwhile.
        call.wait_changed(Duration::from_millis(u64::from(SLICE)));
    }
}

struct Waiting<'a> {
    call: &'a Arc<Call>,
    caller: &'a Session<'a>,
}

impl Listener for Waiting<'_> {
    fn enough(&mut self) -> bool {
        self.call.has_command() || !self.caller.ready()
    }

    fn takes(&mut self, key: u8) -> bool {
        // Like core: who may cancel by key loses the other keys; else they wait for the bridge.
        let Some(cancel) = self.call.hold.cancel_key else {
            return false;
        };
        if key == cancel {
            self.call.feed(Event::Cancel(Cause::ORIGINATOR_CANCEL));
        }
        true
    }
}
