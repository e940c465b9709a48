//! The file that this library was loaded from, and whether it is still the same one.
//! The library is never unmapped, so `reload` goes on with the code of the first load,
//! whatever stands in the file by then.

use once_cell::sync::OnceCell;
use std::ffi::{CStr, OsStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What tells one file from another at the same path.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(path: &Path) -> Option<Identity> {
        let found = std::fs::metadata(path).ok()?;
        Some(Identity {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

static FIRST: OnceCell<Option<(PathBuf, Identity)>> = OnceCell::new();

/// The path of the library that holds `symbol`, if the file there is another one now than at
/// the first call of this function.
pub fn replaced(symbol: *const c_void) -> Option<&'static Path> {
    let first = FIRST.get_or_init(|| {
        let path = path_of(symbol)?;
        let identity = Identity::of(&path)?;
        Some((path, identity))
    });
    let (path, identity) = first.as_ref()?;
    (Identity::of(path).as_ref() != Some(identity)).then_some(path)
}

fn path_of(symbol: *const c_void) -> Option<PathBuf> {
    // SAFETY: all-zero is a valid `Dl_info`: NULL pointers.
    let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: `dladdr` only compares the address with its list of libraries, and the name that
    // it gives lives as long as the library: for ever.
    let name = unsafe {
        if libc::dladdr(symbol, &mut found) == 0 || found.dli_fname.is_null() {
            return None;
        }
        CStr::from_ptr(found.dli_fname)
    };
    // A path without a directory would be looked for in the working directory.
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    path.is_absolute().then(|| path.to_owned())
}
