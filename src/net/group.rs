//! The addresses that are counted as one client, and their one spelling.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::canonical;

/// A whole IPv4 address, or the IPv6 network that one subscriber owns.
///
/// Two addresses of one group are equal and spelled the same. Made by
/// [`ClientIp::group`](super::ClientIp::group).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpGroup {
    network: IpAddr,
    prefix: u8,
}

impl IpGroup {
    /// `prefix` is the length of the IPv6 network; IPv4 addresses are always whole.
    pub(super) fn new(address: IpAddr, prefix: Ipv6Prefix) -> Self {
        match canonical(address) {
            IpAddr::V4(v4) => Self { network: IpAddr::V4(v4), prefix: 32 },
            IpAddr::V6(v6) => {
                let network = Ipv6Addr::from_bits(v6.to_bits() & prefix.mask());
                Self { network: IpAddr::V6(network), prefix: prefix.0 }
            }
        }
    }

    /// Appends the group's text: `203.0.113.7`, `2001:db8:0:1::/64`, or the IPv6 address alone
    /// when the prefix is 128.
    pub fn write_to(&self, out: &mut String) {
        // A `String` takes everything that is written to it.
        let _ = self.write(out);
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self.network {
            IpAddr::V4(v4) => write_v4(v4, out),
            IpAddr::V6(v6) if self.prefix == 128 => write!(out, "{v6}"),
            IpAddr::V6(v6) => write!(out, "{v6}/{}", self.prefix),
        }
    }
}

impl fmt::Display for IpGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// The length of the IPv6 networks that are counted as one client, in 16..=128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ipv6Prefix(u8);

impl Ipv6Prefix {
    pub(super) fn new(bits: u8) -> Option<Self> {
        (16..=128).contains(&bits).then_some(Self(bits))
    }

    fn mask(self) -> u128 {
        u128::MAX << (128 - u32::from(self.0))
    }
}

impl Default for Ipv6Prefix {
    fn default() -> Self {
        Self(64)
    }
}

/// Every IPv4 request passes here, and the standard formatting is several times slower.
fn write_v4(address: Ipv4Addr, out: &mut impl fmt::Write) -> fmt::Result {
    let mut digits = itoa::Buffer::new();
    let [first, rest @ ..] = address.octets();
    out.write_str(digits.format(first))?;
    for octet in rest {
        out.write_char('.')?;
        out.write_str(digits.format(octet))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(address: &str, prefix: u8) -> String {
        let prefix = Ipv6Prefix::new(prefix).unwrap();
        let mut out = String::from(">");
        IpGroup::new(address.parse().unwrap(), prefix).write_to(&mut out);
        out
    }

    #[test]
    fn every_octet_is_written_as_the_standard_library_writes_it() {
        for octet in 0..=u8::MAX {
            let address = Ipv4Addr::new(octet, 255 - octet, octet / 2, octet);
            let group = IpGroup::new(IpAddr::V4(address), Ipv6Prefix::default());
            assert_eq!(group.to_string(), address.to_string());
        }
    }

    #[test]
    fn the_text_is_appended_in_canonical_form() {
        assert_eq!(text("203.0.113.7", 64), ">203.0.113.7");
        assert_eq!(text("::ffff:cb00:7107", 16), ">203.0.113.7");
        assert_eq!(text("2001:0DB8:0:1:a:b:c:d", 64), ">2001:db8:0:1::/64");
        assert_eq!(text("2001:db8:0:1:a:b:c:d", 56), ">2001:db8::/56");
        assert_eq!(text("2001:db8:0:1:a:b:c:d", 16), ">2001::/16");
        assert_eq!(text("2001:db8:0:0:0::1", 128), ">2001:db8::1");
    }

    #[test]
    fn a_prefix_outside_16_to_128_does_not_exist() {
        assert!(Ipv6Prefix::new(16).is_some() && Ipv6Prefix::new(128).is_some());
        assert!(Ipv6Prefix::new(0).is_none() && Ipv6Prefix::new(15).is_none());
        assert!(Ipv6Prefix::new(129).is_none() && Ipv6Prefix::new(u8::MAX).is_none());
    }
}
