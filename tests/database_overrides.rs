//! The table of configuration is live: what an operator writes there is in force soon after, and what was
//! in force stays while the database is away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, EventKind, Limit, RateLimiter, backend::database::DatabaseBackend,
};
use diesel::{
    Connection, MysqlConnection, PgConnection, SqliteConnection, connection::SimpleConnection,
};
use support::{
    database::{MysqlServer, PostgresServer},
    events::Events,
    rate,
};

const EVERY: Duration = Duration::from_millis(50);

async fn limit_of(limiter: &RateLimiter, key: &str) -> u64 {
    let limit = Limit::new("api", rate("10/366d")).algorithm(Algorithm::FixedWindow);
    limiter.peek(&limit, key).await.unwrap().decision().unwrap().limit()
}

/// Whether each of this many requests one after the other is admitted.
async fn take(limiter: &RateLimiter, key: &str, times: usize) -> Vec<bool> {
    let limit = Limit::new("api", rate("10/366d")).algorithm(Algorithm::FixedWindow);
    let mut admitted = Vec::new();
    for _ in 0..times {
        admitted.push(limiter.check(&limit, key).await.unwrap().is_allowed());
    }
    admitted
}

/// Waits until a key has this limit.
async fn has_limit(limiter: &RateLimiter, key: &str, limit: u64) {
    for _ in 0..1_000 {
        if limit_of(limiter, key).await == limit {
            return;
        }
        actix_web::rt::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{key} has the limit {}, not {limit}", limit_of(limiter, key).await);
}

fn insert(pattern: &str, rate: &str, active: &str) -> String {
    format!(
        "INSERT INTO django_smart_ratelimit_config (key_pattern, rate_limit, algorithm, is_active, \
         description, created_at, updated_at) VALUES ('{pattern}', '{rate}', 'fixed_window', \
         {active}, '', '2026-01-01 00:00:00', '2026-01-01 00:00:00');"
    )
}

/// Follows the table of a new database that `write` changes, until it ends.
async fn is_live(url: &str, mut write: impl FnMut(&str), [yes, no]: [&str; 2]) {
    let events = Events::default();
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(20));
    let backend = Arc::new(builder.build().unwrap());
    backend.migrate().await.unwrap();
    let builder = events.of(RateLimiter::builder()).deadline(Duration::from_secs(20));
    let limiter = builder.backend("database", backend.clone()).build().unwrap();
    actix_web::rt::spawn(limiter.follow_overrides(backend, EVERY));

    assert_eq!(limit_of(&limiter, "user:1").await, 10);
    write(&insert("api:*", "3/366d", yes));
    has_limit(&limiter, "user:1", 3).await;
    write(&insert("api:user:*", "four", yes));
    write(&insert("api:user:1", "5/366d", yes));
    has_limit(&limiter, "user:1", 5).await;
    assert_eq!(take(&limiter, "user:1", 6).await, [true, true, true, true, true, false]);
    assert_eq!(limit_of(&limiter, "user:2").await, 3, "its row cannot be understood");
    let skipped = events.kinds().into_iter().filter(|kind| *kind == EventKind::OverrideSkipped);
    assert_eq!(skipped.count(), 1, "told once");
    write(&format!(
        "UPDATE django_smart_ratelimit_config SET is_active = {no} WHERE key_pattern = 'api:user:1'"
    ));
    has_limit(&limiter, "user:1", 3).await;
    write("DELETE FROM django_smart_ratelimit_config");
    has_limit(&limiter, "user:1", 10).await;
    assert_eq!(take(&limiter, "user:1", 6).await, [true, true, true, true, true, false]);
}

#[actix_web::test]
async fn in_postgres() {
    let server = PostgresServer::shared();
    let url = server.database();
    let mut connection = PgConnection::establish(&url).unwrap();
    is_live(&url, |sql| connection.batch_execute(sql).unwrap(), ["true", "false"]).await;
}

#[actix_web::test]
async fn in_mysql() {
    let server = MysqlServer::shared();
    let url = server.database();
    let mut connection = MysqlConnection::establish(&url).unwrap();
    is_live(&url, |sql| connection.batch_execute(sql).unwrap(), ["1", "0"]).await;
}

#[actix_web::test]
async fn in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.sqlite");
    let file = file.to_str().unwrap();
    let mut connection = SqliteConnection::establish(file).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 20000").unwrap();
    let url = format!("sqlite://{file}");
    is_live(&url, |sql| connection.batch_execute(sql).unwrap(), ["1", "0"]).await;
}

#[actix_web::test]
async fn what_was_in_force_stays_while_the_database_is_away() {
    let server = PostgresServer::start();
    let url = server.database();
    let events = Events::default();
    let limiter = events.of(RateLimiter::builder()).build().unwrap();
    let builder = DatabaseBackend::builder(&url).connect_deadline(Duration::from_millis(200));
    let backend = builder.build().unwrap();
    backend.migrate().await.unwrap();
    let write = |sql: &str| PgConnection::establish(&url).unwrap().batch_execute(sql).unwrap();
    write(&insert("api:*", "3/366d", "true"));
    actix_web::rt::spawn(limiter.follow_overrides(backend, EVERY));
    has_limit(&limiter, "user:1", 3).await;

    server.kill();
    let mut kinds = Vec::new();
    while kinds.is_empty() {
        actix_web::rt::time::sleep(Duration::from_millis(10)).await;
        kinds = events.kinds();
    }
    actix_web::rt::time::sleep(EVERY * 10).await;
    assert_eq!(kinds, [EventKind::OverridesAway]);
    assert_eq!(events.kinds(), [], "told once");
    assert_eq!(limit_of(&limiter, "user:1").await, 3);

    server.restart();
    write("UPDATE django_smart_ratelimit_config SET rate_limit = '4/366d'");
    has_limit(&limiter, "user:1", 4).await;
}
