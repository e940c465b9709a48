//! The memory that several switches share, in Redis: one Lua script reads, chooses and records.
//! One worker has the one connection. Whoever asks waits for the worker's answer as long as his patience
//! lasts and no longer, whatever the worker is waiting for.

use super::config::{self, IdleSince};
use super::memory::{Ask, Note, Remote};
use super::order::{Moment, Seen};
use ::redis::{Client, Connection, Script};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many questions and notes may wait for the worker. More than that are refused: Redis is too slow.
const WAITING: usize = 256;
/// A note may take so long. Nobody waits for it, but for the worker.
const NOTE: Duration = Duration::from_millis(500);

struct Job {
    /// The group, or nothing where none is meant.
    group: String,
    arguments: Vec<String>,
    until: Instant,
    answer: Option<SyncSender<Result<Vec<i64>, String>>>,
}

pub struct Redis {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    shown: String,
}

impl Redis {
    /// The worker runs from now on; it connects when it is first asked.
    ///
    /// # Errors
    /// The URL cannot be read, or the thread not be started. The message has no password.
    pub fn new(url: &str, prefix: &str) -> Result<Redis, String> {
        let shown = config::without_password(url);
        let client = Client::open(url).map_err(|error| format!("{shown}: {error}"))?;
        let (sender, jobs) = sync_channel(WAITING);
        let worker = Worker {
            client,
            connection: None,
            script: Script::new(include_str!("redis.lua")),
            prefix: prefix.to_owned(),
        };
        let thread = std::thread::Builder::new().name("cti-redis".to_owned());
        let thread = thread.spawn(move || worker.run(&jobs));
        Ok(Redis {
            jobs: Some(sender),
            thread: Some(thread.map_err(|error| error.to_string())?),
            shown,
        })
    }

    fn send(&self, job: Job) -> Result<(), String> {
        let jobs = self.jobs.as_ref().ok_or("it has ended")?;
        let sent = jobs.try_send(job);
        sent.map_err(|_| format!("{}: too much waits for it", self.shown))
    }
}

impl Remote for Redis {
    fn ask(&self, ask: &Ask<'_>, take: bool) -> Result<Vec<Seen>, String> {
        let until = Instant::now() + ask.patience;
        let (answer, answered) = sync_channel(1);
        self.send(Job {
            group: ask.group.name.clone(),
            arguments: question(ask, take),
            until,
            answer: Some(answer),
        })?;
        let numbers = match answered.recv_timeout(ask.patience) {
            Ok(numbers) => numbers.map_err(|error| format!("{}: {error}", self.shown))?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("{}: no answer in {:?}", self.shown, ask.patience));
            }
            Err(RecvTimeoutError::Disconnected) => return Err("its worker has ended".to_owned()),
        };
        seen(&numbers, ask.group.members.len())
            .ok_or_else(|| format!("{}: an answer of {} numbers", self.shown, numbers.len()))
    }

    fn note(&self, note: &Note, _: Moment) {
        let (group, arguments) = noted(note);
        let job = Job {
            group,
            arguments,
            until: Instant::now() + NOTE,
            answer: None,
        };
        // Where too much waits already, this note is lost to the other switches.
        let _ = self.send(job);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It may be looking up a name, which nothing can end; then it ends by itself afterwards.
        let until = Instant::now() + Duration::from_secs(1);
        while !thread.is_finished() && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(2));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

fn question(ask: &Ask<'_>, take: bool) -> Vec<String> {
    let group = ask.group;
    let mut free = vec![false; group.members.len()];
    for &place in ask.free {
        free[place] = true;
    }
    let flag = |it: bool| if it { "1" } else { "0" }.to_owned();
    let size = group.step.size();
    let taking = if size == usize::MAX { 1 } else { size };
    // What Lua's numbers hold.
    let number = |it: usize| it.min(1 << 30).to_string();
    let mut arguments = vec![
        if take { "take" } else { "look" }.to_owned(),
        group.order.name().to_owned(),
        number(size),
        number(taking),
        group.window.as_millis().to_string(),
        flag(group.idle_since == IdleSince::Any),
    ];
    for (place, member) in group.members.iter().enumerate() {
        let talks = ask.states.get(place).is_some_and(|state| state.calls > 0);
        arguments.push(member.key.clone());
        arguments.push(member.tier.to_string());
        arguments.push(flag(free[place]));
        arguments.push(flag(talks));
    }
    arguments
}

fn noted(note: &Note) -> (String, Vec<String>) {
    let (group, words): (&str, Vec<&str>) = match note {
        Note::Took {
            group,
            takers,
            offered,
        } => {
            let mut words = vec!["took".to_owned(), takers.len().to_string()];
            words.extend(takers.iter().chain(offered).cloned());
            return (group.clone(), words);
        }
        Note::Offered { group, member } => (group, vec!["offered", member]),
        Note::Answered {
            group,
            member,
            window,
        } => {
            let window = window.as_millis().to_string();
            let words = vec!["answered".to_owned(), member.clone(), window];
            return (group.clone(), words);
        }
        Note::Ended { group, member } => {
            let of_group = if group.is_some() { "1" } else { "0" };
            let group = group.as_deref().unwrap_or_default();
            (group, vec!["ended", member, of_group])
        }
    };
    (
        group.to_owned(),
        words.into_iter().map(str::to_owned).collect(),
    )
}

fn seen(numbers: &[i64], members: usize) -> Option<Vec<Seen>> {
    if numbers.len() != members * 4 {
        return None;
    }
    let natural = |number: i64| u64::try_from(number).unwrap_or_default();
    let seen = numbers.chunks_exact(4).map(|it| Seen {
        turn: natural(it[0]),
        offer: natural(it[1]),
        ended: u64::try_from(it[2]).ok().map(Moment),
        calls: natural(it[3]),
    });
    Some(seen.collect())
}

struct Worker {
    client: Client,
    connection: Option<Connection>,
    script: Script,
    prefix: String,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let done = self.done(&job);
            if done.is_err() {
                // Whatever it was, a reply may still be on its way.
                self.connection = None;
            }
            if let Some(answer) = job.answer {
                // Whoever has asked may have gone on without it.
                let _ = answer.try_send(done.map_err(|error| error.to_string()));
            }
        }
    }

    fn done(&mut self, job: &Job) -> ::redis::RedisResult<Vec<i64>> {
        let left = || job.until.saturating_duration_since(Instant::now());
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "too late");
        if left().is_zero() {
            // Nobody waits for it any more, and a turn must not be taken for nobody.
            return Err(late().into());
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.client.get_connection_with_timeout(left())?),
        };
        let left = left();
        if left.is_zero() {
            return Err(late().into());
        }
        connection.set_read_timeout(Some(left))?;
        connection.set_write_timeout(Some(left))?;
        let mut call = self.script.prepare_invoke();
        call.key(format!("{}:{{{}}}", self.prefix, job.group));
        call.key(format!("{}:any", self.prefix));
        for argument in &job.arguments {
            call.arg(argument);
        }
        call.invoke(connection)
    }
}
