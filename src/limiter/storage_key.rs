//! Storage keys: `{prefix}{scope}:{key}`, encoded so that no input can forge a separator.

use std::fmt::Write;

use arrayvec::ArrayVec;
use sha2::{Digest, Sha256};

use crate::MAX_CHECKS;

/// Longer keys are replaced by a readable head and a digest.
const LONGEST: usize = 200;
/// Bytes of a long key that stay readable.
const HEAD: usize = 96;

/// The storage keys of one request, one after the other in a single buffer.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    text: String,
    /// Where the part after prefix and scope begins.
    key_from: usize,
    ends: ArrayVec<usize, MAX_CHECKS>,
}

impl Keys {
    /// Begins anew with prefix and scope, and hands out the buffer for the key itself.
    #[inline]
    pub(crate) fn begin(&mut self, prefix: &str) -> &mut String {
        self.text.clear();
        self.ends.clear();
        self.text.push_str(prefix);
        self.key_from = prefix.len();
        &mut self.text
    }

    /// Ends the key, and shows the storage key of a limit's first rate.
    #[inline]
    pub(crate) fn end(&mut self) -> &str {
        if self.text.len() - self.key_from > LONGEST {
            shorten(&mut self.text, self.key_from);
        }
        &self.text
    }

    /// Makes one storage key for each suffix.
    #[inline]
    pub(crate) fn finish(&mut self, suffixes: &[String]) {
        let first = self.text.len();
        self.ends.push(first);
        for suffix in suffixes.iter().skip(1).take(MAX_CHECKS - 1) {
            self.text.extend_from_within(..first);
            self.text.push_str(suffix);
            self.ends.push(self.text.len());
        }
    }

    /// The storage keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    /// Whether no key was written after prefix and scope.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.len() == self.key_from
    }
}

/// Appends `text` as one component: bytes that separate components, that stores or logs could
/// misread, or that are not ASCII letters or marks of that kind become `%XX`; other scripts stay.
pub(crate) fn encode(text: &str, out: &mut String) {
    for c in text.chars() {
        let plain = !c.is_control() && !c.is_whitespace() && !":+#%{}*?[]\\|".contains(c);
        if plain {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Appends 128 bits of the SHA-256 of `secret`, in hexadecimal, so that stores never hold it.
pub(crate) fn digest(secret: &[u8], out: &mut String) {
    hex(&Sha256::digest(secret)[..16], out);
}

/// Appends bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xF] {
            out.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
    }
}

/// Replaces all but the head of a key by the SHA-256 of the whole of it. `#` cannot stand in an
/// encoded component, so no short key looks like this.
fn shorten(text: &mut String, from: usize) {
    let sum = Sha256::digest(&text.as_bytes()[from..]);
    let head = (from..=from + HEAD).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(from);
    text.truncate(head);
    text.push_str("#sha256=");
    hex(&sum, text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Keys, LONGEST, encode};

    fn encoded(text: &str) -> String {
        let mut out = String::new();
        encode(text, &mut out);
        out
    }

    fn stored(key: &str) -> String {
        let mut keys = Keys::default();
        keys.begin("ratelimit:").push_str(key);
        keys.end();
        keys.finish(&[String::new()]);
        keys.iter().next().unwrap().to_owned()
    }

    proptest! {
        #[test]
        fn different_components_never_meet(a in any::<Vec<String>>(), b in any::<Vec<String>>()) {
            let join = |parts: &[String]| {
                parts.iter().map(|part| encoded(part)).collect::<Vec<_>>().join(":")
            };
            prop_assume!(!a.is_empty() && !b.is_empty());
            prop_assert_eq!(a == b, join(&a) == join(&b));
        }

        #[test]
        fn long_keys_stay_apart_and_short_ones_unchanged(a in "[a-zé:]{0,400}", b in "[a-zé:]{0,400}") {
            prop_assert_eq!(a == b, stored(&a) == stored(&b));
            prop_assert!(stored(&a).len() <= "ratelimit:".len() + LONGEST);
            prop_assert_eq!(a.len() <= LONGEST, stored(&a) == format!("ratelimit:{a}"));
        }
    }

    #[test]
    fn separators_secrets_of_logs_and_patterns_are_escaped() {
        assert_eq!(encoded("a:b+c#d%e"), "a%3Ab%2Bc%23d%25e");
        assert_eq!(encoded("x\r\n\0 *{y}"), "x%0D%0A%00%20%2A%7By%7D");
        assert_eq!(encoded("günther"), "günther");
    }

    #[test]
    fn each_further_rate_has_a_key_of_its_own() {
        let mut keys = Keys::default();
        keys.begin("p:").push('k');
        keys.finish(&[String::new(), "#10/s".into()]);
        assert_eq!(keys.iter().collect::<Vec<_>>(), ["p:k", "p:k#10/s"]);
    }
}
