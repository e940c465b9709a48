//! Any text, repeated to the longest plan there may be, is read in linear time.
//! The time of a wall clock: the best of three tries counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mod_cti::plan::{Limits, parse};
use std::time::{Duration, Instant};

fuzz_target!(|text: &str| {
    let limits = Limits {
        targets: usize::MAX,
        ..Limits::default()
    };
    let long = text.repeat(limits.bytes / text.len().max(1));
    let took = || {
        let began = Instant::now();
        let _ = parse(&long, &limits);
        began.elapsed()
    };
    let slow = Duration::from_millis(100);
    let fast = (0..3).any(|_| took() < slow);
    assert!(fast, "{} bytes took {:?}", long.len(), took());
});
