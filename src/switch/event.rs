//! Events: ordered lists of headers that the switch also uses as sets of variables.
//! `Event` owns one, `EventRef` looks at one that a callback was handed.

use super::text::{c, copied, expanded_from, taken};
use crate::ffi;
use std::marker::PhantomData;
use std::ptr;

/// An event that we own until it is fired or dropped.
pub struct Event(*mut ffi::switch_event_t);

impl Event {
    /// A bare list of variables.
    pub fn variables() -> Option<Event> {
        Event::create(ffi::SWITCH_EVENT_CHANNEL_DATA, None)
    }

    /// A `CUSTOM` event of this subclass.
    pub fn custom(subclass: &str) -> Option<Event> {
        Event::create(ffi::SWITCH_EVENT_CUSTOM, Some(subclass))
    }

    /// What a directory lookup is told about its purpose.
    pub fn request() -> Option<Event> {
        Event::create(ffi::SWITCH_EVENT_REQUEST_PARAMS, None)
    }

    fn create(id: ffi::switch_event_types_t, subclass: Option<&str>) -> Option<Event> {
        let subclass = subclass.map(c);
        let subclass = subclass.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        let mut event = ptr::null_mut();
        // SAFETY: the strings live during the call and the switch copies them; `event`
        // receives a new event that is ours.
        let status = unsafe {
            ffi::switch_event_create_subclass_detailed(
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
                &mut event,
                id,
                subclass,
            )
        };
        (status == ffi::SWITCH_STATUS_SUCCESS && !event.is_null()).then_some(Event(event))
    }

    /// # Safety
    /// `event` is NULL or an event that is handed to us.
    pub unsafe fn owned(event: *mut ffi::switch_event_t) -> Option<Event> {
        (!event.is_null()).then_some(Event(event))
    }

    /// The names of its headers.
    pub fn names(&self) -> Vec<String> {
        let mut text = ptr::null_mut();
        // SAFETY: the event is ours and alive; the text is allocated for us. Encoded, no
        // value can bring a line of its own.
        let text = unsafe {
            ffi::switch_event_serialize(self.0, &mut text, ffi::SWITCH_TRUE);
            taken(text)
        };
        let text = text.unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split_once(": "));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    pub fn add(&mut self, name: &str, value: &str) {
        let (name, value) = (c(name), c(value));
        // SAFETY: the event is ours and alive; the switch copies both strings.
        unsafe {
            ffi::switch_event_add_header_string(
                self.0,
                ffi::SWITCH_STACK_BOTTOM,
                name.as_ptr(),
                value.as_ptr(),
            )
        };
    }

    pub fn set_body(&mut self, body: &str) {
        let body = c(body);
        // SAFETY: the event is ours and alive; the switch copies the body.
        unsafe { ffi::switch_event_set_body(self.0, body.as_ptr()) };
    }

    pub fn fire(self) {
        let mut event = self.0;
        std::mem::forget(self);
        // SAFETY: ownership goes to the switch, which frees the event once delivered.
        unsafe {
            ffi::switch_event_fire_detailed(
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
                &mut event,
                ptr::null_mut(),
            );
            // Only if the event could not be queued is it still ours.
            if !event.is_null() {
                ffi::switch_event_destroy(&mut event);
            }
        }
    }

    /// `${…}` in `text` expanded with this event's headers.
    pub fn expand(&mut self, text: &str) -> String {
        let text = c(text);
        // SAFETY: the event and the text are alive during the call.
        let expanded = unsafe {
            ffi::switch_event_expand_headers_check(
                self.0,
                text.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                0,
            )
        };
        // SAFETY: what the switch's expansion of `text` has returned.
        unsafe { expanded_from(&text, expanded) }
    }

    pub fn as_ptr(&self) -> *mut ffi::switch_event_t {
        self.0
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours and not fired.
        unsafe { ffi::switch_event_destroy(&mut self.0) };
    }
}

/// An event that a callback was handed; it lives as long as the callback runs.
pub struct EventRef<'a>(*mut ffi::switch_event_t, PhantomData<&'a ()>);

/// What the switch calls for an event.
pub type EventHook = unsafe extern "C" fn(*mut ffi::switch_event_t);

impl EventRef<'_> {
    /// The events that tell of a channel's beginning and end, and of who has it.
    pub const OF_CHANNELS: [ffi::switch_event_types_t; 5] = [
        ffi::SWITCH_EVENT_CHANNEL_CREATE,
        ffi::SWITCH_EVENT_CHANNEL_ANSWER,
        ffi::SWITCH_EVENT_CHANNEL_BRIDGE,
        ffi::SWITCH_EVENT_CHANNEL_UUID,
        ffi::SWITCH_EVENT_CHANNEL_HANGUP,
    ];

    /// # Safety
    /// `event` is NULL or an event that lives for `'a`.
    pub unsafe fn new(event: *mut ffi::switch_event_t) -> Option<Self> {
        (!event.is_null()).then_some(EventRef(event, PhantomData))
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let name = c(name);
        // SAFETY: the event is alive; the value is copied before anything else can run.
        unsafe { copied(ffi::switch_event_get_header_idx(self.0, name.as_ptr(), -1)) }
    }
}

/// A binding to one type of the switch's events.
pub struct Binding(*mut ffi::switch_event_node_t);

// SAFETY: a binding is a handle that any thread may release; we only store it.
unsafe impl Send for Binding {}

impl Binding {
    pub fn new(
        event: ffi::switch_event_types_t,
        subclass: Option<&str>,
        callback: EventHook,
    ) -> Option<Binding> {
        let mut node = ptr::null_mut();
        let subclass = subclass.map(c);
        let subclass = subclass.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        // SAFETY: the switch copies the subclass; the callback is a function of this library, which is never unmapped.
        let status = unsafe {
            ffi::switch_event_bind_removable(
                c"mod_cti".as_ptr(),
                event,
                subclass,
                Some(callback),
                ptr::null_mut(),
                &mut node,
            )
        };
        (status == ffi::SWITCH_STATUS_SUCCESS).then_some(Binding(node))
    }
}

impl Drop for Binding {
    /// Waits until no delivery of an event is under way: never drop one in a callback.
    fn drop(&mut self) {
        // SAFETY: bound by us, released once.
        unsafe { ffi::switch_event_unbind(&mut self.0) };
    }
}

/// Reserve our subclass of `CUSTOM` events; `free_subclass` undoes it.
pub fn reserve_subclass(owner: &str, subclass: &str) -> bool {
    let (owner, subclass) = (c(owner), c(subclass));
    // SAFETY: the switch copies both strings.
    unsafe {
        ffi::switch_event_reserve_subclass_detailed(owner.as_ptr(), subclass.as_ptr())
            == ffi::SWITCH_STATUS_SUCCESS
    }
}

pub fn free_subclass(owner: &str, subclass: &str) {
    let (owner, subclass) = (c(owner), c(subclass));
    // SAFETY: both strings live during the call.
    unsafe { ffi::switch_event_free_subclass_detailed(owner.as_ptr(), subclass.as_ptr()) };
}
