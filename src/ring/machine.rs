//! What each event does to a call: the transitions of the ring machine.
//! Stages begin and end here, branches are dialled and cancelled, and one leg wins; the
//! clock's share is in `deadlines`, what others may ask is in `view`.

use super::*;

/// The switch's clock ticks every 20 ms, when it can.
const CLOCK: Duration = Duration::from_millis(50);

impl Ring {
    /// `parts`: for each part its settings and how many stages it has (at least one).
    pub fn new(parts: Vec<(Settings, usize)>) -> Ring {
        let parts = parts.into_iter().map(|(settings, stages)| Part {
            settings: settings.of_stages(stages),
            stages,
            stage: 0,
            first: 0,
            attempt: 1,
            attempt_began: Time::ZERO,
            phase: Phase::Resolving,
            stage_deadline: None,
            progress_deadline: None,
            kept_open: None,
            early_media: EarlyMedia::Core,
            last: false,
        });
        Ring {
            parts: parts.collect(),
            legs: Vec::new(),
            branches: Vec::new(),
            end: None,
            cancelled: None,
            finished: false,
            caller_rings: false,
            commands: Vec::new(),
            now: Time::ZERO,
        }
    }

    /// Feed one event; `now` never runs backwards (an older time is taken as the last one).
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Command> {
        self.now = self.now.max(now);
        match event {
            Event::Begin => (0..self.parts.len()).for_each(|part| match self.end {
                None => self.begin_stage(part, 0),
                Some(_) => self.part_done(part),
            }),
            Event::Resolved { part, legs } => self.resolved(part, legs),
            Event::Started(leg) => self.leg_reached(leg, LegState::Dialled),
            Event::Ringing(leg) => self.leg_reached(leg, LegState::Ringing),
            Event::EarlyMedia(leg) => self.leg_reached(leg, LegState::EarlyMedia),
            Event::Answered(leg) => {
                self.leg_reached(leg, LegState::Answered);
                if self.winner() == Some(leg) {
                    self.cancel_branches(|_| true, Cause::LOSE_RACE);
                }
            }
            Event::Ended { leg, cause, rang } => {
                // Nothing is known yet of what was not dialled.
                let dialled = |leg: &Leg| leg.dialled.is_some();
                if self.legs.get(leg).is_some_and(dialled) {
                    self.leg_ended(leg, cause, rang);
                }
            }
            Event::BranchFailed { branch, cause } => self.branch_failed(branch, cause),
            Event::BranchWon {
                branch,
                leg,
                answered,
            } => self.branch_won(branch, leg, answered),
            Event::Unanswered(leg) => self.unanswered_left(leg),
            Event::Tick => {}
            Event::CallerGone => self.end_call(End::CallerGone),
            Event::Cancel(cause) => match self.early_winner() {
                Some(leg) => self.end_winner(leg, cause),
                None => self.end_call(End::Cancelled(cause)),
            },
            Event::Skip => match self.early_winner() {
                Some(_) if self.cancelled.is_some() => {}
                Some(leg) => self.winner_time_over(leg),
                None => self
                    .ringing_parts()
                    .into_iter()
                    .for_each(|part| self.stage_time_over(part)),
            },
            Event::Drop(leg) => self.drop_leg(leg),
            Event::Extend(time) => {
                for part in self.steerable_parts() {
                    let it = &mut self.parts[part];
                    for deadline in [&mut it.stage_deadline, &mut it.kept_open] {
                        *deadline = deadline.map(|at| at + time);
                    }
                }
            }
            Event::Added { part, stage, legs } => self.added(part, stage, legs),
        }
        self.deadlines();
        std::mem::take(&mut self.commands)
    }

    pub(super) fn begin_stage(&mut self, part: PartId, stage: usize) {
        let it = &mut self.parts[part];
        it.stage = stage;
        it.phase = Phase::Resolving;
        it.kept_open = None;
        // A phone of an earlier stage may win in early media while this one is looked up.
        let limit = it.settings.stage_limit(stage + 1 == it.stages);
        it.stage_deadline = Some(self.now + limit);
        if stage == 0 {
            it.attempt_began = self.now;
        }
        self.commands.push(Command::Resolve { part, stage });
    }

    fn resolved(&mut self, part: PartId, new: Vec<NewLeg>) {
        let Some(it) = self.parts.get(part) else {
            return;
        };
        let (asked, late) = (it.phase == Phase::Resolving, self.is_over(part));
        let first = self.legs.len();
        let stage = it.stage;
        let alive = new.iter().filter(|leg| leg.dead.is_none()).count();
        let unregistered = |leg: &NewLeg| leg.dead == Some(Cause::USER_NOT_REGISTERED);
        let may_wait = alive == 0 && new.iter().any(|leg| leg.may_register && unregistered(leg));
        let may_grow = new.iter().any(|leg| leg.may_register);
        self.legs
            .extend(new.into_iter().map(|plan| Leg::new(part, stage, plan)));
        let legs: Vec<LegId> = (first..self.legs.len()).collect();
        if !asked || self.end.is_some() || late {
            self.never_dialled(legs, late);
            if asked {
                if late {
                    self.time_over_for(part);
                }
                // Should the winner leave unanswered, it is this stage's turn all the same.
                if self.winner().is_some_and(|leg| self.may_resume(leg)) {
                    self.parts[part].stage = stage.saturating_sub(1);
                }
                self.parts[part].phase = Phase::Ending;
                self.stage_over(part);
            }
            return;
        }
        let parts = self.parts.len();
        let beside = self.branches.iter().any(|it| it.part == part && !it.ended);
        let it = &mut self.parts[part];
        let last = stage + 1 == it.stages;
        it.phase = Phase::Ringing;
        it.first = first;
        it.stage_deadline = Some(self.now + it.settings.stage_limit(last));
        it.progress_deadline = it.settings.progress_timeout.map(|limit| self.now + limit);
        it.early_media = it.settings.early_media_of(alive, last && !may_grow, parts);
        it.last = last;
        let wait = it.settings.wait_register.filter(|_| may_wait);
        it.kept_open = wait.map(|wait| self.now + wait);
        self.start(legs, part, stage, beside);
    }

    /// Put these legs of the running stage into branches, one for each start, and begin.
    /// `beside`: the part's own thread is busy with its branch already.
    fn start(&mut self, legs: Vec<LegId>, part: PartId, stage: usize, beside: bool) {
        let dead = |leg: &LegId| self.legs[*leg].plan.dead;
        let failed: Vec<_> = legs
            .iter()
            .filter_map(|leg| Some((*leg, dead(leg)?)))
            .collect();
        let alive: Vec<LegId> = legs.into_iter().filter(|leg| dead(leg).is_none()).collect();
        let required = |(leg, _): &(LegId, Cause)| self.legs[*leg].plan.required;
        let hopeless = failed.iter().any(required);
        for (leg, cause) in failed {
            self.leg_ended(leg, cause, None);
        }
        // A later stage may be looked up meanwhile.
        let rings = matches!(self.parts[part].phase, Phase::Ringing | Phase::Resolving);
        if hopeless || !self.undecided() || !rings {
            return self.never_dialled(alive, false);
        }
        // If nobody rings at once, the earliest late starter does: core's rule too.
        let delays = alive.iter().map(|&leg| self.legs[leg].plan.delay);
        let shift = delays.min().filter(|_| !beside).unwrap_or_default();
        let mut starts: Vec<(Duration, Vec<LegId>)> = Vec::new();
        for leg in alive {
            let delay = self.legs[leg].plan.delay - shift;
            let room = |(at, legs): &&mut (Duration, Vec<LegId>)| {
                *at == delay && legs.len() < LEGS_A_BRANCH
            };
            match starts.iter_mut().find(room) {
                Some((_, legs)) => legs.push(leg),
                None => starts.push((delay, vec![leg])),
            }
        }
        starts.sort_by_key(|(delay, _)| *delay);
        // One branch may have the caller's thread; parts side by side have equal rights.
        let may_ring = match self.parts[part].settings.caller_thread {
            CallerThread::Rings => true,
            CallerThread::RingsAlone => starts.len() == 1,
            CallerThread::Holds => false,
        };
        let beside = beside || self.parts.len() > 1 || !may_ring;
        for (nth, (delay, legs)) in starts.into_iter().enumerate() {
            let branch = self.branches.len();
            for &leg in &legs {
                self.legs[leg].branch = Some(branch);
            }
            self.branches.push(Branch {
                part,
                stage,
                legs,
                at: self.now + delay,
                dialled: false,
                early_media: self.parts[part].early_media,
                aside: beside || nth > 0,
                returned: false,
                ended: false,
                cancelled: None,
            });
            if delay.is_zero() {
                self.dial(branch);
            }
        }
        self.stage_over(part);
    }

    /// Legs that came too late: the stage or the call was over.
    fn never_dialled(&mut self, legs: Vec<LegId>, timed_out: bool) {
        for leg in legs {
            // Nobody asked for it any more, so what it would have said decides nothing.
            self.legs[leg].plan.dead = None;
            self.legs[leg].timed_out = timed_out;
            let cause = if timed_out {
                Cause::NO_ANSWER
            } else {
                Cause::ORIGINATOR_CANCEL
            };
            self.leg_ended(leg, cause, None);
            self.legs[leg].cut = !timed_out;
        }
    }

    pub(super) fn dial(&mut self, branch: BranchId) {
        let it = &mut self.branches[branch];
        it.dialled = true;
        let part = it.part;
        it.early_media = self.parts[part].early_media;
        for &leg in &it.legs {
            let leg = &mut self.legs[leg];
            leg.state = LegState::Dialled;
            leg.dialled = Some(self.now);
        }
        self.commands.push(Command::Dial {
            branch,
            part,
            stage: it.stage,
            legs: it.legs.clone(),
            early_media: it.early_media,
            aside: it.aside,
        });
    }

    /// The leg rang at this time, and the event that says so comes late.
    pub fn rang(&mut self, leg: LegId, at: Time) {
        let dialled = |leg: &&mut Leg| leg.dialled.is_some() && leg.state != LegState::Ended;
        if let Some(it) = self.legs.get_mut(leg).filter(dialled) {
            let earliest = it.dialled.unwrap_or_default();
            it.ringing.get_or_insert(at.max(earliest));
        }
    }

    fn leg_reached(&mut self, leg: LegId, state: LegState) {
        let now = self.now;
        let Some(it) = self
            .legs
            .get_mut(leg)
            .filter(|leg| leg.dialled.is_some() && leg.state != LegState::Ended)
        else {
            return;
        };
        it.started = true;
        match state {
            LegState::Ringing | LegState::EarlyMedia => {
                // Its event may come after that of the answer.
                let at = it.answered.unwrap_or(now);
                it.ringing.get_or_insert(at);
            }
            LegState::Answered => {
                it.answered.get_or_insert(now);
            }
            _ => {}
        }
        // 183 may precede 180, and 180 follow 183: media once up stays up.
        if (state as u8) > (it.state as u8) {
            it.state = state;
        }
        let silent = |it: &Branch| {
            it.aside || state == LegState::EarlyMedia && it.early_media == EarlyMedia::Ignore
        };
        let core_is_silent = it
            .branch
            .is_some_and(|branch| silent(&self.branches[branch]));
        if matches!(state, LegState::Ringing | LegState::EarlyMedia)
            && core_is_silent
            && !self.caller_rings
            && self.end.is_none()
        {
            self.caller_rings = true;
            self.commands.push(Command::RingCaller);
        }
    }

    fn leg_ended(&mut self, leg: LegId, cause: Cause, rang: Option<Time>) {
        let now = self.now;
        let (won, tentative) = (self.winner(), self.tentative());
        let Some(it) = self
            .legs
            .get_mut(leg)
            .filter(|leg| leg.state != LegState::Ended)
        else {
            return;
        };
        if let Some(at) = rang {
            // The event of its ringing may have waited long in the switch's queue; the record
            // is by the switch's own clock, which is coarse.
            let at = at.min(now).max(it.dialled.unwrap_or(at));
            let late = it.ringing.is_none_or(|event| event > at + CLOCK);
            it.ringing = it.ringing.filter(|_| !late).or(Some(at));
        }
        let never_dialled = it.dialled.is_none() && it.plan.dead.is_none();
        let branch = it.branch.map(|branch| &self.branches[branch]);
        let cancelled = never_dialled || branch.is_some_and(|it| it.cancelled.is_some());
        // Core has ended it for somebody else's sake: for whose, it is about to tell.
        let for_another = matches!(cause, Cause::LOSE_RACE | Cause::ORIGINATOR_CANCEL);
        let for_another = for_another && !it.hung_up;
        let told_soon = for_another && branch.is_some_and(|it| !it.returned);
        // Nobody waits for it any more.
        let settled = never_dialled || branch.is_some_and(|it| it.ended);
        it.state = LegState::Ended;
        it.ended = Some(now);
        it.cause = cause;
        it.cut = cancelled && !it.timed_out;
        let dropped = it.hung_up && cause == Cause::ORIGINATOR_CANCEL;
        // Joined in early media, it may end without an answer.
        let unanswered = won == Some(leg) && it.answered.is_none();
        let lost = won.is_some() && tentative.is_none();
        let given_up = cause == Cause::ORIGINATOR_CANCEL || self.cancelled.is_some();
        it.role = Some(if unanswered && given_up {
            Role::Cancelled
        } else if unanswered {
            Role::Failed
        } else if won == Some(leg) {
            Role::Winner
        } else if lost {
            Role::Loser
        } else if dropped
            || cancelled && matches!(self.end, Some(End::CallerGone | End::Cancelled(_)))
        {
            Role::Cancelled
        } else {
            Role::Failed
        });
        let (part, stage, required) = (it.part, it.stage, it.plan.required);
        let own = !cancelled && !settled && !it.hung_up && !for_another;
        if own && self.end.is_none() {
            let settings = &self.parts[part].settings;
            if settings.single_reject.matches(cause) {
                let hang_up_caller = settings.hang_up_on_single_reject;
                return self.end_call(End::SingleReject {
                    cause,
                    hang_up_caller,
                });
            }
        }
        if told_soon || settled {
            return;
        }
        let rings = match self.parts[part].phase {
            Phase::Ringing => true,
            // … beside the next stage, which is looked up.
            Phase::Resolving => self.parts[part].settings.mode == Mode::Progressive,
            _ => false,
        };
        if required && rings && self.end.is_none() {
            // The others rang for nothing: to them it is a missed call.
            return self.cancel_stage(part, stage);
        }
        self.start_late_ones_early(part);
    }

    /// When nobody rings any more but somebody is still to start: start the earliest now.
    fn start_late_ones_early(&mut self, part: PartId) {
        if self.parts[part].phase != Phase::Ringing || self.end.is_some() {
            return;
        }
        let legs = self.legs.iter().filter(|leg| leg.part == part);
        if legs
            .clone()
            .any(|leg| !matches!(leg.state, LegState::Waiting | LegState::Ended))
        {
            return;
        }
        let pending = |branch: &Branch| branch.part == part && !branch.dialled && !branch.ended;
        let Some(earliest) = self
            .branches
            .iter()
            .filter(|branch| pending(branch))
            .map(|branch| branch.at)
            .min()
        else {
            return;
        };
        let early = earliest.saturating_sub(self.now);
        self.branches
            .iter_mut()
            .filter(|branch| pending(branch))
            .for_each(|branch| branch.at -= early);
    }

    fn branch_failed(&mut self, branch: BranchId, cause: Cause) {
        let Some(it) = self.returned(branch) else {
            return;
        };
        let part = it.part;
        let cause = it.cancelled.unwrap_or(cause);
        for leg in it.legs.clone() {
            self.leg_ended(leg, cause, None);
        }
        self.branches[branch].ended = true;
        self.start_late_ones_early(part);
        self.stage_over(part);
    }

    /// This branch, if that it has returned is news (and not of one that was never dialled).
    fn returned(&mut self, branch: BranchId) -> Option<&mut Branch> {
        let rings = |it: &&mut Branch| it.dialled && !it.ended;
        let it = self.branches.get_mut(branch).filter(rings)?;
        (!std::mem::replace(&mut it.returned, true)).then_some(it)
    }

    fn branch_won(&mut self, branch: BranchId, leg: LegId, answered: bool) {
        let Some(it) = self.returned(branch) else {
            return;
        };
        it.ended = true;
        let part = it.part;
        let leg = if it.legs.contains(&leg) {
            leg
        } else {
            it.legs[0]
        };
        // Its time was over, and early media is no answer.
        let late = it.cancelled.filter(|_| !answered);
        // A rejection in the moment of an answer: core may have answered the caller by now.
        let rejected = matches!(self.end, Some(End::SingleReject { .. })) && answered;
        // Who is joined in early media has not answered.
        let early = self
            .tentative()
            .filter(|_| answered && self.cancelled.is_none());
        let decided = self.end.filter(|_| !rejected && early.is_none());
        let cause = late.or(decided.map(|end| self.cancelled.unwrap_or(end.tells())));
        if let Some(cause) = cause {
            self.commands.push(Command::TooLate { branch, leg, cause });
            // A loser's own end is about to come; where nobody won, nobody waits for it.
            if self.winner().is_none() {
                self.leg_ended(leg, cause, None);
            }
            self.settle_siblings(branch, leg);
            return self.stage_over(part);
        }
        self.leg_reached(
            leg,
            if answered {
                LegState::Answered
            } else {
                LegState::EarlyMedia
            },
        );
        // In early media it may have ended by now, without an answer.
        if answered || self.legs[leg].state != LegState::Ended {
            self.legs[leg].role = Some(Role::Winner);
        }
        self.end = Some(End::Won(leg));
        if let Some((early, branch)) = early.and_then(|leg| Some((leg, self.legs[leg].branch?))) {
            self.legs[early].hung_up = true;
            self.commands.push(Command::Lose { leg: early, branch });
        }
        self.settle_siblings(branch, leg);
        if self.tentative().is_none() {
            self.cancel_branches(|_| true, Cause::LOSE_RACE);
        }
        let aside = self.branches[branch].aside;
        self.commands.push(Command::Join { leg, branch, aside });
    }

    /// Who leaves without an answer was no winner, if the call may go on.
    fn unanswered_left(&mut self, leg: LegId) {
        if !self.may_resume(leg) {
            return;
        }
        self.end = None;
        self.leg_ended(leg, Cause::NO_ANSWER, None);
        // They have lost to nobody.
        let lost = |leg: &&mut Leg| leg.role == Some(Role::Loser);
        (self.legs.iter_mut().filter(lost)).for_each(|leg| leg.role = Some(Role::Failed));
        let it = &mut self.legs[leg];
        let dropped = it.hung_up && it.cause == Cause::ORIGINATOR_CANCEL;
        let cancelled = self.cancelled.is_some() || dropped;
        it.role = Some(if cancelled {
            Role::Cancelled
        } else {
            Role::Failed
        });
        let part = it.part;
        let beside = self.has_open(part);
        let it = &mut self.parts[part];
        if it.last {
            // As after any call that was joined.
            it.attempt = u32::MAX;
        }
        if it.phase != Phase::Resolving && !beside {
            it.phase = Phase::Ending;
            it.kept_open = None;
        }
        match self.cancelled {
            Some(cause) => self.end_call(End::Cancelled(cause)),
            // Every part has waited for this.
            None => (0..self.parts.len()).for_each(|part| self.stage_over(part)),
        }
    }

    /// An operator cancels a call whose winner is in early media: its end is the call's.
    fn end_winner(&mut self, leg: LegId, cause: Cause) {
        if self.cancelled.is_some() {
            return;
        }
        self.cancelled = Some(cause);
        self.cancel_branches(|_| true, cause);
        if !std::mem::replace(&mut self.legs[leg].hung_up, true) {
            self.commands.push(Command::HangUp { leg, cause });
        }
    }

    /// Core has ended the others of a branch before it told us who won; those that it could
    /// not even create are never heard of again.
    fn settle_siblings(&mut self, branch: BranchId, leg: LegId) {
        let lost = match self.end {
            Some(End::Won(_)) => Role::Loser,
            Some(_) => Role::Cancelled,
            None => Role::Failed,
        };
        for sibling in self.branches[branch].legs.clone() {
            let it = &mut self.legs[sibling];
            let ended_so = it.state == LegState::Ended && it.cause == Cause::LOSE_RACE;
            if sibling != leg && ended_so && !it.hung_up {
                it.role = Some(lost);
            } else if sibling != leg && !it.started {
                self.leg_ended(sibling, Cause::LOSE_RACE, None);
            }
        }
    }

    /// The call is decided: nothing starts any more, everything that rings is ended.
    fn end_call(&mut self, end: End) {
        if self.tentative().is_some() {
            self.cancelled.get_or_insert(end.tells());
            self.cancel_branches(|_| true, end.tells());
        }
        if self.end.is_some() || self.finished {
            return;
        }
        self.end = Some(end);
        self.cancel_branches(|_| true, end.tells());
        if end == End::CallerGone {
            // Core may have ended its legs before it told us that the caller is gone.
            let (legs, branches) = (&mut self.legs, &self.branches);
            for leg in branches
                .iter()
                .filter(|it| !it.ended)
                .flat_map(|it| &it.legs)
            {
                let it = &mut legs[*leg];
                if it.state == LegState::Ended && it.cause == Cause::ORIGINATOR_CANCEL {
                    it.role = Some(Role::Cancelled);
                }
            }
        }
        for part in 0..self.parts.len() {
            if self.parts[part].phase != Phase::Resolving {
                self.stage_over(part);
            }
        }
    }

    fn cancel_branches(&mut self, which: impl Fn(&Branch) -> bool, cause: Cause) {
        let mut never_dialled = Vec::new();
        for (id, branch) in self.branches.iter_mut().enumerate() {
            if branch.returned || branch.ended || branch.cancelled.is_some() || !which(branch) {
                continue;
            }
            branch.cancelled = Some(cause);
            if branch.dialled {
                self.commands.push(Command::Cancel { branch: id, cause });
            } else {
                branch.ended = true;
                never_dialled.extend(branch.legs.iter().copied());
            }
        }
        for leg in never_dialled {
            self.leg_ended(leg, cause, None);
        }
    }

    /// The newest stage's time is over: the next one takes its place, or joins it.
    pub(super) fn stage_time_over(&mut self, part: PartId) {
        if self.parts[part].goes_on_progressively() && !self.is_over(part) {
            let next = self.parts[part].stage + 1;
            return self.begin_stage(part, next);
        }
        self.time_over_for(part);
        self.parts[part].phase = Phase::Ending;
        self.stage_over(part);
    }

    /// The time of all that rings of this part is over.
    pub(super) fn time_over_for(&mut self, part: PartId) {
        let branches = &self.branches;
        // What was ended before for another's sake has not run out of time.
        let cut = |leg: &Leg| {
            leg.branch
                .is_some_and(|it| branches[it].cancelled.is_some())
        };
        let open = |leg: &&mut Leg| leg.part == part && leg.state != LegState::Ended && !cut(leg);
        for leg in self.legs.iter_mut().filter(open) {
            leg.timed_out = true;
        }
        let cause = self.parts[part].settings.missed.cause();
        self.parts[part].kept_open = None;
        self.cancel_branches(|branch| branch.part == part, cause);
    }

    fn drop_leg(&mut self, leg: LegId) {
        if leg >= self.legs.len() || !self.droppable(leg) {
            return;
        }
        let cause = Cause::ORIGINATOR_CANCEL;
        self.legs[leg].hung_up = true;
        if self.legs[leg].state != LegState::Waiting {
            return self.commands.push(Command::HangUp { leg, cause });
        }
        if let Some(branch) = self.legs[leg].branch {
            let it = &mut self.branches[branch];
            it.legs.retain(|&other| other != leg);
            it.ended = it.legs.is_empty();
        }
        self.leg_ended(leg, cause, None);
        self.stage_over(self.legs[leg].part);
    }

    /// Added legs ring in branches of their own, beside what rings already.
    fn added(&mut self, part: PartId, stage: usize, new: Vec<NewLeg>) {
        let first = self.legs.len();
        if part >= self.parts.len() {
            return;
        }
        let takes = self.takes(part, stage);
        self.legs
            .extend(new.into_iter().map(|plan| Leg::new(part, stage, plan)));
        let legs: Vec<LegId> = (first..self.legs.len()).collect();
        if legs.is_empty() || !takes {
            return self.never_dialled(legs, false);
        }
        let it = &mut self.parts[part];
        // Several ring now: their early media is nobody's.
        if it.early_media != EarlyMedia::AsWritten {
            it.early_media = EarlyMedia::Ignore;
        }
        let alive = legs.iter().any(|&leg| self.legs[leg].plan.dead.is_none());
        if alive && stage == it.stage {
            it.kept_open = None;
        }
        self.start(legs, part, stage, true);
    }

    /// A leg that was required has failed: its stage rings for nothing.
    fn cancel_stage(&mut self, part: PartId, stage: usize) {
        // To the others it is a missed call.
        let cause = self.parts[part].settings.missed.cause();
        if self.parts[part].stage == stage {
            self.parts[part].kept_open = None;
        }
        self.cancel_branches(|branch| branch.part == part && branch.stage == stage, cause);
        if self.parts[part].settings.mode == Mode::Sequence {
            self.parts[part].phase = Phase::Ending;
        }
        self.stage_over(part);
    }

    /// If nothing of the part's stage is left: the next stage, the next attempt, or the end.
    pub(super) fn stage_over(&mut self, part: PartId) {
        // Whether another stage follows is known when the winner has answered, or left.
        if self.tentative().is_some() {
            return;
        }
        let it = &self.parts[part];
        let kept_open = it.kept_open.is_some() && self.end.is_none();
        if kept_open || matches!(it.phase, Phase::Resolving | Phase::Done) {
            return;
        }
        // Phones of earlier stages keep no later one waiting, only the end.
        let newest = it.phase == Phase::Ringing && it.goes_on_progressively();
        let newest = newest && self.end.is_none() && !self.is_over(part);
        let stage = it.stage;
        let mut open = self
            .branches
            .iter()
            .filter(|branch| branch.part == part && !branch.ended);
        if open.any(|branch| !newest || branch.stage == stage) {
            return;
        }
        if self.end.is_some() || self.is_over(part) {
            return self.part_done(part);
        }
        let it = &mut self.parts[part];
        if it.stage + 1 < it.stages && !it.last {
            let next = it.stage + 1;
            self.begin_stage(part, next);
        } else if it.attempt < it.settings.attempts
            && it
                .settings
                .retry_timeout
                .is_none_or(|limit| self.now <= limit)
        {
            it.attempt += 1;
            let earliest = it.attempt_began + it.settings.retry_period;
            let until = earliest.max(self.now + it.settings.retry_sleep);
            // Never in wait of a moment that is here: nobody would come to wake us.
            if until > self.now {
                it.phase = Phase::Sleeping(until);
            } else {
                self.begin_stage(part, 0);
            }
        } else {
            self.part_done(part);
        }
    }

    pub(super) fn part_done(&mut self, part: PartId) {
        self.parts[part].phase = Phase::Done;
        if self.finished
            || self.winner().is_some()
            || self.parts.iter().any(|part| part.phase != Phase::Done)
        {
            return;
        }
        self.finished = true;
        let (outcome, cause, hang_up_caller) = match self.end {
            Some(End::CallerGone) => (Outcome::Cancelled, Cause::ORIGINATOR_CANCEL, false),
            Some(End::Cancelled(cause)) => (Outcome::Cancelled, cause, false),
            Some(End::SingleReject {
                cause,
                hang_up_caller,
            }) => (Outcome::of(cause), cause, hang_up_caller),
            Some(End::Won(_)) | None => {
                let (outcome, cause) = self.most_telling();
                (outcome, cause, false)
            }
        };
        self.commands.push(Command::Finish {
            outcome,
            cause,
            hang_up_caller,
        });
    }
}

impl End {
    /// What the phones are told that ring, or answer, when the call has ended so.
    fn tells(self) -> Cause {
        match self {
            End::Won(_) => Cause::LOSE_RACE,
            End::CallerGone => Cause::ORIGINATOR_CANCEL,
            End::Cancelled(cause) => cause,
            End::SingleReject { .. } => Cause::NO_ANSWER,
        }
    }
}

impl Leg {
    fn new(part: PartId, stage: usize, plan: NewLeg) -> Leg {
        Leg {
            part,
            stage,
            state: LegState::Waiting,
            dialled: None,
            ringing: None,
            answered: None,
            ended: None,
            cause: Cause::NONE,
            role: None,
            branch: None,
            plan,
            timed_out: false,
            cut: false,
            hung_up: false,
            started: false,
        }
    }

    /// An operator has ended it.
    pub(super) fn dropped(&self) -> bool {
        self.hung_up && !self.timed_out && self.cause == Cause::ORIGINATOR_CANCEL
    }

    /// Its cause for the ranking: what `cti_missed=never` has told the phone is not it.
    pub(super) fn own_cause(&self) -> Cause {
        match self.cause {
            Cause::LOSE_RACE if self.timed_out => Cause::NO_ANSWER,
            cause => cause,
        }
    }
}
