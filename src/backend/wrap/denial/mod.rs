//! Refusals that are known to hold, answered without the store.

use std::{fmt, sync::Arc, time::Duration};

pub(in crate::backend) use self::memo::{Memo, Remembered};
use self::{generations::Change, known::Known};
use crate::{
    Batch, Charge, Error, Policy,
    backend::{
        Backend, BackendError, BoxFuture, Health, Progress, Stats, Upkeep,
        multi::{MemberStatus, Watcher},
    },
};

mod generations;
mod known;
mod lone;
mod memo;
mod several;

/// Answers for keys that cannot be admitted before a known time; everything else goes to the
/// backend inside.
///
/// What a store refuses until some time it would refuse every time until then, unless the key is
/// reset or given something back. So the answer is repeated from memory, and a client that hammers
/// costs the store nothing.
///
/// | an answer is repeated | |
/// |---|---|
/// | for | the same keys, policies and limits, at cost 1; not where refusals are counted or the algorithm is the application's own |
/// | until | the time that the store named, and for [`max_age`](Self::max_age) at most |
/// | not after | a reset or refund of one of its keys through this object, from the moment at which that begins |
///
/// Time is counted on the caller's clock from before the store was asked. The store decided then or
/// later, so no refusal outlasts the truth, whatever the two clocks show. What another process resets
/// or refunds, or what is carried out after its future was dropped, is noticed after `max_age` at the
/// latest. In a batch of several checks that is refused, each keeps the answer that it had at first.
///
/// Only answers that have to wait for a store ([`Progress::Pending`]) are remembered. A check and
/// its key are known by 64 bits of a hash under a random seed: with 65,536 refusals remembered, another
/// key is taken for one of them with a probability of 1 in 280 trillion.
///
/// ```
/// use std::time::Duration;
/// use actix_smart_ratelimit::{MemoryBackend, backend::wrap::DenialCache};
///
/// let backend = MemoryBackend::new(10_000); // or one with a server
/// let backend = DenialCache::around(backend).capacity(10_000).max_age(Duration::from_millis(500));
/// ```
pub struct DenialCache<B> {
    inner: B,
    known: Option<Arc<Known>>,
    capacity: usize,
    max_age: u64,
}

impl<B> DenialCache<B> {
    /// Refusals that are remembered unless told otherwise.
    pub const DEFAULT_CAPACITY: usize = 65_536;
    /// How long one answer is repeated at most unless told otherwise.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(1);

    /// Remembers what `inner` refuses, with the default capacity and age.
    #[must_use]
    pub fn around(inner: B) -> Self {
        let cache = Self { inner, known: None, capacity: 0, max_age: 0 };
        cache.capacity(Self::DEFAULT_CAPACITY).max_age(Self::DEFAULT_MAX_AGE)
    }

    /// How many refusals find room, [65,536](Self::DEFAULT_CAPACITY) by default; 0 turns the cache off.
    /// For those of single checks there are twice as many places, of 64 bytes, for places are found by
    /// hash; when all that one could have are taken it is not remembered. Those of batches, of which
    /// as many may be remembered besides, take some 70 bytes and 40 for each check. The room is taken
    /// when the first refusal is remembered.
    #[must_use]
    pub fn capacity(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self.known = (entries > 0).then(|| Arc::new(Known::new(entries)));
        self
    }

    /// How long one answer is repeated before the store is asked again,
    /// [1 s](Self::DEFAULT_MAX_AGE) by default: the bound within which a reset or refund by another
    /// process is noticed. 0 remembers nothing.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        self
    }

    /// The backend that it answers for.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Decides a batch that is known to be refused, and has others asked about. What is asked comes back
    /// with a memo of it if the answer may be remembered.
    #[inline]
    pub(in crate::backend) fn unless_known<F>(
        &self,
        batch: &mut Batch<'_>,
        ask: impl FnOnce(&B, &mut Batch<'_>) -> Option<F>,
    ) -> Option<(F, Option<Memo>)> {
        let known = self.known.as_ref();
        let question = known.and_then(|known| Some((known, known.question(batch)?)));
        if question.as_ref().is_some_and(|(known, question)| known.answer(question, batch)) {
            return None;
        }
        let answer = ask(&self.inner, batch)?;
        let memo = question.map(|(known, question)| {
            let limit = batch.checks().first().map_or(0, |check| check.policy.limit());
            Memo { known: known.clone(), question, limit, max_age: self.max_age }
        });
        Some((answer, memo))
    }
}

#[deny(clippy::missing_trait_methods)]
impl<B: Backend> Backend for DenialCache<B> {
    #[inline]
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let ask = |inner: &B, batch: &mut Batch<'_>| match inner.check(batch) {
            Progress::Done => None,
            Progress::Pending(answer) => Some(answer),
        };
        match self.unless_known(batch, ask) {
            None => Progress::Done,
            Some((answer, None)) => Progress::Pending(answer),
            Some((answer, memo)) => Progress::Pending(Box::pin(Remembered { answer, memo })),
        }
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let change = self.known.as_ref().map(|known| known.change(key));
        during(change, self.inner.reset(key))
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let change = self.known.as_ref().map(|known| known.change(charge.key));
        during(change, self.inner.refund(charge))
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        let refused_locally = self.known.as_ref().map_or(0, |known| known.refused_locally.sum());
        let inner = self.inner.stats();
        Stats { refused_locally: inner.refused_locally.saturating_add(refused_locally), ..inner }
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.inner.validate(policy, cost)
    }

    fn members(&self) -> Vec<MemberStatus> {
        self.inner.members()
    }

    fn watch(&self, watcher: &Watcher) {
        self.inner.watch(watcher);
    }

    fn upkeep(&self) -> Option<&dyn Upkeep> {
        self.inner.upkeep()
    }
}

/// A change, held for as long as `done` is waited for.
fn during(
    change: Option<Change>,
    done: BoxFuture<Result<(), BackendError>>,
) -> BoxFuture<Result<(), BackendError>> {
    let Some(change) = change else { return done };
    Box::pin(async move {
        let result = done.await;
        drop(change);
        result
    })
}

impl<B: fmt::Debug> fmt::Debug for DenialCache<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenialCache")
            .field("inner", &self.inner)
            .field("capacity", &self.capacity)
            .field("max_age", &Duration::from_micros(self.max_age))
            .finish_non_exhaustive()
    }
}
