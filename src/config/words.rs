//! How the values of settings are written.

use actix_smart_ratelimit_core::nearest;

use super::{node::Value, read::Setting, secret::Secret};
use crate::{
    Algorithm, Error, Headers, KeySpec, LogKeys, MissingAddress, OnError, Rate, WindowStart,
    net::{ForwardedHeader, Networks},
};

pub(super) const ON_ERROR: [(&str, OnError); 3] =
    [("local", OnError::Local), ("allow", OnError::Allow), ("deny", OnError::Deny)];
pub(super) const MISSING_ADDRESS: [(&str, MissingAddress); 3] = [
    ("shared", MissingAddress::Shared),
    ("refuse", MissingAddress::Refuse),
    ("allow", MissingAddress::Allow),
];
pub(super) const LOG_KEYS: [(&str, LogKeys); 3] =
    [("hashed", LogKeys::Hashed), ("plain", LogKeys::Plain), ("omitted", LogKeys::Omitted)];
pub(super) const WINDOWS: [(&str, WindowStart); 2] =
    [("clock", WindowStart::Clock), ("first_request", WindowStart::FirstRequest)];

/// The text of a value that is written as a string.
pub(super) fn text<'v>(value: &'v Value, example: &str) -> Result<&'v str, Error> {
    match value {
        Value::Text(text) | Value::Word(text) => Ok(text),
        other => {
            let reason = format!("it is {}, not a string", other.kind());
            Err(Error::new("", other.shown(), reason, format!("write {example}")))
        }
    }
}

/// One word of a few.
pub(super) fn word<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, Error> {
    let names = || words.iter().map(|(name, _)| *name);
    let all = names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let text = text(value, &format!("one of {all}"))?;
    if let Some((_, meaning)) = words.iter().find(|(name, _)| *name == text) {
        return Ok(*meaning);
    }
    let remedy = match nearest(text, names()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("use one of {all}"),
    };
    Err(Error::new("", text, "it is none of the words for this setting", remedy))
}

/// The word for a meaning.
pub(super) fn name_of<T: PartialEq>(meaning: &T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, known)| known == meaning).map_or("", |(name, _)| name)
}

impl Setting for bool {
    fn read(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Boolean(value) => Ok(*value),
            Value::Word(word) if word == "true" => Ok(true),
            Value::Word(word) if word == "false" => Ok(false),
            other => {
                let remedy = "write true or false, without quotes";
                Err(Error::new("", other.shown(), "it is neither true nor false", remedy))
            }
        }
    }
}

impl Setting for f64 {
    fn read(value: &Value) -> Result<Self, Error> {
        let number = match value {
            Value::Float(number) => Some(*number),
            // Decimals to integers go through text, so that nothing is rounded silently.
            Value::Integer(number) => number.to_string().parse().ok(),
            Value::Word(word) => word.parse().ok(),
            _ => None,
        };
        let finite = number.filter(|number| number.is_finite());
        finite.ok_or_else(|| {
            Error::new("", value.shown(), "it is no number", "write one such as 2 or 0.5")
        })
    }
}

impl Setting for String {
    fn read(value: &Value) -> Result<Self, Error> {
        let text = text(value, "it in quotes")?;
        match text.chars().any(char::is_control) {
            true => {
                let reason = "it has a control character";
                Err(Error::new("", text, reason, "use visible characters"))
            }
            false => Ok(text.to_owned()),
        }
    }
}

impl Setting for Secret {
    fn read(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Text(text) | Value::Word(text) if !text.is_empty() => Ok(Self::new(text)),
            Value::Text(_) => Err(Error::new("", "", "it is empty", "write it, or remove it")),
            other => {
                let reason = format!("it is {}, not a string", other.kind());
                Err(Error::new("", "", reason, "write it in quotes"))
            }
        }
    }
}

impl Setting for Rate {
    fn read(value: &Value) -> Result<Self, Error> {
        text(value, "a rate such as \"100/m\"")?.parse()
    }
}

impl Setting for Algorithm {
    fn read(value: &Value) -> Result<Self, Error> {
        text(value, "the name of an algorithm, such as \"sliding_window\"")?.parse()
    }
}

impl Setting for KeySpec {
    fn read(value: &Value) -> Result<Self, Error> {
        text(value, "a key such as \"ip\"")?.parse()
    }
}

impl Setting for OnError {
    fn read(value: &Value) -> Result<Self, Error> {
        word(value, &ON_ERROR)
    }
}

impl Setting for MissingAddress {
    fn read(value: &Value) -> Result<Self, Error> {
        word(value, &MISSING_ADDRESS)
    }
}

impl Setting for LogKeys {
    fn read(value: &Value) -> Result<Self, Error> {
        word(value, &LOG_KEYS)
    }
}

impl Setting for WindowStart {
    fn read(value: &Value) -> Result<Self, Error> {
        word(value, &WINDOWS)
    }
}

impl Setting for ForwardedHeader {
    fn read(value: &Value) -> Result<Self, Error> {
        text(value, "the name of a header, such as \"x-forwarded-for\"")?.parse()
    }
}

/// One profile of header fields.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Profile {
    Legacy,
    Ietf,
}

impl Setting for Profile {
    fn read(value: &Value) -> Result<Self, Error> {
        word(value, &[("legacy", Self::Legacy), ("ietf", Self::Ietf)])
    }
}

impl Profile {
    pub(super) fn headers(profiles: &[Self]) -> Headers {
        Headers { legacy: profiles.contains(&Self::Legacy), ietf: profiles.contains(&Self::Ietf) }
    }

    pub(super) fn names(headers: Headers) -> Vec<&'static str> {
        let both = [("legacy", headers.legacy), ("ietf", headers.ietf)];
        both.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
    }
}

/// An address or a network, as it was written.
pub(super) struct Network(pub(super) String);

impl Setting for Network {
    fn read(value: &Value) -> Result<Self, Error> {
        let text = text(value, "a network such as \"192.0.2.0/24\"")?;
        Networks::parse("", [text]).map(|_| Self(text.to_owned()))
    }
}

/// A network whose forwarding headers are believed.
pub(super) struct Proxy(pub(super) String);

impl Setting for Proxy {
    fn read(value: &Value) -> Result<Self, Error> {
        let text = text(value, "a network such as \"10.0.0.0/8\"")?;
        Networks::parse_trusted("", [text]).map(|_| Self(text.to_owned()))
    }
}

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// The name of a method; others than the usual ones pass unless they look like a slip.
pub(super) struct MethodName(pub(super) String);

impl Setting for MethodName {
    fn read(value: &Value) -> Result<Self, Error> {
        let text = text(value, "the name of a method, such as \"POST\"")?;
        let meant = METHODS.iter().copied().find(|known| known.eq_ignore_ascii_case(text));
        let meant = meant.or_else(|| {
            let distance_is_small =
                |known: &&str| nearest(text, [known.to_lowercase().as_str()]).is_some();
            METHODS.iter().copied().find(distance_is_small)
        });
        let is_name =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        match meant {
            Some(known) if known == text => Ok(Self(text.to_owned())),
            Some(known) => {
                Err(Error::new("", text, "it is no method", format!("did you mean \"{known}\"?")))
            }
            None if is_name => Ok(Self(text.to_owned())),
            None => {
                let remedy = format!("write one such as {}", METHODS.join(", "));
                Err(Error::new("", text, "it is no method", remedy))
            }
        }
    }
}
