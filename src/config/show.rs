//! How settings are written again: `serialize_with` for values that serde does not know.

use std::{fmt::Display, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    duration,
    serve::{PROXIES, Proxy},
    words,
};
use crate::{Headers, LogKeys, MissingAddress, OnError, Rate, WindowStart};

pub(super) fn text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

pub(super) fn text_if<T: Display, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

pub(super) fn texts<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

pub(super) fn duration<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&duration::shown(*value))
}

pub(super) fn duration_if<S: Serializer>(
    value: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.map(duration::shown).serialize(to)
}

pub(super) fn headers<S: Serializer>(value: &Headers, to: S) -> Result<S::Ok, S::Error> {
    words::Profile::names(*value).serialize(to)
}

pub(super) fn on_error<S: Serializer>(value: &OnError, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(words::name_of(value, &words::ON_ERROR))
}

pub(super) fn on_error_if<S: Serializer>(
    value: &Option<OnError>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.map(|value| words::name_of(&value, &words::ON_ERROR)).serialize(to)
}

pub(super) fn log_keys<S: Serializer>(value: &LogKeys, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(words::name_of(value, &words::LOG_KEYS))
}

pub(super) fn missing<S: Serializer>(value: &MissingAddress, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(words::name_of(value, &words::MISSING_ADDRESS))
}

pub(super) fn proxy<S: Serializer>(value: &Proxy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(words::name_of(value, &PROXIES))
}

pub(super) fn window_if<S: Serializer>(
    value: &Option<WindowStart>,
    to: S,
) -> Result<S::Ok, S::Error> {
    value.map(|value| words::name_of(&value, &words::WINDOWS)).serialize(to)
}

/// Pairs as a table.
pub(super) fn table<T: Serialize, S: Serializer>(
    pairs: &[(String, T)],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// Rates by name as a table.
pub(super) fn rates_by_name<S: Serializer>(
    pairs: &[(String, Vec<Rate>)],
    to: S,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(pairs.len()))?;
    for (name, rates) in pairs {
        let rates: Vec<_> = rates.iter().map(ToString::to_string).collect();
        map.serialize_entry(name, &rates)?;
    }
    map.end()
}
