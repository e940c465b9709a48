//! Seeing and steering the calls that ring now.
//! A command names a call by its caller's uuid, is carried out by the ring machine, and is
//! answered with what it did or why it could not.

use super::line::Order;
use crate::bridge;
use crate::calls::Call;
use crate::events;
use crate::history::ladder;
use crate::module::Module;
use crate::plan::Stage;
use crate::result::{self, LegReport};
use crate::ring::{Cause, Event, LegState, Ringing};
use crate::switch::LockedSession;
use crate::switch::session::cause_named;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// `cti calls [json]`
pub fn calls(module: &Module, json: bool) -> String {
    let calls = module.calls.all();
    if json {
        let calls: Vec<_> = calls.iter().map(|call| as_json(call)).collect();
        return format!("{}\n", json!(calls));
    }
    let mut text = format!("+OK {} calls\n", calls.len());
    calls.iter().for_each(|call| describe(call, &mut text));
    text
}

/// `cti show <uuid> [json]`
pub fn show(module: &Module, uuid: &str, json: bool) -> String {
    match module.calls.of_caller(uuid) {
        None => match module.history.find(uuid) {
            None => unknown(uuid),
            Some(call) if json => format!("{}\n", json!(*call)),
            Some(call) => format!("+OK\n{}", ladder(&call)),
        },
        Some(call) if json => format!("{}\n", as_json(&call)),
        Some(call) => {
            let mut text = String::from("+OK\n");
            describe(&call, &mut text);
            text
        }
    }
}

/// `cti metrics [json]`: without `+OK`, so that a scraper can take it as it is.
pub fn metrics(module: &Module, json: bool) -> String {
    let ringing: Vec<_> = module
        .calls
        .all()
        .into_iter()
        .filter(|call| !call.state.lock().ring.over())
        .collect();
    let open = |state: LegState| !matches!(state, LegState::Waiting | LegState::Ended);
    let legs = ringing
        .iter()
        .map(|call| {
            call.state
                .lock()
                .ring
                .legs()
                .iter()
                .filter(|leg| open(leg.state))
                .count()
        })
        .sum();
    match json {
        true => format!("{}\n", module.metrics.json(ringing.len(), legs)),
        false => module.metrics.text(ringing.len(), legs),
    }
}

fn unknown(uuid: &str) -> String {
    format!("-ERR no call of {uuid:?} in progress; `cti calls` lists them\n")
}

fn ringing(call: &Call) -> (Vec<Ringing>, bool) {
    let state = call.state.lock();
    (
        state.ring.ringing(call.began.elapsed()),
        state.ring.winner().is_some(),
    )
}

fn as_json(call: &Call) -> serde_json::Value {
    let (parts, joined) = ringing(call);
    let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
    let part = |part: &Ringing| {
        json!({
            "part": part.part + 1,
            "stage": part.stage,
            "stages": part.stages,
            "stage_left_ms": ms(part.stage_left),
            "call_left_ms": ms(part.call_left),
        })
    };
    json!({
        "uuid": call.uuid,
        "plan": call.plan.to_string(),
        "age_ms": call.began.elapsed().as_millis() as u64,
        "state": if joined { "joined" } else { "ringing" },
        "parts": parts.iter().map(part).collect::<Vec<_>>(),
        "legs": result::legs(call),
    })
}

fn describe(call: &Call, text: &mut String) {
    let (parts, joined) = ringing(call);
    let age = call.began.elapsed().as_secs_f64();
    let state = if joined { "joined" } else { "ringing" };
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{} {state} {age:.1} s  {}", call.uuid, call.plan);
    for part in parts {
        let left = |time: Option<Duration>| {
            time.map_or("no limit".to_owned(), |time| {
                format!("{:.1} s left", time.as_secs_f64())
            })
        };
        let _ = writeln!(
            text,
            "  stage {} of {}: {}; the call: {}",
            part.stage,
            part.stages,
            left(part.stage_left),
            left(part.call_left)
        );
    }
    for leg in result::legs(call) {
        let uuid = leg.uuid.as_deref().unwrap_or("-");
        let _ = writeln!(
            text,
            "    {uuid} {} {} -> {}",
            state_of(&leg),
            leg.target,
            leg.contact
        );
    }
}

fn state_of(leg: &LegReport) -> String {
    let at = |what: &str, ms: u64| format!("{what} since {:.1} s", ms as f64 / 1000.0);
    match (leg.ended_ms, leg.answered_ms, leg.ringing_ms, leg.start_ms) {
        (Some(_), ..) => format!("ended {}", leg.cause.as_deref().unwrap_or("")),
        (_, Some(ms), ..) => at("answered", ms),
        (_, _, Some(ms), _) => at("ringing", ms),
        (_, _, _, Some(ms)) => at("dialled", ms),
        _ => "waiting".to_owned(),
    }
}

/// `cancel`, `skip`, `drop`, `add` or `extend`; `by`: who asks, for the event.
pub fn command(module: &Module, uuid: &str, order: Order<'_>, by: &str) -> String {
    let command = order.name();
    let Some(call) = module.calls.of_caller(uuid) else {
        return unknown(uuid);
    };
    if call.state.lock().ring.over() {
        return format!("-ERR {uuid} rings no more: it was answered or is ending\n");
    }
    let done = match order {
        Order::Cancel(cause) => cancel(&call, cause),
        Order::Skip => skip(&call),
        Order::Drop(which) => drop_leg(&call, which),
        Order::Add(stage) => add(&call, &stage),
        Order::Extend(time) => extend(&call, time),
    };
    match done {
        Ok(said) => {
            tracing::debug!(
                uuid = call.uuid.as_str(),
                "cti_bridge: {command} by {by}: {said}"
            );
            call.announce(events::operated(command, by, &said));
            format!("+OK {said}\n")
        }
        Err(why) => format!("-ERR {why}\n"),
    }
}

fn cancel(call: &Arc<Call>, cause: Option<&str>) -> Result<String, String> {
    let cause = match cause {
        None => Cause::ORIGINATOR_CANCEL,
        Some(name) => cause_named(name)
            .filter(|cause| {
                cause.0 < 128 || *cause == Cause::ORIGINATOR_CANCEL || *cause == Cause::LOSE_RACE
            })
            .ok_or_else(|| format!("no hangup cause {name:?}; for example NORMAL_CLEARING"))?,
    };
    call.feed(Event::Cancel(cause));
    Ok("the call is cancelled".to_owned())
}

fn skip(call: &Arc<Call>) -> Result<String, String> {
    let (parts, _) = ringing(call);
    let stages: Vec<String> = parts
        .iter()
        .map(|part| format!("stage {} of {}", part.stage, part.stages))
        .collect();
    if stages.is_empty() {
        return Err("no stage rings at this moment; try again".to_owned());
    }
    call.feed(Event::Skip);
    Ok(format!("{} is over", stages.join(", ")))
}

fn drop_leg(call: &Arc<Call>, which: &str) -> Result<String, String> {
    let legs: Vec<usize> = {
        let state = call.state.lock();
        let open = |state: LegState| {
            matches!(
                state,
                LegState::Dialled | LegState::Ringing | LegState::EarlyMedia
            )
        };
        let named = |dialled: &crate::calls::Dialled| {
            dialled.uuid.as_deref() == Some(which) || dialled.contact.target == which
        };
        let legs = state.ring.legs().iter().zip(&state.legs).enumerate();
        legs.filter(|(_, (leg, dialled))| open(leg.state) && named(dialled))
            .map(|(id, _)| id)
            .collect()
    };
    if legs.is_empty() {
        return Err(format!("no leg {which:?} rings"));
    }
    legs.iter().for_each(|&leg| call.feed(Event::Drop(leg)));
    Ok(format!("{} leg(s) of {which} dropped", legs.len()))
}

fn add(call: &Arc<Call>, stage: &Stage) -> Result<String, String> {
    let part = ringing(call)
        .0
        .first()
        .map(|part| part.part)
        .ok_or("no stage rings at this moment; try again")?;
    let caller = LockedSession::locate(&call.uuid).ok_or("the caller is gone")?;
    bridge::add(call, caller.channel(), part, stage)
}

fn extend(call: &Arc<Call>, time: Duration) -> Result<String, String> {
    if ringing(call).0.is_empty() {
        return Err("no stage rings at this moment; try again".to_owned());
    }
    call.feed(Event::Extend(time));
    let left = ringing(call)
        .0
        .first()
        .and_then(|part| part.stage_left)
        .unwrap_or_default();
    Ok(format!("{:.1} s left for the stage", left.as_secs_f64()))
}
