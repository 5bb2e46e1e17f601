//! The memory backend answers as the simplest store does, and keeps its promises about time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod memory_support;
#[path = "../core/tests/oracle/mod.rs"]
mod oracle;

use actix_smart_ratelimit::backend::Backend;
use actix_smart_ratelimit::{
    Algorithm, Cell, Charge, Check, CustomAlgorithm, Decision, MemoryBackend, Mode, Policy, Rate,
    Step, Timestamp, WindowStart,
};
use memory_support::{ask, left, peek, ready, take};
use oracle::generate::{cases, moves, starts};
use oracle::store::MapStore;
use oracle::turns::turn;
use proptest::collection::vec;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 86_400 * SECOND;
const NOW: u64 = 1_800_000_000 * SECOND;
const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn charge<'a>(key: &'a str, policy: &'a Policy, cost: u32, charged_at: u64) -> Charge<'a> {
    Charge { key, policy, cost, charged_at: Timestamp::from_micros(charged_at) }
}

proptest! {
    #[test]
    fn single_checks_are_answered_as_by_the_simplest_store(
        case in cases(true),
        start in starts(),
        moves in moves(60),
        keys in vec(0..4_usize, 60),
        others in vec(0..20_u8, 60),
    ) {
        let (memory, mut reference) = (MemoryBackend::new(10_000), MapStore::default());
        let (mut now, mut last) = (start, None);
        for ((step, key), other) in moves.iter().zip(keys).zip(others) {
            now = step.advance.from(now, &case.rule, last.as_ref());
            let cost = step.cost.of(&case.rule, last.as_ref());
            let check = Check { key: KEYS[key], policy: &case.policy, cost };
            match other {
                0 => {
                    ready(memory.reset(check.key)).unwrap();
                    reference.reset(check.key);
                }
                1 => {
                    let charge = charge(check.key, &case.policy, cost, now);
                    ready(memory.refund(charge)).unwrap();
                    reference.refund(&charge, now);
                }
                _ => {}
            }
            let mode = if step.peek { Mode::Peek } else { Mode::Charge };
            let verdict = ask(&memory, now, &[check], mode);
            prop_assert_eq!(&verdict, &reference.check(now, &[check], mode));
            last = Some(oracle::Answer::from(&verdict.decisions()[0]));
        }
    }

    #[test]
    fn batches_are_answered_as_by_the_simplest_store(
        start in starts(),
        turns in vec(turn(), 1..40),
    ) {
        let (memory, mut reference) = (MemoryBackend::new(20_000), MapStore::default());
        let (mut now, mut last) = (start, None);
        for turn in turns {
            now = turn.advance.from(now, &turn.questions[0].case.rule, last.as_ref());
            let checks = turn.checks();
            let verdict = ask(&memory, now, &checks, turn.mode);
            prop_assert_eq!(&verdict, &reference.check(now, &checks, turn.mode));
            last = verdict.decisions().last().map(oracle::Answer::from);
        }
    }

    #[test]
    fn clocks_that_differ_by_seconds_are_read_as_the_latest_of_them(
        case in cases(true),
        moves in moves(60),
        late in vec(0..10 * SECOND, 60),
    ) {
        let (memory, mut reference) = (MemoryBackend::new(10), MapStore::default());
        let (mut now, mut last) = (NOW, None);
        peek(&memory, "other", &case.policy, NOW, 0);
        for (step, late) in moves.iter().zip(late) {
            let advanced = step.advance.from(now, &case.rule, last.as_ref());
            // Only readings that are not later than another one may be late.
            let reading = if advanced == now { now - late } else { advanced };
            now = advanced;
            // The refusal of one permit may be answered as of the reading: it holds then too.
            let cost = match step.cost.of(&case.rule, last.as_ref()) {
                1 => 2,
                cost => cost,
            };
            let check = [Check { key: "key", policy: &case.policy, cost }];
            let verdict = ask(&memory, reading, &check, Mode::Charge);
            prop_assert_eq!(&verdict, &reference.check(now, &check, Mode::Charge));
            last = Some(oracle::Answer::from(&verdict.decisions()[0]));
        }
    }
}

fn each_algorithm() -> impl Iterator<Item = Policy> {
    Algorithm::NAMES.into_iter().map(|(_, algorithm)| Policy::new(algorithm, Rate::per_minute(5)))
}

fn fixed(limit: u32) -> Policy {
    Policy::new(Algorithm::FixedWindow, Rate::per_minute(limit))
}

#[test]
fn a_peek_charges_nothing_and_stores_nothing() {
    for policy in each_algorithm() {
        let memory = MemoryBackend::new(100);
        for _ in 0..20 {
            assert_eq!(peek(&memory, "key", &policy, NOW, 3).remaining(), 5);
            assert!(!peek(&memory, "key", &policy, NOW, 6).is_allowed());
        }
        assert_eq!(memory.stats().keys, 0);
    }
}

#[test]
fn a_reset_forgets_every_policy_of_its_key_and_of_no_other() {
    let memory = MemoryBackend::new(100);
    let policies: Vec<_> = each_algorithm().collect();
    for key in ["key", "other"] {
        for policy in &policies {
            take(&memory, key, policy, NOW, 5);
            // Refused twice running, so that the refusal is known without a look at the state.
            assert!(!take(&memory, key, policy, NOW, 1).is_allowed());
            assert!(!take(&memory, key, policy, NOW, 1).is_allowed());
        }
    }
    ready(memory.reset("key")).unwrap();
    ready(memory.reset("never seen")).unwrap();
    for policy in &policies {
        assert_eq!(left(&memory, "key", policy, NOW), 5);
        assert_eq!(left(&memory, "other", policy, NOW), 0);
    }
    let admitted = |policy: &Policy| take(&memory, "key", policy, NOW, 5).is_allowed();
    // Token bucket, leaky bucket and GCRA share a state.
    assert_eq!(policies.iter().filter(|policy| admitted(policy)).count(), 4);
}

#[test]
fn clearing_forgets_every_key() {
    let memory = MemoryBackend::new(10_000);
    let policy = fixed(1);
    for n in 0..1_000 {
        let key = format!("key {n}");
        take(&memory, &key, &policy, NOW, 1);
        take(&memory, &key, &policy, NOW, 1);
        take(&memory, &key, &policy, NOW, 1);
    }
    memory.clear();
    assert_eq!(memory.stats().keys, 0);
    assert!((0..1_000).all(|n| take(&memory, &format!("key {n}"), &policy, NOW, 1).is_allowed()));
}

#[test]
fn a_refund_goes_to_the_window_that_was_charged_and_to_no_other() {
    for start in [WindowStart::Clock, WindowStart::FirstRequest] {
        let rate = Rate::per_minute(5);
        let builder = Policy::builder(Algorithm::FixedWindow, rate).window_start(start);
        let policy = builder.build().unwrap();
        let memory = MemoryBackend::new(100);
        take(&memory, "key", &policy, NOW, 5);
        assert!(!take(&memory, "key", &policy, NOW, 1).is_allowed());
        ready(memory.refund(charge("key", &policy, 2, NOW))).unwrap();
        assert_eq!(left(&memory, "key", &policy, NOW), 2);
        let next = NOW + MINUTE;
        take(&memory, "key", &policy, next, 4);
        ready(memory.refund(charge("key", &policy, 5, NOW))).unwrap();
        assert_eq!(left(&memory, "key", &policy, next), 1);
        ready(memory.refund(charge("key", &policy, 4, next))).unwrap();
        assert_eq!(left(&memory, "key", &policy, next), 5);
        ready(memory.refund(charge("never seen", &policy, 4, next))).unwrap();
        assert_eq!(left(&memory, "never seen", &policy, next), 5);
    }
}

#[test]
fn a_refund_frees_a_refused_client_at_once() {
    for policy in each_algorithm() {
        let memory = MemoryBackend::new(100);
        take(&memory, "key", &policy, NOW, 5);
        for _ in 0..3 {
            assert!(!take(&memory, "key", &policy, NOW, 1).is_allowed());
        }
        ready(memory.refund(charge("key", &policy, 5, NOW))).unwrap();
        let admitted = (0..9).filter(|_| take(&memory, "key", &policy, NOW, 1).is_allowed());
        assert_eq!(admitted.count(), 5);
    }
}

#[test]
fn a_changed_limit_keeps_what_was_counted() {
    let algorithms =
        [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::SlidingWindowCounter];
    for algorithm in algorithms {
        let of = |limit| Policy::new(algorithm, Rate::per_minute(limit));
        let memory = MemoryBackend::new(100);
        take(&memory, "key", &of(100), NOW, 60);
        for _ in 0..3 {
            assert!(!take(&memory, "key", &of(50), NOW, 1).is_allowed(), "{algorithm}");
            assert!(!take(&memory, "key", &of(0), NOW, 1).is_allowed(), "{algorithm}");
        }
        for _ in 0..3 {
            assert!(!take(&memory, "key", &of(50), NOW, 1).is_allowed(), "{algorithm}");
        }
        assert!(take(&memory, "key", &of(61), NOW, 1).is_allowed(), "{algorithm}");
        ready(memory.refund(charge("key", &of(61), 1, NOW))).unwrap();
        assert_eq!(left(&memory, "key", &of(50), NOW), 0, "{algorithm}");
        assert_eq!(left(&memory, "key", &of(100), NOW), 40, "{algorithm}");
        assert_eq!(left(&memory, "key", &of(200), NOW), 140, "{algorithm}");
        assert!(take(&memory, "key", &of(200), NOW, 140).is_allowed(), "{algorithm}");
    }
    let bucket = |size| {
        let builder = Policy::builder(Algorithm::TokenBucket, Rate::per_minute(10));
        builder.bucket_size(size).build().unwrap()
    };
    let memory = MemoryBackend::new(100);
    take(&memory, "key", &bucket(10), NOW, 4);
    assert_eq!(left(&memory, "key", &bucket(20), NOW), 16);
    assert_eq!(left(&memory, "key", &bucket(5), NOW), 1);
}

#[test]
fn late_readings_lose_nothing_at_the_boundary_of_a_window() {
    let policy = fixed(5);
    let memory = MemoryBackend::new(100);
    let boundary = NOW + MINUTE;
    assert!(take(&memory, "key", &policy, boundary - 1, 5).is_allowed());
    assert!(take(&memory, "key", &policy, boundary, 4).is_allowed());
    // A thread that read the clock before the boundary gets here after it.
    assert!(take(&memory, "key", &policy, boundary - 1, 1).is_allowed());
    assert!(!take(&memory, "key", &policy, boundary - 1, 1).is_allowed());
    assert!(!take(&memory, "key", &policy, boundary + 1, 1).is_allowed());
}

#[test]
fn late_readings_lose_nothing_when_one_batch_spans_several_shards() {
    let policy = fixed(5);
    for _ in 0..30 {
        // Seeds differ, so that the two keys share a shard or do not.
        let memory = MemoryBackend::new(20_000);
        let boundary = NOW + MINUTE;
        take(&memory, "early", &policy, boundary, 1);
        let both = ["early", "late"].map(|key| Check { key, policy: &policy, cost: 1 });
        for _ in 0..4 {
            assert!(ask(&memory, boundary - 1, &both, Mode::Charge).is_allowed());
        }
        // The four were charged to the new window, where the first key stood already.
        let more = take(&memory, "late", &policy, boundary - 1, 1).is_allowed();
        assert!(more && !take(&memory, "late", &policy, boundary - 1, 1).is_allowed());
        assert!(!take(&memory, "late", &policy, boundary, 1).is_allowed());
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_bring_an_old_refusal_to_life_again() {
    for policy in each_algorithm() {
        let memory = MemoryBackend::new(10);
        for key in ["key", "other"] {
            take(&memory, key, &policy, NOW, 5);
        }
        for key in ["key", "key", "other"] {
            assert!(!take(&memory, key, &policy, NOW, 1).is_allowed());
        }
        let back = NOW - 30 * DAY;
        assert!(!take(&memory, "key", &policy, back, 1).is_allowed());
        assert!(take(&memory, "key", &policy, NOW + 1, 1).is_allowed(), "idle for thirty days");
    }
}

#[test]
fn a_refusal_is_repeated_until_the_moment_at_which_it_ends() {
    for policy in each_algorithm() {
        let memory = MemoryBackend::new(10);
        take(&memory, "key", &policy, NOW, 5);
        let refused = take(&memory, "key", &policy, NOW, 1);
        let retry = refused.retry_at().unwrap().as_micros();
        for now in [NOW, NOW + 1, NOW + SECOND, retry - 1, retry - 1] {
            assert_eq!(take(&memory, "key", &policy, now, 1), refused);
        }
        assert!(take(&memory, "key", &policy, retry, 1).is_allowed());
    }
}

/// Admits three times, ever.
#[derive(Debug)]
struct ThreeTimes;

impl CustomAlgorithm for ThreeTimes {
    fn step(&self, cell: Option<Cell>, _now: Timestamp, cost: u32) -> Step {
        let used = cell.map_or(0, |cell| cell.0);
        let after = used + u64::from(cost);
        let never = Timestamp::MAX;
        let (cell, decision) = match after <= 3 {
            true => (Cell(after, 0), Decision::allow(3, 3 - after, never)),
            false => (Cell(used, 0), Decision::refuse(3, 3 - used, never, never)),
        };
        Step { cell, expires: never, decision }
    }
}

#[test]
fn an_algorithm_of_ones_own_is_kept_like_any_other() {
    let memory = MemoryBackend::new(10);
    let policy = Policy::custom("three times", ThreeTimes);
    let other = Policy::custom("three more times", ThreeTimes);
    for (policy, key) in [(&policy, "a"), (&policy, "b"), (&other, "a")] {
        let admitted = (0..9).filter(|_| take(&memory, key, policy, NOW, 1).is_allowed());
        assert_eq!(admitted.count(), 3);
    }
}
