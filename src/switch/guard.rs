//! The panic guard: no panic of ours may unwind into the switch.
//! Every `extern "C"` body runs inside `guarded`, which names the value that the switch
//! gets instead, and writes what happened into its log.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Run `body`; if it panics, log it under `place` and return `fallback`.
pub fn guarded<T>(place: &str, fallback: T, body: impl FnOnce() -> T) -> T {
    caught(fallback, body, |what| {
        let text = format!("defect in mod_cti, please report it: {place}: {what}");
        super::log::write(tracing::Level::ERROR, None, ("mod_cti", 0), &text);
    })
}

/// The guard without the switch: `report` is told the panic's message and may panic itself.
fn caught<T>(fallback: T, body: impl FnOnce() -> T, report: impl FnOnce(&str)) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            let what = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a message");
            let _ = catch_unwind(AssertUnwindSafe(|| report(what)));
            // A payload whose Drop panics must not get out either.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            fallback
        }
    }
}

#[cfg(test)]
mod tests {
    use super::caught;
    use std::panic::panic_any;

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn whatever_panics_stays_inside() {
        let mut told = String::new();
        let mut tell = |what: &str| told.push_str(what);
        assert_eq!(caught(1, || 2, &mut tell), 2);
        assert_eq!(caught(1, || panic!("at {}", "home"), &mut tell), 1);
        assert_eq!(told, "at home");
        assert_eq!(
            caught(1, || panic!("twice"), |_| panic!("in the report")),
            1
        );
        assert_eq!(caught(1, || panic_any(Bomb), |_| {}), 1);
    }
}
