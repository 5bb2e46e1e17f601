//! The backend itself: every check asks the database.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{
    claim::Claim,
    commit::Request,
    job::{Alone, Answer, Job, Work},
    look::{Look, Seen},
    queues::Queues,
    returned::Returned,
    stale::{Counts, Stale},
    ticket::{Ticket, Waiting},
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
    pub(super) fn ask(&self, batch: &Batch<'_>, mode: Mode) -> Waiting {
        self.decide(Request::Check(Asked::of(batch, mode)))
    }

    /// Has something decided together with others. It waits for its turn from now on, not from when it is
    /// first polled.
    fn decide(&self, request: Request) -> Waiting {
        let deadline = Clock::System.now() + micros(self.deadline);
        let (order, waiting) = Ticket::issue(request, deadline, self.shared.clone());
        self.queues.send(Job::Decide(order));
        waiting
    }

    /// Has something else done, likewise.
    fn send<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce(Answer<T>) -> Work,
    ) -> BoxFuture<Result<T, BackendError>> {
        let (sender, answer) = oneshot::channel();
        let (work, claim) = (work(sender), Arc::<Claim>::default());
        let deadline = Clock::System.now() + micros(within);
        self.queues.send(Job::Alone(Box::new(Alone { work, deadline, claim: claim.clone() })));
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
        Progress::Pending(Box::pin(self.ask(batch, Mode::Charge)))
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        Progress::Pending(Box::pin(self.ask(batch, Mode::Peek)))
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let key = key.to_owned();
        self.send(self.deadline, |answer| Work::Reset(key, answer))
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let done = self.decide(Request::Refund(Returned::of(&charge)));
        Box::pin(async move { done.await.map(drop) })
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.send(self.deadline, Work::Health)
    }

    fn stats(&self) -> Stats {
        Stats { round_trips: self.shared.transactions.load(Relaxed), ..Stats::default() }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
