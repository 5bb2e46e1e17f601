//! A flood of new keys: memory stays flat at the cap, and no refused client is set free.
//!
//! Fifty million keys in a release build, a million in a debug build. The only test of its file, so
//! that the resident memory of the process is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod memory_support;

use std::fmt::Write;

use actix_smart_ratelimit::backend::Backend;
use actix_smart_ratelimit::{Algorithm, MemoryBackend, Policy, Rate};
use memory_support::take;

const NOW: u64 = 1_800_000_000_000_000;
const CAP: usize = 100_000;
const PLANTED: usize = 1_000;
const FLOOD: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 50_000_000 };

/// Pages of memory that the process holds, where the system says so.
fn resident_pages() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse().ok()
}

fn grew_by_at_most_a_twentieth(before: u64, after: u64) -> bool {
    after <= before + before / 20
}

#[test]
fn a_flood_of_new_keys_leaves_memory_flat_and_blocked_keys_blocked() {
    let memory = MemoryBackend::new(CAP);
    // Half of the states are cells, half are logs; the flood spends its limits as well.
    let policies = [Algorithm::FixedWindow, Algorithm::SlidingWindow]
        .map(|algorithm| Policy::new(algorithm, Rate::per_day(1)));
    let planted: Vec<String> = (0..PLANTED).map(|n| format!("planted {n}")).collect();
    for (n, key) in planted.iter().enumerate() {
        let policy = &policies[n % 2];
        assert!(take(&memory, key, policy, NOW, 1).is_allowed());
        assert!(!take(&memory, key, policy, NOW, 1).is_allowed());
    }
    let (mut key, mut full) = (String::new(), None);
    for n in 0..FLOOD {
        key.clear();
        assert!(write!(key, "2001:db8:{:x}:{:x}::/64", n >> 16, n & 0xffff).is_ok());
        let policy = &policies[usize::from(n % 2 == 0)];
        assert!(take(&memory, &key, policy, NOW + n, 1).is_allowed());
        // The tables and the allocator have settled once the cap has been filled several times.
        if n == 5 * CAP as u64 {
            full = Some((memory.stats(), resident_pages()));
        }
    }
    let (at_cap, pages_at_cap) = full.unwrap_or_default();
    let stats = memory.stats();
    assert!(stats.keys <= CAP as u64 && stats.keys > CAP as u64 * 95 / 100, "{stats:?}");
    assert!(grew_by_at_most_a_twentieth(at_cap.bytes, stats.bytes), "{at_cap:?} {stats:?}");
    if let (Some(before), Some(after)) = (pages_at_cap, resident_pages()) {
        assert!(grew_by_at_most_a_twentieth(before, after), "{before} to {after} pages");
    }
    let end = NOW + FLOOD;
    let freed = (0..PLANTED)
        .filter(|n| take(&memory, &planted[*n], &policies[n % 2], end, 1).is_allowed())
        .count();
    assert_eq!(freed, 0, "blocked clients that the flood set free");
}
