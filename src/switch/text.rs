//! Strings across the border: C strings in, C strings out, and nothing of them lost.
//! The switch's strings are bytes of unknown encoding; ours are UTF-8 without NUL.
//! A byte that is no UTF-8 travels as a character of its own and goes out as that byte again.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

/// Stray bytes 0x80 to 0xFF stand at U+10FF80 to U+10FFFF, the end of Unicode's last private plane.
const STRAY: u32 = 0x10_FF00;

/// What stands for a byte that is no UTF-8.
fn stray(byte: u8) -> char {
    char::from_u32(STRAY + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_stray(c: char) -> bool {
    u32::from(c) >= STRAY + 0x80
}

/// Bytes as text. [`bytes_of`] undoes it for every input, so that a name in Latin-1 or GBK
/// reaches the phones as it came.
pub fn text_of(bytes: &[u8]) -> String {
    // Only characters that begin with 0xF4 could be mistaken for stray bytes.
    if let Ok(text) = std::str::from_utf8(bytes)
        && !bytes.contains(&0xF4)
    {
        return text.to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_stray(c) {
                let mut encoded = [0; 4];
                text.extend(c.encode_utf8(&mut encoded).bytes().map(stray));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(stray));
    }
    text
}

/// The bytes that the switch gets for a text of ours.
pub fn bytes_of(text: &str) -> Vec<u8> {
    if !text.contains(is_stray) {
        return text.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        if is_stray(c) {
            bytes.push((u32::from(c) - STRAY) as u8);
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    bytes
}

/// A C string; what follows a NUL is cut, as C would read it.
pub fn c(text: &str) -> CString {
    let mut bytes = bytes_of(text);
    bytes.truncate(bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len()));
    // SAFETY: the bytes end before the first NUL.
    unsafe { CString::from_vec_unchecked(bytes) }
}

/// Copy a C string of the switch; `None` for NULL.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives during this call.
pub unsafe fn copied(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller promises a NUL-terminated string.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text_of(text.to_bytes()))
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
        return text_of(input.to_bytes());
    }
    // SAFETY: a result other than the input was allocated for us.
    unsafe { taken(expanded) }.unwrap_or_default()
}

/// The longest text that one field of a log line, an event or a reply shows.
pub const FIELD: usize = 1024;

/// One line of proper UTF-8, whatever it was: control characters are escaped, characters that
/// turn the reading direction too, and stray bytes are shown as U+FFFD.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let tears = |c: char| {
        c.is_control()
            || is_stray(c)
            || matches!(
                c,
                '\u{61C}' | '\u{2028}' | '\u{2029}' | '\u{200E}' | '\u{200F}'
            )
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(tears) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if is_stray(c) => line.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => line.extend(c.escape_debug()),
            c if tears(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    Cow::Owned(line)
}

/// One word of a line: as [`one_line`], in quotes if it holds a blank or a quote, and no longer
/// than [`FIELD`] bytes.
pub fn field(text: &str) -> String {
    let line = one_line(clip(text, FIELD));
    let more = if text.len() > FIELD { "…" } else { "" };
    if line.contains([' ', '"']) {
        format!("\"{}{more}\"", line.replace('"', "\\\""))
    } else {
        format!("{line}{more}")
    }
}

/// The beginning of a text, cut between two characters.
pub fn clip(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// JSON that stays one line of proper UTF-8 and that no expansion of the switch's can take for
/// an expression. A reader of JSON finds every value as it was, but for stray bytes.
pub fn json(value: &impl serde::Serialize) -> String {
    // Strings, numbers and lists of them cannot fail to be written.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Both can stand in strings alone.
            '$' | '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if is_stray(c) => safe.push(char::REPLACEMENT_CHARACTER),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_text_is_one_line_and_one_field() {
        let long = "x".repeat(64 * 1024);
        let table = [
            ("plain", "plain", "plain"),
            ("two words", "two words", "\"two words\""),
            ("a\r\nb", r"a\r\nb", r"a\r\nb"),
            ("\u{1b}[31mred", r"\u{1b}[31mred", r"\u{1b}[31mred"),
            ("say \"hi\"", "say \"hi\"", "\"say \\\"hi\\\"\""),
            ("%n%s", "%n%s", "%n%s"),
            ("\u{202e}evil", r"\u{202e}evil", r"\u{202e}evil"),
            ("\u{61c}evil", r"\u{61c}evil", r"\u{61c}evil"),
            ("\u{2028}", r"\u{2028}", r"\u{2028}"),
            ("\u{85}", r"\u{85}", r"\u{85}"),
            (&text_of(b"M\xfcller"), "M\u{fffd}ller", "M\u{fffd}ller"),
        ];
        for (text, line, word) in table {
            assert_eq!(one_line(text), line);
            assert_eq!(field(text), word);
        }
        assert_eq!(field(&long), format!("{}…", "x".repeat(FIELD)));
    }

    proptest! {
        #[test]
        fn bytes_come_back_as_they_were(bytes: Vec<u8>, tail in "\\PC*") {
            let all = [bytes.as_slice(), tail.as_bytes(), b"\xf4\x8f\xbf\xbf\xf4"].concat();
            prop_assert_eq!(bytes_of(&text_of(&all)), all);
        }

        #[test]
        fn text_is_left_alone(text in "[a-z\u{e4}\u{4e2d}\u{1f600}]*") {
            prop_assert_eq!(text_of(text.as_bytes()), text);
        }

        #[test]
        fn json_keeps_its_meaning(text in "(\\PC|[\\x00-\\x1f$\\{'\\\\\u{7f}-\u{9f}])*") {
            let written = json(&[&text]);
            prop_assert!(!written.contains('$') && !written.contains(char::is_control));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), [text]);
        }
    }
}
