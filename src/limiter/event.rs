//! What an operator is told.

use tracing::Level;

use super::{RateLimiter, TARGET, observe::Logging};
use crate::{
    Decision, Error,
    backend::{BackendError, multi::ChangeKind},
};

/// Something that an operator may want to count or log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'e> {
    /// What happened.
    pub kind: EventKind,
    /// The limit's scope; empty where it is about a backend as such.
    pub scope: &'e str,
    /// The decision, where there is one.
    pub decision: Option<&'e Decision>,
    /// What is wrong with the store, where that is it.
    pub error: Option<&'e BackendError>,
    /// What is wrong with the limit or override, where that is it.
    pub fault: Option<&'e Error>,
    /// The storage key, where a decision was about one. It may be personal; see [`LogKeys`](crate::LogKeys).
    pub key: Option<&'e str>,
    /// The name of the backend, where it is about one.
    pub backend: Option<&'e str>,
    /// The name of the backend's member, where it is about one of several.
    pub member: Option<&'e str>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A request was refused, or a check that code made.
    Refused,
    /// A request passed that is beyond a limit which only observes.
    Observed,
    /// A request passed that a shadow limit would have refused.
    Shadowed,
    /// A request came from a denied network.
    Denied,
    /// The store could not decide, and `on_error` did. Told for every such request; what changes is told
    /// by the kinds below.
    StoreAway,
    /// A store failed so often that it is asked no more: its circuit breaker opened.
    Opened,
    /// A store that is not asked is being probed.
    HalfOpen,
    /// A store is asked again: its circuit breaker closed.
    Closed,
    /// Another member of a backend decides from now on.
    Failover,
    /// `on_error` begins to decide for a backend.
    FallbackOn,
    /// A backend decides again, and has not failed for a second.
    FallbackOff,
    /// A client without an address was limited by it.
    NoAddress,
    /// A stored override cannot be understood, and was left out.
    OverrideSkipped,
    /// Stored overrides cannot be read; those in force stay.
    OverridesAway,
    /// A limit cannot work as it is written; its requests are refused with status 500.
    Misconfigured,
}

impl EventKind {
    /// Its name, as metrics have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Observed => "observed",
            Self::Shadowed => "shadowed",
            Self::Denied => "denied",
            Self::StoreAway => "store_away",
            Self::NoAddress => "no_address",
            Self::FallbackOn => "fallback_on",
            Self::FallbackOff => "fallback_off",
            Self::Opened => "opened",
            Self::HalfOpen => "half_open",
            Self::Closed => "closed",
            Self::Failover => "failover",
            Self::OverrideSkipped => "override_skipped",
            Self::OverridesAway => "overrides_away",
            Self::Misconfigured => "misconfigured",
        }
    }
}

impl<'e> Event<'e> {
    pub(crate) fn new(
        kind: EventKind,
        scope: &'e str,
        decision: Option<&'e Decision>,
        error: Option<&'e BackendError>,
    ) -> Self {
        Self { kind, scope, decision, error, fault: None, key: None, backend: None, member: None }
    }

    pub(crate) fn misconfigured(scope: &'e str, fault: &'e Error) -> Self {
        let event = Self::new(EventKind::Misconfigured, scope, None, None);
        Self { fault: Some(fault), ..event }
    }

    pub(crate) fn override_skipped(scope: &'e str, fault: &'e Error) -> Self {
        let event = Self::new(EventKind::OverrideSkipped, scope, None, None);
        Self { fault: Some(fault), ..event }
    }

    pub(super) fn of_store(
        kind: EventKind,
        backend: &'e str,
        error: Option<&'e BackendError>,
    ) -> Self {
        Self { backend: Some(backend), ..Self::new(kind, "", None, error) }
    }

    /// Writes it to the log. Of refusals and the like only some, for there may be many.
    pub(super) fn trace(&self, limiter: &RateLimiter) {
        let scope = self.scope;
        match self.kind {
            EventKind::Refused | EventKind::Observed | EventKind::Shadowed | EventKind::Denied => {
                self.trace_sample(limiter);
            }
            EventKind::StoreAway => {
                let error = self.error.map(tracing::field::display);
                tracing::debug!(target: TARGET, scope, error, "rate limit store cannot decide");
            }
            EventKind::FallbackOn => {
                let cause = self.error.and_then(std::error::Error::source).map(ToString::to_string);
                let (backend, error) = (self.backend, self.error.map(tracing::field::display));
                tracing::warn!(target: TARGET, backend, error, cause, "on_error decides: the store cannot");
            }
            EventKind::FallbackOff => {
                tracing::info!(target: TARGET, backend = self.backend, "the store decides again");
            }
            // Logged where it happens.
            EventKind::Opened | EventKind::HalfOpen | EventKind::Closed | EventKind::Failover => {}
            EventKind::NoAddress => tracing::warn!(
                target: TARGET,
                scope,
                "client without an address: set trust_unix_peer and a header, or another key"
            ),
            EventKind::OverrideSkipped => {
                let error = self.fault.map(tracing::field::display);
                tracing::warn!(target: TARGET, error, "rate limit override left out");
            }
            EventKind::OverridesAway => {
                let error = self.error.map(tracing::field::display);
                tracing::warn!(
                    target: TARGET,
                    error,
                    "rate limit overrides cannot be read: those in force stay"
                );
            }
            EventKind::Misconfigured => {
                let error = self.fault.map(tracing::field::display);
                tracing::error!(
                    target: TARGET,
                    scope,
                    error,
                    "rate limit cannot work: its requests get a 500"
                );
            }
        }
    }

    fn trace_sample(&self, limiter: &RateLimiter) {
        if !tracing::enabled!(target: TARGET, Level::INFO) {
            return;
        }
        let Logging { keys, every } = limiter.0.settings.logging;
        let every = u64::try_from(every.as_micros()).unwrap_or(u64::MAX);
        let now = limiter.now();
        let Some(left_out) = limiter.0.logged.admit(self.kind, self.scope, now, every) else {
            return;
        };
        let message = match self.kind {
            EventKind::Observed => "request beyond an observing rate limit",
            EventKind::Shadowed => "rate limit would refuse a request",
            EventKind::Denied => "request from a denied network",
            _ => "rate limit refused a request",
        };
        let key = self.key.and_then(|key| keys.show(key));
        let limit = self.decision.map(Decision::limit);
        let retry_after = self.decision.and_then(|decision| decision.retry_after_secs(now));
        tracing::info!(
            target: TARGET,
            scope = self.scope,
            key,
            limit,
            retry_after,
            left_out,
            "{message}"
        );
    }
}

impl From<ChangeKind> for EventKind {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Opened => Self::Opened,
            ChangeKind::HalfOpen => Self::HalfOpen,
            ChangeKind::Closed => Self::Closed,
            ChangeKind::Failover => Self::Failover,
        }
    }
}
