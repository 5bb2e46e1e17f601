//! The kit for tests of limited applications.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_smart_ratelimit::{
    Algorithm, Clock, Headers, Limit, Rate, RateLimiter, Rule,
    backend::{Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats},
    test_util::{
        Expected, ManualClock, assert_admitted, assert_headers, assert_limited, brink,
        request_from, test_limiter,
    },
};
use actix_web::{
    App, HttpResponse,
    body::MessageBody,
    dev::ServiceResponse,
    test::{call_service, init_service},
    web,
};

/// A response whose head tells of a refusal, but for one changed field.
fn refusal(changed: Option<(&'static str, &str)>) -> HttpResponse {
    let fields = [
        ("x-ratelimit-limit", "5"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1800000042"),
        ("ratelimit-policy", r#""login";q=5;w=60, "login#9/h";q=9;w=3600"#),
        ("ratelimit", r#""login";r=0;t=42"#),
        ("retry-after", "42"),
    ];
    let mut response = HttpResponse::TooManyRequests();
    for (name, value) in fields {
        match changed {
            Some((other, "")) if other == name => &mut response,
            Some((other, value)) if other == name => response.insert_header((name, value)),
            _ => response.insert_header((name, value)),
        };
    }
    response.finish()
}

fn everything() -> Expected {
    Expected::new()
        .status(429)
        .profiles(Headers::ALL)
        .policy("login")
        .limit(5)
        .window(60)
        .remaining(0)
        .reset_at(1_800_000_042)
        .reset_in(42)
        .retry_after(42)
}

/// The text with which an assertion fails.
fn failure<T>(assertion: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).err().expect("the assertion holds");
    *panic.downcast::<String>().unwrap()
}

#[test]
fn a_response_that_tells_everything_as_expected_passes() {
    assert_headers(&refusal(None), &everything());
}

#[test]
fn every_field_that_tells_something_else_is_named() {
    for (field, value, said) in [
        ("x-ratelimit-limit", "6", "limit: expected 5, x-ratelimit-limit says 6"),
        ("x-ratelimit-remaining", "1", "remaining: expected 0, x-ratelimit-remaining says 1"),
        ("x-ratelimit-reset", "7", "reset_at: expected 1800000042, x-ratelimit-reset says 7"),
        ("ratelimit-policy", r#""login";q=6;w=60"#, "limit: expected 5, ratelimit-policy says 6"),
        ("ratelimit-policy", r#""login";q=5;w=6"#, "window: expected 60, ratelimit-policy says 6"),
        ("ratelimit-policy", "", "window: expected 60, and no field tells it"),
        ("ratelimit", r#""login";r=3;t=42"#, "remaining: expected 0, ratelimit says 3"),
        ("ratelimit", r#""login";r=0;t=4"#, "reset_in: expected 42, ratelimit says 4"),
        ("ratelimit", r#""other";r=0;t=42"#, "policy: expected login, ratelimit says other"),
        ("retry-after", "41", "retry_after: expected 42, retry-after says 41"),
        ("retry-after", "", "retry_after: expected 42, and no field tells it"),
    ] {
        let text = failure(|| assert_headers(&refusal(Some((field, value))), &everything()));
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_failure_names_all_differences_and_shows_the_fields() {
    let expected = Expected::new().status(200).limit(6).profiles(Headers::NONE).no_retry_after();
    let text = failure(|| assert_headers(&refusal(None), &expected));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..7],
        [
            "the response does not tell what is expected",
            "  status: expected 200, it is 429",
            "  X-RateLimit-* fields: there, and not expected",
            "  RateLimit and RateLimit-Policy: there, and not expected",
            "  retry-after: there, and not expected",
            "  limit: expected 6, x-ratelimit-limit says 5",
            "  limit: expected 6, ratelimit-policy says 5",
        ]
    );
    assert_eq!(lines[7], "the response is 429 Too Many Requests, with");
    assert!(lines.contains(&"  x-ratelimit-reset: 1800000042"), "{text}");
}

#[test]
fn profiles_that_are_missing_are_named() {
    let bare = HttpResponse::Ok().finish();
    let text = failure(|| assert_headers(&bare, &Expected::new().profiles(Headers::ALL)));
    assert!(text.contains("X-RateLimit-* fields: expected, and missing"), "{text}");
    assert!(text.contains("RateLimit and RateLimit-Policy: expected, and missing"), "{text}");
    assert!(text.ends_with("  no header field about limits"), "{text}");
    assert_headers(&bare, &Expected::new().profiles(Headers::NONE).no_retry_after());
}

#[test]
fn a_limited_response_is_a_429_with_a_time_to_retry() {
    assert_eq!(assert_limited(&refusal(None)), 42);
    for response in [
        HttpResponse::Ok().finish(),
        HttpResponse::ServiceUnavailable().insert_header(("retry-after", 1)).finish(),
        refusal(Some(("retry-after", ""))),
        refusal(Some(("retry-after", "0"))),
        refusal(Some(("retry-after", "soon"))),
    ] {
        let text = failure(|| assert_limited(&response));
        assert!(text.starts_with("the request was not refused by a limit\n"), "{text}");
    }
}

#[test]
fn an_admitted_response_is_any_but_a_429() {
    assert_admitted(&HttpResponse::Ok().finish());
    assert_admitted(&HttpResponse::NotFound().finish());
    let text = failure(|| assert_admitted(&refusal(None)));
    assert!(text.starts_with("the request was refused\n"), "{text}");
}

/// What an application under this rule answers to requests from these addresses.
async fn answers(
    limiter: &RateLimiter,
    rule: Rule,
    from: &[[u8; 4]],
) -> Vec<ServiceResponse<impl MessageBody>> {
    let middleware = limiter.middleware().rule(rule.path("/"));
    let app = App::new().wrap(middleware).route("/", web::get().to(HttpResponse::Ok));
    let app = init_service(app).await;
    let mut answers = Vec::new();
    for address in from {
        answers.push(call_service(&app, request_from(*address).to_request()).await);
    }
    answers
}

const ONE: [u8; 4] = [203, 0, 113, 1];
const OTHER: [u8; 4] = [203, 0, 113, 2];

#[actix_web::test]
async fn requests_from_two_addresses_are_counted_apart() {
    let limiter = test_limiter(&ManualClock::default());
    let rule = Rule::new(Limit::new("home", Rate::per_minute(1)));
    let answers = answers(&limiter, rule, &[ONE, OTHER, ONE, OTHER]).await;
    answers[..2].iter().for_each(assert_admitted);
    answers[2..].iter().for_each(|response| assert_eq!(assert_limited(response), 60));
}

#[actix_web::test]
async fn a_test_limiter_goes_by_the_clock_that_it_is_given() {
    let clock = ManualClock::default();
    let limiter = test_limiter(&clock);
    let limit = Limit::new("mails", Rate::per_hour(1));
    assert!(limiter.check(&limit, "k").await.unwrap().is_allowed());
    assert!(!limiter.check(&limit, "k").await.unwrap().is_allowed());
    clock.advance_secs(3_600);
    assert!(limiter.check(&limit, "k").await.unwrap().is_allowed());
    assert_eq!(limiter.now(), clock.now());
}

#[actix_web::test]
async fn the_brink_of_a_rule_leaves_its_requests_exactly_as_many() {
    let limiter = test_limiter(&ManualClock::default());
    let limit = Limit::new("home", Rate::per_minute(300));
    brink(&limiter, &limit, "ip:203.0.113.1", 2).await;
    let answers = answers(&limiter, Rule::new(limit), &[ONE, ONE, ONE, OTHER]).await;
    let left: Vec<_> = answers.iter().map(|response| response.status().as_u16()).collect();
    assert_eq!(left, [200, 200, 429, 200]);
    assert_headers(&answers[3], &Expected::new().limit(300).remaining(299));
}

#[actix_web::test]
async fn every_algorithm_has_a_brink() {
    let limiter = test_limiter(&ManualClock::default());
    for (name, algorithm) in Algorithm::NAMES {
        let limit = Limit::new(name, Rate::per_minute(100)).algorithm(algorithm);
        for left in [100, 7, 7, 1, 0] {
            brink(&limiter, &limit, "k", left).await;
            let outcome = limiter.peek(&limit.clone().cost(0), "k").await.unwrap();
            assert_eq!(outcome.decision().unwrap().remaining(), u64::from(left), "{name}");
        }
        assert!(!limiter.check(&limit, "k").await.unwrap().is_allowed(), "{name}");
    }
}

#[actix_web::test]
async fn the_brink_of_several_rates_is_that_of_the_one_with_least_left() {
    let limiter = test_limiter(&ManualClock::default());
    // The hour has the smaller share left at once, the second the fewer permits.
    let limit = Limit::new("search", [Rate::per_second(20), Rate::per_hour(1_000)]);
    brink(&limiter, &limit, "k", 3).await;
    assert!(limiter.peek(&limit.clone().cost(3), "k").await.unwrap().is_allowed());
    assert!(!limiter.peek(&limit.clone().cost(4), "k").await.unwrap().is_allowed());
}

#[actix_web::test]
#[should_panic(expected = "brink of limit \"mails\": key \"k\" has 3 left, not 4")]
async fn a_brink_above_what_is_left_fails_the_test() {
    let limiter = test_limiter(&ManualClock::default());
    brink(&limiter, &Limit::new("mails", Rate::per_hour(3)), "k", 4).await;
}

#[actix_web::test]
#[should_panic(expected = "brink of limit \"mails\": mails.bucket_size")]
async fn a_brink_of_a_limit_that_cannot_work_fails_the_test() {
    let limiter = test_limiter(&ManualClock::default());
    brink(&limiter, &Limit::new("mails", Rate::per_hour(3)).bucket_size(5), "k", 1).await;
}

/// A store that never answers but with an error.
#[derive(Debug)]
struct Away;

impl Away {
    fn error<T>() -> Result<T, BackendError> {
        Err(BackendError::new(ErrorKind::Unreachable, Fate::NotCharged))
    }
}

impl Backend for Away {
    fn check(&self, _: &mut actix_smart_ratelimit::Batch<'_>) -> Progress {
        Progress::Pending(Box::pin(std::future::ready(Self::error())))
    }

    fn peek(&self, batch: &mut actix_smart_ratelimit::Batch<'_>) -> Progress {
        self.check(batch)
    }

    fn reset(&self, _: &str) -> BoxFuture<Result<(), BackendError>> {
        Box::pin(std::future::ready(Self::error()))
    }

    fn refund(&self, _: actix_smart_ratelimit::Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        Box::pin(std::future::ready(Self::error()))
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        Box::pin(std::future::ready(Self::error()))
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }
}

#[actix_web::test]
#[should_panic(expected = "brink of limit \"mails\": its store is away")]
async fn a_brink_in_a_store_that_is_away_fails_the_test() {
    let limiter = RateLimiter::builder()
        .clock(Clock::Manual(ManualClock::default()))
        .backend("away", Away)
        .on_error(actix_smart_ratelimit::OnError::Allow)
        .build()
        .unwrap();
    brink(&limiter, &Limit::new("mails", Rate::per_hour(3)), "k", 1).await;
}
