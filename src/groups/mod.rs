//! Named groups: whose turn it is, and who is free. `ring/sales` in a plan becomes stages here.
//! [`Groups::expand`] chooses and takes the turn when the plan is read; [`Expansion::begin`] looks again at who
//! is free when a stage begins; to drop the [`Expansion`] gives back whoever was reserved.
//! Knows no switch: facts about channels come in by [`Groups::fact`], time by argument, and what only the
//! directory and the registrations know is asked for through [`Known`].
//!
//! What a call does with a group, in order:
//! - [`Groups::expand`], when its plan is read. [`Config::one_stage`] says whether `ring/x` may stand beside a `,`.
//! - [`Expansion::begin`] for each stage, when it begins. Its members are dialled by [`Pick::target`]; of those
//!   who are skipped, and of [`Expansion::skipped`], `cti_legs` tells.
//! - [`Fact::Dialled`] for each leg, when it exists and before it can end, so that a member's devices count as
//!   one call.
//! - [`Groups::offered`] for a leg that was busy, rejected or did not answer in its time. Not for one that lost.
//! - [`Groups::won`] and [`Expansion::settle`], when somebody has won, or `settle(None)` when nobody has.
//! - It drops the expansion at its end.
//!
//! Where [`Expansion::nobody`] says `Wait`, the call listens ([`Members::listen`]) and sleeps until
//! [`Expansion::look_again`] at the latest, then expands again.
#![forbid(unsafe_code)]

pub mod chosen;
pub mod config;
pub mod members;
pub mod memory;
pub mod order;
pub mod redis;

use crate::plan::Target;
use config::{Config, Group, IdleSince, Step, WhenAllBusy};
use members::{Fact, Members, Offer, Pause, Reservation};
use memory::{Ask, Memory, Note, Source};
use order::{Caller, Moment, Seen, State, Why};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So long a call waits for a shared memory, in all its groups together.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// What only the switch knows. Asked with no lock held, and only where a group skips for it. A user is
/// named as the target names him, `1002` or `1002@domain`.
pub trait Known {
    /// Has this user a registered device? None: nobody can say.
    fn registered(&self, user: &str) -> Option<bool>;
    /// Does the directory's `do_not_disturb` say so?
    fn do_not_disturb(&self, user: &str) -> bool;
}

/// Nothing is known but what the table of members says.
pub struct Nothing;

impl Known for Nothing {
    fn registered(&self, _: &str) -> Option<bool> {
        None
    }
    fn do_not_disturb(&self, _: &str) -> bool {
        false
    }
}

/// All groups of one load. Shared by all calls.
pub struct Groups {
    config: RwLock<Arc<Config>>,
    members: Arc<Members>,
    memory: Arc<dyn Memory>,
}

/// One member of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    pub group: Arc<Group>,
    /// The place in the group.
    pub member: usize,
}

impl Pick {
    /// What is dialled, with the member's own times as variables.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.entry().target
    }

    #[must_use]
    pub fn key(&self) -> &str {
        &self.entry().key
    }

    #[must_use]
    pub fn entry(&self) -> &config::Member {
        &self.group.members[self.member]
    }
}

/// Who is not rung, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub pick: Pick,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub members: Vec<Pick>,
    /// How long it rings; zero is no limit, `None` what the plan says.
    pub timeout: Option<Duration>,
    /// Its members go on ringing beside the next stage's.
    pub rings_on: bool,
    /// Whose order this is, where the order may still change when the stage begins.
    run: Option<usize>,
}

/// A tier of a group whose turn is taken when its first stage begins.
#[derive(Debug, Clone)]
struct Run {
    group: Arc<Group>,
    taken: bool,
}

/// What a group has become for one call.
pub struct Expansion {
    pub stages: Vec<Stage>,
    pub skipped: Vec<Skipped>,
    /// By which the choice can be computed again.
    pub seed: u64,
    /// Where the turns were remembered: the worst of them.
    pub source: Source,
    /// What the group wants to become of a call that it rings for nobody. Only where there is no stage.
    pub nobody: Option<WhenAllBusy>,
    /// When somebody is free again who is skipped for a time, a wrap-up or a pause.
    pub look_again: Option<Moment>,
    runs: Vec<Run>,
    caller: Caller,
    /// By stage; those of a stage that is over are gone.
    held: Vec<(usize, Reservation)>,
    /// Nothing is moved and nobody reserved.
    only_looks: bool,
    ring_anyway: Vec<String>,
}

/// A stage as it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Begun {
    /// Who rings now. Nobody: on to the next stage.
    pub members: Vec<Pick>,
    /// Who was to ring in it and must not any more.
    pub skipped: Vec<Skipped>,
}

/// A member as an operator sees him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub pick: Pick,
    pub state: State,
    pub pause: Option<Pause>,
    pub seen: Seen,
    pub why: Option<Why>,
    /// How long since his last answered call.
    pub idle: Option<Duration>,
    /// His place in the order for a call that came now, from 1; none if he is skipped.
    pub turn: Option<usize>,
}

/// A member's state, whoever's turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub pick: Pick,
    pub state: State,
    pub pause: Option<Pause>,
    /// Why a call that came now would not ring him.
    pub why: Option<Why>,
}

/// There is no such group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownGroup(pub String);

impl std::fmt::Display for UnknownGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no group {:?}", self.0)
    }
}

impl std::error::Error for UnknownGroup {}

impl Groups {
    #[must_use]
    pub fn new(config: Config, memory: Arc<dyn Memory>) -> Groups {
        Groups {
            config: RwLock::new(Arc::new(config)),
            members: Arc::default(),
            memory,
        }
    }

    /// The groups in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    /// Other groups come into force. What is known of members and turns stays.
    pub fn replace(&self, config: Config) {
        *self.config.write() = Arc::new(config);
    }

    /// Who is busy, paused, in do-not-disturb: for an operator's words and a phone's.
    #[must_use]
    pub fn members(&self) -> &Arc<Members> {
        &self.members
    }

    /// What has happened to a channel. The end of an answered call is remembered.
    pub fn fact(&self, fact: Fact<'_>, now: Moment) {
        if let Some(finished) = self.members.fact(fact, now) {
            let by_any = |group: &Arc<Group>| group.idle_since == IdleSince::Any;
            if finished.group.is_none() && !self.config.read().groups.values().any(by_any) {
                return;
            }
            let note = Note::Ended {
                group: finished.group,
                member: finished.member,
            };
            self.memory.note(&note, now);
        }
    }

    /// The stages of a group for this call. Its turn is taken and the members of its first stage are
    /// reserved.
    ///
    /// # Errors
    /// There is no such group.
    pub fn expand(
        &self,
        name: &str,
        caller: Caller,
        now: Moment,
        seed: u64,
        known: &dyn Known,
    ) -> Result<Expansion, UnknownGroup> {
        self.lay_out(name, caller, now, seed, known, false)
    }

    /// The same, and nothing moves: for `cti explain`.
    ///
    /// # Errors
    /// There is no such group.
    pub fn explain(
        &self,
        name: &str,
        caller: Caller,
        now: Moment,
        seed: u64,
        known: &dyn Known,
    ) -> Result<Expansion, UnknownGroup> {
        self.lay_out(name, caller, now, seed, known, true)
    }

    fn lay_out(
        &self,
        name: &str,
        caller: Caller,
        now: Moment,
        seed: u64,
        known: &dyn Known,
        only_looks: bool,
    ) -> Result<Expansion, UnknownGroup> {
        let config = self.config();
        let group = config.groups.get(name);
        let group = group.ok_or_else(|| UnknownGroup(name.to_owned()))?;
        let mut layout = Layout {
            groups: self,
            config: &config,
            known,
            now,
            until: Instant::now() + PATIENCE,
            states: HashMap::new(),
            made: Expansion {
                stages: Vec::new(),
                skipped: Vec::new(),
                seed,
                source: Source::default(),
                nobody: None,
                look_again: None,
                runs: Vec::new(),
                caller,
                held: Vec::new(),
                only_looks,
                ring_anyway: Vec::new(),
            },
        };
        let stages = layout.group(group, true);
        let mut made = layout.made;
        if stages.is_empty() {
            made.nobody = Some(group.when_all_busy);
        }
        made.stages = stages;
        if let Some(last) = made.stages.last_mut() {
            last.rings_on = false;
        }
        Ok(made)
    }

    /// The members of a group with what is known of them; their places in the order are those of a call
    /// that came now.
    ///
    /// # Errors
    /// There is no such group.
    pub fn show(
        &self,
        name: &str,
        now: Moment,
        seed: u64,
        known: &dyn Known,
    ) -> Result<Vec<Shown>, UnknownGroup> {
        let config = self.config();
        let group = config.groups.get(name);
        let group = group.ok_or_else(|| UnknownGroup(name.to_owned()))?;
        let caller = Caller::default();
        let mut cache = HashMap::new();
        let states = self.states(&config, group, &caller, now, known, &mut cache);
        let (free, skipped) = order::eligible(group, &states, &caller, now);
        let ask = Ask {
            group,
            free: &free,
            states: &states,
            seed,
            now,
            patience: PATIENCE,
        };
        let (seen, _) = self.memory.look(&ask);
        let stages = order::stages(group, &free, &seen, &states, seed);
        let order: Vec<usize> = stages.into_iter().flat_map(|stage| stage.members).collect();
        let shown = group
            .members
            .iter()
            .enumerate()
            .map(|(place, member)| Shown {
                pick: Pick {
                    group: Arc::clone(group),
                    member: place,
                },
                state: states[place],
                pause: self.members.paused(&member.key, now),
                seen: seen[place],
                why: skipped.iter().find(|it| it.0 == place).map(|it| it.1),
                idle: seen[place].ended.map(|ended| now.since(ended)),
                turn: order.iter().position(|it| *it == place).map(|at| at + 1),
            });
        Ok(shown.collect())
    }

    /// All groups, each with its members as they are now. The memory is not asked.
    #[must_use]
    pub fn standing(&self, now: Moment, known: &dyn Known) -> Vec<(Arc<Group>, Vec<Standing>)> {
        let config = self.config();
        let caller = Caller::default();
        let mut cache = HashMap::new();
        let mut of_group = |group: &Arc<Group>| {
            let states = self.states(&config, group, &caller, now, known, &mut cache);
            let (_, skipped) = order::eligible(group, &states, &caller, now);
            let mut skipped = skipped.into_iter().peekable();
            let standing = |(member, state): (usize, State)| Standing {
                state,
                pause: self.members.paused(&group.members[member].key, now),
                // They come in the order of their places.
                why: skipped.next_if(|it| it.0 == member).map(|it| it.1),
                pick: Pick {
                    group: Arc::clone(group),
                    member,
                },
            };
            let members = states.into_iter().enumerate().map(standing);
            (Arc::clone(group), members.collect())
        };
        config.groups.values().map(&mut of_group).collect()
    }

    /// What came of a member's ringing: his pauses follow from it. `Answered` is for [`Groups::won`].
    pub fn offered(&self, pick: &Pick, offer: Offer, now: Moment) {
        let policy = &pick.entry().policy;
        self.members.offered(pick.key(), policy, offer, now);
    }

    /// This member's leg has won the call and is joined. Its end will be the beginning of his wrap-up.
    pub fn won(&self, pick: &Pick, channel: &str, call: &str, now: Moment) {
        let group = &pick.group;
        self.offered(pick, Offer::Answered, now);
        self.members.won(channel, pick.key(), &group.name, call);
        let note = Note::Answered {
            group: group.name.clone(),
            member: pick.key().to_owned(),
            window: group.window,
        };
        self.memory.note(&note, now);
    }

    /// What is known of each member, groups among them.
    fn states(
        &self,
        config: &Config,
        group: &Arc<Group>,
        caller: &Caller,
        now: Moment,
        known: &dyn Known,
        cache: &mut HashMap<String, Vec<State>>,
    ) -> Vec<State> {
        if let Some(states) = cache.get(&group.name) {
            return states.clone();
        }
        let keys = group.members.iter().map(|member| member.key.as_str());
        let mut states = self.members.states(keys, &caller.call, now);
        for (state, member) in states.iter_mut().zip(&group.members) {
            if let Some(inner) = member
                .group
                .as_ref()
                .and_then(|name| config.groups.get(name))
            {
                let inner_states = self.states(config, inner, caller, now, known, cache);
                let (free, _) = order::eligible(inner, &inner_states, caller, now);
                state.nobody_free = free.is_empty();
            } else if member.target.endpoint.eq_ignore_ascii_case("user") {
                let user = &member.target.address;
                if group.skip.unregistered {
                    state.unregistered = known.registered(user) == Some(false);
                }
                if group.skip.dnd && !state.dnd {
                    state.dnd = known.do_not_disturb(user);
                }
            }
        }
        cache.insert(group.name.clone(), states.clone());
        states
    }
}

/// An expansion while it is made.
struct Layout<'a> {
    groups: &'a Groups,
    config: &'a Config,
    known: &'a dyn Known,
    now: Moment,
    until: Instant,
    states: HashMap<String, Vec<State>>,
    made: Expansion,
}

impl Layout<'_> {
    /// The stages of this group. `first`: the call begins with them, so that the turn is taken now.
    fn group(&mut self, group: &Arc<Group>, first: bool) -> Vec<Stage> {
        let (now, seed) = (self.now, self.made.seed);
        let caller = self.made.caller.clone();
        let cache = &mut self.states;
        let groups = self.groups;
        let states = groups.states(self.config, group, &caller, now, self.known, cache);
        let (mut free, skipped) = order::eligible(group, &states, &caller, now);
        for (place, why) in skipped {
            self.skip(group, place, why, &states[place]);
        }
        if free.is_empty() {
            return Vec::new();
        }
        let engaged = |place: &usize| {
            order::why_skipped(group, &group.members[*place], &states[*place], &caller, now)
                .is_some()
        };
        let anyway = free.iter().filter(|place| engaged(place));
        let anyway: Vec<String> = anyway
            .map(|&place| group.members[place].key.clone())
            .collect();
        self.made.ring_anyway.extend(anyway);

        let take = first && !self.made.only_looks;
        let seen = self.remembered(group, &free, &states, take);
        let mut lost = false;
        let (stages, held) = loop {
            let stages = order::stages(group, &free, &seen, &states, seed);
            if !take {
                break (stages, Vec::new());
            }
            // Somebody may have been reserved since his state was read.
            match self.reserve(group, stages.first().map_or(&[][..], |it| &it.members)) {
                Ok(held) => break (stages, held),
                Err(place) => {
                    lost = true;
                    free.retain(|it| *it != place);
                    self.skip(group, place, Why::Busy, &states[place]);
                }
            }
        };
        if lost && memory::reads(group.order) {
            let turn = order::turn(group, &stages);
            groups.memory.note(&Note::took(group, &turn), now);
        }
        self.made.held.extend(held.into_iter().map(|it| (0, it)));

        let mut laid_out = Vec::new();
        let mut runs = HashMap::new();
        for stage in stages {
            let nested = stage
                .members
                .iter()
                .any(|&it| group.members[it].group.is_some());
            let begins = first && laid_out.is_empty();
            if nested {
                let inner = self.nested(group, &stage.members, begins);
                laid_out.extend(inner.into_iter().map(|inner| Stage {
                    rings_on: inner.rings_on || group.step == Step::Progressive,
                    ..inner
                }));
                continue;
            }
            let run = *runs.entry(stage.tier).or_insert_with(|| {
                let of_tier = |place: &&usize| group.members[**place].tier == stage.tier;
                let mut members = free.iter().filter(of_tier);
                // With a group among them its stages could not change places with the others'.
                let plain = members.all(|&place| group.members[place].group.is_none());
                plain.then(|| {
                    self.made.runs.push(Run {
                        group: Arc::clone(group),
                        taken: begins,
                    });
                    self.made.runs.len() - 1
                })
            });
            laid_out.push(Stage {
                members: picks(group, &stage.members),
                timeout: group.timeout,
                rings_on: stage.rings_on,
                run,
            });
        }
        laid_out
    }

    /// A stage in which groups are: one alone brings all its stages, others ring together.
    fn nested(&mut self, group: &Arc<Group>, members: &[usize], first: bool) -> Vec<Stage> {
        let mut together = Stage {
            members: Vec::new(),
            timeout: group.timeout,
            rings_on: false,
            run: None,
        };
        for &place in members {
            let inner = group.members[place].group.as_ref();
            let Some(inner) = inner.and_then(|name| self.config.groups.get(name)) else {
                together.members.extend(picks(group, &[place]));
                continue;
            };
            let stages = self.group(inner, first);
            if members.len() == 1 {
                return stages;
            }
            // Checked when the groups were read: these are of one stage.
            for stage in stages {
                together.members.extend(stage.members);
            }
        }
        // Who is a member of several of them rings once.
        let mut keys = std::collections::HashSet::new();
        together
            .members
            .retain(|pick| keys.insert(pick.key().to_owned()));
        match together.members.is_empty() {
            true => Vec::new(),
            false => vec![together],
        }
    }

    fn skip(&mut self, group: &Arc<Group>, place: usize, why: Why, state: &State) {
        let member = &group.members[place];
        let again = match why {
            Why::Wrapup => state.finished.map(|it| it.after(member.policy.wrapup)),
            Why::Paused => match self.groups.members.paused(&member.key, self.now) {
                Some(Pause::Until(until)) => Some(until),
                _ => None,
            },
            _ => None,
        };
        let made = &mut self.made;
        made.look_again = match (made.look_again, again) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        made.skipped.push(Skipped {
            pick: Pick {
                group: Arc::clone(group),
                member: place,
            },
            why,
        });
    }

    fn remembered(
        &mut self,
        group: &Group,
        free: &[usize],
        states: &[State],
        take: bool,
    ) -> Vec<Seen> {
        let ask = Ask {
            group,
            free,
            states,
            seed: self.made.seed,
            now: self.now,
            patience: self.until.saturating_duration_since(Instant::now()),
        };
        self.groups.remembered(&ask, take, &mut self.made.source)
    }

    /// All of them, or the first who has too many calls by now.
    fn reserve(&self, group: &Group, members: &[usize]) -> Result<Vec<Reservation>, usize> {
        let mut held = Vec::new();
        for &place in members {
            let member = &group.members[place];
            if member.group.is_some() {
                continue;
            }
            let limit = limit(group, member, &self.made.ring_anyway);
            let call = &self.made.caller.call;
            match self.groups.members.reserve(&member.key, call, limit) {
                Some(reservation) => held.push(reservation),
                None => return Err(place),
            }
        }
        Ok(held)
    }
}

impl Groups {
    fn remembered(&self, ask: &Ask<'_>, take: bool, source: &mut Source) -> Vec<Seen> {
        if memory::reads(ask.group.order) {
            let (seen, from) = match take {
                true => self.memory.take(ask),
                false => self.memory.look(ask),
            };
            *source = (*source).max(from);
            return seen;
        }
        // Who comes next does not depend on whose turn it was.
        vec![Seen::default(); ask.group.members.len()]
    }
}

/// How many calls a member may have and still be reserved.
fn limit(group: &Group, member: &config::Member, anyway: &[String]) -> u32 {
    let counts = group.skip.busy && member.group.is_none() && !anyway.contains(&member.key);
    if counts {
        member.policy.max_calls
    } else {
        u32::MAX
    }
}

fn picks(group: &Arc<Group>, members: &[usize]) -> Vec<Pick> {
    let pick = |&member: &usize| Pick {
        group: Arc::clone(group),
        member,
    };
    members.iter().map(pick).collect()
}

impl Expansion {
    /// The stage begins now: who of it rings. Members who have become busy since are left out, those who
    /// ring are reserved, and those of stages that are over are given back.
    ///
    /// With the first stage of a tier the tier's turn is taken, and the order of its members may change.
    pub fn begin(
        &mut self,
        groups: &Groups,
        stage: usize,
        now: Moment,
        known: &dyn Known,
    ) -> Begun {
        let rings_on = |at: usize| self.stages.get(at).is_some_and(|it| it.rings_on);
        let over = |from: usize| !(from..stage).all(rings_on);
        self.held.retain(|(at, _)| !over(*at));
        self.take_turn(groups, stage, now, known);
        let Some(members) = self.stages.get(stage).map(|it| it.members.clone()) else {
            return Begun::default();
        };
        let mut begun = Begun::default();
        let config = groups.config();
        let mut cache = HashMap::new();
        for pick in members {
            let group = &pick.group;
            let caller = &self.caller;
            let states = groups.states(&config, group, caller, now, known, &mut cache);
            let member = pick.entry();
            let mut why = order::why_skipped(group, member, &states[pick.member], caller, now);
            if matches!(why, Some(Why::Busy | Why::Wrapup))
                && self.ring_anyway.contains(&member.key)
            {
                why = None;
            }
            let held = self.held.iter().any(|(_, it)| it.member() == member.key);
            if why.is_none() && !held && !self.only_looks {
                let limit = limit(group, member, &self.ring_anyway);
                match groups.members.reserve(&member.key, &caller.call, limit) {
                    Some(reservation) => {
                        self.held.push((stage, reservation));
                        // The first stage's offers were remembered with the turn.
                        if stage > 0 && memory::reads(group.order) {
                            let note = Note::Offered {
                                group: group.name.clone(),
                                member: member.key.clone(),
                            };
                            groups.memory.note(&note, now);
                        }
                    }
                    None => why = Some(Why::Busy),
                }
            }
            match why {
                None => begun.members.push(pick),
                Some(why) => begun.skipped.push(Skipped { pick, why }),
            }
        }
        begun
    }

    /// The call is decided: only this member stays reserved, until the expansion is dropped.
    pub fn settle(&mut self, winner: Option<&Pick>) {
        self.held
            .retain(|(_, it)| winner.is_some_and(|winner| winner.key() == it.member()));
    }

    /// Order the stages of the run that begins with this one anew, and take its turn.
    fn take_turn(&mut self, groups: &Groups, stage: usize, now: Moment, known: &dyn Known) {
        let run = self.stages.get(stage).and_then(|it| it.run);
        let Some(run) = run.filter(|&run| !self.runs[run].taken) else {
            return;
        };
        self.runs[run].taken = true;
        let group = Arc::clone(&self.runs[run].group);
        if self.only_looks || !memory::reads(group.order) {
            return;
        }
        let of_run = |it: &&mut Stage| it.run == Some(run);
        let mut stages: Vec<&mut Stage> = self.stages.iter_mut().filter(of_run).collect();
        let planned: Vec<usize> = stages
            .iter()
            .flat_map(|it| it.members.iter().map(|pick| pick.member))
            .collect();
        let config = groups.config();
        let states = groups.states(
            &config,
            &group,
            &self.caller,
            now,
            known,
            &mut HashMap::new(),
        );
        let skipped = |place: &usize| {
            let (member, state) = (&group.members[*place], &states[*place]);
            order::why_skipped(&group, member, state, &self.caller, now).is_some()
        };
        // Who must not ring now comes last, and may be free by then.
        let (last, free): (Vec<usize>, Vec<usize>) = planned.iter().partition(|it| skipped(it));
        if free.is_empty() {
            return;
        }
        // In the order of the configuration, as at the first choice.
        let mut free = free;
        free.sort_unstable();
        let ask = Ask {
            group: &group,
            free: &free,
            states: &states,
            seed: self.seed,
            now,
            patience: PATIENCE,
        };
        let seen = groups.remembered(&ask, true, &mut self.source);
        let ordered = order::stages(&group, &free, &seen, &states, self.seed);
        let mut order = ordered.into_iter().flat_map(|it| it.members).chain(last);
        for stage in &mut stages {
            let size = stage.members.len();
            let members: Vec<usize> = order.by_ref().take(size).collect();
            stage.members = picks(&group, &members);
        }
    }
}
