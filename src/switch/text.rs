//! Strings across the border: C strings in, C strings out.
//! The switch's strings are bytes of unknown encoding; ours are UTF-8 without NUL.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

/// A C string; what follows a NUL is cut, as C would read it.
pub fn c(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    // SAFETY: the slice ends before the first NUL byte.
    unsafe { CString::from_vec_unchecked(text.as_bytes()[..end].to_vec()) }
}

/// Copy a C string of the switch; `None` for NULL. Invalid UTF-8 is replaced, not refused:
/// a name in Latin-1 must not end a call.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives during this call.
pub unsafe fn copied(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller promises a NUL-terminated string.
    let text = unsafe { CStr::from_ptr(text) };
    Some(String::from_utf8_lossy(text.to_bytes()).into_owned())
}

/// Copy a string that the switch allocated for us, and free it.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string from the C allocator that nobody else frees.
pub unsafe fn taken(text: *mut c_char) -> Option<String> {
    // SAFETY: as promised by the caller.
    let copy = unsafe { copied(text) };
    // SAFETY: free(NULL) is allowed; otherwise we own the allocation.
    unsafe { libc::free(text.cast()) };
    copy
}

/// What an expansion of `input` gave: the switch returns the input itself where there was
/// nothing to expand, else a string that it allocated for us.
///
/// # Safety
/// `expanded` is what one of the switch's expansions of `input` has just returned.
pub unsafe fn expanded_from(input: &CStr, expanded: *mut c_char) -> String {
    if std::ptr::eq(expanded, input.as_ptr()) {
        return input.to_string_lossy().into_owned();
    }
    // SAFETY: a result other than the input was allocated for us.
    unsafe { taken(expanded) }.unwrap_or_default()
}

/// One line for the log: control characters would tear it.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(|c: char| c.is_control()) {
        Cow::Owned(text.escape_debug().to_string())
    } else {
        Cow::Borrowed(text)
    }
}
