//! Calls that the scenario table does not hold: many at once, in any order, with keys,
//! transfers, bypassed media and more contacts than core has room for.
//! `any_order` is a search: its rounds are seeded, so that one that fails can be run again.

use super::arguments::NASTY;
use super::*;

pub fn cancel_key(stand: &Stand) -> Wrong {
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Rings),
    ]);
    let course = call(
        stand,
        Some(b"user/1002,user/1003|user/1004"),
        |stand, caller| {
            stand
                .library
                .set_variable(caller, "origination_cancel_key", "*");
            stand.library.presses(caller, b'1', 150);
            stand.library.presses(caller, b'*', 300);
        },
    );
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "cti_result",
        result == Some("cancelled"),
        &result,
    );
    let fits = course.seen.rings.len() == 2
        && course
            .seen
            .rings
            .iter()
            .all(|ring| ring.told == Told::CallerGone && ring.to >= 300);
    expect(&mut wrong, "rings", fits, &course.seen.rings);
    wrong
}

/// The switch keeps its own time when the system's clock is set back: when a phone rang is
/// known all the same, though the event of it comes late.
pub fn clock_set_back(stand: &Stand) -> Wrong {
    const LATE: u32 = 60;
    stand.library.clock_ahead(3600);
    stand.library.delay(0, LATE);
    stand.register(&[phone("1002", Behaviour::RingsThenRejects(486, 600))]);
    let course = call(stand, Some(b"user/1002"), |_, _| {});
    stand.library.delay(0, 0);
    let mut wrong = course.leftovers.clone();
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let parsed: serde_json::Value = serde_json::from_str(legs).unwrap_or_default();
    let rang = parsed[0]["ringing_ms"].as_u64();
    let early = rang.is_some_and(|at| at < u64::from(LATE) * slowness());
    expect(&mut wrong, "ringing_ms", early, &legs);
    wrong
}

/// The caller is told that a phone rings also while its own thread is in the directory.
pub fn rings_beside_a_look_up(stand: &Stand) -> Wrong {
    let slow = "${msleep(600)}${sofia_contact(*/1004@pbx.invalid)}";
    stand
        .library
        .add_user_item("1004", "param", "dial-string", slow);
    stand.register(&[phone("1002", Behaviour::Answers(900))]);
    let course = call(stand, Some(b"user/1002:_:user/1004"), |_, _| {});
    let mut wrong = course.leftovers.clone();
    let rang = course.caller.iter().find(|(_, what)| what == "180");
    let soon = rang.is_some_and(|(at, _)| *at < 400 * slowness());
    expect(&mut wrong, "180", soon, &course.caller);
    wrong
}

const HOOKS: [&str; 4] = [
    "execute_on_pre_originate",
    "execute_on_post_originate_2",
    "api_on_pre_originate_1",
    "api_on_post_originate",
];

/// What the caller has for the beginning and the end of an originate runs once a call, not
/// once a stage, and is still there afterwards.
pub fn hooks_run_once(stand: &Stand) -> Wrong {
    stand.register(&[
        phone("1002", Behaviour::Rejects(486, 0)),
        phone("1003", Behaviour::Rejects(486, 0)),
        phone("1004", Behaviour::Answers(50)),
    ]);
    let course = call(
        stand,
        Some(b"user/1002|user/1003|user/1004"),
        |stand, caller| {
            for hook in HOOKS {
                stand.library.set_variable(caller, hook, "log INFO ran");
            }
        },
    );
    let mut wrong = course.leftovers.clone();
    for hook in HOOKS {
        let ran = course.seen.variable(&format!("ran_{hook}"));
        expect(&mut wrong, hook, ran == Some("1"), &ran);
        let kept = course.seen.variable(hook);
        expect(&mut wrong, hook, kept == Some("log INFO ran"), &kept);
    }
    wrong
}

/// A device that registers when its stage is over, or the call is answered, was never asked:
/// it neither rings nor stands in the call's record.
pub fn registered_too_late(stand: &Stand) -> Wrong {
    stand.register(&[
        phone("1003", Behaviour::Rings),
        phone("1004", Behaviour::Answers(600)),
    ]);
    let plan = b"{cti_late_join=true,cti_stage_timeout=300ms}user/1002,user/1003|user/1004";
    let course = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(600));
            stand.register(&[phone("1002", Behaviour::Rings)]);
        });
        call(stand, Some(plan), |_, _| {})
    });
    let mut wrong = course.leftovers.clone();
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let targets: Vec<_> = legs.matches(r#""target":"#).collect();
    expect(&mut wrong, "cti_legs", targets.len() == 3, &legs);
    wrong
}

/// A playback that a timer paces asks nobody whether it shall go on: who answers is joined at once
/// all the same, and what ends the call ends it.
pub fn ringback_with_a_timer(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    for (plan, press, result, ends) in [
        ("user/1002:_:user/1003", None, "answered", 400),
        (
            "[leg_delay_start=100ms]user/1003,user/1002",
            None,
            "answered",
            500,
        ),
        (
            "{cti_stage_timeout=300ms}user/1002:_:{cti_stage_timeout=300ms}user/1004",
            None,
            "no_answer",
            300,
        ),
        ("user/1002:_:user/1004", Some((b'*', 300)), "cancelled", 300),
    ] {
        stand.register(&[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Answers(400)),
            phone("1004", Behaviour::Rings),
        ]);
        let course = call(stand, Some(plan.as_bytes()), |stand, caller| {
            let ringback = "tone_stream://%(100,100,440);loops=-1";
            for (name, value) in [
                ("timer_name", "soft"),
                ("ringback", ringback),
                ("origination_cancel_key", "*"),
            ] {
                stand.library.set_variable(caller, name, value);
            }
            // Should the playback go on for ever, the caller leaves at last.
            stand.library.hangs_up(caller, 3000 * slowness() as i64, 30);
            if let Some((key, at)) = press {
                stand.library.presses(caller, key, at);
            }
        });
        wrong.extend(course.leftovers.iter().cloned());
        let got = course.seen.variable("cti_result");
        expect(&mut wrong, plan, got == Some(result), &got);
        let ms = course.seen.variable("cti_ring_ms");
        let ms: Option<u64> = ms.and_then(|ms| ms.parse().ok());
        let soon = ends..ends + 200 * slowness();
        let fits = ms.is_some_and(|ms| soon.contains(&ms));
        expect(&mut wrong, &format!("{plan}: cti_ring_ms"), fits, &ms);
        let joined = course.seen.joined.is_some();
        expect(
            &mut wrong,
            &format!("{plan}: joined"),
            joined == (result == "answered"),
            &course.seen.joined,
        );
    }
    wrong
}

/// A caller with a `ringback` of its own hears it (183) also while everything rings beside
/// its thread, and only once somebody rings; its keys are not lost by it.
pub fn ringback_beside(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    for (ringback, plan, end) in [
        (
            "%(2000,4000,440,480)",
            "[leg_delay_start=200ms]user/1003,user/1002",
            "answered",
        ),
        ("silence:400", "user/1002:_:user/1003", "answered"),
        (
            "",
            "user/1002:_:{ringback=silence:400}user/1003",
            "answered",
        ),
        ("/missing.wav", "user/1002:_:user/1003", "answered"),
        ("/empty.wav", "user/1002:_:user/1003", "answered"),
        (
            "%(2000,4000,440,480)",
            "{cti_stage_timeout=300ms}user/1004,[leg_delay_start=100ms]user/1005",
            "no_answer",
        ),
    ] {
        stand.register(&[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Answers(600)),
            phone("1004", Behaviour::Dead),
            phone("1005", Behaviour::Dead),
        ]);
        let course = call(stand, Some(plan.as_bytes()), |stand, caller| {
            if !ringback.is_empty() {
                stand.library.set_variable(caller, "ringback", ringback);
            }
            stand
                .library
                .set_variable(caller, "bridge_terminate_key", "5");
            stand.library.presses(caller, b'5', 300);
        });
        wrong.extend(course.leftovers.iter().cloned());
        let result = course.seen.variable("cti_result");
        expect(&mut wrong, plan, result == Some(end), &result);
        // What is over at once is played again with every 20 ms, not in a busy loop.
        let played = course.seen.variable("played_empty");
        let often = played.is_some_and(|times| times.parse().unwrap_or(u32::MAX) > 60);
        expect(&mut wrong, "played", !often, &played);
        let told: Vec<_> = course
            .caller
            .iter()
            .map(|(_, what)| what.as_str())
            .collect();
        let heard: &[&str] = match (end, ringback) {
            ("no_answer", _) => &[],
            (_, "/missing.wav") => &["180", "200"],
            _ => &["183", "200"],
        };
        expect(
            &mut wrong,
            "the caller was told",
            told.starts_with(heard),
            &course.caller,
        );
        if heard.is_empty() {
            expect(
                &mut wrong,
                "nobody rang",
                !told.contains(&"183"),
                &course.caller,
            );
        }
    }
    wrong
}

/// A caller who camps on is answered at once, and leaves for the fallback when it presses the
/// key or when nobody was free in time.
pub fn campon(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    for (key_at, attempts) in [(Some(300), 1), (None, 2)] {
        stand.register(&[phone("1002", Behaviour::Rejects(486, 0))]);
        let course = call(stand, Some(b"user/1002"), |stand, caller| {
            for (name, value) in [
                ("campon", "true"),
                ("campon_retries", "2"),
                ("campon_sleep", "1"),
                ("campon_announce_sound", "please_wait.wav"),
                ("campon_hold_music", "local_stream://moh"),
                ("campon_stop_key", "9"),
                ("campon_fallback_exten", "operator"),
            ] {
                stand.library.set_variable(caller, name, value);
            }
            if let Some(at) = key_at {
                stand.library.presses(caller, b'9', at);
            }
        });
        wrong.extend(course.leftovers.iter().cloned());
        let to = course.seen.variable("standin_transferred_to");
        expect(&mut wrong, "transferred to", to == Some("operator"), &to);
        let rings = course.seen.rings.len();
        expect(&mut wrong, "attempts", rings == attempts, &rings);
        let first = course.caller.first().map(|(_, what)| what.as_str());
        expect(
            &mut wrong,
            "told first",
            first == Some("200"),
            &course.caller,
        );
    }
    wrong
}

/// A gateway that takes its From from the caller's channel is dialled in every way that has
/// not the caller's session, and asks for it in vain in none: the From is the caller's. The
/// From of a gateway that does not ask, and of a plain contact, stays as it is.
pub fn gateway_beside(stand: &Stand) -> Wrong {
    const FULL: &str = "<sip:1001@example.net>;tag=abc";
    let mut wrong = Wrong::new();
    for way in [
        "user/1003,[leg_delay_start=100ms]G",
        "user/1003:_:G",
        "{cti_mode=progressive,cti_stage_timeout=500ms}user/1003|G",
        "{campon=true}G",
        "user/1003",
    ] {
        for (gateway, header, value) in [
            ("auto-full", "From", Some(FULL)),
            ("auto-domain", "From-Host", Some("example.net")),
            ("plain", "From", None),
            ("plain", "From-Host", None),
        ] {
            stand.register(&[
                phone("1002", Behaviour::Answers(300)),
                phone("1003", Behaviour::Rings),
            ]);
            let target = format!("sofia/gateway/{gateway}/1002");
            let plan = way.replace('G', &target);
            let caller = stand.library.caller("1001", false);
            stand.library.set_variable(caller, "sip_full_from", FULL);
            stand
                .library
                .set_variable(caller, "sip_from_host", "example.net");
            stand.library.begin();
            stand.library.hangs_up(caller, -1, 30);
            let variables = std::thread::scope(|scope| {
                let running = scope.spawn(|| {
                    stand
                        .library
                        .application(caller, APPLICATION, Some(plan.as_bytes()));
                    stand.library.finish(caller)
                });
                if !way.contains('G') {
                    add_to_the_call(stand, &target, &mut wrong);
                }
                running.join().expect("the call's thread")
            });
            let course = stand.collect(variables);
            wrong.extend(course.leftovers.iter().cloned());
            let result = course.seen.variable("cti_result");
            expect(&mut wrong, &plan, result == Some("answered"), &result);
            let header_of = |phone: &str| {
                let mut rings = course.seen.rings.iter();
                let ring = rings.find(|ring| ring.phone == phone)?;
                let found = ring.headers.iter().find(|(name, _)| name == header);
                Some(found.map(|(_, value)| value.as_str()))
            };
            let got = header_of("1002");
            expect(
                &mut wrong,
                &format!("{plan}: {header}"),
                got == Some(value),
                &got,
            );
            let plain = header_of("1003").flatten();
            expect(&mut wrong, "the plain contact", plain.is_none(), &plain);
        }
    }
    wrong
}

/// Operators add phones at one moment to a call in early media, and that phone leaves while
/// they are at it: the caller's own variables are what they were, however the threads meet.
pub fn added_at_one_moment(stand: &Stand) -> Wrong {
    const OWN: [(&str, &str); 3] = [
        ("failure_causes", "USER_BUSY"),
        ("hangup_after_bridge", "true"),
        ("transfer_on_fail", "NORMAL_CLEARING desk XML default"),
    ];
    let mut wrong = Wrong::new();
    stand.library.set_global("standin_slow_variables", "3");
    for round in 0..12 {
        // The last rounds are about the moment in which the first phone answers or leaves.
        let after = if round % 2 == 0 { 700 } else { 130 + 5 * round };
        let does = match round % 4 {
            0 | 1 => Behaviour::AnnouncesThenRejects(404, after),
            _ => Behaviour::AnnouncesThenAnswers(after),
        };
        stand.register(&[
            phone("1002", does),
            phone("1003", Behaviour::RingsThenRejects(404, 100)),
            phone("1004", Behaviour::RingsThenRejects(404, 100)),
        ]);
        let caller = stand.library.caller("1001", false);
        for (name, value) in OWN {
            stand.library.set_variable(caller, name, value);
        }
        stand.library.begin();
        stand.library.hangs_up(caller, -1, 900);
        let variables = std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                stand
                    .library
                    .application(caller, APPLICATION, Some(b"user/1002"));
                stand.library.finish(caller)
            });
            std::thread::sleep(Duration::from_millis(120 * slowness()));
            let uuids = stand.library.complete("::cti::calls", "", "");
            for target in ["user/1003", "user/1004"] {
                let uuid = uuids.first().cloned().unwrap_or_default();
                scope.spawn(move || {
                    let command = format!("add {uuid} {target}");
                    stand.library.api("cti", Some(command.as_bytes()), true)
                });
            }
            running.join().expect("the call's thread")
        });
        let course = stand.collect(variables);
        wrong.extend(course.leftovers.iter().cloned());
        for (name, value) in OWN {
            let got = course.seen.variable(name);
            let what = format!("round {round}: {name}");
            expect(&mut wrong, &what, got == Some(value), &got);
        }
        let left = course.seen.variable("continue_on_fail");
        let what = format!("round {round}: continue_on_fail");
        expect(&mut wrong, &what, left.is_none(), &left);
    }
    stand.library.set_global("standin_slow_variables", "0");
    wrong
}

/// What happened is told by what happened: not by variables of that name that the caller
/// brings, that are global, or that somebody sets while the call goes on.
pub fn told_by_what_happened(stand: &Stand) -> Wrong {
    const LIES: [(&str, &str); 7] = [
        ("cti_error", "a lie"),
        ("cti_result", "invalid"),
        ("cti_cause", "UNALLOCATED_NUMBER"),
        ("cti_ring_ms", "987654"),
        ("cti_winner", "user/nobody"),
        ("cti_legs", "a lie"),
        ("cti_stage", "77"),
    ];
    let mut wrong = Wrong::new();
    for (who, does, gone, result, cause) in [
        (
            "caller",
            Behaviour::Rings,
            200,
            "cancelled",
            "ORIGINATOR_CANCEL",
        ),
        (
            "global",
            Behaviour::Rings,
            200,
            "cancelled",
            "ORIGINATOR_CANCEL",
        ),
        (
            "global",
            Behaviour::Rejects(486, 50),
            -1,
            "busy",
            "USER_BUSY",
        ),
        (
            "meanwhile",
            Behaviour::Answers(50),
            -1,
            "answered",
            "SUCCESS",
        ),
        ("global", Behaviour::Answers(50), -1, "answered", "SUCCESS"),
    ] {
        stand.register(&[phone("1002", does)]);
        let caller = stand.library.caller("1001", false);
        let lie = |name: &str, value: &str| match who {
            "global" => stand.library.set_global(name, value),
            _ => stand.library.set_variable(caller, name, value),
        };
        if who != "meanwhile" {
            LIES.iter().for_each(|(name, value)| lie(name, value));
        }
        let before = stand.library.api("cti", Some(b"metrics"), true);
        stand.library.begin();
        stand.library.hangs_up(caller, gone, 300);
        std::thread::scope(|scope| {
            let plan = Some(b"user/1002".as_slice());
            scope.spawn(move || stand.library.application(caller, APPLICATION, plan));
            if who == "meanwhile" {
                let joined = || stand.library.diary().iter().any(|record| record[0] == "J");
                let joined = wait_until(Duration::from_secs(3), joined);
                expect(&mut wrong, "joined", joined, &joined);
                LIES.iter().for_each(|(name, value)| lie(name, value));
            }
        });
        let variables = stand.library.finish(caller);
        if who == "global" {
            LIES.iter().for_each(|(name, _)| lie(name, ""));
        }
        let after = stand.library.api("cti", Some(b"metrics"), true);
        let course = stand.collect(variables);
        wrong.extend(course.leftovers.iter().cloned());
        let what = |name: &str| format!("{who} {does:?}: {name}");
        if who != "meanwhile" {
            for (name, value) in [("cti_result", result), ("cti_cause", cause)] {
                let got = course.seen.variable(name);
                expect(&mut wrong, &what(name), got == Some(value), &got);
            }
        }
        let of = |event: &Vec<(String, String)>, name: &str| {
            let header = event.iter().find(|(header, _)| header == name);
            header.map(|(_, value)| value.clone())
        };
        let is_end =
            |event: &&Vec<(String, String)>| of(event, "CTI-Action").as_deref() == Some("ended");
        let ended = course
            .events
            .iter()
            .find(is_end)
            .cloned()
            .unwrap_or_default();
        for (name, value) in [
            ("CTI-Result", Some(result)),
            ("CTI-Cause", Some(cause)),
            ("CTI-Error", None),
        ] {
            let got = of(&ended, name);
            expect(&mut wrong, &what(name), got.as_deref() == value, &got);
        }
        let body = of(&ended, "_body").unwrap_or_default();
        expect(&mut wrong, &what("body"), body.contains("user/1002"), &body);
        let line = format!("cti_calls_ended_total{{result=\"{result}\"}} ");
        let count = |text: &str| {
            let found = text.lines().find_map(|found| found.strip_prefix(&line));
            found
                .and_then(|count| count.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        let counted = (count(&before), count(&after));
        expect(
            &mut wrong,
            &what("metrics"),
            counted.1 == counted.0 + 1.0,
            &counted,
        );
        let last = course
            .log
            .iter()
            .find(|(_, line)| line.contains(" ms, stage "));
        let lied = |line: &str| {
            ["nobody", "987654", "stage 77"]
                .iter()
                .any(|lie| line.contains(lie))
        };
        let true_line = last.is_some_and(|(_, line)| !lied(line));
        expect(&mut wrong, &what("the log"), true_line, &last);
    }
    wrong
}

/// `cti add` to the one call there is, once it rings.
fn add_to_the_call(stand: &Stand, target: &str, wrong: &mut Wrong) {
    let mut said = String::new();
    let added = wait_until(Duration::from_secs(2), || {
        let uuids = stand.library.complete("::cti::calls", "", "");
        if let Some(uuid) = uuids.first() {
            let command = format!("add {uuid} {target}");
            said = stand.library.api("cti", Some(command.as_bytes()), true);
        }
        said.starts_with("+OK")
    });
    expect(wrong, "cti add", added, &said);
}

/// The caller's key still counts in the stage after such a leg.
fn gives_up_later(stand: &Stand) -> Wrong {
    stand.register(&[
        phone("1002", Behaviour::AnnouncesThenRejects(486, 200)),
        phone("1003", Behaviour::Rings),
    ]);
    let plan = b"{cti_stage_timeout=1}user/1002|user/1003";
    let course = call(stand, Some(plan), |stand, caller| {
        stand
            .library
            .set_variable(caller, "origination_cancel_key", "*");
        stand.library.presses(caller, b'*', 500);
    });
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "by its key",
        result == Some("cancelled"),
        &result,
    );
    wrong
}

/// Core may hand over a leg in early media that it was told only to relay: if that leg leaves
/// without an answer the hunt goes on, and what follows a failed bridge waits for the end.
pub fn relay_gives_up(stand: &Stand) -> Wrong {
    stand.library.set_global("standin_early_race", "true");
    let mut wrong = gives_up_later(stand);
    for (plan, first, result, rings) in [
        (
            "user/1002|user/1003",
            Behaviour::AnnouncesThenRejects(486, 200),
            "answered",
            2,
        ),
        (
            "{cti_stage_timeout=1}user/1002|user/1003",
            Behaviour::Announces,
            "answered",
            2,
        ),
        (
            "user/1002|user/1003",
            Behaviour::AnnouncesThenAnswers(200),
            "answered",
            1,
        ),
        (
            "user/1002|user/9999",
            Behaviour::AnnouncesThenRejects(486, 200),
            "busy",
            1,
        ),
    ] {
        stand.register(&[phone("1002", first), phone("1003", Behaviour::Answers(100))]);
        let course = call(stand, Some(plan.as_bytes()), |stand, caller| {
            for (name, value) in [
                ("failure_causes", "USER_BUSY"),
                ("hangup_after_bridge", "true"),
                ("execute_on_post_originate", "log INFO ran"),
            ] {
                stand.library.set_variable(caller, name, value);
            }
        });
        wrong.extend(course.leftovers.iter().cloned());
        for (name, value) in [
            ("cti_result", result),
            ("failure_causes", "USER_BUSY"),
            ("hangup_after_bridge", "true"),
            ("ran_execute_on_post_originate", "1"),
        ] {
            let got = course.seen.variable(name);
            expect(
                &mut wrong,
                &format!("{plan} {first:?}: {name}"),
                got == Some(value),
                &got,
            );
        }
        let kept = course.seen.variable("continue_on_fail");
        expect(&mut wrong, "continue_on_fail", kept.is_none(), &kept);
        let legs = course.seen.rings.len();
        expect(&mut wrong, "phones rang", legs == rings, &course.seen.rings);
    }
    wrong
}

/// Twenty callers in one process, on the same phones.
pub fn many_calls(stand: &Stand) -> Wrong {
    let plans = [
        "user/1002,user/1003",
        "user/1004|user/1003",
        "{cti_stage_timeout=1}user/1002|user/1003,user/1004",
        "error/user_busy|[leg_timeout=1]user/1002,user/1003",
        "user/1002:_:user/1003",
    ];
    stand.register(PHONES);
    stand.register(&[phone("1004", Behaviour::RingsThenRejects(486, 100))]);
    let callers: Vec<_> = (0..20)
        .map(|_| stand.library.caller("1001", false))
        .collect();
    stand.library.begin();
    let results: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = callers
            .iter()
            .enumerate()
            .map(|(i, caller)| {
                scope.spawn(move || {
                    let gone = if i % 4 == 3 { 100 + 20 * i as i64 } else { -1 };
                    stand.library.hangs_up(*caller, gone, 30);
                    let plan = plans[i % plans.len()].as_bytes();
                    stand.library.application(*caller, APPLICATION, Some(plan));
                    stand.library.finish(*caller)
                })
            })
            .collect();
        running.into_iter().map(|call| call.join()).collect()
    });
    let course = stand.collect(Vec::new());
    let mut wrong = course.leftovers.clone();
    for variables in results {
        let variables = variables.unwrap_or_default();
        let result = variables.iter().find(|(name, _)| name == "cti_result");
        let fits = result.is_some_and(|(_, result)| result == "answered" || result == "cancelled");
        expect(&mut wrong, "cti_result", fits, &result);
    }
    let unclear = course
        .seen
        .rings
        .iter()
        .find(|ring| ring.told == Told::Unclear);
    expect(&mut wrong, "a phone", unclear.is_none(), &unclear);
    wrong
}

/// More contacts than core's arrays hold: all ring, or the plan is refused; never some.
pub fn crowded_stage(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for count in [100, 127, 128, 129, 200] {
        for i in 0..count {
            // 180 at once, 486 after 300 ms.
            let name = format!("1002-{i}");
            stand.library.add_phone(&name, "1002", 3, 486, 300);
        }
        let course = call(stand, Some(b"user/1002"), |_, _| {});
        wrong.extend(course.leftovers.iter().cloned());
        let rang = course.seen.rings.len();
        let error = course.seen.variable("cti_error");
        let fits = rang == count || (rang == 0 && error.is_some());
        expect(
            &mut wrong,
            &format!("of {count} contacts"),
            fits,
            &(rang, error),
        );
    }
    wrong
}

/// Legs of somebody else, with our variable on them.
pub fn stray_legs(stand: &Stand) -> Wrong {
    let values: &[&[u8]] = &[
        b"",
        b"0.0",
        b"1.0",
        b"1.999",
        b"99999999999999999999.1",
        b"-1.-1",
        b".",
        b"%n%s",
        NASTY,
    ];
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Answers(400)),
        phone("1004", Behaviour::AnnouncesThenRejects(486, 50)),
        phone("1005", Behaviour::RingsThenRejects(603, 30)),
    ]);
    let (mut wrong, course) = during_a_call(stand, "user/1002,user/1003", 30, || {
        for value in values {
            stand.library.stray_leg("1004", "cti_leg", *value);
            stand.library.stray_leg("1005", "cti_leg", *value);
        }
        Vec::new()
    });
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "cti_result",
        result == Some("answered"),
        &result,
    );
    wrong
}

/// A small generator: the same seed gives the same calls.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Ten callers with five phones each that do anything at almost the same time, while every
/// thread of the switch is late at random: nobody is forgotten, and at most one is joined.
/// `MOD_CTI_ROUNDS` asks for more rounds than the usual three: `60`, or `40..60`.
pub fn any_order(stand: &Stand) -> Wrong {
    const CALLS: u64 = 10;
    let asked = std::env::var("MOD_CTI_ROUNDS").unwrap_or_default();
    let usual = if slowness() > 1 { 1 } else { 3 };
    let (first, end) = asked.split_once("..").unwrap_or(("0", asked.as_str()));
    let rounds = first.parse().unwrap_or(0)..end.parse().unwrap_or(usual);
    let mut wrong = Vec::new();
    for call in 0..CALLS {
        for phone in 0..5 {
            let user = format!("2{call}{phone}0");
            stand.library.add_user_item(&user, "user", "id", &user);
        }
    }
    for round in rounds {
        let mut random = Random(round + 1);
        let mut calls = Vec::new();
        stand.library.jitter(30, round as u32 + 1);
        for call in 0..CALLS {
            let mut plan = String::from("{cti_stage_timeout=0.3}");
            for phone in 0..5 {
                let user = format!("2{call}{phone}0");
                let after = 100 + random.below(8) * 25;
                // The numbers of `enum behaviour`; half of them answer.
                let does = [0, 0, 0, 1, 2, 3, 4, 5, 6, 8][random.below(10) as usize];
                stand
                    .library
                    .add_phone(&format!("{user}-phone"), &user, does, 486, after);
                let joint = [",", ",", "|", ":_:"][random.below(4) as usize];
                plan.push_str(&format!(
                    "{}user/{user}",
                    if phone == 0 { "" } else { joint }
                ));
            }
            let gone = if random.below(3) == 0 {
                100 + random.below(10) * 25
            } else {
                9999
            };
            calls.push((stand.library.caller("1001", false), plan, gone as i64));
        }
        stand.library.begin();
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = calls
                .iter()
                .map(|(caller, plan, gone)| {
                    scope.spawn(move || {
                        stand.library.hangs_up(*caller, *gone, 30);
                        let plan = plan.as_bytes();
                        stand.library.application(*caller, APPLICATION, Some(plan));
                        stand.library.finish(*caller)
                    })
                })
                .collect();
            running.into_iter().map(|call| call.join()).collect()
        });
        stand.library.jitter(0, 0);
        let course = stand.collect(Vec::new());
        wrong.extend(course.leftovers.iter().cloned());
        for (i, ((_, plan, _), variables)) in calls.iter().zip(results).enumerate() {
            let variables = variables.unwrap_or_default();
            let result = variables
                .iter()
                .find(|(name, _)| name == "cti_result")
                .map(|(_, result)| result.as_str());
            let mine = format!("2{i}");
            let told: Vec<(Told, Option<u64>, &str)> = course
                .seen
                .rings
                .iter()
                .zip(&course.stories)
                .filter(|(ring, _)| ring.phone.starts_with(&mine))
                .map(|(ring, story)| (ring.told, story.answered, story.reason.as_str()))
                .collect();
            // Whose answer crossed the caller's end or a deadline hears so in its BYE.
            let joined = told
                .iter()
                .filter(|(told, _, reason)| {
                    *told == Told::Joined && reason.contains("NORMAL_CLEARING")
                })
                .count();
            let gone = calls[i].2;
            let known = [
                "answered",
                "no_answer",
                "busy",
                "rejected",
                "unreachable",
                "cancelled",
            ];
            let fits = result.is_some_and(|result| known.contains(&result))
                && joined <= 1
                && (joined == 1 || result != Some("answered") || gone < 9999)
                && !told.iter().any(|(told, ..)| *told == Told::Unclear);
            let what = format!("round {round}: {plan}");
            expect(&mut wrong, &what, fits, &(result, &told, gone));
        }
    }
    wrong
}

/// Without media in the switch the two are only tied together, and the application returns.
pub fn bypass_media(stand: &Stand) -> Wrong {
    stand.register(PHONES);
    let course = call(stand, Some(b"user/1002,user/1003"), |stand, caller| {
        stand.library.set_variable(caller, "bypass_media", "true");
    });
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(
        &mut wrong,
        "cti_result",
        result == Some("answered"),
        &result,
    );
    let joined = course.seen.joined.as_deref();
    expect(&mut wrong, "joined", joined == Some("1003"), &joined);
    wrong
}

pub fn terminate_key(stand: &Stand) -> Wrong {
    stand.register(PHONES);
    let caller = stand.library.caller("1001", false);
    stand
        .library
        .set_variable(caller, "bridge_terminate_key", "#9");
    stand.library.begin();
    stand.library.presses(caller, b'1', 300);
    stand.library.presses(caller, b'#', 400 * slowness());
    let plan = b"user/1003";
    stand.library.application(caller, APPLICATION, Some(plan));
    let course = stand.collect(stand.library.finish(caller));
    let mut wrong = course.leftovers.clone();
    for (name, value) in [("cti_result", "answered"), ("went_on", "true")] {
        let got = course.seen.variable(name);
        expect(&mut wrong, name, got == Some(value), &got);
    }
    wrong
}

/// Nobody rings for a caller whose CANCEL came while its thread was in the directory: the
/// signals of it wait for that thread, which takes in one a look.
pub fn caller_leaves_a_look_up(stand: &Stand) -> Wrong {
    stand.register(PHONES);
    let contact = "${msleep(300)}${sofia_contact(*/${dialed_user}@${dialed_domain})}";
    stand
        .library
        .add_user_item("1002", "param", "dial-string", contact);
    let course = call(stand, Some(b"user/1002"), |stand, caller| {
        stand.library.hangs_up(caller, 50, 30);
    });
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(&mut wrong, "result", result == Some("cancelled"), &result);
    // Nobody waits for the directory: what it would say is not known.
    let legs = course.seen.variable("cti_legs");
    expect(&mut wrong, "legs", legs == Some("[]"), &legs);
    wrong
}

/// … and his session ends without waiting for what the directory says.
pub fn look_up_keeps_no_session(stand: &Stand) -> Wrong {
    let began = Instant::now();
    let caller = stand.library.caller("1001", false);
    stand.library.begin();
    stand.library.hangs_up(caller, 50, -1);
    let plan = Some(&b"user/1000"[..]);
    stand.library.application(caller, APPLICATION, plan);
    let variables = stand.library.finish(caller);
    let took = began.elapsed();
    let mut wrong = stand.collect(variables).leftovers;
    let soon = took < Duration::from_millis(800);
    expect(&mut wrong, "the session has ended", soon, &took);
    wrong
}

/// The legs are told in the plan's order, whoever was found first; and so is why nobody rang.
pub fn legs_in_the_plans_order(stand: &Stand) -> Wrong {
    stand.register(&[phone("1002", Behaviour::Rejects(404, 50))]);
    let plan = b"[leg_timeout=9]user/1000,user/1002,user/1009";
    let course = call(stand, Some(plan), |_, _| {});
    let mut wrong = course.leftovers.clone();
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let parsed: serde_json::Value = serde_json::from_str(legs).unwrap_or_default();
    let targets = [0, 1, 2].map(|leg| parsed[leg]["target"].as_str().unwrap_or_default());
    let ordered = targets == ["[leg_timeout=9]user/1000", "user/1002", "user/1009"];
    expect(&mut wrong, "the legs' order", ordered, &legs);
    let cause = course.seen.variable("cti_cause");
    let first = parsed[0]["cause"].as_str();
    let right = cause.is_some() && cause == first;
    expect(&mut wrong, "cti_cause", right, &(cause, first));
    wrong
}

/// A device that has had its turn does not ring again when another target leads to it, too.
pub fn found_twice(stand: &Stand) -> Wrong {
    let slow = "[slept=${msleep(300)}]user/1002";
    let library = &stand.library;
    library.add_user_item("1004", "param", "dial-string", slow);
    stand.register(&[phone("1002", Behaviour::Rejects(486, 50))]);
    let course = call(stand, Some(b"user/1002,user/1004"), |_, _| {});
    let mut wrong = course.leftovers.clone();
    let rings = course.seen.rings.len();
    expect(&mut wrong, "rings", rings == 1, &course.seen.rings);
    let result = course.seen.variable("cti_result");
    expect(&mut wrong, "result", result == Some("busy"), &result);
    wrong
}

/// Who is found later than others does not ring beyond `max-targets`, nor ends what rings.
pub fn found_beyond_the_limit(stand: &Stand) -> Wrong {
    for port in 1..=3 {
        let contact = format!("sofia/internal/sip:1000@127.0.0.1:{port}");
        stand.library.add_contact("1000", &contact);
    }
    stand.register(&[phone("1002", Behaviour::Answers(1500))]);
    let wrong = beyond_the_limit(stand, b"user/1002,user/1000", 2);
    stand.library.forget_contacts();
    wrong
}

/// … also when the stage that was looked up is over: too many are no bad plan then.
pub fn found_beyond_the_limit_too_late(stand: &Stand) -> Wrong {
    let slow = "[slept=${msleep(1000)}]user/1003,user/1005,user/1006";
    let library = &stand.library;
    library.add_user_item("1004", "param", "dial-string", slow);
    let phones = ["1003", "1005", "1006"].map(|user| phone(user, Behaviour::Rings));
    stand.register(&phones);
    stand.register(&[phone("1002", Behaviour::Answers(550))]);
    beyond_the_limit(stand, b"{cti_stage_timeout=700ms}user/1004|user/1002", 3)
}

fn beyond_the_limit(stand: &Stand, plan: &[u8], expected: usize) -> Wrong {
    stand.library.set_config("max-targets", "2");
    stand.library.api("cti", Some(b"reload"), true);
    let course = call(stand, Some(plan), |_, _| {});
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(&mut wrong, "result", result == Some("answered"), &result);
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let count = legs.matches("\"target\":").count();
    expect(&mut wrong, "legs", count == expected, &legs);
    wrong
}

pub fn transfer_on_fail(stand: &Stand) -> Wrong {
    stand.register(&[phone("1002", Behaviour::Rejects(486, 20))]);
    let course = call(stand, Some(b"user/1002"), |stand, caller| {
        let value = "user_busy,no_answer 4000 XML default";
        stand
            .library
            .set_variable(caller, "transfer_on_fail", value);
    });
    let mut wrong = course.leftovers.clone();
    let expected = [
        ("cti_result", Some("busy")),
        ("standin_transferred_to", Some("4000")),
    ];
    for (name, value) in expected {
        let got = course.seen.variable(name);
        expect(&mut wrong, name, got == value, &got);
    }
    wrong
}

/// Settings that crash core, or make it dial strings it has cut: none may reach it.
pub fn traps_of_core(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let legs = "user/1002,foo/1,user/9999,error/user_busy,user/1003";
    for setting in [
        "originate_retries=3",
        "fail_on_single_reject=true",
        "fail_on_single_reject=user_busy",
        "fail_on_single_reject=!user_busy",
        "hangup_on_single_reject=true",
        "leg_required=true",
    ] {
        let (name, value) = setting.split_once('=').unwrap_or_default();
        for (plan, on_caller) in [
            (format!("{{{setting}}}{legs}"), false),
            (format!("<{setting}>{legs}"), false),
            (format!("[{setting}]{legs}"), false),
            (legs.to_owned(), true),
        ] {
            stand.register(&[
                phone("1002", Behaviour::Rejects(486, 50)),
                phone("1003", Behaviour::RingsThenRejects(603, 80)),
            ]);
            let course = call(stand, Some(plan.as_bytes()), |stand, caller| {
                if on_caller {
                    stand.library.set_variable(caller, name, value);
                }
            });
            wrong.extend(
                course
                    .leftovers
                    .iter()
                    .map(|left| format!("{plan}: {left}")),
            );
            let result = course.seen.variable("cti_result");
            let fits = result.is_some_and(|result| result != "answered");
            expect(&mut wrong, &plan, fits, &result);
        }
    }
    wrong
}

/// What the caller has run when somebody rings (`execute_on_ring`) may take long: deadlines count
/// meanwhile.
pub fn ring_hook_takes_long(stand: &Stand) -> Wrong {
    stand.register(&[phone("1002", Behaviour::Rings)]);
    let plan = b"{cti_stage_timeout=300ms}user/1002";
    let course = call(stand, Some(plan), |stand, caller| {
        stand
            .library
            .set_variable(caller, "execute_on_ring", "sleep 1500");
    });
    let mut wrong = course.leftovers.clone();
    let told = course.caller.iter().find(|(_, what)| what == "180");
    let soon = told.is_some_and(|(at, _)| *at < 250 * slowness());
    expect(&mut wrong, "180 at once", soon, &course.caller);
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let ended = legs.split("\"ended_ms\":").nth(1);
    let ended = ended.and_then(|rest| rest.split([',', '}']).next()?.parse::<u64>().ok());
    let in_time = ended.is_some_and(|ms| (300..300 + 400 * slowness()).contains(&ms));
    expect(&mut wrong, "the leg ends in time", in_time, &legs);
    wrong
}

/// A leg in early media whose time is over while the caller's early media is opened is hung up.
pub fn ended_while_taken(stand: &Stand) -> Wrong {
    stand.register(&[phone("1002", Behaviour::Announces)]);
    let plan = b"{cti_stage_timeout=300ms}user/1002";
    let began = Instant::now();
    let course = call(stand, Some(plan), |stand, caller| {
        let library = &stand.library;
        library.set_variable(caller, "execute_on_media", "sleep 600");
        // Should the two stay joined, the caller leaves at last.
        library.hangs_up(caller, 3000 * slowness() as i64, -1);
    });
    let mut wrong = course.leftovers.clone();
    let result = course.seen.variable("cti_result");
    expect(&mut wrong, "result", result == Some("no_answer"), &result);
    let took = began.elapsed();
    let soon = took < Duration::from_secs(2) * slowness() as u32;
    expect(&mut wrong, "the two part", soon, &took);
    wrong
}

/// The caller leaves while a leg beside him in early media still rings: the end of both is told.
pub fn leaves_both(stand: &Stand) -> Wrong {
    stand.register(&[
        phone("1002", Behaviour::Announces),
        phone("1003", Behaviour::Rings),
    ]);
    let caller = stand.library.caller("1001", false);
    stand.library.begin();
    stand.library.hangs_up(caller, 1500 * slowness() as i64, -1);
    let mut wrong = Wrong::new();
    let variables = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let plan = b"user/1002";
            stand.library.application(caller, APPLICATION, Some(plan));
            stand.library.finish(caller)
        });
        std::thread::sleep(Duration::from_millis(120 * slowness()));
        add_to_the_call(stand, "user/1003", &mut wrong);
        running.join().expect("the call's thread")
    });
    let course = stand.collect(variables);
    wrong.extend(course.leftovers.iter().cloned());
    let legs = course.seen.variable("cti_legs").unwrap_or_default();
    let ended = legs.matches("\"ended_ms\":").count();
    let unended = legs.matches("\"ended_ms\":null").count();
    expect(&mut wrong, "both ended", ended - unended == 2, &legs);
    wrong
}

/// A phone that was joined in early media has answered: while the two talk no thread waits.
pub fn nobody_stands_by(stand: &Stand) -> Wrong {
    stand.register(&[phone("1002", Behaviour::AnnouncesThenAnswers(300))]);
    let hands = || {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
        let names = tasks.filter_map(|task| std::fs::read(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with(b"cti-hand")).count()
    };
    let (mut wrong, course) = during_a_call(stand, "user/1002", 2000 * slowness() as i64, || {
        let mut wrong = Wrong::new();
        let before = hands();
        expect(&mut wrong, "early media", before == 1, &before);
        let gone = wait_until(Duration::from_millis(1200), || hands() == 0);
        expect(&mut wrong, "the thread has ended", gone, &hands());
        wrong
    });
    let result = course.seen.variable("cti_result");
    expect(&mut wrong, "result", result == Some("answered"), &result);
    wrong
}
