//! The endpoint that a Prometheus server reads. A process has one recorder, so this is one test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::Prometheus;
use actix_web::{App, test::init_service, web};
use support::{get, limiter, rule, send, statuses};

#[actix_web::test]
async fn the_endpoint_tells_what_was_decided_and_what_is_kept() {
    let prometheus = Prometheus::install().unwrap();
    Prometheus::install().expect("once more is no harm");

    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rule(rule("hello", "5/m"));
    let app = App::new()
        .service(prometheus.at("/metrics", &limiter))
        .service(web::scope("").wrap(limit).default_service(web::to(|| async { "hello" })));
    let app = init_service(app).await;
    assert_eq!(statuses(&app, 7, || get("/")).await, [200, 200, 200, 200, 200, 429, 429]);

    let answer = send(&app, get("/metrics")).await;
    let content_type = answer.header("content-type").unwrap();
    assert_eq!((answer.status, &*content_type), (200, "text/plain; version=0.0.4; charset=utf-8"));
    for expected in [
        "ratelimit_decisions_total{rule=\"hello\",outcome=\"allowed\",backend=\"memory\"} 5\n",
        "ratelimit_decisions_total{rule=\"hello\",outcome=\"refused\",backend=\"memory\"} 2\n",
        "ratelimit_backend_keys{backend=\"memory\"} 1\n",
        "# TYPE ratelimit_decision_seconds histogram\n",
    ] {
        assert!(answer.body.contains(expected), "{expected}{}", answer.body);
    }
    assert!(!answer.body.contains(support::CLIENT), "keys are no labels");
}
