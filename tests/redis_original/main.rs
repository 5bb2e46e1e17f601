//! A process of ours and processes of the original, django-smart-ratelimit, share one Redis and admit
//! together exactly the limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod driver;

use std::{path::PathBuf, time::Duration};

use actix_smart_ratelimit::{
    Algorithm::{self, FixedWindow, LeakyBucket, SlidingWindow, TokenBucket},
    Clock, Decision, Event, Limit, OnError, RateLimiter, WindowStart,
    backend::redis::RedisBackend,
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::unbounded_channel;

use driver::{Answer, Original, python};
use support::redis::RedisServer;

const OLD: &str = "0.7.2";
const NEW: &str = "4.12.1";

/// So long may an answer take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: u64 = 3_600_000_000;

/// An algorithm that both sides have, with a window that both know.
#[derive(Clone, Copy)]
struct Shared {
    algorithm: Algorithm,
    window: WindowStart,
}

const SLIDING: Shared = Shared { algorithm: SlidingWindow, window: WindowStart::Clock };
const BY_CLOCK: Shared = Shared { algorithm: FixedWindow, window: WindowStart::Clock };
const FROM_FIRST: Shared = Shared { algorithm: FixedWindow, window: WindowStart::FirstRequest };
const TOKENS: Shared = Shared { algorithm: TokenBucket, window: WindowStart::Clock };
const LEVEL: Shared = Shared { algorithm: LeakyBucket, window: WindowStart::Clock };

/// What the original calls a rate of so many in a period of which no end comes during the test. The
/// old version knows days only as one day.
fn rate(limit: u64, shared: Shared) -> String {
    let now = Clock::System.now().as_micros();
    let lasts = |hours: &u64| (hours * HOUR) - now % (hours * HOUR) > HOUR / 10;
    match shared.window {
        WindowStart::Clock if shared.algorithm == FixedWindow => {
            let hours = [24, 23, 22].into_iter().find(lasts).unwrap();
            format!("{limit}/{hours}h")
        }
        _ => format!("{limit}/d"),
    }
}

/// Our side.
struct Ours {
    limiter: RateLimiter,
    limit: Limit,
}

impl Ours {
    fn new(server: &RedisServer, shared: Shared, rate: &str) -> Self {
        let backend = RedisBackend::builder(server.url()).deadline(PATIENCE);
        let backend = backend.connect_deadline(PATIENCE).build().unwrap();
        let limiter = RateLimiter::builder().backend("redis", backend).deadline(PATIENCE);
        let tell =
            |event: &Event<'_>| event.error.into_iter().for_each(|error| println!("{error:?}"));
        let limiter = limiter.on_error(OnError::Deny).on_event(tell).build().unwrap();
        let mut limit = Limit::new("", support::rate(rate)).algorithm(shared.algorithm);
        if shared.algorithm == FixedWindow {
            limit = limit.window(shared.window);
        }
        Self { limiter, limit }
    }

    async fn ask(&self) -> Answer {
        let outcome = self.limiter.check(&self.limit, "ip:203.0.113.7").await.unwrap();
        match outcome.decision().expect("the store decided") {
            decision if decision.is_allowed() => Answer::Admitted(Decision::remaining(decision)),
            _ => Answer::Refused,
        }
    }
}

/// Processes of these versions, and a server for them and us.
fn start(pythons: &[PathBuf], shared: Shared, limit: u64) -> (RedisServer, Ours, Vec<Original>) {
    let server = RedisServer::start();
    let rate = rate(limit, shared);
    let window = match shared.window {
        WindowStart::Clock => "clock",
        WindowStart::FirstRequest => "first_request",
    };
    let arguments = [shared.algorithm.name(), &rate, window];
    let start = |python| Original::start(python, &server, arguments);
    let mut originals: Vec<_> = pythons.iter().map(start).collect();
    originals.iter_mut().for_each(Original::ready);
    let ours = Ours::new(&server, shared, &rate);
    (server, ours, originals)
}

/// One after the other: each side sees what the others left.
async fn take_turns(pythons: &[PathBuf], shared: Shared) {
    const LIMIT: u64 = 20;
    let (_server, ours, mut originals) = start(pythons, shared, LIMIT);
    let mut expected = (0..LIMIT).rev().map(Answer::Admitted);
    for _ in 0..LIMIT {
        assert_eq!(ours.ask().await, expected.next().unwrap_or(Answer::Refused));
        for original in &mut originals {
            assert_eq!(original.ask(), expected.next().unwrap_or(Answer::Refused));
        }
    }
}

/// All at once: with each answer of theirs one of our checks begins, and their next request.
async fn compete(pythons: &[PathBuf], shared: Shared) {
    const LIMIT: usize = 300;
    const LEAD: usize = 20;
    let (_server, ours, mut originals) = start(pythons, shared, LIMIT as u64);
    let (sender, mut answers) = unbounded_channel();
    for (number, original) in originals.iter_mut().enumerate() {
        original.request(LEAD);
        original.forward(number, sender.clone());
    }
    drop(sender);
    let (mut our_checks, mut theirs, mut admitted) = (FuturesUnordered::new(), 0, [0, 0]);
    while theirs < 2 * LIMIT || !our_checks.is_empty() {
        tokio::select! {
            Some(answer) = our_checks.next() => {
                admitted[0] += usize::from(answer != Answer::Refused);
            }
            answer = answers.recv(), if theirs < 2 * LIMIT => {
                let (number, answer) = answer.expect("the original has ended");
                admitted[1] += usize::from(answer != Answer::Refused);
                theirs += 1;
                originals[number].request(1);
                our_checks.push(ours.ask());
            }
        }
    }
    println!("admitted by us and by them: {admitted:?}");
    assert_eq!(admitted[0] + admitted[1], LIMIT, "{admitted:?}");
    assert!(admitted.iter().all(|count| *count > 0), "{admitted:?}");
}

async fn share(version: &str, shared: Shared) {
    let Some(python) = python(version) else { return };
    take_turns(std::slice::from_ref(&python), shared).await;
    compete(&[python.clone(), python], shared).await;
}

#[actix_web::test]
async fn the_old_version_shares_a_sliding_window() {
    share(OLD, SLIDING).await;
}

#[actix_web::test]
async fn the_old_version_shares_a_window_from_the_first_request() {
    share(OLD, FROM_FIRST).await;
}

#[actix_web::test]
async fn the_old_version_shares_a_token_bucket() {
    share(OLD, TOKENS).await;
}

#[actix_web::test]
async fn the_new_version_shares_a_sliding_window() {
    share(NEW, SLIDING).await;
}

#[actix_web::test]
async fn the_new_version_shares_a_window_on_the_clock() {
    share(NEW, BY_CLOCK).await;
}

#[actix_web::test]
async fn the_new_version_shares_a_window_from_the_first_request() {
    share(NEW, FROM_FIRST).await;
}

#[actix_web::test]
async fn the_new_version_shares_a_token_bucket() {
    share(NEW, TOKENS).await;
}

#[actix_web::test]
async fn the_new_version_shares_a_leaky_bucket() {
    share(NEW, LEVEL).await;
}

#[actix_web::test]
async fn both_versions_and_we_share_what_all_three_know() {
    let (Some(old), Some(new)) = (python(OLD), python(NEW)) else { return };
    for shared in [SLIDING, FROM_FIRST, TOKENS] {
        take_turns(&[old.clone(), new.clone()], shared).await;
        compete(&[old.clone(), new.clone()], shared).await;
    }
}
