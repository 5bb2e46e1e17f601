//! Whom each key counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::HashSet;

use actix_smart_ratelimit::{Key, KeySpec};
use actix_web::{
    App,
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use support::{
    answering,
    counted::{answer, authenticate, counted},
    from, get, limiter, rule, send, statuses,
};

fn spec(text: &str) -> KeySpec {
    text.parse().unwrap()
}

fn as_user(user: &str) -> TestRequest {
    get("/").insert_header(("x-test-user", user))
}

#[actix_web::test]
async fn words_of_configuration_and_methods_of_key_mean_the_same() {
    let request = || {
        get("/users/7?q=rust%20lang&q=c")
            .insert_header(("x-plan", "pro"))
            .insert_header(("x-test-user", "42;acme"))
    };
    for (word, key, expected) in [
        ("ip", Key::ip(), "ip:192.0.2.1"),
        ("user", Key::user(), "user:42"),
        ("user_or_ip", Key::user_or_ip(), "user:42"),
        ("header:X-Plan", Key::header("X-Plan"), "header:x-plan:pro"),
        ("query:q", Key::query("q"), "query:q:rust%20lang"),
        ("param:q", Key::query("q"), "query:q:rust%20lang"),
        ("path:id", Key::path("id"), "path:id:7"),
        ("tenant", Key::tenant(), "tenant:acme"),
        ("geo", Key::geo(), "geo:unknown+user:42"),
        ("global", Key::global(), "global"),
        ("global:signups", Key::global_named("signups"), "global:signups"),
        (
            "path:id+header:x-plan",
            Key::path("id").and(Key::header("x-plan")),
            "path:id:7+header:x-plan:pro",
        ),
    ] {
        assert_eq!(counted(spec(word), request()).await, expected, "{word}");
        assert_eq!(counted(key, request()).await, expected, "{word}");
    }
}

#[actix_web::test]
async fn what_a_request_lacks_is_counted_by_address() {
    for word in [
        "user",
        "user_or_ip",
        "header:x-plan",
        "query:q",
        "path:other",
        "cookie:sid",
        "session",
        "api_key",
        "tenant",
        "device",
    ] {
        let key = Key::from(spec(word));
        let Ok(()) = limiter().0.middleware().rule(rule("", "1/m").key(key.clone())).validate()
        else {
            assert_eq!(word, "session");
            continue;
        };
        assert_eq!(counted(key, get("/")).await, "ip:192.0.2.1", "{word}");
    }
    for empty in [
        get("/?q=").insert_header(("x-plan", "")),
        get("/?q=&api_key=&tenant_id=").insert_header(("cookie", "sid=; sid= ")),
        as_user("").insert_header(("authorization", "Bearer ")).insert_header(("x-api-key", "")),
        as_user(";").insert_header(("authorization", "Basic dXNlcjpwdw==")),
    ] {
        let key = Key::user().and(Key::header("x-plan")).and(Key::query("q"));
        let key = key.and(Key::cookie("sid")).and(Key::api_key()).and(Key::tenant());
        assert_eq!(counted(key, empty).await, ["ip:192.0.2.1"; 6].join("+"));
    }
}

#[actix_web::test]
async fn one_user_on_two_addresses_is_one_and_two_strangers_are_two() {
    let (limiter, _) = limiter();
    let by_user = rule("api", "2/m").key(Key::user_or_ip());
    let app = App::new()
        .wrap(limiter.middleware().default_rule(by_user))
        .wrap(from_fn(authenticate))
        .default_service(web::to(|| async { "ok" }));
    let app = init_service(app).await;
    let user = |address: &str| from(address, "/").insert_header(("x-test-user", "1"));
    let mut seen = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        seen.push(send(&app, user(address)).await.status);
    }
    assert_eq!(seen, [200, 200, 429]);
    for address in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(send(&app, from(address, "/")).await.status, 200);
    }
}

#[actix_web::test]
async fn a_user_s_own_tenant_beats_the_one_that_the_request_names() {
    let naming = |request: TestRequest| request.insert_header(("x-tenant-id", "b"));
    let query = || get("/?tenant_id=q");
    for (request, expected) in [
        (as_user("1;a"), "tenant:a"),
        (naming(as_user("1;a")), "tenant:a"),
        (query().insert_header(("x-test-user", "1;a")), "tenant:a"),
        (naming(as_user("1")), "tenant:b+user:1"),
        (naming(get("/")), "tenant:b+ip:192.0.2.1"),
        (query(), "tenant:q+ip:192.0.2.1"),
        (naming(query()), "tenant:b+ip:192.0.2.1"),
        (naming(get("/")).append_header(("x-tenant-id", "c")), "ip:192.0.2.1"),
    ] {
        assert_eq!(counted(Key::tenant(), request).await, expected);
    }
}

#[actix_web::test]
async fn the_api_key_is_that_of_the_header_the_bearer_or_the_query_in_this_order() {
    let both = || get("/?api_key=q").insert_header(("authorization", "bearer  b"));
    let mut keys = Vec::new();
    for request in [
        both().insert_header(("x-api-key", "h")),
        both(),
        get("/?api_key=q").insert_header(("authorization", "Basic b")),
        get("/").insert_header(("x-api-key", "q")),
    ] {
        keys.push(counted(Key::api_key(), request).await);
    }
    let (header, bearer, query) = (&keys[0], &keys[1], &keys[2]);
    assert_eq!(HashSet::from([header, bearer, query]).len(), 3);
    assert_eq!(query, &keys[3]);
    assert!(keys.iter().all(|key| key.len() == "api_key:".len() + 32), "{keys:?}");
}

#[actix_web::test]
async fn different_api_keys_from_one_address_count_apart() {
    let (limiter, _) = limiter();
    let app =
        answering(limiter.middleware().default_rule(rule("api", "1/m").key(Key::api_key()))).await;
    for key in ["one", "two", "one ", "ONE"] {
        let request = || get("/").insert_header(("x-api-key", key));
        let expected = if key == "one " { [429, 429] } else { [200, 429] };
        assert_eq!(statuses(&app, 2, request).await, expected, "{key:?}");
    }
}

#[actix_web::test]
async fn a_device_is_four_of_its_headers() {
    let device = |lines: [(&'static str, &str); 4]| {
        lines
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .fold(get("/"), TestRequest::insert_header)
    };
    let lines = |agent, language, encoding, dnt| {
        [
            ("user-agent", agent),
            ("accept-language", language),
            ("accept-encoding", encoding),
            ("dnt", dnt),
        ]
    };
    let first = counted(Key::device(), device(lines("ua", "en", "gzip", "1"))).await;
    assert_eq!(first, "device:a945fa35905eae40");
    let mut seen = HashSet::from([first]);
    for other in [lines("ua", "en", "gzip", ""), lines("", "en", "", ""), lines("ua", "", "en", "")]
    {
        assert!(seen.insert(counted(Key::device(), device(other)).await));
    }
    let elsewhere = device(lines("ua", "en", "gzip", "1")).peer_addr(([198, 51, 100, 1], 1).into());
    assert!(!seen.insert(counted(Key::device(), elsewhere).await));
}

#[actix_web::test]
async fn a_cookie_is_found_in_any_line_and_only_by_its_whole_name() {
    let cookies = |lines: &[&'static str]| {
        lines.iter().fold(get("/"), |request, line| request.append_header(("cookie", *line)))
    };
    let sid = counted(Key::cookie("sid"), cookies(&["sid=abc"])).await;
    assert!(sid.starts_with("cookie:sid:") && !sid.contains("abc"), "{sid}");
    for same in [&["a=b; sid=abc;c=d"][..], &["a=b", "sid=abc"], &["sid=; sid=abc"], &["sid = abc"]]
    {
        assert_eq!(counted(Key::cookie("sid"), cookies(same)).await, sid, "{same:?}");
    }
    for none in [&["xsid=abc"][..], &["sid"], &["a=sid=abc"], &["SID=abc"]] {
        assert_eq!(counted(Key::cookie("sid"), cookies(none)).await, "ip:192.0.2.1", "{none:?}");
    }
}

#[actix_web::test]
async fn a_middleware_round_the_application_knows_no_path_parameters() {
    let (limiter, _) = limiter();
    let app =
        answering(limiter.middleware().default_rule(rule("", "1/m").key(Key::path("id")))).await;
    assert_eq!(statuses(&app, 2, || get("/users/1")).await, [200, 429]);
    assert_eq!(answer(&limiter, Key::path("id"), get("/users/1")).await, 200);
}
