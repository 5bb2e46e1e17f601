//! Integer time.

use core::ops::{Add, Sub};

/// A point in time: whole microseconds since the Unix epoch.
///
/// Arithmetic saturates, so a clock that leaps cannot wrap it. [`Timestamp::MAX`] reads as "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const ZERO: Self = Self(0);
    /// Later than any time that a clock shows: never.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the epoch.
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The point `secs` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[inline]
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded up: a client that waits until then never comes early.
    #[inline]
    #[must_use]
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }

    /// Microseconds from `earlier` to `self`; 0 if `earlier` is later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds from `earlier` to `self`, rounded up.
    #[inline]
    #[must_use]
    pub const fn secs_since_ceil(self, earlier: Self) -> u64 {
        self.since(earlier).div_ceil(1_000_000)
    }
}

/// Adds microseconds.
impl Add<u64> for Timestamp {
    type Output = Self;

    #[inline]
    fn add(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// Subtracts microseconds.
impl Sub<u64> for Timestamp {
    type Output = Self;

    #[inline]
    fn sub(self, micros: u64) -> Self {
        Self(self.0.saturating_sub(micros))
    }
}
