//! Who is busy, in do-not-disturb, paused or in wrap-up: one table for all groups, fed with plain facts.
//! A member is counted busy by the calls that he has, not by his channels, so that three phones that ring
//! for one call are one call. Time is handed in; nothing here waits, and nothing is told under the lock.

use super::config::{Policy, presence};
use super::order::{Moment, State};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What has happened to a channel.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// The channel exists. `call` is the `cti_bridge` that dials it, by its caller's uuid.
    Began {
        channel: &'a str,
        presence: &'a str,
        call: Option<&'a str>,
    },
    /// The channel was dialled for this call. For whoever learns that only when the channel exists; to be told
    /// before the channel can end, and before or after `Began`.
    Dialled {
        channel: &'a str,
        call: &'a str,
    },
    Answered {
        channel: &'a str,
    },
    /// The channel is another member's now.
    Moved {
        channel: &'a str,
        presence: &'a str,
    },
    Ended {
        channel: &'a str,
    },
}

/// An answered call of a member is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub member: String,
    /// The group that had rung for it, if one had.
    pub group: Option<String>,
}

/// How a call that was offered to a member ended for him. Who lost a race or whose caller left has done
/// nothing, and is not told of here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Answered,
    Busy,
    Rejected,
    NoAnswer,
}

/// Who has said do-not-disturb. The directory's word is asked for, not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Phone,
    Operator,
}

/// Why a member is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    Operator,
    /// By `busy-pause`, `reject-pause` or `no-answer-pause`.
    Until(Moment),
    /// By `max-no-answer`: until an operator or a successful call says otherwise.
    NoAnswers,
}

/// Is told when a member may have become free.
pub trait Waiter: Send + Sync {
    /// Called on whatever thread freed the member, so it must return at once.
    fn freed(&self);
}

#[derive(Debug)]
struct Channel {
    member: String,
    /// The call that it belongs to: the `cti_bridge`, or the channel itself.
    call: String,
    answered: bool,
    /// The group whose call this channel has answered.
    group: Option<String>,
}

#[derive(Debug, Default)]
struct Entry {
    /// How many channels he has in each call.
    calls: HashMap<String, u32>,
    /// How often each call has reserved him.
    reserved: HashMap<String, u32>,
    dnd: HashSet<Source>,
    by_operator: bool,
    pause: Option<Pause>,
    no_answers: u32,
    finished: Option<Moment>,
}

#[derive(Default)]
struct Table {
    channels: HashMap<String, Channel>,
    /// Of channels that are not known yet: the calls that they were dialled for.
    dialled: HashMap<String, String>,
    members: HashMap<String, Entry>,
    waiters: Vec<Weak<dyn Waiter>>,
}

#[derive(Default)]
pub struct Members(Mutex<Table>);

/// A member who is chosen, until this is dropped.
pub struct Reservation {
    members: Arc<Members>,
    member: String,
    call: String,
}

impl Reservation {
    #[must_use]
    pub fn member(&self) -> &str {
        &self.member
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.members.change(|table| {
            if let Some(entry) = table.members.get_mut(&self.member) {
                less(&mut entry.reserved, &self.call);
            }
            table.tidy(&self.member);
            true
        });
    }
}

fn less(counts: &mut HashMap<String, u32>, of: &str) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

impl Entry {
    fn calls(&self, but: &str) -> u32 {
        let reserved = self.reserved.keys();
        let only_reserved = reserved.filter(|call| !self.calls.contains_key(*call));
        let all = self.calls.keys().chain(only_reserved);
        let count = all.filter(|call| *call != but).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn pause(&self, now: Moment) -> Option<Pause> {
        if self.by_operator {
            return Some(Pause::Operator);
        }
        self.pause.filter(|pause| match pause {
            Pause::Until(until) => *until > now,
            _ => true,
        })
    }
}

impl Table {
    fn entry(&mut self, member: &str) -> &mut Entry {
        if !self.members.contains_key(member) {
            self.members.insert(member.to_owned(), Entry::default());
        }
        self.members.entry(member.to_owned()).or_default()
    }

    /// Of whom there is nothing to say is forgotten.
    fn tidy(&mut self, member: &str) {
        let idle = self.members.get(member).is_some_and(|entry| {
            entry.calls.is_empty()
                && entry.reserved.is_empty()
                && entry.dnd.is_empty()
                && !entry.by_operator
                && entry.pause.is_none()
                && entry.no_answers == 0
                && entry.finished.is_none()
        });
        if idle {
            self.members.remove(member);
        }
    }

    fn leave(&mut self, channel: &str) -> Option<Channel> {
        let gone = self.channels.remove(channel)?;
        if let Some(entry) = self.members.get_mut(&gone.member) {
            less(&mut entry.calls, &gone.call);
        }
        Some(gone)
    }

    fn enter(&mut self, name: &str, channel: Channel) {
        let calls = &mut self.entry(&channel.member).calls;
        *calls.entry(channel.call.clone()).or_default() += 1;
        self.channels.insert(name.to_owned(), channel);
    }

    fn succeeded(&mut self, member: &str) {
        if let Some(entry) = self.members.get_mut(member) {
            entry.no_answers = 0;
            entry.pause = None;
        }
    }
}

impl Members {
    /// Change the table; true from `change` tells those who wait, with the lock given back.
    fn change<T: Told>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.0.lock();
        let done = change(&mut table);
        let mut waiters = Vec::new();
        if done.freed() {
            table.waiters.retain(|waiter| waiter.strong_count() > 0);
            waiters = table.waiters.iter().filter_map(Weak::upgrade).collect();
        }
        drop(table);
        waiters.iter().for_each(|waiter| waiter.freed());
        done
    }

    /// A channel has begun, was answered, moved or ended. Facts of channels that are not known, and the
    /// same fact again, change nothing. The answer: whose answered call is over.
    pub fn fact(&self, fact: Fact<'_>, now: Moment) -> Option<Finished> {
        self.change(|table| match fact {
            Fact::Began {
                channel,
                presence: id,
                call,
            } => {
                let member = presence(id);
                if !member.is_empty() && !table.channels.contains_key(channel) {
                    let dialled = table.dialled.remove(channel);
                    let call = call.map(str::to_owned).or(dialled);
                    let new = Channel {
                        member,
                        call: call.unwrap_or_else(|| channel.to_owned()),
                        answered: false,
                        group: None,
                    };
                    table.enter(channel, new);
                }
                None
            }
            Fact::Dialled { channel, call } => {
                match table.leave(channel) {
                    None => {
                        table.dialled.insert(channel.to_owned(), call.to_owned());
                    }
                    Some(known) => {
                        let call = call.to_owned();
                        table.enter(channel, Channel { call, ..known });
                    }
                }
                None
            }
            Fact::Answered { channel } => {
                let known = table.channels.get_mut(channel)?;
                known.answered = true;
                let member = known.member.clone();
                table.succeeded(&member);
                None
            }
            Fact::Moved {
                channel,
                presence: id,
            } => {
                let member = presence(id);
                if table.channels.get(channel)?.member == member {
                    return None;
                }
                let mut moved = table.leave(channel)?;
                let from = std::mem::replace(&mut moved.member, member);
                let group = moved.group.take();
                let answered = moved.answered;
                if !moved.member.is_empty() {
                    table.enter(channel, moved);
                }
                table.over(from, group, answered, now)
            }
            Fact::Ended { channel } => {
                table.dialled.remove(channel);
                let gone = table.leave(channel)?;
                table.over(gone.member, gone.group, gone.answered, now)
            }
        })
        .and_then(|over| over.finished)
    }

    /// Reserve a member for a call, unless he has so many others; `None`: he has.
    #[must_use]
    pub fn reserve(
        self: &Arc<Self>,
        member: &str,
        call: &str,
        max_calls: u32,
    ) -> Option<Reservation> {
        let mut table = self.0.lock();
        let has = table.members.get(member).map_or(0, |it| it.calls(call));
        if has >= max_calls {
            return None;
        }
        let reserved = &mut table.entry(member).reserved;
        *reserved.entry(call.to_owned()).or_default() += 1;
        drop(table);
        Some(Reservation {
            members: Arc::clone(self),
            member: member.to_owned(),
            call: call.to_owned(),
        })
    }

    /// This channel is the one with which a member has answered a group's call. It need not be known:
    /// a gateway's has no `presence_id`.
    pub fn won(&self, channel: &str, member: &str, group: &str, call: &str) {
        let mut table = self.0.lock();
        if !table.channels.contains_key(channel) {
            table.dialled.remove(channel);
            let new = Channel {
                member: member.to_owned(),
                call: call.to_owned(),
                answered: true,
                group: None,
            };
            table.enter(channel, new);
        }
        if let Some(known) = table.channels.get_mut(channel) {
            known.answered = true;
            known.group = Some(group.to_owned());
        }
    }

    /// What came of an offer, with the pauses that follow from it.
    pub fn offered(&self, member: &str, policy: &Policy, offer: Offer, now: Moment) {
        let pause = match offer {
            Offer::Answered => Duration::ZERO,
            Offer::Busy => policy.busy_pause,
            Offer::Rejected => policy.reject_pause,
            Offer::NoAnswer => policy.no_answer_pause,
        };
        self.change(|table| {
            if offer == Offer::Answered {
                table.succeeded(member);
                table.tidy(member);
                return true;
            }
            let entry = table.entry(member);
            if offer == Offer::NoAnswer {
                entry.no_answers = entry.no_answers.saturating_add(1);
            }
            let limit = policy.max_no_answer;
            if offer == Offer::NoAnswer && limit > 0 && entry.no_answers >= limit {
                entry.pause = Some(Pause::NoAnswers);
            } else if !pause.is_zero() && entry.pause != Some(Pause::NoAnswers) {
                let until = now.after(pause);
                let until = match entry.pause {
                    Some(Pause::Until(earlier)) => earlier.max(until),
                    _ => until,
                };
                entry.pause = Some(Pause::Until(until));
            }
            table.tidy(member);
            false
        });
    }

    /// An operator's word. To end a pause ends every kind of it.
    pub fn pause(&self, member: &str, on: bool) {
        self.change(|table| {
            let entry = table.entry(member);
            entry.by_operator = on;
            if !on {
                entry.pause = None;
                entry.no_answers = 0;
            }
            table.tidy(member);
            !on
        });
    }

    /// A phone's or an operator's word. An operator's `false` ends the phone's too.
    pub fn dnd(&self, member: &str, source: Source, on: bool) {
        self.change(|table| {
            let entry = table.entry(member);
            match (on, source) {
                (true, source) => {
                    entry.dnd.insert(source);
                }
                (false, Source::Phone) => {
                    entry.dnd.remove(&Source::Phone);
                }
                (false, Source::Operator) => entry.dnd.clear(),
            }
            table.tidy(member);
            !on
        });
    }

    /// What is known of these members, all at one moment; calls other than `call`.
    pub fn states<'a>(
        &self,
        members: impl IntoIterator<Item = &'a str>,
        call: &str,
        now: Moment,
    ) -> Vec<State> {
        let table = self.0.lock();
        let state = |member| match table.members.get(member) {
            None => State::default(),
            Some(entry) => State {
                calls: entry.calls(call),
                dnd: !entry.dnd.is_empty(),
                paused: entry.pause(now).is_some(),
                finished: entry.finished,
                ..State::default()
            },
        };
        members.into_iter().map(state).collect()
    }

    /// Why this member is paused now.
    #[must_use]
    pub fn paused(&self, member: &str, now: Moment) -> Option<Pause> {
        self.0.lock().members.get(member)?.pause(now)
    }

    /// Tell this one whenever somebody may have become free, for as long as it lives. A wrap-up and a
    /// pause that end by themselves are not told: `Expansion::look_again` says when.
    pub fn listen(&self, waiter: Weak<dyn Waiter>) {
        self.0.lock().waiters.push(waiter);
    }

    /// Channels and members of whom anything is known: for tests and for `cti groups`.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let table = self.0.lock();
        (
            table.channels.len() + table.dialled.len(),
            table.members.len(),
        )
    }
}

struct Over {
    finished: Option<Finished>,
}

impl Table {
    /// A channel has left its member, who may be free now.
    fn over(
        &mut self,
        member: String,
        group: Option<String>,
        answered: bool,
        now: Moment,
    ) -> Option<Over> {
        if let Some(entry) = self.members.get_mut(&member).filter(|_| group.is_some()) {
            entry.finished = Some(now);
        }
        self.tidy(&member);
        let finished = answered.then_some(Finished { member, group });
        Some(Over { finished })
    }
}

/// Whether a change may have freed somebody.
trait Told {
    fn freed(&self) -> bool;
}

impl Told for bool {
    fn freed(&self) -> bool {
        *self
    }
}

impl Told for Option<Over> {
    fn freed(&self) -> bool {
        self.is_some()
    }
}
