//! From sources to a configuration.

use std::{ffi::OsString, path::Path, sync::Arc};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    Config, ConfigError, ConfigErrors, Origin, env, node,
    provenance::{self, Place, Provenance, Sources},
    read,
};

impl Config {
    /// The file that the variable `RATELIMIT_CONFIG` names, or defaults if there is no such variable,
    /// with the variables of the environment over it.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn discover() -> Result<Self, ConfigErrors> {
        match std::env::var_os(env::FILE) {
            Some(path) => Self::load(path),
            None => Self::of(Sources::new(Place::Text("".into()), std::env::vars_os())),
        }
    }

    /// A file, with the variables of the environment over it.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        Self::load_with(path, std::env::vars_os())
    }

    /// A file, with these variables over it.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn load_with(
        path: impl AsRef<Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigErrors> {
        Self::of(Sources::new(Place::File(path.as_ref().to_owned()), variables))
    }

    /// A TOML document, without any variable.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn from_toml_str(text: &str) -> Result<Self, ConfigErrors> {
        Self::of(Sources::new(Place::Text(text.into()), []))
    }

    /// What looks like a slip but may be meant.
    pub fn warnings(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.provenance.warnings.iter()
    }

    /// Where a field was written, by its path, such as `middleware.rules[0].rate`.
    #[must_use]
    pub fn origin(&self, field: &str) -> &Origin {
        self.provenance.origins.get(field).unwrap_or(&Origin::Unwritten)
    }

    /// What applies, defaults included, as a TOML document with secrets masked.
    ///
    /// # Errors
    /// Never for what was read; names with which TOML cannot be written otherwise.
    pub fn to_toml_string(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The file that it was read from, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.provenance.sources.path()
    }

    fn of(sources: Sources) -> Result<Self, ConfigErrors> {
        let text = sources.text().unwrap_or_else(|| Ok(String::new()));
        let fingerprint = provenance::fingerprint(&text);
        let mut config = Self::layered(sources, &text?)?;
        config.provenance.as_read = Some(Arc::new(config.clone()));
        config.provenance.fingerprint = fingerprint;
        Ok(config)
    }

    pub(super) fn layered(sources: Sources, text: &str) -> Result<Self, ConfigErrors> {
        let mut table = match node::parse(text, sources.path()) {
            Ok(table) => table,
            Err(errors) => {
                ConfigErrors::of(errors)?;
                node::Table::default()
            }
        };
        let found = env::overlay(&mut table, sources.variables());
        Self::read(table, found, sources)
    }

    fn read(table: node::Table, found: env::Found, sources: Sources) -> Result<Self, ConfigErrors> {
        let mut reader = read::Reader { errors: found.errors, ..read::Reader::default() };
        let mut config = reader.read(table, Self::read_section);
        config.provenance = Provenance {
            sources,
            origins: reader.origins,
            warnings: found.warnings,
            ..Provenance::default()
        };
        let mut errors = reader.errors;
        errors.extend(config.wrong());
        ConfigErrors::of(errors)?;
        Ok(config)
    }
}

/// Reads a configuration that is part of another document; its errors have no lines then.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = node::Table::of(toml::Table::deserialize(deserializer)?);
        Self::read(table, env::Found::default(), Sources::default()).map_err(D::Error::custom)
    }
}
