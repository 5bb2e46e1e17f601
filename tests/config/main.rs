//! Configuration as its user writes it: files, variables, mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod arbitrary;
mod documented;
mod layers;
mod mistakes;
mod reload;
mod sources;

use std::ffi::OsString;

use actix_smart_ratelimit::config::{Config, ConfigErrors};

/// The errors of a document.
#[track_caller]
fn errors_of(text: &str) -> ConfigErrors {
    match Config::from_toml_str(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(errors) => errors,
    }
}

/// Variables of an environment.
fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}
