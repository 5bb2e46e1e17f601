//! Who is told of changes, and which member decides now.

use parking_lot::Mutex;

use super::Strategy;
use crate::backend::breaker::{Change, ChangeKind, Watcher};

const TARGET: &str = "actix_smart_ratelimit";

/// The members that are well, for those who want to know of changes.
#[derive(Debug)]
pub(super) struct Board {
    names: Vec<String>,
    strategy: Strategy,
    /// A bit for each member that is asked.
    well: Mutex<u64>,
    watchers: Mutex<Vec<Watcher>>,
}

impl Board {
    pub(super) fn new(names: Vec<String>, strategy: Strategy, watcher: Option<Watcher>) -> Self {
        let well = Mutex::new(u64::MAX);
        Self { names, strategy, well, watchers: Mutex::new(watcher.into_iter().collect()) }
    }

    pub(super) fn watch(&self, watcher: Watcher) {
        self.watchers.lock().push(watcher);
    }

    /// Tells of a change of one member, and of the failover that comes of it.
    pub(super) fn changed(&self, index: usize, change: &Change<'_>) {
        let takes_over = self.update(index, change.kind).and_then(|index| self.names.get(index));
        self.tell(change);
        if let Some(member) = takes_over {
            if change.kind == ChangeKind::Closed {
                tracing::info!(target: TARGET, member, "store decides from now on");
            } else {
                tracing::warn!(target: TARGET, member, "store decides from now on");
            }
            self.tell(&Change { member, kind: ChangeKind::Failover, error: None });
        }
    }

    /// The member that decides from now on, where members have an order and it is another one.
    fn update(&self, index: usize, kind: ChangeKind) -> Option<usize> {
        let mut well = self.well.lock();
        let first = |well: u64| (0..self.names.len()).find(|index| well & 1 << index != 0);
        let before = first(*well);
        match kind {
            ChangeKind::Opened => *well &= !(1 << index),
            ChangeKind::Closed => *well |= 1 << index,
            ChangeKind::HalfOpen | ChangeKind::Failover => {}
        }
        let after = first(*well);
        after.filter(|_| self.strategy == Strategy::FirstHealthy && before != after)
    }

    fn tell(&self, change: &Change<'_>) {
        // A listener may ask this backend for anything.
        let watchers = self.watchers.lock().clone();
        watchers.iter().for_each(|watcher| watcher.tell(change));
    }
}
