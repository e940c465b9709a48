//! Runs one scenario on the private switch and says what was seen.
//! Time zero is the moment the switch began to execute the application.
//! Scenarios run side by side, each in a slot of users of its own.

use super::esl::{Packet, url_encode};
use super::phones::{Leg, Phones};
use super::switch::{DOMAIN, Switch, from_slot, in_slot};
use super::{find, sip, switch};
use crate::harness::module;
use crate::scenarios::{Behaviour, Caller, Ms, Phone, Scenario, Seen, SeenRing, Told};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After the answer: losers are told and everything settles, then the caller hangs up.
const TALK: Duration = Duration::from_millis(400);
/// Before a command that waits until the two are joined.
const BRIDGED: &str = "bridged: ";
/// `dials: 1005 via_1006`: a phone places a second call, which is answered.
const DIALS: &str = "dials: ";
/// The phone of the second call transfers its peer to the caller's place.
const REFERS: &str = "refers";
/// No scenario takes longer; one that does has failed.
const LONGEST: Duration = Duration::from_secs(60);

pub struct Rig {
    pub switch: Switch,
    pub phones: Phones,
    /// Where the phones are.
    pub address: SocketAddr,
    pub application: String,
    runs: AtomicU64,
}

pub struct Settings {
    pub application: String,
    pub log_level: String,
    pub exact_clock: bool,
    pub few_arenas: bool,
}

/// What the machine has, or why there is nothing to run on.
pub struct Found {
    pub installed: find::Installed,
    pub module: Option<PathBuf>,
}

impl Found {
    pub fn look(application: &str) -> Result<Found, String> {
        let installed = find::freeswitch()?;
        // Core's own application runs without our module as well.
        let module = match module() {
            Ok(module) => Some(module),
            Err(_) if application == "bridge" => None,
            Err(missing) => return Err(missing),
        };
        Ok(Found { installed, module })
    }
}

/// One call from its beginning to its end, with everything that was seen of it.
pub struct Course {
    pub uuid: String,
    pub began: Instant,
    /// Legs by Call-ID, which is the channel's uuid, with the phone's name in the scenario.
    pub legs: Vec<(String, String, Leg)>,
    pub variables: Vec<(String, String)>,
    pub answered: Option<Instant>,
    /// What the caller's INVITE was replied with, and the Reason in the last reply; one who was called has none.
    pub replies: Vec<u16>,
    pub reason: String,
    pub bridged: Option<String>,
    pub phones: Vec<Phone>,
    pub slot: usize,
    /// The seats of this run's phones end so.
    pub suffix: String,
}

/// What else happens on a call.
#[derive(Default, Clone, Copy)]
pub struct Beside<'a> {
    /// How long the two talk; None as long as in all scenarios.
    pub talk: Option<Duration>,
    /// Applications that run before the one that rings: a name of `switch::BEFORE`, and the argument.
    pub before: &'a [(&'a str, &'a str)],
    /// Commands typed this long after the application began, or behind `bridged: ` after the two were joined;
    /// `CALLER` and `LEG(1002)` stand for channels.
    pub typed: &'a [(Ms, &'a str)],
}

pub enum Dial<'a> {
    /// The scenario's plan, by the `run` extension.
    Plan(&'a str),
    /// The same plan given to core's own `bridge`.
    Compare(&'a str),
    /// An extension of `conf/`.
    Extension(&'a str),
    /// An extension of FreeSWITCH's own dialplan, with `bridge` or with `cti_bridge`.
    Stock(&'a str, &'a str),
}

pub struct Order<'a> {
    pub dial: Dial<'a>,
    pub caller: Caller,
    pub variables: &'a [(&'a str, &'a str)],
    pub phones: &'a [Phone],
}

impl Rig {
    pub fn start(found: &Found, settings: &Settings) -> Result<Rig, String> {
        let socket = Phones::socket().map_err(|error| format!("phones: {error}"))?;
        let address = socket
            .local_addr()
            .map_err(|error| format!("phones: {error}"))?;
        let switch = Switch::start(&switch::Options {
            phones: address,
            installed: &found.installed,
            module: found.module.as_deref(),
            application: &settings.application,
            log_level: &settings.log_level,
            exact_clock: settings.exact_clock,
            few_arenas: settings.few_arenas,
        })?;
        let phones = Phones::start(socket, switch.sip, DOMAIN)
            .map_err(|error| format!("phones: {error}"))?;
        phones.switch_of_six(switch.six);
        Ok(Rig {
            switch,
            phones,
            address,
            application: settings.application.clone(),
            runs: AtomicU64::new(1),
        })
    }

    pub fn scenario(&self, scenario: &Scenario, slot: usize) -> Result<(Seen, Course), String> {
        let course = self.call(
            &Order {
                dial: Dial::Plan(scenario.plan),
                caller: scenario.caller,
                variables: scenario.variables,
                phones: scenario.phones,
            },
            slot,
        )?;
        Ok((course.seen(), course))
    }

    /// Registers the phones, places the call, waits for its end, and takes the phones away again.
    pub fn call(&self, order: &Order, slot: usize) -> Result<Course, String> {
        self.call_with(order, &Beside::default(), slot)
    }

    pub fn call_with(&self, order: &Order, beside: &Beside, slot: usize) -> Result<Course, String> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let suffix = format!("-r{run}");
        let seat = |phone: &Phone| format!("{}{suffix}", phone.name);
        let early = |phone: &&Phone| phone.does.registers_at().is_none();
        for phone in order.phones.iter().filter(early) {
            self.phones
                .register(&seat(phone), &in_slot(phone.user, slot), phone.does)?;
        }
        let course = self.course(order, beside, slot, &suffix);
        for phone in order.phones {
            self.phones
                .unregister(&seat(phone), &in_slot(phone.user, slot))?;
        }
        if order.caller.is_answered() {
            self.phones
                .unregister(&format!("caller{suffix}"), &in_slot("1001", slot))?;
        }
        course
    }

    fn course(
        &self,
        order: &Order,
        beside: &Beside,
        slot: usize,
        suffix: &str,
    ) -> Result<Course, String> {
        let uuid = call_uuid();
        let limit = Instant::now() + LONGEST;
        self.place(order, beside, slot, suffix, &uuid)?;
        let application = match order.dial {
            Dial::Compare(_) => "bridge",
            Dial::Stock(_, application) => application,
            _ => &self.application,
        };
        let is_ours = |event: &Packet| {
            event.get("Event-Name") == Some("CHANNEL_EXECUTE")
                && event.get("Application") == Some(application)
        };
        let soon = Instant::now() + Duration::from_secs(10);
        let executed = self.switch.events.wait(&uuid, soon, is_ours);
        let executed = executed.ok_or(format!("{application} was not executed"))?;
        let began = executed.at().ok_or("the event has no time")?;
        if let Caller::HangsUpAfter(after) = order.caller {
            self.phones
                .hang_up(&uuid, began + Duration::from_millis(after));
        }
        let refresh = match order.caller {
            Caller::Updates(after) => Some(("UPDATE", after)),
            Caller::IsAnsweredThenReinvites(after) => Some(("INVITE", after)),
            _ => None,
        };
        if let Some((method, after)) = refresh {
            let at = began + Duration::from_millis(after);
            self.phones.refresh(&uuid, method, at);
        }
        let answered = std::thread::scope(|scope| {
            let typing = scope.spawn(|| self.type_commands(beside, slot, &uuid, suffix, began));
            scope.spawn(|| self.register_late(order, slot, suffix, began));
            let answered = self.await_end(order, beside, &uuid, suffix, limit)?;
            typing
                .join()
                .map_err(|_| "the typing thread panicked".to_string())??;
            Ok::<_, String>(answered)
        })?;
        let ended = self
            .switch
            .events
            .wait(&uuid, limit, is_end)
            .ok_or("the call did not end within its time")?;
        // The last CANCELs and their ACKs are still on their way.
        self.phones
            .wait(Instant::now() + Duration::from_millis(1500), |legs, _| {
                settled(legs, order.phones, suffix)
            });
        let legs = self.phones.legs(|seat| seat.ends_with(suffix));
        let named = |(call_id, leg): (String, Leg)| {
            let name = leg
                .seat
                .strip_suffix(suffix)
                .unwrap_or(&leg.seat)
                .to_string();
            (call_id, name, leg)
        };
        let bridged = self.switch.events.of(&uuid).iter().rev().find_map(|event| {
            let is_bridge = event.get("Event-Name") == Some("CHANNEL_BRIDGE");
            is_bridge
                .then(|| event.get("Other-Leg-Unique-ID").map(str::to_string))
                .flatten()
        });
        let refreshed = self.phones.refreshed(&uuid);
        if refresh.is_some() && refreshed != Some(200) {
            return Err(format!("{refresh:?} of the caller's had {refreshed:?}"));
        }
        let call = self.phones.call(&uuid).unwrap_or_default();
        Ok(Course {
            uuid,
            began,
            replies: call.responses.iter().map(|(_, status)| *status).collect(),
            reason: call.reason.unwrap_or_default(),
            legs: legs
                .into_iter()
                .map(named)
                .filter(|(_, name, _)| name != "caller")
                .collect(),
            variables: ended.variables(),
            answered,
            bridged,
            phones: order.phones.to_vec(),
            slot,
            suffix: suffix.to_string(),
        })
    }

    /// The phones that come to be registered during the call, in order of their times.
    fn register_late(&self, order: &Order, slot: usize, suffix: &str, began: Instant) {
        for phone in order.phones {
            if let Behaviour::MovesThenAnswers(after, _) = phone.does {
                let due = began + Duration::from_millis(after);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let seat = format!("{}{suffix}", phone.name);
                // Should it fail, the scenario shows that it has not moved.
                let _ = self
                    .phones
                    .move_to_second(&seat, &in_slot(phone.user, slot));
            }
        }
        for phone in order.phones {
            let Some(at) = phone.does.registers_at() else {
                continue;
            };
            let due = began + Duration::from_millis(at);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let seat = format!("{}{suffix}", phone.name);
            // Should it fail, the scenario misses its ring.
            let _ = self
                .phones
                .register(&seat, &in_slot(phone.user, slot), phone.does);
        }
    }

    /// A second call, answered before anything else happens.
    fn dial_beside(&self, words: &str, call_id: &str) -> Result<(), String> {
        let (user, exten) = words.split_once(' ').ok_or("dials: user and extension")?;
        self.phones.dial(call_id, user, exten, &[]);
        let soon = Instant::now() + Duration::from_secs(5);
        let answered = self.phones.wait(soon, |_, calls| {
            calls
                .get(call_id)
                .is_some_and(|call| call.answered.is_some())
        });
        if !answered {
            self.phones.hang_up(call_id, Instant::now());
        }
        answered.then_some(()).ok_or(format!("{words}: no answer"))
    }

    fn type_commands(
        &self,
        beside: &Beside,
        slot: usize,
        uuid: &str,
        suffix: &str,
        began: Instant,
    ) -> Result<(), String> {
        for (at, command) in beside.typed {
            let (from, command) = match command.strip_prefix(BRIDGED) {
                None => (began, *command),
                Some(command) => {
                    let joined = |event: &Packet| event.get("Event-Name") == Some("CHANNEL_BRIDGE");
                    let soon = began + Duration::from_secs(8);
                    let event = self.switch.events.wait(uuid, soon, joined);
                    event.ok_or("nobody was joined to the caller")?;
                    (Instant::now(), command)
                }
            };
            let due = from + Duration::from_millis(*at);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut command = in_slot(command, slot)
                .replace("CALLER", uuid)
                .replace("FRESH_UUID", &fresh(uuid));
            for (call_id, leg) in self.phones.legs(|seat| seat.ends_with(suffix)) {
                let name = leg.seat.strip_suffix(suffix).unwrap_or(&leg.seat);
                command = command.replace(&format!("LEG({})", in_slot(name, slot)), &call_id);
            }
            if let Some(words) = command.strip_prefix(DIALS) {
                self.dial_beside(words, &fresh(uuid))?;
                continue;
            }
            if command == REFERS {
                self.phones.refer(&fresh(uuid), uuid)?;
                continue;
            }
            let reply = self.switch.connect()?.api(&command)?;
            // One that is gone already need not be killed.
            let too_late = command.starts_with("uuid_kill ") && reply.contains("No such channel");
            if reply.contains("-ERR") && !too_late || command.contains("LEG(") {
                return Err(format!("{command}: {}", reply.trim()));
            }
        }
        Ok(())
    }

    fn place(
        &self,
        order: &Order,
        beside: &Beside,
        slot: usize,
        suffix: &str,
        uuid: &str,
    ) -> Result<(), String> {
        let caller = in_slot("1001", slot);
        // What a table cannot know: where the phones are, and texts that no other run has.
        let fill = |text: &str| {
            in_slot(text, slot)
                .replace("DOMAIN", DOMAIN)
                .replace("PHONES", &self.address.to_string())
                .replace("FRESH_UUID", &fresh(uuid))
                .replace("SUFFIX", suffix)
        };
        if order.caller.is_answered() {
            let (application, plan) = match order.dial {
                Dial::Plan(plan) => (self.application.as_str(), plan),
                Dial::Compare(plan) => ("bridge", plan),
                Dial::Extension(_) | Dial::Stock(..) => {
                    return Err("an answered caller needs a plan".to_string());
                }
            };
            let seat = format!("caller{suffix}");
            self.phones
                .register(&seat, &caller, Behaviour::Answers(0))?;
            let mut globals = vec![format!("origination_uuid={uuid}")];
            globals.extend(
                order
                    .variables
                    .iter()
                    .map(|(name, value)| format!("{name}={}", fill(value))),
            );
            let command = format!(
                "bgapi originate {{^^;{}}}user/{caller} &{}({})",
                globals.join(";"),
                application,
                fill(plan)
            );
            self.switch.connect()?.background(&command)?;
            return Ok(());
        }
        let (exten, plan) = match order.dial {
            Dial::Plan(plan) | Dial::Compare(plan) => ("run".to_string(), plan),
            Dial::Extension(exten) => (exten.to_string(), ""),
            Dial::Stock(exten, application) => (format!("stock_{application}_{exten}"), ""),
        };
        if order.variables.len() > switch::MOST_VARIABLES {
            return Err("more variables than the dialplan takes".to_string());
        }
        let mut headers = vec![("X-Plan".to_string(), url_encode(&fill(plan)))];
        let unused = std::iter::repeat(&("scenario_has_no_more", "variables"));
        for (n, (name, value)) in order
            .variables
            .iter()
            .chain(unused)
            .take(switch::MOST_VARIABLES)
            .enumerate()
        {
            let text = format!("{name}={}", fill(value));
            headers.push((format!("X-Var-{}", n + 1), url_encode(&text)));
        }
        for (name, argument) in beside.before {
            let argument = url_encode(&fill(argument));
            headers.push((format!("X-Do-{name}"), argument));
        }
        if matches!(order.dial, Dial::Compare(_)) {
            headers.push(("X-Application".to_string(), "bridge".to_string()));
        }
        let offers = order.caller != Caller::OffersLate;
        self.phones
            .dial_with(uuid, &caller, &exten, &headers, offers);
        Ok(())
    }

    /// Until the caller's call is over, or answered and settled; then hangs up. Gives the time of the answer.
    fn await_end(
        &self,
        order: &Order,
        beside: &Beside,
        uuid: &str,
        suffix: &str,
        limit: Instant,
    ) -> Result<Option<Instant>, String> {
        if order.caller.is_answered() {
            let over =
                |event: &Packet| event.get("Event-Name") == Some("CHANNEL_BRIDGE") || is_end(event);
            let event = self
                .switch
                .events
                .wait(uuid, limit, over)
                .ok_or("neither answer nor end")?;
            if is_end(&event) {
                return Ok(None);
            }
            let answered = Instant::now();
            self.talk(order, beside, suffix);
            self.switch.connect()?.api(&format!("uuid_kill {uuid}"))?;
            return Ok(Some(answered));
        }
        self.phones.wait(limit, |_, calls| {
            calls
                .get(uuid)
                .is_some_and(|call| call.answered.is_some() || call.over.is_some())
        });
        let call = self.phones.call(uuid).ok_or("the call is not known")?;
        if call.answered.is_some() && call.over.is_none() {
            if beside
                .typed
                .iter()
                .any(|(_, typed)| typed.starts_with(BRIDGED))
            {
                // The command may end the call; if not, there was time enough.
                self.phones.wait(Instant::now() + 3 * TALK, |_, calls| {
                    calls.get(uuid).is_some_and(|call| call.over.is_some())
                });
            }
            self.talk(order, beside, suffix);
            self.phones.hang_up(uuid, Instant::now());
        } else if call.over.is_none() {
            self.phones.hang_up(uuid, Instant::now());
            return Err("neither answer nor failure within its time".to_string());
        }
        Ok(call.answered)
    }

    fn talk(&self, order: &Order, beside: &Beside, suffix: &str) {
        // An extension may have more to do after the answer: a pause, then voicemail. So has
        // bypassed media: the re-INVITEs of a joined call.
        let bypass = |(name, _): &(&str, &str)| name.starts_with("bypass_media");
        let more = matches!(order.dial, Dial::Extension(_) | Dial::Stock(..))
            || order.variables.iter().any(bypass);
        let talk = beside.talk.unwrap_or(TALK);
        std::thread::sleep(if more { 3 * talk } else { talk });
        self.phones
            .wait(Instant::now() + Duration::from_secs(1), |legs, _| {
                settled(legs, order.phones, suffix)
            });
    }
}

fn is_end(event: &Packet) -> bool {
    event.get("Event-Name") == Some("CHANNEL_HANGUP_COMPLETE")
}

fn settled(legs: &std::collections::HashMap<String, Leg>, phones: &[Phone], suffix: &str) -> bool {
    legs.values().all(|leg| {
        let Some(name) = leg.seat.strip_suffix(suffix) else {
            return true;
        };
        let does = phones
            .iter()
            .find(|phone| phone.name == name)
            .map(|phone| phone.does);
        does.is_none_or(|does| leg.is_settled(does))
    })
}

/// A second uuid that belongs to this call.
fn fresh(uuid: &str) -> String {
    uuid.replacen("-c711-", "-c712-", 1)
}

/// The Call-ID of the caller's INVITE becomes the channel's uuid, so it should look like one.
pub fn call_uuid() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "{:08x}-c711-4000-8000-{:04x}{count:08x}",
        now.as_secs() as u32,
        now.subsec_millis()
    )
}

impl Course {
    pub fn ms(&self, at: Instant) -> Ms {
        at.saturating_duration_since(self.began).as_millis() as Ms
    }

    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn seen(&self) -> Seen {
        let back = |(name, value): &(String, String)| {
            let is_number = name.ends_with("_ms") || name == "cti_legs";
            let value = if is_number {
                value.clone()
            } else {
                from_slot(value, self.slot)
            };
            (name.clone(), value)
        };
        Seen {
            rings: self
                .legs
                .iter()
                .map(|(_, name, leg)| self.ring(name, leg))
                .collect(),
            variables: self.variables.iter().map(back).collect(),
            joined: self.joined(),
            hears: self
                .replies
                .iter()
                .copied()
                .filter(|status| *status > 100)
                .collect(),
            reason: self.reason.clone(),
        }
    }

    /// By the switch's own word where it names a phone's leg, else by who was acknowledged and kept:
    /// a loopback channel stands between the caller and the phone.
    fn joined(&self) -> Option<String> {
        // Core joins early media as well; only an answer counts.
        let bridged = self.bridged.as_ref()?;
        let kept = |leg: &Leg| told(leg).0 == Told::Joined;
        let named = self.legs.iter().find(|(call_id, ..)| call_id == bridged);
        let joined = named.or_else(|| self.legs.iter().find(|(_, _, leg)| kept(leg)));
        joined
            .filter(|(_, _, leg)| kept(leg))
            .map(|(_, name, _)| name.clone())
    }

    fn ring(&self, name: &str, leg: &Leg) -> SeenRing {
        let (told, to) = told(leg);
        let mut headers = leg.invite.headers.clone();
        let from = leg.invite.header("From").unwrap_or("");
        headers.push(("From-User".into(), sip::uri_user(from).unwrap_or("").into()));
        headers.push(("From-Name".into(), sip::display_name(from).into()));
        headers
            .iter_mut()
            .for_each(|(_, value)| *value = from_slot(value, self.slot));
        SeenRing {
            phone: name.to_string(),
            from: self.ms(leg.at),
            to: self.ms(to),
            told,
            headers,
        }
    }
}

/// What a phone was told at the end of its ringing, and when.
pub fn told(leg: &Leg) -> (Told, Instant) {
    let reason = |message: &sip::Message| message.header("Reason").unwrap_or("").to_string();
    if let (Some(at), Some((_, 200))) = (leg.acknowledged, leg.last) {
        let reason = leg.bye.as_ref().map(|(_, bye)| reason(bye));
        let told = match reason {
            Some(reason) if says_elsewhere(&reason) => Told::TooLate,
            Some(reason)
                if reason.contains("Q.850;cause=88;") || reason.contains("SIP;cause=488;") =>
            {
                Told::Incompatible
            }
            _ => Told::Joined,
        };
        return (told, at);
    }
    if let Some((at, cancel)) = &leg.cancel {
        let reason = reason(cancel);
        let told = if says_elsewhere(&reason) {
            Told::Elsewhere
        } else if reason.contains("Q.850") && reason.contains("cause=19;") {
            Told::NoAnswer
        } else if reason.contains("ORIGINATOR_CANCEL") {
            Told::CallerGone
        } else {
            Told::Unclear
        };
        return (told, *at);
    }
    match leg.last {
        Some((at, status)) if status >= 300 && leg.acknowledged.is_some() => {
            (Told::ItsOwn(status), at)
        }
        Some((at, _)) => (Told::Unclear, at),
        None if leg.rang.is_none() => (Told::Nothing, leg.last_copy),
        None => (Told::Unclear, leg.last_copy),
    }
}

fn says_elsewhere(reason: &str) -> bool {
    reason.contains("completed elsewhere")
}
