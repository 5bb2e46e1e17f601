//! One entry of a network list, and everything that can be wrong with it.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::address::parse_address;

/// Why an entry is not a network.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Empty,
    Padded(String),
    Wildcard,
    Range,
    Decorated(IpAddr),
    NotAnAddress,
    PrefixNotANumber { max: u8 },
    PrefixTooLong { max: u8 },
    HostBits(IpNet),
    TrustsEveryone,
    TogetherTrustEveryone,
}

/// Parses `address` or `address/prefix`; IPv4-mapped IPv6 becomes IPv4.
pub(super) fn parse_network(text: &str) -> Result<IpNet, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::Empty);
    }
    if text.trim() != text {
        return Err(Fault::Padded(text.trim().to_owned()));
    }
    if text == "*" {
        return Err(Fault::Wildcard);
    }
    let (host, prefix) = match text.split_once('/') {
        Some((host, prefix)) => (host, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = host.parse().map_err(|_| misread(host))?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let length = prefix.map_or(Ok(max), |digits| parse_prefix(digits, max))?;
    let network = IpNet::new(address, length).map_err(|_| Fault::PrefixTooLong { max })?;
    let network = unmapped(network);
    if network.addr() != network.network() {
        return Err(Fault::HostBits(network.trunc()));
    }
    Ok(network)
}

/// As [`parse_network`], but for whom to believe: an entry that holds everyone is a fault.
pub(super) fn parse_trusted_network(text: &str) -> Result<IpNet, Fault> {
    match parse_network(text) {
        Ok(network) if network.prefix_len() == 0 => Err(Fault::TrustsEveryone),
        Err(Fault::Wildcard) => Err(Fault::TrustsEveryone),
        other => other,
    }
}

fn parse_prefix(digits: &str, max: u8) -> Result<u8, Fault> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(Fault::PrefixNotANumber { max });
    }
    let length = digits.parse().map_err(|_| Fault::PrefixTooLong { max })?;
    if length > max { Err(Fault::PrefixTooLong { max }) } else { Ok(length) }
}

/// Says as exactly as possible what stands in the place of an address.
fn misread(host: &str) -> Fault {
    let is_range = host.split_once('-').is_some_and(|(from, _)| from.parse::<IpAddr>().is_ok());
    match parse_address(host) {
        _ if is_range => Fault::Range,
        Some(address) => Fault::Decorated(address),
        None => Fault::NotAnAddress,
    }
}

fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    v4.map_or(network, IpNet::V4)
}

impl Fault {
    pub(super) fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Empty => "is empty".into(),
            Self::Padded(_) => "has white space around it".into(),
            Self::Wildcard => "is not a network".into(),
            Self::Range => "is a range, not a network".into(),
            Self::Decorated(_) => "has a port, brackets, quotes or a zone".into(),
            Self::NotAnAddress => "is not an IP address (host names are not looked up)".into(),
            Self::PrefixNotANumber { .. } => "the prefix length is not a plain number".into(),
            Self::PrefixTooLong { max } => format!("the prefix length is above {max}").into(),
            Self::HostBits(_) => "host bits are set".into(),
            Self::TrustsEveryone => {
                "would let every client choose its own address in a header".into()
            }
            Self::TogetherTrustEveryone => {
                "the entries together cover every address, which would let every client choose \
                 its own address in a header"
                    .into()
            }
        }
    }

    pub(super) fn remedy(&self) -> Cow<'static, str> {
        match self {
            Self::Empty => "remove the entry, or write a network such as `10.0.0.0/8`".into(),
            Self::Padded(trimmed) => format!("write `{trimmed}`").into(),
            Self::Wildcard => "write `0.0.0.0/0` and `::/0` for every address".into(),
            Self::Range => "write the networks that make it up, such as `10.0.0.0/29`".into(),
            Self::Decorated(address) => format!("write `{address}`").into(),
            Self::NotAnAddress => {
                "write addresses only, such as `10.0.0.1`, `10.0.0.0/8` or `2001:db8::/32`".into()
            }
            Self::PrefixNotANumber { max } | Self::PrefixTooLong { max } => {
                format!("write a prefix length in 0..={max}").into()
            }
            Self::HostBits(network) => format!("write `{network}`").into(),
            Self::TrustsEveryone | Self::TogetherTrustEveryone => {
                "list the networks of your proxies, or set `trust_all = true` if nothing but a \
                 proxy can reach this server"
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNet {
        parse_network(text).unwrap()
    }

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.1").to_string(), "10.0.0.1/32");
        assert_eq!(network("2001:db8::1").to_string(), "2001:db8::1/128");
    }

    #[test]
    fn mapped_addresses_and_networks_become_ipv4() {
        assert_eq!(network("::ffff:1.2.3.4"), network("1.2.3.4/32"));
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::ffff:0:0/96"), network("0.0.0.0/0"));
        assert_eq!(
            parse_network("::ffff:10.0.0.1/104"),
            Err(Fault::HostBits(network("10.0.0.0/8")))
        );
    }

    #[test]
    fn a_prefix_length_is_a_plain_number() {
        for digits in ["", "-1", "+8", "08", "8 ", "8/8", "255.0.0.0", "٨"] {
            let fault = parse_prefix(digits, 32);
            assert_eq!(fault, Err(Fault::PrefixNotANumber { max: 32 }), "{digits:?}");
        }
        for digits in ["33", "128", "256", "99999999999999999999"] {
            assert_eq!(parse_prefix(digits, 32), Err(Fault::PrefixTooLong { max: 32 }), "{digits}");
        }
    }
}
