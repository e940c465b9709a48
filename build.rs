//! Finds the C declarations that `src/ffi.rs` includes: FreeSWITCH's own headers
//! (`FREESWITCH_INCLUDE_DIR`, then pkg-config) through bindgen, else the checked-in
//! output for `include/`, so that a machine without headers or libclang builds too.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

/// What of the API is bound; everything else in FreeSWITCH's headers is left out.
const ITEMS: &str = include_str!("include/items.txt");

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=FREESWITCH_INCLUDE_DIR");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo::rerun-if-env-changed=MOD_CTI_BINDINGS");
    for file in ["build.rs", "include"] {
        println!("cargo::rerun-if-changed={file}");
    }
    // FreeSWITCH pools its threads: one that ran our code may end after dlclose, and
    // Rust's thread-local destructors would then run in unmapped memory.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");

    let out = PathBuf::from(env::var("OUT_DIR")?).join("bindings.rs");
    let ours = Path::new("include");
    let (source, flags) = match headers()? {
        Some(found) if libclang() => (found.origin, found.flags),
        Some(found) => {
            println!(
                "cargo::warning=FreeSWITCH headers found by {}, but no libclang to read them: using include/",
                found.origin
            );
            (String::new(), Vec::new())
        }
        None => (String::new(), Vec::new()),
    };
    if !source.is_empty() {
        bind("#include <switch.h>\n", &flags, &out)?;
        println!("cargo::rustc-env=MOD_CTI_HEADERS={source}");
    } else if env::var("MOD_CTI_BINDINGS").as_deref() == Ok("regenerate") {
        let flags = [format!("-I{}", ours.display())];
        bind(
            "#include <freeswitch_api.h>\n",
            &flags,
            &ours.join("bindings.rs"),
        )?;
        std::fs::copy(ours.join("bindings.rs"), &out)?;
        println!("cargo::rustc-env=MOD_CTI_HEADERS=include/ (regenerated)");
    } else {
        std::fs::copy(ours.join("bindings.rs"), &out)?;
        println!("cargo::rustc-env=MOD_CTI_HEADERS=include/");
    }
    Ok(())
}

struct Headers {
    origin: String,
    flags: Vec<String>,
}

/// A directory that was named but holds no headers is an error: silently taking
/// others would build against a switch that the user did not mean.
fn headers() -> Result<Option<Headers>, Box<dyn Error>> {
    if let Ok(named) = env::var("FREESWITCH_INCLUDE_DIR").map(PathBuf::from)
        && !named.as_os_str().is_empty()
    {
        let found = [named.clone(), named.join("freeswitch")]
            .into_iter()
            .find(|directory| directory.join("switch.h").is_file());
        return match found {
            Some(directory) => Ok(Some(Headers {
                origin: format!("FREESWITCH_INCLUDE_DIR={}", named.display()),
                flags: vec![format!("-I{}", directory.display())],
            })),
            None => Err(format!("FREESWITCH_INCLUDE_DIR={}: no switch.h there; name the directory that holds it, or unset the variable to use include/", named.display()).into()),
        };
    }
    let probe = pkg_config::Config::new()
        .cargo_metadata(false)
        .probe("freeswitch");
    Ok(probe.ok().map(|library| Headers {
        origin: format!("pkg-config freeswitch {}", library.version),
        flags: library
            .include_paths
            .iter()
            .map(|path| format!("-I{}", path.display()))
            .collect(),
    }))
}

/// bindgen panics where libclang is missing; that is an answer here, not an error.
fn libclang() -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = std::panic::catch_unwind(bindgen::clang_version).is_ok();
    std::panic::set_hook(hook);
    found
}

fn bind(source: &str, flags: &[String], out: &Path) -> Result<(), Box<dyn Error>> {
    let items = ITEMS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("|");
    bindgen::Builder::default()
        .header_contents("switch_api.h", source)
        .clang_args(flags)
        .allowlist_function(&items)
        .allowlist_type(&items)
        .allowlist_var(&items)
        .prepend_enum_name(false)
        .generate_comments(false)
        .layout_tests(false)
        .merge_extern_blocks(true)
        .generate()?
        .write_to_file(out)?;
    Ok(())
}
