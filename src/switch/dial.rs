//! Placing calls: dial handles and core's originate, one leg at a time and without waiting.
//! A dial handle is single-use (originate cuts its dial strings), so each originate gets a
//! fresh one and drops it.

use super::cause::from_switch;
use super::event::Event;
use super::session::{LockedSession, Session};
use super::text::c;
use crate::ffi;
use crate::ring::Cause;
use std::ptr::{self, NonNull};

/// One leg to be dialled, with the variables that core reads for it.
pub struct DialHandle {
    handle: *mut ffi::switch_dial_handle_t,
    /// The leg's variables may hold `${…}`; core asks the caller about it, but not the handle.
    pub nested_variables: bool,
}

impl DialHandle {
    /// `globals` are read first, `own` are the leg's. `None` where the switch has no memory left.
    pub fn new<'v>(
        dial_string: &str,
        globals: impl IntoIterator<Item = (&'v str, &'v str)>,
        own: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Option<DialHandle> {
        let mut handle = ptr::null_mut();
        // SAFETY: `handle` receives an object that is ours.
        let status = unsafe { ffi::switch_dial_handle_create(&mut handle) };
        if status != ffi::SWITCH_STATUS_SUCCESS || handle.is_null() {
            return None;
        }
        let made = DialHandle {
            handle,
            nested_variables: false,
        };
        for (name, value) in globals {
            let (name, value) = (c(name), c(value));
            // SAFETY: the handle is alive; the switch copies both strings.
            unsafe {
                ffi::switch_dial_handle_add_global_var(handle, name.as_ptr(), value.as_ptr())
            };
        }
        let dial_string = c(dial_string);
        let (mut list, mut leg) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: list and leg belong to the living handle; the string is copied.
        unsafe {
            ffi::switch_dial_handle_add_leg_list(handle, &mut list);
            ffi::switch_dial_leg_list_add_leg(list, &mut leg, dial_string.as_ptr());
        }
        for (name, value) in own {
            let (name, value) = (c(name), c(value));
            // SAFETY: `leg` belongs to the living handle; strings are copied.
            unsafe { ffi::switch_dial_handle_add_leg_var(leg, name.as_ptr(), value.as_ptr()) };
        }
        Some(made)
    }
}

impl Drop for DialHandle {
    fn drop(&mut self) {
        // SAFETY: created by us, destroyed once.
        unsafe { ffi::switch_dial_handle_destroy(&mut self.handle) };
    }
}

/// What the switch calls at a leg's states. Static: legs outlive their originate.
pub struct LegTable(pub ffi::switch_state_handler_table_t);

// SAFETY: function pointers and null pointers, never written.
unsafe impl Sync for LegTable {}

/// A leg whose channel exists and whose thread does not run yet: nothing has been sent. Dropped
/// as it is, it is gone without a trace on the wire.
pub struct NewLeg(Option<LockedSession>);

impl NewLeg {
    /// Alive until it is launched.
    pub fn session(&self) -> Option<&Session<'static>> {
        self.0.as_deref()
    }

    /// Start the leg's thread, which sends the INVITE. `None` where there is no thread to be had.
    pub fn launch(mut self) -> Option<LockedSession> {
        let leg = self.0.take()?;
        // SAFETY: the session is alive, and runs nowhere yet.
        let status = unsafe { ffi::switch_core_session_thread_launch(leg.as_ptr()) };
        // One that was hung up meanwhile runs already.
        if status == ffi::SWITCH_STATUS_SUCCESS || status == ffi::SWITCH_STATUS_INUSE {
            return Some(leg);
        }
        self.0 = Some(leg);
        None
    }
}

impl Drop for NewLeg {
    fn drop(&mut self) {
        let Some(leg) = self.0.take() else {
            return;
        };
        let mut session = leg.as_ptr();
        drop(leg);
        // SAFETY: no thread runs the session, so nobody but us would end it, and our lock is gone.
        unsafe {
            ffi::switch_core_session_perform_destroy(
                &mut session,
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            );
        }
    }
}

/// Make one leg of this caller's call. Core does for it what it does for every leg, and does not
/// wait for it. The cause, where the leg cannot be made.
pub fn originate(
    caller: &Session<'_>,
    handle: DialHandle,
    table: &'static LegTable,
) -> Result<NewLeg, Cause> {
    let mut leg = ptr::null_mut();
    let mut cause: ffi::switch_call_cause_t = ffi::SWITCH_CAUSE_NONE;
    // With a handle core reads no written dial string, and this not from the handle: what it is given
    // besides is asked, and not used for anything else.
    let nested = handle.nested_variables.then(Event::variables).flatten();
    let nested = nested.map(|mut variables| {
        variables.add("origination_nested_vars", "true");
        variables
    });
    let variables = nested.as_ref().map_or(ptr::null_mut(), Event::as_ptr);
    // SAFETY: every pointer lives until originate returns; `table` is static, as the leg outlives
    // this call; a leg returned carries a read lock for us.
    let (status, leg) = unsafe {
        let status = ffi::switch_ivr_originate(
            caller.as_ptr(),
            &mut leg,
            &mut cause,
            ptr::null(),
            0,
            &table.0,
            ptr::null(),
            ptr::null(),
            ptr::null_mut(),
            variables,
            ffi::SOF_NOBLOCK,
            ptr::null_mut(),
            handle.handle,
        );
        (status, LockedSession::from_locked(leg))
    };
    match leg {
        Some(leg) if status == ffi::SWITCH_STATUS_SUCCESS => Ok(NewLeg(Some(leg))),
        _ => Err(Some(from_switch(cause))
            .filter(|cause| *cause != Cause::NONE && *cause != Cause::SUCCESS)
            .unwrap_or(Cause::DESTINATION_OUT_OF_ORDER)),
    }
}

/// An endpoint (`sofia`, `loopback`, …), kept in the switch while we hold it.
struct Endpoint(NonNull<ffi::switch_endpoint_interface_t>);

impl Endpoint {
    fn find(name: &str) -> Option<Endpoint> {
        let name = c(name);
        // SAFETY: the string lives during the call; an interface returned is read-locked for us
        // together with its module.
        NonNull::new(unsafe { ffi::switch_loadable_module_get_endpoint_interface(name.as_ptr()) })
            .map(Endpoint)
    }
}

impl Drop for Endpoint {
    /// In core's order: both counts under the interface's mutex, then the interface's lock, and
    /// its module's last. Whoever waits for a lock may free what it guards: nothing of the
    /// interface is looked at once its own lock is released.
    fn drop(&mut self) {
        let endpoint = self.0.as_ptr();
        // SAFETY: the two read locks that `find` got keep interface and module alive; each is
        // released once, and the module outlives its interface.
        unsafe {
            let (module, reflock, rwlock) =
                ((*endpoint).parent, (*endpoint).reflock, (*endpoint).rwlock);
            ffi::switch_mutex_lock(reflock);
            (*endpoint).refs -= 1;
            (*module).refs -= 1;
            ffi::switch_mutex_unlock(reflock);
            ffi::switch_thread_rwlock_unlock(rwlock);
            ffi::switch_thread_rwlock_unlock((*module).rwlock);
        }
    }
}

/// Whether the switch has this kind of endpoint (`sofia`, `loopback`, …).
pub fn endpoint_exists(name: &str) -> bool {
    Endpoint::find(name).is_some()
}
