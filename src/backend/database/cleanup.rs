//! Housekeeping: rows that are of no use any more are removed, a few at a time.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    direct::Direct,
    stale::{Counts, Stale},
};
use crate::backend::BackendError;

/// Which rows to remove, and how.
///
/// ```
/// use std::time::Duration;
///
/// use actix_smart_ratelimit::backend::database::Cleanup;
///
/// let expired = Cleanup::expired();
/// let of_the_api = Cleanup::expired().key_pattern("api:*").dry_run(true);
/// let forgotten = Cleanup::older_than(Duration::from_secs(30 * 24 * 60 * 60));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Cleanup {
    older_than: Option<Duration>,
    key_pattern: String,
    batch_size: u32,
    dry_run: bool,
    only_states: bool,
}

/// How many rows a cleanup has removed, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleaned {
    /// Entries of logs.
    pub entries: u64,
    /// Counters of fixed windows.
    pub counters: u64,
    /// States of the other algorithms.
    pub states: u64,
}

impl Cleanup {
    /// Rows that change no decision any more.
    pub fn expired() -> Self {
        Self {
            older_than: None,
            key_pattern: "*".to_owned(),
            batch_size: 1_000,
            dry_run: false,
            only_states: false,
        }
    }

    /// Rows that were last written so long ago, **also those that still count**: their keys begin anew.
    pub fn older_than(age: Duration) -> Self {
        Self { older_than: Some(age), ..Self::expired() }
    }

    /// Only rows of these keys, as they are stored; `*` stands for anything, also nothing, and every
    /// other character for itself. All keys by default.
    pub fn key_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.key_pattern = pattern.into();
        self
    }

    /// Rows removed in one transaction; 1,000 by default, at least 1. The fewer, the shorter are rows
    /// locked.
    pub fn batch_size(mut self, rows: u32) -> Self {
        self.batch_size = rows.max(1);
        self
    }

    /// Only count; false by default.
    pub fn dry_run(mut self, only_count: bool) -> Self {
        self.dry_run = only_count;
        self
    }

    /// Only states of buckets and the like, neither entries of logs nor counters; false by default.
    pub fn only_states(mut self, only_states: bool) -> Self {
        self.only_states = only_states;
        self
    }

    /// Removes one batch, or only counts.
    pub(super) async fn run_once(&self, direct: &Direct) -> Result<Cleaned, BackendError> {
        let micros = |age: Duration| u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let stale = Stale {
            older_than: self.older_than.map(micros),
            only_states: self.only_states,
            key_pattern: self.key_pattern.clone(),
            batch: (!self.dry_run).then_some(self.batch_size),
        };
        let mut cleaned = Cleaned::default();
        cleaned.add(direct.clean(stale).await?);
        Ok(cleaned)
    }

    /// Removes batch after batch, and tells after each how many rows it were so far.
    pub(super) async fn run(
        self,
        direct: &Direct,
        mut progress: impl FnMut(&Cleaned),
    ) -> Result<Cleaned, BackendError> {
        let mut cleaned = Cleaned::default();
        loop {
            let batch = self.run_once(direct).await?;
            cleaned.add([batch.entries, batch.counters, batch.states]);
            progress(&cleaned);
            if self.dry_run || batch.total() < self.batch_size.into() {
                return Ok(cleaned);
            }
        }
    }
}

impl Cleaned {
    /// All rows together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.entries + self.counters + self.states
    }

    fn add(&mut self, [entries, counters, states]: Counts) {
        self.entries += entries;
        self.counters += counters;
        self.states += states;
    }
}

/// Removes what is expired, again and again.
pub(super) async fn regularly(direct: Direct, every: Duration) {
    loop {
        sleep(every).await;
        if let Err(error) = Cleanup::expired().run(&direct, |_| {}).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(
                target: "actix_smart_ratelimit",
                %error,
                cause = cause.unwrap_or_default(),
                "expired rows were not removed"
            );
        }
    }
}
