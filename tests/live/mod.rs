//! The live harness: a private FreeSWITCH, SIP phones, and a driver that runs the scenario table on them.
//! `tests/live.rs` is its test program; the examples `demo` and `measure` use it as well.
//! Whoever includes it brings `crate::scenarios`, the table, and `crate::harness` along.
#![allow(dead_code)] // each program uses its own part

pub mod checks;
pub mod control;
pub mod esl;
pub mod find;
pub mod knowing;
pub mod media;
pub mod modes;
pub mod parity;
pub mod phones;
pub mod rtp;
pub mod run;
pub mod sip;
pub mod soak;
pub mod switch;
