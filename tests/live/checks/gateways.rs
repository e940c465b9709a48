//! Gateways that take their From from the caller's channel (`from-domain=auto-aleg-…`), dialled
//! in every way that has not the caller's session. mod_sofia looks for that channel without
//! asking whether it is there: what fails here first is the whole switch.

use super::{Verdict, operator, phone};
use crate::live::run::{Course, Dial, Order, Rig};
use crate::live::switch::{BEHIND, DOMAIN};
use crate::scenarios::{Behaviour::*, Caller, Phone};

/// The way with the caller's session: what every other one is compared with.
const PLAIN: &str = "G";
const WAYS: &[&str] = &[
    "user/1003,[leg_delay_start=300ms]G",
    "user/1003:_:G",
    "{cti_mode=progressive,cti_stage_timeout=600ms}user/1003|G",
    "{campon=true}G",
];
/// The two take their From from the caller, the third one does not.
const GATEWAYS: [&str; 3] = ["auto-full", "auto-domain", "carrier"];

pub fn beside(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let phones = [phone("1002", Answers(300)), phone("1003", Rings)];
    let mut known = Vec::new();
    for gateway in GATEWAYS {
        let target = format!("sofia/gateway/{gateway}/1002");
        let usual = call(rig, slot, &PLAIN.replace('G', &target), &phones)?;
        let usual = from(&usual, "1002").ok_or("the phone behind the gateway did not ring")?;
        for way in WAYS {
            let plan = way.replace('G', &target);
            let course = call(rig, slot, &plan, &phones)?;
            wrong.extend(judge(&plan, &course, "1002", &usual));
        }
        let command = format!("cti add UUID {target}");
        let typed = [(300, command.as_str())];
        let plan = "user/1003";
        let (replies, course) = operator::steered(rig, slot, plan, &phones, &[], &typed)?;
        wrong.extend(replies.into_iter().filter(|reply| !reply.contains(": +OK")));
        wrong.extend(judge(&command, &course, "1002", &usual));
        known.push(usual);
    }
    // The way by registration: there is nothing to ring before.
    let late = [
        Phone {
            name: BEHIND,
            user: BEHIND,
            does: RegistersThenAnswers(400, 300),
        },
        phone("1003", Rings),
    ];
    let plan = format!("{{cti_late_join=true}}user/1003,user/{BEHIND}");
    let course = call(rig, slot, &plan, &late)?;
    wrong.extend(judge(&plan, &course, BEHIND, &known[0]));
    // The two have what is the caller's and the third has not, or nothing has been shown.
    let callers = |from: &String| from.contains(DOMAIN);
    if known.iter().map(callers).ne([true, true, false]) {
        wrong.push(format!("with the session the gateways' From are {known:?}"));
    }
    Ok(Verdict {
        wrong,
        note: known.join(", "),
        ..Verdict::default()
    })
}

fn call(rig: &Rig, slot: usize, plan: &str, phones: &[Phone]) -> Result<Course, String> {
    let order = Order {
        dial: Dial::Plan(plan),
        caller: Caller::Waits,
        variables: &[],
        phones,
    };
    rig.call(&order, slot)
        .map_err(|error| format!("{plan}: {error}"))
}

/// The From of this phone's INVITE, without the tag that each INVITE has of its own.
fn from(course: &Course, name: &str) -> Option<String> {
    let (_, _, leg) = course.legs.iter().find(|(_, phone, _)| phone == name)?;
    let from = leg.invite.header("From")?;
    Some(from.split(";tag=").next().unwrap_or(from).to_owned())
}

fn judge(plan: &str, course: &Course, name: &str, usual: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let got = from(course, name);
    if got.as_deref() != Some(usual) {
        wrong.push(format!("{plan}: From is {got:?}, with the session {usual}"));
    }
    let seen = course.seen();
    if seen.joined.as_deref() != Some(name) {
        wrong.push(format!("{plan}: joined with {:?}", seen.joined));
    }
    let rings = |phone: &str| seen.rings.iter().any(|ring| ring.phone == phone);
    if plan.contains("1003") && !rings("1003") {
        wrong.push(format!("{plan}: 1003 did not ring"));
    }
    wrong
}
