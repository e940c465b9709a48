//! Is what a call says of itself true? Each leg of `cti_legs` is held against the diary of the phone that it rang:
//! its INVITE, its ringing, what the phone was told in the end and why; and all of them against the caller's own call.
//! A race that either side may win is no error; what nobody can have meant is.

use super::draw::Drawn;
use crate::live::esl::Packet;
use crate::live::phones::{Call, Leg};
use crate::live::sip::Message;
use crate::scenarios::Ms;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// `cti_legs` and a phone's diary are on different sides of a loaded machine's network.
pub const BAND: Ms = 2_000;
/// Within this time messages cross on the wire.
const CROSSING: Ms = 150;

/// One entry of `cti_legs`.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    pub target: String,
    pub contact: String,
    pub uuid: Option<String>,
    pub start_ms: Option<Ms>,
    pub ringing_ms: Option<Ms>,
    pub answered_ms: Option<Ms>,
    pub ended_ms: Option<Ms>,
    pub cause: Option<String>,
    pub sip_code: Option<u16>,
    pub role: Option<String>,
}

/// One call from all sides.
pub struct Seen<'a> {
    pub drawn: &'a Drawn,
    /// When the application began; None if it never did.
    pub began: Option<Instant>,
    pub variables: BTreeMap<String, String>,
    pub caller: Call,
    /// By Call-ID, which is the leg's uuid.
    pub legs: Vec<(String, Leg)>,
    pub events: Vec<Arc<Packet>>,
    /// Commands that were answered with +OK.
    pub done: Vec<String>,
}

/// How far apart `cti_legs` and the diaries were, in milliseconds.
#[derive(Default)]
pub struct Apart {
    pub start: Vec<i64>,
    pub ringing: Vec<i64>,
    pub answered: Vec<i64>,
    pub ended: Vec<i64>,
    /// From the winner's 200 to the caller's.
    pub answer: Vec<i64>,
    /// Legs that had no end yet when the call had its own.
    pub open: u64,
    /// What was so late that it would be wrong on a quiet machine.
    pub late: Vec<String>,
    /// Answers that sofia never acknowledged, or never ended.
    pub left_open: u64,
    /// Calls that failed before their last stage because early media had won.
    pub early_media_won: u64,
}

/// How the leg ended at its phone.
enum End<'a> {
    /// The phone's own final response.
    Own(u16, Instant),
    Cancelled(String, Instant),
    /// Its 200 was acknowledged; then a BYE, if one came.
    Answered(Instant, Option<(String, Instant)>),
    /// A phone that says nothing is told nothing: SIP cancels only what has replied.
    Silent,
    /// Nothing has ended it.
    Open(&'a Leg),
}

fn end(leg: &Leg) -> End<'_> {
    match (leg.last, &leg.cancel, &leg.bye) {
        (Some((at, 200)), _, bye) if leg.acknowledged.is_some() => {
            End::Answered(at, bye.as_ref().map(|(at, bye)| (reason(bye), *at)))
        }
        (_, Some((at, cancel)), _) => End::Cancelled(reason(cancel), *at),
        (Some((at, status)), ..) if leg.acknowledged.is_some() => End::Own(status, at),
        (None, None, None) if leg.rang.is_none() => End::Silent,
        _ => End::Open(leg),
    }
}

/// The hangup cause that a phone was told.
fn reason(message: &Message) -> String {
    let header = message.header("Reason").unwrap_or("");
    let text = header
        .split("text=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    match text.unwrap_or("") {
        "Call completed elsewhere" => "LOSE_RACE".to_string(),
        text => text.to_string(),
    }
}

/// The cause that stands for a phone's own final response.
fn cause_of(status: u16) -> &'static str {
    match status {
        404 => "UNALLOCATED_NUMBER",
        480 => "NO_USER_RESPONSE",
        486 => "USER_BUSY",
        503 => "NORMAL_TEMPORARY_FAILURE",
        603 => "CALL_REJECTED",
        _ => "none of ours",
    }
}

pub fn judge(seen: &Seen, apart: &mut Apart) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = seen.variables.get("cti_legs").map_or("[]", String::as_str);
    let reports: Vec<Report> = match serde_json::from_str(text) {
        Ok(reports) => reports,
        Err(error) => return vec![format!("cti_legs is no list of legs: {error}: {text}")],
    };
    let result = seen.variables.get("cti_result").map_or("", String::as_str);
    let Some(began) = seen.began else {
        if !seen.legs.is_empty() || !reports.is_empty() {
            wrong.push(format!(
                "{} legs of a call that never began",
                seen.legs.len()
            ));
        }
        return wrong;
    };
    let context = Context {
        seen,
        began,
        result,
    };
    for (uuid, leg) in &seen.legs {
        match reports
            .iter()
            .find(|report| report.uuid.as_ref() == Some(uuid))
        {
            Some(report) => context.leg(report, leg, apart, &mut wrong),
            None => wrong.push(format!(
                "{} was rung by a leg {uuid} that cti_legs does not know",
                leg.seat
            )),
        }
    }
    for report in &reports {
        context.report(report, &mut wrong);
    }
    context.winner(&reports, apart, &mut wrong);
    context.stages(apart, &mut wrong);
    context.events(&reports, &mut wrong);
    wrong
}

struct Context<'a> {
    seen: &'a Seen<'a>,
    began: Instant,
    result: &'a str,
}

impl Context<'_> {
    fn ms(&self, at: Instant) -> i64 {
        let after = at.saturating_duration_since(self.began).as_millis() as i64;
        after - self.began.saturating_duration_since(at).as_millis() as i64
    }

    /// When the winner's phone answered.
    fn won(&self) -> Option<Instant> {
        let winner = self.seen.variables.get("cti_winner_uuid")?;
        let (_, leg) = self.seen.legs.iter().find(|(uuid, _)| uuid == winner)?;
        leg.last.map(|(at, _)| at)
    }

    /// When the caller hung up, be it in the moment of its answer.
    fn left(&self) -> Option<Instant> {
        let caller = &self.seen.caller;
        let talked = |at| at + Duration::from_millis(self.seen.drawn.talks);
        caller.gave_up.or(caller.answered.map(talked))
    }

    /// Core's originate had not returned yet: to it the call has failed.
    fn left_at_once(&self) -> bool {
        let caller = &self.seen.caller;
        let talked = caller.over.zip(caller.answered);
        let briefly = talked
            .is_some_and(|(over, answered)| self.ms(over) - self.ms(answered) < CROSSING as i64);
        caller.gave_up.is_some() || briefly
    }

    /// Core lets early media win now and then though `bridge_early_media` is asked for.
    fn early_media_may_win(&self) -> bool {
        self.seen.drawn.plan.contains("bridge_early_media=true")
    }

    fn somebody_answered(&self) -> bool {
        let answered = |leg: &Leg| matches!(end(leg), End::Answered(..));
        self.seen.legs.iter().any(|(_, leg)| answered(leg))
    }

    /// Another device of this user has ended the call for all, by its busy or its rejection.
    fn declined_elsewhere(&self, seat: &str) -> bool {
        let user = |seat: &str| seat.split('-').next().map(str::to_string);
        let declines = |leg: &Leg| matches!(end(leg), End::Own(486 | 600 | 603, _));
        let mut legs = self.seen.legs.iter();
        self.seen.drawn.plan.contains("_on_single_reject")
            && legs.any(|(_, leg)| user(&leg.seat) == user(seat) && declines(leg))
    }

    fn was_typed(&self, command: &str) -> bool {
        self.seen.done.iter().any(|done| done.starts_with(command))
    }

    /// sofia forgets to acknowledge, or to end, an answer that meets its leg's end: the channel
    /// was gone before the 200 was read. Core's `bridge` leaves such phones, too.
    fn left_open(&self, report: &Report, leg: &Leg) -> bool {
        let answered = leg.last.filter(|(_, status)| *status == 200);
        let meets = |at| {
            let ended = report.ended_ms.map(|ended| ended as i64);
            ended.is_some_and(|ended| (ended - self.ms(at)).unsigned_abs() < CROSSING)
        };
        let lost = report.role.as_deref() != Some("winner");
        lost && leg.bye.is_none() && answered.is_some_and(|(at, _)| meets(at))
    }

    /// One leg and its phone.
    fn leg(&self, report: &Report, leg: &Leg, apart: &mut Apart, wrong: &mut Vec<String>) {
        let seat = &leg.seat;
        let late = &mut apart.late;
        let mut same =
            |what: &str, said: Option<Ms>, at: Option<Instant>, distances: &mut Vec<i64>| {
                let (Some(said), Some(at)) = (said, at) else {
                    return;
                };
                let distance = said as i64 - self.ms(at);
                distances.push(distance);
                if distance.unsigned_abs() > BAND {
                    late.push(format!(
                        "{seat}: {what} at {said} ms by cti_legs, at {} ms by its own diary",
                        self.ms(at)
                    ));
                }
            };
        let end = end(leg);
        let over = match &end {
            End::Own(_, at) | End::Cancelled(_, at) => Some(*at),
            End::Answered(_, bye) => bye.as_ref().map(|(_, at)| *at),
            End::Silent | End::Open(_) => None,
        };
        same("dialled", report.start_ms, Some(leg.at), &mut apart.start);
        same("ringing", report.ringing_ms, leg.rang, &mut apart.ringing);
        same("ended", report.ended_ms, over, &mut apart.ended);
        let answered = leg
            .last
            .filter(|(_, status)| *status == 200)
            .map(|(at, _)| at);
        same(
            "answered",
            report.answered_ms,
            answered,
            &mut apart.answered,
        );
        apart.open += u64::from(report.ended_ms.is_none());
        let cause = report.cause.as_deref().unwrap_or("");
        let role = report.role.as_deref().unwrap_or("");
        let crossed = |one: Instant, other: Instant| {
            (self.ms(one) - self.ms(other)).unsigned_abs() < CROSSING
        };
        if report.start_ms.is_none() {
            wrong.push(format!(
                "{seat} was rung, but cti_legs says that it was not dialled"
            ));
        }
        match (report.ringing_ms, leg.rang) {
            (Some(at), None) => wrong.push(format!("{seat} never rang, cti_legs says at {at} ms")),
            // An answer that came too late is the leg's end: what its phone said before may
            // still be on its way.
            (None, Some(at))
                if over.is_none_or(|over| !crossed(at, over)) && answered.is_none() =>
            {
                late.push(format!("{seat} rang, cti_legs says nothing of it"));
            }
            _ => {}
        }
        if report.answered_ms.is_some() && answered.is_none() {
            wrong.push(format!("{seat} never answered, cti_legs says that it did"));
        }
        let told = match end {
            _ if self.left_open(report, leg) => {
                apart.left_open += 1;
                None
            }
            // sofia's own BYE, where CANCEL and answer have crossed: it gives no reason.
            End::Answered(at, Some((told, bye))) if told.is_empty() && role != "winner" => {
                if !crossed(at, bye) {
                    late.push(format!("{seat} answered and was left alone for too long"));
                }
                None
            }
            End::Own(status, at) => {
                let own = cause == cause_of(status) && report.sip_code == Some(status);
                let cut = report
                    .ended_ms
                    .is_some_and(|ended| (ended as i64 - self.ms(at)).unsigned_abs() < BAND);
                if !own && !cut {
                    wrong.push(format!(
                        "{seat} said {status}, cti_legs says {cause} {:?}",
                        report.sip_code
                    ));
                }
                None
            }
            End::Cancelled(told, at) => Some((told, at)),
            End::Answered(at, bye) if role != "winner" => match bye {
                Some((told, bye)) if crossed(at, bye) => Some((told, bye)),
                Some((told, _)) => {
                    late.push(format!(
                        "{seat} answered, was {role:?}, and was told {told} only later"
                    ));
                    None
                }
                None => {
                    wrong.push(format!("{seat} answered, was {role:?}, and was never told"));
                    None
                }
            },
            End::Answered(_, bye) => {
                if bye.is_none() {
                    wrong.push(format!("{seat} was joined and never parted"));
                }
                None
            }
            End::Silent => None,
            End::Open(leg) => {
                wrong.push(format!("{seat} still rings: {:?}", leg.last));
                None
            }
        };
        if let Some((told, at)) = told {
            if report.ended_ms.is_some() && told != cause {
                wrong.push(format!("{seat} was told {told:?}, cti_legs says {cause}"));
            }
            self.truth(seat, &told, at, wrong);
        }
        let rang_for = over.map(|over| over.saturating_duration_since(leg.at).as_millis() as Ms);
        if let (Some(longest), Some(rang_for)) = (self.seen.drawn.longest, rang_for)
            && role != "winner"
            && rang_for > longest + BAND
        {
            late.push(format!(
                "{seat} rang for {rang_for} ms, the plan allows {longest}"
            ));
        }
    }

    /// Nobody is told what is not so.
    fn truth(&self, seat: &str, told: &str, at: Instant, wrong: &mut Vec<String>) {
        let before = |moment: Option<Instant>| {
            moment.is_some_and(|moment| self.ms(moment) + (BAND as i64) < self.ms(at))
        };
        let won = self.won();
        let is_true = match told {
            // Also where an answer met the caller's or an operator's end: then nobody has won.
            "LOSE_RACE" => {
                let drawn = self.seen.drawn;
                drawn.never_missed
                    || self.somebody_answered()
                    || self.early_media_may_win()
                    || self.declined_elsewhere(seat)
            }
            // The answer found a caller that had left.
            "INCOMPATIBLE_DESTINATION" => self.left().is_some(),
            "ORIGINATOR_CANCEL" => {
                self.left().is_some() || self.was_typed("cancel") || self.was_typed("drop")
            }
            "NO_ANSWER" => !before(won) && !before(self.seen.caller.gave_up),
            "CALL_REJECTED" | "USER_BUSY" => self.was_typed(&format!("cancel {told}")),
            _ => false,
        };
        if !is_true {
            wrong.push(format!(
                "{seat} was told {told:?} at {} ms, which is not so",
                self.ms(at)
            ));
        }
    }

    /// What an entry of `cti_legs` says must fit the call.
    fn report(&self, report: &Report, wrong: &mut Vec<String>) {
        let Report { target, uuid, .. } = report;
        let rang = uuid
            .as_ref()
            .is_some_and(|uuid| self.seen.legs.iter().any(|(leg, _)| leg == uuid));
        // Ended before its INVITE was sent, or a contact where nobody listens.
        let brief = || {
            report
                .start_ms
                .zip(report.ended_ms)
                .is_some_and(|(start, ended)| ended - start < CROSSING)
        };
        let is_stale = report.contact.contains("@127.0.0.1:9");
        if uuid.is_some() && !rang && !is_stale && !brief() {
            wrong.push(format!(
                "{target}: leg {uuid:?} never reached its phone: {report:?}"
            ));
        }
        if report.role.is_none() {
            wrong.push(format!("{target}: no role: {report:?}"));
        }
        let role = report.role.as_deref().unwrap_or("");
        // One that registers when early media is joined loses to nobody's answer.
        let is_late = report.start_ms.is_none() || self.early_media_may_win();
        let is_late = role == "loser" && is_late;
        if matches!(role, "winner" | "loser") && self.result != "answered" && !is_late {
            wrong.push(format!(
                "{target}: {role} of a call that is {:?}",
                self.result
            ));
        }
        if report.cause.is_none() && report.ended_ms.is_some() {
            wrong.push(format!("{target}: ended without a cause: {report:?}"));
        }
        let times = [
            report.start_ms,
            report.ringing_ms,
            report.answered_ms,
            report.ended_ms,
        ];
        let known: Vec<Ms> = times.into_iter().flatten().collect();
        if !known.is_sorted() {
            wrong.push(format!("{target}: its times run backwards: {times:?}"));
        }
    }

    /// Nobody but an operator has ended the legs that say why nobody answered.
    fn only_dropped(&self, reports: &[Report]) -> bool {
        let rang_out = |report: &Report| {
            let cause = report.cause.as_deref();
            report.ringing_ms.is_some() && cause == Some("NO_ANSWER")
        };
        self.was_typed("drop") && !reports.iter().any(rang_out)
    }

    /// Exactly one phone is joined in an answered call, and none in any other.
    fn winner(&self, reports: &[Report], apart: &mut Apart, wrong: &mut Vec<String>) {
        let caller = &self.seen.caller;
        let winners: Vec<&Report> = reports
            .iter()
            .filter(|report| report.role.as_deref() == Some("winner"))
            .collect();
        let forgotten = |uuid: &str, leg: &Leg| {
            let report = reports.iter().find(|it| it.uuid.as_deref() == Some(uuid));
            report.is_some_and(|report| self.left_open(report, leg))
        };
        let joined = |(uuid, leg): &&(String, Leg)| match end(leg) {
            End::Answered(_, None) => !forgotten(uuid, leg),
            End::Answered(_, Some((told, _))) => told == "NORMAL_CLEARING",
            _ => false,
        };
        let joined: Vec<&str> = self
            .seen
            .legs
            .iter()
            .filter(joined)
            .map(|(uuid, _)| uuid.as_str())
            .collect();
        // The caller hung up in the moment of the answer: then the winner has nobody.
        let crossed = caller
            .gave_up
            .zip(self.won())
            .is_some_and(|(gone, won)| (self.ms(gone) - self.ms(won)).unsigned_abs() < BAND);
        let winner = self
            .seen
            .variables
            .get("cti_winner_uuid")
            .map(String::as_str);
        match self.result {
            "answered" => {
                let named = winners
                    .iter()
                    .map(|winner| winner.uuid.as_deref())
                    .collect::<Vec<_>>();
                if named != [winner] {
                    wrong.push(format!("the winner is {winner:?}, by cti_legs {named:?}"));
                }
                if joined.len() != 1 && !crossed
                    || joined.len() > 1
                    || joined.iter().any(|uuid| Some(*uuid) != winner)
                {
                    wrong.push(format!("joined: {joined:?}, cti_winner_uuid {winner:?}"));
                }
                if caller.answered.is_none() && !crossed {
                    wrong.push("the call is answered, its caller was not".to_string());
                }
                if let Some((answered, won)) = caller.answered.zip(self.won()) {
                    apart.answer.push(self.ms(answered) - self.ms(won));
                }
            }
            _ => {
                if !joined.is_empty() {
                    wrong.push(format!(
                        "{joined:?} joined in a call that is {:?}",
                        self.result
                    ));
                }
                // Somebody answered in the moment of the cancel, and core passed it on.
                let crossed = self.was_typed("cancel") || self.left_at_once();
                if caller.answered.is_some() && !crossed {
                    wrong.push(format!(
                        "the caller was answered in a call that is {:?}",
                        self.result
                    ));
                }
            }
        }
        let may = match self.result {
            "cancelled" => {
                let left = caller.gave_up.is_some() || caller.answered.is_some();
                left && self.left_at_once()
                    || self.was_typed("cancel")
                    || self.only_dropped(reports)
            }
            "answered" | "no_answer" | "busy" | "rejected" | "unreachable" => true,
            _ => false,
        };
        if !may {
            wrong.push(format!(
                "cti_result {:?}, cti_cause {:?}",
                self.result,
                self.seen.variables.get("cti_cause")
            ));
        }
    }

    /// A call that fails has tried every stage, unless something was to end it before.
    fn stages(&self, apart: &mut Apart, wrong: &mut Vec<String>) {
        let plan = &self.seen.drawn.plan;
        let may_end = [
            "cti_timeout",
            "fail_on_single_reject",
            "bridge_early_media",
            ":_:",
        ];
        let failed = matches!(
            self.result,
            "no_answer" | "busy" | "rejected" | "unreachable"
        );
        if !failed || may_end.iter().any(|end| plan.contains(end)) {
            return;
        }
        let number = |name| self.seen.variables.get(name).map_or("", String::as_str);
        let (stage, stages) = (number("cti_stage"), number("cti_stages"));
        // Core lets the 183 of a leg's first milliseconds win: it is joined, and no stage follows.
        let announced = |(_, leg): &(String, Leg)| leg.rang.is_some();
        if stage != stages && self.seen.legs.last().is_some_and(announced) {
            apart.early_media_won += 1;
        } else if stage != stages {
            wrong.push(format!("the call failed in stage {stage} of {stages}"));
        }
    }

    /// Each thing is told once.
    fn events(&self, reports: &[Report], wrong: &mut Vec<String>) {
        let count = |action: &str| {
            self.seen
                .events
                .iter()
                .filter(|event| event.get("CTI-Action") == Some(action))
                .count()
        };
        let answered = reports
            .iter()
            .filter(|report| {
                report.role.as_deref() == Some("winner") && report.answered_ms.is_some()
            })
            .count();
        for (action, expected) in [("started", 1), ("ended", 1)] {
            if count(action) != expected {
                wrong.push(format!("{} events {action:?}", count(action)));
            }
        }
        if count("answered") < answered {
            wrong.push("no event told of the answer".to_string());
        }
    }
}

/// Nothing more is to come for this leg.
pub fn is_over(leg: &Leg) -> bool {
    match end(leg) {
        End::Own(..) | End::Silent => true,
        End::Cancelled(..) => leg.acknowledged.is_some() || leg.rang.is_none(),
        End::Answered(_, bye) => bye.is_some(),
        End::Open(_) => false,
    }
}

/// What the phone was told, if anything.
pub fn told(leg: &Leg) -> Option<String> {
    let (_, message) = leg.bye.as_ref().or(leg.cancel.as_ref())?;
    Some(reason(message))
}

pub fn roles(seen: &Seen) -> Vec<String> {
    let text = seen.variables.get("cti_legs").map_or("[]", String::as_str);
    let reports: Vec<Report> = serde_json::from_str(text).unwrap_or_default();
    let named = |report: Report| report.role.unwrap_or("none".to_string());
    reports.into_iter().map(named).collect()
}
