//! Where jobs wait: a queue for each worker, and every key in one of them.
//!
//! Checks of one key meet in one transaction that way, instead of waiting for each other's locks in
//! several. The more there is to do for each worker, the fewer of them get it: a transaction of many
//! checks costs hardly more than one of a few.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use super::{fault::not_charged, job::Job};
use crate::backend::{ErrorKind, hash::KeyHash};

/// Jobs that may wait for one worker; more are turned away.
const MOST_WAITING: usize = 8_192;

/// Jobs for one worker before the next one takes part, once there are more jobs than workers.
const ENOUGH: usize = 128;
/// While one waits for its commit the other works.
const FEWEST: usize = 2;

/// Jobs that nobody has done yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(super) fn done(&self, jobs: usize) {
        self.0.fetch_sub(jobs, Relaxed);
    }
}

/// The ends of the queues at which jobs are handed in.
#[derive(Clone, Debug)]
pub(super) struct Queues {
    senders: Arc<[SyncSender<Job>]>,
    hash: Arc<KeyHash>,
    open: Open,
}

impl Queues {
    /// As many queues as this, with their other ends.
    pub(super) fn new(count: usize, open: Open) -> (Self, Vec<Receiver<Job>>) {
        let (senders, receivers): (Vec<_>, _) =
            (0..count.max(1)).map(|_| sync_channel(MOST_WAITING)).unzip();
        (Self { senders: senders.into(), hash: Arc::new(KeyHash::new()), open }, receivers)
    }

    /// Hands a job in; one that cannot wait is answered so.
    pub(super) fn send(&self, job: Job) {
        let open = self.open.0.fetch_add(1, Relaxed) + 1;
        let number = self.hash.of(job.work.key());
        let index = number % busy(open, self.senders.len()) as u64;
        let index = usize::try_from(index).unwrap_or(0);
        let Some(queue) = self.senders.get(index) else { return };
        let (job, kind, reason) = match queue.try_send(job) {
            Ok(()) => return,
            Err(TrySendError::Full(job)) => {
                (job, ErrorKind::Unavailable, "too many checks are waiting for the database")
            }
            Err(TrySendError::Disconnected(job)) => {
                (job, ErrorKind::Unreachable, "the threads for the database have ended")
            }
        };
        self.open.done(1);
        job.fail(not_charged(kind, reason));
    }
}

/// How many of the workers share so many jobs: all as long as each job can have one for itself.
fn busy(open: usize, workers: usize) -> usize {
    if open <= workers { workers } else { (open / ENOUGH).max(FEWEST).min(workers) }
}

#[cfg(test)]
mod tests {
    use super::busy;

    #[test]
    fn few_jobs_have_a_worker_each_and_many_share_a_few() {
        let workers = |open| busy(open, 8);
        assert_eq!([1, 8].map(workers), [8, 8]);
        assert_eq!([9, 64, 256, 512, 5_000].map(workers), [2, 2, 2, 4, 8]);
        assert_eq!([1, 5_000].map(|open| busy(open, 1)), [1, 1]);
    }
}
