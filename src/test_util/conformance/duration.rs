//! Durations as the corpus writes them: `"60s"`, `"1500us"`, `"-1h"`.

use crate::Error;

const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// A duration in microseconds.
pub(super) fn parse(field: &'static str, text: &str) -> Result<u64, Error> {
    let unit_from = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_from);
    let micros = UNITS.iter().find(|(name, _)| *name == unit).and_then(|(_, micros)| {
        let count: u64 = digits.parse().ok()?;
        count.checked_mul(*micros)
    });
    micros.ok_or_else(|| {
        let remedy = "write a whole number and one of d, h, m, s, ms, us, for example \"90s\"";
        Error::new(field, text, "it is no duration", remedy)
    })
}

/// A duration with its sign: whether it leads back, and its microseconds.
pub(super) fn parse_signed(field: &'static str, text: &str) -> Result<(bool, u64), Error> {
    match text.strip_prefix('-') {
        Some(rest) => Ok((true, parse(field, rest)?)),
        None => Ok((false, parse(field, text)?)),
    }
}

/// The shortest way to write a duration exactly.
pub(super) fn print(micros: u64) -> String {
    let exact = |(_, unit): &&(&str, u64)| micros != 0 && micros.is_multiple_of(*unit);
    match UNITS.iter().find(exact) {
        Some((name, unit)) => format!("{}{name}", micros / unit),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_signed, print};

    #[test]
    fn what_is_printed_is_read_again() {
        for micros in [0, 1, 1_500, 2_000, 59_999_999, 60_000_000, 90_000_000, 31_622_400_000_000] {
            assert_eq!(parse("reset", &print(micros)).unwrap(), micros);
        }
        assert_eq!(print(90_000_000), "90s");
    }

    #[test]
    fn a_duration_may_lead_back_where_time_moves() {
        assert_eq!(parse_signed("advance", "-1h").unwrap(), (true, 3_600_000_000));
        for wrong in ["", "1", "s", "1.5s", "1 s", "--1s", "99999999999999999999s"] {
            let error = parse_signed("advance", wrong).unwrap_err().to_string();
            assert!(error.starts_with("advance: "), "{error}");
        }
    }
}
