//! What a worker is asked to do, and whether it has begun.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::sync::oneshot;

use super::commit::Request;
use crate::{
    Timestamp, Verdict,
    backend::{BackendError, Health},
};

/// Where an answer is awaited.
pub(super) type Answer<T> = oneshot::Sender<Result<T, BackendError>>;

/// Something to be done.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    /// After this nobody waits for it any more.
    pub(super) deadline: Timestamp,
    begun: Begun,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Something that is decided together with others.
    Decide(Request, Answer<Verdict>),
    Reset(String, Answer<()>),
    Health(Answer<Health>),
    Migrate(Answer<Vec<String>>),
}

/// Whether a job was begun: by a worker, or by who gave it up, so that nobody else does it.
#[derive(Clone, Debug, Default)]
pub(super) struct Begun(Arc<AtomicBool>);

impl Begun {
    /// True for the first who asks.
    pub(super) fn is_first(&self) -> bool {
        !self.0.swap(true, SeqCst)
    }
}

impl Job {
    pub(super) fn new(work: Work, deadline: Timestamp) -> (Self, Begun) {
        let begun = Begun::default();
        (Self { work, deadline, begun: begun.clone() }, begun)
    }

    /// Takes the job on, unless nobody waits for it any more.
    pub(super) fn begin(self) -> Option<Work> {
        let is_abandoned = match &self.work {
            Work::Decide(_, answer) => answer.is_closed(),
            Work::Reset(_, answer) => answer.is_closed(),
            Work::Health(answer) => answer.is_closed(),
            Work::Migrate(answer) => answer.is_closed(),
        };
        (!is_abandoned && self.begun.is_first()).then_some(self.work)
    }

    /// Answers that it was not done.
    pub(super) fn fail(self, error: BackendError) {
        // Whoever asked may have given up.
        match self.work {
            Work::Decide(_, answer) => drop(answer.send(Err(error))),
            Work::Reset(_, answer) => drop(answer.send(Err(error))),
            Work::Health(answer) => drop(answer.send(Err(error))),
            Work::Migrate(answer) => drop(answer.send(Err(error))),
        }
    }
}
