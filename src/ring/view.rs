//! What others may ask a ring machine, none of which changes it.

use super::*;

impl Ring {
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// The leg is to end, or has ended, by the machine's own word.
    pub fn is_hung_up(&self, leg: LegId) -> bool {
        self.legs[leg].hung_up.is_some()
    }

    pub fn leg(&self, leg: LegId) -> &Leg {
        &self.legs[leg]
    }

    pub(super) fn leg_ids(&self) -> impl Iterator<Item = LegId> + use<> {
        (0..self.legs.len()).map(LegId)
    }

    pub(super) fn part_ids(&self) -> impl Iterator<Item = PartId> + use<> {
        (0..self.parts.len()).map(PartId)
    }

    pub fn winner(&self) -> Option<LegId> {
        match self.end {
            Some(End::Won(leg)) => Some(leg),
            _ => None,
        }
    }

    /// The machine knows what this event of a leg's would tell.
    pub fn knows(&self, event: &Event) -> bool {
        let leg = |leg: &LegId| self.legs.get(leg.0);
        match event {
            Event::Ringing(id) => leg(id).is_none_or(|leg| leg.ringing.is_some()),
            Event::EarlyMedia(id) => {
                leg(id).is_none_or(|leg| leg.state as u8 >= LegState::EarlyMedia as u8)
            }
            Event::Answered(id) => leg(id).is_none_or(|leg| leg.answered.is_some()),
            Event::Ended { leg: id, .. } | Event::Redirected { leg: id, .. } => {
                leg(id).is_none_or(|leg| leg.state == LegState::Ended)
            }
            _ => false,
        }
    }

    /// Some phone has rung, in whichever stage.
    pub fn has_rung(&self) -> bool {
        self.legs.iter().any(|leg| leg.ringing.is_some())
    }

    /// The stage that rang last.
    pub fn stage(&self) -> StageId {
        let winner = self.winner().map(|leg| self.legs[leg].stage);
        let newest = self.parts.iter().map(|part| part.stage).max();
        winner.or(newest).unwrap_or_default()
    }

    /// A leg other than the winner has begun and not ended.
    pub fn losers_open(&self) -> bool {
        let open = |leg: &Leg| leg.started && leg.state != LegState::Ended;
        let winner = self.winner();
        let mut legs = self.leg_ids().zip(&self.legs);
        legs.any(|(id, leg)| winner != Some(id) && open(leg))
    }

    /// This stage rings, so that further legs may join it.
    pub fn takes(&self, part: PartId, stage: StageId) -> bool {
        let it = &self.parts[part];
        let beside = stage < it.stage && it.settings.mode == Mode::Progressive;
        let rings = matches!(it.phase, Phase::Ringing | Phase::Resolving);
        let rings = rings && (stage == it.stage || beside);
        rings && self.undecided() && !self.is_over(part)
    }

    /// It rings, or is still to start, and nobody has ended it: what an operator may drop.
    pub fn droppable(&self, leg: LegId) -> bool {
        let waits = self.legs[leg].state == LegState::Waiting;
        match self.end {
            Some(_) if self.tentative().is_none() => self.unanswered_winner() == Some(leg),
            _ => waits || self.rings(leg),
        }
    }

    /// It belongs to the present attempt of its part (`originate_retries`, `campon`).
    pub fn of_this_attempt(&self, leg: &Leg) -> bool {
        leg.ended
            .is_none_or(|at| at >= self.parts[leg.part].attempt_began)
    }

    /// The call is decided: nothing starts any more.
    pub fn over(&self) -> bool {
        self.end.is_some() || self.finished
    }

    /// Nobody has answered, nor has anything else ended the call.
    pub(super) fn undecided(&self) -> bool {
        let joined = |leg: LegId| self.legs[leg].state != LegState::Ended;
        self.end.is_none() || self.cancelled.is_none() && self.tentative().is_some_and(joined)
    }

    /// Nobody has answered, so an operator may still do something.
    pub fn steerable(&self) -> bool {
        !self.over() || self.early_winner().is_some()
    }

    /// Of the part that has most.
    pub fn stages(&self) -> usize {
        self.parts.iter().map(|part| part.stages).max().unwrap_or(0)
    }

    /// For each part that rings: its stage, of how many, and the time left to the
    /// stage's and the call's deadline.
    pub fn ringing(&self, now: Time) -> Vec<Ringing> {
        let of = |part: PartId| {
            let it = &self.parts[part];
            let left = |deadline: Option<Time>| deadline.map(|at| at.saturating_sub(now));
            let kept_open = it.kept_open.filter(|_| self.end.is_none());
            Ringing {
                part,
                stage: it.stage,
                stages: it.stages,
                stage_left: left(it.stage_deadline.into_iter().chain(kept_open).min()),
                call_left: left(it.over()),
            }
        };
        self.steerable_parts().into_iter().map(of).collect()
    }

    /// Until this leg's own deadline, or, while it waits, until it starts.
    pub fn left(&self, leg: LegId, now: Time) -> Option<Duration> {
        let it = &self.legs[leg];
        let silent = it.state == LegState::Dialled;
        let at = match it.state {
            LegState::Waiting => it.at?,
            _ if self.rings(leg) => [it.deadline(), it.progress_deadline().filter(|_| silent)]
                .into_iter()
                .flatten()
                .min()?,
            _ => return None,
        };
        Some(at.saturating_sub(now))
    }

    /// The winner is joined in early media by our own choice, not the plan's: only an answer is
    /// final, so that others may ring beside it, and answer first.
    pub fn tentative(&self) -> Option<LegId> {
        let by_choice = |&leg: &LegId| {
            let it = &self.legs[leg];
            let chosen = self.parts[it.part].settings.early_media.is_none();
            it.answered.is_none() && it.early_media == EarlyMedia::Core && chosen
        };
        self.winner().filter(by_choice)
    }

    /// The call goes on when this winner leaves without an answer: to the next stage, with those
    /// that ring beside it, or where its phone has moved.
    pub fn may_resume(&self, leg: LegId) -> bool {
        let Some(it) = self.tentative().filter(|&it| it == leg) else {
            return false;
        };
        let it = &self.legs[it];
        let mut others = self.leg_ids().zip(&self.legs);
        it.moved.is_some()
            || others.any(|(id, other)| {
                (other.part, other.stage) == (it.part, it.stage) && id != leg && other.at.is_some()
            })
    }

    /// Its time was over when it answered: the answer stands, unless the call is decided. A HangUp
    /// that was not carried out before the answer was read is none any more.
    pub fn spares(&self, leg: LegId) -> bool {
        let it = &self.legs[leg];
        let early = self.cancelled.is_none() && self.tentative().is_some();
        let may_win = self.end.is_none() || early;
        it.hung_up.is_none() || it.timed_out && may_win && !it.unconfirmed()
    }

    /// How a leg failed that was dialled, by itself or because its time was over. Whoever lost to
    /// another or was cancelled has not failed.
    pub fn failure(&self, leg: LegId) -> Option<Outcome> {
        let it = &self.legs[leg];
        let failed = it.role == Some(Role::Failed) && it.dialled.is_some() && !it.cut;
        failed.then(|| match it.timed_out {
            true => Outcome::NoAnswer,
            false => Outcome::of(it.cause),
        })
    }

    /// No other leg has rung in this one's stage so far, nor does another part beside it.
    pub fn alone(&self, leg: LegId) -> bool {
        let at = |leg: &Leg| (leg.part, leg.stage);
        let of = at(&self.legs[leg]);
        let rings = |leg: &&Leg| at(leg) == of && leg.role != Some(Role::Redirected);
        let company = self.legs.iter().filter(rings).count();
        let (part, stage) = of;
        company == 1 && self.parts.len() == 1 && !self.parts[part].open.contains_key(&stage)
    }

    /// Some targets of the part have not been found.
    fn looks_up(&self, part: PartId) -> bool {
        !self.parts[part].open.is_empty()
    }

    /// The legs of a stage that is looked up, so far.
    pub fn found_of(&self, part: PartId, stage: StageId) -> impl Iterator<Item = LegId> + use<'_> {
        let it = &self.parts[part];
        let first = it.open.get(&stage).copied().unwrap_or(it.first);
        self.of_stage(part, stage, first)
    }

    /// The stage of this part that has begun last.
    pub fn newest(&self, part: PartId) -> StageId {
        self.parts[part].stage
    }

    /// The legs in the plan's order, in which not all have been found.
    pub fn in_order(&self) -> Vec<LegId> {
        let mut legs: Vec<LegId> = self.leg_ids().collect();
        let place = |&leg: &LegId| {
            let it = &self.legs[leg];
            (it.of, it.part, it.plan.target)
        };
        legs.sort_by_key(place);
        legs
    }

    /// The leg whose early media the caller hears while it rings: the first to have any.
    pub fn relayed(&self) -> Option<LegId> {
        let relayed = |leg: &Leg| {
            let early = leg.state == LegState::EarlyMedia && leg.early_media == EarlyMedia::Relay;
            early && leg.hung_up.is_none() && self.end.is_none()
        };
        let legs = self.leg_ids().zip(&self.legs);
        let relayed = legs.filter(|(_, leg)| relayed(leg));
        let first = relayed.min_by_key(|(_, leg)| leg.media);
        first.map(|(id, _)| id)
    }

    /// How the call ended when the winner, joined in early media, never answered.
    pub fn unanswered(&self, leg: LegId) -> (Outcome, Cause) {
        let leg = &self.legs[leg];
        // Core's bridge ends the other side so when the caller hangs up first.
        let gone = leg.cause == Cause::ORIGINATOR_CANCEL && !leg.dropped();
        match self.cancelled.or(gone.then_some(leg.cause)) {
            Some(cause) => (Outcome::Cancelled, cause),
            None => self.most_telling(),
        }
    }

    /// How a call ends that nobody has answered (promise 8).
    pub(super) fn most_telling(&self) -> (Outcome, Cause) {
        // What an operator has dropped is no reason why nobody answered …
        // nor is a phone that has moved: those who rang in its place say why …
        let says = |leg: &&Leg| {
            let ended = leg.state == LegState::Ended && !leg.cut && !leg.dropped();
            ended && !leg.is_replaced()
        };
        let order = self.in_order();
        let legs = order.iter().map(|&leg| &self.legs[leg]);
        let failures = legs.filter(says).map(|leg| Failure {
            cause: leg.own_cause(),
            // An answer that nobody has confirmed is none.
            rang_out: leg.answered.is_some() && leg.unconfirmed()
                || leg.ringing.is_some() && (leg.timed_out || leg.cause.is_no_answer()),
        });
        // … unless there is no other.
        let otherwise = if self.legs.iter().any(Leg::dropped) {
            (Outcome::Cancelled, Cause::ORIGINATOR_CANCEL)
        } else if self
            .part_ids()
            .any(|part| self.is_over(part) || self.looks_up(part))
        {
            // The time was over before anybody was found.
            (Outcome::NoAnswer, Cause::NO_ANSWER)
        } else {
            (Outcome::Failed, Cause::DESTINATION_OUT_OF_ORDER)
        };
        rank(failures).unwrap_or(otherwise)
    }

    /// The leg whose own failure the call's cause is: what its phone has said, the caller is told.
    pub fn teller(&self, cause: Cause) -> Option<LegId> {
        let tells = |&leg: &LegId| {
            let leg = &self.legs[leg];
            let own = leg.hung_up.is_none() && !leg.cut && !leg.timed_out;
            let answered = leg.answered.is_some() && leg.unconfirmed();
            leg.state == LegState::Ended && own && !answered && leg.cause == cause
        };
        self.in_order().into_iter().find(tells)
    }

    /// The parts that an operator's command means; joined in early media, the winner's.
    pub(super) fn steerable_parts(&self) -> Vec<PartId> {
        match self.early_winner() {
            Some(leg) => vec![self.legs[leg].part],
            None => self.ringing_parts(),
        }
    }

    pub(super) fn ringing_parts(&self) -> Vec<PartId> {
        let rings = |part: &Part| matches!(part.phase, Phase::Ringing | Phase::Resolving);
        let ringing = |&part: &PartId| self.end.is_none() && rings(&self.parts[part]);
        self.part_ids().filter(ringing).collect()
    }

    /// Its own deadlines count: it rings, or has won in early media.
    pub(super) fn rings(&self, leg: LegId) -> bool {
        let it = &self.legs[leg];
        let unanswered = LegState::UNANSWERED.contains(&it.state)
            || it.state == LegState::Answered && it.unconfirmed();
        unanswered && it.hung_up.is_none()
    }

    /// The winner, while nobody has answered: what an operator's command means, also in the
    /// moment before it has left.
    pub(super) fn early_winner(&self) -> Option<LegId> {
        let joined = |leg: &LegId| self.legs[*leg].state != LegState::Ended;
        let tentative = self.tentative().filter(joined);
        tentative.or_else(|| self.unanswered_winner())
    }

    pub(super) fn unanswered_winner(&self) -> Option<LegId> {
        self.winner().filter(|&leg| {
            self.legs[leg].state == LegState::EarlyMedia && self.legs[leg].hung_up.is_none()
        })
    }
}
