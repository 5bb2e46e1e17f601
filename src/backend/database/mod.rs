//! State in the database that the application already has: PostgreSQL, MySQL, MariaDB or SQLite.
//!
//! Limits survive restarts, and processes that share the database share them. Every check is decided in
//! a transaction, by the database's clock, under locks on the rows of its keys; checks that wait are
//! decided together in one transaction, so cost per check falls as load rises, and a lone check waits
//! for nobody. With PostgreSQL, one statement charges what a key can take. A refusal that is known to hold is repeated without asking ([`DenialCache`]).
//!
//! The tables are those of `django-smart-ratelimit`, which may go on counting in them, and one of ours;
//! [`migrations`] makes them.
//!
//! Threads of its own talk to the database, one for each connection; Actix workers never wait for it.
//! Every call has a deadline.

use std::time::Duration;

use diesel::r2d2::{ConnectionManager, Pool};

use self::direct::Direct;
use super::{
    Backend, BackendError, BoxFuture, Health, OverrideRow, OverrideSource, Progress, Stats, Upkeep,
    wrap::{DenialCache, Remembered},
};
use crate::{Batch, Charge, Error, Mode, Policy};

mod answer;
mod attempt;
mod builder;
mod changes;
mod charge;
mod claim;
mod cleanup;
mod commit;
#[cfg(feature = "sqlite")]
mod datetime;
mod decide;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod dialect;
mod direct;
mod fault;
mod held;
mod hub;
mod hubs;
mod inbox;
mod job;
#[cfg(feature = "mysql")]
mod json;
mod key;
mod keyed;
mod load;
mod log;
mod look;
pub mod migrations;
#[cfg(feature = "mysql")]
mod mysql;
mod overrides;
mod place;
mod post;
#[cfg(feature = "postgres")]
mod postgres;
mod queues;
mod returned;
mod row;
pub mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stale;
mod statement;
mod tables;
mod ticket;
mod time;
mod upkeep;
mod worker;

pub use builder::DatabaseBuilder;
pub use cleanup::{Cleaned, Cleanup};
pub use migrations::{Dialect, Migration};
pub use tables::DatabaseConnection;

/// State in a database.
///
/// ```no_run
/// use actix_smart_ratelimit::{RateLimiter, backend::database::DatabaseBackend};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let database = DatabaseBackend::connect("sqlite:///var/lib/app/limits.sqlite")?;
/// database.migrate().await?;
/// let limiter = RateLimiter::builder().backend("database", database).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DatabaseBackend {
    door: DenialCache<Direct>,
}

impl DatabaseBackend {
    /// A backend with the defaults for the database of a URL; it connects when it is first asked.
    ///
    /// # Errors
    /// As [`DatabaseBuilder::build`].
    pub fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A backend for `postgres://user:password@host:port/database`, `mysql://…` (also `mariadb://…`), or
    /// `sqlite:///path` (`sqlite://:memory:` for one that ends with the backend).
    pub fn builder(url: impl Into<String>) -> DatabaseBuilder {
        DatabaseBuilder::url(url.into())
    }

    /// A backend over a pool that the application has already. It takes at most four connections at a
    /// time, less if the pool has less, and changes no setting of theirs.
    pub fn from_pool<C: DatabaseConnection>(pool: Pool<ConnectionManager<C>>) -> DatabaseBuilder {
        DatabaseBuilder::pool(pool)
    }

    /// Makes the tables, or brings them up to date, and names the migrations that were run. Where
    /// several processes do so at once, only the first may succeed.
    ///
    /// # Errors
    /// When a migration fails, or the database cannot be reached.
    pub async fn migrate(&self) -> Result<Vec<String>, BackendError> {
        self.door.get_ref().migrate().await
    }

    /// Removes rows that are of no use any more, batch after batch between the checks, and calls
    /// `progress` after each with what was removed so far.
    ///
    /// # Errors
    /// When the database fails; what was removed until then is.
    pub async fn clean(
        &self,
        cleanup: Cleanup,
        progress: impl FnMut(&Cleaned),
    ) -> Result<Cleaned, BackendError> {
        cleanup.run(self.door.get_ref(), progress).await
    }

    /// Removes one batch of rows that are of no use any more: fewer than its size when there are no more.
    ///
    /// # Errors
    /// When the database fails; then nothing was removed.
    pub async fn clean_batch(&self, cleanup: &Cleanup) -> Result<Cleaned, BackendError> {
        cleanup.run_once(self.door.get_ref()).await
    }

    /// A task that removes what is expired at every interval, for ever: hand it to a runtime. A failure
    /// is logged, and the next interval waited for.
    ///
    /// ```no_run
    /// # use actix_smart_ratelimit::backend::database::DatabaseBackend;
    /// # async fn start(database: DatabaseBackend) {
    /// actix_web::rt::spawn(database.clean_regularly(std::time::Duration::from_secs(60)));
    /// # }
    /// ```
    pub fn clean_regularly(&self, every: Duration) -> impl Future<Output = ()> + Send + 'static {
        cleanup::regularly(self.door.get_ref().clone(), every)
    }
}

/// The active rows of the table `django_smart_ratelimit_config`.
impl OverrideSource for DatabaseBackend {
    fn overrides(&self) -> BoxFuture<Result<Vec<OverrideRow>, BackendError>> {
        self.door.get_ref().overrides()
    }
}

impl Backend for DatabaseBackend {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let ask = |direct: &Direct, batch: &mut Batch<'_>| Some(direct.ask(batch, Mode::Charge));
        match self.door.unless_known(batch, ask) {
            None => Progress::Done,
            Some((answer, memo)) => Progress::Pending(Box::pin(Remembered { answer, memo })),
        }
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
