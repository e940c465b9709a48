//! Raw bindings to the part of FreeSWITCH's C API that we call; nothing else lives here.
//! `build.rs` makes them from FreeSWITCH's own headers where it finds them, else it takes
//! the checked-in output for `include/freeswitch_api.h`.
#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code,
    clippy::all
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// Where the declarations came from, for `cti version`.
pub const HEADERS: &str = env!("MOD_CTI_HEADERS");
