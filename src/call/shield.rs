//! Variables of the caller's that core must not see while we ring, since it would act on
//! them once a stage, or wrongly. They are taken away at the start and given back at the
//! end, however the call ends.

use crate::switch::Channel;

/// Each is a prefix, as core reads the hooks: every variable that begins so is run, at each
/// originate. The key's losers would be told LOSE_RACE, which hides the missed call (promise 6).
const KEPT: [&str; 5] = [
    CANCEL_KEY,
    "execute_on_pre_originate",
    "execute_on_post_originate",
    "api_on_pre_originate",
    "api_on_post_originate",
];
const CANCEL_KEY: &str = "origination_cancel_key";

pub struct Shield<'a> {
    caller: &'a Channel<'a>,
    taken: Vec<(String, String)>,
}

impl<'a> Shield<'a> {
    /// Runs what the caller has for the beginning of an originate, once.
    pub fn raise(caller: &'a Channel<'a>) -> Shield<'a> {
        let mut shield = Shield {
            caller,
            taken: Vec::new(),
        };
        shield.take();
        if shield.has("pre_originate") {
            // What they run may set or need any of these.
            shield.give_back();
            caller.run_hooks("pre_originate");
            shield.take();
        }
        shield
    }

    fn take(&mut self) {
        let caller = self.caller;
        let names = caller.names_with(&KEPT);
        self.taken = names
            .into_iter()
            .filter_map(|name| Some((caller.variable(&name)?, name)))
            .map(|(value, name)| (name, value))
            .collect();
        for (name, _) in &self.taken {
            caller.set(name, None);
        }
    }

    fn give_back(&mut self) {
        for (name, value) in self.taken.drain(..) {
            self.caller.restore(&name, Some(&value));
        }
    }

    fn has(&self, moment: &str) -> bool {
        self.taken.iter().any(|(name, _)| name.contains(moment))
    }

    /// The key with which the caller gives up.
    pub fn cancel_key(&self) -> Option<u8> {
        let (_, keys) = self.taken.iter().find(|(name, _)| name == CANCEL_KEY)?;
        keys.bytes().next()
    }

    /// The ringing is over: the variables are back, and what stands there for the end of an
    /// originate runs, once.
    pub fn lower(self) {
        let (caller, hooked) = (self.caller, self.has("post_originate"));
        drop(self);
        if hooked {
            caller.run_hooks("post_originate");
        }
    }
}

impl Drop for Shield<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
