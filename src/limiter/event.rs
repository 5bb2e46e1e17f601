//! What an operator is told.

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
    /// The name of the backend, where it is about one.
    pub backend: Option<&'e str>,
    /// The name of the backend's member, where it is about one of several.
    pub member: Option<&'e str>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A request was refused.
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

impl<'e> Event<'e> {
    pub(crate) fn new(
        kind: EventKind,
        scope: &'e str,
        decision: Option<&'e Decision>,
        error: Option<&'e BackendError>,
    ) -> Self {
        Self { kind, scope, decision, error, fault: None, backend: None, member: None }
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

    /// Keys are never logged: they may be secrets or personal.
    pub(super) fn trace(&self) {
        let Self { scope, .. } = self;
        match self.kind {
            EventKind::Refused => tracing::debug!(scope, "rate limit refused a request"),
            EventKind::Observed => tracing::debug!(scope, "request beyond an observing rate limit"),
            EventKind::Shadowed => tracing::info!(scope, "rate limit would refuse a request"),
            EventKind::Denied => tracing::debug!(scope, "request from a denied network"),
            EventKind::StoreAway => {
                let error = self.error.map(tracing::field::display);
                tracing::debug!(scope, error, "rate limit store cannot decide");
            }
            EventKind::FallbackOn => {
                let cause = self.error.and_then(std::error::Error::source).map(ToString::to_string);
                let (backend, error) = (self.backend, self.error.map(tracing::field::display));
                tracing::warn!(backend, error, cause, "on_error decides: the store cannot");
            }
            EventKind::FallbackOff => {
                tracing::info!(backend = self.backend, "the store decides again");
            }
            // Logged where it happens.
            EventKind::Opened | EventKind::HalfOpen | EventKind::Closed | EventKind::Failover => {}
            EventKind::NoAddress => tracing::warn!(
                scope,
                "client without an address: set trust_unix_peer and a header, or another key"
            ),
            EventKind::OverrideSkipped => {
                let error = self.fault.map(tracing::field::display);
                tracing::warn!(error, "rate limit override left out");
            }
            EventKind::OverridesAway => {
                let error = self.error.map(tracing::field::display);
                tracing::warn!(error, "rate limit overrides cannot be read: those in force stay");
            }
            EventKind::Misconfigured => {
                let error = self.fault.map(tracing::field::display);
                tracing::error!(scope, error, "rate limit cannot work: its requests get a 500");
            }
        }
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
