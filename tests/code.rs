//! Code that asks the limiter for itself meets the counters of requests.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{
    Algorithm::{
        self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, SlidingWindowCounter, TokenBucket,
    },
    Decision, Key, Limit, Rate, RateLimitInfo, RateLimiter, Rule, key_of,
};
use actix_web::{App, HttpRequest, HttpResponse, test::init_service, web};
use support::{answering, from, get, limiter, rate, rule, send, statuses};

const ALL: [Algorithm; 6] =
    [FixedWindow, SlidingWindow, SlidingWindowCounter, TokenBucket, LeakyBucket, Gcra];

fn logins(algorithm: Algorithm) -> Limit {
    Limit::new("login", [rate("2/m"), rate("20/h")]).algorithm(algorithm)
}

#[actix_web::test]
async fn what_requests_took_can_be_looked_at_and_forgotten() {
    for algorithm in ALL {
        let (limiter, _) = limiter();
        let limit = logins(algorithm);
        let app = answering(limiter.middleware().default_rule(Rule::new(limit.clone()))).await;
        assert_eq!(statuses(&app, 3, || get("/")).await, [200, 200, 429]);
        let key = key_of(&Key::ip(), &get("/").to_http_request(), &limiter);
        for _ in 0..3 {
            let outcome = limiter.peek(&limit, &key).await.unwrap();
            assert!(!outcome.is_allowed(), "{algorithm:?}");
        }
        let stranger = limiter.peek(&limit, "ip:192.0.2.9").await.unwrap();
        assert_eq!(stranger.decision().map(Decision::remaining), Some(2));
        limiter.reset(&limit, &key).await.unwrap();
        assert_eq!(statuses(&app, 3, || get("/")).await, [200, 200, 429], "{algorithm:?}");
        limiter.reset(&limit, "ip:192.0.2.200").await.unwrap();
        assert_eq!(send(&app, get("/")).await.status, 429);
    }
}

#[actix_web::test]
async fn code_and_requests_take_from_one_counter() {
    let (limiter, _) = limiter();
    let limit = Limit::new("mails", Rate::per_hour(2));
    let app = answering(limiter.middleware().default_rule(Rule::new(limit.clone()))).await;
    assert!(limiter.check(&limit, "ip:192.0.2.1").await.unwrap().is_allowed());
    assert_eq!(statuses(&app, 2, || get("/")).await, [200, 429]);
    assert!(!limiter.check(&limit, "ip:192.0.2.1").await.unwrap().is_allowed());
    assert!(limiter.check(&limit, "ip:192.0.2.2").await.unwrap().is_allowed());
    assert_eq!(send(&app, from("192.0.2.2", "/")).await.remaining(), Some(0));
}

/// Gives a login back that succeeded.
async fn login(
    request: HttpRequest,
    info: RateLimitInfo,
    limiter: web::Data<RateLimiter>,
) -> HttpResponse {
    if request.query_string() != "right" {
        return HttpResponse::Unauthorized().finish();
    }
    let key = key_of(&Key::ip(), &request, &limiter);
    let limit = Limit::new(info.scope(), rate("2/m"));
    match limiter.refund(&limit, &key, info.decided_at()).await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

#[actix_web::test]
async fn a_handler_can_give_back_what_its_request_took() {
    let (limiter, clock) = limiter();
    let limit = limiter.middleware().default_rule(rule("login", "2/m"));
    let app =
        App::new().wrap(limit).app_data(web::Data::new(limiter)).default_service(web::to(login));
    let app = init_service(app).await;
    for _ in 0..10 {
        assert_eq!(send(&app, get("/?right")).await.status, 200);
        clock.advance(1_000);
    }
    assert_eq!(statuses(&app, 3, || get("/?wrong")).await, [401, 401, 429]);
}

#[actix_web::test]
async fn an_empty_key_and_a_limit_that_cannot_work_are_errors() {
    let (limiter, _) = limiter();
    let limit = Limit::new("mails", Rate::per_hour(2));
    assert_eq!(limiter.check(&limit, "").await.unwrap_err().field(), "key");
    let lost = limit.backend("redis");
    assert_eq!(limiter.peek(&lost, "user:7").await.unwrap_err().field(), "mails.backend");
    let error = limiter.reset(&lost, "user:7").await.unwrap_err();
    assert!(error.to_string().contains("registered are: memory"), "{error}");
}
