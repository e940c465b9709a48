//! The plan language: the text people write for `bridge`, read into plans, parts, stages and targets.
//! Pure: no FreeSWITCH, no clock, no log. `parse` reads, `print` writes back, `time` reads time values.
//! What a text means follows `bridge`; where we are kinder on purpose, `parse` says so.
#![forbid(unsafe_code)]

pub mod directory;
mod inert;
pub mod moved;
mod parse;
mod print;
pub mod time;

use std::collections::{HashMap, HashSet};
use std::fmt;

pub use inert::inert;
pub use parse::parse;

/// One `name=value`. Neither is empty when it comes out of [`parse()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

/// Variables in the order in which they were written; a name may occur twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<Variable>);

impl Variables {
    /// The value of `name`. The last one written wins and ASCII case is ignored,
    /// as in the event headers in which FreeSWITCH keeps variables.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut latest_first = self.0.iter().rev();
        latest_first
            .find(|variable| variable.name.eq_ignore_ascii_case(name))
            .map(|variable| variable.value.as_str())
    }

    /// Replaces every value of `name` by this one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        self.remove(&name);
        self.0.push(Variable { name, value });
    }

    /// Removes every value of `name` and returns the one that [`get`](Self::get) would have found.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let value = self.get(name).map(str::to_owned);
        self.0
            .retain(|variable| !variable.name.eq_ignore_ascii_case(name));
        value
    }

    /// Removes every value of all these names.
    pub fn remove_all<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let names: HashSet<String> = names.into_iter().map(str::to_ascii_lowercase).collect();
        if !names.is_empty() {
            self.0
                .retain(|variable| !names.contains(&variable.name.to_ascii_lowercase()));
        }
    }

    /// Sets all of these, in their order; the time is linear.
    pub fn set_all<'v>(&mut self, others: impl IntoIterator<Item = &'v Variable>) {
        let others: Vec<&Variable> = others.into_iter().collect();
        self.remove_all(others.iter().map(|it| it.name.as_str()));
        let mut last: HashMap<String, usize> = HashMap::new();
        for (at, variable) in others.iter().enumerate() {
            last.insert(variable.name.to_ascii_lowercase(), at);
        }
        let mut kept: Vec<usize> = last.into_values().collect();
        kept.sort_unstable();
        self.0.extend(kept.into_iter().map(|at| others[at].clone()));
    }

    /// The variables as written, duplicates included.
    pub fn iter(&self) -> std::slice::Iter<'_, Variable> {
        self.0.iter()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Variables {
    type Item = &'a Variable;
    type IntoIter = std::slice::Iter<'a, Variable>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The whole argument of `cti_bridge`. A parsed plan has at least one part.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `<…>`: for all parts.
    pub globals: Variables,
    /// Separated by `:_:`; they run beside one another.
    pub parts: Vec<Part>,
    /// What was read as nothing, with its place; the first of them.
    pub remarks: Vec<PlanError>,
}

/// Two plans are equal when they mean the same, whatever else was written.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.globals == other.globals && self.parts == other.parts
    }
}

impl Eq for Plan {}

/// The text between two `:_:`. A parsed part has at least one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `{…}`: for all targets of the part.
    pub globals: Variables,
    /// Separated by `|`; they ring one after another.
    pub stages: Vec<Stage>,
}

/// The text between two `|`. A parsed stage has at least one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Separated by `,`; they ring together.
    pub targets: Vec<Target>,
}

/// One dial string with its `[variables]`.
#[derive(Debug, Clone)]
pub struct Target {
    pub variables: Variables,
    /// The text before the first `/`, for example `user`.
    pub endpoint: String,
    /// The text after it; empty when there is no `/`. FreeSWITCH dials `user` and `user/` alike.
    pub address: String,
    /// The target as its author wrote it, trimmed, with its `[variables]`.
    pub written: String,
}

impl Target {
    /// `endpoint/address`, without variables.
    #[must_use]
    pub fn dial_string(&self) -> String {
        if self.address.is_empty() {
            return self.endpoint.clone();
        }
        format!("{}/{}", self.endpoint, self.address)
    }

    /// `user_recurse_variables=false`, and `group_recurse_variables=false` for a group: whether the
    /// plan's variables go on to the devices of this target.
    #[must_use]
    pub fn recurses(&self, globals: &Variables) -> bool {
        let name = format!("{}_recurse_variables", self.endpoint.to_ascii_lowercase());
        let said = self.variables.get(&name).or_else(|| globals.get(&name));
        said.is_none_or(|value| !time::is_false(value))
    }
}

/// Two targets are equal when they mean the same, however they were written.
impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.variables == other.variables
            && self.endpoint == other.endpoint
            && self.address == other.address
    }
}

impl Eq for Target {}

/// How large a plan may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    /// Targets of the whole plan.
    pub targets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_targets(1024)
    }
}

impl Limits {
    /// Room for so many targets: 64 bytes for each, and never less than 64 KiB.
    #[must_use]
    pub fn of_targets(targets: usize) -> Self {
        let bytes = targets.max(1024).saturating_mul(64);
        Self { bytes, targets }
    }
}

/// Why a plan was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Counted in characters from 1; one past the end when something is missing there.
    pub column: usize,
    pub message: String,
}

impl PlanError {
    /// The plan on one line and, below it, a caret under the column.
    /// `text` is the plan that was refused; its line breaks are shown as spaces.
    #[must_use]
    pub fn with_caret(&self, text: &str) -> String {
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        format!("{line}\n{}^", " ".repeat(self.column.saturating_sub(1)))
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at column {}", self.message, self.column)
    }
}

impl std::error::Error for PlanError {}
