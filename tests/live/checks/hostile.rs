//! What hostile phones register, tried on the real switch: reports S1 to S6.
//! A command that a contact brings would leave a file in the switch's directory.
//! Each check takes its registrations away again.

use super::{Verdict, phone};
use crate::live::knowing::{api, call_with as call, verdict};
use crate::live::run::Rig;
use crate::live::switch::{DOMAIN, MOBILE_USER, SLOW_USER, in_slot};
use crate::scenarios::Behaviour::*;
use std::time::{Duration, Instant};

/// Waits until the switch knows so many contacts of this user: it writes a registration down a
/// moment after it has confirmed it.
pub fn await_contacts(rig: &Rig, user: &str, known: impl Fn(usize) -> bool) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let contacts = api(rig, &format!("sofia_contact phones/{user}@{DOMAIN}"))?;
        let count = contacts.matches("sofia/phones/").count();
        if known(count) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{user} has {count} contacts"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All that this user has registered is forgotten.
pub fn forget(rig: &Rig, user: &str) -> Result<(), String> {
    let flush = format!("sofia profile phones flush_inbound_reg {user}@{DOMAIN}");
    api(rig, &flush)?;
    await_contacts(rig, user, |count| count == 0)
}

/// The log has so many lines that fit; it is written a moment after what it tells of.
fn logged(rig: &Rig, lines: usize, fits: impl Fn(&str) -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(3);
    loop {
        if rig.switch.log().lines().filter(|line| fits(line)).count() >= lines {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// S1: what `cti_legs` tells of a contact is read again by a template of mod_cdr_csv and by
/// whoever expands it.
pub fn runs_nothing(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let marker = rig.switch.directory.join("marker");
    let user = in_slot("1002", slot);
    let address = rig.address;
    let contacts = [
        format!(
            "\"a\\\" <sip:${{system(touch {})}}@{address}>\" <sip:{user}@{address}>",
            marker.display()
        ),
        format!("<sip:${{system(touch {})}}@{address}>", marker.display()),
        format!(
            "<sip:x@{address};x=${{system(touch$IFS{})}}>",
            marker.display()
        ),
    ];
    let has_csv = rig.switch.directory.join("mod/mod_cdr_csv.so").exists();
    if has_csv {
        api(rig, "load mod_cdr_csv")?;
    }
    let mut wrong = Vec::new();
    let mut registered = 0;
    for contact in &contacts {
        // A contact that the switch refuses is no way in either.
        if rig.phones.register_as(&user, contact).is_err() {
            continue;
        }
        await_contacts(rig, &user, |count| count > 0)?;
        registered += 1;
        let course = call(
            rig,
            slot,
            "user/1002|user/1003",
            &[phone("1003", Answers(100))],
            &[],
        )?;
        forget(rig, &user)?;
        for (name, value) in &course.variables {
            if name.starts_with("cti_") && value.contains("${") {
                wrong.push(format!("{contact}: {name}={value}"));
            }
        }
        let legs = course.variable("cti_legs").unwrap_or_default();
        let legs: serde_json::Value =
            serde_json::from_str(legs).map_err(|error| format!("{error}: {legs}"))?;
        let kept = legs[0]["contact"]
            .as_str()
            .is_some_and(|it| it.contains("${"));
        if !kept && legs[0]["role"] != "winner" {
            wrong.push(format!("{contact}: JSON has lost what was dialled: {legs}"));
        }
        // Whoever reads a variable in an expression has it expanded.
        api(
            rig,
            &format!(
                "global_setvar hostile={}",
                course.variable("cti_legs").unwrap_or("")
            ),
        )?;
        api(rig, "expand echo ${url_encode(${hostile})}")?;
    }
    if has_csv {
        // The records are written when the calls' channels go, before the module can be unloaded.
        api(rig, "unload mod_cdr_csv")?;
    }
    if marker.exists() {
        wrong.push("the command was run".to_owned());
    }
    if registered == 0 {
        wrong.push("no hostile contact could be registered".to_owned());
    }
    verdict(
        wrong,
        format!("{registered} of {} contacts registered", contacts.len()),
    )
}

/// S2: a URI parameter or a user part that would be further targets.
pub fn rings_nowhere_else(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let marker = rig.switch.directory.join("marker2");
    let user = in_slot("1002", slot);
    let address = rig.address;
    let more = [
        format!(",loopback/app=system:touch$IFS{}", marker.display()),
        format!("|loopback/app=system:touch$IFS{}", marker.display()),
        format!(":_:loopback/app=system:touch$IFS{}", marker.display()),
        format!(
            ",[execute_on_pre_originate=system:touch$IFS{}]sofia/phones/sip:y@{address}",
            marker.display()
        ),
        format!(",sofia/gateway/carrier/{}", in_slot("1004", slot)),
        format!(",user/{}", in_slot("1004", slot)),
    ];
    let mut wrong = Vec::new();
    let mut registered = 0;
    for more in &more {
        let contact = format!("<sip:nobody@127.0.0.1:9;x=1{more}>");
        if rig.phones.register_as(&user, &contact).is_err() {
            continue;
        }
        await_contacts(rig, &user, |count| count > 0)?;
        registered += 1;
        let explained = api(rig, &format!("cti explain user/{user}"))?;
        if !explained.contains("is dropped") {
            wrong.push(format!("{more}: cti explain says {explained}"));
        }
        for plan in ["user/1002|user/1003", "group/team1000"] {
            let phones = [phone("1003", Answers(300)), phone("1004", Answers(50))];
            let course = call(rig, slot, plan, &phones, &[])?;
            let seen = course.seen();
            if seen.joined.as_deref() != Some("1003") || seen.rings.len() != 1 {
                wrong.push(format!(
                    "{more} of {plan}: joined {:?}, rang {:?}",
                    seen.joined, seen.rings
                ));
            }
        }
        let last = more.rsplit(['/', '=']).next().unwrap_or_default();
        let warned = |line: &str| {
            line.contains("WARNING") && line.contains("is dropped") && line.contains(last)
        };
        if !logged(rig, 2, warned) {
            wrong.push(format!("{more}: no warning in the log"));
        }
        forget(rig, &user)?;
    }
    if marker.exists() {
        wrong.push("the command was run".to_owned());
    }
    if registered < 3 {
        wrong.push(format!("{registered} hostile contacts could be registered"));
    }
    verdict(
        wrong,
        format!("{registered} of {} contacts registered", more.len()),
    )
}

/// S2: a contact may ring an extension where `loopback/` stands in the dial string, but run none: the
/// dialplan `inline` takes an extension for a list of applications.
pub fn names_no_dialplan(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let contact = "<sip:x@127.0.0.1:9;x=1,loopback/set_global:hostile=ran/default/inline>";
    rig.phones.register_as(MOBILE_USER, contact)?;
    await_contacts(rig, MOBILE_USER, |count| count > 0)?;
    api(rig, "global_setvar hostile=no")?;
    let course = call(
        rig,
        slot,
        &format!("user/{MOBILE_USER}|user/1003"),
        &[phone("1003", Answers(100))],
        &[],
    );
    forget(rig, MOBILE_USER)?;
    let course = course?;
    let ran = api(rig, "global_getvar hostile")?;
    let mut wrong = Vec::new();
    if ran.trim() != "no" {
        wrong.push("the application was run".to_owned());
    }
    let dropped = |line: &str| line.contains("is dropped") && line.contains("set_global");
    if !logged(rig, 1, dropped) {
        wrong.push("no warning in the log".to_owned());
    }
    let joined = course.seen().joined.clone();
    if joined.as_deref() != Some("1003") {
        wrong.push(format!("joined {joined:?}"));
    }
    verdict(wrong, String::new())
}

/// A reply with a line break, in the value of a header: one header of the INVITE, as it stands in the dial string.
pub fn begins_no_header(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let contact = format!("<sip:{}@{}>", in_slot("1003", slot), rig.address);
    rig.phones.register_as(MOBILE_USER, &contact)?;
    await_contacts(rig, MOBILE_USER, |count| count > 0)?;
    let plan = format!("user/{MOBILE_USER}");
    let course = call(rig, slot, &plan, &[phone("1003", Answers(100))], &[]);
    forget(rig, MOBILE_USER)?;
    let course = course?;
    let mut wrong = Vec::new();
    let headers = |(_, _, leg): &(_, _, crate::live::phones::Leg)| {
        ["X-N", "X-Evil"].map(|name| leg.invite.header(name).map(str::to_owned))
    };
    let got: Vec<_> = course.legs.iter().map(headers).collect();
    if got != [[Some("a  X-Evil: 1".to_owned()), None]] {
        wrong.push(format!("X-N and X-Evil of each INVITE: {got:?}"));
    }
    verdict(wrong, String::new())
}

/// The switch's resident memory, in KiB.
fn memory(rig: &Rig) -> Result<u64, String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", rig.switch.pid()));
    let status = status.map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.ok_or_else(|| "no VmRSS".to_owned())
}

/// S3: a contact that names its own user again and again. Under 50 ms and 1 MiB.
pub fn explained_at_once(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let user = in_slot("1002", slot);
    let again = format!("user/{user},").repeat(40);
    let contact = format!("<sip:a,{again}user/{user}@127.0.0.1:9>");
    rig.phones.register_as(&user, &contact)?;
    await_contacts(rig, &user, |count| count > 0)?;
    let command = format!("cti explain user/{user}");
    let mut connection = rig.switch.connect()?;
    // The first ones may load what later ones find loaded.
    for _ in 0..5 {
        connection.api(&command)?;
    }
    let before = memory(rig)?;
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        connection.api(&command)?;
        took.push(began.elapsed());
    }
    let grown = memory(rig)?.saturating_sub(before);
    forget(rig, &user)?;
    took.sort();
    let median = took[took.len() / 2];
    let mut wrong = Vec::new();
    if median > Duration::from_millis(50) {
        wrong.push(format!("cti explain took {median:?}"));
    }
    if grown > 1024 {
        wrong.push(format!("the switch has grown by {grown} KiB"));
    }
    verdict(
        wrong,
        format!("{:.1} ms, {grown} KiB", median.as_secs_f64() * 1000.0),
    )
}

/// S4: one member of a group registers more contacts than a stage may have.
pub fn crowded_out(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    const CONTACTS: usize = 1100;
    let user = in_slot("1002", slot);
    for nth in 0..CONTACTS {
        rig.phones
            .register_as(&user, &format!("<sip:{nth}@127.0.0.1:9>"))?;
    }
    await_contacts(rig, &user, |count| count >= CONTACTS)?;
    let course = call(
        rig,
        slot,
        "group/team1000",
        &[phone("1003", Answers(2000))],
        &[],
    );
    forget(rig, &user)?;
    let course = course?;
    let mut wrong = Vec::new();
    let seen = course.seen();
    if seen.joined.as_deref() != Some("1003") {
        wrong.push(format!(
            "joined {:?}, cti_error {:?}",
            seen.joined,
            seen.variable("cti_error")
        ));
    }
    let told = format!("{user}@{DOMAIN}");
    let capped = |line: &str| line.contains("max-targets") && line.contains(&told);
    if !logged(rig, 1, capped) {
        wrong.push("the log does not name who was capped".to_owned());
    }
    let from = seen.rings.first().map_or(0, |ring| ring.from);
    verdict(wrong, format!("1003 rang after {from} ms"))
}

/// S5: a device registers again and again while a call waits for its user.
pub fn registers_often(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let threads = || -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", rig.switch.pid()));
        let tasks = tasks.into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "cti-lookup").count()
    };
    let plan = format!("{{cti_late_join=true,cti_timeout=3500ms}}user/{SLOW_USER},user/1003");
    let most = std::thread::scope(|scope| {
        let registering = scope.spawn(|| -> Result<usize, String> {
            let until = Instant::now() + Duration::from_secs(5);
            let mut connection = rig.switch.connect()?;
            // The first look-up has to be over: only then somebody waits.
            while (!connection.api("cti calls")?.contains("ringing for") || threads() > 0)
                && Instant::now() < until
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            let mut most = 0;
            for nth in 0..60 {
                rig.phones
                    .register_as(SLOW_USER, &format!("<sip:{nth}@127.0.0.1:9>"))?;
                most = most.max(threads());
            }
            Ok(most)
        });
        let course = call(rig, slot, &plan, &[phone("1003", Rings)], &[]);
        let most = registering
            .join()
            .map_err(|_| "the registering thread panicked".to_owned())??;
        course.map(|_| most)
    });
    forget(rig, SLOW_USER)?;
    let most = most?;
    let mut wrong = Vec::new();
    // A thread that has looked something up waits 200 ms for more: beside the one at work there may be such a one.
    if !(1..=2).contains(&most) {
        wrong.push(format!("{most} look-ups at once, expected 1 or 2"));
    }
    verdict(wrong, format!("{most} look-ups at once"))
}

/// S6: a name in Latin-1 and one in GBK, in an exported variable and as the caller's name.
pub fn bytes_pass(rig: &Rig, slot: usize) -> Result<Verdict, String> {
    let mut wrong = Vec::new();
    for (written, shown) in [("M%FCller", "M\\xfcller"), ("%D6%D0%B9%FA", "\\xd6й\\xfa")] {
        let url = format!("${{url_decode({written})}}");
        for (name, header) in [
            ("sip_h_X-Who", "X-Who"),
            ("effective_caller_id_name", "From"),
        ] {
            // One leg beside a later one: dialled with and without the caller's session.
            let plan = "user/1002,[leg_delay_start=1]user/1003";
            let export = ("export_vars", "sip_h_X-Who");
            let phones = [phone("1002", Rings), phone("1003", Answers(200))];
            let course = call(rig, slot, plan, &phones, &[(name, &url), export])?;
            for (_, phone, leg) in &course.legs {
                let got = leg.invite.header(header).unwrap_or_default();
                if !got.contains(shown) {
                    wrong.push(format!("{name} at {phone}: {got:?}, expected {shown}"));
                }
            }
            if course.legs.len() != 2 {
                wrong.push(format!("{} phones rang", course.legs.len()));
            }
        }
    }
    verdict(wrong, String::new())
}
