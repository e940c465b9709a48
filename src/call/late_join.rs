//! Devices that register while their user's stage rings join the ring (`cti_late_join`): a mobile
//! that a push has woken. The target is looked up again, beside the call, one look-up at a time
//! for each target that waits.

use super::desk::Hand;
use super::found::Found;
use super::{Call, NotAdded};
use crate::contacts::Afar;
use crate::registrations::{Waits, Watch};
use crate::switch::guard::guarded;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Sofia tells of a registration while the contact that it replaces is registered still, and takes
/// that out with whatever else is to be written, up to 200 ms later.
const TAKEN_OUT: Duration = Duration::from_millis(300);

impl Waits for Call {
    fn look_again(self: Arc<Self>, watch: Watch) {
        if !self.look(|ring| ring.takes(watch.part, watch.stage)) || !watch.looking.ask() {
            return;
        }
        let pool = Arc::clone(&self.shared.pool);
        pool.look_up(move || {
            loop {
                watch.looking.begins();
                guarded("a late join", (), || self.join_late(&watch));
                if watch.looking.is_done() {
                    break;
                }
            }
        });
    }
}

impl Call {
    fn join_late(&self, watch: &Watch) {
        let at = (watch.part, watch.stage);
        let (mut found, mut registered) = self.registered(watch);
        let state = self.state.lock();
        let may_have_moved = state.may_have_moved(at, &found.contacts, &registered);
        drop(state);
        if may_have_moved {
            // Nothing tells when that is done. Only this target waits: it is looked up once at a time.
            std::thread::sleep(TAKEN_OUT);
            (found, registered) = self.registered(watch);
        }
        let target = watch.target.written.clone();
        self.leave_job(move |hand: &mut Hand<'_>| {
            let uuid = hand.call.uuid.as_str();
            match hand.add(at, found, Some(&registered), |_| None) {
                Ok(joined) => tracing::debug!(
                    uuid,
                    "cti_bridge: {joined} device(s) of {target} registered and join stage {}",
                    at.1
                ),
                Err(why @ NotAdded::Limit(_)) => tracing::warn!(uuid, "cti_bridge: {why}"),
                Err(_) => {}
            }
        });
    }

    /// Who could join, and every contact that the target has now.
    fn registered(&self, watch: &Watch) -> (Found, HashSet<String>) {
        let targets = vec![watch.target.clone()];
        let mut found = self.resolve(targets, watch.part, &Afar::from(&self.uuid));
        found.contacts.retain(|contact| contact.dead.is_none());
        let registered = found.contacts.iter().map(|it| it.dial_string.clone());
        let registered = registered.collect();
        let (_, turn) = self.turn_of((watch.part, watch.stage));
        found.contacts.retain(|contact| contact.turn == turn);
        (found, registered)
    }
}
