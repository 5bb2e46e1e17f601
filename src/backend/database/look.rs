//! What stands in the tables, for an operator: nothing is locked, nothing changed.

use diesel::{QueryResult, RunQueryDsl, sql_types::Text};

use super::{
    Dialect, Migration,
    fault::Fault,
    statement::{Int, Statement, Value},
    tables::Tables,
};

/// What is looked for.
#[derive(Debug)]
pub(super) enum Look {
    /// States of keys like this pattern, with `*` for anything: of each table at most so many.
    Like(String, i64),
    /// States of one key, as the tables have it.
    At(String),
    /// The migrations that were not run yet.
    Migrations,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Seen {
    States(Vec<SeenState>),
    Migrations(Vec<Migration>),
}

/// A row, or all entries of a key together.
#[derive(Debug)]
pub(super) struct SeenState {
    pub(super) table: SeenTable,
    pub(super) key: String,
    /// What it is depends on the table.
    pub(super) numbers: [i64; 4],
    /// Unix microseconds.
    pub(super) expires: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeenTable {
    /// Count, start of the window.
    Counter,
    /// Tag, both words, when it was written.
    State,
    /// How many, permits, time of the first and of the last.
    Entries,
}

/// A connection whose tables can be looked at.
pub trait LookAt {
    /// Its kind of database.
    const DIALECT: Dialect;

    /// Unix microseconds of a column of the original's times.
    fn micros(column: &str) -> String;

    /// A number as a whole one of 64 bits.
    fn whole(number: &str) -> String;

    /// The rows of a statement of this module.
    fn rows(&mut self, sql: String, values: Vec<Value>) -> QueryResult<Vec<Row>>;
}

/// A key and five numbers.
pub(super) type Row = (String, i64, i64, i64, i64, i64);
type RowSql = (Text, Int, Int, Int, Int, Int);

impl Look {
    pub(super) fn at<T: Tables>(&self, tables: &mut T) -> Result<Seen, Fault> {
        let (matches, key, most) = match self {
            Self::Migrations => {
                let pending = tables.pending_migrations()?;
                return Ok(Seen::Migrations(Migration::all(T::DIALECT, &pending)));
            }
            Self::Like(pattern, most) => {
                (T::FRAGMENTS.matches, (T::FRAGMENTS.pattern)(pattern), *most)
            }
            Self::At(key) => ("= ?", key.clone(), i64::MAX),
        };
        tables.plan_for_values()?;
        let mut seen = Vec::new();
        for table in [SeenTable::Counter, SeenTable::Entries, SeenTable::State] {
            let values = vec![Value::Text(key.clone()), Value::Int(most)];
            let rows = tables.rows(table.statement::<T>(matches), values)?;
            seen.extend(rows.into_iter().map(|(key, a, b, c, d, expires)| SeenState {
                table,
                key,
                numbers: [a, b, c, d],
                expires,
            }));
        }
        Ok(Seen::States(seen))
    }
}

impl SeenTable {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "django_smart_ratelimit_counter",
            Self::State => "ratelimit_state",
            Self::Entries => "django_smart_ratelimit_entry",
        }
    }

    fn statement<T: Tables>(self, matches: &str) -> String {
        let quote = T::FRAGMENTS.quote;
        let column = |name: &str| format!("{quote}{name}{quote}");
        let micros = |name: &str| T::micros(&column(name));
        let key = column("key");
        let (columns, group) = match self {
            Self::Counter => {
                let (start, end) = (micros("window_start"), micros("window_end"));
                let none = T::whole("0");
                (format!("{}, {start}, {none}, {none}, {end}", column("count")), String::new())
            }
            Self::State => {
                let names = ["tag", "first_word", "second_word", "updated_at", "expires_at"];
                (names.map(column).join(", "), String::new())
            }
            Self::Entries => {
                let (at, end) = (micros("timestamp"), micros("expires_at"));
                let cost = T::whole(&format!("SUM({})", column("cost")));
                let columns = format!("COUNT(*), {cost}, MIN({at}), MAX({at}), MAX({end})");
                (columns, format!(" GROUP BY {key}"))
            }
        };
        let table = column(self.name());
        format!(
            "SELECT {key}, {columns} FROM {table} WHERE {key} {matches}{group} ORDER BY {key} LIMIT ?"
        )
    }
}

#[cfg(feature = "postgres")]
impl LookAt for diesel::PgConnection {
    const DIALECT: Dialect = Dialect::Postgres;

    fn micros(column: &str) -> String {
        format!("(extract(epoch FROM {column}) * 1000000)::bigint")
    }

    fn whole(number: &str) -> String {
        format!("{number}::bigint")
    }

    fn rows(&mut self, sql: String, values: Vec<Value>) -> QueryResult<Vec<Row>> {
        Statement::<RowSql>::new(sql, values).load(self)
    }
}

#[cfg(feature = "mysql")]
impl LookAt for diesel::MysqlConnection {
    const DIALECT: Dialect = Dialect::Mysql;

    fn micros(column: &str) -> String {
        format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column})")
    }

    fn whole(number: &str) -> String {
        format!("CAST({number} AS SIGNED)")
    }

    fn rows(&mut self, sql: String, values: Vec<Value>) -> QueryResult<Vec<Row>> {
        Statement::<RowSql>::new(sql, values).load(self)
    }
}

#[cfg(feature = "sqlite")]
impl LookAt for diesel::SqliteConnection {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn micros(column: &str) -> String {
        format!(
            "(CAST(strftime('%s', substr({column}, 1, 19)) AS INTEGER) * 1000000 \
             + CAST(substr(substr({column}, 21) || '000000', 1, 6) AS INTEGER))"
        )
    }

    fn whole(number: &str) -> String {
        number.to_owned()
    }

    fn rows(&mut self, sql: String, values: Vec<Value>) -> QueryResult<Vec<Row>> {
        Statement::<RowSql>::new(sql, values).load(self)
    }
}
