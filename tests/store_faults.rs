//! Stores that are slow, silent, failing or wrong: never an outage, never an open door.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_smart_ratelimit::{
    EventKind::{FallbackOn, Opened, Refused, StoreAway},
    Limit, MemoryBackend,
    OnError::{self, Allow, Deny, Local},
    Outcome, RateLimiter, Rule,
    backend::{ErrorKind, Fate},
};
use actix_web::{App, dev::Service, test::init_service, web};
use futures_util::{future::join_all, poll};
use support::{
    answering,
    backends::{Mood, Remote},
    events::Events,
    from, get, limiter_with, post, rate, rule, send, statuses,
};

/// Everything that can be wrong with a store.
fn faults() -> Vec<Mood> {
    use ErrorKind::{Protocol, Setup, Timeout, Unavailable, Unreachable, Unsupported};
    let kinds = [Unreachable, Timeout, Unavailable, Protocol, Setup, Unsupported];
    let failing = kinds
        .into_iter()
        .flat_map(|kind| [Fate::NotCharged, Fate::Unknown].map(|fate| Mood::Fails(kind, fate)));
    failing.chain([Mood::Silent, Mood::DecidesNothing, Mood::SaysDone]).collect()
}

/// Whether a fault is about the whole store, and not perhaps about one key or limit.
fn is_of_the_store(mood: Mood) -> bool {
    use ErrorKind::{Timeout, Unavailable, Unreachable};
    matches!(mood, Mood::Silent | Mood::Fails(Unreachable | Timeout | Unavailable, _))
}

/// A limiter whose only store is this one, with its events.
fn relying_on(remote: &Arc<Remote>, on_error: OnError) -> (RateLimiter, Events) {
    let events = Events::default();
    let (limiter, _) = limiter_with(|builder| {
        events.of(builder.backend("main", remote.clone()).on_error(on_error))
    });
    (limiter, events)
}

#[actix_web::test]
async fn a_store_that_answers_later_is_obeyed_exactly() {
    let remote = Remote::new(Mood::Answers);
    let (limiter, events) = relying_on(&remote, Local);
    let app = answering(limiter.middleware().default_rate(rate("3/h"))).await;
    for (status, remaining) in [(200, 2), (200, 1), (200, 0), (429, 0)] {
        let answer = send(&app, get("/")).await;
        assert_eq!((answer.status, answer.remaining()), (status, Some(remaining)));
    }
    assert_eq!((remote.asked(), remote.waiting()), (4, 0));
    assert_eq!(events.kinds(), [Refused]);
}

#[actix_web::test]
async fn while_the_store_cannot_decide_the_same_limits_are_kept_in_memory() {
    tokio::time::pause();
    for mood in faults() {
        let remote = Remote::new(mood);
        let (limiter, events) = relying_on(&remote, Local);
        let app = answering(limiter.middleware().default_rate(rate("3/h"))).await;
        for (status, remaining) in [(200, 2), (200, 1), (200, 0), (429, 0)] {
            let answer = send(&app, get("/")).await;
            assert_eq!((answer.status, answer.remaining()), (status, Some(remaining)), "{mood:?}");
        }
        assert_eq!(send(&app, from("192.0.2.2", "/")).await.remaining(), Some(2));
        assert_eq!((remote.asked(), remote.waiting()), (5, 0));
        let mut expected = vec![FallbackOn];
        expected.extend([StoreAway, StoreAway, StoreAway, StoreAway, Refused]);
        // The fifth failure in a row.
        expected.extend(is_of_the_store(mood).then_some(Opened).into_iter().chain([StoreAway]));
        assert_eq!(events.kinds(), expected, "{mood:?}");
    }
}

#[actix_web::test]
async fn allow_lets_everything_pass_without_fields() {
    tokio::time::pause();
    for mood in faults() {
        let remote = Remote::new(mood);
        let (limiter, events) = relying_on(&remote, Allow);
        let app = answering(limiter.middleware().default_rate(rate("1/h"))).await;
        for _ in 0..3 {
            let answer = send(&app, get("/")).await;
            assert_eq!((answer.status, answer.limit_fields()), (200, vec![]), "{mood:?}");
        }
        assert_eq!(events.kinds(), [FallbackOn, StoreAway, StoreAway, StoreAway]);
    }
}

#[actix_web::test]
async fn deny_answers_503_with_retry_after_and_says_nothing_of_the_store() {
    tokio::time::pause();
    for mood in faults() {
        let remote = Remote::new(mood);
        let (limiter, events) = relying_on(&remote, Deny);
        let app = answering(limiter.middleware().default_rate(rate("1/h"))).await;
        let answer = send(&app, get("/").insert_header(("accept", "application/json"))).await;
        assert_eq!((answer.status, answer.retry_after()), (503, Some(1)), "{mood:?}");
        assert_eq!(answer.limit_fields(), ["retry-after"]);
        assert_eq!(answer.body, "Service temporarily unavailable. Please try again later.");
        assert_eq!(events.kinds(), [FallbackOn, StoreAway]);
    }
}

#[actix_web::test]
async fn a_limit_may_choose_otherwise_than_its_limiter() {
    let remote = Remote::new(Mood::Fails(ErrorKind::Unreachable, Fate::NotCharged));
    let (limiter, _) = relying_on(&remote, Allow);
    let strict = rule("strict", "9/h").path("/strict").with_limit(|limit| limit.on_error(Deny));
    let local = rule("local", "1/h").path("/local").with_limit(|limit| limit.on_error(Local));
    let app = answering(limiter.middleware().rule(strict).rule(local)).await;
    assert_eq!(statuses(&app, 2, || get("/strict")).await, [503, 503]);
    assert_eq!(statuses(&app, 2, || get("/local")).await, [200, 429]);
    assert_eq!(statuses(&app, 2, || get("/other")).await, [200, 200]);
}

#[actix_web::test]
async fn a_limit_on_another_store_notices_nothing() {
    let remote = Remote::new(Mood::Fails(ErrorKind::Unreachable, Fate::NotCharged));
    let (limiter, _) = limiter_with(|builder| {
        let builder = builder.backend("main", remote).backend("memory", MemoryBackend::new(10));
        builder.on_error(Deny)
    });
    let local = rule("local", "1/h").path("/local").with_limit(|limit| limit.backend("memory"));
    let app = answering(limiter.middleware().rule(local)).await;
    assert_eq!(statuses(&app, 2, || get("/local")).await, [200, 429]);
    assert_eq!(send(&app, get("/")).await.status, 503);
}

#[actix_web::test]
async fn a_silent_store_costs_a_request_its_deadline_and_no_more() {
    tokio::time::pause();
    for deadline in [Duration::from_millis(1), Duration::from_millis(100), Duration::from_secs(7)] {
        let remote = Remote::new(Mood::Silent);
        let (limiter, _) =
            limiter_with(|builder| builder.backend("main", remote).deadline(deadline));
        let app = answering(limiter.middleware()).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(send(&app, get("/")).await.status, 200);
        // The runtime's clock is virtual and counts whole milliseconds.
        assert!(begun.elapsed() - deadline <= Duration::from_millis(1), "{:?}", begun.elapsed());
    }
}

#[actix_web::test]
async fn a_store_that_flaps_admits_at_most_its_limit_and_memory_s_once_more() {
    let remote = Remote::new(Mood::Answers);
    let (limiter, _) = relying_on(&remote, Local);
    let app = answering(limiter.middleware().default_rate(rate("5/h"))).await;
    let mut admitted = 0;
    for round in 0..100 {
        remote.set(match round % 2 {
            0 => Mood::Answers,
            _ => Mood::Fails(ErrorKind::Unavailable, Fate::NotCharged),
        });
        admitted += usize::from(send(&app, get("/")).await.status == 200);
    }
    assert_eq!(admitted, 10);
}

#[actix_web::test]
async fn the_handler_runs_once_whatever_happens_and_not_at_all_when_refused() {
    tokio::time::pause();
    for mood in faults().into_iter().chain([Mood::Answers]) {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let handler = move |body: String| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { body }
        };
        let remote = Remote::new(mood);
        let (limiter, _) = relying_on(&remote, Local);
        let limit = limiter.middleware().default_rate(rate("2/h"));
        let app = init_service(App::new().wrap(limit).default_service(web::to(handler))).await;
        for (status, body) in [(200, "hello"), (200, "hello"), (429, "Rate limit exceeded")] {
            let answer = send(&app, post("/").set_payload("hello")).await;
            assert_eq!(answer.status, status, "{mood:?}");
            assert!(answer.body.starts_with(body), "{mood:?}");
        }
        assert_eq!(runs.load(Ordering::SeqCst), 2, "{mood:?}");
    }
}

#[actix_web::test]
async fn a_request_dropped_while_it_waits_leaves_nothing_behind() {
    let remote = Remote::new(Mood::Silent);
    let (limiter, events) = relying_on(&remote, Local);
    let app = answering(limiter.middleware().default_rate(rate("2/h"))).await;
    for _ in 0..1_000 {
        let mut waiting = Box::pin(app.call(get("/").to_request()));
        assert!(poll!(&mut waiting).is_pending());
        assert_eq!(remote.waiting(), 1);
        drop(waiting);
        assert_eq!(remote.waiting(), 0);
    }
    remote.set(Mood::Answers);
    assert_eq!(statuses(&app, 3, || get("/")).await, [200, 200, 429]);
    assert_eq!(events.kinds(), [Refused]);
}

#[actix_web::test]
async fn many_requests_wait_at_once_and_each_gets_its_own_answer() {
    let remote = Remote::new(Mood::Answers);
    let (limiter, _) = relying_on(&remote, Local);
    let app = answering(limiter.middleware().default_rate(rate("3/h"))).await;
    let address = |n: usize| format!("192.0.2.{n}");
    let answers = join_all((0..200).map(|n| send(&app, from(&address(n % 40), "/")))).await;
    let admitted = |n: usize| {
        let own = answers.iter().skip(n).step_by(40);
        own.filter(|answer| answer.status == 200).count()
    };
    assert!((0..40).all(|n| admitted(n) == 3));
    assert_eq!((remote.asked(), remote.waiting()), (200, 0));
}

#[actix_web::test]
async fn of_several_rates_all_are_kept_in_memory_too() {
    let remote = Remote::new(Mood::Fails(ErrorKind::Unreachable, Fate::Unknown));
    let (limiter, _) = relying_on(&remote, Local);
    let limit = Rule::new(Limit::new("api", [rate("9/m"), rate("2/h")]));
    let app = answering(limiter.middleware().default_rule(limit)).await;
    assert_eq!(statuses(&app, 3, || get("/")).await, [200, 200, 429]);
    assert_eq!(send(&app, get("/")).await.policy().as_deref(), Some("api#2/h"));
}

#[actix_web::test]
async fn code_that_asks_for_itself_is_told_what_was_chosen() {
    tokio::time::pause();
    for mood in faults() {
        let remote = Remote::new(mood);
        let (limiter, _) = relying_on(&remote, Deny);
        let mails = Limit::new("mails", rate("1/h"));
        assert_eq!(limiter.check(&mails, "user:7").await, Ok(Outcome::Unavailable), "{mood:?}");
        let open = mails.clone().on_error(Allow);
        assert_eq!(limiter.check(&open, "user:7").await, Ok(Outcome::Unlimited), "{mood:?}");
        let local = mails.on_error(Local);
        for expected in [true, false] {
            let outcome = limiter.check(&local, "user:7").await.unwrap();
            assert_eq!(outcome.is_allowed(), expected, "{mood:?}");
        }
    }
}
