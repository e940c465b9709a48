//! How a call ended, told in one word and one cause.
//! The ranking is promise 8 of the design: the most telling failure of all legs wins,
//! not the first in list order as in core's `bridge`.

use super::Cause;

/// `cti_result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Answered,
    NoAnswer,
    Busy,
    Rejected,
    Unreachable,
    Cancelled,
    /// The plan was refused and nobody rang.
    Invalid,
    /// A fault of the switch or of ours.
    Failed,
}

impl Outcome {
    pub const ALL: [Outcome; 8] = [
        Outcome::Answered,
        Outcome::NoAnswer,
        Outcome::Busy,
        Outcome::Rejected,
        Outcome::Unreachable,
        Outcome::Cancelled,
        Outcome::Invalid,
        Outcome::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::NoAnswer => "no_answer",
            Outcome::Busy => "busy",
            Outcome::Rejected => "rejected",
            Outcome::Unreachable => "unreachable",
            Outcome::Cancelled => "cancelled",
            Outcome::Invalid => "invalid",
            Outcome::Failed => "failed",
        }
    }

    /// `DIALSTATUS`, with true values: core overwrites its own.
    pub fn dial_status(self) -> &'static str {
        match self {
            Outcome::Answered => "ANSWER",
            Outcome::NoAnswer => "NOANSWER",
            Outcome::Busy => "BUSY",
            Outcome::Rejected => "DONTCALL",
            Outcome::Cancelled => "CANCEL",
            Outcome::Invalid => "INVALIDARGS",
            Outcome::Unreachable | Outcome::Failed => "CHANUNAVAIL",
        }
    }

    /// What a single cause means when no leg says more.
    pub fn of(cause: Cause) -> Outcome {
        if cause.is_no_answer() {
            Outcome::NoAnswer
        } else if cause.is_busy() {
            Outcome::Busy
        } else if cause.is_rejection() {
            Outcome::Rejected
        } else {
            Outcome::Unreachable
        }
    }
}

/// One failed leg, as the ranking sees it.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    pub cause: Cause,
    /// It rang (180 or 183) until its time was over.
    pub rang_out: bool,
}

/// Somebody rang, else busy, else rejected, else the first reason of all.
pub fn rank(failures: impl Iterator<Item = Failure>) -> Option<(Outcome, Cause)> {
    let mut best: Option<(u8, Outcome, Cause)> = None;
    // An end without a cause says nothing.
    let said = failures.filter(|it| it.rang_out || it.cause != Cause::NONE);
    for Failure { cause, rang_out } in said {
        let candidate = if rang_out {
            (0, Outcome::NoAnswer, Cause::NO_ANSWER)
        } else if cause.is_busy() {
            (1, Outcome::Busy, Cause::USER_BUSY)
        } else if cause.is_rejection() {
            (2, Outcome::Rejected, Cause::CALL_REJECTED)
        } else {
            (3, Outcome::of(cause), cause)
        };
        if best.is_none_or(|(rank, ..)| candidate.0 < rank) {
            best = Some(candidate);
        }
    }
    best.map(|(_, outcome, cause)| (outcome, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_failure_wins() {
        let failed = |cause| Failure {
            cause,
            rang_out: false,
        };
        let rang = Failure {
            cause: Cause::NO_ANSWER,
            rang_out: true,
        };
        let absent = failed(Cause::SUBSCRIBER_ABSENT);
        let (busy, rejected) = (failed(Cause::USER_BUSY), failed(Cause::CALL_REJECTED));
        let dead = failed(Cause::NO_ANSWER);
        type Row<'a> = (&'a [Failure], Option<(Outcome, Cause)>);
        let table: &[Row<'_>] = &[
            (&[], None),
            (
                &[busy, rang, rejected],
                Some((Outcome::NoAnswer, Cause::NO_ANSWER)),
            ),
            (
                &[absent, rejected, busy],
                Some((Outcome::Busy, Cause::USER_BUSY)),
            ),
            (
                &[absent, rejected],
                Some((Outcome::Rejected, Cause::CALL_REJECTED)),
            ),
            (
                &[absent, dead],
                Some((Outcome::Unreachable, Cause::SUBSCRIBER_ABSENT)),
            ),
            (&[dead, absent], Some((Outcome::NoAnswer, Cause::NO_ANSWER))),
            (&[dead, busy], Some((Outcome::Busy, Cause::USER_BUSY))),
        ];
        for (legs, expected) in table {
            assert_eq!(rank(legs.iter().copied()), *expected, "{legs:?}");
        }
    }
}
