//! The scenarios: a plan, the phones, and what must then be seen.
//! Every expectation is written from the promises of `cti_bridge`, not from what `bridge` does.
//! Lower bounds of deadlines are exact (never early); upper bounds leave room for a slow machine.

use super::{
    Behaviour::*, Caller, Caller::*, Expect, Ms, Phone, Ring, Scenario, Sdp, Told::*, hangs_up,
    moved, says,
};

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
/// Users with a `dial-string` of their own in the directory: his devices, and then somebody else's; what FusionPBX
/// writes for everybody; one who takes no calls; one who follows himself; one with a typing error; one who stands
/// for a group; one who is looked up for a second and has two turns.
pub const DIAL_STRINGS: &[(&str, &str)] = &[
    (
        "1007",
        "${sofia_contact(*/${dialed_user}@${dialed_domain})}|user/1003",
    ),
    (
        "1008",
        "{sip_invite_domain=${domain_name},leg_timeout=${call_timeout},presence_id=${dialed_user}@${dialed_domain}}\
         ${sofia_contact(*/${dialed_user}@${dialed_domain})}",
    ),
    ("off1000", "error/user_busy"),
    (
        "me1000",
        "[leg_timeout=5]${sofia_contact(*/1002@${dialed_domain})},[leg_timeout=5]user/me1000@${dialed_domain}",
    ),
    (
        "bad1000",
        "[leg_timeout=5${sofia_contact(*/${dialed_user}@${dialed_domain})}",
    ),
    (
        "all1000",
        "{presence_id=${dialed_user}@${dialed_domain}}${group_call(team1000@${dialed_domain})}",
    ),
    (
        "late1000",
        "[slept=${msleep(1000)}]${sofia_contact(*/1002@${dialed_domain})}|user/1003@${dialed_domain}",
    ),
];

/// Users who want no calls, as the directory says.
pub const DO_NOT_DISTURB: &[&str] = &["quiet1000"];

/// The ring groups of both switches, as cti.conf has them.
pub const RINGS: &str = r#"
<group name="all1000"><member target="user/1002"/><member target="user/1003"/></group>
<group name="one1000" step="one" timeout="1"><member target="user/1002"/><member target="user/1003"/></group>
<group name="two1000" step="2" timeout="1">
  <member target="user/1002"/><member target="user/1003"/><member target="user/1004"/></group>
<group name="more1000" step="progressive" timeout="1">
  <member target="user/1002"/><member target="user/1003"/><member target="user/1004"/></group>
<group name="tiers1000" timeout="1">
  <member target="user/1003" tier="2"/><member target="user/1002"/><member target="user/1004" tier="2"/></group>
<group name="late1000" timeout="2"><member target="user/1002"/><member target="user/1003" delay="1"/></group>
<group name="own1000" timeout="2"><member target="user/1002" timeout="1"/><member target="user/1003"/></group>
<group name="nested1000" step="one" timeout="1"><member target="ring/all1000"/><member target="ring/one1000"/></group>
<group name="quiet1000" step="one"><member target="user/quiet1000"/><member target="user/1003"/></group>
<group name="quieter1000"><member target="user/quiet1000"/></group>
<group name="away1000" step="one" skip="unregistered"><member target="user/1009"/><member target="user/1003"/></group>
<group name="turns1000" order="rotate" step="one" timeout="3" skip="none">
  <member target="user/1002"/><member target="user/1003"/><member target="user/1004"/></group>
<group name="nobody1000" skip="unregistered"><member target="user/1009"/></group>
"#;

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
        hears: &[],
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
/// `ends`, `rings` (phone, what it was told, from => to), `shows` (variables), `headers`, `hears` (the caller's replies),
/// `or` (other right ends).
macro_rules! scenarios {
    ($($(#[$note:meta])* $name:ident $plan:literal {
        $(caller: $caller:expr;)?
        $(given: $($given:literal = $value:literal),+;)?
        phones: $($phone:literal $does:expr),*;
        ends: $ends:expr;
        rings: $($ring:literal $told:expr, $from:expr => $to:expr),*;
        $(shows: $($shown:literal = $shown_value:literal),+;)?
        $(headers: $($at:literal $header:literal = $header_value:literal),+;)?
        $(hears: $($heard:literal),+;)?
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
                hears: &[$($($heard),+)?],
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
        hears: 180, 200;
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
        hears: 180, 480;
    }
    fork_all_busy "user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 300);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), NOW => soon(300);
        shows: "DIALSTATUS" = "BUSY", "originate_disposition" = "USER_BUSY";
        hears: 486;
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
    cause_busy_then_rejected_in_a_fork "user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(603, 300);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(603), NOW => soon(300);
        hears: 486;
    }
    cause_busy_then_unallocated_in_stages "user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(404, 100);
        ends: failed("busy", "USER_BUSY", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(404), soon(100) => soon(200);
        hears: 486;
    }
    cause_unallocated_beside_one_that_rings_out "{cti_stage_timeout=1}user/1002,user/1003" {
        phones: "1002" Rejects(404, 100), "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" ItsOwn(404), NOW => soon(100), "1003" NoAnswer, NOW => exactly(1000);
        hears: 180, 480;
    }
    cause_of_a_lone_phone_keeps_its_status "user/1002" {
        phones: "1002" Rejects(403, 100);
        ends: failed("rejected", "CALL_REJECTED", 1);
        rings: "1002" ItsOwn(403), NOW => soon(100);
        hears: 403;
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
        hears: 180, 487;
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
    group_one_by_one "group/team1000+F|user/1004" {
        phones: "1002" Rejects(486, 200), "1003" Rejects(486, 200), "1004" Answers(200);
        ends: answered("1004", 3);
        rings: "1002" ItsOwn(486), NOW => soon(200), "1003" ItsOwn(486), (200, 650) => (400, 1100),
            "1004" Joined, (400, 1100) => (600, 1550);
        shows: "cti_stages" = "3";
    }
    group_one_by_one_by_time "{cti_stage_timeout=600ms}group/team1000+F" {
        phones: "1002" Rings, "1003" Answers(200);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(600), "1003" Joined, (600, 1050) => (800, 1500);
        shows: "cti_winner" = "group/team1000+F", "cti_stages" = "2";
    }
    group_in_parts "group/team1000+E" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1003" Joined, NOW => soon(400);
    }
    group_all_at_once "group/team1000+FA" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1003" Joined, NOW => soon(400);
    }
    group_one_by_one_again "{originate_retries=2,originate_retry_sleep_ms=500}group/team1000+F" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), (100, 550) => (200, 1000),
            "1002" ItsOwn(486), (700, 1600) => (800, 2000), "1003" ItsOwn(486), (800, 2000) => (900, 2500);
        shows: "cti_stages" = "2";
    }
    directory_then_somebody_else "user/1007|user/1004" {
        phones: "1007" Rejects(486, 200), "1003" Rejects(486, 200), "1004" Answers(200);
        ends: answered("1004", 3);
        rings: "1007" ItsOwn(486), NOW => soon(200), "1003" ItsOwn(486), (200, 650) => (400, 1100),
            "1004" Joined, (400, 1100) => (600, 1550);
        shows: "cti_stages" = "3";
    }
    directory_turns_in_a_fork "user/1007,user/1004" {
        phones: "1007" Rejects(486, 200), "1003" Answers(200), "1004" Rejects(486, 400);
        ends: answered("1003", 2);
        rings: "1007" ItsOwn(486), NOW => soon(200), "1004" ItsOwn(486), NOW => soon(400),
            "1003" Joined, (400, 900) => (600, 1350);
        shows: "cti_winner" = "user/1007";
    }
    directory_turns_join_progressively "{cti_mode=progressive,cti_stage_timeout=500ms}user/1007" {
        phones: "1007" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1007" Elsewhere, NOW => (800, 1500), "1003" Joined, (500, 950) => (800, 1500);
    }
    directory_turn_of_one_unregistered "user/1007" {
        phones: "1003" Answers(200);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(200);
    }
    uuid_of_a_fork "{origination_uuid=c7120000-0000-4000-8000-000000000001}user/1002,user/1003" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1003" Joined, NOW => soon(400);
    }
    uuid_of_stages "{origination_uuid=c7120000-0000-4000-8000-000000000002}user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(200);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Joined, (100, 550) => (300, 1000);
    }
    uuid_of_two_devices "[origination_uuid=c7120000-0000-4000-8000-000000000003]user/1002" {
        phones: "1002" Rings, "1002-mobile" Answers(400);
        ends: answered("1002-mobile", 1);
        rings: "1002" Elsewhere, NOW => soon(400), "1002-mobile" Joined, NOW => soon(400);
    }
    uuid_of_the_first_that_can_be_made "{origination_uuid=c7120000-0000-4000-8000-000000000004}user/9999,user/1003" {
        phones: "1003" Answers(200);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(200);
        shows: "cti_winner_uuid" = "c7120000-0000-4000-8000-000000000004";
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
    slow_look_up_of_two_turns "user/1004,user/late1000|user/1005" {
        phones: "1002" Rejects(486, 200), "1003" Answers(300), "1004" Rejects(486, 100), "1005" Rings;
        ends: answered("1003", 2);
        rings: "1004" ItsOwn(486), NOW => soon(100), "1002" ItsOwn(486), (1000, 1900) => (1200, 2200),
            "1003" Joined, (2200, 3900) => (2500, 4400);
        shows: "cti_winner" = "user/late1000";
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
        hears: 183, 200;
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
    callers_headers_on_every_leg "user/1002,[leg_delay_start=0.4]user/1003:_:user/1004|user/1005" {
        given: "sip_h_X-Own" = "a word", "max_forwards" = "20";
        phones: "1002" Rings, "1003" Rings, "1004" Rejects(486, 100), "1005" Answers(900);
        ends: answered("1005", 2);
        rings: "1002" Elsewhere, NOW => soon(1000), "1003" Elsewhere, exactly(400) => soon(1000),
            "1004" ItsOwn(486), NOW => soon(100), "1005" Joined, soon(100) => soon(1000);
        headers: "1002" "X-Own" = "a word", "1003" "X-Own" = "a word", "1004" "X-Own" = "a word", "1005" "X-Own" = "a word",
            "1002" "Max-Forwards" = "19", "1003" "Max-Forwards" = "19", "1004" "Max-Forwards" = "19",
            "1005" "Max-Forwards" = "19";
    }
    forwards_are_used_up "user/1002,user/1003" {
        given: "max_forwards" = "1";
        phones: "1002" Answers(100), "1003" Answers(100);
        ends: failed("unreachable", "EXCHANGE_ROUTING_ERROR", 1);
        rings: ;
        hears: 483;
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
    // It might be the desk phone that has moved, which is seen after 300 ms.
    late_join_of_a_second_device_in_the_running_stage "{cti_late_join=true,cti_stage_timeout=2.5}user/1003|user/1002|user/1004" {
        phones: "1003" Rings, "1002-desk" Rings, "1002-mobile" RegistersThenAnswers(2900, 300), "1004" Rings;
        ends: answered("1002-mobile", 2);
        rings: "1003" NoAnswer, NOW => exactly(2500), "1002-desk" Elsewhere, exactly(2500) => (3500, 4300),
            "1002-mobile" Joined, (3200, 3900) => (3500, 4300);
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

    // What words mean

    single_reject_listed_as_an_array "{fail_on_single_reject=^^:CALL_REJECTED:USER_BUSY}user/1002,user/1003|user/1004" {
        phones: "1002" Rejects(486, 300), "1003" Rings, "1004" Answers(100);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(486), NOW => soon(300), "1003" NoAnswer, NOW => soon(300);
    }
    single_reject_but_an_array "{fail_on_single_reject=!^^:USER_BUSY:CALL_REJECTED}user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Joined, NOW => soon(400);
    }
    words_are_read_as_written "[sip_h_X-D=\"Wood's Homes, Inc\"<sip:x@h>,sip_h_X-E=1]user/1002,[sip_h_X-E=it's,sip_h_X-D=that's]user/1003" {
        phones: "1002" Answers(300), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300), "1003" Elsewhere, NOW => soon(300);
        headers: "1002" "X-D" = "\"Wood's Homes, Inc\"<sip:x@h>", "1002" "X-E" = "1", "1003" "X-E" = "it's",
            "1003" "X-D" = "that's";
    }
    names_are_read_as_written "{origination_caller_id_name='O'Brien, Pat',origination_caller_id_number='123'}user/1002" {
        phones: "1002" Answers(300);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300);
        headers: "1002" "From-Name" = "O'Brien, Pat", "1002" "From-User" = "123";
    }
    local_beats_global_where_alone "{sip_h_X-A=g}[sip_h_X-A=l]user/1002" {
        phones: "1002" Answers(300);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300);
        headers: "1002" "X-A" = "l";
    }
    global_beats_local_in_company "{sip_h_X-A=g}[sip_h_X-A=l]user/1002|user/1003" {
        phones: "1002" Answers(300);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300);
        headers: "1002" "X-A" = "g";
    }
    variables_stop_at_the_user "{user_recurse_variables=false,sip_h_X-A=g,origination_caller_id_number=42}user/1002" {
        phones: "1002" Answers(300);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300);
        headers: "1002" "X-A" = "", "1002" "From-User" = "42";
    }
    variables_stop_at_the_group "{group_recurse_variables=false,sip_h_X-A=g}group/team1000" {
        phones: "1002" Answers(300);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300);
        headers: "1002" "X-A" = "";
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

    // Phones that ask who calls

    challenge_407_with_credentials "[sip_auth_username=pbx,sip_auth_password=none]user/1002,user/1003" {
        phones: "1002" Challenges(407, 500), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(500), "1003" Elsewhere, NOW => soon(500);
    }
    challenge_401_with_credentials "[sip_auth_username=pbx,sip_auth_password=none]user/1002|user/1003" {
        phones: "1002" Challenges(401, 500), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(500);
    }
    challenge_407_without_credentials "user/1002|user/1003" {
        phones: "1002" Challenges(407, 500), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(407), NOW => NOW, "1003" Joined, NOW => soon(300);
    }
    challenge_401_without_credentials_alone "user/1002" {
        phones: "1002" Challenges(401, 500);
        ends: failed("unreachable", "MANDATORY_IE_MISSING", 1);
        rings: "1002" ItsOwn(401), NOW => NOW;
    }

    // Phones that send the call elsewhere

    redirect_is_fatal_on_demand "{outbound_redirect_fatal=true}user/1002,user/1004|user/1003" {
        phones: "1002" Says(&[says(0, 180), moved(200, &["<sip:1005@DOMAIN>"])]), "1004" Rejects(486, 300), "1003" Answers(300),
            "1005" Answers(100);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1004" ItsOwn(486), NOW => soon(300),
            "1003" Joined, soon(300) => soon(600);
    }
    redirect_to_a_user "user/1002,user/1004" {
        phones: "1002" Says(&[says(0, 180), moved(200, &["<sip:1003@DOMAIN>"])]), "1003" Answers(500), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(700),
            "1004" Elsewhere, NOW => soon(700);
    }
    redirect_by_the_switchs_address "user/1002,user/1004" {
        phones: "1002" Says(&[moved(200, &["<sip:1003@127.0.0.1>"])]), "1003" Answers(500), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(700),
            "1004" Elsewhere, NOW => soon(700);
    }
    redirect_keeps_the_stages_deadline "{cti_stage_timeout=1.5}user/1002|user/1004" {
        phones: "1002" Says(&[moved(400, &["<sip:1003@DOMAIN>"])]), "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(302), NOW => soon(400), "1003" NoAnswer, soon(400) => exactly(1500),
            "1004" Joined, (1500, 1900) => (1800, 2500);
    }
    redirect_to_a_busy_user_then_the_next_stage "user/1002|user/1004" {
        phones: "1002" Says(&[moved(200, &["<sip:1003@DOMAIN>"])]), "1003" Rejects(486, 200), "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" ItsOwn(486), soon(200) => soon(400),
            "1004" Joined, soon(400) => soon(700);
    }
    redirect_beside_an_answer "user/1002,user/1004" {
        phones: "1002" Says(&[says(0, 180), moved(200, &["<sip:1003@DOMAIN>"])]), "1003" Rings, "1004" Answers(600);
        ends: answered("1004", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Elsewhere, soon(200) => soon(600),
            "1004" Joined, NOW => soon(600);
    }
    redirect_to_somebody_who_rings_already "user/1002,user/1003" {
        phones: "1002" Says(&[moved(200, &["<sip:1003@DOMAIN>"])]), "1003" Answers(600);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, NOW => soon(600);
    }
    redirect_of_one_device "user/1002|user/1004" {
        phones: "1002" Says(&[moved(200, &["<sip:1003@DOMAIN>"])]), "1002-mobile" Answers(700), "1003" Rings;
        ends: answered("1002-mobile", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1002-mobile" Joined, NOW => soon(700),
            "1003" Elsewhere, soon(200) => soon(700);
    }
    redirect_through_the_dialplan "user/1002,user/1004" {
        phones: "1002" Says(&[moved(200, &["<sip:answers@carrier.invalid>"])]), "1004" Rings;
        ends: Expect { winner: None, ..answered("", 1) };
        rings: "1002" ItsOwn(302), NOW => soon(200), "1004" Elsewhere, NOW => soon(700);
        shows: "cti_winner" = "user/1002";
    }
    redirect_through_the_dialplan_in_vain "user/1002|user/1004" {
        phones: "1002" Says(&[moved(200, &["<tel:is_busy>"])]), "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1004" Joined, (200, 1600) => (500, 2100);
    }
    redirect_in_bypass_mode "user/1002" {
        given: "bypass_media" = "true";
        phones: "1002" Says(&[moved(200, &["<sip:1003@DOMAIN>"])]), "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(500);
    }
    redirect_in_bypass_mode_not_through_the_dialplan "user/1002|user/1004" {
        given: "bypass_media" = "true";
        phones: "1002" Says(&[moved(200, &["<sip:answers@DOMAIN>"])]), "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1004" Joined, soon(200) => soon(500);
    }
    redirect_to_the_best_first "user/1002,user/1005" {
        phones: "1002" Says(&[moved(100, &["<sip:1003@DOMAIN>;q=0.3", "<sip:1004@DOMAIN>;q=0.9"])]),
            "1003" Answers(300), "1004" Rejects(486, 400), "1005" Rings;
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(100), "1004" ItsOwn(486), soon(100) => soon(500),
            "1003" Joined, soon(500) => soon(800), "1005" Elsewhere, NOW => soon(800);
    }
    redirect_to_equal_ones_together "user/1002,user/1005" {
        phones: "1002" Says(&[moved(100, &["<sip:1003@DOMAIN>;q=0.5", "<sip:1004@DOMAIN>;q=0.5"])]),
            "1003" Rings, "1004" Answers(400), "1005" Rings;
        ends: answered("1004", 1);
        rings: "1002" ItsOwn(302), NOW => soon(100), "1003" Elsewhere, soon(100) => soon(500),
            "1004" Joined, soon(100) => soon(500), "1005" Elsewhere, NOW => soon(500);
    }
    redirect_to_nowhere "user/1002|user/1003" {
        phones: "1002" Says(&[moved(200, &[])]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(500);
    }
    redirect_to_nowhere_alone "user/1002" {
        phones: "1002" Says(&[moved(200, &[])]);
        ends: failed("unreachable", "REQUESTED_CHAN_UNAVAIL", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200);
    }
    redirect_to_an_unknown_user "user/1002|user/1003" {
        phones: "1002" Says(&[moved(200, &["<sip:9999@DOMAIN>"])]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(500);
    }
    redirect_to_oneself "user/1002|user/1003" {
        phones: "1002" Says(&[moved(200, &["<sip:1002@DOMAIN>"])]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(500);
    }
    redirect_to_ones_own_contact "user/1002|user/1003" {
        phones: "1002" Says(&[moved(200, &["<sip:PHONE(1002)>"])]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1003" Joined, soon(200) => soon(500);
    }
    redirect_in_a_circle "user/1002|user/1004" {
        phones: "1002" Says(&[moved(100, &["<sip:1003@DOMAIN>"])]), "1003" Says(&[moved(100, &["<sip:1002@DOMAIN>"])]),
            "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" ItsOwn(302), NOW => soon(100), "1003" ItsOwn(302), soon(100) => soon(200),
            "1004" Joined, soon(200) => soon(500);
    }
    redirect_after_early_media_alone "user/1002" {
        phones: "1002" Says(&[says(0, 183), moved(400, &["<sip:1003@DOMAIN>"])]), "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(400), "1003" Joined, soon(400) => soon(700);
    }
    redirect_after_early_media_then_a_stage "user/1002|user/1004" {
        phones: "1002" Says(&[says(0, 183), moved(400, &["<sip:1003@DOMAIN>"])]), "1003" Answers(300), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(302), NOW => soon(400), "1003" Joined, soon(400) => soon(700);
    }
    redirect_after_early_media_twice "user/1002" {
        phones: "1002" Says(&[says(0, 180), moved(400, &["<sip:1003@DOMAIN>"])]),
            "1003" Says(&[says(0, 183), moved(400, &["<sip:1004@DOMAIN>"])]), "1004" Answers(300);
        ends: answered("1004", 1);
        rings: "1002" ItsOwn(302), NOW => soon(400), "1003" ItsOwn(302), soon(400) => soon(800),
            "1004" Joined, soon(800) => soon(1100);
    }
    redirect_after_early_media_in_vain "user/1002" {
        phones: "1002" Says(&[says(0, 183), moved(400, &["<sip:1003@DOMAIN>"])]), "1003" Rejects(486, 200);
        ends: failed("busy", "USER_BUSY", 1);
        rings: "1002" ItsOwn(302), NOW => soon(400), "1003" ItsOwn(486), soon(400) => soon(600);
    }
    redirect_ignored "{cti_redirect=ignore}user/1002,user/1004" {
        phones: "1002" Says(&[moved(200, &["<sip:1003@DOMAIN>"])]), "1003" Answers(100), "1004" Answers(800);
        ends: answered("1004", 1);
        rings: "1002" ItsOwn(302), NOW => soon(200), "1004" Joined, NOW => soon(800);
    }

    // Replies that few phones give

    reply_183_without_sdp_then_answer "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 183).with(Sdp::None), says(600, 200)]), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600), "1003" Elsewhere, NOW => soon(600);
        hears: 180, 200;
    }
    reply_183_without_sdp_then_nothing "{cti_stage_timeout=1}user/1002|user/1003" {
        phones: "1002" Says(&[says(0, 183).with(Sdp::None)]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1300, 2000);
    }
    reply_180_with_sdp_wins_nothing "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180).with(Sdp::Good)]), "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(700), "1003" Joined, NOW => soon(700);
        hears: 180, 200;
    }
    reply_180_with_sdp_keeps_its_deadline "{cti_stage_timeout=1}user/1002|user/1003" {
        phones: "1002" Says(&[says(0, 180).with(Sdp::Good)]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1300, 2000);
    }
    reply_180_after_183_wins_nothing "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 183), says(200, 180)]), "1003" Answers(700);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(700), "1003" Joined, NOW => soon(700);
        hears: 180, 200;
    }
    reply_180_after_183_of_a_lone_phone "user/1002" {
        phones: "1002" Says(&[says(0, 183), says(200, 180), says(600, 200)]);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600);
    }
    reply_in_two_early_dialogs "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180).in_dialog(1), says(200, 183).in_dialog(2), says(600, 200).in_dialog(2)]),
            "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600), "1003" Elsewhere, NOW => soon(600);
    }
    reply_in_three_early_dialogs_then_busy "user/1002|user/1003" {
        phones: "1002" Says(&[says(0, 183).in_dialog(1), says(100, 180).in_dialog(2), says(200, 183).in_dialog(3),
                says(500, 486).in_dialog(2)]),
            "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(500), "1003" Joined, soon(500) => soon(800);
    }
    reply_reliably_ringing "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180).reliably(), says(600, 200)]), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600), "1003" Elsewhere, NOW => soon(600);
    }
    reply_reliably_announcing "user/1002" {
        phones: "1002" Says(&[says(0, 183).reliably(), says(600, 200).with(Sdp::None)]);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(600);
    }
    reply_200_with_unusable_media_beside "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180), says(300, 200).with(Sdp::Unusable)]), "1003" Answers(800);
        ends: answered("1003", 1);
        rings: "1002" Incompatible, NOW => soon(300), "1003" Joined, NOW => soon(800);
    }
    reply_200_with_unusable_media_then_the_next_stage "user/1002|user/1003" {
        phones: "1002" Says(&[says(0, 180), says(300, 200).with(Sdp::Unusable)]), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" Incompatible, NOW => soon(300), "1003" Joined, soon(300) => soon(600);
    }
    reply_200_with_unusable_media_alone "user/1002" {
        phones: "1002" Says(&[says(0, 180), says(300, 200).with(Sdp::Unusable)]);
        ends: failed("unreachable", "INCOMPATIBLE_DESTINATION", 1);
        rings: "1002" Incompatible, NOW => soon(300);
        hears: 180, 488;
    }
    reply_200_without_sdp_beside "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180), says(300, 200).with(Sdp::None)]), "1003" Answers(800);
        ends: answered("1003", 1);
        rings: "1002" Incompatible, NOW => soon(300), "1003" Joined, NOW => soon(800);
    }
    reply_200_without_sdp_alone "user/1002" {
        phones: "1002" Says(&[says(0, 180), says(300, 200).with(Sdp::None)]);
        ends: failed("unreachable", "NORMAL_TEMPORARY_FAILURE", 1);
        rings: "1002" Incompatible, NOW => soon(300);
        hears: 180, 500;
    }
    reply_200_and_then_a_bye "user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180), says(400, 200), hangs_up(430)]), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(400), "1003" Elsewhere, NOW => soon(400);
        shows: "went_on" = "true";
    }
    // Core may see the end of the call before the answer has come to anything: then the other rings on, and
    // the status of that answer is not the caller's.
    reply_200_and_a_bye_at_once "{cti_stage_timeout=1.5}user/1002,user/1003" {
        phones: "1002" Says(&[says(0, 180), says(400, 200), hangs_up(400)]), "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" Joined, NOW => soon(400), "1003" NoAnswer, NOW => exactly(1500);
        hears: 180, 480;
        or: Expect {
            rings: rings!["1002" Joined, NOW => soon(400), "1003" Elsewhere, NOW => soon(400)],
            hears: &[180, 200],
            ..answered("1002", 1)
        }, Expect {
            winner: None,
            rings: rings!["1002" Joined, NOW => soon(400), "1003" Elsewhere, NOW => soon(400)],
            hears: &[180, 200],
            ..answered("1002", 1)
        };
    }

    // Other ways to the phones

    transport_tcp_answers "user/1002,user/1003" {
        phones: "1002-tcp" Answers(500), "1003" Rings;
        ends: answered("1002-tcp", 1);
        rings: "1002-tcp" Joined, NOW => soon(500), "1003" Elsewhere, NOW => soon(500);
    }
    transport_tcp_loses "user/1002,user/1003" {
        phones: "1002-tcp" Rings, "1003-tcp" Answers(500);
        ends: answered("1003-tcp", 1);
        rings: "1002-tcp" Elsewhere, NOW => soon(500), "1003-tcp" Joined, NOW => soon(500);
    }
    transport_v6_answers "user/1002,user/1003" {
        phones: "1002-v6" Answers(500), "1003" Rings;
        ends: answered("1002-v6", 1);
        rings: "1002-v6" Joined, NOW => soon(500), "1003" Elsewhere, NOW => soon(500);
    }
    transport_of_three_kinds_in_stages "{cti_stage_timeout=800ms}user/1002|user/1003|user/1004" {
        phones: "1002-v6" Rejects(486, 100), "1003-tcp" Rings, "1004" Answers(300);
        ends: answered("1004", 3);
        rings: "1002-v6" ItsOwn(486), NOW => soon(100), "1003-tcp" NoAnswer, soon(100) => (900, 1700),
            "1004" Joined, (900, 1700) => (1200, 2200);
    }
    transport_of_one_users_devices "user/1002" {
        phones: "1002-v6" Rings, "1002-tcp" Rings, "1002" Answers(500);
        ends: answered("1002", 1);
        rings: "1002-v6" Elsewhere, NOW => soon(500), "1002-tcp" Elsewhere, NOW => soon(500), "1002" Joined, NOW => soon(500);
    }

    // Callers who do not only wait

    // mod_sofia sends no 180 to a caller without an offer.
    caller_offers_late_and_is_answered "user/1002,user/1003" {
        caller: OffersLate;
        phones: "1002" Rings, "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Joined, NOW => soon(500);
    }
    caller_offers_late_and_all_are_busy "user/1002|user/1003" {
        caller: OffersLate;
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), soon(100) => soon(200);
        hears: 486;
    }
    caller_updates_while_it_rings "{cti_stage_timeout=1}user/1002|user/1003" {
        caller: Updates(400);
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1400, 2100);
        hears: 180, 200;
    }
    caller_updates_in_early_media "user/1002" {
        caller: Updates(400);
        phones: "1002" AnnouncesThenAnswers(800);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(800);
        hears: 183, 200;
    }
    caller_reinvites_while_it_rings "{cti_stage_timeout=1}user/1002,user/1004|user/1003" {
        caller: IsAnsweredThenReinvites(400);
        phones: "1002" Rings, "1004" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1004" NoAnswer, NOW => exactly(1000),
            "1003" Joined, (1000, 1400) => (1400, 2100);
    }

    // A device that moves while it rings is the same device

    device_moves_while_it_rings "user/1002,user/1003" {
        phones: "1002" MovesThenAnswers(300, 800), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(800), "1003" Elsewhere, NOW => soon(800);
    }
    device_moves_while_others_may_join "{cti_late_join=true}user/1002,user/1003" {
        phones: "1002" MovesThenAnswers(300, 1800), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(1800), "1003" Elsewhere, NOW => soon(1800);
    }

    // What FusionPBX writes: ring groups, follow-me, forwarding, and a failure handler after them.
    // `DOMAIN` stands for the users' domain.

    pbx_simultaneous "{ignore_early_media=true,instant_ringback=true}[domain_name=DOMAIN,sip_invite_domain=DOMAIN,call_direction=local,leg_timeout=2,leg_delay_start=0,dialed_extension=1002]user/1002@DOMAIN,[domain_name=DOMAIN,sip_invite_domain=DOMAIN,call_direction=local,leg_timeout=5,leg_delay_start=1,dialed_extension=1003]user/1003@DOMAIN,[leg_timeout=5,leg_delay_start=0]user/1004@DOMAIN" {
        given: "ringback" = "%(2000,4000,440,480)", "hangup_after_bridge" = "true", "continue_on_fail" = "true";
        phones: "1002" Rings, "1003" Answers(1800), "1004" Rejects(486, 200);
        ends: answered("1003", 1);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" Joined, exactly(1000) => soon(2800),
            "1004" ItsOwn(486), NOW => soon(200);
        hears: 183, 200;
    }
    pbx_simultaneous_nobody_answers "{ignore_early_media=true}[leg_timeout=1,leg_delay_start=0]user/1002@DOMAIN,[leg_timeout=1,leg_delay_start=0.6]user/1003@DOMAIN" {
        given: "continue_on_fail" = "true", "hangup_after_bridge" = "true";
        phones: "1002" Rings, "1003" Announces;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, exactly(600) => exactly(1600);
        shows: "went_on" = "true", "originate_disposition" = "NO_ANSWER", "DIALSTATUS" = "NOANSWER";
    }
    pbx_simultaneous_with_a_carrier "{ignore_early_media=true}[leg_timeout=5]user/1002@DOMAIN,[leg_timeout=5,call_direction=outbound]sofia/gateway/auto-domain/1003" {
        phones: "1002" Rejects(486, 100), "1003" AnnouncesThenAnswers(700);
        ends: answered("1003", 1);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" Joined, NOW => soon(700);
        hears: 180, 200;
    }
    pbx_sequence "{ignore_early_media=true}[toll_allow='domestic,local',leg_timeout=1,leg_delay_start=0,sip_h_X-After=yes]user/1002@DOMAIN|[leg_timeout=1,leg_delay_start=0]user/1009@DOMAIN|[toll_allow='domestic,local',leg_timeout=2,leg_delay_start=0,sip_h_X-After=yes]user/1003@DOMAIN" {
        given: "effective_caller_id_number" = "5550199", "effective_caller_id_name" = "sales Front Desk";
        phones: "1002" Announces, "1003" Answers(400);
        ends: answered("1003", 3);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1400, 2100);
        headers: "1002" "X-After" = "yes", "1003" "X-After" = "yes", "1003" "From-User" = "5550199",
            "1003" "From-Name" = "sales Front Desk";
    }
    // With nobody left ringing, nobody needs to wait for his turn's delay.
    pbx_sequence_of_delays "[leg_timeout=1,leg_delay_start=0]user/1002@DOMAIN|[leg_timeout=2,leg_delay_start=1]user/1003@DOMAIN" {
        phones: "1002" Rings, "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1400, 2100);
    }
    pbx_rollover "[leg_timeout=20]user/1002@DOMAIN|[leg_timeout=20]user/off1000@DOMAIN|[leg_timeout=20]user/1003@DOMAIN" {
        phones: "1002" Rejects(486, 100), "1003" RingsThenRejects(486, 300);
        ends: failed("busy", "USER_BUSY", 3);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), soon(100) => soon(400);
    }
    // At random: the targets stand in another order each time, and each keeps what is its own.
    pbx_random "{ignore_early_media=true}[leg_timeout=3,leg_delay_start=1.2]user/1004@DOMAIN,[leg_timeout=1,leg_delay_start=0]user/1002@DOMAIN,[leg_timeout=3,leg_delay_start=0.6]user/1003@DOMAIN" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Elsewhere, exactly(600) => soon(1500),
            "1004" Joined, exactly(1200) => soon(1500);
    }
    pbx_enterprise "[call_direction=local,originate_timeout=1,originate_delay_start=0]user/1002@DOMAIN:_:[call_direction=local,originate_timeout=5,originate_delay_start=500]user/1003@DOMAIN" {
        phones: "1002" Rings, "1003" Answers(900);
        ends: answered("1003", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, exactly(500) => soon(1400);
    }
    pbx_confirmed_by_an_application "{ignore_early_media=true}[group_confirm_key=exec,group_confirm_file=sleep 400,leg_timeout=5]sofia/gateway/auto-domain/1002,[leg_timeout=5]user/1003@DOMAIN" {
        phones: "1002" Answers(300), "1003" Rings;
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(300), "1003" Elsewhere, NOW => exactly(700);
    }
    pbx_not_confirmed_by_a_mailbox "{ignore_early_media=true}[group_confirm_key=1,group_confirm_file=silence_stream://5000,leg_timeout=5]sofia/gateway/auto-domain/1002,[leg_timeout=5]user/1003@DOMAIN" {
        phones: "1002" Answers(200), "1003" Answers(1100);
        ends: answered("1003", 1);
        rings: "1002" TooLate, NOW => soon(200), "1003" Joined, NOW => soon(1100);
    }
    pbx_follow_me "{ignore_early_media=true,instant_ringback=true}[leg_timeout=1,leg_delay_start=0,domain_name=DOMAIN]user/1002@DOMAIN,[leg_timeout=3,leg_delay_start=0.6,origination_caller_id_number=5550199,group_confirm_key=exec,group_confirm_file=sleep 200]sofia/gateway/auto-domain/1003,[leg_timeout=9,leg_delay_start=4]loopback/answers/default" {
        phones: "1002" Rings, "1003" Answers(900);
        ends: answered("1003", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, exactly(600) => soon(1500);
        headers: "1003" "From-User" = "5550199";
    }
    pbx_follow_me_names_himself "user/me1000@DOMAIN" {
        phones: "1002" Answers(500);
        ends: answered("1002", 1);
        rings: "1002" Joined, NOW => soon(500);
    }
    pbx_directory_with_a_typing_error "user/bad1000@DOMAIN,user/1003@DOMAIN" {
        phones: "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(500);
    }
    pbx_forwarded_to_a_number "{ignore_early_media=true}[leg_timeout=3,leg_delay_start=0]user/1002@DOMAIN,[toll_allow='local',leg_timeout=3,leg_delay_start=0]loopback/answers/default" {
        phones: "1002" Rings;
        ends: Expect { winner: None, ..answered("", 1) };
        rings: "1002" Elsewhere, NOW => soon(500);
    }
    pbx_forwarded_to_a_busy_number "[leg_timeout=3]loopback/is_busy/default|[leg_timeout=3]user/1003@DOMAIN" {
        phones: "1003" Answers(400);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => (400, 1200);
    }
    pbx_forwarded_to_a_gateway_that_is_unknown "[leg_timeout=3]sofia/gateway/5a1c0000-0000-4000-8000-000000000001/5550199,[leg_timeout=3]user/1003@DOMAIN" {
        phones: "1003" Answers(400);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(400);
    }
    pbx_user_of_the_directory "{cti_stage_timeout=4}user/1008@DOMAIN|user/1003@DOMAIN" {
        given: "call_timeout" = "1";
        phones: "1008" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1008" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1400) => (1300, 2000);
    }
    pbx_user_of_the_directory_without_a_time "user/1008@DOMAIN,user/1003@DOMAIN" {
        phones: "1008" Answers(600), "1003" Rings;
        ends: answered("1008", 1);
        rings: "1008" Joined, NOW => soon(600), "1003" Elsewhere, NOW => soon(600);
    }
    pbx_group_of_the_directory "user/all1000@DOMAIN|user/1004@DOMAIN" {
        phones: "1002" Rings, "1003" Answers(500), "1004" Rings;
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Joined, NOW => soon(500);
    }
    pbx_do_not_disturb "user/off1000@DOMAIN,user/1003@DOMAIN" {
        phones: "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(500);
    }
    pbx_failure_handler_of_one_who_is_busy "[leg_timeout=5]user/off1000@DOMAIN" {
        given: "continue_on_fail" = "true", "hangup_after_bridge" = "true";
        phones: ;
        ends: failed("busy", "USER_BUSY", 1);
        rings: ;
        shows: "went_on" = "true", "originate_disposition" = "USER_BUSY", "DIALSTATUS" = "BUSY";
    }
    pbx_failure_handler_of_one_who_is_not_registered "[leg_timeout=5]user/1009@DOMAIN" {
        given: "continue_on_fail" = "true", "hangup_after_bridge" = "true";
        phones: ;
        ends: failed("unreachable", "USER_NOT_REGISTERED", 1);
        rings: ;
        shows: "went_on" = "true", "originate_disposition" = "USER_NOT_REGISTERED";
    }
    pbx_failure_handler_of_one_who_is_unknown "[leg_timeout=5]user/9999@DOMAIN" {
        given: "continue_on_fail" = "true", "hangup_after_bridge" = "true";
        phones: ;
        ends: failed("unreachable", "SUBSCRIBER_ABSENT", 1);
        rings: ;
        shows: "went_on" = "true", "originate_disposition" = "SUBSCRIBER_ABSENT";
    }

    // Named groups: `ring/name`

    ring_all "ring/all1000" {
        phones: "1002" Rings, "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Joined, NOW => soon(500);
        shows: "cti_winner" = "user/1003", "cti_stages" = "1";
        hears: 180, 200;
    }
    ring_one_after_another "ring/one1000" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1450) => (1300, 2100);
        shows: "cti_stages" = "2";
        hears: 180, 200;
    }
    ring_one_is_busy "ring/one1000" {
        phones: "1002" Rejects(486, 200), "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" ItsOwn(486), NOW => soon(200), "1003" Joined, soon(200) => (500, 1300);
    }
    ring_one_and_nobody_answers "ring/one1000" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, (1000, 1450) => (2000, 2700);
    }
    ring_two_at_a_time "ring/two1000" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, NOW => exactly(1000),
            "1004" Joined, (1000, 1450) => (1300, 2100);
        shows: "cti_stages" = "2";
    }
    ring_one_more_at_a_time "ring/more1000" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(300);
        ends: answered("1004", 1);
        rings: "1002" Elsewhere, NOW => (2300, 3100), "1003" Elsewhere, exactly(1000) => (2300, 3100),
            "1004" Joined, exactly(2000) => (2300, 3100);
    }
    ring_one_more_until_the_end "ring/more1000" {
        phones: "1002" Rings, "1003" Rings, "1004" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(3000), "1003" NoAnswer, exactly(1000) => (3000, 3500),
            "1004" NoAnswer, exactly(2000) => (3000, 3500);
    }
    ring_tiers "ring/tiers1000" {
        phones: "1002" Rings, "1003" Answers(300), "1004" Rings;
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" Joined, (1000, 1450) => (1300, 2100),
            "1004" Elsewhere, (1000, 1450) => (1300, 2100);
    }
    ring_one_who_starts_later "ring/late1000" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" NoAnswer, exactly(1000) => exactly(2000);
    }
    ring_one_with_a_time_of_his_own "ring/own1000" {
        phones: "1002" Rings, "1003" Rings;
        ends: failed("no_answer", "NO_ANSWER", 1);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" NoAnswer, NOW => exactly(2000);
    }
    ring_groups_within_a_group "{cti_stage_timeout=2}ring/nested1000" {
        phones: "1002" Rings, "1003" RingsThenRejects(486, 300);
        ends: failed("no_answer", "NO_ANSWER", 3);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" ItsOwn(486), NOW => soon(300),
            "1002" NoAnswer, (2000, 2450) => (3000, 3700), "1003" ItsOwn(486), (3000, 3700) => (3300, 4200);
    }
    ring_group_after_group "ring/one1000|ring/all1000|user/1004" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 100), "1004" Answers(300);
        ends: answered("1004", 4);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), soon(100) => soon(200),
            "1002" ItsOwn(486), soon(200) => soon(300), "1003" ItsOwn(486), soon(200) => soon(300),
            "1004" Joined, soon(300) => (600, 1900);
        shows: "cti_stages" = "4";
    }
    ring_beside_others "ring/all1000,user/1004" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(500);
        ends: answered("1004", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Elsewhere, NOW => soon(500), "1004" Joined, NOW => soon(500);
    }
    ring_one_who_stands_beside_his_group "user/1002,ring/all1000" {
        phones: "1002" Rings, "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Joined, NOW => soon(500);
    }
    ring_with_variables "{sip_h_X-Part=all}[sip_h_X-Own=members]ring/all1000" {
        phones: "1002" Rings, "1003" Answers(500);
        ends: answered("1003", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Joined, NOW => soon(500);
        headers: "1002" "X-Part" = "all", "1002" "X-Own" = "members", "1003" "X-Part" = "all", "1003" "X-Own" = "members";
    }
    ring_with_a_time_of_the_plan "[leg_timeout=2]ring/one1000" {
        phones: "1002" Rings, "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1002" NoAnswer, NOW => exactly(2000), "1003" Joined, (2000, 2450) => (2300, 3100);
    }
    ring_in_two_parts "{leg_timeout=3}ring/all1000:_:user/1004" {
        phones: "1002" Rings, "1003" Rings, "1004" Answers(500);
        ends: answered("1004", 1);
        rings: "1002" Elsewhere, NOW => soon(500), "1003" Elsewhere, NOW => soon(500), "1004" Joined, NOW => soon(500);
    }
    ring_again "{originate_retries=2}ring/one1000" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 100);
        ends: failed("busy", "USER_BUSY", 2);
        rings: "1002" ItsOwn(486), NOW => soon(100), "1003" ItsOwn(486), soon(100) => soon(200),
            "1002" ItsOwn(486), (1200, 1900) => (1300, 2200), "1003" ItsOwn(486), (1300, 2200) => (1400, 2500);
    }
    ring_caller_leaves "ring/one1000" {
        caller: HangsUpAfter(1500);
        phones: "1002" Rings, "1003" Rings;
        ends: failed("cancelled", "ORIGINATOR_CANCEL", 2);
        rings: "1002" NoAnswer, NOW => exactly(1000), "1003" CallerGone, (1000, 1450) => (1500, 2000);
    }
    ring_without_one_who_wants_no_calls "ring/quiet1000" {
        phones: "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(300);
        shows: "cti_stages" = "1";
    }
    ring_only_one_who_wants_no_calls "ring/quieter1000" {
        phones: ;
        ends: failed("busy", "USER_BUSY", 1);
        rings: ;
    }
    ring_without_one_who_is_not_registered "ring/away1000" {
        phones: "1003" Answers(300);
        ends: answered("1003", 1);
        rings: "1003" Joined, NOW => soon(300);
        shows: "cti_stages" = "1";
    }
    ring_nobody_then_somebody "ring/nobody1000|user/1003" {
        phones: "1003" Answers(300);
        ends: answered("1003", 2);
        rings: "1003" Joined, NOW => soon(300);
    }
    ring_nobody "ring/nobody1000" {
        phones: ;
        ends: failed("unreachable", "USER_NOT_REGISTERED", 1);
        rings: ;
    }
    ring_a_group_that_is_unknown "user/1003|ring/nowhere" {
        phones: "1003" Answers(300);
        ends: failed("invalid", "DESTINATION_OUT_OF_ORDER", 0);
        rings: ;
        shows: "cti_error" = "there is no group \"nowhere\" at column 11";
    }
    ring_a_group_of_stages_beside_another "user/1003,ring/one1000" {
        phones: "1003" Answers(300);
        ends: failed("invalid", "DESTINATION_OUT_OF_ORDER", 0);
        rings: ;
    }
}
