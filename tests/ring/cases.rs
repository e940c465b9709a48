//! Single cases that the table has no words for.

use super::story::{Table, ms};
use mod_cti::ring::{
    Cause, Command, Event, LegId, LegState, NewLeg, Outcome, PartId, Ring, Role, Settings, StageId,
};

/// A call with this plan, played so far.
fn played(plan: &str, settings: &str, story: &str) -> Table {
    let mut table = Table::new(plan, settings);
    table
        .play(story)
        .unwrap_or_else(|line| panic!("{plan}: {line}"));
    table
}

#[test]
fn a_stage_of_250_contacts_rings_whole_and_each_contact_once() {
    let mut ring = Ring::new(vec![(Settings::default(), 1)]);
    ring.handle(ms(0), Event::Begin);
    let legs = vec![NewLeg::default(); 250];
    let found = Event::Resolved {
        part: PartId(0),
        stage: StageId(0),
        legs,
        more: false,
    };
    let commands = ring.handle(ms(5), found);
    let dialled: Vec<_> = (0..250).map(LegId).map(Command::Dial).collect();
    assert_eq!(commands, dialled);
    let commands = ring.handle(ms(900), Event::Answered(LegId(249)));
    let lose = |leg: LegId| Command::HangUp {
        leg,
        cause: Cause::LOSE_RACE,
    };
    let mut expected = vec![Command::Join(LegId(249))];
    expected.extend((0..249).map(LegId).map(lose));
    assert_eq!(commands, expected);
}

#[test]
fn a_winner_in_early_media_that_never_answers_has_a_result() {
    let early = |story: &str| {
        let story = format!("0 begin -> dial a\n100 media a -> join a\n{story}");
        played("a", "stage=1000", &story)
    };
    let rang_out = early("1000 tick -> hangup a NO_ANSWER\n1010 ended a NO_ANSWER");
    let busy = early("500 ended a BUSY");
    let left = early("500 ended a GONE");
    let cancelled = early("500 cancel CLEARING -> hangup a CLEARING\n510 ended a CLEARING");
    let results = [
        (rang_out, Outcome::NoAnswer, Cause::NO_ANSWER, Role::Failed),
        (busy, Outcome::Busy, Cause::USER_BUSY, Role::Failed),
        (
            left,
            Outcome::Cancelled,
            Cause::ORIGINATOR_CANCEL,
            Role::Cancelled,
        ),
        (
            cancelled,
            Outcome::Cancelled,
            Cause::NORMAL_CLEARING,
            Role::Cancelled,
        ),
    ];
    for (table, outcome, cause, role) in results {
        assert_eq!(table.ring.unanswered(LegId(0)), (outcome, cause));
        assert_eq!(table.ring.legs()[0].role, Some(role), "{outcome:?}");
    }
}

#[test]
fn a_180_after_the_answer_rang_by_the_answer() {
    let story = "0 begin -> dial a\n300 answered a -> join a\n310 ringing a";
    let table = played("a", "", story);
    let leg = &table.ring.legs()[0];
    assert_eq!(leg.ringing, Some(ms(300)));
    assert_eq!(leg.state, LegState::Answered);
}

/// The hand asks this before it hangs up a phone that has just answered.
#[test]
fn an_answer_is_spared_where_only_time_was_over() {
    let hung_up = [
        ("a|b", "stage=1000", "1000 tick -> hangup a NO_ANSWER", true),
        (
            "a/timeout=500,b",
            "",
            "500 tick -> hangup a NO_ANSWER",
            true,
        ),
        ("a|b", "", "500 skip -> hangup a NO_ANSWER", true),
        ("a|b", "", "500 drop a -> hangup a GONE", false),
        ("a|b", "", "500 gone -> hangup a GONE", false),
        ("a|b", "", "500 cancel BUSY -> hangup a BUSY", false),
        (
            "a,b",
            "",
            "500 answered b -> join b; hangup a LOSE_RACE",
            false,
        ),
        (
            "a/confirm|b",
            "stage=1000",
            "1000 tick -> hangup a NO_ANSWER",
            false,
        ),
        (
            "a|b",
            "stage=1000",
            "1000 tick -> hangup a NO_ANSWER\n1001 gone",
            false,
        ),
    ];
    for (plan, settings, story, spared) in hung_up {
        let mut table = Table::new(plan, settings);
        let begin = if plan.contains(',') {
            "0 begin -> dial a b"
        } else {
            "0 begin -> dial a"
        };
        let told = table.play(begin).and_then(|()| table.play(story));
        assert_eq!(told, Ok(()), "{plan}");
        assert_eq!(table.ring.spares(LegId(0)), spared, "{plan}: {story}");
        let said = table.ring.handle(ms(1002), Event::Answered(LegId(0)));
        assert_eq!(
            said.contains(&Command::Join(LegId(0))),
            spared,
            "{plan}: {story}"
        );
    }
}

#[test]
fn contacts_that_nobody_asked_for_change_nothing() {
    let mut table = played("a", "", "0 begin -> dial a");
    let numbers = [0, 1, usize::MAX];
    for (part, stage) in numbers
        .into_iter()
        .flat_map(|it| numbers.map(|at| (PartId(it), StageId(at))))
    {
        for more in [true, false] {
            let again = Event::Resolved {
                part,
                stage,
                legs: vec![NewLeg::default()],
                more,
            };
            assert_eq!(table.ring.handle(ms(10), again), []);
        }
    }
    table
        .play("60000 tick -> hangup a NO_ANSWER")
        .expect("the stage rings on");
}

#[test]
fn what_is_told_of_no_leg_is_no_reason_to_panic() {
    let told: [fn(LegId) -> Event; 8] = [
        Event::Started,
        Event::Ringing,
        Event::EarlyMedia,
        Event::Answered,
        Event::Confirmed,
        Event::Unanswered,
        Event::Drop,
        |leg| Event::Ended {
            leg,
            cause: Cause::USER_BUSY,
        },
    ];
    let mut table = played("a|b", "", "0 begin -> dial a");
    for event in told {
        for leg in [1, 2, usize::MAX].map(LegId) {
            assert_eq!(table.ring.handle(ms(10), event(leg)), []);
        }
    }
    let legs = vec![NewLeg::default()];
    for (part, stage) in [(1, 0), (usize::MAX, 0), (0, 2), (0, usize::MAX)] {
        let (part, stage, legs) = (PartId(part), StageId(stage), legs.clone());
        let added = Event::Added { part, stage, legs };
        assert_eq!(table.ring.handle(ms(10), added), []);
    }
    table
        .play("20000 tick -> hangup a NO_ANSWER")
        .expect("the stage rings on");
}

#[test]
fn the_clock_never_runs_backwards() {
    let story = "500 begin -> dial a\n100 ringing a -> alert a\nnext 1500\n\
        1500 tick -> hangup a NO_ANSWER\n3 ended a NO_ANSWER -> dial b\nnext 2500";
    played("a|b", "stage=1000", story);
}

/// What `cti explain` shows, which knows beforehand how long the legs may ring.
#[test]
fn a_stages_time_is_known_beforehand() {
    for (written, default, longest, limit) in [
        (None, 20, 0, Some(20)),
        (None, 20, 25, Some(25)),
        (None, 0, 25, None),
        (Some(20), 60, 25, Some(20)),
        (Some(0), 60, 25, None),
    ] {
        let settings = Settings {
            stage_timeout: written.map(ms),
            stage_default: ms(default),
            ..Settings::default()
        };
        let said = settings.stage_limit(false, ms(longest));
        assert_eq!(said, limit.map(ms), "{written:?} {default} {longest}");
    }
}
