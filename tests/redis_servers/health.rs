//! What health says: a real answer, and what an operator should look after.

use std::{future::pending, time::Instant};

use actix_smart_ratelimit::backend::{Backend, ErrorKind, Health, redis::RedisBackend};
use redis::Value;
use tokio::{join, time::timeout};

use super::support::{
    events::Log,
    ports::free_port,
    proxy::{ChaosProxy, Mode},
    redis::RedisServer,
    trial::{DEADLINE, Trial},
};

async fn health(server: &RedisServer) -> Health {
    RedisBackend::connect(&server.url()).unwrap().health().await.unwrap()
}

/// # Panics
///
/// Unless there is one warning, with this in it.
fn assert_warns(health: &Health, part: &str) {
    let [warning] = &*health.warnings else { panic!("{:?}", health.warnings) };
    assert!(warning.contains(part), "{warning}");
}

#[actix_web::test]
async fn a_server_that_is_well() {
    let health = health(&RedisServer::start()).await;
    assert!(health.warnings.is_empty(), "{:?}", health.warnings);
    assert!(health.round_trip_micros > 0);
}

#[actix_web::test]
async fn a_server_that_may_forget_counters() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", policy]);
        assert_warns(&health(&server).await, &format!("maxmemory-policy {policy}"));
    }
    for policy in ["noeviction", "volatile-ttl"] {
        let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", policy]);
        assert!(health(&server).await.warnings.is_empty(), "{policy}");
    }
}

#[actix_web::test]
async fn a_server_that_has_forgotten_keys() {
    let server = RedisServer::with(&["--maxmemory", "3mb", "--maxmemory-policy", "volatile-ttl"]);
    let filler = "x".repeat(100_000);
    for number in 0..100 {
        let _ = server.ask::<Value>(&["SET", &format!("filler{number}"), &filler, "EX", "1000"]);
    }
    assert_warns(&health(&server).await, "keys were forgotten for want of memory");
}

#[actix_web::test]
async fn a_replica() {
    let server = RedisServer::start();
    server.cli(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    assert_warns(&health(&server).await, "the server is a replica");
}

#[actix_web::test]
async fn what_there_is_to_look_after_is_logged_once_at_the_first_connection() {
    let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let (log, _guard) = Log::begin();
    let trial = Trial::of(RedisBackend::connect(&server.url()).unwrap());
    trial.begins().await;
    let warnings = || log.at(tracing::Level::WARN);
    while warnings().is_empty() {
        tokio::task::yield_now().await;
    }
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    trial.recovers().await;
    trial.begins().await;
    let about_policy = warnings().iter().filter(|line| line.contains("allkeys-lru")).count();
    assert_eq!(about_policy, 1, "{:?}", warnings());
}

#[actix_web::test]
async fn a_server_that_does_not_tell() {
    let server = RedisServer::start();
    server.cli(&["ACL", "SETUSER", "limiter", "on", ">pw", "~*", "+@all", "-info"]);
    let url = format!("redis://limiter:pw@{}", server.address());
    assert_warns(
        &RedisBackend::connect(&url).unwrap().health().await.unwrap(),
        "INFO is not permitted",
    );
}

#[actix_web::test]
async fn health_is_asked_in_one_round_trip() {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    let backend = RedisBackend::builder(proxy.url()).deadline(DEADLINE * 10).build().unwrap();
    while backend.health().await.is_err() {}
    proxy.set(Mode::Latency(DEADLINE * 6));
    let begun = Instant::now();
    let health = backend.health().await.unwrap();
    assert!(health.round_trip_micros >= 600_000, "{health:?}");
    assert!(begun.elapsed() < DEADLINE * 12, "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn health_of_a_server_that_does_not_answer_ends_by_the_deadline() {
    for connected in [false, true] {
        let server = RedisServer::start();
        let backend = RedisBackend::connect(&server.url()).unwrap();
        while connected && backend.health().await.is_err() {}
        server.freeze();
        let begun = Instant::now();
        let (health, control) = join!(async { (backend.health().await, begun.elapsed()) }, async {
            let _ = timeout(DEADLINE, pending::<()>()).await;
            begun.elapsed()
        },);
        let (health, took) = health;
        assert_eq!(health.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(took < control + DEADLINE / 2, "{took:?}, when a timer took {control:?}");
    }
}
