//! The command `ratelimit`, run as an operator runs it, against real stores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod cleanup;
mod command;
mod config;
mod health;
mod keys;
mod load;
mod migrate;
mod serve;
mod usage;
