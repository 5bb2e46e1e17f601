//! What a refused client reads: text, problem details, or the application's own response.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{EventKind, Headers, Reason, Refusal};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use support::{Answer, answering, events::Events, get, limiter, limiter_with, rate, rule, send};

const TEXT: &str = "Rate limit exceeded. Please try again later.";

/// What a client with this `Accept` gets when it is refused.
async fn refused(accept: &[&str]) -> Answer {
    let (limiter, _) = limiter();
    let app = answering(limiter.middleware().default_rule(rule("login", "0/m"))).await;
    let request =
        accept.iter().fold(get("/"), |request, line| request.append_header(("accept", *line)));
    send(&app, request).await
}

#[actix_web::test]
async fn a_client_that_prefers_json_gets_problem_details() {
    for accept in [
        &["application/json"][..],
        &["application/problem+json"],
        &["application/problem+json, application/json;q=0.9"],
        &["application/json, text/plain, */*"],
        &["application/json, */*;q=0.5"],
        &["text/html;q=0.8, application/json"],
        &["text/*;q=0.3", "application/json;q=0.4"],
        &["application/json;q=0.1"],
        &["Application/JSON; charset=utf-8"],
        &["application/vnd.api+json"],
        &["application/json, text/plain;q=0"],
        &["nonsense, application/json"],
    ] {
        let answer = refused(accept).await;
        assert_eq!(answer.status, 429);
        let content_type = answer.header("content-type");
        assert_eq!(content_type.as_deref(), Some("application/problem+json"), "{accept:?}");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        let expected = json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Too Many Requests",
            "status": 429,
            "detail": TEXT,
            "violated-policies": ["login"],
        });
        assert_eq!(problem, expected);
    }
}

#[actix_web::test]
async fn every_other_client_gets_text() {
    for accept in [
        &[][..],
        &[""],
        &["*/*"],
        &["text/plain"],
        &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
        &["image/png"],
        &["text/plain, application/json"],
        &["text/html, application/json;q=0.9"],
        &["application/json;q=0"],
        &["application/json;q=0, */*"],
        &["application/json;q=0.5, */*;q=0.8"],
        &["application/jsonp"],
        &["text/json-ish"],
        &["json"],
        &["application/json;q=2"],
    ] {
        let answer = refused(accept).await;
        assert_eq!((answer.status, &*answer.body), (429, TEXT), "{accept:?}");
        assert_eq!(answer.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
    }
}

#[actix_web::test]
async fn problem_details_name_the_policy_in_plain_characters() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rule(rule("a\"b\\c\u{202e}é", "0/m"));
    let app = answering(limit).await;
    let answer = send(&app, get("/").insert_header(("accept", "application/json"))).await;
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["violated-policies"], json!(["a_b%5Cc__"]));
}

#[actix_web::test]
async fn nothing_of_the_client_or_the_store_is_in_a_refusal() {
    let secret = "s3cret-value";
    let (limiter, _) = limiter();
    let by_secret = rule("login", "0/m").key(actix_smart_ratelimit::Key::header("x-plan"));
    let app = answering(limiter.middleware().default_rule(by_secret)).await;
    for accept in ["text/plain", "application/json"] {
        let request = get(&format!("/{secret}?{secret}")).insert_header(("x-plan", secret));
        let answer = send(&app, request.insert_header(("accept", accept))).await;
        assert_eq!(answer.status, 429);
        let all = format!("{:?}{}", answer.headers, answer.body);
        for leak in [secret, support::CLIENT, "ratelimit:", "memory"] {
            assert!(!all.contains(leak), "{all}");
        }
    }
}

#[actix_web::test]
async fn an_application_s_own_response_is_sent_with_the_fields_added() {
    fn respond(request: &HttpRequest, refusal: &Refusal) -> HttpResponse {
        let info = refusal.info().unwrap();
        let wait = info.retry_after_secs().unwrap_or(0);
        let text = format!("{} {:?} {} {wait}", request.path(), refusal.reason(), info.scope());
        HttpResponse::build(StatusCode::IM_A_TEAPOT).insert_header(("x-own", "yes")).body(text)
    }
    let (limiter, _) = limiter();
    let own = rule("login", "1/m").on_refused(respond);
    let app = answering(limiter.middleware().default_rule(own)).await;
    send(&app, get("/")).await;
    let answer = send(&app, get("/some/where")).await;
    assert_eq!((answer.status, &*answer.body), (418, "/some/where LimitReached login 60"));
    assert_eq!(answer.header("x-own").as_deref(), Some("yes"));
    assert_eq!(
        (answer.limit(), answer.remaining(), answer.retry_after()),
        (Some(1), Some(0), Some(60))
    );
}

#[actix_web::test]
async fn an_own_response_may_pass_the_default_one_on() {
    let (limiter, _) = limiter();
    let own = rule("login", "0/m").on_refused(|request, refusal| {
        assert_eq!(refusal.reason(), Reason::CostExceedsLimit);
        let mut response = refusal.default_response(request);
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    let app = answering(limiter.middleware().default_rule(own)).await;
    let answer = send(&app, get("/")).await;
    assert_eq!((answer.status, &*answer.body), (403, TEXT));
}

#[actix_web::test]
async fn a_panic_in_it_leaves_the_default_response() {
    let (limiter, _) = limiter();
    let own = rule("login", "1/m").on_refused(|_, _| panic!("no response can be had"));
    let app = answering(limiter.middleware().default_rule(own)).await;
    send(&app, get("/")).await;
    for _ in 0..2 {
        let answer = send(&app, get("/")).await;
        assert_eq!((answer.status, &*answer.body, answer.retry_after()), (429, TEXT, Some(60)));
    }
}

#[actix_web::test]
async fn each_refusal_is_one_event_of_its_rule() {
    let events = Events::default();
    let (limiter, _) =
        limiter_with(|builder| events.of(builder).headers(Headers::NONE).default_rate(rate("1/m")));
    let app =
        answering(limiter.middleware().rule(rule("none", "0/m").methods([Method::PUT]))).await;
    for request in [get("/"), get("/"), get("/").method(Method::PUT)] {
        send(&app, request).await;
    }
    let refused = |scope: &str| (EventKind::Refused, scope.to_owned());
    assert_eq!(events.take(), [refused("default"), refused("none")]);
}
