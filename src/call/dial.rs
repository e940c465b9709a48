//! Makes a leg's channel: what core is told of it, and what is kept from the caller meanwhile.
//! A leg's hooks for the end of an originate run when it has won.
//! A leg that cannot be made has ended, at once.

use super::desk::Hand;
use super::redirect::{NO_EARLY_MEDIA, OUTRANKED};
use super::shield::Loan;
use super::{Call, LEG_VARIABLE};
use crate::contacts::{Caller, Contact};
use crate::plan::time::is_true;
use crate::plan::{Target, Variables};
use crate::ring::{Cause, Event, LegId, PartId, Redirect};
use crate::settings::{self, FATAL, MAX_FORWARDS, OURS, REDIRECT_HOPS};
use crate::switch::{self, DialHandle, Session};

impl Hand<'_> {
    /// Make this leg and send its INVITE. Where that cannot be done the leg has ended, at once.
    pub fn dial(&mut self, leg: LegId) {
        let call = self.call;
        let Some((part, mut contact)) = call.contact_of(leg) else {
            return;
        };
        let redirect = call.look(|ring| ring.redirect(leg));
        if contact.moved && contact.dial_string.starts_with("loopback/") {
            self.carry_headers(&mut contact.variables);
        }
        self.desk.pickups |= contact.dial_string.starts_with("pickup/");
        self.desk.originated.take(self.caller);
        let number = format!("{}.{}", call.serial, leg.0);
        let mut globals = call.globals[part].clone();
        if let Some(target) = call.nested(part, &contact) {
            let caller = self.caller.channel();
            settings::combine(caller, target, &mut globals, &mut contact.variables);
        }
        let uuid = self.uuid_for(&mut globals, &mut contact.variables);
        let quiet: &[_] = match contact.moved {
            true => &[(NO_EARLY_MEDIA, Some("true"))],
            false => &[],
        };
        let mut quiet = Loan::of(self.caller, quiet);
        let made = handle(self.caller.channel(), &globals, &contact, &number, redirect)
            .ok_or(Cause::DESTINATION_OUT_OF_ORDER)
            .and_then(|handle| switch::originate(self.caller, handle, call.shared.hooks.table));
        quiet.give_back(self.caller);
        self.desk.originated.take(self.caller);
        if let (Ok(_), Some(uuid)) = (&made, uuid) {
            self.desk.uuids.insert(uuid);
        }
        let session = made.and_then(|made| {
            if let Some(session) = made.session() {
                if let Some(context) = &contact.context {
                    session.set_profile("context", context);
                }
                session.hear_messages(call.shared.hooks.messages);
                // What its hooks bring belongs to a leg that is known.
                let uuid = session.uuid();
                call.tell_dialled(&uuid);
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
                if session.down() {
                    // One that was over before anybody knew whose leg it is has told nobody.
                    self.desk.looked = None;
                }
                self.desk.legs.insert(leg, session);
                self.feed(Event::Started(leg));
            }
            Err(cause) => {
                if let Some(uuid) = call.uuid_of(leg) {
                    call.tell_not_dialled(&uuid);
                }
                self.feed(Event::Ended { leg, cause });
            }
        }
    }
}

impl Call {
    fn contact_of(&self, leg: LegId) -> Option<(PartId, Contact)> {
        let state = self.state.lock();
        let contact = state.contacts.get(leg.0)?.clone();
        Some((state.ring.leg(leg).part, contact))
    }

    /// The target behind this contact, if it is one that core would nest.
    fn nested(&self, part: PartId, contact: &Contact) -> Option<&Target> {
        let target = settings::nested(&self.plan.parts[part], &self.globals[part]);
        target.filter(|target| target.written == contact.target && !contact.moved)
    }
}

impl Hand<'_> {
    /// `origination_uuid`: the first leg that can be made has it, and all others have their own. Two
    /// channels of one name cannot be, and the second would not ring.
    fn uuid_for(&self, globals: &mut Variables, own: &mut Variables) -> Option<String> {
        const NAME: &str = "origination_uuid";
        let given = |uuid: &&str| self.desk.uuids.contains(*uuid);
        for variables in [&mut *own, &mut *globals] {
            if variables.get(NAME).as_ref().is_some_and(given) {
                variables.remove(NAME);
            }
        }
        own.get(NAME)
            .or_else(|| globals.get(NAME))
            .map(str::to_owned)
    }

    /// This leg has won: what core tells it only now.
    pub fn tell_the_winner(&self, leg: LegId, session: &Session<'_>) {
        let Some((part, contact)) = self.call.contact_of(leg) else {
            return;
        };
        if let Some(target) = self.call.nested(part, &contact) {
            let caller = self.caller.channel();
            for it in &settings::after_all(caller, target, &self.call.globals[part]) {
                if !is_of_the_winner(&it.name) {
                    session.set(&it.name, Some(&it.value));
                }
            }
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
    redirect: Redirect,
) -> Option<DialHandle> {
    let mut globals = settings::for_core(caller, globals);
    globals.0.retain(|it| !is_of_the_winner(&it.name));
    if contact.moved {
        // Core lets these outrank the leg's own, and a caller's rights are not this user's.
        let own = |name: &str| contact.variables.get(name).is_some();
        globals
            .0
            .retain(|it| !own(&it.name) && !is_one_of(&OUTRANKED, &it.name));
    }
    let endpoint = contact.dial_string.split('/').next().unwrap_or_default();
    let makes_legs = is_one_of(&MAKE_LEGS, endpoint);
    if !makes_legs {
        globals.set("forked_dial", "true");
    }
    let looped = endpoint.eq_ignore_ascii_case("loopback");
    if looped {
        let forwards = forwards_left(caller, &globals, &contact.variables);
        globals.set(MAX_FORWARDS, forwards.to_string());
        // The redirects that led to this caller have led to that one, too.
        if !contact.moved
            && let Some(hops) = caller.variable(REDIRECT_HOPS)
        {
            globals.set(REDIRECT_HOPS, hops);
        }
    }
    // Whoever moves is this leg's business: else sofia moves the caller.
    let fatal =
        redirect != Redirect::Core && (!makes_legs || endpoint.eq_ignore_ascii_case("sofia"));
    if fatal {
        globals.remove(FATAL);
    }
    let pair = |name: &'_ str, value: &'_ str| (name.to_owned(), value.to_owned());
    let ours = |name: &str| is_one_of(OURS, name) || fatal && name.eq_ignore_ascii_case(FATAL);
    let own = contact.variables.iter();
    let own = own.filter(|it| !ours(&it.name) && !is_of_the_winner(&it.name));
    let own = own.filter(|it| !looped || !it.name.eq_ignore_ascii_case(MAX_FORWARDS));
    let mut own: Vec<_> = own.map(|it| pair(&it.name, &it.value)).collect();
    own.push(pair(LEG_VARIABLE, number));
    if fatal {
        own.push(pair(FATAL, "true"));
    }
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

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Max-Forwards of a leg. Core counts them for each leg, but the far half of a `loopback/` is a
/// new caller who would begin anew, and a plan that leads to itself would never end. A plan may
/// leave it fewer.
fn forwards_left(caller: &dyn Caller, globals: &Variables, own: &Variables) -> i32 {
    let left = settings::forwards_of(caller).saturating_sub(1);
    let asked = own.get(MAX_FORWARDS).or_else(|| globals.get(MAX_FORWARDS));
    let asked = asked.and_then(|number| number.trim().parse().ok());
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
        let Some((part, contact)) = self.call.contact_of(leg) else {
            return;
        };
        let hooks = contact.variables.iter().chain(&self.call.globals[part]);
        let hooks: Vec<_> = hooks.filter(|it| is_of_the_winner(&it.name)).collect();
        for hook in &hooks {
            session.restore(&hook.name, Some(&hook.value));
        }
        if !hooks.is_empty() {
            session.run_hooks("post_originate");
        }
    }
}
