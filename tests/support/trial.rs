//! Asking a limiter whose store may fail: what it answered, how long that took, and what its events
//! told of the store.

use std::{
    cell::RefCell,
    error::Error as _,
    fmt::Debug,
    future::pending,
    time::{Duration, Instant},
};

use actix_smart_ratelimit::{
    Algorithm, Event, EventKind, Limit,
    OnError::{self, Allow, Deny, Local},
    Outcome, Rate, RateLimiter, WindowStart,
    backend::{Backend, ErrorKind, Fate},
};
use futures_util::future::{join, join_all};
use tokio::time::{sleep, timeout};

use super::redis::PATIENCE;

/// How long a store may take to answer, by default.
pub const DEADLINE: Duration = Duration::from_millis(100);
/// How much later than that a decision may come, but for one in a hundred.
const GRACE: Duration = Duration::from_millis(10);
/// How long it may take until a store decides again that is well again.
const RECOVERY: Duration = Duration::from_secs(1);
/// Between two questions whether a store decides again.
const NAP: Duration = Duration::from_millis(5);
/// Checks that are made at once.
const WAVE: usize = 48;

/// What was wrong with a store.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: ErrorKind,
    pub fate: Fate,
    pub cause: String,
}

/// The answer to one check.
#[derive(Clone, Debug)]
pub struct Answer {
    pub outcome: Outcome,
    /// Why the store did not decide, unless it did.
    pub fault: Option<Fault>,
    pub took: Duration,
    on_error: OnError,
}

tokio::task_local! {
    /// What the events of the check tell that is under way.
    static TOLD: RefCell<Vec<Fault>>;
}

/// A limiter with a single store, and limits that nothing but faults of the store can reach.
#[derive(Debug)]
pub struct Trial(pub RateLimiter);

impl Trial {
    pub fn of(backend: impl Backend) -> Self {
        Self::with_deadline(backend, DEADLINE)
    }

    pub fn with_deadline(backend: impl Backend, deadline: Duration) -> Self {
        let limiter = RateLimiter::builder().backend("store", backend).on_event(note);
        Self(limiter.deadline(deadline).build().unwrap())
    }

    /// Asks for a permit of a limit.
    pub async fn ask(&self, limit: &Limit, key: &str) -> Answer {
        let begun = Instant::now();
        let check = async {
            let outcome = self.0.check(limit, key).await.unwrap();
            (outcome, begun.elapsed(), TOLD.with(RefCell::take))
        };
        let (outcome, took, mut told) = TOLD.scope(RefCell::default(), check).await;
        assert!(told.len() <= 1, "one check, several events: {told:?}");
        Answer { outcome, fault: told.pop(), took, on_error: Local }
    }

    /// Asks for a permit of a limit that chooses so.
    pub async fn ask_with(&self, on_error: OnError, key: &str) -> Answer {
        Answer { on_error, ..self.ask(&ample(on_error), key).await }
    }

    /// # Panics
    ///
    /// Unless the store decides.
    pub async fn assert_works(&self) {
        let fault = self.ask_with(Local, "works").await.fault;
        assert!(fault.is_none(), "{fault:?}");
    }

    /// Waits until the store decides, however busy this machine is.
    pub async fn begins(&self) {
        let begun = Instant::now();
        while let Some(fault) = self.ask_with(Local, "works").await.fault {
            assert!(begun.elapsed() < PATIENCE, "{fault:?}");
            sleep(NAP).await;
        }
    }

    /// Makes waves of checks while the store fails.
    ///
    /// # Panics
    ///
    /// When a check is decided later than it may be, or otherwise than its limit chooses.
    pub async fn suffer(&self, waves: usize) -> Vec<Fault> {
        let (mut answers, mut control) = (Vec::new(), Vec::new());
        for _ in 0..waves {
            let checks = (0..WAVE).map(|n| async move {
                let on_error = [Local, Allow, Deny][n % 3];
                self.ask_with(on_error, &format!("client{n}")).await
            });
            let (asked, timed) =
                join(join_all(checks), join_all((0..WAVE).map(|_| clocked()))).await;
            answers.extend(asked);
            control.extend(timed);
        }
        answers.iter().for_each(Answer::assert_as_chosen);
        let (slowest, control) = (p99(answers.iter().map(|answer| answer.took)), p99(control));
        assert!(
            slowest <= control + GRACE,
            "decided after {slowest:?}, when a timer of {DEADLINE:?} took {control:?}"
        );
        println!("p99 {slowest:?}, of a timer {control:?}");
        answers.into_iter().filter_map(|answer| answer.fault).collect()
    }

    /// The same for a store that decides nothing.
    pub async fn suffer_alone(&self, waves: usize) -> Vec<Fault> {
        let faults = self.suffer(waves).await;
        assert_eq!(faults.len(), waves * WAVE, "the store decided some");
        faults
    }

    /// Waits for the first check that the store decides.
    ///
    /// # Panics
    ///
    /// When that takes longer than a second, not counting how much later than due this machine
    /// wakes who sleeps.
    pub async fn recovers(&self) {
        self.recovers_for(&ample(Local), "works").await;
    }

    /// The same for checks of this limit and key.
    pub async fn recovers_for(&self, limit: &Limit, key: &str) {
        let begun = Instant::now();
        let mut overslept = Duration::ZERO;
        while let Some(fault) = self.ask(limit, key).await.fault {
            assert!(begun.elapsed() < PATIENCE, "the store does not decide again: {fault:?}");
            let asleep = Instant::now();
            sleep(NAP).await;
            overslept += asleep.elapsed().saturating_sub(NAP);
        }
        let took = begun.elapsed();
        assert!(
            took <= RECOVERY + overslept,
            "well again after {took:?} (overslept {overslept:?})"
        );
        println!("well again after {took:?}");
    }
}

impl Answer {
    fn assert_as_chosen(&self) {
        let Self { outcome, fault, on_error, .. } = self;
        let as_chosen = match (fault, on_error) {
            (None, _) | (_, Local) => outcome.decision().is_some() && outcome.is_allowed(),
            (_, Allow) => *outcome == Outcome::Unlimited,
            (_, Deny) => *outcome == Outcome::Unavailable,
        };
        assert!(as_chosen, "{self:?}");
    }
}

/// Which kinds there are among faults, each once.
pub fn kinds(faults: &[Fault]) -> Vec<ErrorKind> {
    distinct(faults.iter().map(|fault| fault.kind))
}

/// Which fates there are among faults, each once.
pub fn fates(faults: &[Fault]) -> Vec<Fate> {
    distinct(faults.iter().map(|fault| fault.fate))
}

/// # Panics
///
/// Unless the cause of every fault names this.
#[track_caller]
pub fn assert_cause(faults: &[Fault], part: &str) {
    assert!(!faults.is_empty());
    for fault in faults {
        assert!(fault.cause.contains(part), "{fault:?}");
    }
}

fn distinct<T: PartialEq + Debug>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}

/// A limit of a million permits, counted from the first request on.
pub fn ample(on_error: OnError) -> Limit {
    counted(&format!("{on_error:?}"), 1_000_000).on_error(on_error)
}

/// A limit of so many permits in the hour that begins with the first request. What `key` has taken is
/// at `ratelimit:<scope>:<key>`.
pub fn counted(scope: &str, permits: u32) -> Limit {
    let rate: Rate = format!("{permits}/h").parse().unwrap();
    Limit::new(scope, rate).algorithm(Algorithm::FixedWindow).window(WindowStart::FirstRequest)
}

fn note(event: &Event<'_>) {
    if event.kind != EventKind::StoreAway {
        return;
    }
    let error = event.error.unwrap();
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let fault = Fault { kind: error.kind(), fate: error.fate(), cause };
    // Events of an application's requests come without a check of ours.
    let _ = TOLD.try_with(|told| told.borrow_mut().push(fault));
}

/// How long a timer of the deadline takes.
async fn clocked() -> Duration {
    let begun = Instant::now();
    let _ = timeout(DEADLINE, pending::<()>()).await;
    begun.elapsed()
}

fn p99(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100]
}
