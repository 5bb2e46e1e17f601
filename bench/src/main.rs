//! Measurements of actix-smart-ratelimit against named peers.
//!
//! ```text
//! cargo run --release -p bench -- memory
//! cargo run --release -p bench -- http --filter refused --json
//! cargo run --release -p bench -- redis --filter flood
//! cargo run --release -p bench -- database --filter postgresql
//! ```
//!
//! A group of cases is one module with one `run` function that answers rows;
//! a new group is one variant of [`Group`] and one arm in [`main`].
//! Contenders of a case take turns in short slices within one run, so that
//! what else the machine is doing falls on all of them alike.

// A measuring tool divides times by counts, and its figures are estimates.
#![allow(clippy::float_arithmetic)]

mod bytes;
mod child;
mod database;
mod drive;
mod http;
mod keep;
mod measure;
mod memory;
mod ours;
mod peer;
mod pin;
mod redis;
mod table;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};

/// Measures actix-smart-ratelimit against named peers, interleaved in one run.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(subcommand)]
    group: Group,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Group {
    /// One decision of the memory backend, and resident bytes per key.
    Memory,
    /// One Actix request with the middleware, in process and over sockets.
    Http,
    /// Decisions that processes share on a private Redis server.
    Redis,
    /// Decisions in PostgreSQL, MariaDB and SQLite, on private servers.
    Database,
    /// One HTTP server, started by the `http` group.
    #[command(hide = true)]
    Serve(http::serve::Args),
    /// One Redis server, started by the `redis` group.
    #[command(hide = true)]
    KeepRedis(redis::server::Args),
    /// One database server, started by the `database` group.
    #[command(hide = true)]
    KeepDatabase(database::server::Args),
    /// One count of resident bytes, started by the `memory` group.
    #[command(hide = true)]
    Resident(bytes::Args),
}

/// Options that every group understands.
#[derive(Debug, Args)]
struct Options {
    /// Print rows as a JSON array instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Short slices, to see that everything runs; the figures mean little.
    #[arg(long, global = true)]
    quick: bool,
    /// Only the cases whose name contains this text.
    #[arg(long, global = true, value_name = "TEXT")]
    filter: Option<String>,
}

impl Options {
    fn selects(&self, case: &str) -> bool {
        self.filter.as_deref().is_none_or(|text| case.contains(text))
    }
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let options = &cli.options;
    let rows = match &cli.group {
        Group::Memory => {
            let mut rows = memory::run(options)?;
            rows.extend(bytes::run(options)?);
            rows
        }
        Group::Http => http::run(options)?,
        Group::Redis => redis::run(options)?,
        Group::Database => database::run(options)?,
        Group::KeepDatabase(args) => return database::server::keep(args),
        Group::KeepRedis(args) => return redis::server::keep(args),
        Group::Serve(args) => return http::serve::run(args),
        Group::Resident(args) => return bytes::resident(args),
    };
    if rows.is_empty() {
        let text = options.filter.as_deref().unwrap_or_default();
        bail!("no case of this group has {text:?} in its name: run without --filter to see all");
    }
    if options.json {
        return table::print_json(&rows);
    }
    table::print(&rows);
    Ok(())
}
