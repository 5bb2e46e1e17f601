//! Durations as configuration writes them: `100ms`, `1s`, `5m`, `2h`, `7d`.

use std::{ops::RangeInclusive, time::Duration};

use super::node::Value;
use crate::Error;

/// Units and their milliseconds, the largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration in a range.
pub(super) fn read(value: &Value, range: &RangeInclusive<Duration>) -> Result<Duration, Error> {
    let remedy = format!(
        "write one in {}..={}, such as \"100ms\"",
        shown(*range.start()),
        shown(*range.end())
    );
    let wrong = |reason| Err(Error::new("", value.shown(), reason, remedy.clone()));
    match value {
        Value::Text(text) | Value::Word(text) => match parse(text) {
            Some(duration) if range.contains(&duration) => Ok(duration),
            Some(_) => wrong("it is out of range"),
            None => wrong("it is no whole number with a unit (ms, s, m, h, d)"),
        },
        Value::Integer(_) => wrong("it has no unit (ms, s, m, h, d)"),
        _ => wrong("it is no duration"),
    }
}

/// Reads a duration as configuration writes it.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit = text.strip_prefix(digits)?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*millis).map(Duration::from_millis)
}

/// A duration in the largest unit that has it whole.
pub(super) fn shown(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| millis > 0 && millis.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => "0ms".to_owned(),
    }
}
