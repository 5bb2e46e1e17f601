//! PostgreSQL: lists travel as arrays.

use diesel::{
    PgConnection, QueryResult, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    sql_types::Text,
};

use super::{
    changes::Change,
    charge::{Charged, CounterCharge, StateCharge},
    fault::Fault,
    held::EXPIRY_GRAIN,
    migrations,
    row::{self, CounterRow, EntryRow, StateRow},
    stale::{self, Fragments},
    statement::{Int, Statement, Value},
    tables::{Locked, Tables},
};

/// Plans of statements are kept, whatever their values, or every check would be planned anew. Made while a
/// table is small they would read the whole of it, and still do so when it is large: nothing but a look-up
/// of each key is ever wanted.
const PREPARE: &str = "SET application_name = 'actix-smart-ratelimit'; \
     SET default_transaction_isolation = 'read committed'; SET jit = off; \
     SET plan_cache_mode = force_generic_plan; \
     SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Messages by which errors are told apart, in English if the user may choose that.
const LANGUAGE: &str = "DO $$ BEGIN SET lc_messages = 'C'; EXCEPTION WHEN OTHERS THEN NULL; END $$";

/// How long libpq waits for a server that does not answer to packets, in seconds and once in milliseconds.
/// By default it is hours.
const PATIENCE: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "10000"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "2"),
];

/// The URL with bounds on waiting for a server that is gone, but for those that it has.
pub(super) fn impatient(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in PATIENCE {
        if !url.contains(&format!("{name}=")) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={value}"));
        }
    }
    url
}

/// The same for one transaction on a connection of somebody else.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL jit = off; \
     SET LOCAL plan_cache_mode = force_generic_plan; \
     SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// What locks rows is done by itself, and the parts of a union one after the other: the clock in the last
/// is read once every row of the first is locked. It comes without a key.
const COUNTERS: &str = r#"
WITH locked AS (
    SELECT "key"::text, "count", "window_start", "window_end"
    FROM "django_smart_ratelimit_counter" WHERE "key" = ANY(?) ORDER BY "key" COLLATE "C" FOR UPDATE)
SELECT "key", "count", (extract(epoch FROM "window_start") * 1000000)::bigint,
    (extract(epoch FROM "window_end") * 1000000)::bigint FROM locked
UNION ALL SELECT NULL, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 0, 0"#;

const ADD_COUNTERS: &str = r#"
INSERT INTO "django_smart_ratelimit_counter"
    ("key", "count", "window_start", "window_end", "created_at", "updated_at")
SELECT k, n, timestamptz 'epoch' + s * interval '1 microsecond',
    timestamptz 'epoch' + e * interval '1 microsecond', now(), now()
FROM unnest(?, ?, ?, ?) WITH ORDINALITY AS r(k, n, s, e, o) ORDER BY o
ON CONFLICT ("key") DO NOTHING"#;

/// Whatever changes a row leaves the room that it took when it was added to those that come after it.
const CHANGE_COUNTERS: &str = r#"
UPDATE "django_smart_ratelimit_counter" AS c
SET "count" = n, "window_start" = timestamptz 'epoch' + s * interval '1 microsecond',
    "window_end" = timestamptz 'epoch' + e * interval '1 microsecond', "updated_at" = now(), "room" = NULL
FROM unnest(?, ?, ?, ?) AS r(k, n, s, e) WHERE c."key" = r.k"#;

/// Rows are met, and locked, in the order of the list, that of their keys. The clock is read once, before:
/// a row that somebody else has charged later is left alone, for its window or time is not yet.
const CHARGE_COUNTERS: &str = r#"
UPDATE "django_smart_ratelimit_counter" AS c
SET "count" = CASE WHEN c."window_start" = r.s THEN c."count" + r.n ELSE r.n END,
    "window_start" = r.s, "window_end" = r.e, "updated_at" = now(), "room" = NULL
FROM (
    SELECT o, k, n, l, p, t, timestamptz 'epoch' + (t - t % p) * interval '1 microsecond' AS s,
        timestamptz 'epoch' + (t - t % p + p) * interval '1 microsecond' AS e
    FROM (
        SELECT o, k, n, l, p,
            (SELECT coalesce(?, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)) AS t
        FROM unnest(?, ?, ?, ?) WITH ORDINALITY AS u(k, n, l, p, o)) AS u
    OFFSET 0) AS r
WHERE c."key" = r.k
    AND (c."window_start" = r.s AND c."window_end" = r.e AND c."count" + r.n <= r.l
        OR c."window_end" <= timestamptz 'epoch' + r.t * interval '1 microsecond'
            AND c."window_end" = c."window_start" + r.p * interval '1 microsecond')
RETURNING r.o, c."count", 0::bigint, r.t"#;

const STATES: &str = r#"
WITH locked AS (
    SELECT s."key"::text, s."tag", s."first_word", s."second_word", s."updated_at", s."expires_at"
    FROM unnest(?, ?) AS r(k, t)
    JOIN "ratelimit_state" AS s ON s."key" = r.k COLLATE "C" AND s."tag" = r.t
    ORDER BY s."key", s."tag" FOR UPDATE OF s)
SELECT * FROM locked
UNION ALL SELECT NULL, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 0, 0, 0, 0"#;

const ADD_STATES: &str = r#"
INSERT INTO "ratelimit_state" ("key", "tag", "first_word", "second_word", "updated_at", "expires_at")
SELECT k, t, a, b, u, e FROM unnest(?, ?, ?, ?, ?, ?) WITH ORDINALITY AS r(k, t, a, b, u, e, o) ORDER BY o
ON CONFLICT ("key", "tag") DO NOTHING"#;

const CHANGE_STATES: &str = r#"
UPDATE "ratelimit_state" AS s SET "first_word" = a, "second_word" = b, "updated_at" = u,
    "expires_at" = e, "room" = NULL
FROM unnest(?, ?, ?, ?, ?, ?) AS r(k, t, a, b, u, e)
WHERE s."key" = r.k COLLATE "C" AND s."tag" = r.t"#;

/// As [`CHARGE_COUNTERS`], with `max(TAT, t) + c·T` in pairs of whole microseconds and a remainder.
const CHARGE_STATES: &str = r#"
UPDATE "ratelimit_state" AS s
SET "first_word" = greatest(s."first_word", r.t) + r.a
        + CASE WHEN s."first_word" >= r.t AND s."second_word" + r.b >= r.p THEN 1 ELSE 0 END,
    "second_word" = CASE WHEN s."first_word" >= r.t THEN (s."second_word" + r.b) % r.p ELSE r.b END,
    "updated_at" = r.t, "room" = NULL,
    "expires_at" = (greatest(s."first_word", r.t) + r.a + r.m + CASE
        WHEN s."first_word" >= r.t AND s."second_word" + r.b > r.p THEN 2
        WHEN s."first_word" >= r.t AND s."second_word" + r.b > 0 OR r.b > 0 THEN 1 ELSE 0 END
        + r.y - 1) / r.y * r.y
FROM (
    SELECT *, (SELECT coalesce(?, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)) AS t, ? AS y
    FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) WITH ORDINALITY AS u(k, g, a, b, w, x, p, m, o)
    OFFSET 0) AS r
WHERE s."key" = r.k COLLATE "C" AND s."tag" = r.g AND s."updated_at" <= r.t
    AND s."first_word" BETWEEN 0 AND r.t + r.w AND s."second_word" BETWEEN 0 AND r.p - 1
    AND (greatest(s."first_word", r.t) + r.a
            + CASE WHEN s."first_word" >= r.t AND s."second_word" + r.b >= r.p THEN 1 ELSE 0 END,
        CASE WHEN s."first_word" >= r.t THEN (s."second_word" + r.b) % r.p ELSE r.b END)
        <= (r.t + r.w, r.x)
RETURNING r.o, s."first_word", s."second_word", r.t"#;

const ENTRIES: &str = r#"
SELECT "id"::bigint, "key"::text, (extract(epoch FROM "timestamp") * 1000000)::bigint,
    (extract(epoch FROM "expires_at") * 1000000)::bigint, "cost"
FROM "django_smart_ratelimit_entry" WHERE "key" = ANY(?) ORDER BY "timestamp", "id""#;

const ADD_ENTRIES: &str = r#"
INSERT INTO "django_smart_ratelimit_entry"
    ("key", "timestamp", "expires_at", "algorithm", "created_at", "updated_at", "cost")
SELECT k, timestamptz 'epoch' + s * interval '1 microsecond',
    timestamptz 'epoch' + e * interval '1 microsecond', 'sliding_window', now(), now(), c
FROM unnest(?, ?, ?, ?) AS r(k, s, e, c)"#;

const REMOVE_ENTRIES: &str = r#"DELETE FROM "django_smart_ratelimit_entry" WHERE "id" = ANY(?)"#;

const FORGET: [&str; 3] = [
    r#"DELETE FROM "django_smart_ratelimit_counter" WHERE "key" = ?"#,
    r#"DELETE FROM "ratelimit_state" WHERE "key" = ?"#,
    r#"DELETE FROM "django_smart_ratelimit_entry" WHERE "key" = ?"#,
];

/// Keys, but for the row of the clock.
type Key = diesel::sql_types::Nullable<Text>;

/// Tells rows from the clock.
fn locked<F, R>(found: Vec<F>, row: impl Fn(F) -> Result<R, i64>) -> Locked<R> {
    let mut locked = Locked { rows: Vec::with_capacity(found.len()), now: None };
    for found in found {
        match row(found) {
            Ok(row) => locked.rows.push(row),
            Err(now) => locked.now = Some(now),
        }
    }
    locked
}

fn ints<'r, R: 'r>(rows: impl IntoIterator<Item = &'r R>, of: impl Fn(&R) -> i64) -> Value {
    Value::Ints(rows.into_iter().map(of).collect())
}

fn texts<'r, R: 'r>(rows: impl IntoIterator<Item = &'r R>, of: impl Fn(&R) -> &String) -> Value {
    Value::Texts(rows.into_iter().map(|row| of(row).clone()).collect())
}

fn execute<const N: usize>(
    connection: &mut PgConnection,
    sql: &'static str,
    values: [Value; N],
) -> QueryResult<usize> {
    Statement::<()>::new(sql, values).execute(connection)
}

fn counter_values<'r>(rows: impl IntoIterator<Item = &'r CounterRow> + Clone) -> [Value; 4] {
    [
        texts(rows.clone(), |row| &row.key),
        ints(rows.clone(), |row| row.count),
        ints(rows.clone(), |row| row.start),
        ints(rows, |row| row.end),
    ]
}

fn charge(
    connection: &mut PgConnection,
    sql: &'static str,
    now: Option<i64>,
    values: impl IntoIterator<Item = Value>,
) -> QueryResult<Vec<Charged>> {
    let values: Vec<_> = std::iter::once(Value::Maybe(now)).chain(values).collect();
    let found: Vec<(i64, i64, i64, i64)> =
        Statement::<(Int, Int, Int, Int)>::new(sql, values).load(connection)?;
    let row = |(place, first, second, now)| Charged { place, words: (first, second), now };
    Ok(found.into_iter().map(row).collect())
}

fn state_values<'r>(rows: impl IntoIterator<Item = &'r StateRow> + Clone) -> [Value; 6] {
    [
        texts(rows.clone(), |row| &row.key),
        ints(rows.clone(), |row| row.tag),
        ints(rows.clone(), |row| row.words[0]),
        ints(rows.clone(), |row| row.words[1]),
        ints(rows.clone(), |row| row.updated),
        ints(rows, |row| row.expires),
    ]
}

impl Tables for PgConnection {
    const FRAGMENTS: Fragments = Fragments {
        quote: '"',
        time: "timestamptz 'epoch' + ? * interval '1 microsecond'",
        matches: "LIKE ? ESCAPE '!'",
        pattern: stale::like,
        bounded_delete: false,
        skip_locked: " FOR UPDATE SKIP LOCKED",
    };
    const CHARGES_AT_ONCE: bool = true;

    fn in_transaction<T>(
        &mut self,
        is_own: bool,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let begin = if is_own { "BEGIN" } else { BEGIN };
        AnsiTransactionManager::begin_transaction_sql(self, begin)?;
        match work(self) {
            Ok(result) => {
                AnsiTransactionManager::commit_transaction(self)?;
                Ok(result)
            }
            Err(fault) => {
                // A connection that cannot even roll back is known as broken, and not used again.
                let _ = AnsiTransactionManager::rollback_transaction(self);
                Err(fault)
            }
        }
    }

    fn by_itself<T>(
        &mut self,
        is_own: bool,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if is_own { work(self) } else { self.in_transaction(is_own, work) }
    }

    fn plan_for_values(&mut self) -> QueryResult<()> {
        self.batch_execute("SET LOCAL plan_cache_mode = auto")
    }

    fn prepare(&mut self) -> QueryResult<()> {
        self.batch_execute(PREPARE)?;
        self.batch_execute(LANGUAGE)
    }

    fn now(&mut self) -> QueryResult<i64> {
        Statement::<Int>::new(NOW, []).get_result(self)
    }

    fn counters(&mut self, keys: Vec<String>) -> QueryResult<Locked<CounterRow>> {
        let found: Vec<(Option<String>, i64, i64, i64)> =
            Statement::<(Key, Int, Int, Int)>::new(COUNTERS, [Value::Texts(keys)]).load(self)?;
        Ok(locked(found, |(key, count, start, end)| match key {
            Some(key) => Ok(CounterRow { id: 0, key, count, start, end }),
            None => Err(count),
        }))
    }

    fn add_counters(&mut self, rows: &[CounterRow]) -> QueryResult<usize> {
        execute(self, ADD_COUNTERS, counter_values(rows))
    }

    fn change_counters(&mut self, rows: &[Change<CounterRow>]) -> QueryResult<usize> {
        execute(self, CHANGE_COUNTERS, counter_values(rows.iter().map(|row| &row.now)))
    }

    fn charge_counters(
        &mut self,
        charges: &[CounterCharge],
        now: Option<i64>,
    ) -> QueryResult<Vec<Charged>> {
        let values = [
            texts(charges, |charge| &charge.key),
            ints(charges, |charge| charge.cost),
            ints(charges, |charge| charge.limit),
            ints(charges, |charge| charge.period),
        ];
        charge(self, CHARGE_COUNTERS, now, values)
    }

    fn charge_states(
        &mut self,
        charges: &[StateCharge],
        now: Option<i64>,
    ) -> QueryResult<Vec<Charged>> {
        let values = [
            Value::Int(row::signed(EXPIRY_GRAIN)),
            texts(charges, |charge| &charge.key),
            ints(charges, |charge| charge.tag),
            ints(charges, |charge| charge.span.0),
            ints(charges, |charge| charge.span.1),
            ints(charges, |charge| charge.tolerance.0),
            ints(charges, |charge| charge.tolerance.1),
            ints(charges, |charge| charge.parts),
            ints(charges, |charge| charge.kept),
        ];
        charge(self, CHARGE_STATES, now, values)
    }

    fn states(&mut self, of: Vec<(String, i64)>) -> QueryResult<Locked<StateRow>> {
        let (keys, tags) = of.into_iter().unzip();
        let values = [Value::Texts(keys), Value::Ints(tags)];
        let found: Vec<(Option<String>, i64, i64, i64, i64, i64)> =
            Statement::<(Key, Int, Int, Int, Int, Int)>::new(STATES, values).load(self)?;
        Ok(locked(found, |(key, tag, first, second, updated, expires)| match key {
            Some(key) => Ok(StateRow { key, tag, words: [first, second], updated, expires }),
            None => Err(tag),
        }))
    }

    fn add_states(&mut self, rows: &[StateRow]) -> QueryResult<usize> {
        execute(self, ADD_STATES, state_values(rows))
    }

    fn change_states(&mut self, rows: &[Change<StateRow>]) -> QueryResult<usize> {
        execute(self, CHANGE_STATES, state_values(rows.iter().map(|row| &row.now)))
    }

    fn entries(&mut self, keys: Vec<String>) -> QueryResult<Vec<EntryRow>> {
        let found: Vec<(i64, String, i64, i64, i64)> =
            Statement::<(Int, Text, Int, Int, Int)>::new(ENTRIES, [Value::Texts(keys)])
                .load(self)?;
        let row = |(id, key, at, expires, cost)| EntryRow { id, key, at, expires, cost };
        Ok(found.into_iter().map(row).collect())
    }

    fn add_entries(&mut self, rows: &[EntryRow]) -> QueryResult<usize> {
        let values = [
            texts(rows, |row| &row.key),
            ints(rows, |row| row.at),
            ints(rows, |row| row.expires),
            ints(rows, |row| row.cost),
        ];
        execute(self, ADD_ENTRIES, values)
    }

    fn remove_entries(&mut self, ids: Vec<i64>) -> QueryResult<usize> {
        execute(self, REMOVE_ENTRIES, [Value::Ints(ids)])
    }

    fn count(&mut self, sql: String, values: Vec<Value>) -> QueryResult<i64> {
        Statement::<Int>::new(sql, values).get_result(self)
    }

    fn execute(&mut self, sql: String, values: Vec<Value>) -> QueryResult<usize> {
        RunQueryDsl::execute(Statement::<()>::new(sql, values), self)
    }

    fn texts(&mut self, sql: String) -> QueryResult<Vec<(i64, String, String, String)>> {
        Statement::<(Int, Text, Text, Text)>::new(sql, []).load(self)
    }

    fn forget(&mut self, key: &str) -> QueryResult<()> {
        for sql in FORGET {
            execute(self, sql, [Value::Text(key.to_owned())])?;
        }
        Ok(())
    }

    fn migrate(&mut self) -> Result<Vec<String>, Fault> {
        migrations::run(self, migrations::POSTGRES)
    }

    fn pending_migrations(&mut self) -> Result<Vec<String>, Fault> {
        migrations::pending(self, migrations::POSTGRES)
    }
}

#[cfg(test)]
mod tests {
    use super::impatient;

    #[test]
    fn a_url_keeps_the_bounds_that_it_has() {
        let url = impatient("postgres://a@b/c?connect_timeout=7&sslmode=disable");
        let start = "postgres://a@b/c?connect_timeout=7&sslmode=disable&tcp_user_timeout=10000&";
        assert!(url.starts_with(start), "{url}");
        assert!(impatient("postgres://a@b/c").starts_with("postgres://a@b/c?connect_timeout=2&"));
    }
}
