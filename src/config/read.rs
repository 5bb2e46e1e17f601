//! Reads settings out of a tree, and keeps going after errors so that all are told together.
//!
//! A section knows every name that was asked for, so what is left over at its end is unknown, and the
//! nearest of those names was probably meant.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use actix_smart_ratelimit_core::nearest;

use super::{
    ConfigError, Origin, duration,
    node::{Node, Table, Value},
};
use crate::Error;

/// What a setting is read from.
pub(super) trait Setting: Sized {
    /// # Errors
    /// When the value is none of this setting; the field is the reader's to name.
    fn read(value: &Value) -> Result<Self, Error>;
}

/// Everything that was found while reading.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) errors: Vec<ConfigError>,
    /// Where each field was written.
    pub(super) origins: BTreeMap<String, Origin>,
}

/// One table.
pub(super) struct Section<'r> {
    reader: &'r mut Reader,
    path: String,
    table: Table,
    known: Vec<&'static str>,
}

impl Reader {
    /// Reads the outermost table.
    pub(super) fn read<T>(&mut self, table: Table, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        self.section(String::new(), table, read)
    }

    fn section<T>(
        &mut self,
        path: String,
        table: Table,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let mut section = Section { reader: self, path, table, known: Vec::new() };
        let value = read(&mut section);
        section.tell_unknown();
        value
    }

    fn wrong(&mut self, origin: &Origin, error: Error) {
        self.errors.push(ConfigError::new(origin.clone(), error));
    }
}

impl Section<'_> {
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn take(&mut self, name: &'static str) -> Option<(String, Node)> {
        self.known.push(name);
        let node = self.table.take(name)?;
        let path = self.path_of(name);
        self.reader.origins.insert(path.clone(), node.origin.clone());
        Some((path, node))
    }

    /// A setting that may be missing.
    pub(super) fn optional<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        let (path, node) = self.take(name)?;
        match T::read(&node.value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.reader.wrong(&node.origin, error.at(path));
                None
            }
        }
    }

    /// A setting with a default.
    pub(super) fn get<T: Setting>(&mut self, name: &'static str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// A whole number in a range.
    pub(super) fn number<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        let (path, node) = self.take(name)?;
        let (least, most) = (*range.start(), *range.end());
        let remedy = format!("write a whole number in {least}..={most}");
        let number = match &node.value {
            Value::Integer(number) => Ok(*number),
            Value::Word(word) => word.parse().map_err(|_| "it is no whole number"),
            _ => Err("it is no whole number"),
        };
        let number = number.and_then(|number| {
            let in_range = N::try_from(number).ok().filter(|number| range.contains(number));
            in_range.ok_or("it is out of range")
        });
        match number {
            Ok(number) => Some(number),
            Err(reason) => {
                let error = Error::new(path, node.value.shown(), reason, remedy);
                self.reader.wrong(&node.origin, error);
                None
            }
        }
    }

    /// A duration in a range.
    pub(super) fn duration(
        &mut self,
        name: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (path, node) = self.take(name)?;
        match duration::read(&node.value, &range) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.reader.wrong(&node.origin, error.at(path));
                None
            }
        }
    }

    /// A list; a single value stands for a list of one, and variables separate values by commas.
    pub(super) fn list<T: Setting>(&mut self, name: &'static str) -> Option<Vec<T>> {
        let (path, node) = self.take(name)?;
        let items = match node.value {
            Value::List(items) => items,
            Value::Word(words) => {
                let item = |word: &str| Node {
                    value: Value::Word(word.trim().to_owned()),
                    origin: node.origin.clone(),
                };
                words.split(',').map(item).collect()
            }
            value => vec![Node { value, origin: node.origin }],
        };
        let mut values = Vec::with_capacity(items.len());
        let mut complete = true;
        let alone = items.len() == 1;
        for (index, item) in items.iter().enumerate() {
            let field = if alone { path.clone() } else { format!("{path}[{index}]") };
            self.reader.origins.insert(format!("{path}[{index}]"), item.origin.clone());
            match T::read(&item.value) {
                Ok(value) => values.push(value),
                Err(error) => {
                    self.reader.wrong(&item.origin, error.at(field));
                    complete = false;
                }
            }
        }
        complete.then_some(values)
    }

    /// A list that says nothing when it is empty.
    pub(super) fn some<T: Setting>(&mut self, name: &'static str) -> Option<Vec<T>> {
        let list = self.list(name)?;
        if list.is_empty() {
            self.wrong_at(name, "", "the list is empty", "write at least one, or remove it");
        }
        Some(list)
    }

    /// A table of named fields.
    pub(super) fn table<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        let (path, node) = self.take(name)?;
        match node.value {
            Value::Table(table) => Some(self.reader.section(path, table, read)),
            value => {
                self.no_table(&path, &value, &node.origin);
                None
            }
        }
    }

    /// A table of tables under names of the user's own.
    pub(super) fn named<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> Option<T>,
    ) -> Vec<(String, T)> {
        let Some((path, node)) = self.take(name) else { return Vec::new() };
        let Value::Table(table) = node.value else {
            self.no_table(&format!("{path}.NAME"), &node.value, &node.origin);
            return Vec::new();
        };
        let mut read_all = Vec::new();
        for entry in table.0 {
            let path = format!("{path}.{}", entry.key);
            self.reader.origins.insert(path.clone(), entry.origin.clone());
            match entry.node.value {
                Value::Table(table) => {
                    let value = self.reader.section(path, table, &mut read);
                    read_all.extend(value.map(|value| (entry.key, value)));
                }
                value => {
                    self.no_table(&path, &value, &entry.node.origin);
                }
            }
        }
        read_all
    }

    /// Settings under names of the user's own.
    pub(super) fn entries(&mut self) -> Vec<(String, String, Node)> {
        let table = std::mem::take(&mut self.table);
        let mut entries = Vec::new();
        for entry in table.0 {
            let path = self.path_of(&entry.key);
            self.reader.origins.insert(path.clone(), entry.node.origin.clone());
            entries.push((entry.key, path, entry.node));
        }
        entries
    }

    /// A list of tables, `[[name]]`.
    pub(super) fn each<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let Some((path, node)) = self.take(name) else { return Vec::new() };
        let remedy = format!("write [[{path}]] and its fields below");
        let Value::List(items) = node.value else {
            self.not(&path, &node.value, &node.origin, "a list of tables", remedy);
            return Vec::new();
        };
        if items.is_empty() {
            self.wrong_at(name, "", "the list is empty", "write at least one, or remove it");
        }
        let mut read_all = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.reader.origins.insert(path.clone(), item.origin.clone());
            match item.value {
                Value::Table(table) => {
                    read_all.extend(self.reader.section(path, table, &mut read));
                }
                value => self.not(&path, &value, &item.origin, "a table", remedy.clone()),
            }
        }
        read_all
    }

    /// Whether a field was written, and not yet read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.0.iter().any(|entry| entry.key == name)
    }

    /// Tells of something wrong with a field of this section; with the section itself if it was not
    /// written.
    pub(super) fn wrong_at(
        &mut self,
        name: &str,
        value: &str,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let path = self.path_of(name);
        let origin = self.reader.origins.get(&path).or(self.reader.origins.get(&self.path));
        let origin = origin.cloned().unwrap_or_default();
        self.reader.wrong(&origin, Error::new(path, value, reason.into(), remedy.into()));
    }

    /// Tells of something wrong with one of the [`entries`](Self::entries).
    pub(super) fn wrong(&mut self, origin: &Origin, error: Error) {
        self.reader.wrong(origin, error);
    }

    fn no_table(&mut self, path: &str, value: &Value, origin: &Origin) {
        let remedy = format!("write [{path}] and its fields below");
        self.not(path, value, origin, "a table", remedy);
    }

    fn not(
        &mut self,
        path: &str,
        value: &Value,
        origin: &Origin,
        wanted: &'static str,
        remedy: String,
    ) {
        let reason = format!("it is {}, not {wanted}", value.kind());
        let error = Error::new(path.to_owned(), value.shown(), reason, remedy);
        self.reader.wrong(origin, error);
    }

    fn tell_unknown(self) {
        for entry in &self.table.0 {
            let path = self.path_of(&entry.key);
            let remedy = match nearest(&entry.key, self.known.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("there are: {}", self.known.join(", ")),
            };
            // Its value may be a secret.
            let error = Error::new(path, "", "there is no such setting", remedy);
            self.reader.errors.push(ConfigError::new(entry.origin.clone(), error));
        }
    }
}
