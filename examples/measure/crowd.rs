//! Stages of very many legs: how long until all of them ring, and what an answer takes then.

use super::calls::{dial, end, legs, until};
use super::live::run::Rig;
use super::pairs::{By, CALLS, Must, Sides, at, in_turn, ms, print_ours, row, verdict};
use super::scenarios::Behaviour::{Answers, Rings};
use super::times::{after, caller, cancelled, replied};
use std::time::{Duration, Instant};

/// Whose devices the phones of a crowd are.
const USER: &str = "1109";

/// `bridge` drops what is beyond its 127 peers.
const BOTH: usize = 100;

pub struct Crowd {
    size: usize,
    pub plan: String,
}

impl Crowd {
    /// By each phone's own address: `bridge` rings one device of a user only.
    pub fn by_address(rig: &Rig, size: usize) -> Crowd {
        let targets: Vec<_> = (0..size).map(|nth| target(rig, nth)).collect();
        let plan = targets.join(",");
        Crowd { size, plan }
    }

    fn of_one_user(rig: &Rig, size: usize) -> Result<Crowd, String> {
        for nth in 0..size {
            rig.phones.register(&seat(nth), USER, Rings)?;
        }
        let plan = format!("user/{USER}");
        Ok(Crowd { size, plan })
    }

    /// Who answers is in the middle, and all ring by then.
    pub fn winner(&self) -> (String, Duration) {
        let rings = Duration::from_millis(400 + 4 * self.size as u64);
        (seat(self.size / 2), rings)
    }

    /// From the caller's INVITE to the last phone's, and from the answer to the caller's 200.
    fn ring(&self, rig: &Rig, by: By) -> Result<[Vec<f64>; 2], String> {
        let (winner, rings) = self.winner();
        rig.phones.seat(&winner, Answers(after(rings)));
        let dialled = Instant::now();
        let uuid = dial(rig, by, &self.plan);
        until(rig, "an answer after all rang", |legs, calls| {
            calls.iter().all(|call| call.answered.is_some()) && cancelled(legs) + 1 == self.size
        })?;
        let (legs, caller) = (legs(rig), caller(rig, &uuid)?);
        end(rig)?;
        rig.phones.seat(&winner, Rings);
        let last = legs.last().ok_or("nobody rang")?;
        let answer = replied(&legs, 200).zip(caller.answered);
        let (answer, answered) = answer.ok_or("nobody answered")?;
        Ok([vec![ms(dialled, last.at)], vec![ms(answer, answered)]])
    }
}

/// This phone rings, and is dialled so.
pub fn target(rig: &Rig, nth: usize) -> String {
    rig.phones.seat(&seat(nth), Rings);
    format!("sofia/phones/{}@{}", seat(nth), rig.address)
}

pub fn seat(nth: usize) -> String {
    format!("m{nth:04}")
}

pub fn legs_of(rig: &Rig, rounds: Option<usize>, sizes: &[usize]) -> Result<(), String> {
    let asked = |size: &usize| sizes.is_empty() || sizes.contains(size);
    let spread = |size: usize| format!("caller's INVITE to the last phone's, {size} legs");
    let answer = |size: usize| format!("phone's 200 to caller's 200, {size} legs");
    let rounds = rounds.unwrap_or(2);
    let mut medians: Vec<(usize, f64)> = Vec::new();
    for size in [BOTH, 300, 1000].into_iter().filter(asked) {
        if size <= BOTH {
            let crowd = Crowd::by_address(rig, size);
            let both: [Sides; 2] = in_turn(rounds, CALLS, |by| crowd.ring(rig, by))?;
            both[0].print(&spread(size), Must::Median(1.1));
            both[1].print(&answer(size), Must::Median(0.6));
            continue;
        }
        let crowd = Crowd::of_one_user(rig, size)?;
        let (mut spreads, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let [spread, answer] = crowd.ring(rig, By::CtiBridge)?;
            spreads.extend(spread);
            answers.extend(answer);
        }
        print_ours(&spread(size), &spreads);
        print_ours(&answer(size), &answers);
        medians.push((size, at(&spreads, 50)));
    }
    if let [(few, short), (many, long)] = medians[..] {
        let ratio = long / short;
        let what = format!("the former, {many} legs to {few}");
        let told = format!("{ratio:.2}");
        let holds = verdict(Some(ratio <= 3.6));
        row([&what, "", "", "", &told, "", "3.60", holds]);
    }
    Ok(())
}
