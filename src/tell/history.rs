//! The calls that have ended, the last few: what `cti show` finds when it comes too late.
//! Pure but for its lock; the ladder is drawn from the same record as `cti_legs`.

use super::report::LegReport;
use crate::switch::text::{clip, field, one_line};
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

/// One call that has ended.
#[derive(Debug, Serialize)]
pub struct Ended {
    pub uuid: String,
    /// Its number.
    pub caller: String,
    pub plan: String,
    pub result: String,
    pub cause: String,
    pub ring_ms: u64,
    pub legs: Vec<LegReport>,
}

#[derive(Default)]
pub struct History(Mutex<VecDeque<Arc<Ended>>>);

impl History {
    /// Keep this one, and no more than `limit` in all (0: none).
    pub fn keep(&self, ended: Ended, limit: usize) {
        let mut calls = self.0.lock();
        calls.push_back(Arc::new(ended));
        while calls.len() > limit {
            calls.pop_front();
        }
    }

    /// The last call of this caller that has ended.
    pub fn find(&self, uuid: &str) -> Option<Arc<Ended>> {
        self.0
            .lock()
            .iter()
            .rev()
            .find(|call| call.uuid == uuid)
            .cloned()
    }
}

/// Who rang from when to when, as text: one line a leg, `.` dialled, `=` ringing, `#` talking.
pub fn ladder(call: &Ended) -> String {
    const WIDTH: u64 = 50;
    const NAME: usize = 80;
    // Talking may last for hours: the axis is the ringing, and a little of what follows.
    let rings = call
        .legs
        .iter()
        .filter(|leg| leg.answered_ms.is_none())
        .filter_map(|leg| leg.ended_ms);
    let end = rings.max().unwrap_or(0).max(call.ring_ms).max(1) * 11 / 10;
    let column = |ms: u64| (ms.min(end) * WIDTH / end.max(1)) as usize;
    let mut text = format!(
        "{} {} {} {} after {:.2} s  {}\n",
        call.uuid,
        field(&call.caller),
        call.result,
        call.cause,
        call.ring_ms as f64 / 1000.0,
        one_line(&call.plan)
    );
    let name = |leg: &LegReport| {
        let target = one_line(clip(&leg.target, NAME));
        match &leg.moved_to {
            Some(number) => format!("{target} > {}", one_line(number)),
            None => target.into_owned(),
        }
    };
    let names = call.legs.iter().map(|leg| name(leg).chars().count());
    let names = names.max().unwrap_or(0);
    for leg in &call.legs {
        let mut bar = vec![' '; WIDTH as usize + 1];
        if let Some(start) = leg.start_ms {
            let over = leg.ended_ms.unwrap_or(end);
            let mut fill = |from: Option<u64>, with| {
                if let Some(from) = from {
                    bar[column(from)..=column(over)].fill(with);
                }
            };
            fill(Some(start), '.');
            fill(leg.ringing_ms.map(|at| at.min(over)), '=');
            fill(leg.answered_ms.map(|at| at.min(over)), '#');
        }
        let bar: String = bar.into_iter().collect();
        let what = [
            leg.role.unwrap_or("rings"),
            leg.cause.as_deref().unwrap_or(""),
        ]
        .join(" ");
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {:names$} |{bar}| {what}", name(leg));
    }
    let _ = writeln!(
        text,
        "  {:names$} 0{:>width$.2} s",
        "",
        end as f64 / 1000.0,
        width = WIDTH as usize
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(target: &str, times: [Option<u64>; 4], role: &'static str) -> LegReport {
        LegReport {
            target: target.to_owned(),
            stage: crate::ring::StageId(0),
            start_ms: times[0],
            ringing_ms: times[1],
            answered_ms: times[2],
            ended_ms: times[3],
            cause: Some("LOSE_RACE".to_owned()),
            role: Some(role),
            ..LegReport::default()
        }
    }

    fn call(uuid: &str, legs: Vec<LegReport>) -> Ended {
        let [plan, result, cause] = ["user/2,user/3", "answered", "SUCCESS"].map(str::to_owned);
        Ended {
            uuid: uuid.to_owned(),
            caller: "1001".to_owned(),
            plan,
            result,
            cause,
            ring_ms: 1000,
            legs,
        }
    }

    #[test]
    fn a_ladder_shows_who_rang_and_who_talks() {
        let legs = vec![
            leg("user/2", [Some(0), Some(100), None, Some(1000)], "loser"),
            leg(
                "user/3",
                [Some(0), Some(200), Some(1000), Some(90_000)],
                "winner",
            ),
            leg("user/9", [None, None, None, Some(0)], "failed"),
        ];
        let drawn = ladder(&call("a", legs));
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(
            lines[1].contains(".====")
                && !lines[1].contains('#')
                && lines[1].ends_with("loser LOSE_RACE"),
            "{drawn}"
        );
        assert!(
            lines[2].contains(".===") && lines[2].contains("##|"),
            "{drawn}"
        );
        assert!(
            lines[3].contains(&format!("|{}|", " ".repeat(51))),
            "{drawn}"
        );
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let history = History::default();
        (0..5).for_each(|nth| history.keep(call(&nth.to_string(), Vec::new()), 2));
        let known: Vec<bool> = (0..5)
            .map(|nth| history.find(&nth.to_string()).is_some())
            .collect();
        assert_eq!(known, [false, false, false, true, true]);
        history.keep(call("x", Vec::new()), 0);
        assert!(history.find("x").is_none() && history.find("4").is_none());
    }
}
