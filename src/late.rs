//! Devices that register while their user's stage rings join the ring (`cti_late_join`): a
//! mobile that a push has woken. Nothing happens but for users that a ringing call waits
//! for: a registration of anybody else is one look into a map, or none at all.

use crate::bridge;
use crate::calls::{Call, NotAdded};
use crate::contacts;
use crate::module::Module;
use crate::plan::{Stage, Target};
use crate::switch::LockedSession;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Who waits for whom, by the user's name without its domain: what has really registered is
/// found by resolving the target again.
#[derive(Default)]
pub struct Waiting {
    users: Mutex<HashMap<String, Vec<Watch>>>,
    any: AtomicBool,
    registrations: AtomicU64,
}

#[derive(Clone)]
struct Watch {
    call: Weak<Call>,
    serial: u64,
    part: usize,
    stage: usize,
    target: Target,
    looking: Arc<Looking>,
}

/// One look-up at a time for each target that waits, however often its devices register.
#[derive(Default)]
struct Looking(AtomicU8);

impl Looking {
    const IDLE: u8 = 0;
    const UNDER_WAY: u8 = 1;
    const ONCE_MORE: u8 = 2;

    /// True: whoever asks is to look. Else somebody does so already, and will once more.
    fn ask(&self) -> bool {
        self.0.swap(Self::ONCE_MORE, Ordering::AcqRel) == Self::IDLE
    }

    fn begins(&self) {
        self.0.store(Self::UNDER_WAY, Ordering::Release);
    }

    /// False: somebody has asked meanwhile.
    fn is_done(&self) -> bool {
        let (before, after) = (Self::UNDER_WAY, Self::IDLE);
        let swapped = self
            .0
            .compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire);
        swapped.is_ok()
    }

    fn give_up(&self) {
        self.0.store(Self::IDLE, Ordering::Release);
    }
}

impl Waiting {
    /// A stage of this call rings, and these users of its targets may still register.
    pub fn wait(&self, call: &Arc<Call>, part: usize, stage: usize, users: Vec<(String, &Target)>) {
        let mut waiting = self.users.lock();
        for (user, target) in users {
            let watches = waiting.entry(user).or_default();
            // `originate_retries` and `campon` come here once an attempt.
            let waits = |watch: &Watch| {
                (watch.serial, watch.part, watch.stage) == (call.serial, part, stage)
                    && watch.target.written == target.written
            };
            if watches.iter().any(waits) {
                continue;
            }
            watches.push(Watch {
                call: Arc::downgrade(call),
                serial: call.serial,
                part,
                stage,
                target: target.clone(),
                looking: Arc::default(),
            });
        }
        self.any.store(!waiting.is_empty(), Ordering::Release);
    }

    /// This call waits for nobody any more.
    pub fn leave(&self, call: &Call) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = self.users.lock();
        waiting.retain(|_, watches| {
            watches.retain(|watch| watch.serial != call.serial);
            !watches.is_empty()
        });
        self.any.store(!waiting.is_empty(), Ordering::Release);
    }

    /// How many devices have registered so far.
    pub fn registrations(&self) -> u64 {
        self.registrations.load(Ordering::Acquire)
    }

    fn of(&self, user: &str) -> Vec<Watch> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.users.lock().get(user).cloned().unwrap_or_default()
    }
}

/// A device of this user has registered.
pub fn registered(module: &Arc<Module>, user: &str) {
    module.waiting.registrations.fetch_add(1, Ordering::AcqRel);
    look_again(module, user);
}

/// This user may have a device that does not ring yet. Looking the targets up takes the
/// directory, so it is done on a thread of its own and not on the one that delivers events: one
/// for each target that waits, since a device may register as often as it likes.
pub fn look_again(module: &Arc<Module>, user: &str) {
    for watch in module.waiting.of(user) {
        let rings = |call: &Arc<Call>| call.state.lock().ring.takes(watch.part, watch.stage);
        let Some(call) = watch.call.upgrade().filter(rings) else {
            continue;
        };
        if watch.looking.ask() {
            let (ours, looking) = (Arc::clone(&call), Arc::clone(&watch.looking));
            let look = move || {
                loop {
                    watch.looking.begins();
                    join(&ours, &watch);
                    if watch.looking.is_done() {
                        break;
                    }
                }
            };
            module.spawn(&call, "cti-late", look, move || looking.give_up());
        }
    }
}

fn join(call: &Arc<Call>, watch: &Watch) {
    let Some(caller) = LockedSession::locate(&call.uuid) else {
        return;
    };
    let globals = &call.globals[watch.part];
    let targets = Stage {
        targets: vec![watch.target.clone()],
    };
    let config = bridge::config();
    let resolved = contacts::resolve(&targets, caller.channel(), globals, &config);
    let mut found = resolved.warned(&call.uuid).contacts;
    found.retain(|contact| contact.dead.is_none());
    let found = bridge::with_legs(found, caller.channel(), globals);
    let limit = config.max_targets;
    let joined = call.added((watch.part, watch.stage), found, limit, false, |_| None);
    if let Err(why @ NotAdded::Limit(_)) = joined {
        tracing::warn!(uuid = call.uuid.as_str(), "cti_bridge: {why}");
    }
    if let Ok(joined) = joined {
        tracing::debug!(
            uuid = call.uuid.as_str(),
            "cti_bridge: {joined} device(s) of {} registered and join stage {}",
            watch.target.written,
            watch.stage + 1
        );
    }
}
