//! What an error of the server or the network means, and whether anything was charged.

use redis::{ErrorKind as RedisKind, RedisError};

use crate::backend::{BackendError, ErrorKind, Fate};

/// What a failed call means. `sent` says whether it may have reached a server.
pub(super) fn of(error: &RedisError, sent: bool) -> BackendError {
    let (kind, fate) = match error.kind() {
        RedisKind::AuthenticationFailed
        | RedisKind::InvalidClientConfig
        | RedisKind::RESP3NotSupported
        | RedisKind::EmptySentinelList
        | RedisKind::MasterNameNotFoundBySentinel => (ErrorKind::Setup, Fate::NotCharged),
        RedisKind::NoValidReplicasFoundBySentinel | RedisKind::ClusterConnectionNotFound => {
            (ErrorKind::Unreachable, Fate::NotCharged)
        }
        RedisKind::Server(_) | RedisKind::Extension => {
            of_code(error.code().unwrap_or_default(), error.detail().unwrap_or_default())
        }
        RedisKind::Io if error.is_timeout() => (ErrorKind::Timeout, Fate::Unknown),
        RedisKind::Io if is_about_trust(error) => (ErrorKind::Setup, Fate::NotCharged),
        RedisKind::Io => (ErrorKind::Unreachable, Fate::Unknown),
        // The connection ended in the middle of an answer.
        RedisKind::Parse if error.to_string().contains("end of input") => {
            (ErrorKind::Unreachable, Fate::Unknown)
        }
        _ => (ErrorKind::Protocol, Fate::Unknown),
    };
    match error.detail().filter(|detail| detail.contains(UNKNOWN_COMMAND)) {
        Some(detail) => BackendError::with_source(kind, fate, ServerError::of(detail)),
        None => BackendError::with_source(kind, fate, error.clone()),
    }
    .with_fate(if sent { fate } else { Fate::NotCharged })
}

/// Whether the two sides could not agree on an encrypted connection.
fn is_about_trust(error: &RedisError) -> bool {
    let text = error.to_string();
    text.contains("invalid peer certificate") || text.contains("fatal alert")
}

/// What the text of an error means by which a script ended for one group.
pub(super) fn of_group(text: &str) -> BackendError {
    let (kind, fate) = of_code(text.split_whitespace().next().unwrap_or_default(), text);
    BackendError::with_source(kind, fate, ServerError::of(text))
}

const UNKNOWN_COMMAND: &str = "unknown command";

/// Errors of these codes come before anything is written.
fn of_code(code: &str, text: &str) -> (ErrorKind, Fate) {
    match code {
        "LOADING" | "BUSY" | "OOM" | "MISCONF" | "READONLY" | "MASTERDOWN" | "NOREPLICAS"
        | "CLUSTERDOWN" | "TRYAGAIN" | "MOVED" | "ASK" => {
            (ErrorKind::Unavailable, Fate::NotCharged)
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE" => (ErrorKind::Setup, Fate::NotCharged),
        "NOSCRIPT" | "CROSSSLOT" => (ErrorKind::Protocol, Fate::NotCharged),
        _ => of_text(text),
    }
}

/// What errors mean that have no code of their own.
fn of_text(text: &str) -> (ErrorKind, Fate) {
    let is = |part: &str| text.contains(part);
    let not_set_up = [
        UNKNOWN_COMMAND,
        "DB index is out of range",
        "unauthenticated",
        "cluster support disabled",
    ];
    if not_set_up.into_iter().any(is) {
        (ErrorKind::Setup, Fate::NotCharged)
    } else if is("max number of clients") {
        (ErrorKind::Unavailable, Fate::NotCharged)
    } else if is("Unknown Redis command") || is("executing the script can't run this command") {
        // The script may have come to a command before that it may run.
        (ErrorKind::Setup, Fate::Unknown)
    } else {
        (ErrorKind::Protocol, Fate::Unknown)
    }
}

/// Whether this is no answer of a server, but of the connection to it.
pub(super) fn is_of_connection(error: &RedisError) -> bool {
    !matches!(error.kind(), RedisKind::Server(_) | RedisKind::Extension)
}

/// Whether the server is not, or not any more, the one to ask.
pub(super) fn needs_another_server(code: Option<&str>) -> bool {
    matches!(code, Some("READONLY" | "MASTERDOWN" | "NOAUTH"))
}

/// The text of a server's error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ServerError(String);

impl ServerError {
    /// Without the arguments of a command that the server does not know: keys are among them.
    fn of(text: &str) -> Self {
        let end = text.find(", with args beginning").unwrap_or(text.len());
        Self(text[..end].to_owned())
    }
}

/// A plain reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Because(pub(super) &'static str);

pub(super) fn no_runtime() -> BackendError {
    not_charged(ErrorKind::Unreachable, "there is no tokio runtime to wait on")
}

/// An error of which nothing was charged.
pub(super) fn not_charged(kind: ErrorKind, reason: &'static str) -> BackendError {
    BackendError::with_source(kind, Fate::NotCharged, Because(reason))
}
