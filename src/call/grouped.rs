//! `ring/<group>` in a plan: which of its members ring when the stage begins.
//! A group's stages are turns of the plan's stage in which it stands, as those of a directory's dial string are.
//! Whoever is reserved for the call is given back at its end, whatever has happened.

use super::{Call, State};
use crate::contacts::{self, Caller, Contact};
use crate::groups::config::Config;
use crate::groups::members::{Fact, Offer, Pause};
use crate::groups::order::{self, Moment, Why};
use crate::groups::{Expansion, Groups, Known, Pick, Skipped};
use crate::plan::time::parse_time;
use crate::plan::{Plan, PlanError, Stage, Target, Variables};
use crate::ring::{Cause, LegId, LegState, Outcome, PartId, StageId};
use crate::settings::config::Config as Settings;
use crate::shared::Shared;
use crate::tell::event::{self, Announcement};
use crate::tell::metrics::GroupResult;
use crate::tell::report::LegReport;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub fn is_group(target: &Target) -> bool {
    target.endpoint.eq_ignore_ascii_case("ring")
}

/// Every group of the plan exists, and beside a `,` stand only those whose members all ring together.
///
/// # Errors
/// The first that does not, with its place in `text`, the plan as it was written.
pub fn check(plan: &Plan, text: &str, config: &Config) -> Result<(), PlanError> {
    let stages = plan.parts.iter().flat_map(|part| &part.stages);
    for stage in stages {
        for target in stage.targets.iter().filter(|target| is_group(target)) {
            let name = &target.address;
            let wrong = match config.groups.get(name) {
                None => format!("there is no group {name:?}"),
                Some(group) if stage.targets.len() > 1 && !config.one_stage(group) => {
                    format!("the group {name:?} rings in several stages, not beside others")
                }
                Some(_) => continue,
            };
            return Err(PlanError::at(text, target.offset, wrong));
        }
    }
    Ok(())
}

/// The groups of a call, by where they stand in the plan.
#[derive(Default)]
pub struct Grouped(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The call is over: nobody is kept for it any more.
    over: bool,
    /// Somebody has won.
    won: bool,
    laid_out: HashMap<Place, LaidOut>,
    skipped: Vec<(PartId, StageId, Skipped)>,
    /// The groups that the plan names, with who of each was rung.
    rung: BTreeMap<String, Vec<Pick>>,
    winner: Option<Pick>,
}

/// A target of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    pub part: usize,
    pub stage: usize,
    pub target: usize,
}

struct LaidOut {
    expansion: Expansion,
    /// For each turn its stages. Several are one turn where those who come later join those who ring:
    /// they start later.
    turns: Vec<Range<usize>>,
}

impl LaidOut {
    fn new(expansion: Expansion) -> LaidOut {
        LaidOut {
            turns: turns(&expansion),
            expansion,
        }
    }

    /// The turn begins now. `default`: how long each of its stages rings where the group says nothing.
    fn begin(
        &mut self,
        groups: &Groups,
        turn: usize,
        known: &dyn Known,
        target: &Target,
        globals: &Variables,
        default: Duration,
    ) -> Turn {
        let now = Moment::now();
        let unlimited = |time: Duration| match time {
            // It is as long as a call can be.
            Duration::ZERO => UNLIMITED,
            time => time,
        };
        let default = unlimited(default);
        let expansion = &mut self.expansion;
        let stages = self.turns.get(turn).cloned().unwrap_or_default();
        let time = |stage: usize| expansion.stages[stage].timeout.map(unlimited);
        let times: Vec<_> = stages.clone().map(time).collect();
        let joined = times.len() > 1;
        let mut left: Option<Duration> = match joined {
            true => Some(times.iter().map(|time| time.unwrap_or(default)).sum()),
            false => times.first().copied().flatten(),
        };
        let mut from = Duration::ZERO;
        let mut ring = Turn {
            turns: self.turns.len(),
            ..Turn::default()
        };
        for (stage, time) in stages.zip(times) {
            let begun = expansion.begin(groups, stage, now, known);
            let nobody = begun.members.is_empty();
            for pick in begun.members {
                let dialled = dialled(&pick, target, globals, from, left);
                ring.targets.push((pick, dialled));
            }
            ring.skipped.extend(begun.skipped);
            // In the place of one who is skipped comes the next one, and not later.
            if joined && !nobody {
                let time = time.unwrap_or(default);
                from += time;
                left = left.map(|left| left.saturating_sub(time));
            }
        }
        if ring.targets.is_empty() {
            let all = expansion.skipped.iter().chain(&ring.skipped);
            ring.nobody = Some(cause(all.map(|it| it.why)));
        }
        ring
    }
}

/// What a stage with groups in it would be now. Nothing is moved, and nobody reserved.
pub fn explain(
    shared: &Shared,
    stage: &Stage,
    caller: &dyn Caller,
    globals: &Variables,
) -> Vec<Explained> {
    let config = shared.config();
    let known = Asked::new(caller, globals, shared.config());
    let who = order::Caller {
        call: caller.variable("uuid").unwrap_or_default(),
        presence: caller.variable("presence_id"),
    };
    let mut turns: Vec<Explained> = vec![Explained::default()];
    for target in &stage.targets {
        let seed = RandomState::new().build_hasher().finish();
        let now = Moment::now();
        let plain = !is_group(target);
        let mut laid_out = match plain {
            true => None,
            false => {
                let name = &target.address;
                let expanded = shared.groups.explain(name, who.clone(), now, seed, &known);
                expanded.ok().map(LaidOut::new)
            }
        };
        let count = laid_out.as_ref().map_or(1, |it| it.turns.len().max(1));
        for turn in 0..count {
            let ring = match &mut laid_out {
                Some(it) => {
                    let groups = &shared.groups;
                    it.begin(groups, turn, &known, target, globals, config.stage_timeout)
                }
                None => Turn::default(),
            };
            let all = ring.targets.into_iter().map(|(_, target)| target);
            let targets = all.chain(plain.then(|| target.clone())).collect();
            let targets = Stage { targets };
            let found = contacts::resolve(&targets, caller, globals, config.allowed());
            if turns.len() <= turn {
                turns.push(Explained::default());
            }
            let of_turn = &mut turns[turn];
            of_turn.contacts.extend(found.contacts);
            of_turn.dropped.extend(found.dropped);
            let nobody = ring.nobody.map(|why| Contact::nobody(target, why));
            of_turn.contacts.extend(nobody);
            let before = laid_out.as_ref().filter(|_| turn == 0);
            let before = before.map(|it| it.expansion.skipped.clone());
            of_turn.skipped.extend(before.into_iter().flatten());
            of_turn.skipped.extend(ring.skipped);
        }
    }
    turns
}

/// One turn of a stage with groups in it.
#[derive(Default)]
pub struct Explained {
    pub contacts: Vec<Contact>,
    pub dropped: Vec<String>,
    pub skipped: Vec<Skipped>,
}

/// Who of a group rings in a turn.
#[derive(Default)]
pub struct Turn {
    pub targets: Vec<(Pick, Target)>,
    /// Why, where nobody rings.
    pub nobody: Option<Cause>,
    /// How many turns the group has.
    pub turns: usize,
    /// Who was to ring in it and must not any more.
    pub skipped: Vec<Skipped>,
}

impl Grouped {
    fn take(&self, place: Place) -> Option<LaidOut> {
        self.0.lock().laid_out.remove(&place)
    }

    /// Not when the call has ended meanwhile: then who is reserved is given back here.
    fn put(&self, place: Place, laid_out: LaidOut) {
        let mut inner = self.0.lock();
        if !inner.over {
            inner.laid_out.insert(place, laid_out);
        }
    }

    fn skipped(&self, part: PartId, stage: StageId, more: impl IntoIterator<Item = Skipped>) {
        let mut inner = self.0.lock();
        for it in more {
            // Who was skipped when the plan was read is so still.
            let known = |(_, _, other): &(_, _, Skipped)| *other == it;
            if !inner.skipped.iter().any(known) {
                inner.skipped.push((part, stage, it));
            }
        }
    }

    fn rang(&self, group: &str, members: &[(Pick, Target)]) {
        let mut inner = self.0.lock();
        let rung = inner.rung.entry(group.to_owned()).or_default();
        rung.extend(members.iter().map(|(pick, _)| pick.clone()));
    }

    /// The call is decided: of all who were reserved only this one still is.
    fn settle(&self, winner: Option<&Pick>) {
        let mut inner = self.0.lock();
        inner.winner = winner.cloned();
        for laid_out in inner.laid_out.values_mut() {
            laid_out.expansion.settle(winner);
        }
    }

    /// The call is over.
    pub fn end(&self) {
        let mut inner = self.0.lock();
        inner.over = true;
        let laid_out = std::mem::take(&mut inner.laid_out);
        drop(inner);
        drop(laid_out);
    }
}

impl Call {
    /// Who rings in this turn of a group. Its first turn takes the group's turn as well.
    pub fn whose_turn(
        &self,
        place: Place,
        turn: usize,
        at: (PartId, StageId),
        target: &Target,
        caller: &dyn Caller,
    ) -> Turn {
        let groups = &self.shared.groups;
        let known = Asked::new(caller, &self.globals[at.0], self.shared.config());
        let now = Moment::now();
        // Of an earlier attempt, at the first turn: who was reserved is free again.
        let before = self.grouped.take(place);
        let laid_out = match turn {
            0 => {
                drop(before);
                let presence = caller.variable("presence_id");
                let call = self.uuid.clone();
                let caller = order::Caller { call, presence };
                let seed = RandomState::new().build_hasher().finish();
                let expanded = groups.expand(&target.address, caller, now, seed, &known);
                expanded.ok().map(LaidOut::new)
            }
            _ => before,
        };
        // A reload may have taken the group away.
        let Some(mut laid_out) = laid_out else {
            let nobody = Some(Cause::NO_ROUTE_DESTINATION);
            return Turn {
                nobody,
                ..Turn::default()
            };
        };
        if turn == 0 {
            self.announce(event::group(&target.address, &laid_out.expansion));
        }
        let skipped = laid_out.expansion.skipped.clone();
        self.grouped.skipped(at.0, at.1, skipped);
        let default = self.shared.config().stage_timeout;
        let ring = laid_out.begin(groups, turn, &known, target, &self.globals[at.0], default);
        self.grouped.skipped(at.0, at.1, ring.skipped.clone());
        self.grouped.rang(&target.address, &ring.targets);
        self.grouped.put(place, laid_out);
        ring
    }

    /// A leg's channel exists, and is not launched yet.
    pub fn tell_dialled(&self, channel: &str) {
        if self.shared.watch.is_in_place() {
            let call = &self.uuid;
            let fact = Fact::Dialled { channel, call };
            self.shared.groups.fact(fact, Moment::now());
        }
    }

    /// … and could not be launched.
    pub fn tell_not_dialled(&self, channel: &str) {
        if self.shared.watch.is_in_place() {
            let fact = Fact::Ended { channel };
            self.shared.groups.fact(fact, Moment::now());
        }
    }

    /// This leg has won and is answered.
    pub fn tell_won(&self, leg: LegId) {
        let (pick, channel) = {
            let state = self.state.lock();
            let contact = state.contacts.get(leg.0);
            let pick = contact.and_then(|it| it.member.clone());
            let known = state.known.get(leg.0);
            (pick, known.and_then(|known| known.uuid.clone()))
        };
        if std::mem::replace(&mut self.grouped.0.lock().won, true) {
            return;
        }
        if let (Some(pick), Some(channel)) = (&pick, channel) {
            let groups = &self.shared.groups;
            groups.won(pick, &channel, &self.uuid, Moment::now());
        }
        self.grouped.settle(pick.as_ref());
    }

    /// Nobody has won.
    pub fn tell_nobody_won(&self) {
        self.grouped.settle(None);
    }

    /// What has come of these members' ringing: their pauses follow from it.
    pub fn tell_offers(&self, offers: Vec<(Pick, Offer)>) -> Vec<Announcement> {
        let now = Moment::now();
        let groups = &self.shared.groups;
        let mut news = Vec::new();
        for (pick, offer) in offers {
            let before = groups.members().paused(pick.key(), now);
            groups.offered(&pick, offer, now);
            let after = groups.members().paused(pick.key(), now);
            let by = match (after, offer) {
                (Some(Pause::NoAnswers), _) => "max-no-answer",
                (_, Offer::Busy) => "busy-pause",
                (_, Offer::Rejected) => "reject-pause",
                _ => "no-answer-pause",
            };
            if after.is_some() && after != before {
                news.push(event::member(pick.key(), "pause", "paused", by));
            }
        }
        news
    }

    /// The call is over: what it has come to for each group of its plan is counted. `ring`: to its end or
    /// its answer.
    pub fn count_groups(&self, ring: Duration) {
        let metrics = &self.shared.metrics;
        let inner = self.grouped.0.lock();
        let is_same = |one: &Pick, other: &Pick| {
            (&one.group.name, one.member) == (&other.group.name, other.member)
        };
        for (group, rung) in &inner.rung {
            let winner = inner.winner.as_ref();
            let won = winner.is_some_and(|winner| rung.iter().any(|it| is_same(it, winner)));
            let result = match (won, rung.is_empty()) {
                (true, _) => GroupResult::Answered,
                (_, true) => GroupResult::NobodyFree,
                _ => GroupResult::Unanswered,
            };
            metrics.group_ended(group, result, ring);
        }
        for (_, _, skipped) in &inner.skipped {
            metrics.group_skipped(&skipped.pick.group.name, skipped.why);
        }
    }

    /// Members who were not rung, for `cti_legs`.
    pub fn skipped(&self) -> Vec<LegReport> {
        let inner = self.grouped.0.lock();
        let skipped = inner.skipped.iter().map(|(part, stage, it)| LegReport {
            part: *part,
            stage: *stage,
            target: it.pick.target().written.clone(),
            contact: it.pick.target().dial_string(),
            role: Some("skipped"),
            reason: Some(it.why.name()),
            ..LegReport::default()
        });
        skipped.collect()
    }
}

impl State {
    /// What has come of members whose legs of a stage have all ended, each told of once. A member's
    /// devices are one offer: that he declines says more than that he is busy, and both more than that
    /// nobody answered.
    pub fn offers(&mut self) -> Vec<(Pick, Offer)> {
        let member = |leg: usize| self.contacts.get(leg)?.member.as_ref();
        let mut offers: Vec<(Pick, Offer)> = Vec::new();
        let mut told = Vec::new();
        let legs = self.ring.legs();
        for (nth, leg) in legs.iter().enumerate() {
            let Some(pick) = member(nth).filter(|_| leg.state == LegState::Ended) else {
                continue;
            };
            if self.known.get(nth).is_none_or(|known| known.offer_told) {
                continue;
            }
            let same = |&other: &usize| {
                let it = &legs[other];
                (it.part, it.stage) == (leg.part, leg.stage)
                    && member(other).is_some_and(|it| it.key() == pick.key())
            };
            let devices: Vec<usize> = (0..legs.len()).filter(same).collect();
            if devices.iter().any(|&it| legs[it].state != LegState::Ended) {
                continue;
            }
            let failures = devices.iter().map(|&it| self.ring.failure(LegId(it)));
            let offer = failures.filter_map(offer_of).max_by_key(|(rank, _)| *rank);
            if let Some((_, offer)) = offer
                && devices.first() == Some(&nth)
            {
                offers.push((pick.clone(), offer));
            }
            told.push(nth);
        }
        for nth in told {
            self.known[nth].offer_told = true;
        }
        offers
    }
}

fn offer_of(failure: Option<Outcome>) -> Option<(u8, Offer)> {
    match failure? {
        Outcome::Rejected => Some((2, Offer::Rejected)),
        Outcome::Busy => Some((1, Offer::Busy)),
        Outcome::NoAnswer => Some((0, Offer::NoAnswer)),
        _ => None,
    }
}

/// Longer than any call.
const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

/// The stages of each turn.
fn turns(expansion: &Expansion) -> Vec<Range<usize>> {
    let mut turns: Vec<Range<usize>> = Vec::new();
    let mut joins = false;
    for (nth, stage) in expansion.stages.iter().enumerate() {
        match turns.last_mut().filter(|_| joins) {
            Some(turn) => turn.end = nth + 1,
            None => turns.push(nth..nth + 1),
        }
        joins = stage.rings_on;
    }
    turns
}

/// What is dialled for this member: what the plan says for all of them counts, then what he has himself.
/// `left`: so long his turn rings when he starts.
fn dialled(
    pick: &Pick,
    written: &Target,
    globals: &Variables,
    from: Duration,
    left: Option<Duration>,
) -> Target {
    let mut target = pick.target().clone();
    target.variables.set_all(&written.variables);
    let variables = &mut target.variables;
    let said = |variables: &Variables, name: &str| {
        let said = variables.get(name).or_else(|| globals.get(name));
        said.map(str::to_owned)
    };
    let delay = said(variables, "leg_delay_start").and_then(|text| parse_time(&text).ok());
    let delay = delay.unwrap_or_default();
    if !from.is_zero() {
        let delay = (delay + from).as_millis();
        variables.set("leg_delay_start", format!("{delay}ms"));
    }
    if let Some(left) = left
        && said(variables, "leg_timeout").is_none()
    {
        // 0 would be no limit.
        let rings = left.saturating_sub(delay).as_millis().max(1);
        variables.set("leg_timeout", format!("{rings}ms"));
    }
    target
}

/// Why a group rings nobody: what the caller is told as if they had said so themselves.
fn cause(all: impl Iterator<Item = Why>) -> Cause {
    let absent = all
        .map(|why| why == Why::Unregistered)
        .reduce(|one, other| one && other);
    match absent {
        Some(true) => Cause::USER_NOT_REGISTERED,
        _ => Cause::USER_BUSY,
    }
}

/// Asks the directory and the registrations, of each user once.
pub struct Asked<'a> {
    caller: &'a dyn Caller,
    globals: &'a Variables,
    config: Arc<Settings>,
    dnd: RefCell<HashMap<String, bool>>,
    registered: RefCell<HashMap<String, bool>>,
}

impl<'a> Asked<'a> {
    pub fn new(caller: &'a dyn Caller, globals: &'a Variables, config: Arc<Settings>) -> Asked<'a> {
        Asked {
            caller,
            globals,
            config,
            dnd: RefCell::default(),
            registered: RefCell::default(),
        }
    }
}

impl Known for Asked<'_> {
    fn registered(&self, user: &str) -> Option<bool> {
        if let Some(known) = self.registered.borrow().get(user) {
            return Some(*known);
        }
        let target = Target {
            variables: Variables::default(),
            endpoint: "user".to_owned(),
            address: user.to_owned(),
            written: String::new(),
            offset: 0,
        };
        let targets = Stage {
            targets: vec![target],
        };
        let allowed = self.config.allowed();
        let found = contacts::resolve(&targets, self.caller, self.globals, allowed).contacts;
        let rings = found.iter().any(|contact| contact.dead.is_none());
        self.registered.borrow_mut().insert(user.to_owned(), rings);
        Some(rings)
    }

    fn do_not_disturb(&self, user: &str) -> bool {
        if let Some(known) = self.dnd.borrow().get(user) {
            return *known;
        }
        let said = contacts::do_not_disturb(user, self.caller);
        self.dnd.borrow_mut().insert(user.to_owned(), said);
        said
    }
}
