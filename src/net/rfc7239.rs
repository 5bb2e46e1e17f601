//! The `Forwarded` header of RFC 7239, section 4: elements, parameters and nodes.

use std::net::IpAddr;
use std::str;

use super::address::{is_port, parse_node};

/// The last comma that separates two elements, found from the right.
///
/// Reading backwards lets the element that a proxy appended be cut off correctly whatever
/// unbalanced quotes a client sent before it.
pub(super) fn last_comma(bytes: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (index, byte) in bytes.iter().enumerate().rev() {
        match byte {
            b'"' if quoted && is_escaped(bytes, index) => {}
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

/// The address in the `for` parameter of one element.
///
/// `None` if the element has no `for`, names no address there (`unknown`, `_hidden`), or breaks
/// the grammar: a colon or bracket outside quotes, a parameter that is given twice, an unclosed
/// quote. White space around `;` is let pass.
pub(super) fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut node = None;
    let mut seen = [false; REGISTERED.len()];
    let mut rest = element.trim_ascii();
    while !rest.is_empty() {
        if !rest.starts_with(b";") {
            let (name, value, after) = parse_pair(rest)?;
            let registered = REGISTERED.iter().position(|known| name.eq_ignore_ascii_case(known));
            let mark = registered.and_then(|index| seen.get_mut(index));
            if mark.is_some_and(|mark| std::mem::replace(mark, true)) {
                return None;
            }
            if name.eq_ignore_ascii_case(b"for") {
                node = Some(value);
            }
            rest = after.trim_ascii_start();
        }
        rest = match rest {
            [] => rest,
            [b';', after @ ..] => after.trim_ascii_start(),
            _ => return None,
        };
    }
    parse_node(str::from_utf8(node?).ok()?, is_node_port)
}

/// Splits `name=value` off the front; the value is returned without its quotes, unescaped only
/// in so far as a value with escapes is never an address.
fn parse_pair(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = split_token(bytes)?;
    match rest {
        [b'=', b'"', opened @ ..] => {
            let (value, after) = split_quoted(opened)?;
            Some((name, value, after))
        }
        [b'=', rest @ ..] => {
            let (value, after) = split_token(rest)?;
            Some((name, value, after))
        }
        _ => None,
    }
}

fn split_token(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| !is_token_char(*byte)).unwrap_or(bytes.len());
    if end == 0 { None } else { bytes.split_at_checked(end) }
}

/// Splits at the closing quote of a string whose opening quote is already gone.
fn split_quoted(opened: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    for (index, byte) in opened.iter().enumerate() {
        match byte {
            0..=0x08 | 0x0a..=0x1f | 0x7f => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((opened.get(..index)?, opened.get(index + 1..)?)),
            _ => {}
        }
    }
    None
}

fn is_escaped(bytes: &[u8], index: usize) -> bool {
    let before = bytes.get(..index).unwrap_or_default();
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
    backslashes % 2 == 1
}

fn is_token_char(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
            | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

/// A port number, or an obfuscated port such as `_a1`.
fn is_node_port(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let hidden = |name: &str| !name.is_empty() && name.bytes().all(allowed);
    is_port(text) || text.strip_prefix('_').is_some_and(hidden)
}

/// The parameters of section 5, none of which may occur twice in an element.
const REGISTERED: [&[u8]; 4] = [b"for", b"by", b"host", b"proto"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(element: &str) -> Option<String> {
        forwarded_for(element.as_bytes()).map(|address| address.to_string())
    }

    #[test]
    fn the_for_parameter_is_found_in_any_case_and_place() {
        let elements = [
            "for=192.0.2.1",
            "FOR=192.0.2.1;proto=https",
            "proto=http ; For=\"192.0.2.1:80\" ; by=_proxy",
            ";;by=203.0.113.1;;for=192.0.2.1;",
            "host=\"a;for=6.6.6.6,b\\\"c\\\\\";for=\"192.0.2.1:_hidden\"",
            "ext=1;ext=2;for=\"192.0.2.1\"",
        ];
        for element in elements {
            assert_eq!(read(element).as_deref(), Some("192.0.2.1"), "{element}");
        }
        let v6 = Some("2001:db8::17".to_owned());
        assert_eq!(read("for=\"[2001:db8::17]\""), v6);
        assert_eq!(read("for=\"[2001:db8::17]:4711\";proto=https"), v6);
    }

    #[test]
    fn an_element_that_breaks_the_grammar_names_nobody() {
        let elements = [
            "for=1.2.3.4;for=5.6.7.8",
            "for=1.2.3.4;FOR=1.2.3.4",
            "for=1.2.3.4;proto=http;Proto=https",
            "for=1.2.3.4:80",
            "for=[2001:db8::1]",
            "for=\"2001:db8::1\"",
            "for = 1.2.3.4",
            "for=\"1.2.3.4",
            "for=1.2.3.4\"",
            "for=\"1.2.3.4\"x",
            "for=\"1.2.3\\.4\"",
            "for=\"\\\"1.2.3.4\\\"\"",
            "for=\"1.2.3.4:\"",
            "for=\"1.2.3.4:_\"",
            "for=\"1.2.3.4:99999\"",
            "for=\" 1.2.3.4\"",
            "for=1.2.3.4 proto=http",
            "for=",
            "for",
            "=1.2.3.4",
            "1.2.3.4",
            "for=1.2.3.4;host=\"\u{1}\"",
        ];
        for element in elements {
            assert_eq!(read(element), None, "{element}");
        }
    }

    #[test]
    fn an_element_that_hides_its_node_names_nobody() {
        for element in
            ["for=unknown", "for=_hidden", "for=\"_x:1\"", "by=1.2.3.4", "proto=http", ";"]
        {
            assert_eq!(read(element), None, "{element}");
        }
    }

    #[test]
    fn a_comma_inside_quotes_does_not_separate() {
        assert_eq!(last_comma(b"for=a, host=\"b,c\""), Some(5));
        assert_eq!(last_comma(br#"for=a,x="\\\",b""#), Some(5));
        assert_eq!(last_comma(br#"x="b\\",y"#), Some(7));
        assert_eq!(last_comma(b"x=\"a,b\""), None);
    }

    #[test]
    fn quotes_left_open_by_a_client_do_not_hide_the_comma_of_a_proxy() {
        for forged in ["for=\"", "\"\"\"", "for=\"a\\", "\\\"", "for=1.2.3.4;x=\"y"] {
            for appended in ["for=192.0.2.1", "for=\"[2001:db8::1]:80\";host=\"a,b\""] {
                let line = format!("{forged},{appended}");
                assert_eq!(last_comma(line.as_bytes()), Some(forged.len()), "{line}");
            }
        }
    }
}
