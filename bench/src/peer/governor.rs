//! `governor`, keyed by strings, in its default map and with its default clock.

use std::num::NonZeroU32;

use anyhow::{Context, Result};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{LONG, OUT_OF_REACH};
use crate::ours::Outcome;

/// A keyed limiter whose checks all have the same outcome.
pub(crate) struct Limiter(DefaultKeyedRateLimiter<String>);

impl Limiter {
    /// One permit per nanosecond, or one per hour.
    pub(crate) fn new(outcome: Outcome) -> Result<Self> {
        let quota = match outcome {
            Outcome::Admitted => NonZeroU32::new(OUT_OF_REACH).map(Quota::per_second),
            Outcome::Refused => Quota::with_period(LONG),
        };
        quota
            .map(|quota| Self(RateLimiter::dashmap(quota)))
            .context("governor takes no quota of zero")
    }

    /// Takes one permit of `key`, reading the clock; whether it was admitted.
    pub(crate) fn check(&self, key: &String) -> bool {
        self.0.check_key(key).is_ok()
    }
}
