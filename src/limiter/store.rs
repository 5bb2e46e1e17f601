//! A backend as its limiter has it: watched by a circuit breaker, and stood in for while it cannot decide.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::{Event, EventKind, RateLimiter, Shared, builder::Settings};
use crate::{
    Timestamp,
    backend::{
        Backend, BackendError,
        breaker::{Guard, Probing},
        multi::{Change, MemberStatus, Watcher},
    },
};

/// `on_error` counts as stepping aside when the store decides and has not failed for so long, in
/// microseconds: a store that fails now and then is told of once a second, not once a request.
const QUIET: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Store {
    pub(super) guard: Arc<Guard>,
    /// Whether `on_error` decides.
    is_away: AtomicBool,
    /// When it last did, in microseconds.
    last_away: AtomicU64,
}

impl Store {
    pub(super) fn new(
        name: &str,
        backend: &Arc<dyn Backend>,
        settings: &Settings,
        limiter: &Weak<Shared>,
    ) -> Self {
        // One with members has a circuit breaker for each of them, and none of its own: a second one
        // would keep requests away from a member that is back.
        let is_one_store = backend.members().is_empty();
        let tell = teller(name, !is_one_store, limiter.clone());
        let deadline = settings.deadline;
        let probing = Probing::new(None, deadline);
        let guard = if is_one_store {
            Guard::new(name.to_owned(), backend.clone(), settings.breaker.clone(), probing, tell)
        } else {
            backend.watch(&Watcher::new(deadline, tell));
            let never = settings.breaker.clone().failure_threshold(0);
            Guard::new(name.to_owned(), backend.clone(), never, probing, |_| {})
        };
        Self { guard, is_away: AtomicBool::new(false), last_away: AtomicU64::new(0) }
    }

    /// `on_error` decides. Whether that is news.
    pub(super) fn is_away_at(&self, now: Timestamp) -> bool {
        self.last_away.store(now.as_micros(), Relaxed);
        !self.is_away.swap(true, Relaxed)
    }

    /// The store has decided. Whether it is news that it does.
    #[inline]
    pub(super) fn is_back_at(&self, now: Timestamp) -> bool {
        self.is_away.load(Relaxed) && self.is_quiet(now) && self.is_away.swap(false, Relaxed)
    }

    #[cold]
    fn is_quiet(&self, now: Timestamp) -> bool {
        now.as_micros().saturating_sub(self.last_away.load(Relaxed)) >= QUIET
    }

    /// How the store does, or each of its members.
    pub(super) fn status(&self) -> Vec<MemberStatus> {
        let members = self.guard.backend().members();
        if members.is_empty() { vec![self.guard.status()] } else { members }
    }
}

/// Makes events of changes.
fn teller(
    name: &str,
    has_members: bool,
    limiter: Weak<Shared>,
) -> impl Fn(&Change<'_>) + Send + Sync + 'static {
    let backend = name.to_owned();
    move |change| {
        if let Some(limiter) = limiter.upgrade().map(RateLimiter) {
            let event = Event::of_store(EventKind::from(change.kind), &backend, change.error);
            limiter.emit(&Event { member: has_members.then_some(change.member), ..event });
        }
    }
}

impl RateLimiter {
    /// How every backend does, by name: one status, or where it has members that of each. What is
    /// answered without a wait, as memory does, is not counted.
    pub fn status(&self) -> impl Iterator<Item = (&str, Vec<MemberStatus>)> {
        self.0.stores.iter().map(|store| (store.guard.name(), store.status()))
    }

    pub(super) fn tell_away(&self, store: &Store, scope: &str, error: &BackendError) {
        if store.is_away_at(self.now()) {
            self.emit(&Event::of_store(EventKind::FallbackOn, store.guard.name(), Some(error)));
        }
        let event = Event::new(EventKind::StoreAway, scope, None, Some(error));
        self.emit(&Event { backend: Some(store.guard.name()), ..event });
    }

    #[inline]
    pub(super) fn tell_back(&self, store: &Store) {
        if store.is_back_at(self.now()) {
            self.emit(&Event::of_store(EventKind::FallbackOff, store.guard.name(), None));
        }
    }
}
