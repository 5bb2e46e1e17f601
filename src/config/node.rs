//! What sources say, before anybody asks what it means: a tree of values that know their origin.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{ConfigError, Origin, origin::Lines};
use crate::Error;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Table(Table),
    List(Vec<Node>),
    Text(String),
    /// Of a variable: what it stands for depends on who asks.
    Word(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// What no setting takes, as it was written.
    Other(String),
}

/// Entries in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands, which need not be where its value does.
    pub(super) origin: Origin,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(at).node)
    }
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::List(_) => "a list",
            Self::Text(_) | Self::Word(_) => "a string",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Other(_) => "a date or time",
        }
    }

    /// Its text, for messages; empty for tables and lists.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Table(_) | Self::List(_) => String::new(),
            Self::Text(text) | Self::Word(text) | Self::Other(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
        }
    }
}

/// Reads a TOML document.
///
/// # Errors
/// Every error of syntax.
pub(super) fn parse(text: &str, path: Option<&Path>) -> Result<Table, Vec<ConfigError>> {
    let lines = Lines::new(text, path);
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table(document.into_inner(), &lines));
    }
    let wrong = |error: &toml::de::Error| {
        let origin = lines.origin(error.span().map_or(0, |span| span.start));
        let reason = format!("it is not TOML: {}", error.message().replace('\n', ", "));
        ConfigError::new(origin, Error::new("", "", reason, "correct this line"))
    };
    Err(errors.iter().map(wrong).collect())
}

fn table(table: DeTable<'_>, lines: &Lines<'_>) -> Table {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| Entry {
        origin: lines.origin(key.span().start),
        key: std::borrow::Cow::into_owned(key.into_inner()),
        node: Node { origin: lines.origin(value.span().start), value: self::value(value, lines) },
    };
    Table(entries.into_iter().map(entry).collect())
}

fn value(value: toml::Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Value {
    match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other(number.as_str().to_owned()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::Other(number.as_str().to_owned()),
        },
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(time) => Value::Other(time.to_string()),
        DeValue::Array(items) => {
            let node = |item: toml::Spanned<DeValue<'_>>| Node {
                origin: lines.origin(item.span().start),
                value: self::value(item, lines),
            };
            Value::List(items.into_iter().map(node).collect())
        }
        DeValue::Table(inner) => Value::Table(table(inner, lines)),
    }
}

impl Table {
    /// A table whose origin nobody knows.
    pub(super) fn of(table: toml::Table) -> Self {
        let entry = |(key, value): (String, toml::Value)| Entry {
            key,
            origin: Origin::Unwritten,
            node: Node::of(value),
        };
        Self(table.into_iter().map(entry).collect())
    }
}

impl Node {
    fn of(value: toml::Value) -> Self {
        let value = match value {
            toml::Value::String(text) => Value::Text(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Float(number) => Value::Float(number),
            toml::Value::Boolean(value) => Value::Boolean(value),
            toml::Value::Datetime(time) => Value::Other(time.to_string()),
            toml::Value::Array(items) => Value::List(items.into_iter().map(Self::of).collect()),
            toml::Value::Table(table) => Value::Table(Table::of(table)),
        };
        Self { value, origin: Origin::Unwritten }
    }
}
