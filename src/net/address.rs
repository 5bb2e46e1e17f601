//! One address from text, strictly: many spellings in, one value out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Parses one address as it appears in a forwarding header.
///
/// Accepted: a bare IPv4 or IPv6 address, `1.2.3.4:5678`, `[2001:db8::1]`, `[2001:db8::1]:5678`,
/// and each of these inside one pair of double quotes. An IPv6 zone (`fe80::1%eth0`) is checked
/// and dropped. The result is [`canonical`].
///
/// Everything else is `None`: octal, hexadecimal, short and single-number forms of IPv4, white
/// space, names, ports above 65535, and text longer than 80 bytes.
///
/// ```
/// use actix_smart_ratelimit::net::parse_address;
///
/// assert_eq!(parse_address("[::ffff:1.2.3.4]:443"), parse_address("1.2.3.4"));
/// assert_eq!(parse_address("010.0.0.1"), None);
/// ```
pub fn parse_address(text: &str) -> Option<IpAddr> {
    if text.len() > MAX_LEN {
        return None;
    }
    let text = unquote(text)?;
    parse_node(text, is_port).or_else(|| parse_v6(text))
}

/// The one form of an address that is compared, listed and counted.
///
/// An IPv4-mapped IPv6 address (`::ffff:0:0/96`, what a dual-stack socket reports for an IPv4
/// client) becomes that IPv4 address. Every other address is returned as it is: the deprecated
/// `::1.2.3.4` and the NAT64 prefix `64:ff9b::/96` stay IPv6.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Parses `IPv4[:port]` or `[IPv6][:port]`; `accepts_port` judges the text after the colon.
pub(super) fn parse_node(text: &str, accepts_port: fn(&str) -> bool) -> Option<IpAddr> {
    let (address, suffix) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, suffix) = bracketed.split_once(']')?;
            (parse_v6(host)?, suffix)
        }
        None => {
            let (host, suffix) = text.split_at(text.find(':').unwrap_or(text.len()));
            (IpAddr::V4(host.parse::<Ipv4Addr>().ok()?), suffix)
        }
    };
    let acceptable = suffix.is_empty() || suffix.strip_prefix(':').is_some_and(accepts_port);
    acceptable.then_some(address)
}

/// One to five digits, at most 65535.
pub(super) fn is_port(text: &str) -> bool {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits && text.parse::<u16>().is_ok()
}

fn parse_v6(text: &str) -> Option<IpAddr> {
    let host = match text.split_once('%') {
        Some((host, zone)) if is_zone(zone) => host,
        Some(_) => return None,
        None => text,
    };
    let address = host.parse::<Ipv6Addr>().ok()?;
    Some(canonical(IpAddr::V6(address)))
}

fn is_zone(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
    !text.is_empty() && text.bytes().all(allowed)
}

fn unquote(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(opened) => opened.strip_suffix('"'),
        None => Some(text),
    }
}

/// Room for the longest IPv6 text with quotes, brackets, a port and an interface name.
const MAX_LEN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_to_five_digits_and_fits_sixteen_bits() {
        for good in ["0", "80", "00080", "65535"] {
            assert!(is_port(good), "{good}");
        }
        for bad in ["", "65536", "99999", "000080", "+80", "-1", "8o", " 80"] {
            assert!(!is_port(bad), "{bad:?}");
        }
    }

    #[test]
    fn text_beyond_the_longest_spelling_is_not_read() {
        let fits = format!("fe80::1%{}", "e".repeat(MAX_LEN - 8));
        assert!(parse_address(&fits).is_some());
        assert_eq!(parse_address(&format!("{fits}e")), None);
    }

    #[test]
    fn canonical_changes_mapped_addresses_only() {
        let kept = ["1.2.3.4", "::1", "::1.2.3.4", "64:ff9b::102:304", "2001:db8::1"];
        for address in kept.map(|text| text.parse::<IpAddr>().unwrap()) {
            assert_eq!(canonical(address), address);
        }
        let mapped: IpAddr = "::ffff:102:304".parse().unwrap();
        assert_eq!(canonical(mapped), IpAddr::from([1, 2, 3, 4]));
    }
}
