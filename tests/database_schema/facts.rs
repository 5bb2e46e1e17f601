//! What a database says about its tables, in words that are the same for all three.

use std::collections::BTreeMap;

use serde_json::Value;

/// Tables by their names.
pub(crate) type Tables = BTreeMap<String, Table>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// In their order: `id integer primary auto`.
    pub(crate) columns: Vec<String>,
    /// Indexes with their columns, but for those of primary and unique keys.
    pub(crate) indexes: BTreeMap<String, String>,
}

/// A column as it was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) nullable: bool,
    pub(crate) primary: bool,
    pub(crate) auto: bool,
    pub(crate) unique: bool,
    pub(crate) default: Option<String>,
    pub(crate) check: Option<String>,
}

impl Column {
    pub(crate) fn in_words(&self) -> String {
        let mut words = format!("{} {}", self.name, self.kind);
        for (holds, word) in [
            (self.nullable, " null"),
            (self.primary, " primary"),
            (self.auto, " auto"),
            (self.unique, " unique"),
        ] {
            words.push_str(if holds { word } else { "" });
        }
        if let Some(default) = &self.default {
            words.push_str(&format!(" default({default})"));
        }
        if let Some(check) = &self.check {
            words.push_str(&format!(" check({check})"));
        }
        words
    }
}

/// The tables of django-smart-ratelimit 0.7.2, as it made them in this kind of database.
pub(crate) fn original(dialect: &str) -> Tables {
    let facts: Value = serde_json::from_str(include_str!("original.json")).unwrap();
    let tables = facts[dialect].as_object().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tables
        .map(|(name, facts)| {
            let columns = facts["columns"].as_array().unwrap().iter().map(text).collect();
            let indexes = facts["indexes"].as_object().unwrap().iter();
            let indexes = indexes.map(|(name, columns)| (name.clone(), text(columns))).collect();
            (name.clone(), Table { columns, indexes })
        })
        .collect()
}

/// What makes new rows wide.
const ROOM: &str = "room text null default(repeat(' '::text, 60))";

/// The same with what later migrations change.
pub(crate) fn migrated(dialect: &str) -> Tables {
    let mut tables = original(dialect);
    let mut change = |table: &str, from: &str, to: &str| {
        let columns =
            &mut tables.get_mut(&format!("django_smart_ratelimit_{table}")).unwrap().columns;
        match columns.iter_mut().find(|column| *column == from) {
            Some(column) => *column = to.to_owned(),
            None => columns.push(to.to_owned()),
        }
    };
    change("entry", "", "cost bigint default(1)");
    if dialect != "sqlite" {
        // SQLite's have 64 bits.
        change("entry", "id integer primary auto", "id bigint primary auto");
        change("counter", "id integer primary auto", "id bigint primary auto");
    }
    if dialect == "postgres" {
        change("counter", "count integer check(count >= 0)", "count bigint check(count >= 0)");
        change("counter", "", ROOM);
    }
    let mut columns = vec![
        "key varchar(255) primary",
        "tag bigint primary",
        "first_word bigint",
        "second_word bigint",
        "updated_at bigint",
        "expires_at bigint",
    ];
    let expiry = ("ratelimit_state_expires_at_idx".to_owned(), "expires_at".to_owned());
    if dialect == "postgres" {
        columns.push(ROOM);
    }
    let columns = columns.into_iter().map(str::to_owned).collect();
    let state = Table { columns, indexes: [expiry].into() };
    tables.insert("ratelimit_state".to_owned(), state);
    tables
}

/// Shows every difference by itself.
#[track_caller]
pub(crate) fn assert_same(found: &Tables, expected: &Tables) {
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, table) in expected {
        assert_eq!(found[name].columns, table.columns, "columns of {name}");
        assert_eq!(found[name].indexes, table.indexes, "indexes of {name}");
    }
}
