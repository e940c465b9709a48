//! The ring machine: who rings, when, for how long, and who won.
//! Pure: it is handed events with the time since the call began and answers with
//! commands; it never reads a clock, never calls the switch, and owns no thread.
//!
//! A call has one or more *parts* (`:_:`), each a row of *stages*. The targets of the
//! running stage are resolved to *legs*; each leg is dialled, hung up and joined by itself.
#![forbid(unsafe_code)]

mod cause;
mod deadlines;
mod machine;
mod number;
mod outcome;
mod redirect;
mod settings;
mod view;

pub use cause::Cause;
pub use number::{LegId, PartId, StageId};
pub use outcome::{Failure, Outcome, rank};
pub use redirect::Place;
pub use settings::{EarlyMedia, Missed, Mode, Redirect, RejectRule, Settings};

use redirect::Moved;
use std::collections::BTreeMap;
use std::time::Duration;

/// Time since the call began.
pub type Time = Duration;

/// What the bridge found behind one contact of the stage that is about to ring.
#[derive(Debug, Clone, Default)]
pub struct NewLeg {
    /// `[originate_delay_start]`: so much later than its stage, whoever rings.
    pub held: Duration,
    /// `[leg_delay_start]`, `[leg_timeout]`, `[leg_progress_timeout]`.
    pub delay: Duration,
    pub timeout: Option<Duration>,
    pub progress_timeout: Option<Duration>,
    /// `[leg_required]`: when it fails, so does its stage.
    pub required: bool,
    /// `group_confirm_key`: its answer counts once somebody has pressed the key, or the
    /// application has run.
    pub confirm: Option<Confirm>,
    /// … also where it is in early media that would win.
    pub confirm_early: bool,
    /// It rings at nobody (`pickup/`): without others that ring it is over.
    pub idle: bool,
    /// It cannot be dialled at all: unknown user, nobody registered, no such endpoint.
    pub dead: Option<Cause>,
    /// A device of its user's that registers while the stage rings will join it.
    pub may_register: bool,
    /// Which target of its stage it came from.
    pub target: usize,
    /// `[cti_redirect]`, where the leg has its own.
    pub redirect: Option<Redirect>,
    /// The number of the user who rings, so that no redirect leads back to him.
    pub number: Option<String>,
    /// Whose device it is.
    pub user: Option<String>,
}

/// What becomes of a leg's own deadline while it is being confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    Kept,
    /// `group_confirm_timeout=0`, or `group_confirm_cancel_timeout`.
    Dropped,
    /// `group_confirm_timeout`: counted anew from the phone's answer.
    Anew(Duration),
}

#[derive(Debug, Clone)]
pub enum Event {
    /// The first event: the call begins.
    Begin,
    /// An answer to `Command::Resolve`: the contacts of some of the stage's targets.
    Resolved {
        part: PartId,
        stage: StageId,
        legs: Vec<NewLeg>,
        /// Other targets of the stage are still looked up.
        more: bool,
    },
    /// Before `Resolved`: so many stages more follow the one that is looked up, for contacts whose
    /// turn is later.
    Turns {
        part: PartId,
        more: usize,
    },
    /// The leg's channel exists, and its INVITE goes out now.
    Started(LegId),
    /// 180.
    Ringing(LegId),
    /// 183 with media.
    EarlyMedia(LegId),
    Answered(LegId),
    /// Somebody has confirmed the answer.
    Confirmed(LegId),
    /// Also of a leg whose channel could not be made.
    Ended {
        leg: LegId,
        cause: Cause,
    },
    /// The leg has ended because its phone has moved: to these places, as it says.
    Redirected {
        leg: LegId,
        cause: Cause,
        places: Vec<Place>,
    },
    /// The answer to `Command::Follow`.
    Followed {
        leg: LegId,
        legs: Vec<NewLeg>,
    },
    /// The winner was joined in early media and has left without an answer.
    Unanswered(LegId),
    /// A deadline may have been reached.
    Tick,
    CallerGone,
    /// An operator's, or the module's own at unload.
    Cancel(Cause),
    /// An operator: the running stage's time is over now.
    Skip,
    /// An operator: this leg shall ring no more.
    Drop(LegId),
    /// An operator: the running stage gets this much more time.
    Extend(Duration),
    /// These legs join a stage that rings: an operator's, or a device that has registered late.
    Added {
        part: PartId,
        stage: StageId,
        legs: Vec<NewLeg>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Find the contacts of this stage now and answer with `Event::Resolved`, as they are found.
    Resolve { part: PartId, stage: StageId },
    /// Find the contacts of these places, where the phone of this leg has moved, and answer with
    /// `Event::Followed`.
    Follow { leg: LegId, places: Vec<Place> },
    /// Make this leg's channel and send its INVITE.
    Dial(LegId),
    /// The leg has answered: ask whoever it is to confirm that.
    Confirm(LegId),
    /// End this leg, which was dialled. A leg that has just answered where only its time was over
    /// is spared, and [`Event::Answered`] follows ([`Ring::spares`]).
    HangUp { leg: LegId, cause: Cause },
    /// Tell the caller that this phone rings.
    Alert(LegId),
    /// The one winner: join it with the caller.
    Join(LegId),
    /// Nobody won and nothing rings any more.
    Finish {
        outcome: Outcome,
        cause: Cause,
        hang_up_caller: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegState {
    /// Resolved, not dialled yet.
    Waiting,
    Dialled,
    Ringing,
    EarlyMedia,
    Answered,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Winner,
    /// Somebody else won.
    Loser,
    Failed,
    /// The caller or an operator ended it.
    Cancelled,
    /// Its phone has moved, and other legs ring in its place.
    Redirected,
}

/// One leg's whole story; times since the call began.
#[derive(Debug, Clone)]
pub struct Leg {
    pub part: PartId,
    pub stage: StageId,
    pub state: LegState,
    pub dialled: Option<Time>,
    pub ringing: Option<Time>,
    pub answered: Option<Time>,
    pub ended: Option<Time>,
    pub cause: Cause,
    pub role: Option<Role>,
    /// The leg in whose place it rings.
    pub replaces: Option<LegId>,
    plan: NewLeg,
    /// The first leg that its stage could have.
    of: LegId,
    /// When it starts; `None` for one that never will.
    at: Option<Time>,
    early_media: EarlyMedia,
    /// Ended by one of our deadlines, whatever cause the wire was given.
    timed_out: bool,
    /// Ended because of another leg, so its end says nothing about the call's.
    cut: bool,
    /// The cause with which we have told it to end.
    hung_up: Option<Cause>,
    /// Its channel exists.
    started: bool,
    /// Somebody is being asked to confirm.
    asked: bool,
    /// When it first had early media.
    media: Option<Time>,
    /// Since when its own time counts, where it rings in another's place.
    since: Option<Time>,
    /// Where its phone has moved.
    moved: Option<Moved>,
    /// Every number that the target has had so far. Only of a leg that rings in nobody's place.
    numbers: Vec<String>,
}

/// A part that rings, as an operator sees it.
#[derive(Debug, Clone)]
pub struct Ringing {
    pub part: PartId,
    pub stage: StageId,
    pub stages: usize,
    pub stage_left: Option<Duration>,
    pub call_left: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody is known yet who could ring.
    Resolving,
    /// Also while further targets are looked up.
    Ringing,
    /// Its time is over; waiting for the last leg to end.
    Ending,
    /// Before its first stage (`originate_delay_start`), or between two attempts
    /// (`originate_retries`).
    Sleeping(Time),
    Done,
}

#[derive(Debug)]
struct Part {
    settings: Settings,
    stages: usize,
    stage: StageId,
    /// The first leg of the stage that rings.
    first: LegId,
    /// The stages of which targets are still looked up, each with the first leg that it may have.
    open: BTreeMap<StageId, LegId>,
    /// From when on the stage's times and its legs' delays count, and how much less the delays are:
    /// the first of them starts at once.
    began: Time,
    shift: Duration,
    attempt: u32,
    attempt_began: Time,
    phase: Phase,
    stage_deadline: Option<Time>,
    progress_deadline: Option<Time>,
    /// Nobody of the stage is registered; until then it is kept open for one who may be.
    kept_open: Option<Time>,
    early_media: EarlyMedia,
    /// No stage follows, whatever happens to this one.
    last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Won(LegId),
    CallerGone,
    Cancelled(Cause),
    /// `fail_on_single_reject` or `hangup_on_single_reject`.
    SingleReject {
        by: LegId,
        cause: Cause,
        hang_up_caller: bool,
    },
}

/// The state of one call.
#[derive(Debug)]
pub struct Ring {
    parts: Vec<Part>,
    legs: Vec<Leg>,
    end: Option<End>,
    /// An operator has cancelled the call while its winner was in early media.
    cancelled: Option<Cause>,
    finished: bool,
    caller_rings: bool,
    commands: Vec<Command>,
    now: Time,
}

impl LegState {
    const UNANSWERED: [LegState; 3] = [LegState::Dialled, LegState::Ringing, LegState::EarlyMedia];
}
