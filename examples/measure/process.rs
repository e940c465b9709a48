//! The threads of the switch's process, and those that a call has beyond one for each of its channels.

use super::calls::{dial, end, register, until};
use super::live::esl::Connection;
use super::live::run::Rig;
use super::pairs::{BLOCKS, By, Sides, at, in_turn, row, verdict};
use std::time::{Duration, Instant};

/// For each thread, how often it waited for something and went on.
pub fn wakes(rig: &Rig) -> Result<Vec<u64>, String> {
    let directory = format!("/proc/{}/task", rig.switch.pid());
    let tasks = std::fs::read_dir(&directory).map_err(|error| format!("{directory}: {error}"))?;
    // A thread may end before its file is read.
    let wakes = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse().ok()
    };
    Ok(tasks.flatten().filter_map(wakes).collect())
}

/// Waits for the threads of ended sessions to go, of which the switch keeps idle ones for five
/// seconds, and gives how many threads are left.
pub fn at_rest(rig: &Rig, operator: &mut Connection) -> Result<usize, String> {
    const PATIENCE: Duration = Duration::from_secs(30);
    const AGAIN: Duration = Duration::from_millis(300);
    let until = Instant::now() + PATIENCE;
    let mut last = usize::MAX;
    while Instant::now() < until {
        let runs = !operator.api("fsctl debug_pool")?.contains("running:0 ");
        let now = wakes(rig)?.len();
        // A thread that is not counted as running any more may still be on its way out.
        if !runs && now >= last {
            return Ok(now);
        }
        last = now;
        std::thread::sleep(AGAIN);
    }
    Err("the threads of sessions do not end".to_string())
}

/// Two parts, one of which has a late start; an operator adds a leg to ours.
pub fn beyond(rig: &Rig, rounds: Option<usize>) -> Result<(), String> {
    const PLAN: &str = "user/1002,[leg_delay_start=1]user/1003:_:user/1004";
    register(rig, &["1002", "1003", "1004", "1005"])?;
    let mut operator = rig.switch.connect()?;
    let moments: [Sides; 3] = in_turn(rounds.unwrap_or(1), BLOCKS, |by| {
        let rest = at_rest(rig, &mut operator)?;
        let uuid = dial(rig, by, PLAN);
        let parts = beyond_channels(rig, rest, 2)?;
        let late = beyond_channels(rig, rest, 3)?;
        let mut added = Vec::new();
        if by == By::CtiBridge {
            let reply = operator.api(&format!("cti add {uuid} user/1005"))?;
            if !reply.starts_with("+OK") {
                return Err(format!("cti add: {}", reply.trim()));
            }
            added.push(beyond_channels(rig, rest, 4)?);
        }
        end(rig)?;
        Ok([vec![parts], vec![late], added])
    })?;
    let whats = ["two parts", "… and a late start", "… and an added leg"];
    for (what, sides) in whats.iter().zip(&moments) {
        let bridge = sides.bridge();
        let most = |samples: &[f64]| match samples {
            [] => String::new(),
            some => format!("{:+.0}", at(some, 100)),
        };
        row([
            &format!("threads of a call less its channels: {what}"),
            &format!("{} + {}", bridge.len(), sides.ours.len()),
            &most(&bridge),
            &most(&sides.ours),
            "",
            "",
            "0",
            verdict(Some(at(&sides.ours, 100) <= 0.0)),
        ]);
    }
    Ok(())
}

/// How many threads more than at rest, when so many legs ring, than the call has channels.
fn beyond_channels(rig: &Rig, rest: usize, rings: usize) -> Result<f64, String> {
    const SETTLES: Duration = Duration::from_millis(200);
    until(rig, "phones that ring", |legs, _| {
        legs.iter().filter(|leg| leg.rang.is_some()).count() == rings
    })?;
    std::thread::sleep(SETTLES);
    // The caller has a channel as well.
    Ok(wakes(rig)?.len() as f64 - (rest + rings + 1) as f64)
}
