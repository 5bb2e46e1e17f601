//! A backend that counts what it is asked, for tests of those who ask.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Instant,
};

use actix_smart_ratelimit::{
    Batch, Charge, Error, Policy,
    backend::{Backend, BackendError, BoxFuture, Health, Progress, Stats},
};

/// Counts of one backend.
#[derive(Debug, Default)]
pub struct Counts {
    checks: AtomicUsize,
    asked_at: Mutex<Option<Instant>>,
    answers: AtomicUsize,
    probes: AtomicUsize,
    probing: AtomicUsize,
    most_probing: AtomicUsize,
}

impl Counts {
    /// Checks that were asked for.
    pub fn checks(&self) -> usize {
        self.checks.load(SeqCst)
    }

    /// When the last check was asked for.
    pub fn asked_at(&self) -> Option<Instant> {
        *self.asked_at.lock().unwrap()
    }

    /// Checks that were decided.
    pub fn answers(&self) -> usize {
        self.answers.load(SeqCst)
    }

    /// Health checks that were asked for.
    pub fn probes(&self) -> usize {
        self.probes.load(SeqCst)
    }

    /// Health checks that were under way at once, at most.
    pub fn most_probing(&self) -> usize {
        self.most_probing.load(SeqCst)
    }
}

/// Asks the backend inside, and counts.
#[derive(Debug)]
pub struct Watched<B> {
    inner: B,
    counts: Arc<Counts>,
}

impl<B> Watched<B> {
    pub fn new(inner: B) -> (Self, Arc<Counts>) {
        let counts = Arc::<Counts>::default();
        (Self { inner, counts: counts.clone() }, counts)
    }
}

/// Counts a probe as under way until it is dropped.
struct Probing(Arc<Counts>);

impl Probing {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.probes.fetch_add(1, SeqCst);
        let now = counts.probing.fetch_add(1, SeqCst) + 1;
        counts.most_probing.fetch_max(now, SeqCst);
        Self(counts.clone())
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.0.probing.fetch_sub(1, SeqCst);
    }
}

impl<B: Backend> Backend for Watched<B> {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.counts.checks.fetch_add(1, SeqCst);
        *self.counts.asked_at.lock().unwrap() = Some(Instant::now());
        let counts = self.counts.clone();
        match self.inner.check(batch) {
            Progress::Done => {
                counts.answers.fetch_add(1, SeqCst);
                Progress::Done
            }
            Progress::Pending(answer) => Progress::Pending(Box::pin(async move {
                let answer = answer.await;
                counts.answers.fetch_add(usize::from(answer.is_ok()), SeqCst);
                answer
            })),
        }
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.inner.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.inner.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        let probing = Probing::new(&self.counts);
        let answer = self.inner.health();
        Box::pin(async move {
            let _probing = probing;
            answer.await
        })
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.inner.validate(policy, cost)
    }
}
