//! How a backend of several members is made.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    MultiBackend, Shared, Strategy,
    board::Board,
    order::{MOST_MEMBERS, hash},
};
use crate::{
    Error,
    backend::{
        Backend,
        breaker::{BreakerSettings, Change, Guard, Probing, Watcher},
    },
};

/// Shortest deadline and interval.
const LEAST: Duration = Duration::from_millis(1);

/// Settings of a [`MultiBackend`], checked by [`build`](Self::build).
#[must_use]
pub struct MultiBuilder {
    members: Vec<(String, Arc<dyn Backend>)>,
    strategy: Strategy,
    breaker: BreakerSettings,
    deadline: Duration,
    member_deadline: Option<Duration>,
    probe_interval: Duration,
    probe_deadline: Option<Duration>,
    watcher: Option<Watcher>,
}

impl MultiBuilder {
    pub(super) fn new() -> Self {
        Self {
            members: Vec::new(),
            strategy: Strategy::FirstHealthy,
            breaker: BreakerSettings::default(),
            deadline: Duration::from_millis(90),
            member_deadline: None,
            probe_interval: Duration::from_secs(1),
            probe_deadline: None,
            watcher: None,
        }
    }

    /// Adds a member after those before it.
    pub fn member(mut self, name: impl Into<String>, backend: impl Backend) -> Self {
        self.members.push((name.into(), Arc::new(backend)));
        self
    }

    /// How members share the work; [`Strategy::FirstHealthy`] by default.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// When members are given up, and when they are asked again.
    pub fn breaker(mut self, settings: BreakerSettings) -> Self {
        self.breaker = settings;
        self
    }

    /// What a whole decision may take, whatever the number of members that fail; 90 ms by default, at
    /// least 1 ms. Nine tenths of the limiter's own deadline where that is less, so that there is
    /// time to say why.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.max(LEAST);
        self
    }

    /// What one member may take of it, at least 1 ms; by default the deadline divided by the number of
    /// members, so that the last one is asked in time even if all before it are silent.
    pub fn member_deadline(mut self, deadline: Duration) -> Self {
        self.member_deadline = Some(deadline.max(LEAST));
        self
    }

    /// Between two probes of a member that is well; 1 s by default, at least 1 ms. One that is not is
    /// probed as [`breaker`](Self::breaker) says.
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.probe_interval = interval.max(LEAST);
        self
    }

    /// What a probe may take, at least 1 ms; by default as long as a whole decision. A member that is
    /// slower is not well. No request waits for a probe.
    pub fn probe_deadline(mut self, deadline: Duration) -> Self {
        self.probe_deadline = Some(deadline.max(LEAST));
        self
    }

    /// Calls `listener` on every change of a member's state. A limiter tells of them by its own events.
    /// It runs on the thread of a request or of the probes, so it must not block.
    pub fn on_change(mut self, listener: impl Fn(&Change<'_>) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Watcher::new(Duration::MAX, listener));
        self
    }

    /// The backend.
    ///
    /// # Errors
    /// When it has no members or more than 64, or when a name is empty or stands twice.
    pub fn build(self) -> Result<MultiBackend, Error> {
        self.check()?;
        let Self { members, strategy, breaker, deadline, member_deadline, .. } = self;
        let names: Vec<String> = members.iter().map(|(name, _)| name.clone()).collect();
        let seeds = names.iter().map(|name| hash(name)).collect();
        let board = Arc::new(Board::new(names, strategy, self.watcher));
        let probe_deadline = self.probe_deadline.unwrap_or(deadline);
        let probing = Probing::new(Some(self.probe_interval), probe_deadline);
        let guard = |(index, (name, backend))| {
            let board = board.clone();
            let observer = move |change: &Change<'_>| board.changed(index, change);
            Guard::new(name, backend, breaker.clone(), probing.clone(), observer)
        };
        let members = members.into_iter().enumerate().map(guard).collect();
        let deadline = AtomicU64::new(super::micros(deadline));
        let probers = probing.running;
        let shared = Shared { members, seeds, strategy, board, deadline, member_deadline, probers };
        Ok(MultiBackend { shared: Arc::new(shared) })
    }

    fn check(&self) -> Result<(), Error> {
        let count = self.members.len();
        if count == 0 || count > MOST_MEMBERS {
            let reason = format!("there must be 1 to {MOST_MEMBERS}");
            return Err(Error::new(
                "members",
                count.to_string(),
                reason,
                "call member(name, backend)",
            ));
        }
        for (index, (name, _)) in self.members.iter().enumerate() {
            if name.is_empty() || name.chars().any(char::is_control) {
                let reason = "it is empty or has a control character";
                return Err(Error::new("members", name, reason, "name it, as in \"fast\""));
            }
            if self.members[..index].iter().any(|(other, _)| other == name) {
                let reason = "two members have this name";
                return Err(Error::new("members", name, reason, "rename one of them"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for MultiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.members.iter().map(|(name, _)| name).collect();
        f.debug_struct("MultiBuilder")
            .field("members", &names)
            .field("strategy", &self.strategy)
            .field("breaker", &self.breaker)
            .field("deadline", &self.deadline)
            .field("member_deadline", &self.member_deadline)
            .field("probe_interval", &self.probe_interval)
            .field("probe_deadline", &self.probe_deadline)
            .finish_non_exhaustive()
    }
}
