//! What the plan language means, as a table first, then as laws, then as single cases.
//! The table's right side is a picture: `&` rings together, `then` rings after, `beside` is another part.
//! `bad_plans.txt` holds the plans that must ring nobody; the switch tests read the same file.

use mod_cti::plan::time::{is_true, parse_time};
use mod_cti::plan::{Limits, Part, Plan, PlanError, Stage, Target, Variable, Variables, parse};
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::{Duration, Instant};

const BAD_PLANS: &str = include_str!("bad_plans.txt");

#[rustfmt::skip]
const SCENARIOS: &[(&str, &str)] = &[
    // Targets, stages, parts.
    ("user/1003", "user / 1003"),
    ("user/1,user/2", "user / 1 & user / 2"),
    ("user/1|user/2", "user / 1 then user / 2"),
    ("user/1,user/2|user/3", "user / 1 & user / 2 then user / 3"),
    ("user/1:_:user/2|user/3", "user / 1 beside user / 2 then user / 3"),
    ("sofia/gateway/gw/1003", "sofia / gateway/gw/1003"),
    ("1003", "1003 / "),
    ("foo/1003", "foo / 1003"),
    ("user/", "user / "),
    ("/1003", " / 1003"),
    ("/", " / "),
    ("user/张三,user/é", "user / 张三 & user / é"),
    ("sofia/internal/1000@[2001:db8::1]:5060", "sofia / internal/1000@[2001:db8::1]:5060"),
    ("sofia/internal/1000@10.0.0.1:5060;fs_path=sip:a=b", "sofia / internal/1000@10.0.0.1:5060;fs_path=sip:a=b"),
    // Blanks and gaps.
    ("  user/1 , user/2 | user/3 :_: user/4  ", "user / 1 & user / 2 then user / 3 beside user / 4"),
    ("\n\tuser/1 ,\r\n\tuser/2\n", "user / 1 & user / 2"),
    ("user/1,,user/2", "user / 1 & user / 2"),
    (",user/1,", "user / 1"),
    ("|user/1|", "user / 1"),
    ("user/1||user/2| , |", "user / 1 then user / 2"),
    (":_:user/1:_:", "user / 1"),
    ("user/1:_: :_:,|,:_:user/2", "user / 1 beside user / 2"),
    ("user/1,'',user/2", "user / 1 & user / 2"),
    ("user /1", "user  / 1"),
    ("user/ 1 2 ", "user /  1 2"),
    // Variables: where they stand.
    ("[leg_timeout=10]user/1", "user / 1 (leg_timeout=\"10\")"),
    ("[a=1]user/1,[a=2]user/2", "user / 1 (a=\"1\") & user / 2 (a=\"2\")"),
    ("{a=1}user/1|user/2", "{a=\"1\"} user / 1 then user / 2"),
    ("<a=1>user/1", "<a=\"1\"> user / 1"),
    ("<a=1>{b=2}[c=3]user/1", "<a=\"1\"> {b=\"2\"} user / 1 (c=\"3\")"),
    ("<a=1><b=2>{c=3}{d=4}[e=5][f=6]user/1", "<a=\"1\" b=\"2\"> {c=\"3\" d=\"4\"} user / 1 (e=\"5\" f=\"6\")"),
    (" <a=1> <b=2> {c=3} {d=4} [e=5] [f=6] user/1", "<a=\"1\" b=\"2\"> {c=\"3\" d=\"4\"} user / 1 (e=\"5\" f=\"6\")"),
    ("<a=1>{b=2}user/1:_:{c=3}user/2", "<a=\"1\"> {b=\"2\"} user / 1 beside {c=\"3\"} user / 2"),
    ("user/1:_:<a=1>{b=2}user/2", "user / 1 beside {a=\"1\" b=\"2\"} user / 2"),
    ("{}user/1", "user / 1"),
    ("[]user/1", "user / 1"),
    ("<>{}[]user/1", "user / 1"),
    ("user/{a=b}1", "user / {a=b}1"),
    ("user/1{a=b}", "user / 1{a=b}"),
    ("user/1<a=b>", "user / 1<a=b>"),
    ("user/1[a=b]", "user / 1[a=b]"),
    ("user/[1,user/2,user/3]", "user / [1 & user / 2 & user / 3]"),
    // Entries.
    ("{a=1,b=2}user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("{ a = 1 , b = 2 }user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("{\n  a=1,\n  b=2\n}user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("{a=b=c}user/1", "{a=\"b=c\"} user / 1"),
    ("{a=1,a=2}user/1", "{a=\"1\" a=\"2\"} user / 1"),
    ("{a}user/1", "user / 1"),
    ("{a,b=1,,c}user/1", "{b=\"1\"} user / 1"),
    ("{a=}user/1", "user / 1"),
    ("{a=''}user/1", "user / 1"),
    ("{a= ,b=1}user/1", "{b=\"1\"} user / 1"),
    ("{=1}user/1", "user / 1"),
    ("{a\\=b=c}user/1", "{a=b=\"c\"} user / 1"),
    // Quotes in variables.
    ("[sip_h_X-A='q,x']user/1003", "user / 1003 (sip_h_X-A=\"q,x\")"),
    ("{sip_h_X-A='q,x'}user/1003", "{sip_h_X-A=\"q,x\"} user / 1003"),
    ("{'sip_h_X-A=q,x',b=1}user/1003", "{sip_h_X-A=\"q,x\" b=\"1\"} user / 1003"),
    ("{a='x '}user/1", "{a=\"x \"} user / 1"),
    ("{a=' x'}user/1", "{a=\" x\"} user / 1"),
    ("{a=text='x,y'}user/1", "{a=\"text=x,y\"} user / 1"),
    ("{a=x','y}user/1", "{a=\"x,y\"} user / 1"),
    ("{a=it's}user/1", "{a=\"it's\"} user / 1"),
    ("{a=it's,b=1}user/1", "{a=\"it's\" b=\"1\"} user / 1"),
    ("{a='x',b=it's}user/1", "{a=\"x\" b=\"it's\"} user / 1"),
    ("{a=it's,b=it's}user/1", "{a=\"it's\" b=\"it's\"} user / 1"),
    ("{a=it\\'s,b=it\\'s}user/1", "{a=\"it's\" b=\"it's\"} user / 1"),
    ("{a=']'}user/1", "{a=\"]\"} user / 1"),
    // An apostrophe between letters is a letter, and so is one that would swallow a variable.
    ("{n='O'Brien',m='123'}user/1", "{n=\"O'Brien\" m=\"123\"} user / 1"),
    ("{n='O'Brien, John',m=1}user/1", "{n=\"O'Brien, John\" m=\"1\"} user / 1"),
    ("{n=d'Arcy, b=it's}user/1", "{n=\"d'Arcy\" b=\"it's\"} user / 1"),
    ("{'n=O'Brien, John',m=1}user/1", "{n=\"O'Brien, John\" m=\"1\"} user / 1"),
    ("{a='x'y,b='z'}user/1", "{a=\"xy\" b=\"z\"} user / 1"),
    ("{a='O'Brien}user/1", "{a=\"OBrien\"} user / 1"),
    ("{a='tis,b='x'}user/1", "{a=\"'tis\" b=\"x\"} user / 1"),
    ("{a=James' phone,b=Jones' phone}user/1", "{a=\"James' phone\" b=\"Jones' phone\"} user / 1"),
    ("{a=rock 'n' roll,b=1}user/1", "{a=\"rock n roll\" b=\"1\"} user / 1"),
    ("[b=it's,c=']']user/1", "user / 1 (b=\"it's\" c=\"]\")"),
    ("{a=é'é,b=张'三}user/1", "{a=\"é'é\" b=\"张'三\"} user / 1"),
    ("{a='',b='1'}user/1", "{b=\"1\"} user / 1"),
    ("{^^xa='1xb=2}user/1", "{a=\"'1\" b=\"2\"} user / 1"),
    // A double quote protects and stays.
    ("[d=\"Wood's Homes\"<sip:x@h>,e=1]user/1", "user / 1 (d=\"\\\"Wood's Homes\\\"<sip:x@h>\" e=\"1\")"),
    ("{n=\"SMITH, JOHN\",m=1}user/1", "{n=\"\\\"SMITH, JOHN\\\"\" m=\"1\"} user / 1"),
    ("{n=a \"b, c\" d,m=1}user/1", "{n=\"a \\\"b, c\\\" d\" m=\"1\"} user / 1"),
    ("{n='say \"hi\", John',m=1}user/1", "{n=\"say \\\"hi\\\", John\" m=\"1\"} user / 1"),
    ("{n=\"x]y}z\"}user/1", "{n=\"\\\"x]y}z\\\"\"} user / 1"),
    ("[n=\"x]y\"]user/1", "user / 1 (n=\"\\\"x]y\\\"\")"),
    ("{a=5\" wide,b=7\" high}user/1", "{a=\"5\\\" wide\" b=\"7\\\" high\"} user / 1"),
    ("{a=\"x,b=y}user/1", "{a=\"\\\"x\" b=\"y\"} user / 1"),
    ("{a=\"x,b=\"y\"}user/1", "{a=\"\\\"x\" b=\"\\\"y\\\"\"} user / 1"),
    ("{a=\\\"x,b=y\\\"}user/1", "{a=\"\\\"x\" b=\"y\\\"\"} user / 1"),
    ("{a={\"k\":\"x,y\"}}user/1", "{a=\"{\\\"k\\\":\\\"x,y\\\"}\"} user / 1"),
    // Separators and brackets in values: better than bridge.
    ("[a='x|y']user/1|user/2", "user / 1 (a=\"x|y\") then user / 2"),
    ("[a=x|y]user/1|user/2", "user / 1 (a=\"x|y\") then user / 2"),
    ("{a='x:_:y'}user/1:_:user/2", "{a=\"x:_:y\"} user / 1 beside user / 2"),
    ("{a=x:_:y}user/1", "{a=\"x:_:y\"} user / 1"),
    ("[a='x]y']user/1", "user / 1 (a=\"x]y\")"),
    ("[a='[']user/1,[b=']']user/2", "user / 1 (a=\"[\") & user / 2 (b=\"]\")"),
    ("{a='}',b='{'}user/1", "{a=\"}\" b=\"{\"} user / 1"),
    ("{'a=}'}user/1", "{a=\"}\"} user / 1"),
    ("{^^:a='}':b=1}user/1", "{a=\"}\" b=\"1\"} user / 1"),
    ("{^^、a='}'、b=1}user/1", "{a=\"}\" b=\"1\"} user / 1"),
    ("[a=']'  ]user/1", "user / 1 (a=\"]\")"),
    // Nested brackets balance, an apostrophe within a word does not hide one.
    ("[a=x[y]z]user/1", "user / 1 (a=\"x[y]z\")"),
    ("[a[0]=x]user/1", "user / 1 (a[0]=\"x\")"),
    ("{a={x={y}}}user/1", "{a=\"{x={y}}\"} user / 1"),
    ("{a={\"k\":[1\\,2]}}user/1", "{a=\"{\\\"k\\\":[1,2]}\"} user / 1"),
    ("<a=<sip:x@y>>user/1", "<a=\"<sip:x@y>\"> user / 1"),
    ("{a=it's}user/1:_:{b=it's}user/2", "{a=\"it's\"} user / 1 beside {b=\"it's\"} user / 2"),
    ("[a=it's]user/1|[a=it's]user/2", "user / 1 (a=\"it's\") then user / 2 (a=\"it's\")"),
    ("[a=it's]user/1,[a=it's]user/2", "user / 1 (a=\"it's\") & user / 2 (a=\"it's\")"),
    ("{a='}user/1", "{a=\"'\"} user / 1"),
    ("{a='tis}user/'x'", "{a=\"'tis\"} user / x"),
    ("{a=x'}user/1'", "{a=\"x'\"} user / 1'"),
    // Escapes.
    ("[a=x\\,y]user/1", "user / 1 (a=\"x,y\")"),
    ("{a=x\\,y}user/1", "{a=\"x,y\"} user / 1"),
    ("{a=x\\\\y}user/1", "{a=\"x\\\\y\"} user / 1"),
    ("{a=x\\sy\\s}user/1", "{a=\"x y \"} user / 1"),
    ("{a=\\sx}user/1", "{a=\" x\"} user / 1"),
    ("{a=x\\ny\\rz\\tw}user/1", "{a=\"x\\ny\\rz\\tw\"} user / 1"),
    ("{a=\\\"x\\\"}user/1", "{a=\"\\\"x\\\"\"} user / 1"),
    ("{a=x\\qy}user/1", "{a=\"x\\\\qy\"} user / 1"),
    ("{a=x\\}user/1", "{a=\"x\\\\\"} user / 1"),
    ("{a=x\\|y}user/1", "{a=\"x\\\\|y\"} user / 1"),
    ("[a=x\\|y]user/1", "user / 1 (a=\"x|y\")"),
    ("[a='x\\'y']user/1", "user / 1 (a=\"x'y\")"),
    ("user/a\\,b", "user / a,b"),
    ("user/a\\|b", "user / a|b"),
    ("user/a\\'b\\'c", "user / a'b'c"),
    ("user/a\\\\b", "user / a\\b"),
    ("user/a\\sb\\s", "user / a b"),
    ("user/a\\qb\\", "user / a\\qb\\"),
    // Quotes in targets: `|` is text, `,` separates all the same, a lone apostrophe is a letter.
    ("'user/1','user/2'", "user / 1 & user / 2"),
    ("'user/1,user/2'", "user / 1 & user / 2"),
    ("'[a=1]user/1'|'[b=2]user/2'", "user / 1 (a=\"1\") then user / 2 (b=\"2\")"),
    ("user/'a|b'", "user / a|b"),
    ("user/o'brien", "user / o'brien"),
    ("user/o'brien|user/2", "user / o'brien then user / 2"),
    ("user/o'brien,user/o'neil", "user / o'brien & user / o'neil"),
    ("user/o'brien|user/d'arcy", "user / o'brien then user / d'arcy"),
    ("user/'o'brien|x'", "user / o'brien|x"),
    ("'user/o'brien','user/d'arcy'", "user / o'brien & user / d'arcy"),
    ("user/o'brien,[n='x']user/2", "user / o'brien & user / 2 (n=\"x\")"),
    ("user/o'brien|[n='x']user/2", "user / o'brien then user / 2 (n=\"x\")"),
    ("user/o'brien:_:user/o'neil", "user / o'brien beside user / o'neil"),
    ("user/a:'_':b", "user / a:_:b"),
    // Other separators.
    ("{^^:a=1:b=2}user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("[^^:a=x,y:b=2]user/1", "user / 1 (a=\"x,y\" b=\"2\")"),
    ("[ ^^;a=x,y;b=2 ]user/1", "user / 1 (a=\"x,y\" b=\"2\")"),
    ("<^^|a=1|b=2>user/1", "<a=\"1\" b=\"2\"> user / 1"),
    ("{^^^a=1^b=2}user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("{^^ a=1  b=2}user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("{^^、a=1、b=2}user/1", "{a=\"1\" b=\"2\"} user / 1"),
    ("{^^:a=x\\:y:b=2}user/1", "{a=\"x:y\" b=\"2\"} user / 1"),
    ("{^^:}user/1", "user / 1"),
    ("^^;user/1;user/2", "user / 1 then user / 2"),
    ("user/0|^^;user/1;user/2,3", "user / 0 then user / 1 & user / 2,3"),
    ("{a=1}^^;^^+user/1+user/2;user/3", "{a=\"1\"} user / 1 & user / 2 then user / 3"),
    ("^^;", "^^; / "),
    ("user/1,^^;user/2", "user / 1 & ^^;user / 2"),
];

#[test]
fn a_plan_means_what_the_table_says() {
    for (text, expected) in SCENARIOS {
        match parse(text, &Limits::default()) {
            Ok(plan) => {
                assert_eq!(picture(&plan), *expected, "plan: {text}");
                let printed = plan.to_string();
                assert_eq!(
                    parse(&printed, &Limits::default()),
                    Ok(plan),
                    "printed: {printed}"
                );
            }
            Err(error) => panic!("{error}\n{}", error.with_caret(text)),
        }
    }
}

fn picture(plan: &Plan) -> String {
    let parts: Vec<String> = plan.parts.iter().map(picture_of_part).collect();
    picture_of_globals('<', &plan.globals, '>') + &parts.join(" beside ")
}

fn picture_of_part(part: &Part) -> String {
    let stages = part.stages.iter().map(|stage| {
        let targets = stage.targets.iter().map(|target| {
            let text = format!("{} / {}", target.endpoint, target.address);
            match picture_of_variables(&target.variables) {
                none if none.is_empty() => text,
                some => format!("{text} ({some})"),
            }
        });
        targets.collect::<Vec<_>>().join(" & ")
    });
    picture_of_globals('{', &part.globals, '}') + &stages.collect::<Vec<_>>().join(" then ")
}

fn picture_of_globals(open: char, variables: &Variables, close: char) -> String {
    match picture_of_variables(variables) {
        none if none.is_empty() => none,
        some => format!("{open}{some}{close} "),
    }
}

fn picture_of_variables(variables: &Variables) -> String {
    let all = variables
        .iter()
        .map(|v| format!("{}={:?}", v.name, v.value));
    all.collect::<Vec<_>>().join(" ")
}

// ---- bad plans -------------------------------------------------------------------------------

/// A line is `plan<TAB>error`. In the plan `\\t`, `\\n`, `\\r`, `\\e`, `\\0`, `\\d` and `\\\\`
/// (one backslash each) stand for tab, line feed, carriage return, escape, NUL, delete and a backslash;
/// `#` begins a comment line.
fn bad_plans() -> impl Iterator<Item = (String, &'static str)> {
    BAD_PLANS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (plan, error) = line.split_once('\t').expect("plan<TAB>error");
            let mut text = String::new();
            let mut characters = plan.chars();
            while let Some(c) = characters.next() {
                text.push(match c {
                    '\\' => match characters.next() {
                        Some('t') => '\t',
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('e') => '\u{1b}',
                        Some('0') => '\0',
                        Some('d') => '\u{7f}',
                        Some('\\') => '\\',
                        other => panic!("unknown escape {other:?} in {line}"),
                    },
                    c => c,
                });
            }
            (text, error)
        })
}

#[test]
fn every_bad_plan_is_refused_with_its_place_and_reason() {
    let mut seen = HashSet::new();
    for (text, expected) in bad_plans() {
        match parse(&text, &Limits::default()) {
            Ok(plan) => panic!("accepted: {text:?} as {}", picture(&plan)),
            Err(error) => assert_eq!(error.to_string(), expected, "{text:?}"),
        }
        assert!(seen.insert(text.clone()), "twice: {text:?}");
    }
    assert!(seen.len() >= 200, "only {} bad plans", seen.len());
}

#[test]
fn the_caret_stands_under_the_column() {
    let text = "user/张,\n[a=b";
    let error = parse(text, &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "unclosed '[' at column 9");
    assert_eq!(error.with_caret(text), "user/张, [a=b\n        ^");
}

#[test]
fn what_a_block_says_in_vain_is_told_of_with_its_place() {
    for (text, remarks) in [
        ("{a=1,b=,,c='',}user/1", ""),
        (
            "{n=SMITH, JOHN,m=1}user/1",
            "\"JOHN\" is no name=value and says nothing at column 11",
        ),
        (
            "user/1,[x]user/2",
            "\"x\" is no name=value and says nothing at column 9",
        ),
        (
            "{=1,'y'}user/1",
            "\"1\" is no name=value and says nothing at column 2; \
             \"y\" is no name=value and says nothing at column 5",
        ),
    ] {
        let plan = parse(text, &Limits::default()).expect(text);
        let told: Vec<String> = plan.remarks.iter().map(PlanError::to_string).collect();
        assert_eq!(told.join("; "), remarks, "{text}");
    }
    let many = format!("{{{}}}user/1", "x,".repeat(1000));
    let plan = parse(&many, &Limits::default()).expect("many");
    assert_eq!(plan.remarks.len(), 8);
}

#[test]
fn thousands_of_variables_are_put_together_in_linear_time() {
    let block = |value: &str| {
        let entries = (0..8000).map(|nth| format!("v{nth}={value}"));
        format!("{{{}}}user/1", entries.collect::<Vec<_>>().join(","))
    };
    let limits = Limits {
        bytes: usize::MAX,
        targets: 1,
    };
    let [mut all, others] = ["a", "b"].map(|value| {
        let plan = parse(&block(value), &limits).expect("a plan");
        plan.parts[0].globals.clone()
    });
    let started = Instant::now();
    all.set_all(&others);
    // One by one it is seconds.
    let took = started.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(all, others);
    all.remove_all(others.iter().map(|it| it.name.as_str()));
    assert!(all.is_empty());
}

// ---- limits ----------------------------------------------------------------------------------

#[test]
fn a_plan_may_be_as_large_as_the_limits_and_no_larger() {
    for (targets, bytes) in [(1, 65_536), (1024, 65_536), (10_000, 640_000)] {
        assert_eq!(Limits::of_targets(targets), Limits { bytes, targets });
    }
    let limits = Limits {
        bytes: 20,
        targets: 3,
    };
    assert!(parse("user/1,user/2,user/3", &limits).is_ok());
    assert_eq!(
        refusal("user/1,user/2,user/34", &limits),
        "plan is longer than 20 bytes at column 21"
    );
    assert_eq!(
        refusal("user/1234567890123张", &limits),
        "plan is longer than 20 bytes at column 19"
    );
    assert_eq!(
        refusal("a/1,a/2|a/3:_: a/4", &limits),
        "more than 3 targets at column 16"
    );
    assert!(parse("a,b|c,|,:_:", &limits).is_ok());
    let many = vec!["u/1"; 1025].join(",");
    assert_eq!(
        refusal(&many, &Limits::default()),
        "more than 1024 targets at column 4097"
    );
    assert!(parse(&many[4..], &Limits::default()).is_ok());
}

fn refusal(text: &str, limits: &Limits) -> String {
    parse(text, limits).expect_err(text).to_string()
}

// ---- hostile input ---------------------------------------------------------------------------

#[test]
fn hostile_text_takes_linear_time() {
    for unit in HOSTILE {
        let text = unit.repeat(65_536 / unit.len());
        let started = Instant::now();
        let _ = parse(&text, &Limits::default());
        let _ = parse(
            &text,
            &Limits {
                targets: usize::MAX,
                ..Limits::default()
            },
        );
        // Quadratic time would be seconds; the bench holds the release build to 5 ms.
        assert!(
            started.elapsed() < Duration::from_millis(600),
            "{unit} took {:?}",
            started.elapsed()
        );
    }
}

/// Repeated to fill a plan. The later ones aim at look-aheads: for a quote's partner, for a bracket.
const HOSTILE: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "<",
    "'",
    "\\",
    "^",
    "^^[",
    "[^^",
    "[]",
    "[a=']",
    "[a=']',",
    "[a=']u',",
    "{a='}",
    "[a='x']",
    "'a",
    "a'b,",
    "'|",
    "'|[",
    "'|['",
    ",[x']",
    "'\\,[",
    "'|^^:;[",
    "'|^^;,[",
    // Escapes of the list are no escapes of the stage that chooses another separator.
    "^^^\\'\\|(",
    "'|^^:;['",
    "[a='['],",
    "u/1,",
    "u/1|",
    ":_:",
    "u:_:",
    "{a=b}:_:",
    "[ ' ]",
    "' ",
    "['=",
    "\u{1f4de}",
    "'[a=b]u/1',",
    "[a='b',",
    "[]'",
    "''",
    "'[]',",
    "[']u/1,",
    "[']u'/1|",
    "{a='\\",
    "[[a=']]",
    "[a= ' ]",
    "|[x']'",
    "'a|[' |[' ",
    "{^^x'ax",
    "[^^xa='1x",
    "{a='x'",
    "{a='x'y'z",
    "x'x'x ' ",
    "[a=\"",
    "[a=\"]\",",
    "[a=\"]u\",",
    "\"'",
    "[\"'\"]",
    "='\"",
    "{a=x',b=",
];

// ---- laws ------------------------------------------------------------------------------------

/// Pieces of the language rather than letters, so that random texts come near to being plans.
fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        "'",
        "'",
        "\\",
        "\"",
        ",",
        "|",
        ":_:",
        ":_",
        ":",
        "^^",
        "^",
        "=",
        " ",
        "/",
        "\t",
        "\n",
        "\u{1}",
        "\u{85}",
        "a",
        "user/1",
        "张",
        "é",
        "\u{1f4de}",
        "a=b",
        "[a=b]",
        "{a=b}",
        "\\s",
        "\\,",
        ";",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

fn nasty(shortest: usize) -> impl Strategy<Value = String> {
    let letters = prop::sample::select(vec![
        '\'',
        '\'',
        '"',
        '\\',
        ',',
        '|',
        ':',
        '_',
        '^',
        '=',
        '[',
        ']',
        '{',
        '}',
        '<',
        '>',
        ' ',
        '\n',
        '\r',
        '\t',
        ';',
        'n',
        's',
        'a',
        '/',
        '张',
        'é',
        '\u{1f4de}',
        '\u{1}',
        '\u{a0}',
    ]);
    prop::collection::vec(letters, shortest..10).prop_map(String::from_iter)
}

fn variables() -> impl Strategy<Value = Variables> {
    let variable = (nasty(1), nasty(1)).prop_map(|(name, value)| Variable { name, value });
    prop::collection::vec(variable, 0..4).prop_map(Variables)
}

/// Targets as `parse` can produce them: no control characters, no blanks at the ends,
/// no opening bracket in front.
fn target() -> impl Strategy<Value = Target> {
    (variables(), nasty(0)).prop_filter_map("not a target", |(variables, text)| {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim_matches(' ');
        let (endpoint, address) = text.split_once('/').unwrap_or((text, ""));
        (!text.is_empty() && !text.starts_with(['[', '{', '<'])).then(|| Target {
            variables,
            endpoint: endpoint.to_owned(),
            address: address.to_owned(),
            written: String::new(),
        })
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let stage = prop::collection::vec(target(), 1..4).prop_map(|targets| Stage { targets });
    let stages = prop::collection::vec(stage, 1..4);
    let part = (variables(), stages).prop_map(|(globals, stages)| Part { globals, stages });
    (variables(), prop::collection::vec(part, 1..4)).prop_map(|(globals, parts)| Plan {
        globals,
        parts,
        remarks: Vec::new(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_plan_parses_back_equal(plan in plan()) {
        let printed = plan.to_string();
        prop_assert_eq!(parse(&printed, &Limits::default()), Ok(plan), "printed: {}", printed);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_within_it(text in hostile_text()) {
        match parse(&text, &Limits::default()) {
            Ok(plan) => {
                let printed = plan.to_string();
                prop_assert_eq!(parse(&printed, &Limits::default()), Ok(plan), "printed: {}", printed);
            }
            Err(PlanError { column, message }) => {
                prop_assert!((1..=text.chars().count() + 1).contains(&column), "{} at {}", message, column);
            }
        }
    }

    #[test]
    fn to_set_all_is_to_set_one_by_one(before in variables(), after in variables()) {
        let (mut all, mut each) = (before.clone(), before);
        all.set_all(&after);
        for variable in &after {
            each.set(&variable.name, &variable.value);
        }
        prop_assert_eq!(all, each);
    }

    #[test]
    fn any_unicode_text_is_survived(text in any::<String>()) {
        let _ = parse(&text, &Limits::default());
    }

    #[test]
    fn a_time_survives_being_written_in_milliseconds(millis in 0_u64..31_536_000_000) {
        let expected = Ok(Duration::from_millis(millis));
        prop_assert_eq!(parse_time(&format!("{millis}ms")), expected.clone());
        prop_assert_eq!(parse_time(&format!("{}.{:03}", millis / 1000, millis % 1000)), expected);
    }

    #[test]
    fn any_text_is_a_time_or_refused(text in "[0-9.smSe+ -]{0,12}") {
        let _ = (parse_time(&text), is_true(&text));
    }
}

// ---- single cases ----------------------------------------------------------------------------

fn only_target(text: &str) -> Target {
    let plan = parse(text, &Limits::default()).expect(text);
    plan.parts[0].stages[0].targets[0].clone()
}

#[test]
fn a_target_remembers_how_it_was_written() {
    assert_eq!(
        only_target(" [a='x,y'] user/1 ,user/2").written,
        "[a='x,y'] user/1"
    );
    assert_eq!(
        only_target("{g=1} [a=1]user/张三\n|user/2").written,
        "[a=1]user/张三"
    );
    assert_eq!(
        only_target("{g=1}user/a\\,b:_:user/2").written,
        "user/a\\,b"
    );
}

#[test]
fn a_dial_string_has_no_variables() {
    assert_eq!(only_target("[a=1]user/1@d").dial_string(), "user/1@d");
    assert_eq!(only_target("1003").dial_string(), "1003");
    assert_eq!(
        only_target("sofia/internal/1@h").dial_string(),
        "sofia/internal/1@h"
    );
}

#[test]
fn equal_targets_may_be_written_differently() {
    assert_eq!(
        only_target("[a='1']user/1"),
        only_target(" [ a=1 ] user/1 ")
    );
    assert_ne!(only_target("[a=1]user/1"), only_target("[a=2]user/1"));
}

#[test]
fn the_last_value_of_a_name_wins_in_any_case() {
    let mut variables = only_target("[A=1,b=2,a=3]user/1").variables;
    assert_eq!(variables.get("a"), Some("3"));
    assert_eq!(variables.get("A"), Some("3"));
    assert_eq!(variables.get("c"), None);
    variables.set("a", "4");
    assert_eq!(variables.get("A"), Some("4"));
    assert_eq!(variables.iter().count(), 2);
    assert_eq!(variables.remove("A"), Some("4".to_owned()));
    assert_eq!(variables.remove("A"), None);
    assert!(!variables.is_empty());
    assert_eq!((&variables).into_iter().count(), 1);
    assert!(Variables::default().is_empty());
}

#[test]
fn a_plan_is_printed_so_that_bridge_reads_it_too() {
    for (text, printed) in [
        (" user/1 , user/2 | user/3 ", "user/1,user/2|user/3"),
        ("[a='q,x']user/1", "[a=q\\,x]user/1"),
        ("[^^:a=1:b=2]user/1", "[a=1,b=2]user/1"),
        (
            "<a=1>{b=it\\'s}user/1:_:{c=' x'}user/2",
            "<a=1>{b=it\\'s}user/1:_:{c=' x'}user/2",
        ),
        ("^^;user/1;user/2", "user/1|user/2"),
        ("{a=x\\ny}user/1", "{a=x\\ny}user/1"),
    ] {
        assert_eq!(
            parse(text, &Limits::default()).expect(text).to_string(),
            printed
        );
    }
}

#[test]
fn times_are_seconds_or_milliseconds() {
    for (text, millis) in [
        ("20", 20_000),
        ("1.5", 1500),
        ("20s", 20_000),
        ("1.5s", 1500),
        ("1500ms", 1500),
        ("0", 0),
        (" 20 ", 20_000),
        ("0.001", 1),
        ("007", 7000),
        ("31536000", 31_536_000_000),
    ] {
        assert_eq!(
            parse_time(text),
            Ok(Duration::from_millis(millis)),
            "{text}"
        );
    }
    assert_eq!(parse_time("0.5ms"), Ok(Duration::from_micros(500)));
    assert_eq!(parse_time("0.0000000019"), Ok(Duration::from_nanos(1)));
}

#[test]
fn what_is_no_time_is_refused_with_what_was_expected() {
    for text in [
        "", " ", "-1", "+1", "NaN", "inf", "1e3", "1.", ".5", ".", "1.5.5", "20 s", "20m", "20h",
        "s", "ms", "1,5", "0x10", "٢", "20S", "-0", "1_000", "20ss", "20sms",
    ] {
        let error = parse_time(text).expect_err(text).to_string();
        assert_eq!(
            error,
            format!("'{text}': expected a time such as 20, 1.5, 20s or 1500ms")
        );
    }
    for text in [
        "31536001",
        "99999999999999999999999999",
        "18446744073709551615",
        "31536000.000000001",
    ] {
        let error = parse_time(text).expect_err(text).to_string();
        assert_eq!(error, format!("'{text}': expected at most a year"));
    }
    let long = parse_time(&"x\n".repeat(1000)).unwrap_err().to_string();
    assert!(long.len() < 150 && !long.contains('\n'), "{long}");
}

#[test]
fn booleans_are_read_as_freeswitch_reads_them() {
    for text in [
        "yes", "on", "true", "t", "enabled", "active", "allow", "TRUE", "Yes", "1", "-1", "+2",
        "1.5", "007",
    ] {
        assert!(is_true(text), "{text}");
    }
    for text in [
        "", "no", "off", "false", "f", "disabled", "0", "-0", "0.5", ".5", "00", "-", "+", " true",
        "1x", "y", "--1",
    ] {
        assert!(!is_true(text), "{text}");
    }
}
