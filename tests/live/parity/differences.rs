//! The table of intended differences between `bridge` and `cti_bridge`: the README's chapter "Migrating from `bridge`".
//! Each has a name, its reason, and a rule that says what it covers; a scenario opts in by name.
//! Whatever no rule covers fails the scenario.

use std::fmt;

/// One thing that the two runs of a call tell differently.
#[derive(Debug, Clone)]
pub struct Difference {
    /// `caller`, a phone's name, another channel's, or `order`.
    pub who: String,
    /// `wire`, `event`, `channel`, `invited`, `INVITE From`, `variable x`, `profile x`.
    pub what: String,
    pub core: Option<String>,
    pub ours: Option<String>,
    /// Of a line that only one story has here: the other has it as well, elsewhere or fewer times.
    pub again: bool,
}

impl Difference {
    fn both(&self) -> (Option<&str>, Option<&str>) {
        (self.core.as_deref(), self.ours.as_deref())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |value: &Option<String>| {
            let quoted = value.as_ref().map(|value| format!("{value:?}"));
            quoted.unwrap_or("nothing".to_string())
        };
        let (core, ours) = (side(&self.core), side(&self.ours));
        let (who, what) = (&self.who, &self.what);
        write!(f, "{who}: {what}: bridge {core}, cti_bridge {ours}")
    }
}

pub struct Intended {
    /// As it stands in the README, in the first column.
    pub name: &'static str,
    pub reason: &'static str,
    /// True of every call: no scenario need name it.
    pub always: bool,
    pub covers: fn(&Difference) -> bool,
}

pub const DIFFERENCES: &[Intended] = &[
    Intended {
        name: "`cti_…` variables",
        reason: "what happened is told where `bridge` says nothing",
        always: true,
        covers: |found| found.what.starts_with("variable cti_"),
    },
    Intended {
        name: "`DIALSTATUS`",
        reason: "`bridge` swaps two values and then writes `SUCCESS` over all",
        always: true,
        covers: |found| found.what == "variable DIALSTATUS",
    },
    Intended {
        name: "`user/` and `group/` are dialled once",
        reason: "`bridge` runs an originate within the originate for each: every leg goes out twice in its \
                 books, and the caller takes the last one for its partner",
        always: true,
        covers: nested,
    },
    Intended {
        name: "a failed caller's other side",
        reason: "each leg has an originate of its own, after which core notes the leg as the caller's other side; \
                 `bridge` does so for a `user/` alone",
        always: true,
        covers: |found| {
            let other = found.what.starts_with("profile Other-Leg-") && found.core.is_none();
            let named = found.what.starts_with("profile Caller-Callee-ID-");
            found.who == "caller" && (other || named)
        },
    },
    Intended {
        name: "a `pickup/` leg that was taken",
        reason: "the leg's own `channel_swap_uuid` would have it hang up whoever has taken it",
        always: true,
        covers: |found| found.what == "variable channel_swap_uuid" && found.ours.is_none(),
    },
    Intended {
        name: "settings that the module applies itself",
        reason: "time limits, rejections and retries never reach core, so the legs do not carry them",
        always: true,
        covers: |found| {
            let name = found.what.strip_prefix("variable ").unwrap_or("");
            let unsaid = matches!(found.ours.as_deref(), None | Some("NONE"));
            found.who != "caller" && unsaid && OURS.contains(&name)
        },
    },
    Intended {
        name: "what core keeps of a call's end",
        reason: "`bridge` leaves on the caller what the leg that ended last has said, also after a join, or what an \
                 earlier call has left",
        always: true,
        covers: |found| {
            let names = [
                "variable last_bridge_hangup_cause",
                "variable last_bridge_proto_specific_hangup_cause",
                "variable sip_invite_failure_status",
                "variable sip_invite_failure_phrase",
            ];
            found.who == "caller" && names.contains(&found.what.as_str())
        },
    },
    Intended {
        name: "a dialplan that goes on after a failed call",
        reason: "how it ends the caller is what he is told; with `bridge` the SIP status of the leg that ended last \
                 outranks it",
        always: false,
        covers: |found| {
            let (core, ours) = found.both();
            let answer = |line: Option<&str>| line.is_none_or(|line| line.ends_with(" to INVITE"));
            let status =
                |what: &str| what.contains(" to INVITE ") && (core.is_none() || ours.is_none());
            found.who == "caller"
                && (found.what == "wire" && answer(core) && answer(ours) || status(&found.what))
        },
    },
    Intended {
        name: "the hops of a `loopback/`",
        reason: "its far half begins anew with `bridge`, so that a plan that leads to itself never ends",
        always: true,
        covers: |found| {
            let behind = found.who.starts_with("loopback/") && found.core.is_none();
            let hops = |value: Option<&str>| value.and_then(|value| value.parse::<u32>().ok());
            let (core, ours) = found.both();
            found.what == "variable max_forwards" && (behind || hops(ours) < hops(core))
                || found.what.ends_with(" Max-Forwards") && hops(ours) < hops(core)
        },
    },
    Intended {
        name: "a phone that has moved (3xx)",
        reason: "it is its leg's business alone, so every leg tells sofia not to transfer the caller",
        always: true,
        covers: |found| {
            found.what == "variable outbound_redirect_fatal"
                && found.ours.as_deref() == Some("true")
        },
    },
    Intended {
        name: "hooks run once",
        reason: "`…_on_pre_originate` and `…_on_post_originate` of the caller once a call, those of a leg once a leg; \
                 `bridge` runs them again in the originate of each `user/`, and for each stage",
        always: false,
        covers: |found| {
            let line = found.core.as_deref().unwrap_or("");
            let is_hook = line.starts_with("EXECUTE ") || line.starts_with("API ");
            found.what == "event" && found.again && is_hook
        },
    },
    Intended {
        name: "parts (`:_:`) know the caller",
        reason: "`bridge` dials them without him: their offer has not his codecs, he hears no ringing, and all he \
                 learns is `success` or `failure`",
        always: false,
        covers: of_parts,
    },
    Intended {
        name: "a leg's time is over",
        reason: "802 and 807 are no SIP status: the phone is told NO_ANSWER, a missed call",
        always: false,
        covers: |found| {
            let (core, ours) = found.both();
            let ended = |value: Option<&str>| value.map(no_answer);
            match found.what.as_str() {
                "CANCEL Reason" | "BYE Reason" => {
                    let told = ["ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT"];
                    core.is_some_and(|core| told.iter().any(|told| core.contains(told)))
                        && ours.is_some_and(|ours| ours.starts_with("Q.850;cause=19;"))
                }
                "profile Hangup-Cause"
                | "variable hangup_cause"
                | "variable last_bridge_hangup_cause"
                | "variable originate_disposition"
                | "variable originate_failed_cause" => ended(core) == ended(ours),
                "variable hangup_cause_q850" => ours == Some("19"),
                "variable originate_causes" => {
                    listed(ended(core).as_deref()) == listed(ended(ours).as_deref())
                }
                _ => false,
            }
        },
    },
    Intended {
        name: "every device rings",
        reason: "in a plan of several targets `bridge` takes one contact of each `user/` and `group/`",
        always: false,
        covers: |found| match found.what.as_str() {
            "channel" => found.core.is_none(),
            "variable originated_legs" | "variable originate_causes" | "invited" => {
                let (core, ours) = found.both();
                core.map(str::len) < ours.map(|ours| ours.len() * 2)
            }
            _ => false,
        },
    },
    Intended {
        name: "`originate_retries` with `user/`",
        reason: "applied once, to the whole plan; `bridge` applies it again in the originate of each `user/`",
        always: false,
        covers: |found| match found.what.as_str() {
            "channel" => found.ours.is_none(),
            "variable originated_legs"
            | "variable originate_causes"
            | "variable originate_signal_bond"
            | "invited" => true,
            _ => false,
        },
    },
    Intended {
        name: "a plan that cannot be read",
        reason: "refused whole, with the place and the reason in `cti_error`; `bridge` drops it and goes on",
        always: false,
        covers: |found| found.who == "caller",
    },
    Intended {
        name: "all fail",
        reason: "the call's cause is the most telling one, not that of whoever stood first in the last stage",
        always: false,
        covers: |found| {
            let status = found.what == "wire" || found.what.contains(" to INVITE ");
            found.who == "caller" && (is_cause(&found.what) || status)
        },
    },
    Intended {
        name: "`origination_cancel_key`",
        reason: "the phones are told ORIGINATOR_CANCEL: with \"Call completed elsewhere\" the missed call would be hidden",
        always: false,
        covers: |found| {
            let (core, ours) = found.both();
            match found.what.as_str() {
                "variable group_dial_status" | "variable call_completed_elsewhere" => {
                    ours.is_none()
                }
                "variable originate_causes" | "variable last_bridge_hangup_cause" => {
                    ours.is_some_and(|ours| ours.contains("ORIGINATOR_CANCEL"))
                }
                "CANCEL Reason" => {
                    ours.is_some_and(|ours| ours.contains("text=\"ORIGINATOR_CANCEL\""))
                }
                what => core.is_some() && ours.is_some() && is_cause(what),
            }
        },
    },
    Intended {
        name: "a caller who lost a race or was picked off",
        reason: "his phones' call was taken elsewhere: with ORIGINATOR_CANCEL they would show a missed call; and \
                 a leg that somebody has taken is not hung up for it",
        always: false,
        covers: |found| match found.what.as_str() {
            "variable sip_reason" => found
                .ours
                .as_deref()
                .is_some_and(|ours| ours.contains("Call completed elsewhere")),
            "variable call_completed_elsewhere" | "variable uuid_bridge" => found.core.is_none(),
            // A leg that was taken while it rang is left to whoever has taken it.
            what => is_cause(what) && found.who != "caller",
        },
    },
    Intended {
        name: "a semi-attended transfer of the caller",
        reason: "whoever answers is joined to the new party; in a plan of several targets `bridge` hangs both up",
        always: false,
        // Two calls that end differently: what ours must show is said with the scenario.
        covers: |found| found.what != "channel" && found.what != "invited",
    },
    Intended {
        name: "`fail_on_single_reject`",
        reason: "one rejection ends the call, and its cause is the call's; `bridge` ends the stage, for the caller \
                 with NO_ANSWER or the cause of the first leg, and rings the next",
        always: false,
        covers: |found| {
            let (core, ours) = found.both();
            match found.what.as_str() {
                "event" | "wire" => found.who == "caller",
                "channel" => ours.is_none(),
                "invited" => core > ours,
                _ => found.who == "caller",
            }
        },
    },
];

/// Where a channel's end says why.
fn is_cause(what: &str) -> bool {
    let names = [
        "profile Hangup-Cause",
        "variable hangup_cause",
        "variable hangup_cause_q850",
        "variable originate_disposition",
        "variable originate_failed_cause",
    ];
    names.contains(&what) || what.ends_with(" Reason")
}

/// A cause of core's for a leg whose time is over, in the one word of ours.
fn no_answer(value: &str) -> String {
    ["ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT"]
        .iter()
        .fold(value.to_string(), |value, cause| {
            value.replace(cause, "NO_ANSWER")
        })
}

/// What the module keeps from core.
const OURS: &[&str] = &[
    "leg_timeout",
    "leg_progress_timeout",
    "leg_delay_start",
    "group_confirm_timeout",
    "progress_timeout",
    "originate_timeout",
    "fail_on_single_reject",
    "originate_retries",
    "originate_retry_sleep_ms",
    "originate_retry_timeout",
    "originate_retry_min_period_ms",
];

/// What the originate that `user/` and `group/` run within `bridge`'s own leaves behind.
fn nested(found: &Difference) -> bool {
    let (core, ours) = found.both();
    match found.what.as_str() {
        "event" => core == Some("OUTGOING") && ours.is_none(),
        "variable originate_endpoint" => {
            matches!(core, Some("user" | "group")) && ours == Some("sofia")
        }
        "variable originated_legs" | "variable originate_causes" => {
            core.is_some() && sorted(core) == sorted(ours)
        }
        // The name of whoever rang when the caller was told so.
        "180 to INVITE Remote-Party-ID" => core.is_some() && ours.is_some(),
        // Within one originate core forgets the effective caller ID after a leg that has its own.
        "variable origination_caller_id_name" | "variable origination_caller_id_number" => {
            core.is_none()
        }
        // Names that the nested originate put on the caller before the leg took a copy.
        "profile Other-Leg-Callee-ID-Name" | "profile Other-Leg-Callee-ID-Number" => true,
        // The nested originate puts the directory's variables on the leg once it has succeeded.
        "variable user_context" => core.is_none(),
        // The outer originate writes the plan's variables once more over what the endpoint made of them.
        "variable sip_from_uri" | "variable sip_to_uri" => core.is_some() && ours.is_some(),
        // Of a caller who was joined to nobody.
        "variable signal_bond" => found.who == "caller" && ours.is_none(),
        what => what.starts_with("profile Other-Leg-") && found.who == "caller" && ours.is_none(),
    }
}

/// What legs and caller know of each other when a part is dialled for the caller, not beside him.
fn of_parts(found: &Difference) -> bool {
    let (core, ours) = found.both();
    if found.who == "caller" {
        return match found.what.as_str() {
            "wire" => matches!(ours, Some("gets 180 to INVITE" | "gets 183 to INVITE")),
            "event" => matches!(ours, Some("PROGRESS" | "PROGRESS_MEDIA")),
            "variable originate_disposition" => matches!(core, Some("success" | "failure")),
            "variable originate_failed_cause" => core == Some("NONE"),
            // Parts begin in no promised order.
            "variable originated_legs" => sorted(core) == sorted(ours),
            // The first message back to the caller has these, whichever it is.
            "200 to INVITE Accept" | "486 to INVITE Accept" | "487 to INVITE Accept" => {
                ours.is_none()
            }
            "variable video_media_flow"
            | "variable text_media_flow"
            | "variable last_bridge_hangup_cause" => true,
            // `null/` opens the media of whoever it knows.
            what if what.starts_with("180 to INVITE ") || what.starts_with("183 to INVITE ") => {
                core.is_none()
            }
            what => {
                core.is_none() && (what.starts_with("variable ") || what.starts_with("profile "))
            }
        };
    }
    match found.what.as_str() {
        "INVITE media" | "variable rtp_use_codec_string" | "variable video_media_flow" => true,
        "variable ent_originate_aleg_uuid"
        | "variable origination_caller_id_name"
        | "variable origination_caller_id_number" => ours.is_none(),
        // A thread of its own for each part, where early media is nobody's.
        "variable ignore_early_media" => core == Some("true") && ours.is_none(),
        "variable originate_early_media" => core == Some("false") && ours == Some("true"),
        "variable max_forwards"
        | "variable originator"
        | "variable originator_codec"
        | "variable origination_aleg_uuid"
        | "variable signal_bond"
        | "variable sip_hangup_phrase" => core.is_none(),
        "INVITE Max-Forwards" | "ACK Max-Forwards" | "CANCEL Max-Forwards" | "BYE Max-Forwards" => {
            (core, ours) == (Some("70"), Some("69"))
        }
        what => what.starts_with("profile Other-Leg-") && core.is_none(),
    }
}

/// The elements of a list variable, each once.
fn listed(value: Option<&str>) -> Vec<&str> {
    let value = value.unwrap_or("");
    let value = value.strip_prefix("ARRAY::").unwrap_or(value);
    let mut elements: Vec<&str> = value.split("|:").collect();
    elements.dedup();
    elements
}

fn sorted(value: Option<&str>) -> Vec<&str> {
    let mut elements = listed(value);
    elements.sort_unstable();
    elements.dedup();
    elements
}
