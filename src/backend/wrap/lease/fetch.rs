//! Asking the store for a lot.

use std::sync::Arc;

use super::lots::{Admission, Asker, Lots, Terms};
use crate::{
    Batch, Charge, Check, Policy, Timestamp, Verdict,
    backend::{Backend, BackendError, BoxFuture, Progress},
};

/// A question for a lot, from when it is decided on until it is answered or given up.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) lots: Arc<Lots>,
    pub(super) asker: Asker,
    pub(super) ticket: u64,
    /// Permits to ask for.
    pub(super) lot: u32,
    /// Permits that the check itself needs: at most `lot`.
    pub(super) cost: u32,
    pub(super) sent_at: Timestamp,
    /// In microseconds.
    pub(super) lifetime: u64,
}

/// What a check asks, by value.
struct Owned {
    key: Box<str>,
    policy: Policy,
}

impl Fetch {
    /// Asks for the lot. What was taken from a window that is over goes back first.
    pub(super) fn send<B: Backend>(
        self,
        inner: &Arc<B>,
        batch: &mut Batch<'_>,
        worthless: Option<(u32, Timestamp)>,
    ) -> Progress {
        let Some(&check) = batch.checks().first() else { return inner.check(batch) };
        if let Some((cost, charged_at)) = worthless.filter(|_| outlives_its_window(check.policy)) {
            let refund = inner.refund(Charge { cost, charged_at, ..charge(&check) });
            return self.later(inner, &check, Step::GiveBack(refund));
        }
        let mut lot = Batch::of(self.sent_at, Check { cost: self.lot, ..check });
        match inner.check(&mut lot) {
            Progress::Pending(answer) => self.later(inner, &check, Step::Ask(answer)),
            Progress::Done => match self.settle(check.policy, lot.verdict()) {
                Settled::Admitted(admission) => {
                    admission.answer(batch);
                    Progress::Done
                }
                // A batch without decisions tells the caller.
                Settled::Unclear => Progress::Done,
                Settled::Refused => inner.check(batch),
            },
        }
    }

    fn later<B: Backend>(self, inner: &Arc<B>, check: &Check<'_>, step: Step) -> Progress {
        let owned = Owned { key: check.key.into(), policy: check.policy.clone() };
        let inner = inner.clone();
        Progress::Pending(Box::pin(async move {
            let verdict = match step {
                Step::Ask(answer) => answer.await?,
                Step::GiveBack(refund) => {
                    // Whether or not anything came back, the request has to be answered.
                    let _ = refund.await;
                    owned.ask(&*inner, self.sent_at, self.lot).await?
                }
            };
            match self.settle(&owned.policy, &verdict) {
                Settled::Admitted(Admission { decided_at, decision }) => {
                    Ok(Verdict::new(decided_at, [decision]))
                }
                Settled::Unclear => Ok(verdict),
                Settled::Refused => owned.ask(&*inner, self.sent_at, self.cost).await,
            }
        }))
    }

    /// Takes the store's answer.
    fn settle(&self, policy: &Policy, verdict: &Verdict) -> Settled {
        let [decision] = verdict.decisions() else { return Settled::Unclear };
        let terms = Terms::new(policy, self.sent_at, verdict.decided_at(), decision, self.lifetime);
        if decision.is_allowed() {
            let spare = self.lot.saturating_sub(self.cost);
            return Settled::Admitted(self.lots.fill(self.asker, self.ticket, spare, terms));
        }
        let held = self.lots.refuse(self.asker, self.ticket, self.cost, terms);
        held.map_or(Settled::Refused, Settled::Admitted)
    }
}

/// What comes of an answer of the store.
enum Settled {
    Admitted(Admission),
    /// The store has no lot; it has to be asked for the cost alone.
    Refused,
    /// It is no answer to one check.
    Unclear,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.lots.abandon(self.asker, self.ticket);
    }
}

enum Step {
    GiveBack(BoxFuture<Result<(), BackendError>>),
    Ask(BoxFuture<Result<Verdict, BackendError>>),
}

impl Owned {
    /// Asks the store for `cost` permits.
    async fn ask(
        &self,
        inner: &impl Backend,
        now: Timestamp,
        cost: u32,
    ) -> Result<Verdict, BackendError> {
        let answer = {
            let check = Check { key: &self.key, policy: &self.policy, cost };
            let mut batch = Batch::of(now, check);
            match inner.check(&mut batch) {
                Progress::Done => return Ok(batch.into_verdict()),
                Progress::Pending(answer) => answer,
            }
        };
        answer.await
    }
}

/// Whether permits of a window count beyond its end.
fn outlives_its_window(policy: &Policy) -> bool {
    matches!(policy.shape(), crate::Shape::Window(window) if window.is_weighted())
}

fn charge<'a>(check: &Check<'a>) -> Charge<'a> {
    let &Check { key, policy, cost } = check;
    Charge { key, policy, cost, charged_at: Timestamp::ZERO }
}
