//! Whose turn it is: a function of the group, what is remembered, the members' states, the caller and a
//! seed, to the stages that ring, who is skipped and why, and what is to be remembered.
//! Pure: the same arguments give the same choice, on every machine.

use super::config::{Group, Member, Order, Step, WhenAllBusy};
use std::fmt;
use std::time::Duration;

/// A point in time: milliseconds since 1970, because turns outlive the process.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    #[must_use]
    pub fn now() -> Moment {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Moment(millis(since.unwrap_or_default()))
    }

    #[must_use]
    pub fn after(self, time: Duration) -> Moment {
        Moment(self.0.saturating_add(millis(time)))
    }

    /// None is long ago; a clock that was set back makes no time pass.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why a member is not rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The caller is that member.
    Yourself,
    Unregistered,
    Dnd,
    Paused,
    Busy,
    Wrapup,
    /// The member is a group in which nobody may be rung.
    NobodyFree,
}

impl Why {
    pub const ALL: [Why; 7] = [
        Why::Yourself,
        Why::Unregistered,
        Why::Dnd,
        Why::Paused,
        Why::Busy,
        Why::Wrapup,
        Why::NobodyFree,
    ];

    /// As it stands in events, in `cti_legs` and, but for the last, in `skip`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Why::Yourself => "self",
            Why::Unregistered => "unregistered",
            Why::Dnd => "dnd",
            Why::Paused => "paused",
            Why::Busy => "busy",
            Why::Wrapup => "wrapup",
            Why::NobodyFree => "nobody-free",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a member now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Those in which he is or which ring at him, other than the one for which this is asked.
    pub calls: u32,
    pub dnd: bool,
    pub paused: bool,
    /// When the last call of a group that he had answered was over.
    pub finished: Option<Moment>,
    pub unregistered: bool,
    /// For a member that is a group: nobody in it may be rung.
    pub nobody_free: bool,
}

/// Who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The call, by the caller's uuid.
    pub call: String,
    /// The caller's `presence_id`.
    pub presence: Option<String>,
}

/// What is remembered of a member in a group, in as far as an order asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of the last turn that he took; 0: none.
    pub turn: u64,
    /// The number of the last offer made to him; 0: none.
    pub offer: u64,
    /// When his last answered call was over.
    pub ended: Option<Moment>,
    /// Calls that he has answered in the group's window.
    pub calls: u64,
}

/// What is to be remembered of a choice: members by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Whose turn it was, in order.
    pub takers: Vec<usize>,
    /// Whom the call is offered to first.
    pub offered: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub tier: u32,
    /// Places in the group.
    pub members: Vec<usize>,
    /// Its members go on ringing beside the next stage's.
    pub rings_on: bool,
}

/// The choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ordered {
    pub stages: Vec<Stage>,
    pub skipped: Vec<(usize, Why)>,
    pub turn: Turn,
}

/// Why this member must not be rung now, if so.
#[must_use]
pub fn why_skipped(
    group: &Group,
    member: &Member,
    state: &State,
    caller: &Caller,
    now: Moment,
) -> Option<Why> {
    let skip = group.skip;
    let wrapup = state
        .finished
        .is_some_and(|finished| now.since(finished) < member.policy.wrapup);
    let yourself = caller
        .presence
        .as_ref()
        .is_some_and(|id| super::config::presence(id) == member.key);
    [
        (state.nobody_free, Why::NobodyFree),
        (skip.yourself && yourself, Why::Yourself),
        (skip.unregistered && state.unregistered, Why::Unregistered),
        (skip.dnd && state.dnd, Why::Dnd),
        (skip.paused && state.paused, Why::Paused),
        (
            skip.busy && state.calls >= member.policy.max_calls,
            Why::Busy,
        ),
        (skip.wrapup && wrapup, Why::Wrapup),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}

/// Who may be rung, by their places, and who is skipped. `states` has one for each member.
#[must_use]
pub fn eligible(
    group: &Group,
    states: &[State],
    caller: &Caller,
    now: Moment,
) -> (Vec<usize>, Vec<(usize, Why)>) {
    let (mut free, mut skipped) = (Vec::new(), Vec::new());
    for (place, (member, state)) in group.members.iter().zip(states).enumerate() {
        match why_skipped(group, member, state, caller, now) {
            None => free.push(place),
            Some(why) => skipped.push((place, why)),
        }
    }
    if free.is_empty() && group.when_all_busy == WhenAllBusy::RingAnyway {
        let engaged = |(_, why): &(usize, Why)| matches!(why, Why::Busy | Why::Wrapup);
        free = skipped
            .iter()
            .filter(|it| engaged(it))
            .map(|it| it.0)
            .collect();
        skipped.retain(|it| !engaged(it));
    }
    (free, skipped)
}

/// The whole choice. `seen` and `states` have one entry for each member of the group.
#[must_use]
pub fn order(
    group: &Group,
    seen: &[Seen],
    states: &[State],
    caller: &Caller,
    now: Moment,
    seed: u64,
) -> Ordered {
    let (free, skipped) = eligible(group, states, caller, now);
    let stages = stages(group, &free, seen, states, seed);
    Ordered {
        turn: turn(group, &stages),
        stages,
        skipped,
    }
}

/// The stages in which these members ring.
#[must_use]
pub fn stages(
    group: &Group,
    free: &[usize],
    seen: &[Seen],
    states: &[State],
    seed: u64,
) -> Vec<Stage> {
    let mut tiers: Vec<u32> = free
        .iter()
        .map(|&place| group.members[place].tier)
        .collect();
    tiers.sort_unstable();
    tiers.dedup();
    let mut stages = Vec::new();
    for tier in tiers {
        let row = row(group, tier, free, seen, states, seed);
        for members in row.chunks(group.step.size().min(row.len())) {
            stages.push(Stage {
                tier,
                members: members.to_vec(),
                rings_on: group.step == Step::Progressive,
            });
        }
    }
    if let Some(last) = stages.last_mut() {
        last.rings_on = false;
    }
    stages
}

/// What is to be remembered when the first of these stages begins.
///
/// Where all ring together only the first has had his turn, or nobody would be first the next time.
#[must_use]
pub fn turn(group: &Group, stages: &[Stage]) -> Turn {
    let offered = stages.first().map(|stage| stage.members.clone());
    let offered = offered.unwrap_or_default();
    let taken = if group.step == Step::All {
        1
    } else {
        usize::MAX
    };
    Turn {
        takers: offered.iter().take(taken).copied().collect(),
        offered,
    }
}

/// The members of a tier who may be rung, in their order.
#[must_use]
pub fn row(
    group: &Group,
    tier: u32,
    free: &[usize],
    seen: &[Seen],
    states: &[State],
    seed: u64,
) -> Vec<usize> {
    let of_tier = |place: &usize| group.members[*place].tier == tier;
    let mut row: Vec<usize> = free.iter().copied().filter(of_tier).collect();
    let seen = |place: usize| seen.get(place).copied().unwrap_or_default();
    let calls = |place: usize| states.get(place).map_or(0, |state| state.calls);
    let mut dice = Dice(seed ^ u64::from(tier).wrapping_mul(0xd6e8_feb8_6659_fd93));
    match group.order {
        Order::Fixed => {}
        Order::Rotate => {
            // Whoever took the last turn is found by his own number, so that members may come and go:
            // where he is gone, whoever took the turn before him stands where he stood.
            let everybody = (0..group.members.len()).filter(of_tier);
            let last = everybody.max_by_key(|&place| (seen(place).turn, place));
            if let Some(last) = last.filter(|&place| seen(place).turn > 0) {
                let next = row.partition_point(|&place| place <= last);
                row.rotate_left(next);
            }
        }
        // Who talks is not idle, where such members are rung at all.
        Order::LongestIdle => row.sort_by_key(|&place| {
            let it = seen(place);
            (calls(place) > 0, it.ended, it.offer, place)
        }),
        Order::FewestCalls => row.sort_by_key(|&place| {
            let it = seen(place);
            (it.calls, it.offer, place)
        }),
        Order::Random => {
            for last in (1..row.len()).rev() {
                row.swap(last, dice.below(last + 1));
            }
        }
        Order::Weighted => {
            // Each draws a time, the sooner the greater the weight: to sort by these is to draw one after
            // another by weight without replacement.
            let mut drawn: Vec<_> = row
                .iter()
                .map(|&place| (dice.waits() / f64::from(group.members[place].weight), place))
                .collect();
            drawn.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            row = drawn.into_iter().map(|(_, place)| place).collect();
        }
    }
    row
}

/// The numbers that a seed gives (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        // The high half of the product is even enough for a few thousand members.
        let wide = u128::from(self.roll()) * limit as u128;
        (wide >> 64) as usize
    }

    /// A waiting time whose mean is 1.
    fn waits(&mut self) -> f64 {
        // From 53 bits, and never 0.
        let unit = ((self.roll() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -unit.ln()
    }
}
