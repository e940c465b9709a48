//! What is known of a leg, and the report of it that everybody reads.
//! `cti_legs`, the events' body, `cti show` and the metrics are all made from this one report.
//! The ring machine knows when and why; the channel's name and address are noted here.

use crate::ring::{Cause, Leg, LegId, PartId, Ring, Role, StageId};
use crate::switch::session::cause_name;
use crate::switch::text::json;
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
    /// The number that rings in another leg's place.
    pub moved_to: Option<String>,
    pub told: Told,
    /// What came of the offer is told to the member's group.
    pub offer_told: bool,
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
    /// Why a member of a group was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The leg whose phone has moved, and in whose place this one rings: its uuid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirected_from: Option<String>,
    /// The number that rings there, for the ladder: its contact says the same.
    #[serde(skip)]
    pub moved_to: Option<String>,
}

/// Every leg so far, in the plan's order. Their causes are beside them,
/// since the switch spells causes and is not asked while a lock is held.
pub fn legs(ring: &Ring, known: &[Known]) -> Vec<(LegReport, Cause)> {
    let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
    let all = known;
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
            Role::Redirected => "redirected",
        }),
        reason: None,
        redirected_from: leg.replaces.and_then(|from| all.get(from.0)?.uuid.clone()),
        moved_to: known.moved_to.clone(),
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

/// How many bytes `cti_legs` has at most: it rides in every event of the caller's channel.
pub const BYTES: usize = 32 * 1024;

/// `cti_legs`: these legs in their order, and how many are left out because the text would be longer
/// than [`BYTES`]. The winner is in it, if it fits at all, and of the others the first.
pub fn bounded(legs: &[LegReport]) -> (String, usize) {
    let winner = |leg: &LegReport| leg.role == Some("winner");
    let mut left = BYTES - "[]".len();
    let mut told: Vec<Option<String>> = vec![None; legs.len()];
    let won = legs.iter().position(winner);
    let others = (0..legs.len()).filter(|at| Some(*at) != won);
    for at in won.into_iter().chain(others) {
        let leg = json(&legs[at]);
        // With its comma.
        let Some(rest) = left.checked_sub(leg.len() + 1) else {
            break;
        };
        left = rest;
        told[at] = Some(leg);
    }
    let told: Vec<String> = told.into_iter().flatten().collect();
    let left_out = legs.len() - told.len();
    (format!("[{}]", told.join(",")), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(target: String, role: &'static str) -> LegReport {
        LegReport {
            target,
            role: Some(role),
            ..LegReport::default()
        }
    }

    #[test]
    fn all_legs_are_told_of_as_long_as_they_fit() {
        for count in [0, 1, 2, 100] {
            let legs: Vec<_> = (0..count)
                .map(|nth| leg(format!("user/{nth}"), "failed"))
                .collect();
            assert_eq!(bounded(&legs), (json(&legs), 0));
        }
    }

    #[test]
    fn of_very_many_the_winner_is_told_of_and_the_first() {
        let mut legs: Vec<_> = (0..1000)
            .map(|nth| leg(format!("user/{nth}"), "loser"))
            .collect();
        legs[900].role = Some("winner");
        let (text, left_out) = bounded(&legs);
        assert!(
            text.len() <= BYTES && text.len() > BYTES - 300,
            "{}",
            text.len()
        );
        let told: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        assert_eq!(told.len() + left_out, 1000);
        assert_eq!(told[0]["target"], "user/0");
        assert_eq!(told[told.len() - 1]["role"], "winner");
    }

    #[test]
    fn a_target_that_is_too_long_by_itself_is_left_out() {
        let legs = [
            leg("x".repeat(BYTES), "winner"),
            leg("user/1".into(), "loser"),
        ];
        let (text, left_out) = bounded(&legs);
        assert_eq!((text.as_str(), left_out), ("[]", 2));
    }
}
