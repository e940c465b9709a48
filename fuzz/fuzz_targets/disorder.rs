//! Any bytes as events in no order at all, of legs and parts that may not exist: the ring
//! machine does not panic, does not contradict itself, and comes to one end.
#![no_main]

#[path = "../../tests/ring/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the other target plays the other half"
)]
mod model;

use libfuzzer_sys::fuzz_target;
use model::{Dice, disorder};

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(disorder(&mut Dice::bytes(bytes)), Ok(()));
});
