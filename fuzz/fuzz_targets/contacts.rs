//! Any dial string of a directory, with anything that phones and servers say in it: no other
//! endpoint than the directory's author or cti.conf allows, no more contacts than allowed, no
//! variables that the author did not write. The first line is the dial string, each further line
//! one reply. A slow input is an error of its own (`-timeout`).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mod_cti::plan::directory::{Allowed, directed, endpoint_of};
use std::collections::HashSet;

const LIMIT: usize = 50;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let template = lines.next().unwrap_or_default();
    let replies: Vec<&str> = lines.collect();
    let endpoints = ["sofia", "verto.rtc", "error"].map(str::to_owned);
    let allowed = Allowed {
        endpoints: &endpoints,
        contacts: LIMIT,
    };
    let mut asked = 0;
    let mut expand = |_: &str| {
        let reply = replies.get(asked).copied().unwrap_or_default();
        asked += 1;
        reply.to_owned()
    };
    let Ok(found) = directed(template, &allowed, &mut expand) else {
        return;
    };
    // The author's own `/` is written so, too: nothing before it and nothing behind.
    let brought = found
        .targets
        .iter()
        .filter(|target| target.written.is_empty() && !target.endpoint.is_empty());
    assert!(brought.count() <= LIMIT);
    // What the same dial string rings when nothing of meaning is said: its author's own endpoints.
    let unlimited = Allowed {
        contacts: usize::MAX,
        ..allowed
    };
    let silent = directed(template, &unlimited, &mut |_| "xml".to_owned());
    let silent = silent.expect("the replies do not decide whether it can be read");
    let own: HashSet<String> = silent
        .targets
        .iter()
        .map(|target| endpoint_of(&target.dial_string()))
        .collect();
    let written = template.to_ascii_lowercase();
    for target in &found.targets {
        let endpoint = endpoint_of(&target.dial_string());
        assert!(
            own.contains(&endpoint) || endpoints.contains(&endpoint),
            "{endpoint:?} of {target}"
        );
        for variable in &target.variables {
            let name = variable.name.to_ascii_lowercase();
            assert!(template_names(&written, &name), "{name:?} of {target}");
        }
    }
});

/// Every letter of the word stands in the dial string in this order: escapes and quotes may
/// stand between them.
fn template_names(template: &str, word: &str) -> bool {
    let mut letters = template.chars();
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .all(|c| letters.any(|other| other == c))
}
