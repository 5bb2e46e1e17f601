//! Databases that fail: within the deadline there is an error that says what became of the charge, and
//! when the database is back, so is the limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Policy, Rate,
    backend::{Backend, ErrorKind, Fate, database::DatabaseBackend},
};
use diesel::{Connection, PgConnection, SqliteConnection, connection::SimpleConnection};
use futures_util::future::join_all;
use support::{
    database::{
        PostgresServer,
        asking::{cause, check, left},
    },
    ports::free_port,
    proxy::{ChaosProxy, Mode},
};

/// Long enough that nothing comes back during a test.
fn gcra(limit: u32) -> Policy {
    Policy::new(Algorithm::Gcra, Rate::new(limit, 366 * 86_400 * 1_000_000).unwrap())
}

/// Waits until the database decides again.
async fn decides_again(backend: &DatabaseBackend) {
    let policy = gcra(1_000_000);
    for _ in 0..600 {
        if check(backend, "again", &policy, 1).await.is_ok() {
            return;
        }
        actix_web::rt::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the backend does not recover");
}

#[actix_web::test]
async fn a_server_that_is_not_there_is_unreachable_and_charges_nothing() {
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://nobody@127.0.0.1:{}/none", free_port());
        let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(20));
        let backend = builder.connect_deadline(Duration::from_millis(200)).build().unwrap();
        let error = check(&backend, "k", &gcra(1), 1).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unreachable, Fate::NotCharged));
        assert_eq!(backend.health().await.unwrap_err().kind(), ErrorKind::Unreachable);
    }
}

#[actix_web::test]
async fn while_a_server_is_away_nobody_waits_and_when_it_is_back_it_serves() {
    let server = PostgresServer::start();
    let url = server.database();
    DatabaseBackend::connect(&url).unwrap().migrate().await.unwrap();
    server.kill();
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(20)).connections(1);
    let backend = builder.connect_deadline(Duration::from_millis(200)).build().unwrap();
    let policy = gcra(10);
    let mut errors = Vec::new();
    for _ in 0..1_000 {
        errors.push(check(&backend, "k", &policy, 1).await.unwrap_err());
    }
    let kinds: Vec<_> = errors.iter().map(|error| (error.kind(), error.fate())).collect();
    assert_eq!(kinds, vec![(ErrorKind::Unreachable, Fate::NotCharged); 1_000]);
    let at_once = errors.iter().filter(|error| cause(error) == "there is no connection").count();
    assert_eq!(at_once, 999, "only the first one waited");

    server.restart();
    decides_again(&backend).await;
    assert_eq!(left(&backend, "k", &policy).await, 10);
}

#[actix_web::test]
async fn connections_that_were_cut_are_replaced_though_nobody_but_probes_asks() {
    let server = PostgresServer::shared();
    let url = server.database();
    DatabaseBackend::connect(&url).unwrap().migrate().await.unwrap();
    let proxy = ChaosProxy::to(server.address());
    let url = url.replace(&server.address().to_string(), &proxy.address().to_string());
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(20));
    let backend = builder.connect_deadline(Duration::from_millis(200)).build().unwrap();
    let policy = gcra(1_000_000);
    let keys: Vec<_> = (0..40).map(|key| format!("k{key}")).collect();
    for round in 0..12 {
        // On all connections.
        decides_again(&backend).await;
        join_all(keys.iter().map(|key| check(&backend, key, &policy, 1))).await;
        proxy.set(Mode::Refuse);
        proxy.cut();
        assert!(backend.health().await.is_err());
        proxy.set(Mode::Pass);
        let mut failures = 0;
        while let Err(error) = backend.health().await {
            failures += 1;
            assert!(failures < 60, "round {round}: {error:?}");
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[actix_web::test]
async fn whoever_waits_for_a_connection_is_answered_within_the_deadline() {
    let url = format!("postgres://nobody@127.0.0.1:{}/none", free_port());
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_millis(50));
    let backend = builder.connect_deadline(Duration::from_secs(20)).build().unwrap();
    let error = check(&backend, "k", &gcra(1), 1).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::NotCharged));
}

#[actix_web::test]
async fn a_frozen_server_is_a_timeout_and_serves_again_when_it_is_thawed() {
    let server = PostgresServer::start();
    let url = server.database();
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_millis(250));
    let backend = builder.connections(1).build().unwrap();
    backend.migrate().await.unwrap();
    decides_again(&backend).await;
    let policy = gcra(10);

    server.freeze_all();
    let error = check(&backend, "k", &policy, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::NotCharged));
    server.thaw_all();

    decides_again(&backend).await;
    assert_eq!(left(&backend, "k", &policy).await, 10, "what was given up was not charged");
}

#[actix_web::test]
async fn what_was_admitted_survives_a_server_that_is_killed() {
    let server = PostgresServer::start();
    let url = server.database();
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(10));
    let backend = Arc::new(builder.denial_cache(0).build().unwrap());
    backend.migrate().await.unwrap();
    let policy = gcra(1_000_000);
    let tasks = (0..16).map(|_| {
        let (backend, policy) = (backend.clone(), policy.clone());
        async move {
            let mut admitted = 0;
            loop {
                match check(&backend, "k", &policy, 1).await {
                    Ok(decision) => admitted += u64::from(decision.is_allowed()),
                    Err(error) if error.fate() == Fate::Unknown => return (admitted, 1),
                    Err(_) => return (admitted, 0),
                }
                // Let the others, and the killer, have their turn.
                actix_web::rt::task::yield_now().await;
            }
        }
    });
    let killer = async {
        while left(&backend, "k", &policy).await > 999_000 {
            actix_web::rt::task::yield_now().await;
        }
        server.kill();
    };
    let (told, ()) = futures_util::future::join(join_all(tasks), killer).await;
    let admitted: u64 = told.iter().map(|(admitted, _)| admitted).sum();
    let unknown: u64 = told.iter().map(|(_, unknown)| unknown).sum();
    assert!(admitted >= 1_000);

    server.restart();
    decides_again(&backend).await;
    let charged = 1_000_000 - left(&backend, "k", &policy).await;
    assert!(charged >= admitted, "{admitted} were admitted, {charged} are charged");
    assert!(charged <= admitted + unknown, "{charged} are charged, {admitted} and {unknown} asked");
}

#[actix_web::test]
async fn a_sqlite_file_that_somebody_else_writes_to_is_waited_for_no_longer_than_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.sqlite");
    let builder = DatabaseBackend::builder(format!("sqlite://{}", file.display()));
    let backend = builder.deadline(Duration::from_millis(150)).build().unwrap();
    backend.migrate().await.unwrap();
    let policy = gcra(10);
    assert!(check(&backend, "k", &policy, 1).await.unwrap().is_allowed());

    let mut other = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let error = check(&backend, "k", &policy, 1).await.unwrap_err();
    assert_eq!(error.fate(), Fate::NotCharged, "{error}");
    other.batch_execute("COMMIT").unwrap();

    decides_again(&backend).await;
    assert_eq!(left(&backend, "k", &policy).await, 9);
}

#[actix_web::test]
async fn a_database_that_is_read_only_is_unavailable_and_charges_nothing() {
    let server = PostgresServer::shared();
    let url = server.database();
    DatabaseBackend::connect(&url).unwrap().migrate().await.unwrap();
    let (_, name) = url.rsplit_once('/').unwrap();
    let mut admin = PgConnection::establish(&url).unwrap();
    let statement = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    admin.batch_execute(&statement).unwrap();

    let backend = DatabaseBackend::builder(&url).deadline(Duration::from_secs(20)).build().unwrap();
    let error = check(&backend, "k", &gcra(2), 1).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Unavailable, Fate::NotCharged));
    assert!(cause(&error).contains("read-only"), "{}", cause(&error));
}
