//! The scenario table and further checks on a real FreeSWITCH with real SIP phones.
//! Where there is none, every test is skipped and says why; a skipped test never counts as passed.
//! `cargo test --test live -- [--list] [--jobs N] [--application bridge] [filter…]`

mod harness;
#[path = "live/mod.rs"]
mod live;
mod scenarios;

use harness::{Arguments, Queue, Report, Verdict};
use live::checks::{CHECKS, Check, When};
use live::control;
use live::esl::Events;
use live::knowing;
use live::media::{SOUNDS, Sound};
use live::modes::{MODES, Mode};
use live::parity::generate;
use live::parity::table::PAIRS;
use live::parity::{PLANS_JOBS, Pair};
use live::run::{Course, Found, Rig, Settings};
use scenarios::table::SCENARIOS;
use scenarios::{Scenario, check};
use std::process::ExitCode;
use std::time::Instant;

/// What to run, and with what.
struct Wanted {
    jobs: usize,
    application: String,
    tests: Vec<Job>,
    list: bool,
}

fn wanted() -> Result<Wanted, String> {
    let from_env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let jobs = from_env("LIVE_JOBS").and_then(|jobs| jobs.parse().ok());
    let mut application = from_env("LIVE_APPLICATION").unwrap_or("cti_bridge".to_string());
    let own = &mut [("--application", &mut application)];
    let arguments = Arguments::read(jobs.unwrap_or(8), own)?;
    let mut tests = all(&application);
    tests.retain(|job| arguments.wants(job.name()));
    Ok(Wanted {
        jobs: arguments.jobs.clamp(1, live::switch::SLOTS - 1),
        application,
        tests,
        list: arguments.list,
    })
}

/// Long ones first, so that the end is not one slot's long job.
fn all(application: &str) -> Vec<Job> {
    let checks = CHECKS
        .iter()
        .chain(knowing::CHECKS)
        .chain(control::CHECKS)
        .map(Job::Check);
    let plans = PLANS_NAMES.iter().enumerate();
    let generated = GENERATED_NAMES.iter().enumerate();
    let ours = checks
        .chain(SOUNDS.iter().map(Job::Sound))
        .chain(MODES.iter().map(Job::Mode))
        .chain(plans.map(|(part, name)| Job::Plans(part, name)))
        .chain(generated.map(|(job, name)| Job::Generated(job, name)))
        .chain(PAIRS.iter().map(Job::Pair));
    // Core alone has nothing that our own checks ask for.
    let ours = ours.filter(|_| application == "cti_bridge");
    ours.chain(SCENARIOS.iter().map(Job::Scenario)).collect()
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(wrong) => {
            eprintln!("live: {wrong}");
            return ExitCode::from(2);
        }
    };
    let tests = &wanted.tests;
    if wanted.list {
        tests
            .iter()
            .for_each(|job| println!("{}: test", job.name()));
        return ExitCode::SUCCESS;
    }
    let report = Report::default();
    match Found::look(&wanted.application) {
        Ok(found) => {
            if let Err(wrong) = run(&wanted, &found, &report) {
                let began = Instant::now();
                report.add("the switch itself", began, &vec![wrong].into());
            }
        }
        Err(reason) => {
            for job in tests {
                let skipped = Some(reason.clone());
                let verdict = Verdict {
                    skipped,
                    ..Verdict::default()
                };
                report.add(job.name(), Instant::now(), &verdict);
            }
        }
    }
    report.end()
}

/// One line of the report.
#[derive(Clone, Copy)]
enum Job {
    Scenario(&'static Scenario),
    Check(&'static Check),
    Pair(&'static Pair),
    /// How plans are written: so many jobs, this is one.
    Plans(usize, &'static str),
    /// Dial strings that are drawn: so many jobs, this is one.
    Generated(usize, &'static str),
    Sound(&'static Sound),
    Mode(&'static Mode),
}

const PLANS_NAMES: [&str; PLANS_JOBS] = [
    "parity_plans_1",
    "parity_plans_2",
    "parity_plans_3",
    "parity_plans_4",
    "parity_plans_5",
    "parity_plans_6",
];

const GENERATED_NAMES: [&str; generate::JOBS] = [
    "parity_generated_1",
    "parity_generated_2",
    "parity_generated_3",
    "parity_generated_4",
];

impl Job {
    fn name(&self) -> &'static str {
        match self {
            Job::Scenario(scenario) => scenario.name,
            Job::Check(check) => check.name,
            Job::Pair(pair) => pair.name,
            Job::Plans(_, name) | Job::Generated(_, name) => name,
            Job::Sound(sound) => sound.name,
            Job::Mode(mode) => mode.name,
        }
    }

    fn when(&self) -> When {
        match self {
            Job::Check(check) => check.when,
            _ => When::Any,
        }
    }

    fn run(&self, rig: &Rig, events: Option<&Events>, slot: usize) -> Verdict {
        let verdict = match self {
            Job::Scenario(scenario) => rig.scenario(scenario, slot).map(|(seen, course)| {
                let mut wrong = check(scenario, &seen);
                if rig.application == "bridge" {
                    // Core knows none of our variables; what it does on the wire is compared.
                    wrong.retain(|line| !line.starts_with("cti_"));
                }
                if !wrong.is_empty() {
                    wrong.extend(diary(rig, &course));
                }
                wrong.into()
            }),
            Job::Check(check) => (check.run)(rig, slot),
            Job::Pair(pair) => events
                .ok_or("nobody listens to the channels".to_string())
                .and_then(|events| pair.run(rig, events, slot)),
            Job::Plans(part, _) => events
                .ok_or("nobody listens to the channels".to_string())
                .and_then(|events| live::parity::plans(rig, events, slot, *part)),
            Job::Generated(job, _) => generate::generated(rig, slot, *job),
            Job::Sound(sound) => sound.run(rig, slot),
            Job::Mode(mode) => mode.run(rig, slot),
        };
        verdict.unwrap_or_else(|error| vec![error].into())
    }
}

fn run(wanted: &Wanted, found: &Found, report: &Report) -> Result<(), String> {
    let jobs = &wanted.tests;
    let settings = Settings {
        application: wanted.application.clone(),
        log_level: std::env::var("LIVE_LOG").unwrap_or("debug".to_string()),
        exact_clock: true,
        few_arenas: false,
    };
    let rig = Rig::start(found, &settings)?;
    println!(
        "FreeSWITCH {} with {}\n",
        found.installed.binary.display(),
        settings.application
    );
    let compares = jobs
        .iter()
        .any(|job| matches!(job, Job::Pair(_) | Job::Plans(..)));
    let listening = compares.then(|| live::parity::listen(&rig)).transpose()?;
    let events = listening.as_ref();
    let queue = |when: When| -> Queue<Job> {
        let jobs = jobs.iter().copied();
        jobs.filter(|job| job.when() == when).collect()
    };
    let (any, slot_zero, alone) = (queue(When::Any), queue(When::SlotZero), queue(When::Alone));
    let work = |queue: &Queue<Job>, slot: usize| {
        let run = |job: &Job| job.run(&rig, events, slot);
        queue.work(report, |job| job.name(), run);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(&slot_zero, 0));
        for slot in 1..=wanted.jobs {
            let (work, any) = (&work, &any);
            scope.spawn(move || work(any, slot));
        }
    });
    work(&alone, 0);
    let left = rig.switch.channels_left()?;
    let log = rig.switch.log();
    let crashed: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("[CRIT]") || line.contains("panicked"))
        // What core says when it refuses what a hostile contact brings.
        .filter(|line| !line.contains("contains a variable"))
        .take(5)
        .collect();
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    let ended = switch.stop();
    if left != 0 {
        return Err(format!("{left} channels were left"));
    }
    if !crashed.is_empty() {
        return Err(format!("the log says: {}", crashed.join(" / ")));
    }
    ended
}

/// For a failed scenario: every message of the call with its time.
fn diary(rig: &Rig, course: &Course) -> Vec<String> {
    let is_ours = |call_id: &str| {
        call_id == course.uuid || course.legs.iter().any(|(leg, ..)| leg == call_id)
    };
    let phone = |call_id: &str| {
        let leg = course.legs.iter().find(|(leg, ..)| leg == call_id);
        leg.map_or("caller", |(_, name, _)| name.as_str())
            .to_string()
    };
    let entries = rig.phones.diary(is_ours);
    let line = |entry: &live::phones::Entry| {
        let before = course.began.saturating_duration_since(entry.at).as_millis();
        let at = if before > 0 {
            format!("-{before}")
        } else {
            course.ms(entry.at).to_string()
        };
        let arrow = if entry.sent { "->" } else { "<-" };
        format!(
            "  {at:>6} {:<14} {arrow} {}",
            phone(&entry.call_id),
            entry.what
        )
    };
    let mut lines: Vec<String> = entries.iter().map(line).collect();
    lines.extend(course.legs.iter().filter_map(|(_, name, leg)| {
        let (_, message) = leg.cancel.as_ref().or(leg.bye.as_ref())?;
        Some(format!(
            "  {name}: {} with Reason {:?}",
            message.method(),
            message.header("Reason")
        ))
    }));
    let said = |(name, _): &&(String, String)| name.starts_with("cti_");
    lines.extend(
        course
            .variables
            .iter()
            .filter(said)
            .map(|(name, value)| format!("  {name}={value}")),
    );
    lines
}
