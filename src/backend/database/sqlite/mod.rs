//! SQLite: rows are read and written one by one, for within the process a statement costs little. There is
//! one writer at a time, so a transaction that means to write says so at once, and rows need no locks of
//! their own.

mod prepared;

use diesel::{
    OptionalExtension, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    result::Error::{DeserializationError, SerializationError},
    sql_types::Text,
};
use diesel_migrations::EmbeddedMigrations;

use self::prepared::{Bound, prepared, statements};
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
/// pages (where the file is new) save most of the writing. Who moves them from the log into the file keeps
/// everybody waiting, so that is done while there are few, as many bytes as by default with larger pages.
/// The cache stays small: a commit that splits a page, as new keys make it, looks through all of it.
const PREPARE: &str = "PRAGMA busy_timeout = 5000; PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; \
     PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000";

/// In whole milliseconds.
const NOW: &str = "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000";

statements! {
    Counter: (Int, Int, Text, Text) = "
SELECT id, count, window_start, window_end FROM django_smart_ratelimit_counter WHERE key = ?";

    AddCounter: () = "
INSERT INTO django_smart_ratelimit_counter
    (key, count, window_start, window_end, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)";

    /// What does not change is not mentioned, for SQLite would write it into every index again.
    Count: () = "
UPDATE django_smart_ratelimit_counter SET count = ?, updated_at = ? WHERE id = ?";

    BeginWindow: () = "
UPDATE django_smart_ratelimit_counter
SET count = ?, updated_at = ?, window_start = ?, window_end = ? WHERE id = ?";

    State: (Int, Int, Int, Int) = "
SELECT first_word, second_word, updated_at, expires_at FROM ratelimit_state WHERE key = ? AND tag = ?";

    AddState: () = "
INSERT INTO ratelimit_state (key, tag, first_word, second_word, updated_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?)";

    ChangeState: () = "
UPDATE ratelimit_state SET first_word = ?, second_word = ?, updated_at = ? WHERE key = ? AND tag = ?";

    ProlongState: () = "
UPDATE ratelimit_state SET first_word = ?, second_word = ?, updated_at = ?, expires_at = ?
WHERE key = ? AND tag = ?";

    Entries: (Int, Text, Text, Int) = "
SELECT id, timestamp, expires_at, cost FROM django_smart_ratelimit_entry WHERE key = ?
ORDER BY timestamp, id";

    AddEntry: () = "
INSERT INTO django_smart_ratelimit_entry
    (key, timestamp, expires_at, algorithm, created_at, updated_at, cost)
VALUES (?, ?, ?, 'sliding_window', ?, ?, ?)";

    RemoveEntry: () = "DELETE FROM django_smart_ratelimit_entry WHERE id = ?";
}

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
    let (mut rows, mut last) = (Vec::with_capacity(keys.len()), Times::default());
    for key in keys {
        let found: Option<(i64, i64, String, String)> =
            prepared(Counter, [Bound::Text(&key)]).get_result(connection).optional()?;
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
fn time_text(micros: i64) -> QueryResult<String> {
    written(micros, datetime::text(micros))
}

/// When a row is written.
fn now_text() -> QueryResult<String> {
    let micros = signed(Clock::System.now().as_micros());
    written(micros, datetime::millis_text(micros))
}

fn written(micros: i64, text: Option<String>) -> QueryResult<String> {
    let named = || SerializationError(format!("no calendar has {micros} microseconds").into());
    text.ok_or_else(named)
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
        let found: Option<(i64, i64, i64, i64)> =
            prepared(State, [Bound::Text(&key), Bound::Int(tag)])
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
            prepared(Entries, [Bound::Text(&key)]).load(connection)?;
        for (id, at, expires, cost) in found {
            let (at, expires) = (micros(&at)?, micros(&expires)?);
            rows.push(EntryRow { id, key: key.clone(), at, expires, cost });
        }
    }
    Ok(rows)
}

fn add_counters(connection: &mut SqliteConnection, rows: &[CounterRow]) -> QueryResult<usize> {
    let now = now_text()?;
    for CounterRow { key, count, start, end, .. } in rows {
        let (start, end) = (time_text(*start)?, time_text(*end)?);
        let times = [&start, &end, &now, &now].map(|text| Bound::Text(text));
        let [start, end, created, updated] = times;
        let values = [Bound::Text(key), Bound::Int(*count), start, end, created, updated];
        prepared(AddCounter, values).execute(connection)?;
    }
    Ok(rows.len())
}

fn add_states(connection: &mut SqliteConnection, rows: &[StateRow]) -> QueryResult<usize> {
    for StateRow { key, tag, words: [first, second], updated, expires } in rows {
        let [tag, first, second, updated, expires] =
            [tag, first, second, updated, expires].map(|int| Bound::Int(*int));
        let values = [Bound::Text(key), tag, first, second, updated, expires];
        prepared(AddState, values).execute(connection)?;
    }
    Ok(rows.len())
}

fn add_entries(connection: &mut SqliteConnection, rows: &[EntryRow]) -> QueryResult<usize> {
    let now = now_text()?;
    for EntryRow { key, at, expires, cost, .. } in rows {
        let (at, expires) = (time_text(*at)?, time_text(*expires)?);
        let [key, at, expires, created, updated] =
            [key, &at, &expires, &now, &now].map(|text| Bound::Text(text));
        let values = [key, at, expires, created, updated, Bound::Int(*cost)];
        prepared(AddEntry, values).execute(connection)?;
    }
    Ok(rows.len())
}

fn remove_entries(connection: &mut SqliteConnection, ids: Vec<i64>) -> QueryResult<usize> {
    for id in &ids {
        prepared(RemoveEntry, [Bound::Int(*id)]).execute(connection)?;
    }
    Ok(ids.len())
}

fn change_counters(
    connection: &mut SqliteConnection,
    rows: &[Change<CounterRow>],
) -> QueryResult<usize> {
    let now = now_text()?;
    for Change { found, now: row } in rows {
        let [count, updated, id] = [Bound::Int(row.count), Bound::Text(&now), Bound::Int(row.id)];
        if (found.start, found.end) == (row.start, row.end) {
            prepared(Count, [count, updated, id]).execute(connection)?;
        } else {
            let (start, end) = (time_text(row.start)?, time_text(row.end)?);
            let values = [count, updated, Bound::Text(&start), Bound::Text(&end), id];
            prepared(BeginWindow, values).execute(connection)?;
        }
    }
    Ok(rows.len())
}

fn change_states(
    connection: &mut SqliteConnection,
    rows: &[Change<StateRow>],
) -> QueryResult<usize> {
    for Change { found, now: row } in rows {
        let StateRow { key, tag, words: [first, second], updated, expires } = row;
        let [first, second, updated, tag] =
            [first, second, updated, tag].map(|int| Bound::Int(*int));
        let key = Bound::Text(key);
        if found.expires == *expires {
            let values = [first, second, updated, key, tag];
            prepared(ChangeState, values).execute(connection)?;
        } else {
            let values = [first, second, updated, Bound::Int(*expires), key, tag];
            prepared(ProlongState, values).execute(connection)?;
        }
    }
    Ok(rows.len())
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
