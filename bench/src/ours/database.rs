//! Our database backend.

use actix_smart_ratelimit::Rate;
use actix_smart_ratelimit::backend::Backend;
use actix_smart_ratelimit::backend::database::{DatabaseBackend, DatabaseBuilder};
use anyhow::Result;
use diesel::SqliteConnection;
use diesel::r2d2::{ConnectionManager, Pool};

use super::{Algorithm, Outcome, PATIENCE, keyed};

/// Decisions by string key.
pub(crate) type Limiter = keyed::Limiter<DatabaseBackend>;

impl Limiter {
    /// Takes as many as `connections` connections; the limit on each of `keys` keys is out of reach.
    pub(crate) async fn at(
        url: &str,
        connections: usize,
        algorithm: Algorithm,
        keys: usize,
    ) -> Result<Self> {
        let builder = DatabaseBackend::builder(url).connections(connections);
        Self::built(builder, algorithm, keys).await
    }

    /// As [`at`](Self::at), over connections that somebody else has made.
    pub(crate) async fn over(
        pool: Pool<ConnectionManager<SqliteConnection>>,
        algorithm: Algorithm,
        keys: usize,
    ) -> Result<Self> {
        Self::built(DatabaseBackend::from_pool(pool), algorithm, keys).await
    }

    /// A log that holds as many rows as it admits in an hour, after as many checks of a key one by one.
    /// Nothing remembers refusals.
    pub(crate) async fn log(url: &str, rows: u32) -> Result<Self> {
        let builder = DatabaseBackend::builder(url).connections(1).denial_cache(0);
        let backend = builder.deadline(PATIENCE).connect_deadline(PATIENCE).build()?;
        backend.migrate().await?;
        Ok(Self::of(backend, Algorithm::SlidingWindow, Rate::per_hour(rows)))
    }

    async fn built(builder: DatabaseBuilder, algorithm: Algorithm, keys: usize) -> Result<Self> {
        let builder = builder.deadline(PATIENCE).connect_deadline(PATIENCE);
        let backend = builder.build()?;
        backend.migrate().await?;
        Ok(Self::of(backend, algorithm, rate(algorithm, keys)?))
    }

    /// Transactions so far.
    pub(crate) fn transactions(&self) -> u64 {
        self.backend.stats().round_trips
    }
}

/// A limit out of reach. The log keeps what the last second has brought, everything else an hour.
pub(crate) fn rate(algorithm: Algorithm, keys: usize) -> Result<Rate> {
    let limit = Outcome::Admitted.per_hour(keys);
    Ok(match algorithm {
        Algorithm::SlidingWindow => Rate::new(limit, 1_000_000)?,
        _ => Rate::per_hour(limit),
    })
}
