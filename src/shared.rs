//! What one load of the module shares, handed to each call.
//! Made anew at each load, since statics survive `reload`: the library is never unmapped.

use crate::groups::Groups;
use crate::groups::chosen::Chosen;
use crate::groups::config::{Config as Grouped, Group, WhenAllBusy};
use crate::pool::Pool;
use crate::registrations::Registrations;
use crate::settings::config::Config;
use crate::switch::event::EventHook;
use crate::switch::session::{MessageHook, SignalHook};
use crate::switch::{dial::LegTable, xml};
use crate::tell::history::History;
use crate::tell::metrics::Metrics;
use crate::timer::Timer;
use crate::watch::Watch;
use parking_lot::RwLock;
use std::path::PathBuf;
use std::sync::Arc;

/// What the switch calls when something happens to a leg or to a caller.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// The states of a leg.
    pub table: &'static LegTable,
    /// Messages to a leg.
    pub messages: MessageHook,
    /// Signals to a caller.
    pub signals: SignalHook,
    /// Events of channels.
    pub channels: EventHook,
}

pub struct Shared {
    pub hooks: Hooks,
    pub timer: Arc<Timer>,
    pub metrics: Metrics,
    pub history: History,
    pub registrations: Registrations,
    pub pool: Arc<Pool>,
    /// The ring groups of `cti.conf`, with who is busy and whose turn it is.
    pub groups: Arc<Groups>,
    /// Tells the groups of every channel.
    pub watch: Arc<Watch>,
    /// Where turns are remembered.
    pub memory: Arc<Chosen>,
    config: RwLock<Arc<Config>>,
}

impl Shared {
    /// Groups that cannot be read are logged, and there are none: all else works as configured.
    pub fn new(hooks: Hooks, timer: Arc<Timer>, metrics: Metrics) -> Shared {
        let file = xml::global("db_dir").map(|folder| PathBuf::from(folder).join(MEMORY_FILE));
        let (memory, warning) = Chosen::open(file.as_deref());
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
        let memory = Arc::new(memory);
        let read = Read::now();
        let shared = Shared {
            hooks,
            timer,
            metrics,
            history: History::default(),
            registrations: Registrations::default(),
            pool: Arc::default(),
            groups: Arc::new(Groups::new(Grouped::default(), Arc::clone(&memory) as _)),
            watch: Arc::default(),
            memory,
            config: RwLock::new(Arc::new(read.config)),
        };
        if let Err(errors) = read.groups.and_then(|groups| shared.regroup(groups)) {
            for error in errors {
                tracing::error!("cti.conf: {error}");
            }
            tracing::error!(
                "cti.conf: there are no ring groups until a `cti reload` can read them"
            );
        }
        shared
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    /// Read `cti.conf` again. What could not be understood and has its default is logged and returned.
    ///
    /// # Errors
    /// Why the groups cannot come into force. Nothing has changed then.
    pub fn reload(&self) -> Result<Vec<String>, Vec<String>> {
        let read = Read::now();
        let done = read.groups.and_then(|groups| self.regroup(groups));
        if let Err(errors) = &done {
            for error in errors {
                tracing::error!("cti.conf: {error}");
            }
        }
        done?;
        self.watch();
        *self.config.write() = Arc::new(read.config);
        Ok(read.problems)
    }

    /// Where there are groups, see who of their members is busy.
    pub fn watch(&self) {
        if !self.groups.config().groups.is_empty() {
            let hook = self.hooks.channels;
            self.watch.begin(&self.groups, &self.pool, hook);
        }
    }

    fn regroup(&self, groups: Grouped) -> Result<(), Vec<String>> {
        if groups.groups.is_empty() && self.groups.config().groups.is_empty() {
            return Ok(());
        }
        // Rather refused than something else in its place.
        let waits = |group: &&Arc<Group>| group.when_all_busy == WhenAllBusy::Wait;
        let waits = groups.groups.values().filter(waits).map(|group| {
            let name = &group.name;
            format!("group {name}: when-all-busy=\"wait\" is not built yet: expected overflow or ring-anyway")
        });
        let waits: Vec<String> = waits.collect();
        if !waits.is_empty() {
            return Err(waits);
        }
        let memory = self.memory.prepare(&groups.memory);
        self.memory.choose(memory.map_err(|error| vec![error])?);
        self.groups.replace(groups);
        Ok(())
    }
}

/// In the folder of the switch's own databases.
const MEMORY_FILE: &str = "mod_cti_groups.json";

/// What `cti.conf` says.
struct Read {
    config: Config,
    /// What could not be understood and has its default.
    problems: Vec<String>,
    groups: Result<Grouped, Vec<String>>,
}

impl Read {
    fn now() -> Read {
        let Some(file) = xml::configuration("cti.conf") else {
            tracing::info!("no cti.conf.xml: every default stands");
            return Read {
                config: Config::default(),
                problems: Vec::new(),
                groups: Ok(Grouped::default()),
            };
        };
        let (config, problems) = Config::read(&file.params);
        for problem in &problems {
            tracing::warn!("{problem}");
        }
        let domain = xml::default_domain();
        let groups = Grouped::read(&file.elements, domain.as_deref());
        let told = |problems: Vec<_>| problems.iter().map(ToString::to_string).collect();
        Read {
            config,
            problems,
            groups: groups.map_err(told),
        }
    }
}
