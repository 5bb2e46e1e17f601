//! Header fields, value by value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{
    Algorithm::{
        self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, SlidingWindowCounter, TokenBucket,
    },
    Headers, Limit, Rule, WindowStart,
};
use actix_web::{App, HttpResponse, test::init_service, web};
use support::{Answer, NOW, answering, get, limiter, limiter_with, rate, rule, send, statuses};

const ALL: [Algorithm; 6] =
    [FixedWindow, SlidingWindow, SlidingWindowCounter, TokenBucket, LeakyBucket, Gcra];

fn of(algorithm: Algorithm, text: &str) -> Rule {
    rule("api", text).with_limit(|limit| limit.algorithm(algorithm))
}

/// The header fields about limits, as text.
fn fields(answer: &Answer) -> Vec<String> {
    let line = |name: &String| format!("{name}: {}", answer.header(name).unwrap_or_default());
    answer.limit_fields().iter().map(line).collect()
}

const LEGACY: [&str; 3] =
    ["x-ratelimit-limit: 100", "x-ratelimit-remaining: 99", "x-ratelimit-reset: 1800000060"];
const IETF: [&str; 2] = [r#"ratelimit: "api";r=99;t=47"#, r#"ratelimit-policy: "api";q=100;w=60"#];

#[actix_web::test]
async fn each_profile_has_its_fields_and_none_has_none() {
    for (profile, expected) in [
        (Headers::ALL, [&IETF[..], &LEGACY].concat()),
        (Headers::LEGACY, LEGACY.to_vec()),
        (Headers::IETF, IETF.to_vec()),
        (Headers::NONE, vec![]),
    ] {
        let (limiter, clock) = limiter_with(|builder| builder.headers(profile));
        clock.advance(13_400_000);
        let app = answering(limiter.middleware().default_rule(of(FixedWindow, "100/m"))).await;
        assert_eq!(fields(&send(&app, get("/")).await), expected);
    }
}

#[actix_web::test]
async fn a_refusal_says_in_every_profile_when_to_come_back() {
    let legacy =
        ["x-ratelimit-limit: 1", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1800003600"];
    let ietf = [r#"ratelimit: "api";r=0;t=3590"#, r#"ratelimit-policy: "api";q=1;w=3600"#];
    for (profile, expected) in [
        (Headers::ALL, [&ietf[..], &["retry-after: 3590"], &legacy].concat()),
        (Headers::LEGACY, [&["retry-after: 3590"][..], &legacy].concat()),
        (Headers::IETF, [&ietf[..], &["retry-after: 3590"]].concat()),
        (Headers::NONE, vec!["retry-after: 3590"]),
    ] {
        let (limiter, clock) = limiter_with(|builder| builder.headers(profile));
        clock.advance(10_000_001);
        let app = answering(limiter.middleware().default_rule(of(FixedWindow, "1/h"))).await;
        assert_eq!(statuses(&app, 2, || get("/")).await, [200, 429]);
        assert_eq!(fields(&send(&app, get("/")).await), expected);
    }
}

#[actix_web::test]
async fn buckets_tell_their_size_level_and_speed() {
    for (algorithm, text, expected) in [
        (TokenBucket, "10/m", Some(("10", "9", Some("0.17")))),
        (TokenBucket, "2/s", Some(("2", "1", Some("2.00")))),
        (TokenBucket, "1/h", Some(("1", "0", Some("0.00028")))),
        (TokenBucket, "1/366d", Some(("1", "0", Some("0.00000003")))),
        (LeakyBucket, "7/2s", Some(("7", "6", Some("3.50")))),
        (LeakyBucket, "4294967295/s", Some(("4294967295", "4294967294", Some("4294967295.00")))),
        (Gcra, "10/m", None),
        (SlidingWindow, "10/m", None),
    ] {
        let (limiter, _) = limiter();
        let app = answering(limiter.middleware().default_rule(of(algorithm, text))).await;
        let answer = send(&app, get("/")).await;
        let names = ["bucket-size", "bucket-remaining", "refill-rate"];
        let found = names.map(|name| answer.header(&format!("x-ratelimit-{name}")));
        let [size, remaining, refill] = found.each_ref().map(Option::as_deref);
        let found = size.zip(remaining).map(|(size, remaining)| (size, remaining, refill));
        assert_eq!(found, expected, "{algorithm:?} {text}");
    }
}

#[actix_web::test]
async fn a_bucket_that_never_refills_promises_nothing() {
    let (limiter, _) = limiter();
    let rule = of(TokenBucket, "2/m").with_limit(|limit| limit.refill_rate(0.0));
    let app = answering(limiter.middleware().default_rule(rule)).await;
    let expected = [
        r#"ratelimit: "api";r=1"#,
        r#"ratelimit-policy: "api";q=2"#,
        "x-ratelimit-bucket-remaining: 1",
        "x-ratelimit-bucket-size: 2",
        "x-ratelimit-limit: 2",
        "x-ratelimit-remaining: 1",
    ];
    assert_eq!(fields(&send(&app, get("/")).await), expected);
    assert_eq!(statuses(&app, 2, || get("/")).await, [200, 429]);
    assert_eq!(send(&app, get("/")).await.retry_after(), None);
}

#[actix_web::test]
async fn several_rates_are_all_listed_and_the_closest_is_the_state() {
    let (limiter, _) = limiter();
    let limit = Limit::new("api", [rate("10/s"), rate("100/m"), rate("5/2h")]);
    let app = answering(limiter.middleware().default_rule(Rule::new(limit))).await;
    let answer = send(&app, get("/")).await;
    let policies = r##""api";q=10;w=1, "api#100/m";q=100;w=60, "api#5/2h";q=5;w=7200"##;
    assert_eq!(answer.header("ratelimit-policy").as_deref(), Some(policies));
    assert_eq!(answer.header("ratelimit").as_deref(), Some(r##""api#5/2h";r=4;t=7200"##));
    assert_eq!((answer.limit(), answer.reset()), (Some(5), Some(NOW + 7_200)));
}

#[actix_web::test]
async fn reset_stands_still_within_a_fixed_window() {
    for (start, from, reset) in [(WindowStart::Clock, 7, 60), (WindowStart::FirstRequest, 7, 67)] {
        let (limiter, clock) = limiter();
        let rule = of(FixedWindow, "3/m").with_limit(|limit| limit.window(start));
        let app = answering(limiter.middleware().default_rule(rule)).await;
        clock.advance_secs(from);
        for status in [200, 200, 200, 429, 429] {
            let answer = send(&app, get("/")).await;
            assert_eq!((answer.status, answer.reset()), (status, Some(NOW + reset)), "{start:?}");
            clock.advance(10_300_000);
        }
    }
}

#[actix_web::test]
async fn who_waits_as_long_as_told_is_admitted_and_a_second_sooner_is_not() {
    for algorithm in ALL {
        for (text, cost) in [("5/s", 1), ("7/m", 3), ("3/7s", 2), ("1/m", 1), ("100/h", 60)] {
            for offset in [0, 1, 333_333, 999_999, 29_700_001] {
                let (limiter, clock) = limiter();
                clock.advance(offset);
                let rule = of(algorithm, text).with_limit(|limit| limit.cost(cost));
                let app = answering(limiter.middleware().default_rule(rule)).await;
                let refused = loop {
                    let answer = send(&app, get("/")).await;
                    if answer.status == 429 {
                        break answer;
                    }
                    clock.advance(1_700);
                };
                let case = format!("{algorithm:?} {text} cost {cost} at {offset}");
                let wait = refused.retry_after().unwrap_or(0);
                assert!(wait >= 1, "{case}");
                if wait > 1 {
                    clock.advance_secs(wait - 1);
                    assert_eq!(send(&app, get("/")).await.status, 429, "{case}");
                    clock.advance_secs(1);
                } else {
                    clock.advance_secs(wait);
                }
                assert_eq!(send(&app, get("/")).await.status, 200, "{case}");
            }
        }
    }
}

#[actix_web::test]
async fn an_idle_key_is_untouched_again_at_its_reset() {
    for algorithm in ALL {
        let (limiter, clock) = limiter();
        let app = answering(limiter.middleware().default_rule(of(algorithm, "7/m"))).await;
        send(&app, get("/")).await;
        clock.advance(10_700_001);
        let reset = send(&app, get("/")).await.reset().unwrap_or(0);
        clock.advance((reset - NOW) * 1_000_000 - 10_700_001);
        assert_eq!(send(&app, get("/")).await.remaining(), Some(6), "{algorithm:?}");
    }
}

#[actix_web::test]
async fn what_can_never_pass_is_not_told_to_come_back() {
    for algorithm in ALL {
        for (text, cost) in [("0/m", 1), ("10/m", 11), ("10/m", u32::MAX)] {
            let (limiter, _) = limiter();
            let rule = of(algorithm, text).with_limit(|limit| limit.cost(cost));
            let app = answering(limiter.middleware().default_rule(rule)).await;
            let answer = send(&app, get("/")).await;
            let case = format!("{algorithm:?} {text} cost {cost}");
            assert_eq!((answer.status, answer.retry_after()), (429, None), "{case}");
            assert_eq!(answer.remaining(), answer.limit(), "{case}");
        }
    }
}

#[actix_web::test]
async fn names_of_rules_become_legal_structured_fields_whatever_they_are() {
    for (name, expected) in [
        ("api-v1.users_list", "api-v1.users_list"),
        ("", "default"),
        ("say \"hi\"", "say%20_hi_"),
        ("back\\slash", "back%5Cslash"),
        ("größe", "gr__e"),
        ("😀;q=1,\"x\";q=9", "_;q=1,_x_;q=9"),
        ("a:b+c#d%e", "a%3Ab%2Bc%23d%25e"),
    ] {
        let (limiter, _) = limiter();
        let app = answering(limiter.middleware().default_rule(rule(name, "9/m"))).await;
        let answer = send(&app, get("/")).await;
        let state = format!("\"{expected}\";r=8;t=60");
        assert_eq!(answer.header("ratelimit"), Some(state), "{name}");
        let policy = format!("\"{expected}\";q=9;w=60");
        assert_eq!(answer.header("ratelimit-policy"), Some(policy), "{name}");
    }
}

#[actix_web::test]
async fn a_429_of_the_handler_s_own_gets_no_invented_retry_after() {
    let (limiter, _) = limiter();
    let app = init_service(
        App::new()
            .wrap(limiter.middleware().default_rate(rate("9/m")))
            .route("/bare", web::get().to(|| async { HttpResponse::TooManyRequests().finish() }))
            .route(
                "/told",
                web::get().to(|| async {
                    HttpResponse::TooManyRequests().insert_header(("retry-after", "7")).finish()
                }),
            ),
    )
    .await;
    let bare = send(&app, get("/bare")).await;
    assert_eq!((bare.status, bare.remaining(), bare.retry_after()), (429, Some(8), None));
    assert_eq!(send(&app, get("/told")).await.retry_after(), Some(7));
}
