//! One scenario on the stand-in: phones registered, the caller's call run to its end, and the
//! diary of it all as `Seen`.
//! `Stand` is the running stand-in with the module loaded; one process has one.

use super::library::{self, Library};
use crate::harness::module;
use crate::scenarios::table::{
    DIAL_STRINGS, DIAL_VARIABLES, DO_NOT_DISTURB, GROUPS, LOOPBACKS, RINGS, SLOW,
};
use crate::scenarios::{Behaviour, Caller, Ms, Phone, Scenario, Seen, SeenRing, Told};
use std::path::{Path, PathBuf};

/// The users' domain in the stand-in's directory.
const DOMAIN: &str = "pbx.invalid";
/// How long the caller talks once joined.
const TALK: i64 = 50;

/// The numbers of `enum behaviour` in standin.h, with status and delay.
fn numbers(does: Behaviour) -> (i32, u16, Ms) {
    match does {
        Behaviour::Answers(after)
        | Behaviour::RegistersThenAnswers(_, after)
        | Behaviour::MovesThenAnswers(_, after) => (0, 0, after),
        Behaviour::Rings => (1, 0, 0),
        Behaviour::Rejects(status, after) => (2, status, after),
        Behaviour::RingsThenRejects(status, after) => (3, status, after),
        Behaviour::Announces => (4, 0, 0),
        Behaviour::AnnouncesThenAnswers(after) => (5, 0, after),
        Behaviour::AnnouncesThenRejects(status, after) => (6, status, after),
        Behaviour::Dead => (7, 0, 0),
        Behaviour::Stale => (8, 0, 0),
        Behaviour::Says(_) => (9, 0, 0),
        Behaviour::Challenges(status, after) => (10, status, after),
    }
}

/// What happened to an INVITE beside what the table asks about.
#[derive(Debug, Clone)]
pub struct Story {
    pub phone: String,
    /// Milliseconds; `None`: it has not happened.
    pub ringing: Option<Ms>,
    pub answered: Option<Ms>,
    pub status: u16,
    /// The Reason header of its CANCEL or BYE.
    pub reason: String,
}

/// A whole call: what the table is checked with, and what a reader may want to see.
#[derive(Debug, Clone, Default)]
pub struct Course {
    pub seen: Seen,
    pub stories: Vec<Story>,
    /// What the caller was sent (`180`, `200`, `486`) and when; `gone` when he hung up.
    pub caller: Vec<(Ms, String)>,
    pub events: Vec<Vec<(String, String)>>,
    pub log: Vec<(u8, String)>,
    /// What the module has not given back.
    pub leftovers: Vec<String>,
}

pub struct Stand {
    pub library: Library,
    module: PathBuf,
}

impl Stand {
    /// The stand-in with the directory of the scenario table, and the module loaded.
    pub fn start(module: &Path) -> Result<Stand, String> {
        let stand = Stand {
            library: Library::open()?,
            module: module.to_owned(),
        };
        for (name, users) in GROUPS {
            stand.library.add_group(name, users);
        }
        for (extension, does) in LOOPBACKS {
            stand.library.add_loopback(extension, *does);
        }
        for (user, name, value) in DIAL_VARIABLES {
            stand
                .library
                .add_user_item(user, "param", &format!("dial-var-{name}"), value);
        }
        for (user, dial_string) in DIAL_STRINGS {
            let library = &stand.library;
            library.add_user_item(user, "user", "id", user);
            library.add_user_item(user, "param", "dial-string", dial_string);
        }
        for user in DO_NOT_DISTURB {
            let library = &stand.library;
            library.add_user_item(user, "user", "id", user);
            library.add_user_item(user, "variable", "do_not_disturb", "true");
        }
        let rings = format!("<groups>{RINGS}</groups>");
        stand.library.set_config_elements(&rings);
        let (user, takes) = SLOW;
        let takes = takes.to_string();
        stand.library.add_user_item(user, "takes", "ms", &takes);
        stand.load()?;
        Ok(stand)
    }

    /// The file that is loaded.
    pub fn module(&self) -> &Path {
        &self.module
    }

    pub fn load(&self) -> Result<(), String> {
        let said = |error| format!("{}: {error}", self.module.display());
        self.library.load(&self.module).map_err(said)
    }

    pub fn register(&self, phones: &[Phone]) {
        for phone in phones {
            self.register_one(phone);
        }
        for phone in phones {
            self.replies_of(phone);
        }
    }

    /// A redirection may lead to any phone of the scenario, so all of them are there already.
    fn replies_of(&self, phone: &Phone) {
        let Behaviour::Says(replies) = phone.does else {
            return;
        };
        for reply in replies {
            let contacts = reply.contacts(
                |text| text.replace("DOMAIN", DOMAIN),
                |name| self.library.phone_place(name),
            );
            let (at, status) = (reply.at, reply.status);
            self.library
                .phone_says(phone.name, at, status, reply.sdp as i32, &contacts);
        }
    }

    fn register_one(&self, phone: &Phone) {
        let (does, status, after) = numbers(phone.does);
        self.library
            .add_phone(phone.name, phone.user, does, status, after);
    }

    /// The phones that come to be registered during the call, in order of their times.
    fn register_late(&self, phones: &[Phone]) {
        let began = std::time::Instant::now();
        for phone in phones {
            if let Some(at) = phone.does.registers_at() {
                let due = began + std::time::Duration::from_millis(at);
                std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
                self.register_one(phone);
            }
        }
    }

    pub fn scenario(&self, scenario: &Scenario) -> Course {
        let early = |phone: &&Phone| phone.does.registers_at().is_none();
        let early: Vec<Phone> = scenario.phones.iter().filter(early).copied().collect();
        self.register(&early);
        let caller = self.library.caller("1001", scenario.caller.is_answered());
        for (name, value) in scenario.variables {
            self.library.set_variable(caller, name, *value);
        }
        self.library.begin();
        let after = match scenario.caller {
            Caller::HangsUpAfter(after) => after as i64,
            _ => -1,
        };
        self.library.hangs_up(caller, after, TALK);
        let plan = scenario.plan.replace("DOMAIN", DOMAIN);
        let found = std::thread::scope(|scope| {
            scope.spawn(|| self.register_late(scenario.phones));
            self.library
                .application(caller, "cti_bridge", Some(plan.as_bytes()))
        });
        let variables = self.library.finish(caller);
        let mut course = self.collect(variables);
        if !found {
            course
                .leftovers
                .push("the module offers no cti_bridge".to_owned());
        }
        course
    }

    /// When the call is over: wait for its legs, read the diary, and forget the phones.
    pub fn collect(&self, variables: Vec<(String, String)>) -> Course {
        let slow = slowness() as u32;
        let quiet = self.library.quiet(2000 * slow);
        let mut course = Course {
            seen: Seen {
                variables,
                ..Seen::default()
            },
            leftovers: self.library.leftovers(true),
            events: self.library.events(),
            log: self.library.log(),
            ..Course::default()
        };
        for record in self.library.diary() {
            let field = |i: usize| record.get(i).map_or("", String::as_str);
            match field(0) {
                "R" => course.note(&record),
                "J" => course.seen.joined = Some(field(1).to_owned()),
                "C" => {
                    course.seen.hears.extend(field(2).parse::<u16>());
                    course.seen.reason = field(4).to_owned();
                    course
                        .caller
                        .push((field(3).parse().unwrap_or(0), field(2).to_owned()));
                }
                _ => {}
            }
        }
        if quiet {
            self.library.forget();
        } else {
            course
                .leftovers
                .push("the call's legs did not end".to_owned());
        }
        course
    }
}

/// One scenario from nothing: start the stand-in, load the module, play, unload.
/// A process may do so more than once; for many scenarios in a row keep a `Stand`.
pub fn play(scenario: &Scenario) -> Result<Course, String> {
    let stand = Stand::start(&module()?)?;
    let course = stand.scenario(scenario);
    stand.library.unload(false)?;
    Ok(course)
}

impl Course {
    fn note(&mut self, record: &[String]) {
        let field = |i: usize| record.get(i).map_or("", String::as_str);
        let time = |i: usize| field(i).parse::<i64>().unwrap_or(-1);
        let happened = |i: usize| u64::try_from(time(i)).ok();
        let status = field(7).parse().unwrap_or(0);
        let told = match field(6) {
            "Joined" => Told::Joined,
            "Elsewhere" => Told::Elsewhere,
            "NoAnswer" => Told::NoAnswer,
            "CallerGone" => Told::CallerGone,
            "ItsOwn" => Told::ItsOwn(status),
            "TooLate" => Told::TooLate,
            "Incompatible" => Told::Incompatible,
            "Nothing" => Told::Nothing,
            _ => Told::Unclear,
        };
        self.seen.rings.push(SeenRing {
            phone: field(1).to_owned(),
            from: happened(2).unwrap_or(0),
            to: happened(5).unwrap_or(0),
            told,
            headers: record
                .iter()
                .skip(9)
                .filter_map(|field| library::header(field))
                .collect(),
        });
        self.stories.push(Story {
            phone: field(1).to_owned(),
            ringing: happened(3),
            answered: happened(4),
            status,
            reason: field(8).to_owned(),
        });
    }
}

/// How much slower than usual this run is (under a memory checker): `MOD_CTI_SLOW`.
pub fn slowness() -> u64 {
    std::env::var("MOD_CTI_SLOW")
        .ok()
        .and_then(|slow| slow.parse().ok())
        .unwrap_or(1)
        .max(1)
}
