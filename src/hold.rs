//! The caller while everything of its call rings beside its thread: what it hears, and the
//! keys with which it gives up. Core plays `ringback` only inside an originate that has the
//! caller's session, and there is none between stages or beside parts and late starts.

use crate::calls::Call;
use crate::campon::{Campon, Fallback};
use crate::plan::Variables;
use crate::plan::time::is_true;
use crate::ring::{CallerThread, Cause, Event};
use crate::settings::said;
use crate::switch::session::{Listener, Session, Sound};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the caller's media is read before its commands are looked at again.
const SLICE: u32 = 20;

pub struct Hold {
    /// What is played to the caller; `None`: it hears what its own phone makes of a 180.
    sound: Option<Sound>,
    /// Before anybody rings, as core does for parts side by side.
    at_once: bool,
    /// It could not be played, and trying again would only repeat the error.
    unusable: AtomicBool,
    /// Heard once, before the sound.
    announcement: Mutex<Option<Sound>>,
    /// `origination_cancel_key`: the caller gives up.
    pub cancel_key: Option<u8>,
    /// `campon_stop_key`, heard while there is music.
    stop_key: Option<u8>,
    /// Where a caller goes who has camped on in vain.
    pub fallback: Option<Fallback>,
}

impl Hold {
    pub fn new(
        caller: &Session<'_>,
        globals: &Variables,
        parts: usize,
        cancel_key: Option<u8>,
    ) -> Hold {
        let lookup = |name: &str| said(name, globals, caller.channel());
        let yes = |name: &str| lookup(name).is_some_and(|value| is_true(&value));
        let transferred = lookup("transfer_ringback").filter(|_| caller.answered());
        Hold {
            sound: transferred
                .or_else(|| lookup("ringback"))
                .filter(|_| !caller.makes_no_sound())
                .map(|text| sound(&text)),
            at_once: parts > 1 || yes("instant_ringback"),
            unusable: AtomicBool::new(false),
            announcement: Mutex::new(None),
            cancel_key,
            stop_key: None,
            fallback: None,
        }
    }

    /// For a caller who camps on: music until somebody answers.
    pub fn camping(campon: Campon, cancel_key: Option<u8>) -> Hold {
        let music = campon.music.as_deref().map(sound);
        let announcement = campon.announcement.map(Sound::File);
        Hold {
            announcement: Mutex::new(announcement.filter(|_| music.is_some())),
            sound: music,
            at_once: true,
            unusable: AtomicBool::new(false),
            cancel_key,
            stop_key: campon.stop_key,
            fallback: campon.fallback,
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
    let rung = call.state.lock().ring.has_rung();
    if !rung {
        call.look_for_ringing();
    }
    let due = || hold.at_once || call.state.lock().ring.has_rung();
    match hold.sound.as_ref().filter(|_| hold.sounds() && due()) {
        Some(sound) => {
            let mut waiting = Waiting { call, caller };
            let announcement = hold.announcement.lock().take();
            let slice = Duration::from_millis(u64::from(SLICE));
            let began = Instant::now();
            if let Some(announcement) = announcement {
                caller.play(&announcement, &mut waiting);
            } else if !caller.play(sound, &mut waiting) && caller.ready() {
                hold.unusable.store(true, Ordering::Relaxed);
                // The phone's own ringing must do then.
                caller.ring();
            }
            // A file without a sound in it is over at once: do not spin on it.
            if began.elapsed() < slice && !call.has_command() {
                caller.live(SLICE);
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
        let hold = &self.call.hold;
        if [hold.cancel_key, hold.stop_key].contains(&Some(key)) {
            self.call.feed(Event::Cancel(Cause::ORIGINATOR_CANCEL));
        }
        // Like core: who may give up by key loses the other keys; else they wait for the bridge.
        hold.cancel_key.is_some() || hold.stop_key.is_some()
    }
}
