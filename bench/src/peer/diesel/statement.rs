//! One statement about one key.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};
use diesel::{QueryResult, RunQueryDsl};

/// A text in which each `?` stands for the key and each `#` for the number. A connection prepares it
/// once.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(super) sql: &'static str,
    pub(super) key: &'a str,
    pub(super) number: i64,
}

// The text tells one statement from another.
impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = BigInt;
}

impl<C> RunQueryDsl<C> for Statement<'_> {}

impl<DB> QueryFragment<DB> for Statement<'_>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for part in self.sql.split_inclusive(['?', '#']) {
            out.push_sql(part.trim_end_matches(['?', '#']));
            match part.chars().next_back() {
                Some('?') => out.push_bind_param::<Text, str>(self.key)?,
                Some('#') => out.push_bind_param::<BigInt, i64>(&self.number)?,
                _ => {}
            }
        }
        Ok(())
    }
}
