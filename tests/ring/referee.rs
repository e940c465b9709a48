//! The laws, and the referee who watches over them: it keeps its own account of a call, from
//! the events and the commands alone, and knows what the machine may and must do.

use super::ms;
use mod_cti::ring::{
    Cause, Command, Confirm, Event, Leg, LegId, LegState, Missed, Mode, NewLeg, Outcome, PartId,
    Place, Redirect, Ring, Role, Settings, StageId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What must hold in every call, whatever arrives in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Law {
    /// Exactly one Join or one Finish, never both; a Join in early media may be followed by another.
    OneVerdict,
    /// After the end of the call nobody is looked up or dialled.
    NothingAfterTheEnd,
    /// A stage begins when all of the one before has ended (progressively: or its time is
    /// over), and in the plan's order.
    StagesInOrder,
    /// No deadline and no late start comes early.
    NeverEarly,
    /// After any event nothing that is due is left undone.
    NeverLate,
    /// A tick is pending for the next deadline, and no deadline is asked for again and again.
    WokenInTime,
    /// Every leg that was dialled has exactly one end, and the cause that it came with.
    OneEndEach,
    /// When nothing of a stage is left, also as nobody could be dialled, and nobody is looked up, the
    /// next one is looked up at once, or the part sleeps, or the call ends.
    StagesGoOn,
    /// An answer is refused only if somebody else won or the call was ended, and then at once.
    AnswersCount,
    /// The result is the most telling one of all legs'.
    TrueResult,
    /// A HangUp names a leg that was dialled, once, and has a reason.
    HangUpsAreDue,
    /// Nothing is commanded to a leg that has ended.
    EndedAreLeftAlone,
    /// Every id in a command is one that exists; nobody is dialled twice.
    KnownIds,
    /// A required leg that fails takes its stage with it.
    RequiredLegs,
    /// What a phone is told when it is ended: the truth, once, in a form that SIP knows.
    TrueCauses,
    /// Winner, loser, cancelled, failed: as it was.
    TrueRoles,
    /// A phone that has moved is followed as long as its leg's stage rings, five times at most, and
    /// to no number twice.
    Redirects,
    /// When the call is over, no phone rings and no deadline is kept.
    NothingLeft,
}

pub type Fault = (Law, String);

/// Keeps its own account of the call, from the events and commands alone.
pub struct Referee {
    parts: Vec<PartSeen>,
    legs: Vec<LegSeen>,
    verdict: Option<Command>,
    ended: Option<Ended>,
    /// The winner, joined in early media by the machine's own choice: only an answer is final.
    early: Option<LegId>,
    caller_rings: bool,
    busy: (u64, u32),
    /// The first of the legs that came with the event.
    new: usize,
    pub faults: Vec<Fault>,
}

struct PartSeen {
    settings: Settings,
    stages: usize,
    stage: Option<StageId>,
    attempt: u32,
    attempt_began: u64,
    /// The first of the attempt's legs.
    attempt_first: usize,
    /// Nobody of the stage is known yet who could ring.
    resolving: bool,
    /// The stages of which targets are looked up.
    looked_up: BTreeSet<StageId>,
    /// From when on the stage's times and its legs' delays count, and how much less the delays are.
    began: u64,
    shift: Duration,
    /// The first of the legs of the stage that rings.
    first: usize,
    deadline: Option<u64>,
    over: Option<u64>,
    progress: Option<u64>,
    /// Nobody is registered; until then the stage is kept open.
    wait: Option<u64>,
    /// Nothing of the stage was left.
    idle: Option<u64>,
    /// The stage was cancelled.
    ending: bool,
    /// An operator has ended it.
    skipped: bool,
    /// `originate_continue_on_timeout=false` or the call's deadline: no stage follows.
    last: bool,
}

struct LegSeen {
    part: PartId,
    stage: StageId,
    plan: NewLeg,
    starts: u64,
    /// When it was told to be dialled.
    commanded: Option<u64>,
    /// … and when its INVITE went out, from which its times count.
    dialled: Option<u64>,
    started: bool,
    rang: bool,
    /// When it was told that it has answered.
    picked_up: Option<u64>,
    /// … for good: where it has to be confirmed, it has been.
    answered: bool,
    /// Somebody was asked to confirm it, and has.
    asked: bool,
    confirmed: bool,
    /// Its answer was told, and counted or refused.
    counted: bool,
    hung_up: Option<Cause>,
    /// … before this event was read.
    hung_up_before: Option<Cause>,
    /// By an operator.
    dropped: bool,
    /// An operator has cancelled the call when it had won in early media.
    cancelled: Option<Cause>,
    timed_out: bool,
    /// Ended because of another leg.
    cut: bool,
    /// What the first event about its end said.
    told: Option<Cause>,
    ended: bool,
    /// In whose place it rings, and since when that one's time counts.
    replaces: Option<LegId>,
    since: Option<u64>,
    /// Its phone has moved, and it was followed.
    moved: bool,
    /// Somebody is looked up to ring in its place.
    looking: bool,
    /// Somebody was found.
    replaced: bool,
    /// When its own time was over during a look-up.
    given_up: Option<u64>,
    /// The numbers that a leg has had which rings in nobody's place.
    numbers: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ended {
    Won(LegId),
    CallerGone,
    Cancelled(Cause),
    /// By one phone.
    Rejected(Cause, LegId),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    TimeOver,
    /// A required leg failed.
    Required,
    /// … in whose place somebody was looked up for too long.
    GivenUp,
}

/// Why a leg is hung up.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reason {
    /// Its own time, its stage's or the call's.
    TimeOver,
    /// An operator has dropped it, or cancelled the call that it had won in early media.
    Operator,
    /// Another leg, or the call's end.
    Cut,
}

impl Referee {
    pub fn new(parts: &[(Settings, usize)]) -> Referee {
        let parts = parts.iter().map(|(settings, stages)| PartSeen {
            settings: settings.clone(),
            stages: *stages,
            stage: None,
            attempt: 1,
            attempt_began: 0,
            attempt_first: 0,
            resolving: false,
            looked_up: BTreeSet::new(),
            began: 0,
            shift: Duration::ZERO,
            first: 0,
            deadline: None,
            over: settings.timeout.map(|limit| limit.as_millis() as u64),
            progress: None,
            wait: None,
            idle: None,
            ending: false,
            skipped: false,
            last: false,
        });
        Referee {
            parts: parts.collect(),
            legs: Vec::new(),
            verdict: None,
            ended: None,
            early: None,
            caller_rings: false,
            busy: (0, 0),
            new: 0,
            faults: Vec::new(),
        }
    }

    fn law(&mut self, law: Law, holds: bool, fault: impl FnOnce() -> String) {
        if !holds && self.faults.len() < 100 {
            self.faults.push((law, fault()));
        }
    }

    /// Note what the event says, before the machine has read it.
    pub fn before(&mut self, now: u64, event: &Event, ring: &Ring) {
        self.new = self.legs.len();
        match event {
            Event::Resolved {
                part,
                stage,
                legs,
                more,
            } => self.found(now, (*part, *stage), legs, *more),
            Event::Turns { part, more } => self.turns(*part, *more),
            Event::Started(leg) => {
                if let Some(leg) = self.legs.get_mut(leg.0).filter(|leg| !leg.ended)
                    && leg.commanded.is_some()
                    && !std::mem::replace(&mut leg.started, true)
                    && !leg.has_rung()
                {
                    leg.dialled = Some(now);
                    let part = leg.part;
                    self.stretch(part);
                }
            }
            Event::Ringing(leg) | Event::EarlyMedia(leg) => {
                if let Some(leg) = self.legs.get_mut(leg.0).filter(|leg| !leg.ended) {
                    leg.rang = true;
                }
            }
            Event::Answered(leg) => {
                if let Some(leg) = self.legs.get_mut(leg.0).filter(|leg| !leg.ended) {
                    leg.picked_up.get_or_insert(now);
                    leg.answered |= leg.plan.confirm.is_none() || leg.confirmed;
                }
            }
            Event::Confirmed(leg) => {
                let counts = |leg: &&mut LegSeen| !leg.ended && leg.hung_up.is_none();
                if let Some(leg) = self.legs.get_mut(leg.0).filter(counts) {
                    leg.confirmed |= leg.asked;
                    leg.answered |= leg.asked && leg.picked_up.is_some();
                }
            }
            Event::Ended { leg, cause } | Event::Redirected { leg, cause, .. } => {
                if let Some(leg) = self.legs.get_mut(leg.0).filter(|leg| !leg.ended) {
                    leg.told = Some(*cause);
                }
            }
            Event::Followed { leg, legs } => self.followed(now, *leg, legs),
            Event::Unanswered(leg) if ring.may_resume(*leg) => {
                (self.ended, self.verdict, self.early) = (None, None, None);
                self.ended = self.legs[*leg].cancelled.map(Ended::Cancelled);
            }
            Event::CallerGone => {
                if let Some(leg) = self.early {
                    let gone = Cause::ORIGINATOR_CANCEL;
                    self.legs[leg].cancelled.get_or_insert(gone);
                }
                self.ended.get_or_insert(Ended::CallerGone);
            }
            Event::Cancel(cause) => match self.in_early_media(ring).or(self.early) {
                Some(leg) => drop(self.legs[leg].cancelled.get_or_insert(*cause)),
                None => drop(self.ended.get_or_insert(Ended::Cancelled(*cause))),
            },
            Event::Skip | Event::Extend(_) => {
                let extends = matches!(event, Event::Extend(_));
                let goes_on = |leg: &LegId| extends || self.legs[*leg].cancelled.is_none();
                let winner = self.in_early_media(ring).filter(goes_on);
                let winner = winner.map(|leg| self.legs[leg].part);
                for part in (0..self.parts.len()).map(PartId) {
                    if self.rings(part) || winner == Some(part) {
                        let it = &mut self.parts[part];
                        match event {
                            Event::Extend(time) => {
                                let time = time.as_millis() as u64;
                                it.deadline = it.deadline.map(|at| at + time);
                                it.wait = it.wait.map(|at| at + time);
                            }
                            _ => (it.deadline, it.skipped) = (Some(now), true),
                        }
                    }
                }
            }
            Event::Drop(leg) => {
                let goes_on = match self.ended {
                    None => true,
                    Some(Ended::Won(winner)) => self.early.is_some() || winner == *leg,
                    Some(_) => false,
                };
                if let Some(leg) = self.legs.get_mut(leg.0) {
                    let told = leg.ended || leg.timed_out || leg.hung_up.is_some();
                    leg.dropped |= goes_on && !told && !leg.answered;
                }
            }
            Event::Added { part, stage, legs } => {
                let it = &self.parts[*part];
                let ringing = it.stage.is_some_and(|now| match it.settings.mode {
                    Mode::Progressive => *stage <= now,
                    Mode::Sequence => *stage == now,
                });
                let late = !ringing || !self.rings(*part) || past(it.over, now);
                let awaited = it.stage == Some(*stage);
                if !late && awaited && legs.iter().any(|leg| leg.dead.is_none()) {
                    let it = &mut self.parts[*part];
                    it.wait = None;
                    it.rings_from(now);
                }
                self.new_legs(now, (*part, *stage), legs, Duration::ZERO);
                let first = self.legs.len() - legs.len();
                for leg in self.legs[first..].iter_mut().filter(|_| late) {
                    leg.cut = true;
                    leg.plan.dead = None;
                }
                if !late && !legs.is_empty() && !hopeless(legs) {
                    self.stretch(*part);
                }
            }
            _ => {}
        }
    }

    /// The stage that rings may be the last one no more.
    fn turns(&mut self, part: PartId, more: usize) {
        let it = &mut self.parts[part];
        let before = it.limit();
        it.stages += more;
        let now = it.limit();
        it.deadline = match (it.deadline, before, now) {
            (Some(at), Some(before), Some(now)) => Some(at + now - before),
            (_, _, now) => now.map(|limit| it.began + limit),
        };
        self.stretch(part);
    }

    fn found(&mut self, now: u64, of: (PartId, StageId), legs: &[NewLeg], more: bool) {
        let (part, stage) = of;
        let first = self.legs.len();
        let beside = self.open(part).next().is_some();
        let known = self.newest(part).any(|leg| leg.plan.dead.is_none());
        let it = &mut self.parts[part];
        let asked = it.looked_up.contains(&stage) && !it.ending && self.ended.is_none();
        if !more {
            it.looked_up.remove(&stage);
        }
        if !asked {
            // Nobody waits for them any more.
            self.new_legs(now, of, legs, Duration::ZERO);
            return self.never_dialled(first);
        }
        let alive = || legs.iter().filter(|leg| leg.dead.is_none());
        let late = past(it.over, now);
        let newest = it.stage == Some(stage);
        // A delay counts from the stage's beginning.
        let (began, shift) = match newest && !it.resolving {
            true => (it.began, it.shift),
            false => (now, Duration::ZERO),
        };
        if newest && !late && (alive().next().is_some() || !more) {
            it.rings_from(now);
        }
        let delays = alive().filter(|leg| leg.held.is_zero());
        let earliest = ms(began) + delays.map(|leg| leg.delay).min().unwrap_or_default();
        let shift = match beside {
            true => shift,
            false => earliest.saturating_sub(ms(now)),
        };
        if newest {
            it.shift = shift;
        }
        it.idle = None;
        if late {
            self.time_over_for(part, None);
        }
        self.new_legs(began, of, legs, shift);
        for leg in &mut self.legs[first..] {
            leg.starts = leg.starts.max(now);
        }
        for leg in self.legs[first..].iter_mut().filter(|_| late) {
            leg.plan.dead = None;
            leg.timed_out = true;
        }
        if newest && !more {
            let unregistered = |leg: &LegSeen| leg.plan.dead == Some(Cause::USER_NOT_REGISTERED);
            let absent = |leg: &LegSeen| unregistered(leg) && leg.plan.may_register;
            let absent = self.newest(part).any(absent);
            let alone = !known && alive().next().is_none();
            let it = &mut self.parts[part];
            let wait = it.settings.wait_register.map(|wait| now + millis(wait));
            it.wait = wait.filter(|_| absent && alone);
        }
        if !late && !hopeless(legs) {
            self.stretch(part);
        }
    }

    /// A stage time that nobody wrote leaves each leg its own.
    fn stretch(&mut self, part: PartId) {
        let it = &self.parts[part];
        if it.settings.stage_timeout.is_some() || it.goes_on() || it.resolving {
            return;
        }
        let own = |leg: &LegSeen| {
            let began = leg.since.or(leg.dialled).unwrap_or(leg.starts);
            Some(began + millis(leg.plan.timeout?))
        };
        let rings = |leg: &&LegSeen| leg.hung_up.is_none() && leg.plan.dead.is_none();
        let longest = self.open(part).filter(rings).filter_map(own).max();
        let it = &mut self.parts[part];
        it.deadline = it.deadline.map(|at| at.max(longest.unwrap_or(0)));
    }

    /// Nobody has told it to end, or it has answered since.
    pub fn rings_on(&self, leg: LegId) -> bool {
        self.legs[leg].hung_up.is_none()
    }

    fn never_dialled(&mut self, first: usize) {
        for leg in &mut self.legs[first..] {
            leg.plan.dead = None;
            leg.cut = true;
        }
    }

    fn new_legs(&mut self, now: u64, of: (PartId, StageId), legs: &[NewLeg], shift: Duration) {
        self.legs.extend(legs.iter().map(|plan| LegSeen {
            part: of.0,
            stage: of.1,
            plan: plan.clone(),
            starts: now
                + match plan.held {
                    Duration::ZERO => millis(plan.delay.saturating_sub(shift)),
                    held => millis(held + plan.delay),
                },
            commanded: None,
            dialled: None,
            started: false,
            rang: false,
            picked_up: None,
            answered: false,
            asked: false,
            confirmed: false,
            counted: false,
            hung_up: None,
            dropped: false,
            cancelled: None,
            timed_out: false,
            cut: false,
            told: None,
            ended: false,
            replaces: None,
            since: None,
            moved: false,
            looking: false,
            replaced: false,
            given_up: None,
            hung_up_before: None,
            numbers: plan.number.iter().cloned().collect(),
        }));
    }

    fn followed(&mut self, now: u64, id: LegId, legs: &[NewLeg]) {
        let Some(leg) = self.legs.get(id.0) else {
            return;
        };
        let (at, since) = ((leg.part, leg.stage), leg.since.or(leg.dialled));
        let (asked, first) = (leg.looking, self.legs.len());
        let of = &leg.plan;
        let plans = legs.iter().map(|plan| NewLeg {
            held: Duration::ZERO,
            delay: Duration::ZERO,
            timeout: of.timeout,
            progress_timeout: of.progress_timeout,
            required: of.required,
            ..plan.clone()
        });
        let plans: Vec<_> = plans.collect();
        self.new_legs(now, at, &plans, Duration::ZERO);
        for leg in &mut self.legs[first..] {
            (leg.replaces, leg.since) = (Some(id), since);
        }
        let part = &self.parts[at.0];
        let stage = self.rings(at.0) && !part.goes_on() && self.stage_time_over(now, at.0);
        let late = past(self.legs[id].deadline(), now) || past(part.over, now) || stage;
        if !asked || late {
            return self.never_dialled(first);
        }
        self.legs[id].looking = false;
        self.legs[id].replaced |= !legs.is_empty();
        if !legs.is_empty() {
            self.stretch(at.0);
        }
    }

    /// The legs in whose place this one rings.
    fn line(&self, leg: LegId) -> Vec<LegId> {
        let up = |leg: &LegId| self.legs[*leg].replaces;
        std::iter::successors(up(&leg), up).collect()
    }

    fn root(&self, leg: LegId) -> LegId {
        self.line(leg).last().copied().unwrap_or(leg)
    }

    /// Something rings, or is looked up, in the place of the same leg as this one, or in its own.
    fn goes_on_elsewhere(&self, leg: LegId) -> bool {
        let root = self.root(leg);
        let mut legs = self.legs.iter().enumerate();
        legs.any(|(id, it)| {
            let open = it.looking || !it.ended && it.hung_up_before.is_none();
            open && self.root(LegId(id)) == root
        })
    }

    /// A phone that has moved is followed.
    fn follows(&mut self, now: u64, leg: LegId, places: &[Place]) {
        let say = |what: &str| format!("{now}: follow {} {places:?}: {what}", leg.0);
        let known = leg.0 < self.legs.len();
        self.law(Law::KnownIds, known, || say("no such leg"));
        if !known {
            return;
        }
        let part = &self.parts[self.legs[leg].part];
        let over = past(part.over, now) || part.ending && !part.goes_on();
        let decided = self.ended.is_some() && self.early.is_none();
        self.law(Law::NothingAfterTheEnd, !over && !decided, || {
            say("too late")
        });
        let it = &self.legs[leg];
        let moved = it.told == Some(Cause::REQUESTED_CHAN_UNAVAIL) && it.hung_up.is_none();
        let free = moved && !it.looking;
        self.law(Law::Redirects, free, || say("it has not moved"));
        let it = &self.legs[leg];
        let settings = &self.parts[it.part].settings;
        let how = it.plan.redirect.unwrap_or(settings.redirect);
        let hops = settings.hops as usize + self.line(leg).len();
        let own = it.plan.number.clone();
        self.law(Law::Redirects, how == Redirect::Follow, || {
            say("not asked for")
        });
        self.law(Law::Redirects, hops < 5, || say("too many hops"));
        let root = self.root(leg);
        let same_q = places.iter().all(|place| place.q == places[0].q);
        self.law(Law::Redirects, same_q, || say("not preferred alike"));
        for place in places {
            let known = &mut self.legs[root].numbers;
            let first = own.clone().filter(|own| !known.contains(own));
            known.extend(first);
            let new = !known.contains(&place.number);
            known.push(place.number.clone());
            let few = known.len() <= 17 + 5;
            self.law(Law::Redirects, new, || say("a number twice"));
            self.law(Law::Redirects, few, || say("too many places"));
        }
        (self.legs[leg].moved, self.legs[leg].looking) = (true, true);
    }

    /// Its stage rings: what an operator's command means.
    fn rings(&self, part: PartId) -> bool {
        let it = &self.parts[part];
        let open = self.open(part).next().is_some() || it.wait.is_some() || self.waits_for(part);
        let early = self.early.is_some_and(|leg| {
            let it = &self.legs[leg];
            it.part == part && !it.ended && it.cancelled.is_none()
        });
        let undecided = self.ended.is_none() || early;
        (open || early) && !it.ending && undecided
    }

    /// Whoever is looked up keeps the part from going on.
    fn waits_for(&self, part: PartId) -> bool {
        let it = &self.parts[part];
        let mut looked_up = it.looked_up.iter();
        let goes_on = it.goes_on();
        !it.ending && looked_up.any(|&stage| !goes_on || Some(stage) == it.stage)
    }

    /// The winner, if it may still be steered: nobody has answered.
    fn in_early_media(&self, ring: &Ring) -> Option<LegId> {
        let winner = ring.winner()?;
        let early = ring.leg(winner).state == LegState::EarlyMedia;
        let leaves = self.early != Some(winner) && self.legs[winner].hung_up.is_some();
        Some(winner).filter(|_| early && !leaves)
    }

    /// The part's legs that ring or are still to start.
    fn open(&self, part: PartId) -> impl Iterator<Item = &LegSeen> {
        let legs = self.legs.iter();
        let never = |leg: &LegSeen| leg.cut && leg.commanded.is_none();
        let open = move |leg: &LegSeen| leg.looking || !leg.ended && !never(leg);
        legs.filter(move |leg| leg.part == part && open(leg))
    }

    pub fn after(&mut self, now: u64, event: &Event, commands: &[Command], ring: &Ring) {
        let known = ring.legs().len() == self.legs.len();
        self.law(Law::KnownIds, known, || format!("{now}: legs are missing"));
        if !known {
            return;
        }
        let ended: Vec<bool> = self.legs.iter().map(|leg| leg.ended).collect();
        for leg in &mut self.legs {
            leg.hung_up_before = leg.hung_up;
        }
        for command in commands {
            if let Command::Follow { leg, places } = command {
                self.follows(now, *leg, places);
            }
        }
        self.time_passes(now, event, commands);
        self.ends(now, ring);
        self.required_stops_looking(event, &ended);
        self.answer_counts(now, event, commands);
        for command in commands {
            self.command(now, command, ring);
        }
        self.ends(now, ring);
        self.required_takes_all(now, event, &ended);
        let cancelled = |leg: LegId| self.legs[leg].cancelled.is_some();
        if self.ended.is_some() && self.early.is_none_or(cancelled) {
            self.legs.iter_mut().for_each(|leg| leg.looking = false);
        }
        self.due(now, ring);
        let mut ringing = ring.ringing(ms(now));
        ringing.retain(|_| self.ended.is_none());
        for part in (0..self.parts.len()).map(PartId) {
            let idle = self.open(part).next().is_none();
            let given_up = matches!(self.ended, Some(end) if !matches!(end, Ended::Won(_)));
            let it = &mut self.parts[part];
            if it.resolving && given_up {
                (it.resolving, it.ending) = (false, true);
            }
            let rings = ringing.iter().any(|it| it.part == part);
            it.wait = it.wait.filter(|&at| rings && at > now);
            if idle && !it.resolving && it.wait.is_none() {
                it.idle.get_or_insert(now);
            }
        }
        self.goes_on(now);
    }

    /// A stage's or the call's time is over: what that changes for all that follows.
    fn time_passes(&mut self, now: u64, event: &Event, commands: &[Command]) {
        let joins = commands.iter().any(|it| matches!(it, Command::Join(_)));
        let early = self.early.filter(|&leg| self.legs[leg].cancelled.is_none());
        if joins || self.ended.is_some() && early.is_none() {
            return;
        }
        // What has ended in this very event has not run out of time.
        let ends = match event {
            Event::Ended { leg, .. } | Event::Redirected { leg, .. } => Some(*leg),
            _ => None,
        };
        let ends = ends.filter(|&leg| self.legs.get(leg.0).is_some_and(|leg| !leg.ended));
        if let Some(leg) = ends {
            self.legs[leg].ended = true;
        }
        // What a required leg that fails takes with it has not, either.
        let dead = self.legs[self.new..].iter();
        let dead = dead.filter(|leg| leg.plan.dead.is_some());
        let mut failed = ends.map(|leg| &self.legs[leg]).into_iter().chain(dead);
        let failed = failed.find(|leg| leg.plan.required && !leg.cut && self.ended.is_none());
        let failed = failed.map(|leg| (leg.part, leg.stage));
        // Joined in early media, nothing has a time any more once that leg is told to end.
        let leaves = early.is_some_and(|leg| {
            let it = &self.legs[leg];
            it.ended || (it.hung_up.is_some() || it.dropped) && !matches!(event, Event::Skip)
        });
        if ends.is_some() && self.ended.is_none() {
            for id in 0..self.legs.len() {
                let leg = &self.legs[id];
                let rings = !leg.ended && leg.hung_up.is_none();
                let alone = rings && !self.waits_for(leg.part) && self.left_alone(leg);
                self.legs[id].cut |= alone;
            }
        }
        if !leaves {
            self.times_pass(now, early, failed);
        }
        if let Some(leg) = ends {
            self.legs[leg].ended = false;
        }
    }

    fn times_pass(&mut self, now: u64, early: Option<LegId>, failed: Option<(PartId, StageId)>) {
        let late = |leg: &&mut LegSeen| leg.looking && past(leg.deadline(), now);
        for leg in self.legs.iter_mut().filter(late) {
            (leg.looking, leg.timed_out, leg.given_up) = (false, true, Some(now));
        }
        for part in (0..self.parts.len()).map(PartId) {
            let late = past(self.parts[part].over, now);
            self.parts[part].ending |= late && self.parts[part].stage.is_none();
            if !self.rings(part) || !self.stage_time_over(now, part) {
                continue;
            }
            let failed = failed.filter(|failed| failed.0 == part);
            let it = &mut self.parts[part];
            if failed.is_some() && it.settings.mode == Mode::Sequence {
                continue;
            }
            let stops = it.settings.continue_on_timeout == Some(false) && !it.skipped;
            it.last |= late || past(it.deadline, now) && stops;
            if early.is_some() || !it.goes_on() {
                (it.resolving, it.ending) = (false, true);
                self.time_over_for(part, failed);
            }
        }
    }

    fn time_over_for(&mut self, part: PartId, failed: Option<(PartId, StageId)>) {
        let told = |leg: &LegSeen| leg.cut || leg.dropped || leg.hung_up.is_some();
        let open = |leg: &&mut LegSeen| {
            let spared = failed == Some((leg.part, leg.stage));
            leg.part == part && !leg.ended && !told(leg) && !spared
        };
        for leg in self.legs.iter_mut().filter(open) {
            leg.timed_out = true;
        }
        for leg in self.legs.iter_mut().filter(|leg| leg.part == part) {
            leg.looking = false;
        }
    }

    /// An answer for good is joined, or hung up, in the event that tells it.
    fn answer_counts(&mut self, now: u64, event: &Event, commands: &[Command]) {
        let (Event::Answered(id) | Event::Confirmed(id)) = event else {
            return;
        };
        let Some(leg) = self.legs.get_mut(id.0).filter(|leg| leg.answered) else {
            return;
        };
        if leg.ended || std::mem::replace(&mut leg.counted, true) {
            return;
        }
        let open = leg.hung_up.is_none();
        // Who confirms in the moment in which the time is over has come too late.
        let spared = leg.timed_out && !leg.dropped && leg.plan.confirm.is_none();
        let early = self.early.map(|leg| &self.legs[leg]);
        let cancelled = early.is_some_and(|leg| leg.cancelled.is_some());
        let decided = self.ended.is_some() && early.is_none() || cancelled;
        if self.ended == Some(Ended::Won(*id)) {
            self.early = None;
            let losers = |leg: &LegSeen| leg.commanded.is_some() && !leg.ended;
            let open = |(it, leg): (usize, &LegSeen)| {
                let told = Command::HangUp {
                    leg: LegId(it),
                    cause: Cause::LOSE_RACE,
                };
                losers(leg) && it != id.0 && leg.hung_up.is_none() && !commands.contains(&told)
            };
            let open = self.legs.iter().enumerate().any(open);
            return self.law(Law::AnswersCount, !open, || {
                format!("{now} {event:?}: others ring on")
            });
        }
        let joined = commands.contains(&Command::Join(*id));
        let hung_up = |it: &Command| matches!(it, Command::HangUp { leg, .. } if leg == id);
        let hung_up = commands.iter().any(hung_up);
        let right = match decided {
            true => !joined && hung_up == open,
            false => joined == (open || spared) && !hung_up,
        };
        self.law(Law::AnswersCount, right, || {
            format!("{now} {event:?}: {commands:?}")
        });
    }

    /// Nothing waits for what will never come.
    fn goes_on(&mut self, now: u64) {
        if self.ended.is_some() || self.verdict.is_some() {
            return;
        }
        let mut over = true;
        for part in (0..self.parts.len()).map(PartId) {
            let it = &self.parts[part];
            let Some(stage) = it.stage else { return };
            let waits = self.open(part).next().is_some() || it.wait.is_some();
            let waits = waits || self.waits_for(part);
            let late = past(it.over, now);
            let next = stage.0 + 1 < it.stages && !it.last && !late;
            let in_time = |limit| it.idle.unwrap_or(now) <= millis(limit);
            let in_time = it.settings.retry_timeout.is_none_or(in_time);
            let again = it.attempt < it.settings.attempts && in_time && !late && !it.last;
            over &= !waits && !next && !again;
            self.law(Law::StagesGoOn, waits || !next, || {
                format!("{now}: nothing is left of {part}.{stage}, and nobody goes on")
            });
        }
        self.law(Law::StagesGoOn, !over, || format!("{now}: no verdict"));
    }

    /// The required legs that have failed in this event.
    fn required(&self, event: &Event, ended: &[bool]) -> Vec<LegId> {
        if self.ended.is_some() || matches!(event, Event::Unanswered(_)) {
            return Vec::new();
        }
        let legs = self.legs.iter().zip(ended).enumerate();
        let failed = legs.filter(|(id, (leg, ended))| {
            let rang = leg.commanded.is_some() || leg.plan.dead.is_some();
            let fresh = leg.ended && !**ended && rang && !leg.cut;
            fresh && leg.plan.required && !self.goes_on_elsewhere(LegId(*id))
        });
        failed.map(|(id, _)| LegId(id)).collect()
    }

    /// Nobody is looked up any more in the stage of a required leg that has failed.
    fn required_stops_looking(&mut self, event: &Event, ended: &[bool]) {
        for failed in self.required(event, ended) {
            let at = (self.legs[failed].part, self.legs[failed].stage);
            let own = |leg: &&mut LegSeen| (leg.part, leg.stage) == at;
            let own = self.legs.iter_mut().filter(own);
            own.for_each(|leg| leg.looking = false);
        }
    }

    /// What a required leg that has failed in this event takes with it.
    fn required_takes_all(&mut self, now: u64, event: &Event, ended: &[bool]) {
        for id in self.required(event, ended) {
            let (part, stage) = (self.legs[id].part, self.legs[id].stage);
            let it = &mut self.parts[part];
            if id.0 >= it.attempt_first {
                it.looked_up.remove(&stage);
            }
            if it.stage == Some(stage) && id.0 >= it.attempt_first {
                it.wait = None;
                it.rings_from(now);
                it.ending |= it.settings.mode == Mode::Sequence;
            }
            let rings = self
                .open(part)
                .any(|leg| leg.stage == stage && leg.hung_up.is_none());
            self.law(Law::RequiredLegs, !rings, || {
                format!(
                    "{now} {event:?}: required leg {} has failed, its stage rings on",
                    id.0
                )
            });
        }
    }

    /// Legs whose end the machine has noted: once, with the first cause, and never undone.
    fn ends(&mut self, now: u64, ring: &Ring) {
        for (id, leg) in ring.legs().iter().enumerate() {
            let seen = &mut self.legs[id];
            let was = std::mem::replace(&mut seen.ended, leg.state == LegState::Ended);
            let (told, hung_up) = (seen.told, seen.hung_up);
            let fresh = seen.ended && !was;
            let undone = was && !seen.ended;
            let same = told.is_none_or(|told| told == leg.cause) || !fresh;
            self.law(Law::OneEndEach, !undone && same, || {
                format!("{now}: {id} {leg:?}")
            });
            if !fresh || self.ended.is_some() {
                continue;
            }
            let undialled = self.legs[id].commanded.is_none() && self.legs[id].plan.dead.is_none();
            let timed = self.why(now, leg.part, leg.stage, ring) == Some(Why::TimeOver);
            let seen = &mut self.legs[id];
            seen.timed_out |= undialled && timed && !seen.cut && !seen.dropped;
            seen.cut |= undialled && !seen.timed_out;
            let legs = ring.legs().iter().enumerate().skip(id + 1);
            let mut later = legs.filter(|(_, it)| it.state == LegState::Ended);
            let root = self.root(LegId(id));
            let last = !later.any(|(it, _)| !self.legs[it].ended && self.root(LegId(it)) == root);
            let failed = last && !self.goes_on_elsewhere(LegId(id));
            let seen = &self.legs[id];
            let own = hung_up.is_none() && !undialled && !seen.cut && failed;
            let settings = &self.parts[leg.part].settings;
            if own && settings.single_reject.matches(leg.cause) {
                self.ended = Some(Ended::Rejected(leg.cause, LegId(id)));
            }
        }
    }

    /// Why a stage may be cancelled now, if nothing has ended the call.
    fn why(&self, now: u64, part: PartId, stage: StageId, ring: &Ring) -> Option<Why> {
        let it = &self.parts[part];
        let legs = || {
            let both = ring.legs().iter().zip(&self.legs).enumerate();
            let both = both.skip(it.attempt_first);
            both.filter(|(_, (leg, _))| (leg.part, leg.stage) == (part, stage))
        };
        let required = |seen: &LegSeen| {
            let rang = seen.commanded.is_some() || seen.plan.dead.is_some();
            seen.plan.required && rang && !seen.cut
        };
        let failed = |(id, (leg, seen)): (usize, (&Leg, &LegSeen))| {
            let just = required(seen) && leg.ended == Some(ms(now));
            just && !self.goes_on_elsewhere(LegId(id))
        };
        if legs().any(failed) {
            return Some(Why::Required);
        }
        // Its time was over in the look-up: after that of those who rang.
        if legs().any(|(_, (_, seen))| required(seen) && seen.given_up == Some(now)) {
            return Some(Why::GivenUp);
        }
        self.stage_time_over(now, part).then_some(Why::TimeOver)
    }

    fn stage_time_over(&self, now: u64, part: PartId) -> bool {
        let it = &self.parts[part];
        let silent = !self.newest(part).any(LegSeen::has_rung);
        let silent = silent && !it.resolving;
        past(it.deadline, now) || past(it.over, now) || (past(it.progress, now) && silent)
    }

    /// The legs of the part's newest stage.
    fn newest(&self, part: PartId) -> impl Iterator<Item = &LegSeen> {
        let it = &self.parts[part];
        let legs = self.legs[it.first..].iter();
        legs.filter(move |leg| (leg.part, Some(leg.stage)) == (part, it.stage))
    }

    fn command(&mut self, now: u64, command: &Command, ring: &Ring) {
        let say = |what: &str| format!("{now} {command:?}: {what}");
        if let Command::Dial(leg)
        | Command::Confirm(leg)
        | Command::Alert(leg)
        | Command::Join(leg)
        | Command::HangUp { leg, .. } = command
        {
            let known = leg.0 < self.legs.len();
            self.law(Law::KnownIds, known, || say("no such leg"));
            if !known {
                return;
            }
            let alive = !self.legs[*leg].ended;
            self.law(Law::EndedAreLeftAlone, alive, || say("it has ended"));
            let dialled = self.legs[*leg].commanded.is_some();
            let dialled = dialled || matches!(command, Command::Dial(_));
            self.law(Law::KnownIds, dialled, || say("it was never dialled"));
        }
        match command {
            Command::Resolve { part, stage } => self.resolve(now, *part, *stage, ring),
            Command::Follow { .. } => {}
            Command::Dial(leg) => {
                let over = self.ended.is_some() || self.verdict.is_some();
                let over = over && self.early.is_none();
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let (part, stage) = (self.legs[*leg].part, self.legs[*leg].stage);
                let late = past(self.parts[part].over, now);
                self.law(Law::NothingAfterTheEnd, !late, || {
                    say("the call's time is over")
                });
                let it = &self.parts[part];
                let right = it.stage.is_some_and(|now| match it.settings.mode {
                    Mode::Progressive => stage <= now,
                    Mode::Sequence => stage == now,
                });
                self.law(Law::StagesInOrder, right, || say("another stage rings"));
                let seen = &self.legs[*leg];
                let fresh = seen.commanded.is_none()
                    && seen.plan.dead.is_none()
                    && leg.0 >= self.parts[part].attempt_first;
                self.law(Law::KnownIds, fresh, || say("not this one"));
                if fresh {
                    self.dial(now, *leg);
                }
            }
            Command::HangUp { leg, cause } => self.hang_up(now, *leg, *cause, ring),
            Command::Confirm(leg) => {
                let it = &self.legs[*leg];
                let asks = it.plan.confirm.is_some() && !it.asked && it.hung_up.is_none();
                let reached = it.picked_up.is_some() || it.plan.confirm_early && it.rang;
                self.law(Law::NeverEarly, asks && reached, || {
                    say("nothing to confirm")
                });
                self.legs[*leg].asked = true;
            }
            Command::Alert(_) => {
                let again = self.caller_rings || self.verdict.is_some();
                self.law(Law::NothingAfterTheEnd, !again, || say("once is enough"));
                self.caller_rings = true;
            }
            Command::Join(leg) => {
                let early = self.early.take();
                let seen = &self.legs[*leg];
                let chosen = self.parts[seen.part].settings.early_media.is_none();
                let early_media = chosen && !seen.answered;
                let alone = !self.parts[seen.part].looked_up.contains(&seen.stage);
                let rings = seen.hung_up.is_none() || seen.timed_out && seen.answered;
                let confirmed = seen.plan.confirm.is_none() || seen.confirmed;
                let replaces = early.is_some_and(|early| {
                    early != *leg && seen.answered && self.legs[early].cancelled.is_none()
                });
                let first = self.verdict.is_none() || replaces;
                self.law(Law::OneVerdict, first, || say("there is a verdict"));
                // An answer stands beside the rejection that would have ended the call.
                let over = self.ended.is_some() && !replaces;
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                self.law(Law::AnswersCount, rings, || say("it was hung up"));
                self.law(Law::AnswersCount, !early_media || alone, || {
                    say("it may not be alone")
                });
                self.law(Law::AnswersCount, confirmed, || {
                    say("nobody has confirmed it")
                });
                self.verdict = Some(command.clone());
                self.ended = Some(Ended::Won(*leg));
                self.early = Some(*leg).filter(|_| early_media);
                let it = &mut self.legs[*leg];
                (it.hung_up, it.timed_out, it.cut) = (None, false, false);
            }
            Command::Finish {
                outcome,
                cause,
                hang_up_caller,
            } => {
                let first = self.verdict.is_none();
                self.law(Law::OneVerdict, first, || say("there is a verdict"));
                self.verdict.get_or_insert_with(|| command.clone());
                let open = self
                    .legs
                    .iter()
                    .any(|it| it.commanded.is_some() && !it.ended);
                self.law(Law::NothingLeft, !open, || say("somebody rings"));
                let waits = (0..self.parts.len())
                    .map(PartId)
                    .any(|part| self.waits(now, part, ring));
                self.law(Law::NeverEarly, !waits, || say("a device may register"));
                let mut parts = (0..self.parts.len()).map(PartId);
                let looked_up = parts.any(|part| self.goes_on_waiting(now, part, ring));
                let looked_up = looked_up && self.ended.is_none();
                self.law(Law::NeverEarly, !looked_up, || say("somebody is looked up"));
                let (expected, hang_up) = self.result(now, ring);
                let told = (*outcome, *cause) == expected && *hang_up_caller == hang_up;
                self.law(Law::TrueResult, told, || {
                    format!("{} not {expected:?}", say(""))
                });
            }
        }
    }

    /// … and nothing in this event has ended those stages.
    fn goes_on_waiting(&self, now: u64, part: PartId, ring: &Ring) -> bool {
        let mut stages = self.parts[part].looked_up.iter();
        let rings = stages.any(|&it| self.why(now, part, it, ring).is_none());
        rings && self.waits_for(part)
    }

    fn resolve(&mut self, now: u64, part: PartId, stage: StageId, ring: &Ring) {
        let over = self.ended.is_some() || self.verdict.is_some();
        let say = |what: &str| format!("{now}: resolve {part}.{stage}: {what}");
        self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
        let open = self.open(part).next().is_some();
        let it = &self.parts[part];
        let beside = it.settings.mode == Mode::Progressive && stage > StageId(0);
        self.law(Law::StagesInOrder, !open || beside, || {
            say("the stage before still rings")
        });
        let it = &self.parts[part];
        let newest = self.open(part).any(|leg| Some(leg.stage) == it.stage);
        let over = it
            .stage
            .is_some_and(|rings| self.why(now, part, rings, ring).is_some());
        let waits = self.waits_for(part) || self.waits(now, part, ring);
        let early = (newest || waits) && !over;
        self.law(Law::NeverEarly, !early, || {
            say("the stage before has its time")
        });
        let it = &mut self.parts[part];
        if stage == StageId(0) && it.stage.is_some() {
            let (idle, began) = (it.idle.unwrap_or(now), it.attempt_began);
            let settings = &it.settings;
            let slept = now >= idle + millis(settings.retry_sleep);
            let slept = slept && now >= began + millis(settings.retry_period);
            let in_time = settings
                .retry_timeout
                .is_none_or(|limit| idle <= millis(limit));
            self.law(Law::NeverEarly, slept, || say("it would sleep longer"));
            self.law(Law::NothingAfterTheEnd, in_time, || say("too late to try"));
        }
        let it = &mut self.parts[part];
        if stage == StageId(0) {
            it.attempt_began = now;
        }
        let last = it.last;
        let next = match it.stage {
            None => stage == StageId(0),
            Some(last) if stage == StageId(0) => {
                it.attempt += 1;
                last.0 + 1 == it.stages && it.attempt <= it.settings.attempts
            }
            Some(last) => stage.0 == last.0 + 1 && stage.0 < it.stages,
        };
        let next = next && !last;
        let begun = it.stage.is_some() || now >= millis(it.settings.delay);
        it.stage = Some(stage);
        it.wait = None;
        it.deadline = it.limit().map(|limit| now + limit);
        let progress = it.settings.progress_timeout;
        it.progress = progress.map(|limit| now + millis(limit));
        it.began = now;
        (it.resolving, it.ending, it.skipped, it.idle) = (true, false, false, None);
        it.first = self.legs.len();
        if stage == StageId(0) {
            it.attempt_first = it.first;
        }
        if stage == StageId(0) || it.settings.mode == Mode::Sequence {
            it.looked_up.clear();
        }
        it.looked_up.insert(stage);
        self.law(Law::NeverEarly, begun, || say("the part begins later"));
        self.law(Law::StagesInOrder, next, || say("out of order"));
    }

    /// Nothing has ended the time in which a device may register.
    fn waits(&self, now: u64, part: PartId, ring: &Ring) -> bool {
        let it = &self.parts[part];
        let why = it.stage.and_then(|stage| self.why(now, part, stage, ring));
        it.wait.is_some_and(|at| at > now) && self.ended.is_none() && why.is_none()
    }

    fn dial(&mut self, now: u64, leg: LegId) {
        let part = self.legs[leg].part;
        let nobody_rings = !self
            .open(part)
            .any(|leg| leg.commanded.is_some_and(|at| at < now));
        let early = self.legs[leg].starts.saturating_sub(now);
        if early > 0 && nobody_rings {
            // All the later ones move with it.
            let known = self.legs[..self.new].iter_mut();
            for leg in known.filter(|leg| leg.part == part && leg.plan.held.is_zero()) {
                if leg.commanded.is_none() {
                    leg.starts = leg.starts.saturating_sub(early).max(now);
                }
            }
        }
        let starts = self.legs[leg].starts;
        self.law(Law::NeverEarly, starts <= now, || {
            format!("{now}: {leg:?} starts {starts}")
        });
        (self.legs[leg].commanded, self.legs[leg].dialled) = (Some(now), Some(now));
    }

    fn hang_up(&mut self, now: u64, leg: LegId, cause: Cause, ring: &Ring) {
        let say = |what: &str| format!("{now}: hang up {leg:?} {cause:?}: {what}");
        let it = &self.legs[leg];
        let rings = it.commanded.is_some() && !it.ended && it.hung_up.is_none();
        self.law(Law::HangUpsAreDue, rings, || say("it does not ring"));
        if !rings {
            return;
        }
        let spoken =
            cause.0 < 128 || cause == Cause::LOSE_RACE || cause == Cause::ORIGINATOR_CANCEL;
        let early = self.early.map(|leg| &self.legs[leg]);
        let operators = self.legs[leg].cancelled == Some(cause)
            || early.is_some_and(|early| early.cancelled == Some(cause))
            || self.ended == Some(Ended::Cancelled(cause));
        let spoken = (spoken && cause != Cause::NONE) || operators;
        self.law(Law::TrueCauses, spoken, || say("no cause for the wire"));
        let reason = self.reason(now, leg, cause, ring);
        self.law(Law::HangUpsAreDue, reason.is_ok(), || {
            say(reason.err().unwrap_or_default())
        });
        self.legs[leg].hung_up = Some(cause);
        match reason {
            Ok(Reason::TimeOver) => self.legs[leg].timed_out = true,
            Ok(Reason::Cut) => self.legs[leg].cut = !self.legs[leg].timed_out,
            _ => {}
        }
    }

    /// It rings at nobody, and nobody rings any more beside whom it could be taken.
    fn left_alone(&self, leg: &LegSeen) -> bool {
        let part = &self.parts[leg.part];
        let newest = |it: &&LegSeen| Some(it.stage) == part.stage;
        let waited_for = |it: &&LegSeen| !part.goes_on() || newest(it);
        let legs = || self.legs.iter().filter(|it| it.part == leg.part);
        let rang = legs().filter(newest).any(|it| !it.plan.idle);
        let mut waited = legs().filter(waited_for);
        let alone = |it: &LegSeen| (it.plan.idle || it.ended) && !it.looking;
        leg.plan.idle && waited_for(&leg) && waited.all(alone) && rang
    }

    /// Why this leg may be hung up now, with this cause.
    fn reason(
        &self,
        now: u64,
        id: LegId,
        cause: Cause,
        ring: &Ring,
    ) -> Result<Reason, &'static str> {
        let leg = &self.legs[id];
        let part = &self.parts[leg.part];
        let missed = part.settings.missed.cause();
        let is = |right: bool, reason| match right {
            true => Ok(reason),
            false => Err("not the truth"),
        };
        let early = self.early.map(|leg| &self.legs[leg]);
        let winner = self.ended == Some(Ended::Won(id));
        let undecided = self.ended.is_none() || early.is_some() || winner;
        if leg.dropped && undecided && cause == Cause::ORIGINATOR_CANCEL {
            return Ok(Reason::Operator);
        }
        if winner && leg.answered {
            return Err("it has won");
        }
        let cancelled = early.and_then(|early| early.cancelled).or(leg.cancelled);
        // The bridge ends the winner when the caller leaves; the winner's time may be over first.
        if let Some(by) = cancelled.filter(|&by| by == cause || !winner) {
            let reason = if winner {
                Reason::Operator
            } else {
                Reason::Cut
            };
            return is(cause == by, reason);
        }
        match self.ended {
            Some(Ended::Won(_)) if early.is_none() && !winner => {
                return is(cause == Cause::LOSE_RACE, Reason::Cut);
            }
            Some(Ended::CallerGone) => return is(cause == Cause::ORIGINATOR_CANCEL, Reason::Cut),
            Some(Ended::Cancelled(by)) => return is(cause == by, Reason::Cut),
            Some(Ended::Rejected(why, by)) => {
                let declined = why.is_rejection() || why.is_busy();
                let user = self.legs[by].plan.user.as_ref();
                let same = declined && user.is_some() && user == leg.plan.user.as_ref();
                let told = if same {
                    Cause::LOSE_RACE
                } else {
                    Cause::NO_ANSWER
                };
                return is(cause == told, Reason::Cut);
            }
            _ => {}
        }
        let waits = self.goes_on_waiting(now, leg.part, ring) || self.waits(now, leg.part, ring);
        let alone = early.is_none() && !waits && self.left_alone(leg);
        if alone && cause == Cause::NO_ANSWER {
            return Ok(Reason::Cut);
        }
        let why = self.why(now, leg.part, leg.stage, ring);
        if why == Some(Why::Required) && early.is_none() {
            return is(cause == missed, Reason::Cut);
        }
        let since = |limit: Option<Duration>| Some(leg.dialled? + limit?.as_millis() as u64);
        let own = past(leg.deadline(), now)
            || past(since(leg.plan.progress_timeout), now) && !leg.has_rung();
        let stage = winner && (past(part.deadline, now) || past(part.over, now));
        if own || stage || leg.timed_out {
            return is(cause == missed, Reason::TimeOver);
        }
        if why == Some(Why::GivenUp) && early.is_none() {
            return is(cause == missed, Reason::Cut);
        }
        Err("its time is not over")
    }

    /// What is still to be done at its time: deadlines and late starts.
    fn owed(&self, now: u64, ring: &Ring) -> Vec<(u64, &'static str)> {
        let mut owed = Vec::new();
        let mut owe = |at: Option<u64>, what| owed.extend(at.map(|at| (at, what)));
        for (id, leg) in self.legs.iter().enumerate() {
            let part = &self.parts[leg.part];
            let rings = self.ended.is_none() && leg.commanded.is_some();
            let won = self.ended == Some(Ended::Won(LegId(id)))
                && ring.legs()[id].state != LegState::Ended;
            let unanswered = won && !leg.answered;
            if leg.looking && self.ended.is_none() {
                let deadline = part.deadline.filter(|_| !part.resolving);
                owe(deadline, "a stage's deadline during a look-up");
                owe(part.over, "the call's deadline during a look-up");
                owe(leg.deadline(), "a leg's deadline during a look-up");
            }
            if leg.ended || leg.hung_up.is_some() {
                continue;
            }
            let rang = self.newest(leg.part).any(LegSeen::has_rung);
            let since = |limit: Option<Duration>| Some(leg.dialled? + limit?.as_millis() as u64);
            if rings || unanswered {
                owe(part.deadline, "a stage's deadline");
                owe(part.over, "the call's deadline");
            }
            if rings && !rang && !part.resolving {
                owe(part.progress, "a stage's progress deadline");
            }
            if (rings || unanswered) && !leg.answered {
                owe(leg.deadline(), "a leg's deadline");
            }
            if rings && !leg.has_rung() {
                owe(
                    since(leg.plan.progress_timeout),
                    "a leg's progress deadline",
                );
            }
            let waits = leg.commanded.is_none() && leg.plan.dead.is_none();
            if waits && self.ended.is_none() && !part.ending {
                owe(Some(leg.starts), "a late start");
            }
        }
        let waiting = |part: &&PartSeen| part.stage.is_none() && !part.ending;
        for part in self.parts.iter().filter(waiting) {
            let waits = self.ended.is_none() && !past(part.over, now);
            let begins = Some(millis(part.settings.delay)).filter(|_| waits);
            owe(
                begins.filter(|at| past_not(part.over, *at)),
                "a part's beginning",
            );
        }
        let parts = ring.ringing(Duration::ZERO).into_iter();
        for part in parts.filter(|_| self.ended.is_none()) {
            // Of the last stage it changes nothing while earlier ones ring.
            let it = &self.parts[part.part];
            let looked_up = self.waits_for(part.part);
            let alone = self.open(part.part).next().is_none() && !looked_up;
            let alone = it.goes_on() || alone;
            owe(it.wait.filter(|_| alone), "a registration's deadline");
            owe(it.over.filter(|_| looked_up), "the call's deadline");
            owe(it.deadline.filter(|_| looked_up), "a stage's deadline");
        }
        owed
    }

    /// Nothing that is due is left undone.
    fn due(&mut self, now: u64, ring: &Ring) {
        let left = self.owed(now, ring).into_iter().find(|(at, _)| *at <= now);
        self.law(Law::NeverLate, left.is_none(), || {
            format!("{now}: {left:?}")
        });
    }

    /// The deadline thread will come in time for whatever is still to be done.
    pub fn wakes(&mut self, now: u64, ring: &Ring, ticks: &BTreeMap<Duration, u32>) {
        let next = ring.next_deadline();
        let first = self.owed(now, ring).into_iter().min();
        let asked = first.is_none_or(|(at, _)| next.is_some_and(|next| next <= ms(at)));
        self.law(Law::WokenInTime, asked, || {
            format!("{now}: {first:?}, but the next deadline is {next:?}")
        });
        let Some(next) = next else { return };
        let armed = ticks.contains_key(&next);
        self.law(Law::WokenInTime, armed, || {
            format!("{now}: nobody wakes us at {next:?}")
        });
        let past = next < ms(now);
        self.law(Law::WokenInTime, !past, || {
            format!("{now}: {next:?} is past and not done")
        });
        if next <= ms(now) {
            let same = self.busy.0 == now;
            self.busy = (now, if same { self.busy.1 + 1 } else { 1 });
            // Several parts may sleep for no time at all.
            let spins = self.busy.1 > 50;
            self.law(Law::WokenInTime, !spins, || {
                format!("{now}: awake again and again")
            });
        }
    }

    /// The time was over before anybody was found.
    fn found_nobody(&self, now: u64, part: PartId, ring: &Ring) -> bool {
        let it = &self.parts[part];
        let required = |stage: StageId| self.why(now, part, stage, ring) == Some(Why::Required);
        let mut looked_up = it.looked_up.iter();
        looked_up.any(|&stage| !required(stage)) || past(it.over, now)
    }

    /// Promise 8, from our own notes of who rang and whose time was over.
    fn result(&self, now: u64, ring: &Ring) -> ((Outcome, Cause), bool) {
        match self.ended {
            Some(Ended::CallerGone) => {
                return ((Outcome::Cancelled, Cause::ORIGINATOR_CANCEL), false);
            }
            Some(Ended::Cancelled(cause)) => return ((Outcome::Cancelled, cause), false),
            Some(Ended::Rejected(cause, by)) => {
                let settings = &self.parts[self.legs[by].part].settings;
                let hang_up = settings.hang_up_on_single_reject;
                return ((Outcome::of(cause), cause), hang_up);
            }
            Some(Ended::Won(_)) | None => {}
        }
        let order = ring.in_order();
        let both = || order.iter().map(|&leg| (&self.legs[leg], ring.leg(leg)));
        let dropped = |(seen, leg): &(&LegSeen, &Leg)| {
            let by_operator = seen.dropped && (seen.hung_up.is_some() || seen.commanded.is_none());
            by_operator && !seen.timed_out && leg.cause == Cause::ORIGINATOR_CANCEL
        };
        let says = |it: &(&LegSeen, &Leg)| !it.0.cut && !it.0.replaced && !dropped(it);
        let legs = || both().filter(|it| it.1.state == LegState::Ended && says(it));
        let rang_out = |(seen, leg): (&LegSeen, &Leg)| {
            // Also one whose confirmation came too late.
            let unconfirmed = seen.picked_up.is_some() && seen.plan.confirm.is_some();
            unconfirmed || seen.rang && (seen.timed_out || leg.cause.is_no_answer())
        };
        let how = if legs().any(rang_out) {
            (Outcome::NoAnswer, Cause::NO_ANSWER)
        } else if legs().any(|(_, leg)| leg.cause.is_busy()) {
            (Outcome::Busy, Cause::USER_BUSY)
        } else if legs().any(|(_, leg)| leg.cause.is_rejection()) {
            (Outcome::Rejected, Cause::CALL_REJECTED)
        } else {
            match legs().find(|(_, leg)| leg.cause != Cause::NONE) {
                // `cti_missed=never` tells this to the phone, not to the caller.
                Some((seen, leg)) if seen.timed_out && leg.cause == Cause::LOSE_RACE => {
                    (Outcome::NoAnswer, Cause::NO_ANSWER)
                }
                Some((_, leg)) => (Outcome::of(leg.cause), leg.cause),
                None if both().any(|it| dropped(&it)) => {
                    (Outcome::Cancelled, Cause::ORIGINATOR_CANCEL)
                }
                None if (0..self.parts.len())
                    .any(|it| self.found_nobody(now, PartId(it), ring)) =>
                {
                    (Outcome::NoAnswer, Cause::NO_ANSWER)
                }
                None => (Outcome::Failed, Cause::DESTINATION_OUT_OF_ORDER),
            }
        };
        (how, false)
    }

    /// Nothing happens any more.
    pub fn over(&mut self, ring: &Ring, ringing: usize) {
        let verdict = self.verdict.clone();
        self.law(Law::OneVerdict, verdict.is_some(), || {
            "no verdict".to_owned()
        });
        self.law(Law::NothingLeft, ringing == 0, || {
            format!("{ringing} phones ring")
        });
        let next = ring.next_deadline();
        self.law(Law::NothingLeft, next.is_none(), || {
            format!("a tick is due at {next:?}")
        });
        let winner = match verdict {
            Some(Command::Join(leg)) => Some(leg),
            _ => None,
        };
        for (id, leg) in ring.legs().iter().enumerate() {
            let say = || format!("at the end, leg {id}: {leg:?}");
            let whole = leg.state == LegState::Ended && leg.ended.is_some();
            self.law(Law::OneEndEach, whole, say);
            if leg.role.is_none() || leg.dialled.is_none() {
                continue;
            }
            let is_winner = leg.role == Some(Role::Winner);
            // Joined in early media, it has won nothing unless it answers.
            let has_won = winner == Some(LegId(id)) && leg.answered.is_some();
            self.law(Law::TrueRoles, is_winner == has_won, say);
            let loser = leg.role == Some(Role::Loser);
            self.law(Law::TrueRoles, !loser || winner.is_some(), say);
            // Nobody but a winner ends a leg with this cause, or `cti_missed=never`.
            let never = self.parts[leg.part].settings.missed == Missed::Never;
            let lost = self.legs[id].hung_up == Some(Cause::LOSE_RACE) && !never;
            let lost = lost && winner.is_some();
            let joined = winner == Some(LegId(id));
            self.law(Law::TrueRoles, !lost || loser || joined, say);
            let told = self.legs[id].told == Some(Cause::ORIGINATOR_CANCEL);
            let gone = told && self.ended == Some(Ended::CallerGone);
            self.law(
                Law::TrueRoles,
                !gone || leg.role == Some(Role::Cancelled),
                say,
            );
        }
    }
}

impl LegSeen {
    fn has_rung(&self) -> bool {
        self.rang || self.picked_up.is_some()
    }

    fn deadline(&self) -> Option<u64> {
        match (self.plan.confirm, self.picked_up) {
            (Some(Confirm::Dropped), Some(_)) => None,
            (Some(Confirm::Anew(limit)), Some(at)) => Some(at + millis(limit)),
            _ => Some(self.since.or(self.dialled)? + millis(self.plan.timeout?)),
        }
    }
}

impl PartSeen {
    /// Progressively: when its time is over, the newest stage rings on beside the next.
    fn goes_on(&self) -> bool {
        let another = self.stage.is_some_and(|stage| stage.0 + 1 < self.stages);
        self.settings.mode == Mode::Progressive && another && !self.last
    }

    /// Somebody of the stage is known who rings, or all that can be known is.
    fn rings_from(&mut self, now: u64) {
        if std::mem::replace(&mut self.resolving, false) {
            let later = now - self.began;
            for at in [&mut self.deadline, &mut self.progress] {
                *at = at.map(|at| at + later);
            }
            (self.began, self.shift) = (now, Duration::ZERO);
        }
    }

    fn limit(&self) -> Option<u64> {
        let last = self.stage.unwrap_or_default().0 + 1 == self.stages;
        let default = match last {
            true => self.settings.last_stage_default,
            false => self.settings.stage_default,
        };
        let limit = self.settings.stage_timeout.unwrap_or(default);
        Some(millis(limit)).filter(|limit| *limit > 0)
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// A required one among them cannot ring.
fn hopeless(legs: &[NewLeg]) -> bool {
    legs.iter().any(|leg| leg.required && leg.dead.is_some())
}

/// The call is not over by then.
fn past_not(over: Option<u64>, at: u64) -> bool {
    over.is_none_or(|over| at < over)
}

fn past(deadline: Option<u64>, now: u64) -> bool {
    deadline.is_some_and(|at| at <= now)
}
