//! `[[overrides]]`.

use serde::Serialize;

use super::{read::Section, show};
use crate::{Algorithm, Error, Override, Rate};

/// Another rate for keys that match a pattern; see [`Override`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OverrideConfig {
    /// The pattern of keys, such as `login:ip:203.0.113.7` or `api:*`.
    pub pattern: String,
    /// The rate.
    #[serde(serialize_with = "show::text")]
    pub rate: Rate,
    /// The algorithm; that of the limit by default.
    #[serde(serialize_with = "show::text_if", skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
}

impl OverrideConfig {
    /// Another rate, by the algorithm that the limit has.
    #[must_use]
    pub fn new(pattern: impl Into<String>, rate: Rate) -> Self {
        Self { pattern: pattern.into(), rate, algorithm: None }
    }

    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        for (name, example) in [("pattern", "api:*"), ("rate", "50/m")] {
            if !section.has(name) {
                section.wrong_at(
                    name,
                    "",
                    "it is missing",
                    format!("write {name} = \"{example}\""),
                );
            }
        }
        let (pattern, rate) = (section.optional("pattern"), section.optional("rate"));
        let algorithm = section.optional("algorithm");
        Some(Self { pattern: pattern?, rate: rate?, algorithm })
    }

    /// The override.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn to_override(&self) -> Result<Override, Error> {
        let plain =
            Override::new(&*self.pattern, self.rate).map_err(|error| error.at("pattern"))?;
        Ok(match self.algorithm {
            Some(algorithm) => plain.algorithm(algorithm),
            None => plain,
        })
    }
}
