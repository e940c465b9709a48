//! Hangup causes as the ring machine reads them.
//! The numbers are FreeSWITCH's (Q.850 below 128, its own above); their names are
//! spelled by the switch, so only the causes that decide something stand here.

/// A hangup cause. Every number is a possible one: endpoints bring their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cause(pub u32);

impl Cause {
    pub const NONE: Cause = Cause(0);
    pub const NO_ROUTE_DESTINATION: Cause = Cause(3);
    pub const NORMAL_CLEARING: Cause = Cause(16);
    pub const USER_BUSY: Cause = Cause(17);
    pub const NO_USER_RESPONSE: Cause = Cause(18);
    pub const NO_ANSWER: Cause = Cause(19);
    pub const SUBSCRIBER_ABSENT: Cause = Cause(20);
    pub const CALL_REJECTED: Cause = Cause(21);
    pub const REDIRECTION_TO_NEW_DESTINATION: Cause = Cause(23);
    pub const EXCHANGE_ROUTING_ERROR: Cause = Cause(25);
    pub const DESTINATION_OUT_OF_ORDER: Cause = Cause(27);
    pub const REQUESTED_CHAN_UNAVAIL: Cause = Cause(44);
    pub const CHAN_NOT_IMPLEMENTED: Cause = Cause(66);
    pub const INCOMPATIBLE_DESTINATION: Cause = Cause(88);
    pub const MANDATORY_IE_MISSING: Cause = Cause(96);
    pub const INVALID_IE_CONTENTS: Cause = Cause(100);
    pub const RECOVERY_ON_TIMER_EXPIRE: Cause = Cause(102);
    pub const SUCCESS: Cause = Cause(142);
    pub const ORIGINATOR_CANCEL: Cause = Cause(487);
    pub const LOSE_RACE: Cause = Cause(702);
    pub const MANAGER_REQUEST: Cause = Cause(703);
    pub const ATTENDED_TRANSFER: Cause = Cause(801);
    pub const ALLOTTED_TIMEOUT: Cause = Cause(802);
    pub const PICKED_OFF: Cause = Cause(805);
    pub const NO_PICKUP: Cause = Cause(812);
    pub const USER_NOT_REGISTERED: Cause = Cause(806);
    pub const BUSY_EVERYWHERE: Cause = Cause(815);
    pub const DECLINE: Cause = Cause(816);
    pub const UNWANTED: Cause = Cause(819);
    pub const REJECT_ALL: Cause = Cause(825);

    pub fn is_busy(self) -> bool {
        matches!(self, Cause::USER_BUSY | Cause::BUSY_EVERYWHERE)
    }

    pub fn is_rejection(self) -> bool {
        matches!(
            self,
            Cause::CALL_REJECTED | Cause::DECLINE | Cause::UNWANTED | Cause::REJECT_ALL
        )
    }

    /// Time ran out somewhere: at the phone (480, 408), at a carrier, or by a deadline.
    pub fn is_no_answer(self) -> bool {
        matches!(
            self,
            Cause::NO_ANSWER
                | Cause::NO_USER_RESPONSE
                | Cause::ALLOTTED_TIMEOUT
                | Cause::RECOVERY_ON_TIMER_EXPIRE
        )
    }
}
