//! SQLite: rows are read and written one by one, for within the process a statement costs little. There is
//! one writer at a time, so a transaction that means to write says so at once, and rows need no locks of
//! their own.

use diesel::{
    OptionalExtension, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    result::Error::{DeserializationError, SerializationError},
    sql_types::Text,
};
use diesel_migrations::EmbeddedMigrations;

use super::{
    changes::Change,
    datetime,
    dialect::implement_tables,
    fault::Fault,
    migrations,
    row::{CounterRow, EntryRow, StateRow, signed},
    stale::{self, Fragments},
    statement::{Int, Statement, Value},
    tables::{Locked, Tables},
};
use crate::Clock;

/// Keys come in no order, so that nearly every row is in another page, which is written as a whole: small
/// pages (where the file is new), room for them in memory, and longer until they move from the log into
/// the file, 32 MB, save most of the writing.
const PREPARE: &str = "PRAGMA busy_timeout = 5000; PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 32000";

/// In whole milliseconds.
const NOW: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000";

const COUNTER: &str = "
SELECT id, count, window_start, window_end FROM django_smart_ratelimit_counter WHERE key = ?";

const ADD_COUNTER: &str = "
INSERT INTO django_smart_ratelimit_counter
    (key, count, window_start, window_end, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)";

/// What does not change is not mentioned, for SQLite would write it into every index again.
const COUNT: &str = "
UPDATE django_smart_ratelimit_counter SET count = ?, updated_at = ? WHERE id = ?";
const BEGIN_WINDOW: &str = "
UPDATE django_smart_ratelimit_counter
SET count = ?, updated_at = ?, window_start = ?, window_end = ? WHERE id = ?";

const STATE: &str = "
SELECT first_word, second_word, updated_at, expires_at FROM ratelimit_state WHERE key = ? AND tag = ?";

const ADD_STATE: &str = "
INSERT INTO ratelimit_state (key, tag, first_word, second_word, updated_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?)";

const CHANGE_STATE: &str = "
UPDATE ratelimit_state SET first_word = ?, second_word = ?, updated_at = ? WHERE key = ? AND tag = ?";
const PROLONG_STATE: &str = "
UPDATE ratelimit_state SET first_word = ?, second_word = ?, updated_at = ?, expires_at = ?
WHERE key = ? AND tag = ?";

const ENTRIES: &str = "
SELECT id, timestamp, expires_at, cost FROM django_smart_ratelimit_entry WHERE key = ?
ORDER BY timestamp, id";

const ADD_ENTRY: &str = "
INSERT INTO django_smart_ratelimit_entry
    (key, timestamp, expires_at, algorithm, created_at, updated_at, cost)
VALUES (?, ?, ?, 'sliding_window', ?, ?, ?)";

const REMOVE_ENTRY: &str = "DELETE FROM django_smart_ratelimit_entry WHERE id = ?";

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
    AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
    match work(connection) {
        Ok(result) => {
            AnsiTransactionManager::commit_transaction(connection)?;
            Ok(result)
        }
        Err(fault) => {
            // After some errors, as of a full disk, SQLite has ended the transaction by itself, which
            // Diesel does not know: it needs one to end. Where there is one, this does nothing.
            let _ = connection.batch_execute("BEGIN");
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            Err(fault)
        }
    }
}

fn counters(
    connection: &mut SqliteConnection,
    keys: Vec<String>,
) -> QueryResult<Locked<CounterRow>> {
    type Row = (Int, Int, Text, Text);
    let (mut rows, mut last) = (Vec::with_capacity(keys.len()), Times::default());
    for key in keys {
        let found: Option<(i64, i64, String, String)> =
            Statement::<Row>::new(COUNTER, [Value::Text(key.clone())])
                .get_result(connection)
                .optional()?;
        if let Some((id, count, start, end)) = found {
            let (start, end) = last.of(start, end)?;
            rows.push(CounterRow { id, key, count, start, end });
        }
    }
    Ok(Locked { rows, now: None })
}

/// The latest times that were read: those of most rows are the same.
#[derive(Default)]
struct Times {
    texts: (String, String),
    micros: (i64, i64),
}

impl Times {
    fn of(&mut self, start: String, end: String) -> QueryResult<(i64, i64)> {
        if (&start, &end) != (&self.texts.0, &self.texts.1) {
            self.micros = (micros(&start)?, micros(&end)?);
            self.texts = (start, end);
        }
        Ok(self.micros)
    }
}

/// A time for the original's columns.
fn time_text(micros: i64) -> QueryResult<Value> {
    written(micros, datetime::text(micros))
}

/// When a row is written.
fn now_text() -> QueryResult<Value> {
    let micros = signed(Clock::System.now().as_micros());
    written(micros, datetime::millis_text(micros))
}

fn written(micros: i64, text: Option<String>) -> QueryResult<Value> {
    let named = || SerializationError(format!("no calendar has {micros} microseconds").into());
    text.map(Value::Text).ok_or_else(named)
}

fn micros(text: &str) -> QueryResult<i64> {
    let named = |error| format!("{text} is not a time: {error}");
    datetime::micros(text).map_err(|error| DeserializationError(named(error).into()))
}

fn states(
    connection: &mut SqliteConnection,
    of: Vec<(String, i64)>,
) -> QueryResult<Locked<StateRow>> {
    let mut rows = Vec::with_capacity(of.len());
    for (key, tag) in of {
        let values = [Value::Text(key.clone()), Value::Int(tag)];
        let found: Option<(i64, i64, i64, i64)> =
            Statement::<(Int, Int, Int, Int)>::new(STATE, values)
                .get_result(connection)
                .optional()?;
        if let Some((first, second, updated, expires)) = found {
            rows.push(StateRow { key, tag, words: [first, second], updated, expires });
        }
    }
    Ok(Locked { rows, now: None })
}

fn entries(connection: &mut SqliteConnection, keys: Vec<String>) -> QueryResult<Vec<EntryRow>> {
    let mut rows = Vec::new();
    for key in keys {
        let found: Vec<(i64, String, String, i64)> =
            Statement::<(Int, Text, Text, Int)>::new(ENTRIES, [Value::Text(key.clone())])
                .load(connection)?;
        for (id, at, expires, cost) in found {
            let (at, expires) = (micros(&at)?, micros(&expires)?);
            rows.push(EntryRow { id, key: key.clone(), at, expires, cost });
        }
    }
    Ok(rows)
}

fn add_counters(connection: &mut SqliteConnection, rows: &[CounterRow]) -> QueryResult<usize> {
    let now = now_text()?;
    for row in rows {
        let (start, end) = (time_text(row.start)?, time_text(row.end)?);
        let [key, count] = [Value::Text(row.key.clone()), Value::Int(row.count)];
        run(connection, ADD_COUNTER, vec![key, count, start, end, now.clone(), now.clone()])?;
    }
    Ok(rows.len())
}

fn add_states(connection: &mut SqliteConnection, rows: &[StateRow]) -> QueryResult<usize> {
    for row in rows {
        let numbers = [row.tag, row.words[0], row.words[1], row.updated, row.expires];
        let key = std::iter::once(Value::Text(row.key.clone()));
        run(connection, ADD_STATE, key.chain(numbers.map(Value::Int)).collect())?;
    }
    Ok(rows.len())
}

fn add_entries(connection: &mut SqliteConnection, rows: &[EntryRow]) -> QueryResult<usize> {
    let now = now_text()?;
    for row in rows {
        let (at, expires) = (time_text(row.at)?, time_text(row.expires)?);
        let [key, cost] = [Value::Text(row.key.clone()), Value::Int(row.cost)];
        run(connection, ADD_ENTRY, vec![key, at, expires, now.clone(), now.clone(), cost])?;
    }
    Ok(rows.len())
}

fn remove_entries(connection: &mut SqliteConnection, ids: Vec<i64>) -> QueryResult<usize> {
    let count = ids.len();
    ids.into_iter()
        .try_for_each(|id| run(connection, REMOVE_ENTRY, vec![Value::Int(id)]).map(drop))?;
    Ok(count)
}

fn change_counters(
    connection: &mut SqliteConnection,
    rows: &[Change<CounterRow>],
) -> QueryResult<usize> {
    let now = now_text()?;
    for Change { found, now: row } in rows {
        let mut values = vec![Value::Int(row.count), now.clone()];
        let begins = (found.start, found.end) != (row.start, row.end);
        if begins {
            values.extend([time_text(row.start)?, time_text(row.end)?]);
        }
        values.push(Value::Int(row.id));
        run(connection, if begins { BEGIN_WINDOW } else { COUNT }, values)?;
    }
    Ok(rows.len())
}

fn change_states(
    connection: &mut SqliteConnection,
    rows: &[Change<StateRow>],
) -> QueryResult<usize> {
    for Change { found, now: row } in rows {
        let mut values = vec![row.words[0], row.words[1], row.updated];
        let prolongs = found.expires != row.expires;
        values.extend(prolongs.then_some(row.expires));
        let mut values: Vec<_> = values.into_iter().map(Value::Int).collect();
        values.extend([Value::Text(row.key.clone()), Value::Int(row.tag)]);
        run(connection, if prolongs { PROLONG_STATE } else { CHANGE_STATE }, values)?;
    }
    Ok(rows.len())
}

fn run(
    connection: &mut SqliteConnection,
    sql: &'static str,
    values: Vec<Value>,
) -> QueryResult<usize> {
    RunQueryDsl::execute(Statement::<()>::new(sql, values), connection)
}

fn prepare(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(PREPARE)
}

fn migrate(connection: &mut SqliteConnection) -> Result<Vec<String>, Fault> {
    migrations::run(connection, MIGRATIONS)
}

const MIGRATIONS: EmbeddedMigrations = migrations::SQLITE;

const FRAGMENTS: Fragments = Fragments {
    quote: '"',
    // In whole seconds: a row may stay for one more.
    time: "strftime('%Y-%m-%d %H:%M:%S', ? / 1000000, 'unixepoch')",
    matches: "GLOB ?",
    pattern: stale::glob,
    bounded_delete: false,
    skip_locked: "",
};

implement_tables!(SqliteConnection);
