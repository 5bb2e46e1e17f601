//! How long answers take, counted by powers of two.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// From 1 µs to over 8 s.
const BUCKETS: usize = 24;

/// A histogram that many threads write.
#[derive(Debug, Default)]
pub(super) struct Latencies([AtomicU64; BUCKETS]);

impl Latencies {
    pub(super) fn note(&self, micros: u64) {
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.0[bucket.min(BUCKETS - 1)].fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Latency {
        Latency(std::array::from_fn(|bucket| self.0[bucket].load(Relaxed)))
    }
}

/// How long answers took.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency([u64; BUCKETS]);

impl Latency {
    /// Answers that were timed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time within which so many percent of the answers came, rounded up to a power of two
    /// microseconds; `None` where none was timed.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let count = self.count();
        let rank = (count * u64::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.0.iter().position(|answers| {
            seen += answers;
            seen >= rank
        })?;
        Some(Duration::from_micros(1 << bucket))
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latency")
            .field("count", &self.count())
            .field("p50", &self.percentile(50))
            .field("p99", &self.percentile(99))
            .finish()
    }
}
