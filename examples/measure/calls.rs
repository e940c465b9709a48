//! Calls that phone 1001 places, one alone or many at once: dialled, awaited, hung up, forgotten.
//! What belongs to a call need not be told apart: nothing else runs on the switch.

use super::live::esl::url_encode;
use super::live::phones::{Call, Leg};
use super::live::run::{Rig, call_uuid};
use super::pairs::By;
use super::scenarios::Behaviour;
use std::time::{Duration, Instant};

/// Nothing that is awaited takes longer, a ringing of ten seconds included.
const PATIENCE: Duration = Duration::from_secs(30);

/// The caller's uuid.
pub fn dial(rig: &Rig, by: By, plan: &str) -> String {
    let uuid = call_uuid();
    let mut headers = vec![("X-Plan".to_string(), url_encode(plan))];
    if by == By::Bridge {
        headers.push(("X-Application".to_string(), "bridge".to_string()));
    }
    rig.phones.dial(&uuid, "1001", "run", &headers);
    uuid
}

/// Phones of users with their names, all of whom ring.
pub fn register(rig: &Rig, users: &[&str]) -> Result<(), String> {
    users
        .iter()
        .try_for_each(|user| rig.phones.register(user, user, Behaviour::Rings))
}

/// Waits until this is true of all legs and calls.
pub fn until(
    rig: &Rig,
    what: &str,
    mut is: impl FnMut(&[&Leg], &[&Call]) -> bool,
) -> Result<(), String> {
    let done = rig.phones.wait(Instant::now() + PATIENCE, |legs, calls| {
        let (legs, calls): (Vec<_>, Vec<_>) = (legs.values().collect(), calls.values().collect());
        is(&legs, &calls)
    });
    done.then_some(()).ok_or(format!("{what}: awaited in vain"))
}

/// The legs of all calls, in order of their INVITEs.
pub fn legs(rig: &Rig) -> Vec<Leg> {
    let legs = rig.phones.legs(|_| true);
    legs.into_iter().map(|(_, leg)| leg).collect()
}

/// Whoever has not hung up yet does; everything is awaited and then forgotten.
pub fn end(rig: &Rig) -> Result<(), String> {
    // The switch is not to be met by all of them in one millisecond.
    const APART: Duration = Duration::from_millis(2);
    let (mut open, mut known) = (Vec::new(), Vec::new());
    rig.phones.wait(Instant::now(), |legs, calls| {
        let left = calls.iter().filter(|(_, call)| call.over.is_none());
        open = left.map(|(uuid, _)| uuid.clone()).collect();
        known = legs.keys().chain(calls.keys()).cloned().collect();
        true
    });
    for (uuid, nth) in open.iter().zip(0..) {
        rig.phones.hang_up(uuid, Instant::now() + nth * APART);
    }
    let over = until(rig, "the end of all calls", |legs, calls| {
        legs.iter().all(|leg| is_over(leg)) && calls.iter().all(|call| call.over.is_some())
    });
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    rig.phones.forget(&known);
    let events = rig.switch.events.channels(|_| true);
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    rig.switch.events.forget(&events);
    over
}

fn is_over(leg: &Leg) -> bool {
    let failed = leg.last.is_some_and(|(_, status)| status >= 300);
    leg.bye.is_some() || failed && leg.acknowledged.is_some()
}
