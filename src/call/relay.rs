//! The early media of a phone that rings alone goes to the caller, until the phone answers or ends.
//! A thread of its own reads the leg and writes to the caller, as core's bridge does.
//! Two threads never read one leg: whoever ends a relay waits for the frame under way.

use crate::pool::Pool;
use crate::ring::LegId;
use crate::switch::LockedSession;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The early media of a leg goes to the caller, on a thread of its own, until this is dropped.
pub struct Relay {
    pub leg: LegId,
    running: Arc<Running>,
}

#[derive(Default)]
struct Running {
    over: AtomicBool,
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Running {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn has_ended(&self) {
        *self.ended.lock() = true;
        self.changed.notify_all();
    }
}

impl Drop for Relay {
    /// Waits for the frame under way: two threads must not read one session.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        self.running.over.store(true, Ordering::Release);
        let mut ended = self.running.ended.lock();
        if !*ended {
            self.running.changed.wait_for(&mut ended, PATIENCE);
        }
    }
}

impl Relay {
    /// `None` where there is no thread to be had.
    pub fn start(
        pool: &Arc<Pool>,
        leg: LegId,
        peer: LockedSession,
        caller: LockedSession,
    ) -> Option<Relay> {
        /// The time that a frame takes.
        const FRAME: Duration = Duration::from_millis(20);
        let running = Arc::new(Running::default());
        let ours = Arc::clone(&running);
        let started = pool.spawn("cti-relay", move || {
            while !ours.is_over() && peer.up() && caller.ready() {
                if !peer.pass_frame(&caller) {
                    std::thread::sleep(FRAME);
                }
            }
            drop((peer, caller));
            ours.has_ended();
        });
        started.then_some(Relay { leg, running })
    }
}
