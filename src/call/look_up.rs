//! Who stands behind the targets of a stage.
//! A look-up in the directory may leave the process, so each is done beside the call.
//! What has been found comes back through the mailbox, and rings without waiting for the rest.

use super::desk::Hand;
use super::found::{Found, LookUp};
use super::grouped::{Place, is_group};
use super::verdict::REFUSED;
use super::{Call, NotAdded};
use crate::contacts::{self, Afar, Caller, Contact, Resolved};
use crate::plan::{self, Stage, Target, Variables};
use crate::ring::{Event, NewLeg, PartId, StageId};
use crate::settings;
use crate::switch::LockedSession;
use crate::switch::guard::guarded;
use crate::switch::session::cause_name;
use crate::tell::event::Announcement;
use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

/// So long the contacts of a stage wait for one another: who is found at once rings together, in the
/// plan's order, and a stage that fails at once rings nobody.
const TOGETHER: Duration = Duration::from_millis(50);

/// A stage of the machine's, and which turn of which stage of the plan that is.
#[derive(Clone, Copy)]
struct At {
    part: PartId,
    stage: StageId,
    planned: usize,
    turn: usize,
}

impl Hand<'_> {
    pub fn look_up(&mut self, part: PartId, stage: StageId) {
        let call = self.call;
        let (planned, turn) = call.turn_of((part, stage));
        let at = At {
            part,
            stage,
            planned,
            turn,
        };
        // Nobody waits any more for what another attempt would find.
        let earlier = |it: &LookUp| it.part != part || it.stage < stage;
        self.desk.look_ups.retain(earlier);
        self.desk.looked_up += 1;
        let number = self.desk.looked_up;
        let mut look_up = LookUp {
            number,
            part,
            stage,
            open: 0,
            found: Vec::new(),
            together: call.age() + TOGETHER,
            registered: call.shared.registrations.count(),
        };
        for (nth, target) in call.plan.parts[part].stages[planned]
            .targets
            .iter()
            .enumerate()
        {
            let target = target.clone();
            if !in_the_directory(&target) {
                let found = call.resolve_target(at, nth, target, self.caller.channel());
                look_up.found.push((nth, found));
                continue;
            }
            let ours = call.clone();
            let started = call.shared.pool.look_up(move || {
                // Somebody waits for what is found, also where that is nothing.
                let found = guarded("a look-up", Found::default(), || {
                    let caller = Afar::from(&ours.uuid);
                    let found = ours.resolve_target(at, nth, target, &caller);
                    let set = caller.set.into_inner();
                    Found { set, ..found }
                });
                ours.leave_job(move |hand| {
                    let mut look_ups = hand.desk.look_ups.iter_mut();
                    if let Some(it) = look_ups.find(|it| it.number == number) {
                        // A pool that could promise no thread may have had one after all.
                        it.open = it.open.saturating_sub(1);
                        it.found.push((nth, found));
                    }
                });
            });
            look_up.open += usize::from(started);
        }
        self.desk.look_ups.push(look_up);
    }

    /// Whoever has been found rings, as soon as all have been or some time has passed.
    pub fn hand_on(&mut self) {
        if self.desk.look_ups.is_empty() {
            return;
        }
        let now = self.call.age();
        let due = |it: &LookUp| it.open == 0 || it.together <= now && !it.found.is_empty();
        while let Some(nth) = self.desk.look_ups.iter().position(due) {
            let it = &mut self.desk.look_ups[nth];
            let (part, stage, before) = (it.part, it.stage, it.registered);
            let (found, more) = (std::mem::take(&mut it.found), it.open > 0);
            if !more {
                self.desk.look_ups.swap_remove(nth);
            }
            self.see_caller_gone();
            self.found(part, stage, found, more, before);
        }
        let waits = self.desk.look_ups.iter();
        let waits = waits.filter(|it| !it.found.is_empty());
        let next = waits.map(|it| it.together).min();
        self.call.wake_at(next);
    }

    /// Nobody could be found for one who has left.
    pub fn see_caller_gone(&mut self) {
        let gone = if self.stands_in {
            self.caller.down()
        } else {
            self.is_gone()
        };
        if gone && !self.call.look(|ring| ring.over()) {
            self.feed(Event::CallerGone);
        }
    }

    fn found(
        &mut self,
        part: PartId,
        stage: StageId,
        mut found: Vec<(usize, Found)>,
        more: bool,
        before: u64,
    ) {
        let call = self.call;
        found.sort_by_key(|(target, _)| *target);
        let (mut contacts, mut users) = (Vec::new(), Vec::new());
        let (_, turn) = call.turn_of((part, stage));
        let mut turns = 1;
        for (target, mut found) in found {
            let later = found.contacts.iter().map(|contact| contact.turn + 1);
            turns = turns.max(later.max().unwrap_or(1)).max(found.turns);
            found.contacts.retain(|contact| contact.turn == turn);
            let of_target = found.contacts.iter_mut();
            of_target.for_each(|contact| contact.place = target);
            contacts.append(&mut found.contacts);
            users.append(&mut found.users);
            // As if one had been looked up after the other.
            let set = found.set.iter();
            set.for_each(|it| self.caller.set(&it.name, Some(&it.value)));
        }
        let had = call.state.lock().new_of(part, stage, &mut contacts);
        let limit = call.shared.config().max_targets;
        let room = limit.saturating_sub(had);
        for line in contacts::fit(&mut contacts, room) {
            tracing::warn!(uuid = call.uuid.as_str(), "cti_bridge: {line}");
        }
        if contacts.len() > room {
            let count = had + contacts.len();
            let error =
                format!("stage {stage} has {count} contacts, more than max-targets ({limit})");
            tracing::error!(uuid = call.uuid.as_str(), "cti_bridge: {error}");
            // Nobody refuses a plan for a stage whose turn is over.
            if had == 0 && call.look(|ring| ring.takes(part, stage)) {
                call.state.lock().refused = Some(error);
                self.feed(Event::Cancel(REFUSED));
                return;
            }
            // The others ring already.
            contacts.truncate(room);
        }
        let names: Vec<String> = users.iter().map(|(user, _)| user.clone()).collect();
        if call.late_join[part] {
            call.watch((part, stage), users);
        }
        let have_turns = call.state.lock().have_turns(part, stage, turns);
        if let Some(event) = have_turns {
            self.feed(event);
        }
        let found = call.legs_to(contacts, part, self.caller.channel());
        self.feed_with(|state| {
            let legs = state.add(found);
            Event::Resolved {
                part,
                stage,
                legs,
                more,
            }
        });
        // Who has registered while the others were looked up is not missed either.
        let registrations = &call.shared.registrations;
        if registrations.count() != before {
            names.iter().for_each(|user| registrations.look_again(user));
        }
    }

    /// An operator's further target, or a device that has registered late: then with all that are
    /// `registered` of that target.
    pub fn add(
        &mut self,
        at: (PartId, StageId),
        mut found: Found,
        registered: Option<&HashSet<String>>,
        tell: impl FnOnce(usize) -> Option<Announcement>,
    ) -> Result<usize, NotAdded> {
        let call = self.call;
        let limit = call.shared.config().max_targets;
        for line in contacts::fit(&mut found.contacts, limit) {
            tracing::warn!(uuid = call.uuid.as_str(), "cti_bridge: {line}");
        }
        let legs = call.legs_to(found.contacts, at.0, self.caller.channel());
        let event = call.state.lock().added(at, legs, limit, registered)?;
        let Event::Added { legs, .. } = &event else {
            return Err(NotAdded::Over);
        };
        let added = legs.iter().filter(|leg| leg.dead.is_none()).count();
        self.lend_for_company();
        // Its other devices may be on their way, as those of the plan's own targets.
        if registered.is_none() && call.late_join[at.0] {
            call.watch(at, found.users);
        }
        self.feed_told(event, tell(added));
        Ok(added)
    }
}

fn in_the_directory(target: &Target) -> bool {
    let endpoint = |name: &str| target.endpoint.eq_ignore_ascii_case(name);
    endpoint("user") || endpoint("group") || is_group(target)
}

impl Call {
    /// Look one target of a stage up, the members of a group each by himself.
    fn resolve_target(&self, at: At, nth: usize, target: Target, caller: &dyn Caller) -> Found {
        match is_group(&target) {
            true => self.resolve_group(at, nth, &target, caller),
            false => self.resolve(vec![target], at.part, caller),
        }
    }

    /// Whose turn it is in a group, looked up. For one who has left no turn is taken.
    fn resolve_group(&self, at: At, nth: usize, target: &Target, caller: &dyn Caller) -> Found {
        if LockedSession::locate(&self.uuid).is_none() {
            return Found::default();
        }
        let place = Place {
            part: at.part.0,
            stage: at.planned,
            target: nth,
        };
        let turn = self.whose_turn(place, at.turn, (at.part, at.stage), target, caller);
        let mut all = Found {
            turns: turn.turns,
            ..Found::default()
        };
        for (pick, target) in turn.targets {
            let mut found = self.resolve(vec![target], at.part, caller);
            for contact in &mut found.contacts {
                // Whatever turns a member's own dial string has: his is one of the group's.
                contact.turn = at.turn;
                contact.member = Some(pick.clone());
            }
            all.contacts.append(&mut found.contacts);
            all.users.append(&mut found.users);
        }
        if let Some(why) = turn.nobody {
            let mut nobody = Contact::nobody(target, why);
            nobody.turn = at.turn;
            all.contacts.push(nobody);
        }
        all
    }

    /// Look these targets of a stage up. What there is to complain of is in the log.
    pub fn resolve(&self, targets: Vec<Target>, part: PartId, caller: &dyn Caller) -> Found {
        let globals: &Variables = &self.globals[part];
        let config = self.shared.config();
        let targets = Stage { targets };
        let Resolved {
            contacts, users, ..
        } = contacts::resolve(&targets, caller, globals, config.allowed()).warned(&self.uuid);
        let users = users.into_iter();
        Found {
            contacts,
            users: users.map(|(user, target)| (user, target.clone())).collect(),
            turns: 0,
            set: Variables::default(),
        }
    }

    /// What the machine must know of these contacts.
    pub fn legs_to(
        &self,
        contacts: Vec<Contact>,
        part: PartId,
        caller: &dyn Caller,
    ) -> Vec<(Contact, NewLeg)> {
        let leg = |contact: Contact| {
            let (mut leg, problems) = settings::leg(&contact, caller, &self.globals[part]);
            leg.may_register &= self.late_join[part];
            for problem in problems {
                tracing::warn!(
                    uuid = self.uuid.as_str(),
                    "cti_bridge: {}: {problem}",
                    contact.target
                );
            }
            (contact, leg)
        };
        contacts.into_iter().map(leg).collect()
    }

    fn watch(&self, at: (PartId, StageId), users: Vec<(String, Target)>) {
        let ours: Weak<dyn crate::registrations::Waits> = self.ours.clone();
        self.shared
            .registrations
            .wait(&ours, self.serial, at, users);
    }

    /// An operator's further target, beside the running stage of this part. What it did, or why
    /// it could not. For an operator's thread, which waits for the directory and for the hand.
    pub fn operator_adds(
        &self,
        at: (PartId, StageId),
        targets: &plan::Stage,
        tell: impl FnOnce(&str) -> Announcement + Send + 'static,
    ) -> Result<String, String> {
        drop(LockedSession::locate(&self.uuid).ok_or("the caller is gone")?);
        let found = self.resolve(targets.targets.clone(), at.0, &Afar::from(&self.uuid));
        if found.contacts.iter().all(|contact| contact.dead.is_some()) {
            let first = found.contacts.first();
            let why = first.and_then(|contact| contact.dead).map(cause_name);
            return Err(format!("it cannot ring: {}", why.unwrap_or_default()));
        }
        let said = |legs: usize| format!("{legs} more leg(s) ring");
        let add = move |hand: &mut Hand<'_>| {
            let told = |legs| Some(tell(&said(legs)));
            hand.add(at, found, None, told).map(said)
        };
        let added = self.ask(add).ok_or("it is ending")?;
        added.map_err(|why| why.to_string())
    }
}
