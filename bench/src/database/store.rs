//! Where a case keeps its states: a private server, or a file.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result};
use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error, Pool};
use diesel::{MysqlConnection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::server::{Kind, Server};
use crate::ours::Algorithm;
use crate::ours::database::Limiter;
use crate::peer::diesel::{Ask, Single};

/// Connections to a server; SQLite has one writer.
pub(super) const CONNECTIONS: usize = 8;

/// A kind of database with its durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Postgres,
    Mariadb,
    SqliteNormal,
    SqliteFull,
}

impl Durability {
    pub(super) const ALL: [Self; 4] =
        [Self::Postgres, Self::Mariadb, Self::SqliteNormal, Self::SqliteFull];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Mariadb => "mariadb",
            Self::SqliteNormal => "sqlite, normal",
            Self::SqliteFull => "sqlite, full",
        }
    }
}

/// What the connections to SQLite have in common: the settings of our own connections.
const SQLITE: &str = "PRAGMA busy_timeout = 5000; PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; \
     PRAGMA wal_autocheckpoint = 4000";

/// Everyone gets a new database in it.
pub(super) enum Store {
    Postgres(Server),
    Mariadb(Server),
    Sqlite { folder: TempDir, is_full: bool, files: Cell<u32> },
}

impl Store {
    pub(super) fn open(durability: Durability) -> Result<Self> {
        let sqlite = |is_full| {
            let folder = tempfile::tempdir().context("making a folder for files")?;
            Ok(Self::Sqlite { folder, is_full, files: Cell::new(0) })
        };
        match durability {
            Durability::Postgres => Ok(Self::Postgres(Server::start(Kind::Postgres)?)),
            Durability::Mariadb => Ok(Self::Mariadb(Server::start(Kind::Mariadb)?)),
            Durability::SqliteNormal => sqlite(false),
            Durability::SqliteFull => sqlite(true),
        }
    }

    /// Lets a server do now what it would do some time after many new rows: what it writes to
    /// afterwards is there already, as it is where nothing is new.
    pub(super) fn settle(&self) -> Result<()> {
        match self {
            Self::Postgres(server) => server.execute("CHECKPOINT"),
            Self::Mariadb(_) | Self::Sqlite { .. } => Ok(()),
        }
    }

    /// Processor time that a server has used so far; nothing where there is none.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        match self {
            Self::Postgres(server) | Self::Mariadb(server) => server.cpu_time(),
            Self::Sqlite { .. } => Ok(Duration::ZERO),
        }
    }

    /// What makes commits durable.
    pub(super) fn settings(&self) -> Result<String> {
        match self {
            Self::Postgres(server) | Self::Mariadb(server) => {
                Ok(format!("{}, {CONNECTIONS} connections", server.settings()?))
            }
            Self::Sqlite { is_full: true, .. } => {
                Ok("journal_mode WAL, synchronous FULL, 1 connection".to_owned())
            }
            Self::Sqlite { is_full: false, .. } => {
                Ok("journal_mode WAL, synchronous NORMAL, 1 connection".to_owned())
            }
        }
    }

    pub(super) async fn ours(&self, algorithm: Algorithm, keys: usize) -> Result<Limiter> {
        match self {
            Self::Sqlite { is_full: true, .. } => {
                Limiter::over(self.sqlite_pool()?, algorithm, keys).await
            }
            _ => Limiter::at(&self.url()?, CONNECTIONS, algorithm, keys).await,
        }
    }

    /// A URL of a new, empty database, for connections of ours with their usual settings.
    pub(super) fn url(&self) -> Result<String> {
        match self {
            Self::Postgres(server) | Self::Mariadb(server) => server.database(),
            Self::Sqlite { .. } => Ok(format!("sqlite://{}", self.file()?)),
        }
    }

    pub(super) fn peer(&self, algorithm: Algorithm, keys: usize) -> Result<Single> {
        match self {
            Self::Postgres(server) => {
                peer::<PgConnection>(&server.database()?, "SELECT 1", algorithm, keys)
            }
            Self::Mariadb(server) => {
                let settings = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
                peer::<MysqlConnection>(&server.database()?, settings, algorithm, keys)
            }
            Self::Sqlite { .. } => Single::new(&self.sqlite_pool()?, algorithm, keys),
        }
    }

    fn file(&self) -> Result<String> {
        let Self::Sqlite { folder, files, .. } = self else { return Ok(String::new()) };
        files.set(files.get() + 1);
        let path = folder.path().join(format!("{}.sqlite", files.get()));
        path.to_str().map(str::to_owned).context("the temporary folder has an odd name")
    }

    pub(super) fn sqlite_pool(&self) -> Result<Pool<ConnectionManager<SqliteConnection>>> {
        let is_full = matches!(self, Self::Sqlite { is_full: true, .. });
        let level = if is_full { "FULL" } else { "NORMAL" };
        let settings = Settings(format!("{SQLITE}; PRAGMA synchronous = {level}"));
        let pool = Pool::builder().max_size(1).connection_customizer(Box::new(settings));
        Ok(pool.build(ConnectionManager::new(self.file()?))?)
    }
}

fn peer<C: Ask>(url: &str, settings: &str, algorithm: Algorithm, keys: usize) -> Result<Single> {
    let pool = Pool::builder()
        .max_size(u32::try_from(CONNECTIONS)?)
        .test_on_check_out(false)
        .connection_customizer(Box::new(Settings(settings.to_owned())))
        .build(ConnectionManager::<C>::new(url))?;
    Single::new(&pool, algorithm, keys)
}

/// What every new connection is told.
#[derive(Debug)]
struct Settings(String);

impl<C: SimpleConnection> CustomizeConnection<C, Error> for Settings {
    fn on_acquire(&self, connection: &mut C) -> Result<(), Error> {
        connection.batch_execute(&self.0).map_err(Error::QueryError)
    }
}
