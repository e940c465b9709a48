//! The switch and its threads: what a call does must not hold up anybody else, nor outlive the module.
//! Each check makes a call that would do so, and looks at the switch meanwhile.

use super::{Verdict, phone};
use crate::live::run::{Dial, Order, Rig};
use crate::scenarios::{Behaviour::*, Caller, Told::*};
use std::time::{Duration, Instant};

/// How long an event takes from whoever fires it to whoever listens, at most, during these seconds.
fn slowest_event(rig: &Rig, during: Duration) -> Result<Duration, String> {
    let mut connection = rig.switch.connect()?;
    let until = Instant::now() + during;
    let mut slowest = Duration::ZERO;
    let mut count = 0;
    while Instant::now() < until {
        count += 1;
        let began = Instant::now();
        let name = format!("probe-{count}");
        connection.background(&format!(
            "sendevent CHANNEL_EXECUTE_COMPLETE\nUnique-ID: {name}"
        ))?;
        let limit = began + Duration::from_secs(10);
        let came = rig.switch.events.wait(&name, limit, |_| true);
        came.ok_or("an event never came")?;
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(slowest)
}

/// The caller has an application, or a command, that runs for 3 s when it is told of the ringing,
/// and the first phone rings while the caller's own thread is in the directory.
pub fn events_flow(rig: &Rig, slot: usize, hook: &str, runs: &str) -> Result<Verdict, String> {
    /// An idle switch takes up to half a second by itself.
    const SOON: Duration = Duration::from_millis(1000);
    let phones = [phone("1002", Answers(4000)), phone("1000", Rings)];
    let variables = [(hook, runs)];
    let order = Order {
        dial: Dial::Plan("user/1002:_:user/1000"),
        caller: Caller::Waits,
        variables: &variables,
        phones: &phones,
    };
    let (slowest, course) = std::thread::scope(|scope| {
        let probing = scope.spawn(|| slowest_event(rig, Duration::from_secs(5)));
        let course = rig.call(&order, slot);
        let slowest = probing.join();
        (
            slowest.map_err(|_| "the probe panicked".to_string()),
            course,
        )
    });
    let (slowest, course) = (slowest??, course?);
    let mut wrong = Vec::new();
    if slowest > SOON {
        wrong.push(format!("an event took {slowest:?}"));
    }
    if course.seen().joined.as_deref() != Some("1002") {
        wrong.push(format!("cti_result {:?}", course.variable("cti_result")));
    }
    Ok(Verdict {
        wrong,
        note: format!("the slowest event took {} ms", slowest.as_millis()),
        ..Verdict::default()
    })
}

/// The caller's ringback never ends by itself, and a timer paces it: whoever answers is joined at once.
pub fn timed_ringback(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let mut note = String::new();
    for plan in [
        "user/1002:_:user/1003",
        "[leg_delay_start=200ms]user/1003,user/1002",
    ] {
        let phones = [phone("1002", Rings), phone("1003", Answers(800))];
        let variables = [
            ("timer_name", "soft"),
            ("ringback", "tone_stream://%(100,100,440);loops=-1"),
        ];
        let order = Order {
            dial: Dial::Plan(plan),
            caller: Caller::HangsUpAfter(4000),
            variables: &variables,
            phones: &phones,
        };
        let course = rig.call(&order, slot)?;
        let seen = course.seen();
        let leg = |phone: &str| seen.rings.iter().find(|ring| ring.phone == phone);
        let elsewhere = leg("1002").map(|ring| (ring.to, ring.told));
        let soon =
            elsewhere.is_some_and(|(at, told)| told == Elsewhere && (800..1600).contains(&at));
        if !soon || seen.joined.as_deref() != Some("1003") {
            wrong.push(format!(
                "{plan}: joined {:?}, the other phone {elsewhere:?}, cti_result {:?}",
                seen.joined,
                seen.variable("cti_result")
            ));
        }
        note += &format!("{elsewhere:?} ");
    }
    Ok(Verdict {
        wrong,
        note,
        ..Verdict::default()
    })
}
