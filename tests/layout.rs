//! Our declarations of the C API against FreeSWITCH's own, wherever its headers are found.
//! Sizes, offsets and numbers are printed by one C program built against each; prototypes
//! are declared a second time behind the real ones, where a difference does not compile. A
//! function that the real ones lack would be declared for the first time by that: so each is
//! looked for by its address in a program of its own.

use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const BINDINGS: &str = include_str!("../include/bindings.rs");
const CAUSES: &str = include_str!("../src/ring/cause.rs");
const HEADER: &str = include_str!("../include/freeswitch_api.h");

fn main() -> ExitCode {
    let Some(headers) = headers() else {
        println!(
            "skipped: no FreeSWITCH headers (FREESWITCH_INCLUDE_DIR, pkg-config freeswitch, FREESWITCH_PREFIX)"
        );
        println!("0 passed, 0 failed, 1 skipped");
        return ExitCode::SUCCESS;
    };
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let checks = [
        same_layout(&headers, &ours),
        same_prototypes(&headers),
        all_functions(&headers),
        same_causes(&headers),
    ];
    for error in checks.iter().filter_map(|check| check.as_ref().err()) {
        println!("FAILED {error}");
    }
    let failed = checks.iter().filter(|check| check.is_err()).count();
    println!("layout of {} against include/", headers.display());
    println!(
        "{} passed, {failed} failed, 0 skipped",
        checks.len() - failed
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn headers() -> Option<PathBuf> {
    let named = env::var_os("FREESWITCH_INCLUDE_DIR").map(PathBuf::from);
    let prefix = env::var_os("FREESWITCH_PREFIX")
        .map(|prefix| Path::new(&prefix).join("include/freeswitch"));
    let known = Command::new("pkg-config")
        .args(["--variable=includedir", "freeswitch"])
        .output()
        .ok();
    let known = known.map(|found| PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()));
    let found = [
        named.clone(),
        named.map(|named| named.join("freeswitch")),
        prefix,
        known,
    ];
    found
        .into_iter()
        .flatten()
        .find(|directory| directory.join("switch.h").is_file())
}

/// Every field and number that our bindings know.
fn same_layout(headers: &Path, ours: &Path) -> Result<(), String> {
    let theirs = print_layout("switch.h", headers)?;
    let ours = print_layout("freeswitch_api.h", ours)?;
    let differences: Vec<String> = ours
        .lines()
        .zip(theirs.lines())
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| format!("  ours {ours}, theirs {theirs}"))
        .collect();
    if differences.is_empty() && ours.lines().count() > 100 {
        Ok(())
    } else {
        Err(format!("layout:\n{}", differences.join("\n")))
    }
}

fn print_layout(header: &str, directory: &Path) -> Result<String, String> {
    let mut lines = String::new();
    let mut structure = "";
    for line in BINDINGS.lines() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            structure = rest.trim_end_matches(" {");
        } else if line == "}" && !structure.is_empty() {
            structure = "";
        } else if let Some(field) = line
            .strip_prefix("    pub ")
            .and_then(|line| line.split_once(':'))
        {
            // Opaque types have no fields of their own; `tables` stands for many named ones.
            if !structure.is_empty() && !["tables", "_unused", "_address"].contains(&field.0) {
                let kind = if BINDINGS.contains(&format!("pub type {structure}_t = {structure};"))
                    || !structure.ends_with("_t")
                {
                    format!("struct {structure}")
                } else {
                    structure.to_owned()
                };
                let _ = writeln!(
                    lines,
                    "  printf(\"{structure}.{0} %zu %zu\\n\", offsetof({kind}, {0}), sizeof((({kind} *)0)->{0}));",
                    field.0
                );
            }
        } else if let Some(constant) = line
            .strip_prefix("pub const ")
            .and_then(|line| line.split_once(':'))
        {
            let _ = writeln!(
                lines,
                "  printf(\"{0} %lld\\n\", (long long){0});",
                constant.0
            );
        }
    }
    let program = format!(
        "#include <{header}>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {{\n{lines}  return 0;\n}}\n"
    );
    let binary = compile(&program, directory, header, true)?;
    let output = Command::new(&binary)
        .output()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Our prototypes behind the real header: a second declaration must agree with the first.
fn same_prototypes(headers: &Path) -> Result<(), String> {
    let functions = HEADER
        .split_once("/* ---- functions")
        .and_then(|(_, rest)| rest.split_once("*/"))
        .map(|(_, rest)| rest);
    let functions = functions
        .ok_or("no part \"functions\" in our header")?
        .replace("#endif", "");
    compile(
        &format!("#include <switch.h>\n{functions}\n"),
        headers,
        "prototypes",
        false,
    )
    .map(|_| ())
}

/// Every function that our bindings know, without a word of ours before it.
fn all_functions(headers: &Path) -> Result<(), String> {
    let mut uses = String::new();
    let functions = BINDINGS
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub fn "))
        .filter_map(|rest| rest.split_once('('));
    for (name, _) in functions {
        let _ = writeln!(uses, "  (void)&{name};");
    }
    if uses.lines().count() < 60 {
        return Err(format!("the bindings' functions are not found:\n{uses}"));
    }
    let program = format!("#include <switch.h>\nint main(void) {{\n{uses}  return 0;\n}}\n");
    compile(&program, headers, "functions", false).map(|_| ())
}

/// The ring machine's causes. Those of the switch's own (from 700) may all be 200 less, as in
/// 1.10.7, or not be there at all: `src/switch/cause.rs` asks the switch which it is.
fn same_causes(headers: &Path) -> Result<(), String> {
    let types = headers.join("switch_types.h");
    let types =
        std::fs::read_to_string(&types).map_err(|error| format!("{}: {error}", types.display()))?;
    let theirs = |name: &str| {
        let (_, rest) = types.split_once(&format!("SWITCH_CAUSE_{name} = "))?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    };
    let ours: Vec<(&str, u32)> = CAUSES
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const "))
        .filter_map(|line| line.split_once(": Cause = Cause("))
        .filter_map(|(name, rest)| Some((name, rest.strip_suffix(");")?.parse().ok()?)))
        .collect();
    let less = if theirs("LOSE_RACE") == Some(502) {
        200
    } else {
        0
    };
    let differs = |&&(name, number): &&(&str, u32)| match (theirs(name), number) {
        (Some(theirs), 700..) => theirs + less != number,
        (Some(theirs), _) => theirs != number,
        (None, _) => number < 700,
    };
    let wrong: Vec<String> = ours
        .iter()
        .filter(differs)
        .map(|(name, number)| format!("  {name}: ours {number}, theirs {:?}", theirs(name)))
        .collect();
    if wrong.is_empty() && ours.len() > 20 {
        Ok(())
    } else {
        Err(format!("{} causes:\n{}", ours.len(), wrong.join("\n")))
    }
}

fn compile(program: &str, include: &Path, name: &str, link: bool) -> Result<PathBuf, String> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = directory.join(format!("layout-{name}.c"));
    let out = source.with_extension(if link { "bin" } else { "o" });
    std::fs::write(&source, program).map_err(|error| format!("{}: {error}", source.display()))?;
    let mut cc = Command::new("cc");
    cc.arg("-I").arg(include).arg("-o").arg(&out).arg(&source);
    if !link {
        cc.arg("-c");
    }
    let output = cc.output().map_err(|error| format!("cc: {error}"))?;
    if output.status.success() {
        Ok(out)
    } else {
        Err(format!(
            "{name} does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
