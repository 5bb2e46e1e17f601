//! The simplest store that settlement can run over: two hash maps.
//!
//! Cells are kept as bytes, as a store outside the process would, so that every test over this
//! store is also a test of a restart.

use std::collections::HashMap;

use actix_smart_ratelimit_core::{
    Batch, Cell, Charge, Check, Decision, EntryLog, Mode, Policy, Shape, Step, Store, Timestamp,
    Verdict, settle,
};

static NOTHING_LOGGED: EntryLog = EntryLog::new();

type Place = (String, u64);

#[derive(Clone, Debug, Default)]
pub(crate) struct MapStore {
    cells: HashMap<Place, ([u8; 16], Timestamp)>,
    logs: HashMap<Place, (EntryLog, Timestamp)>,
}

impl MapStore {
    pub(crate) fn settle(&mut self, batch: &mut Batch<'_>, mode: Mode) {
        let place = |check: &Check<'_>| (check.key.to_owned(), check.policy.state_tag());
        let places = batch.checks().iter().map(place).collect();
        let now = batch.now();
        settle(batch, &mut Held { store: self, places }, now, mode);
    }

    /// Decides several checks at once.
    pub(crate) fn check(&mut self, now: u64, checks: &[Check<'_>], mode: Mode) -> Verdict {
        let mut batch = Batch::new(Timestamp::from_micros(now));
        for check in checks {
            batch.push(*check).unwrap();
        }
        self.settle(&mut batch, mode);
        batch.into_verdict()
    }

    /// Takes `cost` permits of one key, called "key".
    pub(crate) fn take(&mut self, policy: &Policy, now: u64, cost: u32) -> Decision {
        self.check(now, &[Check { key: "key", policy, cost }], Mode::Charge).decisions()[0]
    }

    /// Looks whether `cost` permits of that key would be admitted.
    pub(crate) fn peek(&mut self, policy: &Policy, now: u64, cost: u32) -> Decision {
        self.check(now, &[Check { key: "key", policy, cost }], Mode::Peek).decisions()[0]
    }

    /// Forgets what need not be kept, as early as that is allowed.
    pub(crate) fn forget_expired(&mut self, now: u64) {
        self.cells.retain(|_, (_, expires)| expires.as_micros() > now);
        self.logs.retain(|_, (_, expires)| expires.as_micros() > now);
    }

    pub(crate) fn reset(&mut self, key: &str) {
        self.cells.retain(|(of, _), _| of != key);
        self.logs.retain(|(of, _), _| of != key);
    }

    pub(crate) fn refund(&mut self, charge: &Charge<'_>, now: u64) {
        let &Charge { key, policy, cost, charged_at } = charge;
        let place = (key.to_owned(), policy.state_tag());
        if let Shape::Log(_) = policy.shape() {
            if let Some((log, _)) = self.logs.get_mut(&place) {
                log.refund(charged_at, cost);
            }
        } else if let Some((bytes, expires)) = self.cells.get_mut(&place) {
            let now = Timestamp::from_micros(now);
            let step = policy.refund(read(*bytes), now, charged_at, cost);
            (*bytes, *expires) = (written(step.cell), step.expires);
        }
    }

    /// States that are kept.
    pub(crate) fn len(&self) -> usize {
        self.cells.len() + self.logs.len()
    }
}

struct Held<'s> {
    store: &'s mut MapStore,
    places: Vec<Place>,
}

impl Store for Held<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        self.store.cells.get(&self.places[check]).map(|(bytes, _)| read(*bytes))
    }

    fn put(&mut self, check: usize, step: &Step) {
        let state = (written(step.cell), step.expires);
        self.store.cells.insert(self.places[check].clone(), state);
    }

    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &EntryLog {
        match self.store.logs.get_mut(&self.places[check]) {
            Some((log, _)) => {
                log.advance(now, period);
                log
            }
            None => &NOTHING_LOGGED,
        }
    }

    fn append(&mut self, check: usize, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        let (log, expires) = self.store.logs.entry(self.places[check].clone()).or_default();
        log.append(now, cost);
        log.trim(most);
        *expires = after.reset_at();
    }
}

fn written(cell: Cell) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&cell.0.to_be_bytes());
    bytes[8..].copy_from_slice(&cell.1.to_be_bytes());
    bytes
}

fn read(bytes: [u8; 16]) -> Cell {
    let word = |from: usize| u64::from_be_bytes(bytes[from..from + 8].try_into().unwrap());
    Cell(word(0), word(8))
}
