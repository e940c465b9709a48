//! Knowing what happened, on the real switch: metrics as Prometheus and the dashboard read them,
//! records as the CDR modules write them, events, the log, and what `cti calls` and `cti show` say.
//! Each check runs alone: it counts, or it asks for the only call there is.

mod metrics;
mod records;
mod telling;

use super::checks::{Check, Verdict, When};
use super::run::{Course, Dial, Order, Rig};
use crate::scenarios::{Caller, Phone};
use serde_json::Value;

type Run = fn(&Rig, usize) -> Result<Verdict, String>;

const fn alone(name: &'static str, run: Run) -> Check {
    Check {
        name,
        when: When::Alone,
        run,
    }
}

pub const CHECKS: &[Check] = &[
    alone("metrics_count_real_calls", metrics::metrics_count),
    alone("metrics_please_promtool", metrics::promtool),
    alone("dashboard_is_answered_by_prometheus", metrics::dashboard),
    alone("cdr_json_has_every_leg", records::json_cdr),
    alone("cdr_csv_is_read_back_whole", records::csv_cdr),
    alone("events_tell_a_call_in_order", telling::events_of_a_call),
    alone(
        "events_tell_an_operators_commands",
        telling::events_of_an_operator,
    ),
    alone("log_tells_two_lines_a_call", telling::log_of_a_call),
    alone("show_tells_what_rings_and_what_rang", telling::shown),
];

pub fn verdict(wrong: Vec<String>, note: impl Into<String>) -> Result<Verdict, String> {
    Ok(Verdict {
        wrong,
        note: note.into(),
        ..Verdict::default()
    })
}

fn skipped(reason: impl Into<String>) -> Result<Verdict, String> {
    Ok(Verdict {
        skipped: Some(reason.into()),
        ..Verdict::default()
    })
}

fn call(rig: &Rig, slot: usize, plan: &str, phones: &[Phone]) -> Result<Course, String> {
    call_with(rig, slot, plan, phones, &[])
}

pub fn call_with(
    rig: &Rig,
    slot: usize,
    plan: &str,
    phones: &[Phone],
    variables: &[(&str, &str)],
) -> Result<Course, String> {
    let order = Order {
        dial: Dial::Plan(plan),
        caller: Caller::Waits,
        variables,
        phones,
    };
    rig.call(&order, slot)
}

pub fn api(rig: &Rig, command: &str) -> Result<String, String> {
    rig.switch.connect()?.api(command)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}

/// A module that is loaded as long as this lives.
struct Loaded<'a>(&'a Rig, &'static str);

impl<'a> Loaded<'a> {
    /// None where this FreeSWITCH has no such module.
    fn load(rig: &'a Rig, name: &'static str) -> Result<Option<Loaded<'a>>, String> {
        let file = rig.switch.directory.join(format!("mod/{name}.so"));
        if !file.exists() {
            return Ok(None);
        }
        let said = api(rig, &format!("load {name}"))?;
        if said.contains("+OK") {
            Ok(Some(Loaded(rig, name)))
        } else {
            Err(format!("load {name}: {said}"))
        }
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        let _ = api(self.0, &format!("unload {}", self.1));
    }
}
