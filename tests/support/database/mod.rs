//! Private PostgreSQL and MariaDB servers on loopback, and folders for SQLite. They stop, and their files
//! go, when they are dropped, also when the test panics.

pub mod asking;
pub mod mysql;
pub mod postgres;
pub mod server;

pub use mysql::MysqlServer;
pub use postgres::PostgresServer;
