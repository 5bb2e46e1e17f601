//! The memory backend within its bound: it forgets first what changes no decision.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod memory_support;
#[path = "../core/tests/oracle/mod.rs"]
mod oracle;

use actix_smart_ratelimit::backend::Backend;
use actix_smart_ratelimit::{Algorithm, Check, MemoryBackend, Mode, Policy, Rate};
use memory_support::{ask, left, ready, take};
use oracle::store::MapStore;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const NOW: u64 = 1_800_000_000 * SECOND;
const CAP: usize = 8;

fn policy(algorithm: Algorithm, limit: u32) -> Policy {
    Policy::new(algorithm, Rate::per_minute(limit))
}

#[test]
fn no_more_keys_are_kept_than_the_cap() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = policy(algorithm, 10);
        for cap in [1, 5, 100, 5_000] {
            let memory = MemoryBackend::new(cap);
            for n in 0..2 * cap {
                assert!(take(&memory, &format!("key {n}"), &policy, NOW, 1).is_allowed());
                assert!(memory.stats().keys <= cap as u64, "{name}, {cap}");
            }
            let stats = memory.stats();
            assert!(stats.keys > cap as u64 / 2, "{name}: {} of {cap}", stats.keys);
            assert_eq!(stats.keys + stats.evicted_live, 2 * cap as u64, "{name}");
            assert_eq!(stats.max_keys, cap as u64);
        }
    }
}

#[test]
fn a_cap_of_nothing_keeps_one_key() {
    let memory = MemoryBackend::new(0);
    let policy = policy(Algorithm::FixedWindow, 1);
    assert!(take(&memory, "key", &policy, NOW, 1).is_allowed());
    assert!(!take(&memory, "key", &policy, NOW, 1).is_allowed());
}

#[test]
fn keys_that_have_expired_vanish_as_others_come() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = policy(algorithm, 10);
        let memory = MemoryBackend::new(100_000);
        for n in 0..10_000 {
            // Each key is asked once; after two minutes at the latest nothing is held against it.
            take(&memory, &format!("key {n}"), &policy, NOW + n * SECOND, 1);
        }
        let stats = memory.stats();
        assert!(stats.keys < 2_000, "{name}: {} keys of the last two minutes", stats.keys);
        assert_eq!(stats.evicted_live, 0, "{name}");
    }
}

#[test]
fn a_warning_is_given_once_a_live_key_was_forgotten() {
    let memory = MemoryBackend::new(2);
    let policy = policy(Algorithm::FixedWindow, 10);
    for key in ["a", "b"] {
        take(&memory, key, &policy, NOW, 1);
    }
    assert!(ready(memory.health()).unwrap().warnings.is_empty());
    take(&memory, "c", &policy, NOW, 1);
    let warnings = ready(memory.health()).unwrap().warnings;
    assert!(warnings[0].contains("raise max_keys above 2"), "{warnings:?}");
}

#[test]
fn of_live_keys_the_least_spent_goes_first_and_a_refused_one_last() {
    let memory = MemoryBackend::new(CAP);
    let policy = policy(Algorithm::FixedWindow, 10);
    for (key, cost) in [("blocked", 10), ("spent", 10), ("half", 5)] {
        take(&memory, key, &policy, NOW, cost);
    }
    assert!(!take(&memory, "blocked", &policy, NOW, 1).is_allowed());
    for n in 0..1_000 {
        take(&memory, &format!("new {n}"), &policy, NOW, 1);
    }
    let kept = ["blocked", "spent", "half"].map(|key| left(&memory, key, &policy, NOW));
    assert_eq!(kept, [0, 0, 5]);
    for n in 0..1_000 {
        take(&memory, &format!("greedy {n}"), &policy, NOW, 10);
    }
    assert_eq!(left(&memory, "blocked", &policy, NOW), 0);
    assert_eq!(left(&memory, "half", &policy, NOW), 10, "nobody was refused there");
}

#[test]
fn expired_keys_go_before_live_ones_after_the_clock_was_set_back_too() {
    let memory = MemoryBackend::new(4);
    let policy = policy(Algorithm::FixedWindow, 10);
    let back = NOW - HOUR;
    for now in [NOW, back] {
        for key in ["a", "b", "c", "d"] {
            take(&memory, key, &policy, now, 5);
            take(&memory, key, &policy, now, 5);
        }
    }
    let later = back + MINUTE;
    for key in ["live", "e", "f", "g"] {
        take(&memory, key, &policy, later, 1);
    }
    assert_eq!(left(&memory, "live", &policy, later), 9);
    assert_eq!(memory.stats().evicted_live, 0);
}

#[derive(Clone, Copy, Debug)]
struct Request {
    /// Milliseconds since the last one.
    after: u64,
    key: usize,
    which: usize,
    cost: u32,
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let after = prop_oneof![4 => 0..200_u64, 1 => select(vec![1_000, 2_000, 10_000])];
    let one = (after, 0..24_usize, 0..6_usize, 0..6_u32)
        .prop_map(|(after, key, which, cost)| Request { after, key, which, cost });
    vec(one, 1..300)
}

proptest! {
    #[test]
    fn a_full_shard_changes_no_decision_while_anything_in_it_has_expired(requests in requests()) {
        let policies: Vec<Policy> = Algorithm::NAMES
            .into_iter()
            .map(|(_, algorithm)| Policy::new(algorithm, Rate::per_second(5)))
            .collect();
        let (memory, mut reference) = (MemoryBackend::new(CAP), MapStore::default());
        let mut now = NOW;
        for Request { after, key, which, cost } in requests {
            now += after * 1_000;
            reference.forget_expired(now);
            if reference.len() >= CAP {
                // Everything is live: a new key would have to displace one.
                continue;
            }
            let key = format!("key {key}");
            let check = [Check { key: &key, policy: &policies[which], cost }];
            let verdict = ask(&memory, now, &check, Mode::Charge);
            prop_assert_eq!(verdict, reference.check(now, &check, Mode::Charge));
            prop_assert!(memory.stats().keys <= CAP as u64);
        }
        prop_assert_eq!(memory.stats().evicted_live, 0);
    }
}
