//! FreeSWITCH's own dialplan, as it was installed, with every `bridge` replaced by `cti_bridge`.
//! Each of its extensions that rings is dialled in both: who rings, who is joined, what the caller
//! is told and where the dialplan goes on must be the same.

use super::{Verdict, phone};
use crate::live::run::{Course, Dial, Order, Rig};
use crate::live::switch::STOCK;
use crate::scenarios::{Behaviour::*, Caller, Phone};

/// Voicemail without its sounds hangs up before it answers: only an answer is a success here.
const VOICEMAIL: &[&str] = &["originate_disposition"];

/// A plan that names nobody is refused as such.
const NOBODY: &[&str] = &["originate_disposition", "hangup_cause"];

/// An extension, what the phones do, and which variables differ by intention.
const CALLS: &[(&str, &[Phone], &[&str])] = &[
    // A phone, then its voicemail.
    ("1002", &[phone("1002", Answers(300))], &[]),
    (
        "1002",
        &[phone("1002", RingsThenRejects(486, 300))],
        VOICEMAIL,
    ),
    ("1002", &[phone("1002", Rejects(603, 100))], VOICEMAIL),
    ("1002", &[], VOICEMAIL),
    // Intercom: the phone is asked to answer by itself.
    ("81002", &[phone("1002", Answers(100))], &[]),
    ("81002", &[phone("1002", Rejects(480, 100))], &[]),
    // The three groups, written in two ways.
    (
        "2000",
        &[phone("1002", Rings), phone("1003", Answers(400))],
        &[],
    ),
    (
        "2001",
        &[phone("1002", Answers(400)), phone("1003", Rings)],
        &[],
    ),
    (
        "2002",
        &[
            phone("1002", RingsThenRejects(486, 200)),
            phone("1003", RingsThenRejects(486, 400)),
        ],
        &[],
    ),
    // Groups that the users of the `group` application would have made: there are none.
    ("8200", &[], NOBODY),
    ("8300", &[], NOBODY),
];

/// All that must be the same.
#[derive(Debug, PartialEq)]
struct Story {
    rings: Vec<(String, String)>,
    joined: Option<String>,
    caller_was_answered: bool,
    /// Names and values of the caller's variables that a dialplan reads afterwards.
    variables: Vec<(&'static str, Option<String>)>,
}

/// Not `last_bridge_hangup_cause`, which with `bridge` is the leg's that ended last.
const VARIABLES: [&str; 4] = [
    "hangup_cause",
    "originate_disposition",
    "dialed_extension",
    "called_party_callgroup",
];

fn story(course: &Course, except: &[&str]) -> Story {
    let seen = course.seen();
    let mut rings: Vec<_> = seen
        .rings
        .iter()
        .map(|ring| (ring.phone.clone(), format!("{:?}", ring.told)))
        .collect();
    rings.sort();
    let compared = VARIABLES.iter().filter(|name| !except.contains(name));
    Story {
        rings,
        joined: seen.joined.clone(),
        caller_was_answered: course.answered.is_some(),
        variables: compared
            .map(|&name| (name, seen.variable(name).map(str::to_owned)))
            .collect(),
    }
}

pub fn rings_as_before(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    if rig.switch.stock.is_none() {
        return Ok(Verdict {
            skipped: Some("FreeSWITCH was installed without its dialplan".to_string()),
            ..Verdict::default()
        });
    }
    let mut wrong = Vec::new();
    for (exten, phones, except) in CALLS {
        let mut stories = Vec::new();
        for application in STOCK {
            let order = Order {
                dial: Dial::Stock(exten, application),
                caller: Caller::Waits,
                variables: &[],
                phones,
            };
            let course = rig.call(&order, slot);
            let course = course.map_err(|error| format!("{exten} with {application}: {error}"))?;
            stories.push(story(&course, except));
        }
        if stories[0] != stories[1] {
            let [bridge, ours] = [&stories[0], &stories[1]];
            wrong.push(format!("{exten}: bridge {bridge:?}, cti_bridge {ours:?}"));
        }
    }
    Ok(Verdict {
        wrong,
        note: format!("{} calls", CALLS.len()),
        ..Verdict::default()
    })
}
