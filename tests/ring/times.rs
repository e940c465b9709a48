//! The table of times: every combination of what somebody may have written, left out or set to 0.
//! The phones are silent, so that times alone end them; each is held to a formula of its own here.

use super::story::ms;
use mod_cti::ring::{Command, Event, LegId, NewLeg, Ring, Settings, Time};
use std::collections::BTreeMap;

/// Milliseconds; 0 is no limit, `None` is not written.
#[derive(Debug, Clone, Copy)]
struct Times {
    stage: Option<u64>,
    /// cti.conf's, for every stage but the last, and for the last.
    default: [u64; 2],
    call: Option<u64>,
    progress: Option<u64>,
    part_delay: u64,
    attempts: u32,
    legs: [Own; 2],
}

/// Of one leg.
#[derive(Debug, Clone, Copy)]
struct Own {
    timeout: Option<u64>,
    progress: Option<u64>,
    delay: u64,
    held: u64,
}

const RETRY_SLEEP: u64 = 730;

type Each = [Option<u64>; 2];

/// When the legs of a stage that begins at `at` are dialled, when they are hung up, and when the
/// stage has ended and whether by its time; `None`: never, or not before the caller leaves.
fn expected(times: &Times, at: u64, last: bool) -> (Each, Each, Option<(u64, bool)>) {
    let over = times.call.unwrap_or(u64::MAX);
    if at >= over {
        return ([None; 2], [None; 2], Some((at, true)));
    }
    let free = times.legs.iter().filter(|leg| leg.held == 0);
    let first = free.map(|leg| leg.delay).min().unwrap_or(0);
    let starts = times.legs.map(|leg| match leg.held {
        0 => at + leg.delay - first,
        held => at + held + leg.delay,
    });
    let own = |leg: usize| Some(starts[leg] + times.legs[leg].timeout?);
    let limit = match (times.stage, times.default[usize::from(last)]) {
        (Some(0), _) | (None, 0) => u64::MAX,
        (Some(written), _) => at + written,
        (None, default) => {
            let longest = own(0).into_iter().chain(own(1)).max();
            (at + default).max(longest.unwrap_or(0))
        }
    };
    let progress = times.progress.map_or(u64::MAX, |limit| at + limit);
    let stage = limit.min(progress).min(over);
    // A leg that is left alone starts when the other has ended, unless it is told to wait.
    let end = |leg: usize, start: u64| {
        let silent = times.legs[leg].progress.map(|limit| start + limit);
        let own = times.legs[leg].timeout.map(|limit| start + limit);
        let ends = own.into_iter().chain(silent).min().unwrap_or(u64::MAX);
        ends.min(stage)
    };
    let mut dialled = starts;
    let (early, late) = if starts[0] <= starts[1] {
        (0, 1)
    } else {
        (1, 0)
    };
    let ends = end(early, starts[early]);
    if times.legs[late].held == 0 && ends < starts[late] {
        dialled[late] = ends;
    }
    let mut hung_up = [0; 2];
    hung_up[early] = ends;
    hung_up[late] = end(late, dialled[late]);
    let rings = |leg: usize| dialled[leg] < stage;
    let seen = |at: u64, leg: usize| Some(at).filter(|at| rings(leg) && *at < u64::MAX);
    let last = match rings(0) && rings(1) {
        true => hung_up[0].max(hung_up[1]),
        false => stage,
    };
    (
        [seen(dialled[0], 0), seen(dialled[1], 1)],
        [seen(hung_up[0], 0), seen(hung_up[1], 1)],
        Some((last, last == limit.min(over))).filter(|(at, _)| *at < u64::MAX),
    )
}

/// What the machine does by the clock alone: each leg's INVITE and its end.
fn played(times: &Times, stages: usize) -> Vec<(Option<u64>, Option<u64>)> {
    let settings = Settings {
        timeout: times.call.map(ms),
        delay: ms(times.part_delay),
        stage_timeout: times.stage.map(ms),
        stage_default: ms(times.default[0]),
        last_stage_default: ms(times.default[1]),
        progress_timeout: times.progress.map(ms),
        attempts: times.attempts,
        retry_sleep: ms(RETRY_SLEEP),
        ..Settings::default()
    };
    let leg = |own: Own| NewLeg {
        timeout: own.timeout.map(ms),
        progress_timeout: own.progress.map(ms),
        delay: ms(own.delay),
        held: ms(own.held),
        ..NewLeg::default()
    };
    let mut ring = Ring::new(vec![(settings, stages)]);
    let mut told: BTreeMap<LegId, (Option<u64>, Option<u64>)> = BTreeMap::new();
    let mut now = Time::ZERO;
    let mut events = vec![Event::Begin];
    // Each leg begins and ends once an attempt; no call has more deadlines than this.
    for _ in 0..200 {
        let Some(event) = events.pop() else {
            let Some(next) = ring.next_deadline() else {
                break;
            };
            assert!(next > now, "{times:?}: {next:?} is past");
            now = next;
            events.push(Event::Tick);
            continue;
        };
        let mut follow = Vec::new();
        for command in ring.handle(now, event) {
            let at = now.as_millis() as u64;
            match command {
                Command::Resolve { part, stage } => follow.push(Event::Resolved {
                    part,
                    stage,
                    legs: times.legs.map(leg).to_vec(),
                    more: false,
                }),
                Command::Dial(leg) => {
                    told.entry(leg).or_default().0 = Some(at);
                    follow.push(Event::Started(leg));
                }
                Command::HangUp { leg, cause } => {
                    told.entry(leg).or_default().1 = Some(at);
                    follow.push(Event::Ended { leg, cause });
                }
                _ => {}
            }
        }
        events.extend(follow.into_iter().rev());
    }
    let legs = (0..ring.legs().len()).map(LegId);
    legs.map(|leg| told.get(&leg).copied().unwrap_or_default())
        .collect()
}

fn holds(times: &Times, stages: usize) -> Result<(), String> {
    let played = played(times, stages);
    let mut at = times.part_delay;
    let mut legs = played.chunks(2);
    for nth in 0..stages * times.attempts as usize {
        let last = (nth + 1) % stages == 0;
        let (dialled, hung_up, end) = expected(times, at, last);
        let Some(got) = legs.next() else {
            // Nobody began: the call was over.
            let over = times.call.is_some_and(|over| over <= at);
            return over
                .then_some(())
                .ok_or(format!("{times:?}: stage {nth} never began"));
        };
        let wanted: Vec<_> = dialled.into_iter().zip(hung_up).collect();
        if got != wanted {
            return Err(format!("{times:?}, stage {nth}: {got:?}, not {wanted:?}"));
        }
        let Some((end, timed)) = end else {
            return Ok(()); // Somebody rings for ever.
        };
        if last && timed {
            return Ok(()); // A last stage whose time is over has no other attempt.
        }
        at = end + if last { RETRY_SLEEP } else { 0 };
        if times.call.is_some_and(|over| end >= over) {
            return Ok(());
        }
    }
    Ok(())
}

fn each<T: Copy>(values: &[T], mut then: impl FnMut(T)) {
    values.iter().for_each(|&value| then(value));
}

const NO_TIMES: Own = Own {
    timeout: None,
    progress: None,
    delay: 0,
    held: 0,
};

#[test]
fn every_combination_of_times_ends_each_leg_at_its_own() {
    let mut count = 0;
    let mut wrong = Vec::new();
    each(&[None, Some(0), Some(1501)], |stage| {
        each(&[[2000, 6000], [0, 6000], [2000, 0]], |default| {
            each(&[None, Some(900), Some(30_000)], |call| {
                each(&[None, Some(250)], |progress| {
                    each(&[0, 1003], |part_delay| {
                        each(&[1, 2], |attempts| {
                            each(&[None, Some(701), Some(7000)], |timeout| {
                                each(
                                    &[(0, 0), (300, 0), (0, 402), (300, 402)],
                                    |(delay, held)| {
                                        each(&[None, Some(120)], |own_progress| {
                                            each(&[1, 2], |stages| {
                                                let first = Own {
                                                    timeout,
                                                    progress: own_progress,
                                                    delay,
                                                    held,
                                                };
                                                let times = Times {
                                                    stage,
                                                    default,
                                                    call,
                                                    progress,
                                                    part_delay,
                                                    attempts,
                                                    legs: [
                                                        first,
                                                        Own {
                                                            timeout: Some(3000),
                                                            ..NO_TIMES
                                                        },
                                                    ],
                                                };
                                                count += 1;
                                                wrong.extend(holds(&times, stages).err());
                                            })
                                        })
                                    },
                                )
                            })
                        })
                    })
                })
            })
        })
    });
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    assert!(count > 10_000, "{count}");
}

mod drawn {
    use super::*;
    use proptest::prelude::*;

    fn time(limit: u64) -> impl Strategy<Value = Option<u64>> {
        proptest::option::of(1..limit)
    }

    fn own() -> impl Strategy<Value = Own> {
        let late = prop_oneof![Just(0), 1..2_000_u64];
        let parts = (time(9_000), time(2_000), late.clone(), late);
        parts.prop_map(|(timeout, progress, delay, held)| Own {
            timeout,
            progress,
            delay,
            held,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_times_end_each_leg_at_its_own(
            stage in prop_oneof![Just(None), Just(Some(0)), (1..9_000_u64).prop_map(Some)],
            default in [0..9_000_u64, 0..9_000],
            call in time(20_000),
            progress in time(4_000),
            part_delay in prop_oneof![Just(0), 1..3_000_u64],
            attempts in 1..3_u32,
            legs in [own(), own()],
            stages in 1..4_usize,
        ) {
            let times = Times { stage, default, call, progress, part_delay, attempts, legs };
            prop_assert_eq!(holds(&times, stages), Ok(()));
        }
    }
}
