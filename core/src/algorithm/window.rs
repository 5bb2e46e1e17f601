//! Fixed window and sliding window counter: one arithmetic.
//!
//! Two counts, `previous` and `current`, of windows of one period `P`; `e` is the time elapsed in
//! the current one. A request of cost `c` is admitted when
//!
//! ```text
//! weight · previous · (P − e) + (current + c) · P ≤ limit · P
//! ```
//!
//! with weight 0 for the fixed window and 1 for the sliding window counter, in 128-bit integers
//! without rounding. Source: the two-counter approximation of a sliding window, as published by
//! Cloudflare ("How we built rate limiting capable of scaling to millions of domains").
//!
//! The cell is the start of the current window in microseconds and `previous << 32 | current`.

use super::{Cell, Step};
use crate::{decision::Decision, rate::Rate, time::Timestamp};

/// Where a fixed window begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WindowStart {
    /// At whole multiples of the period since the Unix epoch, in UTC.
    #[default]
    Clock,
    /// At the first request of a key.
    FirstRequest,
}

/// Parameters of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    limit: u32,
    period: u64,
    start: WindowStart,
    weighted: bool,
}

#[derive(Clone, Copy)]
struct Counts {
    start: Timestamp,
    previous: u32,
    current: u32,
}

impl Window {
    /// At most the rate's limit in each window.
    #[must_use]
    pub const fn fixed(rate: Rate, start: WindowStart) -> Self {
        Self { limit: rate.limit(), period: rate.period_micros(), start, weighted: false }
    }

    /// The older of two windows counts in proportion to its overlap with the last period.
    #[must_use]
    pub const fn sliding_counter(rate: Rate) -> Self {
        let (limit, period) = (rate.limit(), rate.period_micros());
        Self { limit, period, start: WindowStart::Clock, weighted: true }
    }

    /// The rule of the module, for one key.
    #[inline]
    #[must_use]
    pub fn step(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let mut counts = self.roll(cell, now);
        let remaining = self.remaining(&counts, now);
        if cost <= remaining {
            // `remaining` is at most limit − current, so the sum stays within the limit.
            counts.current = counts.current.saturating_add(cost);
            let reset_at = self.untouched_at(&counts, now);
            let decision = Decision::allow(self.limit.into(), (remaining - cost).into(), reset_at);
            return Step { cell: counts.cell(), expires: reset_at, decision };
        }
        let reset_at = self.untouched_at(&counts, now);
        let retry_at = self.retry_at(&counts, cost);
        let decision = Decision::refuse(self.limit.into(), remaining.into(), reset_at, retry_at);
        Step { cell: counts.cell(), expires: reset_at, decision }
    }

    /// Counts a refused request: the window is full.
    #[must_use]
    pub fn penalize(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let mut counts = self.roll(cell, now);
        counts.current = counts.current.max(counts.current.saturating_add(cost).min(self.limit));
        self.step(Some(counts.cell()), now, 0)
    }

    /// Gives `cost` back to the window in which it was charged; nothing if that one is over.
    #[must_use]
    pub fn refund(&self, cell: Cell, now: Timestamp, charged_at: Timestamp, cost: u32) -> Step {
        let mut counts = self.roll(Some(cell), now);
        if charged_at >= counts.start {
            counts.current = counts.current.saturating_sub(cost);
        } else if charged_at + self.period >= counts.start {
            counts.previous = counts.previous.saturating_sub(cost);
        }
        self.step(Some(counts.cell()), now, 0)
    }

    /// The period in microseconds.
    #[inline]
    #[must_use]
    pub const fn period(&self) -> u64 {
        self.period
    }

    /// Permits per window.
    #[inline]
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Where windows begin.
    #[must_use]
    pub const fn start(&self) -> WindowStart {
        self.start
    }

    /// Whether the previous window counts.
    #[must_use]
    pub const fn is_weighted(&self) -> bool {
        self.weighted
    }

    /// The counts as they stand at `now`.
    #[inline]
    fn roll(&self, cell: Option<Cell>, now: Timestamp) -> Counts {
        let Some(counts) = cell.map(Counts::of) else {
            return Counts { start: self.window_of(now), previous: 0, current: 0 };
        };
        let age = now.since(counts.start);
        if age < self.period {
            if counts.start <= now && counts.current > 0 {
                return counts;
            }
            // The clock stepped back: the counts belong to the window of now. Nor has a window begun
            // in which nothing was charged.
            return Counts { start: self.window_of(now), ..counts };
        }
        let start = self.window_of(now);
        let adjacent = self.weighted && start.since(counts.start) == self.period;
        Counts { start, previous: if adjacent { counts.current } else { 0 }, current: 0 }
    }

    #[inline]
    fn window_of(&self, now: Timestamp) -> Timestamp {
        match self.start {
            WindowStart::Clock => now - now.as_micros() % self.period,
            WindowStart::FirstRequest => now,
        }
    }

    /// The largest cost that the rule admits: `limit − current − ⌈previous · (P − e) / P⌉`.
    #[inline]
    fn remaining(&self, counts: &Counts, now: Timestamp) -> u32 {
        let left = self.limit.saturating_sub(counts.current);
        if counts.previous == 0 || left == 0 {
            return left;
        }
        let rest = self.period - now.since(counts.start);
        let weighted = match u64::from(counts.previous).checked_mul(rest) {
            Some(product) => product.div_ceil(self.period),
            None => narrow(
                (u128::from(counts.previous) * u128::from(rest)).div_ceil(self.period.into()),
            ),
        };
        // At most `previous`, which is a u32.
        left.saturating_sub(u32::try_from(weighted).unwrap_or(u32::MAX))
    }

    #[inline]
    fn untouched_at(&self, counts: &Counts, now: Timestamp) -> Timestamp {
        match (self.weighted, counts.previous, counts.current) {
            (_, 0, 0) => now,
            (true, _, 1..) => counts.start + self.period.saturating_mul(2),
            _ => counts.start + self.period,
        }
    }

    /// When the rule first admits `cost` if nothing else is admitted meanwhile.
    fn retry_at(&self, counts: &Counts, cost: u32) -> Timestamp {
        if cost > self.limit {
            return Timestamp::MAX;
        }
        let next_window = counts.start + self.period;
        if !self.weighted {
            return next_window;
        }
        let taken = u64::from(counts.current) + u64::from(cost);
        let limit = u64::from(self.limit);
        if taken <= limit {
            return counts.start + self.faded(counts.previous, limit - taken);
        }
        next_window + self.faded(counts.current, limit - u64::from(cost))
    }

    /// Microseconds into a window after which `count` of the one before weighs at most `room`.
    fn faded(&self, count: u32, room: u64) -> u64 {
        if u64::from(count) <= room {
            return 0;
        }
        let rest = u128::from(room) * u128::from(self.period) / u128::from(count);
        self.period - narrow(rest)
    }
}

impl Counts {
    #[inline]
    fn of(cell: Cell) -> Self {
        Self {
            start: Timestamp::from_micros(cell.0),
            previous: u32::try_from(cell.1 >> 32).unwrap_or(u32::MAX),
            current: u32::try_from(cell.1 & u64::from(u32::MAX)).unwrap_or(u32::MAX),
        }
    }

    #[inline]
    fn cell(&self) -> Cell {
        let counts = u64::from(self.previous) << 32 | u64::from(self.current);
        Cell(self.start.as_micros(), counts)
    }
}

/// Saturates to 64 bits.
pub(super) fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
