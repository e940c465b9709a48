//! Confirmation of an answer (`group_confirm_key`, `group_confirm_file`, `group_confirm_error_file`,
//! `group_confirm_read_timeout`): whoever has answered presses the key, or an application runs.
//! Each leg is asked on a thread of its own, while its siblings ring on and deadlines count.

use super::desk::Hand;
use crate::contacts::Caller;
use crate::ring::{Cause, Event, LegId};
use crate::switch::{LockedSession, Session};
use std::sync::Arc;
use std::time::Duration;

/// How a leg is asked.
struct Question {
    /// Of the call, for the log.
    uuid: String,
    key: String,
    file: Option<String>,
    error_file: Option<String>,
    patience: Duration,
}

const ASKED: [&str; 5] = [
    "group_confirm_key",
    "group_confirm_file",
    "group_confirm_error_file",
    "group_confirm_cancel_timeout",
    "group_confirm_read_timeout",
];

impl Hand<'_> {
    pub fn confirm(&mut self, leg: LegId) {
        let Some((uuid, question)) = self.call.uuid_of(leg).zip(self.question(leg)) else {
            return;
        };
        let ours = Arc::clone(self.call);
        let started = self.call.shared.pool.spawn("cti-confirm", move || {
            let Some(session) = LockedSession::locate(&uuid) else {
                return;
            };
            if question.is_confirmed(&session) {
                session.set("group_dial_status", Some("winner"));
                for name in ASKED {
                    session.set(name, None);
                }
                ours.post(Event::Confirmed(leg));
            }
        });
        if !started && let Some(session) = self.desk.legs.get(&leg) {
            session.hang_up(Cause::DESTINATION_OUT_OF_ORDER);
        }
    }

    /// The leg's own variables say so, else the plan's, else the caller's, as in core.
    fn question(&self, leg: LegId) -> Option<Question> {
        /// As long as core waits.
        const PATIENCE: Duration = Duration::from_secs(5);
        let own = {
            let state = self.call.state.lock();
            state.contacts.get(leg.0)?.variables.clone()
        };
        let globals = self.call.globals_of(leg);
        let said = |name: &str| {
            let written = own.get(name).or_else(|| globals.get(name));
            let value = written.map(str::to_owned);
            let caller: &dyn Caller = self.caller.channel();
            value
                .or_else(|| caller.variable(name))
                .filter(|value| !value.is_empty())
        };
        let patience = said("group_confirm_read_timeout")
            .and_then(|value| value.trim().parse().ok())
            .filter(|&milliseconds| milliseconds > 0);
        Some(Question {
            uuid: self.call.uuid.clone(),
            key: said("group_confirm_key")?,
            file: said("group_confirm_file"),
            error_file: said("group_confirm_error_file"),
            patience: patience.map_or(PATIENCE, Duration::from_millis),
        })
    }
}

impl Question {
    /// Ask until the key is pressed or the leg is over.
    fn is_confirmed(&self, leg: &Session<'_>) -> bool {
        leg.is_asked();
        leg.skip_media();
        if self.key.eq_ignore_ascii_case("exec") {
            return self.is_run(leg);
        }
        let prompt = self.file.as_deref().unwrap_or("silence");
        while leg.ready() {
            match leg.ask(prompt, self.key.len(), self.patience) {
                Some(pressed) if pressed == self.key => return true,
                Some(_) => {
                    if let Some(error) = &self.error_file {
                        leg.play_once(error);
                    }
                }
                None if leg.ready() => {
                    tracing::error!(
                        uuid = self.uuid.as_str(),
                        "cti_bridge: group_confirm_file {prompt:?} cannot be played"
                    );
                    leg.hang_up(Cause::DESTINATION_OUT_OF_ORDER);
                }
                None => {}
            }
        }
        false
    }

    /// Who has run the application and is still there has confirmed.
    fn is_run(&self, leg: &Session<'_>) -> bool {
        let line = self.file.as_deref().unwrap_or_default();
        let (application, data) = line.split_once(' ').unwrap_or((line, ""));
        if application.is_empty() || !leg.execute(application, data) {
            tracing::error!(
                uuid = self.uuid.as_str(),
                "cti_bridge: group_confirm_file names no application: {line:?}"
            );
            leg.hang_up(Cause::DESTINATION_OUT_OF_ORDER);
        }
        leg.up()
    }
}
