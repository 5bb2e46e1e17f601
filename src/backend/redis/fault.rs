//! What an error of the server or the network means, and whether anything was charged.

use redis::{ErrorKind as RedisKind, RedisError};

use crate::backend::{BackendError, ErrorKind, Fate};

/// What a failed call means. `sent` says whether it may have reached a server.
pub(super) fn of(error: &RedisError, sent: bool) -> BackendError {
    let (kind, fate) = match error.kind() {
        RedisKind::AuthenticationFailed
        | RedisKind::InvalidClientConfig
        | RedisKind::RESP3NotSupported
        | RedisKind::EmptySentinelList => (ErrorKind::Setup, Fate::NotCharged),
        RedisKind::MasterNameNotFoundBySentinel
        | RedisKind::NoValidReplicasFoundBySentinel
        | RedisKind::ClusterConnectionNotFound => (ErrorKind::Unreachable, Fate::NotCharged),
        RedisKind::Server(_) | RedisKind::Extension => of_code(error.code().unwrap_or_default()),
        RedisKind::Io if error.is_timeout() => (ErrorKind::Timeout, Fate::Unknown),
        RedisKind::Io => (ErrorKind::Unreachable, Fate::Unknown),
        _ => (ErrorKind::Protocol, Fate::Unknown),
    };
    let fate = if sent { fate } else { Fate::NotCharged };
    BackendError::with_source(kind, fate, error.clone())
}

/// What the text of an error means by which a script ended for one group.
pub(super) fn of_group(text: &str) -> BackendError {
    let (kind, fate) = of_code(text.split_whitespace().next().unwrap_or_default());
    BackendError::with_source(kind, fate, GroupError(text.to_owned()))
}

/// Errors of these codes come before anything is written.
fn of_code(code: &str) -> (ErrorKind, Fate) {
    match code {
        "LOADING" | "BUSY" | "OOM" | "MISCONF" | "READONLY" | "MASTERDOWN" | "NOREPLICAS"
        | "CLUSTERDOWN" | "TRYAGAIN" | "MOVED" | "ASK" => {
            (ErrorKind::Unavailable, Fate::NotCharged)
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE" => (ErrorKind::Setup, Fate::NotCharged),
        "NOSCRIPT" | "CROSSSLOT" => (ErrorKind::Protocol, Fate::NotCharged),
        _ => (ErrorKind::Protocol, Fate::Unknown),
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

/// The text of a server's error about one group.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct GroupError(String);

/// A plain reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Because(pub(super) &'static str);

/// An error of which nothing was charged.
pub(super) fn not_charged(kind: ErrorKind, reason: &'static str) -> BackendError {
    BackendError::with_source(kind, Fate::NotCharged, Because(reason))
}
