//! Sessions and their channels.
//! A `Session` is one the switch lends us for a while (the caller of an application, the
//! argument of a callback); a `LockedSession` is one whose read lock we hold ourselves.

use super::Event;
use super::cause::{from_switch, to_switch};
use super::text::{c, copied, expanded_from, taken, text_of};
use crate::ffi;
use crate::plan::inert;
use crate::ring::Cause;
use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

/// A session that stays alive for `'a`. Neither it nor its channel can be copied: a copy made
/// of a [`LockedSession`]'s would outlive the lock.
pub struct Session<'a> {
    session: NonNull<ffi::switch_core_session_t>,
    channel: Channel<'a>,
}

pub struct Channel<'a>(NonNull<ffi::switch_channel_t>, PhantomData<&'a ()>);

/// A session under a read lock of ours; dropping it releases the lock.
pub struct LockedSession(Session<'static>);

// SAFETY: a read-locked session may be used and released by any thread; the switch guards
// its own state, and does the same in `uuid_…` commands.
unsafe impl Send for LockedSession {}

impl<'a> Session<'a> {
    /// # Safety
    /// `session` is NULL or a session that lives (locked, or our own caller) for `'a`.
    pub unsafe fn new(session: *mut ffi::switch_core_session_t) -> Option<Session<'a>> {
        let session = NonNull::new(session)?;
        // SAFETY: a live session has a channel for as long as it lives.
        let channel =
            NonNull::new(unsafe { ffi::switch_core_session_get_channel(session.as_ptr()) })?;
        Some(Session {
            session,
            channel: Channel(channel, PhantomData),
        })
    }

    pub fn uuid(&self) -> String {
        // SAFETY: the session is alive; its uuid is copied at once.
        unsafe { copied(ffi::switch_core_session_get_uuid(self.session.as_ptr())) }
            .unwrap_or_default()
    }

    pub fn as_ptr(&self) -> *mut ffi::switch_core_session_t {
        self.session.as_ptr()
    }

    pub fn channel(&self) -> &Channel<'a> {
        &self.channel
    }

    /// Take in what waits for this session: messages, events, signals of its other side.
    pub fn take_in(&self) {
        // SAFETY: the session is alive.
        unsafe { ffi::switch_ivr_parse_all_events(self.session.as_ptr()) };
    }

    /// Let the session live for one frame: read its media, run its events. Ends early at a
    /// [`Session::wake`], and when it hangs up.
    pub fn live(&self) {
        /// A frame, and what core needs to send silence where it is asked to.
        const FRAME: u32 = 20;
        // SAFETY: the session is alive and this is the thread that runs it.
        unsafe {
            ffi::switch_ivr_sleep(
                self.session.as_ptr(),
                FRAME,
                ffi::SWITCH_FALSE,
                ptr::null_mut(),
            )
        };
    }

    /// Read one frame, which ends early at a [`Session::wake`]. False: there is no media any more.
    pub fn read(&self) -> bool {
        let mut frame = ptr::null_mut();
        // SAFETY: the session is alive; the frame belongs to it and is not looked at.
        acceptable(unsafe {
            ffi::switch_core_session_read_frame(
                self.as_ptr(),
                &mut frame,
                ffi::SWITCH_IO_FLAG_NONE,
                0,
            )
        })
    }

    /// This side can be read from.
    fn has_codec(&self) -> bool {
        // SAFETY: the session is alive; the pointer is only compared with NULL.
        unsafe { !ffi::switch_core_session_get_read_codec(self.as_ptr()).is_null() }
    }

    /// A phone's early media is told before its codec is known: mod_sofia marks the leg, then reads
    /// the SDP. Core hangs up a leg that is read from in between. That is a moment; whatever never
    /// has a codec holds the caller up no longer than this.
    pub fn await_codec(&self) {
        const PATIENCE: Duration = Duration::from_millis(200);
        const STEP: Duration = Duration::from_millis(1);
        let until = Instant::now() + PATIENCE;
        while !self.has_codec()
            && self.up()
            && !self.answered()
            && !self.channel.flag(ffi::CF_PROXY_MODE)
            && Instant::now() < until
        {
            std::thread::sleep(STEP);
        }
    }

    /// One frame of this side's for the other. False: there is none, or no media any more.
    pub fn pass_frame(&self, to: &Session<'_>) -> bool {
        if !self.has_codec() {
            return false;
        }
        let mut frame = ptr::null_mut();
        // SAFETY: both sessions are alive; the frame belongs to this one until it is read again.
        unsafe {
            let none = ffi::SWITCH_IO_FLAG_NONE;
            let read = ffi::switch_core_session_read_frame(self.as_ptr(), &mut frame, none, 0);
            acceptable(read)
                && !frame.is_null()
                && acceptable(ffi::switch_core_session_write_frame(
                    to.as_ptr(),
                    frame,
                    none,
                    0,
                ))
        }
    }

    /// End what this session's thread waits for, a read or a sleep, or the next one. Any thread may.
    pub fn wake(&self) {
        // SAFETY: the session is alive; core itself does so from any thread.
        unsafe {
            ffi::switch_core_session_perform_kill_channel(
                self.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
                ffi::SWITCH_SIG_BREAK,
            )
        };
    }

    /// Have `hook` called at every message to this session. It must return at once.
    pub fn hear_messages(&self, hook: MessageHook) {
        // SAFETY: the session is alive, and the hook's code is never unloaded.
        unsafe { ffi::switch_core_event_hook_add_receive_message(self.as_ptr(), Some(hook)) };
    }

    /// Take the hook of [`Session::hear_messages`] away.
    pub fn hear_no_messages(&self, hook: MessageHook) {
        // SAFETY: the session is alive.
        unsafe { ffi::switch_core_event_hook_remove_receive_message(self.as_ptr(), Some(hook)) };
    }

    /// Have `hook` called at every signal to this session: something waits for its thread, or it is
    /// hung up. It must return at once.
    pub fn hear_signals(&self, hook: SignalHook) {
        // SAFETY: as for messages.
        unsafe { ffi::switch_core_event_hook_add_kill_channel(self.as_ptr(), Some(hook)) };
    }

    /// Take the hook of [`Session::hear_signals`] away.
    pub fn hear_no_signals(&self, hook: SignalHook) {
        // SAFETY: the session is alive.
        unsafe { ffi::switch_core_event_hook_remove_kill_channel(self.as_ptr(), Some(hook)) };
    }

    /// Send this session back into the dialplan, at another extension.
    pub fn transfer(&self, extension: &str, dialplan: Option<&str>, context: Option<&str>) {
        let extension = c(extension);
        let (dialplan, context) = (dialplan.map(c), context.map(c));
        let pointer =
            |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        // SAFETY: the session is alive; the switch copies the strings.
        unsafe {
            ffi::switch_ivr_session_transfer(
                self.as_ptr(),
                extension.as_ptr(),
                pointer(&dialplan),
                pointer(&context),
            )
        };
    }

    /// Play this to the caller, a file once and tones for ever, until the listener has heard
    /// enough; opens early media if there is no media yet. Keys that the listener does not
    /// take are back in their queue afterwards. False: it could not be played.
    pub fn play(&self, sound: &Sound, listener: &mut dyn Listener) -> bool {
        let mut playing = Playing {
            listener,
            kept: Vec::new(),
        };
        let pointer = (&raw mut playing).cast::<c_void>();
        let mut arguments = ffi::switch_input_args_t {
            input_callback: Some(on_input),
            buf: pointer,
            buflen: 0,
            read_frame_callback: Some(on_frame),
            user_data: pointer,
            dmachine: ptr::null_mut(),
            loops: 0,
        };
        let (Sound::Tones(text) | Sound::File(text)) = sound;
        let text = c(text);
        // SAFETY: this is the session's own thread; text, arguments and what their pointers
        // lead to live until the playback returns, and only its callbacks use them meanwhile.
        let status = unsafe {
            let session = self.as_ptr();
            match sound {
                Sound::Tones(_) => {
                    ffi::switch_ivr_gentones(session, text.as_ptr(), -1, &mut arguments)
                }
                Sound::File(_) => ffi::switch_ivr_play_file(
                    session,
                    ptr::null_mut(),
                    text.as_ptr(),
                    &mut arguments,
                ),
            }
        };
        self.channel.may_play();
        self.stop_service();
        for mut key in playing.kept {
            // Whoever listens for keys as they arrive has heard it already.
            key.flags |= ffi::DTMF_FLAG_SKIP_PROCESS as i32;
            // SAFETY: the channel is alive and copies the key.
            unsafe { ffi::switch_channel_queue_dtmf(self.channel.0.as_ptr(), &key) };
        }
        matches!(
            status,
            ffi::SWITCH_STATUS_SUCCESS | ffi::SWITCH_STATUS_BREAK
        )
    }

    /// A file that a timer paces is played while a thread of the switch's reads the media. Where the
    /// playback ends before that thread has begun, the thread is not told, and reads for ever.
    pub fn stop_service(&self) {
        if self.channel.flag(ffi::CF_SERVICE) {
            self.channel.clear_flag(ffi::CF_SERVICE);
            self.wake();
        }
    }

    /// Ask this side for keys: play the prompt, and wait. The keys, as many as were asked for or
    /// fewer; `None`: it could not be played.
    pub fn ask(&self, prompt: &str, keys: usize, patience: Duration) -> Option<String> {
        let mut buffer = [0_u8; 128];
        let count = keys.min(buffer.len() - 1) as u32;
        let prompt = c(prompt);
        // SAFETY: the session is alive; the buffer is ours and longer than what may be written.
        let status = unsafe {
            ffi::switch_ivr_read(
                self.as_ptr(),
                count,
                count,
                prompt.as_ptr(),
                ptr::null(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                patience.as_millis() as u32,
                ptr::null(),
                0,
            )
        };
        let usable = acceptable(status) || status == ffi::SWITCH_STATUS_TOO_SMALL;
        let pressed = buffer.split(|&byte| byte == 0).next().unwrap_or_default();
        usable.then(|| text_of(pressed))
    }

    /// The XML CDR of a leg that is over.
    pub fn xml_cdr(&self) -> Option<String> {
        let mut cdr = ptr::null_mut();
        // SAFETY: the session is alive; the tree is ours, and its text is allocated for us.
        unsafe {
            let status = ffi::switch_ivr_generate_xml_cdr(self.as_ptr(), &mut cdr);
            if status != ffi::SWITCH_STATUS_SUCCESS || cdr.is_null() {
                return None;
            }
            let text = ffi::switch_xml_toxml_ex(cdr, ffi::SWITCH_FALSE, ffi::SWITCH_TRUE);
            ffi::switch_xml_free(cdr);
            taken(text)
        }
    }

    /// The JSON CDR of a leg that is over.
    pub fn json_cdr(&self) -> Option<String> {
        let mut cdr = ptr::null_mut();
        // SAFETY: as for XML.
        unsafe {
            let status =
                ffi::switch_ivr_generate_json_cdr(self.as_ptr(), &mut cdr, ffi::SWITCH_TRUE);
            if status != ffi::SWITCH_STATUS_SUCCESS || cdr.is_null() {
                return None;
            }
            let text = ffi::cJSON_PrintUnformatted(cdr);
            ffi::cJSON_Delete(cdr);
            taken(text)
        }
    }

    /// Play a file to the end.
    pub fn play_once(&self, file: &str) {
        let file = c(file);
        // SAFETY: the session is alive; nothing is called back.
        unsafe {
            ffi::switch_ivr_play_file(
                self.as_ptr(),
                ptr::null_mut(),
                file.as_ptr(),
                ptr::null_mut(),
            )
        };
    }

    /// Run an application. False: there is none of this name.
    pub fn execute(&self, application: &str, data: &str) -> bool {
        let (application, data) = (c(application), c(data));
        // SAFETY: the session is alive; the switch copies both strings.
        let status = unsafe {
            ffi::switch_core_session_execute_application_get_flags(
                self.as_ptr(),
                application.as_ptr(),
                data.as_ptr(),
                ptr::null_mut(),
            )
        };
        status == ffi::SWITCH_STATUS_SUCCESS
    }

    /// Bypass or proxy the media from now on, where the caller's variables ask for it. Core
    /// does so too, but only in an originate with the caller's session: a leg that another
    /// branch dials before would be offered media that nobody passes on.
    pub fn choose_media(&self) {
        let asked = |name: &str| {
            let value = self.channel.variable(name);
            value.is_some_and(|value| crate::plan::time::is_true(&value))
        };
        if asked("proxy_media") {
            self.channel.set_flag(ffi::CF_PROXY_MEDIA);
        } else if asked("bypass_media") && self.channel.answered() {
            // Its media is up: until somebody answers it can hear its ringback.
            self.channel.set("bypass_media_after_bridge", Some("true"));
            self.channel.set("bypass_media", None);
        } else if asked("bypass_media") {
            self.channel.set_flag(ffi::CF_PROXY_MODE);
        }
    }

    /// Join the two until one of them leaves; core answers the caller if the peer is
    /// answered. As core's `bridge` does it: signalling only in proxy mode, terminate keys,
    /// bypass after the bridge.
    pub fn bridge(&self, peer: &Session<'_>) {
        let after = "bypass_media_after_bridge";
        if [&self.channel, &peer.channel].iter().any(|channel| {
            channel
                .variable(after)
                .is_some_and(|value| crate::plan::time::is_true(&value))
        }) {
            self.channel.set_flag(ffi::CF_BYPASS_MEDIA_AFTER_BRIDGE);
        }
        if self.channel.flag(ffi::CF_PROXY_MODE) {
            // SAFETY: both sessions are alive for the whole bridge.
            unsafe { ffi::switch_ivr_signal_bridge(self.as_ptr(), peer.as_ptr()) };
            return;
        }
        let keys = |channel: &Channel<'_>| channel.in_pool(c"bridge_terminate_key");
        let (mine, theirs) = (keys(&self.channel), keys(&peer.channel));
        let on_key: ffi::switch_input_callback_function_t =
            (!mine.is_null() || !theirs.is_null()).then_some(terminate_key);
        // SAFETY: both sessions live until the bridge returns; the strings live as long as the
        // sessions, since a side that handles a broadcast may use its own after that.
        unsafe {
            ffi::switch_ivr_multi_threaded_bridge(
                self.as_ptr(),
                peer.as_ptr(),
                on_key,
                mine.cast_mut().cast(),
                theirs.cast_mut().cast(),
            )
        };
    }

    /// This leg is the last that rings for this side: what core notes while its originate waits.
    pub fn rings_at(&self, leg: &Session<'_>) {
        self.channel.set("signal_bond", None);
        self.bond(WHILE_RINGING, leg);
    }

    fn bond(&self, name: &str, other: &Session<'_>) {
        self.channel.set(name, Some(&other.uuid()));
    }

    /// What core's originate does once a leg has won: callee's name and profile to the caller,
    /// `import`, and the caller's answer, or his early media. False: he cannot be answered.
    pub fn adopt(&self, peer: &Session<'_>) -> bool {
        let mut done = true;
        // SAFETY: both sessions and channels are alive; a cloned profile belongs to the
        // pool of the session that it is cloned into.
        unsafe {
            let (caller, callee) = (self.channel.0.as_ptr(), peer.channel.0.as_ptr());
            ffi::switch_channel_pass_callee_id(callee, caller);
            if self.channel.flag(ffi::CF_PROXY_MODE) {
                // The join tells him.
            } else if peer.answered() {
                done = self.answer();
            } else {
                done = self.pre_answer();
            }
            let theirs = ffi::switch_channel_get_caller_profile(callee);
            if !theirs.is_null() {
                ffi::switch_channel_set_originatee_caller_profile(
                    caller,
                    ffi::switch_caller_profile_clone(self.as_ptr(), theirs),
                );
            }
            ffi::switch_process_import(self.as_ptr(), callee, c"import".as_ptr(), ptr::null());
        }
        self.bond("signal_bond", peer);
        self.channel.set(WHILE_RINGING, None);
        peer.channel.clear_flag(ffi::CF_ORIGINATING);
        done
    }
}

const WHILE_RINGING: &str = "originate_signal_bond";

impl<'a> Deref for Session<'a> {
    type Target = Channel<'a>;
    fn deref(&self) -> &Channel<'a> {
        &self.channel
    }
}

/// Something to play.
#[derive(Debug, Clone, PartialEq)]
pub enum Sound {
    /// A tone script, `%(2000,4000,440,480)`.
    Tones(String),
    /// A file or a stream.
    File(String),
}

/// Decides about a playback while it goes on, on the thread of the session.
pub trait Listener {
    /// Asked at every frame: shall the playback end?
    fn enough(&mut self) -> bool;
    /// Whether this key is used up; else it stays for whoever reads keys next.
    fn takes(&mut self, key: u8) -> bool;
}

struct Playing<'a> {
    listener: &'a mut dyn Listener,
    kept: Vec<ffi::switch_dtmf_t>,
}

unsafe extern "C" fn on_frame(
    _: *mut ffi::switch_core_session_t,
    _: *mut ffi::switch_frame_t,
    playing: *mut c_void,
) -> ffi::switch_status_t {
    super::guard::guarded("a playback", ffi::SWITCH_STATUS_BREAK, || {
        // SAFETY: `play` handed over its own `Playing`, which only its callbacks use.
        let Some(playing) = (unsafe { playing.cast::<Playing<'_>>().as_mut() }) else {
            return ffi::SWITCH_STATUS_BREAK;
        };
        if playing.listener.enough() {
            ffi::SWITCH_STATUS_BREAK
        } else {
            ffi::SWITCH_STATUS_SUCCESS
        }
    })
}

unsafe extern "C" fn on_input(
    _: *mut ffi::switch_core_session_t,
    input: *mut c_void,
    kind: ffi::switch_input_type_t,
    playing: *mut c_void,
    _: std::ffi::c_uint,
) -> ffi::switch_status_t {
    super::guard::guarded("a playback", ffi::SWITCH_STATUS_BREAK, || {
        if kind != ffi::SWITCH_INPUT_TYPE_DTMF {
            return ffi::SWITCH_STATUS_SUCCESS;
        }
        // SAFETY: for this kind `input` is a DTMF event; `playing` as in `on_frame`.
        let (key, playing) = unsafe {
            (
                input.cast::<ffi::switch_dtmf_t>().as_ref(),
                playing.cast::<Playing<'_>>().as_mut(),
            )
        };
        if let (Some(key), Some(playing)) = (key, playing)
            && !playing.listener.takes(key.digit as u8)
        {
            playing.kept.push(*key);
        }
        ffi::SWITCH_STATUS_SUCCESS
    })
}

/// Ends the bridge when one of the keys in `keys` is pressed.
unsafe extern "C" fn terminate_key(
    _: *mut ffi::switch_core_session_t,
    input: *mut c_void,
    kind: ffi::switch_input_type_t,
    keys: *mut c_void,
    _: std::ffi::c_uint,
) -> ffi::switch_status_t {
    super::guard::guarded("bridge_terminate_key", ffi::SWITCH_STATUS_SUCCESS, || {
        if input.is_null() || keys.is_null() || kind != ffi::SWITCH_INPUT_TYPE_DTMF {
            return ffi::SWITCH_STATUS_SUCCESS;
        }
        // SAFETY: for this kind `input` is a DTMF event, and `keys` is the string that
        // `bridge` handed over.
        let (digit, keys) = unsafe {
            (
                (*input.cast::<ffi::switch_dtmf_t>()).digit,
                std::ffi::CStr::from_ptr(keys.cast()),
            )
        };
        if keys.to_bytes().contains(&(digit as u8)) {
            ffi::SWITCH_STATUS_BREAK
        } else {
            ffi::SWITCH_STATUS_SUCCESS
        }
    })
}

impl LockedSession {
    /// Also one that is hung up, as long as it has not been destroyed.
    pub fn locate_ended(uuid: &str) -> Option<LockedSession> {
        let uuid = c(uuid);
        // SAFETY: as in `locate`.
        unsafe {
            let session = ffi::switch_core_session_perform_force_locate(
                uuid.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            );
            LockedSession::from_locked(session)
        }
    }

    /// The session with this uuid, if it still lives.
    pub fn locate(uuid: &str) -> Option<LockedSession> {
        let uuid = c(uuid);
        // SAFETY: the string lives during the call; a session returned is read-locked for us.
        unsafe {
            let session = ffi::switch_core_session_perform_locate(
                uuid.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            );
            LockedSession::from_locked(session)
        }
    }

    /// # Safety
    /// `session` is NULL or a session whose read lock is handed to us.
    pub unsafe fn from_locked(session: *mut ffi::switch_core_session_t) -> Option<LockedSession> {
        // SAFETY: the lock keeps the session alive until we drop it.
        unsafe { Session::new(session) }.map(LockedSession)
    }
}

impl Deref for LockedSession {
    type Target = Session<'static>;
    fn deref(&self) -> &Session<'static> {
        &self.0
    }
}

impl Drop for LockedSession {
    fn drop(&mut self) {
        // SAFETY: we hold exactly one read lock.
        unsafe { ffi::switch_core_session_rwunlock(self.0.as_ptr()) };
    }
}

impl Channel<'_> {
    /// A variable of the channel, else of its caller profile, else a global one.
    pub fn variable(&self, name: &str) -> Option<String> {
        let name = c(name);
        // SAFETY: the channel is alive; with `dup` the value is a copy in the session's pool.
        unsafe {
            copied(ffi::switch_channel_get_variable_dup(
                self.0.as_ptr(),
                name.as_ptr(),
                ffi::SWITCH_TRUE,
                -1,
            ))
        }
    }

    /// As [`Channel::variable`], a copy that lives as long as the session; NULL where there is none.
    fn in_pool(&self, name: &std::ffi::CStr) -> *const std::ffi::c_char {
        // SAFETY: the channel is alive; with `dup` the value is a copy in the session's pool.
        unsafe {
            ffi::switch_channel_get_variable_dup(
                self.0.as_ptr(),
                name.as_ptr(),
                ffi::SWITCH_TRUE,
                -1,
            )
        }
    }

    /// Set a variable, or remove it. The value is data, whoever it came from: it is stored so
    /// that no expansion of the switch's finds an expression in it ([`inert`]).
    pub fn set(&self, name: &str, value: Option<&str>) {
        self.store(name, value.map(inert).as_deref());
    }

    /// Give a variable back the value that was read from it before, whatever that was. For
    /// nothing else: `tests/untrusted.rs` lists who does so.
    pub fn restore(&self, name: &str, value: Option<&str>) {
        self.store(name, value);
    }

    /// Core's own check would refuse a value with `${…}` in it, and so lose it.
    fn store(&self, name: &str, value: Option<&str>) {
        let (name, value) = (c(name), value.map(c));
        let value = value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
        // SAFETY: the channel is alive; the switch copies both strings.
        unsafe {
            ffi::switch_channel_set_variable_var_check(
                self.0.as_ptr(),
                name.as_ptr(),
                value,
                ffi::SWITCH_FALSE,
            )
        };
    }

    /// As [`Channel::set`], a field of the caller profile.
    pub fn set_profile(&self, name: &str, value: &str) {
        let (name, value) = (c(name), c(&inert(value)));
        // SAFETY: the channel is alive; the switch copies both strings.
        unsafe {
            ffi::switch_channel_set_profile_var(self.0.as_ptr(), name.as_ptr(), value.as_ptr())
        };
    }

    /// The names of its own variables that begin with one of these.
    pub fn names_with(&self, prefixes: &[&str]) -> Vec<String> {
        let mut found = ptr::null_mut();
        // SAFETY: the channel is alive; `found` receives a new event that is ours.
        let found = unsafe {
            ffi::switch_channel_get_variables(self.0.as_ptr(), &mut found);
            Event::owned(found)
        };
        let mut names = found.map(|event| event.names()).unwrap_or_default();
        names.retain(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        names
    }

    /// Run the applications and commands in the variables `execute_on_…` and `api_on_…`.
    pub fn run_hooks(&self, moment: &str) {
        let (execute, api) = (
            c(&format!("execute_on_{moment}")),
            c(&format!("api_on_{moment}")),
        );
        // SAFETY: the channel is alive and this is the thread that runs it.
        unsafe {
            ffi::switch_channel_execute_on(self.0.as_ptr(), execute.as_ptr());
            ffi::switch_channel_api_on(self.0.as_ptr(), api.as_ptr());
        }
    }

    /// `${…}` in `text` expanded as in a dialplan.
    pub fn expand(&self, text: &str) -> String {
        let text = c(text);
        // SAFETY: the channel and the text are alive during the call.
        let expanded = unsafe {
            ffi::switch_channel_expand_variables_check(
                self.0.as_ptr(),
                text.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                0,
            )
        };
        // SAFETY: what the switch's expansion of `text` has returned.
        unsafe { expanded_from(&text, expanded) }
    }

    /// The next key that this side has pressed, taken from its queue: also one that an
    /// operator sent (`uuid_recv_dtmf`), which no hook would hear.
    pub fn key(&self) -> Option<u8> {
        let mut dtmf = ffi::switch_dtmf_t {
            digit: 0,
            duration: 0,
            flags: 0,
            source: 0,
        };
        // SAFETY: the channel is alive and guards its queue itself; `dtmf` is ours.
        let status = unsafe {
            if ffi::switch_channel_has_dtmf(self.0.as_ptr()) == 0 {
                return None;
            }
            ffi::switch_channel_dequeue_dtmf(self.0.as_ptr(), &mut dtmf)
        };
        (status == ffi::SWITCH_STATUS_SUCCESS).then_some(dtmf.digit as u8)
    }

    /// Up, not being transferred or hung up.
    pub fn ready(&self) -> bool {
        // SAFETY: the channel is alive.
        unsafe {
            ffi::switch_channel_test_ready(self.0.as_ptr(), ffi::SWITCH_TRUE, ffi::SWITCH_FALSE)
                != 0
        }
    }

    /// False: it cannot be answered.
    pub fn answer(&self) -> bool {
        // SAFETY: the channel is alive; answering twice is allowed.
        let status = unsafe {
            ffi::switch_channel_perform_answer(
                self.0.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            )
        };
        status == ffi::SWITCH_STATUS_SUCCESS
    }

    /// Open early media to this side. False: it cannot be done.
    pub fn pre_answer(&self) -> bool {
        // SAFETY: the channel is alive; where there is media already nothing happens.
        let status = unsafe {
            ffi::switch_channel_perform_pre_answer(
                self.0.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            )
        };
        status == ffi::SWITCH_STATUS_SUCCESS
    }

    /// Its media can be read and written.
    pub fn has_media(&self) -> bool {
        // SAFETY: the channel is alive.
        unsafe {
            ffi::switch_channel_test_ready(self.0.as_ptr(), ffi::SWITCH_TRUE, ffi::SWITCH_TRUE) != 0
        }
    }

    /// Throw away what has arrived before this moment.
    pub fn skip_media(&self) {
        // SAFETY: the channel is alive.
        unsafe {
            ffi::switch_channel_perform_audio_sync(
                self.0.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            )
        };
    }

    /// Somebody plays to this leg and listens to its keys: its own thread leaves its media alone.
    pub fn is_asked(&self) {
        self.set_flag(ffi::CF_TAGGED);
    }

    /// Wait until what is told of a channel's end is complete.
    pub fn wait_for_report(&self) {
        /// As long as core waits.
        const PATIENCE_MS: u32 = 5000;
        // SAFETY: the channel is alive.
        unsafe {
            ffi::switch_channel_wait_for_state_timeout(
                self.0.as_ptr(),
                ffi::CS_REPORTING,
                PATIENCE_MS,
            );
            ffi::switch_channel_set_timestamps(self.0.as_ptr());
        }
    }

    /// Hung up by nobody and not on the way there.
    pub fn up(&self) -> bool {
        !self.down()
    }

    /// It has variables by which applications or commands run at this moment.
    pub fn has_hooks(&self, moment: &str) -> bool {
        let hooks = ["execute_on_", "api_on_"].map(|kind| format!("{kind}{moment}"));
        !self.names_with(&[&hooks[0], &hooks[1]]).is_empty()
    }

    /// It has others rung for it: whoever transfers it sees that, and waits for an answer.
    pub fn has_others_rung(&self, so: bool) {
        match so {
            true => self.set_flag(ffi::CF_ORIGINATOR),
            false => self.clear_flag(ffi::CF_ORIGINATOR),
        }
    }

    /// It has handed its call over to somebody who waits for the answer (`holding_uuid`), and stays
    /// only until then.
    pub fn is_transferred_early(&self) -> bool {
        self.flag(ffi::CF_XFER_ZOMBIE)
    }

    /// Somebody who waits takes the rest of this side's dialplan over.
    pub fn leave_extension_to(&self, other: &Channel<'_>) -> bool {
        // SAFETY: both channels are alive.
        unsafe {
            let taken = ffi::switch_channel_caller_extension_masquerade(
                self.0.as_ptr(),
                other.0.as_ptr(),
                0,
            );
            if taken == ffi::SWITCH_STATUS_SUCCESS {
                ffi::switch_channel_restart(other.0.as_ptr());
            }
            taken == ffi::SWITCH_STATUS_SUCCESS
        }
    }

    /// Somebody has taken this leg while it rang (`intercept`).
    pub fn is_intercepted(&self) -> bool {
        self.flag(ffi::CF_INTERCEPTED)
    }

    /// It is joined with somebody else than it was rung for.
    pub fn is_handed_over(&self) {
        self.set_flag(ffi::CF_LAZY_ATTENDED_TRANSFER);
    }

    /// Show this side whom it is about to talk with.
    pub fn show_callee(&self, peer: &Channel<'_>) {
        // SAFETY: both channels are alive.
        unsafe { ffi::switch_channel_pass_callee_id(peer.0.as_ptr(), self.0.as_ptr()) };
    }

    /// A leg that is over, or somebody else's now, is none of an originate's any more.
    pub fn originated(&self) {
        self.clear_flag(ffi::CF_ORIGINATING);
    }

    /// It takes the place of a leg that an originate has made.
    pub fn is_originated(&self) {
        self.set_flag(ffi::CF_ORIGINATING);
    }

    /// Rings (180), by what its phone has said.
    pub fn rings(&self) -> bool {
        self.flag(ffi::CF_RING_READY)
    }

    pub fn in_early_media(&self) -> bool {
        self.flag(ffi::CF_EARLY_MEDIA)
    }

    /// Somebody has taken this leg away: a transfer, a redirection, a bridge with somebody else.
    pub fn taken_away(&self) -> bool {
        let flags = [ffi::CF_TRANSFER, ffi::CF_REDIRECT, ffi::CF_BRIDGED];
        flags.into_iter().any(|flag| self.flag(flag)) || !self.flag(ffi::CF_ORIGINATING)
    }

    /// It waits for somebody to pick it up (`pickup/`), and rings nowhere.
    pub fn is_pickup(&self) -> bool {
        let name = self.variable("channel_name");
        name.is_some_and(|name| name.starts_with("pickup/"))
    }

    /// An INVITE of ours has made it.
    pub fn is_dialled_by_sip(&self) -> bool {
        let is = |name: &str, of: &str| self.variable(name).is_some_and(|it| it.starts_with(of));
        is("channel_name", "sofia/") && is("direction", "outbound")
    }

    /// Whom somebody has put in this `pickup/` leg's place.
    pub fn swapped_for(&self) -> Option<String> {
        // The flag that says so has another number in some releases.
        self.variable("channel_swap_uuid")
    }

    pub fn answered(&self) -> bool {
        self.flag(ffi::CF_ANSWERED)
    }

    /// Its media goes to the phone directly.
    pub fn bypasses_media(&self) -> bool {
        self.flag(ffi::CF_PROXY_MODE)
    }

    /// Its media does not pass through the switch, or it was told to play no ringback.
    pub fn makes_no_sound(&self) -> bool {
        let without = [
            ffi::CF_PROXY_MODE,
            ffi::CF_PROXY_MEDIA,
            ffi::CF_DISABLE_RINGBACK,
        ];
        without.into_iter().any(|flag| self.flag(flag))
    }

    fn flag(&self, flag: ffi::switch_channel_flag_t) -> bool {
        // SAFETY: the channel is alive.
        unsafe { ffi::switch_channel_test_flag(self.0.as_ptr(), flag) != 0 }
    }

    /// Let what this side hears end, with all that it was still to hear. A playback that a timer
    /// paces asks no listener, but looks at this flag each round: also one that has not begun.
    pub fn stop_playing(&self) {
        /// The file that plays, and those after it.
        const ALL: u32 = 2;
        // SAFETY: the channel is alive.
        unsafe { ffi::switch_channel_set_flag_value(self.0.as_ptr(), ffi::CF_BREAK, ALL) };
    }

    /// Whoever plays next shall not end by a [`Channel::stop_playing`] of before.
    pub fn may_play(&self) {
        self.clear_flag(ffi::CF_BREAK);
    }

    fn clear_flag(&self, flag: ffi::switch_channel_flag_t) {
        // SAFETY: the channel is alive.
        unsafe { ffi::switch_channel_clear_flag(self.0.as_ptr(), flag) };
    }

    fn set_flag(&self, flag: ffi::switch_channel_flag_t) {
        // SAFETY: the channel is alive.
        unsafe { ffi::switch_channel_set_flag_value(self.0.as_ptr(), flag, 1) };
    }

    /// Hung up, or on the way there.
    pub fn down(&self) -> bool {
        // SAFETY: the channel is alive.
        unsafe { ffi::switch_channel_get_state(self.0.as_ptr()) >= ffi::CS_HANGUP }
    }

    pub fn cause(&self) -> Cause {
        // SAFETY: the channel is alive.
        from_switch(unsafe { ffi::switch_channel_get_cause(self.0.as_ptr()) })
    }

    pub fn hang_up(&self, cause: Cause) {
        // SAFETY: the channel is alive; hanging up twice is allowed.
        unsafe {
            ffi::switch_channel_perform_hangup(
                self.0.as_ptr(),
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
                to_switch(cause),
            )
        };
    }

    /// What core does with a failed call: `continue_on_fail`, `failure_causes`,
    /// `transfer_on_fail`, else hang up.
    pub fn handle_cause(&self, cause: Cause) {
        // SAFETY: the channel is alive.
        unsafe { ffi::switch_channel_handle_cause(self.0.as_ptr(), to_switch(cause)) };
    }

    /// Send ringing (180) to this side.
    pub fn ring(&self) {
        // SAFETY: the channel is alive; core allows this from any thread (`uuid_ring_ready`).
        unsafe {
            ffi::switch_channel_perform_ring_ready_value(
                self.0.as_ptr(),
                ffi::SWITCH_RING_READY_RINGING,
                c"mod_cti".as_ptr(),
                c"cti".as_ptr(),
                0,
            )
        };
    }
}

/// Join two that are up, each on its own thread. False: one of them is gone.
pub fn join_others(one: &str, other: &str) -> bool {
    let (one, other) = (c(one), c(other));
    // SAFETY: both strings live during the call; the switch finds the sessions itself.
    let status = unsafe { ffi::switch_ivr_uuid_bridge(one.as_ptr(), other.as_ptr()) };
    status == ffi::SWITCH_STATUS_SUCCESS
}

/// What a hook for messages is called with: the session, and the message.
pub type MessageHook = unsafe extern "C" fn(
    *mut ffi::switch_core_session_t,
    *mut ffi::switch_core_session_message_t,
) -> ffi::switch_status_t;

/// What a hook for signals is called with: the session, and which signal.
pub type SignalHook =
    unsafe extern "C" fn(*mut ffi::switch_core_session_t, i32) -> ffi::switch_status_t;

fn acceptable(status: ffi::switch_status_t) -> bool {
    let acceptable = [
        ffi::SWITCH_STATUS_SUCCESS,
        ffi::SWITCH_STATUS_BREAK,
        ffi::SWITCH_STATUS_INUSE,
    ];
    acceptable.contains(&status)
}

pub use super::cause::{name as cause_name, named as cause_named};
