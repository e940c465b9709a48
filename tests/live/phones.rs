//! Phones: real SIP user agents on one loopback socket, served by one thread.
//! Each registers, answers an INVITE as its `Behaviour` says, and can call; every message is kept with its time.
//! A phone is told apart by the user part of its contact, so a hundred of them share the port.

use super::rtp::Line;
use super::sip::{self, Message};
use super::switch::{in_slot, slot_of};
use crate::scenarios::{Behaviour, HANGS_UP, Reply, Sdp, says};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything on loopback may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(8);
/// A REGISTER is repeated so often until it has its reply.
const REGISTERS_AGAIN: Duration = Duration::from_secs(1);
/// A final response is repeated after these waits until its ACK arrives, a CANCEL or BYE until
/// the call is over.
const REPEATS: [u64; 4] = [500, 1000, 2000, 4000];

/// Threads that read look so often whether their phones are still there.
const LOOKS_AGAIN: Duration = Duration::from_millis(200);

/// What a phone with real media needs to have it ready. Core's relay of early media wants it
/// later than the first milliseconds of a leg, while the leg's own state still changes: else
/// it lets the announcement win.
const MEDIA_READY: Duration = Duration::from_millis(60);

/// What a phone asks for that wants to know who calls.
const CHALLENGE: &str = r#"Digest realm="phones", nonce="once", algorithm=MD5"#;

pub struct Phones {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    socket: UdpSocket,
    own: SocketAddr,
    switch: SocketAddr,
    domain: String,
    /// Where a phone is after it has moved.
    second: Arc<UdpSocket>,
    /// None where the machine has no IPv6.
    six: Option<Arc<UdpSocket>>,
    listener: TcpListener,
    numbers: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    seats: HashMap<String, Behaviour>,
    /// Seats by the number that was registered last for them: for INVITEs past the registration.
    numbers: HashMap<String, String>,
    /// Whose device a seat is.
    users: HashMap<String, String>,
    /// The lines of those users whose media somebody listens to; the others have none.
    lines: HashMap<String, Arc<Line>>,
    /// Legs by Call-ID: what the switch dialled.
    legs: HashMap<String, Leg>,
    /// Calls by Call-ID: what a phone of ours dialled.
    calls: HashMap<String, Call>,
    registered: HashMap<String, u16>,
    timers: BTreeMap<(Instant, u64), Timer>,
    diary: Vec<Entry>,
    /// Legs that nobody asks for any more: a late copy of their INVITE is no new leg.
    forgotten: HashSet<String>,
    /// The diary keeps messages whole, not their first lines alone.
    whole: bool,
    stop: bool,
    /// How dialogs reach the switch that are not over the one socket of most phones.
    routes: HashMap<String, Route>,
    switch_of_six: Option<SocketAddr>,
}

#[derive(Clone)]
enum Route {
    Datagrams(Arc<UdpSocket>, SocketAddr),
    Stream(Arc<TcpStream>),
}

impl Route {
    fn send(&self, text: &str) {
        // What gets lost shows as a failed scenario; there is nobody to tell here.
        let _ = match self {
            Route::Datagrams(socket, to) => socket.send_to(text.as_bytes(), to).map(drop),
            Route::Stream(stream) => (&**stream).write_all(text.as_bytes()),
        };
    }
}

enum Timer {
    /// A phone with real media announces when its media is ready.
    Announce {
        call_id: String,
    },
    /// A leg's next own step: this final response.
    Final {
        call_id: String,
        status: u16,
    },
    /// A reply of a phone that has its own list of them.
    Reply {
        call_id: String,
        reply: Reply,
    },
    /// A caller's request within its dialog.
    Refresh {
        call_id: String,
        method: &'static str,
    },
    /// A final response that was not yet acknowledged.
    Repeat {
        call_id: String,
        round: usize,
    },
    HangUp {
        call_id: String,
        round: usize,
    },
}

/// One message on the wire.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: Instant,
    pub sent: bool,
    pub call_id: String,
    pub what: String,
    /// None unless `keep_messages` was asked for.
    pub message: Option<Message>,
}

/// One INVITE's life at a phone.
#[derive(Debug, Clone)]
pub struct Leg {
    pub seat: String,
    pub invite: Message,
    pub at: Instant,
    /// The last copy of the INVITE: a phone that never replies sees several.
    pub last_copy: Instant,
    pub rang: Option<Instant>,
    /// The final response and when it was first sent.
    pub last: Option<(Instant, u16)>,
    pub acknowledged: Option<Instant>,
    pub cancel: Option<(Instant, Message)>,
    pub bye: Option<(Instant, Message)>,
    /// Every SDP that it was sent, in its INVITE and later ones.
    pub sdps: Vec<(Instant, String)>,
    to_tag: String,
    response: Option<String>,
    /// A reliable reply has no PRACK yet.
    unheard: bool,
    /// What its own re-INVITE was replied with.
    refreshed: Option<u16>,
}

impl Leg {
    /// Nothing more is to come but the end of an answered call.
    pub fn is_settled(&self, behaviour: Behaviour) -> bool {
        behaviour == Behaviour::Dead || self.acknowledged.is_some()
    }
}

/// A call that one of our phones placed.
#[derive(Debug, Clone, Default)]
pub struct Call {
    pub responses: Vec<(Instant, u16)>,
    /// Of the last reply to its INVITE.
    pub reason: Option<String>,
    pub answered: Option<Instant>,
    /// A final response other than 2xx, a BYE, or our own hang-up confirmed.
    pub over: Option<Instant>,
    /// Every SDP that it was sent, in a response or an INVITE.
    pub sdps: Vec<(Instant, String)>,
    /// It offered nothing: its ACK answers what the switch offers.
    offers_late: bool,
    /// What its UPDATE was replied with.
    refreshed: Option<u16>,
    /// A CANCEL was sent; should the answer have crossed it, a BYE follows.
    pub gave_up: Option<Instant>,
    /// Its caller hangs up so long after the answer.
    talks: Option<Duration>,
    user: String,
    exten: String,
    switch: Option<SocketAddr>,
    branch: String,
    from_tag: String,
    to: String,
    /// With the tag that ringing brought: what `Replaces` must name.
    dialog_to: String,
    target: String,
}

impl Phones {
    /// The phones' address, for a switch that must know it beforehand.
    pub fn socket() -> std::io::Result<UdpSocket> {
        UdpSocket::bind("127.0.0.1:0")
    }

    /// `switch` is the SIP address of the PBX, `domain` what the phones register with.
    pub fn start(socket: UdpSocket, switch: SocketAddr, domain: &str) -> std::io::Result<Phones> {
        let six = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(Arc::new);
        let inner = Arc::new(Inner {
            second: Arc::new(UdpSocket::bind("127.0.0.1:0")?),
            six,
            listener: TcpListener::bind("127.0.0.1:0")?,
            own: socket.local_addr()?,
            socket,
            switch,
            domain: domain.to_string(),
            numbers: AtomicU64::new(1),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let served = Arc::clone(&inner);
        let thread = std::thread::Builder::new()
            .name("phones".into())
            .spawn(move || served.serve())?;
        for socket in inner.six.iter().chain([&inner.second]) {
            let (served, socket) = (Arc::clone(&inner), Arc::clone(socket));
            std::thread::spawn(move || served.serve_datagrams(&socket));
        }
        let served = Arc::clone(&inner);
        std::thread::spawn(move || served.accept());
        Ok(Phones {
            inner,
            thread: Some(thread),
        })
    }

    /// Registers a device; `seat` must be unique, it becomes the user part of the contact.
    pub fn register(&self, seat: &str, user: &str, does: Behaviour) -> Result<(), String> {
        let mut state = self.inner.lock();
        state.seats.insert(seat.to_string(), does);
        state.numbers.insert(user.to_string(), seat.to_string());
        state.users.insert(seat.to_string(), user.to_string());
        drop(state);
        let contact = self.inner.contact(seat, does);
        self.inner.registration(seat, user, &contact, 7200)
    }

    /// Registers whatever a hostile phone may say in its Contact header, as it is.
    pub fn register_as(&self, user: &str, contact: &str) -> Result<(), String> {
        self.inner.registration("hostile", user, contact, 7200)
    }

    /// From now on this seat does so, registered or not.
    pub fn seat(&self, seat: &str, does: Behaviour) {
        self.inner.lock().seats.insert(seat.to_string(), does);
    }

    pub fn unregister(&self, seat: &str, user: &str) -> Result<(), String> {
        let does = self.inner.lock().seats.get(seat).copied();
        let contact = self.inner.contact(seat, does.unwrap_or(Behaviour::Rings));
        let mut done = self.inner.registration(seat, user, &contact, 0);
        if let (Ok(()), Some(Behaviour::MovesThenAnswers(..))) = (&done, does) {
            done = self.at_second(seat, user, 0);
        }
        let mut state = self.inner.lock();
        state.seats.remove(seat);
        state.numbers.remove(user);
        state.users.remove(seat);
        drop(state);
        done
    }

    /// This user's calls have real media from now on, or none again.
    pub fn lend(&self, user: &str, line: Option<Arc<Line>>) {
        let mut state = self.inner.lock();
        match line {
            Some(line) => state.lines.insert(user.to_string(), line),
            None => state.lines.remove(user),
        };
    }

    /// Calls an extension; the Call-ID is given so that the switch's events can be matched to it.
    pub fn dial(&self, call_id: &str, user: &str, exten: &str, headers: &[(String, String)]) {
        self.dial_with(call_id, user, exten, headers, true);
    }

    /// With an offer of its own, or without.
    pub fn dial_with(
        &self,
        call_id: &str,
        user: &str,
        exten: &str,
        headers: &[(String, String)],
        offers: bool,
    ) {
        let number = self.inner.number();
        let line = self.inner.lock().lines.get(user).cloned();
        let switch = line.as_ref().and_then(|line| line.plug.switch);
        let call = Call {
            user: user.to_string(),
            exten: exten.to_string(),
            switch,
            branch: format!("z9hG4bK-c{number}"),
            from_tag: format!("c{number}"),
            to: format!("<sip:{exten}@{}>", self.inner.domain),
            target: format!("sip:{exten}@{}", switch.unwrap_or(self.inner.switch)),
            offers_late: !offers,
            ..Call::default()
        };
        let mut invite = self
            .inner
            .request(&call, call_id, "INVITE", 1, &call.branch);
        for (name, value) in headers {
            invite.push_str(&format!("{name}: {value}\r\n"));
        }
        invite.push_str(&format!("Contact: <sip:{user}@{}>\r\n", self.inner.own));
        let sdp = self.inner.sdp(line.as_deref());
        let invite = sip::finish(invite, offers.then_some(&sdp));
        let mut state = self.inner.lock();
        state.calls.insert(call_id.to_string(), call);
        self.inner.send(&mut state, call_id, &invite);
    }

    /// The caller hangs up at this time: CANCEL before the answer, BYE after it.
    pub fn hang_up(&self, call_id: &str, at: Instant) {
        let number = self.inner.number();
        self.inner.lock().timers.insert(
            (at, number),
            Timer::HangUp {
                call_id: call_id.to_string(),
                round: 0,
            },
        );
        self.inner.wake();
    }

    /// The caller asks at this time for something within its dialog.
    pub fn refresh(&self, call_id: &str, method: &'static str, at: Instant) {
        let due = (at, self.inner.number());
        let call_id = call_id.to_string();
        let refresh = Timer::Refresh { call_id, method };
        self.inner.lock().timers.insert(due, refresh);
        self.inner.wake();
    }

    /// The final reply to what `refresh` asked.
    pub fn refreshed(&self, call_id: &str) -> Option<u16> {
        let state = self.inner.lock();
        let of_leg = state.legs.get(call_id).and_then(|leg| leg.refreshed);
        of_leg.or(state.calls.get(call_id).and_then(|call| call.refreshed))
    }

    /// Where the phones over IPv6 register; None: they are phones like the others.
    pub fn switch_of_six(&self, switch: Option<SocketAddr>) {
        self.inner.lock().switch_of_six = switch;
    }

    /// The device registers again, at another port: the same instance, so the same device.
    pub fn move_to_second(&self, seat: &str, user: &str) -> Result<(), String> {
        // Sofia takes the contact of before out only where the two expire at different times.
        self.at_second(seat, user, 7100)
    }

    fn at_second(&self, seat: &str, user: &str, expires: u32) -> Result<(), String> {
        let second = self.inner.second.local_addr();
        let second = second.map_err(|error| error.to_string())?;
        let contact = format!("<sip:{seat}@{second}>;{}", instance(seat));
        self.inner.registration(seat, user, &contact, expires)
    }

    /// The caller of this call hangs up so long after its answer.
    pub fn talk(&self, call_id: &str, talks: Duration) {
        if let Some(call) = self.inner.lock().calls.get_mut(call_id) {
            call.talks = Some(talks);
        }
    }

    /// These dialogs are over and done with.
    pub fn forget(&self, call_ids: &[&str]) {
        let mut state = self.inner.lock();
        for call_id in call_ids {
            state.legs.remove(*call_id);
            state.calls.remove(*call_id);
            state.forgotten.insert(call_id.to_string());
        }
        let is_kept = |entry: &Entry| !call_ids.contains(&entry.call_id.as_str());
        state.diary.retain(is_kept);
    }

    /// The Call-ID of this user's call under way; waits for it.
    pub fn calling(&self, user: &str, until: Instant) -> Option<String> {
        let mut found = None;
        self.wait(until, |_, calls| {
            let mut calls = calls.iter();
            let its = calls.find(|(_, call)| call.user == user && call.over.is_none());
            found = its.map(|(call_id, _)| call_id.clone());
            found.is_some()
        });
        found
    }

    /// The phone that placed both calls connects them: a transfer while the second still rings.
    pub fn refer(&self, call_id: &str, to_replace: &str) -> Result<(), String> {
        let number = self.inner.number();
        let mut state = self.inner.lock();
        let call = state.calls.get(call_id).cloned().ok_or("no such call")?;
        let other = state.calls.get(to_replace).ok_or("no call to replace")?;
        let to_tag = other
            .dialog_to
            .split_once(";tag=")
            .map_or("", |(_, tag)| tag);
        let replaces = format!(
            "{to_replace}%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{}",
            other.from_tag
        );
        let domain = &self.inner.domain;
        let refer_to = format!("<sip:{}@{domain}?Replaces={replaces}>", other.exten);
        let mut refer =
            self.inner
                .request(&call, call_id, "REFER", 3, &format!("z9hG4bK-f{number}"));
        refer.push_str(&format!(
            "Contact: <sip:{}@{}>\r\nRefer-To: {refer_to}\r\nReferred-By: <sip:{}@{domain}>\r\n",
            call.user, self.inner.own, call.user
        ));
        self.inner
            .send(&mut state, call_id, &sip::finish(refer, None));
        Ok(())
    }

    pub fn call(&self, call_id: &str) -> Option<Call> {
        self.inner.lock().calls.get(call_id).cloned()
    }

    /// The legs of the phones whose seat fits, in order of their INVITEs.
    pub fn legs(&self, seats: impl Fn(&str) -> bool) -> Vec<(String, Leg)> {
        let state = self.inner.lock();
        let fits = state.legs.iter().filter(|(_, leg)| seats(&leg.seat));
        let mut legs: Vec<_> = fits
            .map(|(call_id, leg)| (call_id.clone(), leg.clone()))
            .collect();
        legs.sort_by_key(|(_, leg)| leg.at);
        legs
    }

    /// Waits until what is asked is true of the legs and calls; false when the time is over.
    pub fn wait(
        &self,
        until: Instant,
        mut done: impl FnMut(&HashMap<String, Leg>, &HashMap<String, Call>) -> bool,
    ) -> bool {
        let mut state = self.inner.lock();
        loop {
            if done(&state.legs, &state.calls) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .inner
                .changed
                .wait_timeout(state, left)
                .expect("phones: the lock is whole")
                .0;
        }
    }

    /// From now on the diary keeps every message whole: for those who compare them.
    pub fn keep_messages(&self) {
        self.inner.lock().whole = true;
    }

    /// Every message of these dialogs, for a failed scenario's report.
    pub fn diary(&self, of: impl Fn(&str) -> bool) -> Vec<Entry> {
        self.inner
            .lock()
            .diary
            .iter()
            .filter(|entry| of(&entry.call_id))
            .cloned()
            .collect()
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.inner.lock().stop = true;
        self.inner.wake();
        // The thread that accepts looks again, too.
        if let Ok(address) = self.inner.listener.local_addr() {
            let _ = TcpStream::connect(address);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("phones: the lock is whole")
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// An empty datagram to ourselves makes the thread look at its timers again.
    fn wake(&self) {
        let _ = self.socket.send_to(b"", self.own);
    }

    /// Where a device says it is: a stale one at a port where nobody listens.
    fn contact_port(&self, does: Behaviour) -> u16 {
        // Port 9 is "discard", closed wherever tests run; the kernel answers at once.
        if does == Behaviour::Stale {
            9
        } else {
            self.own.port()
        }
    }

    fn sdp(&self, line: Option<&Line>) -> String {
        line.map_or_else(|| sip::sdp(self.own.port()), Line::sdp)
    }

    fn send(&self, state: &mut State, call_id: &str, text: &str) {
        let what = text.lines().next().unwrap_or("").to_string();
        let message = state.whole.then(|| Message::parse(text.as_bytes()));
        state.diary.push(Entry {
            at: Instant::now(),
            sent: true,
            call_id: call_id.to_string(),
            what,
            message: message.flatten(),
        });
        if let Some(route) = state.routes.get(call_id) {
            return route.send(text);
        }
        // A lost datagram shows as a failed scenario; there is nobody to tell here.
        let call = state.calls.get(call_id);
        let to = call.and_then(|call| call.switch).unwrap_or(self.switch);
        let _ = self.socket.send_to(text.as_bytes(), to);
    }

    fn contact(&self, seat: &str, does: Behaviour) -> String {
        let instance = match does {
            Behaviour::MovesThenAnswers(..) => format!(";{}", instance(seat)),
            _ => String::new(),
        };
        format!("<sip:{}>{instance}", self.place(seat, does))
    }

    /// Where a device is, as a URI without its scheme.
    fn place(&self, seat: &str, does: Behaviour) -> String {
        let address = match (way(seat), &self.six, self.listener.local_addr()) {
            (Way::Tcp, _, Ok(own)) => return format!("{seat}@{own};transport=tcp"),
            (Way::Six, Some(six), _) => six.local_addr().ok(),
            _ => None,
        };
        let usual = || format!("{seat}@127.0.0.1:{}", self.contact_port(does));
        address.map_or_else(usual, |own| format!("{seat}@{own}"))
    }

    /// How a device that is not over the one socket reaches the switch.
    fn route(
        self: &Arc<Inner>,
        seat: &str,
        six: Option<SocketAddr>,
    ) -> Result<Option<Route>, String> {
        match (way(seat), &self.six, six) {
            (Way::Tcp, ..) => {
                let stream = TcpStream::connect(self.switch).map_err(|error| error.to_string())?;
                let stream = Arc::new(stream);
                let (served, read) = (Arc::clone(self), Arc::clone(&stream));
                std::thread::spawn(move || served.serve_stream(&read));
                Ok(Some(Route::Stream(stream)))
            }
            (Way::Six, Some(socket), Some(switch)) => {
                Ok(Some(Route::Datagrams(Arc::clone(socket), switch)))
            }
            _ => Ok(None),
        }
    }

    fn registration(
        self: &Arc<Inner>,
        seat: &str,
        user: &str,
        contact: &str,
        expires: u32,
    ) -> Result<(), String> {
        let number = self.number();
        let (own, domain) = (self.own, &self.domain);
        // A device goes on with its Call-ID, as phones do, by which sofia knows that it is the same.
        let call_id = match seat {
            "hostile" => format!("register-{seat}-{number}"),
            seat => format!("register-{seat}"),
        };
        self.lock().registered.remove(&call_id);
        let six = self.lock().switch_of_six;
        let route = self.route(seat, six)?;
        let transport = match &route {
            Some(Route::Stream(_)) => "TCP",
            _ => "UDP",
        };
        if let Some(route) = route {
            self.lock().routes.insert(call_id.clone(), route);
        }
        let request = format!(
            "REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/{transport} {own};rport;branch=z9hG4bK-r{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{domain}>;tag=r{number}\r\nTo: <sip:{user}@{domain}>\r\n\
             Call-ID: {call_id}\r\nCSeq: {number} REGISTER\r\nContact: {contact}\r\n\
             Expires: {expires}\r\nContent-Length: 0\r\n\r\n"
        );
        let until = Instant::now() + PATIENCE;
        let mut again = Instant::now() + REGISTERS_AGAIN;
        let mut state = self.lock();
        self.send(&mut state, &call_id, &request);
        loop {
            match state.registered.get(&call_id) {
                Some(200) => return Ok(()),
                Some(status) => return Err(format!("REGISTER of {user} got {status}")),
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("REGISTER of {user} got no reply"));
            }
            // A datagram may get lost where hundreds come at once.
            if Instant::now() >= again {
                again += REGISTERS_AGAIN;
                self.send(&mut state, &call_id, &request);
            }
            state = self
                .changed
                .wait_timeout(state, left.min(REGISTERS_AGAIN))
                .expect("phones: the lock is whole")
                .0;
        }
    }

    /// The head of a request of a call that we placed.
    fn request(&self, call: &Call, call_id: &str, method: &str, cseq: u32, branch: &str) -> String {
        let (own, domain) = (self.own, &self.domain);
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch={branch}\r\nMax-Forwards: 70\r\n\
             From: \"{}\" <sip:{}@{domain}>;tag={}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n",
            call.target, call.user, call.user, call.from_tag, call.to
        )
    }

    /// What comes over another socket than most phones have.
    fn serve_datagrams(&self, socket: &Arc<UdpSocket>) {
        let mut buffer = vec![0; 65536];
        let _ = socket.set_read_timeout(Some(LOOKS_AGAIN));
        while !self.lock().stop {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                self.came(
                    &buffer[..length],
                    Some(Route::Datagrams(Arc::clone(socket), from)),
                );
            }
        }
    }

    fn accept(self: &Arc<Inner>) {
        for stream in self.listener.incoming() {
            if self.lock().stop {
                return;
            }
            if let Ok(stream) = stream {
                let served = Arc::clone(self);
                std::thread::spawn(move || served.serve_stream(&Arc::new(stream)));
            }
        }
    }

    /// One message after another: a head, an empty line, and as many bytes as Content-Length says.
    fn serve_stream(&self, stream: &Arc<TcpStream>) {
        let (mut unread, mut buffer) = (Vec::new(), vec![0; 65536]);
        let _ = stream.set_read_timeout(Some(LOOKS_AGAIN));
        while !self.lock().stop {
            match (&**stream).read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => unread.extend_from_slice(&buffer[..length]),
                Err(_) => continue,
            }
            while let Some(length) = sip::length_of_first(&unread) {
                let message: Vec<u8> = unread.drain(..length).collect();
                self.came(&message, Some(Route::Stream(Arc::clone(stream))));
            }
        }
    }

    fn serve(&self) {
        let mut buffer = vec![0; 65536];
        loop {
            let wait = {
                let mut state = self.lock();
                if state.stop {
                    return;
                }
                self.run_due(&mut state);
                state
                    .timers
                    .keys()
                    .next()
                    .map(|(at, _)| at.saturating_duration_since(Instant::now()))
            };
            let wait = wait
                .unwrap_or(Duration::from_secs(1))
                .max(Duration::from_micros(100));
            let _ = self.socket.set_read_timeout(Some(wait));
            // An error is a timeout, or the ICMP answer to an earlier datagram of ours.
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            self.came(&buffer[..length], None);
        }
    }

    fn came(&self, bytes: &[u8], route: Option<Route>) {
        let at = Instant::now();
        let Some(message) = Message::parse(bytes) else {
            return;
        };
        let mut state = self.lock();
        let what = message.start.clone();
        let call_id = message.call_id().to_string();
        if let Some(route) = route {
            state.routes.insert(call_id.clone(), route);
        }
        let whole = state.whole.then(|| message.clone());
        state.diary.push(Entry {
            at,
            sent: false,
            call_id,
            what,
            message: whole,
        });
        match message.status() {
            Some(status) => self.response(&mut state, at, status, message),
            None => self.request_came(&mut state, at, message),
        }
        drop(state);
        self.changed.notify_all();
    }

    fn run_due(&self, state: &mut State) {
        while let Some(entry) = state.timers.first_entry() {
            if entry.key().0 > Instant::now() {
                return;
            }
            match entry.remove() {
                Timer::Announce { call_id } => {
                    // A leg that is over by then announces nothing.
                    if state
                        .legs
                        .get(&call_id)
                        .is_some_and(|leg| leg.last.is_none())
                    {
                        self.respond(state, &call_id, says(0, 183));
                    }
                }
                Timer::Final { call_id, status } => {
                    self.final_response(state, &call_id, says(0, status))
                }
                Timer::Reply { call_id, reply } => self.reply(state, &call_id, reply),
                Timer::Refresh { call_id, method } => self.refresh_now(state, &call_id, method),
                Timer::Repeat { call_id, round } => self.repeat(state, &call_id, round),
                Timer::HangUp { call_id, round } => self.hang_up_now(state, &call_id, round),
            }
            self.changed.notify_all();
        }
    }

    fn request_came(&self, state: &mut State, at: Instant, message: Message) {
        let call_id = message.call_id().to_string();
        match message.method() {
            "INVITE" => self.invited(state, at, call_id, message),
            "ACK" => {
                let seat = state.legs.get(&call_id).map(|leg| &leg.seat);
                let user = seat.and_then(|seat| state.users.get(seat));
                let user = user.or(state.calls.get(&call_id).map(|call| &call.user));
                let line = user.and_then(|user| state.lines.get(user)).cloned();
                // An offer of ours, asked for by an INVITE without one, is answered here.
                let sdps = match (state.legs.get_mut(&call_id), state.calls.get_mut(&call_id)) {
                    (Some(leg), _) => {
                        leg.acknowledged.get_or_insert(at);
                        &mut leg.sdps
                    }
                    (None, Some(call)) => &mut call.sdps,
                    (None, None) => return,
                };
                hears_of(line.as_deref(), sdps, at, &message);
            }
            "CANCEL" => {
                let to_tag = state
                    .legs
                    .get(&call_id)
                    .map_or("none", |leg| leg.to_tag.as_str())
                    .to_string();
                let is_dead = state
                    .legs
                    .get(&call_id)
                    .and_then(|leg| state.seats.get(&leg.seat))
                    .is_some_and(|does| *does == Behaviour::Dead);
                if let Some(leg) = state.legs.get_mut(&call_id) {
                    leg.cancel.get_or_insert((at, message.clone()));
                }
                if !is_dead {
                    self.send(state, &call_id, &message.answer(200, &to_tag, None, None));
                    self.final_response(state, &call_id, says(0, 487));
                }
            }
            "BYE" => {
                if let Some(leg) = state.legs.get_mut(&call_id) {
                    leg.bye.get_or_insert((at, message.clone()));
                }
                if let Some(call) = state.calls.get_mut(&call_id) {
                    call.over.get_or_insert(at);
                }
                self.send(state, &call_id, &message.answer(200, "none", None, None));
            }
            method => {
                if let Some(leg) = state.legs.get_mut(&call_id).filter(|_| method == "PRACK") {
                    leg.unheard = false;
                }
                self.send(state, &call_id, &message.answer(200, "none", None, None));
            }
        }
    }

    fn invited(&self, state: &mut State, at: Instant, call_id: String, message: Message) {
        let user = message.request_user();
        let by_number = || state.numbers.get(user).cloned();
        let seat = Some(user.to_string())
            .filter(|seat| state.seats.contains_key(seat))
            .or_else(by_number)
            .unwrap_or(user.to_string());
        if let Some(call) = state.calls.get_mut(&call_id) {
            // A re-INVITE to a caller: the media may move, the call stays.
            let line = state.lines.get(&call.user).cloned();
            hears_of(line.as_deref(), &mut call.sdps, at, &message);
            let answer =
                self.invite_answer(&message, says(0, 200), "none", [&seat, ""], line.as_deref());
            return self.send(state, &call_id, &answer);
        }
        let line = state
            .users
            .get(&seat)
            .and_then(|user| state.lines.get(user));
        let line = line.cloned();
        if let Some(leg) = state.legs.get_mut(&call_id) {
            leg.last_copy = at;
            let is_challenged = matches!(leg.last, Some((_, 401 | 407)));
            if is_challenged && has_credentials(&message) {
                leg.invite = message;
                (leg.last, leg.acknowledged, leg.response) = (None, None, None);
                if let Some(Behaviour::Challenges(_, after)) = state.seats.get(&seat).copied() {
                    self.plays(state, at, &call_id, &[says(0, 180), says(after, 200)]);
                }
                return;
            }
            if leg.invite.header("CSeq") != message.header("CSeq") {
                // A re-INVITE of an answered call: the media may move, the call stays.
                hears_of(line.as_deref(), &mut leg.sdps, at, &message);
                let answer = self.invite_answer(
                    &message,
                    says(0, 200),
                    &leg.to_tag,
                    [&seat, ""],
                    line.as_deref(),
                );
                self.send(state, &call_id, &answer);
            } else if let Some(response) = leg.response.clone() {
                self.send(state, &call_id, &response);
            }
            return;
        }
        if state.forgotten.contains(&call_id) {
            return;
        }
        let Some(does) = state.seats.get(&seat).copied() else {
            // The phone of a scenario that is over: a straggler, not a ring.
            self.send(state, &call_id, &message.answer(404, "gone", None, None));
            return;
        };
        let leg = Leg {
            seat,
            invite: message.clone(),
            at,
            last_copy: at,
            rang: None,
            last: None,
            acknowledged: None,
            cancel: None,
            bye: None,
            sdps: vec![(at, message.body.clone())],
            to_tag: format!("p{}", self.number()),
            response: None,
            unheard: false,
            refreshed: None,
        };
        state.legs.insert(call_id.clone(), leg);
        let (first, then) = match does {
            Behaviour::Answers(after) | Behaviour::RegistersThenAnswers(_, after) => {
                (180, Some((200, after)))
            }
            Behaviour::MovesThenAnswers(_, after) => (180, Some((200, after))),
            Behaviour::Rings => (180, None),
            Behaviour::Rejects(status, after) => (100, Some((status, after))),
            Behaviour::RingsThenRejects(status, after) => (180, Some((status, after))),
            Behaviour::Announces => (183, None),
            Behaviour::AnnouncesThenAnswers(after) => (183, Some((200, after))),
            Behaviour::AnnouncesThenRejects(status, after) => (183, Some((status, after))),
            Behaviour::Says(replies) => return self.plays(state, at, &call_id, replies),
            Behaviour::Challenges(status, _) => {
                return self.plays(state, at, &call_id, &[says(0, status)]);
            }
            Behaviour::Dead | Behaviour::Stale => return,
        };
        if let (183, Some(_)) = (first, line) {
            let due = at + MEDIA_READY;
            let call_id = call_id.clone();
            state
                .timers
                .insert((due, self.number()), Timer::Announce { call_id });
        } else {
            self.respond(state, &call_id, says(0, first));
        }
        if let Some((status, after)) = then {
            let due = at + Duration::from_millis(after);
            state
                .timers
                .insert((due, self.number()), Timer::Final { call_id, status });
        }
    }

    /// Replies at their times; what is due at once is sent at once.
    fn plays(&self, state: &mut State, at: Instant, call_id: &str, replies: &[Reply]) {
        for reply in replies {
            if reply.at == 0 {
                self.reply(state, call_id, *reply);
                continue;
            }
            let due = (at + Duration::from_millis(reply.at), self.number());
            let (call_id, reply) = (call_id.to_string(), *reply);
            state.timers.insert(due, Timer::Reply { call_id, reply });
        }
    }

    /// Nothing is said after the final response.
    fn reply(&self, state: &mut State, call_id: &str, reply: Reply) {
        let unheard = state.legs.get(call_id).is_some_and(|leg| leg.unheard);
        if reply.status == HANGS_UP {
            self.leg_hangs_up(state, call_id);
        } else if unheard && reply.status == 200 {
            // Who wants a PRACK does not answer without it (RFC 3262).
            self.final_response(state, call_id, says(0, 504));
        } else if reply.status >= 200 {
            self.final_response(state, call_id, reply);
        } else if state
            .legs
            .get(call_id)
            .is_some_and(|leg| leg.last.is_none())
        {
            self.respond(state, call_id, reply);
        }
    }

    /// Where a redirecting phone sends its caller. The phones of a scenario have seats that end alike,
    /// and users of one slot.
    fn moved_to(&self, seat: &str, user: &str, reply: Reply) -> String {
        let suffix = seat.rfind("-r").map_or("", |from| &seat[from..]);
        let fill = |text: &str| in_slot(text, slot_of(user)).replace("DOMAIN", &self.domain);
        let place = |name: &str| format!("{name}{suffix}@{}", self.own);
        reply.contacts(fill, place).join(", ")
    }

    fn invite_answer(
        &self,
        invite: &Message,
        reply: Reply,
        to_tag: &str,
        [seat, user]: [&str; 2],
        line: Option<&Line>,
    ) -> String {
        let status = reply.status;
        let contact = match status {
            300..400 => self.moved_to(seat, user, reply),
            _ => format!("<sip:{}>", self.place(seat, Behaviour::Rings)),
        };
        let sdp = match reply.sdp {
            Sdp::None => None,
            Sdp::Good if invite.body.contains("IP6") => Some(sip::sdp_of_six(self.own.port())),
            Sdp::Good => Some(self.sdp(line)),
            Sdp::Unusable => Some(sip::unusable_sdp(self.own.port())),
        };
        let sdp = sdp.as_deref();
        let has_contact = status < 400 && !contact.is_empty();
        let answer = invite.answer(status, to_tag, has_contact.then_some(&contact), sdp);
        let asks = |name| sip::with_header(&answer, name, CHALLENGE);
        match status {
            401 => asks("WWW-Authenticate"),
            407 => asks("Proxy-Authenticate"),
            _ => answer,
        }
    }

    fn respond(&self, state: &mut State, call_id: &str, reply: Reply) {
        let status = reply.status;
        let number = self.number();
        let Some(leg) = state.legs.get_mut(call_id) else {
            return;
        };
        let user = state.users.get(&leg.seat);
        let line = user.and_then(|user| state.lines.get(user));
        let line = line.map(Arc::as_ref);
        if let (Sdp::Good, Some(line)) = (reply.sdp, line) {
            line.play_to(&leg.invite.body);
        }
        let named = [leg.seat.as_str(), user.map_or("", String::as_str)];
        if reply.dialog > 0 {
            let first = leg.to_tag.split('-').next().unwrap_or("");
            leg.to_tag = format!("{first}-{}", reply.dialog);
        }
        let mut response = self.invite_answer(&leg.invite, reply, &leg.to_tag, named, line);
        if reply.is_reliable {
            leg.unheard = true;
            response = sip::with_header(&response, "RSeq", &number.to_string());
            response = sip::with_header(&response, "Require", "100rel");
        }
        leg.response = Some(response.clone());
        if (101..200).contains(&status) {
            leg.rang.get_or_insert(Instant::now());
        } else if status >= 200 {
            leg.last = Some((Instant::now(), status));
        }
        self.send(state, call_id, &response);
    }

    /// A caller's request within its dialog: of one who dialled in, or of one who was called.
    fn refresh_now(&self, state: &mut State, call_id: &str, method: &str) {
        let number = self.number();
        let branch = format!("z9hG4bK-u{number}");
        let own = self.own;
        if let Some(call) = state.calls.get(call_id).cloned() {
            let call = Call {
                to: call.dialog_to.clone(),
                ..call
            };
            let mut request = self.request(&call, call_id, method, 2, &branch);
            request.push_str(&format!("Contact: <sip:{}@{own}>\r\n", call.user));
            // Nobody offers again whose offer has no answer yet (RFC 3311).
            let has_media = !call.sdps.is_empty();
            let offer = has_media.then(|| self.sdp(None));
            return self.send(state, call_id, &sip::finish(request, offer.as_deref()));
        }
        let Some(leg) = state.legs.get(call_id) else {
            return;
        };
        let mut request = leg_request(leg, own, call_id, method, 1, &branch);
        request.push_str(&format!("Contact: <sip:{}@{own}>\r\n", leg.seat));
        let offer = self.sdp(None);
        self.send(state, call_id, &sip::finish(request, Some(&offer)));
    }

    /// A phone ends the call that it has answered.
    fn leg_hangs_up(&self, state: &mut State, call_id: &str) {
        let number = self.number();
        let Some(leg) = state.legs.get(call_id) else {
            return;
        };
        let branch = format!("z9hG4bK-l{number}");
        let bye = leg_request(leg, self.own, call_id, "BYE", 1, &branch);
        self.send(state, call_id, &sip::finish(bye, None));
    }

    fn final_response(&self, state: &mut State, call_id: &str, reply: Reply) {
        if state.legs.get(call_id).is_none_or(|leg| leg.last.is_some()) {
            return;
        }
        self.respond(state, call_id, reply);
        self.repeat_later(state, call_id, 0);
    }

    fn repeat_later(&self, state: &mut State, call_id: &str, round: usize) {
        if let Some(wait) = REPEATS.get(round) {
            let due = Instant::now() + Duration::from_millis(*wait);
            state.timers.insert(
                (due, self.number()),
                Timer::Repeat {
                    call_id: call_id.to_string(),
                    round,
                },
            );
        }
    }

    fn repeat(&self, state: &mut State, call_id: &str, round: usize) {
        let Some(leg) = state
            .legs
            .get(call_id)
            .filter(|leg| leg.acknowledged.is_none())
        else {
            return;
        };
        if let Some(response) = leg.response.clone() {
            self.send(state, call_id, &response);
            self.repeat_later(state, call_id, round + 1);
        }
    }

    fn response(&self, state: &mut State, at: Instant, status: u16, message: Message) {
        let call_id = message.call_id().to_string();
        match message.method() {
            "REGISTER" => {
                state.registered.insert(call_id, status);
            }
            "UPDATE" => {
                if let Some(call) = state.calls.get_mut(&call_id) {
                    call.refreshed = Some(status);
                }
            }
            "INVITE" => {
                if let Some(leg) = state.legs.get_mut(&call_id).filter(|_| status >= 200) {
                    leg.refreshed = Some(status);
                    let branch = format!("z9hG4bK-v{}", self.number());
                    let ack = leg_request(leg, self.own, &call_id, "ACK", 1, &branch);
                    return self.send(state, &call_id, &sip::finish(ack, None));
                }
                let Some(call) = state.calls.get_mut(&call_id) else {
                    return;
                };
                call.responses.push((at, status));
                call.reason = message.header("Reason").map(str::to_string);
                let line = state.lines.get(&call.user).map(Arc::as_ref);
                hears_of(line, &mut call.sdps, at, &message);
                let to = message.header("To").unwrap_or("");
                if status > 100 {
                    call.dialog_to = to.to_string();
                }
                if status < 200 {
                    return;
                }
                call.to = to.to_string();
                let call_now = if status < 300 {
                    call.answered.get_or_insert(at);
                    if let Some(contact) = message.header("Contact") {
                        call.target = sip::bare_uri(contact).to_string();
                    }
                    call.clone()
                } else {
                    call.over.get_or_insert(at);
                    call.clone()
                };
                // The ACK of a 2xx is a transaction of its own, that of a failure belongs to the INVITE.
                let branch = if status < 300 {
                    format!("z9hG4bK-a{}", self.number())
                } else {
                    call_now.branch.clone()
                };
                let ack = self.request(&call_now, &call_id, "ACK", 1, &branch);
                let answers = call_now.offers_late && status < 300;
                let ack = sip::finish(ack, answers.then(|| self.sdp(None)).as_deref());
                self.send(state, &call_id, &ack);
                if call_now.answered.is_some() && call_now.gave_up.is_some() {
                    self.hang_up_now(state, &call_id, 0);
                } else if let (Some(answered), Some(talks)) = (call_now.answered, call_now.talks) {
                    let due = (answered + talks, self.number());
                    state
                        .timers
                        .insert(due, Timer::HangUp { call_id, round: 0 });
                }
            }
            "BYE" => {
                if let Some(call) = state.calls.get_mut(&call_id) {
                    call.over.get_or_insert(at);
                }
            }
            _ => {}
        }
    }

    /// Repeated until the switch has replied: a datagram may be lost (RFC 3261, 17.1.2.1).
    fn hang_up_now(&self, state: &mut State, call_id: &str, round: usize) {
        let Some(call) = state
            .calls
            .get_mut(call_id)
            .filter(|call| call.over.is_none())
        else {
            return;
        };
        if call.answered.is_none() {
            call.gave_up.get_or_insert(Instant::now());
        }
        let call = call.clone();
        let request = if call.answered.is_some() {
            self.request(
                &call,
                call_id,
                "BYE",
                2,
                &format!("z9hG4bK-b{}", call.from_tag),
            )
        } else {
            // A CANCEL repeats the INVITE's URI, To and branch.
            let call = Call {
                to: format!("<sip:{}@{}>", call.exten, self.domain),
                ..call
            };
            self.request(&call, call_id, "CANCEL", 1, &call.branch)
        };
        self.send(state, call_id, &sip::finish(request, None));
        if let Some(wait) = REPEATS.get(round) {
            let due = Instant::now() + Duration::from_millis(*wait);
            state.timers.insert(
                (due, self.number()),
                Timer::HangUp {
                    call_id: call_id.to_string(),
                    round: round + 1,
                },
            );
        }
    }
}

/// The head of a request of a phone's on a leg that the switch dialled.
fn leg_request(
    leg: &Leg,
    own: SocketAddr,
    call_id: &str,
    method: &str,
    cseq: u32,
    branch: &str,
) -> String {
    let header = |name| leg.invite.header(name).unwrap_or("");
    let target = sip::bare_uri(header("Contact"));
    let (from, to, tag) = (header("To"), header("From"), &leg.to_tag);
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch={branch}\r\nMax-Forwards: 70\r\n\
         From: {from};tag={tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
    )
}

enum Way {
    Udp,
    Tcp,
    Six,
}

/// A seat's name says how its phone is reached.
fn way(seat: &str) -> Way {
    match seat {
        seat if seat.contains("-tcp") => Way::Tcp,
        seat if seat.contains("-v6") => Way::Six,
        _ => Way::Udp,
    }
}

/// What a device says of itself, wherever it is (RFC 5626).
fn instance(seat: &str) -> String {
    format!(
        "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-{:0>12}>\";reg-id=1",
        seat.replace("-r", "0")
    )
}

fn has_credentials(invite: &Message) -> bool {
    let names = ["Authorization", "Proxy-Authorization"];
    names.iter().any(|name| invite.header(name).is_some())
}

/// An SDP has come: it is kept, and the line plays to where it says.
fn hears_of(
    line: Option<&Line>,
    sdps: &mut Vec<(Instant, String)>,
    at: Instant,
    message: &Message,
) {
    if message.body.is_empty() {
        return;
    }
    sdps.push((at, message.body.clone()));
    if let Some(line) = line {
        line.play_to(&message.body);
    }
}
