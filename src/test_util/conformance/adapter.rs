//! What the suite needs to know of a backend.

use std::{fmt, future::ready, sync::Arc};

use super::Case;
use crate::{
    MemoryBackend, Timestamp,
    backend::{Backend, BoxFuture},
};

/// Cases begin at a whole multiple of this many seconds since the Unix epoch, so that every window
/// begins then: at midnight UTC of a Thursday.
const WEEK: u64 = 7 * 24 * 60 * 60;
/// The Thursday that is 2027-01-14.
const NOT_BEFORE: Timestamp = Timestamp::from_secs(2_976 * WEEK);

/// Makes backends for the suite.
pub trait Adapter {
    /// A backend that knows no key, asked for before each case. It may be one and the same every
    /// time if it has been emptied once: no two cases have a key in common, and from case to case
    /// the time goes on.
    fn subject(&self) -> impl Future<Output = Subject>;

    /// Why this backend cannot run a case; `None`, the default, runs it. An empty reason fails the
    /// case.
    fn skip(&self, case: &Case) -> Option<&str> {
        let _ = case;
        None
    }
}

/// A backend, and how its time is moved.
pub struct Subject {
    pub(super) backend: Arc<dyn Backend>,
    not_before: Timestamp,
    pub(super) tolerance: u64,
    set_clock: Box<dyn Fn(Timestamp) -> BoxFuture<()>>,
}

impl Subject {
    /// A backend that goes by [`Batch::now`](crate::Batch::now).
    #[must_use]
    pub fn new(backend: impl Backend) -> Self {
        Self {
            backend: Arc::new(backend),
            not_before: NOT_BEFORE,
            tolerance: 0,
            set_clock: Box::new(|_| Box::pin(ready(()))),
        }
    }

    /// The backend goes by a clock of its own, which `set` sets. It is called before each step,
    /// also with times before the latest one.
    #[must_use]
    pub fn own_clock(mut self, set: impl Fn(Timestamp) -> BoxFuture<()> + 'static) -> Self {
        self.set_clock = Box::new(set);
        self
    }

    /// The earliest time at which a case may begin, by default in January 2027: for stores that
    /// forget by a clock which cannot be set.
    #[must_use]
    pub fn not_before(mut self, time: Timestamp) -> Self {
        self.not_before = time;
        self
    }

    /// How many microseconds the times in answers may be off; 0 by default.
    #[must_use]
    pub fn tolerance(mut self, micros: u64) -> Self {
        self.tolerance = micros;
        self
    }

    /// The first time, not before `earliest`, at which a case may begin.
    pub(super) fn begin(&self, earliest: Timestamp) -> Timestamp {
        let secs = earliest.max(self.not_before).as_secs_ceil();
        Timestamp::from_secs(secs.next_multiple_of(WEEK))
    }

    pub(super) async fn set_clock(&self, now: Timestamp) {
        (self.set_clock)(now).await;
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("backend", &self.backend)
            .field("not_before", &self.not_before)
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

/// Runs the suite on [`MemoryBackend`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryAdapter;

impl Adapter for MemoryAdapter {
    async fn subject(&self) -> Subject {
        Subject::new(MemoryBackend::new(10_000))
    }
}
