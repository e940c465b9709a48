//! Hands on a call that rings, on the real switch: what each command does, when, and what is replied.
//! A row is a scenario of the table with commands beside it; the phones' diaries tell what came of them.
//! Each check runs alone: the commands mean the only call there is.

use super::checks::{Check, Verdict, When, events, phone, steered};
use super::run::{Dial, Order, Rig};
use super::switch::{from_slot, in_slot};
use crate::scenarios::{
    Behaviour::*, Caller, Expect, Ms, Phone, Ring, Scenario, Told, Told::*, check,
};
use std::time::{Duration, Instant};

struct Row {
    plan: &'static str,
    phones: &'static [Phone],
    /// When, what, and how the reply begins.
    typed: &'static [(Ms, &'static str, &'static str)],
    result: (&'static str, &'static str),
    winner: Option<&'static str>,
    rings: &'static [Ring],
}

const fn alone(name: &'static str, run: fn(&Rig, usize) -> Result<Verdict, String>) -> Check {
    Check {
        name,
        when: When::Alone,
        run,
    }
}

pub const CHECKS: &[Check] = &[
    alone("control_of_early_media", |rig, slot| {
        play(rig, slot, EARLY_MEDIA)
    }),
    alone("control_drops_what_it_names", |rig, slot| {
        play(rig, slot, DROPS)
    }),
    alone("control_adds_once", |rig, slot| play(rig, slot, ADDS)),
    alone("control_completes_what_rings", completes),
    alone("control_of_ring_groups", ring_groups),
    alone("control_of_a_slow_directory", slow_directory),
    alone("control_during_a_look_up", |rig, slot| {
        play(rig, slot, DURING_A_LOOK_UP)
    }),
    alone("control_tells_why_not", |rig, slot| {
        play(rig, slot, REFUSALS)
    }),
];

const NOW: (Ms, Ms) = (0, 400);

const fn rings(phone: &'static str, from: (Ms, Ms), to: (Ms, Ms), told: Told) -> Ring {
    Ring {
        phone,
        from,
        to,
        told,
    }
}

const GIVEN_UP: (&str, &str) = ("cancelled", "ORIGINATOR_CANCEL");
const RANG_OUT: (&str, &str) = ("no_answer", "NO_ANSWER");
const ANSWERED: (&str, &str) = ("answered", "SUCCESS");

const ANNOUNCES: Row = Row {
    plan: "{cti_stage_timeout=3}user/1002",
    phones: &[phone("1002", Announces)],
    typed: &[],
    result: GIVEN_UP,
    winner: None,
    rings: &[rings("1002", NOW, (500, 950), CallerGone)],
};

/// Joined in early media, nobody has answered: the call is as much an operator's as before.
const EARLY_MEDIA: &[Row] = &[
    Row {
        typed: &[(500, "cti cancel UUID", "+OK the call is cancelled")],
        ..ANNOUNCES
    },
    Row {
        typed: &[(
            500,
            "cti drop UUID user/1002",
            "+OK 1 leg(s) of user/1002 dropped",
        )],
        ..ANNOUNCES
    },
    Row {
        typed: &[(500, "cti skip UUID", "+OK stage 1 of 1 is over")],
        result: RANG_OUT,
        rings: &[rings("1002", NOW, (500, 950), NoAnswer)],
        ..ANNOUNCES
    },
    Row {
        plan: "{cti_stage_timeout=1}user/1002",
        typed: &[(500, "cti extend UUID 0.5", "+OK 1.0 s left for the stage")],
        result: RANG_OUT,
        rings: &[rings("1002", NOW, (1500, 1800), NoAnswer)],
        ..ANNOUNCES
    },
    // Others may ring beside it, and the first to answer wins …
    Row {
        phones: &[phone("1002", Announces), phone("1003", Answers(400))],
        typed: &[(500, "cti add UUID user/1003", "+OK 1 more leg(s) ring")],
        result: ANSWERED,
        winner: Some("1003"),
        rings: &[
            rings("1002", NOW, (900, 1400), Elsewhere),
            rings("1003", (500, 950), (900, 1400), Joined),
        ],
        ..ANNOUNCES
    },
    Row {
        phones: &[
            phone("1002", AnnouncesThenAnswers(1000)),
            phone("1003", Rings),
        ],
        typed: &[(500, "cti add UUID user/1003", "+OK 1 more leg(s) ring")],
        result: ANSWERED,
        winner: Some("1002"),
        rings: &[
            rings("1002", NOW, (1000, 1450), Joined),
            rings("1003", (500, 950), (1000, 1500), Elsewhere),
        ],
        ..ANNOUNCES
    },
    // … and ring on when it leaves.
    Row {
        phones: &[
            phone("1002", AnnouncesThenRejects(486, 800)),
            phone("1003", Answers(900)),
        ],
        typed: &[(400, "cti add UUID user/1003", "+OK 1 more leg(s) ring")],
        result: ANSWERED,
        winner: Some("1003"),
        rings: &[
            rings("1002", NOW, (800, 1250), ItsOwn(486)),
            rings("1003", (400, 850), (1300, 1800), Joined),
        ],
        ..ANNOUNCES
    },
    Row {
        phones: &[phone("1002", Announces), phone("1003", Rings)],
        typed: &[
            (400, "cti add UUID user/1003", "+OK 1 more leg(s) ring"),
            (800, "cti drop UUID user/1002", "+OK 1 leg(s)"),
            (1200, "cti cancel UUID", "+OK the call is cancelled"),
        ],
        rings: &[
            rings("1002", NOW, (800, 1250), CallerGone),
            rings("1003", (400, 850), (1200, 1650), CallerGone),
        ],
        ..ANNOUNCES
    },
    Row {
        plan: "{cti_early_media=core}user/1002",
        phones: &[phone("1002", AnnouncesThenAnswers(800))],
        typed: &[
            (500, "cti add UUID user/1003", "-ERR joined in early media"),
            (1000, "cti cancel UUID", "-ERR it was answered"),
        ],
        result: ANSWERED,
        winner: Some("1002"),
        rings: &[rings("1002", NOW, (800, 1250), Joined)],
    },
];

const DROPS: &[Row] = &[
    // Who was dropped is not unreachable.
    Row {
        plan: "user/1002",
        phones: &[phone("1002", Rings)],
        typed: &[(500, "cti drop UUID user/1002", "+OK")],
        ..ANNOUNCES
    },
    // … and is no reason why nobody else has answered.
    Row {
        plan: "{cti_stage_timeout=500ms}user/1002|user/1003",
        phones: &[phone("1002", Rings), phone("1003", Rings)],
        typed: &[(800, "cti drop UUID user/1003", "+OK 1 leg(s)")],
        result: RANG_OUT,
        winner: None,
        rings: &[
            rings("1002", NOW, (500, 950), NoAnswer),
            rings("1003", (500, 950), (800, 1250), CallerGone),
        ],
    },
    Row {
        plan: "{cti_stage_timeout=500ms}user/1002|user/1003",
        phones: &[phone("1002", Rings), phone("1003", Announces)],
        typed: &[(800, "cti drop UUID user/1003", "+OK 1 leg(s)")],
        result: RANG_OUT,
        winner: None,
        rings: &[
            rings("1002", NOW, (500, 950), NoAnswer),
            rings("1003", (500, 950), (800, 1250), CallerGone),
        ],
    },
    // Who is still to start does not.
    Row {
        plan: "user/1002,[leg_delay_start=1]user/1003",
        phones: &[phone("1002", Answers(1500)), phone("1003", Rings)],
        typed: &[(500, "cti drop UUID user/1003", "+OK 1 leg(s)")],
        result: ANSWERED,
        winner: Some("1002"),
        rings: &[rings("1002", NOW, (1500, 1950), Joined)],
    },
];

const ADDS: &[Row] = &[
    // Not beside itself, in whichever stage it rings.
    Row {
        plan: "{cti_mode=progressive,cti_stage_timeout=600ms}user/1002|user/1003",
        phones: &[phone("1002", Rings), phone("1003", Answers(450))],
        typed: &[(900, "cti add UUID user/1002", "-ERR it rings already")],
        result: ANSWERED,
        winner: Some("1003"),
        rings: &[
            rings("1002", NOW, (1050, 1500), Elsewhere),
            rings("1003", (600, 850), (1050, 1500), Joined),
        ],
    },
    // Its user's other devices join it as those of the plan's own targets do.
    Row {
        plan: "{cti_late_join=true}user/1003",
        phones: &[
            phone("1003", Rings),
            phone("1002", Rings),
            Phone {
                name: "1002-mobile",
                user: "1002",
                does: RegistersThenAnswers(700, 300),
            },
        ],
        typed: &[(300, "cti add UUID user/1002", "+OK 1 more leg(s) ring")],
        result: ANSWERED,
        winner: Some("1002-mobile"),
        rings: &[
            rings("1003", NOW, (1000, 1450), Elsewhere),
            rings("1002", (300, 750), (1000, 1450), Elsewhere),
            rings("1002-mobile", (700, 1150), (1000, 1450), Joined),
        ],
    },
];

/// While 1000 is looked up, which takes a second.
const DURING_A_LOOK_UP: &[Row] = &[
    Row {
        plan: "user/1000|user/1003",
        phones: &[phone("1000", Rings), phone("1003", Answers(300))],
        typed: &[(300, "cti skip UUID", "+OK stage 1 of 2 is over")],
        result: ANSWERED,
        winner: Some("1003"),
        rings: &[rings("1003", (300, 750), (600, 1100), Joined)],
    },
    Row {
        plan: "user/1002,user/1000|user/1003",
        phones: &[
            phone("1000", Rings),
            phone("1002", Rings),
            phone("1003", Rings),
        ],
        typed: &[(300, "cti cancel UUID", "+OK")],
        result: ("cancelled", "ORIGINATOR_CANCEL"),
        winner: None,
        rings: &[rings("1002", NOW, (300, 750), CallerGone)],
    },
    Row {
        plan: "{cti_stage_timeout=700ms}user/1000",
        phones: &[phone("1000", Rings), phone("1003", Answers(300))],
        typed: &[
            (200, "cti add UUID user/1003", "+OK 1 more leg(s) ring"),
            (300, "cti extend UUID 5", "+OK"),
        ],
        result: ANSWERED,
        winner: Some("1003"),
        rings: &[rings("1003", (200, 650), (500, 1000), Joined)],
    },
];

const REFUSALS: &[Row] = &[Row {
    plan: "{originate_retries=2}user/1002",
    phones: &[phone("1002", Rejects(486, 100))],
    typed: &[
        // Between two attempts.
        (600, "cti skip UUID", "-ERR no stage rings at this moment"),
        (600, "cti add UUID user/1003", "-ERR no stage rings"),
        (600, "cti extend UUID 5", "-ERR no stage rings"),
        (
            600,
            "cti drop UUID user/1002",
            "-ERR no leg \"user/1002\" rings",
        ),
        (600, "cti cancel UUID NOSUCH", "-ERR no hangup cause"),
        (
            600,
            "cti cancel UUID MANAGER_REQUEST",
            "-ERR no phone can be told",
        ),
        (600, "cti cancel nosuch", "-ERR no call of \"nosuch\""),
        // Core's own cause for a plan that it cannot use is no refused plan.
        (650, "cti cancel UUID destination_out_of_order", "+OK"),
    ],
    result: ("cancelled", "DESTINATION_OUT_OF_ORDER"),
    winner: None,
    rings: &[rings("1002", NOW, (100, 550), ItsOwn(486))],
}];

/// While contacts are looked up the call is nobody's hostage.
fn slow_directory(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let phones = [phone("1000", Answers(300))];
    let order = Order {
        dial: Dial::Plan("{cti_mode=progressive}user/1000|user/1003"),
        caller: Caller::HangsUpAfter(400),
        variables: &[],
        phones: &phones,
    };
    let left = rig.call(&order, slot)?;
    if !left.legs.is_empty() || left.variable("cti_result") != Some("cancelled") {
        let result = left.variable("cti_result");
        wrong.push(format!("{} rang for nobody, {result:?}", left.legs.len()));
    }
    let phones = [phone("1002", Answers(800)), phone("1000", Rings)];
    let order = Order {
        dial: Dial::Plan("{cti_mode=progressive,cti_stage_timeout=500ms}user/1002|user/1000"),
        caller: Caller::Waits,
        variables: &[],
        phones: &phones,
    };
    let answered = rig.call(&order, slot)?;
    let at = answered.answered.map(|at| answered.ms(at));
    if !at.is_some_and(|at| (800..1250).contains(&at)) || answered.legs.len() != 1 {
        let legs = answered.legs.len();
        wrong.push(format!(
            "answered at 800 ms, the caller at {at:?}, of {legs} legs"
        ));
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// Tab completion, as fs_cli asks for it: the callers of calls that ring, and no others.
fn completes(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const ASKED: &str = "console_complete c=11;cti cancel ";
    let before = rig.switch.connect()?.api(ASKED)?;
    let phones = [phone("1002", Answers(600))];
    let typed = [(300, ASKED), (900, ASKED)];
    let (replies, course) = steered(rig, slot, "user/1002", &phones, &[], &typed)?;
    let offered = |reply: &str| reply.contains(&course.uuid);
    let is = [offered(&before), offered(&replies[0]), offered(&replies[1])];
    let mut wrong = Vec::new();
    if is != [false, true, false] {
        wrong.push(format!("before, ringing, answered: {is:?}; {replies:?}"));
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// A member who is left alone, one who rings: what is shown of them, what is offered, and who rings.
fn ring_groups(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let ask = |command: &str| -> Result<String, String> {
        let reply = rig.switch.connect()?.api(&in_slot(command, slot))?;
        Ok(from_slot(reply.trim(), slot))
    };
    let mut wrong = Vec::new();
    for (command, has) in [
        ("console_complete c=10;cti group ", "all1000"),
        ("console_complete c=17;cti member pause ", "1002@cti.test"),
        ("console_complete c=11;cti member ", "unpause"),
        ("cti member pause user/1002", "+OK 1002@cti.test is paused"),
        (
            "cti member pause user/nobody",
            "-ERR no group has a member \"user/nobody\"",
        ),
        ("cti group nosuch", "-ERR there is no group \"nosuch\""),
        ("cti groups", "all1000"),
        (
            "cti metrics",
            "cti_group_members{group=\"all1000\",state=\"paused\"} 1",
        ),
    ] {
        let until = Instant::now() + Duration::from_secs(5);
        let mut reply = ask(command)?;
        // The switch writes the rules of completion into its database in its own time.
        while command.starts_with("console") && !reply.contains(has) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
            reply = ask(command)?;
        }
        if !reply.contains(has) {
            wrong.push(format!("{command}: no {has:?} in {reply:?}"));
        }
    }
    let phones = [phone("1002", Answers(0)), phone("1003", Answers(600))];
    let typed = [
        (300, "cti group all1000 json"),
        (300, "cti member list json user/1003"),
        (1500, "cti group all1000 json"),
    ];
    let (replies, course) = steered(rig, slot, "ring/all1000", &phones, &[], &typed)?;
    let told: Vec<serde_json::Value> = replies
        .iter()
        .map(|reply| from_slot(reply, slot))
        .map(|reply| {
            reply
                .split_once(": ")
                .map_or(String::new(), |it| it.1.to_owned())
        })
        .map(|reply| serde_json::from_str(&reply).unwrap_or_default())
        .collect();
    let members = &told[0]["members"];
    let is = [&members[0]["skipped"], &members[1]["skipped"]];
    if is != ["paused", "busy"] || members[1]["calls"] != 1 {
        wrong.push(format!("cti group while 1003 rings: {}", told[0]));
    }
    let members = &told[2]["members"];
    let idle = members[1]["idle_ms"].as_u64();
    if !members[1]["skipped"].is_null() || idle.is_none_or(|idle| idle >= 1500) {
        wrong.push(format!("cti group when 1003 has talked: {}", told[2]));
    }
    let states = [&told[1][0]["state"], &told[1][0]["member"]];
    if states != ["busy", "1003@cti.test"] {
        wrong.push(format!("cti member list: {}", told[1]));
    }
    let rang: Vec<&str> = course
        .legs
        .iter()
        .map(|(_, name, _)| name.as_str())
        .collect();
    if rang != ["1003"] {
        wrong.push(format!("{rang:?} were rung"));
    }
    let legs = course.variable("cti_legs").unwrap_or_default();
    if !legs.contains("\"role\":\"skipped\",\"reason\":\"paused\"") {
        wrong.push(format!("cti_legs: {legs}"));
    }
    let reply = ask("cti member unpause 1002@cti.test")?;
    if reply != "+OK 1002@cti.test is free" {
        wrong.push(format!("unpause: {reply}"));
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

fn play(rig: &Rig, slot: usize, rows: &[Row]) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    for row in rows {
        let told = differences(rig, slot, row)?;
        let what = row.typed.iter().map(|(_, command, _)| *command);
        let what = what.collect::<Vec<_>>().join("; ");
        wrong.extend(
            told.iter()
                .map(|line| format!("{} with {what}: {line}", row.plan)),
        );
    }
    Ok(Verdict {
        wrong,
        note: format!("{} calls", rows.len()),
        ..Verdict::default()
    })
}

fn differences(rig: &Rig, slot: usize, row: &Row) -> Result<Vec<String>, String> {
    let commands: Vec<_> = row
        .typed
        .iter()
        .map(|(at, command, _)| (*at, *command))
        .collect();
    let (replies, course) = steered(rig, slot, row.plan, row.phones, &[], &commands)?;
    let scenario = Scenario {
        name: "",
        plan: row.plan,
        caller: Caller::Waits,
        variables: &[],
        phones: row.phones,
        expect: Expect {
            result: row.result.0,
            cause: row.result.1,
            winner: row.winner,
            stage: 1,
            rings: row.rings,
            variables: &[],
            headers: &[],
            hears: &[],
            or: &[],
        },
    };
    let mut seen = course.seen();
    let stage = seen
        .variables
        .iter_mut()
        .find(|(name, _)| name == "cti_stage");
    // Which stage it came to, the phones tell.
    stage
        .into_iter()
        .for_each(|(_, stage)| *stage = "1".to_owned());
    let mut wrong = check(&scenario, &seen);
    for (reply, (_, command, begins)) in replies.iter().zip(row.typed) {
        let reply = from_slot(reply, slot);
        let said = reply.split_once(": ").map_or("", |(_, said)| said);
        if !said.starts_with(begins) {
            wrong.push(format!("{command}: expected {begins:?}, got {said:?}"));
        }
    }
    wrong.extend(events(rig, &course, row.result.0));
    Ok(wrong)
}
