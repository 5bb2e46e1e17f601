//! What is told of a decision: to the listener, to logs, to meters.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Event, EventKind, Outcome, Plan, RateLimiter, storage_key::Keys};
use crate::Enforcement;

/// How keys appear in logs. They may be personal: an address, a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogKeys {
    /// As the first 64 bits of their SHA-256, in hexadecimal: the same key looks the same in every
    /// process. A pseudonym, not a secret: who guesses a key can check the guess.
    #[default]
    Hashed,
    /// As they are stored.
    Plain,
    /// Not at all.
    Omitted,
}

/// What logs say, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logging {
    pub(super) keys: LogKeys,
    /// For refusals of one limit.
    pub(super) every: Duration,
}

impl Default for Logging {
    fn default() -> Self {
        Self { keys: LogKeys::Hashed, every: Duration::from_secs(1) }
    }
}

impl LogKeys {
    /// A key as it may appear in a log.
    pub(super) fn show(self, key: &str) -> Option<String> {
        match self {
            Self::Omitted => None,
            Self::Plain => Some(key.escape_debug().collect()),
            Self::Hashed => {
                let mut hashed = String::with_capacity(16);
                super::hex(&Sha256::digest(key.as_bytes())[..8], &mut hashed);
                Some(hashed)
            }
        }
    }
}

impl RateLimiter {
    /// Tells of what was charged, or not. Most decisions are admissions, of which only meters hear.
    #[inline]
    pub(super) fn observe(&self, plan: &Plan, outcome: &Outcome, keys: &Keys) {
        #[cfg(feature = "metrics")]
        plan.meters(self).count(plan.enforcement(), outcome);
        if let Outcome::Decided { decision, .. } = outcome
            && !decision.is_allowed()
        {
            self.observe_refusal(plan, outcome, keys);
        }
    }

    fn observe_refusal(&self, plan: &Plan, outcome: &Outcome, keys: &Keys) {
        let kind = match plan.enforcement() {
            Enforcement::Block => EventKind::Refused,
            Enforcement::Observe => EventKind::Observed,
            Enforcement::Shadow => EventKind::Shadowed,
        };
        let rate = match outcome {
            Outcome::Decided { rate, .. } => *rate,
            Outcome::Unlimited | Outcome::Unavailable => 0,
        };
        let event = Event::new(kind, plan.scope(), outcome.decision(), None);
        self.emit(&Event { key: keys.iter().nth(rate), ..event });
    }

    /// The name of the backend that keeps a plan's counters.
    #[cfg(feature = "metrics")]
    pub(super) fn backend_of(&self, plan: &Plan) -> &str {
        self.0.backends.get(plan.backend()).map_or("", |(name, _)| name)
    }
}
