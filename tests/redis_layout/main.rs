//! States in Redis are those of the original: where they are, what they hold, and that each side
//! understands what the other wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]
#![allow(clippy::float_arithmetic, reason = "the original writes decimals")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod theirs;
mod written;

use std::time::Duration;

use actix_smart_ratelimit::{
    ManualClock, Timestamp,
    backend::redis::{RedisBackend, RedisBuilder},
};

use support::{asking::tomorrow, redis::RedisServer};

/// The storage key of `ip:203.0.113.7` with the default prefix and no scope.
const KEY: &str = "ratelimit:ip:203.0.113.7";
/// So long may an answer take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server, and a backend that goes by a clock that the test moves.
struct Subject {
    server: RedisServer,
    backend: RedisBackend,
    clock: ManualClock,
}

impl Subject {
    /// The clock shows the beginning of a day.
    fn new() -> Self {
        let server = RedisServer::start();
        let clock = ManualClock::new(tomorrow());
        let backend = builder(&server).clock(clock.clone()).denial_cache(0).build().unwrap();
        Self { server, backend, clock }
    }

    fn cli(&self, command: &str) -> String {
        self.server.cli(&command.split(' ').collect::<Vec<_>>())
    }

    /// The expiry of a key in milliseconds since the Unix epoch.
    fn expiry(&self, key: &str) -> i64 {
        self.server.ask(&["PEXPIRETIME", key]).unwrap()
    }
}

/// A backend that is patient.
fn builder(server: &RedisServer) -> RedisBuilder {
    RedisBackend::builder(server.url()).deadline(PATIENCE).connect_deadline(PATIENCE)
}

/// Seconds with six decimals.
fn seconds(time: Timestamp) -> String {
    let micros = time.as_micros();
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}
