//! From what a script found to decisions: the same settlement as everywhere else, over the states that
//! the server told.
//!
//! The server has decided and charged; its states are replayed so that limits, resets and retries are
//! computed in one place, [`settle`].

use arrayvec::ArrayVec;

use crate::{
    Batch, Cell, Decision, Entries, MAX_CHECKS, Mode, Shape, Step, Store, Timestamp, Verdict,
    settle,
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
    /// Three for each check, then three for each log that stands otherwise since.
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
        let mut triples = reply.numbers.chunks_exact(3);
        let mut states = ArrayVec::<State, MAX_CHECKS>::new();
        for (index, check) in batch.checks().iter().enumerate() {
            let triple = triples.next()?;
            let same = |other: &crate::Check<'_>| {
                other.key == check.key && other.policy.state_tag() == check.policy.state_tag()
            };
            let root = batch.checks()[..index].iter().position(same).unwrap_or(index);
            let is_log = matches!(check.policy.shape(), Shape::Log(_));
            let state = State {
                root,
                cell: if is_log { None } else { cell(check.policy.shape(), triple)? },
                log: if is_log { log(triple)? } else { Log::default() },
                after: None,
                seen: false,
            };
            states.try_push(state).ok()?;
        }
        if reply.outcome == Outcome::Counted {
            for (state, check) in states.iter_mut().zip(batch.checks()) {
                if matches!(check.policy.shape(), Shape::Log(_)) {
                    state.after = Some(log(triples.next()?)?);
                }
            }
        }
        Some(Self { states })
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

fn cell(shape: &Shape, triple: &[i64]) -> Option<Option<Cell>> {
    let &[first, second, third] = triple else { return None };
    let Ok(first) = u64::try_from(first) else { return Some(None) };
    let (second, third) = (u64::try_from(second).ok()?, u64::try_from(third).ok()?);
    Some(Some(match shape {
        Shape::Window(_) => {
            Cell(first, second.min(u32::MAX.into()) << 32 | third.min(u32::MAX.into()))
        }
        _ => Cell(first, second),
    }))
}

fn log(triple: &[i64]) -> Option<Log> {
    let &[used, newest, reach] = triple else { return None };
    let time = |micros| u64::try_from(micros).ok().map(Timestamp::from_micros);
    Some(Log { used: u64::try_from(used).ok()?, newest: time(newest), reach: time(reach) })
}
