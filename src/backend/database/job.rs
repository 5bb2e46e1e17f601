//! What a worker is asked to do, and whether it is still wanted.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

use tokio::sync::oneshot;

use super::{
    commit::Request,
    look::{Look, Seen},
    stale::{Counts, Stale},
};
use crate::{
    Timestamp, Verdict,
    backend::{BackendError, Health, OverrideRow},
};

/// Where an answer is awaited.
pub(super) type Answer<T> = oneshot::Sender<Result<T, BackendError>>;

/// Something to be done.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    /// After this nobody waits for it any more.
    pub(super) deadline: Timestamp,
    pub(super) claim: Claim,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Something that is decided together with others.
    Decide(Request, Answer<Verdict>),
    Reset(String, Answer<()>),
    Health(Answer<Health>),
    Migrate(Answer<Vec<String>>),
    Clean(Stale, Answer<Counts>),
    Overrides(Answer<Vec<OverrideRow>>),
    Look(Look, Answer<Seen>),
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whether a job is done or was given up, which a worker and who waits agree about.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim(Arc<AtomicU8>);

impl Claim {
    /// For the worker, before it changes anything: whether it may.
    pub(super) fn take(&self) -> bool {
        self.0.compare_exchange(WAITING, TAKEN, SeqCst, SeqCst).is_ok()
            || self.0.load(SeqCst) == TAKEN
    }

    /// For who waits: whether it is certain that nothing was changed, nor will be.
    pub(super) fn give_up(&self) -> bool {
        self.0.compare_exchange(WAITING, GIVEN_UP, SeqCst, SeqCst).is_ok()
    }

    fn is_given_up(&self) -> bool {
        self.0.load(SeqCst) == GIVEN_UP
    }
}

impl Work {
    /// The key that it is about, or the first of several; empty if it is about none.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Decide(request, _) => request.key(),
            Self::Reset(key, _) => key,
            Self::Health(_)
            | Self::Migrate(_)
            | Self::Clean(..)
            | Self::Look(..)
            | Self::Overrides(_) => "",
        }
    }
}

impl Job {
    pub(super) fn new(work: Work, deadline: Timestamp) -> Self {
        Self { work, deadline, claim: Claim::default() }
    }

    /// Whether somebody waits for it still.
    pub(super) fn is_awaited(&self) -> bool {
        let is_closed = match &self.work {
            Work::Decide(_, answer) => answer.is_closed(),
            Work::Reset(_, answer) => answer.is_closed(),
            Work::Health(answer) => answer.is_closed(),
            Work::Migrate(answer) => answer.is_closed(),
            Work::Clean(_, answer) => answer.is_closed(),
            Work::Overrides(answer) => answer.is_closed(),
            Work::Look(_, answer) => answer.is_closed(),
        };
        !is_closed && !self.claim.is_given_up()
    }

    /// Answers that it was not done.
    pub(super) fn fail(self, error: BackendError) {
        // Whoever asked may have given up.
        match self.work {
            Work::Decide(_, answer) => drop(answer.send(Err(error))),
            Work::Reset(_, answer) => drop(answer.send(Err(error))),
            Work::Health(answer) => drop(answer.send(Err(error))),
            Work::Migrate(answer) => drop(answer.send(Err(error))),
            Work::Clean(_, answer) => drop(answer.send(Err(error))),
            Work::Overrides(answer) => drop(answer.send(Err(error))),
            Work::Look(_, answer) => drop(answer.send(Err(error))),
        }
    }
}
