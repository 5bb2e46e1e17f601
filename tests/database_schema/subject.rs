//! A kind of database, for tests that are the same for all of them.

use std::fmt::Debug;

use actix_smart_ratelimit::backend::database::Dialect;
use diesel::{Connection, connection::SimpleConnection, migration::MigrationConnection};
use diesel_migrations::MigrationHarness;

use super::facts::Tables;

/// A connection to a database that nobody else uses.
pub(crate) trait Subject:
    Connection<Backend: Debug>
    + SimpleConnection
    + MigrationConnection
    + MigrationHarness<Self::Backend>
{
    /// What has to live as long as the connection.
    type Server;
    const DIALECT: &str;

    fn empty() -> (Self::Server, Self);

    /// All tables about limits.
    fn tables(&mut self) -> Tables;

    /// Has ids of entries go on beyond what fits 32 bits.
    fn next_id_may_exceed_32_bits(&mut self);

    /// Runs the statements of a migration, as Django did when it made the same tables.
    fn run_file(&mut self, dialect: Dialect, name: &str) {
        let file = dialect.files().iter().find(|(path, _)| path.ends_with(name)).unwrap();
        self.batch_execute(file.1).unwrap();
    }
}
