//! Where a configuration comes from: its file, its variables, the origin of each field.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Config, ConfigError, ConfigErrors, Origin, env, source};

/// What is known about a configuration besides what it says.
#[derive(Clone, Default)]
pub(super) struct Provenance {
    pub(super) sources: Sources,
    /// Where each field was written.
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) warnings: Vec<ConfigError>,
    /// What was read, before code changed anything.
    pub(super) as_read: Option<Arc<Config>>,
    /// What stands for the text of the file.
    pub(super) fingerprint: u64,
}

/// What stands for a text, or for why there is none, so that a change is noticed without keeping it:
/// there may be secrets in it.
pub(super) fn fingerprint(text: &Result<String, ConfigErrors>) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.as_ref().map_err(ToString::to_string).hash(&mut hasher);
    hasher.finish()
}

/// What a configuration is read from.
#[derive(Clone, Default)]
pub(super) struct Sources {
    place: Place,
    /// Those of the environment that are about us.
    variables: Vec<(OsString, OsString)>,
}

/// Where the text of a configuration is.
#[derive(Clone, Default)]
pub(super) enum Place {
    /// In another document, or nowhere.
    #[default]
    Unknown,
    Text(Arc<str>),
    File(PathBuf),
}

impl Sources {
    pub(super) fn new(
        place: Place,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let variables = variables.into_iter().filter(|(name, _)| env::is_ours(name));
        Self { place, variables: variables.collect() }
    }

    /// The file.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Unknown | Place::Text(_) => None,
        }
    }

    /// The text as it is now; `None` if nobody knows.
    pub(super) fn text(&self) -> Option<Result<String, ConfigErrors>> {
        match &self.place {
            Place::Unknown => None,
            Place::Text(text) => Some(Ok(text.as_ref().to_owned())),
            Place::File(path) => Some(source::read(path)),
        }
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.variables.iter().cloned()
    }
}

impl fmt::Debug for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provenance")
            .field("sources", &self.sources)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Values of variables may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("Sources").field("path", &self.path()).field("variables", &names).finish()
    }
}
