//! Rates as people write them: what is read, and what is said about the rest.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use actix_smart_ratelimit_core::{Algorithm, Error, MAX_PERIOD_MICROS, Policy, Rate};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn read(text: &str) -> (u32, u64) {
    let rate: Rate = text.parse().unwrap();
    (rate.limit(), rate.period_micros())
}

/// The error about a rate: it names the field, repeats the value and stays short.
fn refused(text: &str) -> Error {
    let error = text.parse::<Rate>().unwrap_err();
    let message = error.to_string();
    assert_eq!(error.field(), "rate", "{message}");
    assert!(!error.reason().is_empty() && !error.remedy().is_empty(), "{message}");
    assert!(message.len() <= 400, "{} bytes: {message}", message.len());
    error
}

#[test]
fn every_form_that_is_promised_is_read() {
    let table = [
        ("10/s", (10, SECOND)),
        ("100/m", (100, MINUTE)),
        ("1000/h", (1_000, HOUR)),
        ("10/d", (10, DAY)),
        ("10/30s", (10, 30 * SECOND)),
        ("100/5m", (100, 5 * MINUTE)),
        ("500/2h", (500, 2 * HOUR)),
        ("10/sec", (10, SECOND)),
        ("10/second", (10, SECOND)),
        ("10/90seconds", (10, 90 * SECOND)),
        ("10/min", (10, MINUTE)),
        ("10/minute", (10, MINUTE)),
        ("10/2minutes", (10, 2 * MINUTE)),
        ("10/hr", (10, HOUR)),
        ("10/hour", (10, HOUR)),
        ("10/3hours", (10, 3 * HOUR)),
        ("1/day", (1, DAY)),
        ("1/30days", (1, 30 * DAY)),
        ("1/366d", (1, MAX_PERIOD_MICROS)),
        ("1/31622400s", (1, MAX_PERIOD_MICROS)),
        ("0/s", (0, SECOND)),
        ("4294967295/s", (u32::MAX, SECOND)),
        ("1_000/s", (1_000, SECOND)),
        ("4_294_967_295/007s", (u32::MAX, 7 * SECOND)),
        ("007/s", (7, SECOND)),
        (" 10/s ", (10, SECOND)),
        ("\t10/s\n", (10, SECOND)),
    ];
    for (text, expected) in table {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn every_other_form_is_refused_with_its_reason_and_remedy() {
    // Text, part of the reason, part of the remedy.
    let table = [
        ("", "empty", "100/m"),
        ("   ", "empty", "100/m"),
        ("100", "no period", "\"100/minute\""),
        ("/minute", "no count", "LIMIT/[N]UNIT"),
        ("100/", "no period after the slash", "\"100/minute\""),
        ("100/mintue", "unknown unit \"mintue\"", "\"100/minute\""),
        ("-5/s", "negative", "0 to refuse everything"),
        ("1.5/s", "not a whole number", "\"3/2s\""),
        ("1e3/s", "exponents", "\"1000/s\""),
        ("1E2/m", "exponents", "\"100/m\""),
        ("9e99/m", "exponents", "LIMIT/[N]UNIT"),
        ("１００/s", "digits 0-9 at byte 0", "LIMIT/[N]UNIT"),
        ("1０0/s", "digits 0-9 at byte 1", "LIMIT/[N]UNIT"),
        ("100/0s", "period is zero", "\"100/1s\""),
        ("100/00m", "period is zero", "\"100/1m\""),
        ("100/-1m", "period is negative", "LIMIT/[N]UNIT"),
        ("18446744073709551616/s", "maximum of 4294967295", "lower the count"),
        ("4294967296/s", "maximum of 4294967295", "lower the count"),
        ("1/99999999999h", "maximum of 366 days", "LIMIT/[N]UNIT"),
        ("1/99999999999999999999999s", "maximum of 366 days", "LIMIT/[N]UNIT"),
        ("1/367d", "maximum of 366 days", "LIMIT/[N]UNIT"),
        ("1/31622401s", "maximum of 366 days", "LIMIT/[N]UNIT"),
        ("10/3650d", "maximum of 366 days", "LIMIT/[N]UNIT"),
        ("10/s/m", "unexpected \"/m\"", "LIMIT/[N]UNIT"),
        ("10/m/h", "unexpected \"/h\"", "LIMIT/[N]UNIT"),
        ("10 per second per user", "no period", "LIMIT/[N]UNIT"),
        ("10/s per user", "unknown unit \"s per user\"", "LIMIT/[N]UNIT"),
        ("10/s\0", "control character at byte 4", "LIMIT/[N]UNIT"),
        ("1\u{7}0/s", "control character at byte 1", "LIMIT/[N]UNIT"),
        ("_1/s", "digits 0-9 at byte 0", "LIMIT/[N]UNIT"),
        ("1_/s", "digits 0-9 at byte 1", "LIMIT/[N]UNIT"),
        ("1__0/s", "digits 0-9 at byte 1", "LIMIT/[N]UNIT"),
        ("+1/s", "digits 0-9 at byte 0", "LIMIT/[N]UNIT"),
        ("0x10/s", "digits 0-9 at byte 1", "LIMIT/[N]UNIT"),
        ("abc/m", "digits 0-9 at byte 0", "LIMIT/[N]UNIT"),
        ("10 /m", "digits 0-9 at byte 2", "LIMIT/[N]UNIT"),
        ("10/ m", "unknown unit \" m\"", "LIMIT/[N]UNIT"),
        ("10/x", "unknown unit \"x\"", "LIMIT/[N]UNIT"),
        ("10/M", "unknown unit \"M\"", "\"10/m\""),
        ("10/30", "unknown unit \"\"", "LIMIT/[N]UNIT"),
        ("10/month", "unknown unit \"month\"", "\"10/30d\""),
        ("10/week", "unknown unit \"week\"", "\"10/7d\""),
        ("10/year", "unknown unit \"year\"", "\"10/365d\""),
        ("10/500ms", "unknown unit \"ms\"", "shortest period is a second"),
        ("10/1.5m", "unknown unit \".5m\"", "LIMIT/[N]UNIT"),
    ];
    for (text, reason, remedy) in table {
        let error = refused(text);
        assert!(error.reason().contains(reason), "{text:?}: {error}");
        assert!(error.remedy().contains(remedy), "{text:?}: {error}");
    }
}

#[test]
fn a_rate_of_ten_megabytes_is_cut_and_refused() {
    for filling in ["9", "/", "é", "\u{202e}", "1/s,"] {
        let error = refused(&filling.repeat(10_000_000 / filling.len()));
        assert!(error.reason().contains("longer than 64 bytes"), "{error}");
        assert!(error.value().ends_with('…'), "{error}");
    }
}

#[test]
fn a_limit_of_zero_admits_nothing_under_any_algorithm() {
    let none: Rate = "0/s".parse().unwrap();
    for (name, algorithm) in Algorithm::NAMES {
        let decision = Policy::new(algorithm, none).step(None, Default::default(), 1).decision;
        assert!(decision.is_permanent(), "{name}");
        assert_eq!((decision.limit(), decision.remaining()), (0, 0), "{name}");
    }
}

#[test]
fn a_list_has_commas_between_its_rates_and_nowhere_else() {
    let rates = Rate::parse_list("10/s, 100/m").unwrap();
    assert_eq!(rates, [Rate::per_second(10), Rate::per_minute(100)]);
    // The second rate makes the first one unreachable; to say so is for a lint.
    assert_eq!(Rate::parse_list("100/s, 10/m").unwrap().len(), 2);
    for text in ["10/s,", ",10/s", "10/s,,100/m", "", ","] {
        let error = Rate::parse_list(text).unwrap_err();
        assert_eq!((error.field(), error.reason()), ("rate", "it is empty"), "{text:?}");
    }
    let error = Rate::parse_list("10/s, 100/mintue, 1/h").unwrap_err();
    assert_eq!(error.value(), " 100/mintue");
}

#[test]
fn the_value_is_shown_escaped_and_cut() {
    assert_eq!(refused("1\n0/s").value(), "1\\n0/s");
    assert_eq!(refused("\"/s").value(), "\\\"/s");
    let long = refused(&"x".repeat(65));
    assert_eq!(long.value().chars().count(), 65);
    assert_eq!(refused(&"x".repeat(64)).value().len(), 64);
}

#[test]
fn an_error_is_one_line_with_field_value_reason_and_remedy() {
    let error = "100/mintue".parse::<Rate>().unwrap_err();
    let message = "rate: invalid value \"100/mintue\": unknown unit \"mintue\"; \
                   did you mean \"100/minute\"?";
    assert_eq!(error.to_string(), message);
    assert!(
        error.at("middleware.rules[0].rate").to_string().starts_with("middleware.rules[0].rate:")
    );
}

#[test]
fn algorithms_go_by_their_names() {
    for (name, algorithm) in Algorithm::NAMES {
        assert_eq!(name.parse::<Algorithm>().unwrap(), algorithm);
        assert_eq!((algorithm.name(), algorithm.to_string().as_str()), (name, name));
    }
    assert_eq!(Algorithm::default(), Algorithm::SlidingWindow);
    let table = [
        ("gcraa", "did you mean \"gcra\"?"),
        ("GCRA", "did you mean \"gcra\"?"),
        ("tokenbucket", "did you mean \"token_bucket\"?"),
        ("sliding-window", "did you mean \"sliding_window\"?"),
        ("fixed_windows", "did you mean \"fixed_window\"?"),
        ("magic", "use one of fixed_window, sliding_window, sliding_window_counter, token_bucket"),
        ("", "use one of fixed_window"),
    ];
    for (text, remedy) in table {
        let error = text.parse::<Algorithm>().unwrap_err();
        assert_eq!((error.field(), error.reason()), ("algorithm", "unknown algorithm"));
        assert!(error.remedy().starts_with(remedy), "{error}");
        assert!(error.to_string().len() <= 400);
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(
        limit in any::<u32>(),
        unit in proptest::sample::select(vec![SECOND, MINUTE, HOUR, DAY]),
        count in any::<proptest::sample::Index>(),
    ) {
        let most = usize::try_from(MAX_PERIOD_MICROS / unit).unwrap();
        let period = (count.index(most) as u64 + 1) * unit;
        let rate = Rate::new(limit, period).unwrap();
        prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
    }

    #[test]
    fn any_text_is_a_rate_or_an_error_that_fits_a_terminal(
        text in prop_oneof![
            any::<String>(),
            "[0-9_eE.+-]{0,24}/?[0-9-]{0,24}(s|sec|mintue|months?|D|ms|/)?.{0,3}",
        ],
    ) {
        match text.parse::<Rate>() {
            Ok(rate) => prop_assert!((1..=MAX_PERIOD_MICROS).contains(&rate.period_micros())),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.len() <= 2_000, "{}", message);
                prop_assert!(!message.chars().any(char::is_control), "{:?}", message);
            }
        }
    }
}
