//! What is remembered from call to call: whose turn it was, who was offered a call, who has answered.
//! `Store` is the pure part. `Local` keeps it in a file; `Backed` asks a memory that several switches share,
//! and the local one where that does not answer.

use super::config::{Group, IdleSince, Order};
use super::order::{self, Moment, Seen, State, Turn};
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What an order wants to know.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub group: &'a Group,
    /// Who may be rung, by their places …
    pub free: &'a [usize],
    /// … and everybody's state.
    pub states: &'a [State],
    pub seed: u64,
    pub now: Moment,
    /// So long a shared memory may take.
    pub patience: Duration,
}

impl Ask<'_> {
    /// Whose turn it is by what is remembered.
    #[must_use]
    pub fn turn(&self, seen: &[Seen]) -> Turn {
        let stages = order::stages(self.group, self.free, seen, self.states, self.seed);
        order::turn(self.group, &stages)
    }
}

/// Which memory has answered, as `cti_group_memory` names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    #[default]
    Local,
    Redis,
    /// The local one, because Redis did not answer.
    Fallback,
}

impl Source {
    pub const ALL: [Source; 3] = [Source::Local, Source::Redis, Source::Fallback];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Local => "local",
            Source::Redis => "redis",
            Source::Fallback => "fallback",
        }
    }
}

/// What has happened and is to be remembered; members by their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Took {
        group: String,
        takers: Vec<String>,
        offered: Vec<String>,
    },
    Offered {
        group: String,
        member: String,
    },
    Answered {
        group: String,
        member: String,
        window: Duration,
    },
    /// A call that this member had answered is over; the group that had rung for it.
    Ended {
        group: Option<String>,
        member: String,
    },
}

impl Note {
    #[must_use]
    pub fn took(group: &Group, turn: &Turn) -> Note {
        let keys = |places: &[usize]| {
            let keys = places.iter().map(|&place| group.members[place].key.clone());
            keys.collect()
        };
        Note::Took {
            group: group.name.clone(),
            takers: keys(&turn.takers),
            offered: keys(&turn.offered),
        }
    }
}

pub trait Memory: Send + Sync {
    /// What is remembered of each member of the group. Nothing moves.
    fn look(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source);
    /// The same, and in the same moment the turn that follows from it is remembered, so that the next one
    /// to ask finds it taken.
    fn take(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source);
    fn note(&self, note: &Note, now: Moment);
}

/// Does this order read the memory?
#[must_use]
pub fn reads(order: Order) -> bool {
    matches!(
        order,
        Order::Rotate | Order::LongestIdle | Order::FewestCalls
    )
}

const VERSION: u32 = 1;

/// Everything that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Store {
    version: u32,
    groups: HashMap<String, Row>,
    /// When each member's last answered call was over, whoever had rung.
    any: HashMap<String, Moment>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Row {
    /// How many turns and offers there were.
    numbers: u64,
    members: HashMap<String, Remembered>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Remembered {
    #[serde(default)]
    turn: u64,
    #[serde(default)]
    offer: u64,
    #[serde(default)]
    ended: Option<Moment>,
    /// When calls were answered, as far as the window goes back.
    #[serde(default)]
    calls: VecDeque<Moment>,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            version: VERSION,
            groups: HashMap::new(),
            any: HashMap::new(),
        }
    }
}

impl Remembered {
    fn calls_since(&self, since: Moment) -> u64 {
        let latest_first = self.calls.iter().rev();
        latest_first.take_while(|at| **at > since).count() as u64
    }
}

impl Store {
    /// What is remembered of each member of the group. Of a newcomer, so many calls as whoever has
    /// fewest: with none he would get every call until he has caught up.
    #[must_use]
    pub fn look(&self, group: &Group, now: Moment) -> Vec<Seen> {
        let row = self.groups.get(&group.name);
        let since = Moment(now.0.saturating_sub(group.window.as_millis() as u64));
        let mut least = None;
        let mut newcomers = Vec::new();
        let mut seen = Vec::with_capacity(group.members.len());
        for (place, member) in group.members.iter().enumerate() {
            let known = row.and_then(|row| row.members.get(&member.key));
            let mut it = Seen::default();
            if let Some(known) = known {
                let calls = known.calls_since(since);
                least = Some(least.map_or(calls, |least: u64| least.min(calls)));
                it = Seen {
                    turn: known.turn,
                    offer: known.offer,
                    ended: known.ended,
                    calls,
                };
            } else {
                newcomers.push(place);
            }
            if group.idle_since == IdleSince::Any {
                it.ended = self.any.get(&member.key).copied();
            }
            seen.push(it);
        }
        for place in newcomers {
            seen[place].calls = least.unwrap_or_default();
        }
        seen
    }

    /// The same, and the turn that follows from it is remembered.
    pub fn take(&mut self, ask: &Ask<'_>) -> Vec<Seen> {
        let seen = self.look(ask.group, ask.now);
        self.took(ask, &seen);
        seen
    }

    /// The turn that follows from what was seen, here or in a shared memory.
    fn took(&mut self, ask: &Ask<'_>, seen: &[Seen]) {
        self.adopt(ask.group, ask.now);
        self.note(&Note::took(ask.group, &ask.turn(seen)), ask.now);
    }

    /// From now on newcomers are known; they have the calls of whoever has fewest.
    fn adopt(&mut self, group: &Group, now: Moment) {
        let since = Moment(now.0.saturating_sub(group.window.as_millis() as u64));
        let row = self.groups.entry(group.name.clone()).or_default();
        let is_new = |key: &str| !row.members.contains_key(key);
        let mut newcomers = Vec::new();
        for member in &group.members {
            if is_new(&member.key) {
                newcomers.push(member.key.clone());
            }
        }
        if newcomers.is_empty() {
            return;
        }
        let known = group
            .members
            .iter()
            .filter_map(|it| row.members.get(&it.key));
        let least = known.min_by_key(|it| it.calls_since(since));
        let calls = least.map(|it| it.calls.clone()).unwrap_or_default();
        for key in newcomers {
            let calls = calls.clone();
            let new = Remembered {
                calls,
                ..Remembered::default()
            };
            row.members.insert(key, new);
        }
    }

    pub fn note(&mut self, note: &Note, now: Moment) {
        match note {
            Note::Took {
                group,
                takers,
                offered,
            } => {
                let row = self.row(group);
                for member in takers {
                    row.numbers += 1;
                    let number = row.numbers;
                    row.member(member).turn = number;
                }
                for member in offered {
                    row.offer(member);
                }
            }
            Note::Offered { group, member } => self.row(group).offer(member),
            Note::Answered {
                group,
                member,
                window,
            } => {
                let since = Moment(now.0.saturating_sub(window.as_millis() as u64));
                let calls = &mut self.row(group).member(member).calls;
                while calls.front().is_some_and(|at| *at <= since) {
                    calls.pop_front();
                }
                calls.push_back(now);
            }
            Note::Ended { group, member } => {
                self.any.insert(member.clone(), now);
                if let Some(group) = group {
                    self.row(group).member(member).ended = Some(now);
                }
            }
        }
    }

    fn row(&mut self, group: &str) -> &mut Row {
        if !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), Row::default());
        }
        self.groups.entry(group.to_owned()).or_default()
    }
}

impl Row {
    fn member(&mut self, key: &str) -> &mut Remembered {
        self.members.entry(key.to_owned()).or_default()
    }

    fn offer(&mut self, key: &str) {
        self.numbers += 1;
        let number = self.numbers;
        self.member(key).offer = number;
    }
}

/// The memory of this switch alone, kept in a file.
#[derive(Default)]
pub struct Local {
    state: Mutex<Kept>,
    changed: Condvar,
    path: Option<PathBuf>,
}

#[derive(Default)]
struct Kept {
    store: Store,
    /// Changed since it was written.
    dirty: bool,
    stop: bool,
}

impl Local {
    /// With what the file says; without a file nothing is remembered. A damaged file is set aside, so that
    /// somebody may look at it, and the second value says so.
    #[must_use]
    pub fn open(path: &Path) -> (Local, Option<String>) {
        let (store, warning) = match read(path) {
            Ok(store) => (store, None),
            Err(reason) => {
                let aside = aside(path);
                let moved = std::fs::rename(path, &aside);
                let what = match moved {
                    Ok(()) => format!("it is set aside as {}", aside.display()),
                    Err(error) => format!("it cannot be set aside either: {error}"),
                };
                let warning = format!(
                    "the memory of groups in {} cannot be read ({reason}); {what}, and all turns begin anew",
                    path.display()
                );
                (Store::default(), Some(warning))
            }
        };
        let local = Local {
            state: Mutex::new(Kept {
                store,
                ..Kept::default()
            }),
            changed: Condvar::new(),
            path: Some(path.to_owned()),
        };
        (local, warning)
    }

    /// Write the file, if anything has changed since it was written. Whoever reads it finds the old one or the new one.
    ///
    /// # Errors
    /// The file could not be written; the next `save` tries again.
    pub fn save(&self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let text = {
            let mut kept = self.state.lock();
            if !kept.dirty {
                return Ok(());
            }
            kept.dirty = false;
            serde_json::to_vec(&kept.store)
        };
        let written = text
            .map_err(io::Error::other)
            .and_then(|text| replace(path, &text));
        if written.is_err() {
            self.state.lock().dirty = true;
        }
        written
    }

    /// A thread that writes the file once a second at most, while there is something to write.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start_saving(self: &Arc<Self>) -> io::Result<Saver> {
        let local = Arc::clone(self);
        let thread = std::thread::Builder::new().name("cti-memory".to_owned());
        let thread = thread.spawn(move || local.keep_saving())?;
        Ok(Saver {
            local: Arc::clone(self),
            thread: Some(thread),
        })
    }

    fn keep_saving(&self) {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut complained = false;
        loop {
            let stop = {
                let mut kept = self.state.lock();
                while !kept.dirty && !kept.stop {
                    self.changed.wait(&mut kept);
                }
                kept.stop
            };
            match self.save() {
                Ok(()) => complained = false,
                Err(_) if complained => {}
                Err(error) => {
                    complained = true;
                    tracing::warn!("the memory of groups cannot be saved: {error}");
                }
            }
            if stop {
                return;
            }
            let mut kept = self.state.lock();
            let until = Instant::now() + PAUSE;
            while !kept.stop && !self.changed.wait_until(&mut kept, until).timed_out() {}
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut kept = self.state.lock();
        let was_clean = !std::mem::replace(&mut kept.dirty, true);
        let done = change(&mut kept.store);
        drop(kept);
        if was_clean {
            self.changed.notify_all();
        }
        done
    }
}

impl Memory for Local {
    fn look(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source) {
        let seen = self.state.lock().store.look(ask.group, ask.now);
        (seen, Source::Local)
    }

    fn take(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source) {
        (self.change(|store| store.take(ask)), Source::Local)
    }

    fn note(&self, note: &Note, now: Moment) {
        self.change(|store| store.note(note, now));
    }
}

/// The thread that saves; dropped, it saves a last time and ends.
pub struct Saver {
    local: Arc<Local>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.local.state.lock().stop = true;
        self.local.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Whether the thread has panicked changes nothing here.
            let _ = thread.join();
        }
        self.local.state.lock().stop = false;
    }
}

fn read(path: &Path) -> Result<Store, String> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Store::default()),
        Err(error) => return Err(error.to_string()),
    };
    let store: Store = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if store.version != VERSION {
        return Err(format!("it is of version {}", store.version));
    }
    Ok(store)
}

/// A name beside the file that nothing has yet.
fn aside(path: &Path) -> PathBuf {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let numbered = (2..1_000).map(|nth| named(&format!(".damaged-{nth}")));
    std::iter::once(named(".damaged"))
        .chain(numbered)
        .find(|name| !name.exists())
        .unwrap_or_else(|| named(".damaged"))
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

/// Keeps calls from waiting for a memory that is gone: after three failures in a row nobody asks for a
/// while; then one may try, and if that works, all may again.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    /// Until then nobody asks.
    closed_until: Option<Instant>,
}

impl Breaker {
    pub const FAILURES: u32 = 3;
    pub const PAUSE: Duration = Duration::from_secs(2);

    /// May one ask now? A yes in the pause's end is for one alone.
    #[must_use]
    pub fn may_ask(&mut self, now: Instant) -> bool {
        match self.closed_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.closed_until = Some(now + Self::PAUSE);
                true
            }
        }
    }

    /// True: that is news.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.closed_until.take().is_some()
    }

    /// True: that is news.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < Self::FAILURES {
            return false;
        }
        let news = self.closed_until.is_none();
        self.closed_until = Some(now + Self::PAUSE);
        news
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed_until.is_some()
    }
}

/// A memory that several switches share.
pub trait Remote: Send + Sync {
    /// As [`Memory::look`], or with `take` as [`Memory::take`], within `ask.patience`.
    ///
    /// # Errors
    /// Why there is no answer; without a password.
    fn ask(&self, ask: &Ask<'_>, take: bool) -> Result<Vec<Seen>, String>;
    /// Nobody waits for this.
    fn note(&self, note: &Note, now: Moment);
}

/// A shared memory with the local one behind it. The local one is told everything that this switch does,
/// so that it goes on near to where the shared one was.
pub struct Backed {
    local: Arc<Local>,
    remote: Box<dyn Remote>,
    breaker: Mutex<Breaker>,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl Backed {
    #[must_use]
    pub fn new(local: Arc<Local>, remote: Box<dyn Remote>) -> Backed {
        Backed::with_clock(local, remote, Box::new(Instant::now))
    }

    #[must_use]
    pub fn with_clock(
        local: Arc<Local>,
        remote: Box<dyn Remote>,
        clock: Box<dyn Fn() -> Instant + Send + Sync>,
    ) -> Backed {
        Backed {
            local,
            remote,
            breaker: Mutex::default(),
            clock,
        }
    }

    fn remote(&self, ask: &Ask<'_>, take: bool) -> Option<Vec<Seen>> {
        if ask.patience.is_zero() || !self.breaker.lock().may_ask((self.clock)()) {
            return None;
        }
        match self.remote.ask(ask, take) {
            Ok(seen) => {
                if self.breaker.lock().succeeded() {
                    tracing::info!("the shared memory of groups answers again");
                }
                Some(seen)
            }
            Err(error) => {
                if self.breaker.lock().failed((self.clock)()) {
                    tracing::warn!(
                        "the shared memory of groups does not answer ({error}): the local one does meanwhile"
                    );
                }
                None
            }
        }
    }

    /// The shared memory is not asked at the moment.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.breaker.lock().is_open()
    }
}

impl Memory for Backed {
    fn look(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source) {
        match self.remote(ask, false) {
            Some(seen) => (seen, Source::Redis),
            None => (self.local.look(ask).0, Source::Fallback),
        }
    }

    fn take(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source) {
        match self.remote(ask, true) {
            Some(seen) => {
                self.local.change(|store| store.took(ask, &seen));
                (seen, Source::Redis)
            }
            None => (self.local.take(ask).0, Source::Fallback),
        }
    }

    fn note(&self, note: &Note, now: Moment) {
        self.local.note(note, now);
        if !self.is_down() {
            self.remote.note(note, now);
        }
    }
}
