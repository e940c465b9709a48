//! How long it takes to choose among a thousand members. Promised: under 200 µs.
//! Run with `cargo bench --bench groups`.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mod_cti::groups::config::{Config, Element};
use mod_cti::groups::memory::{Ask, Local, Memory};
use mod_cti::groups::order::{Caller, Moment, State, order};
use mod_cti::groups::{Groups, Nothing};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const ORDERS: [&str; 6] = [
    "fixed",
    "rotate",
    "longest-idle",
    "fewest-calls",
    "random",
    "weighted",
];

fn config(by: &str) -> Config {
    let element = |name: &str, attributes: &[(&str, String)], children| Element {
        name: name.to_owned(),
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        children,
    };
    let member = |nth| element("member", &[("target", format!("user/{nth}"))], Vec::new());
    let attributes = [
        ("name", "g".to_owned()),
        ("order", by.to_owned()),
        ("step", "one".to_owned()),
    ];
    let group = element("group", &attributes, (1..=1_000).map(member).collect());
    let groups = element("groups", &[], vec![group]);
    Config::read(&[groups], Some("d")).expect("a good group")
}

fn choose(c: &mut Criterion) {
    for by in ORDERS {
        let group = Arc::clone(&config(by).groups["g"]);
        let states = vec![State::default(); 1_000];
        let free: Vec<_> = (0..1_000).collect();
        let memory = Local::default();
        let first = Ask {
            group: &group,
            free: &free,
            states: &states,
            seed: 0,
            now: Moment(0),
            patience: Duration::ZERO,
        };
        // From now on everybody is known.
        memory.take(&first);
        let mut seed = 0;
        c.bench_function(&format!("choose among 1000 by {by}"), |b| {
            b.iter(|| {
                seed += 1;
                let ask = Ask {
                    group: &group,
                    free: &free,
                    states: &states,
                    seed,
                    now: Moment(seed),
                    patience: Duration::ZERO,
                };
                let (seen, _) = memory.look(&ask);
                let caller = Caller::default();
                black_box(order(&group, &seen, &states, &caller, ask.now, seed))
            });
        });
    }
}

/// All of it: states, the turn, a reservation, and both given back.
fn expand(c: &mut Criterion) {
    for by in ORDERS {
        let groups = Groups::new(config(by), Arc::new(Local::default()));
        let caller = || Caller {
            call: "call".to_owned(),
            presence: None,
        };
        c.bench_function(&format!("expand a group of 1000 by {by}"), |b| {
            b.iter_batched(
                caller,
                |caller| groups.expand("g", caller, Moment(1), 1, &Nothing),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group! {
    name = groups;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600));
    targets = choose, expand
}
criterion_main!(groups);
