//! Which memory is in force: that of this switch, or one that several share with this switch's own behind it.
//! The configuration may choose another at any time; turns that this switch took are kept over it.

use super::config;
use super::memory::{Ask, Backed, Local, Memory, Note, Saver, Source};
use super::order::{Moment, Seen};
use super::redis::Redis;
use parking_lot::{Mutex, RwLock};
use std::path::Path;
use std::sync::Arc;

pub struct Chosen {
    local: Arc<Local>,
    shared: RwLock<Option<Shared>>,
    saver: Mutex<Option<Saver>>,
}

#[derive(Clone)]
struct Shared {
    asked_for: config::Memory,
    backed: Arc<Backed>,
}

/// A memory that can be chosen; whatever could go wrong has gone well.
pub struct Ready(Option<Shared>);

impl Chosen {
    /// The memory of this switch, in this file if there is one; the second value is a warning.
    #[must_use]
    pub fn open(path: Option<&Path>) -> (Chosen, Option<String>) {
        let (local, warning) = path.map_or_else(Default::default, Local::open);
        let chosen = Chosen {
            local: Arc::new(local),
            shared: RwLock::default(),
            saver: Mutex::default(),
        };
        (chosen, warning)
    }

    /// Make ready what the configuration asks for. Nothing changes yet.
    ///
    /// # Errors
    /// Why that memory cannot be used; without a password.
    pub fn prepare(&self, memory: &config::Memory) -> Result<Ready, String> {
        let config::Memory::Redis { url, prefix } = memory else {
            return Ok(Ready(None));
        };
        let present = self.shared.read().clone();
        if let Some(present) = present.filter(|it| it.asked_for == *memory) {
            return Ok(Ready(Some(present)));
        }
        let redis = Redis::new(url, prefix).map_err(|error| format!("memory: {error}"))?;
        let backed = Backed::new(Arc::clone(&self.local), Box::new(redis));
        Ok(Ready(Some(Shared {
            asked_for: memory.clone(),
            backed: Arc::new(backed),
        })))
    }

    /// This memory answers from now on, and what it remembers is saved.
    pub fn choose(&self, ready: Ready) {
        let before = std::mem::replace(&mut *self.shared.write(), ready.0);
        // Its worker is waited for.
        drop(before);
        let mut saver = self.saver.lock();
        if saver.is_none() {
            match self.local.start_saving() {
                Ok(started) => *saver = Some(started),
                Err(error) => tracing::warn!("the memory of groups is not saved: {error}"),
            }
        }
    }

    /// Save a last time; no thread is left.
    pub fn end(&self) {
        let shared = self.shared.write().take();
        drop(shared);
        let saver = self.saver.lock().take();
        drop(saver);
    }

    /// Who answers at this moment.
    #[must_use]
    pub fn source(&self) -> Source {
        match &*self.shared.read() {
            None => Source::Local,
            Some(shared) if shared.backed.is_down() => Source::Fallback,
            Some(_) => Source::Redis,
        }
    }

    fn memory(&self) -> Arc<dyn Memory> {
        match &*self.shared.read() {
            Some(shared) => Arc::clone(&shared.backed) as Arc<dyn Memory>,
            None => Arc::clone(&self.local) as Arc<dyn Memory>,
        }
    }
}

impl Memory for Chosen {
    fn look(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source) {
        self.memory().look(ask)
    }

    fn take(&self, ask: &Ask<'_>) -> (Vec<Seen>, Source) {
        self.memory().take(ask)
    }

    fn note(&self, note: &Note, now: Moment) {
        self.memory().note(note, now);
    }
}
