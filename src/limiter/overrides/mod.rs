//! Overrides: other rates for some keys, changed while the application runs.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use wildmatch::WildMatchPattern;

use super::{Limit, RateLimiter};
use crate::{Algorithm, Error, Rate};

mod follow;
mod stored;

/// Longest pattern, in bytes.
const LONGEST_PATTERN: usize = 255;

/// Another rate, and perhaps another algorithm, for keys that match a pattern.
///
/// A pattern is compared with the storage key without the limiter's prefix: `{scope}:{key}`, such as
/// `login:ip:203.0.113.7`; a pattern that begins with the prefix means the same. `*` stands for
/// anything, also nothing, and every other character for itself. Of several that match, the most
/// specific one counts: one without `*` before one with, then the one with more other characters, then
/// the one whose first `*` comes later.
///
/// An override replaces all rates of a limit by its one rate. Cost, key, enforcement, backend and
/// `on_error` stay as the limit says; parameters of a bucket do not, since they belong to the rate.
///
/// ```
/// use actix_smart_ratelimit::{Override, Rate, RateLimiter};
///
/// # fn main() -> Result<(), actix_smart_ratelimit::Error> {
/// let limiter = RateLimiter::in_memory();
/// limiter.set_overrides([
///     Override::new("api:*", Rate::per_minute(50))?,
///     Override::new("api:user:42", Rate::per_minute(5_000))?,
/// ])?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pattern: String,
    change: Change,
}

/// What an override says about a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Change {
    rate: Rate,
    algorithm: Option<Algorithm>,
}

impl Override {
    /// Another rate for keys that match `pattern`, by the algorithm that their limit has.
    ///
    /// # Errors
    /// When the pattern is empty, longer than 255 bytes, or has white space or control characters, which
    /// no key has.
    pub fn new(pattern: impl Into<String>, rate: Rate) -> Result<Self, Error> {
        let pattern = pattern.into();
        let invalid = |reason: &'static str| {
            Err(Error::new("key_pattern", &pattern, reason, "write a pattern such as \"api:*\""))
        };
        if pattern.is_empty() {
            return invalid("it is empty");
        }
        if pattern.len() > LONGEST_PATTERN {
            return invalid("it is longer than 255 bytes");
        }
        if pattern.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return invalid("it has white space or a control character, which no key has");
        }
        Ok(Self { pattern, change: Change { rate, algorithm: None } })
    }

    /// Another algorithm as well, with the defaults of its parameters.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.change.algorithm = Some(algorithm);
        self
    }

    /// The pattern.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.change.rate
    }
}

impl Change {
    /// The limit as the override changes it.
    pub(crate) fn applied_to(self, limit: &Limit) -> Limit {
        let mut changed = limit.clone().without_parameters();
        changed.rates = vec![self.rate];
        changed.algorithm = self.algorithm.or(limit.algorithm);
        changed
    }
}

/// The overrides in force.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    exact: HashMap<String, Change>,
    /// The most specific first.
    patterns: Vec<(WildMatchPattern<'*', '\0'>, Change)>,
    /// As they were given.
    given: Vec<Override>,
}

impl Overrides {
    /// # Errors
    /// When two have the same pattern.
    fn new(given: Vec<Override>, prefix: &str) -> Result<Self, Error> {
        let mut overrides = Self::default();
        let mut sorted: Vec<_> =
            given.iter().map(|given| (without(prefix, &given.pattern), given.change)).collect();
        sorted.sort_by_key(|(pattern, _)| (Reverse(specificity(pattern)), *pattern));
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let reason = "two overrides have this pattern";
            return Err(Error::new("key_pattern", twice[0].0, reason, "remove one of the two"));
        }
        for (pattern, change) in sorted {
            if pattern.contains('*') {
                overrides.patterns.push((WildMatchPattern::new(pattern), change));
            } else {
                overrides.exact.insert(pattern.to_owned(), change);
            }
        }
        overrides.given = given;
        Ok(overrides)
    }

    /// What the most specific override says about a key, which comes without the limiter's prefix.
    fn find(&self, key: &str) -> Option<Change> {
        if let Some(change) = self.exact.get(key) {
            return Some(*change);
        }
        self.patterns.iter().find(|(pattern, _)| pattern.matches(key)).map(|(_, change)| *change)
    }
}

/// Whether a pattern has no wildcard, how many other characters, and how many before the first wildcard.
fn specificity(pattern: &str) -> (bool, usize, usize) {
    let wildcards = pattern.matches('*').count();
    let head = pattern.find('*').unwrap_or(pattern.len());
    (wildcards == 0, pattern.chars().count() - wildcards, head)
}

/// A pattern as it is compared with keys.
fn without<'p>(prefix: &str, pattern: &'p str) -> &'p str {
    pattern.strip_prefix(prefix).unwrap_or(pattern)
}

impl RateLimiter {
    /// Puts overrides in force, in place of those that are, from the next decision on.
    ///
    /// # Errors
    /// When two have the same pattern; those in force stay.
    pub fn set_overrides(
        &self,
        overrides: impl IntoIterator<Item = Override>,
    ) -> Result<(), Error> {
        let given: Vec<_> = overrides.into_iter().collect();
        let compiled = Overrides::new(given, &self.0.settings.key_prefix)?;
        let is_any = !compiled.given.is_empty();
        self.0.overrides.store(Arc::new(compiled));
        self.0.has_overrides.store(is_any, Ordering::Release);
        Ok(())
    }

    /// The overrides in force.
    #[must_use]
    pub fn overrides(&self) -> Vec<Override> {
        self.0.overrides.load().given.clone()
    }

    /// What is in force instead of a limit for a storage key.
    #[inline]
    pub(crate) fn override_of(&self, storage_key: &str) -> Option<Change> {
        // Most limiters have none, and looking at a word costs less than at a set that may change.
        if !self.0.has_overrides.load(Ordering::Acquire) {
            return None;
        }
        self.0.overrides.load().find(storage_key.get(self.0.settings.key_prefix.len()..)?)
    }
}
