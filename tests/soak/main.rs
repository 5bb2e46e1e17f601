//! Several processes, random load, stores that fail at random: for `SOAK_SECONDS` (20 by default), then
//! everything that happened is judged by a checker that knows nothing of the limiter.
//!
//! `scripts/soak.sh` runs it for ten minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod checker;
mod director;
mod history;
mod mutants;
mod worker;

use support::processes;

#[test]
fn processes_whose_stores_fail_admit_no_more_than_they_may() {
    if let Some(role) = processes::role() {
        return worker::play(&role);
    }
    let seconds = std::env::var("SOAK_SECONDS").ok().map(|text| text.parse().unwrap());
    director::direct(seconds.unwrap_or(20));
}
