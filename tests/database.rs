//! The database backend beside what every backend does: rows of the original, keys of all kinds, pools, and
//! databases that are not as they should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use actix_smart_ratelimit::{
    Algorithm, Batch, Check, Clock, ManualClock, Policy, Rate, Timestamp,
    backend::{
        Backend, ErrorKind, Fate, Progress,
        database::{DatabaseBackend, Dialect},
    },
};
use actix_web::rt::time::{sleep, timeout};
use diesel::{
    Connection, MysqlConnection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Pool},
    sql_query,
    sql_types::BigInt,
};
use futures_util::future::{join, join_all};
use support::database::{
    MysqlServer, PostgresServer,
    asking::{cause, check, left},
};
use tempfile::TempDir;

/// For what comes soon or never.
const PATIENCE: Duration = Duration::from_secs(60);
/// 2027-01-15 08:00:30, half a minute into a window.
const NOW: u64 = 1_800_000_030;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

fn sqlite() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("limits.sqlite").display());
    (folder, url)
}

fn path(url: &str) -> &str {
    url.trim_start_matches("sqlite://")
}

/// A backend with its tables, and the clock that it goes by.
async fn migrated(url: &str) -> (DatabaseBackend, ManualClock) {
    let clock = ManualClock::new(Timestamp::from_secs(NOW));
    let builder = DatabaseBackend::builder(url).clock(clock.clone()).denial_cache(0);
    let backend = builder.deadline(Duration::from_secs(20)).build().unwrap();
    assert!(!backend.migrate().await.unwrap().is_empty());
    (backend, clock)
}

fn policy(algorithm: Algorithm, rate: &str) -> Policy {
    Policy::new(algorithm, rate.parse().unwrap())
}

const COUNTER: &str = "INSERT INTO django_smart_ratelimit_counter \
    (%key%, count, window_start, window_end, created_at, updated_at) VALUES \
    ('ip:1', 7, '2027-01-15 08:00:00', '2027-01-15 08:01:00', \
    '2027-01-15 08:00:01.5', '2027-01-15 08:00:01.5')";
const ENTRIES: &str = "INSERT INTO django_smart_ratelimit_entry \
    (%key%, timestamp, expires_at, algorithm, created_at, updated_at) VALUES \
    ('ip:1', '2027-01-15 07:59:29', '2027-01-15 08:00:29', 'sliding_window', \
    '2027-01-15 07:59:29', '2027-01-15 07:59:29'), \
    ('ip:1', '2027-01-15 08:00:10.000001', '2027-01-15 08:01:10.000001', 'sliding_window', \
    '2027-01-15 08:00:10.000001', '2027-01-15 08:00:10.000001'), \
    ('ip:1', '2027-01-15 08:00:20', '2027-01-15 08:01:20', 'sliding_window', \
    '2027-01-15 08:00:20', '2027-01-15 08:00:20')";
/// What the original would read of it: the count of the window, and the entries of the last minute.
const READ_COUNTER: &str = "SELECT COUNT(*) AS number FROM django_smart_ratelimit_counter \
    WHERE %key% = 'ip:1' AND count = 9 AND window_start = '2027-01-15 08:00:00' \
    AND window_end = '2027-01-15 08:01:00'";
const READ_ENTRIES: &str = "SELECT COUNT(*) AS number FROM django_smart_ratelimit_entry \
    WHERE %key% = 'ip:1' AND timestamp > '2027-01-15 07:59:30' \
    AND timestamp <= '2027-01-15 08:00:30' AND algorithm = 'sliding_window'";

/// Runs a statement whose text is the same in every dialect but for the name of a column.
trait Raw: Connection {
    const KEY: &str;
    fn run(&mut self, statement: &str);
    fn number(&mut self, query: &str) -> i64;
}

macro_rules! raw {
    ($connection:ty, $key:literal, $set:literal) => {
        impl Raw for $connection {
            const KEY: &str = $key;

            fn run(&mut self, statement: &str) {
                self.batch_execute($set).unwrap();
                sql_query(statement.replace("%key%", Self::KEY)).execute(self).unwrap();
            }

            fn number(&mut self, query: &str) -> i64 {
                let query = query.replace("%key%", Self::KEY);
                let found: Vec<Number> = sql_query(query).load(self).unwrap();
                found[0].number
            }
        }
    };
}
raw!(PgConnection, "\"key\"", "SET TIME ZONE 'UTC'");
raw!(MysqlConnection, "`key`", "SET time_zone = '+00:00'");
raw!(SqliteConnection, "key", "PRAGMA busy_timeout = 5000");

/// The original's live counters count on, and it would read ours.
async fn shares_rows_with_the_original<C: Raw>(url: &str) {
    let (backend, _clock) = migrated(url).await;
    let mut original = C::establish(path(url)).unwrap();
    original.run(COUNTER);
    original.run(ENTRIES);

    let fixed = policy(Algorithm::FixedWindow, "10/m");
    assert_eq!(left(&backend, "ip:1", &fixed).await, 3);
    assert_eq!(check(&backend, "ip:1", &fixed, 2).await.unwrap().remaining(), 1);
    assert!(!check(&backend, "ip:1", &fixed, 2).await.unwrap().is_allowed());
    assert_eq!(original.number(READ_COUNTER), 1);

    let sliding = policy(Algorithm::SlidingWindow, "3/m");
    assert_eq!(left(&backend, "ip:1", &sliding).await, 1);
    assert!(check(&backend, "ip:1", &sliding, 1).await.unwrap().is_allowed());
    assert_eq!(original.number(READ_ENTRIES), 3);
    let refused = check(&backend, "ip:1", &sliding, 1).await.unwrap();
    let first_leaves = Timestamp::from_micros((NOW + 40) * 1_000_000 + 1);
    assert_eq!(refused.retry_at(), Some(first_leaves));
}

#[actix_web::test]
async fn live_counters_of_the_original_count_on_in_postgres() {
    let server = PostgresServer::shared();
    shares_rows_with_the_original::<PgConnection>(&server.database()).await;
}

#[actix_web::test]
async fn live_counters_of_the_original_count_on_in_mysql() {
    let server = MysqlServer::shared();
    shares_rows_with_the_original::<MysqlConnection>(&server.database()).await;
}

#[actix_web::test]
async fn live_counters_of_the_original_count_on_in_sqlite() {
    let (_folder, url) = sqlite();
    shares_rows_with_the_original::<SqliteConnection>(&url).await;
}

/// Keys that databases like to get wrong are different keys, whatever the algorithm's table.
async fn tells_keys_apart(url: &str) {
    let (backend, _clock) = migrated(url).await;
    let long = "x".repeat(300);
    let keys = [
        "a",
        "A",
        "ä",
        "a ",
        "a\0",
        "a'",
        "客户:7",
        "😀",
        "😁",
        "a%",
        "a_",
        "",
        "é",
        "e\u{301}",
        "?",
        "a\"b",
        "a\\b",
        &long,
        &format!("{long}y"),
    ];
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::Gcra] {
        let policy = policy(algorithm, "1/h");
        for key in keys {
            let decision = check(&backend, key, &policy, 1).await.unwrap();
            assert!(decision.is_allowed(), "{key:?} under {algorithm}");
            assert!(!check(&backend, key, &policy, 1).await.unwrap().is_allowed(), "{key:?}");
        }
        backend.reset("a").await.unwrap();
        assert!(check(&backend, "a", &policy, 1).await.unwrap().is_allowed());
        assert!(!check(&backend, "A", &policy, 1).await.unwrap().is_allowed());
    }
}

#[actix_web::test]
async fn every_key_has_its_own_rows_in_postgres() {
    tells_keys_apart(&PostgresServer::shared().database()).await;
}

#[actix_web::test]
async fn every_key_has_its_own_rows_in_mysql_whatever_the_character_set() {
    tells_keys_apart(&MysqlServer::shared().database()).await;
}

#[actix_web::test]
async fn every_key_has_its_own_rows_in_sqlite() {
    let (_folder, url) = sqlite();
    tells_keys_apart(&url).await;
}

/// By one statement where it can, and otherwise by a transaction after it.
#[actix_web::test]
async fn postgres_charges_a_key_that_can_take_it_in_one_round_trip() {
    let server = PostgresServer::shared();
    let (backend, _clock) = migrated(&server.database()).await;
    for algorithm in [Algorithm::FixedWindow, Algorithm::TokenBucket, Algorithm::Gcra] {
        let (policy, key) = (policy(algorithm, "2/m"), format!("{algorithm:?}"));
        let mut trips = Vec::new();
        for _ in ["new", "known", "refused"] {
            let before = backend.stats().round_trips;
            check(&backend, &key, &policy, 1).await.unwrap();
            trips.push(backend.stats().round_trips - before);
        }
        assert_eq!(trips, [2, 1, 2], "{algorithm:?}");
    }
}

/// By the statement that charges at once, and under locks.
#[actix_web::test]
async fn a_row_that_is_changed_leaves_its_room_to_later_versions_in_postgres() {
    const WIDE: &str = "SELECT (SELECT COUNT(*) FROM django_smart_ratelimit_counter WHERE room IS NOT NULL) \
        + (SELECT COUNT(*) FROM ratelimit_state WHERE room IS NOT NULL) AS number";
    let server = PostgresServer::shared();
    let url = server.database();
    let (backend, _clock) = migrated(&url).await;
    let mut tables = PgConnection::establish(&url).unwrap();
    for algorithm in [Algorithm::FixedWindow, Algorithm::Gcra, Algorithm::SlidingWindowCounter] {
        let (policy, key) = (policy(algorithm, "9/m"), format!("{algorithm:?}"));
        check(&backend, &key, &policy, 1).await.unwrap();
        assert_eq!(tables.number(WIDE), 1, "{algorithm:?}");
        check(&backend, &key, &policy, 1).await.unwrap();
        assert_eq!(tables.number(WIDE), 0, "{algorithm:?}");
    }
}

/// Nor do those whose checks travel with it suffer.
#[actix_web::test]
async fn a_count_to_which_sql_cannot_add_is_a_full_window() {
    let server = PostgresServer::shared();
    let url = server.database();
    let (backend, _clock) = migrated(&url).await;
    let fixed = policy(Algorithm::FixedWindow, "10/m");
    for key in ["huge", "usual"] {
        check(&backend, key, &fixed, 1).await.unwrap();
    }
    let mut damage = PgConnection::establish(&url).unwrap();
    damage.run(&format!(
        "UPDATE django_smart_ratelimit_counter SET count = {} WHERE %key% = 'huge'",
        i64::MAX
    ));
    let checks = ["usual", "huge", "usual"].map(|key| check(&backend, key, &fixed, 1));
    let allowed = join_all(checks).await.into_iter().map(|told| told.unwrap().is_allowed());
    assert_eq!(allowed.collect::<Vec<_>>(), [true, false, true]);
}

/// The counter stays with the first, also when its window is over.
#[actix_web::test]
async fn two_periods_on_one_key_do_not_reset_each_other() {
    let (_folder, url) = sqlite();
    let (backend, clock) = migrated(&url).await;
    let (minute, hour) =
        (policy(Algorithm::FixedWindow, "2/m"), policy(Algorithm::FixedWindow, "3/h"));
    for _ in 0..2 {
        assert!(check(&backend, "k", &minute, 1).await.unwrap().is_allowed());
        assert!(check(&backend, "k", &hour, 1).await.unwrap().is_allowed());
    }
    assert!(!check(&backend, "k", &minute, 1).await.unwrap().is_allowed());
    clock.advance_secs(60);
    assert!(check(&backend, "k", &hour, 1).await.unwrap().is_allowed());
    assert!(!check(&backend, "k", &hour, 1).await.unwrap().is_allowed());
    assert_eq!(left(&backend, "k", &minute).await, 2);
}

/// Somebody else holds its lock meanwhile. What the server tells of transactions is renewed only when
/// nobody has asked for a tenth of a second.
#[actix_web::test]
async fn mysql_decides_at_the_time_at_which_a_row_is_free() {
    const WAITING: &str = "SELECT COUNT(*) AS number FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let server = MysqlServer::shared();
    let url = server.database();
    let backend = DatabaseBackend::builder(&url).deadline(Duration::from_secs(20)).build().unwrap();
    backend.migrate().await.unwrap();
    for (algorithm, table) in [
        (Algorithm::FixedWindow, "django_smart_ratelimit_counter"),
        (Algorithm::Gcra, "ratelimit_state"),
    ] {
        let (policy, key) = (policy(algorithm, "100/h"), format!("busy{algorithm:?}"));
        check(&backend, &key, &policy, 1).await.unwrap();
        let mut other = MysqlConnection::establish(&url).unwrap();
        other.run("BEGIN");
        other.run(&format!("SELECT * FROM {table} WHERE %key% = '{key}' FOR UPDATE"));
        let free = async {
            while other.number(WAITING) == 0 {
                sleep(Duration::from_millis(150)).await;
            }
            let free = Clock::System.now();
            other.run("COMMIT");
            free
        };
        let mut batch = Batch::of(Timestamp::ZERO, Check { key: &key, policy: &policy, cost: 1 });
        let Progress::Pending(told) = backend.check(&mut batch) else { panic!("it was not asked") };
        let (told, free) =
            timeout(PATIENCE, join(told, free)).await.expect("it waits for the lock");
        let decided_at = told.unwrap().decided_at();
        assert!(decided_at >= free, "{algorithm:?}: {decided_at:?}, free at {free:?}");
    }
}

/// Each dialect says that migrations are to be run, on checks and when asked for its health.
async fn asks_for_migrations(url: &str) {
    let backend = DatabaseBackend::builder(url).deadline(Duration::from_secs(20)).build().unwrap();
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::Gcra] {
        let error = check(&backend, "k", &policy(algorithm, "1/m"), 1).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Setup, Fate::NotCharged));
        assert!(cause(&error).starts_with("run migrations"), "{}", cause(&error));
    }
    let error = backend.health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(cause(&error).contains("original_tables"), "{}", cause(&error));
    backend.migrate().await.unwrap();
    assert!(backend.migrate().await.unwrap().is_empty());
    assert_eq!(backend.health().await.unwrap().warnings, Vec::<String>::new());
    let gcra = policy(Algorithm::Gcra, "1/m");
    assert!(check(&backend, "k", &gcra, 1).await.unwrap().is_allowed());
}

#[actix_web::test]
async fn missing_tables_are_told_with_the_remedy() {
    asks_for_migrations(&PostgresServer::shared().database()).await;
    asks_for_migrations(&MysqlServer::shared().database()).await;
    let (_folder, url) = sqlite();
    asks_for_migrations(&url).await;
}

/// Tables as Django left them, or of an earlier version of this crate, lack what later migrations add.
async fn says_that_tables_are_old<C: SimpleConnection + Connection>(url: &str, dialect: Dialect) {
    let (_, first) = dialect.files().iter().find(|(path, _)| path.ends_with("up.sql")).unwrap();
    C::establish(path(url)).unwrap().batch_execute(first).unwrap();
    let backend = DatabaseBackend::builder(url).deadline(Duration::from_secs(20)).build().unwrap();
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::Gcra] {
        let error = check(&backend, "k", &policy(algorithm, "1/m"), 1).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Setup, Fate::NotCharged));
        assert!(cause(&error).starts_with("run migrations"), "{}", cause(&error));
    }
    backend.migrate().await.unwrap();
    let log = policy(Algorithm::SlidingWindow, "1/h");
    assert!(check(&backend, "k", &log, 1).await.unwrap().is_allowed());
}

#[actix_web::test]
async fn tables_of_the_original_alone_are_told_to_be_old() {
    let postgres = PostgresServer::shared();
    let url = postgres.database();
    says_that_tables_are_old::<PgConnection>(&url, Dialect::Postgres).await;
    let mysql = MysqlServer::shared();
    says_that_tables_are_old::<MysqlConnection>(&mysql.database(), Dialect::Mysql).await;
    let (_folder, sqlite) = sqlite();
    says_that_tables_are_old::<SqliteConnection>(&sqlite, Dialect::Sqlite).await;
}

#[actix_web::test]
async fn a_pool_that_is_exhausted_charges_nothing_and_serves_when_it_has_a_connection_again() {
    let (_folder, url) = sqlite();
    let pool = Pool::builder().max_size(1).build(ConnectionManager::new(path(&url))).unwrap();
    let pool: Pool<ConnectionManager<SqliteConnection>> = pool;
    let builder = DatabaseBackend::from_pool(pool.clone()).deadline(Duration::from_secs(20));
    let backend = builder.connect_deadline(Duration::from_millis(50)).build().unwrap();
    backend.migrate().await.unwrap();
    let gcra = policy(Algorithm::Gcra, "1/h");
    let taken = pool.get().unwrap();
    for _ in 0..3 {
        let error = check(&backend, "k", &gcra, 1).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unreachable, Fate::NotCharged));
    }
    drop(taken);
    assert!(check(&backend, "k", &gcra, 1).await.unwrap().is_allowed());
}

#[actix_web::test]
async fn an_applications_own_pool_serves_as_well() {
    let (_folder, url) = sqlite();
    let pool = Pool::builder().max_size(2).build(ConnectionManager::new(path(&url))).unwrap();
    let pool: Pool<ConnectionManager<SqliteConnection>> = pool;
    let backend = DatabaseBackend::from_pool(pool.clone()).build().unwrap();
    backend.migrate().await.unwrap();
    let gcra = policy(Algorithm::Gcra, "1/h");
    assert!(check(&backend, "k", &gcra, 1).await.unwrap().is_allowed());
    assert!(!check(&backend, "k", &gcra, 1).await.unwrap().is_allowed());
    let rows = pool.get().unwrap().number("SELECT COUNT(*) AS number FROM ratelimit_state");
    assert_eq!(rows, 1);
}

#[actix_web::test]
async fn counters_survive_a_restart_of_the_application() {
    let (_folder, url) = sqlite();
    let gcra = Policy::new(Algorithm::Gcra, Rate::per_hour(2));
    {
        let (backend, _clock) = migrated(&url).await;
        assert!(check(&backend, "k", &gcra, 2).await.unwrap().is_allowed());
    }
    let clock = ManualClock::new(Timestamp::from_secs(NOW));
    let backend = DatabaseBackend::builder(url).clock(clock).build().unwrap();
    assert!(!check(&backend, "k", &gcra, 1).await.unwrap().is_allowed());
}

#[test]
fn a_url_that_names_no_database_is_an_error_without_its_password() {
    for url in ["", "redis://127.0.0.1", "u:secret@host", "/var/lib/x.sqlite"] {
        let error = DatabaseBackend::connect(url).unwrap_err().to_string();
        assert!(error.starts_with("url") && error.contains("postgres://"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
