//! Keys that nobody has charged yet, and what a refusal leaves of them.

mod oracle;

use actix_smart_ratelimit_core::{Algorithm, Policy, Rate, Timestamp};
use oracle::store::MapStore;

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
