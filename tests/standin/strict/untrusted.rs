//! What comes from outside is data (promise 11): contacts that phones register, names that callers
//! send, values that legs bring back. Nothing of it is expanded, run, or dialled elsewhere.
//! `tests/directory.rs` has the rule of a dial string alone; here it is watched on a switch.

use super::*;
use crate::scenarios::moved;

/// Contacts as a phone can register them beside a good one, and what must be dropped.
const HOSTILE: &[(&str, &str)] = &[
    (
        "sofia/internal/sip:x@127.0.0.1:9;x=1,loopback/answers",
        "loopback/answers",
    ),
    (
        "sofia/internal/sip:x@127.0.0.1:9;x=1,loopback/app=answer",
        "loopback/app=answer",
    ),
    (
        "sofia/internal/sip:x@127.0.0.1:9,SOFIA/gateway/carrier/1",
        "SOFIA/gateway/carrier/1",
    ),
    (
        "sofia/internal/sip:x@127.0.0.1:9|loopback/answers",
        "loopback/answers",
    ),
    (
        "sofia/internal/sip:x@127.0.0.1:9:_:loopback/answers",
        "loopback/answers",
    ),
    (
        "sofia/internal/sip:x@127.0.0.1:9,[a=b]sofia/internal/sip:y@127.0.0.1:9",
        "[a=b]sofia/internal/sip:y@127.0.0.1:9",
    ),
    ("sofia/internal/sip:x@127.0.0.1:9,user/1003", "user/1003"),
    (
        "sofia/internal/sip:a,user/1002,user/1002@127.0.0.1:9",
        "user/1002",
    ),
];

pub fn hostile_contacts(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for (contact, dropped) in HOSTILE {
        for plan in ["user/1002", "group/team1000"] {
            stand.register(&[phone("1002", Behaviour::RingsThenRejects(486, 100))]);
            stand.library.add_contact("1002", contact);
            let told = format!("{contact} of {plan}");
            let explained = format!("explain {plan}");
            let explained = stand.library.api("cti", Some(explained.as_bytes()), true);
            let note = explained.lines().find(|line| line.contains("is dropped"));
            let named = note.is_some_and(|line| line.contains(dropped) && line.contains("1002"));
            expect(&mut wrong, &format!("{told}: explained"), named, &explained);
            let course = call(stand, Some(plan.as_bytes()), |_, _| {});
            stand.library.forget_contacts();
            wrong.extend(
                course
                    .leftovers
                    .iter()
                    .map(|left| format!("{told}: {left}")),
            );
            let legs = course.seen.variable("cti_legs").unwrap_or_default();
            let legs: Vec<serde_json::Value> = serde_json::from_str(legs).unwrap_or_default();
            let contacts = legs.iter().filter_map(|leg| leg["contact"].as_str());
            let allowed = |contact: &str| {
                contact.starts_with("sofia/internal/") || contact.starts_with("error/")
            };
            let strangers: Vec<&str> = contacts.filter(|contact| !allowed(contact)).collect();
            expect(
                &mut wrong,
                &format!("{told}: dialled"),
                strangers.is_empty(),
                &strangers,
            );
            expect(
                &mut wrong,
                &format!("{told}: legs"),
                !legs.is_empty(),
                &legs,
            );
            let result = course.seen.variable("cti_result");
            expect(
                &mut wrong,
                &format!("{told}: cti_result"),
                result == Some("busy"),
                &result,
            );
            let warned = |(level, line): &&(u8, String)| {
                *level == 4 && line.contains(dropped) && line.contains("1002")
            };
            let warnings = course.log.iter().filter(warned).count();
            expect(
                &mut wrong,
                &format!("{told}: warnings"),
                warnings > 0,
                &course.log,
            );
        }
    }
    wrong
}

/// Whatever a plan, a contact or a leg brings, no variable of ours holds an expression.
pub fn stored_values(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let plans = [
        "{import=x}[x=${dialed_user}]user/1003",
        "{import=x}[x=$\\\\'{dialed_user}]user/1003",
        "sofia/internal/${caller_id_number}@127.0.0.1:9|user/1003",
        "user/1002|user/1003",
    ];
    for plan in plans {
        stand.register(&[phone("1003", Behaviour::Answers(60))]);
        let hostile = "sofia/internal/sip:${system(touch marker)}@127.0.0.1:9";
        stand.library.add_contact("1002", hostile);
        let course = call(stand, Some(plan.as_bytes()), |_, _| {});
        stand.library.forget_contacts();
        wrong.extend(
            course
                .leftovers
                .iter()
                .map(|left| format!("{plan}: {left}")),
        );
        for (name, value) in &course.seen.variables {
            let ours = name.starts_with("cti_") || name == "x";
            let bare = value.replace(['\\', '\''], "");
            let armed = ours && (bare.contains("${") || bare.ends_with('$'));
            expect(&mut wrong, &format!("{plan}: {name}"), !armed, value);
        }
        for (name, value) in course.events.iter().flatten() {
            expect(
                &mut wrong,
                &format!("{plan}: {name}"),
                !value.contains("${"),
                value,
            );
        }
        let result = course.seen.variable("cti_result");
        expect(
            &mut wrong,
            &format!("{plan}: cti_result"),
            result == Some("answered"),
            &result,
        );
    }
    wrong
}

/// Ten users whose dial strings ring each other, and a group that is its own member.
pub fn circles(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let users: Vec<String> = (0..10).map(|nth| format!("40{nth:02}")).collect();
    let everybody = users.iter().map(|user| format!("user/{user}"));
    let everybody = everybody.collect::<Vec<_>>().join(",");
    for user in &users {
        stand.library.add_user_item(user, "user", "id", user);
        stand
            .library
            .add_user_item(user, "param", "dial-string", &everybody);
    }
    stand.library.add_user_item("4100", "user", "id", "4100");
    stand.library.add_user_item(
        "4100",
        "param",
        "dial-string",
        "user/1003,group/rings,user/4100",
    );
    stand.library.add_group("rings", &["4100", "1002"]);
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Rings),
    ]);
    for (plan, rings) in [("user/4000", 0), ("user/4100", 2), ("group/rings", 2)] {
        let began = Instant::now();
        let reply = stand
            .library
            .api("cti", Some(format!("explain {plan}").as_bytes()), true);
        let took = began.elapsed();
        let said = format!("stage 1 of 1: {rings} ring together");
        expect(&mut wrong, plan, reply.contains(&said), &reply);
        let soon = Duration::from_millis(500 * slowness());
        expect(&mut wrong, &format!("{plan} took"), took < soon, &took);
        expect(
            &mut wrong,
            &format!("{plan}: bytes"),
            reply.len() < 64 * 1024,
            &reply.len(),
        );
    }
    let course = call(stand, Some(b"user/4000|user/1003"), |_, _| {});
    wrong.extend(course.leftovers.iter().cloned());
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    expect(
        &mut wrong,
        "cause",
        legs.contains("INVALID_IE_CONTENTS"),
        &legs,
    );
    wrong
}

/// One member of a group has registered more contacts than a stage may have.
pub fn crowded_out(stand: &Stand) -> Wrong {
    stand.library.set_config("max-targets", "20");
    stand.library.api("cti", Some(b"reload"), true);
    stand.register(&[phone("1003", Behaviour::Answers(300))]);
    for nth in 0..60 {
        let contact = format!("sofia/internal/sip:{nth}@127.0.0.1:9");
        stand.library.add_contact("1002", &contact);
    }
    let course = call(stand, Some(b"group/team1000"), |_, _| {});
    stand.library.forget_contacts();
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "cti_result",
        result == Some("answered"),
        &result,
    );
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let legs: Vec<serde_json::Value> = serde_json::from_str(legs).unwrap_or_default();
    expect(&mut wrong, "legs", legs.len() == 20, &legs.len());
    let told = |(level, line): &(u8, String)| {
        *level == 4 && line.contains("1002") && line.contains("max-targets")
    };
    expect(
        &mut wrong,
        "the log",
        course.log.iter().any(told),
        &course.log,
    );
    wrong
}

/// A directory that knows whatever name it is asked for: the name is put into the dial string, and
/// must not be a target there.
pub fn names_are_no_targets(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for name in [
        "x,loopback/answers",
        "x|loopback/answers",
        "x\\,loopback/answers",
    ] {
        stand.library.add_user_item(name, "user", "id", name);
        let text = "sofia/gateway/carrier/${dialed_user}";
        stand
            .library
            .add_user_item(name, "param", "dial-string", text);
        let asked = name
            .replace('\\', "\\\\")
            .replace(',', "\\,")
            .replace('|', "\\|");
        let words = format!("explain user/{asked}");
        let reply = stand.library.api("cti", Some(words.as_bytes()), true);
        let rings = reply.contains("-> loopback/answers");
        expect(
            &mut wrong,
            name,
            !rings && reply.contains("stage 1 of 1"),
            &reply,
        );
    }
    wrong
}

/// A user has registered more contacts than a stage may have, and his dial string names a mobile after them.
pub fn mobile_is_not_crowded_out(stand: &Stand) -> Wrong {
    stand.library.set_config("max-targets", "20");
    stand.library.api("cti", Some(b"reload"), true);
    let text = "${sofia_contact(*/1002@pbx.invalid)},loopback/answers";
    stand
        .library
        .add_user_item("1002", "param", "dial-string", text);
    for nth in 0..60 {
        let contact = format!("sofia/internal/sip:{nth}@127.0.0.1:9");
        stand.library.add_contact("1002", &contact);
    }
    let mut wrong = Vec::new();
    for plan in ["user/1002", "group/team1000"] {
        let words = format!("explain {plan}");
        let reply = stand.library.api("cti", Some(words.as_bytes()), true);
        expect(
            &mut wrong,
            plan,
            reply.contains("-> loopback/answers"),
            &reply,
        );
        expect(
            &mut wrong,
            plan,
            reply.contains(": 20 ring together"),
            &reply,
        );
    }
    stand.library.forget_contacts();
    wrong
}

/// A user's dial string leads to another user, whose phone has moved: what it says is dialled by the
/// user of the phone, in his context, and not by the one who was called.
pub fn moved_behind_another_user(stand: &Stand) -> Wrong {
    const TO_A_TOLL: Behaviour = Behaviour::Says(&[moved(50, &["<sip:9000@carrier.invalid>"])]);
    for (user, kind, name, value) in [
        ("1006", "param", "dial-string", "user/1003@${dialed_domain}"),
        ("1006", "variable", "user_context", "wide"),
        ("1003", "variable", "user_context", "walled"),
    ] {
        stand.library.add_user_item(user, kind, name, value);
    }
    stand.register(&[phone("1003", TO_A_TOLL)]);
    let course = call(stand, Some(b"user/1006"), |_, _| {});
    let mut wrong = course.leftovers.clone();
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let dialled = legs.contains("loopback/9000/walled");
    expect(&mut wrong, "cti_legs", dialled, &legs);
    wrong
}

/// Who answers behind a gateway that a user's dial string names is not the user's phone: a carrier
/// that says 302 has none of his rights.
pub fn carrier_has_moved(stand: &Stand) -> Wrong {
    const TO_A_TOLL: Behaviour = Behaviour::Says(&[moved(50, &["<sip:9000@carrier.invalid>"])]);
    let text = "sofia/gateway/plain/1003";
    stand
        .library
        .add_user_item("1006", "param", "dial-string", text);
    stand
        .library
        .add_user_item("1006", "variable", "user_context", "wide");
    stand.register(&[phone("1003", TO_A_TOLL)]);
    let course = call(stand, Some(b"user/1006"), |_, _| {});
    let mut wrong = course.leftovers.clone();
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let dialled = legs.contains("gateway/plain") && !legs.contains("9000");
    expect(&mut wrong, "cti_legs", dialled, &legs);
    wrong
}

/// `max-targets` holds for those who ring together: a group one by one has as many in all as it likes.
pub fn capped_by_turn(stand: &Stand) -> Wrong {
    stand.library.set_config("max-targets", "4");
    stand.library.api("cti", Some(b"reload"), true);
    stand.library.add_group("six", &["1002", "1003", "1004"]);
    for user in ["1002", "1003", "1004"] {
        for nth in 0..2 {
            let contact = format!("sofia/internal/sip:{user}-{nth}@127.0.0.1:9");
            stand.library.add_contact(user, &contact);
        }
    }
    let reply = stand.library.api("cti", Some(b"explain group/six+F"), true);
    stand.library.forget_contacts();
    let mut wrong = Vec::new();
    let each = reply.matches(": 2 ring together").count();
    expect(&mut wrong, "group/six+F", each == 3, &reply);
    wrong
}

/// Who stands behind a `|` rings in its turn, also where he has rung in a turn before, as `bridge` has it.
pub fn turns_ring_again(stand: &Stand) -> Wrong {
    let devices = "${sofia_contact(*/1003@pbx.invalid)}";
    let mut wrong = Vec::new();
    for text in [
        format!("{devices}|{devices}"),
        "user/1003|user/1003".to_owned(),
        format!("user/1003|user/1003,{devices}"),
    ] {
        let user: &str = &format!("again-{}", text.len());
        stand.library.add_user_item(user, "user", "id", user);
        stand
            .library
            .add_user_item(user, "param", "dial-string", &text);
        stand.register(&[phone("1003", Behaviour::RingsThenRejects(486, 50))]);
        let plan = format!("user/{user}");
        let course = call(stand, Some(plan.as_bytes()), |_, _| {});
        wrong.extend(course.leftovers.iter().cloned());
        let rang = course.seen.rings.len();
        expect(&mut wrong, &text, rang == 2, &rang);
    }
    // Users who name each other so are looked up a few times and not thousands of times.
    let users: Vec<String> = (0..10).map(|nth| format!("41{nth:02}")).collect();
    let each = users.iter().map(|user| format!("user/{user}"));
    let each = each.collect::<Vec<_>>().join("|");
    for user in &users {
        stand.library.add_user_item(user, "user", "id", user);
        stand
            .library
            .add_user_item(user, "param", "dial-string", &each);
    }
    let reply = stand.library.api("cti", Some(b"explain user/4100"), true);
    let stages = reply.matches("\nstage ").count();
    expect(&mut wrong, "a circle", stages < 200, &stages);
    // Added to a call, all turns ring together: nobody rings twice.
    let user = "again-19";
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Rings),
    ]);
    let (more, course) = during_a_call(stand, "{cti_timeout=900ms}user/1002", 30, || {
        let uuids = stand.library.complete("::cti::calls", "", "");
        let words = format!(
            "add {} user/{user}",
            uuids.first().cloned().unwrap_or_default()
        );
        let reply = stand.library.api("cti", Some(words.as_bytes()), true);
        let mut wrong = Wrong::new();
        expect(&mut wrong, &words, reply.contains("1 more leg(s)"), &reply);
        wrong
    });
    wrong.extend(more);
    let rang = course.seen.rings.len();
    expect(&mut wrong, "added", rang == 2, &rang);
    wrong
}

/// A device registers again and again while its user's call waits and the directory is slow.
pub fn registers_often(stand: &Stand) -> Wrong {
    let slow = "${msleep(200)}${sofia_contact(*/1004@pbx.invalid)}";
    stand
        .library
        .add_user_item("1004", "param", "dial-string", slow);
    stand.register(&[phone("1002", Behaviour::Rings)]);
    let late = || {
        let names = std::fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten();
        let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "cti-lookup").count()
    };
    let mut most = 0;
    let plan = "{cti_late_join=true,cti_timeout=2500ms}user/1004,user/1002";
    let (mut wrong, course) = during_a_call(stand, plan, 30, || {
        // The first look-up has to be over: only then somebody waits.
        std::thread::sleep(Duration::from_millis(400 * slowness()));
        for nth in 0..40 {
            let name: &'static str = Box::leak(format!("1004-{nth}").into_boxed_str());
            stand.register(&[Phone {
                user: "1004",
                ..phone(name, Behaviour::Rings)
            }]);
            most = most.max(late());
            std::thread::sleep(Duration::from_millis(5));
        }
        Vec::new()
    });
    expect(&mut wrong, "look-ups at once", most == 1, &most);
    let rang = course
        .seen
        .rings
        .iter()
        .filter(|ring| ring.phone.starts_with("1004-"))
        .count();
    expect(&mut wrong, "devices that joined", rang == 40, &rang);
    wrong
}

/// A name in Latin-1 or GBK reaches the phone with the bytes that it has.
pub fn bytes_pass(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let beyond: &[u8] = b"\xf4\x8f\xbf\xbf\xf4\x8f";
    for (bytes, shown) in [
        (&b"M\xfcller"[..], "M\\xfcller"),
        (b"\xd6\xd0\xb9\xfa", "\\xd6й\\xfa"),
        (beyond, "\u{10ffff}\\xf4\\x8f"),
    ] {
        for name in ["effective_caller_id_name", "sip_h_X-Who"] {
            stand.register(&[phone("1003", Behaviour::Answers(60))]);
            let course = call(stand, Some(b"user/1003,user/9999"), |stand, caller| {
                stand.library.set_variable(caller, name, bytes);
                stand
                    .library
                    .set_variable(caller, "export_vars", &b"sip_h_X-Who"[..]);
            });
            wrong.extend(course.leftovers.iter().cloned());
            let headers = course.seen.rings.first().map(|ring| ring.headers.clone());
            let got = headers.iter().flatten().any(|(_, value)| value == shown);
            expect(&mut wrong, &format!("{name} {shown}"), got, &headers);
        }
    }
    wrong
}

/// Log, events, JSON, metrics and replies with hostile names in them: each stays one line and one field.
pub fn faces(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let long = vec![b'x'; 64 * 1024];
    let names: [&[u8]; 8] = [
        b"plain",
        b"${system(touch marker)}",
        b"a\r\nCTI-Result: answered\r\n\r\nb",
        b"\x1b[2J\x1b[31mred\x07",
        b"%n%s%n",
        b"\xff\xfe\xc3(",
        "\u{202e}\u{2028}\u{85}\"quoted\", {\"a\":1}".as_bytes(),
        &long,
    ];
    for name in names {
        let shown = String::from_utf8_lossy(&name[..name.len().min(20)]).into_owned();
        stand.register(&[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Rings),
        ]);
        let contact = format!(
            "sofia/internal/sip:{}@127.0.0.1:9",
            String::from_utf8_lossy(&name.replace_controls())
        );
        stand.library.add_contact("1003", &contact);
        let caller = stand.library.caller("1001", false);
        for variable in ["caller_id_name", "caller_id_number"] {
            stand.library.set_variable(caller, variable, name);
        }
        stand.library.begin();
        stand.library.hangs_up(caller, -1, 30);
        let mut replies = Vec::new();
        let ask = |words: &str| stand.library.api("cti", Some(words.as_bytes()), true);
        let variables = std::thread::scope(|scope| {
            let plan = b"{cti_debug=true}user/1002,user/1003";
            let running = scope.spawn(|| {
                stand.library.application(caller, APPLICATION, Some(plan));
                stand.library.finish(caller)
            });
            let rings = || ask("calls").contains("ringing");
            wait_until(Duration::from_secs(3), rings);
            let calls: serde_json::Value =
                serde_json::from_str(&ask("calls json")).unwrap_or_default();
            let uuid = calls[0]["uuid"].as_str().unwrap_or("none").to_owned();
            for words in [
                "calls",
                "calls json",
                "metrics",
                "metrics json",
                "explain user/1003",
                "explain json user/1003",
            ] {
                replies.push((words.to_owned(), ask(words)));
            }
            for words in ["show UUID", "show UUID json", "drop UUID \x1b[31m\r\nx"] {
                replies.push((words.to_owned(), ask(&words.replace("UUID", &uuid))));
            }
            ask(&format!("cancel {uuid}"));
            let variables = running.join().expect("the call's thread");
            for words in ["show UUID", "show UUID json"] {
                replies.push((
                    format!("{words} afterwards"),
                    ask(&words.replace("UUID", &uuid)),
                ));
            }
            variables
        });
        let course = stand.collect(variables);
        stand.library.forget_contacts();
        wrong.extend(
            course
                .leftovers
                .iter()
                .map(|left| format!("{shown:?}: {left}")),
        );
        for (words, reply) in &replies {
            let what = format!("{shown:?}: {words}");
            let torn = |c: char| c != '\n' && (c.is_control() || c == '\u{2028}');
            expect(
                &mut wrong,
                &what,
                !reply.contains(torn) && !reply.contains("\\xff"),
                reply,
            );
            // As many lines as with a plain name: they are the call's and the two to four legs'.
            let lines = reply.lines().count();
            let limit = if words.starts_with("metrics") {
                1000
            } else {
                12
            };
            expect(&mut wrong, &what, lines <= limit, &lines);
            // A dialplan may store it, and what is stored is expanded again.
            expect(&mut wrong, &what, !reply.contains("${"), reply);
            if words.contains("json") {
                let read = serde_json::from_str::<serde_json::Value>(reply);
                expect(&mut wrong, &what, read.is_ok() && lines == 1, &reply);
            } else if !words.starts_with("metrics") {
                let longest = reply.lines().map(str::len).max().unwrap_or(0);
                expect(&mut wrong, &what, longest < 8 * 1024, &longest);
            }
        }
        for (_, line) in &course.log {
            let clean = !line.contains(char::is_control) && !line.contains("\\xff");
            expect(&mut wrong, &format!("{shown:?}: log"), clean, line);
        }
        for event in &course.events {
            for (name, value) in event
                .iter()
                .filter(|(name, _)| name.starts_with("CTI-") || name == "_body")
            {
                let clean = !value.contains(char::is_control) && !value.contains("\\xff");
                expect(&mut wrong, &format!("{shown:?}: {name}"), clean, value);
            }
        }
        let action = |event: &&Vec<(String, String)>| {
            event
                .iter()
                .any(|(name, value)| name == "CTI-Action" && value == "ended")
        };
        let ended = course.events.iter().filter(action).count();
        expect(
            &mut wrong,
            &format!("{shown:?}: ended events"),
            ended == 1,
            &ended,
        );
    }
    wrong
}

trait Controls {
    fn replace_controls(&self) -> Vec<u8>;
}

impl Controls for [u8] {
    /// SIP lets no line break into a contact.
    fn replace_controls(&self) -> Vec<u8> {
        let fits = |byte: &u8| !matches!(byte, b'\r' | b'\n');
        self.iter().copied().filter(fits).collect()
    }
}

/// A dial string with a typing error: the log names the call, and `cti explain` tells of it, too.
pub fn unusable_dial_strings(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let line = "user/bad1000: the directory's dial string ";
    let explained = stand
        .library
        .api("cti", Some(b"explain user/bad1000"), true);
    let note = |told: &str| told.contains(&format!("note: {line}"));
    expect(&mut wrong, "explained", note(&explained), &explained);
    let course = call(stand, Some(b"user/bad1000"), |_, _| {});
    let told = |(_, text): &(u8, String)| text.contains(&format!("cti_bridge: {line}"));
    expect(
        &mut wrong,
        "logged",
        course.log.iter().any(told),
        &course.log,
    );
    wrong
}
