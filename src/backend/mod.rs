//! Where state lives and decisions are made atomically.
//!
//! [`Backend`] is the one door: a [`Batch`] of checks goes in, decisions come out, all or nothing.
//! A backend never sees a request and holds no arithmetic of its own; it keeps the states of a batch
//! still while [`settle`](actix_smart_ratelimit_core::settle) decides.

use std::{future::Future, pin::Pin, sync::Arc};

use self::multi::{MemberStatus, Watcher};
use crate::{Batch, Charge, Error, Policy, Verdict};

mod asked;
pub(crate) mod breaker;
mod counter;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub mod database;
mod error;
mod hash;
pub mod memory;
pub mod multi;
mod noted;
mod overrides;
#[cfg(feature = "redis")]
pub mod redis;
mod refusal;
mod seqlock;
mod upkeep;
pub mod wrap;

pub use error::{BackendError, ErrorKind, Fate};
pub use memory::MemoryBackend;
pub use overrides::{OverrideRow, OverrideSource};
pub use upkeep::{Listing, StoredState, StoredValue, Upkeep};

/// A boxed future, for answers that have to wait for a store.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a backend answers.
#[must_use]
pub enum Progress {
    /// The decisions stand in the batch.
    Done,
    /// The decisions come later; the batch is not needed any more. Dropping the future gives up the
    /// answer, but what it has already sent may still be charged.
    Pending(BoxFuture<Result<Verdict, BackendError>>),
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "Done",
            Self::Pending(_) => "Pending",
        })
    }
}

/// A store of rate-limit state.
///
/// Implementations decide every batch atomically, also against other processes where they share a
/// store; never block the calling thread on I/O; and never panic on anything that a store, a network
/// or a clock can do.
pub trait Backend: std::fmt::Debug + Send + Sync + 'static {
    /// Decides a batch and charges it if every check is admitted. The hot method.
    fn check(&self, batch: &mut Batch<'_>) -> Progress;

    /// Answers what [`check`](Self::check) would, and how much is left before it, charging nothing.
    fn peek(&self, batch: &mut Batch<'_>) -> Progress;

    /// Forgets every state of a key, under whatever policy; an unknown key is no error.
    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>>;

    /// Gives a charge back: at most what was charged, and only to the window that it was taken from.
    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>>;

    /// Makes a real round trip and says how the store is.
    fn health(&self) -> BoxFuture<Result<Health, BackendError>>;

    /// Counts of what is stored and was done.
    fn stats(&self) -> Stats;

    /// Whether this backend can keep a policy that requests take `cost` permits of. A limiter asks
    /// when it takes up a limit, so that what cannot work is told then and not at a request.
    ///
    /// # Errors
    /// When it cannot, with what to write instead. By default everything can be kept.
    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        let _ = (policy, cost);
        Ok(())
    }

    /// The stores behind this one that it watches itself, each with a circuit breaker. None where it is
    /// one store: then the limiter watches it.
    fn members(&self) -> Vec<MemberStatus> {
        Vec::new()
    }

    /// Introduces somebody who asks this backend. One with [`members`](Self::members) tells them of
    /// every change of those, and decides within their deadline.
    fn watch(&self, watcher: &Watcher) {
        let _ = watcher;
    }

    /// What an operator can ask beside decisions. By default nothing: a store that keeps no keys has
    /// none to show.
    fn upkeep(&self) -> Option<&dyn Upkeep> {
        None
    }
}

#[deny(clippy::missing_trait_methods)]
impl<B: Backend + ?Sized> Backend for Arc<B> {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        (**self).check(batch)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        (**self).peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        (**self).reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        (**self).refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        (**self).health()
    }

    fn stats(&self) -> Stats {
        (**self).stats()
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        (**self).validate(policy, cost)
    }

    fn members(&self) -> Vec<MemberStatus> {
        (**self).members()
    }

    fn watch(&self, watcher: &Watcher) {
        (**self).watch(watcher);
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        (**self).upkeep()
    }
}

/// What a health check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How long the round trip took, in microseconds.
    pub round_trip_micros: u64,
    /// Things to look after though the store answers.
    pub warnings: Vec<String>,
}

/// Counts of one backend. What a backend cannot know is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys that are stored now, expired ones not yet forgotten included.
    pub keys: u64,
    /// Most keys that may be stored.
    pub max_keys: u64,
    /// Keys forgotten before their time because there was no room. Each may have admitted a client
    /// once more than it should have.
    pub evicted_live: u64,
    /// Bytes that the states take, approximately.
    pub bytes: u64,
    /// Calls that were sent to a server. One may decide many checks.
    pub round_trips: u64,
    /// Checks that a [`DenialCache`](wrap::DenialCache) refused without asking its store.
    pub refused_locally: u64,
    /// Checks that [`Leases`](wrap::Leases) admitted without asking their store.
    pub leased: u64,
}

impl Stats {
    /// The sums of both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            keys: self.keys.saturating_add(other.keys),
            max_keys: self.max_keys.saturating_add(other.max_keys),
            evicted_live: self.evicted_live.saturating_add(other.evicted_live),
            bytes: self.bytes.saturating_add(other.bytes),
            round_trips: self.round_trips.saturating_add(other.round_trips),
            refused_locally: self.refused_locally.saturating_add(other.refused_locally),
            leased: self.leased.saturating_add(other.leased),
        }
    }
}
