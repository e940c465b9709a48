//! The laws, and the referee who watches over them: it keeps its own account of a call, from
//! the events and the commands alone, and knows what the machine may and must do.

use super::ms;
use mod_cti::ring::{
    BranchId, CallerThread, Cause, Command, Confirm, EarlyMedia, Event, LEGS_A_BRANCH, Leg, LegId,
    LegState, Missed, Mode, NewLeg, Outcome, Ring, Role, Settings,
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
    /// A required leg that fails takes its stage with it.
    RequiredLegs,
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
    /// The winner, joined in early media by the machine's own choice: only an answer is final.
    early: Option<LegId>,
    caller_rings: bool,
    busy: (u64, u32),
    /// The first of the legs that came with the event.
    new: LegId,
    pub faults: Vec<Fault>,
}

struct PartSeen {
    settings: Settings,
    stages: usize,
    stage: Option<usize>,
    attempt: u32,
    attempt_began: u64,
    /// The first of the attempt's legs.
    attempt_first: LegId,
    resolving: bool,
    /// The first of the legs of the stage that rings.
    first: LegId,
    deadline: u64,
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
    part: usize,
    stage: usize,
    plan: NewLeg,
    starts: u64,
    branch: Option<BranchId>,
    dialled: Option<u64>,
    rang: bool,
    /// When it was told that it has answered.
    picked_up: Option<u64>,
    /// … for good: where it has to be confirmed, it has been.
    answered: bool,
    hung_up: bool,
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
}

struct BranchSeen {
    part: usize,
    stage: usize,
    legs: Vec<LegId>,
    /// On a thread of its own.
    aside: bool,
    early_media: EarlyMedia,
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
            attempt_began: 0,
            attempt_first: 0,
            resolving: false,
            first: 0,
            deadline: 0,
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
            branches: HashMap::new(),
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
                    leg.picked_up.get_or_insert(now);
                    leg.answered |= leg.plan.confirm.is_none();
                }
            }
            Event::Ended { leg, cause, rang } => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.told = Some(*cause);
                    leg.rang |= rang.is_some();
                }
            }
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
            Event::Cancel(cause) => match self.in_early_media(ring) {
                Some(leg) => drop(self.legs[leg].cancelled.get_or_insert(*cause)),
                None => drop(self.ended.get_or_insert(Ended::Cancelled(*cause))),
            },
            Event::Skip | Event::Extend(_) => {
                let extends = matches!(event, Event::Extend(_));
                let goes_on = |leg: &LegId| extends || self.legs[*leg].cancelled.is_none();
                let winner = self.in_early_media(ring).filter(goes_on);
                let winner = winner.map(|leg| self.legs[leg].part);
                for part in 0..self.parts.len() {
                    if self.rings(part) || winner == Some(part) {
                        let it = &mut self.parts[part];
                        match event {
                            Event::Extend(time) => {
                                let time = time.as_millis() as u64;
                                it.deadline += time;
                                it.wait = it.wait.map(|at| at + time);
                            }
                            _ => (it.deadline, it.skipped) = (now, true),
                        }
                    }
                }
            }
            Event::Drop(leg) => {
                let goes_on = self.ended.is_none();
                if let Some(leg) = self.legs.get_mut(*leg) {
                    let waits = goes_on && !leg.ended && leg.plan.dead.is_none();
                    leg.dropped |= !leg.hung_up && (waits || leg.dialled.is_some());
                }
            }
            Event::Added { part, stage, legs } => {
                let it = &self.parts[*part];
                let ringing = it.stage.is_some_and(|now| match it.settings.mode {
                    Mode::Progressive => *stage <= now,
                    Mode::Sequence => *stage == now,
                });
                // An earlier stage rings on while the next one is looked up.
                let earlier = it.stage.is_some_and(|now| *stage < now);
                let rings = match it.resolving {
                    true => earlier && !it.ending && self.ended.is_none(),
                    false => self.rings(*part),
                };
                let late = !ringing || !rings || past(it.over, now);
                let awaited = it.stage == Some(*stage);
                if !late && awaited && legs.iter().any(|leg| leg.dead.is_none()) {
                    self.parts[*part].wait = None;
                }
                self.new_legs(now, (*part, *stage), legs, Duration::ZERO);
                let first = self.legs.len() - legs.len();
                for leg in self.legs[first..].iter_mut().filter(|_| late) {
                    leg.cut = true;
                    leg.plan.dead = None;
                }
            }
            _ => {}
        }
    }

    fn stage_begins(&mut self, now: u64, part: usize, legs: &[NewLeg], first: LegId) {
        let beside = self.open(part).next().is_some();
        let it = &mut self.parts[part];
        let stage = it.stage.unwrap_or(0);
        if self.ended.is_some() {
            return self.new_legs(now, (part, stage), legs, Duration::ZERO);
        }
        if stage == 0 {
            it.attempt_first = first;
        }
        it.first = first;
        it.deadline = now + it.limit();
        it.progress = it
            .settings
            .progress_timeout
            .map(|limit| now + limit.as_millis() as u64);
        it.ending = past(it.over, now);
        it.skipped = false;
        it.idle = None;
        let alive = legs.iter().filter(|leg| leg.dead.is_none());
        let unregistered = |leg: &&NewLeg| leg.dead == Some(Cause::USER_NOT_REGISTERED);
        let absent = legs.iter().filter(unregistered).any(|leg| leg.may_register);
        let wait = it.settings.wait_register.map(|wait| now + millis(wait));
        it.wait = wait.filter(|_| absent && alive.clone().count() == 0);
        let shift = alive.map(|leg| leg.delay).min().filter(|_| !beside);
        let late = it.ending;
        self.new_legs(now, (part, stage), legs, shift.unwrap_or_default());
        for leg in self.legs[first..].iter_mut().filter(|_| late) {
            leg.plan.dead = None;
        }
    }

    fn new_legs(&mut self, now: u64, of: (usize, usize), legs: &[NewLeg], shift: Duration) {
        self.legs.extend(legs.iter().map(|plan| LegSeen {
            part: of.0,
            stage: of.1,
            plan: plan.clone(),
            starts: now + plan.delay.saturating_sub(shift).as_millis() as u64,
            branch: None,
            dialled: None,
            rang: false,
            picked_up: None,
            answered: false,
            hung_up: false,
            dropped: false,
            cancelled: None,
            timed_out: false,
            cut: false,
            told: None,
            ended: false,
        }));
    }

    /// Its stage rings: what an operator's command means.
    fn rings(&self, part: usize) -> bool {
        let it = &self.parts[part];
        let open = self.open(part).next().is_some() || it.wait.is_some();
        let early = self.early.is_some_and(|leg| {
            let it = &self.legs[leg];
            it.part == part && !it.ended && it.cancelled.is_none()
        });
        let undecided = self.ended.is_none() || early;
        (open || early) && !it.resolving && !it.ending && undecided
    }

    /// The winner, if it may still be steered: nobody has answered.
    fn in_early_media(&self, ring: &Ring) -> Option<LegId> {
        let winner = ring.winner()?;
        let early = ring.legs()[winner].state == LegState::EarlyMedia;
        let leaves = self.early != Some(winner) && self.legs[winner].hung_up;
        Some(winner).filter(|_| early && !leaves)
    }

    /// The part's legs whose branch has not returned, or that are still to start.
    fn open(&self, part: usize) -> impl Iterator<Item = &LegSeen> {
        let legs = self.legs.iter().filter(move |leg| leg.part == part);
        legs.filter(|leg| match leg.branch {
            Some(branch) => !self.branches[&branch].returned,
            None => !leg.ended,
        })
    }

    pub fn after(&mut self, now: u64, event: &Event, commands: &[Command], ring: &Ring) {
        let known = ring.legs().len() == self.legs.len();
        self.law(Law::KnownIds, known, || format!("{now}: legs are missing"));
        if !known {
            return;
        }
        let won_first = self.branch_returns(event);
        let ended: Vec<bool> = self.legs.iter().map(|leg| leg.ended).collect();
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
        self.required(now, event, &ended);
        self.due(now, ring);
        let mut ringing = ring.ringing(ms(now));
        ringing.retain(|_| self.ended.is_none());
        for part in 0..self.parts.len() {
            let idle = self.open(part).next().is_none();
            let it = &mut self.parts[part];
            it.wait = it.wait.filter(|_| ringing.iter().any(|it| it.part == part));
            if idle && !it.resolving && it.wait.is_none() {
                it.idle.get_or_insert(now);
            }
        }
    }

    /// What a required leg that has failed in this event takes with it.
    fn required(&mut self, now: u64, event: &Event, ended: &[bool]) {
        if self.ended.is_some() || matches!(event, Event::BranchWon { .. }) {
            return;
        }
        for (id, ended) in ended.iter().enumerate() {
            let leg = &self.legs[id];
            let branch = leg.branch.map(|branch| &self.branches[&branch]);
            let told_late = matches!(event, Event::Ended { .. });
            let told_late = told_late && branch.is_some_and(|branch| branch.returned);
            let rang = leg.dialled.is_some() || leg.plan.dead.is_some();
            let fresh = leg.ended && !ended && rang && !leg.cut && !told_late;
            let own = leg.hung_up || !leg.told.is_some_and(nobodys);
            if !(fresh && own && leg.plan.required) {
                continue;
            }
            let (part, stage) = (leg.part, leg.stage);
            if self.parts[part].stage == Some(stage) {
                self.parts[part].wait = None;
            }
            let rings = self.open(part).any(|leg| {
                let branch = leg.branch.map(|branch| &self.branches[&branch]);
                leg.stage == stage && branch.is_none_or(|branch| branch.cancelled.is_none())
            });
            self.law(Law::RequiredLegs, !rings, || {
                format!("{now} {event:?}: required leg {id} has failed, its stage rings on")
            });
        }
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
            let timed = self.why(now, leg.part, leg.stage, ring) == Some(Why::TimeOver);
            let seen = &mut self.legs[id];
            seen.timed_out |= undialled && timed && !seen.cut && !seen.dropped;
            seen.cut |= (cancelled || undialled) && !seen.timed_out;
            let own = !cancelled && !hung_up && !undialled && !nobodys(leg.cause);
            let settings = &self.parts[leg.part].settings;
            if own && settings.single_reject.matches(leg.cause) {
                let hang_up = settings.hang_up_on_single_reject;
                self.ended = Some(Ended::Rejected(leg.cause, hang_up));
            }
        }
    }

    /// Why a stage may be cancelled now, if nothing has ended the call.
    fn why(&self, now: u64, part: usize, stage: usize, ring: &Ring) -> Option<Why> {
        let it = &self.parts[part];
        let legs = || {
            let both = ring.legs().iter().zip(&self.legs).skip(it.attempt_first);
            both.filter(|(leg, _)| (leg.part, leg.stage) == (part, stage))
        };
        let failed = |(leg, seen): (&Leg, &LegSeen)| {
            let own = !nobodys(leg.cause) || seen.hung_up || seen.told.is_none();
            let rang = seen.dialled.is_some() || seen.plan.dead.is_some();
            seen.plan.required && rang && leg.ended == Some(ms(now)) && own
        };
        if legs().any(failed) {
            return Some(Why::Required);
        }
        let silent = !self.newest(part).any(LegSeen::has_rung);
        let over = now >= it.deadline || past(it.over, now) || (past(it.progress, now) && silent);
        over.then_some(Why::TimeOver)
    }

    /// The legs of the part's newest stage.
    fn newest(&self, part: usize) -> impl Iterator<Item = &LegSeen> {
        let it = &self.parts[part];
        let legs = self.legs[it.first..].iter();
        legs.filter(move |leg| (leg.part, Some(leg.stage)) == (part, it.stage))
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
            Command::Resolve { part, stage } => self.resolve(now, *part, *stage, ring),
            Command::Dial {
                branch,
                part,
                stage,
                legs,
                aside,
                early_media,
            } => {
                let over = self.ended.is_some() || self.verdict.is_some();
                let over = over && self.early.is_none();
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let late = past(self.parts[*part].over, now);
                self.law(Law::NothingAfterTheEnd, !late, || {
                    say("the call's time is over")
                });
                let it = &self.parts[*part];
                let right = it.stage.is_some_and(|now| match it.settings.mode {
                    Mode::Progressive => *stage <= now,
                    Mode::Sequence => *stage == now,
                });
                self.law(Law::StagesInOrder, right, || say("another stage rings"));
                let fresh = !self.branches.contains_key(branch)
                    && !legs.is_empty()
                    && legs.len() <= LEGS_A_BRANCH
                    && legs.iter().all(|&leg| {
                        self.legs.get(leg).is_some_and(|it| {
                            (it.part, it.stage) == (*part, *stage)
                                && it.dialled.is_none()
                                && it.plan.dead.is_none()
                                && leg >= self.parts[*part].attempt_first
                        })
                    });
                self.law(Law::KnownIds, fresh, || say("not these"));
                if fresh {
                    self.dial(now, *branch, (*part, *stage), legs);
                    self.branches
                        .entry(*branch)
                        .and_modify(|it| (it.aside, it.early_media) = (*aside, *early_media));
                }
                let own = |it: &&BranchSeen| !it.aside && !it.returned;
                let busy = self.branches.values().filter(own).count();
                let it = &self.parts[*part];
                let several = it.settings.mode == Mode::Progressive && it.stages > 1;
                let holds = it.settings.caller_thread == CallerThread::Holds;
                let taken = busy > 1 || self.parts.len() > 1 || several || holds;
                let free = *aside || !taken;
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
                // An answer stands beside the rejection that would have ended the call.
                let rejected = matches!(self.ended, Some(Ended::Rejected(..)));
                let stands = rejected && self.legs[*leg].answered;
                let over = self.ended.is_some() && !stands;
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let known = self
                    .branches
                    .get(branch)
                    .is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                self.verdict.get_or_insert_with(|| command.clone());
                self.ended = Some(Ended::Won(*leg));
                let (it, part) = (&self.legs[*leg], &self.parts[self.legs[*leg].part]);
                let early = match self.branches.get(branch).map(|it| it.early_media) {
                    Some(EarlyMedia::Relay) => true,
                    Some(EarlyMedia::Core) => part.settings.early_media.is_none(),
                    _ => false,
                };
                self.early = Some(*leg).filter(|_| early && !it.answered);
            }
            Command::Lose { leg, branch } => {
                let known = self.branches.get(branch);
                let known = known.is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                let early = self.early.take() == Some(*leg) && !self.legs[*leg].answered;
                self.law(Law::OneVerdict, early, || say("it is no such winner"));
                self.legs[*leg].hung_up = true;
                (self.ended, self.verdict) = (None, None);
            }
            Command::TooLate { leg, branch, .. } => {
                let known = self
                    .branches
                    .get(branch)
                    .is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                let answered = self.legs[*leg].answered;
                let due = match self.ended {
                    None => self.cancelled(*leg) && !answered,
                    Some(Ended::Rejected(..)) => !answered,
                    Some(_) => true,
                };
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
                let waits = (0..self.parts.len()).any(|part| self.waits(now, part, ring));
                self.law(Law::NeverEarly, !waits, || say("a device may register"));
                let (expected, hang_up) = self.result(ring);
                let told = (*outcome, *cause) == expected && *hang_up_caller == hang_up;
                self.law(Law::TrueResult, told, || {
                    format!("{} not {expected:?}", say(""))
                });
            }
        }
    }

    fn resolve(&mut self, now: u64, part: usize, stage: usize, ring: &Ring) {
        let over = self.ended.is_some() || self.verdict.is_some();
        let say = |what: &str| format!("{now}: resolve {part}.{stage}: {what}");
        self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
        let open = self.open(part).next().is_some();
        let it = &self.parts[part];
        let beside = it.settings.mode == Mode::Progressive && stage > 0;
        self.law(Law::StagesInOrder, !open || beside, || {
            say("the stage before still rings")
        });
        let it = &self.parts[part];
        let newest = self.open(part).any(|leg| Some(leg.stage) == it.stage);
        let over = it
            .stage
            .is_some_and(|rings| self.why(now, part, rings, ring).is_some());
        let early = (newest && !over) || self.waits(now, part, ring);
        self.law(Law::NeverEarly, !early, || {
            say("the stage before has its time")
        });
        let it = &mut self.parts[part];
        if stage == 0 && it.stage.is_some() {
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
        if stage == 0 {
            it.attempt_began = now;
        }
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
        it.wait = None;
        it.deadline = now + it.limit();
        self.law(Law::StagesInOrder, next, || say("out of order"));
    }

    /// Nothing has ended the time in which a device may register.
    fn waits(&self, now: u64, part: usize, ring: &Ring) -> bool {
        let it = &self.parts[part];
        let why = it.stage.and_then(|stage| self.why(now, part, stage, ring));
        it.wait.is_some_and(|at| at > now) && self.ended.is_none() && why.is_none()
    }

    fn dial(&mut self, now: u64, branch: BranchId, of: (usize, usize), legs: &[LegId]) {
        let (part, stage) = of;
        let nobody_rings = !self
            .legs
            .iter()
            .filter(|leg| leg.part == part)
            .any(|leg| leg.dialled.is_some_and(|at| at < now) && !leg.ended);
        let starts = self.legs[legs[0]].starts;
        let early = starts.saturating_sub(now);
        if early > 0 && nobody_rings {
            // All the later ones move with it.
            let known = self.legs[..self.new].iter_mut();
            for leg in known.filter(|leg| leg.part == part) {
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
                stage,
                legs,
                aside: true,
                early_media: EarlyMedia::Core,
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
        let of = ringing.map(|it| (it.part, it.stage));
        self.law(Law::CancelsAreDue, of.is_some(), || say("it does not ring"));
        let Some((part, stage)) = of else { return };
        self.branches
            .entry(branch)
            .and_modify(|it| it.cancelled = Some(cause));
        let spoken =
            cause.0 < 128 || cause == Cause::LOSE_RACE || cause == Cause::ORIGINATOR_CANCEL;
        let early = self
            .early
            .is_some_and(|leg| self.legs[leg].cancelled == Some(cause));
        let operators = early || self.ended == Some(Ended::Cancelled(cause));
        let spoken = (spoken && cause != Cause::NONE) || operators;
        self.law(Law::TrueCauses, spoken, || say("no cause for the wire"));
        let missed = self.parts[part].settings.missed.cause();
        let why = self.why(now, part, stage, ring);
        let winner = ring.winner().is_some();
        let due = match self.ended {
            Some(Ended::Won(_)) => match self.early.map(|leg| &self.legs[leg]) {
                Some(early) if !early.answered => {
                    let over = why.is_some() && cause == missed;
                    over || early.cancelled == Some(cause)
                }
                _ => cause == Cause::LOSE_RACE,
            },
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
        let undecided = self.ended.is_none() && !winner || self.early.is_some();
        let time_over = undecided && why == Some(Why::TimeOver);
        let it = &mut self.parts[part];
        let progressive = it.settings.mode == Mode::Progressive;
        it.ending |= !(progressive && why == Some(Why::Required));
        let stops = it.settings.continue_on_timeout == Some(false) && !it.skipped;
        it.last |=
            past(it.over, now) || (now >= it.deadline && stops && why == Some(Why::TimeOver));
        let goes_on = it.goes_on();
        self.law(Law::CancelsAreDue, !(time_over && goes_on), || {
            say("it goes on ringing beside the next stage")
        });
        if time_over {
            let branches = &self.branches;
            let cut = |of: BranchId| of != branch && branches[&of].cancelled.is_some();
            let open = |leg: &&mut LegSeen| leg.part == part && !leg.ended;
            for leg in self.legs.iter_mut().filter(open) {
                leg.timed_out |= !leg.branch.is_some_and(cut);
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
        let due = past(it.deadline(), now)
            || (since(it.plan.progress_timeout) && !it.has_rung())
            || stage_over
            || it.dropped
            || it.cancelled.is_some();
        let fresh = !it.hung_up && !it.ended;
        let dropped = it.dropped && cause == Cause::ORIGINATOR_CANCEL;
        let cancelled = it.cancelled == Some(cause);
        let missed = part.settings.missed.cause();
        let branch = &self.branches[&branch];
        let alone = winner || (branch.cancelled.is_none() && !branch.returned);
        self.law(Law::NeverEarly, due, || say("its time is not over"));
        self.law(Law::OneEndEach, fresh, || say("it was hung up"));
        self.law(Law::TrueCauses, alone, || {
            say("its branch is told something else")
        });
        let told = match dropped {
            true => self.ended.is_none() || winner || self.early.is_some(),
            false => cause == missed || cancelled,
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
            let rang = self.newest(leg.part).any(LegSeen::has_rung);
            let since = |limit: Option<Duration>| Some(leg.dialled? + limit?.as_millis() as u64);
            if rings || unanswered {
                let deadline = Some(part.deadline).filter(|_| !part.resolving || unanswered);
                owe(deadline, "a stage's deadline");
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
            let waits = leg.branch.is_none() && leg.plan.dead.is_none();
            if waits && self.ended.is_none() && !part.ending {
                owe(Some(leg.starts), "a late start");
            }
        }
        let parts = ring.ringing(Duration::ZERO).into_iter();
        for part in parts.filter(|_| self.ended.is_none()) {
            // Of the last stage it changes nothing while earlier ones ring.
            let it = &self.parts[part.part];
            let alone = it.goes_on() || self.open(part.part).next().is_none();
            owe(it.wait.filter(|_| alone), "a registration's deadline");
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
        let both = || self.legs.iter().zip(ring.legs());
        let dropped = |(seen, leg): &(&LegSeen, &Leg)| {
            let by_operator = seen.dropped && (seen.hung_up || seen.dialled.is_none());
            by_operator && !seen.timed_out && leg.cause == Cause::ORIGINATOR_CANCEL
        };
        let legs =
            || both().filter(|it| !it.0.cut && it.1.state == LegState::Ended && !dropped(it));
        let rang_out = |(seen, leg): (&LegSeen, &Leg)| {
            let unconfirmed = seen.picked_up.is_some() && !seen.answered;
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
            // Joined in early media, it has won nothing unless it answers.
            let has_won = winner == Some(id) && leg.answered.is_some();
            self.law(Law::TrueRoles, is_winner == has_won, say);
            let loser = leg.role == Some(Role::Loser);
            self.law(Law::TrueRoles, !loser || winner.is_some(), say);
            // Nobody but a winner ends a leg with this cause, or `cti_missed=never`.
            let never = self.parts[leg.part].settings.missed == Missed::Never;
            let lost = leg.cause == Cause::LOSE_RACE && !never && winner.is_some();
            let lost = lost && !self.legs[id].hung_up && !self.cancelled(id);
            let joined = winner == Some(id);
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
            _ => Some(self.dialled? + millis(self.plan.timeout?)),
        }
    }
}

impl PartSeen {
    /// Progressively: when its time is over, the newest stage rings on beside the next.
    fn goes_on(&self) -> bool {
        let another = self.stage.is_some_and(|stage| stage + 1 < self.stages);
        self.settings.mode == Mode::Progressive && another && !self.last
    }

    fn limit(&self) -> u64 {
        let last = self.stage.unwrap_or(0) + 1 == self.stages;
        millis(self.settings.stage_limit(last))
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// Core ends a leg so for the sake of another or of the caller.
fn nobodys(cause: Cause) -> bool {
    matches!(cause, Cause::LOSE_RACE | Cause::ORIGINATOR_CANCEL)
}

fn past(deadline: Option<u64>, now: u64) -> bool {
    deadline.is_some_and(|at| at <= now)
}
