//! An application that ends finishes what it has begun and leaves nothing behind: no task, no thread, no
//! connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{fs, time::Duration};

use actix_smart_ratelimit::{
    OnError::Deny,
    RateLimiter, Rule,
    backend::{database::DatabaseBackend, multi::MultiBackend, redis::RedisBackend},
};
use actix_web::web::{self, ServiceConfig};
use support::{
    database::PostgresServer,
    proxy::{ChaosProxy, Mode},
    redis::{PATIENCE, RedisServer},
    tcp::Server,
    trial::counted,
};
use tokio::{runtime::Handle, time::sleep};

fn ok(app: &mut ServiceConfig) {
    app.default_service(web::to(|| async { "ok" }));
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn becomes(what: &str, count: impl Fn() -> usize, expected: usize) {
    let begun = tokio::time::Instant::now();
    while count() != expected {
        let now = count();
        assert!(begun.elapsed() < PATIENCE, "{what}: {now} are left, {expected} were there before");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Several requests on one connection, all of them admitted.
async fn asks(server: &Server, times: usize) {
    let mut client = server.connect().await;
    for _ in 0..times {
        client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.response().await.0.status(), 200);
    }
}

#[actix_web::test]
async fn requests_under_way_are_answered_and_nothing_is_left() {
    let (redis, postgres) = (RedisServer::start(), PostgresServer::start());
    let direct = postgres.database();
    DatabaseBackend::connect(&direct).unwrap().migrate().await.unwrap();
    let fast = ChaosProxy::to(redis.address());
    let durable = ChaosProxy::to(postgres.address());
    let proxied = direct.replace(&postgres.address().to_string(), &durable.address().to_string());
    // What the runtime and the clock make once for all.
    tokio::task::spawn_blocking(|| ()).await.unwrap();
    asks(&Server::start(RateLimiter::in_memory().middleware(), ok), 1).await;
    for round in 0..3 {
        let before = (threads(), tasks());
        let builder =
            MultiBackend::builder().member("redis", RedisBackend::connect(&fast.url()).unwrap());
        let database = DatabaseBackend::builder(&proxied).deadline(PATIENCE).build().unwrap();
        let builder = builder.member("postgres", database).deadline(PATIENCE);
        let limiter = RateLimiter::builder().backend("main", builder.build().unwrap());
        let limiter = limiter.deadline(PATIENCE).build().unwrap();
        let limit = counted(&format!("round{round}"), 1_000).on_error(Deny);
        assert!(limiter.check(&limit, "begins the probes").await.unwrap().is_allowed());
        let server = Server::start(limiter.middleware().default_rule(Rule::new(limit)), ok);
        asks(&server, 5).await;
        fast.set(Mode::Refuse);
        fast.cut();
        asks(&server, 20).await;
        assert!(threads() > before.0 && tasks() > before.1);

        durable.set(Mode::Latency(Duration::from_millis(100)));
        let mut client = server.connect().await;
        let decided = durable.request_bytes();
        client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        while durable.request_bytes() == decided {
            sleep(Duration::from_millis(1)).await;
        }
        let (status, ()) = futures_util::future::join(
            async { client.response().await.0.status() },
            server.stop_gracefully(),
        )
        .await;
        assert_eq!(status, 200, "it was under way");
        durable.set(Mode::Pass);
        drop((client, limiter));
        becomes("tasks", tasks, before.1).await;
        becomes("threads", threads, before.0).await;
        let connections = || usize::try_from(fast.open() + durable.open()).unwrap();
        becomes("connections", connections, 0).await;
        fast.set(Mode::Pass);
    }
}
