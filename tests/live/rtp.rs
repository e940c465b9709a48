//! One side of a G.711 call: a port that plays a tone and keeps a diary of what it hears.
//! Every packet of 20 ms is kept with its time, where it came from, and the tone it carries.
//! The tones are multiples of 50 Hz: 20 ms hold whole waves, and Goertzel tells them apart.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// G.711 in packets of 20 ms.
const SAMPLES: usize = 160;
const PACKET: Duration = Duration::from_millis(20);
pub const PCMU: u8 = 0;
pub const PCMA: u8 = 8;

/// What ringback files and tones play, and then each phone's own.
pub const RINGING: u32 = 400;
pub const CALLER: u32 = 600;
pub const PHONES: &[(&str, u32)] = &[("1002", 1000), ("1003", 1200), ("1004", 1500)];

/// One packet that was received.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    pub at: Instant,
    pub from: SocketAddr,
    pub format: u8,
    /// None: silence, or nothing that any of us plays.
    pub tone: Option<u32>,
}

/// How a line presents itself.
#[derive(Debug, Clone, Copy)]
pub struct Plug {
    pub plays: u32,
    /// Payload types, the best first.
    pub formats: &'static [u8],
    /// A video stream is offered, too.
    pub video: bool,
    /// The profile of the switch that its user calls, if not the phones' own.
    pub switch: Option<SocketAddr>,
}

pub struct Line {
    pub plug: Plug,
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    socket: UdpSocket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where to play to, and in which format, once it is known.
    to: Option<(SocketAddr, u8)>,
    heard: Vec<Heard>,
    stop: bool,
}

impl Line {
    pub fn open(plug: Plug) -> std::io::Result<Line> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let port = socket.local_addr()?.port();
        let shared = Arc::new(Shared {
            socket,
            state: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("line".into())
            .spawn(move || served.serve(plug.plays))?;
        Ok(Line {
            plug,
            port,
            shared,
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What this line offers, and answers.
    pub fn sdp(&self) -> String {
        let formats: Vec<String> = self.plug.formats.iter().map(u8::to_string).collect();
        let port = self.port;
        let mut sdp = format!(
            "v=0\r\no=- {port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {}\r\na=sendrecv\r\n",
            formats.join(" ")
        );
        if self.plug.video {
            // Port 9 is "discard": nobody here looks at pictures.
            sdp.push_str("m=video 9 RTP/AVP 34\r\na=rtpmap:34 H263/90000\r\n");
        }
        sdp
    }

    /// The other side said in its SDP where it listens: play to it from now on.
    pub fn play_to(&self, sdp: &str) {
        if let Some(audio) = Audio::of(sdp) {
            let format = audio
                .formats
                .iter()
                .find(|format| self.plug.formats.contains(format));
            self.shared.lock().to = format.map(|format| (audio.address, *format));
        }
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.shared.lock().heard.clone()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("rtp: the lock is whole")
    }

    fn serve(&self, plays: u32) {
        let sounds = [PCMU, PCMA].map(|format| (format, sound(plays, format)));
        let mut buffer = [0; 2048];
        let mut number: u16 = 0;
        let mut due = Instant::now();
        loop {
            let to = {
                let state = self.lock();
                if state.stop {
                    return;
                }
                state.to
            };
            if Instant::now() >= due {
                due += PACKET;
                let sound = to.and_then(|(_, format)| sounds.iter().find(|(of, _)| *of == format));
                if let (Some((to, _)), Some((format, sound))) = (to, sound) {
                    number = number.wrapping_add(1);
                    // A lost packet shows in what the other side heard.
                    let _ = self
                        .socket
                        .send_to(&packet(number, *format, plays, sound), to);
                }
            }
            let wait = due
                .saturating_duration_since(Instant::now())
                .max(Duration::from_micros(100));
            let _ = self.socket.set_read_timeout(Some(wait));
            // An error is a timeout, or the ICMP answer to an earlier packet of ours.
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            let at = Instant::now();
            if let Some((format, payload)) = payload(&buffer[..length]) {
                let tone = tone_of(format, payload);
                self.lock().heard.push(Heard {
                    at,
                    from,
                    format,
                    tone,
                });
            }
        }
    }
}

/// The audio that an SDP speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    pub address: SocketAddr,
    pub formats: Vec<u8>,
}

impl Audio {
    pub fn of(sdp: &str) -> Option<Audio> {
        let value = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start));
        let host = value("c=IN IP4 ")?.trim();
        let mut media = value("m=audio ")?.split_whitespace();
        let port: u16 = media.next()?.parse().ok()?;
        let address = SocketAddr::new(host.parse().ok()?, port);
        let formats = media.skip(1).filter_map(|format| format.parse().ok());
        Some(Audio {
            address,
            formats: formats.collect(),
        })
    }
}

/// The tones that can be told apart in what was heard, one after another, each named once;
/// what lasted less than three packets is a click, and packets of silence part nothing.
pub fn tones(heard: &[Heard]) -> Vec<u32> {
    let sounding: Vec<u32> = heard.iter().filter_map(|packet| packet.tone).collect();
    let runs = sounding.chunk_by(|one, next| one == next);
    let mut tones: Vec<u32> = runs
        .filter(|run| run.len() >= 3)
        .map(|run| run[0])
        .collect();
    tones.dedup();
    tones
}

/// The longest time between two neighbours of these packets.
pub fn longest_pause<'a>(heard: impl IntoIterator<Item = &'a Heard>) -> Duration {
    let times: Vec<Instant> = heard.into_iter().map(|packet| packet.at).collect();
    let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
    pauses.max().unwrap_or_default()
}

fn packet(number: u16, format: u8, source: u32, sound: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, format];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * SAMPLES as u32).to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend(sound);
    packet
}

/// The format and the sound of a packet: RTP version 2 without extension, G.711.
fn payload(packet: &[u8]) -> Option<(u8, &[u8])> {
    let (head, sound) = packet.split_at_checked(12)?;
    let format = head[1] & 0x7f;
    let plain = head[0] == 0x80 && [PCMU, PCMA].contains(&format) && !sound.is_empty();
    plain.then_some((format, sound))
}

/// One packet of this tone; whole waves, so that it can follow itself.
fn sound(tone: u32, format: u8) -> Vec<u8> {
    let wave = |n: usize| {
        let turns = f64::from(tone) * n as f64 / 8000.0;
        (8000.0 * (std::f64::consts::TAU * turns).sin()) as i32
    };
    let nearest = |sample: i32| {
        (0..=u8::MAX)
            .min_by_key(|byte| (decoded(format, *byte) - sample).abs())
            .unwrap_or_default()
    };
    (0..SAMPLES).map(|n| nearest(wave(n))).collect()
}

/// The 16-bit sample that a G.711 byte stands for.
fn decoded(format: u8, byte: u8) -> i32 {
    let bits = if format == PCMA { byte ^ 0x55 } else { !byte };
    let (exponent, step) = (i32::from(bits >> 4 & 7), i32::from(bits & 15));
    let magnitude = match (format, exponent) {
        (PCMA, 0) => (step << 4) + 8,
        (PCMA, _) => ((step << 4) + 0x108) << (exponent - 1),
        _ => (((step << 3) + 0x84) << exponent) - 0x84,
    };
    let positive = (bits & 0x80 != 0) == (format == PCMA);
    if positive { magnitude } else { -magnitude }
}

/// The tone that most of a packet's power is in, if it can be heard at all.
fn tone_of(format: u8, sound: &[u8]) -> Option<u32> {
    let samples: Vec<f64> = sound
        .iter()
        .map(|byte| f64::from(decoded(format, *byte)))
        .collect();
    let count = samples.len() as f64;
    let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / count;
    // About 50 dB below full scale.
    if power.sqrt() < 100.0 {
        return None;
    }
    let known = [RINGING, CALLER];
    let known = known
        .into_iter()
        .chain(PHONES.iter().map(|(_, tone)| *tone));
    known
        .map(|tone| (tone, goertzel(&samples, tone)))
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .filter(|(_, its)| its / power > 0.4)
        .map(|(tone, _)| tone)
}

/// The mean power of one frequency.
fn goertzel(samples: &[f64], frequency: u32) -> f64 {
    let turn = std::f64::consts::TAU * f64::from(frequency) / 8000.0;
    let factor = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + factor * last - before, last);
    }
    let power = last * last + before * before - factor * last * before;
    2.0 * power / (samples.len() * samples.len()) as f64
}
