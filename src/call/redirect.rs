//! A phone that has moved (`cti_redirect`): what it says is read, looked up beside the call, and
//! rings in its leg's place. Sofia is told to end such a leg instead of moving the caller.
//! A number is dialled through the dialplan as that phone's user would dial it, and nothing else is.

use super::desk::Hand;
use super::{Call, State};
use crate::contacts::{Afar, Caller, Contact, Owner};
use crate::plan::moved::moved;
use crate::plan::time::is_true;
use crate::plan::{self, Limits, Target, Variables};
use crate::ring::{Cause, Event, LegId, NewLeg, PartId, Place, Redirect};
use crate::settings::{self, MAX_FORWARDS, REDIRECT_HOPS};
use crate::switch::Session;
use crate::switch::guard::guarded;
use crate::switch::text::field;
use crate::tell::event;
use std::collections::HashSet;
use std::sync::Arc;

/// How many contacts of one response are read.
const READ: usize = 64;

/// Who has diverted the call before is told as long as that is no longer than this.
const LONGEST_DIVERSION: usize = 1024;

const DIVERSION: &str = "sip_h_Diversion";

/// What such a leg says itself, or what nobody may say in its user's place.
pub const OUTRANKED: [&str; 5] = [
    DIVERSION,
    MAX_FORWARDS,
    REDIRECT_HOPS,
    "origination_uuid",
    "toll_allow",
];

/// Core's `loopback/` answers the caller with early media that there is not, unless he has this.
pub const NO_EARLY_MEDIA: &str = "loopback_no_pre_answer";

/// What is found in a leg's place, with the number.
type Found = Vec<(Contact, NewLeg, String)>;

impl Call {
    /// How this leg has ended.
    pub fn end_of(&self, leg: LegId, session: &Session<'_>) -> Event {
        let cause = session.cause();
        let places = match redirected(session) {
            true if self.look(|ring| ring.redirect(leg)) == Redirect::Follow => {
                self.places(leg, session)
            }
            _ => Vec::new(),
        };
        match places.is_empty() {
            true => Event::Ended { leg, cause },
            false => Event::Redirected { leg, cause, places },
        }
    }

    fn places(&self, leg: LegId, session: &Session<'_>) -> Vec<Place> {
        let known = |contact: &Contact| (contact.target.clone(), contact.owner.clone());
        let known = self.state.lock().contacts.get(leg.0).map(known);
        let Some((target, owner)) = known else {
            return Vec::new();
        };
        let uuid = self.uuid.as_str();
        let Some(owner) = owner else {
            // Nobody's rights are known there.
            tracing::warn!(
                uuid,
                "cti_bridge: {target}: moved, and no user's: not followed"
            );
            return Vec::new();
        };
        let local = session.variable("sip_local_network_addr");
        let is_ours = |host: &str| {
            let own = [Some(owner.domain.as_str()), local.as_deref()];
            own.into_iter()
                .flatten()
                .any(|own| own.eq_ignore_ascii_case(host))
        };
        let mut places = Vec::new();
        let mut refused = None;
        for nth in 0..READ {
            // One that the switch has refused to store is missing among the others.
            let Some(contact) = session.variable(&format!("sip_redirect_contact_{nth}")) else {
                continue;
            };
            match moved(&contact) {
                Ok(it) => places.push(Place {
                    ours: is_ours(&it.host),
                    number: it.number,
                    q: it.q,
                }),
                Err(why) => drop(refused.get_or_insert_with(|| (field(&contact), why))),
            }
        }
        if let Some((contact, why)) = refused {
            tracing::warn!(
                uuid,
                "cti_bridge: {target}: {contact} is not followed: {why}"
            );
        }
        places
    }

    /// What rings at these places. `hops`: how many redirects have led there; `alone`: the switch
    /// does not touch the media, so that nothing can be dialled through the dialplan.
    fn at_places(
        &self,
        leg: LegId,
        places: Vec<Place>,
        hops: u32,
        alone: bool,
        caller: &dyn Caller,
    ) -> Found {
        let (part, rang, contact) = {
            let state = self.state.lock();
            let it = state.ring.leg(leg);
            (it.part, it.ringing.is_some(), state.contacts[leg].clone())
        };
        let Some(owner) = contact.owner.clone() else {
            return Vec::new();
        };
        let globals = &self.globals[part];
        let marks = Marks::new(&contact, globals, caller, &owner, rang, hops);
        let dead = match marks.forwards {
            0 => Some(Cause::EXCHANGE_ROUTING_ERROR),
            _ => None,
        };
        let mut found = Vec::new();
        for place in places {
            let number = &place.number;
            let users = match place.ours && dead.is_none() {
                true => self.devices(&contact, &owner, number, part, caller),
                false => Vec::new(),
            };
            let mut contacts = users;
            if contacts.is_empty() {
                let dead = dead.or(alone.then_some(Cause::INCOMPATIBLE_DESTINATION));
                let contact = contact.through_dialplan(&owner, number, dead);
                let (leg, _) = settings::leg(&contact, caller, globals);
                contacts.push((contact, leg));
            }
            for (mut it, leg) in contacts {
                it.target.clone_from(&contact.target);
                it.plain_target.clone_from(&contact.plain_target);
                it.moved = true;
                marks.put_on(&mut it.variables);
                found.push((it, leg, number.clone()));
            }
        }
        found
    }

    /// The devices of a user of the same domain, as if the plan named him; none if nobody has
    /// registered.
    fn devices(
        &self,
        moved: &Contact,
        owner: &Owner,
        number: &str,
        part: PartId,
        caller: &dyn Caller,
    ) -> Vec<(Contact, NewLeg)> {
        let target = Target {
            variables: written(&moved.target),
            endpoint: "user".to_owned(),
            address: format!("{number}@{}", owner.domain),
            written: moved.target.clone(),
            offset: 0,
        };
        let mut contacts = self.resolve(vec![target], part, caller).contacts;
        contacts.retain(|contact| contact.dead.is_none());
        self.legs_to(contacts, part, caller)
    }
}

/// The variables of a target as the plan has it.
fn written(target: &str) -> Variables {
    let plan = plan::parse(target, &Limits::default()).ok();
    let targets = plan.and_then(|plan| {
        let stage = plan.parts.into_iter().next()?.stages.into_iter().next()?;
        stage.targets.into_iter().next()
    });
    targets.map(|target| target.variables).unwrap_or_default()
}

/// Sofia has ended this leg because its phone has moved.
fn redirected(session: &Session<'_>) -> bool {
    let said = session.variable("proto_specific_hangup_cause");
    let moved = ["sip:300", "sip:301", "sip:302", "sip:305"];
    session.cause() == Cause::REQUESTED_CHAN_UNAVAIL
        && said.is_some_and(|said| moved.contains(&said.as_str()))
}

/// What a leg carries that rings in another's place.
struct Marks {
    diversion: String,
    forwards: i32,
    hops: u32,
}

impl Marks {
    fn new(
        contact: &Contact,
        globals: &Variables,
        caller: &dyn Caller,
        owner: &Owner,
        rang: bool,
        hops: u32,
    ) -> Marks {
        let reason = if rang { "deflection" } else { "unconditional" };
        let mut diversion = format!("<sip:{}@{}>;reason={reason}", owner.id, owner.domain);
        // The last one to divert stands first (RFC 5806, 5.2).
        let written = globals.get(DIVERSION).or(contact.variables.get(DIVERSION));
        let before = written.map(str::to_owned);
        let before = before.or_else(|| caller.variable(DIVERSION));
        let is_short = |before: &String| (1..=LONGEST_DIVERSION).contains(&before.len());
        if let Some(before) = before.filter(is_short) {
            diversion = format!("{diversion}, {before}");
        }
        Marks {
            diversion,
            // The leg's own hop, as for any leg, and one for each redirect.
            forwards: settings::forwards_of(caller)
                .saturating_sub(1)
                .saturating_sub_unsigned(hops)
                .max(0),
            hops,
        }
    }

    fn put_on(&self, variables: &mut Variables) {
        variables.set(DIVERSION, &self.diversion);
        variables.set(MAX_FORWARDS, self.forwards.to_string());
        variables.set(REDIRECT_HOPS, self.hops.to_string());
    }
}

impl Hand<'_> {
    /// The caller's own headers, which sofia would hand to a leg of his; the far half of a
    /// `loopback/` is another caller.
    pub fn carry_headers(&self, variables: &mut Variables) {
        const HEADER: &str = "sip_h_";
        let copies = self.caller.variable("sip_copy_custom_headers");
        if copies.is_some_and(|copies| !is_true(&copies)) {
            return;
        }
        for name in self.caller.channel().names_with(&[HEADER]) {
            let own = variables.get(&name).is_some();
            if let Some(value) = self.caller.variable(&name).filter(|_| !own) {
                variables.set(&name, value);
            }
        }
    }

    /// The phone of this leg has moved to these places: what rings there rings in its place.
    pub fn follow(&mut self, leg: LegId, places: Vec<Place>) {
        let call = self.call;
        let (news, hops) = {
            let state = call.state.lock();
            let numbers = places.iter().map(|place| place.number.clone());
            let numbers: Vec<String> = numbers.collect();
            let it = state.ring.leg(leg);
            let news = event::redirected(it, &state.known[leg], &numbers);
            (news, state.ring.hops(leg) + 1)
        };
        call.announce(news);
        let alone = self.caller.bypasses_media();
        let ours = Arc::clone(call);
        let started = call.shared.pool.look_up(move || {
            // Somebody waits for what is found, also where that is nothing.
            let found = guarded("a redirect", Vec::new(), || {
                ours.at_places(leg, places, hops, alone, &Afar::from(&ours.uuid))
            });
            ours.leave_job(move |hand| {
                hand.see_caller_gone();
                hand.followed(leg, found);
            });
        });
        if !started {
            self.followed(leg, Vec::new());
        }
    }

    fn followed(&mut self, leg: LegId, found: Found) {
        let call = self.call;
        let limit = call.shared.config().max_targets;
        self.lend_for_company();
        self.feed_with(|state| state.followed(leg, found, limit));
    }
}

impl State {
    /// A device that rings already, or has had its turn in this stage, does not ring twice; nor do
    /// more than `limit` legs at once.
    fn followed(&mut self, leg: LegId, mut found: Found, limit: usize) -> Event {
        let it = self.ring.leg(leg);
        let (part, stage) = (it.part, it.stage);
        let rings =
            |contact: &Contact| self.rings(part, contact) || self.has_rung(part, stage, contact);
        let mut seen = HashSet::new();
        found.retain(|(contact, ..)| !rings(contact) && seen.insert(contact.dial_string.clone()));
        found.truncate(limit.saturating_sub(self.open()));
        let mut legs = Vec::new();
        for (contact, new, number) in found {
            legs.append(&mut self.add(vec![(contact, new)]));
            if let Some(known) = self.known.last_mut() {
                known.moved_to = Some(number);
            }
        }
        Event::Followed { leg, legs }
    }
}
