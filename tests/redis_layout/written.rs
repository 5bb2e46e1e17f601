//! What we write.

use actix_smart_ratelimit::{
    Algorithm::{
        self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, SlidingWindowCounter, TokenBucket,
    },
    Decision, Limit, OnError, Policy, Rate, RateLimiter, WindowStart,
};

use crate::{
    KEY, PATIENCE, Subject, builder, number, seconds,
    support::{
        asking::{lasting, take},
        redis::RedisServer,
    },
};

/// A limiter with the default prefix, as an application makes it.
fn limiter(server: &RedisServer) -> RateLimiter {
    let backend = builder(server).build().unwrap();
    let builder = RateLimiter::builder().backend("redis", backend).deadline(PATIENCE);
    builder.on_error(OnError::Deny).build().unwrap()
}

fn hourly(algorithm: Algorithm) -> Limit {
    Limit::new("", Rate::per_hour(100)).algorithm(algorithm)
}

/// Has one request counted on a server of its own, and tells the only key, its type, and for how many
/// seconds it is kept.
async fn counted(limit: Limit) -> (String, String, i64) {
    let server = RedisServer::start();
    let outcome = limiter(&server).check(&limit, "ip:203.0.113.7").await.unwrap();
    assert_eq!(outcome.decision().map(Decision::remaining), Some(99));
    let key = server.cli(&["KEYS", "*"]);
    let kind = server.cli(&["TYPE", &key]);
    let kept = server.ask(&["TTL", &key]).unwrap();
    (key, kind, kept)
}

#[actix_web::test]
async fn keys_and_types_without_a_scope_are_those_of_the_original() {
    let first = hourly(FixedWindow).window(WindowStart::FirstRequest);
    for (limit, key, kind, kept) in [
        (hourly(SlidingWindow), KEY.to_owned(), "zset", 3_590..=3_601),
        (first, KEY.to_owned(), "string", 3_590..=3_600),
        (hourly(TokenBucket), format!("{KEY}:token_bucket"), "hash", 26..=37),
        (hourly(LeakyBucket), format!("{KEY}:leaky_bucket"), "hash", 26..=37),
        (hourly(Gcra), format!("{KEY}:gcra"), "hash", 26..=37),
        (hourly(SlidingWindowCounter), format!("{KEY}:swc"), "hash", 3_600..=7_201),
    ] {
        let (found, of, ttl) = counted(limit).await;
        assert_eq!((&*found, &*of), (&*key, kind));
        assert!(kept.contains(&ttl), "{key} is kept for {ttl} seconds");
    }
}

#[actix_web::test]
async fn a_window_on_the_clock_has_its_start_in_its_key() {
    let rate = lasting(100);
    let (key, kind, kept) = counted(Limit::new("", rate).algorithm(FixedWindow)).await;
    let start: i64 = key.strip_prefix(&format!("{KEY}:")).unwrap().parse().unwrap();
    let period = i64::try_from(rate.period_micros() / 1_000_000).unwrap();
    assert_eq!((start % period, &*kind), (0, "string"));
    assert!((3_500..=period + 1).contains(&kept), "kept for {kept} seconds");
}

#[actix_web::test]
async fn a_sliding_window_has_a_member_for_each_permit_scored_in_seconds() {
    let subject = Subject::new();
    let policy = Policy::new(SlidingWindow, Rate::per_minute(10));
    for (moved, cost) in [(123_456, 2), (1, 1), (999_999, 3)] {
        subject.clock.advance(moved);
        assert!(take(&subject.backend, KEY, &policy, cost).await.is_allowed());
        let now = subject.clock.now();
        assert_eq!(subject.cli(&format!("ZCOUNT {KEY} {0} {0}", seconds(now))), cost.to_string());
        let expiry = i64::try_from(now.as_micros() / 1_000).unwrap() + 60_000 + 1_000;
        assert_eq!(subject.expiry(KEY), expiry, "the period, and a second for the server's clock");
    }
    assert_eq!(subject.cli(&format!("ZCARD {KEY}")), "6");
}

#[actix_web::test]
async fn windows_are_whole_numbers_as_they_are_counted_up_by_incr() {
    let subject = Subject::new();
    let (rate, start) = (Rate::per_minute(10), subject.clock.now());
    subject.clock.advance(1_234_567);
    let clock = Policy::new(FixedWindow, rate);
    let key = format!("{KEY}:{}", start.as_micros() / 1_000_000);
    let first = Policy::builder(FixedWindow, rate).window_start(WindowStart::FirstRequest);
    let first = first.build().unwrap();
    for count in ["3", "6", "9"] {
        assert!(take(&subject.backend, KEY, &clock, 3).await.is_allowed());
        assert!(take(&subject.backend, KEY, &first, 3).await.is_allowed());
        assert_eq!(subject.cli(&format!("GET {key}")), count);
        assert_eq!(subject.cli(&format!("GET {KEY}")), count);
        subject.clock.advance(1_000_000);
    }
    let start = i64::try_from(start.as_micros() / 1_000).unwrap();
    assert_eq!(subject.expiry(&key), start + 60_000 + 1_000);
    assert_eq!(subject.expiry(KEY), start + 1_234 + 60_000, "the first request ends the window");
    assert_eq!(subject.cli(&format!("INCR {KEY}")), "10");
    assert_eq!(subject.cli(&format!("INCR {key}")), "10");
}

#[actix_web::test]
async fn buckets_are_numbers_of_seconds_and_permits() {
    let subject = Subject::new();
    let rate = Rate::per_minute(10);
    let tokens = Policy::builder(TokenBucket, rate).bucket_size(20).build().unwrap();
    let level = Policy::builder(LeakyBucket, rate).bucket_size(20).build().unwrap();
    subject.clock.advance(246_881);
    for spent in [2.0, 3.0 - 0.25 / 6.0, 4.0 - 0.5 / 6.0] {
        let cost = if spent > 2.0 { 1 } else { 2 };
        assert!(take(&subject.backend, KEY, &tokens, cost).await.is_allowed());
        assert!(take(&subject.backend, KEY, &level, cost).await.is_allowed());
        for (key, names, amount) in [
            ("token_bucket", "tokens last_refill", 20.0 - spent),
            ("leaky_bucket", "level last_leak", spent),
        ] {
            let found = subject.cli(&format!("HMGET {KEY}:{key} {names}"));
            let (found, at) = found.split_once('\n').unwrap();
            assert!((number(found) - amount).abs() < 1e-9, "{found} instead of {amount}");
            assert_eq!(at, seconds(subject.clock.now()));
        }
        subject.clock.advance(250_000);
    }
}
