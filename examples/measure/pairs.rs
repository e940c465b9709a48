//! One thing done by `bridge` and by `cti_bridge` in turn, and the row of figures that comes of it.
//! A round begins and ends with `bridge`. How far its first and its last figures differ is what the
//! machine did meanwhile, and what a ratio of the two applications is worth.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Bridge,
    CtiBridge,
}

#[derive(Debug, Clone, Copy)]
pub enum Turn {
    First,
    Ours,
    Last,
}

/// A round of single calls: as many of ours as of `bridge`'s.
pub const CALLS: &[Turn] = &[Turn::First, Turn::Ours, Turn::Ours, Turn::Last];
/// A round of blocks of many calls, each of which takes its time.
pub const BLOCKS: &[Turn] = &[Turn::First, Turn::Ours, Turn::Last];

/// What was measured in the rounds.
#[derive(Debug, Default)]
pub struct Sides {
    first: Vec<f64>,
    pub ours: Vec<f64>,
    last: Vec<f64>,
}

/// How the ratio of ours to `bridge`'s must be at most.
#[derive(Debug, Clone, Copy)]
pub enum Must {
    /// Told, but nothing is asked of it.
    Any,
    Median(f64),
    /// Of the medians, and of the 90th percentiles.
    Both(f64, f64),
}

/// `one` does it once by an application and gives the samples of each of `N` figures.
pub fn in_turn<const N: usize>(
    rounds: usize,
    turns: &[Turn],
    mut one: impl FnMut(By) -> Result<[Vec<f64>; N], String>,
) -> Result<[Sides; N], String> {
    let mut figures = std::array::from_fn(|_| Sides::default());
    for turn in (0..rounds.max(1)).flat_map(|_| turns) {
        let by = match turn {
            Turn::Ours => By::CtiBridge,
            Turn::First | Turn::Last => By::Bridge,
        };
        for (sides, samples) in figures.iter_mut().zip(one(by)?) {
            let side = match turn {
                Turn::First => &mut sides.first,
                Turn::Ours => &mut sides.ours,
                Turn::Last => &mut sides.last,
            };
            side.extend(samples);
        }
    }
    Ok(figures)
}

impl Sides {
    pub fn bridge(&self) -> Vec<f64> {
        [self.first.as_slice(), self.last.as_slice()].concat()
    }

    /// Medians with their 90th percentiles, and the ratios of both.
    pub fn print(&self, what: &str, must: Must) {
        let (bridge, ours) = (self.bridge(), self.ours.as_slice());
        let ratio = |percent| at(ours, percent) / at(&bridge, percent);
        let (median, high) = (ratio(50), ratio(90));
        let (asked, holds) = match must {
            Must::Any => (String::new(), None),
            Must::Median(most) => (format!("{most:.2}"), Some(median <= most)),
            Must::Both(most, highest) => {
                (pair(most, highest), Some(median <= most && high <= highest))
            }
        };
        row([
            what,
            &format!("{} + {}", bridge.len(), ours.len()),
            &both(&bridge),
            &both(ours),
            &pair(median, high),
            &format!("{:.2}", at(&self.last, 50) / at(&self.first, 50)),
            &asked,
            verdict(holds),
        ]);
    }
}

fn pair(median: f64, high: f64) -> String {
    format!("{median:.2} ({high:.2})")
}

fn both(samples: &[f64]) -> String {
    pair(at(samples, 50), at(samples, 90))
}

/// What `bridge` cannot do, or not so often.
pub fn print_ours(what: &str, samples: &[f64]) {
    let count = samples.len().to_string();
    row([what, &count, "", &both(samples), "", "", "", ""]);
}

pub fn verdict(holds: Option<bool>) -> &'static str {
    match holds {
        None => "",
        Some(true) => "yes",
        Some(false) => "NO",
    }
}

pub fn heading() {
    row([
        "median (90th percentile); times in ms",
        "samples",
        "bridge",
        "cti_bridge",
        "ratio",
        "bridge's own",
        "at most",
        "",
    ]);
    row(["---"; 8]);
}

pub fn row(cells: [&str; 8]) {
    const WIDTHS: [usize; 8] = [62, 9, 16, 16, 13, 12, 11, 3];
    let cells = cells.iter().zip(WIDTHS);
    let cells: Vec<_> = cells
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    println!("| {} |", cells.join(" | "));
}

/// This percentile of some numbers, between two of them if need be.
pub fn at(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = sorted.len().saturating_sub(1) as f64 * percent as f64 / 100.0;
    let nth = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (below, above) = (nth(place.floor()), nth(place.ceil()));
    below + (above - below) * place.fract()
}

pub fn ms(from: Instant, to: Instant) -> f64 {
    let apart = |from, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1000.0;
    apart(from, to) - apart(to, from)
}

/// A random part of two ticks of core's 20 ms clock: what happens at fixed times meets the clock
/// always in the same phase, and every median lies.
pub fn moment() -> Duration {
    Duration::from_micros(RandomState::new().hash_one(()) % 40_000)
}
