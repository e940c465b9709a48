//! Who stands behind the targets of a stage.
//! A look-up in the directory may leave the process, so it is done beside the call.
//! What has been found comes back through the mailbox.

use super::desk::Hand;
use super::grouped::{Place, is_group};
use super::verdict::REFUSED;
use super::{Call, NotAdded};
use crate::contacts::{self, Caller, Contact, Resolved};
use crate::plan::{self, Stage, Target, Variables};
use crate::ring::{Event, NewLeg, PartId, StageId};
use crate::settings;
use crate::switch::LockedSession;
use crate::switch::guard::guarded;
use crate::switch::session::cause_name;
use crate::tell::event::Announcement;
use std::collections::HashSet;
use std::sync::{Arc, Weak};

impl Hand<'_> {
    pub fn look_up(&mut self, part: PartId, stage: StageId) {
        let call = self.call;
        let (planned, turn) = call.turn_of((part, stage));
        let targets = &call.plan.parts[part].stages[planned];
        let at = At {
            part,
            stage,
            planned,
            turn,
        };
        if !targets.targets.iter().any(in_the_directory) {
            let resolved = call.resolve_stage(at, targets, self.caller.channel());
            return self.found(part, stage, resolved);
        }
        let ours = Arc::clone(call);
        let before = call.shared.registrations.count();
        let started = call.shared.pool.look_up(move || {
            let targets = &ours.plan.parts[part].stages[planned];
            let caller = LockedSession::locate(&ours.uuid);
            // Somebody waits for what is found, also where that is nothing.
            let resolved = guarded("a look-up", None, || {
                caller.map(|caller| ours.resolve_stage(at, targets, caller.channel()))
            });
            ours.leave_job(move |hand| {
                if resolved.is_none() && !hand.caller.ready() {
                    hand.feed(Event::CallerGone);
                }
                let resolved = resolved.unwrap_or_default();
                let users = resolved.users.clone();
                hand.found(part, stage, resolved);
                // Who has registered while the others were looked up is not missed either.
                let registrations = &hand.call.shared.registrations;
                if registrations.count() != before {
                    users
                        .iter()
                        .for_each(|(user, _)| registrations.look_again(user));
                }
            });
        });
        if !started {
            self.found(part, stage, Found::default());
        }
    }

    fn found(&mut self, part: PartId, stage: StageId, mut found: Found) {
        let call = self.call;
        let turns = found.contacts.iter().map(|(contact, _)| contact.turn + 1);
        let turns = turns.max().unwrap_or(1).max(found.turns);
        let (_, turn) = call.turn_of((part, stage));
        found.contacts.retain(|(contact, _)| contact.turn == turn);
        let limit = call.shared.config().max_targets;
        if found.contacts.len() > limit {
            let error = format!(
                "stage {} has {} contacts, more than max-targets ({limit})",
                stage,
                found.contacts.len()
            );
            tracing::error!(uuid = call.uuid.as_str(), "cti_bridge: {error}");
            call.state.lock().refused = Some(error);
            self.feed(Event::Cancel(REFUSED));
            return;
        }
        if call.late_join[part] {
            call.watch((part, stage), found.users);
        }
        if turns > 1 {
            self.feed_with(|state| state.have_turns(part, stage, turns));
        }
        let (contacts, legs) = found.contacts.into_iter().unzip();
        self.feed_with(|state| state.resolved(part, contacts, legs));
    }

    /// An operator's further target, or a device that has registered late.
    pub fn add(
        &mut self,
        at: (PartId, StageId),
        found: Found,
        again: bool,
        tell: impl FnOnce(usize) -> Option<Announcement>,
    ) -> Result<usize, NotAdded> {
        let call = self.call;
        let limit = call.shared.config().max_targets;
        let event = {
            let mut state = call.state.lock();
            state.added(at, found.contacts, limit, again)?
        };
        let Event::Added { legs, .. } = &event else {
            return Err(NotAdded::Over);
        };
        let added = legs.iter().filter(|leg| leg.dead.is_none()).count();
        self.lend_for_company();
        // Its other devices may be on their way, as those of the plan's own targets.
        if again && call.late_join[at.0] {
            call.watch(at, found.users);
        }
        self.feed_told(event, tell(added));
        Ok(added)
    }
}

/// What the targets of a stage come to, with what the machine must know of each.
#[derive(Default)]
pub struct Found {
    pub contacts: Vec<(Contact, NewLeg)>,
    /// Every directory user that may register, and the target that names it.
    pub users: Vec<(String, Target)>,
    /// So many turns at least its stage has.
    pub turns: usize,
}

/// A stage of the machine's, and which turn of which stage of the plan that is.
#[derive(Clone, Copy)]
pub struct At {
    part: PartId,
    stage: StageId,
    planned: usize,
    turn: usize,
}

fn in_the_directory(target: &Target) -> bool {
    let endpoint = |name: &str| target.endpoint.eq_ignore_ascii_case(name);
    endpoint("user") || endpoint("group") || is_group(target)
}

impl Call {
    /// Look the targets of a stage up, those of its groups' members among them.
    fn resolve_stage(&self, at: At, targets: &Stage, caller: &dyn Caller) -> Found {
        if !targets.targets.iter().any(is_group) {
            return self.resolve(targets, at.part, caller);
        }
        let mut all = Found::default();
        let mut dialled = HashSet::new();
        for (nth, target) in targets.targets.iter().enumerate() {
            let found = match is_group(target) {
                true => self.resolve_group(at, nth, target, caller),
                false => {
                    let targets = vec![target.clone()];
                    self.resolve(&Stage { targets }, at.part, caller)
                }
            };
            let new = found.contacts.into_iter().filter(|(contact, _)| {
                contact.dead.is_some() || dialled.insert(contact.dial_string.clone())
            });
            all.contacts.extend(new);
            all.users.extend(found.users);
            all.turns = all.turns.max(found.turns);
        }
        all
    }

    /// Whose turn it is in a group, looked up.
    fn resolve_group(&self, at: At, nth: usize, target: &Target, caller: &dyn Caller) -> Found {
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
            let targets = vec![target];
            let mut found = self.resolve(&Stage { targets }, at.part, caller);
            for (contact, _) in &mut found.contacts {
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
            let leg = settings::leg(&nobody, caller, &self.globals[at.part]).0;
            all.contacts.push((nobody, leg));
        }
        all
    }

    /// Look the targets up. What it finds to complain of is in the log.
    pub fn resolve(&self, targets: &Stage, part: PartId, caller: &dyn Caller) -> Found {
        let globals: &Variables = &self.globals[part];
        let config = self.shared.config();
        let Resolved {
            contacts, users, ..
        } = contacts::resolve(targets, caller, globals, config.allowed()).warned(&self.uuid);
        let leg = |contact: Contact| {
            let (mut leg, problems) = settings::leg(&contact, caller, globals);
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
        let users = users.into_iter();
        Found {
            contacts: contacts.into_iter().map(leg).collect(),
            users: users.map(|(user, target)| (user, target.clone())).collect(),
            turns: 0,
        }
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
        let caller = LockedSession::locate(&self.uuid).ok_or("the caller is gone")?;
        let found = self.resolve(targets, at.0, caller.channel());
        drop(caller);
        let alive = |(contact, _): &(Contact, NewLeg)| contact.dead.is_none();
        if !found.contacts.iter().any(alive) {
            let first = found.contacts.first();
            let why = first.and_then(|(contact, _)| contact.dead).map(cause_name);
            return Err(format!("it cannot ring: {}", why.unwrap_or_default()));
        }
        let said = |legs: usize| format!("{legs} more leg(s) ring");
        let add = move |hand: &mut Hand<'_>| {
            let told = |legs| Some(tell(&said(legs)));
            hand.add(at, found, true, told).map(said)
        };
        let added = self.ask(add).ok_or("it is ending")?;
        added.map_err(|why| why.to_string())
    }
}
