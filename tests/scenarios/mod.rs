//! Who rings, who wins: one table for two switches.
//! A scenario is data: a plan, how each phone behaves, and what must then be seen.
//! `tests/standin.rs` and `tests/live.rs` run the same table and check it with `check`.
#![allow(dead_code)] // each of the two drivers reads its own part of the table

pub mod table;

use std::fmt;

/// Milliseconds since `cti_bridge` began.
pub type Ms = u64;

/// The switch runs `cti_bridge` and, if the call goes on after it (`continue_on_fail`), sets this variable to `true`.
pub const WENT_ON: &str = "went_on";

#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub plan: &'static str,
    pub caller: Caller,
    /// Set on the caller before `cti_bridge` runs.
    pub variables: &'static [(&'static str, &'static str)],
    pub phones: &'static [Phone],
    pub expect: Expect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Dials in and waits.
    Waits,
    /// Dials in and hangs up this long after its call began.
    HangsUpAfter(Ms),
    /// Was answered before `cti_bridge` ran, as by `originate user/1001 &cti_bridge(…)`.
    IsAnswered,
    /// As the last one, and sends a re-INVITE so long after `cti_bridge` began: a hold, a new address.
    IsAnsweredThenReinvites(Ms),
    /// Dials in without SDP (late offer): the switch offers, the ACK answers.
    OffersLate,
    /// Dials in and sends an UPDATE so long after its call began.
    Updates(Ms),
}

impl Caller {
    pub fn is_answered(self) -> bool {
        matches!(
            self,
            Caller::IsAnswered | Caller::IsAnsweredThenReinvites(_)
        )
    }
}

/// One registered device. A user with two devices has two phones in the table.
#[derive(Debug, Clone, Copy)]
pub struct Phone {
    /// Unique in the scenario; begins with the user: `1002`, `1002-mobile`. On the wire `1002-tcp` is a phone
    /// over TCP and `1002-v6` one over IPv6.
    pub name: &'static str,
    pub user: &'static str,
    pub does: Behaviour,
}

/// Times run from the INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// 180 at once, 200 after this long.
    Answers(Ms),
    /// 180 at once, then never anything.
    Rings,
    /// No 180; this final status after this long.
    Rejects(u16, Ms),
    /// 180 at once; this final status after this long.
    RingsThenRejects(u16, Ms),
    /// 183 with SDP at once, then never anything: an announcement.
    Announces,
    /// 183 with SDP at once, 200 after this long.
    AnnouncesThenAnswers(Ms),
    /// 183 with SDP at once, this final status after this long.
    AnnouncesThenRejects(u16, Ms),
    /// Receives the INVITE and never replies at all.
    Dead,
    /// Registered, but its port is closed.
    Stale,
    /// Registers only so long after the call has begun; then 180 at once and 200 after the
    /// second time.
    RegistersThenAnswers(Ms, Ms),
    /// 180 at once; so long after the INVITE it registers again, as the same instance at another port;
    /// 200 after the second time.
    MovesThenAnswers(Ms, Ms),
    /// These replies, whatever they are.
    Says(&'static [Reply]),
    /// This challenge (401, 407) at once; the INVITE that brings credentials then has 180, and
    /// 200 after this long.
    Challenges(u16, Ms),
}

/// No status: a phone's own BYE.
pub const HANGS_UP: u16 = 0;

/// What a reply says of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdp {
    None,
    Good,
    /// A codec that nobody offered.
    Unusable,
}

/// One reply of a phone that has more to say than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// So long after the INVITE.
    pub at: Ms,
    /// With `HANGS_UP` it is a BYE of the phone's, once its answer was acknowledged.
    pub status: u16,
    pub sdp: Sdp,
    /// Early dialogs of one INVITE have numbers: each is another To tag, as behind a proxy that forks.
    pub dialog: u8,
    /// It wants a PRACK (100rel).
    pub is_reliable: bool,
    /// The Contacts of a redirection, as they are on the wire. `DOMAIN` stands for the users' domain,
    /// `PHONE(1003)` for where this phone of the scenario is: its user part, address and port.
    pub contacts: &'static [&'static str],
}

/// A reply as most phones send it: with SDP in 183 and 200; a redirection leads to an extension of the switch.
pub const fn says(at: Ms, status: u16) -> Reply {
    Reply {
        at,
        status,
        sdp: match status {
            183 | 200 => Sdp::Good,
            _ => Sdp::None,
        },
        dialog: 0,
        is_reliable: false,
        contacts: &["<sip:elsewhere@127.0.0.1>"],
    }
}

/// The phone hangs up so long after the INVITE.
pub const fn hangs_up(at: Ms) -> Reply {
    says(at, HANGS_UP)
}

/// 302 to these places; none: to nowhere.
pub const fn moved(at: Ms, contacts: &'static [&'static str]) -> Reply {
    Reply {
        contacts,
        ..says(at, 302)
    }
}

impl Reply {
    pub const fn with(self, sdp: Sdp) -> Reply {
        Reply { sdp, ..self }
    }

    pub const fn in_dialog(self, dialog: u8) -> Reply {
        Reply { dialog, ..self }
    }

    pub const fn reliably(self) -> Reply {
        Reply {
            is_reliable: true,
            ..self
        }
    }

    /// The Contacts of a redirection: `place` says where a phone is, `fill` what all other text means.
    pub fn contacts(
        self,
        fill: impl Fn(&str) -> String,
        place: impl Fn(&str) -> String,
    ) -> Vec<String> {
        let whole = |contact: &&str| {
            let mut parts = contact.split("PHONE(");
            let mut text = fill(parts.next().unwrap_or(""));
            for part in parts {
                let (name, rest) = part.split_once(')').unwrap_or((part, ""));
                text.push_str(&place(name));
                text.push_str(&fill(rest));
            }
            text
        };
        self.contacts.iter().map(whole).collect()
    }
}

impl Behaviour {
    /// When it registers, if not before the call.
    pub fn registers_at(self) -> Option<Ms> {
        match self {
            Behaviour::RegistersThenAnswers(at, _) => Some(at),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// `cti_result`.
    pub result: &'static str,
    /// `cti_cause`.
    pub cause: &'static str,
    /// The phone that answered and was joined.
    pub winner: Option<&'static str>,
    /// `cti_stage`.
    pub stage: u32,
    /// Every INVITE that reached a phone, in the order of `from`; nobody else rings.
    pub rings: &'static [Ring],
    /// Further variables of the caller at the end, and their values.
    pub variables: &'static [(&'static str, &'static str)],
    /// Headers that must be on the INVITE of a phone: phone, header, value.
    /// `From-User` and `From-Name` stand for the two parts of the From header.
    pub headers: &'static [(&'static str, &'static str, &'static str)],
    /// The statuses that the caller gets, in their order and without 100; empty if the row does not ask.
    pub hears: &'static [u16],
    /// Other ends that are as right as this one: in a race either side may win.
    pub or: &'static [Expect],
}

/// One INVITE's life at a phone.
#[derive(Debug, Clone, Copy)]
pub struct Ring {
    pub phone: &'static str,
    /// The INVITE arrived in this band.
    pub from: (Ms, Ms),
    /// It was over (CANCEL, final response, or the 200's ACK) in this band.
    pub to: (Ms, Ms),
    pub told: Told,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Its 200 was acknowledged and the call was joined.
    Joined,
    /// CANCEL with LOSE_RACE's Reason: "Call completed elsewhere", no missed call.
    Elsewhere,
    /// CANCEL with NO_ANSWER's Reason, Q.850 cause 19: a missed call.
    NoAnswer,
    /// CANCEL because the caller gave up (ORIGINATOR_CANCEL).
    CallerGone,
    /// Its own final response was acknowledged.
    ItsOwn(u16),
    /// Its 200 was acknowledged, then BYE with LOSE_RACE's Reason.
    TooLate,
    /// Its 200 was acknowledged, then BYE because nobody can talk so: Q.850 cause 88, or SIP 488.
    Incompatible,
    /// Nothing more reached it (a dead phone's INVITE simply stops; CANCEL needs a reply first).
    Nothing,
    /// Something no scenario expects: a CANCEL with another Reason or none, a 200 never acknowledged,
    /// a phone still ringing at the end. Never stands in the table.
    Unclear,
}

/// What a switch showed for one scenario.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub rings: Vec<SeenRing>,
    /// The caller's channel variables at the end.
    pub variables: Vec<(String, String)>,
    /// The phone whose leg was bridged.
    pub joined: Option<String>,
    /// The statuses that the caller got, in their order and without 100. One who was called himself gets none.
    pub hears: Vec<u16>,
    /// The Reason in the caller's last reply.
    pub reason: String,
}

#[derive(Debug, Clone)]
pub struct SeenRing {
    pub phone: String,
    pub from: Ms,
    pub to: Ms,
    pub told: Told,
    pub headers: Vec<(String, String)>,
}

impl Seen {
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Every way in which what was seen differs from what was expected; none if any of the allowed ends fits.
pub fn check(scenario: &Scenario, seen: &Seen) -> Vec<String> {
    let wrong = differences(&scenario.expect, seen);
    let other_end_fits = || {
        scenario
            .expect
            .or
            .iter()
            .any(|other| differences(other, seen).is_empty())
    };
    if wrong.is_empty() || other_end_fits() {
        Vec::new()
    } else {
        wrong
    }
}

/// The status of mod_sofia's for a cause.
fn status_of(cause: &str) -> u16 {
    match cause {
        "UNALLOCATED_NUMBER" | "NO_ROUTE_DESTINATION" => 404,
        "USER_BUSY" => 486,
        "NO_USER_RESPONSE" => 408,
        "CALL_REJECTED" => 603,
        "EXCHANGE_ROUTING_ERROR" => 483,
        "DESTINATION_OUT_OF_ORDER" => 502,
        "INVALID_NUMBER_FORMAT" | "INVALID_GATEWAY" => 484,
        "REQUESTED_CHAN_UNAVAIL" | "NORMAL_TEMPORARY_FAILURE" | "GATEWAY_DOWN" => 503,
        "INCOMPATIBLE_DESTINATION" => 488,
        "RECOVERY_ON_TIMER_EXPIRE" => 504,
        _ => 480,
    }
}

/// Whether a phone's own status says this, too.
fn means(status: u16, cause: &str) -> bool {
    let its_own = match status {
        404 => "UNALLOCATED_NUMBER",
        480 => "NO_USER_RESPONSE",
        486 | 600 => "USER_BUSY",
        401 | 403 | 407 | 603 => "CALL_REJECTED",
        408 => "RECOVERY_ON_TIMER_EXPIRE",
        500 | 503 => "NORMAL_TEMPORARY_FAILURE",
        _ => "",
    };
    its_own == cause
}

/// Where a call that failed says two things. Its cause is the caller's last status and Reason, his `hangup_cause`
/// and what his last leg left with him; the status may be that of a phone with this cause. If the dialplan goes on,
/// its end decides, and the failed legs have no say in it. And he is told once that it rings.
fn untruths(expect: &Expect, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let variable = |name| seen.variable(name).unwrap_or("");
    if seen.hears.iter().filter(|status| **status == 180).count() > 1 {
        wrong.push(format!(
            "the caller hears 180 more than once: {:?}",
            seen.hears
        ));
    }
    let last = seen.hears.last().copied();
    let cause = expect.cause;
    let has_left = cause == "ORIGINATOR_CANCEL";
    let right = match expect.result {
        "answered" if expect.winner.is_none() => return wrong,
        "answered" => vec![200],
        "cancelled" if has_left => vec![487],
        _ => {
            let own = expect.rings.iter().filter_map(|ring| match ring.told {
                Told::ItsOwn(status) if means(status, cause) => Some(status),
                // What the SIP stack makes of an answer that it cannot use.
                Told::Incompatible if means(500, cause) => Some(500),
                _ => None,
            });
            own.chain([status_of(cause)]).collect()
        }
    };
    // Voicemail, say, has answered him.
    let is_answered = expect.hears.last() == Some(&200);
    let went_on = variable(WENT_ON) == "true" || is_answered;
    let is_right = |status| match status {
        200 if is_answered => true,
        480 if went_on => true,
        status => right.contains(&status),
    };
    if let Some(last) = last.filter(|last| !is_right(*last)) {
        wrong.push(format!(
            "the caller's last reply is {last}, expected one of {right:?}"
        ));
    }
    if expect.result == "answered" {
        return wrong;
    }
    let mut same = |what: &str, got: &str| {
        if got != cause {
            wrong.push(format!("{what} is {got:?}, expected {cause:?}"));
        }
    };
    if !went_on && last.is_some() {
        same("hangup_cause", variable("hangup_cause"));
        // His CANCEL was replied to without one.
        if !has_left {
            let named = seen.reason.split("text=\"").nth(1);
            let named = named.and_then(|rest| rest.strip_suffix('"'));
            same("the Reason in the caller's last reply", named.unwrap_or(""));
        }
    }
    // Nobody reads these of a caller who has left by himself.
    if has_left {
        return wrong;
    }
    if !expect.rings.is_empty() {
        same(
            "last_bridge_hangup_cause",
            variable("last_bridge_hangup_cause"),
        );
    }
    let status = variable("last_bridge_proto_specific_hangup_cause");
    let status = status
        .strip_prefix("sip:")
        .and_then(|status| status.parse().ok());
    if let Some(status) = status.filter(|status| !right.contains(status)) {
        wrong.push(format!(
            "last_bridge_proto_specific_hangup_cause is of {status}, expected one of {right:?}"
        ));
    }
    wrong
}

fn differences(expect: &Expect, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &dyn fmt::Display, expected: &str, got: Option<&str>| {
        if got.unwrap_or("") != expected {
            wrong.push(format!("{what}: expected {expected:?}, got {got:?}"));
        }
    };
    same(&"cti_result", expect.result, seen.variable("cti_result"));
    same(&"cti_cause", expect.cause, seen.variable("cti_cause"));
    same(
        &"cti_stage",
        &expect.stage.to_string(),
        seen.variable("cti_stage"),
    );
    same(
        &"joined phone",
        expect.winner.unwrap_or(""),
        seen.joined.as_deref(),
    );
    for (name, value) in expect.variables {
        same(name, value, seen.variable(name));
    }
    if !expect.hears.is_empty() && expect.hears != seen.hears {
        let (expected, got) = (expect.hears, &seen.hears);
        wrong.push(format!("the caller hears {got:?}, expected {expected:?}"));
    }
    wrong.extend(untruths(expect, seen));
    let mut left: Vec<&SeenRing> = seen.rings.iter().collect();
    for ring in expect.rings {
        let Some(position) = left.iter().position(|got| got.phone == ring.phone) else {
            wrong.push(format!("{} never rang", ring.phone));
            continue;
        };
        let got = left.remove(position);
        for (what, band, at) in [("from", ring.from, got.from), ("to", ring.to, got.to)] {
            if at < band.0 || at > band.1 {
                wrong.push(format!(
                    "{} rang {what} {at} ms, expected {}..={}",
                    ring.phone, band.0, band.1
                ));
            }
        }
        if got.told != ring.told {
            wrong.push(format!(
                "{} was told {:?}, expected {:?}",
                ring.phone, got.told, ring.told
            ));
        }
        for (_, name, value) in expect
            .headers
            .iter()
            .filter(|(phone, ..)| *phone == ring.phone)
        {
            let header = got
                .headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            // An empty one is expected to be absent.
            if header.map_or("", |(_, got)| got.as_str()) != *value {
                wrong.push(format!(
                    "{}: header {name}: expected {value:?}, got {header:?}",
                    ring.phone
                ));
            }
        }
    }
    for got in left {
        wrong.push(format!(
            "{} rang at {} ms though the plan does not ask for it",
            got.phone, got.from
        ));
    }
    wrong
}
