//! What the caller is told of his call, and what is the same on every leg of it.
//! Every two ways to fail, together and in stages: one cause and one status, wherever somebody looks.
//! Then headers, loops, ringing that only a 183 tells of, and the winner's name.

use super::{Verdict, phone};
use crate::live::phones::Entry;
use crate::live::run::{Beside, Course, Dial, Order, Rig};
use crate::scenarios::Behaviour::{self, *};
use crate::scenarios::{Caller, Phone};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// One way in which a target fails within half a second.
struct Way {
    name: &'static str,
    /// `None`: nobody is registered.
    does: Option<Behaviour>,
    /// What it tells the call: the smaller the first, the more telling.
    rank: u8,
    cause: &'static str,
    /// The status that its phone has said, where that is the reason.
    said: Option<u16>,
    /// What the caller is told for the cause alone.
    alone: u16,
}

const fn way(
    name: &'static str,
    does: Behaviour,
    (rank, cause): (u8, &'static str),
    said: Option<u16>,
    alone: u16,
) -> Way {
    Way {
        name,
        does: Some(does),
        rank,
        cause,
        said,
        alone,
    }
}

const RANG: (u8, &str) = (0, "NO_ANSWER");
const BUSY: (u8, &str) = (1, "USER_BUSY");
const REJECTED: (u8, &str) = (2, "CALL_REJECTED");

const WAYS: &[Way] = &[
    way("busy", Rejects(486, 60), BUSY, Some(486), 486),
    way("busy everywhere", Rejects(600, 30), BUSY, Some(600), 486),
    way(
        "declined",
        RingsThenRejects(603, 90),
        REJECTED,
        Some(603),
        603,
    ),
    way("forbidden", Rejects(403, 60), REJECTED, Some(403), 603),
    way(
        "no such number",
        Rejects(404, 60),
        (3, "UNALLOCATED_NUMBER"),
        Some(404),
        404,
    ),
    way(
        "unavailable",
        Rejects(480, 30),
        (3, "NO_USER_RESPONSE"),
        Some(480),
        408,
    ),
    way("rang, then 480", RingsThenRejects(480, 90), RANG, None, 480),
    way(
        "out of service",
        Rejects(503, 90),
        (3, "NORMAL_TEMPORARY_FAILURE"),
        Some(503),
        503,
    ),
    way("rings out", Rings, RANG, None, 480),
    way("says nothing", Dead, (3, "NO_ANSWER"), None, 480),
    way(
        "an announcement, then 404",
        AnnouncesThenRejects(404, 90),
        (3, "UNALLOCATED_NUMBER"),
        Some(404),
        404,
    ),
    Way {
        name: "unregistered",
        does: None,
        rank: 3,
        cause: "USER_NOT_REGISTERED",
        said: None,
        alone: 480,
    },
];

/// Core lets the dialplan go on after these.
const GOES_ON: [&str; 2] = ["NO_ANSWER", "NO_USER_RESPONSE"];

/// So many calls at once, each with users of its own.
const USERS: [[&str; 2]; 3] = [["1002", "1003"], ["1004", "1005"], ["1006", "1008"]];

pub fn causes(rig: &Rig, slot: usize, between: &str) -> Result<Verdict, String> {
    rig.phones.keep_messages();
    let pairs: Vec<(&Way, &Way)> = WAYS
        .iter()
        .flat_map(|first| WAYS.iter().map(move |second| (first, second)))
        .collect();
    let count = pairs.len();
    let (left, wrong) = (Mutex::new(pairs), Mutex::new(Vec::new()));
    let take = || left.lock().ok()?.pop();
    let work = |users: [&'static str; 2]| {
        while let Some((first, second)) = take() {
            let said = fails(rig, slot, between, users, [first, second]);
            let lines = said.unwrap_or_else(|error| vec![error]);
            if let Ok(mut wrong) = wrong.lock() {
                let (first, second) = (first.name, second.name);
                wrong.extend(
                    lines
                        .into_iter()
                        .map(|line| format!("{first} {between} {second}: {line}")),
                );
            }
        }
    };
    std::thread::scope(|scope| {
        for users in USERS {
            let work = &work;
            scope.spawn(move || work(users));
        }
    });
    Ok(Verdict {
        wrong: wrong.into_inner().map_err(|_| "a call panicked")?,
        note: format!("{count} pairs"),
        ..Verdict::default()
    })
}

fn fails(
    rig: &Rig,
    slot: usize,
    between: &str,
    users: [&'static str; 2],
    ways: [&Way; 2],
) -> Result<Vec<String>, String> {
    let nobody = "1009";
    let target = |at: usize| match ways[at].does {
        Some(_) => format!("[leg_timeout=500ms]user/{}", users[at]),
        None => format!("user/{nobody}"),
    };
    let plan = format!("{}{between}{}", target(0), target(1));
    let phones: Vec<Phone> = (0..2)
        .filter_map(|at| Some(phone(users[at], ways[at].does?)))
        .collect();
    let course = rig.call(
        &Order {
            dial: Dial::Plan(&plan),
            caller: Caller::Waits,
            variables: &[],
            phones: &phones,
        },
        slot,
    )?;
    // The first of the most telling ones.
    let told = match ways[1].rank < ways[0].rank {
        true => ways[1],
        false => ways[0],
    };
    let goes_on = GOES_ON.contains(&told.cause);
    let mut wrong = Vec::new();
    let mut same = |what: &str, expected: Option<&str>| {
        let got = course.variable(what);
        if got != expected {
            wrong.push(format!("{what}: expected {expected:?}, got {got:?}"));
        }
    };
    for name in [
        "cti_cause",
        "originate_disposition",
        "originate_failed_cause",
        "last_bridge_hangup_cause",
    ] {
        same(name, Some(told.cause));
    }
    let ends = if goes_on {
        "NORMAL_CLEARING"
    } else {
        told.cause
    };
    same("hangup_cause", Some(ends));
    same("went_on", goes_on.then_some("true"));
    let specific = told.said.filter(|_| !goes_on);
    let specific = specific.map(|status| format!("sip:{status}"));
    same(
        "last_bridge_proto_specific_hangup_cause",
        specific.as_deref(),
    );
    let status = match goes_on {
        true => 480,
        false => told.said.unwrap_or(told.alone),
    };
    let (got, reason) = last_response(rig, &course).ok_or("the caller got no final response")?;
    if got != status || !reason.contains(&format!("text=\"{ends}\"")) {
        wrong.push(format!(
            "the caller got {got} with Reason {reason}, expected {status} with {ends}"
        ));
    }
    Ok(wrong)
}

/// Somebody ends the caller while a later stage rings: he is not told what an earlier phone has said.
pub fn ended(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    rig.phones.keep_messages();
    let beside = Beside {
        typed: &[(500, "uuid_kill CALLER NO_ANSWER")],
        ..Beside::default()
    };
    let course = rig.call_with(
        &Order {
            dial: Dial::Plan("user/1002|user/1003"),
            caller: Caller::Waits,
            variables: &[],
            phones: &[phone("1002", Rejects(486, 50)), phone("1003", Rings)],
        },
        &beside,
        slot,
    )?;
    let (status, reason) = last_response(rig, &course).ok_or("the caller got no final response")?;
    let right = status == 480 && reason.contains("text=\"NO_ANSWER\"");
    let told = || format!("the caller got {status} with Reason {reason}");
    Ok(Verdict {
        wrong: (!right).then(told).into_iter().collect(),
        ..Verdict::default()
    })
}

/// The final response to the caller's INVITE, and its Reason.
fn last_response(rig: &Rig, course: &Course) -> Option<(u16, String)> {
    let diary = rig.phones.diary(|call_id| call_id == course.uuid);
    let response = |entry: &Entry| {
        let message = entry.message.as_ref().filter(|_| !entry.sent)?;
        let status = message.status().filter(|status| *status >= 200)?;
        let reason = message.header("Reason").unwrap_or("none");
        Some((status, reason.to_string()))
    };
    diary.iter().rev().find_map(response)
}

/// The caller's own `X-…` headers and his hops: on a leg that starts at once, later, in another
/// part, in a later stage, one that is added and one that registers late.
pub fn headers(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let plan = "{cti_late_join=true}user/1002,[leg_delay_start=0.3]user/1003,user/1006\
        :_:[originate_delay_start=200]user/1004|user/1007";
    let beside = Beside {
        typed: &[(450, "cti add CALLER user/1005")],
        ..Beside::default()
    };
    let course = rig.call_with(
        &Order {
            dial: Dial::Plan(plan),
            caller: Caller::Waits,
            variables: &[],
            phones: &[
                phone("1002", Rings),
                phone("1003", Rings),
                phone("1004", Rejects(486, 100)),
                phone("1005", Rings),
                phone("1006", RegistersThenAnswers(700, 300)),
                phone("1007", Rings),
            ],
        },
        &beside,
        slot,
    )?;
    let invited: BTreeSet<&str> = course
        .legs
        .iter()
        .map(|(_, name, _)| name.as_str())
        .collect();
    let mut wrong = Vec::new();
    if invited.len() != 6 {
        wrong.push(format!("invited were {invited:?}"));
    }
    for (header, expected) in [("X-Plan", None), ("Max-Forwards", Some("69"))] {
        let seen: BTreeSet<_> = course
            .legs
            .iter()
            .map(|(_, _, leg)| leg.invite.header(header))
            .collect();
        let said = seen.iter().all(Option::is_some) && seen.len() == 1;
        if !said || expected.is_some() && !seen.contains(&expected) {
            wrong.push(format!("{header}: {seen:?}"));
        }
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// Extensions that lead to themselves: they end by the caller's hops.
pub fn loops(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let call = |plan: &str, phones: &[Phone]| {
        rig.call(
            &Order {
                dial: Dial::Plan(plan),
                caller: Caller::Waits,
                variables: &[("max_forwards", "5")],
                phones,
            },
            slot,
        )
    };
    let course = call("loopback/leads_to_itself", &[])?;
    let cause = course.variable("cti_cause");
    if cause != Some("EXCHANGE_ROUTING_ERROR") {
        wrong.push(format!("the cause is {cause:?}"));
    }
    let plan = "{cti_timeout=1500ms}user/1003,loopback/loops_1002";
    let phones = [phone("1002", Rings), phone("1003", Rings)];
    let course = call(plan, &phones)?;
    let rung = course.legs.iter().filter(|(_, name, _)| name == "1002");
    let hops: Vec<_> = rung
        .map(|(_, _, leg)| leg.invite.header("Max-Forwards").unwrap_or("none"))
        .collect();
    if hops.len() != 3 || course.variable("cti_cause") != Some("NO_ANSWER") {
        wrong.push(format!("1002 was invited with the hops {hops:?}"));
    }
    Ok(Verdict {
        wrong,
        note: format!("hops {hops:?}"),
        ..Verdict::default()
    })
}

/// Phones that only send a 183, in a plan that ignores early media: the caller hears ringing, once.
pub fn only_183(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    for (value, ringback, expected) in [
        ("true", "", vec![180, 200]),
        ("consume", "", vec![180, 200]),
        ("true", "%(400,200,400,450)", vec![183, 200]),
    ] {
        let plan = format!("{{ignore_early_media={value}}}user/1002,user/1003");
        let ringback: &[(&str, &str)] = match ringback {
            "" => &[],
            _ => &[("ringback", ringback)],
        };
        let course = rig.call(
            &Order {
                dial: Dial::Plan(&plan),
                caller: Caller::Waits,
                variables: ringback,
                phones: &[
                    phone("1002", Announces),
                    phone("1003", AnnouncesThenAnswers(600)),
                ],
            },
            slot,
        )?;
        let call = rig.phones.call(&course.uuid).ok_or("no call")?;
        let heard: Vec<u16> = call
            .responses
            .iter()
            .map(|(_, status)| *status)
            .filter(|status| *status != 100)
            .collect();
        if heard != expected {
            wrong.push(format!(
                "{value} with {ringback:?}: the caller got {heard:?}"
            ));
        }
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// Somebody takes a `pickup/` that rings beside others: he is the winner, by his target's name.
pub fn pickup(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let beside = Beside {
        typed: &[(300, "originate user/1005 &pickup(desk1001)")],
        ..Beside::default()
    };
    let mut wrong = Vec::new();
    for plan in [
        "user/1003,pickup/desk1001",
        "user/1002|pickup/desk1001,user/1003",
    ] {
        let course = rig.call_with(
            &Order {
                dial: Dial::Plan(plan),
                caller: Caller::Waits,
                variables: &[],
                phones: &[
                    phone("1002", Rejects(486, 50)),
                    phone("1003", Rings),
                    phone("1005", Answers(100)),
                ],
            },
            &beside,
            slot,
        )?;
        let seen = course.seen();
        let winner = seen.variable("cti_winner");
        let uuid = course.variable("cti_winner_uuid");
        let taker = course.legs.iter().find(|(_, name, _)| name == "1005");
        let taker = taker.map(|(call_id, ..)| call_id.as_str());
        let roles: Vec<_> = roles(course.variable("cti_legs").unwrap_or("[]"));
        let losers = roles.iter().filter(|role| *role == "loser").count();
        if winner != Some("pickup/desk1001") || uuid != taker || taker.is_none() || losers != 1 {
            wrong.push(format!(
                "{plan}: the winner is {winner:?} {uuid:?}, not {taker:?}: {roles:?}"
            ));
        }
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

fn roles(legs: &str) -> Vec<String> {
    let legs: serde_json::Value = serde_json::from_str(legs).unwrap_or_default();
    let role = |leg: &serde_json::Value| leg["role"].as_str().unwrap_or("none").to_string();
    legs.as_array()
        .map_or(Vec::new(), |legs| legs.iter().map(role).collect())
}

/// `sip_code`: the winner's 200, also where its leg still has the challenge that came first; a
/// loser's last word.
pub fn sip_code(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let course = rig.call(
        &Order {
            dial: Dial::Plan("user/1002,[sip_invite_failure_status=407]user/1003,user/1004"),
            caller: Caller::Waits,
            variables: &[],
            phones: &[
                phone("1002", Rejects(486, 100)),
                phone("1003", Answers(300)),
                phone("1004", Rings),
            ],
        },
        slot,
    )?;
    let legs = course.variable("cti_legs").unwrap_or("[]");
    let legs: serde_json::Value = serde_json::from_str(legs).map_err(|error| error.to_string())?;
    let codes: Vec<_> = (0..3).map(|leg| legs[leg]["sip_code"].as_u64()).collect();
    let right = codes[..2] == [Some(486), Some(200)];
    Ok(Verdict {
        wrong: (!right).then(|| format!("{codes:?}")).into_iter().collect(),
        note: format!("{codes:?}"),
        ..Verdict::default()
    })
}
