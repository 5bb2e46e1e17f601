//! Asking a database backend.

use std::error::Error as _;

use actix_smart_ratelimit::{
    Batch, Check, Decision, Policy, Timestamp,
    backend::{Backend, BackendError, Progress, database::DatabaseBackend},
};

/// The answer to one check.
pub async fn check(
    backend: &DatabaseBackend,
    key: &str,
    policy: &Policy,
    cost: u32,
) -> Result<Decision, BackendError> {
    let mut batch = Batch::of(Timestamp::ZERO, Check { key, policy, cost });
    match backend.check(&mut batch) {
        Progress::Done => Ok(batch.verdict().decisions()[0]),
        Progress::Pending(verdict) => verdict.await.map(|verdict| verdict.decisions()[0]),
    }
}

/// What is left before a check.
pub async fn left(backend: &DatabaseBackend, key: &str, policy: &Policy) -> u64 {
    let mut batch = Batch::of(Timestamp::ZERO, Check { key, policy, cost: 0 });
    match backend.peek(&mut batch) {
        Progress::Done => batch.verdict().decisions()[0].remaining(),
        Progress::Pending(verdict) => verdict.await.unwrap().decisions()[0].remaining(),
    }
}

/// What an error says for logs.
pub fn cause(error: &BackendError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}
