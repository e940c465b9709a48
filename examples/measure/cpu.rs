//! CPU that a process has used, from `/proc`. `load` counts with it as well.

use std::time::{Duration, Instant};

/// Seconds of CPU so far: user and system, from `/proc/<pid>/stat`.
pub fn used(pid: u32) -> Result<f64, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| format!("/proc: {error}"))?;
    // The name in brackets may hold blanks; what follows it does not.
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .ok_or("/proc/<pid>/stat cannot be read")?;
    // A tick is 10 ms on every Linux that FreeSWITCH runs on.
    Ok((user + system) / 100.0)
}

/// CPU a second of a switch with nothing to do, watched for so long.
pub fn idle(pid: u32, watched: Duration) -> Result<f64, String> {
    let (before, began) = (used(pid)?, Instant::now());
    std::thread::sleep(watched);
    Ok((used(pid)? - before) / began.elapsed().as_secs_f64())
}
