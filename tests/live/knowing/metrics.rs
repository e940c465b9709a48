//! `cti metrics` against what was called, to promtool, and through a real Prometheus to every
//! query of the dashboard.
//! Where promtool or Prometheus is not installed, its check is skipped and says so.

use super::{Loaded, api, call, json, skipped, verdict};
use crate::live::checks::{Verdict, phone};
use crate::live::esl::url_encode;
use crate::live::run::Rig;
use crate::scenarios::{Behaviour::*, Phone};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn is_installed(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// A fork with a winner, a stage that hands over, one that nobody answers.
const CALLS: &[(&str, &[Phone])] = &[
    (
        "user/1002,user/1003",
        &[phone("1002", Rings), phone("1003", Answers(300))],
    ),
    (
        "user/1002|user/1003",
        &[
            phone("1002", RingsThenRejects(486, 300)),
            phone("1003", Answers(300)),
        ],
    ),
    (
        "{cti_stage_timeout=1}user/1002|user/1003",
        &[phone("1002", Rings), phone("1003", Rings)],
    ),
];

/// A group of which one member is not rung, and another answers.
const OF_GROUPS: (&str, &[Phone]) = (
    "ring/quiet1000|ring/quieter1000",
    &[phone("1003", Answers(300))],
);

/// The series of a scrape, as written, with their values.
fn scrape(text: &str) -> HashMap<String, f64> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        Some((series.to_owned(), value.parse().ok()?))
    };
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(sample).collect()
}

pub fn metrics_count(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let before = scrape(&api(rig, "cti metrics")?);
    for (plan, phones) in CALLS {
        call(rig, slot, plan, phones)?;
    }
    call(rig, slot, "[leg_timeout=10user/1003", &[])?;
    let text = api(rig, "cti metrics")?;
    let after = scrape(&text);
    let more = |series: &str| {
        let of = |samples: &HashMap<String, f64>| samples.get(series).copied().unwrap_or(0.0);
        of(&after) - of(&before)
    };
    let table = [
        ("cti_calls_started_total", 4.0),
        (r#"cti_calls_ended_total{result="answered"}"#, 2.0),
        (r#"cti_calls_ended_total{result="no_answer"}"#, 1.0),
        (r#"cti_calls_ended_total{result="invalid"}"#, 1.0),
        (r#"cti_calls_ended_total{result="failed"}"#, 0.0),
        (
            r#"cti_legs_ended_total{cause="LOSE_RACE",role="loser"}"#,
            1.0,
        ),
        (
            r#"cti_legs_ended_total{cause="USER_BUSY",role="failed"}"#,
            1.0,
        ),
        (
            r#"cti_legs_ended_total{cause="NO_ANSWER",role="failed"}"#,
            2.0,
        ),
        (
            r#"cti_legs_ended_total{cause="NORMAL_CLEARING",role="winner"}"#,
            2.0,
        ),
        (r#"cti_ring_seconds_count{result="answered"}"#, 2.0),
        (r#"cti_ring_seconds_bucket{result="answered",le="1"}"#, 2.0),
        (r#"cti_ring_seconds_count{result="no_answer"}"#, 1.0),
        ("cti_answer_seconds_count", 2.0),
        (r#"cti_answer_seconds_bucket{le="0.2"}"#, 2.0),
        ("cti_hand_over_seconds_count", 2.0),
        (r#"cti_hand_over_seconds_bucket{le="0.2"}"#, 2.0),
        ("cti_calls_ringing", 0.0),
        ("cti_legs_ringing", 0.0),
    ];
    let mut wrong: Vec<String> = table
        .iter()
        .filter(|(series, expected)| more(series) != *expected)
        .map(|(series, expected)| format!("{series}: {} more, not {expected}", more(series)))
        .collect();
    let told = json(&api(rig, "cti metrics json")?)?;
    let value = &told["cti_calls_started_total"][0]["value"];
    if value.as_f64() != after.get("cti_calls_started_total").copied() {
        wrong.push(format!("cti metrics json says {value} calls started"));
    }
    let mean = |name: &str| {
        let of = |what: &str| more(&format!("cti_{name}_seconds_{what}"));
        1000.0 * of("sum") / of("count").max(1.0)
    };
    let note = format!(
        "answer {:.1} ms, hand-over {:.1} ms on average",
        mean("answer"),
        mean("hand_over")
    );
    verdict(wrong, note)
}

pub fn promtool(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    if !is_installed("promtool") {
        return skipped("no promtool (Debian's package prometheus has it)");
    }
    for (plan, phones) in CALLS {
        call(rig, slot, plan, phones)?;
    }
    let text = api(rig, "cti metrics")?;
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("promtool: {error}"))?;
    let written = child
        .stdin
        .take()
        .map(|mut to| to.write_all(text.as_bytes()));
    let output = child
        .wait_with_output()
        .map_err(|error| format!("promtool: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    let mut wrong = Vec::new();
    if !output.status.success() || !said.is_empty() || !matches!(written, Some(Ok(()))) {
        let said = String::from_utf8_lossy(&said);
        wrong.push(format!("promtool: {}: {said}\n{text}", output.status));
    }
    verdict(wrong, format!("{} lines", text.lines().count()))
}

/// One HTTP request; the body of its answer. HTTP/1.0: the answer ends where the connection does.
fn get(port: u16, path: &str, headers: &str) -> Result<(String, String), String> {
    let talk = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = talk().map_err(|error| format!("GET {path}: {error}"))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(format!("GET {path}: {answer:?}"))?;
    Ok((head.to_owned(), body.to_owned()))
}

/// A real Prometheus in a directory of its own, ended when this is dropped.
struct Prometheus {
    child: Child,
    directory: PathBuf,
    port: u16,
}

impl Prometheus {
    fn start(directory: PathBuf, config: &str) -> Result<Prometheus, String> {
        let said = |error: std::io::Error| format!("prometheus: {error}");
        std::fs::create_dir_all(&directory).map_err(said)?;
        std::fs::write(directory.join("prometheus.yml"), config).map_err(said)?;
        let port = {
            let held = std::net::TcpListener::bind("127.0.0.1:0").map_err(said)?;
            held.local_addr().map_err(said)?.port()
        };
        let log = std::fs::File::create(directory.join("log")).map_err(said)?;
        let child = Command::new("prometheus")
            .arg(flag("config.file", directory.join("prometheus.yml")))
            .arg(flag("storage.tsdb.path", directory.join("data")))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(said)?;
        let started = Prometheus {
            child,
            directory,
            port,
        };
        let until = Instant::now() + Duration::from_secs(30);
        while !get(port, "/-/ready", "").is_ok_and(|(head, _)| head.contains(" 200 ")) {
            if Instant::now() > until {
                return Err(format!("prometheus was not ready: {}", started.log()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(started)
    }

    /// The values of a query's answer: a matrix or a vector without NaN.
    fn query(&self, query: &str) -> Result<Vec<f64>, String> {
        let path = format!("/api/v1/query?query={}", url_encode(query));
        let (_, body) = get(self.port, &path, "")?;
        let answer = json(&body)?;
        let series = answer["data"]["result"]
            .as_array()
            .ok_or(format!("{query}: {body}"))?;
        let value = |series: &Value| series["value"][1].as_str()?.parse::<f64>().ok();
        let values = series.iter().filter_map(value);
        Ok(values.filter(|value| !value.is_nan()).collect())
    }

    /// Waits until this query has a value that is right.
    fn wait(&self, query: &str, right: impl Fn(f64) -> bool) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let values = self.query(query)?;
            if values.iter().any(|&value| right(value)) {
                return Ok(());
            }
            if Instant::now() > until {
                let targets = get(self.port, "/api/v1/targets", "")?.1;
                return Err(format!(
                    "{query} gave {values:?}; {targets}; {}",
                    self.log()
                ));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

fn flag(name: &str, path: PathBuf) -> String {
    format!("--{name}={}", path.display())
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SCRAPE: &str = include_str!("../../../conf/grafana/prometheus.yml");
const DASHBOARDS: [&str; 2] = [
    include_str!("../../../conf/grafana/cti.json"),
    include_str!("../../../conf/grafana/groups.json"),
];

/// Every query of a dashboard, with Grafana's own words replaced as Grafana does.
fn dashboard_queries(dashboard: &str) -> Result<Vec<String>, String> {
    let dashboard = json(dashboard)?;
    let panels = dashboard["panels"].as_array().ok_or("no panels")?;
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let plain = |query: &str| {
        query
            .replace("$__rate_interval", "1m")
            .replace("$job", ".+")
            .replace("$group", ".+")
    };
    let queries: Vec<String> = targets
        .filter_map(|target| target["expr"].as_str().map(plain))
        .collect();
    match queries.iter().find(|query| query.contains('$')) {
        Some(query) => Err(format!("unknown variable in {query}")),
        None => Ok(queries),
    }
}

pub fn dashboard(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    if !is_installed("prometheus") {
        return skipped("no prometheus (Debian's package prometheus has it)");
    }
    let Some(_rpc) = Loaded::load(rig, "mod_xml_rpc")? else {
        return skipped("this FreeSWITCH has no mod_xml_rpc");
    };
    let mut wrong = Vec::new();
    // The module listens on a thread of its own, a moment after it is loaded.
    let until = Instant::now() + Duration::from_secs(10);
    let refused = loop {
        match get(rig.switch.http, "/txtapi/cti?metrics", "") {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            answer => break answer?,
        }
    };
    if !refused.0.contains(" 401 ") {
        wrong.push(format!("without a password: {}", refused.0));
    }
    let config = SCRAPE
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", rig.switch.http))
        .replace("scrape_interval: 10s", "scrape_interval: 1s");
    let directory = rig.switch.directory.join("prometheus");
    let prometheus = Prometheus::start(directory, &config)?;
    prometheus.wait("up", |up| up == 1.0)?;
    // Twice: a label that is new has no increase yet.
    for round in 1..=2 {
        let started = prometheus.query("cti_calls_started_total")?;
        let calls = || CALLS.iter().chain([&OF_GROUPS]);
        for (plan, phones) in calls() {
            call(rig, slot, plan, phones)?;
        }
        let expected = started.first().unwrap_or(&0.0) + calls().count() as f64;
        prometheus
            .wait("cti_calls_started_total", |calls| calls >= expected)
            .map_err(|error| format!("round {round}: {error}"))?;
    }
    let queries = DASHBOARDS.map(dashboard_queries);
    let queries: Result<Vec<Vec<String>>, String> = queries.into_iter().collect();
    let queries = queries?.concat();
    for query in &queries {
        if prometheus.query(query)?.is_empty() {
            wrong.push(format!("no data: {query}"));
        }
    }
    let seen = [
        "max_over_time(cti_calls_ringing[1m])",
        "max_over_time(cti_legs_ringing[1m])",
        r#"rate(cti_calls_ended_total{result="answered"}[1m])"#,
        r#"rate(cti_legs_ended_total{cause="USER_BUSY"}[1m])"#,
        "rate(cti_hand_over_seconds_count[1m])",
        "rate(cti_answer_seconds_count[1m])",
        r#"rate(cti_group_calls_total{result="answered"}[1m])"#,
        r#"rate(cti_group_skipped_total{reason="dnd"}[1m])"#,
        "rate(cti_group_ring_seconds_count[1m])",
        r#"cti_group_members{state="free"}"#,
        r#"cti_group_memory{memory="local"}"#,
    ];
    for query in seen {
        if !prometheus.query(query)?.iter().any(|&value| value > 0.0) {
            wrong.push(format!("nothing seen: {query}"));
        }
    }
    verdict(wrong, format!("{} queries", queries.len()))
}
