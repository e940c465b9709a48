//! `campon`: a caller who waits, with music, until somebody of the plan is free. The
//! variables and their defaults are those of core's `bridge`; the plan is run through again
//! and again by the ring machine, as for `originate_retries`.

use crate::contacts::Caller;
use crate::plan::Variables;
use crate::plan::time::is_true;
use crate::ring::{EarlyMedia, Settings};
use crate::settings::said;
use std::time::Duration;

pub struct Campon {
    retries: u32,
    sleep: Duration,
    timeout: Duration,
    /// Played once, before the music.
    pub announcement: Option<String>,
    pub music: Option<String>,
    /// The caller has waited long enough.
    pub stop_key: Option<u8>,
    pub fallback: Option<Fallback>,
}

/// Where a caller goes who has stopped waiting, or has waited in vain.
pub struct Fallback {
    pub extension: String,
    pub dialplan: Option<String>,
    pub context: Option<String>,
}

impl Campon {
    pub fn read(caller: &dyn Caller, globals: &Variables) -> Option<Campon> {
        let lookup = |name: &str| said(name, globals, caller);
        if !lookup("campon").is_some_and(|value| is_true(&value)) {
            return None;
        }
        let number = |name: &str, default: u32| {
            let value = lookup(name).and_then(|value| value.trim().parse().ok());
            value.filter(|&number| number > 0).unwrap_or(default)
        };
        let seconds = |name: &str| Duration::from_secs(u64::from(number(name, 10)));
        let hold_music = || lookup("temp_hold_music").or_else(|| lookup("hold_music"));
        let music = lookup("campon_hold_music").or_else(hold_music);
        let fallback = lookup("campon_fallback_exten").map(|extension| Fallback {
            extension,
            dialplan: lookup("campon_fallback_dialplan"),
            context: lookup("campon_fallback_context"),
        });
        Some(Campon {
            retries: number("campon_retries", 100),
            sleep: seconds("campon_sleep"),
            timeout: seconds("campon_timeout"),
            announcement: lookup("campon_announce_sound"),
            music: music
                .map(|music| caller.expand(&music))
                .filter(|music| !music.eq_ignore_ascii_case("silence")),
            stop_key: lookup("campon_stop_key").and_then(|keys| keys.bytes().next()),
            fallback,
        })
    }

    /// What it asks of the ring machine; a stage's time in the plan is closer than its own.
    pub fn settle(&self, settings: &mut Settings) {
        settings.attempts = self.retries;
        settings.retry_sleep = self.sleep;
        settings.stage_timeout = settings.stage_timeout.or(Some(self.timeout));
        // The caller hears the music.
        settings.early_media = settings.early_media.or(Some(EarlyMedia::Ignore));
    }
}
