//! What opens a circuit breaker, and what closes it again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Settings of a circuit breaker.
///
/// ```
/// use std::time::Duration;
/// use actix_smart_ratelimit::backend::multi::BreakerSettings;
///
/// let patient = BreakerSettings::default().failure_threshold(20).open_time(Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct BreakerSettings {
    pub(super) failure_threshold: u32,
    pub(super) success_threshold: u32,
    pub(super) open_time: Duration,
    pub(super) max_open_time: Duration,
    pub(super) jitter: u8,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            success_threshold: 1,
            open_time: Duration::from_millis(100),
            max_open_time: Duration::from_millis(500),
            jitter: 20,
        }
    }
}

impl BreakerSettings {
    /// Failures in a row that open it; 5 by default, 0 for never.
    pub fn failure_threshold(mut self, failures: u32) -> Self {
        self.failure_threshold = failures;
        self
    }

    /// Probes in a row that must be answered to close it; 1 by default, at least 1.
    pub fn success_threshold(mut self, probes: u32) -> Self {
        self.success_threshold = probes.max(1);
        self
    }

    /// How long it stays open before the first probe; 100 ms by default, at least 1 ms. It doubles with
    /// every probe that fails.
    pub fn open_time(mut self, time: Duration) -> Self {
        self.open_time = time.max(Duration::from_millis(1));
        self
    }

    /// What that is doubled to at most; 500 ms by default. A store that is back is asked again after
    /// this time and that of the probes at the latest.
    pub fn max_open_time(mut self, time: Duration) -> Self {
        self.max_open_time = time;
        self
    }

    /// By how many percent open times are shortened at most, at random, so that processes do not probe
    /// in step; 20 by default, at most 100.
    pub fn jitter(mut self, percent: u8) -> Self {
        self.jitter = percent.min(100);
        self
    }

    /// How long it stays open when it opens for the `trips`th time in a row.
    pub(super) fn open_time_after(&self, trips: u32, shortening: u32) -> Duration {
        let doubled = self.open_time.saturating_mul(2_u32.saturating_pow(trips.saturating_sub(1)));
        let longest = doubled.min(self.max_open_time.max(self.open_time));
        longest - longest * shortening.min(100) / 100
    }

    /// A shortening in percent, another one each time.
    pub(super) fn shortening(&self) -> u32 {
        let random = RandomState::new().hash_one(()) % (u64::from(self.jitter) + 1);
        u32::try_from(random).unwrap_or(0)
    }
}
