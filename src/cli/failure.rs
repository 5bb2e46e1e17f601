//! Why a command did not do what it was asked to.

use std::error::Error as _;

use serde_json::{Value, json};

use crate::{
    Error,
    backend::BackendError,
    config::{ConfigError, ConfigErrors},
    masked::masked,
};

#[derive(Debug)]
pub(super) enum Failure {
    /// The command line asks for what cannot be.
    Usage(String),
    /// The configuration is wrong.
    Config(ConfigErrors),
    /// A store did not do what it was asked to.
    Store { backend: String, error: BackendError },
    /// What was asked about is not well, and was told already.
    NotWell,
    /// Anything else, such as a file that cannot be written.
    Other(String),
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) => 2,
            Self::Store { .. } | Self::NotWell | Self::Other(_) => 1,
        }
    }

    /// Of the backend of this name.
    pub(super) fn of(backend: &str) -> impl Fn(BackendError) -> Self + '_ {
        move |error| Self::Store { backend: backend.to_owned(), error }
    }

    /// Lines for people; none if it was told already.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Usage(reason) | Self::Other(reason) => vec![reason.clone()],
            Self::Config(errors) => errors.iter().map(ToString::to_string).collect(),
            Self::Store { backend, error } => vec![format!("{backend}: {}", reason(error))],
            Self::NotWell => Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> Option<Value> {
        let mut error = match self {
            Self::NotWell => return None,
            Self::Usage(_) => json!({ "kind": "usage" }),
            Self::Config(errors) => {
                let errors: Vec<_> = errors.iter().map(config_error).collect();
                json!({ "kind": "config", "errors": errors })
            }
            Self::Store { backend, error } => {
                json!({ "kind": error.kind().name(), "backend": backend })
            }
            Self::Other(_) => json!({ "kind": "other" }),
        };
        error["message"] = Value::String(self.lines().join("\n"));
        Some(json!({ "error": error }))
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// What is wrong with a store, with what the store itself said of it.
pub(super) fn reason(error: &BackendError) -> String {
    let kind = error.kind().to_string();
    match error.source() {
        Some(cause) => format!("{kind}: {}", hidden(&cause.to_string())),
        None => kind,
    }
}

/// A text of somebody else's in one line; a URL in it may have a password.
fn hidden(text: &str) -> String {
    let words = text.split_whitespace();
    let hide = |word: &str| if word.contains("://") { masked(word) } else { word.to_owned() };
    words.map(hide).collect::<Vec<_>>().join(" ")
}

pub(super) fn config_error(error: &ConfigError) -> Value {
    json!({
        "origin": error.origin().to_string(),
        "field": error.field(),
        "value": error.value(),
        "reason": error.reason(),
        "remedy": error.remedy(),
    })
}
