//! A backend that answers later, as one with a server does, and counts what it is asked.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use actix_smart_ratelimit::{
    Batch, Charge, Check, Error, Mode, Policy, Timestamp, Verdict,
    backend::{Backend, BackendError, BoxFuture, Health, Progress, Stats},
};

/// Makes a backend answer later: it decides when it is asked, and the answer arrives when its future
/// is polled. Resets and refunds are carried out when their futures are polled.
#[derive(Debug)]
pub(crate) struct Later<B> {
    inner: Arc<B>,
    /// Microseconds by which its clock is ahead of the caller's.
    ahead: AtomicU64,
    checks: AtomicU64,
    peeks: AtomicU64,
    refunds: AtomicU64,
}

impl<B: Backend> Later<B> {
    pub(crate) fn new(inner: B) -> Arc<Self> {
        Self::ahead(inner, 0)
    }

    pub(crate) fn ahead(inner: B, ahead: u64) -> Arc<Self> {
        let inner = Arc::new(inner);
        let zero = AtomicU64::default;
        let ahead = AtomicU64::new(ahead);
        Arc::new(Self { inner, ahead, checks: zero(), peeks: zero(), refunds: zero() })
    }

    /// Sets its clock further ahead, as if questions took longer to arrive.
    pub(crate) fn set_ahead(&self, micros: u64) {
        self.ahead.store(micros, SeqCst);
    }

    /// How many checks it was asked to decide.
    pub(crate) fn checks(&self) -> u64 {
        self.checks.load(SeqCst)
    }

    pub(crate) fn peeks(&self) -> u64 {
        self.peeks.load(SeqCst)
    }

    pub(crate) fn refunds(&self) -> u64 {
        self.refunds.load(SeqCst)
    }

    fn decide(&self, batch: &Batch<'_>, mode: Mode) -> Progress {
        let mut sent = Batch::new(batch.now() + self.ahead.load(SeqCst));
        for check in batch.checks() {
            sent.push(*check).unwrap();
        }
        Progress::Pending(match send(&*self.inner, &mut sent, mode) {
            Progress::Done => Box::pin(ready(Ok(sent.into_verdict()))),
            Progress::Pending(answer) => answer,
        })
    }
}

impl<B: Backend> Backend for Later<B> {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.checks.fetch_add(1, SeqCst);
        self.decide(batch, Mode::Charge)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.peeks.fetch_add(1, SeqCst);
        self.decide(batch, Mode::Peek)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let (inner, key) = (self.inner.clone(), key.to_owned());
        Box::pin(async move { inner.reset(&key).await })
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.refunds.fetch_add(1, SeqCst);
        let (inner, key, policy) =
            (self.inner.clone(), charge.key.to_owned(), charge.policy.clone());
        let Charge { cost, charged_at, .. } = charge;
        Box::pin(async move {
            inner.refund(Charge { key: &key, policy: &policy, cost, charged_at }).await
        })
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.inner.validate(policy, cost)
    }
}

fn send(backend: &impl Backend, batch: &mut Batch<'_>, mode: Mode) -> Progress {
    match mode {
        Mode::Charge => backend.check(batch),
        Mode::Peek => backend.peek(batch),
    }
}

/// What a future that waits for nothing has.
pub(crate) fn now<T>(mut future: BoxFuture<T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// What a backend says to a batch at once: its verdict, or the answer that is to come.
pub(crate) fn ask(
    backend: &impl Backend,
    at: u64,
    checks: &[Check<'_>],
) -> Result<Verdict, BoxFuture<Result<Verdict, BackendError>>> {
    let mut batch = Batch::new(Timestamp::from_micros(at));
    for check in checks {
        batch.push(*check).unwrap();
    }
    match backend.check(&mut batch) {
        Progress::Done => Ok(batch.into_verdict()),
        Progress::Pending(answer) => Err(answer),
    }
}

/// The verdict of a batch, now or later.
pub(crate) fn decided(backend: &impl Backend, at: u64, checks: &[Check<'_>]) -> Verdict {
    ask(backend, at, checks).unwrap_or_else(|answer| now(answer).unwrap())
}

/// One permit of a key.
pub(crate) fn one<'a>(key: &'a str, policy: &'a Policy) -> [Check<'a>; 1] {
    [Check { key, policy, cost: 1 }]
}
