//! The scenario table and the strictness tests on the stand-in switch: no FreeSWITCH needed.
//! Each test is a process of its own, so that one that dies takes nobody with it.
//! `cargo test --test standin -- [--list] [--exact] [--jobs N] [filter…]`; with MOD_CTI_SLOW
//! set (under a memory checker) all run in this process, one after another.

mod harness;
mod scenarios;
#[path = "standin/mod.rs"]
mod standin;
#[path = "standin/strict/mod.rs"]
mod strict;

use harness::{Arguments, Queue, Report, Verdict};
use scenarios::table::SCENARIOS;
use scenarios::{Expect, Ring, Scenario, check};
use standin::library;
use standin::run::{Course, Stand, slowness};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::Instant;

/// Names the one test that a process of ours is to run.
const ONE: &str = "MOD_CTI_STANDIN_TEST";

/// What a test does on a running stand-in; what is wrong then.
type Body = Box<dyn Fn(&Stand) -> Vec<String> + Send + Sync>;

pub struct Test {
    name: String,
    body: Body,
    /// Another module than ours, made to break the rules, and how it must end.
    offence: Option<strict::Shows>,
}

impl Test {
    pub fn new(name: &str, body: impl Fn(&Stand) -> Vec<String> + Send + Sync + 'static) -> Test {
        Test {
            name: name.to_owned(),
            body: Box::new(body),
            offence: None,
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    pub fn offence(how: &'static str, shows: strict::Shows) -> Test {
        Test {
            offence: Some(shows),
            ..Test::new(&format!("offence_{how}"), move |stand| {
                strict::offend(stand, how, shows)
            })
        }
    }
}

fn tests() -> Vec<Test> {
    let mut tests: Vec<Test> = SCENARIOS
        .iter()
        .map(|scenario| Test::new(scenario.name, |stand| play(stand, scenario)))
        .collect();
    let again = SCENARIOS.iter().filter(|scenario| {
        OLD_NUMBERS
            .iter()
            .any(|begins| scenario.name.starts_with(begins))
    });
    tests.extend(again.map(|scenario| {
        Test::new(&format!("old_numbers_{}", scenario.name), move |stand| {
            on_1_10_7(stand, scenario)
        })
    }));
    tests.extend(strict::tests());
    tests
}

/// Scenarios in which causes of the switch's own tell what happened. 1.10.7 has other numbers
/// for them, and a number of ours would tell the phones nothing.
const OLD_NUMBERS: [&str; 5] = [
    "fork_",
    "caller_cancels_",
    "enterprise_",
    "loopback_",
    "progressive_",
];

fn on_1_10_7(stand: &Stand, scenario: &'static Scenario) -> Vec<String> {
    let reload = |version: &str| {
        stand.library.version(version);
        stand
            .library
            .unload(false)
            .and_then(|()| stand.load())
            .err()
    };
    let mut wrong: Vec<String> = reload("1.10.7-release~64bit").into_iter().collect();
    wrong.extend(play(stand, scenario));
    wrong.extend(reload("1.10.12-release~64bit"));
    wrong
}

/// What is wrong with one scenario.
fn play(stand: &Stand, scenario: &'static Scenario) -> Vec<String> {
    let scenario = slowed(*scenario, slowness());
    let course = stand.scenario(&scenario);
    let mut wrong = check(&scenario, &course.seen);
    wrong.extend(course.leftovers.iter().cloned());
    if std::env::var_os("MOD_CTI_SHOW").is_some() {
        show(&course);
    }
    wrong
}

fn show(course: &Course) {
    for (level, line) in &course.log {
        println!("    log {level} {line}");
    }
    for event in &course.events {
        let told: Vec<_> = event
            .iter()
            .filter(|(name, _)| name.starts_with("CTI-"))
            .collect();
        println!("    event {told:?}");
    }
    for (ring, story) in course.seen.rings.iter().zip(&course.stories) {
        println!("    {ring:?}\n    {story:?}");
    }
    println!(
        "    caller {:?}, joined {:?}",
        course.caller, course.seen.joined
    );
    for (name, value) in &course.seen.variables {
        println!("    {name}={value}");
    }
}

/// The same expectations with later upper bounds: a memory checker slows everything down.
fn slowed(scenario: Scenario, slow: u64) -> Scenario {
    if slow == 1 {
        return scenario;
    }
    Scenario {
        expect: slowed_end(&scenario.expect, slow),
        ..scenario
    }
}

fn slowed_end(expect: &Expect, slow: u64) -> Expect {
    let later = |band: (u64, u64)| (band.0, band.1 + 400 * (slow - 1));
    let slowed = |ring: &Ring| Ring {
        from: later(ring.from),
        to: later(ring.to),
        ..*ring
    };
    Expect {
        rings: kept(expect.rings.iter().map(slowed).collect(), &SLOWED_RINGS),
        or: kept(
            expect
                .or
                .iter()
                .map(|other| slowed_end(other, slow))
                .collect(),
            &SLOWED_ENDS,
        ),
        ..*expect
    }
}

static SLOWED_RINGS: Mutex<Vec<&'static [Ring]>> = Mutex::new(Vec::new());
static SLOWED_ENDS: Mutex<Vec<&'static [Expect]>> = Mutex::new(Vec::new());

/// For ever, as the table's types ask, and known to the memory checker.
fn kept<T>(items: Vec<T>, at: &Mutex<Vec<&'static [T]>>) -> &'static [T] {
    let items: &'static [T] = Vec::leak(items);
    at.lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .push(items);
    items
}

fn unloaded(stand: &Stand) -> Vec<String> {
    match stand.library.unload(false) {
        Ok(()) => stand.library.leftovers(false),
        Err(error) => vec![format!("unload: {error}")],
    }
}

/// The one test of this process: start, run, unload, and look for what is left.
fn run_one(name: &str) -> ExitCode {
    let tests = tests();
    let Some(test) = tests.iter().find(|test| test.name == name) else {
        println!("there is no test {name}");
        return ExitCode::FAILURE;
    };
    let module = match test.offence {
        Some(_) => library::offender(),
        None => harness::module(),
    };
    let wrong = match module.and_then(|module| Stand::start(&module)) {
        Ok(stand) => {
            let mut wrong = (test.body)(&stand);
            if test.offence.is_none() {
                wrong.extend(unloaded(&stand));
            }
            wrong
        }
        Err(error) => vec![error],
    };
    wrong.iter().for_each(|line| println!("    {line}"));
    // Straight out: threads of the stand-in still run, and nothing is left to tidy up.
    use std::io::Write;
    let _ = std::io::stdout().flush();
    // SAFETY: nothing of this process is needed any more.
    unsafe { libc::_exit(if wrong.is_empty() { 0 } else { 1 }) }
}

/// One test in a process of its own.
fn run_apart(test: &Test, preload: &std::path::Path) -> Verdict {
    let exe = std::env::current_exe();
    let output = exe.and_then(|exe| {
        Command::new(exe)
            .env(ONE, &test.name)
            .env("LD_PRELOAD", preload)
            .stdin(Stdio::null())
            .output()
    });
    let output = match output {
        Ok(output) => output,
        Err(error) => return vec![error.to_string()].into(),
    };
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    let ended = output.status;
    let lines = || said.lines().map(|line| line.trim_start().to_owned());
    let mut wrong = match test.offence {
        Some(strict::Shows::Dies(words)) if ended.signal().is_some() && said.contains(words) => {
            return Verdict::default();
        }
        Some(strict::Shows::Dies(words)) => vec![format!("expected to die with {words:?}")],
        _ if ended.success() => {
            let note = lines().map(|line| format!("\n    {line}")).collect();
            return Verdict {
                note,
                ..Verdict::default()
            };
        }
        _ => Vec::new(),
    };
    wrong.extend(lines());
    wrong.push(format!("({ended})"));
    wrong.into()
}

fn run_all_here(wanted: Queue<Test>, report: &Report) -> Result<(), String> {
    let stand = Stand::start(&harness::module()?)?;
    wanted.work(report, Test::name, |test| match test.offence {
        None => (test.body)(&stand).into(),
        Some(_) => Verdict {
            skipped: Some("it would end this process".to_owned()),
            ..Verdict::default()
        },
    });
    let began = Instant::now();
    report.add("unload", began, &unloaded(&stand).into());
    Ok(())
}

fn run_all_apart(wanted: Queue<Test>, jobs: usize, report: &Report) -> Result<(), String> {
    let preload = library::build()?;
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| wanted.work(report, Test::name, |test| run_apart(test, &preload)));
        }
    });
    Ok(())
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(ONE) {
        return run_one(&name);
    }
    let arguments = match Arguments::read(12, &mut []) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut wanted = tests();
    wanted.retain(|test| arguments.wants(&test.name));
    if arguments.list {
        for test in &wanted {
            println!("{}: test", test.name);
        }
        return ExitCode::SUCCESS;
    }
    let (wanted, report) = (wanted.into_iter().collect(), Report::default());
    let done = if slowness() > 1 {
        run_all_here(wanted, &report)
    } else {
        run_all_apart(wanted, arguments.jobs, &report)
    };
    if let Err(error) = done {
        report.add("the stand-in itself", Instant::now(), &vec![error].into());
    }
    report.end()
}
