//! The Redis backend works with each kind of server that it says it works with, and says what is wrong
//! with those of which it cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod health;
mod runtimes;
mod sentinel;
mod standalone;
mod urls;

use actix_smart_ratelimit::backend::redis::{RedisBackend, RedisBuilder};
use support::{redis::PATIENCE, trial::Trial};

/// A trial without haste: nothing fails because this machine is busy.
fn patient(url: impl Into<String>) -> Trial {
    patient_with(RedisBackend::builder(url))
}

fn patient_with(builder: RedisBuilder) -> Trial {
    let builder = builder.denial_cache(0).deadline(PATIENCE).connect_deadline(PATIENCE);
    Trial::with_deadline(builder.build().unwrap(), PATIENCE)
}
