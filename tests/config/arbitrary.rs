//! Whatever a document says, it is accepted or told what is wrong with it.

use std::fs;

use actix_smart_ratelimit::{RateLimiter, config::Config};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::variables;

/// The files beside the page on configuration.
fn files() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What may take the place of a piece of a document.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "",
        "\"",
        "'",
        "[",
        "]",
        "[[",
        "]]",
        "=",
        "{",
        "}",
        "\n",
        "#",
        "-1",
        "0",
        "1e400",
        "nan",
        "true",
        "99999999999999999999",
        "2026-01-01",
        "\u{0}",
        "\u{feff}",
        "é",
        "\"10/m\"",
        "[1, \"a\"]",
        "{ a = 1 }",
        "middleware",
        "rules",
        "name",
        "kind = \"multi\"",
        "redis://:pw@h",
        "\"\\u0000\"",
    ];
    prop_oneof![
        Just(pieces)
            .prop_flat_map(|pieces| prop::sample::select(pieces.to_vec()))
            .prop_map(str::to_owned),
        "\\PC{0,8}"
    ]
}

fn check(read: Result<Config, actix_smart_ratelimit::config::ConfigErrors>) {
    match read {
        // Whatever is accepted can be used and shown.
        Ok(config) => {
            let shown = config.to_toml_string().unwrap();
            if !shown.contains("***") {
                let again = Config::from_toml_str(&shown);
                assert!(again.is_ok(), "{again:?}: {shown}");
            }
            if config.backends.iter().all(|(name, _)| name != "postgres") {
                let limiter = RateLimiter::from_config(&config).unwrap();
                let _ = limiter.middleware_from(&config).unwrap();
            }
        }
        Err(errors) => {
            assert!(errors.iter().len() > 0);
            for error in errors.iter() {
                assert!(!error.reason().is_empty() && !error.remedy().is_empty(), "{error:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn documents_with_pieces_replaced_are_accepted_or_told_why_not(
        file in any::<Index>(),
        changes in vec((any::<Index>(), 0_usize..12, piece()), 1..4),
    ) {
        let files = files();
        let mut text = file.get(&files).clone();
        for (at, length, piece) in changes {
            let places: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let from = at.index(places.len());
            let to = (from + length).min(places.len() - 1);
            text.replace_range(places[from]..places[to], &piece);
        }
        check(Config::from_toml_str(&text));
    }

    #[test]
    fn variables_of_any_name_and_value_are_accepted_or_told_why_not(
        file in any::<Index>(),
        path in vec(prop_oneof!["[A-Z_]{0,8}", Just("MIDDLEWARE".to_owned()), Just("RULES".to_owned()),
            Just("BACKENDS".to_owned()), Just("RATE".to_owned()), Just("AUTH".to_owned())], 1..5),
        value in piece(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file_path = folder.path().join("ratelimit.toml");
        fs::write(&file_path, file.get(&files())).unwrap();
        let name = format!("RATELIMIT__{}", path.join("__"));
        check(Config::load_with(&file_path, variables(&[(&name, &value)])));
    }
}
