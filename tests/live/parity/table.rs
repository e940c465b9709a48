//! Every parity scenario: a call, what both applications must show of it, and where they may differ.
//! Times are short, since each call is made twice.
//! A line of `sees` must be in both stories, so that no comparison is one of nothing with nothing.

use super::Pair;
use crate::scenarios::{Behaviour::*, Caller::*, Phone};

const fn phone(name: &'static str, does: crate::scenarios::Behaviour) -> Phone {
    Phone {
        name,
        user: name.split_at(4).0,
        does,
    }
}

const PLAIN: Pair = Pair {
    name: "",
    plan: "",
    caller: Waits,
    variables: &[],
    before: &[],
    typed: &[],
    phones: &[],
    sees: &[],
    differs: &[],
};

pub const PAIRS: &[Pair] = &[
    Pair {
        name: "parity_one_leg",
        plan: "user/1002",
        phones: &[phone("1002", Answers(300))],
        sees: &[
            "1002: gets INVITE",
            "caller: gets 200 to INVITE",
            "caller: BRIDGE",
        ],
        ..PLAIN
    },
    Pair {
        name: "parity_fork",
        plan: "user/1002,user/1003",
        phones: &[phone("1002", Answers(400)), phone("1003", Rings)],
        sees: &[
            "1003: CANCEL Reason=SIP;cause=200;text=\"Call completed elsewhere\"",
            "caller: gets 200 to INVITE",
        ],
        ..PLAIN
    },
    Pair {
        name: "parity_sequence",
        plan: "user/1002|user/1003",
        phones: &[
            phone("1002", Rejects(486, 100)),
            phone("1003", Answers(200)),
        ],
        sees: &["1002: sends 486 to INVITE", "1003: gets ACK"],
        ..PLAIN
    },
    Pair {
        name: "parity_all_fail",
        plan: "user/1002,user/1003",
        phones: &[
            phone("1002", Rejects(486, 100)),
            phone("1003", Rejects(486, 200)),
        ],
        sees: &["caller: gets 486 to INVITE"],
        ..PLAIN
    },
];
