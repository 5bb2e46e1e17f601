//! The migrations that make the tables: embedded, and as files for a Diesel project of one's own.
//!
//! The first makes the tables of the original, or takes over those that Django made; the second adds
//! ours. They keep their account in `__diesel_schema_migrations`, as those of the Diesel command do, so
//! both ways may be mixed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::fault::Fault;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// A migration, and whether it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Its name, which its folder has.
    pub name: String,
    /// Whether it was run.
    pub is_run: bool,
}

impl Migration {
    /// All of a dialect, of which these were not run.
    pub(super) fn all(dialect: Dialect, pending: &[String]) -> Vec<Self> {
        let up = dialect.files().iter().filter_map(|(path, _)| path.strip_suffix("/up.sql"));
        let mut names: Vec<_> = up.collect();
        names.sort_unstable();
        let told = |name: &str| Self {
            name: name.to_owned(),
            is_run: !pending.iter().any(|pending| pending == name),
        };
        names.into_iter().map(told).collect()
    }
}

/// Those for PostgreSQL.
#[cfg(feature = "postgres")]
pub const POSTGRES: diesel_migrations::EmbeddedMigrations =
    diesel_migrations::embed_migrations!("migrations/postgres");
/// Those for MySQL and MariaDB.
#[cfg(feature = "mysql")]
pub const MYSQL: diesel_migrations::EmbeddedMigrations =
    diesel_migrations::embed_migrations!("migrations/mysql");
/// Those for SQLite.
#[cfg(feature = "sqlite")]
pub const SQLITE: diesel_migrations::EmbeddedMigrations =
    diesel_migrations::embed_migrations!("migrations/sqlite");

/// Runs those that were not run yet, and names them.
pub(super) fn run<DB: diesel::backend::Backend>(
    connection: &mut impl diesel_migrations::MigrationHarness<DB>,
    migrations: diesel_migrations::EmbeddedMigrations,
) -> Result<Vec<String>, Fault> {
    let versions = connection.run_pending_migrations(migrations).map_err(Fault::Migration)?;
    Ok(versions.iter().map(ToString::to_string).collect())
}

/// Names those that were not run yet.
pub(super) fn pending<DB: diesel::backend::Backend>(
    connection: &mut impl diesel_migrations::MigrationHarness<DB>,
    migrations: diesel_migrations::EmbeddedMigrations,
) -> Result<Vec<String>, Fault> {
    let pending = connection.pending_migrations(migrations).map_err(Fault::Migration)?;
    Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
}

/// The files of one folder of migrations, by their paths in it.
macro_rules! files {
    ($folder:literal: $($name:literal),+) => {
        &[$(
            (concat!($name, "/up.sql"), files!(@ $folder, $name, "/up.sql")),
            (concat!($name, "/down.sql"), files!(@ $folder, $name, "/down.sql")),
        )+]
    };
    (@ $folder:literal, $name:literal, $file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/migrations/", $folder, "/", $name, $file
        ))
    };
}

/// Paths and texts.
type Files = &'static [(&'static str, &'static str)];

const POSTGRES_FILES: Files = files!("postgres":
    "2026-11-26-000000_original_tables",
    "2026-11-26-000100_ratelimit_states",
    "2026-11-28-000000_room_for_updates",
    "2026-11-28-000100_wide_new_rows"
);
const MYSQL_FILES: Files =
    files!("mysql": "2026-11-26-000000_original_tables", "2026-11-26-000100_ratelimit_states");
const SQLITE_FILES: Files =
    files!("sqlite": "2026-11-26-000000_original_tables", "2026-11-26-000100_ratelimit_states");

impl Dialect {
    /// The files of its migrations, as paths below the folder of migrations with their texts.
    #[must_use]
    pub fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Postgres => POSTGRES_FILES,
            Self::Mysql => MYSQL_FILES,
            Self::Sqlite => SQLITE_FILES,
        }
    }

    /// Writes its migrations below the folder `into`, where `diesel migration run` finds them, and
    /// tells which files it wrote. A file that is there already and says the same is left as it is.
    ///
    /// # Errors
    /// When a file cannot be written, or says something else: nothing is overwritten.
    pub fn export(self, into: &Path) -> io::Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        for (path, text) in self.files() {
            let path = into.join(path);
            if path.exists() {
                refuse_other(&path, text)?;
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, text)?;
            written.push(path);
        }
        Ok(written)
    }
}

fn refuse_other(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path)? == text.as_bytes() {
        return Ok(());
    }
    let reason = format!("{} says something else; move it away", path.display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, reason))
}
