//! Which variables mean what: the plan's `{}`, else the caller's channel, else `cti.conf`.
//! Also what core is told, and what is kept from it because the module does it itself or
//! because core crashes over it.

pub mod campon;
pub mod config;

use crate::contacts::{Caller, Contact};
use crate::plan::time::{TimeError, is_true, parse_time};
use crate::plan::{Part, Plan, Target, Variable, Variables};
use crate::ring::{Confirm, EarlyMedia, NewLeg, Redirect, RejectRule, Settings};
use crate::switch::session::cause_named;
use config::{Config, EARLY_MEDIA, Kind, MISSED, MODE, REDIRECT};
use std::fmt::Display;
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
    "cti_redirect",
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
    "originate_delay_start",
    "originate_retries",
    "originate_retry_min_period_ms",
    "originate_retry_sleep_ms",
    "originate_retry_timeout",
    "originate_timeout",
    "progress_timeout",
];

/// The variables of all legs of a part: what the caller exports, then `<…>`, then `{…}`.
pub fn globals(caller: &dyn Caller, plan: &Plan, part: &Part) -> Variables {
    let mut all = exports(caller);
    all.set_all(plan.globals.iter().chain(part.globals.iter()));
    all
}

/// What the caller exports.
///
/// Core merges exports into the caller's variables itself, but only where no dial handle
/// brings its own globals; and there an export would outrank the plan. So they are read here.
fn exports(caller: &dyn Caller) -> Variables {
    let mut all = Variables::default();
    let names = caller.variable("export_vars");
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return all;
    };
    let variable = |name: &str, value: &str| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let mut found = vec![variable("export_vars", &names)];
    let each = names.split(',').map(str::trim);
    for name in each.filter(|name| !name.is_empty()) {
        if let Some(value) = caller.variable(name) {
            let bare = ["nolocal:", "_nolocal_"].iter().find_map(|prefix| {
                name.get(..prefix.len())
                    .filter(|start| start.eq_ignore_ascii_case(prefix))
                    .and(name.get(prefix.len()..))
            });
            found.push(variable(bare.unwrap_or(name), &value));
        }
    }
    all.set_all(&found);
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
    all.set_all(globals.iter().rev().flatten());
    all
}

/// One part's settings; the second value is a line for each that could not be understood.
pub fn read(config: &Config, caller: &dyn Caller, globals: &Variables) -> (Settings, Vec<String>) {
    let lookup = |name: &str| said(name, globals, caller);
    let mut told = Told::by(&lookup);
    let not_zero = |time: &Duration| !time.is_zero();
    // A 0 lifts what cti.conf says.
    let mut limit = |name: &str, default: Option<Duration>| {
        told.of(name, parse_time).or(default).filter(not_zero)
    };
    let timeout = limit("cti_timeout", config.call_timeout);
    let wait_register = limit("cti_wait_register", config.wait_register);
    let progress_timeout = limit("progress_timeout", None);
    // The plan's word first, whichever of the three names it takes; also a 0, which is no limit.
    let names = ["cti_stage_timeout", "originate_timeout", "call_timeout"];
    let written = names.map(|name| (name, globals.get(name).map(str::to_owned)));
    let on_caller = names.map(|name| (name, caller.variable(name)));
    let stage_timeout = written
        .into_iter()
        .chain(on_caller)
        .find_map(|(name, value)| {
            told.read(name, &value.filter(|value| !value.is_empty())?, parse_time)
        });
    // Core reads this one from the plan and the exports alone.
    let delay = globals
        .get("originate_delay_start")
        .filter(|value| !value.is_empty());
    let delay = delay.and_then(|value| told.read("originate_delay_start", value, milliseconds));
    let missed = told.of("cti_missed", |text| MISSED.read(text));
    let mode = told.of("cti_mode", |text| MODE.read(text));
    let early_media = told.of("cti_early_media", |text| EARLY_MEDIA.read(text));
    let redirect = told.of("cti_redirect", |text| REDIRECT.read(text));
    let as_written = early_media_written(&lookup);
    let mut number = |name: &str, least: usize, most: usize| {
        told.of(name, |text| (least..=most).read(text))
            .map(|number| number as u64)
    };
    // Core's ranges; where a time limits the retries, any number of them is allowed.
    let retry_timeout = number("originate_retry_timeout", 1, u32::MAX as usize);
    let most = retry_timeout.map_or(100, |_| u32::MAX as usize);
    let attempts = number("originate_retries", 1, most).unwrap_or(1);
    let sleep = number("originate_retry_sleep_ms", 500, 60_000).unwrap_or(1000);
    let period = number("originate_retry_min_period_ms", 500, 300_000).unwrap_or(0);
    let hang_up_on_single_reject =
        lookup("hangup_on_single_reject").is_some_and(|value| is_true(&value));
    let single_reject = match lookup("fail_on_single_reject") {
        Some(value) => reject_rule(&value),
        None if hang_up_on_single_reject => RejectRule::Any,
        None => RejectRule::Never,
    };
    let settings = Settings {
        timeout,
        delay: delay.unwrap_or_default(),
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
        redirect: redirect
            .or_else(|| fatal(lookup(FATAL)))
            .unwrap_or(config.redirect),
        hops: lookup(REDIRECT_HOPS)
            .and_then(|hops| hops.trim().parse().ok())
            .unwrap_or(0),
    };
    (settings, told.problems)
}

/// Core's name for Max-Forwards.
pub const MAX_FORWARDS: &str = "max_forwards";

/// Max-Forwards of the caller; where he has none, as core and RFC 3261 (8.1.1.6) begin.
pub fn forwards_of(caller: &dyn Caller) -> i32 {
    let said = caller.variable(MAX_FORWARDS);
    said.and_then(|number| number.trim().parse().ok())
        .unwrap_or(70)
}

/// How many redirects have led to a caller: set on the far half of a `loopback/` that rings in the
/// place of a phone that has moved, so that a loop through the dialplan ends as well.
pub const REDIRECT_HOPS: &str = "cti_redirect_hops";

/// Core's own word: sofia is to end the leg, and not to move the caller.
pub const FATAL: &str = "outbound_redirect_fatal";

/// Who has written core's word wants what it says.
fn fatal(said: Option<String>) -> Option<Redirect> {
    said.filter(|value| is_true(value))
        .map(|_| Redirect::Ignore)
}

/// What a plan asks for in the words of core's `bridge`. As there, the first of the two outranks
/// the second; a `false` leaves the choice to us.
fn early_media_written(lookup: &dyn Fn(&str) -> Option<String>) -> Option<EarlyMedia> {
    match lookup("ignore_early_media").as_deref() {
        // A phone that sends only a 183 rings all the same, and the caller hears so (promise 3).
        Some("ring_ready" | "consume") => Some(EarlyMedia::Ignore),
        Some(value) if is_true(value) => Some(EarlyMedia::Ignore),
        _ => lookup("bridge_early_media")
            .filter(|value| is_true(value))
            .map(|_| EarlyMedia::Relay),
    }
}

/// Reads what a plan or a caller has told; what cannot be understood is reported.
struct Told<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl Told<'_> {
    fn by(lookup: &dyn Fn(&str) -> Option<String>) -> Told<'_> {
        let problems = Vec::new();
        Told { lookup, problems }
    }

    fn of<T, E: Display>(&mut self, name: &str, how: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        self.read(name, &(self.lookup)(name)?, how)
    }

    fn read<T, E: Display>(
        &mut self,
        name: &str,
        text: &str,
        how: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let ignored = |error| format!("{name}={text:?} is ignored: {error}");
        how(text)
            .map_err(|error| self.problems.push(ignored(error)))
            .ok()
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

/// Core's own names say milliseconds by a bare number.
fn milliseconds(value: &str) -> Result<Duration, TimeError> {
    match value.trim() {
        value if value.ends_with('s') => parse_time(value),
        value => parse_time(&format!("{value}ms")),
    }
}

/// `true`, a list of causes by name or number, or such a list behind a `!`. Core looks for each name
/// anywhere in the text, so that anything may separate them: `A,B`, `^^:A:B`, `A B`.
fn reject_rule(value: &str) -> RejectRule {
    let value = value.trim();
    if is_true(value) {
        return RejectRule::Any;
    }
    let (but, list) = value
        .strip_prefix('!')
        .map_or((false, value), |list| (true, list));
    let names = list.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let causes: Vec<_> = names.filter_map(cause_named).collect();
    match (but, causes.is_empty()) {
        (true, _) => RejectRule::AnyBut(causes),
        (false, true) => RejectRule::Never,
        (false, false) => RejectRule::Only(causes),
    }
}

/// What the machine must know of one contact. As in core, a leg's own variable and a
/// global one of that name both count; the leg's own is the closer one.
pub fn leg(contact: &Contact, caller: &dyn Caller, globals: &Variables) -> (NewLeg, Vec<String>) {
    let lookup = |name: &str| {
        let own = contact.variables.get(name);
        let written = own.or_else(|| globals.get(name));
        let said = written.filter(|value| !value.is_empty());
        said.map(str::to_owned)
    };
    let mut told = Told::by(&lookup);
    let not_zero = |time: &Duration| !time.is_zero();
    let mut time = |name: &str| told.of(name, parse_time).filter(not_zero);
    let (delay, progress_timeout) = (time("leg_delay_start"), time("leg_progress_timeout"));
    let timeout = time("leg_timeout");
    // For one target these are words of core's about the originate of that target alone; among the
    // globals they are the part's.
    let own = |name: &str| {
        contact
            .variables
            .get(name)
            .filter(|value| !value.is_empty())
    };
    let alone = own("originate_timeout")
        .and_then(|value| told.read("originate_timeout", value, parse_time))
        .filter(not_zero);
    let held = own("originate_delay_start")
        .and_then(|value| told.read("originate_delay_start", value, milliseconds));
    let redirect = own("cti_redirect")
        .and_then(|value| told.read("cti_redirect", value, |text| REDIRECT.read(text)));
    // Core takes these from the caller, too.
    let asked = |name: &str| {
        lookup(name)
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
        held: held.unwrap_or_default(),
        delay: delay.unwrap_or_default(),
        timeout: timeout.into_iter().chain(alone).min(),
        progress_timeout,
        required: lookup("leg_required").is_some_and(|value| is_true(&value)),
        confirm,
        confirm_early: asked("group_confirm_early_ok").is_none_or(|value| is_true(&value)),
        idle: contact.dial_string.starts_with("pickup/") && lookup("leg_timeout").is_none(),
        dead: contact.dead,
        may_register: contact.user.is_some(),
        target: contact.place,
        redirect: redirect.or_else(|| fatal(own(FATAL).map(str::to_owned))),
        number: contact.owner.as_ref().map(|owner| owner.id.clone()),
        user: contact.of_user(),
    };
    (leg, told.problems)
}

/// The target that a part has alone, if core would dial it by an originate within its own and wait
/// for that: there `[…]` outranks `{…}`, and what stops at the user reaches the leg when that has won.
/// In every other plan `{…}` outranks `[…]`.
pub fn nested<'a>(part: &'a Part, globals: &Variables) -> Option<&'a Target> {
    let [stage] = &part.stages[..] else {
        return None;
    };
    let [target] = &stage.targets[..] else {
        return None;
    };
    let endpoint = |name: &str| target.endpoint.eq_ignore_ascii_case(name);
    let forked = globals.get("forked_dial").is_some_and(is_true);
    ((endpoint("user") || endpoint("group")) && !forked).then_some(target)
}

/// Of the plan's variables these reach a leg although they stop at its user: core hands the caller ID
/// on by itself.
const CALLER_ID: [&str; 5] = [
    "origination_caller_id_name",
    "origination_caller_id_number",
    "origination_ani",
    "origination_aniii",
    "origination_privacy",
];

/// The globals and the own variables of a leg of a [`nested`] target, as core combines them.
pub fn combine(caller: &dyn Caller, target: &Target, globals: &mut Variables, own: &mut Variables) {
    let names = || target.variables.iter().map(|it| it.name.as_str());
    if target.recurses(globals) {
        return globals.remove_all(names());
    }
    own.remove_all(names());
    let said = globals.iter().chain(&target.variables);
    let caller_id = |name: &str| CALLER_ID.iter().any(|it| it.eq_ignore_ascii_case(name));
    let mut reach = exports(caller);
    reach.set_all(said.filter(|it| caller_id(&it.name)));
    *globals = reach;
}

/// What core sets on the leg of a [`nested`] target when that has won: `{…}` over `[…]` after all.
pub fn after_all(caller: &dyn Caller, target: &Target, globals: &Variables) -> Variables {
    let globals = for_core(caller, globals);
    let own = |name: &str| target.variables.get(name).is_some();
    let mut all = Variables::default();
    if target.recurses(&globals) {
        all.set_all(globals.iter().filter(|it| own(&it.name)));
    } else {
        all.set_all(target.variables.iter().chain(&globals));
        all.remove_all(OURS.iter().copied());
    }
    all
}

/// The globals that core gets for a leg.
pub fn for_core(caller: &dyn Caller, globals: &Variables) -> Variables {
    let mut core = globals.clone();
    core.remove_all(OURS.iter().copied());
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
