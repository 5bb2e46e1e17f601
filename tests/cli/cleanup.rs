//! `cleanup`: what is expired goes, what counts stays.

use actix_smart_ratelimit::{Algorithm, backend::database::DatabaseBackend};
use serde_json::json;

use super::{
    command::{charge, database, policy, ratelimit, sqlite},
    support::{
        database::{MysqlServer, PostgresServer},
        redis::RedisServer,
    },
};

const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::TokenBucket];
const HOUR: u64 = 3_600;

async fn take(backend: &DatabaseBackend, keys: &[&str]) {
    for key in keys {
        for algorithm in ALGORITHMS {
            charge(backend, key, &policy(algorithm, "10/h"), 10).await;
        }
    }
}

/// Three keys that expired, two that count.
async fn filled(url: &str) {
    take(&database(url, 3 * HOUR).await, &["api:1", "api:2", "web:1"]).await;
    take(&database(url, 0).await, &["api:3", "web:2"]).await;
}

fn cleanup(url: &str, arguments: &[&str]) -> String {
    let mut all = vec!["cleanup", "--url", url];
    all.extend(arguments);
    let ran = ratelimit(&all).ends(0);
    assert_eq!(ran.err, "", "no progress where nobody looks");
    ran.out
}

async fn expired_rows_go_and_live_ones_stay(url: &str) {
    filled(url).await;
    let dry = cleanup(url, &["--dry-run"]);
    assert_eq!(dry, "DRY RUN: Would delete 3 entries, 3 counters and 6 states\n");
    let dry = cleanup(url, &["--dry-run", "--key-pattern", "api:*"]);
    assert_eq!(dry, "DRY RUN: Would delete 2 entries, 2 counters and 4 states\n");
    let done = cleanup(url, &["--key-pattern", "web:1"]);
    assert_eq!(done, "Cleaned up 1 entries, 1 counters and 2 states\n");
    let done = cleanup(url, &["--batch-size", "3"]);
    assert_eq!(done, "Cleaned up 2 entries, 2 counters and 4 states\n");
    assert_eq!(cleanup(url, &[]), "Cleaned up 0 entries, 0 counters and 0 states\n");
    let all = cleanup(url, &["--older-than", "1", "--dry-run"]);
    assert_eq!(all, "DRY RUN: Would delete 0 entries, 0 counters and 0 states\n", "they are new");
}

#[actix_web::test]
async fn postgres_loses_what_is_expired() {
    let server = PostgresServer::shared();
    expired_rows_go_and_live_ones_stay(&server.database()).await;
}

#[actix_web::test]
async fn mysql_loses_what_is_expired() {
    let server = MysqlServer::shared();
    expired_rows_go_and_live_ones_stay(&server.database()).await;
}

#[actix_web::test]
async fn sqlite_loses_what_is_expired() {
    let folder = tempfile::tempdir().unwrap();
    expired_rows_go_and_live_ones_stay(&sqlite(folder.path())).await;
}

#[actix_web::test]
async fn what_is_old_goes_also_if_it_counts_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    let long_ago = database(&url, 5 * HOUR).await;
    for algorithm in [Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        charge(&long_ago, "k", &policy(algorithm, "10/day"), 10).await;
    }
    assert_eq!(cleanup(&url, &[]), "Cleaned up 0 entries, 0 counters and 0 states\n");
    let old = cleanup(&url, &["--older-than", "6"]);
    assert_eq!(old, "Cleaned up 0 entries, 0 counters and 0 states\n");
    let old = cleanup(&url, &["--older-than", "4"]);
    assert_eq!(old, "Cleaned up 1 entries, 0 counters and 2 states\n");
}

#[actix_web::test]
async fn stale_buckets_go_only_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    let never = actix_smart_ratelimit::Policy::builder(
        Algorithm::TokenBucket,
        actix_smart_ratelimit::Rate::per_day(10),
    );
    let never = never.refill_rate(0.0).build().unwrap();
    charge(&database(&url, 8 * 24 * HOUR).await, "old", &never, 10).await;
    charge(&database(&url, 6 * 24 * HOUR).await, "new", &never, 10).await;
    let nothing = "Cleaned up 0 entries, 0 counters and 0 states\n";
    assert_eq!(cleanup(&url, &[]), nothing, "they never refill, so they never expire");
    assert_eq!(cleanup(&url, &["--stale-days", "9"]), nothing);
    let one = "Cleaned up 0 entries, 0 counters and 1 states\n";
    assert_eq!(cleanup(&url, &["--stale-days"]), one);
    assert_eq!(cleanup(&url, &["--stale-days", "5"]), one);
}

#[actix_web::test]
async fn its_json_tells_of_every_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    filled(&url).await;
    let ran = ratelimit(&["cleanup", "--json", "--batch-size", "5", "--url", &url]).ends(0);
    let mut json = ran.json();
    assert!(json["backends"][0]["milliseconds"].take().is_u64(), "{ran:?}");
    let expected = json!({
        "dry_run": false,
        "backends": [{
            "name": "store",
            "entries": 3,
            "counters": 3,
            "states": 6,
            "total": 12,
            "batches": 3,
            "milliseconds": null,
        }],
    });
    assert_eq!(json, expected);
}

#[actix_web::test]
async fn told_to_it_says_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    filled(&url).await;
    let ran = ratelimit(&["cleanup", "-v", "--batch-size", "5", "--url", &url]).ends(0);
    insta::assert_snapshot!(ran.err, @r#"
    store: 12 rows like "*" to remove, 5 at a time
    batch 1: 5 rows so far
    batch 2: 10 rows so far
    batch 3: 12 rows so far
    "#);
    assert_eq!(ran.out, "Cleaned up 3 entries, 3 counters and 6 states\n");
}

#[test]
fn without_tables_or_without_a_server_it_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let ran = ratelimit(&["cleanup", "--url", &sqlite(folder.path())]).ends(1);
    assert!(ran.err.contains("error: store: not set up: run migrations"), "{ran:?}");
    let url = "postgres://postgres:very-secret@127.0.0.1:1/app";
    let ran = ratelimit(&["cleanup", "--timeout", "1s", "--url", url]).ends(1);
    assert!(ran.err.starts_with("error: store: not reachable"), "{ran:?}");
    assert!(!ran.err.contains("secret"), "{ran:?}");
    let json = ratelimit(&["cleanup", "--timeout", "1s", "--json", "--url", url]).ends(1).json();
    assert_eq!(json["error"]["kind"], json!("unreachable"));
    assert_eq!(json["error"]["backend"], json!("store"));
}

#[test]
fn what_cannot_be_is_2() {
    let server = RedisServer::start();
    let ran = ratelimit(&["cleanup", "--url", &server.url()]).ends(2);
    assert!(ran.err.contains("no backend is a database"), "{ran:?}");
    for argument in [
        "--batch-size=0",
        "--batch-size=-1",
        "--batch-size=many",
        "--older-than=-1",
        "--stale-days=0",
        "--key-patern=api:*",
    ] {
        let ran = ratelimit(&["cleanup", "--url", "sqlite://:memory:", argument]).ends(2);
        let name = argument.split('=').next().unwrap();
        assert!(ran.err.contains(name), "{ran:?}");
    }
}
