//! Threads that talk to the database: each takes all that waits for it, and decides it in one transaction.
//!
//! A lone check goes at once; what arrives while its thread is at work goes together in the next
//! transaction, so the more there is to do the less each check costs.

use std::{
    sync::{Arc, atomic::AtomicU64},
    thread,
    time::Duration,
};

use diesel::{
    connection::TransactionManager,
    r2d2::{ConnectionManager, Pool, PooledConnection},
};

use super::{
    attempt::Scope,
    fault::Text,
    hubs::Hubs,
    job::{Alone, Job, Work},
    key::stored,
    overrides,
    post::Post,
    queues::Queues,
    stale::clean,
    tables::Tables,
    time::ServerTime,
};
use crate::{
    Clock, Timestamp,
    backend::{BackendError, ErrorKind, Fate, Health},
};

pub(super) const TARGET: &str = "actix_smart_ratelimit";
/// Jobs in one transaction: few enough that it is short.
const MOST_TOGETHER: usize = 256;
/// Deadlines after which a worker that waits for the database is replaced, and the least for it.
const PATIENCE: (u32, Duration) = (5, Duration::from_secs(1));

/// What the workers of a backend have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) time: ServerTime,
    pub(super) deadline: Duration,
    pub(super) connect_deadline: Duration,
    /// Whether the connections are our own, and set to what we need.
    pub(super) is_own: bool,
    pub(super) transactions: AtomicU64,
    /// Where those wait whom it decides about.
    pub(super) hubs: Hubs,
}

/// Begins the threads. They end when nobody can ask any more.
pub(super) fn begin<T: Tables>(
    pool: &Pool<ConnectionManager<T>>,
    threads: usize,
    shared: &Arc<Shared>,
) -> std::io::Result<Queues> {
    let patience = shared.deadline.saturating_mul(PATIENCE.0).max(PATIENCE.1);
    let (shared, pool) = (shared.clone(), pool.clone());
    let start = move |post: &Arc<Post>| {
        let (post, shared, pool) = (post.clone(), shared.clone(), pool.clone());
        let worker = Worker { number: post.number(), post, shared, pool };
        thread::Builder::new().name("ratelimit-db".into()).spawn(move || worker.run()).map(drop)
    };
    Queues::new(threads, patience, Box::new(start))
}

pub(super) struct Worker<T: Tables> {
    pub(super) post: Arc<Post>,
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
    pool: Pool<ConnectionManager<T>>,
}

pub(super) type Connection<T> = PooledConnection<ConnectionManager<T>>;

impl<T: Tables> Worker<T> {
    fn run(self) {
        let mut is_away = false;
        while let Some(jobs) = self.post.wait(MOST_TOGETHER) {
            let count = jobs.len();
            match self.connection(is_away) {
                Ok(mut connection) => {
                    if is_away {
                        tracing::info!(target: TARGET, "the database is reachable again");
                    }
                    is_away = false;
                    self.work(&mut connection, jobs);
                    if !self.post.is_held_by(self.number) {
                        discard(&mut connection);
                    }
                }
                Err(error) => {
                    if !is_away {
                        tracing::warn!(target: TARGET, cause = error.0, "the database is away");
                    }
                    is_away = true;
                    let kind = ErrorKind::Unreachable;
                    let error = BackendError::with_source(kind, Fate::NotCharged, error);
                    jobs.into_iter().for_each(|job| job.fail(error.clone()));
                }
            }
            self.post.done(count);
            if !self.post.is_held_by(self.number) {
                return self.post.ended();
            }
        }
    }

    /// A connection. While the database is away nobody waits for one: the pool makes one by itself, and
    /// until it has, those who ask are told so at once.
    fn connection(&self, is_away: bool) -> Result<Connection<T>, Text> {
        if is_away {
            return self.pool.try_get().ok_or_else(|| Text("there is no connection".to_owned()));
        }
        let patience = self.shared.connect_deadline;
        self.pool.get_timeout(patience).map_err(|error| Text(error.to_string()))
    }

    /// Does the jobs in their order, those that can be decided together in one transaction.
    fn work(&self, connection: &mut Connection<T>, jobs: Vec<Job>) {
        let mut together = Vec::new();
        let mut deadline = Timestamp::ZERO;
        for job in jobs {
            if !job.is_awaited() {
                continue;
            }
            match job {
                Job::Decide(order) => {
                    deadline = deadline.max(order.ticket().deadline);
                    together.push(order);
                }
                Job::Alone(alone) => {
                    self.decide(connection, std::mem::take(&mut together), deadline);
                    self.do_alone(connection, *alone);
                }
            }
        }
        self.decide(connection, together, deadline);
    }

    fn do_alone(&self, connection: &mut Connection<T>, alone: Alone) {
        let Alone { work, deadline, claim } = alone;
        if claim.take() {
            let may_be_long = matches!(work, Work::Migrate(_) | Work::Clean(..));
            let work_alone = || self.work_alone(connection, work, deadline);
            if may_be_long { work_alone() } else { self.post.timed(self.number, work_alone) }
        }
    }

    fn work_alone(&self, connection: &mut Connection<T>, work: Work, deadline: Timestamp) {
        match work {
            Work::Reset(key, answer) => {
                let forget = |tables: &mut T| Ok(tables.forget(&stored(&key))?);
                let _ = answer.send(self.attempt(connection, deadline, Scope::Transaction, forget));
            }
            Work::Clean(stale, answer) => {
                let now = self.shared.time.manual();
                let done = self.attempt(connection, deadline, Scope::Transaction, |tables| {
                    clean(tables, &stale, now)
                });
                let _ = answer.send(done);
            }
            Work::Overrides(answer) => {
                let read = |tables: &mut T| Ok(overrides::read(tables)?);
                let _ = answer.send(self.attempt(connection, deadline, Scope::Transaction, read));
            }
            Work::Look(look, answer) => {
                let done = self
                    .attempt(connection, deadline, Scope::Transaction, |tables| look.at(tables));
                let _ = answer.send(done);
            }
            Work::Health(answer) => {
                let _ = answer.send(self.health(connection, deadline));
            }
            Work::Migrate(answer) => {
                let done = connection.migrate().map_err(|fault| fault.told(Fate::NotCharged));
                let _ = answer.send(done);
            }
        }
    }

    /// Whether the database is well. Where a connection turns out to be lost, so may those be that wait in
    /// the pool: they are tried until one works, and nobody else meets one that does not.
    fn health(
        &self,
        connection: &mut Connection<T>,
        deadline: Timestamp,
    ) -> Result<Health, BackendError> {
        let mut found = self.health_over(connection, deadline);
        for _ in 0..self.pool.state().idle_connections {
            let is_lost = found.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unreachable);
            let Some(mut other) = is_lost.then(|| self.pool.try_get()).flatten() else { break };
            found = self.health_over(&mut other, deadline);
        }
        found
    }

    /// Asks the database something, and whether its tables are those of this version.
    fn health_over(
        &self,
        connection: &mut Connection<T>,
        deadline: Timestamp,
    ) -> Result<Health, BackendError> {
        let start = Clock::System.now();
        let look = |tables: &mut T| {
            tables.now()?;
            Ok((Clock::System.now().since(start), tables.pending_migrations()?))
        };
        let (round_trip_micros, pending) =
            self.attempt(connection, deadline, Scope::Transaction, look)?;
        if pending.is_empty() {
            return Ok(Health { round_trip_micros, warnings: Vec::new() });
        }
        let text = Text(format!("run migrations, for these were not: {}", pending.join(", ")));
        Err(BackendError::with_source(ErrorKind::Setup, Fate::NotCharged, text))
    }
}

/// Marks a connection that is lost, or was given up and replaced, so that the pool does not keep it. Not
/// every kind of connection notices by itself.
pub(super) fn discard<T: Tables>(connection: &mut Connection<T>) {
    T::TransactionManager::transaction_manager_status_mut(&mut **connection).set_in_error();
}
