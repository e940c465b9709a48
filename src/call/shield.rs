//! Variables of the caller's that core must not see for a while, because it would act on them
//! once a stage, or wrongly. They have another value meanwhile, or none, and are given back.
//! The shield keeps the hooks of an originate away as long as we ring, however the call ends.

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

/// The caller's own values of variables that have another one meanwhile.
#[derive(Default)]
pub struct Loan(Vec<(String, Option<String>)>);

impl Loan {
    pub fn of(caller: &Channel<'_>, meanwhile: &[(&str, Option<&str>)]) -> Loan {
        let kept = |(name, _): &(&str, _)| ((*name).to_owned(), caller.variable(name));
        let loan = Loan(meanwhile.iter().map(kept).collect());
        for (name, value) in meanwhile {
            caller.set(name, *value);
        }
        loan
    }

    pub fn give_back(&mut self, caller: &Channel<'_>) {
        for (name, value) in self.0.drain(..) {
            caller.restore(&name, value.as_deref());
        }
    }
}

pub struct Shield<'a> {
    caller: &'a Channel<'a>,
    taken: Loan,
}

impl<'a> Shield<'a> {
    /// Runs what the caller has for the beginning of an originate, once.
    pub fn raise(caller: &'a Channel<'a>) -> Shield<'a> {
        let mut shield = Shield {
            caller,
            taken: Loan::default(),
        };
        shield.take();
        if shield.has("pre_originate") {
            // What they run may set or need any of these.
            shield.taken.give_back(caller);
            caller.run_hooks("pre_originate");
            shield.take();
        }
        shield
    }

    fn take(&mut self) {
        let names = self.caller.names_with(&KEPT);
        let away: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
        self.taken = Loan::of(self.caller, &away);
    }

    fn has(&self, moment: &str) -> bool {
        self.taken.0.iter().any(|(name, _)| name.contains(moment))
    }

    /// The key with which the caller gives up.
    pub fn cancel_key(&self) -> Option<u8> {
        let (_, keys) = self.taken.0.iter().find(|(name, _)| name == CANCEL_KEY)?;
        keys.as_ref()?.bytes().next()
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
        self.taken.give_back(self.caller);
    }
}
