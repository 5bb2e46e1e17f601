//! Policies: what their builder refuses, and the behaviour of each algorithm in small examples.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{
    Algorithm, Error, Policy, PolicyBuilder, Rate, Timestamp, WindowStart,
};
use oracle::store::MapStore;

const SECOND: u64 = 1_000_000;

fn builder(algorithm: Algorithm) -> PolicyBuilder {
    Policy::builder(algorithm, Rate::per_minute(10))
}

fn bucket() -> PolicyBuilder {
    builder(Algorithm::TokenBucket)
}

fn refused(builder: PolicyBuilder) -> Error {
    let error = builder.build().unwrap_err();
    assert!(error.to_string().len() <= 400, "{error}");
    error
}

/// How many requests of one permit are admitted at `now`.
fn admitted(store: &mut MapStore, policy: &Policy, now: u64, requests: usize) -> usize {
    (0..requests).filter(|_| store.take(policy, now, 1).is_allowed()).count()
}

#[test]
fn parameters_that_mean_nothing_to_an_algorithm_are_refused() {
    use Algorithm::*;
    type Set = fn(PolicyBuilder) -> PolicyBuilder;
    let table: [(&str, Set, &[Algorithm]); 4] = [
        ("bucket_size", |b| b.bucket_size(5), &[TokenBucket, LeakyBucket, Gcra]),
        ("refill_rate", |b| b.refill_rate(1.0), &[TokenBucket, LeakyBucket]),
        ("initial_tokens", |b| b.initial_tokens(5), &[TokenBucket]),
        ("window", |b| b.window_start(WindowStart::FirstRequest), &[FixedWindow]),
    ];
    for (field, set, those) in table {
        for (name, algorithm) in Algorithm::NAMES {
            if those.contains(&algorithm) {
                assert!(set(builder(algorithm)).build().is_ok(), "{field} of {name}");
                continue;
            }
            let error = refused(set(builder(algorithm)));
            assert_eq!(error.field(), field, "{name}");
            assert_eq!(error.reason(), format!("it has no meaning for {name}"));
            for meant in those {
                assert!(error.remedy().contains(meant.name()), "{error}");
            }
        }
    }
}

#[test]
fn a_refill_rate_is_a_number_of_its_range() {
    let table = [
        (f64::NAN, "not a number of zero or more"),
        (f64::INFINITY, "not a number of zero or more"),
        (f64::NEG_INFINITY, "not a number of zero or more"),
        (-1.0, "not a number of zero or more"),
        (-1e-300, "not a number of zero or more"),
        (1e-9, "smaller than a millionth"),
        (4.9e-7, "smaller than a millionth"),
        (f64::MIN_POSITIVE, "smaller than a millionth"),
        (1e10, "too large"),
        (4_294_967_295.1, "too large"),
        (f64::MAX, "too large"),
    ];
    for (rate, reason) in table {
        let error = refused(bucket().refill_rate(rate));
        assert_eq!(error.field(), "refill_rate", "{rate}");
        assert!(error.reason().contains(reason), "{error}");
        assert!(error.remedy().contains("0.000001 to 4294967295, or 0 for never"), "{error}");
    }
    for rate in [0.0, -0.0, 1e-6, 0.5, 2.0, 4_294_967_295.0] {
        assert!(bucket().refill_rate(rate).build().is_ok(), "{rate}");
    }
}

#[test]
fn a_bucket_is_not_larger_than_every_store_can_count() {
    for size in [(1 << 53) + 1, u64::MAX] {
        let error = refused(bucket().bucket_size(size));
        assert_eq!((error.field(), error.reason()), ("bucket_size", "it is too large"));
        assert!(error.remedy().contains("9007199254740992"), "{error}");
    }
    for size in [0, 1, 5_000_000_000, 1 << 53] {
        let policy = bucket().refill_rate(1e6).bucket_size(size).build().unwrap();
        assert_eq!(policy.limit(), size);
    }
}

#[test]
fn a_bucket_that_would_take_ages_to_fill_is_refused() {
    let error = refused(bucket().bucket_size(1 << 53).refill_rate(0.000_001));
    assert_eq!((error.field(), error.remedy()), ("bucket_size", "raise the rate of refill"));
}

#[test]
fn a_bucket_does_not_begin_with_more_than_it_holds() {
    let error = refused(bucket().bucket_size(5).initial_tokens(6));
    assert_eq!((error.field(), error.value()), ("initial_tokens", "6"));
    assert!(error.remedy().ends_with("the bucket's size, 5"), "{error}");
    let error = refused(bucket().initial_tokens(11));
    assert!(error.remedy().ends_with("the bucket's size, 10"), "{error}");
}

#[test]
fn a_policy_tells_what_it_was_made_of() {
    for (_, algorithm) in Algorithm::NAMES {
        let policy = builder(algorithm).count_refused(true).build().unwrap();
        assert_eq!(policy.rate(), Some(Rate::per_minute(10)));
        assert_eq!(policy.algorithm(), Some(algorithm));
        assert_eq!((policy.limit(), policy.window_micros()), (10, Some(60 * SECOND)));
        assert!(
            policy.counts_refused() && !Policy::new(algorithm, Rate::per_day(1)).counts_refused()
        );
    }
    let never = bucket().refill_rate(0.0).build().unwrap();
    assert_eq!(never.window_micros(), None);
    let slow = bucket().bucket_size(3).refill_rate(0.3).build().unwrap();
    assert_eq!(slow.window_micros(), Some(10 * SECOND));
}

#[test]
fn the_state_of_a_policy_outlives_its_limit_but_not_its_speed() {
    for (name, algorithm) in Algorithm::NAMES {
        let tag = |rate| Policy::new(algorithm, rate).state_tag();
        assert_ne!(tag(Rate::per_minute(10)), tag(Rate::per_hour(10)), "{name}");
        let is_bucket = builder(algorithm).bucket_size(5).build();
        match is_bucket {
            Ok(smaller) => assert_eq!(tag(Rate::per_minute(10)), smaller.state_tag(), "{name}"),
            Err(_) => assert_eq!(tag(Rate::per_minute(10)), tag(Rate::per_minute(5)), "{name}"),
        }
    }
    let fixed = |start| builder(Algorithm::FixedWindow).window_start(start).build().unwrap();
    let (clock, first) = (fixed(WindowStart::Clock), fixed(WindowStart::FirstRequest));
    assert_ne!(clock.state_tag(), first.state_tag());
}

#[test]
fn the_first_n_requests_pass_and_the_next_is_refused() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = Policy::new(algorithm, Rate::per_minute(10));
        let mut store = MapStore::default();
        for left in (0..10).rev() {
            let decision = store.take(&policy, 0, 1);
            assert!(decision.is_allowed(), "{name}");
            assert_eq!(decision.remaining(), left, "{name}");
        }
        let refused = store.take(&policy, 0, 1);
        assert!(!refused.is_allowed() && refused.remaining() == 0, "{name}");
        assert!(refused.retry_after_secs(Timestamp::ZERO) >= Some(1), "{name}");
    }
}

#[test]
fn windows_of_the_clock_begin_at_multiples_of_their_period() {
    let day = 86_400 * SECOND;
    for period in [SECOND, 60 * SECOND, 3_600 * SECOND, day, 7 * day] {
        let policy = Policy::new(Algorithm::FixedWindow, Rate::new(1, period).unwrap());
        let mut store = MapStore::default();
        let boundary = 1_800_000_000 * SECOND / period * period;
        assert!(store.take(&policy, boundary - 1, 1).is_allowed());
        let next = store.take(&policy, boundary, 1);
        assert!(next.is_allowed());
        assert_eq!(next.reset_at(), Timestamp::from_micros(boundary + period));
        let refused = store.take(&policy, boundary + period - 1, 1);
        assert_eq!(refused.reset_at(), next.reset_at(), "it does not move within a window");
    }
}

#[test]
fn a_sliding_window_frees_each_permit_one_period_after_it_was_taken() {
    let policy = Policy::new(Algorithm::SlidingWindow, Rate::per_minute(2));
    let mut store = MapStore::default();
    store.take(&policy, 10 * SECOND, 1);
    store.take(&policy, 50 * SECOND, 1);
    assert_eq!(admitted(&mut store, &policy, 70 * SECOND - 1, 1), 0);
    assert_eq!(admitted(&mut store, &policy, 70 * SECOND, 2), 1);
    assert_eq!(admitted(&mut store, &policy, 110 * SECOND, 2), 1);
}

#[test]
fn the_worst_period_holds_what_the_documentation_says() {
    let worst = |algorithm, offset: u64| {
        let policy = Policy::new(algorithm, Rate::per_minute(100));
        let mut store = MapStore::default();
        // A full limit at the end of one window, then all that is to be had until a period is over.
        let start = 60 * SECOND - offset;
        let mut sum = admitted(&mut store, &policy, start, 200);
        let mut now = start;
        while let Some(retry) = store.peek(&policy, now, 1).retry_at() {
            assert!(retry.as_micros() > now);
            now = retry.as_micros();
            if now >= start + 60 * SECOND {
                break;
            }
            sum += admitted(&mut store, &policy, now, 200);
        }
        sum
    };
    assert_eq!(worst(Algorithm::FixedWindow, 1), 200);
    assert_eq!(worst(Algorithm::SlidingWindow, 1), 100);
    assert_eq!(worst(Algorithm::SlidingWindowCounter, 1), 199);
    assert_eq!(worst(Algorithm::TokenBucket, 1), 199);
    assert_eq!(worst(Algorithm::Gcra, 1), 199);
}

#[test]
fn hammering_does_not_extend_a_block() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = Policy::new(algorithm, Rate::per_minute(10));
        let mut store = MapStore::default();
        assert_eq!(admitted(&mut store, &policy, 0, 10), 10);
        for now in 1..120_000 {
            store.take(&policy, now * 1_000, 11);
        }
        assert_eq!(admitted(&mut store, &policy, 120 * SECOND, 20), 10, "{name}");
    }
}

#[test]
fn a_bucket_larger_than_the_rate_admits_a_burst() {
    let policy = bucket().bucket_size(20).build().unwrap();
    let mut store = MapStore::default();
    assert_eq!(admitted(&mut store, &policy, 0, 21), 20);
}

#[test]
fn an_empty_bucket_of_two_a_second_holds_two_tokens_after_a_second() {
    let policy = bucket().refill_rate(2.0).build().unwrap();
    let mut store = MapStore::default();
    assert_eq!(admitted(&mut store, &policy, 0, 10), 10);
    let decision = store.take(&policy, SECOND, 1);
    assert!(decision.is_allowed());
    assert_eq!(decision.remaining(), 1);
}

#[test]
fn a_request_takes_its_cost_and_one_above_the_bucket_is_never_admitted() {
    let policy = bucket().build().unwrap();
    let mut store = MapStore::default();
    assert_eq!(store.take(&policy, 0, 3).remaining(), 7);
    let refused = store.take(&policy, 0, 11);
    assert!(refused.is_permanent());
    assert_eq!((refused.retry_at(), refused.remaining()), (None, 7));
}

#[test]
fn a_bucket_without_initial_tokens_refuses_the_first_request() {
    let policy = bucket().initial_tokens(0).build().unwrap();
    let refused = MapStore::default().take(&policy, 0, 1);
    assert_eq!(refused.retry_at(), Some(Timestamp::from_secs(6)));
}

#[test]
fn a_bucket_that_is_never_refilled_admits_its_size_in_total() {
    let policy = bucket().refill_rate(0.0).build().unwrap();
    let mut store = MapStore::default();
    assert_eq!(admitted(&mut store, &policy, 0, 7), 7);
    let century = 100 * 366 * 86_400 * SECOND;
    assert_eq!(admitted(&mut store, &policy, century, 7), 3);
    assert!(store.take(&policy, century, 1).is_permanent());
}

#[test]
fn a_bucket_of_size_zero_refuses_for_good() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::LeakyBucket, Algorithm::Gcra] {
        let policy = builder(algorithm).bucket_size(0).build().unwrap();
        assert!(MapStore::default().take(&policy, 0, 1).is_permanent(), "{algorithm}");
    }
}

#[test]
fn looking_does_not_consume() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = Policy::new(algorithm, Rate::per_minute(10));
        let mut store = MapStore::default();
        for _ in 0..20 {
            assert_eq!(store.peek(&policy, 0, 3).remaining(), 10, "{name}");
        }
    }
}

#[test]
fn a_clock_ten_seconds_back_costs_a_bucket_no_token_and_gives_none() {
    let policy = bucket().refill_rate(1.0).build().unwrap();
    let mut store = MapStore::default();
    store.take(&policy, 100 * SECOND, 4);
    assert_eq!(store.peek(&policy, 100 * SECOND, 0).remaining(), 6);
    let back = store.take(&policy, 90 * SECOND, 0).remaining();
    assert!(back <= 6, "{back}");
    assert_eq!(store.peek(&policy, 104 * SECOND, 0).remaining(), 10);
}

#[test]
fn slow_refills_keep_their_fraction() {
    let policy = bucket().refill_rate(0.3).build().unwrap();
    let mut store = MapStore::default();
    assert_eq!(admitted(&mut store, &policy, 0, 10), 10);
    let refused = store.take(&policy, 0, 1);
    assert_eq!(refused.retry_at(), Some(Timestamp::from_micros(3_333_334)));
    assert_eq!(refused.retry_after_secs(Timestamp::ZERO), Some(4));
}

#[test]
fn a_leaky_bucket_of_three_admits_three_and_drains_at_its_rate() {
    let leaky = builder(Algorithm::LeakyBucket).bucket_size(3).refill_rate(0.5);
    let policy = leaky.build().unwrap();
    let mut store = MapStore::default();
    assert_eq!(admitted(&mut store, &policy, 0, 4), 3);
    assert_eq!(admitted(&mut store, &policy, 2 * SECOND - 1, 1), 0);
    assert_eq!(admitted(&mut store, &policy, 2 * SECOND, 2), 1);
    assert_eq!(refused(leaky.refill_rate(-1.0)).field(), "refill_rate");
}

#[test]
fn algorithms_may_be_changed_on_a_live_key() {
    let mut store = MapStore::default();
    for round in 0..3 {
        for (name, algorithm) in Algorithm::NAMES {
            let policy = Policy::new(algorithm, Rate::per_minute(100));
            assert!(store.take(&policy, round, 1).is_allowed(), "{name}");
        }
    }
}

#[test]
fn shares_of_a_limit_add_up_to_it_and_to_less_than_one_more_for_each_instance() {
    for limit in [0, 1, 2, 7, 99, 100, 101, u32::MAX] {
        for instances in [1, 2, 3, 7, 100, 1_000] {
            let count = std::num::NonZeroU32::new(instances).unwrap();
            for (name, algorithm) in Algorithm::NAMES {
                let share = Policy::new(algorithm, Rate::per_hour(limit)).share(count).limit();
                let (limit, instances) = (u64::from(limit), u64::from(instances));
                assert!(share * instances >= limit, "{name} {limit} {instances}");
                assert!(share * instances < limit + instances, "{name} {limit} {instances}");
                assert_eq!(share == 0, limit == 0);
            }
        }
    }
}

#[test]
fn shares_of_a_bucket_refill_and_begin_in_proportion() {
    let builder = Policy::builder(Algorithm::TokenBucket, Rate::per_minute(60));
    let whole = builder.bucket_size(100).initial_tokens(50).refill_rate(8.0).build().unwrap();
    let share = whole.share(std::num::NonZeroU32::new(4).unwrap());
    assert_eq!(share.limit(), 25);
    assert_eq!(share.window_micros(), Some(12_500_000), "25 tokens at 2 a second");
    let first = share.step(None, Timestamp::from_secs(1_000_000), 0).decision;
    assert_eq!(first.remaining(), 13, "12.5 of 50, rounded up");
}
