//! What the original wrote. It counts by the clock of its own machine in seconds with a fraction,
//! writes numbers with up to 17 digits, and counts in windows what it refuses.

use actix_smart_ratelimit::{
    Algorithm::{FixedWindow, LeakyBucket, SlidingWindow, TokenBucket},
    Policy, Rate, Timestamp, WindowStart,
};

use crate::{
    KEY, Subject, builder, number, seconds,
    support::{
        asking::{left, peek, take},
        redis::RedisServer,
    },
};

const SECOND: u64 = 1_000_000;

#[actix_web::test]
async fn members_of_a_sliding_window_count_for_exactly_a_period() {
    let subject = Subject::new();
    let policy = Policy::new(SlidingWindow, Rate::per_minute(4));
    subject.clock.advance(SECOND);
    let now = subject.clock.now();
    let minute_ago = now - 60 * SECOND;
    for (at, more_digits) in [
        (minute_ago - 1, ""),
        (minute_ago, ""),
        (minute_ago + 1, ""),
        (now - 250_000, "4"),
        (now - 1, "274"),
    ] {
        let score = seconds(at) + more_digits;
        let member = format!("{}:0.39646477363839", at.as_micros() / 100);
        subject.cli(&format!("ZADD {KEY} {score} {member}"));
        subject.cli(&format!("EXPIRE {KEY} 60"));
    }
    assert_eq!(left(&subject.backend, KEY, &policy).await, 1);
    assert_eq!(take(&subject.backend, KEY, &policy, 1).await.remaining(), 0);
    let refused = take(&subject.backend, KEY, &policy, 1).await;
    assert_eq!(refused.retry_at(), Some(now + 1));
    assert_eq!(subject.cli(&format!("ZCARD {KEY}")), "4", "refusals leave no members");
    subject.clock.advance(1);
    assert!(take(&subject.backend, KEY, &policy, 1).await.is_allowed());
}

#[actix_web::test]
async fn members_from_a_clock_ahead_of_the_servers_count_from_now() {
    let subject = Subject::new();
    let policy = Policy::new(SlidingWindow, Rate::per_minute(2));
    let now = subject.clock.now();
    for ahead in [3, 5] {
        subject.cli(&format!("ZADD {KEY} {} {ahead}:0.5", seconds(now + ahead * SECOND)));
    }
    let refused = take(&subject.backend, KEY, &policy, 1).await;
    assert_eq!(refused.retry_at(), Some(now + 60 * SECOND));
}

#[actix_web::test]
async fn a_window_on_the_clock_goes_on_from_their_count() {
    let subject = Subject::new();
    let policy = Policy::new(FixedWindow, Rate::per_minute(5));
    let start = subject.clock.now();
    let key = format!("{KEY}:{}", start.as_micros() / SECOND);
    subject.clock.advance(20 * SECOND);
    for _ in 0..4 {
        subject.cli(&format!("INCR {key}"));
    }
    subject.cli(&format!("EXPIRE {key} 60"));
    assert_eq!(take(&subject.backend, KEY, &policy, 1).await.remaining(), 0);
    for _ in 0..3 {
        subject.cli(&format!("INCR {key}"));
    }
    let refused = take(&subject.backend, KEY, &policy, 1).await;
    assert_eq!((refused.remaining(), refused.retry_at()), (0, Some(start + 60 * SECOND)));
    assert_eq!(subject.cli(&format!("GET {key}")), "8");
    subject.clock.advance(40 * SECOND);
    assert_eq!(take(&subject.backend, KEY, &policy, 1).await.remaining(), 4);
}

#[actix_web::test]
async fn a_window_from_the_first_request_ends_with_their_key() {
    let server = RedisServer::start();
    let backend = builder(&server).denial_cache(0).build().unwrap();
    let policy = Policy::builder(FixedWindow, Rate::per_hour(5));
    let policy = policy.window_start(WindowStart::FirstRequest).build().unwrap();
    server.cli(&["SET", KEY, "3", "PX", "1234567"]);
    let expiry = || server.ask::<u64>(&["PEXPIRETIME", KEY]).unwrap();
    let ends = expiry();
    assert_eq!(take(&backend, KEY, &policy, 1).await.remaining(), 1);
    assert_eq!((&*server.cli(&["GET", KEY]), expiry()), ("4", ends));
    server.cli(&["INCRBY", KEY, "3"]);
    let refused = take(&backend, KEY, &policy, 1).await;
    assert_eq!(refused.remaining(), 0);
    assert_eq!(refused.retry_at().map(Timestamp::as_micros), Some(ends * 1_000));
    assert_eq!((&*server.cli(&["GET", KEY]), expiry()), ("7", ends));
    server.cli(&["DEL", KEY]);
    assert_eq!(take(&backend, KEY, &policy, 1).await.remaining(), 4);
}

fn bucket(algorithm: actix_smart_ratelimit::Algorithm) -> Policy {
    Policy::builder(algorithm, Rate::per_minute(10)).bucket_size(20).build().unwrap()
}

#[actix_web::test]
async fn a_token_bucket_goes_on_from_their_tokens() {
    let policy = bucket(TokenBucket);
    // Tokens at a time before now; permits now; and microseconds until there is one, when there is none.
    for (tokens, before, permits, wait) in [
        ("18.000038067499798", 0, 18, 0),
        ("2.5", 3 * SECOND, 3, 0),
        ("2.4999999", 3 * SECOND, 2, 0),
        ("0.25", 0, 0, 4_500_000),
        // Their clock was set back; an empty bucket is empty.
        ("-1", 0, 0, 6_000_000),
        ("1e-05", 0, 0, 5_999_940),
        ("19.5", 60 * SECOND, 20, 0),
        ("100", 0, 20, 0),
    ] {
        let subject = Subject::new();
        subject.clock.advance(90 * SECOND + 246_881);
        let now = subject.clock.now();
        let key = format!("{KEY}:token_bucket");
        subject.cli(&format!("HSET {key} tokens {tokens} last_refill {}", seconds(now - before)));
        subject.cli(&format!("EXPIRE {key} 180"));
        let found = peek(&subject.backend, KEY, &policy, 1).await;
        assert_eq!((found.remaining(), found.is_allowed()), (permits, permits > 0), "{tokens}");
        if let Some(retry) = found.retry_at() {
            assert!(retry.since(now).abs_diff(wait) <= 1, "{tokens}: {retry:?}");
        }
        let left = permits.saturating_sub(1);
        assert_eq!(take(&subject.backend, KEY, &policy, 1).await.remaining(), left, "{tokens}");
    }
}

#[actix_web::test]
async fn a_leaky_bucket_goes_on_from_their_level() {
    let policy = bucket(LeakyBucket);
    for (level, before, permits) in [
        ("1.9999619325002", 0, 18),
        ("17.5", 3 * SECOND, 3),
        ("20", 5_999_999, 0),
        ("20", 6 * SECOND, 1),
        ("3", 60 * SECOND, 20),
        ("100", 0, 0),
        ("0", 0, 20),
    ] {
        let subject = Subject::new();
        subject.clock.advance(90 * SECOND + 246_881);
        let at = seconds(subject.clock.now() - before);
        subject.cli(&format!("HSET {KEY}:leaky_bucket level {level} last_leak {at}"));
        let found = peek(&subject.backend, KEY, &policy, 1).await;
        assert_eq!((found.remaining(), found.is_allowed()), (permits, permits > 0), "{level}");
    }
}

#[actix_web::test]
async fn buckets_of_a_clock_ahead_of_the_servers_count_from_now() {
    let subject = Subject::new();
    let ahead = seconds(subject.clock.now() + 30 * SECOND);
    subject.cli(&format!("HSET {KEY}:token_bucket tokens 3.5 last_refill {ahead}"));
    subject.cli(&format!("HSET {KEY}:leaky_bucket level 16.5 last_leak {ahead}"));
    for policy in [bucket(TokenBucket), bucket(LeakyBucket)] {
        assert_eq!(left(&subject.backend, KEY, &policy).await, 3);
    }
}

#[actix_web::test]
async fn what_they_change_is_seen_and_what_they_leave_is_known_exactly() {
    let subject = Subject::new();
    // Three permits a second cannot be told in decimals.
    let policy = Policy::new(TokenBucket, Rate::per_second(3));
    let key = format!("{KEY}:token_bucket");
    assert!(take(&subject.backend, KEY, &policy, 3).await.is_allowed());
    for _ in 0..30 {
        for (micros, cost) in [(333_333, 1), (666_665, 2)] {
            subject.clock.advance(micros);
            assert!(!take(&subject.backend, KEY, &policy, cost).await.is_allowed());
            subject.clock.advance(1);
            assert!(take(&subject.backend, KEY, &policy, cost).await.is_allowed());
        }
    }
    let at = seconds(subject.clock.now());
    subject.cli(&format!("HSET {key} tokens 1.5 last_refill {at}"));
    assert_eq!(take(&subject.backend, KEY, &policy, 1).await.remaining(), 0);
    let tokens = subject.cli(&format!("HGET {key} tokens"));
    assert!((number(&tokens) - 0.5).abs() < 1e-9, "{tokens}");
}
