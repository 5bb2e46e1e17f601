//! Where a setting was written.

use std::{fmt, path::Path, sync::Arc};

/// Where a setting was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// In a file, or in a text without a name.
    File {
        /// The file, if it has a name.
        path: Option<Arc<Path>>,
        /// The line, counted from 1.
        line: usize,
        /// The character in its line, counted from 1.
        column: usize,
    },
    /// In a variable of the environment.
    Variable(Arc<str>),
    /// Nowhere: it is a default, or was set by code.
    #[default]
    Unwritten,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path: Some(path), line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path: Some(path), line, column } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::File { path: None, line, column } => write!(f, "line {line}:{column}"),
            Self::Variable(name) => f.write_str(name),
            Self::Unwritten => f.write_str("configuration"),
        }
    }
}

/// Finds lines in a text.
pub(super) struct Lines<'t> {
    text: &'t str,
    path: Option<Arc<Path>>,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str, path: Option<&Path>) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(after_breaks).collect();
        Self { text, path: path.map(Arc::from), starts }
    }

    /// The place of a byte of the text.
    pub(super) fn origin(&self, at: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        Origin::File { path: self.path.clone(), line, column: before.chars().count() + 1 }
    }
}
