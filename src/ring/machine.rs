//! What each event does to a call: the transitions of the ring machine.
//! Stages begin and end here, legs are dialled and hung up, and one leg wins; the
//! clock's share is in `deadlines`, what others may ask is in `view`.

use super::*;

impl Ring {
    /// `parts`: for each part its settings and how many stages it has (at least one).
    pub fn new(parts: Vec<(Settings, usize)>) -> Ring {
        let parts = parts.into_iter().map(|(settings, stages)| Part {
            settings,
            stages,
            stage: StageId(0),
            first: LegId(0),
            open: BTreeMap::new(),
            began: Time::ZERO,
            shift: Duration::ZERO,
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
            Event::Begin => self.part_ids().for_each(|part| match self.end {
                None => self.begin(part),
                Some(_) => self.part_done(part),
            }),
            Event::Resolved {
                part,
                stage,
                legs,
                more,
            } => self.resolved(part, stage, legs, more),
            Event::Turns { part, more } => {
                self.turns(part, more);
                // No deadline is looked at before those are known who were found with it.
                return Vec::new();
            }
            Event::Started(leg) => self.started(leg),
            Event::Ringing(leg) => self.leg_reached(leg, LegState::Ringing),
            Event::EarlyMedia(leg) => self.early_media(leg),
            Event::Answered(leg) => self.answered(leg),
            Event::Confirmed(leg) => self.confirmed(leg),
            Event::Ended { leg, cause } => self.ended(leg, cause),
            Event::Redirected { leg, cause, places } => self.redirected(leg, cause, places),
            Event::Followed { leg, legs } => self.followed(leg, legs),
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

    pub(super) fn ended(&mut self, leg: LegId, cause: Cause) {
        // Nothing is known yet of what was not dialled.
        let dialled = |leg: &Leg| leg.dialled.is_some() && leg.state != LegState::Ended;
        if self.legs.get(leg.0).is_some_and(dialled) {
            let part = self.legs[leg].part;
            self.leg_ended(leg, cause);
            self.stage_over(part);
        }
    }

    fn begin(&mut self, part: PartId) {
        match self.parts[part].settings.delay {
            Time::ZERO => self.begin_stage(part, StageId(0)),
            delay => self.parts[part].phase = Phase::Sleeping(self.now + delay),
        }
    }

    pub(super) fn begin_stage(&mut self, part: PartId, stage: StageId) {
        let first = LegId(self.legs.len());
        let it = &mut self.parts[part];
        it.stage = stage;
        it.phase = Phase::Resolving;
        it.kept_open = None;
        it.first = first;
        it.last = stage.0 + 1 == it.stages;
        it.early_media = it.settings.early_media_of(false, false);
        // Nobody waits any more for whom an earlier stage has still to find, unless it rings on.
        if stage == StageId(0) || it.settings.mode == Mode::Sequence {
            it.open.clear();
        }
        it.open.insert(stage, first);
        // So long it may be looked up; or a phone of an earlier stage wins in early media.
        let limit = it.settings.stage_limit(it.last, Time::ZERO);
        it.stage_deadline = limit.map(|limit| self.now + limit);
        it.progress_deadline = it.settings.progress_timeout.map(|limit| self.now + limit);
        it.began = self.now;
        if stage == StageId(0) {
            it.attempt_began = self.now;
        }
        self.commands.push(Command::Resolve { part, stage });
    }

    fn resolved(&mut self, part: PartId, stage: StageId, new: Vec<NewLeg>, more: bool) {
        let first = LegId(self.legs.len());
        let Some(it) = self.parts.get_mut(part.0) else {
            return;
        };
        let of = it.open.get(&stage).copied();
        if !more {
            it.open.remove(&stage);
        }
        let asked = of.is_some() && matches!(it.phase, Phase::Resolving | Phase::Ringing);
        let of = of.unwrap_or(first);
        self.legs
            .extend(new.into_iter().map(|plan| Leg::new(part, stage, of, plan)));
        let legs: Vec<LegId> = self.leg_ids().skip(first.0).collect();
        let late = self.is_over(part);
        if !asked || self.end.is_some() || late {
            return self.never_dialled(legs, asked && late);
        }
        let alive = |leg: &Leg| leg.plan.dead.is_none();
        let found = self.legs[first.0..].iter().any(alive);
        let mut earlier = self.legs[..first.0].iter();
        let beside = earlier.any(|leg| leg.part == part && leg.is_open());
        let it = &self.parts[part];
        let newest = stage == it.stage;
        // A late start counts from the stage's beginning, not from the look-up's end.
        let (began, shift) = match newest && it.phase == Phase::Ringing {
            true => (it.began, it.shift),
            false => (self.now, Duration::ZERO),
        };
        if newest && (found || !more) {
            self.rings_from_now(part);
        }
        // If nobody rings at once, the earliest late starter does: core's rule too.
        let starts = |leg: &&Leg| alive(leg) && leg.plan.held.is_zero();
        let delays = self.legs[first.0..].iter().filter(starts);
        let earliest = delays.map(|leg| leg.plan.delay).min().unwrap_or_default();
        let shift = match beside {
            true => shift,
            false => (began + earliest).saturating_sub(self.now),
        };
        if newest {
            self.parts[part].shift = shift;
        }
        if newest && !more {
            let unregistered = |leg: &Leg| leg.plan.dead == Some(Cause::USER_NOT_REGISTERED);
            let legs = || self.of_stage(part, stage, of).map(|leg| &self.legs[leg]);
            let may_wait = legs().any(|leg| leg.plan.may_register && unregistered(leg));
            let may_wait = may_wait && !legs().any(alive);
            let it = &mut self.parts[part];
            let wait = it.settings.wait_register.filter(|_| may_wait);
            it.kept_open = wait.map(|wait| self.now + wait);
        }
        if newest {
            self.parts[part].early_media = self.early_media_of(part);
        }
        self.start(legs, part, began, shift);
        if newest && !more {
            self.all_is_known(part, stage, of);
        }
    }

    /// So many stages more follow those that have begun, so that the newest is not the last.
    fn turns(&mut self, part: PartId, more: usize) {
        let Some(it) = self.parts.get_mut(part.0) else {
            return;
        };
        let was_last = it.stage.0 + 1 == it.stages;
        it.stages += more;
        if more == 0 || !was_last || !it.last {
            return;
        }
        it.last = false;
        let limit = |last| it.settings.stage_limit(last, Time::ZERO);
        it.stage_deadline = match (it.stage_deadline, limit(true), limit(false)) {
            // What an operator has added to the one stays with the other.
            (Some(at), Some(before), Some(now)) => Some((at + now).saturating_sub(before)),
            (_, _, now) => now.map(|now| it.began + now),
        };
        self.stretch(part);
    }

    /// Somebody is known who rings, or all that can be known is: the stage's times count from now on.
    fn rings_from_now(&mut self, part: PartId) {
        let it = &mut self.parts[part];
        if it.phase == Phase::Resolving {
            it.phase = Phase::Ringing;
            let later = self.now - it.began;
            for deadline in [&mut it.stage_deadline, &mut it.progress_deadline] {
                *deadline = deadline.map(|at| at + later);
            }
            (it.began, it.shift) = (self.now, Duration::ZERO);
        }
    }

    /// The legs of a stage, of which this could be the first.
    pub(super) fn of_stage(
        &self,
        part: PartId,
        stage: StageId,
        first: LegId,
    ) -> impl Iterator<Item = LegId> + use<'_> {
        let of_stage = move |&leg: &LegId| {
            let it = &self.legs[leg];
            (it.part, it.stage) == (part, stage)
        };
        self.leg_ids().skip(first.0).filter(of_stage)
    }

    /// What the caller hears of those that ring in the part's newest stage. As long as somebody is
    /// looked up nobody is known to ring alone.
    fn early_media_of(&self, part: PartId) -> EarlyMedia {
        let it = &self.parts[part];
        let legs = || self.of_stage(part, it.stage, it.first);
        let plans = || legs().map(|leg| &self.legs[leg].plan);
        // Whatever rings in a leg's place is one with it, unless there are several at a time.
        let own = |leg: &LegId| self.legs[*leg].replaces.is_none();
        let rings = |leg: &LegId| own(leg) && self.legs[*leg].plan.dead.is_none();
        let alone = legs().filter(rings).count() <= 1;
        let alone = alone && !legs().any(|leg| self.legs[leg].is_scattered());
        let may_grow = plans().any(|leg| leg.may_register);
        let known = !it.open.contains_key(&it.stage);
        let joined = it.settings.mode == Mode::Progressive && it.stages > 1;
        let alone = alone && known && self.parts.len() == 1 && !joined;
        it.settings.early_media_of(alone, it.last && !may_grow)
    }

    /// Who rings already may have turned out to ring alone.
    fn all_is_known(&mut self, part: PartId, stage: StageId, first: LegId) {
        let early_media = self.parts[part].early_media;
        let legs: Vec<LegId> = self.of_stage(part, stage, first).collect();
        for leg in legs {
            let it = &mut self.legs[leg];
            if it.dialled.is_some() && it.state != LegState::Ended && it.early_media != early_media
            {
                it.early_media = early_media;
                if it.state == LegState::EarlyMedia {
                    self.early_media(leg);
                }
            }
        }
    }

    /// Begin with these legs of the running stage, whose delays count from then on and are so much
    /// less.
    pub(super) fn start(&mut self, legs: Vec<LegId>, part: PartId, began: Time, shift: Duration) {
        let dead = |leg: &LegId| self.legs[*leg].plan.dead;
        let failed: Vec<_> = legs
            .iter()
            .filter_map(|leg| Some((*leg, dead(leg)?)))
            .collect();
        let alive: Vec<LegId> = legs.into_iter().filter(|leg| dead(leg).is_none()).collect();
        // Of several that ring in another's place one is enough.
        let required = |(leg, _): &(LegId, Cause)| {
            self.legs[*leg].plan.required && self.legs[*leg].replaces.is_none()
        };
        let hopeless = failed.iter().any(required);
        for (leg, cause) in failed {
            self.leg_ended(leg, cause);
        }
        // A later stage may be looked up meanwhile.
        let rings = matches!(self.parts[part].phase, Phase::Ringing | Phase::Resolving);
        if hopeless || !self.undecided() || !rings {
            self.never_dialled(alive, false);
        } else {
            for &leg in &alive {
                let plan = &self.legs[leg].plan;
                let delay = match plan.held {
                    Time::ZERO => plan.delay.saturating_sub(shift),
                    held => held + plan.delay,
                };
                self.legs[leg].at = Some(self.now.max(began + delay));
            }
            self.stretch(part);
            for leg in alive {
                if self.legs[leg].at == Some(self.now) {
                    self.dial(leg);
                }
            }
        }
        self.stage_over(part);
    }

    /// Legs that came too late: the stage or the call was over.
    pub(super) fn never_dialled(&mut self, legs: Vec<LegId>, timed_out: bool) {
        for leg in legs {
            // Nobody asked for it any more, so what it would have said decides nothing.
            self.legs[leg].plan.dead = None;
            self.legs[leg].timed_out = timed_out;
            let cause = if timed_out {
                Cause::NO_ANSWER
            } else {
                Cause::ORIGINATOR_CANCEL
            };
            self.leg_ended(leg, cause);
            self.legs[leg].cut = !timed_out;
        }
    }

    pub(super) fn dial(&mut self, leg: LegId) {
        let it = &mut self.legs[leg];
        it.early_media = self.parts[it.part].early_media;
        it.state = LegState::Dialled;
        it.dialled = Some(self.now);
        self.commands.push(Command::Dial(leg));
    }

    /// Its times count from its INVITE, which may wait for those of many others.
    fn started(&mut self, leg: LegId) {
        let now = self.now;
        let begins = |it: &&mut Leg| it.state == LegState::Dialled && !it.started;
        if let Some(it) = self.legs.get_mut(leg.0).filter(begins) {
            it.started = true;
            it.dialled = Some(now);
            let part = it.part;
            self.stretch(part);
        }
    }

    fn leg_reached(&mut self, leg: LegId, state: LegState) {
        let now = self.now;
        let goes_on = |it: &&mut Leg| it.dialled.is_some() && it.state != LegState::Ended;
        let Some(it) = self.legs.get_mut(leg.0).filter(goes_on) else {
            return;
        };
        it.started = true;
        match state {
            LegState::Ringing | LegState::EarlyMedia => {
                let at = it.answered.unwrap_or(now);
                it.ringing.get_or_insert(at);
                if state == LegState::EarlyMedia {
                    it.media.get_or_insert(now);
                }
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
        let rings = match state {
            LegState::Ringing => true,
            LegState::EarlyMedia => it.early_media == EarlyMedia::Ignore,
            _ => false,
        };
        if rings && it.hung_up.is_none() && self.end.is_none() && !self.caller_rings {
            self.caller_rings = true;
            self.commands.push(Command::Alert(leg));
        }
    }

    fn early_media(&mut self, leg: LegId) {
        self.leg_reached(leg, LegState::EarlyMedia);
        let counts = |it: &Leg| {
            let core = it.early_media == EarlyMedia::Core && it.state == LegState::EarlyMedia;
            core && it.hung_up.is_none()
        };
        if self.end.is_some() || !self.legs.get(leg.0).is_some_and(counts) {
            return;
        }
        let plan = &self.legs[leg].plan;
        if plan.confirm.is_none() {
            self.wins(leg);
        } else if plan.confirm_early {
            self.ask(leg);
        }
    }

    fn answered(&mut self, leg: LegId) {
        let before = self.legs.get(leg.0).map(|it| it.answered);
        self.leg_reached(leg, LegState::Answered);
        let Some(it) = self.legs.get(leg.0).filter(|_| before == Some(None)) else {
            return;
        };
        if it.state != LegState::Answered {
            return;
        }
        if it.plan.confirm.is_none() || self.winner() == Some(leg) {
            self.answers(leg);
        } else if self.undecided() && it.hung_up.is_none() {
            self.ask(leg);
        }
    }

    fn ask(&mut self, leg: LegId) {
        if !std::mem::replace(&mut self.legs[leg].asked, true) {
            self.commands.push(Command::Confirm(leg));
        }
    }

    fn confirmed(&mut self, leg: LegId) {
        let Some(it) = self.legs.get(leg.0).filter(|it| it.asked) else {
            return;
        };
        if self.winner() == Some(leg) {
            return;
        }
        match it.state {
            LegState::Answered => self.answers(leg),
            LegState::EarlyMedia if self.end.is_none() && it.hung_up.is_none() => self.wins(leg),
            _ => {}
        }
    }

    /// An answer for good. It wins unless the call is decided, also where the leg's time was over
    /// in the same moment; over one that is joined in early media, too.
    fn answers(&mut self, leg: LegId) {
        if self.winner() == Some(leg) {
            return self.hang_up_all(|_| true, Cause::LOSE_RACE);
        }
        let early = self.tentative().filter(|_| self.cancelled.is_none());
        if let Some(end) = self.end.filter(|_| early.is_none()) {
            if self.legs[leg].hung_up.is_none() {
                let user = self.declined(end);
                let told = match user.is_some() && self.legs[leg].plan.user == user {
                    true => Cause::LOSE_RACE,
                    false => end.tells(),
                };
                let cause = self.cancelled.unwrap_or(told);
                self.legs[leg].cut = true;
                self.hang_up(leg, cause);
            }
            return;
        }
        let it = &self.legs[leg];
        if it.hung_up.is_some() && !self.spares(leg) {
            return;
        }
        self.wins(leg);
    }

    fn wins(&mut self, leg: LegId) {
        let it = &mut self.legs[leg];
        it.role = Some(Role::Winner);
        (it.hung_up, it.timed_out, it.cut) = (None, false, false);
        self.end = Some(End::Won(leg));
        self.commands.push(Command::Join(leg));
        if self.tentative().is_none() {
            self.hang_up_all(|_| true, Cause::LOSE_RACE);
        }
    }

    pub(super) fn leg_ended(&mut self, leg: LegId, cause: Cause) {
        let now = self.now;
        let (won, tentative) = (self.winner(), self.tentative());
        let Some(it) = self
            .legs
            .get_mut(leg.0)
            .filter(|leg| leg.state != LegState::Ended)
        else {
            return;
        };
        let never_dialled = it.dialled.is_none() && it.plan.dead.is_none();
        it.state = LegState::Ended;
        it.ended = Some(now);
        it.cause = cause;
        // Nobody but an operator tells one to end that was not dialled.
        it.cut |= never_dialled && !it.timed_out && it.hung_up.is_none();
        let (cut, dropped) = (it.cut, it.dropped());
        // Joined in early media, it may end without an answer.
        let unanswered = won == Some(leg) && it.answered.is_none();
        let lost = won.is_some() && tentative.is_none();
        let given_up = cause == Cause::ORIGINATOR_CANCEL || self.cancelled.is_some();
        let ended = matches!(self.end, Some(End::CallerGone | End::Cancelled(_)));
        let called_off = ended || self.cancelled.is_some();
        it.role = Some(if it.moved.is_some() {
            Role::Redirected
        } else if unanswered && given_up {
            Role::Cancelled
        } else if unanswered {
            Role::Failed
        } else if won == Some(leg) {
            Role::Winner
        } else if lost {
            Role::Loser
        } else if dropped || cut && called_off {
            Role::Cancelled
        } else {
            Role::Failed
        });
        let part = it.part;
        if never_dialled || self.end.is_some() {
            return;
        }
        if cut {
            return self.start_late_ones_early(part);
        }
        if self.goes_on_elsewhere(leg) {
            return;
        }
        self.has_failed(leg, cause);
    }

    /// A leg has failed, and with it whatever rang in its place or in whose place it rang.
    pub(super) fn has_failed(&mut self, leg: LegId, cause: Cause) {
        let it = &self.legs[leg];
        let (part, stage, required) = (it.part, it.stage, it.plan.required);
        let settings = &self.parts[part].settings;
        if it.hung_up.is_none() && settings.single_reject.matches(cause) {
            let hang_up_caller = settings.hang_up_on_single_reject;
            return self.end_call(End::SingleReject {
                by: leg,
                cause,
                hang_up_caller,
            });
        }
        // A later stage may be looked up meanwhile.
        let rings = matches!(self.parts[part].phase, Phase::Ringing | Phase::Resolving);
        if required && rings {
            // The others rang for nothing: to them it is a missed call.
            return self.cancel_stage(part, stage);
        }
        self.start_late_ones_early(part);
    }

    /// When nobody rings any more but somebody is still to start: start the earliest now.
    pub(super) fn start_late_ones_early(&mut self, part: PartId) {
        if self.parts[part].phase != Phase::Ringing || self.end.is_some() {
            return;
        }
        let legs = self.legs.iter().filter(|leg| leg.part == part);
        if legs
            .clone()
            .any(|leg| leg.state != LegState::Waiting && leg.is_open())
        {
            return;
        }
        let waits = |leg: &Leg| {
            leg.part == part && leg.state == LegState::Waiting && leg.plan.held.is_zero()
        };
        let starts = legs.filter(|leg| waits(leg)).filter_map(|leg| leg.at);
        let Some(earliest) = starts.min() else {
            return;
        };
        let early = earliest.saturating_sub(self.now);
        for leg in self.legs.iter_mut().filter(|leg| waits(leg)) {
            leg.at = leg.at.map(|at| at - early);
        }
    }

    /// Who leaves without an answer was no winner, if the call may go on.
    fn unanswered_left(&mut self, leg: LegId) {
        if !self.may_resume(leg) {
            return;
        }
        self.leg_ended(leg, Cause::NO_ANSWER);
        self.end = None;
        // They have lost to nobody.
        let lost = |leg: &&mut Leg| leg.role == Some(Role::Loser);
        (self.legs.iter_mut().filter(lost)).for_each(|leg| leg.role = Some(Role::Failed));
        let it = &mut self.legs[leg];
        let cancelled = self.cancelled.is_some() || it.dropped();
        it.role = Some(if cancelled {
            Role::Cancelled
        } else if it.moved.is_some() {
            Role::Redirected
        } else {
            Role::Failed
        });
        let part = it.part;
        let beside = !cancelled && self.goes_on_elsewhere(leg) || self.has_open(part);
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
            None => self.part_ids().for_each(|part| self.stage_over(part)),
        }
    }

    /// An operator cancels a call whose winner is in early media: its end is the call's.
    fn end_winner(&mut self, leg: LegId, cause: Cause) {
        if self.cancelled.is_some() {
            return;
        }
        self.cancelled = Some(cause);
        self.hang_up_all(|_| true, cause);
        if self.legs[leg].hung_up.is_none() {
            self.hang_up(leg, cause);
        }
    }

    /// The call is decided: nothing starts any more, everything that rings is ended.
    fn end_call(&mut self, end: End) {
        if self.tentative().is_some() {
            self.cancelled.get_or_insert(end.tells());
            self.hang_up_all(|_| true, end.tells());
        }
        if self.end.is_some() || self.finished {
            return;
        }
        self.end = Some(end);
        if let Some(user) = self.declined(end) {
            self.hang_up_all(
                |leg| leg.plan.user.as_ref() == Some(&user),
                Cause::LOSE_RACE,
            );
        }
        self.hang_up_all(|_| true, end.tells());
        for part in self.part_ids() {
            // Whoever is still looked up will not ring.
            if self.parts[part].phase == Phase::Resolving {
                self.parts[part].phase = Phase::Ending;
            }
            self.stage_over(part);
        }
    }

    /// The user who has declined the call for everybody: his other devices have missed nothing.
    fn declined(&self, end: End) -> Option<String> {
        match end {
            End::SingleReject { by, cause, .. } if cause.is_rejection() || cause.is_busy() => {
                self.legs[by].plan.user.clone()
            }
            _ => None,
        }
    }

    pub(super) fn hang_up(&mut self, leg: LegId, cause: Cause) {
        self.legs[leg].hung_up = Some(cause);
        self.commands.push(Command::HangUp { leg, cause });
    }

    /// Whatever rings or is still to start, but the winner.
    fn hang_up_all(&mut self, which: impl Fn(&Leg) -> bool, cause: Cause) {
        let winner = self.winner();
        for leg in self.leg_ids() {
            let it = &mut self.legs[leg];
            let starts = it.state != LegState::Waiting || it.at.is_some();
            let open = starts && it.state != LegState::Ended && it.hung_up.is_none();
            if winner != Some(leg) && which(it) {
                it.moved.iter_mut().for_each(Moved::stop);
            }
            if !open || winner == Some(leg) || !which(it) {
                continue;
            }
            it.cut = !it.timed_out;
            match it.state {
                LegState::Waiting => self.leg_ended(leg, cause),
                _ => self.hang_up(leg, cause),
            }
        }
    }

    /// The newest stage's time is over: the next one takes its place, or joins it.
    pub(super) fn stage_time_over(&mut self, part: PartId) {
        if self.parts[part].goes_on_progressively() && !self.is_over(part) {
            let next = StageId(self.parts[part].stage.0 + 1);
            return self.begin_stage(part, next);
        }
        self.time_over_for(part);
        self.parts[part].phase = Phase::Ending;
        self.stage_over(part);
    }

    /// The time of all that rings of this part is over.
    pub(super) fn time_over_for(&mut self, part: PartId) {
        // What was ended before, by an operator or for another's sake, has not run out of time.
        let open = |leg: &&mut Leg| {
            leg.part == part && leg.state != LegState::Ended && leg.hung_up.is_none()
        };
        for leg in self.legs.iter_mut().filter(open) {
            leg.timed_out = true;
        }
        let cause = self.parts[part].settings.missed.cause();
        self.parts[part].kept_open = None;
        self.hang_up_all(|leg| leg.part == part, cause);
    }

    fn drop_leg(&mut self, leg: LegId) {
        if leg.0 >= self.legs.len() || !self.droppable(leg) {
            return;
        }
        let cause = Cause::ORIGINATOR_CANCEL;
        self.stop_following(leg);
        if self.legs[leg].state != LegState::Waiting {
            return self.hang_up(leg, cause);
        }
        self.legs[leg].hung_up = Some(cause);
        self.leg_ended(leg, cause);
        self.stage_over(self.legs[leg].part);
    }

    /// Added legs ring beside what rings already.
    fn added(&mut self, part: PartId, stage: StageId, new: Vec<NewLeg>) {
        let first = self.legs.len();
        if part.0 >= self.parts.len() {
            return;
        }
        let takes = self.takes(part, stage);
        self.legs.extend(
            new.into_iter()
                .map(|plan| Leg::new(part, stage, LegId(first), plan)),
        );
        let legs: Vec<LegId> = self.leg_ids().skip(first).collect();
        if legs.is_empty() || !takes {
            return self.never_dialled(legs, false);
        }
        let it = &mut self.parts[part];
        // Several ring now: their early media is nobody's.
        if it.settings.early_media.is_none() {
            it.early_media = EarlyMedia::Ignore;
        }
        let alive = legs.iter().any(|&leg| self.legs[leg].plan.dead.is_none());
        if alive && stage == it.stage {
            it.kept_open = None;
            self.rings_from_now(part);
        }
        self.start(legs, part, self.now, Duration::ZERO);
    }

    /// A leg that was required has failed: its stage rings for nothing.
    fn cancel_stage(&mut self, part: PartId, stage: StageId) {
        // To the others it is a missed call.
        let it = &mut self.parts[part];
        let cause = it.settings.missed.cause();
        it.open.remove(&stage);
        if it.stage == stage {
            it.kept_open = None;
            self.rings_from_now(part);
        }
        let it = &mut self.parts[part];
        if it.settings.mode == Mode::Sequence {
            it.phase = Phase::Ending;
        }
        self.hang_up_all(|leg| leg.part == part && leg.stage == stage, cause);
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
        let mut looked_up = it.open.keys();
        if it.phase == Phase::Ringing
            && self.end.is_none()
            && looked_up.any(|&it| !newest || it == stage)
        {
            return;
        }
        let waits_for = |leg: &Leg| {
            let open = leg.part == part && leg.is_open();
            open && (!newest || leg.stage == stage)
        };
        if self.legs.iter().any(|leg| waits_for(leg) && !leg.is_idle()) {
            return;
        }
        if self.legs.iter().any(waits_for) {
            let rang = |leg: &Leg| (leg.part, leg.stage) == (part, stage) && !leg.plan.idle;
            if self.legs.iter().any(rang) {
                let idle = |leg: &Leg| waits_for(leg) && leg.is_idle();
                self.hang_up_all(idle, Cause::NO_ANSWER);
            }
            // One that was still to start has ended at once.
            if self.legs.iter().any(waits_for) {
                return;
            }
        }
        if self.end.is_some() || self.is_over(part) {
            return self.part_done(part);
        }
        let it = &mut self.parts[part];
        if it.stage.0 + 1 < it.stages && !it.last {
            let next = StageId(it.stage.0 + 1);
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
                self.begin_stage(part, StageId(0));
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
                ..
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
    pub(super) fn new(part: PartId, stage: StageId, of: LegId, plan: NewLeg) -> Leg {
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
            replaces: None,
            numbers: plan.number.iter().cloned().collect(),
            plan,
            of,
            at: None,
            early_media: EarlyMedia::Ignore,
            timed_out: false,
            cut: false,
            hung_up: None,
            started: false,
            asked: false,
            media: None,
            since: None,
            moved: None,
        }
    }

    /// An operator has ended it.
    pub(super) fn dropped(&self) -> bool {
        let by_us = self.hung_up.is_some() && !self.timed_out && !self.cut;
        by_us && self.cause == Cause::ORIGINATOR_CANCEL
    }

    /// Its cause for the ranking: what `cti_missed=never` has told the phone is not it.
    pub(super) fn own_cause(&self) -> Cause {
        match self.cause {
            Cause::LOSE_RACE if self.timed_out => Cause::NO_ANSWER,
            cause => cause,
        }
    }
}
