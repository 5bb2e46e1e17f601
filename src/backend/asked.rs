//! A batch that outlives its request's stack frame, for stores that answer later.

use smallvec::SmallVec;

use crate::{Batch, Check, Mode, Policy, Timestamp};

/// A check with everything it needs.
#[derive(Clone, Debug)]
pub(in crate::backend) struct OwnedCheck {
    pub(in crate::backend) key: Box<str>,
    pub(in crate::backend) policy: Policy,
    pub(in crate::backend) cost: u32,
}

/// Checks of one batch; most have one.
#[derive(Clone, Debug)]
pub(in crate::backend) struct Asked {
    pub(in crate::backend) mode: Mode,
    pub(in crate::backend) checks: SmallVec<[OwnedCheck; 1]>,
}

impl Asked {
    pub(in crate::backend) fn of(batch: &Batch<'_>, mode: Mode) -> Self {
        let own = |check: &Check<'_>| OwnedCheck {
            key: check.key.into(),
            policy: check.policy.clone(),
            cost: check.cost,
        };
        Self { mode, checks: batch.checks().iter().map(own).collect() }
    }

    /// The batch as it was, asked at another time of the caller's clock.
    pub(in crate::backend) fn batch_at(&self, now: Timestamp) -> Batch<'_> {
        let mut batch = Batch::new(now);
        for OwnedCheck { key, policy, cost } in &self.checks {
            // They were a batch before.
            let _ = batch.push(Check { key, policy, cost: *cost });
        }
        batch
    }
}
