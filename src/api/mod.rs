//! The `cti` API command: what an operator asks in fs_cli, ESL or Lua.
//! A reply begins with `+OK` or `-ERR reason`; JSON where `json` is asked.

mod explain;
mod line;
mod operate;

use crate::call::registry::Calls;
use crate::shared::Shared;
use crate::switch::Channel;
use line::{COMMANDS, Command, Request};
use std::fmt::Write;

/// What `cti help` says.
fn help() -> String {
    let line = |command: &Command| {
        let usage = format!("cti {} {}", command.name, command.takes);
        format!("{:24} {}\n", usage.trim_end(), command.does)
    };
    COMMANDS.iter().map(line).collect()
}

/// The rules of tab completion; `del cti` takes them away again.
pub fn completions() -> Vec<String> {
    let of = |command: &Command| {
        let name = command.name;
        let more = match command.takes.split(' ').next() {
            Some("UUID") => return vec![format!("add cti {name} ::cti::calls")],
            Some("[json]") => Some(format!("add cti {name} json")),
            _ => None,
        };
        let own = [format!("add cti {name}")];
        own.into_iter().chain(more).collect()
    };
    COMMANDS.iter().flat_map(of).collect()
}

/// What the switch says of the command.
pub fn syntax() -> String {
    let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    names.join(" | ")
}

/// The reply to one command line.
pub fn run(shared: &Shared, calls: &Calls, line: &str, caller: Option<&Channel<'_>>) -> String {
    let request = match line::read(line) {
        Ok(request) => request,
        Err(why) => return format!("-ERR {why}\n"),
    };
    match request {
        Request::Help => format!("+OK\n{}", help()),
        Request::Version => format!(
            "+OK mod_cti {} (headers: {})\n",
            env!("CARGO_PKG_VERSION"),
            crate::ffi::HEADERS
        ),
        Request::Status => status(shared, calls),
        Request::Explain { json, plan } => explain::explain(&shared.config(), plan, json, caller),
        Request::Calls { json } => operate::calls(calls, json),
        Request::Metrics { json } => operate::metrics(shared, calls, json),
        Request::Show { uuid, json } => operate::show(shared, calls, uuid, json),
        Request::Operate { uuid, order } => {
            let by = caller.and_then(|caller| caller.variable("uuid"));
            operate::command(calls, uuid, order, by.as_deref().unwrap_or("api"))
        }
        Request::Reload => match shared.reload() {
            problems if problems.is_empty() => "+OK cti.conf read\n".to_owned(),
            problems => format!("-ERR cti.conf read, but:\n{}\n", problems.join("\n")),
        },
    }
}

fn status(shared: &Shared, calls: &Calls) -> String {
    let mut text = format!("+OK {} calls in progress\n", calls.len());
    for (name, value) in shared.config().rows() {
        let _ = writeln!(text, "{name:20} {value}");
    }
    text
}
