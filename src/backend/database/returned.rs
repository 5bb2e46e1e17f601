//! A charge that is to be given back, in a form that outlives the caller's stack frame.

use crate::{Charge, Timestamp, backend::asked::OwnedCheck};

/// A charge that is to be given back.
#[derive(Clone, Debug)]
pub(super) struct Returned {
    pub(super) check: OwnedCheck,
    pub(super) charged_at: Timestamp,
}

impl Returned {
    pub(super) fn of(charge: &Charge<'_>) -> Self {
        let &Charge { key, policy, cost, charged_at } = charge;
        Self { check: OwnedCheck { key: key.into(), policy: policy.clone(), cost }, charged_at }
    }
}
