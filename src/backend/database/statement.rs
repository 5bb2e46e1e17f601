//! Statements of constant text with their values: prepared once on each connection.

use std::{borrow::Cow, marker::PhantomData};

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Nullable, Text},
};

/// A value of a statement.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Int(i64),
    Maybe(Option<i64>),
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

/// A statement whose values stand for its question marks, and whose rows are of the SQL type `R`.
#[derive(Debug)]
pub(super) struct Statement<R> {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    rows: PhantomData<R>,
}

impl<R> Statement<R> {
    pub(super) fn new(sql: impl Into<Cow<'static, str>>, values: impl Into<Vec<Value>>) -> Self {
        Self { sql: sql.into(), values: values.into(), rows: PhantomData }
    }

    fn walk<'b, DB: Backend>(
        &'b self,
        out: AstPass<'_, 'b, DB>,
        bind: impl FnMut(&mut AstPass<'_, 'b, DB>, &'b Value) -> QueryResult<()>,
    ) -> QueryResult<()> {
        walk(&self.sql, &self.values, out, bind)
    }
}

/// Writes a text, and hands each value to `bind` where its question mark is.
pub(super) fn walk<'b, DB: Backend, V>(
    sql: &str,
    values: &'b [V],
    mut out: AstPass<'_, 'b, DB>,
    mut bind: impl FnMut(&mut AstPass<'_, 'b, DB>, &'b V) -> QueryResult<()>,
) -> QueryResult<()> {
    let mut values = values.iter();
    for (index, part) in sql.split('?').enumerate() {
        if let Some(value) = (index > 0).then(|| values.next()).flatten() {
            bind(&mut out, value)?;
        }
        out.push_sql(part);
    }
    Ok(())
}

// The text tells one statement from another.
impl<R> QueryId for Statement<R> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<R> Query for Statement<R> {
    type SqlType = R;
}

impl<R, C> RunQueryDsl<C> for Statement<R> {}

#[cfg(feature = "postgres")]
impl<R> QueryFragment<diesel::pg::Pg> for Statement<R> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, diesel::pg::Pg>) -> QueryResult<()> {
        use diesel::sql_types::Array;
        self.walk(out, |out, value| match value {
            Value::Text(text) => out.push_bind_param::<Text, _>(text),
            Value::Int(int) => out.push_bind_param::<BigInt, _>(int),
            Value::Maybe(int) => out.push_bind_param::<Nullable<BigInt>, _>(int),
            Value::Texts(texts) => out.push_bind_param::<Array<Text>, _>(texts),
            Value::Ints(ints) => out.push_bind_param::<Array<BigInt>, _>(ints),
        })
    }
}

#[cfg(feature = "mysql")]
impl<R> QueryFragment<diesel::mysql::Mysql> for Statement<R> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, diesel::mysql::Mysql>) -> QueryResult<()> {
        self.walk(out, |out, value| match value {
            Value::Text(text) => out.push_bind_param::<Text, _>(text),
            Value::Int(int) => out.push_bind_param::<BigInt, _>(int),
            Value::Maybe(int) => out.push_bind_param::<Nullable<BigInt>, _>(int),
            Value::Texts(_) | Value::Ints(_) => Ok(()),
        })
    }
}

#[cfg(feature = "sqlite")]
impl<R> QueryFragment<diesel::sqlite::Sqlite> for Statement<R> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, diesel::sqlite::Sqlite>) -> QueryResult<()> {
        self.walk(out, |out, value| match value {
            Value::Text(text) => out.push_bind_param::<Text, _>(text),
            Value::Int(int) => out.push_bind_param::<BigInt, _>(int),
            Value::Maybe(int) => out.push_bind_param::<Nullable<BigInt>, _>(int),
            Value::Texts(_) | Value::Ints(_) => Ok(()),
        })
    }
}

/// Whole numbers of rows in SQL.
pub(super) type Int = BigInt;
