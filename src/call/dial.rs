//! Makes a leg's channel: what core is told of it, and what is kept from the caller meanwhile.
//! A leg's hooks for the end of an originate run when it has won.
//! A leg that cannot be made has ended, at once.

use super::LEG_VARIABLE;
use super::desk::Hand;
use crate::contacts::{Caller, Contact};
use crate::plan::Variables;
use crate::plan::time::is_true;
use crate::ring::{Cause, Event, LegId};
use crate::settings::{self, OURS};
use crate::switch::{self, DialHandle, Session};

impl Hand<'_> {
    /// Make this leg and send its INVITE. Where that cannot be done the leg has ended, at once.
    pub fn dial(&mut self, leg: LegId) {
        let call = self.call;
        let (part, contact) = {
            let state = call.state.lock();
            let Some(contact) = state.contacts.get(leg.0) else {
                return;
            };
            (state.ring.leg(leg).part, contact.clone())
        };
        self.desk.pickups |= contact.dial_string.starts_with("pickup/");
        self.desk.originated.take(self.caller);
        let number = format!("{}.{}", call.serial, leg.0);
        let made = handle(
            self.caller.channel(),
            &call.globals[part],
            &contact,
            &number,
        )
        .ok_or(Cause::DESTINATION_OUT_OF_ORDER)
        .and_then(|handle| switch::originate(self.caller, handle, call.shared.hooks.table));
        self.desk.originated.take(self.caller);
        let session = made.and_then(|made| {
            if let Some(session) = made.session() {
                if let Some(context) = &contact.context {
                    session.set_profile("context", context);
                }
                session.hear_messages(call.shared.hooks.messages);
                // What its hooks bring belongs to a leg that is known.
                let uuid = session.uuid();
                if let Some(known) = call.state.lock().known.get_mut(leg.0) {
                    known.uuid = Some(uuid);
                }
            }
            made.launch().ok_or(Cause::DESTINATION_OUT_OF_ORDER)
        });
        match session {
            Ok(session) => {
                self.caller.rings_at(&session);
                self.caller.has_others_rung(true);
                self.desk.legs.insert(leg, session);
                self.feed(Event::Started(leg));
            }
            Err(cause) => self.feed(Event::Ended { leg, cause }),
        }
    }
}

/// Endpoints that make a leg themselves. Others, as `lcr/`, have core dial again, and by
/// `forked_dial` they do not wait for whom they dial.
const MAKE_LEGS: [&str; 5] = ["sofia", "loopback", "null", "error", "pickup"];

fn handle(
    caller: &dyn Caller,
    globals: &Variables,
    contact: &Contact,
    number: &str,
) -> Option<DialHandle> {
    let mut globals = settings::for_core(caller, globals);
    globals.0.retain(|it| !is_of_the_winner(&it.name));
    let endpoint = contact.dial_string.split('/').next().unwrap_or_default();
    if !MAKE_LEGS
        .iter()
        .any(|own| own.eq_ignore_ascii_case(endpoint))
    {
        globals.set("forked_dial", "true");
    }
    if endpoint.eq_ignore_ascii_case("loopback") {
        let hops = hops_left(caller, &globals, &contact.variables);
        globals.set(HOPS, hops.to_string());
    }
    let pair = |name: &'_ str, value: &'_ str| (name.to_owned(), value.to_owned());
    let ours = |name: &str| OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    let own = contact.variables.iter();
    let own = own.filter(|it| !ours(&it.name) && !is_of_the_winner(&it.name));
    let looped = endpoint.eq_ignore_ascii_case("loopback");
    let own = own.filter(|it| !looped || !it.name.eq_ignore_ascii_case(HOPS));
    let mut own: Vec<_> = own.map(|it| pair(&it.name, &it.value)).collect();
    own.push(pair(LEG_VARIABLE, number));
    let mut handle = DialHandle::new(
        &contact.dial_string,
        globals
            .iter()
            .map(|it| (it.name.as_str(), it.value.as_str())),
        own.iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    )?;
    handle.nested_variables = globals.get("origination_nested_vars").is_some_and(is_true);
    Some(handle)
}

/// Core's name for Max-Forwards.
const HOPS: &str = "max_forwards";

/// How many hops a leg has. Core counts them for each leg, but the far half of a `loopback/` is a
/// new caller who would begin anew, and a plan that leads to itself would never end. A plan may
/// leave it fewer.
fn hops_left(caller: &dyn Caller, globals: &Variables, own: &Variables) -> i32 {
    /// As core begins.
    const MOST: i32 = 70;
    let read = |value: &str| value.trim().parse().ok();
    let left = caller
        .variable(HOPS)
        .as_deref()
        .and_then(read)
        .unwrap_or(MOST)
        - 1;
    let asked = own.get(HOPS).or_else(|| globals.get(HOPS)).and_then(read);
    asked.map_or(left, |asked| left.min(asked))
}

/// Hooks of a leg that core runs at the end of its originate: for the winner alone, and ours ends
/// before anybody rings.
fn is_of_the_winner(name: &str) -> bool {
    let hooks = ["execute_on_post_originate", "api_on_post_originate"];
    hooks.iter().any(|hook| {
        let start = name.get(..hook.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(hook))
    })
}

impl Hand<'_> {
    /// This leg has won: what the plan has run for it then.
    pub fn run_hooks_of_the_winner(&self, leg: LegId, session: &Session<'_>) {
        let own = match self.call.state.lock().contacts.get(leg.0) {
            Some(contact) => contact.variables.clone(),
            None => return,
        };
        let globals = self.call.globals_of(leg).iter();
        let hooks = own.iter().chain(globals);
        let hooks: Vec<_> = hooks.filter(|it| is_of_the_winner(&it.name)).collect();
        for hook in &hooks {
            session.restore(&hook.name, Some(&hook.value));
        }
        if !hooks.is_empty() {
            session.run_hooks("post_originate");
        }
    }
}
