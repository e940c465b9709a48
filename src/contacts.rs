//! From a stage's targets to its contacts: what is really dialled.
//! `user/` and `group/` are resolved here rather than by core, whose own nested dialling
//! rings only one device of a user as soon as a plan has a `,` or a `|`.

use crate::groups::Pick;
use crate::plan::directory::{Allowed, Directed, Dropped, Place, directed};
use crate::plan::time::is_true;
use crate::plan::{Stage, Target, Variables};
use crate::ring::Cause;
use crate::switch::dial::endpoint_exists;
use crate::switch::text::field;
use crate::switch::{Channel, Event, LockedSession, session, xml};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

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

/// The caller of a look-up that may take long: found for each question and let go of then, so that
/// his session ends when he has left. Of one who has left nothing is known.
pub struct Afar<'a> {
    pub uuid: &'a str,
    /// What it has set: others that look up meanwhile may have done so after it.
    pub set: RefCell<Variables>,
}

impl Afar<'_> {
    pub fn from(uuid: &str) -> Afar<'_> {
        let set = RefCell::default();
        Afar { uuid, set }
    }
}

impl Caller for Afar<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        LockedSession::locate(self.uuid)?.channel().variable(name)
    }
    fn set(&self, name: &str, value: Option<&str>) {
        self.set.borrow_mut().set(name, value.unwrap_or(""));
        if let Some(caller) = LockedSession::locate(self.uuid) {
            caller.channel().set(name, value);
        }
    }
    fn expand(&self, text: &str) -> String {
        let caller = LockedSession::locate(self.uuid);
        caller.map_or_else(String::new, |caller| caller.channel().expand(text))
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
#[derive(Debug, Clone, Default)]
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
    /// The directory user who rings there: where one user's dial string leads to another, that one.
    pub owner: Option<Owner>,
    /// It rings in the place of one whose phone has moved.
    pub moved: bool,
    /// Why it cannot be dialled at all.
    pub dead: Option<Cause>,
    /// How many `|` stand before it in its target's dial strings: whose turn is how much later.
    pub turn: usize,
    /// Which target of its stage names it.
    pub place: usize,
    /// The member of a group who rings there.
    pub member: Option<Pick>,
    /// Who registered it or else named it: of these, none may crowd the others out.
    source: String,
}

/// What belongs to a user's device, or to whoever calls him, and to no call in his name.
const NOT_PASSED_ON: [&str; 6] = [
    "dialed_user",
    "dialed_domain",
    "effective_caller_id_name",
    "effective_caller_id_number",
    "origination_uuid",
    "presence_id",
];

impl Contact {
    /// Nobody rings at this target.
    pub fn nobody(target: &Target, why: Cause) -> Contact {
        Contact {
            target: target.written.clone(),
            plain_target: target.dial_string(),
            dial_string: target.dial_string(),
            dead: Some(why),
            source: target.dial_string(),
            ..Contact::default()
        }
    }

    /// A phone registered it: its source is its user, and that of any other contact is itself.
    fn is_registered(&self) -> bool {
        self.source != self.dial_string
    }

    /// The directory user whose dial string led to it, also where that names its contacts itself.
    pub fn of_user(&self) -> Option<String> {
        let said = |name: &str| self.variables.get(name);
        let (user, domain) = (said("dialed_user")?, said("dialed_domain")?);
        Some(format!("{user}@{domain}"))
    }

    /// Whose device has registered it, with the domain; none where the directory names it itself.
    pub fn registered_by(&self) -> Option<(&str, &str)> {
        Some((self.user.as_deref()?, self.owner.as_ref()?.domain.as_str()))
    }

    /// A number in this user's dialplan context, dialled as the user himself would: with the
    /// variables that the directory gives him.
    pub fn through_dialplan(&self, owner: &Owner, number: &str, dead: Option<Cause>) -> Contact {
        let mut variables = self.variables.clone();
        if !owner.foreign.is_empty() {
            variables.remove_all(owner.foreign.iter().map(String::as_str));
            variables.set_all(&owner.variables);
        }
        for name in NOT_PASSED_ON {
            variables.remove(name);
        }
        variables.set("user_name", &owner.id);
        variables.set("domain_name", &owner.domain);
        let context = owner.context.as_deref().unwrap_or_default();
        // It stands in a dial string, where these characters would say more.
        let is_plain = !context.is_empty()
            && !context.contains(|c: char| c.is_control() || "/,|$".contains(c));
        let dead = dead.or((!is_plain).then_some(Cause::NO_ROUTE_DESTINATION));
        Contact {
            dial_string: format!("loopback/{number}/{context}"),
            variables,
            user: None,
            context: None,
            owner: None,
            moved: true,
            dead,
            ..self.clone()
        }
    }
}

/// A user of the directory: who rings at a contact, and in whose name calls are passed on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub id: String,
    pub domain: String,
    /// His `user_context`: where a number is dialled in his name.
    context: Option<String>,
    /// What the directory gives him.
    variables: Variables,
    /// What the users whose dial strings lead to him bring to his leg, which is no right of his.
    foreign: Vec<String>,
}

/// How deep dial strings may name further users and groups.
const DEPTH: usize = 8;

/// How many users and groups one target may take to look up.
const LOOK_UPS: usize = 2048;

/// How long the look-ups of one target may take together. One that is under way is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the directory says of the user whom this target calls.
pub fn do_not_disturb(address: &str, caller: &dyn Caller) -> bool {
    let Some((name, domain)) = at_domain(address) else {
        return false;
    };
    let request = Event::request().map(|mut request| {
        request.add("as_channel", "true");
        request.add("action", "user_call");
        request
    });
    let user = request.and_then(|request| xml::user(&name, &domain, &request));
    let said = user.and_then(|user| {
        let said = user.variables.into_iter().chain(user.params);
        let mut said = said.filter(|(name, _)| name.eq_ignore_ascii_case("do_not_disturb"));
        said.next()
    });
    said.is_some_and(|(_, value)| is_true(&caller.expand(&value)))
}

/// What the targets of a stage come to.
#[derive(Default)]
pub struct Resolved<'a> {
    /// In the plan's order.
    pub contacts: Vec<Contact>,
    /// Every directory user that may register, registered or not, and the target that names it.
    pub users: Vec<(String, &'a Target)>,
    /// What does not ring though a directory or a phone named it, a line each.
    pub dropped: Vec<String>,
}

impl Resolved<'_> {
    /// Warns of what was dropped, in the log of this call.
    pub fn warned(self, uuid: &str) -> Self {
        for line in &self.dropped {
            tracing::warn!(uuid, "cti_bridge: {line}");
        }
        self
    }
}

/// `caller` expands the directory's dial strings; `globals` are told to a dynamic directory.
pub fn resolve<'a>(
    stage: &'a Stage,
    caller: &dyn Caller,
    globals: &Variables,
    allowed: Allowed<'_>,
) -> Resolved<'a> {
    let mut all = Resolved::default();
    for target in &stage.targets {
        let mut resolver = Resolver {
            caller,
            globals,
            allowed,
            path: Vec::new(),
            visited: HashSet::new(),
            until: Instant::now() + PATIENCE,
            found: Vec::new(),
            dropped: Vec::new(),
            turn: 0,
        };
        resolver.target(target, &target.variables);
        let mut contacts = resolver.found;
        all.dropped.append(&mut resolver.dropped);
        for user in contacts.iter().filter_map(|contact| contact.user.clone()) {
            if all.users.last().is_none_or(|(last, _)| *last != user) {
                all.users.push((user, target));
            }
        }
        leave_out_dead(&mut contacts);
        for mut contact in contacts {
            contact.target.clone_from(&target.written);
            contact.plain_target = target.dial_string();
            all.contacts.push(contact);
        }
    }
    all
}

/// Each contact once, and no more than `limit` (`max-targets`): whoever registers many is capped, so
/// that the others still ring. A line for each who is.
pub fn fit(contacts: &mut Vec<Contact>, limit: usize) -> Vec<String> {
    let mut dialled = HashSet::new();
    contacts.retain(|it| it.dead.is_some() || dialled.insert(it.dial_string.clone()));
    cap(contacts, limit)
}

/// Where somebody's other device rings, a failure of one is nothing to report; where none rings, one
/// failure is enough.
fn leave_out_dead(contacts: &mut Vec<Contact>) {
    let alive = contacts.iter().filter(|contact| contact.dead.is_none());
    let mut told: HashSet<usize> = alive.map(|contact| contact.turn).collect();
    contacts.retain(|contact| contact.dead.is_none() || told.insert(contact.turn));
}

/// Leaves each source as many contacts as fit when all sources have the same right, and tells of
/// those that lose some. Where there are more sources than room, nothing is capped: then it is the
/// plan or the directory that is too large, and not one phone's registrations.
fn cap(contacts: &mut Vec<Contact>, limit: usize) -> Vec<String> {
    if contacts.len() <= limit {
        return Vec::new();
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for contact in &*contacts {
        *counts.entry(contact.source.clone()).or_default() += 1;
    }
    let Some(share) = share_of(counts.values().copied().collect(), limit) else {
        return Vec::new();
    };
    let mut taken: HashMap<String, usize> = HashMap::new();
    contacts.retain(|contact| {
        let taken = taken.entry(contact.source.clone()).or_default();
        *taken += 1;
        *taken <= share
    });
    // They do not hold up those who have few.
    contacts.sort_by_key(|contact| counts[&contact.source] > share);
    let mut capped: Vec<_> = counts.into_iter().filter(|(_, n)| *n > share).collect();
    capped.sort();
    let line = |(source, count): (String, usize)| {
        let source = field(&source);
        format!(
            "{source}: {share} of {count} contacts ring, since a stage has {limit} (max-targets)"
        )
    };
    capped.into_iter().map(line).collect()
}

/// The most that each may have so that all together have no more than `limit`; `None` where not
/// even one each fits.
fn share_of(mut counts: Vec<usize>, limit: usize) -> Option<usize> {
    counts.sort_unstable();
    let (mut left, mut others) = (limit, counts.len());
    for count in counts {
        let share = left / others;
        if count > share {
            return Some(share).filter(|share| *share > 0);
        }
        left -= count;
        others -= 1;
    }
    Some(limit)
}

/// The contacts of one target, while they are looked up.
struct Resolver<'a> {
    caller: &'a dyn Caller,
    globals: &'a Variables,
    allowed: Allowed<'a>,
    /// The users and groups whose dial strings lead here.
    path: Vec<String>,
    /// All users and groups of this target so far, and in which turn the target's own dial string
    /// names them. Further down once is enough, or a circle of many `|` would have no end in sight.
    visited: HashSet<(usize, String)>,
    until: Instant,
    found: Vec<Contact>,
    dropped: Vec<String>,
    /// Of the next contact; behind a target the first turn that it has not taken.
    turn: usize,
}

impl Resolver<'_> {
    fn target(&mut self, target: &Target, variables: &Variables) {
        let dead = match target.endpoint.to_ascii_lowercase().as_str() {
            "user" | "group" => match self.look_up(target, variables) {
                Ok(()) => return,
                Err(cause) => Some(cause),
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

    /// The devices of a user, the members of a group: each once, and no circle is walked.
    fn look_up(&mut self, target: &Target, variables: &Variables) -> Result<(), Cause> {
        let is_user = target.endpoint.eq_ignore_ascii_case("user");
        let bare = self.path.is_empty() && !target.recurses(self.globals);
        let unusable = if is_user {
            Cause::SUBSCRIBER_ABSENT
        } else {
            Cause::DESTINATION_OUT_OF_ORDER
        };
        let address = match is_user {
            true => target.address.as_str(),
            // `name@domain+F`: what core's `group_call` puts between the members, `|`; of `:_:` (`+E`)
            // and `,` (`+A`) both make them ring together.
            false => target.address.split('+').next().unwrap_or_default(),
        };
        let (name, domain) = at_domain(address).ok_or(unusable)?;
        let who = format!("{}/{name}@{domain}", target.endpoint).to_ascii_lowercase();
        if self.path.contains(&who) || self.path.len() >= DEPTH {
            return Err(Cause::INVALID_IE_CONTENTS);
        }
        if self.visited.len() == LOOK_UPS || Instant::now() > self.until {
            return Err(Cause::RECOVERY_ON_TIMER_EXPIRE);
        }
        let turn = if self.path.len() < 2 { self.turn } else { 0 };
        if !self.visited.insert((turn, who.clone())) {
            return Ok(()); // It stands in the list already.
        }
        self.path.push(who);
        let done = if is_user {
            user(&name, &domain, self.caller, self.globals, bare)
                .map(|user| self.devices(user, target, variables))
        } else {
            let flags = target
                .address
                .split_once('+')
                .map_or("", |(_, flags)| flags);
            let one_by_one = flags.chars().rfind(|flag| "AEF".contains(*flag)) == Some('F');
            self.members((&name, &domain), one_by_one, target, variables)
        };
        self.path.pop();
        done
    }

    fn push(&mut self, target: &Target, variables: &Variables, dead: Option<Cause>) {
        // What the directory's author wrote is not one of those that a phone registered.
        let who = self.path.last().filter(|_| target.written.is_empty());
        self.found.push(Contact {
            dial_string: target.dial_string(),
            variables: variables.clone(),
            dead,
            turn: self.turn,
            source: who.cloned().unwrap_or_else(|| target.dial_string()),
            ..Contact::default()
        });
        self.turn += 1;
    }

    fn devices(&mut self, user: User, target: &Target, variables: &Variables) {
        let first = self.found.len();
        let layers = [&user.variables, variables];
        self.nested(&user.dial_string, target, layers);
        for contact in &mut self.found[first..] {
            contact.context.clone_from(&user.context);
            let registered = contact.is_registered();
            match &mut contact.owner {
                Some(owner) => {
                    let names = user.variables.iter().map(|it| it.name.clone());
                    owner.foreign.extend(names);
                }
                // Who answers where the directory itself says so, as behind a gateway, is not the
                // user's phone, and has none of his rights.
                None if registered => contact.owner = Some(user.owner.clone()),
                None => {}
            }
            if user.registers {
                contact.user.get_or_insert(user.id.clone());
            }
        }
    }

    /// What core's `group_call` does, but member by member: in its reply the contacts that phones
    /// registered could not be told from what the directory says.
    fn members(
        &mut self,
        (name, domain): (&str, &str),
        one_by_one: bool,
        target: &Target,
        variables: &Variables,
    ) -> Result<(), Cause> {
        let members = xml::group(name, domain).filter(|members| !members.is_empty());
        let members = members.ok_or(Cause::NO_ROUTE_DESTINATION)?;
        let none = Variables::default();
        let (first, mut next) = (self.turn, self.turn);
        for (id, dial_string) in members {
            self.turn = if one_by_one { next } else { first };
            let dial_string = dial_string.unwrap_or_else(|| format!("user/{id}@{domain}"));
            self.caller.set("dialed_group", Some(name));
            let dial_string = for_user(&dial_string, &id, domain, self.caller);
            self.path.push(format!("{name}: {id}@{domain}"));
            self.nested(&dial_string, target, [&none, variables]);
            self.path.pop();
            next = next.max(self.turn);
        }
        self.turn = next;
        Ok(())
    }

    /// The targets of a dial string that the directory gave: those behind a `|` when the turn of
    /// those before it is over. As in core, the
    /// directory's variables outrank the contact's own, and the plan author's both (`layers`).
    fn nested(&mut self, text: &str, target: &Target, layers: [&Variables; 2]) {
        let caller = self.caller;
        let Directed {
            targets,
            places,
            dropped,
            dropped_more,
        } = match directed(text, &self.allowed, &mut |text| caller.expand(text)) {
            Ok(directed) => directed,
            Err(error) => {
                let who = target.dial_string();
                self.dropped.push(format!(
                    "{who}: the directory's dial string {text:?} cannot be used: {error}"
                ));
                return self.push(target, layers[1], Some(Cause::DESTINATION_OUT_OF_ORDER));
            }
        };
        let who = self.path.last().map_or("", String::as_str);
        let who = field(who);
        let told = dropped.iter().map(|Dropped { contact, why }| {
            let contact = field(contact);
            format!("{who}: {contact} is dropped: {why}")
        });
        self.dropped.extend(told);
        if dropped_more > 0 {
            let line = format!("{who}: {dropped_more} more are dropped");
            self.dropped.push(line);
        }
        if targets.is_empty() {
            // As core says of a dial string in which nothing is left.
            self.push(target, layers[1], Some(Cause::DESTINATION_OUT_OF_ORDER));
        }
        let (first, mut from, mut next, mut last) = (self.turn, self.turn, self.turn, 0);
        let mut before = Place::default();
        for (inner, place) in targets.into_iter().zip(places) {
            if place.part != before.part {
                (from, next) = (first, first);
            } else if place.stage != before.stage {
                from = next;
            }
            before = place;
            self.turn = from;
            let mut variables = inner.variables.clone();
            layers.iter().for_each(|layer| variables.set_all(*layer));
            self.target(&inner, &variables);
            next = next.max(self.turn);
            last = last.max(next);
        }
        self.turn = self.turn.max(last);
    }
}

struct User {
    id: String,
    owner: Owner,
    dial_string: String,
    variables: Variables,
    context: Option<String>,
    /// Its dial string asks who is registered, `${sofia_contact(…)}` or the like.
    registers: bool,
}

/// A name and its domain. Both come to stand in a `${…(…)}` that the switch expands, and in the text
/// of a dial string: with these characters they could end the one or begin a target in the other.
fn at_domain(address: &str) -> Option<(String, String)> {
    if address.contains(['$', '{', '}', '(', ')', '/', ',', '|', '\\']) {
        return None;
    }
    match address.split_once('@') {
        Some((name, domain)) => Some((name.to_owned(), domain.to_owned())),
        None => Some((address.to_owned(), xml::default_domain()?)),
    }
}

/// As core does, and as dial strings like `${dialed_user}` expect. Put into the text as well: parts
/// that are resolved at the same moment share the caller's channel, and one must not dial the
/// other's user.
fn for_user(dial_string: &str, id: &str, domain: &str, caller: &dyn Caller) -> String {
    caller.set("dialed_user", Some(id));
    caller.set("dialed_domain", Some(domain));
    dial_string
        .replace("${dialed_user}", id)
        .replace("${dialed_domain}", domain)
}

/// `bare`: the plan's variables stop at the user, and core notes on such a leg whose it is only where
/// the directory has `dial-var-…` for it.
fn user(
    name: &str,
    domain: &str,
    caller: &dyn Caller,
    globals: &Variables,
    bare: bool,
) -> Result<User, Cause> {
    let mut request = Event::request().ok_or(Cause::SUBSCRIBER_ABSENT)?;
    request.add("as_channel", "true");
    request.add("action", "user_call");
    globals
        .iter()
        .for_each(|variable| request.add(&variable.name, &variable.value));
    let user = xml::user(name, domain, &request).ok_or(Cause::SUBSCRIBER_ABSENT)?;
    let id = if user.id.is_empty() {
        name.to_owned()
    } else {
        user.id
    };
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
    if !bare || !variables.is_empty() {
        variables.set("dialed_user", &id);
        variables.set("dialed_domain", domain);
        if !dial_string.contains("presence_id=") {
            variables.set("presence_id", format!("{id}@{domain}"));
        }
    }
    user.variables
        .iter()
        .for_each(|(name, value)| variables.set(name, value));
    let context = user
        .variables
        .iter()
        .find(|(name, _)| name == "user_context")
        .map(|(_, value)| value.clone());
    let dial_string = for_user(dial_string, &id, domain, caller);
    Ok(User {
        registers: dial_string.contains("${"),
        dial_string,
        owner: Owner {
            id: id.clone(),
            domain: domain.to_owned(),
            context: context.clone(),
            variables: variables.clone(),
            foreign: Vec::new(),
        },
        id,
        variables,
        context,
    })
}

#[cfg(test)]
mod tests {
    use super::share_of;

    #[test]
    fn who_has_many_is_capped_and_the_others_are_not() {
        for (counts, limit, share) in [
            (vec![1, 2, 3], 6, Some(6)),
            (vec![1100, 1, 1], 1024, Some(1022)),
            (vec![10, 10, 10], 20, Some(6)),
            (vec![1, 10, 10], 20, Some(9)),
            (vec![1, 1, 1], 2, None),
        ] {
            assert_eq!(share_of(counts.clone(), limit), share, "{counts:?}");
            let fits = |share: usize| counts.iter().map(|n| *n.min(&share)).sum::<usize>() <= limit;
            assert!(share.is_none_or(fits), "{counts:?}");
        }
    }
}
