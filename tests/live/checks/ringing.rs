//! How exact deadlines are, and a stage of more devices than core keeps peers for.
//! Both are crowded on purpose: a switch that is idle would show little.
//! Figures are printed with the result.

use super::{Verdict, phone};
use crate::live::run::{Dial, Order, Rig};
use crate::scenarios::{Behaviour::*, Caller, Phone, Told::*};
use std::sync::Mutex;

/// Calls whose stage ends by its deadline, several at a time: never early, and how late at most.
pub fn deadlines(rig: &Rig, _: usize) -> Result<Verdict, String> {
    const CALLS: usize = 64;
    let late = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for slot in 0..8 {
            let late = &late;
            scope.spawn(move || {
                for round in 0..CALLS / 8 {
                    let wanted = 400 + 137 * (round as u64 * 8 + slot as u64 % 8) % 2600;
                    let plan = match round % 2 {
                        0 => format!(
                            "{{cti_stage_timeout={}.{:03}}}user/1002,user/1003",
                            wanted / 1000,
                            wanted % 1000
                        ),
                        _ => format!("{{cti_stage_timeout={wanted}ms}}user/1002,user/1003"),
                    };
                    let phones = [phone("1002", Rings), phone("1003", Rings)];
                    let order = Order {
                        dial: Dial::Plan(&plan),
                        caller: Caller::Waits,
                        variables: &[],
                        phones: &phones,
                    };
                    let found = rig.call(&order, slot).map(|course| (wanted, course));
                    late.lock().expect("a call panicked").push(found);
                }
            });
        }
    });
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    for found in late.into_inner().expect("a call panicked") {
        let (wanted, course) = found?;
        for (_, _, leg) in &course.legs {
            let Some((at, _)) = &leg.cancel else {
                wrong.push(format!("{wanted} ms: a phone was not cancelled"));
                continue;
            };
            let micros = at.saturating_duration_since(course.began).as_micros() as i64
                - wanted as i64 * 1000;
            all.push(micros);
            if micros < 0 {
                wrong.push(format!("{wanted} ms: {} us early", -micros));
            }
        }
    }
    all.sort();
    let (Some(least), Some(most)) = (all.first(), all.last()) else {
        return Err("no deadline was seen".to_string());
    };
    let ms = |micros: i64| micros as f64 / 1000.0;
    if *most > 150_000 {
        wrong.push(format!("{} ms late", ms(*most)));
    }
    let note = format!(
        "{CALLS} calls, CANCEL after the deadline: least {:.1}, median {:.1}, most {:.1} ms",
        ms(*least),
        ms(all[all.len() / 2]),
        ms(*most)
    );
    Ok(Verdict {
        wrong,
        note,
        ..Verdict::default()
    })
}

/// More devices than core keeps peers for: each rings once, one answers, the rest are told so.
pub fn many_devices(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const NAMES: usize = 150;
    // The names live as long as the program, as those of the table do.
    let name = |n: usize| -> &'static str { Box::leak(format!("1002-{n:03}").into_boxed_str()) };
    let does = |n: usize| if n == 77 { Answers(2500) } else { Rings };
    let phones: Vec<Phone> = (0..NAMES)
        .map(|n| Phone {
            name: name(n),
            user: "1002",
            does: does(n),
        })
        .collect();
    let order = Order {
        dial: Dial::Plan("user/1002"),
        caller: Caller::Waits,
        variables: &[],
        phones: &phones,
    };
    let course = rig.call(&order, slot)?;
    let seen = course.seen();
    let mut wrong = Vec::new();
    if seen.rings.len() != NAMES {
        wrong.push(format!("{} of {NAMES} devices rang", seen.rings.len()));
    }
    if seen.joined.as_deref() != Some("1002-077") {
        wrong.push(format!(
            "joined: {:?}, cti_result {:?}",
            seen.joined,
            seen.variable("cti_result")
        ));
    }
    let losers = seen
        .rings
        .iter()
        .filter(|ring| ring.told == Elsewhere)
        .count();
    if losers + 1 != NAMES {
        wrong.push(format!(
            "{losers} were told that the call was completed elsewhere"
        ));
    }
    let last = seen.rings.iter().map(|ring| ring.from).max().unwrap_or(0);
    Ok(Verdict {
        wrong,
        note: format!("the last INVITE at {last} ms"),
        ..Verdict::default()
    })
}
