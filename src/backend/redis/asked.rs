//! What the scripts are asked about a batch, and what becomes of their answer.

use super::{
    direct::unsupported,
    encode::{Asking, Group},
    fault,
    layout::Kind,
    replay::{self, Reply},
    support,
};
use crate::{
    Timestamp, Verdict,
    backend::{
        BackendError, ErrorKind,
        asked::{Asked, OwnedCheck},
    },
};

impl Asked {
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

    /// What is sent, with windows on the clock as they are at `at`, of which some have these periods.
    pub(super) fn group(&self, at: Timestamp, periods: &[u64]) -> Result<Group, BackendError> {
        let asking = Asking { mode: self.mode, at, periods };
        Group::of(&self.batch_at(Timestamp::ZERO), asking).ok_or_else(unsupported)
    }

    pub(super) fn verdict(&self, reply: &Reply) -> Option<Verdict> {
        replay::verdict(self.batch_at(Timestamp::ZERO), self.mode, reply)
    }
}
