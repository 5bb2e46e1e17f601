//! Numbers that a backend has met, such as the tags of the policies that it keeps states for, so that a
//! key can be forgotten whole.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// Numbers that are found without a lock; few applications have more.
const QUICK: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Noted {
    quick: [AtomicU64; QUICK],
    all: Mutex<Vec<u64>>,
}

impl Noted {
    /// Keeps a number, other than 0, in mind.
    #[inline]
    pub(super) fn note(&self, number: u64) {
        if !self.quick.iter().any(|known| known.load(Relaxed) == number) {
            self.add(number);
        }
    }

    #[cold]
    fn add(&self, number: u64) {
        let mut all = self.all.lock();
        if !all.contains(&number) {
            all.push(number);
        }
        if let Some(quick) = self.quick.get(all.len() - 1) {
            quick.store(number, Relaxed);
        }
    }

    /// The first few numbers that were noted, without a lock; 0 where there are no more.
    #[cfg(feature = "redis")]
    pub(super) fn first(&self) -> [u64; QUICK] {
        std::array::from_fn(|index| self.quick[index].load(Relaxed))
    }

    /// Every number that was noted.
    pub(super) fn all(&self) -> Vec<u64> {
        self.all.lock().clone()
    }
}
