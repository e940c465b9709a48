//! `cti.conf.xml`: the defaults that a plan and the caller's channel may override.
//! Pure: it is handed names and values; a bad value is reported by its name together with
//! the default that is used instead, and never stops the module.

use crate::plan::directory::Allowed;
use crate::plan::time::{is_true, parse_time};
use crate::ring::{EarlyMedia, Missed, Mode, Redirect};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub call_timeout: Option<Duration>,
    pub stage_timeout: Duration,
    pub last_stage_timeout: Duration,
    pub missed: Missed,
    /// None: `auto`.
    pub early_media: Option<EarlyMedia>,
    pub mode: Mode,
    pub redirect: Redirect,
    /// A device that registers while its user's stage rings joins it.
    pub late_join: bool,
    /// How long a stage stays open in which nobody is registered.
    pub wait_register: Option<Duration>,
    /// Of one plan's targets, and of one stage's contacts.
    pub max_targets: usize,
    /// The endpoints of contacts that a `${…}` in a directory's dial string may bring.
    pub contact_endpoints: Vec<String>,
    /// How many ended calls `cti show` still finds.
    pub history: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            call_timeout: None,
            stage_timeout: Duration::from_secs(20),
            last_stage_timeout: Duration::from_secs(60),
            missed: Missed::Auto,
            early_media: None,
            mode: Mode::Sequence,
            redirect: Redirect::Follow,
            late_join: false,
            wait_register: None,
            max_targets: 1024,
            contact_endpoints: ["sofia", "verto.rtc", "error"].map(str::to_owned).into(),
            history: 200,
        }
    }
}

/// `auto` or `never`.
pub fn missed(text: &str) -> Option<Missed> {
    match text.trim() {
        "auto" => Some(Missed::Auto),
        "never" => Some(Missed::Never),
        _ => None,
    }
}

/// `auto` (an inner None), `ignore`, `relay` or `core`.
pub fn early_media(text: &str) -> Option<Option<EarlyMedia>> {
    match text.trim() {
        "auto" => Some(None),
        "ignore" => Some(Some(EarlyMedia::Ignore)),
        "relay" => Some(Some(EarlyMedia::Relay)),
        "core" => Some(Some(EarlyMedia::Core)),
        _ => None,
    }
}

/// `sequence` or `progressive`.
pub fn mode(text: &str) -> Option<Mode> {
    match text.trim() {
        "sequence" => Some(Mode::Sequence),
        "progressive" => Some(Mode::Progressive),
        _ => None,
    }
}

/// `follow`, `ignore` or `core`.
pub fn redirect(text: &str) -> Option<Redirect> {
    match text.trim() {
        "follow" => Some(Redirect::Follow),
        "ignore" => Some(Redirect::Ignore),
        "core" => Some(Redirect::Core),
        _ => None,
    }
}

impl Config {
    /// What the contacts of a stage may be.
    pub fn allowed(&self) -> Allowed<'_> {
        Allowed {
            endpoints: &self.contact_endpoints,
            contacts: self.max_targets,
        }
    }

    /// Read the params; the second value is one line for each that could not be taken.
    pub fn read(params: &[(String, String)]) -> (Config, Vec<String>) {
        let mut config = Config::default();
        let mut problems = Vec::new();
        for (name, value) in params {
            if let Err(expected) = config.set(name, value) {
                problems.push(format!("cti.conf: {name}={value:?}: {expected}"));
            }
        }
        (config, problems)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        fn time(value: &str, default: &str) -> Result<Duration, String> {
            parse_time(value).map_err(|error| format!("{error}; using {default}"))
        }
        /// As in a plan, 0 is no time.
        fn optional(value: &str) -> Result<Option<Duration>, String> {
            if matches!(value.trim(), "" | "none") {
                return Ok(None);
            }
            Ok(Some(time(value, "none")?).filter(|time| !time.is_zero()))
        }
        /// A stage that is over at once would ring nobody.
        fn limit(value: &str, default: &str) -> Result<Duration, String> {
            match time(value, default)? {
                Duration::ZERO => Err(format!("expected a time above 0; using {default}")),
                time => Ok(time),
            }
        }
        let default = Config::default();
        match name {
            "call-timeout" => self.call_timeout = optional(value)?,
            "stage-timeout" => self.stage_timeout = limit(value, "20s")?,
            "last-stage-timeout" => self.last_stage_timeout = limit(value, "60s")?,
            "missed" => self.missed = missed(value).ok_or("expected auto or never; using auto")?,
            "early-media" => {
                self.early_media =
                    early_media(value).ok_or("expected auto, ignore, relay or core; using auto")?
            }
            "mode" => {
                self.mode = mode(value).ok_or("expected sequence or progressive; using sequence")?
            }
            "redirect" => {
                self.redirect =
                    redirect(value).ok_or("expected follow, ignore or core; using follow")?
            }
            "late-join" => self.late_join = is_true(value),
            "wait-register" => self.wait_register = optional(value)?,
            "max-targets" => {
                let number = value
                    .trim()
                    .parse()
                    .ok()
                    .filter(|number| (1..=10_000).contains(number));
                self.max_targets = number.ok_or_else(|| {
                    format!(
                        "expected a number from 1 to 10000; using {}",
                        default.max_targets
                    )
                })?;
            }
            "contact-endpoints" => {
                let names = value.split(',').map(str::trim);
                let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
                if names.is_empty() {
                    let default = default.contact_endpoints.join(",");
                    return Err(format!("expected names of endpoints; using {default}"));
                }
                self.contact_endpoints = names.iter().map(|name| name.to_lowercase()).collect();
            }
            "history" => {
                let number = value.trim().parse().ok();
                self.history = number.filter(|number| *number <= 100_000).ok_or_else(|| {
                    format!(
                        "expected a number from 0 to 100000; using {}",
                        default.history
                    )
                })?;
            }
            _ => return Err("no such param; ignored".to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(params: &[(&str, &str)]) -> (Config, Vec<String>) {
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::read(&params)
    }

    #[test]
    fn every_param_is_read() {
        let (config, problems) = read(&[
            ("call-timeout", "90"),
            ("stage-timeout", "1500ms"),
            ("last-stage-timeout", "30s"),
            ("missed", "never"),
            ("early-media", "relay"),
            ("mode", "progressive"),
            ("redirect", "ignore"),
            ("late-join", "true"),
            ("wait-register", "8s"),
            ("max-targets", "200"),
            ("contact-endpoints", "sofia, Loopback"),
            ("history", "0"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        let expected = Config {
            call_timeout: Some(Duration::from_secs(90)),
            stage_timeout: Duration::from_millis(1500),
            last_stage_timeout: Duration::from_secs(30),
            missed: Missed::Never,
            early_media: Some(EarlyMedia::Relay),
            mode: Mode::Progressive,
            redirect: Redirect::Ignore,
            late_join: true,
            wait_register: Some(Duration::from_secs(8)),
            max_targets: 200,
            contact_endpoints: vec!["sofia".to_owned(), "loopback".to_owned()],
            history: 0,
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn no_time_is_no_limit() {
        for value in ["0", "0ms", "none", ""] {
            let (config, problems) = read(&[("call-timeout", value), ("wait-register", value)]);
            assert_eq!(
                (config, problems),
                (Config::default(), Vec::new()),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_bad_value_is_named_and_its_default_stands() {
        let bad = [
            ("call-timeout", "-5"),
            ("stage-timeout", "soon"),
            ("last-stage-timeout", "0"),
            ("missed", "perhaps"),
            ("early-media", "loud"),
            ("mode", "backwards"),
            ("redirect", "somewhere"),
            ("wait-register", "a while"),
            ("max-targets", "0"),
            ("contact-endpoints", " ,"),
            ("history", "-1"),
            ("colour", "red"),
        ];
        let (config, problems) = read(&bad);
        assert_eq!(config, Config::default());
        assert_eq!(problems.len(), bad.len());
        for ((name, value), problem) in bad.iter().zip(&problems) {
            assert!(
                problem.contains(name) && problem.contains(value),
                "{problem}"
            );
        }
    }
}
