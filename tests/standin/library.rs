//! The C library of `tests/switch`: compiled once for each state of its sources, opened
//! before the module so that the module finds the switch's symbols in it.
//! Texts that it gives are records of fields, split here and freed at once.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

/// A caller's session, as the library hands it out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Caller(*mut c_void);

// SAFETY: the library locks around every use of a session; a handle may wander.
unsafe impl Send for Caller {}
// SAFETY: as above.
unsafe impl Sync for Caller {}

macro_rules! functions {
    ($($name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The open library and its functions.
        pub struct Library {
            handle: *mut c_void,
            pub path: PathBuf,
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Library {
            fn resolve(handle: *mut c_void, path: PathBuf) -> Result<Library, String> {
                $(let $name = {
                    let address = symbol(handle, stringify!($name)).ok_or(concat!("no ", stringify!($name)))?;
                    // SAFETY: the library defines the function with this signature (standin.h).
                    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(address) }
                };)*
                Ok(Library { handle, path, $($name),* })
            }
        }
    };
}

type Text = *const c_char;

functions! {
    standin_begin();
    standin_load(Text) -> Text;
    standin_unload(bool) -> Text;
    standin_fail(c_int) -> bool;
    standin_version(Text);
    standin_add_phone(Text, Text, c_int, c_int, i64);
    standin_phone_says(Text, i64, c_int, c_int, Text);
    standin_phone_place(Text) -> *mut c_char;
    standin_add_loopback(Text, i64, Text);
    standin_add_group(Text, Text);
    standin_add_user_item(Text, Text, Text, Text);
    standin_forget_contacts();
    standin_set_config(Text, Text);
    standin_set_global(Text, Text);
    standin_caller(Text, Text, bool) -> *mut c_void;
    standin_caller_variable(*mut c_void, Text, Text);
    standin_caller_hangs_up(*mut c_void, i64, i64);
    standin_caller_presses(*mut c_void, c_char, i64);
    standin_run_without_session(Text, Text);
    standin_jitter(c_int, u32);
    standin_delay(c_int, c_int);
    standin_clock_ahead(c_int);
    standin_stray_leg(Text, Text, Text);
    standin_run(*mut c_void, Text, Text) -> bool;
    standin_finish(*mut c_void) -> *mut c_char;
    standin_api(Text, Text, bool) -> *mut c_char;
    standin_complete(Text, Text, Text) -> *mut c_char;
    standin_completions() -> *mut c_char;
    standin_diary() -> *mut c_char;
    standin_log() -> *mut c_char;
    standin_events() -> *mut c_char;
    standin_leftovers(bool) -> *mut c_char;
    standin_quiet(c_int) -> bool;
    standin_forget();
    standin_release(*mut c_char);
}

// SAFETY: the library takes its own lock in every function.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

fn symbol(handle: *mut c_void, name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: the handle is an open library, the name a C string.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

fn text(bytes: impl Into<Vec<u8>>) -> CString {
    let mut bytes = bytes.into();
    bytes.retain(|byte| *byte != 0);
    CString::new(bytes).unwrap_or_default()
}

/// Where the crate's sources are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/switch")
}

fn beside_us() -> Result<PathBuf, String> {
    let exe = std::env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    Ok(exe.parent().map(Path::to_path_buf).unwrap_or_default())
}

fn files_of(directory: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| path.extension().is_some_and(|is| is == ending));
    files.sort();
    Ok(files)
}

/// Compile C files of `tests/switch` into a shared library beside this program.
pub fn compile(name: &str, sources: &[PathBuf], options: &[&str]) -> Result<PathBuf, String> {
    let mut seen = DefaultHasher::new();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/freeswitch_api.h");
    let header = self::sources().join("standin.h");
    for file in sources.iter().chain([&include, &header]) {
        std::fs::read(file)
            .map_err(|error| format!("{}: {error}", file.display()))?
            .hash(&mut seen);
    }
    let directory = beside_us()?.join(format!("standin-{:016x}", seen.finish()));
    let (done, half_done) = (
        directory.join(name),
        directory.join(format!("{name}.{}", std::process::id())),
    );
    if done.exists() {
        return Ok(done);
    }
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut cc = Command::new(std::env::var("CC").unwrap_or("cc".into()));
    cc.args([
        "-std=gnu11",
        "-shared",
        "-fPIC",
        "-g",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
    ]);
    cc.args(options)
        .args(sources)
        .arg("-o")
        .arg(&half_done)
        .arg("-ldl");
    let said = cc
        .output()
        .map_err(|error| format!("no C compiler: {error}"))?;
    if !said.status.success() {
        return Err(format!(
            "{cc:?}:\n{}",
            String::from_utf8_lossy(&said.stderr)
        ));
    }
    // Somebody else may have done the same meanwhile; either result will do.
    std::fs::rename(&half_done, &done).map_err(|error| format!("{}: {error}", done.display()))?;
    Ok(done)
}

/// The stand-in's shared library, built if need be.
pub fn build() -> Result<PathBuf, String> {
    compile(
        "libfreeswitch.so.1",
        &files_of(&sources(), "c")?,
        &["-Wl,-soname,libfreeswitch.so.1"],
    )
}

/// The module that breaks the rules, for the tests of the stand-in itself.
pub fn offender() -> Result<PathBuf, String> {
    compile(
        "offender.so",
        &files_of(&sources().join("offender"), "c")?,
        &["-O0"],
    )
}

impl Library {
    /// Open the library for everybody in this process, before the module is loaded.
    pub fn open() -> Result<Library, String> {
        let path = build()?;
        let name = text(path.to_string_lossy().into_owned());
        // SAFETY: a C string; opening the library runs nothing of it.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if handle.is_null() {
            // SAFETY: dlerror gives a C string or NULL after a failed dlopen.
            let why = unsafe { copied(libc::dlerror()) };
            return Err(format!("{}: {}", path.display(), why.unwrap_or_default()));
        }
        Library::resolve(handle, path)
    }

    pub fn has(&self, function: &str) -> bool {
        symbol(self.handle, function).is_some()
    }

    fn taken(&self, given: *mut c_char) -> String {
        // SAFETY: the library gave a C string that we hand back once.
        unsafe {
            let copy = copied(given).unwrap_or_default();
            (self.standin_release)(given);
            copy
        }
    }

    /// Load a module as the switch would; the error is what it would log.
    pub fn load(&self, module: &Path) -> Result<(), String> {
        let path = text(module.to_string_lossy().into_owned());
        // SAFETY: a C string; the answer is NULL or static.
        unsafe { copied((self.standin_load)(path.as_ptr())) }.map_or(Ok(()), Err)
    }

    /// Fail the call of this number at the next load; whether the one asked for before has failed.
    pub fn fail(&self, nth: u32) -> bool {
        // SAFETY: no pointers.
        unsafe { (self.standin_fail)(nth as c_int) }
    }

    /// Be a switch of another version.
    pub fn version(&self, full: &str) {
        let full = text(full);
        // SAFETY: a C string that the library copies.
        unsafe { (self.standin_version)(full.as_ptr()) }
    }

    pub fn unload(&self, force: bool) -> Result<(), String> {
        // SAFETY: the answer is NULL or static.
        unsafe { copied((self.standin_unload)(force)) }.map_or(Ok(()), Err)
    }

    pub fn add_phone(&self, name: &str, user: &str, does: c_int, status: u16, after: u64) {
        let (name, user) = (text(name), text(user));
        // SAFETY: C strings that the library copies.
        unsafe {
            (self.standin_add_phone)(
                name.as_ptr(),
                user.as_ptr(),
                does,
                status.into(),
                after as i64,
            )
        }
    }

    /// One more reply of a phone that has a list of them; the Contacts of a redirection.
    pub fn phone_says(&self, name: &str, at: u64, status: u16, sdp: c_int, contacts: &[String]) {
        let (name, contacts) = (text(name), text(contacts.join("\n")));
        // SAFETY: C strings that the library copies; it ends the process if there is no such phone.
        unsafe {
            (self.standin_phone_says)(
                name.as_ptr(),
                at as i64,
                status.into(),
                sdp,
                contacts.as_ptr(),
            )
        }
    }

    /// Where the phone of this name is: `1003@127.0.0.1:40003`.
    pub fn phone_place(&self, name: &str) -> String {
        let name = text(name);
        // SAFETY: a C string; the library ends the process if there is no such phone.
        self.taken(unsafe { (self.standin_phone_place)(name.as_ptr()) })
    }

    pub fn add_loopback(&self, extension: &str, does: Result<u64, &str>) {
        let (extension, cause) = (text(extension), does.err().map(text));
        let cause = cause.as_ref().map_or(ptr::null(), |cause| cause.as_ptr());
        // SAFETY: C strings that the library copies.
        unsafe { (self.standin_add_loopback)(extension.as_ptr(), does.unwrap_or(0) as i64, cause) }
    }

    pub fn add_group(&self, name: &str, users: &[&str]) {
        let (name, users) = (text(name), text(users.join(",")));
        // SAFETY: C strings that the library copies.
        unsafe { (self.standin_add_group)(name.as_ptr(), users.as_ptr()) }
    }

    /// A `param` or `variable` of a user in the directory.
    pub fn add_user_item(&self, user: &str, kind: &str, name: &str, value: &str) {
        let [user, kind, name, value] = [user, kind, name, value].map(text);
        // SAFETY: C strings that the library copies.
        unsafe {
            (self.standin_add_user_item)(
                user.as_ptr(),
                kind.as_ptr(),
                name.as_ptr(),
                value.as_ptr(),
            )
        }
    }

    /// A contact that this user's sofia_contact returns as it is.
    pub fn add_contact(&self, user: &str, contact: &str) {
        self.add_user_item(user, "contact", "raw", contact);
    }

    /// Those of [`Library::add_contact`].
    pub fn forget_contacts(&self) {
        // SAFETY: no arguments.
        unsafe { (self.standin_forget_contacts)() }
    }

    pub fn set_config(&self, name: &str, value: &str) {
        let (name, value) = (text(name), text(value));
        // SAFETY: C strings that the library copies.
        unsafe { (self.standin_set_config)(name.as_ptr(), value.as_ptr()) }
    }

    pub fn set_global(&self, name: &str, value: &str) {
        let (name, value) = (text(name), text(value));
        // SAFETY: C strings that the library copies.
        unsafe { (self.standin_set_global)(name.as_ptr(), value.as_ptr()) }
    }

    pub fn caller(&self, number: &str, answered: bool) -> Caller {
        let number = text(number);
        // SAFETY: C strings that the library copies.
        Caller(unsafe { (self.standin_caller)(number.as_ptr(), number.as_ptr(), answered) })
    }

    pub fn set_variable(&self, caller: Caller, name: &str, value: impl Into<Vec<u8>>) {
        let (name, value) = (text(name), text(value));
        // SAFETY: the caller lives until `finish`; C strings that the library copies.
        unsafe { (self.standin_caller_variable)(caller.0, name.as_ptr(), value.as_ptr()) }
    }

    /// So long after now, and so long after being joined; negative: never.
    pub fn hangs_up(&self, caller: Caller, after: i64, after_join: i64) {
        // SAFETY: the caller lives until `finish`.
        unsafe { (self.standin_caller_hangs_up)(caller.0, after, after_join) }
    }

    pub fn presses(&self, caller: Caller, key: u8, after: u64) {
        // SAFETY: the caller lives until `finish`.
        unsafe { (self.standin_caller_presses)(caller.0, key as c_char, after as i64) }
    }

    /// The application, on this thread; false if nobody offers it.
    pub fn application(&self, caller: Caller, name: &str, data: Option<&[u8]>) -> bool {
        let (name, data) = (text(name), data.map(text));
        let data = data.as_ref().map_or(ptr::null(), |data| data.as_ptr());
        // SAFETY: the caller lives until `finish`; C strings that live during the call.
        unsafe { (self.standin_run)(caller.0, name.as_ptr(), data) }
    }

    /// The application with NULL for its session.
    pub fn application_without_session(&self, name: &str, data: Option<&[u8]>) {
        let (name, data) = (text(name), data.map(text));
        let data = data.as_ref().map_or(ptr::null(), |data| data.as_ptr());
        // SAFETY: C strings that live during the call.
        unsafe { (self.standin_run_without_session)(name.as_ptr(), data) }
    }

    /// Make the ends of legs and the delivery of events late, so that they outlive what they belong to.
    pub fn delay(&self, legs: u32, events: u32) {
        // SAFETY: no pointers.
        unsafe { (self.standin_delay)(legs as c_int, events as c_int) }
    }

    /// Set the switch's clock apart from the system's.
    pub fn clock_ahead(&self, seconds: i32) {
        // SAFETY: no pointers.
        unsafe { (self.standin_clock_ahead)(seconds) }
    }

    /// Random pauses up to this long wherever threads may meet in any order; 0: none.
    pub fn jitter(&self, milliseconds: u32, seed: u32) {
        // SAFETY: no pointers.
        unsafe { (self.standin_jitter)(milliseconds as c_int, seed) }
    }

    /// A leg that is not the module's, with this variable.
    pub fn stray_leg(&self, user: &str, variable: &str, value: impl Into<Vec<u8>>) {
        let (user, variable, value) = (text(user), text(variable), text(value));
        // SAFETY: C strings that the library copies.
        unsafe { (self.standin_stray_leg)(user.as_ptr(), variable.as_ptr(), value.as_ptr()) }
    }

    /// End the call; its variables. The caller is gone afterwards.
    pub fn finish(&self, caller: Caller) -> Vec<(String, String)> {
        // SAFETY: each caller is finished once.
        let all = self.taken(unsafe { (self.standin_finish)(caller.0) });
        records(&all)
            .filter_map(|fields| pair(fields.first()?, fields.get(1)?))
            .collect()
    }

    pub fn api(&self, command: &str, arguments: Option<&[u8]>, with_stream: bool) -> String {
        let (command, arguments) = (text(command), arguments.map(text));
        let arguments = arguments
            .as_ref()
            .map_or(ptr::null(), |arguments| arguments.as_ptr());
        // SAFETY: C strings that live during the call.
        self.taken(unsafe { (self.standin_api)(command.as_ptr(), arguments, with_stream) })
    }

    pub fn complete(&self, function: &str, line: &str, cursor: &str) -> Vec<String> {
        let [function, line, cursor] = [function, line, cursor].map(text);
        // SAFETY: C strings that live during the call.
        let all = self.taken(unsafe {
            (self.standin_complete)(function.as_ptr(), line.as_ptr(), cursor.as_ptr())
        });
        all.lines().map(str::to_owned).collect()
    }

    pub fn completions(&self) -> Vec<String> {
        // SAFETY: no arguments.
        let all = self.taken(unsafe { (self.standin_completions)() });
        all.lines().map(str::to_owned).collect()
    }

    /// The phones' diary, one record for each INVITE, join and message to the caller.
    pub fn diary(&self) -> Vec<Vec<String>> {
        // SAFETY: no arguments.
        let all = self.taken(unsafe { (self.standin_diary)() });
        records(&all)
            .map(|fields| fields.iter().map(|field| (*field).to_owned()).collect())
            .collect()
    }

    /// Log lines since the last call: level and text.
    pub fn log(&self) -> Vec<(u8, String)> {
        // SAFETY: no arguments.
        let all = self.taken(unsafe { (self.standin_log)() });
        records(&all)
            .filter_map(|fields| {
                Some((
                    fields.get(1)?.parse().ok()?,
                    fields.get(3)?.trim_end().to_owned(),
                ))
            })
            .collect()
    }

    /// Events of the module since the last call: their headers, `_body` among them.
    pub fn events(&self) -> Vec<Vec<(String, String)>> {
        // SAFETY: no arguments.
        let all = self.taken(unsafe { (self.standin_events)() });
        records(&all)
            .map(|fields| {
                fields
                    .iter()
                    .skip(1)
                    .filter_map(|field| header(field))
                    .collect()
            })
            .collect()
    }

    /// What the module should have given back by now.
    pub fn leftovers(&self, module_loaded: bool) -> Vec<String> {
        // SAFETY: no pointers.
        let all = self.taken(unsafe { (self.standin_leftovers)(module_loaded) });
        all.lines().map(str::to_owned).collect()
    }

    /// Wait until every leg is gone and every event delivered.
    pub fn quiet(&self, milliseconds: u32) -> bool {
        // SAFETY: no pointers.
        unsafe { (self.standin_quiet)(milliseconds as c_int) }
    }

    /// Times count from now on.
    pub fn begin(&self) {
        // SAFETY: no arguments.
        unsafe { (self.standin_begin)() }
    }

    /// Forget phones and diary.
    pub fn forget(&self) {
        // SAFETY: no arguments; the library ends the process if a leg still lives.
        unsafe { (self.standin_forget)() }
    }
}

/// # Safety
/// `text` is NULL or a C string.
unsafe fn copied(text: *const c_char) -> Option<String> {
    // SAFETY: as promised.
    (!text.is_null()).then(|| readable(unsafe { CStr::from_ptr(text) }.to_bytes()))
}

/// A byte that is no UTF-8 is told apart from U+FFFD: as `\xfc`.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn records(all: &str) -> impl Iterator<Item = Vec<&str>> {
    all.split('\x1e')
        .filter(|record| !record.is_empty())
        .map(|record| record.split('\x1f').collect())
}

fn pair(name: &str, value: &str) -> Option<(String, String)> {
    Some((name.to_owned(), value.to_owned()))
}

/// A header inside a field.
pub fn header(field: &str) -> Option<(String, String)> {
    let (name, value) = field.split_once('\x1d')?;
    pair(name, value)
}
