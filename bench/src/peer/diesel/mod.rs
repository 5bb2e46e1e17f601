//! `diesel` with `r2d2`: every check by itself, on one of as many threads as there are connections.

pub(crate) mod bare;
mod sql;
mod statement;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};
use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Pool, R2D2Connection};
use diesel::{
    Connection, MysqlConnection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection,
};
use tokio::sync::oneshot;

use self::sql::{Dialect, Sql};
use self::statement::Statement;
use crate::drive::Check;
use crate::ours::{Algorithm, Outcome};

/// One kind of database, asked about one check.
pub(crate) trait Ask: R2D2Connection + SimpleConnection + Connection + 'static {
    const DIALECT: Dialect;

    /// What the statement returns.
    fn rows(&mut self, statement: Statement<'_>) -> QueryResult<Vec<i64>>;

    /// How many rows the statement changes.
    fn changed(&mut self, statement: Statement<'_>) -> QueryResult<usize> {
        Ok(self.rows(statement)?.len())
    }

    /// Whether the statement admits.
    fn decide(&mut self, statement: Statement<'_>) -> QueryResult<bool> {
        Ok(self.rows(statement)?.first().is_some_and(|row| *row != 0))
    }

    /// Does what takes several statements, or needs a transaction to be one.
    fn together(&mut self, work: impl FnOnce(&mut Self) -> QueryResult<bool>) -> QueryResult<bool> {
        self.transaction(work)
    }

    /// Whether one statement needs no transaction.
    const COMMITS_BY_ITSELF: bool = true;
}

impl Ask for PgConnection {
    const DIALECT: Dialect = sql::POSTGRES;

    fn rows(&mut self, statement: Statement<'_>) -> QueryResult<Vec<i64>> {
        statement.load(self)
    }
}

impl Ask for MysqlConnection {
    const DIALECT: Dialect = sql::MARIADB;

    fn rows(&mut self, statement: Statement<'_>) -> QueryResult<Vec<i64>> {
        statement.load(self)
    }

    fn changed(&mut self, statement: Statement<'_>) -> QueryResult<usize> {
        statement.execute(self)
    }

    /// What was written cannot be returned: a prepared statement tells nothing of it beforehand.
    fn decide(&mut self, statement: Statement<'_>) -> QueryResult<bool> {
        Ok(self.changed(statement)? > 0)
    }
}

impl Ask for SqliteConnection {
    const DIALECT: Dialect = sql::SQLITE;
    const COMMITS_BY_ITSELF: bool = false;

    fn rows(&mut self, statement: Statement<'_>) -> QueryResult<Vec<i64>> {
        statement.load(self)
    }

    fn changed(&mut self, statement: Statement<'_>) -> QueryResult<usize> {
        statement.execute(self)
    }

    fn together(&mut self, work: impl FnOnce(&mut Self) -> QueryResult<bool>) -> QueryResult<bool> {
        self.immediate_transaction(work)
    }
}

/// What one check is about, and where its answer is awaited.
type Job = (String, oneshot::Sender<Result<bool>>);

/// Decides every check by a statement or transaction of its own.
pub(crate) struct Single {
    jobs: Sender<Job>,
}

impl Single {
    /// Makes the tables, and starts a thread for each connection of the pool.
    pub(crate) fn new<C: Ask>(
        pool: &Pool<ConnectionManager<C>>,
        algorithm: Algorithm,
        keys: usize,
    ) -> Result<Self> {
        let dialect = C::DIALECT;
        for table in dialect.tables.split(';') {
            pool.get()?.batch_execute(table)?;
        }
        let limit = i64::from(Outcome::Admitted.per_hour(keys));
        let (sql, number) = match algorithm {
            Algorithm::FixedWindow => (dialect.window, limit),
            Algorithm::SlidingWindow => (dialect.log, limit),
            // What one permit takes to come back, in µs.
            _ => (dialect.gcra, (3_600_000_000 / limit).max(1)),
        };
        let (jobs, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..pool.max_size() {
            let (pool, receiver) = (pool.clone(), Arc::clone(&receiver));
            thread::spawn(move || {
                while let Some((key, answer)) = next(&receiver) {
                    let admitted = admitted(&pool, sql, &key, number);
                    // Nobody stops waiting while something is measured.
                    let _ = answer.send(admitted);
                }
            });
        }
        Ok(Self { jobs })
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn admitted<C: Ask>(
    pool: &Pool<ConnectionManager<C>>,
    sql: Sql,
    key: &str,
    number: i64,
) -> Result<bool> {
    let mut connection = pool.get()?;
    let of = |sql| Statement { sql, key, number };
    let decide = |connection: &mut C, sql| connection.decide(of(sql));
    Ok(match sql {
        Sql::One(sql) if C::COMMITS_BY_ITSELF => decide(&mut connection, sql),
        Sql::One(sql) => connection.together(|connection| decide(connection, sql)),
        Sql::Told(first, second) => Ok(connection.changed(of(first))? == 2
            || connection.rows(of(second))?.first().is_some_and(|row| *row != 0)),
        Sql::Several(statements) => connection.together(|connection| {
            statements.iter().try_fold(false, |_, sql| decide(connection, sql))
        }),
    }?)
}

impl Check for Single {
    async fn check(&self, key: &str) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        let job = (key.to_owned(), answer);
        self.jobs.send(job).map_err(|_| anyhow!("the threads have ended"))?;
        answered.await.context("a thread has ended")?
    }
}
