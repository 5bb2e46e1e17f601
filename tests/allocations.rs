//! A check of a key that is present allocates nothing, whichever the algorithm and the outcome.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use actix_smart_ratelimit::{
    Algorithm, Batch, Check, MemoryBackend, Policy, Rate, Timestamp,
    backend::{
        Backend, Progress,
        multi::{MultiBackend, Strategy},
    },
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn blocks_of(calls: impl FnOnce()) -> u64 {
    let before = dhat::HeapStats::get().total_blocks;
    calls();
    dhat::HeapStats::get().total_blocks - before
}

fn check(memory: &impl Backend, policies: &[Policy], now: Timestamp) -> bool {
    let mut batch = Batch::new(now);
    for policy in policies {
        batch.push(Check { key: "ratelimit:login:ip:203.0.113.7", policy, cost: 1 }).unwrap();
    }
    assert!(matches!(memory.check(&mut batch), Progress::Done));
    batch.verdict().is_allowed()
}

#[test]
fn checking_a_present_key_allocates_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let now = Timestamp::from_secs(1_800_000_000);
    for (name, algorithm) in Algorithm::NAMES {
        let memory = MemoryBackend::new(1_000);
        let policy = [Policy::new(algorithm, Rate::per_minute(3))];
        assert!(check(&memory, &policy, now), "{name}");
        let blocks = blocks_of(|| {
            // At the same microsecond, so that the log of a sliding window has one entry.
            let outcomes = [(); 9].map(|()| check(&memory, &policy, now));
            assert_eq!(outcomes.iter().filter(|allowed| **allowed).count(), 2, "{name}");
        });
        assert_eq!(blocks, 0, "{name}");
    }
    let memory = MemoryBackend::new(1_000);
    let rates = [Rate::per_second(2), Rate::per_minute(3)];
    let several = rates.map(|rate| Policy::new(Algorithm::Gcra, rate));
    assert!(check(&memory, &several, now));
    assert_eq!(blocks_of(|| assert!(check(&memory, &several, now))), 0);
    assert_eq!(blocks_of(|| assert!(!check(&memory, &several, now))), 0);
    for strategy in [Strategy::FirstHealthy, Strategy::RoundRobin] {
        checking_through_members_allocates_nothing(strategy, now);
    }
}

/// A member of several that answers at once, with all others well, is asked without a detour.
fn checking_through_members_allocates_nothing(strategy: Strategy, now: Timestamp) {
    let member = || MemoryBackend::new(1_000);
    let builder = MultiBackend::builder().member("a", member()).member("b", member());
    let multi = builder.strategy(strategy).build().unwrap();
    let policy = [Policy::new(Algorithm::Gcra, Rate::per_minute(3))];
    assert!(check(&multi, &policy, now));
    for allowed in [true, true, false, false] {
        let blocks = blocks_of(|| assert_eq!(check(&multi, &policy, now), allowed));
        assert_eq!(blocks, 0, "{strategy:?}");
    }
}
