//! What is told of a call while it lasts and afterwards: its events in their order, two lines in
//! the log, `cti calls` and `cti show`.
//! Events and the log's lines are compared whole, `cti show` by the words that it must have.

use super::{api, call, call_with, json, verdict};
use crate::live::checks::{Verdict, phone, steered};
use crate::live::esl::Packet;
use crate::live::run::{Course, Dial, Order, Rig};
use crate::live::switch::{from_slot, in_slot};
use crate::scenarios::{Behaviour::*, Caller, Phone};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The call's `cti::call` events in the order in which they were fired: action, and what tells it apart.
fn told(rig: &Rig, course: &Course) -> Result<Vec<String>, String> {
    let soon = Instant::now() + Duration::from_secs(5);
    let is_end = |event: &Packet| event.get("CTI-Action") == Some("ended");
    rig.switch
        .events
        .wait(&course.uuid, soon, is_end)
        .ok_or("no event `ended`")?;
    let mut events: Vec<Arc<Packet>> = rig.switch.events.of(&course.uuid);
    let nth = |event: &Packet| {
        let sequence = event.get("Event-Sequence")?;
        sequence.parse::<u64>().ok()
    };
    events.sort_by_key(|event| nth(event));
    let line = |event: &Arc<Packet>| {
        let action = event.get("CTI-Action")?;
        let mut line = action.to_owned();
        for name in [
            "CTI-Stage",
            "CTI-Target",
            "CTI-Cause",
            "CTI-Result",
            "CTI-Said",
        ] {
            if let Some(value) = event.get(name) {
                line = format!("{line} {}", from_slot(value, course.slot));
            }
        }
        Some(line)
    };
    Ok(events.iter().filter_map(line).collect())
}

fn compare(what: &str, told: &[String], expected: &[&str]) -> Vec<String> {
    if told == expected {
        return Vec::new();
    }
    vec![format!("{what}: {told:#?}, expected {expected:#?}")]
}

/// A busy switch delivers the news of a 180 late: only its place among the news of its own leg
/// and stage is certain. Everything else is told in exactly this order.
fn compare_story(what: &str, told: &[String], expected: &[&str]) -> Vec<String> {
    let rings = |line: &&str| line.starts_with("ringing ");
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let sorted = |story: &[&str]| {
        let (mut ringing, rest): (Vec<String>, Vec<String>) = story
            .iter()
            .map(|line| line.to_string())
            .partition(|line| rings(&line.as_str()));
        ringing.sort();
        [ringing, rest].concat()
    };
    let in_place = |at: usize| {
        let leg = &told[at]["ringing ".len()..];
        let stage = format!("stage {}", leg.split(' ').next().unwrap_or(""));
        let later = [format!("answered {leg}"), format!("leg_ended {leg}")];
        told[..at].contains(&stage.as_str())
            && !told[..at]
                .iter()
                .any(|line| later.iter().any(|it| line.starts_with(it)))
    };
    let mut ringing = (0..told.len()).filter(|&at| rings(&told[at]));
    if sorted(&told) == sorted(expected) && ringing.all(in_place) {
        return Vec::new();
    }
    vec![format!("{what}: {told:#?}, expected {expected:#?}")]
}

/// A plan, its phones, when the caller gives up, and what is told.
type Story = (
    &'static str,
    &'static [Phone],
    Caller,
    &'static [&'static str],
);

const STORIES: &[Story] = &[
    (
        "user/1002,[leg_delay_start=100ms]user/1003|user/1004",
        &[
            phone("1002", RingsThenRejects(486, 900)),
            phone("1003", RingsThenRejects(603, 500)),
            phone("1004", Answers(600)),
        ],
        Caller::Waits,
        &[
            "started",
            "stage 1",
            "ringing 1 user/1002",
            "ringing 1 [leg_delay_start=100ms]user/1003",
            "leg_ended 1 [leg_delay_start=100ms]user/1003 CALL_REJECTED",
            "leg_ended 1 user/1002 USER_BUSY",
            "stage 2",
            "ringing 2 user/1004",
            "answered 2 user/1004",
            "leg_ended 2 user/1004 NORMAL_CLEARING",
            "ended SUCCESS answered",
        ],
    ),
    (
        "[leg_delay_start=100ms]user/1002,user/1003",
        &[phone("1002", Rings), phone("1003", Answers(700))],
        Caller::Waits,
        &[
            "started",
            "stage 1",
            "ringing 1 user/1003",
            "ringing 1 [leg_delay_start=100ms]user/1002",
            "answered 1 user/1003",
            "leg_ended 1 [leg_delay_start=100ms]user/1002 LOSE_RACE",
            "leg_ended 1 user/1003 NORMAL_CLEARING",
            "ended SUCCESS answered",
        ],
    ),
    (
        "user/1003",
        &[phone("1003", AnnouncesThenAnswers(600))],
        Caller::Waits,
        &[
            "started",
            "stage 1",
            "ringing 1 user/1003",
            "answered 1 user/1003",
            "leg_ended 1 user/1003 NORMAL_CLEARING",
            "ended SUCCESS answered",
        ],
    ),
    (
        "user/9999|user/1003|user/1004",
        &[phone("1003", Rings)],
        Caller::HangsUpAfter(700),
        &[
            "started",
            "stage 1",
            "leg_ended 1 user/9999 SUBSCRIBER_ABSENT",
            "stage 2",
            "ringing 2 user/1003",
            "leg_ended 2 user/1003 ORIGINATOR_CANCEL",
            "ended ORIGINATOR_CANCEL cancelled",
        ],
    ),
];

pub fn events_of_a_call(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    for &(plan, phones, caller, expected) in STORIES {
        let order = Order {
            dial: Dial::Plan(plan),
            caller,
            variables: &[],
            phones,
        };
        let course = rig.call(&order, slot)?;
        wrong.extend(compare_story(plan, &told(rig, &course)?, expected));
        wrong.extend(times(rig, &course)?);
    }
    verdict(wrong, format!("{} calls", STORIES.len()))
}

/// A leg's events and `cti_legs` must give the same times, and `ended` carries the same legs.
fn times(rig: &Rig, course: &Course) -> Result<Vec<String>, String> {
    let legs = course.variable("cti_legs").unwrap_or("");
    let mut wrong = Vec::new();
    let parsed = json(legs)?;
    for event in rig.switch.events.of(&course.uuid) {
        let of = |name: &str| event.get(name).unwrap_or("");
        let field = match of("CTI-Action") {
            "ringing" => "ringing_ms",
            "answered" => "answered_ms",
            "leg_ended" => "ended_ms",
            "ended" if event.body != legs => {
                wrong.push(format!("the body of `ended` is {}", event.body));
                continue;
            }
            _ => continue,
        };
        let mut all = parsed.as_array().into_iter().flatten();
        // A leg that could not be dialled has none.
        let leg = all.find(|leg| leg["uuid"].as_str().unwrap_or("") == of("CTI-Leg-UUID"));
        let time = leg.map(|leg| leg[field].to_string());
        if time.as_deref() != Some(of("CTI-Elapsed-Ms")) {
            wrong.push(format!(
                "{field} is {time:?}, in its event {}",
                of("CTI-Elapsed-Ms")
            ));
        }
    }
    Ok(wrong)
}

pub fn events_of_an_operator(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const PHONES: [Phone; 3] = [
        phone("1002", Rings),
        phone("1003", Answers(300)),
        phone("1004", Answers(300)),
    ];
    const RINGS: [&str; 3] = ["started", "stage 1", "ringing 1 user/1002"];
    const LOST: [&str; 1] = ["leg_ended 1 user/1002 LOSE_RACE"];
    const NEXT: [&str; 5] = [
        "stage 2",
        "ringing 2 user/1003",
        "answered 2 user/1003",
        "leg_ended 2 user/1003 NORMAL_CLEARING",
        "ended SUCCESS answered",
    ];
    let cancelled = [
        "cancel the call is cancelled",
        "leg_ended 1 user/1002 ORIGINATOR_CANCEL",
        "ended ORIGINATOR_CANCEL cancelled",
    ];
    let over = [
        "skip stage 1 of 2 is over",
        "leg_ended 1 user/1002 NO_ANSWER",
    ];
    let dropped = [
        "drop 1 leg(s) of user/1002 dropped",
        "leg_ended 1 user/1002 ORIGINATOR_CANCEL",
    ];
    let added = [
        "add 1 more leg(s) ring",
        "ringing 1 user/1004",
        "answered 1 user/1004",
    ];
    let parted = [
        "leg_ended 1 user/1004 NORMAL_CLEARING",
        "ended SUCCESS answered",
    ];
    let table: [(&str, Vec<&str>); 5] = [
        ("cti cancel UUID", cancelled.to_vec()),
        ("cti skip UUID", [&over[..], &NEXT].concat()),
        ("cti drop UUID user/1002", [&dropped[..], &NEXT].concat()),
        (
            "cti add UUID user/1004",
            [&added[..], &LOST, &parted].concat(),
        ),
        (
            "cti extend UUID 2",
            [&["extend"][..], &["leg_ended 1 user/1002 NO_ANSWER"], &NEXT].concat(),
        ),
    ];
    let mut wrong = Vec::new();
    for (command, follows) in table {
        let plan = "{cti_stage_timeout=1}user/1002|user/1003";
        let commands = [(300, command)];
        let (replies, course) = steered(rig, slot, plan, &PHONES, &[], &commands)?;
        wrong.extend(replies.into_iter().filter(|reply| !reply.contains("+OK")));
        let mut told = told(rig, &course)?;
        // How much is left depends on the moment.
        for line in told.iter_mut().filter(|line| line.starts_with("extend ")) {
            *line = "extend".to_owned();
        }
        let expected = [&RINGS[..], &follows].concat();
        wrong.extend(compare_story(command, &told, &expected));
        let by = rig.switch.events.of(&course.uuid);
        let by = by
            .iter()
            .find_map(|event| event.get("CTI-By").map(str::to_owned));
        if by.as_deref() != Some("api") {
            wrong.push(format!("{command}: CTI-By is {by:?}"));
        }
    }
    verdict(wrong, "")
}

/// What the log says of a call at INFO and above in our name, without time and place.
fn logged(rig: &Rig, course: &Course) -> Vec<String> {
    let is_ours = |line: &&str| {
        line.contains(&course.uuid) && line.contains("cti_bridge: ") && !line.contains("[DEBUG]")
    };
    let text = |line: &str| {
        let (head, text) = line.split_once("cti_bridge: ")?;
        let level = head.split_once('[')?.1.split_once(']')?.0;
        Some(format!("{level} {text}"))
    };
    let log = rig.switch.log();
    // The dialplan's own lines name the application as well, as `cti_bridge(…)`.
    log.lines().filter(is_ours).filter_map(text).collect()
}

pub fn log_of_a_call(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [
        phone("1002", RingsThenRejects(486, 200)),
        phone("1003", Answers(200)),
    ];
    let plan = "user/1002|user/1003";
    let quiet = call(rig, slot, plan, &phones)?;
    let busy = [phone("1002", Rejects(486, 100))];
    let failed = call(rig, slot, "user/1002", &busy)?;
    let loud = call_with(rig, slot, plan, &phones, &[("cti_debug", "true")])?;
    let user = |number: &str| in_slot(&format!("user/{number}"), slot);
    let shape = |lines: &[String]| -> Vec<String> {
        let word = |line: &String| {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                // INFO 0.123 s ringing …
                [level, _, "s", action, ..] => format!("{level} {action}"),
                [level, what, ..] => format!("{level} {what}"),
                _ => line.clone(),
            }
        };
        lines.iter().map(word).collect()
    };
    let first = format!("INFO {}|{}", user("1002"), user("1003"));
    let short = [first.as_str(), "INFO answered"];
    let long = [
        first.as_str(),
        "INFO started",
        "INFO stage",
        "INFO ringing",
        "INFO leg_ended",
        "INFO stage",
        "INFO ringing",
        "INFO answered",
        "INFO leg_ended",
        "INFO ended",
        "INFO answered",
    ];
    let mut wrong = compare("by default", &shape(&logged(rig, &quiet)), &short);
    let only = format!("INFO {}", user("1002"));
    let failed = shape(&logged(rig, &failed));
    wrong.extend(compare("a failure", &failed, &[&only, "INFO busy"]));
    let told = logged(rig, &loud);
    wrong.extend(compare("cti_debug", &shape(&told), &long));
    let leg = told.iter().find(|line| line.contains("leg_ended"));
    let says = [
        "stage=1".to_owned(),
        format!("target={}", user("1002")),
        "leg-uuid=".to_owned(),
        "cause=USER_BUSY".to_owned(),
    ];
    if leg.is_none_or(|leg| !says.iter().all(|word| leg.contains(word))) {
        wrong.push(format!("a leg's end is told as {leg:?}"));
    }
    verdict(wrong, "")
}

pub fn shown(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [
        phone("1002", RingsThenRejects(486, 300)),
        phone("1003", Rings),
        phone("1004", Answers(2500)),
    ];
    let plan = "{cti_timeout=30}user/1002,[leg_timeout=1]user/1003|\
                [leg_timeout=9]user/1004,[leg_delay_start=5]user/1003";
    let commands = [
        (700, "cti show UUID"),
        (700, "cti show UUID json"),
        (1500, "cti calls"),
    ];
    let (replies, course) = steered(rig, slot, plan, &phones, &[], &commands)?;
    let mut wrong = Vec::new();
    let user = |number: &str| in_slot(number, slot);
    let mut says = |what: &str, text: &str, words: &[&str]| {
        for word in words {
            let word = in_slot(word, slot);
            if !text.contains(&word) {
                wrong.push(format!("{what} does not say {word:?}:\n{text}"));
            }
        }
    };
    says(
        "cti show",
        &replies[0],
        &[
            &course.uuid,
            " 1001 ",
            "ringing, began 0.",
            "stage 1 of 2: 19.",
            "the call: 29.",
            "ago, USER_BUSY  user/1002 -> ",
            "ringing for 0.",
            " s, 0.",
            " left  [leg_timeout=1]user/1003 -> ",
        ],
    );
    says(
        "cti calls",
        &replies[2],
        &[
            "+OK 1 calls",
            "stage 2 of 2: 59.",
            "ago, NO_ANSWER  [leg_timeout=1]user/1003 -> ",
            " s, 8.",
            " left  [leg_timeout=9]user/1004 -> ",
            "starts in 4.",
            "[leg_delay_start=5]user/1003 -> ",
        ],
    );
    let ended = api(rig, &format!("cti show {}", course.uuid))?;
    says(
        "cti show, afterwards",
        &ended,
        &[
            &format!("+OK\n{} 1001 answered SUCCESS after ", course.uuid),
            "failed USER_BUSY",
            "failed NO_ANSWER",
            "winner NORMAL_CLEARING",
            "=#",
        ],
    );
    let (_, now) = replies[1].split_once(": ").unwrap_or_default();
    let now = json(now)?;
    let leg = &now["legs"][1];
    let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
    let fits = now["caller"] == user("1001").as_str()
        && now["parts"][0]["stage"] == 1
        && now["parts"][0]["stages"] == 2
        && (19_000..=19_500).contains(&number(&now["parts"][0]["stage_left_ms"]))
        && (29_000..=29_500).contains(&number(&now["parts"][0]["call_left_ms"]))
        && now["legs"][0]["state"] == "ended"
        && leg["state"] == "ringing"
        && (400..=900).contains(&number(&leg["age_ms"]))
        && (1..=400).contains(&number(&leg["left_ms"]))
        && leg["contact"]
            .as_str()
            .is_some_and(|it| it.contains("sofia/"));
    if !fits {
        wrong.push(format!("cti show json: {now:#}"));
    }
    let later = json(&api(rig, &format!("cti show {} json", course.uuid))?)?;
    let legs = serde_json::from_str::<Value>(course.variable("cti_legs").unwrap_or(""));
    if later["result"] != "answered" || legs.ok().as_ref() != Some(&later["legs"]) {
        wrong.push(format!("cti show json, afterwards: {later:#}"));
    }
    let unknown = api(rig, "cti show 00000000-0000-0000-0000-000000000000")?;
    if !unknown.starts_with("-ERR no call") {
        wrong.push(format!("an unknown call: {unknown}"));
    }
    verdict(wrong, "")
}
