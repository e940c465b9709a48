//! What a caller, a phone and the machine notice of the ring engine, beside `bridge` on one private FreeSWITCH.
//! `cargo run --release --example measure [part] [rounds [size…]]`: a part alone, or all of them in about six minutes.
//!
//! | part | |
//! |---|---|
//! | `answers` | from a phone's 200 to the caller's own and to the losers' CANCEL; sizes 1, 4, 10, 100 |
//! | `gone` | from the caller's CANCEL, `uuid_kill`, `uuid_transfer` to the phones' CANCEL |
//! | `next` | from a rejection to the next stage's INVITE |
//! | `ringing` | CPU, wake-ups and threads of 150 calls that ring at four phones each |
//! | `cpu` | CPU of whole calls |
//! | `deadlines` | how far from its time a stage ends |
//! | `threads` | threads of a call beyond those of its channels |
//! | `legs` | stages of very many legs; sizes 100, 300, 1000 |
//!
//! Each row is a median with its 90th percentile. `ratio` is `cti_bridge` to `bridge`; `bridge's own` is the last calls of
//! `bridge` to its first, which shows how quiet the machine was.

#[path = "../../tests/harness/mod.rs"]
mod harness;
#[path = "../../tests/live/mod.rs"]
mod live;
#[path = "../../tests/scenarios/mod.rs"]
mod scenarios;

mod calls;
mod cpu;
mod crowd;
mod herd;
mod pairs;
mod process;
mod times;

use live::run::{Found, Rig, Settings};
use std::process::ExitCode;

type Part = fn(&Rig, Option<usize>, &[usize]) -> Result<(), String>;

const PARTS: &[(&str, Part)] = &[
    ("answers", times::answers),
    ("gone", |rig, rounds, _| times::gone(rig, rounds)),
    ("next", |rig, rounds, _| times::next(rig, rounds)),
    ("ringing", |rig, rounds, _| herd::ringing(rig, rounds)),
    ("cpu", |rig, rounds, _| herd::whole(rig, rounds)),
    ("deadlines", |rig, rounds, _| herd::deadlines(rig, rounds)),
    ("threads", |rig, rounds, _| process::beyond(rig, rounds)),
    ("legs", crowd::legs_of),
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let part = words.next_if(|word| word.parse::<usize>().is_err());
    let asked: Vec<_> = PARTS
        .iter()
        .filter(|(name, _)| part.as_deref().is_none_or(|part| part == *name))
        .collect();
    let numbers: Result<Vec<usize>, _> = words.map(|word| word.parse()).collect();
    let measured = match numbers {
        Ok(numbers) if !asked.is_empty() => measure(&asked, &numbers),
        _ => {
            let names: Vec<_> = PARTS.iter().map(|(name, _)| *name).collect();
            Err(format!("[{}] [rounds [size…]]", names.join("|")))
        }
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(parts: &[&(&str, Part)], numbers: &[usize]) -> Result<(), String> {
    let settings = Settings {
        application: "cti_bridge".to_string(),
        log_level: "warning".to_string(),
        exact_clock: false,
        few_arenas: false,
    };
    let rig = Rig::start(&Found::look("cti_bridge")?, &settings)?;
    let version = rig.switch.connect()?.api("version short")?;
    println!("FreeSWITCH {}\n", version.trim());
    times::warm_up(&rig)?;
    pairs::heading();
    let (rounds, sizes) = (numbers.first(), numbers.get(1..).unwrap_or(&[]));
    let mut failed = Vec::new();
    for (name, part) in parts {
        // The other parts are measured all the same.
        if let Err(error) = part(&rig, rounds.copied(), sizes) {
            failed.push(format!("{name}: {error}"));
            let _ = calls::end(&rig);
        }
    }
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    failed.extend(switch.stop().err());
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("; ")),
    }
}
