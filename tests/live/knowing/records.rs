//! Call detail records: the legs' JSON as mod_json_cdr and mod_cdr_csv write it, by the README's
//! own lines of configuration.
//! What is read back must be the very text that the caller's `cti_legs` had.

use super::{Loaded, call, json, skipped, verdict};
use crate::live::checks::{Verdict, phone};
use crate::live::esl::url_decode;
use crate::live::run::{Course, Rig};
use crate::live::switch::in_slot;
use crate::scenarios::Behaviour::*;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// The newest file below `directory` whose name ends so, once it is there.
fn written(directory: &Path, name: &str) -> Result<String, String> {
    let until = Instant::now() + Duration::from_secs(5);
    let path = directory.join(name);
    loop {
        match std::fs::read_to_string(&path) {
            Ok(text) if text.ends_with(['}', '\n']) => return Ok(text),
            _ if Instant::now() > until => return Err(format!("no {}", path.display())),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A call of two stages with a loser and a failure, and a target full of what CSV and JSON quote.
fn recorded(rig: &Rig, slot: usize) -> Result<Course, String> {
    let phones = [
        phone("1002", RingsThenRejects(486, 200)),
        phone("1003", Answers(300)),
        phone("1004", Rings),
    ];
    let plan = r#"user/1002|[sip_h_X-Quoted='"a,b"']user/1003,user/1004,user/9999"#;
    call(rig, slot, plan, &phones)
}

/// What is wrong with the legs of a record.
fn legs_of(text: &str, course: &Course) -> Vec<String> {
    let Ok(Value::Array(legs)) = serde_json::from_str(text) else {
        return vec![format!("cti_legs is no JSON list: {text}")];
    };
    let told: Vec<(&str, &str, &str)> = legs
        .iter()
        .map(|leg| {
            let of = |name: &str| leg[name].as_str().unwrap_or("");
            let target = of("target");
            let target = &target[target.len().saturating_sub("user/1002".len())..];
            (target, of("role"), of("cause"))
        })
        .collect();
    let users: Vec<String> = ["1002", "1003", "1004", "9999"]
        .iter()
        .map(|user| in_slot(&format!("user/{user}"), course.slot))
        .collect();
    let rest = [
        ("failed", "USER_BUSY"),
        ("winner", "NORMAL_CLEARING"),
        ("loser", "LOSE_RACE"),
    ];
    let mut wrong = Vec::new();
    let same =
        told.iter()
            .zip(&users)
            .zip(rest)
            .all(|(((target, role, cause), user), expected)| {
                target == user && (*role, *cause) == expected
            });
    if told.len() != 4 || !same {
        wrong.push(format!("the legs are {told:?}"));
    }
    if legs.iter().any(|leg| leg["ended_ms"].is_null()) {
        wrong.push(format!("a leg has no end: {text}"));
    }
    if course.variable("cti_legs") != Some(text) {
        wrong.push(format!(
            "the caller's cti_legs was {:?}, the record's {text}",
            course.variable("cti_legs")
        ));
    }
    wrong
}

pub fn json_cdr(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let Some(_cdr) = Loaded::load(rig, "mod_json_cdr")? else {
        return skipped("this FreeSWITCH has no mod_json_cdr");
    };
    let course = recorded(rig, slot)?;
    let directory = rig.switch.directory.join("log/json_cdr");
    let record = written(&directory, &format!("{}.cdr.json", course.uuid))?;
    let record = json(&record)?;
    let variables = &record["variables"];
    let mut wrong = legs_of(variables["cti_legs"].as_str().unwrap_or(""), &course);
    for name in ["cti_result", "cti_winner", "cti_ring_ms"] {
        if variables[name].as_str() != course.variable(name) {
            wrong.push(format!("{name} is {}", variables[name]));
        }
    }
    verdict(wrong, "")
}

/// The fields of one line of CSV with `"` around a field and `""` for one within.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    fields
}

pub fn csv_cdr(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let Some(_cdr) = Loaded::load(rig, "mod_cdr_csv")? else {
        return skipped("this FreeSWITCH has no mod_cdr_csv");
    };
    let course = recorded(rig, slot)?;
    let csv = written(&rig.switch.directory.join("log/cdr-csv"), "Master.csv")?;
    let line = csv
        .lines()
        .find(|line| line.contains(&course.uuid))
        .ok_or(format!("no line of the call in {csv}"))?;
    let fields: Vec<String> = fields(line).iter().map(|it| url_decode(it)).collect();
    let legs = fields.last().map_or("", String::as_str);
    let mut wrong = legs_of(legs, &course);
    let expected = ["cti_result", "cti_cause", "cti_winner", "cti_ring_ms"];
    let given: Vec<&str> = expected
        .iter()
        .map(|name| course.variable(name).unwrap_or(""))
        .collect();
    let found = fields.windows(given.len()).any(|window| window == given);
    if !found {
        wrong.push(format!("{given:?} are not in {fields:?}"));
    }
    verdict(wrong, format!("{} fields", fields.len()))
}
