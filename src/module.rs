//! The module's border: load, unload, and the functions that the switch calls.
//! Each trampoline turns C's arguments into safe ones inside the panic guard and calls the
//! safe code that does the work; nothing else stands here.

use crate::api;
use crate::bridge;
use crate::calls::{self, Call, Calls, LEG_VARIABLE};
use crate::config::Config;
use crate::events::SUBCLASS;
use crate::ffi;
use crate::history::History;
use crate::late;
use crate::metrics::Metrics;
use crate::plan::inert;
use crate::ring::{Cause, Event, LegId};
use crate::switch::event::{Binding, free_subclass, reserve_subclass};
use crate::switch::guard::guarded;
use crate::switch::{self, EventRef, LockedSession, Session, text, xml};
use crate::timer::Timer;
use once_cell::sync::Lazy;
use parking_lot::{Condvar, Mutex, RwLock};
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

const NAME: &str = "mod_cti";

/// Everything that one load of the module owns; made anew at each load, because statics
/// survive `reload` (the library is never unmapped).
pub struct Module {
    pub calls: Calls,
    pub timer: Arc<Timer>,
    pub metrics: Metrics,
    pub history: History,
    pub waiting: late::Waiting,
    config: RwLock<Arc<Config>>,
    /// Threads that ring branches and parts beside a caller's own.
    threads: Mutex<usize>,
    thread_ended: Condvar,
    bindings: Mutex<Vec<Binding>>,
}

static MODULE: Lazy<RwLock<Option<Arc<Module>>>> = Lazy::new(RwLock::default);

/// The loaded module; `None` before load and from the beginning of unload.
pub fn module() -> Option<Arc<Module>> {
    MODULE.read().clone()
}

impl Module {
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    /// Read `cti.conf` (again); what could not be understood is logged and returned.
    pub fn reload(&self) -> Vec<String> {
        let (config, problems) = read_config();
        *self.config.write() = Arc::new(config);
        problems
    }

    /// Run `body` on a thread that unload waits for. `otherwise` runs in its place if there is
    /// no thread to be had, and after it if it panics: somebody waits for its result.
    pub fn spawn(
        self: &Arc<Module>,
        call: &Call,
        name: &str,
        body: impl FnOnce() + Send + 'static,
        otherwise: impl FnOnce() + Send + 'static,
    ) {
        *self.threads.lock() += 1;
        let ending = Ending(Arc::clone(self));
        let otherwise = Otherwise(Some(otherwise));
        let spawned = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _ending = ending;
                let done = guarded("a branch's thread", false, || {
                    body();
                    true
                });
                otherwise.settle(done);
            });
        if let Err(error) = spawned {
            tracing::error!(
                uuid = call.uuid.as_str(),
                "cti_bridge: no thread for a branch: {error}"
            );
        }
    }
}

/// Runs when it is dropped with its closure still in it.
struct Otherwise<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Otherwise<F> {
    fn settle(mut self, done: bool) {
        if done {
            self.0 = None;
        }
    }
}

impl<F: FnOnce()> Drop for Otherwise<F> {
    fn drop(&mut self) {
        if let Some(otherwise) = self.0.take() {
            guarded("a branch's end", (), otherwise);
        }
    }
}

struct Ending(Arc<Module>);

impl Drop for Ending {
    fn drop(&mut self) {
        *self.0.threads.lock() -= 1;
        self.0.thread_ended.notify_all();
    }
}

fn read_config() -> (Config, Vec<String>) {
    let Some(params) = xml::settings("cti.conf") else {
        tracing::info!("no cti.conf.xml: every default stands");
        return (Config::default(), Vec::new());
    };
    let (config, problems) = Config::read(&params);
    for problem in &problems {
        tracing::warn!("{problem}");
    }
    (config, problems)
}

/// What the switch looks for in the library; the one symbol that we export.
#[unsafe(no_mangle)]
pub static mod_cti_module_interface: ffi::switch_loadable_module_function_table_t =
    ffi::switch_loadable_module_function_table_t {
        switch_api_version: ffi::SWITCH_API_VERSION as i32,
        load: Some(load),
        shutdown: Some(shutdown),
        runtime: None,
        flags: ffi::SMODF_NONE,
    };

unsafe extern "C" fn load(
    interface: *mut *mut ffi::switch_loadable_module_interface_t,
    pool: *mut ffi::switch_memory_pool_t,
) -> ffi::switch_status_t {
    guarded("load", ffi::SWITCH_STATUS_GENERR, || {
        switch::log::install();
        if let Some(path) = switch::library::replaced((&raw const mod_cti_module_interface).cast())
        {
            tracing::warn!(
                "{} is not the file that mod_cti {} was first loaded from: the old code goes on running until FreeSWITCH is restarted",
                path.display(),
                env!("CARGO_PKG_VERSION")
            );
        }
        match begin(interface, pool) {
            Ok(()) => ffi::SWITCH_STATUS_SUCCESS,
            Err(error) => {
                tracing::error!("mod_cti cannot be loaded: {error}");
                ffi::SWITCH_STATUS_GENERR
            }
        }
    })
}

/// Everything that may fail comes first, and is undone where something after it fails: the
/// switch does not call `shutdown` of a module that could not be loaded.
fn begin(
    interface: *mut *mut ffi::switch_loadable_module_interface_t,
    pool: *mut ffi::switch_memory_pool_t,
) -> Result<(), String> {
    if let Some(version) = switch::version::too_old() {
        return Err(format!(
            "this is FreeSWITCH {version}, and mod_cti needs 1.10.7 or later"
        ));
    }
    switch::cause::learn();
    let metrics = Metrics::new().map_err(|error| error.to_string())?;
    offer(interface, pool).ok_or("the switch has no memory for its interfaces")?;
    let timer = Timer::start().map_err(|error| format!("no thread for deadlines: {error}"))?;
    let started = Started(Some(Arc::clone(&timer)));
    let mut bindings = Vec::new();
    for (event, subclass, callback) in EVENTS {
        let binding = Binding::new(event, subclass, callback);
        bindings.push(binding.ok_or("the switch does not give us its events")?);
    }
    let (config, _) = read_config();
    if !reserve_subclass(NAME, SUBCLASS) {
        tracing::warn!("the event subclass {SUBCLASS} is taken by somebody else");
    }
    api::COMPLETIONS
        .iter()
        .for_each(|rule| switch::api::complete(rule));
    switch::api::complete_with("::cti::calls", Some(offer_calls));
    *MODULE.write() = Some(Arc::new(Module {
        calls: Calls::default(),
        timer,
        metrics,
        history: History::default(),
        waiting: late::Waiting::default(),
        config: RwLock::new(Arc::new(config)),
        threads: Mutex::default(),
        thread_ended: Condvar::new(),
        bindings: Mutex::new(bindings),
    }));
    started.stays();
    Ok(())
}

/// The timer of a load under way: its thread ends with a load that fails.
struct Started(Option<Arc<Timer>>);

impl Started {
    fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(timer) = &self.0 {
            timer.stop();
        }
    }
}

type OnEvent = unsafe extern "C" fn(*mut ffi::switch_event_t);

const EVENTS: [(ffi::switch_event_types_t, Option<&str>, OnEvent); 4] = [
    (ffi::SWITCH_EVENT_CHANNEL_PROGRESS, None, on_event),
    (ffi::SWITCH_EVENT_CHANNEL_PROGRESS_MEDIA, None, on_event),
    (ffi::SWITCH_EVENT_CHANNEL_ANSWER, None, on_event),
    (
        ffi::SWITCH_EVENT_CUSTOM,
        Some("sofia::register"),
        on_registration,
    ),
];

/// What the switch may call by name; all of it lives in the pool, which the switch ends with
/// the module. `None` where the switch has no memory left.
fn offer(
    interface: *mut *mut ffi::switch_loadable_module_interface_t,
    pool: *mut ffi::switch_memory_pool_t,
) -> Option<()> {
    // SAFETY: the switch hands us its pool and a place for the result; every string is
    // static; interfaces returned by the switch are ours to fill.
    unsafe {
        let created =
            ffi::switch_loadable_module_create_module_interface(pool, c"mod_cti".as_ptr());
        if created.is_null() {
            return None;
        }
        *interface = created;
        let application = ffi::switch_loadable_module_create_interface(
            created,
            ffi::SWITCH_APPLICATION_INTERFACE,
        );
        let application = application
            .cast::<ffi::switch_application_interface_t>()
            .as_mut()?;
        application.interface_name = c"cti_bridge".as_ptr();
        application.application_function = Some(run_cti_bridge);
        application.short_desc = c"Ring a plan and bridge who answers".as_ptr();
        application.long_desc = c"Ring targets together (,) and stages one after another (|) with exact deadlines, and bridge the first to answer".as_ptr();
        application.syntax = c"<plan>, for example user/1002,user/1003|user/1004".as_ptr();
        application.flags = ffi::SAF_SUPPORT_NOMEDIA | ffi::SAF_SUPPORT_TEXT_ONLY;
        APPLICATION_LOCK.store(application.rwlock, Ordering::Release);
        let command =
            ffi::switch_loadable_module_create_interface(created, ffi::SWITCH_API_INTERFACE);
        let command = command.cast::<ffi::switch_api_interface_t>().as_mut()?;
        command.interface_name = c"cti".as_ptr();
        command.desc = c"See and steer the calls of cti_bridge".as_ptr();
        command.function = Some(run_cti);
        command.syntax = API_SYNTAX.as_ptr();
        let endpoint =
            ffi::switch_loadable_module_create_interface(created, ffi::SWITCH_ENDPOINT_INTERFACE);
        let endpoint = endpoint
            .cast::<ffi::switch_endpoint_interface_t>()
            .as_mut()?;
        endpoint.interface_name = switch::dial::WITH_CALLER.as_ptr();
        endpoint.io_routines = (&raw const FOR_CALLER.0).cast_mut();
    }
    Some(())
}

const API_SYNTAX: &std::ffi::CStr =
    c"help | version | status | calls | show | explain | cancel | skip | drop | add | extend | metrics | reload";

/// The lock that the switch holds for reading while somebody runs the application. It lives in
/// the module's pool, which the switch frees after `shutdown`.
static APPLICATION_LOCK: AtomicPtr<ffi::switch_thread_rwlock_t> =
    AtomicPtr::new(std::ptr::null_mut());

/// Nobody runs the application: also the switch is done with what it does after it.
fn application_is_free() -> bool {
    let lock = APPLICATION_LOCK.load(Ordering::Acquire);
    // SAFETY: the switch made the lock for this load of the module, and frees it after `shutdown`.
    unsafe {
        lock.is_null()
            || ffi::switch_thread_rwlock_trywrlock(lock) == ffi::SWITCH_STATUS_SUCCESS
                && ffi::switch_thread_rwlock_unlock(lock) == ffi::SWITCH_STATUS_SUCCESS
    }
}

/// End these calls, joined ones too, and wait for them. The switch has done so only for callers of
/// which it knows that they are in the application, and not after `execute_on_answer`. False: some
/// have not ended in time.
fn end_calls(module: &Module, patience: Instant) -> bool {
    for call in module.calls.close() {
        // Not MANAGER_REQUEST: that has no SIP status to tell the phones.
        call.feed(Event::Cancel(Cause::ORIGINATOR_CANCEL));
    }
    loop {
        for call in module.calls.all() {
            let joined = call.state.lock().ring.winner().is_some();
            if let Some(caller) = joined.then(|| LockedSession::locate(&call.uuid)).flatten() {
                caller.hang_up(Cause::MANAGER_REQUEST);
            }
        }
        if module.calls.len() == 0 && application_is_free() {
            return true;
        }
        if Instant::now() > patience {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The switch refuses an ordinary unload while an application runs. A forced one, or its own
/// end, comes here with calls in progress: they are ended and waited for.
unsafe extern "C" fn shutdown() -> ffi::switch_status_t {
    guarded("shutdown", ffi::SWITCH_STATUS_SUCCESS, || {
        let Some(module) = MODULE.write().take() else {
            return ffi::SWITCH_STATUS_SUCCESS;
        };
        // Unbinding waits for callbacks under way, so no lock of theirs may be held here.
        let bindings = std::mem::take(&mut *module.bindings.lock());
        drop(bindings);
        switch::api::complete("del cti");
        switch::api::complete_with("::cti::calls", None);
        let patience = Instant::now() + Duration::from_secs(5);
        let ended = end_calls(&module, patience);
        let mut threads = module.threads.lock();
        while *threads > 0
            && !module
                .thread_ended
                .wait_until(&mut threads, patience)
                .timed_out()
        {}
        drop(threads);
        module.timer.stop();
        free_subclass(NAME, SUBCLASS);
        if ended {
            return ffi::SWITCH_STATUS_SUCCESS;
        }
        tracing::error!("a call did not end in time: what it uses of mod_cti is not freed");
        ffi::SWITCH_STATUS_NOUNLOAD
    })
}

unsafe extern "C" fn run_cti_bridge(session: *mut ffi::switch_core_session_t, data: *const c_char) {
    guarded("cti_bridge", (), || {
        // SAFETY: the switch runs an application on a session that lives as long, with a
        // NUL-terminated argument or none.
        let (caller, plan) = unsafe { (Session::new(session), text::copied(data)) };
        if let Some(caller) = caller {
            bridge::cti_bridge(&caller, plan.as_deref().unwrap_or(""));
        }
    });
}

unsafe extern "C" fn run_cti(
    line: *const c_char,
    session: *mut ffi::switch_core_session_t,
    stream: *mut ffi::switch_stream_handle_t,
) -> ffi::switch_status_t {
    guarded("cti", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: stream and session (if any) live during the command; the line is
        // NUL-terminated or NULL.
        let (stream, line, caller) = unsafe {
            (
                switch::api::Stream::new(stream),
                text::copied(line),
                Session::new(session),
            )
        };
        let (Some(stream), Some(module)) = (stream, module()) else {
            return ffi::SWITCH_STATUS_SUCCESS;
        };
        let line = line.as_deref().unwrap_or("");
        let reply = api::run(&module, line, caller.as_deref());
        // A dialplan may store `${cti(…)}`, and what it has stored is expanded again.
        stream.write(&inert(&reply));
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// Tab completion of a call's uuid.
unsafe extern "C" fn offer_calls(
    _: *const c_char,
    _: *const c_char,
    matches: *mut *mut ffi::switch_console_callback_match_t,
) -> ffi::switch_status_t {
    guarded("completion", ffi::SWITCH_STATUS_FALSE, || {
        let calls = module().map_or(Vec::new(), |module| module.calls.all());
        let ringing = calls
            .iter()
            .filter(|call| call.state.lock().ring.steerable());
        let uuids: Vec<String> = ringing.map(|call| call.uuid.clone()).collect();
        // SAFETY: `matches` comes from the switch.
        unsafe { switch::api::offer(matches, &uuids) }
    })
}

/// The state handlers that core adds to every leg. Static: legs outlive their originate.
struct Handlers(ffi::switch_state_handler_table_t);

// SAFETY: function pointers and null pointers, never written.
unsafe impl Sync for Handlers {}

static LEG_HANDLERS: Handlers = Handlers(ffi::switch_state_handler_table_t {
    on_init: Some(on_leg_init),
    on_routing: None,
    on_execute: None,
    on_hangup: Some(on_leg_hangup),
    on_exchange_media: None,
    on_soft_execute: None,
    on_consume_media: None,
    on_hibernate: None,
    on_reset: None,
    on_park: None,
    on_reporting: None,
    on_destroy: None,
    flags: BEFORE_THE_ENDPOINT,
    padding: [std::ptr::null_mut(); 10],
});

/// `SSH_FLAG_PRE_EXEC`: our handlers run before the endpoint's, which tells the phone why.
const BEFORE_THE_ENDPOINT: i32 = 1 << 1;

pub fn leg_handlers() -> &'static ffi::switch_state_handler_table_t {
    &LEG_HANDLERS.0
}

/// What our endpoint can do. The switch only reads it.
struct Routines(ffi::switch_io_routines_t);

// SAFETY: function pointers and null pointers, never written.
unsafe impl Sync for Routines {}

static FOR_CALLER: Routines = Routines(ffi::switch_io_routines_t {
    outgoing_channel: Some(dial_for_caller),
    // SAFETY: every other member is a pointer, and NULL says that the endpoint cannot do it.
    ..unsafe { std::mem::zeroed() }
});

/// A leg of a call of ours that is dialled without the caller's session: sofia gets it all the
/// same. Of nobody else's leg: the endpoint is there for our own originates.
unsafe extern "C" fn dial_for_caller(
    _: *mut ffi::switch_core_session_t,
    variables: *mut ffi::switch_event_t,
    profile: *mut ffi::switch_caller_profile_t,
    made: *mut *mut ffi::switch_core_session_t,
    pool: *mut *mut ffi::switch_memory_pool_t,
    flags: ffi::switch_originate_flag_t,
    cancel: *mut ffi::switch_call_cause_t,
) -> ffi::switch_call_cause_t {
    guarded(
        "a leg's dialling",
        Cause::DESTINATION_OUT_OF_ORDER.0,
        || {
            // SAFETY: the switch's event lives during the call.
            let named =
                unsafe { EventRef::new(variables) }.and_then(|event| event.header(LEG_VARIABLE));
            let Some((call, _)) = named.and_then(|leg| module()?.calls.of_leg(&leg)) else {
                return Cause::CHAN_NOT_IMPLEMENTED.0;
            };
            // It is locked until the leg is made: nobody can take it away from sofia meanwhile.
            let Some(caller) = LockedSession::locate(&call.uuid) else {
                return Cause::ORIGINATOR_CANCEL.0;
            };
            let asked = switch::dial::Asked {
                variables,
                profile,
                made,
                pool,
                flags,
                cancel,
            };
            // SAFETY: exactly what the switch has handed to us.
            switch::cause::to_switch(unsafe { switch::dial::sofia_for(&caller, asked) })
        },
    )
}

/// The call and leg of a channel, if it is a leg of a call in progress.
fn leg_of(leg: &Session<'_>) -> Option<(Arc<Call>, LegId)> {
    module()?.calls.of_leg(&leg.variable(LEG_VARIABLE)?)
}

unsafe extern "C" fn on_leg_init(session: *mut ffi::switch_core_session_t) -> ffi::switch_status_t {
    guarded("a leg's init", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: a state handler's session lives during the call.
        if let Some(leg) = unsafe { Session::new(session) }
            && let Some((call, id)) = leg_of(&leg)
        {
            call.leg_began(id, &leg);
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// A caller who lost a race himself (the far half of a loopback) is gone because the call was
/// answered elsewhere: that is what his phones are told, not that he gave up.
///
/// Nor is a transfer of the caller (801, no SIP status) why somebody else's phone stopped.
fn tell_elsewhere(call: &Call, leg: &Session<'_>) {
    let lost = match leg.cause() {
        Cause::ORIGINATOR_CANCEL => LockedSession::locate_ended(&call.uuid)
            .is_some_and(|caller| [Cause::LOSE_RACE, Cause::PICKED_OFF].contains(&caller.cause())),
        Cause::ATTENDED_TRANSFER => !leg.answered(),
        _ => false,
    };
    if lost && leg.variable("sip_reason").is_none() {
        let elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"";
        leg.set("sip_reason", Some(elsewhere));
        leg.set("call_completed_elsewhere", Some("true"));
    }
}

unsafe extern "C" fn on_leg_hangup(
    session: *mut ffi::switch_core_session_t,
) -> ffi::switch_status_t {
    guarded("a leg's hangup", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: a state handler's session lives during the call.
        if let Some(leg) = unsafe { Session::new(session) }
            && let Some((call, id)) = leg_of(&leg)
        {
            tell_elsewhere(&call, &leg);
            call.leg_over(id, &leg);
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// CHANNEL_PROGRESS, CHANNEL_PROGRESS_MEDIA and CHANNEL_ANSWER of every channel: with no
/// call of ours in progress it returns at once. Binding only while there is one would be
/// worse: to bind and to unbind, the switch waits for every callback of every module that is
/// running, and holds all events back meanwhile.
unsafe extern "C" fn on_event(event: *mut ffi::switch_event_t) {
    if !calls::any_in_progress() {
        return;
    }
    guarded("a channel's event", (), || {
        let Some(module) = module() else {
            return;
        };
        // SAFETY: an event lives while its callback runs.
        let Some(event) = (unsafe { EventRef::new(event) }) else {
            return;
        };
        let Some((call, leg)) = event
            .header("variable_cti_leg")
            .and_then(|leg| module.calls.of_leg(&leg))
        else {
            return;
        };
        // A variable may have been copied to another channel (loopback's far side). A leg
        // whose init has not been reported yet has no uuid to compare.
        let known = call
            .state
            .lock()
            .legs
            .get(leg)
            .and_then(|dialled| dialled.uuid.clone());
        if known.is_some() && known != event.header("Unique-ID") {
            return;
        }
        let fired = event.header("Event-Date-Timestamp");
        let fired = fired.and_then(|at| at.parse().ok());
        match event.header("Event-Name").as_deref() {
            Some("CHANNEL_PROGRESS") => call.leg_rang(leg, fired, Event::Ringing(leg)),
            Some("CHANNEL_PROGRESS_MEDIA") => call.leg_rang(leg, fired, Event::EarlyMedia(leg)),
            Some("CHANNEL_ANSWER") => {
                call.feed(Event::Answered(leg));
                bridge::answered_late(&call, leg);
            }
            _ => {}
        }
    });
}

/// A device has registered, or renewed its registration.
unsafe extern "C" fn on_registration(event: *mut ffi::switch_event_t) {
    guarded("a registration", (), || {
        // SAFETY: an event lives while its callback runs.
        let event = unsafe { EventRef::new(event) };
        if let (Some(module), Some(event)) = (module(), event)
            && let Some(user) = event.header("from-user")
        {
            late::registered(&module, &user);
        }
    });
}
