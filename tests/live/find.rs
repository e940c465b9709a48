//! Finds an installed FreeSWITCH.
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
