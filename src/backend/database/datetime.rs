//! Points in time as SQLite's tables have them: texts in UTC, as Django writes them.

use chrono::{DateTime, NaiveDateTime};

/// To the microsecond, without a fraction of zero; `None` for a time that no calendar has.
pub(super) fn text(micros: i64) -> Option<String> {
    let format =
        if micros % 1_000_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    formatted(micros, format)
}

/// To the millisecond, always as long; `None` as of [`text`].
pub(super) fn millis_text(micros: i64) -> Option<String> {
    formatted(micros, "%Y-%m-%d %H:%M:%S%.3f")
}

fn formatted(micros: i64, format: &str) -> Option<String> {
    Some(DateTime::from_timestamp_micros(micros)?.format(format).to_string())
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
            assert_eq!((text(at).as_deref(), micros(written)), (Some(written), Ok(at)));
        }
        let millis = millis_text(1_800_000_000_001_999);
        assert_eq!(millis.as_deref(), Some("2027-01-15 08:00:00.001"));
    }

    #[test]
    fn what_is_no_time_is_told_so() {
        for text in ["", "yesterday", "2027-01-15", "2027-13-01 00:00:00", "2027-01-15 08:00:00 "] {
            assert!(micros(text).is_err(), "{text}");
        }
        assert_eq!((text(i64::MAX), millis_text(i64::MIN)), (None, None));
    }
}
