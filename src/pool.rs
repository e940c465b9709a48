//! Threads beside those of the calls: a few for look-ups, and one for each other job.
//! A look-up may leave the process and take long, so there are no more of them at once than a few.
//! All threads are counted, since unload waits for the last.

use crate::switch::guard::guarded;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub struct Pool {
    state: Mutex<State>,
    /// Signalled when there is a job, and when a thread has ended.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Threads for look-ups that have nothing to do.
    idle: usize,
    workers: usize,
    threads: usize,
    closed: bool,
}

impl Pool {
    /// How many look-ups may be under way at once.
    const WORKERS: usize = 32;

    /// How long a thread waits for its next look-up before it ends.
    const LINGER: Duration = Duration::from_millis(200);

    /// Run a look-up soon, beside others. False: there is no thread to be had, and nothing is run.
    pub fn look_up(self: &Arc<Pool>, job: impl FnOnce() + Send + 'static) -> bool {
        let more = {
            let mut state = self.state.lock();
            state.waiting.push_back(Box::new(job));
            let more = state.idle < state.waiting.len() && state.workers < Self::WORKERS;
            state.workers += usize::from(more);
            more
        };
        self.changed.notify_all();
        if more {
            let ours = Arc::clone(self);
            let started = self.spawn("cti-lookup", move || ours.work());
            if !started {
                let mut state = self.state.lock();
                state.workers -= 1;
                // Others may still come to it.
                if state.workers == 0 {
                    return state.waiting.pop_back().is_none();
                }
            }
        }
        true
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                guarded("a look-up", (), job);
                state = self.state.lock();
                continue;
            }
            let until = Instant::now() + Self::LINGER;
            state.idle += 1;
            while state.waiting.is_empty()
                && !state.closed
                && !self.changed.wait_until(&mut state, until).timed_out()
            {}
            state.idle -= 1;
            if state.waiting.is_empty() {
                state.workers -= 1;
                return;
            }
        }
    }

    /// Run `job` on a thread of its own. False: there is no thread to be had, and `job` is dropped.
    pub fn spawn(self: &Arc<Pool>, name: &str, job: impl FnOnce() + Send + 'static) -> bool {
        self.state.lock().threads += 1;
        let ending = Ending(Arc::clone(self));
        let thread = std::thread::Builder::new().name(name.to_owned());
        let spawned = thread.spawn(move || {
            let _ending = ending;
            guarded("a thread", (), job);
        });
        if let Err(error) = &spawned {
            tracing::error!("no thread for {name}: {error}");
        }
        spawned.is_ok()
    }

    /// Wait for the last thread to end, but not longer than until `patience`. False: some have not.
    pub fn close(&self, patience: Instant) -> bool {
        let mut state = self.state.lock();
        state.closed = true;
        // Nobody waits any more for what they would find.
        let waiting = std::mem::take(&mut state.waiting);
        MutexGuard::unlocked(&mut state, || drop(waiting));
        self.changed.notify_all();
        while state.threads > 0 && !self.changed.wait_until(&mut state, patience).timed_out() {}
        state.threads == 0
    }
}

/// Counts its thread off, however the thread ends.
struct Ending(Arc<Pool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.state.lock().threads -= 1;
        self.0.changed.notify_all();
    }
}
