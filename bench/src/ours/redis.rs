//! Our Redis backend, and the memory backend asked in the same way.

use std::iter;

use actix_smart_ratelimit::{
    Batch, Check, Clock, MemoryBackend, Policy, Rate, Verdict,
    backend::redis::RedisBackend,
    backend::{Backend, BackendError, BoxFuture, Progress},
};
use anyhow::Result;

use super::{Algorithm, Outcome, PATIENCE};
use crate::redis::drive;

/// Periods of the limits of one batch, in µs: an hour, a day, ten minutes.
const PERIODS: [u64; 3] = [3_600_000_000, 86_400_000_000, 600_000_000];

/// Decisions by string key.
pub(crate) struct Limiter<B = RedisBackend> {
    backend: B,
    /// Each with what is appended to the key, so that limits keep their states apart.
    policies: Vec<(Policy, &'static str)>,
    clock: Clock,
}

/// Decisions by string key on the memory backend.
pub(crate) type InMemory = Limiter<MemoryBackend>;

impl InMemory {
    /// One limit on at most `max_keys` keys.
    pub(crate) fn bounded(algorithm: Algorithm, outcome: Outcome, max_keys: usize) -> Self {
        Self::of(
            MemoryBackend::new(max_keys),
            algorithm,
            Rate::per_hour(outcome.per_hour(max_keys)),
        )
    }
}

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

impl<B: Backend> Limiter<B> {
    fn of(backend: B, algorithm: Algorithm, rate: Rate) -> Self {
        let policies = vec![(Policy::new(algorithm.smart(), rate), "")];
        Self { backend, policies, clock: Clock::System }
    }

    fn ask(&self, key: &str) -> Result<Answer> {
        let others = self.policies.iter().skip(1).map(|(_, suffix)| format!("{key}{suffix}"));
        let others: Vec<String> = others.collect();
        let keys = iter::once(key).chain(others.iter().map(String::as_str));
        let mut batch = Batch::new(self.clock.now());
        for (key, (policy, _)) in keys.zip(&self.policies) {
            batch.push(Check { key, policy, cost: 1 })?;
        }
        Ok(match self.backend.check(&mut batch) {
            Progress::Done => Answer::Now(batch.verdict().is_allowed()),
            Progress::Pending(verdict) => Answer::Later(verdict),
        })
    }
}

/// What a backend answers, without the batch that it answers for.
enum Answer {
    Now(bool),
    Later(BoxFuture<Result<Verdict, BackendError>>),
}

impl<B: Backend> drive::Check for Limiter<B> {
    async fn check(&self, key: &str) -> Result<bool> {
        match self.ask(key)? {
            Answer::Now(allowed) => Ok(allowed),
            Answer::Later(verdict) => Ok(verdict.await?.is_allowed()),
        }
    }
}
