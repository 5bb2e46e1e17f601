//! Sliding window: the exact log of what was admitted.
//!
//! With `N(t − P, t]` the cost admitted in the last period, a request of cost `c` at time `t` is
//! admitted when
//!
//! ```text
//! N(t − P, t] + c ≤ limit
//! ```
//!
//! An entry exactly one period old has left. Every half-open interval of one period therefore holds
//! at most the limit.

use std::collections::VecDeque;

use crate::{decision::Decision, rate::Rate, time::Timestamp};

/// What the transition asks of a store's log of one key.
///
/// The log has been brought up to date before: entries of one period and older are gone, and none
/// lies in the future.
pub trait Entries {
    /// Cost of all entries together.
    fn used(&self) -> u64;
    /// Time of the newest entry.
    fn newest(&self) -> Option<Timestamp>;
    /// Time of the entry with which the oldest ones together reach `cost`.
    fn oldest_reaching(&self, cost: u64) -> Option<Timestamp>;
}

/// Parameters of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    limit: u32,
    period: u64,
}

impl Log {
    /// At most the rate's limit in any period.
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { limit: rate.limit(), period: rate.period_micros() }
    }

    /// The rule of the module, for one key, of which `pending` permits more than logged are taken
    /// by earlier checks of the same batch.
    #[inline]
    #[must_use]
    pub fn step(&self, log: &impl Entries, now: Timestamp, cost: u32, pending: u64) -> Decision {
        let limit = u64::from(self.limit);
        let cost = u64::from(cost);
        let used = log.used().saturating_add(pending);
        let remaining = limit.saturating_sub(used);
        if cost <= remaining {
            let reset_at = if cost + pending > 0 { Some(now) } else { log.newest() };
            return Decision::allow(limit, remaining - cost, self.left_at(reset_at, now));
        }
        let retry_at = if cost > limit {
            Timestamp::MAX
        } else {
            // More is used than the limit leaves room for; what is missing must leave first. What
            // is only pending would be logged now.
            let missing = used + cost - limit;
            self.left_at(Some(log.oldest_reaching(missing).unwrap_or(now)), now)
        };
        let newest = if pending > 0 { Some(now) } else { log.newest() };
        Decision::refuse(limit, remaining, self.left_at(newest, now), retry_at)
    }

    /// The period in microseconds.
    #[inline]
    #[must_use]
    pub const fn period(&self) -> u64 {
        self.period
    }

    /// Permits per period.
    #[inline]
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    #[inline]
    fn left_at(&self, entry: Option<Timestamp>, now: Timestamp) -> Timestamp {
        entry.map_or(now, |at| at + self.period)
    }
}

/// A log in memory: times and costs, oldest first.
#[derive(Clone, Debug, Default)]
pub struct EntryLog {
    entries: VecDeque<(Timestamp, u32)>,
    used: u64,
}

impl EntryLog {
    /// An empty log.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: VecDeque::new(), used: 0 }
    }

    /// Brings the log up to date: forgets entries of `period` microseconds and older, and moves
    /// entries of the future, written before the clock stepped back, to now.
    pub fn advance(&mut self, now: Timestamp, period: u64) {
        for (at, _) in self.entries.iter_mut().rev().take_while(|(at, _)| *at > now) {
            *at = now;
        }
        while let Some((at, cost)) = self.entries.front().copied() {
            if now.since(at) < period {
                break;
            }
            self.used = self.used.saturating_sub(cost.into());
            self.entries.pop_front();
        }
    }

    /// Adds an admission; `now` is not before the newest entry once the log is up to date.
    pub fn append(&mut self, now: Timestamp, cost: u32) {
        if cost == 0 {
            return;
        }
        self.used = self.used.saturating_add(cost.into());
        match self.entries.back_mut() {
            Some((at, taken)) if *at == now && taken.checked_add(cost).is_some() => *taken += cost,
            _ => self.entries.push_back((now, cost)),
        }
    }

    /// Forgets the oldest until at most `most` permits are used.
    pub fn trim(&mut self, most: u64) {
        while self.used > most {
            let Some((_, cost)) = self.entries.front_mut() else { return };
            let over = u32::try_from(self.used - most).unwrap_or(u32::MAX);
            if over < *cost {
                *cost -= over;
                self.used -= u64::from(over);
                return;
            }
            self.used = self.used.saturating_sub((*cost).into());
            self.entries.pop_front();
        }
    }

    /// Takes back up to `cost` permits of those admitted at `charged_at`.
    pub fn refund(&mut self, charged_at: Timestamp, cost: u32) {
        let mut left = cost;
        let index = self.entries.partition_point(|(at, _)| *at < charged_at);
        // There are several where a clock was set back.
        while let Some((at, taken)) = self.entries.get_mut(index) {
            if *at != charged_at || left == 0 {
                return;
            }
            let back = left.min(*taken);
            *taken -= back;
            left -= back;
            self.used = self.used.saturating_sub(back.into());
            if *taken == 0 {
                self.entries.remove(index);
            }
        }
    }

    /// The entries as times and costs, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        self.entries.iter().copied()
    }

    /// Number of entries; admissions at the same microsecond share one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is logged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entries for EntryLog {
    #[inline]
    fn used(&self) -> u64 {
        self.used
    }

    #[inline]
    fn newest(&self) -> Option<Timestamp> {
        self.entries.back().map(|(at, _)| *at)
    }

    fn oldest_reaching(&self, cost: u64) -> Option<Timestamp> {
        let mut sum = 0_u64;
        self.entries
            .iter()
            .find(|(_, cost_of_entry)| {
                sum = sum.saturating_add((*cost_of_entry).into());
                sum >= cost
            })
            .map(|(at, _)| *at)
    }
}
