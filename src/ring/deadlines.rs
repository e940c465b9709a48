//! The clock's share of the ring machine: which deadline is next, and what is due.
//! A deadline belongs to a leg, a stage or the whole part; none is ever early, since only a
//! time that has been reached counts.

use super::*;

impl Ring {
    /// When `Event::Tick` is due next.
    pub fn next_deadline(&self) -> Option<Time> {
        let parts = self
            .parts
            .iter()
            .filter(|_| self.end.is_none())
            .flat_map(|part| match part.phase {
                Phase::Resolving => [part.over(), part.stage_deadline, None, None],
                Phase::Ringing => [
                    part.over(),
                    part.stage_deadline,
                    part.progress_deadline,
                    part.kept_open,
                ],
                Phase::Sleeping(until) => [part.over(), Some(until), None, None],
                _ => [None; 4],
            });
        let waiting = self
            .legs
            .iter()
            .filter(|leg| leg.state == LegState::Waiting);
        let starts = waiting.filter(|_| self.undecided()).map(|leg| leg.at);
        let timed = self.leg_ids().filter(|&leg| self.rings(leg));
        let legs = timed.flat_map(|leg| {
            let leg = &self.legs[leg];
            let silent = leg.state == LegState::Dialled;
            [leg.deadline(), leg.progress_deadline().filter(|_| silent)]
        });
        // A winner that has not answered yet keeps its stage's deadline.
        let joined = self
            .unanswered_winner()
            .map(|leg| self.parts[self.legs[leg].part].winner_deadline());
        parts
            .flatten()
            .chain(starts.flatten())
            .chain(legs.flatten())
            .chain(self.looked_for().map(|(_, at)| at))
            .chain(joined.flatten())
            .min()
    }

    pub(super) fn deadlines(&mut self) {
        let now = self.now;
        let due = |deadline: Option<Time>| deadline.is_some_and(|at| at <= now);
        if let Some(leg) = self.unanswered_winner()
            && self.parts[self.legs[leg].part]
                .winner_deadline()
                .is_some_and(|at| at <= now)
        {
            self.winner_time_over(leg);
        }
        for leg in self.leg_ids() {
            if !self.rings(leg) {
                continue;
            }
            let it = &self.legs[leg];
            if due(it.deadline()) {
                self.time_over(leg);
            } else if it.state == LegState::Dialled && due(it.progress_deadline()) {
                self.legs[leg].plan.progress_timeout = None;
                self.time_over(leg);
            }
        }
        self.give_up_looking();
        if !self.undecided() {
            return;
        }
        if self.end.is_none() {
            for part in self.part_ids() {
                self.part_deadlines(part);
            }
        }
        for leg in self.leg_ids() {
            let it = &self.legs[leg];
            if it.state == LegState::Waiting && due(it.at) {
                self.dial(leg);
            }
        }
    }

    pub(super) fn time_over(&mut self, leg: LegId) {
        let cause = self.parts[self.legs[leg].part].settings.missed.cause();
        self.legs[leg].timed_out = true;
        self.hang_up(leg, cause);
    }

    /// The winner's, which has not answered, and that of whoever rings beside it.
    pub(super) fn winner_time_over(&mut self, leg: LegId) {
        if self.legs[leg].hung_up.is_none() && self.legs[leg].state != LegState::Ended {
            self.time_over(leg);
        }
        let part = self.legs[leg].part;
        self.time_over_for(part);
        self.parts[part].phase = Phase::Ending;
    }

    /// A stage whose time nobody has written leaves each of its legs the time of its own. Where
    /// the stage goes on ringing beside the next one, that one does.
    pub(super) fn stretch(&mut self, part: PartId) {
        let it = &self.parts[part];
        let rings = it.phase == Phase::Ringing && !it.goes_on_progressively();
        if it.settings.stage_timeout.is_some() || !rings {
            return;
        }
        let own = |leg: &Leg| Some(leg.since.or(leg.dialled).or(leg.at)? + leg.plan.timeout?);
        let open =
            |leg: &&Leg| leg.part == part && leg.state != LegState::Ended && leg.hung_up.is_none();
        let longest = self.legs.iter().filter(open).filter_map(own).max();
        let it = &mut self.parts[part];
        it.stage_deadline = it
            .stage_deadline
            .map(|at| longest.map_or(at, |own| at.max(own)));
    }

    fn part_deadlines(&mut self, part: PartId) {
        let now = self.now;
        let due = |deadline: Option<Time>| deadline.is_some_and(|at| at <= now);
        let it = &mut self.parts[part];
        match it.phase {
            // Whoever is still looked up will not ring, unless the stage goes on beside the next.
            Phase::Ringing | Phase::Resolving => {}
            Phase::Sleeping(until) => {
                if due(it.over()) {
                    self.part_done(part);
                } else if until <= now {
                    self.begin_stage(part, StageId(0));
                }
                return;
            }
            _ => return,
        }
        let call_over = due(it.over());
        if call_over || due(it.stage_deadline) {
            it.last |= call_over || it.settings.continue_on_timeout == Some(false);
            if it.last {
                it.attempt = u32::MAX;
            }
            return self.stage_time_over(part);
        }
        if due(it.kept_open) {
            it.kept_open = None;
            self.stage_over(part);
        }
        let it = &mut self.parts[part];
        if it.phase == Phase::Ringing && due(it.progress_deadline) {
            it.progress_deadline = None;
            if self.is_silent(part) {
                self.stage_time_over(part);
            }
        }
    }

    /// Nobody of the newest stage has rung.
    fn is_silent(&self, part: PartId) -> bool {
        let it = &self.parts[part];
        let of_stage = (part, it.stage);
        let rang = |leg: &Leg| {
            let rang = leg.ringing.is_some() || leg.answered.is_some();
            rang && (leg.part, leg.stage) == of_stage
        };
        !self.legs[it.first.0..].iter().any(rang)
    }

    /// What rings of this part is about to be ended, because its time is over.
    pub(super) fn is_late(&self, part: PartId) -> bool {
        let it = &self.parts[part];
        let due = |deadline: Option<Time>| deadline.is_some_and(|at| at <= self.now);
        let rings = it.phase == Phase::Ringing;
        let silent = rings && due(it.progress_deadline) && self.is_silent(part);
        let stage = due(it.stage_deadline) || silent;
        let ends = (rings || it.phase == Phase::Resolving) && !it.goes_on_progressively();
        due(it.over()) || ends && stage
    }

    /// Something of the part still rings or is to start, and nobody has ended it; the winner aside.
    pub fn has_open(&self, part: PartId) -> bool {
        let open = |(id, it): (LegId, &Leg)| {
            let open = it.is_looked_for() || it.state != LegState::Ended && it.hung_up.is_none();
            it.part == part && open && self.winner() != Some(id)
        };
        self.leg_ids().zip(&self.legs).any(open)
    }

    /// The call's time is over.
    pub(super) fn is_over(&self, part: PartId) -> bool {
        self.parts[part].over().is_some_and(|at| at <= self.now)
    }
}

impl Leg {
    pub(super) fn deadline(&self) -> Option<Time> {
        match (self.plan.confirm, self.answered) {
            (Some(Confirm::Dropped), Some(_)) => None,
            (Some(Confirm::Anew(limit)), Some(answered)) => Some(answered + limit),
            _ => Some(self.since.or(self.dialled)? + self.plan.timeout?),
        }
    }

    /// Its answer is not final: somebody has still to confirm it.
    pub fn unconfirmed(&self) -> bool {
        self.plan.confirm.is_some() && self.role != Some(Role::Winner)
    }

    pub(super) fn progress_deadline(&self) -> Option<Time> {
        Some(self.dialled? + self.plan.progress_timeout?)
    }
}

impl Part {
    /// When its newest stage is over, that stage goes on ringing beside the next.
    pub(super) fn goes_on_progressively(&self) -> bool {
        self.settings.mode == Mode::Progressive && self.stage.0 + 1 < self.stages && !self.last
    }

    /// The whole part's deadline (`cti_timeout`).
    pub(super) fn over(&self) -> Option<Time> {
        self.settings.timeout
    }

    /// A winner in early media keeps the earlier of its stage's and its call's deadline.
    fn winner_deadline(&self) -> Option<Time> {
        [self.over(), self.stage_deadline]
            .into_iter()
            .flatten()
            .min()
    }
}
