//! Points in time as SQLite's tables have them: texts in UTC, as Django writes them.

use chrono::{DateTime, NaiveDateTime};

/// To the microsecond, without a fraction of zero.
pub(super) fn text(micros: i64) -> String {
    let format =
        if micros % 1_000_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    formatted(micros, format)
}

/// To the millisecond, always as long.
pub(super) fn millis_text(micros: i64) -> String {
    formatted(micros, "%Y-%m-%d %H:%M:%S%.3f")
}

/// A time that no calendar has becomes the epoch.
fn formatted(micros: i64, format: &str) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().format(format).to_string()
}

/// Unix microseconds.
pub(super) fn micros(text: &str) -> chrono::ParseResult<i64> {
    let parsed = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")?;
    Ok(parsed.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::{micros, millis_text, text};

    #[test]
    fn a_time_is_written_as_django_does_and_read_again() {
        for (at, written) in [
            (0, "1970-01-01 00:00:00"),
            (1_800_000_000_000_000, "2027-01-15 08:00:00"),
            (1_800_000_000_000_001, "2027-01-15 08:00:00.000001"),
            (1_799_999_999_500_000, "2027-01-15 07:59:59.500000"),
        ] {
            assert_eq!((text(at).as_str(), micros(written)), (written, Ok(at)));
        }
        assert_eq!(millis_text(1_800_000_000_001_999), "2027-01-15 08:00:00.001");
    }

    #[test]
    fn what_is_no_time_is_told_so() {
        for text in ["", "yesterday", "2027-01-15", "2027-13-01 00:00:00", "2027-01-15 08:00:00 "] {
            assert!(micros(text).is_err(), "{text}");
        }
    }
}
