//! What a request is told, in the form in which it travels from a worker to who waits.

use crate::{
    Decision, Store, Timestamp, Verdict,
    backend::{BackendError, asked::Asked},
    settle,
};

/// A verdict is large and most are about one check: what another core has to fetch is short.
#[derive(Debug)]
pub(super) enum Answer {
    One(Timestamp, Decision),
    Several(Box<Verdict>),
    Failed(BackendError),
}

impl Answer {
    /// What the transitions decide over the states of a store.
    pub(super) fn settled(asked: &Asked, store: &mut impl Store, now: Timestamp) -> Self {
        let mut batch = asked.batch_at(Timestamp::ZERO);
        settle(&mut batch, store, now, asked.mode);
        match batch.verdict().decisions() {
            [decision] => Self::One(now, *decision),
            _ => Self::Several(Box::new(batch.into_verdict())),
        }
    }

    /// Where there was nothing to decide: a refund, or nobody who waits any more.
    pub(super) fn nothing(now: Timestamp) -> Self {
        Self::Several(Box::new(Verdict::new(now, [])))
    }
}

impl From<Answer> for Result<Verdict, BackendError> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::One(decided_at, decision) => Ok(Verdict::new(decided_at, [decision])),
            Answer::Several(verdict) => Ok(*verdict),
            Answer::Failed(error) => Err(error),
        }
    }
}
