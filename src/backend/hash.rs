//! Keys reduced to 64 bits under a seed that is random in each process.
//!
//! The hash is `foldhash` in its quality form. Its seed comes from the operating system's
//! randomness, so clients can prepare no collisions, but it is no cryptographic function. Two of a
//! million keys share their 64 bits with a probability of 1 in 37 million.

use std::hash::{BuildHasher, Hasher, RandomState};

use foldhash::quality::FixedState;

use crate::Check;

/// A keyed hash function.
#[derive(Debug)]
pub(super) struct KeyHash(FixedState);

impl KeyHash {
    pub(super) fn new() -> Self {
        Self(FixedState::with_seed(RandomState::new().build_hasher().finish()))
    }

    #[inline]
    pub(super) fn of(&self, key: &str) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key.as_bytes());
        hasher.finish()
    }

    /// What stands for a check, whatever its cost: its key, whose hash is given, what its state
    /// means, and its limit. Never 0.
    #[inline]
    pub(super) fn identity(&self, key: u64, check: &Check<'_>) -> u64 {
        self.chain(self.chain(key, check.policy.state_tag()), check.policy.limit()).max(1)
    }

    /// What stands for `next` after everything that `before` stands for.
    #[inline]
    pub(super) fn chain(&self, before: u64, next: u64) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u64(before);
        hasher.write_u64(next);
        hasher.finish()
    }
}

/// `bits / 2^64 · n`, rounded down: a place among `n`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the product's upper half is below n")]
pub(super) fn scale(bits: u64, n: usize) -> usize {
    ((u128::from(bits) * n as u128) >> 64) as usize
}
