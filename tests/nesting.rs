//! Limits inside limits, and everything that may come out of an inner service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::convert::Infallible;

use actix_smart_ratelimit::{Algorithm, RateLimit, RateLimiter};
use actix_web::{
    App, Error, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorForbidden, ErrorImATeapot},
    http::StatusCode,
    middleware::{Next, from_fn},
    test::init_service,
    web,
};
use futures_util::stream;
use support::{answering, from, get, limiter, rate, rule, send, statuses};

/// A middleware of one rule for everything.
fn only(limiter: &RateLimiter, name: &str, text: &str) -> RateLimit {
    limiter.middleware().default_rule(rule(name, text))
}

/// What the client is told by each of three limits with these rates, round application, scope and
/// resource.
async fn nested(app: &str, scope: &str, resource: &str, requests: usize) -> support::Answer {
    let (limiter, _) = limiter();
    let inner =
        web::resource("/c").wrap(only(&limiter, "resource", resource)).to(|| async { "ok" });
    let middle = web::scope("/b").wrap(only(&limiter, "scope", scope)).service(inner);
    let app = init_service(App::new().wrap(only(&limiter, "app", app)).service(middle)).await;
    for _ in 1..requests {
        send(&app, get("/b/c")).await;
    }
    send(&app, get("/b/c")).await
}

#[actix_web::test]
async fn of_nested_limits_the_strictest_is_told_wherever_it_stands() {
    for (rates, expected) in [
        (["5/m", "50/m", "500/m"], "app"),
        (["500/m", "5/m", "50/m"], "scope"),
        (["500/m", "50/m", "5/m"], "resource"),
    ] {
        let answer = nested(rates[0], rates[1], rates[2], 2).await;
        assert_eq!((answer.status, answer.limit(), answer.remaining()), (200, Some(5), Some(3)));
        assert_eq!(answer.policy().as_deref(), Some(expected));
        assert_eq!(answer.headers.get_all("ratelimit").count(), 1);
        assert_eq!(answer.headers.get_all("ratelimit-policy").count(), 1);
    }
}

#[actix_web::test]
async fn any_of_nested_limits_refuses_and_says_so_itself() {
    for (rates, expected) in [
        (["2/m", "50/m", "500/m"], "app"),
        (["500/m", "2/m", "50/m"], "scope"),
        (["500/m", "50/m", "2/m"], "resource"),
    ] {
        let answer = nested(rates[0], rates[1], rates[2], 3).await;
        assert_eq!(
            (answer.status, answer.remaining(), answer.retry_after()),
            (429, Some(0), Some(60))
        );
        assert_eq!(answer.policy().as_deref(), Some(expected));
    }
}

#[actix_web::test]
async fn each_of_nested_limits_counts_on_its_own() {
    let (limiter, _) = limiter();
    let app = init_service(
        App::new()
            .wrap(only(&limiter, "app", "4/m"))
            .service(web::resource("/a").wrap(only(&limiter, "a", "2/m")).to(|| async { "a" }))
            .service(web::resource("/b").wrap(only(&limiter, "b", "2/m")).to(|| async { "b" })),
    )
    .await;
    assert_eq!(statuses(&app, 3, || get("/a")).await, [200, 200, 429]);
    assert_eq!(statuses(&app, 2, || get("/b")).await, [200, 429]);
    assert_eq!(send(&app, get("/b")).await.policy().as_deref(), Some("app"));
}

#[actix_web::test]
async fn an_outer_limit_that_only_observes_does_not_hide_an_inner_refusal() {
    let (limiter, _) = limiter();
    let open = rule("open", "0/m").with_limit(|limit| limit.block(false));
    let inner = web::resource("/").wrap(only(&limiter, "inner", "1/m")).to(|| async { "ok" });
    let outer = limiter.middleware().default_rule(open);
    let app = init_service(App::new().wrap(outer).service(inner)).await;
    assert_eq!(send(&app, get("/")).await.status, 200);
    let refused = send(&app, get("/")).await;
    assert_eq!((refused.status, refused.retry_after()), (429, Some(60)));
}

#[actix_web::test]
async fn a_streaming_body_passes_unchanged() {
    let (limiter, _) = limiter();
    let streaming = || async {
        let chunks =
            ["one ", "two ", "three"].map(|chunk| Ok::<_, Infallible>(web::Bytes::from(chunk)));
        HttpResponse::Ok().streaming(stream::iter(chunks))
    };
    let app = App::new().wrap(only(&limiter, "stream", "1/m")).default_service(web::to(streaming));
    let app = init_service(app).await;
    let answer = send(&app, get("/")).await;
    assert_eq!((&*answer.body, answer.remaining()), ("one two three", Some(0)));
}

#[actix_web::test]
async fn errors_and_missing_routes_are_counted_and_carry_fields_too() {
    let (limiter, _) = limiter();
    let app = init_service(
        App::new()
            .wrap(only(&limiter, "api", "9/m"))
            .route(
                "/err",
                web::get().to(|| async { Err::<String, _>(ErrorImATeapot("short and stout")) }),
            )
            .route("/json", web::post().to(|body: web::Json<u32>| async move { body.to_string() })),
    )
    .await;
    for (index, (request, status)) in [
        (get("/err"), 418),
        (get("/nowhere"), 404),
        (support::post("/err"), 404),
        (support::post("/json").set_payload("not json"), 400),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = send(&app, request).await;
        assert_eq!((answer.status, answer.remaining()), (status, Some(8 - index as u64)));
    }
    assert_eq!(send(&app, get("/err")).await.body, "short and stout");
}

/// An inner middleware that refuses to go on.
async fn forbid(
    _: ServiceRequest,
    _: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    Err::<ServiceResponse, _>(ErrorForbidden("no entry"))
}

#[actix_web::test]
async fn an_error_of_an_inner_middleware_keeps_status_and_body_and_gets_fields() {
    let (limiter, _) = limiter();
    let app =
        init_service(App::new().wrap(from_fn(forbid)).wrap(only(&limiter, "api", "9/m"))).await;
    let answer = send(&app, get("/")).await;
    assert_eq!((answer.status, &*answer.body, answer.remaining()), (403, "no entry", Some(8)));
}

#[actix_web::test]
async fn on_an_error_through_nested_limits_the_strictest_is_told() {
    for (outer, inner) in [("5/m", "500/m"), ("500/m", "5/m")] {
        let (limiter, _) = limiter();
        let bucket =
            rule("inner", inner).with_limit(|limit| limit.algorithm(Algorithm::TokenBucket));
        let app = init_service(
            App::new()
                .wrap(from_fn(forbid))
                .wrap(limiter.middleware().default_rule(bucket))
                .wrap(only(&limiter, "outer", outer)),
        )
        .await;
        let answer = send(&app, get("/")).await;
        assert_eq!((answer.status, &*answer.body), (403, "no entry"));
        assert_eq!((answer.limit(), answer.remaining()), (Some(5), Some(4)), "{outer} {inner}");
        let told_of_bucket = answer.header("x-ratelimit-bucket-size").is_some();
        assert_eq!(told_of_bucket, inner == "5/m");
    }
}

/// An error of the application's own, which an outer middleware wants to see.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lost")
    }
}

impl ResponseError for Lost {
    fn status_code(&self) -> StatusCode {
        StatusCode::GONE
    }
}

#[actix_web::test]
async fn an_outer_middleware_still_sees_the_error_as_it_was() {
    let (limiter, _) = limiter();
    let app = init_service(
        App::new()
            .wrap(from_fn(async |_: ServiceRequest, _: Next<actix_web::body::BoxBody>| {
                Err::<ServiceResponse, Error>(Lost.into())
            }))
            .wrap(only(&limiter, "api", "9/m"))
            .wrap(from_fn(async |request: ServiceRequest, next: Next<_>| {
                let error = next.call(request).await.map(|_| ()).unwrap_err();
                assert!(error.as_error::<Lost>().is_some());
                for _ in 0..2 {
                    assert_eq!(error.error_response().status(), StatusCode::GONE);
                }
                Err::<ServiceResponse, _>(ErrorImATeapot(error))
            })),
    )
    .await;
    assert_eq!(send(&app, get("/")).await.body, "lost");
}

#[actix_web::test]
async fn requests_of_two_limiters_in_one_process_do_not_meet() {
    let (first, second) = (limiter().0, limiter().0);
    let first = answering(first.middleware().default_rate(rate("1/m"))).await;
    let second = answering(second.middleware().default_rate(rate("1/m"))).await;
    assert_eq!(statuses(&first, 2, || from("192.0.2.9", "/")).await, [200, 429]);
    assert_eq!(statuses(&second, 2, || from("192.0.2.9", "/")).await, [200, 429]);
}
