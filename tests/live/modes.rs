//! Media modes: whose address and which codecs each side is told, and where sound comes from.
//! Each call is made by `bridge` and by `cti_bridge` on the same switch, and both must do
//! what the table says.

use super::checks::Verdict;
use super::media::{Lines, TONE, phone};
use super::rtp::{Audio, CALLER, Heard, PCMA, PCMU, tones};
use super::run::{Dial, Order, Rig};
use crate::scenarios::{Behaviour::*, Caller, Phone};
use std::net::SocketAddr;
use std::time::Instant;

pub struct Mode {
    pub name: &'static str,
    pub plan: &'static str,
    pub caller: Caller,
    /// The caller's profile agrees on codecs late.
    pub late: bool,
    pub variables: &'static [(&'static str, &'static str)],
    pub caller_formats: &'static [u8],
    pub phone_formats: &'static [u8],
    pub video: bool,
    pub phones: &'static [Phone],
    /// The SDPs that each is sent, in their order: whose address, which formats.
    pub caller_is_sent: &'static [&'static str],
    pub phones_are_sent: &'static [(&'static str, &'static [&'static str])],
    /// At the end: from whose address the sound comes, and whose it is. None: not looked at.
    pub caller_hears: Option<(&'static str, u32)>,
    pub winner_hears: (&'static str, &'static str, u32),
    /// Why `bridge` is not asked to do so, where it is not.
    pub not_bridge: Option<&'static str>,
}

const PLAIN: Mode = Mode {
    name: "media_plain",
    plan: "user/1002",
    caller: Caller::Waits,
    late: false,
    variables: &[],
    caller_formats: &[PCMU, PCMA],
    phone_formats: &[PCMU],
    video: false,
    phones: &[phone("1002", Answers(300))],
    caller_is_sent: &["switch 0"],
    phones_are_sent: &[("1002", &["switch 0"])],
    caller_hears: Some(("switch", 1000)),
    winner_hears: ("1002", "switch", CALLER),
    not_bridge: None,
};

pub const MODES: &[Mode] = &[
    PLAIN,
    Mode {
        name: "media_bypass",
        variables: &[("bypass_media", "true")],
        caller_is_sent: &["1002 0"],
        phones_are_sent: &[("1002", &["caller 0 8"])],
        caller_hears: Some(("1002", 1000)),
        winner_hears: ("1002", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_early",
        variables: &[("bypass_media", "true")],
        phones: &[phone("1002", AnnouncesThenAnswers(500))],
        caller_is_sent: &["1002 0", "1002 0"],
        phones_are_sent: &[("1002", &["caller 0 8"])],
        caller_hears: Some(("1002", 1000)),
        winner_hears: ("1002", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_stages",
        plan: "user/1002|user/1003",
        variables: &[("bypass_media", "true"), TONE],
        phones: &[
            phone("1002", RingsThenRejects(486, 300)),
            phone("1003", Answers(300)),
        ],
        caller_is_sent: &["1003 0"],
        phones_are_sent: &[("1002", &["caller 0 8"]), ("1003", &["caller 0 8"])],
        caller_hears: Some(("1003", 1200)),
        winner_hears: ("1003", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_fork",
        plan: "user/1002,user/1003",
        variables: &[("bypass_media", "true")],
        phones: &[phone("1002", Rings), phone("1003", Answers(300))],
        caller_is_sent: &["1003 0"],
        phones_are_sent: &[("1002", &["caller 0 8"]), ("1003", &["caller 0 8"])],
        caller_hears: Some(("1003", 1200)),
        winner_hears: ("1003", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_answered_caller",
        caller: Caller::IsAnswered,
        variables: &[("bypass_media", "true")],
        phone_formats: &[PCMU],
        caller_is_sent: &[],
        phones_are_sent: &[("1002", &["switch 0", "caller 0 8"])],
        caller_hears: Some(("1002", 1000)),
        winner_hears: ("1002", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_parts_answered_caller",
        plan: "user/1002:_:user/1003",
        caller: Caller::IsAnswered,
        variables: &[
            ("bypass_media", "true"),
            ("transfer_ringback", "%(1000,0,400)"),
        ],
        phones: &[phone("1002", Rejects(486, 0)), phone("1003", Answers(300))],
        caller_is_sent: &[],
        phones_are_sent: &[("1003", &["switch 0", "caller 0 8"])],
        caller_hears: Some(("1003", 1200)),
        winner_hears: ("1003", "caller", CALLER),
        not_bridge: Some("it keeps the media of parts side by side"),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_later_start",
        plan: "[leg_delay_start=1]user/1002,user/1003",
        variables: &[("bypass_media", "true")],
        phones: &[phone("1002", Answers(300)), phone("1003", Rings)],
        caller_is_sent: &["1002 0"],
        phones_are_sent: &[("1002", &["caller 0 8"]), ("1003", &["caller 0 8"])],
        caller_hears: Some(("1002", 1000)),
        winner_hears: ("1002", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_parts",
        plan: "user/1002:_:user/1003",
        // The second part dials while core still prepares the caller for the first.
        variables: &[
            ("bypass_media", "true"),
            TONE,
            ("execute_on_pre_originate", "sleep 200"),
        ],
        phones: &[phone("1002", Rings), phone("1003", Answers(300))],
        caller_is_sent: &["1003 0"],
        phones_are_sent: &[("1002", &["caller 0 8"]), ("1003", &["caller 0 8"])],
        caller_hears: Some(("1003", 1200)),
        winner_hears: ("1003", "caller", CALLER),
        not_bridge: Some("it keeps the media of parts side by side"),
        ..PLAIN
    },
    Mode {
        name: "media_proxy",
        late: true,
        variables: &[("proxy_media", "true")],
        caller_is_sent: &["switch 0"],
        phones_are_sent: &[("1002", &["switch 0 8"])],
        caller_hears: None,
        ..PLAIN
    },
    Mode {
        name: "media_proxy_later_start",
        late: true,
        plan: "[leg_delay_start=1]user/1002,user/1003",
        variables: &[("proxy_media", "true")],
        phones: &[phone("1002", Answers(300)), phone("1003", Rings)],
        caller_is_sent: &["switch 0"],
        phones_are_sent: &[("1002", &["switch 0 8"]), ("1003", &["switch 0 8"])],
        caller_hears: None,
        ..PLAIN
    },
    Mode {
        name: "media_proxy_parts",
        late: true,
        plan: "user/1002:_:user/1003",
        variables: &[
            ("proxy_media", "true"),
            ("execute_on_pre_originate", "sleep 200"),
        ],
        phones: &[phone("1002", Rings), phone("1003", Answers(300))],
        caller_is_sent: &["switch 0"],
        phones_are_sent: &[("1002", &["switch 0 8"]), ("1003", &["switch 0 8"])],
        caller_hears: None,
        winner_hears: ("1003", "switch", CALLER),
        not_bridge: Some("its parts know nothing of the caller's media"),
        ..PLAIN
    },
    Mode {
        name: "media_bypass_after_bridge",
        variables: &[("bypass_media_after_bridge", "true")],
        caller_is_sent: &["switch 0", "1002 0"],
        phones_are_sent: &[("1002", &["switch 0", "caller 0 8"])],
        caller_hears: Some(("1002", 1000)),
        winner_hears: ("1002", "caller", CALLER),
        ..PLAIN
    },
    Mode {
        name: "media_late_negotiation",
        late: true,
        phone_formats: &[PCMA],
        caller_is_sent: &["switch 0"],
        phones_are_sent: &[("1002", &["switch 0 8"])],
        ..PLAIN
    },
    Mode {
        name: "media_inherit_codec",
        late: true,
        variables: &[("inherit_codec", "true")],
        phone_formats: &[PCMA],
        caller_is_sent: &["switch 8"],
        phones_are_sent: &[("1002", &["switch 0 8"])],
        ..PLAIN
    },
    Mode {
        name: "media_inherit_codec_stages",
        late: true,
        plan: "user/1003|user/1002",
        variables: &[("inherit_codec", "true")],
        phone_formats: &[PCMA],
        phones: &[
            phone("1002", Answers(300)),
            phone("1003", RingsThenRejects(486, 300)),
        ],
        caller_is_sent: &["switch 8"],
        phones_are_sent: &[("1002", &["switch 0 8"])],
        ..PLAIN
    },
    Mode {
        name: "media_callers_codec_alone",
        caller_formats: &[PCMA],
        phone_formats: &[PCMA],
        caller_is_sent: &["switch 8"],
        phones_are_sent: &[("1002", &["switch 8"])],
        ..PLAIN
    },
    Mode {
        name: "media_callers_codec_later_start",
        plan: "[leg_delay_start=1]user/1002,user/1003",
        caller_formats: &[PCMA],
        phone_formats: &[PCMA],
        phones: &[phone("1002", Answers(300)), phone("1003", Rings)],
        caller_is_sent: &["switch 8"],
        phones_are_sent: &[("1002", &["switch 8"]), ("1003", &["switch 8"])],
        ..PLAIN
    },
    Mode {
        name: "media_callers_codec_parts",
        plan: "user/1002:_:user/1003",
        caller_formats: &[PCMA],
        phone_formats: &[PCMA],
        phones: &[phone("1002", Answers(300)), phone("1003", Rings)],
        caller_is_sent: &["switch 8"],
        phones_are_sent: &[("1002", &["switch 8"]), ("1003", &["switch 8"])],
        not_bridge: Some("its parts do not know the caller's codec"),
        ..PLAIN
    },
    Mode {
        name: "media_video_offered",
        video: true,
        caller_is_sent: &["switch 0, video refused"],
        phones_are_sent: &[("1002", &["switch 0"])],
        ..PLAIN
    },
    Mode {
        name: "media_video_offered_late",
        late: true,
        video: true,
        caller_is_sent: &["switch 0, video refused"],
        phones_are_sent: &[("1002", &["switch 0 8"])],
        ..PLAIN
    },
    Mode {
        name: "media_bypass_video_offered",
        video: true,
        variables: &[("bypass_media", "true")],
        caller_is_sent: &["1002 0, video refused"],
        phones_are_sent: &[("1002", &["caller 0 8, video offered"])],
        caller_hears: Some(("1002", 1000)),
        winner_hears: ("1002", "caller", CALLER),
        ..PLAIN
    },
];

impl Mode {
    pub fn run(&self, rig: &Rig, slot: usize) -> Result<Verdict, String> {
        let mut wrong = Vec::new();
        for application in ["bridge", "cti_bridge"] {
            if application == "bridge" && self.not_bridge.is_some() {
                continue;
            }
            let differences = self.differences(rig, slot, application)?;
            wrong.extend(
                differences
                    .iter()
                    .map(|line| format!("{application}: {line}")),
            );
        }
        Ok(Verdict {
            wrong,
            ..Verdict::default()
        })
    }

    fn differences(
        &self,
        rig: &Rig,
        slot: usize,
        application: &str,
    ) -> Result<Vec<String>, String> {
        let lent = Lines::lend(rig, slot, |name, mut plug| {
            if name == "1001" {
                plug.formats = self.caller_formats;
                plug.video = self.video;
                plug.switch = self.late.then_some(rig.switch.late);
            } else {
                plug.formats = self.phone_formats;
            }
            plug
        })?;
        let order = Order {
            dial: if application == "bridge" {
                Dial::Compare(self.plan)
            } else {
                Dial::Plan(self.plan)
            },
            caller: self.caller,
            variables: self.variables,
            phones: self.phones,
        };
        let course = rig.call(&order, slot)?;
        let whose = |address: SocketAddr| {
            let mut lines = lent.lines.iter();
            let line = lines.find(|(_, line)| line.address() == address);
            match line.map(|(name, _)| *name) {
                Some("1001") => "caller",
                Some(name) => name,
                None => "switch",
            }
        };
        let described = |sdps: &[(Instant, String)]| -> Vec<String> {
            sdps.iter().map(|(_, sdp)| describe(sdp, &whose)).collect()
        };
        let mut wrong = Vec::new();
        let mut expect = |what: &str, is: &dyn std::fmt::Debug, right: bool| {
            if !right {
                wrong.push(format!("{what} {is:?}"));
            }
        };
        let call = rig.phones.call(&course.uuid);
        let sent = call.map_or(Vec::new(), |call| described(&call.sdps));
        expect("the caller was sent", &sent, sent == self.caller_is_sent);
        for (name, expected) in self.phones_are_sent {
            let leg = course.legs.iter().find(|(_, phone, _)| phone == name);
            let sent = leg.map_or(Vec::new(), |(_, _, leg)| described(&leg.sdps));
            expect(&format!("{name} was sent"), &sent, sent == *expected);
        }
        let hears = |who: &str| {
            let line = lent.lines.iter().find(|(name, _)| *name == who);
            let heard = line.map_or(Vec::new(), |(_, line)| line.heard());
            at_the_end(&heard, &whose)
        };
        let heard = hears("1001");
        expect(
            "the caller hears",
            &heard,
            self.caller_hears.is_none() || heard == self.caller_hears,
        );
        let (winner, from, tone) = self.winner_hears;
        let heard = hears(winner);
        expect(
            &format!("{winner} hears"),
            &heard,
            heard == Some((from, tone)),
        );
        Ok(wrong)
    }
}

/// `switch 0 8, video refused`; telephone events and comfort noise are left out.
fn describe<'a>(sdp: &str, whose: &impl Fn(SocketAddr) -> &'a str) -> String {
    let Some(audio) = Audio::of(sdp) else {
        return format!("no audio: {sdp:?}");
    };
    let mut text = whose(audio.address).to_string();
    for format in audio
        .formats
        .iter()
        .filter(|format| [PCMU, PCMA].contains(format))
    {
        text.push_str(&format!(" {format}"));
    }
    let video = sdp.lines().find_map(|line| line.strip_prefix("m=video "));
    match video {
        Some(port) if port.starts_with("0 ") => text.push_str(", video refused"),
        Some(_) => text.push_str(", video offered"),
        None => {}
    }
    text
}

/// Whose tone came last, and from whose address.
fn at_the_end<'a>(
    heard: &[Heard],
    whose: &impl Fn(SocketAddr) -> &'a str,
) -> Option<(&'a str, u32)> {
    let last = heard.iter().rfind(|packet| packet.tone.is_some())?;
    Some((whose(last.from), tones(heard).last().copied()?))
}
