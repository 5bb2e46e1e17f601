//! What an error of the database means, and whether anything was charged.

use std::error::Error as StdError;

use diesel::result::{DatabaseErrorKind, Error};

use crate::backend::{BackendError, ErrorKind, Fate};

/// Why a transaction came to nothing.
#[derive(Debug)]
pub enum Fault {
    /// Somebody else was first to add a row; the transaction can be tried again.
    Raced,
    /// The database reported an error.
    Database(Error),
    /// A migration failed.
    Migration(Box<dyn StdError + Send + Sync>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Parts of messages by which the databases say that the same may succeed at once.
const PASSING: [&str; 7] = [
    "deadlock detected",
    "could not serialize access",
    "Deadlock found",
    "Lock wait timeout",
    "Record has changed since last read",
    "database is locked",
    "database table is locked",
];
/// And that there are no tables, or not those of the latest migration.
const MISSING: [&str; 6] = [
    "does not exist",
    "doesn't exist",
    "no such table",
    "no such column",
    "has no column named",
    "Unknown column",
];
/// And that it cannot write.
const UNAVAILABLE: [&str; 7] = [
    "read-only",
    "readonly",
    "disk",
    "No space left",
    "is full",
    "too many clients",
    "Too many connections",
];
const DENIED: [&str; 3] = ["permission denied", "denied to user", "password authentication"];

impl Fault {
    /// Whether another attempt may succeed.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Database(Error::DatabaseError(
                DatabaseErrorKind::SerializationFailure | DatabaseErrorKind::UniqueViolation,
                _,
            )) => true,
            Self::Database(error) => says(error, &PASSING),
            Self::Migration(_) => false,
        }
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Database(error) if kind_of(error) == ErrorKind::Unreachable)
    }

    /// What whoever asked is told. `fate` says whether it may have been committed.
    pub(super) fn told(self, fate: Fate) -> BackendError {
        let error = match self {
            Self::Raced => {
                let reason = "other processes were always first";
                return BackendError::with_source(ErrorKind::Unavailable, fate, Because(reason));
            }
            Self::Migration(error) => {
                let text = Text(error.to_string());
                return BackendError::with_source(ErrorKind::Setup, fate, text);
            }
            Self::Database(error) => error,
        };
        if says(&error, &MISSING) {
            let text = format!("run migrations, for tables are missing or old: {error}");
            return BackendError::with_source(ErrorKind::Setup, fate, Text(text));
        }
        BackendError::with_source(kind_of(&error), fate, error)
    }
}

fn kind_of(error: &Error) -> ErrorKind {
    use DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
    match error {
        Error::DatabaseError(ClosedConnection | UnableToSendCommand, _)
        | Error::BrokenTransactionManager => ErrorKind::Unreachable,
        Error::DatabaseError(ReadOnlyTransaction, _) => ErrorKind::Unavailable,
        _ if says(error, &["server closed the connection", "gone away", "Lost connection"]) => {
            ErrorKind::Unreachable
        }
        _ if says(error, &PASSING) || says(error, &UNAVAILABLE) => ErrorKind::Unavailable,
        _ if says(error, &DENIED) => ErrorKind::Setup,
        _ => ErrorKind::Protocol,
    }
}

fn says(error: &Error, parts: &[&str]) -> bool {
    let text = error.to_string();
    parts.iter().any(|part| text.contains(part))
}

/// A reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Because(&'static str);

/// What an error said that is not kept itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Text(pub(super) String);

/// An error of which nothing was charged.
pub(super) fn not_charged(kind: ErrorKind, reason: &'static str) -> BackendError {
    BackendError::with_source(kind, Fate::NotCharged, Because(reason))
}
