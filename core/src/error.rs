//! One shape for everything that can be wrong with a value: field, value, reason, remedy.

use core::fmt;
use std::borrow::Cow;

/// Characters of a wrong value that an error repeats.
const SHOWN: usize = 64;

/// A value that cannot be accepted.
///
/// The message names the field, repeats the value (escaped and cut at 64 characters), gives the
/// reason and says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    field: Cow<'static, str>,
    value: String,
    reason: Cow<'static, str>,
    remedy: Cow<'static, str>,
}

impl Error {
    /// An error about `field`.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        value: impl AsRef<str>,
        reason: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.into(),
            value: shown(value.as_ref()),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// The same error about another field, for callers that know the full path of it.
    #[must_use]
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = field.into();
        self
    }

    /// Path of the field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The value, escaped and cut.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Why the value is refused.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, reason, remedy } = self;
        write!(f, "{field}: invalid value \"{value}\": {reason}; {remedy}")
    }
}

impl std::error::Error for Error {}

/// The candidate that `word` was probably meant to be, if one is near enough.
#[must_use]
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > SHOWN {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let allowed = if word.len() < 4 { 1 } else { 2 };
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The value, escaped, and cut where its escaped form would be longer than 64 characters.
pub(crate) fn shown(value: &str) -> String {
    let mut text = String::new();
    let mut room = SHOWN;
    for c in value.chars() {
        let escaped = c.escape_debug();
        match room.checked_sub(escaped.len()) {
            Some(left) => room = left,
            None => {
                text.push('…');
                break;
            }
        }
        text.extend(escaped);
    }
    text
}
