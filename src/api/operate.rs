//! Seeing and steering the calls that ring now.
//! A command names a call by its caller's uuid, is carried out by the ring machine, and is
//! answered with what it did or why it could not.

use super::line::Order;
use crate::bridge;
use crate::calls::{Call, State};
use crate::events::{self, Announcement};
use crate::history::ladder;
use crate::module::Module;
use crate::plan::Stage;
use crate::result::{self, LegReport};
use crate::ring::{Cause, Event, LegId, LegState, Ringing, Time};
use crate::switch::LockedSession;
use crate::switch::session::cause_named;
use crate::switch::text::{self, field, one_line};
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// `cti calls [json]`
pub fn calls(module: &Module, json: bool) -> String {
    let calls = module.calls.all();
    if json {
        let calls: Vec<_> = calls.iter().map(|call| as_json(call)).collect();
        return format!("{}\n", text::json(&calls));
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
            Some(call) if json => format!("{}\n", text::json(&*call)),
            Some(call) => format!("+OK\n{}", ladder(&call)),
        },
        Some(call) if json => format!("{}\n", text::json(&as_json(&call))),
        Some(call) => {
            let mut text = String::from("+OK\n");
            describe(&call, &mut text);
            text
        }
    }
}

/// `cti metrics [json]`: without `+OK`, so that a scraper can take it as it is.
pub fn metrics(module: &Module, json: bool) -> String {
    let open = |state: LegState| !matches!(state, LegState::Waiting | LegState::Ended);
    let (mut calls, mut legs) = (0, 0);
    for call in module.calls.all() {
        let state = call.state.lock();
        if !state.ring.over() {
            calls += 1;
            legs += state
                .ring
                .legs()
                .iter()
                .filter(|leg| open(leg.state))
                .count();
        }
    }
    match json {
        true => format!("{}\n", module.metrics.json(calls, legs)),
        false => module.metrics.text(calls, legs),
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

/// The caller's number and name, as long as it is there.
fn caller_id(call: &Call) -> [String; 2] {
    let caller = LockedSession::locate(&call.uuid);
    ["caller_id_number", "caller_id_name"]
        .map(|name| caller.as_ref().and_then(|it| it.variable(name)))
        .map(Option::unwrap_or_default)
}

/// A leg's report, what it does now, since when, and how long yet.
fn legs_now(call: &Call) -> Vec<(LegReport, &'static str, u64, Option<u64>)> {
    let now = call.began.elapsed();
    let reports = result::legs(call);
    let lefts: Vec<_> = {
        let state = call.state.lock();
        (0..reports.len())
            .map(|leg| state.ring.left(leg, now))
            .collect()
    };
    let ms = |time: Duration| time.as_millis() as u64;
    let described = |(leg, left): (LegReport, Option<Duration>)| {
        let times = (leg.ended_ms, leg.answered_ms, leg.ringing_ms, leg.start_ms);
        let (state, since) = match times {
            (Some(at), ..) => ("ended", at),
            (_, Some(at), ..) => ("answered", at),
            (_, _, Some(at), _) => ("ringing", at),
            (_, _, _, Some(at)) => ("dialled", at),
            _ => ("waiting", 0),
        };
        let age = ms(now).saturating_sub(since);
        (leg, state, age, left.map(ms))
    };
    reports.into_iter().zip(lefts).map(described).collect()
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
    // What `cti_legs` says of a leg, and what it does now.
    let leg = |(leg, state, age, left): (LegReport, &str, u64, Option<u64>)| {
        let mut leg = json!(leg);
        leg["state"] = json!(state);
        leg["age_ms"] = json!(age);
        leg["left_ms"] = json!(left);
        leg
    };
    let [number, name] = caller_id(call);
    json!({
        "uuid": call.uuid,
        "caller": number,
        "caller_name": name,
        "plan": call.plan.to_string(),
        "age_ms": call.began.elapsed().as_millis() as u64,
        "state": if joined { "joined" } else { "ringing" },
        "parts": parts.iter().map(part).collect::<Vec<_>>(),
        "legs": legs_now(call).into_iter().map(leg).collect::<Vec<_>>(),
    })
}

fn describe(call: &Call, out: &mut String) {
    let (parts, joined) = ringing(call);
    let age = call.began.elapsed().as_secs_f64();
    let state = if joined { "joined" } else { "ringing" };
    let [number, name] = caller_id(call);
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{} {} {} {state}, began {age:.1} s ago  {}",
        call.uuid,
        field(&number),
        field(&name),
        one_line(&call.plan.to_string())
    );
    for part in parts {
        let left = |time: Option<Duration>| {
            time.map_or("no limit".to_owned(), |time| {
                format!("{:.1} s left", time.as_secs_f64())
            })
        };
        let which = match call.plan.parts.len() {
            1 => String::new(),
            parts => format!("part {} of {parts}, ", part.part + 1),
        };
        let _ = writeln!(
            out,
            "  {which}stage {} of {}: {}; the call: {}",
            part.stage,
            part.stages,
            left(part.stage_left),
            left(part.call_left)
        );
    }
    for (leg, state, age, left) in legs_now(call) {
        let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
        let mut what = match (state, left) {
            ("waiting", Some(left)) => format!("starts in {}", seconds(left)),
            ("waiting", None) => "waits".to_owned(),
            ("ended", _) => format!(
                "ended {} ago, {}",
                seconds(age),
                leg.cause.as_deref().unwrap_or("")
            ),
            (state, _) => format!("{state} for {}", seconds(age)),
        };
        if let Some(left) = left.filter(|_| state != "waiting") {
            let _ = write!(what, ", {} left", seconds(left));
        }
        let _ = writeln!(
            out,
            "    {} {what}  {} -> {}  {}",
            leg.stage,
            one_line(&leg.target),
            field(&leg.contact),
            leg.uuid.as_deref().unwrap_or("-")
        );
    }
}

/// `cancel`, `skip`, `drop`, `add` or `extend`; `by`: who asks, for the event.
pub fn command(module: &Module, uuid: &str, order: Order<'_>, by: &str) -> String {
    let command = order.name();
    let Some(call) = module.calls.of_caller(uuid) else {
        return unknown(uuid);
    };
    let tell = |said: &str| events::operated(command, by, said);
    let done = match order {
        Order::Cancel(cause) => cancel(&call, cause, tell),
        Order::Skip => call.operated(skip, tell),
        Order::Drop(which) => drop_leg(&call, which, tell),
        Order::Add(stage) => add(&call, &stage, tell),
        Order::Extend(time) => call.operated(|state, now| extend(state, now, time), tell),
    };
    match done {
        Ok(said) => format!("+OK {said}\n"),
        Err(why) => format!("-ERR {why}\n"),
    }
}

type Done = Result<String, String>;

/// Nobody has answered yet.
fn steerable(state: &State) -> Result<(), String> {
    let answered = |leg: LegId| state.ring.legs()[leg].answered.is_some();
    match state.ring.steerable() {
        true => Ok(()),
        false if state.ring.winner().is_some_and(answered) => Err("it was answered".to_owned()),
        false => Err("it is ending".to_owned()),
    }
}

/// The parts that a command means.
fn parts(state: &State, now: Time) -> Result<Vec<Ringing>, String> {
    steerable(state)?;
    Some(state.ring.ringing(now))
        .filter(|parts| !parts.is_empty())
        .ok_or_else(|| "no stage rings at this moment; try again".to_owned())
}

fn cancel(call: &Arc<Call>, cause: Option<&str>, tell: impl FnOnce(&str) -> Announcement) -> Done {
    let spoken = |cause: Cause| {
        cause.0 < 128 || cause == Cause::ORIGINATOR_CANCEL || cause == Cause::LOSE_RACE
    };
    let cause = match cause.map(|name| (name, cause_named(name))) {
        None => Cause::ORIGINATOR_CANCEL,
        Some((_, Some(cause))) if spoken(cause) => cause,
        Some((name, Some(_))) => {
            return Err(format!(
                "no phone can be told {name:?}; for example NORMAL_CLEARING"
            ));
        }
        Some((name, None)) => {
            return Err(format!(
                "no hangup cause {name:?}; for example NORMAL_CLEARING"
            ));
        }
    };
    let order = |state: &State, _| {
        steerable(state)?;
        Ok((Event::Cancel(cause), "the call is cancelled".to_owned()))
    };
    call.operated(order, tell)
}

fn skip(state: &State, now: Time) -> Result<(Event, String), String> {
    let stage = |part: &Ringing| format!("stage {} of {}", part.stage, part.stages);
    let stages: Vec<String> = parts(state, now)?.iter().map(stage).collect();
    Ok((Event::Skip, format!("{} is over", stages.join(", "))))
}

fn drop_leg(call: &Arc<Call>, which: &str, tell: impl FnOnce(&str) -> Announcement) -> Done {
    let mut others = Vec::new();
    let order = |state: &State, _| {
        steerable(state)?;
        let named = |leg: &usize| {
            let dialled = &state.legs[*leg];
            dialled.uuid.as_deref() == Some(which)
                || dialled.contact.target == which
                || dialled.contact.plain_target == which
        };
        let legs = (0..state.legs.len()).filter(named);
        let mut legs = legs.filter(|&leg| state.ring.droppable(leg));
        let first = legs
            .next()
            .ok_or_else(|| format!("no leg {which:?} rings"))?;
        others.extend(legs);
        let said = format!("{} leg(s) of {which} dropped", others.len() + 1);
        Ok((Event::Drop(first), said))
    };
    let done = call.operated(order, tell);
    others.iter().for_each(|&leg| call.feed(Event::Drop(leg)));
    done
}

fn add(call: &Arc<Call>, stage: &Stage, tell: impl FnOnce(&str) -> Announcement) -> Done {
    let at = {
        let state = call.state.lock();
        let parts = parts(&state, call.began.elapsed())?;
        if state.ring.winner().is_some() && state.ring.tentative().is_none() {
            return Err(
                "joined in early media, as the plan says: nobody can ring beside it".to_owned(),
            );
        }
        (parts[0].part, parts[0].stage - 1)
    };
    let caller = LockedSession::locate(&call.uuid).ok_or("the caller is gone")?;
    bridge::add(call, caller.channel(), at, stage, tell)
}

fn extend(state: &State, now: Time, time: Duration) -> Result<(Event, String), String> {
    let parts = parts(state, now)?;
    let left = parts[0].stage_left.unwrap_or_default() + time;
    let said = format!("{:.1} s left for the stage", left.as_secs_f64());
    Ok((Event::Extend(time), said))
}
