//! Parity: the same call by `bridge` and by `cti_bridge` on one FreeSWITCH, side by side.
//! Wire, variables and events of every channel are compared; what differs must be on the table of differences.
//! `table.rs` has the calls, `generate.rs` draws dial strings, `differences.rs` the table, `story.rs` what is compared.

pub mod differences;
pub mod generate;
pub mod story;
pub mod table;

use super::checks::Verdict;
use super::esl::Events;
use super::run::{Beside, Dial, Order, Rig};
use crate::scenarios::{Behaviour, Caller, Ms, Phone};
use differences::{DIFFERENCES, Difference};
use std::collections::BTreeSet;
use std::time::Duration;
use story::{Side, Story};
use table::PLANS;

/// The plans of `PLANS` run in so many jobs.
pub const PLANS_JOBS: usize = 6;

/// Enough for both ends to see that they were joined.
const TALK: Duration = Duration::from_millis(150);

/// A call that is made twice.
pub struct Pair {
    pub name: &'static str,
    pub plan: &'static str,
    pub caller: Caller,
    /// Set on the caller before.
    pub variables: &'static [(&'static str, &'static str)],
    /// Applications that run before: a name of `switch::BEFORE`, and the argument.
    pub before: &'static [(&'static str, &'static str)],
    /// Commands typed meanwhile.
    pub typed: &'static [(Ms, &'static str)],
    pub phones: &'static [Phone],
    /// Lines that both stories must have (`…` at the end: whatever follows); with `!` neither may have it.
    pub sees: &'static [&'static str],
    /// Lines that our story must have exactly once.
    pub once: &'static [&'static str],
    /// Names in `DIFFERENCES`: each must be seen.
    pub differs: &'static [&'static str],
}

pub fn listen(rig: &Rig) -> Result<Events, String> {
    rig.phones.keep_messages();
    Events::listen(rig.switch.port, story::EVENTS).map_err(|error| format!("event socket: {error}"))
}

impl Pair {
    /// What differs for a reason differs every time; what raced is not seen again.
    pub fn run(&self, rig: &Rig, events: &Events, slot: usize) -> Result<Verdict, String> {
        let mut verdict = self.run_once(rig, events, slot)?;
        for _ in 0..2 {
            if verdict.wrong.is_empty() {
                break;
            }
            verdict = self.run_once(rig, events, slot)?;
            verdict.note.push_str(" (once more: something raced)");
        }
        Ok(verdict)
    }

    fn run_once(&self, rig: &Rig, events: &Events, slot: usize) -> Result<Verdict, String> {
        let core = self.story(rig, events, Dial::Compare(self.plan), slot)?;
        let ours = self.story(rig, events, Dial::Plan(self.plan), slot)?;
        let mut wrong = Vec::new();
        for (application, story) in [("bridge", &core), ("cti_bridge", &ours)] {
            wrong.extend(
                self.unseen(story)
                    .map(|line| format!("{application}: {line}")),
            );
        }
        let lines = ours.lines();
        for line in self.once {
            let times = lines.iter().filter(|own| own == line).count();
            if times != 1 {
                wrong.push(format!("cti_bridge: {times} times: {line}"));
            }
        }
        let (unknown, met) = judge(&compare(&core, &ours), self.differs);
        wrong.extend(unknown);
        let unmet = self.differs.iter().filter(|name| !met.contains(*name));
        wrong.extend(unmet.map(|name| format!("the difference {name:?} was not seen")));
        if std::env::var_os("PARITY_STORY").is_some() {
            for (application, story) in [("bridge", &core), ("cti_bridge", &ours)] {
                wrong.extend(
                    story
                        .lines()
                        .iter()
                        .map(|line| format!("[{application}] {line}")),
                );
            }
        }
        Ok(Verdict {
            wrong,
            note: self.differs.join(", "),
            ..Verdict::default()
        })
    }

    fn story(&self, rig: &Rig, events: &Events, dial: Dial, slot: usize) -> Result<Story, String> {
        let order = Order {
            dial,
            caller: self.caller,
            variables: self.variables,
            phones: self.phones,
        };
        let beside = Beside {
            talk: Some(TALK),
            before: self.before,
            typed: self.typed,
        };
        let course = rig.call_with(&order, &beside, slot)?;
        Ok(Story::of(&course, &rig.phones, events))
    }

    fn unseen<'a>(&self, story: &Story) -> impl Iterator<Item = String> + use<'a> {
        let lines = story.lines();
        let fails = |wanted: &&&str| match wanted.strip_prefix('!') {
            Some(unwanted) => lines.iter().any(|line| line.contains(unwanted)),
            None => !lines.iter().any(|line| match wanted.strip_suffix('…') {
                Some(start) => line.starts_with(start),
                None => line == **wanted,
            }),
        };
        let failed: Vec<String> = self
            .sees
            .iter()
            .filter(fails)
            .map(|wanted| format!("not as said: {wanted}"))
            .collect();
        failed.into_iter()
    }
}

/// The plans of `PLANS`, one in so many.
pub fn plans(rig: &Rig, events: &Events, slot: usize, part: usize) -> Result<Verdict, String> {
    const MAY_DIFFER: &[&str] = &["parts (`:_:`) know the caller", "every device rings"];
    let phones = ["1002", "1003", "1004", "1005", "1006"].map(|name| Phone {
        name,
        user: name,
        does: Behaviour::Rejects(486, 150),
    });
    let mut wrong = Vec::new();
    let (mut count, mut legs) = (0, 0);
    for plan in PLANS.iter().skip(part).step_by(PLANS_JOBS) {
        let run = |dial| {
            let order = Order {
                dial,
                caller: Caller::Waits,
                variables: &[],
                phones: &phones,
            };
            let course = rig.call(&order, slot)?;
            Ok::<_, String>(Story::of(&course, &rig.phones, events))
        };
        let (core, ours) = (run(Dial::Compare(plan))?, run(Dial::Plan(plan))?);
        count += 1;
        legs += ours.sides.len() - 1;
        let (unknown, _) = judge(&compare(&core, &ours), MAY_DIFFER);
        wrong.extend(unknown.iter().map(|line| format!("{plan}: {line}")));
    }
    Ok(Verdict {
        wrong,
        note: format!("{count} plans, {legs} legs"),
        ..Verdict::default()
    })
}

/// The differences that are not intended, and the names of those that are.
fn judge(found: &[Difference], named: &[&str]) -> (Vec<String>, BTreeSet<&'static str>) {
    let mut unknown = Vec::new();
    let mut met = BTreeSet::new();
    for difference in found {
        let intended = DIFFERENCES.iter().find(|known| {
            (known.always || named.contains(&known.name)) && (known.covers)(difference)
        });
        match intended {
            Some(known) => {
                met.insert(known.name);
            }
            None => unknown.push(difference.to_string()),
        }
    }
    (unknown, met)
}

/// Everything that one story tells and the other does not, or tells otherwise.
fn compare(core: &Story, ours: &Story) -> Vec<Difference> {
    let mut found = Vec::new();
    let empty = Side::default();
    let names: BTreeSet<&String> = core.sides.keys().chain(ours.sides.keys()).collect();
    for who in names {
        let has = |story: &Story, line: Option<&String>| {
            let side = story.sides.get(who);
            side.zip(line)
                .is_some_and(|(side, line)| side.wire.contains(line) || side.events.contains(line))
        };
        let mut add = |what: &str, core_says: Option<&String>, ours_says: Option<&String>| {
            found.push(Difference {
                again: has(ours, core_says) || has(core, ours_says),
                who: who.clone(),
                what: what.to_string(),
                core: core_says.cloned(),
                ours: ours_says.cloned(),
            });
        };
        let [one, other] = [core, ours].map(|story| story.sides.get(who));
        if one.is_none() || other.is_none() {
            let there = "a channel".to_string();
            add(
                "channel",
                one.is_some().then_some(&there),
                other.is_some().then_some(&there),
            );
            continue;
        }
        let (one, other) = (one.unwrap_or(&empty), other.unwrap_or(&empty));
        lists(&one.wire, &other.wire, |core, ours| add("wire", core, ours));
        lists(&one.events, &other.events, |core, ours| {
            add("event", core, ours);
        });
        let keys: BTreeSet<&String> = one.facts.keys().chain(other.facts.keys()).collect();
        for key in keys {
            let (core, ours) = (one.facts.get(key), other.facts.get(key));
            if core != ours {
                add(key, core, ours);
            }
        }
    }
    if core.order != ours.order {
        found.push(Difference {
            who: "order".to_string(),
            what: "invited".to_string(),
            core: Some(core.order.join(" | ")),
            ours: Some(ours.order.join(" | ")),
            again: false,
        });
    }
    found
}

/// Lines that only one of two lists has, by their longest common part.
fn lists<'a>(
    one: &'a [String],
    other: &'a [String],
    mut add: impl FnMut(Option<&'a String>, Option<&'a String>),
) {
    let mut common = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in (0..one.len()).rev() {
        for j in (0..other.len()).rev() {
            common[i][j] = if one[i] == other[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < one.len() || j < other.len() {
        if i < one.len() && j < other.len() && one[i] == other[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == other.len() || i < one.len() && common[i + 1][j] >= common[i][j + 1] {
            add(Some(&one[i]), None);
            i += 1;
        } else {
            add(None, Some(&other[j]));
            j += 1;
        }
    }
}
