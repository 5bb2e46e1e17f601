//! Statements that run once for each row. A connection finds them by their types, for to write and compare
//! their texts every time would take longer.

use std::marker::PhantomData;

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};

use crate::backend::database::statement::walk;

/// A statement of constant text.
pub(super) trait Fixed: 'static {
    const SQL: &'static str;
    /// The SQL type of its rows.
    type Row;
}

/// Names statements, each by a type.
macro_rules! statements {
    ($($(#[$about:meta])* $name:ident: $row:ty = $sql:expr;)*) => { $(
        $(#[$about])*
        struct $name;

        impl $crate::backend::database::sqlite::prepared::Fixed for $name {
            const SQL: &'static str = $sql;
            type Row = $row;
        }
    )* };
}
pub(super) use statements;

/// A value that stands for a question mark.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound<'v> {
    Text(&'v str),
    Int(i64),
}

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Prepared<'v, S, const N: usize> {
    values: [Bound<'v>; N],
    statement: PhantomData<S>,
}

/// A statement of this kind with these values.
pub(super) fn prepared<'v, S: Fixed, const N: usize>(
    _: S,
    values: [Bound<'v>; N],
) -> Prepared<'v, S, N> {
    Prepared { values, statement: PhantomData }
}

impl<S: Fixed, const N: usize> QueryId for Prepared<'_, S, N> {
    type QueryId = S;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: Fixed, const N: usize> Query for Prepared<'_, S, N> {
    type SqlType = S::Row;
}

impl<S, C, const N: usize> RunQueryDsl<C> for Prepared<'_, S, N> {}

impl<S: Fixed, const N: usize> QueryFragment<Sqlite> for Prepared<'_, S, N> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        walk(S::SQL, &self.values, out, |out, value| match value {
            Bound::Text(text) => out.push_bind_param::<Text, str>(text),
            Bound::Int(int) => out.push_bind_param::<BigInt, i64>(int),
        })
    }
}
