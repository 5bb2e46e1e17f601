//! The client's address under honest proxies and under forgery.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use actix_smart_ratelimit::net::ForwardedHeader::{
    CfConnectingIp, Forwarded, XForwardedFor, XRealIp,
};
use actix_smart_ratelimit::net::{ClientIp, ForwardedHeader, IpGroup, Networks, parse_address};

const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "198.51.100.77";
const CLIENT: &str = "203.0.113.9";
const HEADERS: [ForwardedHeader; 4] = [XForwardedFor, Forwarded, XRealIp, CfConnectingIp];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn behind_proxies(header: ForwardedHeader) -> ClientIp {
    let trusted = Networks::parse_trusted("trusted_proxies", ["10.0.0.0/8", "fd00::/8"]).unwrap();
    ClientIp::default().trusted_proxies(trusted).header(header)
}

fn resolve(rules: &ClientIp, peer: &str, lines: &[&str]) -> IpAddr {
    let lines = lines.iter().map(|line| line.as_bytes());
    rules.resolve(Some(ip(peer)), lines).unwrap()
}

/// The client by `X-Forwarded-For` or `Forwarded` lines that the trusted proxy sent.
fn from_proxy(header: ForwardedHeader, lines: &[&str]) -> String {
    resolve(&behind_proxies(header), PROXY, lines).to_string()
}

/// What an attacker might send in any header: claims in many dresses, whole and broken.
fn forgeries() -> Vec<String> {
    let claims = [
        "127.0.0.1",
        "::1",
        "10.0.0.9",
        "203.0.113.200",
        "::ffff:1.2.3.4",
        "2001:db8::1",
        "unknown",
        "_hidden",
        "010.0.0.1",
        "0x7f.1",
    ];
    let dresses = [
        "@",
        "@, @",
        "\"@\"",
        "[@]",
        "@:80",
        "for=@",
        "for=\"[@]\"",
        "for=\"@",
        "for=@;for=@",
        "for=\"\\",
        ",,@,,",
        "@, unknown",
        "@\",\"",
    ];
    let dress = |claim: &str| dresses.map(|dress| dress.replace('@', claim));
    claims.iter().flat_map(|claim| dress(claim)).collect()
}

#[test]
fn forged_headers_from_an_untrusted_peer_make_no_fresh_identity() {
    let forgeries = forgeries();
    assert!(forgeries.len() >= 100);
    let mut groups: HashSet<IpGroup> = HashSet::new();
    for header in HEADERS {
        let rules = behind_proxies(header);
        for forgery in &forgeries {
            groups.insert(rules.group(resolve(&rules, STRANGER, &[forgery])));
            groups.insert(rules.group(resolve(&rules, STRANGER, &[forgery, forgery])));
        }
    }
    assert_eq!(groups, HashSet::from([ClientIp::default().group(ip(STRANGER))]));
}

#[test]
fn forged_entries_before_those_of_a_proxy_make_no_fresh_identity() {
    for forgery in forgeries() {
        for (header, appended) in [(XForwardedFor, CLIENT), (Forwarded, "for=203.0.113.9")] {
            let joined = format!("{forgery}, {appended}");
            assert_eq!(from_proxy(header, &[&joined]), CLIENT, "{header}: {joined}");
            assert_eq!(from_proxy(header, &[&forgery, appended]), CLIENT, "{header}: {forgery}");
        }
        for header in [XRealIp, CfConnectingIp] {
            assert_eq!(from_proxy(header, &[&forgery, CLIENT]), PROXY, "{header}: {forgery}");
        }
    }
}

#[test]
fn header_lines_of_an_untrusted_peer_are_not_even_looked_at() {
    for rules in HEADERS.map(behind_proxies).into_iter().chain([ClientIp::default()]) {
        let untouchable = std::iter::from_fn(|| -> Option<&[u8]> { panic!("looked at") });
        assert_eq!(rules.resolve(Some(ip(STRANGER)), untouchable), Some(ip(STRANGER)));
    }
}

#[test]
fn the_right_most_untrusted_entry_is_the_client() {
    let cases = [
        ("203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6,203.0.113.9,fd00::2,10.0.0.2", "203.0.113.9"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
    ];
    for (line, client) in cases {
        assert_eq!(from_proxy(XForwardedFor, &[line]), client, "{line}");
    }
}

#[test]
fn without_trusted_proxies_or_without_the_header_the_peer_is_the_client() {
    assert_eq!(resolve(&ClientIp::default(), PROXY, &["203.0.113.5"]), ip(PROXY));
    assert_eq!(resolve(&behind_proxies(XForwardedFor), STRANGER, &["127.0.0.1"]), ip(STRANGER));
    for header in HEADERS {
        assert_eq!(resolve(&behind_proxies(header), PROXY, &[]), ip(PROXY), "{header}");
        assert_eq!(resolve(&behind_proxies(header), PROXY, &[""]), ip(PROXY), "{header}");
    }
}

#[test]
fn an_entry_that_names_nobody_ends_the_walk_at_the_hop_to_its_right() {
    let nameless = [
        "unknown",
        "_hidden",
        "010.0.0.1",
        "0x7f.1",
        "1.2.3",
        "2130706433",
        "1.2.3.4:",
        "1.2.3.4:99999",
        "[1.2.3.4]",
        "[2001:db8::1",
        "2001:db8::1]:80",
        "\"1.2.3.4",
        "1.2.3.4%eth0",
        "fe80::1%",
        "1.2.3.4 5.6.7.8",
        "proxy.example.com",
    ];
    for entry in nameless {
        assert_eq!(parse_address(entry), None, "{entry}");
        assert_eq!(from_proxy(XForwardedFor, &[&format!("6.6.6.6, {entry}")]), PROXY, "{entry}");
        let line = format!("6.6.6.6, {entry}, 10.0.0.3, 10.0.0.2");
        assert_eq!(from_proxy(XForwardedFor, &[&line]), "10.0.0.3", "{entry}");
    }
    let not_text: [&[u8]; 1] = [b"6.6.6.6, \xff\xfe"];
    let client = behind_proxies(XForwardedFor).resolve(Some(ip(PROXY)), not_text.into_iter());
    assert_eq!(client, Some(ip(PROXY)));
}

#[test]
fn decorated_addresses_are_read_without_their_decoration() {
    let cases = [
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("\"[::1]\"", "::1"),
        ("\"1.2.3.4:80\"", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:102:304", "1.2.3.4"),
        ("::1.2.3.4", "::102:304"),
        ("2001:db8::1.2.3.4", "2001:db8::102:304"),
    ];
    for (text, address) in cases {
        assert_eq!(parse_address(text), Some(ip(address)), "{text}");
        for header in [XForwardedFor, XRealIp, CfConnectingIp] {
            assert_eq!(from_proxy(header, &[&format!(" {text}\t")]), ip(address).to_string());
        }
    }
}

#[test]
fn empty_entries_are_skipped() {
    for line in [" , , 1.2.3.4,", "1.2.3.4,,,,", ",1.2.3.4 ,\t, 10.0.0.2"] {
        assert_eq!(from_proxy(XForwardedFor, &[line]), "1.2.3.4", "{line}");
    }
    assert_eq!(from_proxy(XForwardedFor, &["1.2.3.4", "", " ,", "10.0.0.2"]), "1.2.3.4");
}

#[test]
fn only_the_32_right_most_entries_are_inspected() {
    let hops = |count: u8| (0..count).map(|n| format!("10.0.1.{n}")).collect::<Vec<_>>();
    let within = format!("{CLIENT}, {}", hops(31).join(","));
    assert_eq!(from_proxy(XForwardedFor, &[&within]), CLIENT);
    let beyond = format!("{CLIENT}, {}", hops(32).join(","));
    assert_eq!(from_proxy(XForwardedFor, &[&beyond]), "10.0.1.0");

    let many = vec!["10.9.9.9"; 10_000].join(", ");
    let line = format!("{many}, {}", hops(32).join(","));
    assert_eq!(from_proxy(XForwardedFor, &[&line]), "10.0.1.0");
    let lines = hops(100);
    let lines: Vec<&str> = [CLIENT].into_iter().chain(lines.iter().map(String::as_str)).collect();
    assert_eq!(from_proxy(XForwardedFor, &lines), "10.0.1.68");
}

#[test]
fn many_lines_are_the_same_as_one_joined_line() {
    let entries = ["6.6.6.6", "7.7.7.7, 203.0.113.9", "10.0.0.4", "10.0.0.3, 10.0.0.2"];
    assert_eq!(from_proxy(XForwardedFor, &entries), CLIENT);
    assert_eq!(from_proxy(XForwardedFor, &[&entries.join(", ")]), CLIENT);
}

#[test]
fn a_forwarded_header_is_read_by_its_grammar() {
    let cases = [
        ("for=\"[2001:db8:cafe::17]:4711\";proto=https, for=unknown", PROXY),
        ("for=unknown, for=\"[2001:db8:cafe::17]:4711\";proto=https", "2001:db8:cafe::17"),
        ("for=1.2.3.4;for=5.6.7.8", PROXY),
        ("for=1.2.3.4;for=5.6.7.8, for=10.0.0.2", "10.0.0.2"),
        ("For=192.0.2.60; proto=http; by=203.0.113.43, FOR=10.0.0.2", "192.0.2.60"),
        ("for=6.6.6.6, for=192.0.2.43;host=\"a, for=7.7.7.7\"", "192.0.2.43"),
        ("for=6.6.6.6, by=203.0.113.43", PROXY),
        ("1.2.3.4", PROXY),
        ("for=_hidden", PROXY),
        ("for=\"192.0.2.1:_port\", ,", "192.0.2.1"),
    ];
    for (line, client) in cases {
        assert_eq!(from_proxy(Forwarded, &[line]), client, "{line}");
    }
}

#[test]
fn a_header_with_one_address_counts_only_when_it_stands_once() {
    for header in [XRealIp, CfConnectingIp] {
        assert_eq!(from_proxy(header, &[CLIENT]), CLIENT);
        assert_eq!(from_proxy(header, &["10.0.0.7"]), "10.0.0.7");
        let absent: [&[&str]; 5] =
            [&[CLIENT, CLIENT], &[CLIENT, ""], &["", CLIENT], &["1.2.3.4, 5.6.7.8"], &["unknown"]];
        for lines in absent {
            assert_eq!(from_proxy(header, lines), PROXY, "{header}: {lines:?}");
        }
    }
}

#[test]
fn a_peer_without_address_is_a_proxy_only_if_told_so() {
    let lines = || [b"6.6.6.6, 203.0.113.9" as &[u8]].into_iter();
    assert_eq!(behind_proxies(XForwardedFor).resolve(None, lines()), None);
    assert_eq!(ClientIp::default().resolve(None, lines()), None);

    let over_socket = ClientIp::default().trust_unix_peer(true);
    assert_eq!(over_socket.resolve(None, lines()), Some(ip(CLIENT)));
    assert_eq!(over_socket.resolve(None, std::iter::empty()), None);
    assert_eq!(over_socket.resolve(None, [b"1.2.3.4, unknown" as &[u8]].into_iter()), None);
    assert_eq!(over_socket.resolve(Some(ip(STRANGER)), lines()), Some(ip(STRANGER)));
    assert!(over_socket.trusts(None) && !over_socket.trusts(Some(ip(PROXY))));
}

#[test]
fn twelve_spellings_of_an_address_are_one_client() {
    let v6 = [
        "2001:db8::1",
        "2001:DB8::1",
        "2001:0db8::0001",
        "2001:db8:0:0:0:0:0:1",
        "2001:0DB8:0000:0000:0000:0000:0000:0001",
        "2001:db8:0::0:1",
        "2001:db8::0.0.0.1",
        "2001:db8::1%eth0",
        "[2001:db8::1]",
        "[2001:db8::1]:443",
        "\"2001:db8::1\"",
        "\"[2001:DB8::1]:443\"",
    ];
    let v4 = [
        "1.2.3.4",
        "1.2.3.4:80",
        "\"1.2.3.4\"",
        "\"1.2.3.4:80\"",
        "::ffff:1.2.3.4",
        "::FFFF:1.2.3.4",
        "::ffff:102:304",
        "::ffff:0102:0304",
        "0:0:0:0:0:ffff:1.2.3.4",
        "[::ffff:1.2.3.4]",
        "[::ffff:1.2.3.4]:80",
        "::ffff:1.2.3.4%eth0",
    ];
    let rules = behind_proxies(XForwardedFor).ipv6_prefix(128).unwrap();
    for (spellings, text) in [(v6, "2001:db8::1"), (v4, "1.2.3.4")] {
        let group = |line: &str| rules.group(resolve(&rules, PROXY, &[line])).to_string();
        assert_eq!(spellings.map(group), [text; 12]);
    }
    let embedded = rules.group(ip("2001:db8::1.2.3.4"));
    assert_ne!(embedded, rules.group(ip("1.2.3.4")));
}

#[test]
fn dual_stack_peers_are_told_apart_by_their_ipv4_address() {
    let rules = ClientIp::default();
    let first = resolve(&rules, "::ffff:127.0.0.1", &[]);
    let second = resolve(&rules, "::ffff:127.0.0.2", &[]);
    assert_eq!((first, second), (ip("127.0.0.1"), ip("127.0.0.2")));
    assert_ne!(rules.group(first), rules.group(second));
    assert_eq!(resolve(&behind_proxies(XForwardedFor), "::ffff:10.0.0.1", &[CLIENT]), ip(CLIENT));
}

#[test]
fn addresses_of_one_ipv6_network_are_one_client() {
    let groups = |rules: &ClientIp, address: &dyn Fn(u128) -> u128, count: u128| {
        let addresses = (0..count).map(|n| IpAddr::from(Ipv6Addr::from_bits(address(n))));
        addresses.map(|address| rules.group(address)).collect::<HashSet<_>>().len()
    };
    let base = u128::from_be_bytes([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let by_64 = ClientIp::default();
    let by_56 = ClientIp::default().ipv6_prefix(56).unwrap();
    assert_eq!(groups(&by_64, &|n| base | n << 40 | n, 10_000), 1);
    assert_eq!(groups(&by_64, &|n| base | n << 64, 256), 256);
    assert_eq!(groups(&by_56, &|n| base | n << 64, 256), 1);
    assert_eq!(groups(&by_56, &|n| base | n << 64, 257), 2);
}

#[test]
fn networks_that_embed_an_ipv4_address_are_grouped_as_ipv6() {
    let rules = ClientIp::default();
    for (address, group) in [
        ("64:ff9b::1.2.3.4", "64:ff9b::/64"),
        ("2002:102:304::1", "2002:102:304::/64"),
        ("2001:0:102:304::1", "2001:0:102:304::/64"),
        ("::1.2.3.4", "::/64"),
        ("fe80::1", "fe80::/64"),
    ] {
        assert_eq!(rules.group(ip(address)).to_string(), group, "{address}");
    }
}

#[test]
fn a_prefix_outside_its_range_is_refused_with_the_range() {
    for bits in [0, 15, 129, 255] {
        let error = ClientIp::default().ipv6_prefix(bits).unwrap_err();
        assert_eq!((error.field(), error.value()), ("ipv6_prefix", bits.to_string().as_str()));
        assert!(error.remedy().contains("16..=128"), "{error}");
    }
    for bits in [16, 64, 128] {
        assert!(ClientIp::default().ipv6_prefix(bits).is_ok(), "{bits}");
    }
}
