//! The `cti` API command: what an operator asks in fs_cli, ESL or Lua.
//! A reply begins with `+OK` or `-ERR reason`; JSON where `json` is asked.

mod explain;
mod line;
mod operate;

use crate::module::Module;
use crate::switch::Channel;
use line::Request;
use std::fmt::Write;
use std::sync::Arc;

const HELP: &str = "\
cti version              the module's version and what it was built against
cti status               calls ringing or joined now, and the settings in force
cti calls [json]         the calls in progress: caller, stage, what rings and for how long yet
cti show UUID [json]     one call, leg by leg; the last ones also after their end, as a ladder
cti cancel UUID [CAUSE]  end the call (ORIGINATOR_CANCEL)
cti skip UUID            the running stage is over: on to the next
cti drop UUID LEG        one leg (its uuid, or its target as written) rings no more, or does not start
cti add UUID TARGET      ring this target too, beside the running stage
cti extend UUID TIME     more time for the running stage
cti metrics [json]       counters and times for Prometheus
cti explain [json] PLAN  what would ring, when and for how long; nobody is called
cti reload               read cti.conf.xml again; calls in progress keep what they have
cti help                 this text
";

/// The rules of tab completion; `del cti` takes them away again.
pub const COMPLETIONS: &[&str] = &[
    "add cti help",
    "add cti version",
    "add cti status",
    "add cti calls",
    "add cti calls json",
    "add cti show ::cti::calls",
    "add cti cancel ::cti::calls",
    "add cti skip ::cti::calls",
    "add cti drop ::cti::calls",
    "add cti add ::cti::calls",
    "add cti extend ::cti::calls",
    "add cti metrics",
    "add cti metrics json",
    "add cti explain",
    "add cti explain json",
    "add cti reload",
];

/// The reply to one command line.
pub fn run(module: &Arc<Module>, line: &str, caller: Option<&Channel<'_>>) -> String {
    let request = match line::read(line) {
        Ok(request) => request,
        Err(why) => return format!("-ERR {why}\n"),
    };
    match request {
        Request::Help => format!("+OK\n{HELP}"),
        Request::Version => format!(
            "+OK mod_cti {} (headers: {})\n",
            env!("CARGO_PKG_VERSION"),
            crate::ffi::HEADERS
        ),
        Request::Status => status(module),
        Request::Explain { json, plan } => explain::explain(&module.config(), plan, json, caller),
        Request::Calls { json } => operate::calls(module, json),
        Request::Metrics { json } => operate::metrics(module, json),
        Request::Show { uuid, json } => operate::show(module, uuid, json),
        Request::Operate { uuid, order } => {
            let by = caller.and_then(|caller| caller.variable("uuid"));
            operate::command(module, uuid, order, by.as_deref().unwrap_or("api"))
        }
        Request::Reload => match module.reload() {
            problems if problems.is_empty() => "+OK cti.conf read\n".to_owned(),
            problems => format!("-ERR cti.conf read, but:\n{}\n", problems.join("\n")),
        },
    }
}

fn status(module: &Module) -> String {
    let config = module.config();
    let mut text = format!("+OK {} calls in progress\n", module.calls.len());
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs_f64());
    let rows = [
        (
            "call-timeout",
            config.call_timeout.map_or("none".to_owned(), seconds),
        ),
        ("stage-timeout", seconds(config.stage_timeout)),
        ("last-stage-timeout", seconds(config.last_stage_timeout)),
        ("missed", format!("{:?}", config.missed).to_lowercase()),
        (
            "early-media",
            config.early_media.map_or("auto".to_owned(), |choice| {
                format!("{choice:?}").to_lowercase()
            }),
        ),
        ("mode", config.mode.name().to_owned()),
        ("late-join", config.late_join.to_string()),
        (
            "wait-register",
            config.wait_register.map_or("none".to_owned(), seconds),
        ),
        ("max-targets", config.max_targets.to_string()),
        ("contact-endpoints", config.contact_endpoints.join(",")),
        ("history", config.history.to_string()),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "{name:20} {value}");
    }
    text
}
