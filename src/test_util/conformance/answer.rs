//! Answers: what is expected, and what was got.

use std::fmt;

use super::duration::print;
use crate::{Decision, Timestamp};

/// A moment, seen from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// In this many microseconds.
    In(u64),
    Never,
}

/// The answer to one check. Where it is an expected one, `None` may be anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    pub(super) limit: u64,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<When>,
    /// Of a refusal.
    pub(super) retry: Option<When>,
}

impl Answer {
    pub(super) fn of(decision: &Decision, now: Timestamp) -> Self {
        let when = |time: Timestamp| match time {
            Timestamp::MAX => When::Never,
            time => When::In(time.since(now)),
        };
        let retry = decision.retry_at().unwrap_or(Timestamp::MAX);
        Self {
            allowed: decision.is_allowed(),
            limit: decision.limit(),
            remaining: Some(decision.remaining()),
            reset: Some(when(decision.reset_at())),
            retry: (!decision.is_allowed()).then(|| when(retry)),
        }
    }

    /// Whether an expected answer was got, with times at most `tolerance` microseconds apart.
    pub(super) fn is_met_by(&self, got: &Self, tolerance: u64) -> bool {
        self.allowed == got.allowed
            && self.limit == got.limit
            && self.remaining.is_none_or(|remaining| got.remaining == Some(remaining))
            && self.reset.is_none_or(|reset| reset.is_met_by(got.reset, tolerance))
            && self.retry.is_none_or(|retry| retry.is_met_by(got.retry, tolerance))
    }
}

impl When {
    fn is_met_by(self, got: Option<Self>, tolerance: u64) -> bool {
        match (self, got) {
            (Self::In(expected), Some(Self::In(got))) => expected.abs_diff(got) <= tolerance,
            (expected, got) => Some(expected) == got,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(micros) => write!(f, "in {}", print(*micros)),
            Self::Never => f.write_str("never"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.allowed { "allowed" } else { "refused" })?;
        match self.remaining {
            Some(remaining) => write!(f, ", {remaining} of {} left", self.limit)?,
            None => write!(f, ", limit {}", self.limit)?,
        }
        if let Some(reset) = self.reset {
            write!(f, ", reset {reset}")?;
        }
        if let Some(retry) = self.retry {
            write!(f, ", retry {retry}")?;
        }
        Ok(())
    }
}
