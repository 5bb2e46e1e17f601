//! Our Redis backend.

use actix_smart_ratelimit::{Policy, Rate, backend::redis::RedisBackend};
use anyhow::Result;

use super::{Algorithm, Outcome, PATIENCE, keyed};

/// Periods of the limits of one batch, in µs: an hour, a day, ten minutes.
const PERIODS: [u64; 3] = [3_600_000_000, 86_400_000_000, 600_000_000];

/// Decisions by string key.
pub(crate) type Limiter = keyed::Limiter<RedisBackend>;

impl Limiter {
    /// One limit on `keys` keys, with room for `denials` refusals that need no server.
    pub(crate) fn new(
        url: &str,
        algorithm: Algorithm,
        outcome: Outcome,
        keys: usize,
        denials: usize,
    ) -> Result<Self> {
        let backend = RedisBackend::builder(url).deadline(PATIENCE).connect_deadline(PATIENCE);
        let rate = Rate::per_hour(outcome.per_hour(keys));
        Ok(Self::of(backend.denial_cache(denials).build()?, algorithm, rate))
    }

    /// As many as `limits` limits in each batch, all out of reach; at most three.
    pub(crate) fn of_limits(
        url: &str,
        algorithm: Algorithm,
        keys: usize,
        limits: usize,
    ) -> Result<Self> {
        let mut limiter = Self::new(url, algorithm, Outcome::Admitted, keys, keys)?;
        let limit = Outcome::Admitted.per_hour(keys);
        let suffixes = ["", "+2", "+3"];
        let policies = PERIODS.into_iter().zip(suffixes).take(limits);
        limiter.policies = policies
            .map(|(period, suffix)| {
                let rate = Rate::new(limit, period)?;
                Ok((Policy::new(algorithm.smart(), rate), suffix))
            })
            .collect::<Result<_>>()?;
        Ok(limiter)
    }
}
