//! Seeing and steering the calls that ring now.
//! A command names a call by its caller's uuid, is carried out by the ring machine, and is
//! answered with what it did or why it could not.

use super::line::Order;
use crate::call::Call;
use crate::call::registry::Calls;
use crate::plan::Stage;
use crate::ring::{Cause, Event, LegId, LegState, Ring, Ringing, Time};
use crate::shared::Shared;
use crate::switch::LockedSession;
use crate::switch::session::cause_named;
use crate::switch::text::{self, field, one_line};
use crate::tell::event::{self, Announcement};
use crate::tell::history::ladder;
use crate::tell::report::{Known, LegReport};
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// `cti calls [json]`
pub fn calls(calls: &Calls, json: bool) -> String {
    let calls = calls.all();
    if json {
        let calls: Vec<_> = calls.iter().map(|call| as_json(call)).collect();
        return format!("{}\n", text::json(&calls));
    }
    let mut text = format!("+OK {} calls\n", calls.len());
    calls.iter().for_each(|call| describe(call, &mut text));
    text
}

/// `cti show <uuid> [json]`
pub fn show(shared: &Shared, calls: &Calls, uuid: &str, json: bool) -> String {
    match calls.of_caller(uuid) {
        None => match shared.history.find(uuid) {
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
pub fn metrics(shared: &Shared, calls: &Calls, json: bool) -> String {
    let open = |leg: &&crate::ring::Leg| !matches!(leg.state, LegState::Waiting | LegState::Ended);
    let ringing = |ring: &Ring| (!ring.over()).then(|| ring.legs().iter().filter(open).count());
    let ringing = calls
        .all()
        .into_iter()
        .filter_map(|call| call.look(ringing));
    let ringing: Vec<usize> = ringing.collect();
    let (calls, legs) = (ringing.len(), ringing.iter().sum());
    let groups = super::groups::counted(shared);
    shared.metrics.groups_now(&groups, shared.memory.source());
    match json {
        true => format!("{}\n", shared.metrics.json(calls, legs)),
        false => shared.metrics.text(calls, legs),
    }
}

fn unknown(uuid: &str) -> String {
    format!("-ERR no call of {uuid:?} in progress; `cti calls` lists them\n")
}

fn ringing(call: &Call) -> (Vec<Ringing>, bool) {
    let now = call.age();
    call.look(|ring| (ring.ringing(now), ring.winner().is_some()))
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
    let now = call.age();
    let reports = call.legs();
    let left = |ring: &Ring| reports.iter().map(|it| ring.left(it.leg, now)).collect();
    let lefts: Vec<_> = call.look(left);
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
            "part": part.part,
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
        "age_ms": call.age().as_millis() as u64,
        "state": if joined { "joined" } else { "ringing" },
        "parts": parts.iter().map(part).collect::<Vec<_>>(),
        "legs": legs_now(call).into_iter().map(leg).collect::<Vec<_>>(),
    })
}

fn describe(call: &Call, out: &mut String) {
    let (parts, joined) = ringing(call);
    let age = call.age().as_secs_f64();
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
            parts => format!("part {} of {parts}, ", part.part),
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
pub fn command(calls: &Calls, uuid: &str, order: Order<'_>, by: &str) -> String {
    let command = order.name();
    let Some(call) = calls.of_caller(uuid) else {
        return unknown(uuid);
    };
    let by = by.to_owned();
    let tell = move |said: &str| event::operated(command, &by, said);
    let done = match order {
        Order::Cancel(cause) => cancel(&call, cause, tell),
        Order::Skip => call.order(skip, tell),
        Order::Drop(which) => drop_leg(&call, which, tell),
        Order::Add(stage) => add(&call, &stage, tell),
        Order::Extend(time) => call.order(move |ring, _, now| extend(ring, now, time), tell),
    };
    match done {
        Ok(said) => format!("+OK {said}\n"),
        Err(why) => format!("-ERR {why}\n"),
    }
}

type Done = Result<String, String>;

/// What an order comes to: what the machine is told, and what is said of it.
type Ordered = Result<(Vec<Event>, String), String>;

/// Nobody has answered yet.
fn steerable(ring: &Ring) -> Result<(), String> {
    let answered = |leg: LegId| ring.leg(leg).answered.is_some();
    match ring.steerable() {
        true => Ok(()),
        false if ring.winner().is_some_and(answered) => Err("it was answered".to_owned()),
        false => Err("it is ending".to_owned()),
    }
}

/// The parts that a command means.
fn parts(ring: &Ring, now: Time) -> Result<Vec<Ringing>, String> {
    steerable(ring)?;
    Some(ring.ringing(now))
        .filter(|parts| !parts.is_empty())
        .ok_or_else(|| "no stage rings at this moment; try again".to_owned())
}

fn cancel(
    call: &Call,
    cause: Option<&str>,
    tell: impl FnOnce(&str) -> Announcement + Send + 'static,
) -> Done {
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
    let order = move |ring: &Ring, _: &[Known], _| {
        steerable(ring)?;
        let said = "the call is cancelled".to_owned();
        Ok((vec![Event::Cancel(cause)], said))
    };
    call.order(order, tell)
}

fn skip(ring: &Ring, _: &[Known], now: Time) -> Ordered {
    let stage = |part: &Ringing| format!("stage {} of {}", part.stage, part.stages);
    let stages: Vec<String> = parts(ring, now)?.iter().map(stage).collect();
    Ok((vec![Event::Skip], format!("{} is over", stages.join(", "))))
}

fn drop_leg(
    call: &Call,
    which: &str,
    tell: impl FnOnce(&str) -> Announcement + Send + 'static,
) -> Done {
    let which = which.to_owned();
    let order = move |ring: &Ring, known: &[Known], _| {
        steerable(ring)?;
        let named = |known: &Known| {
            known.uuid.as_deref() == Some(&which)
                || known.target == which
                || known.plain_target == which
        };
        let legs = (0..known.len())
            .map(LegId)
            .filter(|&leg| named(&known[leg.0]) && ring.droppable(leg));
        let legs: Vec<Event> = legs.map(Event::Drop).collect();
        if legs.is_empty() {
            return Err(format!("no leg {which:?} rings"));
        }
        let said = format!("{} leg(s) of {which} dropped", legs.len());
        Ok((legs, said))
    };
    call.order(order, tell)
}

fn add(
    call: &Call,
    stage: &Stage,
    tell: impl FnOnce(&str) -> Announcement + Send + 'static,
) -> Done {
    let now = call.age();
    let at = call.look(|ring| {
        let parts = parts(ring, now)?;
        if ring.winner().is_some() && ring.tentative().is_none() {
            return Err(
                "joined in early media, as the plan says: nobody can ring beside it".to_owned(),
            );
        }
        Ok((parts[0].part, parts[0].stage))
    })?;
    call.operator_adds(at, stage, tell)
}

fn extend(ring: &Ring, now: Time, time: Duration) -> Ordered {
    let parts = parts(ring, now)?;
    let left = parts[0].stage_left.unwrap_or_default() + time;
    let said = format!("{:.1} s left for the stage", left.as_secs_f64());
    Ok((vec![Event::Extend(time)], said))
}
