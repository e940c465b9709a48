//! Safe Rust over the part of FreeSWITCH's C API that the module uses.
//! It knows sessions, channels, events, dial handles and the log, and nothing about
//! ringing: every rule about ringing lives in `plan` and `ring`.

pub mod api;
pub mod cause;
pub mod dial;
pub mod event;
pub mod guard;
pub mod library;
pub mod log;
pub mod session;
pub mod text;
pub mod version;
pub mod xml;

pub use dial::{DialHandle, originate};
pub use event::{Event, EventRef};
pub use session::{Channel, LockedSession, Session};
