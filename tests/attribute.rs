//! `#[rate_limit]` on handlers of every kind.

mod support;

use std::{
    future::{Pending, Ready, pending, ready},
    sync::atomic::{AtomicUsize, Ordering},
};

use actix_smart_ratelimit::rate_limit;
use actix_web::{
    App, Either, Error, FromRequest, HttpRequest, HttpResponse, Responder,
    dev::Payload,
    error::ErrorImATeapot,
    get,
    http::{Method, StatusCode},
    post, route,
    test::init_service,
    web::{self, ServiceConfig},
};
use support::{
    backends::Recording, from, get as to, limiter, limiter_with, post as post_to, send, statuses,
};

/// An application of these routes with a limiter.
macro_rules! app {
    ($limiter:expr, $routes:expr) => {
        init_service(App::new().app_data($limiter).configure($routes)).await
    };
}

#[rate_limit(rate = "2/m")]
#[get("/above")]
async fn above() -> impl Responder {
    "above"
}

#[get("/below")]
#[rate_limit(rate = "2/m")]
async fn below() -> &'static str {
    "below"
}

#[rate_limit(rate = "2/m")]
#[route("/both", method = "GET", method = "PUT")]
async fn both(method: Method) -> String {
    method.to_string()
}

#[rate_limit(rate = "2/m")]
async fn by_hand() -> HttpResponse {
    HttpResponse::Ok().body("by hand")
}

struct Users;

impl Users {
    #[rate_limit(rate = "2/m", scope = "users.list")]
    async fn list(request: HttpRequest) -> String {
        request.path().to_owned()
    }
}

fn routes(app: &mut ServiceConfig) {
    app.service(above).service(below).service(both);
    app.route("/by-hand", web::get().to(by_hand)).route("/users", web::get().to(Users::list));
}

#[actix_web::test]
async fn it_stands_above_or_below_route_macros_and_on_functions_routed_by_hand() {
    let app = app!(limiter().0, routes);
    for (path, body) in [
        ("/above", "above"),
        ("/below", "below"),
        ("/both", "GET"),
        ("/by-hand", "by hand"),
        ("/users", "/users"),
    ] {
        let answer = send(&app, to(path)).await;
        assert_eq!((&*answer.body, answer.remaining()), (body, Some(1)), "{path}");
        assert_eq!(statuses(&app, 2, || to(path)).await, [200, 429], "{path}");
    }
    assert_eq!(send(&app, to("/both").method(Method::PUT)).await.status, 429);
    assert_eq!(send(&app, from("192.0.2.2", "/above")).await.status, 200);
}

#[actix_web::test]
async fn its_counters_are_named_after_the_function_or_as_it_says() {
    let backend = Recording::new();
    let app = app!(limiter_with(|builder| builder.backend("main", backend.clone())).0, routes);
    for path in ["/above", "/users"] {
        send(&app, to(path)).await;
    }
    let keys = ["attribute.above:ip:192.0.2.1", "users.list:ip:192.0.2.1"];
    assert_eq!(backend.take(), keys.map(|key| format!("ratelimit:{key}")));
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);

/// Counts how often it is extracted.
struct Counted;

impl FromRequest for Counted {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        COUNTED.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Self))
    }
}

/// Is never extracted.
struct Never;

impl FromRequest for Never {
    type Error = Error;
    type Future = Pending<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        pending()
    }
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[rate_limit(rate = "2/m")]
#[post("/count")]
async fn count(_: Counted, number: web::Json<u32>) -> String {
    RUNS.fetch_add(1, Ordering::SeqCst);
    number.to_string()
}

#[rate_limit(rate = "0/m")]
#[get("/never")]
async fn never(_: Never) -> &'static str {
    "never"
}

#[actix_web::test]
async fn a_refused_request_runs_no_extractor_and_an_admitted_one_runs_its_handler_once() {
    let app = app!(limiter().0, |app| {
        app.service(count).service(never);
    });
    let number = || post_to("/count").insert_header(("content-type", "application/json"));
    assert_eq!(send(&app, number().set_payload("7")).await.body, "7");
    let failed = send(&app, number().set_payload("seven")).await;
    assert_eq!((failed.status, failed.remaining()), (400, Some(0)));
    for payload in ["7", "seven", ""] {
        assert_eq!(send(&app, number().set_payload(payload)).await.status, 429);
    }
    assert_eq!((COUNTED.load(Ordering::SeqCst), RUNS.load(Ordering::SeqCst)), (2, 1));
    assert_eq!(send(&app, to("/never")).await.status, 429);
}

#[rate_limit(rate = "9/m")]
async fn fails() -> Result<String, Error> {
    Err(ErrorImATeapot("short and stout"))
}

#[rate_limit(rate = "9/m")]
async fn questions(path: web::Path<(String, u8)>) -> actix_web::Result<impl Responder> {
    let (name, age) = path.into_inner();
    let age = age.checked_sub(100).ok_or(ErrorImATeapot("too young"))?;
    Ok(web::Json((name, age)))
}

#[rate_limit(rate = "9/m")]
async fn either(request: HttpRequest) -> Either<&'static str, HttpResponse> {
    match request.query_string() {
        "" => Either::Left("left"),
        _ => Either::Right(HttpResponse::Gone().finish()),
    }
}

#[rate_limit(rate = "9/m")]
async fn option() -> Option<&'static str> {
    None
}

#[rate_limit(rate = "9/m")]
async fn pair() -> (String, StatusCode) {
    ("made".to_owned(), StatusCode::CREATED)
}

#[rate_limit(rate = "9/m")]
async fn own_429() -> HttpResponse {
    HttpResponse::TooManyRequests().finish()
}

#[actix_web::test]
async fn whatever_a_handler_answers_passes_unchanged_and_carries_fields() {
    let app = app!(limiter().0, |app| {
        app.route("/fails", web::get().to(fails))
            .route("/q/{name}/{age}", web::get().to(questions));
        app.route("/either", web::get().to(either)).route("/option", web::get().to(option));
        app.route("/pair", web::get().to(pair)).route("/429", web::get().to(own_429));
    });
    for (path, status, body) in [
        ("/fails", 418, "short and stout"),
        ("/q/ada/107", 200, "[\"ada\",7]"),
        ("/q/ada/7", 418, "too young"),
        ("/q/ada/x", 404, "can not parse \"x\" to a u8"),
        ("/either", 200, "left"),
        ("/either?x", 410, ""),
        ("/option", 404, ""),
        ("/pair", 201, "made"),
        ("/429", 429, ""),
    ] {
        let answer = send(&app, to(path)).await;
        assert_eq!((answer.status, &*answer.body), (status, body), "{path}");
        assert_eq!((answer.limit(), answer.retry_after()), (Some(9), None), "{path}");
    }
}
