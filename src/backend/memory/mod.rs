//! The memory backend: one process, bounded, without I/O.
//!
//! Keys are reduced to 64 bits by a hash under a random seed, so a state takes 32 bytes whatever the
//! length of its key, and spread over shards, each behind a lock that is held for some nanoseconds.
//! Two of a million keys share their 64 bits, and then their counter, with a probability of 1 in 37
//! million. The hash is `foldhash` in its quality form. It is seeded from the operating system's
//! randomness, so clients can prepare no collisions, but it is not a cryptographic function; SipHash
//! would be, and is slower.
//!
//! At most `max_keys` states are kept. States that have expired go first. While none has, a new key
//! displaces, among a few, the one that has spent least of its limit; keys that are being refused
//! stay, so a flood of new keys does not set a refused client free.

use std::future::ready;

use parking_lot::{Mutex, MutexGuard};

use self::{
    denial::Denial,
    settlement::{Lone, Several},
    shard::States,
};
use super::{
    Backend, BackendError, BoxFuture, Health, Progress, Stats,
    hash::{KeyHash, scale},
    noted::Noted,
    refusal::is_repeatable,
};
use crate::{Batch, Charge, Check, Mode, settle};

mod denial;
mod mark;
mod settlement;
mod shard;
mod table;

/// States per shard, at most: few enough to sweep in microseconds.
const MOST_PER_SHARD: usize = 3_500;
/// Shards, if each of them gets enough states to fill evenly: so many threads seldom meet.
const SHARDS: usize = 64;
const LEAST_PER_SHARD: usize = 256;

/// States in this process.
///
/// ```
/// use actix_smart_ratelimit::{Algorithm, Batch, Check, MemoryBackend, Policy, Rate, Timestamp};
/// use actix_smart_ratelimit::backend::{Backend, Progress};
///
/// let memory = MemoryBackend::new(10_000);
/// let policy = Policy::new(Algorithm::Gcra, Rate::per_minute(1));
/// let now = Timestamp::from_secs(1_800_000_000);
/// for expected in [true, false] {
///     let mut batch = Batch::of(now, Check { key: "ip:203.0.113.7", policy: &policy, cost: 1 });
///     assert!(matches!(memory.check(&mut batch), Progress::Done));
///     assert_eq!(batch.verdict().is_allowed(), expected);
/// }
/// ```
#[derive(Debug)]
pub struct MemoryBackend {
    shards: Box<[Shard]>,
    keys: KeyHash,
    tags: Noted,
    max_keys: usize,
}

/// Aligned so that neighbours do not share cache lines, and ordered so that what every check looks
/// at lies in the first two of its own, which processors fetch together.
#[derive(Debug)]
#[repr(C, align(128))]
struct Shard {
    denial: Denial,
    states: Mutex<States>,
}

impl MemoryBackend {
    /// Keys that are kept unless told otherwise.
    pub const DEFAULT_MAX_KEYS: usize = 1_000_000;

    /// A backend that keeps at most `max_keys` states (at least 1), each of 32 bytes plus the
    /// table's free space, under 60 measured at a million keys; the exact log of a sliding window takes 16 more for each
    /// entry.
    #[must_use]
    pub fn new(max_keys: usize) -> Self {
        let max_keys = max_keys.max(1);
        let evenly = SHARDS.min(max_keys / LEAST_PER_SHARD);
        let shards = max_keys.div_ceil(MOST_PER_SHARD).max(evenly);
        let share = |index: usize| max_keys / shards + usize::from(index < max_keys % shards);
        let shard = |index| Shard {
            states: Mutex::new(States::new(share(index))),
            denial: Denial::default(),
        };
        Self {
            shards: (0..shards).map(shard).collect(),
            keys: KeyHash::new(),
            tags: Noted::default(),
            max_keys,
        }
    }

    /// Forgets every key.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut states = shard.states.lock();
            states.clear();
            shard.denial.clear();
        }
    }

    /// What stands for a key and the kind of its state; never 0.
    #[inline]
    fn id(hash: u64, state_tag: u64) -> u64 {
        (hash ^ state_tag).max(1)
    }

    /// The shard of all states of a key, from other bits than their places in the shard's table.
    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[self.shard_index(hash)]
    }

    #[inline]
    fn shard_index(&self, hash: u64) -> usize {
        scale(hash.rotate_left(32), self.shards.len())
    }

    #[inline]
    fn settle(&self, batch: &mut Batch<'_>, mode: Mode) {
        let &[check] = batch.checks() else { return self.settle_several(batch, mode) };
        let hash = self.keys.of(check.key);
        let shard = self.shard(hash);
        let state_tag = check.policy.state_tag();
        let id = Self::id(hash, state_tag);
        let repeatable = is_repeatable(&check);
        if repeatable
            && mode == Mode::Charge
            && let Some(refusal) = shard.denial.read(id, check.policy.limit(), batch.now())
        {
            batch.decide(0, refusal);
            return;
        }
        self.tags.note(state_tag);
        let mut states = shard.states.lock();
        let now = states.arrive(batch.now(), &shard.denial);
        let mut lone = Lone::new(&mut states, &shard.denial, id);
        settle(batch, &mut lone, now, mode);
        if let [decision] = batch.verdict().decisions()
            && mode == Mode::Charge
            && !decision.is_allowed()
        {
            lone.mark_refused(repeatable.then_some((decision, now)));
        }
    }

    /// Locks the shards of all keys in the order of their indices, so that no two batches can wait
    /// for each other.
    fn settle_several(&self, batch: &mut Batch<'_>, mode: Mode) {
        let mut several = Several::default();
        let place = |check: &Check<'_>| {
            let (hash, state_tag) = (self.keys.of(check.key), check.policy.state_tag());
            self.tags.note(state_tag);
            (Self::id(hash, state_tag), self.shard_index(hash))
        };
        let places: arrayvec::ArrayVec<_, { crate::MAX_CHECKS }> =
            batch.checks().iter().map(place).collect();
        let mut indices: arrayvec::ArrayVec<_, { crate::MAX_CHECKS }> =
            places.iter().map(|(_, index)| *index).collect();
        indices.sort_unstable();
        let mut now = batch.now();
        let mut last = None;
        for index in indices {
            if last != Some(index) {
                let shard = &self.shards[index];
                let mut states: MutexGuard<'_, _> = shard.states.lock();
                now = now.max(states.arrive(batch.now(), &shard.denial));
                several.hold(index, states, &shard.denial);
                last = Some(index);
            }
        }
        for (id, index) in places {
            several.place(id, index);
        }
        several.arrive(now);
        settle(batch, &mut several, now, mode);
        if mode == Mode::Charge {
            several.mark_refused(batch.verdict().decisions());
        }
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_KEYS)
    }
}

impl Backend for MemoryBackend {
    #[inline]
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.settle(batch, Mode::Charge);
        Progress::Done
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.settle(batch, Mode::Peek);
        Progress::Done
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let hash = self.keys.of(key);
        let shard = self.shard(hash);
        let mut states = shard.states.lock();
        for tag in self.tags.all() {
            let id = Self::id(hash, tag);
            states.withdraw(&shard.denial, id);
            states.forget(id);
        }
        Box::pin(ready(Ok(())))
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let hash = self.keys.of(charge.key);
        let id = Self::id(hash, charge.policy.state_tag());
        let shard = self.shard(hash);
        let mut states = shard.states.lock();
        states.withdraw(&shard.denial, id);
        states.refund(id, &charge);
        Box::pin(ready(Ok(())))
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        let stats = self.stats();
        let mut health = Health::default();
        if stats.evicted_live > 0 {
            let warning = format!(
                "{} keys were forgotten before their time: raise max_keys above {}",
                stats.evicted_live, stats.max_keys
            );
            health.warnings.push(warning);
        }
        Box::pin(ready(Ok(health)))
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats { max_keys: self.max_keys as u64, ..Stats::default() };
        for shard in &self.shards {
            let states = shard.states.lock();
            stats.keys += states.len() as u64;
            stats.evicted_live += states.evicted_live;
            stats.bytes += (states.bytes() + size_of::<Shard>()) as u64;
        }
        stats
    }
}
