//! How long it takes to read a plan: one that people write, and 64 KiB of text that wants to hurt.
//! Promised: ten targets with variables under 10 µs, hostile text under 5 ms.
//! Run with `cargo bench --bench plan`.

use criterion::{Criterion, criterion_group, criterion_main};
use mod_cti::plan::{Limits, parse};
use std::hint::black_box;

fn everyday(c: &mut Criterion) {
    let target = "[leg_timeout=15,sip_h_X-Queue='sales, night']user/1003@example.com";
    let plan = format!("{{ignore_early_media=true}}{}", [target; 10].join(","));
    c.bench_function("ten targets with variables", |b| {
        b.iter(|| parse(black_box(&plan), &Limits::default()));
    });
    let parsed = parse(&plan, &Limits::default()).expect("a good plan");
    c.bench_function("print ten targets", |b| {
        b.iter(|| black_box(&parsed).to_string())
    });
}

fn hostile(c: &mut Criterion) {
    // As in service: most shapes are read to the end, those made of targets stop at the limit.
    let limits = Limits::default();
    for unit in [
        "[",
        "'",
        "\\",
        "^^[",
        "{",
        "[]",
        "'|",
        "'a,[x']",
        "[a=']',",
        "[a=']u',",
        "[a='x',",
        "'|^^:;['",
        "'\\,[",
        "[ ' ]",
        "' ",
        "u/1,",
        "u:_:",
        "[a=b]u/1|",
        "{a={b=",
        "\u{1f4de}",
    ] {
        let text = unit.repeat(65_536 / unit.len());
        c.bench_function(&format!("64 KiB of {unit}"), |b| {
            b.iter(|| parse(black_box(&text), &limits));
        });
    }
    for (open, close) in [("[", "]"), ("{", "}"), ("<", ">")] {
        let text = open.repeat(32_000) + &close.repeat(32_000) + "user/1";
        c.bench_function(&format!("{open} nested 32000 deep"), |b| {
            b.iter(|| parse(black_box(&text), &limits));
        });
    }
    let one_block = format!("{{{}}}user/1", "a='b',".repeat(10_000));
    c.bench_function("10000 variables in a block", |b| {
        b.iter(|| parse(black_box(&one_block), &limits));
    });
}

criterion_group! {
    name = plan;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600));
    targets = everyday, hostile
}
criterion_main!(plan);
