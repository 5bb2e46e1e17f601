//! How much there is to do.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Jobs over which the average of open ones is taken.
const SPAN: usize = 32;
/// Parts of a job, so that the average can be one of few.
const FINE: usize = 1_024;

/// Jobs that nobody has done yet.
#[derive(Debug, Default)]
pub(super) struct Load {
    open: AtomicUsize,
    /// How many those were when the latest jobs came, on average and in parts: right after a commit
    /// there are few, while as many as before are about to come.
    usual: AtomicUsize,
}

impl Load {
    /// Counts a job that has come.
    pub(super) fn add(&self) {
        let open = self.open.fetch_add(1, Relaxed) + 1;
        // What is lost to a race matters little.
        let before = self.usual.load(Relaxed);
        let usual = before - before / SPAN + open.saturating_mul(FINE) / SPAN;
        self.usual.store(usual, Relaxed);
    }

    /// So many jobs are done.
    pub(super) fn done(&self, count: usize) {
        self.open.fetch_sub(count, Relaxed);
    }

    /// How many jobs are open on average.
    pub(super) fn usual(&self) -> usize {
        self.usual.load(Relaxed) / FINE
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn the_average_follows_what_is_open_and_outlasts_a_commit() {
        let load = Load::default();
        for _ in 0..1_000 {
            load.add();
            load.done(1);
        }
        assert_eq!(load.usual(), 1);
        (0..64).for_each(|_| load.add());
        for _ in 0..1_000 {
            load.done(1);
            load.add();
        }
        assert_eq!(load.usual(), 64);
        load.done(64);
        load.add();
        assert!(load.usual() > 60);
    }
}
