//! The states of many batches, while their rows are locked.

use super::{
    changes::{Change, Changes},
    keyed::Keyed,
    log::HeldLog,
    place::{Kind, Place},
    row::{self, CounterRow, EntryRow, StateRow},
};
use crate::{Cell, Decision, EntryLog, Step, Store, Timestamp};

/// A bucket that begins with less than it holds is remembered for so long once it is full, in
/// microseconds: forgotten, it would begin with less again.
pub(super) const REMEMBERED: u64 = 86_400_000_000;
/// Expiries are rounded up to whole multiples of it, in microseconds, so that they seldom change: a
/// change of an indexed column costs more than one of a word.
pub(super) const EXPIRY_GRAIN: u64 = 60_000_000;

/// A row as it was found, and as it is to be.
#[derive(Clone, Debug)]
pub(super) struct Slot<R> {
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
pub(super) struct Held<'p> {
    pub(super) counters: Keyed<'p, (), Slot<CounterRow>>,
    /// By key and tag.
    pub(super) states: Keyed<'p, i64, Slot<StateRow>>,
    /// By key and period.
    pub(super) logs: Keyed<'p, u64, HeldLog>,
}

impl<'p> Held<'p> {
    pub(super) fn found_counters(&mut self, rows: Vec<CounterRow>) {
        for row in rows {
            if let Some(slot) = self.counters.get_mut(&row.key, ()) {
                *slot = Slot::found(row);
            }
        }
    }

    pub(super) fn found_states(&mut self, rows: Vec<StateRow>) {
        for row in rows {
            if let Some(slot) = self.states.get_mut(&row.key, row.tag) {
                *slot = Slot::found(row);
            }
        }
    }

    /// Takes up the entries of logs, but for those of other periods.
    pub(super) fn found_entries(&mut self, rows: Vec<EntryRow>) {
        for row in rows {
            let period = row::unsigned(row.expires).saturating_sub(row::unsigned(row.at));
            if let Some(log) = self.logs.get_mut(&row.key, period) {
                log.found(row);
            }
        }
    }

    /// Whether a state is not the counter of its key.
    pub(super) fn is_beside_counter(&self, place: &Place<'_>) -> bool {
        self.own_counter(place).is_none()
    }

    /// The counter that is the state of a place, if one is.
    fn own_counter(&self, place: &Place<'_>) -> Option<&CounterRow> {
        let Kind::Window(period) = place.kind else { return None };
        self.counter(place).filter(|counter| counter.period() == period)
    }

    /// The counter of a key, of whatever period.
    fn counter(&self, place: &Place<'_>) -> Option<&CounterRow> {
        self.counters.get(&place.key, ())?.now.as_ref()
    }

    fn state(&self, place: &Place<'_>) -> Option<&StateRow> {
        self.states.get(&place.key, place.tag)?.now.as_ref()
    }

    fn state_mut(&mut self, place: &Place<'_>) -> Option<&mut StateRow> {
        self.states.get_mut(&place.key, place.tag)?.now.as_mut()
    }

    pub(super) fn cell(&mut self, place: &Place<'_>, now: Timestamp) -> Option<Cell> {
        if let Some(counter) = self.own_counter(place) {
            return Some(counter.cell());
        }
        let state = self.state_mut(place)?;
        if place.kind == Kind::Bucket {
            state.move_back(now);
        }
        Some(state.cell())
    }

    pub(super) fn put(&mut self, place: &'p Place<'_>, step: &Step, now: Timestamp) {
        if let Kind::Window(period) = place.kind
            && self.may_take_counter(place, now)
        {
            let slot = self.counters.entry(&place.key, ());
            let row = slot.now.get_or_insert_with(|| CounterRow::new(&place.key));
            row.put(step.cell, period);
            self.void_state(place);
        } else {
            self.put_state(place, step.cell, now, expiry(step));
        }
    }

    fn put_state(&mut self, place: &'p Place<'_>, cell: Cell, now: Timestamp, expires: u64) {
        let slot = self.states.entry(&place.key, place.tag);
        let row = slot.now.get_or_insert_with(|| StateRow::new(&place.key, place.tag));
        row.put(cell, now, expires);
    }

    /// What was counted beside the counter must not come back if the clock steps back.
    fn void_state(&mut self, place: &Place<'_>) {
        if let Some(state) = self.state_mut(place) {
            state.words = [0, 0];
        }
    }

    /// The counter of a key belongs to one period for as long as there is one: another that took it over,
    /// if only when its window is over, would lose what was counted, should the clock step back.
    fn may_take_counter(&self, place: &Place<'_>, now: Timestamp) -> bool {
        self.own_counter(place).is_some()
            || self.counter(place).is_none()
                && self.state(place).is_none_or(|state| row::time(state.expires) <= now)
    }

    pub(super) fn log(&mut self, place: &'p Place<'_>, period: u64) -> &mut EntryLog {
        self.logs.entry(&place.key, period).log_mut()
    }

    /// Makes sure that the row is there by which a log is locked, for as long as the log matters.
    pub(super) fn keep_lock(&mut self, place: &'p Place<'_>, now: Timestamp, until: Timestamp) {
        let until = coarse(until.as_micros());
        if self.state(place).is_none_or(|row| row.expires < row::signed(until)) {
            self.put_state(place, Cell(0, 0), now, until);
        }
    }

    /// What is to be written.
    pub(super) fn changes(self) -> Changes {
        let mut changes = Changes::default();
        for (_, slot) in self.counters {
            sort(slot, &mut changes.added_counters, &mut changes.changed_counters);
        }
        for (_, slot) in self.states {
            sort(slot, &mut changes.added_states, &mut changes.changed_states);
        }
        for ((key, period), log) in self.logs {
            log.differences(key, period, &mut changes);
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
pub(super) struct OfBatch<'h, 'p> {
    pub(super) held: &'h mut Held<'p>,
    pub(super) places: &'p [Place<'p>],
    pub(super) now: Timestamp,
}

impl Store for OfBatch<'_, '_> {
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
