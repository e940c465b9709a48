//! The groups of `cti.conf.xml`, typed and checked.
//! Pure: a tree of elements comes in, however the switch got it; out come all groups or every reason
//! why not, each with its group and member, so that a bad file changes nothing.

use crate::plan::time::parse_time;
use crate::plan::{self, Limits, Target};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One element of the configuration as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
}

/// Who comes before whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Fixed,
    Rotate,
    LongestIdle,
    FewestCalls,
    Random,
    Weighted,
}

/// How many of them ring at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    #[default]
    All,
    One,
    /// One more at a time, and those before ring on.
    Progressive,
    Some(usize),
}

/// What other systems call it, what that is here.
pub const STRATEGIES: &[(&str, Order, Step)] = &[
    ("ringall", Order::Fixed, Step::All),
    ("ring-all", Order::Fixed, Step::All),
    ("simultaneous", Order::Fixed, Step::All),
    ("hunt", Order::Fixed, Step::One),
    ("sequence", Order::Fixed, Step::One),
    ("linear", Order::Fixed, Step::One),
    ("top-down", Order::Fixed, Step::One),
    ("memoryhunt", Order::Fixed, Step::Progressive),
    ("ring-progressively", Order::Fixed, Step::Progressive),
    ("rrmemory", Order::Rotate, Step::One),
    ("round-robin", Order::Rotate, Step::One),
    ("leastrecent", Order::LongestIdle, Step::One),
    ("longest-idle-agent", Order::LongestIdle, Step::One),
    ("fewestcalls", Order::FewestCalls, Step::One),
    ("agent-with-fewest-calls", Order::FewestCalls, Step::One),
    ("random", Order::Random, Step::One),
    ("wrandom", Order::Weighted, Step::One),
];

/// After which calls a member counts as idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdleSince {
    /// The group's own.
    #[default]
    Group,
    /// Any that the member has had on this switch.
    Any,
}

/// What becomes of a call when nobody may be rung.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenAllBusy {
    #[default]
    Overflow,
    Wait,
    /// Those ring who are only busy or in their wrap-up.
    RingAnyway,
}

/// Who is not rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    pub busy: bool,
    pub dnd: bool,
    pub yourself: bool,
    pub unregistered: bool,
    pub paused: bool,
    pub wrapup: bool,
}

impl Skip {
    pub const NOBODY: Skip = Skip {
        busy: false,
        dnd: false,
        yourself: false,
        unregistered: false,
        paused: false,
        wrapup: false,
    };
}

impl Default for Skip {
    /// All but `unregistered`: a phone that sleeps may be woken by the call.
    fn default() -> Skip {
        Skip {
            busy: true,
            dnd: true,
            yourself: true,
            unregistered: false,
            paused: true,
            wrapup: true,
        }
    }
}

/// What is said to whom, and where the call goes that nobody takes. Here only text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub announce: Option<String>,
    pub whisper: Option<String>,
    pub next_prompt: Option<String>,
    pub overflow: Option<String>,
    pub overflow_busy: Option<String>,
    pub overflow_no_answer: Option<String>,
    pub overflow_unreachable: Option<String>,
}

/// What a group may say for all its members, and a member for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many calls make the member busy.
    pub max_calls: u32,
    /// Left alone so long after a call of a group.
    pub wrapup: Duration,
    pub busy_pause: Duration,
    pub reject_pause: Duration,
    pub no_answer_pause: Duration,
    /// Unanswered calls in a row after which the member is paused; 0 is no limit.
    pub max_no_answer: u32,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            max_calls: 1,
            wrapup: Duration::ZERO,
            busy_pause: Duration::ZERO,
            reject_pause: Duration::ZERO,
            no_answer_pause: Duration::ZERO,
            max_no_answer: 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What is dialled, with the member's times as variables.
    pub target: Target,
    /// Who that is, wherever somebody is remembered: `presence_id` of a user, else the dial string.
    pub key: String,
    /// The group that this member is.
    pub group: Option<String>,
    /// The lowest rings first.
    pub tier: u32,
    pub weight: u32,
    pub policy: Policy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub order: Order,
    pub step: Step,
    /// The name of another system's by which order and step were chosen.
    pub strategy: Option<String>,
    pub idle_since: IdleSince,
    /// In which calls are counted.
    pub window: Duration,
    /// Of each stage; zero is no limit, none is what the plan says.
    pub timeout: Option<Duration>,
    pub skip: Skip,
    pub when_all_busy: WhenAllBusy,
    pub words: Words,
    /// Their policy where they say nothing.
    pub policy: Policy,
    pub members: Vec<Member>,
}

/// Where the memory of turns is kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Memory {
    #[default]
    Local,
    Redis {
        url: String,
        prefix: String,
    },
}

impl fmt::Debug for Memory {
    /// Without the password that the URL may have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Memory::Local => f.write_str("local"),
            Memory::Redis { url, .. } => f.write_str(&without_password(url)),
        }
    }
}

/// The URL as it may be logged.
#[must_use]
pub fn without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => return "(a bad URL)".to_owned(),
    };
    let rest = match rest.rsplit_once('@') {
        Some((_, place)) => format!("…@{place}"),
        None => rest.to_owned(),
    };
    // A unix socket's password stands in the query.
    let (place, query) = rest.split_once('?').unwrap_or((&rest, ""));
    let shown = if query.is_empty() { "" } else { "?…" };
    format!("{scheme}://{place}{shown}")
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub groups: BTreeMap<String, Arc<Group>>,
    pub memory: Memory,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub group: Option<String>,
    pub member: Option<String>,
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = &self.group {
            write!(f, "group {group}")?;
            if let Some(member) = &self.member {
                write!(f, ", member {member}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Problem {}

/// Groups may name groups so deep.
const DEPTH: usize = 8;
/// So many members one group may have, those of its groups among them.
const MEMBERS: usize = 10_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Config {
    /// Read `<groups>` and `<memory>` out of the elements below `<configuration>`; others are not ours.
    ///
    /// # Errors
    /// Every reason for which this configuration must not come into force.
    pub fn read(
        elements: &[Element],
        default_domain: Option<&str>,
    ) -> Result<Config, Vec<Problem>> {
        let mut config = Config::default();
        let mut problems = Vec::new();
        for element in elements {
            match element.name.as_str() {
                "groups" => read_groups(element, default_domain, &mut config, &mut problems),
                "memory" => match read_memory(element) {
                    Ok(memory) => config.memory = memory,
                    Err(reason) => problems.push(Problem {
                        group: None,
                        member: None,
                        reason: format!("memory: {reason}"),
                    }),
                },
                _ => {}
            }
        }
        if problems.is_empty() {
            nesting(&config, &mut problems);
        }
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }
}

fn read_groups(
    element: &Element,
    default_domain: Option<&str>,
    config: &mut Config,
    problems: &mut Vec<Problem>,
) {
    if let Some((name, _)) = element.attributes.first() {
        problems.push(Problem {
            group: None,
            member: None,
            reason: format!("groups has no attribute {name}"),
        });
    }
    for child in &element.children {
        if child.name != "group" {
            problems.push(Problem {
                group: None,
                member: None,
                reason: format!("in groups stands a {}: expected group", short(&child.name)),
            });
            continue;
        }
        let mut reader = Reader::new(child, problems);
        if let Some(group) = reader.group(child, default_domain) {
            let name = group.name.clone();
            if config.groups.insert(name, Arc::new(group)).is_some() {
                reader.refuse(None, "there are two groups of this name");
            }
        }
    }
}

/// A group while it is read: every problem goes into one list, with its name.
struct Reader<'a> {
    name: String,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(element: &Element, problems: &'a mut Vec<Problem>) -> Reader<'a> {
        let name = attribute(element, "name").unwrap_or_default();
        let name = if name.is_empty() { "(no name)" } else { name };
        Reader {
            name: short(name),
            problems,
        }
    }

    fn refuse(&mut self, member: Option<&str>, reason: impl Into<String>) {
        self.problems.push(Problem {
            group: Some(self.name.clone()),
            member: member.map(short),
            reason: reason.into(),
        });
    }

    /// The group, if it has a name that can be one; problems with the rest are noted beside it.
    fn group(&mut self, element: &Element, default_domain: Option<&str>) -> Option<Group> {
        let mut group = Group {
            name: String::new(),
            order: Order::default(),
            step: Step::default(),
            strategy: None,
            idle_since: IdleSince::default(),
            window: DAY,
            timeout: None,
            skip: Skip::default(),
            when_all_busy: WhenAllBusy::default(),
            words: Words::default(),
            policy: Policy::default(),
            members: Vec::new(),
        };
        let mut chosen = Vec::new();
        for (nth, (name, value)) in element.attributes.iter().enumerate() {
            if element.attributes[..nth]
                .iter()
                .any(|(other, _)| other == name)
            {
                self.refuse(None, format!("{name} stands there twice"));
                continue;
            }
            if ["order", "step", "strategy"].contains(&name.as_str()) {
                chosen.push(name.as_str());
            }
            if let Err(reason) = set_group(&mut group, name, value) {
                self.refuse(None, reason);
            }
        }
        if chosen.contains(&"strategy") && chosen.len() > 1 {
            self.refuse(
                None,
                "strategy says what order and step say: one of them is too many",
            );
        }
        for child in &element.children {
            if child.name == "member" {
                self.member(child, &mut group, default_domain);
            } else {
                let name = short(&child.name);
                self.refuse(None, format!("in it stands a {name}: expected member"));
            }
        }
        if group.members.is_empty() && element.children.is_empty() {
            self.refuse(None, "it has no member");
        }
        if group.name.is_empty() {
            if attribute(element, "name").is_none() {
                self.refuse(None, "expected a name");
            }
            return None;
        }
        Some(group)
    }

    fn member(&mut self, element: &Element, group: &mut Group, default_domain: Option<&str>) {
        let Some(written) = attribute(element, "target").filter(|text| !text.trim().is_empty())
        else {
            let nth = group.members.len() + 1;
            return self.refuse(Some(&format!("number {nth}")), "expected a target");
        };
        let target = match one_target(written) {
            Ok(target) => target,
            Err(reason) => return self.refuse(Some(written), reason),
        };
        let inner = target.endpoint.eq_ignore_ascii_case("ring");
        let mut member = Member {
            key: key(&target, default_domain),
            group: inner.then(|| target.address.clone()),
            target,
            tier: 1,
            weight: 1,
            policy: group.policy,
        };
        for (nth, (name, value)) in element.attributes.iter().enumerate() {
            if element.attributes[..nth]
                .iter()
                .any(|(other, _)| other == name)
            {
                self.refuse(Some(written), format!("{name} stands there twice"));
            } else if let Err(reason) = set_member(&mut member, name, value) {
                self.refuse(Some(written), reason);
            }
        }
        if let Some(child) = element.children.first() {
            let name = short(&child.name);
            self.refuse(Some(written), format!("in it stands a {name}"));
        }
        if group.members.iter().any(|other| other.key == member.key) {
            return self.refuse(Some(written), "it is a member already");
        }
        group.members.push(member);
    }
}

fn set_group(group: &mut Group, name: &str, value: &str) -> Result<(), String> {
    let words = &mut group.words;
    let value = value.trim();
    match name {
        "name" => {
            let fits = |c: char| c.is_alphanumeric() || "_-.".contains(c);
            if value.is_empty() || value.len() > 100 || !value.chars().all(fits) {
                return Err(bad(
                    name,
                    value,
                    "letters, digits, '_', '-', '.', 100 bytes at most",
                ));
            }
            value.clone_into(&mut group.name);
        }
        "order" => {
            group.order = Order::named(value).ok_or_else(|| {
                let expected = "fixed, rotate, longest-idle, fewest-calls, random or weighted";
                bad(name, value, expected)
            })?;
        }
        "step" => {
            group.step = Step::named(value)
                .ok_or_else(|| bad(name, value, "all, one, progressive or a number from 1"))?;
        }
        "strategy" => {
            let known = STRATEGIES.iter().find(|(other, ..)| *other == value);
            let Some((_, order, step)) = known else {
                let names: Vec<_> = STRATEGIES.iter().map(|(name, ..)| *name).collect();
                return Err(bad(name, value, &format!("one of {}", names.join(" "))));
            };
            (group.order, group.step) = (*order, *step);
            group.strategy = Some(value.to_owned());
        }
        "idle-since" => {
            group.idle_since = match value {
                "group" => IdleSince::Group,
                "any" => IdleSince::Any,
                _ => return Err(bad(name, value, "group or any")),
            }
        }
        "window" => {
            group.window = time(name, value)?;
            if group.window.is_zero() {
                return Err(bad(name, value, "a time that is not 0"));
            }
        }
        "timeout" => group.timeout = Some(time(name, value)?),
        "skip" => group.skip = skip(value)?,
        "when-all-busy" => {
            group.when_all_busy = match value {
                "overflow" => WhenAllBusy::Overflow,
                "wait" => WhenAllBusy::Wait,
                "ring-anyway" => WhenAllBusy::RingAnyway,
                _ => return Err(bad(name, value, "overflow, wait or ring-anyway")),
            }
        }
        "announce" => words.announce = text(value),
        "whisper" => words.whisper = text(value),
        "next-prompt" => words.next_prompt = text(value),
        "overflow" => words.overflow = way_out(name, value)?,
        "overflow-busy" => words.overflow_busy = way_out(name, value)?,
        "overflow-no-answer" => words.overflow_no_answer = way_out(name, value)?,
        "overflow-unreachable" => words.overflow_unreachable = way_out(name, value)?,
        _ => {
            if !set_policy(&mut group.policy, name, value)? {
                return Err(format!("a group has no attribute {}", short(name)));
            }
        }
    }
    Ok(())
}

fn set_member(member: &mut Member, name: &str, value: &str) -> Result<(), String> {
    let variables = &mut member.target.variables;
    let value = value.trim();
    match name {
        "target" => {}
        "tier" => member.tier = number(name, value, 0..=1_000)?,
        "weight" => member.weight = number(name, value, 1..=1_000)?,
        "delay" => {
            time(name, value)?;
            variables.set("leg_delay_start", value);
        }
        "timeout" => {
            time(name, value)?;
            variables.set("leg_timeout", value);
        }
        "answer-after" => {
            time(name, value)?;
            variables.set("cti_answer_after", value);
        }
        "confirm" => {
            // `KEY` or `KEY FILE`: which key confirms, and what is played meanwhile.
            let (key, file) = value.split_once(' ').unwrap_or((value, ""));
            if key.is_empty() {
                return Err(bad(name, value, "a key, or a key and a file"));
            }
            variables.set("group_confirm_key", key);
            if !file.trim().is_empty() {
                variables.set("group_confirm_file", file.trim());
            }
        }
        _ => {
            if !set_policy(&mut member.policy, name, value)? {
                return Err(format!("a member has no attribute {}", short(name)));
            }
        }
    }
    Ok(())
}

/// False: the policy has no such attribute.
fn set_policy(policy: &mut Policy, name: &str, value: &str) -> Result<bool, String> {
    match name {
        "max-calls" => policy.max_calls = number(name, value, 1..=1_000)?,
        "wrapup" => policy.wrapup = time(name, value)?,
        "busy-pause" => policy.busy_pause = time(name, value)?,
        "reject-pause" => policy.reject_pause = time(name, value)?,
        "no-answer-pause" => policy.no_answer_pause = time(name, value)?,
        "max-no-answer" => policy.max_no_answer = number(name, value, 0..=1_000)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_memory(element: &Element) -> Result<Memory, String> {
    let (mut kind, mut url) = (None, None);
    let mut prefix = "mod_cti".to_owned();
    for (name, value) in &element.attributes {
        match (name.as_str(), value.trim()) {
            ("use", word @ ("local" | "redis")) => kind = Some(word),
            ("use", value) => return Err(bad(name, value, "local or redis")),
            ("url", value) => url = text(value),
            ("prefix", value) => value.clone_into(&mut prefix),
            _ => return Err(format!("it has no attribute {}", short(name))),
        }
    }
    match (kind, url) {
        (Some("redis"), None) => Err("redis needs a url".to_owned()),
        (Some("redis"), Some(url)) => {
            const SCHEMES: [&str; 4] = ["redis://", "rediss://", "redis+unix://", "unix://"];
            if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
                // What was written may hold a password.
                return Err("url: expected redis://, rediss:// or redis+unix://".to_owned());
            }
            Ok(Memory::Redis { url, prefix })
        }
        (_, Some(_)) => Err("url is redis' alone".to_owned()),
        (_, None) => Ok(Memory::Local),
    }
}

impl Order {
    fn named(text: &str) -> Option<Order> {
        Some(match text {
            "fixed" => Order::Fixed,
            "rotate" => Order::Rotate,
            "longest-idle" => Order::LongestIdle,
            "fewest-calls" => Order::FewestCalls,
            "random" => Order::Random,
            "weighted" => Order::Weighted,
            _ => return None,
        })
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Order::Fixed => "fixed",
            Order::Rotate => "rotate",
            Order::LongestIdle => "longest-idle",
            Order::FewestCalls => "fewest-calls",
            Order::Random => "random",
            Order::Weighted => "weighted",
        }
    }
}

impl Step {
    fn named(text: &str) -> Option<Step> {
        Some(match text {
            "all" => Step::All,
            "one" => Step::One,
            "progressive" => Step::Progressive,
            number => match number.parse().ok()? {
                0 => return None,
                1 => Step::One,
                number => Step::Some(number),
            },
        })
    }

    /// How many members a stage has.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Step::All => usize::MAX,
            Step::One | Step::Progressive => 1,
            Step::Some(number) => number,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::All => f.write_str("all"),
            Step::One => f.write_str("one"),
            Step::Progressive => f.write_str("progressive"),
            Step::Some(number) => number.fmt(f),
        }
    }
}

fn attribute<'a>(element: &'a Element, name: &str) -> Option<&'a str> {
    let mut attributes = element.attributes.iter();
    let found = attributes.find(|(other, _)| other == name)?;
    Some(found.1.as_str())
}

/// For a message: short and printable.
fn short(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

fn bad(name: &str, value: &str, expected: &str) -> String {
    format!("{name}=\"{}\": expected {expected}", short(value))
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|text| !text.is_empty())
}

fn time(name: &str, value: &str) -> Result<Duration, String> {
    parse_time(value).map_err(|error| format!("{name}={error}"))
}

fn number(name: &str, value: &str, fits: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    let number = value.trim().parse().ok();
    number
        .filter(|number| fits.contains(number))
        .ok_or_else(|| {
            let expected = format!("a number from {} to {}", fits.start(), fits.end());
            bad(name, value, &expected)
        })
}

fn skip(value: &str) -> Result<Skip, String> {
    let mut skip = Skip::NOBODY;
    let words: Vec<_> = value
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    if words == ["none"] {
        return Ok(skip);
    }
    for word in words {
        let which = match word {
            "busy" => &mut skip.busy,
            "dnd" => &mut skip.dnd,
            "self" => &mut skip.yourself,
            "unregistered" => &mut skip.unregistered,
            "paused" => &mut skip.paused,
            "wrapup" => &mut skip.wrapup,
            _ => {
                let expected = "busy dnd self unregistered paused wrapup, or none";
                return Err(bad("skip", word, expected));
            }
        };
        *which = true;
    }
    Ok(skip)
}

/// `transfer:ext[:dialplan[:context]]`, `voicemail:user@domain`, `plan:…` or `hangup:CAUSE`.
fn way_out(name: &str, value: &str) -> Result<Option<String>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    let (kind, rest) = value.split_once(':').unwrap_or((value, ""));
    let good = match kind {
        "transfer" | "hangup" => !rest.trim().is_empty(),
        "voicemail" => rest.split_once('@').is_some_and(|(user, domain)| {
            let fits = |text: &str| !text.is_empty() && !text.contains(['@', ' ']);
            fits(user) && fits(domain)
        }),
        "plan" => {
            return match plan::parse(rest, &Limits::default()) {
                Ok(_) => Ok(Some(value.to_owned())),
                Err(error) => Err(format!("{name}: the plan cannot be read: {error}")),
            };
        }
        _ => false,
    };
    if good {
        return Ok(Some(value.to_owned()));
    }
    let expected =
        "transfer:ext[:dialplan[:context]], voicemail:user@domain, plan:… or hangup:CAUSE";
    Err(bad(name, value, expected))
}

fn one_target(text: &str) -> Result<Target, String> {
    let plan = plan::parse(text, &Limits::default()).map_err(|error| error.to_string())?;
    if !plan.globals.is_empty() || plan.parts.iter().any(|part| !part.globals.is_empty()) {
        return Err("a member's variables stand in '[…]'".to_owned());
    }
    let mut targets = plan
        .parts
        .into_iter()
        .flat_map(|part| part.stages)
        .flat_map(|stage| stage.targets);
    match (targets.next(), targets.next()) {
        (Some(target), None) if target.address.is_empty() => {
            Err("expected a target such as user/1002".to_owned())
        }
        (Some(target), None) => Ok(target),
        _ => Err("a member is one target: write one member for each".to_owned()),
    }
}

/// Who a target is. A user is known by the `presence_id` that his channels have.
#[must_use]
pub fn key(target: &Target, default_domain: Option<&str>) -> String {
    if target.endpoint.eq_ignore_ascii_case("ring") {
        return format!("ring/{}", target.address);
    }
    if let Some(id) = target.variables.get("presence_id") {
        return presence(id);
    }
    if target.endpoint.eq_ignore_ascii_case("user") {
        return match (target.address.contains('@'), default_domain) {
            (false, Some(domain)) => presence(&format!("{}@{domain}", target.address)),
            _ => presence(&target.address),
        };
    }
    target.dial_string()
}

/// A `presence_id` as it is compared.
#[must_use]
pub fn presence(id: &str) -> String {
    id.trim().to_lowercase()
}

/// Groups within groups: each must exist, none may lead to itself, and one that rings in several stages
/// must have its stage for itself.
fn nesting(config: &Config, problems: &mut Vec<Problem>) {
    let mut sizes = HashMap::new();
    for group in config.groups.values() {
        for member in &group.members {
            let Some(inner) = &member.group else { continue };
            let reason = match config.groups.get(inner) {
                None => format!("there is no group {}", short(inner)),
                Some(inner) if inner.name == group.name => "the group is its own member".to_owned(),
                Some(_) => continue,
            };
            problems.push(refusal(group, Some(member), reason));
        }
    }
    if !problems.is_empty() {
        return;
    }
    for group in config.groups.values() {
        let mut path = Vec::new();
        match size(config, &group.name, &mut path, &mut sizes) {
            Ok((size, _)) if size > MEMBERS => {
                let reason = format!("with its groups it has {size} members: {MEMBERS} at most");
                problems.push(refusal(group, None, reason));
            }
            Ok((_, depth)) if depth > DEPTH => {
                let reason = format!("groups lie {depth} deep in it: {DEPTH} at most");
                problems.push(refusal(group, None, reason));
            }
            Ok(_) => {}
            Err(reason) => problems.push(refusal(group, None, reason)),
        }
    }
    if !problems.is_empty() {
        return;
    }
    for group in config.groups.values() {
        for member in &group.members {
            let inner = member
                .group
                .as_ref()
                .and_then(|name| config.groups.get(name));
            let Some(inner) = inner else { continue };
            let mut tier = group
                .members
                .iter()
                .filter(|other| other.tier == member.tier);
            let alone = group.step.size() == 1 || tier.nth(1).is_none();
            if !alone && !config.one_stage(inner) {
                let reason = "it rings in several stages, and here it would ring beside others";
                problems.push(refusal(group, Some(member), reason.to_owned()));
            }
        }
    }
}

fn refusal(group: &Group, member: Option<&Member>, reason: String) -> Problem {
    Problem {
        group: Some(group.name.clone()),
        member: member.map(|member| short(&member.target.written)),
        reason,
    }
}

/// How many members a group has with those of its groups, and how deep groups lie in it; or the loop
/// that is found on the way.
fn size<'a>(
    config: &'a Config,
    name: &'a str,
    path: &mut Vec<&'a str>,
    sizes: &mut HashMap<&'a str, (usize, usize)>,
) -> Result<(usize, usize), String> {
    if let Some(begins) = path.iter().position(|other| *other == name) {
        let circle: Vec<_> = path[begins..].iter().chain([&name]).copied().collect();
        return Err(format!("groups lead in a circle: {}", circle.join(" → ")));
    }
    if let Some(known) = sizes.get(name) {
        return Ok(*known);
    }
    let members = match config.groups.get(name) {
        Some(group) => &group.members[..],
        None => &[],
    };
    path.push(name);
    let (mut sum, mut deepest) = (0_usize, 0);
    for member in members {
        let (inner, depth) = match &member.group {
            Some(inner) => size(config, inner, path, sizes)?,
            None => (1, 0),
        };
        sum = sum.saturating_add(inner);
        deepest = deepest.max(depth);
    }
    path.pop();
    let found = (sum, deepest + 1);
    sizes.insert(name, found);
    Ok(found)
}

impl Config {
    /// All its members ring together, whoever may be rung: such a group may stand beside a `,`.
    #[must_use]
    pub fn one_stage(&self, group: &Group) -> bool {
        let mut tiers = group.members.iter().map(|member| member.tier);
        let first = tiers.next();
        let together = group.members.len() <= group.step.size();
        let one_tier = tiers.all(|tier| Some(tier) == first);
        let inner = |member: &Member| match &member.group {
            Some(name) => {
                let group = self.groups.get(name);
                group.is_none_or(|group| self.one_stage(group))
            }
            None => true,
        };
        together && one_tier && group.members.iter().all(inner)
    }
}
