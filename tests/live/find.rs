//! Finds an installed FreeSWITCH and the module that was just built.
//! Order: `FREESWITCH_PREFIX`, pkg-config, the usual prefixes.
//! What is missing is said in words, so that a skipped test can say why.

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone)]
pub struct Installed {
    pub binary: PathBuf,
    /// The directory of mod_sofia.so and the others.
    pub modules: PathBuf,
    /// The dialplan that FreeSWITCH brings, where it was installed with one.
    pub dialplan: Option<PathBuf>,
}

pub fn freeswitch() -> Result<Installed, String> {
    if let Some(prefix) = std::env::var_os("FREESWITCH_PREFIX") {
        let prefix = PathBuf::from(prefix);
        return below(&prefix).ok_or(format!(
            "FREESWITCH_PREFIX={} has no bin/freeswitch with its modules",
            prefix.display()
        ));
    }
    let mut prefixes: Vec<PathBuf> = pkg_config_prefix().into_iter().collect();
    prefixes.extend(
        [
            "/usr/local/freeswitch",
            "/usr/local",
            "/usr",
            "/opt/freeswitch",
        ]
        .map(PathBuf::from),
    );
    let looked_in = prefixes
        .iter()
        .map(|prefix| prefix.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let found = prefixes.iter().find_map(|prefix| below(prefix));
    found.ok_or(format!(
        "no FreeSWITCH found: FREESWITCH_PREFIX is not set, and none in {looked_in}"
    ))
}

fn below(prefix: &Path) -> Option<Installed> {
    let binary = prefix.join("bin/freeswitch");
    let modules = [
        "lib/freeswitch/mod",
        "mod",
        "lib64/freeswitch/mod",
        "lib/x86_64-linux-gnu/freeswitch/mod",
    ]
    .map(|place| prefix.join(place))
    .into_iter()
    .find(|modules| modules.join("mod_sofia.so").is_file())?;
    let conf = ["etc/freeswitch", "conf", "share/freeswitch/conf/vanilla"];
    let conf = conf.map(|place| prefix.join(place));
    // Debian's packages have it outside of their prefix.
    let conf = conf.into_iter().chain([PathBuf::from("/etc/freeswitch")]);
    let dialplan = conf.map(|conf| conf.join("dialplan/default.xml"));
    binary.is_file().then_some(Installed {
        binary,
        modules,
        dialplan: dialplan.into_iter().find(|file| file.is_file()),
    })
}

fn pkg_config_prefix() -> Option<PathBuf> {
    let output = Command::new("pkg-config")
        .args(["--variable=prefix", "freeswitch"])
        .output()
        .ok()?;
    let prefix = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !prefix.trim().is_empty()).then(|| PathBuf::from(prefix.trim()))
}

/// The cdylib beside this program: cargo puts it into `deps` for tests, one above for `cargo build`.
/// `MOD_CTI_MODULE` names another one, say the release build.
pub fn module() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("MOD_CTI_MODULE") {
        let given = PathBuf::from(given);
        return given
            .is_file()
            .then_some(given.clone())
            .ok_or(format!("MOD_CTI_MODULE={} is no file", given.display()));
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // Tests lie in deps themselves, examples in a directory beside it, and `cargo build` puts it above both.
    let beside = program.parent().map(Path::to_path_buf).unwrap_or_default();
    let above = beside.parent().map(Path::to_path_buf).unwrap_or_default();
    let directories = [beside, above.join("deps"), above];
    let mut places = directories.map(|directory| directory.join("libmod_cti.so"));
    // Of two builds the newer one is meant.
    places.sort_by_key(|place| {
        std::cmp::Reverse(place.metadata().and_then(|data| data.modified()).ok())
    });
    let newest = places.into_iter().find(|place| place.is_file());
    newest.ok_or(
        "libmod_cti.so is not beside the test program; build it with cargo build".to_string(),
    )
}
