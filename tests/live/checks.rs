//! What is checked on the real switch beyond the table: the five extensions of `conf/`,
//! bad plans, exact deadlines, load and unload.
//! Each check is a name and a function that says what is wrong; a note is printed with the result.

use super::run::{Course, Dial, Order, Rig};
use super::soak::{self, Soak};
use super::switch::{from_slot, in_slot};
use crate::scenarios::{Behaviour::*, Caller, Expect, Phone, Ring, Scenario, Told::*, check};
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub struct Check {
    pub name: &'static str,
    pub when: When,
    pub run: fn(&Rig, usize) -> Result<Verdict, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Beside the scenarios, in any slot.
    Any,
    /// Beside the scenarios, with the users 1001 to 1009 themselves: extensions name them.
    SlotZero,
    /// After everything else, alone on the switch.
    Alone,
}

#[derive(Debug, Default)]
pub struct Verdict {
    pub wrong: Vec<String>,
    pub note: String,
    /// What it needs and is not there.
    pub skipped: Option<String>,
}

pub const CHECKS: &[Check] = &[
    Check {
        name: "conf_22222_together",
        when: When::SlotZero,
        run: |rig, slot| extension(rig, slot, &TOGETHER),
    },
    Check {
        name: "conf_11111_one_after_another",
        when: When::SlotZero,
        run: |rig, slot| extension(rig, slot, &SEQUENCE),
    },
    Check {
        name: "conf_33333_stages_of_several",
        when: When::SlotZero,
        run: |rig, slot| extension(rig, slot, &STAGES),
    },
    Check {
        name: "conf_44444_deadlines_then_voicemail",
        when: When::SlotZero,
        run: voicemail,
    },
    Check {
        name: "conf_55555_per_target_variables",
        when: When::SlotZero,
        run: |rig, slot| extension(rig, slot, &VARIABLES),
    },
    Check {
        name: "conf_cti_conf_is_read",
        when: When::Any,
        run: configuration,
    },
    Check {
        name: "bad_plans_ring_nobody",
        when: When::Any,
        run: bad_plans,
    },
    Check {
        name: "a_stage_of_150_devices",
        when: When::Any,
        run: many_devices,
    },
    Check {
        name: "operator_steers_a_call",
        when: When::Alone,
        run: operator_steers,
    },
    Check {
        name: "operator_cancels_a_call",
        when: When::Alone,
        run: operator_cancels,
    },
    Check {
        name: "cancel_key_gives_up",
        when: When::Alone,
        run: cancel_key,
    },
    Check {
        name: "deadlines_are_exact",
        when: When::Alone,
        run: deadlines,
    },
    Check {
        name: "soak_of_150_calls",
        when: When::Alone,
        run: soak_of_150_calls,
    },
    Check {
        name: "unload_while_ringing",
        when: When::Alone,
        run: unload_while_ringing,
    },
    Check {
        name: "load_and_unload_20_times",
        when: When::Alone,
        run: load_and_unload,
    },
];

pub const fn phone(name: &'static str, does: crate::scenarios::Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}

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
    or: &[],
};

/// The scenarios of `conf/`: the plan stands in the dialplan, here is its extension.
const TOGETHER: Scenario = Scenario {
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

const SEQUENCE: Scenario = Scenario {
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

const STAGES: Scenario = Scenario {
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
        ..ANSWERED
    },
    ..TOGETHER
};

const VARIABLES: Scenario = Scenario {
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

fn extension(rig: &Rig, slot: usize, scenario: &Scenario) -> Result<Verdict, String> {
    let (_, wrong) = dial(rig, slot, scenario)?;
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

fn voicemail(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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
fn configuration(rig: &Rig, _: usize) -> Result<Verdict, String> {
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

const BAD_PLANS: &str = include_str!("../bad_plans.txt");

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

fn bad_plans(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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

/// Calls whose stage ends by its deadline, several at a time: never early, and how late at most.
fn deadlines(rig: &Rig, _: usize) -> Result<Verdict, String> {
    const CALLS: usize = 64;
    let late = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for slot in 0..8 {
            let late = &late;
            scope.spawn(move || {
                for round in 0..CALLS / 8 {
                    let wanted = 400 + 137 * (round as u64 * 8 + slot as u64 % 8) % 2600;
                    let plan = match round % 2 {
                        0 => format!(
                            "{{cti_stage_timeout={}.{:03}}}user/1002,user/1003",
                            wanted / 1000,
                            wanted % 1000
                        ),
                        _ => format!("{{cti_stage_timeout={wanted}ms}}user/1002,user/1003"),
                    };
                    let phones = [phone("1002", Rings), phone("1003", Rings)];
                    let order = Order {
                        dial: Dial::Plan(&plan),
                        caller: Caller::Waits,
                        variables: &[],
                        phones: &phones,
                    };
                    let found = rig.call(&order, slot).map(|course| (wanted, course));
                    late.lock().expect("a call panicked").push(found);
                }
            });
        }
    });
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    for found in late.into_inner().expect("a call panicked") {
        let (wanted, course) = found?;
        for (_, _, leg) in &course.legs {
            let Some((at, _)) = &leg.cancel else {
                wrong.push(format!("{wanted} ms: a phone was not cancelled"));
                continue;
            };
            let micros = at.saturating_duration_since(course.began).as_micros() as i64
                - wanted as i64 * 1000;
            all.push(micros);
            if micros < 0 {
                wrong.push(format!("{wanted} ms: {} us early", -micros));
            }
        }
    }
    all.sort();
    let (Some(least), Some(most)) = (all.first(), all.last()) else {
        return Err("no deadline was seen".to_string());
    };
    let ms = |micros: i64| micros as f64 / 1000.0;
    if *most > 150_000 {
        wrong.push(format!("{} ms late", ms(*most)));
    }
    let note = format!(
        "{CALLS} calls, CANCEL after the deadline: least {:.1}, median {:.1}, most {:.1} ms",
        ms(*least),
        ms(all[all.len() / 2]),
        ms(*most)
    );
    Ok(Verdict {
        wrong,
        note,
        ..Verdict::default()
    })
}

/// More devices than core keeps peers for: each rings once, one answers, the rest are told so.
fn many_devices(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const NAMES: usize = 150;
    // The names live as long as the program, as those of the table do.
    let name = |n: usize| -> &'static str { Box::leak(format!("1002-{n:03}").into_boxed_str()) };
    let does = |n: usize| if n == 77 { Answers(2500) } else { Rings };
    let phones: Vec<Phone> = (0..NAMES)
        .map(|n| Phone {
            name: name(n),
            user: "1002",
            does: does(n),
        })
        .collect();
    let order = Order {
        dial: Dial::Plan("user/1002"),
        caller: Caller::Waits,
        variables: &[],
        phones: &phones,
    };
    let course = rig.call(&order, slot)?;
    let seen = course.seen();
    let mut wrong = Vec::new();
    if seen.rings.len() != NAMES {
        wrong.push(format!("{} of {NAMES} devices rang", seen.rings.len()));
    }
    if seen.joined.as_deref() != Some("1002-077") {
        wrong.push(format!(
            "joined: {:?}, cti_result {:?}",
            seen.joined,
            seen.variable("cti_result")
        ));
    }
    let losers = seen
        .rings
        .iter()
        .filter(|ring| ring.told == Elsewhere)
        .count();
    if losers + 1 != NAMES {
        wrong.push(format!(
            "{losers} were told that the call was completed elsewhere"
        ));
    }
    let last = seen.rings.iter().map(|ring| ring.from).max().unwrap_or(0);
    Ok(Verdict {
        wrong,
        note: format!("the last INVITE at {last} ms"),
        ..Verdict::default()
    })
}

/// A call on which somebody types commands at given times; their replies and the course.
pub fn steered(
    rig: &Rig,
    slot: usize,
    plan: &str,
    phones: &[Phone],
    variables: &[(&str, &str)],
    commands: &[(u64, &str)],
) -> Result<(Vec<String>, Course), String> {
    std::thread::scope(|scope| {
        let typing = scope.spawn(|| -> Result<Vec<String>, String> {
            let mut connection = rig.switch.connect()?;
            let until = Instant::now() + Duration::from_secs(5);
            // Alone on the switch: the only call is ours.
            let uuid = loop {
                let calls = connection.api("cti calls json")?;
                let calls: serde_json::Value =
                    serde_json::from_str(&calls).map_err(|error| format!("{error}: {calls}"))?;
                if let Some(uuid) = calls.get(0).and_then(|call| call["uuid"].as_str()) {
                    break uuid.to_string();
                }
                if Instant::now() > until {
                    return Err("cti calls json never showed the call".to_string());
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            let began = Instant::now();
            let mut replies = Vec::new();
            for (at, command) in commands {
                let due = began + Duration::from_millis(*at);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let command = in_slot(&command.replace("UUID", &uuid), slot);
                let reply = connection.api(&command)?;
                replies.push(format!("{command}: {}", reply.trim()));
            }
            Ok(replies)
        });
        let order = Order {
            dial: Dial::Plan(plan),
            caller: Caller::Waits,
            variables,
            phones,
        };
        let course = rig.call(&order, slot);
        let replies = typing
            .join()
            .map_err(|_| "the typing thread panicked".to_string())?;
        Ok((replies?, course?))
    })
}

/// From and to, in milliseconds.
type Band = (u64, u64);

fn operator_steers(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [
        phone("1002", Rings),
        phone("1003", Rings),
        phone("1004", Answers(400)),
        phone("1005", Rings),
    ];
    let plan = "{cti_stage_timeout=2}[sip_h_X-A=b]user/1002,user/1003|user/1005";
    let commands = [
        (500, "cti drop UUID user/1002"),
        (800, "cti extend UUID 2"),
        (2700, "cti show UUID"),
        (2700, "cti skip UUID"),
        (3100, "cti add UUID user/1004"),
        (3200, "cti drop UUID user/1009"),
    ];
    let (replies, course) = steered(rig, slot, plan, &phones, &[], &commands)?;
    let refused = |reply: &&String| !reply.contains(": +OK");
    let mut wrong: Vec<String> = replies[..5].iter().filter(refused).cloned().collect();
    if !replies[5].contains(": -ERR") {
        wrong.push(format!("a target that does not ring: {}", replies[5]));
    }
    let seen = course.seen();
    let bands: [(&str, Band, Band); 4] = [
        ("1002", (0, 400), (480, 1000)),
        ("1003", (0, 400), (2680, 3100)),
        ("1005", (2680, 3100), (3480, 4300)),
        ("1004", (3080, 3500), (3480, 4300)),
    ];
    for (name, from, to) in bands {
        match seen.rings.iter().find(|ring| ring.phone == name) {
            Some(ring)
                if (from.0..=from.1).contains(&ring.from) && (to.0..=to.1).contains(&ring.to) => {}
            Some(ring) => wrong.push(format!(
                "{name} rang {}..{} ms, expected {from:?}..{to:?}",
                ring.from, ring.to
            )),
            None => wrong.push(format!("{name} did not ring")),
        }
    }
    if seen.joined.as_deref() != Some("1004") || seen.variable("cti_winner") != Some("user/1004") {
        wrong.push(format!(
            "joined {:?}, cti_winner {:?}",
            seen.joined,
            seen.variable("cti_winner")
        ));
    }
    wrong.extend(events(rig, &course, "answered"));
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// The caller's key ends the call, and no phone hides it as answered elsewhere.
fn cancel_key(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [phone("1002", Rings), phone("1003", Rings)];
    let commands = [
        (300, "uuid_recv_dtmf UUID 5"),
        (600, "uuid_recv_dtmf UUID *"),
    ];
    let key = [("origination_cancel_key", "*")];
    let plan = "user/1002,user/1003";
    let (_, course) = steered(rig, slot, plan, &phones, &key, &commands)?;
    let seen = course.seen();
    let mut wrong: Vec<String> = seen
        .rings
        .iter()
        .filter(|ring| ring.told != CallerGone || !(580..=1050).contains(&ring.to))
        .map(|ring| format!("{} was told {:?} at {} ms", ring.phone, ring.told, ring.to))
        .collect();
    if seen.rings.len() != 2 {
        wrong.push(format!("{} phones rang", seen.rings.len()));
    }
    for (name, value) in [
        ("cti_result", "cancelled"),
        ("cti_cause", "ORIGINATOR_CANCEL"),
        key[0],
    ] {
        if seen.variable(name) != Some(value) {
            wrong.push(format!("{name} is {:?}", seen.variable(name)));
        }
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

fn operator_cancels(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [phone("1002", Rings), phone("1003", Rings)];
    let commands = [(600, "cti cancel UUID")];
    let (replies, course) = steered(rig, slot, "user/1002|user/1003", &phones, &[], &commands)?;
    let mut wrong: Vec<String> = replies
        .iter()
        .filter(|reply| !reply.contains(": +OK"))
        .cloned()
        .collect();
    let seen = course.seen();
    if seen.rings.len() != 1
        || seen
            .rings
            .iter()
            .any(|ring| !(580..=1050).contains(&ring.to))
    {
        wrong.push(format!(
            "rings: {:?}",
            seen.rings
                .iter()
                .map(|ring| (&ring.phone, ring.to))
                .collect::<Vec<_>>()
        ));
    }
    if seen.variable("cti_result") != Some("cancelled") {
        wrong.push(format!("cti_result is {:?}", seen.variable("cti_result")));
    }
    wrong.extend(events(rig, &course, "cancelled"));
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// The story that `cti::call` events tell: it begins, it ends with this result, and no leg ends twice.
pub fn events(rig: &Rig, course: &Course, result: &str) -> Vec<String> {
    let events = rig.switch.events.of(&course.uuid);
    let ours: Vec<_> = events
        .iter()
        .filter(|event| event.get("CTI-Action").is_some())
        .collect();
    let actions: Vec<&str> = ours
        .iter()
        .filter_map(|event| event.get("CTI-Action"))
        .collect();
    let mut wrong = Vec::new();
    let count = |wanted: &str| actions.iter().filter(|action| **action == wanted).count();
    if actions.first() != Some(&"started") || count("started") != 1 || count("ended") != 1 {
        wrong.push(format!("events: {actions:?}"));
    }
    // A leg's channel may report its own end a moment after the call's.
    let last = ours
        .iter()
        .find(|event| event.get("CTI-Action") == Some("ended"));
    let said = last.and_then(|event| event.get("CTI-Result"));
    if said != Some(result) {
        wrong.push(format!(
            "CTI-Result at the end is {said:?}, expected {result}"
        ));
    }
    let legs = last.map(|event| serde_json::from_str::<serde_json::Value>(&event.body));
    if !matches!(legs, Some(Ok(serde_json::Value::Array(_)))) {
        wrong.push("the body of the last event is not the legs' JSON".to_string());
    }
    let ended: Vec<_> = ours
        .iter()
        .filter(|event| event.get("CTI-Action") == Some("leg_ended"))
        .filter_map(|event| event.get("CTI-Leg-UUID"))
        .collect();
    let once: std::collections::HashSet<_> = ended.iter().collect();
    if once.len() != ended.len() {
        wrong.push(format!("a leg ended twice: {ended:?}"));
    }
    wrong
}

fn is_loaded(rig: &Rig) -> Result<bool, String> {
    Ok(rig.switch.connect()?.api("module_exists mod_cti")?.trim() == "true")
}

fn unload_while_ringing(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let replies = std::thread::scope(|scope| {
        let unloading = scope.spawn(|| -> Result<String, String> {
            std::thread::sleep(Duration::from_millis(700));
            rig.switch.connect()?.api("unload mod_cti")
        });
        let phones = [phone("1002", Rings), phone("1003", Answers(1800))];
        let plan = "user/1002,user/1003";
        let order = Order {
            dial: Dial::Plan(plan),
            caller: Caller::Waits,
            variables: &[],
            phones: &phones,
        };
        let course = rig.call(&order, slot);
        (
            unloading
                .join()
                .map_err(|_| "the unloading thread panicked".to_string()),
            course,
        )
    });
    let (reply, course) = (replies.0??, replies.1?);
    // Refused, or it waited: either way the call was not harmed.
    if course.seen().joined.as_deref() != Some("1003") {
        wrong.push(format!(
            "the call did not go on: {:?} ({reply})",
            course.variable("cti_result")
        ));
    }
    if !is_loaded(rig)? {
        let loaded = rig.switch.connect()?.api("load mod_cti")?;
        if !loaded.starts_with("+OK") {
            wrong.push(format!("load after the unload said {loaded:?}"));
        }
    }
    Ok(Verdict {
        wrong,
        note: format!("unload said {:?}", reply.trim()),
        ..Verdict::default()
    })
}

/// What `examples/soak.rs` does with thousands of calls; `SOAK_SEED` draws others.
fn soak_of_150_calls(rig: &Rig, _: usize) -> Result<Verdict, String> {
    let seed = std::env::var("SOAK_SEED").ok();
    let soak = Soak {
        calls: 150,
        seed: seed.and_then(|seed| seed.parse().ok()).unwrap_or(4),
        lanes: 20,
        first: 0,
        round: 150,
    };
    let outcome = soak::run(rig, &soak, &|_| {})?;
    let results = outcome.results.iter();
    let results: Vec<String> = results
        .map(|(result, calls)| format!("{result} {calls}"))
        .collect();
    Ok(Verdict {
        note: format!("seed {}: {}", soak.seed, results.join(", ")),
        wrong: outcome.wrong,
        ..Verdict::default()
    })
}

fn load_and_unload(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let threads =
        || std::fs::read_dir(format!("/proc/{}/task", rig.switch.pid())).map(|tasks| tasks.count());
    let mut connection = rig.switch.connect()?;
    let before = threads().unwrap_or(0);
    let mut wrong = Vec::new();
    let began = Instant::now();
    for round in 0..20 {
        // Both ways of an operator: reload, and unload with a load after it.
        let commands: &[&str] = if round % 2 == 0 {
            &["reload mod_cti"]
        } else {
            &["unload mod_cti", "load mod_cti"]
        };
        for command in commands {
            let reply = connection.api(command)?;
            if !reply.contains("+OK") {
                wrong.push(format!("round {round}: {command} said {reply:?}"));
            }
        }
        if round % 5 == 4 {
            let phones = [phone("1002", Rings), phone("1003", Answers(100))];
            let plan = "user/1002,user/1003";
            let order = Order {
                dial: Dial::Plan(plan),
                caller: Caller::Waits,
                variables: &[],
                phones: &phones,
            };
            let course = rig.call(&order, slot)?;
            if course.variable("cti_result") != Some("answered") {
                wrong.push(format!(
                    "round {round}: a call gave {:?}",
                    course.variable("cti_result")
                ));
            }
        }
    }
    let seconds = began.elapsed().as_secs_f32();
    let after = threads().unwrap_or(0);
    // The switch's own pool keeps some session threads for a while.
    if after > before + 10 {
        wrong.push(format!("{before} threads before, {after} after"));
    }
    Ok(Verdict {
        wrong,
        note: format!("{seconds:.1} s, {before} threads before, {after} after"),
        ..Verdict::default()
    })
}
