//! One shard: the states of some keys behind a lock, within a bound.

use super::{denial::Denial, mark::Mark, table::Table};
use crate::{Cell, EntryLog, Timestamp};

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
    /// The state whose refusal is published.
    pub(super) published: u64,
    /// The state that was refused last.
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

    /// Stores a cell at a position found before, or as a new one.
    #[inline]
    pub(super) fn put(&mut self, at: Option<usize>, id: u64, cell: Cell, mark: Mark) {
        if let Some(slot) = at.and_then(|at| self.cells.get_mut(at)) {
            slot.value = cell;
            slot.mark = mark;
            // Earlier than before when the clock was set back or the policy changed.
            self.next_expiry = self.next_expiry.min(mark.expires());
            return;
        }
        self.make_room();
        self.next_expiry = self.next_expiry.min(mark.expires());
        self.cells.insert(id, mark, cell);
    }

    /// The log of a state, made if it is new, with its mark set.
    pub(super) fn log_mut(&mut self, id: u64, mark: Mark) -> Option<&mut EntryLog> {
        if self.logs.find(id).is_none() {
            self.make_room();
            self.logs.insert(id, mark, EntryLog::default());
        }
        self.next_expiry = self.next_expiry.min(mark.expires());
        let at = self.logs.find(id)?;
        let slot = self.logs.get_mut(at)?;
        slot.mark = mark;
        Some(&mut slot.value)
    }

    /// Notes that a request for this state was refused, which protects it from eviction. `at` is
    /// where its cell was found, if it was.
    #[inline]
    pub(super) fn mark_refused(&mut self, at: Option<usize>, id: u64) {
        let mark = match at.or_else(|| self.cells.find(id)) {
            Some(at) => self.cells.get_mut(at).map(|slot| &mut slot.mark),
            None => {
                let at = self.logs.find(id);
                at.and_then(|at| self.logs.get_mut(at)).map(|slot| &mut slot.mark)
            }
        };
        if let Some(mark) = mark
            && !mark.is_refused()
        {
            *mark = mark.refused();
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        if let Some(at) = self.cells.find(id) {
            self.cells.remove(at);
        }
        if let Some(at) = self.logs.find(id) {
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
        let mut keep = |mark: Mark| {
            let expires = mark.expires();
            if expires > now {
                next = next.min(expires);
            }
            expires > now
        };
        self.cells.retain(|slot| keep(slot.mark));
        self.logs.retain(|slot| keep(slot.mark));
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
        let mut least: Option<(Mark, Place)> = None;
        // Both tables at once: one of them may be all but empty, or all but refused.
        for step in 0..self.cells.slots().max(self.logs.slots()) {
            let blocked = least.is_none_or(|(of, _)| of.is_refused());
            if step >= SAMPLE && !blocked {
                break;
            }
            let at = from.wrapping_add(step);
            let cell = mark_at(&self.cells, at, Place::Cell);
            let log = mark_at(&self.logs, at, Place::Log);
            for (mark, place) in cell.into_iter().chain(log) {
                if least.is_none_or(|(least, _)| mark.rank() < least.rank()) {
                    least = Some((mark, place));
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

/// Mark and place of the state at a position, counted round the table.
#[inline]
fn mark_at<V: Clone + Default>(
    table: &Table<V>,
    at: usize,
    place: fn(usize) -> Place,
) -> Option<(Mark, Place)> {
    let at = at.checked_rem(table.slots())?;
    table.get(at).map(|slot| (slot.mark, place(at)))
}

fn tidy_one<V: Clone + Default>(table: &mut Table<V>, hand: usize, now: Timestamp) {
    let at = hand % table.slots().max(1);
    if table.get(at).is_some_and(|slot| slot.mark.expires() <= now) {
        table.remove(at);
    }
}
