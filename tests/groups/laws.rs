//! Laws over random histories: calls come, members come, go, are busy and are free again.
//! `GROUPS_SOAK` says how many histories are played.

use super::table::drawn;
use super::write::group;
use mod_cti::groups::config::{Group, Order, STRATEGIES, Skip, Step, WhenAllBusy};
use mod_cti::groups::memory::{Ask, Note, Store};
use mod_cti::groups::order::{Caller, Moment, Seen, State, eligible, order, why_skipped};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

const ORDERS: [Order; 6] = [
    Order::Fixed,
    Order::Rotate,
    Order::LongestIdle,
    Order::FewestCalls,
    Order::Random,
    Order::Weighted,
];
const STEPS: [Step; 5] = [
    Step::All,
    Step::One,
    Step::Progressive,
    Step::Some(2),
    Step::Some(3),
];

/// A group with so many members, 1, 2, 3 …, in these tiers.
fn members(count: usize, tiers: &[u32]) -> Group {
    let members: String = (1..=count)
        .map(|nth| {
            let tier = tiers.get(nth - 1).copied().unwrap_or(1);
            format!(" / {nth} tier={tier} wrapup=10")
        })
        .collect();
    Group::clone(&group(&format!("fixed all{members}")))
}

#[derive(Debug, Clone)]
struct Drawn {
    group: Group,
    states: Vec<State>,
    seen: Vec<Seen>,
    caller: Caller,
    seed: u64,
}

const NOW: Moment = Moment(10_000_000);

fn skips() -> impl Strategy<Value = Skip> {
    any::<[bool; 6]>().prop_map(|[busy, dnd, yourself, unregistered, paused, wrapup]| Skip {
        busy,
        dnd,
        yourself,
        unregistered,
        paused,
        wrapup,
    })
}

fn state() -> impl Strategy<Value = State> {
    let flags = any::<[bool; 3]>();
    (0..3_u32, flags, proptest::option::of(0..20_000_u64)).prop_map(
        |(calls, [dnd, paused, unregistered], finished)| State {
            calls: calls.saturating_sub(1),
            dnd,
            paused,
            finished: finished.map(|ago| Moment(NOW.0 - ago)),
            unregistered,
            nobody_free: false,
        },
    )
}

fn seen() -> impl Strategy<Value = Seen> {
    (0..9_u64, 0..9_u64, proptest::option::of(0..9_u64), 0..4_u64).prop_map(
        |(turn, offer, ended, calls)| Seen {
            turn,
            offer,
            ended: ended.map(Moment),
            calls,
        },
    )
}

fn drawings() -> impl Strategy<Value = Drawn> {
    (1..12_usize).prop_flat_map(|count| {
        (
            proptest::collection::vec(1..4_u32, count),
            proptest::collection::vec(state(), count),
            proptest::collection::vec(seen(), count),
            proptest::sample::select(&ORDERS[..]),
            proptest::sample::select(&STEPS[..]),
            skips(),
            0..=count,
            any::<(u64, bool)>(),
        )
            .prop_map(
                move |(tiers, states, seen, order, step, skip, caller, (seed, anyway))| {
                    let mut group = members(count, &tiers);
                    group.order = order;
                    group.step = step;
                    group.skip = skip;
                    if anyway {
                        group.when_all_busy = WhenAllBusy::RingAnyway;
                    }
                    let presence = group.members.get(caller).map(|it| it.key.clone());
                    let caller = Caller {
                        call: "c".to_owned(),
                        presence,
                    };
                    Drawn {
                        group,
                        states,
                        seen,
                        caller,
                        seed,
                    }
                },
            )
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 1_000 } else { 20_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_member_rings_once_or_is_skipped(it in drawings()) {
        let ordered = order(&it.group, &it.seen, &it.states, &it.caller, NOW, it.seed);
        let rings = ordered.stages.iter().flat_map(|stage| stage.members.iter().copied());
        let mut all: Vec<_> = rings.chain(ordered.skipped.iter().map(|it| it.0)).collect();
        all.sort_unstable();
        let everybody: Vec<_> = (0..it.group.members.len()).collect();
        prop_assert_eq!(all, everybody);
    }

    #[test]
    fn nobody_rings_who_must_be_skipped(it in drawings()) {
        let ordered = order(&it.group, &it.seen, &it.states, &it.caller, NOW, it.seed);
        let why = |place: usize| {
            why_skipped(&it.group, &it.group.members[place], &it.states[place], &it.caller, NOW)
        };
        let rings = ordered.stages.iter().flat_map(|stage| &stage.members);
        let reasons: BTreeSet<_> = rings.filter_map(|&place| why(place)).map(|it| it.name()).collect();
        let anyway = it.group.when_all_busy == WhenAllBusy::RingAnyway
            && (0..it.states.len()).all(|place| why(place).is_some());
        let may: BTreeSet<_> = if anyway { BTreeSet::from(["busy", "wrapup"]) } else { BTreeSet::new() };
        prop_assert!(reasons.is_subset(&may), "{reasons:?}");
        for (place, told) in ordered.skipped {
            prop_assert_eq!(why(place), Some(told));
        }
    }

    #[test]
    fn stages_are_full_and_of_one_tier_and_tiers_come_in_order(it in drawings()) {
        let ordered = order(&it.group, &it.seen, &it.states, &it.caller, NOW, it.seed);
        let stages = &ordered.stages;
        let tier = |place: usize| it.group.members[place].tier;
        for stage in stages {
            prop_assert!(!stage.members.is_empty());
            prop_assert!(stage.members.iter().all(|&place| tier(place) == stage.tier));
            prop_assert!(stage.members.len() <= it.group.step.size());
        }
        for pair in stages.windows(2) {
            prop_assert!(pair[0].tier <= pair[1].tier);
            let full = pair[0].members.len() == it.group.step.size();
            prop_assert!(full || pair[0].tier < pair[1].tier);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_choice(it in drawings()) {
        let choose = || order(&it.group, &it.seen, &it.states, &it.caller, NOW, it.seed);
        prop_assert_eq!(drawn(&it.group, &choose()), drawn(&it.group, &choose()));
    }

    /// Whoever rings later in the tier is in no way the better choice.
    #[test]
    fn longest_idle_and_fewest_calls_never_pick_a_worse_one(it in drawings()) {
        for by in [Order::LongestIdle, Order::FewestCalls] {
            let group = Group { order: by, step: Step::One, ..it.group.clone() };
            let ordered = order(&group, &it.seen, &it.states, &it.caller, NOW, it.seed);
            for pair in ordered.stages.windows(2) {
                let [one, other] = [pair[0].members[0], pair[1].members[0]];
                if group.members[one].tier != group.members[other].tier {
                    continue;
                }
                let (first, second) = (it.seen[one], it.seen[other]);
                if by == Order::FewestCalls {
                    prop_assert!(first.calls <= second.calls);
                } else {
                    let (idle, busy) = (it.states[one].calls == 0, it.states[other].calls > 0);
                    prop_assert!(idle || busy);
                    if idle != busy {
                        prop_assert!(first.ended.is_none_or(|ended| second.ended.is_some_and(|it| ended <= it)));
                    }
                }
            }
        }
    }

    /// Over n·k calls with all free everybody is first exactly n times, whatever happens in between.
    #[test]
    fn rotation_is_exact(count in 1..9_usize, rounds in 1..5_usize, answers in any::<u64>()) {
        let group = Group { order: Order::Rotate, step: Step::One, ..members(count, &[]) };
        let mut history = History::new(group);
        let mut first = vec![0; count];
        for nth in 0..count * rounds {
            let ordered = history.call();
            let taker = ordered[0];
            first[taker] += 1;
            if answers >> (nth % 64) & 1 == 1 {
                let last = *ordered.last().expect("a member");
                history.answered(last);
            }
        }
        prop_assert_eq!(first, vec![rounds; count]);
    }
}

/// A group and what is remembered of it, call after call.
struct History {
    group: Group,
    store: Store,
    states: Vec<State>,
    now: Moment,
    calls: u64,
}

impl History {
    fn new(group: Group) -> History {
        let states = vec![State::default(); group.members.len()];
        History {
            group,
            store: Store::default(),
            states,
            now: NOW,
            calls: 0,
        }
    }

    /// The order in which this call's members ring, by their places.
    fn call(&mut self) -> Vec<usize> {
        self.calls += 1;
        self.now.0 += 1_000;
        self.same_moment()
    }

    fn same_moment(&mut self) -> Vec<usize> {
        let caller = Caller::default();
        let (free, _) = eligible(&self.group, &self.states, &caller, self.now);
        let ask = Ask {
            group: &self.group,
            free: &free,
            states: &self.states,
            seed: self.calls,
            now: self.now,
            patience: Duration::ZERO,
        };
        let seen = self.store.take(&ask);
        let ordered = order(
            &self.group,
            &seen,
            &self.states,
            &caller,
            self.now,
            self.calls,
        );
        ordered
            .stages
            .into_iter()
            .flat_map(|stage| stage.members)
            .collect()
    }

    fn answered(&mut self, place: usize) {
        let member = self.group.members[place].key.clone();
        let group = self.group.name.clone();
        let window = self.group.window;
        let answered = Note::Answered {
            group: group.clone(),
            member: member.clone(),
            window,
        };
        self.store.note(&answered, self.now);
        self.now.0 += 500;
        let ended = Note::Ended {
            group: Some(group),
            member,
        };
        self.store.note(&ended, self.now);
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 20) % limit) as usize
    }
}

fn histories() -> u64 {
    let usual = if cfg!(debug_assertions) { 300 } else { 20_000 };
    let said = std::env::var("GROUPS_SOAK").ok();
    said.and_then(|it| it.parse().ok()).unwrap_or(usual)
}

/// Some members stay and are always free; others come, go, are busy and are free again.
#[test]
fn rotation_is_fair_to_those_who_are_always_there() {
    for seed in 1..=histories() {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let steady = 2 + dice.below(4);
        let guests: Vec<_> = members(12, &[]).members.split_off(steady);
        let group = Group {
            order: Order::Rotate,
            step: Step::One,
            ..members(steady, &[])
        };
        let names: Vec<_> = group.members.iter().map(|it| it.key.clone()).collect();
        let mut history = History::new(group);
        let mut turns: HashMap<String, u32> = HashMap::new();
        for nth in 0..30 + dice.below(30) {
            match dice.below(4) {
                0 => {
                    let guest = guests[dice.below(guests.len() as u64)].clone();
                    let there = history
                        .group
                        .members
                        .iter()
                        .position(|it| it.key == guest.key);
                    if let Some(place) = there {
                        history.group.members.remove(place);
                        history.states.remove(place);
                    } else {
                        let place = dice.below(history.group.members.len() as u64 + 1);
                        history.group.members.insert(place, guest);
                        history.states.insert(place, State::default());
                    }
                }
                1 => {
                    let place = dice.below(history.states.len() as u64);
                    if !names.contains(&history.group.members[place].key) {
                        history.states[place].calls ^= 1;
                    }
                }
                _ => {}
            }
            let taker = history.call()[0];
            *turns
                .entry(history.group.members[taker].key.clone())
                .or_default() += 1;
            let of = |name: &String| turns.get(name).copied().unwrap_or_default();
            let most = names.iter().map(of).max();
            let least = names.iter().map(of).min();
            let apart = most.unwrap_or_default() - least.unwrap_or_default();
            assert!(apart <= 1, "history {seed}, call {nth}: {turns:?}");
        }
    }
}

#[test]
fn calls_of_one_moment_begin_with_different_members() {
    for order in [Order::Rotate, Order::LongestIdle, Order::FewestCalls] {
        for step in [Step::One, Step::Progressive] {
            let group = Group {
                order,
                step,
                ..members(5, &[])
            };
            let mut history = History::new(group);
            let first: BTreeSet<_> = (0..5).map(|_| history.same_moment()[0]).collect();
            assert_eq!(first.len(), 5, "{order:?} {step}: {first:?}");
        }
    }
}

#[test]
fn n_at_a_time_take_n_turns() {
    let group = Group {
        order: Order::Rotate,
        step: Step::Some(2),
        ..members(5, &[])
    };
    let mut history = History::new(group);
    let first: Vec<_> = (0..5).map(|_| history.call()[..2].to_vec()).collect();
    assert_eq!(first, [[0, 1], [2, 3], [4, 0], [1, 2], [3, 4]]);
}

/// Calls are answered by whoever is first: nobody gets two more than another, newcomers among them.
#[test]
fn a_newcomer_starts_at_the_least_of_the_group() {
    let mut group = Group {
        order: Order::FewestCalls,
        step: Step::One,
        ..members(4, &[])
    };
    let newcomer = group.members.pop().expect("the fourth");
    let mut history = History::new(group);
    for _ in 0..30 {
        let first = history.call()[0];
        history.answered(first);
    }
    history.group.members.push(newcomer);
    history.states.push(State::default());
    let seen = history.store.look(&history.group, history.now);
    assert_eq!(seen[3].calls, 10, "of thirty calls each of three has ten");
    let mut answered = [0; 4];
    for _ in 0..40 {
        let first = history.call()[0];
        answered[first] += 1;
        history.answered(first);
    }
    assert_eq!(answered, [10; 4]);
}

#[test]
fn calls_before_the_window_are_forgotten() {
    let group = Group {
        order: Order::FewestCalls,
        step: Step::One,
        window: Duration::from_secs(100),
        ..members(2, &[])
    };
    let mut history = History::new(group);
    history.call();
    for _ in 0..5 {
        history.answered(0);
    }
    assert_eq!(history.call(), [1, 0]);
    history.now.0 += 60_000;
    history.answered(1);
    assert_eq!(history.call(), [1, 0]);
    history.now.0 += 60_000;
    assert_eq!(
        history.call(),
        [0, 1],
        "of the six calls one is still in the window"
    );
}

#[test]
fn weights_are_kept_within_two_in_a_hundred() {
    const DRAWS: u64 = 100_000;
    let group = group("weighted one / 1 weight=1 / 2 weight=2 / 3 weight=3 / 4 weight=4");
    let seen = [Seen::default(); 4];
    let states = [State::default(); 4];
    let mut first = [0_u32; 4];
    let mut second_after_four = [0_u32; 4];
    for seed in 0..DRAWS {
        let ordered = order(&group, &seen, &states, &Caller::default(), NOW, seed);
        let row: Vec<_> = ordered
            .stages
            .iter()
            .map(|stage| stage.members[0])
            .collect();
        first[row[0]] += 1;
        if row[0] == 3 {
            second_after_four[row[1]] += 1;
        }
    }
    for (place, count) in first.into_iter().enumerate() {
        let share = f64::from(count) / DRAWS as f64;
        let due = (place + 1) as f64 / 10.0;
        assert!(
            (share - due).abs() <= 0.02 * due.max(0.2),
            "{place}: {share} instead of {due}"
        );
    }
    // Without replacement: the others keep their weights among themselves.
    let rest = f64::from(second_after_four.iter().sum::<u32>());
    for (place, count) in second_after_four.into_iter().enumerate().take(3) {
        let (share, due) = (f64::from(count) / rest, (place + 1) as f64 / 6.0);
        assert!(
            (share - due).abs() <= 0.01,
            "{place}: {share} instead of {due}"
        );
    }
}

#[test]
fn random_is_even() {
    const DRAWS: u64 = 60_000;
    let group = group("random one / 1 / 2 / 3");
    let mut orders: HashMap<String, u32> = HashMap::new();
    for seed in 0..DRAWS {
        let ordered = order(
            &group,
            &[Seen::default(); 3],
            &[State::default(); 3],
            &Caller::default(),
            NOW,
            seed,
        );
        *orders.entry(drawn(&group, &ordered)).or_default() += 1;
    }
    assert_eq!(orders.len(), 6, "{orders:?}");
    for (order, count) in orders {
        let share = f64::from(count) / DRAWS as f64;
        assert!((share - 1.0 / 6.0).abs() < 0.01, "{order}: {share}");
    }
}

#[test]
fn every_name_of_another_system_means_an_order_and_a_step_that_exist() {
    let names: BTreeSet<_> = STRATEGIES.iter().map(|it| it.0).collect();
    assert_eq!(names.len(), STRATEGIES.len());
    assert!(
        STRATEGIES
            .iter()
            .all(|it| ORDERS.contains(&it.1) && STEPS.contains(&it.2))
    );
}

/// What is remembered does not grow with the calls.
#[test]
fn the_memory_does_not_grow() {
    let group = Group {
        order: Order::FewestCalls,
        step: Step::One,
        window: Duration::from_secs(60),
        ..members(3, &[])
    };
    let mut history = History::new(group);
    let size = |store: &Store| serde_json::to_string(store).map_or(0, |text| text.len());
    let mut sizes = Vec::new();
    for _ in 0..1_000 {
        let first = history.call()[0];
        history.answered(first);
        sizes.push(size(&history.store));
    }
    assert!(
        sizes[999] < sizes[100] * 2,
        "{} after {}",
        sizes[999],
        sizes[100]
    );
}

/// The memory is by names: the same members in another order lose nothing.
#[test]
fn who_has_had_his_turn_is_known_by_name() {
    let base = Arc::new(Group {
        order: Order::Rotate,
        step: Step::One,
        ..members(3, &[])
    });
    let mut history = History::new(Group::clone(&base));
    history.call();
    history.call();
    history.group.members.swap(0, 2);
    let first = history.call()[0];
    assert_eq!(
        history.group.members[first].key, "1@d",
        "after 2 comes 1 now"
    );
}
