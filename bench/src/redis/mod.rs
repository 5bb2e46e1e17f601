//! Group `redis`: decisions that many processes share, on a private server.
//!
//! Server and client have a core each, except over sockets, where the
//! application has one and everything else the other.

pub(crate) mod capture;
mod ceiling;
mod decisions;
mod flood;
pub(crate) mod server;
mod stage;

use anyhow::Result;

use crate::table::Row;
use crate::{Options, http};

/// Decisions, the flood of refused keys, then requests over sockets.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    let mut rows = decisions::run(options)?;
    rows.extend(flood::run(options)?);
    rows.extend(http::socket::run_on_redis(options)?);
    Ok(rows)
}
