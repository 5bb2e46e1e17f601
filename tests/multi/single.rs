//! One store behind a limiter is watched as well: a dead one is not waited for.

use std::time::Duration;

use actix_smart_ratelimit::{
    Decision, Limit,
    OnError::{Allow, Deny},
    Outcome, RateLimiter, RateLimiterBuilder,
    backend::multi::{BreakerSettings, MemberState},
};
use tokio::time::Instant;

use super::{
    DOWN, exact, pair, pass,
    support::{
        backends::{Mood, Remote},
        rate,
    },
};

fn builder(store: &std::sync::Arc<Remote>) -> RateLimiterBuilder {
    RateLimiter::builder().backend("store", store.clone()).breaker(exact())
}

fn limit() -> Limit {
    Limit::new("api", rate("3/h"))
}

async fn admitted(limiter: &RateLimiter, key: &str, times: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        admitted += usize::from(limiter.check(&limit(), key).await.unwrap().is_allowed());
    }
    admitted
}

#[actix_web::test]
async fn a_silent_store_costs_five_requests_their_deadline_and_the_others_nothing() {
    tokio::time::pause();
    let store = Remote::new(Mood::Silent);
    let limiter = builder(&store).on_error(Deny).build().unwrap();
    for request in 0..1_000 {
        let begun = Instant::now();
        assert_eq!(limiter.check(&limit(), "k").await, Ok(Outcome::Unavailable));
        let waited = begun.elapsed() > Duration::from_millis(50);
        assert_eq!(waited, request < 5, "{request}");
    }
    assert_eq!(store.asked(), 5);
    let (name, status) = limiter.status().next().unwrap();
    assert_eq!((name, status[0].state), ("store", MemberState::Open));
}

#[actix_web::test]
async fn it_decides_again_soon_after_it_can_and_memory_steps_aside() {
    tokio::time::pause();
    let store = Remote::new(Mood::Answers);
    let limiter = builder(&store).build().unwrap();
    assert_eq!(admitted(&limiter, "k", 2).await, 2);
    store.set(DOWN);
    assert_eq!(admitted(&limiter, "k", 50).await, 3, "memory keeps the same limit");
    store.set(Mood::Answers);
    pass(501).await;
    assert_eq!(admitted(&limiter, "k", 50).await, 1, "what the store has counted counts");
    assert_eq!(store.most_probing(), 1);
}

#[actix_web::test]
async fn limits_choose_for_themselves_also_while_the_store_is_not_asked() {
    let store = Remote::new(DOWN);
    let limiter = builder(&store).on_error(Deny).build().unwrap();
    for _ in 0..20 {
        let open = limiter.check(&limit().on_error(Allow), "k").await;
        assert_eq!(open, Ok(Outcome::Unlimited));
        assert_eq!(limiter.check(&limit(), "k").await, Ok(Outcome::Unavailable));
    }
    assert_eq!(store.asked(), 5);
}

#[actix_web::test]
async fn without_a_breaker_every_request_asks() {
    let store = Remote::new(DOWN);
    let never = BreakerSettings::default().failure_threshold(0);
    let limiter = builder(&store).breaker(never).build().unwrap();
    admitted(&limiter, "k", 100).await;
    assert_eq!(store.asked(), 100);
}

#[actix_web::test]
async fn a_backend_with_members_has_no_second_breaker_in_front_of_it() {
    tokio::time::pause();
    let (first, second) = (Remote::new(DOWN), Remote::new(DOWN));
    let multi = pair(&first, &second).build().unwrap();
    let minute = Duration::from_secs(60);
    let own = exact().failure_threshold(1).open_time(minute).max_open_time(minute);
    let limiter = RateLimiter::builder().backend("main", multi).breaker(own).build().unwrap();
    admitted(&limiter, "k", 100).await;
    let (_, status) = limiter.status().next().unwrap();
    let names: Vec<_> = status.iter().map(|member| (&*member.name, member.state)).collect();
    assert_eq!(names, [("first", MemberState::Open), ("second", MemberState::Open)]);
    second.set(Mood::Answers);
    pass(701).await;
    assert_eq!(admitted(&limiter, "new", 9).await, 3);
    assert_eq!((first.asked(), second.asked()), (5, 14));
}

#[actix_web::test]
async fn members_are_given_time_within_the_limiter_s_deadline() {
    tokio::time::pause();
    let (first, second) = (Remote::new(Mood::Silent), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).deadline(Duration::from_secs(9)).build().unwrap();
    let builder = RateLimiter::builder().backend("main", multi).on_error(Deny);
    let limiter = builder.deadline(Duration::from_millis(20)).build().unwrap();
    let begun = Instant::now();
    assert!(limiter.check(&limit(), "k").await.unwrap().is_allowed(), "the second decides");
    assert!(begun.elapsed() <= Duration::from_millis(11), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn local_limits_can_be_divided_among_instances_and_never_become_none() {
    let store = Remote::new(DOWN);
    for (rates, instances, local) in
        [("10/h", 4, 3), ("10/h", 1, 10), ("3/h", 100, 1), ("0/h", 4, 0)]
    {
        for algorithm in actix_smart_ratelimit::Algorithm::NAMES.map(|(_, algorithm)| algorithm) {
            let limiter = builder(&store).local_share(instances).build().unwrap();
            let limit = Limit::new("api", rate(rates)).algorithm(algorithm);
            let mut admitted = 0;
            for _ in 0..20 {
                let outcome = limiter.check(&limit, "k").await.unwrap();
                admitted += u32::from(outcome.is_allowed());
            }
            assert_eq!(admitted, local, "{rates} {instances} {algorithm}");
        }
    }
    store.set(Mood::Answers);
    let limiter = builder(&store).local_share(4).build().unwrap();
    let outcome = limiter.check(&Limit::new("api", rate("10/h")), "whole").await.unwrap();
    assert_eq!(outcome.decision().map(Decision::limit), Some(10), "the store keeps the whole");
}

#[actix_web::test]
async fn memory_of_the_fallback_is_bounded() {
    let store = Remote::new(DOWN);
    let limiter = builder(&store).local_max_keys(100).build().unwrap();
    for client in 0..10_000 {
        admitted(&limiter, &format!("client{client}"), 1).await;
    }
    let kept = (0..10_000).rev().take(1_000);
    let mut counted = 0;
    for client in kept {
        let outcome = limiter.peek(&limit(), &format!("client{client}")).await.unwrap();
        counted += usize::from(outcome.decision().unwrap().remaining() < 3);
    }
    assert!(counted <= 100, "{counted}");
}
