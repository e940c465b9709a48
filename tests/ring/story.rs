//! The little language of the table: it reads a plan, its settings and a story, plays the story
//! to the ring machine, and writes down what the machine commands.

use mod_cti::ring::{
    Cause, Command, Confirm, EarlyMedia, Event, LegId, LegState, Missed, Mode, NewLeg, PartId,
    Place, Redirect, RejectRule, Ring, Settings, StageId,
};
use std::time::Duration;

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const CAUSES: &[(&str, Cause)] = &[
    ("ABSENT", Cause::SUBSCRIBER_ABSENT),
    ("UNREGISTERED", Cause::USER_NOT_REGISTERED),
    ("BUSY", Cause::USER_BUSY),
    ("CLEARING", Cause::NORMAL_CLEARING),
    ("GONE", Cause::ORIGINATOR_CANCEL),
    ("LOSE_RACE", Cause::LOSE_RACE),
    ("MANAGER", Cause::MANAGER_REQUEST),
    ("MOVED", Cause::REQUESTED_CHAN_UNAVAIL),
    ("NO_ANSWER", Cause::NO_ANSWER),
    ("NO_RESPONSE", Cause::NO_USER_RESPONSE),
    ("NONE", Cause::NONE),
    ("ORDER", Cause::DESTINATION_OUT_OF_ORDER),
    ("REJECTED", Cause::CALL_REJECTED),
];

fn cause(name: &str) -> Cause {
    let found = CAUSES.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no cause {name:?}")).1
}

fn name_of(cause: Cause) -> String {
    let known = CAUSES.iter().find(|(_, known)| *known == cause);
    known.map_or_else(|| cause.0.to_string(), |(name, _)| (*name).to_owned())
}

/// One row being played.
pub struct Table {
    plan: Vec<Vec<Vec<(String, NewLeg)>>>,
    pub ring: Ring,
    /// Whose leg each id is.
    names: Vec<String>,
    stage: Vec<StageId>,
    slow: bool,
}

impl Table {
    pub fn new(plan: &str, settings: &str) -> Table {
        let part = |text: &str| text.split('|').map(read_legs).collect::<Vec<_>>();
        let plan: Vec<_> = plan.split(":_:").map(part).collect();
        let slow = settings.contains("slow");
        let settings = read_settings(settings);
        let parts = plan.iter().map(|stages| (settings.clone(), stages.len()));
        let (ring, stage) = (Ring::new(parts.collect()), vec![StageId(0); plan.len()]);
        Table {
            plan,
            ring,
            names: Vec::new(),
            stage,
            slow,
        }
    }

    fn leg(&self, name: &str) -> LegId {
        let found = self.names.iter().rposition(|known| known == name);
        LegId(found.unwrap_or_else(|| panic!("no leg {name:?} yet")))
    }

    /// What the whole stage comes to.
    fn found(&mut self, now: u64, part: PartId) -> Vec<Command> {
        let count = self.plan[part][self.stage[part]].len();
        self.found_some(now, part, self.stage[part], 0..count, false)
    }

    /// The commands that follow; a look-up is answered in the same moment, unless the row is slow.
    pub fn feed(&mut self, now: u64, event: Event) -> Vec<Command> {
        let mut said = Vec::new();
        for command in self.ring.handle(ms(now), event) {
            if let Command::Resolve { part, stage } = command {
                self.stage[part] = stage;
                if !self.slow {
                    said.extend(self.found(now, part));
                    continue;
                }
            }
            said.push(command);
        }
        said
    }

    /// Some targets of the stage, one contact each.
    fn found_some(
        &mut self,
        now: u64,
        part: PartId,
        stage: StageId,
        which: impl Iterator<Item = usize>,
        more: bool,
    ) -> Vec<Command> {
        let mut legs = Vec::new();
        for target in which {
            let (name, leg) = self.plan[part][stage][target].clone();
            self.names.push(name);
            legs.push(NewLeg { target, ..leg });
        }
        let found = Event::Resolved {
            part,
            stage,
            legs,
            more,
        };
        self.feed(now, found)
    }

    /// `found a,b` of whichever stage names them, or `found nobody`; `more` are looked up.
    fn found_named(&mut self, now: u64, names: &str, more: bool) -> Vec<Command> {
        for (part, stages) in self.plan.iter().enumerate() {
            for (stage, legs) in stages.iter().enumerate() {
                let which = |name: &str| legs.iter().position(|(leg, _)| leg == name);
                if let Some(which) = names.split(',').map(which).collect::<Option<Vec<_>>>() {
                    let (part, stage) = (PartId(part), StageId(stage));
                    return self.found_some(now, part, stage, which.into_iter(), more);
                }
            }
        }
        assert_eq!(names, "nobody", "nobody of this name");
        self.found_some(now, PartId(0), self.stage[0], 0..0, more)
    }

    /// The commands as the table writes them; legs that are dialled, or hung up with the same
    /// cause, one after another are written together.
    fn picture(&self, commands: &[Command]) -> Vec<String> {
        let mut said: Vec<(&str, String, String)> = Vec::new();
        for command in commands {
            let leg = |leg: &LegId| self.names[*leg].clone();
            let (verb, what, how) = match command {
                Command::Resolve { part, stage } => {
                    ("resolve", format!("{}.{}", part.0, stage.0), String::new())
                }
                Command::Follow { leg: id, places } => {
                    let numbers = places.iter().map(|place| place.number.as_str());
                    ("follow", leg(id), numbers.collect::<Vec<_>>().join(" "))
                }
                Command::Dial(id) => ("dial", leg(id), String::new()),
                Command::Confirm(id) => ("confirm", leg(id), String::new()),
                Command::HangUp { leg: id, cause } => ("hangup", leg(id), name_of(*cause)),
                Command::Alert(id) => ("alert", leg(id), String::new()),
                Command::Join(id) => ("join", leg(id), String::new()),
                Command::Finish {
                    outcome,
                    cause,
                    hang_up_caller,
                } => {
                    let hang_up = if *hang_up_caller { " and hang up" } else { "" };
                    let how = format!("{}{hang_up}", name_of(*cause));
                    ("finish", outcome.name().to_owned(), how)
                }
            };
            match said.last_mut() {
                Some((last, legs, cause))
                    if *last == verb && matches!(verb, "dial" | "hangup") && *cause == how =>
                {
                    legs.push(' ');
                    legs.push_str(&what);
                }
                _ => said.push((verb, what, how)),
            }
        }
        let line = |(verb, what, how): (&str, String, String)| {
            format!("{verb} {what} {how}").trim_end().to_owned()
        };
        said.into_iter().map(line).collect()
    }

    /// How the legs named in `expected` have ended.
    fn legs(&self, expected: &str) -> String {
        let told = expected.split(';').map(|one| {
            let name = one.split_whitespace().next().unwrap_or("");
            let leg = self.ring.leg(self.leg(name));
            match leg.state {
                LegState::Ended => {
                    let role = format!("{:?}", leg.role.expect("an ended leg has a role"));
                    format!("{name} {} {}", role.to_lowercase(), name_of(leg.cause))
                }
                _ => format!("{name} open"),
            }
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// Play the story; the first line that comes out otherwise, if there is one.
    pub fn play(&mut self, story: &str) -> Result<(), String> {
        for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (what, expected) = line.split_once("->").unwrap_or((line, ""));
            let words: Vec<_> = what.split_whitespace().collect();
            let (expected, got) = match words[0] {
                "next" => {
                    let next = self.ring.next_deadline();
                    let next = next.map_or("none".to_owned(), |at| at.as_millis().to_string());
                    (words[1], next)
                }
                "hears" => {
                    let relayed = self.ring.relayed().map(|leg| self.names[leg].as_str());
                    (words[1], relayed.unwrap_or("nobody").to_owned())
                }
                "order" => {
                    let order = self.ring.in_order();
                    let order: Vec<_> = order.iter().map(|&leg| &*self.names[leg]).collect();
                    (what.trim_start_matches("order").trim(), order.join(" "))
                }
                "legs" => (
                    what.trim_start_matches("legs").trim(),
                    self.legs(&line[4..]),
                ),
                time => {
                    let now = time.parse().expect("a line begins with a time");
                    let got = match words[1..] {
                        [added, legs] if added.starts_with("added") => {
                            let (names, legs): (Vec<_>, Vec<_>) =
                                read_legs(legs).into_iter().unzip();
                            self.names.extend(names);
                            let ringing = self.ring.ringing(ms(now));
                            let stage = ringing.first().map_or(StageId(0), |part| part.stage);
                            let at = added.split_once('@');
                            let stage =
                                at.map_or(stage, |(_, at)| StageId(at.parse().expect("a stage")));
                            let part = PartId(0);
                            self.feed(now, Event::Added { part, stage, legs })
                        }
                        ["followed", leg, legs] => {
                            let leg = self.leg(leg);
                            let legs = Some(legs).filter(|legs| *legs != "nobody");
                            let legs = read_legs(legs.unwrap_or_default());
                            let (names, legs): (Vec<_>, Vec<_>) = legs.into_iter().unzip();
                            self.names.extend(names);
                            self.feed(now, Event::Followed { leg, legs })
                        }
                        ["found", which] => match which.parse() {
                            Ok(part) => self.found(now, PartId(part)),
                            Err(_) => self.found_named(now, which, false),
                        },
                        ["found", which, "more"] => self.found_named(now, which, true),
                        ref words => {
                            let event = self.event(words);
                            self.feed(now, event)
                        }
                    };
                    (expected.trim(), self.picture(&got).join("; "))
                }
            };
            if expected != got {
                return Err(format!("{line}\n    got: {got}"));
            }
        }
        Ok(())
    }

    fn event(&self, words: &[&str]) -> Event {
        match *words {
            ["begin"] => Event::Begin,
            ["tick"] => Event::Tick,
            ["started", leg] => Event::Started(self.leg(leg)),
            ["ringing", leg] => Event::Ringing(self.leg(leg)),
            ["media", leg] => Event::EarlyMedia(self.leg(leg)),
            ["answered", leg] => Event::Answered(self.leg(leg)),
            ["confirmed", leg] => Event::Confirmed(self.leg(leg)),
            ["ended", leg, why] => Event::Ended {
                leg: self.leg(leg),
                cause: cause(why),
            },
            ["moved", leg, ref places @ ..] => Event::Redirected {
                leg: self.leg(leg),
                cause: Cause::REQUESTED_CHAN_UNAVAIL,
                places: places.iter().map(|place| read_place(place)).collect(),
            },
            ["turns", part, more] => Event::Turns {
                part: PartId(part.parse().expect("a part")),
                more: more.parse().expect("a number"),
            },
            ["left", leg] => Event::Unanswered(self.leg(leg)),
            ["gone"] => Event::CallerGone,
            ["cancel", why] => Event::Cancel(cause(why)),
            ["skip"] => Event::Skip,
            ["drop", leg] => Event::Drop(self.leg(leg)),
            ["extend", time] => Event::Extend(ms(time.parse().expect("a time"))),
            _ => panic!("{words:?} is no event"),
        }
    }
}

/// A number, and after an `@` how much it is preferred, in thousandths.
fn read_place(text: &str) -> Place {
    let (number, q) = text.split_once('@').unwrap_or((text, "1000"));
    Place {
        number: number.to_owned(),
        ours: false,
        q: q.parse().expect("a preference"),
    }
}

fn read_redirect(text: &str) -> Redirect {
    match text {
        "follow" => Redirect::Follow,
        "ignore" => Redirect::Ignore,
        "core" => Redirect::Core,
        _ => panic!("{text:?} is no redirect"),
    }
}

fn read_legs(text: &str) -> Vec<(String, NewLeg)> {
    let leg = |text: &str| {
        let mut words = text.split('/');
        let mut leg = NewLeg::default();
        let name = words.next().unwrap_or("").to_owned();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let time = || ms(value.parse().expect("a time"));
            match key {
                "user" => leg.user = Some(value.to_owned()),
                "held" => leg.held = time(),
                "delay" => leg.delay = time(),
                "timeout" => leg.timeout = Some(time()),
                "progress" => leg.progress_timeout = Some(time()),
                "required" => leg.required = true,
                "number" => leg.number = Some(value.to_owned()),
                "redirect" => leg.redirect = Some(read_redirect(value)),
                "grows" => leg.may_register = true,
                "idle" => leg.idle = true,
                "early" => leg.confirm_early = true,
                "confirm" => {
                    leg.confirm = Some(match value {
                        "" => Confirm::Kept,
                        "0" => Confirm::Dropped,
                        _ => Confirm::Anew(time()),
                    })
                }
                "dead" => {
                    leg.dead = Some(cause(value));
                    leg.may_register = value == "UNREGISTERED";
                }
                _ => panic!("{word:?} says nothing of a leg"),
            }
        }
        (name, leg)
    };
    let legs = text.split(',').filter(|leg| !leg.is_empty());
    legs.map(leg).collect()
}

fn read_settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let time = || ms(value.parse().expect("a time"));
        match key {
            "timeout" => settings.timeout = Some(time()),
            "delay" => settings.delay = time(),
            "default" => settings.stage_default = time(),
            "last" => settings.last_stage_default = time(),
            "stage" => settings.stage_timeout = Some(time()),
            "progress" => settings.progress_timeout = Some(time()),
            "missed" => settings.missed = Missed::Never,
            "progressive" => settings.mode = Mode::Progressive,
            "redirect" => settings.redirect = read_redirect(value),
            "hops" => settings.hops = value.parse().expect("a number"),
            "wait" => settings.wait_register = Some(time()),
            "period" => settings.retry_period = time(),
            "until" => settings.retry_timeout = Some(time()),
            "continue" => settings.continue_on_timeout = Some(value == "true"),
            "attempts" => settings.attempts = value.parse().expect("a number"),
            "sleep" => settings.retry_sleep = time(),
            "hangup" => settings.hang_up_on_single_reject = true,
            "reject" => {
                settings.single_reject = match value.strip_prefix('!') {
                    _ if value == "any" => RejectRule::Any,
                    Some(but) => RejectRule::AnyBut(vec![cause(but)]),
                    None => RejectRule::Only(vec![cause(value)]),
                }
            }
            "early" => {
                settings.early_media = Some(match value {
                    "ignore" => EarlyMedia::Ignore,
                    "relay" => EarlyMedia::Relay,
                    "core" => EarlyMedia::Core,
                    _ => panic!("{value:?} is no early media"),
                })
            }
            "slow" => {}
            _ => panic!("{word:?} is no setting"),
        }
    }
    settings
}
