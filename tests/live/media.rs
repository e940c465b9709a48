//! What a caller hears while phones ring, and what the phones hear: on the RTP itself.
//! Each call is made by `bridge` and by `cti_bridge` on the same switch, and both must
//! sound as the table says.

use super::checks::Verdict;
use super::esl::Packet;
use super::phones::Call;
use super::rtp::{CALLER, Heard, Line, PCMU, PHONES, Plug, RINGING, longest_pause, tones};
use super::run::{Course, Dial, Order, Rig};
use super::switch::in_slot;
use crate::scenarios::{Behaviour::*, Caller, Ms, Phone, says};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One call, by both applications.
pub struct Sound {
    pub name: &'static str,
    pub plan: &'static str,
    pub caller: Caller,
    /// `RINGING_WAV` stands for a file that plays the ringing tone.
    pub variables: &'static [(&'static str, &'static str)],
    pub phones: &'static [Phone],
    /// Typed this long after the application began; UUID is the caller's.
    pub typed: &'static [(Ms, &'static str)],
    /// The responses that the caller gets, repetitions left out, and 180 where there is a 183.
    pub told: &'static [u16],
    /// The tones that the caller hears, one after another.
    pub hears: &'static [u32],
    /// The tones that phones hear.
    pub heard_by: &'static [(&'static str, &'static [u32])],
    /// From the first tone to the talk no pause is longer.
    pub pause: Ms,
    /// Why `bridge` is not asked to sound so, where it is not.
    pub not_bridge: Option<&'static str>,
}

pub const fn phone(name: &'static str, does: crate::scenarios::Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}

/// Always on, so that every pause in it is a fault.
pub const TONE: (&str, &str) = ("ringback", "%(1000,0,400)");
const TRANSFER_TONE: (&str, &str) = ("transfer_ringback", "%(1000,0,400)");
/// Faults were a second long; a busy machine makes pauses of 220 ms in core's own tone, too.
const UNHEARD: Ms = 250;
/// Ringing that begins later than this after the phones' own is late.
const PROMPT: Ms = 700;

const RINGS: Sound = Sound {
    name: "",
    plan: "user/1002",
    caller: Caller::Waits,
    variables: &[TONE],
    phones: &[phone("1002", Answers(1000))],
    typed: &[],
    told: &[183, 200],
    hears: &[RINGING, 1000],
    heard_by: &[("1002", &[CALLER])],
    pause: UNHEARD,
    not_bridge: None,
};

/// 1003 never says that it rings: the tone of the stage before goes on all the same.
const STAGES: Sound = Sound {
    plan: "user/1002|user/1003|user/1004",
    phones: &[
        phone("1002", RingsThenRejects(486, 700)),
        phone("1003", Rejects(486, 900)),
        phone("1004", Answers(600)),
    ],
    hears: &[RINGING, 1500],
    heard_by: &[("1004", &[CALLER])],
    ..RINGS
};

pub const SOUNDS: &[Sound] = &[
    // One stage.
    Sound {
        name: "hears_ringback_tone",
        ..RINGS
    },
    Sound {
        name: "hears_ringback_file",
        variables: &[("ringback", "RINGING_WAV")],
        ..RINGS
    },
    Sound {
        name: "hears_instant_ringback",
        plan: "{instant_ringback=true}user/1002",
        caller: Caller::HangsUpAfter(1000),
        phones: &[phone("1002", Dead)],
        told: &[183, 487],
        hears: &[RINGING],
        heard_by: &[],
        ..RINGS
    },
    Sound {
        name: "hears_no_ringback_is_180_alone",
        variables: &[],
        told: &[180, 200],
        hears: &[1000],
        ..RINGS
    },
    Sound {
        name: "hears_transfer_ringback",
        caller: Caller::IsAnswered,
        variables: &[TRANSFER_TONE, ("ringback", "%(1000,0,1000)")],
        told: &[],
        ..RINGS
    },
    Sound {
        name: "hears_ringback_answered_caller",
        caller: Caller::IsAnswered,
        told: &[],
        ..RINGS
    },
    // Several stages: the tone goes on.
    Sound {
        name: "hears_stages_tone",
        ..STAGES
    },
    Sound {
        name: "hears_stages_file",
        variables: &[("ringback", "RINGING_WAV")],
        ..STAGES
    },
    Sound {
        name: "hears_stages_answered_caller",
        caller: Caller::IsAnswered,
        variables: &[TRANSFER_TONE],
        told: &[],
        ..STAGES
    },
    Sound {
        name: "hears_stages_no_ringback_is_180_alone",
        variables: &[],
        told: &[180, 200],
        hears: &[1500],
        ..STAGES
    },
    Sound {
        name: "hears_stages_instant_ringback",
        plan: "{instant_ringback=true}user/1002|user/1003",
        phones: &[
            phone("1002", Rejects(486, 500)),
            phone("1003", Answers(500)),
        ],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_stages_that_time_out",
        plan: "{originate_timeout=2}user/1002|user/1003",
        variables: &[TONE, ("originate_continue_on_timeout", "true")],
        phones: &[phone("1002", Rings), phone("1003", Answers(600))],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    // Nobody rings in the caller's own branch: the tone goes on, or begins.
    Sound {
        name: "hears_parts",
        plan: "user/1002:_:user/1003",
        phones: &[
            phone("1002", Rejects(486, 300)),
            phone("1003", Answers(1200)),
        ],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_parts_answered_caller",
        plan: "user/1002:_:user/1003",
        caller: Caller::IsAnswered,
        variables: &[TRANSFER_TONE],
        phones: &[
            phone("1002", Rejects(486, 300)),
            phone("1003", Answers(1200)),
        ],
        told: &[],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_parts_file",
        plan: "user/1002:_:user/1003",
        variables: &[("ringback", "RINGING_WAV")],
        phones: &[
            phone("1002", Rejects(486, 300)),
            phone("1003", Answers(2300)),
        ],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_parts_until_it_hangs_up",
        plan: "user/1002:_:user/1003",
        caller: Caller::HangsUpAfter(900),
        phones: &[phone("1002", Rejects(486, 300)), phone("1003", Rings)],
        told: &[183, 487],
        hears: &[RINGING],
        heard_by: &[],
        ..STAGES
    },
    Sound {
        name: "hears_parts_of_several_stages",
        plan: "user/1002|user/1003:_:user/1004",
        phones: &[
            phone("1002", RingsThenRejects(486, 500)),
            phone("1003", RingsThenRejects(486, 500)),
            phone("1004", Answers(1500)),
        ],
        ..STAGES
    },
    Sound {
        name: "hears_a_retry",
        plan: "{originate_retries=2,originate_retry_sleep_ms=800}user/1002",
        phones: &[phone("1002", RingsThenRejects(486, 500))],
        told: &[183, 486],
        hears: &[RINGING],
        heard_by: &[],
        // Core sleeps in silence.
        pause: 1000,
        ..STAGES
    },
    Sound {
        name: "hears_parts_no_ringback",
        plan: "user/1002:_:user/1003",
        variables: &[],
        phones: &[
            phone("1002", Rejects(486, 300)),
            phone("1003", Answers(900)),
        ],
        told: &[180, 200],
        hears: &[1200],
        heard_by: &[("1003", &[CALLER])],
        not_bridge: Some("it tells the caller nothing until the answer"),
        ..STAGES
    },
    Sound {
        name: "hears_a_later_start",
        plan: "[leg_delay_start=1]user/1002,user/1003",
        phones: &[
            phone("1002", Answers(1300)),
            phone("1003", RingsThenRejects(486, 1400)),
        ],
        hears: &[RINGING, 1000],
        heard_by: &[("1002", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_only_a_later_start",
        plan: "[leg_delay_start=1]user/1002,user/1003",
        phones: &[phone("1002", Answers(1200)), phone("1003", Rejects(486, 0))],
        hears: &[RINGING, 1000],
        heard_by: &[("1002", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_a_later_start_in_a_later_stage",
        plan: "user/1002|[leg_delay_start=1]user/1003,user/1004",
        phones: &[
            phone("1002", RingsThenRejects(486, 600)),
            phone("1003", Answers(900)),
            phone("1004", Rejects(486, 0)),
        ],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_an_added_target",
        plan: "user/1002,user/1003",
        phones: &[
            phone("1002", RingsThenRejects(486, 900)),
            phone("1003", RingsThenRejects(486, 900)),
            phone("1004", Answers(1200)),
        ],
        typed: &[(400, "cti add UUID user/1004")],
        not_bridge: Some("nothing can be added to it"),
        ..STAGES
    },
    Sound {
        name: "hears_a_skipped_stage",
        plan: "user/1002|user/1003",
        phones: &[phone("1002", Rings), phone("1003", Rejects(486, 900))],
        typed: &[(600, "cti skip UUID")],
        told: &[183, 480],
        hears: &[RINGING],
        heard_by: &[],
        not_bridge: Some("no stage of it can be skipped"),
        ..STAGES
    },
    // Bypassed media: no ringback, but for an answered caller, whose media moves at the end.
    Sound {
        name: "hears_bypass_is_180_alone",
        plan: "user/1002|user/1003",
        variables: &[TONE, ("bypass_media", "true")],
        phones: &[
            phone("1002", RingsThenRejects(486, 500)),
            phone("1003", Answers(500)),
        ],
        told: &[180, 200],
        hears: &[1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_bypass_answered_caller",
        plan: "user/1002|user/1003",
        caller: Caller::IsAnswered,
        variables: &[TRANSFER_TONE, ("bypass_media", "true")],
        phones: &[
            phone("1002", RingsThenRejects(486, 500)),
            phone("1003", Answers(500)),
        ],
        told: &[],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_bypass_parts_answered_caller",
        plan: "user/1002:_:user/1003",
        caller: Caller::IsAnswered,
        variables: &[TRANSFER_TONE, ("bypass_media", "true")],
        phones: &[
            phone("1002", Rejects(486, 300)),
            phone("1003", Answers(1000)),
        ],
        told: &[],
        hears: &[RINGING, 1200],
        heard_by: &[("1003", &[CALLER])],
        ..STAGES
    },
    Sound {
        name: "hears_bypass_later_start_answered_caller",
        plan: "[leg_delay_start=1]user/1002,user/1003",
        caller: Caller::IsAnswered,
        variables: &[TRANSFER_TONE, ("bypass_media", "true")],
        phones: &[
            phone("1002", Answers(1200)),
            phone("1003", RingsThenRejects(486, 700)),
        ],
        told: &[],
        hears: &[RINGING, 1000],
        heard_by: &[("1002", &[CALLER])],
        ..STAGES
    },
    // Early media.
    Sound {
        name: "hears_early_media_both_ways",
        caller: Caller::HangsUpAfter(1000),
        phones: &[phone("1002", Announces)],
        told: &[183, 487],
        hears: &[1000],
        ..RINGS
    },
    Sound {
        name: "hears_early_media_then_the_answer",
        variables: &[],
        phones: &[phone("1002", AnnouncesThenAnswers(800))],
        hears: &[1000],
        ..RINGS
    },
    // A carrier's announcement begins in the moment in which the leg does.
    Sound {
        name: "hears_early_media_of_the_first_moment",
        variables: &[],
        phones: &[phone("1002", Says(&[says(0, 183), says(900, 200)]))],
        hears: &[1000],
        ..RINGS
    },
    Sound {
        name: "hears_early_media_of_the_first_moment_relayed",
        plan: "user/1002|user/1003",
        variables: &[],
        phones: &[
            phone("1002", Says(&[says(0, 183), says(900, 486)])),
            phone("1003", Answers(500)),
        ],
        hears: &[1000, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        pause: 700,
        not_bridge: Some("the first announcement takes the call"),
        ..RINGS
    },
    Sound {
        name: "hears_no_early_media_of_the_first_moment_of_a_fork",
        plan: "user/1002,user/1003",
        phones: &[
            phone("1002", Says(&[says(0, 183)])),
            phone("1003", Answers(1000)),
        ],
        hears: &[RINGING, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        not_bridge: Some("the first announcement takes the call"),
        ..RINGS
    },
    Sound {
        name: "hears_early_media_relayed",
        plan: "{bridge_early_media=true}user/1002|user/1003",
        variables: &[],
        phones: &[
            phone("1002", AnnouncesThenRejects(486, 800)),
            phone("1003", Answers(500)),
        ],
        hears: &[1000, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        // No ringback is set: 1003 rings in silence.
        pause: 700,
        ..RINGS
    },
    Sound {
        name: "hears_early_media_relayed_by_itself",
        plan: "user/1002|user/1003",
        variables: &[],
        phones: &[
            phone("1002", AnnouncesThenRejects(486, 800)),
            phone("1003", Answers(500)),
        ],
        hears: &[1000, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        pause: 700,
        not_bridge: Some("the first announcement takes the call"),
        ..RINGS
    },
    Sound {
        name: "hears_early_media_relayed_with_ringback",
        plan: "{bridge_early_media=true}user/1002|user/1003",
        phones: &[
            phone("1002", AnnouncesThenRejects(486, 800)),
            phone("1003", Answers(700)),
        ],
        hears: &[1000, RINGING, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        not_bridge: Some("after the announcement it plays no ringback"),
        ..RINGS
    },
    Sound {
        name: "hears_early_media_relayed_after_ringing",
        plan: "{bridge_early_media=true}user/1002|user/1003|user/1004",
        phones: &[
            phone("1002", RingsThenRejects(486, 500)),
            phone("1003", AnnouncesThenRejects(486, 500)),
            phone("1004", Answers(500)),
        ],
        hears: &[RINGING, 1200, RINGING, 1500],
        heard_by: &[("1003", &[]), ("1004", &[CALLER])],
        not_bridge: Some("after the announcement it plays no ringback"),
        ..RINGS
    },
    Sound {
        name: "hears_no_early_media_of_a_fork",
        plan: "{ignore_early_media=true}user/1002,user/1003",
        phones: &[phone("1002", Announces), phone("1003", Answers(1000))],
        hears: &[RINGING, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        ..RINGS
    },
    Sound {
        name: "hears_no_early_media_of_a_fork_by_itself",
        plan: "user/1002,user/1003",
        phones: &[phone("1002", Announces), phone("1003", Answers(1000))],
        hears: &[RINGING, 1200],
        heard_by: &[("1002", &[]), ("1003", &[CALLER])],
        not_bridge: Some("the first announcement takes the call"),
        ..RINGS
    },
    Sound {
        name: "hears_early_media_answered_caller",
        caller: Caller::IsAnswered,
        variables: &[],
        phones: &[phone("1002", AnnouncesThenAnswers(800))],
        told: &[],
        hears: &[1000],
        ..RINGS
    },
];

/// One call and what was heard in it.
struct Hearing {
    course: Course,
    call: Option<Call>,
    caller: Vec<Heard>,
    /// By the phone's name.
    phones: Vec<(&'static str, Vec<Heard>)>,
}

/// Lines for the caller and the phones of a slot, lent for one call.
pub struct Lines<'a> {
    rig: &'a Rig,
    slot: usize,
    pub lines: Vec<(&'static str, Arc<Line>)>,
}

impl<'a> Lines<'a> {
    /// `plug` may change what a line is like: that of `1001` is the caller's.
    pub fn lend(
        rig: &'a Rig,
        slot: usize,
        plug: impl Fn(&str, Plug) -> Plug,
    ) -> Result<Lines<'a>, String> {
        let mut lent = Lines {
            rig,
            slot,
            lines: Vec::new(),
        };
        for (name, plays) in [("1001", CALLER)].iter().chain(PHONES) {
            let usual = Plug {
                plays: *plays,
                formats: &[PCMU],
                video: false,
                switch: None,
            };
            let line = Line::open(plug(name, usual)).map_err(|error| format!("a line: {error}"))?;
            let line = Arc::new(line);
            rig.phones
                .lend(&in_slot(name, slot), Some(Arc::clone(&line)));
            lent.lines.push((name, line));
        }
        Ok(lent)
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        for (name, _) in &self.lines {
            self.rig.phones.lend(&in_slot(name, self.slot), None);
        }
    }
}

impl Sound {
    pub fn run(&self, rig: &Rig, slot: usize) -> Result<Verdict, String> {
        let mut wrong = Vec::new();
        let mut notes = Vec::new();
        for application in ["bridge", "cti_bridge"] {
            if application == "bridge" && self.not_bridge.is_some() {
                continue;
            }
            let mut hearing = self.listen(rig, slot, application)?;
            if !self.late(&hearing).is_empty() {
                // The machine may have been busy elsewhere for a moment: a second call decides.
                hearing = self.listen(rig, slot, application)?;
            }
            let mut differences = self.differences(&hearing);
            differences.extend(self.late(&hearing));
            wrong.extend(
                differences
                    .iter()
                    .map(|line| format!("{application}: {line}")),
            );
            notes.push(format!("{application}: {}", hearing.figures()));
        }
        Ok(Verdict {
            wrong,
            note: notes.join("; "),
            ..Verdict::default()
        })
    }

    fn listen(&self, rig: &Rig, slot: usize, application: &str) -> Result<Hearing, String> {
        let lent = Lines::lend(rig, slot, |_, usual| usual)?;
        let wav = ringing_wav(rig)?;
        let value = |value: &'static str| if value == "RINGING_WAV" { &wav } else { value };
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, text)| (*name, value(text)))
            .collect();
        let order = Order {
            dial: if application == "bridge" {
                Dial::Compare(self.plan)
            } else {
                Dial::Plan(self.plan)
            },
            caller: self.caller,
            variables: &variables,
            phones: self.phones,
        };
        let (typed, course) = std::thread::scope(|scope| {
            let typing = scope.spawn(|| self.type_commands(rig, slot));
            let course = rig.call(&order, slot);
            (typing.join(), course)
        });
        typed.map_err(|_| "the typing thread panicked".to_string())??;
        let course = course?;
        let heard = |of: &dyn Fn(&str) -> bool| {
            let lines = lent.lines.iter().filter(|(name, _)| of(name));
            lines.map(|(name, line)| (*name, line.heard())).collect()
        };
        let caller: Vec<_> = heard(&|name| name == "1001");
        Ok(Hearing {
            call: rig.phones.call(&course.uuid),
            course,
            caller: caller.into_iter().flat_map(|(_, heard)| heard).collect(),
            phones: heard(&|name| name != "1001"),
        })
    }

    fn type_commands(&self, rig: &Rig, slot: usize) -> Result<(), String> {
        if self.typed.is_empty() {
            return Ok(());
        }
        let caller = in_slot("1001", slot);
        let soon = Instant::now() + Duration::from_secs(5);
        let uuid = rig.phones.calling(&caller, soon).ok_or("nobody calls")?;
        let executes = |event: &Packet| event.get("Application") == Some("cti_bridge");
        let event = rig.switch.events.wait(&uuid, soon, executes);
        let began = event.and_then(|event| event.at()).ok_or("it never ran")?;
        for (at, command) in self.typed {
            let due = began + Duration::from_millis(*at);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let command = in_slot(command, slot).replace("UUID", &uuid);
            let reply = rig.switch.connect()?.api(&command)?;
            if !reply.starts_with("+OK") {
                return Err(format!("{command}: {reply}"));
            }
        }
        Ok(())
    }

    fn differences(&self, hearing: &Hearing) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |what: &str, is: &dyn std::fmt::Debug, right: bool| {
            if !right {
                wrong.push(format!("{what} {is:?}"));
            }
        };
        let told = hearing.told();
        expect("the caller was told", &told, told == self.told);
        let heard = tones(&hearing.caller);
        expect("the caller heard", &heard, heard == self.hears);
        for (name, expected) in self.heard_by {
            let of = |(phone, _): &&(&str, Vec<Heard>)| phone == name;
            let heard = hearing.phones.iter().find(of);
            let heard = heard.map_or(Vec::new(), |(_, heard)| tones(heard));
            expect(&format!("{name} heard"), &heard, heard == *expected);
        }
        wrong
    }

    /// What came too late, or paused for too long.
    fn late(&self, hearing: &Hearing) -> Vec<String> {
        let mut wrong = Vec::new();
        let played = hearing.played();
        if played > 110 {
            wrong.push(format!(
                "two play at once: {played} % of the packets that there is time for"
            ));
        }
        let pause = hearing.pause();
        if pause > self.pause {
            wrong.push(format!("a pause of {pause} ms"));
        }
        // Where the talk is the first sound, it is as late as the answer.
        let awaited = self.told.first() != Some(&180);
        let first = hearing.first();
        if awaited && first.is_none_or(|first| first > PROMPT) {
            wrong.push(format!("the first sound came at {first:?} ms"));
        }
        wrong
    }
}

impl Hearing {
    fn told(&self) -> Vec<u16> {
        let responses = self.call.iter().flat_map(|call| &call.responses);
        let mut told: Vec<u16> = responses
            .map(|(_, status)| *status)
            .filter(|status| *status > 100)
            .collect();
        // Which of several phones rings first decides whether a 180 comes before the tone.
        if told.contains(&183) {
            told.retain(|status| *status != 180);
        }
        told.dedup();
        told
    }

    fn sounds(&self) -> impl Iterator<Item = &Heard> {
        self.caller.iter().filter(|packet| packet.tone.is_some())
    }

    fn first(&self) -> Option<Ms> {
        let first = self.sounds().next()?;
        Some(self.course.ms(first.at))
    }

    /// The longest time without a sound, once there was one.
    fn pause(&self) -> Ms {
        longest_pause(self.sounds()).as_millis() as Ms
    }

    /// How much of its time the caller is played to, in percent.
    fn played(&self) -> u128 {
        let (Some(first), Some(last)) = (self.caller.first(), self.caller.last()) else {
            return 0;
        };
        let time = (last.at - first.at).as_millis().max(200);
        self.caller.len() as u128 * 20 * 100 / time
    }

    fn figures(&self) -> String {
        let first = self
            .first()
            .map_or("never".to_string(), |at| format!("{at} ms"));
        format!("first sound {first}, longest pause {} ms", self.pause())
    }
}

/// A second of the ringing tone: 8000 Hz, 16 bit, one channel.
fn ringing_wav(rig: &Rig) -> Result<String, String> {
    let path = rig.switch.directory.join("data/ringing.wav");
    if !path.exists() {
        let sample = |n: u32| {
            let turns = f64::from(RINGING) * f64::from(n) / 8000.0;
            (8000.0 * (std::f64::consts::TAU * turns).sin()) as i16
        };
        let samples: Vec<u8> = (0..8000).flat_map(|n| sample(n).to_le_bytes()).collect();
        let length = samples.len() as u32;
        let mut wav = Vec::new();
        wav.extend(b"RIFF");
        wav.extend((36 + length).to_le_bytes());
        wav.extend(b"WAVEfmt ");
        wav.extend(16_u32.to_le_bytes());
        wav.extend([1, 0, 1, 0]);
        wav.extend(8000_u32.to_le_bytes());
        wav.extend(16_000_u32.to_le_bytes());
        wav.extend([2, 0, 16, 0]);
        wav.extend(b"data");
        wav.extend(length.to_le_bytes());
        wav.extend(samples);
        std::fs::write(&path, wav).map_err(|error| format!("ringing.wav: {error}"))?;
    }
    Ok(path.display().to_string())
}
