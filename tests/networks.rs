//! Network lists: what they hold, and what is said about an entry that is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr};

use actix_smart_ratelimit::{Error, net::Networks};
use proptest::collection::vec;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn networks(items: &[&str]) -> Networks {
    Networks::parse("deny", items).unwrap()
}

fn refused(item: &str) -> Error {
    Networks::parse("deny", ["192.0.2.1", item]).unwrap_err()
}

fn distrusted(items: &[&str]) -> Error {
    Networks::parse_trusted("client_ip.trusted_proxies", items).unwrap_err()
}

#[test]
fn a_network_holds_its_first_and_last_address_and_not_their_neighbours() {
    let set = networks(&["10.0.0.0/8", "192.0.2.64/26", "2001:db8::/33", "198.51.100.7"]);
    let inside = [
        "10.0.0.0",
        "10.255.255.255",
        "192.0.2.64",
        "192.0.2.127",
        "198.51.100.7",
        "2001:db8::",
        "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
    ];
    let outside = [
        "9.255.255.255",
        "11.0.0.0",
        "192.0.2.63",
        "192.0.2.128",
        "198.51.100.6",
        "198.51.100.8",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8:8000::",
    ];
    for address in inside {
        assert!(set.contains(ip(address)), "{address}");
    }
    for address in outside {
        assert!(!set.contains(ip(address)), "{address}");
    }
}

#[test]
fn mapped_addresses_match_on_both_sides() {
    for (entry, address) in [
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("1.2.3.4", "::ffff:1.2.3.4"),
        ("1.2.3.0/24", "::ffff:102:304"),
        ("::ffff:1.2.3.0/120", "1.2.3.4"),
    ] {
        assert!(networks(&[entry]).contains(ip(address)), "{entry} holds {address}");
    }
    assert!(!networks(&["1.2.3.4"]).contains(ip("::1.2.3.4")));
    assert!(!networks(&["1.2.3.4"]).contains(ip("64:ff9b::1.2.3.4")));
}

#[test]
fn the_empty_list_is_the_default_and_holds_nothing() {
    let set = networks(&[]);
    assert_eq!(set, Networks::default());
    assert!(set.is_empty() && !networks(&["::1"]).is_empty());
    assert!(!set.contains(ip("0.0.0.0")) && !set.contains(ip("::")));
}

#[test]
fn internal_addresses_are_loopback_and_private_ones() {
    let internal = Networks::loopback_and_private();
    let inside = [
        "10.1.2.3",
        "192.168.5.5",
        "127.0.0.1",
        "::1",
        "172.31.255.255",
        "169.254.169.254",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ];
    for address in inside {
        assert!(internal.contains(ip(address)), "{address}");
    }
    for address in ["11.0.0.1", "172.32.0.0", "8.8.8.8", "::2", "fec0::1", "2001:db8::1"] {
        assert!(!internal.contains(ip(address)), "{address}");
    }
}

#[test]
fn a_refused_entry_is_answered_with_field_value_reason_and_remedy() {
    let cases = [
        ("10.0.0.0/33", "the prefix length is above 32", "write a prefix length in 0..=32"),
        ("::/129", "the prefix length is above 128", "write a prefix length in 0..=128"),
        ("10.0.0.1/8", "host bits are set", "write `10.0.0.0/8`"),
        ("2001:db8::1/32", "host bits are set", "write `2001:db8::/32`"),
        ("10.0.0.0/-1", "not a plain number", "0..=32"),
        ("10.0.0.0/", "not a plain number", "0..=32"),
        ("10.0.0.0/255.0.0.0", "not a plain number", "0..=32"),
        ("10.0.0.0-10.0.0.9", "is a range", "`10.0.0.0/29`"),
        ("10.0.0.0-9", "is a range", "`10.0.0.0/29`"),
        ("*", "is not a network", "`0.0.0.0/0` and `::/0`"),
        ("", "is empty", "remove the entry"),
        (" \t", "is empty", "remove the entry"),
        (" 10.0.0.0/8", "has white space around it", "write `10.0.0.0/8`"),
        ("proxy.example.com", "host names are not looked up", "write addresses only"),
        ("my-proxy", "host names are not looked up", "write addresses only"),
        ("localhost", "host names are not looked up", "write addresses only"),
        ("010.0.0.0/8", "is not an IP address", "write addresses only"),
        ("10/8", "is not an IP address", "write addresses only"),
        ("167772161", "is not an IP address", "write addresses only"),
        ("/8", "is not an IP address", "write addresses only"),
        ("10.0.0.1:80", "has a port", "write `10.0.0.1`"),
        ("[2001:db8::1]", "brackets", "write `2001:db8::1`"),
        ("fe80::1%eth0", "zone", "write `fe80::1`"),
    ];
    for (item, reason, remedy) in cases {
        let error = refused(item);
        assert_eq!(error.field(), "deny");
        assert_eq!(error.value(), item.escape_debug().to_string());
        assert!(error.reason().contains(reason), "{item:?}: {error}");
        assert!(error.remedy().contains(remedy), "{item:?}: {error}");
    }
}

#[test]
fn a_trusted_list_refuses_what_any_list_refuses() {
    for item in ["10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/-1", "10.0.0.0-10.0.0.9", ""] {
        let error = distrusted(&[item]);
        assert_eq!((error.field(), error.value()), ("client_ip.trusted_proxies", item));
    }
    assert_eq!(distrusted(&["10.0.0.1/8"]).remedy(), "write `10.0.0.0/8`");
}

#[test]
fn trusting_everyone_must_be_said_by_name() {
    let lists: [&[&str]; 7] = [
        &["*"],
        &["0.0.0.0/0"],
        &["::/0"],
        &["::ffff:0:0/96"],
        &["10.0.0.0/8", "0.0.0.0/0"],
        &["0.0.0.0/1", "128.0.0.0/1"],
        &["8000::/1", "::/1"],
    ];
    for items in lists {
        let error = distrusted(items);
        let names_the_risk = "let every client choose its own address";
        assert!(error.reason().contains(names_the_risk), "{items:?}: {error}");
        assert!(error.remedy().contains("`trust_all = true`"), "{items:?}: {error}");
    }
    for entry in ["*", "0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
        assert_eq!(distrusted(&["10.0.0.0/8", entry]).value(), entry);
    }
    let all = Networks::trust_all();
    assert!(all.contains(ip("203.0.113.9")) && all.contains(ip("2001:db8::1")));
    assert_eq!(all, networks(&["0.0.0.0/0", "::/0"]));
}

#[test]
fn one_family_as_a_whole_does_not_hold_the_other() {
    assert!(!networks(&["::/0"]).contains(ip("::ffff:1.2.3.4")));
    assert!(!networks(&["0.0.0.0/0"]).contains(ip("2001:db8::1")));
}

#[test]
fn the_debug_form_shows_the_merged_addresses() {
    let set = networks(&["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "::1"]);
    assert_eq!(format!("{set:?}"), "{10.0.0.0..=10.255.255.255, ::1..=::1}");
}

proptest! {
    #[test]
    fn membership_agrees_with_comparing_prefixes_one_by_one(
        entries in vec((any::<u32>(), 0_u32..=32), 0..20),
        addresses in vec(any::<u32>(), 20),
    ) {
        let masked = entries.iter().map(|(bits, length)| {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            (bits & mask, mask, length)
        });
        let items = masked.clone().map(|(network, _, length)| {
            format!("{}/{length}", Ipv4Addr::from_bits(network))
        });
        let set = Networks::parse("deny", items).unwrap();
        let edges = masked.clone().flat_map(|(network, mask, _)| {
            [network, network.wrapping_sub(1), network | !mask, (network | !mask).wrapping_add(1)]
        });
        for address in edges.chain(addresses) {
            let expected = masked.clone().any(|(network, mask, _)| address & mask == network);
            prop_assert_eq!(set.contains(Ipv4Addr::from_bits(address).into()), expected);
        }
    }

    #[test]
    fn any_text_is_a_network_or_an_error_that_quotes_it(text in ".{0,80}") {
        if let Err(error) = Networks::parse("deny", [&text]) {
            let escaped: String = text.chars().flat_map(char::escape_debug).collect();
            prop_assert!(escaped.starts_with(error.value().trim_end_matches('…')));
            prop_assert!(!error.remedy().is_empty());
        }
    }
}
