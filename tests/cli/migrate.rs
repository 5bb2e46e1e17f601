//! `migrate` and `migrations export`.

use std::fs;

use serde_json::json;

use super::{
    command::{ratelimit, sqlite},
    support::{
        database::{MysqlServer, PostgresServer},
        redis::RedisServer,
    },
};

#[track_caller]
fn brings_tables_up_to_date(url: &str) {
    let before = ratelimit(&["migrate", "--status", "--url", url]).ends(1);
    assert_eq!(before.out.matches("not run").count(), before.out.lines().count(), "{before:?}");
    let done = ratelimit(&["migrate", "--url", url]).ends(0);
    assert_eq!(done.out.matches("run now").count(), before.out.lines().count(), "{done:?}");
    let after = ratelimit(&["migrate", "--status", "--url", url]).ends(0);
    assert!(after.out.lines().all(|line| line.starts_with('✓') && line.ends_with("  run")));
    let again = ratelimit(&["migrate", "--json", "--url", url]).ends(0).json();
    assert_eq!(again["current"], json!(true));
    let first = json!({ "name": "2026-11-26-000000_original_tables", "run": true, "now": false });
    assert_eq!(again["backends"][0]["migrations"][0], first);
}

#[test]
fn postgres_gets_its_tables() {
    let server = PostgresServer::shared();
    brings_tables_up_to_date(&server.database());
}

#[test]
fn mysql_gets_its_tables() {
    let server = MysqlServer::shared();
    brings_tables_up_to_date(&server.database());
}

#[test]
fn sqlite_gets_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    brings_tables_up_to_date(&sqlite(folder.path()));
}

#[test]
fn a_database_that_is_away_is_1_and_a_store_without_tables_2() {
    let url = "mysql://root@127.0.0.1:1/app";
    let ran = ratelimit(&["migrate", "--timeout", "1s", "--url", url]).ends(1);
    assert!(ran.err.starts_with("error: store: not reachable"), "{ran:?}");
    let server = RedisServer::start();
    ratelimit(&["migrate", "--url", &server.url()]).ends(2);
}

#[test]
fn migrations_are_written_for_a_project_of_ones_own() {
    for dialect in ["postgres", "mysql", "sqlite"] {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("migrations");
        let export = || {
            let into = into.to_str().unwrap();
            ratelimit(&["migrations", "export", "--dialect", dialect, "--into", into])
        };
        let ran = export().ends(0);
        let written = ran.out.lines().filter(|line| line.ends_with(".sql")).count();
        assert!(
            written >= 4 && ran.out.ends_with(&format!("{written} files written\n")),
            "{ran:?}"
        );
        assert!(export().ends(0).out.ends_with("has them already\n"));
        let up = into.join("2026-11-26-000000_original_tables/up.sql");
        fs::write(&up, "SELECT 1").unwrap();
        let ran = export().ends(1);
        assert!(ran.err.contains("says something else"), "{ran:?}");
        assert_eq!(fs::read_to_string(&up).unwrap(), "SELECT 1", "nothing is overwritten");
    }
    let ran = ratelimit(&["migrations", "export", "--dialect", "oracle", "--into", "x"]).ends(2);
    assert!(ran.err.contains("postgres, mysql, sqlite"), "{ran:?}");
}
