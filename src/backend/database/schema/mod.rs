//! The tables as Diesel knows them, one module for each database. `diesel print-schema` writes them.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "the macro of Diesel documents neither columns nor modules"
)]

#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
