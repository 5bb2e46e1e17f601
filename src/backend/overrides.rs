//! Where overrides are stored: rows of text, which the limiter reads and understands.

use std::{fmt, sync::Arc};

use super::{BackendError, BoxFuture};

/// An override as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverrideRow {
    /// What tells the row from others, for messages about it.
    pub id: String,
    /// Which keys it is about.
    pub key_pattern: String,
    /// A rate, such as `100/m`.
    pub rate: String,
    /// The name of an algorithm.
    pub algorithm: String,
}

/// A place where overrides are stored.
pub trait OverrideSource: fmt::Debug + Send + Sync + 'static {
    /// The active ones, in a steady order: of two with the same pattern the first counts.
    fn overrides(&self) -> BoxFuture<Result<Vec<OverrideRow>, BackendError>>;
}

impl<S: OverrideSource + ?Sized> OverrideSource for Arc<S> {
    fn overrides(&self) -> BoxFuture<Result<Vec<OverrideRow>, BackendError>> {
        (**self).overrides()
    }
}
