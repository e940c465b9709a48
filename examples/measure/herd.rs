//! Many calls at once: what they cost the switch, and how exact their deadlines are.

use super::calls::{dial, end, legs, register, until};
use super::live::phones::{Call, Leg};
use super::live::run::Rig;
use super::live::switch::LOADS;
use super::pairs::{BLOCKS, Must, at, in_turn, moment, ms, row, verdict};
use super::process::{at_rest, wakes};
use super::scenarios::Behaviour::{Answers, Rejects};
use super::times::FORK;
use super::{cpu, crowd};
use std::time::{Duration, Instant};

/// Callers whose phones all ring: CPU, wake-ups and threads of the switch.
pub fn ringing(rig: &Rig, rounds: Option<usize>) -> Result<(), String> {
    const CALLS: usize = 150;
    const APART: Duration = Duration::from_millis(10);
    const SETTLES: Duration = Duration::from_secs(1);
    register(rig, &["1002", "1003", "1004", "1005"])?;
    let mut operator = rig.switch.connect()?;
    at_rest(rig, &mut operator)?;
    let idle = watch(rig)?;
    let [cpu, woken, each] = in_turn(rounds.unwrap_or(1), BLOCKS, |by| {
        let rest = at_rest(rig, &mut operator)?;
        for _ in 0..CALLS {
            dial(rig, by, FORK);
            std::thread::sleep(APART);
        }
        until(
            rig,
            "phones that ring and callers who hear so",
            |legs, calls| {
                let hears = |call: &&&Call| call.responses.iter().any(|(_, status)| *status == 180);
                legs.iter().filter(|leg| leg.rang.is_some()).count() == 4 * CALLS
                    && calls.iter().filter(hears).count() == CALLS
            },
        )?;
        std::thread::sleep(SETTLES);
        let busy = watch(rig)?;
        let during = wakes(rig)?.len();
        let rings = |leg: &Leg| leg.last.is_none() && leg.cancel.is_none();
        if !legs(rig).iter().all(rings) {
            return Err("a phone did not ring as long as it was watched".to_string());
        }
        end(rig)?;
        let a_call = |all: f64| vec![all / CALLS as f64];
        Ok([
            a_call((busy.0 - idle.0) * 1000.0),
            a_call(busy.1 - idle.1),
            a_call(during as f64 - rest as f64),
        ])
    })?;
    let what = |what: &str| format!("{CALLS} calls ring at 4 phones each: {what}");
    cpu.print(&what("CPU ms a call and s"), Must::Median(0.2));
    woken.print("… wake-ups a call and s", Must::Any);
    each.print("… threads of the switch a call", Must::Any);
    Ok(())
}

/// CPU seconds and wake-ups of the switch, a second. While it is watched, no thread ends.
fn watch(rig: &Rig) -> Result<(f64, f64), String> {
    const WATCHED: Duration = Duration::from_secs(4);
    let count = || Ok::<u64, String>(wakes(rig)?.iter().sum());
    let (before, began) = (count()?, Instant::now());
    let cpu = cpu::idle(rig.switch.pid(), WATCHED)?;
    let woken = count()?.saturating_sub(before);
    Ok((cpu, woken as f64 / began.elapsed().as_secs_f64()))
}

/// Whole calls, from their INVITE to their BYE.
pub fn whole(rig: &Rig, rounds: Option<usize>) -> Result<(), String> {
    const TALKS: Duration = Duration::from_millis(100);
    // Ringing, calls of a block, and how far apart.
    const LONG: [(u64, usize, u64, f64); 2] = [(300, 100, 40, 1.0), (10_000, 40, 10, 0.75)];
    register(rig, &["1002", "1003", "1004", "1005", "1006", "1007"])?;
    rig.phones.seat("1006", Rejects(486, 0));
    rig.phones.seat("1007", Rejects(486, 0));
    let idle = cpu::idle(rig.switch.pid(), Duration::from_secs(3))?;
    for (rings, calls, apart, most) in LONG {
        rig.phones.seat("1002", Answers(rings));
        for (name, plan) in LOADS {
            let [cpu] = in_turn(rounds.unwrap_or(1), BLOCKS, |by| {
                let (before, began) = (cpu::used(rig.switch.pid())?, Instant::now());
                for nth in 0..calls {
                    let uuid = dial(rig, by, plan);
                    rig.phones.talk(&uuid, TALKS);
                    let due = began + Duration::from_millis(apart) * (nth as u32 + 1);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                until(rig, "the end of all calls", |_, calls| {
                    calls.iter().all(|call| call.over.is_some())
                })?;
                end(rig)?;
                let left = rig.switch.channels_left()?;
                if left > 0 {
                    return Err(format!("{left} channels are left"));
                }
                let used = cpu::used(rig.switch.pid())? - before;
                let used = used - idle * began.elapsed().as_secs_f64();
                Ok([vec![used * 1000.0 / calls as f64]])
            })?;
            let seconds = rings as f64 / 1000.0;
            let what = format!("CPU ms a whole call that rings {seconds} s: {name}");
            cpu.print(&what, Must::Median(most));
        }
    }
    Ok(())
}

/// Stages of 1 and 2 s that nobody answers: how far from its time the phone has its CANCEL.
/// A stage begins between the caller's INVITE and the phone's, so it is surely late if it is so by
/// the phone's, and surely early if it is so by the caller's.
pub fn deadlines(rig: &Rig, rounds: Option<usize>) -> Result<(), String> {
    const CALLS: usize = 64;
    let seconds = |nth: usize| 1 + nth % 2;
    let [late, early] = in_turn(rounds.unwrap_or(1), BLOCKS, |by| {
        let mut dialled = Vec::new();
        for nth in 0..CALLS {
            let target = crowd::target(rig, nth);
            dialled.push((crowd::seat(nth), Instant::now(), seconds(nth)));
            dial(
                rig,
                by,
                &format!("{{originate_timeout={}}}{target}", seconds(nth)),
            );
            std::thread::sleep(moment());
        }
        until(rig, "the CANCEL of all phones", |legs, _| {
            legs.iter().filter(|leg| leg.cancel.is_some()).count() == CALLS
        })?;
        let legs = legs(rig);
        end(rig)?;
        let (mut late, mut early) = (Vec::new(), Vec::new());
        for (seat, dialled, seconds) in dialled {
            let leg = legs.iter().find(|leg| leg.seat == seat);
            let (leg, (at, _)) = leg
                .and_then(|leg| Some((leg, leg.cancel.as_ref()?)))
                .ok_or("a phone was not cancelled")?;
            late.push(ms(leg.at, *at) - 1000.0 * seconds as f64);
            early.push(ms(dialled, *at) - 1000.0 * seconds as f64);
        }
        Ok([late, early])
    })?;
    let rows = [
        ("phone's INVITE", &late, "20 late"),
        ("caller's INVITE", &early, "never early"),
    ];
    let ends = |samples: &[f64]| (at(samples, 0), at(samples, 100));
    let told = |(least, most): (f64, f64)| format!("{least:.1} to {most:.1}");
    for (from, off, asked) in rows {
        let (least, most) = ends(&off.ours);
        let holds = match asked {
            "never early" => least >= 0.0,
            _ => most <= 20.0,
        };
        let bridge = off.bridge();
        row([
            &format!("{from} to CANCEL less the stage's time, {CALLS} calls"),
            &format!("{} + {}", bridge.len(), off.ours.len()),
            &told(ends(&bridge)),
            &told((least, most)),
            "",
            "",
            asked,
            verdict(Some(holds)),
        ]);
    }
    Ok(())
}
