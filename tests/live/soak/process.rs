//! What the switch's process has: threads, open files, memory.
//! Read from /proc at moments when no call runs.
//! Growth after the warm-up is what a leak looks like.

use std::fs;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub threads: u64,
    pub files: u64,
    /// kB.
    pub resident: u64,
    pub data: u64,
}

/// When connections and RTP ports that are being closed are gone: it has less only if it is given more time.
pub fn at_rest(pid: u32) -> Result<Sample, String> {
    const AGAIN: Duration = Duration::from_millis(700);
    let mut last = sample(pid)?;
    for _ in 0..10 {
        std::thread::sleep(AGAIN);
        let now = sample(pid)?;
        if now.files >= last.files && now.threads >= last.threads {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

fn sample(pid: u32) -> Result<Sample, String> {
    let said = |error: std::io::Error| format!("/proc/{pid}: {error}");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(said)?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or(format!("/proc/{pid}/status has no {name}"))
    };
    Ok(Sample {
        threads: number("Threads:")?,
        files: fs::read_dir(format!("/proc/{pid}/fd"))
            .map_err(said)?
            .count() as u64,
        resident: number("VmRSS:")?,
        data: number("VmData:")?,
    })
}

/// What has grown more than the switch's own pools explain.
pub fn growth(warm: &Sample, end: &Sample) -> Vec<String> {
    // The switch keeps idle session threads for a while, each with its stack's mapping.
    const THREADS: u64 = 20;
    const FILES: u64 = 10;
    // malloc's arenas come and go with threads.
    const RESIDENT: u64 = 25;
    let mut grown = Vec::new();
    if end.threads > warm.threads + THREADS {
        grown.push(format!(
            "{} threads after the warm-up, {} at the end",
            warm.threads, end.threads
        ));
    }
    if end.files > warm.files + FILES {
        grown.push(format!(
            "{} files after the warm-up, {} at the end",
            warm.files, end.files
        ));
    }
    if end.resident > warm.resident + warm.resident * RESIDENT / 100 {
        grown.push(format!(
            "{} kB after the warm-up, {} kB at the end",
            warm.resident, end.resident
        ));
    }
    grown
}
