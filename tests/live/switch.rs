//! A private FreeSWITCH: a directory of its own, our own few lines of configuration, loopback ports.
//! Started once for a test run, awaited by its event socket, ended by us alone.
//! The dialplan and cti.conf.xml come from the very files in `conf/`.

use super::esl::{Connection, Events, PASSWORD, USUAL};
use super::find::Installed;
use super::soak;
use crate::scenarios::WENT_ON;
use crate::scenarios::table::{
    DIAL_STRINGS, DIAL_VARIABLES, DO_NOT_DISTURB, GROUPS, LOOPBACKS, RINGS, SLOW,
};
use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An extension that answers: where a caller is transferred or redirected to.
pub const ELSEWHERE: &str = "elsewhere";
pub const DOMAIN: &str = "cti.test";
/// Scenarios that run side by side have users of their own: 1002 is 1302 in slot 3.
pub const SLOTS: usize = 10;
/// RTP ports of one switch.
const RTP_PORTS: u16 = 2400;
/// Variables of a scenario that the dialplan takes from headers of the caller's INVITE.
pub const MOST_VARIABLES: usize = 8;

/// The plans of the load run: one leg, a fork of four, three stages.
pub const LOADS: &[(&str, &str)] = &[
    ("one", "user/1002"),
    ("fork", "user/1002,user/1003,user/1004,user/1005"),
    ("stages", "user/1006|user/1007|user/1002"),
];

pub struct Options<'a> {
    pub installed: &'a Installed,
    /// Where the phones are: the gateway `carrier` leads there.
    pub phones: SocketAddr,
    /// `libmod_cti.so`; None runs core alone.
    pub module: Option<&'a Path>,
    /// The application that rings: `cti_bridge`, or `bridge` to compare.
    pub application: &'a str,
    /// `debug` for one's own eyes, `warning` to measure.
    pub log_level: &'a str,
    /// The switch's clock ticks every millisecond, not every 20: the times of its events are exact then.
    pub exact_clock: bool,
    /// Few of malloc's arenas: they make memory grow by chance, and a leak is not seen.
    /// Not how a switch runs, so not where load is measured.
    pub few_arenas: bool,
}

struct Ports {
    sip: u16,
    late: u16,
    six: Option<u16>,
    port: u16,
    http: u16,
}

pub struct Switch {
    child: Child,
    pub directory: PathBuf,
    pub sip: SocketAddr,
    /// The profile that agrees on codecs late, when the plan is known; nobody registers there.
    pub late: SocketAddr,
    /// The profile of the phones over IPv6, where there is any.
    pub six: Option<SocketAddr>,
    pub port: u16,
    /// Of mod_xml_rpc, which only the checks that need it load.
    pub http: u16,
    pub events: Events,
    /// Where FreeSWITCH's own dialplan was read, if it was installed.
    pub stock: Option<PathBuf>,
    keep: bool,
    /// Held as long as the switch runs: the range of RTP ports below it is ours.
    _rtp: UdpSocket,
}

impl Switch {
    pub fn start(options: &Options) -> Result<Switch, String> {
        let said = |what: &str| {
            let what = what.to_string();
            move |error: std::io::Error| format!("{what}: {error}")
        };
        let directory =
            std::env::temp_dir().join(format!("cti-live-{}-{}", std::process::id(), unique()));
        for name in ["conf", "mod", "log", "run", "db", "data"] {
            fs::create_dir_all(directory.join(name)).map_err(said("the switch's directory"))?;
        }
        link_modules(options, &directory.join("mod")).map_err(said("the switch's modules"))?;
        // The ports are held until the moment before the switch wants them.
        let sip_port = UdpSocket::bind("127.0.0.1:0").map_err(said("a SIP port"))?;
        let late_port = UdpSocket::bind("127.0.0.1:0").map_err(said("a SIP port"))?;
        let six_port = UdpSocket::bind("[::1]:0").ok();
        let six = six_port.as_ref().and_then(|port| port.local_addr().ok());
        let event_port = TcpListener::bind("127.0.0.1:0").map_err(said("an event port"))?;
        let http_port = TcpListener::bind("127.0.0.1:0").map_err(said("an HTTP port"))?;
        let sip = sip_port.local_addr().map_err(said("a SIP port"))?;
        let late = late_port.local_addr().map_err(said("a SIP port"))?;
        let port = event_port
            .local_addr()
            .map_err(said("an event port"))?
            .port();
        let (rtp, guard) = rtp_range().ok_or("no range of RTP ports is free")?;
        let ports = Ports {
            sip: sip.port(),
            late: late.port(),
            six: six.map(|six| six.port()),
            port,
            http: http_port.local_addr().map_err(said("an HTTP port"))?.port(),
        };
        let text = configuration(options, &directory, &ports, rtp);
        fs::write(directory.join("conf/freeswitch.xml"), text).map_err(said("freeswitch.xml"))?;
        for application in STOCK {
            let file = directory.join(format!("conf/stock_{application}.xml"));
            fs::write(file, stock(options, application)).map_err(said("the stock dialplan"))?;
        }
        drop((sip_port, late_port, six_port, event_port, http_port));
        let child = command(options, &directory)
            .spawn()
            .map_err(said("freeswitch"))?;
        let mut child = Started(Some(child));
        let events = ready(&mut child, port, &directory)?;
        let child = child
            .0
            .take()
            .expect("the child is there until it is taken");
        Ok(Switch {
            child,
            directory,
            sip,
            late,
            six,
            port,
            http: ports.http,
            events,
            stock: options.installed.dialplan.clone(),
            keep: std::env::var_os("LIVE_KEEP").is_some(),
            _rtp: guard,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> Result<Connection, String> {
        Connection::open(self.port).map_err(|error| format!("event socket: {error}"))
    }

    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join("log/freeswitch.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The channels that are left, after giving the last ones a moment to go.
    pub fn channels_left(&self) -> Result<usize, String> {
        let mut connection = self.connect()?;
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let shown = connection.api("show channels count")?;
            let count = shown.split_whitespace().find_map(|word| word.parse().ok());
            let count: usize = count.ok_or(format!("show channels count said {shown:?}"))?;
            if count == 0 || Instant::now() > until {
                return Ok(count);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends the switch as an operator would and says what was wrong with its end.
    pub fn stop(mut self) -> Result<(), String> {
        if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
            self.keep = true;
            return Err(format!(
                "the switch ended by itself: {status}; see {}",
                self.directory.display()
            ));
        }
        // The connection breaks while the switch goes; its exit status is what counts.
        let _ = self
            .connect()
            .and_then(|mut connection| connection.api("fsctl shutdown now"));
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                if status.success() {
                    return Ok(());
                }
                self.keep = true;
                return Err(format!(
                    "the switch ended with {status}; see {}",
                    self.directory.display()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.keep = true;
        Err(format!(
            "the switch did not end within 20 s of its shutdown; see {}",
            self.directory.display()
        ))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.keep {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Ends the process if the start fails half-way.
struct Started(Option<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn unique() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn link_modules(options: &Options, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(&options.installed.modules)? {
        let entry = entry?;
        let is_ours = entry.file_name() == "mod_cti.so";
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "so")
            && !is_ours
        {
            std::os::unix::fs::symlink(entry.path(), to.join(entry.file_name()))?;
        }
    }
    match options.module {
        Some(module) => std::os::unix::fs::symlink(module, to.join("mod_cti.so")),
        None => Ok(()),
    }
}

fn command(options: &Options, directory: &Path) -> Command {
    let mut command = Command::new(&options.installed.binary);
    if options.few_arenas {
        command.env("MALLOC_ARENA_MAX", "2");
    }
    command.args(["-nonat", "-nonatmap", "-nocal", "-np", "-nf", "-nc"]);
    let places = [
        ("-conf", "conf"),
        ("-mod", "mod"),
        ("-log", "log"),
        ("-run", "run"),
        ("-db", "db"),
        ("-temp", "data"),
        ("-storage", "data"),
        ("-recordings", "data"),
        ("-scripts", "data"),
        ("-grammar", "data"),
        ("-certs", "data"),
        ("-htdocs", "data"),
        ("-cache", "data"),
        ("-sounds", "data"),
    ];
    for (option, place) in places {
        command.arg(option).arg(directory.join(place));
    }
    let output = |name: &str| {
        fs::File::create(directory.join("log").join(name)).map_or(Stdio::null(), Stdio::from)
    };
    command
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"));
    command
}

/// The switch is ready when its event socket takes us and the SIP profile runs.
fn ready(child: &mut Started, port: u16, directory: &Path) -> Result<Events, String> {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if let Some(Ok(Some(status))) = child.0.as_mut().map(Child::try_wait) {
            let said = fs::read_to_string(directory.join("log/stderr")).unwrap_or_default();
            return Err(format!("freeswitch ended at once with {status}: {said}"));
        }
        if let Ok(mut connection) = Connection::open(port)
            && connection
                .api("sofia status profile phones")
                .is_ok_and(|text| text.contains("URL"))
            && connection
                .api("status")
                .is_ok_and(|text| text.contains("is ready"))
        {
            return Events::listen(port, USUAL).map_err(|error| format!("event socket: {error}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("freeswitch was not ready within 60 s".to_string())
}

/// The first of 2400 RTP ports that no other switch of ours has, and the socket that claims
/// them: two switches at once, say of two versions, keep out of each other's way.
fn rtp_range() -> Option<(u16, UdpSocket)> {
    (0..19).find_map(|nth| {
        let first = 16384 + nth * RTP_PORTS;
        let guard = UdpSocket::bind(("127.0.0.1", first + RTP_PORTS - 1)).ok()?;
        Some((first, guard))
    })
}

/// The line of the README's that begins so: what it tells people to write is what we run.
fn of_readme(begins: &str) -> &'static str {
    const README: &str = include_str!("../../README.md");
    let line = README.lines().find(|line| line.starts_with(begins));
    line.unwrap_or_else(|| panic!("the README has no line {begins}…"))
}

fn configuration(options: &Options, directory: &Path, ports: &Ports, rtp: u16) -> String {
    let Ports {
        sip,
        late,
        six,
        port,
        http,
    } = ports;
    let has = |module: &&str| {
        options
            .installed
            .modules
            .join(format!("{module}.so"))
            .is_file()
    };
    let mut modules = vec![
        "mod_logfile",
        "mod_event_socket",
        "mod_commands",
        "mod_dptools",
        "mod_expr",
        "mod_hash",
        "mod_db",
        "mod_dialplan_xml",
        "mod_loopback",
        "mod_sndfile",
        "mod_tone_stream",
        "mod_voicemail",
        "mod_sofia",
    ];
    modules.retain(has);
    let mut load = modules
        .iter()
        .map(|module| format!("<load module=\"{module}\"/>"))
        .collect::<String>();
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let conf = conf.display();
    let mut cti = String::new();
    if options.module.is_some() {
        load.push_str("<load module=\"mod_cti\"/>");
        cti = include_str!("../../conf/autoload_configs/cti.conf.xml").to_owned();
        let rings: String = (0..SLOTS).map(|slot| in_slot(RINGS, slot)).collect();
        let end = "</configuration>";
        cti = cti.replace(end, &format!("<groups>{rings}</groups>{end}"));
    }
    let variables = (1..=MOST_VARIABLES)
        .map(|n| {
            format!(r#"<action application="set" data="${{url_decode(${{sip_h_X-Var-{n}}})}}"/>"#)
        })
        .collect::<String>();
    format!(
        r##"<?xml version="1.0"?>
<document type="freeswitch/xml">
<X-PRE-PROCESS cmd="set" data="domain={DOMAIN}"/>
<X-PRE-PROCESS cmd="set" data="domain_name={DOMAIN}"/>
<section name="configuration">
  <configuration name="modules.conf"><modules>{load}</modules></configuration>
  <configuration name="switch.conf"><settings>
    <param name="loglevel" value="{level}"/><param name="max-sessions" value="4000"/>
    <param name="sessions-per-second" value="10000"/><param name="rtp-start-port" value="{rtp}"/>
    <param name="1ms-timer" value="{exact}"/>
    <param name="rtp-end-port" value="{rtp_end}"/><param name="switchname" value="cti-live"/>
  </settings></configuration>
  <configuration name="logfile.conf"><profiles><profile name="default"><settings>
    <param name="rollover" value="0"/></settings><mappings><map name="all" value="{levels}"/></mappings>
  </profile></profiles></configuration>
  <configuration name="event_socket.conf"><settings>
    <param name="listen-ip" value="127.0.0.1"/><param name="listen-port" value="{port}"/>
    <param name="password" value="{PASSWORD}"/></settings></configuration>
  <configuration name="acl.conf"><network-lists/></configuration>
  <configuration name="timezones.conf"><timezones/></configuration>
  <configuration name="post_load_modules.conf"><modules/></configuration>
  <configuration name="post_load_switch.conf"><settings/></configuration>
  <configuration name="xml_rpc.conf"><settings><param name="http-port" value="{http}"/>
    <param name="auth-realm" value="freeswitch"/><param name="auth-user" value="freeswitch"/>
    <param name="auth-pass" value="works"/></settings></configuration>
  <configuration name="json_cdr.conf"><settings><param name="log-dir" value=""/>
    <param name="log-b-leg" value="false"/>{json_cdr}</settings></configuration>
  <configuration name="cdr_csv.conf"><settings><param name="default-template" value="cti"/>
    <param name="log-base" value="{log}"/></settings><templates>{cdr_csv}</templates></configuration>
  <configuration name="db.conf"><settings/></configuration>
  <configuration name="voicemail.conf"><settings/><profiles><profile name="default">
    <param name="tone-spec" value="%(200,0,800)"/><param name="max-login-attempts" value="1"/>
  </profile></profiles></configuration>
  <configuration name="sofia.conf"><global_settings><param name="log-level" value="0"/></global_settings>
    <profiles>{profiles}</profiles></configuration>
  {cti}
</section>
<section name="dialplan"><context name="default">
  <extension name="run" continue="true"><condition field="destination_number" expression="^run$">
    {variables}
    <action application="set" data="cti_plan=${{url_decode(${{sip_h_X-Plan}})}}"/>
  </condition></extension>
  {before}
  <extension name="compare">
    <condition field="destination_number" expression="^run$"/>
    <condition field="${{sip_h_X-Application}}" expression="^bridge$">
      <action application="bridge" data="${{cti_plan}}"/>
      <action application="set" data="{WENT_ON}=true"/>
    </condition>
  </extension>
  <extension name="run"><condition field="destination_number" expression="^run$">
    <action application="{application}" data="${{cti_plan}}"/>
    <action application="set" data="{WENT_ON}=true"/>
  </condition></extension>
  {loopbacks}
  <extension name="via"><condition field="destination_number" expression="^via_(\d+)$">
    <action application="bridge" data="user/$1"/>
  </condition></extension>
  <extension name="by_cti"><condition field="destination_number" expression="^by_cti_(\d+)$">
    <action application="cti_bridge" data="user/$1"/>
  </condition></extension>
  <extension name="leads_to_itself"><condition field="destination_number" expression="^leads_to_itself$">
    <action application="cti_bridge" data="loopback/leads_to_itself"/>
  </condition></extension>
  <extension name="loops"><condition field="destination_number" expression="^loops_(\d+)$">
    <action application="cti_bridge" data="user/$1,loopback/loops_$1"/>
  </condition></extension>
  <extension name="{ELSEWHERE}"><condition field="destination_number" expression="^{ELSEWHERE}$">
    <action application="set" data="reached={ELSEWHERE}"/><action application="answer"/>
    <action application="park"/>
  </condition></extension>
  {loads}
  <extension name="soak"><condition field="destination_number" expression="^soak$">
    <action application="cti_bridge" data="${{url_decode(${{sip_h_X-Plan}})}}"/>
  </condition></extension>
  <extension name="stock"><condition field="destination_number" expression="^stock_(cti_bridge|bridge)_(.+)$">
    <action application="transfer" data="$2 XML stock_$1"/>
  </condition></extension>
  <X-PRE-PROCESS cmd="include" data="{conf}/dialplan/default/*.xml"/>
</context>
<context name="{WALLED}">
  <extension name="toll"><condition field="${{toll_allow}}" expression="international"/>
    <condition field="destination_number" expression="^toll_(\d+)$">
      <action application="bridge" data="user/$1"/>
  </condition></extension>
  <extension name="inside"><condition field="${{accountcode}}" expression="^{WALLED}$"/>
    <condition field="destination_number" expression="^inside_(\d+)$">
      <action application="cti_bridge" data="user/$1"/>
  </condition></extension>
  <extension name="again"><condition field="destination_number" expression="^again$">
    <action application="cti_bridge" data="user/{WALLED}"/>
  </condition></extension>
  <extension name="around"><condition field="destination_number" expression="^around$">
    <action application="cti_bridge" data="loopback/again/{WALLED}"/>
  </condition></extension>
</context>
<X-PRE-PROCESS cmd="include" data="{directory}/conf/stock_*.xml"/>
</section>
<section name="directory"><domain name="{DOMAIN}">
  <params><param name="dial-string" value="${{sofia_contact(*/${{dialed_user}}@${{dialed_domain}})}}"/></params>
  <variables><variable name="user_context" value="default"/></variables>
  <groups>{groups}</groups>
</domain></section>
</document>
"##,
        directory = directory.display(),
        level = options.log_level,
        log = directory.join("log").display(),
        json_cdr = of_readme("<param name=\"encode-values\""),
        cdr_csv = of_readme("<template name=\"cti\">"),
        exact = options.exact_clock,
        levels = levels(options.log_level),
        rtp_end = rtp + RTP_PORTS - 10,
        application = options.application,
        groups = groups(),
        before = before(),
        loopbacks = loopbacks(),
        loads = loads(),
        profiles = profiles([*sip, *late], *six, options.phones),
    )
}

/// The applications that ring in the contexts `stock_…`: FreeSWITCH's own dialplan as it was
/// installed, and the same with every `bridge` replaced.
pub const STOCK: [&str; 2] = ["bridge", "cti_bridge"];

fn stock(options: &Options, application: &str) -> String {
    let text = options.installed.dialplan.as_ref().map(fs::read_to_string);
    let Some(Ok(text)) = text else {
        return "<include/>".to_string();
    };
    // The files that it includes name places on the net.
    let lines = text.lines().filter(|line| !line.contains("X-PRE-PROCESS"));
    let text = lines.map(|line| format!("{line}\n")).collect::<String>();
    let context = format!("<context name=\"stock_{application}\">");
    text.replace("<context name=\"default\">", &context)
        .replace(
            "application=\"bridge\"",
            &format!("application=\"{application}\""),
        )
}

/// The phones' profile, a second one that differs in when it agrees on codecs, and one over IPv6.
fn profiles([phones, late]: [u16; 2], six: Option<u16>, carrier: SocketAddr) -> String {
    let profile = |name: &str, ip: &str, port: u16, domains: &str, own: &str, gateways: &str| {
        format!(
            r#"<profile name="{name}"><domains>{domains}</domains><settings>{own}
      <param name="sip-ip" value="{ip}"/><param name="rtp-ip" value="{ip}"/>
      <param name="sip-port" value="{port}"/><param name="context" value="default"/>
      <param name="dialplan" value="XML"/><param name="auth-calls" value="false"/>
      <param name="accept-blind-reg" value="true"/><param name="accept-blind-auth" value="true"/>
      <param name="multiple-registrations" value="call-id"/><param name="force-register-domain" value="{DOMAIN}"/>
      <param name="force-register-db-domain" value="{DOMAIN}"/><param name="manage-presence" value="false"/>
      <param name="inbound-codec-prefs" value="PCMU,PCMA"/><param name="outbound-codec-prefs" value="PCMU,PCMA"/>
      <param name="inbound-use-callid-as-uuid" value="true"/>
      <param name="outbound-use-uuid-as-callid" value="true"/>
      <param name="enable-timer" value="false"/><param name="enable-100rel" value="true"/>
      <param name="enable-3pcc" value="proxy"/><param name="rtp-timer-name" value="soft"/>
    </settings>{gateways}</profile>"#
        )
    };
    // Three that our phones answer, two of which take their From from the caller, and one
    // where nobody does.
    let asking = |kind: &str| {
        format!(
            r#"<gateway name="auto-{kind}"><param name="proxy" value="{carrier}"/><param name="register" value="false"/>
        <param name="username" value="pbx"/><param name="password" value="none"/>
        <param name="from-domain" value="auto-aleg-{kind}"/><param name="caller-id-in-from" value="true"/></gateway>"#
        )
    };
    let (full, domain) = (asking("full"), asking("domain"));
    let gateways = format!(
        r#"<gateways>{full}{domain}
      <gateway name="carrier"><param name="proxy" value="{carrier}"/><param name="register" value="false"/>
        <param name="username" value="pbx"/><param name="password" value="none"/></gateway>
      <gateway name="down"><param name="proxy" value="127.0.0.1:9"/><param name="register" value="true"/>
        <param name="username" value="pbx"/><param name="password" value="none"/></gateway>
    </gateways>"#
    );
    let all = r#"<domain name="all" alias="true" parse="false"/>"#;
    let late_negotiation = r#"<param name="inbound-late-negotiation" value="true"/>"#;
    let six = six.map(|port| profile("six", "::1", port, "", "", ""));
    profile("phones", "127.0.0.1", phones, all, "", &gateways)
        + &profile("late", "127.0.0.1", late, "", late_negotiation, "")
        + &six.unwrap_or_default()
}

/// mod_logfile wants every level named, not the highest one.
fn levels(level: &str) -> String {
    let all = ["alert", "crit", "err", "warning", "notice", "info", "debug"];
    let last = all
        .iter()
        .position(|name| *name == level)
        .unwrap_or(all.len() - 1);
    all[..=last].join(",")
}

/// Applications that a call may run before the one that rings: a header `X-Do-<name>` brings the argument.
pub const BEFORE: &[(&str, &str)] = &[
    ("export", "export"),
    ("also-export", "export"),
    ("privacy", "privacy"),
    ("answer", "answer"),
];

fn before() -> String {
    let extension = |(name, application): &(&str, &str)| {
        format!(
            "<extension name=\"before\" continue=\"true\">\
             <condition field=\"destination_number\" expression=\"^run$\"/>\
             <condition field=\"${{sip_h_X-Do-{name}}}\" expression=\"^.+$\">\
             <action application=\"{application}\" data=\"${{url_decode(${{sip_h_X-Do-{name}}})}}\"/>\
             </condition></extension>"
        )
    };
    BEFORE.iter().map(extension).collect()
}

/// The extensions that `loopback/…` reaches.
fn loopbacks() -> String {
    let extension = |(name, does): &(&str, Result<u64, &str>)| {
        let actions = match does {
            Ok(after) => format!(
                "<action application=\"sleep\" data=\"{after}\"/><action application=\"answer\"/>\
                 <action application=\"park\"/>"
            ),
            Err(cause) => format!("<action application=\"hangup\" data=\"{cause}\"/>"),
        };
        format!(
            "<extension name=\"{name}\"><condition field=\"destination_number\" expression=\"^{name}$\">\
             {actions}</condition></extension>"
        )
    };
    LOOPBACKS.iter().map(extension).collect()
}

/// What the load run dials: `load_bridge_fork`, `load_cti_bridge_fork`, …
fn loads() -> String {
    let extension = |application: &str, name: &str, plan: &str| {
        format!(
            "<extension name=\"load\"><condition field=\"destination_number\" expression=\"^load_{application}_{name}$\">\
             <action application=\"{application}\" data=\"{plan}\"/></condition></extension>"
        )
    };
    let both = |(name, plan): &(&str, &str)| {
        extension("bridge", name, plan) + &extension("cti_bridge", name, plan)
    };
    LOADS.iter().map(both).collect()
}

/// The groups that the stock dialplan rings.
const STOCK_GROUPS: [&str; 3] = ["sales", "support", "billing"];

/// The user whose look-up takes 400 ms.
pub const SLOW_USER: &str = "slow";

/// A user whose phone rings behind a gateway, one that is down until the phone has registered.
pub const BEHIND: &str = "behind";

/// A user whose own context, of the same name, lets him call but few.
pub const WALLED: &str = "walled";

/// A user with a mobile behind `loopback/`, which his contacts may therefore bring, too, and with
/// a line break in what a `${…}` comes to.
pub const MOBILE_USER: &str = "mobile";

/// The users 1000 to 1009 of every slot, those with dial strings of their own, and the groups as pointers to them.
fn groups() -> String {
    let mut text = String::from("<group name=\"everybody\"><users>");
    for slot in 0..SLOTS {
        let numbers = (0..=9).map(|number| format!("100{number}"));
        let named = DIAL_STRINGS.iter().map(|(whose, _)| whose.to_string());
        let users: BTreeSet<String> = numbers.chain(named).collect();
        for user in users.iter().map(|user| in_slot(user, slot)) {
            let (slow, takes) = SLOW;
            let slow = (in_slot(slow, slot) == user).then(|| {
                format!(
                    "<param name=\"dial-string\" value=\"[slept=${{msleep({takes})}}]\
                     ${{sofia_contact(*/{user}@{DOMAIN})}}\"/>"
                )
            });
            let own = DIAL_VARIABLES
                .iter()
                .filter(|(whose, ..)| in_slot(whose, slot) == user);
            let params = own
                .map(|(_, name, value)| {
                    format!("<param name=\"dial-var-{name}\" value=\"{value}\"/>")
                })
                .chain(slow)
                .collect::<String>();
            let string = DIAL_STRINGS
                .iter()
                .filter(|(whose, _)| in_slot(whose, slot) == user)
                .map(|(_, text)| {
                    let text = in_slot(text, slot);
                    format!("<param name=\"dial-string\" value=\"{text}\"/>")
                });
            let params = params + &string.collect::<String>();
            text.push_str(&format!(
                "<user id=\"{user}\"><params>{params}</params></user>"
            ));
        }
        for user in DO_NOT_DISTURB {
            let user = in_slot(user, slot);
            text.push_str(&format!(
                "<user id=\"{user}\"><variables><variable name=\"do_not_disturb\" value=\"true\"/></variables></user>"
            ));
        }
    }
    // A directory that takes its time.
    text.push_str(&format!(
        "<user id=\"{SLOW_USER}\"><params><param name=\"dial-string\" \
         value=\"[slept=${{msleep(400)}}]${{sofia_contact(*/{SLOW_USER}@{DOMAIN})}}\"/></params></user>"
    ));
    text.push_str(&format!(
        "<user id=\"{MOBILE_USER}\"><params><param name=\"dial-string\" \
         value=\"[sip_h_X-N=${{url_decode(a%0D%0AX-Evil: 1)}}]${{sofia_contact(*/{MOBILE_USER}@{DOMAIN})}},\
         loopback/nowhere\"/></params></user>"
    ));
    text.push_str(&format!(
        "<user id=\"{BEHIND}\"><params><param name=\"dial-string\" value=\"sofia/gateway/${{cond(\
         ${{sofia_contact({BEHIND}@{DOMAIN})}} == error/user_not_registered ? down : auto-full)}}/{BEHIND}\"/>\
         </params></user>"
    ));
    text.push_str(&format!(
        "<user id=\"{WALLED}\"><variables><variable name=\"user_context\" value=\"{WALLED}\"/>\
         <variable name=\"accountcode\" value=\"{WALLED}\"/></variables></user>"
    ));
    text.push_str("</users></group>");
    text.push_str("<group name=\"soak\"><users>");
    for user in soak::users() {
        text.push_str(&format!("<user id=\"{user}\"/>"));
    }
    text.push_str("</users></group>");
    for name in STOCK_GROUPS {
        text.push_str(&format!(
            "<group name=\"{name}\"><users><user id=\"1002\" type=\"pointer\"/>\
             <user id=\"1003\" type=\"pointer\"/></users></group>"
        ));
    }
    for slot in 0..SLOTS {
        for (name, users) in GROUPS {
            text.push_str(&format!("<group name=\"{}\"><users>", in_slot(name, slot)));
            for user in *users {
                text.push_str(&format!(
                    "<user id=\"{}\" type=\"pointer\"/>",
                    in_slot(user, slot)
                ));
            }
            text.push_str("</users></group>");
        }
    }
    text
}

/// `user/1002` in slot 3 is `user/1302`: every `100` before a digit, so that no text changes its length.
pub fn in_slot(text: &str, slot: usize) -> String {
    renumber(text, b'0', char::from(b'0' + slot as u8))
}

/// The way back, for what the switch showed.
pub fn from_slot(text: &str, slot: usize) -> String {
    renumber(text, b'0' + slot as u8, '0')
}

/// Whose slot it is: of `1302` 3.
pub fn slot_of(user: &str) -> usize {
    let digit = user.strip_prefix('1').and_then(|rest| rest.chars().next());
    digit
        .and_then(|digit| digit.to_digit(10))
        .map_or(0, |digit| digit as usize)
}

fn renumber(text: &str, from: u8, to: char) -> String {
    let bytes = text.as_bytes();
    let is_number = |at: usize| {
        bytes[at] == from
            && at > 0
            && bytes[at - 1] == b'1'
            && bytes.get(at + 1) == Some(&b'0')
            && bytes.get(at + 2).is_some_and(u8::is_ascii_digit)
            && !bytes.get(at + 3).is_some_and(u8::is_ascii_digit)
            && !(at > 1 && bytes[at - 2].is_ascii_digit())
    };
    text.char_indices()
        .map(|(at, ch)| {
            if ch.is_ascii() && is_number(at) {
                to
            } else {
                ch
            }
        })
        .collect()
}
