//! What outlives a restart, and what happens when a shared memory does not answer.

use super::write::{group, read};
use mod_cti::groups::config::Group;
use mod_cti::groups::memory::{Ask, Backed, Breaker, Local, Memory, Note, Remote, Source, Store};
use mod_cti::groups::order::{Moment, Seen, State, order};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const NOW: Moment = Moment(1_000_000);

/// A folder of this test's own, gone with it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("cti-groups-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("groups.json")
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a folder");
        let names = entries.map(|it| it.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|it| it.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Who is first in a call that takes its turn now, as `1`, and which memory said so.
pub fn take(memory: &dyn Memory, group: &Group) -> (String, Source) {
    let free: Vec<_> = (0..group.members.len()).collect();
    let states = vec![State::default(); free.len()];
    let ask = Ask {
        group,
        free: &free,
        states: &states,
        seed: 1,
        now: NOW,
        patience: Duration::from_millis(50),
    };
    let (seen, source) = memory.take(&ask);
    let caller = Default::default();
    let ordered = order(group, &seen, &states, &caller, NOW, 1);
    let first = &group.members[ordered.stages[0].members[0]];
    (first.target.address.clone(), source)
}

fn first(memory: &dyn Memory, group: &Group) -> String {
    take(memory, group).0
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let folder = Folder::new("restart");
    let group = group("rotate one / 1 / 2 / 3");
    let mut said = Vec::new();
    for _ in 0..5 {
        let (local, warning) = Local::open(&folder.file());
        assert_eq!(warning, None);
        said.push(first(&local, &group));
        local.save().expect("saved");
    }
    assert_eq!(said, ["1", "2", "3", "1", "2"]);
    assert_eq!(folder.names(), ["groups.json"], "nothing is left beside it");
}

#[test]
fn a_restart_keeps_idle_times_and_calls() {
    let folder = Folder::new("idle");
    let config = read(&[
        ("few", "fewest-calls one / 1 / 2"),
        ("idle", "longest-idle one / 1 / 2"),
        ("any", "longest-idle one idle-since=any / 1 / 2"),
    ]);
    let config = config.expect("good groups");
    let (local, _) = Local::open(&folder.file());
    for group in config.groups.values() {
        // Both are offered a call, the second one first, so that only what follows tells them apart.
        assert_eq!(first(&local, group), "1");
        let took = Note::Took {
            group: group.name.clone(),
            takers: Vec::new(),
            offered: vec!["2@d".to_owned(), "1@d".to_owned()],
        };
        local.note(&took, NOW);
    }
    for (group, member) in [("few", "2@d"), ("idle", "2@d"), ("any", "2@d")] {
        let answered = Note::Answered {
            group: group.to_owned(),
            member: member.to_owned(),
            window: Duration::from_secs(3600),
        };
        local.note(&answered, NOW);
        let ended = Note::Ended {
            group: Some(group.to_owned()),
            member: member.to_owned(),
        };
        local.note(&ended, NOW);
    }
    local.save().expect("saved");
    let (local, _) = Local::open(&folder.file());
    for group in config.groups.values() {
        assert_eq!(first(&local, group), "1", "{}", group.name);
        assert_eq!(
            first(&local, group),
            "1",
            "{}: offers alone change nothing",
            group.name
        );
    }
}

#[test]
fn a_damaged_file_is_set_aside_with_a_warning() {
    let folder = Folder::new("damaged");
    let group = group("rotate one / 1 / 2");
    let (good, _) = Local::open(&folder.file());
    first(&good, &group);
    good.save().expect("saved");
    let whole = std::fs::read(folder.file()).expect("a file");
    let half = &whole[..whole.len() / 2];
    let newer = br#"{"version":99,"groups":{},"any":{}}"#;
    for (damage, aside) in [
        (&b""[..], "groups.json.damaged"),
        (half, "groups.json.damaged-2"),
        (&b"\0\xff"[..], "groups.json.damaged-3"),
        (newer, "groups.json.damaged-4"),
    ] {
        std::fs::write(folder.file(), damage).expect("written");
        let (local, warning) = Local::open(&folder.file());
        let warning = warning.expect("a warning");
        assert!(warning.contains(aside), "{warning}");
        assert_eq!(
            std::fs::read(folder.0.join(aside)).expect("set aside"),
            damage
        );
        assert_eq!(first(&local, &group), "1", "all turns begin anew");
        local.save().expect("saved");
        assert!(Local::open(&folder.file()).1.is_none());
    }
}

#[test]
fn a_folder_that_is_not_there_stops_nobody() {
    let group = group("rotate one / 1 / 2");
    let (local, warning) = Local::open(&PathBuf::from("/nonexistent/cti/groups.json"));
    assert_eq!(warning, None);
    assert_eq!(first(&local, &group), "1");
    assert!(local.save().is_err());
    assert!(
        local.save().is_err(),
        "what could not be written is tried again"
    );
    assert_eq!(first(&local, &group), "2");
}

#[test]
fn whoever_reads_the_file_finds_a_whole_one() {
    let folder = Folder::new("atomic");
    let many: String = (1..=300).map(|nth| format!(" / {nth}")).collect();
    let group = group(&format!("rotate one{many}"));
    let (local, _) = Local::open(&folder.file());
    first(&local, &group);
    local.save().expect("saved");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..100 {
                first(&local, &group);
                local.save().expect("saved");
            }
        });
        let reader = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let text = std::fs::read(folder.file()).expect("there is always a file");
                let read: Result<Store, _> = serde_json::from_slice(&text);
                assert!(read.is_ok(), "{read:?}");
            }
        });
        let wrote = writer.join();
        done.store(true, Ordering::SeqCst);
        wrote.expect("written");
        reader.join().expect("read");
    });
}

#[test]
fn the_thread_that_saves_saves_a_last_time() {
    let folder = Folder::new("saver");
    let group = group("rotate one / 1 / 2 / 3");
    let (local, _) = Local::open(&folder.file());
    let local = Arc::new(local);
    let saver = local.start_saving().expect("a thread");
    first(&*local, &group);
    let until = Instant::now() + Duration::from_secs(20);
    while !folder.file().exists() {
        assert!(Instant::now() < until, "nothing is saved");
        std::thread::yield_now();
    }
    // In its pause now, with something to save after it.
    let began = Instant::now();
    first(&*local, &group);
    drop(saver);
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "it does not sleep out its pause"
    );
    let (local, _) = Local::open(&folder.file());
    assert_eq!(first(&local, &group), "3");
}

#[test]
fn to_look_moves_nothing() {
    let group = group("rotate one / 1 / 2 / 3");
    let local = Local::default();
    first(&local, &group);
    let free = [0, 1, 2];
    let states = [State::default(); 3];
    let ask = Ask {
        group: &group,
        free: &free,
        states: &states,
        seed: 1,
        now: NOW,
        patience: Duration::ZERO,
    };
    let before = local.look(&ask);
    assert_eq!(local.look(&ask), before);
    assert_eq!(first(&local, &group), "2");
}

#[test]
fn the_breaker_opens_after_three_failures_and_closes_by_itself() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let pause = Breaker::PAUSE.as_millis() as u64;
    let mut breaker = Breaker::default();
    assert!(!breaker.failed(at(0)) && !breaker.failed(at(1)));
    assert!(breaker.may_ask(at(2)), "two are not enough");
    assert!(!breaker.succeeded(), "that is no news");
    assert!(
        !breaker.failed(at(3)) && !breaker.failed(at(4)),
        "they count anew"
    );
    assert!(breaker.failed(at(5)), "the third in a row is news");
    assert!(!breaker.may_ask(at(6)));
    assert!(!breaker.may_ask(at(4 + pause)));
    assert!(breaker.may_ask(at(5 + pause)), "one may try");
    assert!(
        !breaker.may_ask(at(6 + pause)),
        "the others wait for what comes of it"
    );
    assert!(!breaker.failed(at(7 + pause)), "no news");
    assert!(!breaker.may_ask(at(6 + 2 * pause)));
    assert!(breaker.may_ask(at(7 + 2 * pause)));
    assert!(breaker.succeeded(), "back again is news");
    assert!(breaker.may_ask(at(8 + 2 * pause)) && breaker.may_ask(at(9 + 2 * pause)));
}

/// A shared memory that answers, or not.
#[derive(Default)]
struct Fake {
    store: Mutex<Store>,
    gone: AtomicBool,
    asked: AtomicU32,
    noted: AtomicU32,
}

struct Line(Arc<Fake>);

impl Remote for Line {
    fn ask(&self, ask: &Ask<'_>, take: bool) -> Result<Vec<Seen>, String> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        if self.0.gone.load(Ordering::SeqCst) {
            return Err("gone".to_owned());
        }
        let mut store = self.0.store.lock();
        Ok(match take {
            true => store.take(ask),
            false => store.look(ask.group, ask.now),
        })
    }

    fn note(&self, _: &Note, _: Moment) {
        self.0.noted.fetch_add(1, Ordering::SeqCst);
    }
}

struct Shared {
    fake: Arc<Fake>,
    memory: Backed,
    clock: Arc<Mutex<Instant>>,
}

fn shared() -> Shared {
    let fake = Arc::new(Fake::default());
    let clock = Arc::new(Mutex::new(Instant::now()));
    let theirs = Arc::clone(&clock);
    let memory = Backed::with_clock(
        Arc::default(),
        Box::new(Line(Arc::clone(&fake))),
        Box::new(move || *theirs.lock()),
    );
    Shared {
        fake,
        memory,
        clock,
    }
}

#[test]
fn without_the_shared_memory_the_local_one_goes_on_where_it_was() {
    let it = shared();
    let group = group("rotate one / 1 / 2 / 3");
    let said = |first: &str, source| (first.to_owned(), source);
    assert_eq!(take(&it.memory, &group), said("1", Source::Redis));
    assert_eq!(take(&it.memory, &group), said("2", Source::Redis));
    it.fake.gone.store(true, Ordering::SeqCst);
    for first in ["3", "1", "2", "3", "1"] {
        assert_eq!(take(&it.memory, &group), said(first, Source::Fallback));
    }
    assert_eq!(
        it.fake.asked.load(Ordering::SeqCst),
        5,
        "after three failures nobody asks"
    );
    assert!(it.memory.is_down());
    // Nothing is told to one that is gone.
    let note = Note::Offered {
        group: "g".to_owned(),
        member: "1@d".to_owned(),
    };
    it.memory.note(&note, NOW);
    assert_eq!(it.fake.noted.load(Ordering::SeqCst), 0);
    // Back again, without anybody's help.
    it.fake.gone.store(false, Ordering::SeqCst);
    assert_eq!(take(&it.memory, &group).1, Source::Fallback);
    *it.clock.lock() += Breaker::PAUSE;
    assert_eq!(take(&it.memory, &group), said("3", Source::Redis));
    assert!(!it.memory.is_down());
    it.memory.note(&note, NOW);
    assert_eq!(it.fake.noted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_newcomer_is_one_to_the_local_memory_too() {
    let it = shared();
    let mut group = Group::clone(&group("fewest-calls one / 1 / 2 / 3"));
    let newcomer = group.members.pop().expect("the third");
    take(&it.memory, &group);
    for member in ["1@d", "2@d"] {
        let answered = Note::Answered {
            group: "g".to_owned(),
            member: member.to_owned(),
            window: group.window,
        };
        it.memory.note(&answered, NOW);
    }
    group.members.push(newcomer);
    // Everybody has had an offer then, the newcomer the last one.
    assert_eq!(
        [take(&it.memory, &group).0, take(&it.memory, &group).0],
        ["2", "3"]
    );
    it.fake.gone.store(true, Ordering::SeqCst);
    assert_eq!(take(&it.memory, &group).0, "1");
}

#[test]
fn whose_patience_is_spent_asks_the_local_memory() {
    let it = shared();
    let group = group("rotate one / 1 / 2");
    let states = [State::default(); 2];
    let ask = Ask {
        group: &group,
        free: &[0, 1],
        states: &states,
        seed: 1,
        now: NOW,
        patience: Duration::ZERO,
    };
    assert_eq!(it.memory.take(&ask).1, Source::Fallback);
    assert_eq!(it.fake.asked.load(Ordering::SeqCst), 0);
    assert!(!it.memory.is_down());
}

#[test]
fn the_names_of_the_memories() {
    let names = [Source::Local, Source::Redis, Source::Fallback].map(Source::name);
    assert_eq!(names, ["local", "redis", "fallback"]);
}
