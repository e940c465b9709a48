//! Where a phone says that it has moved: a Contact header of a 300, 301, 302 or 305.
//! A phone says what it likes there, so only a number of harmless characters is taken from it; its
//! host tells whose number that is, and is never dialled.

use std::fmt;

/// What is taken from one Contact header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Letters, digits and `+*#_.-` alone.
    pub number: String,
    /// Of a `tel:` none.
    pub host: String,
    /// How much the phone prefers it, in thousandths.
    pub q: u16,
}

/// Why a contact is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    Scheme,
    NoNumber,
    Characters,
    TooLong,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WhyNot::Scheme => "neither sip: nor tel:",
            WhyNot::NoNumber => "no number",
            WhyNot::Characters => "characters that no number has",
            WhyNot::TooLong => "too long for a number",
        })
    }
}

/// The longest number.
const LONGEST: usize = 64;

/// `"Name" <sip:user:password@host:port;parameters?headers>;q=0.5`, or the same without brackets.
///
/// # Errors
/// The contact is no place that can be dialled.
pub fn moved(contact: &str) -> Result<Moved, WhyNot> {
    let rest = behind_name(contact.trim());
    let (uri, parameters) = match rest.split_once('<') {
        Some((_, rest)) => rest.split_once('>').unwrap_or((rest, "")),
        // Without brackets what follows a `;` is the header's own.
        None => rest.split_once(';').unwrap_or((rest, "")),
    };
    let (scheme, address) = uri.trim().split_once(':').ok_or(WhyNot::Scheme)?;
    let (user, host) = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => {
            let (user, host) = address.split_once('@').ok_or(WhyNot::NoNumber)?;
            let user = user.split(';').next().unwrap_or_default();
            // A password says nothing; what is none shows what the phone is after.
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            if !is_harmless(password) {
                return Err(WhyNot::Characters);
            }
            (decoded(user)?, host_of(host))
        }
        "tel" => {
            let number = address.split([';', '?']).next().unwrap_or_default();
            // What parts the digits for the eye says nothing.
            (decoded(number)?.replace(['-', '.', '(', ')'], ""), "")
        }
        _ => return Err(WhyNot::Scheme),
    };
    if user.is_empty() {
        Err(WhyNot::NoNumber)
    } else if user.len() > LONGEST {
        Err(WhyNot::TooLong)
    } else if !is_harmless(&user) {
        Err(WhyNot::Characters)
    } else {
        Ok(Moved {
            number: user,
            host: host.to_owned(),
            q: q_of(parameters),
        })
    }
}

fn is_harmless(text: &str) -> bool {
    let is_harmless = |c: char| c.is_ascii_alphanumeric() || "+*#_.-".contains(c);
    text.chars().all(is_harmless)
}

/// What follows a display name in quotes, which may hold whatever else a contact may.
fn behind_name(contact: &str) -> &str {
    let Some(quoted) = contact.strip_prefix('"') else {
        return contact;
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &quoted[at + 1..],
            _ => {}
        }
    }
    ""
}

fn host_of(rest: &str) -> &str {
    let end = match rest.starts_with('[') {
        true => rest.find(']').map_or(rest.len(), |close| close + 1),
        false => rest.find([':', ';', '?']).unwrap_or(rest.len()),
    };
    rest[..end].trim()
}

/// `%23` is `#`. What is no proper escape is no number.
fn decoded(text: &str) -> Result<String, WhyNot> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).filter(|code| !code.starts_with('+'));
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        decoded.push(char::from(code.ok_or(WhyNot::Characters)?));
        decoded.push_str(&piece[2..]);
    }
    Ok(decoded)
}

/// `q=0.7` among the header's parameters, in thousandths; 1 where the phone says nothing.
fn q_of(parameters: &str) -> u16 {
    let named = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        name.trim().eq_ignore_ascii_case("q").then_some(value)?;
        let (whole, part) = value.split_once('.').unwrap_or((value, ""));
        let part = format!("{part:0<3}");
        let thousandths: u16 = part.get(..3)?.parse().ok()?;
        Some(whole.parse::<u16>().ok()?.min(1) * 1000 + thousandths)
    };
    let q = parameters.split(';').find_map(named);
    q.unwrap_or(1000).min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_contact_is_a_number_its_host_and_its_q() {
        for (contact, number, host, q) in [
            ("<sip:1003@pbx.example>", "1003", "pbx.example", 1000),
            ("sip:1003@pbx.example", "1003", "pbx.example", 1000),
            (
                "sip:1003@pbx.example:5060;q=0.3",
                "1003",
                "pbx.example",
                300,
            ),
            (
                "<sip:1003@[::1]:5060;transport=tcp>;q=0.25;expires=9",
                "1003",
                "[::1]",
                250,
            ),
            (
                "\"a \\\"<sip:1@x>\" <SIPS:1003@h?X=%3B>; Q = 1.0",
                "1003",
                "h",
                1000,
            ),
            ("Bob <sip:1003:secret@h;q=0.1>;q=0.75", "1003", "h", 750),
            ("<sip:+49301234;phone-context=x@h>", "+49301234", "h", 1000),
            ("<sip:%2A21%23@h>", "*21#", "h", 1000),
            ("<tel:+49-30-(12)34;ext=1>;q=0", "+49301234", "", 0),
            ("<sip:b.o_b@h>;q=loud", "b.o_b", "h", 1000),
            ("<sip:1@h>;q=7", "1", "h", 1000),
            ("<sip:1@h>;q=0.12345", "1", "h", 123),
        ] {
            let expected = Moved {
                number: number.to_owned(),
                host: host.to_owned(),
                q,
            };
            assert_eq!(moved(contact), Ok(expected), "{contact}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_followed() {
        let long = format!("<sip:{}@h>", "1".repeat(65));
        for (contact, why) in [
            ("", WhyNot::Scheme),
            ("<>", WhyNot::Scheme),
            ("<mailto:1003@h>", WhyNot::Scheme),
            ("\"<sip:1003@h>", WhyNot::Scheme),
            ("<sip:pbx.example>", WhyNot::NoNumber),
            ("<sip:@h>", WhyNot::NoNumber),
            ("<tel:>", WhyNot::NoNumber),
            ("<sip:${system(touch x)}@h>", WhyNot::Characters),
            ("<sip:1003,loopback/app=system@h>", WhyNot::Characters),
            ("<sip:1003|1004@h>", WhyNot::Characters),
            ("<sip:1003/public/inline@h>", WhyNot::Characters),
            ("<sip:app=park@h>", WhyNot::Characters),
            ("<sip:1003:_:loopback/1004@h>", WhyNot::Characters),
            ("<sip:^^,1003@h>", WhyNot::Characters),
            ("<sip:[a=b]1003@h>", WhyNot::Characters),
            ("<sip:1003%2Fx@h>", WhyNot::Characters),
            ("<sip:1003%24%7Bx%7D@h>", WhyNot::Characters),
            ("<sip:1003%0d%0a@h>", WhyNot::Characters),
            ("<sip:1003%@h>", WhyNot::Characters),
            ("<sip:1003%+1@h>", WhyNot::Characters),
            ("<sip:10 03@h>", WhyNot::Characters),
            ("<sip:m\u{fc}ller@h>", WhyNot::Characters),
            (&long, WhyNot::TooLong),
        ] {
            assert_eq!(moved(contact), Err(why), "{contact}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_phone_says_is_a_harmless_number_or_none(
            contact in "(<|\")?(sip|sips|tel|x)?:?([0-9a-z%@;:?<>\"\\\\/,|$\\{\\}()=+ .*#_-]|\\PC){0,40}"
        ) {
            if let Ok(place) = moved(&contact) {
                let harmless = |c: char| c.is_ascii_alphanumeric() || "+*#_.-".contains(c);
                prop_assert!(!place.number.is_empty() && place.number.chars().all(harmless));
                prop_assert!(place.q <= 1000);
            }
        }
    }
}
