//! Any bytes as the decisions of a call: what the plan says, what the phones, the caller and the
//! operators do and when. The laws of `tests/laws.rs` hold after every event.
#![no_main]

#[path = "../../tests/ring/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the other target plays the other half"
)]
mod model;

use libfuzzer_sys::fuzz_target;
use model::{Dice, Switch};

fuzz_target!(|bytes: &[u8]| {
    let silent_phones = bytes.first() == Some(&0xff);
    let played = Switch::new(&mut Dice::bytes(bytes), silent_phones).run();
    assert_eq!(played.faults, []);
});
