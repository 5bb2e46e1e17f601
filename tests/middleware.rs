//! Which rule of a middleware a request falls under, and which counter that takes from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_web::{App, http::Method, test::init_service, web};
use futures_util::future::join_all;
use support::{
    answering, backends::Untouchable, from, get, limiter, limiter_with, post, rate, rule, send,
    statuses,
};

#[actix_web::test]
async fn the_most_specific_path_decides_in_whatever_order_rules_are_written() {
    let (limiter, _) = limiter();
    let names = ["/", "/api", "/api/auth", "/api/{part}/me", "/api/users/me", "/api/users/me$"];
    let rules: Vec<_> = names.iter().map(|path| rule(path, "9/m").path(*path)).collect();
    let forward = answering(limiter.middleware().rules(rules.clone())).await;
    let backward = answering(limiter.middleware().rules(rules.into_iter().rev())).await;
    for (path, expected) in [
        ("/", "/"),
        ("/other", "/"),
        ("/api/", "/api"),
        ("/apiary", "/"),
        ("/api/auth/login", "/api/auth"),
        ("/api/teams/me", "/api/{part}/me"),
        ("/api/users/me", "/api/users/me$"),
        ("/api/users/me/mail", "/api/users/me"),
        ("/api/users/you", "/api"),
    ] {
        let expected = expected.replace('{', "%7B").replace('}', "%7D");
        for app in [&forward, &backward] {
            let policy = send(app, get(path)).await.policy();
            assert_eq!(policy.as_deref(), Some(&*expected), "{path}");
        }
    }
}

#[actix_web::test]
async fn requests_that_no_rule_is_about_fall_under_the_default_rate_by_address() {
    let (limiter, _) = limiter_with(|builder| builder.default_rate(rate("2/m")));
    let app = answering(limiter.middleware().rule(rule("api", "9/m").path("/api"))).await;
    assert_eq!(statuses(&app, 3, || get("/a")).await, [200, 200, 429]);
    assert_eq!(send(&app, get("/b")).await.status, 429);
    assert_eq!(send(&app, from("192.0.2.2", "/a")).await.status, 200);
    assert_eq!(send(&app, get("/api")).await.limit(), Some(9));
}

#[actix_web::test]
async fn without_a_default_rule_other_requests_are_left_alone() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().no_default().rule(rule("api", "1/m").path("/api"));
    let app = answering(limit).await;
    let answer = send(&app, get("/other")).await;
    assert_eq!((answer.status, answer.limit_fields()), (200, vec![]));
    assert_eq!(statuses(&app, 2, || get("/api")).await, [200, 429]);
}

#[actix_web::test]
async fn remaining_counts_down_to_zero_and_a_period_later_it_begins_again() {
    let (limiter, clock) = limiter();
    let app = answering(limiter.middleware().default_rate(rate("3/s"))).await;
    for remaining in [2, 1, 0] {
        let answer = send(&app, get("/")).await;
        assert_eq!((answer.status, answer.remaining()), (200, Some(remaining)));
    }
    let refused = send(&app, get("/")).await;
    assert_eq!((refused.status, refused.remaining()), (429, Some(0)));
    clock.advance_secs(1);
    assert_eq!(send(&app, get("/")).await.remaining(), Some(2));
}

#[actix_web::test]
async fn one_rule_s_counter_is_not_another_s() {
    let (limiter, _) = limiter();
    let limit = limiter
        .middleware()
        .rule(rule("auth", "5/m").path("/auth"))
        .rule(rule("api", "1000/h").path("/api"));
    let app = answering(limit).await;
    assert_eq!(statuses(&app, 6, || get("/auth/login")).await, [200, 200, 200, 200, 200, 429]);
    assert_eq!(send(&app, get("/api/users/")).await.remaining(), Some(999));
}

#[actix_web::test]
async fn counters_are_named_after_the_rule_so_varying_the_path_mints_none() {
    let (limiter, _) = limiter();
    let limit = limiter
        .middleware()
        .default_rate(rate("7/m"))
        .rule(rule("verify", "5/m").path("/verify/{code}"));
    let app = init_service(App::new().wrap(limit).route(
        "/verify/{code}",
        web::get().to(|code: web::Path<String>| async { code.into_inner() }),
    ))
    .await;
    let mut admitted = [0, 0];
    for code in 0..1_000 {
        for (count, path) in admitted.iter_mut().zip(["/verify/", "/other"]) {
            let status = send(&app, get(&format!("{path}{code}"))).await.status;
            *count += usize::from(status != 429);
        }
    }
    assert_eq!(admitted, [5, 7]);
}

#[actix_web::test]
async fn a_rule_of_methods_is_about_these_alone_and_head_counts_as_get() {
    let (limiter, _) = limiter();
    let limit = limiter
        .middleware()
        .no_default()
        .rule(rule("read", "2/m").path("/").methods([Method::GET]))
        .rule(rule("write", "1/m").path("/").methods([Method::POST, Method::PUT]));
    let app = answering(limit).await;
    assert_eq!(send(&app, get("/").method(Method::HEAD)).await.policy().as_deref(), Some("read"));
    assert_eq!(statuses(&app, 2, || get("/")).await, [200, 429]);
    assert_eq!(send(&app, get("/").method(Method::HEAD)).await.status, 429);
    assert_eq!(send(&app, post("/")).await.status, 200);
    assert_eq!(send(&app, get("/").method(Method::PUT)).await.status, 429);
    assert_eq!(send(&app, get("/").method(Method::DELETE)).await.limit(), None);
    let disguised = post("/").insert_header(("x-http-method-override", "DELETE"));
    assert_eq!(send(&app, disguised).await.status, 429);
}

#[actix_web::test]
async fn a_rule_of_head_alone_is_about_head() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().no_default().rule(rule("head", "1/m").methods([Method::HEAD]));
    let app = answering(limit).await;
    assert_eq!(statuses(&app, 2, || get("/").method(Method::HEAD)).await, [200, 429]);
    assert_eq!(send(&app, get("/")).await.limit(), None);
}

#[actix_web::test]
async fn skipped_paths_and_those_below_are_never_limited_and_carry_no_fields() {
    let (limiter, _) = limiter();
    let limit =
        limiter.middleware().default_rate(rate("0/m")).skip_path("/health").skip_path("/static/");
    let app = answering(limit).await;
    for path in ["/health", "/health/", "/health/db", "/static/a/b.css"] {
        let answer = send(&app, get(path)).await;
        assert_eq!((answer.status, answer.limit_fields()), (200, vec![]), "{path}");
    }
    for path in ["/", "/healthy", "/x/health", "/statics"] {
        assert_eq!(send(&app, get(path)).await.status, 429, "{path}");
    }
}

#[actix_web::test]
async fn a_disabled_limiter_touches_no_store_and_sends_no_fields() {
    let (limiter, _) = limiter_with(|builder| builder.backend("main", Untouchable).enabled(false));
    let app = answering(limiter.middleware().default_rate(rate("0/m"))).await;
    let answer = send(&app, get("/")).await;
    assert_eq!((answer.status, answer.limit_fields()), (200, vec![]));
}

#[actix_web::test]
async fn concurrent_requests_are_admitted_to_the_limit_exactly() {
    let (limiter, _) = limiter();
    let app = answering(limiter.middleware().default_rate(rate("20/h"))).await;
    let task = || statuses(&app, 5, || get("/"));
    let statuses = join_all((0..16).map(|_| task())).await.concat();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 20);
}
