//! What one kind of database can be asked: the only thing that differs from one to the other.

use diesel::{Connection, QueryResult, r2d2::R2D2Connection};

use super::{
    changes::Change,
    charge::{Charged, CounterCharge, StateCharge},
    fault::Fault,
    look::LookAt,
    row::{CounterRow, EntryRow, StateRow},
    stale::Fragments,
    statement::Value,
};

/// Rows that are locked now.
#[derive(Debug)]
pub struct Locked<R> {
    pub(super) rows: Vec<R>,
    /// The server's clock once the locks were there, in Unix microseconds, if it told so by the way.
    pub(super) now: Option<i64>,
}

/// A connection whose tables hold limits. Rows come and go in the order of their keys.
pub trait Tables: Connection + R2D2Connection + LookAt + Sized + 'static {
    /// What its statements of housekeeping are made of.
    const FRAGMENTS: Fragments;

    /// Whether it can charge rows that it has not locked and read before.
    const CHARGES_AT_ONCE: bool = false;

    /// Does `work` in one transaction at READ COMMITTED, or as the only writer. A connection of our own
    /// was [prepared](Self::prepare) for it.
    fn in_transaction<T>(
        &mut self,
        is_own: bool,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault>;

    /// Does `work`, one statement, in a transaction: where the database makes one of it by itself, without
    /// saying so.
    fn by_itself<T>(
        &mut self,
        is_own: bool,
        work: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.in_transaction(is_own, work)
    }

    /// Has the statements of this transaction planned for their values, where plans are kept otherwise: one
    /// for any bound on the rows is one for a tenth of the table.
    fn plan_for_values(&mut self) -> QueryResult<()> {
        Ok(())
    }

    /// What is set on a connection of our own when it is made.
    fn prepare(&mut self) -> QueryResult<()>;

    /// The server's clock now, in Unix microseconds.
    fn now(&mut self) -> QueryResult<i64>;

    /// Those of these counters that exist, locked.
    fn counters(&mut self, keys: Vec<String>) -> QueryResult<Locked<CounterRow>>;

    /// Adds counters, and tells how many were not there already.
    fn add_counters(&mut self, rows: &[CounterRow]) -> QueryResult<usize>;

    /// Changes counters that are locked.
    fn change_counters(&mut self, rows: &[Change<CounterRow>]) -> QueryResult<usize>;

    /// Charges those counters that exist and can take the whole of it, at a time or else at that of the
    /// server, and tells which.
    fn charge_counters(
        &mut self,
        _: &[CounterCharge],
        _: Option<i64>,
    ) -> QueryResult<Vec<Charged>> {
        Ok(Vec::new())
    }

    /// The same for buckets.
    fn charge_states(&mut self, _: &[StateCharge], _: Option<i64>) -> QueryResult<Vec<Charged>> {
        Ok(Vec::new())
    }

    /// Those of these states that exist, locked.
    fn states(&mut self, of: Vec<(String, i64)>) -> QueryResult<Locked<StateRow>>;

    /// Adds states, and tells how many were not there already.
    fn add_states(&mut self, rows: &[StateRow]) -> QueryResult<usize>;

    /// Changes states that are locked.
    fn change_states(&mut self, rows: &[Change<StateRow>]) -> QueryResult<usize>;

    /// The entries of these keys by time.
    fn entries(&mut self, keys: Vec<String>) -> QueryResult<Vec<EntryRow>>;

    /// Adds entries.
    fn add_entries(&mut self, rows: &[EntryRow]) -> QueryResult<usize>;

    /// Removes entries.
    fn remove_entries(&mut self, ids: Vec<i64>) -> QueryResult<usize>;

    /// The number that a statement answers with.
    fn count(&mut self, sql: String, values: Vec<Value>) -> QueryResult<i64>;

    /// Runs a statement, and tells how many rows it was about.
    fn execute(&mut self, sql: String, values: Vec<Value>) -> QueryResult<usize>;

    /// The rows of a statement that answers with a number and three texts.
    fn texts(&mut self, sql: String) -> QueryResult<Vec<(i64, String, String, String)>>;

    /// Removes everything about a key.
    fn forget(&mut self, key: &str) -> QueryResult<()>;

    /// Runs the migrations that were not run yet, and names them.
    fn migrate(&mut self) -> Result<Vec<String>, Fault>;

    /// Names the migrations that were not run yet.
    fn pending_migrations(&mut self) -> Result<Vec<String>, Fault>;
}

/// A connection of Diesel whose database can hold limits: `PgConnection`, `MysqlConnection`,
/// `SqliteConnection`. Nobody else can implement it.
pub trait DatabaseConnection: Tables {}

impl<T: Tables> DatabaseConnection for T {}
