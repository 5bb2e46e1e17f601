//! The states of a batch, held still under the locks of their shards.

use arrayvec::ArrayVec;
use parking_lot::MutexGuard;

use super::{denial::Denial, mark::Retention, shard::States, table::Fingerprint};
use crate::{Cell, Charge, Decision, EntryLog, MAX_CHECKS, Shape, Step, Store, Timestamp};

/// What a key without a log has logged.
static NOTHING_LOGGED: EntryLog = EntryLog::new();

/// The state of a batch of one check.
pub(super) struct Lone<'s> {
    states: &'s mut States,
    denial: &'s Denial,
    of: Fingerprint,
    /// Where the cell was found.
    at: Option<usize>,
}

impl<'s> Lone<'s> {
    pub(super) fn new(states: &'s mut States, denial: &'s Denial, of: Fingerprint) -> Self {
        Self { states, denial, of, at: None }
    }

    /// Notes that the check was refused, and lets the next one know without the lock if the same
    /// key is refused twice running.
    #[inline]
    pub(super) fn mark_refused(&mut self, repeatable: Option<(&Decision, Timestamp)>) {
        self.states.mark_refused(self.at, self.of);
        let Some((decision, now)) = repeatable else { return };
        if self.states.last_refused == self.of.key {
            self.states.published = self.of.key;
            self.denial.publish(self.of, decision, now);
        }
        self.states.last_refused = self.of.key;
    }
}

impl Store for Lone<'_> {
    type Log = EntryLog;

    #[inline]
    fn cell(&mut self, _: usize) -> Option<Cell> {
        if self.at.is_none() {
            self.at = self.states.cells.find(self.of);
        }
        self.at.and_then(|at| self.states.cells.get(at)).map(|slot| slot.value)
    }

    #[inline]
    fn put(&mut self, _: usize, step: &Step) {
        self.states.withdraw(self.denial, self.of.key);
        let retention = Retention::of(step.expires, &step.decision);
        self.states.put(self.at, self.of, step.cell, retention);
    }

    fn log(&mut self, _: usize, now: Timestamp, period: u64) -> &EntryLog {
        self.states.log(self.of, now, period)
    }

    fn append(&mut self, _: usize, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        self.states.withdraw(self.denial, self.of.key);
        self.states.append(self.of, now, cost, after, most);
    }
}

/// The states of a batch of several checks, in shards of which each is held once.
#[derive(Default)]
pub(super) struct Several<'s> {
    held: ArrayVec<Held<'s>, MAX_CHECKS>,
    /// For each check its fingerprint and the position of its shard among those held.
    places: ArrayVec<(Fingerprint, usize), MAX_CHECKS>,
}

struct Held<'s> {
    index: usize,
    states: MutexGuard<'s, States>,
    denial: &'s Denial,
}

impl<'s> Several<'s> {
    /// Keeps the lock of the shard with this index.
    pub(super) fn hold(
        &mut self,
        index: usize,
        states: MutexGuard<'s, States>,
        denial: &'s Denial,
    ) {
        self.held.push(Held { index, states, denial });
    }

    /// Says where the next check's state is.
    pub(super) fn place(&mut self, of: Fingerprint, index: usize) {
        let position = self.held.iter().position(|held| held.index == index);
        self.places.push((of, position.unwrap_or(0)));
    }

    /// Lets every shard know the time at which the batch is decided: the latest of their own.
    pub(super) fn arrive(&mut self, now: Timestamp) {
        for held in &mut self.held {
            held.states.latest = now;
        }
    }

    /// Notes the checks that were refused.
    pub(super) fn mark_refused(&mut self, decisions: &[Decision]) {
        let refused = decisions.iter().enumerate().filter(|(_, decision)| !decision.is_allowed());
        for (check, _) in refused {
            let (of, held) = self.of(check);
            held.states.mark_refused(None, of);
        }
    }

    fn of(&mut self, check: usize) -> (Fingerprint, &mut Held<'s>) {
        let (of, position) = self.places[check];
        (of, &mut self.held[position])
    }
}

impl Store for Several<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        let (of, held) = self.of(check);
        let at = held.states.cells.find(of)?;
        held.states.cells.get(at).map(|slot| slot.value)
    }

    fn put(&mut self, check: usize, step: &Step) {
        let (of, held) = self.of(check);
        held.states.withdraw(held.denial, of.key);
        let at = held.states.cells.find(of);
        held.states.put(at, of, step.cell, Retention::of(step.expires, &step.decision));
    }

    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &EntryLog {
        let (of, held) = self.of(check);
        held.states.log(of, now, period)
    }

    fn append(&mut self, check: usize, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        let (of, held) = self.of(check);
        held.states.withdraw(held.denial, of.key);
        held.states.append(of, now, cost, after, most);
    }
}

impl States {
    /// Withdraws what is published about a key: its state is about to change.
    #[inline]
    pub(super) fn withdraw(&mut self, denial: &Denial, key: u64) {
        if self.published == key {
            self.published = 0;
            denial.clear();
        }
    }

    /// The log of a fingerprint, brought up to date.
    fn log(&mut self, of: Fingerprint, now: Timestamp, period: u64) -> &EntryLog {
        match self.logs.find(of).and_then(|at| self.logs.get_mut(at)) {
            Some(slot) => {
                slot.value.advance(now, period);
                &slot.value
            }
            None => &NOTHING_LOGGED,
        }
    }

    fn append(&mut self, of: Fingerprint, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        if let Some(log) = self.log_mut(of, Retention::of(after.reset_at(), after)) {
            log.append(now, cost);
            log.trim(most);
        }
    }

    /// Gives a charge back to the state that it was taken from, if that is still known.
    pub(super) fn refund(&mut self, of: Fingerprint, charge: &Charge<'_>) {
        let &Charge { policy, cost, charged_at, .. } = charge;
        let now = self.latest.max(charged_at);
        if let Shape::Log(_) = policy.shape() {
            if let Some(slot) = self.logs.find(of).and_then(|at| self.logs.get_mut(at)) {
                slot.value.refund(charged_at, cost);
            }
            return;
        }
        if let Some(at) = self.cells.find(of)
            && let Some(slot) = self.cells.get_mut(at)
        {
            let step = policy.refund(slot.value, now, charged_at, cost);
            slot.value = step.cell;
            slot.mark = Retention::of(step.expires, &step.decision).with(of.tag);
            self.next_expiry = self.next_expiry.min(step.expires);
        }
    }
}
