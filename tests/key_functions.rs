//! Keys that the application makes itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;

use actix_smart_ratelimit::{IntoKey, Key, KeyValue, RateLimiter, key_of};
use actix_web::{HttpRequest, http::Method};
use support::{answering, counted::counted, from, get, limiter, rule, send, statuses};

/// What a function that returns this is counted as.
async fn by<K: IntoKey>(function: impl Fn(&HttpRequest) -> K + Send + Sync + 'static) -> String {
    counted(Key::from_fn(function), get("/users/7")).await
}

#[actix_web::test]
async fn a_function_may_return_anything_that_names_somebody() {
    let mapped: IpAddr = "::ffff:203.0.113.7".parse().unwrap();
    for (stored, expected) in [
        (by(|_| "team").await, "team"),
        (by(|request| request.path().to_owned()).await, "/users/7"),
        (by(|_| 42_u64).await, "42"),
        (by(|_| -1_i32).await, "-1"),
        (by(|_| true).await, "true"),
        (by(|_| 'x').await, "x"),
        (by(|_| Some("team")).await, "team"),
        (by(|_| Ok::<_, ()>(7)).await, "7"),
        (by(|_| Some(Ok::<_, ()>("both"))).await, "both"),
        (by(|_| ("team", 7)).await, "team:7"),
        (by(|_| ("a", ("b", "c"))).await, "a:b:c"),
        (by(|_| ("a:b", "c+d")).await, "a%3Ab:c%2Bd"),
        (by(|_| KeyValue::new(["user", "4 2"])).await, "user:4%202"),
        (by(move |_| mapped).await, "203.0.113.7"),
    ] {
        assert_eq!(stored, expected);
    }
}

#[actix_web::test]
async fn nobody_is_counted_by_address() {
    for stored in [
        by(|_| None::<String>).await,
        by(|_| Err::<String, _>("no such user")).await,
        by(|_| "").await,
        by(|_| String::new()).await,
        by(|_| ("team", "")).await,
        by(|_| ("team", None::<u8>)).await,
        by(|_| KeyValue::new([""; 0])).await,
        by(|request| -> String { panic!("no key for {}", request.path()) }).await,
    ] {
        assert_eq!(stored, "ip:192.0.2.1");
    }
}

#[actix_web::test]
async fn a_panic_leaves_the_worker_and_the_next_request_alone() {
    let (limiter, _) = limiter();
    let fragile = Key::from_fn(|request: &HttpRequest| match request.method() {
        &Method::DELETE => panic!("no key can be had"),
        _ => "same",
    });
    let app = answering(limiter.middleware().default_rule(rule("api", "2/m").key(fragile))).await;
    let delete = || get("/").method(Method::DELETE);
    assert_eq!(statuses(&app, 3, delete).await, [200, 200, 429]);
    assert_eq!(statuses(&app, 3, || get("/")).await, [200, 200, 429]);
}

#[actix_web::test]
async fn a_function_joins_with_other_keys() {
    let key =
        Key::from_fn(|request: &HttpRequest| request.method().as_str().to_owned()).and(Key::ip());
    assert_eq!(counted(key, from("2001:db8:0:1::9", "/")).await, "GET+ip:2001:db8:0:1::/64");
}

#[actix_web::test]
async fn every_address_counts_by_itself_and_everybody_together_by_global() {
    let (limiter, _) = limiter();
    let by_address = answering(limiter.middleware().default_rule(rule("ip", "1/m"))).await;
    let all = rule("all", "2/m").key(Key::global());
    let all = answering(limiter.middleware().default_rule(all)).await;
    let mut seen = (vec![], vec![]);
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        seen.0.push(send(&by_address, from(address, "/")).await.status);
        seen.1.push(send(&all, from(address, "/")).await.status);
    }
    assert_eq!(seen, (vec![200, 200, 200], vec![200, 200, 429]));
}

#[test]
fn the_key_of_a_request_can_be_asked_for() {
    let request = get("/?q=a+b").to_http_request();
    let key = Key::query("q").and(Key::global());
    assert_eq!(key_of(&key, &request, &RateLimiter::in_memory()), "query:q:a%20b+global");
}
