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
