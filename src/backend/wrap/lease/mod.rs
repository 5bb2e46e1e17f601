//! Permits taken in lots and handed out from memory.
//!
//! Why a lot past its lifetime is filled up rather than given back: a bucket cannot tell how much of
//! what comes back has refilled by itself, so it gives back too little, and slow traffic would wear
//! it out. What stays is no worse for the bound, and one question to the store serves for both.

use std::{fmt, sync::Arc, time::Duration};

use self::{
    fetch::Fetch,
    lots::{Asker, Lots, Turn},
};
use crate::{
    Batch, Charge, Check, Error, Policy, Shape,
    backend::{
        Backend, BackendError, BoxFuture, Health, Progress, Stats, Upkeep,
        counter::Counter,
        hash::KeyHash,
        multi::{MemberStatus, Watcher},
    },
};

mod fetch;
mod lots;

/// Hands out permits that it takes from its backend in lots.
///
/// A process asks the store for `q` permits at once and admits the next `q − 1` requests of that key
/// without asking. When a lot is used up, has reached its [`lifetime`](Self::lifetime), or its window
/// has ended, the next request asks the store for what is missing to a full lot.
///
/// # How far it is off
///
/// Every permit that is handed out was taken from the store before, so the processes have handed out
/// what the store has charged less what they hold. A process holds at most `q − 1` permits of a key:
/// a full lot less the one that made it ask. With `m` processes, for each key and policy,
///
/// ```text
/// admitted in any interval ≤ what the algorithm admits in it + m · (q − 1)
/// refused though unused    ≤ m · (q − 1)
/// ```
///
/// What exceeds the algorithm are permits that were taken before the interval and handed out in it.
/// They do not outlive their window, so a fixed window never admits more than its limit. What is
/// refused though unused is held by other processes. Where the store has less than what is missing to
/// a lot, requests ask for exactly their cost, so that near the limit somebody hands out every permit.
///
/// A process that ends, a request that is given up, and a lot that is forgotten for want of room take
/// what they held with them; the algorithm gives it back in its time.
///
/// # What is leased
///
/// Single checks whose cost is above 0 and below the lot. Batches of several checks, policies that
/// count refusals and algorithms of the application's own go to the backend as they are. Whatever
/// only looks, gives back or asks under another limit sees what the store has, without what is held.
///
/// An admission from memory says that it was decided when its lot was, so a refund for it reaches
/// the charge that it came from; its reset is that of the lot.
///
/// ```
/// use std::time::Duration;
/// use actix_smart_ratelimit::{MemoryBackend, backend::wrap::Leases};
///
/// let backend = MemoryBackend::new(10_000); // or one with a server
/// let backend = Leases::around(backend, 20).lifetime(Duration::from_millis(500));
/// ```
pub struct Leases<B> {
    inner: Arc<B>,
    keys: KeyHash,
    lots: Arc<Lots>,
    lot: u32,
    lifetime: u64,
    max_keys: usize,
    leased: Counter,
}

impl<B> Leases<B> {
    /// How long a lot is handed out without asking the backend unless told otherwise.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(1);
    /// Keys of which lots are held unless told otherwise.
    pub const DEFAULT_MAX_KEYS: usize = 100_000;

    /// Takes permits from `inner` in lots of `lot`: 2 at least, and never more than a policy's limit.
    #[must_use]
    pub fn around(inner: B, lot: u32) -> Self {
        let max_keys = Self::DEFAULT_MAX_KEYS;
        let leases = Self {
            inner: Arc::new(inner),
            keys: KeyHash::new(),
            lots: Arc::new(Lots::new(max_keys)),
            lot: lot.max(2),
            lifetime: 0,
            max_keys,
            leased: Counter::default(),
        };
        leases.lifetime(Self::DEFAULT_LIFETIME)
    }

    /// How long permits of a lot are handed out before the backend is asked again, to fill the lot
    /// up; [1 s](Self::DEFAULT_LIFETIME) by default. Until then a process does not notice that the
    /// store is away, nor what others do to the key.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = u64::try_from(lifetime.as_micros()).unwrap_or(u64::MAX);
        self
    }

    /// Keys of which lots are held, [100,000](Self::DEFAULT_MAX_KEYS) by default, at least 1 and
    /// rounded up to a multiple of 8. A lot takes some 90 bytes. While there is no room, further keys are
    /// not leased; lots past their lifetime make room.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self.lots = Arc::new(Lots::new(keys));
        self
    }

    /// The backend that it takes permits from.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Permits of a full lot under a policy.
    fn size(&self, policy: &Policy) -> u32 {
        u32::try_from(policy.limit()).unwrap_or(u32::MAX).min(self.lot)
    }

    /// The size of a lot for this check, if it can be leased.
    fn lot_for(&self, check: &Check<'_>) -> Option<u32> {
        if check.cost == 0 || !is_leasable(check.policy) {
            return None;
        }
        let size = self.size(check.policy);
        (check.cost < size).then_some(size)
    }
}

fn is_leasable(policy: &Policy) -> bool {
    !policy.counts_refused() && !matches!(policy.shape(), Shape::Custom(_))
}

#[deny(clippy::missing_trait_methods)]
impl<B: Backend> Backend for Leases<B> {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let &[check] = batch.checks() else { return self.inner.check(batch) };
        let Some(size) = self.lot_for(&check) else { return self.inner.check(batch) };
        let key = self.keys.of(check.key);
        let asker = Asker { key, id: self.keys.identity(key, &check) };
        let sent_at = batch.now();
        match self.lots.turn(asker, check.cost, size, sent_at) {
            Turn::Admitted(admission) => {
                self.leased.add_one();
                admission.answer(batch);
                Progress::Done
            }
            Turn::Exact => self.inner.check(batch),
            Turn::Fetch { ticket, cost: lot, worthless } => {
                let (lots, lifetime) = (self.lots.clone(), self.lifetime);
                let fetch = Fetch { lots, asker, ticket, lot, cost: check.cost, sent_at, lifetime };
                fetch.send(&self.inner, batch, worthless)
            }
        }
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let forgotten = Forgotten::new(&self.lots, self.keys.of(key));
        let done = self.inner.reset(key);
        Box::pin(async move {
            let result = done.await;
            drop(forgotten);
            result
        })
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.inner.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        let inner = self.inner.stats();
        Stats { leased: inner.leased.saturating_add(self.leased.sum()), ..inner }
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        self.inner.upkeep()
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.inner.validate(policy, cost)?;
        match cost < self.size(policy) && is_leasable(policy) {
            true => self.inner.validate(policy, self.size(policy)),
            false => Ok(()),
        }
    }

    fn members(&self) -> Vec<MemberStatus> {
        self.inner.members()
    }

    fn watch(&self, watcher: &Watcher) {
        self.inner.watch(watcher);
    }
}

/// A key whose lots are forgotten, now and, as some may be taken meanwhile, when this is dropped.
struct Forgotten {
    lots: Arc<Lots>,
    key: u64,
}

impl Forgotten {
    fn new(lots: &Arc<Lots>, key: u64) -> Self {
        lots.forget(key);
        Self { lots: lots.clone(), key }
    }
}

impl Drop for Forgotten {
    fn drop(&mut self) {
        self.lots.forget(self.key);
    }
}

impl<B: fmt::Debug> fmt::Debug for Leases<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases")
            .field("inner", &self.inner)
            .field("lot", &self.lot)
            .field("lifetime", &Duration::from_micros(self.lifetime))
            .field("max_keys", &self.max_keys)
            .finish_non_exhaustive()
    }
}
