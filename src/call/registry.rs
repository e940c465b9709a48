//! The calls in progress, and how the switch's hooks find theirs.
//! A leg carries its call's serial in a variable; a caller is found by his uuid.
//! What an event of somebody else's channel costs is one look into a map, or none.

use super::Call;
use crate::ring::LegId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Default)]
pub struct Calls(Mutex<State>);

#[derive(Default)]
struct State {
    calls: HashMap<u64, Arc<Call>>,
    /// By the caller's uuid: a caller has one call at a time.
    callers: HashMap<String, u64>,
    closed: bool,
}

impl Calls {
    /// False once the module is unloading: this call must not begin.
    #[must_use]
    pub fn insert(&self, call: &Arc<Call>) -> bool {
        let mut state = self.0.lock();
        if !state.closed {
            state.callers.insert(call.uuid.clone(), call.serial);
            state.calls.insert(call.serial, Arc::clone(call));
        }
        !state.closed
    }

    /// No call begins any more; those in progress are returned.
    pub fn close(&self) -> Vec<Arc<Call>> {
        let mut state = self.0.lock();
        state.closed = true;
        state.calls.values().cloned().collect()
    }

    pub fn remove(&self, call: &Call) {
        let mut state = self.0.lock();
        state.calls.remove(&call.serial);
        if state.callers.get(&call.uuid) == Some(&call.serial) {
            state.callers.remove(&call.uuid);
        }
    }

    pub fn all(&self) -> Vec<Arc<Call>> {
        let mut calls: Vec<_> = self.0.lock().calls.values().cloned().collect();
        calls.sort_by_key(|call| call.serial);
        calls
    }

    pub fn len(&self) -> usize {
        self.0.lock().calls.len()
    }

    pub fn of_caller(&self, uuid: &str) -> Option<Arc<Call>> {
        let state = self.0.lock();
        let serial = state.callers.get(uuid)?;
        state.calls.get(serial).cloned()
    }

    /// The call and leg that a leg's variable names, if that call is still in progress.
    pub fn of_leg(&self, variable: &str) -> Option<(Arc<Call>, LegId)> {
        let (serial, leg) = variable.split_once('.')?;
        let call = self.0.lock().calls.get(&serial.parse().ok()?).cloned()?;
        Some((call, LegId(leg.parse().ok()?)))
    }
}
