//! Where jobs wait for one worker, who is woken when there are enough: to wake it for each would be a
//! system call for each.

use std::{collections::VecDeque, time::Duration};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::job::Job;
use crate::Clock;

#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    enough: Condvar,
    /// Jobs that may wait; more are turned away.
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    /// At how many jobs the worker is to be woken.
    wanted: usize,
    is_closed: bool,
}

/// How long the worker waits for more jobs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    /// Until there are so many.
    pub(super) wanted: usize,
    /// Or none has come for so long.
    pub(super) gap: Duration,
    /// Or so many microseconds are over.
    pub(super) most: u64,
}

impl Inbox {
    pub(super) fn new(most: usize) -> Self {
        Self { state: Mutex::default(), enough: Condvar::new(), most }
    }

    /// Puts a job in, if there is room for it.
    pub(super) fn put(&self, job: Job) -> Result<(), Job> {
        let mut state = self.state.lock();
        if state.jobs.len() >= self.most {
            return Err(job);
        }
        state.jobs.push_back(job);
        let is_enough = state.jobs.len() == state.wanted;
        drop(state);
        if is_enough {
            self.enough.notify_one();
        }
        Ok(())
    }

    /// Nobody puts anything in any more.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.enough.notify_all();
    }

    /// Waits for a job, then for others that may come with it, and takes at most so many; none when there
    /// will be none.
    pub(super) fn take(
        &self,
        most: usize,
        burst: impl FnOnce() -> Option<Burst>,
    ) -> Option<Vec<Job>> {
        let mut state = self.state.lock();
        state.wanted = 1;
        while state.jobs.is_empty() {
            if state.is_closed {
                return None;
            }
            self.enough.wait(&mut state);
        }
        if state.jobs.len() < most
            && let Some(burst) = burst()
        {
            self.gather(&mut state, burst);
        }
        state.wanted = 0;
        let count = state.jobs.len().min(most);
        Some(state.jobs.drain(..count).collect())
    }

    fn gather(&self, state: &mut MutexGuard<'_, State>, burst: Burst) {
        let end = Clock::System.now() + burst.most;
        state.wanted = burst.wanted;
        while !state.is_closed && state.jobs.len() < burst.wanted && Clock::System.now() < end {
            let before = state.jobs.len();
            let is_over = self.enough.wait_for(state, burst.gap).timed_out();
            if is_over && state.jobs.len() == before {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::sync::oneshot::channel;

    use super::{
        super::{
            claim::Claim,
            job::{Alone, Job, Work},
        },
        Burst, Inbox,
    };
    use crate::Timestamp;

    fn job() -> Job {
        let (work, claim) = (Work::Health(channel().0), Arc::<Claim>::default());
        Job::Alone(Box::new(Alone { work, deadline: Timestamp::MAX, claim }))
    }

    #[test]
    fn jobs_are_taken_until_the_last_though_nobody_puts_more_in() {
        let inbox = Inbox::new(3);
        let put = [(); 4].map(|()| inbox.put(job()).is_ok());
        assert_eq!(put, [true, true, true, false]);
        inbox.close();
        let take = || inbox.take(2, || None).map(|jobs| jobs.len());
        assert_eq!([take(), take(), take()], [Some(2), Some(1), None]);
    }

    #[test]
    fn a_burst_is_over_when_there_are_as_many_as_wanted_or_no_more_come() {
        let inbox = Inbox::new(100);
        let ever = Duration::from_secs(3_600);
        let taken = std::thread::scope(|scope| {
            let burst = || Some(Burst { wanted: 10, gap: ever, most: u64::MAX / 2 });
            let inbox = &inbox;
            let taker = scope.spawn(move || inbox.take(100, burst));
            (0..10).for_each(|_| assert!(inbox.put(job()).is_ok()));
            taker.join().unwrap()
        });
        assert_eq!(taken.unwrap().len(), 10);

        assert!(inbox.put(job()).is_ok());
        let burst = || Some(Burst { wanted: 10, gap: Duration::ZERO, most: u64::MAX / 2 });
        assert_eq!(inbox.take(100, burst).unwrap().len(), 1);
    }
}
