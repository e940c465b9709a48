//! `cti::call` events: what happens to a call, told once and in order.
//! The machine's legs are compared before and after each event; what has changed is
//! announced, so no rule about ringing is written here a second time.

use super::report::{Known, Told};
use crate::plan::inert;
use crate::ring::{Cause, Leg, Outcome, Ring, Role, StageId, Time};
use crate::switch::Event;
use crate::switch::session::cause_name;
use crate::switch::text::{clip, one_line};

/// The subclass of our `CUSTOM` events.
pub const SUBCLASS: &str = "cti::call";

/// One event to be fired: its action, headers and body.
pub struct Announcement {
    action: &'static str,
    headers: Vec<(&'static str, String)>,
    /// A leg's own moment, as in `cti_legs`; otherwise the moment of telling.
    at: Option<Time>,
    /// Named when it is fired: the switch is not asked while our lock is held.
    cause: Cause,
    body: Option<String>,
}

impl Announcement {
    fn of(action: &'static str, headers: Vec<(&'static str, String)>) -> Announcement {
        Announcement {
            action,
            headers,
            at: None,
            cause: Cause::NONE,
            body: None,
        }
    }
}

pub fn started(plan: String) -> Announcement {
    Announcement::of("started", vec![("CTI-Plan", plan)])
}

/// An operator's command that was carried out; `action` is its name, `what` the reply.
pub fn operated(action: &'static str, by: &str, what: &str) -> Announcement {
    let headers = vec![("CTI-By", by.to_owned()), ("CTI-Said", what.to_owned())];
    Announcement::of(action, headers)
}

/// A phone has moved, and these numbers are looked up in its leg's place.
pub fn redirected(leg: &Leg, known: &Known, to: &[String]) -> Announcement {
    let mut headers = of_leg(leg, known);
    headers.push(("CTI-Redirected-To", to.join(",")));
    Announcement::of("redirected", headers)
}

/// `legs`: as in `cti_legs`; `error`: why the plan was refused, if it was.
pub fn ended(result: &str, cause: &str, error: Option<&str>, legs: String) -> Announcement {
    let mut headers = vec![
        ("CTI-Result", result.to_owned()),
        ("CTI-Cause", cause.to_owned()),
    ];
    headers.extend(error.map(|error| ("CTI-Error", error.to_owned())));
    Announcement {
        body: Some(legs),
        ..Announcement::of("ended", headers)
    }
}

/// A plan that was refused is a call, too, that began and ended at once: whoever counts
/// beginnings and ends must not miss one.
pub fn refused(uuid: &str, plan: &str, error: &str, cause: Cause) {
    /// What was too long to be read is too long to be told.
    const SHOWN: usize = 1000;
    let plan = clip(plan, SHOWN).to_owned();
    let cause = cause_name(cause);
    let ended = ended(
        Outcome::Invalid.name(),
        &cause,
        Some(error),
        "[]".to_owned(),
    );
    for announcement in [started(plan), ended] {
        fire(uuid, announcement, Time::ZERO, false);
    }
}

/// What the last event of the machine has changed.
pub fn news(ring: &Ring, known: &mut [Known], new_stage: Option<StageId>) -> Vec<Announcement> {
    let mut news = Vec::new();
    if let Some(stage) = new_stage {
        let headers = vec![("CTI-Stage", stage.to_string())];
        news.push(Announcement::of("stage", headers));
    }
    for (it, known) in ring.legs().iter().zip(known) {
        let told = known.told;
        // Only the winner's answer is one: whoever answers too late has lost.
        let answered = it.answered.is_some() && it.role == Some(Role::Winner);
        let now = Told {
            ringing: it.ringing.is_some(),
            answered,
            ended: it.ended.is_some(),
        };
        let actions = [
            ("ringing", told.ringing, now.ringing, it.ringing),
            ("answered", told.answered, now.answered, it.answered),
            ("leg_ended", told.ended, now.ended, it.ended),
        ];
        for (action, before, now, at) in actions {
            if now && !before {
                news.push(Announcement {
                    at,
                    // It may have ended before it was told to ring.
                    cause: if action == "leg_ended" {
                        it.cause
                    } else {
                        Cause::NONE
                    },
                    ..Announcement::of(action, of_leg(it, known))
                });
            }
        }
        known.told = now;
    }
    news
}

fn of_leg(leg: &Leg, known: &Known) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("CTI-Stage", leg.stage.to_string()),
        ("CTI-Target", known.target.clone()),
    ];
    if let Some(uuid) = &known.uuid {
        headers.push(("CTI-Leg-UUID", uuid.clone()));
    }
    headers
}

/// Fire it for the call of this caller; `now`: since that call began; `debug`: also into the log.
pub fn fire(uuid: &str, mut announcement: Announcement, now: Time, debug: bool) {
    if announcement.cause != Cause::NONE {
        let name = cause_name(announcement.cause);
        announcement.headers.push(("CTI-Cause", name));
    }
    let at = announcement.at.unwrap_or(now);
    log(uuid, &announcement, at, debug);
    let Some(mut event) = Event::custom(SUBCLASS) else {
        return;
    };
    event.add("CTI-Action", announcement.action);
    event.add("CTI-Call-UUID", uuid);
    event.add("CTI-Elapsed-Ms", &at.as_millis().to_string());
    announcement
        .headers
        .iter()
        .for_each(|(name, value)| event.add(name, &inert(&one_line(value))));
    if let Some(body) = announcement.body {
        event.set_body(&body);
    }
    event.fire();
}

/// The same story in the log: at DEBUG, or at INFO for a call with `cti_debug=true`.
fn log(uuid: &str, announcement: &Announcement, at: Time, debug: bool) {
    let mut text = format!(
        "cti_bridge: {:.3} s {}",
        at.as_secs_f64(),
        announcement.action
    );
    for (name, value) in &announcement.headers {
        let name = name.trim_start_matches("CTI-").to_ascii_lowercase();
        text.push_str(&format!(" {name}={value}"));
    }
    if debug {
        tracing::info!(uuid, "{text}");
    } else {
        tracing::debug!(uuid, "{text}");
    }
}
