//! What has happened and is not yet acted upon, and the bell that wakes the call's hand.
//! Any thread may put something in; nothing of that waits or runs anything.
//! While nothing is put in, the hand's thread sleeps, reads the caller's media, or plays to him.

use super::desk::Hand;
use crate::ring::Event;
use crate::switch::LockedSession;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Duration;

/// Something for the hand.
pub enum Mail {
    Event(Event),
    /// A leg is somewhere else: look at the legs.
    Look,
    /// Somebody's wish, carried out by the hand.
    Job(Box<dyn FnOnce(&mut Hand<'_>) + Send>),
}

#[derive(Default)]
pub struct Mailbox {
    inner: Mutex<Inner>,
    news: Condvar,
    /// Held while the call lasts, so that whoever wakes the caller's thread finds him alive.
    caller: Mutex<Option<LockedSession>>,
}

#[derive(Default)]
struct Inner {
    mail: VecDeque<Mail>,
    look: bool,
    waits: Waits,
    /// The caller's thread talks with the winner: whoever brings something writes it down himself.
    away: bool,
    /// The call is over; nothing is taken in any more.
    closed: bool,
    /// Counts the times that the caller's thread went away and came back.
    term: u64,
}

/// What the hand's thread does meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Waits {
    /// It works, and looks into the box before it waits.
    #[default]
    No,
    Asleep,
    /// It reads the caller's media.
    Reads,
    /// It plays to the caller.
    Plays,
}

impl Mailbox {
    /// The caller, whose thread is to be woken from now on.
    pub fn open(&self, caller: Option<LockedSession>) {
        *self.caller.lock() = caller;
    }

    /// True: nobody will fetch it, so whoever brings it must see to it.
    pub fn put(&self, mail: Mail) -> bool {
        let (waits, away) = {
            let mut inner = self.inner.lock();
            if inner.closed {
                return false;
            }
            inner.mail.push_back(mail);
            (inner.waits, inner.away)
        };
        self.ring(waits);
        away
    }

    /// The hand is to look after the caller and the legs. Called by hooks of theirs: the signal has
    /// ended a read by itself, and a playback takes in what waits for the caller, and goes on.
    pub fn look(&self) {
        // Whoever holds the lock wakes the caller's thread just now, and that has led here.
        if self.caller.try_lock().is_some() {
            self.inner.lock().look = true;
            self.news.notify_all();
        }
    }

    fn ring(&self, waits: Waits) {
        self.news.notify_all();
        let caller = match waits {
            Waits::No | Waits::Asleep => return,
            Waits::Reads | Waits::Plays => self.caller.lock(),
        };
        // He may have gone on meanwhile: nothing that he does now shall end.
        if let Some(caller) = caller.as_ref().filter(|_| self.inner.lock().waits == waits) {
            if waits == Waits::Plays {
                caller.stop_playing();
            }
            caller.wake();
        }
    }

    /// What has come, and whether to look after the channels.
    pub fn take(&self) -> (VecDeque<Mail>, bool) {
        let mut inner = self.inner.lock();
        let look = std::mem::take(&mut inner.look);
        (std::mem::take(&mut inner.mail), look)
    }

    pub fn is_empty(&self) -> bool {
        let inner = self.inner.lock();
        inner.mail.is_empty() && !inner.look
    }

    /// A playback is to end for it.
    pub fn has_mail(&self) -> bool {
        !self.inner.lock().mail.is_empty()
    }

    /// The hand's thread is about to read or to play. False: something has come.
    pub fn begins(&self, waits: Waits) -> bool {
        let mut inner = self.inner.lock();
        let empty = inner.mail.is_empty() && !inner.look;
        inner.waits = if empty { waits } else { Waits::No };
        empty
    }

    /// Whoever wakes the caller's thread has done so when this returns.
    pub fn ends(&self) {
        let _nobody_wakes = self.caller.lock();
        self.inner.lock().waits = Waits::No;
    }

    /// Sleep until something comes, the term is over, or so long.
    pub fn sleep(&self, term: u64, patience: Duration) {
        let mut inner = self.inner.lock();
        inner.waits = Waits::Asleep;
        if inner.mail.is_empty() && !inner.look && inner.term == term {
            self.news.wait_for(&mut inner, patience);
        }
        inner.waits = Waits::No;
    }

    /// The caller's thread goes away or comes back: whoever stood in for it stops.
    pub fn next_term(&self) -> u64 {
        let term = {
            let mut inner = self.inner.lock();
            inner.term += 1;
            inner.term
        };
        self.news.notify_all();
        term
    }

    pub fn term(&self) -> u64 {
        self.inner.lock().term
    }

    /// Nobody stands in any more for the caller's thread, which talks. False: it is back.
    pub fn stays_away(&self, term: u64) -> bool {
        let mut inner = self.inner.lock();
        inner.away |= inner.term == term;
        inner.away
    }

    pub fn is_away(&self) -> bool {
        self.inner.lock().away
    }

    pub fn set_away(&self, away: bool) {
        self.inner.lock().away = away;
    }

    /// Nothing is taken in any more, and what is left is dropped: who waits for an answer hears so.
    pub fn close(&self) {
        let left = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            std::mem::take(&mut inner.mail)
        };
        drop(left);
        drop(self.caller.lock().take());
    }
}
