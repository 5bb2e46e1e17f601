//! A batch that outlives its request's stack frame.

use super::{
    direct::unsupported,
    encode::{Asking, Group},
    fault,
    layout::Kind,
    replay::{self, Reply},
    support,
};
use crate::{
    Batch, Check, Mode, Policy, Timestamp, Verdict,
    backend::{BackendError, ErrorKind},
};

/// A check with everything it needs.
#[derive(Clone, Debug)]
pub(super) struct OwnedCheck {
    pub(super) key: Box<str>,
    pub(super) policy: Policy,
    pub(super) cost: u32,
}

/// Checks of one batch, or those of them that one server can decide.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) mode: Mode,
    pub(super) checks: Vec<OwnedCheck>,
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

    pub(super) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Whether the scripts can decide it.
    pub(super) fn validate(&self) -> Result<(), BackendError> {
        for (index, check) in self.checks.iter().enumerate() {
            if let Err(error) = support::validate(&check.policy, check.cost) {
                return Err(support::unsupported(error));
            }
            let clashes = |other: &OwnedCheck| {
                other.key == check.key
                    && other.policy.state_tag() != check.policy.state_tag()
                    && Kind::of(&other.policy) == Kind::of(&check.policy)
            };
            if self.checks[..index].iter().any(clashes) {
                let reason = "two policies of one algorithm in one decision need keys of their own";
                return Err(fault::not_charged(ErrorKind::Unsupported, reason));
            }
        }
        Ok(())
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        let mut batch = Batch::new(Timestamp::ZERO);
        for OwnedCheck { key, policy, cost } in &self.checks {
            // They were a batch before.
            let _ = batch.push(Check { key, policy, cost: *cost });
        }
        batch
    }

    /// What is sent, with windows on the clock as they are at `at`, of which some have these periods.
    pub(super) fn group(&self, at: Timestamp, periods: &[u64]) -> Result<Group, BackendError> {
        let asking = Asking { mode: self.mode, at, periods };
        Group::of(&self.batch(), asking).ok_or_else(unsupported)
    }

    pub(super) fn verdict(&self, reply: &Reply) -> Option<Verdict> {
        replay::verdict(self.batch(), self.mode, reply)
    }
}
