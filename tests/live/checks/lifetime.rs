//! What is left behind: after load and unload, also under traffic, and after a soak.
//! Refused or carried out, an unload harms no call that rings, and the module loads again.
//! The soak is that of `examples/soak.rs`, shorter.

use super::{Verdict, phone};
use crate::live::run::{Beside, Dial, Order, Rig};
use crate::live::soak::{self, Soak};
use crate::scenarios::{Behaviour::*, Caller};
use std::time::{Duration, Instant};

fn is_loaded(rig: &Rig) -> Result<bool, String> {
    Ok(rig.switch.connect()?.api("module_exists mod_cti")?.trim() == "true")
}

pub fn unload_while_ringing(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    let replies = std::thread::scope(|scope| {
        let unloading = scope.spawn(|| -> Result<String, String> {
            std::thread::sleep(Duration::from_millis(700));
            rig.switch.connect()?.api("unload mod_cti")
        });
        let phones = [phone("1002", Rings), phone("1003", Answers(1800))];
        let plan = "user/1002,user/1003";
        let order = Order {
            dial: Dial::Plan(plan),
            caller: Caller::Waits,
            variables: &[],
            phones: &phones,
        };
        let course = rig.call(&order, slot);
        (
            unloading
                .join()
                .map_err(|_| "the unloading thread panicked".to_string()),
            course,
        )
    });
    let (reply, course) = (replies.0??, replies.1?);
    // Refused, or it waited: either way the call was not harmed.
    if course.seen().joined.as_deref() != Some("1003") {
        wrong.push(format!(
            "the call did not go on: {:?} ({reply})",
            course.variable("cti_result")
        ));
    }
    if !is_loaded(rig)? {
        let loaded = rig.switch.connect()?.api("load mod_cti")?;
        if !loaded.starts_with("+OK") {
            wrong.push(format!("load after the unload said {loaded:?}"));
        }
    }
    Ok(Verdict {
        wrong,
        note: format!("unload said {:?}", reply.trim()),
        ..Verdict::default()
    })
}

/// Of a caller for whom a hook has run, the switch does not know that it is in the application: a
/// forced unload ends the joined call all the same, before anything is freed; the switch lives.
pub fn forced_unload_while_joined(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const TALK: Duration = Duration::from_secs(14);
    let mut wrong = Vec::new();
    let phones = [phone("1002", Rings), phone("1003", Answers(300))];
    let order = |variables| Order {
        dial: Dial::Plan("user/1002,user/1003"),
        caller: Caller::Waits,
        variables,
        phones: &phones,
    };
    let talking = Beside {
        talk: Some(TALK),
        ..Beside::default()
    };
    let hook = [("execute_on_answer", "log INFO hooked")];
    let (unloaded, course) = std::thread::scope(|scope| {
        let unloading = scope.spawn(|| -> Result<(String, usize), String> {
            std::thread::sleep(Duration::from_millis(1500));
            let mut connection = rig.switch.connect()?;
            let reply = connection.api("unload -f mod_cti")?;
            let left = connection.api("show channels count")?;
            let left = left.split_whitespace().next().unwrap_or("").parse();
            Ok((reply, left.map_err(|error| format!("{error}"))?))
        });
        let course = rig.call_with(&order(&hook), &talking, slot);
        let unloaded = unloading.join();
        (
            unloaded.map_err(|_| "the unloading thread panicked"),
            course,
        )
    });
    let (reply, left) = unloaded??;
    let was_joined = course?.seen().joined;
    if was_joined.as_deref() != Some("1003") {
        wrong.push(format!("joined before the unload: {was_joined:?}"));
    }
    if reply.contains("+OK") && left > 0 {
        wrong.push(format!("{left} channels are up after the unload"));
    }
    if !is_loaded(rig)? {
        let loaded = rig.switch.connect()?.api("load mod_cti")?;
        if !loaded.contains("+OK") {
            wrong.push(format!("load after the unload said {loaded:?}"));
        }
    }
    let again = rig.call(&order(&[]), slot)?;
    if again.variable("cti_result") != Some("answered") {
        wrong.push(format!(
            "a call after it: {:?}",
            again.variable("cti_result")
        ));
    }
    Ok(Verdict {
        wrong,
        note: format!("unload said {:?}, {left} channels", reply.trim()),
        ..Verdict::default()
    })
}

/// What `examples/soak.rs` does with thousands of calls; `SOAK_SEED` draws others.
pub fn soak_of_150_calls(rig: &Rig, _: usize) -> Result<Verdict, String> {
    let seed = std::env::var("SOAK_SEED").ok();
    let soak = Soak {
        calls: 150,
        seed: seed.and_then(|seed| seed.parse().ok()).unwrap_or(4),
        lanes: 20,
        first: 0,
        round: 150,
    };
    let outcome = soak::run(rig, &soak, &|_| {})?;
    let results = outcome.results.iter();
    let results: Vec<String> = results
        .map(|(result, calls)| format!("{result} {calls}"))
        .collect();
    Ok(Verdict {
        note: format!("seed {}: {}", soak.seed, results.join(", ")),
        wrong: outcome.wrong,
        ..Verdict::default()
    })
}

pub fn load_and_unload(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let threads =
        || std::fs::read_dir(format!("/proc/{}/task", rig.switch.pid())).map(|tasks| tasks.count());
    let mut connection = rig.switch.connect()?;
    let before = threads().unwrap_or(0);
    let mut wrong = Vec::new();
    let began = Instant::now();
    for round in 0..20 {
        // Both ways of an operator: reload, and unload with a load after it.
        let commands: &[&str] = if round % 2 == 0 {
            &["reload mod_cti"]
        } else {
            &["unload mod_cti", "load mod_cti"]
        };
        for command in commands {
            let reply = connection.api(command)?;
            if !reply.contains("+OK") {
                wrong.push(format!("round {round}: {command} said {reply:?}"));
            }
        }
        if round % 5 == 4 {
            let phones = [phone("1002", Rings), phone("1003", Answers(100))];
            let plan = "user/1002,user/1003";
            let order = Order {
                dial: Dial::Plan(plan),
                caller: Caller::Waits,
                variables: &[],
                phones: &phones,
            };
            let course = rig.call(&order, slot)?;
            if course.variable("cti_result") != Some("answered") {
                wrong.push(format!(
                    "round {round}: a call gave {:?}",
                    course.variable("cti_result")
                ));
            }
        }
    }
    let seconds = began.elapsed().as_secs_f32();
    let after = threads().unwrap_or(0);
    // The switch's own pool keeps some session threads for a while.
    if after > before + 10 {
        wrong.push(format!("{before} threads before, {after} after"));
    }
    Ok(Verdict {
        wrong,
        note: format!("{seconds:.1} s, {before} threads before, {after} after"),
        ..Verdict::default()
    })
}

/// A new `mod_cti.so` takes the place of the old one: at a reload the switch goes on with the
/// old code, and the log says so once a load. Nothing is said while the file is the same.
pub fn new_file_at_reload(rig: &Rig, _: usize) -> Result<Verdict, String> {
    let place = rig.switch.directory.join("mod/mod_cti.so");
    let said = |error: std::io::Error| format!("{}: {error}", place.display());
    let warnings = || {
        let log = rig.switch.log();
        let warns = |line: &&str| line.contains("[WARNING]") && line.contains("restarted");
        log.lines().filter(warns).count()
    };
    let mut wrong = Vec::new();
    let mut reload = |what: &str, told: usize| -> Result<(), String> {
        let before = warnings();
        let reply = rig.switch.connect()?.api("reload mod_cti")?;
        // The log is written by a thread of its own.
        let until = Instant::now() + Duration::from_secs(2);
        while warnings() < before + told && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let got = warnings() - before;
        if got != told || !reply.contains("+OK") {
            wrong.push(format!("{what}: {got} warnings ({reply:?})"));
        }
        Ok(())
    };
    reload("the same file", 0)?;
    // The place is a link to the module; a file of its own takes its name, and is taken away.
    let module = std::fs::read_link(&place).map_err(said)?;
    let next = place.with_extension("next");
    std::fs::copy(&module, &next).map_err(said)?;
    std::fs::rename(&next, &place).map_err(said)?;
    let told = reload("a new file", 1);
    std::fs::remove_file(&place).map_err(said)?;
    std::os::unix::fs::symlink(&module, &place).map_err(said)?;
    told?;
    reload("the first file again", 0)?;
    Ok(Verdict {
        wrong,
        ..Verdict::default()
    })
}
