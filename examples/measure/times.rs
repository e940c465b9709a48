//! What people feel of one call: how soon its caller hears the phone that answered, how soon the
//! others stop ringing, how soon the next stage rings.

use super::calls::{dial, end, legs, register, until};
use super::crowd::Crowd;
use super::live::phones::{Call, Leg};
use super::live::run::Rig;
use super::pairs::{By, CALLS, Must, at, in_turn, moment, ms};
use super::scenarios::Behaviour::{Answers, Rejects, Rings};
use std::time::{Duration, Instant};

/// Whom a fork rings.
const USERS: [&str; 10] = [
    "1002", "1003", "1004", "1005", "1006", "1007", "1008", "1009", "1102", "1103",
];
pub const FORK: &str = "user/1002,user/1003,user/1004,user/1005";

/// So long a phone rings before its random moment.
const RINGS: Duration = Duration::from_millis(200);

/// A phone's own time, which is whole milliseconds.
pub fn after(ringing: Duration) -> u64 {
    (ringing + moment()).as_millis() as u64
}

/// When this phone's final response was sent.
pub fn replied(legs: &[Leg], status: u16) -> Option<Instant> {
    let mut replies = legs.iter().filter_map(|leg| leg.last);
    replies.find(|last| last.1 == status).map(|last| last.0)
}

/// The one caller there is.
pub fn caller(rig: &Rig, uuid: &str) -> Result<Call, String> {
    rig.phones
        .call(uuid)
        .ok_or("the call is not known".to_string())
}

pub fn cancelled(legs: &[&Leg]) -> usize {
    legs.iter().filter(|leg| leg.cancel.is_some()).count()
}

/// From this moment to the CANCELs of the phones that had one: the median, and the last.
fn told(from: Instant, legs: &[Leg]) -> [Vec<f64>; 2] {
    let cancels = legs.iter().filter_map(|leg| leg.cancel.as_ref());
    let apart: Vec<f64> = cancels.map(|(at, _)| ms(from, *at)).collect();
    match apart.is_empty() {
        true => Default::default(),
        false => [50, 100].map(|percent| vec![at(&apart, percent)]),
    }
}

/// First calls load codecs and fill pools: one by each application that nobody measures.
pub fn warm_up(rig: &Rig) -> Result<(), String> {
    register(rig, &USERS[..4])?;
    rig.phones.seat(USERS[0], Answers(after(RINGS)));
    for by in [By::Bridge, By::CtiBridge] {
        dial(rig, by, FORK);
        until(rig, "an answer", |_, calls| {
            calls.iter().all(|call| call.answered.is_some())
        })?;
        end(rig)?;
    }
    Ok(())
}

/// A phone of a fork answers: when its caller knows, and when the others do.
pub fn answers(rig: &Rig, rounds: Option<usize>, sizes: &[usize]) -> Result<(), String> {
    register(rig, &USERS)?;
    let asked = |size: &usize| sizes.is_empty() || sizes.contains(size);
    for size in [1, 4, 10, 100].into_iter().filter(asked) {
        let few = size <= USERS.len();
        let (plan, (winner, rings)) = if few {
            let targets: Vec<_> = USERS[..size]
                .iter()
                .map(|user| format!("user/{user}"))
                .collect();
            (targets.join(","), (USERS[size / 2].to_string(), RINGS))
        } else {
            let crowd = Crowd::by_address(rig, size);
            let winner = crowd.winner();
            (crowd.plan, winner)
        };
        let usual = if few { 10 } else { 3 };
        let [answer, losers, last] = in_turn(rounds.unwrap_or(usual), CALLS, |by| {
            rig.phones.seat(&winner, Answers(after(rings)));
            let uuid = dial(rig, by, &plan);
            until(rig, "an answer and the losers' CANCEL", |legs, calls| {
                calls.iter().all(|call| call.answered.is_some()) && cancelled(legs) + 1 == size
            })?;
            let (legs, caller) = (legs(rig), caller(rig, &uuid)?);
            end(rig)?;
            rig.phones.seat(&winner, Rings);
            let Some((at, answered)) = replied(&legs, 200).zip(caller.answered) else {
                return Err("nobody answered".to_string());
            };
            let [losers, last] = told(at, &legs);
            Ok([vec![ms(at, answered)], losers, last])
        })?;
        answer.print(
            &format!("phone's 200 to caller's 200, fork of {size}"),
            match few {
                true => Must::Both(0.5, 0.4),
                false => Must::Median(0.6),
            },
        );
        if size > 1 {
            let most = if few { 0.6 } else { 0.8 };
            losers.print(
                &format!("phone's 200 to losers' CANCEL, fork of {size}, their median"),
                Must::Median(most),
            );
            last.print("… their last", Must::Any);
        }
    }
    Ok(())
}

/// The caller leaves a fork of four that rings, in each of three ways.
pub fn gone(rig: &Rig, rounds: Option<usize>) -> Result<(), String> {
    register(rig, &USERS[..4])?;
    let mut operator = rig.switch.connect()?;
    let ways = [
        ("caller's CANCEL", None, 0.2),
        ("uuid_kill of the caller", Some("uuid_kill UUID"), 0.5),
        (
            "uuid_transfer of the caller",
            Some("uuid_transfer UUID elsewhere"),
            0.5,
        ),
    ];
    for (what, command, most) in ways {
        let [phones, last] = in_turn(rounds.unwrap_or(6), CALLS, |by| {
            let uuid = dial(rig, by, FORK);
            until(rig, "four phones that ring", |legs, _| {
                legs.iter().filter(|leg| leg.rang.is_some()).count() == 4
            })?;
            std::thread::sleep(RINGS + moment());
            let mut left = Some(Instant::now());
            match command {
                Some(command) => {
                    let reply = operator.api(&command.replace("UUID", &uuid))?;
                    if !reply.starts_with("+OK") {
                        return Err(format!("{command}: {}", reply.trim()));
                    }
                }
                None => rig.phones.hang_up(&uuid, Instant::now()),
            }
            until(rig, "the phones' CANCEL", |legs, _| cancelled(legs) == 4)?;
            let legs = legs(rig);
            if command.is_none() {
                left = caller(rig, &uuid)?.gave_up;
            }
            end(rig)?;
            Ok(told(left.ok_or("the caller has not left")?, &legs))
        })?;
        phones.print(
            &format!("{what} to phones' CANCEL, their median"),
            Must::Median(most),
        );
        last.print("… their last", Must::Any);
    }
    Ok(())
}

/// A phone declines: when the next stage's phone rings.
pub fn next(rig: &Rig, rounds: Option<usize>) -> Result<(), String> {
    register(rig, &USERS[..2])?;
    let [next] = in_turn(rounds.unwrap_or(10), CALLS, |by| {
        rig.phones.seat("1002", Rejects(486, after(RINGS)));
        dial(rig, by, "user/1002|user/1003");
        until(rig, "the second stage", |legs, _| {
            legs.iter().any(|leg| leg.seat == "1003")
        })?;
        let legs = legs(rig);
        end(rig)?;
        let second = legs.iter().find(|leg| leg.seat == "1003");
        let (from, to) = replied(&legs, 486).zip(second).ok_or("nobody declined")?;
        Ok([vec![ms(from, to.at)]])
    })?;
    next.print("rejection to the next stage's INVITE", Must::Median(0.4));
    Ok(())
}
