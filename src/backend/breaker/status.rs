//! What is told of a member: its state now, and each change of it.

use std::{fmt, sync::Arc, time::Duration};

use super::{MemberState, latency::Latency};
use crate::{Timestamp, backend::BackendError};

/// How a member does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberStatus {
    /// Its name.
    pub name: String,
    /// The state of its circuit breaker.
    pub state: MemberState,
    /// Since when it is in that state, by the clock of this process.
    pub since: Timestamp,
    /// When the last probe was answered or failed; `None` if there was none.
    pub last_check: Option<Timestamp>,
    /// What the last failure was, of a request or a probe, whether or not it works again.
    pub last_error: Option<BackendError>,
    /// Checks that it decided.
    pub answers: u64,
    /// Checks that it failed.
    pub failures: u64,
    /// Probes that it answered.
    pub probes_answered: u64,
    /// Probes that it failed.
    pub probes_failed: u64,
    /// Times that its circuit breaker opened.
    pub opened: u64,
    /// How long its answers to checks took, of those that had to be waited for.
    pub latency: Latency,
}

/// A change of state.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Change<'c> {
    /// The member's name.
    pub member: &'c str,
    /// What happened.
    pub kind: ChangeKind,
    /// The failure that brought it about, where it was one.
    pub error: Option<&'c BackendError>,
}

/// What happened to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It failed so often that it is asked no more.
    Opened,
    /// It is being probed.
    HalfOpen,
    /// It is asked again.
    Closed,
    /// It decides from now on, in place of another member: one before it opened, or it is back itself.
    Failover,
}

pub(super) type Listener = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// Who asks a backend, and wants to be told of its members.
#[derive(Clone)]
pub struct Watcher {
    deadline: Duration,
    listener: Listener,
}

impl Watcher {
    /// Somebody who waits no longer than `deadline` for a decision, and is told of every change. The
    /// listener runs where the change was noticed, on the thread of a request or of the probes, so
    /// it must not block.
    pub fn new(deadline: Duration, listener: impl Fn(&Change<'_>) + Send + Sync + 'static) -> Self {
        Self { deadline, listener: Arc::new(listener) }
    }

    /// How long a decision is waited for.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Tells of a change.
    pub fn tell(&self, change: &Change<'_>) {
        (self.listener)(change);
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
