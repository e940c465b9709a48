//! Every combination of two and of three ways to fail, together and one after another: the one cause
//! that the call has, and the leg whose phone has said so, whose SIP status the caller is told.

use super::story::Table;
use mod_cti::ring::{Cause, Command, Event, LegId, Outcome};

/// How one leg fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// The contact's words in the table's language.
    words: &'static str,
    rings: bool,
    /// It answers, and nobody confirms that.
    answers: bool,
    /// What its phone says; `None`: the leg's own time is over.
    ends: Option<Cause>,
    /// The smaller, the more telling.
    rank: u8,
    outcome: Outcome,
    cause: Cause,
    /// Its phone has given this very reason.
    says_so: bool,
}

const fn says(cause: Cause, rings: bool, (rank, outcome, told): (u8, Outcome, Cause)) -> Way {
    Way {
        words: "",
        rings,
        answers: false,
        ends: Some(cause),
        rank,
        outcome,
        cause: told,
        says_so: cause.0 == told.0,
    }
}

const RANG: (u8, Outcome, Cause) = (0, Outcome::NoAnswer, Cause::NO_ANSWER);
const BUSY: (u8, Outcome, Cause) = (1, Outcome::Busy, Cause::USER_BUSY);
const REJECTED: (u8, Outcome, Cause) = (2, Outcome::Rejected, Cause::CALL_REJECTED);

const fn unreachable(cause: Cause) -> (u8, Outcome, Cause) {
    (3, Outcome::Unreachable, cause)
}

const UNALLOCATED: Cause = Cause(1);
const TEMPORARY: Cause = Cause(41);

const WAYS: &[Way] = &[
    says(Cause::USER_BUSY, false, BUSY),
    says(Cause::USER_BUSY, true, BUSY),
    says(Cause::BUSY_EVERYWHERE, false, BUSY),
    says(Cause::CALL_REJECTED, true, REJECTED),
    says(Cause::DECLINE, false, REJECTED),
    says(UNALLOCATED, false, unreachable(UNALLOCATED)),
    says(TEMPORARY, true, unreachable(TEMPORARY)),
    says(
        Cause::NO_USER_RESPONSE,
        false,
        (3, Outcome::NoAnswer, Cause::NO_USER_RESPONSE),
    ),
    says(Cause::NO_USER_RESPONSE, true, RANG),
    // Its time is over: it has rung …
    Way {
        words: "/timeout=900",
        ends: None,
        says_so: false,
        ..says(Cause::NO_ANSWER, true, RANG)
    },
    // … or said nothing at all.
    Way {
        words: "/timeout=900",
        ends: None,
        says_so: false,
        ..says(
            Cause::NO_ANSWER,
            false,
            (3, Outcome::NoAnswer, Cause::NO_ANSWER),
        )
    },
    // It hangs up instead of confirming.
    Way {
        words: "/confirm",
        answers: true,
        ..says(Cause::NORMAL_CLEARING, true, RANG)
    },
    // Nobody is registered.
    Way {
        words: "/dead=UNREGISTERED",
        ends: None,
        ..says(
            Cause::USER_NOT_REGISTERED,
            false,
            unreachable(Cause::USER_NOT_REGISTERED),
        )
    },
];

impl Way {
    fn is_dead(self) -> bool {
        self.words.contains("dead")
    }
}

/// A call of these legs: its end, and whose words it repeats. `order`: who fails first.
fn played(ways: &[Way], between: &str, order: &[usize]) -> (Outcome, Cause, Option<LegId>) {
    let leg = |(at, way): (usize, &Way)| format!("{}{}", ["a", "b", "c"][at], way.words);
    let plan: Vec<_> = ways.iter().enumerate().map(leg).collect();
    let mut table = Table::new(&plan.join(between), "");
    let mut end = None;
    let mut feed = |table: &mut Table, at: u64, event: Event| {
        for command in table.feed(at, event) {
            if let Command::Finish { outcome, cause, .. } = command {
                end = Some((outcome, cause));
            }
        }
    };
    feed(&mut table, 0, Event::Begin);
    let mut now = 0;
    for &leg in order.iter().filter(|leg| !ways[**leg].is_dead()) {
        let (way, leg) = (ways[leg], LegId(leg));
        now += 1;
        if way.rings {
            feed(&mut table, now, Event::Ringing(leg));
        }
        if way.answers {
            feed(&mut table, now, Event::Answered(leg));
        }
        match way.ends {
            Some(cause) => feed(&mut table, now, Event::Ended { leg, cause }),
            None => {
                now += 900;
                feed(&mut table, now, Event::Tick);
                let cause = Cause::NO_ANSWER;
                feed(&mut table, now, Event::Ended { leg, cause });
            }
        }
    }
    let (outcome, cause) = end.unwrap_or_else(|| panic!("{ways:?} {between} {order:?}: no end"));
    (outcome, cause, table.ring.teller(cause))
}

fn holds(ways: &[Way], orders: &[Vec<usize>]) {
    let rank = ways.iter().map(|way| way.rank).min();
    let telling = ways.iter().find(|way| Some(way.rank) == rank);
    let telling = telling.expect("there are legs");
    // Of those whose words are the call's cause, the first.
    let same = |way: &Way| way.says_so && way.ends.is_none_or(|said| said == telling.cause);
    let whose = ways
        .iter()
        .position(|way| same(way) && way.cause == telling.cause && !way.answers)
        .map(LegId);
    let expected = (telling.outcome, telling.cause, whose);
    for order in orders {
        // A timeout of legs that ring together ends all that have one at once.
        assert_eq!(played(ways, ",", order), expected, "{ways:?} , {order:?}");
    }
    let in_turn: Vec<usize> = (0..ways.len()).collect();
    let stages = played(ways, "|", &in_turn);
    assert_eq!(stages, expected, "{ways:?} |");
}

#[test]
fn every_two_and_three_ways_to_fail_have_one_cause() {
    // Whose time is over has to wait for it: those come last.
    let waits = |ways: &[Way], order: &Vec<usize>| {
        let timed = |leg: &usize| ways[*leg].words.contains("timeout");
        order.is_sorted_by_key(timed) && order.iter().filter(|leg| timed(leg)).count() < 2
    };
    let orders = |ways: &[Way]| -> Vec<Vec<usize>> {
        let all: &[&[usize]] = match ways.len() {
            2 => &[&[0, 1], &[1, 0]],
            _ => &[
                &[0, 1, 2],
                &[0, 2, 1],
                &[1, 0, 2],
                &[1, 2, 0],
                &[2, 0, 1],
                &[2, 1, 0],
            ],
        };
        let all = all.iter().map(|order| order.to_vec());
        all.filter(|order| waits(ways, order)).collect()
    };
    let mut count = 0;
    for first in WAYS {
        for second in WAYS {
            let pair = [*first, *second];
            holds(&pair, &orders(&pair));
            for third in WAYS {
                let three = [*first, *second, *third];
                holds(&three, &orders(&three));
                count += 1;
            }
        }
    }
    assert_eq!(count, 13 * 13 * 13);
}
