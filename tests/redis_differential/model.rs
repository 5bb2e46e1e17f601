//! States in memory, with the arithmetic of core and the habits of the original's layout: each window
//! on the clock has a count of its own, and a bucket knows when it was written.

use std::collections::HashMap;

use super::generate::PERIODS;
use actix_smart_ratelimit::{
    Algorithm, Batch, Cell, Charge, Decision, Entries, EntryLog, Mode, Policy, Shape, Step, Store,
    Timestamp, Verdict, WindowStart, settle,
};

#[derive(Default)]
pub(crate) struct Model {
    cells: HashMap<Place, Written>,
    /// With the period that they are looked at for.
    logs: HashMap<String, (EntryLog, u64)>,
}

/// Key, kind of state, and for windows on the clock their start.
type Place = (String, u64, Timestamp);

#[derive(Clone, Copy)]
struct Written {
    cell: Cell,
    at: Timestamp,
    expires: Timestamp,
    algorithm: Algorithm,
}

impl Model {
    pub(crate) fn settle(&mut self, batch: &mut Batch<'_>, mode: Mode, now: Timestamp) -> Verdict {
        let checks = batch.checks().iter();
        let places = checks.map(|check| place(check.key, check.policy, now)).collect();
        let mut held = Held { model: self, places, now, put: HashMap::new() };
        settle(batch, &mut held, now, mode);
        let put = held.put;
        if mode == Mode::Charge {
            self.keep(batch, &put, now);
        }
        batch.verdict().clone()
    }

    /// Writes what a batch changed. Of refused checks that do not count only those states are written
    /// that a later clock had written, or that begin with less than they could have.
    fn keep(&mut self, batch: &Batch<'_>, put: &HashMap<Place, Step>, now: Timestamp) {
        let checks = batch.checks().iter().zip(batch.verdict().decisions());
        for (check, decision) in checks {
            let place = place(check.key, check.policy, now);
            let ahead = self.is_ahead(&place, check.policy, now);
            let step = match (put.get(&place), self.cell(&place, now)) {
                (Some(step), _) => *step,
                (None, Some(cell)) if ahead && !decision.is_allowed() => {
                    check.policy.step(Some(cell), now, 0)
                }
                _ => continue,
            };
            let charged = batch.verdict().is_allowed() || check.policy.counts_refused();
            if charged || ahead && !decision.is_allowed() {
                self.write(place, &step, now, check.policy);
            }
        }
    }

    fn is_ahead(&self, place: &Place, policy: &Policy, now: Timestamp) -> bool {
        let Some(written) = self.cells.get(place) else { return true };
        let at = Timestamp::from_micros(written.cell.0);
        match policy.shape() {
            Shape::Meter(meter) if is_timed(written.cell) => {
                let moved = self.cell(place, now).unwrap_or_default();
                let horizon = (now + meter.tolerance().0).as_micros();
                written.at > now || (moved.0, moved.1) > (horizon, meter.tolerance().1)
            }
            Shape::Window(_) => at > now,
            _ => false,
        }
    }

    /// Windows on the clock are forgotten that begin where one of any period near `now` does; others
    /// are long over.
    pub(crate) fn reset(&mut self, key: &str, now: Timestamp) {
        self.cells.retain(|(known, _, start), _| {
            let near = PERIODS.iter().any(|period| {
                let current = now - now.as_micros() % period;
                [current - *period, current, current + *period].contains(start)
            });
            known != key || *start > Timestamp::ZERO && !near
        });
        self.logs.remove(key);
    }

    pub(crate) fn refund(&mut self, charge: &Charge<'_>, now: Timestamp) {
        let &Charge { key, policy, cost, charged_at } = charge;
        if let Shape::Log(_) = policy.shape() {
            if let Some((log, _)) = self.logs.get_mut(key) {
                log.refund(charged_at, cost);
            }
            return;
        }
        let place = place(key, policy, charged_at);
        let Some(cell) = self.cell(&place, now) else { return };
        let step = match policy.shape() {
            // A window on the clock is found by its start, wherever the clock is now.
            Shape::Window(window) if is_on_clock(policy) => {
                let at = charged_at.max(Timestamp::from_micros(cell.0));
                assert!(at.since(Timestamp::from_micros(cell.0)) < window.period());
                policy.refund(cell, at, charged_at, cost)
            }
            _ => policy.refund(cell, now, charged_at, cost),
        };
        self.write(place, &step, now, policy);
    }

    /// Keys of the server whose states matter at `now`, with the time until which they do.
    pub(crate) fn needed_until(&self, now: Timestamp) -> impl Iterator<Item = (String, Timestamp)> {
        let cells =
            self.cells.iter().map(|(place, written)| (state_key(place, written), written.expires));
        let logs = self.logs.iter().filter_map(|(key, (log, period))| {
            log.newest().map(|newest| (key.clone(), newest + *period))
        });
        cells.chain(logs).filter(move |(_, until)| *until > now)
    }

    fn cell(&self, place: &Place, now: Timestamp) -> Option<Cell> {
        let Written { cell, at, algorithm, .. } = *self.cells.get(place)?;
        let is_meter =
            matches!(algorithm, Algorithm::TokenBucket | Algorithm::LeakyBucket | Algorithm::Gcra);
        let ahead = if is_meter && is_timed(cell) { at.since(now) } else { 0 };
        Some(Cell(cell.0.saturating_sub(ahead), cell.1))
    }

    fn write(&mut self, place: Place, step: &Step, now: Timestamp, policy: &Policy) {
        // A bucket that begins with less than it holds is remembered for a day once it is full.
        let for_ever = step.expires == Timestamp::MAX && is_timed(step.cell);
        let full = step.decision.reset_at();
        let expires = if for_ever { full + 86_400_000_000 } else { step.expires };
        let algorithm = policy.algorithm().unwrap();
        let written = Written { cell: step.cell, at: now, expires, algorithm };
        self.cells.insert(place, written);
    }
}

fn state_key((key, _, start): &Place, written: &Written) -> String {
    let secs = start.as_micros() / 1_000_000;
    match written.algorithm {
        Algorithm::TokenBucket => format!("{key}:token_bucket"),
        Algorithm::LeakyBucket => format!("{key}:leaky_bucket"),
        Algorithm::Gcra => format!("{key}:gcra"),
        Algorithm::SlidingWindowCounter => format!("{key}:swc"),
        _ if *start > Timestamp::ZERO => format!("{key}:{secs}"),
        _ => key.clone(),
    }
}

/// Buckets that nothing comes back to count permits instead of time.
fn is_timed(cell: Cell) -> bool {
    cell.0 > 1 << 40
}

fn is_on_clock(policy: &Policy) -> bool {
    match policy.shape() {
        Shape::Window(window) => !window.is_weighted() && window.start() == WindowStart::Clock,
        _ => false,
    }
}

fn place(key: &str, policy: &Policy, now: Timestamp) -> Place {
    let start = match policy.shape() {
        Shape::Window(window) if is_on_clock(policy) => now - now.as_micros() % window.period(),
        _ => Timestamp::ZERO,
    };
    (key.to_owned(), policy.state_tag(), start)
}

struct Held<'m> {
    model: &'m mut Model,
    places: Vec<Place>,
    now: Timestamp,
    put: HashMap<Place, Step>,
}

impl Store for Held<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        let place = &self.places[check];
        let put = self.put.get(place).map(|step| step.cell);
        put.or_else(|| self.model.cell(place, self.now))
    }

    fn put(&mut self, check: usize, step: &Step) {
        self.put.insert(self.places[check].clone(), *step);
    }

    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &EntryLog {
        let (log, looked) = self.model.logs.entry(self.places[check].0.clone()).or_default();
        *looked = period;
        log.advance(now, period);
        log
    }

    fn append(&mut self, check: usize, now: Timestamp, cost: u32, _: &Decision, most: u64) {
        let (log, _) = self.model.logs.entry(self.places[check].0.clone()).or_default();
        log.append(now, cost);
        log.trim(most);
    }
}
