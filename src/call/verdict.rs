//! What happened, made once and written outwards: the caller's variables, the last event, the
//! metrics, the history, the log. A verdict is never read back from the caller's variables.
//! Core sets variables of its own for each leg; ours come after them.

use super::Call;
use crate::ring::{Cause, LegId, Outcome};
use crate::shared::Shared;
use crate::switch::Channel;
use crate::switch::session::cause_name;
use crate::switch::text::json;
use crate::tell::event;
use crate::tell::history::Ended;
use crate::tell::report::LegReport;
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
    caller.set("cti_stages", Some(&stages(call).to_string()));
    caller.set("cti_stage", Some("1"));
}

/// Of the part that has most.
fn stages(call: &Call) -> usize {
    let stages = call.plan.parts.iter().map(|part| part.stages.len());
    stages.max().unwrap_or(0)
}

fn forget(caller: &Channel<'_>) {
    for name in ["cti_winner", "cti_winner_uuid", "cti_error"] {
        caller.set(name, None);
    }
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
    shared.metrics.call_refused();
}

/// The winner answered while it rang, and so has the caller: how long was that?
pub fn caller_answered(call: &Call, leg: LegId) {
    let answered = call.look(|ring| ring.legs()[leg].answered);
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
    stage: usize,
    winner: Option<String>,
    error: Option<String>,
    legs: Vec<LegReport>,
}

/// The winner answered: before the two are joined, so that it can be read during the call.
pub fn answered(call: &Call, caller: &Channel<'_>, leg: LegId) -> Verdict {
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
    verdict
}

fn verdict(call: &Call, how: Outcome, cause: Cause) -> Verdict {
    Verdict {
        how,
        cause,
        ring_ms: call.age().as_millis() as u64,
        stage: call.look(|ring| ring.stage()),
        winner: None,
        error: None,
        legs: call.legs(),
    }
}

impl Verdict {
    /// The two have parted: now every leg's end is known.
    pub fn parted(&mut self, call: &Call, caller: &Channel<'_>) {
        self.legs = call.legs();
        caller.set("cti_legs", Some(&json(&self.legs)));
    }

    fn tell(&self, caller: &Channel<'_>) {
        caller.set("cti_stage", Some(&self.stage.to_string()));
        caller.set("cti_ring_ms", Some(&self.ring_ms.to_string()));
        caller.set("cti_legs", Some(&json(&self.legs)));
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
        let (stage, stages) = (self.stage, stages(call));
        tracing::info!(
            uuid = call.uuid.as_str(),
            "cti_bridge: {result}{who} after {ring_ms} ms, stage {stage} of {stages}, {cause}"
        );
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
