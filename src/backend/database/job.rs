//! What a worker is asked to do.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    claim::Claim,
    look::{Look, Seen},
    stale::{Counts, Stale},
    ticket::Order,
};
use crate::{
    Timestamp,
    backend::{BackendError, Health, OverrideRow},
};

/// Where an answer is awaited.
pub(super) type Answer<T> = oneshot::Sender<Result<T, BackendError>>;

/// Something to be done.
#[derive(Debug)]
pub(super) enum Job {
    /// Something that is decided together with others.
    Decide(Order),
    /// Something that is done by itself.
    Alone(Box<Alone>),
}

#[derive(Debug)]
pub(super) struct Alone {
    pub(super) work: Work,
    /// After this nobody waits for it any more.
    pub(super) deadline: Timestamp,
    pub(super) claim: Arc<Claim>,
}

#[derive(Debug)]
pub(super) enum Work {
    Reset(String, Answer<()>),
    Health(Answer<Health>),
    Migrate(Answer<Vec<String>>),
    Clean(Stale, Answer<Counts>),
    Overrides(Answer<Vec<OverrideRow>>),
    Look(Look, Answer<Seen>),
}

impl Job {
    /// The key that it is about, or the first of several; empty if it is about none.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Decide(order) => order.ticket().request.key(),
            Self::Alone(alone) => match &alone.work {
                Work::Reset(key, _) => key,
                _ => "",
            },
        }
    }

    /// Whether somebody waits for it still.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Decide(order) => !order.ticket().claim.is_given_up(),
            Self::Alone(alone) => !alone.work.is_closed() && !alone.claim.is_given_up(),
        }
    }

    /// Answers that it was not done.
    pub(super) fn fail(self, error: BackendError) {
        match self {
            Self::Decide(order) => order.fail(error),
            Self::Alone(alone) => alone.work.fail(error),
        }
    }
}

impl Work {
    fn is_closed(&self) -> bool {
        match self {
            Self::Reset(_, answer) => answer.is_closed(),
            Self::Health(answer) => answer.is_closed(),
            Self::Migrate(answer) => answer.is_closed(),
            Self::Clean(_, answer) => answer.is_closed(),
            Self::Overrides(answer) => answer.is_closed(),
            Self::Look(_, answer) => answer.is_closed(),
        }
    }

    fn fail(self, error: BackendError) {
        // Whoever asked may have given up.
        match self {
            Self::Reset(_, answer) => drop(answer.send(Err(error))),
            Self::Health(answer) => drop(answer.send(Err(error))),
            Self::Migrate(answer) => drop(answer.send(Err(error))),
            Self::Clean(_, answer) => drop(answer.send(Err(error))),
            Self::Overrides(answer) => drop(answer.send(Err(error))),
            Self::Look(_, answer) => drop(answer.send(Err(error))),
        }
    }
}
