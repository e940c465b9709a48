//! The leg that has won: the caller is answered, and what core keeps of the two is passed on.
//! Joined in early media, the call may go on: what core does with the caller of a bridge that has
//! failed is not due meanwhile, so variables of his are lent another value.

use super::codec;
use super::desk::{Decision, Hand};
use super::shield::Loan;
use super::verdict;
use crate::ring::{Cause, LegId, Outcome};
use crate::switch::Session;

impl Hand<'_> {
    /// The machine has chosen the winner. The caller is answered at once.
    pub fn take(&mut self, leg: LegId) {
        self.desk.decision = Some(Decision::Join(leg));
        if self.hand_over(leg) {
            return;
        }
        self.stop_hearing();
        let Some(peer) = self.desk.legs.get(&leg) else {
            return;
        };
        if let Some(alone) = self.call.globals_of(leg).get("import") {
            import(self.caller, peer, alone);
        }
        peer.await_codec();
        codec::inherit(self.caller, peer);
        let adopted = self.caller.adopt(peer);
        self.tell_the_winner(leg, peer);
        self.run_hooks_of_the_winner(leg, peer);
        if !adopted && self.caller.ready() {
            let cause = Cause::INCOMPATIBLE_DESTINATION;
            peer.hang_up(cause);
            self.desk.decision = Some(Decision::Fail {
                outcome: Outcome::Failed,
                cause,
                hang_up_caller: false,
            });
        } else if peer.answered() {
            verdict::caller_answered(self.call, leg);
        }
    }

    /// A leg that is joined in early media answers at last: now the result is known.
    pub fn answered_late(&mut self, leg: LegId) {
        if self.desk.early == Some(leg) {
            self.desk.early = None;
            self.give_back();
            verdict::answered(self.call, self.caller, leg);
        }
    }

    pub fn lend(&mut self) {
        let meanwhile = [
            ("continue_on_fail", Some("true")),
            ("failure_causes", None),
            ("transfer_on_fail", None),
            ("hangup_after_bridge", None),
        ];
        self.desk
            .loan
            .get_or_insert_with(|| Loan::of(self.caller, &meanwhile));
    }

    /// Whether anything was lent.
    pub fn give_back(&mut self) -> bool {
        let loan = self.desk.loan.take();
        loan.map(|mut loan| loan.give_back(self.caller)).is_some()
    }

    /// Others may ring beside the leg that is joined in early media from now on. A join that is
    /// over has given back what was lent, and nobody would give back more.
    pub fn lend_for_company(&mut self) {
        if self.desk.early.is_some() {
            self.lend();
        }
    }
}

/// Core reads `import` from the caller alone; in a plan it counts, too.
fn import(caller: &Session<'_>, peer: &Session<'_>, names: &str) {
    for name in names.split(',').map(str::trim) {
        if let Some(value) = peer.variable(name) {
            caller.set(name, Some(&value));
        }
    }
}
