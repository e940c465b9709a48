//! The application `cti_bridge`, from its argument to the end of the call.
//! A plan is read, and a call made of it; the caller's thread is its hand until it is decided.
//! However the call ends, nothing of it stays behind.

use super::desk::{Decision, Hand};
use super::hears::Hears;
use super::join::{self, Joined};
use super::registry::Calls;
use super::shield::Shield;
use super::verdict;
use super::{Call, Setting};
use crate::plan::time::is_true;
use crate::plan::{self, Limits, Plan, Variables};
use crate::ring::{Cause, EarlyMedia, Event, Outcome, Ring, Settings};
use crate::settings;
use crate::settings::campon::{Campon, Fallback};
use crate::settings::config::Config;
use crate::shared::Shared;
use crate::switch::guard::guarded;
use crate::switch::{LockedSession, Session};
use crate::tell::event;
use std::sync::Arc;

/// The application. Returns when the call is over: joined and parted again, failed, or
/// refused.
pub fn cti_bridge(shared: &Arc<Shared>, calls: &Calls, caller: &Session<'_>, text: &str) {
    let config = shared.config();
    let limits = Limits::of_targets(config.max_targets);
    match plan::parse(text, &limits) {
        Ok(plan) => {
            for remark in &plan.remarks {
                tracing::warn!(uuid = caller.uuid().as_str(), "cti_bridge: {remark}");
            }
            ring(shared, calls, caller, plan, text);
        }
        Err(error) => refuse(shared, caller, text, &error.to_string()),
    }
}

/// A bad plan rings nobody (promise 9).
fn refuse(shared: &Shared, caller: &Session<'_>, text: &str, error: &str) {
    let uuid = caller.uuid();
    tracing::error!(uuid = uuid.as_str(), "cti_bridge: {error}");
    verdict::refused(caller, shared, error);
    event::refused(&uuid, text, error, verdict::REFUSED);
    caller.handle_cause(verdict::REFUSED);
    verdict::goes_on(caller);
}

fn ring(shared: &Arc<Shared>, calls: &Calls, caller: &Session<'_>, plan: Plan, text: &str) {
    let shield = Shield::raise(caller);
    let (parts, setting) = read_settings(&shared.config(), caller, plan, shield.cancel_key());
    tracing::info!(uuid = setting.uuid.as_str(), "cti_bridge: {text}");
    let call = Call::new(setting, Ring::new(parts), Arc::clone(shared));
    if !calls.insert(&call) {
        return caller.handle_cause(Cause::DESTINATION_OUT_OF_ORDER);
    }
    let leave = Leave {
        calls,
        call: &call,
        caller,
    };
    call.mailbox.open(LockedSession::locate(&call.uuid));
    caller.hear_signals(shared.hooks.signals);
    verdict::began(caller, &call);
    shared.metrics.call_started();
    call.announce(event::started(call.plan.to_string()));
    call.hand(caller).feed(Event::Begin);
    let mut shield = Some(shield);
    loop {
        let decision = decide(&call, caller);
        let early = |leg| call.look(|ring| ring.may_resume(leg));
        // A leg in early media may turn out to be no winner: then the ringing goes on.
        if !matches!(decision, Decision::Join(leg) if early(leg))
            && let Some(shield) = shield.take()
        {
            shield.lower();
        }
        let (outcome, cause, hang_up_caller) = match decision {
            Decision::Join(leg) => match join::join(&call, caller, leg) {
                Joined::Over(verdict) => break verdict.ended(&call, caller),
                Joined::GoesOn => continue,
                Joined::Failed { outcome, cause } => (outcome, cause, false),
            },
            Decision::Fail {
                outcome,
                cause,
                hang_up_caller,
            } => (outcome, cause, hang_up_caller),
        };
        break finish(&call, caller, outcome, cause, hang_up_caller);
    }
    if let Some(shield) = shield {
        shield.lower();
    }
    drop(leave);
}

/// The caller's thread is the hand until the call is decided.
fn decide(call: &Arc<Call>, caller: &Session<'_>) -> Decision {
    loop {
        let mut hand = call.hand(caller);
        hand.work();
        if let Some(decision) = hand.desk.decision.take() {
            return decision;
        }
    }
}

/// What the plan, the caller and cti.conf ask of this call; for each part its settings and how
/// many stages it has. A caller who is to camp on is answered.
fn read_settings(
    config: &Config,
    caller: &Session<'_>,
    plan: Plan,
    cancel_key: Option<u8>,
) -> (Vec<(Settings, usize)>, Setting) {
    let uuid = caller.uuid();
    let channel = caller.channel();
    let globals: Vec<Variables> = plan
        .parts
        .iter()
        .map(|part| settings::globals(channel, &plan, part))
        .collect();
    let of_caller = settings::of_any_part(&globals);
    let campon = Campon::read(channel, &of_caller);
    if campon.is_some() {
        caller.answer();
    }
    let (mut parts, mut late_join) = (Vec::new(), Vec::new());
    for (part, globals) in plan.parts.iter().zip(&globals) {
        let (mut settings, problems) = settings::read(config, channel, globals);
        for problem in problems {
            tracing::warn!(uuid = uuid.as_str(), "cti_bridge: {problem}");
        }
        late_join.push(settings::late_join(config, channel, globals, &settings));
        if let Some(campon) = &campon {
            campon.settle(&mut settings);
        }
        parts.push((settings, part.stages.len()));
    }
    if campon.is_none() {
        caller.choose_media();
    }
    let hears = Hears::new(caller, &of_caller, parts.len(), cancel_key, campon);
    if caller.bypasses_media() {
        for (settings, _) in &mut parts {
            // Where the switch does not touch the media, the endpoint itself passes every phone's
            // early media on to the caller. To join the two would end the application at once,
            // with nobody to look after deadlines and further stages: only an answer wins.
            settings.early_media = Some(EarlyMedia::Ignore);
        }
    }
    let debug = settings::said("cti_debug", &of_caller, channel);
    let setting = Setting {
        uuid,
        plan,
        globals,
        late_join,
        hears,
        debug: debug.is_some_and(|value| is_true(&value)),
    };
    (parts, setting)
}

/// However the call ends (a panic too), nothing of it stays behind.
struct Leave<'a> {
    calls: &'a Calls,
    call: &'a Arc<Call>,
    caller: &'a Session<'a>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let (call, caller) = (self.call, self.caller);
        // A second panic while the first unwinds would abort the switch.
        guarded("a call's end", (), || {
            caller.hear_no_signals(call.shared.hooks.signals);
            call.mailbox.next_term();
            call.hand(caller).leave();
        });
        guarded("a call's end", (), || {
            call.mailbox.close();
            call.shared.registrations.leave(call.serial);
            self.calls.remove(call);
        });
    }
}

impl Hand<'_> {
    /// The caller's thread leaves: whatever still rings, after a panic, comes to an end.
    fn leave(&mut self) {
        self.stop_hearing();
        for (_, leg) in self.desk.legs.drain() {
            leg.hear_no_messages(self.call.shared.hooks.messages);
            leg.hang_up(Cause::ORIGINATOR_CANCEL);
            leg.originated();
        }
        self.desk.over.clear();
        self.call.disarm();
    }
}

fn finish(
    call: &Arc<Call>,
    caller: &Session<'_>,
    outcome: Outcome,
    cause: Cause,
    hang_up_caller: bool,
) {
    {
        let mut hand = call.hand(caller);
        hand.stop_hearing();
        // Siblings of one that answered too late may still be on their way out.
        hand.settle_losers();
        hand.give_back_arrays();
        hand.report_failed();
        hand.let_go_of_who_waits();
    }
    verdict::failed(call, caller, outcome, cause).ended(call, caller);
    if hang_up_caller {
        caller.hang_up(cause);
    } else if let Some(fallback) = call.hears.fallback.as_ref().filter(|_| caller.ready()) {
        let Fallback {
            extension,
            dialplan,
            context,
        } = fallback;
        caller.transfer(extension, dialplan.as_deref(), context.as_deref());
    } else {
        caller.handle_cause(cause);
    }
    verdict::goes_on(caller);
}
