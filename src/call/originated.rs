//! What core keeps of a caller's legs in arrays of his: `originated_legs`, `originate_causes`.
//! Core appends each leg to such an array, and copies all the caller's variables for each further
//! leg: so the arrays are taken away while legs are made, and given back whole.

use crate::ring::LegId;
use crate::switch::session::cause_name;
use crate::switch::{Channel, LockedSession, Session};
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
pub struct Originated {
    legs: Vec<String>,
    /// Of earlier calls.
    causes: Vec<String>,
    ended: BTreeMap<LegId, String>,
}

const LEGS: &str = "originated_legs";
const CAUSES: &str = "originate_causes";

/// Between the entries of an array, and before them.
const BETWEEN: &str = "|:";
const ARRAY: &str = "ARRAY::";

impl Originated {
    pub fn take(&mut self, caller: &Channel<'_>) {
        for (name, entries) in [(LEGS, &mut self.legs), (CAUSES, &mut self.causes)] {
            if let Some(value) = caller.variable(name) {
                let value = value.strip_prefix(ARRAY).unwrap_or(&value);
                entries.extend(value.split(BETWEEN).map(str::to_owned));
                caller.set(name, None);
            }
        }
    }

    /// How this leg has ended so far.
    pub fn ended(&mut self, leg: LegId, session: &Session<'_>) {
        let entry = format!("{};{}", session.uuid(), cause_name(session.cause()));
        self.ended.insert(leg, entry);
    }

    /// The ringing is over: the caller has his arrays, with all legs in them; these are not over.
    pub fn give_back(mut self, caller: &Channel<'_>, open: &HashMap<LegId, LockedSession>) {
        for (&leg, session) in open {
            self.ended(leg, session);
        }
        self.causes.extend(self.ended.into_values());
        for (name, entries) in [(LEGS, self.legs), (CAUSES, self.causes)] {
            match entries.as_slice() {
                [] => {}
                [one] => caller.set(name, Some(one)),
                more => caller.set(name, Some(&format!("{ARRAY}{}", more.join(BETWEEN)))),
            }
        }
    }
}
