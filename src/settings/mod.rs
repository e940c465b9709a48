//! Which variables mean what: the plan's `{}`, else the caller's channel, else `cti.conf`.
//! Also what core is told, and what is kept from it because the module does it itself or
//! because core crashes over it.

pub mod campon;
pub mod config;

use crate::contacts::{Caller, Contact};
use crate::plan::time::{is_true, parse_time};
use crate::plan::{Part, Plan, Variables};
use crate::ring::{Confirm, EarlyMedia, NewLeg, RejectRule, Settings};
use crate::switch::session::cause_named;
use config::Config;
use std::time::Duration;

/// Applied by the module and never handed to core: its timers count whole seconds,
/// `leg_required` and `hangup_on_single_reject` crash it, and its retries would dial a
/// spent dial handle.
pub const OURS: &[&str] = &[
    "call_timeout",
    "cti_debug",
    "cti_early_media",
    "cti_late_join",
    "cti_leg",
    "cti_missed",
    "cti_mode",
    "cti_stage_timeout",
    "cti_timeout",
    "cti_wait_register",
    "fail_on_single_reject",
    "group_confirm_timeout",
    "hangup_on_single_reject",
    "leg_delay_start",
    "leg_progress_timeout",
    "leg_required",
    "leg_timeout",
    "originate_continue_on_timeout",
    "originate_retries",
    "originate_retry_min_period_ms",
    "originate_retry_sleep_ms",
    "originate_retry_timeout",
    "originate_timeout",
    "progress_timeout",
];

/// The variables of all legs of a part: what the caller exports, then `<…>`, then `{…}`.
///
/// Core merges exports into the caller's variables itself, but only where no dial handle
/// brings its own globals; and there an export would outrank the plan. So they are read here.
pub fn globals(caller: &dyn Caller, plan: &Plan, part: &Part) -> Variables {
    let mut all = Variables::default();
    if let Some(names) = caller
        .variable("export_vars")
        .filter(|names| !names.is_empty())
    {
        all.set("export_vars", &names);
        for name in names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if let Some(value) = caller.variable(name) {
                let bare = ["nolocal:", "_nolocal_"].iter().find_map(|prefix| {
                    name.get(..prefix.len())
                        .filter(|start| start.eq_ignore_ascii_case(prefix))
                        .and(name.get(prefix.len()..))
                });
                all.set(bare.unwrap_or(name), &value);
            }
        }
    }
    for variable in plan.globals.iter().chain(part.globals.iter()) {
        all.set(&variable.name, &variable.value);
    }
    all
}

/// The value of a variable: the plan's, else the caller's. An empty one says nothing.
pub fn said(name: &str, globals: &Variables, caller: &dyn Caller) -> Option<String> {
    let written = globals.get(name).map(str::to_owned);
    written
        .or_else(|| caller.variable(name))
        .filter(|value| !value.is_empty())
}

/// What concerns the caller and not a part's legs (`ringback`, `campon`, `cti_debug`) counts
/// in whichever part it stands; of two the first part's.
pub fn of_any_part(globals: &[Variables]) -> Variables {
    let mut all = Variables::default();
    for variable in globals.iter().rev().flatten() {
        all.set(&variable.name, &variable.value);
    }
    all
}

/// One part's settings; the second value is a line for each that could not be understood.
pub fn read(config: &Config, caller: &dyn Caller, globals: &Variables) -> (Settings, Vec<String>) {
    let mut problems = Vec::new();
    let lookup = |name: &str| said(name, globals, caller);
    let mut time = |name: &str, value: String| time(name, &value, &mut problems);
    let not_zero = |time: &Duration| !time.is_zero();
    // A 0 lifts what cti.conf says.
    let mut limit = |name: &str, default: Option<Duration>| {
        let written = lookup(name).and_then(|value| time(name, value));
        written.or(default).filter(not_zero)
    };
    let timeout = limit("cti_timeout", config.call_timeout);
    let wait_register = limit("cti_wait_register", config.wait_register);
    let progress_timeout = limit("progress_timeout", None);
    // The plan's word first, whichever of the three names it takes.
    let names = ["cti_stage_timeout", "originate_timeout", "call_timeout"];
    let written = names.map(|name| (name, globals.get(name).map(str::to_owned)));
    let on_caller = names.map(|name| (name, caller.variable(name)));
    let stage_timeout = written
        .into_iter()
        .chain(on_caller)
        .find_map(|(name, value)| time(name, value?).filter(not_zero));
    let mut chosen = Chosen(&lookup, &mut problems);
    let missed = chosen.of("cti_missed", "auto or never", config::missed);
    let modes = "sequence or progressive";
    let mode = chosen.of("cti_mode", modes, config::mode);
    let media = "auto, ignore, relay or core";
    let early_media = chosen.of("cti_early_media", media, config::early_media);
    let as_written = early_media_written(&lookup);
    let mut number = |name: &str, range: std::ops::RangeInclusive<u64>| {
        let value = lookup(name)?;
        let number = value
            .trim()
            .parse()
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            problems.push(format!(
                "{name}={value:?} is ignored: expected a number from {} to {}",
                range.start(),
                range.end()
            ));
        }
        number
    };
    // Core's ranges; where a time limits the retries, any number of them is allowed.
    let retry_timeout = number("originate_retry_timeout", 1..=u64::from(u32::MAX));
    let most = retry_timeout.map_or(100, |_| u64::from(u32::MAX));
    let attempts = number("originate_retries", 1..=most).unwrap_or(1);
    let sleep = number("originate_retry_sleep_ms", 500..=60_000).unwrap_or(1000);
    let period = number("originate_retry_min_period_ms", 500..=300_000).unwrap_or(0);
    let hang_up_on_single_reject =
        lookup("hangup_on_single_reject").is_some_and(|value| is_true(&value));
    let single_reject = match lookup("fail_on_single_reject") {
        Some(value) => reject_rule(&value),
        None if hang_up_on_single_reject => RejectRule::Any,
        None => RejectRule::Never,
    };
    let settings = Settings {
        timeout,
        stage_timeout,
        stage_default: config.stage_timeout,
        last_stage_default: config.last_stage_timeout,
        progress_timeout,
        missed: missed.unwrap_or(config.missed),
        early_media: as_written.or_else(|| early_media.unwrap_or(config.early_media)),
        continue_on_timeout: lookup("originate_continue_on_timeout").map(|value| is_true(&value)),
        single_reject,
        hang_up_on_single_reject,
        attempts: attempts as u32,
        retry_sleep: Duration::from_millis(sleep),
        retry_timeout: retry_timeout.map(Duration::from_secs),
        retry_period: Duration::from_millis(period),
        mode: mode.unwrap_or(config.mode),
        wait_register,
    };
    (settings, problems)
}

/// What a plan asks for in the words of core's `bridge`. As there, the first of the two outranks
/// the second; a `false` leaves the choice to us.
fn early_media_written(lookup: &dyn Fn(&str) -> Option<String>) -> Option<EarlyMedia> {
    match lookup("ignore_early_media").as_deref() {
        Some("ring_ready") => Some(EarlyMedia::Ignore),
        Some("consume") => Some(EarlyMedia::Silent),
        Some(value) if is_true(value) => Some(EarlyMedia::Silent),
        _ => lookup("bridge_early_media")
            .filter(|value| is_true(value))
            .map(|_| EarlyMedia::Relay),
    }
}

/// Reads the variables that name one of a few; what is none of them is reported.
struct Chosen<'a>(&'a dyn Fn(&str) -> Option<String>, &'a mut Vec<String>);

impl Chosen<'_> {
    fn of<T>(&mut self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.0(name)?;
        let choice = read(&value);
        if choice.is_none() {
            let problem = format!("{name}={value:?} is ignored: expected {expected}");
            self.1.push(problem);
        }
        choice
    }
}

/// Whether a device that registers while its user's stage rings joins it.
pub fn late_join(
    config: &Config,
    caller: &dyn Caller,
    globals: &Variables,
    settings: &Settings,
) -> bool {
    let asked = said("cti_late_join", globals, caller);
    // To wait for a registration is to want it.
    settings.wait_register.is_some() || asked.map_or(config.late_join, |value| is_true(&value))
}

/// What is no time is reported.
fn time(name: &str, value: &str, problems: &mut Vec<String>) -> Option<Duration> {
    let ignored = |error| problems.push(format!("{name}={value:?} is ignored: {error}"));
    parse_time(value).map_err(ignored).ok()
}

/// `true`, a list of causes by name or number, or such a list behind a `!`.
fn reject_rule(value: &str) -> RejectRule {
    let value = value.trim();
    if is_true(value) {
        return RejectRule::Any;
    }
    let (but, list) = value
        .strip_prefix('!')
        .map_or((false, value), |list| (true, list));
    let causes: Vec<_> = list.split(',').filter_map(cause_named).collect();
    match (but, causes.is_empty()) {
        (true, _) => RejectRule::AnyBut(causes),
        (false, true) => RejectRule::Never,
        (false, false) => RejectRule::Only(causes),
    }
}

/// What the machine must know of one contact. As in core, a leg's own variable and a
/// global one of that name both count; the leg's own is the closer one.
pub fn leg(contact: &Contact, caller: &dyn Caller, globals: &Variables) -> (NewLeg, Vec<String>) {
    let mut problems = Vec::new();
    let lookup = |name: &str| {
        contact
            .variables
            .get(name)
            .or_else(|| globals.get(name))
            .filter(|value| !value.is_empty())
    };
    let mut time = |name: &str| {
        let time = time(name, lookup(name)?, &mut problems)?;
        Some(time).filter(|time| !time.is_zero())
    };
    // Core takes these from the caller, too.
    let asked = |name: &str| {
        let written = lookup(name).map(str::to_owned);
        written
            .or_else(|| caller.variable(name))
            .filter(|value| !value.is_empty())
    };
    let confirm = asked("group_confirm_key").map(|_| match asked("group_confirm_timeout") {
        Some(value) => match parse_time(&value) {
            Ok(time) if time.is_zero() => Confirm::Dropped,
            Ok(time) => Confirm::Anew(time),
            Err(_) => Confirm::Kept,
        },
        None if asked("group_confirm_cancel_timeout").is_some_and(|value| is_true(&value)) => {
            Confirm::Dropped
        }
        None => Confirm::Kept,
    });
    let leg = NewLeg {
        delay: time("leg_delay_start").unwrap_or_default(),
        timeout: time("leg_timeout"),
        progress_timeout: time("leg_progress_timeout"),
        required: lookup("leg_required").is_some_and(is_true),
        confirm,
        confirm_early: asked("group_confirm_early_ok").is_none_or(|value| is_true(&value)),
        idle: contact.dial_string.starts_with("pickup/") && lookup("leg_timeout").is_none(),
        dead: contact.dead,
        may_register: contact.user.is_some(),
        target: contact.place,
    };
    (leg, problems)
}

/// The globals that core gets for a leg.
pub fn for_core(caller: &dyn Caller, globals: &Variables) -> Variables {
    let mut core = globals.clone();
    for name in OURS {
        core.remove(name);
    }
    // Core copies these from the caller where the globals are silent, and acts on them even for a
    // leg that it does not wait for: say something harmless first.
    for (name, harmless) in [
        ("fail_on_single_reject", "NONE"),
        ("hangup_on_single_reject", "false"),
    ] {
        if caller.variable(name).is_some() {
            core.set(name, harmless);
        }
    }
    core
}
