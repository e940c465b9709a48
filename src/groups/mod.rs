//! Named groups: whose turn it is, and who is free.
//! Knows no switch: facts about channels, time, and what the directory says are handed in.
#![forbid(unsafe_code)]

pub mod config;
pub mod members;
pub mod memory;
pub mod order;
