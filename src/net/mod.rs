//! Who is at the other end: addresses, networks and forwarding headers as pure values.
//!
//! Nothing here reads a socket, resolves a name or knows a web framework. Addresses are compared
//! and grouped by their bits, never by their spelling, so one client cannot be many by writing
//! its address in many ways.
//!
//! ```
//! use actix_smart_ratelimit::net::{ClientIp, ForwardedHeader, Networks};
//!
//! let trusted = Networks::parse_trusted("trusted_proxies", ["10.0.0.0/8"])?;
//! let rules = ClientIp::default().trusted_proxies(trusted).header(ForwardedHeader::XForwardedFor);
//!
//! let peer = Some([10, 0, 0, 1].into());
//! let lines: [&[u8]; 1] = [b"6.6.6.6, 203.0.113.5, 10.0.0.2"];
//! let client = rules.resolve(peer, lines.into_iter());
//! assert_eq!(client, Some([203, 0, 113, 5].into()));
//! # Ok::<(), actix_smart_ratelimit::Error>(())
//! ```

mod address;
mod cidr;
mod client_ip;
mod group;
mod header;
mod hops;
mod networks;
mod ranges;
mod rfc7239;

pub use address::{canonical, parse_address};
pub use client_ip::ClientIp;
pub use group::IpGroup;
pub use header::ForwardedHeader;
pub use networks::Networks;
