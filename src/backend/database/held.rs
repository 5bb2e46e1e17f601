//! The states of many batches, while their rows are locked.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{
    changes::{Change, Changes},
    key::stored,
    log::HeldLog,
    row::{self, CounterRow, EntryRow, StateRow},
};
use crate::{
    Cell, Decision, EntryLog, Policy, Shape, Step, Store, Timestamp, WindowStart,
    backend::asked::OwnedCheck,
};

/// A bucket that begins with less than it holds is remembered for so long once it is full, in
/// microseconds: forgotten, it would begin with less again.
pub(super) const REMEMBERED: u64 = 86_400_000_000;
/// Expiries are rounded up to whole multiples of it, in microseconds, so that they seldom change: a
/// change of an indexed column costs more than one of a word.
pub(super) const EXPIRY_GRAIN: u64 = 60_000_000;

/// Where the state of a check is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) key: String,
    pub(super) tag: i64,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A fixed window on the clock, of this period: a counter, if that has no other period.
    Window(u64),
    /// A log of this period.
    Log(u64),
    /// A bucket whose cell is a time.
    Bucket,
    /// Anything else.
    Cell,
}

impl Kind {
    pub(super) fn of(policy: &Policy) -> Self {
        match policy.shape() {
            Shape::Window(window)
                if !window.is_weighted() && window.start() == WindowStart::Clock =>
            {
                Self::Window(window.period())
            }
            Shape::Log(log) => Self::Log(log.period()),
            Shape::Meter(meter) if meter.refill().0 > 0 => Self::Bucket,
            _ => Self::Cell,
        }
    }
}

impl Place {
    pub(super) fn of(key: &str, policy: &Policy) -> Self {
        let key = Cow::into_owned(stored(key));
        Self { key, tag: row::bits(policy.state_tag()), kind: Kind::of(policy) }
    }
}

/// A row as it was found, and as it is to be.
#[derive(Clone, Debug)]
struct Slot<R> {
    found: Option<R>,
    now: Option<R>,
}

impl<R: Clone> Slot<R> {
    fn found(row: R) -> Self {
        Self { found: Some(row.clone()), now: Some(row) }
    }
}

impl<R> Default for Slot<R> {
    fn default() -> Self {
        Self { found: None, now: None }
    }
}

/// States by the keys of their rows.
#[derive(Debug, Default)]
pub(super) struct Held {
    counters: BTreeMap<String, Slot<CounterRow>>,
    states: BTreeMap<(String, i64), Slot<StateRow>>,
    logs: HashMap<(String, u64), HeldLog>,
}

impl Held {
    pub(super) fn found_counters(&mut self, rows: Vec<CounterRow>) {
        self.counters.extend(rows.into_iter().map(|row| (row.key.clone(), Slot::found(row))));
    }

    pub(super) fn found_states(&mut self, rows: Vec<StateRow>) {
        let slots = rows.into_iter().map(|row| ((row.key.clone(), row.tag), Slot::found(row)));
        self.states.extend(slots);
    }

    pub(super) fn found_entries(&mut self, rows: Vec<EntryRow>) {
        for row in rows {
            let period = row::unsigned(row.expires).saturating_sub(row::unsigned(row.at));
            self.logs.entry((row.key.clone(), period)).or_default().found(row);
        }
    }

    /// Whether the state of a window is not its counter.
    pub(super) fn is_beside_counter(&self, place: &Place) -> bool {
        match place.kind {
            Kind::Window(period) => self.counter(&place.key, period).is_none(),
            _ => true,
        }
    }

    fn counter(&self, key: &str, period: u64) -> Option<&CounterRow> {
        self.counters.get(key)?.now.as_ref().filter(|row| row.period() == period)
    }

    fn state(&self, place: &Place) -> Option<&StateRow> {
        self.states.get(&(place.key.clone(), place.tag))?.now.as_ref()
    }

    pub(super) fn cell(&mut self, place: &Place, now: Timestamp) -> Option<Cell> {
        if let Kind::Window(period) = place.kind
            && let Some(counter) = self.counter(&place.key, period)
        {
            return Some(counter.cell());
        }
        let slot = self.states.get_mut(&(place.key.clone(), place.tag))?;
        let state = slot.now.as_mut()?;
        if place.kind == Kind::Bucket {
            state.move_back(now);
        }
        Some(state.cell())
    }

    pub(super) fn put(&mut self, place: &Place, step: &Step, now: Timestamp) {
        if let Kind::Window(period) = place.kind
            && self.may_take_counter(place, period, now)
        {
            let slot = self.counters.entry(place.key.clone()).or_default();
            let id = slot.found.as_ref().map_or(0, |row| row.id);
            slot.now = Some(CounterRow { id, ..CounterRow::of(&place.key, step.cell, period) });
            self.void_state(place);
            return;
        }
        let row = StateRow {
            key: place.key.clone(),
            tag: place.tag,
            words: [row::bits(step.cell.0), row::bits(step.cell.1)],
            updated: row::signed(now.as_micros()),
            expires: row::signed(expiry(step)),
        };
        self.states.entry((place.key.clone(), place.tag)).or_default().now = Some(row);
    }

    /// What was counted beside the counter must not come back if the clock steps back.
    fn void_state(&mut self, place: &Place) {
        let slot = self.states.get_mut(&(place.key.clone(), place.tag));
        if let Some(state) = slot.and_then(|slot| slot.now.as_mut()) {
            state.words = [0, 0];
        }
    }

    /// The counter of a key belongs to one period until its window is over.
    fn may_take_counter(&self, place: &Place, period: u64, now: Timestamp) -> bool {
        if self.counter(&place.key, period).is_some() {
            return true;
        }
        let is_free = match self.counters.get(&place.key).and_then(|slot| slot.now.as_ref()) {
            Some(other) => row::time(other.end) <= now,
            None => true,
        };
        is_free && self.state(place).is_none_or(|state| row::time(state.expires) <= now)
    }

    pub(super) fn log(&mut self, place: &Place, period: u64) -> &mut EntryLog {
        self.logs.entry((place.key.clone(), period)).or_default().log_mut()
    }

    /// Makes sure that the row is there by which a log is locked, for as long as the log matters.
    pub(super) fn keep_lock(&mut self, place: &Place, now: Timestamp, until: Timestamp) {
        let slot = self.states.entry((place.key.clone(), place.tag)).or_default();
        let until = row::signed(coarse(until.as_micros()));
        if slot.now.as_ref().is_none_or(|row| row.expires < until) {
            let (key, tag) = (place.key.clone(), place.tag);
            let updated = row::signed(now.as_micros());
            slot.now = Some(StateRow { key, tag, words: [0, 0], updated, expires: until });
        }
    }

    /// What is to be written.
    pub(super) fn changes(self) -> Changes {
        let mut changes = Changes::default();
        for slot in self.counters.into_values() {
            sort(slot, &mut changes.added_counters, &mut changes.changed_counters);
        }
        for slot in self.states.into_values() {
            sort(slot, &mut changes.added_states, &mut changes.changed_states);
        }
        let mut logs: Vec<_> = self.logs.into_iter().collect();
        logs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for ((key, period), log) in logs {
            log.differences(&key, period, &mut changes);
        }
        changes
    }
}

fn sort<R: PartialEq>(slot: Slot<R>, added: &mut Vec<R>, changed: &mut Vec<Change<R>>) {
    match (slot.found, slot.now) {
        (None, Some(row)) => added.push(row),
        (Some(found), Some(now)) if found != now => changed.push(Change { found, now }),
        _ => {}
    }
}

/// When a row may go.
fn expiry(step: &Step) -> u64 {
    let full = step.decision.reset_at();
    if step.expires == Timestamp::MAX && full < Timestamp::MAX {
        return coarse((full + REMEMBERED).as_micros());
    }
    coarse(step.expires.as_micros())
}

fn coarse(micros: u64) -> u64 {
    micros.div_ceil(EXPIRY_GRAIN).saturating_mul(EXPIRY_GRAIN)
}

/// The states of one batch among those that are held.
pub(super) struct OfBatch<'h> {
    pub(super) held: &'h mut Held,
    pub(super) places: &'h [Place],
    pub(super) now: Timestamp,
}

impl Store for OfBatch<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        self.held.cell(&self.places[check], self.now)
    }

    fn put(&mut self, check: usize, step: &Step) {
        self.held.put(&self.places[check], step, self.now);
    }

    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &EntryLog {
        let log = self.held.log(&self.places[check], period);
        log.advance(now, period);
        log
    }

    fn append(&mut self, check: usize, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        let place = &self.places[check];
        if let Kind::Log(period) = place.kind {
            let log = self.held.log(place, period);
            log.append(now, cost);
            log.trim(most);
            self.held.keep_lock(place, now, after.reset_at());
        }
    }
}

/// Which rows a transaction is about, in their order.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// By key, and the period of the windows if they have one period.
    pub(super) counters: BTreeMap<String, Option<u64>>,
    pub(super) states: BTreeSet<(String, i64)>,
    pub(super) entries: BTreeSet<String>,
}

impl Needed {
    pub(super) fn add(&mut self, place: &Place) {
        match place.kind {
            Kind::Window(period) => match self.counters.get_mut(&place.key) {
                Some(other) => *other = other.filter(|other| *other == period),
                None => drop(self.counters.insert(place.key.clone(), Some(period))),
            },
            Kind::Log(_) => {
                self.entries.insert(place.key.clone());
                self.states.insert((place.key.clone(), place.tag));
            }
            Kind::Bucket | Kind::Cell => drop(self.states.insert((place.key.clone(), place.tag))),
        }
    }
}

/// Where each check of a batch has its state.
pub(super) fn places(checks: &[OwnedCheck]) -> Vec<Place> {
    checks.iter().map(|check| Place::of(&check.key, &check.policy)).collect()
}
