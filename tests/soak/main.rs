//! Several processes, random load, stores that fail at random: for `SOAK_SECONDS` (8 by default), then
//! everything that happened is judged by a checker that knows nothing of the limiter.
//!
//! `scripts/soak.sh` runs it for ten minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod checker;
mod history;
mod mutants;
