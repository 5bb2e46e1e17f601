//! Which member is asked first, and which next.

use crate::Check;

/// Most members of one backend.
pub(super) const MOST_MEMBERS: usize = 64;

/// How members share the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// The first one that is well, in their order, decides everything.
    #[default]
    FirstHealthy,
    /// Keys are dealt out, and each keeps its member while that is well. By the key, not by the request,
    /// so that a client meets one counter; by the members' names, so that all processes deal alike and
    /// a member that goes or comes moves no other's keys (rendezvous hashing).
    RoundRobin,
}

/// The order in which members are asked about a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    strategy: Strategy,
    key: u64,
    tried: u64,
}

impl Order {
    #[inline]
    pub(super) fn of(strategy: Strategy, key: &str) -> Self {
        let key = if strategy == Strategy::RoundRobin { hash(together(key)) } else { 0 };
        Self { strategy, key, tried: 0 }
    }

    #[inline]
    pub(super) fn of_checks(strategy: Strategy, checks: &[Check<'_>]) -> Self {
        Self::of(strategy, checks.first().map_or("", |check| check.key))
    }

    /// The best member among `count` of which `is_well` holds, and which was not given before.
    #[inline]
    pub(super) fn next(&mut self, seeds: &[u64], is_well: impl Fn(usize) -> bool) -> Option<usize> {
        let mut left =
            (0..seeds.len()).filter(|index| self.tried & bit(*index) == 0 && is_well(*index));
        let best = match self.strategy {
            Strategy::FirstHealthy => left.next(),
            Strategy::RoundRobin => left.max_by_key(|index| mix(self.key ^ seeds[*index])),
        }?;
        self.tried |= bit(best);
        Some(best)
    }
}

fn bit(index: usize) -> u64 {
    1 << (index % MOST_MEMBERS)
}

/// The part of a storage key that all rates of one limit share: they are decided together.
fn together(key: &str) -> &str {
    key.split('#').next().unwrap_or_default()
}

/// FNV-1a, mixed: the same in every process, whatever it was built by.
pub(super) fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    mix(text.bytes().fold(0xCBF2_9CE4_8422_2325, step))
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
