//! mod_cti: `cti_bridge`, the ring engine for FreeSWITCH.
//! This file lists the rooms; `plan` and `ring` are pure, `bridge` carries decisions out,
//! and only `ffi`, `switch` and `module` touch the C API.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod api;
mod bridge;
mod calls;
mod campon;
mod config;
mod contacts;
mod events;
mod ffi;
mod history;
mod hold;
mod late;
mod metrics;
mod module;
pub mod plan;
mod result;
pub mod ring;
mod settings;
mod shield;
mod switch;
mod timer;
