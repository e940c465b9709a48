//! Hands on a call that rings: an operator's commands, the caller's cancel key, and the
//! story that events tell of it. `steered` types commands at given
//! times; it and `events` are there for other rooms as well.

use super::{Verdict, phone};
use crate::live::run::{Course, Dial, Order, Rig};
use crate::live::switch::in_slot;
use crate::scenarios::{Behaviour::*, Caller, Phone, Told::*};
use std::time::{Duration, Instant};

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

pub fn operator_steers(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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
pub fn cancel_key(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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

pub fn operator_cancels(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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

/// A caller gives up while global variables of the names that tell a call's end are about:
/// what happened is told, everywhere the same.
pub fn told_by_what_happened(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const LIES: [(&str, &str); 3] = [
        ("cti_error", "a lie"),
        ("cti_result", "invalid"),
        ("cti_cause", "USER_BUSY"),
    ];
    let mut connection = rig.switch.connect()?;
    for (name, lie) in LIES {
        connection.api(&format!("global_setvar {name}={lie}"))?;
    }
    let phones = [phone("1002", Rings)];
    let order = Order {
        dial: Dial::Plan("user/1002"),
        caller: Caller::HangsUpAfter(600),
        variables: &[],
        phones: &phones,
    };
    let course = rig.call(&order, slot);
    for (name, _) in LIES {
        connection.api(&format!("global_setvar {name}="))?;
    }
    let course = course?;
    let mut wrong = Vec::new();
    for (name, value) in [
        ("cti_result", "cancelled"),
        ("cti_cause", "ORIGINATOR_CANCEL"),
    ] {
        if course.variable(name) != Some(value) {
            wrong.push(format!("{name} is {:?}", course.variable(name)));
        }
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
