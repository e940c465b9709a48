//! The switch's numbers of hangup causes and ours.
//! They are the same from 1.10.8 on. 1.10.7 counts its own causes, those that are neither
//! Q.850's nor SIP's, from 500 and 600 where every later one counts from 700 and 800.

use super::text::{c, copied};
use crate::ffi;
use crate::ring::Cause;
use std::sync::atomic::{AtomicBool, Ordering};

static OLD_NUMBERS: AtomicBool = AtomicBool::new(false);
/// What the later numbers are ahead by.
const AHEAD: u32 = 200;

/// At load: how does this switch count?
pub fn learn() {
    // SAFETY: a static string.
    let lost = unsafe { ffi::switch_channel_str2cause(c"LOSE_RACE".as_ptr()) };
    OLD_NUMBERS.store(lost + AHEAD == Cause::LOSE_RACE.0, Ordering::Relaxed);
}

/// The cause that the switch has given as this number.
pub fn from_switch(number: ffi::switch_call_cause_t) -> Cause {
    let old = OLD_NUMBERS.load(Ordering::Relaxed);
    Cause(match number {
        500..=503 | 600..=624 if old => number + AHEAD,
        _ => number,
    })
}

/// The number that the switch is to be given for this cause.
pub fn to_switch(cause: Cause) -> ffi::switch_call_cause_t {
    let old = OLD_NUMBERS.load(Ordering::Relaxed);
    match cause.0 {
        700..=703 | 800..=824 if old => cause.0 - AHEAD,
        number => number,
    }
}

/// A cause's name as the switch spells it.
pub fn name(cause: Cause) -> String {
    // SAFETY: returns a static string for every number.
    unsafe { copied(ffi::switch_channel_cause2str(to_switch(cause))) }.unwrap_or_default()
}

/// The cause of a name or a number; `None` where the switch knows neither.
pub fn named(text: &str) -> Option<Cause> {
    let text = text.trim();
    let written = c(text);
    // SAFETY: the string lives during the call.
    let number = unsafe { ffi::switch_channel_str2cause(written.as_ptr()) };
    let cause = from_switch(number);
    // The switch answers an unknown name with a cause too: take it only if it means it.
    let known = name(cause).eq_ignore_ascii_case(text) || text.parse() == Ok(number);
    (known && cause != Cause::NONE).then_some(cause)
}
