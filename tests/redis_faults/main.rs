//! Redis fails in every way that it has: each check is decided in time as its limit chooses, one event
//! says what was wrong, nothing is charged twice, and the store decides again soon after it can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod app;
mod charges;
mod errors;
mod network;
mod permissions;
mod stopped;
mod strangers;

use actix_smart_ratelimit::backend::redis::RedisBackend;
use support::{
    redis::{PATIENCE, RedisServer},
    trial::Trial,
};

fn backend(url: impl Into<String>) -> RedisBackend {
    RedisBackend::builder(url).denial_cache(0).build().unwrap()
}

/// A trial on a server that works so far.
async fn trial(server: &RedisServer) -> Trial {
    let trial = Trial::of(backend(server.url()));
    trial.begins().await;
    trial
}

/// A trial without haste: nothing fails because this machine is busy.
fn patient(url: impl Into<String>) -> Trial {
    let builder = RedisBackend::builder(url).denial_cache(0);
    let backend = builder.deadline(PATIENCE).connect_deadline(PATIENCE).build().unwrap();
    Trial::with_deadline(backend, PATIENCE)
}
