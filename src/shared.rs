//! What one load of the module shares, handed to each call.
//! Made anew at each load, since statics survive `reload`: the library is never unmapped.

use crate::pool::Pool;
use crate::registrations::Registrations;
use crate::settings::config::Config;
use crate::switch::session::{MessageHook, SignalHook};
use crate::switch::{dial::LegTable, xml};
use crate::tell::history::History;
use crate::tell::metrics::Metrics;
use crate::timer::Timer;
use parking_lot::RwLock;
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
}

pub struct Shared {
    pub hooks: Hooks,
    pub timer: Arc<Timer>,
    pub metrics: Metrics,
    pub history: History,
    pub registrations: Registrations,
    pub pool: Arc<Pool>,
    config: RwLock<Arc<Config>>,
}

impl Shared {
    pub fn new(hooks: Hooks, timer: Arc<Timer>, metrics: Metrics) -> Shared {
        Shared {
            hooks,
            timer,
            metrics,
            history: History::default(),
            registrations: Registrations::default(),
            pool: Arc::default(),
            config: RwLock::new(Arc::new(read_config().0)),
        }
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read())
    }

    /// Read `cti.conf` (again); what could not be understood is logged and returned.
    pub fn reload(&self) -> Vec<String> {
        let (config, problems) = read_config();
        *self.config.write() = Arc::new(config);
        problems
    }
}

fn read_config() -> (Config, Vec<String>) {
    let Some(params) = xml::settings("cti.conf") else {
        tracing::info!("no cti.conf.xml: every default stands");
        return (Config::default(), Vec::new());
    };
    let (config, problems) = Config::read(&params);
    for problem in &problems {
        tracing::warn!("{problem}");
    }
    (config, problems)
}
