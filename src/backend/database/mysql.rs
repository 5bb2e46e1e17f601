//! MySQL and MariaDB: lists travel as JSON, and are joined in their own order, so that rows are locked in
//! it whichever index the server would prefer.

use diesel::{
    Connection, MysqlConnection, QueryResult, RunQueryDsl,
    connection::{AnsiTransactionManager, CacheSize, SimpleConnection, TransactionManager},
    sql_types::Text,
};
use diesel_migrations::EmbeddedMigrations;

use super::{
    changes::Change,
    dialect::implement_tables,
    fault::Fault,
    json, migrations,
    row::{CounterRow, EntryRow, StateRow},
    stale::{self, Fragments},
    statement::{Int, Statement, Value},
    tables::{Locked, Tables},
};

const NOW: &str = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";

/// The clock when a row is read, and so locked: that of the statement's beginning, and what is over since
/// then, of which only less than a quarter of an hour counts, for a zone may have moved its clocks meanwhile.
macro_rules! clock {
    () => {
        "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))
    + MOD(TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6)) + 86400000000, 900000000)"
    };
}

const COUNTERS: &str = concat!("
SELECT c.`key`, CAST(c.`count` AS SIGNED), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', c.`window_start`),
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', c.`window_end`), ", clock!(), "
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]')) AS r
STRAIGHT_JOIN `django_smart_ratelimit_counter` AS c ON c.`key` = r.k FOR UPDATE");

const ADD_COUNTERS: &str = "
INSERT INTO `django_smart_ratelimit_counter`
    (`key`, `count`, `window_start`, `window_end`, `created_at`, `updated_at`)
SELECT r.k, r.n, TIMESTAMPADD(MICROSECOND, r.s, '1970-01-01 00:00:00.000000'),
    TIMESTAMPADD(MICROSECOND, r.e, '1970-01-01 00:00:00.000000'), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]',
    n BIGINT PATH '$[1]',
    s BIGINT PATH '$[2]',
    e BIGINT PATH '$[3]')) AS r";

const CHANGE_COUNTERS: &str = "
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]',
    n BIGINT PATH '$[1]',
    s BIGINT PATH '$[2]',
    e BIGINT PATH '$[3]')) AS r
STRAIGHT_JOIN `django_smart_ratelimit_counter` AS c ON c.`key` = r.k
SET c.`count` = r.n, c.`window_start` = TIMESTAMPADD(MICROSECOND, r.s, '1970-01-01 00:00:00.000000'),
    c.`window_end` = TIMESTAMPADD(MICROSECOND, r.e, '1970-01-01 00:00:00.000000'),
    c.`updated_at` = UTC_TIMESTAMP(6)";

const STATES: &str = concat!(
    "
SELECT s.`key`, s.`tag`, s.`first_word`, s.`second_word`, s.`updated_at`, s.`expires_at`, ",
    clock!(),
    "
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]',
    t BIGINT PATH '$[1]')) AS r
STRAIGHT_JOIN `ratelimit_state` AS s ON s.`key` = r.k AND s.`tag` = r.t FOR UPDATE"
);

const ADD_STATES: &str = "
INSERT INTO `ratelimit_state` (`key`, `tag`, `first_word`, `second_word`, `updated_at`, `expires_at`)
SELECT r.k, r.t, r.a, r.b, r.u, r.e
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]',
    t BIGINT PATH '$[1]',
    a BIGINT PATH '$[2]',
    b BIGINT PATH '$[3]',
    u BIGINT PATH '$[4]',
    e BIGINT PATH '$[5]')) AS r";

const CHANGE_STATES: &str = "
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]',
    t BIGINT PATH '$[1]',
    a BIGINT PATH '$[2]',
    b BIGINT PATH '$[3]',
    u BIGINT PATH '$[4]',
    e BIGINT PATH '$[5]')) AS r
STRAIGHT_JOIN `ratelimit_state` AS s ON s.`key` = r.k AND s.`tag` = r.t
SET s.`first_word` = r.a, s.`second_word` = r.b, s.`updated_at` = r.u, s.`expires_at` = r.e";

const ENTRIES: &str = "
SELECT CAST(l.`id` AS SIGNED), l.`key`, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', l.`timestamp`),
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', l.`expires_at`), l.`cost`
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]')) AS r
STRAIGHT_JOIN `django_smart_ratelimit_entry` AS l ON l.`key` = r.k
ORDER BY l.`timestamp`, l.`id`";

const ADD_ENTRIES: &str = "
INSERT INTO `django_smart_ratelimit_entry`
    (`key`, `timestamp`, `expires_at`, `algorithm`, `created_at`, `updated_at`, `cost`)
SELECT r.k, TIMESTAMPADD(MICROSECOND, r.s, '1970-01-01 00:00:00.000000'),
    TIMESTAMPADD(MICROSECOND, r.e, '1970-01-01 00:00:00.000000'), 'sliding_window', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), r.c
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]',
    s BIGINT PATH '$[1]',
    e BIGINT PATH '$[2]',
    c BIGINT PATH '$[3]')) AS r";

const REMOVE_ENTRIES: &str = "
DELETE l FROM JSON_TABLE(?, '$[*]' COLUMNS (
    i BIGINT PATH '$[0]')) AS r
STRAIGHT_JOIN `django_smart_ratelimit_entry` AS l ON l.`id` = r.i";

const FORGET: [&str; 3] = [
    "DELETE FROM `django_smart_ratelimit_counter` WHERE `key` = ?",
    "DELETE FROM `ratelimit_state` WHERE `key` = ?",
    "DELETE FROM `django_smart_ratelimit_entry` WHERE `key` = ?",
];

/// A connection of our own begins a transaction by what it does first.
fn transaction<T>(
    connection: &mut MysqlConnection,
    is_own: bool,
    work: impl FnOnce(&mut MysqlConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if !is_own {
        // It is about the next transaction only, so a pool's connections stay as they are.
        connection.batch_execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
        return connection.transaction(|connection| done(connection, work));
    }
    let result = done(connection, work).and_then(|result| {
        connection.batch_execute("COMMIT")?;
        Ok(result)
    });
    if result.is_err() && connection.batch_execute("ROLLBACK").is_err() {
        // The pool must not keep it.
        AnsiTransactionManager::transaction_manager_status_mut(connection).set_in_error();
    }
    result
}

fn done<T>(
    connection: &mut MysqlConnection,
    work: impl FnOnce(&mut MysqlConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let result = work(connection);
    if let Err(Fault::Database(_)) = &result {
        prepare_anew(connection);
    }
    result
}

/// Lets prepared statements go. One that failed while its rows came, as a victim of a deadlock does, would
/// wait for the rest of them for ever when it is executed again (libmariadb).
fn prepare_anew(connection: &mut MysqlConnection) {
    connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    connection.set_prepared_statement_cache_size(CacheSize::Unbounded);
}

fn counters(
    connection: &mut MysqlConnection,
    keys: Vec<String>,
) -> QueryResult<Locked<CounterRow>> {
    let found: Vec<(String, i64, i64, i64, i64)> =
        Statement::<(Text, Int, Int, Int, Int)>::new(COUNTERS, [json::keys(&keys)])
            .load(connection)?;
    let now = found.iter().map(|row| row.4).max();
    let row = |(key, count, start, end, _)| CounterRow { id: 0, key, count, start, end };
    Ok(Locked { rows: found.into_iter().map(row).collect(), now })
}

fn states(
    connection: &mut MysqlConnection,
    of: Vec<(String, i64)>,
) -> QueryResult<Locked<StateRow>> {
    let found: Vec<(String, i64, i64, i64, i64, i64, i64)> =
        Statement::<(Text, Int, Int, Int, Int, Int, Int)>::new(STATES, [json::pairs(&of)])
            .load(connection)?;
    let now = found.iter().map(|row| row.6).max();
    let row = |(key, tag, first, second, updated, expires, _)| StateRow {
        key,
        tag,
        words: [first, second],
        updated,
        expires,
    };
    Ok(Locked { rows: found.into_iter().map(row).collect(), now })
}

fn entries(connection: &mut MysqlConnection, keys: Vec<String>) -> QueryResult<Vec<EntryRow>> {
    let found: Vec<(i64, String, i64, i64, i64)> =
        Statement::<(Int, Text, Int, Int, Int)>::new(ENTRIES, [json::keys(&keys)])
            .load(connection)?;
    let row = |(id, key, at, expires, cost)| EntryRow { id, key, at, expires, cost };
    Ok(found.into_iter().map(row).collect())
}

fn add_counters(connection: &mut MysqlConnection, rows: &[CounterRow]) -> QueryResult<usize> {
    Statement::<()>::new(ADD_COUNTERS, [json::counters(rows)]).execute(connection)
}

fn add_states(connection: &mut MysqlConnection, rows: &[StateRow]) -> QueryResult<usize> {
    Statement::<()>::new(ADD_STATES, [json::states(rows)]).execute(connection)
}

fn add_entries(connection: &mut MysqlConnection, rows: &[EntryRow]) -> QueryResult<usize> {
    Statement::<()>::new(ADD_ENTRIES, [json::entries(rows)]).execute(connection)
}

fn remove_entries(connection: &mut MysqlConnection, ids: Vec<i64>) -> QueryResult<usize> {
    Statement::<()>::new(REMOVE_ENTRIES, [json::ids(&ids)]).execute(connection)
}

fn change_counters(
    connection: &mut MysqlConnection,
    rows: &[Change<CounterRow>],
) -> QueryResult<usize> {
    let rows = json::counters(rows.iter().map(|row| &row.now));
    Statement::<()>::new(CHANGE_COUNTERS, [rows]).execute(connection)
}

fn change_states(
    connection: &mut MysqlConnection,
    rows: &[Change<StateRow>],
) -> QueryResult<usize> {
    let rows = json::states(rows.iter().map(|row| &row.now));
    Statement::<()>::new(CHANGE_STATES, [rows]).execute(connection)
}

fn prepare(connection: &mut MysqlConnection) -> QueryResult<()> {
    // Errors are told apart by their English messages.
    connection.batch_execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
    connection.batch_execute("SET lc_messages = 'en_US'; SET autocommit = 0")
}

/// Notes what was run, too, where nothing is committed by itself.
fn migrate(connection: &mut MysqlConnection) -> Result<Vec<String>, Fault> {
    let run = migrations::run(connection, MIGRATIONS);
    let committed = connection.batch_execute("COMMIT");
    let names = run?;
    committed?;
    Ok(names)
}

const MIGRATIONS: EmbeddedMigrations = migrations::MYSQL;

const FRAGMENTS: Fragments = Fragments {
    quote: '`',
    time: "TIMESTAMPADD(MICROSECOND, ?, '1970-01-01 00:00:00.000000')",
    matches: "LIKE ? ESCAPE '!'",
    pattern: stale::like,
    bounded_delete: true,
    skip_locked: "",
};

implement_tables!(MysqlConnection);
