//! All or nothing, and whether refusals count: the only place that knows.

use core::slice;

use arrayvec::ArrayVec;

use crate::{
    algorithm::{Cell, Entries, Step},
    batch::{Batch, MAX_CHECKS},
    decision::Decision,
    policy::Shape,
    time::Timestamp,
};

/// Whether a settlement takes permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Take the costs of all checks, or of none.
    Charge,
    /// Only look: would the costs be admitted, and how many permits are left before they are taken?
    Peek,
}

/// The states of a batch, while a backend holds them still.
///
/// `check` is an index into [`Batch::checks`]. Two checks may share one state.
pub trait Store {
    /// The log of one key.
    type Log: Entries;

    /// The cell of a check, `None` if its key was never seen or is forgotten.
    fn cell(&mut self, check: usize) -> Option<Cell>;

    /// Replaces the cell of a check by that of `step`.
    fn put(&mut self, check: usize, step: &Step);

    /// The log of a check, brought up to date: without entries of `period` microseconds and older
    /// or later than `now`.
    fn log(&mut self, check: usize, now: Timestamp, period: u64) -> &Self::Log;

    /// Adds an entry of `cost` to the log of a check, then forgets the oldest above `most` permits.
    /// `after` is how the log stands then; it is empty again at its reset.
    fn append(&mut self, check: usize, now: Timestamp, cost: u32, after: &Decision, most: u64);
}

/// Decides a batch over states that nobody else can change meanwhile, and writes the decisions
/// into it.
#[inline]
pub fn settle(batch: &mut Batch<'_>, store: &mut impl Store, now: Timestamp, mode: Mode) {
    batch.decided_at(now);
    if batch.checks().len() == 1 {
        let step = evaluate(batch, store, &[], 0, now);
        if step.decision.is_allowed() && mode == Mode::Charge {
            charge(batch, store, slice::from_ref(&step), now);
        } else {
            decline(batch, store, slice::from_ref(&step), now, mode);
        }
    } else {
        settle_several(batch, store, now, mode);
    }
}

fn settle_several(batch: &mut Batch<'_>, store: &mut impl Store, now: Timestamp, mode: Mode) {
    let mut steps = Steps::new();
    let mut allowed = true;
    for index in 0..batch.checks().len() {
        let step = evaluate(batch, store, &steps, index, now);
        allowed &= step.decision.is_allowed();
        steps.push(step);
    }
    if allowed && mode == Mode::Charge {
        charge(batch, store, &steps, now);
    } else {
        decline(batch, store, &steps, now, mode);
    }
}

type Steps = ArrayVec<Step, MAX_CHECKS>;

/// The step of one check, after the earlier ones of its batch.
#[inline]
fn evaluate(
    batch: &Batch<'_>,
    store: &mut impl Store,
    earlier: &[Step],
    index: usize,
    now: Timestamp,
) -> Step {
    let check = batch.checks()[index];
    let shared = if earlier.is_empty() { None } else { batch.earlier_on_same_state(index) };
    let Shape::Log(log) = check.policy.shape() else {
        let cell = match shared {
            Some(earlier_index) => Some(earlier[earlier_index].cell),
            None => store.cell(index),
        };
        return check.policy.step(cell, now, check.cost);
    };
    // The pending permits of a log travel in the cell of its step.
    let pending = shared.map_or(0, |earlier_index| earlier[earlier_index].cell.0);
    let entries = store.log(index, now, log.period());
    let decision = log.step(entries, now, check.cost, pending);
    let taken = if decision.is_allowed() { u64::from(check.cost) } else { 0 };
    Step { cell: Cell(pending.saturating_add(taken), 0), expires: decision.reset_at(), decision }
}

#[inline]
fn charge(batch: &mut Batch<'_>, store: &mut impl Store, steps: &[Step], now: Timestamp) {
    for (index, step) in steps.iter().enumerate() {
        let check = batch.checks()[index];
        if check.cost > 0 {
            match check.policy.shape() {
                Shape::Log(_) => store.append(index, now, check.cost, &step.decision, u64::MAX),
                _ => store.put(index, step),
            }
        }
        batch.decide(index, step.decision);
    }
}

/// Nobody is charged: answers with the states as they are, and counts the refusal where asked to.
fn decline(
    batch: &mut Batch<'_>,
    store: &mut impl Store,
    steps: &[Step],
    now: Timestamp,
    mode: Mode,
) {
    for (index, step) in steps.iter().enumerate() {
        let check = batch.checks()[index];
        let decision = if mode == Mode::Charge && check.policy.counts_refused() {
            penalize(batch, store, index, now, step.decision)
        } else if step.decision.is_allowed() {
            look(batch, store, index, now, 0).answered_by(step.decision)
        } else {
            if mode == Mode::Charge {
                keep_up_to_date(batch, store, index, now, step);
            }
            step.decision
        };
        batch.decide(index, decision);
    }
}

/// The decision of one check by itself.
fn look(
    batch: &Batch<'_>,
    store: &mut impl Store,
    index: usize,
    now: Timestamp,
    cost: u32,
) -> Decision {
    let policy = batch.checks()[index].policy;
    match policy.shape() {
        Shape::Log(log) => log.step(store.log(index, now, log.period()), now, cost, 0),
        _ => policy.step(store.cell(index), now, cost).decision,
    }
}

fn penalize(
    batch: &Batch<'_>,
    store: &mut impl Store,
    index: usize,
    now: Timestamp,
    decision: Decision,
) -> Decision {
    let check = batch.checks()[index];
    match check.policy.shape() {
        Shape::Log(log) => {
            let limit = log.limit();
            let cost = check.cost.min(limit);
            let full = Decision::allow(limit.into(), 0, now + log.period());
            store.append(index, now, cost, &full, limit.into());
        }
        _ => {
            let cell = store.cell(index);
            store.put(index, &check.policy.penalize(cell, now, check.cost));
        }
    }
    let after = look(batch, store, index, now, check.cost);
    if !decision.is_allowed() && !after.is_allowed() {
        return after;
    }
    // What was refused beside the other checks of its batch might be admitted alone; it was not.
    look(batch, store, index, now, 0).answered_by(decision)
}

/// A refused state that a later clock had written is clamped for good, or the key would stay
/// blocked until that clock comes round again. And a key that begins with less than it could have
/// is remembered from its first refusal on, or it would never gain anything.
fn keep_up_to_date(
    batch: &Batch<'_>,
    store: &mut impl Store,
    index: usize,
    now: Timestamp,
    step: &Step,
) {
    let policy = batch.checks()[index].policy;
    if matches!(policy.shape(), Shape::Log(_)) {
        return;
    }
    let cell = store.cell(index);
    let step = match batch.earlier_on_same_state(index) {
        None => *step,
        // It was refused on top of charges that are not made.
        Some(_) => policy.step(cell, now, 0),
    };
    let changed = match cell {
        Some(cell) => cell != step.cell,
        None => step.expires > now,
    };
    if changed {
        store.put(index, &step);
    }
}
