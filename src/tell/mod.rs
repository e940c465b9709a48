//! What has happened, told to the outside: events, the report of a call's legs, the calls that have
//! ended, numbers for a monitoring system. This room takes facts and knows no call.
//! `report` says what a leg is; everybody else here tells that.

pub mod event;
pub mod history;
pub mod metrics;
pub mod report;
