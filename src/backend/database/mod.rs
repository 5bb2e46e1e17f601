//! State in the database that the application already has: tables that Diesel makes, in PostgreSQL,
//! MySQL, MariaDB or SQLite.

pub mod migrations;
pub mod schema;

pub use migrations::Dialect;
