//! Which FreeSWITCH this is, and whether the module can run in it.

use super::text::copied;
use crate::ffi;

/// The first that the declarations in `include/` are true of. Before it a node of an XML tree
/// has fewer members, and up to 1.10.5 some channel flags have other numbers.
const OLDEST: [u32; 3] = [1, 10, 7];

/// The version of the switch, if the module cannot run in it.
pub fn too_old() -> Option<String> {
    // SAFETY: the text belongs to the switch and is copied at once.
    let full = unsafe { copied(ffi::switch_version_full()) }?;
    is_too_old(&full).then_some(full)
}

/// A text that cannot be understood is no reason to refuse: distributions write what they like.
fn is_too_old(full: &str) -> bool {
    let mut numbers = full.trim().splitn(3, '.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit());
        part[..end.unwrap_or(part.len())].parse::<u32>().ok()
    });
    let mut next = || numbers.next().flatten();
    match (next(), next(), next()) {
        (Some(major), Some(minor), Some(micro)) => [major, minor, micro] < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_too_old;

    #[test]
    fn from_1_10_7_on() {
        for old in [
            "1.10.6-release-18-1ff9d0a60e~64bit",
            "1.10.5",
            "1.10.0-dev",
            "1.8.7",
            "0.9.9",
            "1.9.99",
        ] {
            assert!(is_too_old(old), "{old}");
        }
        for new in [
            "1.10.7",
            "1.10.7-release+git~20211024",
            "1.10.12-release-10222002881-a88d069d6f~64bit",
            "1.11.0",
            "1.11.2-dev",
            "2.0.0",
            "10.1.1",
        ] {
            assert!(!is_too_old(new), "{new}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_not_refused() {
        for strange in [
            "",
            "unknown",
            "1",
            "1.10",
            "1.10.",
            "1.10.x",
            "v1.10.6",
            "..",
            "99999999999.1.1",
            "一.十.六",
        ] {
            assert!(!is_too_old(strange), "{strange}");
        }
    }
}
