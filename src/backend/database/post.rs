//! The place of one worker: its queue, and whether it is still the one who serves it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
        mpsc::Receiver,
    },
    time::Duration,
};

use super::job::Job;
use crate::{Clock, Timestamp};

#[derive(Debug)]
pub(super) struct Post {
    /// Locked by the worker while it waits for jobs.
    jobs: Mutex<Receiver<Job>>,
    /// The number of the worker who serves.
    holder: AtomicU64,
    /// Since when it waits for the database, in microseconds; 0 while it does not.
    since: AtomicU64,
    /// Jobs on all posts that nobody has done yet.
    open: Arc<AtomicUsize>,
    /// Workers of all posts who were replaced and have not ended.
    hung: Arc<AtomicUsize>,
}

impl Post {
    pub(super) fn new(jobs: Receiver<Job>, open: Arc<AtomicUsize>, hung: Arc<AtomicUsize>) -> Self {
        let (jobs, holder, since) = (Mutex::new(jobs), AtomicU64::new(0), AtomicU64::new(0));
        Self { jobs, holder, since, open, hung }
    }

    /// The number of the worker who serves from now on.
    pub(super) fn number(&self) -> u64 {
        self.holder.load(SeqCst)
    }

    /// Waits for a job, and takes those that wait with it; none when nobody can ask any more.
    pub(super) fn wait(&self, most: usize) -> Option<Vec<Job>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let first = jobs.recv().ok()?;
        Some(std::iter::once(first).chain(jobs.try_iter()).take(most).collect())
    }

    /// So many jobs are done.
    pub(super) fn done(&self, count: usize) {
        self.open.fetch_sub(count, SeqCst);
    }

    /// Does what should not take long.
    pub(super) fn timed<R>(&self, number: u64, work: impl FnOnce() -> R) -> R {
        self.since.store(Clock::System.now().as_micros().max(1), SeqCst);
        let result = work();
        if self.is_held_by(number) {
            self.since.store(0, SeqCst);
        }
        result
    }

    pub(super) fn is_overdue(&self, patience: Duration) -> bool {
        let since = self.since.load(SeqCst);
        since != 0 && {
            let waiting = Clock::System.now().since(Timestamp::from_micros(since));
            Duration::from_micros(waiting) > patience
        }
    }

    /// Takes the post from a worker that waits for the database; false if it does not.
    pub(super) fn relieve(&self) -> bool {
        let was_waiting = self.since.swap(0, SeqCst) != 0;
        if was_waiting {
            self.holder.fetch_add(1, SeqCst);
        }
        was_waiting
    }

    pub(super) fn is_held_by(&self, number: u64) -> bool {
        self.holder.load(SeqCst) == number
    }

    /// Says that a worker who was replaced has ended.
    pub(super) fn ended(&self) {
        self.hung.fetch_sub(1, SeqCst);
    }
}
