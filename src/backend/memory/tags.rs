//! The tags of policies that a backend has kept states for, so that a key can be forgotten whole.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// Tags that are found without a lock; few applications have more.
const QUICK: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Tags {
    quick: [AtomicU64; QUICK],
    all: Mutex<Vec<u64>>,
}

impl Tags {
    /// Keeps a tag in mind.
    #[inline]
    pub(super) fn note(&self, tag: u64) {
        if !self.quick.iter().any(|known| known.load(Relaxed) == tag) {
            self.add(tag);
        }
    }

    #[cold]
    fn add(&self, tag: u64) {
        let mut all = self.all.lock();
        if !all.contains(&tag) {
            all.push(tag);
        }
        if let Some(quick) = self.quick.get(all.len() - 1) {
            quick.store(tag, Relaxed);
        }
    }

    /// Every tag that was noted.
    pub(super) fn all(&self) -> Vec<u64> {
        self.all.lock().clone()
    }
}
