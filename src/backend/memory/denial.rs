//! The latest refusal of a shard, readable without its lock.
//!
//! A client that hammers one key is refused over and over with the same answer. As long as nobody
//! charges, resets or refunds that key, and until the moment at which it would be admitted, the
//! answer cannot change, so it is kept where any thread can read it: a sequence lock made of
//! atomics. Only the holder of the shard's lock writes.

use std::sync::atomic::{AtomicU64, Ordering::*, fence};

use crate::{Decision, Timestamp};

#[derive(Debug, Default)]
pub(super) struct Denial {
    /// Odd while a writer is at work.
    version: AtomicU64,
    id: AtomicU64,
    limit: AtomicU64,
    decided_at: AtomicU64,
    reset_at: AtomicU64,
    retry_at: AtomicU64,
}

impl Denial {
    /// The refusal of one permit of `limit` for this state, if it is known to hold at `now`.
    #[inline]
    pub(super) fn read(&self, id: u64, limit: u64, now: Timestamp) -> Option<Decision> {
        let version = self.version.load(Acquire);
        if self.id.load(Relaxed) != id {
            return None;
        }
        let same_limit = self.limit.load(Relaxed) == limit;
        let decided_at = Timestamp::from_micros(self.decided_at.load(Relaxed));
        let reset_at = Timestamp::from_micros(self.reset_at.load(Relaxed));
        let retry_at = Timestamp::from_micros(self.retry_at.load(Relaxed));
        fence(Acquire);
        let undisturbed = version.is_multiple_of(2) && self.version.load(Relaxed) == version;
        let holds = undisturbed && same_limit && decided_at <= now && now < retry_at;
        // A key that nothing can be charged to, and so never is, is untouched at any time.
        holds.then(|| Decision::refuse(limit, 0, reset_at.max(now), retry_at))
    }

    /// Publishes a refusal of one permit, decided at `now`.
    pub(super) fn publish(&self, id: u64, decision: &Decision, now: Timestamp) {
        let retry_at = decision.retry_at().unwrap_or(Timestamp::MAX);
        self.write(|| {
            self.id.store(id, Relaxed);
            self.limit.store(decision.limit(), Relaxed);
            self.decided_at.store(now.as_micros(), Relaxed);
            self.reset_at.store(decision.reset_at().as_micros(), Relaxed);
            self.retry_at.store(retry_at.as_micros(), Relaxed);
        });
    }

    /// Withdraws what is published.
    pub(super) fn clear(&self) {
        self.write(|| self.id.store(0, Relaxed));
    }

    fn write(&self, stores: impl FnOnce()) {
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        fence(Release);
        stores();
        self.version.store(version.wrapping_add(2), Release);
    }
}
