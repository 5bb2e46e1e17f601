//! Housekeeping removes what is of no use any more, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use actix_smart_ratelimit::{
    Algorithm, ManualClock, Policy, Timestamp,
    backend::{
        ErrorKind,
        database::{Cleaned, Cleanup, DatabaseBackend},
    },
};
use support::database::{
    MysqlServer, PostgresServer,
    asking::{check, left},
};

const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::TokenBucket];

fn policy(algorithm: Algorithm) -> Policy {
    Policy::new(algorithm, "10/h".parse().unwrap())
}

/// A backend whose clock shows a whole hour of tomorrow or later.
async fn migrated(url: &str) -> (DatabaseBackend, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_secs(4_000_000_000 / 3_600 * 3_600));
    let builder = DatabaseBackend::builder(url).clock(clock.clone()).denial_cache(0);
    let backend = builder.deadline(Duration::from_secs(20)).build().unwrap();
    backend.migrate().await.unwrap();
    (backend, clock)
}

async fn charge(backend: &DatabaseBackend, keys: &[&str]) {
    for key in keys {
        for algorithm in ALGORITHMS {
            let decision = check(backend, key, &policy(algorithm), 10).await.unwrap();
            assert!(decision.is_allowed(), "{key} {algorithm}");
        }
    }
}

async fn clean(backend: &DatabaseBackend, cleanup: Cleanup) -> (u64, u64, u64) {
    let Cleaned { entries, counters, states, .. } = backend.clean(cleanup, |_| {}).await.unwrap();
    (entries, counters, states)
}

async fn removes_only_what_is_expired(url: &str) {
    let (backend, clock) = migrated(url).await;
    charge(&backend, &["old:1", "old:2"]).await;
    clock.advance_secs(1_800);
    charge(&backend, &["new"]).await;
    // A full bucket, the window, the entries: all of one hour; locks of logs and states a minute more.
    clock.advance_secs(1_800 + 61);

    let dry = Cleanup::expired().dry_run(true);
    assert_eq!(clean(&backend, dry.clone()).await, (2, 3, 4));
    assert_eq!(clean(&backend, dry).await, (2, 3, 4), "a dry run removes nothing");
    assert_eq!(clean(&backend, Cleanup::expired()).await, (2, 3, 4));
    assert_eq!(clean(&backend, Cleanup::expired()).await, (0, 0, 0));

    for algorithm in [Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let decision = check(&backend, "new", &policy(algorithm), 10).await.unwrap();
        assert!(!decision.is_allowed(), "{algorithm} of a live key");
        assert_eq!(left(&backend, "old:1", &policy(algorithm)).await, 10);
    }
}

async fn finds_keys_by_pattern(url: &str) {
    let (backend, clock) = migrated(url).await;
    let keys =
        ["api:1", "api:2", "API:3", "apix", "a%i:4", "a_i:5", "a?i:6", "a[i]:7", "b!:8", "b\\:9"];
    charge(&backend, &keys).await;
    clock.advance_secs(7_200);
    for (pattern, matching) in [
        ("api:*", 2),
        ("API:*", 1),
        ("api", 0),
        ("apix", 1),
        ("a%*", 1),
        ("a_*", 1),
        ("a?*", 1),
        ("a[i]*", 1),
        ("b!*", 1),
        ("b\\*", 1),
        ("*i*", 7),
        ("*:1", 1),
        ("*", 10),
    ] {
        let dry = Cleanup::expired().key_pattern(pattern).dry_run(true);
        let expected = (matching, matching, 2 * matching);
        assert_eq!(clean(&backend, dry).await, expected, "{pattern}");
    }
    assert_eq!(clean(&backend, Cleanup::expired().key_pattern("api:*")).await, (2, 2, 4));
    assert_eq!(clean(&backend, Cleanup::expired()).await, (8, 8, 16));
}

async fn works_in_batches(url: &str) {
    let (backend, clock) = migrated(url).await;
    let keys: Vec<_> = (0..5).map(|key| key.to_string()).collect();
    charge(&backend, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    clock.advance_secs(7_200);
    let mut told = Vec::new();
    let cleanup = Cleanup::expired().batch_size(7);
    let cleaned = backend.clean(cleanup, |so_far| told.push(so_far.total())).await.unwrap();
    assert_eq!(cleaned.total(), 20);
    assert_eq!(told, [7, 14, 20]);
}

/// `#[test]`s of one behaviour on each kind of database.
macro_rules! on_each {
    ($($behaviour:ident: $postgres:ident, $mysql:ident, $sqlite:ident;)+) => {$(
        #[actix_web::test]
        async fn $postgres() {
            let server = PostgresServer::shared();
            $behaviour(&server.database()).await;
        }

        #[actix_web::test]
        async fn $mysql() {
            let server = MysqlServer::shared();
            $behaviour(&server.database()).await;
        }

        #[actix_web::test]
        async fn $sqlite() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("limits.sqlite");
            $behaviour(&format!("sqlite://{}", file.display())).await;
        }
    )+};
}

on_each! {
    removes_only_what_is_expired:
        postgres_loses_only_what_is_expired,
        mysql_loses_only_what_is_expired,
        sqlite_loses_only_what_is_expired;
    finds_keys_by_pattern:
        patterns_mean_the_same_in_postgres,
        patterns_mean_the_same_in_mysql,
        patterns_mean_the_same_in_sqlite;
    works_in_batches:
        postgres_is_cleaned_batch_by_batch,
        mysql_is_cleaned_batch_by_batch,
        sqlite_is_cleaned_batch_by_batch;
}

#[actix_web::test]
async fn what_was_long_not_written_goes_also_if_it_counts() {
    let (backend, clock) = migrated("sqlite://:memory:").await;
    let bucket = Policy::new(Algorithm::Gcra, "10/day".parse().unwrap());
    for key in ["idle", "busy"] {
        assert!(check(&backend, key, &bucket, 9).await.unwrap().is_allowed());
    }
    clock.advance_secs(600);
    assert!(check(&backend, "busy", &bucket, 1).await.unwrap().is_allowed());
    clock.advance_secs(300);
    let age = Duration::from_secs(600);
    assert_eq!(clean(&backend, Cleanup::older_than(age)).await, (0, 0, 1));
    assert_eq!(left(&backend, "idle", &bucket).await, 10);
    assert_eq!(left(&backend, "busy", &bucket).await, 0);
}

#[actix_web::test]
async fn a_task_cleans_at_every_interval() {
    let (backend, clock) = migrated("sqlite://:memory:").await;
    let task = actix_web::rt::spawn(backend.clean_regularly(Duration::from_millis(5)));
    charge(&backend, &["k"]).await;
    clock.advance_secs(7_200);
    let dry = Cleanup::expired().dry_run(true);
    for _ in 0..2_000 {
        if clean(&backend, dry.clone()).await == (0, 0, 0) {
            task.abort();
            return;
        }
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing was removed");
}

#[actix_web::test]
async fn a_cleanup_of_missing_tables_asks_for_migrations() {
    let backend = DatabaseBackend::connect("sqlite://:memory:").unwrap();
    let error = backend.clean(Cleanup::expired(), |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
}
