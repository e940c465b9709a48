//! Phones that have moved (`cti_redirect`): with whose rights their new place is dialled, and what a
//! phone may say there. The user of the context `walled` may call neither everybody nor far away.
//! What a redirect does to the other phones and to the deadlines stands in the scenario table.

use super::{Verdict, phone};
use crate::live::knowing::{api, verdict};
use crate::live::run::{Beside, Course, Dial, Order, Rig};
use crate::live::switch::{DOMAIN, WALLED, in_slot};
use crate::scenarios::Behaviour::{self, *};
use crate::scenarios::{Caller, Phone, Reply, moved, says};
use serde_json::Value;

/// The phone of the walled user, which says this at once.
const fn walled(says: &'static [Reply]) -> Phone {
    phone(WALLED, Says(says))
}

fn dial(
    rig: &Rig,
    slot: usize,
    plan: &str,
    phones: &[Phone],
    beside: &Beside,
) -> Result<Course, String> {
    let order = Order {
        dial: Dial::Plan(plan),
        caller: Caller::Waits,
        variables: &[],
        phones,
    };
    rig.call_with(&order, beside, slot)
}

fn legs(course: &Course) -> Result<Vec<Value>, String> {
    let text = course.variable("cti_legs").unwrap_or("[]");
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}

fn rang(course: &Course, name: &str) -> usize {
    let legs = course.legs.iter();
    legs.filter(|(_, phone, _)| phone == name).count()
}

/// A number is dialled by the phone's user and not by the caller, who has exported his rights to
/// every leg.
pub fn rights(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let beside = Beside {
        before: &[
            ("export", "toll_allow=international"),
            ("also-export", "accountcode=caller"),
        ],
        ..Beside::default()
    };
    const TO_A_TOLL: &[Reply] = &[moved(50, &["<sip:toll_1003@127.0.0.1>"])];
    const OUT_OF_CONTEXT: &[Reply] = &[moved(50, &["<sip:by_cti_1003@127.0.0.1>"])];
    const INSIDE: &[Reply] = &[says(0, 180), moved(50, &["<sip:inside_1003@127.0.0.1>"])];
    let plan = format!("user/{WALLED}|user/1004");
    for (what, says, winner) in [
        ("a call that the user may not make", TO_A_TOLL, "1004"),
        ("another context", OUT_OF_CONTEXT, "1004"),
        ("a call that the user may make", INSIDE, "1003"),
    ] {
        let phones = [
            walled(says),
            phone("1003", Answers(100)),
            phone("1004", Answers(100)),
        ];
        let course = dial(rig, slot, &plan, &phones, &beside)?;
        // The phone behind the dialplan is not the caller's own leg.
        let right = course.answered.is_some() && rang(&course, winner) == 1;
        let others = ["1003", "1004"].iter().filter(|name| **name != winner);
        let others: usize = others.map(|name| rang(&course, name)).sum();
        if !right || others > 0 {
            let legs = course.variable("cti_legs");
            wrong.push(format!("{what}: {winner} should have answered: {legs:?}"));
        }
    }
    verdict(wrong, "")
}

/// Who rings in another's place is told who has sent the call on, and everybody who looks is told
/// the whole way.
pub fn told(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const INSIDE: &[Reply] = &[says(0, 180), moved(50, &["<sip:inside_1003@127.0.0.1>"])];
    const TO_A_USER: &[Reply] = &[moved(50, &["<sip:1003@DOMAIN>"])];
    let mut wrong = Vec::new();
    for (says, reason) in [(INSIDE, "deflection"), (TO_A_USER, "unconditional")] {
        let phones = [
            walled(says),
            phone("1003", Answers(300)),
            phone("1004", Rings),
        ];
        let plan = format!("user/{WALLED},user/1004");
        let course = dial(rig, slot, &plan, &phones, &Beside::default())?;
        let invite = |name: &str| {
            let mut legs = course.legs.iter();
            legs.find_map(|(_, phone, leg)| (phone == name).then_some(&leg.invite))
        };
        let header = |name: &str, header: &str| invite(name)?.header(header).map(str::to_owned);
        let diversion = format!("<sip:{WALLED}@{DOMAIN}>;reason={reason}");
        if header("1003", "Diversion").as_deref() != Some(&diversion) {
            wrong.push(format!("Diversion: {:?}", header("1003", "Diversion")));
        }
        for name in ["X-Plan", "From"] {
            let value = |phone| {
                let value = header(phone, name)?;
                Some(value.split(";tag=").next().unwrap_or("").to_owned())
            };
            if value("1003").is_none() || value("1003") != value("1004") {
                let (there, beside) = (value("1003"), value("1004"));
                wrong.push(format!("{name}: {there:?}, on the other leg {beside:?}"));
            }
        }
        let hops = |phone| header(phone, "Max-Forwards")?.parse::<u32>().ok();
        if hops("1003") >= hops("1004") {
            let (there, beside) = (hops("1003"), hops("1004"));
            wrong.push(format!("Max-Forwards: {there:?}, on the other {beside:?}"));
        }
        let legs = legs(&course)?;
        let from = legs[0]["uuid"].as_str();
        let mut follower = legs
            .iter()
            .filter(|leg| leg.get("redirected_from").is_some());
        let follower = follower.next().cloned().unwrap_or_default();
        let right = legs[0]["role"] == "redirected"
            && legs[0]["sip_code"] == 302
            && follower["role"] == "winner"
            && follower["redirected_from"].as_str() == from;
        if !right {
            wrong.push(format!("cti_legs: {legs:?}"));
        }
        let events = rig.switch.events.of(&course.uuid);
        let mut redirects = events
            .iter()
            .filter(|event| event.get("CTI-Action") == Some("redirected"));
        let to = redirects.next().map(|event| {
            let of = |name: &str| event.get(name).unwrap_or("").to_owned();
            (of("CTI-Leg-UUID"), of("CTI-Redirected-To"))
        });
        let expected = if reason == "deflection" {
            "inside_1003"
        } else {
            "1003"
        };
        let expected = (from.unwrap_or("").to_owned(), in_slot(expected, slot));
        if to.as_ref() != Some(&expected) || redirects.next().is_some() {
            wrong.push(format!("the event tells {to:?}, not {expected:?}"));
        }
        let plan = "{cti_redirect=ignore}user/1002|[cti_redirect=core]user/1003";
        let explained = api(rig, &format!("cti explain {plan}"))?;
        for line in ["a phone that has moved (302) has failed", "redirect: core"] {
            if !explained.contains(line) {
                wrong.push(format!("cti explain does not say {line:?}:\n{explained}"));
            }
        }
        let shown = api(rig, &format!("cti show {}", course.uuid))?;
        let line = format!("user/{WALLED} > {}", expected.1);
        if !shown.contains(&line) || !shown.contains("redirected") {
            wrong.push(format!("cti show does not say {line:?}:\n{shown}"));
        }
    }
    verdict(wrong, "")
}

/// A dialplan that leads back to the phone, which moves again and again; also by way of another call.
pub fn loops(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const AGAIN: &[Reply] = &[moved(20, &["<sip:again@127.0.0.1>"])];
    const AROUND: &[Reply] = &[moved(20, &["<sip:around@127.0.0.1>"])];
    let mut wrong = Vec::new();
    // A plan's own `loopback/` carries nobody's headers.
    for (says, named) in [(AGAIN, [0, 1, 2, 3, 4, 5]), (AROUND, [0; 6])] {
        wrong.extend(leads_back(rig, slot, says, named)?);
    }
    verdict(wrong, "")
}

fn leads_back(
    rig: &Rig,
    slot: usize,
    says: &'static [Reply],
    named: [usize; 6],
) -> Result<Vec<String>, String> {
    let plan = format!("user/{WALLED}|user/1004");
    let phones = [walled(says), phone("1004", Answers(100))];
    let course = dial(rig, slot, &plan, &phones, &Beside::default())?;
    let mut wrong = Vec::new();
    let times = rang(&course, WALLED);
    let invites = course.legs.iter().filter(|(_, name, _)| name == WALLED);
    let diversions = invites.map(|(_, _, leg)| {
        let header = leg.invite.header("Diversion").unwrap_or("");
        header.matches(&format!("<sip:{WALLED}@{DOMAIN}>")).count()
    });
    let mut diversions: Vec<usize> = diversions.collect();
    diversions.sort_unstable();
    if diversions != named {
        wrong.push(format!("so often each Diversion names it: {diversions:?}"));
    }
    if times != 6 || rang(&course, "1004") != 1 || course.answered.is_none() {
        wrong.push(format!("the phone was invited {times} times, not 6"));
    }
    Ok(wrong)
}

/// What no phone may say: none of it is dialled, run or put into a header.
pub fn hostile(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let marker = rig.switch.directory.join("marker-moved");
    let run = format!("touch$IFS{}", marker.display());
    let touch = format!("${{system({run})}}");
    let contacts = [
        format!("<sip:{touch}@DOMAIN>"),
        format!("\"{touch}\" <sip:{touch}@DOMAIN;x={touch}>"),
        format!("<sip:loopback/app=system:{run}@DOMAIN>"),
        format!("<sip:1003,loopback/app=system:{run}@DOMAIN>"),
        format!("<sip:1003/inline/system:{run}@DOMAIN>"),
        format!("<sip:1003%2Cloopback%2Fapp=system:{run}@DOMAIN>"),
        format!("<sip:1003|loopback/app=system:{run}@DOMAIN>"),
        format!("<sip:1003:_:loopback/app=system:{run}@DOMAIN>"),
        format!("<sip:[execute_on_ring=system:{run}]1003@DOMAIN>"),
        format!("<sip:{{api_on_answer=system {run}}}1003@DOMAIN>"),
        "<sip:^^,a,1003@DOMAIN>".to_owned(),
        "<sip:1003%0d%0aX-Evil:%201@DOMAIN>".to_owned(),
        "<sip:1003%00@DOMAIN>".to_owned(),
        "<sip:10%2003@DOMAIN>".to_owned(),
        format!("<sip:{}@DOMAIN>", "1".repeat(500)),
        "<mailto:1003@DOMAIN>".to_owned(),
        "<tel:1003,1004>".to_owned(),
    ];
    let mut wrong = Vec::new();
    let mut reached = 0;
    for contact in contacts {
        // The scenarios' texts live as long as the program.
        let text: &'static str = Box::leak(contact.into_boxed_str());
        let places: &'static [&'static str] = Box::leak(Box::new([text]));
        let replies: &'static [Reply] = Box::leak(Box::new([moved(20, places)]));
        let phones = [
            walled(replies),
            phone("1003", Rings),
            phone("1004", Answers(50)),
        ];
        let plan = format!("{{cti_stage_timeout=2}}user/{WALLED}|user/1004");
        let course = dial(rig, slot, &plan, &phones, &Beside::default())?;
        let legs = legs(&course)?;
        reached += usize::from(legs[0]["sip_code"] == 302);
        if legs.len() != 2 || rang(&course, "1003") > 0 || rang(&course, "1004") != 1 {
            wrong.push(format!("{text}: {legs:?}"));
        }
        for (name, value) in &course.variables {
            if name.starts_with("cti_") && value.contains("${") {
                wrong.push(format!("{text}: {name}={value}"));
            }
        }
    }
    if marker.exists() {
        wrong.push("the command was run".to_owned());
    }
    if reached == 0 {
        wrong.push("the switch has let none of them in".to_owned());
    }
    verdict(wrong, format!("{reached} passed the switch's own reading"))
}

/// A header that a redirect could begin, in a URI's headers or in a name.
pub fn begins_no_header(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const EVIL: &[Reply] = &[moved(
        20,
        &["\"x\" <sip:inside_1003@127.0.0.1;a=b?X-Evil=1&Diversion=x>;q=0.5;reason=x"],
    )];
    let plan = format!("user/{WALLED}");
    let phones = [walled(EVIL), phone("1003", Answers(50))];
    let course = dial(rig, slot, &plan, &phones, &Beside::default())?;
    let mut wrong = Vec::new();
    let mut legs = course.legs.iter();
    let invite = legs.find(|(_, phone, _)| phone == "1003");
    let invite = invite.map(|(_, _, leg)| &leg.invite);
    let diversion = invite.and_then(|invite| invite.header("Diversion"));
    let expected = format!("<sip:{WALLED}@{DOMAIN}>;reason=unconditional");
    let evil = invite.and_then(|invite| invite.header("X-Evil"));
    if diversion != Some(&expected) || evil.is_some() {
        wrong.push(format!("Diversion {diversion:?}, X-Evil {evil:?}"));
    }
    verdict(wrong, "")
}

/// A phone that an operator adds, or that is in a progressive plan, and has moved.
pub fn added(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const TO_A_USER: Behaviour = Says(&[moved(50, &["<sip:1003@DOMAIN>"])]);
    let beside = Beside {
        typed: &[(300, "cti add CALLER user/1005")],
        ..Beside::default()
    };
    let phones = [
        phone("1002", Rings),
        phone("1003", Answers(200)),
        phone("1005", TO_A_USER),
    ];
    let mut wrong = Vec::new();
    let course = dial(rig, slot, "user/1002", &phones, &beside)?;
    if course.seen().joined.as_deref() != Some("1003") {
        wrong.push(format!("added: {:?}", course.variable("cti_legs")));
    }
    let plan = "{cti_mode=progressive,cti_stage_timeout=500ms}user/1005|user/1002";
    let phones = [
        phone("1002", Rings),
        phone("1003", Answers(650)),
        phone("1005", TO_A_USER),
    ];
    let course = dial(rig, slot, plan, &phones, &Beside::default())?;
    let both = rang(&course, "1002") == 1 && rang(&course, "1003") == 1;
    if course.seen().joined.as_deref() != Some("1003") || !both {
        wrong.push(format!("progressive: {:?}", course.variable("cti_legs")));
    }
    verdict(wrong, "")
}
