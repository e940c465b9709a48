//! `make demo`: dials 22222 and 11111 on a private switch and draws who rang from when to when.
//! The switch is a real FreeSWITCH with real SIP phones if one is installed, else the stand-in; it says which.
//! Nothing on the machine is touched: a directory of its own, ports on loopback, everything ended at the end.

#[path = "../tests/harness/mod.rs"]
mod harness;
#[path = "../tests/live/mod.rs"]
mod live;
#[path = "../tests/scenarios/mod.rs"]
mod scenarios;
#[path = "../tests/standin/mod.rs"]
mod standin;

use live::run::{Dial, Found, Order, Rig, Settings};
use scenarios::table::SCENARIOS;
use scenarios::{Behaviour, Caller, Phone, Scenario, Seen, SeenRing, Told};
use std::io::IsTerminal;
use std::process::ExitCode;

/// One call of the demo: what is dialled, and what the phones will do.
struct Act {
    exten: &'static str,
    title: &'static str,
    plan: &'static str,
    /// `cti_stage_timeout` for this call, so that nobody waits for the default 20 seconds.
    stage_timeout: Option<&'static str>,
    phones: &'static [Phone],
}

const TOGETHER: &str = "user/1002,user/1003";
const ONE_AFTER_ANOTHER: &str = "user/1002|user/1003";

const fn phone(name: &'static str, does: Behaviour) -> Phone {
    Phone {
        name,
        user: name,
        does,
    }
}

const ACTS: &[Act] = &[
    Act {
        exten: "22222",
        title: "同振: both ring, 1003 answers late, 1002 never",
        plan: TOGETHER,
        stage_timeout: None,
        phones: &[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Answers(2500)),
        ],
    },
    Act {
        exten: "22222",
        title: "同振: 1002 is busy, 1003 answers",
        plan: TOGETHER,
        stage_timeout: None,
        phones: &[
            phone("1002", Behaviour::Rejects(486, 150)),
            phone("1003", Behaviour::Answers(1800)),
        ],
    },
    Act {
        exten: "22222",
        title: "同振: nobody answers",
        plan: TOGETHER,
        stage_timeout: Some("3"),
        phones: &[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Rings),
        ],
    },
    Act {
        exten: "11111",
        title: "顺振: 1002 never answers, then 1003 does",
        plan: ONE_AFTER_ANOTHER,
        stage_timeout: Some("3"),
        phones: &[
            phone("1002", Behaviour::Rings),
            phone("1003", Behaviour::Answers(1500)),
        ],
    },
    Act {
        exten: "11111",
        title: "顺振: 1002 declines after a moment, 1003 answers",
        plan: ONE_AFTER_ANOTHER,
        stage_timeout: None,
        phones: &[
            phone("1002", Behaviour::RingsThenRejects(603, 1200)),
            phone("1003", Behaviour::Answers(1500)),
        ],
    },
    Act {
        exten: "11111",
        title: "顺振: 1002 only plays an announcement, 1003 is busy",
        plan: ONE_AFTER_ANOTHER,
        stage_timeout: Some("2.5"),
        phones: &[
            phone("1002", Behaviour::Announces),
            phone("1003", Behaviour::Rejects(486, 300)),
        ],
    },
];

fn main() -> ExitCode {
    let shown = match Found::look("cti_bridge") {
        Ok(found) => on_freeswitch(&found),
        Err(reason) => {
            println!(
                "{reason}.\nThe stand-in takes its place: the same module, a small switch of our own.\n"
            );
            on_stand_in()
        }
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn on_freeswitch(found: &Found) -> Result<(), String> {
    let ink = Ink::new();
    let settings = Settings {
        application: "cti_bridge".to_string(),
        log_level: "info".to_string(),
        exact_clock: true,
        few_arenas: false,
    };
    let rig = Rig::start(found, &settings)?;
    let mut connection = rig.switch.connect()?;
    let version = connection.api("version short").unwrap_or_default();
    println!(
        "FreeSWITCH {}, a private one, with SIP phones 1001, 1002 and 1003.\n",
        version.trim()
    );
    for act in ACTS {
        // A global variable stands in for every channel's own.
        connection.api(&format!(
            "global_setvar cti_stage_timeout={}",
            act.stage_timeout.unwrap_or("")
        ))?;
        let order = Order {
            dial: Dial::Extension(act.exten),
            caller: Caller::Waits,
            variables: &[],
            phones: act.phones,
        };
        let course = rig.call(&order, 0)?;
        print!("{}", ladder(act, &course.seen(), &ink));
    }
    connection.api("global_setvar cti_stage_timeout=")?;
    for user in ["1002", "1003"] {
        rig.phones
            .register(&format!("{user}-desk"), user, Behaviour::Rings)?;
    }
    for plan in [TOGETHER, ONE_AFTER_ANOTHER] {
        println!("{}", ink.bold(&format!("fs_cli> cti explain {plan}")));
        println!(
            "{}\n",
            connection.api(&format!("cti explain {plan}"))?.trim_end()
        );
    }
    let Rig { switch, phones, .. } = rig;
    drop(phones);
    switch.stop()
}

/// Where no FreeSWITCH is installed: the same acts on the stand-in, which takes the plan itself.
fn on_stand_in() -> Result<(), String> {
    let ink = Ink::new();
    let stand = standin::run::Stand::start(&harness::module()?)?;
    println!("{}\n", ink.dim(LEGEND));
    for act in ACTS {
        let timeout: &'static [(&str, &str)] = match act.stage_timeout {
            Some(time) => Box::leak(Box::new([("cti_stage_timeout", time)])),
            None => &[],
        };
        // Of the table's first scenario only the form is used: nothing is checked here.
        let scenario = Scenario {
            name: act.exten,
            plan: act.plan,
            variables: timeout,
            phones: act.phones,
            ..SCENARIOS[0]
        };
        let course = stand.scenario(&Scenario {
            caller: Caller::Waits,
            ..scenario
        });
        print!("{}", ladder(act, &course.seen, &ink));
    }
    stand.register(&[
        phone("1002", Behaviour::Rings),
        phone("1003", Behaviour::Rings),
    ]);
    for plan in [TOGETHER, ONE_AFTER_ANOTHER] {
        println!("{}", ink.bold(&format!("fs_cli> cti explain {plan}")));
        println!(
            "{}\n",
            stand
                .library
                .api("cti", Some(format!("explain {plan}").as_bytes()), true)
                .trim_end()
        );
    }
    Ok(())
}

const LEGEND: &str = "▒ rings   █ talks   · waits   ╡ stopped by the switch   ╳ ended by the phone";

/// Colours for a terminal, nothing for a file.
struct Ink {
    colours: bool,
}

impl Ink {
    fn new() -> Ink {
        Ink {
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.colours && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }
    fn green(&self, text: &str) -> String {
        self.with("32", text)
    }
    fn yellow(&self, text: &str) -> String {
        self.with("33", text)
    }
    fn red(&self, text: &str) -> String {
        self.with("31", text)
    }
    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Columns of the time axis.
const WIDTH: usize = 48;

/// One call as a picture: a time axis, a bar for each ring, and what each phone was told.
fn ladder(act: &Act, seen: &Seen, ink: &Ink) -> String {
    let last = seen.rings.iter().map(|ring| ring.to).max().unwrap_or(0);
    // Whole seconds, and room to see the winner talk.
    let seconds = (last + 700).div_ceil(1000).max(2) as usize;
    let column = |ms: u64| (ms as usize * WIDTH / (seconds * 1000)).min(WIDTH);
    let deadline = act
        .stage_timeout
        .map(|time| format!("  (cti_stage_timeout={time})"))
        .unwrap_or_default();
    let mut text = format!(
        "{}  {}{}\n",
        ink.bold(act.exten),
        ink.bold(act.title),
        ink.dim(&deadline)
    );
    text.push_str(&format!(
        "       {}\n",
        ink.dim(&format!("cti_bridge({})", act.plan))
    ));
    text.push_str(&format!("       {}\n", ink.dim(&axis(seconds))));
    let answer = seen
        .rings
        .iter()
        .find(|ring| ring.told == Told::Joined)
        .map(|ring| ring.to);
    let over = answer.unwrap_or(last);
    let waits = "·".repeat(column(over).max(1));
    let talks = answer
        .map(|at| "█".repeat(WIDTH - column(at)))
        .unwrap_or_default();
    let pad = " ".repeat(WIDTH.saturating_sub(waits.chars().count() + talks.chars().count()));
    let result = seen.variable("cti_result").unwrap_or("?");
    let cause = seen.variable("cti_cause").unwrap_or("?");
    let winner = seen
        .variable("cti_winner")
        .filter(|winner| !winner.is_empty());
    let outcome = match winner {
        Some(winner) => ink.green(&format!("{result}: {winner} after {}", clock(over))),
        None => ink.red(&format!("{result} ({cause}) after {}", clock(over))),
    };
    text.push_str(&format!(
        "  1001 {}{}{pad}  {outcome}\n",
        ink.dim(&waits),
        ink.green(&talks)
    ));
    for ring in &seen.rings {
        text.push_str(&row(ring, column, ink));
    }
    text.push('\n');
    text
}

fn row(ring: &SeenRing, column: impl Fn(u64) -> usize, ink: &Ink) -> String {
    let from = column(ring.from);
    let bar = "▒".repeat(column(ring.to).saturating_sub(from).max(1));
    let (end, said) = match ring.told {
        Told::Joined => (
            ink.green(&"█".repeat(WIDTH.saturating_sub(column(ring.to)))),
            ink.green(&format!("answered at {}: wins", clock(ring.to))),
        ),
        Told::Elsewhere => (
            "╡".to_string(),
            "told: answered elsewhere, no missed call".to_string(),
        ),
        Told::NoAnswer => (
            "╡".to_string(),
            ink.yellow("told: time is over, a missed call"),
        ),
        Told::CallerGone => ("╡".to_string(), ink.yellow("told: the caller gave up")),
        Told::TooLate => (
            "╳".to_string(),
            "answered too late, told: answered elsewhere".to_string(),
        ),
        Told::Incompatible => ("╳".to_string(), ink.red("answered without usable media")),
        Told::ItsOwn(486) => ("╳".to_string(), ink.red("said: 486 busy")),
        Told::ItsOwn(603) => ("╳".to_string(), ink.red("said: 603 declined")),
        Told::ItsOwn(status) => ("╳".to_string(), ink.red(&format!("said: {status}"))),
        Told::Nothing | Told::Unclear => ("?".to_string(), "gave no sign".to_string()),
    };
    let used = match ring.told {
        Told::Joined => WIDTH,
        _ => from + bar.chars().count() + 1,
    };
    let pad = " ".repeat(WIDTH.saturating_sub(used));
    let rang = ink.dim(&format!("{}-{}", clock(ring.from), clock(ring.to)));
    format!(
        "  {} {}{}{end}{pad}  {said}  {rang}\n",
        ring.phone,
        " ".repeat(from),
        ink.yellow(&bar)
    )
}

/// `0 s` and a mark for each second.
fn axis(seconds: usize) -> String {
    let mut line = vec![' '; WIDTH + 4];
    for second in 0..=seconds {
        let at = second * WIDTH / seconds;
        let label = if second == 0 {
            "0 s".to_string()
        } else {
            second.to_string()
        };
        for (place, character) in line.iter_mut().skip(at).zip(label.chars()) {
            *place = character;
        }
    }
    line.into_iter().collect::<String>().trim_end().to_string()
}

fn clock(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}
