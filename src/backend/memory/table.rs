//! A hash table of fixed-size slots: open addressing without tombstones.
//!
//! Chosen over a general map for three things that the bound on memory needs: it grows by an eighth,
//! so it is never far from full; removal leaves nothing behind, so a full table that is churned for
//! ever never grows or rehashes; and slots have positions, so eviction can look at a few of them.
//!
//! Slots are placed by the high bits of a fingerprint that is already uniformly distributed, and
//! found by linear probing; removal shifts the rest of the run back.

use super::mark::Mark;
use crate::backend::hash::scale;

/// Half a cache line for a cell, and never across two.
#[derive(Clone, Debug)]
#[repr(C, align(32))]
pub(super) struct Slot<V> {
    /// What stands for a key and the kind of its state; 0 marks a free slot.
    id: u64,
    pub(super) mark: Mark,
    pub(super) value: V,
}

#[derive(Debug, Default)]
pub(super) struct Table<V> {
    slots: Vec<Slot<V>>,
    len: usize,
}

/// At most seven tenths of the slots are taken: about two probes for a hit.
const FULL: (usize, usize) = (7, 10);
const SMALLEST: usize = 8;
/// Smaller tables double, for speed; larger ones grow by an eighth, for space.
const DOUBLING: usize = 256;

impl<V: Clone + Default> Table<V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<V>>()
    }

    /// Position of a state.
    #[inline]
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        let mut at = self.home(id);
        loop {
            let slot = self.slots.get(at)?;
            if slot.id == id {
                return Some(at);
            }
            if slot.id == 0 {
                return None;
            }
            at = self.after(at);
        }
    }

    /// The slot at a position, if it is taken.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Slot<V>> {
        self.slots.get(at).filter(|slot| slot.id != 0)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Slot<V>> {
        self.slots.get_mut(at).filter(|slot| slot.id != 0)
    }

    /// Whether one more slot needs a larger table.
    pub(super) fn must_grow(&self) -> bool {
        (self.len + 1) * FULL.1 > self.slots.len() * FULL.0
    }

    /// Adds a state that is not there.
    pub(super) fn insert(&mut self, id: u64, mark: Mark, value: V) {
        if self.must_grow() {
            self.grow();
        }
        self.place(Slot { id, mark, value });
        self.len += 1;
    }

    /// Frees a position and moves back those that were pushed on by it.
    pub(super) fn remove(&mut self, at: usize) {
        if self.get(at).is_none() {
            return;
        }
        self.len -= 1;
        let mut hole = at;
        let mut next = self.after(at);
        loop {
            let id = self.slots[next].id;
            if id == 0 {
                break;
            }
            if self.distance(self.home(id), next) >= self.distance(hole, next) {
                self.slots.swap(hole, next);
                hole = next;
            }
            next = self.after(next);
        }
        self.slots[hole] = free();
    }

    /// Removes every slot for which `keep` is false.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Slot<V>) -> bool) {
        let n = self.slots.len();
        // Backwards from a free slot: what a removal shifts has been looked at already.
        let Some(free) = self.slots.iter().position(|slot| slot.id == 0) else { return };
        for step in 1..n {
            let at = (free + n - step) % n;
            if self.get(at).is_some_and(|slot| !keep(slot)) {
                self.remove(at);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { slots: Vec::new(), len: 0 };
    }

    fn grow(&mut self) {
        let n = self.slots.len();
        let larger = if n < DOUBLING { (2 * n).max(SMALLEST) } else { n + n / 8 };
        let old = std::mem::replace(&mut self.slots, vec![free(); larger]);
        for slot in old.into_iter().filter(|slot| slot.id != 0) {
            self.place(slot);
        }
    }

    fn place(&mut self, slot: Slot<V>) {
        let mut at = self.home(slot.id);
        while self.slots[at].id != 0 {
            at = self.after(at);
        }
        self.slots[at] = slot;
    }

    /// Where a state belongs: its fraction of 2^64, of the table.
    #[inline]
    fn home(&self, id: u64) -> usize {
        scale(id, self.slots.len())
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        let next = at + 1;
        if next == self.slots.len() { 0 } else { next }
    }

    /// Steps from one position on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }
}

fn free<V: Default>() -> Slot<V> {
    Slot { id: 0, mark: Mark::default(), value: V::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{Mark, Table};

    /// Few homes, near the end of the table, so that runs are long and wrap round.
    fn crowded(id: u8) -> u64 {
        u64::MAX - u64::from(id % 48)
    }

    proptest! {
        #[test]
        fn a_table_does_what_a_hash_map_does(
            steps in proptest::collection::vec((0..4_u8, any::<u8>()), 0..400)
        ) {
            let mut table = Table::<u64>::default();
            let mut model = HashMap::new();
            for (number, (action, id)) in steps.into_iter().enumerate() {
                let id = crowded(id);
                let number = number as u64;
                match (action, table.find(id)) {
                    (0 | 1, None) => {
                        table.insert(id, Mark::default(), number);
                        model.insert(id, number);
                    }
                    (0 | 1, Some(at)) => {
                        table.get_mut(at).unwrap().value = number;
                        model.insert(id, number);
                    }
                    (2, Some(at)) => {
                        table.remove(at);
                        model.remove(&id);
                    }
                    (2, None) => prop_assert!(!model.contains_key(&id)),
                    _ => {
                        table.retain(|slot| slot.value % 5 != 0);
                        model.retain(|_, value| *value % 5 != 0);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                for (id, value) in &model {
                    let slot = table.find(*id).and_then(|at| table.get(at));
                    prop_assert_eq!(slot.map(|slot| slot.value), Some(*value));
                }
            }
        }
    }

    #[test]
    fn a_full_table_that_is_churned_keeps_its_size() {
        let mut table = Table::<u64>::default();
        let nth = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for n in 0..1_000 {
            table.insert(nth(n), Mark::default(), n);
        }
        let slots = table.slots();
        for n in 1_000..50_000 {
            let oldest = table.find(nth(n - 1_000)).unwrap();
            table.remove(oldest);
            table.insert(nth(n), Mark::default(), n);
        }
        assert_eq!((table.len(), table.slots()), (1_000, slots));
    }
}
