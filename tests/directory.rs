//! What a directory's dial string may ring, whatever its `${…}` come to.
//! The table first: a dial string, what is said, what rings and what is dropped; then the laws.
//! Hostile contacts are those that a phone can register.

use mod_cti::plan::directory::{Allowed, Directed, directed, endpoint_of};
use proptest::prelude::*;

fn endpoints(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `replies`: what each `${…}` comes to, in the order of the text.
fn read(text: &str, replies: &[&str], limit: usize) -> Directed {
    let endpoints = endpoints(&["sofia", "verto.rtc", "error"]);
    let allowed = Allowed {
        endpoints: &endpoints,
        contacts: limit,
    };
    let mut replies = replies.iter();
    let mut expand = |_: &str| (*replies.next().unwrap_or(&"")).to_owned();
    directed(text, &allowed, &mut expand).expect("a dial string that can be read")
}

/// The targets as text, and the contacts that were dropped.
fn told(found: &Directed) -> (Vec<String>, Vec<String>) {
    let rings = found.targets.iter().map(ToString::to_string);
    let dropped = found.dropped.iter().map(|one| one.contact.clone());
    (rings.collect(), dropped.collect())
}

/// A dial string, what each `${…}` comes to, what rings, what is dropped.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const CONTACT: &str = "${sofia_contact(*/1002@d)}";

#[test]
#[rustfmt::skip]
fn what_rings_and_what_is_dropped() {
    let table: &[Row] = &[
        // What people have.
        (CONTACT, &["sofia/internal/sip:1002@h"], &["sofia/internal/sip:1002@h"], &[]),
        (CONTACT, &["sofia/internal/sip:a@h,sofia/internal/sip:b@h"], &["sofia/internal/sip:a@h", "sofia/internal/sip:b@h"], &[]),
        (CONTACT, &["error/user_not_registered"], &["error/user_not_registered"], &[]),
        (CONTACT, &[""], &[], &[]),
        ("{^^:sip_invite_domain=d:presence_id=${dialed_user}@d}${sofia_contact(*/1002@d)},${verto_contact(1002@d)}",
            &["1002", "sofia/internal/sip:1002@h", "verto.rtc/u:1a2b"],
            &["[sip_invite_domain=d,presence_id=1002@d]sofia/internal/sip:1002@h", "[sip_invite_domain=d,presence_id=1002@d]verto.rtc/u:1a2b"], &[]),
        ("${verto_contact(1002@d)}", &["verto.rtc/u:1a2b,verto.rtc/1002@d"], &["verto.rtc/u:1a2b"], &["verto.rtc/1002@d"]),
        ("[leg_timeout=5]sofia/gateway/g/${mobile}|loopback/1003", &["0171"], &["[leg_timeout=5]sofia/gateway/g/0171", "loopback/1003"], &[]),
        ("${sofia_contact(*/1002@d/[sip_auto_answer=true,x=1])}", &["[sip_auto_answer=true,x=1]sofia/internal/sip:a@h"],
            &["[sip_auto_answer=true,x=1]sofia/internal/sip:a@h"], &[]),
        ("${group_call(sales@d)},user/1003", &[], &["group/sales@d", "user/1003"], &[]),
        ("${group_call(${name}@d+F)}", &["sales@d+F"], &["group/sales@d+F"], &[]),
        // What a phone can register.
        (CONTACT, &["sofia/internal/sip:1002@h;x=1,loopback/app=system:touch$IFS./marker"],
            &["sofia/internal/sip:1002@h;x=1"], &["loopback/app=system:touch$IFS./marker"]),
        (CONTACT, &["sofia/internal/sip:1002@h;x=1,sofia/gateway/g/00881"], &["sofia/internal/sip:1002@h;x=1"], &["sofia/gateway/g/00881"]),
        (CONTACT, &["sofia/internal/sip:1002@h,SOFIA/GateWay/g/1"], &["sofia/internal/sip:1002@h"], &["SOFIA/GateWay/g/1"]),
        (CONTACT, &["sofia/internal/sip:1002@h|user/1001"], &["sofia/internal/sip:1002@h"], &["user/1001"]),
        (CONTACT, &["sofia/internal/sip:1002@h:_:user/1001"], &["sofia/internal/sip:1002@h"], &["user/1001"]),
        (CONTACT, &["sofia/internal/sip:1002@h,[execute_on_answer='system touch x']sofia/internal/sip:b@h"],
            &["sofia/internal/sip:1002@h"], &["[execute_on_answer='system touch x']sofia/internal/sip:b@h"]),
        (CONTACT, &["sofia/internal/sip:1002@h,{api_on_answer=x}sofia/internal/sip:b@h"],
            &["sofia/internal/sip:1002@h"], &["{api_on_answer=x}sofia/internal/sip:b@h"]),
        (CONTACT, &["sofia/internal/sip:'1002,loopback/1'@h"], &["sofia/internal/sip:\\'1002"], &["loopback/1'@h"]),
        (CONTACT, &["sofia/internal/sip:1002\\,loopback/1@h"], &["sofia/internal/sip:1002\\\\"], &["loopback/1@h"]),
        (CONTACT, &["sofia/internal/sip:${system(x)}@h"], &["sofia/internal/sip:${system(x)}@h"], &[]),
        (CONTACT, &["sofia/internal/sip:a\u{1b}[1m@h,sofia/internal/sip:b@h"], &["sofia/internal/sip:b@h"], &["sofia/internal/sip:a\u{1b}[1m@h"]),
        (CONTACT, &["-ERR no such thing"], &[], &["-ERR no such thing"]),
        // Data in a value or in an address stays there.
        ("[sip_h_X-N=${caller_id_name}]user/1003", &["x]loopback/1,[y=1"], &["[sip_h_X-N='x]loopback/1\\,[y=1']user/1003"], &[]),
        ("[a=${name}]user/1", &["${system(touch x)}"], &["[a='$ {system(touch x)}']user/1"], &[]),
        ("{a=\\$${name}}user/1", &["{system(touch x)}"], &["[a='$ {system(touch x)}']user/1"], &[]),
        ("[a=b$]user/1,[a=${name}]user/2", &["b"], &["[a=b$]user/1", "[a=b]user/2"], &[]),
        ("sofia/internal/${number}@h", &["1,loopback/2|3"], &["sofia/internal/1\\,loopback/2\\|3@h"], &[]),
        ("sofia/${place}/1", &["gateway/g"], &[], &["sofia/gateway/g/1"]),
        ("loopback/${place}", &["app=system:x"], &[], &["loopback/app=system:x"]),
        ("loopback/app=echo,loopback/${place}", &["APP=system:x"], &["loopback/app=echo", "loopback/APP=system:x"], &[]),
        // A dialplan other than XML is one for applications: `inline` runs what the extension says, `lua` a script.
        ("loopback/${place}", &["system:touch x/default/inline"], &[], &["loopback/system:touch x/default/inline"]),
        ("loopback/${place}", &["x/default/XML:/tmp/plan.xml"], &[], &["loopback/x/default/XML:/tmp/plan.xml"]),
        ("loopback/${place}", &["1003/default/xml"], &["loopback/1003/default/xml"], &[]),
        ("${sofia_contact(*/1002@d)},loopback/91234", &["sofia/internal/sip:1002@h;x=1,loopback/system:touch$IFS.marker/default/Inline"],
            &["sofia/internal/sip:1002@h;x=1", "loopback/91234"], &["loopback/system:touch$IFS.marker/default/Inline"]),
        // A line break ends neither an address nor a header.
        ("sofia/gateway/g/${mobile}", &["1\r\nX-Evil: 1"], &[], &["sofia/gateway/g/1\r\nX-Evil: 1"]),
        ("[sip_h_X-N=${name}]user/1", &["a\r\nX-Evil: 1"], &["[sip_h_X-N=a  X-Evil: 1]user/1"], &[]),
        ("[a='${x}\\nb']user/1", &["c\n"], &["[a=c \\nb]user/1"], &[]),
        // The block of another target is not the contact's.
        ("${sofia_contact(*/1002@d)},[sip_h_X-Key=secret]sofia/gateway/g/1", &["[sip_h_X-Key=secret]sofia/internal/sip:a@h"],
            &["[sip_h_X-Key=secret]sofia/gateway/g/1"], &["[sip_h_X-Key=secret]sofia/internal/sip:a@h"]),
        // An endpoint that stands in the dial string may come in a reply.
        ("sofia/gateway/g/1,${hash(select/x/y)}", &["sofia/gateway/h/2,loopback/3"], &["sofia/gateway/g/1", "sofia/gateway/h/2"], &["loopback/3"]),
        // Nothing is lost without a word.
        ("[${x}]user/1003", &["a=b"], &["user/1003"], &["${x}"]),
    ];
    for (text, replies, rings, dropped) in table {
        let expected: [Vec<String>; 2] = [rings, dropped].map(|list| endpoints(list));
        let (rings, dropped) = told(&read(text, replies, 100));
        assert_eq!([rings, dropped], expected, "{text} with {replies:?}");
    }
}

#[test]
fn no_more_contacts_than_allowed() {
    let reply = ["sofia/internal/sip:x@h"; 50].join(",");
    let found = read(CONTACT, &[&reply], 20);
    assert_eq!(
        (found.targets.len(), found.dropped.len(), found.dropped_more),
        (20, 8, 22)
    );
}

#[test]
fn registrations_do_not_crowd_out_what_is_written() {
    let reply = ["sofia/internal/sip:x@h"; 50].join(",");
    let text = "${sofia_contact(*/1002@d)},sofia/gateway/g/1,${group_call(sales@d)}";
    let (rings, _) = told(&read(text, &[&reply], 20));
    assert_eq!(rings[20..], ["sofia/gateway/g/1", "group/sales@d"]);
}

#[test]
fn a_further_endpoint_is_allowed_by_its_name() {
    for (name, contact) in [
        ("Loopback", "loopback/1"),
        ("sofia/gateway", "sofia/gateway/g/1"),
    ] {
        let endpoints = endpoints(&[name]);
        let allowed = Allowed {
            endpoints: &endpoints,
            contacts: 9,
        };
        let found = directed(CONTACT, &allowed, &mut |_| contact.to_owned());
        assert_eq!(told(&found.expect("it can be read")).0, [contact]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Pieces that mean something to the language, in any order.
    #[test]
    fn a_reply_brings_no_other_endpoint(
        reply in "(,|\\||:_:|\\[|\\]|\\{|\\}|'|\\\\|\\$|\\$\\{|sofia/|internal/|gateway/|loopback/|app=|user/|group/|error/|verto.rtc/|x|=| |\\^\\^){0,24}",
        beside in 0..3_usize,
    ) {
        let text = ["${f(x)}", "sofia/internal/${f(x)}@h", "[a=${f(x)}]sofia/internal/b@h"][beside];
        for target in read(text, &[&reply], 5).targets {
            let endpoint = endpoint_of(&target.dial_string());
            prop_assert!(["sofia", "verto.rtc", "error"].contains(&endpoint.as_str()), "{target}");
            prop_assert!(target.variables.iter().all(|variable| variable.name == "a"), "{target}");
            // Core stores a leg's variable unchecked under `origination_nested_vars`.
            let values = || target.variables.iter().map(|variable| variable.value.as_str());
            prop_assert!(values().all(|value| mod_cti::plan::inert(value) == value), "{target}");
        }
    }

    /// A dial string without `${…}` is read as a plan is.
    #[test]
    fn what_is_written_is_meant(targets in prop::collection::vec("(user|sofia/gateway|loopback)/[a-z0-9]{1,5}", 1..6)) {
        let found = read(&targets.join(","), &[], 100);
        prop_assert_eq!(told(&found), (targets, Vec::new()));
    }
}
