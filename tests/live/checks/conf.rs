//! What `conf/` promises: its five extensions, its cti.conf.xml, and that a bad plan rings nobody.
//! The extensions are dialled as they stand in the file, on the users that they name;
//! bad plans come from `tests/bad_plans.txt`, a call for each.

use super::{Verdict, phone};
use crate::live::run::{Course, Dial, Order, Rig};
use crate::live::switch::from_slot;
use crate::scenarios::{Behaviour::*, Caller, Expect, Ring, Scenario, Told::*, check};

const fn ring(
    phone: &'static str,
    from: (u64, u64),
    to: (u64, u64),
    told: crate::scenarios::Told,
) -> Ring {
    Ring {
        phone,
        from,
        to,
        told,
    }
}

const ANSWERED: Expect = Expect {
    result: "answered",
    cause: "SUCCESS",
    winner: None,
    stage: 1,
    rings: &[],
    variables: &[],
    headers: &[],
    hears: &[],
    or: &[],
};

/// The scenarios of `conf/`: the plan stands in the dialplan, here is its extension.
pub const TOGETHER: Scenario = Scenario {
    name: "同振",
    plan: "22222",
    caller: Caller::Waits,
    variables: &[],
    phones: &[phone("1002", Rings), phone("1003", Answers(800))],
    expect: Expect {
        winner: Some("1003"),
        rings: &[
            ring("1002", (0, 400), (800, 1300), Elsewhere),
            ring("1003", (0, 400), (800, 1300), Joined),
        ],
        ..ANSWERED
    },
};

pub const SEQUENCE: Scenario = Scenario {
    name: "顺振",
    plan: "11111",
    phones: &[
        phone("1002", RingsThenRejects(486, 700)),
        phone("1003", Answers(600)),
    ],
    expect: Expect {
        winner: Some("1003"),
        stage: 2,
        rings: &[
            ring("1002", (0, 400), (700, 1200), ItsOwn(486)),
            ring("1003", (700, 1200), (1300, 2200), Joined),
        ],
        ..ANSWERED
    },
    ..TOGETHER
};

pub const STAGES: Scenario = Scenario {
    name: "stages of several phones",
    plan: "33333",
    phones: &[
        phone("1002", Rejects(486, 200)),
        phone("1003", RingsThenRejects(603, 700)),
        phone("1004", Rings),
        phone("1005", Answers(500)),
    ],
    expect: Expect {
        winner: Some("1005"),
        stage: 2,
        rings: &[
            ring("1002", (0, 400), (200, 700), ItsOwn(486)),
            ring("1003", (0, 400), (700, 1200), ItsOwn(603)),
            ring("1004", (700, 1200), (1200, 2100), Elsewhere),
            ring("1005", (700, 1200), (1200, 2100), Joined),
        ],
        ..ANSWERED
    },
    ..TOGETHER
};

const DEADLINES: Scenario = Scenario {
    name: "deadlines, then voicemail",
    plan: "44444",
    phones: &[phone("1002", Rings), phone("1003", Rings)],
    expect: Expect {
        result: "no_answer",
        cause: "NO_ANSWER",
        stage: 2,
        rings: &[
            ring("1002", (0, 400), (6000, 6250), NoAnswer),
            ring("1003", (6000, 6400), (10_000, 10_250), NoAnswer),
        ],
        hears: &[180, 200],
        ..ANSWERED
    },
    ..TOGETHER
};

pub const VARIABLES: Scenario = Scenario {
    name: "a plan with per-target variables",
    plan: "55555",
    phones: &[
        phone("1002", Rings),
        phone("1003", RingsThenRejects(486, 500)),
        phone("1004", Answers(300)),
    ],
    expect: Expect {
        winner: Some("1004"),
        stage: 2,
        rings: &[
            ring("1002", (0, 400), (8000, 8250), NoAnswer),
            ring("1003", (1500, 1800), (2000, 2600), ItsOwn(486)),
            ring("1004", (8000, 8500), (8300, 9300), Joined),
        ],
        headers: &[
            ("1002", "X-Queue", "sales"),
            ("1002", "X-Line", "first"),
            ("1003", "X-Queue", "sales"),
            ("1003", "X-Line", "backup"),
            ("1004", "X-Queue", "sales"),
            ("1004", "X-Line", "last"),
        ],
        ..ANSWERED
    },
    ..TOGETHER
};

fn dial(rig: &Rig, slot: usize, scenario: &Scenario) -> Result<(Course, Vec<String>), String> {
    let course = rig.call(
        &Order {
            dial: Dial::Extension(scenario.plan),
            caller: scenario.caller,
            variables: scenario.variables,
            phones: scenario.phones,
        },
        slot,
    )?;
    let wrong = check(scenario, &course.seen());
    Ok((course, wrong))
}

pub fn extension(rig: &Rig, slot: usize, scenario: &Scenario) -> Result<Verdict, String> {
    let (_, wrong) = dial(rig, slot, scenario)?;
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

pub fn voicemail(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let (course, mut wrong) = dial(rig, slot, &DEADLINES)?;
    if course.answered.is_none() {
        wrong.push("voicemail did not take the caller's call".to_string());
    }
    let reached = rig
        .switch
        .events
        .of(&course.uuid)
        .iter()
        .any(|event| event.get("Application") == Some("voicemail"));
    if !reached {
        wrong.push("the dialplan did not reach voicemail".to_string());
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// `cti reload` reads the file again and reports nothing wrong in it.
pub fn configuration(rig: &Rig, _: usize) -> Result<Verdict, String> {
    let reply = rig.switch.connect()?.api("cti reload")?;
    let complaints = rig
        .switch
        .log()
        .lines()
        .filter(|line| line.contains("cti.conf") && line.contains("[WARN"))
        .count();
    let mut wrong = Vec::new();
    if !reply.starts_with("+OK") {
        wrong.push(format!("cti reload said {reply:?}"));
    }
    if complaints > 0 {
        wrong.push(format!(
            "{complaints} complaints about cti.conf.xml in the log"
        ));
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

const BAD_PLANS: &str = include_str!("../../bad_plans.txt");

/// `\t` and the like stand for control characters in the file; None for a plan with NUL, which ends a C string.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let meant = match (character, character == '\\') {
            (character, false) => character,
            _ => match characters.next()? {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'e' => '\u{1b}',
                'd' => '\u{7f}',
                '\\' => '\\',
                _ => return None,
            },
        };
        plain.push(meant);
    }
    Some(plain)
}

pub fn bad_plans(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [phone("1002", Answers(0)), phone("1003", Answers(0))];
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in BAD_PLANS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (escaped, error) = line
            .split_once('\t')
            .ok_or(format!("bad_plans.txt: no tab in {line:?}"))?;
        // The dialplan's own `set` takes the blanks at both ends of a plan away.
        let Some(plan) = unescaped(escaped).filter(|plan| plan.trim() == plan) else {
            continue;
        };
        let order = Order {
            dial: Dial::Plan(&plan),
            caller: Caller::Waits,
            variables: &[],
            phones: &phones,
        };
        let course = rig.call(&order, slot)?;
        count += 1;
        let got = course
            .variable("cti_error")
            .map(|error| from_slot(error, slot));
        let said = got
            .as_deref()
            .is_some_and(|got| got == error || got.strip_prefix("cti_bridge: ") == Some(error));
        if !said {
            wrong.push(format!("{escaped}: expected {error:?}, got {got:?}"));
        }
        if course.variable("cti_result") != Some("invalid") {
            wrong.push(format!(
                "{escaped}: cti_result is {:?}",
                course.variable("cti_result")
            ));
        }
        if !course.legs.is_empty() {
            wrong.push(format!("{escaped}: {} phones rang", course.legs.len()));
        }
    }
    Ok(Verdict {
        wrong,
        note: format!("{count} plans"),
        ..Verdict::default()
    })
}
