//! Which keys have been changed: what is known of them is out of date.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::backend::hash::scale;

/// Some keys share a generation; a change of one then costs another a question to the store.
const STRIPES: u16 = 1_024;

/// A number for each of the stripes over which keys are spread; it rises when a key is changed.
#[derive(Debug)]
pub(super) struct Generations(Box<[AtomicU64]>);

impl Default for Generations {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Generations {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a stripe is below their number")]
    pub(super) fn stripe(key: u64) -> u16 {
        scale(key, STRIPES.into()) as u16
    }

    #[inline]
    pub(super) fn of(&self, stripe: u16) -> u64 {
        self.0[usize::from(stripe)].load(Ordering::Acquire)
    }

    fn raise(&self, stripe: u16) {
        self.0[usize::from(stripe)].fetch_add(1, Ordering::AcqRel);
    }
}

/// A change of a key, from before it is sent until it has ended or is given up.
#[derive(Debug)]
pub(super) struct Change {
    generations: Arc<Generations>,
    stripe: u16,
}

impl Change {
    pub(super) fn begin(generations: &Arc<Generations>, key: u64) -> Self {
        let stripe = Generations::stripe(key);
        generations.raise(stripe);
        Self { generations: generations.clone(), stripe }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.generations.raise(self.stripe);
    }
}
