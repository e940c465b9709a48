//! Time values and booleans as they stand in plans, channel variables and `cti.conf`.
//! Times are seconds (`20`, `1.5`, `20s`) or milliseconds (`1500ms`), so sub-second deadlines can be written.
//! Booleans are read exactly as FreeSWITCH reads them.

use std::fmt;
use std::time::Duration;

/// Longer than any call: a larger number is a slip, and deadlines must stay addable to a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeError {
    text: String,
    expected: &'static str,
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': expected {}", self.text, self.expected)
    }
}

impl std::error::Error for TimeError {}

/// Reads `20`, `1.5`, `20s`, `1.5s` (seconds) or `1500ms`. Spaces around are allowed; zero is a time.
///
/// # Errors
/// Anything else: no digits, a sign, another unit, an exponent, or more than a year.
pub fn parse_time(text: &str) -> Result<Duration, TimeError> {
    let refuse = |expected| TimeError {
        // It goes to a log line: keep it short and printable.
        text: text.chars().take(40).flat_map(char::escape_debug).collect(),
        expected,
    };
    let number = text.trim_ascii();
    let (number, nanos_per_unit) = if let Some(number) = number.strip_suffix("ms") {
        (number, 1_000_000)
    } else {
        (number.strip_suffix('s').unwrap_or(number), 1_000_000_000)
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(refuse("a time such as 20, 1.5, 20s or 1500ms"));
    }
    // What is below a billionth of the unit is nothing a clock could keep.
    let fraction = &fraction[..fraction.len().min(9)];
    let billionths = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let nanos = whole.parse::<u64>().map(|whole| {
        u128::from(whole) * nanos_per_unit + billionths * nanos_per_unit / 1_000_000_000
    });
    match nanos {
        Ok(nanos) if nanos <= LONGEST.as_nanos() => {
            // Fits: LONGEST is far below what 64 bits of nanoseconds hold.
            Ok(Duration::from_nanos(
                u64::try_from(nanos).unwrap_or(u64::MAX),
            ))
        }
        _ => Err(refuse("at most a year")),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True where FreeSWITCH reads true: `yes on true t enabled active allow` in any case,
/// or a number that is not zero once its fraction is cut off (`0.5` is false, `-1` is true).
#[must_use]
pub fn is_true(text: &str) -> bool {
    const WORDS: [&str; 7] = ["yes", "on", "true", "t", "enabled", "active", "allow"];
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = number.split('.').next().unwrap_or_default();
    number
        .bytes()
        .all(|byte| byte == b'.' || byte.is_ascii_digit())
        && whole.bytes().any(|digit| digit != b'0')
}

/// True where FreeSWITCH reads false, which is not everywhere where it does not read true.
#[must_use]
pub fn is_false(text: &str) -> bool {
    const WORDS: [&str; 7] = [
        "no", "off", "false", "f", "disabled", "inactive", "disallow",
    ];
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = |byte: u8| byte == b'.' || byte.is_ascii_digit();
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || !number.is_empty() && number.bytes().all(is_number) && !is_true(text)
}
