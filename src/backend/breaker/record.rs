//! What has been seen of a member.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::latency::{Latencies, Latency};
use crate::{
    Clock, Timestamp,
    backend::{BackendError, counter::Counter},
};

#[derive(Debug, Default)]
pub(super) struct Record {
    answers: Counter,
    failures: AtomicU64,
    probes_answered: AtomicU64,
    probes_failed: AtomicU64,
    opened: AtomicU64,
    latencies: Latencies,
    last: Mutex<Last>,
}

/// What was seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct Last {
    pub(super) check: Option<Timestamp>,
    pub(super) error: Option<BackendError>,
    /// When the state changed.
    pub(super) change: Option<Timestamp>,
}

impl Record {
    #[inline]
    pub(super) fn answered_at_once(&self) {
        self.answers.add_one();
    }

    pub(super) fn answered_after(&self, micros: u64) {
        self.answers.add_one();
        self.latencies.note(micros);
    }

    pub(super) fn failed(&self, error: &BackendError) {
        self.failures.fetch_add(1, Relaxed);
        self.last.lock().error = Some(error.clone());
    }

    pub(super) fn probed(&self, result: Result<(), &BackendError>) {
        let mut last = self.last.lock();
        last.check = Some(Clock::System.now());
        match result {
            Ok(()) => self.probes_answered.fetch_add(1, Relaxed),
            Err(error) => {
                last.error = Some(error.clone());
                self.probes_failed.fetch_add(1, Relaxed)
            }
        };
    }

    pub(super) fn changed(&self, is_open: bool) {
        self.opened.fetch_add(u64::from(is_open), Relaxed);
        self.last.lock().change = Some(Clock::System.now());
    }

    pub(super) fn last(&self) -> Last {
        self.last.lock().clone()
    }

    /// Answers, failures, probes answered, probes failed, and how often the breaker opened.
    pub(super) fn counts(&self) -> [u64; 5] {
        let read = |count: &AtomicU64| count.load(Relaxed);
        let Self { failures, probes_answered, probes_failed, opened, .. } = self;
        [
            self.answers.sum(),
            read(failures),
            read(probes_answered),
            read(probes_failed),
            read(opened),
        ]
    }

    pub(super) fn latency(&self) -> Latency {
        self.latencies.read()
    }
}
