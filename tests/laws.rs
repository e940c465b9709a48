//! The laws of the ring machine on random calls, on every interleaving of a few legs and on events
//! in no order at all, and the soak. What each law says stands at `Law`.

#[path = "ring/mod.rs"]
mod model;

use model::{Dice, Law, Switch, disorder, every_interleaving};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Where one of the laws does not hold in this call.
fn broken(law: Law, faces: &[u8]) -> Option<String> {
    let played = Switch::new(&mut Dice::bytes(faces), false).run();
    played
        .faults
        .into_iter()
        .find(|(broken, _)| *broken == law)
        .map(|(_, fault)| fault)
}

/// What is rolled for one call; where it ends, zeros follow.
fn faces() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..800)
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(debug_assertions) { 400 } else { 4_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

macro_rules! laws {
    ($($name:ident: $law:ident;)*) => {
        proptest! {
            #![proptest_config(cases())]
            $(#[test]
            fn $name(faces in faces()) {
                prop_assert_eq!(broken(Law::$law, &faces), None);
            })*
        }
    };
}

laws! {
    a_call_has_one_winner_or_one_end: OneVerdict;
    nothing_starts_after_the_end: NothingAfterTheEnd;
    a_stage_begins_when_the_one_before_has_ended: StagesInOrder;
    no_deadline_comes_early: NeverEarly;
    nothing_due_is_left_undone: NeverLate;
    the_next_deadline_is_always_armed_and_never_past: WokenInTime;
    every_leg_has_one_end: OneEndEach;
    an_answer_counts_unless_the_call_was_decided: AnswersCount;
    the_result_is_the_most_telling_one: TrueResult;
    only_ringing_legs_are_hung_up_and_once: HangUpsAreDue;
    nothing_is_commanded_to_a_leg_that_has_ended: EndedAreLeftAlone;
    a_stage_of_which_nothing_is_left_goes_on_at_once: StagesGoOn;
    a_required_leg_takes_its_stage_with_it: RequiredLegs;
    no_command_names_what_does_not_exist: KnownIds;
    every_phone_is_told_the_truth: TrueCauses;
    every_leg_has_its_true_role: TrueRoles;
    a_phone_that_has_moved_is_followed_so_far_and_no_further: Redirects;
    nothing_is_left_over: NothingLeft;
}

proptest! {
    #![proptest_config(cases())]

    /// Phones that never even ring: deadlines alone bring the call to its end.
    #[test]
    fn deadlines_alone_end_every_call(faces in faces()) {
        let played = Switch::new(&mut Dice::bytes(&faces), true).run();
        prop_assert_eq!(played.faults, vec![]);
    }

    #[test]
    fn events_in_no_order_bring_one_verdict(faces in faces()) {
        prop_assert_eq!(disorder(&mut Dice::bytes(&faces)), Ok(()));
    }
}

#[test]
fn every_interleaving_of_two_and_three_legs_has_one_winner_or_one_end() {
    for legs in [2, 3] {
        let began = Instant::now();
        let played = every_interleaving(legs).unwrap_or_else(|fault| panic!("{fault}"));
        let took = began.elapsed().as_secs_f64();
        println!("{legs} legs: {played} interleavings in {took:.1} s");
    }
}

/// What must have happened, and often, before the soak says anything.
const HAPPENINGS: &[&str] = &[
    "answered",
    "answered too late",
    "no_answer",
    "busy",
    "rejected",
    "unreachable",
    "cancelled",
    "registered late",
    "found one by one",
    "stages found out",
    "confirmed",
    "add",
    "drop",
    "skip",
    "extend",
    "cancel",
    "two operators at once",
    "early media",
    "left unanswered",
    "could not be made",
    "hung up before it was dialled",
    "spared",
    "followed",
];

/// All laws at once over many calls: `RING_SOAK_CALLS` says how many, `RING_SOAK_FIRST` the seed of
/// the first.
#[test]
fn soak() {
    let usual = if cfg!(debug_assertions) {
        4_000
    } else {
        300_000
    };
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let calls: u64 = number("RING_SOAK_CALLS").unwrap_or(usual);
    let first: u64 = number("RING_SOAK_FIRST").unwrap_or(0);
    let (began, mut events) = (Instant::now(), 0);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut broken: BTreeMap<Law, (u64, u64, String)> = BTreeMap::new();
    for seed in first..first + calls {
        let played = Switch::new(&mut Dice::seeded(seed), false).run();
        events += played.events;
        for (what, times) in played.seen {
            *seen.entry(what).or_default() += times;
        }
        let mut laws = BTreeSet::new();
        for (law, fault) in played.faults {
            if laws.insert(law) {
                broken.entry(law).or_insert((0, seed, fault)).0 += 1;
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let rate = calls as f64 / took;
    println!("{calls} calls, {events} events in {took:.1} s: {rate:.0} calls a second\n{seen:?}");
    let lines = broken.iter().map(|(law, (count, seed, fault))| {
        format!("{law:?} in {count} calls; call {seed}: {fault}")
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    let seldom = |what: &&&str| seen.get(**what).is_none_or(|&times| times < calls / 1_000);
    let rare: Vec<_> = HAPPENINGS.iter().filter(seldom).collect();
    assert!(rare.is_empty(), "hardly ever happened: {rare:?}");
}
