//! SQLite: lists travel as JSON. There is one writer at a time, so a transaction that means to write says
//! so at once, and rows need no locks of their own.

use diesel::{QueryResult, RunQueryDsl, SqliteConnection, connection::SimpleConnection};

use super::{
    charge::{Charged, CounterCharge, StateCharge},
    fault::Fault,
    json::implement_tables,
    migrations,
    row::{CounterRow, StateRow},
    stale::{self, Fragments},
    statement::{Statement, Value},
    tables::Tables,
};

/// Keys come in no order, so that nearly every row is in another page: room for pages in memory, and
/// longer until they move from the log into the file, save most of the writing.
const PREPARE: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8000";

/// In whole milliseconds.
const NOW: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000";

const COUNTERS: &str = "
SELECT key, count,
    CAST(strftime('%s', substr(window_start, 1, 19)) AS INTEGER) * 1000000
        + CAST(substr(substr(window_start, 21) || '000000', 1, 6) AS INTEGER),
    CAST(strftime('%s', substr(window_end, 1, 19)) AS INTEGER) * 1000000
        + CAST(substr(substr(window_end, 21) || '000000', 1, 6) AS INTEGER)
FROM django_smart_ratelimit_counter WHERE key IN (SELECT value ->> 0 FROM json_each(?))";

const ADD_COUNTERS: &str = "
INSERT INTO django_smart_ratelimit_counter
    (key, count, window_start, window_end, created_at, updated_at)
SELECT k, n,
    strftime('%Y-%m-%d %H:%M:%S', s / 1000000, 'unixepoch')
        || CASE s % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', s % 1000000) END,
    strftime('%Y-%m-%d %H:%M:%S', e / 1000000, 'unixepoch')
        || CASE e % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', e % 1000000) END,
    strftime('%Y-%m-%d %H:%M:%f', 'now'), strftime('%Y-%m-%d %H:%M:%f', 'now')
FROM (SELECT value ->> 0 AS k, value ->> 1 AS n, value ->> 2 AS s, value ->> 3 AS e FROM json_each(?)) AS r";

/// A row at a time: a statement about a list would read the whole table, or try to add each row first.
const CHANGE_COUNTER: &str = "
UPDATE django_smart_ratelimit_counter SET count = ?,
    window_start = strftime('%Y-%m-%d %H:%M:%S', ? / 1000000, 'unixepoch')
        || CASE ? % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', ? % 1000000) END,
    window_end = strftime('%Y-%m-%d %H:%M:%S', ? / 1000000, 'unixepoch')
        || CASE ? % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', ? % 1000000) END,
    updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
WHERE key = ?";

const STATES: &str = "
SELECT s.key, s.tag, s.first_word, s.second_word, s.updated_at, s.expires_at
FROM (SELECT value ->> 0 AS k, value ->> 1 AS t FROM json_each(?)) AS r
CROSS JOIN ratelimit_state AS s ON s.key = r.k AND s.tag = r.t";

const ADD_STATES: &str = "
INSERT INTO ratelimit_state (key, tag, first_word, second_word, updated_at, expires_at)
SELECT k, t, a, b, u, e
FROM (SELECT value ->> 0 AS k, value ->> 1 AS t, value ->> 2 AS a, value ->> 3 AS b, value ->> 4 AS u, value ->> 5 AS e FROM json_each(?)) AS r";

const CHANGE_STATE: &str = "
UPDATE ratelimit_state SET first_word = ?, second_word = ?, updated_at = ?, expires_at = ?
WHERE key = ? AND tag = ?";

const ENTRIES: &str = "
SELECT id, key,
    CAST(strftime('%s', substr(timestamp, 1, 19)) AS INTEGER) * 1000000
        + CAST(substr(substr(timestamp, 21) || '000000', 1, 6) AS INTEGER),
    CAST(strftime('%s', substr(expires_at, 1, 19)) AS INTEGER) * 1000000
        + CAST(substr(substr(expires_at, 21) || '000000', 1, 6) AS INTEGER), cost
FROM django_smart_ratelimit_entry WHERE key IN (SELECT value ->> 0 FROM json_each(?))
ORDER BY timestamp, id";

const ADD_ENTRIES: &str = "
INSERT INTO django_smart_ratelimit_entry
    (key, timestamp, expires_at, algorithm, created_at, updated_at, cost)
SELECT k,
    strftime('%Y-%m-%d %H:%M:%S', s / 1000000, 'unixepoch')
        || CASE s % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', s % 1000000) END,
    strftime('%Y-%m-%d %H:%M:%S', e / 1000000, 'unixepoch')
        || CASE e % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', e % 1000000) END,
    'sliding_window', strftime('%Y-%m-%d %H:%M:%f', 'now'), strftime('%Y-%m-%d %H:%M:%f', 'now'), c
FROM (SELECT value ->> 0 AS k, value ->> 1 AS s, value ->> 2 AS e, value ->> 3 AS c FROM json_each(?)) AS r";

const REMOVE_ENTRIES: &str = "
DELETE FROM django_smart_ratelimit_entry WHERE id IN (SELECT value ->> 0 FROM json_each(?))";

const FORGET: [&str; 3] = [
    "DELETE FROM django_smart_ratelimit_counter WHERE key = ?",
    "DELETE FROM ratelimit_state WHERE key = ?",
    "DELETE FROM django_smart_ratelimit_entry WHERE key = ?",
];

fn transaction<T>(
    connection: &mut SqliteConnection,
    _: bool,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    connection.immediate_transaction(work)
}

fn change_counters(connection: &mut SqliteConnection, rows: &[CounterRow]) -> QueryResult<usize> {
    let values = |row: &CounterRow| {
        let [start, end] = [row.start, row.end].map(Value::Int);
        let times = [&start, &start, &start, &end, &end, &end].map(Clone::clone);
        let head = std::iter::once(Value::Int(row.count));
        head.chain(times).chain([Value::Text(row.key.clone())]).collect::<Vec<_>>()
    };
    each(connection, CHANGE_COUNTER, rows, values)
}

fn change_states(connection: &mut SqliteConnection, rows: &[StateRow]) -> QueryResult<usize> {
    let values = |row: &StateRow| {
        let numbers = [row.words[0], row.words[1], row.updated, row.expires].map(Value::Int);
        let key = [Value::Text(row.key.clone()), Value::Int(row.tag)];
        numbers.into_iter().chain(key).collect()
    };
    each(connection, CHANGE_STATE, rows, values)
}

/// Runs a statement for every row.
fn each<R>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    rows: &[R],
    values: impl Fn(&R) -> Vec<Value>,
) -> QueryResult<usize> {
    rows.iter().try_fold(0, |changed, row| {
        let statement = Statement::<()>::new(sql, values(row));
        Ok(changed + RunQueryDsl::execute(statement, connection)?)
    })
}

fn prepare(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(PREPARE)
}

const CHARGES_AT_ONCE: bool = false;

fn charge_counters(
    _: &mut SqliteConnection,
    _: &[CounterCharge],
    _: Option<i64>,
) -> QueryResult<Vec<Charged>> {
    Ok(Vec::new())
}

fn charge_states(
    _: &mut SqliteConnection,
    _: &[StateCharge],
    _: Option<i64>,
) -> QueryResult<Vec<Charged>> {
    Ok(Vec::new())
}

const FRAGMENTS: Fragments = Fragments {
    quote: '"',
    // In whole seconds: a row may stay for one more.
    time: "strftime('%Y-%m-%d %H:%M:%S', ? / 1000000, 'unixepoch')",
    matches: "GLOB ?",
    pattern: stale::glob,
    bounded_delete: false,
    skip_locked: "",
};

implement_tables!(SqliteConnection, migrations::SQLITE);
