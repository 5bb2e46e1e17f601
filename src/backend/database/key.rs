//! Keys as the tables have them: whole where a column of any of the databases can hold them.

use std::{borrow::Cow, fmt::Write};

use sha2::{Digest, Sha256};

/// Characters that fit the column.
const LONGEST: usize = 255;
/// Characters of another key that stay readable.
const HEAD: usize = 180;
const MARK: &str = "#stored=";

/// The key of a row. One that is too long, or that a database would not give back as it is, becomes
/// its readable head with the SHA-256 of the whole; so does one that looks like that, so that nobody
/// can name another's row.
pub(super) fn stored(key: &str) -> Cow<'_, str> {
    if is_usual(key) {
        return Cow::Borrowed(key);
    }
    // Comparisons ignore trailing white space in MySQL; PostgreSQL has no character 0.
    let is_plain = key.chars().count() <= LONGEST
        && !key.ends_with(char::is_whitespace)
        && !key.contains(char::is_control)
        && !key.contains(MARK);
    if is_plain {
        return Cow::Borrowed(key);
    }
    let readable = |c: &char| !c.is_control() && !c.is_whitespace();
    let mut short: String = key.chars().take(HEAD).filter(readable).collect();
    short.push_str(MARK);
    for byte in Sha256::digest(key.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    Cow::Owned(short)
}

/// Whether a key is plain at a glance, as nearly all are: short, of printable ASCII, without the sign by
/// which the mark begins.
fn is_usual(key: &str) -> bool {
    key.len() <= LONGEST && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, stored};

    #[test]
    fn plain_keys_stay_whole_in_any_script() {
        for key in ["", "ip:1", "günther", "客户:7", "a b", &"é".repeat(LONGEST)] {
            assert_eq!(stored(key), key);
        }
    }

    #[test]
    fn other_keys_become_short_and_stay_apart() {
        let long = "x".repeat(LONGEST + 1);
        let keys = ["a", "a ", "a\0", "a\0 ", &long, &format!("{long}y"), &stored(&long)];
        let stored: std::collections::HashSet<_> = keys.iter().map(|key| stored(key)).collect();
        assert_eq!(stored.len(), keys.len());
        assert!(stored.iter().all(|key| key.chars().count() <= LONGEST && !key.contains('\0')));
    }
}
