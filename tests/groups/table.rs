//! Who rings, in which order: group, situation, and what comes of it. `&` rings together, `then` after it,
//! `joined by` while those before ring on; `not` names who is skipped, with the reason.
//! A situation: who is in which state (`2:busy`), `caller:1`, whose turn was the last (`after:2`), how long
//! ago a last call was over (`idle:1=30`), how many calls in the window (`calls:1=3`), offers from the
//! oldest to the latest (`offers:2,1`).

use super::write::{group, short};
use mod_cti::groups::config::Group;
use mod_cti::groups::order::{Caller, Moment, Ordered, Seen, State, order};

#[rustfmt::skip]
const TABLE: &[(&str, &str, &str)] = &[
    // Orders and steps.
    ("fixed all / 1 / 2 / 3", "", "1 & 2 & 3"),
    ("fixed one / 1 / 2 / 3", "", "1 then 2 then 3"),
    ("fixed progressive / 1 / 2 / 3", "", "1 joined by 2 joined by 3"),
    ("fixed 2 / 1 / 2 / 3 / 4 / 5", "", "1 & 2 then 3 & 4 then 5"),
    ("fixed 9 / 1 / 2", "", "1 & 2"),
    ("/ 1 / 2", "", "1 & 2"),
    ("rotate one / 1 / 2 / 3", "", "1 then 2 then 3"),
    ("rotate one / 1 / 2 / 3", "after:1", "2 then 3 then 1"),
    ("rotate one / 1 / 2 / 3", "after:3", "1 then 2 then 3"),
    ("rotate progressive / 1 / 2 / 3", "after:2", "3 joined by 1 joined by 2"),
    ("rotate 2 / 1 / 2 / 3", "after:1,2", "3 & 1 then 2"),
    ("rotate all / 1 / 2 / 3", "after:1", "2 & 3 & 1"),
    ("longest-idle one / 1 / 2 / 3", "idle:1=10,2=30,3=20", "2 then 3 then 1"),
    ("longest-idle one / 1 / 2 / 3", "idle:1=10,2=30", "3 then 2 then 1"),
    ("longest-idle one / 1 / 2 / 3", "offers:1,3", "2 then 1 then 3"),
    ("longest-idle one / 1 / 2", "idle:1=20,2=20 offers:1,2", "1 then 2"),
    ("longest-idle one / 1 / 2", "idle:1=20,2=20 offers:2,1", "2 then 1"),
    ("longest-idle one skip=none / 1 / 2 / 3", "1:busy idle:1=90,2=20,3=30", "3 then 2 then 1"),
    ("fewest-calls one / 1 / 2 / 3", "calls:1=3,2=1,3=2", "2 then 3 then 1"),
    ("fewest-calls one / 1 / 2 / 3", "calls:1=1,2=1,3=1 offers:3,1,2", "3 then 1 then 2"),
    ("fewest-calls one / 1 / 2 / 3", "", "1 then 2 then 3"),
    // Tiers.
    ("fixed all / 1 tier=2 / 2 / 3 tier=2", "", "2 then 1 & 3"),
    ("fixed one / 1 tier=2 / 2 / 3 tier=2 / 4", "", "2 then 4 then 1 then 3"),
    ("fixed 2 / 1 / 2 / 3 / 4 tier=2", "", "1 & 2 then 3 then 4"),
    ("fixed one / 1 tier=9 / 2 tier=0", "", "2 then 1"),
    ("rotate one / 1 / 2 / 3 tier=2 / 4 tier=2", "after:1", "2 then 1 then 3 then 4"),
    ("rotate one / 1 / 2 / 3 tier=2 / 4 tier=2", "after:1,3", "2 then 1 then 4 then 3"),
    ("fixed all / 1 / 2 tier=2", "1:busy", "2, not 1:busy"),
    ("fixed progressive / 1 / 2 tier=2", "", "1 joined by 2"),
    // Who is skipped uses up no turn.
    ("rotate one / 1 / 2 / 3", "after:1 2:busy", "3 then 1, not 2:busy"),
    ("rotate one / 1 / 2 / 3", "after:2 2:busy", "3 then 1, not 2:busy"),
    ("rotate one / 1 / 2 / 3", "after:3 1:busy", "2 then 3, not 1:busy"),
    // Who is gone from the group has left his place to whoever had his turn before him.
    ("rotate one / 1 / 3", "after:1,2", "3 then 1"),
    ("rotate one / 1 / 4 / 2 / 3", "after:1,2,3", "1 then 4 then 2 then 3"),
    // Policies.
    ("fixed all / 1 / 2 / 3 / 4 / 5 / 6", "caller:1 2:busy 3:dnd 4:paused 5:wrapup 6:unregistered", "6, not 1:self 2:busy 3:dnd 4:paused 5:wrapup"),
    ("fixed all skip=unregistered / 1 / 2 / 3 / 4 / 5 / 6", "caller:1 2:busy 3:dnd 4:paused 5:wrapup 6:unregistered", "1 & 2 & 3 & 4 & 5, not 6:unregistered"),
    ("fixed all skip=none / 1 / 2 / 3 / 4 / 5 / 6", "caller:1 2:busy 3:dnd 4:paused 5:wrapup 6:unregistered", "1 & 2 & 3 & 4 & 5 & 6"),
    ("fixed all / 1 / 2", "caller:1 1:busy", "2, not 1:self"),
    ("fixed all max-calls=2 / 1 / 2", "1:busy 2:busy,busy", "1, not 2:busy"),
    ("fixed all max-calls=2 / 1 max-calls=1 / 2", "1:busy 2:busy", "2, not 1:busy"),
    ("fixed all wrapup=0 / 1 / 2", "1:wrapup", "1 & 2"),
    ("fixed all wrapup=1 / 1 wrapup=20 / 2", "1:wrapup 2:wrapup", "2, not 1:wrapup"),
    // When all are busy.
    ("fixed all / 1 / 2", "1:busy 2:busy", "nobody, not 1:busy 2:busy"),
    ("fixed all when-all-busy=wait / 1 / 2", "1:busy 2:busy", "nobody, not 1:busy 2:busy"),
    ("fixed one when-all-busy=ring-anyway / 1 / 2", "1:busy 2:busy", "1 then 2"),
    ("fixed one when-all-busy=ring-anyway / 1 / 2", "1:busy", "2, not 1:busy"),
    ("fixed one when-all-busy=ring-anyway / 1 / 2 / 3 / 4 / 5", "caller:4 1:busy 2:dnd 3:wrapup 5:paused", "1 then 3, not 4:self 2:dnd 5:paused"),
    ("rotate one when-all-busy=ring-anyway / 1 / 2", "1:busy 2:busy after:1", "2 then 1"),
];

const NOW: Moment = Moment(1_000_000_000);

fn seconds_ago(seconds: u64) -> Moment {
    Moment(NOW.0 - seconds * 1000)
}

pub struct Situation {
    pub caller: Caller,
    pub states: Vec<State>,
    pub seen: Vec<Seen>,
}

pub fn situation(group: &Group, text: &str) -> Situation {
    let place = |user: &str| {
        let target = format!("user/{user}");
        let mut members = group.members.iter();
        members.position(|member| member.target.dial_string() == target)
    };
    let members = group.members.len();
    let mut it = Situation {
        caller: Caller::default(),
        states: vec![State::default(); members],
        seen: vec![Seen::default(); members],
    };
    let pairs = |list: &str| -> Vec<(Option<usize>, u64)> {
        let pairs = list.split(',').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(user, number)| (place(user), number.parse().expect("a number")))
            .collect()
    };
    for word in text.split_whitespace() {
        let (what, list) = word.split_once(':').expect("what:list");
        match what {
            "caller" => it.caller.presence = Some(format!("{list}@D")),
            "after" | "offers" => {
                for (number, user) in list.split(',').enumerate() {
                    // Of somebody who is no member any more, nothing is seen.
                    let Some(place) = place(user) else { continue };
                    let number = number as u64 + 1;
                    match what {
                        "after" => it.seen[place].turn = number,
                        _ => it.seen[place].offer = number,
                    }
                }
            }
            "idle" => {
                for (user, seconds) in pairs(list) {
                    it.seen[user.expect("a member")].ended = Some(seconds_ago(seconds));
                }
            }
            "calls" => {
                for (user, calls) in pairs(list) {
                    it.seen[user.expect("a member")].calls = calls;
                }
            }
            user => {
                let state = &mut it.states[place(user).expect("a member")];
                for word in list.split(',') {
                    match word {
                        "busy" => state.calls += 1,
                        "dnd" => state.dnd = true,
                        "paused" => state.paused = true,
                        "unregistered" => state.unregistered = true,
                        "wrapup" => state.finished = Some(seconds_ago(5)),
                        other => panic!("no such state: {other}"),
                    }
                }
            }
        }
    }
    it
}

pub fn drawn(group: &Group, ordered: &Ordered) -> String {
    let name = |place: &usize| short(&group.members[*place].target.dial_string()).to_owned();
    let mut text = String::new();
    for (nth, stage) in ordered.stages.iter().enumerate() {
        if nth > 0 {
            let rang_on = ordered.stages[nth - 1].rings_on;
            text += if rang_on { " joined by " } else { " then " };
        }
        let members: Vec<_> = stage.members.iter().map(name).collect();
        text += &members.join(" & ");
    }
    if ordered.stages.is_empty() {
        text += "nobody";
    }
    let mut skipped = ordered.skipped.clone();
    if skipped.is_empty() {
        return text;
    }
    skipped.sort_by_key(|it| it.1);
    let skipped = skipped
        .iter()
        .map(|(place, why)| format!("{}:{why}", name(place)));
    let skipped: Vec<_> = skipped.collect();
    format!("{text}, not {}", skipped.join(" "))
}

/// Reasons in one order, so that a row may write them in any.
fn sorted(expected: &str) -> String {
    const REASONS: [&str; 6] = ["self", "unregistered", "dnd", "paused", "busy", "wrapup"];
    let Some((rings, skipped)) = expected.split_once(", not ") else {
        return expected.to_owned();
    };
    let mut skipped: Vec<_> = skipped.split(' ').collect();
    skipped.sort_by_key(|it| REASONS.iter().position(|why| it.ends_with(why)));
    format!("{rings}, not {}", skipped.join(" "))
}

#[test]
fn who_rings_in_which_order() {
    let mut wrong = Vec::new();
    for (text, told, expected) in TABLE {
        // A wrap-up that no row asks about lasts longer than any of them waits.
        let wrapup = if text.contains("wrapup=") {
            ""
        } else {
            " wrapup=60"
        };
        let (head, members) = text.split_once("/ ").expect("members");
        let group = group(&format!("{head}{wrapup} / {members}"));
        let it = situation(&group, told);
        let ordered = order(&group, &it.seen, &it.states, &it.caller, NOW, 1);
        let drawn = drawn(&group, &ordered);
        if drawn != sorted(expected) {
            wrong.push(format!(
                "{text} ({told}):\n  {drawn}\n  expected {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_turn_is_the_first_stages_and_the_first_ones_where_all_ring() {
    for (text, told, takers, offered) in [
        ("rotate one / 1 / 2 / 3", "after:1", "2", "2"),
        ("rotate 2 / 1 / 2 / 3", "after:1", "2 3", "2 3"),
        ("rotate all / 1 / 2 / 3", "after:1", "2", "2 3 1"),
        ("rotate progressive / 1 / 2 / 3", "", "1", "1"),
        ("rotate one / 1 / 2", "1:busy 2:busy", "", ""),
    ] {
        let group = group(text);
        let it = situation(&group, told);
        let turn = order(&group, &it.seen, &it.states, &it.caller, NOW, 1).turn;
        let names = |places: &[usize]| {
            let names = places
                .iter()
                .map(|&it| group.members[it].key.replace("@d", ""));
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&turn.takers), takers, "{text}");
        assert_eq!(names(&turn.offered), offered, "{text}");
    }
}
