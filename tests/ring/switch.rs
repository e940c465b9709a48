//! A model of the switch on a virtual clock: it answers the machine's commands as FreeSWITCH
//! might, with phones that answer, reject or stay silent, a caller who may leave, operators
//! who type, and a thread that keeps the deadlines.

use super::{Dice, Fault, Law, Referee, ms};
use mod_cti::ring::{BranchId, Cause, Command, EarlyMedia, Event, LegId, NewLeg, PartId, Ring};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What can happen on the switch.
#[derive(Debug, Clone)]
enum Happening {
    Feed(Event),
    Tick,
    /// A thread takes the Dial up.
    Originate(BranchId),
    Phone(LegId, Deed),
    /// Core looks at the branch's cancel cell (or at its caller).
    Poll(BranchId, Cause),
    Return(BranchId),
    CallerHangsUp,
    /// An operator.
    Types,
    /// A device of a user of this stage.
    Registers(PartId, usize),
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Start,
    Ring,
    Media,
    Answer,
    /// Somebody presses `group_confirm_key`.
    Confirm,
    End(Cause),
    /// By us: an answer in the same moment stands.
    HangUp(Cause),
}

#[derive(Debug, Default)]
struct Phone {
    branch: BranchId,
    created: bool,
    up: bool,
    rang: bool,
    /// For good: where it has to be confirmed, it has been.
    answered: bool,
    ended: bool,
    doomed: Option<Cause>,
}

#[derive(Debug)]
struct Originate {
    legs: Vec<LegId>,
    early_media_wins: bool,
    with_caller: bool,
    cell: Option<Cause>,
    decided: Option<Result<LegId, Cause>>,
    returned: bool,
}

/// The switch: phones, originates, the caller and the deadline thread, all on one clock.
pub struct Switch<'d> {
    dice: &'d mut Dice,
    ring: Ring,
    referee: Referee,
    now: u64,
    order: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    phones: HashMap<LegId, Phone>,
    branches: HashMap<BranchId, Originate>,
    /// As `calls` arms the timer: only when the next deadline is another one.
    armed: Option<Duration>,
    ticks: BTreeMap<Duration, u32>,
    caller_gone: bool,
    joined: Option<LegId>,
    parts: u64,
    /// When all phones that answer do.
    chorus: Option<u64>,
    silent_phones: bool,
    /// Which legs have to be confirmed.
    confirms: Vec<bool>,
    /// When an operator's command last had an effect.
    typed: Option<u64>,
    fed: u64,
    seen: BTreeMap<&'static str, u64>,
}

/// A call that is over.
pub struct Played {
    pub faults: Vec<Fault>,
    pub events: u64,
    /// What happened, and how often: a soak in which something never does proves nothing of it.
    pub seen: BTreeMap<&'static str, u64>,
}

impl<'d> Switch<'d> {
    pub fn new(dice: &'d mut Dice, silent_phones: bool) -> Switch<'d> {
        let parts = 1 + usize::from(dice.one_in(4)) + usize::from(dice.one_in(4));
        let parts: Vec<_> = (0..parts)
            .map(|_| (dice.settings(), 1 + dice.below(4) as usize))
            .collect();
        Switch {
            chorus: dice.maybe(3, |dice| 500 + dice.time(2_000)),
            parts: parts.len() as u64,
            dice,
            referee: Referee::new(&parts),
            ring: Ring::new(parts),
            now: 0,
            order: 0,
            agenda: BTreeMap::new(),
            phones: HashMap::new(),
            branches: HashMap::new(),
            armed: None,
            ticks: BTreeMap::new(),
            caller_gone: false,
            joined: None,
            silent_phones,
            confirms: Vec::new(),
            typed: None,
            fed: 0,
            seen: BTreeMap::new(),
        }
    }

    fn after(&mut self, delay: u64, what: Happening) {
        self.order += 1;
        self.agenda.insert((self.now + delay, self.order), what);
    }

    /// The whole call, until nothing is left to happen.
    pub fn run(mut self) -> Played {
        self.after(0, Happening::Feed(Event::Begin));
        if !self.silent_phones {
            if self.dice.one_in(4) {
                let at = self.dice.time(12_000);
                self.after(at, Happening::CallerHangsUp);
            }
            if self.dice.one_in(2) {
                self.operators();
            }
        }
        while let Some(((at, _), what)) = self.agenda.pop_first() {
            self.now = at;
            self.happens(what);
            if self.fed > 200_000 {
                let fault = "the call never ends".to_owned();
                self.referee.faults.push((Law::WokenInTime, fault));
                break;
            }
        }
        let ringing = self
            .phones
            .values()
            .filter(|phone| phone.up && !phone.ended)
            .count();
        self.referee.over(&self.ring, ringing);
        Played {
            faults: self.referee.faults,
            events: self.fed,
            seen: self.seen,
        }
    }

    /// They type at random moments: also two in the same one, or in that of an answer.
    fn operators(&mut self) {
        let mut at = 0;
        for _ in 0..1 + self.dice.below(4) {
            at = match self.dice.below(4) {
                0 => at,
                1 => self.chorus.unwrap_or(at),
                _ => self.dice.time(12_000),
            };
            self.after(at, Happening::Types);
        }
    }

    /// One command, of the call as it is now.
    fn types(&mut self) {
        let (name, event) = match self.dice.below(6) {
            0 => ("skip", Event::Skip),
            1 => ("extend", Event::Extend(ms(self.dice.time(5_000)))),
            2 => {
                let causes = [
                    Cause::ORIGINATOR_CANCEL,
                    Cause::MANAGER_REQUEST,
                    Cause::USER_BUSY,
                ];
                let cause = causes[self.dice.below(3) as usize];
                ("cancel", Event::Cancel(cause))
            }
            3 => {
                let part = self.dice.below(self.parts) as usize;
                let ringing = self.ring.ringing(ms(self.now));
                let ringing = ringing.iter().find(|it| it.part == part);
                // The one that rings, as the operator saw it; seldom another.
                let seen = self.dice.below(20) as usize;
                let stage = ringing.map_or(seen, |it| it.stage - 1 + seen / 19);
                let legs = self.dice.legs();
                ("add", Event::Added { part, stage, legs })
            }
            _ => {
                let legs = self.ring.legs().len() as u64;
                ("drop", Event::Drop(self.dice.below(legs + 1) as usize))
            }
        };
        let before = self.ring.next_deadline();
        if self.feed(event) > 0 || self.ring.next_deadline() != before {
            self.note(name);
            if self.typed == Some(self.now) {
                self.note("two operators at once");
            }
            self.typed = Some(self.now);
        }
    }

    /// It joins its stage, if that still rings; a second one has registered meanwhile.
    fn registers(&mut self, part: PartId, stage: usize) {
        let legs = 1 + self.dice.below(2);
        let legs = (0..legs).map(|_| NewLeg {
            dead: None,
            may_register: false,
            ..self.dice.leg()
        });
        let legs = legs.collect();
        if self.feed(Event::Added { part, stage, legs }) > 0 {
            self.note("registered late");
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn happens(&mut self, what: Happening) {
        match what {
            Happening::Feed(event) => drop(self.feed(event)),
            Happening::Types => self.types(),
            Happening::Registers(part, stage) => self.registers(part, stage),
            Happening::Tick => {
                let due = self.ticks.first_key_value().map(|(&due, _)| due);
                let due = due
                    .filter(|&due| due <= ms(self.now))
                    .expect("a tick was armed");
                match self.ticks.get_mut(&due) {
                    Some(count) if *count > 1 => *count -= 1,
                    _ => drop(self.ticks.remove(&due)),
                }
                self.feed(Event::Tick);
            }
            Happening::Originate(branch) => self.originate(branch),
            Happening::Phone(leg, deed) => self.phone(leg, deed),
            Happening::Poll(branch, cause) => self.poll(branch, cause),
            Happening::Return(branch) => self.returns(branch),
            Happening::CallerHangsUp => {
                self.caller_gone = true;
                let busy = self
                    .branches
                    .iter()
                    .find(|(_, it)| it.with_caller && !it.returned);
                let (busy, lag) = (busy.map(|(&branch, _)| branch), self.dice.below(21));
                match busy {
                    Some(branch) => {
                        self.after(lag, Happening::Poll(branch, Cause::ORIGINATOR_CANCEL));
                    }
                    None => self.after(lag, Happening::Feed(Event::CallerGone)),
                }
            }
        }
    }

    /// How many commands follow.
    fn feed(&mut self, event: Event) -> usize {
        self.fed += 1;
        let once = matches!(
            event,
            Event::Resolved { .. } | Event::Added { .. } | Event::Begin
        );
        if !once && self.dice.one_in(60) {
            // Once more, later.
            let lag = self.dice.time(500);
            self.after(lag, Happening::Feed(event.clone()));
        }
        if self.dice.one_in(80) {
            let unknown = 1_000_000 + self.dice.below(3) as usize;
            let event = match self.dice.below(5) {
                0 => Event::Ringing(unknown),
                1 => Event::Answered(unknown),
                2 => Event::Ended {
                    leg: unknown,
                    cause: Cause::USER_BUSY,
                    rang: Some(ms(self.now)),
                },
                3 => Event::BranchFailed {
                    branch: unknown,
                    cause: Cause::USER_BUSY,
                },
                _ => Event::BranchWon {
                    branch: unknown,
                    leg: unknown,
                    answered: true,
                },
            };
            self.after(0, Happening::Feed(event));
        }
        if let Event::Resolved { legs, .. } | Event::Added { legs, .. } = &event {
            let confirms = legs.iter().map(|leg| leg.confirm.is_some());
            self.confirms.extend(confirms);
        }
        self.referee.before(self.now, &event, &self.ring);
        let commands = self.ring.handle(ms(self.now), event.clone());
        self.referee.after(self.now, &event, &commands, &self.ring);
        let next = self.ring.next_deadline();
        if let Some(next) = next.filter(|_| std::mem::replace(&mut self.armed, next) != next) {
            *self.ticks.entry(next).or_default() += 1;
            let late = if self.dice.one_in(4) {
                self.dice.below(40)
            } else {
                0
            };
            let due = u64::try_from(next.as_millis()).expect("a sane time");
            self.after(due.saturating_sub(self.now) + late, Happening::Tick);
        }
        self.referee.wakes(self.now, &self.ring, &self.ticks);
        let count = commands.len();
        for command in commands {
            self.carry_out(command);
        }
        count
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Resolve { part, stage } => {
                let (legs, lag) = (self.dice.legs(), self.dice.lag(300));
                let absent = legs.iter().filter(|leg| leg.may_register);
                for _ in absent {
                    if !self.silent_phones && self.dice.one_in(2) {
                        let at = lag + self.dice.time(6_000);
                        self.after(at, Happening::Registers(part, stage));
                    }
                }
                self.after(lag, Happening::Feed(Event::Resolved { part, legs }));
            }
            Command::Dial {
                branch,
                part,
                legs,
                early_media,
                aside,
                ..
            } => {
                let early_media_wins =
                    matches!(early_media, EarlyMedia::Core | EarlyMedia::AsWritten);
                for &leg in &legs {
                    self.phones.insert(
                        leg,
                        Phone {
                            branch,
                            ..Phone::default()
                        },
                    );
                }
                let with_caller = part == 0 && !aside;
                let it = Originate {
                    legs,
                    early_media_wins,
                    with_caller,
                    cell: None,
                    decided: None,
                    returned: false,
                };
                self.branches.insert(branch, it);
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Originate(branch));
            }
            Command::Cancel { branch, cause } => {
                // Zero in the cell is no cancel.
                if let Some(it) = self
                    .branches
                    .get_mut(&branch)
                    .filter(|_| cause != Cause::NONE)
                {
                    it.cell = Some(cause);
                    let lag = self.dice.below(21);
                    self.after(lag, Happening::Poll(branch, cause));
                }
            }
            Command::HangUp { leg, cause } => {
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Phone(leg, Deed::HangUp(cause)));
            }
            Command::Join { leg, .. } => {
                self.joined = Some(leg);
                self.note("answered");
                let answered = self.phones.get(&leg).is_some_and(|phone| phone.answered);
                let talk = self.dice.time(30_000);
                if !answered && self.dice.one_in(2) {
                    let (it, at) = (&self.ring.legs()[leg], self.dice.time(3_000));
                    let (part, stage) = (it.part, it.stage);
                    self.after(at, Happening::Registers(part, stage));
                }
                if !answered && self.dice.one_in(3) {
                    let at = self.dice.time(5_000);
                    self.after(at, Happening::Phone(leg, Deed::Answer));
                } else if answered || self.dice.one_in(3) {
                    self.after(
                        talk,
                        Happening::Phone(leg, Deed::End(Cause::NORMAL_CLEARING)),
                    );
                }
                self.after(talk, Happening::Feed(Event::CallerGone));
            }
            Command::Lose { leg, .. } => {
                self.note("lost in early media");
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Phone(leg, Deed::End(Cause::LOSE_RACE)));
            }
            Command::TooLate { leg, cause, .. } => {
                self.note("answered too late");
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Phone(leg, Deed::End(cause)));
            }
            Command::Finish { outcome, .. } => self.note(outcome.name()),
            Command::RingCaller => {}
        }
    }

    fn originate(&mut self, branch: BranchId) {
        let it = self.branches.get_mut(&branch).expect("dialled");
        if it.decided.is_some() {
            return;
        }
        if let Some(cause) = it.cell {
            it.decided = Some(Err(cause));
            return self.returns(branch);
        }
        let legs = it.legs.clone();
        for &leg in &legs {
            if self.dice.one_in(30) {
                continue;
            }
            let phone = self.phones.get_mut(&leg).expect("dialled");
            phone.created = true;
            let start = self.dice.lag(10);
            self.after(start, Happening::Phone(leg, Deed::Start));
            if self.silent_phones {
                continue;
            }
            let ring = start + self.dice.time(1_000);
            if !self.dice.one_in(4) {
                self.after(ring, Happening::Phone(leg, Deed::Ring));
            }
            // One that rings alone may win so.
            let media = if legs.len() == 1 { 2 } else { 5 };
            if self.dice.one_in(media) {
                let media = ring + self.dice.time(1_000);
                self.after(media, Happening::Phone(leg, Deed::Media));
            }
            let end = start + self.dice.time(10_000);
            match self.dice.below(5) {
                0 => {}
                1 | 2 => {
                    let cause = self.dice.cause();
                    self.after(end, Happening::Phone(leg, Deed::End(cause)));
                }
                _ => {
                    // Where everybody answers at once, it is in the same millisecond.
                    let at_once = self.chorus.map(|at| at.saturating_sub(self.now));
                    let at = at_once.filter(|&at| at > start).unwrap_or(end);
                    self.after(at, Happening::Phone(leg, Deed::Answer));
                }
            }
        }
        if legs.iter().all(|leg| !self.phones[leg].created) {
            let cause = self.dice.cause();
            self.decide(branch, Err(cause));
        }
    }

    fn decide(&mut self, branch: BranchId, how: Result<LegId, Cause>) {
        self.branches.get_mut(&branch).expect("dialled").decided = Some(how);
        let lag = self.dice.below(21);
        self.after(lag, Happening::Return(branch));
    }

    /// An event of a channel: it may come late, twice or never.
    fn report(&mut self, event: Event) {
        if !self.dice.one_in(16) {
            let lag = self.dice.lag(30);
            self.after(lag, Happening::Feed(event));
        }
    }

    fn phone(&mut self, leg: LegId, deed: Deed) {
        let Some(phone) = self.phones.get_mut(&leg).filter(|phone| !phone.ended) else {
            return;
        };
        let branch = phone.branch;
        if !phone.created {
            if let Deed::HangUp(cause) = deed {
                phone.doomed = Some(cause);
            }
            return;
        }
        match deed {
            Deed::Start => {
                phone.up = true;
                let doomed = phone.doomed;
                self.feed(Event::Started(leg));
                if let Some(cause) = doomed {
                    self.phone(leg, Deed::End(cause));
                }
            }
            Deed::Ring => {
                phone.rang = true;
                self.report(Event::Ringing(leg));
            }
            Deed::Media => {
                phone.rang = true;
                self.report(Event::EarlyMedia(leg));
                let it = &self.branches[&branch];
                if it.early_media_wins && it.decided.is_none() && !self.confirms[leg] {
                    self.wins(branch, leg);
                }
            }
            Deed::Answer if self.confirms[leg] => {
                self.report(Event::Answered(leg));
                let at = self.dice.time(3_000);
                match self.dice.below(4) {
                    0 => {}
                    1 => self.after(at, Happening::Phone(leg, Deed::End(Cause::NORMAL_CLEARING))),
                    _ => self.after(at, Happening::Phone(leg, Deed::Confirm)),
                }
            }
            Deed::Confirm => {
                if self.branches[&branch].decided.is_none() {
                    phone.answered = true;
                    self.note("confirmed");
                    self.wins(branch, leg);
                }
            }
            Deed::Answer => {
                phone.answered = true;
                self.report(Event::Answered(leg));
                if self.branches[&branch].decided.is_none() {
                    self.wins(branch, leg);
                } else if self.joined == Some(leg) {
                    self.feed(Event::Answered(leg));
                    let talk = self.dice.time(30_000);
                    self.after(
                        talk,
                        Happening::Phone(leg, Deed::End(Cause::NORMAL_CLEARING)),
                    );
                }
            }
            Deed::HangUp(cause) if !phone.answered => self.ends(leg, cause),
            Deed::HangUp(_) => {}
            Deed::End(cause) => self.ends(leg, cause),
        }
    }

    /// Core ends the others before its originate returns, or about then.
    fn wins(&mut self, branch: BranchId, leg: LegId) {
        self.decide(branch, Ok(leg));
        for other in self.branches[&branch].legs.clone() {
            if other != leg {
                let lag = self.dice.below(25);
                self.after(lag, Happening::Phone(other, Deed::End(Cause::LOSE_RACE)));
            }
        }
    }

    fn ends(&mut self, leg: LegId, cause: Cause) {
        let phone = self.phones.get_mut(&leg).expect("dialled");
        phone.ended = true;
        let (branch, rang) = (phone.branch, phone.rang.then_some(ms(self.now)));
        let lag = if self.dice.one_in(10) {
            self.dice.below(300)
        } else {
            0
        };
        self.after(lag, Happening::Feed(Event::Ended { leg, cause, rang }));
        if self.joined == Some(leg) && !self.phones[&leg].answered && !self.caller_gone {
            // The caller's thread comes back from its bridge.
            let lag = lag + self.dice.below(25);
            self.after(lag, Happening::Feed(Event::Unanswered(leg)));
        }
        let it = &self.branches[&branch];
        let over = |leg: &LegId| self.phones[leg].ended || !self.phones[leg].created;
        if it.decided.is_none() && it.legs.iter().all(over) {
            self.decide(branch, Err(cause));
        }
    }

    fn poll(&mut self, branch: BranchId, cause: Cause) {
        let it = self.branches.get_mut(&branch).expect("dialled");
        if it.decided.is_some() {
            return;
        }
        it.decided = Some(Err(cause));
        for leg in it.legs.clone() {
            let phone = &self.phones[&leg];
            if phone.created && !phone.ended {
                self.ends(leg, cause);
            }
        }
        let lag = self.dice.lag(5);
        self.after(lag, Happening::Return(branch));
    }

    fn returns(&mut self, branch: BranchId) {
        let it = self.branches.get_mut(&branch).expect("dialled");
        it.returned = true;
        let with_caller = it.with_caller;
        match it.decided.expect("decided") {
            Ok(leg) => {
                let answered = self.phones[&leg].answered;
                self.feed(Event::Started(leg));
                self.feed(Event::BranchWon {
                    branch,
                    leg,
                    answered,
                });
                if self.caller_gone && with_caller {
                    self.feed(Event::CallerGone);
                }
            }
            Err(cause) => {
                if self.caller_gone && with_caller {
                    self.feed(Event::CallerGone);
                }
                self.feed(Event::BranchFailed { branch, cause });
            }
        }
    }
}
