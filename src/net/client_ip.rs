//! Who the client is: the socket's peer, or whom a trusted proxy names.

use std::net::IpAddr;

use super::address::canonical;
use super::group::{IpGroup, Ipv6Prefix};
use super::header::ForwardedHeader;
use super::hops::{Hops, Syntax, only_address};
use super::networks::Networks;
use crate::Error;

/// The rules by which a request's client address is found.
///
/// The default believes nobody: the client is the peer of the socket, and IPv6 is grouped by
/// /64. A forwarding header counts only when the peer is one of the
/// [`trusted_proxies`](Self::trusted_proxies); then it is read from the right, where the proxies
/// write, and never from the left, where the client writes.
#[derive(Clone, Debug, Default)]
pub struct ClientIp {
    trusted: Networks,
    header: ForwardedHeader,
    ipv6_prefix: Ipv6Prefix,
    trusts_unix_peer: bool,
}

impl ClientIp {
    /// The proxies whose forwarding header is believed. Default: none.
    ///
    /// Build the set with [`Networks::parse_trusted`], which refuses to trust everyone.
    #[must_use]
    pub fn trusted_proxies(mut self, networks: Networks) -> Self {
        self.trusted = networks;
        self
    }

    /// The one header that the proxies write. Default: `X-Forwarded-For`.
    #[must_use]
    pub fn header(mut self, header: ForwardedHeader) -> Self {
        self.header = header;
        self
    }

    /// The length of the IPv6 network that counts as one client, in 16..=128 bits. Default: 64,
    /// the smallest network that a subscriber is given.
    ///
    /// # Errors
    ///
    /// A length outside 16..=128.
    pub fn ipv6_prefix(mut self, bits: u8) -> Result<Self, Error> {
        self.ipv6_prefix = Ipv6Prefix::new(bits).ok_or_else(|| {
            let reason = "is not the length of an IPv6 network of clients";
            let remedy = "write a length in 16..=128, such as `64` or `56`";
            Error::new("ipv6_prefix", bits.to_string(), reason, remedy)
        })?;
        Ok(self)
    }

    /// Whether a peer without an address is a trusted proxy. Default: no.
    ///
    /// For a proxy that connects over a Unix socket, which has no address to list.
    #[must_use]
    pub fn trust_unix_peer(mut self, trust: bool) -> Self {
        self.trusts_unix_peer = trust;
        self
    }

    /// The header that [`resolve`](Self::resolve) expects the lines of.
    pub fn forwarded_header(&self) -> ForwardedHeader {
        self.header
    }

    /// Whether this peer's forwarding header is believed; `None` is a peer without an address.
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.trusts_unix_peer, |address| self.trusted.contains(address))
    }

    /// The client's address, in [canonical](super::canonical) form.
    ///
    /// `peer` is the socket's peer, `None` when it has no address. `header_lines` yields the
    /// values of the [`forwarded_header`](Self::forwarded_header) in the order received, and is
    /// not touched unless the peer is trusted.
    ///
    /// - From an untrusted peer, or without the header: the peer.
    /// - `X-Forwarded-For` and `Forwarded`: the lines are one list, walked from its right end.
    ///   Trusted hops are passed, and the first untrusted one is the client. At an entry that
    ///   names no address (`unknown`, `_hidden`, malformed) the walk ends at the hop to its
    ///   right. Of a list that holds only trusted hops, the left-most is the client.
    /// - At most the 32 right-most entries are inspected, empty ones included.
    /// - `X-Real-IP` and `CF-Connecting-IP`: the address, if there is exactly one line and it
    ///   holds one; otherwise the peer.
    ///
    /// `None` only if the peer has no address and the header gives none. Allocates nothing.
    pub fn resolve<'h>(
        &self,
        peer: Option<IpAddr>,
        header_lines: impl Iterator<Item = &'h [u8]>,
    ) -> Option<IpAddr> {
        let peer = peer.map(canonical);
        if !self.trusts(peer) {
            return peer;
        }
        match self.header {
            ForwardedHeader::XForwardedFor => {
                self.walk(peer, Hops::new(header_lines, Syntax::Addresses))
            }
            ForwardedHeader::Forwarded => {
                self.walk(peer, Hops::new(header_lines, Syntax::Elements))
            }
            ForwardedHeader::XRealIp | ForwardedHeader::CfConnectingIp => {
                only_address(header_lines).or(peer)
            }
        }
    }

    /// The group that an address is counted in: IPv4 whole, IPv6 by its network.
    ///
    /// Prefixes that embed an IPv4 address, such as NAT64's `64:ff9b::/96`, are IPv6 like any
    /// other.
    pub fn group(&self, address: IpAddr) -> IpGroup {
        IpGroup::new(address, self.ipv6_prefix)
    }

    fn walk(&self, peer: Option<IpAddr>, hops: Hops<'_>) -> Option<IpAddr> {
        let mut nearest = peer;
        for hop in hops {
            match hop {
                None => return nearest,
                Some(address) if self.trusted.contains(address) => nearest = Some(address),
                Some(client) => return Some(client),
            }
        }
        nearest
    }
}
