//! Where jobs wait: a queue for each worker, and every key in one of them.
//!
//! Checks of one key meet in one transaction that way, instead of waiting for each other's locks in
//! several.

use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};

use super::{fault::not_charged, job::Job};
use crate::backend::{ErrorKind, hash::KeyHash};

/// Jobs that may wait for one worker; more are turned away.
const MOST_WAITING: usize = 8_192;

/// The ends of the queues at which jobs are handed in.
#[derive(Clone, Debug)]
pub(super) struct Queues {
    senders: Arc<[SyncSender<Job>]>,
    hash: Arc<KeyHash>,
}

impl Queues {
    /// As many queues as this, with their other ends.
    pub(super) fn new(count: usize) -> (Self, Vec<Receiver<Job>>) {
        let (senders, receivers): (Vec<_>, _) =
            (0..count.max(1)).map(|_| sync_channel(MOST_WAITING)).unzip();
        (Self { senders: senders.into(), hash: Arc::new(KeyHash::new()) }, receivers)
    }

    /// Hands a job in; one that cannot wait is answered so.
    pub(super) fn send(&self, job: Job) {
        let number = self.hash.of(job.work.key());
        let index = usize::try_from(number % self.senders.len() as u64).unwrap_or(0);
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
        job.fail(not_charged(kind, reason));
    }
}
