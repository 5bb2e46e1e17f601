//! Rows that need not be kept: which they are, and how they are counted and removed.

use super::{fault::Fault, statement::Value, tables::Tables};

/// The tables, with the columns by which their rows are old.
const TABLES: [Table; 3] = [
    Table {
        name: "django_smart_ratelimit_entry",
        id: &["id"],
        expiry: "expires_at",
        written: "timestamp",
        has_micros: false,
    },
    Table {
        name: "django_smart_ratelimit_counter",
        id: &["id"],
        expiry: "window_end",
        written: "updated_at",
        has_micros: false,
    },
    Table {
        name: "ratelimit_state",
        id: &["key", "tag"],
        expiry: "expires_at",
        written: "updated_at",
        has_micros: true,
    },
];

struct Table {
    name: &'static str,
    id: &'static [&'static str],
    expiry: &'static str,
    written: &'static str,
    /// Whether it is ours, whose times are Unix microseconds.
    has_micros: bool,
}

/// What differs between dialects in these statements.
#[derive(Clone, Copy, Debug)]
pub struct Fragments {
    /// Round the names of columns and tables.
    pub(super) quote: char,
    /// A time of the original's columns, of Unix microseconds.
    pub(super) time: &'static str,
    /// Compares a key with a pattern.
    pub(super) matches: &'static str,
    /// A pattern of this dialect, of one with `*` for anything.
    pub(super) pattern: fn(&str) -> String,
    /// Whether a DELETE can be bounded; otherwise it is given the rows by a SELECT.
    pub(super) bounded_delete: bool,
    /// At the end of that SELECT.
    pub(super) skip_locked: &'static str,
}

/// Which rows are meant.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    /// For how long, in microseconds, they were not written, expired or not; `None`: those that are
    /// expired.
    pub(super) older_than: Option<u64>,
    /// Only states, neither entries nor counters.
    pub(super) only_states: bool,
    /// With `*` for anything.
    pub(super) key_pattern: String,
    /// Most rows to remove; `None`: only count.
    pub(super) batch: Option<u32>,
}

/// Counts of rows: entries, counters, states.
pub(super) type Counts = [u64; 3];

/// Counts all stale rows, or removes a batch of them.
pub(super) fn clean<T: Tables>(
    tables: &mut T,
    stale: &Stale,
    now: Option<i64>,
) -> Result<Counts, Fault> {
    let now = match now {
        Some(now) => now,
        None => tables.now()?,
    };
    tables.plan_for_values()?;
    let back = stale.older_than.map(|micros| i64::try_from(micros).unwrap_or(i64::MAX));
    let before = now.saturating_sub(back.unwrap_or(0)).max(0);
    let mut counts = Counts::default();
    let mut left = stale.batch.map(u64::from);
    for (table, count) in TABLES.iter().zip(&mut counts) {
        if stale.only_states && !table.has_micros {
            continue;
        }
        let mut values =
            vec![Value::Int(before), Value::Text((T::FRAGMENTS.pattern)(&stale.key_pattern))];
        match &mut left {
            None => {
                let found = tables.count(table.count(T::FRAGMENTS, stale), values)?;
                *count = u64::try_from(found).unwrap_or(0);
            }
            Some(0) => {}
            Some(left) => {
                values.push(Value::Int(i64::try_from(*left).unwrap_or(i64::MAX)));
                *count = tables.execute(table.remove(T::FRAGMENTS, stale), values)? as u64;
                *left = left.saturating_sub(*count);
            }
        }
    }
    Ok(counts)
}

impl Table {
    fn condition(&self, of: Fragments, stale: &Stale) -> String {
        let quote = of.quote;
        let (column, compares) =
            if stale.older_than.is_some() { (self.written, "<") } else { (self.expiry, "<=") };
        let time = if self.has_micros { "?" } else { of.time };
        let matches = of.matches;
        format!("{quote}{column}{quote} {compares} {time} AND {quote}key{quote} {matches}")
    }

    fn count(&self, of: Fragments, stale: &Stale) -> String {
        let (quote, condition) = (of.quote, self.condition(of, stale));
        format!("SELECT COUNT(*) FROM {quote}{}{quote} WHERE {condition}", self.name)
    }

    fn remove(&self, of: Fragments, stale: &Stale) -> String {
        let (quote, condition, name) = (of.quote, self.condition(of, stale), self.name);
        if of.bounded_delete {
            return format!("DELETE FROM {quote}{name}{quote} WHERE {condition} LIMIT ?");
        }
        let quoted: Vec<_> = self.id.iter().map(|id| format!("{quote}{id}{quote}")).collect();
        let (id, skip) = (quoted.join(", "), of.skip_locked);
        format!(
            "DELETE FROM {quote}{name}{quote} WHERE ({id}) IN \
             (SELECT {id} FROM {quote}{name}{quote} WHERE {condition} LIMIT ?{skip})"
        )
    }
}

/// A pattern for LIKE with `!` before what means something in it.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len() + 8);
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '%' | '_' | '!' => like.extend(['!', c]),
            _ => like.push(c),
        }
    }
    like
}

/// A pattern for GLOB, in which a class of one character stands for what means something.
#[cfg(feature = "sqlite")]
pub(super) fn glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len() + 8);
    for c in pattern.chars() {
        match c {
            '?' | '[' => glob.extend(['[', c, ']']),
            _ => glob.push(c),
        }
    }
    glob
}
