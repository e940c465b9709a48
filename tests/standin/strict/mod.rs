//! What the scenario table does not ask: hostile arguments, unload under traffic, callbacks
//! that come late, and the rules of the switch's API, broken on purpose by an offending
//! module to show that the stand-in notices.

use crate::Test;
use crate::scenarios::{Behaviour, Phone, Told};
use crate::standin::library::Caller;
use crate::standin::run::{Course, Stand, slowness};
use std::time::{Duration, Instant};

const APPLICATION: &str = "cti_bridge";

const fn phone(name: &'static str, does: Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}

const PHONES: &[Phone] = &[
    phone("1002", Behaviour::Rings),
    phone("1003", Behaviour::Answers(150)),
];

mod arguments;
mod calls;
mod files;
mod groups;
mod lifetime;
mod offences;
mod steering;
mod untrusted;

pub use offences::{Shows, offend};

type Wrong = Vec<String>;

pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("strict_no_session", arguments::no_session),
        Test::new("strict_no_plan", arguments::no_plan),
        Test::new("strict_bad_plans", arguments::bad_plans),
        Test::new("strict_nasty_plans", arguments::nasty_plans),
        Test::new("strict_nasty_variables", arguments::nasty_variables),
        Test::new("strict_api", arguments::api),
        Test::new("strict_api_during_a_call", arguments::api_during_a_call),
        Test::new("strict_room_for_more", arguments::room_for_more),
        Test::new("strict_commands_are_told_first", arguments::told_first),
        Test::new("strict_too_many_contacts", arguments::too_many_contacts),
        Test::new("strict_names_are_data", arguments::names_are_data),
        Test::new("strict_large_group", arguments::large_group),
        Test::new("strict_completions", arguments::completions),
        Test::new("strict_groups_are_shown", steering::shown),
        Test::new("strict_members_are_steered", steering::steered),
        Test::new("strict_groups_are_completed", steering::completed),
        Test::new("strict_groups_are_data", steering::data),
        Test::new("strict_groups_are_counted", steering::counted),
        Test::new("strict_groups_are_told", steering::told_of_calls),
        Test::new("strict_groups_seed", steering::chosen_again),
        Test::new("strict_no_limit", arguments::no_limit),
        Test::new("strict_configuration", arguments::configuration),
        Test::new("strict_groups_take_turns", groups::take_turns),
        Test::new("strict_groups_skip_who_is_busy", groups::skip_who_is_busy),
        Test::new(
            "strict_groups_busy_at_load",
            groups::see_who_is_busy_at_load,
        ),
        Test::new("strict_groups_pause", groups::pause),
        Test::new("strict_groups_explained", groups::explain),
        Test::new("strict_groups_refused", groups::refuse_bad_groups),
        Test::new(
            "strict_caller_leaves_a_look_up",
            calls::caller_leaves_a_look_up,
        ),
        Test::new(
            "strict_look_up_keeps_no_session",
            calls::look_up_keeps_no_session,
        ),
        Test::new(
            "strict_legs_in_the_plans_order",
            calls::legs_in_the_plans_order,
        ),
        Test::new("strict_found_twice", calls::found_twice),
        Test::new(
            "strict_found_beyond_the_limit",
            calls::found_beyond_the_limit,
        ),
        Test::new(
            "strict_found_beyond_the_limit_too_late",
            calls::found_beyond_the_limit_too_late,
        ),
        Test::new(
            "strict_rings_beside_a_look_up",
            calls::rings_beside_a_look_up,
        ),
        Test::new("strict_clock_set_back", calls::clock_set_back),
        Test::new("strict_cancel_key", calls::cancel_key),
        Test::new("strict_hooks_run_once", calls::hooks_run_once),
        Test::new("strict_ringback_beside", calls::ringback_beside),
        Test::new("strict_ringback_with_a_timer", calls::ringback_with_a_timer),
        Test::new("strict_campon", calls::campon),
        Test::new("strict_registered_too_late", calls::registered_too_late),
        Test::new("strict_gateway_beside", calls::gateway_beside),
        Test::new("strict_added_at_one_moment", calls::added_at_one_moment),
        Test::new("strict_told_by_what_happened", calls::told_by_what_happened),
        Test::new("strict_relay_gives_up", calls::relay_gives_up),
        Test::new("strict_many_calls_at_once", calls::many_calls),
        Test::new("strict_crowded_stage", calls::crowded_stage),
        Test::new("strict_stray_legs", calls::stray_legs),
        Test::new("strict_any_order", calls::any_order),
        Test::new("strict_bypass_media", calls::bypass_media),
        Test::new("strict_terminate_key", calls::terminate_key),
        Test::new("strict_transfer_on_fail", calls::transfer_on_fail),
        Test::new("strict_traps_of_core", calls::traps_of_core),
        Test::new("strict_ring_hook_takes_long", calls::ring_hook_takes_long),
        Test::new("strict_ended_while_taken", calls::ended_while_taken),
        Test::new("strict_leaves_both", calls::leaves_both),
        Test::new("strict_nobody_stands_by", calls::nobody_stands_by),
        Test::new("strict_reload_50_times", lifetime::reload_idle),
        Test::new("strict_load_fails_half_way", lifetime::load_fails_half_way),
        Test::new("strict_old_switch", lifetime::old_switch),
        Test::new("strict_new_file_at_reload", lifetime::new_file_at_reload),
        Test::new(
            "strict_reload_50_times_with_calls",
            lifetime::reload_with_calls,
        ),
        Test::new(
            "strict_unload_while_ringing",
            lifetime::unload_while_ringing,
        ),
        Test::new("strict_forced_unload_while_ringing", |stand| {
            lifetime::forced_unload(stand, Behaviour::Rings)
        }),
        Test::new(
            "strict_forced_unload_of_a_caller_with_media",
            lifetime::forced_unload_with_media,
        ),
        Test::new("strict_forced_unload_while_joined", |stand| {
            lifetime::forced_unload(stand, Behaviour::Answers(50))
        }),
        Test::new(
            "strict_forced_unload_after_execute_on_answer",
            lifetime::forced_unload_after_a_hook,
        ),
        Test::new("strict_late_callbacks", lifetime::late_callbacks),
        Test::new("strict_hostile_contacts", untrusted::hostile_contacts),
        Test::new("strict_stored_values_are_inert", untrusted::stored_values),
        Test::new("strict_circles_of_users", untrusted::circles),
        Test::new("strict_nobody_is_crowded_out", untrusted::crowded_out),
        Test::new(
            "strict_a_mobile_is_not_crowded_out",
            untrusted::mobile_is_not_crowded_out,
        ),
        Test::new(
            "strict_names_are_no_targets",
            untrusted::names_are_no_targets,
        ),
        Test::new(
            "strict_unusable_dial_strings_are_told",
            untrusted::unusable_dial_strings,
        ),
        Test::new(
            "strict_moved_behind_another_user",
            untrusted::moved_behind_another_user,
        ),
        Test::new("strict_carrier_has_moved", untrusted::carrier_has_moved),
        Test::new("strict_capped_turn_by_turn", untrusted::capped_by_turn),
        Test::new("strict_turns_ring_again", untrusted::turns_ring_again),
        Test::new("strict_one_look_up_at_a_time", untrusted::registers_often),
        Test::new("strict_bytes_pass_as_they_are", untrusted::bytes_pass),
        Test::new("strict_every_face_is_one_line", untrusted::faces),
        Test::new("symbols", files::symbols),
        Test::new("header_is_implemented", files::header_is_implemented),
    ];
    tests.extend(
        offences::OFFENCES
            .iter()
            .map(|(how, seen)| Test::offence(how, *seen)),
    );
    tests
}

/// One call with this plan; `prepare` may set its variables.
fn call(stand: &Stand, plan: Option<&[u8]>, prepare: impl FnOnce(&Stand, Caller)) -> Course {
    let caller = stand.library.caller("1001", false);
    prepare(stand, caller);
    stand.library.begin();
    stand.library.hangs_up(caller, -1, 30);
    stand.library.application(caller, APPLICATION, plan);
    let variables = stand.library.finish(caller);
    stand.collect(variables)
}

fn expect(wrong: &mut Wrong, what: &str, fits: bool, got: &dyn std::fmt::Debug) {
    if !fits {
        wrong.push(format!("{what}: {got:?}"));
    }
}

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn wait_until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit * slowness() as u32;
    while !is_so() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A call on a thread of its own, and what may be done meanwhile.
fn during_a_call(
    stand: &Stand,
    plan: &str,
    talk: i64,
    meanwhile: impl FnOnce() -> Wrong,
) -> (Wrong, Course) {
    let caller = stand.library.caller("1001", false);
    stand.library.begin();
    stand.library.hangs_up(caller, -1, talk);
    let (mut wrong, variables) = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            stand
                .library
                .application(caller, APPLICATION, Some(plan.as_bytes()));
            stand.library.finish(caller)
        });
        std::thread::sleep(Duration::from_millis(120 * slowness()));
        let wrong = meanwhile();
        (wrong, running.join().expect("the call's thread"))
    });
    let course = stand.collect(variables);
    wrong.extend(course.leftovers.iter().cloned());
    (wrong, course)
}
