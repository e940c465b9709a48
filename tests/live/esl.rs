//! A small event-socket client: commands and their replies, events with their times.
//! One connection listens and sorts events by channel; commands go over connections of their own.
//! Plain format: headers, URL-decoded here, and a body where Content-Length says so.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const PASSWORD: &str = "loopback-only";

/// Headers in their order and the body of one event-socket packet.
#[derive(Debug, Clone, Default)]
pub struct Packet {
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Packet {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// When the switch made this event, on our monotonic clock.
    pub fn at(&self) -> Option<Instant> {
        let micros: u64 = self.get("Event-Date-Timestamp")?.parse().ok()?;
        let age = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()?
            .checked_sub(Duration::from_micros(micros));
        Instant::now().checked_sub(age.unwrap_or_default())
    }

    /// The channel's variables, in `CHANNEL_HANGUP_COMPLETE` all of them.
    pub fn variables(&self) -> Vec<(String, String)> {
        let named = |(key, value): &(String, String)| {
            Some((key.strip_prefix("variable_")?.to_string(), value.clone()))
        };
        self.headers.iter().filter_map(named).collect()
    }
}

pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(port: u16) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut connection = Connection {
            reader: BufReader::new(stream),
        };
        connection.packet()?;
        let reply = connection.command(&format!("auth {PASSWORD}"))?;
        if reply
            .get("Reply-Text")
            .is_none_or(|text| !text.starts_with("+OK"))
        {
            return Err(std::io::Error::other(
                "event socket: the password was refused",
            ));
        }
        Ok(connection)
    }

    /// Runs an API command and gives its text.
    pub fn api(&mut self, command: &str) -> Result<String, String> {
        let packet = self
            .command(&format!("api {command}"))
            .map_err(|error| format!("{command}: {error}"))?;
        Ok(packet.body)
    }

    /// Starts an API command in the background; its result comes as an event.
    pub fn background(&mut self, command: &str) -> Result<String, String> {
        let packet = self
            .command(command)
            .map_err(|error| format!("{command}: {error}"))?;
        Ok(packet.get("Reply-Text").unwrap_or("").to_string())
    }

    fn command(&mut self, command: &str) -> std::io::Result<Packet> {
        self.reader
            .get_mut()
            .write_all(format!("{command}\n\n").as_bytes())?;
        loop {
            let packet = self.packet()?;
            match packet.get("Content-Type") {
                Some("command/reply" | "api/response") => return Ok(packet),
                Some("text/disconnect-notice") => {
                    return Err(std::io::ErrorKind::ConnectionAborted.into());
                }
                _ => {}
            }
        }
    }

    fn packet(&mut self) -> std::io::Result<Packet> {
        let mut packet = Packet::default();
        loop {
            let mut line = Vec::new();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if line.is_empty() {
                if packet.headers.is_empty() {
                    continue;
                }
                break;
            }
            packet.headers.extend(header(line));
        }
        let length = packet
            .get("Content-Length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        packet.body = String::from_utf8_lossy(&body).into_owned();
        Ok(packet)
    }
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(": ").or(line.split_once(':'))?;
    Some((name.to_string(), value.to_string()))
}

/// Events by channel, collected by a thread of its own.
pub struct Events {
    shared: Arc<Shared>,
    stream: TcpStream,
}

#[derive(Default)]
struct Shared {
    by_channel: Mutex<HashMap<String, Vec<Arc<Packet>>>>,
    changed: Condvar,
}

/// What every run listens to.
pub const USUAL: &str = "CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_BRIDGE CHANNEL_ANSWER \
                         CHANNEL_HANGUP_COMPLETE CUSTOM cti::call";

impl Events {
    pub fn listen(port: u16, names: &str) -> std::io::Result<Events> {
        let mut connection = Connection::open(port)?;
        connection.command(&format!("event plain {names}"))?;
        let stream = connection.reader.get_ref().try_clone()?;
        stream.set_read_timeout(None)?;
        let shared = Arc::new(Shared::default());
        let filled = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("events".into())
            .spawn(move || {
                while let Ok(packet) = connection.packet() {
                    if packet.get("Content-Type") == Some("text/event-plain") {
                        filled.add(event(&packet.body));
                    }
                }
            })?;
        Ok(Events { shared, stream })
    }

    /// Waits for an event of this channel; None when the time is over.
    pub fn wait(
        &self,
        channel: &str,
        until: Instant,
        is: impl Fn(&Packet) -> bool,
    ) -> Option<Arc<Packet>> {
        let mut by_channel = self
            .shared
            .by_channel
            .lock()
            .expect("events: the lock is whole");
        loop {
            if let Some(found) = by_channel
                .get(channel)
                .and_then(|events| events.iter().find(|event| is(event)))
            {
                return Some(Arc::clone(found));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            by_channel = self
                .shared
                .changed
                .wait_timeout(by_channel, left)
                .expect("events: the lock is whole")
                .0;
        }
    }

    /// The channels that an event of theirs speaks for.
    pub fn channels(&self, is: impl Fn(&Packet) -> bool) -> Vec<String> {
        let by_channel = self
            .shared
            .by_channel
            .lock()
            .expect("events: the lock is whole");
        by_channel
            .iter()
            .filter(|(_, events)| events.iter().any(|event| is(event)))
            .map(|(channel, _)| channel.clone())
            .collect()
    }

    pub fn of(&self, channel: &str) -> Vec<Arc<Packet>> {
        let by_channel = self
            .shared
            .by_channel
            .lock()
            .expect("events: the lock is whole");
        by_channel.get(channel).cloned().unwrap_or_default()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn add(&self, event: Packet) {
        let channel = event
            .get("CTI-Call-UUID")
            .or(event.get("Unique-ID"))
            .unwrap_or("")
            .to_string();
        let mut by_channel = self.by_channel.lock().expect("events: the lock is whole");
        by_channel.entry(channel).or_default().push(Arc::new(event));
        self.changed.notify_all();
    }
}

fn event(text: &str) -> Packet {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let decoded = head
        .lines()
        .filter_map(header)
        .map(|(name, value)| (name, url_decode(&value)));
    Packet {
        headers: decoded.collect(),
        body: body.to_string(),
    }
}

pub fn url_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every byte that is no letter or digit as `%XX`: safe in a SIP header and in the dialplan.
pub fn url_encode(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}
