//! The call's hand: takes what has come out of the mailbox, asks the ring machine, and acts.
//! The caller's own thread is the hand; while he is away, one thread stands in for it.
//! Whoever holds the desk's lock is the hand, so no command is carried out twice or out of order.

use super::Call;
use super::desk::{Decision, Hand};
use super::mailbox::{Mail, Waits};
use super::verdict;
use crate::ring::{Cause, Command, Event, LegId, Ring, Time};
use crate::switch::{LockedSession, Session};
use crate::tell::event::Announcement;
use crate::tell::report::Known;
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How long the hand sleeps at most: whatever no hook has told is seen then.
const BACKSTOP: Duration = Duration::from_secs(1);

/// … where something is waited for that no hook tells: a key of a caller without media, a
/// `pickup/` leg.
const OFTEN: Duration = Duration::from_millis(50);

impl Hand<'_> {
    /// Until the call is decided, or the term is over.
    pub fn work(&mut self) {
        if let Some(leg) = self.desk.winner.take() {
            self.carry_out(Command::Join(leg));
        }
        while self.call.mailbox.term() == self.term {
            // All that is due before anything that has come of it: a hundred phones are told at once.
            self.settle();
            self.read_mail();
            self.hand_on();
            if !self.desk.orders.is_empty() {
                continue;
            } else if self.desk.decision.is_some()
                || self.desk.winner.is_some()
                || self.stands_in && self.talks() && self.call.mailbox.stays_away(self.term)
            {
                return;
            } else if self.has_lost_caller() {
                self.feed(Event::CallerGone);
            } else if let Some(leg) = self.desk.dials.pop_front() {
                self.dial(leg);
            } else {
                self.wait();
            }
        }
    }

    /// The winner, joined with the caller, has answered: nothing is left to command.
    fn talks(&self) -> bool {
        self.call.look(|ring| {
            let winner = ring.winner();
            winner.is_some_and(|leg| ring.leg(leg).answered.is_some())
        })
    }

    /// Read what has come.
    pub fn read_mail(&mut self) {
        let (mail, look) = self.call.mailbox.take();
        for mail in mail {
            match mail {
                Mail::Event(event) => self.event(event),
                Mail::Job(job) => job(self),
                Mail::Look => self.look(false),
            }
        }
        if look {
            self.look(false);
        }
    }

    fn event(&mut self, event: Event) {
        let leg = match event {
            Event::Answered(leg) | Event::Confirmed(leg) | Event::EarlyMedia(leg) => Some(leg),
            Event::Ended { leg, .. } | Event::Redirected { leg, .. } => Some(leg),
            _ => None,
        };
        if let Some(leg) = leg {
            // Over, or hung up by us in the moment before: what it says is nothing any more.
            let ended = matches!(event, Event::Ended { .. } | Event::Redirected { .. });
            if !self.holds(leg) || !ended && self.has_hung_up(leg) {
                return;
            }
            // Nobody is answered for a caller who has left, nor looked up.
            if self.has_lost_caller() {
                self.feed(Event::CallerGone);
            }
        }
        match event {
            Event::Ended { leg, .. } | Event::Redirected { leg, .. } => {
                self.feed(event);
                self.release(leg);
            }
            Event::Answered(leg) => {
                let swapped = self.desk.legs.get(&leg).filter(|_| self.desk.pickups);
                if let Some(uuid) = swapped.and_then(|session| session.swapped_for()) {
                    return self.picked_up(leg, &uuid);
                }
                self.feed(event);
                self.answered_late(leg);
            }
            event => self.feed(event),
        }
    }

    /// The caller has left, and nobody waits in his place.
    pub fn is_gone(&mut self) -> bool {
        self.desk.transferred |= self.caller.is_transferred_early();
        !self.caller.ready() && !self.desk.transferred
    }

    /// He has left, on his own thread, and the call is not over yet.
    fn has_lost_caller(&mut self) -> bool {
        !self.stands_in && self.is_gone() && !self.call.look(|ring| ring.over())
    }

    /// The leg is up and in our hands, or joined with the caller.
    fn holds(&self, leg: LegId) -> bool {
        self.desk.legs.contains_key(&leg) || self.call.look(|ring| ring.winner()) == Some(leg)
    }

    /// The leg is ending because the machine has said so: an answer that crosses that comes too late.
    fn has_hung_up(&self, leg: LegId) -> bool {
        let down = self.desk.legs.get(&leg).is_some_and(|leg| leg.down());
        down && self.call.look(|ring| ring.is_hung_up(leg))
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Resolve { part, stage } => self.look_up(part, stage),
            Command::Follow { leg, places } => self.follow(leg, places),
            Command::Confirm(leg) => self.confirm(leg),
            Command::HangUp { leg, cause } => self.hang_up(leg, cause),
            // Applications run meanwhile, which may take long.
            Command::Alert(leg) if !self.stands_in && self.caller.has_hooks("ring") => {
                if self.is_to_alert(leg) {
                    let (call, caller) = (self.call, self.caller);
                    MutexGuard::unlocked(&mut self.desk, || stood_in(call, || caller.ring()));
                    self.term = call.mailbox.term();
                }
            }
            Command::Alert(leg) => self.alert(leg),
            Command::Join(leg) if self.stands_in => self.desk.winner = Some(leg),
            Command::Join(leg) => {
                // The others are hung up after the caller is answered, unless that takes long.
                if self.caller.has_hooks("answer") || self.caller.has_hooks("media") {
                    self.settle();
                }
                self.take(leg);
            }
            Command::Finish {
                outcome,
                cause,
                hang_up_caller,
            } => {
                self.desk.decision = Some(Decision::Fail {
                    outcome,
                    cause,
                    hang_up_caller,
                });
            }
            Command::Dial(leg) => self.desk.dials.push_back(leg),
        }
    }

    /// What is still to be done before the caller's thread does something else.
    pub fn settle(&mut self) {
        while let Some(command) = self.desk.orders.pop_front() {
            self.carry_out(command);
        }
    }

    fn hang_up(&mut self, leg: LegId, cause: Cause) {
        let waits = self.desk.dials.iter().position(|&it| it == leg);
        if let Some(waits) = waits {
            self.desk.dials.remove(waits);
            return self.feed(Event::Ended { leg, cause });
        }
        let won = self.call.look(|ring| ring.winner()) == Some(leg);
        let joined;
        let session: &LockedSession = match self.desk.legs.get(&leg) {
            // Whoever has taken it has it. A winner in early media is our own caller's.
            Some(session) if !won && session.up() && session.taken_away() => {
                self.feed(Event::Ended { leg, cause });
                return self.release(leg);
            }
            Some(session) => session,
            None => {
                // It is joined with the caller.
                let uuid = self.call.uuid_of(leg);
                joined = uuid.and_then(|uuid| LockedSession::locate(&uuid));
                match &joined {
                    Some(session) => session,
                    None => return,
                }
            }
        };
        // An answer in the moment in which its time is over stands.
        if session.answered() && self.call.look(|ring| ring.spares(leg)) {
            return self.feed(Event::Answered(leg));
        }
        let is_pickup = self.desk.pickups && session.is_pickup();
        if cause == Cause::LOSE_RACE && !is_pickup {
            session.set("group_dial_status", Some("loser"));
        }
        // Sofia transfers the caller first and then ends the leg itself (`cti_redirect=core`).
        let transferred = self.caller.up() && !self.caller.ready();
        let has_moved = transferred && session.variable("sip_redirected_to").is_some();
        session.hang_up(match cause {
            _ if is_pickup => Cause::NO_PICKUP,
            Cause::ORIGINATOR_CANCEL if has_moved => Cause::REDIRECTION_TO_NEW_DESTINATION,
            cause => cause,
        });
    }

    /// A leg is over: nobody waits for it any more.
    pub fn release(&mut self, leg: LegId) {
        if self.call.look(|ring| ring.winner()) == Some(leg) {
            return; // Whoever joins the two does it.
        }
        if self
            .desk
            .relay
            .as_ref()
            .is_some_and(|relay| relay.leg == leg)
        {
            self.desk.relay = None;
        }
        if let Some(session) = self.desk.legs.remove(&leg) {
            session.hear_no_messages(self.call.shared.hooks.messages);
            session.originated();
            verdict::failed_for_now(self.caller);
            self.desk.originated.ended(leg, &session);
            if self.call.hears.keeps_reports && !self.talks() {
                self.desk.over.push(session);
            }
        }
    }

    /// Look at the legs: what a hook has told is known already, and what none has told is seen
    /// here. `ends`: also whether one is over without a word.
    fn look(&mut self, ends: bool) {
        if ends {
            self.desk.looked = Some(Instant::now());
        }
        let mut seen = Vec::new();
        let mut swapped = Vec::new();
        let winner = self.call.look(|ring| ring.winner());
        for (&leg, session) in &self.desk.legs {
            if winner == Some(leg) {
                continue; // Whoever joins the two sees to it.
            }
            if session.down() {
                if ends {
                    seen.push(self.call.end_of(leg, session));
                }
            } else if let Some(uuid) = session.swapped_for() {
                if !self.call.look(|ring| ring.over()) {
                    swapped.push((leg, uuid));
                }
            } else if session.answered() {
                seen.push(Event::Answered(leg));
            } else if session.taken_away() {
                if session.is_intercepted() {
                    self.call.picked_off.store(true, Ordering::Release);
                }
                let cause = Cause::NORMAL_CLEARING;
                seen.push(Event::Ended { leg, cause });
            } else if session.in_early_media() {
                seen.push(Event::EarlyMedia(leg));
            } else if session.rings() {
                seen.push(Event::Ringing(leg));
            }
        }
        let known = |event: &Event| self.call.look(|ring| ring.knows(event));
        seen.retain(|event| !known(event));
        for event in seen {
            self.event(event);
        }
        for (leg, uuid) in swapped {
            self.picked_up(leg, &uuid);
        }
    }

    /// Somebody has taken a `pickup/` leg: he is the leg from now on, and has answered.
    fn picked_up(&mut self, leg: LegId, uuid: &str) {
        let Some(session) = LockedSession::locate(uuid) else {
            return;
        };
        if let Some(known) = self.call.state.lock().known.get_mut(leg.0) {
            known.uuid = Some(uuid.to_owned());
        }
        if let Some(before) = self.desk.legs.remove(&leg) {
            before.hear_no_messages(self.call.shared.hooks.messages);
            // Or it would hang up whoever has taken its place.
            before.set("channel_swap_uuid", None);
            before.hang_up(Cause::PICKED_OFF);
            before.originated();
            session.set("picked_up_uuid", Some(&before.uuid()));
        }
        // Or he would be taken for somebody else's, and left up with nobody, should he lose.
        session.is_originated();
        session.answer();
        session.run_hooks("pickup");
        self.desk.legs.insert(leg, session);
        self.feed(Event::Answered(leg));
    }

    /// The winner and the caller have parted.
    pub fn over(&mut self, leg: LegId, session: &Session<'_>) {
        self.call.note_status(leg, session);
        if session.down() {
            let end = self.call.end_of(leg, session);
            self.feed(end);
        }
    }

    /// Nothing is to be done: wait until something has happened.
    fn wait(&mut self) {
        let call = self.call;
        if self.stands_in {
            return self.sleep(BACKSTOP);
        }
        self.caller.take_in();
        if !self.caller.ready() && !self.is_gone() {
            return self.sleep(BACKSTOP);
        }
        if self.has_lost_caller() {
            return self.feed(Event::CallerGone);
        }
        if self.is_gone() {
            return self.sleep(OFTEN);
        }
        if !call.mailbox.is_empty() {
            return;
        }
        let rarely = if self.desk.pickups { OFTEN } else { BACKSTOP };
        if self.desk.looked.is_none_or(|at| at.elapsed() >= rarely) {
            return self.look(true);
        }
        match self.hears() {
            Waits::Plays => {}
            Waits::Reads => {
                let reads = call.mailbox.begins(Waits::Reads) && self.caller.read();
                call.mailbox.ends();
                self.hear_keys();
                if !reads && call.mailbox.is_empty() {
                    self.sleep(OFTEN);
                }
            }
            _ if call.hears.cancel_key.is_some() => {
                self.sleep(OFTEN);
                self.hear_keys();
            }
            _ => self.sleep(BACKSTOP),
        }
    }

    /// Sleep; what no hook has told meanwhile is seen afterwards.
    fn sleep(&mut self, patience: Duration) {
        let call = self.call;
        let patience = match self.desk.pickups {
            true => patience.min(OFTEN),
            false => patience,
        };
        call.mailbox.sleep(self.term, patience);
        if call.mailbox.is_empty() {
            self.look(true);
        }
    }

    /// Give losers that still ring off a moment, so that the call's record is whole.
    pub fn settle_losers(&mut self) {
        const PATIENCE: Duration = Duration::from_millis(200);
        let until = Instant::now() + PATIENCE;
        loop {
            self.read_mail();
            self.settle();
            let now = Instant::now();
            if now >= until || !self.call.look(|ring| ring.losers_open()) {
                return;
            }
            self.call.mailbox.sleep(self.term, until - now);
        }
    }
}

impl Call {
    /// The caller's thread is away with the winner: whoever has brought something sees to it.
    pub fn write_down(self: &Arc<Call>) {
        let Some(caller) = LockedSession::locate_ended(&self.uuid) else {
            return;
        };
        while !self.mailbox.is_empty() {
            // Whoever is at it looks into the box once more when he is done.
            let Some(desk) = self.desk.try_lock() else {
                return;
            };
            let mut hand = Hand {
                call: self,
                caller: &caller,
                desk,
                stands_in: true,
                term: self.mailbox.term(),
            };
            hand.read_mail();
            hand.settle();
        }
    }

    /// Have the hand do something, and wait for what it says. `None`: the call is over.
    pub fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Hand<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = mpsc::sync_channel(1);
        let job = move |hand: &mut Hand<'_>| {
            // Whoever asked may have lost patience.
            let _ = tell.send(job(hand));
        };
        self.put(Mail::Job(Box::new(job)));
        told.recv_timeout(super::PATIENCE).ok()
    }

    /// An operator's command: what it comes to at this moment and what is said of it, told before
    /// whatever follows from it; or why it cannot be carried out.
    pub fn order(
        &self,
        order: impl FnOnce(&Ring, &[Known], Time) -> Result<(Vec<Event>, String), String>
        + Send
        + 'static,
        tell: impl FnOnce(&str) -> Announcement + Send + 'static,
    ) -> Result<String, String> {
        let job = move |hand: &mut Hand<'_>| {
            let (events, said) = {
                let state = hand.call.state.lock();
                order(&state.ring, &state.known, hand.call.age())?
            };
            hand.call.announce(tell(&said));
            events.into_iter().for_each(|event| hand.feed(event));
            Ok(said)
        };
        self.ask(job)
            .unwrap_or_else(|| Err("it is ending".to_owned()))
    }

    /// Have the hand do something, some time soon.
    pub fn leave_job(&self, job: impl FnOnce(&mut Hand<'_>) + Send + 'static) {
        self.put(Mail::Job(Box::new(job)));
    }
}

impl Call {
    /// The caller's thread as the hand.
    pub fn hand<'a>(self: &'a Arc<Call>, caller: &'a Session<'a>) -> Hand<'a> {
        Hand {
            call: self,
            caller,
            desk: self.desk.lock(),
            stands_in: false,
            term: self.mailbox.term(),
        }
    }
}

/// Do something that may take long on the caller's thread; somebody else is the hand meanwhile.
/// The desk must be free.
pub fn stood_in<T>(call: &Arc<Call>, long: impl FnOnce() -> T) -> T {
    let term = call.mailbox.next_term();
    let ours = Arc::clone(call);
    call.shared.pool.spawn("cti-hand", move || {
        let Some(caller) = LockedSession::locate(&ours.uuid) else {
            return;
        };
        let mut hand = Hand {
            call: &ours,
            caller: &caller,
            desk: ours.desk.lock(),
            stands_in: true,
            term,
        };
        hand.work();
        drop(hand);
        // What has come in the last moment; later whoever brings it does so.
        if ours.mailbox.is_away() {
            ours.write_down();
        }
    });
    let _back = Back(call);
    long()
}

/// The caller's thread is back, also after a panic: the desk is free for it at once.
struct Back<'a>(&'a Call);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.0.mailbox.next_term();
    }
}
