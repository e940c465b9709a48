//! A phone that has moved (300, 301, 302, 305): what rings in its leg's place, and when it is given up.
//! A leg and all that rings in its place are one: they share the leg's own time, and have failed when
//! the last of them has. The stage and its other legs go on meanwhile as if nothing had happened.

use super::*;

/// How many redirects may follow one another.
const HOPS: u32 = 5;

/// How many places one leg may come to in all, whatever its phones say. Of a call that redirects have
/// led here each of them takes three quarters, so that numbers which lead back to the phone stay few.
const PLACES: usize = 16;

/// Where a phone says that it has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number or user there, which tells two places apart.
    pub number: String,
    /// It is a number of ours, by its address.
    pub ours: bool,
    /// How much the phone prefers it, in thousandths.
    pub q: u16,
}

/// What is still to be tried where a phone has moved.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved {
    /// The contacts of some places are being looked up.
    looking: bool,
    /// The places after those, in their order.
    rest: Vec<Place>,
    /// Something has rung, or could not, in the leg's place …
    found: bool,
    /// … and more than one at a time.
    several: bool,
}

impl Moved {
    pub(super) fn stop(&mut self) {
        self.looking = false;
        self.rest.clear();
    }
}

impl Leg {
    /// It rings, is still to start, or somebody is being looked up to ring in its place.
    pub(super) fn is_open(&self) -> bool {
        self.state != LegState::Ended || self.is_looked_for()
    }

    pub(super) fn is_looked_for(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.looking)
    }

    /// It rings at nobody, and neither does anybody in its place.
    pub(super) fn is_idle(&self) -> bool {
        self.plan.idle && !self.is_looked_for()
    }

    /// Several have rung in its place at a time.
    pub(super) fn is_scattered(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.several)
    }

    /// Others have rung in its place.
    pub(super) fn is_replaced(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.found)
    }
}

impl Ring {
    /// What becomes of this leg when its phone has moved.
    pub fn redirect(&self, leg: LegId) -> Redirect {
        let Some(it) = self.legs.get(leg.0) else {
            return Redirect::Core;
        };
        let of_part = self.parts[it.part].settings.redirect;
        it.plan.redirect.unwrap_or(of_part)
    }

    /// How many redirects have led to this leg.
    pub fn hops(&self, leg: LegId) -> u32 {
        let before = self.parts[self.legs[leg].part].settings.hops;
        before.saturating_add(self.line(leg).count() as u32)
    }

    /// The legs in whose place this one rings, the nearest first.
    fn line(&self, leg: LegId) -> impl Iterator<Item = LegId> {
        let up = |leg: &LegId| self.legs[*leg].replaces;
        std::iter::successors(up(&leg), up)
    }

    fn root(&self, leg: LegId) -> LegId {
        self.line(leg).last().unwrap_or(leg)
    }

    pub(super) fn redirected(&mut self, leg: LegId, cause: Cause, places: Vec<Place>) {
        let rest = self.new_places(leg, places);
        if !rest.is_empty() {
            self.legs[leg].moved = Some(Moved {
                rest,
                ..Moved::default()
            });
        }
        self.ended(leg, cause);
    }

    /// The places that are to be tried, the most preferred first. None where the leg does not go
    /// on, or leads nowhere new.
    fn new_places(&mut self, leg: LegId, mut places: Vec<Place>) -> Vec<Place> {
        let follows = self.legs.get(leg.0).is_some_and(|it| {
            let rings = LegState::UNANSWERED.contains(&it.state) && it.hung_up.is_none();
            // Nor is a winner final that is joined in early media by our own choice.
            let final_one = self.winner() == Some(leg) && self.tentative() != Some(leg);
            rings && self.takes(it.part, it.stage) && !final_one
        });
        if !follows || self.redirect(leg) != Redirect::Follow || self.hops(leg) >= HOPS {
            return Vec::new();
        }
        places.sort_by_key(|place| std::cmp::Reverse(place.q));
        let root = self.root(leg);
        let before = self.parts[self.legs[leg].part].settings.hops.min(HOPS);
        let most = (PLACES >> (2 * before)).max(1);
        let known = &mut self.legs[root].numbers;
        places.retain(|place| {
            let new = known.len() <= most && !known.contains(&place.number);
            if new {
                known.push(place.number.clone());
            }
            new
        });
        places
    }

    /// Look up the next places of a leg that has ended: all of them that it prefers alike.
    fn follow(&mut self, leg: LegId) -> bool {
        let it = &self.legs[leg];
        let takes = self.takes(it.part, it.stage) && !self.too_late(leg);
        let Some(moved) = self.legs[leg].moved.as_mut() else {
            return false;
        };
        let Some(q) = moved.rest.first().map(|first| first.q).filter(|_| takes) else {
            return false;
        };
        let alike = moved.rest.iter().take_while(|place| place.q == q).count();
        let places: Vec<Place> = moved.rest.drain(..alike).collect();
        moved.looking = true;
        self.commands.push(Command::Follow { leg, places });
        true
    }

    /// Its own time or its stage's is over, though nobody may have looked at the clock yet.
    fn too_late(&self, leg: LegId) -> bool {
        let it = &self.legs[leg];
        it.deadline().is_some_and(|at| at <= self.now) || self.is_late(it.part)
    }

    pub(super) fn followed(&mut self, leg: LegId, new: Vec<NewLeg>) {
        let Some(it) = self.legs.get(leg.0) else {
            return;
        };
        let (part, stage, since) = (it.part, it.stage, it.since.or(it.dialled));
        let (of, target) = (it.of, it.plan.target);
        let (timeout, required) = (it.plan.timeout, it.plan.required);
        let (progress_timeout, asked) = (it.plan.progress_timeout, it.is_looked_for());
        let first = self.legs.len();
        self.legs.extend(new.into_iter().map(|plan| {
            let plan = NewLeg {
                held: Duration::ZERO,
                delay: Duration::ZERO,
                timeout,
                progress_timeout,
                required,
                may_register: false,
                target,
                ..plan
            };
            Leg {
                replaces: Some(leg),
                since,
                ..Leg::new(part, stage, of, plan)
            }
        }));
        let legs: Vec<LegId> = self.leg_ids().skip(first).collect();
        if asked && self.too_late(leg) {
            // The look-up ends with what is about to be ended.
            return self.never_dialled(legs, false);
        }
        if let Some(moved) = &mut self.legs[leg].moved {
            moved.looking = false;
            moved.found |= asked && !legs.is_empty();
        }
        if !asked {
            return self.never_dialled(legs, false);
        }
        self.have_rung(leg, &legs);
        let alive = legs
            .iter()
            .filter(|&&leg| self.legs[leg].plan.dead.is_none());
        let several = alive.count() > 1;
        if let Some(moved) = &mut self.legs[leg].moved {
            moved.several |= several;
        }
        let it = &mut self.parts[part];
        // Several ring now: their early media is nobody's.
        if several && it.settings.early_media.is_none() {
            it.early_media = EarlyMedia::Ignore;
        }
        if legs.is_empty() {
            // Whoever is meant rings already, or has had his turn.
            self.goes_on_elsewhere(leg);
            self.start_late_ones_early(part);
        }
        self.start(legs, part, self.now, Duration::ZERO);
    }

    /// Whoever rings in this leg's place under a number of his own does not ring again under it.
    fn have_rung(&mut self, leg: LegId, legs: &[LegId]) {
        let own = legs
            .iter()
            .filter_map(|&leg| self.legs[leg].plan.number.clone());
        let own: Vec<String> = own.collect();
        for up in std::iter::once(leg)
            .chain(self.line(leg))
            .collect::<Vec<_>>()
        {
            if let Some(moved) = &mut self.legs[up].moved {
                moved.rest.retain(|place| !own.contains(&place.number));
            }
        }
        let root = self.root(leg);
        let known = &mut self.legs[root].numbers;
        for number in own {
            if !known.contains(&number) {
                known.push(number);
            }
        }
    }

    /// A leg has ended: something rings in its place or in the place of the same leg as it, or is
    /// about to. The next places are looked up once the ones before have failed.
    pub(super) fn goes_on_elsewhere(&mut self, leg: LegId) -> bool {
        if self.follow(leg) {
            return true;
        }
        let line: Vec<LegId> = std::iter::once(leg).chain(self.line(leg)).collect();
        for up in line {
            let rings = |(id, it): (LegId, &Leg)| {
                it.is_open()
                    && it.hung_up.is_none()
                    && (id == up || self.line(id).any(|it| it == up))
            };
            if self.leg_ids().zip(&self.legs).any(rings) || self.follow(up) {
                return true;
            }
        }
        false
    }

    /// An operator wants no more of this leg's target.
    pub(super) fn stop_following(&mut self, leg: LegId) {
        let line: Vec<LegId> = self.line(leg).collect();
        for leg in line {
            self.legs[leg].moved.iter_mut().for_each(Moved::stop);
        }
    }

    /// The legs in whose place somebody is looked up, and until when that is of use.
    pub(super) fn looked_for(&self) -> impl Iterator<Item = (LegId, Time)> {
        let legs = self.leg_ids().zip(&self.legs);
        let looked_for = legs.filter(|(_, leg)| leg.is_looked_for());
        looked_for.filter_map(|(id, leg)| Some((id, leg.deadline()?)))
    }

    /// Whose own time is over while others are looked up in his place.
    pub(super) fn give_up_looking(&mut self) {
        let due = self.looked_for().filter(|(_, at)| *at <= self.now);
        let due: Vec<LegId> = due.map(|(leg, _)| leg).collect();
        for leg in due {
            let (part, cause) = (self.legs[leg].part, self.legs[leg].cause);
            let told = self.parts[part].settings.missed.cause();
            (self.legs[leg].timed_out, self.legs[leg].hung_up) = (true, Some(told));
            self.legs[leg].moved.iter_mut().for_each(Moved::stop);
            if !self.goes_on_elsewhere(leg) {
                self.has_failed(leg, cause);
            }
            self.stage_over(part);
        }
    }
}
