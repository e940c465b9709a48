//! Any text as a time: no panic; what is accepted is what the number and its unit say, as
//! floating point reads them, and at most a year; what is refused is told in one short line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mod_cti::plan::time::{is_true, parse_time};

const YEAR: f64 = 365.0 * 24.0 * 3600.0;

fuzz_target!(|text: &str| {
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    match parse_time(text) {
        Ok(time) => {
            let number = text.trim_ascii();
            let (number, unit) = match number.strip_suffix("ms") {
                Some(number) => (number, 1e-3),
                None => (number.strip_suffix('s').unwrap_or(number), 1.0),
            };
            let seconds = number.parse::<f64>().expect("a number") * unit;
            let off = (time.as_secs_f64() - seconds).abs();
            assert!(off <= 1e-9 + seconds * 1e-12, "{time:?}");
            assert!(time.as_secs_f64() <= YEAR, "{time:?}");
            let written = format!("{}.{:09}s", time.as_secs(), time.subsec_nanos());
            assert_eq!(parse_time(&written), Ok(time));
        }
        Err(error) => {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let short = text.parse::<f64>().is_ok_and(|seconds| seconds <= YEAR);
            assert!(!(plain && short), "{error}");
            let line = error.to_string();
            assert!(
                line.len() < 600 && !line.contains(char::is_control),
                "{line:?}"
            );
        }
    }
    // A word or a number: nothing else is true.
    let word = text.bytes().all(|byte| byte.is_ascii_alphabetic());
    assert!(!is_true(text) || word || is_number(text) || text.contains('.'));
});
