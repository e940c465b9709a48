//! The stand-in switch from Rust: built, loaded, and driven through one scenario at a time.
//! `library` is the C side's face, `run` plays a scenario and tells it as `Seen`.
//! One process is one switch: scenarios side by side are processes.
#![allow(dead_code)] // the tests and the demo each use their own part

pub mod library;
pub mod run;
