//! One decision: member after member, each at most once, within one deadline.

use std::{pin::pin, sync::Arc};

use tokio::time::sleep;

use super::{Shared, order::Order};
use crate::{
    Batch, Mode, Timestamp, Verdict,
    backend::{
        BackendError, BoxFuture, Fate, Progress,
        asked::Asked,
        breaker::{Guard, Ticket, undecided},
    },
};

/// A decision for which a member has to be waited for.
pub(super) struct Waiting {
    pub(super) shared: Arc<Shared>,
    pub(super) order: Order,
    pub(super) asked: Asked,
    /// When the batch was asked, by the caller's clock.
    pub(super) now: Timestamp,
    pub(super) fate: Fate,
}

/// How a member answers.
pub(super) enum Step {
    Decided,
    Later(Later),
    Failed(BackendError),
    /// There is no member left.
    Nobody,
}

pub(super) struct Later {
    guard: Arc<Guard>,
    ticket: Ticket,
    answer: BoxFuture<Result<Verdict, BackendError>>,
}

impl Shared {
    /// Asks the next member.
    #[inline]
    pub(super) fn step(&self, order: &mut Order, batch: &mut Batch<'_>, mode: Mode) -> Step {
        let Some(index) = order.next(&self.seeds, |index| self.members[index].is_closed()) else {
            return Step::Nobody;
        };
        let guard = &self.members[index];
        // Its breaker may have opened since.
        let Some(ticket) = guard.pass() else { return Step::Failed(guard.away()) };
        let progress = match mode {
            Mode::Charge => guard.backend().check(batch),
            Mode::Peek => guard.backend().peek(batch),
        };
        match progress {
            Progress::Done if batch.verdict().decisions().len() == batch.checks().len() => {
                guard.answered_at_once();
                Step::Decided
            }
            Progress::Done => {
                let error = undecided();
                guard.failed(ticket, &error);
                Step::Failed(error)
            }
            Progress::Pending(answer) => {
                Step::Later(Later { guard: guard.clone(), ticket, answer })
            }
        }
    }
}

impl Waiting {
    pub(super) async fn decide(mut self, mut later: Later) -> Result<Verdict, BackendError> {
        let deadline = self.shared.deadline();
        let mut end = pin!(sleep(deadline));
        loop {
            let turn = sleep(self.shared.member_deadline(deadline));
            let patience = async {
                tokio::select! {
                    () = turn => {}
                    () = &mut end => {}
                }
            };
            let Later { guard, ticket, answer } = later;
            let checks = self.asked.checks.len();
            let mut error = match guard.wait(ticket, answer, checks, patience).await {
                Ok(verdict) => return Ok(verdict),
                Err(error) => error,
            };
            later = loop {
                if error.fate() == Fate::Unknown {
                    self.fate = Fate::Unknown;
                }
                if end.is_elapsed() {
                    return Err(error.with_fate(self.fate));
                }
                let mut batch = self.asked.batch_at(self.now);
                match self.shared.step(&mut self.order, &mut batch, self.asked.mode) {
                    Step::Decided => return Ok(batch.into_verdict()),
                    Step::Later(later) => break later,
                    Step::Failed(next) => error = next,
                    Step::Nobody => return Err(error.with_fate(self.fate)),
                }
            };
        }
    }
}
