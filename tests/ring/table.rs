//! Who rings, when, and who has won: the table that reads as a specification.

use super::story::Table;

/// What each row says: the contacts (`,` together, `|` one after another, `:_:` side by
/// side; `a/delay=100/timeout=50/progress=50/required/dead=ABSENT`), the settings, and the
/// story: `time event -> commands`, times in milliseconds. `tick` says that time has passed;
/// `next` says when the next deadline is due; `hears` whose early media is relayed to the caller;
/// `legs` tells how each leg has ended; `added` joins the stage that rings, `added@0` the first.
/// Stages are resolved at once, unless the settings say `slow`: then `found 0` brings all contacts of a
/// part's stage, `found a more` one of them while others are looked up. `order` is that of the legs.
#[rustfmt::skip]
const SCENARIOS: &[(&str, &str, &str, &str)] = &[
    ("both ring, the second answers", "a,b", "", "
        0    begin          -> dial a b
        100  ringing a      -> alert a
        120  ringing b
        900  answered b     -> join b; hangup a LOSE_RACE
        912  ended a LOSE_RACE
        legs a loser LOSE_RACE; b open"),
    ("a loser's end is no rejection", "a,b", "reject=any", "
        0    begin          -> dial a b
        900  answered b     -> join b; hangup a LOSE_RACE
        905  ended a LOSE_RACE
        legs a loser LOSE_RACE; b open"),
    ("a sequence goes on after busy", "a|b", "", "
        0    begin          -> dial a
        300  ended a BUSY   -> dial b
        500  ringing b      -> alert b
        900  answered b     -> join b
        legs a failed BUSY; b open"),
    ("a stage begins only when every leg of the one before has ended", "a,b/delay=100|c", "", "
        0    begin          -> dial a
        100  tick           -> dial b
        200  ended a BUSY
        300  ended b BUSY   -> dial c"),
    ("stages have 20 s, the last one 60 s, to the millisecond", "a|b", "", "
        0    begin          -> dial a
        next 20000
        19999 tick
        20000 tick          -> hangup a NO_ANSWER
        20015 ended a NO_ANSWER -> dial b
        next 80015
        80014 tick
        80015 tick          -> hangup b NO_ANSWER
        80021 ended b NO_ANSWER -> finish no_answer NO_ANSWER
        next none"),
    ("a default stage time leaves each leg its own", "a/timeout=25000|b", "", "
        0    begin          -> dial a
        next 25000
        22000 answered a    -> join a"),
    ("… with its delay, and the stage is that long for all", "a/delay=5000/timeout=18000,b|c", "", "
        0    begin          -> dial b
        next 5000
        5000 tick           -> dial a
        next 23000
        9000 ended a BUSY
        next 23000
        23000 tick          -> hangup b NO_ANSWER"),
    ("… counted from its INVITE", "a/timeout=25000|b", "", "
        0    begin          -> dial a
        400  started a
        next 25400"),
    ("… also of one who joins later", "a|b", "", "
        0    begin          -> dial a
        5000 added c/timeout=30000 -> dial c
        next 35000
        35000 tick          -> hangup c a NO_ANSWER"),
    ("… but one that somebody wrote does not stretch", "a/timeout=25000|b", "stage=20000", "
        0    begin          -> dial a
        next 20000
        20000 tick          -> hangup a NO_ANSWER"),
    ("… nor does the call's", "a/timeout=25000|b", "timeout=22000", "
        0    begin          -> dial a
        next 22000
        22000 tick          -> hangup a NO_ANSWER"),
    ("… and a progressive plan brings the next stage in when it is its turn", "a/timeout=90000|b", "progressive", "
        0    begin          -> dial a
        next 20000
        20000 tick          -> dial b
        next 90000
        90000 tick          -> hangup a b NO_ANSWER"),
    ("0 is no limit: a stage's", "a|b", "stage=0", "
        0    begin          -> dial a
        next none
        900000 ended a BUSY -> dial b
        next none"),
    ("… a default one", "a|b", "default=0 last=3000", "
        0    begin          -> dial a
        next none
        100  ended a BUSY   -> dial b
        next 3100"),
    ("… which no leg's time makes a limit", "a/timeout=500,b|c", "default=0", "
        0    begin          -> dial a b
        next 500
        500  tick           -> hangup a NO_ANSWER
        505  ended a NO_ANSWER
        next none"),
    ("… and in a progressive plan the next stage waits until this one has failed", "a|b", "progressive stage=0", "
        0    begin          -> dial a
        next none
        700  ended a BUSY   -> dial b"),
    ("… nor does an operator make it one", "a|b", "stage=0", "
        0    begin          -> dial a
        100  extend 500
        next none
        200  skip           -> hangup a NO_ANSWER"),
    ("… and early media that is joined has no deadline then", "a", "stage=0", "
        0    begin          -> dial a
        100  media a        -> join a
        next none"),
    ("originate_delay_start: a part begins so much later, once", "a|b:_:c", "delay=1500 stage=1000 attempts=2 sleep=500", "
        0    begin
        next 1500
        1499 tick
        1500 tick           -> dial a c
        next 2500
        1600 ended a BUSY   -> dial b
        1700 ended b BUSY
        2200 tick           -> dial a"),
    ("… and its legs' times count from their INVITEs", "a/timeout=1000", "delay=1500", "
        0    begin
        1500 tick           -> dial a
        1501 started a
        next 2501
        2501 tick           -> hangup a NO_ANSWER"),
    ("… unless the call is over by then", "a", "delay=1500 timeout=1000", "
        0    begin
        next 1000
        1000 tick           -> finish no_answer NO_ANSWER"),
    ("… or the caller has left", "a", "delay=1500", "
        0    begin
        700  gone           -> finish cancelled GONE
        next none"),
    ("[originate_delay_start]: a leg starts so much later, also where nobody else rings", "a/held=1000/timeout=2000", "", "
        0    begin
        next 1000
        1000 tick           -> dial a
        next 3000
        3000 tick           -> hangup a NO_ANSWER"),
    ("… and when the others have failed", "a,b/held=1000,c/delay=5000", "", "
        0    begin          -> dial a
        100  ended a BUSY   -> dial c
        next 1000
        1000 tick           -> dial b"),
    ("… with leg_delay_start on top", "a/held=1000/delay=500,b/delay=700", "", "
        0    begin          -> dial b
        next 1500
        1500 tick           -> dial a"),
    ("a tick that comes late does what was due", "a|b", "stage=2000", "
        0    begin          -> dial a
        2049 tick           -> hangup a NO_ANSWER
        2060 ended a NO_ANSWER -> dial b
        next 4060"),
    ("any event at the deadline does what is due", "a|b", "stage=2000", "
        0    begin          -> dial a
        2000 ringing a      -> alert a; hangup a NO_ANSWER"),
    ("the call's deadline ends every stage", "a|b|c", "stage=1000 timeout=1500", "
        0    begin          -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> dial b
        next 1500
        1499 tick
        1500 tick           -> hangup b NO_ANSWER
        1510 ended b NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("the call's deadline passes while a stage is being ended: nobody else is dialled", "a|b", "stage=1000 timeout=1005", "
        0    begin          -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… or while contacts are looked up", "a", "timeout=1000 slow", "
        0    begin          -> resolve 0.0
        1200 found 0        -> finish no_answer NO_ANSWER"),
    ("a leg's own deadline ends it alone", "a/timeout=500,b", "", "
        0    begin          -> dial a b
        10   ringing a      -> alert a
        20   ringing b
        499  tick
        500  tick           -> hangup a NO_ANSWER
        503  ended a NO_ANSWER
        900  answered b     -> join b
        legs a failed NO_ANSWER; b open"),
    ("an answer in the very moment of the deadline stands", "a/timeout=500|b", "stage=500", "
        0    begin          -> dial a
        500  tick           -> hangup a NO_ANSWER
        505  answered a     -> join a"),
    ("a leg that was hung up is told nothing else by its deadline", "a/timeout=1000,b/delay=500", "", "
        0    begin          -> dial a
        500  tick           -> dial b
        990  answered b     -> join b; hangup a LOSE_RACE
        1000 tick
        1010 ended a LOSE_RACE
        legs a loser LOSE_RACE; b open"),
    ("a phone that does not ring in time", "a/progress=300|b", "", "
        0    begin          -> dial a
        299  tick
        300  tick           -> hangup a NO_ANSWER
        310  ended a NO_ANSWER -> dial b"),
    ("… and one that does", "a/progress=300|b", "", "
        0    begin          -> dial a
        299  ringing a      -> alert a
        300  tick
        next 20000"),
    ("progress_timeout: the stage fails if nobody has rung", "a,b|c", "progress=400", "
        0    begin          -> dial a b
        400  tick           -> hangup a b NO_ANSWER
        410  ended a NO_ANSWER
        410  ended b NO_ANSWER -> dial c"),
    ("progress_timeout: the result is that nobody answered", "a", "progress=400", "
        0    begin          -> dial a
        400  tick           -> hangup a NO_ANSWER
        410  ended a NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("a required leg's siblings say nothing about the result", "a/required,b", "", "
        0    begin          -> dial a b
        50   ringing b      -> alert b
        100  ended a BUSY   -> hangup b NO_ANSWER
        105  ended b NO_ANSWER -> finish busy BUSY"),
    ("progress_timeout: somebody has", "a,b|c", "progress=400", "
        0    begin          -> dial a b
        399  ringing b      -> alert b
        400  tick
        next 20000"),
    ("progress_timeout: what rang in an earlier attempt does not count", "a", "progress=400 attempts=2 sleep=500", "
        0    begin          -> dial a
        100  ringing a      -> alert a
        200  ended a BUSY
        701  tick           -> dial a
        1101 tick           -> hangup a NO_ANSWER"),
    ("cti_missed=never: time over is told as completed elsewhere", "a/timeout=200,b", "missed=never stage=1000", "
        0    begin          -> dial a b
        1    ringing a      -> alert a
        2    ringing b
        200  tick           -> hangup a LOSE_RACE
        1000 tick           -> hangup b LOSE_RACE
        1005 ended b LOSE_RACE
        1010 ended a LOSE_RACE -> finish no_answer NO_ANSWER"),
    ("cti_missed=never: what the caller is told does not change", "a", "missed=never stage=1000", "
        0    begin          -> dial a
        1000 tick           -> hangup a LOSE_RACE
        1010 ended a LOSE_RACE -> finish no_answer NO_ANSWER"),
    ("late starters ring when their time has come", "a,b/delay=200,c/delay=200,d/delay=300", "", "
        0    begin          -> dial a
        next 200
        200  tick           -> dial b c
        300  tick           -> dial d
        400  answered c     -> join c; hangup a b d LOSE_RACE"),
    ("if all start late, the first of them starts at once", "a/delay=500,b/delay=700", "", "
        0    begin          -> dial a
        next 200
        200  tick           -> dial b"),
    ("nobody rings any more: who starts late starts now", "a,b/delay=5000,c/delay=6000", "", "
        0    begin          -> dial a
        300  ended a BUSY   -> dial b
        next 1300
        1300 tick           -> dial c"),
    ("… also when the last could not even be made", "a/timeout=100,b,c/delay=5000", "missed=never", "
        0    begin          -> dial a b
        2    ended b ORDER
        5    started a
        100  tick
        105  tick           -> hangup a LOSE_RACE
        110  ended a LOSE_RACE -> dial c"),
    ("who has not started when the winner answers never does", "a,b/delay=5000", "", "
        0    begin          -> dial a
        300  answered a     -> join a
        next none
        legs a open; b loser LOSE_RACE"),
    ("fail_on_single_reject and a phone that had not started at the stage's deadline", "a,b/delay=5000|c", "reject=any stage=1000", "
        0    begin          -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> dial c"),
    ("a required leg that fails ends its stage", "a/required,b|c", "", "
        0    begin          -> dial a b
        100  ended a BUSY   -> hangup b NO_ANSWER
        105  ended b NO_ANSWER -> dial c"),
    ("a required leg that cannot be dialled", "a/required/dead=ABSENT,b|c", "", "
        0    begin          -> dial c"),
    ("a required leg without a cause ends its stage all the same", "a/required,b/delay=10|c", "", "
        0    begin          -> dial a
        10   tick           -> dial b
        20   ended a NONE   -> hangup b NO_ANSWER"),
    ("a required leg that loses is no failure", "a/required,b|c", "", "
        0    begin          -> dial a b
        100  answered b     -> join b; hangup a LOSE_RACE
        110  ended a LOSE_RACE
        next none
        legs a loser LOSE_RACE; b open"),
    ("a required leg's end ends no stage twice", "a/required,b|c", "early=core stage=1000", "
        0    begin          -> dial a b
        1    started a
        1000 tick           -> hangup a b NO_ANSWER
        1005 media b
        1010 ended a BUSY
        1020 ended b NO_ANSWER -> dial c
        next 2020"),
    ("fail_on_single_reject ends the call", "a,b|c", "reject=any", "
        0    begin          -> dial a b
        100  ended a REJECTED -> hangup b NO_ANSWER
        110  ended b NO_ANSWER -> finish rejected REJECTED"),
    ("… and to the other devices of who has declined it is no missed call", "a/user=x,b/user=x,c/user=y,d", "reject=any", "
        0    begin          -> dial a b c d
        100  ended a REJECTED -> hangup b LOSE_RACE; hangup c d NO_ANSWER
        101  answered b
        110  ended b LOSE_RACE
        111  ended c NO_ANSWER
        112  ended d NO_ANSWER -> finish rejected REJECTED
        legs a failed REJECTED; b failed LOSE_RACE; c failed NO_ANSWER; d failed NO_ANSWER"),
    ("… also in a stage that rings beside, also by a busy", "a/user=x|b/user=x,c", "reject=any progressive stage=1000", "
        0    begin          -> dial a
        1000 tick           -> dial b c
        1100 ended b BUSY   -> hangup a LOSE_RACE; hangup c NO_ANSWER"),
    ("… but who could not be reached has declined nothing", "a/user=x,b/user=x", "reject=any", "
        0    begin          -> dial a b
        100  ended a NO_RESPONSE -> hangup b NO_ANSWER"),
    ("… and an answer after that is too late", "a,b|c", "reject=any", "
        0    begin          -> dial a b
        100  ended a REJECTED -> hangup b NO_ANSWER
        101  answered b
        110  ended b NO_ANSWER -> finish rejected REJECTED
        legs a failed REJECTED; b failed NO_ANSWER"),
    ("… as is early media", "a,b|c", "reject=any early=core", "
        0    begin          -> dial a b
        100  ended a REJECTED -> hangup b NO_ANSWER
        101  media b
        110  ended b NO_ANSWER -> finish rejected REJECTED"),
    ("… for the causes that it names", "a,b|c", "reject=BUSY", "
        0    begin          -> dial a b
        100  ended a REJECTED
        200  ended b BUSY   -> finish busy BUSY"),
    ("… or all but those", "a,b|c", "reject=!BUSY", "
        0    begin          -> dial a b
        100  ended a BUSY
        200  ended b REJECTED -> finish rejected REJECTED"),
    ("hangup_on_single_reject hangs up the caller", "a,b|c", "reject=any hangup", "
        0    begin          -> dial a b
        100  ended a BUSY   -> hangup b NO_ANSWER
        111  ended b NO_ANSWER -> finish busy BUSY and hang up"),
    ("a leg's deadline is no rejection", "a/timeout=100,b", "reject=any", "
        0    begin          -> dial a b
        100  tick           -> hangup a NO_ANSWER
        105  ended a NO_ANSWER
        next 60000"),
    ("the caller's leaving is no rejection", "a,b", "reject=any", "
        0    begin          -> dial a b
        100  gone           -> hangup a b GONE
        101  ended a GONE
        102  ended b GONE   -> finish cancelled GONE
        legs a cancelled GONE; b cancelled GONE"),
    ("… and starts nobody", "a,b/delay=5000", "", "
        0    begin          -> dial a
        100  gone           -> hangup a GONE
        103  ended a GONE   -> finish cancelled GONE
        next none
        legs a cancelled GONE; b cancelled GONE"),
    ("parts ring side by side, an answer ends them all", "a|b:_:c,d", "", "
        0    begin          -> dial a c d
        100  ringing c      -> alert c
        300  ended a BUSY   -> dial b
        500  answered d     -> join d; hangup c b LOSE_RACE
        510  ended b LOSE_RACE"),
    ("the call ends when the last part has", "a:_:b", "", "
        0    begin          -> dial a b
        100  ended a BUSY
        200  ended b REJECTED -> finish busy BUSY"),
    ("two parts answer at once: the first event wins", "a:_:b", "", "
        0    begin          -> dial a b
        100  answered a     -> join a; hangup b LOSE_RACE
        100  answered b
        105  ended b LOSE_RACE
        legs a open; b loser LOSE_RACE"),
    ("each part keeps its own stages' time", "a|b:_:c", "stage=1000", "
        0    begin          -> dial a c
        1000 tick           -> hangup a c NO_ANSWER
        1010 ended c NO_ANSWER
        1020 ended a NO_ANSWER -> dial b
        next 2020"),
    ("early media in a stage of many legs: the caller hears ringing", "a,b", "", "
        0    begin          -> dial a b
        100  media a        -> alert a
        110  media b
        hears nobody"),
    ("early media of one leg with stages after it is relayed and keeps its deadline", "a|b", "stage=1000", "
        0    begin          -> dial a
        100  media a
        hears a
        next 1000
        1000 tick           -> hangup a NO_ANSWER
        hears nobody"),
    ("a relayed leg that ends without an answer is no winner", "a|b", "stage=1000", "
        0    begin          -> dial a
        100  media a
        hears a
        next 1000
        800  ended a BUSY   -> dial b
        hears nobody
        legs a failed BUSY; b open"),
    ("… nor one whose time runs out so", "a|b", "stage=1000", "
        0    begin          -> dial a
        120  media a
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> dial b
        legs a failed NO_ANSWER; b open"),
    ("… but one that answers has won", "a|b", "stage=1000", "
        0    begin          -> dial a
        120  media a
        500  answered a     -> join a
        hears nobody
        next none
        900  ended a CLEARING
        901  left a
        legs a winner CLEARING"),
    ("… and of parts that ring side by side, the last one's end is the call's", "a:_:b", "early=relay", "
        0    begin          -> dial a b
        120  media a
        hears a
        200  ended b BUSY
        800  ended a NO_RESPONSE -> finish no_answer NO_ANSWER"),
    ("early media of the last stage's one leg passes both ways and keeps its deadline", "a", "stage=1000", "
        0    begin          -> dial a
        100  media a        -> join a
        next 1000
        999  tick
        1000 tick           -> hangup a NO_ANSWER
        next none"),
    ("… unless it answers", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        900  answered a
        next none
        1000 tick"),
    ("… and the call's deadline counts too", "a", "stage=1000 timeout=700", "
        0    begin          -> dial a
        105  media a        -> join a
        next 700
        700  tick           -> hangup a NO_ANSWER"),
    ("early media in the very moment of the deadline is no answer", "a|b", "early=core stage=1000", "
        0    begin          -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1005 media a
        1010 ended a NO_ANSWER -> dial b"),
    ("one leg of three is alive: it is a stage of one leg", "a/dead=ABSENT,b,c/dead=ABSENT|d", "", "
        0    begin          -> dial b
        100  media b
        hears b"),
    ("cti_early_media=ignore: the caller hears ringing, and only an answer counts", "a", "early=ignore", "
        0    begin          -> dial a
        100  media a        -> alert a
        hears nobody
        200  answered a     -> join a"),
    ("cti_early_media=relay: the caller hears the phone, and only an answer counts", "a,b", "early=relay", "
        0    begin          -> dial a b
        100  media a
        hears a
        200  answered b     -> join b; hangup a LOSE_RACE"),
    ("cti_early_media=core: early media joins the two, and the others have lost", "a,b|c", "early=core", "
        0    begin          -> dial a b
        100  media a        -> join a; hangup b LOSE_RACE
        105  ended b LOSE_RACE
        legs a open; b loser LOSE_RACE"),
    ("originate_continue_on_timeout=false ends the part at its first timeout", "a|b", "continue=false stage=1000 attempts=3", "
        0    begin          -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… but not at a rejection", "a|b", "continue=false", "
        0    begin          -> dial a
        100  ended a BUSY   -> dial b"),
    ("a leg being confirmed keeps its deadline, and its siblings ring on", "a/timeout=1000/confirm,b", "", "
        0    begin          -> dial a b
        500  answered a     -> confirm a
        next 1000
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER
        1500 answered b     -> join b
        legs a failed NO_ANSWER; b open"),
    ("group_confirm_timeout counts from the phone's answer", "a/timeout=1000/confirm=2000", "", "
        0    begin          -> dial a
        500  answered a     -> confirm a
        next 2500
        2500 tick           -> hangup a NO_ANSWER
        2510 ended a NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… and 0 takes the leg's deadline away, not the stage's", "a/timeout=1000/confirm=0", "stage=3000", "
        0    begin          -> dial a
        500  answered a     -> confirm a
        next 3000
        3000 tick           -> hangup a NO_ANSWER"),
    ("who answers and does not confirm has not answered", "a/confirm,b", "", "
        0    begin          -> dial a b
        500  answered a     -> confirm a
        900  ended a CLEARING
        950  ended b BUSY   -> finish no_answer NO_ANSWER
        legs a failed CLEARING; b failed BUSY"),
    ("who has confirmed has won for good", "a/timeout=1000/confirm", "", "
        0    begin          -> dial a
        500  answered a     -> confirm a
        800  confirmed a    -> join a
        next none
        801  confirmed a"),
    ("originate_retry_min_period_ms: two attempts begin so far apart", "a", "attempts=3 sleep=500 period=2000", "
        0    begin          -> dial a
        300  ended a BUSY
        next 2000
        2000 tick           -> dial a
        3900 ended a BUSY
        next 4400"),
    ("originate_retry_timeout: later than this no attempt begins", "a", "attempts=9 sleep=500 until=1000", "
        0    begin          -> dial a
        1000 ended a BUSY
        next 1500
        1500 tick           -> dial a
        1600 ended a BUSY   -> finish busy BUSY"),
    ("progressive: a stage whose time is over goes on ringing beside the next", "a|b|c", "progressive stage=1000", "
        0    begin          -> dial a
        100  ringing a      -> alert a
        1000 tick           -> dial b
        next 2000
        2000 tick           -> dial c
        2300 answered a     -> join a; hangup b c LOSE_RACE
        2320 ended b LOSE_RACE
        2320 ended c LOSE_RACE
        legs a open; b loser LOSE_RACE; c loser LOSE_RACE"),
    ("… until all stages have had their time", "a|b", "progressive stage=1000", "
        0    begin          -> dial a
        50   ringing a      -> alert a
        1000 tick           -> dial b
        2000 tick           -> hangup a b NO_ANSWER
        2010 ended b NO_ANSWER
        2020 ended a NO_ANSWER -> finish no_answer NO_ANSWER
        legs a failed NO_ANSWER; b failed NO_ANSWER"),
    ("… a stage that fails makes way at once, whoever rings of the earlier ones", "a|b|c", "progressive stage=1000", "
        0    begin          -> dial a
        1000 tick           -> dial b
        1200 ended b BUSY   -> dial c
        next 2200
        1300 ended c BUSY
        next 2200
        1500 ended a REJECTED -> finish busy BUSY"),
    ("… and an earlier one that fails changes nothing", "a|b|c", "progressive stage=1000", "
        0    begin          -> dial a
        1000 tick           -> dial b
        1200 ended a BUSY
        2000 tick           -> dial c"),
    ("progressive: the call's deadline ends every stage", "a|b|c", "progressive stage=1000 timeout=1500", "
        0    begin          -> dial a
        1000 tick           -> dial b
        next 1500
        1500 tick           -> hangup a b NO_ANSWER
        1510 ended a NO_ANSWER
        1510 ended b NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… and if the newest one has just failed", "a|b|c", "progressive stage=1000 timeout=1500", "
        0    begin          -> dial a
        1000 tick           -> dial b
        1501 ended b BUSY   -> hangup a NO_ANSWER
        1510 ended a NO_ANSWER -> finish busy BUSY"),
    ("… also while the next stage is looked up", "a|b", "progressive stage=1000 timeout=1500 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a
        1000 tick           -> resolve 0.1
        next 1500
        1500 tick           -> hangup a NO_ANSWER
        1600 found 0
        1610 ended a NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… and if the contacts come first", "a|b", "progressive stage=1000 timeout=1500 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a
        1000 tick           -> resolve 0.1
        1501 found 0        -> hangup a NO_ANSWER
        1510 ended a NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("progressive: early media that wins while the next stage is looked up has that one's time", "a|b", "progressive early=core stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a
        1000 tick           -> resolve 0.1
        1005 media a        -> join a
        next 2000
        2000 tick           -> hangup a NO_ANSWER"),
    ("progressive: a relayed leg that ends while the next stage is looked up brings no second look-up", "a|b", "progressive early=relay stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a
        1000 tick           -> resolve 0.1
        1005 media a
        hears a
        1010 ended a NO_RESPONSE
        1020 found 0        -> dial b"),
    ("progressive: who rings of an earlier stage is no progress of the newest", "a|b", "progressive stage=1000 progress=400", "
        0    begin          -> dial a
        400  tick           -> dial b
        500  added@0 x      -> dial x
        600  ringing x      -> alert x
        800  tick           -> hangup a b x NO_ANSWER"),
    ("progressive: a late start of an earlier stage still starts", "a,b/delay=1500|c", "progressive stage=1000", "
        0    begin          -> dial a
        1000 tick           -> dial c
        next 1500
        1500 tick           -> dial b"),
    ("progressive: a required leg ends its own stage alone", "a/required,b|c|d", "progressive stage=1000", "
        0    begin          -> dial a b
        1000 tick           -> dial c
        1200 ended a BUSY   -> hangup b NO_ANSWER
        1210 ended b NO_ANSWER
        2000 tick           -> dial d"),
    ("… also while the next one is looked up", "a/required,b|c", "progressive stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a b
        1000 tick           -> resolve 0.1
        1100 ended a BUSY   -> hangup b NO_ANSWER
        1105 ended b NO_ANSWER
        1110 found 0        -> dial c"),
    ("… and what it took with it has not run out of time", "a/required,b", "progressive", "
        0    begin          -> dial a b
        50   ringing b      -> alert b
        100  ended a BUSY   -> hangup b NO_ANSWER
        101  skip
        105  ended b NO_ANSWER -> finish busy BUSY"),
    ("… nor does anybody join what it has ended", "a|b", "progressive stage=1000", "
        0    begin          -> dial a
        1000 tick           -> dial b
        1100 added@1 c/required/dead=ABSENT,d -> hangup b NO_ANSWER
        1110 ended b NO_ANSWER
        next 2000"),
    ("… and who starts late in the next stage need not wait for it", "a/required,b|c/delay=3000", "progressive missed=never stage=1000", "
        0    begin          -> dial a b
        1000 tick
        next 2000
        1100 ended a BUSY   -> hangup b LOSE_RACE
        1105 ended b LOSE_RACE -> dial c"),
    ("progressive: who joins an earlier stage late rings, also while the next one is looked up", "a|b", "progressive stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a
        1000 tick           -> resolve 0.1
        1001 added@0 c      -> dial c
        1002 added@1 d      -> dial d
        1005 found 0        -> dial b
        1500 answered c     -> join c; hangup a d b LOSE_RACE"),
    ("progressive: the caller leaves while the next stage is looked up", "a|b", "progressive stage=1000 slow", "
        0    begin          -> resolve 0.0
        0    found 0        -> dial a
        1000 tick           -> resolve 0.1
        1005 gone           -> hangup a GONE
        1010 found 0
        1020 ended a GONE   -> finish cancelled GONE"),
    ("progressive: skip brings the next stage in, and at the last one ends all", "a|b", "progressive", "
        0    begin          -> dial a
        300  skip           -> dial b
        500  skip           -> hangup a b NO_ANSWER"),
    ("progressive with one stage is a stage like any other", "a", "progressive", "
        0    begin          -> dial a"),
    ("cti_wait_register keeps a stage open in which nobody is registered", "a/dead=UNREGISTERED|b", "wait=3000", "
        0    begin
        next 3000
        3000 tick           -> dial b
        legs a failed UNREGISTERED; b open"),
    ("… for one who registers, and then the stage has its time", "a/dead=UNREGISTERED|c", "wait=3000 stage=5000", "
        0    begin
        1000 added x        -> dial x
        1100 ringing x      -> alert x
        next 5000
        5000 tick           -> hangup x NO_ANSWER
        5010 ended x NO_ANSWER -> dial c"),
    ("… or rejects, and then it is over", "a/dead=UNREGISTERED|c", "wait=3000", "
        0    begin
        1000 added x        -> dial x
        1500 ended x BUSY   -> dial c"),
    ("… not longer than the stage, and an operator may end it", "a/dead=UNREGISTERED|b/dead=UNREGISTERED|c", "wait=3000 stage=1000", "
        0    begin
        1000 tick
        1500 skip           -> dial c"),
    ("… nor past the caller or the call's deadline", "a/dead=UNREGISTERED", "wait=3000", "
        0    begin
        400  gone           -> finish cancelled GONE"),
    ("… where somebody is registered, nobody waits", "a/dead=UNREGISTERED,b|c", "wait=3000", "
        0    begin          -> dial b
        100  ended b BUSY   -> dial c"),
    ("… and what happens to an earlier stage does not end its wait", "a/required|b/dead=UNREGISTERED|c", "progressive wait=700 stage=1000", "
        0    begin          -> dial a
        1000 tick
        next 1700
        1100 added@0 x      -> dial x
        1200 ended a BUSY   -> hangup x NO_ANSWER
        1220 ended x NO_ANSWER
        next 1700
        1700 tick           -> dial c"),
    ("… and the next attempt begins after it, without a rest too", "a/dead=UNREGISTERED", "wait=500 attempts=2 sleep=0", "
        0    begin
        500  tick
        next 1000
        1000 tick           -> finish unreachable UNREGISTERED"),
    ("a last leg that a device may join is not joined in early media", "a/grows", "", "
        0    begin          -> dial a
        300  added@0 x      -> dial x
        700  answered x     -> join x; hangup a LOSE_RACE"),
    ("… nor for a user that does not exist", "a/dead=ABSENT|c", "wait=3000", "
        0    begin          -> dial c"),
    ("originate_retries runs the part again", "a|b", "attempts=2 sleep=700", "
        0    begin          -> dial a
        100  ended a BUSY   -> dial b
        200  ended b BUSY
        next 900
        899  tick
        900  tick           -> dial a
        950  ended a BUSY   -> dial b
        960  ended b BUSY   -> finish busy BUSY"),
    ("the call's deadline passes between two attempts", "a", "attempts=2 sleep=700 timeout=500", "
        0    begin          -> dial a
        100  ended a BUSY
        next 500
        500  tick           -> finish busy BUSY"),
    ("the caller leaves while a stage rings", "a,b|c", "", "
        0    begin          -> dial a b
        100  gone           -> hangup a b GONE
        110  ended a GONE
        112  ended b GONE   -> finish cancelled GONE
        legs a cancelled GONE; b cancelled GONE"),
    ("the caller leaves while a stage is looked up: what is found is not dialled", "a|b", "slow", "
        0    begin          -> resolve 0.0
        5    found 0        -> dial a
        100  ended a BUSY   -> resolve 0.1
        105  gone           -> finish cancelled GONE
        110  found 0
        next none"),
    ("the caller leaves between two attempts", "a", "attempts=2", "
        0    begin          -> dial a
        100  ended a BUSY
        200  gone           -> finish cancelled GONE
        next none"),
    ("the caller leaves in the moment of the answer", "a,b", "", "
        0    begin          -> dial a b
        100  gone           -> hangup a b GONE
        105  answered b
        110  ended a GONE
        111  ended b GONE   -> finish cancelled GONE
        legs a cancelled GONE; b cancelled GONE"),
    ("an operator cancels", "a:_:b", "", "
        0    begin          -> dial a b
        100  cancel CLEARING -> hangup a b CLEARING
        105  ended a CLEARING
        110  ended b CLEARING -> finish cancelled CLEARING"),
    ("whoever ends the call first has ended it", "a", "", "
        0    begin          -> dial a
        100  gone           -> hangup a GONE
        101  cancel CLEARING
        102  gone
        105  ended a GONE   -> finish cancelled GONE
        106  cancel CLEARING"),
    ("an operator skips a stage, whatever originate_continue_on_timeout says", "a|b", "continue=false", "
        0    begin          -> dial a
        10   ringing a      -> alert a
        100  skip           -> hangup a NO_ANSWER
        105  skip
        110  ended a NO_ANSWER -> dial b
        112  skip           -> hangup b NO_ANSWER
        120  ended b NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("an operator gives a stage more time", "a|b", "stage=1000", "
        0    begin          -> dial a
        900  extend 500
        1000 tick
        next 1500
        1500 tick           -> hangup a NO_ANSWER
        1501 extend 500
        1510 ended a NO_ANSWER -> dial b
        next 2510"),
    ("an operator drops a leg: the others ring on", "a,b", "reject=any", "
        0    begin          -> dial a b
        100  drop a         -> hangup a GONE
        101  drop a
        105  ended a GONE
        200  answered b     -> join b
        legs a cancelled GONE; b open"),
    ("… or does not start at all", "a,b/delay=500|c", "", "
        0    begin          -> dial a
        next 500
        100  drop b
        next 20000
        200  ended a BUSY   -> dial c
        legs b cancelled GONE; c open"),
    ("… of those that start together the others do", "a,b/delay=500,c/delay=500", "", "
        0    begin          -> dial a
        100  drop b
        500  tick           -> dial c"),
    ("… also when nobody else was to ring", "a,b/delay=500", "", "
        0    begin          -> dial a
        100  drop b
        200  ended a BUSY   -> finish busy BUSY"),
    ("what an operator drops is no reason why nobody answered", "a,b", "", "
        0    begin          -> dial a b
        10   ringing a      -> alert a
        100  drop a         -> hangup a GONE
        105  ended a GONE
        200  ended b REJECTED -> finish rejected REJECTED"),
    ("… unless nobody else was asked", "a", "", "
        0    begin          -> dial a
        10   ringing a      -> alert a
        100  drop a         -> hangup a GONE
        105  ended a GONE   -> finish cancelled GONE"),
    ("joined in early media, others may be added, and the first answer wins", "a", "", "
        0    begin          -> dial a
        105  media a        -> join a
        500  added@0 x      -> dial x
        900  ringing x
        1300 answered x     -> join x; hangup a LOSE_RACE
        1305 ended a LOSE_RACE
        1310 left a
        legs a loser LOSE_RACE; x open"),
    ("… or that of the one in early media", "a", "", "
        0    begin          -> dial a
        105  media a        -> join a
        500  added@0 x      -> dial x
        1300 answered a     -> hangup x LOSE_RACE
        1310 ended x LOSE_RACE
        legs a open; x loser LOSE_RACE"),
    ("… and when that one leaves, the others ring on", "a", "", "
        0    begin          -> dial a
        105  media a        -> join a
        500  added@0 x      -> dial x
        700  ended a BUSY
        705  left a
        1300 answered x     -> join x
        legs a failed BUSY; x open"),
    ("… also one that was added before the early media", "a", "", "
        0    begin          -> dial a
        100  added@0 x      -> dial x
        105  media a        -> join a
        1300 answered x     -> join x; hangup a LOSE_RACE"),
    ("… until the stage's time is over for all", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        500  added@0 x      -> dial x
        1000 tick           -> hangup a x NO_ANSWER
        1005 ended a NO_ANSWER
        1006 left a
        1010 ended x NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… or the caller leaves", "a", "", "
        0    begin          -> dial a
        105  media a        -> join a
        500  added@0 x      -> dial x
        700  gone           -> hangup x GONE
        705  answered x
        706  ended a GONE
        707  left a
        710  ended x GONE   -> finish cancelled GONE
        legs a cancelled GONE; x cancelled GONE"),
    ("… or an operator cancels", "a", "", "
        0    begin          -> dial a
        105  media a        -> join a
        500  added@0 x      -> dial x
        700  cancel BUSY    -> hangup x a BUSY
        705  ended a BUSY
        706  left a
        710  ended x BUSY   -> finish cancelled BUSY"),
    ("… but what the plan says of early media holds", "a,b", "early=core", "
        0    begin          -> dial a b
        50   added@0 x      -> dial x
        105  media a        -> join a; hangup b x LOSE_RACE"),
    ("joined in early media, the call can still be cancelled", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        300  cancel BUSY    -> hangup a BUSY
        301  cancel CLEARING
        302  skip
        next none
        310  ended a BUSY
        legs a cancelled BUSY"),
    ("… unless it has answered by then", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        299  answered a
        300  cancel BUSY
        301  skip
        302  drop a"),
    ("… and skipped, as if its time were over", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        300  skip           -> hangup a NO_ANSWER
        next none"),
    ("… and dropped", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        300  drop a         -> hangup a GONE
        310  ended a GONE
        legs a cancelled GONE"),
    ("… and given more time", "a", "stage=1000", "
        0    begin          -> dial a
        105  media a        -> join a
        300  extend 500
        next 1500
        1500 tick           -> hangup a NO_ANSWER"),
    ("… also one that is relayed: a skip goes on", "a|b", "stage=1000", "
        0    begin          -> dial a
        120  media a
        300  skip           -> hangup a NO_ANSWER
        310  ended a NO_ANSWER -> dial b"),
    ("… a dropped leg makes way", "a|b", "stage=1000", "
        0    begin          -> dial a
        120  media a
        300  drop a         -> hangup a GONE
        310  ended a GONE   -> dial b
        legs a cancelled GONE; b open"),
    ("… and a cancelled call ends", "a|b", "stage=1000", "
        0    begin          -> dial a
        120  media a
        300  cancel BUSY    -> hangup a BUSY
        310  ended a BUSY   -> finish cancelled BUSY
        legs a cancelled BUSY"),
    ("an operator adds a target beside what rings", "a|b", "", "
        0    begin          -> dial a
        100  added c,d      -> dial c d
        200  ended a BUSY
        300  answered d     -> join d; hangup c LOSE_RACE"),
    ("… and its end is waited for", "a|b", "", "
        0    begin          -> dial a
        100  added c        -> dial c
        200  ended a BUSY
        300  ended c BUSY   -> dial b"),
    ("what is added too late does not ring", "a", "reject=any", "
        0    begin          -> dial a
        100  gone           -> hangup a GONE
        101  added c
        110  ended a GONE   -> finish cancelled GONE
        111  added d"),
    ("… nor while a stage is being ended", "a|b", "reject=any", "
        0    begin          -> dial a
        100  skip           -> hangup a NO_ANSWER
        101  added c
        110  ended a NO_ANSWER -> dial b"),
    ("what is added to a stage that does not ring decides nothing", "a|b", "reject=any stage=1000", "
        0    begin          -> dial a
        100  added@1 c/required/dead=ABSENT,d
        next 1000
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> dial b"),
    ("a call that is ended before it begins rings nobody", "a|b", "", "
        0    gone           -> finish cancelled GONE
        0    begin"),
    ("what is told of a leg that was not dialled yet changes nothing", "a,b/delay=5000", "", "
        0    begin          -> dial a
        10   media b
        15   answered b
        20   confirmed b
        25   started b
        30   ringing b
        50   ended b BUSY
        5000 tick           -> dial b
        5100 answered b     -> join b; hangup a LOSE_RACE"),
    ("a leg that ends without a cause says nothing", "a", "", "
        0    begin          -> dial a
        10   ended a NONE   -> finish failed ORDER"),
    ("nobody to dial", "a/dead=ABSENT|b/dead=ORDER", "", "
        0    begin          -> finish unreachable ABSENT"),
    ("a stage without contacts", "|a", "", "
        0    begin          -> dial a"),
    ("no contacts at all", "|", "", "
        0    begin          -> finish failed ORDER"),
    ("somebody rang until the end: that is the result", "a|b|c", "", "
        0    begin          -> dial a
        10   ringing a      -> alert a
        20   ended a NO_RESPONSE -> dial b
        30   ended b BUSY   -> dial c
        40   ended c REJECTED -> finish no_answer NO_ANSWER"),
    ("a phone that rang and then rejected has rejected", "a", "", "
        0    begin          -> dial a
        10   ringing a      -> alert a
        20   ended a REJECTED -> finish rejected REJECTED"),
    ("busy says more than rejected, rejected more than unreachable", "a,b,c/dead=ABSENT", "", "
        0    begin          -> dial a b
        10   ended a REJECTED
        20   ended b BUSY   -> finish busy BUSY"),
    ("a leg that cannot be made ends at once, and its siblings ring on", "a,b|c", "", "
        0    begin          -> dial a b
        1    ended a ORDER
        2    started b
        100  ringing b      -> alert b
        300  ended b BUSY   -> dial c
        legs a failed ORDER; b failed BUSY; c open"),
    ("… and where there are none, the stage goes on", "a|b", "", "
        0    begin          -> dial a
        1    ended a ORDER  -> dial b
        legs a failed ORDER; b open"),
    ("… and a required one takes its stage with it", "a/required,b|c", "", "
        0    begin          -> dial a b
        1    ended a ORDER  -> hangup b NO_ANSWER
        2    ended b NO_ANSWER -> dial c"),
    ("… and if no stage is left, the call ends", "a,b", "", "
        0    begin          -> dial a b
        1    ended a ORDER
        2    ended b ABSENT -> finish unreachable ORDER"),
    ("nobody is hung up twice: not by a drop, a skip, a deadline, a cancel and the caller's end", "a/timeout=300,b|c", "stage=1000", "
        0    begin          -> dial a b
        100  drop a         -> hangup a GONE
        150  drop a
        300  tick
        400  skip           -> hangup b NO_ANSWER
        500  skip
        600  drop b
        700  cancel BUSY
        800  gone
        1000 tick
        1010 ended a GONE
        1020 ended b NO_ANSWER -> finish cancelled BUSY"),
    ("… nor a loser by its own deadline", "a/timeout=300,b", "stage=1000", "
        0    begin          -> dial a b
        200  answered b     -> join b; hangup a LOSE_RACE
        300  tick
        1000 tick
        1001 cancel BUSY
        1002 skip
        1003 drop a
        1004 gone
        legs a open; b open"),
    ("a leg ends once", "a,b", "", "
        0    begin          -> dial a b
        100  ended a BUSY
        200  ended a REJECTED
        300  answered a
        400  ringing a
        500  ended b ABSENT -> finish busy BUSY
        legs a failed BUSY; b failed ABSENT"),
    ("the winner is joined before the losers are hung up, also those of other stages and parts", "a|b:_:c,d/delay=5000|e", "progressive stage=1000", "
        0    begin          -> dial a c
        1000 tick           -> dial b e
        1500 answered c     -> join c; hangup a b e LOSE_RACE
        1510 ended a LOSE_RACE
        1511 ended b LOSE_RACE
        1512 ended e LOSE_RACE
        legs a loser LOSE_RACE; b loser LOSE_RACE; c open; d loser LOSE_RACE"),
    ("the caller is told once that somebody rings", "a,b|c", "", "
        0    begin          -> dial a b
        100  ringing a      -> alert a
        110  ringing a
        120  ringing b
        200  ended a BUSY
        210  ended b BUSY   -> dial c
        300  ringing c"),
    ("a phone whose time is over rings no more for the caller", "a|b", "stage=1000", "
        0    begin          -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1001 ringing a
        1002 ended a NO_ANSWER -> dial b
        1100 ringing b      -> alert b"),
    ("a leg's times count from its INVITE", "a/timeout=500/progress=200,b", "", "
        0    begin          -> dial a b
        next 200
        150  started a
        next 350
        300  ringing a      -> alert a
        next 650
        650  tick           -> hangup a NO_ANSWER"),
    ("an answer that is not confirmed joins nobody, and who answers beside it has won", "a/confirm,b", "", "
        0    begin          -> dial a b
        500  answered a     -> confirm a
        510  answered a
        600  answered b     -> join b; hangup a LOSE_RACE
        700  confirmed a
        710  ended a LOSE_RACE
        legs a loser LOSE_RACE; b open"),
    ("a confirmation wins like an answer", "a/confirm,b", "", "
        0    begin          -> dial a b
        500  answered a     -> confirm a
        700  confirmed a    -> join a; hangup b LOSE_RACE
        710  ended b LOSE_RACE
        legs a open; b loser LOSE_RACE"),
    ("nobody confirms what was not asked", "a/confirm,b", "", "
        0    begin          -> dial a b
        400  confirmed a
        500  answered a     -> confirm a
        600  ended a CLEARING
        700  confirmed a"),
    ("a confirmation in the moment of the deadline is too late", "a/timeout=1000/confirm,b", "", "
        0    begin          -> dial a b
        500  answered a     -> confirm a
        1000 tick           -> hangup a NO_ANSWER
        1001 confirmed a
        1010 ended a NO_ANSWER
        legs a failed NO_ANSWER; b open"),
    ("early media that would win is confirmed as well", "a/confirm/early", "", "
        0    begin          -> dial a
        100  media a        -> confirm a
        300  confirmed a    -> join a
        900  answered a"),
    ("… and asked but once", "a/confirm/early", "", "
        0    begin          -> dial a
        100  media a        -> confirm a
        300  answered a
        400  confirmed a    -> join a"),
    ("… unless it is the answer that is confirmed", "a/confirm", "", "
        0    begin          -> dial a
        100  media a
        300  answered a     -> confirm a
        400  confirmed a    -> join a"),
    ("… nor is anybody asked whose early media wins nothing", "a/confirm/early,b", "", "
        0    begin          -> dial a b
        100  media a        -> alert a
        300  answered a     -> confirm a"),
    ("a pickup alone waits for its stage's time", "a/idle|b", "stage=1000", "
        0    begin          -> dial a
        next 1000
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> dial b"),
    ("a pickup rings at nobody: when the others have ended, it is over", "a/idle,b|c", "", "
        0    begin          -> dial a b
        100  ended b BUSY   -> hangup a NO_ANSWER
        110  ended a NO_ANSWER -> dial c
        legs a failed NO_ANSWER; b failed BUSY; c open"),
    ("… and no sooner", "a/idle,b,c|d", "", "
        0    begin          -> dial a b c
        100  ended b BUSY
        200  ended c BUSY   -> hangup a NO_ANSWER
        210  ended a NO_ANSWER -> dial d"),
    ("… also when the other could not be dialled", "a/idle,b/dead=ABSENT|c", "", "
        0    begin          -> dial a; hangup a NO_ANSWER
        10   ended a NO_ANSWER -> dial c"),
    ("… a pickup that answers has won", "a/idle,b", "", "
        0    begin          -> dial a b
        100  answered a     -> join a; hangup b LOSE_RACE
        110  ended b LOSE_RACE
        legs a open; b loser LOSE_RACE"),
    ("… what it ends with says nothing of the call", "a/idle,b", "", "
        0    begin          -> dial a b
        100  ended b BUSY   -> hangup a NO_ANSWER
        110  ended a NO_ANSWER -> finish busy BUSY"),
    ("… nor is it over while somebody is still to start", "a/idle,b/delay=5000", "", "
        0    begin          -> dial a
        next 5000
        5000 tick           -> dial b
        5100 ended b BUSY   -> hangup a NO_ANSWER
        5110 ended a NO_ANSWER -> finish busy BUSY"),
    ("an operator cancels during a look-up: what is found is not dialled", "a|b", "slow", "
        0    begin          -> resolve 0.0
        5    cancel BUSY    -> finish cancelled BUSY
        10   found 0
        next none"),
    ("the call's deadline passes during a look-up: what is found is not dialled", "a|b", "slow timeout=1000", "
        0    begin          -> resolve 0.0
        next 1000
        1000 tick           -> finish no_answer NO_ANSWER
        1010 found 0
        next none"),
    ("… what others have said before is the result all the same", "a|b", "slow timeout=1000", "
        0    begin          -> resolve 0.0
        5    found 0        -> dial a
        100  ended a REJECTED -> resolve 0.1
        1000 tick           -> finish rejected REJECTED
        1010 found 0"),
    ("a part that is looked up when another answers dials nobody", "a:_:b", "slow", "
        0    begin          -> resolve 0.0; resolve 1.0
        5    found 0        -> dial a
        50   answered a     -> join a
        60   found 1
        next none"),
    ("a look-up of one part holds up no other", "a:_:b", "slow", "
        0    begin          -> resolve 0.0; resolve 1.0
        5    found 1        -> dial b
        100  ended b BUSY
        200  found 0        -> dial a
        300  ended a BUSY   -> finish busy BUSY"),
    ("who is found rings at once, and the stage's time counts from then", "a,b|c", "slow stage=1000", "
        0    begin          -> resolve 0.0
        300  found b more   -> dial b
        302  started b
        700  found a        -> dial a
        703  started a
        next 1300
        1300 tick           -> hangup b a NO_ANSWER
        order a b"),
    ("a stage has not failed while somebody is looked up", "a,b|c", "slow", "
        0    begin          -> resolve 0.0
        5    found a more   -> dial a
        100  ended a BUSY
        300  found b        -> dial b
        400  ended b BUSY   -> resolve 0.1"),
    ("… but when it turns out to be nobody", "a,b|c", "slow", "
        0    begin          -> resolve 0.0
        5    found a more   -> dial a
        100  ended a BUSY
        300  found nobody   -> resolve 0.1"),
    ("… nor where the first cannot be dialled", "a/dead=ABSENT,b|c", "slow", "
        0    begin          -> resolve 0.0
        5    found a more
        next 20000
        300  found b        -> dial b
        next 20300"),
    ("who is found when the stage is over rings no more", "a,b|c", "slow stage=1000", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1005 found b
        1010 ended a NO_ANSWER -> resolve 0.1
        1020 found c        -> dial c
        order a b c"),
    ("… nor when the next one rings", "a,b|c", "slow stage=1000", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1010 ended a NO_ANSWER -> resolve 0.1
        1020 found c        -> dial c
        1030 found b
        next 2020"),
    ("an answer counts while others are looked up, who then ring no more", "a,b", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        400  answered a     -> join a
        900  found b
        next none"),
    ("the caller leaves while others are looked up, who then ring no more", "a,b", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        400  gone           -> hangup a GONE
        405  ended a GONE   -> finish cancelled GONE
        900  found b"),
    ("an operator cancels while others are looked up, who then ring no more", "a,b|c", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        400  cancel BUSY    -> hangup a BUSY
        405  ended a BUSY   -> finish cancelled BUSY
        900  found b"),
    ("the call's deadline passes while others are looked up, who then ring no more", "a,b|c", "slow timeout=1000", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        1000 tick           -> hangup a NO_ANSWER
        1005 ended a NO_ANSWER -> finish no_answer NO_ANSWER
        1010 found b"),
    ("a skip ends a look-up, too", "a|b", "slow", "
        0    begin          -> resolve 0.0
        5    skip           -> resolve 0.1
        6    found a
        10   found b        -> dial b"),
    ("… and more time given meanwhile is not lost", "a|b", "slow", "
        0    begin          -> resolve 0.0
        6    extend 500
        10   found 0        -> dial a
        next 20510"),
    ("a look-up that never comes back has the stage's time", "a|b", "slow stage=1000", "
        0    begin          -> resolve 0.0
        next 1000
        1000 tick           -> resolve 0.1
        1010 found b        -> dial b"),
    ("a required leg that cannot be dialled ends its stage, whoever is looked up", "a/required/dead=ABSENT,b|c", "slow", "
        0    begin          -> resolve 0.0
        5    found a more   -> resolve 0.1
        9    found b
        10   found c        -> dial c"),
    ("… also when it is found out last", "a/required/dead=ABSENT,b|c", "slow", "
        0    begin          -> resolve 0.0
        5    found b more   -> dial b
        300  found a        -> hangup b NO_ANSWER"),
    ("progressive: … and the others have their time", "a|b/required/dead=ABSENT,c", "progressive slow progress=150", "
        0    begin          -> resolve 0.0
        0    found a        -> dial a
        150  tick           -> resolve 0.1
        400  found b more
        550  tick           -> hangup a NO_ANSWER"),
    ("fail_on_single_reject: … and the call", "a/dead=ABSENT,b|c", "slow reject=any", "
        0    begin          -> resolve 0.0
        5    found a more   -> finish unreachable ABSENT
        9    found b"),
    ("nobody rings alone while others are looked up: early media is ignored", "a,b", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        100  media a        -> alert a
        300  found b        -> dial b"),
    ("… until it turns out that there are none", "a,b", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        100  media a        -> alert a
        300  found nobody   -> join a"),
    ("… when stages follow, the caller hears it then", "a,b/dead=ABSENT|c", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        100  media a        -> alert a
        hears nobody
        300  found b
        hears a"),
    ("… of whoever rings in another's place, too", "a,b", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        50   moved a 5000   -> follow a 5000
        60   followed a x   -> dial x
        100  media x        -> alert x
        300  found nobody   -> join x"),
    ("… unless he is still looked up beside somebody else", "a,b,c", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        50   moved a 5000   -> follow a 5000
        60   found b more   -> dial b
        100  media b        -> alert b
        200  found nobody
        300  followed a x   -> dial x"),
    ("… or several do", "a,b", "slow", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        50   moved a 5000   -> follow a 5000
        60   followed a x,y -> dial x y
        70   ended x BUSY
        100  media y        -> alert y
        300  found nobody"),
    ("who rings in another's place has his place in the plan, too", "a,b,c|d", "slow", "
        0    begin          -> resolve 0.0
        0    found a,b more -> dial a b
        50   moved b 5000   -> follow b 5000
        300  found c more   -> dial c
        400  followed b x   -> dial x
        order a b x c
        410  ended x BUSY
        420  ended c BUSY
        425  ended a BUSY
        430  found nobody   -> resolve 0.1"),
    ("a stage that others are found to follow is not the last", "a,b", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        next 60010
        300  turns 0 1
        300  found nobody
        next 20010
        20010 tick          -> hangup a NO_ANSWER
        20020 ended a NO_ANSWER -> resolve 0.1"),
    ("… and leaves each leg its own time", "a/timeout=30000,b", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        300  turns 0 1
        300  found nobody
        next 30010"),
    ("… with the time that an operator has added", "a,b", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        100  extend 500
        300  turns 0 1
        300  found nobody
        next 20510"),
    ("… though whoever is found with them has been looked up for longer", "a", "slow", "
        0    begin          -> resolve 0.0
        30000 turns 0 1
        30000 found a       -> dial a
        next 50000"),
    ("… and no leg has the caller for itself", "a", "slow", "
        0    begin          -> resolve 0.0
        10   turns 0 1
        10   found a        -> dial a
        20   media a
        hears a"),
    ("progressive: found out when the next one rings, they follow that one", "a,b|c", "progressive slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        20010 tick          -> resolve 0.1
        20020 found c       -> dial c
        next 80020
        20500 turns 0 1
        20500 found b       -> dial b
        next 40020
        40020 tick          -> resolve 0.2"),
    ("the result and the legs are told in the plan's order", "a/dead=ABSENT,b/dead=UNREGISTERED", "slow", "
        0    begin          -> resolve 0.0
        5    found b more
        9    found a        -> finish unreachable ABSENT
        order a b"),
    ("who starts late does so from the stage's beginning", "a,b/delay=500,c/delay=200", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        200  found b more
        next 510
        300  found c        -> dial c
        510  tick           -> dial b"),
    ("… also where the first has begun earlier for it", "a/delay=300,b/delay=500", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        100  found b
        next 210"),
    ("… and at once where nobody rings any more", "a,b/delay=5000", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        100  ended a BUSY
        200  found b        -> dial b"),
    ("… whoever rings: from the stage's beginning, too", "a,b/held=500", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        100  ended a BUSY
        200  found b
        next 510"),
    ("a default stage time leaves a leg its own, also one that is found late", "a,b/timeout=90000", "slow", "
        0    begin          -> resolve 0.0
        10   found a more   -> dial a
        next 60010
        500  found b        -> dial b
        next 90500"),
    ("progressive: who is found late rings beside the next stage", "a,b|c", "progressive slow stage=1000", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        1000 tick           -> resolve 0.1
        1005 found c        -> dial c
        1010 ended a BUSY
        1020 ended c BUSY
        1500 found b        -> dial b
        next 2005
        order a b c"),
    ("progressive: … and is not alone, also before anybody else is found", "a|b", "progressive slow", "
        0    begin          -> resolve 0.0
        5    skip           -> resolve 0.1
        10   found a        -> dial a
        20   media a        -> alert a"),
    ("progressive: a look-up of an earlier stage keeps no later one waiting", "a,b|c|d", "progressive slow stage=1000", "
        0    begin          -> resolve 0.0
        0    found a more   -> dial a
        1000 tick           -> resolve 0.1
        1005 found c        -> dial c
        1010 ended c BUSY   -> resolve 0.2"),
    ("a device that registers while others are looked up joins", "a/dead=UNREGISTERED,b", "slow wait=3000", "
        0    begin          -> resolve 0.0
        5    found a more
        100  added x        -> dial x
        next 60100
        200  ended x BUSY
        300  found nobody   -> finish busy BUSY"),
    ("… and is waited for when they are all known", "a/dead=UNREGISTERED,b", "slow wait=3000", "
        0    begin          -> resolve 0.0
        5    found a more
        300  found nobody
        next 3300"),
    ("what another attempt looks up is its own", "a,b", "slow attempts=2 sleep=500 stage=1000", "
        0    begin          -> resolve 0.0
        5    found a more   -> dial a
        10   ended a BUSY
        20   found nobody
        520  tick           -> resolve 0.0
        530  found a more   -> dial a
        540  ended a BUSY
        550  found b        -> dial b"),
    ("two whose early media is relayed: the caller hears the first", "a,b", "early=relay", "
        0    begin          -> dial a b
        100  media a
        110  media b
        hears a
        200  ended a BUSY
        hears b"),
    ("a phone that has moved: its leg alone is replaced", "a,b|c", "", "
        0    begin          -> dial a b
        100  ringing b      -> alert b
        200  moved a 5000   -> follow a 5000
        220  followed a x   -> dial x
        300  answered x     -> join x; hangup b LOSE_RACE
        legs a redirected MOVED; b open; x open"),
    ("… the stage waits for the look-up, and for whoever rings then", "a|b", "", "
        0    begin          -> dial a
        200  moved a 5000   -> follow a 5000
        210  tick
        900  followed a x   -> dial x
        950  ended x BUSY   -> dial b"),
    ("… keeps its stage's deadline", "a|b", "stage=1000", "
        0    begin          -> dial a
        600  moved a 5000   -> follow a 5000
        610  followed a x   -> dial x
        next 1000
        1000 tick           -> hangup x NO_ANSWER
        1005 ended x NO_ANSWER -> dial b"),
    ("… also when somebody is still looked up: he comes too late", "a|b", "stage=1000", "
        0    begin          -> dial a
        600  moved a 5000   -> follow a 5000
        1000 tick           -> dial b
        1010 followed a x
        legs a redirected MOVED; x failed GONE; b open"),
    ("… or moves when its stage's time is over, in the moment before anybody has looked", "a,c|b", "stage=1000", "
        0    begin          -> dial a c
        1002 moved a 5000   -> hangup c NO_ANSWER
        1005 ended c NO_ANSWER -> dial b"),
    ("… or is found then", "a,c|b", "stage=1000", "
        0    begin          -> dial a c
        600  moved a 5000   -> follow a 5000
        1002 followed a x   -> hangup c NO_ANSWER
        1005 ended c NO_ANSWER -> dial b
        legs a redirected MOVED; c failed NO_ANSWER; x failed GONE; b open"),
    ("… and its leg's own, which counts from the first INVITE", "a/timeout=500,b", "", "
        0    begin          -> dial a b
        300  moved a 5000   -> follow a 5000
        310  followed a x   -> dial x
        next 500
        500  tick           -> hangup x NO_ANSWER"),
    ("… so that a default stage time does not stretch for whoever rings in its place", "a/timeout=25000,c|b", "", "
        0    begin          -> dial a c
        9000 moved a 5000   -> follow a 5000
        9010 followed a x   -> dial x
        next 25000
        25000 tick          -> hangup x c NO_ANSWER"),
    ("… also during a look-up", "a/timeout=500|b", "", "
        0    begin          -> dial a
        300  moved a 5000   -> follow a 5000
        next 500
        499  tick
        500  tick           -> dial b
        510  followed a x
        legs a redirected MOVED; x failed GONE"),
    ("… in its turn is replaced, at most five times", "a", "", "
        0    begin          -> dial a
        10   moved a 1      -> follow a 1
        11   followed a x1  -> dial x1
        20   moved x1 2     -> follow x1 2
        21   followed x1 x2 -> dial x2
        30   moved x2 3     -> follow x2 3
        31   followed x2 x3 -> dial x3
        40   moved x3 4     -> follow x3 4
        41   followed x3 x4 -> dial x4
        50   moved x4 5     -> follow x4 5
        51   followed x4 x5 -> dial x5
        60   moved x5 6     -> finish unreachable MOVED
        legs a redirected MOVED; x4 redirected MOVED; x5 failed MOVED"),
    ("… redirects that have led to the caller count as well", "a", "hops=4", "
        0    begin          -> dial a
        10   moved a 1      -> follow a 1
        11   followed a x   -> dial x
        20   moved x 2      -> finish unreachable MOVED"),
    ("… to itself leads nowhere", "a/number=1002|b", "", "
        0    begin          -> dial a
        10   moved a 1002   -> dial b
        legs a failed MOVED"),
    ("… two that lead to each other come to an end", "a/number=1002|b", "", "
        0    begin          -> dial a
        10   moved a 1003   -> follow a 1003
        11   followed a x/number=1003 -> dial x
        20   moved x 1002 1003 -> dial b
        legs a redirected MOVED; x failed MOVED"),
    ("… names several places: those that it prefers alike ring together, the next when all have failed", "a", "", "
        0    begin          -> dial a
        10   moved a 1@500 2 3@500 4 -> follow a 2 4
        11   followed a x,y -> dial x y
        20   ended x BUSY
        30   ended y BUSY   -> follow a 1 3
        31   followed a z   -> dial z
        40   answered z     -> join z"),
    ("… the next ones wait for a place that leads on", "a,b", "", "
        0    begin          -> dial a b
        10   moved a 1 2@100 -> follow a 1
        11   followed a x   -> dial x
        20   moved x 3      -> follow x 3
        30   followed x y   -> dial y
        40   ended y BUSY   -> follow a 2
        50   followed a nobody
        60   ended b BUSY   -> finish busy BUSY"),
    ("… to sixteen places in all, however many it names", "a/number=0", "", "
        0    begin          -> dial a
        10   moved a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -> follow a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
        11   followed a x   -> dial x
        20   moved x 19     -> finish unreachable MOVED"),
    ("… to somebody who rings already", "a,b", "", "
        0    begin          -> dial a b
        10   moved a 1003   -> follow a 1003
        11   followed a nobody
        20   ended b BUSY   -> finish busy BUSY"),
    ("… to nobody who can ring: that is why the leg has failed", "a", "", "
        0    begin          -> dial a
        10   moved a 1003   -> follow a 1003
        11   followed a x/dead=ABSENT -> finish unreachable ABSENT"),
    ("… and what it said is not why nobody answered", "a", "", "
        0    begin          -> dial a
        10   moved a 1 2@10 -> follow a 1
        11   followed a x   -> dial x
        20   ended x REJECTED -> follow a 2
        21   followed a y   -> dial y
        30   ringing y      -> alert y
        40   ended y NO_ANSWER -> finish no_answer NO_ANSWER"),
    ("… is no rejection, but its last place's is", "a,b", "reject=any", "
        0    begin          -> dial a b
        10   moved a 1 2@10 -> follow a 1
        11   followed a x   -> dial x
        20   ended x BUSY   -> follow a 2
        21   followed a y   -> dial y
        30   ended y REJECTED -> hangup b NO_ANSWER
        35   ended b NO_ANSWER -> finish rejected REJECTED"),
    ("… was required: so is whoever rings in its place", "a/required,b|c", "", "
        0    begin          -> dial a b
        10   moved a 1      -> follow a 1
        11   followed a x   -> dial x
        20   ended x BUSY   -> hangup b NO_ANSWER"),
    ("… wakes no late starter while somebody rings in its place", "a,b/delay=5000", "", "
        0    begin          -> dial a
        10   moved a 1      -> follow a 1
        20   followed a x   -> dial x
        30   ended x BUSY   -> dial b"),
    ("… one in its place may talk both ways, several may not", "a", "", "
        0    begin          -> dial a
        10   moved a 1      -> follow a 1
        11   followed a x   -> dial x
        20   media x        -> join x"),
    ("… several may not", "a", "", "
        0    begin          -> dial a
        10   moved a 1      -> follow a 1
        11   followed a x,y -> dial x y
        20   media x        -> alert x"),
    ("… and the next place's turn comes when that one leaves without an answer", "a", "", "
        0    begin          -> dial a
        10   moved a 1 2@10 -> follow a 1
        11   followed a x   -> dial x
        20   media x        -> join x
        30   ended x BUSY
        31   left x         -> follow a 2
        40   followed a y   -> dial y"),
    ("… after the call is decided: nobody is looked up", "a,b", "", "
        0    begin          -> dial a b
        10   answered b     -> join b; hangup a LOSE_RACE
        11   moved a 1
        legs a loser MOVED"),
    ("… or found too late", "a,b", "", "
        0    begin          -> dial a b
        10   moved a 1      -> follow a 1
        20   answered b     -> join b
        30   followed a x
        legs a redirected MOVED; x loser GONE"),
    ("… while an operator cancels the call", "a", "", "
        0    begin          -> dial a
        10   moved a 1 2@10 -> follow a 1
        20   cancel BUSY    -> finish cancelled BUSY
        30   followed a x"),
    ("… and an operator who drops what rings in its place wants none of the next", "a|b", "", "
        0    begin          -> dial a
        10   moved a 1 2@10 -> follow a 1
        20   followed a x   -> dial x
        30   drop x         -> hangup x GONE
        40   ended x GONE   -> dial b"),
    ("… when its time was over: it is hung up already", "a/timeout=100|b", "", "
        0    begin          -> dial a
        100  tick           -> hangup a NO_ANSWER
        105  moved a 1      -> dial b"),
    ("cti_redirect=ignore: it has failed", "a|b", "redirect=ignore", "
        0    begin          -> dial a
        10   moved a 1      -> dial b
        legs a failed MOVED"),
    ("… a leg's own word is the closer one", "a/redirect=follow,b", "redirect=ignore", "
        0    begin          -> dial a b
        10   moved a 1      -> follow a 1
        20   moved b 2"),
    ("what nobody has asked for is not dialled", "a", "", "
        0    begin          -> dial a
        10   followed a x
        20   ended a BUSY   -> finish busy BUSY"),
];

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
