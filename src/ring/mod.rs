//! The ring machine: who rings, when, for how long, and who won.
//! Pure: it is handed events with the time since the call began and answers with
//! commands; it never reads a clock, never calls the switch, and owns no thread.
//!
//! A call has one or more *parts* (`:_:`), each a row of *stages*. The targets of the
//! running stage are resolved to *legs*; the legs ring in *branches* (one running
//! originate each): one for the stage, and one more for each later start.
#![forbid(unsafe_code)]

mod cause;
mod deadlines;
mod machine;
mod outcome;
mod settings;
mod view;

pub use cause::Cause;
pub use outcome::{Failure, Outcome, rank};
pub use settings::{CallerThread, EarlyMedia, Missed, Mode, RejectRule, Settings};

use std::time::Duration;

/// Time since the call began.
pub type Time = Duration;
pub type PartId = usize;
pub type LegId = usize;
pub type BranchId = usize;

/// Core keeps 128 peers a branch and counts its own last one; a stage with more
/// contacts rings in several branches.
pub const LEGS_A_BRANCH: usize = 100;

/// What the bridge found behind one contact of the stage that is about to ring.
#[derive(Debug, Clone, Default)]
pub struct NewLeg {
    /// `[leg_delay_start]`, `[leg_timeout]`, `[leg_progress_timeout]`.
    pub delay: Duration,
    pub timeout: Option<Duration>,
    pub progress_timeout: Option<Duration>,
    /// `[leg_required]`: when it fails, so does its stage.
    pub required: bool,
    /// `group_confirm_key`: its answer counts once somebody has pressed the key, or the
    /// application has run.
    pub confirm: Option<Confirm>,
    /// It cannot be dialled at all: unknown user, nobody registered, no such endpoint.
    pub dead: Option<Cause>,
    /// A device of its user's that registers while the stage rings will join it.
    pub may_register: bool,
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
    /// The answer to `Command::Resolve`.
    Resolved {
        part: PartId,
        legs: Vec<NewLeg>,
    },
    /// The leg's channel exists.
    Started(LegId),
    /// 180.
    Ringing(LegId),
    /// 183 with media.
    EarlyMedia(LegId),
    Answered(LegId),
    /// `rang`: when it had rung, by the channel's own record: good where the event is late.
    Ended {
        leg: LegId,
        cause: Cause,
        rang: Option<Time>,
    },
    /// The branch's originate returned without a winner.
    BranchFailed {
        branch: BranchId,
        cause: Cause,
    },
    /// The branch's originate returned with this leg: answered, or in early media.
    BranchWon {
        branch: BranchId,
        leg: LegId,
        answered: bool,
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
        stage: usize,
        legs: Vec<NewLeg>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Find the contacts of this stage now and answer with `Event::Resolved`.
    Resolve { part: PartId, stage: usize },
    /// Start one originate with these legs. `aside`: beside the part's own, on a thread
    /// of its own.
    Dial {
        branch: BranchId,
        part: PartId,
        stage: usize,
        legs: Vec<LegId>,
        early_media: EarlyMedia,
        aside: bool,
    },
    /// End every leg of the branch with this cause (its cancel cell).
    Cancel { branch: BranchId, cause: Cause },
    /// End one leg unless it has been answered for good; its siblings ring on.
    HangUp { leg: LegId, cause: Cause },
    /// Tell the caller that it rings: core does not, for this stage.
    RingCaller,
    /// The one winner: join it with the caller.
    Join {
        leg: LegId,
        branch: BranchId,
        aside: bool,
    },
    /// The leg that is joined in early media has lost to one that answered: end it, whether
    /// or not it answers in this moment. The caller's thread comes back from its bridge.
    Lose { leg: LegId, branch: BranchId },
    /// This branch won too late: end its leg with this cause.
    TooLate {
        branch: BranchId,
        leg: LegId,
        cause: Cause,
    },
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
}

/// One leg's whole story; times since the call began.
#[derive(Debug, Clone)]
pub struct Leg {
    pub part: PartId,
    pub stage: usize,
    pub state: LegState,
    pub dialled: Option<Time>,
    pub ringing: Option<Time>,
    pub answered: Option<Time>,
    pub ended: Option<Time>,
    pub cause: Cause,
    pub role: Option<Role>,
    branch: Option<BranchId>,
    plan: NewLeg,
    /// Ended by one of our deadlines, whatever cause the wire was given.
    timed_out: bool,
    /// Ended because of another leg, so its end says nothing about the call's.
    cut: bool,
    hung_up: bool,
    /// Its channel exists.
    started: bool,
}

/// A part that rings, as an operator sees it.
#[derive(Debug, Clone)]
pub struct Ringing {
    pub part: PartId,
    pub stage: usize,
    pub stages: usize,
    pub stage_left: Option<Duration>,
    pub call_left: Option<Duration>,
}

#[derive(Debug)]
struct Branch {
    part: PartId,
    stage: usize,
    legs: Vec<LegId>,
    /// When it starts; dialled once it has.
    at: Time,
    dialled: bool,
    early_media: EarlyMedia,
    aside: bool,
    /// Its originate has returned: there is nothing to cancel any more.
    returned: bool,
    /// … and each of its legs has an end.
    ended: bool,
    cancelled: Option<Cause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for `Resolved`.
    Resolving,
    Ringing,
    /// Cancelled; waiting for the last branch to return.
    Ending,
    /// Between two attempts of `originate_retries`.
    Sleeping(Time),
    Done,
}

#[derive(Debug)]
struct Part {
    settings: Settings,
    stages: usize,
    stage: usize,
    /// The first leg of the stage that rings.
    first: LegId,
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
        cause: Cause,
        hang_up_caller: bool,
    },
}

/// The state of one call.
#[derive(Debug)]
pub struct Ring {
    parts: Vec<Part>,
    legs: Vec<Leg>,
    branches: Vec<Branch>,
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
