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
}

/// One registered device. A user with two devices has two phones in the table.
#[derive(Debug, Clone, Copy)]
pub struct Phone {
    /// Unique in the scenario; begins with the user: `1002`, `1002-mobile`.
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
    /// These replies, whatever they are.
    Says(&'static [Reply]),
    /// This challenge (401, 407) at once; the INVITE that brings credentials then has 180, and
    /// 200 after this long.
    Challenges(u16, Ms),
}

/// One reply of a phone that has more to say than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// So long after the INVITE.
    pub at: Ms,
    pub status: u16,
    pub has_sdp: bool,
    /// The Contacts of a redirection, as they are on the wire. `DOMAIN` stands for the users' domain,
    /// `PHONE(1003)` for where this phone of the scenario is: its user part, address and port.
    pub contacts: &'static [&'static str],
}

/// A reply as most phones send it: with SDP in 183 and 200; a redirection leads to an extension of the switch.
pub const fn says(at: Ms, status: u16) -> Reply {
    Reply {
        at,
        status,
        has_sdp: status == 183 || status == 200,
        contacts: &["<sip:elsewhere@127.0.0.1>"],
    }
}

/// 302 to these places; none: to nowhere.
pub const fn moved(at: Ms, contacts: &'static [&'static str]) -> Reply {
    Reply {
        contacts,
        ..says(at, 302)
    }
}

impl Reply {
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
            if header.map(|(_, got)| got.as_str()) != Some(*value) {
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
