//! Ring groups over several calls on the real switch: whose turn it is, and who is busy by calls of others.

use super::{Verdict, phone};
use crate::live::run::{Dial, Order, Rig};
use crate::live::switch::in_slot;
use crate::scenarios::{Behaviour, Behaviour::*, Caller};
use std::time::{Duration, Instant};

/// Phones that stay registered over several calls; each seat has this at its end.
const STAYS: &str = "-stays";

fn seat(user: &str) -> String {
    format!("{user}{STAYS}")
}

fn register(rig: &Rig, slot: usize, users: &[&str], does: Behaviour) -> Result<(), String> {
    for user in users {
        rig.phones
            .register(&seat(user), &in_slot(user, slot), does)?;
    }
    Ok(())
}

fn unregister(rig: &Rig, slot: usize, users: &[&str]) -> Result<(), String> {
    for user in users {
        rig.phones.unregister(&seat(user), &in_slot(user, slot))?;
    }
    Ok(())
}

/// Who of those that stay was rung since then, in order.
fn rung(rig: &Rig, since: Instant) -> Vec<String> {
    let legs = rig.phones.legs(|seat| seat.ends_with(STAYS));
    let legs = legs.into_iter().filter(|(_, leg)| leg.at >= since);
    legs.map(|(_, leg)| leg.seat.replace(STAYS, "")).collect()
}

/// Calls in the same instant begin with different members, and go on so over a reload of the module.
pub fn calls_at_once(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const USERS: [&str; 3] = ["1002", "1003", "1004"];
    const ROUNDS: usize = 10;
    register(rig, slot, &USERS, Rings)?;
    let plan = in_slot("ring/turns1000", slot);
    let mut connection = rig.switch.connect()?;
    let mut wrong = Vec::new();
    for round in 0..ROUNDS {
        let began = Instant::now();
        let uuids: Vec<_> = (0..USERS.len())
            .map(|nth| format!("00000000-0000-4000-8000-0000000{round:02}{nth:03}"))
            .collect();
        for uuid in &uuids {
            let command =
                format!("bgapi originate {{origination_uuid={uuid}}}null/x &cti_bridge({plan})");
            connection.background(&command)?;
        }
        let until = began + Duration::from_millis(1500);
        rig.phones.wait(until, |legs, _| {
            let ours = legs.values().filter(|leg| leg.at >= began);
            ours.filter(|leg| leg.seat.ends_with(STAYS)).count() >= USERS.len()
        });
        let mut first = rung(rig, began);
        first.sort();
        if first != USERS {
            wrong.push(format!("round {round}: {first:?} were rung first"));
        }
        for uuid in &uuids {
            connection.api(&format!("uuid_kill {uuid}"))?;
        }
        let reply = connection.api("reload mod_cti")?;
        let until = Instant::now() + Duration::from_secs(5);
        let mut reply = reply;
        while !reply.contains("+OK") && Instant::now() < until {
            // A call may still be ending.
            std::thread::sleep(Duration::from_millis(50));
            reply = connection.api("reload mod_cti")?;
        }
        if !reply.contains("+OK") {
            wrong.push(format!("round {round}: reload mod_cti said {reply:?}"));
        }
    }
    unregister(rig, slot, &USERS)?;
    Ok(Verdict {
        wrong,
        note: format!("{ROUNDS} times {} calls", USERS.len()),
        ..Verdict::default()
    })
}

/// Turns go on over a reload of the module.
pub fn turns_over_a_reload(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let mut won = Vec::new();
    for _ in 0..4 {
        won.push(call(
            rig,
            slot,
            "ring/turns1000",
            &["1002", "1003", "1004"],
        )?);
        let reply = rig.switch.connect()?.api("reload mod_cti")?;
        if !reply.contains("+OK") {
            wrong.push(format!("reload mod_cti said {reply:?}"));
        }
    }
    let turns = ["1002", "1003", "1004", "1002", "1003", "1004"];
    if !turns.windows(4).any(|window| window == won) {
        wrong.push(format!("{won:?} had their turns"));
    }
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}

/// Who answers a call to this plan.
fn call(rig: &Rig, slot: usize, plan: &str, users: &[&'static str]) -> Result<String, String> {
    let phones: Vec<_> = users.iter().map(|user| phone(user, Answers(200))).collect();
    let order = Order {
        dial: Dial::Plan(plan),
        caller: Caller::Waits,
        variables: &[],
        phones: &phones,
    };
    let course = rig.call(&order, slot)?;
    let winner = course.seen().variable("cti_winner").map(str::to_owned);
    Ok(winner.unwrap_or_default().replace("user/", ""))
}

/// Whoever talks in a call that is nobody's of the module is skipped, wherever that call goes, and after a
/// reload; when it is over he is rung again.
pub fn busy_elsewhere(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const TALKS: &str = "00000000-0000-4000-8000-000000100200";
    let mut wrong = Vec::new();
    let mut connection = rig.switch.connect()?;
    register(rig, slot, &["1002"], Answers(100))?;
    let user = in_slot("user/1002", slot);
    let mut expect = |what: &str, expected: &str| -> Result<(), String> {
        let began = Instant::now();
        let winner = call(rig, slot, "ring/one1000", &["1003"])?;
        let rung = rung(rig, began);
        let skipped = expected != "1002";
        if winner != expected || rung.is_empty() != skipped {
            wrong.push(format!("{what}: {winner:?} answered, and {rung:?} rang"));
        }
        Ok(())
    };
    expect("before", "1002")?;
    let reply = connection.api(&format!(
        "originate {{origination_uuid={TALKS}}}{user} &park"
    ))?;
    if !reply.contains("+OK") {
        return Err(format!("originate said {reply:?}"));
    }
    expect("he talks", "1003")?;
    for command in [
        format!("uuid_transfer {TALKS} park inline"),
        "cti reload".to_owned(),
        "reload mod_cti".to_owned(),
    ] {
        let reply = connection.api(&command)?;
        if !reply.contains("+OK") {
            return Err(format!("{command} said {reply:?}"));
        }
        expect(&command, "1003")?;
    }
    connection.api(&format!("uuid_kill {TALKS}"))?;
    expect("it is over", "1002")?;
    unregister(rig, slot, &["1002"])?;
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}
