//! A path spelled otherwise is the same path, or none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{Condition, RateLimit};
use actix_web::{App, HttpRequest, middleware::NormalizePath, test::init_service, web};
use support::{get, limiter, rate, rule, send, statuses};

const SPELLINGS: [&str; 16] = [
    "/login",
    "//login",
    "///login",
    "/login/",
    "/login//",
    "/./login",
    "/.//login",
    "/x/../login",
    "/x/y/../../login",
    "/../login",
    "/%6cogin",
    "/%6C%6F%67%69%6E",
    "/l%6fgin/",
    "/%2e/login",
    "/x/%2e%2e/login",
    "/x/.%2E/%6cogin",
];

/// At most one login, and everything else without end.
fn one_login() -> RateLimit {
    let (limiter, _) = limiter();
    limiter.middleware().no_default().rule(rule("login", "1/m").path("/login"))
}

#[actix_web::test]
async fn every_spelling_that_reaches_the_handler_is_counted_with_the_others() {
    for spelling in SPELLINGS {
        let app = init_service(
            App::new().wrap(one_login()).route("/login", web::get().to(|| async { "in" })),
        )
        .await;
        assert_eq!(send(&app, get("/login")).await.status, 200);
        assert_eq!(send(&app, get(spelling)).await.status, 429, "{spelling}");
    }
}

#[actix_web::test]
async fn other_spellings_are_other_paths_to_router_and_limiter_alike() {
    let app = init_service(
        App::new().wrap(one_login()).route("/login", web::get().to(|| async { "in" })),
    )
    .await;
    for other in
        ["/LOGIN", "/login;a=b", "/login%2F", "/log%00in", "/%256cogin", "/login.", "/x/login"]
    {
        assert_eq!(statuses(&app, 2, || get(other)).await, [404, 404], "{other}");
    }
}

#[actix_web::test]
async fn normalization_inside_the_limiter_changes_nothing() {
    for spelling in SPELLINGS {
        let app = init_service(
            App::new()
                .wrap(NormalizePath::trim())
                .wrap(one_login())
                .route("/login", web::get().to(|| async { "in" })),
        )
        .await;
        assert_eq!(send(&app, get("//login//")).await.status, 200);
        assert_eq!(send(&app, get(spelling)).await.status, 429, "{spelling}");
    }
}

#[actix_web::test]
async fn dots_that_the_router_takes_literally_lead_out_of_no_rule() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().no_default().rule(rule("files", "1/m").path("/files"));
    let app = init_service(App::new().wrap(limit).route(
        "/files/{tail:.*}",
        web::get().to(|request: HttpRequest| async move {
            request.match_info().query("tail").to_owned()
        }),
    ))
    .await;
    assert_eq!(send(&app, get("/files/a")).await.body, "a");
    for path in ["/files/../a", "/files/%2e%2e/a", "/files/../../x/y", "/files/a/../../b"] {
        assert_eq!(send(&app, get(path)).await.status, 429, "{path}");
    }
}

#[actix_web::test]
async fn dots_lead_into_no_skipped_path() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rate(rate("0/m")).skip_path("/health");
    let app =
        init_service(App::new().wrap(limit).route("/{tail:.*}", web::get().to(|| async { "ok" })))
            .await;
    for path in [
        "/files/../health",
        "/health/../files",
        "/files/%2e%2e/health",
        "/health/%2e%2e",
        "/./health",
    ] {
        assert_eq!(send(&app, get(path)).await.status, 429, "{path}");
    }
    for path in ["/health", "//health/", "/%68ealth", "/health/a/../b"] {
        assert_eq!(send(&app, get(path)).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn a_condition_of_a_path_understands_the_same_spellings() {
    for spelling in SPELLINGS {
        let (limiter, _) = limiter();
        let login = Condition::path("/login").unwrap();
        let limit = limiter.middleware().no_default().rule(rule("login", "1/m").when(login));
        let app = support::answering(limit).await;
        assert_eq!(send(&app, get("/login")).await.status, 200);
        assert_eq!(send(&app, get(spelling)).await.status, 429, "{spelling}");
    }
}

#[actix_web::test]
async fn a_rule_is_written_as_the_path_reads_and_an_encoded_one_is_an_error() {
    let (limiter, _) = limiter();
    let cafe = limiter.middleware().no_default().rule(rule("cafe", "0/m").path("/café du nord"));
    assert!(cafe.validate().is_ok());
    let app = support::answering(cafe).await;
    assert_eq!(send(&app, get("/caf%C3%A9%20du%20nord")).await.status, 429);
    let encoded = limiter.middleware().rule(rule("cafe", "1/m").path("/caf%C3%A9"));
    let error = encoded.validate().unwrap_err();
    assert_eq!((error.field(), error.value()), ("cafe.path", "/caf%C3%A9"));
}

#[actix_web::test]
async fn inside_a_scope_the_whole_path_counts() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().no_default().rule(rule("login", "1/m").path("/api/login"));
    let app =
        init_service(App::new().service(
            web::scope("/api").wrap(limit).route("/login", web::get().to(|| async { "in" })),
        ))
        .await;
    assert_eq!(send(&app, get("/api/login")).await.status, 200);
    for spelling in ["/api/login", "/%61pi/login", "/api/%6cogin", "/api/x/../login"] {
        assert_eq!(send(&app, get(spelling)).await.status, 429, "{spelling}");
    }
}
