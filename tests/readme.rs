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
