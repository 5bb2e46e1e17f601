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
