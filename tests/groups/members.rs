//! Who is busy, paused, in do-not-disturb or wrap-up, and that whoever was reserved is given back.

use super::write::group;
use mod_cti::groups::config::Policy;
use mod_cti::groups::members::{
    Fact, Finished, Members, Offer, Pause, Reservation, Source, Waiter,
};
use mod_cti::groups::order::{Moment, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const NOW: Moment = Moment(5_000_000);

fn later(seconds: u64) -> Moment {
    NOW.after(Duration::from_secs(seconds))
}

fn began<'a>(channel: &'a str, presence: &'a str, call: Option<&'a str>) -> Fact<'a> {
    Fact::Began {
        channel,
        presence,
        call,
    }
}

fn state(members: &Members, key: &str, now: Moment) -> State {
    members.states([key], "", now)[0]
}

fn calls(members: &Members, key: &str) -> u32 {
    state(members, key, NOW).calls
}

/// What happens, and how many calls `1@d` and `2@d` have after it. `began CHANNEL USER [CALL]`,
/// `dialled CHANNEL CALL`, `answered CHANNEL`, `moved CHANNEL USER`, `ended CHANNEL`.
type Told = (&'static str, u32, u32);

#[rustfmt::skip]
const BUSY: &[(&str, &[Told])] = &[
    ("a call of one's own", &[("began a 1@d", 1, 0), ("answered a", 1, 0), ("ended a", 0, 0)]),
    ("a call that is not ours", &[("began a 2@d", 0, 1), ("ended a", 0, 0)]),
    ("two calls", &[("began a 1@d", 1, 0), ("began b 1@d", 2, 0), ("ended a", 1, 0), ("ended b", 0, 0)]),
    ("three devices that ring for one call", &[
        ("began a 1@d x", 1, 0), ("began b 1@d x", 1, 0), ("began c 1@d x", 1, 0),
        ("ended a", 1, 0), ("answered b", 1, 0), ("ended c", 1, 0), ("ended b", 0, 0)]),
    ("devices that are known to be one call only when they are there", &[
        ("began a 1@d", 1, 0), ("dialled a x", 1, 0), ("began b 1@d", 2, 0), ("dialled b x", 1, 0),
        ("ended a", 1, 0), ("ended b", 0, 0)]),
    ("devices that are known to be one call before they are there", &[
        ("dialled a x", 0, 0), ("dialled b x", 0, 0), ("began a 1@d", 1, 0), ("began b 1@d", 1, 0),
        ("ended a", 1, 0), ("ended b", 0, 0)]),
    ("a channel without a user that was dialled", &[("dialled a x", 0, 0), ("ended a", 0, 0)]),
    ("the same user in other letters", &[("began a 1@D", 1, 0), ("ended a", 0, 0)]),
    ("a fact that comes twice", &[("began a 1@d", 1, 0), ("began a 1@d", 1, 0), ("ended a", 0, 0), ("ended a", 0, 0)]),
    ("facts of channels that nobody knows", &[("answered z", 0, 0), ("moved z 1@d", 0, 0), ("ended z", 0, 0)]),
    ("a channel that becomes another's", &[("began a 1@d", 1, 0), ("moved a 2@d", 0, 1), ("moved a 2@d", 0, 1), ("ended a", 0, 0)]),
    ("a channel that becomes nobody's", &[("began a 1@d", 1, 0), ("moved a ", 0, 0), ("ended a", 0, 0)]),
    ("a blind transfer: who transfers leaves, who is called comes", &[
        ("began a 1@d", 1, 0), ("answered a", 1, 0), ("began b 2@d", 1, 1), ("ended a", 0, 1), ("ended b", 0, 0)]),
    ("an attended transfer: two calls of one, then none", &[
        ("began a 1@d", 1, 0), ("began b 1@d", 2, 0), ("began c 2@d", 2, 1),
        ("ended b", 1, 1), ("ended a", 0, 1), ("ended c", 0, 0)]),
    ("a channel without a user", &[("began a ", 0, 0), ("ended a", 0, 0)]),
];

#[test]
fn who_has_a_call_is_busy() {
    for (what, story) in BUSY {
        let members = Members::default();
        for (told, one, two) in *story {
            let words: Vec<_> = told.split(' ').collect();
            let fact = match words[..] {
                ["began", channel, presence] => began(channel, presence, None),
                ["began", channel, presence, call] => began(channel, presence, Some(call)),
                ["dialled", channel, call] => Fact::Dialled { channel, call },
                ["answered", channel] => Fact::Answered { channel },
                ["moved", channel, presence] => Fact::Moved { channel, presence },
                ["ended", channel] => Fact::Ended { channel },
                _ => panic!("no such fact: {told}"),
            };
            members.fact(fact, NOW);
            let now = (calls(&members, "1@d"), calls(&members, "2@d"));
            assert_eq!(now, (*one, *two), "{what}, after {told:?}");
        }
        assert_eq!(members.size(), (0, 0), "{what}: something is left over");
    }
}

#[test]
fn whoever_is_reserved_is_given_back() {
    let members = Arc::new(Members::default());
    let first = members.reserve("1@d", "x", 1).expect("free");
    assert_eq!(calls(&members, "1@d"), 1);
    assert!(members.reserve("1@d", "y", 1).is_none());
    // For the call that has reserved him he is free, and may be reserved once more.
    assert_eq!(members.states(["1@d"], "x", NOW)[0].calls, 0);
    let again = members.reserve("1@d", "x", 1).expect("its own");
    drop(first);
    assert_eq!(calls(&members, "1@d"), 1);
    drop(again);
    assert_eq!(members.size(), (0, 0));
    // Also by a thread that panics.
    let theirs = Arc::clone(&members);
    let panicked = std::thread::spawn(move || {
        let _held: Option<Reservation> = theirs.reserve("1@d", "x", 1);
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(members.size(), (0, 0));
}

#[test]
fn a_reservation_and_the_legs_dialled_for_it_are_one_call() {
    let members = Arc::new(Members::default());
    let held = members.reserve("1@d", "x", 1).expect("free");
    members.fact(began("leg", "1@d", Some("x")), NOW);
    assert_eq!(calls(&members, "1@d"), 1);
    members.fact(began("other", "1@d", None), NOW);
    assert_eq!(calls(&members, "1@d"), 2);
    drop(held);
    assert_eq!(calls(&members, "1@d"), 2, "the leg talks on");
}

#[test]
fn two_calls_of_one_moment_never_reserve_one_member_both() {
    let members = Arc::new(Members::default());
    let got: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|nth| {
                let members = &members;
                scope.spawn(move || members.reserve("1@d", &format!("call {nth}"), 1))
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|it| it.join().ok().flatten())
            .collect()
    });
    assert_eq!(got.len(), 1);
}

#[test]
fn do_not_disturb_of_a_phone_and_of_an_operator() {
    let members = Members::default();
    let dnd = || state(&members, "1@d", NOW).dnd;
    members.dnd("1@d", Source::Phone, true);
    assert!(dnd());
    members.dnd("1@d", Source::Operator, true);
    members.dnd("1@d", Source::Phone, false);
    assert!(dnd(), "the operator's word stands");
    members.dnd("1@d", Source::Operator, false);
    assert!(!dnd());
    members.dnd("1@d", Source::Phone, true);
    members.dnd("1@d", Source::Operator, false);
    assert!(!dnd(), "an operator ends the phone's too");
    assert_eq!(members.size(), (0, 0));
}

fn policy(text: &str) -> Policy {
    group(&format!("fixed all {text} / 1")).policy
}

#[test]
fn what_comes_of_an_offer_pauses_for_its_time() {
    let policy = policy("busy-pause=10 reject-pause=20 no-answer-pause=30");
    for (offer, pause) in [
        (Offer::Busy, 10),
        (Offer::Rejected, 20),
        (Offer::NoAnswer, 30),
    ] {
        let members = Members::default();
        members.offered("1@d", &policy, offer, NOW);
        assert!(state(&members, "1@d", later(pause - 1)).paused, "{offer:?}");
        assert!(!state(&members, "1@d", later(pause)).paused, "{offer:?}");
        assert_eq!(members.paused("1@d", NOW), Some(Pause::Until(later(pause))));
    }
    let members = Members::default();
    members.offered("1@d", &policy, Offer::NoAnswer, NOW);
    members.offered("1@d", &policy, Offer::Busy, later(1));
    assert!(
        state(&members, "1@d", later(29)).paused,
        "a shorter pause does not end a longer one"
    );
    members.offered("1@d", &policy, Offer::Answered, later(2));
    assert!(!state(&members, "1@d", later(3)).paused);
}

#[test]
fn without_a_policy_nothing_pauses() {
    let members = Members::default();
    for offer in [Offer::Busy, Offer::Rejected, Offer::Answered] {
        members.offered("1@d", &Policy::default(), offer, NOW);
    }
    assert_eq!(members.size(), (0, 0));
    members.offered("1@d", &Policy::default(), Offer::NoAnswer, NOW);
    assert!(!state(&members, "1@d", NOW).paused);
}

#[test]
fn too_many_unanswered_calls_pause_until_somebody_says_otherwise() {
    let policy = policy("max-no-answer=3");
    let paused = |members: &Members| state(members, "1@d", later(1_000_000)).paused;
    let tired = || {
        let members = Members::default();
        for nth in 1..=3 {
            assert!(!paused(&members), "after {} unanswered calls", nth - 1);
            members.offered("1@d", &policy, Offer::NoAnswer, NOW);
        }
        assert_eq!(members.paused("1@d", NOW), Some(Pause::NoAnswers));
        members
    };
    assert!(paused(&tired()));
    // An operator.
    let members = tired();
    members.pause("1@d", false);
    assert!(!paused(&members));
    assert_eq!(members.size(), (0, 0));
    // A successful call, ours or not.
    let members = tired();
    members.fact(began("a", "1@d", None), NOW);
    assert!(paused(&members));
    members.fact(Fact::Answered { channel: "a" }, NOW);
    assert!(!paused(&members));
    // An answer in between begins the count anew.
    let members = Members::default();
    for offer in [
        Offer::NoAnswer,
        Offer::NoAnswer,
        Offer::Answered,
        Offer::NoAnswer,
        Offer::NoAnswer,
    ] {
        members.offered("1@d", &policy, offer, NOW);
    }
    assert!(!paused(&members));
}

#[test]
fn an_operators_pause_outlasts_every_call() {
    let members = Members::default();
    members.pause("1@d", true);
    members.fact(began("a", "1@d", None), NOW);
    members.fact(Fact::Answered { channel: "a" }, NOW);
    members.fact(Fact::Ended { channel: "a" }, NOW);
    members.offered("1@d", &Policy::default(), Offer::Answered, NOW);
    assert_eq!(members.paused("1@d", NOW), Some(Pause::Operator));
    members.pause("1@d", false);
    assert_eq!(members.size(), (0, 0));
}

#[test]
fn a_wrap_up_begins_when_the_call_of_a_group_is_over() {
    let members = Members::default();
    let finished = || state(&members, "1@d", later(9)).finished;
    // A call of his own is none.
    members.fact(began("own", "1@d", None), NOW);
    members.fact(Fact::Answered { channel: "own" }, NOW);
    let over = members.fact(Fact::Ended { channel: "own" }, later(1));
    let own = Finished {
        member: "1@d".to_owned(),
        group: None,
    };
    assert_eq!((over, finished()), (Some(own), None));
    // One that he lost is none.
    members.fact(began("lost", "1@d", Some("x")), NOW);
    assert_eq!(
        members.fact(Fact::Ended { channel: "lost" }, later(2)),
        None
    );
    assert_eq!(finished(), None);
    members.fact(began("leg", "1@d", Some("y")), NOW);
    members.won("leg", "1@d", "sales", "y");
    let same = Fact::Moved {
        channel: "leg",
        presence: "1@d",
    };
    assert_eq!(members.fact(same, later(2)), None, "he talks on");
    let over = members.fact(Fact::Ended { channel: "leg" }, later(3));
    assert_eq!(over.and_then(|it| it.group).as_deref(), Some("sales"));
    assert_eq!(finished(), Some(later(3)));
}

#[test]
fn a_gateways_member_is_busy_while_he_talks() {
    let members = Members::default();
    members.won("leg", "sofia/gateway/g/5", "sales", "x");
    assert_eq!(calls(&members, "sofia/gateway/g/5"), 1);
    let over = members.fact(Fact::Ended { channel: "leg" }, NOW);
    assert!(over.is_some());
    assert_eq!(calls(&members, "sofia/gateway/g/5"), 0);
}

#[derive(Default)]
struct Bell(AtomicU32);

impl Waiter for Bell {
    fn freed(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_waits_is_told_when_somebody_may_be_free() {
    let members = Arc::new(Members::default());
    let bell = Arc::new(Bell::default());
    let as_waiter: Arc<dyn Waiter> = bell.clone();
    members.listen(Arc::downgrade(&as_waiter));
    let rang = || bell.0.swap(0, Ordering::SeqCst);
    members.fact(began("a", "1@d", None), NOW);
    members.fact(Fact::Answered { channel: "a" }, NOW);
    let held = members.reserve("2@d", "x", 1);
    members.pause("1@d", true);
    members.dnd("1@d", Source::Phone, true);
    assert_eq!(rang(), 0, "nobody has become free");
    members.fact(Fact::Ended { channel: "a" }, NOW);
    assert_eq!(rang(), 1);
    drop(held);
    assert_eq!(rang(), 1);
    members.pause("1@d", false);
    members.dnd("1@d", Source::Phone, false);
    assert_eq!(rang(), 2);
    drop(as_waiter);
    let gone = Arc::downgrade(&bell);
    drop(bell);
    assert!(gone.upgrade().is_none());
    members.pause("1@d", false);
}
