//! Who waits for whose registration (`cti_late_join`).
//! A registration of anybody else is one look into a map, or none at all.
//! What has really registered is found by resolving the target again, which is the call's business.

use crate::plan::Target;
use crate::ring::{PartId, StageId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// A call that waits for devices.
pub trait Waits: Send + Sync {
    /// This user may have a device that does not ring yet. Called on the thread that delivers all
    /// events of the switch, so it must return at once.
    fn look_again(self: Arc<Self>, watch: Watch);
}

/// By the user's name without its domain.
#[derive(Default)]
pub struct Registrations {
    users: Mutex<HashMap<String, Vec<Watch>>>,
    any: AtomicBool,
    count: AtomicU64,
}

/// A target of a stage that rings, one of whose users may still register.
#[derive(Clone)]
pub struct Watch {
    call: Weak<dyn Waits>,
    serial: u64,
    pub part: PartId,
    pub stage: StageId,
    pub target: Target,
    pub looking: Arc<Looking>,
}

/// One look-up at a time for each target that waits, however often its devices register.
#[derive(Default)]
pub struct Looking(AtomicU8);

impl Looking {
    const IDLE: u8 = 0;
    const UNDER_WAY: u8 = 1;
    const ONCE_MORE: u8 = 2;

    /// True: whoever asks is to look. Else somebody does so already, and will once more.
    pub fn ask(&self) -> bool {
        self.0.swap(Self::ONCE_MORE, Ordering::AcqRel) == Self::IDLE
    }

    pub fn begins(&self) {
        self.0.store(Self::UNDER_WAY, Ordering::Release);
    }

    /// False: somebody has asked meanwhile.
    pub fn is_done(&self) -> bool {
        let (before, after) = (Self::UNDER_WAY, Self::IDLE);
        let swapped = self
            .0
            .compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire);
        swapped.is_ok()
    }
}

impl Registrations {
    /// A stage of this call rings, and these users of its targets may still register.
    pub fn wait(
        &self,
        call: &Weak<dyn Waits>,
        serial: u64,
        (part, stage): (PartId, StageId),
        users: Vec<(String, Target)>,
    ) {
        let mut waiting = self.users.lock();
        for (user, target) in users {
            let watches = waiting.entry(user).or_default();
            // `originate_retries` and `campon` come here once an attempt.
            let waits = |watch: &Watch| {
                (watch.serial, watch.part, watch.stage) == (serial, part, stage)
                    && watch.target.written == target.written
            };
            if watches.iter().any(waits) {
                continue;
            }
            watches.push(Watch {
                call: Weak::clone(call),
                serial,
                part,
                stage,
                target,
                looking: Arc::default(),
            });
        }
        self.any.store(!waiting.is_empty(), Ordering::Release);
    }

    /// This call waits for nobody any more.
    pub fn leave(&self, serial: u64) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = self.users.lock();
        waiting.retain(|_, watches| {
            watches.retain(|watch| watch.serial != serial);
            !watches.is_empty()
        });
        self.any.store(!waiting.is_empty(), Ordering::Release);
    }

    /// How many devices have registered so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// A device of this user has registered.
    pub fn registered(&self, user: &str) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.look_again(user);
    }

    /// Whoever waits for this user looks again.
    pub fn look_again(&self, user: &str) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let watches = self.users.lock().get(user).cloned().unwrap_or_default();
        for watch in watches {
            if let Some(call) = watch.call.upgrade() {
                call.look_again(watch);
            }
        }
    }
}
