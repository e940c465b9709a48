//! Where a call of the model takes its decisions from: bytes (of a fuzzer, or listed) or a seed.
//! What is rolled here is what the plan, the caller's variables and the directory may say.

use super::ms;
use mod_cti::ring::{
    Cause, Confirm, EarlyMedia, Missed, Mode, NewLeg, Place, Redirect, RejectRule, Settings,
};
use std::vec::IntoIter;

/// A source of decisions. Zeros are the dullest ones, so that a failing call shrinks to a
/// plain one.
pub struct Dice(Source);

enum Source {
    /// One byte a decision where it is enough, so that a fuzzer's mutations mean something.
    Bytes(IntoIter<u8>),
    Seeded(u64),
}

impl Dice {
    pub fn bytes(bytes: &[u8]) -> Dice {
        Dice(Source::Bytes(Vec::from(bytes).into_iter()))
    }

    pub fn seeded(seed: u64) -> Dice {
        let seed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Dice(Source::Seeded(seed))
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        let face = match &mut self.0 {
            Source::Bytes(bytes) => {
                let wide = if limit > 256 { bytes.next() } else { None };
                u32::from(wide.unwrap_or(0)) << 8 | u32::from(bytes.next().unwrap_or(0))
            }
            Source::Seeded(seed) => {
                // xorshift
                *seed ^= *seed << 13;
                *seed ^= *seed >> 7;
                *seed ^= *seed << 17;
                (*seed >> 32) as u32
            }
        };
        u64::from(face) % limit.max(1)
    }

    pub fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == odds - 1
    }

    /// Often a round time, so that much happens in the same millisecond.
    pub fn time(&mut self, limit: u64) -> u64 {
        let time = self.below(limit + 1);
        if time.is_multiple_of(3) {
            time
        } else {
            time / 100 * 100
        }
    }

    /// Mostly nothing, else up to this.
    pub fn lag(&mut self, limit: u64) -> u64 {
        if self.one_in(4) {
            self.below(limit + 1)
        } else {
            0
        }
    }

    pub fn maybe<T>(&mut self, odds: u64, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
        if self.one_in(odds) {
            Some(make(self))
        } else {
            None
        }
    }

    pub fn cause(&mut self) -> Cause {
        const CAUSES: [Cause; 10] = [
            Cause::USER_BUSY,
            Cause::CALL_REJECTED,
            Cause::NO_USER_RESPONSE,
            Cause::NO_ANSWER,
            Cause::SUBSCRIBER_ABSENT,
            Cause::DECLINE,
            Cause::BUSY_EVERYWHERE,
            Cause::RECOVERY_ON_TIMER_EXPIRE,
            Cause::CHAN_NOT_IMPLEMENTED,
            Cause(41),
        ];
        if self.one_in(50) {
            Cause::NONE
        } else {
            CAUSES[self.below(10) as usize]
        }
    }

    pub fn settings(&mut self) -> Settings {
        Settings {
            timeout: self.maybe(3, |dice| ms(400 + dice.time(20_000))),
            delay: ms(self.lag(2_000)),
            stage_timeout: self.maybe(2, |dice| {
                let none = dice.one_in(8);
                ms(if none { 0 } else { 100 + dice.time(8_000) })
            }),
            progress_timeout: self.maybe(5, |dice| ms(50 + dice.time(2_000))),
            missed: if self.one_in(3) {
                Missed::Never
            } else {
                Missed::Auto
            },
            early_media: self.maybe(3, |dice| match dice.below(3) {
                0 => EarlyMedia::Ignore,
                1 => EarlyMedia::Relay,
                _ => EarlyMedia::Core,
            }),
            continue_on_timeout: self.maybe(4, |dice| dice.one_in(2)),
            single_reject: match self.below(10) {
                7 => RejectRule::Any,
                8 => RejectRule::Only(vec![Cause::CALL_REJECTED, Cause::DECLINE]),
                9 => RejectRule::AnyBut(vec![Cause::USER_BUSY, Cause::NO_ANSWER]),
                _ => RejectRule::Never,
            },
            hang_up_on_single_reject: self.one_in(2),
            attempts: if self.one_in(6) {
                2 + self.below(2) as u32
            } else {
                1
            },
            retry_sleep: ms(self.time(2_000)),
            retry_timeout: self.maybe(3, |dice| ms(dice.time(8_000))),
            retry_period: ms(self.lag(5_000)),
            mode: if self.one_in(3) {
                Mode::Progressive
            } else {
                Mode::Sequence
            },
            wait_register: self.maybe(3, |dice| ms(100 + dice.time(6_000))),
            redirect: if self.one_in(8) {
                Redirect::Ignore
            } else {
                Redirect::Follow
            },
            hops: self.lag(6) as u32,
            ..Settings::default()
        }
    }

    pub fn legs(&mut self) -> Vec<NewLeg> {
        let many = self.one_in(200);
        let count = if many {
            101 + self.below(150)
        } else {
            1 + self.below(4)
        };
        let count = match self.below(20) {
            0 => 0,
            1..=6 => 1,
            _ => count,
        };
        (0..count).map(|_| self.leg()).collect()
    }

    /// There are so few that many a redirect leads back.
    fn number(&mut self) -> String {
        (1000 + self.below(12)).to_string()
    }

    /// Where a phone says that it has moved.
    pub fn places(&mut self) -> Vec<Place> {
        let many = self.one_in(50);
        let count = if many { 40 } else { 1 + self.below(4) };
        let place = |nth: u64| Place {
            number: match many {
                true => nth.to_string(),
                false => self.number(),
            },
            ours: false,
            q: [1000, 1000, 500, 0][self.below(4) as usize],
        };
        (0..count).map(place).collect()
    }

    pub fn leg(&mut self) -> NewLeg {
        let dead = self.maybe(5, |dice| {
            if dice.one_in(2) {
                Cause::USER_NOT_REGISTERED
            } else {
                Cause::SUBSCRIBER_ABSENT
            }
        });
        NewLeg {
            held: ms(self.lag(1_500)),
            delay: self
                .maybe(3, |dice| ms(dice.time(3_000)))
                .unwrap_or_default(),
            timeout: self.maybe(3, |dice| ms(50 + dice.time(5_000))),
            progress_timeout: self.maybe(6, |dice| ms(50 + dice.time(2_000))),
            required: self.one_in(10),
            confirm: self.maybe(6, |dice| match dice.below(3) {
                0 => Confirm::Kept,
                1 => Confirm::Dropped,
                _ => Confirm::Anew(ms(dice.time(3_000))),
            }),
            confirm_early: self.one_in(3),
            idle: self.one_in(12),
            redirect: self.maybe(10, |dice| match dice.below(3) {
                0 => Redirect::Ignore,
                1 => Redirect::Core,
                _ => Redirect::Follow,
            }),
            number: self.maybe(2, Dice::number),
            may_register: dead == Some(Cause::USER_NOT_REGISTERED) || self.one_in(8),
            dead,
            target: 0,
            user: match self.below(4) {
                2 => Some("one".to_owned()),
                3 => Some("another".to_owned()),
                _ => None,
            },
        }
    }
}
