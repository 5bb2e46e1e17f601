//! Sets of networks: who is trusted, allowed, denied or exempt.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::canonical;
use super::cidr::{Fault, parse_network, parse_trusted_network};
use super::ranges::Ranges;
use crate::Error;

/// A set of IPv4 and IPv6 networks.
///
/// Overlapping entries are merged when the set is built, so a lookup is one binary search,
/// whatever the length of the list. The default set is empty.
///
/// Entries and addresses are compared in their [canonical](super::canonical) form:
/// `::ffff:1.2.3.4` and `1.2.3.4` are the same address, and `::/0` holds no IPv4 address.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Networks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Networks {
    /// Parses a list of addresses and networks in CIDR notation, to allow, deny or exempt.
    ///
    /// An address without a prefix length stands for itself alone. `field` is the name of the
    /// setting, for the error.
    ///
    /// # Errors
    ///
    /// The first entry that is not an address or a network: empty, a host name, a range, a
    /// prefix length out of bounds, host bits set, or an address with port, brackets or zone.
    ///
    /// ```
    /// use actix_smart_ratelimit::net::Networks;
    ///
    /// let deny = Networks::parse("deny", ["192.0.2.0/24", "2001:db8::bad"])?;
    /// assert!(deny.contains([192, 0, 2, 77].into()));
    ///
    /// let error = Networks::parse("deny", ["10.0.0.1/8"]).unwrap_err();
    /// assert_eq!(error.remedy(), "write `10.0.0.0/8`");
    /// # Ok::<(), actix_smart_ratelimit::Error>(())
    /// ```
    pub fn parse<I>(field: &str, items: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self::collect(field, items, parse_network)
    }

    /// Parses the list of proxies whose forwarding header is believed.
    ///
    /// # Errors
    ///
    /// As [`Networks::parse`], and any list that covers all of IPv4 or all of IPv6, for then
    /// every client could name its own address. [`Networks::trust_all`] says so on purpose.
    pub fn parse_trusted<I>(field: &str, items: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let networks = Self::collect(field, items, parse_trusted_network)?;
        match networks.whole_family() {
            Some(family) => Err(refusal(field, family, &Fault::TogetherTrustEveryone)),
            None => Ok(networks),
        }
    }

    /// Every address: for a server that nothing but its proxies can reach.
    ///
    /// As the set of trusted proxies it makes the **left-most** entry of the forwarding header
    /// the client, which any client can write if it can reach the server or if a proxy passes
    /// the header on.
    pub fn trust_all() -> Self {
        Self::from_networks([
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
        ])
    }

    /// Internal addresses: loopback, private, link-local and unique local networks.
    ///
    /// `127.0.0.0/8`, `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`, `169.254.0.0/16`, `::1`,
    /// `fc00::/7` and `fe80::/10`.
    pub fn loopback_and_private() -> Self {
        Self::from_networks(
            INTERNAL_V4.map(IpNet::V4).into_iter().chain(INTERNAL_V6.map(IpNet::V6)),
        )
    }

    /// Whether the address, in its canonical form, lies in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(v4) => self.v4.contains(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.contains(v6.to_bits()),
        }
    }

    /// Whether the set holds no address at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn collect<I>(
        field: &str,
        items: I,
        parse: fn(&str) -> Result<IpNet, Fault>,
    ) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut networks = Vec::new();
        for item in items {
            let value = item.as_ref();
            networks.push(parse(value).map_err(|fault| refusal(field, value, &fault))?);
        }
        Ok(Self::from_networks(networks))
    }

    fn from_networks(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self {
            v4: Ranges::merge(v4, |last| last.checked_add(1)),
            v6: Ranges::merge(v6, |last| last.checked_add(1)),
        }
    }

    fn whole_family(&self) -> Option<&'static str> {
        match (self.v4.as_slice(), self.v6.as_slice()) {
            ([(0, u32::MAX)], _) => Some("0.0.0.0/0"),
            (_, [(0, u128::MAX)]) => Some("::/0"),
            _ => None,
        }
    }
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v4 = self.v4.as_slice().iter().map(|(first, last)| {
            IpAddr::from(Ipv4Addr::from_bits(*first))..=IpAddr::from(Ipv4Addr::from_bits(*last))
        });
        let v6 = self.v6.as_slice().iter().map(|(first, last)| {
            IpAddr::from(Ipv6Addr::from_bits(*first))..=IpAddr::from(Ipv6Addr::from_bits(*last))
        });
        f.debug_set().entries(v4.chain(v6)).finish()
    }
}

fn refusal(field: &str, value: &str, fault: &Fault) -> Error {
    Error::new(field.to_owned(), value, fault.reason(), fault.remedy())
}

const INTERNAL_V4: [Ipv4Net; 5] = [
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
];

const INTERNAL_V6: [Ipv6Net; 3] = [
    Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
];
