//! A model of the switch on a virtual clock: it answers the machine's commands as FreeSWITCH
//! might, with phones that answer, reject or stay silent, a caller who may leave, operators
//! who type, and a thread that keeps the deadlines.

use super::{Dice, Fault, Law, Referee, ms};
use mod_cti::ring::{Cause, Command, Event, LegId, NewLeg, PartId, Ring, StageId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// What can happen on the switch.
#[derive(Debug, Clone)]
enum Happening {
    Feed(Event),
    Tick,
    /// The hand carries out its next command.
    Hand,
    Phone(LegId, Deed),
    /// What this leg has told first, and nobody has read yet, is read.
    Report(LegId),
    CallerHangsUp,
    /// An operator.
    Types,
    /// A device of a user of this stage.
    Registers(PartId, StageId),
    /// Some targets of a stage have been looked up, by the look-up of this number.
    Found(u64, Event),
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Ring,
    Media,
    Answer,
    /// Somebody presses `group_confirm_key`.
    Confirm,
    End(Cause),
    /// It says where else to ring.
    Move,
}

/// A leg's channel.
#[derive(Debug, Default)]
struct Phone {
    answered: bool,
    ended: bool,
    /// What it has told and nobody has read yet: in order, and nothing is lost.
    told: VecDeque<Event>,
}

/// The switch: phones, the hand, the caller and the deadline thread, all on one clock.
pub struct Switch<'d> {
    dice: &'d mut Dice,
    ring: Ring,
    referee: Referee,
    now: u64,
    order: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    phones: HashMap<LegId, Phone>,
    /// What the hand has still to do: a Dial waits for all else.
    orders: VecDeque<Command>,
    dials: VecDeque<LegId>,
    hand_works: bool,
    /// As `calls` arms the timer: only when the next deadline is another one.
    armed: Option<Duration>,
    ticks: BTreeMap<Duration, u32>,
    caller_gone: bool,
    joined: Option<LegId>,
    parts: u64,
    /// The newest look-up of each stage.
    look_ups: BTreeMap<(PartId, StageId), u64>,
    looked_up: u64,
    /// How many stages were found to follow others.
    turns: u64,
    /// A stage without a limit: its phones may ring for ever, and the caller's patience does not.
    unlimited: bool,
    /// When all phones that answer do.
    chorus: Option<u64>,
    silent_phones: bool,
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
            unlimited: parts
                .iter()
                .any(|(settings, _)| settings.stage_timeout == Some(Duration::ZERO)),
            dice,
            referee: Referee::new(&parts),
            ring: Ring::new(parts),
            now: 0,
            order: 0,
            agenda: BTreeMap::new(),
            phones: HashMap::new(),
            orders: VecDeque::new(),
            dials: VecDeque::new(),
            hand_works: false,
            armed: None,
            ticks: BTreeMap::new(),
            caller_gone: false,
            joined: None,
            look_ups: BTreeMap::new(),
            looked_up: 0,
            turns: 0,
            silent_phones,
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
        loop {
            let Some(((at, _), what)) = self.agenda.pop_first() else {
                if self.unlimited && !self.caller_gone && self.ring.next_deadline().is_none() {
                    self.after(1, Happening::CallerHangsUp);
                    continue;
                }
                break;
            };
            self.now = at;
            self.happens(what);
            if self.fed > 200_000 {
                let fault = "the call never ends".to_owned();
                self.referee.faults.push((Law::WokenInTime, fault));
                break;
            }
        }
        let ringing = self.phones.values().filter(|phone| !phone.ended).count();
        let ringing = ringing + self.dials.len();
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
                let part = PartId(self.dice.below(self.parts) as usize);
                let ringing = self.ring.ringing(ms(self.now));
                let ringing = ringing.iter().find(|it| it.part == part);
                // The one that rings, as the operator saw it; seldom another.
                let seen = self.dice.below(20) as usize;
                let stage = StageId(ringing.map_or(seen, |it| it.stage.0 + seen / 19));
                let legs = self.dice.legs();
                ("add", Event::Added { part, stage, legs })
            }
            _ => {
                let legs = self.ring.legs().len() as u64;
                (
                    "drop",
                    Event::Drop(LegId(self.dice.below(legs + 1) as usize)),
                )
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
    fn registers(&mut self, part: PartId, stage: StageId) {
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

    /// What is about to be told has found out that another stage follows.
    fn has_turns(&mut self, part: PartId) {
        self.turns += 1;
        self.note("stages found out");
        let turns = Event::Turns { part, more: 1 };
        self.referee.before(self.now, &turns, &self.ring);
        self.ring.handle(ms(self.now), turns);
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn happens(&mut self, what: Happening) {
        match what {
            Happening::Feed(event) => drop(self.feed(event)),
            Happening::Types => self.types(),
            Happening::Registers(part, stage) => self.registers(part, stage),
            Happening::Found(number, event) => {
                // Nobody waits for what another attempt would have found.
                if let Event::Resolved { part, stage, .. } = event
                    && self.look_ups.get(&(part, stage)) == Some(&number)
                {
                    if self.ring.takes(part, stage) && self.turns < 2 && self.dice.one_in(6) {
                        self.has_turns(part);
                    }
                    self.feed(event);
                }
            }
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
            Happening::Hand => self.hand(),
            Happening::Phone(leg, deed) => self.phone(leg, deed),
            Happening::Report(leg) => {
                let phone = self.phones.get_mut(&leg);
                if let Some(event) = phone.and_then(|phone| phone.told.pop_front()) {
                    self.feed(event);
                }
            }
            Happening::CallerHangsUp => {
                if std::mem::replace(&mut self.caller_gone, true) {
                    return;
                }
                let lag = self.dice.below(21);
                self.after(lag, Happening::Feed(Event::CallerGone));
                self.parts_from_caller();
            }
        }
    }

    /// Whoever is joined with a caller who has left is hung up by the bridge.
    fn parts_from_caller(&mut self) {
        let Some(leg) = self.joined else { return };
        let answered = self.phones.get(&leg).is_some_and(|phone| phone.answered);
        let cause = if answered {
            Cause::NORMAL_CLEARING
        } else {
            Cause::ORIGINATOR_CANCEL
        };
        let lag = self.dice.lag(5);
        self.after(lag, Happening::Phone(leg, Deed::End(cause)));
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
            let unknown = LegId(1_000_000 + self.dice.below(3) as usize);
            let event = match self.dice.below(5) {
                0 => Event::Ringing(unknown),
                1 => Event::Answered(unknown),
                2 => Event::Started(unknown),
                3 => Event::Confirmed(unknown),
                _ => Event::Ended {
                    leg: unknown,
                    cause: Cause::USER_BUSY,
                },
            };
            self.after(0, Happening::Feed(event));
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
            match command {
                Command::Dial(leg) => self.dials.push_back(leg),
                command => self.orders.push_back(command),
            }
        }
        self.hand_goes_on();
        count
    }

    fn hand_goes_on(&mut self) {
        let works = !self.orders.is_empty() || !self.dials.is_empty();
        if works && !std::mem::replace(&mut self.hand_works, true) {
            // What is urgent is done at once, an INVITE takes its time.
            let lag = if self.orders.is_empty() {
                self.dice.below(3)
            } else {
                self.dice.lag(5)
            };
            self.after(lag, Happening::Hand);
        }
    }

    /// One command, the urgent ones first.
    fn hand(&mut self) {
        if let Some(command) = self.orders.pop_front() {
            self.carry_out(command);
        } else if let Some(leg) = self.dials.pop_front() {
            self.dial(leg);
        }
        self.hand_works = false;
        self.hand_goes_on();
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Resolve { part, stage } => {
                let (mut legs, lag) = (self.dice.legs(), self.dice.lag(300));
                for (target, leg) in legs.iter_mut().enumerate() {
                    leg.target = target;
                }
                let absent = legs.iter().filter(|leg| leg.may_register);
                for _ in absent {
                    if !self.silent_phones && self.dice.one_in(2) {
                        let at = lag + self.dice.time(6_000);
                        self.after(at, Happening::Registers(part, stage));
                    }
                }
                self.looked_up += 1;
                self.look_ups.insert((part, stage), self.looked_up);
                self.finds(lag, (part, stage), legs);
            }
            Command::Follow { leg, .. } => {
                self.note("followed");
                let (legs, lag) = (self.dice.below(3), self.dice.lag(300));
                let legs = (0..legs).map(|_| self.dice.leg()).collect();
                self.after(lag, Happening::Feed(Event::Followed { leg, legs }));
            }
            Command::Dial(leg) => self.dials.push_back(leg),
            Command::HangUp { leg, cause } => self.hang_up(leg, cause),
            Command::Confirm(leg) => {
                let at = self.dice.time(3_000);
                match self.dice.below(4) {
                    0 => {}
                    1 => {
                        let cause = Cause::NORMAL_CLEARING;
                        self.after(at, Happening::Phone(leg, Deed::End(cause)));
                    }
                    _ => self.after(at, Happening::Phone(leg, Deed::Confirm)),
                }
            }
            Command::Join(leg) => self.join(leg),
            Command::Finish { outcome, .. } => self.note(outcome.name()),
            Command::Alert(_) => {}
        }
    }

    /// All at once, or some of them much later, in any order, and the last may be nobody.
    fn finds(&mut self, lag: u64, (part, stage): (PartId, StageId), mut legs: Vec<NewLeg>) {
        let number = self.looked_up;
        let mut at = lag;
        loop {
            let more = self.dice.one_in(3);
            let mut now = std::mem::take(&mut legs);
            if more {
                let some = self.dice.below(now.len() as u64 + 1) as usize;
                legs = now.split_off(some);
                if self.dice.one_in(2) {
                    std::mem::swap(&mut now, &mut legs);
                }
                self.note("found one by one");
            }
            let found = Event::Resolved {
                part,
                stage,
                legs: now,
                more,
            };
            self.after(at, Happening::Found(number, found));
            if !more {
                return;
            }
            at += self.dice.time(9_000);
        }
    }

    fn hang_up(&mut self, leg: LegId, cause: Cause) {
        if let Some(waits) = self.dials.iter().position(|&it| it == leg) {
            self.note("hung up before it was dialled");
            self.dials.remove(waits);
            self.feed(Event::Ended { leg, cause });
            return;
        }
        let Some(phone) = self.phones.get(&leg).filter(|phone| !phone.ended) else {
            return;
        };
        if phone.answered && self.ring.spares(leg) {
            self.note("spared");
            self.feed(Event::Answered(leg));
            return;
        }
        if phone.answered {
            self.note("answered too late");
            if self.ring.winner() == Some(leg) && self.referee.rings_on(leg) {
                let fault = format!("{}: the winner {leg:?} is hung up", self.now);
                self.referee.faults.push((Law::AnswersCount, fault));
            }
        }
        self.ends(leg, cause);
    }

    fn join(&mut self, leg: LegId) {
        if self.ring.winner() != Some(leg) {
            return; // It was in early media, and another has answered by now.
        }
        self.joined = Some(leg);
        let answered = self.phones.get(&leg).is_some_and(|phone| phone.answered);
        self.note(if answered { "answered" } else { "early media" });
        if self.phones.get(&leg).is_none_or(|phone| phone.ended) {
            return self.comes_back(leg);
        }
        if self.caller_gone {
            return self.parts_from_caller();
        }
        let talk = self.dice.time(30_000);
        if answered {
            self.after(
                talk,
                Happening::Phone(leg, Deed::End(Cause::NORMAL_CLEARING)),
            );
        } else {
            if self.dice.one_in(2) {
                let (it, at) = (self.ring.leg(leg), self.dice.time(3_000));
                let (part, stage) = (it.part, it.stage);
                self.after(at, Happening::Registers(part, stage));
            }
            let at = self.dice.time(5_000);
            match self.dice.below(3) {
                0 => {}
                1 => self.after(at, Happening::Phone(leg, Deed::Answer)),
                _ => {
                    let cause = self.dice.cause();
                    self.after(at, Happening::Phone(leg, Deed::End(cause)));
                }
            }
        }
        self.after(talk, Happening::CallerHangsUp);
    }

    /// The caller's thread comes back from its bridge.
    fn comes_back(&mut self, leg: LegId) {
        self.joined = None;
        let answered = self.phones.get(&leg).is_some_and(|phone| phone.answered);
        if !answered && !self.caller_gone {
            self.note("left unanswered");
            let phone = self.phones.entry(leg).or_default();
            phone.told.push_back(Event::Unanswered(leg));
            let lag = self.dice.below(25);
            self.after(lag, Happening::Report(leg));
        }
    }

    fn dial(&mut self, leg: LegId) {
        if self.dice.one_in(30) {
            self.note("could not be made");
            let cause = self.dice.cause();
            self.feed(Event::Ended { leg, cause });
            return;
        }
        self.phones.insert(leg, Phone::default());
        self.feed(Event::Started(leg));
        if self.silent_phones {
            return;
        }
        let ring = self.dice.time(1_000);
        if !self.dice.one_in(4) {
            self.after(ring, Happening::Phone(leg, Deed::Ring));
        }
        // One that rings alone may win so.
        let media = if self.ring.alone(leg) { 2 } else { 5 };
        if self.dice.one_in(media) {
            let media = ring + self.dice.time(1_000);
            self.after(media, Happening::Phone(leg, Deed::Media));
        }
        let end = self.dice.time(10_000);
        match self.dice.below(6) {
            0 => {}
            1 | 2 => {
                let cause = self.dice.cause();
                self.after(end, Happening::Phone(leg, Deed::End(cause)));
            }
            5 => {
                let end = end / 4;
                self.after(end, Happening::Phone(leg, Deed::Move));
            }
            _ => {
                // Where everybody answers at once, it is in the same millisecond.
                let at_once = self.chorus.map(|at| at.saturating_sub(self.now));
                let at = at_once.filter(|&at| at > 0).unwrap_or(end);
                self.after(at, Happening::Phone(leg, Deed::Answer));
            }
        }
    }

    /// It may be read late, and twice; what the leg has told before is read before.
    fn report(&mut self, leg: LegId, event: Event) {
        let twice = self.dice.one_in(30);
        for _ in 0..1 + u32::from(twice) {
            let lag = self.dice.lag(30);
            let phone = self.phones.get_mut(&leg).expect("it was made");
            phone.told.push_back(event.clone());
            self.after(lag, Happening::Report(leg));
        }
    }

    fn phone(&mut self, leg: LegId, deed: Deed) {
        let Some(phone) = self.phones.get_mut(&leg).filter(|phone| !phone.ended) else {
            return;
        };
        match deed {
            Deed::Ring if !phone.answered => self.report(leg, Event::Ringing(leg)),
            Deed::Media if !phone.answered => self.report(leg, Event::EarlyMedia(leg)),
            Deed::Ring | Deed::Media => {}
            Deed::Answer => {
                if std::mem::replace(&mut phone.answered, true) {
                    return;
                }
                self.report(leg, Event::Answered(leg));
                if self.joined == Some(leg) {
                    let talk = self.dice.time(30_000);
                    let end = Deed::End(Cause::NORMAL_CLEARING);
                    self.after(talk, Happening::Phone(leg, end));
                }
            }
            Deed::Confirm => {
                self.note("confirmed");
                self.report(leg, Event::Confirmed(leg));
            }
            Deed::End(cause) => self.ends(leg, cause),
            Deed::Move if phone.answered => {}
            Deed::Move => {
                phone.ended = true;
                let (cause, places) = (Cause::REQUESTED_CHAN_UNAVAIL, self.dice.places());
                self.report(leg, Event::Redirected { leg, cause, places });
                if self.joined == Some(leg) {
                    self.comes_back(leg);
                }
            }
        }
    }

    fn ends(&mut self, leg: LegId, cause: Cause) {
        let phone = self.phones.get_mut(&leg).expect("it was made");
        phone.ended = true;
        self.report(leg, Event::Ended { leg, cause });
        if self.joined == Some(leg) {
            self.comes_back(leg);
        }
    }
}
