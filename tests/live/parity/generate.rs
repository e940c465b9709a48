//! Dial strings that nobody wrote: each is given to `bridge` and to `cti_bridge`, and read by the INVITEs that come of it.
//! Who is invited, in which stage, with which `X-…` headers and which caller ID must be the same.
//! What the README's chapter "Migrating from `bridge`" lists is not drawn.

use crate::live::checks::Verdict;
use crate::live::phones::Leg;
use crate::live::run::{Course, Dial, Order, Rig};
use crate::live::sip;
use crate::live::switch::from_slot;
use crate::scenarios::{Behaviour, Caller, Phone};
use std::time::{Duration, Instant};

/// They run in so many jobs.
pub const JOBS: usize = 4;

/// How many are drawn, unless `PARITY_GENERATED` says another number.
const COUNT: usize = 60;

/// No job draws longer than this, unless so many are asked for.
const LONGEST: Duration = Duration::from_secs(25);

/// A dial string is known by the number of its draw.
const SEED: u64 = 12;

const USERS: [&str; 5] = ["1002", "1003", "1004", "1005", "1006"];

/// Headers that a plan may set.
const HEADERS: [&str; 3] = ["X-G-A", "X-G-B", "X-G-C"];

/// One in so many of the dial strings.
pub fn generated(rig: &Rig, slot: usize, job: usize) -> Result<Verdict, String> {
    let phones = USERS.map(|name| Phone {
        name,
        user: name,
        does: Behaviour::Rejects(486, 40),
    });
    let asked = std::env::var("PARITY_GENERATED").ok();
    let asked = asked.and_then(|text| text.parse().ok());
    let count = asked.unwrap_or(COUNT);
    let began = Instant::now();
    let mut wrong = Vec::new();
    let (mut plans, mut legs) = (0, 0);
    for draw in (job..count).step_by(JOBS) {
        if asked.is_none() && began.elapsed() > LONGEST {
            break;
        }
        let plan = Dice(SEED.wrapping_mul(1 << 32) + draw as u64).plan();
        let read = |dial| {
            let order = Order {
                dial,
                caller: Caller::Waits,
                variables: &[],
                phones: &phones,
            };
            let course = rig.call(&order, slot)?;
            Ok::<_, String>(reading(&course, plan.contains(":_:")))
        };
        let both = || Ok::<_, String>((read(Dial::Compare(&plan))?, read(Dial::Plan(&plan))?));
        let (mut core, mut ours) = both()?;
        // Where a busy machine was slow to invite a stage, its rejections came in between.
        for _ in 0..2 {
            if core != ours {
                (core, ours) = both()?;
            }
        }
        plans += 1;
        legs += ours.len();
        if core != ours || core.is_empty() {
            wrong.push(format!("draw {draw}: {plan}"));
            let only = |line: &&String, other: &[String]| !other.contains(line);
            let of_core = core.iter().filter(|line| only(line, &ours));
            let of_ours = ours.iter().filter(|line| only(line, &core));
            wrong.extend(of_core.map(|line| format!("  bridge      {line}")));
            wrong.extend(of_ours.map(|line| format!("  cti_bridge  {line}")));
        }
    }
    Ok(Verdict {
        wrong,
        note: format!("{plans} plans, {legs} legs"),
        ..Verdict::default()
    })
}

/// A line for each INVITE: the stage, who it is for, and what it says. Parts ring side by side, and
/// their stages are not told apart.
fn reading(course: &Course, has_parts: bool) -> Vec<String> {
    let mut legs: Vec<&(String, String, Leg)> = course.legs.iter().collect();
    legs.sort_by_key(|(_, _, leg)| leg.at);
    let mut lines = Vec::new();
    let mut stage: Vec<&Leg> = Vec::new();
    let mut nth = 1;
    for (_, phone, leg) in legs {
        let is_later = |before: &&Leg| before.last.is_some_and(|(ended, _)| ended < leg.at);
        if !has_parts && stage.iter().any(is_later) {
            nth += 1;
            stage.clear();
        }
        stage.push(leg);
        let from = leg.invite.header("From").unwrap_or("");
        let (name, number) = (sip::display_name(from), sip::uri_user(from).unwrap_or(""));
        let user = leg.invite.request_user();
        let said = HEADERS.iter().filter_map(|header| {
            let value = leg.invite.header(header)?;
            Some(format!(" {header}={value:?}"))
        });
        let said: String = said.collect();
        let user = user.replace(&course.suffix, "");
        let line = format!("stage {nth}: {phone} as {user} from {name:?} {number}{said}");
        lines.push(from_slot(&line, course.slot));
    }
    lines.sort();
    lines
}

/// Draws by splitmix64: the same on every machine, and no dependence of one draw on another.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// Every user at most once: `bridge` rings one that is named twice in a stage twice.
    fn plan(&mut self) -> String {
        let mut users = USERS.to_vec();
        for at in (1..users.len()).rev() {
            users.swap(at, self.below(at + 1));
        }
        let mut plan = String::new();
        if self.one_in(6) {
            plan += &self.block('<', '>');
        }
        let parts = if self.one_in(6) { 2 } else { 1 };
        for part in 0..parts {
            if part > 0 {
                plan += ":_:";
            }
            // A part of variables alone is refused: somebody is left for each.
            let kept = parts - 1 - part;
            let mut own = users.split_off(kept);
            plan += &self.part(&mut own);
            users.append(&mut own);
        }
        plan
    }

    fn part(&mut self, users: &mut Vec<&str>) -> String {
        let mut part = String::new();
        for _ in 0..[0, 0, 1, 1, 1, 2][self.below(6)] {
            part += &self.block('{', '}');
        }
        let stages = 1 + self.below(3);
        for stage in 0..stages {
            if stage > 0 && !users.is_empty() {
                part += self.one_of(&["|", "|", " | ", "||", "| "]);
            }
            let targets = 1 + self.below(2);
            for target in 0..targets {
                let Some(user) = users.pop() else {
                    break;
                };
                if target > 0 {
                    part += self.one_of(&[",", ",", ", ", " ,", ",,"]);
                }
                part += &self.target(user);
            }
        }
        part
    }

    fn target(&mut self, user: &str) -> String {
        let mut target = String::new();
        for _ in 0..[0, 0, 0, 1, 1, 2][self.below(6)] {
            target += &self.block('[', ']');
        }
        let dialled = match self.below(5) {
            0 => format!("user/{user}@cti.test"),
            1 => format!("sofia/phones/{user}@PHONES"),
            2 => format!("sofia/gateway/carrier/{user}"),
            _ => format!("user/{user}"),
        };
        target + &dialled
    }

    fn block(&mut self, open: char, close: char) -> String {
        let separator = match self.below(4) {
            0 => self.one_of(&[";", ":", "!"]),
            _ => ",",
        };
        let count = self.below(4);
        let entries: Vec<String> = (0..count).map(|_| self.entry(separator)).collect();
        let chosen = match separator {
            "," => String::new(),
            // Nothing may follow a separator that is chosen for nothing.
            _ if entries.is_empty() => String::new(),
            _ => format!("^^{separator}"),
        };
        format!("{open}{chosen}{}{close}", entries.join(separator))
    }

    fn entry(&mut self, separator: &str) -> String {
        match self.below(8) {
            0 => format!("origination_caller_id_number=555000{}", self.below(10)),
            1 => format!(
                "origination_caller_id_name={}",
                self.one_of(&["Desk", "Front Desk", "'Front Desk'", "同振"])
            ),
            2 if self.one_in(3) => "local_var_clobber=true".to_string(),
            _ => {
                let name = self.one_of(&HEADERS);
                let value = self.value(separator);
                let blank = self.one_of(&["", "", "", " "]);
                format!("{blank}sip_h_{name}={value}")
            }
        }
    }

    fn value(&mut self, separator: &str) -> String {
        let word = self.one_of(&[
            "one", "2", "a.b-c", "同振", "x@y", "#7", "a/b", "(1)", "50%",
        ]);
        match self.below(10) {
            0 => format!("{word} {word}"),
            1 => format!("'{word} {word}'"),
            2 => format!("{word}={word}"),
            3 if separator == "," => format!("{word}\\,{word}"),
            4 if separator != "," => format!("{word},{word}"),
            5 if separator != ":" => format!("{word}:{word}"),
            6 => format!("'{word}'"),
            7 => format!("<{word}>"),
            8 => String::new(),
            _ => word.to_string(),
        }
    }
}
