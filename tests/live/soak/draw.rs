//! What is drawn for one call of the soak: its plan, what each phone does, when the caller gives up, what operators type.
//! All of it comes from the seed and the call's number, so that any call can be made again.
//! Times are often round, so that answers, deadlines and commands meet in the same millisecond.

use crate::scenarios::{Behaviour, Ms};
use std::net::SocketAddr;

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, call: u64) -> Dice {
        Dice(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                ^ (call + 1).wrapping_mul(0xd1b5_4a32_d192_ed03),
        )
    }

    /// splitmix64.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    pub fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub fn time(&mut self, from: Ms, to: Ms) -> Ms {
        let time = from + self.below(to - from + 1);
        if self.one_in(3) {
            time
        } else {
            time / 100 * 100
        }
    }
}

/// The users of a lane: calls that run at once have users of their own, as slots have in the scenario table.
pub fn user(lane: usize, number: u64) -> String {
    format!("3{lane:02}{number}")
}

/// A device of such a user; `b` of user 4 is its live one.
fn seat(lane: usize, number: u64, device: char) -> String {
    format!("{}-{device}", user(lane, number))
}

/// The devices that stay registered from call to call, and whether they are stale.
pub fn devices(lane: usize) -> Vec<(String, String, bool)> {
    const DEVICES: [(u64, char, bool); 8] = [
        (0, 'a', false),
        (1, 'a', false),
        (2, 'a', false),
        (3, 'a', false),
        (3, 'b', false),
        (4, 'a', true),
        (4, 'b', false),
        (7, 'a', true),
    ];
    let device = |&(number, device, stale): &(u64, char, bool)| {
        (seat(lane, number, device), user(lane, number), stale)
    };
    DEVICES.iter().map(device).collect()
}

pub fn caller(lane: usize) -> String {
    user(lane, 9)
}

#[derive(Debug, Clone)]
pub enum Typed {
    Cancel(&'static str),
    Skip,
    /// By its target as written.
    DropTarget(String),
    /// By its uuid: which of those that ring then.
    DropLeg(u64),
    Add(String),
    Extend(String),
}

/// A device that registers so long after the call has begun.
#[derive(Debug, Clone)]
pub struct Late {
    pub at: Ms,
    pub seat: String,
    pub user: String,
    pub does: Behaviour,
}

#[derive(Debug, Clone)]
pub struct Drawn {
    pub plan: String,
    pub phones: Vec<(String, Behaviour)>,
    pub late: Vec<Late>,
    /// The caller hangs up so long after it has dialled.
    pub gives_up: Option<Ms>,
    /// … or so long after it was answered.
    pub talks: Ms,
    /// What each operator types, and when.
    pub operators: Vec<Vec<(Ms, Typed)>>,
    /// Some part tells a phone whose time is over that somebody else has answered.
    pub never_missed: bool,
    /// No leg may ring longer, where the plan and the operators say so much.
    pub longest: Option<Ms>,
}

pub fn call(seed: u64, nth: u64, lane: usize, address: SocketAddr) -> Drawn {
    let dice = &mut Dice::new(seed, nth);
    // A moment at which much may happen at once.
    let meeting = dice.time(200, 1200);
    let when = |dice: &mut Dice, from, to| {
        if dice.one_in(4) {
            meeting
        } else {
            dice.time(from, to)
        }
    };
    let behaviour = |dice: &mut Dice| {
        let at = when(dice, 20, 1300);
        let status = dice.pick(&[486, 603, 480, 404, 503]);
        match dice.below(16) {
            0..5 => Behaviour::Answers(at),
            5..9 => Behaviour::Rings,
            9..11 => Behaviour::Rejects(status, at / 3),
            11 => Behaviour::RingsThenRejects(status, at),
            12 => Behaviour::Announces,
            13 => Behaviour::AnnouncesThenAnswers(at),
            14 => Behaviour::AnnouncesThenRejects(status, at),
            _ => Behaviour::Dead,
        }
    };
    let mut phones: Vec<(String, Behaviour)> = devices(lane)
        .into_iter()
        .filter(|(_, _, stale)| !stale)
        .map(|(seat, ..)| (seat, behaviour(dice)))
        .collect();
    // The phone that is dialled past the directory.
    phones.push((seat(lane, 8, 'a'), behaviour(dice)));
    let target = |dice: &mut Dice| match dice.below(20) {
        0..12 => format!("user/{}", user(lane, dice.pick(&[0, 1, 2, 3]))),
        12..14 => format!("sofia/phones/{}@{address}", seat(lane, 8, 'a')),
        14..17 => format!("user/{}", user(lane, dice.pick(&[4, 5]))),
        17 => format!("user/{}", user(lane, dice.pick(&[6, 7]))),
        18 => format!("user/{}", user(lane, 5)),
        _ => format!(
            "error/{}",
            dice.pick(&["USER_BUSY", "CALL_REJECTED", "UNALLOCATED_NUMBER"])
        ),
    };
    let mut drawn = Drawn {
        plan: String::new(),
        phones,
        late: Vec::new(),
        gives_up: None,
        talks: dice.below(300),
        operators: Vec::new(),
        never_missed: false,
        longest: Some(0),
    };
    let parts: Vec<String> = (0..1 + u64::from(dice.one_in(7)))
        .map(|_| part(dice, meeting, &target, &mut drawn))
        .collect();
    drawn.plan = parts.join(":_:");
    for (odds, number, device) in [(2, 5, 'a'), (4, 0, 'b')] {
        if dice.one_in(odds) {
            drawn.late.push(Late {
                at: when(dice, 0, 1000),
                seat: seat(lane, number, device),
                user: user(lane, number),
                does: behaviour(dice),
            });
        }
    }
    drawn.late.sort_by_key(|late| late.at);
    if dice.one_in(4) {
        drawn.gives_up = Some(when(dice, 0, 2500));
    }
    if dice.one_in(2) {
        let commands = 1 + dice.below(3);
        let mut typed: Vec<(Ms, Typed)> = (0..commands)
            .map(|_| (when(dice, 0, 2000), command(dice, &target)))
            .collect();
        typed.sort_by_key(|(at, _)| *at);
        if typed
            .iter()
            .any(|(_, typed)| matches!(typed, Typed::Extend(_)))
        {
            drawn.longest = None;
        }
        // Two at once: the same hand twice, or another one at the same time.
        if dice.one_in(2) {
            let mut second = typed.clone();
            if dice.one_in(2) {
                second
                    .iter_mut()
                    .for_each(|(_, typed)| *typed = command(dice, &target));
                if second
                    .iter()
                    .any(|(_, typed)| matches!(typed, Typed::Extend(_)))
                {
                    drawn.longest = None;
                }
            }
            drawn.operators.push(second);
        }
        drawn.operators.push(typed);
    }
    drawn
}

fn part(
    dice: &mut Dice,
    meeting: Ms,
    target: &impl Fn(&mut Dice) -> String,
    drawn: &mut Drawn,
) -> String {
    let time = if dice.one_in(4) {
        meeting.max(300)
    } else {
        dice.time(300, 1500)
    };
    let mut globals = vec![format!("cti_stage_timeout={}", spelled(dice, time))];
    let mut longest = Some(time);
    if dice.one_in(4) {
        globals.push("cti_mode=progressive".to_string());
        longest = None;
    }
    if dice.one_in(7) {
        globals.push("cti_missed=never".to_string());
        drawn.never_missed = true;
    }
    if dice.one_in(3) {
        globals.push("cti_late_join=true".to_string());
    }
    if dice.one_in(5) {
        let wait = dice.time(300, 1200);
        globals.push(format!("cti_wait_register={}", spelled(dice, wait)));
    }
    if dice.one_in(5) {
        let limit = dice.time(500, 2500);
        globals.push(format!("cti_timeout={}", spelled(dice, limit)));
    }
    if dice.one_in(20) {
        globals.push("fail_on_single_reject=true".to_string());
    }
    if dice.one_in(20) {
        globals.push("originate_retries=2".to_string());
        globals.push(format!("originate_retry_sleep_ms={}", dice.time(500, 700)));
    }
    if dice.one_in(15) {
        let early_media = dice.pick(&[
            "ignore_early_media=true",
            "ignore_early_media=ring_ready",
            "bridge_early_media=true",
        ]);
        globals.push(early_media.to_string());
    }
    drawn.longest = drawn
        .longest
        .zip(longest)
        .map(|(one, other)| one.max(other));
    let stage = |dice: &mut Dice| {
        let targets: Vec<String> = (0..1 + dice.below(4))
            .map(|_| {
                let mut own = Vec::new();
                if dice.one_in(5) {
                    let delay = dice.time(100, 600);
                    own.push(format!("leg_delay_start={}", spelled(dice, delay)));
                }
                if dice.one_in(4) {
                    let limit = if dice.one_in(4) {
                        meeting
                    } else {
                        dice.time(100, 1200)
                    };
                    own.push(format!("leg_timeout={}", spelled(dice, limit)));
                }
                if dice.one_in(12) {
                    own.push("leg_progress_timeout=0.4".to_string());
                }
                if dice.one_in(40) {
                    own.push("leg_required=true".to_string());
                }
                let own = if own.is_empty() {
                    String::new()
                } else {
                    format!("[{}]", own.join(","))
                };
                own + &target(dice)
            })
            .collect();
        targets.join(",")
    };
    let stages: Vec<String> = (0..1 + dice.below(3)).map(|_| stage(dice)).collect();
    format!("{{{}}}{}", globals.join(","), stages.join("|"))
}

fn command(dice: &mut Dice, target: &impl Fn(&mut Dice) -> String) -> Typed {
    match dice.below(11) {
        0 => Typed::Cancel(dice.pick(&["", "", " CALL_REJECTED", " USER_BUSY"])),
        1..3 => Typed::Skip,
        3..5 => Typed::DropLeg(dice.below(4)),
        5 => Typed::DropTarget(target(dice)),
        6..9 => Typed::Add(target(dice)),
        _ => {
            let time = dice.time(100, 800);
            Typed::Extend(spelled(dice, time))
        }
    }
}

/// A time in one of the ways in which people write it.
fn spelled(dice: &mut Dice, ms: Ms) -> String {
    match dice.below(3) {
        0 => format!("{ms}ms"),
        1 => format!("{}", ms as f64 / 1000.0),
        _ => format!("{}s", ms as f64 / 1000.0),
    }
}
