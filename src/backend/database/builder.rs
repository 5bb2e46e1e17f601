//! How a database backend is made.

use std::{fmt, sync::Arc, time::Duration};

use diesel::{
    QueryResult,
    r2d2::{ConnectionManager, CustomizeConnection, Error as PoolError, Pool},
};

#[cfg(feature = "postgres")]
use super::postgres;
use super::{
    DatabaseBackend, Dialect,
    direct::Direct,
    hubs::Hubs,
    queues::Queues,
    tables::Tables,
    time::ServerTime,
    worker::{self, Shared},
};
use crate::{Error, backend::wrap::DenialCache};

/// Connections to a server by default.
const CONNECTIONS: usize = 4;

/// Where the tables are.
enum Place {
    Url(String),
    Pool(Begin),
}

/// Begins the workers over a pool, whatever its connections are.
type Begin = Box<dyn FnOnce(usize, &Arc<Shared>) -> std::io::Result<Queues> + Send>;

/// Settings of a [`DatabaseBackend`], checked by [`build`](Self::build).
#[must_use]
pub struct DatabaseBuilder {
    place: Place,
    deadline: Duration,
    connect_deadline: Duration,
    connections: usize,
    denial_cache: usize,
    time: ServerTime,
}

impl DatabaseBuilder {
    fn new(place: Place, connections: usize) -> Self {
        Self {
            place,
            deadline: Duration::from_millis(100),
            connect_deadline: Duration::from_millis(500),
            connections,
            denial_cache: DenialCache::<Direct>::DEFAULT_CAPACITY,
            time: ServerTime::default(),
        }
    }

    pub(super) fn url(url: String) -> Self {
        Self::new(Place::Url(url), CONNECTIONS)
    }

    pub(super) fn pool<T: Tables>(pool: Pool<ConnectionManager<T>>) -> Self {
        let connections = (pool.max_size() as usize).min(CONNECTIONS);
        let begin: Begin = Box::new(move |threads, shared| worker::begin(&pool, threads, shared));
        Self::new(Place::Pool(begin), connections)
    }

    /// How long a check may take; 100 ms by default, at least 1 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// How long it may take to get a connection; 500 ms by default, at least 1 ms. Requests do not
    /// wait for it longer than for an answer.
    pub fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.connect_deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// Most connections, each with a thread of its own; 4 by default, at least 1. SQLite has one
    /// writer at a time, so it is always 1 there. While a server hangs there may be as many again.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Refusals that are remembered, so that they are repeated without asking the database until the
    /// request might be admitted, and for at most a second; 65,536 by default, 0 for none.
    pub fn denial_cache(mut self, entries: usize) -> Self {
        self.denial_cache = entries;
        self
    }

    /// Decides by a clock that a test moves, instead of the database's.
    #[cfg(feature = "test-util")]
    pub fn clock(mut self, clock: crate::ManualClock) -> Self {
        self.time = ServerTime::Manual(clock);
        self
    }

    /// Whether a URL is one of a database that is built in.
    #[cfg(feature = "config")]
    pub(crate) fn check_url(url: &str) -> Result<(), Error> {
        let dialect = dialect_of(url.split(':').next().unwrap_or_default())?;
        let built_in = match dialect {
            Dialect::Postgres => cfg!(feature = "postgres"),
            Dialect::Mysql => cfg!(feature = "mysql"),
            Dialect::Sqlite => cfg!(feature = "sqlite"),
        };
        if built_in { Ok(()) } else { Err(not_built_in(dialect)) }
    }

    /// The backend. It connects when it is first asked.
    ///
    /// # Errors
    /// When a URL is none of a database, or needs a feature of this crate that is off; when there can
    /// be no more threads.
    pub fn build(self) -> Result<DatabaseBackend, Error> {
        let shared = Arc::new(Shared {
            time: self.time,
            deadline: self.deadline,
            connect_deadline: self.connect_deadline,
            is_own: matches!(self.place, Place::Url(_)),
            transactions: 0.into(),
            hubs: Hubs::default(),
        });
        let queues = match self.place {
            Place::Url(url) => begin_at(&url, self.connections, &shared)?,
            Place::Pool(begin) => begin(self.connections, &shared).map_err(|e| no_threads(&e))?,
        };
        let direct = Direct { queues, shared, deadline: self.deadline };
        Ok(DatabaseBackend { door: DenialCache::around(direct).capacity(self.denial_cache) })
    }
}

impl fmt::Debug for DatabaseBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseBuilder")
            .field("deadline", &self.deadline)
            .field("connect_deadline", &self.connect_deadline)
            .field("connections", &self.connections)
            .field("denial_cache", &self.denial_cache)
            .finish_non_exhaustive()
    }
}

/// Begins the workers for the kind of database that a URL names.
fn begin_at(url: &str, connections: usize, shared: &Arc<Shared>) -> Result<Queues, Error> {
    let scheme = url.split(':').next().unwrap_or_default();
    let rest = url.get(scheme.len() + 1..).unwrap_or_default();
    match dialect_of(scheme)? {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => {
            over::<diesel::PgConnection>(&postgres::impatient(url), connections, shared)
        }
        #[cfg(feature = "mysql")]
        Dialect::Mysql => {
            over::<diesel::MysqlConnection>(&format!("mysql:{rest}"), connections, shared)
        }
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            over::<diesel::SqliteConnection>(path, 1, shared)
        }
        #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
        other => {
            let _ = (rest, connections, shared);
            Err(not_built_in(other))
        }
    }
}

#[cfg_attr(
    all(feature = "postgres", feature = "mysql", feature = "sqlite", not(feature = "config")),
    expect(dead_code, reason = "every kind is")
)]
fn not_built_in(dialect: Dialect) -> Error {
    let feature = format!("{dialect:?}").to_lowercase();
    let remedy = format!("enable the feature {feature} of actix-smart-ratelimit");
    Error::new("url", feature, "this kind of database is not built in", remedy)
}

fn dialect_of(scheme: &str) -> Result<Dialect, Error> {
    match scheme {
        "postgres" | "postgresql" => Ok(Dialect::Postgres),
        "mysql" | "mariadb" => Ok(Dialect::Mysql),
        "sqlite" => Ok(Dialect::Sqlite),
        _ => {
            let remedy =
                "write postgres://user:password@host/database, mysql://… or sqlite:///path";
            // What is no scheme may be a password.
            Err(Error::new("url", "", "it names no kind of database", remedy))
        }
    }
}

fn over<T: Tables>(url: &str, connections: usize, shared: &Arc<Shared>) -> Result<Queues, Error> {
    // As many again while a server hangs: connections that were given up are held until it answers.
    let size = u32::try_from(connections).unwrap_or(u32::MAX).saturating_mul(2);
    let pool = Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_on_check_out(false)
        .connection_timeout(shared.connect_deadline)
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
        .connection_customizer(Box::new(Prepare))
        .build_unchecked(ConnectionManager::<T>::new(url));
    worker::begin(&pool, connections, shared).map_err(|error| no_threads(&error))
}

fn no_threads(error: &std::io::Error) -> Error {
    Error::new("connections", "", error.to_string(), "allow the process more threads")
}

/// Sets what our own connections need when they are made.
#[derive(Debug)]
struct Prepare;

impl<T: Tables> CustomizeConnection<T, PoolError> for Prepare {
    fn on_acquire(&self, connection: &mut T) -> Result<(), PoolError> {
        let prepared: QueryResult<()> = connection.prepare();
        prepared.map_err(PoolError::QueryError)
    }
}
