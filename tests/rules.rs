//! What a rule can say: rates, costs, conditions, priorities, tiers, presets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{Condition, Limit, Rate, RateLimitUser, Rule, Tiers, preset};
use actix_web::{
    App, Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    test::init_service,
    web,
};
use support::{answering, from, get, limiter, rate, rule, send, statuses};

#[actix_web::test]
async fn of_several_rates_the_one_closest_to_refusing_is_told_and_a_refusal_takes_from_none() {
    let (limiter, clock) = limiter();
    let rates = Limit::new("api", [rate("2/s"), rate("5/m")]);
    let app = answering(limiter.middleware().default_rule(Rule::new(rates))).await;
    let told = |answer: &support::Answer| (answer.policy().unwrap(), answer.remaining().unwrap());
    assert_eq!(told(&send(&app, get("/")).await), ("api".into(), 1));
    assert_eq!(told(&send(&app, get("/")).await), ("api".into(), 0));
    for _ in 0..10 {
        assert_eq!(send(&app, get("/")).await.status, 429);
    }
    clock.advance_secs(1);
    assert_eq!(send(&app, get("/")).await.status, 200);
    let last_but_one = send(&app, get("/")).await;
    assert_eq!((last_but_one.status, told(&last_but_one)), (200, ("api".into(), 0)));
    clock.advance_secs(1);
    assert_eq!(told(&send(&app, get("/")).await), ("api#5/m".into(), 0));
    let refused = send(&app, get("/")).await;
    assert_eq!((refused.status, told(&refused)), (429, ("api#5/m".into(), 0)));
    assert_eq!(refused.retry_after(), Some(58));
}

#[actix_web::test]
async fn a_request_takes_its_cost_and_a_cost_of_zero_only_looks() {
    let (limiter, _) = limiter();
    let cost = |text: &str| text.parse().unwrap_or(0);
    let by_query =
        Rule::new(Limit::new("search", rate("10/m")).cost(3)).cost_by(move |request| match request
            .query_string()
        {
            "panic" => panic!("no cost can be had"),
            query => cost(query),
        });
    let app = answering(limiter.middleware().default_rule(by_query)).await;
    for (query, status, remaining) in [
        ("4", 200, 6),
        ("0", 200, 6),
        ("7", 429, 6),
        ("panic", 200, 3),
        ("3", 200, 0),
        ("0", 200, 0),
        ("1", 429, 0),
    ] {
        let answer = send(&app, get(&format!("/?{query}"))).await;
        assert_eq!((answer.status, answer.remaining()), (status, Some(remaining)), "{query}");
    }
}

#[actix_web::test]
async fn rates_may_depend_on_the_request_and_a_panic_or_none_leaves_the_limit_s_own() {
    let (limiter, _) = limiter();
    let by_plan = rule("api", "5/m").rates_by(|request| match request.path() {
        "/pro" => vec![Rate::per_minute(50)],
        "/none" => vec![],
        _ => panic!("no such plan"),
    });
    let app = answering(limiter.middleware().default_rule(by_plan)).await;
    for (path, expected) in [("/pro", 50), ("/none", 5), ("/unheard-of", 5)] {
        assert_eq!(send(&app, get(path)).await.limit(), Some(expected), "{path}");
    }
}

#[actix_web::test]
async fn tiers_give_each_user_the_rates_of_its_own() {
    let (limiter, _) = limiter();
    let tiers = Tiers::of("tier", rate("2/m")).tier("pro", rate("5/m"));
    let api = rule("api", "9/m").rates_by(move |request| tiers.rates(request));
    let app = init_service(
        App::new()
            .wrap(limiter.middleware().default_rule(api))
            .wrap(from_fn(authenticate))
            .default_service(web::to(|| async { "ok" })),
    )
    .await;
    for (tier, expected) in [("pro", 5), ("free", 2), ("", 2)] {
        assert_eq!(
            send(&app, get("/").insert_header(("x-tier", tier))).await.limit(),
            Some(expected)
        );
    }
    assert_eq!(send(&app, get("/")).await.limit(), Some(2));
}

#[actix_web::test]
async fn api_rules_rank_staff_above_premium_above_users_above_strangers() {
    let (limiter, _) = limiter();
    let app = init_service(
        App::new()
            .wrap(limiter.middleware().no_default().rules(Tiers::api_rules()))
            .wrap(from_fn(authenticate))
            .default_service(web::to(|| async { "ok" })),
    )
    .await;
    for (tier, expected) in [("staff", 5_000), ("premium", 1_000), ("basic", 100)] {
        assert_eq!(
            send(&app, get("/").insert_header(("x-tier", tier))).await.limit(),
            Some(expected)
        );
    }
    assert_eq!(send(&app, get("/")).await.limit(), Some(50));
}

/// The user is made of the header `X-Tier`.
async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let tier =
        request.headers().get("x-tier").map(|tier| tier.to_str().unwrap_or_default().to_owned());
    if let Some(tier) = tier {
        let user = RateLimitUser::new("42").staff(tier == "staff");
        let user = user.attribute("subscription_tier", &*tier).attribute("tier", tier);
        request.extensions_mut().insert(user);
    }
    next.call(request).await
}

#[actix_web::test]
async fn the_highest_priority_wins_whose_condition_holds() {
    let (limiter, _) = limiter();
    let header = |name: &str| Condition::header("x-is", name);
    let broken = Condition::from_fn(|_| panic!("no answer can be had"));
    let limit = limiter
        .middleware()
        .default_rate(rate("1/m"))
        .rule(rule("low", "2/m").path("/deep/path").when(header("a")))
        .rule(rule("high", "3/m").priority(10).when(header("a")))
        .rule(rule("broken", "4/m").priority(100).when(broken))
        .rule(rule("both", "5/m").priority(20).when(header("a").and(header("b"))))
        .rule(rule("neither", "6/m").priority(5).unless(header("a").or(header("b"))).path("/deep"));
    let app = answering(limit).await;
    let with = |names: &[&str]| {
        names.iter().fold(get("/deep/path"), |request, name| request.append_header(("x-is", *name)))
    };
    for (names, expected) in
        [(&["a"][..], "high"), (&["a", "b"], "both"), (&[], "neither"), (&["b"], "default")]
    {
        assert_eq!(send(&app, with(names)).await.policy().as_deref(), Some(expected), "{names:?}");
    }
}

#[actix_web::test]
async fn conditions_tell_robots_phones_and_api_clients() {
    let (limiter, _) = limiter();
    let limit = limiter
        .middleware()
        .rule(rule("robot", "1/m").when(Condition::bot()).priority(3))
        .rule(rule("phone", "1/m").when(Condition::mobile()).priority(2))
        .rule(rule("api", "1/m").when(Condition::api_key()).priority(1))
        .rule(rule("inside", "1/m").when(Condition::internal()));
    let app = answering(limit).await;
    let agent = |agent: &str| get("/").insert_header(("user-agent", agent));
    let api = || get("/").insert_header(("x-api-key", "k"));
    for (request, expected) in [
        (agent("Mozilla/5.0 (compatible; Googlebot/2.1)"), "robot"),
        (agent("Mozilla/5.0 (Linux; ANDROID 14)"), "phone"),
        (agent("curl/8"), "default"),
        (api(), "api"),
        (from("10.1.2.3", "/"), "inside"),
        (from("192.168.5.5", "/"), "inside"),
        (from("::1", "/"), "inside"),
        (from("11.0.0.1", "/"), "default"),
        (from("11.0.0.1", "/").insert_header(("x-internal-request", "true")), "default"),
    ] {
        assert_eq!(send(&app, request).await.policy().as_deref(), Some(expected));
    }
}

#[actix_web::test]
async fn a_request_that_a_rule_skips_is_not_counted_and_a_panic_skips_nothing() {
    let (limiter, _) = limiter();
    let skipping = rule("api", "1/m").skip_if(|request| match request.path() {
        "/panic" => panic!("no answer can be had"),
        path => path == "/skip",
    });
    let app = answering(limiter.middleware().default_rule(skipping)).await;
    assert_eq!(statuses(&app, 5, || get("/skip")).await, [200; 5]);
    assert_eq!(send(&app, get("/skip")).await.limit_fields(), [""; 0]);
    assert_eq!(statuses(&app, 2, || get("/panic")).await, [200, 429]);
}

#[actix_web::test]
async fn a_preset_can_be_changed_without_changing_it_for_others() {
    let (limiter, _) = limiter();
    let changed = preset::authentication().path("/a").with_limit(|limit| limit.scope("changed"));
    let changed = changed.rates_by(|_| Rate::per_minute(9));
    let limit = limiter.middleware().rule(changed).rule(preset::authentication().path("/b"));
    let app = answering(limit).await;
    assert_eq!(send(&app, get("/a")).await.limit(), Some(9));
    assert_eq!(statuses(&app, 6, || get("/b")).await, [200, 200, 200, 200, 200, 429]);
}
