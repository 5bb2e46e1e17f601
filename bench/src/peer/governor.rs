//! `governor`, keyed by strings, in its default map and with its default clock.

use std::num::NonZeroU32;

use anyhow::{Context, Result};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::ours::Outcome;

/// A keyed limiter whose checks all have the same outcome.
pub(crate) struct Limiter(DefaultKeyedRateLimiter<String>);

impl Limiter {
    /// A limiter of about half of `max_keys` keys.
    pub(crate) fn new(outcome: Outcome, max_keys: usize) -> Result<Self> {
        let quota = NonZeroU32::new(outcome.per_hour(max_keys)).map(Quota::per_hour);
        quota
            .map(|quota| Self(RateLimiter::dashmap(quota)))
            .context("governor takes no quota of zero")
    }

    /// Takes one permit of `key`, reading the clock; whether it was admitted.
    pub(crate) fn check(&self, key: &String) -> bool {
        self.0.check_key(key).is_ok()
    }
}
