//! The Redis backend under many processes and tasks: exactly the limit is admitted, batches stay
//! whole, and what is given up crosses with nothing else.
//!
//! A million checks for each algorithm and each pattern of keys in a release build, less in a debug
//! build.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod exact;
mod fleet;
mod given_up;
mod history;
