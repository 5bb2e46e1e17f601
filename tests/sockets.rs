//! What only a real connection shows: uploads that never come, streams, upgrades, pipelines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{convert::Infallible, sync::Arc};

use actix_smart_ratelimit::MissingAddress;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, rt,
    web::{self, ServiceConfig},
};
use actix_ws::Message;
use futures_util::{StreamExt, stream};
use support::{
    limiter, limiter_with, rate, rule,
    tcp::{Connection, Server},
};
use tokio::{net::UnixStream, sync::Notify};

/// Answers `got N bytes` once the whole body has come.
fn uploads(app: &mut ServiceConfig) {
    let upload = |body: web::Bytes| async move { format!("got {} bytes", body.len()) };
    app.default_service(web::to(upload));
}

#[actix_web::test]
async fn a_refused_upload_is_answered_though_its_body_never_comes() {
    for head in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nthe beginning",
    ] {
        let server = Server::start(limiter().0.middleware().default_rate(rate("0/m")), uploads);
        let mut client = server.connect().await;
        client.write(head).await;
        let (head, body) = client.response().await;
        assert_eq!((head.status(), &*body), (429, "Rate limit exceeded. Please try again later."));
        assert_eq!(head.header("x-ratelimit-limit"), Some("0"));
        server.stop().await;
    }
}

#[actix_web::test]
async fn an_admitted_upload_arrives_whole() {
    let server = Server::start(limiter().0.middleware(), uploads);
    let mut client = server.connect().await;
    client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n").await;
    client.write(vec![b'x'; 200_000]).await;
    let (head, body) = client.response().await;
    assert_eq!((head.status(), &*body), (200, "got 200000 bytes"));
    assert_eq!(head.header("x-ratelimit-remaining"), Some("99"));
    server.stop().await;
}

#[actix_web::test]
async fn of_a_pipeline_in_one_packet_no_request_slips_through() {
    let server = Server::start(limiter().0.middleware().default_rate(rate("1/h")), uploads);
    let mut client = server.connect().await;
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(30)).await;
    let mut admitted = 0;
    for _ in 0..30 {
        admitted += usize::from(client.response().await.0.status() == 200);
    }
    assert_eq!(admitted, 1);
    server.stop().await;
}

#[actix_web::test]
async fn a_connection_lives_on_after_a_refusal() {
    let (limiter, clock) = limiter();
    let server = Server::start(limiter.middleware().default_rate(rate("1/s")), uploads);
    let mut client = server.connect().await;
    for expected in [200, 429] {
        client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.response().await.0.status(), expected);
    }
    clock.advance_secs(1);
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), 200);
    server.stop().await;
}

#[actix_web::test]
async fn a_streamed_response_carries_fields_and_is_not_held_back() {
    let released = Arc::new(Notify::new());
    let release = released.clone();
    let server = Server::start(limiter().0.middleware(), move |app| {
        let released = released.clone();
        app.default_service(web::to(move || {
            let second = released.clone();
            let second = async move {
                second.notified().await;
                Ok::<_, Infallible>(web::Bytes::from("second"))
            };
            let first = stream::iter([Ok(web::Bytes::from("first"))]);
            async { HttpResponse::Ok().streaming(first.chain(stream::once(second))) }
        }));
    });
    let mut client = server.connect().await;
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!((head.status(), head.header("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(head.header("x-ratelimit-remaining"), Some("99"));
    client.read_until(b"first").await;
    release.notify_one();
    client.read_until(b"second").await;
    server.stop().await;
}

/// Sends every text back.
async fn echo(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, actix_web::Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(Message::Text(text))) = messages.next().await {
            if session.text(text).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[actix_web::test]
async fn a_websocket_opens_with_fields_on_its_handshake_and_speaks() {
    let limit = limiter().0.middleware().default_rate(rate("1/h"));
    let server = Server::start(limit, |app| {
        app.route("/ws", web::get().to(echo));
    });
    let mut client = server.connect().await;
    client.write(UPGRADE).await;
    let head = client.head().await;
    assert_eq!((head.status(), head.header("upgrade")), (101, Some("websocket")));
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.header("x-ratelimit-remaining"), Some("0"));
    // A final text frame of two bytes, masked with zeros.
    client.write(b"\x81\x82\0\0\0\0hi").await;
    assert_eq!(client.read(4).await, b"\x81\x02hi");

    let mut second = server.connect().await;
    second.write(UPGRADE).await;
    let (head, _) = second.response().await;
    assert_eq!((head.status(), head.header("upgrade")), (429, None));
    assert!(head.header("retry-after").is_some());
    server.stop().await;
}

#[actix_web::test]
async fn a_flood_of_header_lines_harms_no_other_client() {
    let server = Server::start(limiter().0.middleware(), uploads);
    let mut flooding = server.connect().await;
    let lines: String =
        (0..10_000).map(|n| format!("x-forwarded-for: 192.0.2.{}\r\n", n % 256)).collect();
    // The server may close before it has read everything.
    let _ = flooding.try_write(format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n")).await;
    let mut client = server.connect().await;
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.response().await.0.header("x-ratelimit-remaining"), Some("99"));
    server.stop().await;
}

#[actix_web::test]
async fn a_handler_that_panics_has_been_charged_and_harms_no_other_request() {
    let server = Server::start(limiter().0.middleware().default_rate(rate("3/h")), |app| {
        app.route("/panic", web::to(|| async { if true { panic!("as it must") } else { "" } }));
        app.default_service(web::to(|| async { "ok" }));
    });
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.write("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.rest().await, "");
    }
    let mut client = server.connect().await;
    for (status, remaining) in [(200, "0"), (429, "0")] {
        client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let (head, _) = client.response().await;
        assert_eq!(
            (head.status(), head.header("x-ratelimit-remaining")),
            (status, Some(remaining))
        );
    }
    server.stop().await;
}

#[cfg(unix)]
#[actix_web::test]
async fn clients_of_a_unix_socket_have_no_address() {
    for (missing, expected) in [
        (MissingAddress::Shared, [200, 429]),
        (MissingAddress::Allow, [200, 200]),
        (MissingAddress::Refuse, [429, 429]),
    ] {
        let (limiter, _) = limiter_with(|builder| builder.missing_address(missing));
        let name = format!("ratelimit-{}-{missing:?}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let limit = limiter.middleware().default_rule(rule("api", "1/h"));
        let server = HttpServer::new(move || App::new().wrap(limit.clone()).configure(uploads));
        let server = server.workers(1).disable_signals().bind_uds(&path).unwrap().run();
        let handle = server.handle();
        rt::spawn(server);
        for status in expected {
            let mut client = Connection::new(UnixStream::connect(&path).await.unwrap());
            client.write("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.9\r\n\r\n").await;
            assert_eq!(client.response().await.0.status(), status, "{missing:?}");
        }
        handle.stop(false).await;
        std::fs::remove_file(&path).unwrap();
    }
}
