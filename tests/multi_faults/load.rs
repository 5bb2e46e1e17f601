//! Requests while stores fail, and timers beside them that tell how busy the machine is.

use std::{
    cell::Cell,
    fmt,
    future::pending,
    time::{Duration, Instant},
};

use actix_smart_ratelimit::{
    Limit,
    OnError::{self, Allow, Deny, Local},
    Outcome, RateLimiter,
};
use futures_util::future::{join, join_all};
use tokio::time::timeout;

use crate::{scene::DEADLINE, support::trial::ample};

/// How much later than the deadline a decision may come, but for one in a hundred.
pub(crate) const GRACE: Duration = Duration::from_millis(10);
/// Checks that are made at once.
const WAVE: usize = 30;

/// One decision.
#[derive(Debug)]
pub(crate) struct Answer {
    outcome: Outcome,
    took: Duration,
    on_error: OnError,
}

impl Answer {
    /// # Panics
    ///
    /// Unless a store decided, or the limit as it chose.
    #[track_caller]
    pub(crate) fn assert_as_chosen(&self) {
        let as_chosen = match self.outcome {
            Outcome::Decided { decision, .. } => decision.is_allowed(),
            Outcome::Unlimited => self.on_error == Allow,
            Outcome::Unavailable => self.on_error == Deny,
        };
        assert!(as_chosen, "{self:?}");
    }
}

/// Decisions, and what timers of the deadline took at the same time.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) answers: Vec<Answer>,
    pub(crate) timers: Vec<Duration>,
}

impl Answers {
    pub(crate) fn take(&mut self, other: Self) {
        self.answers.extend(other.answers);
        self.timers.extend(other.timers);
    }

    pub(crate) fn p99(&self) -> Duration {
        p99(self.answers.iter().map(|answer| answer.took))
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, timer) = (self.answers.len(), p99(self.timers.iter().copied()));
        write!(f, "{count} decisions, p99 {:?}, of a timer {timer:?}", self.p99())
    }
}

/// Requests for limits that nothing but faults can reach, and for one whose admissions are counted.
pub(crate) struct Load<'l> {
    limiter: &'l RateLimiter,
    counted: Limit,
    admitted: Cell<u32>,
}

impl<'l> Load<'l> {
    pub(crate) fn new(limiter: &'l RateLimiter, counted: Limit) -> Self {
        Self { limiter, counted, admitted: Cell::new(0) }
    }

    /// Some checks at once, with as many timers.
    pub(crate) async fn wave(&self) -> Answers {
        let checks = (0..WAVE).map(|n| async move {
            let on_error = [Local, Allow, Deny][n % 3];
            let begun = Instant::now();
            let limit = ample(on_error);
            let outcome = self.limiter.check(&limit, &format!("client{n}")).await.unwrap();
            Answer { outcome, took: begun.elapsed(), on_error }
        });
        let counted = (0..5).map(|_| async {
            let outcome = self.limiter.check(&self.counted, "counted").await.unwrap();
            self.admitted.set(self.admitted.get() + u32::from(outcome.is_allowed()));
        });
        let asked = join(join_all(checks), join_all(counted));
        let ((answers, _), timers) = join(asked, join_all((0..WAVE).map(|_| clocked()))).await;
        Answers { answers, timers }
    }

    /// How many the counted limit has admitted.
    pub(crate) fn admitted(&self) -> u32 {
        self.admitted.get()
    }
}

/// How long a timer of the deadline takes.
async fn clocked() -> Duration {
    let begun = Instant::now();
    let _ = timeout(DEADLINE, pending::<()>()).await;
    begun.elapsed()
}

pub(crate) fn p99(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100]
}
