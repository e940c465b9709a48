//! The memory in a real Redis: a `redis-server` of the test's own, on a socket in a folder of its own.
//! Where there is none, the tests say so and pass.

use super::memory::{Folder, take};
use super::write::{group, read};
use mod_cti::groups::config::{Group, Order};
use mod_cti::groups::memory::{Ask, Backed, Breaker, Local, Note, Remote, Source, Store};
use mod_cti::groups::order::{Caller, Moment, Seen, State, eligible, order};
use mod_cti::groups::redis::Redis;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for a loaded machine; what is promised of 50 ms has tests of its own.
const PATIENCE: Duration = Duration::from_secs(5);

struct Server {
    folder: Folder,
    options: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// None, and a line, where no redis-server is installed.
    fn start(name: &str, options: &[&str]) -> Option<Server> {
        let known = Command::new("redis-server").arg("--version").output();
        if known.is_err() {
            println!("skipped: no redis-server (tools/setup.sh installs it)");
            return None;
        }
        let mut server = Server {
            folder: Folder::new(name),
            options: options.iter().map(|it| (*it).to_owned()).collect(),
            process: None,
        };
        server.run();
        Some(server)
    }

    fn run(&mut self) {
        let mut command = Command::new("redis-server");
        let folder = &self.folder.0;
        let socket = folder.join("socket");
        command.args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
            "--unixsocket",
        ]);
        command
            .arg(&socket)
            .arg("--dir")
            .arg(folder)
            .args(&self.options);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null());
        self.process = Some(command.spawn().expect("redis-server"));
        let until = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < until, "redis-server does not listen");
            std::thread::yield_now();
        }
    }

    fn url(&self, query: &str) -> String {
        format!(
            "redis+unix://{}{query}",
            self.folder.0.join("socket").display()
        )
    }

    fn client(&self) -> Redis {
        Redis::new(&self.url(""), "test").expect("a client")
    }

    fn backed(&self) -> Backed {
        Backed::new(Arc::new(Local::default()), Box::new(self.client()))
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// `STOP` or `CONT`, to our own server alone.
    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &process.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What this memory says, with everybody free.
fn ask(remote: &dyn Remote, group: &Group, patience: Duration) -> Result<String, String> {
    let free: Vec<_> = (0..group.members.len()).collect();
    let states = vec![State::default(); free.len()];
    let ask = Ask {
        group,
        free: &free,
        states: &states,
        seed: 1,
        now: Moment(0),
        patience,
    };
    let seen = remote.ask(&ask, true)?;
    let place = ask.turn(&seen).takers[0];
    Ok(group.members[place].target.address.clone())
}

#[test]
fn several_switches_take_turns() {
    let Some(server) = Server::start("several", &[]) else {
        return;
    };
    let group = group("rotate one / 1 / 2 / 3 / 4 / 5");
    let turns = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (server, group) = (&server, &group);
                scope.spawn(move || {
                    let client = server.client();
                    let taken = (0..250).map(|_| ask(&client, group, PATIENCE).expect("a turn"));
                    taken.collect::<Vec<_>>()
                })
            })
            .collect();
        let mut turns: BTreeMap<String, u32> = BTreeMap::new();
        for taker in threads.into_iter().flat_map(|it| it.join().expect("turns")) {
            *turns.entry(taker).or_default() += 1;
        }
        turns
    });
    assert!(
        turns.len() == 5 && turns.values().all(|it| *it == 200),
        "{turns:?}"
    );
}

/// Random questions and notes, to Redis and to the local memory: both choose the same.
#[test]
fn the_script_chooses_as_the_local_memory_does() {
    let Some(server) = Server::start("script", &[]) else {
        return;
    };
    let client = server.client();
    let rounds = if cfg!(debug_assertions) { 60 } else { 600 };
    let mut dice: u64 = 0x2545_f491_4f6c_dd1d;
    let mut below = move |limit: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice >> 20) % limit
    };
    for round in 0..rounds {
        let name = format!("g{round}");
        let orders = ["rotate", "longest-idle", "fewest-calls", "longest-idle"];
        let which = below(4) as usize;
        let order_name = orders[which];
        let rest = if which == 3 { "idle-since=any" } else { "" };
        let step = ["one", "all", "2", "3", "progressive"][below(5) as usize];
        // A user of each round's own, because what ends an idle time is shared by all groups.
        let draw = |below: &mut dyn FnMut(u64) -> u64| {
            let members: String = (1..=2 + below(5))
                .map(|nth| format!(" / user/{round}-{nth} tier={}", 1 + below(4) / 3))
                .collect();
            let text = format!("{order_name} {step} {rest}{members}");
            let config = read(&[(name.as_str(), &text)]).expect("a good group");
            Arc::clone(&config.groups[&name])
        };
        let mut group = draw(&mut below);
        let mut store = Store::default();
        let mut now = Moment(1_000_000);
        for event in 0..30 {
            // Two things never happen in one millisecond of Redis' clock.
            let began = Moment::now();
            while Moment::now().since(began) < Duration::from_millis(2) {
                std::thread::yield_now();
            }
            now.0 += 1_000;
            let member = group.members[below(group.members.len() as u64) as usize]
                .key
                .clone();
            let note = match below(8) {
                0 => Note::Offered {
                    group: name.clone(),
                    member,
                },
                1 | 2 => Note::Answered {
                    group: name.clone(),
                    member,
                    window: group.window,
                },
                3 => Note::Ended {
                    group: Some(name.clone()),
                    member,
                },
                4 => Note::Ended {
                    group: None,
                    member,
                },
                5 => {
                    let takers = vec![member.clone()];
                    Note::Took {
                        group: name.clone(),
                        takers,
                        offered: vec![member],
                    }
                }
                6 => {
                    group = draw(&mut below);
                    continue;
                }
                _ => {
                    let mut states = vec![State::default(); group.members.len()];
                    states.iter_mut().for_each(|it| {
                        it.calls = u32::from(below(5) == 0);
                        it.dnd = below(5) == 0;
                    });
                    let group = Group {
                        skip: Default::default(),
                        ..Group::clone(&group)
                    };
                    let (free, _) = eligible(&group, &states, &Caller::default(), now);
                    let ask = Ask {
                        group: &group,
                        free: &free,
                        states: &states,
                        seed: 1,
                        now,
                        patience: PATIENCE,
                    };
                    let take = below(4) > 0;
                    let theirs = client.ask(&ask, take).expect("an answer");
                    let ours = if take {
                        store.take(&ask)
                    } else {
                        store.look(&group, now)
                    };
                    let drawn = |seen: &[Seen]| {
                        let it = order(&group, seen, &states, &Caller::default(), now, 1);
                        let relevant: Vec<_> = seen
                            .iter()
                            .map(|it| {
                                let counts = group.order == Order::FewestCalls;
                                (it.turn, it.offer, if counts { it.calls } else { 0 })
                            })
                            .map(|(turn, offer, calls)| (turn > 0, offer > 0, calls))
                            .collect();
                        (it, relevant)
                    };
                    assert_eq!(
                        drawn(&theirs),
                        drawn(&ours),
                        "round {round}, event {event}: {group:?}"
                    );
                    continue;
                }
            };
            client.note(&note, now);
            // Done by the time of an answer, so that no two notes are written in one millisecond.
            let (free, states) = ([0], vec![State::default(); group.members.len()]);
            let look = Ask {
                group: &group,
                free: &free,
                states: &states,
                seed: 1,
                now,
                patience: PATIENCE,
            };
            client.ask(&look, false).expect("an answer");
            store.note(&note, now);
        }
    }
}

#[test]
fn a_password_and_a_database_are_used_and_never_shown() {
    let Some(server) = Server::start("password", &["--requirepass", "sesame"]) else {
        return;
    };
    let group = group("rotate one / 1 / 2 / 3");
    let first = |query: &str| {
        let client = Redis::new(&server.url(query), "test")?;
        ask(&client, &group, PATIENCE)
    };
    assert_eq!(first("?pass=sesame"), Ok("1".to_owned()));
    assert_eq!(first("?pass=sesame"), Ok("2".to_owned()));
    assert_eq!(
        first("?pass=sesame&db=3"),
        Ok("1".to_owned()),
        "another database"
    );
    for query in ["", "?pass=mustard"] {
        let error = first(query).expect_err("refused");
        assert!(
            !error.contains("mustard") && !error.contains("sesame"),
            "{error}"
        );
    }
    for url in [
        "redis+unix://host/secret?pass=mustard",
        "nonsense://:mustard@host",
        "redis://:mustard@host:x",
    ] {
        let Err(error) = Redis::new(url, "test") else {
            panic!("{url} is taken")
        };
        assert!(!error.contains("mustard"), "{error}");
    }
}

#[test]
fn redis_gone_and_back_again_under_load_costs_no_call() {
    let Some(mut server) = Server::start("gone", &[]) else {
        return;
    };
    let group = group("rotate one / 1 / 2 / 3");
    let memory = server.backed();
    let source = || take(&memory, &group).1;
    assert_eq!(source(), Source::Redis);
    server.end();
    let mut waited = waits(&memory, &group);
    waited.sort();
    assert!(waited[16] < Duration::from_millis(10), "{waited:?}");
    assert_eq!(source(), Source::Fallback);
    assert!(memory.is_down());
    server.run();
    let until = Instant::now() + Breaker::PAUSE * 5;
    while source() != Source::Redis {
        assert!(Instant::now() < until, "it is not asked again");
        std::thread::yield_now();
    }
    assert!(!memory.is_down());
}

/// How long twenty calls wait, one after another.
fn waits(memory: &Backed, group: &Group) -> Vec<Duration> {
    let wait = |_| {
        let began = Instant::now();
        assert_eq!(take(memory, group).1, Source::Fallback);
        began.elapsed()
    };
    (0..20).map(wait).collect()
}

#[test]
fn redis_that_hangs_costs_three_calls_fifty_milliseconds() {
    let Some(server) = Server::start("hangs", &[]) else {
        return;
    };
    let group = group("rotate one / 1 / 2 / 3");
    // On a machine that does other things as well, one of a few attempts is left alone.
    let mut attempts = Vec::new();
    for _ in 0..5 {
        let memory = server.backed();
        let until = Instant::now() + Duration::from_secs(20);
        while take(&memory, &group).1 != Source::Redis {
            assert!(Instant::now() < until, "it does not answer");
        }
        server.signal("STOP");
        let mut waited = waits(&memory, &group);
        server.signal("CONT");
        assert!(memory.is_down());
        waited.sort();
        if waited[19] < Duration::from_millis(60) && waited[16] < Duration::from_millis(10) {
            return;
        }
        attempts.push(waited);
    }
    panic!("calls have waited {attempts:?}");
}

#[test]
fn a_server_that_was_restarted_has_forgotten_the_script_and_is_told_it_again() {
    let Some(mut server) = Server::start("script-again", &[]) else {
        return;
    };
    let group = group("rotate one / 1 / 2 / 3");
    let client = server.client();
    assert!(ask(&client, &group, PATIENCE).is_ok());
    server.end();
    assert!(ask(&client, &group, PATIENCE).is_err());
    server.run();
    assert_eq!(ask(&client, &group, PATIENCE), Ok("1".to_owned()));
}

#[test]
fn a_thousand_members_fit_into_the_time() {
    let Some(server) = Server::start("thousand", &[]) else {
        return;
    };
    let members: String = (1..=1_000).map(|nth| format!(" / {nth}")).collect();
    let group = group(&format!("longest-idle one{members}"));
    let client = server.client();
    assert_eq!(ask(&client, &group, PATIENCE), Ok("1".to_owned()));
    let began = Instant::now();
    assert_eq!(ask(&client, &group, PATIENCE), Ok("2".to_owned()));
    println!("1000 members: {:?}", began.elapsed());
}

/// A certificate of an authority of the test's own, and a port that was free.
#[test]
fn tls_is_spoken_and_the_certificate_is_checked() {
    let folder = Folder::new("tls");
    let at = |name: &str| folder.0.join(name).display().to_string();
    let (key, certificate) = (at("key.pem"), at("certificate.pem"));
    // Without the defaults of openssl, which would make the certificate an authority's.
    let defaults = at("openssl.cnf");
    std::fs::write(&defaults, "[req]\ndistinguished_name=dn\n[dn]\n").expect("written");
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-config", &defaults, "-newkey", "ec", "-nodes", "-days", "2",
        ])
        .args([
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-subj",
            "/CN=test",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &key, "-out", &certificate])
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|it| it.success()) {
        println!("skipped: no openssl to make a certificate with");
        return;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let port = free.expect("a free port").port().to_string();
    let options = [
        "--bind",
        "127.0.0.1",
        "--tls-port",
        &port,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
    ];
    let Some(_server) = Server::start("tls-server", &options) else {
        return;
    };
    let inner = |trusted: &str| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args([
            "--exact",
            "redis::tls_of_the_process_that_trusts",
            "--ignored",
        ]);
        command
            .env("SSL_CERT_FILE", trusted)
            .env("CTI_TEST_REDIS_TLS", &port);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("this test").success()
    };
    assert!(
        inner(&certificate),
        "a certificate of an authority that is trusted"
    );
    std::fs::write(at("none.pem"), "").expect("written");
    assert!(!inner(&at("none.pem")), "a certificate of nobody's");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn tls_of_the_process_that_trusts() {
    let port = std::env::var("CTI_TEST_REDIS_TLS").expect("a port");
    let client = Redis::new(&format!("rediss://127.0.0.1:{port}/"), "test").expect("a client");
    let group = group("rotate one / 1 / 2");
    assert_eq!(ask(&client, &group, PATIENCE), Ok("1".to_owned()));
}
