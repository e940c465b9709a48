//! What the call's hand works with: the legs, what is to be done, what was lent.
//! Whoever holds the desk's lock is the hand, so no command is carried out twice or out of order.
//! Every event that the ring machine reads passes here.

use super::found::LookUp;
use super::originated::Originated;
use super::relay::Relay;
use super::shield::Loan;
use super::{Call, State};
use crate::ring::{Cause, Command, Event, LegId, Outcome};
use crate::switch::{LockedSession, Session};
use crate::tell::event::Announcement;
use parking_lot::MutexGuard;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// What the hand works with.
#[derive(Default)]
pub struct Desk {
    /// The legs that were dialled and are not over, each under a lock of ours.
    pub legs: HashMap<LegId, LockedSession>,
    /// Kept for their reports, where the caller asks for those.
    pub over: Vec<LockedSession>,
    /// What is to be done at once …
    pub orders: VecDeque<Command>,
    /// … and who is to be dialled then: one at a time, since others answer meanwhile.
    pub dials: VecDeque<LegId>,
    pub decision: Option<Decision>,
    /// The stages that are looked up …
    pub look_ups: Vec<LookUp>,
    /// … and how many have been.
    pub looked_up: u64,
    /// The winner, while somebody stands in for the caller's thread, which alone can join him.
    pub winner: Option<LegId>,
    /// Joined in early media: whether it answers is told when it does.
    pub early: Option<LegId>,
    /// While a leg is joined in early media.
    pub loan: Option<Loan>,
    pub originated: Originated,
    /// The caller has handed the call over to somebody who waits for the answer.
    pub transferred: bool,
    /// When the legs were last looked at, whatever hooks have told.
    pub looked: Option<Instant>,
    /// A thread of the switch's that was to read during a playback may have begun after it.
    pub served: bool,
    /// Somebody may take a `pickup/` leg, and no hook tells.
    pub pickups: bool,
    /// Each `origination_uuid` that a leg of the call has or had.
    pub uuids: HashSet<String>,
    pub relay: Option<Relay>,
}

/// What the machine decided in the end.
#[derive(Debug, Clone, Copy)]
pub enum Decision {
    Join(LegId),
    Fail {
        outcome: Outcome,
        cause: Cause,
        hang_up_caller: bool,
    },
}

pub struct Hand<'a> {
    pub call: &'a Arc<Call>,
    pub caller: &'a Session<'a>,
    pub desk: MutexGuard<'a, Desk>,
    /// The caller's thread is somewhere else, and this one stands in for it.
    pub stands_in: bool,
    /// Work is over when the mailbox has another one.
    pub term: u64,
}

impl Hand<'_> {
    /// Have the machine read an event, tell what has changed, and note what is to be done.
    pub fn feed(&mut self, event: Event) {
        self.feed_with(|_| event);
    }

    pub fn feed_with(&mut self, event: impl FnOnce(&mut State) -> Event) {
        let (commands, news) = self.call.read(event);
        for command in commands {
            match command {
                Command::Dial(leg) => self.desk.dials.push_back(leg),
                command => self.desk.orders.push_back(command),
            }
        }
        news.into_iter().for_each(|news| self.call.announce(news));
    }

    /// As [`Hand::feed`], with what is told of it before all that follows.
    pub fn feed_told(&mut self, event: Event, told: Option<Announcement>) {
        told.into_iter().for_each(|told| self.call.announce(told));
        self.feed(event);
    }

    /// The ringing is over: the caller has the arrays that core keeps of his legs.
    pub fn give_back_arrays(&mut self) {
        let originated = std::mem::take(&mut self.desk.originated);
        originated.give_back(self.caller, &self.desk.legs);
    }
}
