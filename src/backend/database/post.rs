//! The place of one worker: its queue, and whether it is still the one who serves it.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use super::{
    inbox::{Burst, Inbox},
    job::Job,
    load::Load,
};
use crate::{Clock, Timestamp};

/// Open jobs from which on a worker waits for a burst to be over.
const CROWD: usize = 16;
/// The pause by which a burst ends: as short as a thread can sleep, some fifty microseconds on Linux. And
/// what the burst may take at most, in microseconds.
const GAP: Duration = Duration::from_micros(1);
const BURST: u64 = 500;
/// Up to this, in microseconds, a transaction takes no longer than it takes many jobs to come: while it
/// decides about some, those who ask have a processor for the others.
const QUICK: u64 = 200;

#[derive(Debug)]
pub(super) struct Post {
    pub(super) inbox: Inbox,
    /// The number of the worker who serves.
    holder: AtomicU64,
    /// Since when it waits for the database, in microseconds; 0 while it does not.
    since: AtomicU64,
    /// How many jobs were taken last, and how long the latest work took, in microseconds.
    latest: AtomicUsize,
    took: AtomicU64,
    /// Of all posts.
    load: Arc<Load>,
    /// Workers of all posts who were replaced and have not ended.
    hung: Arc<AtomicUsize>,
}

impl Post {
    pub(super) fn new(inbox: Inbox, load: Arc<Load>, hung: Arc<AtomicUsize>) -> Self {
        Self {
            inbox,
            holder: 0.into(),
            since: 0.into(),
            latest: 0.into(),
            took: 0.into(),
            load,
            hung,
        }
    }

    /// The number of the worker who serves from now on.
    pub(super) fn number(&self) -> u64 {
        self.holder.load(SeqCst)
    }

    /// Waits for a job, and takes those that wait with it; none when nobody can ask any more. Under load
    /// the others of a burst follow at once, and a transaction for the first alone would make them wait.
    /// It is over when as many have come as usual: those that were answered last. A slow transaction waits
    /// until no more come, so that it is of many; a quick one is of half of them.
    pub(super) fn wait(&self, most: usize) -> Option<Vec<Job>> {
        let burst = || {
            let (latest, usual) = (self.latest.load(Relaxed), self.load.usual());
            let wanted = match self.took.load(Relaxed) {
                ..QUICK => latest / 2,
                QUICK..BURST => latest.max(usual).min(most),
                _ => most,
            };
            (usual >= CROWD).then_some(Burst { wanted, gap: GAP, most: BURST })
        };
        let jobs = self.inbox.take(most, burst)?;
        self.latest.store(jobs.len(), Relaxed);
        Some(jobs)
    }

    /// So many jobs are done.
    pub(super) fn done(&self, count: usize) {
        self.load.done(count);
    }

    /// Does what should not take long.
    pub(super) fn timed<R>(&self, number: u64, work: impl FnOnce() -> R) -> R {
        let begin = Clock::System.now();
        self.since.store(begin.as_micros().max(1), SeqCst);
        let result = work();
        self.took.store(Clock::System.now().since(begin), Relaxed);
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
