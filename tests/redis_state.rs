//! What becomes of states in Redis: looking changes nothing, a reset clears all of a key, a refund gives
//! back what was taken, and how few calls it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use actix_smart_ratelimit::{
    Algorithm::{FixedWindow, Gcra, LeakyBucket, SlidingWindow, SlidingWindowCounter, TokenBucket},
    Charge, Check, ManualClock, Mode, Policy, Rate, Timestamp,
    backend::{
        Backend,
        redis::{RedisBackend, RedisBuilder},
    },
};
use futures_util::future::join_all;

use support::{
    asking::{ask, counting_policies, lasting, left, peek, policies, take, tomorrow},
    redis::RedisServer,
};

/// So long may an answer take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);
const SECOND: u64 = 1_000_000;

fn builder(server: &RedisServer) -> RedisBuilder {
    RedisBackend::builder(server.url()).deadline(PATIENCE).connect_deadline(PATIENCE)
}

/// A backend that goes by a clock that the test moves, from the beginning of a day on.
fn with_clock(server: &RedisServer) -> (RedisBackend, ManualClock) {
    let clock = ManualClock::new(tomorrow());
    (builder(server).clock(clock.clone()).denial_cache(0).build().unwrap(), clock)
}

/// All keys, what they hold, and when they expire.
fn contents(server: &RedisServer) -> Vec<(String, String, String)> {
    let mut keys = server.ask::<Vec<String>>(&["KEYS", "*"]).unwrap();
    keys.sort();
    let described = keys.into_iter().map(|key| {
        let held = match &*server.cli(&["TYPE", &key]) {
            "string" => server.cli(&["GET", &key]),
            "hash" => server.cli(&["HGETALL", &key]),
            "zset" => server.cli(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
            other => panic!("{other}"),
        };
        let expiry = server.cli(&["PEXPIRETIME", &key]);
        (key, held, expiry)
    });
    described.collect()
}

#[actix_web::test]
async fn looking_changes_nothing() {
    let server = RedisServer::start();
    let backend = builder(&server).build().unwrap();
    for (name, policy) in policies(lasting(10)) {
        let before = contents(&server);
        assert_eq!(left(&backend, name, &policy).await, 10, "{name}");
        assert_eq!(contents(&server), before, "{name}");
        assert!(take(&backend, name, &policy, 7).await.is_allowed(), "{name}");
        let before = contents(&server);
        for cost in [0, 1, 3, 4, 100] {
            let decision = peek(&backend, name, &policy, cost).await;
            assert_eq!((decision.remaining(), decision.is_allowed()), (3, cost <= 3), "{name}");
        }
        assert_eq!(contents(&server), before, "{name}");
    }
}

#[actix_web::test]
async fn a_refused_request_changes_nothing() {
    let server = RedisServer::start();
    let backend = builder(&server).denial_cache(0).build().unwrap();
    for (name, policy) in policies(lasting(10)) {
        assert!(take(&backend, name, &policy, 9).await.is_allowed(), "{name}");
        let before = contents(&server);
        for cost in [2, 10, 11] {
            assert!(!take(&backend, name, &policy, cost).await.is_allowed(), "{name}");
        }
        assert_eq!(contents(&server), before, "{name}");
    }
}

/// Policies that can count one key at the same time: all but windows from the first request, whose
/// key is that of a sliding window.
fn side_by_side() -> Vec<Policy> {
    let hourly = Rate::per_hour(10);
    let mut all: Vec<_> = [FixedWindow, SlidingWindow, SlidingWindowCounter]
        .into_iter()
        .chain([TokenBucket, LeakyBucket, Gcra])
        .flat_map(|algorithm| [Policy::new(algorithm, hourly), Policy::new(algorithm, lasting(5))])
        .collect();
    all.push(Policy::new(FixedWindow, "10/7s".parse().unwrap()));
    all
}

#[actix_web::test]
async fn a_reset_clears_every_state_of_its_key_and_of_no_other() {
    let server = RedisServer::start();
    let (backend, _) = with_clock(&server);
    for key in ["key", "key2", "key:2", "ke"] {
        for policy in side_by_side() {
            assert!(take(&backend, key, &policy, 1).await.is_allowed());
        }
    }
    let others = |contents: Vec<(String, String, String)>| -> Vec<_> {
        let kinds = ["token_bucket", "leaky_bucket", "gcra", "swc"];
        let is_own = |key: &str| match key.strip_prefix("key") {
            Some("") => true,
            Some(rest) => rest.strip_prefix(':').is_some_and(|rest| {
                kinds.contains(&rest) || rest.parse::<u64>().is_ok_and(|start| start > 2)
            }),
            None => false,
        };
        contents.into_iter().filter(|(key, ..)| !is_own(key)).collect()
    };
    let before = contents(&server);
    backend.reset("key").await.unwrap();
    let after = contents(&server);
    assert_eq!(after, others(before.clone()));
    assert_eq!(before.len() - after.len(), 5 + 3, "three windows on the clock among them");
    for policy in side_by_side() {
        assert_eq!(left(&backend, "key", &policy).await, policy.limit());
    }
    backend.reset("a key that nobody has").await.unwrap();
    assert_eq!(contents(&server), after);
}

#[actix_web::test]
async fn a_reset_clears_each_algorithm_in_each_variant() {
    let server = RedisServer::start();
    let backend = builder(&server).build().unwrap();
    for (name, policy) in policies(lasting(3)) {
        assert!(take(&backend, name, &policy, 3).await.is_allowed());
        assert!(!take(&backend, name, &policy, 1).await.is_allowed());
        backend.reset(name).await.unwrap();
        assert_eq!(contents(&server), [], "{name}");
        assert_eq!(take(&backend, name, &policy, 1).await.remaining(), 2, "{name}");
        backend.reset(name).await.unwrap();
    }
}

#[actix_web::test]
async fn a_process_that_never_asked_resets_the_windows_that_its_limits_have() {
    let server = RedisServer::start();
    let policy = Policy::new(FixedWindow, lasting(3));
    assert!(take(&builder(&server).build().unwrap(), "key", &policy, 3).await.is_allowed());
    let another = builder(&server).build().unwrap();
    another.validate(&policy, 1).unwrap();
    another.reset("key").await.unwrap();
    assert_eq!(contents(&server), []);
}

async fn give_back(backend: &RedisBackend, key: &str, policy: &Policy, cost: u32, at: Timestamp) {
    backend.refund(Charge { key, policy, cost, charged_at: at }).await.unwrap();
}

#[actix_web::test]
async fn a_refund_gives_back_exactly_what_is_said_and_never_more_than_was_taken() {
    let server = RedisServer::start();
    let (backend, clock) = with_clock(&server);
    for (name, policy) in policies(lasting(10)) {
        let at = clock.now();
        give_back(&backend, name, &policy, 5, at).await;
        assert_eq!(left(&backend, name, &policy).await, 10, "{name}: nothing was taken");
        assert!(take(&backend, name, &policy, 7).await.is_allowed());
        give_back(&backend, name, &policy, 3, at).await;
        assert_eq!(left(&backend, name, &policy).await, 6, "{name}");
        give_back(&backend, name, &policy, 0, at).await;
        assert_eq!(left(&backend, name, &policy).await, 6, "{name}");
        give_back(&backend, name, &policy, 100, at).await;
        assert_eq!(left(&backend, name, &policy).await, 10, "{name}");
        assert!(take(&backend, name, &policy, 10).await.is_allowed(), "{name}");
        assert!(!take(&backend, name, &policy, 1).await.is_allowed(), "{name}");
    }
}

#[actix_web::test]
async fn a_refund_reaches_only_the_window_that_was_charged() {
    let server = RedisServer::start();
    let (backend, clock) = with_clock(&server);
    for (name, policy) in policies(Rate::per_minute(6)) {
        let charged_at = clock.now();
        assert!(take(&backend, name, &policy, 6).await.is_allowed());
        // The previous window has no weight any more, and a bucket is full again.
        clock.advance(120 * SECOND);
        assert!(take(&backend, name, &policy, 6).await.is_allowed(), "{name}");
        give_back(&backend, name, &policy, 6, charged_at).await;
        assert_eq!(left(&backend, name, &policy).await, 0, "{name}");
        give_back(&backend, name, &policy, 2, clock.now()).await;
        assert_eq!(left(&backend, name, &policy).await, 2, "{name}");
        clock.advance(3_600 * SECOND);
    }
}

#[actix_web::test]
async fn who_hammers_stays_out_where_refusals_count() {
    let server = RedisServer::start();
    let (backend, clock) = with_clock(&server);
    let counting = counting_policies(Rate::per_minute(3));
    for ((name, plain), (_, counting)) in policies(Rate::per_minute(3)).into_iter().zip(counting) {
        let (mut admitted, mut admitted_counting) = (0, 0);
        // Ten minutes, once a second.
        for _ in 0..600 {
            let plain = take(&backend, name, &plain, 1).await;
            let counting = take(&backend, &format!("{name}:counting"), &counting, 1).await;
            admitted += u64::from(plain.is_allowed());
            admitted_counting += u64::from(counting.is_allowed());
            clock.advance(SECOND);
        }
        // Where the past has a weight, it is a little less than three a minute.
        assert!((20..=33).contains(&admitted), "{name}: {admitted}");
        // A fixed window is full as soon as it has admitted all, and lets in as many in the next.
        let expected = if name.starts_with("fixed_window") { admitted } else { 3 };
        assert_eq!(admitted_counting, expected, "{name}");
        // Who keeps quiet for long enough is let in again.
        clock.advance(120 * SECOND);
        assert_eq!(left(&backend, &format!("{name}:counting"), &counting).await, 3, "{name}");
    }
}

/// Script calls that a server has had, known or not.
fn script_calls(server: &RedisServer) -> u64 {
    server.calls("evalsha") + server.calls("eval")
}

#[actix_web::test]
async fn several_limits_travel_in_one_call() {
    let server = RedisServer::start();
    let backend = builder(&server).build().unwrap();
    let policies = policies(lasting(100));
    let checks: Vec<_> =
        policies.iter().map(|(key, policy)| Check { key, policy, cost: 1 }).collect();
    // The first call brings the script.
    ask(&backend, &checks, Mode::Charge).await.unwrap();
    let (calls, trips) = (script_calls(&server), backend.stats().round_trips);
    for count in 1..=checks.len() {
        assert!(ask(&backend, &checks[..count], Mode::Charge).await.unwrap().is_allowed());
        assert_eq!(script_calls(&server) - calls, count as u64);
        assert_eq!(backend.stats().round_trips - trips, count as u64);
    }
}

#[actix_web::test]
async fn checks_that_wait_travel_together() {
    const CHECKS: usize = 1_000;
    let server = RedisServer::start();
    let backend = builder(&server).denial_cache(0).build().unwrap();
    let policy = Policy::new(SlidingWindow, lasting(700));
    take(&backend, "another key", &policy, 1).await;
    let (calls, trips) = (script_calls(&server), backend.stats().round_trips);
    let all = join_all((0..CHECKS).map(|_| take(&backend, "key", &policy, 1))).await;
    assert_eq!(all.iter().filter(|decision| decision.is_allowed()).count(), 700);
    let travelled = backend.stats().round_trips - trips;
    assert_eq!(script_calls(&server) - calls, travelled);
    assert!(travelled <= CHECKS as u64 / 50, "{CHECKS} checks travelled in {travelled} calls");
}

#[actix_web::test]
async fn a_lone_check_goes_alone_and_waits_for_no_timer() {
    let server = RedisServer::start();
    let backend = builder(&server).build().unwrap();
    let policy = Policy::new(TokenBucket, lasting(1_000));
    take(&backend, "key", &policy, 1).await;
    let before = backend.stats().round_trips;
    // While the runtime has something else to do, no time passes in it and no timer ends.
    tokio::time::pause();
    let (end, ended) = channel::<()>();
    let busy = tokio::task::spawn_blocking(move || ended.recv_timeout(PATIENCE));
    for _ in 0..100 {
        assert!(take(&backend, "key", &policy, 1).await.is_allowed());
    }
    assert_eq!(backend.stats().round_trips - before, 100);
    drop(end);
    assert_eq!(busy.await.unwrap(), Err(RecvTimeoutError::Disconnected), "a timer was waited for");
}
