//! The story of one call, in words that two runs of it share: uuids, ports, tags and times are taken out.
//! For the caller and every leg: its messages, its headers and media, its variables at the end, its events.
//! What is left out is said here and nowhere else.

use crate::live::esl::{Events, Packet};
use crate::live::phones::{Entry, Leg, Phones};
use crate::live::run::Course;
use crate::live::sip::Message;
use crate::live::switch::from_slot;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a parity scenario listens to.
pub const EVENTS: &str = "CHANNEL_CREATE CHANNEL_OUTGOING CHANNEL_ORIGINATE CHANNEL_PROGRESS \
    CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HANGUP \
    CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY CHANNEL_EXECUTE CHANNEL_HOLD CHANNEL_UNHOLD \
    CHANNEL_PARK CHANNEL_UNPARK CHANNEL_UUID CHANNEL_APPLICATION API";

/// One channel as the wire, the switch's variables and its events show it.
#[derive(Debug, Default)]
pub struct Side {
    /// Messages as its phone saw them, in order; copies of one message once.
    pub wire: Vec<String>,
    /// `INVITE From`, `CANCEL Reason`, `200 media`, `variable x`, `profile Caller-…`.
    pub facts: BTreeMap<String, String>,
    /// Event names in order, an EXECUTE with its application and argument.
    pub events: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Story {
    /// By `caller`, the phone's name, or the channel's; a second leg there is `1002 #2`.
    pub sides: BTreeMap<String, Side>,
    /// Who was invited, a line for each stage.
    pub order: Vec<String>,
}

/// Headers that say which message it is, or where it came from, not what it means.
const HEADERS: &[&str] = &[
    "Via",
    "Call-ID",
    "CSeq",
    "Content-Length",
    "Contact",
    "Date",
    "X-Plan",
    "X-Var-*",
    "X-Do-*",
    "X-Application",
];

/// Variables and profile fields that differ between two runs of the very same call, or name the harness's headers.
const VARIABLES: &[&str] = &[
    "*_time",
    "*_epoch",
    "*_uepoch",
    "*_usec",
    "*_stamp",
    "*_ms",
    "*sec",
    "*duration",
    "*-Time",
    "*_port",
    "*_tag",
    "*_cseq",
    "*_sdp",
    "*_sdp_str",
    "*_via",
    "*_via_*",
    "rtp_audio_*",
    "rtp_*_ssrc*",
    "rtp_use_*ssrc",
    "session_id",
    "ep_codec_string",
    "cti_plan",
    "sip_rh_*",
    "sip_h_X-Plan",
    "sip_h_X-Var-*",
    "sip_h_X-Do-*",
    "sip_h_X-Application",
    "call_uuid",
];

/// A joined leg's end races with the end of the thread that joined it, which writes these last.
/// So does what an application that its hangup interrupts would say.
const RACING: &[&str] = &[
    "bridge_hangup_cause",
    "last_bridge_*",
    "playback_*",
    "current_application_response",
    "read_result",
];

impl Story {
    /// Of a call that is over; waits for the last events of its legs.
    pub fn of(course: &Course, phones: &Phones, events: &Events) -> Story {
        let channels = Channels::of(course, events);
        let mut story = Story::default();
        for (uuid, name) in &channels.names {
            let messages = phones.diary(|call_id| call_id == uuid);
            let mut side = Side::default();
            wire(&mut side, &messages, &channels);
            switch(&mut side, &events.of(uuid), &channels);
            if name.starts_with("loopback/") || name.starts_with("null/") {
                // They answer, and go, on threads of their own, beside whatever else happens.
                side.events.sort();
            }
            story.sides.insert(name.clone(), side);
        }
        if let Some(caller) = story.sides.get_mut("caller") {
            caller.events.extend(commands(course, events, &channels));
        }
        story.order = order(course, &channels);
        story
    }

    /// One line for each thing that the story tells, for a scenario's `sees`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, side) in &self.sides {
            lines.extend(side.wire.iter().map(|line| format!("{name}: {line}")));
            lines.extend(side.events.iter().map(|line| format!("{name}: {line}")));
            let fact = |(key, value): (&String, &String)| format!("{name}: {key}={value}");
            lines.extend(side.facts.iter().map(fact));
        }
        lines.extend(self.order.iter().map(|line| format!("invited: {line}")));
        lines
    }
}

/// The channels of one call, each with the name that it has in both runs.
struct Channels<'a> {
    course: &'a Course,
    names: Vec<(String, String)>,
}

impl<'a> Channels<'a> {
    fn of(course: &'a Course, events: &Events) -> Channels<'a> {
        let soon = Instant::now() + Duration::from_millis(2500);
        let gone = |event: &Packet| event.get("Event-Name") == Some("CHANNEL_DESTROY");
        let mut uuids = vec![course.uuid.clone()];
        uuids.extend(course.legs.iter().map(|(uuid, ..)| uuid.clone()));
        let dialled = course.variable("originated_legs").unwrap_or("");
        let dialled = dialled
            .strip_prefix("ARRAY::")
            .unwrap_or(dialled)
            .split("|:");
        let dialled = dialled.filter_map(|leg| leg.split(';').next());
        uuids.extend(dialled.filter(|uuid| is_uuid(uuid)).map(str::to_string));
        uuids.sort();
        uuids.dedup();
        // A leg without a phone, a loopback's other half: whoever names one of ours.
        let related = |event: &Packet, known: &[String]| {
            let names = [
                "variable_originator",
                "variable_origination_aleg_uuid",
                "variable_ent_originate_aleg_uuid",
                "variable_other_loopback_leg_uuid",
                "variable_originating_leg_uuid",
            ];
            event.get("Event-Name") == Some("CHANNEL_HANGUP_COMPLETE")
                && names
                    .iter()
                    .filter_map(|name| event.get(name))
                    .any(|uuid| known.iter().any(|known| known == uuid))
        };
        loop {
            for uuid in &uuids {
                events.wait(uuid, soon, gone);
            }
            let mut found = events.channels(|event| related(event, &uuids));
            let halves = uuids.iter().flat_map(|uuid| events.of(uuid));
            found.extend(halves.filter_map(|event| {
                let half = event.get("variable_other_loopback_leg_uuid")?;
                Some(half.to_string())
            }));
            found.sort();
            found.dedup();
            found.retain(|uuid| !uuids.contains(uuid));
            if found.is_empty() {
                break;
            }
            uuids.extend(found);
        }
        let mut channels = Channels {
            course,
            names: Vec::new(),
        };
        let mut started: Vec<(String, String, String)> = uuids
            .into_iter()
            .map(|uuid| {
                let events = events.of(&uuid);
                let first = events.first();
                let get = |name| first.and_then(|event| event.get(name)).unwrap_or("");
                let phone = course.legs.iter().find(|(leg, ..)| *leg == uuid);
                let name = match phone {
                    _ if uuid == course.uuid => "caller".to_string(),
                    Some((_, phone, _)) => phone.clone(),
                    None => channels.plain(get("Channel-Name")),
                };
                (get("Event-Sequence").to_string(), uuid, name)
            })
            .collect();
        started.sort_by_key(|(sequence, ..)| sequence.parse::<u64>().unwrap_or(u64::MAX));
        for (_, uuid, name) in started {
            let before = |(_, other): &&(String, String)| other.split(" #").next() == Some(&name);
            let nth = channels.names.iter().filter(before).count() + 1;
            let name = if nth > 1 {
                format!("{name} #{nth}")
            } else {
                name
            };
            channels.names.push((uuid, name));
        }
        channels
    }

    /// A text without what belongs to this run alone.
    fn plain(&self, text: &str) -> String {
        let mut text = text.replace(&self.course.suffix, "");
        for (uuid, name) in &self.names {
            text = text.replace(uuid, &format!("<{name}>"));
        }
        from_slot(&without_numbers(&without_tags(&text)), self.course.slot)
    }
}

/// Other uuids, ports behind an address, and numbers that count microseconds or sessions.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.len()
            - rest
                .trim_start_matches(|ch: char| ch.is_ascii_digit())
                .len();
        if is_uuid(rest) {
            plain.push_str("<uuid>");
            rest = &rest[36..];
        } else if digits >= 10 {
            plain.push_str("<number>");
            rest = &rest[digits..];
        } else if plain.ends_with("127.0.0.1:") && digits > 0 {
            plain.push_str("port");
            rest = &rest[digits..];
        } else {
            let length = digits.max(first.len_utf8());
            plain.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    plain
}

/// `;tag=…` up to whatever follows it.
fn without_tags(text: &str) -> String {
    let mut parts = text.split(";tag=");
    let mut plain = parts.next().unwrap_or("").to_string();
    for part in parts {
        plain.push_str(part.trim_start_matches(|ch: char| ch.is_ascii_alphanumeric()));
    }
    plain
}

fn is_uuid(text: &str) -> bool {
    text.as_bytes().get(..36).is_some_and(|bytes| {
        bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

/// `*` at either end, or in the middle, stands for anything.
pub fn fits(name: &str, patterns: &[&str]) -> bool {
    let fit = |pattern: &&str| match pattern.split_once('*') {
        None => name == *pattern,
        Some((start, end)) => {
            let end = end.trim_end_matches('*');
            name.strip_prefix(start).is_some_and(|rest| {
                if pattern.ends_with('*') {
                    rest.contains(end)
                } else {
                    rest.ends_with(end)
                }
            })
        }
    };
    patterns.iter().any(fit)
}

fn wire(side: &mut Side, entries: &[Entry], channels: &Channels) {
    let mut seen = Vec::new();
    for entry in entries {
        let Some(message) = &entry.message else {
            continue;
        };
        let cseq = message.header("CSeq").unwrap_or("").to_string();
        let copy = (entry.sent, entry.what.clone(), cseq);
        // UDP repeats itself on a slow machine, and 100 only stops that.
        if message.status() == Some(100) || seen.contains(&copy) && message.status() != Some(180) {
            continue;
        }
        let line = line(entry.sent, message);
        if side.wire.last() == Some(&line) && seen.contains(&copy) {
            continue;
        }
        seen.push(copy);
        side.wire.push(line);
        if !entry.sent {
            headers(side, message, channels);
        }
    }
}

fn line(sent: bool, message: &Message) -> String {
    let arrow = if sent { "sends" } else { "gets" };
    match message.status() {
        Some(status) => format!("{arrow} {status} to {}", message.method()),
        None => format!("{arrow} {}", message.method()),
    }
}

/// What the switch sent: the first message of each kind counts, later ones with their number.
fn headers(side: &mut Side, message: &Message, channels: &Channels) {
    let kind = match message.status() {
        Some(status) => format!("{status} to {}", message.method()),
        None => message.method().to_string(),
    };
    let mut add = |name: &str, value: String| {
        let mut key = format!("{kind} {name}");
        let mut nth = 1;
        while side.facts.contains_key(&key) {
            nth += 1;
            key = format!("{kind} {name} #{nth}");
        }
        side.facts.insert(key, value);
    };
    for (name, value) in &message.headers {
        if !fits(name, HEADERS) {
            add(name, channels.plain(value));
        }
    }
    if message.status().is_none() {
        add(
            "user",
            from_slot(
                &channels.plain(message.request_user()),
                channels.course.slot,
            ),
        );
    }
    for part in media(&message.body) {
        add("media", part);
    }
}

/// Each media line with its attributes; ports tell only whether there is one.
fn media(body: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("m=") {
            let mut words = rest.splitn(3, ' ');
            let (kind, port, formats) = (words.next(), words.next(), words.next());
            let port = if port == Some("0") { "0" } else { "port" };
            parts.push(format!(
                "{} {port} {}",
                kind.unwrap_or(""),
                formats.unwrap_or("")
            ));
        } else if let Some(last) = parts.last_mut()
            && line.starts_with("a=")
            && !["a=rtcp:", "a=ssrc", "a=msid"]
                .iter()
                .any(|own| line.starts_with(own))
        {
            last.push_str(&format!(" {}", &line[2..]));
        }
    }
    parts
}

fn switch(side: &mut Side, events: &[std::sync::Arc<Packet>], channels: &Channels) {
    for event in events {
        let name = event.get("Event-Name").unwrap_or("");
        // A leg that is taken away from its caller goes through parking, if it still has the time to.
        let is_caller = event.get("Unique-ID") == Some(&channels.course.uuid);
        if !is_caller && name.ends_with("PARK") {
            continue;
        }
        let line = match name {
            "CHANNEL_EXECUTE" => {
                let application = event.get("Application").unwrap_or("");
                // Which of the two it was is the one thing that is not compared.
                let application = application.strip_prefix("cti_").unwrap_or(application);
                let data = event.get("Application-Data").unwrap_or("");
                if application == "set" && data.contains("sip_h_X-") {
                    continue;
                }
                channels.plain(&format!("EXECUTE {application}({data})"))
            }
            _ => name.strip_prefix("CHANNEL_").unwrap_or(name).to_string(),
        };
        side.events.push(line);
    }
    let last = events
        .iter()
        .find(|event| event.get("Event-Name") == Some("CHANNEL_HANGUP_COMPLETE"));
    let Some(last) = last else {
        return;
    };
    // Whether a caller who hangs up himself still hears why his leg ended is chance.
    let has_hung_up = last.get("variable_sip_hangup_disposition") == Some("recv_bye");
    for (name, value) in &last.headers {
        let (kind, name) = match name.strip_prefix("variable_") {
            Some(name) => ("variable", name),
            None if name.starts_with("Caller-")
                || name.starts_with("Other-Leg-")
                || [
                    "Hangup-Cause",
                    "Channel-Name",
                    "Channel-Presence-ID",
                    "Call-Direction",
                ]
                .contains(&name.as_str()) =>
            {
                ("profile", name.as_str())
            }
            None => continue,
        };
        let is_caller = last.get("Unique-ID") == Some(&channels.course.uuid);
        let races = if is_caller {
            has_hung_up && name.starts_with("last_bridge_hangup")
        } else {
            fits(name, RACING)
        };
        if !fits(name, VARIABLES) && !races {
            let is_ours = ["current_application", "last_app"].contains(&name);
            let value = value
                .strip_prefix("cti_")
                .filter(|_| is_ours)
                .unwrap_or(value);
            let value = channels.plain(value);
            side.facts
                .insert(format!("{kind} {name}"), record(&value).unwrap_or(value));
        }
    }
}

/// A leg's CDR in a variable (`failed_xml_cdr_prefix`): whose it is and how it ended.
fn record(value: &str) -> Option<String> {
    let kind = ["<cdr", "{\"core-uuid"]
        .iter()
        .find(|start| value.starts_with(*start))?;
    let word = |after: &str, until: char| {
        let (_, rest) = value.split_once(after)?;
        rest.split(until).find(|word| !word.is_empty())
    };
    let (channel, cause) = if *kind == "<cdr" {
        (word("<channel_name>", '<'), word("<hangup_cause>", '<'))
    } else {
        (
            word("\"channel_name\":", '"'),
            word("\"hangup_cause\":", '"'),
        )
    };
    Some(format!(
        "{kind} of {} {}",
        channel.unwrap_or("nobody"),
        cause.unwrap_or("no cause")
    ))
}

/// Commands that hooks ran (`api_on_…`), told apart by the run's suffix in their argument.
fn commands(course: &Course, events: &Events, channels: &Channels) -> Vec<String> {
    let ours = |event: &std::sync::Arc<Packet>| {
        let argument = event.get("API-Command-Argument")?;
        let is_hook = event.get("API-Command") == Some("echo");
        (is_hook && argument.ends_with(&course.suffix))
            .then(|| channels.plain(&format!("API {argument}")))
    };
    let mut lines: Vec<String> = events.of("").iter().filter_map(ours).collect();
    // Channels run theirs side by side.
    lines.sort();
    lines
}

/// A leg belongs to a later stage than one that had ended when it was invited.
fn order(course: &Course, channels: &Channels) -> Vec<String> {
    let ended = |leg: &Leg| {
        let cancelled = leg.cancel.as_ref().map(|(at, _)| *at);
        leg.last.map(|(at, _)| at).or(cancelled)
    };
    let mut stages: Vec<Vec<(&str, &Leg)>> = Vec::new();
    for (uuid, _, leg) in &course.legs {
        let name = channels.names.iter().find(|(own, _)| own == uuid);
        let name = name.map_or("", |(_, name)| name.as_str());
        let is_later =
            |(_, before): &(&str, &Leg)| ended(before).is_some_and(|ended| ended < leg.at);
        match stages.last_mut() {
            Some(stage) if !stage.iter().any(is_later) => stage.push((name, leg)),
            _ => stages.push(vec![(name, leg)]),
        }
    }
    let line = |stage: Vec<(&str, &Leg)>| {
        let mut names: Vec<&str> = stage.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.join(", ")
    };
    stages.into_iter().map(line).collect()
}
