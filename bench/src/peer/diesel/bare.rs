//! SQLite alone: rows that are there already are changed, each by one statement, as many in a transaction
//! as are in flight. Nothing is asked, decided or answered, so a limiter with a row for each key can
//! hardly be faster.

use std::iter::repeat_n;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel::{QueryResult, SqliteConnection};

use super::Ask;
use super::statement::Statement;
use crate::drive::{Slice, Visit};
use crate::ours::Algorithm;

// The columns that our backend changes with every check; a time is as long as those it writes.
const COUNT: &str = "
UPDATE django_smart_ratelimit_counter
SET count = count + 1, updated_at = '2030-01-01 00:00:00.000' WHERE key = ?";
const STATE: &str = "
UPDATE ratelimit_state
SET first_word = first_word + 1, updated_at = updated_at + 1 WHERE key = ? AND tag = #";

/// The tag of the only limit.
const TAG: &str = "SELECT DISTINCT tag FROM ratelimit_state";

/// One connection to tables of ours in which the keys have their rows.
pub(crate) struct Bare {
    connection: PooledConnection<ConnectionManager<SqliteConnection>>,
    sql: &'static str,
    tag: i64,
}

impl Bare {
    pub(crate) fn new(
        pool: &Pool<ConnectionManager<SqliteConnection>>,
        algorithm: Algorithm,
    ) -> Result<Self> {
        let mut connection = pool.get()?;
        let (sql, tag) = match algorithm {
            Algorithm::FixedWindow => (COUNT, 0),
            Algorithm::Gcra => {
                let tags = connection.rows(Statement { sql: TAG, key: "", number: 0 })?;
                let [tag] = tags[..] else { bail!("the states have {} tags", tags.len()) };
                (STATE, tag)
            }
            other => bail!("{} has more than one row for a key", other.name()),
        };
        Ok(Self { connection, sql, tag })
    }

    /// Transactions that each change `together` rows. Each change takes as long as its transaction.
    pub(crate) fn slice(
        &mut self,
        visit: &Visit,
        together: usize,
        window: Duration,
    ) -> Result<Slice> {
        let (mut changed, mut latencies) = (0, Vec::new());
        let begin = Instant::now();
        let mut last = begin;
        while last < begin + window {
            changed += self.transaction(visit, together)?;
            let now = Instant::now();
            latencies.extend(repeat_n(now - last, together));
            last = now;
        }
        Ok(Slice::new(latencies, changed, last - begin))
    }

    /// How many rows were changed.
    fn transaction(&mut self, visit: &Visit, together: usize) -> QueryResult<u64> {
        let Self { connection, sql, tag } = self;
        let mut changed = 0;
        connection.together(|connection| {
            for _ in 0..together {
                let statement = Statement { sql, key: visit.next(), number: *tag };
                changed += connection.changed(statement)? as u64;
            }
            Ok(true)
        })?;
        Ok(changed)
    }
}
