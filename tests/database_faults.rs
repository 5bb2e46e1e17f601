//! Databases that fail: within the deadline there is an error that says what became of the charge, and
//! when the database is back, so is the limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Policy, Rate,
    backend::{Backend, ErrorKind, Fate, database::DatabaseBackend},
};
use diesel::{
    Connection, MysqlConnection, PgConnection, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, CustomizeConnection, Pool},
};
use futures_util::future::join_all;
use support::{
    database::{
        MysqlServer, PostgresServer,
        asking::{cause, check, left},
    },
    ports::free_port,
    proxy::{ChaosProxy, Mode},
    redis::wait_until,
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

/// Freezes the server of a backend with one connection; thaws it when nobody waits any more. `fate` is
/// that of the check which was sent to it.
async fn is_a_timeout_while_frozen(
    url: &str,
    fate: Fate,
    freeze: impl FnOnce(),
    thaw: impl FnOnce(),
) {
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_millis(250));
    let builder = builder.connect_deadline(Duration::from_millis(100)).connections(1);
    let backend = builder.build().unwrap();
    backend.migrate().await.unwrap();
    decides_again(&backend).await;
    let policy = gcra(10);

    freeze();
    let error = check(&backend, "k", &policy, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, fate));
    let mut last = error;
    for _ in 0..600 {
        last = check(&backend, "k", &policy, 1).await.unwrap_err();
        assert_eq!(last.fate(), Fate::NotCharged);
        if cause(&last) == "there is no connection" {
            break;
        }
    }
    assert_eq!(cause(&last), "there is no connection", "everybody waits for a server that hangs");
    thaw();

    decides_again(&backend).await;
    assert_eq!(left(&backend, "k", &policy).await, 10, "what was given up was not charged");
}

#[actix_web::test]
async fn while_postgres_is_frozen_nobody_waits_for_long_and_when_it_is_thawed_it_serves() {
    let server = PostgresServer::start();
    let url = server.database();
    // One statement looks and charges.
    is_a_timeout_while_frozen(&url, Fate::Unknown, || server.freeze_all(), || server.thaw_all())
        .await;
}

#[actix_web::test]
async fn while_mysql_is_frozen_nobody_waits_for_long_and_when_it_is_thawed_it_serves() {
    let server = MysqlServer::start();
    let url = server.database();
    // It was still waiting for its lock.
    is_a_timeout_while_frozen(&url, Fate::NotCharged, || server.freeze(), || server.thaw()).await;
}

#[actix_web::test]
async fn a_connection_that_hangs_is_replaced_and_let_go_when_it_answers_at_last() {
    let server = PostgresServer::start();
    let url = server.database();
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_millis(250));
    let backend = builder.connections(1).build().unwrap();
    backend.migrate().await.unwrap();
    decides_again(&backend).await;
    let policy = gcra(10);
    check(&backend, "known", &policy, 1).await.unwrap();

    server.freeze_sessions();
    let error = check(&backend, "known", &policy, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::Unknown));
    decides_again(&backend).await;
    assert_eq!(server.sessions().count(), 2);
    server.thaw_sessions();

    wait_until("the connection to be let go", || server.sessions().count() == 1);
    decides_again(&backend).await;
    assert_eq!(left(&backend, "known", &policy).await, 8, "what was sent was charged");
}

/// Kills the server in the midst of checks, and starts it again.
async fn what_was_admitted_survives(url: &str, kill: impl FnOnce(), restart: impl FnOnce()) {
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
        kill();
    };
    let (told, ()) = futures_util::future::join(join_all(tasks), killer).await;
    let admitted: u64 = told.iter().map(|(admitted, _)| admitted).sum();
    let unknown: u64 = told.iter().map(|(_, unknown)| unknown).sum();
    assert!(admitted >= 1_000);

    restart();
    decides_again(&backend).await;
    let charged = 1_000_000 - left(&backend, "k", &policy).await;
    assert!(charged >= admitted, "{admitted} were admitted, {charged} are charged");
    assert!(charged <= admitted + unknown, "{charged} are charged, {admitted} and {unknown} asked");
}

#[actix_web::test]
async fn what_was_admitted_survives_postgres_being_killed() {
    let server = PostgresServer::start();
    let url = server.database();
    what_was_admitted_survives(&url, || server.kill(), || server.restart()).await;
}

#[actix_web::test]
async fn what_was_admitted_survives_mysql_being_killed() {
    let server = MysqlServer::start();
    let url = server.database();
    what_was_admitted_survives(&url, || server.kill(), || server.restart()).await;
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

#[actix_web::test]
async fn a_mysql_server_that_is_read_only_is_unavailable_and_charges_nothing() {
    let server = MysqlServer::start();
    let url = server.database();
    DatabaseBackend::connect(&url).unwrap().migrate().await.unwrap();
    let mut admin = MysqlConnection::establish(&url).unwrap();
    for statement in [
        "CREATE USER app@'127.0.0.1'",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO app@'127.0.0.1'",
        "SET GLOBAL read_only = 1",
    ] {
        admin.batch_execute(statement).unwrap();
    }
    let builder = DatabaseBackend::builder(url.replace("root@", "app@"));
    let backend = builder.deadline(Duration::from_secs(20)).build().unwrap();
    let error = check(&backend, "k", &gcra(2), 1).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Unavailable, Fate::NotCharged));
    assert!(cause(&error).contains("read-only"), "{}", cause(&error));
}

/// A backend over one connection to a file, with this said to it first.
fn told(file: &std::path::Path, statement: &'static str) -> DatabaseBackend {
    #[derive(Debug)]
    struct Say(&'static str);
    impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Say {
        fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
            connection.batch_execute(self.0).map_err(diesel::r2d2::Error::QueryError)
        }
    }
    let manager = ConnectionManager::<SqliteConnection>::new(file.to_str().unwrap());
    let pool = Pool::builder().max_size(1).connection_customizer(Box::new(Say(statement)));
    let builder = DatabaseBackend::from_pool(pool.build(manager).unwrap());
    builder.deadline(Duration::from_secs(20)).build().unwrap()
}

#[actix_web::test]
async fn a_disk_that_is_full_or_read_only_is_unavailable_and_charges_nothing() {
    for (statement, reason) in
        [("PRAGMA max_page_count = 1", "full"), ("PRAGMA query_only = on", "readonly")]
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("limits.sqlite");
        told(&file, "SELECT 1").migrate().await.unwrap();
        let backend = told(&file, statement);
        let policy = gcra(2);
        let mut error = None;
        // The pages that are there take some rows yet.
        for key in 0..10_000 {
            if let Err(failed) = check(&backend, &format!("k{key}"), &policy, 1).await {
                error = Some(failed);
                break;
            }
        }
        let error = error.expect("nothing is written");
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unavailable, Fate::NotCharged));
        assert!(cause(&error).contains(reason), "{}", cause(&error));
        let error = check(&backend, "another", &policy, 1).await.unwrap_err();
        assert!(cause(&error).contains(reason), "the connection goes on: {}", cause(&error));
    }
}

#[actix_web::test]
async fn a_table_that_lacks_a_column_asks_for_migrations() {
    let (postgres, mysql) = (PostgresServer::shared(), MysqlServer::shared());
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite://{}", folder.path().join("limits.sqlite").display());
    let drop = "ALTER TABLE ratelimit_state DROP COLUMN second_word";
    for url in [postgres.database(), mysql.database(), sqlite] {
        let builder = DatabaseBackend::builder(&url).deadline(Duration::from_secs(20));
        let backend = builder.build().unwrap();
        backend.migrate().await.unwrap();
        if url.starts_with("postgres") {
            PgConnection::establish(&url).unwrap().batch_execute(drop).unwrap();
        } else if url.starts_with("mysql") {
            MysqlConnection::establish(&url).unwrap().batch_execute(drop).unwrap();
        } else {
            let path = url.trim_start_matches("sqlite://");
            SqliteConnection::establish(path).unwrap().batch_execute(drop).unwrap();
        }
        let error = check(&backend, "k", &gcra(2), 1).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Setup, Fate::NotCharged));
        assert!(cause(&error).contains("run migrations"), "{}", cause(&error));
    }
}
