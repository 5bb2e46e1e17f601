//! The one error of address settings: where, what, why, and what to write instead.

use std::borrow::Cow;

/// A setting about addresses that cannot be used.
///
/// It keeps the field and the offending value, the reason, and a remedy that can be followed
/// without looking anything up. Its `Display` form holds all four on one line, with the value
/// escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: invalid value {value:?}: {reason}; {remedy}")]
pub struct NetworkError {
    field: String,
    value: String,
    reason: Cow<'static, str>,
    remedy: Cow<'static, str>,
}

impl NetworkError {
    pub(super) fn new(
        field: &str,
        value: &str,
        reason: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            field: field.to_owned(),
            value: shorten(value),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// The setting that holds the value, as the caller named it.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The refused value, cut after 64 characters.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Why the value cannot be used.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to write instead.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

fn shorten(value: &str) -> String {
    match value.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

const MAX_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_holds_field_value_reason_and_remedy() {
        let error = NetworkError::new("deny", "a\nb", "is odd", "write `c`");
        assert_eq!(
            error.to_string(),
            r#"deny: invalid value "a\nb": is odd; write `c`"#
        );
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let error = NetworkError::new("deny", &"é".repeat(70), "", "");
        assert_eq!(error.value(), format!("{}…", "é".repeat(64)));
        let exact = "é".repeat(64);
        assert_eq!(NetworkError::new("deny", &exact, "", "").value(), exact);
    }
}
