//! Lists as JSON, for databases that have no arrays: one value, whatever their length.

use serde_json::{Value as Json, json};

use super::{
    row::{CounterRow, EntryRow, StateRow},
    statement::Value,
};

fn list<'r, R: 'r>(rows: impl IntoIterator<Item = &'r R>, of: impl Fn(&R) -> Json) -> Value {
    Value::Text(Json::Array(rows.into_iter().map(of).collect()).to_string())
}

pub(super) fn keys(keys: &[String]) -> Value {
    list(keys, |key| json!([key]))
}

pub(super) fn pairs(pairs: &[(String, i64)]) -> Value {
    list(pairs, |(key, tag)| json!([key, tag]))
}

pub(super) fn ids(ids: &[i64]) -> Value {
    list(ids, |id| json!([id]))
}

pub(super) fn counters<'r>(rows: impl IntoIterator<Item = &'r CounterRow>) -> Value {
    list(rows, |row| json!([row.key, row.count, row.start, row.end]))
}

pub(super) fn states<'r>(rows: impl IntoIterator<Item = &'r StateRow>) -> Value {
    list(rows, |row| {
        json!([row.key, row.tag, row.words[0], row.words[1], row.updated, row.expires])
    })
}

pub(super) fn entries(rows: &[EntryRow]) -> Value {
    list(rows, |row| json!([row.key, row.at, row.expires, row.cost]))
}

/// Implements [`Tables`](super::tables::Tables) over the statements of the module where it stands, each
/// of which takes one list, and its functions `transaction`, `prepare`, `counters`, `states`, and those
/// that change and charge them.
macro_rules! implement_tables {
    ($connection:ty, $migrations:expr) => {
        const _: () = {
            use diesel::sql_types::Text;
            use $crate::backend::database::{
                changes::Change,
                charge::{Charged, CounterCharge, StateCharge},
                json,
                row::EntryRow,
                statement::Int,
                tables::Locked,
            };

            fn execute(
                connection: &mut $connection,
                sql: &'static str,
                value: Value,
            ) -> QueryResult<usize> {
                Statement::<()>::new(sql, [value]).execute(connection)
            }

            impl Tables for $connection {
                const FRAGMENTS: Fragments = FRAGMENTS;
                const CHARGES_AT_ONCE: bool = CHARGES_AT_ONCE;

                fn in_transaction<T>(
                    &mut self,
                    is_own: bool,
                    work: impl FnOnce(&mut Self) -> Result<T, Fault>,
                ) -> Result<T, Fault> {
                    transaction(self, is_own, work)
                }

                fn prepare(&mut self) -> QueryResult<()> {
                    prepare(self)
                }

                fn now(&mut self) -> QueryResult<i64> {
                    Statement::<Int>::new(NOW, []).get_result(self)
                }

                fn counters(&mut self, keys: Vec<String>) -> QueryResult<Locked<CounterRow>> {
                    Ok(Locked { rows: counters(self, keys)?, now: None })
                }

                fn add_counters(&mut self, rows: &[CounterRow]) -> QueryResult<usize> {
                    execute(self, ADD_COUNTERS, json::counters(rows))
                }

                fn change_counters(&mut self, rows: &[Change<CounterRow>]) -> QueryResult<usize> {
                    change_counters(self, rows)
                }

                fn charge_counters(
                    &mut self,
                    charges: &[CounterCharge],
                    now: Option<i64>,
                ) -> QueryResult<Vec<Charged>> {
                    charge_counters(self, charges, now)
                }

                fn charge_states(
                    &mut self,
                    charges: &[StateCharge],
                    now: Option<i64>,
                ) -> QueryResult<Vec<Charged>> {
                    charge_states(self, charges, now)
                }

                fn states(&mut self, of: Vec<(String, i64)>) -> QueryResult<Locked<StateRow>> {
                    Ok(Locked { rows: states(self, of)?, now: None })
                }

                fn add_states(&mut self, rows: &[StateRow]) -> QueryResult<usize> {
                    execute(self, ADD_STATES, json::states(rows))
                }

                fn change_states(&mut self, rows: &[Change<StateRow>]) -> QueryResult<usize> {
                    change_states(self, rows)
                }

                fn entries(&mut self, keys: Vec<String>) -> QueryResult<Vec<EntryRow>> {
                    type Row = (Int, Text, Int, Int, Int);
                    let found: Vec<(i64, String, i64, i64, i64)> =
                        Statement::<Row>::new(ENTRIES, [json::keys(&keys)]).load(self)?;
                    let row =
                        |(id, key, at, expires, cost)| EntryRow { id, key, at, expires, cost };
                    Ok(found.into_iter().map(row).collect())
                }

                fn add_entries(&mut self, rows: &[EntryRow]) -> QueryResult<usize> {
                    execute(self, ADD_ENTRIES, json::entries(rows))
                }

                fn remove_entries(&mut self, ids: Vec<i64>) -> QueryResult<usize> {
                    execute(self, REMOVE_ENTRIES, json::ids(&ids))
                }

                fn count(&mut self, sql: String, values: Vec<Value>) -> QueryResult<i64> {
                    Statement::<Int>::new(sql, values).get_result(self)
                }

                fn execute(&mut self, sql: String, values: Vec<Value>) -> QueryResult<usize> {
                    RunQueryDsl::execute(Statement::<()>::new(sql, values), self)
                }

                fn texts(
                    &mut self,
                    sql: String,
                ) -> QueryResult<Vec<(i64, String, String, String)>> {
                    Statement::<(Int, Text, Text, Text)>::new(sql, []).load(self)
                }

                fn forget(&mut self, key: &str) -> QueryResult<()> {
                    for sql in FORGET {
                        execute(self, sql, Value::Text(key.to_owned()))?;
                    }
                    Ok(())
                }

                fn migrate(&mut self) -> Result<Vec<String>, Fault> {
                    migrations::run(self, $migrations)
                }

                fn pending_migrations(&mut self) -> Result<Vec<String>, Fault> {
                    migrations::pending(self, $migrations)
                }
            }
        };
    };
}
pub(super) use implement_tables;
