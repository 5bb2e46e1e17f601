//! Entries of a forwarding header, from right to left, in bounded time and space.

use std::net::IpAddr;
use std::str;

use super::address::parse_address;
use super::rfc7239;

/// How the entries of a list are separated and read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Syntax {
    /// `X-Forwarded-For`: addresses between commas.
    Addresses,
    /// `Forwarded`: elements of RFC 7239, in which quoted strings may hold commas.
    Elements,
}

/// The non-empty ones among a list's last 32 entries, right-most first; `None` names no address.
///
/// Each line is read by itself, so that an unclosed quote in a client's line cannot swallow the
/// line that a proxy added after it.
#[derive(Debug)]
pub(super) struct Hops<'h> {
    lines: LastLines<'h>,
    unread: Option<&'h [u8]>,
    entries_left: usize,
    syntax: Syntax,
}

impl<'h> Hops<'h> {
    pub(super) fn new(lines: impl Iterator<Item = &'h [u8]>, syntax: Syntax) -> Self {
        let lines = LastLines::collect(lines);
        Self { lines, unread: None, entries_left: MAX_ENTRIES, syntax }
    }
}

impl Iterator for Hops<'_> {
    type Item = Option<IpAddr>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.entries_left > 0 {
            let line = self.unread.take().or_else(|| self.lines.pop())?;
            self.entries_left -= 1;
            let Some((left, entry)) = self.syntax.split_last(line) else {
                return Some(None);
            };
            self.unread = left;
            let entry = entry.trim_ascii();
            if !entry.is_empty() {
                return Some(self.syntax.address(entry));
            }
        }
        None
    }
}

impl Syntax {
    /// The last entry and what is left of it, or `None` if the entry is too long to be one.
    fn split_last(self, line: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
        let unseen = line.len().saturating_sub(self.max_len() + 1);
        let (_, tail) = line.split_at(unseen);
        match self.last_comma(tail) {
            Some(comma) => {
                let (left, entry) = line.split_at(unseen + comma);
                Some((Some(left), entry.get(1..).unwrap_or_default()))
            }
            None if unseen == 0 => Some((None, line)),
            None => None,
        }
    }

    fn last_comma(self, tail: &[u8]) -> Option<usize> {
        match self {
            Self::Addresses => tail.iter().rposition(|byte| *byte == b','),
            Self::Elements => rfc7239::last_comma(tail),
        }
    }

    fn address(self, entry: &[u8]) -> Option<IpAddr> {
        match self {
            Self::Addresses => parse_address(str::from_utf8(entry).ok()?),
            Self::Elements => rfc7239::forwarded_for(entry),
        }
    }

    /// The longest entry in bytes: an address with white space, or an element with a host name.
    fn max_len(self) -> usize {
        match self {
            Self::Addresses => 128,
            Self::Elements => 512,
        }
    }
}

/// The address of a header that may stand only once, and may hold only one.
pub(super) fn only_address<'h>(mut lines: impl Iterator<Item = &'h [u8]>) -> Option<IpAddr> {
    let line = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    parse_address(str::from_utf8(line.trim_ascii()).ok()?)
}

/// The last lines of a header. Each holds at least one entry, so no more than this are needed
/// to reach the last [`MAX_ENTRIES`], however many lines a client sends.
#[derive(Debug)]
struct LastLines<'h> {
    ring: [&'h [u8]; MAX_ENTRIES],
    next: usize,
    len: usize,
}

impl<'h> LastLines<'h> {
    fn collect(lines: impl Iterator<Item = &'h [u8]>) -> Self {
        let mut last = Self { ring: [&[]; MAX_ENTRIES], next: 0, len: 0 };
        for line in lines {
            if let Some(slot) = last.ring.get_mut(last.next) {
                *slot = line;
            }
            last.next = (last.next + 1) % MAX_ENTRIES;
            last.len = MAX_ENTRIES.min(last.len + 1);
        }
        last
    }

    fn pop(&mut self) -> Option<&'h [u8]> {
        self.len = self.len.checked_sub(1)?;
        self.next = self.next.checked_sub(1).unwrap_or(MAX_ENTRIES - 1);
        self.ring.get(self.next).copied()
    }
}

const MAX_ENTRIES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn hops(lines: &[&str], syntax: Syntax) -> Vec<Option<IpAddr>> {
        Hops::new(lines.iter().map(|line| line.as_bytes()), syntax).collect()
    }

    fn address(last_octet: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last_octet]))
    }

    #[test]
    fn lines_are_one_list_read_from_its_end() {
        let lines = ["192.0.2.1, 192.0.2.2", "", "192.0.2.3", " ,192.0.2.4\t,, "];
        let expected = [address(4), address(3), address(2), address(1)];
        assert_eq!(hops(&lines, Syntax::Addresses), expected);
    }

    #[test]
    fn only_the_last_32_lines_are_kept_and_in_order() {
        let lines: Vec<String> = (0..100).map(|octet| format!("192.0.2.{octet}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let expected: Vec<_> = (68..100).rev().map(address).collect();
        assert_eq!(hops(&lines, Syntax::Addresses), expected);
    }

    #[test]
    fn empty_entries_use_up_the_bound_as_well() {
        let reachable = format!("192.0.2.1{}", ",".repeat(31));
        assert_eq!(hops(&[&reachable], Syntax::Addresses), [address(1)]);
        let beyond = format!("192.0.2.1{}", ",".repeat(32));
        assert_eq!(hops(&[&beyond], Syntax::Addresses), []);
    }

    #[test]
    fn an_entry_longer_than_any_address_is_unreadable_and_not_scanned_through() {
        for (syntax, address_text) in
            [(Syntax::Addresses, "192.0.2.1"), (Syntax::Elements, "for=192.0.2.1")]
        {
            let padding = syntax.max_len() - address_text.len();
            let fits = format!("192.0.2.9,{}{address_text}", " ".repeat(padding));
            assert_eq!(hops(&[&fits], syntax).first(), Some(&address(1)));
            let too_long = format!("192.0.2.9, {}{address_text}", " ".repeat(padding));
            assert_eq!(hops(&[&too_long], syntax).first(), Some(&None));
        }
    }

    #[test]
    fn a_quote_opened_in_one_line_does_not_reach_into_the_next() {
        let lines = ["for=\"", "for=192.0.2.7"];
        assert_eq!(hops(&lines, Syntax::Elements), [address(7), None]);
    }
}
