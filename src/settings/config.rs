//! `cti.conf.xml`: the defaults that a plan and the caller's channel may override.
//! One table says of each param its name, its default, how it is read and how it is shown.
//! Pure: it is handed names and values; a bad value is reported by its name together with
//! the default that is used instead, and never stops the module.

use crate::plan::directory::Allowed;
use crate::plan::time::{is_true, parse_time};
use crate::ring::{EarlyMedia, Missed, Mode, Redirect};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How a setting is read, and shown.
pub trait Kind<T> {
    /// What was expected instead, where it cannot be read.
    fn read(&self, text: &str) -> Result<T, String>;
    fn show(&self, value: &T) -> String;
}

/// One of a few, by name.
impl<T: Copy + PartialEq, const N: usize> Kind<T> for [(&str, T); N] {
    fn read(&self, text: &str) -> Result<T, String> {
        let named = self.iter().find(|(name, _)| *name == text.trim());
        named.map(|(_, value)| *value).ok_or_else(|| {
            let names = self.map(|(name, _)| name);
            format!("expected {} or {}", names[..N - 1].join(", "), names[N - 1])
        })
    }

    fn show(&self, value: &T) -> String {
        let named = self.iter().find(|(_, one)| one == value);
        named.map_or("", |(name, _)| name).to_owned()
    }
}

impl Kind<usize> for RangeInclusive<usize> {
    fn read(&self, text: &str) -> Result<usize, String> {
        let number = text.trim().parse().ok();
        let number = number.filter(|number| self.contains(number));
        number.ok_or_else(|| format!("expected a number from {} to {}", self.start(), self.end()))
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }
}

type Plain<T> = (fn(&str) -> Result<T, String>, fn(&T) -> String);

impl<T> Kind<T> for Plain<T> {
    fn read(&self, text: &str) -> Result<T, String> {
        self.0(text)
    }

    fn show(&self, value: &T) -> String {
        self.1(value)
    }
}

pub const MISSED: [(&str, Missed); 2] = [("auto", Missed::Auto), ("never", Missed::Never)];
pub const MODE: [(&str, Mode); 2] = [
    ("sequence", Mode::Sequence),
    ("progressive", Mode::Progressive),
];
pub const REDIRECT: [(&str, Redirect); 3] = [
    ("follow", Redirect::Follow),
    ("ignore", Redirect::Ignore),
    ("core", Redirect::Core),
];
pub const EARLY_MEDIA: [(&str, Option<EarlyMedia>); 4] = [
    ("auto", None),
    ("ignore", Some(EarlyMedia::Ignore)),
    ("relay", Some(EarlyMedia::Relay)),
    ("core", Some(EarlyMedia::Core)),
];
const FLAG: Plain<bool> = (|text| Ok(is_true(text)), bool::to_string);
/// As in a plan, 0 is no limit.
const TIME: Plain<Duration> = (
    |text| match text.trim() {
        "none" => Ok(Duration::ZERO),
        _ => parse_time(text).map_err(|error| error.to_string()),
    },
    |time| match time.as_secs_f64() {
        0.0 => "none".to_owned(),
        seconds => format!("{seconds} s"),
    },
);
const LIMIT: Plain<Option<Duration>> = (
    |text| match text.trim() {
        "" => Ok(None),
        _ => Ok(Some(TIME.read(text)?).filter(|time| !time.is_zero())),
    },
    |time| TIME.show(&time.unwrap_or_default()),
);
const ENDPOINTS: Plain<Vec<String>> = (
    |text| {
        let names = text.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        let names: Vec<_> = names.map(str::to_lowercase).collect();
        match names.is_empty() {
            true => Err("expected names of endpoints".to_owned()),
            false => Ok(names),
        }
    },
    |names| names.join(","),
);

/// One row a param: its name, its field, its default, and how it is read and shown.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:literal $field:ident: $type:ty = $default:expr, $kind:expr;)*) => {
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($field: $default,)* }
            }
        }

        impl Config {
            /// Every param with its value.
            pub fn rows(&self) -> Vec<(&'static str, String)> {
                vec![$(($name, $kind.show(&self.$field)),)*]
            }

            fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
                match name {
                    $($name => self.$field = $kind.read(text).map_err(|problem| {
                        format!("{problem}; using {}", $kind.show(&Config::default().$field))
                    })?,)*
                    _ => return Err("no such param; ignored".to_owned()),
                }
                Ok(())
            }
        }
    };
}

settings! {
    "call-timeout" call_timeout: Option<Duration> = None, LIMIT;
    /// Zero is no limit.
    "stage-timeout" stage_timeout: Duration = Duration::from_secs(20), TIME;
    "last-stage-timeout" last_stage_timeout: Duration = Duration::from_secs(60), TIME;
    "missed" missed: Missed = Missed::Auto, MISSED;
    /// None: `auto`.
    "early-media" early_media: Option<EarlyMedia> = None, EARLY_MEDIA;
    "mode" mode: Mode = Mode::Sequence, MODE;
    "redirect" redirect: Redirect = Redirect::Follow, REDIRECT;
    /// A device that registers while its user's stage rings joins it.
    "late-join" late_join: bool = false, FLAG;
    /// How long a stage stays open in which nobody is registered.
    "wait-register" wait_register: Option<Duration> = None, LIMIT;
    /// Of one plan's targets, and of one stage's contacts.
    "max-targets" max_targets: usize = 1024, (1..=10_000);
    /// The endpoints of contacts that a `${…}` in a directory's dial string may bring.
    "contact-endpoints" contact_endpoints: Vec<String> =
        ["sofia", "verto.rtc", "error"].map(str::to_owned).into(), ENDPOINTS;
    /// How many ended calls `cti show` still finds.
    "history" history: usize = 200, (0..=100_000);
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
        for value in ["0", "0ms", "none"] {
            let limits = [
                "call-timeout",
                "wait-register",
                "stage-timeout",
                "last-stage-timeout",
            ];
            let (config, problems) = read(&limits.map(|name| (name, value)));
            let unlimited = Config {
                stage_timeout: Duration::ZERO,
                last_stage_timeout: Duration::ZERO,
                ..Config::default()
            };
            assert_eq!((config, problems), (unlimited, Vec::new()), "{value:?}");
        }
    }

    #[test]
    fn a_bad_value_is_named_and_its_default_stands() {
        let bad = [
            ("call-timeout", "-5"),
            ("stage-timeout", "soon"),
            ("last-stage-timeout", "-1s"),
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
