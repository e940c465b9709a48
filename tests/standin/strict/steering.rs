//! The ring groups as an operator sees and steers them: `cti groups`, `cti group`, `cti member`, with what
//! stands in a configuration, in hostile words, and in the events and metrics that follow.

use super::*;
use serde_json::{Value, json};

const SALES: &str = r#"<group name="sales"><member target="user/1002"/></group>"#;

fn ask(stand: &Stand, line: impl AsRef<[u8]>) -> String {
    stand.library.api("cti", Some(line.as_ref()), true)
}

fn told(stand: &Stand, line: &str) -> Value {
    serde_json::from_str(&ask(stand, line)).unwrap_or_default()
}

/// These groups come into force.
fn configure(stand: &Stand, groups: &str) -> Wrong {
    let groups = format!("<groups>{groups}</groups>");
    stand.library.set_config_elements(&groups);
    let mut wrong = Wrong::new();
    let reply = ask(stand, "reload");
    expect(&mut wrong, "reload", reply.starts_with("+OK"), &reply);
    wrong
}

const TWO: &str = r#"
<group name="sales" strategy="round-robin" timeout="1500ms">
  <member target="user/1002"/><member target="user/1003"/><member target="ring/support"/></group>
<group name="support" order="longest-idle" step="2" skip="busy paused" when-all-busy="ring-anyway">
  <member target="user/1003"/><member target="[leg_timeout=9]sofia/gateway/g/5551234"/></group>
"#;

/// The same, whoever asks, or what it is instead.
fn is(wrong: &mut Wrong, what: &str, got: &Value, expected: Value) {
    expect(wrong, what, *got == expected, &(&got, &expected));
}

pub fn shown(stand: &Stand) -> Wrong {
    let mut wrong = configure(stand, "");
    is(
        &mut wrong,
        "no groups",
        &told(stand, "groups json"),
        json!([]),
    );
    is(
        &mut wrong,
        "no members",
        &told(stand, "member list json"),
        json!([]),
    );
    wrong.extend(configure(stand, TWO));

    let sales = json!({
        "group": "sales", "order": "rotate", "step": "one", "strategy": "round-robin",
        "timeout_ms": 1500, "skip": ["busy", "dnd", "self", "paused", "wrapup"],
        "when_all_busy": "overflow", "size": 3, "free": 3,
    });
    let support = json!({
        "group": "support", "order": "longest-idle", "step": "2", "strategy": null,
        "timeout_ms": null, "skip": ["busy", "paused"],
        "when_all_busy": "ring-anyway", "size": 2, "free": 2,
    });
    is(
        &mut wrong,
        "groups",
        &told(stand, "groups json"),
        json!([sales, support]),
    );
    let text = ask(stand, "groups");
    for line in [
        "+OK 2 groups, memory local",
        "sales                strategy round-robin: order rotate, step one, 3 of 3 free",
        "support              order longest-idle, step 2, 2 of 2 free",
    ] {
        expect(&mut wrong, line, text.lines().any(|it| it == line), &text);
    }

    let reply = told(stand, "group sales json");
    let mut member = json!({
        "member": "1002@pbx.invalid", "target": "user/1002", "group": null, "tier": 1, "weight": 1,
        "max_calls": 1, "state": "free", "calls": 0, "dnd": false, "paused": null,
        "pause_left_ms": null, "turn": 1, "skipped": null, "idle_ms": null, "counted_calls": null,
    });
    is(&mut wrong, "a member", &reply["members"][0], member.clone());
    member["member"] = json!("ring/support");
    member["target"] = json!("ring/support");
    member["group"] = json!("support");
    member["turn"] = json!(3);
    is(
        &mut wrong,
        "a group as a member",
        &reply["members"][2],
        member,
    );
    is(&mut wrong, "its memory", &reply["memory"], json!("local"));
    is(&mut wrong, "its step", &reply["step"], json!("one"));

    ask(stand, "member pause user/1002");
    let text = ask(stand, "group sales");
    for line in [
        "+OK sales: strategy round-robin: order rotate, step one, 2 of 3 free",
        "   - 1002@pbx.invalid                 paused (by an operator), 0 calls, skipped: paused",
        "   1 1003@pbx.invalid                 free, 0 calls",
    ] {
        expect(&mut wrong, line, text.lines().any(|it| it == line), &text);
    }
    ask(stand, "member unpause user/1002");

    let all = told(stand, "member list json");
    let keys = all
        .as_array()
        .map(|all| all.iter().map(|it| it["member"].clone()).collect());
    let expected = [
        "1002@pbx.invalid",
        "1003@pbx.invalid",
        "ring/support",
        "sofia/gateway/g/5551234",
    ];
    is(
        &mut wrong,
        "members",
        &keys.unwrap_or_default(),
        json!(expected),
    );
    is(
        &mut wrong,
        "groups of a member",
        &all[1]["groups"],
        json!(["sales", "support"]),
    );
    let one = told(stand, "member list json user/1003");
    is(&mut wrong, "one member", &one, json!([all[1]]));

    let before = told(stand, "group sales json");
    is(
        &mut wrong,
        "to look moves nothing",
        &before["members"][0]["turn"],
        json!(1),
    );
    wrong.extend(left(stand));
    wrong
}

fn header<'a>(event: &'a [(String, String)], name: &str) -> &'a str {
    let found = event.iter().find(|(it, _)| it == name);
    found.map_or("", |(_, value)| value)
}

pub fn steered(stand: &Stand) -> Wrong {
    let mut wrong = configure(stand, TWO);
    stand.library.events();
    let states = |key: &str| {
        let one = told(stand, &format!("member list json {key}"));
        [
            one[0]["state"].clone(),
            one[0]["paused"].clone(),
            one[0]["dnd"].clone(),
        ]
    };
    let table = [
        (
            "pause 1002@pbx.invalid",
            "is paused",
            json!(["paused", "operator", false]),
        ),
        (
            "pause 1002@PBX.invalid",
            "is paused",
            json!(["paused", "operator", false]),
        ),
        (
            "dnd user/1002",
            "is dnd, paused",
            json!(["dnd", "operator", true]),
        ),
        ("unpause user/1002", "is dnd", json!(["dnd", null, true])),
        (
            "undnd 1002@pbx.invalid",
            "is free",
            json!(["free", null, false]),
        ),
    ];
    for (line, said, state) in &table {
        let reply = ask(stand, format!("member {line}"));
        let expected = format!("+OK 1002@pbx.invalid {said}\n");
        expect(&mut wrong, line, reply == expected, &reply);
        is(&mut wrong, line, &json!(states("user/1002")), state.clone());
    }
    // In every group that has him, and nobody else is touched.
    ask(stand, "member pause user/1003");
    for group in ["sales", "support"] {
        let reply = told(stand, &format!("group {group} json"));
        let members = reply["members"].as_array().cloned().unwrap_or_default();
        let paused = members.iter().filter(|it| it["skipped"] == "paused");
        let paused: Vec<_> = paused.map(|it| &it["member"]).collect();
        let only = paused == [&json!("1003@pbx.invalid")];
        expect(&mut wrong, group, only, &paused);
    }
    // A group of whose members nobody may be rung.
    ask(stand, "member pause [leg_timeout=9]sofia/gateway/g/5551234");
    let reply = told(stand, "group sales json");
    is(
        &mut wrong,
        "nobody of it",
        &reply["members"][2]["skipped"],
        json!("nobody-free"),
    );
    // What was said stays over a reload.
    ask(stand, "reload");
    is(
        &mut wrong,
        "after a reload",
        &states("user/1003")[0],
        json!("paused"),
    );
    ask(stand, "member unpause user/1003");
    ask(stand, "member unpause sofia/gateway/g/5551234");

    let nobody = "-ERR no group has a member \"user/1009\"; `cti member list` lists them\n";
    for (line, expected) in [
        (
            "group nosuch",
            "-ERR there is no group \"nosuch\"; `cti groups` lists them\n",
        ),
        (
            "group Sales",
            "-ERR there is no group \"Sales\"; `cti groups` lists them\n",
        ),
        ("member pause user/1009", nobody),
        ("member list user/1009", nobody),
        ("member list json user/1009", nobody),
    ] {
        let reply = ask(stand, line);
        expect(&mut wrong, line, reply == expected, &reply);
    }

    stand.library.quiet(2000 * slowness() as u32);
    let names = [
        "CTI-Action",
        "CTI-Member",
        "CTI-Change",
        "CTI-State",
        "CTI-By",
        "CTI-Call-UUID",
    ];
    let events = stand.library.events();
    let events: Vec<_> = events
        .iter()
        .map(|it| names.map(|name| header(it, name)))
        .collect();
    let (me, other, gateway) = (
        "1002@pbx.invalid",
        "1003@pbx.invalid",
        "sofia/gateway/g/5551234",
    );
    let expected = [
        (me, "pause", "paused"),
        (me, "pause", "paused"),
        (me, "dnd", "dnd, paused"),
        (me, "unpause", "dnd"),
        (me, "undnd", "free"),
        (other, "pause", "paused"),
        (gateway, "pause", "paused"),
        (other, "unpause", "free"),
        (gateway, "unpause", "free"),
    ];
    let expected = expected.map(|(who, change, state)| ["member", who, change, state, "api", ""]);
    expect(&mut wrong, "events", events == expected, &events);
    wrong.extend(left(stand));
    wrong
}

pub fn completed(stand: &Stand) -> Wrong {
    let mut wrong = configure(stand, TWO);
    let rules = stand.library.completions();
    for rule in [
        "cti groups",
        "cti groups json",
        "cti group ::cti::groups",
        "cti member list ::cti::members",
        "cti member pause ::cti::members",
        "cti member undnd ::cti::members",
    ] {
        expect(&mut wrong, rule, rules.iter().any(|it| it == rule), &rules);
    }
    let groups = stand.library.complete("::cti::groups", "cti group ", "");
    expect(
        &mut wrong,
        "groups",
        groups == ["sales", "support"],
        &groups,
    );
    let members = stand
        .library
        .complete("::cti::members", "cti member pause ", "");
    let expected = [
        "1002@pbx.invalid",
        "1003@pbx.invalid",
        "ring/support",
        "sofia/gateway/g/5551234",
    ];
    expect(&mut wrong, "members", members == expected, &members);
    wrong.extend(left(stand));
    wrong
}

/// Neither a word of an operator's nor one of the configuration is more than a word.
pub fn data(stand: &Stand) -> Wrong {
    let quoted = "[presence_id=a\"b]sofia/gateway/g/1";
    let turned = "sofia/gateway/g/x\u{202e}y z";
    let expanded = "sofia/gateway/g/${system(x)}";
    let members = [quoted, turned, expanded].map(|target| {
        let target = target.replace('"', "&quot;");
        format!("<member target=\"{target}\"/>")
    });
    let group = format!("<group name=\"odd\">{}</group>", members.concat());
    let mut wrong = configure(stand, &group);
    for line in [
        "group ",
        "member pause ",
        "member list ",
        "member list json ",
        "member x ",
    ] {
        for word in [
            arguments::NASTY,
            b"a\x1b[31m\x07b",
            b"${system(x)}",
            b"\"quoted\"",
            &[b'x'; 60_000],
        ] {
            let reply = ask(stand, [line.as_bytes(), word].concat());
            let one =
                reply.starts_with("-ERR ") && reply.lines().count() == 1 && reply.len() < 6000;
            let inert = !reply.trim_end().contains(char::is_control) && !reply.contains("${");
            let shown: String = reply.chars().take(200).collect();
            expect(&mut wrong, line, one && inert, &shown);
        }
    }
    let all = told(stand, "member list json");
    let keys = all
        .as_array()
        .map(|all| all.iter().map(|it| it["member"].clone()).collect());
    is(
        &mut wrong,
        "keys",
        &keys.unwrap_or_default(),
        json!(["a\"b", expanded, turned]),
    );
    for line in [
        "group odd",
        "group odd json",
        "member list",
        "member list json",
        "groups",
    ] {
        let reply = ask(stand, line);
        let inert = !reply.contains("${") && !reply.contains('\u{202e}') || line.ends_with("json");
        expect(&mut wrong, line, inert && !reply.contains("${"), &reply);
    }
    for key in ["a\"b", turned, expanded] {
        stand.library.events();
        let reply = ask(stand, format!("member pause {key}"));
        let shown = !reply.contains("${") && !reply.contains('\u{202e}');
        expect(&mut wrong, key, reply.starts_with("+OK") && shown, &reply);
        stand.library.quiet(2000 * slowness() as u32);
        let events = stand.library.events();
        let member = events
            .first()
            .map_or("", |event| header(event, "CTI-Member"));
        let inert = !member.contains("${") && !member.contains('\u{202e}') && !member.is_empty();
        expect(&mut wrong, "its event", inert, &member);
    }
    let offered = stand
        .library
        .complete("::cti::members", "cti member pause ", "");
    let plain = !offered.iter().any(|it| it.contains('\u{202e}'));
    expect(&mut wrong, "offered", plain && offered.len() == 2, &offered);
    wrong.extend(left(stand));
    wrong
}

pub fn counted(stand: &Stand) -> Wrong {
    let mut wrong = configure(stand, TWO);
    let series = || -> String {
        let text = ask(stand, "metrics");
        let lines = text.lines().filter(|line| line.contains("cti_group"));
        lines.collect::<Vec<_>>().join("\n")
    };
    ask(stand, "member pause user/1002");
    let text = series();
    for line in [
        r#"cti_group_members{group="sales",state="free"} 2"#,
        r#"cti_group_members{group="sales",state="paused"} 1"#,
        r#"cti_group_members{group="support",state="busy"} 0"#,
        r#"cti_group_calls_total{group="sales",result="answered"} 0"#,
        r#"cti_group_skipped_total{group="support",reason="dnd"} 0"#,
        r#"cti_group_memory{memory="local"} 1"#,
        r#"cti_group_memory{memory="fallback"} 0"#,
    ] {
        expect(&mut wrong, line, text.lines().any(|it| it == line), &text);
    }
    // A group that is gone leaves no series behind.
    wrong.extend(configure(stand, SALES));
    let text = series();
    let stays = text.contains("support") || !text.contains(r#"group="sales""#);
    expect(&mut wrong, "of a group that is gone", !stays, &text);
    wrong.extend(configure(stand, ""));
    let text = series();
    expect(
        &mut wrong,
        "of no groups",
        !text.contains("cti_group"),
        &text,
    );
    wrong.extend(left(stand));
    wrong
}

const HUNT: &str = r#"<group name="hunt" order="rotate" step="one" timeout="1" busy-pause="60">
<member target="user/1002"/><member target="user/1003"/><member target="user/1004"/></group>"#;

/// What a group has become for a call: in its events, in `cti_legs`, in the metrics.
pub fn told_of_calls(stand: &Stand) -> Wrong {
    let mut wrong = configure(stand, HUNT);
    ask(stand, "metrics");
    ask(stand, "member pause user/1004");
    stand.library.quiet(2000 * slowness() as u32);
    stand.library.events();
    stand.register(&[
        phone("1002", Behaviour::Rejects(486, 0)),
        phone("1003", Behaviour::Answers(100)),
        phone("1004", Behaviour::Answers(0)),
    ]);
    let course = call(stand, Some(b"ring/hunt"), |_, _| {});
    wrong.extend(course.leftovers.iter().cloned());
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "cti_result",
        result == Some("answered"),
        &result,
    );
    let told: Vec<&str> = course
        .events
        .iter()
        .map(|event| header(event, "CTI-Action"))
        .collect();
    let mut rest = told.iter();
    for action in [
        "started",
        "group",
        "stage",
        "leg_ended",
        "member",
        "answered",
        "ended",
    ] {
        expect(&mut wrong, action, rest.any(|it| *it == action), &told);
    }
    let of = |action: &str| {
        let mut events = course.events.iter();
        let found = events.find(|it| header(it, "CTI-Action") == action);
        found.cloned().unwrap_or_default()
    };
    let (group, member) = (of("group"), of("member"));
    for (event, name, value) in [
        (&group, "CTI-Group", "hunt"),
        (&group, "CTI-Order", "1002@pbx.invalid|1003@pbx.invalid"),
        (&group, "CTI-Skipped", "1004@pbx.invalid paused"),
        (&group, "CTI-Group-Memory", "local"),
        (&member, "CTI-Member", "1002@pbx.invalid"),
        (&member, "CTI-Change", "pause"),
        (&member, "CTI-State", "paused"),
        (&member, "CTI-By", "busy-pause"),
    ] {
        expect(&mut wrong, name, header(event, name) == value, event);
    }
    for event in [&group, &member] {
        let of_call = !header(event, "CTI-Call-UUID").is_empty();
        expect(&mut wrong, "its call", of_call, event);
    }
    let body: Value = serde_json::from_str(header(&group, "_body")).unwrap_or_default();
    let skipped = json!([{ "member": "1004@pbx.invalid", "group": "hunt", "reason": "paused" }]);
    let stages = json!([["1002@pbx.invalid"], ["1003@pbx.invalid"]]);
    is(
        &mut wrong,
        "the whole order",
        &body,
        json!({ "stages": stages, "skipped": skipped }),
    );

    // Nobody of it answers, then nobody of it may be rung.
    ask(stand, "member unpause user/1002");
    for target in ["user/1002", "user/1003"] {
        stand.register(&[
            phone("1002", Behaviour::Rejects(486, 0)),
            phone("1003", Behaviour::Rejects(486, 0)),
        ]);
        call(stand, Some(b"ring/hunt"), |_, _| {});
        ask(stand, format!("member pause {target}"));
    }
    let text = ask(stand, "metrics");
    for line in [
        r#"cti_group_calls_total{group="hunt",result="answered"} 1"#,
        r#"cti_group_calls_total{group="hunt",result="unanswered"} 1"#,
        r#"cti_group_calls_total{group="hunt",result="nobody_free"} 1"#,
        r#"cti_group_ring_seconds_count{group="hunt"} 1"#,
        r#"cti_group_skipped_total{group="hunt",reason="paused"} 5"#,
        r#"cti_group_members{group="hunt",state="paused"} 3"#,
    ] {
        let all: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("cti_group"))
            .collect();
        expect(&mut wrong, line, all.contains(&line), &all);
    }
    let leg = text.contains(r#"role="skipped""#);
    expect(&mut wrong, "who was skipped has no leg", !leg, &text);
    wrong.extend(left(stand));
    wrong
}

/// By the seed of the event the order comes out again.
pub fn chosen_again(stand: &Stand) -> Wrong {
    use mod_cti::groups::config::{Config, Element};
    use mod_cti::groups::order;
    let targets = ["user/1002", "user/1003", "user/1004", "user/1005"];
    let member = |target: &str| Element {
        name: "member".to_owned(),
        attributes: vec![("target".to_owned(), target.to_owned())],
        children: Vec::new(),
    };
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let group = Element {
        name: "group".to_owned(),
        attributes: vec![attribute("name", "any"), attribute("strategy", "random")],
        children: targets.map(member).to_vec(),
    };
    let groups = Element {
        name: "groups".to_owned(),
        children: vec![group],
        ..Element::default()
    };
    let config = Config::read(&[groups], Some("pbx.invalid")).expect("the group can be read");
    let members = targets
        .map(|target| format!("<member target=\"{target}\"/>"))
        .concat();
    let mut wrong = configure(
        stand,
        &format!(r#"<group name="any" strategy="random">{members}</group>"#),
    );
    for _ in 0..4 {
        let course = call(stand, Some(b"ring/any"), |_, _| {});
        let mut events = course.events.iter();
        let event = events.find(|it| header(it, "CTI-Action") == "group");
        let event = event.cloned().unwrap_or_default();
        let seed = header(&event, "CTI-Seed").parse().unwrap_or(0);
        let row = order::row(&config.groups["any"], 1, &[0, 1, 2, 3], &[], &[], seed);
        let keys = row
            .iter()
            .map(|&at| config.groups["any"].members[at].key.as_str());
        let keys: Vec<&str> = keys.collect();
        let told = header(&event, "CTI-Order");
        expect(&mut wrong, "order", told == keys.join("|"), &(told, keys));
    }
    wrong.extend(left(stand));
    wrong
}

/// When every event is delivered.
fn left(stand: &Stand) -> Wrong {
    stand.library.quiet(2000 * slowness() as u32);
    stand.library.leftovers(true)
}
