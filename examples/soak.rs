//! A randomised soak on a private FreeSWITCH: forks and sequences, phones that answer, reject, stay dead or register late,
//! callers that give up and operators that interfere, many calls at once. Everything that is wrong is told with its seed.
//! `cargo run --release --example soak [calls [seed [lanes [first]]]]`, by default 3000 calls, 40 at once.

#[path = "../tests/harness/mod.rs"]
mod harness;
#[path = "../tests/live/mod.rs"]
mod live;
#[path = "../tests/scenarios/mod.rs"]
mod scenarios;

use live::run::{Found, Rig, Settings};
use live::soak::{self, Soak};
use std::process::ExitCode;

fn main() -> ExitCode {
    let given = |n: usize, default: u64| {
        std::env::args()
            .nth(n)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let soak = Soak {
        calls: given(1, 3000),
        seed: given(2, now.map_or(1, |now| now.as_secs())),
        lanes: given(3, 40) as usize,
        first: given(4, 0),
        round: 500,
    };
    match Found::look("cti_bridge").and_then(|found| run(&found, &soak)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True if nothing was wrong.
fn run(found: &Found, soak: &Soak) -> Result<bool, String> {
    let settings = Settings {
        application: "cti_bridge".to_string(),
        log_level: std::env::var("LIVE_LOG").unwrap_or("warning".to_string()),
        exact_clock: true,
        few_arenas: true,
    };
    println!(
        "{}: {} calls from {} on, {} at once, seed {}\n",
        found.installed.binary.display(),
        soak.calls,
        soak.first,
        soak.lanes,
        soak.seed
    );
    let rig = Rig::start(found, &settings)?;
    let outcome = soak::run(&rig, soak, &|wrong| println!("WRONG: {wrong}"))?;
    println!("{}", outcome.text());
    println!("{} wrong", outcome.wrong.len());
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    switch.stop()?;
    Ok(outcome.wrong.is_empty())
}
