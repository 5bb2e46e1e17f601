//! Who is exempt, allowed or denied, and what a limit does that does not block.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{
    EventKind::{Denied, Observed, Refused, Shadowed},
    RateLimitInfo,
    net::{ClientIp, Networks},
};
use actix_web::{App, HttpMessage, HttpRequest, http::Method, test::init_service, web};
use support::{
    NOW, answering, backends::Recording, events::Events, from, get, limiter, limiter_with, rate,
    rule, send, statuses,
};

fn networks<const N: usize>(items: [&str; N]) -> Networks {
    Networks::parse("networks", items).unwrap()
}

#[actix_web::test]
async fn denied_networks_are_refused_at_once_and_touch_no_counter() {
    let (events, backend) = (Events::default(), Recording::new());
    let (limiter, _) = limiter_with(|builder| events.of(builder.backend("main", backend.clone())));
    let deny = networks(["203.0.113.0/24", "2001:db8::/32"]);
    let app = answering(limiter.middleware().deny(deny)).await;
    for address in ["203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1"] {
        let answer = send(&app, from(address, "/")).await;
        assert_eq!((answer.status, answer.retry_after()), (429, None), "{address}");
        assert_eq!(answer.body, "Rate limit exceeded. Please try again later.");
    }
    assert_eq!(events.kinds(), [Denied; 3]);
    assert_eq!(backend.take(), [""; 0]);
    assert_eq!(send(&app, from("203.0.112.7", "/")).await.status, 200);
}

#[actix_web::test]
async fn allowed_and_exempt_networks_are_not_limited_and_carry_no_fields() {
    let (limiter, _) = limiter();
    let limit = limiter
        .middleware()
        .default_rate(rate("0/m"))
        .allow(networks(["192.0.2.0/24"]))
        .exempt(networks(["198.51.100.1"]));
    let app = answering(limit).await;
    for address in ["192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209", "198.51.100.1"] {
        let answer = send(&app, from(address, "/")).await;
        assert_eq!((answer.status, answer.limit_fields()), (200, vec![]), "{address}");
    }
    assert_eq!(send(&app, from("198.51.100.2", "/")).await.status, 429);
}

#[actix_web::test]
async fn deny_beats_allow_and_exempt_beats_deny() {
    let (limiter, _) = limiter();
    let limit = limiter
        .middleware()
        .allow(networks(["192.0.2.0/24"]))
        .deny(networks(["192.0.2.128/25"]))
        .exempt(networks(["192.0.2.200"]));
    let app = answering(limit).await;
    for (address, expected) in [("192.0.2.1", 200), ("192.0.2.199", 429), ("192.0.2.200", 200)] {
        assert_eq!(send(&app, from(address, "/")).await.status, expected, "{address}");
    }
}

#[actix_web::test]
async fn lists_are_about_the_client_behind_a_trusted_proxy_and_nobody_else_s_word_counts() {
    let proxies = Networks::parse_trusted("trusted_proxies", ["10.0.0.0/8"]).unwrap();
    let (limiter, _) =
        limiter_with(|builder| builder.client_ip(ClientIp::default().trusted_proxies(proxies)));
    let limit = limiter
        .middleware()
        .default_rate(rate("0/m"))
        .allow(networks(["127.0.0.1", "192.0.2.7"]))
        .deny(networks(["203.0.113.7"]));
    let app = answering(limit).await;
    let claim =
        |peer: &str, client: &str| from(peer, "/").insert_header(("x-forwarded-for", client));
    assert_eq!(send(&app, claim("10.0.0.1", "192.0.2.7")).await.status, 200);
    for forged in ["127.0.0.1", "192.0.2.7", "::ffff:127.0.0.1"] {
        assert_eq!(send(&app, claim("203.0.113.7", forged)).await.status, 429, "{forged}");
        let through_proxy = claim("10.0.0.1", &format!("{forged}, 203.0.113.9"));
        assert_eq!(send(&app, through_proxy).await.status, 429, "{forged}");
    }
}

#[test]
fn a_malformed_network_is_an_error_before_any_request() {
    for (item, remedy) in [
        ("203.0.113.0/33", ""),
        ("10.0.0.1/8", "write `10.0.0.0/8`"),
        ("proxy.example", ""),
        ("", ""),
    ] {
        let error = Networks::parse("deny", [item]).unwrap_err();
        assert_eq!((error.field(), error.value()), ("deny", item));
        assert!(error.remedy().contains(remedy), "{error}");
    }
}

#[actix_web::test]
async fn shadow_lets_everything_pass_unseen_and_tells_what_would_have_happened() {
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| events.of(builder));
    let limit =
        limiter.middleware().default_rate(rate("1/m")).deny(networks(["203.0.113.7"])).shadow(true);
    let app = init_service(App::new().wrap(limit).default_service(web::to(
        |info: Option<RateLimitInfo>| async move { format!("{}", info.is_some()) },
    )))
    .await;
    for kinds in [&[][..], &[Shadowed], &[Shadowed]] {
        let answer = send(&app, get("/")).await;
        assert_eq!((answer.status, answer.limit_fields(), &*answer.body), (200, vec![], "false"));
        assert_eq!(events.kinds(), kinds);
    }
    assert_eq!(send(&app, from("203.0.113.7", "/")).await.status, 200);
    assert_eq!(events.kinds(), [Denied]);
}

#[actix_web::test]
async fn one_shadow_rule_leaves_the_others_in_force() {
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| events.of(builder));
    let tried = rule("tried", "0/m").path("/tried").with_limit(|limit| limit.shadow(true));
    let app = answering(limiter.middleware().default_rate(rate("0/m")).rule(tried)).await;
    assert_eq!(send(&app, get("/tried")).await.status, 200);
    assert_eq!(send(&app, get("/")).await.status, 429);
    assert_eq!(events.take(), [(Shadowed, "tried".into()), (Refused, "default".into())]);
}

#[actix_web::test]
async fn a_limit_that_does_not_block_tells_client_and_handler_the_truth() {
    let events = Events::default();
    let (limiter, clock) = limiter_with(|builder| events.of(builder));
    let open = rule("search", "2/m").with_limit(|limit| limit.block(false));
    let app =
        init_service(App::new().wrap(limiter.middleware().default_rule(open)).default_service(
            web::to(|info: RateLimitInfo| async move {
                let (limit, remaining) = (info.limit(), info.remaining());
                let wait = info.retry_after_secs().unwrap_or(0);
                format!("{} {} {remaining}/{limit} {wait}", info.scope(), info.is_allowed())
            }),
        ))
        .await;
    for body in ["search true 1/2 0", "search true 0/2 0", "search false 0/2 60"] {
        assert_eq!(send(&app, get("/")).await.body, body);
    }
    clock.advance_secs(20);
    let beyond = send(&app, get("/")).await;
    assert_eq!((beyond.status, &*beyond.body), (200, "search false 0/2 40"));
    assert_eq!((beyond.limit(), beyond.remaining()), (Some(2), Some(0)));
    assert_eq!((beyond.reset(), beyond.retry_after()), (Some(NOW + 60), None));
    assert_eq!(events.kinds(), [Observed; 2]);
}

#[actix_web::test]
async fn what_a_handler_may_ask_is_also_an_extension_of_the_request() {
    let (limiter, _) = limiter();
    let ask = |request: HttpRequest| async move {
        let extensions = request.extensions();
        extensions.get::<RateLimitInfo>().map(|info| info.remaining().to_string())
    };
    let app = init_service(
        App::new()
            .service(web::resource("/limited").wrap(limiter.middleware()).to(ask))
            .service(web::resource("/unlimited").to(ask))
            .service(
                web::resource("/must")
                    .to(|info: RateLimitInfo| async move { info.scope().len().to_string() }),
            ),
    )
    .await;
    assert_eq!(send(&app, get("/limited")).await.body, "99");
    assert_eq!(send(&app, get("/unlimited")).await.status, 404);
    assert_eq!(send(&app, get("/must")).await.status, 500);
}

#[actix_web::test]
async fn preflights_are_counted_unless_they_are_left_alone() {
    let (limiter, _) = limiter();
    let preflight = || {
        let request =
            get("/").method(Method::OPTIONS).insert_header(("origin", "https://a.example"));
        request.insert_header(("access-control-request-method", "POST"))
    };
    let counted = answering(limiter.middleware().default_rule(rule("counted", "1/m"))).await;
    assert_eq!(statuses(&counted, 2, preflight).await, [200, 429]);
    let alone = limiter.middleware().default_rule(rule("alone", "1/m")).skip_preflight(true);
    let alone = answering(alone).await;
    assert_eq!(statuses(&alone, 3, preflight).await, [200; 3]);
    assert_eq!(statuses(&alone, 2, || get("/").method(Method::OPTIONS)).await, [200, 429]);
}
