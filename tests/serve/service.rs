//! Health, the end, and what changes while it runs.

use std::{fs, net::TcpListener, time::Duration};

use actix_smart_ratelimit::{
    config::Config,
    serve::{DecisionService, ServeError},
};
use actix_web::rt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use crate::{
    asking::{PROXY, Running, ask, connect},
    support::redis::RedisServer,
};

const QUESTION: [(&str, &str); 3] =
    [("X-Original-URI", "/"), ("X-Original-Method", "GET"), ("X-Forwarded-For", "203.0.113.7")];

fn with_redis(server: &RedisServer, deadline: &str) -> String {
    format!(
        "deadline = \"{deadline}\"\n[backends.redis]\nkind = \"redis\"\nurl = \"{}\"\n\
         deadline = \"{deadline}\"\n",
        server.url()
    )
}

#[actix_web::test]
async fn it_is_ready_when_its_stores_are_and_decides_all_the_same() {
    let server = RedisServer::start();
    let service = Running::start(&with_redis(&server, "200ms"));
    for path in ["/healthz", "/readyz"] {
        let answer = ask("127.0.0.7", service.address, &format!("GET {path}"), &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    server.kill();
    let answer = ask(PROXY, service.address, "GET /", &QUESTION).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, Some("100")));
    let unready = async {
        while ask(PROXY, service.address, "GET /readyz", &[]).await.status != 503 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), unready).await.expect("it stays ready without its store");
    assert_eq!(ask(PROXY, service.address, "GET /healthz", &[]).await.status, 200);
}

#[actix_web::test]
async fn open_requests_are_answered_before_it_ends() {
    let server = RedisServer::start();
    let service = Running::start(&with_redis(&server, "10s"));
    assert_eq!(ask(PROXY, service.address, "GET /", &QUESTION).await.status, 200);
    server.freeze();
    let mut open = connect(PROXY, service.address).await;
    let text = "GET / HTTP/1.1\r\nHost: x\r\nX-Original-URI: /\r\nX-Original-Method: GET\r\n\
                X-Forwarded-For: 203.0.113.7\r\n\r\n";
    open.write_all(text.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let stopping = rt::spawn(service.handle.stop(true));
    sleep(Duration::from_millis(300)).await;
    assert!(!stopping.is_finished(), "it ended before it answered");
    server.thaw();
    let mut answer = [0; 12];
    open.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    timeout(Duration::from_secs(60), stopping).await.expect("it never ends").unwrap();
}

#[actix_web::test]
async fn its_rules_follow_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    let text = |rate| {
        format!(
            "[client_ip]\ntrusted_proxies = [\"{PROXY}\"]\n[middleware]\ndefault_rate = \"{rate}\"\n"
        )
    };
    fs::write(&path, text("3/h")).unwrap();
    let service = Running::of(Config::load_with(&path, []).unwrap());
    let limit = || async {
        let answer = ask(PROXY, service.address, "GET /", &QUESTION).await;
        answer.header("x-ratelimit-limit").map(str::to_owned)
    };
    assert_eq!(limit().await.as_deref(), Some("3"));
    fs::write(&path, text("1000/h")).unwrap();
    let followed = async {
        while limit().await.as_deref() != Some("1000") {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), followed).await.expect("the file is not followed");
}

#[actix_web::test]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::from_toml_str("").unwrap();
    config.serve.bind = vec![taken.local_addr().unwrap()];
    let error = DecisionService::bind(&config).unwrap_err();
    assert!(matches!(&error, ServeError::Bind(address, _) if *address == config.serve.bind[0]));
    assert!(error.to_string().starts_with(&format!("cannot listen at {}", config.serve.bind[0])));
}

#[cfg(feature = "prometheus")]
#[actix_web::test]
async fn what_it_decides_can_be_read_as_metrics() {
    let rule = "[[middleware.rules]]\nname = \"measured\"\npath = \"/\"\nrate = \"2/h\"\n";
    let service = Running::start(rule);
    for status in [200, 200, 429] {
        assert_eq!(ask(PROXY, service.address, "GET /", &QUESTION).await.status, status);
    }
    let answer = ask(PROXY, service.address, "GET /metrics", &[]).await;
    assert_eq!(answer.status, 200);
    for (outcome, count) in [("allowed", 2), ("refused", 1)] {
        let series = format!(
            "ratelimit_decisions_total{{rule=\"measured\",outcome=\"{outcome}\",backend=\"memory\"}}"
        );
        assert!(answer.body.contains(&format!("{series} {count}\n")), "{}", answer.body);
    }
}
