//! How permits come back: six public names, three transitions.
//!
//! | names | transition |
//! |---|---|
//! | fixed window, sliding window counter | [`window`] |
//! | token bucket, leaky bucket, GCRA | [`meter`] |
//! | sliding window | [`log`] |
//!
//! A transition is pure and total: the state of a key, the time and a cost go in, a [`Step`] comes
//! out. State written under a later clock (the clock stepped back) is clamped to now: it never
//! grants permits and never blocks for longer than one period.

use core::{fmt, str::FromStr};

use crate::{
    decision::Decision,
    error::{Error, nearest},
    time::Timestamp,
};

pub mod log;
pub mod meter;
pub mod window;

pub use log::{Entries, EntryLog};
pub use window::WindowStart;

/// How permits come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// At most LIMIT in each window of one period. Up to 2 × LIMIT in a period across a boundary.
    FixedWindow,
    /// At most LIMIT in any half-open interval of one period: an exact log of what was admitted.
    /// The strictest, and the only one whose state grows with LIMIT.
    #[default]
    SlidingWindow,
    /// Two fixed windows, the older one weighted by its overlap. At most 2 × LIMIT − 1 in a period,
    /// close to LIMIT for even traffic, in constant space.
    SlidingWindowCounter,
    /// A bucket of `bucket_size` tokens that refills steadily; a request takes its cost in tokens.
    TokenBucket,
    /// A meter that each request raises by its cost and that leaks steadily; no queue.
    LeakyBucket,
    /// Generic cell rate algorithm: one permit every period / LIMIT, with a burst.
    Gcra,
}

impl Algorithm {
    /// Every algorithm with the name that configuration uses.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("fixed_window", Self::FixedWindow),
        ("sliding_window", Self::SlidingWindow),
        ("sliding_window_counter", Self::SlidingWindowCounter),
        ("token_bucket", Self::TokenBucket),
        ("leaky_bucket", Self::LeakyBucket),
        ("gcra", Self::Gcra),
    ];

    /// The name that configuration uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names = Self::NAMES.iter().map(|(name, _)| *name);
        match Self::NAMES.iter().find(|(name, _)| *name == text) {
            Some((_, algorithm)) => Ok(*algorithm),
            None => {
                let remedy = match nearest(text, names.clone()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("use one of {}", names.collect::<Vec<_>>().join(", ")),
                };
                Err(Error::new("algorithm", text, "unknown algorithm", remedy))
            }
        }
    }
}

/// The state of one key under one policy: two words whose meaning belongs to the algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cell(pub u64, pub u64);

/// What one check would do to a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state afterwards: charged if the decision allows; otherwise only brought up to date, as
    /// if nothing had been asked.
    pub cell: Cell,
    /// From then on, forgetting `cell` changes no decision. [`Timestamp::MAX`]: it always would.
    pub expires: Timestamp,
    /// The decision.
    pub decision: Decision,
}

/// An algorithm of your own.
///
/// `step` must be pure and must not panic. It runs under a lock or inside a transaction and may run
/// again when a store was busy, so it must not read a clock: `now` is the time of the store.
///
/// ```
/// use actix_smart_ratelimit_core::{Cell, CustomAlgorithm, Decision, Step, Timestamp};
///
/// /// Admits while the sum of all costs ever taken is at most `quota`.
/// #[derive(Debug)]
/// struct Lifetime { quota: u64 }
///
/// impl CustomAlgorithm for Lifetime {
///     fn step(&self, cell: Option<Cell>, _now: Timestamp, cost: u32) -> Step {
///         let used = cell.map_or(0, |cell| cell.0);
///         let after = used.saturating_add(cost.into());
///         let never = Timestamp::MAX;
///         if after <= self.quota {
///             let decision = Decision::allow(self.quota, self.quota - after, never);
///             return Step { cell: Cell(after, 0), expires: never, decision };
///         }
///         let decision = Decision::refuse(self.quota, self.quota - used, never, never);
///         Step { cell: Cell(used, 0), expires: never, decision }
///     }
/// }
/// ```
pub trait CustomAlgorithm: fmt::Debug + Send + Sync + 'static {
    /// Decides about `cost` permits for a key whose state is `cell` (`None`: never seen).
    ///
    /// `cost` 0 must allow and change no later decision. A refusal returns the cell uncharged.
    fn step(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step;

    /// The cell after a refused request of `cost` that is to be counted all the same. By default it
    /// is not.
    fn penalize(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let _ = cost;
        self.step(cell, now, 0)
    }

    /// The cell after giving back `cost` permits that were charged at `charged_at`. By default
    /// nothing comes back.
    fn refund(&self, cell: Cell, now: Timestamp, charged_at: Timestamp, cost: u32) -> Step {
        let _ = (charged_at, cost);
        self.step(Some(cell), now, 0)
    }
}
