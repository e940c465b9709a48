//! What a call costs: SIPp places calls at a steady rate, by `bridge` and by `cti_bridge` in turn on one private FreeSWITCH.
//! For each block of calls: CPU of its process a call, the time from the caller's INVITE to its 200, memory, failures; the ratio of each pair.
//! `cargo run --release --example load [calls [rate [pairs [plan]]]]`, by default 1000 calls of each application
//! a plan, 20 a second, in 10 pairs of blocks; `plan` is one of those of `LOADS`.

#[path = "measure/cpu.rs"]
mod cpu;
#[path = "../tests/harness/mod.rs"]
mod harness;
#[path = "../tests/live/mod.rs"]
mod live;
#[path = "../tests/scenarios/mod.rs"]
mod scenarios;

use live::run::{Found, Rig, Settings};
use live::switch::LOADS;
use scenarios::Behaviour;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Who stands behind the plans of `LOADS`.
const PHONES: &[(&str, Behaviour)] = &[
    ("1002", Behaviour::Answers(200)),
    ("1003", Behaviour::Rings),
    ("1004", Behaviour::Rings),
    ("1005", Behaviour::Rings),
    ("1006", Behaviour::Rejects(486, 0)),
    ("1007", Behaviour::Rejects(486, 0)),
];

fn main() -> ExitCode {
    let given = |n: usize, default: usize| {
        std::env::args()
            .nth(n)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (calls, rate, pairs) = (given(1, 1000), given(2, 20), given(3, 10).max(1));
    match Found::look("cti_bridge").and_then(|found| run(&found, calls, rate, pairs)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True if no call failed and nothing was left.
fn run(found: &Found, calls: usize, rate: usize, pairs: usize) -> Result<bool, String> {
    let settings = Settings {
        application: "cti_bridge".to_string(),
        log_level: "warning".to_string(),
        exact_clock: false,
        few_arenas: false,
    };
    let rig = Rig::start(found, &settings)?;
    for (user, does) in PHONES {
        rig.phones.register(&format!("{user}-load"), user, *does)?;
    }
    // One short run of each, unmeasured: first calls load codecs and fill pools.
    for application in ["bridge", "cti_bridge"] {
        batch(&rig, application, "one", 2 * rate, rate)?;
    }
    let idle = cpu::idle(rig.switch.pid(), Duration::from_secs(5))?;
    println!(
        "idle: {:.1} ms CPU a second, taken off below; {calls} calls at {rate}/s in {pairs} blocks each\n",
        idle * 1000.0
    );
    let each = calls.div_ceil(pairs);
    let mut is_clean = true;
    let only = std::env::args().nth(4);
    let wanted = |name: &&str| only.as_deref().is_none_or(|only| only == *name);
    for (name, plan) in LOADS.iter().filter(|(name, _)| wanted(name)) {
        println!("{plan}");
        let mut ratios = Vec::new();
        let (mut answered, mut grown) = ([Vec::new(), Vec::new()], [0, 0]);
        for pair in 0..pairs {
            // Who goes first changes from pair to pair.
            let mut order = ["bridge", "cti_bridge"];
            order.rotate_left(pair % 2);
            let mut cost = [0.0; 2];
            for application in order {
                let batch = batch(&rig, application, name, each, rate)?;
                let ms = (batch.cpu - idle * batch.seconds) * 1000.0 / each as f64;
                let mut times = batch.answered.clone();
                println!(
                    "  {application:<11} {ms:6.2} ms CPU a call, answered after {}, {:+} kB, {} failed, {} channels left",
                    percentiles(&mut times),
                    batch.grown,
                    batch.failed,
                    batch.left
                );
                is_clean &= batch.failed == 0 && batch.left == 0;
                let ours = usize::from(application == "cti_bridge");
                cost[ours] = ms;
                grown[ours] += batch.grown;
                answered[ours].extend(batch.answered);
            }
            ratios.push(cost[1] / cost[0]);
        }
        for (ours, application) in ["bridge", "cti_bridge"].into_iter().enumerate() {
            println!(
                "  {application:<11} in all: answered after {}, memory {:+} kB",
                percentiles(&mut answered[ours]),
                grown[ours]
            );
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "  CPU, cti_bridge / bridge: median {:.3}, quartiles {:.3} and {:.3}, of {pairs} pairs\n",
            at(&ratios, 50),
            at(&ratios, 25),
            at(&ratios, 75)
        );
    }
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    switch.stop()?;
    Ok(is_clean)
}

fn percentiles(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    format!("p50 {:.0} ms, p99 {:.0} ms", at(times, 50), at(times, 99))
}

/// This percentile of sorted numbers.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

struct Batch {
    cpu: f64,
    /// From the caller's INVITE to its 200, in milliseconds.
    answered: Vec<f64>,
    /// Resident memory, kB.
    grown: i64,
    seconds: f64,
    failed: u64,
    left: usize,
}

fn batch(
    rig: &Rig,
    application: &str,
    plan: &str,
    calls: usize,
    rate: usize,
) -> Result<Batch, String> {
    let statistics = rig.switch.directory.join("sipp.csv");
    let free = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = free
        .map_err(|error| format!("a port for sipp: {error}"))?
        .port();
    let times = |name: &str| name.ends_with("_rtt.csv");
    remove(&rig.switch.directory, times)?;
    let resident = resident(rig.switch.pid())?;
    let (before, began) = (cpu::used(rig.switch.pid())?, Instant::now());
    // Should the switch die, SIPp would wait for it for ever.
    let limit = format!("{}s", calls / rate.max(1) + 60);
    let ended = Command::new("sipp")
        .args(["-timeout", &limit, "-timeout_error"])
        .args([
            "-sn",
            "uac",
            "-s",
            &format!("load_{application}_{plan}"),
            "-i",
            "127.0.0.1",
        ])
        .args([
            "-p",
            &port.to_string(),
            "-r",
            &rate.to_string(),
            "-m",
            &calls.to_string(),
            "-l",
            "1000",
            "-d",
            "500",
        ])
        .args([
            "-nostdin",
            "-trace_rtt",
            "-rtt_freq",
            "1",
            "-trace_stat",
            "-stf",
        ])
        .arg(&statistics)
        .arg(rig.switch.sip.to_string())
        .current_dir(&rig.switch.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("sipp: {error} (Debian's package is sip-tester)"))?;
    let left = rig.switch.channels_left()?;
    let cpu = cpu::used(rig.switch.pid())? - before;
    let seconds = began.elapsed().as_secs_f64();
    let grown = self::resident(rig.switch.pid())? - resident;
    let failed = failed_calls(&statistics).unwrap_or(0);
    // An exit status without failed calls is a fault of the run itself.
    if !ended.success() && failed == 0 {
        return Err(format!("sipp ended with {ended}"));
    }
    Ok(Batch {
        cpu,
        answered: answered(&rig.switch.directory)?,
        grown,
        seconds,
        failed,
        left,
    })
}

fn remove(directory: &Path, which: impl Fn(&str) -> bool) -> Result<(), String> {
    for file in std::fs::read_dir(directory)
        .map_err(|error| error.to_string())?
        .flatten()
    {
        if file.file_name().to_str().is_some_and(&which) {
            std::fs::remove_file(file.path()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// SIPp's response times, the second column of its file.
fn answered(directory: &Path) -> Result<Vec<f64>, String> {
    let files = std::fs::read_dir(directory).map_err(|error| error.to_string())?;
    let is_ours = |path: &std::path::PathBuf| path.to_string_lossy().ends_with("_rtt.csv");
    let file = files.flatten().map(|file| file.path()).find(is_ours);
    let file = file.ok_or("sipp wrote no response times")?;
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(';').nth(1)?.parse().ok())
        .collect())
}

/// Resident memory of the process, kB.
fn resident(pid: u32) -> Result<i64, String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|error| format!("/proc: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or("/proc/<pid>/status has no VmRSS".to_string())
}

/// The last line of SIPp's statistics, column `FailedCall(C)`.
fn failed_calls(statistics: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(statistics).ok()?;
    let column = text
        .lines()
        .next()?
        .split(';')
        .position(|name| name == "FailedCall(C)")?;
    text.lines().last()?.split(';').nth(column)?.parse().ok()
}
