//! Where jobs wait: a queue for each worker, and every key in one of them.
//!
//! Checks of one key meet in one transaction that way, instead of waiting for each other's locks in
//! several. The more there is to do for each worker, the fewer of them get it: a transaction of many
//! checks costs hardly more than one of a few.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{fault::not_charged, inbox::Inbox, job::Job, load::Load, post::Post};
use crate::backend::{ErrorKind, hash::KeyHash};

/// Jobs that may wait for one worker; more are turned away.
const MOST_WAITING: usize = 8_192;
/// Jobs for one worker before the next one takes part, once there are more jobs than workers.
const ENOUGH: usize = 128;
/// While one waits for its commit the other works.
const FEWEST: usize = 2;

/// Starts a worker on a post.
pub(super) type Start = Box<dyn Fn(&Arc<Post>) -> io::Result<()> + Send + Sync>;

/// The ends of the queues at which jobs are handed in.
#[derive(Clone)]
pub(super) struct Queues {
    lanes: Arc<[Lane]>,
    hash: Arc<KeyHash>,
    load: Arc<Load>,
    /// Workers who were replaced and still wait for the database.
    hung: Arc<AtomicUsize>,
    /// After so long without an answer of the database a worker is replaced.
    patience: Duration,
    start: Arc<Start>,
}

struct Lane {
    post: Arc<Post>,
}

/// Its worker ends when nothing waits any more.
impl Drop for Lane {
    fn drop(&mut self) {
        self.post.inbox.close();
    }
}

impl Queues {
    /// As many queues as this, each with a worker.
    pub(super) fn new(count: usize, patience: Duration, start: Start) -> io::Result<Self> {
        let load = Arc::<Load>::default();
        let hung = Arc::<AtomicUsize>::default();
        let lane = || {
            let inbox = Inbox::new(MOST_WAITING);
            let lane = Lane { post: Arc::new(Post::new(inbox, load.clone(), hung.clone())) };
            start(&lane.post)?;
            Ok(lane)
        };
        let lanes = (0..count.max(1)).map(|_| lane()).collect::<io::Result<Vec<_>>>()?;
        let (lanes, hash, start) = (lanes.into(), Arc::new(KeyHash::new()), Arc::new(start));
        Ok(Self { lanes, hash, load, hung, patience, start })
    }

    /// Hands a job in; one that cannot wait is answered so.
    pub(super) fn send(&self, job: Job) {
        self.load.add();
        let number = self.hash.of(job.key());
        let index = number % busy(self.load.usual(), self.lanes.len()) as u64;
        let Some(lane) = self.lanes.get(usize::try_from(index).unwrap_or(0)) else { return };
        if lane.post.is_overdue(self.patience) {
            self.replace(&lane.post);
        }
        let Err(job) = lane.post.inbox.put(job) else { return };
        self.load.done(1);
        let reason = "too many checks are waiting for the database";
        job.fail(not_charged(ErrorKind::Unavailable, reason));
    }

    /// Puts another worker in the place of one whose connection is as good as dead: its thread cannot be
    /// woken. So that threads do not pile up, no more of them wait than there are posts.
    fn replace(&self, post: &Arc<Post>) {
        if self.hung.fetch_add(1, Relaxed) >= self.lanes.len() {
            self.hung.fetch_sub(1, Relaxed);
        } else if !post.relieve() {
            // Somebody else did so at the same time, or the database has answered.
            self.hung.fetch_sub(1, Relaxed);
        } else if let Err(error) = (self.start)(post) {
            tracing::warn!(target: super::worker::TARGET, %error, "no thread for the database");
        }
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues")
            .field("lanes", &self.lanes.len())
            .field("load", &self.load)
            .field("hung", &self.hung)
            .finish_non_exhaustive()
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
