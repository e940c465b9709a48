//! Every parity scenario: a call, what both applications must show of it, and where they may differ.
//! Times are short, since each call is made twice.
//! A line of `sees` must be in both stories, so that no comparison is one of nothing with nothing.

use super::Pair;
use crate::scenarios::{Behaviour::*, Caller, Caller::*, Phone};

/// The user of `1002-mobile` is 1002.
const fn user(phone: &'static str) -> &'static str {
    phone.split_at(4).0
}

/// `name "plan" { … }`, in this order: `caller` (else it waits), `given` (variables of the caller), `before`
/// (applications that run first), `phones`, `typed` (commands at their time), `sees`, `once`, `differs`.
macro_rules! pairs {
    ($($name:ident $plan:literal {
        $(caller: $caller:expr;)?
        $(given: $($given:literal = $value:literal),+;)?
        $(before: $($application:literal $argument:literal),+;)?
        $(phones: $($phone:literal $does:expr),*;)?
        $(typed: $($at:literal $command:literal),+;)?
        sees: $($line:literal),+;
        $(once: $($single:literal),+;)?
        $(differs: $($difference:literal),+;)?
    })*) => {
        pub const PAIRS: &[Pair] = &[$(Pair {
            name: concat!("parity_", stringify!($name)),
            plan: $plan,
            caller: {
                #[allow(unused_mut, unused_assignments)]
                let mut caller: Caller = Waits;
                $(caller = $caller;)?
                caller
            },
            variables: &[$($(($given, $value)),+)?],
            before: &[$($(($application, $argument)),+)?],
            phones: &[$($(Phone { name: $phone, user: user($phone), does: $does }),*)?],
            typed: &[$($(($at, $command)),+)?],
            sees: &[$($line),+],
            once: &[$($($single),+)?],
            differs: &[$($($difference),+)?],
        }),*];
    };
}

pairs! {
    // The plain calls

    one_leg "user/1002" {
        phones: "1002" Answers(300);
        sees: "1002: gets INVITE", "caller: gets 200 to INVITE", "caller: BRIDGE";
    }
    fork "user/1002,user/1003" {
        phones: "1002" Answers(400), "1003" Rings;
        sees: "1003: CANCEL Reason=SIP;cause=200;text=\"Call completed elsewhere\"", "caller: gets 200 to INVITE";
    }
    sequence "user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(200);
        sees: "1002: sends 486 to INVITE", "1003: gets ACK";
    }
    all_fail "user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 200);
        sees: "caller: gets 486 to INVITE";
    }
    caller_hangs_up "user/1002,user/1003" {
        caller: HangsUpAfter(300);
        phones: "1002" Rings, "1003" Rings;
        sees: "1002: gets CANCEL", "1003: gets CANCEL";
    }
    answered_caller "user/1002" {
        caller: IsAnswered;
        phones: "1002" Answers(300);
        sees: "1002: gets ACK";
    }

    // Enterprise: parts side by side

    parts_each_its_globals "{sip_h_X-A=1}user/1002:_:{sip_h_X-A=2}user/1003" {
        phones: "1002" Answers(300), "1003" Rings;
        sees: "1002: INVITE X-A=1", "1003: INVITE X-A=2", "1002: gets ACK", "1003: gets CANCEL";
        differs: "parts (`:_:`) know the caller";
    }
    parts_global_to_all "<sip_h_X-All=1>{sip_h_X-A=1}user/1002:_:user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(300);
        sees: "1002: INVITE X-All=1", "1002: INVITE X-A=1", "1003: INVITE X-All=1", "1003: gets ACK";
        differs: "parts (`:_:`) know the caller";
    }
    parts_each_its_stages "user/1002|user/1003:_:user/1004" {
        phones: "1002" Rejects(486, 100), "1003" Answers(300), "1004" Rings;
        sees: "1002: sends 486 to INVITE", "1003: gets ACK", "1004: gets CANCEL";
        differs: "parts (`:_:`) know the caller";
    }
    parts_each_its_deadlines "[leg_timeout=1]user/1002|user/1003:_:user/1004" {
        phones: "1002" Rings, "1003" Answers(200), "1004" Rings;
        sees: "1002: gets CANCEL", "1003: gets ACK", "1004: gets CANCEL", "invited: 1002, 1004";
        differs: "parts (`:_:`) know the caller", "a leg's time is over";
    }
    parts_all_fail "user/1002:_:user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 200);
        sees: "caller: gets 486 to INVITE";
        differs: "parts (`:_:`) know the caller";
    }
    parts_caller_hangs_up "user/1002:_:user/1003" {
        caller: HangsUpAfter(300);
        phones: "1002" Rings, "1003" Rings;
        sees: "1002: gets CANCEL", "1003: gets CANCEL";
        differs: "parts (`:_:`) know the caller";
    }
    parts_caller_id "user/1002:_:user/1003" {
        given: "effective_caller_id_name" = "Front Desk", "effective_caller_id_number" = "5551234";
        before: "export" "sip_h_X-E=1";
        phones: "1002" Answers(300), "1003" Rings;
        sees: "1002: INVITE From=\"Front Desk\" <sip:5551234@127.0.0.1>", "1003: INVITE X-E=1";
        differs: "parts (`:_:`) know the caller";
    }

    // Caller ID and variables

    effective_caller_id "user/1002" {
        given: "effective_caller_id_name" = "Front Desk", "effective_caller_id_number" = "5551234";
        phones: "1002" Answers(200);
        sees: "1002: INVITE From=\"Front Desk\" <sip:5551234@127.0.0.1>";
    }
    effective_callee_id "user/1002" {
        given: "effective_callee_id_name" = "The Desk", "effective_callee_id_number" = "5559999";
        phones: "1002" Answers(200);
        sees: "1002: gets ACK";
    }
    origination_caller_id "{origination_caller_id_name=Back,origination_caller_id_number=5550001}user/1002" {
        given: "effective_caller_id_name" = "Front Desk", "effective_caller_id_number" = "5551234";
        phones: "1002" Answers(200);
        sees: "1002: INVITE From=\"Back\" <sip:5550001@127.0.0.1>";
    }
    origination_caller_id_of_one_leg "[origination_caller_id_number=5550001]user/1002,user/1003" {
        given: "effective_caller_id_number" = "5551234";
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: INVITE From=\"1001\" <sip:5550001@127.0.0.1>", "1003: INVITE From=\"1001\" <sip:5551234@127.0.0.1>";
    }
    origination_callee_id "{origination_callee_id_name=Desk,origination_callee_id_number=42}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: gets ACK";
    }
    origination_privacy "{origination_privacy=hide_name:hide_number:screen}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: INVITE Remote-Party-ID=\"1001\" <sip:1001@127.0.0.1>;party=calling;screen=yes;privacy=full";
    }
    privacy_of_the_caller "user/1002,user/1003" {
        before: "privacy" "full";
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: INVITE Remote-Party-ID=\"1001\" <sip:1001@127.0.0.1>;party=calling;screen=yes;privacy=full";
    }
    caller_id_type_pid "{sip_cid_type=pid}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: INVITE P-Asserted-Identity=\"1001\" <sip:1001@127.0.0.1>";
    }
    caller_id_type_none "{sip_cid_type=none}user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: gets ACK", "!1002: INVITE Remote-Party-ID", "!1003: INVITE Remote-Party-ID";
    }
    ignore_display_updates "{ignore_display_updates=true}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: gets ACK";
    }
    import "[answered_by=desk]user/1002,user/1003" {
        given: "import" = "answered_by";
        phones: "1002" Answers(200), "1003" Rings;
        sees: "caller: variable answered_by=desk";
    }
    export "user/1002,user/1003" {
        before: "export" "sip_h_X-E=1", "also-export" "nolocal:sip_h_X-N=2";
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: INVITE X-E=1", "1003: INVITE X-N=2", "caller: variable sip_h_X-E=1";
    }
    export_across_stages "user/1002|user/1003" {
        before: "export" "sip_h_X-E=1";
        phones: "1002" Rejects(486, 100), "1003" Answers(200);
        sees: "1002: INVITE X-E=1", "1003: INVITE X-E=1";
    }
    origination_uuid "{origination_uuid=FRESH_UUID}sofia/phones/1002@PHONES" {
        phones: "1002" Answers(200);
        sees: "1002: gets ACK";
    }
    origination_uuid_of_one_leg "[origination_uuid=FRESH_UUID]user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: gets ACK";
    }
    nested_vars "{origination_nested_vars=true,sip_h_X-N=1}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: INVITE X-N=1";
    }
    global_beats_local "{sip_h_X-A=global}[sip_h_X-A=local]user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1003: INVITE X-A=global";
    }
    local_var_clobber "{sip_h_X-A=global,local_var_clobber=true}[sip_h_X-A=local]user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: INVITE X-A=local", "1003: INVITE X-A=global";
    }
    presence_id "{presence_id=desk@cti.test}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: variable presence_id=desk@cti.test";
    }
    dialed_user "user/1002,user/1003@cti.test" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: variable dialed_user=1002", "1003: variable dialed_domain=cti.test";
    }
    directory_variables "user/1005,user/1002" {
        phones: "1005" Answers(200), "1002" Rings;
        sees: "1005: INVITE X-Desk=window";
    }
    absolute_codec_string "{absolute_codec_string=PCMA}user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1003: gets CANCEL";
    }
    codec_string_of_one_leg "[absolute_codec_string='PCMA']user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1003: gets CANCEL";
    }
    call_info_and_alert "{sip_h_Alert-Info='<http://ring>;info=one',sip_h_Call-Info=x}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: INVITE Call-Info=<x>";
    }
    invite_params "{sip_invite_params=user=phone,sip_from_uri=sip:me@here.test,sip_to_uri=you@there.test}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: gets ACK";
    }

    // Hooks

    hooks_of_a_leg "{execute_on_answer='set a=b',execute_on_ring='set c=d',execute_on_media='set e=f',execute_on_pre_answer='set g=h'}user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: EXECUTE set(a=b)", "1002: EXECUTE set(c=d)", "1002: variable e=f";
    }
    hooks_of_legs "{execute_on_answer='set a=b',execute_on_ring='set c=d',execute_on_originate='set e=f'}user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: variable a=b", "1002: variable c=d", "1003: variable c=d", "1003: EXECUTE set(e=f)";
        once: "1002: EXECUTE set(e=f)", "1003: EXECUTE set(e=f)", "1002: EXECUTE set(a=b)";
        differs: "hooks run once";
    }
    hooks_of_one_leg "[execute_on_answer='set a=b',execute_on_ring='set c=d',execute_on_post_originate='set e=f',execute_on_pre_originate='set g=h']user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: variable a=b", "1002: variable c=d";
        once: "1002: EXECUTE set(e=f)";
        differs: "hooks run once";
    }
    hooks_in_early_media "{execute_on_media='set a=b',execute_on_pre_answer='set c=d'}user/1002" {
        phones: "1002" AnnouncesThenAnswers(300);
        sees: "1002: variable a=b", "1002: variable c=d";
    }
    hooks_of_the_caller "user/1002" {
        given: "execute_on_answer" = "set a=b", "execute_on_ring" = "set c=d", "execute_on_media" = "set e=f",
            "execute_on_pre_originate" = "set g=h", "execute_on_post_originate" = "set i=j";
        phones: "1002" Answers(200);
        sees: "caller: variable a=b", "caller: variable g=h", "caller: variable i=j";
        once: "caller: EXECUTE set(g=h)", "caller: EXECUTE set(i=j)", "caller: EXECUTE set(a=b)", "caller: EXECUTE set(c=d)";
        differs: "hooks run once";
    }
    hooks_of_the_caller_once_a_call "user/1002|user/1003,user/1004" {
        given: "execute_on_pre_originate" = "set g=h", "execute_on_post_originate" = "set i=j",
            "api_on_pre_originate" = "echo pre SUFFIX", "api_on_post_originate" = "echo post SUFFIX";
        phones: "1002" Rejects(486, 100), "1003" Answers(200), "1004" Rings;
        sees: "caller: variable g=h", "caller: variable i=j", "caller: API pre ", "caller: API post ";
        once: "caller: EXECUTE set(g=h)", "caller: EXECUTE set(i=j)", "caller: API pre ", "caller: API post ";
        differs: "hooks run once";
    }
    hooks_of_the_caller_when_all_fail "user/1002,user/1003" {
        given: "execute_on_pre_originate" = "set g=h", "execute_on_post_originate" = "set i=j";
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 150);
        sees: "caller: variable g=h";
        once: "caller: EXECUTE set(g=h)", "caller: EXECUTE set(i=j)";
        differs: "hooks run once";
    }
    commands_of_a_leg "{api_on_answer='echo answer SUFFIX',api_on_ring='echo ring SUFFIX',api_on_originate='echo originate SUFFIX',api_on_media='echo media SUFFIX'}user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "caller: API answer ", "caller: API ring ", "caller: API originate ";
        differs: "hooks run once";
    }
    commands_of_the_caller "user/1002" {
        given: "api_on_answer" = "echo answer SUFFIX", "api_on_ring" = "echo ring SUFFIX", "api_on_pre_answer" = "echo early SUFFIX";
        phones: "1002" Answers(200);
        sees: "caller: API answer ", "caller: API ring ";
    }
    around_the_bridge "{execute_on_pre_bridge='set a=b',execute_on_post_bridge='set c=d'}user/1002" {
        given: "exec_after_bridge_app" = "set", "exec_after_bridge_arg" = "e=f", "api_after_bridge" = "echo after SUFFIX",
            "execute_on_pre_bridge" = "set g=h", "bridge_pre_execute_bleg_app" = "set", "bridge_pre_execute_bleg_data" = "i=j";
        phones: "1002" Answers(200);
        typed: 400 "bridged: uuid_kill LEG(1002)";
        sees: "1002: variable a=b", "caller: variable e=f", "1002: variable i=j";
    }

    // Policies

    single_reject_true "{fail_on_single_reject=true}user/1002,user/1003" {
        phones: "1002" Rejects(486, 200), "1003" Rings;
        sees: "1002: sends 486 to INVITE", "1003: gets CANCEL", "caller: gets 486 to INVITE";
        differs: "`fail_on_single_reject`";
    }
    single_reject_listed "{fail_on_single_reject='CALL_REJECTED,USER_BUSY'}user/1002,user/1003" {
        phones: "1002" Rejects(486, 200), "1003" Rings;
        sees: "1003: gets CANCEL", "caller: gets 486 to INVITE";
        differs: "`fail_on_single_reject`";
    }
    single_reject_not_listed "{fail_on_single_reject=CALL_REJECTED}user/1002,user/1003" {
        phones: "1002" Rejects(486, 200), "1003" Answers(400);
        sees: "1003: gets ACK";
    }
    single_reject_but "{fail_on_single_reject=!USER_BUSY}user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" RingsThenRejects(603, 300);
        sees: "1002: sends 486 to INVITE", "1003: sends 603 to INVITE";
        differs: "`fail_on_single_reject`";
    }
    single_reject_of_the_caller "user/1002,user/1003|user/1004" {
        given: "fail_on_single_reject" = "true";
        phones: "1002" Rejects(486, 200), "1003" Rings, "1004" Answers(100);
        sees: "1003: gets CANCEL";
        differs: "`fail_on_single_reject`";
    }
    retries "{originate_retries=2,originate_retry_sleep_ms=600}sofia/phones/1002@PHONES" {
        phones: "1002" Rejects(486, 100);
        sees: "1002: sends 486 to INVITE", "1002 #2: sends 486 to INVITE", "invited: 1002", "invited: 1002 #2";
    }
    retries_of_users "{originate_retries=2,originate_retry_sleep_ms=600}user/1002" {
        phones: "1002" Rejects(486, 100);
        sees: "1002: sends 486 to INVITE", "1002 #2: sends 486 to INVITE";
        differs: "`originate_retries` with `user/`";
    }
    retry_timeout "{originate_retries=3,originate_retry_sleep_ms=2000,originate_retry_timeout=1}sofia/phones/1002@PHONES" {
        phones: "1002" Rejects(486, 100);
        sees: "1002: sends 486 to INVITE";
    }
    retry_min_period "{originate_retries=2,originate_retry_sleep_ms=500,originate_retry_min_period_ms=900}sofia/phones/1002@PHONES" {
        phones: "1002" Rejects(486, 100);
        sees: "1002: sends 486 to INVITE", "1002 #2: sends 486 to INVITE";
    }
    progress_timeout "{progress_timeout=1}user/1002|user/1003" {
        phones: "1002" Rejects(486, 2500), "1003" Answers(200);
        sees: "1003: gets ACK";
        differs: "a leg's time is over";
    }
    progress_timeout_kept "{progress_timeout=1}user/1002" {
        phones: "1002" Answers(2200);
        sees: "1002: gets ACK";
    }
    leg_progress_timeout "[leg_progress_timeout=1]user/1002,user/1003" {
        phones: "1002" Rejects(486, 3500), "1003" Answers(2400);
        sees: "1002: gets CANCEL", "1003: gets ACK";
        differs: "a leg's time is over";
    }
    failed_cdr_xml "user/1002|user/1003" {
        given: "failed_xml_cdr_prefix" = "failed";
        phones: "1002" Rejects(486, 100), "1003" Rejects(603, 100);
        sees: "caller: variable failed_1=<cdr of sofia/phones/1002@127.0.0.1:port USER_BUSY",
            "caller: variable failed_2=<cdr of sofia/phones/1003@127.0.0.1:port CALL_REJECTED";
        differs: "all fail";
    }
    failed_cdr_json "user/1002,user/1003" {
        given: "failed_json_cdr_prefix" = "failed";
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 300);
        sees: "caller: variable failed_2={\"core-uuid of sofia/phones/1003@127.0.0.1:port USER_BUSY", "caller: variable failed_total=2";
    }
    hangup_after_bridge "user/1002" {
        given: "hangup_after_bridge" = "true";
        phones: "1002" Answers(200);
        typed: 200 "bridged: uuid_kill LEG(1002)";
        sees: "1002: gets BYE", "!caller: variable went_on";
    }
    no_hangup_after_bridge "user/1002" {
        phones: "1002" Answers(200);
        typed: 200 "bridged: uuid_kill LEG(1002)";
        sees: "1002: gets BYE", "caller: variable went_on=true";
    }
    continue_on_fail_true "user/1002" {
        given: "continue_on_fail" = "true";
        phones: "1002" Rejects(486, 100);
        sees: "caller: variable went_on=true";
        differs: "a dialplan that goes on after a failed call";
    }
    continue_on_fail_false "user/1002" {
        given: "continue_on_fail" = "false";
        phones: "1002" Rejects(486, 100);
        sees: "caller: gets 486 to INVITE", "!caller: variable went_on";
    }
    continue_on_fail_listed "user/1002" {
        given: "continue_on_fail" = "NORMAL_TEMPORARY_FAILURE,USER_BUSY";
        phones: "1002" Rejects(486, 100);
        sees: "caller: variable went_on=true";
        differs: "a dialplan that goes on after a failed call";
    }
    continue_on_fail_not_listed "user/1002" {
        given: "continue_on_fail" = "NO_ANSWER";
        phones: "1002" Rejects(486, 100);
        sees: "caller: gets 486 to INVITE", "!caller: variable went_on";
    }
    failure_causes "user/1002" {
        given: "failure_causes" = "USER_BUSY";
        phones: "1002" Rejects(486, 100);
        sees: "caller: gets 486 to INVITE", "!caller: variable went_on";
    }
    failure_causes_not_listed "user/1002" {
        given: "failure_causes" = "NO_ANSWER";
        phones: "1002" Rejects(486, 100);
        sees: "caller: variable went_on=true";
        differs: "a dialplan that goes on after a failed call";
    }
    transfer_on_fail "user/1002" {
        given: "transfer_on_fail" = "USER_BUSY elsewhere XML default";
        phones: "1002" Rejects(486, 100);
        sees: "caller: variable reached=elsewhere", "caller: gets 200 to INVITE";
    }
    transfer_on_fail_not_listed "user/1002" {
        given: "transfer_on_fail" = "NO_ANSWER elsewhere XML default";
        phones: "1002" Rejects(486, 100);
        sees: "!caller: variable reached";
    }
    transfer_on_fail_any "user/1002,user/1003" {
        given: "transfer_on_fail" = "true";
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 200);
        sees: "caller: variable went_on=true";
        differs: "a dialplan that goes on after a failed call";
    }
    bridge_terminate_key "user/1002" {
        given: "bridge_terminate_key" = "#";
        phones: "1002" Answers(200);
        typed: 200 "bridged: uuid_recv_dtmf CALLER #";
        sees: "1002: gets BYE", "caller: variable went_on=true";
    }
    bridge_terminate_key_of_the_leg "{bridge_terminate_key=*}user/1002" {
        phones: "1002" Answers(200);
        typed: 200 "bridged: uuid_recv_dtmf LEG(1002) *";
        sees: "1002: gets BYE";
    }
    cancel_key "user/1002,user/1003" {
        caller: IsAnswered;
        given: "origination_cancel_key" = "*";
        phones: "1002" Rings, "1003" Rings;
        typed: 200 "uuid_recv_dtmf CALLER 5", 400 "uuid_recv_dtmf CALLER *";
        sees: "1002: gets CANCEL", "1003: gets CANCEL";
        differs: "`origination_cancel_key`";
    }
    cancel_key_one_leg "user/1002" {
        caller: IsAnswered;
        given: "origination_cancel_key" = "*";
        phones: "1002" Rings;
        typed: 400 "uuid_recv_dtmf CALLER *";
        sees: "1002: gets CANCEL";
        differs: "`origination_cancel_key`";
    }

    // Endpoints

    profile "sofia/phones/1002@PHONES" {
        phones: "1002" Answers(200);
        sees: "1002: gets INVITE", "1002: gets ACK";
    }
    profile_fork "sofia/phones/1002@PHONES,sofia/phones/1003@PHONES" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1003: gets CANCEL", "1002: gets ACK";
    }
    gateway "sofia/gateway/carrier/1002" {
        phones: "1002" Answers(200);
        sees: "1002: gets ACK", "1002: variable sip_gateway_name=carrier";
    }
    gateway_busy_then_user "sofia/gateway/carrier/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(200);
        sees: "1002: sends 486 to INVITE", "1003: gets ACK";
    }
    gateway_down_beside "sofia/gateway/down/1002,user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    gateway_down_then "sofia/gateway/down/1002|sofia/gateway/carrier/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    gateway_unknown "sofia/gateway/nowhere/1002|user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    gateway_down_alone "sofia/gateway/down/1002" {
        sees: "caller: gets 503 to INVITE";
    }
    profile_unknown "sofia/nowhere/1002@cti.test|user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    nobody_listens "sofia/phones/1002@127.0.0.1:9,user/1003" {
        phones: "1003" Answers(300);
        sees: "1003: gets ACK";
    }
    group "group/team1000" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: gets ACK", "1003: gets CANCEL";
    }
    group_then_user "group/team1000@cti.test|user/1004" {
        phones: "1002" Rejects(486, 100), "1003" Rejects(486, 150), "1004" Answers(200);
        sees: "1004: gets ACK", "1002: sends 486 to INVITE";
        differs: "every device rings";
    }
    unregistered_then "user/1009|user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    unknown_user_then "user/9999|user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    unregistered_alone "user/1009" {
        sees: "caller: EXECUTE bridge(user/1009)";
    }
    unknown_user_alone "user/9999" {
        sees: "caller: EXECUTE bridge(user/9999)";
    }
    loopback_answers "loopback/answers" {
        sees: "caller: gets 200 to INVITE";
    }
    loopback_beside "loopback/answers,user/1003" {
        phones: "1003" Rings;
        sees: "caller: gets 200 to INVITE", "1003: gets CANCEL";
    }
    loopback_loses "loopback/answers,user/1003" {
        phones: "1003" Answers(200);
        sees: "caller: gets 200 to INVITE", "1003: gets ACK";
    }
    loopback_busy_then "loopback/is_busy|user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    error_then "error/user_busy|user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    error_alone "error/user_busy" {
        sees: "caller: gets 486 to INVITE";
    }
    error_beside "error/user_busy,user/1003" {
        phones: "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    null_answers "null/nobody" {
        sees: "caller: gets 200 to INVITE";
    }
    null_hangs_up "{null_hangup_cause=user_busy}null/nobody|user/1003" {
        phones: "1003" Answers(200);
        sees: "caller: EXECUTE bridge({null_hangup_cause=user_busy}null/nobody|user/1003)";
    }
    null_beside "[null_enable_auto_answer=true,null_auto_answer_delay=400]null/nobody,user/1003" {
        phones: "1003" Rings;
        sees: "caller: gets 200 to INVITE";
    }

    loopback_to_a_bridge "loopback/via_1003,user/1002" {
        phones: "1002" Answers(500), "1003" Rings;
        sees: "1002: gets ACK", "1003: gets CANCEL", "loopback/via_1003-b: variable hangup_cause=LOSE_RACE";
    }
    loopback_keeps_the_reason "loopback/by_cti_1003,user/1002" {
        phones: "1002" Answers(500), "1003" Rings;
        sees: "1002: gets ACK", "1003: CANCEL Reason=SIP;cause=200;text=\"Call completed elsewhere\"";
    }
    pickup_beside "pickup/desk1001,user/1003" {
        phones: "1003" Answers(300);
        sees: "1003: gets ACK";
    }
    pickup_takes "pickup/desk1001,user/1003" {
        phones: "1003" Rings, "1005" Answers(0);
        typed: 300 "originate user/1005 &pickup(desk1001)";
        sees: "1005: gets ACK", "1003: gets CANCEL", "caller: gets 200 to INVITE";
    }

    // Transfers and redirections while it rings

    redirect_one_leg "user/1002" {
        given: "cti_redirect" = "core";
        phones: "1002" Rejects(302, 200);
        sees: "1002: sends 302 to INVITE", "caller: variable reached=elsewhere";
    }
    redirect_beside "user/1002,user/1003" {
        given: "cti_redirect" = "core";
        phones: "1002" Rejects(302, 200), "1003" Rings;
        sees: "1003: gets CANCEL", "caller: variable reached=elsewhere";
    }
    redirect_of_a_stage "user/1002|user/1003" {
        given: "cti_redirect" = "core";
        phones: "1002" Rejects(302, 200), "1003" Answers(100);
        sees: "caller: variable reached=elsewhere";
    }
    redirect_is_fatal "{outbound_redirect_fatal=true}user/1002,user/1003" {
        phones: "1002" Rejects(302, 100), "1003" Answers(300);
        sees: "1002: sends 302 to INVITE", "1003: gets ACK";
    }
    redirect_is_fatal_then "{outbound_redirect_fatal=true}user/1002|user/1003" {
        phones: "1002" Rejects(302, 100), "1003" Answers(200);
        sees: "1003: gets ACK";
    }
    semi_attended_transfer "user/1003" {
        phones: "1003" Answers(1200), "1006" Answers(0);
        typed: 200 "dials: 1005 via_1006", 700 "refers", 1900 "uuid_kill LEG(1006)";
        sees: "1003: gets ACK", "1006: gets BYE";
        differs: "a semi-attended transfer of the caller";
    }
    semi_attended_transfer_of_a_fork "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Answers(1200), "1006" Answers(0);
        typed: 200 "dials: 1005 via_1006", 700 "refers", 2000 "uuid_kill LEG(1006)";
        sees: "1002: gets CANCEL", "1003: gets INVITE", "1006: gets BYE";
        once: "1002: CANCEL Reason=SIP;cause=200;text=\"Call completed elsewhere\"", "1003: sends 200 to INVITE",
            "1003: EXECUTE uuid_bridge(<1006>)";
        differs: "a semi-attended transfer of the caller";
    }
    semi_attended_transfer_of_a_stage "user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(1200), "1006" Answers(0);
        typed: 200 "dials: 1005 via_1006", 800 "refers", 2200 "uuid_kill LEG(1006)";
        sees: "1003: gets INVITE", "1006: gets BYE";
        once: "1003: sends 200 to INVITE", "1003: gets BYE", "1003: EXECUTE uuid_bridge(<1006>)";
        differs: "a semi-attended transfer of the caller";
    }
    transfer_of_the_caller "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Rings;
        typed: 400 "uuid_transfer CALLER elsewhere";
        sees: "1002: gets CANCEL", "1003: gets CANCEL", "caller: variable reached=elsewhere";
    }
    transfer_of_the_caller_later "user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Rings;
        typed: 600 "uuid_transfer CALLER elsewhere";
        sees: "1003: gets CANCEL", "caller: variable reached=elsewhere";
    }
    transfer_while_parts_ring "user/1002:_:user/1003" {
        phones: "1002" Rings, "1003" Rings;
        typed: 500 "uuid_transfer CALLER elsewhere";
        sees: "1002: gets CANCEL", "1003: gets CANCEL", "caller: variable reached=elsewhere";
        differs: "parts (`:_:`) know the caller";
    }
    kill_of_one_leg "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Answers(700);
        typed: 400 "uuid_kill LEG(1002)";
        sees: "1002: gets CANCEL", "1003: gets ACK";
    }
    kill_of_a_stage "user/1002|user/1003" {
        phones: "1002" Rings, "1003" Answers(200);
        typed: 400 "uuid_kill LEG(1002) USER_BUSY";
        sees: "1002: gets CANCEL", "1003: gets ACK";
    }
    kill_of_the_only_leg "user/1002" {
        phones: "1002" Rings;
        typed: 400 "uuid_kill LEG(1002) USER_BUSY";
        sees: "1002: gets CANCEL", "!caller: gets 200 to INVITE";
    }
    kill_of_the_caller "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Rings;
        typed: 400 "uuid_kill CALLER";
        sees: "1002: gets CANCEL", "1003: gets CANCEL";
    }
    intercept_of_a_leg "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Rings, "1005" Answers(0);
        typed: 400 "originate user/1005 &intercept(LEG(1002))";
        sees: "1002: gets CANCEL", "1003: gets CANCEL", "1005: gets ACK";
        differs: "a caller who lost a race or was picked off";
    }
    intercept_of_the_caller "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Rings, "1005" Answers(0);
        typed: 400 "originate user/1005 &intercept(CALLER)";
        sees: "1002: gets CANCEL", "1003: gets CANCEL", "1005: gets ACK";
    }
    bridge_of_the_caller_and_another "user/1002,user/1003" {
        phones: "1002" Rings, "1003" Rings, "1005" Answers(0);
        typed: 300 "originate {origination_uuid=FRESH_UUID}user/1005 &park", 600 "uuid_bridge CALLER FRESH_UUID";
        sees: "1002: gets CANCEL", "1003: gets CANCEL", "1005: gets ACK";
    }

    // What FusionPBX writes

    pbx_simultaneous "{ignore_early_media=true}[domain_name=DOMAIN,sip_invite_domain=DOMAIN,call_direction=local,leg_timeout=5,leg_delay_start=0]user/1002@DOMAIN,[domain_name=DOMAIN,sip_invite_domain=DOMAIN,call_direction=local,leg_timeout=5,leg_delay_start=1]user/1003@DOMAIN" {
        given: "effective_caller_id_name" = "sales Front Desk", "effective_caller_id_number" = "5550199";
        phones: "1002" Rings, "1003" Answers(300);
        sees: "1002: INVITE From=\"sales Front Desk\" <sip:5550199@cti.test>", "1002: gets CANCEL", "1003: gets ACK";
    }
    pbx_sequence "{ignore_early_media=true}[sip_invite_domain=DOMAIN,leg_timeout=1,leg_delay_start=0]user/1002@DOMAIN|[sip_invite_domain=DOMAIN,leg_timeout=5,leg_delay_start=0]user/1003@DOMAIN" {
        phones: "1002" Rings, "1003" Answers(300);
        sees: "1002: gets CANCEL", "1003: INVITE From=\"1001\" <sip:1001@cti.test>", "1003: gets ACK";
        differs: "a leg's time is over";
    }
    pbx_rollover "[leg_timeout=5]user/1002@DOMAIN|[leg_timeout=5]user/off1000@DOMAIN|[leg_timeout=5]user/1003@DOMAIN" {
        phones: "1002" Rejects(486, 100), "1003" Answers(300);
        sees: "1002: sends 486 to INVITE", "1003: gets ACK";
    }
    pbx_enterprise "[sip_invite_domain=DOMAIN,leg_timeout=5]user/1002@DOMAIN:_:[sip_invite_domain=DOMAIN,leg_timeout=5]user/1003@DOMAIN" {
        phones: "1002" Rings, "1003" Answers(300);
        sees: "1002: gets CANCEL", "1003: INVITE From=\"1001\" <sip:1001@cti.test>", "1003: gets ACK";
        differs: "parts (`:_:`) know the caller";
    }
    pbx_confirmed_by_an_application "{ignore_early_media=true}[group_confirm_key=exec,group_confirm_file=sleep 300,leg_timeout=5]sofia/gateway/carrier/1002,[leg_timeout=5]user/1003@DOMAIN" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: gets ACK", "1003: CANCEL Reason=SIP;cause=200;text=\"Call completed elsewhere\"", "caller: gets 200 to INVITE";
    }
    pbx_confirmed_by_a_key "{ignore_early_media=true}[group_confirm_key=1,group_confirm_file='silence_stream://5000',leg_timeout=5]sofia/gateway/carrier/1002,[leg_timeout=5]user/1003@DOMAIN" {
        phones: "1002" Answers(200), "1003" Rings;
        typed: 700 "uuid_recv_dtmf LEG(1002) 1";
        sees: "1002: gets ACK", "1003: gets CANCEL", "caller: gets 200 to INVITE";
    }
    pbx_forwarded_to_a_carrier "[leg_timeout=5,origination_caller_id_number=5550199]sofia/gateway/carrier/1003" {
        phones: "1003" AnnouncesThenAnswers(500);
        sees: "1003: gets ACK", "caller: gets 183 to INVITE", "caller: gets 200 to INVITE";
    }
    pbx_user_of_the_directory "user/1008@DOMAIN" {
        given: "call_timeout" = "9";
        phones: "1008" Answers(300);
        sees: "1008: INVITE From=\"1001\" <sip:1001@cti.test>", "1008: gets ACK";
    }
    pbx_group_of_the_directory "user/all1000@DOMAIN" {
        phones: "1002" Rings, "1003" Answers(300);
        sees: "1002: gets CANCEL", "1003: gets ACK";
    }
    pbx_do_not_disturb "user/off1000@DOMAIN,user/1003@DOMAIN" {
        phones: "1003" Answers(300);
        sees: "1003: gets ACK";
    }
    pbx_failure_handler "[leg_timeout=5]user/off1000@DOMAIN" {
        given: "continue_on_fail" = "true", "hangup_after_bridge" = "true";
        sees: "caller: variable originate_disposition=USER_BUSY", "caller: variable went_on=true";
    }

    // Confirmation by a key

    confirm_by_key "{group_confirm_key=5,group_confirm_file='silence_stream://3000'}user/1002" {
        phones: "1002" Answers(200);
        typed: 500 "uuid_recv_dtmf LEG(1002) 4", 700 "uuid_recv_dtmf LEG(1002) 5";
        sees: "1002: gets ACK", "caller: gets 200 to INVITE";
    }
    confirm_by_key_in_a_fork "{group_confirm_key=5,group_confirm_file='silence_stream://5000'}user/1002,user/1003" {
        phones: "1002" Answers(100), "1003" Answers(300);
        typed: 800 "uuid_recv_dtmf LEG(1003) 5";
        sees: "1002: gets BYE", "1003: gets ACK", "caller: variable last_bridge_to=<1003>";
    }
    confirm_of_one_leg "[group_confirm_key=5,group_confirm_file='silence_stream://5000']user/1002,user/1003" {
        phones: "1002" Answers(100), "1003" Answers(600);
        sees: "1002: gets BYE", "1003: gets ACK", "caller: variable last_bridge_to=<1003>";
    }
    confirm_others_ring_on "{group_confirm_key=5,group_confirm_file='silence_stream://5000'}user/1002,user/1003" {
        phones: "1002" Answers(100), "1003" Rings;
        typed: 900 "uuid_recv_dtmf LEG(1002) 5";
        sees: "1002: gets ACK", "1003: CANCEL Reason=SIP;cause=200;text=\"Call completed elsewhere\"";
    }
    confirm_is_never_given "[group_confirm_key=5,group_confirm_file='silence_stream://5000',group_confirm_timeout=1]user/1002|user/1003" {
        phones: "1002" Answers(100), "1003" Answers(200);
        sees: "1002: gets BYE", "1003: gets ACK", "caller: variable last_bridge_to=<1003>";
        differs: "a leg's time is over";
    }
    confirm_caller_gives_up "{group_confirm_key=5,group_confirm_file='silence_stream://5000'}user/1002,user/1003" {
        caller: HangsUpAfter(900);
        phones: "1002" Answers(100), "1003" Rings;
        sees: "1002: gets BYE", "1003: gets CANCEL";
    }
    confirm_leg_hangs_up "{group_confirm_key=5,group_confirm_file='silence_stream://5000'}user/1002,user/1003" {
        phones: "1002" Answers(100), "1003" Answers(900);
        typed: 500 "uuid_kill LEG(1002)", 1300 "uuid_recv_dtmf LEG(1003) 5";
        sees: "1002: gets BYE", "caller: variable last_bridge_to=<1003>";
    }
    confirm_error_file "{group_confirm_key=5,group_confirm_file='silence_stream://1500',group_confirm_error_file='silence_stream://300'}user/1002" {
        phones: "1002" Answers(100);
        typed: 500 "uuid_recv_dtmf LEG(1002) 4", 1500 "uuid_recv_dtmf LEG(1002) 5";
        sees: "1002: gets ACK", "caller: gets 200 to INVITE";
    }

    // What FreeSWITCH's own unit test of originate covers, as calls through the application

    unit_external_id "{origination_external_id=abc-SUFFIX}null/15553334444" {
        sees: "caller: gets 200 to INVITE";
    }
    unit_empty_dial_string "" {
        sees: "caller: EXECUTE bridge()";
        differs: "a plan that cannot be read";
    }
    unit_confirm_one_leg "[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
    }
    unit_confirm_no_pre_answer "{null_enable_auto_answer=1,null_auto_answer_delay=500}[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
    }
    unit_confirm_in_pre_answer "{null_enable_auto_answer=1,null_auto_answer_delay=900,null_pre_answer=true}[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://300)";
    }
    unit_confirm_after_answer_early_ok "{null_enable_auto_answer=1,null_auto_answer_delay=500,null_pre_answer=true,group_confirm_early_ok=false}[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
    }
    unit_confirm_after_answer_ignore_early_media "{null_enable_auto_answer=1,null_auto_answer_delay=500,null_pre_answer=true,ignore_early_media=true}[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
    }
    unit_confirm_two_legs "[group_confirm_key=exec,group_confirm_file='playback silence_stream://900']null/test1,[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test2" {
        sees: "null/test1: EXECUTE playback(silence_stream://900)", "null/test2: EXECUTE playback(silence_stream://300)",
            "caller: variable last_bridge_to=<null/test2>", "caller: gets 200 to INVITE";
    }
    unit_confirm_global "{group_confirm_key=exec,group_confirm_file='playback silence_stream://300'}null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
    }
    unit_confirm_local "{ignore_early_media=true}[group_confirm_key=exec,group_confirm_file='playback silence_stream://900']null/test1,[group_confirm_key=exec,group_confirm_file='playback silence_stream://300']null/test2" {
        sees: "caller: gets 200 to INVITE";
    }
    unit_confirm_through_loopback "{group_confirm_key=exec,group_confirm_file='playback silence_stream://300'}loopback/answers" {
        sees: "loopback/answers-a: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
    }
    unit_confirm_leg_timeout_not_finished "[null_enable_auto_answer=1,null_auto_answer_delay=300,leg_timeout=2,group_confirm_key=exec,group_confirm_file='playback silence_stream://4500']null/test" {
        given: "continue_on_fail" = "true";
        sees: "null/test: EXECUTE playback(silence_stream://4500)", "!caller: gets 200 to INVITE";
        differs: "a leg's time is over";
    }
    unit_confirm_leg_timeout_finished "[null_enable_auto_answer=1,null_auto_answer_delay=300,leg_timeout=3,group_confirm_key=exec,group_confirm_file='playback silence_stream://500']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://500)", "caller: gets 200 to INVITE";
    }
    unit_confirm_timeout_of_a_leg "[null_enable_auto_answer=1,null_auto_answer_delay=300,leg_timeout=9,group_confirm_timeout=1,group_confirm_key=exec,group_confirm_file='playback silence_stream://4500']null/test" {
        given: "continue_on_fail" = "true";
        sees: "null/test: EXECUTE playback(silence_stream://4500)", "!caller: gets 200 to INVITE";
        differs: "a leg's time is over";
    }
    unit_confirm_timeout_global "{group_confirm_timeout=1}[null_enable_auto_answer=1,null_auto_answer_delay=300,leg_timeout=9,group_confirm_key=exec,group_confirm_file='playback silence_stream://4500']null/test" {
        given: "continue_on_fail" = "true";
        sees: "null/test: EXECUTE playback(silence_stream://4500)", "!caller: gets 200 to INVITE";
        differs: "a leg's time is over";
    }
    unit_confirm_cancel_timeout "{group_confirm_cancel_timeout=true}[null_enable_auto_answer=1,null_auto_answer_delay=300,leg_timeout=2,group_confirm_key=exec,group_confirm_file='playback silence_stream://3500']null/test" {
        sees: "null/test: EXECUTE playback(silence_stream://3500)", "caller: gets 200 to INVITE";
    }
    unit_parts_confirm "{group_confirm_key=exec,group_confirm_file='playback silence_stream://300'}null/test1:_:{group_confirm_key=exec,group_confirm_file='playback silence_stream://900'}null/test2" {
        sees: "null/test1: EXECUTE playback(silence_stream://300)", "caller: gets 200 to INVITE";
        differs: "parts (`:_:`) know the caller";
    }
    unit_parts_one_answers "<is_from_dial_handle_list=true>[execute_on_answer='sched_hangup +2 normal_clearing']null/test:_:error/user_busy" {
        given: "continue_on_fail" = "true";
        sees: "caller: gets 200 to INVITE", "null/test: EXECUTE sched_hangup(+2 normal_clearing)", "null/test: variable is_from_dial_handle_list=true";
        differs: "parts (`:_:`) know the caller";
    }
    unit_parts_all_fail "error/no_answer:_:error/user_busy" {
        given: "continue_on_fail" = "true";
        sees: "caller: variable went_on=true";
        differs: "parts (`:_:`) know the caller";
    }

    // The language: what a name or a value means

    single_reject_listed_as_an_array "{fail_on_single_reject=^^:CALL_REJECTED:USER_BUSY}user/1002,user/1003" {
        phones: "1002" Rejects(486, 200), "1003" Rings;
        sees: "1003: gets CANCEL", "caller: gets 486 to INVITE";
        differs: "`fail_on_single_reject`";
    }
    single_reject_but_an_array "{fail_on_single_reject=!^^:USER_BUSY:CALL_REJECTED}user/1002,user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(400);
        sees: "1002: sends 486 to INVITE", "1003: gets ACK";
    }
    // The plan is expanded twice before the application reads it.
    nested_vars_of_a_fork "{origination_nested_vars=true,sip_h_X-N=\\\\\\${caller_id_number}}user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: INVITE X-N=${caller_id_number}", "1003: INVITE X-N=${caller_id_number}";
    }
    nested_vars_of_the_caller "[sip_h_X-N=\\\\\\${caller_id_number}]user/1002" {
        given: "origination_nested_vars" = "true";
        phones: "1002" Answers(200);
        sees: "1002: INVITE X-N=${caller_id_number}";
    }
    no_nested_vars "{sip_h_X-N=\\\\\\${caller_id_number}}user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: gets ACK", "!1002: INVITE X-N";
    }
    local_beats_global_alone "{sip_h_X-A=global}[sip_h_X-A=local]user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: INVITE X-A=local";
    }
    global_beats_local_at_an_endpoint "{sip_h_X-A=global}[sip_h_X-A=local]sofia/phones/1002@PHONES" {
        phones: "1002" Answers(200);
        sees: "1002: INVITE X-A=global";
    }
    global_beats_local_in_stages "{sip_h_X-A=global}[sip_h_X-A=local]user/1002|user/1003" {
        phones: "1002" Rejects(486, 100), "1003" Answers(200);
        sees: "1002: INVITE X-A=global";
    }
    variables_not_recursed "{user_recurse_variables=false,sip_h_X-A=1,origination_caller_id_number=5550001}[sip_h_X-B=2]user/1002" {
        phones: "1002" Answers(200);
        sees: "1002: gets INVITE";
    }
    variables_not_recursed_in_a_fork "{user_recurse_variables=false,sip_h_X-A=1,origination_caller_id_number=5550001}[sip_h_X-B=2]user/1002,user/1003" {
        phones: "1002" Answers(200), "1003" Rings;
        sees: "1002: gets INVITE";
    }
    directory_variables_alone "user/1005" {
        phones: "1005" Answers(200);
        sees: "1005: gets INVITE";
    }
}

/// How a plan may be written. Every phone rejects after 150 ms, so that every stage is reached.
/// Left out are those where we differ on purpose: several devices, the same contact twice, a quoted comma.
pub const PLANS: &[&str] = &[
    "user/1002",
    "user/1002,user/1003",
    "user/1002|user/1003",
    "user/1002,user/1003|user/1004",
    "user/1002|user/1003,user/1004",
    "user/1002|user/1003|user/1004",
    "user/1002,user/1003|user/1004,user/1005|user/1006",
    "user/1006,user/1005,user/1004,user/1003,user/1002",
    " user/1002",
    "user/1002 ",
    "user/1002, user/1003",
    "user/1002 | user/1003",
    "user/1002 ,user/1003",
    ",user/1002",
    "user/1002,",
    "user/1002,,user/1003",
    "user/1002|",
    "|user/1002",
    "user/1002||user/1003",
    "user/9999|user/1003",
    "user/9999,user/1003",
    "user/1009|user/1003",
    "user/1009,user/1003",
    "error/user_busy|user/1003",
    "user/1002@cti.test",
    "user/1002@cti.test,user/1003@cti.test",
    "group/team1000",
    "group/team1000@cti.test",
    "{sip_h_X-A=1}user/1002",
    "{sip_h_X-A=1}user/1002,user/1003",
    "{sip_h_X-A=1}user/1002|user/1003",
    "{sip_h_X-A=1,sip_h_X-B=2}user/1002|user/1003",
    "{sip_h_X-A=1}{sip_h_X-B=2}user/1002,user/1003",
    "{ sip_h_X-A=1 }user/1002",
    "{sip_h_X-A=1} user/1002",
    "{sip_h_X-A=one two}user/1002",
    "{sip_h_X-A='one two'}user/1002",
    "{sip_h_X-A=one,sip_h_X-A=two}user/1002",
    "{^^:sip_h_X-A=1:sip_h_X-B=2}user/1002",
    "{^^;sip_h_X-A=a,b;sip_h_X-B=c}user/1002,user/1003",
    "{sip_h_X-A=a\\,b}user/1002",
    "{sip_h_X-A=a=b}user/1002",
    "{sip_h_X-A=同振}user/1002",
    "[sip_h_X-A=1]user/1002",
    "[sip_h_X-A=1]user/1002,user/1003",
    "[sip_h_X-A=1]user/1002,[sip_h_X-A=2]user/1003",
    "[sip_h_X-A=1]user/1002|[sip_h_X-A=2]user/1003",
    "[sip_h_X-A=1,sip_h_X-B=2]user/1002,user/1003",
    "[sip_h_X-A=1][sip_h_X-B=2]user/1002,user/1003",
    "[^^:sip_h_X-A=a,b:sip_h_X-B=c]user/1002,user/1003",
    "[sip_h_X-A=a\\,b]user/1002,user/1003",
    "[sip_h_X-A=同振]user/1002,user/1003",
    "[sip_h_X-A=one two]user/1002,user/1003",
    "{sip_h_X-A=global}[sip_h_X-A=local]user/1002,user/1003",
    "{sip_h_X-A=global,local_var_clobber=true}[sip_h_X-A=local]user/1002,user/1003",
    "{sip_h_X-A=1}[sip_h_X-B=2]user/1002|[sip_h_X-C=3]user/1003,user/1004",
    "<sip_h_X-A=1>user/1002",
    "<sip_h_X-A=1>user/1002:_:user/1003",
    "user/1002:_:user/1003",
    "{sip_h_X-A=1}user/1002:_:{sip_h_X-A=2}user/1003",
    "<sip_h_X-A=0>{sip_h_X-B=1}user/1002:_:[sip_h_X-C=2]user/1003",
    "{origination_caller_id_number=5550001}user/1002,user/1003",
    "{origination_caller_id_number=5550001,origination_caller_id_name=Desk}user/1002|user/1003",
    "[origination_caller_id_number=5550002]user/1002,user/1003",
    "{origination_caller_id_name='Front Desk'}user/1002",
    "{absolute_codec_string=PCMA}user/1002,user/1003",
    "[leg_timeout=5]user/1002,user/1003",
    "[leg_delay_start=1]user/1002",
    "loopback/is_busy|user/1002",
    "user/1005,user/1002",
    "user/1002,[sip_h_X-A=]user/1003",
];
