//! Decisions by string key on any backend that may answer later.

use std::iter;

use actix_smart_ratelimit::{
    Batch, Check, Clock, MemoryBackend, Policy, Rate, Verdict,
    backend::{Backend, BackendError, BoxFuture, Progress},
};
use anyhow::Result;

use super::{Algorithm, Outcome};
use crate::drive;

/// Decisions by string key.
pub(crate) struct Limiter<B> {
    pub(super) backend: B,
    /// Each with what is appended to the key, so that limits keep their states apart.
    pub(super) policies: Vec<(Policy, &'static str)>,
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

impl<B: Backend> Limiter<B> {
    pub(super) fn of(backend: B, algorithm: Algorithm, rate: Rate) -> Self {
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
