//! What cannot work is an error before the first request, and names what could.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{
    Algorithm, EventKind, Key, Limit, MemoryBackend, Rate, RateLimiter, Rule,
};
use actix_web::{
    HttpResponse,
    dev::{Transform, fn_service},
};
use support::{
    answering,
    events::{Events, Log},
    get, limiter, limiter_with, rule, send,
};
use tracing::Level;

/// The error of a middleware of this one rule.
fn refused(rule: Rule) -> String {
    RateLimiter::in_memory().middleware().rule(rule).validate().unwrap_err().to_string()
}

#[test]
fn an_unknown_backend_is_answered_with_the_registered_ones() {
    let limiter = RateLimiter::builder()
        .backend("fast", MemoryBackend::new(9))
        .backend("durable", MemoryBackend::new(9))
        .build()
        .unwrap();
    let on = |name: &str| rule("login", "5/m").with_limit(|limit| limit.backend(name));
    let error = limiter.middleware().rule(on("postgres")).validate().unwrap_err();
    assert_eq!((error.field(), error.value()), ("login.backend", "postgres"));
    assert!(error.remedy().contains("fast, durable"), "{error}");
    let error = limiter.middleware().rule(on("fst")).validate().unwrap_err();
    assert_eq!(error.remedy(), "did you mean \"fast\"?");
    assert!(refused(on("postgres")).contains("registered are: memory"));
    let error = RateLimiter::builder().default_backend("main").build().unwrap_err();
    assert_eq!((error.field(), error.value()), ("default_backend", "main"));
    assert!(error.remedy().contains("memory"), "{error}");
    assert!(RateLimiter::builder().default_backend("memory").build().is_ok());
}

#[test]
fn two_rules_of_one_name_would_share_counters_and_are_an_error() {
    let (limiter, _) = limiter();
    let twice =
        limiter.middleware().rule(rule("a", "1/m")).rule(rule("b", "1/m")).rule(rule("a", "9/m"));
    let error = twice.validate().unwrap_err();
    assert_eq!((error.field(), error.value()), ("rules.name", "a"));
    let as_default = limiter.middleware().rule(rule("default", "1/m"));
    assert_eq!(as_default.validate().unwrap_err().value(), "default");
    assert!(as_default.no_default().validate().is_ok());
}

#[test]
fn a_malformed_path_is_an_error_that_names_its_rule() {
    for path in ["", "api", "/api/*", "/a?b=1", "/a#b", "/a/x{id}", "/{"] {
        let error = refused(rule("login", "1/m").path("/good").path(path));
        assert!(error.starts_with(&format!("login.path: invalid value \"{path}\": ")), "{error}");
    }
    let (limiter, _) = limiter();
    let error = limiter.middleware().skip_path("health").validate().unwrap_err();
    assert_eq!((error.field(), error.value()), ("skip_paths", "health"));
}

#[test]
fn parameters_that_mean_nothing_to_the_algorithm_and_rates_that_stand_twice_are_errors() {
    let limit = |change: fn(Limit) -> Limit| rule("api", "10/m").with_limit(change);
    for (rule, field) in [
        (limit(|limit| limit.bucket_size(5)), "api.bucket_size"),
        (
            limit(|limit| limit.algorithm(Algorithm::TokenBucket).refill_rate(-1.0)),
            "api.refill_rate",
        ),
        (limit(|limit| limit.algorithm(Algorithm::Gcra).initial_tokens(1)), "api.initial_tokens"),
        (Rule::new(Limit::new("api", [Rate::per_minute(1); 2])), "api.rate"),
        (Rule::new(Limit::new("api", (1..10).map(Rate::per_day).collect::<Vec<_>>())), "api.rate"),
    ] {
        let error = refused(rule);
        assert!(error.starts_with(&format!("{field}: ")), "{error}");
    }
}

#[test]
fn names_with_line_breaks_or_control_characters_are_errors() {
    for name in ["a\r\nset-cookie: b=c", "a\nb", "a\0", "\u{85}", "a\tb"] {
        let error = refused(rule(name, "1/m"));
        assert!(error.starts_with("scope: ") && error.contains("control character"), "{error}");
        assert!(!error.contains(['\r', '\n', '\0']), "{error:?}");
    }
}

#[test]
fn a_header_that_no_request_can_have_is_an_error() {
    for name in ["X Plan", "", "x-é", "a:b", "a\r\nb"] {
        let error = refused(rule("api", "1/m").key(Key::header(name)));
        assert!(error.starts_with("api.key: "), "{error}");
    }
    assert!(
        limiter()
            .0
            .middleware()
            .rule(rule("api", "1/m").key(Key::header("X-Plan")))
            .validate()
            .is_ok()
    );
}

#[actix_web::test]
async fn a_server_with_such_a_middleware_does_not_start_and_the_log_says_why() {
    let (log, _guard) = Log::begin();
    let limit = RateLimiter::in_memory().middleware().rule(rule("login", "1/m").path("login"));
    let service = fn_service(async |request: actix_web::dev::ServiceRequest| {
        Ok(request.into_response(HttpResponse::Ok().finish()))
    });
    assert!(limit.new_transform(service).await.is_err());
    let lines = log.at(Level::ERROR);
    assert!(lines.len() == 1 && lines[0].contains("login.path"), "{lines:?}");
}

#[actix_web::test]
async fn rates_that_turn_out_wrong_are_a_500_without_details_and_an_event() {
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| events.of(builder));
    let (log, _guard) = Log::begin();
    let wrong = rule("api", "1/m").rates_by(|_| [Rate::per_minute(7); 2]);
    let app = answering(limiter.middleware().default_rule(wrong)).await;
    let answer = send(&app, get("/")).await;
    assert_eq!((answer.status, &*answer.body), (500, "Internal Server Error"));
    assert_eq!(events.take(), [(EventKind::Misconfigured, "api".into())]);
    assert!(log.at(Level::ERROR).iter().any(|line| line.contains("7/m")), "{}", log.text());
}
