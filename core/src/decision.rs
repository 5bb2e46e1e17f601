//! What was decided and until when.

use arrayvec::ArrayVec;

use crate::{batch::MAX_CHECKS, time::Timestamp};

/// The answer of one policy for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    allowed: bool,
    limit: u64,
    remaining: u64,
    reset_at: Timestamp,
    retry_at: Timestamp,
}

impl Decision {
    /// The request may pass; `remaining` permits are left after it.
    #[inline]
    #[must_use]
    pub const fn allow(limit: u64, remaining: u64, reset_at: Timestamp) -> Self {
        Self { allowed: true, limit, remaining, reset_at, retry_at: Timestamp::ZERO }
    }

    /// The request is refused until `retry_at` ([`Timestamp::MAX`]: for ever).
    #[inline]
    #[must_use]
    pub const fn refuse(
        limit: u64,
        remaining: u64,
        reset_at: Timestamp,
        retry_at: Timestamp,
    ) -> Self {
        Self { allowed: false, limit, remaining, reset_at, retry_at }
    }

    /// Whether this policy admits the request.
    #[inline]
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Permits of a whole window, or the capacity of a bucket.
    #[inline]
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The largest cost that would be admitted now.
    #[inline]
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// When the key would be untouched again, if left idle.
    #[inline]
    #[must_use]
    pub const fn reset_at(&self) -> Timestamp {
        self.reset_at
    }

    /// For a refusal: when this same request would be admitted; `None` if it was allowed or never
    /// will be.
    #[inline]
    #[must_use]
    pub fn retry_at(&self) -> Option<Timestamp> {
        (!self.allowed && self.retry_at < Timestamp::MAX).then_some(self.retry_at)
    }

    /// For a refusal: whole seconds from `now`, rounded up and at least 1, until this same request
    /// would be admitted.
    #[must_use]
    pub fn retry_after_secs(&self, now: Timestamp) -> Option<u64> {
        self.retry_at().map(|at| at.secs_since_ceil(now).max(1))
    }

    /// Whether waiting can never help: the limit is 0, or the cost is above it.
    #[inline]
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !self.allowed && self.retry_at == Timestamp::MAX
    }

    /// The same state as `self`, seen by a request that `other` decided.
    #[inline]
    pub(crate) const fn answered_by(self, other: Self) -> Self {
        Self { allowed: other.allowed, retry_at: other.retry_at, ..self }
    }
}

/// The answers to a whole [`Batch`](crate::Batch), in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    decided_at: Timestamp,
    decisions: ArrayVec<Decision, MAX_CHECKS>,
}

impl Verdict {
    /// A verdict of these decisions, made at `decided_at`; those beyond [`MAX_CHECKS`] are dropped.
    #[must_use]
    pub fn new(decided_at: Timestamp, decisions: impl IntoIterator<Item = Decision>) -> Self {
        Self { decided_at, decisions: decisions.into_iter().take(MAX_CHECKS).collect() }
    }

    /// The verdict of a batch that nobody has decided yet.
    pub(crate) fn undecided(now: Timestamp) -> Self {
        Self { decided_at: now, decisions: ArrayVec::new() }
    }

    /// When it was decided, by the clock that the times of its decisions are of: the store's.
    #[inline]
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// Whether every check was admitted, and so all were charged.
    #[inline]
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decisions.iter().all(Decision::is_allowed)
    }

    /// One decision for each check.
    #[inline]
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Index of the check that decides: of a refusal the one that lasts longest, otherwise the one
    /// with the smallest share of its limit left. 0 for an empty batch.
    #[inline]
    #[must_use]
    pub fn deciding(&self) -> usize {
        if self.decisions.len() < 2 {
            return 0;
        }
        let closeness = |d: &Decision| match d.allowed {
            false => (1, u128::from(d.retry_at.as_micros())),
            true => {
                let share = (u128::from(d.remaining) << 64) / u128::from(d.limit.max(1));
                (0, u128::MAX - share)
            }
        };
        let first_of_closest =
            self.decisions.iter().enumerate().rev().max_by_key(|(_, d)| closeness(d));
        first_of_closest.map_or(0, |(index, _)| index)
    }

    #[inline]
    pub(crate) fn set_time(&mut self, decided_at: Timestamp) {
        self.decided_at = decided_at;
    }

    #[inline]
    pub(crate) fn set(&mut self, index: usize, decision: Decision) {
        match self.decisions.get_mut(index) {
            Some(slot) => *slot = decision,
            None => drop(self.decisions.try_push(decision)),
        }
    }
}
