//! Every order in which the events of two and of three branches can arrive, with what the
//! caller, an operator or a deadline does at any moment in between. The events of one branch
//! keep their order; all merges are played, and the referee watches over each.

use super::{Fault, Referee, ms};
use mod_cti::ring::{BranchId, Cause, Command, Event, NewLeg, Ring, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How a branch of one leg ends. All but the last but one pay no heed to a cancel: so each
/// answer, rejection and failure also crosses it.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answers,
    /// Its originate returns before the event of the answer is delivered.
    AnswersUnheard,
    IsBusy,
    /// It rings until its branch is cancelled.
    Rings,
    /// Its originate returns, and nothing was heard of its leg.
    Fails,
}

const FATES: [Fate; 5] = [
    Fate::Answers,
    Fate::AnswersUnheard,
    Fate::IsBusy,
    Fate::Rings,
    Fate::Fails,
];

/// How there come to be several branches.
#[derive(Debug, Clone, Copy)]
enum Grown {
    /// Targets are added to a stage that rings; another stage follows.
    Added,
    /// `:_:`
    Parts,
}

fn ended(leg: usize, cause: Cause) -> Event {
    Event::Ended {
        leg,
        cause,
        rang: None,
    }
}

/// Branch and leg have the same number: each branch has one.
fn events(fate: Fate, id: usize) -> Vec<Event> {
    let failed = |cause| Event::BranchFailed { branch: id, cause };
    let won = Event::BranchWon {
        branch: id,
        leg: id,
        answered: true,
    };
    match fate {
        Fate::Answers => vec![Event::Answered(id), won],
        Fate::AnswersUnheard => vec![won],
        Fate::IsBusy => vec![ended(id, Cause::USER_BUSY), failed(Cause::USER_BUSY)],
        // With the cause of its cancel, if there has been one.
        Fate::Rings => vec![ended(id, Cause::NONE), failed(Cause::NONE)],
        Fate::Fails => vec![failed(Cause::NO_USER_RESPONSE)],
    }
}

/// What else happens, at any moment.
fn outside() -> Vec<Vec<Event>> {
    let events = [
        Event::CallerGone,
        Event::Cancel(Cause::CALL_REJECTED),
        Event::Skip,
        Event::Drop(0),
        Event::Tick,
    ];
    let each = events.into_iter().map(|event| vec![event]);
    std::iter::once(Vec::new()).chain(each).collect()
}

/// All of them for so many branches: how many were played, and the first fault.
pub fn every_interleaving(branches: usize) -> Result<u64, String> {
    let mut played = 0;
    for grown in [Grown::Added, Grown::Parts] {
        for nth in 0..FATES.len().pow(branches as u32) {
            let digit = |id: usize| nth / FATES.len().pow(id as u32) % FATES.len();
            // Which of the added two is the first changes nothing.
            if branches == 3 && digit(1) > digit(2) {
                continue;
            }
            let fate = |id: usize| FATES[digit(id)];
            for other in outside() {
                let mut rows: Vec<_> = (0..branches).map(|id| events(fate(id), id)).collect();
                rows.push(other);
                merges(&rows, &mut Vec::new(), &mut |order| {
                    played += 1;
                    match play(grown, branches, order).first() {
                        Some(fault) => Err(format!("{grown:?} {order:?}: {fault:?}")),
                        None => Ok(()),
                    }
                })?;
            }
        }
    }
    Ok(played)
}

/// Every merge of the rows that keeps each row's own order.
fn merges(
    rows: &[Vec<Event>],
    order: &mut Vec<Event>,
    visit: &mut impl FnMut(&[Event]) -> Result<(), String>,
) -> Result<(), String> {
    let mut done = true;
    for nth in 0..rows.len() {
        if let [first, rest @ ..] = &rows[nth][..] {
            done = false;
            let mut left = rows.to_vec();
            left[nth] = rest.to_vec();
            order.push(first.clone());
            merges(&left, order, visit)?;
            order.pop();
        }
    }
    if done { visit(order) } else { Ok(()) }
}

struct Play {
    ring: Ring,
    /// What each branch was told.
    cancelled: BTreeMap<BranchId, Cause>,
    /// Those that ring on, as nobody has cancelled them yet.
    ringing: BTreeSet<BranchId>,
    referee: Referee,
    now: Duration,
}

fn play(grown: Grown, branches: usize, order: &[Event]) -> Vec<Fault> {
    let parts = match grown {
        Grown::Added => vec![(Settings::default(), 2)],
        Grown::Parts => vec![(Settings::default(), 1); branches],
    };
    let mut play = Play {
        referee: Referee::new(&parts),
        ring: Ring::new(parts),
        cancelled: BTreeMap::new(),
        ringing: BTreeSet::new(),
        now: Duration::ZERO,
    };
    play.feed(Event::Begin);
    for nth in 0..branches {
        let legs = vec![NewLeg::default()];
        play.feed(match (grown, nth) {
            (Grown::Parts, part) => Event::Resolved { part, legs },
            (Grown::Added, 0) => Event::Resolved { part: 0, legs },
            (Grown::Added, _) => Event::Added {
                part: 0,
                stage: 0,
                legs,
            },
        });
    }
    for event in order {
        if let (Event::Tick, Some(deadline)) = (event, play.ring.next_deadline()) {
            play.now = play.now.max(deadline);
        }
        play.core_tells(event.clone());
    }
    play.end()
}

impl Play {
    /// Who rings obeys its cancel.
    fn core_tells(&mut self, event: Event) {
        let (Event::Ended { leg: id, cause, .. } | Event::BranchFailed { branch: id, cause }) =
            event
        else {
            return self.feed(event);
        };
        let told = self.cancelled.get(&id).copied();
        if told.is_some() && matches!(event, Event::BranchFailed { .. }) {
            self.ringing.remove(&id);
        }
        match (cause, told, &event) {
            (Cause::NONE, None, _) => _ = self.ringing.insert(id),
            (Cause::NONE, Some(cause), Event::Ended { .. }) => self.feed(ended(id, cause)),
            (Cause::NONE, Some(cause), _) => self.feed(Event::BranchFailed { branch: id, cause }),
            _ => self.feed(event),
        }
    }

    fn feed(&mut self, event: Event) {
        self.now += ms(1);
        let now = self.now.as_millis() as u64;
        self.referee.before(now, &event, &self.ring);
        let commands = self.ring.handle(self.now, event.clone());
        self.referee.after(now, &event, &commands, &self.ring);
        for command in commands {
            match command {
                // Nobody can be found in the stage that follows.
                Command::Resolve { part, stage } if stage > 0 => {
                    let legs = Vec::new();
                    self.feed(Event::Resolved { part, legs });
                }
                Command::TooLate { leg, cause, .. } => self.feed(ended(leg, cause)),
                Command::Cancel { branch, cause } => _ = self.cancelled.insert(branch, cause),
                _ => {}
            }
        }
    }

    /// Deadlines end who still rings, the winner hangs up, and nothing may be left.
    fn end(mut self) -> Vec<Fault> {
        while let Some(id) = self.ringing.first().copied() {
            if !self.cancelled.contains_key(&id) {
                let Some(deadline) = self.ring.next_deadline() else {
                    break;
                };
                self.now = self.now.max(deadline);
                self.feed(Event::Tick);
                continue;
            }
            self.core_tells(ended(id, Cause::NONE));
            self.core_tells(Event::BranchFailed {
                branch: id,
                cause: Cause::NONE,
            });
        }
        if let Some(leg) = self.ring.winner() {
            self.feed(ended(leg, Cause::NORMAL_CLEARING));
        }
        self.referee.over(&self.ring, self.ringing.len());
        self.referee.faults
    }
}
