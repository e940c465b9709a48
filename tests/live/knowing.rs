//! Knowing what happened, on the real switch: metrics as Prometheus and the dashboard read them,
//! records as the CDR modules write them, events, the log, and what `cti calls` and `cti show` say.
//! Each check runs alone: it counts, or it asks for the only call there is.

use super::checks::{Check, Verdict, When, phone, steered};
use super::esl::{Packet, url_decode, url_encode};
use super::run::{Course, Dial, Order, Rig};
use crate::scenarios::{Behaviour::*, Caller, Phone};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Run = fn(&Rig, usize) -> Result<Verdict, String>;

const fn alone(name: &'static str, run: Run) -> Check {
    Check {
        name,
        when: When::Alone,
        run,
    }
}

pub const CHECKS: &[Check] = &[
    alone("metrics_count_real_calls", metrics_count),
    alone("metrics_please_promtool", promtool),
    alone("dashboard_is_answered_by_prometheus", dashboard),
    alone("cdr_json_has_every_leg", json_cdr),
    alone("cdr_csv_is_read_back_whole", csv_cdr),
    alone("events_tell_a_call_in_order", events_of_a_call),
    alone("events_tell_an_operators_commands", events_of_an_operator),
    alone("log_tells_two_lines_a_call", log_of_a_call),
    alone("show_tells_what_rings_and_what_rang", shown),
];

fn verdict(wrong: Vec<String>, note: impl Into<String>) -> Result<Verdict, String> {
    Ok(Verdict {
        wrong,
        note: note.into(),
        ..Verdict::default()
    })
}

fn skipped(reason: impl Into<String>) -> Result<Verdict, String> {
    Ok(Verdict {
        skipped: Some(reason.into()),
        ..Verdict::default()
    })
}

fn is_installed(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

fn call(rig: &Rig, slot: usize, plan: &str, phones: &[Phone]) -> Result<Course, String> {
    call_with(rig, slot, plan, phones, &[])
}

fn call_with(
    rig: &Rig,
    slot: usize,
    plan: &str,
    phones: &[Phone],
    variables: &[(&str, &str)],
) -> Result<Course, String> {
    let order = Order {
        dial: Dial::Plan(plan),
        caller: Caller::Waits,
        variables,
        phones,
    };
    rig.call(&order, slot)
}

fn api(rig: &Rig, command: &str) -> Result<String, String> {
    rig.switch.connect()?.api(command)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
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

/// The series of a scrape, as written, with their values.
fn scrape(text: &str) -> HashMap<String, f64> {
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        Some((series.to_owned(), value.parse().ok()?))
    };
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(sample).collect()
}

fn metrics_count(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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

fn promtool(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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

/// A module that is loaded as long as this lives.
struct Loaded<'a>(&'a Rig, &'static str);

impl<'a> Loaded<'a> {
    /// None where this FreeSWITCH has no such module.
    fn load(rig: &'a Rig, name: &'static str) -> Result<Option<Loaded<'a>>, String> {
        let file = rig.switch.directory.join(format!("mod/{name}.so"));
        if !file.exists() {
            return Ok(None);
        }
        let said = api(rig, &format!("load {name}"))?;
        if said.contains("+OK") {
            Ok(Some(Loaded(rig, name)))
        } else {
            Err(format!("load {name}: {said}"))
        }
    }
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        let _ = api(self.0, &format!("unload {}", self.1));
    }
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

const SCRAPE: &str = include_str!("../../conf/grafana/prometheus.yml");
const DASHBOARD: &str = include_str!("../../conf/grafana/cti.json");

/// Every query of the dashboard, with Grafana's own words replaced as Grafana does.
fn dashboard_queries() -> Result<Vec<String>, String> {
    let dashboard = json(DASHBOARD)?;
    let panels = dashboard["panels"].as_array().ok_or("no panels")?;
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let plain = |query: &str| {
        query
            .replace("$__rate_interval", "1m")
            .replace("$job", ".+")
    };
    let queries: Vec<String> = targets
        .filter_map(|target| target["expr"].as_str().map(plain))
        .collect();
    match queries.iter().find(|query| query.contains('$')) {
        Some(query) => Err(format!("unknown variable in {query}")),
        None => Ok(queries),
    }
}

fn dashboard(rig: &Rig, slot: usize) -> Result<Verdict, String> {
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
        for (plan, phones) in CALLS {
            call(rig, slot, plan, phones)?;
        }
        let expected = started.first().unwrap_or(&0.0) + CALLS.len() as f64;
        prometheus
            .wait("cti_calls_started_total", |calls| calls >= expected)
            .map_err(|error| format!("round {round}: {error}"))?;
    }
    let queries = dashboard_queries()?;
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
    ];
    for query in seen {
        if !prometheus.query(query)?.iter().any(|&value| value > 0.0) {
            wrong.push(format!("nothing seen: {query}"));
        }
    }
    verdict(wrong, format!("{} queries", queries.len()))
}

/// The newest file below `directory` whose name ends so, once it is there.
fn written(directory: &Path, name: &str) -> Result<String, String> {
    let until = Instant::now() + Duration::from_secs(5);
    let path = directory.join(name);
    loop {
        match std::fs::read_to_string(&path) {
            Ok(text) if text.ends_with(['}', '\n']) => return Ok(text),
            _ if Instant::now() > until => return Err(format!("no {}", path.display())),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A call of two stages with a loser and a failure, and a target full of what CSV and JSON quote.
fn recorded(rig: &Rig, slot: usize) -> Result<Course, String> {
    let phones = [
        phone("1002", RingsThenRejects(486, 200)),
        phone("1003", Answers(300)),
        phone("1004", Rings),
    ];
    let plan = r#"user/1002|[sip_h_X-Quoted='"a,b"']user/1003,user/1004,user/9999"#;
    call(rig, slot, plan, &phones)
}

/// What is wrong with the legs of a record.
fn legs_of(text: &str, course: &Course) -> Vec<String> {
    let Ok(Value::Array(legs)) = serde_json::from_str(text) else {
        return vec![format!("cti_legs is no JSON list: {text}")];
    };
    let told: Vec<(&str, &str, &str)> = legs
        .iter()
        .map(|leg| {
            let of = |name: &str| leg[name].as_str().unwrap_or("");
            let target = of("target");
            let target = &target[target.len().saturating_sub("user/1002".len())..];
            (target, of("role"), of("cause"))
        })
        .collect();
    let users: Vec<String> = ["1002", "1003", "1004", "9999"]
        .iter()
        .map(|user| super::switch::in_slot(&format!("user/{user}"), course.slot))
        .collect();
    let rest = [
        ("failed", "USER_BUSY"),
        ("winner", "NORMAL_CLEARING"),
        ("loser", "LOSE_RACE"),
    ];
    let mut wrong = Vec::new();
    let same =
        told.iter()
            .zip(&users)
            .zip(rest)
            .all(|(((target, role, cause), user), expected)| {
                target == user && (*role, *cause) == expected
            });
    if told.len() != 4 || !same {
        wrong.push(format!("the legs are {told:?}"));
    }
    if legs.iter().any(|leg| leg["ended_ms"].is_null()) {
        wrong.push(format!("a leg has no end: {text}"));
    }
    if course.variable("cti_legs") != Some(text) {
        wrong.push(format!(
            "the caller's cti_legs was {:?}, the record's {text}",
            course.variable("cti_legs")
        ));
    }
    wrong
}

fn json_cdr(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let Some(_cdr) = Loaded::load(rig, "mod_json_cdr")? else {
        return skipped("this FreeSWITCH has no mod_json_cdr");
    };
    let course = recorded(rig, slot)?;
    let directory = rig.switch.directory.join("log/json_cdr");
    let record = written(&directory, &format!("{}.cdr.json", course.uuid))?;
    let record = json(&record)?;
    let variables = &record["variables"];
    let mut wrong = legs_of(variables["cti_legs"].as_str().unwrap_or(""), &course);
    for name in ["cti_result", "cti_winner", "cti_ring_ms"] {
        if variables[name].as_str() != course.variable(name) {
            wrong.push(format!("{name} is {}", variables[name]));
        }
    }
    verdict(wrong, "")
}

/// The fields of one line of CSV with `"` around a field and `""` for one within.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    fields
}

fn csv_cdr(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let Some(_cdr) = Loaded::load(rig, "mod_cdr_csv")? else {
        return skipped("this FreeSWITCH has no mod_cdr_csv");
    };
    let course = recorded(rig, slot)?;
    let csv = written(&rig.switch.directory.join("log/cdr-csv"), "Master.csv")?;
    let line = csv
        .lines()
        .find(|line| line.contains(&course.uuid))
        .ok_or(format!("no line of the call in {csv}"))?;
    let fields: Vec<String> = fields(line).iter().map(|it| url_decode(it)).collect();
    let legs = fields.last().map_or("", String::as_str);
    let mut wrong = legs_of(legs, &course);
    let expected = ["cti_result", "cti_cause", "cti_winner", "cti_ring_ms"];
    let given: Vec<&str> = expected
        .iter()
        .map(|name| course.variable(name).unwrap_or(""))
        .collect();
    let found = fields.windows(given.len()).any(|window| window == given);
    if !found {
        wrong.push(format!("{given:?} are not in {fields:?}"));
    }
    verdict(wrong, format!("{} fields", fields.len()))
}

/// The call's `cti::call` events in the order in which they were fired: action, and what tells it apart.
fn told(rig: &Rig, course: &Course) -> Result<Vec<String>, String> {
    let soon = Instant::now() + Duration::from_secs(5);
    let is_end = |event: &Packet| event.get("CTI-Action") == Some("ended");
    rig.switch
        .events
        .wait(&course.uuid, soon, is_end)
        .ok_or("no event `ended`")?;
    let mut events: Vec<Arc<Packet>> = rig.switch.events.of(&course.uuid);
    let nth = |event: &Packet| {
        let sequence = event.get("Event-Sequence")?;
        sequence.parse::<u64>().ok()
    };
    events.sort_by_key(|event| nth(event));
    let line = |event: &Arc<Packet>| {
        let action = event.get("CTI-Action")?;
        let mut line = action.to_owned();
        for name in [
            "CTI-Stage",
            "CTI-Target",
            "CTI-Cause",
            "CTI-Result",
            "CTI-Said",
        ] {
            if let Some(value) = event.get(name) {
                line = format!("{line} {}", super::switch::from_slot(value, course.slot));
            }
        }
        Some(line)
    };
    Ok(events.iter().filter_map(line).collect())
}

fn compare(what: &str, told: &[String], expected: &[&str]) -> Vec<String> {
    if told == expected {
        return Vec::new();
    }
    vec![format!("{what}: {told:#?}, expected {expected:#?}")]
}

/// A busy switch delivers the news of a 180 late: only its place among the news of its own leg
/// and stage is certain. Everything else is told in exactly this order.
fn compare_story(what: &str, told: &[String], expected: &[&str]) -> Vec<String> {
    let rings = |line: &&str| line.starts_with("ringing ");
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let sorted = |story: &[&str]| {
        let (mut ringing, rest): (Vec<String>, Vec<String>) = story
            .iter()
            .map(|line| line.to_string())
            .partition(|line| rings(&line.as_str()));
        ringing.sort();
        [ringing, rest].concat()
    };
    let in_place = |at: usize| {
        let leg = &told[at]["ringing ".len()..];
        let stage = format!("stage {}", leg.split(' ').next().unwrap_or(""));
        let later = [format!("answered {leg}"), format!("leg_ended {leg}")];
        told[..at].contains(&stage.as_str())
            && !told[..at]
                .iter()
                .any(|line| later.iter().any(|it| line.starts_with(it)))
    };
    let mut ringing = (0..told.len()).filter(|&at| rings(&told[at]));
    if sorted(&told) == sorted(expected) && ringing.all(in_place) {
        return Vec::new();
    }
    vec![format!("{what}: {told:#?}, expected {expected:#?}")]
}

/// A plan, its phones, when the caller gives up, and what is told.
type Story = (
    &'static str,
    &'static [Phone],
    Caller,
    &'static [&'static str],
);

const STORIES: &[Story] = &[
    (
        "user/1002,[leg_delay_start=100ms]user/1003|user/1004",
        &[
            phone("1002", RingsThenRejects(486, 900)),
            phone("1003", RingsThenRejects(603, 500)),
            phone("1004", Answers(600)),
        ],
        Caller::Waits,
        &[
            "started",
            "stage 1",
            "ringing 1 user/1002",
            "ringing 1 [leg_delay_start=100ms]user/1003",
            "leg_ended 1 [leg_delay_start=100ms]user/1003 CALL_REJECTED",
            "leg_ended 1 user/1002 USER_BUSY",
            "stage 2",
            "ringing 2 user/1004",
            "answered 2 user/1004",
            "leg_ended 2 user/1004 NORMAL_CLEARING",
            "ended SUCCESS answered",
        ],
    ),
    (
        "[leg_delay_start=100ms]user/1002,user/1003",
        &[phone("1002", Rings), phone("1003", Answers(700))],
        Caller::Waits,
        &[
            "started",
            "stage 1",
            "ringing 1 user/1003",
            "ringing 1 [leg_delay_start=100ms]user/1002",
            "answered 1 user/1003",
            "leg_ended 1 [leg_delay_start=100ms]user/1002 LOSE_RACE",
            "leg_ended 1 user/1003 NORMAL_CLEARING",
            "ended SUCCESS answered",
        ],
    ),
    (
        "user/1003",
        &[phone("1003", AnnouncesThenAnswers(600))],
        Caller::Waits,
        &[
            "started",
            "stage 1",
            "ringing 1 user/1003",
            "answered 1 user/1003",
            "leg_ended 1 user/1003 NORMAL_CLEARING",
            "ended SUCCESS answered",
        ],
    ),
    (
        "user/9999|user/1003|user/1004",
        &[phone("1003", Rings)],
        Caller::HangsUpAfter(700),
        &[
            "started",
            "stage 1",
            "leg_ended 1 user/9999 SUBSCRIBER_ABSENT",
            "stage 2",
            "ringing 2 user/1003",
            "leg_ended 2 user/1003 ORIGINATOR_CANCEL",
            "ended ORIGINATOR_CANCEL cancelled",
        ],
    ),
];

fn events_of_a_call(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    for &(plan, phones, caller, expected) in STORIES {
        let order = Order {
            dial: Dial::Plan(plan),
            caller,
            variables: &[],
            phones,
        };
        let course = rig.call(&order, slot)?;
        wrong.extend(compare_story(plan, &told(rig, &course)?, expected));
        wrong.extend(times(rig, &course)?);
    }
    verdict(wrong, format!("{} calls", STORIES.len()))
}

/// A leg's events and `cti_legs` must give the same times, and `ended` carries the same legs.
fn times(rig: &Rig, course: &Course) -> Result<Vec<String>, String> {
    let legs = course.variable("cti_legs").unwrap_or("");
    let mut wrong = Vec::new();
    let parsed = json(legs)?;
    for event in rig.switch.events.of(&course.uuid) {
        let of = |name: &str| event.get(name).unwrap_or("");
        let field = match of("CTI-Action") {
            "ringing" => "ringing_ms",
            "answered" => "answered_ms",
            "leg_ended" => "ended_ms",
            "ended" if event.body != legs => {
                wrong.push(format!("the body of `ended` is {}", event.body));
                continue;
            }
            _ => continue,
        };
        let mut all = parsed.as_array().into_iter().flatten();
        // A leg that could not be dialled has none.
        let leg = all.find(|leg| leg["uuid"].as_str().unwrap_or("") == of("CTI-Leg-UUID"));
        let time = leg.map(|leg| leg[field].to_string());
        if time.as_deref() != Some(of("CTI-Elapsed-Ms")) {
            wrong.push(format!(
                "{field} is {time:?}, in its event {}",
                of("CTI-Elapsed-Ms")
            ));
        }
    }
    Ok(wrong)
}

fn events_of_an_operator(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const PHONES: [Phone; 3] = [
        phone("1002", Rings),
        phone("1003", Answers(300)),
        phone("1004", Answers(300)),
    ];
    const RINGS: [&str; 3] = ["started", "stage 1", "ringing 1 user/1002"];
    const LOST: [&str; 1] = ["leg_ended 1 user/1002 LOSE_RACE"];
    const NEXT: [&str; 5] = [
        "stage 2",
        "ringing 2 user/1003",
        "answered 2 user/1003",
        "leg_ended 2 user/1003 NORMAL_CLEARING",
        "ended SUCCESS answered",
    ];
    let cancelled = [
        "cancel the call is cancelled",
        "leg_ended 1 user/1002 ORIGINATOR_CANCEL",
        "ended ORIGINATOR_CANCEL cancelled",
    ];
    let over = [
        "skip stage 1 of 2 is over",
        "leg_ended 1 user/1002 NO_ANSWER",
    ];
    let dropped = [
        "drop 1 leg(s) of user/1002 dropped",
        "leg_ended 1 user/1002 ORIGINATOR_CANCEL",
    ];
    let added = [
        "add 1 more leg(s) ring",
        "ringing 1 user/1004",
        "answered 1 user/1004",
    ];
    let parted = [
        "leg_ended 1 user/1004 NORMAL_CLEARING",
        "ended SUCCESS answered",
    ];
    let table: [(&str, Vec<&str>); 5] = [
        ("cti cancel UUID", cancelled.to_vec()),
        ("cti skip UUID", [&over[..], &NEXT].concat()),
        ("cti drop UUID user/1002", [&dropped[..], &NEXT].concat()),
        (
            "cti add UUID user/1004",
            [&added[..], &LOST, &parted].concat(),
        ),
        (
            "cti extend UUID 2",
            [&["extend"][..], &["leg_ended 1 user/1002 NO_ANSWER"], &NEXT].concat(),
        ),
    ];
    let mut wrong = Vec::new();
    for (command, follows) in table {
        let plan = "{cti_stage_timeout=1}user/1002|user/1003";
        let commands = [(300, command)];
        let (replies, course) = steered(rig, slot, plan, &PHONES, &[], &commands)?;
        wrong.extend(replies.into_iter().filter(|reply| !reply.contains("+OK")));
        let mut told = told(rig, &course)?;
        // How much is left depends on the moment.
        for line in told.iter_mut().filter(|line| line.starts_with("extend ")) {
            *line = "extend".to_owned();
        }
        let expected = [&RINGS[..], &follows].concat();
        wrong.extend(compare_story(command, &told, &expected));
        let by = rig.switch.events.of(&course.uuid);
        let by = by
            .iter()
            .find_map(|event| event.get("CTI-By").map(str::to_owned));
        if by.as_deref() != Some("api") {
            wrong.push(format!("{command}: CTI-By is {by:?}"));
        }
    }
    verdict(wrong, "")
}

/// What the log says of a call at INFO and above in our name, without time and place.
fn logged(rig: &Rig, course: &Course) -> Vec<String> {
    let is_ours = |line: &&str| {
        line.contains(&course.uuid) && line.contains("cti_bridge: ") && !line.contains("[DEBUG]")
    };
    let text = |line: &str| {
        let (head, text) = line.split_once("cti_bridge: ")?;
        let level = head.split_once('[')?.1.split_once(']')?.0;
        Some(format!("{level} {text}"))
    };
    let log = rig.switch.log();
    // The dialplan's own lines name the application as well, as `cti_bridge(…)`.
    log.lines().filter(is_ours).filter_map(text).collect()
}

fn log_of_a_call(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [
        phone("1002", RingsThenRejects(486, 200)),
        phone("1003", Answers(200)),
    ];
    let plan = "user/1002|user/1003";
    let quiet = call(rig, slot, plan, &phones)?;
    let busy = [phone("1002", Rejects(486, 100))];
    let failed = call(rig, slot, "user/1002", &busy)?;
    let loud = call_with(rig, slot, plan, &phones, &[("cti_debug", "true")])?;
    let user = |number: &str| super::switch::in_slot(&format!("user/{number}"), slot);
    let shape = |lines: &[String]| -> Vec<String> {
        let word = |line: &String| {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                // INFO 0.123 s ringing …
                [level, _, "s", action, ..] => format!("{level} {action}"),
                [level, what, ..] => format!("{level} {what}"),
                _ => line.clone(),
            }
        };
        lines.iter().map(word).collect()
    };
    let first = format!("INFO {}|{}", user("1002"), user("1003"));
    let short = [first.as_str(), "INFO answered"];
    let long = [
        first.as_str(),
        "INFO started",
        "INFO stage",
        "INFO ringing",
        "INFO leg_ended",
        "INFO stage",
        "INFO ringing",
        "INFO answered",
        "INFO leg_ended",
        "INFO ended",
        "INFO answered",
    ];
    let mut wrong = compare("by default", &shape(&logged(rig, &quiet)), &short);
    let only = format!("INFO {}", user("1002"));
    let failed = shape(&logged(rig, &failed));
    wrong.extend(compare("a failure", &failed, &[&only, "INFO busy"]));
    let told = logged(rig, &loud);
    wrong.extend(compare("cti_debug", &shape(&told), &long));
    let leg = told.iter().find(|line| line.contains("leg_ended"));
    let says = [
        "stage=1".to_owned(),
        format!("target={}", user("1002")),
        "leg-uuid=".to_owned(),
        "cause=USER_BUSY".to_owned(),
    ];
    if leg.is_none_or(|leg| !says.iter().all(|word| leg.contains(word))) {
        wrong.push(format!("a leg's end is told as {leg:?}"));
    }
    verdict(wrong, "")
}

fn shown(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let phones = [
        phone("1002", RingsThenRejects(486, 300)),
        phone("1003", Rings),
        phone("1004", Answers(2500)),
    ];
    let plan = "{cti_timeout=30}user/1002,[leg_timeout=1]user/1003|\
                [leg_timeout=9]user/1004,[leg_delay_start=5]user/1003";
    let commands = [
        (700, "cti show UUID"),
        (700, "cti show UUID json"),
        (1500, "cti calls"),
    ];
    let (replies, course) = steered(rig, slot, plan, &phones, &[], &commands)?;
    let mut wrong = Vec::new();
    let user = |number: &str| super::switch::in_slot(number, slot);
    let mut says = |what: &str, text: &str, words: &[&str]| {
        for word in words {
            let word = super::switch::in_slot(word, slot);
            if !text.contains(&word) {
                wrong.push(format!("{what} does not say {word:?}:\n{text}"));
            }
        }
    };
    says(
        "cti show",
        &replies[0],
        &[
            &course.uuid,
            " 1001 ",
            "ringing, began 0.",
            "stage 1 of 2: 19.",
            "the call: 29.",
            "ago, USER_BUSY  user/1002 -> ",
            "ringing for 0.",
            " s, 0.",
            " left  [leg_timeout=1]user/1003 -> ",
        ],
    );
    says(
        "cti calls",
        &replies[2],
        &[
            "+OK 1 calls",
            "stage 2 of 2: 59.",
            "ago, NO_ANSWER  [leg_timeout=1]user/1003 -> ",
            " s, 8.",
            " left  [leg_timeout=9]user/1004 -> ",
            "starts in 4.",
            "[leg_delay_start=5]user/1003 -> ",
        ],
    );
    let ended = api(rig, &format!("cti show {}", course.uuid))?;
    says(
        "cti show, afterwards",
        &ended,
        &[
            &format!("+OK\n{} 1001 answered SUCCESS after ", course.uuid),
            "failed USER_BUSY",
            "failed NO_ANSWER",
            "winner NORMAL_CLEARING",
            "=#",
        ],
    );
    let (_, now) = replies[1].split_once(": ").unwrap_or_default();
    let now = json(now)?;
    let leg = &now["legs"][1];
    let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
    let fits = now["caller"] == user("1001").as_str()
        && now["parts"][0]["stage"] == 1
        && now["parts"][0]["stages"] == 2
        && (19_000..=19_500).contains(&number(&now["parts"][0]["stage_left_ms"]))
        && (29_000..=29_500).contains(&number(&now["parts"][0]["call_left_ms"]))
        && now["legs"][0]["state"] == "ended"
        && leg["state"] == "ringing"
        && (400..=900).contains(&number(&leg["age_ms"]))
        && (1..=400).contains(&number(&leg["left_ms"]))
        && leg["contact"]
            .as_str()
            .is_some_and(|it| it.contains("sofia/"));
    if !fits {
        wrong.push(format!("cti show json: {now:#}"));
    }
    let later = json(&api(rig, &format!("cti show {} json", course.uuid))?)?;
    let legs = serde_json::from_str::<Value>(course.variable("cti_legs").unwrap_or(""));
    if later["result"] != "answered" || legs.ok().as_ref() != Some(&later["legs"]) {
        wrong.push(format!("cti show json, afterwards: {later:#}"));
    }
    let unknown = api(rig, "cti show 00000000-0000-0000-0000-000000000000")?;
    if !unknown.starts_with("-ERR no call") {
        wrong.push(format!("an unknown call: {unknown}"));
    }
    verdict(wrong, "")
}
