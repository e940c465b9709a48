//! `cti explain`: what a plan would do now, with every contact resolved.
//! Nobody is called; the same code reads the variables and resolves the targets as in a call.

use crate::call::grouped;
use crate::contacts::{self, Caller, Contact, Nobody};
use crate::plan::{self, Limits, Part, Plan};
use crate::ring::{EarlyMedia, Mode, PartId, Redirect, StageId};
use crate::settings;
use crate::settings::config::{Kind, MODE, REDIRECT};
use crate::shared::Shared;
use crate::switch::Channel;
use crate::switch::session::cause_name;
use crate::switch::text::{self, field, one_line};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// What a plan would do now. Without a caller the directory's dial strings are expanded on
/// nothing but what the lookup itself says.
pub fn explain(shared: &Shared, written: &str, json: bool, caller: Option<&Channel<'_>>) -> String {
    let config = shared.config();
    let config = &*config;
    let limits = Limits::of_targets(config.max_targets);
    let plan = plan::parse(written, &limits);
    let plan = plan.and_then(|plan| {
        grouped::check(&plan, written, &shared.groups.config())?;
        Ok(plan)
    });
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) if json => {
            let told = json!({ "error": error.to_string(), "column": error.column });
            return format!("{}\n", text::json(&told));
        }
        Err(error) => return format!("-ERR {error}\n{}\n", error.with_caret(written)),
    };
    let nobody = Nobody::default();
    let lookup: &dyn Caller = match caller {
        Some(caller) => caller,
        None => &nobody,
    };
    let mut parts = Vec::new();
    let mut said = String::from("+OK\n");
    let remarks: Vec<String> = plan.remarks.iter().map(ToString::to_string).collect();
    for remark in &remarks {
        let _ = writeln!(said, "note: {remark}");
    }
    for (nth, part) in plan.parts.iter().enumerate() {
        if plan.parts.len() > 1 {
            let _ = writeln!(
                said,
                "part {} of {}, side by side with the others",
                PartId(nth),
                plan.parts.len()
            );
        }
        parts.push(explain_part(shared, &plan, part, lookup, &mut said));
    }
    if json {
        let told = json!({ "plan": plan.to_string(), "notes": remarks, "parts": parts });
        format!("{}\n", text::json(&told))
    } else {
        said
    }
}

fn explain_part(
    shared: &Shared,
    plan: &Plan,
    part: &Part,
    lookup: &dyn Caller,
    said: &mut String,
) -> Value {
    let config = shared.config();
    let config = &*config;
    let globals = settings::globals(lookup, plan, part);
    let (settings, problems) = settings::read(config, lookup, &globals);
    let late_join = settings::late_join(config, lookup, &globals, &settings);
    for problem in &problems {
        let _ = writeln!(said, "  note: {problem}");
    }
    if !settings.delay.is_zero() {
        let _ = writeln!(said, "begins after {} s", settings.delay.as_secs_f64());
    }
    let mut stages = Vec::new();
    let mut turns = Vec::new();
    let mut skipped = Vec::new();
    for stage in &part.stages {
        if stage.targets.iter().any(grouped::is_group) {
            for turn in grouped::explain(shared, stage, lookup, &globals) {
                skipped.extend(turn.skipped);
                turns.push((turn.contacts, turn.dropped));
            }
            continue;
        }
        let contacts::Resolved {
            contacts: mut found,
            mut dropped,
            ..
        } = contacts::resolve(stage, lookup, &globals, config.allowed());
        let last = found.iter().map(|contact| contact.turn).max();
        for turn in 0..=last.unwrap_or(0) {
            let is_now = |it: &Contact| it.turn == turn;
            let (mut now, later): (Vec<Contact>, _) = found.into_iter().partition(is_now);
            found = later;
            dropped.extend(contacts::fit(&mut now, config.max_targets));
            turns.push((now, std::mem::take(&mut dropped)));
        }
    }
    let count = turns.len();
    for (at, (found, dropped)) in turns.into_iter().enumerate() {
        let alive = found.iter().filter(|contact| contact.dead.is_none());
        let alive = alive.count();
        let last = at + 1 == count;
        let may_grow = late_join && found.iter().any(|contact| contact.user.is_some());
        let times = found.iter().filter(|contact| contact.dead.is_none());
        let times: Vec<_> = times
            .map(|contact| settings::leg(contact, lookup, &globals).0)
            .collect();
        let shifted = times.iter().filter(|leg| leg.held.is_zero());
        let first = shifted.map(|leg| leg.delay).min().unwrap_or_default();
        let own = times.iter().filter_map(|leg| {
            let delay = match leg.held {
                Duration::ZERO => leg.delay - first,
                held => held + leg.delay,
            };
            Some(delay + leg.timeout?)
        });
        // In a progressive plan the stages before the last ring on beside the next.
        let joined = settings.mode == Mode::Progressive && count > 1;
        let longest = own.max().filter(|_| last || !joined).unwrap_or_default();
        let limit = settings.stage_limit(last, longest);
        let company = alive > 1 || plan.parts.len() > 1;
        let media = match settings.early_media_of(!company && !joined, last && !may_grow) {
            EarlyMedia::Ignore => "the caller hears ringing; early media is ignored",
            EarlyMedia::Relay => "early media is relayed to the caller, only an answer counts",
            EarlyMedia::Core => "early media passes both ways",
        };
        let _ = writeln!(
            said,
            "stage {} of {}: {alive} ring together {}; {media}",
            StageId(at),
            count,
            limit.map_or("without a limit".to_owned(), |limit| format!(
                "for {} s",
                limit.as_secs_f64()
            ))
        );
        let legs: Vec<_> = found
            .iter()
            .map(|contact| leg(contact, lookup, &globals, said))
            .collect();
        for line in &dropped {
            let _ = writeln!(said, "    note: {line}");
        }
        stages.push(json!({
            "stage": StageId(at),
            "timeout_ms": limit.map(ms),
            "early_media": media,
            "legs": legs,
            "dropped": dropped,
        }));
    }
    for it in &skipped {
        let group = &it.pick.group.name;
        let target = one_line(&it.pick.target().written);
        let _ = writeln!(said, "  skipped of {group}: {target}  {}", it.why);
    }
    let skipped = skipped.iter().map(|it| {
        let (group, target) = (&it.pick.group.name, &it.pick.target().written);
        json!({ "group": group, "target": target, "reason": it.why.name() })
    });
    let skipped: Vec<Value> = skipped.collect();
    if settings.mode == Mode::Progressive && count > 1 {
        said.push_str("a stage whose time is over goes on ringing beside the next\n");
    }
    if let Some(wait) = settings.wait_register {
        let seconds = wait.as_secs_f64();
        let _ = writeln!(
            said,
            "a stage in which nobody is registered waits {seconds} s"
        );
    }
    if late_join {
        said.push_str("a device that registers while its user's stage rings joins it\n");
    }
    said.push_str(match settings.redirect {
        Redirect::Follow => "a phone that has moved (302) is followed, with its user's rights\n",
        Redirect::Ignore => "a phone that has moved (302) has failed\n",
        Redirect::Core => "a phone that has moved (302) takes the caller along\n",
    });
    if let Some(limit) = settings.timeout {
        let _ = writeln!(said, "the whole call ends after {} s", limit.as_secs_f64());
    }
    json!({
        "timeout_ms": settings.timeout.map(ms),
        "delay_ms": ms(settings.delay),
        "mode": MODE.show(&settings.mode),
        "redirect": REDIRECT.show(&settings.redirect),
        "late_join": late_join,
        "wait_register_ms": settings.wait_register.map(ms),
        "notes": problems,
        "stages": stages,
        "skipped": skipped,
    })
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn leg(
    contact: &Contact,
    lookup: &dyn Caller,
    globals: &plan::Variables,
    said: &mut String,
) -> Value {
    let (times, problems) = settings::leg(contact, lookup, globals);
    let delay = times.held + times.delay;
    let dead = contact.dead.map(cause_name);
    let mut line = format!(
        "  {} -> {}",
        one_line(&contact.target),
        field(&contact.dial_string)
    );
    if let Some(cause) = &dead {
        let _ = write!(line, "  cannot ring: {cause}");
    }
    for (what, time) in [
        ("from", Some(delay).filter(|delay| !delay.is_zero())),
        ("for", times.timeout),
        ("must ring within", times.progress_timeout),
    ] {
        if let Some(time) = time {
            let _ = write!(line, "  {what} {} s", time.as_secs_f64());
        }
    }
    if let Some(redirect) = times.redirect {
        let _ = write!(line, "  redirect: {}", REDIRECT.show(&redirect));
    }
    let _ = writeln!(said, "{line}");
    for problem in &problems {
        let _ = writeln!(said, "    note: {problem}");
    }
    json!({
        "target": contact.target,
        "contact": contact.dial_string,
        "dead": dead,
        "delay_ms": ms(delay),
        "timeout_ms": times.timeout.map(ms),
        "progress_timeout_ms": times.progress_timeout.map(ms),
        "redirect": times.redirect.map(|it| REDIRECT.show(&it)),
        "notes": problems,
    })
}
