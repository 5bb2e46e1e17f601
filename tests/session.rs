//! Keys of sessions kept by `actix-session` in a real cookie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::sync::Arc;

use actix_session::{Session, SessionMiddleware, storage::CookieSessionStore};
use actix_smart_ratelimit::{Key, Limit, Rule};
use actix_web::{
    App, Error, Responder,
    body::MessageBody,
    cookie::{self, Cookie},
    dev::{Service, ServiceResponse},
    test::{TestRequest, init_service},
    web,
};
use support::{Answer, backends::Recording, from, get, limiter_with, rate, send};

/// An application with `/login`, `/logout` and other pages, limited by session, and its store.
async fn shop(
    text: &str,
) -> (
    impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error>,
    Arc<Recording>,
) {
    async fn login(session: Session) -> impl Responder {
        session.insert("basket", 1).map(|()| "in")
    }
    async fn logout(session: Session) -> impl Responder {
        session.purge();
        "out"
    }
    let backend = Recording::new();
    let (limiter, _) = limiter_with(|builder| builder.backend("main", backend.clone()));
    let limit = Rule::new(Limit::new("", rate(text))).key(Key::session());
    let cookies = CookieSessionStore::default();
    let app = App::new()
        .wrap(limiter.middleware().default_rule(limit))
        .wrap(SessionMiddleware::new(cookies, cookie::Key::from(&[7; 64])))
        .route("/login", web::to(login))
        .route("/logout", web::to(logout))
        .default_service(web::to(|| async { "ok" }));
    (init_service(app).await, backend)
}

/// The cookie that an answer sets.
fn cookie_of(answer: &Answer) -> Option<Cookie<'static>> {
    let header = answer.header("set-cookie")?;
    Cookie::parse_encoded(header).ok().map(Cookie::into_owned)
}

fn with(cookie: &Cookie<'static>, request: TestRequest) -> TestRequest {
    request.cookie(cookie.clone())
}

#[actix_web::test]
async fn clients_without_a_session_are_counted_by_address_and_get_none() {
    let (app, backend) = shop("9/m").await;
    for _ in 0..3 {
        let answer = send(&app, get("/")).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    }
    let login = send(&app, get("/login")).await;
    assert!(cookie_of(&login).is_some());
    assert_eq!(backend.take(), ["ratelimit:ip:192.0.2.1"; 4]);
}

#[actix_web::test]
async fn a_session_is_one_client_from_any_address_under_a_name_that_is_in_no_cookie_in_clear() {
    let (app, backend) = shop("2/m").await;
    let mut cookie = cookie_of(&send(&app, get("/login")).await).unwrap();
    backend.take();
    let mut seen = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let answer = send(&app, with(&cookie, from(address, "/"))).await;
        seen.push(answer.status);
        cookie = cookie_of(&answer).unwrap_or(cookie);
    }
    assert_eq!(seen, [200, 200, 429]);
    let keys = backend.take();
    let name = keys[0].strip_prefix("ratelimit:session:").unwrap();
    assert_eq!(name.len(), 32);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(!cookie.value().contains(name));
}

#[actix_web::test]
async fn two_sessions_are_two_clients() {
    let (app, backend) = shop("9/m").await;
    for _ in 0..2 {
        let cookie = cookie_of(&send(&app, get("/login")).await).unwrap();
        send(&app, with(&cookie, get("/"))).await;
    }
    let mut keys = backend.take();
    keys.retain(|key| key.starts_with("ratelimit:session:"));
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
}

#[actix_web::test]
async fn dropping_or_forging_a_session_leads_back_to_the_address() {
    let (app, backend) = shop("2/m").await;
    let cookie = cookie_of(&send(&app, get("/login")).await).unwrap();
    assert_eq!(send(&app, get("/")).await.status, 200);
    let mut forged = cookie.clone();
    forged.set_value(format!("{}x", cookie.value()));
    for request in
        [get("/"), with(&forged, get("/")), with(&Cookie::new("id", "{\"a\":1}"), get("/"))]
    {
        assert_eq!(send(&app, request).await.status, 429);
    }
    assert_eq!(backend.take(), ["ratelimit:ip:192.0.2.1"; 5]);
}

#[actix_web::test]
async fn logging_out_ends_the_session_all_the_same() {
    let (app, _) = shop("9/m").await;
    let cookie = cookie_of(&send(&app, get("/login")).await).unwrap();
    let answer = send(&app, with(&cookie, get("/logout"))).await;
    assert_eq!(answer.body, "out");
    assert_eq!(cookie_of(&answer).unwrap().value(), "");
}
