//! What the server's clock shows, as far as it is known here.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::{Clock, Timestamp};

/// The clock by which states are kept.
#[derive(Debug)]
pub(super) enum ServerTime {
    /// The server's, which is ahead of this process's by so many microseconds.
    Server { ahead: AtomicI64 },
    /// A clock that a test moves, sent with every call.
    #[cfg_attr(not(feature = "test-util"), allow(dead_code, reason = "tests alone make it"))]
    Manual(Clock),
}

impl Default for ServerTime {
    fn default() -> Self {
        Self::Server { ahead: AtomicI64::new(0) }
    }
}

impl ServerTime {
    /// About what the clock shows now.
    pub(super) fn estimate(&self) -> Timestamp {
        match self {
            Self::Server { ahead } => {
                let now = Clock::System.now();
                match ahead.load(Relaxed) {
                    ahead if ahead >= 0 => now + ahead.unsigned_abs(),
                    behind => now - behind.unsigned_abs(),
                }
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    /// The time that a call is to go by; 0 for the server's own.
    pub(super) fn given(&self) -> u64 {
        match self {
            Self::Server { .. } => 0,
            Self::Manual(clock) => clock.now().as_micros(),
        }
    }

    /// Learns from an answer of just now.
    pub(super) fn learn(&self, now: Timestamp) {
        if let Self::Server { ahead } = self {
            let here = Clock::System.now();
            let signed = |micros| i64::try_from(micros).unwrap_or(0);
            ahead.store(signed(now.since(here)) - signed(here.since(now)), Relaxed);
        }
    }
}
