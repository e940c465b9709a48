//! The scenarios: a plan, the phones, and what must then be seen.
//! Every expectation is written from the promises of `cti_bridge`, not from what `bridge` does.
//! Lower bounds of deadlines are exact (never early); upper bounds leave room for a slow machine.

use super::{Behaviour::*, Caller, Caller::*, Expect, Ms, Phone, Ring, Scenario, Told::*};

// Users 1000 to 1009 are in the directory of both switches; 9999 is not. 1009 never has a phone.

/// The groups that both switches know: name and users, in order.
pub const GROUPS: &[(&str, &[&str])] = &[("team1000", &["1002", "1003"])];

/// Extensions for `loopback/…`: how long until they answer, or with which cause they hang up.
pub const LOOPBACKS: &[(&str, Result<Ms, &str>)] =
    &[("answers", Ok(500)), ("is_busy", Err("USER_BUSY"))];

/// Users with a `dial-var-…` param in the directory: user, variable, value.
pub const DIAL_VARIABLES: &[(&str, &str, &str)] = &[("1005", "sip_h_X-Desk", "window")];

/// To look this user up takes so long.
pub const SLOW: (&str, Ms) = ("1000", 1000);

/// At once, on a slow machine.
const NOW: (Ms, Ms) = (0, 400);
const LONG: (Ms, Ms) = (0, 60_000);

/// A deadline: never early.
const fn exactly(at: Ms) -> (Ms, Ms) {
    (at, at + 250)
}

/// What follows something that a phone did at this time.
const fn soon(at: Ms) -> (Ms, Ms) {
    (at, at + 450)
}

const fn answered(winner: &'static str, stage: u32) -> Expect {
    Expect {
        winner: Some(winner),
        ..failed("answered", "SUCCESS", stage)
    }
}

/// Not answered, as `cti_result`, `cti_cause` and `cti_stage`.
const fn failed(result: &'static str, cause: &'static str, stage: u32) -> Expect {
    Expect {
        result,
        cause,
        winner: None,
        stage,
        rings: &[],
        variables: &[],
        headers: &[],
        or: &[],
    }
}

/// The user of `1002-mobile` is 1002.
const fn user(phone: &'static str) -> &'static str {
    phone.split_at(4).0
}

macro_rules! rings {
    ($($phone:literal $told:expr, $from:expr => $to:expr),*) => {
        &[$(Ring { phone: $phone, from: $from, to: $to, told: $told }),*]
    };
}

/// `name "plan" { … }`, in this order: `caller` (else it waits), `given` (variables of the caller), `phones`,
/// `ends`, `rings` (phone, what it was told, from => to), `shows` (variables), `headers`, `or` (other right ends).
macro_rules! scenarios {
    ($($(#[$note:meta])* $name:ident $plan:literal {
        $(caller: $caller:expr;)?
        $(given: $($given:literal = $value:literal),+;)?
        phones: $($phone:literal $does:expr),*;
        ends: $ends:expr;
        rings: $($ring:literal $told:expr, $from:expr => $to:expr),*;
        $(shows: $($shown:literal = $shown_value:literal),+;)?
        $(headers: $($at:literal $header:literal = $header_value:literal),+;)?
        $(or: $($or:expr),+;)?
    })*) => {
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            plan: $plan,
            caller: {
                #[allow(unused_mut, unused_assignments)]
                let mut caller: Caller = Waits;
                $(caller = $caller;)?
                caller
            },
            variables: &[$($(($given, $value)),+)?],
            phones: &[$(Phone { name: $phone, user: user($phone), does: $does }),*],
            expect: Expect {
                rings: rings![$($ring $told, $from => $to),*],
                variables: &[$($(($shown, $shown_value)),+)?],
                headers: &[$($(($at, $header, $header_value)),+)?],
                or: &[$($($or),+)?],
                ..$ends
            },
        }),*];
    };
}

scenarios! {
    // Together: `a,b`

    fork_second_answers "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Answers(800);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(800), "1003" Joined, NOW => soon(800);
        shows: "cti_winner" = "user/1003", "cti_stages" = "1", "DIALSTATUS" = "ANSWER",
            "originate_disposition" = "SUCCESS";
    }
    fork_first_answers "user/1002,user/1003" {
        phones: "1002" Answers(600), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600), "1003" Elsewhere, NOW => soon(600);
        shows: "cti_winner" = "user/1002";
    }
    fork_both_answer_at_once "user/1002,user/1003" {
        phones: "1002" Answers(600), "1003" Answers(600);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600), "1003" TooLate, NOW => soon(600);
        or: Expect {
            rings: rings!["1002" TooLate, NOW => soon(600), "1003" Joined, NOW => soon(600)],
            ..answered("1003", 1)
        },
        // A slow machine tells one of them before it has answered.
        Expect {
            rings: rings!["1002" Joined, NOW => soon(600), "1003" Elsewhere, NOW => soon(600)],
            ..answered("1002", 1)
        },
        Expect {
            rings: rings!["1002" Elsewhere, NOW => soon(600), "1003" Joined, NOW => soon(600)],
            ..answered("1003", 1)
        };
    }
    fork_nobody_answers "{cti_stage_timeout=2}user/1002,user/1003" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" NoAnswer, NOW => exactly(2000);
        shows: "DIALSTATUS" = "NOANSWER", "originate_disposition" = "NO_ANSWER",
            "originate_failed_cause" = "NO_ANSWER", "cti_winner" = "";
    }
    fork_all_busy "user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 300);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), NOW => soon(300);
        shows: "DIALSTATUS" = "BUSY", "originate_disposition" = "USER_BUSY";
    }
    fork_all_reject "user/1002,user/1003" {
        phones: "1002" Rejects(603, 100), "1003" RingsThenRejects(603, 500);
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(603), NOW => soon(100), "1003" ItsOwn(603), NOW => soon(500);
        shows: "DIALSTATUS" = "DONTCALL";
    }
    fork_one_rejects_other_answers "user/1002,user/1003" {
        phones: "1002" Rejects(603, 200), "1003" Answers(900);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(603), NOW => soon(200), "1003" Joined, NOW => soon(900);
    }
    fork_one_rejects_after_ringing_other_answers "user/1002,user/1003" {
        phones: "1002" Answers(1000), "1003" RingsThenRejects(603, 400);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(1000), "1003" ItsOwn(603), NOW => soon(400);
    }
    fork_one_busy_other_rings_out "{cti_stage_timeout=1.5}user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" NoAnswer, NOW => exactly(1500);
    }
    fork_busy_tells_more_than_rejected "user/1002,user/1003" {
        phones: "1002" Rejects(603, 100), "1003" Rejects(486, 200);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(603), NOW => soon(100), "1003" ItsOwn(486), NOW => soon(200);
    }
    fork_busy_everywhere_ends_one_leg_only "user/1002,user/1003" {
        phones: "1002" Rejects(600, 100), "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(600), NOW => soon(100), "1003" Joined, NOW => soon(700);
    }
    fork_announcement_does_not_win "user/1002,user/1003" {
        phones: "1002" Announces, "1003" Answers(1000);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(1000), "1003" Joined, NOW => soon(1000);
    }
    fork_announcement_then_answer_wins "user/1002,user/1003" {
        phones: "1002" AnnouncesThenAnswers(900), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(900), "1003" Elsewhere, NOW => soon(900);
    }
    fork_announcements_only_ring_out "{cti_stage_timeout=1.5}user/1002,user/1003" {
        phones: "1002" Announces, "1003" Announces;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" NoAnswer, NOW => exactly(1500);
    }
    fork_dead_beside_live "user/1002,user/1003" {
        phones: "1002" Dead, "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1002" Nothing, NOW => LONG, "1003" Joined, NOW => soon(700);
    }
    fork_unregistered_beside_live "user/1009,user/1003" {
        phones: "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(700);
    }
    fork_unknown_beside_live "user/1003,user/9999" {
        phones: "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(700);
    }
    fork_unknown_endpoint_beside_live "foo/1002,user/1003" {
        phones: "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(700);
    }
    fork_of_five "user/1002,user/1003,user/1004,user/1005,user/1006" {
        phones: "1002" Rings, "1003" Rejects(486, 300), "1004" Announces, "1005" Answers(1000), "1006" Rings;
        ends: answered("1005", 1);
        rings: "1002" Elsewhere, NOW => soon(1000), "1003" ItsOwn(486), NOW => soon(300),
            "1004" Elsewhere, NOW => soon(1000), "1005" Joined, NOW => soon(1000), "1006" Elsewhere, NOW => soon(1000);
    }

    // One after another: `a|b`

    sequence_first_answers "user/1002|user/1003" {
        phones: "1002" Answers(500), "1003" Answers(100);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(500);
        shows: "cti_stages" = "2";
    }
    sequence_busy "user/1002|user/1003" {
        phones: "1002" Rejects(486, 200), "1003" Answers(500);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(200), "1003" Joined, soon(200) => (700, 1500);
    }
    sequence_480 "user/1002|user/1003" {
        phones: "1002" Rejects(480, 200), "1003" Answers(500);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(480), NOW => soon(200), "1003" Joined, soon(200) => (700, 1500);
    }
    sequence_603 "user/1002|user/1003" {
        phones: "1002" RingsThenRejects(603, 600), "1003" Answers(500);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(603), NOW => soon(600), "1003" Joined, soon(600) => (1100, 1900);
    }
    sequence_404_from_a_gateway "user/1002|user/1003" {
        phones: "1002" Rejects(404, 100), "1003" Answers(500);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(404), NOW => soon(100), "1003" Joined, soon(100) => (600, 1400);
    }
    sequence_503 "user/1002|user/1003" {
        phones: "1002" Rejects(503, 100), "1003" Answers(500);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(503), NOW => soon(100), "1003" Joined, soon(100) => (600, 1400);
    }
    sequence_no_answer "{cti_stage_timeout=2}user/1002|user/1003" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" Joined, (2000, 2400) => (2400, 3100);
    }
    sequence_unregistered "user/1009|user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(400);
    }
    sequence_unknown_user "user/9999|user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(400);
    }
    sequence_unknown_endpoint "foo/1002|user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(400);
    }
    sequence_dead "{cti_stage_timeout=2}user/1002|user/1003" {
        phones: "1002" Dead, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" Nothing, NOW => LONG, "1003" Joined, (2000, 2400) => (2400, 3100);
    }
    sequence_announcement_without_answer "{cti_stage_timeout=2}user/1002|user/1003" {
        phones: "1002" Announces, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" Joined, (2000, 2400) => (2400, 3100);
    }
    sequence_announcement_then_failure "user/1002|user/1003" {
        phones: "1002" AnnouncesThenRejects(404, 800), "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(404), NOW => soon(800), "1003" Joined, soon(800) => (1200, 2100);
    }
    sequence_announcement_then_answer "user/1002|user/1003" {
        phones: "1002" AnnouncesThenAnswers(800), "1003" Answers(400);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(800);
    }
    sequence_announcement_not_ignored_then_failure "{ignore_early_media=false}user/1002|user/1003" {
        phones: "1002" AnnouncesThenRejects(503, 500), "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(503), NOW => soon(500), "1003" Joined, soon(500) => (900, 1800);
    }
    sequence_fork_then_one "{cti_stage_timeout=1.5}user/1002,user/1003|user/1004" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(400);
        ends: answered("1004", 2);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" NoAnswer, NOW => exactly(1500),
            "1004" Joined, (1500, 1900) => (1900, 2600);
    }
    sequence_one_then_fork "user/1002|user/1003,user/1004" {
        phones: "1002" Rejects(486, 300), "1003" Rings, "1004" Answers(600);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(486), NOW => soon(300), "1003" Elsewhere, soon(300) => (900, 1700),
            "1004" Joined, soon(300) => (900, 1700);
    }
    sequence_three_stages "{cti_stage_timeout=1}user/1002|user/1003|user/1004" {
        phones: "1002" Rings, "1003" Rejects(486, 100), "1004" Answers(400);
        ends: answered("1004", 3);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" ItsOwn(486), (1000, 1400) => (1100, 1600),
            "1004" Joined, (1100, 1900) => (1500, 2600);
        shows: "cti_stages" = "3", "cti_winner" = "user/1004";
    }
    sequence_three_stages_nobody "{cti_stage_timeout=1}user/1002|user/1003|user/1004" {
        phones: "1002" Rings, "1003" Rings, "1004" Rings;
        ends: failed("no_answer", "NO_ANSWER", 3);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, (1000, 1400) => (2000, 2400),
            "1004" NoAnswer, (2000, 2700) => (3000, 3600);
    }

    // The most telling cause

    cause_busy_then_rejected_then_unregistered "user/1002|user/1003|user/1009" {
        phones: "1002" Rejects(603, 100), "1003" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 3);
        rings: "1002" ItsOwn(603), NOW => soon(100), "1003" ItsOwn(486), soon(100) => (200, 1100);
    }
    cause_rang_out_then_busy "{cti_stage_timeout=1}user/1002|user/1003" {
        phones: "1002" Rings, "1003" Rejects(486, 100);
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" ItsOwn(486), (1000, 1400) => (1100, 1800);
    }
    cause_unregistered "user/1009" {
        phones: ;
        ends: failed("unreachable", "USER_NOT_REGISTERED", 1);
        rings: ;
        shows: "DIALSTATUS" = "CHANUNAVAIL", "originate_disposition" = "USER_NOT_REGISTERED";
    }
    cause_unknown_user "user/9999" {
        phones: ;
        ends: failed("unreachable", "SUBSCRIBER_ABSENT", 1);
        rings: ;
    }
    cause_unknown_then_unregistered "user/9999|user/1009" {
        phones: ;
        ends: failed("unreachable", "SUBSCRIBER_ABSENT", 2);
        rings: ;
    }
    cause_dead_until_the_deadline "{cti_stage_timeout=1.5}user/1002" {
        phones: "1002" Dead;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" Nothing, NOW => LONG;
    }
    cause_unallocated_number "user/1002" {
        phones: "1002" Rejects(404, 100);
        ends: failed("unreachable", "UNALLOCATED_NUMBER", 1);
        rings: "1002" ItsOwn(404), NOW => soon(100);
    }
    cause_last_stage_unregistered_after_busy "user/1002|user/1009" {
        phones: "1002" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100);
    }

    // … is what core keeps of the call, too, whoever failed last

    cause_is_cores_too "user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(603, 300);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(603), NOW => soon(300);
        shows: "hangup_cause" = "USER_BUSY", "last_bridge_hangup_cause" = "USER_BUSY",
            "last_bridge_proto_specific_hangup_cause" = "sip:486";
    }
    cause_is_cores_too_after_stages "{cti_stage_timeout=1}user/1002|user/1003" {
        phones: "1002" Rings, "1003" AnnouncesThenRejects(404, 300);
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" ItsOwn(404), (1000, 1400) => (1300, 2000);
        shows: "went_on" = "true", "last_bridge_hangup_cause" = "NO_ANSWER",
            "originate_disposition" = "NO_ANSWER", "last_bridge_proto_specific_hangup_cause" = "";
    }
    cause_is_cores_too_where_the_dialplan_goes_on "user/1002|user/1003" {
        given: "continue_on_fail" = "true";
        phones: "1002" Rejects(486, 100), "1003" Rejects(404, 100);
        ends: failed("busy", "USER_BUSY", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(404), soon(100) => (200, 1100);
        shows: "went_on" = "true", "last_bridge_hangup_cause" = "USER_BUSY",
            "last_bridge_proto_specific_hangup_cause" = "";
    }
    cause_of_the_winners_end "user/1002,user/1003" {
        phones: "1002" Answers(300), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300), "1003" Elsewhere, NOW => soon(300);
        shows: "last_bridge_hangup_cause" = "NORMAL_CLEARING";
    }

    // The caller gives up

    caller_cancels_in_stage_1 "user/1002,user/1003" {
        caller: HangsUpAfter(1000);
        phones: "1002" Rings, "1003" Announces;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(1000), "1003" CallerGone, NOW => soon(1000);
        shows: "DIALSTATUS" = "CANCEL";
    }
    caller_cancels_in_stage_1_of_2 "user/1002|user/1003" {
        caller: HangsUpAfter(1000);
        phones: "1002" Rings, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(1000);
    }
    caller_cancels_in_stage_2 "user/1002|user/1003,user/1004" {
        caller: HangsUpAfter(1500);
        phones: "1002" Rejects(486, 300), "1003" Rings, "1004" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 2);
        rings: "1002" ItsOwn(486), NOW => soon(300), "1003" CallerGone, soon(300) => soon(1500),
            "1004" CallerGone, soon(300) => soon(1500);
    }
    caller_cancels_between_stages "user/1002|user/1003" {
        caller: HangsUpAfter(500);
        phones: "1002" RingsThenRejects(486, 500), "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(500);
        or: Expect {
            rings: rings!["1002" ItsOwn(486), NOW => soon(500)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 1)
        }, Expect {
            rings: rings!["1002" ItsOwn(486), NOW => soon(500)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 2)
        }, Expect {
            rings: rings!["1002" ItsOwn(486), NOW => soon(500), "1003" CallerGone, soon(500) => soon(500)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 2)
        };
    }
    caller_cancels_as_a_phone_answers "user/1002,user/1003" {
        caller: HangsUpAfter(800);
        phones: "1002" Rings, "1003" Answers(800);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(800), "1003" Joined, NOW => soon(800);
        or: Expect {
            rings: rings!["1002" CallerGone, NOW => soon(800), "1003" CallerGone, NOW => soon(800)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 1)
        }, Expect {
            rings: rings!["1002" CallerGone, NOW => soon(800), "1003" Joined, NOW => soon(800)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 1)
        }, Expect {
            // Core had chosen the answer when it saw the caller gone.
            rings: rings!["1002" Elsewhere, NOW => soon(800), "1003" TooLate, NOW => soon(800)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 1)
        }, Expect {
            // Answered, but the caller was gone before the two could be joined.
            winner: None,
            rings: rings!["1002" Elsewhere, NOW => soon(800), "1003" Joined, NOW => soon(800)],
            ..answered("1003", 1)
        };
    }
    caller_cancels_as_the_stage_ends "{cti_stage_timeout=1}user/1002|user/1003" {
        caller: HangsUpAfter(1000);
        phones: "1002" Rings, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(1000);
        or: Expect {
            rings: rings!["1002" NoAnswer, NOW => soon(1000)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 1)
        }, Expect {
            rings: rings!["1002" NoAnswer, NOW => soon(1000)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 2)
        }, Expect {
            rings: rings!["1002" NoAnswer, NOW => soon(1000), "1003" CallerGone, soon(1000) => soon(1000)],
            ..failed("cancelled", "ORIGINATOR_CANCEL", 2)
        };
    }
    caller_cancels_while_the_phone_is_dead "user/1002|user/1003" {
        caller: HangsUpAfter(800);
        phones: "1002" Dead, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" Nothing, NOW => LONG;
    }
    caller_cancels_at_once "user/1002,user/1003" {
        caller: HangsUpAfter(60);
        phones: "1002" Rings, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(60), "1003" CallerGone, NOW => soon(60);
    }

    // Every device rings

    devices_two_in_a_fork "user/1002,user/1003" {
        phones: "1002" Rings, "1002-mobile" Answers(800), "1003" Rings;
        ends: answered("1002-mobile", 1);
        rings: "1002" Elsewhere, NOW => soon(800), "1002-mobile" Joined, NOW => soon(800),
            "1003" Elsewhere, NOW => soon(800);
        shows: "cti_winner" = "user/1002";
    }
    devices_two_in_a_sequence "{cti_stage_timeout=1.5}user/1002|user/1003" {
        phones: "1002" Rings, "1002-mobile" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1002-mobile" NoAnswer, NOW => exactly(1500),
            "1003" Joined, (1500, 1900) => (1900, 2600);
    }
    devices_two_in_the_last_stage "user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rings, "1003-mobile" Answers(600);
        ends: answered("1003-mobile", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Elsewhere, soon(100) => (700, 1500),
            "1003-mobile" Joined, soon(100) => (700, 1500);
    }
    devices_two_of_one_user_alone "user/1002" {
        phones: "1002" Rings, "1002-mobile" Answers(600);
        ends: answered("1002-mobile", 1);
        rings: "1002" Elsewhere, NOW => soon(600), "1002-mobile" Joined, NOW => soon(600);
    }
    devices_one_rejects_other_rings_on "user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1002-mobile" Answers(900), "1003" Rings;
        ends: answered("1002-mobile", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1002-mobile" Joined, NOW => soon(900);
    }
    devices_stale_beside_live "user/1002,user/1003" {
        phones: "1002-old" Stale, "1002" Answers(700), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(700), "1003" Elsewhere, NOW => soon(700);
    }
    devices_stale_beside_live_in_a_sequence "user/1002|user/1003" {
        phones: "1002-old" Stale, "1002" Answers(700), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(700);
    }
    devices_only_stale "user/1002|user/1003" {
        phones: "1002-old" Stale, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => (400, 1200);
    }
    devices_same_contact_twice "user/1003,user/1003" {
        phones: "1003" Answers(600);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(600);
    }
    devices_same_contact_in_group_and_alone "group/team1000,user/1003" {
        phones: "1002" Rings, "1003" Answers(600);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(600), "1003" Joined, NOW => soon(600);
    }
    devices_same_contact_in_two_stages "{cti_stage_timeout=1}user/1003|user/1003" {
        phones: "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1003" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, (1000, 1400) => (2000, 2600);
    }
    group_in_a_fork "group/team1000,user/1004" {
        phones: "1002" Rings, "1003" Answers(700), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(700), "1003" Joined, NOW => soon(700), "1004" Elsewhere, NOW => soon(700);
    }
    group_in_a_sequence "user/1004|group/team1000" {
        phones: "1002" Rings, "1003" Answers(700), "1004" Rejects(486, 100);
        ends: answered("1003", 2);
        rings: "1004" ItsOwn(486), NOW => soon(100), "1002" Elsewhere, soon(100) => (800, 1600),
            "1003" Joined, soon(100) => (800, 1600);
        shows: "cti_winner" = "group/team1000";
    }
    group_with_one_unregistered_member "group/team1000|user/1004" {
        phones: "1003" Answers(600), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(600);
    }
    group_unknown "group/nobody|user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(400);
    }
    // Slow look-ups: user 1000

    slow_look_up_holds_up_nobody "user/1000,user/1002" {
        phones: "1000" Answers(300), "1002" Rings;
        ends: answered("1000", 1);
        rings: "1002" Elsewhere, NOW => soon(1300), "1000" Joined, soon(1000) => (1300, 1900);
        shows: "cti_winner" = "user/1000";
    }
    slow_look_ups_take_as_long_as_one "{cti_stage_timeout=1500ms}user/1000,[sip_h_X-N=2]user/1000,[sip_h_X-N=3]user/1000" {
        phones: "1000" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1000" NoAnswer, soon(1000) => (2500, 3200);
    }
    slow_look_up_beside_an_answer "user/1002,user/1000" {
        phones: "1000" Rings, "1002" Answers(400);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(400);
    }
    slow_look_up_of_another_part "user/1002:_:user/1000" {
        phones: "1000" Rings, "1002" Answers(400);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(400);
    }
    slow_look_up_keeps_its_stage_open "user/1002,user/1000|user/1003" {
        phones: "1000" Answers(200), "1002" Rejects(486, 100), "1003" Rings;
        ends: answered("1000", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1000" Joined, soon(1000) => (1200, 1800);
    }
    slow_look_up_comes_too_late "{cti_stage_timeout=600ms}user/1002,user/1000|user/1003" {
        phones: "1000" Rings, "1002" Rings, "1003" Answers(550);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(600), "1003" Joined, exactly(600) => (1150, 1850);
    }
    slow_look_up_has_its_stage_time "{cti_stage_timeout=500ms}user/1000|user/1002" {
        phones: "1000" Rings, "1002" Answers(200);
        ends: answered("1002", 2);
        rings: "1002" Joined, exactly(500) => (700, 1200);
    }
    slow_look_up_ends_with_the_call "{cti_timeout=600ms}user/1002,user/1000" {
        phones: "1000" Rings, "1002" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(600);
    }
    slow_look_up_for_a_caller_who_leaves "user/1002,user/1000" {
        caller: HangsUpAfter(500);
        phones: "1000" Rings, "1002" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(500);
    }
    slow_look_up_beside_one_who_is_required "[leg_required=true]user/9999,user/1000|user/1002" {
        phones: "1000" Rings, "1002" Answers(300);
        ends: answered("1002", 2);
        rings: "1002" Joined, NOW => soon(300);
    }

    user_with_a_directory_variable "user/1002,user/1005" {
        phones: "1002" Rings, "1005" Answers(500);
        ends: answered("1005", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1005" Joined, NOW => soon(500);
        headers: "1005" "X-Desk" = "window";
    }

    // Deadlines

    deadline_of_a_leg "[leg_timeout=1.5]user/1002,user/1003" {
        phones: "1002" Rings, "1003" Answers(2500);
        ends: answered("1003", 1);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" Joined, NOW => soon(2500);
    }
    deadline_of_a_leg_alone "[leg_timeout=1]user/1002|user/1003" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1400, 2100);
    }
    deadlines_of_two_legs "[leg_timeout=1]user/1002,[leg_timeout=1800ms]user/1003|user/1004" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, NOW => exactly(1800),
            "1004" Joined, (1800, 2200) => (2100, 2800);
    }
    deadline_of_an_announcing_leg "[leg_timeout=1]user/1002|user/1003" {
        phones: "1002" Announces, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1400, 2100);
    }
    deadline_of_a_legs_devices "[leg_timeout=1]user/1002,user/1003" {
        phones: "1002" Rings, "1002-mobile" Rings, "1003" Answers(1800);
        ends: answered("1003", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1002-mobile" NoAnswer, NOW => exactly(1000),
            "1003" Joined, NOW => soon(1800);
    }
    deadline_of_a_legs_progress "[leg_progress_timeout=1]user/1002|user/1003" {
        phones: "1002" Dead, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" Nothing, NOW => LONG, "1003" Joined, (1000, 1400) => (1400, 2100);
    }
    deadline_of_progress_is_over_once_it_rings "[leg_progress_timeout=1]user/1002|user/1003" {
        phones: "1002" Answers(1700), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(1700);
    }
    leg_starts_later "user/1002,[leg_delay_start=1]user/1003" {
        phones: "1002" Rings, "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => (1500, 2300), "1003" Joined, exactly(1000) => (1500, 2300);
    }
    leg_starts_a_fraction_later "user/1002,[leg_delay_start=0.7]user/1003" {
        phones: "1002" Rings, "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => (1200, 2000), "1003" Joined, exactly(700) => (1200, 2000);
    }
    leg_never_starts_when_another_answers_first "user/1002,[leg_delay_start=2]user/1003" {
        phones: "1002" Answers(500), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(500);
    }
    // As in core: with nobody left ringing, the later ones need not wait.
    leg_starts_at_once_when_the_others_failed "user/1002,[leg_delay_start=1]user/1003|user/1004" {
        phones: "1002" Rejects(486, 100), "1003" Answers(400), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Joined, soon(100) => (500, 1400);
    }
    deadline_of_a_stage_in_ms "{cti_stage_timeout=1250ms}user/1002|user/1003" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1250), "1003" Joined, (1250, 1650) => (1550, 2300);
    }
    deadline_of_a_stage_by_the_caller "user/1002|user/1003" {
        given: "cti_stage_timeout" = "1.5s";
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" Joined, (1500, 1900) => (1800, 2500);
    }
    deadline_by_originate_timeout "{originate_timeout=1}user/1002|user/1003" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1300, 2000);
    }
    deadline_by_call_timeout "user/1002|user/1003" {
        given: "call_timeout" = "1";
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1300, 2000);
    }
    deadline_by_default_leaves_a_leg_its_own "[leg_timeout=21]user/1002|user/1003" {
        phones: "1002" Answers(20_400), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(20_400);
    }
    deadline_of_a_leg_in_cores_words "<cti_timeout=3700ms>user/1002:_:[originate_delay_start=1200][originate_timeout=2]user/1003" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(3700), "1003" NoAnswer, exactly(1200) => exactly(3200);
    }
    deadline_of_a_leg_whose_part_begins_later "user/1002:_:{originate_delay_start=1500,leg_timeout=1}user/1003|user/1004" {
        phones: "1002" Rejects(486, 100), "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" NoAnswer, exactly(1500) => exactly(2500),
            "1004" Joined, (2500, 2950) => (2800, 3500);
    }
    deadline_0_is_no_limit "{cti_stage_timeout=0,cti_timeout=2500ms}user/1002|user/1003" {
        given: "call_timeout" = "1";
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(2500);
    }
    deadline_of_the_plan_outranks_the_callers "{cti_stage_timeout=1}user/1002|user/1003" {
        given: "cti_stage_timeout" = "3", "call_timeout" = "2";
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1300, 2000);
    }
    deadline_of_the_call_in_stage_1 "{cti_timeout=1.2}user/1002|user/1003" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1200);
    }
    deadline_of_the_call_in_stage_2 "{cti_timeout=2.5,cti_stage_timeout=1.5}user/1002|user/1003,user/1004|user/1005" {
        phones: "1002" Rings, "1003" Rings, "1004" Announces, "1005" Rings;
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" NoAnswer, (1500, 1900) => exactly(2500),
            "1004" NoAnswer, (1500, 1900) => exactly(2500);
    }
    deadline_of_the_call_by_the_caller "user/1002,user/1003" {
        given: "cti_timeout" = "1500ms";
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" NoAnswer, NOW => exactly(1500);
    }
    missed_never_at_a_stages_deadline "{cti_missed=never,cti_stage_timeout=1}user/1002|user/1003" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" Elsewhere, NOW => exactly(1000), "1003" Elsewhere, (1000, 1400) => (2000, 2600);
    }
    missed_never_at_a_legs_deadline "[leg_timeout=1]user/1002,user/1003" {
        given: "cti_missed" = "never";
        phones: "1002" Rings, "1003" Answers(1600);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => exactly(1000), "1003" Joined, NOW => soon(1600);
    }

    // Early media

    early_media_in_the_last_stage_keeps_its_deadline "{cti_stage_timeout=1.5}user/1002" {
        phones: "1002" Announces;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1500);
    }
    early_media_in_the_last_stage_then_answer "user/1002" {
        phones: "1002" AnnouncesThenAnswers(800);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(800);
    }
    early_media_in_the_last_stage_then_busy "user/1002" {
        phones: "1002" AnnouncesThenRejects(486, 600);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(600);
    }
    early_media_ignored_on_demand "{cti_early_media=ignore,cti_stage_timeout=1}user/1002|user/1003" {
        phones: "1002" Announces, "1003" AnnouncesThenAnswers(600);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1600, 2400);
    }
    early_media_relayed_on_demand "{cti_early_media=relay}user/1002" {
        phones: "1002" AnnouncesThenAnswers(600);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600);
    }
    early_media_the_caller_hangs_up "user/1002" {
        caller: HangsUpAfter(1000);
        phones: "1002" Announces;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(1000);
    }
    // The switch does not touch the media: it passes early media on, and only an answer wins.
    bypassed_early_media_then_answer "user/1002" {
        given: "bypass_media" = "true";
        phones: "1002" AnnouncesThenAnswers(1400);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(1400);
    }
    bypassed_early_media_keeps_its_deadline "{cti_stage_timeout=1}user/1002" {
        given: "bypass_media" = "true";
        phones: "1002" Announces;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000);
    }
    bypassed_early_media_then_the_next_stage "{cti_stage_timeout=1}user/1002|user/1003" {
        given: "bypass_media" = "true";
        phones: "1002" Announces, "1003" AnnouncesThenAnswers(600);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1600, 2400);
    }
    bypassed_early_media_as_core_would "{cti_early_media=core}user/1002" {
        given: "bypass_media" = "true";
        phones: "1002" AnnouncesThenAnswers(1000);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(1000);
    }
    bypassed_early_media_not_ignored "{ignore_early_media=false}user/1002" {
        given: "bypass_media" = "true";
        phones: "1002" AnnouncesThenAnswers(1000);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(1000);
    }

    // After the call

    goes_on_after_failure "user/1002" {
        given: "continue_on_fail" = "true";
        phones: "1002" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100);
        shows: "went_on" = "true";
    }
    goes_on_after_this_failure "{cti_stage_timeout=1}user/1002,user/1003" {
        given: "continue_on_fail" = "NO_ANSWER";
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, NOW => exactly(1000);
        shows: "went_on" = "true";
    }
    does_not_go_on_after_another_failure "user/1002" {
        given: "continue_on_fail" = "NO_ANSWER";
        phones: "1002" Rejects(603, 100);
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(603), NOW => soon(100);
        shows: "went_on" = "";
    }
    does_not_go_on_unasked "user/1002" {
        phones: "1002" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100);
        shows: "went_on" = "";
    }

    // Variables on their way

    export_reaches_every_leg "user/1002,user/1003|user/1004" {
        given: "export_vars" = "sip_h_X-Exported", "sip_h_X-Exported" = "over and over";
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 200), "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), NOW => soon(200),
            "1004" Joined, soon(200) => (500, 1300);
        headers: "1002" "X-Exported" = "over and over", "1003" "X-Exported" = "over and over",
            "1004" "X-Exported" = "over and over";
    }
    import_comes_from_the_winner "[probe=first]user/1002,[probe=second]user/1003" {
        given: "import" = "probe";
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1003" Joined, NOW => soon(400);
        shows: "probe" = "second";
    }
    callers_number_on_the_legs "user/1002|user/1003,user/1004" {
        given: "effective_caller_id_number" = "5551234", "effective_caller_id_name" = "Front Desk";
        phones: "1002" Rejects(486, 100), "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Elsewhere, soon(100) => (400, 1200),
            "1004" Joined, soon(100) => (400, 1200);
        headers: "1002" "From-User" = "5551234", "1003" "From-User" = "5551234", "1004" "From-User" = "5551234",
            "1004" "From-Name" = "Front Desk";
    }
    callers_own_number_on_the_legs "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(300), "1003" Joined, NOW => soon(300);
        headers: "1002" "From-User" = "1001", "1003" "From-User" = "1001";
    }
    variables_of_the_plan_and_of_a_target "{sip_h_X-All=everybody}[sip_h_X-One=first]user/1002,[sip_h_X-One=second]user/1003" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(300), "1003" Joined, NOW => soon(300);
        headers: "1002" "X-All" = "everybody", "1003" "X-All" = "everybody", "1002" "X-One" = "first",
            "1003" "X-One" = "second";
    }
    variables_reach_every_stage "{sip_h_X-All=everybody}user/1002|[sip_h_X-One=last]user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Joined, soon(100) => (400, 1200);
        headers: "1002" "X-All" = "everybody", "1003" "X-All" = "everybody", "1003" "X-One" = "last";
    }
    variables_of_every_device "[sip_h_X-One=both]user/1002,user/1003" {
        phones: "1002" Rings, "1002-mobile" Answers(400), "1003" Rings;
        ends: answered("1002-mobile", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1002-mobile" Joined, NOW => soon(400),
            "1003" Elsewhere, NOW => soon(400);
        headers: "1002" "X-One" = "both", "1002-mobile" "X-One" = "both";
    }
    variables_with_separators_in_them "[sip_h_X-A='q,x|y']user/1002,[^^:sip_h_X-A=a,b|c:sip_h_X-B=d]user/1003" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(300), "1003" Joined, NOW => soon(300);
        headers: "1002" "X-A" = "q,x|y", "1003" "X-A" = "a,b|c", "1003" "X-B" = "d";
    }
    variables_with_an_escaped_comma "[sip_h_X-A=a\\,b]user/1002,user/1003" {
        phones: "1002" Answers(300), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300), "1003" Elsewhere, NOW => soon(300);
        headers: "1002" "X-A" = "a,b";
    }
    variables_in_utf8 "[sip_h_X-A=同振 — ñ]user/1002,user/1003" {
        phones: "1002" Answers(300), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300), "1003" Elsewhere, NOW => soon(300);
        headers: "1002" "X-A" = "同振 — ñ";
    }
    variables_of_the_whole_enterprise "<sip_h_X-All=everybody>user/1002:_:[sip_h_X-One=second]user/1003" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1003" Joined, NOW => soon(400);
        headers: "1002" "X-All" = "everybody", "1003" "X-All" = "everybody", "1003" "X-One" = "second";
    }

    // The language

    enterprise_second_answers "user/1002:_:user/1003" {
        phones: "1002" Rings, "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(700), "1003" Joined, NOW => soon(700);
    }
    enterprise_one_branch_goes_through_its_stages "{cti_stage_timeout=1}user/1002|user/1003:_:user/1004" {
        phones: "1002" Rejects(486, 200), "1003" Answers(500), "1004" Rings;
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(200), "1003" Joined, soon(200) => (700, 1500),
            "1004" Elsewhere, NOW => (700, 1500);
    }
    enterprise_caller_cancels "user/1002:_:user/1003" {
        caller: HangsUpAfter(800);
        phones: "1002" Rings, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: "1002" CallerGone, NOW => soon(800), "1003" CallerGone, NOW => soon(800);
    }
    spaces_around_separators " user/1002 , user/1003 | user/1004 " {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 100), "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), NOW => soon(100),
            "1004" Joined, soon(100) => (400, 1200);
    }
    empty_targets_and_stages ",user/1002,,user/1003||user/1004|" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 100), "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), NOW => soon(100),
            "1004" Joined, soon(100) => (400, 1200);
    }
    unknown_user_with_a_strange_name "user/同振|user/1003" {
        phones: "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(300);
    }
    bad_plan_rings_nobody "[leg_timeout=10user/1003" {
        phones: "1003" Answers(100);
        ends: failed("invalid", "DESTINATION_OUT_OF_ORDER", 0);
        rings: ;
        shows: "cti_error" = "unclosed '[' at column 1", "DIALSTATUS" = "INVALIDARGS";
    }
    bad_end_of_a_plan_rings_nobody "user/1002|[leg_timeout=10user/1003" {
        phones: "1002" Answers(100), "1003" Answers(100);
        ends: failed("invalid", "DESTINATION_OUT_OF_ORDER", 0);
        rings: ;
        shows: "cti_error" = "unclosed '[' at column 11";
    }
    empty_plan "" {
        phones: ;
        ends: failed("invalid", "DESTINATION_OUT_OF_ORDER", 0);
        rings: ;
    }

    // Other endpoints

    error_endpoint_in_a_sequence "error/user_busy|user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(400);
    }
    error_endpoint_in_a_fork "error/normal_temporary_failure,user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(400);
    }
    error_endpoint_alone "error/user_busy" {
        phones: ;
        ends: failed("busy", "USER_BUSY", 1);
        rings: ;
    }
    loopback_answers_in_a_fork "user/1002,loopback/answers" {
        phones: "1002" Rings;
        ends: Expect { winner: None, ..answered("", 1) };
        rings: "1002" Elsewhere, NOW => soon(500);
        shows: "cti_winner" = "loopback/answers";
    }
    loopback_busy_in_a_sequence "loopback/is_busy|user/1003" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => (400, 1200);
    }

    // A caller who was answered before

    answered_caller_fork "user/1002,user/1003" {
        caller: IsAnswered;
        phones: "1002" Rings, "1003" Answers(800);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(800), "1003" Joined, NOW => soon(800);
    }
    answered_caller_sequence "{cti_stage_timeout=1}user/1002|user/1003" {
        caller: IsAnswered;
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1400, 2100);
    }
    answered_caller_nobody_answers "{cti_stage_timeout=1}user/1002,user/1003" {
        caller: IsAnswered;
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, NOW => exactly(1000);
    }

    // A caller who waits until somebody is free

    campon_tries_again "user/1002" {
        caller: IsAnswered;
        given: "campon" = "true", "campon_retries" = "2", "campon_sleep" = "1",
            "campon_hold_music" = "silence_stream://-1";
        phones: "1002" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1002" ItsOwn(486), (1100, 1900) => (1200, 2100);
    }
    campon_is_answered "{sip_h_X-A=b}user/1002" {
        caller: IsAnswered;
        given: "campon" = "true", "campon_hold_music" = "silence_stream://-1";
        phones: "1002" Answers(600);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600);
        headers: "1002" "X-A" = "b";
    }
    campon_timeout_ends_an_attempt "user/1002" {
        caller: IsAnswered;
        given: "campon" = "true", "campon_retries" = "1", "campon_timeout" = "1";
        phones: "1002" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000);
    }

    // Stages that join each other

    progressive_earlier_one_answers "{cti_mode=progressive,cti_stage_timeout=800ms}user/1002|user/1003|user/1004" {
        phones: "1002" Answers(2200), "1003" Rings, "1004" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(2200), "1003" Elsewhere, exactly(800) => soon(2200),
            "1004" Elsewhere, exactly(1600) => soon(2200);
        shows: "cti_winner" = "user/1002", "cti_stages" = "3";
    }
    progressive_nobody_answers "{cti_stage_timeout=0.7}user/1002|user/1003" {
        given: "cti_mode" = "progressive";
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" NoAnswer, NOW => exactly(1400), "1003" NoAnswer, exactly(700) => exactly(1400);
    }
    progressive_leg_times_are_applied_once "{cti_mode=progressive,cti_stage_timeout=1}[leg_timeout=1500ms]user/1002|[leg_delay_start=0.5]user/1003,user/1004" {
        phones: "1002" Rings, "1003" Answers(300), "1004" Rings;
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1500), "1003" Joined, exactly(1500) => soon(1800),
            "1004" Elsewhere, exactly(1000) => soon(1800);
    }
    progressive_busy_stage_makes_way "{cti_mode=progressive,cti_stage_timeout=5}user/1002|user/1003" {
        phones: "1002" Rejects(486, 300), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(300), "1003" Joined, (300, 800) => (600, 1200);
    }
    progressive_early_media_wins_nothing "{cti_mode=progressive,cti_stage_timeout=600ms}user/1002|user/1003" {
        phones: "1002" Announces, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" Elsewhere, NOW => soon(1000), "1003" Joined, exactly(600) => soon(1000);
    }
    progressive_rings_a_contact_once "{cti_mode=progressive,cti_stage_timeout=600ms}user/1002|group/team1000" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" Elsewhere, NOW => soon(1000), "1003" Joined, exactly(600) => soon(1000);
    }
    progressive_call_deadline "{cti_mode=progressive,cti_stage_timeout=600ms,cti_timeout=1}user/1002|user/1003|user/1004" {
        phones: "1002" Rings, "1003" Rings, "1004" Rings;
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, exactly(600) => exactly(1000);
    }
    progressive_caller_cancels "{cti_mode=progressive,cti_stage_timeout=500ms}user/1002|user/1003" {
        caller: HangsUpAfter(800);
        phones: "1002" Rings, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 2);
        rings: "1002" CallerGone, NOW => soon(800), "1003" CallerGone, exactly(500) => soon(800);
    }

    // Phones that are not there yet

    late_join_rings_beside_and_answers "{cti_late_join=true}user/1002,user/1003" {
        phones: "1002" RegistersThenAnswers(600, 400), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1003" Elsewhere, NOW => soon(1000), "1002" Joined, soon(600) => soon(1000);
        shows: "cti_winner" = "user/1002";
    }
    late_join_of_a_second_device_in_the_running_stage "{cti_late_join=true,cti_stage_timeout=1}user/1003|user/1002|user/1004" {
        phones: "1003" Rings, "1002-desk" Rings, "1002-mobile" RegistersThenAnswers(1400, 300), "1004" Rings;
        ends: answered("1002-mobile", 2);
        rings: "1003" NoAnswer, NOW => exactly(1000), "1002-desk" Elsewhere, exactly(1000) => soon(1700),
            "1002-mobile" Joined, soon(1400) => soon(1700);
    }
    late_join_beside_early_media_in_the_last_stage "{cti_late_join=true}user/1002,user/1003" {
        phones: "1003" Announces, "1002" RegistersThenAnswers(600, 400);
        ends: answered("1002", 1);
        rings: "1003" Elsewhere, NOW => soon(1000), "1002" Joined, soon(600) => soon(1000);
    }
    late_join_not_after_its_stage "{cti_late_join=true,cti_stage_timeout=500ms}user/1002,user/1003|user/1004" {
        phones: "1003" Rings, "1004" Answers(350), "1002" RegistersThenAnswers(650, 100);
        ends: answered("1004", 2);
        rings: "1003" NoAnswer, NOW => exactly(500), "1004" Joined, exactly(500) => soon(850);
    }
    late_join_only_if_asked "user/1002,user/1003" {
        phones: "1003" Answers(1000), "1002" RegistersThenAnswers(400, 100);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(1000);
    }
    late_join_in_a_progressive_stage_before "{cti_late_join=true,cti_mode=progressive,cti_stage_timeout=700ms}user/1002,user/1003|user/1004" {
        phones: "1003" Rings, "1004" Rings, "1002" RegistersThenAnswers(900, 200);
        ends: answered("1002", 1);
        rings: "1003" Elsewhere, NOW => soon(1100), "1004" Elsewhere, exactly(700) => soon(1100),
            "1002" Joined, soon(900) => soon(1100);
    }
    wait_register_wakes_a_phone "{cti_wait_register=2}user/1002|user/1003" {
        phones: "1002" RegistersThenAnswers(700, 300), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, soon(700) => soon(1000);
    }
    wait_register_not_for_a_group "{cti_wait_register=5}group/team1000|user/1004" {
        phones: "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1004" Joined, NOW => soon(300);
    }
    wait_register_not_past_the_caller "{cti_wait_register=5}user/1002" {
        caller: HangsUpAfter(500);
        phones: "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 1);
        rings: ;
    }

    wait_register_in_vain "{cti_wait_register=800ms}user/1009|user/1003" {
        phones: "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1003" Joined, exactly(800) => soon(1100);
    }

    // What ends core

    leg_required_is_kept_from_core "[leg_required=true]user/1002,user/9999,user/1003" {
        phones: "1002" Rejects(603, 200), "1003" Answers(600);
        // As it is meant: without this leg the others are given up, each with a missed call.
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(603), NOW => soon(200), "1003" NoAnswer, NOW => soon(200);
    }
    single_reject_hangs_up "{hangup_on_single_reject=true}user/1002,user/1003" {
        phones: "1002" Rejects(603, 300), "1003" Rings;
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(603), NOW => soon(300), "1003" NoAnswer, NOW => soon(300);
    }
    single_reject_is_no_missed_call_on_the_users_other_device "user/1002,user/1003" {
        given: "fail_on_single_reject" = "CALL_REJECTED";
        phones: "1002" Rejects(603, 300), "1002-mobile" Rings, "1003" Rings;
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(603), NOW => soon(300), "1002-mobile" Elsewhere, NOW => soon(300),
            "1003" NoAnswer, NOW => soon(300);
    }
    single_reject_fails "user/1002,user/1003|user/1004" {
        given: "fail_on_single_reject" = "true";
        phones: "1002" Rejects(603, 300), "1003" Rings, "1004" Answers(100);
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(603), NOW => soon(300), "1003" NoAnswer, NOW => soon(300);
    }
}
