//! A randomised soak of the real switch: many calls at once, each drawn from a seed, with callers that give up and operators
//! that interfere. What each call says of itself is held against the phones' diaries, and after all of them nothing may be left.
//! `examples/soak.rs` runs thousands of calls, a live check some hundred.

mod draw;
mod judge;
mod process;

use super::esl::{Connection, Events, Packet, url_encode};
use super::run::{Rig, call_uuid};
use crate::scenarios::{Behaviour, Ms};
use draw::{Drawn, Typed};
use judge::{Apart, BAND, Seen};
use process::Sample;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Calls that can run at once: each lane has users of its own.
pub const LANES: usize = 60;
/// A call may take so long: its stages, its attempts, what operators add to them.
const LONGEST: Duration = Duration::from_secs(40);
/// Losers and the last BYE are still on their way when the caller's call is over.
const SETTLES: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy)]
pub struct Soak {
    pub calls: u64,
    pub seed: u64,
    /// Calls at once.
    pub lanes: usize,
    /// The number of the first call, to make a part of a run again.
    pub first: u64,
    /// After so many calls everything comes to rest and the process is measured.
    pub round: u64,
}

/// The users of all lanes, for the directory; one of them, 6, never registers.
pub fn users() -> Vec<String> {
    (0..LANES)
        .flat_map(|lane| (0..10).map(move |number| draw::user(lane, number)))
        .collect()
}

#[derive(Default)]
pub struct Outcome {
    /// What was wrong, call by call.
    pub wrong: Vec<String>,
    pub results: BTreeMap<String, u64>,
    roles: BTreeMap<String, u64>,
    replies: BTreeMap<String, u64>,
    apart: Apart,
    samples: Vec<(u64, Sample)>,
    reloads: (u64, u64),
    seconds: f32,
}

impl Outcome {
    /// For people: what happened, how often, how far apart the two stories were, and what the process had.
    pub fn text(&self) -> String {
        let counted = |counts: &BTreeMap<String, u64>| {
            let each = counts.iter().map(|(name, count)| format!("{name} {count}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "calls: {} in {:.0} s",
            counted(&self.results),
            self.seconds
        );
        let _ = writeln!(
            text,
            "legs: {}; not ended when their call was: {}; answers in the moment of the leg's end that sofia left open: {}; calls that early media ended before their last stage: {}",
            counted(&self.roles),
            self.apart.open,
            self.apart.left_open,
            self.apart.early_media_won
        );
        let _ = writeln!(text, "commands: {}", counted(&self.replies));
        let _ = writeln!(
            text,
            "reload mod_cti: {} refused, {} carried out",
            self.reloads.0, self.reloads.1
        );
        let apart = [
            ("dialled", &self.apart.start),
            ("ringing", &self.apart.ringing),
            ("answered", &self.apart.answered),
            ("ended", &self.apart.ended),
        ];
        let _ = writeln!(
            text,
            "cti_legs less the phones' diaries, ms:  1 %    median    99 %"
        );
        for (what, distances) in apart
            .into_iter()
            .chain([("200 to caller's 200", &self.apart.answer)])
        {
            let mut sorted = distances.clone();
            sorted.sort_unstable();
            let at = |part: usize| sorted.get(sorted.len() * part / 100).copied().unwrap_or(0);
            let _ = writeln!(
                text,
                "  {what:<30} {:>8} {:>8} {:>8}  of {}",
                at(1),
                at(50),
                at(99),
                sorted.len()
            );
        }
        let _ = writeln!(text, "more than {BAND} ms apart: {}", self.apart.late.len());
        let _ = writeln!(text, "after calls   threads   files   VmRSS kB   VmData kB");
        for (calls, sample) in &self.samples {
            let _ = writeln!(
                text,
                "{calls:>11} {:>9} {:>7} {:>10} {:>11}",
                sample.threads, sample.files, sample.resident, sample.data
            );
        }
        text
    }
}

/// Runs it; `tell` is given each wrong call as soon as it is known.
pub fn run(rig: &Rig, soak: &Soak, tell: &(dyn Fn(&str) + Sync)) -> Result<Outcome, String> {
    let lanes = soak.lanes.clamp(1, LANES);
    for lane in 0..lanes {
        for (seat, user, stale) in draw::devices(lane) {
            let does = if stale {
                Behaviour::Stale
            } else {
                Behaviour::Rings
            };
            rig.phones.register(&seat, &user, does)?;
        }
    }
    let events = Events::listen(rig.switch.port, "CHANNEL_HANGUP_COMPLETE CUSTOM cti::call")
        .map_err(|error| format!("event socket: {error}"))?;
    let run = Run {
        rig,
        soak,
        events,
        next: AtomicU64::new(soak.first),
        outcome: Mutex::default(),
        reloaded: Mutex::default(),
        tell,
    };
    let began = Instant::now();
    let last = soak.first + soak.calls;
    let mut until = soak.first;
    while until < last {
        until = (until + soak.round).min(last);
        run.round(lanes, until)?;
        let left = rig.switch.channels_left()?;
        if left != 0 {
            run.wrong(&format!("{left} channels are left after call {until}"));
        }
        let sample = process::at_rest(&rig.switch)?;
        run.outcome().samples.push((until - soak.first, sample));
    }
    run.rests(lanes)?;
    let mut outcome = run
        .outcome
        .into_inner()
        .map_err(|_| "a lane panicked".to_string())?;
    outcome.seconds = began.elapsed().as_secs_f32();
    Ok(outcome)
}

struct Run<'a> {
    rig: &'a Rig,
    soak: &'a Soak,
    events: Events,
    next: AtomicU64,
    outcome: Mutex<Outcome>,
    /// When the module was away.
    reloaded: Mutex<Vec<(Instant, Instant)>>,
    tell: &'a (dyn Fn(&str) + Sync),
}

impl Run<'_> {
    fn outcome(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.outcome.lock().expect("a lane panicked")
    }

    fn wrong(&self, what: &str) {
        (self.tell)(what);
        self.outcome().wrong.push(what.to_string());
    }

    /// Every lane makes one call after another until this number is reached.
    fn round(&self, lanes: usize, until: u64) -> Result<(), String> {
        let over = AtomicBool::new(false);
        // Two operators a lane; one after the other, as the event socket's queue of new connections is short.
        let connect = |_| -> Result<[Connection; 2], String> {
            Ok([self.rig.switch.connect()?, self.rig.switch.connect()?])
        };
        let lines: Vec<_> = (0..lanes).map(connect).collect::<Result<_, _>>()?;
        std::thread::scope(|scope| {
            let reloading = scope.spawn(|| self.reload_now_and_then(&over));
            let calling: Vec<_> = lines
                .into_iter()
                .enumerate()
                .map(|(lane, lines)| scope.spawn(move || self.lane(lane, until, lines)))
                .collect();
            let mut done = Ok(());
            for lane in calling {
                done = done.and(lane.join().unwrap_or(Err("a lane panicked".to_string())));
            }
            over.store(true, Ordering::Relaxed);
            done.and(
                reloading
                    .join()
                    .unwrap_or(Err("the reloading thread panicked".to_string())),
            )
        })
    }

    fn lane(&self, lane: usize, until: u64, mut lines: [Connection; 2]) -> Result<(), String> {
        loop {
            let take = |nth| (nth < until).then_some(nth + 1);
            let Ok(nth) = self
                .next
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            else {
                return Ok(());
            };
            self.call(lane, nth, &mut lines)?;
        }
    }

    /// It is refused while calls run; where it is not, no call may come to harm.
    fn reload_now_and_then(&self, over: &AtomicBool) -> Result<(), String> {
        let mut line = self.rig.switch.connect()?;
        let mut dice = draw::Dice::new(self.soak.seed, u64::MAX / 2);
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(300 + dice.below(1500)));
            let began = Instant::now();
            let reply = line.api("reload mod_cti")?;
            let was_done = reply.contains("+OK module unloaded");
            if was_done {
                self.reloaded
                    .lock()
                    .expect("a lane panicked")
                    .push((began, Instant::now()));
                if !reply.contains("+OK module loaded") {
                    self.wrong(&format!("reload mod_cti said {reply:?}"));
                }
            }
            let reloads = &mut self.outcome().reloads;
            if was_done {
                reloads.1 += 1
            } else {
                reloads.0 += 1
            }
        }
        Ok(())
    }

    fn call(&self, lane: usize, nth: u64, lines: &mut [Connection; 2]) -> Result<(), String> {
        let phones = &self.rig.phones;
        let drawn = draw::call(self.soak.seed, nth, lane, self.rig.address);
        for (seat, does) in &drawn.phones {
            phones.seat(seat, *does);
        }
        let uuid = call_uuid();
        let headers = [("X-Plan".to_string(), url_encode(&drawn.plan))];
        let dialled = Instant::now();
        phones.dial(&uuid, &draw::caller(lane), "soak", &headers);
        phones.talk(&uuid, Duration::from_millis(drawn.talks));
        if let Some(after) = drawn.gives_up {
            phones.hang_up(&uuid, dialled + Duration::from_millis(after));
        }
        let soon = dialled + Duration::from_secs(10);
        let has_begun =
            |event: &Packet| event.get("CTI-Action") == Some("started") || is_end(event);
        let first = self.events.wait(&uuid, soon, has_begun);
        let began = first
            .filter(|event| !is_end(event))
            .and_then(|event| event.at());
        let done = match began {
            Some(began) => self.interfere(lane, &uuid, began, &drawn, lines)?,
            None => Vec::new(),
        };
        let ended = self.events.wait(&uuid, dialled + LONGEST, is_end);
        // Events may overtake each other.
        let last = |event: &Packet| event.get("CTI-Action") == Some("ended");
        if began.is_some() && ended.is_some() {
            self.events.wait(&uuid, Instant::now() + SETTLES, last);
        }
        for late in &drawn.late {
            if let Err(error) = phones.unregister(&late.seat, &late.user) {
                self.wrong(&error);
            }
            // Should it ring all the same, that is seen.
            phones.seat(&late.seat, Behaviour::Rings);
        }
        let prefix = draw::caller(lane);
        let prefix = &prefix[..prefix.len() - 1];
        phones.wait(Instant::now() + SETTLES, |legs, calls| {
            let mut ours = legs.values().filter(|leg| leg.seat.starts_with(prefix));
            ours.all(judge::is_over) && calls.get(&uuid).is_none_or(|call| call.over.is_some())
        });
        let seen = Seen {
            drawn: &drawn,
            began,
            variables: ended
                .as_ref()
                .map(|event| event.variables().into_iter().collect())
                .unwrap_or_default(),
            caller: phones.call(&uuid).ok_or("the call is not known")?,
            legs: phones.legs(|seat| seat.starts_with(prefix)),
            events: self.events.of(&uuid),
            done,
        };
        let mut wrong = Vec::new();
        if ended.is_none() {
            wrong.push(format!("the call did not end within {LONGEST:?}"));
            lines[0].api(&format!("uuid_kill {uuid}"))?;
        }
        if seen.caller.over.is_none() {
            wrong.push("its caller was never told of its end".to_string());
        }
        let never_began = began.is_none() && seen.caller.gave_up.is_none();
        if never_began && !self.was_reloaded(dialled) {
            wrong.push("cti_bridge never began".to_string());
        }
        {
            let mut outcome = self.outcome();
            wrong.extend(judge::judge(&seen, &mut outcome.apart));
            let result = seen
                .variables
                .get("cti_result")
                .cloned()
                .unwrap_or("never began".to_string());
            *outcome.results.entry(result).or_default() += 1;
            for role in judge::roles(&seen) {
                *outcome.roles.entry(role).or_default() += 1;
            }
        }
        if !wrong.is_empty() {
            self.wrong(&self.story(nth, lane, &uuid, &seen, &wrong));
        }
        let mut over: Vec<&str> = seen.legs.iter().map(|(leg, _)| leg.as_str()).collect();
        over.push(&uuid);
        phones.forget(&over);
        self.events.forget(&over);
        self.rig.switch.events.forget(&over);
        Ok(())
    }

    /// The module was away for a moment since then.
    fn was_reloaded(&self, since: Instant) -> bool {
        let reloaded = self.reloaded.lock().expect("a lane panicked");
        reloaded.iter().any(|(_, until)| *until > since)
    }

    /// What else happens while the call rings: operators type, devices register. The commands that were done.
    fn interfere(
        &self,
        lane: usize,
        uuid: &str,
        began: Instant,
        drawn: &Drawn,
        lines: &mut [Connection; 2],
    ) -> Result<Vec<String>, String> {
        let sleep_until = |at: Ms| {
            let due = began + Duration::from_millis(at);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        };
        std::thread::scope(|scope| {
            let typing: Vec<_> = drawn
                .operators
                .iter()
                .zip(lines)
                .map(|(typed, line)| {
                    scope.spawn(move || -> Result<Vec<String>, String> {
                        let mut done = Vec::new();
                        for (at, typed) in typed {
                            sleep_until(*at);
                            let command = self.spelled(lane, typed);
                            let (name, rest) = command.split_once(' ').unwrap_or((&command, ""));
                            let reply = line.api(&format!("cti {name} {uuid} {rest}"))?;
                            self.count(name, &reply);
                            if reply.starts_with("+OK") {
                                done.push(command);
                            }
                        }
                        Ok(done)
                    })
                })
                .collect();
            for late in &drawn.late {
                sleep_until(late.at);
                let phones = &self.rig.phones;
                if let Err(error) = phones.register(&late.seat, &late.user, late.does) {
                    self.wrong(&error);
                }
            }
            let mut done = Vec::new();
            for typed in typing {
                done.extend(
                    typed
                        .join()
                        .map_err(|_| "an operator panicked".to_string())??,
                );
            }
            Ok(done)
        })
    }

    fn spelled(&self, lane: usize, typed: &Typed) -> String {
        match typed {
            Typed::Cancel(cause) => format!("cancel{cause}"),
            Typed::Skip => "skip".to_string(),
            Typed::DropTarget(target) => format!("drop {target}"),
            Typed::DropLeg(nth) => {
                let prefix = draw::caller(lane);
                let legs = self
                    .rig
                    .phones
                    .legs(|seat| seat.starts_with(&prefix[..prefix.len() - 1]));
                let ringing: Vec<&String> = legs
                    .iter()
                    .filter(|(_, leg)| leg.last.is_none())
                    .map(|(leg, _)| leg)
                    .collect();
                let leg = ringing.get(*nth as usize % ringing.len().max(1));
                format!("drop {}", leg.map_or("nobody", |leg| leg.as_str()))
            }
            Typed::Add(target) => format!("add {target}"),
            Typed::Extend(time) => format!("extend {time}"),
        }
    }

    fn count(&self, name: &str, reply: &str) {
        let first = reply.split_whitespace().next().unwrap_or("nothing");
        if !matches!(first, "+OK" | "-ERR") {
            self.wrong(&format!("cti {name} said {reply:?}"));
        }
        *self
            .outcome()
            .replies
            .entry(format!("{name} {first}"))
            .or_default() += 1;
    }

    /// Everything that is known of a call that went wrong.
    fn story(&self, nth: u64, lane: usize, uuid: &str, seen: &Seen, wrong: &[String]) -> String {
        let mut text = format!(
            "call {nth} of seed {} in lane {lane}, {uuid}:\n",
            self.soak.seed
        );
        for line in wrong {
            let _ = writeln!(text, "    {line}");
        }
        let Drawn {
            plan,
            late,
            gives_up,
            operators,
            ..
        } = seen.drawn;
        let _ = writeln!(
            text,
            "  {plan}\n  gives up {gives_up:?}, operators {operators:?}, done {:?}\n  late {late:?}",
            seen.done
        );
        for name in [
            "cti_result",
            "cti_cause",
            "cti_winner_uuid",
            "hangup_cause",
            "cti_legs",
        ] {
            let _ = writeln!(
                text,
                "  {name}={}",
                seen.variables.get(name).map_or("", String::as_str)
            );
        }
        let phone = |call_id: &str| {
            let leg = seen.legs.iter().find(|(leg, _)| leg == call_id);
            leg.map_or("caller".to_string(), |(id, leg)| {
                format!("{} {:.4}", leg.seat, id)
            })
        };
        let ours =
            |call_id: &str| call_id == uuid || seen.legs.iter().any(|(leg, _)| leg == call_id);
        for entry in self.rig.phones.diary(ours) {
            let ms = |from: Instant| {
                entry.at.saturating_duration_since(from).as_millis() as i64
                    - from.saturating_duration_since(entry.at).as_millis() as i64
            };
            let at = seen.began.map_or(0, ms);
            let arrow = if entry.sent { "->" } else { "<-" };
            let _ = writeln!(
                text,
                "  {at:>6} {:<13} {arrow} {}",
                phone(&entry.call_id),
                entry.what
            );
        }
        for (leg, reason) in seen
            .legs
            .iter()
            .filter_map(|(_, leg)| Some((leg, judge::told(leg)?)))
        {
            let _ = writeln!(text, "  {} was told {reason}", leg.seat);
        }
        for event in &seen.events {
            let get = |name| event.get(name).unwrap_or("");
            let _ = writeln!(
                text,
                "  {:>6} {} {} {} {}",
                get("CTI-Elapsed-Ms"),
                get("CTI-Action"),
                get("CTI-Target"),
                get("CTI-Cause"),
                get("CTI-Said")
            );
        }
        text
    }

    /// After the last call: nothing rings, nothing is held, and the module can go.
    fn rests(&self, lanes: usize) -> Result<(), String> {
        let mut line = self.rig.switch.connect()?;
        let calls = line.api("cti calls")?;
        if calls.trim() != "+OK 0 calls" {
            self.wrong(&format!("cti calls: {calls}"));
        }
        let metrics = line.api("cti metrics")?;
        for gauge in ["cti_calls_ringing", "cti_legs_ringing"] {
            if !metrics.lines().any(|line| line == format!("{gauge} 0")) {
                self.wrong(&format!("{gauge} is not 0"));
            }
        }
        for lane in 0..lanes {
            let prefix = draw::caller(lane);
            let legs = self
                .rig
                .phones
                .legs(|seat| seat.starts_with(&prefix[..prefix.len() - 1]));
            for (uuid, leg) in legs {
                self.wrong(&format!(
                    "{} was rung by {uuid} after its call was over",
                    leg.seat
                ));
            }
        }
        for command in ["unload mod_cti", "load mod_cti"] {
            let reply = line.api(command)?;
            if !reply.contains("+OK") {
                self.wrong(&format!("{command} said {reply:?}"));
            }
        }
        let (late, times) = {
            let apart = &self.outcome().apart;
            (apart.late.clone(), apart.start.len() + apart.ended.len())
        };
        // On a machine that others use as well some always are.
        if late.len() * 100 > 3 * times {
            self.wrong(&format!(
                "{} of {times} times were late: {late:#?}",
                late.len()
            ));
        }
        let log = self.rig.switch.log();
        for bad in log
            .lines()
            .filter(|line| line.contains("[CRIT]") || line.contains("panicked"))
            // What core says when it refuses what a hostile contact of an earlier check brought.
            .filter(|line| !line.contains("contains a variable"))
            .take(5)
        {
            self.wrong(&format!("the log says: {bad}"));
        }
        let samples = &self.outcome().samples.clone();
        // The pools of switch and malloc are full after some rounds.
        if let [_, _, _, .., (_, last)] = &samples[..] {
            let (_, middle) = &samples[samples.len() / 2];
            for what in process::growth(middle, last) {
                self.wrong(&what);
            }
        }
        for lane in 0..lanes {
            for (seat, user, _) in draw::devices(lane) {
                self.rig.phones.unregister(&seat, &user)?;
            }
        }
        Ok(())
    }
}

fn is_end(event: &Packet) -> bool {
    event.get("Event-Name") == Some("CHANNEL_HANGUP_COMPLETE")
}
