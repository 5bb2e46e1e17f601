//! Token bucket, leaky bucket and GCRA: one arithmetic.
//!
//! The state is the theoretical arrival time `TAT`, the moment at which the bucket would be full
//! (the meter empty) again. With capacity `B` and emission interval `T = P / R`, a request of cost
//! `c` at time `t` is admitted when
//!
//! ```text
//! max(TAT, t) + c·T − t ≤ B·T        and then TAT := max(TAT, t) + c·T
//! ```
//!
//! Source: ITU-T I.371, the virtual scheduling form of the generic cell rate algorithm. The other
//! two are views of it: tokens = B − max(0, TAT − t) / T, level = max(0, TAT − t) / T.
//!
//! `T` is rarely a whole number of microseconds, so a time is kept as whole microseconds and a
//! remainder in units of 1/R microseconds, and nothing is rounded. The cell is that pair.

use core::num::NonZeroU32;

use super::{Cell, Step, window::narrow};
use crate::{decision::Decision, time::Timestamp};

/// A time or a span: `whole + rest / R` microseconds, `rest < R`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    whole: u64,
    rest: u64,
}

/// Parameters of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    capacity: u64,
    /// `R` permits come back in `P` microseconds, in lowest terms; `R = 0`: none ever do.
    refill: u64,
    period: u64,
    /// T, of one permit.
    interval: Span,
    /// B·T: the longest that TAT may lie ahead.
    tolerance: Span,
    /// How far ahead TAT lies for a key never seen.
    first: Span,
}

impl Meter {
    /// A bucket of `capacity` permits, of which `initial` are there at first, refilled with
    /// `refill` permits in `period` microseconds.
    ///
    /// `None` when `period` is 0 or filling the bucket would take over 146,000 years.
    #[must_use]
    pub fn new(capacity: u64, initial: u64, refill: u64, period: u64) -> Option<Self> {
        if period == 0 {
            return None;
        }
        // Time stands still where nothing ever comes back, so any interval serves.
        let (refill, period) = if refill == 0 { (0, 1) } else { lowest_terms(refill, period) };
        let parts = refill.max(1);
        let span = |permits: u64| {
            let total = u128::from(permits) * u128::from(period);
            let whole = u64::try_from(total / u128::from(parts)).ok()?;
            (whole < 1 << 62).then(|| Span { whole, rest: narrow(total % u128::from(parts)) })
        };
        Some(Self {
            capacity,
            refill,
            period,
            interval: span(1)?,
            tolerance: span(capacity)?,
            first: span(capacity.saturating_sub(initial))?,
        })
    }

    /// The part of one of so many instances; `None` where filling it would take too long.
    pub(crate) fn share(&self, instances: NonZeroU32) -> Option<Self> {
        let divided = |permits: u64| permits.div_ceil(instances.get().into());
        let parts = u128::from(self.refill.max(1));
        let owed = u128::from(self.first.whole) * parts + u128::from(self.first.rest);
        let initial = self.capacity.saturating_sub(narrow(owed / u128::from(self.period)));
        let period = self.period.checked_mul(instances.get().into())?;
        Self::new(divided(self.capacity), divided(initial), self.refill, period)
    }

    /// The rule of the module, for one key.
    #[inline]
    #[must_use]
    pub fn step(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let still = self.time(now);
        let horizon = self.add(still, self.tolerance);
        let tat = self.arrival(cell, still, horizon);
        if u64::from(cost) > self.capacity {
            return self.refusal(tat, horizon, now, cost, Timestamp::MAX);
        }
        let charged = self.add(tat, self.span(cost));
        if charged > horizon {
            let retry_at = self.ceil(self.sub(charged, self.tolerance), now);
            return self.refusal(tat, horizon, now, cost, retry_at);
        }
        let remaining = self.permits_between(charged, horizon);
        let full_at = self.ceil(charged, now);
        let decision = Decision::allow(self.capacity, remaining, full_at);
        Step { cell: charged.cell(), expires: self.forgettable(full_at), decision }
    }

    /// Counts a refused request: what is left is taken, and an empty bucket stays empty from now.
    #[must_use]
    pub fn penalize(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let still = self.time(now);
        let horizon = self.add(still, self.tolerance);
        let charged = self.add(self.arrival(cell, still, horizon), self.span(cost));
        self.step(Some(charged.min(horizon).cell()), now, 0)
    }

    /// Gives back what is left of `cost` permits taken at `charged_at`: some may have come back by
    /// themselves since, and giving them twice would admit too much.
    #[must_use]
    pub fn refund(&self, cell: Cell, now: Timestamp, charged_at: Timestamp, cost: u32) -> Step {
        let still = self.time(now);
        let tat = self.arrival(Some(cell), still, self.add(still, self.tolerance));
        let elapsed = self.sub(still, self.time(charged_at));
        let back = self.sub(self.span(cost), elapsed);
        let refunded = if tat <= back { still } else { self.sub(tat, back).max(still) };
        self.step(Some(refunded.cell()), now, 0)
    }

    /// B.
    #[inline]
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// `(R, P)`: R permits come back in P microseconds.
    #[must_use]
    pub const fn refill(&self) -> (u64, u64) {
        (self.refill, self.period)
    }

    /// B·T, the longest that a state lies ahead: whole microseconds and a remainder in units of 1/R
    /// microseconds, as a cell has them.
    #[must_use]
    pub const fn tolerance(&self) -> (u64, u64) {
        (self.tolerance.whole, self.tolerance.rest)
    }

    /// How far ahead the state of a key never seen lies, as [`tolerance`](Self::tolerance).
    #[must_use]
    pub const fn first(&self) -> (u64, u64) {
        (self.first.whole, self.first.rest)
    }

    /// c·T, the time that `cost` permits take, as [`tolerance`](Self::tolerance).
    #[must_use]
    pub fn charge(&self, cost: u32) -> (u64, u64) {
        let span = self.span(cost);
        (span.whole, span.rest)
    }

    /// B·T in microseconds, rounded up: the time in which an empty bucket fills.
    #[must_use]
    pub fn fill_micros(&self) -> u64 {
        self.ceil(self.tolerance, Timestamp::ZERO).as_micros()
    }

    #[inline]
    fn refusal(
        &self,
        tat: Span,
        horizon: Span,
        now: Timestamp,
        cost: u32,
        retry_at: Timestamp,
    ) -> Step {
        let retry_at = if self.refill == 0 { Timestamp::MAX } else { retry_at };
        // Where one permit is refused, none is left.
        let remaining = if cost == 1 { 0 } else { self.permits_between(tat, horizon) };
        let full_at = self.ceil(tat, now);
        let decision = Decision::refuse(self.capacity, remaining, full_at, retry_at);
        Step { cell: tat.cell(), expires: self.forgettable(full_at), decision }
    }

    /// max(TAT, t), and never further ahead than B·T: a TAT beyond that was written under a later
    /// clock. A remainder that no state of ours has, from a damaged store, is taken as the largest.
    #[inline]
    fn arrival(&self, cell: Option<Cell>, now: Span, horizon: Span) -> Span {
        match cell {
            Some(Cell(whole, rest)) => {
                let rest = rest.min(self.refill.saturating_sub(1));
                Span { whole, rest }.max(now).min(horizon)
            }
            None => self.add(now, self.first),
        }
    }

    #[inline]
    fn time(&self, now: Timestamp) -> Span {
        Span { whole: if self.refill == 0 { 0 } else { now.as_micros() }, rest: 0 }
    }

    /// c·T.
    #[inline]
    fn span(&self, cost: u32) -> Span {
        if cost == 1 {
            return self.interval;
        }
        let parts = u128::from(self.refill.max(1));
        let total = u128::from(cost) * u128::from(self.period);
        Span { whole: narrow(total / parts), rest: narrow(total % parts) }
    }

    #[inline]
    fn add(&self, a: Span, b: Span) -> Span {
        let parts = self.refill.max(1);
        // Both remainders are below R ≤ 2^63, so the sum fits.
        let rest = a.rest + b.rest;
        let (carry, rest) = if rest >= parts { (1, rest - parts) } else { (0, rest) };
        Span { whole: a.whole.saturating_add(b.whole).saturating_add(carry), rest }
    }

    /// a − b; 0 if b is longer.
    #[inline]
    fn sub(&self, a: Span, b: Span) -> Span {
        if a <= b {
            return Span::default();
        }
        if a.rest >= b.rest {
            return Span { whole: a.whole - b.whole, rest: a.rest - b.rest };
        }
        Span { whole: a.whole - b.whole - 1, rest: self.refill.max(1) - (b.rest - a.rest) }
    }

    /// ⌊(to − from) / T⌋.
    #[inline]
    fn permits_between(&self, from: Span, to: Span) -> u64 {
        let gap = self.sub(to, from);
        let parts = self.refill.max(1);
        match gap.whole.checked_mul(parts).and_then(|ticks| ticks.checked_add(gap.rest)) {
            Some(ticks) => ticks / self.period,
            None => {
                let ticks = u128::from(gap.whole) * u128::from(parts) + u128::from(gap.rest);
                narrow(ticks / u128::from(self.period))
            }
        }
    }

    /// The time rounded up. Where nothing ever comes back it is now, or never.
    #[inline]
    fn ceil(&self, span: Span, now: Timestamp) -> Timestamp {
        if self.refill == 0 {
            return if span.whole == 0 { now } else { Timestamp::MAX };
        }
        Timestamp::from_micros(span.whole) + u64::from(span.rest > 0)
    }

    /// A full bucket is as good as one never seen, unless a bucket begins less than full.
    #[inline]
    fn forgettable(&self, full_at: Timestamp) -> Timestamp {
        if self.first == Span::default() { full_at } else { Timestamp::MAX }
    }
}

impl Span {
    #[inline]
    fn cell(self) -> Cell {
        Cell(self.whole, self.rest)
    }
}

fn lowest_terms(a: u64, b: u64) -> (u64, u64) {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x, b / x)
}
