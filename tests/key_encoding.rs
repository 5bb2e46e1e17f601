//! Keys that cannot be forged, mixed up or broken by what clients send, and hold no secrets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::HashSet;

use actix_smart_ratelimit::{Key, Limit, Rule};
use actix_web::http::header::HeaderValue;
use support::{answering, backends::Recording, counted::counted, get, limiter_with, rate, send};

#[actix_web::test]
async fn a_header_that_stands_twice_is_one_value_made_of_both() {
    let twice = get("/").append_header(("x-plan", "a")).append_header(("x-plan", "b"));
    assert_eq!(counted(Key::header("x-plan"), twice).await, "header:x-plan:a,b");
}

#[actix_web::test]
async fn values_that_differ_in_any_byte_are_counted_apart_and_none_breaks_a_key() {
    let long = |end: &str| "x".repeat(60_000) + end;
    let values: Vec<Vec<u8>> = vec![
        b"a:b".into(),
        b"a%3Ab".into(),
        b"a+b".into(),
        b"a b".into(),
        b"a\tb".into(),
        b"a'b\"c".into(),
        b"{a}b".into(),
        b"a|b".into(),
        b"a*b?".into(),
        b"a\\b".into(),
        b"\xff\xfe".into(),
        b"\xff\xfd".into(),
        "ünïcode".into(),
        "unicode".into(),
        "😀".into(),
        "a\u{202e}b".into(),
        "ab".into(),
        "a\u{200b}b".into(),
        long("1").into(),
        long("2").into(),
        long("").into(),
        b"x".repeat(200),
        b"x".repeat(201),
    ];
    let mut seen = HashSet::new();
    for value in &values {
        let value = HeaderValue::from_bytes(value).unwrap();
        let key = counted(Key::header("x-plan"), get("/").insert_header(("x-plan", value))).await;
        assert!(key.len() <= 200 && !key.contains(char::is_whitespace), "{key}");
        assert!(!key.contains(|c: char| c.is_control() || "*?{}\\|".contains(c)), "{key}");
        assert!(seen.insert(key));
    }
    for value in ["%00", "%0D%0Ax", "%0a", "%25", "%ff", "%c3%bc", "%F0%9F%98%80"] {
        assert!(
            seen.insert(counted(Key::query("q"), get(&format!("/?q={value}"))).await),
            "{value}"
        );
    }
}

#[actix_web::test]
async fn no_value_can_pretend_to_be_two() {
    let pair = |a: &str, b: &str| {
        let request = get("/").insert_header(("x-a", a)).insert_header(("x-b", b));
        counted(Key::header("x-a").and(Key::header("x-b")), request)
    };
    let mut seen = HashSet::new();
    for (a, b) in [
        ("a", "bc"),
        ("ab", "c"),
        ("a+header:x-b:b", "c"),
        ("a", "b+header:x-b:c"),
        ("a:b", "c"),
        ("a", "b:c"),
        ("a_b", "c"),
        ("a", "b_c"),
        ("a|b", "c"),
        ("a%2Bb", "c"),
        ("a+b", "c"),
        ("a", "b+c"),
    ] {
        assert!(seen.insert(pair(a, b).await), "{a} {b}");
    }
}

#[actix_web::test]
async fn ten_thousand_lines_of_a_header_are_survived() {
    let many = (0..10_000).fold(get("/"), |request, n| {
        request
            .append_header(("x-plan", n.to_string()))
            .append_header(("x-forwarded-for", "6.6.6.6"))
    });
    let key = counted(Key::header("x-plan"), many).await;
    assert!(key.starts_with("header:x-plan:0,1,2,3") && key.len() <= 200, "{key}");
    let many = (0..10_000).fold(get("/"), |request, n| {
        request
            .append_header(("cookie", format!("a{n}=b")))
            .append_header(("x-tenant-id", n.to_string()))
    });
    let key = Key::cookie("a9999").and(Key::tenant()).and(Key::api_key());
    assert!(counted(key, many).await.ends_with("+ip:192.0.2.1+ip:192.0.2.1"));
}

#[actix_web::test]
async fn the_prefix_and_an_encoded_scope_stand_before_the_key() {
    let backend = Recording::new();
    let (limiter, _) =
        limiter_with(|builder| builder.key_prefix("shop:").backend("main", backend.clone()));
    let limit = Rule::new(Limit::new("a:b c", [rate("5/m"), rate("9/2h")]));
    let app = answering(limiter.middleware().default_rule(limit)).await;
    send(&app, get("/")).await;
    let key = "shop:a%3Ab%20c:ip:192.0.2.1";
    assert_eq!(backend.take(), [key.to_owned(), format!("{key}#9/2h")]);
}

#[actix_web::test]
async fn no_store_sees_a_secret() {
    let secret = "s3cr3t-T0ken";
    let encoded = ["s3cr3t", "T0ken", "czNjcjN0LVQwa2Vu", "7333637233742d54306b656e"];
    let request = || {
        get(&format!("/reset/{secret}?api_key={secret}&access_token={secret}"))
            .insert_header(("authorization", format!("Bearer {secret}")))
            .insert_header(("x-api-key", secret))
            .insert_header(("x-auth-token", secret))
            .insert_header(("proxy-authorization", secret))
            .insert_header(("x-client-secret", secret))
            .insert_header(("cookie", format!("sid={secret}")))
    };
    for key in [
        Key::api_key(),
        Key::header("Authorization"),
        Key::header("X-Api-Key"),
        Key::header("X-Auth-Token"),
        Key::header("Proxy-Authorization"),
        Key::header("X-Client-Secret"),
        Key::header("Cookie"),
        Key::cookie("sid"),
        Key::query("api_key"),
        Key::query("access_token"),
        Key::path("token"),
    ] {
        let text = format!("{key:?}");
        let stored = counted(key, request()).await;
        assert!(!stored.starts_with("ip:"), "{text} is counted as {stored}");
        for part in encoded {
            assert!(!stored.contains(part), "{text} is stored as {stored}");
        }
    }
}
