//! Where the ring machine and FreeSWITCH meet: decisions are carried out, results fed back.
//! The caller's own thread runs part 0 and joins the winner; further parts and later
//! starts ring on threads of their own, without the caller's session, beside it.

use crate::calls::{Call, LEG_VARIABLE};
use crate::contacts::{self, Caller};
use crate::events;
use crate::module::{Module, module};
use crate::plan::time::is_true;
use crate::plan::{self, Limits, Plan, Variables};
use crate::result;
use crate::ring::{BranchId, Cause, Command, EarlyMedia, Event, LegId, Outcome, Ring};
use crate::settings::{self, OURS};
use crate::switch::Event as SwitchEvent;
use crate::switch::guard::guarded;
use crate::switch::session::cause_name;
use crate::switch::{self, Channel, DialHandle, LockedSession, Originated, Session};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The application. Returns when the call is over: joined and parted again, failed, or
/// refused.
pub fn cti_bridge(caller: &Session<'_>, text: &str) {
    let Some(module) = module() else {
        // Unloading: the switch lets no new application begin, so this is a late straggler.
        return caller.handle_cause(Cause::DESTINATION_OUT_OF_ORDER);
    };
    let config = module.config();
    let limits = Limits {
        targets: config.max_targets,
        ..Limits::default()
    };
    match plan::parse(text, &limits) {
        Ok(plan) => ring(&module, caller, plan, text),
        Err(error) => refuse(caller, &error.to_string()),
    }
}

/// A bad plan rings nobody (promise 9).
fn refuse(caller: &Session<'_>, error: &str) {
    let uuid = caller.uuid();
    tracing::error!(uuid = uuid.as_str(), "cti_bridge: {error}");
    result::refused(caller, error);
    caller.handle_cause(result::REFUSED);
}

fn ring(module: &Arc<Module>, caller: &Session<'_>, plan: Plan, text: &str) {
    let config = module.config();
    let uuid = caller.uuid();
    let globals: Vec<Variables> = plan
        .parts
        .iter()
        .map(|part| settings::globals(caller.channel(), &plan, part))
        .collect();
    let mut parts = Vec::new();
    for (part, globals) in plan.parts.iter().zip(&globals) {
        let (settings, problems) = settings::read(&config, caller.channel(), globals);
        for problem in problems {
            tracing::warn!(uuid = uuid.as_str(), "cti_bridge: {problem}");
        }
        parts.push((settings, part.stages.len()));
    }
    tracing::info!(uuid = uuid.as_str(), "cti_bridge: {text}");
    let part_count = parts.len();
    // Core would hang the legs up with LOSE_RACE, which hides the missed call (promise 6).
    let cancel_key = Shield::new(caller, "origination_cancel_key");
    let digit = cancel_key.value().and_then(|keys| keys.bytes().next());
    let debug = globals[0]
        .get("cti_debug")
        .map(str::to_owned)
        .or_else(|| caller.variable("cti_debug"));
    let debug = debug.is_some_and(|value| is_true(&value));
    let timer = Arc::clone(&module.timer);
    let call = Call::new(uuid, plan, globals, debug, Ring::new(parts), timer);
    if !module.calls.insert(&call) {
        return caller.handle_cause(Cause::DESTINATION_OUT_OF_ORDER);
    }
    let leave = Leave {
        module,
        call: &call,
    };
    result::began(caller, &call);
    module.metrics.call_started();
    call.announce(events::started(&call));
    caller.choose_media();
    call.feed(Event::Begin);
    for part in 1..part_count {
        let (ours, lost) = (Arc::clone(&call), Arc::clone(&call));
        let otherwise = move || {
            // In this order: a part that is asked for contacts when all is over just ends.
            lost.feed(Event::Cancel(Cause::DESTINATION_OUT_OF_ORDER));
            lost.resolved(part, Vec::new(), Vec::new());
        };
        module.spawn(&call, "cti-part", move || run_part(&ours, part), otherwise);
    }
    if let Some(digit) = digit {
        let ours = Arc::clone(&call);
        module.spawn(&call, "cti-keys", move || hear_keys(&ours, digit), || {});
    }
    let decision = run_caller(&call, caller);
    drop(cancel_key);
    match decision {
        Decision::Join { leg, branch, aside } => join(&call, caller, leg, branch, aside),
        Decision::Fail {
            outcome,
            cause,
            hang_up_caller,
        } => finish(&call, caller, outcome, cause, hang_up_caller),
    }
    drop(leave);
}

/// Wait for the caller's cancel key. Like core, which would do it, this takes every key.
fn hear_keys(call: &Arc<Call>, cancel: u8) {
    /// As often as core looks.
    const PERIOD: std::time::Duration = std::time::Duration::from_millis(20);
    let Some(caller) = LockedSession::locate(&call.uuid) else {
        return;
    };
    while !call.state.lock().ring.over() {
        match caller.key() {
            Some(key) if key == cancel => call.feed(Event::Cancel(Cause::ORIGINATOR_CANCEL)),
            Some(_) => {}
            None => call.wait_changed(PERIOD),
        }
    }
}

/// What the machine decided in the end.
enum Decision {
    Join {
        leg: LegId,
        branch: BranchId,
        aside: bool,
    },
    Fail {
        outcome: Outcome,
        cause: Cause,
        hang_up_caller: bool,
    },
}

/// Takes a variable of the caller's away from core while we ring, and gives it back.
struct Shield<'a> {
    caller: &'a Channel<'a>,
    name: &'static str,
    value: Option<String>,
}

impl<'a> Shield<'a> {
    fn new(caller: &'a Channel<'a>, name: &'static str) -> Shield<'a> {
        let value = caller.variable(name).filter(|value| !value.is_empty());
        if value.is_some() {
            caller.set(name, None);
        }
        Shield {
            caller,
            name,
            value,
        }
    }

    fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl Drop for Shield<'_> {
    fn drop(&mut self) {
        if self.value.is_some() {
            self.caller.set(self.name, self.value());
        }
    }
}

/// However the call ends (a panic too), nothing of it stays behind.
struct Leave<'a> {
    module: &'a Module,
    call: &'a Arc<Call>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // A second panic while the first unwinds would abort the switch.
        guarded("a call's end", (), || self.call.leave());
        guarded("a call's end", (), || self.module.calls.remove(self.call));
    }
}

/// The caller's thread: part 0, until the call is decided.
fn run_caller(call: &Arc<Call>, caller: &Session<'_>) -> Decision {
    /// How long the caller's media is read before the queue is looked at again.
    const SLICE: u32 = 20;
    loop {
        match call.next_command(0) {
            Some(Command::Join { leg, branch, aside }) => {
                return Decision::Join { leg, branch, aside };
            }
            Some(Command::Finish {
                outcome,
                cause,
                hang_up_caller,
            }) => {
                return Decision::Fail {
                    outcome,
                    cause,
                    hang_up_caller,
                };
            }
            Some(Command::Resolve { part, stage }) => resolve(call, caller.channel(), part, stage),
            Some(command @ Command::Dial { .. }) => dial(call, Some(caller), command),
            Some(_) => {}
            None => {
                caller.live(SLICE);
                if !caller.ready() {
                    call.feed(Event::CallerGone);
                    // A caller on the way out is not slept with: do not spin meanwhile.
                    call.wait_changed(std::time::Duration::from_millis(u64::from(SLICE)));
                }
            }
        }
    }
}

/// A further part's thread: its stages, one after another.
fn run_part(call: &Arc<Call>, part: usize) {
    while let Some(command) = call.wait_command(part) {
        match command {
            Command::Resolve { part, stage } => match LockedSession::locate(&call.uuid) {
                Some(caller) => resolve(call, caller.channel(), part, stage),
                None => {
                    call.feed(Event::CallerGone);
                    call.resolved(part, Vec::new(), Vec::new());
                }
            },
            command => dial(call, None, command),
        }
    }
}

/// Run one branch beside its part's own.
pub fn dial_aside(call: &Arc<Call>, command: Command, branch: BranchId) {
    let (ours, lost) = (Arc::clone(call), Arc::clone(call));
    let cause = Cause::DESTINATION_OUT_OF_ORDER;
    let otherwise = move || lost.feed(Event::BranchFailed { branch, cause });
    match module() {
        Some(module) => module.spawn(
            call,
            "cti-branch",
            move || dial(&ours, None, command),
            otherwise,
        ),
        None => otherwise(),
    }
}

fn resolve(call: &Arc<Call>, caller: &dyn Caller, part: usize, stage: usize) {
    let globals = &call.globals[part];
    let found = contacts::resolve(&call.plan.parts[part].stages[stage], caller, globals);
    let limit = module().map_or(usize::MAX, |module| module.config().max_targets);
    if found.len() > limit {
        let error = format!(
            "stage {} has {} contacts, more than max-targets ({limit})",
            stage + 1,
            found.len()
        );
        tracing::error!(uuid = call.uuid.as_str(), "cti_bridge: {error}");
        caller.set("cti_error", Some(&error));
        call.feed(Event::Cancel(result::REFUSED));
        return call.resolved(part, Vec::new(), Vec::new());
    }
    let legs = found.iter().map(|contact| {
        let (leg, problems) = settings::leg(contact, globals);
        for problem in problems {
            tracing::warn!(
                uuid = call.uuid.as_str(),
                "cti_bridge: {}: {problem}",
                contact.target
            );
        }
        leg
    });
    let legs = legs.collect();
    call.resolved(part, found, legs);
}

/// An operator's further target, beside the running stage of this part. What it did, or why
/// it could not.
pub fn add(
    call: &Arc<Call>,
    caller: &dyn Caller,
    part: usize,
    stage: &plan::Stage,
) -> Result<String, String> {
    let globals = &call.globals[part];
    let found = contacts::resolve(stage, caller, globals);
    let alive = found
        .iter()
        .filter(|contact| contact.dead.is_none())
        .count();
    if alive == 0 {
        let why = found
            .first()
            .and_then(|contact| contact.dead)
            .map(cause_name);
        return Err(format!("it cannot ring: {}", why.unwrap_or_default()));
    }
    let legs: Vec<_> = found
        .iter()
        .map(|contact| settings::leg(contact, globals).0)
        .collect();
    let limit = module().map_or(usize::MAX, |module| module.config().max_targets);
    let ringing = call.state.lock().ring.legs().len();
    if ringing + legs.len() > limit {
        return Err(format!(
            "the call would have more legs than max-targets ({limit})"
        ));
    }
    if !call.added(part, found, legs) {
        return Err("too late: the stage is over".to_owned());
    }
    Ok(format!("{alive} more leg(s) ring"))
}

/// One originate: ring these legs until one wins, all fail, or the branch is cancelled.
fn dial(call: &Arc<Call>, caller: Option<&Session<'_>>, command: Command) {
    let Command::Dial {
        branch,
        part,
        legs,
        early_media,
        ..
    } = command
    else {
        return;
    };
    // Should this thread panic, the branch is over all the same.
    let _returned = Returned { call, branch };
    let cell = call.cell(branch);
    let cancelled = Cause(cell.load(Ordering::Acquire));
    if cancelled != Cause::NONE {
        return call.feed(Event::BranchFailed {
            branch,
            cause: cancelled,
        });
    }
    let located = if caller.is_none() {
        LockedSession::locate(&call.uuid)
    } else {
        None
    };
    let owner: Option<&Session<'_>> = caller.or(located.as_deref());
    let Some((handle, owner)) = owner.and_then(|owner| {
        Some((
            build(
                call,
                owner.channel(),
                caller.is_none(),
                part,
                &legs,
                early_media,
            )?,
            owner,
        ))
    }) else {
        return call.feed(Event::BranchFailed {
            branch,
            cause: Cause::DESTINATION_OUT_OF_ORDER,
        });
    };
    // Core reads this one before it takes the dial handle's variables.
    let ovars = if caller.is_some() {
        None
    } else {
        SwitchEvent::variables()
    };
    let ovars = ovars.map(|mut event| {
        event.add("ent_originate_aleg_uuid", &call.uuid);
        event
    });
    let began = Instant::now();
    match switch::originate(
        caller,
        Some(owner),
        ovars.as_ref(),
        handle,
        crate::module::leg_handlers(),
        &cell,
    ) {
        Originated::Won(peer) => {
            let leg = leg_of(&peer).unwrap_or(legs[0]);
            let answered = peer.answered();
            call.leg_began(leg, &peer);
            call.state.lock().peers.insert(branch, peer);
            call.feed(Event::BranchWon {
                branch,
                leg,
                answered,
            });
        }
        Originated::Failed(cause) => {
            if caller.is_some_and(|caller| !caller.ready()) {
                call.feed(Event::CallerGone);
            }
            call.settle(branch, began.elapsed());
            call.feed(Event::BranchFailed { branch, cause });
        }
    }
}

/// Tells the machine that a branch is over, if a panic kept `dial` from it.
struct Returned<'a> {
    call: &'a Arc<Call>,
    branch: BranchId,
}

impl Drop for Returned<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (branch, cause) = (self.branch, Cause::DESTINATION_OUT_OF_ORDER);
            guarded("a branch's end", (), || {
                self.call.feed(Event::BranchFailed { branch, cause });
            });
        }
    }
}

/// A winner in our hands: should we panic, it must not be left up with nobody.
struct Joined(LockedSession);

impl std::ops::Deref for Joined {
    type Target = LockedSession;
    fn deref(&self) -> &LockedSession {
        &self.0
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if std::thread::panicking() {
            guarded("a winner's end", (), || {
                self.0.hang_up(Cause::DESTINATION_OUT_OF_ORDER);
            });
        }
    }
}

/// The number of the leg that this channel is.
fn leg_of(peer: &Channel<'_>) -> Option<LegId> {
    peer.variable(LEG_VARIABLE)?.split_once('.')?.1.parse().ok()
}

fn build(
    call: &Call,
    caller: &dyn Caller,
    aside: bool,
    part: usize,
    legs: &[LegId],
    early_media: EarlyMedia,
) -> Option<DialHandle> {
    let mut handle = DialHandle::new()?;
    let mut globals = settings::for_core(caller, &call.globals[part], early_media);
    if aside {
        settings::aside(caller, &call.uuid, &mut globals);
    }
    handle.global(
        globals
            .iter()
            .map(|variable| (variable.name.as_str(), variable.value.as_str())),
    );
    for &leg in legs {
        let contact = call.state.lock().legs.get(leg)?.contact.clone();
        let id = format!("{}.{leg}", call.serial);
        let own = contact
            .variables
            .iter()
            .map(|variable| (variable.name.as_str(), variable.value.as_str()));
        let own = own.filter(|(name, _)| !OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)));
        if !handle.leg(
            &contact.dial_string,
            own.chain([(LEG_VARIABLE, id.as_str())]),
        ) {
            return None;
        }
    }
    Some(handle)
}

fn join(call: &Arc<Call>, caller: &Session<'_>, leg: LegId, branch: BranchId, aside: bool) {
    let peer = call.state.lock().peers.remove(&branch);
    let Some(peer) = peer.map(Joined) else {
        return finish(
            call,
            caller,
            Outcome::Failed,
            Cause::DESTINATION_OUT_OF_ORDER,
            false,
        );
    };
    // Core's originate has answered and prepared the caller only where it had its session.
    if aside {
        caller.adopt(&peer);
    }
    let part = call.state.lock().ring.legs()[leg].part;
    // Core reads `import` from the caller alone; here it may stand in the plan, too.
    if let Some(names) = call.globals[part].get("import") {
        for name in names.split(',').map(str::trim) {
            if let Some(value) = peer.variable(name) {
                caller.set(name, Some(&value));
            }
        }
    }
    // A winner in early media may never answer: its result is known when the two part.
    let answered = peer.answered();
    if answered {
        result::answered(call, caller, leg);
    } else {
        call.state.lock().answer_awaited = true;
    }
    caller.bridge(&peer);
    call.leg_over(leg, &peer);
    call.settle_losers();
    call.state.lock().answer_awaited = false;
    if answered {
        result::parted(call, caller);
    } else if peer.answered() {
        result::answered(call, caller, leg);
    } else {
        let (outcome, cause) = call.state.lock().ring.unanswered(leg);
        result::failed(call, caller, outcome, cause);
    }
    result::ended(call, caller);
}

/// A winner that was joined in early media answers at last: now the result is known.
pub fn answered_late(call: &Call, leg: LegId) {
    let awaited = {
        let state = call.state.lock();
        state.answer_awaited && state.ring.winner() == Some(leg)
    };
    if let Some(caller) = awaited.then(|| LockedSession::locate(&call.uuid)).flatten() {
        result::answered(call, caller.channel(), leg);
    }
}

fn finish(
    call: &Arc<Call>,
    caller: &Session<'_>,
    outcome: Outcome,
    cause: Cause,
    hang_up_caller: bool,
) {
    result::failed(call, caller, outcome, cause);
    result::ended(call, caller);
    if hang_up_caller {
        caller.hang_up(cause);
    } else {
        caller.handle_cause(cause);
    }
}
