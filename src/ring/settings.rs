//! What one part of a plan asks of the ring machine.
//! Filled by `bridge` from the plan's variables, the caller's channel and `cti.conf`;
//! the rules that follow from the settings stand here, beside their names.

use super::Cause;
use std::time::Duration;

/// `cti_early_media`, and what it comes to for one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyMedia {
    /// The caller hears ringing; only an answer counts.
    Ignore,
    /// The caller hears the phone's early media; only an answer counts.
    Relay,
    /// As core's `bridge`: early media joins the two (both ways).
    Core,
}

/// `cti_missed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// A phone whose time ran out shows a missed call.
    Auto,
    Never,
}

impl Missed {
    pub fn cause(self) -> Cause {
        match self {
            Missed::Auto => Cause::NO_ANSWER,
            Missed::Never => Cause::LOSE_RACE,
        }
    }
}

/// `cti_redirect`: what becomes of a leg whose phone has moved (300, 301, 302, 305).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// Others ring in its place.
    Follow,
    /// It has failed.
    Ignore,
    /// What core's `bridge` does: the endpoint moves the caller.
    Core,
}

/// `cti_mode`: what becomes of a stage whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its phones stop, the next stage's ring.
    Sequence,
    /// Its phones go on ringing, the next stage's join them.
    Progressive,
}

/// `fail_on_single_reject`: which causes of one leg end the whole call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectRule {
    Never,
    Any,
    Only(Vec<Cause>),
    /// A list that begins with `!`.
    AnyBut(Vec<Cause>),
}

impl RejectRule {
    pub fn matches(&self, cause: Cause) -> bool {
        match self {
            RejectRule::Never => false,
            RejectRule::Any => true,
            RejectRule::Only(causes) => causes.contains(&cause),
            RejectRule::AnyBut(causes) => !causes.contains(&cause),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// `cti_timeout`.
    pub timeout: Option<Duration>,
    /// `{originate_delay_start}`: the part begins so much later.
    pub delay: Duration,
    /// `cti_stage_timeout`, `originate_timeout` or `call_timeout`: every stage. Zero is no limit.
    pub stage_timeout: Option<Duration>,
    /// cti.conf's `stage-timeout` and `last-stage-timeout`, where the plan says nothing. Zero is
    /// no limit.
    pub stage_default: Duration,
    pub last_stage_default: Duration,
    /// `progress_timeout`: the stage fails if nobody has rung by then.
    pub progress_timeout: Option<Duration>,
    pub missed: Missed,
    /// None: `auto`.
    pub early_media: Option<EarlyMedia>,
    /// `originate_continue_on_timeout`, where it is set.
    pub continue_on_timeout: Option<bool>,
    pub single_reject: RejectRule,
    pub hang_up_on_single_reject: bool,
    /// `originate_retries`: how often the part is run through, at least once.
    pub attempts: u32,
    pub retry_sleep: Duration,
    /// `originate_retry_timeout`: of an attempt that fails later than this there is no other.
    pub retry_timeout: Option<Duration>,
    /// `originate_retry_min_period_ms`: two attempts begin at least so far apart.
    pub retry_period: Duration,
    pub mode: Mode,
    /// `cti_wait_register`: how long a stage stays open although nobody in it is registered.
    pub wait_register: Option<Duration>,
    pub redirect: Redirect,
    /// How many redirects have led to this call itself.
    pub hops: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout: None,
            delay: Duration::ZERO,
            stage_timeout: None,
            stage_default: Duration::from_secs(20),
            last_stage_default: Duration::from_secs(60),
            progress_timeout: None,
            missed: Missed::Auto,
            early_media: None,
            continue_on_timeout: None,
            single_reject: RejectRule::Never,
            hang_up_on_single_reject: false,
            attempts: 1,
            retry_sleep: Duration::from_secs(1),
            retry_timeout: None,
            retry_period: Duration::ZERO,
            mode: Mode::Sequence,
            wait_register: None,
            redirect: Redirect::Follow,
            hops: 0,
        }
    }
}

impl Settings {
    /// How long a stage rings; `None` is no limit. A default time stretches to the `longest` of the
    /// times that its legs have of their own, one that somebody wrote does not (promise 5).
    pub fn stage_limit(&self, last: bool, longest: Duration) -> Option<Duration> {
        let default = if last {
            self.last_stage_default
        } else {
            self.stage_default
        };
        let stretched = || match default {
            Duration::ZERO => default,
            _ => default.max(longest),
        };
        let limit = self.stage_timeout.unwrap_or_else(stretched);
        (!limit.is_zero()).then_some(limit)
    }

    /// Promise 3: only an answer wins, and who may ring side by side shares no early media.
    /// `alone`: this leg rings by itself, as long as its stage does. `nobody_follows`: in no
    /// further stage, and no device may join.
    pub fn early_media_of(&self, alone: bool, nobody_follows: bool) -> EarlyMedia {
        match self.early_media {
            Some(chosen) => chosen,
            None if !alone => EarlyMedia::Ignore,
            None if nobody_follows => EarlyMedia::Core,
            None => EarlyMedia::Relay,
        }
    }
}
