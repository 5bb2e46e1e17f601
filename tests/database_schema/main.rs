//! The migrations make the tables of the original, take over those that are there, and can be taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod facts;
mod mysql;
mod postgres;
mod sqlite;
mod subject;
#[path = "../support/mod.rs"]
mod support;

use std::fs;

use actix_smart_ratelimit::backend::database::{Dialect, migrations};
use diesel::{
    MysqlConnection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::BigInt,
};
use diesel_migrations::{EmbeddedMigrations, FileBasedMigrations};
use facts::{assert_same, migrated, original};
use subject::Subject;

const ENTRY: &str = "INSERT INTO django_smart_ratelimit_entry VALUES \
     (1, 'ip:1', '2026-11-24 03:38:21.817301', '2026-11-24 03:39:21.817301', 'sliding_window', \
     '2026-11-24 03:38:21.817301', '2026-11-24 03:38:21.817301')";
const COUNTER: &str = "INSERT INTO django_smart_ratelimit_counter VALUES \
     (7, 'ip:1', 42, '2026-11-24 03:38:00', '2026-11-24 03:39:00', \
     '2026-11-24 03:38:21.817301', '2026-11-24 03:38:21.817301')";
const CONFIG: &str = "INSERT INTO django_smart_ratelimit_config VALUES \
     (3, 'ip:*', '10/m', 'fixed_window', true, '', '2026-11-24 03:38:21', '2026-11-24 03:38:21')";
/// As Django's statement is, which knows no cost.
const LATER_ENTRY: &str = "INSERT INTO django_smart_ratelimit_entry \
     (%key%, timestamp, expires_at, algorithm, created_at, updated_at) VALUES \
     ('ip:2', '2026-11-24 03:38:22', '2026-11-24 03:39:22', 'sliding_window', \
     '2026-11-24 03:38:22', '2026-11-24 03:38:22')";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// A database of one kind with its migrations.
struct Kind {
    dialect: Dialect,
    migrations: fn() -> EmbeddedMigrations,
}

impl Kind {
    const POSTGRES: Self = Self { dialect: Dialect::Postgres, migrations: || migrations::POSTGRES };
    const MYSQL: Self = Self { dialect: Dialect::Mysql, migrations: || migrations::MYSQL };
    const SQLITE: Self = Self { dialect: Dialect::Sqlite, migrations: || migrations::SQLITE };
}

/// The first migration makes exactly the original's tables; the others what is listed; and back.
fn matches_the_original<C: Subject>(Kind { migrations, .. }: Kind) {
    let (_server, mut connection) = C::empty();
    connection.run_next_migration(migrations()).unwrap();
    assert_same(&connection.tables(), &original(C::DIALECT));

    let ours = connection.run_pending_migrations(migrations()).unwrap().len();
    assert_same(&connection.tables(), &migrated(C::DIALECT));

    for _ in 0..ours {
        connection.revert_last_migration(migrations()).unwrap();
    }
    assert_same(&connection.tables(), &original(C::DIALECT));

    connection.revert_all_migrations(migrations()).unwrap();
    assert!(connection.tables().is_empty());

    connection.run_pending_migrations(migrations()).unwrap();
    assert_same(&connection.tables(), &migrated(C::DIALECT));
}

/// The tables are there, with rows, and no migration was ever run.
fn takes_over_what_django_made<C: Subject>(kind: Kind)
where
    for<'q> diesel::query_builder::SqlQuery: diesel::query_dsl::methods::ExecuteDsl<C>
        + diesel::query_dsl::methods::LoadQuery<'q, C, Number>,
{
    let (_server, mut connection) = C::empty();
    connection.run_file(kind.dialect, "original_tables/up.sql");
    for statement in [ENTRY, COUNTER, CONFIG] {
        assert_eq!(sql_query(statement).execute(&mut connection), Ok(1));
    }
    connection.run_pending_migrations((kind.migrations)()).unwrap();
    assert_same(&connection.tables(), &migrated(C::DIALECT));

    let mut number = |query: &str| {
        let found: Vec<Number> = sql_query(query).load(&mut connection).unwrap();
        found[0].number
    };
    let entries = "SELECT COUNT(*) AS number FROM django_smart_ratelimit_entry WHERE id = 1 \
                   AND cost = 1 AND algorithm = 'sliding_window'";
    assert_eq!(number(entries), 1);
    let counters = "SELECT COUNT(*) AS number FROM django_smart_ratelimit_counter WHERE id = 7 \
                    AND count = 42";
    assert_eq!(number(counters), 1);
    let rules = "SELECT COUNT(*) AS number FROM django_smart_ratelimit_config WHERE id = 3 \
                 AND rate_limit = '10/m'";
    assert_eq!(number(rules), 1);

    connection.next_id_may_exceed_32_bits();
    let key = if C::DIALECT == "mysql" { "`key`" } else { "\"key\"" };
    let insert = LATER_ENTRY.replace("%key%", key);
    assert_eq!(sql_query(insert).execute(&mut connection), Ok(1));
    let query = "SELECT MAX(id) AS number FROM django_smart_ratelimit_entry WHERE cost = 1";
    let found: Vec<Number> = sql_query(query).load(&mut connection).unwrap();
    assert!(found[0].number >= 3_000_000_000, "{}", found[0].number);
}

/// Exported files are migrations of a Diesel project, which go on where the embedded ones stopped.
fn exports_what_it_embeds<C: Subject>(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let written = kind.dialect.export(folder.path()).unwrap();
    assert_eq!(written.len(), kind.dialect.files().len());

    let (_server, mut connection) = C::empty();
    connection.run_next_migration((kind.migrations)()).unwrap();
    let exported = FileBasedMigrations::from_path(folder.path()).unwrap();
    assert!(connection.has_pending_migration(exported.clone()).unwrap());
    connection.run_pending_migrations(exported).unwrap();
    assert!(!connection.has_pending_migration((kind.migrations)()).unwrap());
    assert_same(&connection.tables(), &migrated(C::DIALECT));
}

#[test]
fn postgres_gets_the_tables_of_the_original() {
    matches_the_original::<PgConnection>(Kind::POSTGRES);
}

#[test]
fn mysql_gets_the_tables_of_the_original() {
    matches_the_original::<MysqlConnection>(Kind::MYSQL);
}

#[test]
fn sqlite_gets_the_tables_of_the_original() {
    matches_the_original::<SqliteConnection>(Kind::SQLITE);
}

#[test]
fn tables_that_django_made_in_postgres_keep_their_rows() {
    takes_over_what_django_made::<PgConnection>(Kind::POSTGRES);
}

#[test]
fn tables_that_django_made_in_mysql_keep_their_rows() {
    takes_over_what_django_made::<MysqlConnection>(Kind::MYSQL);
}

#[test]
fn tables_that_django_made_in_sqlite_keep_their_rows() {
    takes_over_what_django_made::<SqliteConnection>(Kind::SQLITE);
}

#[test]
fn exported_migrations_continue_embedded_ones() {
    exports_what_it_embeds::<PgConnection>(Kind::POSTGRES);
    exports_what_it_embeds::<MysqlConnection>(Kind::MYSQL);
    exports_what_it_embeds::<SqliteConnection>(Kind::SQLITE);
}

#[test]
fn an_export_leaves_alone_what_it_did_not_write() {
    let folder = tempfile::tempdir().unwrap();
    Dialect::Sqlite.export(folder.path()).unwrap();
    assert_eq!(Dialect::Sqlite.export(folder.path()).unwrap().len(), 0);
    let path = folder.path().join(Dialect::Sqlite.files()[0].0);
    fs::write(&path, "-- mine").unwrap();
    let error = Dialect::Sqlite.export(folder.path()).unwrap_err();
    assert!(error.to_string().contains("says something else"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "-- mine");
}

#[test]
fn every_migration_is_exported_and_says_something() {
    for (dialect, folder) in
        [(Dialect::Postgres, "postgres"), (Dialect::Mysql, "mysql"), (Dialect::Sqlite, "sqlite")]
    {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let mut there = Vec::new();
        for migration in fs::read_dir(&root).unwrap().flatten().filter(|at| at.path().is_dir()) {
            for file in fs::read_dir(migration.path()).unwrap().flatten() {
                let path = file.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                there.push(path);
            }
        }
        let mut exported: Vec<_> =
            dialect.files().iter().map(|(path, _)| path.to_string()).collect();
        there.sort();
        exported.sort();
        assert_eq!(there, exported);
        // An empty statement would end the process in libmariadb.
        for (path, text) in dialect.files() {
            let says_something = |line: &str| !line.trim().is_empty() && !line.starts_with("--");
            assert!(text.lines().any(says_something), "{path}");
        }
    }
}
