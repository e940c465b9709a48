//! The laws, and the referee who watches over them: it keeps its own account of a call, from
//! the events and the commands alone, and knows what the machine may and must do.

use super::ms;
use mod_cti::ring::{
    BranchId, Cause, Command, Event, LEGS_A_BRANCH, Leg, LegId, LegState, Missed, NewLeg, Outcome,
    Ring, Role, Settings,
};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What must hold in every call, whatever arrives in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Law {
    /// Exactly one Join or one Finish, never both.
    OneVerdict,
    /// After the end of the call nobody is looked up or dialled.
    NothingAfterTheEnd,
    /// A stage begins when all of the one before has ended, and in the plan's order.
    StagesInOrder,
    /// No deadline and no late start comes early.
    NeverEarly,
    /// After any event nothing that is due is left undone.
    NeverLate,
    /// A tick is pending for the next deadline, and no deadline is asked for again and again.
    WokenInTime,
    /// Every leg that was dialled has exactly one end, and the cause that it came with.
    OneEndEach,
    /// Each branch that won is joined or told that it is too late.
    EveryWinnerIsTold,
    /// An answer is refused only if somebody else won or the call was ended.
    AnswersCount,
    /// The result is the most telling one of all legs'.
    TrueResult,
    /// A Cancel names a branch that rings, once, and has a reason.
    CancelsAreDue,
    /// Every id in a command is one that exists; nobody is dialled twice.
    KnownIds,
    /// The caller's thread runs one originate at a time, none where parts
    /// ring side by side.
    OneCallerThread,
    /// What a phone is told when it is ended: the truth, once, in a form that SIP knows.
    TrueCauses,
    /// Winner, loser, cancelled, failed: as it was.
    TrueRoles,
    /// When the call is over, no phone rings and no deadline is kept.
    NothingLeft,
}

pub type Fault = (Law, String);

/// Keeps its own account of the call, from the events and commands alone.
pub struct Referee {
    parts: Vec<PartSeen>,
    legs: Vec<LegSeen>,
    branches: HashMap<BranchId, BranchSeen>,
    verdict: Option<Command>,
    ended: Option<Ended>,
    caller_rings: bool,
    busy: (u64, u32),
    pub faults: Vec<Fault>,
}

struct PartSeen {
    settings: Settings,
    stages: usize,
    stage: Option<usize>,
    attempt: u32,
    resolving: bool,
    /// The first of the legs of the stage that rings.
    first: LegId,
    resolved: u64,
    deadline: u64,
    over: Option<u64>,
    progress: Option<u64>,
    /// The stage was cancelled.
    ending: bool,
    /// An operator has ended it.
    skipped: bool,
    /// `originate_continue_on_timeout=false` or the call's deadline: no stage follows.
    last: bool,
}

struct LegSeen {
    part: usize,
    plan: NewLeg,
    starts: u64,
    branch: Option<BranchId>,
    dialled: Option<u64>,
    rang: bool,
    answered: bool,
    hung_up: bool,
    /// By an operator.
    dropped: bool,
    timed_out: bool,
    /// Ended because of another leg.
    cut: bool,
    /// What the first event about its end said.
    told: Option<Cause>,
    ended: bool,
}

struct BranchSeen {
    part: usize,
    legs: Vec<LegId>,
    /// On a thread of its own.
    aside: bool,
    cancelled: Option<Cause>,
    returned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ended {
    Won(LegId),
    CallerGone,
    Cancelled(Cause),
    /// By one phone, and whether the caller is hung up for it.
    Rejected(Cause, bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    TimeOver,
    /// A required leg failed.
    Required,
}

impl Referee {
    pub fn new(parts: &[(Settings, usize)]) -> Referee {
        let parts = parts.iter().map(|(settings, stages)| PartSeen {
            settings: settings.clone(),
            stages: *stages,
            stage: None,
            attempt: 1,
            resolving: false,
            first: 0,
            resolved: 0,
            deadline: 0,
            over: settings.timeout.map(|limit| limit.as_millis() as u64),
            progress: None,
            ending: false,
            skipped: false,
            last: false,
        });
        Referee {
            parts: parts.collect(),
            legs: Vec::new(),
            branches: HashMap::new(),
            verdict: None,
            ended: None,
            caller_rings: false,
            busy: (0, 0),
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
        match event {
            Event::Resolved { part, legs } => {
                self.parts[*part].resolving = false;
                self.stage_begins(now, *part, legs, ring.legs().len());
            }
            Event::Ringing(leg) | Event::EarlyMedia(leg) => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.rang = true;
                }
            }
            Event::Answered(leg) => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.answered = true;
                }
            }
            Event::Ended { leg, cause, rang } => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.told = Some(*cause);
                    leg.rang |= rang.is_some();
                }
            }
            Event::CallerGone => {
                self.ended.get_or_insert(Ended::CallerGone);
            }
            Event::Cancel(cause) => {
                self.ended.get_or_insert(Ended::Cancelled(*cause));
            }
            Event::Skip | Event::Extend(_) => {
                for part in 0..self.parts.len() {
                    if self.rings(part) {
                        let it = &mut self.parts[part];
                        match event {
                            Event::Extend(time) => it.deadline += time.as_millis() as u64,
                            _ => (it.deadline, it.skipped) = (now, true),
                        }
                    }
                }
            }
            Event::Drop(leg) => {
                if let Some(leg) = self.legs.get_mut(*leg) {
                    leg.dropped |= !leg.hung_up && leg.dialled.is_some();
                }
            }
            Event::Added { part, legs, .. } => {
                let late = !self.rings(*part) || past(self.parts[*part].over, now);
                self.new_legs(now, *part, legs, Duration::ZERO);
                let first = self.legs.len() - legs.len();
                self.legs[first..].iter_mut().for_each(|leg| leg.cut = late);
            }
            _ => {}
        }
    }

    fn stage_begins(&mut self, now: u64, part: usize, legs: &[NewLeg], first: LegId) {
        let it = &mut self.parts[part];
        let stage = it.stage.unwrap_or(0);
        let limit = it.settings.stage_limit(stage + 1 == it.stages).as_millis() as u64;
        it.first = first;
        it.resolved = now;
        it.deadline = now + limit;
        it.progress = it
            .settings
            .progress_timeout
            .map(|limit| now + limit.as_millis() as u64);
        it.ending = false;
        it.skipped = false;
        let alive = legs.iter().filter(|leg| leg.dead.is_none());
        let shift = alive.map(|leg| leg.delay).min().unwrap_or_default();
        self.new_legs(now, part, legs, shift);
    }

    fn new_legs(&mut self, now: u64, part: usize, legs: &[NewLeg], shift: Duration) {
        self.legs.extend(legs.iter().map(|plan| LegSeen {
            part,
            plan: plan.clone(),
            starts: now + plan.delay.saturating_sub(shift).as_millis() as u64,
            branch: None,
            dialled: None,
            rang: false,
            answered: false,
            hung_up: false,
            dropped: false,
            timed_out: false,
            cut: false,
            told: None,
            ended: false,
        }));
    }

    /// Its stage rings: what an operator's command means.
    fn rings(&self, part: usize) -> bool {
        let it = &self.parts[part];
        let current = || self.legs[it.first..].iter().filter(|leg| leg.part == part);
        let open = current().any(|leg| match leg.branch {
            Some(branch) => !self.branches[&branch].returned,
            None => !leg.ended,
        });
        open && !it.resolving && !it.ending && self.ended.is_none()
    }

    pub fn after(&mut self, now: u64, event: &Event, commands: &[Command], ring: &Ring) {
        let known = ring.legs().len() == self.legs.len();
        self.law(Law::KnownIds, known, || format!("{now}: legs are missing"));
        if !known {
            return;
        }
        let won_first = self.branch_returns(event);
        self.ends(now, ring);
        let mut told = 0;
        for command in commands {
            told += usize::from(matches!(
                command,
                Command::Join { .. } | Command::TooLate { .. }
            ));
            self.command(now, command, ring);
        }
        let told_once = told == usize::from(won_first);
        self.law(Law::EveryWinnerIsTold, told_once, || {
            format!("{now} {event:?}: {commands:?}")
        });
        self.ends(now, ring);
        self.due(now, ring);
    }

    /// True for the first news of a branch that has won.
    fn branch_returns(&mut self, event: &Event) -> bool {
        let (branch, won) = match event {
            Event::BranchFailed { branch, .. } => (branch, None),
            Event::BranchWon {
                branch,
                leg,
                answered,
            } => (branch, Some((*leg, *answered))),
            _ => return false,
        };
        let Some(it) = self.branches.get_mut(branch).filter(|it| !it.returned) else {
            return false;
        };
        it.returned = true;
        if let Some((leg, answered)) = won {
            self.legs[leg].answered |= answered;
        }
        won.is_some()
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
            let cancelled = self.cancelled(id);
            let undialled = self.legs[id].dialled.is_none() && self.legs[id].plan.dead.is_none();
            let timed = self.why(now, leg.part, ring) == Some(Why::TimeOver);
            let seen = &mut self.legs[id];
            seen.timed_out |= undialled && timed && !seen.cut;
            seen.cut |= (cancelled || undialled) && !seen.timed_out;
            let own = !cancelled && !hung_up && !undialled && !nobodys(leg.cause);
            let settings = &self.parts[leg.part].settings;
            if own && settings.single_reject.matches(leg.cause) {
                let hang_up = settings.hang_up_on_single_reject;
                self.ended = Some(Ended::Rejected(leg.cause, hang_up));
            }
        }
    }

    /// Why a part's stage may be cancelled now, if nothing has ended the call.
    fn why(&self, now: u64, part: usize, ring: &Ring) -> Option<Why> {
        let it = &self.parts[part];
        let current = || {
            let both = ring.legs().iter().zip(&self.legs).skip(it.first);
            both.filter(|(leg, _)| leg.part == part)
        };
        let failed = |(leg, seen): (&Leg, &LegSeen)| {
            let own = !nobodys(leg.cause) || seen.hung_up || seen.told.is_none();
            let rang = seen.dialled.is_some() || seen.plan.dead.is_some();
            seen.plan.required && rang && leg.ended == Some(ms(now)) && own
        };
        if current().any(failed) {
            return Some(Why::Required);
        }
        let silent = !current().any(|(_, seen)| seen.rang);
        let over = now >= it.deadline || past(it.over, now) || (past(it.progress, now) && silent);
        over.then_some(Why::TimeOver)
    }

    fn cancelled(&self, leg: LegId) -> bool {
        let branch = self.legs[leg]
            .branch
            .and_then(|branch| self.branches.get(&branch));
        branch.is_some_and(|branch| branch.cancelled.is_some())
    }

    fn command(&mut self, now: u64, command: &Command, ring: &Ring) {
        let say = |what: &str| format!("{now} {command:?}: {what}");
        match command {
            Command::Resolve { part, stage } => self.resolve(now, *part, *stage),
            Command::Dial {
                branch,
                part,
                stage,
                legs,
                aside,
                ..
            } => {
                let over = self.ended.is_some() || self.verdict.is_some();
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let late = past(self.parts[*part].over, now);
                self.law(Law::NothingAfterTheEnd, !late, || {
                    say("the call's time is over")
                });
                let right = self.parts[*part].stage == Some(*stage);
                self.law(Law::StagesInOrder, right, || say("another stage rings"));
                let fresh = !self.branches.contains_key(branch)
                    && !legs.is_empty()
                    && legs.len() <= LEGS_A_BRANCH
                    && legs.iter().all(|&leg| {
                        self.legs.get(leg).is_some_and(|it| {
                            it.part == *part
                                && it.dialled.is_none()
                                && it.plan.dead.is_none()
                                && leg >= self.parts[*part].first
                        })
                    });
                self.law(Law::KnownIds, fresh, || say("not these"));
                if fresh {
                    self.dial(now, *branch, *part, legs);
                    self.branches
                        .entry(*branch)
                        .and_modify(|it| it.aside = *aside);
                }
                let own = |it: &&BranchSeen| !it.aside && !it.returned;
                let busy = self.branches.values().filter(own).count();
                let crowded = self.parts.len() > 1;
                let free = *aside || (busy == 1 && !crowded);
                self.law(Law::OneCallerThread, free, || say("it is busy"));
            }
            Command::Cancel { branch, cause } => self.cancel(now, *branch, *cause, ring),
            Command::HangUp { leg, cause } => self.hang_up(now, *leg, *cause),
            Command::RingCaller => {
                let again = self.caller_rings || self.verdict.is_some();
                self.law(Law::NothingAfterTheEnd, !again, || say("once is enough"));
                self.caller_rings = true;
            }
            Command::Join { leg, branch, .. } => {
                let first = self.verdict.is_none();
                self.law(Law::OneVerdict, first, || say("there is a verdict"));
                let over = self.ended.is_some();
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let known = self
                    .branches
                    .get(branch)
                    .is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                self.verdict.get_or_insert_with(|| command.clone());
                self.ended.get_or_insert(Ended::Won(*leg));
            }
            Command::TooLate { leg, branch } => {
                let known = self
                    .branches
                    .get(branch)
                    .is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                let cancelled = self.cancelled(*leg) && !self.legs[*leg].answered;
                let due = self.ended.is_some() || cancelled;
                self.law(Law::AnswersCount, due, || say("nobody else had won"));
            }
            Command::Finish {
                outcome,
                cause,
                hang_up_caller,
            } => {
                let first = self.verdict.is_none();
                self.law(Law::OneVerdict, first, || say("there is a verdict"));
                self.verdict.get_or_insert_with(|| command.clone());
                let open = self.branches.values().any(|it| !it.returned);
                self.law(Law::NothingLeft, !open, || say("somebody rings"));
                let (expected, hang_up) = self.result(ring);
                let told = (*outcome, *cause) == expected && *hang_up_caller == hang_up;
                self.law(Law::TrueResult, told, || {
                    format!("{} not {expected:?}", say(""))
                });
            }
        }
    }

    fn resolve(&mut self, now: u64, part: usize, stage: usize) {
        let over = self.ended.is_some() || self.verdict.is_some();
        let say = |what: &str| format!("{now}: resolve {part}.{stage}: {what}");
        self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
        let open = self
            .branches
            .values()
            .any(|it| it.part == part && !it.returned);
        self.law(Law::StagesInOrder, !open, || {
            say("the stage before still rings")
        });
        let it = &mut self.parts[part];
        let last = it.last;
        let next = match it.stage {
            None => stage == 0,
            Some(last) if stage == 0 => {
                it.attempt += 1;
                last + 1 == it.stages && it.attempt <= it.settings.attempts
            }
            Some(last) => stage == last + 1 && stage < it.stages,
        };
        let next = next && !last && !std::mem::replace(&mut it.resolving, true);
        it.stage = Some(stage);
        self.law(Law::StagesInOrder, next, || say("out of order"));
    }

    fn dial(&mut self, now: u64, branch: BranchId, part: usize, legs: &[LegId]) {
        let first = self.parts[part].first;
        let stage = self.legs[first..].iter().filter(|leg| leg.part == part);
        let nobody_rings = !stage
            .clone()
            .any(|leg| leg.dialled.is_some_and(|at| at < now) && !leg.ended);
        let starts = self.legs[legs[0]].starts;
        let early = starts.saturating_sub(now);
        if early > 0 && nobody_rings {
            // All the later ones move with it.
            for leg in self.legs[first..].iter_mut().filter(|leg| leg.part == part) {
                if leg.dialled.is_none() {
                    leg.starts = leg.starts.saturating_sub(early).max(now);
                }
            }
        }
        for &leg in legs {
            let starts = self.legs[leg].starts;
            self.law(Law::NeverEarly, starts <= now, || {
                format!("{now}: {leg} starts {starts}")
            });
            self.legs[leg].dialled = Some(now);
            self.legs[leg].branch = Some(branch);
        }
        let legs = legs.to_vec();
        self.branches.insert(
            branch,
            BranchSeen {
                part,
                legs,
                aside: true,
                cancelled: None,
                returned: false,
            },
        );
    }

    fn cancel(&mut self, now: u64, branch: BranchId, cause: Cause, ring: &Ring) {
        let say = |what: &str| format!("{now}: cancel {branch} {cause:?}: {what}");
        let ringing = self
            .branches
            .get(&branch)
            .filter(|it| !it.returned && it.cancelled.is_none());
        let part = ringing.map(|it| it.part);
        self.law(Law::CancelsAreDue, part.is_some(), || {
            say("it does not ring")
        });
        let Some(part) = part else { return };
        self.branches
            .entry(branch)
            .and_modify(|it| it.cancelled = Some(cause));
        let spoken =
            cause.0 < 128 || cause == Cause::LOSE_RACE || cause == Cause::ORIGINATOR_CANCEL;
        let operators = self.ended == Some(Ended::Cancelled(cause));
        let spoken = (spoken && cause != Cause::NONE) || operators;
        self.law(Law::TrueCauses, spoken, || say("no cause for the wire"));
        let missed = self.parts[part].settings.missed.cause();
        let why = self.why(now, part, ring);
        let winner = ring.winner().is_some();
        let due = match self.ended {
            Some(Ended::Won(_)) => cause == Cause::LOSE_RACE,
            Some(Ended::CallerGone) => cause == Cause::ORIGINATOR_CANCEL,
            Some(Ended::Cancelled(by)) => cause == by,
            Some(Ended::Rejected(..)) => cause == Cause::NO_ANSWER || cause == missed,
            // The Join of this very event comes after its cancels.
            None if winner => cause == Cause::LOSE_RACE,
            None => {
                self.law(Law::NeverEarly, why.is_some(), || {
                    say("its time is not over")
                });
                cause == missed
            }
        };
        self.law(Law::TrueCauses, due, || say("not the truth"));
        let it = &mut self.parts[part];
        it.ending = true;
        let stops = it.settings.continue_on_timeout == Some(false) && !it.skipped;
        it.last |=
            past(it.over, now) || (now >= it.deadline && stops && why == Some(Why::TimeOver));
        if self.ended.is_none() && !winner && why == Some(Why::TimeOver) {
            for leg in self
                .legs
                .iter_mut()
                .filter(|leg| leg.part == part && !leg.ended)
            {
                leg.timed_out = true;
            }
        }
    }

    fn hang_up(&mut self, now: u64, leg: LegId, cause: Cause) {
        let say = |what: &str| format!("{now}: hang up {leg} {cause:?}: {what}");
        let known = self.legs.get(leg).and_then(|it| it.dialled.zip(it.branch));
        self.law(Law::KnownIds, known.is_some(), || {
            say("it was never dialled")
        });
        let Some((dialled, branch)) = known else {
            return;
        };
        let winner = self.ended == Some(Ended::Won(leg));
        let it = &self.legs[leg];
        let since = |limit: Option<Duration>| {
            limit.is_some_and(|limit| now >= dialled + limit.as_millis() as u64)
        };
        let part = &self.parts[it.part];
        let stage_over = winner && (now >= part.deadline || past(part.over, now));
        let due = since(it.plan.timeout)
            || (since(it.plan.progress_timeout) && !it.rang)
            || stage_over
            || it.dropped;
        let fresh = !it.hung_up && !it.ended;
        let dropped = it.dropped && cause == Cause::ORIGINATOR_CANCEL;
        let missed = part.settings.missed.cause();
        let branch = &self.branches[&branch];
        let alone = winner || (branch.cancelled.is_none() && !branch.returned);
        self.law(Law::NeverEarly, due, || say("its time is not over"));
        self.law(Law::OneEndEach, fresh, || say("it was hung up"));
        self.law(Law::TrueCauses, alone, || {
            say("its branch is told something else")
        });
        let told = match dropped {
            true => self.ended.is_none(),
            false => cause == missed,
        };
        let timed_out = cause == missed;
        self.law(Law::TrueCauses, told, || say("not the truth"));
        self.legs[leg].hung_up = true;
        self.legs[leg].timed_out = timed_out;
    }

    /// What is still to be done at its time: deadlines and late starts.
    fn owed(&self, ring: &Ring) -> Vec<(u64, &'static str)> {
        let mut owed = Vec::new();
        let mut owe = |at: Option<u64>, what| owed.extend(at.map(|at| (at, what)));
        for (id, leg) in self.legs.iter().enumerate() {
            let part = &self.parts[leg.part];
            let open = |branch| {
                let it: &BranchSeen = &self.branches[branch];
                !it.returned && it.cancelled.is_none()
            };
            let rings = self.ended.is_none() && leg.branch.as_ref().is_some_and(open);
            let won =
                self.ended == Some(Ended::Won(id)) && ring.legs()[id].state != LegState::Ended;
            let unanswered = won && !leg.answered;
            if leg.ended || leg.hung_up {
                continue;
            }
            let stage = self.legs[part.first..].iter();
            let rang = stage
                .filter(|other| other.part == leg.part)
                .any(|other| other.rang);
            let since = |limit: Option<Duration>| Some(leg.dialled? + limit?.as_millis() as u64);
            if rings || unanswered {
                owe(Some(part.deadline), "a stage's deadline");
                owe(part.over, "the call's deadline");
            }
            if rings && !rang {
                owe(part.progress, "a stage's progress deadline");
            }
            if (rings || unanswered) && !leg.answered {
                owe(since(leg.plan.timeout), "a leg's deadline");
            }
            if rings && !leg.answered && !leg.rang {
                owe(
                    since(leg.plan.progress_timeout),
                    "a leg's progress deadline",
                );
            }
            let waits = leg.branch.is_none() && leg.plan.dead.is_none();
            if waits && self.ended.is_none() && !part.ending {
                owe(Some(leg.starts), "a late start");
            }
        }
        owed
    }

    /// Nothing that is due is left undone.
    fn due(&mut self, now: u64, ring: &Ring) {
        let left = self.owed(ring).into_iter().find(|(at, _)| *at <= now);
        self.law(Law::NeverLate, left.is_none(), || {
            format!("{now}: {left:?}")
        });
    }

    /// The deadline thread will come in time for whatever is still to be done.
    pub fn wakes(&mut self, now: u64, ring: &Ring, ticks: &BTreeMap<Duration, u32>) {
        let next = ring.next_deadline();
        let first = self.owed(ring).into_iter().min();
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

    /// Promise 8, from our own notes of who rang and whose time was over.
    fn result(&self, ring: &Ring) -> ((Outcome, Cause), bool) {
        match self.ended {
            Some(Ended::CallerGone) => {
                return ((Outcome::Cancelled, Cause::ORIGINATOR_CANCEL), false);
            }
            Some(Ended::Cancelled(cause)) => return ((Outcome::Cancelled, cause), false),
            Some(Ended::Rejected(cause, hang_up)) => {
                return ((Outcome::of(cause), cause), hang_up);
            }
            Some(Ended::Won(_)) | None => {}
        }
        let legs = || {
            let both = self.legs.iter().zip(ring.legs());
            both.filter(|(seen, leg)| !seen.cut && leg.state == LegState::Ended)
        };
        let rang_out = |(seen, leg): (&LegSeen, &Leg)| {
            seen.rang && (seen.timed_out || leg.cause.is_no_answer())
        };
        let how = if legs().any(rang_out) {
            (Outcome::NoAnswer, Cause::NO_ANSWER)
        } else if legs().any(|(_, leg)| leg.cause.is_busy()) {
            (Outcome::Busy, Cause::USER_BUSY)
        } else if legs().any(|(_, leg)| leg.cause.is_rejection()) {
            (Outcome::Rejected, Cause::CALL_REJECTED)
        } else {
            match legs().next() {
                // `cti_missed=never` tells this to the phone, not to the caller.
                Some((seen, leg)) if seen.timed_out && leg.cause == Cause::LOSE_RACE => {
                    (Outcome::NoAnswer, Cause::NO_ANSWER)
                }
                Some((_, leg)) => (Outcome::of(leg.cause), leg.cause),
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
            Some(Command::Join { leg, .. }) => Some(leg),
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
            self.law(Law::TrueRoles, is_winner == (winner == Some(id)), say);
            let loser = leg.role == Some(Role::Loser);
            self.law(Law::TrueRoles, !loser || winner.is_some(), say);
            // Nobody but a winner ends a leg with this cause, or `cti_missed=never`.
            let never = self.parts[leg.part].settings.missed == Missed::Never;
            let lost = leg.cause == Cause::LOSE_RACE && !never && winner.is_some();
            let lost = lost && !self.legs[id].hung_up && !self.cancelled(id);
            self.law(Law::TrueRoles, !lost || loser || is_winner, say);
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

/// Core ends a leg so for the sake of another or of the caller.
fn nobodys(cause: Cause) -> bool {
    matches!(cause, Cause::LOSE_RACE | Cause::ORIGINATOR_CANCEL)
}

fn past(deadline: Option<u64>, now: u64) -> bool {
    deadline.is_some_and(|at| at <= now)
}
