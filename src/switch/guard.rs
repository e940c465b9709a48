//! The panic guard: no panic of ours may unwind into the switch.
//! Every `extern "C"` body runs inside `guarded`, which names the value that the switch
//! gets instead, and writes what happened into its log.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Run `body`; if it panics, log it under `place` and return `fallback`.
pub fn guarded<T>(place: &str, fallback: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            let what = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a message");
            // The log itself must not be what brings the switch down.
            let _ = catch_unwind(|| {
                super::log::write(
                    tracing::Level::ERROR,
                    None,
                    &format!("defect in mod_cti, please report it: {place}: {what}"),
                )
            });
            // A payload whose Drop panics must not get out either.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            fallback
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_guard_hands_out_its_fallback() {
        assert_eq!(std::panic::catch_unwind(|| 1).unwrap_or(2), 1);
    }
}
