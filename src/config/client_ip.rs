//! `[client_ip]`.

use serde::Serialize;

use super::{read::Section, show, words::Proxy};
use crate::{
    Error,
    net::{ClientIp, ForwardedHeader, Networks},
};

/// How the address of a client is found; see [`ClientIp`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClientIpConfig {
    /// Networks of proxies whose header is believed; none by default.
    pub trusted_proxies: Vec<String>,
    /// The one header that they write; `x-forwarded-for` by default.
    #[serde(serialize_with = "show::text")]
    pub header: ForwardedHeader,
    /// Bits of the IPv6 network that counts as one client, 16 to 128; 64 by default.
    pub ipv6_prefix: u8,
    /// Whether a peer without an address, behind a Unix socket, is a trusted proxy; false by default.
    pub trust_unix_peer: bool,
    /// Whether everybody is a trusted proxy; false by default. Any client that can reach the server
    /// can then choose its address.
    pub trust_all: bool,
}

impl Default for ClientIpConfig {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            header: ForwardedHeader::default(),
            ipv6_prefix: 64,
            trust_unix_peer: false,
            trust_all: false,
        }
    }
}

impl ClientIpConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let proxies = section.list("trusted_proxies").unwrap_or_default();
        let trusted_proxies: Vec<String> = proxies.into_iter().map(|Proxy(text)| text).collect();
        let read = Self {
            header: section.get("header", default.header),
            ipv6_prefix: section.number("ipv6_prefix", 16..=128).unwrap_or(default.ipv6_prefix),
            trust_unix_peer: section.get("trust_unix_peer", false),
            trust_all: section.get("trust_all", false),
            trusted_proxies,
        };
        if let Err(error) = Networks::parse_trusted("trusted_proxies", &read.trusted_proxies) {
            section.wrong_at("trusted_proxies", error.value(), error.reason(), error.remedy());
        }
        if read.trust_all && !read.trusted_proxies.is_empty() {
            let reason = "there are trusted_proxies besides";
            section.wrong_at("trust_all", "true", reason, "remove one of the two");
        }
        read
    }

    /// The rules.
    ///
    /// # Errors
    /// When a network is malformed or the prefix is out of range, which a configuration that was read
    /// never is.
    pub fn rules(&self) -> Result<ClientIp, Error> {
        let trusted = match self.trust_all {
            true => Networks::trust_all(),
            false => Networks::parse_trusted("client_ip.trusted_proxies", &self.trusted_proxies)?,
        };
        let rules = ClientIp::default()
            .trusted_proxies(trusted)
            .header(self.header)
            .trust_unix_peer(self.trust_unix_peer);
        rules.ipv6_prefix(self.ipv6_prefix).map_err(|error| error.at("client_ip.ipv6_prefix"))
    }
}
