//! Events in no order at all, of legs, branches and parts that may or may not exist: what no
//! switch sends, but a defect between the switch and the machine might. The machine must not
//! panic, must not contradict itself, and must come to an end once everything has returned.

use super::{Dice, ms};
use mod_cti::ring::{Cause, Command, Event, NewLeg, Ring};
use std::collections::BTreeSet;
use std::time::Duration;

/// What is wrong with the machine's answers, if anything is.
pub fn disorder(dice: &mut Dice) -> Result<(), String> {
    let parts = 1 + dice.below(3) as usize;
    let settings = (0..parts).map(|_| (dice.settings(), 1 + dice.below(3) as usize));
    let mut watched = Watched {
        ring: Ring::new(settings.collect()),
        now: Duration::ZERO,
        dialled: BTreeSet::new(),
        rung: BTreeSet::new(),
        cancelled: BTreeSet::new(),
        asked: BTreeSet::new(),
        verdicts: 0,
    };
    watched.feed(Duration::ZERO, Event::Begin)?;
    for _ in 0..dice.below(256) {
        let (now, event) = (ms(dice.below(3_000)), any_event(dice));
        watched.feed(now, event)?;
    }
    watched.end()
}

struct Watched {
    ring: Ring,
    now: Duration,
    dialled: BTreeSet<usize>,
    /// The legs that were dialled.
    rung: BTreeSet<usize>,
    cancelled: BTreeSet<usize>,
    /// The parts that wait for their contacts.
    asked: BTreeSet<usize>,
    verdicts: u32,
}

impl Watched {
    fn feed(&mut self, now: Duration, event: Event) -> Result<(), String> {
        self.now = self.now.max(now);
        if let Event::Resolved { part, .. } = &event {
            self.asked.remove(part);
        }
        let resumes = matches!(&event, Event::Unanswered(leg) if self.ring.may_resume(*leg));
        if resumes {
            self.verdicts = 0;
        }
        let was_over = self.ring.over() && !resumes && self.ring.tentative().is_none();
        for command in self.ring.handle(now, event.clone()) {
            let fresh = match &command {
                Command::Resolve { part, .. } => !was_over && self.asked.insert(*part),
                Command::Dial { branch, legs, .. } => {
                    let known = |&leg: &usize| leg < self.ring.legs().len();
                    !was_over
                        && !legs.is_empty()
                        && legs.iter().all(known)
                        && self.dialled.insert(*branch)
                        && legs.iter().all(|&leg| self.rung.insert(leg))
                }
                Command::Cancel { branch, .. } => {
                    self.dialled.contains(branch) && self.cancelled.insert(*branch)
                }
                Command::HangUp { leg, .. } => self.rung.contains(leg),
                Command::Join { leg, branch, .. } => {
                    self.verdicts += 1;
                    self.rung.contains(leg) && self.dialled.contains(branch)
                }
                Command::Lose { leg, branch } => {
                    self.verdicts = 0;
                    self.rung.contains(leg) && self.dialled.contains(branch)
                }
                Command::TooLate { leg, branch, .. } => {
                    self.rung.contains(leg) && self.dialled.contains(branch)
                }
                Command::Finish { .. } => {
                    self.verdicts += 1;
                    self.ring.winner().is_none()
                }
                Command::RingCaller => true,
            };
            if !fresh || self.verdicts > 1 {
                return Err(format!("{now:?} {event:?}: {command:?}"));
            }
        }
        match self.ring.next_deadline().filter(|next| *next < self.now) {
            Some(next) => Err(format!("{:?} {event:?}: {next:?} is left undone", self.now)),
            None => Ok(()),
        }
    }

    /// Nobody answers any more and every deadline passes.
    fn end(&mut self) -> Result<(), String> {
        let mut failed = BTreeSet::new();
        for _ in 0..1_000 {
            for part in self.asked.clone() {
                let legs = Vec::new();
                self.feed(self.now, Event::Resolved { part, legs })?;
            }
            for branch in self.dialled.clone() {
                if failed.insert(branch) {
                    let cause = Cause::NO_USER_RESPONSE;
                    self.feed(self.now, Event::BranchFailed { branch, cause })?;
                }
            }
            match self.ring.next_deadline() {
                Some(next) => self.feed(next, Event::Tick)?,
                None if self.asked.is_empty() && self.dialled == failed => {
                    return match self.verdicts {
                        1 => Ok(()),
                        verdicts => Err(format!("{verdicts} verdicts at the end")),
                    };
                }
                None => {}
            }
        }
        Err("the call never ends".to_owned())
    }
}

fn any_event(dice: &mut Dice) -> Event {
    match dice.below(21) {
        0 | 1 => Event::Tick,
        20 => Event::Unanswered(id(dice)),
        2 | 3 => Event::Resolved {
            part: id(dice),
            legs: legs(dice),
        },
        4 => Event::Added {
            part: id(dice),
            stage: id(dice),
            legs: legs(dice),
        },
        5 => Event::Started(id(dice)),
        6 | 7 => Event::Ringing(id(dice)),
        8 => Event::EarlyMedia(id(dice)),
        9 => Event::Answered(id(dice)),
        10 | 11 => Event::Ended {
            leg: id(dice),
            cause: any_cause(dice),
            rang: dice.maybe(2, |dice| ms(dice.below(3_000))),
        },
        12 | 13 => Event::BranchFailed {
            branch: id(dice),
            cause: any_cause(dice),
        },
        14 => Event::BranchWon {
            branch: id(dice),
            leg: id(dice),
            answered: dice.one_in(2),
        },
        15 => Event::CallerGone,
        16 => Event::Cancel(any_cause(dice)),
        17 => Event::Skip,
        18 => Event::Drop(id(dice)),
        _ => Event::Extend(ms(dice.below(2_000))),
    }
}

fn id(dice: &mut Dice) -> usize {
    match dice.below(20) as usize {
        19 => usize::MAX,
        id => id / 2,
    }
}

fn any_cause(dice: &mut Dice) -> Cause {
    match dice.below(3) {
        0 => dice.cause(),
        1 => Cause(dice.below(900) as u32),
        _ => [Cause::LOSE_RACE, Cause::ORIGINATOR_CANCEL][dice.below(2) as usize],
    }
}

/// Few: a fuzzer shall not spend its time on hundreds.
fn legs(dice: &mut Dice) -> Vec<NewLeg> {
    (0..dice.below(4)).map(|_| dice.leg()).collect()
}
