//! Where the ring machine and FreeSWITCH meet: decisions are carried out, results fed back.
//! The caller's own thread rings a stage of one branch and joins the winner; where several
//! ring side by side they have threads of their own, without the caller's session.

use crate::calls::{Call, LEG_VARIABLE, Setting};
use crate::campon::{Campon, Fallback};
use crate::config::Config;
use crate::contacts::{self, Caller, Contact};
use crate::events;
use crate::hold::{self, Hold};
use crate::late;
use crate::module::{Module, module};
use crate::plan::time::is_true;
use crate::plan::{self, Limits, Plan, Variables};
use crate::result;
use crate::ring::{
    BranchId, CallerThread, Cause, Command, EarlyMedia, Event, LegId, NewLeg, Outcome, Ring,
    Settings,
};
use crate::settings::{self, OURS};
use crate::shield::Shield;
use crate::switch::Event as SwitchEvent;
use crate::switch::cause::from_switch;
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
    let limits = Limits::of_targets(config.max_targets);
    match plan::parse(text, &limits) {
        Ok(plan) => ring(&module, caller, plan, text),
        Err(error) => refuse(caller, text, &error.to_string()),
    }
}

/// A bad plan rings nobody (promise 9).
fn refuse(caller: &Session<'_>, text: &str, error: &str) {
    let uuid = caller.uuid();
    tracing::error!(uuid = uuid.as_str(), "cti_bridge: {error}");
    result::refused(caller, error);
    events::refused(&uuid, text, error);
    caller.handle_cause(result::REFUSED);
}

fn ring(module: &Arc<Module>, caller: &Session<'_>, plan: Plan, text: &str) {
    let shield = Shield::raise(caller);
    let (parts, setting) = read_settings(&module.config(), caller, plan, shield.cancel_key());
    tracing::info!(uuid = setting.uuid.as_str(), "cti_bridge: {text}");
    let call = Call::new(setting, Ring::new(parts), Arc::clone(&module.timer));
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
    call.feed(Event::Begin);
    let listen = || {
        if let Some(key) = call.hold.cancel_key {
            let ours = Arc::clone(&call);
            module.spawn(&call, "cti-keys", move || hear_keys(&ours, key), || {});
        }
    };
    listen();
    let mut shield = Some(shield);
    loop {
        let decision = run_caller(&call, caller);
        let early = |leg| call.state.lock().ring.may_resume(leg);
        // A leg in early media may turn out to be no winner: then the ringing goes on.
        if !matches!(decision, Decision::Join { leg, .. } if early(leg))
            && let Some(shield) = shield.take()
        {
            shield.lower();
        }
        match decision {
            Decision::Join { leg, branch, aside } => {
                if join(&call, caller, leg, branch, aside) {
                    break;
                }
                // During the early media the keys were the winner's.
                listen();
            }
            Decision::Fail {
                outcome,
                cause,
                hang_up_caller,
            } => break finish(&call, caller, outcome, cause, hang_up_caller),
        }
    }
    if let Some(shield) = shield {
        shield.lower();
    }
    drop(leave);
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
    let hold = match campon {
        Some(campon) => Hold::camping(campon, cancel_key),
        None => {
            caller.choose_media();
            Hold::new(caller, &of_caller, parts.len(), cancel_key)
        }
    };
    for (settings, _) in &mut parts {
        if settings.caller_thread == CallerThread::Rings {
            settings.caller_thread = hold.caller_thread();
        }
        if caller.bypasses_media() {
            settings.early_media = Some(without_media(settings.early_media, &of_caller, channel));
        }
    }
    let debug = settings::said("cti_debug", &of_caller, channel);
    let setting = Setting {
        uuid,
        plan,
        globals,
        late_join,
        hold,
        debug: debug.is_some_and(|value| is_true(&value)),
    };
    (parts, setting)
}

/// Where the switch does not touch the media, the endpoint itself passes every phone's early media
/// on to the caller. To join the two would end the application at once, with nobody to look after
/// deadlines and further stages: only an answer wins. A plan that has core ignore early media in
/// its own way keeps that.
fn without_media(
    asked: Option<EarlyMedia>,
    globals: &Variables,
    caller: &dyn Caller,
) -> EarlyMedia {
    let ignored = settings::said("ignore_early_media", globals, caller);
    let ways = ["ring_ready", "consume"];
    let ignores = |value: &String| is_true(value) || ways.contains(&value.as_str());
    match asked {
        Some(EarlyMedia::AsWritten) if ignored.as_ref().is_some_and(ignores) => {
            EarlyMedia::AsWritten
        }
        _ => EarlyMedia::Ignore,
    }
}

/// Wait for the caller's cancel key. Like core, which would do it, this takes every key.
fn hear_keys(call: &Arc<Call>, cancel: u8) {
    /// As often as core looks.
    const PERIOD: std::time::Duration = std::time::Duration::from_millis(20);
    let Some(caller) = LockedSession::locate(&call.uuid) else {
        return;
    };
    while !call.over() {
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

/// However the call ends (a panic too), nothing of it stays behind.
struct Leave<'a> {
    module: &'a Module,
    call: &'a Arc<Call>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // A second panic while the first unwinds would abort the switch.
        guarded("a call's end", (), || self.call.leave());
        guarded("a call's end", (), || {
            self.module.waiting.leave(self.call);
            self.module.calls.remove(self.call);
        });
    }
}

/// The caller's thread, until the call is decided.
fn run_caller(call: &Arc<Call>, caller: &Session<'_>) -> Decision {
    loop {
        match call.next_command() {
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
            Some(Command::Resolve { part, stage }) if call.state.lock().ring.has_open(part) => {
                resolve_aside(call, part, stage);
            }
            Some(Command::Resolve { part, stage }) => resolve(call, caller, part, stage),
            Some(command @ Command::Dial { .. }) => dial(call, Some(caller), command),
            Some(Command::RingCaller) => tell_ringing(caller),
            Some(_) => {}
            None if call.begin_to_wait() => {
                hold::wait(call, caller);
                call.state.lock().caller_waits = false;
            }
            None => {}
        }
    }
}

/// Send 180 to the caller. Core runs `execute_on_ring` and `api_on_ring` meanwhile, which may
/// take long.
fn tell_ringing(caller: &Session<'_>) {
    if !caller.answered() {
        caller.ring();
    }
}

/// The caller's thread is busy, and the thread that knows of the ringing may be the one that
/// delivers all events of the switch, or the timer: neither may wait for applications.
pub fn ring_caller_aside(call: &Arc<Call>) {
    let ours = Arc::clone(call);
    let tell = move || {
        if let Some(caller) = LockedSession::locate(&ours.uuid) {
            tell_ringing(&caller);
        }
    };
    if let Some(module) = module() {
        module.spawn(call, "cti-ringing", tell, || {});
    }
}

/// Run one branch beside the caller's thread.
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

/// Look a stage up beside the caller's thread: one that rings already may be answered.
fn resolve_aside(call: &Arc<Call>, part: usize, stage: usize) {
    let (ours, lost) = (Arc::clone(call), Arc::clone(call));
    let nobody = move || lost.resolved(part, Vec::new(), Vec::new());
    let look_up = move || match LockedSession::locate(&ours.uuid) {
        Some(caller) => resolve(&ours, &caller, part, stage),
        None => ours.resolved(part, Vec::new(), Vec::new()),
    };
    match module() {
        Some(module) => module.spawn(call, "cti-lookup", look_up, nobody),
        None => nobody(),
    }
}

fn resolve(call: &Arc<Call>, session: &Session<'_>, part: usize, stage: usize) {
    let caller = session.channel();
    let globals = &call.globals[part];
    let targets = &call.plan.parts[part].stages[stage];
    let module = module();
    let before = module.as_ref().map(|module| module.waiting.registrations());
    let config = config();
    let contacts::Resolved {
        contacts: found,
        users,
        ..
    } = contacts::resolve(targets, caller, globals, &config).warned(&call.uuid);
    // A directory may take long, and nobody shall ring for a caller who has left meanwhile.
    if !session.still_ready() {
        call.feed(Event::CallerGone);
    }
    // Somebody has answered meanwhile: these were never asked for.
    if call.state.lock().ring.winner().is_some() {
        return call.resolved(part, Vec::new(), Vec::new());
    }
    let limit = config.max_targets;
    if found.len() > limit {
        let error = format!(
            "stage {} has {} contacts, more than max-targets ({limit})",
            stage + 1,
            found.len()
        );
        tracing::error!(uuid = call.uuid.as_str(), "cti_bridge: {error}");
        call.state.lock().refused = Some(error);
        call.feed(Event::Cancel(result::REFUSED));
        return call.resolved(part, Vec::new(), Vec::new());
    }
    let legs = found.iter().map(|contact| {
        let (mut leg, problems) = settings::leg(contact, caller, globals);
        leg.may_register &= call.late_join[part];
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
    let waits = module.filter(|_| call.late_join[part]);
    let names: Vec<String> = users.iter().map(|(user, _)| user.clone()).collect();
    if let Some(module) = &waits {
        module.waiting.wait(call, part, stage, users);
    }
    call.resolved(part, found, legs);
    // Who has registered while the others were looked up is not missed either.
    if let Some(module) = waits
        && before != Some(module.waiting.registrations())
    {
        names
            .iter()
            .for_each(|user| late::look_again(&module, user));
    }
}

/// An operator's further target, beside the running stage of this part. What it did, or why
/// it could not.
pub fn add(
    call: &Arc<Call>,
    caller: &dyn Caller,
    (part, stage): (usize, usize),
    targets: &plan::Stage,
    tell: impl FnOnce(&str) -> events::Announcement,
) -> Result<String, String> {
    let globals = &call.globals[part];
    let config = config();
    let contacts::Resolved {
        contacts: found,
        users,
        ..
    } = contacts::resolve(targets, caller, globals, &config).warned(&call.uuid);
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
    let said = |legs: usize| format!("{legs} more leg(s) ring");
    let told = |legs| Some(tell(&said(legs)));
    let found = with_legs(found, caller, globals);
    let early = call.state.lock().ring.tentative();
    if let Some(leg) = early {
        lend(call, caller, leg);
    }
    let added = call.added((part, stage), found, config.max_targets, true, told);
    let added = added.map_err(|why| why.to_string())?;
    // Its other devices may be on their way, as those of the plan's own targets.
    if let Some(module) = module().filter(|_| call.late_join[part]) {
        module.waiting.wait(call, part, stage, users);
    }
    Ok(said(added))
}

/// Each of these contacts with what the machine must know of it.
pub fn with_legs(
    found: Vec<Contact>,
    caller: &dyn Caller,
    globals: &Variables,
) -> Vec<(Contact, NewLeg)> {
    let leg = |contact: Contact| {
        let (leg, _) = settings::leg(&contact, caller, globals);
        (contact, leg)
    };
    found.into_iter().map(leg).collect()
}

/// The settings in force; their defaults while the module unloads.
pub fn config() -> Arc<Config> {
    module().map_or_else(Arc::default, |module| module.config())
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
    let cancelled = from_switch(cell.load(Ordering::Acquire));
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
    if caller.is_some() {
        call.state.lock().core_has_caller = true;
    }
    let originated = switch::originate(
        caller,
        Some(owner),
        ovars.as_ref(),
        handle,
        crate::module::leg_handlers(),
        &cell,
    );
    if caller.is_some() {
        call.state.lock().core_has_caller = false;
    }
    match originated {
        Originated::Won(peer) => {
            let leg = leg_of(&peer).unwrap_or(legs[0]);
            let answered = peer.answered();
            call.leg_began(leg, &peer);
            call.state.lock().peers.insert(branch, peer);
            call.look_for_answer();
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
    } else if call.state.lock().ring.has_rung() && globals.get("instant_ringback").is_none() {
        // The caller has heard it in an earlier stage: no pause until this one's phone rings.
        globals.set("instant_ringback", "true");
    }
    handle.nested_variables = globals.get("origination_nested_vars").is_some_and(is_true);
    handle.global(
        globals
            .iter()
            .map(|variable| (variable.name.as_str(), variable.value.as_str())),
    );
    let contacts = legs
        .iter()
        .map(|&leg| Some((leg, call.state.lock().legs.get(leg)?.contact.clone())))
        .collect::<Option<Vec<_>>>()?;
    let variables = contacts.iter().map(|(_, contact)| &contact.variables);
    let caller_id = settings::effective(caller, &globals, variables);
    for (leg, contact) in &contacts {
        let id = format!("{}.{leg}", call.serial);
        let own = contact
            .variables
            .iter()
            .map(|variable| (variable.name.as_str(), variable.value.as_str()));
        let own = own.filter(|(name, _)| !OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)));
        let unsaid = caller_id
            .iter()
            .filter(|(name, _)| contact.variables.get(name).is_none());
        let unsaid = unsaid.map(|(name, value)| (*name, value.as_str()));
        let dial_string = if aside {
            switch::dial::beside(&contact.dial_string)
        } else {
            contact.dial_string.as_str().into()
        };
        if !handle.leg(
            &dial_string,
            own.chain(unsaid).chain([(LEG_VARIABLE, id.as_str())]),
        ) {
            return None;
        }
    }
    Some(handle)
}

/// Join the winner with the caller until they part. False: it has left without an answer,
/// and the call goes on.
fn join(call: &Arc<Call>, caller: &Session<'_>, leg: LegId, branch: BranchId, aside: bool) -> bool {
    let peer = call.state.lock().peers.remove(&branch);
    if call.state.lock().ring.winner() != Some(leg) {
        return false; // It was in early media, and another has answered by now.
    }
    let Some(peer) = peer.map(Joined) else {
        let cause = Cause::DESTINATION_OUT_OF_ORDER;
        finish(call, caller, Outcome::Failed, cause, false);
        return true;
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
    let mut verdict = None;
    if answered {
        result::caller_answered(call, leg);
        verdict = Some(result::answered(call, caller, leg));
    } else {
        let may_resume = call.state.lock().ring.may_resume(leg);
        if may_resume {
            lend(call, caller.channel(), leg);
        }
        call.state.lock().answer_awaited = true;
    }
    let lent = Lent(call, caller.channel(), leg);
    caller.bridge(&peer);
    call.leg_over(leg, &peer);
    let decided = call.state.lock().ring.tentative().is_none();
    if decided {
        call.settle_losers();
    }
    call.state.lock().answer_awaited = false;
    let was_lent = give_back(call, caller.channel(), leg);
    drop(lent);
    if !answered && !peer.answered() && caller.ready() {
        call.feed(Event::Unanswered(leg));
    }
    if call.state.lock().ring.winner() != Some(leg) {
        return false;
    }
    let verdict = if let Some(mut verdict) = verdict {
        result::parted(call, caller, &mut verdict);
        verdict
    } else if peer.answered() {
        result::answered(call, caller, leg)
    } else {
        let (outcome, cause) = call.state.lock().ring.unanswered(leg);
        if was_lent {
            // Core was kept from what it does with the caller of a bridge that has failed.
            finish(call, caller, outcome, cause, false);
            return true;
        }
        result::failed(call, caller, outcome, cause)
    };
    result::ended(call, caller, verdict);
    true
}

/// What core does with a caller whose bridge has failed is not due while the call may go on.
fn lend(call: &Call, caller: &dyn Caller, leg: LegId) {
    let Some(mut claim) = call.claim_loan(leg) else {
        return;
    };
    let meanwhile = [
        ("continue_on_fail", Some("true")),
        ("failure_causes", None),
        ("transfer_on_fail", None),
        ("hangup_after_bridge", None),
    ];
    for (name, value) in meanwhile {
        claim.values.push((name, caller.variable(name)));
        caller.set(name, value);
    }
}

/// The caller has its variables back when the two have parted, also if the join panics.
struct Lent<'a>(&'a Call, &'a Channel<'a>, LegId);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        guarded("a join's end", (), || {
            give_back(self.0, self.1, self.2);
        });
    }
}

/// The leg has answered after all, or left. Whether anything was lent.
fn give_back(call: &Call, caller: &Channel<'_>, leg: LegId) -> bool {
    let Some(mut claim) = call.end_loan(leg) else {
        return false;
    };
    while let Some((name, value)) = claim.values.pop() {
        caller.restore(name, value.as_deref());
    }
    true
}

/// A winner that was joined in early media answers at last: now the result is known.
pub fn answered_late(call: &Call, leg: LegId) {
    let awaited = call.awaits_answer(leg);
    if let Some(caller) = awaited.then(|| LockedSession::locate(&call.uuid)).flatten() {
        give_back(call, caller.channel(), leg);
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
    // Siblings of one that answered too late may still be on their way out.
    call.settle_losers();
    let verdict = result::failed(call, caller, outcome, cause);
    result::ended(call, caller, verdict);
    if hang_up_caller {
        caller.hang_up(cause);
    } else if let Some(fallback) = call.hold.fallback.as_ref().filter(|_| caller.ready()) {
        let Fallback {
            extension,
            dialplan,
            context,
        } = fallback;
        caller.transfer(extension, dialplan.as_deref(), context.as_deref());
    } else {
        caller.handle_cause(cause);
    }
}
