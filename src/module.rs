//! The module's border: load, unload, and the functions that the switch calls.
//! Each trampoline turns C's arguments into safe ones inside the panic guard and calls the
//! safe code that does the work; nothing else stands here.

use crate::api;
use crate::call::registry::Calls;
use crate::call::{Call, LEG_VARIABLE, begin};
use crate::ffi;
use crate::plan::inert;
use crate::ring::{Cause, Event, LegId};
use crate::shared::{Hooks, Shared};
use crate::switch::dial::LegTable;
use crate::switch::event::{Binding, free_subclass, reserve_subclass};
use crate::switch::guard::guarded;
use crate::switch::{self, EventRef, LockedSession, Session, text};
use crate::tell::event::SUBCLASS;
use crate::tell::metrics::Metrics;
use crate::timer::Timer;
use once_cell::sync::Lazy;
use parking_lot::{Mutex, RwLock};
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

const NAME: &str = "mod_cti";

/// Everything that one load of the module owns; made anew at each load, because statics
/// survive `reload` (the library is never unmapped).
pub struct Module {
    pub calls: Calls,
    pub shared: Arc<Shared>,
    binding: Mutex<Option<Binding>>,
}

static MODULE: Lazy<RwLock<Option<Arc<Module>>>> = Lazy::new(RwLock::default);

/// The loaded module; `None` before load and from the end of its last call at unload.
fn module() -> Option<Arc<Module>> {
    MODULE.read().clone()
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
    let binding = Binding::new(
        ffi::SWITCH_EVENT_CUSTOM,
        Some("sofia::register"),
        on_registration,
    );
    let binding = binding.ok_or("the switch does not give us its events")?;
    if !reserve_subclass(NAME, SUBCLASS) {
        tracing::warn!("the event subclass {SUBCLASS} is taken by somebody else");
    }
    api::completions()
        .iter()
        .for_each(|rule| switch::api::complete(rule));
    switch::api::complete_with("::cti::calls", Some(offer_calls));
    let hooks = Hooks {
        table: &LEG_HANDLERS,
        messages: on_leg_message,
        signals: on_caller_signal,
    };
    *MODULE.write() = Some(Arc::new(Module {
        calls: Calls::default(),
        shared: Arc::new(Shared::new(hooks, timer, metrics)),
        binding: Mutex::new(Some(binding)),
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
    }
    Some(())
}

/// The switch shows it as long as the command exists.
static API_SYNTAX: Lazy<std::ffi::CString> = Lazy::new(|| text::c(&api::syntax()));

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
        call.post(Event::Cancel(Cause::ORIGINATOR_CANCEL));
    }
    loop {
        for call in module.calls.all() {
            let joined = call.look(|ring| ring.winner().is_some());
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
        let Some(module) = module() else {
            return ffi::SWITCH_STATUS_SUCCESS;
        };
        // Unbinding waits for callbacks under way, so no lock of theirs may be held here.
        let binding = module.binding.lock().take();
        drop(binding);
        switch::api::complete("del cti");
        switch::api::complete_with("::cti::calls", None);
        let patience = Instant::now() + Duration::from_secs(5);
        // One after the other, whatever the first comes to: both end what they can.
        let ended = end_calls(&module, patience) & module.shared.pool.close(patience);
        // Until here hooks still find the calls that are ending.
        MODULE.write().take();
        module.shared.timer.stop();
        // Not before: until here hooks tell the calls how their legs end.
        *MODULE.write() = None;
        free_subclass(NAME, SUBCLASS);
        if ended {
            return ffi::SWITCH_STATUS_SUCCESS;
        }
        tracing::error!(
            "a call or a look-up did not end in time: what it uses of mod_cti is not freed"
        );
        ffi::SWITCH_STATUS_NOUNLOAD
    })
}

unsafe extern "C" fn run_cti_bridge(session: *mut ffi::switch_core_session_t, data: *const c_char) {
    guarded("cti_bridge", (), || {
        // SAFETY: the switch runs an application on a session that lives as long, with a
        // NUL-terminated argument or none.
        let (caller, plan) = unsafe { (Session::new(session), text::copied(data)) };
        let Some(caller) = caller else {
            return;
        };
        match module() {
            Some(module) => begin::cti_bridge(
                &module.shared,
                &module.calls,
                &caller,
                plan.as_deref().unwrap_or(""),
            ),
            // Unloading: the switch lets no new application begin, so this is a late straggler.
            None => caller.handle_cause(Cause::DESTINATION_OUT_OF_ORDER),
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
        let reply = api::run(&module.shared, &module.calls, line, caller.as_deref());
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
            .filter(|call| call.look(|ring| ring.steerable()));
        let uuids: Vec<String> = ringing.map(|call| call.uuid.clone()).collect();
        // SAFETY: `matches` comes from the switch.
        unsafe { switch::api::offer(matches, &uuids) }
    })
}

/// The state handlers that core adds to every leg.
static LEG_HANDLERS: LegTable = LegTable(ffi::switch_state_handler_table_t {
    on_init: None,
    on_routing: None,
    on_execute: Some(on_leg_elsewhere),
    on_hangup: Some(on_leg_hangup),
    on_exchange_media: Some(on_leg_elsewhere),
    on_soft_execute: Some(on_leg_elsewhere),
    on_consume_media: None,
    on_hibernate: Some(on_leg_elsewhere),
    on_reset: Some(on_leg_elsewhere),
    on_park: Some(on_leg_elsewhere),
    on_reporting: None,
    on_destroy: None,
    flags: BEFORE_THE_ENDPOINT,
    padding: [std::ptr::null_mut(); 10],
});

/// `SSH_FLAG_PRE_EXEC`: our handlers run before the endpoint's, which tells the phone why.
const BEFORE_THE_ENDPOINT: i32 = 1 << 1;

/// The call and leg of a channel, if it is a leg of a call in progress.
fn leg_of(leg: &Session<'_>) -> Option<(Arc<Call>, LegId)> {
    module()?.calls.of_leg(&leg.variable(LEG_VARIABLE)?)
}

/// A message to a leg, on the thread that handles the phone's reply.
unsafe extern "C" fn on_leg_message(
    session: *mut ffi::switch_core_session_t,
    message: *mut ffi::switch_core_session_message_t,
) -> ffi::switch_status_t {
    guarded("a leg's message", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: session and message live during the hook.
        let (leg, message) = unsafe { (Session::new(session), message.as_ref()) };
        let event: fn(LegId) -> Event = match message.map(|message| message.message_id) {
            Some(ffi::SWITCH_MESSAGE_RING_EVENT) => Event::Ringing,
            Some(ffi::SWITCH_MESSAGE_PROGRESS_EVENT) => Event::EarlyMedia,
            Some(ffi::SWITCH_MESSAGE_ANSWER_EVENT) => Event::Answered,
            _ => return ffi::SWITCH_STATUS_SUCCESS,
        };
        if let Some((call, id)) = leg.and_then(|leg| leg_of(&leg)) {
            call.post(event(id));
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// Something waits for the caller's thread, or he is being hung up.
unsafe extern "C" fn on_caller_signal(
    session: *mut ffi::switch_core_session_t,
    _: i32,
) -> ffi::switch_status_t {
    guarded("a caller's signal", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: the session lives during the hook.
        let caller = unsafe { Session::new(session) };
        if let (Some(caller), Some(module)) = (caller, module())
            && let Some(call) = module.calls.of_caller(&caller.uuid())
        {
            call.post_look();
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// Somebody has taken a leg away: it runs an application, is parked, or is bridged.
unsafe extern "C" fn on_leg_elsewhere(
    session: *mut ffi::switch_core_session_t,
) -> ffi::switch_status_t {
    guarded("a leg's state", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: a state handler's session lives during the call.
        if let Some(leg) = unsafe { Session::new(session) }
            && let Some((call, _)) = leg_of(&leg)
        {
            call.post_elsewhere();
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

unsafe extern "C" fn on_leg_hangup(
    session: *mut ffi::switch_core_session_t,
) -> ffi::switch_status_t {
    guarded("a leg's hangup", ffi::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: a state handler's session lives during the call.
        if let Some(leg) = unsafe { Session::new(session) }
            && let Some((call, id)) = leg_of(&leg)
        {
            call.leg_over(id, &leg);
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// A device has registered, or renewed its registration.
unsafe extern "C" fn on_registration(event: *mut ffi::switch_event_t) {
    guarded("a registration", (), || {
        // SAFETY: an event lives while its callback runs.
        let event = unsafe { EventRef::new(event) };
        if let (Some(module), Some(event)) = (module(), event)
            && let Some(user) = event.header("from-user")
        {
            module.shared.registrations.registered(&user);
        }
    });
}
