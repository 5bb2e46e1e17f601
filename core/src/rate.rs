//! `Rate`: "100/m" parsed and printed.

use core::{fmt, str::FromStr};

use crate::error::{Error, nearest};

/// The longest period of a rate: 366 days.
pub const MAX_PERIOD_MICROS: u64 = 366 * DAY;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const UNITS: [(&str, u64); 14] = [
    ("s", SECOND),
    ("sec", SECOND),
    ("second", SECOND),
    ("seconds", SECOND),
    ("m", MINUTE),
    ("min", MINUTE),
    ("minute", MINUTE),
    ("minutes", MINUTE),
    ("h", HOUR),
    ("hr", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", DAY),
    ("day", DAY),
];
const EXPECTED: &str =
    "write LIMIT/[N]UNIT with UNIT one of s, m, h, d, for example \"100/m\" or \"10/30s\"";

/// A limit of N permits per period.
///
/// Written `LIMIT/[N]UNIT`: `"100/m"`, `"10/30s"`, `"1000/2h"`, `"1/day"`. LIMIT is 0 to 4,294,967,295
/// (underscores between digits are allowed; 0 refuses everything), N is at least 1, and UNIT is
/// `s|sec|second(s)`, `m|min|minute(s)`, `h|hr|hour(s)` or `d|day(s)`; the period is at most 366 days.
/// White space around the whole is ignored.
///
/// ```
/// use actix_smart_ratelimit_core::Rate;
///
/// let rate: Rate = "10/30s".parse()?;
/// assert_eq!((rate.limit(), rate.period_micros()), (10, 30_000_000));
/// assert_eq!(rate.to_string(), "10/30s");
/// assert!("10/mintue".parse::<Rate>().unwrap_err().to_string().contains("10/minute"));
/// # Ok::<(), actix_smart_ratelimit_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: u32,
    period: u64,
}

impl Rate {
    /// `limit` permits in `micros` microseconds.
    ///
    /// # Errors
    /// When the period is 0 or longer than 366 days.
    pub fn new(limit: u32, micros: u64) -> Result<Self, Error> {
        match Self::from_micros(limit, micros) {
            Some(rate) => Ok(rate),
            None if micros == 0 => Err(Error::new("rate", "0", "the period is zero", EXPECTED)),
            None => Err(too_long(&micros.to_string())),
        }
    }

    /// `limit` permits in `micros` microseconds, or `None` when the period is out of range.
    #[must_use]
    pub const fn from_micros(limit: u32, micros: u64) -> Option<Self> {
        if micros == 0 || micros > MAX_PERIOD_MICROS {
            return None;
        }
        Some(Self { limit, period: micros })
    }

    /// `limit` permits per second.
    #[must_use]
    pub const fn per_second(limit: u32) -> Self {
        Self { limit, period: SECOND }
    }

    /// `limit` permits per minute.
    #[must_use]
    pub const fn per_minute(limit: u32) -> Self {
        Self { limit, period: MINUTE }
    }

    /// `limit` permits per hour.
    #[must_use]
    pub const fn per_hour(limit: u32) -> Self {
        Self { limit, period: HOUR }
    }

    /// `limit` permits per day of 24 hours.
    #[must_use]
    pub const fn per_day(limit: u32) -> Self {
        Self { limit, period: DAY }
    }

    /// Permits per period.
    #[must_use]
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// The period in microseconds, 1 to 366 days.
    #[must_use]
    pub const fn period_micros(self) -> u64 {
        self.period
    }

    /// Several rates, separated by commas: `"10/s, 1000/h"`.
    ///
    /// # Errors
    /// As for one rate; also for an empty item.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Error> {
        text.split(',').map(str::parse).collect()
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |reason: String, remedy: String| Error::new("rate", text, reason, remedy);
        let whole = text.trim();
        if whole.is_empty() {
            return Err(invalid("it is empty".into(), EXPECTED.into()));
        }
        if whole.len() > 64 {
            return Err(invalid("it is longer than 64 bytes".into(), EXPECTED.into()));
        }
        if let Some((offset, _)) = whole.char_indices().find(|(_, c)| c.is_control()) {
            return Err(invalid(format!("control character at byte {offset}"), EXPECTED.into()));
        }
        let Some((count, period)) = whole.split_once('/') else {
            return Err(without_slash(text, whole));
        };
        let limit = parse_limit(text, count, period)?;
        let period = parse_period(text, count, period)?;
        Ok(Self { limit, period })
    }
}

fn without_slash(text: &str, whole: &str) -> Error {
    let remedy = if whole.bytes().all(|b| b.is_ascii_digit()) {
        format!("add the period, for example \"{whole}/minute\"")
    } else {
        EXPECTED.into()
    };
    Error::new("rate", text, "there is no period", remedy)
}

fn parse_limit(text: &str, count: &str, period: &str) -> Result<u32, Error> {
    let invalid = |reason: String, remedy: String| Err(Error::new("rate", text, reason, remedy));
    if count.is_empty() {
        return invalid("there is no count before the slash".into(), EXPECTED.into());
    }
    if count.starts_with('-') {
        let remedy = "write 0 to refuse everything, or remove the limit to allow everything";
        return invalid("the count is negative".into(), remedy.into());
    }
    if count.contains('.') {
        let remedy = "use a longer period, for example \"3/2s\" for 1.5 a second";
        return invalid("the count is not a whole number".into(), remedy.into());
    }
    if let Some((mantissa, exponent)) = count.split_once(['e', 'E'])
        && let (Ok(mantissa), Ok(exponent)) = (mantissa.parse::<u32>(), exponent.parse::<u32>())
    {
        let plain = 10_u32.checked_pow(exponent).and_then(|power| mantissa.checked_mul(power));
        let remedy = plain.map_or(EXPECTED.into(), |n| format!("write \"{n}/{period}\""));
        return invalid("exponents are not accepted".into(), remedy);
    }
    let Some(digits) = plain_digits(count) else {
        let offset = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let reason = format!("the count has something other than the digits 0-9 at byte {offset}");
        return invalid(reason, EXPECTED.into());
    };
    digits.parse().or_else(|_| {
        let reason = format!("the count is over the maximum of {}", u32::MAX);
        invalid(reason, "lower the count or shorten the period".into())
    })
}

fn parse_period(text: &str, count: &str, period: &str) -> Result<u64, Error> {
    let invalid = |reason: String, remedy: String| Err(Error::new("rate", text, reason, remedy));
    if period.is_empty() {
        let remedy = format!("add a unit, for example \"{count}/minute\"");
        return invalid("there is no period after the slash".into(), remedy);
    }
    if let Some((_, trailing)) = period.split_once('/') {
        return invalid(format!("unexpected \"/{trailing}\" after the period"), EXPECTED.into());
    }
    if period.starts_with('-') {
        return invalid("the period is negative".into(), EXPECTED.into());
    }
    let unit_at = period.find(|c: char| !c.is_ascii_digit()).unwrap_or(period.len());
    let (number, unit) = period.split_at(unit_at);
    let Some(unit_micros) = unit_micros(unit) else {
        return Err(unknown_unit(text, count, number, unit));
    };
    if number.bytes().all(|b| b == b'0') && !number.is_empty() {
        return invalid("the period is zero".into(), format!("write \"{count}/1{unit}\""));
    }
    let units = if number.is_empty() { Ok(1) } else { number.parse::<u64>() };
    units
        .ok()
        .and_then(|units| units.checked_mul(unit_micros))
        .filter(|micros| *micros <= MAX_PERIOD_MICROS)
        .ok_or_else(|| too_long(text))
}

/// The digits of `count` without the underscores between them.
fn plain_digits(count: &str) -> Option<String> {
    let well_placed = !count.starts_with('_') && !count.ends_with('_') && !count.contains("__");
    let plain = count.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    (well_placed && plain).then(|| count.replace('_', ""))
}

fn unit_micros(unit: &str) -> Option<u64> {
    let unit = if unit == "days" { "day" } else { unit };
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, micros)| *micros)
}

fn unknown_unit(text: &str, count: &str, number: &str, unit: &str) -> Error {
    let remedy = match unit {
        "month" | "months" | "mo" => format!("a month has no fixed length: write \"{count}/30d\""),
        "week" | "weeks" | "w" => format!("write \"{count}/7d\""),
        "year" | "years" | "y" => format!("write \"{count}/365d\""),
        "ms" => "the shortest period is a second: write the rate per second".into(),
        _ => match nearest(unit, UNITS.iter().map(|(name, _)| *name)) {
            Some(meant) => format!("did you mean \"{count}/{number}{meant}\"?"),
            None => EXPECTED.into(),
        },
    };
    Error::new("rate", text, format!("unknown unit \"{unit}\""), remedy)
}

fn too_long(text: &str) -> Error {
    Error::new("rate", text, "the period is over the maximum of 366 days", EXPECTED)
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)];
        for (name, micros) in units {
            if self.period.is_multiple_of(micros) {
                return match self.period / micros {
                    1 => write!(f, "{}/{name}", self.limit),
                    n => write!(f, "{}/{n}{name}", self.limit),
                };
            }
        }
        write!(f, "{}/{}us", self.limit, self.period)
    }
}
