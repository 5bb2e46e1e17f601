//! An oracle that knows only the definitions of the algorithms.
//!
//! It keeps, for one key, the list of what was charged and when, and answers every question by
//! looking through that list. Where an implementation has a formula (how much is left, when to
//! come again), the oracle searches: for the largest cost and the earliest time that the
//! definition admits. Buckets are filled step by step in whole parts of a permit, without a
//! theoretical arrival time. Nothing here calls the code under test.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

pub(crate) mod batch;
pub(crate) mod generate;
pub(crate) mod store;
pub(crate) mod turns;

use actix_smart_ratelimit_core::{Decision, Timestamp};

/// Wider than any limit, to ask whether anything at all is held against a key.
const WIDE: u64 = 1 << 54;

/// The definition of one algorithm. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// At most `limit` in each window `[k·period, (k+1)·period)`.
    FixedClock { limit: u64, period: u64 },
    /// At most `limit` in a window that begins with the first charge after the one before ended.
    FixedFirst { limit: u64, period: u64 },
    /// At most `limit` in `(t − period, t]`, at any t.
    Log { limit: u64, period: u64 },
    /// At most `limit` in this window, with what the last one had weighted by its overlap.
    Counter { limit: u64, period: u64 },
    /// `permits` come back in `per` microseconds, up to `capacity`; there are `initial` at first.
    Bucket { capacity: u64, initial: u64, permits: u64, per: u64 },
}

/// What was charged to one key, in the order of time. Amounts are in parts of a permit.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    first_seen: Option<u128>,
    charges: Vec<(u128, u128)>,
}

/// A whole answer, as the definition has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) allowed: bool,
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    pub(crate) reset_at: u64,
    /// `None` if allowed, or if waiting never helps.
    pub(crate) retry_at: Option<u64>,
}

impl From<&Decision> for Answer {
    fn from(decision: &Decision) -> Self {
        Self {
            allowed: decision.is_allowed(),
            limit: decision.limit(),
            remaining: decision.remaining(),
            reset_at: decision.reset_at().as_micros(),
            retry_at: decision.retry_at().map(Timestamp::as_micros),
        }
    }
}

impl Rule {
    pub(crate) fn limit(&self) -> u64 {
        match *self {
            Self::FixedClock { limit, .. }
            | Self::FixedFirst { limit, .. }
            | Self::Log { limit, .. }
            | Self::Counter { limit, .. } => limit,
            Self::Bucket { capacity, .. } => capacity,
        }
    }

    /// After this many microseconds of idleness nothing is held against a key any more; 0 for a
    /// bucket that never fills.
    pub(crate) fn patience(&self) -> u128 {
        match *self {
            Self::FixedClock { period, .. }
            | Self::FixedFirst { period, .. }
            | Self::Log { period, .. } => period.into(),
            Self::Counter { period, .. } => 2 * u128::from(period),
            Self::Bucket { permits: 0, .. } => 0,
            Self::Bucket { capacity, permits, per, .. } => {
                (u128::from(capacity) * u128::from(per)).div_ceil(permits.into())
            }
        }
    }

    /// Parts into which a permit is divided, so that nothing is ever rounded.
    fn parts(&self) -> u128 {
        if let Self::Bucket { per, .. } = *self { per.into() } else { 1 }
    }

    fn with_limit(self, wide: u64) -> Self {
        match self {
            Self::FixedClock { period, .. } => Self::FixedClock { limit: wide, period },
            Self::FixedFirst { period, .. } => Self::FixedFirst { limit: wide, period },
            Self::Log { period, .. } => Self::Log { limit: wide, period },
            Self::Counter { period, .. } => Self::Counter { limit: wide, period },
            bucket @ Self::Bucket { .. } => bucket,
        }
    }

    /// The definition: may `cost` be charged at `t`?
    fn admits(&self, history: &History, t: u128, cost: u64) -> bool {
        let cost = u128::from(cost);
        if cost == 0 {
            return true;
        }
        match *self {
            Self::FixedClock { limit, period } => {
                history.in_window(t / u128::from(period), period) + cost <= limit.into()
            }
            Self::FixedFirst { limit, period } => {
                history.since_first(t, period) + cost <= limit.into()
            }
            Self::Log { limit, period } => {
                let younger = |at: u128| at <= t && at + u128::from(period) > t;
                history.sum(younger) + cost <= limit.into()
            }
            Self::Counter { limit, period } => {
                let whole = u128::from(period);
                let (window, elapsed) = (t / whole, t % whole);
                let before = if window == 0 { 0 } else { history.in_window(window - 1, period) };
                let now = history.in_window(window, period);
                before * (whole - elapsed) + (now + cost) * whole <= u128::from(limit) * whole
            }
            Self::Bucket { .. } => cost * self.parts() <= self.tokens(history, t),
        }
    }

    /// What a bucket holds at `t`, in parts of a token.
    fn tokens(&self, history: &History, t: u128) -> u128 {
        let Self::Bucket { capacity, initial, permits, per } = *self else { return 0 };
        let full = u128::from(capacity) * u128::from(per);
        let refilled = |tokens: u128, micros: u128| full.min(tokens + micros * u128::from(permits));
        let mut tokens = u128::from(initial) * u128::from(per);
        let mut last = history.first_seen.unwrap_or(t);
        for &(at, taken) in &history.charges {
            tokens = refilled(tokens, at - last) - taken;
            last = at;
        }
        refilled(tokens, t - last)
    }

    /// The largest cost that is admitted at `t`.
    fn largest(&self, history: &History, t: u128) -> u64 {
        let (mut admitted, mut refused) = (0, self.limit() + 1);
        while refused - admitted > 1 {
            let middle = admitted + (refused - admitted) / 2;
            match self.admits(history, t, middle) {
                true => admitted = middle,
                false => refused = middle,
            }
        }
        admitted
    }

    /// The earliest time from `now` on at which `cost` is admitted, if nothing else is.
    fn earliest(&self, history: &History, now: u128, cost: u64) -> Option<u128> {
        if self.admits(history, now, cost) {
            return Some(now);
        }
        let (mut refused, mut admitted) = (now, now + self.patience());
        if !self.admits(history, admitted, cost) {
            return None;
        }
        while admitted - refused > 1 {
            let middle = refused + (admitted - refused) / 2;
            match self.admits(history, middle, cost) {
                true => admitted = middle,
                false => refused = middle,
            }
        }
        Some(admitted)
    }
}

impl History {
    fn sum(&self, which: impl Fn(u128) -> bool) -> u128 {
        self.charges.iter().filter(|(at, _)| which(*at)).map(|(_, amount)| amount).sum()
    }

    fn in_window(&self, window: u128, period: u64) -> u128 {
        self.sum(|at| at / u128::from(period) == window)
    }

    /// What was charged in the window that is open at `t`, if windows open with a charge.
    fn since_first(&self, t: u128, period: u64) -> u128 {
        let (mut opened, mut sum) = (None, 0);
        for &(at, amount) in &self.charges {
            if opened.is_none_or(|opened| at >= opened + u128::from(period)) {
                (opened, sum) = (Some(at), 0);
            }
            sum += amount;
        }
        if opened.is_some_and(|opened| t < opened + u128::from(period)) { sum } else { 0 }
    }

    /// The key is known from now on: a bucket that began less than full begins to fill.
    pub(crate) fn see(&mut self, now: u64) {
        self.first_seen.get_or_insert(now.into());
    }

    pub(crate) fn charge(&mut self, rule: &Rule, now: u64, cost: u64) {
        if cost > 0 {
            self.see(now);
            self.charges.push((now.into(), u128::from(cost) * rule.parts()));
        }
    }

    /// Charges a request that was refused and is counted: as much of it as there is room for; of a
    /// log all of it, in place of the oldest.
    pub(crate) fn punish(&mut self, rule: &Rule, now: u64, cost: u64) {
        self.see(now);
        let (t, cost) = (u128::from(now), u128::from(cost));
        let room = |taken: u128| u128::from(rule.limit()).saturating_sub(taken);
        let amount = match *rule {
            Rule::FixedClock { period, .. } | Rule::Counter { period, .. } => {
                cost.min(room(self.in_window(t / u128::from(period), period)))
            }
            Rule::FixedFirst { period, .. } => cost.min(room(self.since_first(t, period))),
            Rule::Log { limit, period } => {
                self.charges.retain(|(at, _)| at + u128::from(period) > t);
                cost.min(limit.into())
            }
            Rule::Bucket { .. } => (cost * rule.parts()).min(rule.tokens(self, t)),
        };
        if amount > 0 {
            self.charges.push((t, amount));
        }
        if let Rule::Log { limit, .. } = *rule {
            self.drop_oldest_above(limit.into());
        }
    }

    fn drop_oldest_above(&mut self, most: u128) {
        let mut over = self.sum(|_| true).saturating_sub(most);
        for (_, amount) in &mut self.charges {
            let dropped = over.min(*amount);
            *amount -= dropped;
            over -= dropped;
        }
        self.charges.retain(|(_, amount)| *amount > 0);
    }

    /// Decides and, if admitted, charges.
    pub(crate) fn take(&mut self, rule: &Rule, now: u64, cost: u64) -> Answer {
        let allowed = rule.admits(self, now.into(), cost);
        if allowed {
            self.charge(rule, now, cost);
        }
        self.state(rule, now, allowed, cost)
    }

    /// Decides as `take` would, and answers with what is there before anything is charged.
    pub(crate) fn look(&self, rule: &Rule, now: u64, cost: u64) -> Answer {
        self.state(rule, now, rule.admits(self, now.into(), cost), cost)
    }

    fn state(&self, rule: &Rule, now: u64, allowed: bool, cost: u64) -> Answer {
        let mut seen = self.clone();
        seen.see(now);
        let now = u128::from(now);
        let until = |at: Option<u128>| at.and_then(|at| u64::try_from(at).ok());
        let everything = rule.limit().max(1);
        let idle = match rule.with_limit(WIDE) {
            bucket @ Rule::Bucket { capacity, .. } => {
                bucket.earliest(&seen, now, everything.min(capacity))
            }
            window => window.earliest(&seen, now, WIDE),
        };
        let retry_at = if allowed { None } else { until(rule.earliest(&seen, now, cost)) };
        Answer {
            allowed,
            limit: rule.limit(),
            remaining: rule.largest(&seen, now),
            reset_at: until(idle).unwrap_or(u64::MAX),
            retry_at: retry_at.filter(|at| *at < u64::MAX),
        }
    }
}
