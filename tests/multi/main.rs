//! Several stores behind one door, and a single one behind a limiter: who is asked, who is spared, who is
//! told, and what a client can gain. Stores here are in this process and time is virtual;
//! `tests/multi_faults` has real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod ending;
mod events;
mod members;
mod settings;
mod single;
mod strategy;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Policy, Rate,
    backend::{
        ErrorKind, Fate,
        multi::{BreakerSettings, MultiBackend, MultiBuilder},
    },
};
use support::backends::{Mood, Remote};

const DOWN: Mood = Mood::Fails(ErrorKind::Unreachable, Fate::NotCharged);
const LOST: Mood = Mood::Fails(ErrorKind::Timeout, Fate::Unknown);

/// Fixed pauses, so that it is known what happens when.
fn exact() -> BreakerSettings {
    BreakerSettings::default().jitter(0)
}

fn pair(first: &Arc<Remote>, second: &Arc<Remote>) -> MultiBuilder {
    let builder = MultiBackend::builder().breaker(exact());
    builder.member("first", first.clone()).member("second", second.clone())
}

fn policy(permits: u32) -> Policy {
    Policy::new(Algorithm::Gcra, Rate::per_hour(permits))
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
