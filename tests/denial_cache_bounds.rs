//! The cache of refusals is bounded, is never torn, and changes no outcome.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../core/tests/oracle/mod.rs"]
mod oracle;
mod wrap_support;

use std::{
    future::ready,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

use actix_smart_ratelimit::{
    Algorithm, Batch, Charge, Check, Decision, MemoryBackend, Policy, Rate, Timestamp, Verdict,
    backend::{Backend, BackendError, BoxFuture, Health, Progress, Stats, wrap::DenialCache},
};
use oracle::generate::{cases, moves};
use proptest::{collection::vec, prelude::*};
use wrap_support::{Later, ask, decided, now, one};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 86_400 * SECOND;
const NOW: u64 = 1_800_000_000 * SECOND;

fn policy(limit: u32) -> Policy {
    Policy::new(Algorithm::SlidingWindow, Rate::per_minute(limit))
}

/// Lets a backend know what time it is.
fn look(backend: &impl Backend, at: u64, key: &str, policy: &Policy) {
    let mut batch = Batch::of(Timestamp::from_micros(at), Check { key, policy, cost: 0 });
    if let Progress::Pending(answer) = backend.peek(&mut batch) {
        now(answer).unwrap();
    }
}

/// Whether a check is refused without the store. If not, its answer is given up.
fn is_known(cache: &impl Backend, at: u64, checks: &[Check<'_>]) -> bool {
    ask(cache, at, checks).is_ok_and(|verdict| !verdict.is_allowed())
}

/// Refuses, at times that can be computed from the key, which is a number.
#[derive(Debug)]
struct ByKey;

fn times_of(key: u64) -> (Timestamp, Timestamp) {
    let retry_at = NOW + MINUTE + key;
    (Timestamp::from_micros(2 * retry_at), Timestamp::from_micros(retry_at))
}

impl Backend for ByKey {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let (reset_at, retry_at) = times_of(batch.checks()[0].key.parse().unwrap());
        let decision = Decision::refuse(1, 0, reset_at, retry_at);
        let verdict = Verdict::new(Timestamp::from_micros(NOW), [decision]);
        Progress::Pending(Box::pin(ready(Ok(verdict))))
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.check(batch)
    }

    fn reset(&self, _: &str) -> BoxFuture<Result<(), BackendError>> {
        Box::pin(ready(Ok(())))
    }

    fn refund(&self, _: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        Box::pin(ready(Ok(())))
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        Box::pin(ready(Ok(Health::default())))
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }
}

#[test]
fn threads_that_replace_each_others_answers_never_mix_them() {
    const CHECKS: u64 = if cfg!(debug_assertions) { 100_000 } else { 3_000_000 };
    // One set of four for nine keys: every write replaces what others read.
    let cache = DenialCache::around(ByKey).capacity(4);
    let policy = policy(1);
    let known = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (cache, policy, known) = (&cache, &policy, &known);
            scope.spawn(move || {
                for check in 0..CHECKS {
                    let key = check.wrapping_mul(7_919).wrapping_add(thread) % 9;
                    let text = key.to_string();
                    let verdict = match ask(cache, NOW + check % 7, &one(&text, policy)) {
                        Ok(verdict) => {
                            known.fetch_add(1, SeqCst);
                            verdict
                        }
                        Err(answer) => now(answer).unwrap(),
                    };
                    let decision = verdict.decisions()[0];
                    let times = (decision.reset_at(), decision.retry_at().unwrap());
                    assert_eq!(times, times_of(key));
                    if check % 1_000 == 0 {
                        now(cache.reset(&text)).unwrap();
                    }
                }
            });
        }
    });
    assert!(known.load(SeqCst) > 0);
    assert_eq!(cache.stats().refused_locally, known.load(SeqCst));
}

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    const FLOOD: u64 = 1_000_000;
    let cache = DenialCache::around(ByKey).capacity(1_000);
    let policy = policy(1);
    for n in 0..FLOOD {
        decided(&cache, NOW, &one(&n.to_string(), &policy));
    }
    let is_kept = |n: &u64| is_known(&cache, NOW, &one(&n.to_string(), &policy));
    let known = (0..FLOOD).filter(is_kept).count();
    assert!((1_000..=2_000).contains(&known), "{known}");
}

#[test]
fn refused_batches_are_bounded_as_well_and_the_first_to_end_make_room() {
    let cache = DenialCache::around(Later::new(MemoryBackend::new(1_000)));
    let cache = cache.max_age(Duration::MAX).capacity(8);
    let (minutely, daily) = (policy(1), Policy::new(Algorithm::SlidingWindow, Rate::per_day(1)));
    let long = [one("a", &daily)[0], one("b", &daily)[0]];
    let keys: Vec<String> = (0..100).map(|n| format!("key {n}")).collect();
    for _ in 0..2 {
        decided(&cache, NOW, &long);
        for key in &keys {
            decided(&cache, NOW, &[one(key, &minutely)[0], one(key, &policy(2))[0]]);
        }
    }
    assert!(is_known(&cache, NOW, &long));
    let is_kept =
        |key: &&String| is_known(&cache, NOW, &[one(key, &minutely)[0], one(key, &policy(2))[0]]);
    assert_eq!(keys.iter().filter(is_kept).count(), 7);
}

proptest! {
    /// Outcomes are those of the bare backend, whatever is asked, looked at, reset and given back.
    #[test]
    fn single_checks_are_answered_as_by_the_bare_backend(
        case in cases(true),
        start in 0..1_u64 << 62,
        moves in moves(80),
        kinds in vec((0..3_usize, 0..40_u8), 80),
        ahead in prop_oneof![Just(0), Just(DAY)],
    ) {
        // Of one shard each: how much a refund gives back depends on the time that a shard last saw.
        let bare = MemoryBackend::new(100);
        let store = Later::ahead(MemoryBackend::new(100), ahead);
        let cache = DenialCache::around(store.clone()).capacity(1_000).max_age(Duration::MAX);
        let (mut at, mut last) = (start, None);
        let mut charged_at = Timestamp::ZERO;
        for (step, (key, kind)) in moves.iter().zip(kinds) {
            let key = ["a", "b", "c"][key];
            at = step.advance.from(at, &case.rule, last.as_ref());
            let cost = step.cost.of(&case.rule, last.as_ref());
            match kind {
                0 => {
                    now(bare.reset(key)).unwrap();
                    now(cache.reset(key)).unwrap();
                }
                1 => {
                    look(&bare, at + ahead, key, &case.policy);
                    look(&cache, at, key, &case.policy);
                    let charge = Charge { key, policy: &case.policy, cost, charged_at };
                    now(bare.refund(charge)).unwrap();
                    now(cache.refund(charge)).unwrap();
                }
                _ => {}
            }
            // Most of it hammers.
            for cost in [cost, 1, 1, 1] {
                let check = [Check { key, policy: &case.policy, cost }];
                let expected = decided(&bare, at + ahead, &check);
                let verdict = decided(&cache, at, &check);
                prop_assert_eq!(&verdict, &expected);
                let answer = oracle::Answer::from(&verdict.decisions()[0]);
                let local = |time: u64| time.saturating_sub(ahead);
                last = Some(oracle::Answer {
                    reset_at: local(answer.reset_at),
                    retry_at: answer.retry_at.map(local),
                    ..answer
                });
                if verdict.is_allowed() {
                    charged_at = verdict.decided_at();
                }
            }
        }
    }
}
