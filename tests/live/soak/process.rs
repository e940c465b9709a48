//! What the switch's process has: threads, open files, memory.
//! Read from /proc at moments when no call runs.
//! Growth in the middle is what a leak looks like.

use super::super::switch::Switch;
use std::fs;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub threads: u64,
    pub files: u64,
    /// kB.
    pub resident: u64,
    pub data: u64,
}

/// What it has when the threads of its sessions are gone: the switch keeps idle ones for five seconds.
pub fn at_rest(switch: &Switch) -> Result<Sample, String> {
    const AGAIN: Duration = Duration::from_millis(300);
    const PATIENCE: Duration = Duration::from_secs(15);
    let mut line = switch.connect()?;
    let until = Instant::now() + PATIENCE;
    while !line.api("fsctl debug_pool")?.contains("running:0 ") && Instant::now() < until {
        std::thread::sleep(AGAIN);
    }
    // Connections and RTP ports that are being closed: it has less only if it is given more time.
    let mut last = sample(switch.pid())?;
    loop {
        std::thread::sleep(AGAIN);
        let now = sample(switch.pid())?;
        if now.files >= last.files && now.threads >= last.threads || Instant::now() > until {
            return Ok(now);
        }
        last = now;
    }
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
pub fn growth(middle: &Sample, end: &Sample) -> Vec<String> {
    // The switch's own threads for timers and connections come and go.
    const THREADS: u64 = 3;
    const FILES: u64 = 10;
    // Per cent. malloc's arenas come and go with threads.
    const RESIDENT: u64 = 5;
    let mut grown = Vec::new();
    if end.threads > middle.threads + THREADS {
        grown.push(format!(
            "{} threads in the middle, {} at the end",
            middle.threads, end.threads
        ));
    }
    if end.files > middle.files + FILES {
        grown.push(format!(
            "{} files in the middle, {} at the end",
            middle.files, end.files
        ));
    }
    if end.resident > middle.resident + middle.resident * RESIDENT / 100 {
        grown.push(format!(
            "{} kB in the middle, {} kB at the end",
            middle.resident, end.resident
        ));
    }
    grown
}
