//! The README says what the tests know.
//! Every intended difference between `bridge` and `cti_bridge` stands in its chapter "Migrating from `bridge`".
//! No switch is needed here.

#[allow(dead_code)] // the rules are for the live tests
#[path = "live/parity/differences.rs"]
mod differences;

const README: &str = include_str!("../README.md");

#[test]
fn every_intended_difference_is_in_the_readme() {
    let (_, chapter) = README
        .split_once("## Migrating from `bridge`")
        .expect("the README has the chapter");
    let chapter = chapter.split("\n## ").next().unwrap_or("");
    let rows: Vec<&str> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .collect();
    for difference in differences::DIFFERENCES {
        assert!(
            rows.contains(&difference.name),
            "no row for {:?}: {}",
            difference.name,
            difference.reason
        );
    }
}

/// What the module says at load stands in its sources; what calls say, `tests/live/checks/troubles.rs` holds to a switch.
#[test]
fn what_troubleshooting_quotes_of_a_load_is_in_the_sources() {
    let source = include_str!("../src/module.rs");
    let page = include_str!("../docs/troubleshooting.md");
    let block = page
        .split("```load\n")
        .nth(1)
        .expect("the page has a block");
    let block = block.split("```").next().unwrap_or("");
    for line in block.lines() {
        let mut pieces = line.split('…').map(str::trim);
        assert!(pieces.all(|piece| source.contains(piece)), "{line}");
    }
    assert!(block.lines().count() >= 3, "{block}");
}
