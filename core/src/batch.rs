//! Several checks that are decided as one: all or nothing.

use arrayvec::ArrayVec;

use crate::{
    decision::{Decision, Verdict},
    error::Error,
    policy::Policy,
    time::Timestamp,
};

/// Most checks in one batch.
pub const MAX_CHECKS: usize = 8;

/// One question: may `key` take `cost` permits under `policy`?
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// The storage key.
    pub key: &'a str,
    /// The policy that decides.
    pub policy: &'a Policy,
    /// Permits asked for; 0 looks without taking.
    pub cost: u32,
}

/// Up to [`MAX_CHECKS`] checks of one request, and, once decided, their verdict.
///
/// A backend answers the whole batch in one atomic step: when any check is refused, none is charged.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    now: Timestamp,
    checks: ArrayVec<Check<'a>, MAX_CHECKS>,
    verdict: Verdict,
}

impl<'a> Batch<'a> {
    /// An empty batch at `now`, the time of the caller's clock. Backends with a server use the
    /// server's clock instead.
    #[inline]
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now, checks: ArrayVec::new(), verdict: Verdict::undecided(now) }
    }

    /// A batch of one check.
    #[inline]
    #[must_use]
    pub fn of(now: Timestamp, check: Check<'a>) -> Self {
        let mut batch = Self::new(now);
        batch.checks.push(check);
        batch
    }

    /// Adds a check.
    ///
    /// # Errors
    /// When the batch already holds [`MAX_CHECKS`].
    #[inline]
    pub fn push(&mut self, check: Check<'a>) -> Result<(), Error> {
        self.checks.try_push(check).map_err(|_| {
            let reason = format!("a request is limited by at most {MAX_CHECKS} rates");
            Error::new("rates", check.key, reason, "remove a rate")
        })
    }

    /// The time of the caller's clock.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The checks, in the order in which they were added.
    #[inline]
    #[must_use]
    pub fn checks(&self) -> &[Check<'a>] {
        &self.checks
    }

    /// The decisions; empty until a backend has decided.
    #[inline]
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The decisions, by value.
    #[inline]
    #[must_use]
    pub fn into_verdict(self) -> Verdict {
        self.verdict
    }

    /// Says by which time of which clock the batch is decided, if not by that of the caller.
    #[inline]
    pub fn decided_at(&mut self, time: Timestamp) {
        self.verdict.set_time(time);
    }

    /// Writes a decision in place, as a backend does that knows the answer without a store.
    #[inline]
    pub fn decide(&mut self, index: usize, decision: Decision) {
        self.verdict.set(index, decision);
    }

    /// The latest check before `index` that shares its state: same key, same kind of cell.
    pub(crate) fn earlier_on_same_state(&self, index: usize) -> Option<usize> {
        let check = self.checks.get(index)?;
        let same = |other: &Check<'_>| {
            other.policy.state_tag() == check.policy.state_tag() && other.key == check.key
        };
        self.checks[..index].iter().rposition(same)
    }
}
