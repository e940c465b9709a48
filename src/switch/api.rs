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

/// One rule of fs_cli's tab completion: `add cti version`, `del cti`.
pub fn complete(rule: &str) {
    let rule = c(rule);
    // SAFETY: the switch copies the rule.
    unsafe { ffi::switch_console_set_complete(rule.as_ptr()) };
}
