//! Keys that nobody has charged yet, and what a refusal leaves of them.

mod oracle;

use actix_smart_ratelimit_core::{Algorithm, Policy, Rate, Timestamp, WindowStart};
use oracle::store::MapStore;

const SECOND: u64 = 1_000_000;

fn bucket() -> actix_smart_ratelimit_core::PolicyBuilder {
    Policy::builder(Algorithm::TokenBucket, Rate::per_second(1)).bucket_size(10)
}

#[test]
fn an_untouched_bucket_that_never_refills_is_whole_now_and_not_in_1970() {
    let policy = bucket().refill_rate(0.0).build().unwrap();
    let mut store = MapStore::default();
    let now = Timestamp::from_secs(1_800_000_000);
    assert_eq!(store.peek(&policy, now.as_micros(), 1).reset_at(), now);
    assert_eq!(store.take(&policy, now.as_micros(), 1).reset_at(), Timestamp::MAX);
}

#[test]
fn a_window_from_the_first_request_is_not_begun_by_a_refused_one() {
    let builder = Policy::builder(Algorithm::FixedWindow, Rate::per_minute(5));
    let policy = builder.window_start(WindowStart::FirstRequest).build().unwrap();
    let mut store = MapStore::default();
    assert!(store.take(&policy, 0, 1).is_allowed());
    assert!(!store.take(&policy, 100 * SECOND, 6).is_allowed(), "more than there ever is");
    let first = store.take(&policy, 130 * SECOND, 5);
    assert_eq!(first.reset_at(), Timestamp::from_secs(190));
    assert!(!store.take(&policy, 165 * SECOND, 1).is_allowed());
}

#[test]
fn a_bucket_that_begins_empty_fills_from_its_first_request_on() {
    let policy = bucket().initial_tokens(0).build().unwrap();
    let mut store = MapStore::default();
    let refused = store.take(&policy, 0, 2);
    assert_eq!(refused.retry_at(), Some(Timestamp::from_secs(2)));
    assert!(!store.take(&policy, 2 * SECOND - 1, 2).is_allowed());
    assert!(store.take(&policy, 2 * SECOND, 2).is_allowed());
}

#[test]
fn a_refused_request_of_a_key_that_needs_no_state_leaves_none() {
    let mut store = MapStore::default();
    for (_, algorithm) in Algorithm::NAMES {
        let policy = Policy::new(algorithm, Rate::per_minute(5));
        assert!(!store.take(&policy, 0, 6).is_allowed());
        assert_eq!(store.len(), 0, "{algorithm}");
    }
}
