//! Times that a caller feels, side by side for `bridge` and `cti_bridge` on one private FreeSWITCH:
//! from a rejection to the next stage's INVITE, and from a phone's answer to the caller's own 200.
//! Deadlines are measured by `deadlines_are_exact` of the live tests. `cargo run --release --example measure [calls]`

#[path = "../tests/live/mod.rs"]
mod live;
#[path = "../tests/scenarios/mod.rs"]
mod scenarios;

use live::run::{Dial, Found, Order, Rig, Settings};
use scenarios::{Behaviour, Caller, Phone};
use std::process::ExitCode;
use std::time::Instant;

const fn phone(name: &'static str, does: Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}

/// In each plan the last phone answers; a phone before it may reject.
const PLANS: &[(&str, &[Phone])] = &[
    (
        "user/1002|user/1003",
        &[
            phone("1002", Behaviour::Rejects(486, 200)),
            phone("1003", Behaviour::Answers(200)),
        ],
    ),
    (
        "user/1002,user/1003,user/1004,user/1005",
        &[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Rings),
            phone("1004", Behaviour::Rings),
            phone("1005", Behaviour::Answers(300)),
        ],
    ),
];

fn main() -> ExitCode {
    let calls = std::env::args()
        .nth(1)
        .and_then(|calls| calls.parse().ok())
        .unwrap_or(30);
    match Found::look("cti_bridge").and_then(|found| measure(&found, calls)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Times {
    hand_over: Vec<f64>,
    answer: Vec<f64>,
}

fn measure(found: &Found, calls: usize) -> Result<(), String> {
    let settings = Settings {
        application: "cti_bridge".to_string(),
        log_level: "warning".to_string(),
        exact_clock: false,
    };
    let rig = Rig::start(found, &settings)?;
    for (plan, phones) in PLANS {
        let (mut core, mut ours) = (Times::default(), Times::default());
        for _ in 0..calls {
            // In turn, so that whatever else the machine does meets both.
            one(&rig, Dial::Compare(plan), phones, &mut core)?;
            one(&rig, Dial::Plan(plan), phones, &mut ours)?;
        }
        println!("{plan}, {calls} calls each");
        line(
            "rejection to the next INVITE",
            &mut core.hand_over,
            &mut ours.hand_over,
        );
        line(
            "answer to the caller's 200",
            &mut core.answer,
            &mut ours.answer,
        );
    }
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    switch.stop()
}

fn one(rig: &Rig, dial: Dial, phones: &[Phone], times: &mut Times) -> Result<(), String> {
    let course = rig.call(
        &Order {
            dial,
            caller: Caller::Waits,
            variables: &[],
            phones,
        },
        0,
    )?;
    let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
    let mut rejected = None;
    for (_, _, leg) in &course.legs {
        if let Some(at) = rejected.take() {
            times.hand_over.push(ms(at, leg.at));
        }
        match (leg.last, course.answered) {
            (Some((at, 200)), Some(answered)) => times.answer.push(ms(at, answered)),
            (Some((at, status)), _) if status != 487 => rejected = Some(at),
            _ => {}
        }
    }
    Ok(())
}

fn line(what: &str, core: &mut [f64], ours: &mut [f64]) {
    let numbers = |times: &mut [f64]| {
        times.sort_by(f64::total_cmp);
        let at = |part: usize| {
            times
                .get(times.len() * part / 100)
                .copied()
                .unwrap_or(f64::NAN)
        };
        format!("median {:5.1} ms, 90 % below {:5.1} ms", at(50), at(90))
    };
    if !core.is_empty() {
        println!("  {what:<30} bridge      {}", numbers(core));
        println!("  {:<30} cti_bridge  {}", "", numbers(ours));
    }
}
