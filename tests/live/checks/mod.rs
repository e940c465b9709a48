//! What is checked on the real switch beyond the table; the list is here, the checks in their rooms.
//! Beside it what all checks share: when one may run, and its verdict.
//! Each check is a name and a function that says what is wrong; a note is printed with the result.

mod conf;
mod gateways;
mod host;
mod hostile;
mod lifetime;
mod operator;
mod redirects;
mod ringing;
mod stock;
mod troubles;
mod truth;

use super::run::Rig;
pub use crate::harness::Verdict;
use crate::scenarios::Phone;

pub use operator::*;

pub struct Check {
    pub name: &'static str,
    pub when: When,
    pub run: fn(&Rig, usize) -> Result<Verdict, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Beside the scenarios, in any slot.
    Any,
    /// Beside the scenarios, with the users 1001 to 1009 themselves: extensions name them.
    SlotZero,
    /// After everything else, alone on the switch.
    Alone,
}

pub const CHECKS: &[Check] = &[
    Check {
        name: "conf_22222_together",
        when: When::SlotZero,
        run: |rig, slot| conf::extension(rig, slot, &conf::TOGETHER),
    },
    Check {
        name: "conf_11111_one_after_another",
        when: When::SlotZero,
        run: |rig, slot| conf::extension(rig, slot, &conf::SEQUENCE),
    },
    Check {
        name: "conf_33333_stages_of_several",
        when: When::SlotZero,
        run: |rig, slot| conf::extension(rig, slot, &conf::STAGES),
    },
    Check {
        name: "conf_44444_deadlines_then_voicemail",
        when: When::SlotZero,
        run: conf::voicemail,
    },
    Check {
        name: "conf_55555_per_target_variables",
        when: When::SlotZero,
        run: |rig, slot| conf::extension(rig, slot, &conf::VARIABLES),
    },
    Check {
        name: "stock_dialplan_rings_as_before",
        when: When::SlotZero,
        run: stock::rings_as_before,
    },
    Check {
        name: "conf_cti_conf_is_read",
        when: When::Any,
        run: conf::configuration,
    },
    Check {
        name: "bad_plans_ring_nobody",
        when: When::Any,
        run: conf::bad_plans,
    },
    Check {
        name: "a_stage_of_150_devices",
        when: When::Any,
        run: ringing::many_devices,
    },
    Check {
        name: "causes_of_two_together",
        when: When::Any,
        run: |rig, slot| truth::causes(rig, slot, ","),
    },
    Check {
        name: "causes_of_two_stages",
        when: When::Any,
        run: |rig, slot| truth::causes(rig, slot, "|"),
    },
    Check {
        name: "a_caller_who_is_ended_is_told_why",
        when: When::Any,
        run: truth::ended,
    },
    Check {
        name: "headers_are_the_same_on_every_leg",
        when: When::Any,
        run: truth::headers,
    },
    Check {
        name: "a_plan_that_leads_to_itself_ends",
        when: When::Any,
        run: truth::loops,
    },
    Check {
        name: "the_first_183_is_a_ringing",
        when: When::Any,
        run: truth::only_183,
    },
    Check {
        name: "a_pickup_that_wins_is_the_winner",
        when: When::Any,
        run: truth::pickup,
    },
    Check {
        name: "a_winner_has_its_sip_code",
        when: When::Any,
        run: truth::sip_code,
    },
    Check {
        name: "redirects_have_the_users_rights",
        when: When::SlotZero,
        run: redirects::rights,
    },
    Check {
        name: "redirects_tell_the_whole_way",
        when: When::SlotZero,
        run: redirects::told,
    },
    Check {
        name: "redirects_that_lead_back_end",
        when: When::SlotZero,
        run: redirects::loops,
    },
    Check {
        name: "redirects_are_data",
        when: When::SlotZero,
        run: redirects::hostile,
    },
    Check {
        name: "redirects_begin_no_header",
        when: When::SlotZero,
        run: redirects::begins_no_header,
    },
    Check {
        name: "redirects_of_an_added_phone",
        when: When::SlotZero,
        run: redirects::added,
    },
    Check {
        name: "hostile_contact_runs_nothing",
        when: When::Alone,
        run: hostile::runs_nothing,
    },
    Check {
        name: "hostile_contacts_ring_nowhere_else",
        when: When::Alone,
        run: hostile::rings_nowhere_else,
    },
    Check {
        name: "hostile_contact_names_no_dialplan",
        when: When::Alone,
        run: hostile::names_no_dialplan,
    },
    Check {
        name: "hostile_reply_begins_no_header",
        when: When::Alone,
        run: hostile::begins_no_header,
    },
    Check {
        name: "hostile_contacts_are_explained_at_once",
        when: When::Alone,
        run: hostile::explained_at_once,
    },
    Check {
        name: "hostile_member_does_not_crowd_out",
        when: When::Alone,
        run: hostile::crowded_out,
    },
    Check {
        name: "hostile_registrations_are_looked_up_one_by_one",
        when: When::Alone,
        run: hostile::registers_often,
    },
    Check {
        name: "bytes_pass_as_they_are",
        when: When::Any,
        run: hostile::bytes_pass,
    },
    Check {
        name: "operator_steers_a_call",
        when: When::Alone,
        run: operator::operator_steers,
    },
    Check {
        name: "operator_cancels_a_call",
        when: When::Alone,
        run: operator::operator_cancels,
    },
    Check {
        name: "cancel_key_gives_up",
        when: When::Alone,
        run: operator::cancel_key,
    },
    Check {
        name: "a_gateway_beside_the_caller_has_its_from",
        when: When::Alone,
        run: gateways::beside,
    },
    Check {
        name: "troubles_are_told_as_the_page_says",
        when: When::Alone,
        run: troubles::are_told_as_the_page_says,
    },
    Check {
        name: "deadlines_are_exact",
        when: When::Alone,
        run: ringing::deadlines,
    },
    Check {
        name: "ringback_with_a_timer_ends",
        when: When::Any,
        run: host::timed_ringback,
    },
    Check {
        name: "events_flow_while_a_hook_runs",
        when: When::Alone,
        run: |rig, slot| host::events_flow(rig, slot, "execute_on_ring", "sleep 3000"),
    },
    Check {
        name: "events_flow_while_an_api_hook_runs",
        when: When::Alone,
        run: |rig, slot| host::events_flow(rig, slot, "api_on_ring", "msleep 3000"),
    },
    Check {
        name: "soak_of_150_calls",
        when: When::Alone,
        run: lifetime::soak_of_150_calls,
    },
    Check {
        name: "unload_while_ringing",
        when: When::Alone,
        run: lifetime::unload_while_ringing,
    },
    Check {
        name: "told_by_what_happened",
        when: When::Alone,
        run: operator::told_by_what_happened,
    },
    Check {
        name: "a_new_file_at_reload_is_warned_of",
        when: When::Alone,
        run: lifetime::new_file_at_reload,
    },
    Check {
        name: "forced_unload_while_joined",
        when: When::Alone,
        run: lifetime::forced_unload_while_joined,
    },
    Check {
        name: "load_and_unload_20_times",
        when: When::Alone,
        run: lifetime::load_and_unload,
    },
];

pub const fn phone(name: &'static str, does: crate::scenarios::Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}
