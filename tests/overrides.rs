//! Overrides: other rates for some keys, from the next request on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_smart_ratelimit::{
    Algorithm, EventKind, Limit, Override, RateLimiter, Rule,
    backend::{BackendError, BoxFuture, ErrorKind, Fate, OverrideRow, OverrideSource},
};
use support::{answering, events::Events, from, get, limiter, limiter_with, rate, rule, send};

fn over(pattern: &str, text: &str) -> Override {
    Override::new(pattern, rate(text)).unwrap()
}

/// What a fresh request for a key of the scope `api` has as its limit.
async fn limit_of(limiter: &RateLimiter, key: &str) -> u64 {
    let limit = Limit::new("api", rate("10/h"));
    limiter.peek(&limit, key).await.unwrap().decision().unwrap().limit()
}

#[actix_web::test]
async fn the_most_specific_pattern_counts() {
    let (limiter, _) = limiter();
    let overrides = [
        over("*", "1/h"),
        over("api:*", "2/h"),
        over("api:*:42", "3/h"),
        over("api:user:*", "4/h"),
        over("api:user:42", "5/h"),
        over("ratelimit:*:ip:*", "6/h"),
    ];
    // In whatever order they are given.
    for turn in 0..overrides.len() {
        let mut given = overrides.to_vec();
        given.rotate_left(turn);
        limiter.set_overrides(given).unwrap();
        for (key, expected) in
            [("user:42", 5), ("user:7", 4), ("org:42", 3), ("org:7", 2), ("ip:::1", 2)]
        {
            assert_eq!(limit_of(&limiter, key).await, expected, "{key}");
        }
        let other = limiter.peek(&Limit::new("web", rate("10/h")), "ip:::1").await.unwrap();
        assert_eq!(other.decision().unwrap().limit(), 6);
    }
}

#[actix_web::test]
async fn only_the_asterisk_has_a_meaning_and_the_prefix_may_be_written() {
    let (limiter, _) = limiter();
    for (pattern, key, matches) in [
        ("api:user:4?", "user:42", false),
        ("api:user:[4]2", "user:42", false),
        ("api:user:_2", "user:42", false),
        ("API:user:42", "user:42", false),
        ("api:user:4", "user:42", false),
        ("user:42", "user:42", false),
        ("api:**2", "user:42", true),
        ("*user:42*", "user:42", true),
        ("ratelimit:api:user:42", "user:42", true),
        ("ratelimit:api:*", "user:42", true),
        ("api:günther*", "günther", true),
    ] {
        limiter.set_overrides([over(pattern, "3/h")]).unwrap();
        assert_eq!(limit_of(&limiter, key).await == 3, matches, "{pattern} for {key}");
    }
}

#[actix_web::test]
async fn requests_and_their_headers_go_by_the_override_at_once() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rule(rule("api", "1/h"));
    let app = answering(limit).await;
    assert_eq!(send(&app, get("/")).await.remaining(), Some(0));
    assert_eq!(send(&app, get("/")).await.status, 429);

    limiter.set_overrides([over("api:ip:192.0.2.1", "3/m")]).unwrap();
    let answer = send(&app, get("/")).await;
    assert_eq!((answer.status, answer.limit()), (200, Some(3)));
    assert_eq!(answer.header("ratelimit-policy").unwrap(), r#""api";q=3;w=60"#);
    let other = send(&app, from("192.0.2.2", "/")).await;
    assert_eq!((other.status, other.limit()), (200, Some(1)), "another client");

    limiter.set_overrides([over("api:ip:192.0.2.1", "0/h")]).unwrap();
    assert_eq!(send(&app, get("/")).await.status, 429);

    limiter.set_overrides([]).unwrap();
    assert_eq!(send(&app, from("192.0.2.2", "/")).await.limit(), Some(1));
}

#[actix_web::test]
async fn an_override_takes_the_place_of_all_rates_and_of_the_requests_own() {
    let (limiter, _) = limiter();
    let many = Limit::new("api", [rate("10/s"), rate("20/h")]).bucket_size(50);
    let many = Rule::new(many.algorithm(Algorithm::TokenBucket));
    let tiered = many.clone().with_limit(|limit| limit.scope("tiers")).rates_by(|_| rate("7/h"));
    let middleware = limiter.middleware().rule(many.path("/many")).rule(tiered.path("/tiers"));
    let app = answering(middleware).await;
    assert_eq!(send(&app, get("/many")).await.limit(), Some(50));
    limiter.set_overrides([over("*", "5/m").algorithm(Algorithm::FixedWindow)]).unwrap();
    for path in ["/many", "/tiers"] {
        let answer = send(&app, get(path)).await;
        assert_eq!((answer.limit(), answer.remaining()), (Some(5), Some(4)), "{path}");
        assert_eq!(answer.header("x-ratelimit-bucket-size"), None);
    }
}

#[actix_web::test]
async fn cost_and_enforcement_stay_the_limits() {
    let (limiter, _) = limiter();
    let rule = rule("api", "10/h").with_limit(|limit| limit.cost(4).block(false));
    let app = answering(limiter.middleware().default_rule(rule)).await;
    limiter.set_overrides([over("api:*", "5/h")]).unwrap();
    assert_eq!(send(&app, get("/")).await.remaining(), Some(1));
    let beyond = send(&app, get("/")).await;
    assert_eq!((beyond.status, beyond.remaining()), (200, Some(1)));
}

#[test]
fn patterns_that_match_no_key_or_stand_twice_are_errors() {
    let long = "x".repeat(256);
    for pattern in ["", "a b", "a\nb", &long] {
        let error = Override::new(pattern, rate("1/s")).unwrap_err();
        assert_eq!(error.field(), "key_pattern", "{pattern:?}");
    }
    let (limiter, _) = limiter();
    limiter.set_overrides([over("a", "1/s")]).unwrap();
    let twice = [over("b", "1/s"), over("ratelimit:b", "2/s")];
    let error = limiter.set_overrides(twice).unwrap_err();
    assert_eq!(error.reason(), "two overrides have this pattern");
    assert_eq!(limiter.overrides(), [over("a", "1/s")], "those in force stay");
}

/// A source whose answer the test sets.
#[derive(Clone, Debug, Default)]
struct Rows(Arc<Mutex<Option<Vec<OverrideRow>>>>);

impl Rows {
    fn set(&self, rows: &[(&str, &str, &str)]) {
        let row = |(id, (pattern, rate, algorithm)): (usize, &(&str, &str, &str))| OverrideRow {
            id: (id + 1).to_string(),
            key_pattern: (*pattern).into(),
            rate: (*rate).into(),
            algorithm: (*algorithm).into(),
        };
        *self.0.lock().unwrap() = Some(rows.iter().enumerate().map(row).collect());
    }

    fn break_down(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl OverrideSource for Rows {
    fn overrides(&self) -> BoxFuture<Result<Vec<OverrideRow>, BackendError>> {
        let away = || BackendError::new(ErrorKind::Unreachable, Fate::NotCharged);
        let rows = self.0.lock().unwrap().clone().ok_or_else(away);
        Box::pin(async move { rows })
    }
}

#[actix_web::test]
async fn rows_that_cannot_be_understood_are_named_and_the_others_count() {
    let (limiter, _) = limiter();
    let rows = Rows::default();
    rows.set(&[
        ("api:*", "3/h", "sliding_window"),
        ("bad:rate", "ten per hour", "sliding_window"),
        ("bad:algorithm", "3/h", "sliding_windov"),
        ("", "3/h", "fixed_window"),
        ("ratelimit:api:*", "9/h", "fixed_window"),
        ("api:user:1", "4/h", "token_bucket"),
    ]);
    let faults = limiter.load_overrides(&rows).await.unwrap();
    let fields: Vec<_> = faults.iter().map(|fault| fault.field().to_owned()).collect();
    let expected = [
        "overrides[id=2].rate_limit",
        "overrides[id=3].algorithm",
        "overrides[id=4].key_pattern",
        "overrides[id=5].key_pattern",
    ];
    assert_eq!(fields, expected);
    assert_eq!(faults[1].remedy(), "did you mean \"sliding_window\"?");
    assert_eq!(limit_of(&limiter, "user:1").await, 4);
    assert_eq!(limit_of(&limiter, "user:2").await, 3);
}

/// Lets a follower that reads every second read this many times.
async fn readings(times: u64) {
    tokio::time::sleep(Duration::from_millis(1_000 * times)).await;
}

#[tokio::test(start_paused = true)]
async fn a_follower_keeps_the_last_good_set_and_tells_of_each_change_once() {
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| events.of(builder));
    let rows = Rows::default();
    rows.set(&[("api:*", "3/h", "sliding_window")]);
    let follower = tokio::spawn(limiter.follow_overrides(rows.clone(), Duration::from_secs(1)));
    readings(1).await;
    assert_eq!(limit_of(&limiter, "user:1").await, 3);

    rows.break_down();
    readings(5).await;
    assert_eq!(events.kinds(), [EventKind::OverridesAway]);
    assert_eq!(limit_of(&limiter, "user:1").await, 3, "the last good set");

    rows.set(&[("api:*", "4/h", "sliding_window"), ("x", "no", "gcra")]);
    readings(5).await;
    assert_eq!(events.kinds(), [EventKind::OverrideSkipped]);
    assert_eq!(limit_of(&limiter, "user:1").await, 4);

    rows.set(&[("x", "no", "gcra"), ("x", "nor this", "gcra")]);
    readings(5).await;
    assert_eq!(events.kinds(), [EventKind::OverrideSkipped; 2], "these are other rows");
    rows.set(&[]);
    readings(1).await;
    assert_eq!(limit_of(&limiter, "user:1").await, 10);

    drop(limiter);
    readings(2).await;
    assert!(follower.is_finished(), "it ends with the limiter");
}
