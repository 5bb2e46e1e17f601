//! The Redis backend on a cluster: exact on every slot, all or nothing over several of them, and while
//! slots move and servers die.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod dying;
mod moving;
mod several;
mod slots;

use actix_smart_ratelimit::backend::redis::{RedisBackend, RedisBuilder};
use support::{
    redis::{PATIENCE, RedisCluster},
    trial::Trial,
};

/// A trial that has begun.
async fn trial(cluster: &RedisCluster) -> Trial {
    let backend = RedisBackend::cluster(cluster.urls()).denial_cache(0).build().unwrap();
    let trial = Trial::of(backend);
    trial.begins().await;
    trial
}

/// A trial without haste: nothing fails because this machine is busy.
fn patient(cluster: &RedisCluster) -> Trial {
    patient_with(RedisBackend::cluster(cluster.urls()))
}

fn patient_with(builder: RedisBuilder) -> Trial {
    let builder = builder.denial_cache(0).deadline(PATIENCE).connect_deadline(PATIENCE);
    Trial::with_deadline(builder.build().unwrap(), PATIENCE)
}
