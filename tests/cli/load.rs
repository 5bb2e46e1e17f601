//! A cleanup of many rows while an application goes on deciding.
//!
//! `CLEANUP_ROWS` says how many rows, of which half count still: 20,000 by default.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use actix_smart_ratelimit::{Algorithm, Batch, Check, Policy, backend::Backend};
use actix_smart_ratelimit::{Timestamp, backend::Progress, backend::database::DatabaseBackend};
use diesel::{Connection, RunQueryDsl, sql_query, sql_types::BigInt};
use futures_util::future::join_all;

use super::{
    command::{PATIENCE, command, sqlite},
    support::database::{MysqlServer, PostgresServer},
};

const TASKS: usize = 64;

fn rows() -> i64 {
    std::env::var("CLEANUP_ROWS").map_or(20_000, |rows| rows.parse().unwrap())
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// A connection for what the test does itself.
trait Sql: Connection {
    /// Adds states `<name>:<number>` that expire at this time.
    fn fill(&mut self, name: &str, rows: i64, expires: i64);
    fn left(&mut self, name: &str) -> i64;
}

fn counted(name: &str) -> String {
    format!("SELECT COUNT(*) AS n FROM ratelimit_state WHERE {name}")
}

const COLUMNS: &str = "first_word, second_word, updated_at, expires_at";

macro_rules! sql {
    ($connection:ty, $key:literal, $numbers:literal) => {
        impl Sql for $connection {
            fn fill(&mut self, name: &str, rows: i64, expires: i64) {
                let key = $key;
                let concat = match key {
                    "`key`" => format!("CONCAT('{name}:', n)"),
                    _ => format!("'{name}:' || n"),
                };
                let numbers = $numbers.replace("{rows}", &rows.to_string());
                let insert = format!("INSERT INTO ratelimit_state ({key}, tag, {COLUMNS})");
                // MySQL wants the recursion behind the INSERT, the others allow it there.
                let select = format!("SELECT {concat}, 1, 0, 0, 0, {expires} FROM numbers");
                sql_query(format!("{insert} {numbers} {select}")).execute(self).unwrap();
            }

            fn left(&mut self, name: &str) -> i64 {
                let statement = counted(&format!("{} LIKE '{name}:%'", $key));
                sql_query(statement).get_result::<Count>(self).unwrap().n
            }
        }
    };
}

sql!(diesel::PgConnection, "\"key\"", "WITH numbers AS (SELECT generate_series(1, {rows}) AS n)");
sql!(
    diesel::SqliteConnection,
    "\"key\"",
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})"
);
sql!(
    diesel::MysqlConnection,
    "`key`",
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})"
);

/// Decisions of many tasks, until told to stop: how many, and the longest wait.
struct Deciders {
    is_over: AtomicBool,
    decided: AtomicU64,
    longest_micros: AtomicU64,
}

impl Deciders {
    async fn decide(&self, backend: &DatabaseBackend, task: usize, policy: &Policy) {
        for turn in 0.. {
            if self.is_over.load(SeqCst) {
                return;
            }
            let key = format!("busy:{task}:{}", turn % 100);
            let mut batch = Batch::of(Timestamp::ZERO, Check { key: &key, policy, cost: 1 });
            let begun = Instant::now();
            let verdict = match backend.check(&mut batch) {
                Progress::Done => batch.into_verdict(),
                Progress::Pending(verdict) => verdict.await.unwrap(),
            };
            assert!(verdict.is_allowed());
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap();
            self.longest_micros.fetch_max(micros, SeqCst);
            self.decided.fetch_add(1, SeqCst);
        }
    }

    /// Since the last call.
    fn take(&self) -> (u64, Duration) {
        let longest = Duration::from_micros(self.longest_micros.swap(0, SeqCst));
        (self.decided.swap(0, SeqCst), longest)
    }
}

/// Exactly the expired rows go, while others decide.
async fn cleans_beside_deciders(name: &str, url: &str, sql: &mut impl Sql) {
    let backend = DatabaseBackend::builder(url).deadline(PATIENCE).denial_cache(0);
    let backend = Arc::new(backend.build().unwrap());
    backend.migrate().await.unwrap();
    let rows = rows();
    sql.fill("expired", rows / 2, 1);
    sql.fill("live", rows - rows / 2, i64::MAX - 1);

    let deciders = Deciders {
        is_over: AtomicBool::new(false),
        decided: AtomicU64::new(0),
        longest_micros: AtomicU64::new(0),
    };
    let policy = Policy::new(Algorithm::Gcra, "4000000000/h".parse().unwrap());
    let deciding = join_all((0..TASKS).map(|task| deciders.decide(&backend, task, &policy)));
    let cleaning = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let quiet = deciders.take();
        let mut command = command(&["cleanup", "--verbose", "--json", "--url", url]);
        let begun = Instant::now();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = actix_web::rt::task::spawn_blocking(|| child.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let (took, busy) = (begun.elapsed(), deciders.take());
        deciders.is_over.store(true, SeqCst);
        (output, took, quiet, busy)
    };
    let (_, (output, took, quiet, busy)) = futures_util::future::join(deciding, cleaning).await;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    println!(
        "{name}: {} rows removed beside {} live ones in {took:.1?}; longest wait of {} decisions \
         meanwhile {:.1?}, of {} in the two seconds before {:.1?}",
        json["backends"][0]["states"],
        rows - rows / 2,
        busy.0,
        busy.1,
        quiet.0,
        quiet.1
    );
    assert!(output.status.success(), "{json}");
    assert_eq!(json["backends"][0]["states"], rows / 2, "{json}");
    assert!(json["backends"][0]["batches"].as_i64().unwrap() >= rows / 2_000, "{json}");
    assert_eq!((sql.left("expired"), sql.left("live")), (0, rows - rows / 2));
    assert!(quiet.0 > 0 && busy.0 > 0, "decisions went on");
}

#[actix_web::test]
async fn postgres_goes_on_deciding_while_it_is_cleaned() {
    let server = PostgresServer::start();
    let url = server.database();
    let mut sql = diesel::PgConnection::establish(&url).unwrap();
    cleans_beside_deciders("PostgreSQL", &url, &mut sql).await;
}

#[actix_web::test]
async fn mysql_goes_on_deciding_while_it_is_cleaned() {
    let server = MysqlServer::start();
    let url = server.database();
    let mut sql = diesel::MysqlConnection::establish(&url).unwrap();
    sql_query("SET SESSION max_recursive_iterations = 4294967295").execute(&mut sql).unwrap();
    cleans_beside_deciders("MariaDB", &url, &mut sql).await;
}

#[actix_web::test]
async fn sqlite_goes_on_deciding_while_it_is_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    let path = folder.path().join("limits.sqlite");
    let mut sql = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    sql_query("PRAGMA busy_timeout = 20000").execute(&mut sql).unwrap();
    cleans_beside_deciders("SQLite", &url, &mut sql).await;
}
