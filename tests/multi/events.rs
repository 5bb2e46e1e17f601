//! What is told: every change once, however many requests meet it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_smart_ratelimit::{
    EventKind::{self, Closed, Failover, FallbackOff, FallbackOn, HalfOpen, Opened, StoreAway},
    Limit,
    OnError::Deny,
    RateLimiter,
    backend::multi::{BreakerSettings, ChangeKind},
};
use futures_util::future::join_all;

use super::{
    DOWN, exact, pair, pass,
    support::{
        backends::{Mood, Remote},
        events::Log,
        rate,
    },
};

/// Kind, backend and member of each event.
type Told = Arc<Mutex<Vec<(EventKind, String, String)>>>;

fn listening(builder: actix_smart_ratelimit::RateLimiterBuilder) -> (RateLimiter, Told) {
    let told = Told::default();
    let events = told.clone();
    let builder = builder.on_event(move |event| {
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        events.lock().unwrap().push((event.kind, text(event.backend), text(event.member)));
    });
    (builder.build().unwrap(), told)
}

fn changes(told: &Told) -> Vec<(EventKind, String, String)> {
    let all = std::mem::take(&mut *told.lock().unwrap());
    all.into_iter().filter(|(kind, ..)| *kind != StoreAway).collect()
}

fn named(expected: &[(EventKind, &str, &str)]) -> Vec<(EventKind, String, String)> {
    let owned = |(kind, backend, member): &(EventKind, &str, &str)| {
        (*kind, (*backend).to_owned(), (*member).to_owned())
    };
    expected.iter().map(owned).collect()
}

async fn crowd(limiter: &RateLimiter) {
    let limit = Limit::new("api", rate("1000000/h"));
    join_all((0..300).map(|_| limiter.check(&limit, "k"))).await;
}

#[actix_web::test]
async fn of_several_members_each_change_is_told_once() {
    tokio::time::pause();
    let (log, _guard) = Log::begin();
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let (limiter, told) = listening(RateLimiter::builder().backend("main", multi));
    crowd(&limiter).await;
    crowd(&limiter).await;
    let expected = [(Opened, "main", "first"), (Failover, "main", "second")];
    assert_eq!(changes(&told), named(&expected));

    second.set(DOWN);
    crowd(&limiter).await;
    let expected = [(Opened, "main", "second"), (FallbackOn, "main", "")];
    let mut told_now = changes(&told);
    told_now.sort_by_key(|(kind, ..)| *kind == FallbackOn);
    assert_eq!(told_now, named(&expected));

    first.set(Mood::Answers);
    pass(99).await;
    assert_eq!(changes(&told), []);
    pass(1_000).await;
    crowd(&limiter).await;
    let told_now = changes(&told);
    assert!(!told_now.iter().any(|(kind, _, member)| *kind == Opened && member == "first"));
    for (expected, times) in [((Closed, "main", "first"), 1), ((Failover, "main", "first"), 1)] {
        let [expected] = &named(&[expected])[..] else { unreachable!() };
        assert_eq!(told_now.iter().filter(|told| *told == expected).count(), times);
    }
    let warnings = log.at(tracing::Level::WARN);
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
}

#[actix_web::test]
async fn a_single_store_is_told_of_by_its_own_name() {
    tokio::time::pause();
    let (log, _guard) = Log::begin();
    let store = Remote::new(DOWN);
    let builder = RateLimiter::builder().backend("redis", store.clone()).breaker(exact());
    let (limiter, told) = listening(builder.on_error(Deny));
    crowd(&limiter).await;
    crowd(&limiter).await;
    let away = told.lock().unwrap().iter().filter(|(kind, ..)| *kind == StoreAway).count();
    assert_eq!(away, 600, "for those who count");
    let expected = [(FallbackOn, "redis", ""), (Opened, "redis", "")];
    let mut told_now = changes(&told);
    told_now.sort_by_key(|(kind, ..)| *kind == Opened);
    assert_eq!(told_now, named(&expected));
    pass(101).await;
    assert_eq!(changes(&told), named(&[(HalfOpen, "redis", ""), (Opened, "redis", "")]));
    store.set(Mood::Answers);
    pass(200).await;
    assert_eq!(changes(&told), named(&[(HalfOpen, "redis", ""), (Closed, "redis", "")]));
    // One line when the breaker opens, one when on_error begins to decide.
    assert_eq!(log.at(tracing::Level::WARN).len(), 2, "{}", log.text());
    assert_eq!(log.at(tracing::Level::INFO).len(), 1, "{}", log.text());
}

#[actix_web::test]
async fn a_store_that_fails_now_and_then_is_told_of_once() {
    let store = Remote::new(Mood::Answers);
    let (limiter, clock) = super::support::limiter_with(|builder| builder);
    drop(limiter);
    let builder = RateLimiter::builder().backend("redis", store.clone());
    let builder = builder.clock(actix_smart_ratelimit::Clock::Manual(clock.clone()));
    let (limiter, told) = listening(builder);
    let limit = Limit::new("api", rate("1000000/h"));
    for round in 0..100 {
        store.set(if round % 3 == 0 { DOWN } else { Mood::Answers });
        limiter.check(&limit, "k").await.unwrap();
        clock.advance(100_000);
    }
    assert_eq!(changes(&told), named(&[(FallbackOn, "redis", "")]));
    store.set(Mood::Answers);
    clock.advance_secs(1);
    limiter.check(&limit, "k").await.unwrap();
    limiter.check(&limit, "k").await.unwrap();
    assert_eq!(changes(&told), named(&[(FallbackOff, "redis", "")]));
}

#[actix_web::test]
async fn without_a_limiter_a_listener_hears_of_members() {
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let settings = BreakerSettings::default().open_time(Duration::from_secs(60));
    let multi = pair(&first, &second).breaker(settings).on_change(move |change| {
        heard.lock().unwrap().push((change.kind, change.member.to_owned(), change.error.is_some()));
    });
    let multi = multi.build().unwrap();
    for _ in 0..20 {
        super::support::asking::take(&multi, "k", &super::policy(100), 1).await;
    }
    let expected = [
        (ChangeKind::Opened, "first".to_owned(), true),
        (ChangeKind::Failover, "second".to_owned(), false),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}
