//! What is at a key of the server.

use redis::Value;

use super::{
    super::{
        direct::Direct,
        layout::{Kind, of_stored},
    },
    ask, read,
};
use crate::{
    Timestamp,
    backend::{BackendError, StoredState, StoredValue},
};

/// Earlier starts of windows are ends of keys that happen to be numbers: 2001.
const FIRST_START: u64 = 1_000_000_000_000_000;

/// A key of the server that holds a state.
pub(super) struct Found {
    /// The key as the limiter writes it.
    pub(super) key: String,
    name: String,
    kind: Kind,
    /// Where a window on the clock begins.
    start: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl Found {
    /// From the type of a key, and its expiry in milliseconds, below 0 for none. `None` if no state has
    /// that type.
    pub(super) fn new(name: &str, of_type: &str, expiry: i64) -> Option<Self> {
        let expires_at = u64::try_from(expiry).ok();
        let expires_at = expires_at.map(|ms| Timestamp::from_micros(ms.saturating_mul(1_000)));
        let (short, start, kind) = of_stored_kind(name);
        let is_window = start.is_some_and(|start| {
            start.as_micros() >= FIRST_START && expires_at.is_some_and(|at| start < at)
        });
        let (key, kind, start) = match (of_type, kind) {
            ("hash", Some(kind)) => (short, kind, None),
            ("string", None) if is_window => (short, Kind::ClockWindow, start),
            ("string", None) => (name, Kind::FirstRequestWindow, None),
            ("zset", None) => (name, Kind::Log, None),
            _ => return None,
        };
        Some(Self { key: key.to_owned(), name: name.to_owned(), kind, start, expires_at })
    }

    /// The state without its values.
    pub(super) fn state(self) -> StoredState {
        StoredState {
            key: self.key,
            place: self.name,
            kind: word(self.kind),
            tag: None,
            values: Vec::new(),
            expires_at: self.expires_at,
        }
    }

    pub(super) async fn with_values(self, direct: &Direct) -> Result<StoredState, BackendError> {
        let values = match self.kind {
            Kind::ClockWindow | Kind::FirstRequestWindow => self.count(direct).await?,
            Kind::Log => self.log(direct).await?,
            _ => self.fields(direct).await?,
        };
        Ok(StoredState { values, ..self.state() })
    }

    async fn count(&self, direct: &Direct) -> Result<Vec<(String, StoredValue)>, BackendError> {
        let count: Option<String> = read(ask(direct, self.command("GET", &[])).await?)?;
        let mut values = Vec::new();
        if let Some(count) = count {
            let value = count.parse().map_or(StoredValue::Text(count), StoredValue::Number);
            values.push(("count".to_owned(), value));
        }
        values
            .extend(self.start.map(|start| ("window_start".to_owned(), StoredValue::Time(start))));
        Ok(values)
    }

    async fn log(&self, direct: &Direct) -> Result<Vec<(String, StoredValue)>, BackendError> {
        let entries: u64 = read(ask(direct, self.command("ZCARD", &[])).await?)?;
        let mut values = vec![("entries".to_owned(), StoredValue::Number(entries))];
        for (name, place) in [("first", "0"), ("last", "-1")] {
            let command = self.command("ZRANGE", &[place, place, "WITHSCORES"]);
            if let Some(score) = score(ask(direct, command).await?) {
                values.push((name.to_owned(), micros(&score)));
            }
        }
        Ok(values)
    }

    async fn fields(&self, direct: &Direct) -> Result<Vec<(String, StoredValue)>, BackendError> {
        let fields: Vec<(String, String)> = read(ask(direct, self.command("HGETALL", &[])).await?)?;
        let value = |(name, text): (String, String)| match &*name {
            "last_refill" | "last_leak" => (name, micros(&text)),
            _ => (name, StoredValue::Text(text)),
        };
        Ok(fields.into_iter().map(value).collect())
    }

    /// A command whose first argument is the key.
    fn command(&self, word: &str, arguments: &[&str]) -> redis::Cmd {
        let mut command = redis::cmd(word);
        command.arg(&self.name).arg(arguments);
        command
    }
}

fn of_stored_kind(name: &str) -> (&str, Option<Timestamp>, Option<Kind>) {
    let (short, start) = of_stored(name);
    match Kind::of_suffix(name) {
        Some((short, kind)) => (short, None, Some(kind)),
        None => (short, start, None),
    }
}

/// The score of the only member, which is decimal seconds; in RESP3 it comes as a number.
fn score(answer: Value) -> Option<String> {
    match answer {
        Value::Array(items) => items.into_iter().next_back().and_then(score),
        Value::Double(seconds) => Some(format!("{seconds:.6}")),
        other => read(other).ok(),
    }
}

/// A time written as decimal seconds.
fn micros(seconds: &str) -> StoredValue {
    let (whole, rest) = seconds.split_once('.').unwrap_or((seconds, ""));
    let rest: String = rest.chars().chain("000000".chars()).take(6).collect();
    match (whole.parse::<u64>(), rest.parse::<u64>()) {
        (Ok(whole), Ok(rest)) => StoredValue::Time(Timestamp::from_secs(whole) + rest),
        _ => StoredValue::Text(seconds.to_owned()),
    }
}

/// The algorithm's name in configurations.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::ClockWindow | Kind::FirstRequestWindow => "fixed_window",
        Kind::WindowCounter => "sliding_window_counter",
        Kind::Gcra => "gcra",
        Kind::TokenBucket => "token_bucket",
        Kind::LeakyBucket => "leaky_bucket",
        Kind::Log => "sliding_window",
    }
}
