//! Any text, repeated to the longest plan there may be, is read in linear time.
//! What counts is the time that this thread had a processor, so that a busy machine is no fault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mod_cti::plan::{Limits, parse};

/// Some twenty times what a slow machine takes; quadratic time is beyond it.
const LIMIT_NS: u64 = 500_000_000;

fuzz_target!(|text: &str| {
    let limits = Limits {
        targets: usize::MAX,
        ..Limits::default()
    };
    let long = text.repeat(limits.bytes / text.len().max(1));
    let began = processor_ns();
    let _ = parse(&long, &limits);
    let took = processor_ns() - began;
    assert!(took < LIMIT_NS, "{} bytes took {took} ns", long.len());
});

fn processor_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let first = stat.split(' ').next().expect("a field");
    first.parse().expect("a number")
}
