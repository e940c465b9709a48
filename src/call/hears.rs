//! What the caller hears while it rings, and the keys with which he gives up: his `ringback`,
//! music and an announcement for one who camps on, or the early media of a phone that rings alone.
//! Where nothing is to be heard nothing is played, and his thread sleeps.

use super::Call;
use super::codec;
use super::desk::Hand;
use super::mailbox::{Mailbox, Waits};
use super::relay::Relay;
use crate::plan::Variables;
use crate::plan::time::is_true;
use crate::ring::{Cause, Event, LegId};
use crate::settings::campon::{Campon, Fallback};
use crate::settings::said;
use crate::switch::LockedSession;
use crate::switch::session::{Listener, Session, Sound};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time that a frame takes.
const FRAME: Duration = Duration::from_millis(20);

/// Within this time a thread that the switch has started runs, but for a machine that is overrun.
const LATE_THREAD: Duration = Duration::from_millis(20);

pub struct Hears {
    /// What is played to the caller; `None`: it hears what its own phone makes of a 180.
    sound: Option<Sound>,
    /// Before anybody rings, as core does for parts side by side.
    at_once: bool,
    /// It could not be played, and trying again would only repeat the error.
    unusable: AtomicBool,
    /// Heard once, before the sound.
    announcement: Mutex<Option<Sound>>,
    /// `ignore_ring_ready`: no 180.
    no_alert: bool,
    /// `origination_cancel_key`: the caller gives up.
    pub cancel_key: Option<u8>,
    /// `campon_stop_key`, heard while there is music.
    stop_key: Option<u8>,
    /// Where a caller goes who has camped on in vain.
    pub fallback: Option<Fallback>,
    /// The caller asks for the CDRs of the legs that fail.
    pub keeps_reports: bool,
}

impl Hears {
    pub fn new(
        caller: &Session<'_>,
        globals: &Variables,
        parts: usize,
        cancel_key: Option<u8>,
        campon: Option<Campon>,
    ) -> Hears {
        let lookup = |name: &str| said(name, globals, caller.channel());
        let yes = |name: &str| lookup(name).is_some_and(|value| is_true(&value));
        let on_caller = |name: &str| caller.variable(name).is_some();
        let mut hears = Hears {
            sound: None,
            at_once: parts > 1 || yes("instant_ringback") || campon.is_some(),
            unusable: AtomicBool::new(false),
            announcement: Mutex::new(None),
            no_alert: yes("ignore_ring_ready"),
            cancel_key,
            stop_key: None,
            fallback: None,
            keeps_reports: on_caller("failed_xml_cdr_prefix")
                || on_caller("failed_json_cdr_prefix"),
        };
        if let Some(campon) = campon {
            let announcement = campon.announcement.map(Sound::File);
            hears.sound = campon.music.as_deref().map(sound);
            hears.announcement = Mutex::new(announcement.filter(|_| hears.sound.is_some()));
            hears.stop_key = campon.stop_key;
            hears.fallback = campon.fallback;
        } else {
            let transferred = lookup("transfer_ringback").filter(|_| caller.answered());
            let ringback = transferred.or_else(|| lookup("ringback"));
            let ringback = ringback.filter(|_| !caller.makes_no_sound());
            hears.sound = ringback.map(|text| sound(&text));
        }
        hears
    }

    /// The caller hears a sound of its own and needs no 180.
    fn sounds(&self) -> bool {
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

impl Hand<'_> {
    /// Tell the caller that this phone rings, unless he hears so.
    pub fn alert(&mut self, leg: LegId) {
        if self.is_to_alert(leg) {
            self.caller.ring();
        }
    }

    /// The caller does not hear that this phone rings; he is shown whose it is.
    pub fn is_to_alert(&mut self, leg: LegId) -> bool {
        let (call, caller) = (self.call, self.caller);
        if self.stands_in || call.hears.no_alert || call.hears.sounds() || caller.answered() {
            return false;
        }
        if let Some(peer) = self.desk.legs.get(&leg)
            && call.look(|ring| ring.alone(leg))
        {
            caller.show_callee(peer);
        }
        true
    }

    /// Let the caller hear what is to be heard; what his thread does meanwhile. What is played is
    /// over when this returns.
    pub fn hears(&mut self) -> Waits {
        let (call, caller) = (self.call, self.caller);
        let hears = &call.hears;
        let relayed = call.look(|ring| ring.relayed());
        if self.desk.relay.as_ref().map(|relay| relay.leg) != relayed {
            self.desk.relay = None;
            if let Some(leg) = relayed {
                self.relay(leg);
            }
        }
        let due = || hears.at_once || call.look(|ring| ring.has_rung());
        if self.desk.relay.is_none()
            && let Some(sound) = hears.sound.as_ref().filter(|_| hears.sounds() && due())
        {
            self.play(sound);
            return Waits::Plays;
        }
        if caller.has_media() {
            Waits::Reads
        } else {
            Waits::Asleep
        }
    }

    fn play(&mut self, sound: &Sound) {
        let (call, caller) = (self.call, self.caller);
        let mailbox = &call.mailbox;
        if !mailbox.begins(Waits::Plays) {
            return;
        }
        let began = Instant::now();
        let mut waiting = Waiting { call, caller };
        let announcement = call.hears.announcement.lock().take();
        if let Some(announcement) = announcement {
            caller.play(&announcement, &mut waiting);
        } else if !caller.play(sound, &mut waiting) && caller.ready() {
            call.hears.unusable.store(true, Ordering::Relaxed);
            // The phone's own ringing must do then.
            caller.ring();
        }
        mailbox.ends();
        caller.may_play();
        self.desk.served |=
            began.elapsed() < LATE_THREAD && caller.variable("timer_name").is_some();
        // A file without a sound in it is over at once: do not spin on it.
        if began.elapsed() < FRAME && mailbox.is_empty() {
            caller.live();
        }
    }

    /// The keys that the caller has pressed: like core, whoever may give up by key loses the
    /// others; else they wait for the bridge.
    pub fn hear_keys(&mut self) {
        let keys = [self.call.hears.cancel_key, self.call.hears.stop_key];
        while keys != [None, None]
            && let Some(key) = self.caller.key()
        {
            if keys.contains(&Some(key)) {
                self.feed(Event::Cancel(Cause::ORIGINATOR_CANCEL));
            }
        }
    }

    fn relay(&mut self, leg: LegId) {
        let call = self.call;
        let caller = LockedSession::locate(&call.uuid);
        let uuid = call.uuid_of(leg);
        let peer = uuid.and_then(|uuid| LockedSession::locate(&uuid));
        let Some((caller, peer)) = caller.zip(peer) else {
            return;
        };
        self.caller.show_callee(&peer);
        peer.await_codec();
        codec::inherit(self.caller, &peer);
        if self.caller.pre_answer() {
            self.desk.relay = Relay::start(&call.shared.pool, leg, peer, caller);
        }
    }

    /// Nothing is played to the caller any more, and nobody else reads a leg's media.
    pub fn stop_hearing(&mut self) {
        self.desk.relay = None;
        self.caller.has_others_rung(false);
        if std::mem::take(&mut self.desk.served) {
            std::thread::sleep(LATE_THREAD);
            self.caller.stop_service();
        }
    }
}

struct Waiting<'a> {
    call: &'a Call,
    caller: &'a Session<'a>,
}

impl Waiting<'_> {
    fn mailbox(&self) -> &Mailbox {
        &self.call.mailbox
    }
}

impl Listener for Waiting<'_> {
    fn enough(&mut self) -> bool {
        self.mailbox().has_mail() || !self.caller.ready()
    }

    fn takes(&mut self, key: u8) -> bool {
        let hears = &self.call.hears;
        let keys = [hears.cancel_key, hears.stop_key];
        if keys.contains(&Some(key)) {
            self.call.post(Event::Cancel(Cause::ORIGINATOR_CANCEL));
        }
        // As in `hear_keys`.
        keys != [None, None]
    }
}
