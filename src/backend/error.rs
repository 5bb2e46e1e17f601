//! What went wrong in a store, and whether it was charged.

use std::{error::Error as StdError, sync::Arc};

/// A store could not decide. Never a refusal.
#[derive(Clone, Debug, thiserror::Error)]
#[error("rate limit store: {kind}{}", match fate { Fate::NotCharged => "", Fate::Unknown => " (it may have been charged)" })]
pub struct BackendError {
    kind: ErrorKind,
    fate: Fate,
    #[source]
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection.
    #[error("not reachable")]
    Unreachable,
    /// No answer in time.
    #[error("no answer within the deadline")]
    Timeout,
    /// The store answered that it cannot work now: loading, read-only, out of memory, busy.
    #[error("not able to serve")]
    Unavailable,
    /// The store answered something that this crate does not understand.
    #[error("unexpected answer")]
    Protocol,
    /// The store does not know the credentials, or lacks a table or a permission.
    #[error("not set up")]
    Setup,
    /// A policy that this backend cannot keep.
    #[error("policy not supported by this backend")]
    Unsupported,
}

impl ErrorKind {
    /// Its name, as metrics have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
            Self::Setup => "setup",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Whether the permits of a failed check were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Certainly not: another store may be asked.
    NotCharged,
    /// Perhaps: the request left, the answer did not come.
    Unknown,
}

impl BackendError {
    /// An error without a cause of its own.
    #[must_use]
    pub fn new(kind: ErrorKind, fate: Fate) -> Self {
        Self { kind, fate, source: None }
    }

    /// An error with its cause. The cause goes to logs, never to clients.
    #[must_use]
    pub fn with_source(
        kind: ErrorKind,
        fate: Fate,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self { kind, fate, source: Some(Arc::new(source)) }
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, told of a check of which it is known whether its permits were taken.
    pub(super) fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    /// Whether the permits were taken.
    #[must_use]
    pub fn fate(&self) -> Fate {
        self.fate
    }
}
