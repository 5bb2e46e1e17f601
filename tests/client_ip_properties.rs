//! The client's address under generated headers: forgery never decides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr};

use actix_smart_ratelimit::net::ForwardedHeader::{
    CfConnectingIp, Forwarded, XForwardedFor, XRealIp,
};
use actix_smart_ratelimit::net::{ClientIp, ForwardedHeader, Networks, parse_address};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const CLIENT: &str = "203.0.113.9";

fn behind_proxies(header: ForwardedHeader) -> ClientIp {
    let trusted = Networks::parse_trusted("trusted_proxies", ["10.0.0.0/8", "fd00::/8"]).unwrap();
    ClientIp::default().trusted_proxies(trusted).header(header)
}

/// Header values made of the pieces that matter to a parser.
fn header_like() -> impl Strategy<Value = String> {
    let marks = [",", ";", "=", "\"", "\\", ":", "[", "]", "%", " ", "\u{e9}"];
    let words = ["for", "For=", "by=", "unknown", "999"];
    let addresses = ["1.2.3.4", "10.0.0.2", "::1", "::ffff:10.0.0.3", "fd00::1"];
    let pieces = [&marks[..], &words, &addresses].concat();
    vec(select(pieces), 0..60).prop_map(|pieces| pieces.concat())
}

fn any_header() -> impl Strategy<Value = ForwardedHeader> {
    select(vec![XForwardedFor, Forwarded, XRealIp, CfConnectingIp])
}

proptest! {
    #[test]
    fn parsing_any_text_returns_a_canonical_address_or_nothing(
        bytes in vec(any::<u8>(), 0..100),
        text in header_like(),
    ) {
        for text in [String::from_utf8_lossy(&bytes).as_ref(), text.as_str()] {
            if let Some(address) = parse_address(text) {
                prop_assert_eq!(address, address.to_canonical());
                prop_assert_eq!(parse_address(&address.to_string()), Some(address));
            }
        }
    }

    #[test]
    fn the_client_of_an_untrusted_peer_never_depends_on_header_lines(
        header in any_header(),
        peer in any::<IpAddr>(),
        bytes in vec(any::<u8>(), 0..100),
        lines in vec(header_like(), 0..4),
    ) {
        let rules = behind_proxies(header);
        prop_assume!(!rules.trusts(Some(peer)));
        let lines = lines.iter().map(String::as_bytes).chain([bytes.as_slice()]);
        prop_assert_eq!(rules.resolve(Some(peer), lines), Some(peer.to_canonical()));
    }

    #[test]
    fn whatever_stands_left_of_a_proxys_entry_changes_nothing(
        forged in header_like(),
        lines in vec(header_like(), 0..40),
    ) {
        for (header, appended) in [(XForwardedFor, CLIENT), (Forwarded, "for=203.0.113.9")] {
            let joined = format!("{forged},{appended}");
            let lines = lines.iter().chain([&joined]).map(String::as_bytes);
            let client = behind_proxies(header).resolve(Some(PROXY), lines);
            prop_assert_eq!(client, parse_address(CLIENT));
        }
    }

    #[test]
    fn a_trusted_peer_with_any_header_has_a_client(
        header in any_header(),
        bytes in vec(any::<u8>(), 0..700),
        lines in vec(header_like(), 0..40),
    ) {
        let lines = lines.iter().map(String::as_bytes).chain([bytes.as_slice()]);
        prop_assert!(behind_proxies(header).resolve(Some(PROXY), lines).is_some());
    }
}
