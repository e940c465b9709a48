//! Watches all channels of the switch, for whoever wants to know which members of groups are busy.
//! Only once a group is configured: before that nobody is told of anything.

use crate::groups::Groups;
use crate::groups::members::Fact;
use crate::groups::order::Moment;
use crate::pool::Pool;
use crate::switch::event::{Binding, EventHook};
use crate::switch::session::all_uuids;
use crate::switch::{EventRef, LockedSession};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[derive(Default)]
pub struct Watch {
    bindings: Mutex<Vec<Binding>>,
    asked: AtomicBool,
    in_place: AtomicBool,
}

impl Watch {
    /// The groups are told of every channel from now on, and of those that exist already. Those are
    /// walked once.
    ///
    /// To bind waits until no event is being delivered, and a reload may come out of the delivery of
    /// one. So a thread of its own does it, for which nobody waits longer than a moment.
    pub fn begin(self: &Arc<Watch>, groups: &Arc<Groups>, pool: &Arc<Pool>, hook: EventHook) {
        const PATIENCE: Duration = Duration::from_secs(1);
        if self.asked.swap(true, Ordering::AcqRel) {
            return;
        }
        let (watch, groups) = (Arc::clone(self), Arc::clone(groups));
        let (done, told) = mpsc::channel();
        let started = pool.spawn("cti-watch", move || {
            watch.bind(&groups, hook);
            // Nobody may wait for it any more.
            let _ = done.send(());
        });
        if started {
            // A moment later is as good.
            let _ = told.recv_timeout(PATIENCE);
        } else {
            self.asked.store(false, Ordering::Release);
        }
    }

    fn bind(&self, groups: &Groups, hook: EventHook) {
        let bindings: Option<Vec<_>> = EventRef::OF_CHANNELS
            .into_iter()
            .map(|event| Binding::new(event, None, hook))
            .collect();
        let Some(bindings) = bindings else {
            self.asked.store(false, Ordering::Release);
            tracing::error!(
                "the switch does not give us its channels' events: nobody counts as busy"
            );
            return;
        };
        *self.bindings.lock() = bindings;
        self.in_place.store(true, Ordering::Release);
        for uuid in all_uuids() {
            let Some(session) = LockedSession::locate(&uuid) else {
                continue;
            };
            let Some(presence) = session.variable("presence_id") else {
                continue;
            };
            let channel = &uuid;
            exists(groups, channel, &presence);
            if session.answered() {
                groups.fact(Fact::Answered { channel }, Moment::now());
            }
            drop(session);
            see(groups, channel);
        }
    }

    /// Channels are told of: whoever says something of one will hear of its end.
    pub fn is_in_place(&self) -> bool {
        self.in_place.load(Ordering::Acquire)
    }

    /// Nobody is told any more. Waits for whoever is being told, so not to be called by him.
    pub fn end(&self) {
        let bindings = std::mem::take(&mut *self.bindings.lock());
        drop(bindings);
    }
}

/// What an event says of a channel.
pub fn tell(groups: &Groups, event: &EventRef<'_>) {
    let (Some(name), Some(channel)) = (event.header("Event-Name"), event.header("Unique-ID"))
    else {
        return;
    };
    let channel = channel.as_str();
    let now = Moment::now();
    if name == "CHANNEL_HANGUP" {
        return groups.fact(Fact::Ended { channel }, now);
    }
    // A channel that has another name now.
    if let Some(before) = event.header("Old-Unique-ID") {
        groups.fact(Fact::Ended { channel: &before }, now);
    }
    let Some(presence) = event.header("Channel-Presence-ID") else {
        return;
    };
    exists(groups, channel, &presence);
    if name == "CHANNEL_ANSWER" {
        groups.fact(Fact::Answered { channel }, now);
    }
    see(groups, channel);
}

fn exists(groups: &Groups, channel: &str, presence: &str) {
    let now = Moment::now();
    let began = Fact::Began {
        channel,
        presence,
        call: None,
    };
    groups.fact(began, now);
    groups.fact(Fact::Moved { channel, presence }, now);
}

/// Under load events are delivered by several threads: the channel's end may have been told before its
/// beginning, and nobody would tell of it again.
fn see(groups: &Groups, channel: &str) {
    if LockedSession::locate(channel).is_none() {
        groups.fact(Fact::Ended { channel }, Moment::now());
    }
}
