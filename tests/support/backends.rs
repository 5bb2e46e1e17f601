//! Backends that behave badly, or tell what they were asked.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use actix_smart_ratelimit::{
    Batch, Charge, MemoryBackend, Verdict,
    backend::{Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats},
};

/// A memory backend that remembers the storage keys of all checks.
#[derive(Debug, Default)]
pub struct Recording {
    inner: MemoryBackend,
    keys: Mutex<Vec<String>>,
}

impl Recording {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The storage keys asked for since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.keys.lock().unwrap())
    }
}

impl Backend for Recording {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let keys = batch.checks().iter().map(|check| check.key.to_owned());
        self.keys.lock().unwrap().extend(keys);
        self.inner.check(batch)
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
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

/// A backend that must not be touched.
#[derive(Debug)]
pub struct Untouchable;

impl Backend for Untouchable {
    fn check(&self, _: &mut Batch<'_>) -> Progress {
        panic!("the store is touched")
    }

    fn peek(&self, _: &mut Batch<'_>) -> Progress {
        panic!("the store is touched")
    }

    fn reset(&self, _: &str) -> BoxFuture<Result<(), BackendError>> {
        panic!("the store is touched")
    }

    fn refund(&self, _: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        panic!("the store is touched")
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        panic!("the store is touched")
    }

    fn stats(&self) -> Stats {
        panic!("the store is touched")
    }
}

/// How a [`Remote`] answers a check.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    /// Truly, after the runtime has done other work.
    Answers,
    /// Never.
    Silent,
    /// With an error, after the runtime has done other work.
    Fails(ErrorKind, Fate),
    /// With a verdict that has no decision.
    DecidesNothing,
    /// At once, without a decision.
    SaysDone,
}

/// A backend that answers later, like a store behind a network, in the mood that the test sets.
#[derive(Debug)]
pub struct Remote {
    inner: MemoryBackend,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    waiting: Arc<AtomicUsize>,
    probed: AtomicUsize,
    probing: Arc<AtomicUsize>,
    most_probing: AtomicUsize,
}

impl Remote {
    pub fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryBackend::default(),
            mood: Mutex::new(mood),
            asked: AtomicUsize::new(0),
            waiting: Arc::default(),
            probed: AtomicUsize::new(0),
            probing: Arc::default(),
            most_probing: AtomicUsize::new(0),
        })
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many checks have been asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// How many health checks have been asked for.
    pub fn probed(&self) -> usize {
        self.probed.load(Ordering::SeqCst)
    }

    /// How many of those were under way at once, at most.
    pub fn most_probing(&self) -> usize {
        self.most_probing.load(Ordering::SeqCst)
    }

    /// How many of them are being waited for now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl Backend for Remote {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        if matches!(mood, Mood::SaysDone) {
            return Progress::Done;
        }
        let mut sent = batch.clone();
        if matches!(mood, Mood::Answers) {
            let Progress::Done = self.inner.check(&mut sent) else { unreachable!() };
        }
        let waiting = Waiting::new(&self.waiting);
        let verdict = sent.into_verdict();
        Progress::Pending(Box::pin(async move {
            let _waiting = waiting;
            tokio::task::yield_now().await;
            match mood {
                Mood::Answers => Ok(verdict),
                Mood::Silent => std::future::pending().await,
                Mood::Fails(kind, fate) => Err(BackendError::new(kind, fate)),
                Mood::DecidesNothing | Mood::SaysDone => Ok(Verdict::default()),
            }
        }))
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
        self.probed.fetch_add(1, Ordering::SeqCst);
        let probing = Waiting::new(&self.probing);
        self.most_probing.fetch_max(self.probing.load(Ordering::SeqCst), Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        Box::pin(async move {
            let _probing = probing;
            tokio::task::yield_now().await;
            match mood {
                Mood::Silent => std::future::pending().await,
                Mood::Fails(kind, fate) => Err(BackendError::new(kind, fate)),
                _ => Ok(Health::default()),
            }
        })
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

/// Counts one check for as long as it is waited for.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
