//! Real stores fail in every way that they have, one behind the other: requests are decided in time as
//! their limits choose, a store that is away is left alone, and what is back is used again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod load;
mod scene;

use faults::Fault;
use scene::{First, Scene};

async fn suffers(first: First) {
    let scene = Scene::start(first).await;
    for fault in Fault::ALL {
        scene.suffer(fault).await;
    }
    scene.assert_probed_one_at_a_time();
}

#[actix_web::test]
async fn redis_fails_in_every_way_and_postgres_decides() {
    suffers(First::Redis).await;
}

#[actix_web::test]
async fn postgres_fails_in_every_way_and_redis_decides() {
    suffers(First::Postgres).await;
}
