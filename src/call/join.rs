//! The winner and the caller are joined, until they part.
//! Joined in early media, the call may go on: somebody stands in for the caller's thread meanwhile.
//! How the call ended is known when they have parted.

use super::Call;
use super::hand::stood_in;
use super::verdict::{self, Verdict};
use crate::ring::{Cause, Event, LegId, Outcome};
use crate::switch::{LockedSession, Session};
use std::sync::Arc;

/// How a join came out.
pub enum Joined {
    Over(Verdict),
    Failed {
        outcome: Outcome,
        cause: Cause,
    },
    /// It has left without an answer, and the call goes on.
    GoesOn,
}

/// A winner in our hands: should we panic, it must not be left up with nobody.
struct Peer(LockedSession);

impl Drop for Peer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::switch::guard::guarded("a winner's end", (), || {
                self.0.hang_up(Cause::DESTINATION_OUT_OF_ORDER);
            });
        }
    }
}

/// Join the winner with the caller until they part.
pub fn join(call: &Arc<Call>, caller: &Session<'_>, leg: LegId) -> Joined {
    let peer = {
        let mut hand = call.hand(caller);
        hand.stop_hearing();
        if call.look(|ring| ring.winner()) != Some(leg) {
            return Joined::GoesOn; // It was in early media, and another has answered by now.
        }
        let Some(peer) = hand.desk.legs.remove(&leg) else {
            let (outcome, cause) = (Outcome::Failed, Cause::DESTINATION_OUT_OF_ORDER);
            return Joined::Failed { outcome, cause };
        };
        hand.desk.originated.ended(leg, &peer);
        hand.give_back_arrays();
        Peer(peer)
    };
    let session = &peer.0;
    let answered = session.answered();
    let mut told = None;
    if answered {
        // Of a call that was answered nobody is told the CDRs of those that failed.
        call.hand(caller).desk.over.clear();
        session.hear_no_messages(call.shared.hooks.messages);
        call.note_status(leg, session);
        told = Some(verdict::answered(call, caller, leg));
        call.mailbox.set_away(true);
        call.write_down();
        caller.bridge(session);
        call.mailbox.set_away(false);
    } else {
        let mut hand = call.hand(caller);
        hand.desk.early = Some(leg);
        // Should it fail, the call's cause decides what comes then, and not this leg's alone.
        hand.lend();
        drop(hand);
        stood_in(call, || caller.bridge(session));
        call.mailbox.set_away(false);
    }
    let mut hand = call.hand(caller);
    hand.read_mail();
    hand.over(leg, session);
    hand.desk.early = None;
    hand.give_back();
    // Others ring beside the one in early media: for nobody, when the caller has left.
    let left = hand.is_gone() && call.look(|ring| ring.losers_open());
    if left {
        hand.feed(Event::CallerGone);
    }
    if left || call.look(|ring| ring.tentative().is_none()) {
        hand.settle_losers();
    }
    session.hear_no_messages(call.shared.hooks.messages);
    if !answered && !session.answered() && caller.ready() {
        hand.feed(Event::Unanswered(leg));
    }
    if call.look(|ring| ring.winner()) != Some(leg) {
        return Joined::GoesOn;
    }
    match told {
        Some(mut told) => {
            told.parted(call, caller, session);
            Joined::Over(told)
        }
        None if session.answered() => Joined::Over(verdict::answered(call, caller, leg)),
        None => {
            // Core was kept from what it does with the caller of a bridge that has failed.
            let (outcome, cause) = call.look(|ring| ring.unanswered(leg));
            Joined::Failed { outcome, cause }
        }
    }
}
