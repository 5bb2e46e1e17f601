//! The Redis backend does what every backend does: the conformance suite, on a server of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{sync::Arc, time::SystemTime};

use actix_smart_ratelimit::{
    ManualClock, Timestamp,
    backend::redis::RedisBackend,
    test_util::conformance::{Adapter, Case, Subject, run},
};
use support::redis::RedisServer;

/// What the original's layout does otherwise.
const OTHERWISE: [(&str, &str); 4] = [
    (
        "fixed_window/a clock that is set back neither frees nor blocks beyond its window",
        "each window on the clock has a key of its own, so an earlier window has its own count",
    ),
    (
        "fixed_window/windows of different periods on one key are apart",
        "two windows that begin at the same time have the same key",
    ),
    (
        "sliding_window/logs of different periods on one key are apart",
        "a key has one log, which every period looks at",
    ),
    (
        "extremes/the largest limit in a log",
        "each permit has an entry of its own, so one request takes at most a thousand",
    ),
];

/// One server for all cases, which go by a clock that the suite moves.
struct OnRedis {
    backend: Arc<RedisBackend>,
    clock: ManualClock,
}

impl OnRedis {
    fn new(server: &RedisServer) -> Self {
        let clock = ManualClock::default();
        let backend = RedisBackend::builder(server.url()).clock(clock.clone()).build().unwrap();
        Self { backend: Arc::new(backend), clock }
    }
}

/// States expire by the server's clock, so cases must not begin in its past.
fn tomorrow() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_secs(since_epoch.as_secs() + 24 * 60 * 60)
}

impl Adapter for OnRedis {
    async fn subject(&self) -> Subject {
        let clock = self.clock.clone();
        Subject::new(self.backend.clone()).not_before(tomorrow()).own_clock(move |now| {
            clock.set(now);
            Box::pin(std::future::ready(()))
        })
    }

    fn skip(&self, case: &Case) -> Option<&str> {
        OTHERWISE.iter().find(|(name, _)| *name == case.name()).map(|(_, reason)| *reason)
    }
}

#[actix_web::test]
async fn the_redis_backend_conforms() {
    let server = RedisServer::start();
    let report = run(&OnRedis::new(&server)).await;
    report.assert();
    assert_eq!(report.skipped().len(), OTHERWISE.len());
}
