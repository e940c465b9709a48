//! The configuration: what is read, and everything bad refused with group, member and reason.

use super::write::{group, group_element, read};
use mod_cti::groups::config::{
    Config, Element, IdleSince, Memory, Order, Policy, STRATEGIES, Skip, Step, WhenAllBusy,
    without_password,
};
use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    // Groups.
    ("order=up / 1", r#"group g: order="up": expected fixed, rotate, longest-idle, fewest-calls, random or weighted"#),
    ("step=0 / 1", r#"group g: step="0": expected all, one, progressive or a number from 1"#),
    ("step=some / 1", r#"group g: step="some": expected all, one, progressive or a number from 1"#),
    ("strategy=rollover / 1", r#"group g: strategy="rollover": expected one of ringall"#),
    ("strategy=hunt step=one / 1", "group g: strategy says what order and step say"),
    ("skip=busy,late / 1", r#"group g: skip="late": expected busy dnd self unregistered paused wrapup, or none"#),
    ("when-all-busy=cry / 1", r#"group g: when-all-busy="cry": expected overflow, wait or ring-anyway"#),
    ("idle-since=ever / 1", r#"group g: idle-since="ever": expected group or any"#),
    ("timeout=soon / 1", "group g: timeout='soon': expected a time"),
    ("window=0 / 1", r#"group g: window="0": expected a time that is not 0"#),
    ("max-calls=0 / 1", r#"group g: max-calls="0": expected a number from 1 to 1000"#),
    ("overflow=elsewhere / 1", r#"group g: overflow="elsewhere": expected transfer:ext"#),
    ("overflow=voicemail:1002 / 1", "group g: overflow="),
    ("overflow-busy=plan:[a=b / 1", "group g: overflow-busy: the plan cannot be read: unclosed '[' at column 1"),
    ("colour=red / 1", "group g: a group has no attribute colour"),
    ("order=fixed order=fixed / 1", "group g: order stands there twice"),
    ("fixed", "group g: it has no member"),
    // Members.
    ("fixed / 1 / 1", "group g, member user/1: it is a member already"),
    ("fixed / 1 / user/1@D", "group g, member user/1@D: it is a member already"),
    ("fixed / user/1,user/2", "group g, member user/1,user/2: a member is one target"),
    ("fixed / user/1|user/2", "group g, member user/1|user/2: a member is one target"),
    ("fixed / {a=b}user/1", "group g, member {a=b}user/1: a member's variables stand in '[…]'"),
    ("fixed / [a=buser/1", "group g, member [a=buser/1: unclosed '['"),
    ("fixed / user", "group g, member user: expected a target such as user/1002"),
    ("fixed / 1 tier=-1", r#"group g, member user/1: tier="-1": expected a number from 0 to 1000"#),
    ("fixed / 1 weight=0", r#"group g, member user/1: weight="0": expected a number from 1 to 1000"#),
    ("fixed / 1 delay=x", "group g, member user/1: delay='x': expected a time"),
    ("fixed / 1 timeout=x", "group g, member user/1: timeout='x': expected a time"),
    ("fixed / 1 answer-after=x", "group g, member user/1: answer-after='x': expected a time"),
    ("fixed / 1 wrapup=-1", "group g, member user/1: wrapup='-1': expected a time"),
    ("fixed / 1 max-no-answer=many", r#"group g, member user/1: max-no-answer="many": expected a number"#),
    ("fixed / 1 confirm=", "group g, member user/1: confirm="),
    ("fixed / 1 colour=red", "group g, member user/1: a member has no attribute colour"),
    // Groups within groups.
    ("fixed / ring/nobody", "group g, member ring/nobody: there is no group nobody"),
    ("fixed / ring/g", "group g, member ring/g: the group is its own member"),
];

#[test]
fn every_bad_thing_is_refused_with_group_member_and_reason() {
    let mut wrong = Vec::new();
    for (text, expected) in REFUSED {
        let said = match read(&[("g", text)]) {
            Ok(_) => "read".to_owned(),
            Err(problems) => {
                let said = problems.iter().map(ToString::to_string);
                said.collect::<Vec<_>>().join("\n")
            }
        };
        if !said.starts_with(expected) || said.contains('\n') {
            wrong.push(format!("{text}:\n  {said}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_problems_are_told_at_once() {
    let read = read(&[
        ("a", "order=x timeout=y / 1 tier=z"),
        ("b", "fixed / 1 weight=0"),
    ]);
    let problems = read.expect_err("four problems");
    let groups: Vec<_> = problems.iter().map(|it| it.group.as_deref()).collect();
    assert_eq!(groups, [Some("a"), Some("a"), Some("a"), Some("b")]);
    assert_eq!(problems[2].member.as_deref(), Some("user/1"));
}

#[test]
fn everything_is_read() {
    let group = group(
        "rotate 3 idle-since=any window=3600 timeout=15s skip=busy,self when-all-busy=wait \
         announce=hello whisper=sales next-prompt=next overflow=voicemail:1000@d \
         overflow-busy=transfer:200:XML:default overflow-no-answer=plan:user/9|user/8 \
         overflow-unreachable=hangup:NO_ROUTE wrapup=10 max-calls=2 \
         / [a=b]user/1@x tier=2 weight=30 delay=2s timeout=8 confirm=1 answer-after=1500ms busy-pause=5 \
         reject-pause=6 no-answer-pause=7 max-no-answer=3 wrapup=0 / sofia/gateway/g/5",
    );
    assert_eq!((group.order, group.step), (Order::Rotate, Step::Some(3)));
    assert_eq!(group.idle_since, IdleSince::Any);
    assert_eq!(group.window, seconds(3600));
    assert_eq!(group.timeout, Some(seconds(15)));
    let skip = Skip {
        busy: true,
        yourself: true,
        ..Skip::NOBODY
    };
    assert_eq!(group.skip, skip);
    assert_eq!(group.when_all_busy, WhenAllBusy::Wait);
    let words = &group.words;
    let said = [
        (&words.announce, "hello"),
        (&words.whisper, "sales"),
        (&words.next_prompt, "next"),
        (&words.overflow, "voicemail:1000@d"),
        (&words.overflow_busy, "transfer:200:XML:default"),
        (&words.overflow_no_answer, "plan:user/9|user/8"),
        (&words.overflow_unreachable, "hangup:NO_ROUTE"),
    ];
    for (word, expected) in said {
        assert_eq!(word.as_deref(), Some(expected));
    }
    let [one, other] = &group.members[..] else {
        panic!("two members");
    };
    assert_eq!((one.key.as_str(), one.tier, one.weight), ("1@x", 2, 30));
    let variables = one.target.variables.iter();
    let variables: Vec<_> = variables
        .map(|it| (it.name.as_str(), it.value.as_str()))
        .collect();
    let expected = [
        ("a", "b"),
        ("leg_delay_start", "2s"),
        ("leg_timeout", "8"),
        ("group_confirm_key", "1"),
        ("cti_answer_after", "1500ms"),
    ];
    assert_eq!(variables, expected);
    let policy = Policy {
        max_calls: 2,
        wrapup: seconds(0),
        busy_pause: seconds(5),
        reject_pause: seconds(6),
        no_answer_pause: seconds(7),
        max_no_answer: 3,
    };
    assert_eq!(one.policy, policy);
    assert_eq!(other.key, "sofia/gateway/g/5");
    assert_eq!(
        (other.policy.wrapup, other.policy.max_calls),
        (seconds(10), 2)
    );
}

#[test]
fn the_names_of_other_systems_are_taken() {
    for (name, order, step) in STRATEGIES {
        let group = group(&format!("strategy={name} / 1"));
        assert_eq!((group.order, group.step), (*order, *step), "{name}");
        assert_eq!(group.strategy.as_deref(), Some(*name));
    }
}

#[test]
fn who_a_member_is_follows_presence_id() {
    for (target, key) in [
        ("user/1002", "1002@d"),
        ("USER/Anna@Example.com", "anna@example.com"),
        ("[presence_id=7@x]sofia/gateway/g/5", "7@x"),
        ("[presence_id=7@x]user/8", "7@x"),
        ("sofia/internal/5@host", "sofia/internal/5@host"),
    ] {
        assert_eq!(group(&format!("fixed / {target}")).members[0].key, key);
    }
}

#[test]
fn groups_lead_to_groups_but_not_in_a_circle() {
    let circle = [
        ("a", "fixed one / ring/b"),
        ("b", "fixed one / 1 / ring/c"),
        ("c", "fixed one / ring/a"),
    ];
    let problems = read(&circle).expect_err("a circle");
    let said = problems[0].to_string();
    assert_eq!(said, "group a: groups lead in a circle: a → b → c → a");
    assert!(read(&circle[..1]).is_err());
    let fine = [
        ("a", "fixed one / ring/b / ring/c"),
        ("b", "fixed one / 1 / ring/c"),
        ("c", "fixed one / 2"),
    ];
    assert!(read(&fine).is_ok());
}

#[test]
fn a_group_of_several_stages_rings_alone() {
    for (outer, inner, fits) in [
        ("fixed all / 1 / ring/b", "fixed all / 2 / 3", true),
        ("fixed all / 1 / ring/b", "fixed one / 2", true),
        ("fixed all / 1 / ring/b", "fixed 2 / 2 / 3", true),
        ("fixed all / 1 / ring/b", "fixed one / 2 / 3", false),
        ("fixed all / 1 / ring/b", "fixed all / 2 / 3 tier=2", false),
        ("fixed all / 1 / ring/b", "fixed progressive / 2 / 3", false),
        ("fixed 2 / 1 / ring/b", "fixed one / 2 / 3", false),
        ("fixed one / 1 / ring/b", "fixed one / 2 / 3", true),
        ("fixed progressive / 1 / ring/b", "fixed one / 2 / 3", true),
        ("fixed all / 1 / ring/b tier=2", "fixed one / 2 / 3", true),
        ("fixed all / ring/b", "fixed one / 2 / 3", true),
    ] {
        let read = read(&[("a", outer), ("b", inner)]);
        assert_eq!(read.is_ok(), fits, "{outer} with {inner}: {read:?}");
        if let Err(problems) = read {
            let member = problems[0].member.as_deref();
            assert_eq!(member, Some("ring/b"), "{problems:?}");
        }
    }
}

#[test]
fn groups_lie_eight_deep_and_have_ten_thousand_members_at_most() {
    let chain = |length: usize| {
        let groups =
            (1..length).map(|nth| (format!("g{nth}"), format!("fixed one / ring/g{}", nth + 1)));
        let last = (format!("g{length}"), "fixed one / 1".to_owned());
        groups.chain([last]).collect::<Vec<_>>()
    };
    // Each twice the one below it, so that a few groups come to a great many members.
    let doubling = |height: usize| {
        let mut groups = vec![
            ("g0a".to_owned(), "fixed one / 1".to_owned()),
            ("g0b".to_owned(), "fixed one / 1".to_owned()),
        ];
        for nth in 1..=height {
            for side in ["a", "b"] {
                let inner = nth - 1;
                let members: String = (0..100)
                    .map(|it| format!(" / [x={it},presence_id={it}]user/1"))
                    .collect();
                groups.push((
                    format!("g{nth}{side}"),
                    format!("fixed one / ring/g{inner}a / ring/g{inner}b{members}"),
                ));
            }
        }
        groups
    };
    let said = |groups: Vec<(String, String)>| {
        let groups: Vec<_> = groups
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let read = read(&groups);
        read.err().map(|problems| problems[0].to_string())
    };
    assert_eq!(said(chain(8)), None);
    let deep = "group g1: groups lie 9 deep in it: 8 at most";
    assert_eq!(said(chain(9)).as_deref(), Some(deep));
    assert_eq!(said(doubling(5)), None);
    let many = "group g7a: with its groups it has 12828 members: 10000 at most";
    assert_eq!(said(doubling(7)).as_deref(), Some(many));
}

#[test]
fn two_groups_of_one_name_and_strange_elements_are_refused() {
    let said = |elements: &[Element]| {
        let problems = Config::read(elements, None).expect_err("refused");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let groups = |children: Vec<Element>| Element {
        name: "groups".to_owned(),
        attributes: Vec::new(),
        children,
    };
    let twice = vec![
        group_element("g", "fixed / 1"),
        group_element("g", "fixed / 1"),
    ];
    assert_eq!(
        said(&[groups(twice)]),
        ["group g: there are two groups of this name"]
    );
    let strange = Element {
        name: "queue".to_owned(),
        ..Element::default()
    };
    assert_eq!(
        said(&[groups(vec![strange.clone()])]),
        ["in groups stands a queue: expected group"]
    );
    let mut inside = group_element("g", "fixed / 1");
    inside.children.push(strange);
    assert_eq!(
        said(&[groups(vec![inside])]),
        ["group g: in it stands a queue: expected member"]
    );
    let nameless = Element {
        attributes: Vec::new(),
        ..group_element("g", "fixed / 1")
    };
    assert_eq!(
        said(&[groups(vec![nameless])]),
        ["group (no name): expected a name"]
    );
    let slash = group_element("a/b", "fixed / 1");
    assert!(
        said(&[groups(vec![slash])])[0].starts_with(r#"group a/b: name="a/b": expected letters"#)
    );
    assert!(read(&[("销售", "fixed / 1")]).is_ok());
}

#[test]
fn a_redis_password_is_never_shown() {
    let memory = |attributes: &[(&str, &str)]| {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let element = Element {
            name: "memory".to_owned(),
            attributes: attributes.collect(),
            children: Vec::new(),
        };
        Config::read(&[element], None).map(|config| config.memory)
    };
    assert_eq!(memory(&[]), Ok(Memory::Local));
    let redis = memory(&[("use", "redis"), ("url", "redis://me:secret@host:6379/2")]);
    let redis = redis.expect("a good URL");
    assert_eq!(format!("{redis:?}"), "redis://…@host:6379/2");
    for (url, shown) in [
        (
            "redis+unix:///run/redis.sock?db=1&pass=secret",
            "redis+unix:///run/redis.sock?…",
        ),
        ("rediss://:secret@host/", "rediss://…@host/"),
        ("redis://:sec@ret@host", "redis://…@host"),
        ("secret", "(a bad URL)"),
    ] {
        assert_eq!(without_password(url), shown);
    }
    for attributes in [
        &[("use", "redis")][..],
        &[("url", "redis://:secret@host")],
        &[("use", "redis"), ("url", "http://:secret@host")],
        &[("use", "paper")],
        &[("colour", "red")],
    ] {
        let problems = memory(attributes).expect_err("refused");
        assert!(!problems[0].to_string().contains("secret"), "{problems:?}");
    }
}
