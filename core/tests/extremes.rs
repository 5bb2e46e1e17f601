//! The corners of every type: a constructor names what is wrong, or all decisions are those of
//! 128-bit arithmetic. In debug builds every overflow would panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{
    Algorithm, Cell, Decision, MAX_PERIOD_MICROS, Policy, Rate, Timestamp,
};
use oracle::generate::{KINDS, Kind, LATEST, Parameters};
use oracle::store::MapStore;
use oracle::{Answer, History};

const LIMITS: [u32; 9] =
    [0, 1, 2, 3, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, u32::MAX - 1, u32::MAX];

const COSTS: [u32; 8] = [0, 1, 2, 3, (1 << 31) - 1, (1 << 31) + 1, u32::MAX - 1, u32::MAX];
const WIDE: [u64; 12] = [
    0,
    1,
    2,
    3,
    (1 << 31) - 1,
    (1 << 31) + 1,
    (1 << 32) - 1,
    (1 << 32) + 1,
    (1 << 53) - 1,
    1 << 53,
    (1 << 53) + 1,
    u64::MAX,
];
/// 0 to the last year that is exact, and the year 2262, where signed nanoseconds end.
const TIMES: [u64; 10] = [
    0,
    1,
    3,
    (1 << 31) - 1,
    (1 << 32) + 1,
    (1 << 53) - 1,
    (1 << 53) + 1,
    9_223_372_036_854_775,
    LATEST - 1,
    LATEST,
];
const PERIODS: [u64; 8] = [
    1,
    2,
    3,
    (1 << 31) - 1,
    (1 << 32) - 1,
    (1 << 32) + 1,
    MAX_PERIOD_MICROS - 1,
    MAX_PERIOD_MICROS,
];

fn parameters(limit: u32, period: u64) -> Parameters {
    Parameters {
        limit,
        period,
        bucket_size: None,
        refill: None,
        initial: None,
        count_refused: false,
    }
}

/// Plays every cost at every time, as far as the costs still tell anything, against the oracle.
fn is_exact(kind: Kind, parameters: Parameters) -> u64 {
    let case = kind.case(parameters).unwrap();
    let (mut store, mut history) = (MapStore::default(), History::default());
    let mut decisions = 0;
    for now in TIMES {
        for cost in COSTS {
            let decision = store.take(&case.policy, now, cost);
            let expected = history.take(&case.rule, now, cost.into());
            if !expected.allowed {
                history.see(now);
            }
            assert_eq!(Answer::from(&decision), expected, "{parameters:?}: {cost} at {now}");
            decisions += 1;
        }
    }
    decisions
}

#[test]
fn every_corner_of_limit_period_cost_and_time_is_exact() {
    let mut decisions = 0;
    for kind in KINDS {
        for limit in LIMITS {
            for period in PERIODS {
                decisions += is_exact(kind, parameters(limit, period));
            }
        }
    }
    assert_eq!(decisions, 7 * 9 * 8 * 10 * 8);
}

#[test]
fn every_corner_of_bucket_size_and_refill_is_exact_or_named() {
    let refills = [None, Some(0), Some(1), Some(1_000_001), Some(4_294_967_295_000_000)];
    let (mut exact, mut named) = (0, 0);
    for size in WIDE {
        for refill in refills {
            for initial in [None, Some(0), Some(size / 2), Some(size), Some(size.saturating_add(1))]
            {
                for (limit, period) in
                    [(0, 1), (1, MAX_PERIOD_MICROS), (u32::MAX, 1), (7, 60_000_000)]
                {
                    let bucket_size = Some(size);
                    let p =
                        Parameters { bucket_size, refill, initial, ..parameters(limit, period) };
                    match Kind::TokenBucket.case(p) {
                        Ok(_) => exact += is_exact(Kind::TokenBucket, p).min(1),
                        Err(error) => {
                            let expected = match error.field() {
                                "bucket_size" => size > 1 << 53 || fills_in(p) >= 1 << 62,
                                "initial_tokens" => initial.is_some_and(|tokens| tokens > size),
                                _ => false,
                            };
                            assert!(expected, "{p:?}: {error}");
                            assert!(error.to_string().len() <= 400);
                            named += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(exact > 500 && named > 300, "{exact} exact, {named} named");
}

/// Microseconds in which the bucket fills.
fn fills_in(p: Parameters) -> u128 {
    let (permits, per) = match p.refill {
        Some(millionths) => (millionths, 1_000_000_000_000),
        None => (p.limit.into(), p.period),
    };
    match permits {
        // Where nothing comes back one permit stands for a microsecond.
        0 => p.bucket_size.unwrap().into(),
        permits => u128::from(p.bucket_size.unwrap()) * u128::from(per) / u128::from(permits),
    }
}

#[test]
fn a_period_out_of_range_is_named() {
    for period in [0, MAX_PERIOD_MICROS + 1, (1 << 53) - 1, (1 << 53) + 1, u64::MAX] {
        let error = Rate::new(1, period).unwrap_err();
        assert_eq!((error.field(), error.value()), ("rate", period.to_string().as_str()));
        assert_eq!(Rate::from_micros(1, period), None);
    }
}

#[test]
fn whatever_a_store_returns_and_a_clock_shows_there_is_an_answer() {
    let words = [0, 1, 2, u64::from(u32::MAX), 1 << 32, 1 << 53, 1 << 63, u64::MAX - 1, u64::MAX];
    let times = [0, 1, LATEST, LATEST + 1, u64::MAX - 1, u64::MAX].map(Timestamp::from_micros);
    let judge = |decision: &Decision, cost: u32| {
        assert!(decision.is_allowed() || decision.remaining() < cost.into());
        assert!(decision.remaining() <= decision.limit());
    };
    for kind in KINDS {
        for (limit, period) in [(0, 1), (1, MAX_PERIOD_MICROS), (u32::MAX, 1), (3, 7_000_001)] {
            let policy = kind.case(parameters(limit, period)).unwrap().policy;
            for (high, low) in words.iter().flat_map(|high| words.map(|low| (*high, low))) {
                let cell = Cell(high, low);
                for (now, cost) in times.iter().flat_map(|now| COSTS.map(|cost| (*now, cost))) {
                    judge(&policy.step(Some(cell), now, cost).decision, cost);
                    judge(&policy.penalize(Some(cell), now, cost).decision, 0);
                    judge(&policy.refund(cell, now, Timestamp::ZERO, cost).decision, 0);
                    judge(&policy.refund(cell, now, now, cost).decision, 0);
                }
            }
        }
    }
}

#[test]
fn saturated_traffic_gets_exactly_the_rate_and_one_bucket() {
    let seconds = if cfg!(debug_assertions) { 1 } else { 10 };
    let whole_micros = [1, 1_000, 31_250, 1_000_000].map(|rate| (rate, 1));
    // A bucket of one is full before the clock shows it, where T is not a whole microsecond.
    let any = [1, 3, 7, 999, 65_537, 300_000, 999_983].map(|rate| [(rate, 2), (rate, rate + 1)]);
    for (rate, size) in whole_micros.into_iter().chain(any.into_iter().flatten()) {
        let builder = Policy::builder(Algorithm::TokenBucket, Rate::per_second(rate));
        let policy = builder.bucket_size(size.into()).build().unwrap();
        let end = Timestamp::from_secs(1_800_000_000 + seconds);
        let (mut cell, mut now, mut admitted) = (None, Timestamp::from_secs(1_800_000_000), 0);
        while now <= end {
            // Everything that is there, and then a permit that is not.
            let left = policy.step(cell, now, 0).decision.remaining();
            let taken = policy.step(cell, now, u32::try_from(left).unwrap());
            assert!(taken.decision.is_allowed());
            admitted += left;
            cell = Some(taken.cell);
            let retry = policy.step(cell, now, 1).decision.retry_at().unwrap();
            assert!(retry > now);
            now = retry;
        }
        assert_eq!(
            admitted,
            seconds * u64::from(rate) + u64::from(size),
            "{rate}/s, bucket of {size}"
        );
    }
}

#[test]
fn the_fastest_rate_is_exact_though_permits_come_back_four_thousand_to_a_microsecond() {
    let policy = Policy::new(Algorithm::Gcra, Rate::per_second(4_000_000_000));
    let mut store = MapStore::default();
    assert!(store.take(&policy, 0, 4_000_000_000).is_allowed());
    let refused = store.take(&policy, 0, 1);
    assert_eq!(refused.retry_at(), Some(Timestamp::from_micros(1)));
    for now in 1..100 {
        assert!(store.take(&policy, now, 4_000).is_allowed());
        assert!(!store.take(&policy, now, 1).is_allowed());
    }
}
