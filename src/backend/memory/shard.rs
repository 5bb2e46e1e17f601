//! One shard: the states of some keys behind a lock, within a bound.

use super::{
    denial::Denial,
    table::{Fingerprint, Table},
};
use crate::{Cell, Decision, EntryLog, Timestamp};

/// Slots that are looked at for a state to evict when none has expired.
const SAMPLE: usize = 16;
/// Slots that each new key looks at for states to forget, so that expired ones never pile up.
const TIDY: usize = 2;
/// Readings of the clock by different threads reach a shard out of order. Up to this far apart, in
/// microseconds, the latest one is taken as now; a reading further back is a clock that was set back.
const REORDERING: u64 = 10_000_000;

/// States of one shard; what every check needs comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct States {
    pub(super) latest: Timestamp,
    pub(super) cells: Table<Cell>,
    /// The key whose refusal is published.
    pub(super) published: u64,
    /// The key that was refused last.
    pub(super) last_refused: u64,
    pub(super) logs: Table<EntryLog>,
    /// No state expires before this.
    pub(super) next_expiry: Timestamp,
    /// Where the next look for states to forget begins.
    hand: usize,
    max_keys: usize,
    pub(super) evicted_live: u64,
}

impl States {
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            cells: Table::default(),
            published: 0,
            last_refused: 0,
            logs: Table::default(),
            latest: Timestamp::ZERO,
            next_expiry: Timestamp::MAX,
            hand: 0,
            max_keys,
            evicted_live: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len() + self.logs.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.cells.bytes() + self.logs.bytes()
    }

    /// The time to decide at: `now`, unless another thread got here first with a later reading.
    #[inline]
    pub(super) fn arrive(&mut self, now: Timestamp, denial: &Denial) -> Timestamp {
        if now > self.latest {
            self.latest = now;
        } else if self.latest.since(now) > REORDERING {
            self.set_back(now, denial);
        }
        self.latest
    }

    /// What is published holds by the old time only: states are clamped to the new one.
    #[cold]
    fn set_back(&mut self, now: Timestamp, denial: &Denial) {
        self.latest = now;
        self.published = 0;
        denial.clear();
    }

    /// Stores a cell at a position found before, or under its fingerprint.
    #[inline]
    pub(super) fn put(
        &mut self,
        at: Option<usize>,
        of: Fingerprint,
        cell: Cell,
        retention: Retention,
    ) {
        if let Some(slot) = at.and_then(|at| self.cells.get_mut(at)) {
            slot.value = cell;
            slot.retention = retention.0;
            // Earlier than before when the clock was set back or the policy changed.
            self.next_expiry = self.next_expiry.min(retention.expires());
            return;
        }
        self.make_room();
        self.next_expiry = self.next_expiry.min(retention.expires());
        self.cells.insert(of, retention.0, cell);
    }

    /// The log of a fingerprint, made if it is new, with its retention set.
    pub(super) fn log_mut(
        &mut self,
        of: Fingerprint,
        retention: Retention,
    ) -> Option<&mut EntryLog> {
        if self.logs.find(of).is_none() {
            self.make_room();
            self.logs.insert(of, retention.0, EntryLog::default());
        }
        self.next_expiry = self.next_expiry.min(retention.expires());
        let at = self.logs.find(of)?;
        let slot = self.logs.get_mut(at)?;
        slot.retention = retention.0;
        Some(&mut slot.value)
    }

    /// Notes that a request for this state was refused, which protects it from eviction. `at` is
    /// where its cell was found, if it was.
    #[inline]
    pub(super) fn mark_refused(&mut self, at: Option<usize>, of: Fingerprint) {
        let retention = match at.or_else(|| self.cells.find(of)) {
            Some(at) => self.cells.get_mut(at).map(|slot| &mut slot.retention),
            None => {
                let at = self.logs.find(of);
                at.and_then(|at| self.logs.get_mut(at)).map(|slot| &mut slot.retention)
            }
        };
        if let Some(retention) = retention
            && *retention & Retention::REFUSED != Retention::REFUSED
        {
            *retention |= Retention::REFUSED;
        }
    }

    pub(super) fn forget(&mut self, key: u64) {
        while let Some(at) = self.cells.find_key(key) {
            self.cells.remove(at);
        }
        while let Some(at) = self.logs.find_key(key) {
            self.logs.remove(at);
        }
    }

    pub(super) fn clear(&mut self) {
        self.cells.clear();
        self.logs.clear();
        self.published = 0;
        self.next_expiry = Timestamp::MAX;
    }

    /// Makes sure that one more state fits: first without forgetting anything that matters, and if
    /// there is no such thing in the shard, by evicting what matters least.
    fn make_room(&mut self) {
        if self.len() < self.max_keys {
            let grows = self.cells.must_grow() || self.logs.must_grow();
            if grows && self.next_expiry <= self.latest {
                self.sweep();
            } else {
                self.tidy();
            }
            return;
        }
        if self.next_expiry <= self.latest {
            self.sweep();
        }
        if self.len() >= self.max_keys {
            self.evict();
        }
    }

    /// Forgets everything that has expired.
    fn sweep(&mut self) {
        let now = self.latest;
        let mut next = Timestamp::MAX;
        let mut keep = |retention: Retention| {
            let expires = retention.expires();
            if expires > now {
                next = next.min(expires);
            }
            expires > now
        };
        self.cells.retain(|slot| keep(Retention(slot.retention)));
        self.logs.retain(|slot| keep(Retention(slot.retention)));
        self.next_expiry = next;
    }

    fn tidy(&mut self) {
        if self.next_expiry > self.latest {
            return;
        }
        for _ in 0..TIDY {
            self.hand = self.hand.wrapping_add(1);
            tidy_one(&mut self.cells, self.hand, self.latest);
            tidy_one(&mut self.logs, self.hand, self.latest);
        }
    }

    /// Forgets the least spent of a few states and, of equals, the one that would be forgotten
    /// soonest. A key that is refused now goes last, so that a flood of new keys sets none free.
    fn evict(&mut self) {
        self.evicted_live += 1;
        let from = self.hand;
        self.hand = self.hand.wrapping_add(SAMPLE);
        let mut least: Option<(Retention, Place)> = None;
        // Both tables at once: one of them may be all but empty, or all but refused.
        for step in 0..self.cells.slots().max(self.logs.slots()) {
            let blocked = least.is_none_or(|(of, _)| of.spent() == Retention::REFUSED);
            if step >= SAMPLE && !blocked {
                break;
            }
            let at = from.wrapping_add(step);
            let cell = retention_at(&self.cells, at, Place::Cell);
            let log = retention_at(&self.logs, at, Place::Log);
            for (retention, place) in cell.into_iter().chain(log) {
                if least.is_none_or(|(least, _)| retention.rank() < least.rank()) {
                    least = Some((retention, place));
                }
            }
        }
        match least {
            Some((_, Place::Cell(at))) => self.cells.remove(at),
            Some((_, Place::Log(at))) => self.logs.remove(at),
            None => {}
        }
    }
}

/// Position of a state in one of the tables.
#[derive(Clone, Copy)]
enum Place {
    Cell(usize),
    Log(usize),
}

/// Retention and place of the state at a position, counted round the table.
#[inline]
fn retention_at<V: Clone + Default>(
    table: &Table<V>,
    at: usize,
    place: fn(usize) -> Place,
) -> Option<(Retention, Place)> {
    let at = at.checked_rem(table.slots())?;
    table.get(at).map(|slot| (Retention(slot.retention), place(at)))
}

fn tidy_one<V: Clone + Default>(table: &mut Table<V>, hand: usize, now: Timestamp) {
    let at = hand % table.slots().max(1);
    if table.get(at).is_some_and(|slot| Retention(slot.retention).expires() <= now) {
        table.remove(at);
    }
}

/// When a state may be forgotten, and in the two low bits how much of it is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention(u64);

impl From<Retention> for u64 {
    fn from(retention: Retention) -> Self {
        retention.0
    }
}

impl Retention {
    const SPENT: u64 = 0b11;
    /// Requests are being refused.
    const REFUSED: u64 = 3;

    #[inline]
    pub(super) fn of(expires: Timestamp, decision: &Decision) -> Self {
        let (limit, remaining) = (decision.limit(), decision.remaining());
        let spent = match remaining {
            0 => 2,
            _ if remaining <= limit / 2 => 1,
            _ => 0,
        };
        // Rounded up to a multiple of 4 µs, to make place for the bits.
        Self((expires.as_micros().saturating_add(Self::SPENT) & !Self::SPENT) | spent)
    }

    pub(super) fn expires(self) -> Timestamp {
        match self.0 & !Self::SPENT {
            never if never == !Self::SPENT => Timestamp::MAX,
            micros => Timestamp::from_micros(micros),
        }
    }

    fn spent(self) -> u64 {
        self.0 & Self::SPENT
    }

    /// What matters less has the lower rank.
    fn rank(self) -> (u64, Timestamp) {
        (self.spent(), self.expires())
    }
}
