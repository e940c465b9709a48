//! The calls in progress: one `Call` for each `cti_bridge` that runs now.
//! A call holds its ring machine and what the machine's ids stand for on the switch;
//! every thread that learns something feeds it here, and carries out what follows.

use crate::contacts::Contact;
use crate::events::{self, Announcement, Told};
use crate::hold::Hold;
use crate::plan::{Plan, Variables};
use crate::ring::{
    BranchId, Cause, Command, Event, Leg, LegId, LegState, NewLeg, Outcome, PartId, Ring, Time,
};
use crate::switch::cause::to_switch;
use crate::switch::dial::WITH_CALLER;
use crate::switch::guard::guarded;
use crate::switch::session::clock;
use crate::switch::{LockedSession, Session};
use crate::timer::Timer;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The channel variable that ties a leg to its call: `<serial>.<leg>`.
pub const LEG_VARIABLE: &str = "cti_leg";

/// What a call was asked to do; never changes.
pub struct Setting {
    /// The caller's.
    pub uuid: String,
    pub plan: Plan,
    /// For each part, the variables of all its legs: exports, `<…>`, `{…}`.
    pub globals: Vec<Variables>,
    /// For each part, whether devices that register late join it.
    pub late_join: Vec<bool>,
    pub hold: Hold,
    /// `cti_debug`: the whole story at INFO.
    pub debug: bool,
}

pub struct Call {
    /// Tells apart two calls of one caller, one after the other.
    pub serial: u64,
    setting: Setting,
    pub began: Instant,
    /// The same moment on the switch's clock, microseconds since the epoch.
    began_epoch: i64,
    timer: Arc<Timer>,
    pub state: Mutex<State>,
    /// Signalled after every event.
    changed: Condvar,
}

impl std::ops::Deref for Call {
    type Target = Setting;
    fn deref(&self) -> &Setting {
        &self.setting
    }
}

/// The machine and what its ids stand for. Never locked while the switch is called.
pub struct State {
    pub ring: Ring,
    pub legs: Vec<Dialled>,
    cells: HashMap<BranchId, Arc<AtomicU32>>,
    /// Winners between their originate's return and the machine's verdict.
    pub peers: HashMap<BranchId, LockedSession>,
    /// Commands that only the caller's thread may carry out.
    queue: VecDeque<Command>,
    /// The caller's thread is inside core's originate, which looks after the caller.
    pub core_has_caller: bool,
    /// The caller's thread is in [`crate::hold::wait`] and soon looks into the queue.
    pub caller_waits: bool,
    armed: Option<Time>,
    news: VecDeque<Announcement>,
    firing: bool,
    /// The machine is at work; found set by the next event, it has panicked.
    handling: bool,
    /// Why the plan is refused after all, found out when one of its stages began.
    pub refused: Option<String>,
    /// The winner was joined in early media and has not answered.
    pub answer_awaited: bool,
    /// Variables of the caller's that have another value until it does.
    loan: Loan,
    /// The leg for which they were given back: no thread that is late lends them once more.
    returned: Option<LegId>,
}

/// Names of variables, and the values that they had on the caller.
pub type Values = Vec<(&'static str, Option<String>)>;

/// Who lends or gives back is alone at it from its claim on: two that read the caller's values
/// at one moment would take each other's for his own.
#[derive(Default)]
enum Loan {
    #[default]
    None,
    /// One thread is asking or telling the switch; the others wait for it.
    Claimed,
    Out(Values),
}

/// A claim of the loan; what is lent when it is dropped stands. So a panic keeps nobody waiting
/// and loses no value that was read.
pub struct Claim<'a> {
    call: &'a Call,
    pub values: Values,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        self.call.state.lock().loan = if values.is_empty() {
            Loan::None
        } else {
            Loan::Out(values)
        };
        self.call.changed.notify_all();
    }
}

impl State {
    /// The legs to this contact that the part has or had in its present attempt.
    fn legs_to<'a>(
        &'a self,
        part: PartId,
        contact: &'a Contact,
    ) -> impl Iterator<Item = (LegId, &'a Leg)> {
        let legs = self.ring.legs().iter().zip(&self.legs).enumerate();
        let same = move |(_, (leg, dialled)): &(LegId, (&Leg, &Dialled))| {
            leg.part == part
                && contact.dead.is_none()
                && dialled.contact.dead.is_none()
                && dialled.contact.dial_string == contact.dial_string
                && self.ring.of_this_attempt(leg)
        };
        legs.filter(same).map(|(id, (leg, _))| (id, leg))
    }

    /// It rings, or is still to start; who is about to end does neither.
    fn rings(&self, part: PartId, contact: &Contact) -> bool {
        let mut legs = self.legs_to(part, contact);
        legs.any(|(leg, _)| self.ring.droppable(leg))
    }

    fn has_rung(&self, part: PartId, stage: usize, contact: &Contact) -> bool {
        let mut legs = self.legs_to(part, contact);
        legs.any(|(_, leg)| leg.stage == stage)
    }

    /// How many of the legs from this one on ring, or are still to start.
    fn open_since(&self, first: LegId) -> usize {
        let legs = self.ring.legs().iter().skip(first);
        legs.filter(|leg| leg.state != LegState::Ended).count()
    }
}

/// Why further contacts do not ring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NotAdded {
    Rings,
    Over,
    /// `max-targets`.
    Limit(usize),
}

impl fmt::Display for NotAdded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAdded::Rings => f.write_str("it rings already"),
            NotAdded::Over => f.write_str("too late: the stage is over"),
            NotAdded::Limit(limit) => {
                write!(f, "more legs would ring than max-targets ({limit})")
            }
        }
    }
}

pub struct Dialled {
    pub contact: Contact,
    pub uuid: Option<String>,
    pub sip_code: Option<u16>,
    pub told: Told,
    /// To be hung up as soon as its channel exists.
    doomed: Option<Cause>,
}

impl Call {
    pub fn new(setting: Setting, ring: Ring, timer: Arc<Timer>) -> Arc<Call> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        Arc::new(Call {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            setting,
            began: Instant::now(),
            began_epoch: epoch_now(),
            timer,
            state: Mutex::new(State {
                ring,
                legs: Vec::new(),
                cells: HashMap::new(),
                peers: HashMap::new(),
                queue: VecDeque::new(),
                core_has_caller: false,
                caller_waits: false,
                armed: None,
                news: VecDeque::new(),
                firing: false,
                handling: false,
                refused: None,
                answer_awaited: false,
                loan: Loan::None,
                returned: None,
            }),
            changed: Condvar::new(),
        })
    }

    /// Tell the machine what happened, and carry out what it decides. Any thread may; no
    /// lock of ours is held while the switch is called.
    pub fn feed(self: &Arc<Call>, event: Event) {
        self.feed_with(|_| event, |_| {});
    }

    /// The contacts of a stage: the machine numbers its legs in the order of `state.legs`,
    /// so both grow under one lock. One that an earlier stage still rings does not ring twice.
    pub fn resolved(self: &Arc<Call>, part: PartId, contacts: Vec<Contact>, legs: Vec<NewLeg>) {
        let prepare = |state: &mut State| {
            let new = contacts.into_iter().zip(legs);
            let new = new.filter(|(contact, _)| !state.rings(part, contact));
            let (contacts, legs): (Vec<_>, Vec<_>) = new.unzip();
            state.legs.extend(contacts.into_iter().map(Dialled::from));
            Event::Resolved { part, legs }
        };
        self.feed_with(prepare, |_| {});
    }

    /// Further contacts for a stage that rings, as long as no more than `limit` legs ring at
    /// once; how many of them ring now, and what is told of that before whatever follows from
    /// it. One that rings already does not ring twice; one that has had its turn only if `again`.
    pub fn added(
        self: &Arc<Call>,
        (part, stage): (PartId, usize),
        mut found: Vec<(Contact, NewLeg)>,
        limit: usize,
        again: bool,
        tell: impl FnOnce(usize) -> Option<Announcement>,
    ) -> Result<usize, NotAdded> {
        let added = Cell::new(Err(NotAdded::Over));
        let first = Cell::new(0);
        let prepare = |state: &mut State| {
            first.set(state.legs.len());
            let had_turn = |contact: &Contact| !again && state.has_rung(part, stage, contact);
            found.retain(|(contact, _)| !state.rings(part, contact) && !had_turn(contact));
            let fits = state.open_since(0) + found.len() <= limit;
            if !state.ring.takes(part, stage) {
                found.clear();
            } else if found.is_empty() {
                added.set(Err(NotAdded::Rings));
            } else if !fits {
                added.set(Err(NotAdded::Limit(limit)));
                found.clear();
            }
            let (contacts, legs): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            state.legs.extend(contacts.into_iter().map(Dialled::from));
            Event::Added { part, stage, legs }
        };
        self.feed_with(prepare, |state| {
            let new = state.open_since(first.get());
            if new > 0 {
                added.set(Ok(new));
                state.news.extend(tell(new));
            }
        });
        added.get()
    }

    /// An operator's command: what it comes to at this moment and what is said of it, told
    /// before whatever follows from it; or why it cannot be carried out.
    pub fn operated(
        self: &Arc<Call>,
        order: impl FnOnce(&State, Time) -> Result<(Event, String), String>,
        tell: impl FnOnce(&str) -> Announcement,
    ) -> Result<String, String> {
        let mut done = Err("it is ending".to_owned());
        let now = self.began.elapsed();
        let prepare = |state: &mut State| match order(state, now) {
            Ok((event, said)) => {
                state.news.push_back(tell(&said));
                done = Ok(said);
                event
            }
            Err(why) => {
                done = Err(why);
                // Nothing but what is due anyway.
                Event::Tick
            }
        };
        self.feed_with(prepare, |_| {});
        done
    }

    /// `tell`: told of the event before what has changed by it.
    fn feed_with(
        self: &Arc<Call>,
        prepare: impl FnOnce(&mut State) -> Event,
        tell: impl FnOnce(&mut State),
    ) {
        let mut now = Vec::new();
        {
            let mut state = self.state.lock();
            if state.handling {
                self.give_up(&mut state);
                drop(state);
                return self.stop_playing();
            }
            state.handling = true;
            let first = state.legs.len();
            let event = prepare(&mut state);
            let begins = matches!(event, Event::Resolved { .. }) && !state.ring.over();
            let commands = state.ring.handle(self.began.elapsed(), event);
            state.handling = false;
            tell(&mut state);
            // Also a stage of which nothing can be dialled: its legs' ends are told as well.
            let stage = state.ring.legs().get(first).filter(|_| begins);
            let stage = stage.map(|leg| leg.stage + 1);
            // Before any thread can act on the commands: what follows from them is told later.
            let news = events::news(&mut state, stage);
            state.news.extend(news);
            for command in commands {
                match command {
                    Command::Resolve { .. }
                    | Command::Dial { aside: false, .. }
                    | Command::Join { .. }
                    | Command::Finish { .. } => state.queue.push_back(command),
                    // The ringback that the caller hears says so.
                    Command::RingCaller if !state.core_has_caller && self.hold.sounds() => {}
                    Command::RingCaller if state.caller_waits => state.queue.push_back(command),
                    command => now.push(command),
                }
            }
            let next = state.ring.next_deadline();
            self.arm(&mut state, next);
        }
        self.changed.notify_all();
        self.stop_playing();
        for command in now {
            self.carry_out(command);
        }
        self.fire_news();
    }

    fn arm(self: &Arc<Call>, state: &mut State, next: Option<Time>) {
        let old = std::mem::replace(&mut state.armed, next);
        if old != next {
            let at = |time: Option<Time>| time.map(|time| self.began + time);
            self.timer.arm(self, at(old), at(next));
        }
    }

    /// The machine has panicked half way: end what rings, and let the caller go.
    fn give_up(&self, state: &mut State) {
        let cause = Cause::DESTINATION_OUT_OF_ORDER;
        for cell in state.cells.values() {
            cell.store(to_switch(cause), Ordering::Release);
        }
        let finish = Command::Finish {
            outcome: Outcome::Failed,
            cause,
            hang_up_caller: false,
        };
        if state.queue.is_empty() {
            state.queue.push_back(finish);
        }
        self.changed.notify_all();
    }

    /// The caller's thread has something to do: let it not play on. It has looked into the queue
    /// before it waits, under the lock under which it says so; it takes the flag away before it
    /// looks again. So no command is left in the queue while it plays.
    fn stop_playing(&self) {
        let plays = {
            let state = self.state.lock();
            state.caller_waits && self.hold.sounds() && !state.queue.is_empty()
        };
        if plays && let Some(caller) = LockedSession::locate(&self.uuid) {
            caller.stop_playing();
        }
    }

    fn carry_out(self: &Arc<Call>, command: Command) {
        match command {
            Command::Cancel { branch, cause } => {
                self.cell(branch).store(to_switch(cause), Ordering::Release)
            }
            Command::HangUp { leg, cause } => self.hang_up(leg, cause),
            Command::Dial { branch, .. } => crate::bridge::dial_aside(self, command, branch),
            Command::RingCaller => crate::bridge::ring_caller_aside(self),
            Command::Lose { leg, branch } => {
                let (peer, uuid) = {
                    let mut state = self.state.lock();
                    let uuid = state.legs.get(leg).and_then(|leg| leg.uuid.clone());
                    (state.peers.remove(&branch), uuid)
                };
                // The caller's thread has it, unless it is still to join it.
                let peer = peer.or_else(|| LockedSession::locate(&uuid?));
                if let Some(peer) = peer {
                    peer.hang_up(Cause::LOSE_RACE);
                }
            }
            Command::TooLate { branch, cause, .. } => {
                let peer = self.state.lock().peers.remove(&branch);
                if let Some(peer) = peer {
                    peer.set("group_dial_status", Some("loser"));
                    peer.hang_up(cause);
                }
            }
            Command::Resolve { .. } | Command::Join { .. } | Command::Finish { .. } => {}
        }
    }

    /// Fire an event, in the order in which they were announced: whichever thread finds
    /// nobody else at it fires all that wait.
    pub fn announce(&self, news: Announcement) {
        self.state.lock().news.push_back(news);
        self.fire_news();
    }

    fn fire_news(&self) {
        while let Some(news) = self.next_news() {
            guarded("an event", (), || events::fire(self, news));
            self.state.lock().firing = false;
        }
    }

    fn next_news(&self) -> Option<Announcement> {
        let mut state = self.state.lock();
        if state.firing {
            return None;
        }
        let news = state.news.pop_front()?;
        state.firing = true;
        Some(news)
    }

    /// The caller's thread leaves: whoever still works for this call comes to an end.
    pub fn leave(self: &Arc<Call>) {
        self.feed(Event::CallerGone);
        let late = {
            let mut state = self.state.lock();
            self.arm(&mut state, None);
            std::mem::take(&mut state.peers)
        };
        self.changed.notify_all();
        // Only a panic can have left a winner that nobody has taken.
        late.values()
            .for_each(|peer| peer.hang_up(Cause::ORIGINATOR_CANCEL));
    }

    /// It is decided, or the machine has panicked: nothing starts any more.
    pub fn over(&self) -> bool {
        let state = self.state.lock();
        state.handling || state.ring.over()
    }

    /// The next command for the caller's thread, if there is one now.
    pub fn next_command(&self) -> Option<Command> {
        self.state.lock().queue.pop_front()
    }

    /// The caller's thread begins to wait, unless there is a command for it.
    pub fn begin_to_wait(&self) -> bool {
        let mut state = self.state.lock();
        state.caller_waits = state.queue.is_empty();
        state.caller_waits
    }

    pub fn has_command(&self) -> bool {
        !self.state.lock().queue.is_empty()
    }

    /// The cell that core polls: whoever writes a cause into it ends the branch.
    pub fn cell(&self, branch: BranchId) -> Arc<AtomicU32> {
        Arc::clone(self.state.lock().cells.entry(branch).or_default())
    }

    fn hang_up(&self, leg: LegId, cause: Cause) {
        let uuid = {
            let mut state = self.state.lock();
            let Some(dialled) = state.legs.get_mut(leg) else {
                return;
            };
            dialled.doomed = Some(cause);
            dialled.uuid.clone()
        };
        if let Some(session) = uuid.and_then(|uuid| LockedSession::locate(&uuid)) {
            self.end_unless_answered(leg, &session, cause);
        }
    }

    /// Time ran out in the very moment of the answer: the answer stands, once it is final.
    fn end_unless_answered(&self, leg: LegId, session: &Session<'_>, cause: Cause) {
        // Core says so the moment it takes the key, before its originate returns.
        let confirmed = || session.variable("group_dial_status").as_deref() == Some("winner");
        let unconfirmed = || self.state.lock().ring.legs()[leg].unconfirmed() && !confirmed();
        if !session.answered() || unconfirmed() {
            session.hang_up(cause);
        }
    }

    /// A leg's channel exists.
    pub fn leg_began(self: &Arc<Call>, leg: LegId, session: &Session<'_>) {
        let uuid = session.uuid();
        let (context, doomed) = {
            let mut state = self.state.lock();
            let Some(dialled) = state.legs.get_mut(leg) else {
                return;
            };
            dialled.uuid.get_or_insert(uuid);
            (dialled.contact.context.clone(), dialled.doomed)
        };
        if let Some(context) = context {
            session.set_profile("context", &context);
        }
        // Whose endpoint asked sofia for the leg is nobody's business.
        let endpoint = session.variable("originate_endpoint");
        if endpoint.is_some_and(|name| name.as_bytes() == WITH_CALLER.to_bytes()) {
            session.set("originate_endpoint", Some("sofia"));
        }
        if let Some(cause) = doomed {
            self.end_unless_answered(leg, session, cause);
        }
        self.feed(Event::Started(leg));
    }

    /// This leg was joined in early media, and nobody knows yet whether it answers.
    pub fn awaits_answer(&self, leg: LegId) -> bool {
        let state = self.state.lock();
        state.answer_awaited && state.ring.winner() == Some(leg)
    }

    /// Has the leg that is joined in early media answered? The event that tells so may be late,
    /// and another leg's answer must not overtake it.
    pub fn look_for_answer(self: &Arc<Call>) {
        let early = {
            let state = self.state.lock();
            let leg = state.ring.tentative();
            leg.and_then(|leg| Some((leg, state.legs.get(leg)?.uuid.clone()?)))
        };
        if let Some((leg, uuid)) = early
            && LockedSession::locate(&uuid).is_some_and(|session| session.answered())
        {
            self.feed(Event::Answered(leg));
        }
    }

    /// A leg's channel has hung up, or its bridge is over.
    pub fn leg_over(self: &Arc<Call>, leg: LegId, session: &Session<'_>) {
        let status = session
            .variable("sip_invite_failure_status")
            .or_else(|| session.variable("sip_term_status"));
        let uuid = session.uuid();
        {
            let mut state = self.state.lock();
            let Some(dialled) = state.legs.get_mut(leg) else {
                return;
            };
            dialled.uuid.get_or_insert(uuid);
            dialled.sip_code = status.and_then(|status| status.parse().ok());
        }
        if session.down() {
            // The channel's own record stands in for a ringing event that is still queued.
            let rang = session.rang_at().map(|at| self.since_began(at));
            let cause = session.cause();
            // A winner in early media: the event of its answer may come after its end.
            if session.answered() && self.awaits_answer(leg) {
                self.feed(Event::Answered(leg));
            }
            self.feed(Event::Ended { leg, cause, rang });
        }
    }

    /// A leg rings or has early media; `fired`: the switch's clock when it told so.
    pub fn leg_rang(self: &Arc<Call>, leg: LegId, fired: Option<i64>, event: Event) {
        /// The switch's clock moves in steps of 20 ms: below, our own is the better one.
        const LATE: Duration = Duration::from_millis(40);
        let now = self.began.elapsed();
        let late = fired
            .map(|at| self.since_began(at))
            .filter(|&at| now.saturating_sub(at) > LATE);
        let prepare = |state: &mut State| {
            if let Some(at) = late {
                state.ring.rang(leg, at);
            }
            event
        };
        self.feed_with(prepare, |_| {});
    }

    /// A deadline is due. One for ringing is not missed because a busy switch is late to tell
    /// of a 180.
    pub fn tick(self: &Arc<Call>) {
        let minds = self.state.lock().ring.minds_silence();
        if minds {
            self.look_for_ringing();
        }
        self.feed(Event::Tick);
    }

    /// The state once nobody is at the loan. Whoever is does nothing but read and set a few
    /// variables.
    fn loan_at_rest(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        while matches!(state.loan, Loan::Claimed) {
            self.changed.wait(&mut state);
        }
        state
    }

    /// The right to lend the caller's variables while this leg is joined in early media; `None`
    /// where they are lent already, or were given back.
    pub fn claim_loan(&self, leg: LegId) -> Option<Claim<'_>> {
        let mut state = self.loan_at_rest();
        if matches!(state.loan, Loan::Out(_)) || state.returned == Some(leg) {
            return None;
        }
        state.loan = Loan::Claimed;
        Some(Claim {
            call: self,
            values: Vec::new(),
        })
    }

    /// What is to be given back now that this leg has answered or left, if anything is lent.
    pub fn end_loan(&self, leg: LegId) -> Option<Claim<'_>> {
        let mut state = self.loan_at_rest();
        state.returned = Some(leg);
        let Loan::Out(values) = std::mem::take(&mut state.loan) else {
            return None;
        };
        state.loan = Loan::Claimed;
        Some(Claim { call: self, values })
    }

    /// Ask the channels of the legs that are silent so far whether they ring: the events that
    /// tell so may be half a second late on a busy switch.
    pub fn look_for_ringing(self: &Arc<Call>) {
        /// Of a crowd, one that rings is soon enough known by its event.
        const FEW: usize = 32;
        let silent: Vec<(LegId, String)> = {
            let state = self.state.lock();
            let legs = state.ring.legs().iter().zip(&state.legs).enumerate();
            legs.filter(|(_, (leg, _))| leg.state == LegState::Dialled)
                .filter_map(|(id, (_, dialled))| Some((id, dialled.uuid.clone()?)))
                .take(FEW)
                .collect()
        };
        for (leg, uuid) in silent {
            let rang = LockedSession::locate(&uuid).and_then(|session| session.rang_at());
            if rang.is_some() {
                self.leg_rang(leg, rang, Event::Ringing(leg));
            }
        }
    }

    /// A moment of the switch's clock (microseconds since the epoch) as time of this call.
    fn since_began(&self, epoch: i64) -> Time {
        Time::from_micros(epoch.saturating_sub(self.began_epoch).max(0) as u64)
    }

    /// Give core a moment to report the legs of a branch that has returned: those that have
    /// begun end within milliseconds; those never seen may be about to appear, or could not
    /// be created at all, so they are given less.
    pub fn settle(&self, branch: BranchId, rang_for: Duration) {
        const BEGUN: Duration = Duration::from_millis(200);
        const UNSEEN: Duration = Duration::from_millis(20);
        let now = Instant::now();
        let mut state = self.state.lock();
        loop {
            let patience = match state.ring.unsettled(branch) {
                (0, 0) => return,
                (0, _) => UNSEEN.saturating_sub(rang_for),
                _ => BEGUN,
            };
            if self
                .changed
                .wait_until(&mut state, now + patience)
                .timed_out()
            {
                return;
            }
        }
    }

    /// Give losers that still ring off a moment, so that the call's record is whole.
    pub fn settle_losers(&self) {
        const PATIENCE: Duration = Duration::from_millis(200);
        let until = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        while state.ring.losers_open() && !self.changed.wait_until(&mut state, until).timed_out() {}
    }

    /// Wait until something has happened, but not longer than this.
    pub fn wait_changed(&self, patience: Duration) {
        self.changed.wait_for(&mut self.state.lock(), patience);
    }
}

/// This moment on the switch's clock, but finer where the system's tells the same time.
fn epoch_now() -> i64 {
    /// More than the switch's clock lags behind by its steps.
    const APART: u64 = 100_000;
    let switch = clock();
    let system = SystemTime::now().duration_since(UNIX_EPOCH);
    let system = system.map_or(switch, |time| time.as_micros() as i64);
    if system.abs_diff(switch) < APART {
        system
    } else {
        switch
    }
}

/// A new leg of a call, in the order of the machine's ids.
impl From<Contact> for Dialled {
    fn from(contact: Contact) -> Dialled {
        Dialled {
            contact,
            uuid: None,
            sip_code: None,
            told: Told::default(),
            doomed: None,
        }
    }
}

/// How many calls are in progress: what an event of somebody else's channel costs is the
/// reading of this number.
static IN_PROGRESS: AtomicUsize = AtomicUsize::new(0);

/// Some call is in progress.
pub fn any_in_progress() -> bool {
    IN_PROGRESS.load(Ordering::Relaxed) > 0
}

/// All calls in progress, by serial.
#[derive(Default)]
pub struct Calls {
    calls: Mutex<HashMap<u64, Arc<Call>>>,
    closed: AtomicBool,
}

impl Calls {
    /// False once the module is unloading: this call must not begin.
    #[must_use]
    pub fn insert(&self, call: &Arc<Call>) -> bool {
        let mut calls = self.calls.lock();
        let open = !self.closed.load(Ordering::Relaxed);
        if open {
            calls.insert(call.serial, Arc::clone(call));
            IN_PROGRESS.fetch_add(1, Ordering::Relaxed);
        }
        open
    }

    /// No call begins any more; those in progress are returned.
    pub fn close(&self) -> Vec<Arc<Call>> {
        let calls = self.calls.lock();
        // Under the lock, so that `insert` comes before it or sees it.
        self.closed.store(true, Ordering::Relaxed);
        calls.values().cloned().collect()
    }

    pub fn remove(&self, call: &Call) {
        if self.calls.lock().remove(&call.serial).is_some() {
            IN_PROGRESS.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn all(&self) -> Vec<Arc<Call>> {
        let mut calls: Vec<_> = self.calls.lock().values().cloned().collect();
        calls.sort_by_key(|call| call.serial);
        calls
    }

    pub fn len(&self) -> usize {
        self.calls.lock().len()
    }

    /// The call of this caller: a caller has one at a time.
    pub fn of_caller(&self, uuid: &str) -> Option<Arc<Call>> {
        self.calls
            .lock()
            .values()
            .find(|call| call.uuid == uuid)
            .cloned()
    }

    /// The call and leg that a leg's variable names, if that call is still in progress.
    pub fn of_leg(&self, variable: &str) -> Option<(Arc<Call>, LegId)> {
        let (serial, leg) = variable.split_once('.')?;
        let call = self.calls.lock().get(&serial.parse().ok()?).cloned()?;
        Some((call, leg.parse().ok()?))
    }
}
