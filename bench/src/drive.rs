//! Checks in flight: what an Actix worker does when many requests wait for the store.
//!
//! Each check in flight belongs to a task of its own on a current-thread
//! runtime, as each connection's does on a worker.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use anyhow::{Context, Result};

/// Decisions by string key.
pub(crate) trait Check: 'static {
    /// Takes one permit of `key`; whether it was admitted.
    fn check(&self, key: &str) -> impl Future<Output = Result<bool>>;
}

/// Keys in the order of the visit; successive slices go on where the last one stopped.
#[derive(Debug)]
pub(crate) struct Visit {
    keys: Arc<Vec<String>>,
    next: Cell<usize>,
}

impl Visit {
    /// A visit that begins at the key number `start`.
    pub(crate) fn new(keys: &Arc<Vec<String>>, start: usize) -> Self {
        Self { keys: Arc::clone(keys), next: Cell::new(start % keys.len()) }
    }

    pub(crate) fn next(&self) -> &str {
        let index = self.next.get();
        self.next.set((index + 1) % self.keys.len());
        &self.keys[index]
    }
}

/// When a slice ends: whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) window: Duration,
    pub(crate) checks: u64,
}

/// One slice of checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) checks: u64,
    pub(crate) admitted: u64,
    pub(crate) elapsed: Duration,
    /// How long a check took, in µs: the median, the 99th percentile and the longest.
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) longest: f64,
    /// Processor time of the server for each check, in µs; NaN where nobody looked.
    pub(crate) server: f64,
}

impl Slice {
    /// Checks that took `latencies`; nobody looked at the server.
    pub(crate) fn new(mut latencies: Vec<Duration>, admitted: u64, elapsed: Duration) -> Self {
        Self {
            checks: latencies.len() as u64,
            admitted,
            elapsed,
            median: quantile(&mut latencies, 50),
            p99: quantile(&mut latencies, 99),
            longest: latencies.iter().max().map_or(f64::NAN, |time| time.as_secs_f64() * 1e6),
            server: f64::NAN,
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.checks as f64 / self.elapsed.as_secs_f64()
    }
}

/// Keeps `in_flight` checks in flight. To be called on an Actix runtime.
pub(crate) async fn drive<C: Check>(
    limiter: &Arc<C>,
    visit: &Rc<Visit>,
    in_flight: usize,
    bounds: Bounds,
) -> Result<Slice> {
    let left = Rc::new(Cell::new(bounds.checks));
    let begin = Instant::now();
    let end = begin + bounds.window;
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| spawn(checks(Arc::clone(limiter), Rc::clone(visit), Rc::clone(&left), end)))
        .collect();
    let (mut admitted, mut latencies) = (0, Vec::new());
    for task in tasks {
        let (admissions, times) = task.await.context("a checking task ended early")??;
        admitted += admissions;
        latencies.extend(times);
    }
    Ok(Slice::new(latencies, admitted, begin.elapsed()))
}

/// One check after the other; admissions, and how long each check took.
async fn checks<C: Check>(
    limiter: Arc<C>,
    visit: Rc<Visit>,
    left: Rc<Cell<u64>>,
    end: Instant,
) -> Result<(u64, Vec<Duration>)> {
    let (mut admitted, mut latencies) = (0, Vec::new());
    let mut begin = Instant::now();
    while begin < end && left.get() > 0 {
        left.set(left.get() - 1);
        admitted += u64::from(limiter.check(visit.next()).await?);
        let now = Instant::now();
        latencies.push(now - begin);
        begin = now;
    }
    Ok((admitted, latencies))
}

/// In µs; NaN when there is none.
fn quantile(latencies: &mut [Duration], percent: usize) -> f64 {
    let index = latencies.len() * percent / 100;
    if index >= latencies.len() {
        return f64::NAN;
    }
    let (_, value, _) = latencies.select_nth_unstable(index);
    value.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use actix_web::rt::{System, task::yield_now};

    use super::*;

    /// Notes the keys that it is asked for, and how many checks wait at most.
    #[derive(Default)]
    struct Recorder {
        keys: RefCell<Vec<String>>,
        waiting: Cell<usize>,
        most: Cell<usize>,
    }

    impl Check for Recorder {
        async fn check(&self, key: &str) -> Result<bool> {
            self.keys.borrow_mut().push(key.to_owned());
            self.waiting.set(self.waiting.get() + 1);
            self.most.set(self.most.get().max(self.waiting.get()));
            yield_now().await;
            self.waiting.set(self.waiting.get() - 1);
            Ok(key != "b")
        }
    }

    fn driven(in_flight: usize, checks: u64) -> (Arc<Recorder>, Slice) {
        let keys = Arc::new(["a", "b", "c"].map(str::to_owned).to_vec());
        let visit = Rc::new(Visit::new(&keys, 1));
        let recorder = Arc::<Recorder>::default();
        let bounds = Bounds { window: Duration::from_secs(60), checks };
        let slice = System::new().block_on(drive(&recorder, &visit, in_flight, bounds)).unwrap();
        (recorder, slice)
    }

    #[test]
    fn keys_are_visited_in_turn_as_often_as_asked() {
        let (recorder, slice) = driven(1, 4);
        assert_eq!(*recorder.keys.borrow(), ["b", "c", "a", "b"]);
        assert_eq!((slice.checks, slice.admitted), (4, 2));
    }

    #[test]
    fn as_many_checks_wait_as_are_to_be_in_flight() {
        let (recorder, slice) = driven(5, 20);
        assert_eq!((recorder.most.get(), slice.checks), (5, 20));
    }

    #[test]
    fn quantiles_are_measured_values() {
        let mut latencies: Vec<_> = (1..=200).rev().map(Duration::from_micros).collect();
        assert_eq!(quantile(&mut latencies, 50), 101.0);
        assert_eq!(quantile(&mut latencies, 99), 199.0);
    }
}
