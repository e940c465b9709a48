//! The command line of `cti`, read: which command, of which call, with what.
//! Pure: nothing is looked up and nothing is done here. What says more than its command
//! takes is refused, so that no word of an operator's is dropped in silence.

use crate::plan::time::parse_time;
use crate::plan::{Limits, Stage, parse};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Request<'a> {
    Help,
    Version,
    Status,
    Reload,
    Calls {
        json: bool,
    },
    Metrics {
        json: bool,
    },
    Show {
        uuid: &'a str,
        json: bool,
    },
    Explain {
        json: bool,
        plan: &'a str,
    },
    Operate {
        uuid: &'a str,
        order: Order<'a>,
    },
    Groups {
        json: bool,
    },
    Group {
        name: &'a str,
        json: bool,
    },
    /// `member`: this one alone.
    Members {
        json: bool,
        member: Option<&'a str>,
    },
    Member {
        member: &'a str,
        change: Change,
    },
}

/// What an operator wants of a member of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Pause,
    Unpause,
    Dnd,
    Undnd,
}

impl Change {
    pub const ALL: [Change; 4] = [Change::Pause, Change::Unpause, Change::Dnd, Change::Undnd];

    /// As it was typed.
    pub fn name(self) -> &'static str {
        match self {
            Change::Pause => "pause",
            Change::Unpause => "unpause",
            Change::Dnd => "dnd",
            Change::Undnd => "undnd",
        }
    }
}

/// What an operator wants done to a call that rings.
#[derive(Debug, Clone, PartialEq)]
pub enum Order<'a> {
    /// The name of the hangup cause, if one is asked for.
    Cancel(Option<&'a str>),
    Skip,
    /// A leg's uuid, or its target as written.
    Drop(&'a str),
    /// A stage of one target.
    Add(Stage),
    Extend(Duration),
}

impl Order<'_> {
    /// The command's name, as it was typed.
    pub fn name(&self) -> &'static str {
        match self {
            Order::Cancel(_) => "cancel",
            Order::Skip => "skip",
            Order::Drop(_) => "drop",
            Order::Add(_) => "add",
            Order::Extend(_) => "extend",
        }
    }
}

/// A command of `cti`: its help, its completion and how it is read stand here alone.
pub struct Command {
    pub name: &'static str,
    /// What follows the name.
    pub takes: &'static str,
    pub does: &'static str,
    read: for<'a> fn(&'a str) -> Result<Request<'a>, String>,
}

const fn command(
    name: &'static str,
    takes: &'static str,
    does: &'static str,
    read: for<'a> fn(&'a str) -> Result<Request<'a>, String>,
) -> Command {
    Command {
        name,
        takes,
        does,
        read,
    }
}

#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    command("version", "", "the module's version and what it was built against",
        |rest| nothing(rest, Request::Version)),
    command("status", "", "calls ringing or joined now, and the settings in force",
        |rest| nothing(rest, Request::Status)),
    command("calls", "[json]", "the calls in progress: caller, stage, what rings and for how long yet",
        |rest| Ok(Request::Calls { json: json(rest)? })),
    command("show", "UUID [json]", "one call, leg by leg; the last ones also after their end, as a ladder",
        |rest| { let (uuid, rest) = of_call("show", rest)?; Ok(Request::Show { uuid, json: json(rest)? }) }),
    command("cancel", "UUID [CAUSE]", "end the call (ORIGINATOR_CANCEL)",
        |rest| operate("cancel", rest, |rest| Ok(Order::Cancel(Some(rest).filter(|cause| !cause.is_empty()))))),
    command("skip", "UUID", "the running stage is over: on to the next",
        |rest| operate("skip", rest, |rest| nothing(rest, Order::Skip))),
    command("drop", "UUID LEG", "one leg (its uuid, or its target as written) rings no more, or does not start",
        |rest| operate("drop", rest, one_leg)),
    command("add", "UUID TARGET", "ring this target too, beside the running stage",
        |rest| operate("add", rest, |rest| Ok(Order::Add(one_target(rest)?)))),
    command("extend", "UUID TIME", "more time for the running stage",
        |rest| operate("extend", rest, |rest| Ok(Order::Extend(parse_time(rest).map_err(|error| error.to_string())?)))),
    command("groups", "[json]", "the ring groups: their order and step, and how many members may be rung now",
        |rest| Ok(Request::Groups { json: json(rest)? })),
    command("group", "NAME [json]", "one group, member by member: state, turn, calls, how long idle, why skipped",
        |rest| { let (name, rest) = of_group(rest)?; Ok(Request::Group { name, json: json(rest)? }) }),
    command("member", "list|pause|unpause|dnd|undnd MEMBER", "list [json] [MEMBER]: the members of all groups; the others: ring him no more, or again, in any group",
        member),
    command("metrics", "[json]", "counters and times for Prometheus",
        |rest| Ok(Request::Metrics { json: json(rest)? })),
    command("explain", "[json] PLAN", "what would ring, when and for how long; nobody is called",
        |rest| Ok(match word(rest) {
            ("json", plan) => Request::Explain { json: true, plan },
            _ => Request::Explain { json: false, plan: rest },
        })),
    command("reload", "", "read cti.conf.xml again; calls in progress keep what they have",
        |rest| nothing(rest, Request::Reload)),
    command("help", "", "this text", |_| Ok(Request::Help)),
];

/// Reads one command line.
///
/// # Errors
/// Why it is none, for the reply.
pub fn read(line: &str) -> Result<Request<'_>, String> {
    let (name, rest) = match line.trim().split_once('=') {
        // A scraper's URL says `?metrics=` or `?metrics=json`.
        Some(("metrics", rest)) => ("metrics", rest.trim()),
        _ => word(line),
    };
    if name.is_empty() {
        return Ok(Request::Help);
    }
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or_else(|| format!("no command {name:?}; try: cti help"))?;
    (command.read)(rest)
}

/// The caller's uuid, and what follows.
fn of_call<'a>(command: &str, rest: &'a str) -> Result<(&'a str, &'a str), String> {
    match word(rest) {
        ("", _) => Err(format!(
            "cti {command} <uuid of the caller> …; `cti calls` lists them"
        )),
        found => Ok(found),
    }
}

fn of_group(rest: &str) -> Result<(&str, &str), String> {
    match word(rest) {
        ("", _) => Err("cti group <name>; `cti groups` lists them".to_owned()),
        found => Ok(found),
    }
}

/// A member's name may have blanks, so it stands last.
fn member(rest: &str) -> Result<Request<'_>, String> {
    let (what, rest) = word(rest);
    if what == "list" {
        let (json, member) = match word(rest) {
            ("json", member) => (true, member),
            _ => (false, rest),
        };
        let member = Some(member).filter(|member| !member.is_empty());
        return Ok(Request::Members { json, member });
    }
    let change = Change::ALL.into_iter().find(|change| change.name() == what);
    match (change, rest) {
        (None, _) => Err("cti member list|pause|unpause|dnd|undnd …".to_owned()),
        (_, "") => Err(format!(
            "cti member {what} <member>; `cti member list` lists them"
        )),
        (Some(change), member) => Ok(Request::Member { member, change }),
    }
}

fn operate<'a>(
    command: &str,
    rest: &'a str,
    order: impl FnOnce(&'a str) -> Result<Order<'a>, String>,
) -> Result<Request<'a>, String> {
    let (uuid, rest) = of_call(command, rest)?;
    let order = order(rest)?;
    Ok(Request::Operate { uuid, order })
}

fn one_leg(rest: &str) -> Result<Order<'_>, String> {
    match rest {
        "" => {
            Err("which leg? Its uuid, or its target as written; `cti show` lists them".to_owned())
        }
        leg => Ok(Order::Drop(leg)),
    }
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn json(rest: &str) -> Result<bool, String> {
    match rest {
        "json" => Ok(true),
        _ => nothing(rest, false),
    }
}

fn nothing<T>(rest: &str, request: T) -> Result<T, String> {
    match rest {
        "" => Ok(request),
        _ => Err(format!("unexpected {rest:?}; try: cti help")),
    }
}

/// A target with variables of its own is a whole plan: one part, one stage.
fn one_target(text: &str) -> Result<Stage, String> {
    let mut plan = parse(text, &Limits::default()).map_err(|error| error.to_string())?;
    let simple = plan.globals.is_empty() && plan.parts.len() == 1;
    let part = plan.parts.pop();
    part.filter(|part| simple && part.globals.is_empty() && part.stages.len() == 1)
        .and_then(|mut part| part.stages.pop())
        .filter(|stage| stage.targets.len() == 1)
        .ok_or_else(|| "one target at a time, with [variables] of its own if need be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn what_a_line_asks_for() {
        let steer = |order| Request::Operate { uuid: "u-1", order };
        let table = [
            ("", Request::Help),
            ("  help  ", Request::Help),
            ("version", Request::Version),
            ("status ", Request::Status),
            ("reload", Request::Reload),
            ("calls", Request::Calls { json: false }),
            ("calls\tjson ", Request::Calls { json: true }),
            ("metrics json", Request::Metrics { json: true }),
            ("metrics=", Request::Metrics { json: false }),
            ("metrics=json", Request::Metrics { json: true }),
            ("show u-1", Request::Show { uuid: "u-1", json: false }),
            ("show  u-1  json", Request::Show { uuid: "u-1", json: true }),
            ("explain", Request::Explain { json: false, plan: "" }),
            ("explain a/1|b/2, c", Request::Explain { json: false, plan: "a/1|b/2, c" }),
            ("explain json a/1", Request::Explain { json: true, plan: "a/1" }),
            ("explain jsonx/1", Request::Explain { json: false, plan: "jsonx/1" }),
            ("cancel u-1", steer(Order::Cancel(None))),
            ("cancel u-1 USER_BUSY", steer(Order::Cancel(Some("USER_BUSY")))),
            ("skip u-1", steer(Order::Skip)),
            ("drop u-1 [a=b c]user/1 2", steer(Order::Drop("[a=b c]user/1 2"))),
            ("extend u-1 1.5", steer(Order::Extend(Duration::from_millis(1500)))),
            ("groups", Request::Groups { json: false }),
            ("groups json", Request::Groups { json: true }),
            ("group sales", Request::Group { name: "sales", json: false }),
            ("group json", Request::Group { name: "json", json: false }),
            ("group sales json ", Request::Group { name: "sales", json: true }),
            ("member list", Request::Members { json: false, member: None }),
            ("member list json", Request::Members { json: true, member: None }),
            ("member list user/1002", Request::Members { json: false, member: Some("user/1002") }),
            ("member list json a b", Request::Members { json: true, member: Some("a b") }),
            ("member pause 1002@d", Request::Member { member: "1002@d", change: Change::Pause }),
            ("member unpause  a b ", Request::Member { member: "a b", change: Change::Unpause }),
            ("member dnd json", Request::Member { member: "json", change: Change::Dnd }),
            ("member undnd x", Request::Member { member: "x", change: Change::Undnd }),
            ("extend u-1  20s ", steer(Order::Extend(Duration::from_secs(20)))),
        ];
        for (line, expected) in table {
            assert_eq!(read(line), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn an_added_target_keeps_its_variables() {
        let Ok(Request::Operate {
            order: Order::Add(stage),
            ..
        }) = read("add u-1 [leg_timeout=5] user/1003")
        else {
            panic!("it is a target")
        };
        assert_eq!(stage.to_string(), "[leg_timeout=5]user/1003");
    }

    #[test]
    #[rustfmt::skip]
    fn what_is_refused_and_why() {
        let table = [
            ("nosuch u-1", "no command \"nosuch\"; try: cti help"),
            ("VERSION", "no command \"VERSION\"; try: cti help"),
            ("calls jsn", "unexpected \"jsn\"; try: cti help"),
            ("calls json json", "unexpected \"json json\"; try: cti help"),
            ("show u-1 json now", "unexpected \"json now\"; try: cti help"),
            ("skip u-1 u-2", "unexpected \"u-2\"; try: cti help"),
            ("reload xml", "unexpected \"xml\"; try: cti help"),
            ("show", "cti show <uuid of the caller> …; `cti calls` lists them"),
            ("cancel ", "cti cancel <uuid of the caller> …; `cti calls` lists them"),
            ("drop u-1", "which leg? Its uuid, or its target as written; `cti show` lists them"),
            ("add u-1", "expected a target at column 1"),
            ("add u-1 user/1,[", "unclosed '[' at column 8"),
            ("add u-1 user/1,user/2", "one target at a time, with [variables] of its own if need be"),
            ("add u-1 user/1|user/2", "one target at a time, with [variables] of its own if need be"),
            ("add u-1 user/1:_:user/2", "one target at a time, with [variables] of its own if need be"),
            ("add u-1 {a=b}user/1", "one target at a time, with [variables] of its own if need be"),
            ("add u-1 <a=b>user/1", "one target at a time, with [variables] of its own if need be"),
            ("groups sales", "unexpected \"sales\"; try: cti help"),
            ("group", "cti group <name>; `cti groups` lists them"),
            ("group sales json now", "unexpected \"json now\"; try: cti help"),
            ("member", "cti member list|pause|unpause|dnd|undnd …"),
            ("member 1002@d", "cti member list|pause|unpause|dnd|undnd …"),
            ("member pause", "cti member pause <member>; `cti member list` lists them"),
            ("extend u-1", "'': expected a time such as 20, 1.5, 20s or 1500ms"),
            ("extend u-1 -5", "'-5': expected a time such as 20, 1.5, 20s or 1500ms"),
        ];
        for (line, expected) in table {
            assert_eq!(read(line), Err(expected.to_owned()), "{line:?}");
        }
    }
}
