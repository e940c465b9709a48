//! The deadline thread: one for the module, asleep until the earliest deadline of all calls.
//! The thread tells a call that time has passed, and does nothing else.
//! What that means the ring machine decides.

use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

/// Whoever has a deadline.
pub trait Timed: Send + Sync {
    /// The time has come. Called on the thread of all deadlines, so it must return at once.
    fn tick(&self);
}

/// A moment and the serial of its call.
type Key = (Instant, u64);

#[derive(Default)]
struct Queue {
    due: BTreeMap<Key, Weak<dyn Timed>>,
    stop: bool,
}

#[derive(Default)]
pub struct Timer {
    queue: Mutex<Queue>,
    wake: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Timer {
    pub fn start() -> std::io::Result<Arc<Timer>> {
        let timer = Arc::new(Timer::default());
        let ours = Arc::clone(&timer);
        let name = "cti-deadlines".to_owned();
        let thread = std::thread::Builder::new().name(name);
        *timer.thread.lock() = Some(thread.spawn(move || ours.run())?);
        Ok(timer)
    }

    /// The next moment of the call with this serial was `old` and is `new`. Called under the
    /// call's own lock, so that the last word is the last one.
    pub fn arm(&self, serial: u64, old: Option<Instant>, new: Option<(Instant, Weak<dyn Timed>)>) {
        let mut queue = self.queue.lock();
        if let Some(old) = old {
            queue.due.remove(&(old, serial));
        }
        if let Some((new, call)) = new {
            queue.due.insert((new, serial), call);
            let first = queue.due.first_key_value();
            if first.is_some_and(|(key, _)| *key == (new, serial)) {
                self.wake.notify_one();
            }
        }
    }

    /// End the thread and wait for it; at unload, never from the thread itself.
    pub fn stop(&self) {
        self.queue.lock().stop = true;
        self.wake.notify_one();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It cannot have panicked: each tick runs inside the guard.
            let _ = thread.join();
        }
    }

    fn run(&self) {
        let mut queue = self.queue.lock();
        while !queue.stop {
            let now = Instant::now();
            match queue.due.first_key_value().map(|(key, _)| key.0) {
                None => self.wake.wait(&mut queue),
                Some(at) if at > now => {
                    self.wake.wait_until(&mut queue, at);
                }
                Some(_) => {
                    let call = queue.due.pop_first().and_then(|(_, call)| call.upgrade());
                    // No lock of the timer's is held while a call is told.
                    drop(queue);
                    if let Some(call) = call {
                        crate::switch::guard::guarded("deadline", (), || call.tick());
                    }
                    queue = self.queue.lock();
                }
            }
        }
    }
}
