//! What the log says of decisions: enough to look into them, not so much that it is a load, and no key
//! unless it is asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use actix_smart_ratelimit::{LogKeys, RateLimiterBuilder};
use sha2::{Digest, Sha256};
use support::{
    CLIENT, answering,
    events::{Events, Log},
    get, limiter_with, rule, statuses,
};
use tracing::Level;

/// What is logged when a client is refused `refusals` times at one moment.
async fn logged(
    refusals: usize,
    change: impl FnOnce(RateLimiterBuilder) -> RateLimiterBuilder,
) -> Vec<String> {
    let (log, _guard) = Log::begin();
    let (limiter, _) = limiter_with(change);
    let app = answering(limiter.middleware().default_rule(rule("login", "1/h"))).await;
    assert_eq!(statuses(&app, 1, || get("/")).await, [200]);
    assert_eq!(statuses(&app, refusals, || get("/")).await, vec![429; refusals]);
    log.at(Level::INFO)
}

#[actix_web::test]
async fn of_many_refusals_one_a_second_is_logged() {
    let (log, _guard) = Log::begin();
    let (limiter, clock) = limiter_with(|builder| builder);
    let app = answering(limiter.middleware().default_rule(rule("login", "1/h"))).await;
    statuses(&app, 101, || get("/")).await;
    assert_eq!(log.at(Level::INFO).len(), 1, "{}", log.text());
    clock.advance_secs(1);
    statuses(&app, 100, || get("/")).await;
    let lines = log.at(Level::INFO);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("left_out=0") && lines[0].contains("scope=\"login\""), "{lines:?}");
    assert!(lines[1].contains("left_out=99") && lines[1].contains("retry_after=3599"), "{lines:?}");
}

#[actix_web::test]
async fn all_of_them_are_logged_if_that_is_wanted() {
    let lines = logged(10, |builder| builder.log_every(Duration::ZERO)).await;
    assert_eq!(lines.len(), 10, "{lines:?}");
}

#[actix_web::test]
async fn keys_are_hashed_unless_told_otherwise() {
    let key = format!("ratelimit:login:ip:{CLIENT}");
    let hash: String = Sha256::digest(&key)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let line = logged(1, |builder| builder).await.concat();
    assert!(line.contains(&hash) && !line.contains(CLIENT), "{line}");
    let line = logged(1, |builder| builder.log_keys(LogKeys::Omitted)).await.concat();
    assert!(!line.contains(&hash) && !line.contains(CLIENT) && !line.contains("key="), "{line}");
    let line = logged(1, |builder| builder.log_keys(LogKeys::Plain)).await.concat();
    assert!(line.contains(&key), "{line}");
}

#[actix_web::test]
async fn checks_by_code_are_told_like_requests_and_looking_is_not() {
    // A thread without a subscriber could silence the lines of others for good.
    let (_log, _guard) = Log::begin();
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| events.of(builder));
    let limit = actix_smart_ratelimit::Limit::new("mails", support::rate("1/h"));
    for _ in 0..3 {
        limiter.check(&limit, "user:7").await.unwrap();
        limiter.peek(&limit, "user:7").await.unwrap();
    }
    let told = events.take();
    let refused = (actix_smart_ratelimit::EventKind::Refused, "mails".to_owned());
    assert_eq!(told, [refused.clone(), refused]);
}
