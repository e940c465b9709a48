//! Times that a caller feels, side by side for `bridge` and `cti_bridge` on one private FreeSWITCH:
//! from a rejection to the next stage's INVITE, and from a phone's answer to the caller's own 200.
//! Deadlines are measured by `deadlines_are_exact` of the live tests. `cargo run --release --example measure [calls]`,
//! and `… measure legs [calls [size…]]` for stages of very many legs.

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
    let mut words = std::env::args().skip(1).peekable();
    let legs = words.next_if(|word| word == "legs").is_some();
    let calls = words.next().and_then(|calls| calls.parse().ok());
    let sizes: Vec<usize> = words.filter_map(|size| size.parse().ok()).collect();
    let measured = Found::look("cti_bridge").and_then(|found| match legs {
        true => many_legs(&found, calls.unwrap_or(5), &sizes),
        false => measure(&found, calls.unwrap_or(30)),
    });
    match measured {
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
        few_arenas: false,
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

/// One stage of so many legs; the middle one answers when all ring.
struct Crowd {
    phones: Vec<Phone>,
    /// By each phone's own address: `bridge` rings one device of a user only.
    plan: String,
}

impl Crowd {
    fn new(legs: usize) -> Crowd {
        // The names live as long as the program, as those of the table do.
        let name = |n: usize| -> &'static str { Box::leak(format!("m{n:04}").into_boxed_str()) };
        let does = |n: usize| match n == legs / 2 {
            true => Behaviour::Answers(1000 + 10 * legs as u64),
            false => Behaviour::Rings,
        };
        let phones = (0..legs).map(|n| Phone {
            name: name(n),
            user: "1002",
            does: does(n),
        });
        let target = |n: usize| format!("sofia/phones/m{n:04}SUFFIX@PHONES");
        Crowd {
            phones: phones.collect(),
            plan: (0..legs).map(target).collect::<Vec<_>>().join(","),
        }
    }
}

/// First and last INVITE since the application began, and from the answer to the caller's 200.
#[derive(Default)]
struct Spread {
    first: Vec<f64>,
    spread: Vec<f64>,
    answer: Vec<f64>,
    rang: usize,
}

/// `sizes`: only these; all if there is none.
fn many_legs(found: &Found, calls: usize, sizes: &[usize]) -> Result<(), String> {
    let asked = |size: &usize| sizes.is_empty() || sizes.contains(size);
    let settings = Settings {
        application: "cti_bridge".to_string(),
        log_level: "warning".to_string(),
        exact_clock: true,
        few_arenas: false,
    };
    let rig = Rig::start(found, &settings)?;
    println!("one stage, medians of {calls} calls each, in ms\n");
    println!("  legs  application   rang  first INVITE  first to last  answer to caller's 200");
    let line = |legs: usize, what: &str, spread: &mut Spread| {
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        println!(
            "{legs:>6}  {what:<12} {:>5} {:>13.1} {:>14.1} {:>23.1}",
            spread.rang,
            median(&mut spread.first),
            median(&mut spread.spread),
            median(&mut spread.answer)
        );
    };
    for legs in [1, 10, 100].into_iter().filter(asked) {
        let crowd = Crowd::new(legs);
        let (mut core, mut ours) = (Spread::default(), Spread::default());
        for _ in 0..calls {
            ring(&rig, Dial::Compare(&crowd.plan), &crowd.phones, &mut core)?;
            ring(&rig, Dial::Plan(&crowd.plan), &crowd.phones, &mut ours)?;
        }
        line(legs, "bridge", &mut core);
        line(legs, "cti_bridge", &mut ours);
    }
    println!("\nevery device of one user (bridge rings at most 127 legs)");
    for legs in [1, 130, 300, 1000].into_iter().filter(asked) {
        let crowd = Crowd::new(legs);
        let mut ours = Spread::default();
        for _ in 0..calls {
            ring(&rig, Dial::Plan("user/1002"), &crowd.phones, &mut ours)?;
        }
        line(legs, "cti_bridge", &mut ours);
    }
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    switch.stop()
}

fn ring(rig: &Rig, dial: Dial, phones: &[Phone], spread: &mut Spread) -> Result<(), String> {
    let order = Order {
        dial,
        caller: Caller::Waits,
        variables: &[],
        phones,
    };
    let course = rig.call(&order, 0)?;
    let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
    let invites = course.legs.iter().map(|(_, _, leg)| leg.at);
    let (Some(first), Some(last)) = (invites.clone().min(), invites.max()) else {
        return Err("nobody rang".to_string());
    };
    spread.rang = course.legs.len();
    spread.first.push(ms(course.began, first));
    spread.spread.push(ms(first, last));
    let answers = course.legs.iter().filter_map(|(_, _, leg)| leg.last);
    let answer = answers
        .filter(|(_, status)| *status == 200)
        .map(|(at, _)| at)
        .next();
    if let Some((answer, answered)) = answer.zip(course.answered) {
        spread.answer.push(ms(answer, answered));
    }
    Ok(())
}
