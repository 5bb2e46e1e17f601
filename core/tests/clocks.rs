//! Clocks that are set back or leap: nobody panics, nobody gets more than the algorithm promises for
//! the time that has truly passed, and nobody stays out for longer than the algorithm can hold
//! anything against a key.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{Check, Mode};
use oracle::Rule;
use oracle::generate::{Case, Cost, KINDS, Parameters, cases};
use oracle::store::MapStore;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 366 * DAY;
/// Today, about: far enough from 0 to be set back.
const START: u64 = 1_800_000_000 * SECOND;

#[derive(Clone, Copy, Debug)]
enum Hand {
    /// Thousandths of the rule's patience.
    On(u64),
    Forward(u64),
    Back(u64),
}

fn hands() -> impl Strategy<Value = Hand> {
    prop_oneof![
        5 => (0..1_500_u64).prop_map(Hand::On),
        1 => select(vec![0, 1, SECOND]).prop_map(Hand::Forward),
        1 => Just(Hand::Forward(100 * YEAR)),
        3 => select(vec![1, 1_000, SECOND, HOUR, 30 * DAY]).prop_map(Hand::Back),
        1 => (0..1_500_u64).prop_map(|n| Hand::Back(n * HOUR / 100)),
    ]
}

fn costs() -> impl Strategy<Value = Cost> {
    prop_oneof![
        4 => Just(Cost::Exactly(1)),
        2 => (0..1_000_u64).prop_map(Cost::Thousandths),
        2 => Just(Cost::Limit),
        1 => Just(Cost::LimitPlus1),
    ]
}

/// What may be admitted in an interval of `micros` true microseconds in which the clock was set
/// back `backs` times. Windows of the clock fall elsewhere after each of these.
fn most_in(rule: &Rule, micros: u128, backs: u128) -> u128 {
    match *rule {
        Rule::Log { limit, period } => u128::from(limit) * micros.div_ceil(period.into()),
        Rule::FixedFirst { limit, period } => {
            u128::from(limit) * (micros.div_ceil(period.into()) + 1)
        }
        Rule::FixedClock { limit, period } | Rule::Counter { limit, period } => {
            u128::from(limit) * (micros.div_ceil(period.into()) + 1 + backs)
        }
        Rule::Bucket { capacity, permits, per, .. } => {
            u128::from(capacity) + (micros - 1) * u128::from(permits) / u128::from(per)
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Admission {
    /// Microseconds that have truly passed.
    at: u128,
    /// How often the clock had been set back.
    backs: u128,
    cost: u128,
}

proptest! {
    #[test]
    fn a_clock_that_is_set_back_or_leaps_never_admits_more_than_true_time_allows(
        case in cases(true),
        moves in vec((hands(), costs()), 1..50),
    ) {
        let mut store = MapStore::default();
        let patience = u64::try_from(case.rule.patience()).unwrap_or(YEAR).min(10 * YEAR);
        let (mut clock, mut passed, mut backs) = (START, 0, 0);
        let mut admitted: Vec<Admission> = Vec::new();
        for (hand, cost) in moves {
            let forward = match hand {
                Hand::On(thousandths) => patience / 1_000 * thousandths,
                Hand::Forward(micros) => micros,
                Hand::Back(micros) => {
                    clock -= micros.min(clock);
                    backs += 1;
                    0
                }
            };
            clock += forward;
            passed += u128::from(forward);
            let cost = cost.of(&case.rule, None);
            if store.take(&case.policy, clock, cost).is_allowed() {
                admitted.push(Admission { at: passed, backs, cost: cost.into() });
            }
            let mut sum = 0;
            for earlier in admitted.iter().rev() {
                sum += earlier.cost;
                let most = most_in(&case.rule, passed - earlier.at + 1, backs - earlier.backs);
                prop_assert!(sum <= most, "{} in {} µs", sum, passed - earlier.at + 1);
            }
        }
    }

    #[test]
    fn after_a_step_back_nobody_is_kept_out_longer_than_a_key_needs_to_recover(
        case in cases(false),
        before in vec((0..1_500_u64, costs()), 1..20),
        back in select(vec![1, SECOND, HOUR, 30 * DAY]),
        cost in costs(),
    ) {
        let mut store = MapStore::default();
        let patience = u64::try_from(case.rule.patience()).unwrap_or(YEAR);
        let mut clock = START;
        for (thousandths, cost) in before {
            clock += patience.min(YEAR) / 1_000 * thousandths;
            store.take(&case.policy, clock, cost.of(&case.rule, None));
        }
        clock -= back;
        let cost = cost.of(&case.rule, None);
        let decision = store.take(&case.policy, clock, cost);
        if decision.is_allowed() || decision.is_permanent() {
            return Ok(());
        }
        let retry = decision.retry_at().unwrap().as_micros();
        prop_assert!(retry - clock <= patience, "{} µs", retry - clock);
        prop_assert!(decision.reset_at().as_micros() - clock <= patience);
        prop_assert!(store.take(&case.policy, retry, cost).is_allowed());
    }
}

fn five_a_minute(count_refused: bool) -> impl Iterator<Item = Case> {
    KINDS.into_iter().map(move |kind| {
        let parameters = Parameters {
            limit: 5,
            period: 60 * SECOND,
            bucket_size: None,
            refill: None,
            initial: None,
            count_refused,
        };
        kind.case(parameters).unwrap()
    })
}

#[test]
fn a_key_that_is_refused_after_a_step_back_recovers_in_the_usual_time() {
    for Case { policy, rule } in five_a_minute(false) {
        for back in [SECOND, HOUR, 30 * DAY] {
            let mut store = MapStore::default();
            assert!(store.take(&policy, START, 5).is_allowed());
            let refused = store.take(&policy, START - back, 5);
            assert!(!refused.is_allowed(), "{rule:?}: what was spent stays spent");
            let recovered = START - back + u64::try_from(rule.patience()).unwrap();
            assert!(store.take(&policy, recovered, 5).is_allowed(), "{rule:?} after −{back} µs");
        }
    }
}

#[test]
fn a_batch_that_shares_a_state_recovers_from_a_step_back_too() {
    for Case { policy, rule } in five_a_minute(false) {
        let mut store = MapStore::default();
        assert!(store.take(&policy, START, 3).is_allowed());
        let together = [
            Check { key: "key", policy: &policy, cost: 1 },
            Check { key: "key", policy: &policy, cost: 2 },
        ];
        let back = START - HOUR;
        assert!(!store.check(back, &together, Mode::Charge).is_allowed(), "{rule:?}: 6 of 5");
        let recovered = back + u64::try_from(rule.patience()).unwrap();
        assert!(store.check(recovered, &together, Mode::Charge).is_allowed(), "{rule:?}");
    }
}

#[test]
fn a_leap_of_a_century_forgets_and_a_step_back_from_it_does_not_lock_out() {
    for Case { policy, rule } in five_a_minute(false) {
        let mut store = MapStore::default();
        let later = START + 100 * YEAR;
        assert!(store.take(&policy, START, 5).is_allowed());
        assert!(store.take(&policy, later, 5).is_allowed(), "{rule:?}");
        assert!(!store.take(&policy, START, 1).is_allowed(), "{rule:?}");
        let recovered = START + u64::try_from(rule.patience()).unwrap();
        assert!(store.take(&policy, recovered, 5).is_allowed(), "{rule:?}");
    }
}

#[test]
fn counted_refusals_keep_a_hammering_client_out_but_no_longer_than_it_hammers() {
    for Case { policy, rule } in five_a_minute(true) {
        let mut store = MapStore::default();
        assert!(store.take(&policy, START, 5).is_allowed());
        let mut now = START;
        for _ in 0..600 {
            now += SECOND / 2;
            store.take(&policy, now, 5);
        }
        assert!(!store.take(&policy, now, 5).is_allowed(), "{rule:?}");
        now += u64::try_from(rule.patience()).unwrap();
        assert!(store.take(&policy, now, 5).is_allowed(), "{rule:?}");
    }
}
