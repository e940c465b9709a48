//! What happened, told once: the caller's variables, the log's two lines.
//! Core sets variables of its own after each originate; ours come after them.

use crate::calls::{Call, Dialled};
use crate::events;
use crate::history::Ended;
use crate::module::module;
use crate::ring::{Cause, Leg, LegId, Outcome, Role};
use crate::switch::Channel;
use crate::switch::session::cause_name;
use serde::Serialize;
use std::time::Duration;

/// The cause of a refused plan: core's own for a dial string that it cannot use.
pub const REFUSED: Cause = Cause::DESTINATION_OUT_OF_ORDER;

/// One entry of `cti_legs`; times in milliseconds since `cti_bridge` began.
#[derive(Debug, Default, Serialize)]
pub struct LegReport {
    /// Which `:_:` part; not told, as most plans have one.
    #[serde(skip)]
    pub part: usize,
    pub target: String,
    pub contact: String,
    pub uuid: Option<String>,
    pub stage: usize,
    pub start_ms: Option<u64>,
    pub ringing_ms: Option<u64>,
    pub answered_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub cause: Option<String>,
    pub sip_code: Option<u16>,
    pub role: Option<&'static str>,
}

/// Every leg so far, in the order in which they were resolved.
pub fn legs(call: &Call) -> Vec<LegReport> {
    let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
    let report = |(leg, dialled): (&Leg, &Dialled)| LegReport {
        part: leg.part,
        target: dialled.contact.target.clone(),
        contact: dialled.contact.dial_string.clone(),
        uuid: dialled.uuid.clone(),
        stage: leg.stage + 1,
        start_ms: ms(leg.dialled),
        ringing_ms: ms(leg.ringing),
        answered_ms: ms(leg.answered),
        ended_ms: ms(leg.ended),
        cause: None,
        sip_code: dialled.sip_code,
        role: leg.role.map(|role| match role {
            Role::Winner => "winner",
            Role::Loser => "loser",
            Role::Failed => "failed",
            Role::Cancelled => "cancelled",
        }),
    };
    let (mut reports, causes): (Vec<LegReport>, Vec<Cause>) = {
        let state = call.state.lock();
        let legs = state.ring.legs().iter().zip(&state.legs);
        legs.map(|leg| (report(leg), leg.0.cause)).unzip()
    };
    // The switch spells causes; it is not asked while our lock is held.
    for (report, cause) in reports.iter_mut().zip(causes) {
        report.cause = (cause != Cause::NONE).then(|| cause_name(cause));
    }
    reports
}

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
pub fn refused(caller: &Channel<'_>, error: &str) {
    forget(caller);
    caller.set("cti_error", Some(error));
    caller.set("cti_stages", Some("0"));
    caller.set("cti_stage", Some("0"));
    caller.set("cti_ring_ms", Some("0"));
    caller.set("cti_legs", Some("[]"));
    outcome(caller, Outcome::Invalid, REFUSED);
    if let Some(module) = module() {
        module.metrics.call_refused();
    }
}

/// The winner answered while it rang, and so has the caller: how long was that?
pub fn caller_answered(call: &Call, leg: LegId) {
    let now = call.began.elapsed();
    let answered = call.state.lock().ring.legs()[leg].answered;
    if let (Some(module), Some(at)) = (module(), answered) {
        module.metrics.caller_answered(now.saturating_sub(at));
    }
}

/// How a call ended. Made once, by what happened, and never read back from the caller's
/// variables: those belong to everybody, and global ones show through.
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
    let winner = verdict.legs.get(leg);
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

/// The two have parted: now every leg's end is known.
pub fn parted(call: &Call, caller: &Channel<'_>, verdict: &mut Verdict) {
    verdict.legs = legs(call);
    caller.set("cti_legs", json(&verdict.legs).as_deref());
}

fn json(reports: &[LegReport]) -> Option<String> {
    // Serializing plain strings and numbers cannot fail.
    serde_json::to_string(reports).ok()
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
    let stage = call.state.lock().ring.stage();
    Verdict {
        how,
        cause,
        ring_ms: call.began.elapsed().as_millis() as u64,
        stage,
        winner: None,
        error: None,
        legs: legs(call),
    }
}

impl Verdict {
    fn tell(&self, caller: &Channel<'_>) {
        caller.set("cti_stage", Some(&self.stage.to_string()));
        caller.set("cti_ring_ms", Some(&self.ring_ms.to_string()));
        caller.set("cti_legs", json(&self.legs).as_deref());
        outcome(caller, self.how, self.cause);
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

/// The call is over and its variables stand: the last event, the metrics, the last line in
/// the log.
pub fn ended(call: &Call, caller: &Channel<'_>, verdict: Verdict) {
    let (result, cause) = (verdict.how.name(), cause_name(verdict.cause));
    let legs = json(&verdict.legs).unwrap_or_default();
    let ring_ms = verdict.ring_ms;
    if let Some(module) = module() {
        let ring = Duration::from_millis(ring_ms);
        module.metrics.call_ended(result, ring, &verdict.legs);
        let ended = Ended {
            uuid: call.uuid.clone(),
            caller: caller.variable("caller_id_number").unwrap_or_default(),
            plan: call.plan.to_string(),
            result: result.to_owned(),
            cause: cause.clone(),
            ring_ms,
            legs: verdict.legs,
        };
        module.history.keep(ended, module.config().history);
    }
    call.announce(events::ended(
        result,
        &cause,
        verdict.error.as_deref(),
        legs,
    ));
    let who = verdict
        .winner
        .map_or(String::new(), |winner| format!(" by {winner}"));
    let (stage, stages) = (verdict.stage, stages(call));
    tracing::info!(
        uuid = call.uuid.as_str(),
        "cti_bridge: {result}{who} after {ring_ms} ms, stage {stage} of {stages}, {cause}"
    );
}
