//! Charges that are given back: never more than was taken, and never to a window that is not theirs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{Algorithm, Charge, Policy, Rate, Timestamp, WindowStart};
use oracle::Rule;
use oracle::generate::{Case, Cost, cases, moves, starts};
use oracle::store::MapStore;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;

fn charge(policy: &Policy, cost: u32, charged_at: u64) -> Charge<'_> {
    Charge { key: "key", policy, cost, charged_at: Timestamp::from_micros(charged_at) }
}

/// Largest cost that may be admitted, and not given back, in `micros` consecutive microseconds.
fn most_in(rule: &Rule, micros: u128) -> u128 {
    match *rule {
        Rule::Log { limit, period } => u128::from(limit) * micros.div_ceil(period.into()),
        Rule::FixedClock { limit, period }
        | Rule::FixedFirst { limit, period }
        | Rule::Counter { limit, period } => {
            u128::from(limit) * (micros.div_ceil(period.into()) + 1)
        }
        Rule::Bucket { capacity, permits, per, .. } => {
            u128::from(capacity) + (micros - 1) * u128::from(permits) / u128::from(per)
        }
    }
}

proptest! {
    #[test]
    fn what_is_kept_is_never_more_than_the_algorithm_promises(
        case in cases(false),
        start in starts(),
        moves in moves(50),
        returned in proptest::collection::vec(proptest::option::of(any::<prop::sample::Index>()), 50),
    ) {
        let Case { policy, rule } = &case;
        let mut store = MapStore::default();
        let mut kept: Vec<(u64, u32)> = Vec::new();
        let mut now = start;
        for (step, returned) in moves.iter().zip(returned) {
            now = step.advance.from(now, rule, None);
            if let (Some(which), false) = (returned, kept.is_empty()) {
                let (at, cost) = kept.remove(which.index(kept.len()));
                store.refund(&charge(policy, cost, at), now);
            }
            let cost = step.cost.of(rule, None);
            if store.take(policy, now, cost).is_allowed() {
                kept.push((now, cost));
            }
            let mut sum = 0;
            for (at, cost) in kept.iter().rev() {
                sum += u128::from(*cost);
                prop_assert!(sum <= most_in(rule, u128::from(now - at) + 1));
            }
        }
    }

    #[test]
    fn a_charge_that_is_given_back_at_once_has_never_been(
        case in cases(true),
        start in starts(),
        moves in moves(30),
        returned in proptest::collection::vec(any::<bool>(), 30),
    ) {
        let Case { policy, rule } = &case;
        let (mut with, mut without) = (MapStore::default(), MapStore::default());
        let mut now = start;
        for (step, returned) in moves.iter().zip(returned) {
            now = step.advance.from(now, rule, None);
            let cost = step.cost.of(rule, None);
            // A bucket that begins less than full begins to fill with the charge, returned or not.
            let forgets = matches!(rule, Rule::Bucket { capacity, initial, .. } if initial < capacity);
            if returned && !forgets && with.take(policy, now, cost).is_allowed() {
                with.refund(&charge(policy, cost, now), now);
            } else if !returned {
                prop_assert_eq!(with.take(policy, now, cost), without.take(policy, now, cost));
            } else if policy.counts_refused() && !forgets {
                without.take(policy, now, cost);
            }
            prop_assert_eq!(with.peek(policy, now, 0), without.peek(policy, now, 0));
        }
    }

    #[test]
    fn nobody_has_more_than_the_limit_after_a_refund(
        case in cases(false),
        start in starts(),
        moves in moves(20),
        cost in prop_oneof![Just(Cost::Limit), Just(Cost::Exactly(1)), Just(Cost::Exactly(u32::MAX))],
    ) {
        let Case { policy, rule } = &case;
        let mut store = MapStore::default();
        let mut now = start;
        for step in moves {
            now = step.advance.from(now, rule, None);
            let before = store.take(policy, now, step.cost.of(rule, None)).remaining();
            store.refund(&charge(policy, cost.of(rule, None), now), now);
            let after = store.peek(policy, now, 0).remaining();
            prop_assert!(before <= after && after <= policy.limit());
        }
    }
}

#[test]
fn a_charge_of_a_window_that_is_over_is_not_given_to_the_next_one() {
    for start in [WindowStart::Clock, WindowStart::FirstRequest] {
        let builder = Policy::builder(Algorithm::FixedWindow, Rate::per_minute(5));
        let policy = builder.window_start(start).build().unwrap();
        let mut store = MapStore::default();
        store.take(&policy, 0, 3);
        store.take(&policy, 60 * SECOND, 3);
        store.refund(&charge(&policy, 3, 0), 61 * SECOND);
        assert_eq!(store.peek(&policy, 61 * SECOND, 0).remaining(), 2);
        store.refund(&charge(&policy, 3, 60 * SECOND), 61 * SECOND);
        assert_eq!(store.peek(&policy, 61 * SECOND, 0).remaining(), 5);
    }
}

#[test]
fn a_charge_of_the_last_window_still_weighs_on_a_sliding_counter_and_is_given_back_there() {
    let policy = Policy::new(Algorithm::SlidingWindowCounter, Rate::per_minute(10));
    let mut store = MapStore::default();
    store.take(&policy, 0, 6);
    store.take(&policy, 60 * SECOND, 2);
    assert_eq!(store.peek(&policy, 90 * SECOND, 0).remaining(), 5, "10 − 2 − 6/2");
    store.refund(&charge(&policy, 6, 0), 90 * SECOND);
    assert_eq!(store.peek(&policy, 90 * SECOND, 0).remaining(), 8);
}

#[test]
fn a_sliding_window_gives_back_to_the_moment_of_the_charge() {
    let policy = Policy::new(Algorithm::SlidingWindow, Rate::per_minute(5));
    let mut store = MapStore::default();
    store.take(&policy, 0, 2);
    store.take(&policy, SECOND, 3);
    store.refund(&charge(&policy, 9, 0), 2 * SECOND);
    assert_eq!(store.peek(&policy, 2 * SECOND, 0).remaining(), 2, "the three are another's");
    store.refund(&charge(&policy, 3, 7), 2 * SECOND);
    assert_eq!(store.peek(&policy, 2 * SECOND, 0).remaining(), 2, "nothing was charged then");
}

#[test]
fn a_bucket_gives_back_only_what_has_not_come_back_by_itself() {
    let builder = Policy::builder(Algorithm::TokenBucket, Rate::per_second(1));
    let policy = builder.bucket_size(10).build().unwrap();
    let mut store = MapStore::default();
    store.take(&policy, 0, 5);
    store.take(&policy, 5 * SECOND, 5);
    store.refund(&charge(&policy, 5, 0), 6 * SECOND);
    assert_eq!(store.peek(&policy, 6 * SECOND, 0).remaining(), 6, "that charge had drained");
    store.refund(&charge(&policy, 5, 5 * SECOND), 6 * SECOND);
    assert_eq!(store.peek(&policy, 6 * SECOND, 0).remaining(), 10);
}
