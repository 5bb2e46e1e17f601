//! Variables of the environment, laid over what the file says.

use std::ffi::{OsStr, OsString};

use actix_smart_ratelimit_core::nearest;

use super::{
    ConfigError, Origin,
    node::{Entry, Node, Table, Value},
};
use crate::Error;

/// Variables that begin so name a setting by its path.
const PREFIX: &str = "RATELIMIT__";
/// What the variables of this crate begin with, and those of others by chance.
const NEAR: &str = "RATELIMIT_";
/// The variable that names the file.
pub(super) const FILE: &str = "RATELIMIT_CONFIG";

/// What variables had to say besides settings.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<ConfigError>,
}

/// Whether a variable is about us, or looks so.
pub(super) fn is_ours(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(NEAR) && name != FILE
}

/// Lays variables over a table; others than those of this crate are left alone.
pub(super) fn overlay(
    table: &mut Table,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Found {
    let mut found = Found::default();
    let mut ours: Vec<_> = variables.into_iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (name, value) in ours {
        let name = name.to_string_lossy().into_owned();
        let origin = Origin::Variable(name.as_str().into());
        match name.strip_prefix(PREFIX) {
            None => found.warnings.extend(unknown(&name, &origin)),
            Some(path) => {
                if let Err(error) = lay(table, path, &value, &origin) {
                    found.errors.push(ConfigError::new(origin, error));
                }
            }
        }
    }
    found
}

/// A variable that was probably meant for us. Kubernetes makes some for every service, of which one
/// may have our name.
fn unknown(name: &str, origin: &Origin) -> Option<ConfigError> {
    let rest = name.strip_prefix(NEAR)?;
    let of_kubernetes = rest.starts_with("PORT") || rest.starts_with("SERVICE_");
    if of_kubernetes {
        return None;
    }
    let remedy = match nearest(name, [FILE.to_ascii_lowercase().as_str()]) {
        Some(_) => format!("did you mean {FILE}?"),
        None => format!("write {PREFIX}{rest}, with two underscores before each field"),
    };
    Some(ConfigError::new(
        origin.clone(),
        Error::new("", "", "nothing reads this variable", remedy),
    ))
}

fn lay(table: &mut Table, path: &str, value: &OsString, origin: &Origin) -> Result<(), Error> {
    let field = path.to_ascii_lowercase().replace("__", ".");
    let Some(value) = value.to_str() else {
        let reason = "it is not UTF-8";
        return Err(Error::new(field, value.to_string_lossy(), reason, "write it in UTF-8"));
    };
    if value.is_empty() {
        return Err(Error::new(field, "", "it is set but empty", "unset it, or give it a value"));
    }
    let segments: Vec<_> = path.split("__").map(str::to_ascii_lowercase).collect();
    if segments.iter().any(String::is_empty) {
        let remedy = format!("write {PREFIX}SECTION__FIELD");
        return Err(Error::new("", "", "the name of this variable has an empty part", remedy));
    }
    put(table, &segments, &field, value, origin)
}

fn put(
    table: &mut Table,
    path: &[String],
    field: &str,
    value: &str,
    origin: &Origin,
) -> Result<(), Error> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    let at = table.0.iter().position(|entry| entry.key.eq_ignore_ascii_case(first));
    if rest.is_empty() {
        let node = Node { value: Value::Word(value.to_owned()), origin: origin.clone() };
        match at {
            Some(at) => table.0[at].node = node,
            None => table.0.push(Entry { key: first.clone(), origin: origin.clone(), node }),
        }
        return Ok(());
    }
    let at = at.unwrap_or_else(|| {
        let node = Node { value: Value::Table(Table::default()), origin: origin.clone() };
        table.0.push(Entry { key: first.clone(), origin: origin.clone(), node });
        table.0.len() - 1
    });
    match &mut table.0[at].node.value {
        Value::Table(inner) => put(inner, rest, field, value, origin),
        Value::List(items) => put_in_list(items, rest, field, value, origin),
        _ => Err(Error::new(
            field.to_owned(),
            "",
            format!("{first} is no table"),
            "remove this variable",
        )),
    }
}

/// Tables in lists go by their `name`.
fn put_in_list(
    items: &mut [Node],
    path: &[String],
    field: &str,
    value: &str,
    origin: &Origin,
) -> Result<(), Error> {
    let Some((wanted, rest)) = path.split_first() else { return Ok(()) };
    let mut names = Vec::new();
    for item in items {
        let Value::Table(table) = &mut item.value else { continue };
        let Some(name) = name_of(table) else { continue };
        if name.eq_ignore_ascii_case(wanted) {
            return put(table, rest, field, value, origin);
        }
        names.push(name);
    }
    let remedy = match &*names {
        [] => "name one in the file first".to_owned(),
        names => format!("the names are: {}", names.join(", ")),
    };
    Err(Error::new(field.to_owned(), wanted, "there is none of this name", remedy))
}

fn name_of(table: &Table) -> Option<String> {
    let entry = table.0.iter().find(|entry| entry.key == "name")?;
    match &entry.node.value {
        Value::Text(name) | Value::Word(name) => Some(name.clone()),
        _ => None,
    }
}
