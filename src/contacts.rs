//! From a stage's targets to its contacts: what is really dialled.
//! `user/` and `group/` are resolved here rather than by core, whose own nested dialling
//! rings only one device of a user as soon as a plan has a `,` or a `|`.

use crate::plan::{self, Limits, Stage, Target, Variables};
use crate::ring::Cause;
use crate::switch::dial::endpoint_exists;
use crate::switch::{Channel, Event, session, xml};
use std::cell::RefCell;
use std::collections::HashSet;

/// Where variables are read and dial strings expanded: a caller's channel, or nobody's.
pub trait Caller {
    fn variable(&self, name: &str) -> Option<String>;
    fn set(&self, name: &str, value: Option<&str>);
    /// `${…}` replaced, API calls such as `${sofia_contact(…)}` included.
    fn expand(&self, text: &str) -> String;
}

impl Caller for Channel<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        Channel::variable(self, name)
    }
    fn set(&self, name: &str, value: Option<&str>) {
        Channel::set(self, name, value);
    }
    fn expand(&self, text: &str) -> String {
        Channel::expand(self, text)
    }
}

/// Stands in for a caller where there is none: `cti explain` at the console.
#[derive(Default)]
pub struct Nobody(RefCell<Variables>);

impl Caller for Nobody {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name).map(str::to_owned)
    }
    fn set(&self, name: &str, value: Option<&str>) {
        self.0.borrow_mut().set(name, value.unwrap_or(""));
    }
    fn expand(&self, text: &str) -> String {
        let Some(mut event) = Event::variables() else {
            return String::new();
        };
        self.0
            .borrow()
            .iter()
            .for_each(|variable| event.add(&variable.name, &variable.value));
        event.expand(text)
    }
}

/// One contact of a stage: a dial string that core can dial as it is.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The target it came from, as written …
    pub target: String,
    /// … and without its variables.
    pub plain_target: String,
    pub dial_string: String,
    pub variables: Variables,
    /// The directory user whose device it is, or would be if it had one registered. None where
    /// the directory names its contacts itself: no registration changes those.
    pub user: Option<String>,
    /// `user_context` of the directory user: where the leg's own transfers go.
    pub context: Option<String>,
    /// Why it cannot be dialled at all.
    pub dead: Option<Cause>,
}

/// How deep dial strings may name further users before it is taken for a circle.
const DEPTH: usize = 8;

/// What the targets of a stage come to.
pub struct Resolved<'a> {
    /// Each contact once, in the plan's order.
    pub contacts: Vec<Contact>,
    /// Every directory user that may register, registered or not, and the target that names it.
    pub users: Vec<(String, &'a Target)>,
}

/// A group may have more members than a plan may have bytes; `max-targets` counts contacts.
const UNLIMITED: Limits = Limits {
    bytes: usize::MAX,
    targets: usize::MAX,
};

/// `caller` expands the directory's dial strings; `globals` are told to a dynamic directory.
pub fn resolve<'a>(stage: &'a Stage, caller: &dyn Caller, globals: &Variables) -> Resolved<'a> {
    let mut found: Vec<Contact> = Vec::new();
    let mut dialled = HashSet::new();
    let mut users: Vec<(String, &Target)> = Vec::new();
    for target in &stage.targets {
        let mut resolver = Resolver {
            caller,
            globals,
            found: Vec::new(),
        };
        resolver.target(target, &target.variables, DEPTH);
        let mut contacts = resolver.found;
        for user in contacts.iter().filter_map(|contact| contact.user.clone()) {
            if users.last().is_none_or(|(last, _)| *last != user) {
                users.push((user, target));
            }
        }
        if contacts.iter().any(|contact| contact.dead.is_none()) {
            // Somebody's other device is not registered: no reason to report a failure.
            contacts.retain(|contact| contact.dead.is_none());
        } else {
            contacts.truncate(1);
        }
        for mut contact in contacts {
            contact.target.clone_from(&target.written);
            contact.plain_target = target.dial_string();
            if contact.dead.is_some() || dialled.insert(contact.dial_string.clone()) {
                found.push(contact);
            }
        }
    }
    Resolved {
        contacts: found,
        users,
    }
}

/// The contacts of one target, while they are looked up.
struct Resolver<'a> {
    caller: &'a dyn Caller,
    globals: &'a Variables,
    found: Vec<Contact>,
}

impl Resolver<'_> {
    fn target(&mut self, target: &Target, variables: &Variables, depth: usize) {
        let dead = match target.endpoint.as_str() {
            "user" | "group" if depth == 0 => Some(Cause::INVALID_IE_CONTENTS),
            "user" => match user(&target.address, self.caller, self.globals) {
                Ok(user) => return self.devices(user, target, variables, depth),
                Err(cause) => Some(cause),
            },
            "group" => match at_domain(&target.address) {
                Some((name, domain)) => {
                    let members = format!("${{group_call({name}@{domain})}}");
                    let members = self.caller.expand(&members);
                    let none = Variables::default();
                    return self.nested(&members, target, [&none, variables], depth);
                }
                None => Some(Cause::DESTINATION_OUT_OF_ORDER),
            },
            "error" => {
                let cause = session::cause_named(&target.address);
                Some(cause.unwrap_or(Cause::DESTINATION_OUT_OF_ORDER))
            }
            endpoint if !endpoint_exists(endpoint) => Some(Cause::CHAN_NOT_IMPLEMENTED),
            _ => None,
        };
        self.push(target, variables, dead);
    }

    fn push(&mut self, target: &Target, variables: &Variables, dead: Option<Cause>) {
        self.found.push(Contact {
            target: String::new(),
            plain_target: String::new(),
            dial_string: target.dial_string(),
            variables: variables.clone(),
            user: None,
            context: None,
            dead,
        });
    }

    fn devices(&mut self, user: User, target: &Target, variables: &Variables, depth: usize) {
        let first = self.found.len();
        let layers = [&user.variables, variables];
        self.nested(&user.dial_string, target, layers, depth);
        for contact in &mut self.found[first..] {
            contact.context.clone_from(&user.context);
            if user.registers {
                contact.user.get_or_insert(user.id.clone());
            }
        }
    }

    /// The targets of a dial string that the directory gave: all of them, whether it joins
    /// them by `,`, `|` or `:_:`, since every device rings. As in core, the
    /// directory's variables outrank the contact's own, and the plan author's both (`layers`).
    fn nested(&mut self, text: &str, target: &Target, layers: [&Variables; 2], depth: usize) {
        let [directory, own] = layers;
        let plan = match plan::parse(text, &UNLIMITED) {
            Ok(plan) => plan,
            Err(error) => {
                tracing::warn!(
                    "{}: the directory's dial string {text:?} cannot be used: {error}",
                    target.dial_string()
                );
                return self.push(target, own, Some(Cause::DESTINATION_OUT_OF_ORDER));
            }
        };
        for part in &plan.parts {
            for inner in part.stages.iter().flat_map(|stage| &stage.targets) {
                let mut variables = inner.variables.clone();
                for layer in [&plan.globals, &part.globals, directory, own] {
                    layer
                        .iter()
                        .for_each(|variable| variables.set(&variable.name, &variable.value));
                }
                self.target(inner, &variables, depth - 1);
            }
        }
    }
}

struct User {
    id: String,
    dial_string: String,
    variables: Variables,
    context: Option<String>,
    /// Its dial string asks who is registered, `${sofia_contact(…)}` or the like.
    registers: bool,
}

/// A name and its domain. Both come to stand in a `${…(…)}` that the switch expands: with
/// these characters they could end it and begin another command.
fn at_domain(address: &str) -> Option<(String, String)> {
    if address.contains(['$', '{', '}', '(', ')']) {
        return None;
    }
    match address.split_once('@') {
        Some((name, domain)) => Some((name.to_owned(), domain.to_owned())),
        None => Some((address.to_owned(), xml::default_domain()?)),
    }
}

fn user(address: &str, caller: &dyn Caller, globals: &Variables) -> Result<User, Cause> {
    let (name, domain) = at_domain(address).ok_or(Cause::SUBSCRIBER_ABSENT)?;
    let mut request = Event::request().ok_or(Cause::SUBSCRIBER_ABSENT)?;
    request.add("as_channel", "true");
    request.add("action", "user_call");
    globals
        .iter()
        .for_each(|variable| request.add(&variable.name, &variable.value));
    let user = xml::user(&name, &domain, &request).ok_or(Cause::SUBSCRIBER_ABSENT)?;
    let id = if user.id.is_empty() { name } else { user.id };
    // As core does, and as dial strings like ${dialed_user} expect.
    caller.set("dialed_user", Some(&id));
    caller.set("dialed_domain", Some(&domain));
    let mut variables = Variables::default();
    let mut dial_string = None;
    for (param, value) in &user.params {
        if param.eq_ignore_ascii_case("dial-string") {
            dial_string = Some(value);
        } else if let Some(variable) = param
            .get(..9)
            .filter(|prefix| prefix.eq_ignore_ascii_case("dial-var-"))
            .and(param.get(9..))
        {
            variables.set(variable, value);
        }
    }
    let dial_string = dial_string
        .filter(|text| !text.trim().is_empty())
        .ok_or(Cause::MANDATORY_IE_MISSING)?;
    variables.set("dialed_user", &id);
    variables.set("dialed_domain", &domain);
    if !dial_string.contains("presence_id=") {
        variables.set("presence_id", format!("{id}@{domain}"));
    }
    user.variables
        .iter()
        .for_each(|(name, value)| variables.set(name, value));
    let context = user
        .variables
        .iter()
        .find(|(name, _)| name == "user_context")
        .map(|(_, value)| value.clone());
    // Said here as well: parts that are resolved at the same moment share the caller's
    // channel, and one must not dial the other's user.
    let dial_string = dial_string
        .replace("${dialed_user}", &id)
        .replace("${dialed_domain}", &domain);
    Ok(User {
        registers: dial_string.contains("${"),
        dial_string: caller.expand(&dial_string),
        id,
        variables,
        context,
    })
}
