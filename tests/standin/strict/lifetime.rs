//! Load and unload: many times, under calls, by force, and with callbacks that come late.
//! Whatever the host does, nothing of the module stays behind and nobody is left ringing.

use super::*;

fn reload(stand: &Stand, wrong: &mut Wrong) {
    if let Err(error) = stand.library.unload(false) {
        wrong.push(format!("unload: {error}"));
        return;
    }
    wrong.extend(stand.library.leftovers(false));
    if let Err(error) = stand.load() {
        wrong.push(format!("load: {error}"));
    }
}

pub fn reload_idle(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    reload(stand, &mut wrong);
    let before = threads();
    for _ in 0..50 {
        reload(stand, &mut wrong);
    }
    let same = wait_until(Duration::from_secs(1), || threads() <= before);
    expect(&mut wrong, "threads", same, &(before, threads()));
    wrong
}

pub fn reload_with_calls(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for round in 0..50 {
        stand.register(&[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Answers(30)),
        ]);
        let course = call(stand, Some(b"user/1002,user/1003"), |_, _| {});
        wrong.extend(course.leftovers.iter().cloned());
        let result = course.seen.variable("cti_result");
        expect(
            &mut wrong,
            &format!("round {round}: cti_result"),
            result == Some("answered"),
            &result,
        );
        reload(stand, &mut wrong);
        if !wrong.is_empty() {
            return wrong;
        }
    }
    wrong
}

/// An ordinary unload is refused while a call rings, and the call goes on.
pub fn unload_while_ringing(stand: &Stand) -> Wrong {
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Answers(400 * slowness())),
    ]);
    let (mut wrong, course) = during_a_call(stand, "user/1002,user/1003", 30, || {
        match stand.library.unload(false) {
            Ok(()) => vec!["unloaded under a call".to_owned()],
            Err(_) => Vec::new(),
        }
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

/// A forced unload ends the calls, waits for them, and leaves nothing behind.
pub fn forced_unload(stand: &Stand, does: Behaviour) -> Wrong {
    stand.register(&[phone("1002", Behaviour::Rings), phone("1003", does)]);
    let (mut wrong, _) = during_a_call(stand, "user/1002,user/1003", -1, || {
        match stand.library.unload(true) {
            Ok(()) => Vec::new(),
            Err(error) => vec![format!("unload: {error}")],
        }
    });
    wrong.extend(stand.library.leftovers(false));
    if let Err(error) = stand.load() {
        wrong.push(format!("load: {error}"));
    }
    wrong
}

/// The switch does not know that a joined caller is in the application still, since a hook has run
/// another one since: the module ends the call itself before anything of it is freed.
pub fn forced_unload_after_a_hook(stand: &Stand) -> Wrong {
    stand.library.set_global("execute_on_answer", "log INFO x");
    let wrong = forced_unload(stand, Behaviour::Answers(50));
    stand.library.set_global("execute_on_answer", "");
    wrong
}

/// Legs end, and events arrive, on threads that outlive the module.
pub fn late_callbacks(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    for (legs, events) in [(300, 0), (0, 60), (300, 60)] {
        stand.library.delay(legs, events);
        stand.register(&[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Answers(40)),
            phone("1004", Behaviour::Announces),
        ]);
        let caller = stand.library.caller("1001", false);
        stand.library.begin();
        stand.library.hangs_up(caller, -1, 30);
        let plan = b"user/1002,user/1003,user/1004";
        stand.library.application(caller, APPLICATION, Some(plan));
        // The application has returned, the legs have not: nothing refuses the unload now.
        if let Err(error) = stand.library.unload(false) {
            wrong.push(format!("unload: {error}"));
        }
        let variables = stand.library.finish(caller);
        let course = stand.collect(variables);
        wrong.extend(course.leftovers.iter().cloned());
        wrong.extend(stand.library.leftovers(false));
        stand.library.delay(0, 0);
        if let Err(error) = stand.load() {
            wrong.push(format!("load: {error}"));
        }
    }
    wrong
}

/// A new file is copied over the old one and the module reloaded: the old code goes on
/// running, and the log says so. As long as the file is the same, nothing is said.
pub fn new_file_at_reload(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let directory = std::env::temp_dir().join(format!("cti-new-file-{}", std::process::id()));
    let path = directory.join("mod_cti.so");
    let copied = std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::copy(stand.module(), directory.join("next.so")))
        .and_then(|_| std::fs::copy(stand.module(), &path));
    expect(&mut wrong, "the copy", copied.is_ok(), &copied);
    let mut load = |what: &str, told: usize| {
        let done = stand.library.unload(false);
        expect(&mut wrong, "unload", done.is_ok(), &done);
        stand.library.log();
        let done = stand.library.load(&path);
        expect(&mut wrong, "load", done.is_ok(), &done);
        let log = stand.library.log();
        let warns = |(level, line): &&(u8, String)| {
            *level == 4
                && line.contains("restarted")
                && line.contains(path.to_string_lossy().as_ref())
        };
        let got = log.iter().filter(warns).count();
        expect(&mut wrong, what, got == told, &log);
    };
    load("the first load", 0);
    load("the same file", 0);
    // As an installer does it: the new file takes the old one's name.
    let renamed = std::fs::rename(directory.join("next.so"), &path);
    load("a new file", 1);
    load("still the new file", 1);
    let _ = std::fs::remove_file(&path);
    expect(&mut wrong, "the new file", renamed.is_ok(), &renamed);
    let done = stand.library.unload(false).and_then(|()| stand.load());
    expect(&mut wrong, "back to the old place", done.is_ok(), &done);
    let _ = std::fs::remove_dir_all(&directory);
    wrong
}

/// Each call of load's that may fail does so in turn: the module is refused with one line in
/// the log, or does without; nothing stays behind, and the next load finds everything.
pub fn load_fails_half_way(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let done = stand.library.unload(false);
    expect(&mut wrong, "unload", done.is_ok(), &done);
    let before = threads();
    let mut refused = 0;
    for nth in 1..1000 {
        stand.library.log();
        stand.library.fail(nth);
        let loaded = stand.load();
        if !stand.library.fail(0) {
            expect(&mut wrong, "the last load", loaded.is_ok(), &loaded);
            // The module, its two interfaces and its binding cannot be done without.
            expect(&mut wrong, "refused", refused >= 4, &refused);
            return wrong;
        }
        let log = stand.library.log();
        let errors = log.iter().filter(|(level, _)| *level == 3).count();
        if loaded.is_ok() {
            let done = stand.library.unload(false);
            expect(&mut wrong, "unload", done.is_ok(), &done);
        } else {
            refused += 1;
            expect(
                &mut wrong,
                &format!("call {nth}: the log"),
                errors == 1,
                &log,
            );
        }
        let left = stand.library.leftovers(false);
        wrong.extend(left.iter().map(|left| format!("call {nth}: {left}")));
        let same = wait_until(Duration::from_secs(1), || threads() <= before);
        expect(
            &mut wrong,
            &format!("call {nth}: threads"),
            same,
            &threads(),
        );
    }
    wrong.push("load has no end".to_owned());
    wrong
}

/// An older switch refuses the module with one line that says why; nothing stays behind.
pub fn old_switch(stand: &Stand) -> Wrong {
    let mut wrong = Vec::new();
    let now = "1.10.12-release-10222002881-a88d069d6f~64bit";
    let done = stand.library.unload(false);
    expect(&mut wrong, "unload", done.is_ok(), &done);
    for old in ["1.10.6-release~64bit", "1.8.7"] {
        stand.library.version(old);
        stand.library.log();
        let loaded = stand.load();
        let log = stand.library.log();
        expect(&mut wrong, old, loaded.is_err(), &loaded);
        let line = format!(
            "mod_cti cannot be loaded: this is FreeSWITCH {old}, and mod_cti needs 1.10.7 or later"
        );
        expect(&mut wrong, "the log", log == [(3, line)], &log);
        if loaded.is_ok() {
            let _ = stand.library.unload(false);
        }
        wrong.extend(stand.library.leftovers(false));
    }
    for new in ["1.10.7", "1.11.2-dev", "who knows", now] {
        stand.library.version(new);
        let loaded = stand.load();
        expect(&mut wrong, new, loaded.is_ok(), &loaded);
        if new != now {
            let _ = stand.library.unload(false);
        }
    }
    wrong
}

/// … also of a caller who has media, whose thread reads it while others ring.
pub fn forced_unload_with_media(stand: &Stand) -> Wrong {
    let mut wrong = Wrong::new();
    for ringback in ["", "%(2000,4000,440,480)"] {
        stand.register(&[phone("1002", Behaviour::Rings)]);
        let caller = stand.library.caller("1001", true);
        stand.library.begin();
        if !ringback.is_empty() {
            stand.library.set_variable(caller, "ringback", ringback);
        }
        stand.library.hangs_up(caller, 8000 * slowness() as i64, -1);
        let variables = std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                let plan = Some(&b"user/1002"[..]);
                stand.library.application(caller, APPLICATION, plan);
                stand.library.finish(caller)
            });
            std::thread::sleep(Duration::from_millis(120 * slowness()));
            // As after an application of a hook of his.
            let library = &stand.library;
            library.set_variable(caller, "current_application", "log");
            let began = Instant::now();
            let done = stand.library.unload(true);
            expect(&mut wrong, "unload", done.is_ok(), &done);
            let took = began.elapsed();
            let soon = took < Duration::from_secs(3) * slowness() as u32;
            expect(&mut wrong, "the unload's time", soon, &took);
            running.join().expect("the call's thread")
        });
        let course = stand.collect(variables);
        wrong.extend(course.leftovers.iter().cloned());
        if let Err(error) = stand.load() {
            wrong.push(format!("load: {error}"));
        }
    }
    wrong
}
