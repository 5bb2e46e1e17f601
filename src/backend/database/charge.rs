//! Charging at once: one statement that looks, decides and charges, for requests that ask for nothing
//! else than to charge one row that can take all of them.
//!
//! What it leaves alone (a row that is not there, or cannot take the whole sum, or was written under
//! another clock) is decided under locks, as everything else is. So the condition in SQL says only when
//! all are admitted; what each of them is told comes from [`settle`], over the state that was found.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use super::{
    answer::Answer,
    commit::Request,
    held::REMEMBERED,
    key::stored,
    place::Kind,
    row::{self, bits, signed, unsigned},
    ticket::Ticket,
};
use crate::{
    Cell, Decision, EntryLog, Mode, Policy, Shape, Step, Store, Timestamp,
    backend::asked::{Asked, OwnedCheck},
};

/// Longest time, in microseconds, to which SQL adds another without leaving its 64 bits.
const LONGEST: u64 = 1 << 61;

/// What is charged to a fixed window on the clock.
#[derive(Clone, Debug)]
pub struct CounterCharge {
    pub key: String,
    pub cost: i64,
    pub limit: i64,
    /// Microseconds.
    pub period: i64,
}

/// What is charged to a bucket. Times are pairs as in a cell: whole microseconds, and a remainder in units
/// of 1/`parts` microseconds.
#[derive(Clone, Debug)]
pub struct StateCharge {
    pub key: String,
    pub tag: i64,
    /// c·T of the sum.
    pub span: (i64, i64),
    /// B·T.
    pub tolerance: (i64, i64),
    pub parts: i64,
    /// For how long the row is kept once the bucket is full, in microseconds.
    pub kept: i64,
}

/// A row that took its charge.
#[derive(Clone, Copy, Debug)]
pub struct Charged {
    /// The place of its charge in the list, from 1.
    pub(super) place: i64,
    /// How it stands now: a count and 0, or a cell.
    pub(super) words: (i64, i64),
    /// The time by which that was decided, in Unix microseconds.
    pub(super) now: i64,
}

/// What is charged to a row, and how the row stood before.
pub(super) trait Charge: Sized {
    /// The sum for one row; `None` if a statement cannot decide about it.
    fn of(key: &str, policy: &Policy, cost: u32) -> Option<Self>;

    /// The cell to which it was added.
    fn before(&self, charged: &Charged) -> Option<Cell>;
}

impl Charge for CounterCharge {
    fn of(key: &str, policy: &Policy, cost: u32) -> Option<Self> {
        let (Kind::Window(period), Shape::Window(window)) = (Kind::of(policy), policy.shape())
        else {
            return None;
        };
        let (limit, period) = (window.limit(), signed(period));
        let (cost, limit) = (cost <= limit).then_some((cost.into(), limit.into()))?;
        Some(Self { key: key.to_owned(), cost, limit, period })
    }

    fn before(&self, charged: &Charged) -> Option<Cell> {
        let count = unsigned(charged.words.0.saturating_sub(self.cost));
        let start = charged.now - charged.now % self.period.max(1);
        (count > 0).then_some(Cell(unsigned(start), count))
    }
}

impl Charge for StateCharge {
    fn of(key: &str, policy: &Policy, cost: u32) -> Option<Self> {
        let (Kind::Bucket, Shape::Meter(meter)) = (Kind::of(policy), policy.shape()) else {
            return None;
        };
        let is_short = meter.tolerance().0 < LONGEST && meter.refill().0 < LONGEST;
        if u64::from(cost) > meter.capacity() || !is_short {
            return None;
        }
        let pair = |(whole, rest)| (signed(whole), signed(rest));
        Some(Self {
            key: key.to_owned(),
            tag: bits(policy.state_tag()),
            span: pair(meter.charge(cost)),
            tolerance: pair(meter.tolerance()),
            parts: signed(meter.refill().0),
            kept: if meter.first() > (0, 0) { signed(REMEMBERED) } else { 0 },
        })
    }

    fn before(&self, charged: &Charged) -> Option<Cell> {
        let (whole, rest) = charged.words;
        let (whole, rest) = (whole.saturating_sub(self.span.0), rest.saturating_sub(self.span.1));
        let (whole, rest) = match rest {
            ..0 => (whole.saturating_sub(1), rest.saturating_add(self.parts)),
            0.. => (whole, rest),
        };
        Some(Cell(unsigned(whole), unsigned(rest)))
    }
}

/// Charges with the numbers of the requests that make each of them up.
#[derive(Debug)]
pub(super) struct Plan<C> {
    pub(super) charges: Vec<C>,
    requests: Vec<Vec<usize>>,
}

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Self { charges: Vec::new(), requests: Vec::new() }
    }
}

/// Everything among some requests that can be charged at once.
#[derive(Debug, Default)]
pub(super) struct Plans {
    pub(super) counters: Plan<CounterCharge>,
    pub(super) states: Plan<StateCharge>,
}

/// Requests that charge one row.
struct Sum<'r> {
    policy: &'r Policy,
    cost: u32,
    requests: Vec<usize>,
}

impl Plans {
    /// A request that is part of a charge is taken. A key about which anything else is asked is left out,
    /// so that everybody keeps their turn.
    pub(super) fn of<'t>(tickets: impl Iterator<Item = &'t Ticket>) -> Self {
        let mut sums = BTreeMap::<Cow<'t, str>, Option<Sum<'t>>>::new();
        for (index, Ticket { request, claim, .. }) in tickets.enumerate() {
            let Some(check) = sole(request) else {
                sums.extend(request.keys().map(|key| (stored(key), None)));
                continue;
            };
            if !claim.take() {
                continue;
            }
            match sums.entry(stored(&check.key)) {
                Entry::Vacant(place) => drop(place.insert(Some(Sum::of(check, index)))),
                Entry::Occupied(sum) => {
                    let sum = sum.into_mut();
                    *sum = sum.take().and_then(|sum| sum.with(check, index));
                }
            }
        }
        let mut plans = Self::default();
        for (key, sum) in sums {
            let rest = sum.and_then(|sum| plans.counters.add(&key, sum));
            rest.and_then(|sum| plans.states.add(&key, sum));
        }
        plans
    }
}

/// The check of a request that is one check and nothing else, of a kind that a statement can decide.
fn sole(request: &Request) -> Option<&OwnedCheck> {
    let Request::Check(Asked { mode: Mode::Charge, checks }) = request else { return None };
    let [check] = checks.as_slice() else { return None };
    let is_simple = matches!(Kind::of(&check.policy), Kind::Window(_) | Kind::Bucket);
    (is_simple && check.cost > 0).then_some(check)
}

impl<'r> Sum<'r> {
    fn of(check: &'r OwnedCheck, index: usize) -> Self {
        Self { policy: &check.policy, cost: check.cost, requests: vec![index] }
    }

    /// With one more check, if that can be charged together with the others.
    fn with(mut self, check: &OwnedCheck, index: usize) -> Option<Self> {
        let is_same = match (self.policy.shape(), check.policy.shape()) {
            (Shape::Window(ours), Shape::Window(other)) => ours == other,
            (Shape::Meter(ours), Shape::Meter(other)) => ours == other,
            _ => false,
        };
        self.cost = self.cost.checked_add(check.cost).filter(|_| is_same)?;
        self.requests.push(index);
        Some(self)
    }
}

impl<C: Charge> Plan<C> {
    /// Adds a sum if it is of this kind, or else hands it back.
    fn add<'r>(&mut self, key: &str, sum: Sum<'r>) -> Option<Sum<'r>> {
        let Some(charge) = C::of(key, sum.policy, sum.cost) else { return Some(sum) };
        self.charges.push(charge);
        self.requests.push(sum.requests);
        None
    }

    /// The numbers of all requests in it.
    pub(super) fn requests(&self) -> impl Iterator<Item = usize> {
        self.requests.iter().flatten().copied()
    }

    /// A row that took its charge, as it was found, and the numbers of the requests that made it up.
    pub(super) fn found(&self, charged: &Charged) -> Option<(Found, &[usize])> {
        let place = usize::try_from(charged.place.checked_sub(1)?).ok()?;
        let (charge, requests) = (self.charges.get(place)?, self.requests.get(place)?);
        Some((Found { cell: charge.before(charged), now: row::time(charged.now) }, requests))
    }
}

/// The cell of a row, as one request after the other finds it.
pub(super) struct Found {
    cell: Option<Cell>,
    now: Timestamp,
}

impl Found {
    /// What the next request is told.
    pub(super) fn settle(&mut self, request: &Request) -> Answer {
        let now = self.now;
        match request {
            Request::Check(asked) => Answer::settled(asked, self, now),
            Request::Refund(_) => Answer::nothing(now),
        }
    }
}

impl Store for Found {
    type Log = EntryLog;

    fn cell(&mut self, _: usize) -> Option<Cell> {
        self.cell
    }

    fn put(&mut self, _: usize, step: &Step) {
        self.cell = Some(step.cell);
    }

    fn log(&mut self, _: usize, _: Timestamp, _: u64) -> &EntryLog {
        static NOTHING: EntryLog = EntryLog::new();
        &NOTHING
    }

    fn append(&mut self, _: usize, _: Timestamp, _: u32, _: &Decision, _: u64) {}
}
