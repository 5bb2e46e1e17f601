//! What is asked, in a form that outlives the request's stack frame.

use crate::{Batch, Charge, Check, Mode, Policy, Timestamp};

/// A check with everything it needs.
#[derive(Clone, Debug)]
pub(super) struct OwnedCheck {
    pub(super) key: Box<str>,
    pub(super) policy: Policy,
    pub(super) cost: u32,
}

/// Checks of one batch.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) mode: Mode,
    pub(super) checks: Vec<OwnedCheck>,
}

/// A charge that is to be given back.
#[derive(Clone, Debug)]
pub(super) struct Returned {
    pub(super) check: OwnedCheck,
    pub(super) charged_at: Timestamp,
}

impl Asked {
    pub(super) fn of(batch: &Batch<'_>, mode: Mode) -> Self {
        let own = |check: &Check<'_>| OwnedCheck {
            key: check.key.into(),
            policy: check.policy.clone(),
            cost: check.cost,
        };
        Self { mode, checks: batch.checks().iter().map(own).collect() }
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        let mut batch = Batch::new(Timestamp::ZERO);
        for OwnedCheck { key, policy, cost } in &self.checks {
            // They were a batch before.
            let _ = batch.push(Check { key, policy, cost: *cost });
        }
        batch
    }
}

impl Returned {
    pub(super) fn of(charge: &Charge<'_>) -> Self {
        let &Charge { key, policy, cost, charged_at } = charge;
        Self { check: OwnedCheck { key: key.into(), policy: policy.clone(), cost }, charged_at }
    }
}
