//! The table of intended differences between `bridge` and `cti_bridge`: the README's chapter "Migrating from `bridge`".
//! Each has a name, its reason, and a rule that says what it covers; a scenario opts in by name.
//! Whatever no rule covers fails the scenario.

/// One thing that the two runs of a call tell differently.
#[derive(Debug, Clone)]
pub struct Difference {
    /// `caller`, a phone's name, another channel's, or `order`.
    pub who: String,
    /// `wire`, `event`, `invited`, `INVITE From`, `variable x`, `profile x`.
    pub what: String,
    pub core: Option<String>,
    pub ours: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |value: &Option<String>| {
            value
                .as_ref()
                .map_or("nothing".to_string(), |value| format!("{value:?}"))
        };
        let (core, ours) = (side(&self.core), side(&self.ours));
        write!(
            f,
            "{}: {}: bridge {core}, cti_bridge {ours}",
            self.who, self.what
        )
    }
}

pub struct Intended {
    /// As it stands in the README, in the first column.
    pub name: &'static str,
    pub reason: &'static str,
    /// True of every call: no scenario need name it.
    pub always: bool,
    pub covers: fn(&Difference) -> bool,
}

pub const DIFFERENCES: &[Intended] = &[
    Intended {
        name: "`cti_…` variables",
        reason: "what happened is told where `bridge` says nothing",
        always: true,
        covers: |found| found.core.is_none() && found.what.starts_with("variable cti_"),
    },
    Intended {
        name: "`DIALSTATUS`",
        reason: "`bridge` swaps two values and then writes `SUCCESS` over all",
        always: true,
        covers: |found| found.what == "variable DIALSTATUS",
    },
    Intended {
        name: "`user/` and `group/` are dialled once",
        reason: "`bridge` runs an originate within the originate for each: every leg goes out twice in its \
                 books, and the caller takes the last one for its partner",
        always: true,
        covers: nested,
    },
    Intended {
        name: "early media variables",
        reason: "only an answer wins: each stage says by core's own variables what early media does",
        always: true,
        covers: |found| {
            let ours = ["ignore_early_media", "bridge_early_media"];
            found.what == "variable originate_early_media"
                || found.core.is_none()
                    && ours
                        .iter()
                        .any(|name| found.what == format!("variable {name}"))
        },
    },
];

/// What the originate that `user/` and `group/` run within `bridge`'s own leaves behind.
fn nested(found: &Difference) -> bool {
    let (core, ours) = (found.core.as_deref(), found.ours.as_deref());
    match found.what.as_str() {
        "event" => core == Some("OUTGOING") && ours.is_none(),
        "variable originate_endpoint" => {
            matches!(core, Some("user" | "group")) && matches!(ours, Some("sofia"))
        }
        "variable originated_legs" | "variable originate_causes" => {
            core.is_some() && listed(core) == listed(ours)
        }
        "variable signal_bond" => ours.is_none(),
        what if what.starts_with("profile Other-Leg-") => {
            // Of a caller who was joined to nobody, or names that the nested originate put there first.
            ours.is_none()
        }
        _ => false,
    }
}

/// The elements of a list variable, each once.
fn listed(value: Option<&str>) -> Vec<&str> {
    let value = value.unwrap_or("");
    let mut elements: Vec<&str> = value
        .strip_prefix("ARRAY::")
        .unwrap_or(value)
        .split("|:")
        .collect();
    elements.dedup();
    elements
}
