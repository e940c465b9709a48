//! The console's side: replies to API commands and tab completion.

use super::text::c;
use crate::ffi;
use std::marker::PhantomData;

/// Where an API command writes its reply.
pub struct Stream<'a>(*mut ffi::switch_stream_handle_t, PhantomData<&'a ()>);

impl Stream<'_> {
    /// # Safety
    /// `stream` is NULL or a stream that lives for `'a`.
    pub unsafe fn new(stream: *mut ffi::switch_stream_handle_t) -> Option<Self> {
        (!stream.is_null()).then_some(Stream(stream, PhantomData))
    }

    pub fn write(&self, text: &str) {
        let text = c(text);
        // SAFETY: the stream is alive; the format is the literal "%s" with one string.
        unsafe {
            if let Some(write) = (*self.0).write_function {
                write(self.0, c"%s".as_ptr(), text.as_ptr());
            }
        }
    }
}

/// What tab completion offers in place of `::name`; `complete_with(name, None)` ends it.
pub fn complete_with(name: &str, callback: ffi::switch_console_complete_callback_t) {
    let name = c(name);
    // SAFETY: the switch copies the name; the callback is a function of this library.
    unsafe {
        match callback {
            Some(_) => ffi::switch_console_add_complete_func(name.as_ptr(), callback),
            None => ffi::switch_console_del_complete_func(name.as_ptr()),
        };
    }
}

/// Offer these words.
///
/// # Safety
/// `matches` is what the switch handed to a completion callback.
pub unsafe fn offer(
    matches: *mut *mut ffi::switch_console_callback_match_t,
    words: &[String],
) -> ffi::switch_status_t {
    if matches.is_null() || words.is_empty() {
        return ffi::SWITCH_STATUS_FALSE;
    }
    // Not into `*matches` itself: the switch has never written to it, and reads it only of a
    // callback that succeeds.
    let mut offered = std::ptr::null_mut();
    for word in words {
        let word = c(word);
        // SAFETY: the switch makes the list at its first word and copies each.
        unsafe { ffi::switch_console_push_match(&mut offered, word.as_ptr()) };
    }
    // SAFETY: as promised by the caller; the list is the switch's from here on.
    unsafe { *matches = offered };
    ffi::SWITCH_STATUS_SUCCESS
}

/// One rule of fs_cli's tab completion: `add cti version`, `del cti`.
pub fn complete(rule: &str) {
    let rule = c(rule);
    // SAFETY: the switch copies the rule.
    unsafe { ffi::switch_console_set_complete(rule.as_ptr()) };
}
