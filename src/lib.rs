//! mod_cti: `cti_bridge`, the ring engine for FreeSWITCH.
//! This file lists the rooms, each of which uses only those below it; everybody may use `plan`,
//! `ring` and `groups`, which know no switch. Only `ffi`, `switch` and `module` touch the C API.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod module;

mod api;
mod call;
mod shared;

mod settings;

mod contacts;
mod pool;
mod registrations;
mod tell;
mod timer;
mod watch;

mod ffi;
mod switch;

pub mod groups;
pub mod plan;
pub mod ring;
