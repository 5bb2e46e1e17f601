//! What the arguments of `#[rate_limit]` do.

mod support;

use actix_smart_ratelimit::{Rate, RateLimitInfo, Refusal, rate, rate_limit};
use actix_web::{
    App, HttpRequest, HttpResponse, get, middleware::from_fn, test::init_service, web,
};
use futures_util::future::join_all;
use support::{
    backends::Recording, counted::authenticate, get as to, limiter, limiter_with, send, statuses,
};

/// An application of these routes with a limiter.
macro_rules! app {
    ($limiter:expr, $routes:expr) => {
        init_service(App::new().app_data($limiter).configure($routes)).await
    };
}

fn heavy(request: &HttpRequest) -> u32 {
    if request.query_string() == "heavy" { 5 } else { 1 }
}

fn is_internal(request: &HttpRequest) -> bool {
    request.headers().contains_key("x-internal")
}

fn by_plan(request: &HttpRequest) -> Vec<Rate> {
    let plan = request.headers().get("x-plan");
    plan.map(|_| rate!("50/m")).into_iter().collect()
}

fn by_plan_or_ip(request: &HttpRequest) -> Option<String> {
    Some(request.headers().get("x-plan")?.to_str().ok()?.to_owned())
}

fn sorry(_: &HttpRequest, refusal: &Refusal) -> HttpResponse {
    let scope = refusal.info().map(|info| info.scope().to_owned()).unwrap_or_default();
    HttpResponse::ServiceUnavailable().body(format!("sorry, {scope}"))
}

#[rate_limit(
    key = by_plan_or_ip,
    rate = "6/m",
    scope = "search",
    cost = heavy,
    skip_if = is_internal,
    on_refused = sorry
)]
#[get("/search")]
async fn search() -> &'static str {
    "found"
}

#[rate_limit(rate = by_plan, scope = "plans")]
#[get("/plans")]
async fn plans() -> &'static str {
    "plans"
}

#[actix_web::test]
async fn functions_of_the_application_decide_cost_exceptions_rates_keys_and_refusals() {
    let (limiter, _) = limiter_with(|builder| builder.default_rate(support::rate("3/m")));
    let app = app!(limiter, |app| {
        app.service(search).service(plans);
    });
    assert_eq!(send(&app, to("/search?heavy")).await.remaining(), Some(1));
    let refused = send(&app, to("/search?heavy")).await;
    assert_eq!((refused.status, &*refused.body), (503, "sorry, search"));
    assert_eq!((refused.remaining(), refused.retry_after()), (Some(1), Some(60)));
    assert_eq!(send(&app, to("/search")).await.remaining(), Some(0));
    let internal = send(&app, to("/search").insert_header(("x-internal", "1"))).await;
    assert_eq!((internal.status, internal.limit_fields()), (200, vec![]));
    let other = to("/search").insert_header(("x-plan", "pro"));
    assert_eq!(send(&app, other).await.remaining(), Some(5));
    assert_eq!(send(&app, to("/plans").insert_header(("x-plan", "pro"))).await.limit(), Some(50));
    assert_eq!(send(&app, to("/plans")).await.limit(), Some(3));
}

#[rate_limit(rate = "1/m", block = false)]
#[get("/open")]
async fn open(info: RateLimitInfo) -> String {
    format!("{} {}", info.is_allowed(), info.remaining())
}

#[rate_limit(rate = "1/m", shadow = true)]
#[get("/tried")]
async fn tried(info: Option<RateLimitInfo>) -> String {
    info.is_some().to_string()
}

#[actix_web::test]
async fn a_limit_that_does_not_block_tells_the_handler_and_a_shadow_tells_nobody() {
    let app = app!(limiter().0, |app| {
        app.service(open).service(tried);
    });
    for body in ["true 0", "false 0", "false 0"] {
        let answer = send(&app, to("/open")).await;
        assert_eq!((answer.status, &*answer.body, answer.remaining()), (200, body, Some(0)));
    }
    for _ in 0..3 {
        let answer = send(&app, to("/tried")).await;
        assert_eq!((&*answer.body, answer.limit_fields()), ("false", vec![]));
    }
}

#[rate_limit(key = "user_or_ip", rate = "9/m, 20/h", scope = "several")]
#[rate_limit(key = "path:id", rate = "2/m", scope = "one")]
#[get("/items/{id}")]
async fn item(id: web::Path<u32>) -> String {
    id.to_string()
}

#[actix_web::test]
async fn several_limits_each_count_by_their_own_key_and_the_strictest_is_told() {
    let backend = Recording::new();
    let (limiter, _) = limiter_with(|builder| builder.backend("main", backend.clone()));
    let app = App::new().app_data(limiter).wrap(from_fn(authenticate));
    let app = init_service(app.service(item)).await;
    let as_user = || to("/items/7").insert_header(("x-test-user", "42"));
    let answer = send(&app, as_user()).await;
    assert_eq!((answer.policy().as_deref(), answer.remaining()), (Some("one"), Some(1)));
    let mut keys = backend.take();
    keys.sort();
    let expected = ["one:path:id:7", "several:user:42", "several:user:42#20/h"];
    assert_eq!(keys, expected.map(|key| format!("ratelimit:{key}")));
    assert_eq!(statuses(&app, 2, as_user).await, [200, 429]);
    assert_eq!(send(&app, to("/items/8")).await.status, 200);
}

#[rate_limit(rate = "20/h")]
#[get("/busy")]
async fn busy() -> &'static str {
    "busy"
}

#[actix_web::test]
async fn concurrent_requests_are_admitted_to_the_limit_exactly() {
    let app = app!(limiter().0, |app| {
        app.service(busy);
    });
    let statuses = join_all((0..80).map(|_| send(&app, to("/busy")))).await;
    assert_eq!(statuses.iter().filter(|answer| answer.status == 200).count(), 20);
}
