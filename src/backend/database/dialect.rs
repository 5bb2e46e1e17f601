//! What MySQL and SQLite have in common as tables.

/// Implements [`Tables`](super::tables::Tables) over the functions and statements of the module where it
/// stands.
macro_rules! implement_tables {
    ($connection:ty) => {
        const _: () = {
            use diesel::sql_types::Text;
            use $crate::backend::database::{changes::Change, statement::Int, tables::Locked};

            impl Tables for $connection {
                const FRAGMENTS: Fragments = FRAGMENTS;

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
                    counters(self, keys)
                }

                fn add_counters(&mut self, rows: &[CounterRow]) -> QueryResult<usize> {
                    add_counters(self, rows)
                }

                fn change_counters(&mut self, rows: &[Change<CounterRow>]) -> QueryResult<usize> {
                    change_counters(self, rows)
                }

                fn states(&mut self, of: Vec<(String, i64)>) -> QueryResult<Locked<StateRow>> {
                    states(self, of)
                }

                fn add_states(&mut self, rows: &[StateRow]) -> QueryResult<usize> {
                    add_states(self, rows)
                }

                fn change_states(&mut self, rows: &[Change<StateRow>]) -> QueryResult<usize> {
                    change_states(self, rows)
                }

                fn entries(&mut self, keys: Vec<String>) -> QueryResult<Vec<EntryRow>> {
                    entries(self, keys)
                }

                fn add_entries(&mut self, rows: &[EntryRow]) -> QueryResult<usize> {
                    add_entries(self, rows)
                }

                fn remove_entries(&mut self, ids: Vec<i64>) -> QueryResult<usize> {
                    remove_entries(self, ids)
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
                        let statement = Statement::<()>::new(sql, [Value::Text(key.to_owned())]);
                        RunQueryDsl::execute(statement, self)?;
                    }
                    Ok(())
                }

                fn migrate(&mut self) -> Result<Vec<String>, Fault> {
                    migrate(self)
                }

                fn pending_migrations(&mut self) -> Result<Vec<String>, Fault> {
                    migrations::pending(self, MIGRATIONS)
                }
            }
        };
    };
}
pub(super) use implement_tables;
