//! The rules of the switch's API, broken on purpose by an offending module.
//! Each offence must end the process or be reported: a check that never fails proves nothing.

use super::*;

/// How an offence shows.
#[derive(Clone, Copy)]
pub enum Shows {
    /// The process ends, saying this.
    Dies(&'static str),
    /// It is among what is left when the call is over.
    Left(&'static str),
    /// It is among what is left when the module is unloaded.
    LeftAtUnload(&'static str),
}
use Shows::{Dies, Left, LeftAtUnload};

pub const OFFENCES: &[(&str, Shows)] = &[
    (
        "null_channel",
        Dies("switch_channel_get_state: the channel is NULL"),
    ),
    (
        "null_name",
        Dies("switch_event_add_header_string: the header's name is NULL"),
    ),
    ("wild_session", Dies("is no session")),
    ("channel_as_session", Dies("is no session but a channel")),
    (
        "unlock_unlocked",
        Dies("switch_core_session_rwunlock: the session"),
    ),
    ("lock_kept", Left("read-locked 1 times")),
    ("event_kept", Left("neither fired nor destroyed")),
    ("event_after_fire", Dies("switch_event_set_body: ")),
    ("event_destroyed_twice", Dies("used after it was released")),
    (
        "event_after_callback",
        Dies("switch_event_get_header_idx: "),
    ),
    ("unbind_in_callback", Dies("FreeSWITCH would deadlock")),
    ("binding_kept", LeftAtUnload("is still bound by offender")),
    (
        "subclass_kept",
        LeftAtUnload("offender::kept is still reserved"),
    ),
    ("completion_kept", LeftAtUnload("the completion \"offend\"")),
    ("leg_129", Dies("leg 129 is written past the array")),
    ("handle_kept", Left("a dial handle was not destroyed")),
    ("handle_twice", Dies("a dial handle is used twice")),
    ("handle_after_destroy", Dies("used after it was released")),
    ("waits_for_legs", Dies("does not wait for legs")),
    ("leg_not_launched", Left("still lives in state")),
    ("launched_twice", Dies("runs already")),
    ("destroyed_running", Dies("has a thread, which ends it")),
    ("hook_twice", Dies("has this hook already")),
    ("hook_kept", Dies("a hook of the module's is left")),
    (
        "ring_in_callback",
        Dies("ring_ready_value: called inside an event callback"),
    ),
    (
        "answer_in_state_handler",
        Dies("switch_channel_perform_answer: called inside a state handler"),
    ),
    (
        "bridge_data_of_a_moment",
        Dies("does not live as long as its session"),
    ),
    (
        "expand_on_timer",
        Dies("expand_variables_check: called on the timer's thread"),
    ),
    ("tree_kept", Left("an XML tree was not freed")),
    ("tree_after_free", Dies("switch_xml_child: ")),
    ("string_kept", Left("switch_core_get_domain was not freed")),
    ("endpoint_kept", Left("references to the endpoint sofia")),
    ("format", Dies("switch_log_printf: the format")),
    ("session_line", Dies("switch_log_printf: ")),
    ("cause_of_nothing", Dies("cause 603, which does not exist")),
];

/// Let the offending module offend; what is then left.
pub fn offend(stand: &Stand, how: &str, shows: Shows) -> Wrong {
    let caller = stand.library.caller("1001", false);
    stand.library.begin();
    stand
        .library
        .application(caller, "offend", Some(how.as_bytes()));
    let left = match shows {
        Dies(_) => return vec![format!("{how} was not noticed")],
        Left(_) => stand.library.leftovers(true),
        LeftAtUnload(_) => {
            stand.library.finish(caller);
            stand.library.quiet(1000);
            if let Err(error) = stand.library.unload(false) {
                return vec![error];
            }
            stand.library.leftovers(false)
        }
    };
    let (Left(named) | LeftAtUnload(named) | Dies(named)) = shows;
    if left.iter().any(|line| line.contains(named)) {
        return Vec::new();
    }
    vec![format!("{how} was not reported, but {left:?}")]
}
