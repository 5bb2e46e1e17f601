//! Reading a file that is to be a configuration.

use std::{fs, io::Read, path::Path};

use super::{ConfigErrors, Origin};
use crate::Error;

/// Largest file, in bytes.
const MOST: u64 = 4 << 20;

/// The text of a file.
///
/// # Errors
/// When it cannot be read, is over 4 MiB, or is not UTF-8.
pub(super) fn read(path: &Path) -> Result<String, ConfigErrors> {
    let wrong = |reason: String, remedy: &'static str| {
        let origin = Origin::File { path: Some(path.into()), line: 0, column: 0 };
        ConfigErrors::one(origin, Error::new("", "", reason, remedy))
    };
    let unreadable = |error: std::io::Error| {
        wrong(format!("it cannot be read: {error}"), "name a TOML file that this process may read")
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(wrong("it is a directory".to_owned(), "name a TOML file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST) {
        return Err(wrong("it is over 4 MiB".to_owned(), "name a configuration file"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(format!("it is not UTF-8, at byte {at}"), "write it in UTF-8")
    })?;
    // Some editors mark UTF-8 by a character that stands for nothing.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
