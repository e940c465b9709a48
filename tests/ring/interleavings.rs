//! Every order in which the events of two and of three legs can arrive, with what the caller, an
//! operator or a deadline does at any moment in between. The events of one leg keep their order;
//! all merges are played, and the referee watches over each.

use super::{Fault, Referee, ms};
use mod_cti::ring::{
    Cause, Command, Event, LegId, LegState, NewLeg, PartId, Ring, Settings, StageId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How a leg ends. All but the one that rings pay no heed to a hangup: so each answer, rejection
/// and failure also crosses it.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answers,
    /// It sends early media first.
    EarlyMedia,
    IsBusy,
    /// It rings until it is hung up.
    Rings,
    /// It cannot be made.
    Fails,
}

const FATES: [Fate; 5] = [
    Fate::Answers,
    Fate::EarlyMedia,
    Fate::IsBusy,
    Fate::Rings,
    Fate::Fails,
];

/// How there come to be several legs.
#[derive(Debug, Clone, Copy)]
enum Grown {
    /// Targets are added to a stage that rings; another stage follows.
    Added,
    /// The look-up of the second takes its time, and that of a third finds nobody.
    Found,
    /// `:_:`
    Parts,
    /// Targets are added to the only stage, so that the first leg may win in early media.
    Beside,
}

fn ended(leg: LegId, cause: Cause) -> Event {
    Event::Ended { leg, cause }
}

fn events(fate: Fate, id: LegId) -> Vec<Event> {
    match fate {
        Fate::Answers => vec![Event::Started(id), Event::Answered(id)],
        Fate::EarlyMedia => vec![Event::EarlyMedia(id), Event::Answered(id)],
        Fate::IsBusy => vec![Event::Started(id), ended(id, Cause::USER_BUSY)],
        // With the cause of its hangup, if there has been one.
        Fate::Rings => vec![Event::Ringing(id), ended(id, Cause::NONE)],
        Fate::Fails => vec![ended(id, Cause::NO_USER_RESPONSE)],
    }
}

/// So many contacts of a part's first stage.
fn found(part: usize, legs: usize, more: bool) -> Event {
    Event::Resolved {
        part: PartId(part),
        stage: StageId(0),
        legs: vec![NewLeg::default(); legs],
        more,
    }
}

/// What else happens, at any moment.
fn outside() -> Vec<Vec<Event>> {
    let events = [
        Event::CallerGone,
        Event::Cancel(Cause::CALL_REJECTED),
        Event::Skip,
        Event::Drop(LegId(0)),
        Event::Tick,
    ];
    let each = events.into_iter().map(|event| vec![event]);
    std::iter::once(Vec::new()).chain(each).collect()
}

/// All of them for so many legs: how many were played, and the first fault.
pub fn every_interleaving(legs: usize) -> Result<u64, String> {
    let mut played = 0;
    for grown in [Grown::Added, Grown::Parts, Grown::Beside, Grown::Found] {
        if matches!(grown, Grown::Found) && legs > 2 {
            continue; // As with two, but far more of them.
        }
        for nth in 0..FATES.len().pow(legs as u32) {
            let digit = |id: usize| nth / FATES.len().pow(id as u32) % FATES.len();
            // Which of the added two is the first changes nothing.
            if legs == 3 && digit(1) > digit(2) {
                continue;
            }
            let fate = |id: usize| FATES[digit(id)];
            for other in outside() {
                let mut rows: Vec<_> = (0..legs).map(|id| events(fate(id), LegId(id))).collect();
                rows.push(other);
                if matches!(grown, Grown::Found) {
                    rows.push(vec![found(0, 1, true), found(0, 0, false)]);
                }
                merges(&rows, &mut Vec::new(), &mut |order| {
                    played += 1;
                    match play(grown, legs, order).first() {
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
    /// Which legs are hung up, and why.
    hung_up: BTreeMap<LegId, Cause>,
    /// Those that ring on, as nobody has hung them up yet.
    ringing: BTreeSet<LegId>,
    referee: Referee,
    now: Duration,
}

fn play(grown: Grown, legs: usize, order: &[Event]) -> Vec<Fault> {
    let parts = match grown {
        Grown::Added | Grown::Found => vec![(Settings::default(), 2)],
        Grown::Parts => vec![(Settings::default(), 1); legs],
        Grown::Beside => vec![(Settings::default(), 1)],
    };
    let mut play = Play {
        referee: Referee::new(&parts),
        ring: Ring::new(parts),
        hung_up: BTreeMap::new(),
        ringing: BTreeSet::new(),
        now: Duration::ZERO,
    };
    play.feed(Event::Begin);
    for nth in 0..legs {
        let legs = vec![NewLeg::default()];
        let (part, stage) = (PartId(0), StageId(0));
        play.feed(match (grown, nth) {
            (Grown::Parts, part) => found(part, 1, false),
            (Grown::Found, 0) => found(0, 1, true),
            (Grown::Found, _) => continue,
            (_, 0) => found(0, 1, false),
            _ => Event::Added { part, stage, legs },
        });
    }
    for event in order {
        if let (Event::Tick, Some(deadline)) = (event, play.ring.next_deadline()) {
            play.now = play.now.max(deadline);
        }
        play.leg_tells(event.clone());
    }
    play.end()
}

impl Play {
    /// Who rings obeys its hangup.
    fn leg_tells(&mut self, event: Event) {
        match event {
            Event::Ended { leg, cause } if cause == Cause::NONE => match self.hung_up.get(&leg) {
                Some(&cause) => self.ends(leg, cause),
                None => _ = self.ringing.insert(leg),
            },
            Event::Ended { leg, cause } => self.ends(leg, cause),
            event => self.feed(event),
        }
    }

    /// The caller's thread comes back from a leg that it was joined with in early media.
    fn ends(&mut self, leg: LegId, cause: Cause) {
        self.ringing.remove(&leg);
        let resumes = self.ring.may_resume(leg);
        self.feed(ended(leg, cause));
        if resumes {
            self.feed(Event::Unanswered(leg));
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
                Command::Resolve { part, stage } if stage > StageId(0) => {
                    self.feed(Event::Resolved {
                        part,
                        stage,
                        legs: Vec::new(),
                        more: false,
                    });
                }
                Command::HangUp { leg, cause } => _ = self.hung_up.insert(leg, cause),
                _ => {}
            }
        }
    }

    /// Deadlines end who still rings, the winner hangs up, and nothing may be left.
    fn end(mut self) -> Vec<Fault> {
        for _ in 0..100 {
            let of = self.ring.legs().iter().enumerate();
            let open = of.filter(|(_, leg)| leg.state != LegState::Ended);
            let open: Vec<LegId> = open.map(|(id, _)| LegId(id)).collect();
            let hung_up = open.iter().find(|leg| self.hung_up.contains_key(leg));
            let answered = |leg: &&LegId| self.ring.leg(**leg).answered.is_some();
            if let Some(&leg) = hung_up {
                self.ends(leg, self.hung_up[&leg]);
            } else if let Some(&leg) = open.iter().find(answered) {
                self.ends(leg, Cause::NORMAL_CLEARING);
            } else if let Some(deadline) = self.ring.next_deadline() {
                self.now = self.now.max(deadline);
                self.feed(Event::Tick);
            } else {
                break;
            }
        }
        self.referee.over(&self.ring, 0);
        self.referee.faults
    }
}
