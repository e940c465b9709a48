//! What the built files say of themselves: the module's symbols, and the stand-in's.
//! A new need of the module shows up here before it shows up as a failed load.

use super::*;
use crate::harness::module;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const SYMBOLS: &str = include_str!("../../switch/symbols.txt");

fn symbols_of(library: &Path, which: &str) -> Result<BTreeSet<String>, String> {
    let nm = Command::new("nm")
        .args(["-D", which])
        .arg(library)
        .env_remove("LD_PRELOAD")
        .output();
    let nm = nm.map_err(|error| format!("nm: {error}"))?;
    let text = String::from_utf8_lossy(&nm.stdout).into_owned();
    let last = |line: &str| line.split_whitespace().last().map(str::to_owned);
    Ok(text.lines().filter_map(last).collect())
}

pub fn symbols(_: &Stand) -> Wrong {
    let checked = || -> Result<Wrong, String> {
        let module = module()?;
        let mut wrong = Vec::new();
        let exported = symbols_of(&module, "--defined-only")?;
        let only = exported
            .iter()
            .map(String::as_str)
            .eq(["mod_cti_module_interface"]);
        expect(&mut wrong, "exported", only, &exported);
        let mut needed = symbols_of(&module, "--undefined-only")?;
        needed.retain(|symbol| symbol.starts_with("switch_"));
        let listed: BTreeSet<String> = SYMBOLS
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        for symbol in needed.symmetric_difference(&listed) {
            let which = if listed.contains(symbol) {
                "is listed but not used"
            } else {
                "is used but not listed"
            };
            wrong.push(format!("tests/switch/symbols.txt: {symbol} {which}"));
        }
        Ok(wrong)
    };
    checked().unwrap_or_else(|error| vec![error])
}

/// Every function that the header declares exists in the stand-in.
pub fn header_is_implemented(stand: &Stand) -> Wrong {
    let header = include_str!("../../../include/freeswitch_api.h");
    let code: Vec<&str> = header.split("/* ---- functions").skip(1).collect();
    let name = |before: &str| {
        let start = before
            .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(0, |at| at + 1);
        before[start..].to_owned()
    };
    let declared: BTreeSet<String> = code
        .concat()
        .split('(')
        .map(name)
        .filter(|name| name.starts_with("switch_"))
        .collect();
    let mut wrong = Vec::new();
    expect(
        &mut wrong,
        "functions",
        declared.len() > 50,
        &declared.len(),
    );
    for function in declared.iter().filter(|name| !stand.library.has(name)) {
        wrong.push(format!("the stand-in has no {function}"));
    }
    wrong
}
