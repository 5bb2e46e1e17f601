//! The states of a batch, held still under the locks of their shards.

use arrayvec::ArrayVec;
use parking_lot::MutexGuard;

use super::{denial::Denial, mark::Mark, shard::States};
use crate::{Cell, Charge, Decision, EntryLog, MAX_CHECKS, Shape, Step, Store, Timestamp};

/// What a key without a log has logged.
static NOTHING_LOGGED: EntryLog = EntryLog::new();

/// The state of a batch of one check.
pub(super) struct Lone<'s> {
    states: &'s mut States,
    denial: &'s Denial,
    id: u64,
    /// Where the cell was found.
    at: Option<usize>,
}

impl<'s> Lone<'s> {
    pub(super) fn new(states: &'s mut States, denial: &'s Denial, id: u64) -> Self {
        Self { states, denial, id, at: None }
    }

    /// Notes that the check was refused, and lets the next one know without the lock if the same
    /// key is refused twice running.
    #[inline]
    pub(super) fn mark_refused(&mut self, repeatable: Option<(&Decision, Timestamp)>) {
        self.states.mark_refused(self.at, self.id);
        let Some((decision, now)) = repeatable else { return };
        if self.states.last_refused == self.id {
            self.states.published = self.id;
            self.denial.publish(self.id, decision, now);
        }
        self.states.last_refused = self.id;
    }
}

impl Store for Lone<'_> {
    type Log = EntryLog;

    #[inline]
    fn cell(&mut self, _: usize) -> Option<Cell> {
        if self.at.is_none() {
            self.at = self.states.cells.find(self.id);
        }
        self.at.and_then(|at| self.states.cells.get(at)).map(|slot| slot.value)
    }

    #[inline]
    fn put(&mut self, _: usize, step: &Step) {
        self.states.withdraw(self.denial, self.id);
        let mark = Mark::of(step.expires, &step.decision);
        self.states.put(self.at, self.id, step.cell, mark);
    }

    fn log(&mut self, _: usize, now: Timestamp, period: u64) -> &EntryLog {
        self.states.log(self.id, now, period)
    }

    fn append(&mut self, _: usize, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        self.states.withdraw(self.denial, self.id);
        self.states.append(self.id, now, cost, after, most);
    }
}

/// The states of a batch of several checks, in shards of which each is held once.
#[derive(Default)]
pub(super) struct Several<'s> {
    held: ArrayVec<Held<'s>, MAX_CHECKS>,
    /// For each check its state and the position of its shard among those held.
    places: ArrayVec<(u64, usize), MAX_CHECKS>,
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
    pub(super) fn place(&mut self, id: u64, index: usize) {
        let position = self.held.iter().position(|held| held.index == index);
        self.places.push((id, position.unwrap_or(0)));
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
            let (id, held) = self.of(check);
            held.states.mark_refused(None, id);
        }
    }

    fn of(&mut self, check: usize) -> (u64, &mut Held<'s>) {
        let (id, position) = self.places[check];
        (id, &mut self.held[position])
    }
}

impl Store for Several<'_> {
    type Log = EntryLog;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        let (id, held) = self.of(check);
        let at = held.states.cells.find(id)?;
        held.states.cells.get(at).map(|slot| slot.value)
    }

    fn put(&mut self, check: usize, step: &Step) {
        let (id, held) = self.of(check);
        held.states.withdraw(held.denial, id);
        let at = held.states.cells.find(id);
        held.states.put(at, id, step.cell, Mark::of(step.expires, &step.decision));
    }

    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &EntryLog {
        let (id, held) = self.of(check);
        held.states.log(id, now, period)
    }

    fn append(&mut self, check: usize, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        let (id, held) = self.of(check);
        held.states.withdraw(held.denial, id);
        held.states.append(id, now, cost, after, most);
    }
}

impl States {
    /// Withdraws what is published about a state: it is about to change.
    #[inline]
    pub(super) fn withdraw(&mut self, denial: &Denial, id: u64) {
        if self.published == id {
            self.published = 0;
            denial.clear();
        }
    }

    /// The log of a state, brought up to date.
    fn log(&mut self, id: u64, now: Timestamp, period: u64) -> &EntryLog {
        match self.logs.find(id).and_then(|at| self.logs.get_mut(at)) {
            Some(slot) => {
                slot.value.advance(now, period);
                &slot.value
            }
            None => &NOTHING_LOGGED,
        }
    }

    fn append(&mut self, id: u64, now: Timestamp, cost: u32, after: &Decision, most: u64) {
        if let Some(log) = self.log_mut(id, Mark::of(after.reset_at(), after)) {
            log.append(now, cost);
            log.trim(most);
        }
    }

    /// Gives a charge back to the state that it was taken from, if that is still known.
    pub(super) fn refund(&mut self, id: u64, charge: &Charge<'_>) {
        let &Charge { policy, cost, charged_at, .. } = charge;
        let now = self.latest.max(charged_at);
        if let Shape::Log(_) = policy.shape() {
            if let Some(slot) = self.logs.find(id).and_then(|at| self.logs.get_mut(at)) {
                slot.value.refund(charged_at, cost);
            }
            return;
        }
        if let Some(at) = self.cells.find(id)
            && let Some(slot) = self.cells.get_mut(at)
        {
            let step = policy.refund(slot.value, now, charged_at, cost);
            slot.value = step.cell;
            slot.mark = Mark::of(step.expires, &step.decision);
            self.next_expiry = self.next_expiry.min(step.expires);
        }
    }
}
