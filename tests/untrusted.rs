//! The one place through which values are stored on channels, held to the source.
//! Whoever gives a caller back its own value is named here, with the reason; nobody else may store
//! a value as it is. The rule itself is `inert` in `src/plan/inert.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// File, function, and why it may store a value that could be expanded.
const RESTORES: &[(&str, &str, &str)] = &[
    (
        "src/call/dial.rs",
        "run_hooks_of_the_winner",
        "the plan's and the directory's own hooks of the leg that has won",
    ),
    (
        "src/call/shield.rs",
        "give_back",
        "the caller's own originate hooks and cancel key, when the ringing is over, and its \
         failure_causes and the like, after a join in early media",
    ),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// File and function of every line that has this text.
fn places(text: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source file is text");
        let mut function = String::new();
        for line in source.lines() {
            let code = line.trim_start();
            if let Some((_, rest)) = code.split_once("fn ").filter(|_| !code.starts_with("//")) {
                function = rest.split(['(', '<']).next().unwrap_or("").to_owned();
            }
            if code.contains(text) && !code.starts_with("//") {
                let name = file.strip_prefix(root).expect("a file of ours");
                found.push((name.display().to_string(), function.clone()));
            }
        }
    }
    found
}

#[test]
fn only_those_named_give_values_back_as_they_are() {
    let expected = RESTORES.iter();
    let mut expected: Vec<_> = expected
        .map(|(file, function, _)| ((*file).to_owned(), (*function).to_owned()))
        .collect();
    // The order in which files lie in a directory is anybody's.
    expected.sort();
    let mut found = places(".restore(");
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn every_value_is_stored_in_one_place() {
    for (call, place) in [
        ("switch_channel_set_variable", "store"),
        ("switch_channel_set_profile_var", "set_profile"),
    ] {
        let found = places(call);
        let place = ("src/switch/session.rs".to_owned(), place.to_owned());
        assert_eq!(found, [place], "{call}");
    }
    // Core's array and formatted variants would go past it.
    let others = ["switch_channel_add_variable", "set_variable_printf"];
    assert!(others.iter().all(|call| places(call).is_empty()));
}
