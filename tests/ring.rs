//! Who rings, when, for how long, and who won: the ring machine on a virtual clock.
//! First a table that reads as a specification, then single cases, then laws that hold in
//! every call: a model of the switch answers the machine's commands at random, with phones
//! that answer, reject or stay silent, callers that leave and operators that cancel, and a
//! referee keeps its own account of what the machine may and must do.

#[path = "ring/mod.rs"]
mod model;

use mod_cti::ring::{
    BranchId, CallerThread, Cause, Command, Confirm, EarlyMedia, Event, LegId, LegState, Missed,
    Mode, NewLeg, Outcome, RejectRule, Ring, Role, Settings,
};
use model::{Dice, Law, Switch, disorder, every_interleaving, ms};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

const CAUSES: &[(&str, Cause)] = &[
    ("ABSENT", Cause::SUBSCRIBER_ABSENT),
    ("UNREGISTERED", Cause::USER_NOT_REGISTERED),
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
/// `next` says when it is due; `legs` tells how each leg has ended; `added` joins the stage
/// that rings, `added@0` the first. Stages are resolved at once, unless the settings say `slow`.
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
        1005 won 0 b early  -> too late b NO_ANSWER; dial 1 c core
        1010 ended a BUSY
        next 2005"),
    ("fail_on_single_reject ends the call", "a,b|c", "reject=any", "
        0    begin          -> dial 0 a b ignore
        100  ended a REJECTED -> cancel 0 NO_ANSWER
        110  ended b NO_ANSWER
        111  failed 0 NO_ANSWER -> finish rejected REJECTED"),
    ("… but an answer in that moment stands", "a,b|c", "reject=any", "
        0    begin          -> dial 0 a b ignore
        100  ended a REJECTED -> cancel 0 NO_ANSWER
        101  won 0 b        -> join b
        legs a failed REJECTED; b open"),
    ("… and early media does not", "a,b|c", "reject=any early=core", "
        0    begin          -> dial 0 a b core
        100  ended a REJECTED -> cancel 0 NO_ANSWER
        101  won 0 b early  -> too late b NO_ANSWER; finish rejected REJECTED"),
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
        101  won 0 a        -> too late a LOSE_RACE"),
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
    ("core's relay gives up: a leg that leaves without an answer was no winner", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        100  media a
        120  won 0 a early  -> join a
        next 1000
        800  ended a BUSY
        801  left a         -> dial 1 b core
        legs a failed BUSY; b open"),
    ("… nor one whose time runs out so", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        120  won 0 a early  -> join a
        1000 tick           -> hang up a NO_ANSWER
        1010 ended a NO_ANSWER
        1011 left a         -> dial 1 b core"),
    ("… but one that answered has won", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        120  won 0 a early  -> join a
        500  answered a
        900  ended a CLEARING
        901  left a"),
    ("… nor does it keep a part waiting that ended meanwhile", "a:_:b", "early=relay", "
        0    begin          -> dial 0 a relay aside; dial 1 b relay aside
        120  won 0 a early  -> ring caller; join a aside
        200  failed 1 BUSY
        800  left a         -> finish no_answer NO_ANSWER"),
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
        1005 won 0 a early  -> too late a NO_ANSWER; dial 1 b core"),
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
    ("a leg being confirmed keeps its deadline, and its siblings ring on", "a/timeout=1000/confirm,b", "", "
        0    begin          -> dial 0 a b ignore
        500  answered a
        next 1000
        1000 tick           -> hang up a NO_ANSWER
        1010 ended a NO_ANSWER
        1500 answered b
        1510 won 0 b        -> join b
        legs a failed NO_ANSWER; b open"),
    ("group_confirm_timeout counts from the phone's answer", "a/timeout=1000/confirm=2000", "", "
        0    begin          -> dial 0 a core
        500  answered a
        next 2500
        2500 tick           -> hang up a NO_ANSWER
        2510 ended a NO_ANSWER
        2510 failed 0 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… and 0 takes the leg's deadline away, not the stage's", "a/timeout=1000/confirm=0", "stage=3000", "
        0    begin          -> dial 0 a core
        500  answered a
        next 3000
        3000 tick           -> cancel 0 NO_ANSWER"),
    ("who answers and does not confirm has not answered", "a/confirm,b", "", "
        0    begin          -> dial 0 a b ignore
        500  answered a
        900  ended a CLEARING
        950  ended b BUSY
        960  failed 0 BUSY  -> finish no_answer NO_ANSWER
        legs a failed CLEARING; b failed BUSY"),
    ("who has confirmed has won for good", "a/timeout=1000/confirm", "", "
        0    begin          -> dial 0 a core
        500  answered a
        800  won 0 a        -> join a
        next none"),
    ("originate_retry_min_period_ms: two attempts begin so far apart", "a", "attempts=3 sleep=500 period=2000", "
        0    begin          -> dial 0 a core
        300  failed 0 BUSY
        next 2000
        2000 tick           -> dial 1 a core
        3900 failed 1 BUSY
        next 4400"),
    ("originate_retry_timeout: later than this no attempt begins", "a", "attempts=9 sleep=500 until=1000", "
        0    begin          -> dial 0 a core
        1000 failed 0 BUSY
        next 1500
        1500 tick           -> dial 1 a core
        1600 failed 1 BUSY  -> finish busy BUSY"),
    ("progressive: a stage whose time is over goes on ringing beside the next", "a|b|c", "progressive stage=1000", "
        0    begin          -> dial 0 a ignore aside
        100  ringing a      -> ring caller
        1000 tick           -> dial 1 b ignore aside
        next 2000
        2000 tick           -> dial 2 c ignore aside
        2300 answered a
        2310 won 0 a        -> cancel 1 LOSE_RACE; cancel 2 LOSE_RACE; join a aside
        2320 failed 1 LOSE_RACE
        2320 failed 2 LOSE_RACE
        legs a open; b loser LOSE_RACE; c loser LOSE_RACE"),
    ("… until all stages have had their time", "a|b", "progressive stage=1000", "
        0    begin          -> dial 0 a ignore aside
        50   ringing a      -> ring caller
        1000 tick           -> dial 1 b ignore aside
        2000 tick           -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER
        2010 failed 1 NO_ANSWER
        2020 failed 0 NO_ANSWER -> finish no_answer NO_ANSWER
        legs a failed NO_ANSWER; b failed NO_ANSWER"),
    ("… a stage that fails makes way at once, whoever rings of the earlier ones", "a|b|c", "progressive stage=1000", "
        0    begin          -> dial 0 a ignore aside
        1000 tick           -> dial 1 b ignore aside
        1200 failed 1 BUSY  -> dial 2 c ignore aside
        next 2200
        1300 failed 2 BUSY
        next 2200
        1500 failed 0 REJECTED -> finish busy BUSY"),
    ("… and an earlier one that fails changes nothing", "a|b|c", "progressive stage=1000", "
        0    begin          -> dial 0 a ignore aside
        1000 tick           -> dial 1 b ignore aside
        1200 failed 0 BUSY
        2000 tick           -> dial 2 c ignore aside"),
    ("progressive: the call's deadline ends every stage", "a|b|c", "progressive stage=1000 timeout=1500", "
        0    begin          -> dial 0 a ignore aside
        1000 tick           -> dial 1 b ignore aside
        next 1500
        1500 tick           -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER
        1510 failed 0 NO_ANSWER
        1510 failed 1 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… and if the newest one has just failed", "a|b|c", "progressive stage=1000 timeout=1500", "
        0    begin          -> dial 0 a ignore aside
        1000 tick           -> dial 1 b ignore aside
        1501 failed 1 BUSY  -> cancel 0 NO_ANSWER
        1510 failed 0 NO_ANSWER -> finish busy BUSY"),
    ("… also while the next stage is looked up", "a|b", "progressive stage=1000 timeout=1500 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a ignore aside
        1000 tick           -> resolve 0.1
        next 1500
        1500 tick           -> cancel 0 NO_ANSWER
        1600 found 0
        1610 failed 0 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… and if the contacts come first", "a|b", "progressive stage=1000 timeout=1500 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a ignore aside
        1000 tick           -> resolve 0.1
        1501 found 0        -> cancel 0 NO_ANSWER
        1510 failed 0 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("progressive: early media that wins while the next stage is looked up has that one's time", "a|b", "progressive early=core stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a core aside
        1000 tick           -> resolve 0.1
        1005 won 0 a early  -> ring caller; join a aside
        next 2000
        2000 tick           -> hang up a NO_ANSWER"),
    ("… and if it leaves without an answer, the next stage is looked up once", "a|b", "progressive early=relay stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a relay aside
        1000 tick           -> resolve 0.1
        1005 won 0 a early  -> ring caller; join a aside
        1010 left a
        1020 found 0        -> dial 1 b relay aside"),
    ("… also if that was done while the two were joined", "a|b|c", "progressive early=relay stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a relay aside
        1000 tick           -> resolve 0.1
        1005 won 0 a early  -> ring caller; join a aside
        1010 found 0
        1020 left a         -> resolve 0.1
        1030 found 0        -> dial 1 b relay aside"),
    ("… nor is that one kept open any longer", "a|b/dead=UNREGISTERED|c", "progressive early=relay stage=1000 wait=800", "
        0    begin          -> dial 0 a relay aside
        1000 tick
        1005 won 0 a early  -> ring caller; join a aside
        1010 left a         -> dial 1 c relay aside"),
    ("progressive: who rings of an earlier stage is no progress of the newest", "a|b", "progressive stage=1000 progress=400", "
        0    begin          -> dial 0 a ignore aside
        400  tick           -> dial 1 b ignore aside
        500  added@0 x      -> dial 2 x ignore aside
        600  ringing x      -> ring caller
        800  tick           -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER; cancel 2 NO_ANSWER"),
    ("progressive: a late start of an earlier stage still starts", "a,b/delay=1500|c", "progressive stage=1000", "
        0    begin          -> dial 0 a ignore aside
        1000 tick           -> dial 2 c ignore aside
        next 1500
        1500 tick           -> dial 1 b ignore aside"),
    ("progressive: a required leg ends its own stage alone", "a/required,b|c|d", "progressive stage=1000", "
        0    begin          -> dial 0 a b ignore aside
        1000 tick           -> dial 1 c ignore aside
        1200 ended a BUSY   -> cancel 0 NO_ANSWER
        1210 failed 0 NO_ANSWER
        2000 tick           -> dial 2 d ignore aside"),
    ("… also while the next one is looked up", "a/required,b|c", "progressive stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a b ignore aside
        1000 tick           -> resolve 0.1
        1100 ended a BUSY   -> cancel 0 NO_ANSWER
        1105 failed 0 NO_ANSWER
        1110 found 0        -> dial 1 c ignore aside"),
    ("… and what it took with it has not run out of time", "a/required,b", "progressive", "
        0    begin          -> dial 0 a b ignore
        50   ringing b
        100  ended a BUSY   -> cancel 0 NO_ANSWER
        101  skip
        105  ended b NO_ANSWER
        110  failed 0 NO_ANSWER -> finish busy BUSY"),
    ("… nor does anybody join what it has ended", "a|b", "progressive stage=1000", "
        0    begin          -> dial 0 a ignore aside
        1000 tick           -> dial 1 b ignore aside
        1100 added@1 c/required/dead=ABSENT,d -> cancel 1 NO_ANSWER
        1110 failed 1 NO_ANSWER
        next 2000"),
    ("… and who starts late in the next stage need not wait for it", "a/required,b|c/delay=3000", "progressive missed=never stage=1000", "
        0    begin          -> dial 0 a b ignore aside
        1000 tick
        next 2000
        1100 ended a BUSY   -> cancel 0 LOSE_RACE
        1105 ended b LOSE_RACE
        1110 failed 0 LOSE_RACE -> dial 1 c ignore aside"),
    ("progressive: who joins an earlier stage late rings, also while the next one is looked up", "a|b", "progressive stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a ignore aside
        1000 tick           -> resolve 0.1
        1001 added@0 c      -> dial 1 c ignore aside
        1002 added@1 d
        1005 found 0        -> dial 2 b ignore aside
        1500 won 1 c        -> cancel 0 LOSE_RACE; cancel 2 LOSE_RACE; join c aside"),
    ("progressive: the caller leaves while the next stage is looked up", "a|b", "progressive stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial 0 a ignore aside
        1000 tick           -> resolve 0.1
        1005 caller gone    -> cancel 0 GONE
        1010 found 0
        1020 failed 0 GONE  -> finish cancelled GONE"),
    ("progressive: skip brings the next stage in, and at the last one ends all", "a|b", "progressive", "
        0    begin          -> dial 0 a ignore aside
        300  skip           -> dial 1 b ignore aside
        500  skip           -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER"),
    ("progressive with one stage is a stage like any other", "a", "progressive", "
        0    begin          -> dial 0 a core"),
    ("cti_wait_register keeps a stage open in which nobody is registered", "a/dead=UNREGISTERED|b", "wait=3000", "
        0    begin
        next 3000
        3000 tick           -> dial 0 b core
        legs a failed UNREGISTERED; b open"),
    ("… for one who registers, and then the stage has its time", "a/dead=UNREGISTERED|c", "wait=3000 stage=5000", "
        0    begin
        1000 added x        -> dial 0 x ignore aside
        1100 ringing x      -> ring caller
        next 5000
        5000 tick           -> cancel 0 NO_ANSWER
        5010 failed 0 NO_ANSWER -> dial 1 c core"),
    ("… or rejects, and then it is over", "a/dead=UNREGISTERED|c", "wait=3000", "
        0    begin
        1000 added x        -> dial 0 x ignore aside
        1500 failed 0 BUSY  -> dial 1 c core"),
    ("… not longer than the stage, and an operator may end it", "a/dead=UNREGISTERED|b/dead=UNREGISTERED|c", "wait=3000 stage=1000", "
        0    begin
        1000 tick
        1500 skip           -> dial 0 c core"),
    ("… nor past the caller or the call's deadline", "a/dead=UNREGISTERED", "wait=3000", "
        0    begin
        400  caller gone    -> finish cancelled GONE"),
    ("… where somebody is registered, nobody waits", "a/dead=UNREGISTERED,b|c", "wait=3000", "
        0    begin          -> dial 0 b relay
        100  failed 0 BUSY  -> dial 1 c core"),
    ("… and what happens to an earlier stage does not end its wait", "a/required|b/dead=UNREGISTERED|c", "progressive wait=700 stage=1000", "
        0    begin          -> dial 0 a ignore aside
        1000 tick
        next 1700
        1100 added@0 x      -> dial 1 x ignore aside
        1200 ended a BUSY   -> cancel 0 NO_ANSWER; cancel 1 NO_ANSWER
        1210 failed 0 NO_ANSWER
        1220 failed 1 NO_ANSWER
        next 1700
        1700 tick           -> dial 2 c ignore aside"),
    ("… and the next attempt begins after it, without a rest too", "a/dead=UNREGISTERED", "wait=500 attempts=2 sleep=0", "
        0    begin
        500  tick
        next 1000
        1000 tick           -> finish unreachable UNREGISTERED"),
    ("a last leg that a device may join is not joined in early media", "a/grows", "", "
        0    begin          -> dial 0 a relay
        300  added@0 x      -> dial 1 x ignore aside
        700  won 1 x        -> cancel 0 LOSE_RACE; join x aside"),
    ("… nor for a user that does not exist", "a/dead=ABSENT|c", "wait=3000", "
        0    begin          -> dial 0 c core"),
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
        105  won 0 b        -> too late b GONE; finish cancelled GONE"),
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
    ("… or does not start at all", "a,b/delay=500|c", "", "
        0    begin          -> dial 0 a ignore
        next 500
        100  drop b
        next 20000
        200  failed 0 BUSY  -> dial 2 c core
        legs b cancelled GONE; c open"),
    ("… of those that start together the others do", "a,b/delay=500,c/delay=500", "", "
        0    begin          -> dial 0 a ignore
        100  drop b
        500  tick           -> dial 1 c ignore aside"),
    ("… also when nobody else was to ring", "a,b/delay=500", "", "
        0    begin          -> dial 0 a ignore
        100  drop b
        200  failed 0 BUSY  -> finish busy BUSY"),
    ("what an operator drops is no reason why nobody answered", "a,b", "", "
        0    begin          -> dial 0 a b ignore
        10   ringing a
        100  drop a         -> hang up a GONE
        105  ended a GONE
        200  failed 0 REJECTED -> finish rejected REJECTED"),
    ("… unless nobody else was asked", "a", "", "
        0    begin          -> dial 0 a core
        10   ringing a
        100  drop a         -> hang up a GONE
        105  ended a GONE
        106  failed 0 GONE  -> finish cancelled GONE"),
    ("joined in early media, others may be added, and the first answer wins", "a", "", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        500  added@0 x      -> dial 1 x ignore aside
        900  ringing x
        1300 won 1 x        -> lose a; join x aside
        1305 ended a LOSE_RACE
        1310 left a
        legs a loser LOSE_RACE; x open"),
    ("… or that of the one in early media", "a", "", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        500  added@0 x      -> dial 1 x ignore aside
        1300 answered a     -> cancel 1 LOSE_RACE
        1310 failed 1 LOSE_RACE
        legs a open; x loser LOSE_RACE"),
    ("… and when that one leaves, the others ring on", "a", "", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        500  added@0 x      -> dial 1 x ignore aside
        700  ended a BUSY
        705  left a
        1300 won 1 x        -> join x aside
        legs a failed BUSY; x open"),
    ("… also one that was added before the early media", "a", "", "
        0    begin          -> dial 0 a core
        100  added@0 x      -> dial 1 x ignore aside
        105  won 0 a early  -> join a
        1300 won 1 x        -> lose a; join x aside"),
    ("… until the stage's time is over for all", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        500  added@0 x      -> dial 1 x ignore aside
        1000 tick           -> hang up a NO_ANSWER; cancel 1 NO_ANSWER
        1005 ended a NO_ANSWER
        1006 left a
        1010 failed 1 NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… or the caller leaves", "a", "", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        500  added@0 x      -> dial 1 x ignore aside
        700  caller gone    -> cancel 1 GONE
        705  won 1 x        -> too late x GONE"),
    ("… or an operator cancels", "a", "", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        500  added@0 x      -> dial 1 x ignore aside
        700  cancel BUSY    -> cancel 1 BUSY; hang up a BUSY
        705  ended a BUSY
        706  left a
        710  failed 1 BUSY  -> finish cancelled BUSY"),
    ("… but what the plan says of early media holds", "a,b", "early=written", "
        0    begin          -> dial 0 a b written
        50   added@0 x      -> dial 1 x written aside
        105  won 0 a early  -> cancel 1 LOSE_RACE; join a"),
    ("joined in early media, the call can still be cancelled", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        300  cancel BUSY    -> hang up a BUSY
        301  cancel CLEARING
        302  skip
        next none
        310  ended a BUSY
        legs a cancelled BUSY"),
    ("… unless it has answered by then", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        299  answered a
        300  cancel BUSY
        301  skip
        302  drop a"),
    ("… and skipped, as if its time were over", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        300  skip           -> hang up a NO_ANSWER
        next none"),
    ("… and dropped", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        300  drop a         -> hang up a GONE
        310  ended a GONE
        legs a cancelled GONE"),
    ("… and given more time", "a", "stage=1000", "
        0    begin          -> dial 0 a core
        105  won 0 a early  -> join a
        300  extend 500
        next 1500
        1500 tick           -> hang up a NO_ANSWER"),
    ("… where the call would go on, a skip goes on", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        120  won 0 a early  -> join a
        300  skip           -> hang up a NO_ANSWER
        310  ended a NO_ANSWER
        311  left a         -> dial 1 b core"),
    ("… a dropped leg makes way", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        120  won 0 a early  -> join a
        300  drop a         -> hang up a GONE
        310  ended a GONE
        311  left a         -> dial 1 b core
        legs a cancelled GONE; b open"),
    ("… and a cancelled call ends", "a|b", "stage=1000", "
        0    begin          -> dial 0 a relay
        120  won 0 a early  -> join a
        300  cancel BUSY    -> hang up a BUSY
        310  ended a BUSY
        311  left a         -> finish cancelled BUSY
        legs a cancelled BUSY"),
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
    ("what is added to a stage that does not ring decides nothing", "a|b", "reject=any stage=1000", "
        0    begin          -> dial 0 a relay
        100  added@1 c/required/dead=ABSENT,d
        next 1000
        1000 tick           -> cancel 0 NO_ANSWER
        1010 failed 0 NO_ANSWER -> dial 1 b core"),
    ("a call that is ended before it begins rings nobody", "a|b", "", "
        0    caller gone
        0    begin          -> finish cancelled GONE"),
    ("what is told of a branch that was not dialled yet changes nothing", "a,b/delay=5000", "", "
        0    begin          -> dial 0 a ignore
        10   won 1 b early
        20   failed 1 BUSY
        30   ringing b
        50   ended b BUSY
        5000 tick           -> dial 1 b ignore aside
        5100 won 1 b        -> cancel 0 LOSE_RACE; join b aside"),
    ("a leg that ends without a cause says nothing", "a", "", "
        0    begin          -> dial 0 a core
        10   ended a NONE
        11   failed 0 NONE  -> finish failed ORDER"),
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
            Command::Lose { leg, .. } => format!("lose {}", self.names[*leg]),
            Command::TooLate { leg, cause, .. } => {
                format!("too late {} {}", self.names[*leg], name_of(*cause))
            }
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
                        [added, legs] if added.starts_with("added") => {
                            let (names, legs): (Vec<_>, Vec<_>) =
                                read_legs(legs).into_iter().unzip();
                            self.names.extend(names);
                            let ringing = self.ring.ringing(ms(now));
                            let stage = ringing.first().map_or(0, |part| part.stage - 1);
                            let at = added.split_once('@');
                            let stage = at.map_or(stage, |(_, at)| at.parse().expect("a stage"));
                            let part = 0;
                            self.feed(now, Event::Added { part, stage, legs })
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
            ["left", leg] => Event::Unanswered(self.leg(leg)),
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
                "grows" => leg.may_register = true,
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
            "stage" => settings.stage_timeout = Some(time()),
            "progress" => settings.progress_timeout = Some(time()),
            "missed" => settings.missed = Missed::Never,
            "tone" => settings.caller_thread = CallerThread::RingsAlone,
            "progressive" => settings.mode = Mode::Progressive,
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
    let mut gone = Table::new("a", "");
    gone.play("0 begin -> dial 0 a core\n90 ended a BUSY\n100 won 0 a early -> join a")
        .expect("joined");
    assert_eq!(gone.ring.legs()[0].role, Some(Role::Failed));
    let roles = [&rang_out, &busy, &left].map(|table| table.ring.legs()[0].role);
    let failed = Some(Role::Failed);
    assert_eq!(roles, [failed, failed, Some(Role::Cancelled)]);
}

/// The event of its ringing waits in the switch's queue, however busy that is; the channel's
/// own record, which comes with its end, knows better.
#[test]
fn a_leg_rang_when_its_channel_says_so() {
    let mut table = Table::new("a", "");
    let story = "0 begin -> dial 0 a core\n600 ringing a";
    table.play(story).expect("rings");
    let end = Event::Ended {
        leg: 0,
        cause: Cause::USER_BUSY,
        rang: Some(ms(20)),
    };
    table.ring.handle(ms(900), end);
    assert_eq!(table.ring.legs()[0].ringing, Some(ms(20)));
    let mut overtaken = Table::new("a", "");
    let story = "0 begin -> dial 0 a core\n300 won 0 a -> join a\n310 ringing a";
    overtaken.play(story).expect("joined");
    assert_eq!(overtaken.ring.legs()[0].ringing, Some(ms(300)));
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

/// Where one of the laws does not hold in this call.
fn broken(law: Law, faces: &[u8]) -> Option<String> {
    let played = Switch::new(&mut Dice::bytes(faces), false).run();
    played
        .faults
        .into_iter()
        .find(|(broken, _)| *broken == law)
        .map(|(_, fault)| fault)
}

/// What is rolled for one call; where it ends, zeros follow.
fn faces() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..800)
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
                prop_assert_eq!(broken(Law::$law, &faces), None);
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
    the_callers_thread_runs_one_originate_at_a_time: OneCallerThread;
    every_phone_is_told_the_truth: TrueCauses;
    every_leg_has_its_true_role: TrueRoles;
    nothing_is_left_over: NothingLeft;
}

proptest! {
    #![proptest_config(cases())]

    /// Phones that never even ring: deadlines alone bring the call to its end.
    #[test]
    fn deadlines_alone_end_every_call(faces in faces()) {
        let played = Switch::new(&mut Dice::bytes(&faces), true).run();
        prop_assert_eq!(played.faults, vec![]);
    }

    #[test]
    fn events_in_no_order_bring_one_verdict(faces in faces()) {
        prop_assert_eq!(disorder(&mut Dice::bytes(&faces)), Ok(()));
    }
}

#[test]
fn every_interleaving_of_two_and_three_branches_has_one_winner_or_one_end() {
    for branches in [2, 3] {
        let began = Instant::now();
        let played = every_interleaving(branches).unwrap_or_else(|fault| panic!("{fault}"));
        let took = began.elapsed().as_secs_f64();
        println!("{branches} branches: {played} interleavings in {took:.1} s");
    }
}

/// What must have happened, and often, before the soak says anything.
const HAPPENINGS: &[&str] = &[
    "answered",
    "answered too late",
    "no_answer",
    "busy",
    "rejected",
    "unreachable",
    "cancelled",
    "registered late",
    "confirmed",
    "add",
    "drop",
    "skip",
    "extend",
    "cancel",
    "two operators at once",
];

/// All laws at once over many calls: `RING_SOAK_CALLS` says how many.
#[test]
fn soak() {
    let usual = if cfg!(debug_assertions) {
        4_000
    } else {
        300_000
    };
    let calls = std::env::var("RING_SOAK_CALLS")
        .ok()
        .and_then(|calls| calls.parse().ok());
    let calls: u64 = calls.unwrap_or(usual);
    let (began, mut events) = (Instant::now(), 0);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut broken: BTreeMap<Law, (u64, u64, String)> = BTreeMap::new();
    for seed in 0..calls {
        let played = Switch::new(&mut Dice::seeded(seed), false).run();
        events += played.events;
        for (what, times) in played.seen {
            *seen.entry(what).or_default() += times;
        }
        let mut laws = BTreeSet::new();
        for (law, fault) in played.faults {
            if laws.insert(law) {
                broken.entry(law).or_insert((0, seed, fault)).0 += 1;
            }
        }
    }
    let took = began.elapsed().as_secs_f64();
    let rate = calls as f64 / took;
    println!("{calls} calls, {events} events in {took:.1} s: {rate:.0} calls a second\n{seen:?}");
    let lines = broken.iter().map(|(law, (count, seed, fault))| {
        format!("{law:?} in {count} calls; call {seed}: {fault}")
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    let seldom = |what: &&&str| seen.get(**what).is_none_or(|&times| times < calls / 400);
    let rare: Vec<_> = HAPPENINGS.iter().filter(seldom).collect();
    assert!(rare.is_empty(), "hardly ever happened: {rare:?}");
}

#[test]
fn a_180_that_is_told_late_rang_when_it_did() {
    let mut ring = Ring::new(vec![(Settings::default(), 1)]);
    ring.handle(ms(0), Event::Begin);
    let legs = vec![NewLeg::default(); 3];
    ring.handle(ms(50), Event::Resolved { part: 0, legs });
    // On time, late, and by a clock that is a step behind ours.
    for (leg, rang, told) in [(0, None, 60), (1, Some(70), 400), (2, Some(40), 410)] {
        if let Some(at) = rang {
            ring.rang(leg, ms(at));
        }
        ring.handle(ms(told), Event::Ringing(leg));
    }
    ring.rang(9, ms(80));
    let rang: Vec<_> = ring.legs().iter().map(|leg| leg.ringing).collect();
    assert_eq!(rang, [60, 70, 50].map(|at| Some(ms(at))));
}
