//! Everything that is wrong with a configuration, told together.

use std::fmt;

use super::Origin;
use crate::{Error, masked::masked};

/// One thing that is wrong: where it was written, the field, its value, the reason, the remedy.
///
/// Passwords in URLs are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    origin: Origin,
    error: Error,
}

impl ConfigError {
    pub(super) fn new(origin: Origin, error: Error) -> Self {
        let hides = error.value().contains("://");
        let error = match hides {
            true => {
                let (reason, remedy) = (error.reason().to_owned(), error.remedy().to_owned());
                Error::new(error.field().to_owned(), masked(error.value()), reason, remedy)
            }
            false => error,
        };
        Self { origin, error }
    }

    /// Where it was written.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path of the field, such as `middleware.rules[0].rate`; empty for the file as a whole.
    #[must_use]
    pub fn field(&self) -> &str {
        self.error.field()
    }

    /// The value, escaped and cut; empty where there is none to show.
    #[must_use]
    pub fn value(&self) -> &str {
        self.error.value()
    }

    /// Why it is refused.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.error.reason()
    }

    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.error.remedy()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.field().is_empty() {
            write!(f, "{}: ", self.field())?;
        }
        if !self.value().is_empty() {
            write!(f, "invalid value \"{}\": ", self.value())?;
        }
        write!(f, "{}; {}", self.reason(), self.remedy())
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with a configuration; at least one thing. Its text has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Err` with everything that was found, in the order of the file, if anything was.
    pub(super) fn of(mut found: Vec<ConfigError>) -> Result<(), Self> {
        found.sort_by_key(|error| match error.origin {
            Origin::File { line, column, .. } => (0, line, column),
            Origin::Variable(_) => (1, 0, 0),
            Origin::Unwritten => (2, 0, 0),
        });
        if found.is_empty() { Ok(()) } else { Err(Self(found)) }
    }

    pub(super) fn one(origin: Origin, error: Error) -> Self {
        Self(vec![ConfigError::new(origin, error)])
    }

    /// The errors, in the order of the file, then those of variables.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        error.error
    }
}
