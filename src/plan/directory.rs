//! A directory's dial string, read into the targets that it may ring.
//! Its author is trusted, what its `${…}` come to is not: a phone chose its contact, a caller his
//! name, a web server its reply. So the text is read first and filled in afterwards, as data.

use super::{Limits, PlanError, Target, Variable, Variables, inert, parse};
use std::fmt;

/// What the replies of a dial string's `${…}` may bring.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// Endpoints, in the spelling of [`endpoint_of`]; ASCII case is ignored.
    pub endpoints: &'a [String],
    /// Contacts in all; what a reply brings after that is dropped, and what is written is not.
    pub contacts: usize,
}

/// What a dial string came to.
#[derive(Debug, Default)]
pub struct Directed {
    /// In the order of the text. Its variables are the target's own, then those of `{…}` and `<…>`.
    /// What a reply brought has not been `written`.
    pub targets: Vec<Target>,
    /// For each target, where it stands.
    pub places: Vec<Place>,
    pub dropped: Vec<Dropped>,
    /// How many more were dropped than are told of.
    pub dropped_more: usize,
}

/// Between which `:_:` of its dial string a target stands, and between which `|` there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    pub part: usize,
    pub stage: usize,
}

/// A contact that does not ring, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub contact: String,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// An endpoint that no reply may bring.
    Endpoint(String),
    /// A block of variables that does not stand in the dial string itself.
    Variables,
    Control,
    TooMany(usize),
    /// A `${…}` where it names nothing: beside a target, or alone in a block.
    Misplaced,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Endpoint(endpoint) => write!(
                f,
                "a reply may not bring {endpoint:?} (cti.conf: contact-endpoints)"
            ),
            Why::Variables => f.write_str("a reply may not bring variables of its own"),
            Why::Control => f.write_str("control character in a contact"),
            Why::TooMany(limit) => write!(f, "more than {limit} contacts"),
            Why::Misplaced => f.write_str("nothing is read there"),
        }
    }
}

/// How many dropped contacts are told of one by one.
const TOLD: usize = 8;

impl Directed {
    fn drop(&mut self, contact: &str, why: Why) {
        if self.dropped.len() < TOLD {
            let contact = contact.to_owned();
            self.dropped.push(Dropped { contact, why });
        } else {
            self.dropped_more += 1;
        }
    }

    fn push(&mut self, target: Target, allowed: &Allowed<'_>) {
        if self.targets.len() < allowed.contacts {
            self.targets.push(target);
        } else {
            self.drop(&target.dial_string(), Why::TooMany(allowed.contacts));
        }
    }
}

/// The endpoint that a dial string is for. A gateway of sofia's and an application of
/// loopback's are endpoints of their own here: they do more than the endpoint alone. So does every
/// dialplan but the plain XML one: `inline` runs the extension, `lua` and `xml:…` read any file.
#[must_use]
pub fn endpoint_of(dial_string: &str) -> String {
    let (endpoint, address) = dial_string.split_once('/').unwrap_or((dial_string, ""));
    let endpoint = endpoint.to_ascii_lowercase();
    let begins = |prefix: &str| {
        address
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // `loopback/<extension>/<context>/<dialplan>`
    let dialplan = address.splitn(3, '/').nth(2).unwrap_or("");
    let is_plain = |dialplan: &str| dialplan.is_empty() || dialplan.eq_ignore_ascii_case("xml");
    match endpoint.as_str() {
        "sofia" if begins("gateway/") => "sofia/gateway".to_owned(),
        // mod_verto looks the name up, and dials what its clients call themselves.
        "verto.rtc" if !begins("u:") => "verto.rtc/name".to_owned(),
        "loopback" if begins("app=") || !is_plain(dialplan) => "loopback/app".to_owned(),
        _ => endpoint,
    }
}

/// Reads a dial string; `expand` tells what one `${…}` comes to. Each is asked for once, in the
/// order of the text, and nothing that it says is read as more than data:
///
/// - A target that begins with `${…}` is a list of contacts. Each must be of an allowed endpoint or
///   of one that stands in the dial string itself, and brings no variables but those that stand there.
/// - Elsewhere a reply is a piece of an address or of a value, whatever characters it has.
/// - `${group_call(name)}` is the target `group/name`, whose members the directory names.
///
/// # Errors
/// The dial string itself cannot be read.
pub fn directed(
    text: &str,
    allowed: &Allowed<'_>,
    expand: &mut dyn FnMut(&str) -> String,
) -> Result<Directed, PlanError> {
    let template = Template::of(text, expand);
    let unlimited = Limits {
        bytes: usize::MAX,
        targets: usize::MAX,
    };
    let plan = parse(&template.text, &unlimited)?;
    let mut found = Directed::default();
    for expression in template.unread(&plan) {
        found.drop(expression, Why::Misplaced);
    }
    let targets = plan.parts.iter().enumerate().flat_map(|(nth, part)| {
        let stages = part.stages.iter().enumerate();
        let targets = stages.flat_map(move |(stage, it)| {
            let place = Place { part: nth, stage };
            it.targets.iter().map(move |target| (place, target))
        });
        targets.map(move |(place, target)| (place, part, target))
    });
    let targets: Vec<_> = targets.collect();
    let literal: Vec<String> = targets
        .iter()
        .filter(|(_, _, target)| !target.endpoint.contains(is_place))
        .map(|(_, _, target)| endpoint_of(before_place(&target.dial_string())))
        .collect();
    for (place, part, target) in targets {
        let mut variables = Variables::default();
        let layers = [&target.variables, &plan.globals, &part.globals];
        let filled: Vec<Variable> = layers
            .into_iter()
            .flatten()
            .map(|variable| Variable {
                name: variable.name.clone(),
                value: template.value(&variable.value),
            })
            .collect();
        variables.set_all(&filled);
        let written = target.dial_string();
        if let Some(group) = template.group(&written) {
            let group = Target {
                variables,
                endpoint: "group".to_owned(),
                address: group.to_owned(),
                written,
            };
            found.targets.push(group);
        } else if target.endpoint.contains(is_place) {
            let contacts = template.filled(&written);
            let list = List {
                contacts: &contacts,
                literal: &literal,
                expressions: template.expressions(&written),
                variables,
            };
            list.read(allowed, &mut found);
        } else {
            let dial_string = template.filled(&written);
            let endpoint = endpoint_of(&dial_string);
            if dial_string.contains(char::is_control) {
                found.drop(&dial_string, Why::Control);
            // Data at the front of an address must not make another endpoint of it.
            } else if endpoint == endpoint_of(before_place(&written))
                || allows(allowed, &literal, &endpoint)
            {
                let target = target_of(&dial_string, variables);
                found.targets.push(Target { written, ..target });
            } else {
                found.drop(&dial_string, Why::Endpoint(endpoint));
            }
        }
        found.places.resize(found.targets.len(), place);
    }
    Ok(found)
}

fn allows(allowed: &Allowed<'_>, literal: &[String], endpoint: &str) -> bool {
    let mut all = allowed.endpoints.iter().chain(literal);
    all.any(|one| one.eq_ignore_ascii_case(endpoint))
}

fn target_of(dial_string: &str, variables: Variables) -> Target {
    let (endpoint, address) = dial_string.split_once('/').unwrap_or((dial_string, ""));
    Target {
        variables,
        endpoint: endpoint.to_owned(),
        address: address.to_owned(),
        written: String::new(),
    }
}

/// A list of contacts that a reply brought.
struct List<'a> {
    contacts: &'a str,
    literal: &'a [String],
    /// The expressions that brought it, as the author of the dial string wrote them.
    expressions: Vec<&'a str>,
    variables: Variables,
}

impl List<'_> {
    /// Whatever separates targets in a plan separates contacts here, quoted or not: `bridge`
    /// would take them apart there.
    fn read(&self, allowed: &Allowed<'_>, found: &mut Directed) {
        let mut rest = self.contacts;
        while !rest.is_empty() {
            let block = own_block(rest.trim_start());
            let skipped = rest.len() - rest.trim_start().len() + block.len();
            let end = skipped + separator_in(&rest[skipped..]);
            let contact = rest[skipped..end].trim();
            rest = rest[end..].strip_prefix(":_:").unwrap_or_else(|| {
                let mut behind = rest[end..].chars();
                behind.next();
                behind.as_str()
            });
            if contact.is_empty() && block.is_empty() {
                continue; // A list may end with a separator.
            }
            self.contact(block, contact, allowed, found);
        }
    }

    fn contact(&self, block: &str, contact: &str, allowed: &Allowed<'_>, found: &mut Directed) {
        let told = format!("{block}{contact}");
        let endpoint = endpoint_of(contact);
        let variables = match self.block(block) {
            None => return found.drop(&told, Why::Variables),
            Some(variables) => variables,
        };
        if contact.starts_with(['[', '{', '<']) {
            found.drop(&told, Why::Variables);
        } else if contact.contains(char::is_control) {
            found.drop(&told, Why::Control);
        } else if !allows(allowed, self.literal, &endpoint) {
            found.drop(&told, Why::Endpoint(endpoint));
        } else {
            found.push(target_of(contact, variables), allowed);
        }
    }

    /// The variables of a contact: none where its block does not stand in the expression, as an
    /// argument of the call that repeats it before each contact. Another target's are not its own.
    fn block(&self, block: &str) -> Option<Variables> {
        if block.is_empty() {
            return Some(self.variables.clone());
        }
        let whole = format!("{block}error/none");
        let known = self.expressions.iter().any(|text| text.contains(block));
        let plan = parse(&whole, &Limits::default()).ok().filter(|_| known)?;
        let target = plan.parts.first()?.stages.first()?.targets.first()?;
        let mut variables = target.variables.clone();
        variables.set_all(&self.variables);
        Some(variables)
    }
}

/// The `[…]` at the beginning; up to the end where nothing closes it.
fn own_block(text: &str) -> &str {
    if !text.starts_with('[') {
        return "";
    }
    let end = text.find(']').map_or(text.len(), |close| close + 1);
    &text[..end]
}

fn separator_in(text: &str) -> usize {
    let single = text.find([',', '|']).unwrap_or(text.len());
    text[..single].find(":_:").unwrap_or(single)
}

/// A dial string with a place in it for each `${…}`, and what was said there.
struct Template<'t> {
    text: String,
    /// Each expression, and what it came to.
    said: Vec<(&'t str, Said)>,
}

enum Said {
    Reply(String),
    /// The argument of `group_call`.
    Group(String),
}

/// Places are characters of a private plane, numbered in the order of the text.
const PLACES: u32 = 0xF_0000;

/// More replies than a dial string has use for; further ones are read as empty.
const MOST: u32 = 4096;

fn is_place(c: char) -> bool {
    (PLACES..PLACES + MOST).contains(&u32::from(c))
}

fn before_place(text: &str) -> &str {
    text.split(is_place).next().unwrap_or("")
}

impl<'t> Template<'t> {
    fn of(text: &'t str, expand: &mut dyn FnMut(&str) -> String) -> Template<'t> {
        let mut template = Template {
            text: String::with_capacity(text.len()),
            said: Vec::new(),
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            // As in the switch's expansion, which reads the text before anybody splits it.
            if let Some(after) = rest.strip_prefix("\\$") {
                template.text.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\\'") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("\\\\") {
                template.text.push_str("\\\\");
                rest = after;
            } else if rest.starts_with("${") || rest.starts_with("$${") {
                let (expression, after) = rest.split_at(expression_end(rest));
                template.say(expression, expand);
                rest = after;
            } else {
                // A character that stands for a place would be taken for one.
                template.text.extend(Some(c).filter(|c| !is_place(*c)));
                rest = &rest[c.len_utf8()..];
            }
        }
        template
    }

    fn say(&mut self, expression: &'t str, expand: &mut dyn FnMut(&str) -> String) {
        let number = self.said.len() as u32;
        let Some(place) = char::from_u32(PLACES + number).filter(|c| is_place(*c)) else {
            return;
        };
        self.text.push(place);
        let group = argument_of(expression, "group_call");
        let said = match group {
            Some(name) if name.contains("${") => Said::Group(expand(name)),
            Some(name) => Said::Group(name.to_owned()),
            None => Said::Reply(expand(expression)),
        };
        self.said.push((expression, said));
    }

    fn said(&self, place: char) -> Option<&Said> {
        let number = u32::from(place).checked_sub(PLACES)? as usize;
        self.said.get(number).map(|(_, said)| said)
    }

    fn expressions(&self, text: &str) -> Vec<&'t str> {
        let places = text.chars().filter(|c| is_place(*c));
        let said = places.filter_map(|place| self.said.get((u32::from(place) - PLACES) as usize));
        said.map(|(expression, _)| *expression).collect()
    }

    /// The expressions that stand where nothing is read: `[${x}]`, `[${x}=1]`.
    fn unread(&self, plan: &super::Plan) -> Vec<&'t str> {
        let mut read = vec![false; self.said.len()];
        let mut look = |text: &str| {
            for place in text.chars().filter(|c| is_place(*c)) {
                if let Some(read) = read.get_mut((u32::from(place) - PLACES) as usize) {
                    *read = true;
                }
            }
        };
        let parts = plan.parts.iter();
        let targets = parts.clone().flat_map(|part| part.stages.iter());
        let targets = targets.flat_map(|stage| &stage.targets);
        let blocks = parts.map(|part| &part.globals);
        let blocks = blocks.chain(targets.clone().map(|target| &target.variables));
        for variable in blocks.chain([&plan.globals]).flatten() {
            look(&variable.value);
        }
        targets.for_each(|target| look(&target.dial_string()));
        let said = self.said.iter().zip(read);
        said.filter(|(_, read)| !read)
            .map(|((expression, _), _)| *expression)
            .collect()
    }

    /// The group that a target is, if it is nothing else.
    fn group(&self, target: &str) -> Option<&str> {
        let mut characters = target.chars();
        match (characters.next().map(|c| self.said(c)), characters.next()) {
            (Some(Some(Said::Group(name))), None) => Some(name),
            _ => None,
        }
    }

    /// A variable's value, filled in. Core stores it on the leg, unchecked where the plan says
    /// `origination_nested_vars`, so what was said must not be run there. A value in which nothing
    /// is filled is its author's, and stays as it was written.
    fn value(&self, text: &str) -> String {
        match text.contains(is_place) {
            // A line break would begin another header of the INVITE.
            true => inert(&self.fill(text, |reply| reply.replace(['\r', '\n'], " "))).into_owned(),
            false => text.to_owned(),
        }
    }

    fn filled(&self, text: &str) -> String {
        self.fill(text, str::to_owned)
    }

    fn fill(&self, text: &str, read: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len());
        for c in text.chars() {
            match is_place(c).then(|| self.said(c)).flatten() {
                Some(Said::Reply(reply)) => filled.push_str(&read(reply)),
                Some(Said::Group(_)) => {}
                None => filled.push(c),
            }
        }
        filled
    }
}

/// Where a `${…}` at the beginning ends: at its `}`, inner braces balanced, else with the text.
fn expression_end(text: &str) -> usize {
    let open = text.find('{').unwrap_or(0);
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// The argument of `${name(argument)}` or `${name argument}`.
fn argument_of<'t>(expression: &'t str, name: &str) -> Option<&'t str> {
    let inner = expression.strip_prefix("${")?.strip_suffix('}')?;
    let rest = inner.get(name.len()..)?;
    let called = inner[..name.len()].eq_ignore_ascii_case(name);
    let argument = match rest.strip_prefix('(') {
        Some(argument) => argument.strip_suffix(')')?,
        None => rest.strip_prefix(' ')?,
    };
    called.then(|| argument.trim())
}
