//! From what a script found to decisions: the same settlement as everywhere else, over the states that
//! the server told.
//!
//! The server has decided and charged; its states are replayed so that limits, resets and retries are
//! computed in one place, [`settle`].

use actix_smart_ratelimit_core::algorithm::window::Window;
use arrayvec::ArrayVec;

use crate::{
    Batch, Cell, Decision, Entries, MAX_CHECKS, Mode, Shape, Step, Store, Timestamp, Verdict,
    WindowStart, settle,
};

/// How a group fared, by its number in the scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Refused = 0,
    Charged = 1,
    /// A window on the clock was over before the call came to its turn: nothing was done.
    Stale = 2,
    /// Refused, and counted in logs.
    Counted = 3,
}

impl Outcome {
    pub(super) fn of(number: i64) -> Option<Self> {
        [Self::Refused, Self::Charged, Self::Stale, Self::Counted]
            .into_iter()
            .find(|outcome| *outcome as i64 == number)
    }
}

/// What a script answered about one group.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) now: Timestamp,
    pub(super) outcome: Outcome,
    /// Those of each check's state, then those of each log that stands otherwise since.
    pub(super) numbers: Vec<i64>,
}

/// The verdict of a batch whose states were found so. `None` if the server decided otherwise, which
/// no script of ours does.
pub(super) fn verdict(mut batch: Batch<'_>, mode: Mode, reply: &Reply) -> Option<Verdict> {
    let mut store = Found::of(&batch, reply)?;
    settle(&mut batch, &mut store, reply.now, mode);
    let charged = mode == Mode::Charge && batch.verdict().is_allowed();
    (charged == (reply.outcome == Outcome::Charged)).then(|| batch.into_verdict())
}

/// The verdict of a batch as if it had only been looked at, though it was charged and had to give back.
pub(super) fn looked(mut batch: Batch<'_>, reply: &Reply) -> Option<Verdict> {
    let mut store = Found::of(&batch, reply)?;
    settle(&mut batch, &mut store, reply.now, Mode::Peek);
    Some(batch.into_verdict())
}

/// States that a server told.
#[derive(Debug)]
pub(super) struct Found {
    states: ArrayVec<State, MAX_CHECKS>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Index of the first check with the same state.
    root: usize,
    cell: Option<Cell>,
    log: Log,
    /// The log after the refusal was counted.
    after: Option<Log>,
    seen: bool,
}

/// A log as far as one check has to know it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Log {
    used: u64,
    newest: Option<Timestamp>,
    reach: Option<Timestamp>,
}

impl Entries for Log {
    fn used(&self) -> u64 {
        self.used
    }

    fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    fn oldest_reaching(&self, _: u64) -> Option<Timestamp> {
        self.reach
    }
}

impl Found {
    pub(super) fn of(batch: &Batch<'_>, reply: &Reply) -> Option<Self> {
        let mut numbers = reply.numbers.iter().copied();
        let mut states = ArrayVec::<State, MAX_CHECKS>::new();
        for (index, check) in batch.checks().iter().enumerate() {
            let same = |other: &crate::Check<'_>| {
                other.key == check.key && other.policy.state_tag() == check.policy.state_tag()
            };
            let root = batch.checks()[..index].iter().position(same).unwrap_or(index);
            let (mut cell, mut log) = (None, Log::default());
            match check.policy.shape() {
                Shape::Log(_) => log = Log::read(&mut numbers)?,
                Shape::Window(window) if is_on_clock(window) => {
                    let start = reply.now - reply.now.as_micros() % window.period();
                    cell = counted(start.as_micros(), 0, unsigned(numbers.next()?)?);
                }
                Shape::Window(_) => {
                    let [start, previous, current] = take(&mut numbers)?;
                    cell = match unsigned(start) {
                        Some(start) => counted(start, unsigned(previous)?, unsigned(current)?),
                        None => None,
                    };
                }
                _ => {
                    let [whole, rest] = take(&mut numbers)?;
                    cell = unsigned(whole).map(|whole| Cell(whole, unsigned(rest).unwrap_or(0)));
                }
            }
            states.try_push(State { root, cell, log, after: None, seen: false }).ok()?;
        }
        if reply.outcome == Outcome::Counted {
            for (state, check) in states.iter_mut().zip(batch.checks()) {
                if matches!(check.policy.shape(), Shape::Log(_)) {
                    state.after = Some(Log::read(&mut numbers)?);
                }
            }
        }
        Some(Self { states })
    }
}

impl Log {
    fn read(numbers: &mut impl Iterator<Item = i64>) -> Option<Self> {
        let [used, newest, reach] = take(numbers)?;
        let time = |micros| unsigned(micros).map(Timestamp::from_micros);
        Some(Self { used: unsigned(used)?, newest: time(newest), reach: time(reach) })
    }
}

impl Store for Found {
    type Log = Log;

    fn cell(&mut self, check: usize) -> Option<Cell> {
        let root = self.states.get(check)?.root;
        self.states.get(root)?.cell
    }

    fn put(&mut self, check: usize, step: &Step) {
        let root = self.states.get(check).map_or(check, |state| state.root);
        if let Some(state) = self.states.get_mut(root) {
            state.cell = Some(step.cell);
        }
    }

    /// The first time a check's log is asked for it is as it was found, later as it stands since.
    fn log(&mut self, check: usize, _: Timestamp, _: u64) -> &Log {
        static NOTHING: Log = Log { used: 0, newest: None, reach: None };
        let Some(state) = self.states.get_mut(check) else { return &NOTHING };
        let again = std::mem::replace(&mut state.seen, true);
        match &state.after {
            Some(after) if again => after,
            _ => &state.log,
        }
    }

    /// The server has done it, and told how the log stands since.
    fn append(&mut self, _: usize, _: Timestamp, _: u32, _: &Decision, _: u64) {}
}

fn take<const N: usize>(numbers: &mut impl Iterator<Item = i64>) -> Option<[i64; N]> {
    let mut taken = [0; N];
    for slot in &mut taken {
        *slot = numbers.next()?;
    }
    Some(taken)
}

/// `None` below zero, by which the scripts say that there is nothing.
fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// The cell of a window.
fn counted(start: u64, previous: u64, current: u64) -> Option<Cell> {
    let most = u64::from(u32::MAX);
    Some(Cell(start, previous.min(most) << 32 | current.min(most)))
}

fn is_on_clock(window: &Window) -> bool {
    !window.is_weighted() && window.start() == WindowStart::Clock
}
