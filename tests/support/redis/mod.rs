//! Private Redis servers on loopback: one alone, a cluster, one watched by sentinels, one with TLS.
//! They stop when they are dropped, also when the test panics.

pub mod cluster;
pub mod sentinel;
pub mod server;
pub mod tls;

pub use cluster::RedisCluster;
pub use sentinel::Sentinel;
pub use server::RedisServer;
pub use tls::TlsServer;

use std::{
    thread,
    time::{Duration, Instant},
};

/// After this long a test gives up that would otherwise hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until the answer is something, and gives it.
///
/// # Panics
///
/// When [`PATIENCE`] ends; the message names `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Asks again and again until the answer is yes.
///
/// # Panics
///
/// When [`PATIENCE`] ends; the message names `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}
