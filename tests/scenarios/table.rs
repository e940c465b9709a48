//! The scenarios: a plan, the phones, and what must then be seen.
//! Every expectation is written from the promises of `cti_bridge`, not from what `bridge` does.
//! Lower bounds of deadlines are exact (never early); upper bounds leave room for a slow machine.

use super::{Behaviour::*, Caller::*, Expect, Phone, Ring, Scenario, Told::*};

/// The groups that both switches know: name and users, in order.
pub const GROUPS: &[(&str, &[&str])] = &[("team1000", &["1002", "1003"])];

/// A plain end on which each expectation is built.
const NOBODY: Expect = Expect {
    result: "no_answer",
    cause: "NO_ANSWER",
    winner: None,
    stage: 1,
    rings: &[],
    variables: &[],
    headers: &[],
    or: &[],
};

const fn phone(name: &'static str, does: super::Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}

const fn ring(phone: &'static str, from: (u64, u64), to: (u64, u64), told: super::Told) -> Ring {
    Ring {
        phone,
        from,
        to,
        told,
    }
}

pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "fork_second_answers",
    plan: "user/1002,user/1003",
    caller: Waits,
    variables: &[],
    phones: &[phone("1002", Rings), phone("1003", Answers(800))],
    expect: Expect {
        result: "answered",
        cause: "SUCCESS",
        winner: Some("1003"),
        rings: &[
            ring("1002", (0, 400), (800, 1300), Elsewhere),
            ring("1003", (0, 400), (800, 1300), Joined),
        ],
        variables: &[("cti_winner", "user/1003")],
        ..NOBODY
    },
}];
