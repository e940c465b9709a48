//! Any call on a virtual clock: what happens is rolled with `Dice`, the `Switch` plays it, the
//! `Referee` watches. Used by the laws and the soak of `tests/laws.rs` and by the fuzz target.

mod dice;
mod disorder;
mod interleavings;
mod referee;
mod switch;

pub use dice::Dice;
pub use disorder::disorder;
pub use interleavings::every_interleaving;
pub use referee::{Fault, Law, Referee};
pub use switch::Switch;

use std::time::Duration;

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
