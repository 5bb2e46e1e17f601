//! The backend itself: every check asks the database.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{
    commit::Request,
    job::{Answer, Job, Work},
    look::{Look, Seen},
    queues::Queues,
    returned::Returned,
    stale::{Counts, Stale},
    worker::Shared,
};
use crate::{
    Batch, Charge, Clock, Mode,
    backend::{
        Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, OverrideRow, OverrideSource,
        Progress, Stats, asked::Asked,
    },
};

/// What migrations may take.
const MIGRATION: Duration = Duration::from_secs(600);
/// What one batch of a cleanup, or a look at the tables, may take.
const CLEANUP: Duration = Duration::from_secs(60);

/// What reading all overrides may take.
const OVERRIDES: Duration = Duration::from_secs(5);

/// Asks the database.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) queues: Queues,
    pub(super) shared: Arc<Shared>,
    pub(super) deadline: Duration,
}

impl Direct {
    fn ask(&self, batch: &Batch<'_>, mode: Mode) -> Progress {
        let request = Request::Check(Asked::of(batch, mode));
        Progress::Pending(self.send(self.deadline, |answer| Work::Decide(request, answer)))
    }

    /// Has something done. It waits for its turn from now on, not from when it is first polled.
    fn send<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce(Answer<T>) -> Work,
    ) -> BoxFuture<Result<T, BackendError>> {
        let (sender, answer) = oneshot::channel();
        let micros = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
        let job = Job::new(work(sender), Clock::System.now() + micros);
        let claim = job.claim.clone();
        self.queues.send(job);
        Box::pin(async move {
            match timeout(within, answer).await {
                Ok(Ok(result)) => result,
                // A thread that ended without an answer may have committed.
                Ok(Err(_)) => Err(BackendError::new(ErrorKind::Unreachable, Fate::Unknown)),
                Err(_) => {
                    let fate = if claim.give_up() { Fate::NotCharged } else { Fate::Unknown };
                    Err(BackendError::new(ErrorKind::Timeout, fate))
                }
            }
        })
    }

    pub(super) fn migrate(&self) -> BoxFuture<Result<Vec<String>, BackendError>> {
        self.send(MIGRATION, Work::Migrate)
    }

    pub(super) fn clean(&self, stale: Stale) -> BoxFuture<Result<Counts, BackendError>> {
        self.send(CLEANUP, |answer| Work::Clean(stale, answer))
    }

    pub(super) fn look(&self, look: Look) -> BoxFuture<Result<Seen, BackendError>> {
        self.send(CLEANUP, |answer| Work::Look(look, answer))
    }
}

impl OverrideSource for Direct {
    fn overrides(&self) -> BoxFuture<Result<Vec<OverrideRow>, BackendError>> {
        self.send(OVERRIDES, Work::Overrides)
    }
}

impl Backend for Direct {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Mode::Charge)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Mode::Peek)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let key = key.to_owned();
        self.send(self.deadline, |answer| Work::Reset(key, answer))
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let request = Request::Refund(Returned::of(&charge));
        let done = self.send(self.deadline, |answer| Work::Decide(request, answer));
        Box::pin(async move { done.await.map(drop) })
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.send(self.deadline, Work::Health)
    }

    fn stats(&self) -> Stats {
        Stats { round_trips: self.shared.transactions.load(Relaxed), ..Stats::default() }
    }
}
