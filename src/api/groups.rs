//! Seeing the ring groups and steering their members: `cti groups`, `cti group`, `cti member`.
//! A member is named by his key, as `cti member list` shows it, or by his target.

use super::line::Change;
use crate::call::grouped::Asked;
use crate::contacts::{Caller, Nobody};
use crate::groups::config::{Group, Member, Order, Skip, WhenAllBusy, presence};
use crate::groups::members::{Pause, Source};
use crate::groups::order::{Moment, State, Why};
use crate::groups::{Known, Nothing, Shown, Standing};
use crate::plan::Variables;
use crate::shared::Shared;
use crate::switch::Channel;
use crate::switch::text::{self, FIELD, clip, field, one_line};
use crate::tell::event;
use crate::tell::metrics::GroupNow;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// `cti groups [json]`
pub fn groups(shared: &Shared, json: bool, caller: Option<&Channel<'_>>) -> String {
    let all = with_known(shared, caller, |known| {
        shared.groups.standing(Moment::now(), known)
    });
    let free = |members: &[Standing]| members.iter().filter(|it| it.why.is_none()).count();
    if json {
        let all: Vec<Value> = all
            .iter()
            .map(|(group, members)| about(group, free(members)))
            .collect();
        return format!("{}\n", text::json(&all));
    }
    let memory = shared.memory.source().name();
    let mut said = format!("+OK {} groups, memory {memory}\n", all.len());
    for (group, members) in &all {
        let _ = writeln!(said, "{:20} {}", group.name, outline(group, free(members)));
    }
    said
}

/// `cti group NAME [json]`
pub fn group(shared: &Shared, name: &str, json: bool, caller: Option<&Channel<'_>>) -> String {
    let config = shared.groups.config();
    let now = Moment::now();
    let shown = with_known(shared, caller, |known| {
        shared.groups.show(name, now, 0, known).ok()
    });
    let (Some(group), Some(members)) = (config.groups.get(name), shown) else {
        let name = clip(name, FIELD);
        return format!("-ERR there is no group {name:?}; `cti groups` lists them\n");
    };
    let free = members.iter().filter(|it| it.why.is_none()).count();
    if json {
        let mut told = about(group, free);
        told["memory"] = json!(shared.memory.source().name());
        let members = members.iter().map(|member| in_group(member, now));
        told["members"] = members.collect();
        return format!("{}\n", text::json(&told));
    }
    let mut said = format!("+OK {}: {}\n", group.name, outline(group, free));
    for member in &members {
        describe(member, now, &mut said);
    }
    said
}

/// `cti member list [json] [MEMBER]`
pub fn members(
    shared: &Shared,
    member: Option<&str>,
    json: bool,
    caller: Option<&Channel<'_>>,
) -> String {
    let only = match member.map(|word| find(shared, word)).transpose() {
        Ok(only) => only,
        Err(why) => return format!("-ERR {why}\n"),
    };
    let now = Moment::now();
    let all = with_known(shared, caller, |known| shared.groups.standing(now, known));
    let mut members: BTreeMap<&str, Vec<&Standing>> = BTreeMap::new();
    for standing in all.iter().flat_map(|(_, members)| members) {
        let key = standing.pick.key();
        if only.as_ref().is_none_or(|only| only == key) {
            members.entry(key).or_default().push(standing);
        }
    }
    let groups = |of: &[&Standing]| -> Vec<String> {
        let names = of.iter().map(|it| it.pick.group.name.clone());
        names.collect()
    };
    if json {
        let told = members.iter().map(|(key, of)| {
            let mut told = json!({ "member": key, "groups": groups(of) });
            if let Some(one) = of.first() {
                add_state(&mut told, one.pick.entry(), &one.state, one.pause, now);
            }
            told
        });
        let told: Vec<Value> = told.collect();
        return format!("{}\n", text::json(&told));
    }
    let mut said = format!("+OK {} members\n", members.len());
    for (key, of) in &members {
        let Some(one) = of.first() else { continue };
        let is = conditions(one.pick.entry(), &one.state, now);
        let groups = groups(of).join(" ");
        let pause = paused(one.pause, now);
        let _ = writeln!(said, "{:32} {is}{pause}  in {groups}", field(key));
    }
    said
}

/// `cti member pause|unpause|dnd|undnd MEMBER`
pub fn change(
    shared: &Shared,
    member: &str,
    change: Change,
    caller: Option<&Channel<'_>>,
) -> String {
    let key = match find(shared, member) {
        Ok(key) => key,
        Err(why) => return format!("-ERR {why}\n"),
    };
    let members = shared.groups.members();
    match change {
        Change::Pause => members.pause(&key, true),
        Change::Unpause => members.pause(&key, false),
        Change::Dnd => members.dnd(&key, Source::Operator, true),
        Change::Undnd => members.dnd(&key, Source::Operator, false),
    }
    let now = Moment::now();
    let all = with_known(shared, caller, |known| shared.groups.standing(now, known));
    let mut all = all.iter().flat_map(|(_, members)| members);
    let is = all
        .find(|it| it.pick.key() == key)
        .map(|it| conditions(it.pick.entry(), &it.state, now));
    let is = is.unwrap_or_else(|| "in no group any more".to_owned());
    let by = caller.and_then(|caller| caller.variable("uuid"));
    let by = by.as_deref().unwrap_or("api");
    event::fire_alone(event::member(&key, change.name(), &is, by));
    format!("+OK {} is {is}\n", one_line(&key))
}

/// The groups that tab completion offers.
pub fn group_names(shared: &Shared) -> Vec<String> {
    shared.groups.config().groups.keys().cloned().collect()
}

/// The members that tab completion offers: those whose names can be shown as they are.
pub fn member_names(shared: &Shared) -> Vec<String> {
    let config = shared.groups.config();
    let members = config.groups.values().flat_map(|group| &group.members);
    let keys = members.map(|member| member.key.as_str());
    let mut keys: Vec<String> = keys
        .filter(|key| one_line(key) == *key)
        .map(str::to_owned)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// How many members each group has in each state: for the metrics. Neither the directory nor the
/// registrations are asked, because somebody asks every few seconds.
pub fn counted(shared: &Shared) -> Vec<GroupNow> {
    let now = Moment::now();
    let all = shared.groups.standing(now, &Nothing);
    let count = |(group, members): &(Arc<Group>, Vec<Standing>)| {
        let is = |it: &Standing| {
            let mut holds = holding(it.pick.entry(), &it.state, now);
            holds.next().map_or(FREE, Why::name)
        };
        let states =
            STATES.map(|state| (state, members.iter().filter(|it| is(it) == state).count()));
        (group.name.clone(), states.to_vec())
    };
    all.iter().map(count).collect()
}

const FREE: &str = "free";

/// Every state that a member may be in, `self` apart: that is between him and a caller.
const STATES: [&str; 6] = ["free", "busy", "wrapup", "paused", "dnd", "nobody-free"];

/// With what the directory and the registrations say, each asked once.
fn with_known<T>(
    shared: &Shared,
    caller: Option<&Channel<'_>>,
    ask: impl FnOnce(&dyn Known) -> T,
) -> T {
    let nobody = Nobody::default();
    let caller: &dyn Caller = match caller {
        Some(caller) => caller,
        None => &nobody,
    };
    ask(&Asked::new(caller, &Variables::default(), shared.config()))
}

/// The key of the member whom an operator means.
fn find(shared: &Shared, word: &str) -> Result<String, String> {
    let config = shared.groups.config();
    let members = config.groups.values().flat_map(|group| &group.members);
    let key = presence(word);
    let mut keys: Vec<&str> = Vec::new();
    for member in members {
        if member.key == word || member.key == key {
            return Ok(member.key.clone());
        }
        let target = &member.target;
        let named = target.written == word || target.dial_string() == word;
        if named && !keys.contains(&member.key.as_str()) {
            keys.push(&member.key);
        }
    }
    let word = clip(word, FIELD);
    match keys[..] {
        [] => Err(format!(
            "no group has a member {word:?}; `cti member list` lists them"
        )),
        [key] => Ok(key.to_owned()),
        _ => Err(format!("which? {word:?} is {}", keys.join(" or "))),
    }
}

/// Everything that holds of a member, in the order in which it is a reason to skip him.
fn holding(member: &Member, state: &State, now: Moment) -> impl Iterator<Item = Why> {
    let wrapup = state
        .finished
        .is_some_and(|finished| now.since(finished) < member.policy.wrapup);
    let all = [
        (state.nobody_free, Why::NobodyFree),
        (state.unregistered, Why::Unregistered),
        (state.dnd, Why::Dnd),
        (state.paused, Why::Paused),
        (state.calls >= member.policy.max_calls, Why::Busy),
        (wrapup, Why::Wrapup),
    ];
    let holds = all.into_iter().filter(|(holds, _)| *holds);
    holds.map(|(_, why)| why)
}

fn conditions(member: &Member, state: &State, now: Moment) -> String {
    let all: Vec<&str> = holding(member, state, now).map(Why::name).collect();
    match all[..] {
        [] => FREE.to_owned(),
        _ => all.join(", "),
    }
}

fn skips(skip: Skip) -> Vec<&'static str> {
    let all = [
        (skip.busy, "busy"),
        (skip.dnd, "dnd"),
        (skip.yourself, "self"),
        (skip.unregistered, "unregistered"),
        (skip.paused, "paused"),
        (skip.wrapup, "wrapup"),
    ];
    let all = all.into_iter().filter(|(is, _)| *is);
    all.map(|(_, name)| name).collect()
}

fn when_all_busy(group: &Group) -> &'static str {
    match group.when_all_busy {
        WhenAllBusy::Overflow => "overflow",
        WhenAllBusy::Wait => "wait",
        WhenAllBusy::RingAnyway => "ring-anyway",
    }
}

/// A group without its members.
fn about(group: &Group, free: usize) -> Value {
    json!({
        "group": group.name,
        "order": group.order.name(),
        "step": group.step.to_string(),
        "strategy": group.strategy,
        "timeout_ms": group.timeout.map(ms),
        "skip": skips(group.skip),
        "when_all_busy": when_all_busy(group),
        "size": group.members.len(),
        "free": free,
    })
}

fn outline(group: &Group, free: usize) -> String {
    let size = group.members.len();
    let mut said = match &group.strategy {
        // What another system's name means here.
        Some(strategy) => format!("strategy {strategy}: "),
        None => String::new(),
    };
    let (order, step) = (group.order.name(), group.step);
    let _ = write!(said, "order {order}, step {step}, {free} of {size} free");
    said
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What is known of a member whichever group is asked.
fn add_state(told: &mut Value, member: &Member, state: &State, pause: Option<Pause>, now: Moment) {
    let first = holding(member, state, now).next();
    told["target"] = json!(member.target.written);
    told["state"] = json!(first.map_or(FREE, Why::name));
    told["calls"] = json!(state.calls);
    told["dnd"] = json!(state.dnd);
    told["paused"] = json!(pause.map(|pause| match pause {
        Pause::Operator => "operator",
        Pause::Until(_) => "time",
        Pause::NoAnswers => "max-no-answer",
    }));
    told["pause_left_ms"] = json!(pause_left(pause, now).map(ms));
}

fn pause_left(pause: Option<Pause>, now: Moment) -> Option<Duration> {
    match pause {
        Some(Pause::Until(until)) => Some(until.since(now)),
        _ => None,
    }
}

fn paused(pause: Option<Pause>, now: Moment) -> String {
    match pause {
        None => String::new(),
        Some(Pause::Operator) => " (by an operator)".to_owned(),
        Some(Pause::NoAnswers) => " (max-no-answer)".to_owned(),
        Some(Pause::Until(until)) => {
            format!(" (for {:.1} s yet)", until.since(now).as_secs_f64())
        }
    }
}

/// With how many answered calls `fewest-calls` counts him. A newcomer counts as whoever has fewest, so in
/// other orders the number would mean nothing.
fn counted_calls(shown: &Shown) -> Option<u64> {
    (shown.pick.group.order == Order::FewestCalls).then_some(shown.seen.calls)
}

fn in_group(shown: &Shown, now: Moment) -> Value {
    let member = shown.pick.entry();
    let mut told = json!({
        "member": member.key,
        "group": member.group,
        "tier": member.tier,
        "weight": member.weight,
        "max_calls": member.policy.max_calls,
        "turn": shown.turn,
        "skipped": shown.why.map(Why::name),
        "idle_ms": shown.idle.map(ms),
        "counted_calls": counted_calls(shown),
    });
    add_state(&mut told, member, &shown.state, shown.pause, now);
    told
}

fn describe(shown: &Shown, now: Moment, said: &mut String) {
    let member = shown.pick.entry();
    let turn = shown.turn.map_or("-".to_owned(), |turn| turn.to_string());
    let is = conditions(member, &shown.state, now);
    let pause = paused(shown.pause, now);
    let _ = write!(said, "{turn:>4} {:32} {is}{pause}", field(&member.key));
    let _ = write!(said, ", {} calls", shown.state.calls);
    if let Some(idle) = shown.idle {
        let _ = write!(said, ", idle {:.1} s", idle.as_secs_f64());
    }
    if let Some(calls) = counted_calls(shown) {
        let _ = write!(said, ", counts as {calls} answered");
    }
    if let Some(why) = shown.why {
        let _ = write!(said, ", skipped: {why}");
    }
    said.push('\n');
}
