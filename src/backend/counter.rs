//! A count that many threads raise without meeting.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

const STRIPES: usize = 16;

/// A sum in parts, each of which some threads add to.
#[derive(Debug, Default)]
pub(in crate::backend) struct Counter([Stripe; STRIPES]);

/// Aligned so that neighbours do not share cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

thread_local! {
    /// The stripe of a thread, once it has one.
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Counter {
    #[inline]
    pub(in crate::backend) fn add_one(&self) {
        self.0[stripe() % STRIPES].0.fetch_add(1, Relaxed);
    }

    pub(in crate::backend) fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Relaxed)).fold(0, u64::wrapping_add)
    }
}

#[inline]
fn stripe() -> usize {
    let known = STRIPE.get();
    if known != usize::MAX {
        return known;
    }
    let new = NEXT.fetch_add(1, Relaxed) % STRIPES;
    STRIPE.set(new);
    new
}
