//! Devices that register while their user's stage rings join the ring (`cti_late_join`): a mobile
//! that a push has woken. The target is looked up again, beside the call, one look-up at a time
//! for each target that waits.

use super::desk::Hand;
use super::{Call, NotAdded};
use crate::contacts::{Afar, Contact};
use crate::registrations::{Waits, Watch};
use crate::switch::guard::guarded;
use std::sync::Arc;

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
        let mut found = self.resolve(
            vec![watch.target.clone()],
            watch.part,
            &Afar::from(&self.uuid),
        );
        let (_, turn) = self.turn_of(at);
        let rings = |contact: &Contact| contact.dead.is_none() && contact.turn == turn;
        found.contacts.retain(rings);
        let target = watch.target.written.clone();
        self.leave_job(move |hand: &mut Hand<'_>| {
            let uuid = hand.call.uuid.as_str();
            match hand.add(at, found, false, |_| None) {
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
}
