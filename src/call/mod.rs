//! One `cti_bridge` from beginning to end.
//! A call holds its ring machine and what the machine's numbers stand for on the switch.
//! Whoever learns something posts it; the call's hand, and nobody else, acts.

pub mod begin;
mod codec;
mod confirm;
mod desk;
mod dial;
mod failed_cdr;
mod found;
pub mod grouped;
mod hand;
mod hears;
mod join;
mod late_join;
mod look_up;
mod mailbox;
mod originated;
mod redirect;
pub mod registry;
mod relay;
mod shield;
mod transfer;
mod verdict;
mod winner;

use crate::contacts::Contact;
use crate::plan::{Plan, Variables};
use crate::ring::{
    Cause, Command, Event, Leg, LegId, LegState, NewLeg, PartId, Ring, StageId, Time,
};
use crate::shared::Shared;
use crate::switch::{LockedSession, Session};
use crate::tell::event::{self, Announcement};
use crate::tell::report::{self, Known, LegReport};
use crate::timer::Timed;
use desk::Desk;
use grouped::Grouped;
use hears::Hears;
use mailbox::{Mail, Mailbox};
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The channel variable that ties a leg to its call: `<serial>.<leg>`.
pub const LEG_VARIABLE: &str = "cti_leg";

/// What a call was asked to do; never changes.
pub struct Setting {
    /// The caller's.
    pub uuid: String,
    pub plan: Plan,
    /// For each part, the variables of all its legs: exports, `<…>`, `{…}`.
    pub globals: Vec<Variables>,
    /// For each part, whether devices that register late join it.
    pub late_join: Vec<bool>,
    pub hears: Hears,
    /// `cti_debug`: the whole story at INFO.
    pub debug: bool,
}

pub struct Call {
    /// Tells apart two calls of one caller, one after the other.
    pub serial: u64,
    setting: Setting,
    began: Instant,
    shared: Arc<Shared>,
    ours: Weak<Call>,
    mailbox: Mailbox,
    /// Somebody else has taken a leg, and so answered the call in the caller's place.
    picked_off: AtomicBool,
    /// What the hand works with. Whoever holds the lock is the hand.
    desk: Mutex<Desk>,
    state: Mutex<State>,
    /// The ring groups of its plan.
    grouped: Grouped,
}

/// The machine and what its numbers stand for. Never locked while the switch is called.
pub struct State {
    ring: Ring,
    contacts: Vec<Contact>,
    known: Vec<Known>,
    /// Where the device of a leg has registered since, which rings at its contact of before.
    moved: HashMap<LegId, String>,
    /// For each part and each stage of the machine's: which stage of the plan, and whose turn there.
    turns: Vec<Vec<(usize, usize)>>,
    armed: Option<Time>,
    /// When the hand is to look after the contacts that wait for others.
    together: Option<Time>,
    /// Why the plan is refused after all, found out when one of its stages began.
    refused: Option<String>,
}

impl std::ops::Deref for Call {
    type Target = Setting;
    fn deref(&self) -> &Setting {
        &self.setting
    }
}

impl Call {
    fn new(setting: Setting, ring: Ring, shared: Arc<Shared>) -> Arc<Call> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let parts = setting.plan.parts.iter();
        let turns = parts.map(|part| (0..part.stages.len()).map(|stage| (stage, 0)).collect());
        let turns = turns.collect();
        Arc::new_cyclic(|ours| Call {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            setting,
            began: Instant::now(),
            shared,
            ours: Weak::clone(ours),
            mailbox: Mailbox::default(),
            picked_off: AtomicBool::new(false),
            desk: Mutex::default(),
            state: Mutex::new(State {
                ring,
                contacts: Vec::new(),
                known: Vec::new(),
                moved: HashMap::new(),
                turns,
                armed: None,
                together: None,
                refused: None,
            }),
            grouped: Grouped::default(),
        })
    }

    /// How long ago it began.
    pub fn age(&self) -> Time {
        self.began.elapsed()
    }

    /// Tell the call what has happened. Any thread may, also one of the switch's own: the hand
    /// sees to it.
    pub fn post(&self, event: Event) {
        self.put(Mail::Event(event));
    }

    /// Something has happened to the caller; the hand looks what.
    pub fn post_look(&self) {
        self.mailbox.look();
    }

    /// Somebody has taken a leg away, it seems; the hand looks.
    pub fn post_elsewhere(&self) {
        self.put(Mail::Look);
    }

    fn put(&self, mail: Mail) {
        let away = self.mailbox.put(mail);
        if away && let Some(ours) = self.ours.upgrade() {
            ours.write_down();
        }
    }

    /// Read the ring machine.
    pub fn look<T>(&self, question: impl FnOnce(&Ring) -> T) -> T {
        question(&self.state.lock().ring)
    }

    /// Every leg so far, in the plan's order.
    pub fn legs(&self) -> Vec<LegReport> {
        let legs = {
            let state = self.state.lock();
            report::legs(&state.ring, &state.known)
        };
        report::spelled(legs)
    }

    /// … and behind them the members of groups who were skipped.
    pub fn all_legs(&self) -> Vec<LegReport> {
        let mut legs = self.legs();
        legs.extend(self.skipped());
        legs
    }

    /// Have the machine read an event; what it decides is for the hand. For the hand alone.
    fn read(&self, event: impl FnOnce(&mut State) -> Event) -> (Vec<Command>, Vec<Announcement>) {
        let now = self.age();
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let first = state.ring.legs().len();
        let event = event(state);
        let begins = matches!(event, Event::Resolved { part, stage, .. }
            if state.ring.takes(part, stage) && state.ring.found_of(part, stage).next().is_none());
        let commands = state.ring.handle(now, event);
        // Also a stage of which nothing can be dialled: its legs' ends are told as well.
        let stage = state.ring.legs().get(first).filter(|_| begins);
        let stage = stage.map(|leg| leg.stage);
        let mut news = event::news(&state.ring, &mut state.known, stage);
        self.arm_next(&mut guard);
        let offers = guard.offers();
        drop(guard);
        news.extend(self.tell_offers(offers));
        (commands, news)
    }

    /// The hand is to be woken then, whatever else is due.
    fn wake_at(&self, together: Option<Time>) {
        let mut state = self.state.lock();
        state.together = together;
        self.arm_next(&mut state);
    }

    fn arm_next(&self, state: &mut MutexGuard<'_, State>) {
        let next = state.ring.next_deadline().into_iter();
        let next = next.chain(state.together).min();
        self.arm(state, next);
    }

    fn arm(&self, state: &mut MutexGuard<'_, State>, next: Option<Time>) {
        let old = std::mem::replace(&mut state.armed, next);
        if old != next {
            let old = old.map(|time| self.began + time);
            let ours: Weak<dyn Timed> = self.ours.clone();
            let new = next.map(|time| (self.began + time, ours));
            self.shared.timer.arm(self.serial, old, new);
        }
    }

    fn disarm(&self) {
        self.arm(&mut self.state.lock(), None);
    }

    /// A leg's channel has hung up, and its phone is about to be told why. On the leg's own thread.
    pub fn leg_over(&self, leg: LegId, session: &Session<'_>) {
        self.tell_elsewhere(session);
        if self.uuid_of(leg).is_some_and(|uuid| uuid == session.uuid()) {
            self.note_status(leg, session);
            self.post(self.end_of(leg, session));
        }
    }

    /// A caller who lost a race himself (the far half of a loopback), or was picked off, is gone
    /// because the call was answered elsewhere: that is what his phones are told.
    /// Nor is a transfer of the caller (801, no SIP status) why somebody else's phone stopped.
    fn tell_elsewhere(&self, leg: &Session<'_>) {
        let lost = match leg.cause() {
            Cause::ORIGINATOR_CANCEL => {
                let lost = |caller: LockedSession| {
                    [Cause::LOSE_RACE, Cause::PICKED_OFF].contains(&caller.cause())
                };
                self.picked_off.load(Ordering::Acquire)
                    || LockedSession::locate_ended(&self.uuid).is_some_and(lost)
            }
            Cause::ATTENDED_TRANSFER => !leg.answered(),
            _ => false,
        };
        if lost && leg.variable("sip_reason").is_none() {
            let elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"";
            leg.set("sip_reason", Some(elsewhere));
            leg.set("call_completed_elsewhere", Some("true"));
        }
    }

    /// What the phone has said, by the leg's own variables. One that was challenged before its
    /// answer keeps the challenge in them.
    fn note_status(&self, leg: LegId, session: &Session<'_>) {
        let said = |name: &str| session.variable(name)?.parse().ok();
        let code = match session.answered() {
            true => session.is_dialled_by_sip().then_some(200),
            false => said("sip_invite_failure_status")
                .or_else(|| said("sip_term_status"))
                .or_else(|| {
                    // The reply of a phone that has moved stands here alone.
                    let said = session.variable("proto_specific_hangup_cause")?;
                    said.strip_prefix("sip:")?.parse().ok()
                }),
        };
        if let Some(known) = self.state.lock().known.get_mut(leg.0) {
            known.sip_code = code;
        }
    }

    fn uuid_of(&self, leg: LegId) -> Option<String> {
        let state = self.state.lock();
        state.known.get(leg.0).and_then(|known| known.uuid.clone())
    }

    /// The stage of the plan that a stage of the machine's is, and whose turn it is there.
    fn turn_of(&self, (part, stage): (PartId, StageId)) -> (usize, usize) {
        let state = self.state.lock();
        let turn = state.turns.get(part.0).and_then(|turns| turns.get(stage.0));
        turn.copied().unwrap_or_default()
    }

    fn globals_of(&self, leg: LegId) -> &Variables {
        &self.globals[self.look(|ring| ring.leg(leg).part)]
    }

    /// Fire an event of this call, in the order of its story.
    fn announce(&self, news: Announcement) {
        event::fire(&self.uuid, news, self.age(), self.debug);
    }
}

impl Timed for Call {
    fn tick(&self) {
        self.post(Event::Tick);
    }
}

impl State {
    /// These join the machine's legs in the same order.
    fn add(&mut self, found: Vec<(Contact, NewLeg)>) -> Vec<NewLeg> {
        let (contacts, legs): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        self.known.extend(contacts.iter().map(Known::from));
        self.contacts.extend(contacts);
        legs
    }

    /// The legs to this contact that the part has or had in its present attempt.
    fn legs_to<'a>(
        &'a self,
        part: PartId,
        contact: &'a Contact,
    ) -> impl Iterator<Item = (LegId, &'a Leg)> {
        let legs = self.ring.legs().iter().zip(&self.contacts).enumerate();
        let same = move |(id, (leg, other)): &(usize, (&Leg, &Contact))| {
            let moved = || self.moved.get(&LegId(*id)) == Some(&contact.dial_string);
            leg.part == part
                && contact.dead.is_none()
                && other.dead.is_none()
                && (other.dial_string == contact.dial_string || moved())
                && self.ring.of_this_attempt(leg)
        };
        legs.filter(same).map(|(id, (leg, _))| (LegId(id), leg))
    }

    /// It rings, or is still to start; who is about to end does neither.
    fn rings(&self, part: PartId, contact: &Contact) -> bool {
        let mut legs = self.legs_to(part, contact);
        legs.any(|(leg, _)| self.ring.droppable(leg))
    }

    fn has_rung(&self, part: PartId, stage: StageId, contact: &Contact) -> bool {
        let mut legs = self.legs_to(part, contact);
        legs.any(|(_, leg)| leg.stage == stage)
    }

    /// How many legs ring, or are still to start.
    fn open(&self) -> usize {
        let legs = self.ring.legs().iter();
        legs.filter(|leg| leg.state != LegState::Ended).count()
    }

    /// Leaves the contacts of a stage that are to ring: one that an earlier stage still rings, or
    /// that has had its turn in this one, does not ring twice. How many the stage has already.
    fn new_of(&self, part: PartId, stage: StageId, contacts: &mut Vec<Contact>) -> usize {
        let had = || self.ring.found_of(part, stage);
        let alive = had().filter_map(|leg| self.contacts.get(leg.0).filter(|it| it.dead.is_none()));
        let turns: HashSet<_> = alive.map(|it| it.dial_string.as_str()).collect();
        let new = |it: &Contact| !turns.contains(it.dial_string.as_str()) && !self.rings(part, it);
        contacts.retain(|it| it.dead.is_some() || new(it));
        had().count()
    }

    /// The contacts of this stage have so many turns: what is more than is known follows at once, or
    /// behind the stages that have begun meanwhile. In a stage that is over nobody has a turn.
    fn have_turns(&mut self, part: PartId, stage: StageId, turns: usize) -> Option<Event> {
        let newest = self.ring.newest(part);
        if !self.ring.takes(part, stage) {
            return None;
        }
        let rows = &mut self.turns[part];
        let (planned, _) = rows[stage.0];
        let of_plan = |row: &(usize, usize)| row.0 == planned;
        let known = rows.iter().filter(|row| of_plan(row)).count();
        let more = turns.checked_sub(known).filter(|more| *more > 0)?;
        let last = rows.iter().rposition(of_plan)?;
        let next = last.max(newest.0) + 1;
        rows.splice(next..next, (known..turns).map(|turn| (planned, turn)));
        Some(Event::Turns { part, more })
    }

    /// The legs of the part at which somebody's device rings, and where that has registered last.
    fn ringing(&self, part: PartId) -> impl Iterator<Item = (LegId, &Contact, &String)> {
        let legs = self.ring.legs().iter().zip(&self.contacts).enumerate();
        let rings = move |(id, (leg, _)): &(usize, (&Leg, &Contact))| {
            leg.part == part && leg.ringing.is_some() && self.ring.droppable(LegId(*id))
        };
        legs.filter(rings).map(|(id, (_, contact))| {
            let moved = self.moved.get(&LegId(id));
            (LegId(id), contact, moved.unwrap_or(&contact.dial_string))
        })
    }

    /// Whoever has registered one of these anew may be a device that rings, whose contact of before
    /// is about to be taken out.
    fn may_have_moved(
        &self,
        (part, stage): (PartId, StageId),
        found: &[Contact],
        registered: &HashSet<String>,
    ) -> bool {
        let new = |it: &&Contact| !self.rings(part, it) && !self.has_rung(part, stage, it);
        let rings = |it: &Contact| {
            let by = it.registered_by();
            let own = |(_, other, at): (_, &Contact, &String)| {
                by.is_some() && other.registered_by() == by && registered.contains(at)
            };
            self.ringing(part).any(own)
        };
        found.iter().filter(new).any(rings)
    }

    /// A device that rings at a contact which is registered no more has moved: a new contact of its
    /// user's is where it is now, one for each such device. Leaves the contacts of other devices.
    fn see_moved(
        &mut self,
        part: PartId,
        found: &mut Vec<(Contact, NewLeg)>,
        registered: &HashSet<String>,
    ) {
        let gone = self
            .ringing(part)
            .filter(|(.., at)| !registered.contains(*at));
        let of = |(leg, contact, _): (LegId, &Contact, _)| {
            let (user, domain) = contact.registered_by()?;
            Some((leg, user.to_owned(), domain.to_owned()))
        };
        let mut gone: Vec<_> = gone.filter_map(of).collect();
        found.retain(|(contact, _)| {
            let by = contact.registered_by();
            let own = |(_, user, domain): &(LegId, String, String)| {
                by == Some((user.as_str(), domain.as_str()))
            };
            let Some(at) = gone.iter().position(own) else {
                return true;
            };
            let (leg, ..) = gone.remove(at);
            self.moved.insert(leg, contact.dial_string.clone());
            false
        });
    }

    /// Further contacts for a stage that rings, as long as no more than `limit` legs ring at once.
    /// One that rings already does not ring twice; one that has had its turn only where `registered`
    /// does not say what its user has registered: then an operator wants it.
    fn added(
        &mut self,
        (part, stage): (PartId, StageId),
        mut found: Vec<(Contact, NewLeg)>,
        limit: usize,
        registered: Option<&HashSet<String>>,
    ) -> Result<Event, NotAdded> {
        let late = registered.is_some();
        let had_turn = |contact: &Contact| late && self.has_rung(part, stage, contact);
        found.retain(|(contact, _)| !self.rings(part, contact) && !had_turn(contact));
        if let Some(registered) = registered {
            self.see_moved(part, &mut found, registered);
        }
        // All turns of a target ring together here, and one contact may have several.
        let mut seen = HashSet::new();
        found.retain(|(contact, _)| {
            contact.dead.is_some() || seen.insert(contact.dial_string.clone())
        });
        if !self.ring.takes(part, stage) {
            return Err(NotAdded::Over);
        }
        if found.is_empty() {
            return Err(NotAdded::Rings);
        }
        if self.open() + found.len() > limit {
            return Err(NotAdded::Limit(limit));
        }
        let legs = self.add(found);
        Ok(Event::Added { part, stage, legs })
    }
}

impl From<&Contact> for Known {
    fn from(contact: &Contact) -> Known {
        Known {
            target: contact.target.clone(),
            plain_target: contact.plain_target.clone(),
            contact: contact.dial_string.clone(),
            ..Known::default()
        }
    }
}

/// Why further contacts do not ring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NotAdded {
    Rings,
    Over,
    /// `max-targets`.
    Limit(usize),
}

impl fmt::Display for NotAdded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAdded::Rings => f.write_str("it rings already"),
            NotAdded::Over => f.write_str("too late: the stage is over"),
            NotAdded::Limit(limit) => {
                write!(f, "more legs would ring than max-targets ({limit})")
            }
        }
    }
}

/// How long an operator waits for the call's hand, which is never away for so long.
const PATIENCE: Duration = Duration::from_secs(5);
