//! What a Prometheus server would read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{collections::BTreeSet, time::Duration};

use actix_smart_ratelimit::{
    Limit, OnError, RateLimiter, Rule,
    backend::{ErrorKind, Fate},
    net::Networks,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use support::{
    answering,
    backends::{Mood, Remote},
    from, get, limiter, limiter_with, rate, rule, statuses,
};

/// What this thread counts for as long as the guard lives.
fn recorder() -> (PrometheusHandle, impl Drop) {
    // The guard borrows it until the process of the test ends.
    let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
    let handle = recorder.handle();
    (handle, metrics::set_default_local_recorder(recorder))
}

/// The value of a series.
fn value(handle: &PrometheusHandle, series: &str) -> Option<f64> {
    let text = handle.render();
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|r| r.starts_with(' ')));
    line.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

fn decisions(rule: &str, outcome: &str, backend: &str) -> String {
    format!(
        "ratelimit_decisions_total{{rule=\"{rule}\",outcome=\"{outcome}\",backend=\"{backend}\"}}"
    )
}

#[actix_web::test]
async fn decisions_are_counted_by_rule_outcome_and_backend() {
    let (handle, _guard) = recorder();
    let (limiter, _) = limiter();
    for (name, change, outcome) in [
        ("login", (|limit| limit) as fn(Limit) -> Limit, "refused"),
        ("search", |limit| limit.block(false), "observed"),
        ("upload", |limit| limit.shadow(true), "shadowed"),
    ] {
        let limit = change(Limit::new(name, rate("2/h")));
        let app = answering(limiter.middleware().default_rule(Rule::new(limit))).await;
        statuses(&app, 5, || get("/")).await;
        assert_eq!(value(&handle, &decisions(name, "allowed", "memory")), Some(2.0), "{name}");
        assert_eq!(value(&handle, &decisions(name, outcome, "memory")), Some(3.0), "{name}");
    }
    assert!(!handle.render().contains(support::CLIENT), "a key is in a label");
}

#[actix_web::test]
async fn looking_counts_nothing() {
    let (handle, _guard) = recorder();
    let (limiter, _) = limiter();
    limiter.peek(&Limit::new("login", rate("2/h")), "k").await.unwrap();
    assert_eq!(value(&handle, &decisions("login", "allowed", "memory")), None);
}

#[actix_web::test]
async fn what_waits_for_a_store_is_timed_and_its_failures_are_counted() {
    let (handle, _guard) = recorder();
    let store = Remote::new(Mood::Answers);
    let (limiter, _) = limiter_with(|builder| {
        builder.backend("redis", store.clone()).deadline(Duration::from_secs(20))
    });
    let limit = |name: &str, on_error| {
        limiter
            .middleware()
            .default_rule(Rule::new(Limit::new(name, rate("100/h")).on_error(on_error)))
    };
    let local = answering(limit("local", OnError::Local)).await;
    statuses(&local, 4, || get("/")).await;
    assert_eq!(value(&handle, "ratelimit_decision_seconds_count{backend=\"redis\"}"), Some(4.0));
    store.set(Mood::Fails(ErrorKind::Timeout, Fate::Unknown));
    statuses(&local, 3, || get("/")).await;
    statuses(&answering(limit("open", OnError::Allow)).await, 2, || get("/")).await;
    statuses(&answering(limit("shut", OnError::Deny)).await, 1, || get("/")).await;
    for (rule, outcome, count) in
        [("local", "allowed", 7.0), ("open", "unlimited", 2.0), ("shut", "unavailable", 1.0)]
    {
        assert_eq!(value(&handle, &decisions(rule, outcome, "redis")), Some(count), "{rule}");
    }
    let errors = "ratelimit_store_errors_total{backend=\"redis\",kind=\"timeout\"}";
    assert_eq!(value(&handle, errors), Some(6.0));
    assert_eq!(value(&handle, "ratelimit_events_total{event=\"store_away\"}"), Some(6.0));
}

#[actix_web::test]
async fn names_made_up_at_run_time_cannot_make_labels_without_end() {
    let (handle, _guard) = recorder();
    let (limiter, _) = limiter();
    for number in 0..400 {
        let limit = Limit::new(format!("made-up-{number}"), rate("2/h"));
        limiter.check(&limit, "k").await.unwrap();
    }
    let text = handle.render();
    let of_decisions = text.lines().filter(|line| line.starts_with("ratelimit_decisions_total{"));
    let rules: BTreeSet<_> = of_decisions.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(rules.len() <= 257 && rules.contains("other"), "{} rules", rules.len());
    assert_eq!(value(&handle, &decisions("other", "allowed", "memory")), Some(144.0));
}

#[actix_web::test]
async fn denied_networks_are_counted() {
    let (handle, _guard) = recorder();
    let (limiter, _) = limiter();
    let networks = Networks::parse("deny", ["198.51.100.0/24"]).unwrap();
    let app =
        answering(limiter.middleware().deny(networks).default_rule(rule("login", "9/h"))).await;
    statuses(&app, 2, || from("198.51.100.7", "/")).await;
    assert_eq!(value(&handle, "ratelimit_events_total{event=\"denied\"}"), Some(2.0));
}

#[actix_web::test]
async fn what_backends_keep_and_did_is_recorded_when_it_is_asked_for() {
    let (handle, _guard) = recorder();
    RateLimiter::describe_metrics();
    let (limiter, _) = limiter();
    for key in ["a", "b", "c"] {
        limiter.check(&Limit::new("login", rate("2/h")), key).await.unwrap();
    }
    assert_eq!(value(&handle, "ratelimit_backend_keys{backend=\"memory\"}"), None);
    limiter.record_metrics();
    limiter.health(Duration::from_secs(20)).await;
    assert_eq!(value(&handle, "ratelimit_backend_keys{backend=\"memory\"}"), Some(3.0));
    assert_eq!(value(&handle, "ratelimit_backend_up{backend=\"memory\"}"), Some(1.0));
    let text = handle.render();
    assert!(text.contains("# HELP ratelimit_decisions_total Decisions by rule"), "{text}");
    assert!(text.contains("# TYPE ratelimit_backend_keys gauge"), "{text}");
}
