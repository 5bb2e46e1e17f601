//! `[serve]`.

use std::{net::SocketAddr, time::Duration};

use serde::Serialize;

use super::{node::Value, read::Section, read::Setting, show, words};
use crate::Error;

/// The service that decides for proxies; see the page on `serve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServeConfig {
    /// Addresses to listen at; `127.0.0.1:9090` by default.
    #[serde(serialize_with = "show::texts")]
    pub bind: Vec<SocketAddr>,
    /// How the proxy tells of the request that is to be decided about; `nginx` by default.
    #[serde(serialize_with = "show::proxy")]
    pub proxy: Proxy,
    /// The status of refusals, 400 to 499; 429 by default. nginx takes 403 without an entry in its log
    /// of errors.
    pub refused_status: u16,
    /// Threads, 1 to 1024; as many as there are processors by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// How long open requests may take at the end, 0 ms to 1 h; 30 s by default.
    #[serde(serialize_with = "show::duration")]
    pub shutdown_timeout: Duration,
}

/// How a proxy tells of the request that is to be decided about.
///
/// Only the headers of this one are read: a proxy passes on what clients send besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proxy {
    /// By `X-Original-URI` and `X-Original-Method`, as its `auth_request` is customarily set up.
    #[default]
    Nginx,
    /// By `X-Forwarded-Uri` and `X-Forwarded-Method`, as `ForwardAuth` does.
    Traefik,
    /// By the same, as `forward_auth` does.
    Caddy,
}

pub(super) const PROXIES: [(&str, Proxy); 3] =
    [("nginx", Proxy::Nginx), ("traefik", Proxy::Traefik), ("caddy", Proxy::Caddy)];

impl Proxy {
    /// The headers that have the path with its query, and the method.
    #[must_use]
    pub fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("x-original-uri", "x-original-method"),
            Self::Traefik | Self::Caddy => ("x-forwarded-uri", "x-forwarded-method"),
        }
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            bind: vec![SocketAddr::from(([127, 0, 0, 1], 9090))],
            proxy: Proxy::default(),
            refused_status: 429,
            workers: None,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

impl ServeConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let timeouts = Duration::ZERO..=Duration::from_secs(3_600);
        Self {
            bind: section.some("bind").unwrap_or(default.bind),
            proxy: section.get("proxy", default.proxy),
            refused_status: section
                .number("refused_status", 400..=499)
                .unwrap_or(default.refused_status),
            workers: section.number("workers", 1..=1024),
            shutdown_timeout: section
                .duration("shutdown_timeout", timeouts)
                .unwrap_or(default.shutdown_timeout),
        }
    }
}

impl Setting for Proxy {
    fn read(value: &Value) -> Result<Self, Error> {
        words::word(value, &PROXIES)
    }
}

impl Setting for SocketAddr {
    fn read(value: &Value) -> Result<Self, Error> {
        let text = words::text(value, "an address such as \"127.0.0.1:9090\"")?;
        text.parse().map_err(|_| {
            let remedy = "write one such as \"127.0.0.1:9090\" or \"[::1]:9090\"";
            Error::new("", text, "it is no address with a port", remedy)
        })
    }
}
