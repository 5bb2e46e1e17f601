//! `Reference`: a backend so plain that it can be read in a minute.

use std::{collections::HashMap, future::ready};

use parking_lot::Mutex;

use crate::{
    Batch, Cell, Charge, Decision, EntryLog, Mode, Policy, Shape, Step, Store, Timestamp,
    backend::{Backend, BackendError, BoxFuture, Health, Progress, Stats},
    settle,
};

/// How far back, in microseconds, a time may lie to be taken for one that arrives late.
const REORDERING: u64 = 10_000_000;

/// A backend for comparison: every state in one map behind one lock, forgotten only when asked to.
///
/// It is slow and grows without bound. It shares the arithmetic of the other backends, so agreeing
/// with it says that a backend keeps states well; that the arithmetic is right, the expected values
/// of the [corpus](super::conformance) say.
///
/// It goes by [`Batch::now`], except that a time up to ten seconds before the latest one counts as the
/// latest: readings of different threads arrive out of order.
#[derive(Debug, Default)]
pub struct Reference {
    states: Mutex<States>,
}

#[derive(Debug, Default)]
struct States {
    /// By storage key, and then by what a state means.
    by_key: HashMap<String, HashMap<u64, State>>,
    /// Time of the latest batch.
    now: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    cell: Option<Cell>,
    log: EntryLog,
}

impl Reference {
    /// A backend that knows no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn settle(&self, batch: &mut Batch<'_>, mode: Mode) -> Progress {
        let mut states = self.states.lock();
        let now = states.arrive(batch.now());
        let of =
            batch.checks().iter().map(|check| (check.key.to_owned(), check.policy.state_tag()));
        let of = of.collect();
        settle(batch, &mut Held { states: &mut states, of }, now, mode);
        Progress::Done
    }
}

impl States {
    /// The time to decide at.
    fn arrive(&mut self, now: Timestamp) -> Timestamp {
        if now > self.now || self.now.since(now) > REORDERING {
            self.now = now;
        }
        self.now
    }

    fn state(&mut self, key: &str, tag: u64) -> &mut State {
        self.by_key.entry(key.to_owned()).or_default().entry(tag).or_default()
    }

    fn refund(&mut self, charge: &Charge<'_>) {
        let &Charge { key, policy, cost, charged_at } = charge;
        let now = self.now;
        let state = self.state(key, policy.state_tag());
        if let Shape::Log(_) = policy.shape() {
            state.log.refund(charged_at, cost);
        }
        state.cell = state.cell.map(|cell| refunded(policy, cell, now, charged_at, cost));
    }
}

fn refunded(policy: &Policy, cell: Cell, now: Timestamp, charged_at: Timestamp, cost: u32) -> Cell {
    policy.refund(cell, now, charged_at, cost).cell
}

impl Backend for Reference {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.settle(batch, Mode::Charge)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.settle(batch, Mode::Peek)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.states.lock().by_key.remove(key);
        Box::pin(ready(Ok(())))
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.states.lock().refund(&charge);
        Box::pin(ready(Ok(())))
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        Box::pin(ready(Ok(Health::default())))
    }

    fn stats(&self) -> Stats {
        let states = self.states.lock();
        let keys = states.by_key.values().map(HashMap::len).sum::<usize>();
        Stats { keys: keys as u64, max_keys: u64::MAX, ..Stats::default() }
    }
}

/// The states of one batch.
struct Held<'s> {
    states: &'s mut States,
    /// Key and tag of each check.
    of: Vec<(String, u64)>,
}

impl Held<'_> {
    fn state(&mut self, check: usize) -> &mut State {
        let (key, tag) = &self.of[check];
        self.states.state(key, *tag)
    }
}

impl Store for Held<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        self.state(check).cell
    }

    fn put(&mut self, check: usize, step: &Step) {
        self.state(check).cell = Some(step.cell);
    }

    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &EntryLog {
        let log = &mut self.state(check).log;
        log.advance(now, period);
        log
    }

    fn append(&mut self, check: usize, now: Timestamp, cost: u32, _: &Decision, most: u64) {
        let log = &mut self.state(check).log;
        log.append(now, cost);
        log.trim(most);
    }
}
