//! What happened, made once and written outwards: the caller's variables, the last event, the
//! metrics, the history, the log. A verdict is never read back from the caller's variables.
//! Core sets variables of its own for each leg; ours come after them.

use super::Call;
use crate::ring::{Cause, LegId, Outcome, Ring, StageId};
use crate::shared::Shared;
use crate::switch::Channel;
use crate::switch::session::cause_name;
use crate::switch::text::json;
use crate::tell::event;
use crate::tell::history::Ended;
use crate::tell::report::{self, LegReport};
use std::time::Duration;

/// The cause of a refused plan: core's own for a dial string that it cannot use.
pub const REFUSED: Cause = Cause::DESTINATION_OUT_OF_ORDER;

/// Nothing of an earlier `cti_bridge` on this caller may be read as this one's.
pub fn began(caller: &Channel<'_>, call: &Call) {
    if caller.variable("cti_result").is_some() {
        for name in [
            "cti_result",
            "cti_cause",
            "cti_legs",
            "cti_ring_ms",
            "originate_failed_cause",
        ] {
            caller.set(name, None);
        }
    }
    forget(caller);
    caller.set("cti_stages", Some(&call.look(Ring::stages).to_string()));
    caller.set("cti_stage", Some("1"));
}

fn forget(caller: &Channel<'_>) {
    for name in [
        "cti_winner",
        "cti_winner_uuid",
        "cti_error",
        "cti_legs_left_out",
    ] {
        caller.set(name, None);
    }
}

/// Where core keeps how a caller's last bridge has ended. The second outranks the caller's own
/// hangup cause: his SIP status is taken from it.
const LAST_BRIDGE: [&str; 2] = [
    "last_bridge_hangup_cause",
    "last_bridge_proto_specific_hangup_cause",
];
/// … and what the phone said that failed last.
const FAILURE: [&str; 2] = ["sip_invite_failure_status", "sip_invite_failure_phrase"];

/// Each leg that ends leaves its own end on the caller: instead of the last one's he has the
/// call's. `code`: what a phone has said, if this is its cause.
fn last_bridge(caller: &Channel<'_>, cause: Cause, code: Option<u16>) {
    let status = code.map(|code| code.to_string());
    caller.set(LAST_BRIDGE[0], Some(&cause_name(cause)));
    let specific = status.as_ref().map(|status| format!("sip:{status}"));
    caller.set(LAST_BRIDGE[1], specific.as_deref());
    // A caller who has left has his own there.
    if caller.up() && caller.variable(FAILURE[0]) != status {
        caller.set(FAILURE[0], status.as_deref());
        caller.set(FAILURE[1], None);
    }
}

/// A leg has failed and the call goes on: should somebody end the caller meanwhile, the status that
/// he is told is not this leg's.
pub fn failed_for_now(caller: &Channel<'_>) {
    caller.set(LAST_BRIDGE[1], None);
}

/// The dialplan goes on after a failed call: how it ends the caller is told him, and no phone of
/// this call has a say in that.
pub fn goes_on(caller: &Channel<'_>) {
    if caller.up() {
        caller.set(LAST_BRIDGE[1], None);
    }
}

/// A status that a phone has sent us says the same where it is passed on. Not so a challenge, or a
/// redirection, without its headers.
fn may_pass(code: &u16) -> bool {
    (400..700).contains(code) && ![401, 407].contains(code)
}

/// A plan that rings nobody.
pub fn refused(caller: &Channel<'_>, shared: &Shared, error: &str) {
    forget(caller);
    caller.set("cti_error", Some(error));
    caller.set("cti_stages", Some("0"));
    caller.set("cti_stage", Some("0"));
    caller.set("cti_ring_ms", Some("0"));
    caller.set("cti_legs", Some("[]"));
    outcome(caller, Outcome::Invalid, REFUSED);
    last_bridge(caller, REFUSED, None);
    shared.metrics.call_refused();
}

/// The winner answered while it rang, and so has the caller: how long was that?
pub fn caller_answered(call: &Call, leg: LegId) {
    let answered = call.look(|ring| ring.leg(leg).answered);
    if let Some(at) = answered {
        let waited = call.age().saturating_sub(at);
        call.shared.metrics.caller_answered(waited);
    }
}

/// How a call ended.
pub struct Verdict {
    how: Outcome,
    cause: Cause,
    ring_ms: u64,
    stage: StageId,
    stages: usize,
    winner: Option<String>,
    error: Option<String>,
    legs: Vec<LegReport>,
}

/// The winner answered: before the two are joined, so that it can be read during the call.
pub fn answered(call: &Call, caller: &Channel<'_>, leg: LegId) -> Verdict {
    call.tell_won(leg);
    let mut verdict = verdict(call, Outcome::Answered, Cause::SUCCESS);
    let winner = verdict.legs.iter().find(|it| it.leg == leg);
    caller.set("cti_winner", winner.map(|winner| winner.target.as_str()));
    caller.set(
        "cti_winner_uuid",
        winner.and_then(|winner| winner.uuid.as_deref()),
    );
    let answered_ms = winner.and_then(|winner| winner.answered_ms);
    verdict.winner = winner.map(|winner| winner.target.clone());
    verdict.ring_ms = answered_ms.unwrap_or(verdict.ring_ms);
    verdict.tell(caller);
    verdict
}

pub fn failed(call: &Call, caller: &Channel<'_>, how: Outcome, cause: Cause) -> Verdict {
    call.tell_nobody_won();
    let mut verdict = verdict(call, how, cause);
    // A stage of more contacts than allowed is found out only when it begins.
    if how == Outcome::Cancelled {
        verdict.error = call.state.lock().refused.clone();
    }
    if let Some(error) = &verdict.error {
        verdict.how = Outcome::Invalid;
        caller.set("cti_error", Some(error));
    }
    verdict.tell(caller);
    let teller = match verdict.how {
        Outcome::Cancelled | Outcome::Invalid => None,
        _ => call.look(|ring| ring.teller(cause)),
    };
    let code = teller.and_then(|leg| verdict.legs.get(leg.0)?.sip_code);
    last_bridge(caller, cause, code.filter(may_pass));
    verdict
}

fn verdict(call: &Call, how: Outcome, cause: Cause) -> Verdict {
    Verdict {
        how,
        cause,
        ring_ms: call.age().as_millis() as u64,
        stage: call.look(|ring| ring.stage()),
        stages: call.look(Ring::stages),
        winner: None,
        error: None,
        legs: call.all_legs(),
    }
}

impl Verdict {
    /// The two have parted: now every leg's end is known, and the last that ended on the caller is
    /// the winner's.
    pub fn parted(&mut self, call: &Call, caller: &Channel<'_>, peer: &Channel<'_>) {
        if peer.down() {
            caller.set(LAST_BRIDGE[0], Some(&cause_name(peer.cause())));
            let specific = peer.variable("proto_specific_hangup_cause");
            caller.set(LAST_BRIDGE[1], specific.as_deref());
        }
        self.legs = call.all_legs();
        tell_legs(caller, &self.legs);
    }

    fn tell(&self, caller: &Channel<'_>) {
        caller.set("cti_stage", Some(&self.stage.to_string()));
        caller.set("cti_stages", Some(&self.stages.to_string()));
        caller.set("cti_ring_ms", Some(&self.ring_ms.to_string()));
        tell_legs(caller, &self.legs);
        outcome(caller, self.how, self.cause);
    }

    /// The call is over and its variables stand: the last event, the metrics, the last line in
    /// the log.
    pub fn ended(self, call: &Call, caller: &Channel<'_>) {
        let (result, cause) = (self.how.name(), cause_name(self.cause));
        let legs = json(&self.legs);
        let ring_ms = self.ring_ms;
        let shared = &call.shared;
        let ring = Duration::from_millis(ring_ms);
        shared.metrics.call_ended(result, ring, &self.legs);
        call.count_groups(ring);
        let ended = Ended {
            uuid: call.uuid.clone(),
            caller: caller.variable("caller_id_number").unwrap_or_default(),
            plan: call.plan.to_string(),
            result: result.to_owned(),
            cause: cause.clone(),
            ring_ms,
            legs: self.legs,
        };
        shared.history.keep(ended, shared.config().history);
        call.announce(event::ended(result, &cause, self.error.as_deref(), legs));
        let who = self
            .winner
            .map_or(String::new(), |winner| format!(" by {winner}"));
        let (stage, stages) = (self.stage, self.stages);
        tracing::info!(
            uuid = call.uuid.as_str(),
            "cti_bridge: {result}{who} after {ring_ms} ms, stage {stage} of {stages}, {cause}"
        );
    }
}

fn tell_legs(caller: &Channel<'_>, legs: &[LegReport]) {
    let (text, left_out) = report::bounded(legs);
    caller.set("cti_legs", Some(&text));
    if left_out > 0 {
        caller.set("cti_legs_left_out", Some(&left_out.to_string()));
    }
}

fn outcome(caller: &Channel<'_>, how: Outcome, cause: Cause) {
    let name = cause_name(cause);
    caller.set("cti_result", Some(how.name()));
    caller.set("cti_cause", Some(&name));
    caller.set("DIALSTATUS", Some(how.dial_status()));
    caller.set("originate_disposition", Some(&name));
    if how != Outcome::Answered {
        caller.set("originate_failed_cause", Some(&name));
    }
}
