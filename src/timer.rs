//! The deadline thread: one for the module, asleep until the earliest deadline of all calls.
//! It only tells a call that time has passed; what that means the ring machine decides.

use crate::calls::Call;
use crate::ring::Event;
use parking_lot::{Condvar, Mutex};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    stop: bool,
}

struct Entry {
    at: Instant,
    call: Weak<Call>,
}

pub struct Timer {
    queue: Arc<(Mutex<Queue>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Timer {
    pub fn start() -> std::io::Result<Timer> {
        let queue = Arc::new((Mutex::new(Queue::default()), Condvar::new()));
        let ours = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("cti-deadlines".into())
            .spawn(move || run(&ours))?;
        Ok(Timer {
            queue,
            thread: Some(thread),
        })
    }

    /// Tick `call` at this moment. A moment that is no longer wanted costs one idle tick.
    pub fn at(&self, at: Instant, call: &Arc<Call>) {
        let (queue, wake) = &*self.queue;
        queue.lock().heap.push(Reverse(Entry {
            at,
            call: Arc::downgrade(call),
        }));
        wake.notify_one();
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.queue.0.lock().stop = true;
        self.queue.1.notify_one();
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked: each tick runs inside the guard.
            let _ = thread.join();
        }
    }
}

fn run((queue, wake): &(Mutex<Queue>, Condvar)) {
    let mut locked = queue.lock();
    while !locked.stop {
        let now = Instant::now();
        match locked.heap.peek().map(|Reverse(entry)| entry.at) {
            None => wake.wait(&mut locked),
            Some(at) if at > now => {
                wake.wait_until(&mut locked, at);
            }
            Some(_) => {
                let call = locked
                    .heap
                    .pop()
                    .and_then(|Reverse(entry)| entry.call.upgrade());
                // A tick calls the switch: never with our lock held.
                drop(locked);
                if let Some(call) = call {
                    crate::switch::guard::guarded("deadline", (), || call.feed(Event::Tick));
                }
                locked = queue.lock();
            }
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.at == other.at
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.at.cmp(&other.at)
    }
}
