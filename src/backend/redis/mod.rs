//! State in Redis or Valkey: many processes share one limit at the price of one round trip.
//!
//! Each check is decided by a script on the server, atomically and by the server's clock, whatever the
//! number of its limits. Checks that arrive while a call is under way travel together in the next one. A
//! refusal that is known to hold is repeated without asking ([`DenialCache`]). Keys and types are those
//! of the original; docs/redis.md has the table.
//!
//! Connections are made on the runtimes that ask, one for each Actix worker, when they first ask, and
//! again when they are lost. Every call has a deadline. A charge is never sent twice: where an answer
//! does not come, the error says that its fate is unknown.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use self::{direct::Direct, link::Connect, time::ServerTime};
use super::{
    Backend, BackendError, BoxFuture, Health, Progress, Stats, Upkeep, noted::Noted,
    wrap::DenialCache,
};
use crate::{Batch, Charge, Error, Policy};

mod answer;
mod asked;
mod builder;
mod call;
#[cfg(feature = "redis-cluster")]
mod cluster;
mod direct;
mod encode;
mod fault;
mod health;
mod job;
mod lane;
mod lanes;
mod layout;
mod link;
#[cfg(feature = "redis-cluster")]
mod redirect;
mod replay;
mod script;
mod sentinel;
mod spread;
mod support;
mod time;
mod upkeep;
mod url;

pub use builder::RedisBuilder;

/// State in Redis.
///
/// ```no_run
/// use actix_smart_ratelimit::{RateLimiter, backend::redis::RedisBackend};
///
/// # fn main() -> Result<(), actix_smart_ratelimit::Error> {
/// let redis = RedisBackend::connect("redis://127.0.0.1:6379/0")?;
/// let limiter = RateLimiter::builder().backend("redis", redis).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RedisBackend {
    door: DenialCache<Direct>,
}

impl RedisBackend {
    /// A backend with the defaults for the server of a URL; it connects when it is first asked.
    ///
    /// # Errors
    /// As [`RedisBuilder::build`].
    pub fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A backend for one server: `redis://user:password@host:port/database`, `rediss://…` for an
    /// encrypted connection (feature `redis-tls`), or `redis+unix:///path?db=0`.
    pub fn builder(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder::standalone(url.into())
    }

    /// A backend for the primary that Sentinels know by `name`. Names and passwords in the URLs are
    /// for the Sentinels; see [`RedisBuilder::login`] for those of the servers that they watch.
    pub fn sentinel<U: Into<String>>(
        name: impl Into<String>,
        urls: impl IntoIterator<Item = U>,
    ) -> RedisBuilder {
        RedisBuilder::sentinel(name.into(), urls.into_iter().map(Into::into).collect())
    }

    /// A backend for a cluster of which some servers are known.
    #[cfg(feature = "redis-cluster")]
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> RedisBuilder {
        RedisBuilder::cluster(urls.into_iter().map(Into::into).collect())
    }
}

impl Backend for RedisBackend {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let direct = self.door.get_ref();
        if direct.shared.is_cluster() && batch.checks().len() > 1 {
            // The refusal may be due to what another request is about to give back.
            return direct.check(batch);
        }
        self.door.check(batch)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.door.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.door.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.door.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.door.health()
    }

    fn stats(&self) -> Stats {
        self.door.stats()
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.door.validate(policy, cost)
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        Some(self)
    }
}

/// What the lanes of a backend have in common.
struct Shared {
    connect: Box<dyn Connect>,
    time: ServerTime,
    deadline: Duration,
    connect_deadline: Duration,
    /// Tells this backend's entries in logs from those of others.
    instance: u64,
    /// Periods of the windows on the clock that were met.
    periods: Noted,
    round_trips: AtomicU64,
    inspected: AtomicBool,
}

impl Shared {
    fn is_cluster(&self) -> bool {
        self.connect.is_cluster()
    }

    /// Has the first server looked at that is connected to.
    fn inspect(&self, link: &link::Link) {
        if !self.is_cluster() && !self.inspected.swap(true, Relaxed) {
            tokio::spawn(health::inspect(link.connection.clone()));
        }
    }

    fn tell_connected(&self) {
        tracing::info!(target: "actix_smart_ratelimit", "Redis answers again");
    }

    fn tell_lost(&self, error: &BackendError) {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(target: "actix_smart_ratelimit", %error, cause, "Redis is away");
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("connect", &self.connect)
            .field("deadline", &self.deadline)
            .field("round_trips", &self.round_trips.load(Relaxed))
            .finish_non_exhaustive()
    }
}
