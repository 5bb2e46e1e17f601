//! Whose address counts, through HTTP: forged headers, proxies, spellings, and clients without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{
    EventKind, Key,
    MissingAddress::{self, Allow, Refuse, Shared},
    RateLimiterBuilder,
    net::{
        ClientIp,
        ForwardedHeader::{self, CfConnectingIp, Forwarded, XForwardedFor, XRealIp},
        Networks,
    },
};
use actix_web::test::TestRequest;
use support::{
    answering,
    counted::{answer, counted, counted_by},
    events::Events,
    from, get, limiter, limiter_with, rate, send, statuses,
};

const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "198.51.100.77";

/// Trusts 10/8 to write this header.
fn behind(header: ForwardedHeader) -> impl Fn(RateLimiterBuilder) -> RateLimiterBuilder + Copy {
    move |builder| {
        let proxies = Networks::parse_trusted("trusted_proxies", ["10.0.0.0/8"]).unwrap();
        builder.client_ip(ClientIp::default().trusted_proxies(proxies).header(header))
    }
}

/// A claim in every header that could make one.
fn claiming(peer: &str, address: &str) -> TestRequest {
    ["true-client-ip", "fly-client-ip", "x-client-ip", "x-original-forwarded-for"]
        .into_iter()
        .chain([XForwardedFor, XRealIp, CfConnectingIp].map(ForwardedHeader::name))
        .fold(from(peer, "/"), |request, name| request.insert_header((name, address)))
        .insert_header(("forwarded", format!("for=\"[{address}]\"")))
}

#[actix_web::test]
async fn forged_headers_make_no_fresh_counters() {
    for header in [None, Some(XForwardedFor), Some(Forwarded), Some(XRealIp), Some(CfConnectingIp)]
    {
        let change = |builder| match header {
            Some(header) => behind(header)(builder),
            None => builder,
        };
        let (limiter, _) = limiter_with(change);
        let app = answering(limiter.middleware().default_rate(rate("5/h"))).await;
        let mut admitted = 0;
        for n in 0..1_000 {
            let forged = claiming(STRANGER, &format!("2001:db8:{n:x}::1"));
            admitted += usize::from(send(&app, forged).await.status == 200);
        }
        assert_eq!(admitted, 5, "{header:?}");
    }
}

#[actix_web::test]
async fn entries_that_a_client_puts_before_its_proxy_s_make_no_fresh_counters() {
    let (limiter, _) = limiter_with(behind(XForwardedFor));
    let app = answering(limiter.middleware().default_rate(rate("5/h"))).await;
    let mut admitted = 0;
    for n in 0..1_000 {
        let forged = format!("10.9.8.{}, 2001:db8:{n:x}::1", n % 256);
        let request = from(PROXY, "/").append_header(("x-forwarded-for", forged));
        let request = request.append_header(("x-forwarded-for", format!("{STRANGER}, 10.0.0.2")));
        admitted += usize::from(send(&app, request).await.status == 200);
    }
    assert_eq!(admitted, 5);
}

#[actix_web::test]
async fn a_trusted_proxy_names_the_client_in_the_one_header_that_was_chosen() {
    for (header, lines, expected) in [
        (XForwardedFor, &["203.0.113.5, 10.0.0.2"][..], "203.0.113.5"),
        (XForwardedFor, &["1.2.3.4, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (XForwardedFor, &["1.2.3.4", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        (XForwardedFor, &["203.0.113.9, unknown"], PROXY),
        (Forwarded, &["for=1.2.3.4, for=\"[2001:db8::9]:4711\";proto=https"], "2001:db8::/64"),
        (XRealIp, &["203.0.113.5"], "203.0.113.5"),
        (XRealIp, &["203.0.113.5", "203.0.113.6"], PROXY),
        (CfConnectingIp, &["203.0.113.5"], "203.0.113.5"),
        (CfConnectingIp, &["203.0.113.5", "203.0.113.5"], PROXY),
    ] {
        let request = lines
            .iter()
            .fold(from(PROXY, "/"), |request, line| request.append_header((header.name(), *line)));
        let others = [XForwardedFor, Forwarded, XRealIp, CfConnectingIp];
        let request = others
            .into_iter()
            .filter(|other| *other != header)
            .fold(request, |request, other| request.insert_header((other.name(), "6.6.6.6")));
        let key = counted_by(behind(header), Key::ip(), request).await;
        assert_eq!(key, format!("ip:{expected}"), "{header} {lines:?}");
    }
}

#[actix_web::test]
async fn twelve_spellings_of_an_address_are_one_client() {
    for (spellings, expected) in [
        (
            &[
                "2001:db8::1",
                "2001:DB8::1",
                "2001:0db8:0:0:0:0:0:1",
                "2001:db8:0::1",
                "[2001:db8::1]",
                "[2001:DB8::1]:443",
                "\"[2001:db8::1]:443\"",
                "2001:db8::0.0.0.1",
                "2001:db8::1%eth0",
                "  2001:db8::1  ",
                "2001:0DB8::0001",
                "2001:db8:0:0::1",
            ][..],
            "ip:2001:db8::/64",
        ),
        (
            &[
                "203.0.113.7",
                "::ffff:203.0.113.7",
                "::ffff:cb00:7107",
                "203.0.113.7:80",
                "[::FFFF:203.0.113.7]:80",
            ],
            "ip:203.0.113.7",
        ),
    ] {
        for spelling in spellings {
            let request = from(PROXY, "/").insert_header(("x-forwarded-for", *spelling));
            assert_eq!(
                counted_by(behind(XForwardedFor), Key::ip(), request).await,
                expected,
                "{spelling}"
            );
        }
    }
}

#[actix_web::test]
async fn a_subscriber_s_network_is_one_client_and_ipv4_clients_of_a_dual_stack_socket_are_not() {
    let (limiter, _) = limiter();
    let app = answering(limiter.middleware().default_rate(rate("3/h"))).await;
    let mut admitted = 0;
    for n in 0..10_000 {
        let request = from(&format!("2001:db8:0:1:{n:x}::{n:x}"), "/");
        admitted += usize::from(send(&app, request).await.status == 200);
    }
    assert_eq!(admitted, 3);
    assert_eq!(statuses(&app, 4, || from("2001:db8:0:2::1", "/")).await, [200, 200, 200, 429]);
    for address in ["::ffff:192.0.2.1", "::ffff:192.0.2.2", "64:ff9b::c000:203"] {
        assert_eq!(
            statuses(&app, 4, || from(address, "/")).await,
            [200, 200, 200, 429],
            "{address}"
        );
    }
    assert_eq!(send(&app, from("192.0.2.1", "/")).await.status, 429);
}

#[actix_web::test]
async fn a_country_counts_only_when_a_trusted_proxy_names_it() {
    let naming = |peer: &str| {
        let request = from(peer, "/").insert_header(("cf-ipcountry", "DE"));
        request.insert_header(("x-forwarded-for", "203.0.113.5"))
    };
    let geo = |request| counted_by(behind(XForwardedFor), Key::geo(), request);
    assert_eq!(geo(naming(PROXY)).await, "geo:DE+ip:203.0.113.5");
    assert_eq!(geo(naming(PROXY).insert_header(("x-test-user", "7"))).await, "geo:DE+user:7");
    assert_eq!(geo(naming(STRANGER)).await, format!("geo:unknown+ip:{STRANGER}"));
    assert_eq!(geo(from(PROXY, "/")).await, format!("geo:unknown+ip:{PROXY}"));
    assert_eq!(counted(Key::geo(), naming(PROXY)).await, format!("geo:unknown+ip:{PROXY}"));
}

/// A request from nowhere, as over a Unix socket.
fn nowhere() -> TestRequest {
    TestRequest::with_uri("/")
}

#[actix_web::test]
async fn clients_without_an_address_share_a_counter_pass_or_are_refused_as_was_chosen() {
    for (missing, expected) in [(Shared, [200, 429]), (Allow, [200, 200]), (Refuse, [429, 429])] {
        let events = Events::default();
        let (limiter, _) = limiter_with(|builder| events.of(builder.missing_address(missing)));
        let app = answering(limiter.middleware().default_rate(rate("1/h"))).await;
        assert_eq!(statuses(&app, 2, nowhere).await, expected, "{missing:?}");
        let told: Vec<_> =
            events.kinds().into_iter().filter(|kind| *kind == EventKind::NoAddress).collect();
        assert_eq!(told, [EventKind::NoAddress], "{missing:?}");
        assert_eq!(send(&app, get("/")).await.status, 200, "{missing:?}");
    }
    assert_eq!(MissingAddress::default(), Shared);
    assert_eq!(counted(Key::ip(), nowhere()).await, "ip:unknown");
}

#[actix_web::test]
async fn only_keys_that_need_an_address_ask_for_one() {
    let (limiter, _) = limiter_with(|builder| builder.missing_address(Refuse));
    let named = || nowhere().insert_header(("x-tenant-id", "a")).insert_header(("x-plan", "pro"));
    for (key, request, expected) in [
        (Key::header("x-plan"), named(), 200),
        (Key::header("x-plan"), nowhere(), 429),
        (Key::header("x-plan").and(Key::ip()), named(), 429),
        (Key::global(), nowhere(), 200),
        (Key::user(), nowhere(), 429),
        (Key::user(), nowhere().insert_header(("x-test-user", "7")), 200),
        (Key::tenant(), named(), 429),
        (Key::tenant(), named().insert_header(("x-test-user", "7")), 200),
        (Key::tenant(), nowhere().insert_header(("x-test-user", "7;a")), 200),
        (Key::geo(), nowhere(), 429),
        (Key::geo(), nowhere().insert_header(("x-test-user", "7")), 200),
    ] {
        let text = format!("{key:?}");
        assert_eq!(answer(&limiter, key, request).await, expected, "{text}");
    }
}

#[actix_web::test]
async fn a_proxy_behind_a_unix_socket_can_be_trusted() {
    let request = || nowhere().insert_header(("x-forwarded-for", "203.0.113.5"));
    let trusting =
        |builder: RateLimiterBuilder| builder.client_ip(ClientIp::default().trust_unix_peer(true));
    assert_eq!(counted_by(trusting, Key::ip(), request()).await, "ip:203.0.113.5");
    assert_eq!(counted(Key::ip(), request()).await, "ip:unknown");
}
