//! What docs/troubleshooting.md quotes is what a switch says: calls that go wrong, each in its way.
//! Every line of the page's blocks `text` must be found in what these calls have left: their lines in the log,
//! `cti show` of each, and the replies to what was typed meanwhile. `…` stands for anything.

use super::hostile::{await_contacts, forget};
use super::{Verdict, operator::steered, phone};
use crate::live::knowing::{api, call_with};
use crate::live::run::{Course, Rig};
use crate::scenarios::{Behaviour::*, Phone, Sdp, says};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../../../docs/troubleshooting.md");

/// A call that goes wrong.
struct Trouble {
    plan: &'static str,
    given: &'static [(&'static str, &'static str)],
    phones: &'static [Phone],
    /// Typed so long after the call began; UUID is the caller's.
    typed: &'static [(u64, &'static str)],
}

const NONE: Trouble = Trouble {
    plan: "",
    given: &[],
    phones: &[],
    typed: &[],
};

const fn of(plan: &'static str, phones: &'static [Phone]) -> Trouble {
    Trouble {
        plan,
        phones,
        ..NONE
    }
}

const TROUBLES: &[Trouble] = &[
    of("user/1009", &[]),
    of("user/9999", &[]),
    of(
        "foo/1002|sofia/nowhere/1002|sofia/gateway/nowhere/1002|sofia/gateway/down/1002",
        &[],
    ),
    of("user/1002", &[phone("1002", Stale)]),
    of("user/off1000", &[]),
    of("user/me1000", &[]),
    of("user/bad1000", &[]),
    of("group/nobody", &[]),
    of("user/1002|[leg_timeout=10user/1003", &[]),
    of(
        "[leg_timeout=5,fast]user/1002",
        &[phone("1002", Rejects(486, 50))],
    ),
    of(
        "{cti_stage_timeout=soon,cti_early_media=loud}[leg_timeout=long]user/1002",
        &[phone("1002", Rejects(486, 50))],
    ),
    of(
        "user/1002|user/1003|user/1004|user/1005|user/1006",
        &[
            phone("1002", Rejects(486, 50)),
            phone("1003", Rejects(603, 50)),
            phone("1004", Rejects(404, 50)),
            phone("1005", Rejects(488, 50)),
            phone("1006", Rejects(503, 50)),
        ],
    ),
    of(
        "user/1002|user/1003|user/1004",
        &[
            phone("1002", Rejects(480, 50)),
            phone("1003", Rejects(403, 50)),
            phone("1004", Rejects(408, 50)),
        ],
    ),
    of("user/1002", &[phone("1002", Challenges(407, 500))]),
    Trouble {
        plan: "{cti_stage_timeout=1}user/1002|user/1003",
        phones: &[phone("1002", Dead), phone("1003", Rings)],
        typed: &[(500, "cti show UUID")],
        ..NONE
    },
    of(
        "user/1002|user/1003",
        &[
            phone(
                "1002",
                Says(&[says(0, 180), says(100, 200).with(Sdp::None)]),
            ),
            phone(
                "1003",
                Says(&[says(0, 180), says(100, 200).with(Sdp::Unusable)]),
            ),
        ],
    ),
    of(
        "{cti_debug=true,cti_stage_timeout=1}user/1002",
        &[phone("1002", Says(&[says(0, 183), says(200, 180)]))],
    ),
    of(
        "[group_confirm_key=1,group_confirm_file=/no/such.wav]user/1002|[group_confirm_key=exec,group_confirm_file=nothing here]user/1003",
        &[phone("1002", Answers(50)), phone("1003", Answers(50))],
    ),
    Trouble {
        plan: "[group_confirm_key=1,group_confirm_file=silence_stream://5000,leg_timeout=1]user/1002",
        phones: &[phone("1002", Answers(100))],
        typed: &[(600, "cti show UUID")],
        ..NONE
    },
    of(
        "[leg_required=true]user/1009,user/1002",
        &[phone("1002", Answers(500))],
    ),
    of(
        "{fail_on_single_reject=true}user/1002,user/1003|user/1004",
        &[phone("1002", Rejects(486, 200)), phone("1003", Rings)],
    ),
    Trouble {
        plan: "loopback/leads_to_itself",
        given: &[("max_forwards", "5")],
        ..NONE
    },
    Trouble {
        plan: "user/1002",
        given: &[("max_forwards", "1")],
        phones: &[phone("1002", Rings)],
        ..NONE
    },
    Trouble {
        plan: "user/slow",
        typed: &[(150, "cti show UUID")],
        ..NONE
    },
    Trouble {
        plan: "{cti_stage_timeout=1}user/1002,user/1003",
        phones: &[
            phone("1002", RegistersThenAnswers(300, 100)),
            phone("1003", Rings),
        ],
        ..NONE
    },
    Trouble {
        plan: "{cti_late_join=true}user/1002,user/1003",
        phones: &[
            phone("1002", RegistersThenAnswers(300, 100)),
            phone("1003", Rings),
        ],
        ..NONE
    },
    Trouble {
        plan: "{cti_stage_timeout=1500ms}user/1002,[leg_delay_start=1]user/1003",
        phones: &[phone("1002", Rings), phone("1003", Rings)],
        typed: &[(300, "cti show UUID")],
        ..NONE
    },
    Trouble {
        plan: "{cti_wait_register=1}user/1009",
        typed: &[(300, "cti show UUID")],
        ..NONE
    },
    Trouble {
        plan: "{cti_stage_timeout=1}user/1002",
        given: &[("bypass_media", "true")],
        phones: &[phone("1002", Announces)],
        typed: &[(300, "cti show UUID")],
    },
    Trouble {
        plan: "{cti_stage_timeout=2}user/1002,user/1003",
        phones: &[phone("1002", Rings), phone("1003", Answers(1200))],
        typed: &[
            (200, "cti show UUID"),
            (210, "cti cancel UUID NOSUCH"),
            (220, "cti drop UUID user/1005"),
            (230, "cti add UUID user/1009"),
            (240, "cti show nosuch"),
            (250, "cti explain user/1002|[leg_timeout=10user/1003"),
            (260, "cti explain user/1009,user/1002|user/1003"),
            (270, "cti explain {cti_late_join=true}user/1002"),
            (280, "cti explain user/bad1000"),
            (300, "unload mod_cti"),
        ],
        ..NONE
    },
];

/// `TROUBLES_SAID` names a file for all that was said, for whoever writes the page.
pub fn are_told_as_the_page_says(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let quotes = quotes(PAGE, "text");
    let (mut said, mut unsaid) = (String::new(), quotes.clone());
    // On a machine that is overrun a command comes after its moment: it comes again.
    for _ in 0..3 {
        for trouble in TROUBLES {
            told(rig, slot, trouble, &mut said)
                .map_err(|error| format!("{}: {error}", trouble.plan))?;
        }
        hostile(rig, slot, &mut said)?;
        let many = "user/1002,".repeat(1025);
        said += &api(rig, &format!("cti explain {many}"))?;
        unsaid.retain(|quote| !said.lines().any(|line| fits(line, quote)));
        if unsaid.is_empty() {
            break;
        }
    }
    if let Some(file) = std::env::var_os("TROUBLES_SAID") {
        std::fs::write(file, &said).map_err(|error| error.to_string())?;
    }
    let mut wrong: Vec<String> = unsaid
        .iter()
        .map(|quote| format!("no switch says: {quote}"))
        .collect();
    if quotes.len() < 30 {
        wrong.push(format!("the page quotes {} lines only", quotes.len()));
    }
    Ok(Verdict {
        wrong,
        note: format!("{} lines quoted", quotes.len()),
        ..Verdict::default()
    })
}

/// Place the call, and keep all that is said of it.
fn told(rig: &Rig, slot: usize, trouble: &Trouble, said: &mut String) -> Result<(), String> {
    let Trouble {
        plan,
        given,
        phones,
        typed,
    } = *trouble;
    let course = match typed {
        [] => call_with(rig, slot, plan, phones, given)?,
        _ => {
            let (replies, course) = steered(rig, slot, plan, phones, given, typed)?;
            replies
                .iter()
                .for_each(|reply| *said += &format!("{reply}\n"));
            course
        }
    };
    kept(rig, &course, said)
}

/// The call's lines in the log, its ladder, and what its variables say.
fn kept(rig: &Rig, course: &Course, said: &mut String) -> Result<(), String> {
    let uuid = &course.uuid;
    let until = Instant::now() + Duration::from_secs(2);
    // The log is written a moment after what it tells of: last comes how the call ended.
    let log = loop {
        let log = rig.switch.log();
        let is_last = |line: &str| line.contains(uuid) && line.contains(" after ");
        let is_over = log.lines().any(is_last) || course.variable("cti_error").is_some();
        if is_over || Instant::now() > until {
            break log;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let ours = |line: &&str| {
        line.contains(uuid) && line.contains("cti_bridge") || line.contains("directory's")
    };
    log.lines()
        .filter(ours)
        .for_each(|line| *said += &format!("{line}\n"));
    *said += &api(rig, &format!("cti show {uuid}"))?;
    for (name, value) in &course.variables {
        if name.starts_with("cti_") || name == "DIALSTATUS" || name == "hangup_cause" {
            *said += &format!("{name}={value}\n");
        }
    }
    *said += &format!("caller is told {:?}\n", course.replies);
    Ok(())
}

/// A phone registers more than a contact.
fn hostile(rig: &Rig, slot: usize, said: &mut String) -> Result<(), String> {
    let address = rig.address;
    let contact = format!("<sip:1002@{address};x=1,loopback/app=system:true>");
    rig.phones.register_as("1002", &contact)?;
    await_contacts(rig, "1002", |count| count > 0)?;
    let done = told(rig, slot, &of("user/1002|user/1009", &[]), said);
    forget(rig, "1002")?;
    done
}

/// The lines of the page's blocks of this kind.
fn quotes<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let opens = format!("```{kind}\n");
    let blocks = page.split(&opens).skip(1);
    let lines = blocks.filter_map(|block| block.split("```").next());
    let lines = lines.flat_map(str::lines).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect()
}

/// The pieces between the page's `…` stand in this line, in their order.
fn fits(line: &str, quote: &str) -> bool {
    let mut rest = line;
    quote.split('…').all(|piece| {
        let found = rest.find(piece);
        rest = found.map_or("", |at| &rest[at + piece.len()..]);
        found.is_some()
    })
}
