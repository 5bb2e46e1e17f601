//! What the tables hold, in memory: one state for each key and each meaning of a state, never forgotten.

use std::collections::HashMap;

use actix_smart_ratelimit::{
    Batch, Cell, Charge, Decision, EntryLog, Mode, Policy, Shape, Step, Store, Timestamp, Verdict,
    settle,
};

type Place = (String, u64);

#[derive(Default)]
struct State {
    cell: Option<Cell>,
    /// When the cell was written.
    at: Timestamp,
    log: EntryLog,
}

#[derive(Default)]
pub(crate) struct Model {
    states: HashMap<Place, State>,
}

impl Model {
    pub(crate) fn settle(&mut self, batch: &mut Batch<'_>, mode: Mode, now: Timestamp) -> Verdict {
        let place = |check: &actix_smart_ratelimit::Check<'_>| {
            ((check.key.to_owned(), check.policy.state_tag()), is_bucket(check.policy))
        };
        let of = batch.checks().iter().map(place).collect();
        settle(batch, &mut Held { model: self, of, now }, now, mode);
        batch.verdict().clone()
    }

    pub(crate) fn reset(&mut self, key: &str) {
        self.states.retain(|(known, _), _| known != key);
    }

    pub(crate) fn refund(&mut self, charge: &Charge<'_>, now: Timestamp) {
        let &Charge { key, policy, cost, charged_at } = charge;
        let state = self.states.entry((key.to_owned(), policy.state_tag())).or_default();
        if let Shape::Log(_) = policy.shape() {
            state.log.refund(charged_at, cost);
        } else if let Some(cell) = state.cell_at(now, is_bucket(policy)) {
            state.put(policy.refund(cell, now, charged_at, cost).cell, now);
        }
    }
}

impl State {
    /// A bucket that was filled under a later clock lies as far ahead of now as it did then.
    fn cell_at(&mut self, now: Timestamp, is_bucket: bool) -> Option<Cell> {
        if is_bucket
            && self.at > now
            && let Some(cell) = &mut self.cell
        {
            cell.0 = cell.0.saturating_sub(self.at.since(now));
            self.at = now;
        }
        self.cell
    }

    fn put(&mut self, cell: Cell, now: Timestamp) {
        (self.cell, self.at) = (Some(cell), now);
    }
}

fn is_bucket(policy: &Policy) -> bool {
    matches!(policy.shape(), Shape::Meter(meter) if meter.refill().0 > 0)
}

struct Held<'m> {
    model: &'m mut Model,
    of: Vec<(Place, bool)>,
    now: Timestamp,
}

impl Held<'_> {
    fn state(&mut self, check: usize) -> &mut State {
        self.model.states.entry(self.of[check].0.clone()).or_default()
    }
}

impl Store for Held<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        let (now, is_bucket) = (self.now, self.of[check].1);
        self.state(check).cell_at(now, is_bucket)
    }

    fn put(&mut self, check: usize, step: &Step) {
        let now = self.now;
        self.state(check).put(step.cell, now);
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
