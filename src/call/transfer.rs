//! A caller who is transferred while it rings: he hands the call over to somebody who waits.
//! The ringing goes on without him, and whoever answers is joined with the one who waits.
//! Core's waiting originate does so, and nobody else.

use super::desk::{Decision, Hand};
use crate::ring::{Cause, LegId, Outcome};
use crate::switch::LockedSession;
use crate::switch::session::join_others;

/// The one who waits, as mod_sofia notes it.
const HOLDING: &str = "holding_uuid";

impl Hand<'_> {
    /// The winner is for the one who waits. False: the caller has not been transferred.
    pub fn hand_over(&mut self, leg: LegId) -> bool {
        if !self.desk.transferred {
            return false;
        }
        let holding = self.caller.variable(HOLDING);
        let (Some(holding), Some(peer)) = (holding, self.desk.legs.remove(&leg)) else {
            return false;
        };
        self.caller.set(HOLDING, None);
        if let Some(other) = LockedSession::locate(&holding) {
            other.set("hangup_after_bridge", Some("true"));
        }
        peer.hear_no_messages(self.call.shared.hooks.messages);
        peer.originated();
        peer.is_handed_over();
        if !join_others(&holding, &peer.uuid()) {
            peer.hang_up(Cause::ATTENDED_TRANSFER);
        }
        self.caller.hang_up(Cause::ATTENDED_TRANSFER);
        self.desk.decision = Some(Decision::Fail {
            outcome: Outcome::Cancelled,
            cause: Cause::ORIGINATOR_CANCEL,
            hang_up_caller: false,
        });
        true
    }

    /// Nobody has answered: the one who waits takes over what was to follow.
    pub fn let_go_of_who_waits(&mut self) {
        if !self.desk.transferred {
            return;
        }
        let holding = self.caller.variable(HOLDING);
        self.caller.set(HOLDING, None);
        let Some(other) = holding.and_then(|uuid| LockedSession::locate(&uuid)) else {
            return;
        };
        if !self.caller.leave_extension_to(&other) {
            let said = |name: &str| self.caller.variable(name);
            let extension = said("destination_number").unwrap_or_default();
            let (dialplan, context) = (said("dialplan"), said("context"));
            other.transfer(&extension, dialplan.as_deref(), context.as_deref());
        }
        self.caller.hang_up(Cause::ATTENDED_TRANSFER);
    }
}
