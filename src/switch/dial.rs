//! Placing calls: dial handles and core's originate.
//! A dial handle is single-use (originate cuts its dial strings), so each originate gets a
//! fresh one and drops it.

use super::cause::from_switch;
use super::event::Event;
use super::session::{LockedSession, Session};
use super::text::c;
use crate::ffi;
use crate::ring::Cause;
use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU32;

/// Core's array of peers; its dial handle does not check it.
pub const MAX_PEERS: usize = 128;

/// Core's own time limit for an originate, in its whole seconds that may end one early: a
/// day, later than any deadline of ours. Also for `originate_timeout`, which outranks a
/// `call_timeout` of the caller.
pub const TIME_LIMIT: u32 = 86_400;

/// The legs of one originate, with the variables of each and of all.
pub struct DialHandle {
    handle: *mut ffi::switch_dial_handle_t,
    list: *mut ffi::switch_dial_leg_list_t,
    legs: usize,
    /// A leg's variables may hold `${…}`; core asks the caller and the written dial string
    /// about it, but not the handle.
    pub nested_variables: bool,
}

impl DialHandle {
    /// `None` where the switch has no memory left.
    pub fn new() -> Option<DialHandle> {
        let mut handle = ptr::null_mut();
        let mut list = ptr::null_mut();
        // SAFETY: both receive objects that the handle owns; the handle is ours.
        unsafe {
            if ffi::switch_dial_handle_create(&mut handle) != ffi::SWITCH_STATUS_SUCCESS
                || handle.is_null()
            {
                return None;
            }
            ffi::switch_dial_handle_add_leg_list(handle, &mut list);
        }
        Some(DialHandle {
            handle,
            list,
            legs: 0,
            nested_variables: false,
        })
    }

    /// A variable of every leg, and what core reads its own settings from.
    pub fn global<'v>(&mut self, variables: impl IntoIterator<Item = (&'v str, &'v str)>) {
        for (name, value) in variables {
            let (name, value) = (c(name), c(value));
            // SAFETY: the handle is alive; the switch copies both strings.
            unsafe {
                ffi::switch_dial_handle_add_global_var(self.handle, name.as_ptr(), value.as_ptr())
            };
        }
    }

    /// One more leg; false (and no leg) when core's array is full.
    pub fn leg<'v>(
        &mut self,
        dial_string: &str,
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> bool {
        if self.legs + 1 >= MAX_PEERS {
            return false;
        }
        self.legs += 1;
        let dial_string = c(dial_string);
        let mut leg = ptr::null_mut();
        // SAFETY: the list belongs to the living handle and has room; strings are copied.
        unsafe { ffi::switch_dial_leg_list_add_leg(self.list, &mut leg, dial_string.as_ptr()) };
        for (name, value) in variables {
            let (name, value) = (c(name), c(value));
            // SAFETY: `leg` belongs to the living handle; strings are copied.
            unsafe { ffi::switch_dial_handle_add_leg_var(leg, name.as_ptr(), value.as_ptr()) };
        }
        true
    }
}

impl Drop for DialHandle {
    fn drop(&mut self) {
        // SAFETY: created by us, destroyed once.
        unsafe { ffi::switch_dial_handle_destroy(&mut self.handle) };
    }
}

/// How an originate ended.
pub enum Originated {
    /// This leg answered, or is in early media where that counts.
    Won(LockedSession),
    Failed(Cause),
}

/// Ring every leg of `handle` together until one wins, all fail, the caller is gone, or a
/// cause is written into `cancel`. Without `caller` no session hears the ringing and
/// `profile_of` lends its caller profile.
///
/// `variables` are what core reads before the handle's own.
pub fn originate(
    caller: Option<&Session<'_>>,
    profile_of: Option<&Session<'_>>,
    variables: Option<&Event>,
    handle: DialHandle,
    table: &'static ffi::switch_state_handler_table_t,
    cancel: &AtomicU32,
) -> Originated {
    let mut peer = ptr::null_mut();
    let mut cause: ffi::switch_call_cause_t = ffi::SWITCH_CAUSE_NONE;
    let session = caller.map_or(ptr::null_mut(), Session::as_ptr);
    // With a handle core reads nothing else from a written dial string, and this nowhere else.
    let written = if handle.nested_variables {
        c"origination_nested_vars=true".as_ptr()
    } else {
        ptr::null()
    };
    // SAFETY: the profile belongs to a living session; originate copies it at once.
    let profile = unsafe {
        profile_of.map_or(ptr::null_mut(), |owner| {
            ffi::switch_channel_get_caller_profile(ffi::switch_core_session_get_channel(
                owner.as_ptr(),
            ))
        })
    };
    // SAFETY: every pointer lives until originate returns; `table` is static, as its legs
    // may outlive this call; core only reads the cancel cell, an aligned u32 that other
    // threads write atomically; a peer returned carries a read lock for us.
    unsafe {
        let status = ffi::switch_ivr_originate(
            session,
            &mut peer,
            &mut cause,
            written,
            TIME_LIMIT,
            table,
            ptr::null(),
            ptr::null(),
            profile,
            variables.map_or(ptr::null_mut(), Event::as_ptr),
            ffi::SOF_NONE,
            cancel.as_ptr(),
            handle.handle,
        );
        match LockedSession::from_locked(peer) {
            Some(peer) if status == ffi::SWITCH_STATUS_SUCCESS => Originated::Won(peer),
            _ => Originated::Failed(from_switch(cause)),
        }
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

/// Our own endpoint: sofia's, asked for a leg of a call whose caller's session the originate
/// was not given. A gateway takes its From from the caller's channel, and mod_sofia ends the
/// whole switch where there is none.
pub const WITH_CALLER: &CStr = c"cti_sofia";

/// How a leg is dialled beside the caller's thread: a gateway's through [`WITH_CALLER`].
pub fn beside(dial_string: &str) -> Cow<'_, str> {
    let rest = dial_string.split_once('/').filter(|(endpoint, address)| {
        let gateway = address.get(..8);
        endpoint.trim().eq_ignore_ascii_case("sofia")
            && gateway.is_some_and(|start| start.eq_ignore_ascii_case("gateway/"))
    });
    match rest {
        Some((_, address)) => format!("{}/{address}", WITH_CALLER.to_string_lossy()).into(),
        None => dial_string.into(),
    }
}

/// What the switch asks an endpoint for, but the caller's session.
pub struct Asked {
    pub variables: *mut ffi::switch_event_t,
    pub profile: *mut ffi::switch_caller_profile_t,
    pub made: *mut *mut ffi::switch_core_session_t,
    pub pool: *mut *mut ffi::switch_memory_pool_t,
    pub flags: ffi::switch_originate_flag_t,
    pub cancel: *mut ffi::switch_call_cause_t,
}

/// Have sofia make this leg for the caller.
///
/// # Safety
/// The pointers are those that the switch has just handed to an endpoint's `outgoing_channel`.
pub unsafe fn sofia_for(caller: &Session<'_>, asked: Asked) -> Cause {
    let Some(sofia) = Endpoint::find("sofia") else {
        return Cause::CHAN_NOT_IMPLEMENTED;
    };
    // SAFETY: the interface is held; routines of an endpoint are static.
    let routines = unsafe { sofia.0.as_ref().io_routines.as_ref() };
    let Some(make) = routines.and_then(|routines| routines.outgoing_channel) else {
        return Cause::CHAN_NOT_IMPLEMENTED;
    };
    // SAFETY: the caller lives during the call, and the rest is as the switch handed it over.
    from_switch(unsafe {
        make(
            caller.as_ptr(),
            asked.variables,
            asked.profile,
            asked.made,
            asked.pool,
            asked.flags,
            asked.cancel,
        )
    })
}
