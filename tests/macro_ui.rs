//! The attribute, seen from outside: programs that must run, and mistakes with their messages.
//!
//! `TRYBUILD=overwrite` rewrites the messages; `cargo test --test macro_ui -- ui trybuild=NAME`
//! runs the files whose names contain NAME.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::process::Command;

/// The compiler whose words are in `tests/ui/bounds`; its wording is its own and may change.
const WORDED_BY: &str = "rustc 1.95.";

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc answers").stdout;
    let compiler = String::from_utf8_lossy(&version);
    if compiler.starts_with(WORDED_BY) {
        cases.compile_fail("tests/ui/bounds/*.rs");
    } else {
        eprintln!("skipped tests/ui/bounds: worded by {WORDED_BY}x, and this is {compiler}");
    }
}
