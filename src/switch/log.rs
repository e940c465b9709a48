//! tracing into FreeSWITCH's log.
//! An event's message becomes one log line; a field `uuid` makes it a line of that
//! session, so that fs_cli and per-call log files show it where it belongs.

use super::text::{c, one_line};
use crate::ffi;
use std::fmt::Write;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

/// Write one line to the switch's log, as from `place` (a source file and its line). The
/// text is data, never a format.
pub fn write(level: Level, uuid: Option<&str>, place: (&str, u32), text: &str) {
    let level = match level {
        Level::ERROR => ffi::SWITCH_LOG_ERROR,
        Level::WARN => ffi::SWITCH_LOG_WARNING,
        Level::INFO => ffi::SWITCH_LOG_INFO,
        _ => ffi::SWITCH_LOG_DEBUG,
    };
    let uuid = uuid.map(c);
    // With this channel id userdata is a uuid; with SWITCH_CHANNEL_ID_SESSION it would be
    // read as a session.
    let channel = ffi::SWITCH_CHANNEL_ID_LOG;
    let userdata = uuid.as_ref().map_or(std::ptr::null(), |uuid| uuid.as_ptr());
    let (file, line) = (c(place.0), place.1 as i32);
    let text = c(&format!("{}\n", one_line(text)));
    // SAFETY: all pointers are NUL-terminated strings that outlive the call; the format is
    // the literal "%s" with exactly one string argument.
    unsafe {
        ffi::switch_log_printf(
            channel,
            file.as_ptr(),
            c"cti".as_ptr(),
            line,
            userdata,
            level,
            c"%s".as_ptr(),
            text.as_ptr(),
        );
    }
}

/// Take tracing's events from now on. A second load finds the first one's subscriber
/// still in place (statics survive `reload`), which is the same one.
pub fn install() {
    let _ = tracing::subscriber::set_global_default(ToSwitch);
}

struct ToSwitch;

impl Subscriber for ToSwitch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let place = (
            metadata.file().unwrap_or("mod_cti"),
            metadata.line().unwrap_or(0),
        );
        write(*metadata.level(), line.uuid.as_deref(), place, &line.text);
    }

    // We open no spans: a call's lines are bound together by its uuid.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    uuid: Option<String>,
    text: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "uuid" {
            self.uuid = Some(value.to_owned());
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            name => write!(self.text, " {name}={value:?}"),
        };
    }
}
