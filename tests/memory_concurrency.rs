//! The memory backend under many threads: exactly the limit is admitted, and batches stay whole.
//!
//! Ten million checks per algorithm in a release build, a million in a debug build.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod memory_support;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use actix_smart_ratelimit::backend::Backend;
use actix_smart_ratelimit::{
    Algorithm, Charge, Check, Decision, MemoryBackend, Mode, Policy, Rate, Timestamp, WindowStart,
};
use memory_support::{ask, left, ready, take};

const NOW: u64 = 1_800_000_000_000_000;
const THREADS: u64 = 8;
const CHECKS: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };

/// Every algorithm at `limit` an hour, in each of its variants.
fn policies(limit: u32) -> Vec<(String, Policy)> {
    let rate = Rate::per_hour(limit);
    let mut policies: Vec<_> = Algorithm::NAMES
        .into_iter()
        .map(|(name, algorithm)| (name.to_owned(), Policy::new(algorithm, rate)))
        .collect();
    let builder = Policy::builder(Algorithm::FixedWindow, rate);
    if let Ok(first) = builder.window_start(WindowStart::FirstRequest).build() {
        policies.push(("fixed_window from the first request".to_owned(), first));
    }
    policies
}

/// Runs `work` on every thread at once, with its number, and collects what each returns.
fn on_all_threads<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || work(n))).collect();
        let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
        results
            .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[test]
fn exactly_the_limit_is_admitted_on_one_key_and_each_remaining_is_answered_once() {
    for (name, policy) in policies(1_000) {
        let memory = MemoryBackend::new(100);
        // The clocks of the threads differ by up to a millisecond, and no permit comes back so soon.
        let remaining = on_all_threads(|thread| {
            let clock = |check: u64| NOW + (check.wrapping_mul(7_919) + thread * 131) % 1_000;
            let decisions =
                (0..CHECKS / THREADS).map(|check| take(&memory, "key", &policy, clock(check), 1));
            let admitted = decisions.filter(Decision::is_allowed);
            admitted.map(|decision| decision.remaining()).collect::<Vec<_>>()
        });
        for own in &remaining {
            assert!(own.is_sorted_by(|a, b| a > b), "{name}: each thread sees it fall");
        }
        let mut remaining = remaining.concat();
        remaining.sort_unstable();
        assert_eq!(remaining, (0..1_000).collect::<Vec<u64>>(), "{name}");
    }
}

#[test]
fn every_key_gets_exactly_its_limit_when_threads_share_many() {
    const KEYS: u64 = 500;
    for (name, policy) in policies(20) {
        let memory = MemoryBackend::new(20_000);
        let admitted: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
        on_all_threads(|thread| {
            for check in 0..CHECKS / THREADS / 10 {
                let number = (check * 31 + thread * 17) % KEYS;
                if take(&memory, &format!("key {number}"), &policy, NOW, 1).is_allowed() {
                    admitted[usize::try_from(number).unwrap_or(0)].fetch_add(1, Relaxed);
                }
            }
        });
        assert!(admitted.iter().all(|count| count.load(Relaxed) == 20), "{name}");
    }
}

#[test]
fn batches_are_charged_whole_or_not_at_all_whatever_runs_beside_them() {
    const USERS: u64 = 200;
    const TENANTS: u64 = 20;
    for (name, algorithm) in Algorithm::NAMES {
        let of = |limit| Policy::new(algorithm, Rate::per_hour(limit));
        let (user, tenant, everyone) = (of(10), of(90), of(1_000));
        let memory = MemoryBackend::new(20_000);
        let admitted = on_all_threads(|thread| {
            let mut admitted = Vec::new();
            for check in 0..CHECKS / THREADS / 10 {
                let who = (check.wrapping_mul(7_919) + thread * 131) % USERS;
                let (who_key, tenant_key) =
                    (format!("user {who}"), format!("tenant {}", who % TENANTS));
                let mut checks = [
                    Check { key: &who_key, policy: &user, cost: 1 },
                    Check { key: &tenant_key, policy: &tenant, cost: 1 },
                    Check { key: "everyone", policy: &everyone, cost: 1 },
                ];
                // Each thread asks in another order; nobody waits for anybody.
                checks.rotate_left(usize::try_from(thread % 3).unwrap_or(0));
                if ask(&memory, NOW, &checks, Mode::Charge).is_allowed() {
                    admitted.push(who);
                }
            }
            admitted
        })
        .concat();
        let count =
            |which: &dyn Fn(u64) -> bool| admitted.iter().filter(|who| which(**who)).count() as u64;
        assert_eq!(1_000 - left(&memory, "everyone", &everyone, NOW), count(&|_| true), "{name}");
        assert_eq!(admitted.len(), 1_000, "{name}: there is demand for all of it");
        for n in 0..USERS {
            let taken = 10 - left(&memory, &format!("user {n}"), &user, NOW);
            assert_eq!(taken, count(&|who| who == n), "{name}: user {n}");
        }
        for n in 0..TENANTS {
            let taken = 90 - left(&memory, &format!("tenant {n}"), &tenant, NOW);
            assert_eq!(taken, count(&|who| who % TENANTS == n), "{name}: tenant {n}");
        }
    }
}

#[test]
fn what_is_given_back_while_others_ask_is_admitted_again_exactly_once() {
    for (name, policy) in policies(100) {
        let memory = MemoryBackend::new(100);
        let kept = on_all_threads(|_| {
            let mut kept = 0;
            for check in 0..CHECKS / THREADS / 10 {
                if take(&memory, "key", &policy, NOW, 1).is_allowed() {
                    kept += 1;
                    if check % 3 != 0 {
                        let charge = Charge {
                            key: "key",
                            policy: &policy,
                            cost: 1,
                            charged_at: Timestamp::from_micros(NOW),
                        };
                        kept -= u64::from(ready(memory.refund(charge)).is_ok());
                    }
                }
            }
            kept
        });
        let kept: u64 = kept.iter().sum();
        assert_eq!(kept + left(&memory, "key", &policy, NOW), 100, "{name}");
    }
}
