//! A group for a call: stages when the plan is read, another look when each begins, and nothing left over.

use super::write::{read, short};
use mod_cti::groups::config::WhenAllBusy;
use mod_cti::groups::members::{Fact, Offer, Reservation, Source as Said};
use mod_cti::groups::memory::Local;
use mod_cti::groups::order::{Caller, Moment, Why};
use mod_cti::groups::{Begun, Expansion, Groups, Known, Nothing, Pick, Skipped};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const NOW: Moment = Moment(1_000_000_000);

fn later(seconds: u64) -> Moment {
    NOW.after(Duration::from_secs(seconds))
}

fn groups(all: &[(&str, &str)]) -> Groups {
    let config = read(all).unwrap_or_else(|problems| panic!("{problems:?}"));
    Groups::new(config, Arc::new(Local::default()))
}

fn call(uuid: &str) -> Caller {
    Caller {
        call: uuid.to_owned(),
        presence: None,
    }
}

fn expand(groups: &Groups, name: &str, uuid: &str) -> Expansion {
    let expanded = groups.expand(name, call(uuid), NOW, 1, &Nothing);
    expanded.unwrap_or_else(|error| panic!("{error}"))
}

fn name(pick: &Pick) -> String {
    short(&pick.target().dial_string()).to_owned()
}

fn names(picks: &[Pick]) -> String {
    picks.iter().map(name).collect::<Vec<_>>().join(" & ")
}

fn drawn(it: &Expansion) -> String {
    let mut text = String::new();
    for (nth, stage) in it.stages.iter().enumerate() {
        if nth > 0 {
            let rang_on = it.stages[nth - 1].rings_on;
            text += if rang_on { " joined by " } else { " then " };
        }
        text += &names(&stage.members);
    }
    if it.stages.is_empty() {
        text += "nobody";
    }
    text + &not(&it.skipped)
}

fn not(skipped: &[Skipped]) -> String {
    if skipped.is_empty() {
        return String::new();
    }
    let skipped = skipped
        .iter()
        .map(|it| format!(" {}:{}", name(&it.pick), it.why));
    format!(", not{}", skipped.collect::<String>())
}

fn begun(it: &Begun) -> String {
    names(&it.members) + &not(&it.skipped)
}

fn busy(groups: &Groups, user: &str) {
    let fact = Fact::Began {
        channel: user,
        presence: &format!("{user}@d"),
        call: None,
    };
    groups.fact(fact, NOW);
}

fn free(groups: &Groups, user: &str) {
    groups.fact(Fact::Ended { channel: user }, NOW);
}

#[rustfmt::skip]
const NESTED: &[(&str, &str, &str, &str)] = &[
    // Group a, group b, who is busy, what a becomes.
    ("fixed one / 1 / ring/b / 4", "fixed one / 2 / 3", "", "1 then 2 then 3 then 4"),
    ("fixed one / ring/b / 1", "fixed all / 2 / 3", "", "2 & 3 then 1"),
    ("fixed all / 1 / ring/b", "fixed all / 2 / 3", "", "1 & 2 & 3"),
    ("fixed all / 1 / 2 / ring/b", "fixed all / 2 / 3", "", "1 & 2 & 3"),
    ("fixed all / 1 / ring/b tier=2", "fixed one / 2 / 3", "", "1 then 2 then 3"),
    ("fixed progressive / 1 / ring/b / 4", "fixed one / 2 / 3", "", "1 joined by 2 joined by 3 joined by 4"),
    ("fixed one / 1 / ring/b / 4", "fixed progressive / 2 / 3", "", "1 then 2 joined by 3 then 4"),
    ("fixed one / 1 / ring/b", "fixed one / 2 / 3", "2", "1 then 3, not 2:busy"),
    ("fixed one / 1 / ring/b", "fixed one / 2 / 3", "2 3", "1, not ring/b:nobody-free"),
    ("fixed one / 1 / ring/b", "fixed one when-all-busy=ring-anyway / 2 / 3", "2 3", "1 then 2 then 3"),
    ("fixed one / 1 / ring/b", "fixed one / 2 / 3", "1 2 3", "nobody, not 1:busy ring/b:nobody-free"),
];

#[test]
fn groups_ring_within_groups() {
    for (a, b, who, expected) in NESTED {
        let groups = groups(&[("a", a), ("b", b)]);
        who.split_whitespace().for_each(|user| busy(&groups, user));
        let it = expand(&groups, "a", "x");
        assert_eq!(drawn(&it), *expected, "{a} with {b}");
    }
}

#[test]
fn there_is_no_such_group() {
    let groups = groups(&[("a", "fixed all / 1")]);
    let Err(error) = groups.expand("b", call("x"), NOW, 1, &Nothing) else {
        panic!("there is one");
    };
    assert_eq!(error.to_string(), r#"there is no group "b""#);
}

#[test]
fn a_members_times_are_variables_and_the_groups_time_is_the_stages() {
    let groups = groups(&[(
        "a",
        "fixed one timeout=12 / [a=b]user/1 delay=2 timeout=1500ms / 2",
    )]);
    let it = expand(&groups, "a", "x");
    let first = it.stages[0].members[0].target();
    assert_eq!(
        first.to_string(),
        "[a=b,leg_delay_start=2,leg_timeout=1500ms]user/1"
    );
    assert_eq!(it.stages[1].members[0].target().to_string(), "user/2");
    let times: Vec<_> = it.stages.iter().map(|it| it.timeout).collect();
    assert_eq!(times, [Some(Duration::from_secs(12)); 2]);
}

#[test]
fn two_calls_of_one_moment_begin_with_different_members() {
    for order in ["rotate", "longest-idle", "fewest-calls", "fixed"] {
        for step in ["one", "progressive"] {
            let groups = groups(&[("a", &format!("{order} {step} / 1 / 2 / 3"))]);
            let calls: Vec<_> = ["x", "y", "z"]
                .map(|uuid| expand(&groups, "a", uuid))
                .into();
            let first: BTreeSet<_> = calls
                .iter()
                .map(|it| names(&it.stages[0].members))
                .collect();
            assert_eq!(first.len(), 3, "{order} {step}: {first:?}");
        }
    }
}

#[test]
fn threads_that_call_in_one_moment_reserve_different_members() {
    for round in 0..50 {
        let groups = groups(&[("a", "longest-idle one / 1 / 2 / 3 / 4")]);
        let calls: Vec<_> = std::thread::scope(|scope| {
            let groups = &groups;
            let threads: Vec<_> = (0..4)
                .map(|nth| scope.spawn(move || expand(groups, "a", &format!("call {nth}"))))
                .collect();
            threads
                .into_iter()
                .map(|it| it.join().expect("expanded"))
                .collect()
        });
        let first: BTreeSet<_> = calls
            .iter()
            .map(|it| names(&it.stages[0].members))
            .collect();
        assert_eq!(first.len(), 4, "round {round}: {first:?}");
    }
}

#[test]
fn whoever_is_rung_by_a_call_is_skipped_by_the_next_until_it_is_over() {
    let groups = groups(&[("a", "fixed all / 1 / 2")]);
    let first = expand(&groups, "a", "x");
    assert_eq!(drawn(&first), "1 & 2");
    let second = expand(&groups, "a", "y");
    assert_eq!(drawn(&second), "nobody, not 1:busy 2:busy");
    assert_eq!(second.nobody, Some(WhenAllBusy::Overflow));
    drop(first);
    assert_eq!(drawn(&expand(&groups, "a", "z")), "1 & 2");
    drop(second);
    assert_eq!(groups.members().size(), (0, 0), "nobody stays reserved");
}

#[test]
fn each_stage_looks_again_when_it_begins() {
    let groups = groups(&[("a", "fixed one / 1 / 2 / 3 / 4")]);
    let mut it = expand(&groups, "a", "x");
    assert_eq!(begun(&it.begin(&groups, 0, NOW, &Nothing)), "1");
    busy(&groups, "2");
    groups.members().dnd("3@d", Said::Operator, true);
    assert_eq!(begun(&it.begin(&groups, 1, NOW, &Nothing)), ", not 2:busy");
    assert_eq!(begun(&it.begin(&groups, 2, NOW, &Nothing)), ", not 3:dnd");
    assert_eq!(begun(&it.begin(&groups, 3, NOW, &Nothing)), "4");
    // Who rang in a stage that is over is free for others; who rings is not.
    let other = expand(&groups, "a", "y");
    assert_eq!(drawn(&other), "1, not 2:busy 3:dnd 4:busy");
    assert_eq!(
        begun(&it.begin(&groups, 9, NOW, &Nothing)),
        "",
        "there is no such stage"
    );
}

#[test]
fn who_rings_on_stays_reserved() {
    let groups = groups(&[("a", "fixed progressive / 1 / 2 / 3")]);
    let mut it = expand(&groups, "a", "x");
    for stage in 0..3 {
        it.begin(&groups, stage, NOW, &Nothing);
    }
    assert_eq!(
        drawn(&expand(&groups, "a", "y")),
        "nobody, not 1:busy 2:busy 3:busy"
    );
    let second = it.stages[1].members[0].clone();
    it.settle(Some(&second));
    assert_eq!(
        drawn(&expand(&groups, "a", "y")),
        "1 joined by 3, not 2:busy"
    );
    it.settle(None);
    assert_eq!(groups.members().size(), (0, 0));
}

#[test]
fn to_explain_moves_nothing_and_reserves_nobody() {
    let groups = groups(&[("a", "rotate one / 1 / 2 / 3")]);
    for _ in 0..3 {
        let explained = groups.explain("a", call("x"), NOW, 1, &Nothing);
        let mut it = explained.expect("a group");
        assert_eq!(drawn(&it), "1 then 2 then 3");
        it.begin(&groups, 1, NOW, &Nothing);
        assert_eq!(groups.members().size(), (0, 0));
    }
    assert_eq!(drawn(&expand(&groups, "a", "x")), "1 then 2 then 3");
    assert_eq!(drawn(&expand(&groups, "a", "x")), "2 then 3 then 1");
}

#[test]
fn a_tier_takes_its_turn_when_it_begins() {
    let groups = groups(&[("a", "rotate one / 1 / 2 tier=2 / 3 tier=2 / 4 tier=2")]);
    let text = "1 then 2 then 3 then 4";
    // Both are planned before either comes to the second tier.
    let mut one = expand(&groups, "a", "x");
    one.begin(&groups, 0, NOW, &Nothing);
    one.settle(None);
    let mut other = expand(&groups, "a", "y");
    assert_eq!(
        (drawn(&one), drawn(&other)),
        (text.to_owned(), text.to_owned())
    );
    other.settle(None);
    assert_eq!(begun(&one.begin(&groups, 1, NOW, &Nothing)), "2");
    assert_eq!(begun(&other.begin(&groups, 1, NOW, &Nothing)), "3");
    assert_eq!(drawn(&other), "1 then 3 then 4 then 2");
    // A call that never came to the second tier used up no turn of it.
    drop((one, other));
    drop(expand(&groups, "a", "z"));
    let mut third = expand(&groups, "a", "z");
    third.begin(&groups, 0, NOW, &Nothing);
    assert_eq!(begun(&third.begin(&groups, 1, NOW, &Nothing)), "4");
    assert_eq!(begun(&third.begin(&groups, 2, NOW, &Nothing)), "2");
}

#[test]
fn a_tier_that_begins_puts_those_last_who_are_busy_by_then() {
    let groups = groups(&[("a", "rotate one / 1 / 2 tier=2 / 3 tier=2 / 4 tier=2")]);
    let mut it = expand(&groups, "a", "x");
    it.begin(&groups, 0, NOW, &Nothing);
    busy(&groups, "2");
    assert_eq!(begun(&it.begin(&groups, 1, NOW, &Nothing)), "3");
    assert_eq!(begun(&it.begin(&groups, 2, NOW, &Nothing)), "4");
    free(&groups, "2");
    assert_eq!(begun(&it.begin(&groups, 3, NOW, &Nothing)), "2");
}

#[test]
fn an_answered_call_makes_idle_times_calls_and_a_wrap_up() {
    let groups = groups(&[
        ("idle", "longest-idle one wrapup=30 / 1 / 2"),
        ("few", "fewest-calls one / 1 / 2"),
        ("any", "longest-idle one idle-since=any / 1 / 2"),
    ]);
    for name in ["idle", "few", "any"] {
        assert_eq!(drawn(&expand(&groups, name, "x")), "1 then 2");
    }
    // 1 takes a call of each group and is back at second 10.
    for name in ["idle", "few"] {
        let it = expand(&groups, name, "x");
        let mut members = it.stages.iter().flat_map(|stage| &stage.members);
        let winner = members
            .find(|it| it.key() == "1@d")
            .expect("1 is there")
            .clone();
        groups.won(&winner, "leg", "x", NOW);
        groups.fact(Fact::Ended { channel: "leg" }, later(10));
    }
    let at = |name: &str, seconds: u64| {
        let it = groups.explain(name, call("y"), later(seconds), 1, &Nothing);
        let it = it.expect("a group");
        (drawn(&it), it.look_again)
    };
    let wrapup = Some(later(40));
    assert_eq!(at("idle", 39), ("2, not 1:wrapup".to_owned(), wrapup));
    assert_eq!(at("idle", 40), ("2 then 1".to_owned(), None));
    assert_eq!(at("few", 39), ("2 then 1".to_owned(), None));
    assert_eq!(at("any", 39), ("2 then 1".to_owned(), None));
}

#[test]
fn what_comes_of_ringing_pauses_by_the_members_policy() {
    let groups = groups(&[("a", "fixed one / 1 busy-pause=10 / 2 / 3")]);
    let it = expand(&groups, "a", "x");
    for stage in &it.stages[..2] {
        groups.offered(&stage.members[0], Offer::Busy, NOW);
    }
    drop(it);
    let it = expand(&groups, "a", "x");
    assert_eq!(drawn(&it), "2 then 3, not 1:paused");
    assert_eq!(it.look_again, Some(later(10)));
}

struct Directory;

impl Known for Directory {
    fn registered(&self, user: &str) -> Option<bool> {
        match user {
            "1" => Some(false),
            "2@D" => Some(true),
            _ => None,
        }
    }

    fn do_not_disturb(&self, user: &str) -> bool {
        user == "2@D"
    }
}

#[test]
fn the_directory_says_who_is_registered_and_wants_no_calls() {
    let skipped = |text: &str| {
        let groups = groups(&[("a", text)]);
        drawn(
            &groups
                .expand("a", call("x"), NOW, 1, &Directory)
                .expect("a group"),
        )
    };
    let members = "/ 1 / user/2@D / 3 / sofia/gateway/g/1";
    assert_eq!(
        skipped(&format!("fixed all skip=unregistered,dnd {members}")),
        "3 & sofia/gateway/g/1, not 1:unregistered 2@D:dnd"
    );
    assert_eq!(
        skipped(&format!("fixed all {members}")),
        "1 & 3 & sofia/gateway/g/1, not 2@D:dnd"
    );
    assert_eq!(
        skipped(&format!("fixed all skip=none {members}")),
        "1 & 2@D & 3 & sofia/gateway/g/1"
    );
}

#[test]
fn the_caller_does_not_ring_at_himself() {
    let groups = groups(&[("a", "fixed all / 1 / 2")]);
    let caller = Caller {
        call: "x".to_owned(),
        presence: Some("1@d".to_owned()),
    };
    let it = groups
        .expand("a", caller, NOW, 1, &Nothing)
        .expect("a group");
    assert_eq!(drawn(&it), "2, not 1:self");
}

#[test]
fn ring_anyway_rings_those_who_are_busy_also_when_the_stage_begins() {
    let groups = groups(&[("a", "fixed one when-all-busy=ring-anyway / 1 / 2")]);
    busy(&groups, "1");
    busy(&groups, "2");
    let mut it = expand(&groups, "a", "x");
    assert_eq!(drawn(&it), "1 then 2");
    assert_eq!(begun(&it.begin(&groups, 0, NOW, &Nothing)), "1");
    assert_eq!(begun(&it.begin(&groups, 1, NOW, &Nothing)), "2");
}

#[test]
fn what_becomes_of_a_call_for_nobody() {
    for (word, expected) in [
        ("overflow", WhenAllBusy::Overflow),
        ("wait", WhenAllBusy::Wait),
    ] {
        let groups = groups(&[("a", &format!("fixed one when-all-busy={word} / 1"))]);
        assert_eq!(expand(&groups, "a", "x").nobody, None);
        busy(&groups, "1");
        let it = expand(&groups, "a", "x");
        assert_eq!((it.stages.len(), it.nobody), (0, Some(expected)));
    }
}

#[test]
fn other_groups_come_into_force_and_a_call_keeps_its_own() {
    let groups = groups(&[("a", "rotate one / 1 / 2 / 3")]);
    let mut it = expand(&groups, "a", "x");
    groups.replace(read(&[("a", "rotate one / 2 / 4")]).expect("good"));
    assert_eq!(begun(&it.begin(&groups, 1, NOW, &Nothing)), "2");
    drop(it);
    assert_eq!(drawn(&expand(&groups, "a", "y")), "2 then 4");
}

#[test]
fn a_group_is_shown_with_its_members_states() {
    let groups = groups(&[("a", "rotate one / 1 / 2 / 3")]);
    drop(expand(&groups, "a", "x"));
    busy(&groups, "2");
    let shown = groups.show("a", NOW, 1, &Nothing).expect("a group");
    let lines: Vec<_> = shown
        .iter()
        .map(|it| (name(&it.pick), it.why, it.turn, it.state.calls))
        .collect();
    let line = |name: &str, why, turn, calls| (name.to_owned(), why, turn, calls);
    let expected = [
        line("1", None, Some(2), 0),
        line("2", Some(Why::Busy), None, 1),
        line("3", None, Some(1), 0),
    ];
    assert_eq!(lines, expected);
}

/// Random calls over random groups: nobody who must be skipped rings, and nobody stays reserved.
#[test]
fn every_reservation_is_given_back() {
    let rounds = if cfg!(debug_assertions) { 300 } else { 20_000 };
    let mut dice: u64 = 88_172_645_463_325_252;
    let mut below = move |limit: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice >> 20) % limit
    };
    let orders = [
        "fixed",
        "rotate",
        "longest-idle",
        "fewest-calls",
        "random",
        "weighted",
    ];
    let steps = ["all", "one", "progressive", "2"];
    for _ in 0..rounds {
        let order = orders[below(6) as usize];
        let step = steps[below(4) as usize];
        let inner = steps[below(2) as usize].replace("one", "all");
        let tier = 1 + below(2);
        let groups = groups(&[
            (
                "a",
                &format!("{order} {step} / 1 / 2 / 3 tier={tier} / ring/b tier=3"),
            ),
            ("b", &format!("fixed {inner} / 4 / 5")),
        ]);
        let mut calls: Vec<(Expansion, usize)> = Vec::new();
        for nth in 0..12 {
            match below(4) {
                0 => calls.push((expand(&groups, "a", &format!("call {nth}")), 0)),
                1 if !calls.is_empty() => {
                    let which = below(calls.len() as u64) as usize;
                    let (call, stage) = &mut calls[which];
                    let begun = call.begin(&groups, *stage, NOW, &Nothing);
                    *stage += 1;
                    let kept = below(3);
                    if kept == 0 {
                        call.settle(begun.members.first());
                    }
                }
                2 if !calls.is_empty() => {
                    drop(calls.swap_remove(below(calls.len() as u64) as usize))
                }
                _ => {}
            }
            let states = groups
                .members()
                .states(["1@d", "2@d", "3@d", "4@d", "5@d"], "", NOW);
            assert!(
                states.iter().all(|it| it.calls <= 1),
                "one call at a time: {states:?}"
            );
        }
        drop(calls);
        assert_eq!(groups.members().size(), (0, 0));
    }
}

/// Another call that reserves 1 just after it was seen free.
struct Snatch<'a>(&'a Groups, RefCell<Option<Reservation>>);

impl Known for Snatch<'_> {
    fn registered(&self, _: &str) -> Option<bool> {
        None
    }

    fn do_not_disturb(&self, _: &str) -> bool {
        let mut held = self.1.borrow_mut();
        if held.is_none() {
            *held = self.0.members().reserve("1@d", "another call", 1);
        }
        false
    }
}

#[test]
fn who_is_snatched_away_is_skipped_and_the_turn_is_the_next_ones() {
    let groups = groups(&[("a", "rotate one / 1 / 2 / 3")]);
    let snatch = Snatch(&groups, RefCell::default());
    let it = groups.expand("a", call("x"), NOW, 1, &snatch);
    let it = it.expect("a group");
    assert_eq!(drawn(&it), "2 then 3, not 1:busy");
    drop((it, snatch));
    let mut it = expand(&groups, "a", "y");
    assert_eq!(drawn(&it), "3 then 1 then 2");
    // Also when his stage begins.
    let snatch = Snatch(&groups, RefCell::default());
    assert_eq!(begun(&it.begin(&groups, 1, NOW, &snatch)), ", not 1:busy");
}
