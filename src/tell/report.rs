//! What is known of a leg, and the report of it that everybody reads.
//! `cti_legs`, the events' body, `cti show` and the metrics are all made from this one report.
//! The ring machine knows when and why; the channel's name and address are noted here.

use crate::ring::{Cause, Leg, LegId, PartId, Ring, Role, StageId};
use crate::switch::session::cause_name;
use serde::Serialize;
use std::time::Duration;

/// How much of a leg has been announced.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    pub ringing: bool,
    pub answered: bool,
    pub ended: bool,
}

/// What the ring machine does not know of a leg.
#[derive(Debug, Default)]
pub struct Known {
    /// As written.
    pub target: String,
    /// … without its variables.
    pub plain_target: String,
    /// The dial string.
    pub contact: String,
    pub uuid: Option<String>,
    pub sip_code: Option<u16>,
    pub told: Told,
}

/// One entry of `cti_legs`; times in milliseconds since `cti_bridge` began.
#[derive(Debug, Default, Serialize)]
pub struct LegReport {
    /// Which `:_:` part; not told, as most plans have one.
    #[serde(skip)]
    pub part: PartId,
    #[serde(skip)]
    pub leg: LegId,
    pub target: String,
    pub contact: String,
    pub uuid: Option<String>,
    pub stage: StageId,
    pub start_ms: Option<u64>,
    pub ringing_ms: Option<u64>,
    pub answered_ms: Option<u64>,
    pub ended_ms: Option<u64>,
    pub cause: Option<String>,
    pub sip_code: Option<u16>,
    pub role: Option<&'static str>,
}

/// Every leg so far, in the plan's order. Their causes are beside them,
/// since the switch spells causes and is not asked while a lock is held.
pub fn legs(ring: &Ring, known: &[Known]) -> Vec<(LegReport, Cause)> {
    let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
    let report = |id: LegId, leg: &Leg, known: &Known| LegReport {
        part: leg.part,
        leg: id,
        target: known.target.clone(),
        contact: known.contact.clone(),
        uuid: known.uuid.clone(),
        stage: leg.stage,
        start_ms: ms(leg.dialled),
        ringing_ms: ms(leg.ringing),
        answered_ms: ms(leg.answered),
        ended_ms: ms(leg.ended),
        cause: None,
        sip_code: known.sip_code,
        role: leg.role.map(|role| match role {
            Role::Winner => "winner",
            Role::Loser => "loser",
            Role::Failed => "failed",
            Role::Cancelled => "cancelled",
        }),
    };
    let told = |id: LegId| {
        let leg = &ring.legs()[id.0];
        Some((report(id, leg, known.get(id.0)?), leg.cause))
    };
    ring.in_order().into_iter().filter_map(told).collect()
}

/// The reports with their causes spelled.
pub fn spelled(legs: Vec<(LegReport, Cause)>) -> Vec<LegReport> {
    let spell = |(mut report, cause): (LegReport, Cause)| {
        report.cause = (cause != Cause::NONE).then(|| cause_name(cause));
        report
    };
    legs.into_iter().map(spell).collect()
}
