//! Events in no order at all, of legs and parts that may or may not exist: what no
//! switch sends, but a defect between the switch and the machine might. The machine must not
//! panic, must not contradict itself, and must come to an end once every leg has ended.

use super::{Dice, ms};
use mod_cti::ring::{Cause, Command, Event, LegId, LegState, NewLeg, PartId, Ring, StageId};
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
        hung_up: BTreeSet::new(),
        asked_to_confirm: BTreeSet::new(),
        asked: BTreeSet::new(),
        looked_for: BTreeSet::new(),
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
    dialled: BTreeSet<LegId>,
    /// The legs that the machine has told to end, and no answer has spared since.
    hung_up: BTreeSet<LegId>,
    asked_to_confirm: BTreeSet<LegId>,
    /// The stages that wait for their contacts.
    asked: BTreeSet<(PartId, StageId)>,
    /// The legs in whose place somebody is looked up.
    looked_for: BTreeSet<LegId>,
    verdicts: u32,
}

impl Watched {
    fn feed(&mut self, now: Duration, event: Event) -> Result<(), String> {
        self.now = self.now.max(now);
        if let Event::Resolved {
            part,
            stage,
            more: false,
            ..
        } = &event
        {
            self.asked.remove(&(*part, *stage));
        }
        if let Event::Followed { leg, .. } = &event {
            self.looked_for.remove(leg);
        }
        let resumes = matches!(&event, Event::Unanswered(leg) if self.ring.may_resume(*leg));
        if resumes {
            self.verdicts = 0;
        }
        let early = self.ring.tentative();
        let was_over = self.ring.over() && !resumes && early.is_none();
        let ended_before: BTreeSet<LegId> = self.ended().collect();
        for command in self.ring.handle(now, event.clone()) {
            let up = |leg: &LegId| self.dialled.contains(leg) && !ended_before.contains(leg);
            let fresh = match &command {
                Command::Resolve { part, stage } => {
                    // Its time may have passed in an earlier attempt, with nobody found.
                    self.asked.insert((*part, *stage));
                    !was_over
                }
                Command::Follow { leg, places } => {
                    let dialled = self.dialled.contains(leg) && !places.is_empty();
                    !was_over && dialled && self.looked_for.insert(*leg)
                }
                Command::Dial(leg) => {
                    let known = leg.0 < self.ring.legs().len();
                    !was_over && known && self.dialled.insert(*leg)
                }
                Command::HangUp { leg, .. } => up(leg) && self.hung_up.insert(*leg),
                Command::Confirm(leg) => up(leg) && self.asked_to_confirm.insert(*leg),
                Command::Alert(leg) => up(leg),
                Command::Join(leg) => {
                    let right = up(leg);
                    self.hung_up.remove(leg);
                    self.verdicts += 1;
                    if early.is_some_and(|early| early != *leg) {
                        self.verdicts = 1;
                    }
                    right
                }
                Command::Finish { .. } => {
                    self.verdicts += 1;
                    self.ring.winner().is_none()
                }
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

    fn ended(&self) -> impl Iterator<Item = LegId> {
        let legs = self.ring.legs().iter().enumerate();
        legs.filter(|(_, leg)| leg.state == LegState::Ended)
            .map(|(id, _)| LegId(id))
    }

    /// Nobody answers any more and every deadline passes.
    fn end(&mut self) -> Result<(), String> {
        let mut failed: BTreeSet<LegId> = self.ended().collect();
        for _ in 0..1_000 {
            for (part, stage) in self.asked.clone() {
                let nobody = Event::Resolved {
                    part,
                    stage,
                    legs: Vec::new(),
                    more: false,
                };
                self.feed(self.now, nobody)?;
            }
            for leg in self.looked_for.clone() {
                let legs = Vec::new();
                self.feed(self.now, Event::Followed { leg, legs })?;
            }
            for leg in self.dialled.clone() {
                if failed.insert(leg) {
                    let cause = Cause::NO_USER_RESPONSE;
                    self.feed(self.now, Event::Ended { leg, cause })?;
                }
            }
            match self.ring.next_deadline() {
                Some(next) => self.feed(next, Event::Tick)?,
                None if self.asked.is_empty()
                    && self.looked_for.is_empty()
                    && self.dialled.is_subset(&failed) =>
                {
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
    match dice.below(24) {
        21 | 22 => Event::Redirected {
            leg: LegId(id(dice)),
            cause: any_cause(dice),
            places: dice.places(),
        },
        23 => Event::Followed {
            leg: LegId(id(dice)),
            legs: legs(dice),
        },
        0 | 1 => Event::Tick,
        20 => Event::Unanswered(LegId(id(dice))),
        2 | 3 => Event::Resolved {
            part: PartId(id(dice)),
            stage: StageId(id(dice)),
            legs: legs(dice),
            more: dice.one_in(2),
        },
        4 => Event::Added {
            part: PartId(id(dice)),
            stage: StageId(id(dice)),
            legs: legs(dice),
        },
        5 => Event::Started(LegId(id(dice))),
        6 | 7 => Event::Ringing(LegId(id(dice))),
        8 => Event::EarlyMedia(LegId(id(dice))),
        9 => Event::Answered(LegId(id(dice))),
        10 | 11 => Event::Ended {
            leg: LegId(id(dice)),
            cause: any_cause(dice),
        },
        12 => Event::Answered(LegId(id(dice))),
        13 | 14 => Event::Confirmed(LegId(id(dice))),
        15 => Event::CallerGone,
        16 => Event::Cancel(any_cause(dice)),
        17 => Event::Skip,
        18 => Event::Drop(LegId(id(dice))),
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
