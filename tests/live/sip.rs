//! SIP messages, as far as phones on loopback need them: read, answer, ask.
//! One datagram is one message; header names are matched without case and in their short forms.
//! Nothing here keeps state: that is the phones' part.

#[derive(Debug, Clone)]
pub struct Message {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Message {
    /// None for keep-alives and whatever else is not SIP.
    pub fn parse(datagram: &[u8]) -> Option<Message> {
        let text = readable(datagram);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_string();
        if !start.contains("SIP/2.0") {
            return None;
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':')?;
                headers.push((long_name(name.trim()).to_string(), value.trim().to_string()));
            }
        }
        Some(Message {
            start,
            headers,
            body: body.to_string(),
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The status of a response, None for a request.
    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request; of a response, the method it answers.
    pub fn method(&self) -> &str {
        if self.status().is_some() {
            self.header("CSeq")
                .and_then(|cseq| cseq.split_whitespace().nth(1))
                .unwrap_or("")
        } else {
            self.start.split(' ').next().unwrap_or("")
        }
    }

    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or("")
    }

    /// The user part of the request's URI: which of our phones is meant.
    pub fn request_user(&self) -> &str {
        self.start
            .split(' ')
            .nth(1)
            .and_then(uri_user)
            .unwrap_or("")
    }

    /// An answer with this status to this request. `contact` for 1xx and 2xx of an INVITE.
    pub fn answer(
        &self,
        status: u16,
        to_tag: &str,
        contact: Option<&str>,
        sdp: Option<&str>,
    ) -> String {
        let mut text = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
        for (name, value) in &self.headers {
            let copied = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"];
            if !copied
                .iter()
                .any(|wanted| name.eq_ignore_ascii_case(wanted))
            {
                continue;
            }
            text.push_str(&format!("{name}: {value}"));
            if name.eq_ignore_ascii_case("To") && status > 100 && !value.contains("tag=") {
                text.push_str(&format!(";tag={to_tag}"));
            }
            text.push_str("\r\n");
        }
        if let Some(contact) = contact {
            text.push_str(&format!("Contact: {contact}\r\n"));
        }
        finish(text, sdp)
    }
}

/// How long the first message of a stream is, once all of it has come.
pub fn length_of_first(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = readable(&bytes[..head]);
    let length = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = long_name(name.trim()).eq_ignore_ascii_case("Content-Length");
        is_length.then(|| value.trim().parse().ok()).flatten()
    });
    let whole = head + length.unwrap_or(0);
    (bytes.len() >= whole).then_some(whole)
}

/// A byte that is no UTF-8 is told apart from all that is: as `\xfc`.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let escaped = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        text.extend(escaped);
    }
    text
}

/// The message with one more header.
pub fn with_header(text: &str, name: &str, value: &str) -> String {
    text.replacen(
        "
",
        &format!(
            "
{name}: {value}
"
        ),
        1,
    )
}

/// Ends the head of a message and adds the body, if any.
pub fn finish(mut head: String, sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => head.push_str(&format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )),
        None => head.push_str("Content-Length: 0\r\n\r\n"),
    }
    head
}

/// G.711 both ways to this port.
pub fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    )
}

/// The same over IPv6.
pub fn sdp_of_six(port: u16) -> String {
    sdp(port).replace("IP4 127.0.0.1", "IP6 ::1")
}

/// G.729 alone, which nobody here has.
pub fn unusable_sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\na=sendrecv\r\n"
    )
}

/// `sip:1002@host` and `"Name" <sip:1002@host>;tag=x` give `1002`.
pub fn uri_user(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("sip:")?;
    let end = rest.find(['@', ';', '>', '?'])?;
    Some(&rest[..end])
}

/// `"Name" <sip:…>` and `Name <sip:…>` give `Name`.
pub fn display_name(value: &str) -> &str {
    value
        .split('<')
        .next()
        .unwrap_or("")
        .trim()
        .trim_matches('"')
}

/// The URI in a Contact or Record-Route, without its brackets and header parameters.
pub fn bare_uri(value: &str) -> &str {
    match (value.find('<'), value.find('>')) {
        (Some(open), Some(close)) if open < close => &value[open + 1..close],
        _ => value.split(';').next().unwrap_or(value),
    }
}

fn long_name(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "c" => "Content-Type",
        "l" => "Content-Length",
        other => other,
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        302 => "Moved Temporarily",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        480 => "Temporarily Unavailable",
        481 => "Call Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Unnamed",
    }
}
