//! Who rings, when, for how long, and who won: the ring machine on a virtual clock.
//! First a table that reads as a specification, then single cases, then laws that hold in
//! every call: a model of the switch answers the machine's commands at random, with phones
//! that answer, reject or stay silent, callers that leave and operators that cancel, and a
//! referee keeps its own account of what the machine may and must do.

use mod_cti::ring::{
    BranchId, Cause, Command, EarlyMedia, Event, LEGS_A_BRANCH, Leg, LegId, LegState, Missed,
    NewLeg, Outcome, RejectRule, Ring, Role, Settings,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const CAUSES: &[(&str, Cause)] = &[
    ("ABSENT", Cause::SUBSCRIBER_ABSENT),
    ("BUSY", Cause::USER_BUSY),
    ("CLEARING", Cause::NORMAL_CLEARING),
    ("GONE", Cause::ORIGINATOR_CANCEL),
    ("LOSE_RACE", Cause::LOSE_RACE),
    ("MANAGER", Cause::MANAGER_REQUEST),
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

// ------------------------------------------------------------------ the table

/// What each row says: the contacts (`,` together, `|` one after another, `:_:` side by
/// side; `a/delay=100/timeout=50/progress=50/required/dead=ABSENT`), the settings, and the
/// story: `time event -> commands`, times in milliseconds. `tick` is the deadline thread;
/// `next` says when it is due; `legs` tells how each leg has ended. Stages are resolved at
/// once, unless the settings say `slow`.
#[rustfmt::skip]
const SCENARIOS: &[(&str, &str, &str, &str)] = &[
    ("both ring, the second answers", "a,b", "", "
        0    begin          -> dial 0 a b ignore
        100  ringing a
        120  ringing b
        900  answered b
        910  won 0 b        -> join b
        912  ended a LOSE_RACE
        legs a loser LOSE_RACE; b open"),
    ("core ends the losers before it reports the winner", "a,b", "", "
        0    begin          -> dial 0 a b ignore
        900  answered b
        905  ended a LOSE_RACE
        910  won 0 b        -> join b
        legs a loser LOSE_RACE; b open"),
    ("… and such an end is no rejection", "a,b", "reject=any", "
        0    begin          -> dial 0 a b ignore
        900  answered b
        905  ended a LOSE_RACE
        910  won 0 b        -> join b"),
    ("a sequence goes on after busy", "a|b", "", "
        0    begin          -> dial 0 a relay
        300  ended a BUSY
        310  failed 0 BUSY  -> dial 1 b core
        500  ringing b
        900  won 1 b        -> join b
        legs a failed BUSY; b open"),
    ("a stage begins only when every branch of the one before has returned", "a,b/delay=100|c", "", "
        0    begin          -> dial 0 a ignore
        100  tick           -> dial 1 b ignore aside
        200  ended a BUSY
        205  failed 0 BUSY
        300  ended b BUSY
        305  failed 1 BUSY  -> dial 2 c core"),
    ("stages have 20 s, the last one 60 s, to the millisecond", "a|b", "", "
        0     begin         -> dial 0 a relay
        next  20000
        19999 tick
        20000 tick          -> cancel 0 NO_ANSWER
        20015 ended a NO_ANSWER
        20020 failed 0 NO_ANSWER -> dial 1 b core
        next  80020
        80019 tick
        80020 tick          -> cancel 1 NO_ANSWER
        80021 ended b NO_ANSWER rang
        80022 failed 1 NO_ANSWER -> finish no_answer NO_ANSWER
        next  none"),
    ("a tick that comes late does what was due", "a|b", "stage=2000", "
        0    begin          -> dial 0 a relay
        2049 tick           -> cancel 0 NO_ANSWER
        2060 failed 0 NO_ANSWER -> dial 1 b core
        next 4060"),
    ("any event at the deadline does what is due", "a|b", "stage=2000", "
        0    begin          -> dial 0 a relay
        2000 ringing a      -> cancel 0 NO_ANSWER"),
    ("the call's deadline ends every stage", "a|b|c", "stage=1000 timeout=1500", "
        0    begin          -> dial 0 a relay
        1000 tick           -> cancel 0 NO_ANSWER
        1010 failed 0 NO_ANSWER -> dial 1 b relay
        next 1500
        1499 tick
        1500 tick           -> cancel 1 NO_ANSWER
        1510 failed 1 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("the call's deadline passes while a stage is being ended: nobody else is dialled", "a|b", "stage=1000 timeout=1005", "
        0    begin          -> dial 0 a relay
        1000 tick           -> cancel 0 NO_ANSWER
        1010 failed 0 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… or while contacts are looked up", "a", "timeout=1000 slow", "
        0    begin          -> resolve 0.0
        1200 found 0        -> finish no_answer NO_ANSWER"),
    ("a leg's own deadline ends it alone", "a/timeout=500,b", "", "
        0    begin          -> dial 0 a b ignore
        10   ringing a
        20   ringing b
        499  tick
        500  tick           -> hang up a NO_ANSWER
        503  ended a NO_ANSWER
        900  won 0 b        -> join b
        legs a failed NO_ANSWER; b open"),
    ("an answer in the very moment of the deadline stands", "a/timeout=500|b", "stage=500", "
        0    begin          -> dial 0 a relay
        500  tick           -> hang up a NO_ANSWER; cancel 0 NO_ANSWER
        505  won 0 a        -> join a"),
    ("a branch that was cancelled is told nothing else by a leg's deadline", "a/timeout=1000,b/delay=500", "", "
        0    begin          -> dial 0 a ignore
        500  tick           -> dial 1 b ignore aside
        990  won 1 b        -> cancel 0 LOSE_RACE; join b aside
        1000 tick
        1010 ended a LOSE_RACE
        1011 failed 0 LOSE_RACE
        legs a loser LOSE_RACE; b open"),
    ("a phone that does not ring in time", "a/progress=300|b", "", "
        0    begin          -> dial 0 a relay
        299  tick
        300  tick           -> hang up a NO_ANSWER
        310  ended a NO_ANSWER
        311  failed 0 NO_ANSWER -> dial 1 b core"),
    ("… and one that does", "a/progress=300|b", "", "
        0    begin          -> dial 0 a relay
        299  ringing a
        300  tick
        next 20000"),
    ("progress_timeout: the stage fails if nobody has rung", "a,b|c", "progress=400", "
        0    begin          -> dial 0 a b ignore
        400  tick           -> cancel 0 NO_ANSWER
        410  failed 0 NO_ANSWER -> dial 1 c core"),
    ("progress_timeout: the result is that nobody answered", "a", "progress=400", "
        0    begin          -> dial 0 a core
        400  tick           -> cancel 0 NO_ANSWER
        410  failed 0 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("a required leg's siblings say nothing about the result", "a/required,b", "", "
        0    begin          -> dial 0 a b ignore
        50   ringing b
        100  ended a BUSY   -> cancel 0 NO_ANSWER
        105  ended b NO_ANSWER
        110  failed 0 NO_ANSWER -> finish busy BUSY"),
    ("progress_timeout: somebody has", "a,b|c", "progress=400", "
        0    begin          -> dial 0 a b ignore
        399  ringing b
        400  tick
        next 20000"),
    ("progress_timeout: what rang in an earlier attempt does not count", "a", "progress=400 attempts=2 sleep=500", "
        0    begin          -> dial 0 a core
        100  ringing a
        200  ended a BUSY
        201  failed 0 BUSY
        701  tick           -> dial 1 a core
        1101 tick           -> cancel 1 NO_ANSWER"),
    ("cti_missed=never: time over is told as completed elsewhere", "a/timeout=200,b", "missed=never stage=1000", "
        0    begin          -> dial 0 a b ignore
        1    ringing a
        2    ringing b
        200  tick           -> hang up a LOSE_RACE
        1000 tick           -> cancel 0 LOSE_RACE
        1005 ended b LOSE_RACE
        1010 failed 0 LOSE_RACE -> finish no_answer NO_ANSWER"),
    ("cti_missed=never: what the caller is told does not change", "a", "missed=never stage=1000", "
        0    begin          -> dial 0 a core
        1000 tick           -> cancel 0 LOSE_RACE
        1010 failed 0 LOSE_RACE -> finish no_answer NO_ANSWER"),
    ("late starters ring in branches of their own", "a,b/delay=200,c/delay=200,d/delay=300", "", "
        0    begin          -> dial 0 a ignore
        next 200
        200  tick           -> dial 1 b c ignore aside
        300  tick           -> dial 2 d ignore aside
        400  won 1 c        -> cancel 0 LOSE_RACE; cancel 2 LOSE_RACE; join c aside"),
    ("if all start late, the first of them starts at once", "a/delay=500,b/delay=700", "", "
        0    begin          -> dial 0 a ignore
        next 200
        200  tick           -> dial 1 b ignore aside"),
    ("nobody rings any more: who starts late starts now", "a,b/delay=5000,c/delay=6000", "", "
        0    begin          -> dial 0 a ignore
        300  ended a BUSY   -> dial 1 b ignore aside
        310  failed 0 BUSY
        next 1300
        1300 tick           -> dial 2 c ignore aside"),
    ("… also when the last could not even be created", "a/timeout=100,b,c/delay=5000", "missed=never", "
        0    begin          -> dial 0 a b ignore
        5    started a
        100  tick           -> hang up a LOSE_RACE
        105  ended a LOSE_RACE
        125  failed 0 LOSE_RACE -> dial 1 c ignore aside"),
    ("who has not started when the winner answers never does", "a,b/delay=5000", "", "
        0    begin          -> dial 0 a ignore
        300  won 0 a        -> join a
        next none
        legs a open; b loser LOSE_RACE"),
    ("fail_on_single_reject and a phone that had not started at the stage's deadline", "a,b/delay=5000|c", "reject=any stage=1000", "
        0    begin          -> dial 0 a ignore
        1000 tick           -> cancel 0 NO_ANSWER
        1010 failed 0 NO_ANSWER -> dial 2 c core"),
    ("a required leg that fails ends its stage", "a/required,b|c", "", "
        0    begin          -> dial 0 a b ignore
        100  ended a BUSY   -> cancel 0 NO_ANSWER
        105  ended b NO_ANSWER
        110  failed 0 NO_ANSWER -> dial 1 c core"),
    ("a required leg that cannot be dialled", "a/required/dead=ABSENT,b|c", "", "
        0    begin          -> dial 0 c core"),
    ("a required leg without a cause ends its stage all the same", "a/required,b/delay=10|c", "", "
        0    begin          -> dial 0 a ignore
        10   tick           -> dial 1 b ignore aside
        20   failed 0 NONE  -> cancel 1 NO_ANSWER"),
    ("a required leg that loses is no failure", "a/required,b|c", "", "
        0    begin          -> dial 0 a b ignore
        90   ended a LOSE_RACE
        100  won 0 b        -> join b"),
    ("a required leg whose end is reported a stage too late", "a/required,b|c", "early=core stage=1000", "
        0    begin          -> dial 0 a b core
        1    started a
        1000 tick           -> cancel 0 NO_ANSWER
        1005 won 0 b early  -> too late b; dial 1 c core
        1010 ended a BUSY
        next 2005"),
    ("fail_on_single_reject ends the call", "a,b|c", "reject=any", "
        0    begin          -> dial 0 a b ignore
        100  ended a REJECTED -> cancel 0 NO_ANSWER
        110  ended b NO_ANSWER
        111  failed 0 NO_ANSWER -> finish rejected REJECTED"),
    ("… for the causes that it names", "a,b|c", "reject=BUSY", "
        0    begin          -> dial 0 a b ignore
        100  ended a REJECTED
        200  ended b BUSY   -> cancel 0 NO_ANSWER
        211  failed 0 BUSY  -> finish busy BUSY"),
    ("… or all but those", "a,b|c", "reject=!BUSY", "
        0    begin          -> dial 0 a b ignore
        100  ended a BUSY
        200  ended b REJECTED -> cancel 0 NO_ANSWER"),
    ("hangup_on_single_reject hangs up the caller", "a,b|c", "reject=any hangup", "
        0    begin          -> dial 0 a b ignore
        100  ended a BUSY   -> cancel 0 NO_ANSWER
        111  failed 0 NO_ANSWER -> finish busy BUSY and hang up"),
    ("a leg's deadline is no rejection", "a/timeout=100,b", "reject=any", "
        0    begin          -> dial 0 a b ignore
        100  tick           -> hang up a NO_ANSWER
        105  ended a NO_ANSWER
        next 60000"),
    ("the caller's leaving is no rejection", "a,b", "reject=any", "
        0    begin          -> dial 0 a b ignore
        100  ended a GONE
        101  ended b GONE
        102  caller gone    -> cancel 0 GONE
        103  failed 0 GONE  -> finish cancelled GONE
        legs a cancelled GONE; b cancelled GONE"),
    ("… and starts nobody", "a,b/delay=5000", "", "
        0    begin          -> dial 0 a ignore
        100  ended a GONE
        102  caller gone    -> cancel 0 GONE
        103  failed 0 GONE  -> finish cancelled GONE"),
    ("parts ring side by side, an answer ends them all", "a|b:_:c,d", "", "
        0    begin          -> dial 0 a ignore aside; dial 1 c d ignore aside
        100  ringing c      -> ring caller
        300  failed 0 BUSY  -> dial 2 b ignore aside
        500  won 1 d        -> cancel 2 LOSE_RACE; join d aside
        510  failed 2 LOSE_RACE"),
    ("the caller hears us: several branches ring beside its thread", "a,b/delay=500|c", "tone stage=1000", "
        0    begin          -> dial 0 a ignore aside
        500  tick           -> dial 1 b ignore aside
        1000 tick           -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER
        1010 failed 0 NO_ANSWER
        1020 failed 1 NO_ANSWER -> dial 2 c core"),
    ("the call ends when the last part has", "a:_:b", "", "
        0    begin          -> dial 0 a ignore aside; dial 1 b ignore aside
        100  failed 0 BUSY
        200  failed 1 REJECTED -> finish busy BUSY"),
    ("two parts answer at once", "a:_:b", "", "
        0    begin          -> dial 0 a ignore aside; dial 1 b ignore aside
        100  answered a
        100  answered b
        101  won 1 b        -> cancel 0 LOSE_RACE; join b aside
        101  won 0 a        -> too late a"),
    ("each part keeps its own stages' time", "a|b:_:c", "stage=1000", "
        0    begin          -> dial 0 a ignore aside; dial 1 c ignore aside
        1000 tick           -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER
        1010 failed 1 NO_ANSWER
        1020 failed 0 NO_ANSWER -> dial 2 b ignore aside
        next 2020"),
    ("early media in a stage of many legs: the caller hears ringing", "a,b", "", "
        0    begin          -> dial 0 a b ignore
        100  media a        -> ring caller
        110  media b"),
    ("early media of one leg with stages after it is relayed and keeps its deadline", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        100  media a
        1000 tick           -> cancel 0 NO_ANSWER"),
    ("early media of the last stage's one leg passes both ways and keeps its deadline", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        100  media a
        105  won 0 a early  -> join a
        next 1000
        999  tick
        1000 tick           -> hang up a NO_ANSWER
        next none"),
    ("… unless it answers", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        900  answered a
        next none
        1000 tick"),
    ("… and the call's deadline counts too", "a", "stage=1000 timeout=700", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        next 700
        700  tick           -> hang up a NO_ANSWER"),
    ("early media in the very moment of the deadline is no answer", "a|b", "early=core stage=1000", "
        0    begin          -> dial 0 a core
        1000 tick           -> cancel 0 NO_ANSWER
        1005 won 0 a early  -> too late a; dial 1 b core"),
    ("one leg of three is alive: it is a stage of one leg", "a/dead=ABSENT,b,c/dead=ABSENT|d", "", "
        0    begin          -> dial 0 b relay"),
    ("cti_early_media=ignore", "a", "early=ignore", "0 begin -> dial 0 a ignore"),
    ("cti_early_media=relay", "a,b", "early=relay", "0 begin -> dial 0 a b relay"),
    ("cti_early_media=core", "a,b|c", "early=core", "0 begin -> dial 0 a b core"),
    ("the plan says itself", "a,b", "early=written", "0 begin -> dial 0 a b written"),
    ("originate_continue_on_timeout=false ends the part at its first timeout", "a|b", "continue=false stage=1000 attempts=3", "
        0    begin          -> dial 0 a relay
        1000 tick           -> cancel 0 NO_ANSWER
        1010 failed 0 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… but not at a rejection", "a|b", "continue=false", "
        0    begin          -> dial 0 a relay
        100  failed 0 BUSY  -> dial 1 b core"),
    ("originate_retries runs the part again", "a|b", "attempts=2 sleep=700", "
        0    begin          -> dial 0 a relay
        100  failed 0 BUSY  -> dial 1 b core
        200  failed 1 BUSY
        next 900
        899  tick
        900  tick           -> dial 2 a relay
        950  failed 2 BUSY  -> dial 3 b core
        960  failed 3 BUSY  -> finish busy BUSY"),
    ("the call's deadline passes between two attempts", "a", "attempts=2 sleep=700 timeout=500", "
        0    begin          -> dial 0 a core
        100  failed 0 BUSY
        next 500
        500  tick           -> finish busy BUSY"),
    ("the caller leaves while a stage rings", "a,b|c", "", "
        0    begin          -> dial 0 a b ignore
        100  caller gone    -> cancel 0 GONE
        110  ended a GONE
        112  ended b GONE
        115  failed 0 GONE  -> finish cancelled GONE
        legs a cancelled GONE; b cancelled GONE"),
    ("the caller leaves between two stages", "a|b", "slow", "
        0    begin          -> resolve 0.0
        5    found 0        -> dial 0 a relay
        100  failed 0 BUSY  -> resolve 0.1
        105  caller gone
        110  found 0        -> finish cancelled GONE"),
    ("the caller leaves between two attempts", "a", "attempts=2", "
        0    begin          -> dial 0 a core
        100  failed 0 BUSY
        200  caller gone    -> finish cancelled GONE
        next none"),
    ("the caller leaves in the moment of the answer", "a,b", "", "
        0    begin          -> dial 0 a b ignore
        100  caller gone    -> cancel 0 GONE
        105  won 0 b        -> too late b; finish cancelled GONE"),
    ("an operator cancels", "a:_:b", "", "
        0    begin          -> dial 0 a ignore aside; dial 1 b ignore aside
        100  cancel CLEARING -> cancel 0 CLEARING; cancel 1 CLEARING
        105  failed 0 CLEARING
        110  failed 1 CLEARING -> finish cancelled CLEARING"),
    ("whoever ends the call first has ended it", "a", "", "
        0    begin          -> dial 0 a core
        100  caller gone    -> cancel 0 GONE
        101  cancel CLEARING
        102  caller gone
        105  failed 0 GONE  -> finish cancelled GONE
        106  cancel CLEARING"),
    ("an operator skips a stage, whatever originate_continue_on_timeout says", "a|b", "continue=false", "
        0    begin          -> dial 0 a relay
        10   ringing a
        100  skip           -> cancel 0 NO_ANSWER
        105  skip
        110  ended a NO_ANSWER
        111  failed 0 NO_ANSWER -> dial 1 b core
        112  skip           -> cancel 1 NO_ANSWER
        120  failed 1 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("an operator gives a stage more time", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        900  extend 500
        1000 tick
        next 1500
        1500 tick           -> cancel 0 NO_ANSWER
        1501 extend 500
        1510 failed 0 NO_ANSWER -> dial 1 b core
        next 2510"),
    ("an operator drops a leg: the others ring on", "a,b", "reject=any", "
        0    begin          -> dial 0 a b ignore
        100  drop a         -> hang up a GONE
        101  drop a
        105  ended a GONE
        200  won 0 b        -> join b
        legs a cancelled GONE; b open"),
    ("an operator adds a target beside what rings", "a|b", "", "
        0    begin          -> dial 0 a relay
        100  added c,d      -> dial 1 c d ignore aside
        200  ended a BUSY
        201  failed 0 BUSY
        300  won 1 d        -> join d aside"),
    ("… and its end is waited for", "a|b", "", "
        0    begin          -> dial 0 a relay
        100  added c        -> dial 1 c ignore aside
        200  failed 0 BUSY
        300  failed 1 BUSY  -> dial 2 b core"),
    ("what is added too late does not ring", "a", "reject=any", "
        0    begin          -> dial 0 a core
        100  caller gone    -> cancel 0 GONE
        101  added c
        110  failed 0 GONE  -> finish cancelled GONE
        111  added d"),
    ("… nor while a stage is being ended", "a|b", "reject=any", "
        0    begin          -> dial 0 a relay
        100  skip           -> cancel 0 NO_ANSWER
        101  added c
        110  failed 0 NO_ANSWER -> dial 1 b core"),
    ("a call that is ended before it begins rings nobody", "a|b", "", "
        0    caller gone
        0    begin          -> finish cancelled GONE"),
    ("nobody to dial", "a/dead=ABSENT|b/dead=ORDER", "", "0 begin -> finish unreachable ABSENT"),
    ("a stage without contacts", "|a", "", "0 begin -> dial 0 a core"),
    ("no contacts at all", "|", "", "0 begin -> finish failed ORDER"),
    ("somebody rang until the end: that is the result", "a|b|c", "", "
        0    begin          -> dial 0 a relay
        10   ringing a
        20   ended a NO_RESPONSE
        21   failed 0 NO_RESPONSE -> dial 1 b relay
        30   failed 1 BUSY  -> dial 2 c core
        40   failed 2 REJECTED -> finish no_answer NO_ANSWER"),
    ("a phone that rang and then rejected has rejected", "a", "", "
        0    begin          -> dial 0 a core
        10   ringing a
        20   ended a REJECTED
        21   failed 0 REJECTED -> finish rejected REJECTED"),
    ("a lost ringing event changes no result: the channel's own record counts", "a|b", "", "
        0    begin          -> dial 0 a relay
        20   ended a NO_RESPONSE rang
        21   failed 0 NO_RESPONSE -> dial 1 b core
        30   failed 1 BUSY  -> finish no_answer NO_ANSWER"),
    ("busy says more than rejected, rejected more than unreachable", "a,b,c/dead=ABSENT", "", "
        0    begin          -> dial 0 a b ignore
        10   ended a REJECTED
        20   ended b BUSY
        21   failed 0 REJECTED -> finish busy BUSY"),
];

/// One row being played.
struct Table {
    plan: Vec<Vec<Vec<(String, NewLeg)>>>,
    ring: Ring,
    /// Whose leg each id is.
    names: Vec<String>,
    stage: Vec<usize>,
    slow: bool,
}

impl Table {
    fn new(plan: &str, settings: &str) -> Table {
        let part = |text: &str| text.split('|').map(read_legs).collect::<Vec<_>>();
        let plan: Vec<_> = plan.split(":_:").map(part).collect();
        let slow = settings.contains("slow");
        let settings = read_settings(settings);
        let parts = plan.iter().map(|stages| (settings.clone(), stages.len()));
        let (ring, stage) = (Ring::new(parts.collect()), vec![0; plan.len()]);
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
        found.unwrap_or_else(|| panic!("no leg {name:?} yet"))
    }

    /// The commands that follow, as the table writes them.
    fn feed(&mut self, now: u64, event: Event) -> Vec<String> {
        let mut said = Vec::new();
        for command in self.ring.handle(ms(now), event) {
            match command {
                Command::Resolve { part, stage } => {
                    self.stage[part] = stage;
                    if self.slow {
                        said.push(format!("resolve {part}.{stage}"));
                    } else {
                        said.extend(self.found(now, part));
                    }
                }
                command => said.push(self.picture(&command)),
            }
        }
        said
    }

    fn found(&mut self, now: u64, part: usize) -> Vec<String> {
        let (names, legs) = self.plan[part][self.stage[part]].iter().cloned().unzip();
        let names: Vec<String> = names;
        self.names.extend(names);
        self.feed(now, Event::Resolved { part, legs })
    }

    fn picture(&self, command: &Command) -> String {
        let aside = |aside: &bool| if *aside { " aside" } else { "" };
        match command {
            Command::Dial {
                branch,
                legs,
                early_media,
                aside: beside,
                ..
            } => {
                let legs: Vec<_> = legs.iter().map(|&leg| self.names[leg].as_str()).collect();
                let media = match early_media {
                    EarlyMedia::Ignore => "ignore",
                    EarlyMedia::Relay => "relay",
                    EarlyMedia::Core => "core",
                    EarlyMedia::AsWritten => "written",
                };
                format!("dial {branch} {} {media}{}", legs.join(" "), aside(beside))
            }
            Command::Cancel { branch, cause } => format!("cancel {branch} {}", name_of(*cause)),
            Command::HangUp { leg, cause } => {
                format!("hang up {} {}", self.names[*leg], name_of(*cause))
            }
            Command::RingCaller => "ring caller".to_owned(),
            Command::Join {
                leg, aside: beside, ..
            } => {
                format!("join {}{}", self.names[*leg], aside(beside))
            }
            Command::TooLate { leg, .. } => format!("too late {}", self.names[*leg]),
            Command::Finish {
                outcome,
                cause,
                hang_up_caller,
            } => {
                let hang_up = if *hang_up_caller { " and hang up" } else { "" };
                format!("finish {} {}{hang_up}", outcome.name(), name_of(*cause))
            }
            Command::Resolve { part, stage } => format!("resolve {part}.{stage}"),
        }
    }

    /// How the legs named in `expected` have ended.
    fn legs(&self, expected: &str) -> String {
        let told = expected.split(';').map(|one| {
            let name = one.split_whitespace().next().unwrap_or("");
            let leg = &self.ring.legs()[self.leg(name)];
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
    fn play(&mut self, story: &str) -> Result<(), String> {
        for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (what, expected) = line.split_once("->").unwrap_or((line, ""));
            let words: Vec<_> = what.split_whitespace().collect();
            let (expected, got) = match words[0] {
                "next" => {
                    let next = self.ring.next_deadline();
                    let next = next.map_or("none".to_owned(), |at| at.as_millis().to_string());
                    (words[1], next)
                }
                "legs" => (
                    what.trim_start_matches("legs").trim(),
                    self.legs(&line[4..]),
                ),
                time => {
                    let now = time.parse().expect("a line begins with a time");
                    let got = match words[1..] {
                        ["added", legs] => {
                            let (names, legs): (Vec<_>, Vec<_>) =
                                read_legs(legs).into_iter().unzip();
                            self.names.extend(names);
                            self.feed(now, Event::Added { part: 0, legs })
                        }
                        ["found", part] => self.found(now, part.parse().expect("a part")),
                        ref words => {
                            let event = self.event(words);
                            self.feed(now, event)
                        }
                    };
                    (expected.trim(), got.join("; "))
                }
            };
            if expected != got {
                return Err(format!("{line}\n    got: {got}"));
            }
        }
        Ok(())
    }

    fn event(&self, words: &[&str]) -> Event {
        let number = |text: &str| text.parse::<BranchId>().expect("a branch");
        match *words {
            ["begin"] => Event::Begin,
            ["tick"] => Event::Tick,
            ["started", leg] => Event::Started(self.leg(leg)),
            ["ringing", leg] => Event::Ringing(self.leg(leg)),
            ["media", leg] => Event::EarlyMedia(self.leg(leg)),
            ["answered", leg] => Event::Answered(self.leg(leg)),
            ["ended", leg, why] => Event::Ended {
                leg: self.leg(leg),
                cause: cause(why),
                rang: None,
            },
            ["ended", leg, why, "rang"] => Event::Ended {
                leg: self.leg(leg),
                cause: cause(why),
                rang: Some(ms(0)),
            },
            ["failed", branch, why] => Event::BranchFailed {
                branch: number(branch),
                cause: cause(why),
            },
            ["won", branch, leg] => Event::BranchWon {
                branch: number(branch),
                leg: self.leg(leg),
                answered: true,
            },
            ["won", branch, leg, "early"] => Event::BranchWon {
                branch: number(branch),
                leg: self.leg(leg),
                answered: false,
            },
            ["caller", "gone"] => Event::CallerGone,
            ["cancel", why] => Event::Cancel(cause(why)),
            ["skip"] => Event::Skip,
            ["drop", leg] => Event::Drop(self.leg(leg)),
            ["extend", time] => Event::Extend(ms(time.parse().expect("a time"))),
            _ => panic!("{words:?} is no event"),
        }
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
                "delay" => leg.delay = time(),
                "timeout" => leg.timeout = Some(time()),
                "progress" => leg.progress_timeout = Some(time()),
                "required" => leg.required = true,
                "dead" => leg.dead = Some(cause(value)),
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
            "stage" => settings.stage_timeout = Some(time()),
            "progress" => settings.progress_timeout = Some(time()),
            "missed" => settings.missed = Missed::Never,
            "tone" => settings.caller_hears_us = true,
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
                    _ => EarlyMedia::AsWritten,
                })
            }
            "slow" => {}
            _ => panic!("{word:?} is no setting"),
        }
    }
    settings
}

#[test]
fn scenarios() {
    let mut wrong = Vec::new();
    for (name, plan, settings, story) in SCENARIOS {
        let story = || Table::new(plan, settings).play(story);
        match std::panic::catch_unwind(story) {
            Ok(Ok(())) => {}
            Ok(Err(line)) => wrong.push(format!("{name} ({plan}): {line}")),
            Err(_) => wrong.push(format!("{name} ({plan}): panicked")),
        }
    }
    let count = (wrong.len(), SCENARIOS.len());
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        count.0,
        count.1,
        wrong.join("\n")
    );
}

// --------------------------------------------------------------- single cases

#[test]
fn a_stage_of_250_contacts_rings_in_branches_of_at_most_100() {
    let mut ring = Ring::new(vec![(Settings::default(), 1)]);
    ring.handle(ms(0), Event::Begin);
    let legs = vec![NewLeg::default(); 250];
    let commands = ring.handle(ms(5), Event::Resolved { part: 0, legs });
    let mut rung = BTreeSet::new();
    let mut sizes = Vec::new();
    for command in commands {
        let Command::Dial {
            legs,
            aside,
            branch,
            ..
        } = command
        else {
            panic!("nothing but dialling: {command:?}")
        };
        assert_eq!(
            aside,
            branch > 0,
            "one branch rings with the caller's session"
        );
        sizes.push(legs.len());
        rung.extend(legs);
    }
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(rung.len(), 250, "each contact rings, once");
    let won = Event::BranchWon {
        branch: 2,
        leg: 249,
        answered: true,
    };
    let commands = ring.handle(ms(900), won);
    let cancel = |branch| Command::Cancel {
        branch,
        cause: Cause::LOSE_RACE,
    };
    let join = Command::Join {
        leg: 249,
        branch: 2,
        aside: true,
    };
    assert_eq!(commands, [cancel(0), cancel(1), join]);
}

#[test]
fn a_winner_in_early_media_that_never_answers_has_a_result() {
    let early = || {
        let mut table = Table::new("a", "stage=1000");
        table
            .play("0 begin -> dial 0 a core\n100 won 0 a early -> join a")
            .expect("joined");
        table
    };
    let mut rang_out = early();
    rang_out
        .play("1000 tick -> hang up a NO_ANSWER\n1010 ended a NO_ANSWER")
        .expect("hung up");
    assert_eq!(
        rang_out.ring.unanswered(0),
        (Outcome::NoAnswer, Cause::NO_ANSWER)
    );
    let mut busy = early();
    busy.play("500 ended a BUSY").expect("ended");
    assert_eq!(busy.ring.unanswered(0), (Outcome::Busy, Cause::USER_BUSY));
    let mut left = early();
    left.play("500 ended a GONE").expect("ended");
    let expected = (Outcome::Cancelled, Cause::ORIGINATOR_CANCEL);
    assert_eq!(left.ring.unanswered(0), expected);
}

/// Legs that core could not create are never heard of again, also when a sibling wins.
#[test]
fn a_leg_that_was_never_created_has_an_end_when_its_branch_won() {
    let mut table = Table::new("a,b", "");
    let story = "0 begin -> dial 0 a b ignore\n5 started b\n100 won 0 b -> join b";
    table.play(story).expect("joined");
    let leg = &table.ring.legs()[0];
    assert_eq!((leg.state, leg.role), (LegState::Ended, Some(Role::Loser)));
}

#[test]
fn contacts_that_nobody_asked_for_change_nothing() {
    let story = "0 begin -> dial 0 a core";
    let mut table = Table::new("a", "");
    table.play(story).expect("dialled");
    for part in [0, 1, usize::MAX] {
        let again = Event::Resolved {
            part,
            legs: vec![NewLeg::default()],
        };
        assert_eq!(table.ring.handle(ms(10), again), []);
    }
    table
        .play("60000 tick -> cancel 0 NO_ANSWER")
        .expect("the stage rings on");
}

#[test]
fn a_winner_that_is_no_leg_of_its_branch_is_no_reason_to_panic() {
    for leg in [1, 2, usize::MAX] {
        let mut table = Table::new("a|b", "");
        table.play("0 begin -> dial 0 a relay").expect("dialled");
        let unknown = Event::BranchWon {
            branch: 0,
            leg,
            answered: true,
        };
        let said = table.ring.handle(ms(10), unknown);
        let won = said
            .iter()
            .filter(|said| matches!(said, Command::Join { .. }))
            .count();
        assert!(won <= 1, "{said:?}");
    }
}

#[test]
fn the_clock_never_runs_backwards() {
    let mut table = Table::new("a|b", "stage=1000");
    let story = "500 begin -> dial 0 a relay\n100 ringing a\nnext 1500\n1500 tick -> cancel 0 NO_ANSWER\n3 failed 0 NO_ANSWER -> dial 1 b core\nnext 2500";
    table
        .play(story)
        .expect("an older time is taken as the last one");
}

// ------------------------------------------------------------------- the laws

/// What must hold in every call, whatever arrives in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Law {
    /// Exactly one Join or one Finish, never both.
    OneVerdict,
    /// After the end of the call nobody is looked up or dialled.
    NothingAfterTheEnd,
    /// A stage begins when all of the one before has ended, and in the plan's order.
    StagesInOrder,
    /// No deadline and no late start comes early.
    NeverEarly,
    /// After any event nothing that is due is left undone.
    NeverLate,
    /// A tick is pending for the next deadline, and no deadline is asked for again and again.
    WokenInTime,
    /// Every leg that was dialled has exactly one end, and the cause that it came with.
    OneEndEach,
    /// Each branch that won is joined or told that it is too late.
    EveryWinnerIsTold,
    /// An answer is refused only if somebody else won or the call was ended.
    AnswersCount,
    /// The result is the most telling one of all legs'.
    TrueResult,
    /// A Cancel names a branch that rings, once, and has a reason.
    CancelsAreDue,
    /// Every id in a command is one that exists; nobody is dialled twice.
    KnownIds,
    /// What a phone is told when it is ended: the truth, once, in a form that SIP knows.
    TrueCauses,
    /// Winner, loser, cancelled, failed: as it was.
    TrueRoles,
    /// When the call is over, no phone rings and no deadline is kept.
    NothingLeft,
}

/// A source of decisions. Zeros are the dullest ones, so that a failing call shrinks to a
/// plain one.
struct Dice {
    faces: Vec<u32>,
    at: usize,
    seed: u64,
}

impl Dice {
    fn listed(faces: Vec<u32>) -> Dice {
        Dice {
            faces,
            at: 0,
            seed: 0,
        }
    }

    fn seeded(seed: u64) -> Dice {
        let seed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Dice {
            faces: Vec::new(),
            at: 0,
            seed,
        }
    }

    fn next(&mut self) -> u32 {
        if let Some(&face) = self.faces.get(self.at) {
            self.at += 1;
            return face;
        }
        // xorshift; zero stays zero.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 32) as u32
    }

    fn below(&mut self, limit: u64) -> u64 {
        u64::from(self.next()) % limit.max(1)
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == odds - 1
    }

    /// Often a round time, so that much happens in the same millisecond.
    fn time(&mut self, limit: u64) -> u64 {
        let time = self.below(limit + 1);
        if time.is_multiple_of(3) {
            time
        } else {
            time / 100 * 100
        }
    }

    /// Mostly nothing, else up to this.
    fn lag(&mut self, limit: u64) -> u64 {
        if self.one_in(4) {
            self.below(limit + 1)
        } else {
            0
        }
    }

    fn maybe<T>(&mut self, odds: u64, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
        if self.one_in(odds) {
            Some(make(self))
        } else {
            None
        }
    }

    fn cause(&mut self) -> Cause {
        const CAUSES: [Cause; 10] = [
            Cause::USER_BUSY,
            Cause::CALL_REJECTED,
            Cause::NO_USER_RESPONSE,
            Cause::NO_ANSWER,
            Cause::SUBSCRIBER_ABSENT,
            Cause::DECLINE,
            Cause::BUSY_EVERYWHERE,
            Cause::RECOVERY_ON_TIMER_EXPIRE,
            Cause::CHAN_NOT_IMPLEMENTED,
            Cause(41),
        ];
        if self.one_in(50) {
            Cause::NONE
        } else {
            CAUSES[self.below(10) as usize]
        }
    }

    fn settings(&mut self) -> Settings {
        Settings {
            timeout: self.maybe(3, |dice| ms(400 + dice.time(20_000))),
            stage_timeout: self.maybe(2, |dice| ms(100 + dice.time(8_000))),
            progress_timeout: self.maybe(5, |dice| ms(50 + dice.time(2_000))),
            missed: if self.one_in(3) {
                Missed::Never
            } else {
                Missed::Auto
            },
            early_media: self.maybe(3, |dice| match dice.below(4) {
                0 => EarlyMedia::Ignore,
                1 => EarlyMedia::Relay,
                2 => EarlyMedia::Core,
                _ => EarlyMedia::AsWritten,
            }),
            continue_on_timeout: self.maybe(4, |dice| dice.one_in(2)),
            single_reject: match self.below(10) {
                7 => RejectRule::Any,
                8 => RejectRule::Only(vec![Cause::CALL_REJECTED, Cause::DECLINE]),
                9 => RejectRule::AnyBut(vec![Cause::USER_BUSY, Cause::NO_ANSWER]),
                _ => RejectRule::Never,
            },
            hang_up_on_single_reject: self.one_in(2),
            attempts: if self.one_in(6) {
                2 + self.below(2) as u32
            } else {
                1
            },
            retry_sleep: ms(self.time(2_000)),
            ..Settings::default()
        }
    }

    fn legs(&mut self) -> Vec<NewLeg> {
        let many = self.one_in(200);
        let count = if many {
            101 + self.below(150)
        } else {
            1 + self.below(4)
        };
        let count = if self.one_in(20) { 0 } else { count };
        let leg = |_| NewLeg {
            delay: self
                .maybe(3, |dice| ms(dice.time(3_000)))
                .unwrap_or_default(),
            timeout: self.maybe(3, |dice| ms(50 + dice.time(5_000))),
            progress_timeout: self.maybe(6, |dice| ms(50 + dice.time(2_000))),
            required: self.one_in(10),
            dead: self.maybe(8, |_| Cause::SUBSCRIBER_ABSENT),
        };
        (0..count).map(leg).collect()
    }
}

/// What can happen on the switch.
#[derive(Debug, Clone)]
enum Happening {
    Feed(Event),
    Tick,
    /// A thread takes the Dial up.
    Originate(BranchId),
    Phone(LegId, Deed),
    /// Core looks at the branch's cancel cell (or at its caller).
    Poll(BranchId, Cause),
    Return(BranchId),
    CallerHangsUp,
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Start,
    Ring,
    Media,
    Answer,
    End(Cause),
    /// By us: an answer in the same moment stands.
    HangUp(Cause),
}

#[derive(Debug, Default)]
struct Phone {
    branch: BranchId,
    created: bool,
    up: bool,
    rang: bool,
    answered: bool,
    ended: bool,
    doomed: Option<Cause>,
}

#[derive(Debug)]
struct Originate {
    legs: Vec<LegId>,
    early_media_wins: bool,
    with_caller: bool,
    cell: Option<Cause>,
    decided: Option<Result<LegId, Cause>>,
    returned: bool,
}

/// The switch: phones, originates, the caller and the deadline thread, all on one clock.
struct Switch<'d> {
    dice: &'d mut Dice,
    ring: Ring,
    referee: Referee,
    now: u64,
    order: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    phones: HashMap<LegId, Phone>,
    branches: HashMap<BranchId, Originate>,
    /// As `calls` arms the timer: only when the next deadline is another one.
    armed: Option<Duration>,
    ticks: BTreeMap<Duration, u32>,
    caller_gone: bool,
    joined: Option<LegId>,
    parts: u64,
    /// When all phones that answer do.
    chorus: Option<u64>,
    silent_phones: bool,
    fed: u64,
}

impl<'d> Switch<'d> {
    fn new(dice: &'d mut Dice, silent_phones: bool) -> Switch<'d> {
        let parts = 1 + usize::from(dice.one_in(4)) + usize::from(dice.one_in(4));
        let parts: Vec<_> = (0..parts)
            .map(|_| (dice.settings(), 1 + dice.below(4) as usize))
            .collect();
        Switch {
            chorus: dice.maybe(3, |dice| 500 + dice.time(2_000)),
            parts: parts.len() as u64,
            dice,
            referee: Referee::new(&parts),
            ring: Ring::new(parts),
            now: 0,
            order: 0,
            agenda: BTreeMap::new(),
            phones: HashMap::new(),
            branches: HashMap::new(),
            armed: None,
            ticks: BTreeMap::new(),
            caller_gone: false,
            joined: None,
            silent_phones,
            fed: 0,
        }
    }

    fn after(&mut self, delay: u64, what: Happening) {
        self.order += 1;
        self.agenda.insert((self.now + delay, self.order), what);
    }

    /// The whole call, until nothing is left to happen.
    fn run(mut self) -> (Vec<Fault>, u64) {
        self.after(0, Happening::Feed(Event::Begin));
        if !self.silent_phones {
            if self.dice.one_in(4) {
                let at = self.dice.time(12_000);
                self.after(at, Happening::CallerHangsUp);
            }
            for _ in 0..2 {
                if self.dice.one_in(12) {
                    let (at, cause) = (self.dice.time(12_000), self.dice.one_in(2));
                    let cause = if cause {
                        Cause::MANAGER_REQUEST
                    } else {
                        Cause::USER_BUSY
                    };
                    self.after(at, Happening::Feed(Event::Cancel(cause)));
                }
            }
        }
        for _ in 0..3 {
            if !self.silent_phones && self.dice.one_in(6) {
                let (at, what) = (self.dice.time(12_000), self.dice.below(4));
                let event = match what {
                    0 => Event::Skip,
                    1 => Event::Drop(self.dice.below(6) as usize),
                    2 => Event::Extend(ms(self.dice.time(5_000))),
                    _ => Event::Added {
                        part: self.dice.below(self.parts) as usize,
                        legs: self.dice.legs(),
                    },
                };
                self.after(at, Happening::Feed(event));
            }
        }
        while let Some(((at, _), what)) = self.agenda.pop_first() {
            self.now = at;
            self.happens(what);
            if self.fed > 200_000 {
                let fault = "the call never ends".to_owned();
                self.referee.faults.push((Law::WokenInTime, fault));
                break;
            }
        }
        let ringing = self
            .phones
            .values()
            .filter(|phone| phone.up && !phone.ended)
            .count();
        self.referee.over(&self.ring, ringing);
        (self.referee.faults, self.fed)
    }

    fn happens(&mut self, what: Happening) {
        match what {
            Happening::Feed(event) => self.feed(event),
            Happening::Tick => {
                let due = self.ticks.first_key_value().map(|(&due, _)| due);
                let due = due
                    .filter(|&due| due <= ms(self.now))
                    .expect("a tick was armed");
                match self.ticks.get_mut(&due) {
                    Some(count) if *count > 1 => *count -= 1,
                    _ => drop(self.ticks.remove(&due)),
                }
                self.feed(Event::Tick);
            }
            Happening::Originate(branch) => self.originate(branch),
            Happening::Phone(leg, deed) => self.phone(leg, deed),
            Happening::Poll(branch, cause) => self.poll(branch, cause),
            Happening::Return(branch) => self.returns(branch),
            Happening::CallerHangsUp => {
                self.caller_gone = true;
                let busy = self
                    .branches
                    .iter()
                    .find(|(_, it)| it.with_caller && !it.returned);
                let (busy, lag) = (busy.map(|(&branch, _)| branch), self.dice.below(21));
                match busy {
                    Some(branch) => {
                        self.after(lag, Happening::Poll(branch, Cause::ORIGINATOR_CANCEL));
                    }
                    None => self.after(lag, Happening::Feed(Event::CallerGone)),
                }
            }
        }
    }

    fn feed(&mut self, event: Event) {
        self.fed += 1;
        let once = matches!(
            event,
            Event::Resolved { .. } | Event::Added { .. } | Event::Begin
        );
        if !once && self.dice.one_in(60) {
            // Once more, later.
            let lag = self.dice.time(500);
            self.after(lag, Happening::Feed(event.clone()));
        }
        if self.dice.one_in(80) {
            let unknown = 1_000_000 + self.dice.below(3) as usize;
            let event = match self.dice.below(5) {
                0 => Event::Ringing(unknown),
                1 => Event::Answered(unknown),
                2 => Event::Ended {
                    leg: unknown,
                    cause: Cause::USER_BUSY,
                    rang: Some(ms(self.now)),
                },
                3 => Event::BranchFailed {
                    branch: unknown,
                    cause: Cause::USER_BUSY,
                },
                _ => Event::BranchWon {
                    branch: unknown,
                    leg: unknown,
                    answered: true,
                },
            };
            self.after(0, Happening::Feed(event));
        }
        self.referee.before(self.now, &event, &self.ring);
        let commands = self.ring.handle(ms(self.now), event.clone());
        self.referee.after(self.now, &event, &commands, &self.ring);
        let next = self.ring.next_deadline();
        if let Some(next) = next.filter(|_| std::mem::replace(&mut self.armed, next) != next) {
            *self.ticks.entry(next).or_default() += 1;
            let late = if self.dice.one_in(4) {
                self.dice.below(40)
            } else {
                0
            };
            let due = u64::try_from(next.as_millis()).expect("a sane time");
            self.after(due.saturating_sub(self.now) + late, Happening::Tick);
        }
        self.referee.wakes(self.now, &self.ring, &self.ticks);
        for command in commands {
            self.carry_out(command);
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Resolve { part, .. } => {
                let (legs, lag) = (self.dice.legs(), self.dice.lag(300));
                self.after(lag, Happening::Feed(Event::Resolved { part, legs }));
            }
            Command::Dial {
                branch,
                part,
                legs,
                early_media,
                aside,
                ..
            } => {
                let early_media_wins =
                    matches!(early_media, EarlyMedia::Core | EarlyMedia::AsWritten);
                for &leg in &legs {
                    self.phones.insert(
                        leg,
                        Phone {
                            branch,
                            ..Phone::default()
                        },
                    );
                }
                let with_caller = part == 0 && !aside;
                let it = Originate {
                    legs,
                    early_media_wins,
                    with_caller,
                    cell: None,
                    decided: None,
                    returned: false,
                };
                self.branches.insert(branch, it);
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Originate(branch));
            }
            Command::Cancel { branch, cause } => {
                // Zero in the cell is no cancel.
                if let Some(it) = self
                    .branches
                    .get_mut(&branch)
                    .filter(|_| cause != Cause::NONE)
                {
                    it.cell = Some(cause);
                    let lag = self.dice.below(21);
                    self.after(lag, Happening::Poll(branch, cause));
                }
            }
            Command::HangUp { leg, cause } => {
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Phone(leg, Deed::HangUp(cause)));
            }
            Command::Join { leg, .. } => {
                self.joined = Some(leg);
                let answered = self.phones.get(&leg).is_some_and(|phone| phone.answered);
                let talk = self.dice.time(30_000);
                if !answered && self.dice.one_in(3) {
                    let at = self.dice.time(5_000);
                    self.after(at, Happening::Phone(leg, Deed::Answer));
                } else if answered || self.dice.one_in(3) {
                    self.after(
                        talk,
                        Happening::Phone(leg, Deed::End(Cause::NORMAL_CLEARING)),
                    );
                }
                self.after(talk, Happening::Feed(Event::CallerGone));
            }
            Command::TooLate { leg, .. } => {
                let lag = self.dice.lag(5);
                self.after(lag, Happening::Phone(leg, Deed::End(Cause::LOSE_RACE)));
            }
            Command::RingCaller | Command::Finish { .. } => {}
        }
    }

    fn originate(&mut self, branch: BranchId) {
        let it = self.branches.get_mut(&branch).expect("dialled");
        if it.decided.is_some() {
            return;
        }
        if let Some(cause) = it.cell {
            it.decided = Some(Err(cause));
            return self.returns(branch);
        }
        let legs = it.legs.clone();
        for &leg in &legs {
            if self.dice.one_in(30) {
                continue;
            }
            let phone = self.phones.get_mut(&leg).expect("dialled");
            phone.created = true;
            let start = self.dice.lag(10);
            self.after(start, Happening::Phone(leg, Deed::Start));
            if self.silent_phones {
                continue;
            }
            let ring = start + self.dice.time(1_000);
            if !self.dice.one_in(4) {
                self.after(ring, Happening::Phone(leg, Deed::Ring));
            }
            if self.dice.one_in(5) {
                let media = ring + self.dice.time(1_000);
                self.after(media, Happening::Phone(leg, Deed::Media));
            }
            let end = start + self.dice.time(10_000);
            match self.dice.below(5) {
                0 => {}
                1 | 2 => {
                    let cause = self.dice.cause();
                    self.after(end, Happening::Phone(leg, Deed::End(cause)));
                }
                _ => {
                    // Where everybody answers at once, it is in the same millisecond.
                    let at_once = self.chorus.map(|at| at.saturating_sub(self.now));
                    let at = at_once.filter(|&at| at > start).unwrap_or(end);
                    self.after(at, Happening::Phone(leg, Deed::Answer));
                }
            }
        }
        if legs.iter().all(|leg| !self.phones[leg].created) {
            let cause = self.dice.cause();
            self.decide(branch, Err(cause));
        }
    }

    fn decide(&mut self, branch: BranchId, how: Result<LegId, Cause>) {
        self.branches.get_mut(&branch).expect("dialled").decided = Some(how);
        let lag = self.dice.below(21);
        self.after(lag, Happening::Return(branch));
    }

    /// An event of a channel: it may come late, twice or never.
    fn report(&mut self, event: Event) {
        if !self.dice.one_in(16) {
            let lag = self.dice.lag(30);
            self.after(lag, Happening::Feed(event));
        }
    }

    fn phone(&mut self, leg: LegId, deed: Deed) {
        let Some(phone) = self.phones.get_mut(&leg).filter(|phone| !phone.ended) else {
            return;
        };
        let branch = phone.branch;
        if !phone.created {
            if let Deed::HangUp(cause) = deed {
                phone.doomed = Some(cause);
            }
            return;
        }
        match deed {
            Deed::Start => {
                phone.up = true;
                let doomed = phone.doomed;
                self.feed(Event::Started(leg));
                if let Some(cause) = doomed {
                    self.phone(leg, Deed::End(cause));
                }
            }
            Deed::Ring => {
                phone.rang = true;
                self.report(Event::Ringing(leg));
            }
            Deed::Media => {
                phone.rang = true;
                self.report(Event::EarlyMedia(leg));
                let it = &self.branches[&branch];
                if it.early_media_wins && it.decided.is_none() {
                    self.wins(branch, leg);
                }
            }
            Deed::Answer => {
                phone.answered = true;
                self.report(Event::Answered(leg));
                if self.branches[&branch].decided.is_none() {
                    self.wins(branch, leg);
                } else if self.joined == Some(leg) {
                    self.feed(Event::Answered(leg));
                    let talk = self.dice.time(30_000);
                    self.after(
                        talk,
                        Happening::Phone(leg, Deed::End(Cause::NORMAL_CLEARING)),
                    );
                }
            }
            Deed::HangUp(cause) if !phone.answered => self.ends(leg, cause),
            Deed::HangUp(_) => {}
            Deed::End(cause) => self.ends(leg, cause),
        }
    }

    /// Core ends the others before its originate returns, or about then.
    fn wins(&mut self, branch: BranchId, leg: LegId) {
        self.decide(branch, Ok(leg));
        for other in self.branches[&branch].legs.clone() {
            if other != leg {
                let lag = self.dice.below(25);
                self.after(lag, Happening::Phone(other, Deed::End(Cause::LOSE_RACE)));
            }
        }
    }

    fn ends(&mut self, leg: LegId, cause: Cause) {
        let phone = self.phones.get_mut(&leg).expect("dialled");
        phone.ended = true;
        let (branch, rang) = (phone.branch, phone.rang.then_some(ms(self.now)));
        let lag = if self.dice.one_in(10) {
            self.dice.below(300)
        } else {
            0
        };
        self.after(lag, Happening::Feed(Event::Ended { leg, cause, rang }));
        let it = &self.branches[&branch];
        let over = |leg: &LegId| self.phones[leg].ended || !self.phones[leg].created;
        if it.decided.is_none() && it.legs.iter().all(over) {
            self.decide(branch, Err(cause));
        }
    }

    fn poll(&mut self, branch: BranchId, cause: Cause) {
        let it = self.branches.get_mut(&branch).expect("dialled");
        if it.decided.is_some() {
            return;
        }
        it.decided = Some(Err(cause));
        for leg in it.legs.clone() {
            let phone = &self.phones[&leg];
            if phone.created && !phone.ended {
                self.ends(leg, cause);
            }
        }
        let lag = self.dice.lag(5);
        self.after(lag, Happening::Return(branch));
    }

    fn returns(&mut self, branch: BranchId) {
        let it = self.branches.get_mut(&branch).expect("dialled");
        it.returned = true;
        let with_caller = it.with_caller;
        match it.decided.expect("decided") {
            Ok(leg) => {
                let answered = self.phones[&leg].answered;
                self.feed(Event::Started(leg));
                self.feed(Event::BranchWon {
                    branch,
                    leg,
                    answered,
                });
                if self.caller_gone && with_caller {
                    self.feed(Event::CallerGone);
                }
            }
            Err(cause) => {
                if self.caller_gone && with_caller {
                    self.feed(Event::CallerGone);
                }
                self.feed(Event::BranchFailed { branch, cause });
            }
        }
    }
}

type Fault = (Law, String);

/// Keeps its own account of the call, from the events and commands alone.
struct Referee {
    parts: Vec<PartSeen>,
    legs: Vec<LegSeen>,
    branches: HashMap<BranchId, BranchSeen>,
    verdict: Option<Command>,
    ended: Option<Ended>,
    caller_rings: bool,
    busy: (u64, u32),
    faults: Vec<Fault>,
}

struct PartSeen {
    settings: Settings,
    stages: usize,
    stage: Option<usize>,
    attempt: u32,
    resolving: bool,
    /// The first of the legs of the stage that rings.
    first: LegId,
    resolved: u64,
    deadline: u64,
    over: Option<u64>,
    progress: Option<u64>,
    /// The stage was cancelled.
    ending: bool,
    /// An operator has ended it.
    skipped: bool,
    /// `originate_continue_on_timeout=false` or the call's deadline: no stage follows.
    last: bool,
}

struct LegSeen {
    part: usize,
    plan: NewLeg,
    starts: u64,
    branch: Option<BranchId>,
    dialled: Option<u64>,
    rang: bool,
    answered: bool,
    hung_up: bool,
    /// By an operator.
    dropped: bool,
    timed_out: bool,
    /// Ended because of another leg.
    cut: bool,
    /// What the first event about its end said.
    told: Option<Cause>,
    ended: bool,
}

struct BranchSeen {
    part: usize,
    legs: Vec<LegId>,
    cancelled: Option<Cause>,
    returned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ended {
    Won(LegId),
    CallerGone,
    Cancelled(Cause),
    /// By one phone, and whether the caller is hung up for it.
    Rejected(Cause, bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    TimeOver,
    /// A required leg failed.
    Required,
}

impl Referee {
    fn new(parts: &[(Settings, usize)]) -> Referee {
        let parts = parts.iter().map(|(settings, stages)| PartSeen {
            settings: settings.clone(),
            stages: *stages,
            stage: None,
            attempt: 1,
            resolving: false,
            first: 0,
            resolved: 0,
            deadline: 0,
            over: settings.timeout.map(|limit| limit.as_millis() as u64),
            progress: None,
            ending: false,
            skipped: false,
            last: false,
        });
        Referee {
            parts: parts.collect(),
            legs: Vec::new(),
            branches: HashMap::new(),
            verdict: None,
            ended: None,
            caller_rings: false,
            busy: (0, 0),
            faults: Vec::new(),
        }
    }

    fn law(&mut self, law: Law, holds: bool, fault: impl FnOnce() -> String) {
        if !holds && self.faults.len() < 100 {
            self.faults.push((law, fault()));
        }
    }

    /// Note what the event says, before the machine has read it.
    fn before(&mut self, now: u64, event: &Event, ring: &Ring) {
        match event {
            Event::Resolved { part, legs } => {
                self.parts[*part].resolving = false;
                self.stage_begins(now, *part, legs, ring.legs().len());
            }
            Event::Ringing(leg) | Event::EarlyMedia(leg) => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.rang = true;
                }
            }
            Event::Answered(leg) => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.answered = true;
                }
            }
            Event::Ended { leg, cause, rang } => {
                if let Some(leg) = self.legs.get_mut(*leg).filter(|leg| !leg.ended) {
                    leg.told = Some(*cause);
                    leg.rang |= rang.is_some();
                }
            }
            Event::CallerGone => {
                self.ended.get_or_insert(Ended::CallerGone);
            }
            Event::Cancel(cause) => {
                self.ended.get_or_insert(Ended::Cancelled(*cause));
            }
            Event::Skip | Event::Extend(_) => {
                for part in 0..self.parts.len() {
                    if self.rings(part) {
                        let it = &mut self.parts[part];
                        match event {
                            Event::Extend(time) => it.deadline += time.as_millis() as u64,
                            _ => (it.deadline, it.skipped) = (now, true),
                        }
                    }
                }
            }
            Event::Drop(leg) => {
                if let Some(leg) = self.legs.get_mut(*leg) {
                    leg.dropped |= !leg.hung_up && leg.dialled.is_some();
                }
            }
            Event::Added { part, legs } => {
                let late = !self.rings(*part) || past(self.parts[*part].over, now);
                self.new_legs(now, *part, legs, Duration::ZERO);
                let first = self.legs.len() - legs.len();
                self.legs[first..].iter_mut().for_each(|leg| leg.cut = late);
            }
            _ => {}
        }
    }

    fn stage_begins(&mut self, now: u64, part: usize, legs: &[NewLeg], first: LegId) {
        let it = &mut self.parts[part];
        let stage = it.stage.unwrap_or(0);
        let limit = it.settings.stage_limit(stage + 1 == it.stages).as_millis() as u64;
        it.first = first;
        it.resolved = now;
        it.deadline = now + limit;
        it.progress = it
            .settings
            .progress_timeout
            .map(|limit| now + limit.as_millis() as u64);
        it.ending = false;
        it.skipped = false;
        let alive = legs.iter().filter(|leg| leg.dead.is_none());
        let shift = alive.map(|leg| leg.delay).min().unwrap_or_default();
        self.new_legs(now, part, legs, shift);
    }

    fn new_legs(&mut self, now: u64, part: usize, legs: &[NewLeg], shift: Duration) {
        self.legs.extend(legs.iter().map(|plan| LegSeen {
            part,
            plan: plan.clone(),
            starts: now + plan.delay.saturating_sub(shift).as_millis() as u64,
            branch: None,
            dialled: None,
            rang: false,
            answered: false,
            hung_up: false,
            dropped: false,
            timed_out: false,
            cut: false,
            told: None,
            ended: false,
        }));
    }

    /// Its stage rings: what an operator's command means.
    fn rings(&self, part: usize) -> bool {
        let it = &self.parts[part];
        let current = || self.legs[it.first..].iter().filter(|leg| leg.part == part);
        let open = current().any(|leg| match leg.branch {
            Some(branch) => !self.branches[&branch].returned,
            None => !leg.ended,
        });
        open && !it.resolving && !it.ending && self.ended.is_none()
    }

    fn after(&mut self, now: u64, event: &Event, commands: &[Command], ring: &Ring) {
        let known = ring.legs().len() == self.legs.len();
        self.law(Law::KnownIds, known, || format!("{now}: legs are missing"));
        if !known {
            return;
        }
        let won_first = self.branch_returns(event);
        self.ends(now, ring);
        let mut told = 0;
        for command in commands {
            told += usize::from(matches!(
                command,
                Command::Join { .. } | Command::TooLate { .. }
            ));
            self.command(now, command, ring);
        }
        let told_once = told == usize::from(won_first);
        self.law(Law::EveryWinnerIsTold, told_once, || {
            format!("{now} {event:?}: {commands:?}")
        });
        self.ends(now, ring);
        self.due(now, ring);
    }

    /// True for the first news of a branch that has won.
    fn branch_returns(&mut self, event: &Event) -> bool {
        let (branch, won) = match event {
            Event::BranchFailed { branch, .. } => (branch, None),
            Event::BranchWon {
                branch,
                leg,
                answered,
            } => (branch, Some((*leg, *answered))),
            _ => return false,
        };
        let Some(it) = self.branches.get_mut(branch).filter(|it| !it.returned) else {
            return false;
        };
        it.returned = true;
        if let Some((leg, answered)) = won {
            self.legs[leg].answered |= answered;
        }
        won.is_some()
    }

    /// Legs whose end the machine has noted: once, with the first cause, and never undone.
    fn ends(&mut self, now: u64, ring: &Ring) {
        for (id, leg) in ring.legs().iter().enumerate() {
            let seen = &mut self.legs[id];
            let was = std::mem::replace(&mut seen.ended, leg.state == LegState::Ended);
            let (told, hung_up) = (seen.told, seen.hung_up);
            let fresh = seen.ended && !was;
            let undone = was && !seen.ended;
            let same = told.is_none_or(|told| told == leg.cause) || !fresh;
            self.law(Law::OneEndEach, !undone && same, || {
                format!("{now}: {id} {leg:?}")
            });
            if !fresh || self.ended.is_some() {
                continue;
            }
            let cancelled = self.cancelled(id);
            let undialled = self.legs[id].dialled.is_none() && self.legs[id].plan.dead.is_none();
            let timed = self.why(now, leg.part, ring) == Some(Why::TimeOver);
            let seen = &mut self.legs[id];
            seen.timed_out |= undialled && timed && !seen.cut;
            seen.cut |= (cancelled || undialled) && !seen.timed_out;
            let own = !cancelled && !hung_up && !undialled && !nobodys(leg.cause);
            let settings = &self.parts[leg.part].settings;
            if own && settings.single_reject.matches(leg.cause) {
                let hang_up = settings.hang_up_on_single_reject;
                self.ended = Some(Ended::Rejected(leg.cause, hang_up));
            }
        }
    }

    /// Why a part's stage may be cancelled now, if nothing has ended the call.
    fn why(&self, now: u64, part: usize, ring: &Ring) -> Option<Why> {
        let it = &self.parts[part];
        let current = || {
            let both = ring.legs().iter().zip(&self.legs).skip(it.first);
            both.filter(|(leg, _)| leg.part == part)
        };
        let failed = |(leg, seen): (&Leg, &LegSeen)| {
            let own = !nobodys(leg.cause) || seen.hung_up || seen.told.is_none();
            let rang = seen.dialled.is_some() || seen.plan.dead.is_some();
            seen.plan.required && rang && leg.ended == Some(ms(now)) && own
        };
        if current().any(failed) {
            return Some(Why::Required);
        }
        let silent = !current().any(|(_, seen)| seen.rang);
        let over = now >= it.deadline || past(it.over, now) || (past(it.progress, now) && silent);
        over.then_some(Why::TimeOver)
    }

    fn cancelled(&self, leg: LegId) -> bool {
        let branch = self.legs[leg]
            .branch
            .and_then(|branch| self.branches.get(&branch));
        branch.is_some_and(|branch| branch.cancelled.is_some())
    }

    fn command(&mut self, now: u64, command: &Command, ring: &Ring) {
        let say = |what: &str| format!("{now} {command:?}: {what}");
        match command {
            Command::Resolve { part, stage } => self.resolve(now, *part, *stage),
            Command::Dial {
                branch,
                part,
                stage,
                legs,
                ..
            } => {
                let over = self.ended.is_some() || self.verdict.is_some();
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let late = past(self.parts[*part].over, now);
                self.law(Law::NothingAfterTheEnd, !late, || {
                    say("the call's time is over")
                });
                let right = self.parts[*part].stage == Some(*stage);
                self.law(Law::StagesInOrder, right, || say("another stage rings"));
                let fresh = !self.branches.contains_key(branch)
                    && !legs.is_empty()
                    && legs.len() <= LEGS_A_BRANCH
                    && legs.iter().all(|&leg| {
                        self.legs.get(leg).is_some_and(|it| {
                            it.part == *part
                                && it.dialled.is_none()
                                && it.plan.dead.is_none()
                                && leg >= self.parts[*part].first
                        })
                    });
                self.law(Law::KnownIds, fresh, || say("not these"));
                if fresh {
                    self.dial(now, *branch, *part, legs);
                }
            }
            Command::Cancel { branch, cause } => self.cancel(now, *branch, *cause, ring),
            Command::HangUp { leg, cause } => self.hang_up(now, *leg, *cause),
            Command::RingCaller => {
                let again = self.caller_rings || self.verdict.is_some();
                self.law(Law::NothingAfterTheEnd, !again, || say("once is enough"));
                self.caller_rings = true;
            }
            Command::Join { leg, branch, .. } => {
                let first = self.verdict.is_none();
                self.law(Law::OneVerdict, first, || say("there is a verdict"));
                let over = self.ended.is_some();
                self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
                let known = self
                    .branches
                    .get(branch)
                    .is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                self.verdict.get_or_insert_with(|| command.clone());
                self.ended.get_or_insert(Ended::Won(*leg));
            }
            Command::TooLate { leg, branch } => {
                let known = self
                    .branches
                    .get(branch)
                    .is_some_and(|it| it.legs.contains(leg));
                self.law(Law::KnownIds, known, || say("no such leg"));
                let cancelled = self.cancelled(*leg) && !self.legs[*leg].answered;
                let due = self.ended.is_some() || cancelled;
                self.law(Law::AnswersCount, due, || say("nobody else had won"));
            }
            Command::Finish {
                outcome,
                cause,
                hang_up_caller,
            } => {
                let first = self.verdict.is_none();
                self.law(Law::OneVerdict, first, || say("there is a verdict"));
                self.verdict.get_or_insert_with(|| command.clone());
                let open = self.branches.values().any(|it| !it.returned);
                self.law(Law::NothingLeft, !open, || say("somebody rings"));
                let (expected, hang_up) = self.result(ring);
                let told = (*outcome, *cause) == expected && *hang_up_caller == hang_up;
                self.law(Law::TrueResult, told, || {
                    format!("{} not {expected:?}", say(""))
                });
            }
        }
    }

    fn resolve(&mut self, now: u64, part: usize, stage: usize) {
        let over = self.ended.is_some() || self.verdict.is_some();
        let say = |what: &str| format!("{now}: resolve {part}.{stage}: {what}");
        self.law(Law::NothingAfterTheEnd, !over, || say("the call is over"));
        let open = self
            .branches
            .values()
            .any(|it| it.part == part && !it.returned);
        self.law(Law::StagesInOrder, !open, || {
            say("the stage before still rings")
        });
        let it = &mut self.parts[part];
        let last = it.last;
        let next = match it.stage {
            None => stage == 0,
            Some(last) if stage == 0 => {
                it.attempt += 1;
                last + 1 == it.stages && it.attempt <= it.settings.attempts
            }
            Some(last) => stage == last + 1 && stage < it.stages,
        };
        let next = next && !last && !std::mem::replace(&mut it.resolving, true);
        it.stage = Some(stage);
        self.law(Law::StagesInOrder, next, || say("out of order"));
    }

    fn dial(&mut self, now: u64, branch: BranchId, part: usize, legs: &[LegId]) {
        let first = self.parts[part].first;
        let stage = self.legs[first..].iter().filter(|leg| leg.part == part);
        let nobody_rings = !stage
            .clone()
            .any(|leg| leg.dialled.is_some_and(|at| at < now) && !leg.ended);
        let starts = self.legs[legs[0]].starts;
        let early = starts.saturating_sub(now);
        if early > 0 && nobody_rings {
            // All the later ones move with it.
            for leg in self.legs[first..].iter_mut().filter(|leg| leg.part == part) {
                if leg.dialled.is_none() {
                    leg.starts = leg.starts.saturating_sub(early).max(now);
                }
            }
        }
        for &leg in legs {
            let starts = self.legs[leg].starts;
            self.law(Law::NeverEarly, starts <= now, || {
                format!("{now}: {leg} starts {starts}")
            });
            self.legs[leg].dialled = Some(now);
            self.legs[leg].branch = Some(branch);
        }
        let legs = legs.to_vec();
        self.branches.insert(
            branch,
            BranchSeen {
                part,
                legs,
                cancelled: None,
                returned: false,
            },
        );
    }

    fn cancel(&mut self, now: u64, branch: BranchId, cause: Cause, ring: &Ring) {
        let say = |what: &str| format!("{now}: cancel {branch} {cause:?}: {what}");
        let ringing = self
            .branches
            .get(&branch)
            .filter(|it| !it.returned && it.cancelled.is_none());
        let part = ringing.map(|it| it.part);
        self.law(Law::CancelsAreDue, part.is_some(), || {
            say("it does not ring")
        });
        let Some(part) = part else { return };
        self.branches
            .entry(branch)
            .and_modify(|it| it.cancelled = Some(cause));
        let spoken =
            cause.0 < 128 || cause == Cause::LOSE_RACE || cause == Cause::ORIGINATOR_CANCEL;
        let operators = self.ended == Some(Ended::Cancelled(cause));
        let spoken = (spoken && cause != Cause::NONE) || operators;
        self.law(Law::TrueCauses, spoken, || say("no cause for the wire"));
        let missed = self.parts[part].settings.missed.cause();
        let why = self.why(now, part, ring);
        let winner = ring.winner().is_some();
        let due = match self.ended {
            Some(Ended::Won(_)) => cause == Cause::LOSE_RACE,
            Some(Ended::CallerGone) => cause == Cause::ORIGINATOR_CANCEL,
            Some(Ended::Cancelled(by)) => cause == by,
            Some(Ended::Rejected(..)) => cause == Cause::NO_ANSWER || cause == missed,
            // The Join of this very event comes after its cancels.
            None if winner => cause == Cause::LOSE_RACE,
            None => {
                self.law(Law::NeverEarly, why.is_some(), || {
                    say("its time is not over")
                });
                cause == missed
            }
        };
        self.law(Law::TrueCauses, due, || say("not the truth"));
        let it = &mut self.parts[part];
        it.ending = true;
        let stops = it.settings.continue_on_timeout == Some(false) && !it.skipped;
        it.last |=
            past(it.over, now) || (now >= it.deadline && stops && why == Some(Why::TimeOver));
        if self.ended.is_none() && !winner && why == Some(Why::TimeOver) {
            for leg in self
                .legs
                .iter_mut()
                .filter(|leg| leg.part == part && !leg.ended)
            {
                leg.timed_out = true;
            }
        }
    }

    fn hang_up(&mut self, now: u64, leg: LegId, cause: Cause) {
        let say = |what: &str| format!("{now}: hang up {leg} {cause:?}: {what}");
        let known = self.legs.get(leg).and_then(|it| it.dialled.zip(it.branch));
        self.law(Law::KnownIds, known.is_some(), || {
            say("it was never dialled")
        });
        let Some((dialled, branch)) = known else {
            return;
        };
        let winner = self.ended == Some(Ended::Won(leg));
        let it = &self.legs[leg];
        let since = |limit: Option<Duration>| {
            limit.is_some_and(|limit| now >= dialled + limit.as_millis() as u64)
        };
        let part = &self.parts[it.part];
        let stage_over = winner && (now >= part.deadline || past(part.over, now));
        let due = since(it.plan.timeout)
            || (since(it.plan.progress_timeout) && !it.rang)
            || stage_over
            || it.dropped;
        let fresh = !it.hung_up && !it.ended;
        let dropped = it.dropped && cause == Cause::ORIGINATOR_CANCEL;
        let missed = part.settings.missed.cause();
        let branch = &self.branches[&branch];
        let alone = winner || (branch.cancelled.is_none() && !branch.returned);
        self.law(Law::NeverEarly, due, || say("its time is not over"));
        self.law(Law::OneEndEach, fresh, || say("it was hung up"));
        self.law(Law::TrueCauses, alone, || {
            say("its branch is told something else")
        });
        let told = match dropped {
            true => self.ended.is_none(),
            false => cause == missed,
        };
        let timed_out = cause == missed;
        self.law(Law::TrueCauses, told, || say("not the truth"));
        self.legs[leg].hung_up = true;
        self.legs[leg].timed_out = timed_out;
    }

    /// What is still to be done at its time: deadlines and late starts.
    fn owed(&self, ring: &Ring) -> Vec<(u64, &'static str)> {
        let mut owed = Vec::new();
        let mut owe = |at: Option<u64>, what| owed.extend(at.map(|at| (at, what)));
        for (id, leg) in self.legs.iter().enumerate() {
            let part = &self.parts[leg.part];
            let open = |branch| {
                let it: &BranchSeen = &self.branches[branch];
                !it.returned && it.cancelled.is_none()
            };
            let rings = self.ended.is_none() && leg.branch.as_ref().is_some_and(open);
            let won =
                self.ended == Some(Ended::Won(id)) && ring.legs()[id].state != LegState::Ended;
            let unanswered = won && !leg.answered;
            if leg.ended || leg.hung_up {
                continue;
            }
            let stage = self.legs[part.first..].iter();
            let rang = stage
                .filter(|other| other.part == leg.part)
                .any(|other| other.rang);
            let since = |limit: Option<Duration>| Some(leg.dialled? + limit?.as_millis() as u64);
            if rings || unanswered {
                owe(Some(part.deadline), "a stage's deadline");
                owe(part.over, "the call's deadline");
            }
            if rings && !rang {
                owe(part.progress, "a stage's progress deadline");
            }
            if (rings || unanswered) && !leg.answered {
                owe(since(leg.plan.timeout), "a leg's deadline");
            }
            if rings && !leg.answered && !leg.rang {
                owe(
                    since(leg.plan.progress_timeout),
                    "a leg's progress deadline",
                );
            }
            let waits = leg.branch.is_none() && leg.plan.dead.is_none();
            if waits && self.ended.is_none() && !part.ending {
                owe(Some(leg.starts), "a late start");
            }
        }
        owed
    }

    /// Nothing that is due is left undone.
    fn due(&mut self, now: u64, ring: &Ring) {
        let left = self.owed(ring).into_iter().find(|(at, _)| *at <= now);
        self.law(Law::NeverLate, left.is_none(), || {
            format!("{now}: {left:?}")
        });
    }

    /// The deadline thread will come in time for whatever is still to be done.
    fn wakes(&mut self, now: u64, ring: &Ring, ticks: &BTreeMap<Duration, u32>) {
        let next = ring.next_deadline();
        let first = self.owed(ring).into_iter().min();
        let asked = first.is_none_or(|(at, _)| next.is_some_and(|next| next <= ms(at)));
        self.law(Law::WokenInTime, asked, || {
            format!("{now}: {first:?}, but the next deadline is {next:?}")
        });
        let Some(next) = next else { return };
        let armed = ticks.contains_key(&next);
        self.law(Law::WokenInTime, armed, || {
            format!("{now}: nobody wakes us at {next:?}")
        });
        let past = next < ms(now);
        self.law(Law::WokenInTime, !past, || {
            format!("{now}: {next:?} is past and not done")
        });
        if next <= ms(now) {
            let same = self.busy.0 == now;
            self.busy = (now, if same { self.busy.1 + 1 } else { 1 });
            // Several parts may sleep for no time at all.
            let spins = self.busy.1 > 50;
            self.law(Law::WokenInTime, !spins, || {
                format!("{now}: awake again and again")
            });
        }
    }

    /// Promise 8, from our own notes of who rang and whose time was over.
    fn result(&self, ring: &Ring) -> ((Outcome, Cause), bool) {
        match self.ended {
            Some(Ended::CallerGone) => {
                return ((Outcome::Cancelled, Cause::ORIGINATOR_CANCEL), false);
            }
            Some(Ended::Cancelled(cause)) => return ((Outcome::Cancelled, cause), false),
            Some(Ended::Rejected(cause, hang_up)) => {
                return ((Outcome::of(cause), cause), hang_up);
            }
            Some(Ended::Won(_)) | None => {}
        }
        let legs = || {
            let both = self.legs.iter().zip(ring.legs());
            both.filter(|(seen, leg)| !seen.cut && leg.state == LegState::Ended)
        };
        let rang_out = |(seen, leg): (&LegSeen, &Leg)| {
            seen.rang && (seen.timed_out || leg.cause.is_no_answer())
        };
        let how = if legs().any(rang_out) {
            (Outcome::NoAnswer, Cause::NO_ANSWER)
        } else if legs().any(|(_, leg)| leg.cause.is_busy()) {
            (Outcome::Busy, Cause::USER_BUSY)
        } else if legs().any(|(_, leg)| leg.cause.is_rejection()) {
            (Outcome::Rejected, Cause::CALL_REJECTED)
        } else {
            match legs().next() {
                // `cti_missed=never` tells this to the phone, not to the caller.
                Some((seen, leg)) if seen.timed_out && leg.cause == Cause::LOSE_RACE => {
                    (Outcome::NoAnswer, Cause::NO_ANSWER)
                }
                Some((_, leg)) => (Outcome::of(leg.cause), leg.cause),
                None => (Outcome::Failed, Cause::DESTINATION_OUT_OF_ORDER),
            }
        };
        (how, false)
    }

    /// Nothing happens any more.
    fn over(&mut self, ring: &Ring, ringing: usize) {
        let verdict = self.verdict.clone();
        self.law(Law::OneVerdict, verdict.is_some(), || {
            "no verdict".to_owned()
        });
        self.law(Law::NothingLeft, ringing == 0, || {
            format!("{ringing} phones ring")
        });
        let next = ring.next_deadline();
        self.law(Law::NothingLeft, next.is_none(), || {
            format!("a tick is due at {next:?}")
        });
        let winner = match verdict {
            Some(Command::Join { leg, .. }) => Some(leg),
            _ => None,
        };
        for (id, leg) in ring.legs().iter().enumerate() {
            let say = || format!("at the end, leg {id}: {leg:?}");
            let whole = leg.state == LegState::Ended && leg.ended.is_some();
            self.law(Law::OneEndEach, whole, say);
            if leg.role.is_none() || leg.dialled.is_none() {
                continue;
            }
            let is_winner = leg.role == Some(Role::Winner);
            self.law(Law::TrueRoles, is_winner == (winner == Some(id)), say);
            let loser = leg.role == Some(Role::Loser);
            self.law(Law::TrueRoles, !loser || winner.is_some(), say);
            // Nobody but a winner ends a leg with this cause, or `cti_missed=never`.
            let never = self.parts[leg.part].settings.missed == Missed::Never;
            let lost = leg.cause == Cause::LOSE_RACE && !never && winner.is_some();
            let lost = lost && !self.legs[id].hung_up && !self.cancelled(id);
            self.law(Law::TrueRoles, !lost || loser || is_winner, say);
            let told = self.legs[id].told == Some(Cause::ORIGINATOR_CANCEL);
            let gone = told && self.ended == Some(Ended::CallerGone);
            self.law(
                Law::TrueRoles,
                !gone || leg.role == Some(Role::Cancelled),
                say,
            );
        }
    }
}

/// Core ends a leg so for the sake of another or of the caller.
fn nobodys(cause: Cause) -> bool {
    matches!(cause, Cause::LOSE_RACE | Cause::ORIGINATOR_CANCEL)
}

fn past(deadline: Option<u64>, now: u64) -> bool {
    deadline.is_some_and(|at| at <= now)
}

/// Where one of the laws does not hold in this call.
fn broken(law: Law, faces: Vec<u32>) -> Option<String> {
    let (faults, _) = Switch::new(&mut Dice::listed(faces), false).run();
    faults
        .into_iter()
        .find(|(broken, _)| *broken == law)
        .map(|(_, fault)| fault)
}

/// What is rolled for one call; where it ends, zeros follow.
fn faces() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 0..400)
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(debug_assertions) { 400 } else { 4_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

macro_rules! laws {
    ($($name:ident: $law:ident;)*) => {
        proptest! {
            #![proptest_config(cases())]
            $(#[test]
            fn $name(faces in faces()) {
                prop_assert_eq!(broken(Law::$law, faces), None);
            })*
        }
    };
}

laws! {
    a_call_has_one_winner_or_one_end: OneVerdict;
    nothing_starts_after_the_end: NothingAfterTheEnd;
    a_stage_begins_when_the_one_before_has_ended: StagesInOrder;
    no_deadline_comes_early: NeverEarly;
    nothing_due_is_left_undone: NeverLate;
    the_next_deadline_is_always_armed_and_never_past: WokenInTime;
    every_leg_has_one_end: OneEndEach;
    every_branch_that_won_is_joined_or_too_late: EveryWinnerIsTold;
    an_answer_counts_unless_the_call_was_decided: AnswersCount;
    the_result_is_the_most_telling_one: TrueResult;
    only_ringing_branches_are_cancelled_and_once: CancelsAreDue;
    no_command_names_what_does_not_exist: KnownIds;
    every_phone_is_told_the_truth: TrueCauses;
    every_leg_has_its_true_role: TrueRoles;
    nothing_is_left_over: NothingLeft;
}

proptest! {
    #![proptest_config(cases())]

    /// Phones that never even ring: deadlines alone bring the call to its end.
    #[test]
    fn deadlines_alone_end_every_call(faces in faces()) {
        let (faults, _) = Switch::new(&mut Dice::listed(faces), true).run();
        prop_assert_eq!(faults, vec![]);
    }

    /// Events in no order at all, of ids that may or may not exist: no panic, one verdict.
    #[test]
    fn events_in_any_order_bring_one_verdict_at_most(
        parts in 1..3_usize,
        events in proptest::collection::vec((0..2_000_u64, any_event()), 0..80),
    ) {
        let mut ring = Ring::new(vec![(Settings::default(), 2); parts]);
        let (mut dialled, mut verdicts) = (BTreeSet::new(), 0);
        let begin = (0, Event::Begin);
        for (now, event) in std::iter::once(begin).chain(events) {
            for command in ring.handle(ms(now), event) {
                match command {
                    Command::Dial { branch, .. } => {
                        prop_assert!(dialled.insert(branch), "branch {} again", branch);
                        prop_assert_eq!(verdicts, 0, "dialled after the verdict");
                    }
                    Command::Cancel { branch, .. } => prop_assert!(dialled.contains(&branch)),
                    Command::Join { .. } | Command::Finish { .. } => verdicts += 1,
                    _ => {}
                }
            }
        }
        prop_assert!(verdicts <= 1);
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let leg = || 0..8_usize;
    let branch = || 0..6_usize;
    let cause = || (0..900_u32).prop_map(Cause);
    let new = (0..300_u64, 0..5_u32, any::<bool>());
    let new = new.prop_map(|(delay, kind, required)| NewLeg {
        delay: ms(delay / 100 * 100),
        timeout: (kind == 1).then_some(ms(400)),
        progress_timeout: (kind == 2).then_some(ms(300)),
        required,
        dead: (kind == 3).then_some(Cause::SUBSCRIBER_ABSENT),
    });
    prop_oneof![
        3 => (0..3_usize, proptest::collection::vec(new, 0..4))
            .prop_map(|(part, legs)| Event::Resolved { part, legs }),
        1 => leg().prop_map(Event::Started),
        2 => leg().prop_map(Event::Ringing),
        2 => leg().prop_map(Event::EarlyMedia),
        2 => leg().prop_map(Event::Answered),
        3 => (leg(), cause(), any::<bool>())
            .prop_map(|(leg, cause, rang)| Event::Ended { leg, cause, rang: rang.then_some(ms(0)) }),
        3 => (branch(), cause()).prop_map(|(branch, cause)| Event::BranchFailed { branch, cause }),
        2 => (branch(), leg(), any::<bool>())
            .prop_map(|(branch, leg, answered)| Event::BranchWon { branch, leg, answered }),
        3 => Just(Event::Tick),
        1 => Just(Event::CallerGone),
        1 => Just(Event::Skip),
        1 => leg().prop_map(Event::Drop),
        1 => (0..500_u64).prop_map(|time| Event::Extend(ms(time))),
        1 => cause().prop_map(Event::Cancel),
    ]
}

/// All laws at once over many calls: `RING_SOAK_CALLS` says how many.
#[test]
fn soak() {
    let usual = if cfg!(debug_assertions) {
        4_000
    } else {
        100_000
    };
    let calls = std::env::var("RING_SOAK_CALLS")
        .ok()
        .and_then(|calls| calls.parse().ok());
    let calls: u64 = calls.unwrap_or(usual);
    let (began, mut events) = (Instant::now(), 0);
    let mut broken: BTreeMap<Law, (u64, u64, String)> = BTreeMap::new();
    for seed in 0..calls {
        let (faults, fed) = Switch::new(&mut Dice::seeded(seed), false).run();
        events += fed;
        let mut seen = BTreeSet::new();
        for (law, fault) in faults {
            if seen.insert(law) {
                broken.entry(law).or_insert((0, seed, fault)).0 += 1;
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let rate = calls as f64 / took;
    println!("{calls} calls, {events} events in {took:.1} s: {rate:.0} calls a second");
    let lines = broken.iter().map(|(law, (count, seed, fault))| {
        format!("{law:?} in {count} calls; call {seed}: {fault}")
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
