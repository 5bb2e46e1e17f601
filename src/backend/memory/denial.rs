//! The latest refusal of a shard, readable without its lock.
//!
//! A client that hammers one key is refused over and over with the same answer. As long as nobody
//! charges, resets or refunds that key, and until the moment at which it would be admitted, the
//! answer cannot change, so it is kept where any thread can read it. Only the holder of the shard's
//! lock writes.

use crate::{Decision, Timestamp, backend::seqlock::SeqLock};

/// State, limit, and the times of the decision, of its reset and of its retry.
#[derive(Debug, Default)]
pub(super) struct Denial(SeqLock<5>);

impl Denial {
    /// The refusal of one permit of `limit` for this state, if it is known to hold at `now`.
    #[inline]
    pub(super) fn read(&self, id: u64, limit: u64, now: Timestamp) -> Option<Decision> {
        let [_, of_limit, times @ ..] = self.0.read(id)?;
        let [decided_at, reset_at, retry_at] = times.map(Timestamp::from_micros);
        let holds = of_limit == limit && decided_at <= now && now < retry_at;
        // A key that nothing can be charged to, and so never is, is untouched at any time.
        holds.then(|| Decision::refuse(limit, 0, reset_at.max(now), retry_at))
    }

    /// Publishes a refusal of one permit, decided at `now`.
    pub(super) fn publish(&self, id: u64, decision: &Decision, now: Timestamp) {
        let retry_at = decision.retry_at().unwrap_or(Timestamp::MAX);
        let [decided_at, reset_at, retry_at] =
            [now, decision.reset_at(), retry_at].map(Timestamp::as_micros);
        self.0.write([id, decision.limit(), decided_at, reset_at, retry_at]);
    }

    /// Withdraws what is published.
    pub(super) fn clear(&self) {
        self.0.write([0; 5]);
    }
}
