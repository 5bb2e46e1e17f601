//! What an operator sees of the states that stores keep.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use actix_smart_ratelimit::{
    Algorithm, Batch, Check, MemoryBackend, Policy, Rate, Timestamp,
    backend::{
        Backend, Listing, Progress, StoredState, StoredValue, Upkeep,
        database::DatabaseBackend,
        redis::RedisBackend,
        wrap::{DenialCache, Leases},
    },
};
use support::{
    database::{MysqlServer, PostgresServer},
    redis::{RedisCluster, RedisServer},
};

const PATIENCE: Duration = Duration::from_secs(20);
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::FixedWindow,
    Algorithm::SlidingWindow,
    Algorithm::SlidingWindowCounter,
    Algorithm::TokenBucket,
    Algorithm::LeakyBucket,
    Algorithm::Gcra,
];

fn policy(algorithm: Algorithm) -> Policy {
    Policy::new(algorithm, Rate::per_hour(10))
}

async fn charge(backend: &dyn Backend, key: &str, policy: &Policy, cost: u32) {
    let mut batch = Batch::of(Timestamp::ZERO, Check { key, policy, cost });
    let verdict = match backend.check(&mut batch) {
        Progress::Done => batch.into_verdict(),
        Progress::Pending(verdict) => verdict.await.unwrap(),
    };
    assert!(verdict.is_allowed(), "{key}");
}

fn upkeep(backend: &dyn Backend) -> &dyn Upkeep {
    backend.upkeep().expect("the store shows what it keeps")
}

async fn list(backend: &dyn Backend, pattern: &str, limit: usize) -> Listing {
    upkeep(backend).list(pattern, limit).await.unwrap()
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.keys.keys().map(String::as_str).collect()
}

fn value<'s>(state: &'s StoredState, name: &str) -> &'s StoredValue {
    let found = state.values.iter().find(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no {name} in {state:?}")).1
}

fn redis(url: String) -> RedisBackend {
    RedisBackend::builder(url).deadline(PATIENCE).connect_deadline(PATIENCE).build().unwrap()
}

async fn database(url: &str) -> DatabaseBackend {
    let backend = DatabaseBackend::builder(url).deadline(PATIENCE).build().unwrap();
    backend.migrate().await.unwrap();
    backend
}

/// The keys of any store are listed by pattern, up to a bound.
async fn lists_keys(backend: &dyn Backend) {
    let names = ["r:api:1", "r:api:2", "r:API:3", "r:a%i:4", "r:a_i:5", "r:a?i:6", "r:a[i]:7"];
    for name in names {
        charge(backend, name, &policy(Algorithm::Gcra), 1).await;
    }
    charge(backend, "r:api:2", &policy(Algorithm::SlidingWindow), 1).await;
    for (pattern, expected) in [
        ("r:api:*", &["r:api:1", "r:api:2"][..]),
        ("r:api:2", &["r:api:2"]),
        ("r:api", &[]),
        ("*:3", &["r:API:3"]),
        ("r:a%*", &["r:a%i:4"]),
        ("r:a_*", &["r:a_i:5"]),
        ("r:a?*", &["r:a?i:6"]),
        ("r:a[i]*", &["r:a[i]:7"]),
        ("r:*i:*", &["r:a%i:4", "r:a?i:6", "r:a_i:5", "r:api:1", "r:api:2"]),
    ] {
        let listing = list(backend, pattern, 100).await;
        assert_eq!(keys(&listing), expected, "{pattern}");
        assert!(listing.is_complete, "{pattern}");
    }
    let all = list(backend, "r:*", 7).await;
    assert_eq!((all.keys.len(), all.is_complete), (7, true));
    let kinds: Vec<_> = all.keys["r:api:2"].iter().map(|state| state.kind).collect();
    assert!(kinds.contains(&"sliding_window"), "{kinds:?}");
    let some = list(backend, "r:*", 3).await;
    assert_eq!((some.keys.len(), some.is_complete), (3, false));
}

#[actix_web::test]
async fn keys_in_redis_are_listed_by_pattern() {
    let server = RedisServer::start();
    server.cli(&["SET", "somebody:else", "text"]);
    server.cli(&["RPUSH", "r:api:list", "text"]);
    lists_keys(&redis(server.url())).await;
}

#[actix_web::test]
async fn keys_of_all_servers_of_a_cluster_are_listed() {
    let cluster = RedisCluster::start(3);
    let builder = RedisBackend::cluster(cluster.urls());
    let backend = builder.deadline(PATIENCE).connect_deadline(PATIENCE).build().unwrap();
    lists_keys(&backend).await;
}

#[actix_web::test]
async fn keys_in_postgres_are_listed_by_pattern() {
    let server = PostgresServer::shared();
    lists_keys(&database(&server.database()).await).await;
}

#[actix_web::test]
async fn keys_in_mysql_are_listed_by_pattern() {
    let server = MysqlServer::shared();
    lists_keys(&database(&server.database()).await).await;
}

#[actix_web::test]
async fn keys_in_sqlite_are_listed_by_pattern() {
    lists_keys(&database("sqlite://:memory:").await).await;
}

/// Whether a time is about now.
fn is_recent(value: &StoredValue) -> bool {
    let StoredValue::Time(time) = value else { return false };
    let now = actix_smart_ratelimit::Clock::System.now();
    now.since(*time).max(time.since(now)) < 60_000_000
}

#[actix_web::test]
async fn what_redis_keeps_of_a_key_is_told_by_algorithm() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let key = format!("r:{algorithm}:42");
        charge(&redis(server.url()), &key, &policy(algorithm), 3).await;
        // Another process, which has not met the policy.
        let stranger = redis(server.url());
        let states = upkeep(&stranger).inspect(&key).await.unwrap();
        let [state] = &*states else { panic!("{algorithm}: {states:?}") };
        assert_eq!((&*state.key, state.kind), (&*key, algorithm.name()));
        assert!(state.expires_at.is_some(), "{state:?}");
        let expected = StoredValue::Number(3);
        match algorithm {
            Algorithm::FixedWindow => assert_eq!(value(state, "count"), &expected),
            Algorithm::SlidingWindow => {
                assert_eq!(value(state, "entries"), &expected);
                assert!(is_recent(value(state, "first")) && is_recent(value(state, "last")));
            }
            Algorithm::TokenBucket => {
                assert_eq!(value(state, "tokens"), &StoredValue::Text("7".to_owned()));
                assert!(is_recent(value(state, "last_refill")));
            }
            Algorithm::LeakyBucket => {
                assert_eq!(value(state, "level"), &StoredValue::Text("3".to_owned()));
            }
            _ => assert_eq!(state.values.len(), 1, "{state:?}"),
        }
    }
    assert_eq!(upkeep(&redis(server.url())).inspect("r:nobody").await.unwrap(), []);
}

/// A state for each algorithm; the tag says which policy understands it.
async fn tells_what_a_table_keeps(backend: &DatabaseBackend) {
    for algorithm in ALGORITHMS {
        let (key, policy) = (format!("r:{algorithm}"), policy(algorithm));
        charge(backend, &key, &policy, 3).await;
        let states = upkeep(backend).inspect(&key).await.unwrap();
        assert!(states.iter().all(|state| state.key == key && state.expires_at.is_some()));
        let kinds: Vec<_> = states.iter().map(|state| (state.kind, state.tag)).collect();
        let of_policy = ("state", Some(policy.state_tag()));
        match algorithm {
            Algorithm::FixedWindow => {
                assert_eq!(kinds, [("fixed_window", None)]);
                assert_eq!(value(&states[0], "count"), &StoredValue::Number(3));
            }
            Algorithm::SlidingWindow => {
                assert_eq!(kinds, [("sliding_window", None), of_policy]);
                assert_eq!(value(&states[0], "permits"), &StoredValue::Number(3));
                assert!(is_recent(value(&states[0], "last")));
            }
            _ => {
                assert_eq!(kinds, [of_policy]);
                assert!(is_recent(value(&states[0], "written")));
            }
        }
    }
    let long = "k".repeat(300);
    charge(backend, &long, &policy(Algorithm::Gcra), 1).await;
    assert_eq!(upkeep(backend).inspect(&long).await.unwrap()[0].key, long);
    assert_eq!(upkeep(backend).inspect("r:%").await.unwrap(), []);
}

#[actix_web::test]
async fn what_postgres_keeps_of_a_key_is_told() {
    let server = PostgresServer::shared();
    tells_what_a_table_keeps(&database(&server.database()).await).await;
}

#[actix_web::test]
async fn what_mysql_keeps_of_a_key_is_told() {
    let server = MysqlServer::shared();
    tells_what_a_table_keeps(&database(&server.database()).await).await;
}

#[actix_web::test]
async fn what_sqlite_keeps_of_a_key_is_told() {
    tells_what_a_table_keeps(&database("sqlite://:memory:").await).await;
}

#[actix_web::test]
async fn migrations_that_were_not_run_are_told() {
    let backend = DatabaseBackend::connect("sqlite://:memory:").unwrap();
    let run = async || {
        let all = backend.migrations().await.unwrap();
        assert!(all.is_sorted_by(|a, b| a.name < b.name), "{all:?}");
        (all.len(), all.iter().filter(|migration| migration.is_run).count())
    };
    let (all, done) = run().await;
    assert!(all >= 2 && done == 0, "{done} of {all}");
    backend.migrate().await.unwrap();
    assert_eq!(run().await, (all, all));
}

#[actix_web::test]
async fn memory_keeps_no_keys_to_show_and_wrappers_show_what_they_wrap() {
    assert!(MemoryBackend::default().upkeep().is_none());
    let redis = || RedisBackend::connect("redis://127.0.0.1:1").unwrap();
    assert!(DenialCache::around(redis()).upkeep().is_some());
    assert!(Leases::around(redis(), 10).upkeep().is_some());
    assert!(std::sync::Arc::new(redis()).upkeep().is_some());
    let wrapped = DenialCache::around(DatabaseBackend::connect("sqlite://:memory:").unwrap());
    assert!(wrapped.upkeep().and_then(Upkeep::database).is_some());
}
