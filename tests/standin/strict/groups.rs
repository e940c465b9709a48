//! Ring groups over several calls: turns, who is busy, pauses, and a configuration that is read again.
//! What one call shows of a group stands in the scenario table.

use super::{APPLICATION, Wrong, call, during_a_call, expect, phone};
use crate::scenarios::Behaviour;
use crate::standin::run::{Course, Stand};

const FREE: [(&str, Behaviour); 3] = [
    ("1002", Behaviour::Answers(50)),
    ("1003", Behaviour::Answers(50)),
    ("1004", Behaviour::Answers(50)),
];

/// Read cti.conf with these groups; the reply.
fn reread(stand: &Stand, groups: &str) -> String {
    let groups = format!("<groups>{groups}</groups>");
    stand.library.set_config_elements(&groups);
    stand.library.api("cti", Some(b"reload"), true)
}

/// A group of 1002, 1003 and 1004.
fn group(name: &str, attributes: &str) -> String {
    format!(
        r#"<group name="{name}" {attributes}><member target="user/1002"/><member target="user/1003"/><member target="user/1004"/></group>"#
    )
}

/// One call to this plan by somebody with this `presence_id`.
fn ring(stand: &Stand, plan: &str, presence: &str, phones: &[(&'static str, Behaviour)]) -> Course {
    let phones: Vec<_> = phones.iter().map(|it| phone(it.0, it.1)).collect();
    stand.register(&phones);
    call(stand, Some(plan.as_bytes()), |stand, caller| {
        stand.library.set_variable(caller, "presence_id", presence);
    })
}

fn winner(course: &Course) -> String {
    let winner = course.seen.variable("cti_winner");
    winner.unwrap_or_default().replace("user/", "")
}

/// Who was skipped, and why, as `cti_legs` tells.
fn skipped(legs: &str) -> Vec<(String, String)> {
    let legs: Vec<serde_json::Value> = serde_json::from_str(legs).unwrap_or_default();
    let text = |leg: &serde_json::Value, name: &str| leg[name].as_str().unwrap_or("").to_owned();
    let skipped = legs.iter().filter(|leg| leg["role"] == "skipped");
    skipped
        .map(|leg| {
            (
                text(leg, "target").replace("user/", ""),
                text(leg, "reason"),
            )
        })
        .collect()
}

/// Each order over calls one after another: who answers, since everybody does at once.
pub fn take_turns(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    // When the orders by idle time come, 1004 has been idle for the longest time.
    for (attributes, plans, expected) in [
        (
            r#"order="fixed""#,
            ["ring/it"; 4],
            ["1002", "1002", "1002", "1002"],
        ),
        (
            r#"order="rotate""#,
            ["ring/it"; 4],
            ["1002", "1003", "1004", "1002"],
        ),
        (
            r#"order="longest-idle" idle-since="any""#,
            ["user/1003", "ring/it", "ring/it", "ring/it"],
            ["1003", "1004", "1002", "1003"],
        ),
        (
            r#"order="fewest-calls""#,
            ["ring/it", "user/1003", "ring/it", "ring/it"],
            ["1002", "1003", "1003", "1004"],
        ),
    ] {
        // Turns are remembered by the group's name.
        let name = expected.join("") + &attributes.replace(|c: char| !c.is_alphabetic(), "");
        let reply = reread(stand, &group(&name, &format!(r#"{attributes} step="one""#)));
        expect(&mut wrong, attributes, reply.starts_with("+OK"), &reply);
        let mut won = Vec::new();
        for plan in plans {
            let course = ring(stand, &plan.replace("it", &name), "1001@pbx.invalid", &FREE);
            wrong.extend(course.leftovers.iter().cloned());
            won.push(winner(&course));
        }
        expect(&mut wrong, attributes, won == expected, &won);
    }
    wrong
}

/// Whoever has a call is skipped, also by one that no group rang and after a `cti reload`, and is rung
/// again when that call is over.
pub fn skip_who_is_busy(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    let one = group("one", r#"step="one""#);
    reread(stand, &one);
    for (presence, plan, expected, reason) in [
        ("1001@pbx.invalid", "ring/one", "1003", Some("busy")),
        ("1001@pbx.invalid", "user/1002", "1002", None),
    ] {
        let phones: Vec<_> = FREE.iter().map(|it| phone(it.0, it.1)).collect();
        stand.register(&phones);
        let (more, _) = during_a_call(stand, "user/1002", 900, || {
            reread(stand, &one);
            let caller = stand.library.caller("1005", false);
            stand.library.set_variable(caller, "presence_id", presence);
            stand.library.hangs_up(caller, -1, 20);
            stand
                .library
                .application(caller, APPLICATION, Some(plan.as_bytes()));
            let variables = stand.library.finish(caller);
            let of = |name: &str| {
                let found = variables.iter().find(|it| it.0 == name);
                found.map_or(String::new(), |it| it.1.clone())
            };
            let mut wrong = Wrong::new();
            let won = of("cti_winner").replace("user/", "");
            expect(&mut wrong, plan, won == expected, &won);
            let skipped = skipped(&of("cti_legs"));
            let told = reason.map(|reason| ("1002".to_owned(), reason.to_owned()));
            expect(
                &mut wrong,
                "skipped",
                skipped == Vec::from_iter(told),
                &skipped,
            );
            wrong
        });
        wrong.extend(more);
    }
    let course = ring(stand, "ring/one", "1001@pbx.invalid", &FREE);
    expect(
        &mut wrong,
        "afterwards",
        winner(&course) == "1002",
        &winner(&course),
    );
    wrong
}

/// Channels that exist when the module is loaded count as well.
pub fn see_who_is_busy_at_load(stand: &Stand) -> Wrong {
    reread(stand, &group("one", r#"step="one""#));
    let talks = stand.library.caller("1002", true);
    stand
        .library
        .set_variable(talks, "presence_id", "1002@pbx.invalid");
    let mut wrong = Wrong::new();
    let again = stand.library.unload(false).and_then(|()| stand.load());
    expect(&mut wrong, "unload and load", again.is_ok(), &again);
    let course = ring(stand, "ring/one", "1001@pbx.invalid", &FREE);
    expect(
        &mut wrong,
        "meanwhile",
        winner(&course) == "1003",
        &winner(&course),
    );
    stand.library.finish(talks);
    let course = ring(stand, "ring/one", "1001@pbx.invalid", &FREE);
    expect(
        &mut wrong,
        "afterwards",
        winner(&course) == "1002",
        &winner(&course),
    );
    wrong
}

/// A member does not ring at himself, and whoever has let a call of the group down is left alone.
pub fn pause(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    let first = |does| [("1002", does), FREE[1], FREE[2]];
    for (attributes, presence, does, won, why) in [
        (
            "",
            "1002@pbx.invalid",
            Behaviour::Answers(50),
            "1003",
            "self",
        ),
        (
            r#"busy-pause="60""#,
            "",
            Behaviour::Rejects(486, 50),
            "1003",
            "paused",
        ),
        (
            r#"reject-pause="60""#,
            "",
            Behaviour::Rejects(603, 50),
            "1003",
            "paused",
        ),
        (
            r#"no-answer-pause="60""#,
            "",
            Behaviour::Rings,
            "1003",
            "paused",
        ),
        (
            r#"max-no-answer="1""#,
            "",
            Behaviour::Rings,
            "1003",
            "paused",
        ),
        (
            r#"wrapup="60""#,
            "",
            Behaviour::Answers(50),
            "1003",
            "wrapup",
        ),
        // Nothing is asked for.
        ("", "", Behaviour::Rejects(486, 50), "1003", ""),
    ] {
        let name = format!("it{}", attributes.replace(|c: char| !c.is_alphabetic(), ""));
        let attributes = format!(r#"step="one" timeout="200ms" {attributes}"#);
        reread(stand, &group(&name, &attributes));
        let plan = format!("ring/{name}");
        ring(stand, &plan, presence, &first(does));
        let course = ring(stand, &plan, presence, &first(does));
        expect(
            &mut wrong,
            &attributes,
            winner(&course) == won,
            &winner(&course),
        );
        let skipped = skipped(course.seen.variable("cti_legs").unwrap_or_default());
        let told = (!why.is_empty()).then(|| ("1002".to_owned(), why.to_owned()));
        expect(
            &mut wrong,
            &attributes,
            skipped == Vec::from_iter(told),
            &skipped,
        );
        // Nobody keeps a pause over a load of the module.
        let again = stand.library.unload(false).and_then(|()| stand.load());
        expect(&mut wrong, "unload and load", again.is_ok(), &again);
    }
    wrong
}

/// `cti explain` tells whose turn it is and who is skipped, and moves nothing.
pub fn explain(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    let attributes = r#"order="rotate" step="one" timeout="200ms" no-answer-pause="60""#;
    reread(stand, &group("explained", attributes));
    let phones: Vec<_> = FREE.iter().map(|it| phone(it.0, it.1)).collect();
    let explain = |line: &str| {
        stand.register(&phones);
        let line = format!("explain {line}");
        let reply = stand.library.api("cti", Some(line.as_bytes()), true);
        stand.library.forget();
        reply
    };
    let first = |reply: &str| {
        let mut lines = reply
            .lines()
            .skip_while(|line| !line.starts_with("stage 1 of "));
        let line = lines.nth(1).unwrap_or_default();
        line.trim().split(' ').next().unwrap_or_default().to_owned()
    };
    for _ in 0..2 {
        let reply = explain("ring/explained");
        expect(
            &mut wrong,
            "explained",
            first(&reply) == "user/1002",
            &reply,
        );
    }
    let silent = [("1002", Behaviour::Rings), FREE[1], FREE[2]];
    let course = ring(stand, "ring/explained", "", &silent);
    expect(
        &mut wrong,
        "the first call",
        winner(&course) == "1003",
        &winner(&course),
    );
    let reply = explain("ring/explained");
    let told = "skipped of explained: user/1002  paused";
    expect(&mut wrong, told, reply.contains(told), &reply);
    expect(
        &mut wrong,
        "the next turn",
        first(&reply) == "user/1003",
        &reply,
    );
    let reply = explain("json ring/explained");
    let json: serde_json::Value = serde_json::from_str(&reply).unwrap_or_default();
    let skipped = &json["parts"][0]["skipped"][0];
    expect(&mut wrong, "json", skipped["reason"] == "paused", &reply);
    let reply = explain("user/1002|ring/nowhere");
    let told = "there is no group \"nowhere\" at column 11\nuser/1002|ring/nowhere\n          ^\n";
    expect(&mut wrong, "a caret", reply.ends_with(told), &reply);
    wrong
}

/// Groups that cannot come into force change nothing, and why is told.
pub fn refuse_bad_groups(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    let good = group("good", "");
    let reply = reread(stand, &good);
    expect(
        &mut wrong,
        "good groups",
        reply == "+OK cti.conf read\n",
        &reply,
    );
    stand.library.set_config("stage-timeout", "7");
    for (bad, told) in [
        (group("bad", r#"order="backwards""#), "group bad: order"),
        (
            group("bad", r#"colour="red""#),
            "group bad: a group has no attribute colour",
        ),
        (
            group("bad", r#"when-all-busy="wait""#),
            "group bad: when-all-busy",
        ),
        (
            r#"<group name="bad"><member target="user/1002" tier="x"/></group>"#.to_owned(),
            "group bad, member user/1002: tier",
        ),
        (
            r#"<group name="bad"><member target="ring/nobody"/></group>"#.to_owned(),
            "group bad, member ring/nobody: there is no group nobody",
        ),
    ] {
        let reply = reread(stand, &bad);
        let fits = reply.starts_with("-ERR cti.conf changes nothing:\n") && reply.contains(told);
        expect(&mut wrong, told, fits, &reply);
        let status = stand.library.api("cti", Some(b"status"), true);
        let old = status
            .lines()
            .any(|line| line == "stage-timeout        20 s");
        expect(&mut wrong, "the old settings stand", old, &status);
        let course = ring(stand, "ring/good", "1001@pbx.invalid", &FREE);
        let result = course.seen.variable("cti_result");
        expect(
            &mut wrong,
            "the old groups ring",
            result == Some("answered"),
            &result,
        );
    }
    // At load there is nothing old: the module works without groups.
    stand.library.log();
    let again = stand.library.unload(false).and_then(|()| stand.load());
    expect(&mut wrong, "unload and load", again.is_ok(), &again);
    let log = stand.library.log();
    let told = log
        .iter()
        .any(|(_, line)| line.contains("there is no group nobody"));
    expect(&mut wrong, "the log", told, &log);
    for (plan, result) in [("ring/good", "invalid"), ("user/1002", "answered")] {
        let course = ring(stand, plan, "1001@pbx.invalid", &FREE);
        let got = course.seen.variable("cti_result");
        expect(&mut wrong, plan, got == Some(result), &got);
    }
    wrong
}
