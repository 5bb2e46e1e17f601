//! A bounded table of small sets, each behind a lock of its own.

use parking_lot::{Mutex, MutexGuard};

use crate::backend::hash::scale;

/// Entries that one set holds at most.
pub(super) const WAYS: usize = 8;

/// A place for a fixed number of entries, found by a hash.
#[derive(Debug)]
pub(super) struct Sets<T>(Box<[Mutex<Vec<T>>]>);

impl<T> Sets<T> {
    /// Room for `entries`, rounded up to whole sets.
    pub(super) fn new(entries: usize) -> Self {
        let sets = entries.div_ceil(WAYS).max(1);
        Self((0..sets).map(|_| Mutex::new(Vec::new())).collect())
    }

    /// The set in which everything with this hash is.
    #[inline]
    pub(super) fn of(&self, hash: u64) -> MutexGuard<'_, Vec<T>> {
        self.0[scale(hash, self.0.len())].lock()
    }
}
