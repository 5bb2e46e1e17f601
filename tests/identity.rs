//! The user's key of `actix-identity`, logged in with a real cookie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::{Session, SessionMiddleware, storage::CookieSessionStore};
use actix_smart_ratelimit::{Key, Limit, RateLimitUser, Rule};
use actix_web::{
    App, Error, HttpMessage, HttpRequest,
    body::MessageBody,
    cookie::{self, Cookie},
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorInternalServerError,
    middleware::{Next, from_fn},
    test::init_service,
    web,
};
use support::{backends::Recording, from, get, limiter_with, rate, send};

async fn login(request: HttpRequest) -> Result<&'static str, Error> {
    let id = request.query_string().to_owned();
    Identity::login(&request.extensions(), id).map_err(ErrorInternalServerError)?;
    Ok("in")
}

/// Names another user than the cookie does, where the header `X-User` says so.
async fn own_authentication(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let named = request.headers().get("x-user").map(|user| user.to_str().unwrap_or("").to_owned());
    if let Some(named) = named {
        request.extensions_mut().insert(RateLimitUser::new(named));
    }
    next.call(request).await
}

#[actix_web::test]
async fn whoever_is_logged_in_is_counted_from_any_address_and_others_by_theirs() {
    let backend = Recording::new();
    let (limiter, _) = limiter_with(|builder| builder.backend("main", backend.clone()));
    let limit = Rule::new(Limit::new("", rate("9/m"))).key(Key::user());
    let app = init_service(
        App::new()
            .wrap(limiter.middleware().default_rule(limit))
            .wrap(from_fn(own_authentication))
            .wrap(IdentityMiddleware::default())
            .wrap(SessionMiddleware::new(
                CookieSessionStore::default(),
                cookie::Key::from(&[7; 64]),
            ))
            .route("/login", web::to(login))
            .default_service(web::to(|| async { "ok" })),
    )
    .await;
    let answer = send(&app, get("/login?42")).await;
    let cookie = Cookie::parse_encoded(answer.header("set-cookie").unwrap()).unwrap().into_owned();
    for address in ["192.0.2.2", "192.0.2.3"] {
        assert_eq!(send(&app, from(address, "/").cookie(cookie.clone())).await.status, 200);
    }
    let mut forged = cookie.clone();
    forged.set_value(format!("{}x", cookie.value()));
    send(&app, get("/").cookie(forged)).await;
    send(&app, get("/").cookie(cookie).insert_header(("x-user", "7"))).await;
    let keys = ["ip:192.0.2.1", "user:42", "user:42", "ip:192.0.2.1", "user:7"];
    assert_eq!(backend.take(), keys.map(|key| format!("ratelimit:{key}")));
}

#[actix_web::test]
async fn without_the_identity_middleware_everybody_is_counted_by_address() {
    async fn login(session: Session) -> Result<&'static str, Error> {
        session.insert("basket", 1)?;
        Ok("in")
    }
    let backend = Recording::new();
    let (limiter, _) = limiter_with(|builder| builder.backend("main", backend.clone()));
    let limit = Rule::new(Limit::new("", rate("9/m"))).key(Key::user());
    let sessions =
        SessionMiddleware::new(CookieSessionStore::default(), cookie::Key::from(&[7; 64]));
    let app = App::new().wrap(limiter.middleware().default_rule(limit)).wrap(sessions);
    let app = init_service(app.default_service(web::to(login))).await;
    let answer = send(&app, get("/")).await;
    let cookie = Cookie::parse_encoded(answer.header("set-cookie").unwrap()).unwrap().into_owned();
    assert_eq!(send(&app, get("/").cookie(cookie)).await.status, 200);
    assert_eq!(backend.take(), ["ratelimit:ip:192.0.2.1"; 2]);
}
