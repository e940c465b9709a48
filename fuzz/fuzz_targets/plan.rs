//! Any text as a plan: no panic; an error stands within the text; what is accepted, printed and
//! read again is the same plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mod_cti::plan::{Limits, parse};

const UNLIMITED: Limits = Limits {
    bytes: usize::MAX,
    targets: usize::MAX,
};

fuzz_target!(|text: &str| match parse(text, &Limits::default()) {
    Ok(plan) => {
        let written = plan.to_string();
        let again = parse(&written, &UNLIMITED);
        assert_eq!(again.as_ref(), Ok(&plan), "written as {written:?}");
    }
    Err(error) => {
        let end = text.chars().count() + 1;
        assert!((1..=end).contains(&error.column), "{error}");
        assert!(!error.message.contains(char::is_control), "{error:?}");
        let caret = error.with_caret(text);
        assert_eq!(caret.lines().count(), 2, "{caret:?}");
    }
});
