//! What the runners of both switches share: the command line, the work side by side, the report,
//! and where the module is that cargo has built.
#![allow(dead_code)] // the examples use nothing but `module`

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// The command line.
pub struct Arguments {
    pub list: bool,
    pub jobs: usize,
    exact: bool,
    filters: Vec<String>,
}

impl Arguments {
    /// `jobs`: how many tests run side by side if nobody says otherwise. `own`: the runner's own
    /// options, each with a value.
    pub fn read(jobs: usize, own: &mut [(&str, &mut String)]) -> Result<Arguments, String> {
        let mut parsed = Arguments {
            list: false,
            jobs,
            exact: false,
            filters: Vec::new(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--list" => parsed.list = true,
                "--exact" => parsed.exact = true,
                "--jobs" => {
                    let number = value()?.parse();
                    parsed.jobs = number.map_err(|_| "--jobs needs a number".to_owned())?;
                }
                // What cargo's own test runner understands and we need not.
                "--nocapture" | "--quiet" | "-q" | "--include-ignored" => {}
                other if other.starts_with("--test-threads") || other.starts_with("--format") => {}
                other if other.starts_with('-') => {
                    let own = own.iter_mut().find(|(name, _)| *name == other);
                    let (_, place) = own.ok_or(format!("unknown option {other}"))?;
                    **place = value()?;
                }
                filter => parsed.filters.push(filter.to_owned()),
            }
        }
        Ok(parsed)
    }

    pub fn wants(&self, name: &str) -> bool {
        let fits = |filter: &String| match self.exact {
            true => name == filter,
            false => name.contains(filter.as_str()),
        };
        self.filters.is_empty() || self.filters.iter().any(fits)
    }
}

/// How one test came out.
#[derive(Debug, Default)]
pub struct Verdict {
    pub wrong: Vec<String>,
    pub note: String,
    /// What it needs and is not there.
    pub skipped: Option<String>,
}

impl From<Vec<String>> for Verdict {
    fn from(wrong: Vec<String>) -> Verdict {
        Verdict {
            wrong,
            ..Verdict::default()
        }
    }
}

/// Says each result as soon as it is known, and counts those that passed, failed and were skipped.
#[derive(Default)]
pub struct Report(Mutex<[usize; 3]>);

impl Report {
    pub fn add(&self, name: &str, began: Instant, verdict: &Verdict) {
        let seconds = began.elapsed().as_secs_f32();
        let mut counts = self.0.lock().expect("a test panicked");
        if let Some(reason) = &verdict.skipped {
            counts[2] += 1;
            return println!("skipped: {reason}  ({name})");
        }
        let passed = verdict.wrong.is_empty();
        counts[usize::from(!passed)] += 1;
        let word = if passed { "ok    " } else { "FAILED" };
        let line = format!("{word}  {name}  {seconds:.1} s  {}", verdict.note);
        println!("{}", line.trim_end());
        verdict
            .wrong
            .iter()
            .for_each(|line| println!("        {line}"));
    }

    /// The last line, and how the program ends.
    pub fn end(self) -> ExitCode {
        let [passed, failed, skipped] = self.0.into_inner().expect("a test panicked");
        println!("\n{passed} passed, {failed} failed, {skipped} skipped");
        ExitCode::from(u8::from(failed > 0))
    }
}

/// Tests that wait for somebody who runs them.
pub struct Queue<T>(Mutex<VecDeque<T>>);

impl<T> FromIterator<T> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(tests: I) -> Queue<T> {
        Queue(Mutex::new(tests.into_iter().collect()))
    }
}

impl<T> Queue<T> {
    /// Until none is left; others may work on the same queue meanwhile.
    pub fn work(&self, report: &Report, name: fn(&T) -> &str, run: impl Fn(&T) -> Verdict) {
        let next = || self.0.lock().expect("a test panicked").pop_front();
        while let Some(test) = next() {
            let began = Instant::now();
            report.add(name(&test), began, &run(&test));
        }
    }
}

/// The cdylib beside this program: cargo puts it into `deps` for tests, one above for `cargo build`.
/// `MOD_CTI_MODULE` names another one, say the release build.
pub fn module() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("MOD_CTI_MODULE").filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        return given
            .is_file()
            .then_some(given.clone())
            .ok_or(format!("MOD_CTI_MODULE={} is no file", given.display()));
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // Tests lie in deps themselves, examples in a directory beside it, and `cargo build` puts it above both.
    let beside = program.parent().map(Path::to_path_buf).unwrap_or_default();
    let above = beside.parent().map(Path::to_path_buf).unwrap_or_default();
    let directories = [beside, above.join("deps"), above];
    let mut places = directories.map(|directory| directory.join("libmod_cti.so"));
    // Of two builds the newer one is meant.
    places.sort_by_key(|place| {
        std::cmp::Reverse(place.metadata().and_then(|data| data.modified()).ok())
    });
    let newest = places.into_iter().find(|place| place.is_file());
    newest.ok_or(
        "libmod_cti.so is not beside the test program; build it with cargo build".to_string(),
    )
}
