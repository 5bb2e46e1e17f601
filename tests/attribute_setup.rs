//! `#[rate_limit]` and the limiter that it finds: registered, several, none, switched off, at fault.

mod support;

use actix_smart_ratelimit::{
    EventKind::{FallbackOn, Misconfigured, Refused, StoreAway},
    MemoryBackend, RateLimiter,
    backend::{ErrorKind, Fate},
    rate_limit,
};
use actix_web::{
    App, HttpResponse, Responder, get, post, rt,
    test::init_service,
    web::{self, Data, ServiceConfig},
};
use futures_util::StreamExt;
use support::{
    backends::{Mood, Remote, Untouchable},
    events::{Events, Log},
    get as to, limiter, limiter_with, rule, send, statuses,
    tcp::Server,
};
use tracing::Level;

#[rate_limit(rate = "2/m")]
#[get("/login")]
async fn login() -> impl Responder {
    "hi"
}

#[rate_limit(rate = "5/m", backend = "redis")]
#[get("/elsewhere")]
async fn elsewhere() -> &'static str {
    "never"
}

#[rate_limit(rate = "2/m", on_error = "deny")]
#[get("/strict")]
async fn strict() -> &'static str {
    "strict"
}

fn routes(app: &mut ServiceConfig) {
    app.service(login).service(elsewhere).service(strict);
}

#[actix_web::test]
async fn without_a_limiter_it_works_in_memory_and_warns_once() {
    let (log, _guard) = Log::begin();
    let registered = init_service(App::new().app_data(limiter().0).configure(routes)).await;
    assert_eq!(send(&registered, to("/login")).await.status, 200);
    assert_eq!(log.text(), "");
    let app = init_service(App::new().configure(routes)).await;
    assert_eq!(statuses(&app, 3, || to("/login")).await, [200, 200, 429]);
    let again = init_service(App::new().configure(routes)).await;
    assert_eq!(send(&again, to("/login")).await.status, 429);
    let warnings = log.at(Level::WARN);
    assert!(
        warnings.len() == 1 && warnings[0].contains("no RateLimiter is registered"),
        "{warnings:?}"
    );
}

#[actix_web::test]
async fn every_limiter_of_a_process_has_counters_of_its_own() {
    for _ in 0..3 {
        let limiter = limiter().0;
        for _ in 0..2 {
            let app = init_service(App::new().app_data(limiter.clone()).configure(routes)).await;
            assert_eq!(send(&app, to("/login")).await.status, 200);
        }
        let app = init_service(App::new().app_data(Data::new(limiter)).configure(routes)).await;
        assert_eq!(send(&app, to("/login")).await.status, 429);
    }
}

#[actix_web::test]
async fn the_limiter_nearest_to_the_handler_counts() {
    let inner = web::scope("/inner").app_data(limiter().0).configure(routes);
    let app = App::new().app_data(limiter().0).service(inner).configure(routes);
    let app = init_service(app).await;
    for path in ["/inner/login", "/login"] {
        assert_eq!(statuses(&app, 3, || to(path)).await, [200, 200, 429], "{path}");
    }
}

#[actix_web::test]
async fn an_unregistered_backend_is_a_500_without_details_and_the_operator_is_told_which_there_are()
{
    let (log, _guard) = Log::begin();
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| {
        events.of(builder
            .backend("fast", MemoryBackend::new(9))
            .backend("durable", MemoryBackend::new(9)))
    });
    let app = init_service(App::new().app_data(limiter).configure(routes)).await;
    for _ in 0..2 {
        let answer = send(&app, to("/elsewhere")).await;
        assert_eq!((answer.status, &*answer.body), (500, "Internal Server Error"));
        assert_eq!(answer.limit_fields(), [""; 0]);
        assert_eq!(events.take(), [(Misconfigured, "attribute_setup.elsewhere".into())]);
    }
    let errors = log.at(Level::ERROR).join("\n");
    assert!(errors.contains("redis") && errors.contains("fast, durable"), "{errors}");
    assert_eq!(send(&app, to("/login")).await.status, 200);
}

#[actix_web::test]
async fn a_disabled_limiter_touches_no_store() {
    let (limiter, _) = limiter_with(|builder| builder.backend("main", Untouchable).enabled(false));
    let app = init_service(App::new().app_data(limiter).configure(routes)).await;
    for _ in 0..3 {
        let answer = send(&app, to("/login")).await;
        assert_eq!((answer.status, answer.limit_fields()), (200, vec![]));
    }
}

#[actix_web::test]
async fn a_store_that_cannot_decide_is_dealt_with_as_the_limit_or_the_limiter_says() {
    tokio::time::pause();
    for mood in
        [Mood::Silent, Mood::Fails(ErrorKind::Unreachable, Fate::NotCharged), Mood::DecidesNothing]
    {
        let (events, remote) = (Events::default(), Remote::new(mood));
        let (limiter, _) =
            limiter_with(|builder| events.of(builder.backend("main", remote.clone())));
        let app = init_service(App::new().app_data(limiter).configure(routes)).await;
        assert_eq!(statuses(&app, 3, || to("/login")).await, [200, 200, 429], "{mood:?}");
        assert_eq!(send(&app, to("/strict")).await.status, 503, "{mood:?}");
        let expected = [FallbackOn, StoreAway, StoreAway, StoreAway, Refused, StoreAway];
        assert_eq!(events.kinds(), expected);
        remote.set(Mood::Answers);
        assert_eq!(send(&app, to("/strict")).await.remaining(), Some(1), "{mood:?}");
    }
}

/// The limiter's own middleware round a handler with the attribute.
async fn with_middleware(text: &str, requests: usize) -> Vec<support::Answer> {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rule(rule("middleware", text));
    let app = init_service(App::new().wrap(limit).app_data(limiter).configure(routes)).await;
    let mut answers = Vec::new();
    for _ in 0..requests {
        answers.push(send(&app, to("/login")).await);
    }
    answers
}

#[actix_web::test]
async fn middleware_and_attribute_both_count_and_the_strictest_is_told() {
    let own = Some("attribute_setup.login");
    let answers = with_middleware("100/m", 3).await;
    for (answer, (status, remaining)) in answers.iter().zip([(200, 1), (200, 0), (429, 0)]) {
        assert_eq!((answer.status, answer.remaining()), (status, Some(remaining)));
        assert_eq!((answer.limit(), answer.policy().as_deref()), (Some(2), own));
    }
    assert_eq!(answers[2].retry_after(), Some(60));

    let answers = with_middleware("1/m", 2).await;
    let middleware = Some("middleware");
    assert_eq!((answers[0].limit(), answers[0].policy().as_deref()), (Some(1), middleware));
    assert_eq!((answers[1].status, answers[1].policy().as_deref()), (429, middleware));
}

#[rate_limit(rate = "1/h")]
#[post("/upload")]
async fn upload(body: web::Bytes) -> String {
    format!("got {} bytes", body.len())
}

#[rate_limit(rate = "1/h")]
#[get("/stream")]
async fn stream() -> HttpResponse {
    let chunks =
        ["first", "second"].map(|chunk| Ok::<_, actix_web::Error>(web::Bytes::from(chunk)));
    HttpResponse::Ok().streaming(futures_util::stream::iter(chunks))
}

#[rate_limit(rate = "1/h")]
#[get("/ws")]
async fn echo(
    request: actix_web::HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(actix_ws::Message::Text(text))) = messages.next().await {
            if session.text(text).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}

/// A server whose only limits are those of the attributes.
fn server() -> Server {
    let limiter: RateLimiter = limiter().0;
    Server::start(limiter.middleware().no_default(), move |app| {
        app.app_data(limiter.clone()).service(upload).service(stream).service(echo);
    })
}

#[actix_web::test]
async fn a_refused_upload_is_answered_though_its_body_never_comes() {
    let server = server();
    let mut client = server.connect().await;
    client.write("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await;
    let (head, body) = client.response().await;
    assert_eq!((head.status(), &*body), (200, "got 3 bytes"));
    client.write("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n").await;
    let (head, _) = client.response().await;
    assert_eq!((head.status(), head.header("x-ratelimit-remaining")), (429, Some("0")));
    server.stop().await;
}

#[actix_web::test]
async fn streams_and_websockets_carry_fields_and_work() {
    let server = server();
    let mut client = server.connect().await;
    client.write("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("x-ratelimit-remaining"), Some("0"));
    client.read_until(b"first").await;
    client.read_until(b"second").await;
    let mut client = server.connect().await;
    let upgrade = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write(upgrade).await;
    let head = client.head().await;
    assert_eq!((head.status(), head.header("x-ratelimit-remaining")), (101, Some("0")));
    client.write(b"\x81\x82\0\0\0\0hi").await;
    assert_eq!(client.read(4).await, b"\x81\x02hi");
    server.stop().await;
}
