//! Hostile arguments: no session, no plan, bad plans, formats and broken UTF-8 in plans and
//! variables, and every API command with all of them.
//! Whatever comes in, the module answers, rings nobody by mistake, and leaves nothing behind.

use super::*;

const BAD_PLANS: &str = include_str!("../../bad_plans.txt");
/// Neither UTF-8 nor a format to be trusted.
pub const NASTY: &[u8] = b"%n%s%x\xff\xfe\xc3(%n";

pub fn no_session(stand: &Stand) -> Wrong {
    stand.register(PHONES);
    for plan in [None, Some(&b""[..]), Some(b"user/1003"), Some(NASTY)] {
        stand.library.application_without_session(APPLICATION, plan);
    }
    let course = stand.collect(Vec::new());
    let mut wrong = course.leftovers.clone();
    expect(
        &mut wrong,
        "somebody rang",
        course.seen.rings.is_empty(),
        &course.seen.rings,
    );
    wrong
}

fn header<'a>(event: &'a [(String, String)], name: &str) -> &'a str {
    let found = event.iter().find(|(it, _)| it == name);
    found.map_or("", |(_, value)| value)
}

fn refused(course: &Course, plan: &str, error: Option<&str>) -> Wrong {
    let mut wrong = course.leftovers.clone();
    let told: Vec<[&str; 3]> = course
        .events
        .iter()
        .map(|event| ["CTI-Action", "CTI-Result", "CTI-Error"].map(|name| header(event, name)))
        .collect();
    let why = course.seen.variable("cti_error").unwrap_or_default();
    let expected = [["started", "", ""], ["ended", "invalid", why]];
    let what = format!("{plan:?}: events");
    expect(&mut wrong, &what, told == expected, &told);
    let got = course.seen.variable("cti_error");
    let said = match (got, error) {
        (Some(got), Some(error)) => got == error || got == format!("cti_bridge: {error}"),
        (got, None) => got.is_some_and(|got| !got.is_empty()),
        (None, Some(_)) => false,
    };
    expect(
        &mut wrong,
        &format!("{plan:?}: cti_error, expected {error:?}"),
        said,
        &got,
    );
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        &format!("{plan:?}: cti_result"),
        result == Some("invalid"),
        &result,
    );
    expect(
        &mut wrong,
        &format!("{plan:?}: rang"),
        course.seen.rings.is_empty(),
        &course.seen.rings,
    );
    wrong
}

pub fn no_plan(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for plan in [None, Some(&b""[..]), Some(b"   "), Some(b",|,"), Some(b"|")] {
        stand.register(PHONES);
        wrong.extend(refused(
            &call(stand, plan, |_, _| {}),
            &format!("{plan:?}"),
            None,
        ));
    }
    wrong
}

/// `\t` and the like stand for control characters; `None` for a plan with NUL, which ends a C string.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'e' => '\u{1b}',
                'd' => '\u{7f}',
                '\\' => '\\',
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(plain)
}

pub fn bad_plans(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in BAD_PLANS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let Some((escaped, error)) = line.split_once('\t') else {
            wrong.push(format!("no tab in {line:?}"));
            continue;
        };
        let Some(plan) = unescaped(escaped) else {
            continue;
        };
        let course = call(stand, Some(plan.as_bytes()), |_, _| {});
        wrong.extend(refused(&course, escaped, Some(error)));
        count += 1;
    }
    expect(&mut wrong, "bad plans", count >= 200, &count);
    wrong
}

/// Plans that must not crash anything; where they ring, their variables arrive as they were.
pub fn nasty_plans(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let mut plans: Vec<Vec<u8>> = [
        "%n%s%n",
        "%n%s/%n%s",
        "user/%n%s%n@%s",
        "sofia/%n",
        "sofia/internal/%n%s",
        "error/%n%s",
        "loopback/%n%s",
        "group/%n@%s",
        "/",
        "//",
        "user/",
        "user/@",
        "user/1002@",
        "group/",
        "[a=${b}]error/user_busy",
        "{a=${a}}error/user_busy",
        "user/${dialed_user}",
        "{cti_stage_timeout=%n}error/user_busy",
        "{cti_timeout=-1}error/user_busy",
        "{originate_timeout=999999999999}error/user_busy",
        "[origination_uuid=%n]error/user_busy",
    ]
    .iter()
    .map(|plan| plan.as_bytes().to_vec())
    .collect();
    for frame in [
        "{a=@}user/@",
        "@",
        "user/@",
        "[@=@]error/user_busy",
        "sofia/internal/@,error/@",
    ] {
        plans.push(
            frame
                .bytes()
                .flat_map(|byte| {
                    if byte == b'@' {
                        NASTY.to_vec()
                    } else {
                        vec![byte]
                    }
                })
                .collect(),
        );
    }
    plans.push(vec![b'['; 60_000]);
    plans.push("error/user_busy,".repeat(4000).into_bytes());
    for plan in &plans {
        let course = call(stand, Some(plan), |_, _| {});
        let shown = String::from_utf8_lossy(&plan[..plan.len().min(60)]).into_owned();
        wrong.extend(
            course
                .leftovers
                .iter()
                .map(|left| format!("{shown}: {left}")),
        );
        let result = course.seen.variable("cti_result");
        expect(
            &mut wrong,
            &format!("{shown}: cti_result"),
            result.is_some_and(|result| result != "answered"),
            &result,
        );
    }
    stand.register(PHONES);
    let course = call(
        stand,
        Some(b"[sip_h_X-A=%n%s%n,sip_h_X-B=l'eg\\, x]user/1003"),
        |_, _| {},
    );
    wrong.extend(course.leftovers.iter().cloned());
    let headers = course
        .seen
        .rings
        .first()
        .map(|ring| ring.headers.clone())
        .unwrap_or_default();
    for header in [("X-A", "%n%s%n"), ("X-B", "l'eg, x")] {
        let arrived = headers
            .iter()
            .any(|(name, value)| (name.as_str(), value.as_str()) == header);
        expect(&mut wrong, &format!("header {header:?}"), arrived, &headers);
    }
    wrong
}

pub fn nasty_variables(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let names = [
        "cti_timeout",
        "cti_stage_timeout",
        "cti_missed",
        "cti_early_media",
        "call_timeout",
        "originate_timeout",
        "leg_timeout",
        "continue_on_fail",
        "failure_causes",
        "transfer_on_fail",
        "effective_caller_id_name",
        "effective_caller_id_number",
        "ringback",
        "fail_on_single_reject",
        "hangup_on_single_reject",
        "ignore_early_media",
        "bridge_early_media",
        "originate_continue_on_timeout",
        "bridge_terminate_key",
        "import",
        "export_vars",
        "domain_name",
        "dialed_user",
        "cti_leg",
        "group_confirm_file",
        "leg_required",
        "originate_retries",
        "origination_uuid",
    ];
    for name in names {
        stand.register(&[
            phone("1002", Behaviour::Rejects(486, 20)),
            phone("1003", Behaviour::Answers(60)),
        ]);
        let course = call(stand, Some(b"user/1002|user/1003"), |stand, caller| {
            stand.library.set_variable(caller, name, NASTY);
        });
        wrong.extend(
            course
                .leftovers
                .iter()
                .map(|left| format!("{name}: {left}")),
        );
        let result = course.seen.variable("cti_result");
        expect(
            &mut wrong,
            &format!("{name}: cti_result"),
            result.is_some(),
            &result,
        );
    }
    wrong
}

const COMMANDS: &[&str] = &[
    "version",
    "status",
    "calls",
    "show",
    "explain",
    "cancel",
    "skip",
    "drop",
    "add",
    "extend",
    "metrics",
    "reload",
    "help",
    "groups",
    "group",
    "member",
    "member list",
    "member pause",
    "member unpause",
    "member dnd",
    "member undnd",
];

pub fn api(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let mut ask = |arguments: Option<&[u8]>, with_stream: bool| {
        let reply = stand.library.api("cti", arguments, with_stream);
        let shown = arguments.map(|text| String::from_utf8_lossy(&text[..text.len().min(60)]));
        let fits = !with_stream || reply.starts_with("+OK") || reply.starts_with("-ERR");
        let is_json = serde_json::from_str::<serde_json::Value>(&reply).is_ok();
        let is_metrics = reply.starts_with("# ");
        let is_help = shown
            .as_deref()
            .is_none_or(|text| text.trim().is_empty() || text.starts_with("help"));
        expect(
            &mut wrong,
            &format!("{shown:?} replied"),
            fits || is_json || is_metrics || is_help && !reply.is_empty(),
            &reply,
        );
    };
    for with_stream in [true, false] {
        ask(None, with_stream);
        ask(Some(b""), with_stream);
        ask(Some(NASTY), with_stream);
        ask(Some(&vec![b'x'; 1 << 20]), with_stream);
        for command in COMMANDS {
            for tail in [
                &b""[..],
                b" ",
                b" %n%s%n",
                NASTY,
                b" json",
                b" json json %s",
                b" no-such-uuid",
                b" no-such-uuid %n %s",
                b" no-such-uuid user/1003",
                b" user/1002,user/1003|group/team1000,[a=",
                b" json user/1002,user/1003|group/team1000",
            ] {
                ask(Some(&[command.as_bytes(), tail].concat()), with_stream);
            }
            ask(
                Some(&[command.as_bytes(), b" ", NASTY].concat()),
                with_stream,
            );
        }
    }
    wrong.extend(stand.library.leftovers(true));
    wrong
}

pub fn api_during_a_call(stand: &Stand) -> Wrong {
    stand.register(PHONES);
    let (mut wrong, course) = during_a_call(
        stand,
        "{cti_stage_timeout=2}user/1002|user/1003",
        30,
        || {
            let ask = |arguments: &str| stand.library.api("cti", Some(arguments.as_bytes()), true);
            let calls = ask("calls json");
            let mut wrong = Vec::new();
            expect(
                &mut wrong,
                "status",
                ask("status").starts_with("+OK"),
                &ask("status"),
            );
            let calls: serde_json::Value = serde_json::from_str(&calls).unwrap_or_default();
            let text = calls.to_string();
            // The stand-in's uuids have this in their middle.
            expect(&mut wrong, "calls json", text.contains("5ca1"), &text);
            for command in COMMANDS.iter().filter(|command| **command != "cancel") {
                ask(command);
                ask(&format!("{command} %n%s"));
            }
            wrong
        },
    );
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "cti_result",
        result == Some("answered"),
        &result,
    );
    wrong
}

/// A leg that has ended takes no room from one that an operator adds, nor does one that rings
/// already, or of whose user another device registers, need room once more.
pub fn room_for_more(stand: &Stand) -> Wrong {
    stand.library.set_config("max-targets", "2");
    let ask = |arguments: &str| stand.library.api("cti", Some(arguments.as_bytes()), true);
    ask("reload");
    stand.register(&[
        phone("1002", Behaviour::Rejects(486, 0)),
        phone("1003", Behaviour::Rings),
        phone("1004", Behaviour::Rings),
    ]);
    let plan = "{cti_stage_timeout=2}user/1002|user/1003";
    let (wrong, _) = during_a_call(stand, plan, 300, || {
        let calls: serde_json::Value = serde_json::from_str(&ask("calls json")).unwrap_or_default();
        let uuid = calls[0]["uuid"].as_str().unwrap_or_default().to_owned();
        let mut wrong = Vec::new();
        for (target, fits) in [
            ("user/1004", "+OK"),
            ("user/1002", "-ERR more legs would ring"),
            ("user/1003", "-ERR it rings already"),
        ] {
            let reply = ask(&format!("add {uuid} {target}"));
            expect(
                &mut wrong,
                target,
                reply.starts_with(fits),
                &(&reply, &calls),
            );
        }
        ask(&format!("cancel {uuid}"));
        wrong
    });
    stand.register(&[phone("1003", Behaviour::Rings)]);
    let plan = "{cti_late_join=true,cti_stage_timeout=2}user/1003";
    let (more, course) = during_a_call(stand, plan, 100, || {
        stand.register(&[Phone {
            name: "1003-mobile",
            user: "1003",
            does: Behaviour::Answers(100),
        }]);
        Wrong::new()
    });
    let result = course.seen.variable("cti_result");
    let mut wrong = [wrong, more].concat();
    let joined = result == Some("answered");
    expect(&mut wrong, "a second device", joined, &result);
    wrong
}

/// That a stage has too many contacts is known only when it begins.
pub fn too_many_contacts(stand: &Stand) -> Wrong {
    stand.library.set_config("max-targets", "1");
    stand.library.api("cti", Some(b"reload"), true);
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Rings),
    ]);
    let course = call(stand, Some(b"group/team1000"), |_, _| {});
    let error = "stage 1 has 2 contacts, more than max-targets (1)";
    refused(&course, "group/team1000", Some(error))
}

/// The name of a user or a group is data, also where the switch expands what it stands in.
pub fn names_are_data(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for (target, cause) in [
        (
            "group/team1000)}${group_call(team1000",
            "DESTINATION_OUT_OF_ORDER",
        ),
        (
            "user/1002)}${sofia_contact(*/1003@cti.test",
            "SUBSCRIBER_ABSENT",
        ),
        ("user/${dialed_domain}", "SUBSCRIBER_ABSENT"),
    ] {
        let line = format!("explain {target}");
        let reply = stand.library.api("cti", Some(line.as_bytes()), true);
        // A reply may be stored, so it says `$ {`.
        let refused = format!("{target} -> {target}  cannot ring: {cause}");
        let refused = mod_cti::plan::inert(&refused).into_owned();
        expect(&mut wrong, target, reply.contains(&refused), &reply);
    }
    wrong.extend(stand.library.leftovers(true));
    wrong
}

/// A group of more members than a plan may have targets, where `max-targets` allows it.
pub fn large_group(stand: &Stand) -> Wrong {
    const MEMBERS: usize = 1100;
    stand.library.set_config("max-targets", "2000");
    stand.library.api("cti", Some(b"reload"), true);
    let users: Vec<String> = (0..MEMBERS).map(|nth| format!("3{nth:04}")).collect();
    for user in &users {
        stand.library.add_user_item(user, "user", "id", user);
        stand.library.add_phone(user, user, 0, 0, 0);
    }
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    stand.library.add_group("large", &users);
    let reply = stand.library.api("cti", Some(b"explain group/large"), true);
    // Each phone's registration is an event.
    stand.library.quiet(2000 * slowness() as u32);
    let mut wrong = stand.library.leftovers(true);
    let contacts = reply.lines().filter(|line| line.contains(" -> ")).count();
    let beginning = reply.get(..200).unwrap_or(&reply);
    expect(&mut wrong, "contacts", contacts == MEMBERS, &beginning);
    wrong
}

/// A command's event comes before all that follows from the command, however threads meet.
pub fn told_first(stand: &Stand) -> Wrong {
    let added = ["1003", "1004", "1005", "1006", "1007"];
    stand.register(&[phone("1002", Behaviour::Rings)]);
    for name in added {
        stand.register(&[phone(name, Behaviour::Rings)]);
    }
    let ask = |arguments: &str| stand.library.api("cti", Some(arguments.as_bytes()), true);
    stand.library.jitter(30, 1);
    let (mut wrong, course) = during_a_call(stand, "user/1002", 30, || {
        let calls: serde_json::Value = serde_json::from_str(&ask("calls json")).unwrap_or_default();
        let uuid = calls[0]["uuid"].as_str().unwrap_or_default().to_owned();
        for name in added {
            ask(&format!("add {uuid} user/{name}"));
        }
        std::thread::sleep(Duration::from_millis(100 * slowness()));
        ask(&format!("cancel {uuid}"));
        Vec::new()
    });
    stand.library.jitter(0, 0);
    let told: Vec<String> = course
        .events
        .iter()
        .filter(|event| header(event, "CTI-Target") != "user/1002")
        .map(|event| {
            let target = header(event, "CTI-Target");
            format!("{} {target}", header(event, "CTI-Action"))
        })
        .collect();
    let place = |what: &str, nth: usize| {
        let mut places = (0..told.len()).filter(|&at| told[at] == what);
        places.nth(nth).unwrap_or(usize::MAX)
    };
    for (nth, name) in added.iter().enumerate() {
        let rang = place(&format!("ringing user/{name}"), 0);
        expect(&mut wrong, name, place("add ", nth) < rang, &told);
    }
    let ended = place("leg_ended user/1003", 0);
    let cancelled = place("cancel ", 0);
    expect(&mut wrong, "cancel", cancelled < ended, &told);
    wrong
}

pub fn completions(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let rules = stand.library.completions();
    expect(
        &mut wrong,
        "completion rules",
        rules.iter().any(|rule| rule.starts_with("cti ")),
        &rules,
    );
    for rule in &rules {
        for function in rule.split(' ').filter(|word| word.starts_with("::")) {
            stand.library.complete(function, "cti show ", "");
            stand.library.complete(function, "%n%s", "%n");
        }
    }
    stand.register(&[phone("1002", Behaviour::Answers(500))]);
    let (more, _) = during_a_call(stand, "user/1002", 300, || {
        let calls = stand.library.api("cti", Some(b"calls"), true);
        let offered = stand.library.complete("::cti::calls", "cti cancel ", "");
        let mut wrong = Vec::new();
        let fits = offered.len() == 1 && calls.contains(&offered[0]);
        expect(&mut wrong, "the call that rings", fits, &(&offered, &calls));
        wrong
    });
    wrong.extend(more);
    wrong
}

/// A plan's 0 lifts a limit that cti.conf sets; what cannot be read leaves it.
pub fn no_limit(stand: &Stand) -> Wrong {
    for (name, value) in [("call-timeout", "9"), ("wait-register", "4")] {
        stand.library.set_config(name, value);
    }
    let ask = |line: &str| stand.library.api("cti", Some(line.as_bytes()), true);
    ask("reload");
    let mut wrong = Vec::new();
    for (globals, limits) in [
        ("", ["ends after 9 s", "waits 4 s"]),
        (
            "{cti_timeout=soon,cti_wait_register=soon}",
            ["ends after 9 s", "waits 4 s"],
        ),
        ("{cti_timeout=5}", ["ends after 5 s", "waits 4 s"]),
        ("{cti_timeout=0,cti_wait_register=0}", ["", ""]),
    ] {
        let reply = ask(&format!("explain {globals}user/1002"));
        for (line, limit) in ["the whole call", "a stage in which"].iter().zip(limits) {
            let said = reply.lines().find(|it| it.starts_with(line)).unwrap_or("");
            let fits = said.is_empty() == limit.is_empty() && said.ends_with(limit);
            expect(&mut wrong, globals, fits, &reply);
        }
    }
    wrong.extend(stand.library.leftovers(true));
    wrong
}

pub fn configuration(stand: &Stand) -> Wrong {
    let settings = [
        ("stage-timeout", "%n%s"),
        ("call-timeout", "-5"),
        ("last-stage-timeout", ""),
        ("missed", "sometimes"),
        ("early-media", "\u{fffd}"),
        ("no-such-param", "1"),
    ];
    for (name, value) in settings {
        stand.library.set_config(name, value);
    }
    stand.library.log();
    let reply = stand.library.api("cti", Some(b"reload"), true);
    let log = stand.library.log();
    let mut wrong = stand.library.leftovers(true);
    for (name, _) in settings {
        let named = reply.contains(name) || log.iter().any(|(_, line)| line.contains(name));
        expect(
            &mut wrong,
            &format!("{name} is named"),
            named,
            &(&reply, &log),
        );
    }
    wrong
}
