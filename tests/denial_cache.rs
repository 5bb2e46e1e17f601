//! Known refusals are repeated without the store: exactly as long as they are true.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod wrap_support;

use std::{future::ready, sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Batch, Cell, Charge, Check, CustomAlgorithm, Decision, MemoryBackend, Policy, Rate,
    Step, Timestamp, Verdict,
    backend::{
        Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats,
        wrap::DenialCache,
    },
};
use wrap_support::{Later, ask, decided, now, one};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 86_400 * SECOND;
const NOW: u64 = 1_800_000_000 * SECOND + 123_457;
const LONG: Duration = Duration::from_secs(86_400);

type Store = Arc<Later<MemoryBackend>>;

fn store() -> Store {
    Later::new(MemoryBackend::new(10_000))
}

fn cached(store: &Store) -> DenialCache<Store> {
    DenialCache::around(store.clone()).max_age(LONG)
}

fn policy(limit: u32) -> Policy {
    Policy::new(Algorithm::SlidingWindow, Rate::per_minute(limit))
}

fn charge<'a>(key: &'a str, policy: &'a Policy) -> Charge<'a> {
    Charge { key, policy, cost: 1, charged_at: Timestamp::from_micros(NOW) }
}

/// Takes the only permit of a key and lets one more request be refused, so that the refusal is known.
fn exhaust(cache: &impl Backend, key: &str, policy: &Policy) {
    assert!(decided(cache, NOW, &one(key, policy)).is_allowed());
    assert!(!decided(cache, NOW, &one(key, policy)).is_allowed());
}

/// Whether a check is answered without the store. If not, its answer is given up.
fn is_known(cache: &impl Backend, at: u64, checks: &[Check<'_>]) -> bool {
    ask(cache, at, checks).is_ok_and(|verdict| !verdict.is_allowed())
}

#[test]
fn a_refusal_is_repeated_to_the_last_microsecond_before_the_store_would_admit() {
    for (name, algorithm) in Algorithm::NAMES {
        for ahead in [0, 5 * DAY] {
            let policy = Policy::new(algorithm, Rate::per_minute(1));
            let store = Later::ahead(MemoryBackend::new(100), ahead);
            let cache = DenialCache::around(store.clone()).max_age(LONG);
            exhaust(&cache, "key", &policy);
            let asked = store.checks();
            let first = decided(&cache, NOW, &one("key", &policy));
            let retry_at = first.decisions()[0].retry_at().unwrap().as_micros() - ahead;
            assert!(is_known(&cache, retry_at - 1, &one("key", &policy)), "{name}");
            assert_eq!(store.checks(), asked, "{name}: nothing was asked");
            let after = decided(&cache, retry_at, &one("key", &policy));
            assert!(after.is_allowed(), "{name}: admitted at the very microsecond");
            assert_eq!(store.checks(), asked + 1, "{name}");
        }
    }
}

#[test]
fn the_time_a_question_takes_is_never_added_to_a_refusal() {
    // The store decides 40 ms after it was asked: by then 40 ms less are left.
    let store = Later::ahead(MemoryBackend::new(100), 40_000);
    let cache = DenialCache::around(store.clone()).max_age(LONG);
    let policy = policy(1);
    exhaust(&cache, "key", &policy);
    let asked_at = NOW + 10 * SECOND;
    let fresh = DenialCache::around(store.clone()).max_age(LONG);
    let verdict = decided(&fresh, asked_at, &one("key", &policy));
    let left = verdict.decisions()[0].retry_at().unwrap().since(verdict.decided_at());
    assert_eq!(left, 50 * SECOND);
    assert!(is_known(&fresh, asked_at + left - 1, &one("key", &policy)));
    assert!(!is_known(&fresh, asked_at + left, &one("key", &policy)));
}

#[test]
fn a_repeated_answer_is_the_one_that_the_store_would_give() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = Policy::new(algorithm, Rate::per_minute(1));
        let (store, bare) = (Later::ahead(MemoryBackend::new(100), DAY), MemoryBackend::new(100));
        let cache = DenialCache::around(store.clone()).max_age(LONG);
        exhaust(&cache, "key", &policy);
        for _ in 0..2 {
            decided(&bare, NOW + DAY, &one("key", &policy));
        }
        let asked = store.checks();
        for later in [0, 1, 2_500_000, 30 * SECOND] {
            let verdict = decided(&cache, NOW + later, &one("key", &policy));
            let expected = decided(&bare, NOW + DAY + later, &one("key", &policy));
            if expected.is_allowed() {
                continue;
            }
            assert_eq!(verdict, expected, "{name}");
        }
        assert!(store.checks() <= asked + 1, "{name}");
    }
}

#[test]
fn an_answer_is_repeated_for_a_second_unless_told_otherwise() {
    for (max_age, cache) in [
        (SECOND, DenialCache::around(store())),
        (250_000, DenialCache::around(store()).max_age(Duration::from_millis(250))),
    ] {
        let policy = policy(1);
        exhaust(&cache, "key", &policy);
        assert!(is_known(&cache, NOW + max_age - 1, &one("key", &policy)));
        assert!(!is_known(&cache, NOW + max_age, &one("key", &policy)));
        // Asked again then, it is good for as long once more.
        assert!(!decided(&cache, NOW + max_age, &one("key", &policy)).is_allowed());
        assert!(is_known(&cache, NOW + 2 * max_age - 1, &one("key", &policy)));
    }
    let (cache, policy) = (DenialCache::around(store()).max_age(Duration::ZERO), policy(1));
    exhaust(&cache, "key", &policy);
    assert!(!is_known(&cache, NOW, &one("key", &policy)));
}

#[test]
fn what_is_refused_for_ever_is_repeated_for_the_greatest_age() {
    let (cache, policy) = (DenialCache::around(store()), policy(0));
    let first = decided(&cache, NOW, &one("key", &policy));
    let again = ask(&cache, NOW + SECOND - 1, &one("key", &policy)).ok().expect("it is known");
    assert!(first.decisions()[0].is_permanent() && again.decisions()[0].is_permanent());
    assert_eq!(again.decided_at(), Timestamp::from_micros(NOW + SECOND - 1));
    assert_eq!(again.decisions()[0].reset_at(), again.decided_at());
    assert!(!is_known(&cache, NOW + SECOND, &one("key", &policy)));
}

#[test]
fn at_a_time_before_the_question_nothing_is_known() {
    let (cache, policy) = (cached(&store()), policy(1));
    exhaust(&cache, "key", &policy);
    assert!(is_known(&cache, NOW, &one("key", &policy)));
    assert!(!is_known(&cache, NOW - 1, &one("key", &policy)));
}

/// A reset or a refund of `key` through the cache.
type Change = fn(&DenialCache<Store>, &Policy) -> BoxFuture<Result<(), BackendError>>;

const CHANGES: [Change; 2] =
    [|cache, _| cache.reset("key"), |cache, policy| cache.refund(charge("key", policy))];

#[test]
fn resets_and_refunds_take_effect_at_once() {
    for change in CHANGES {
        let (cache, policy) = (cached(&store()), policy(1));
        exhaust(&cache, "key", &policy);
        let changing = change(&cache, &policy);
        assert!(!is_known(&cache, NOW, &one("key", &policy)), "from the moment they begin");
        now(changing).unwrap();
        assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
    }
}

#[test]
fn a_refusal_that_arrives_after_a_reset_is_not_remembered() {
    for change in CHANGES {
        let (cache, policy) = (cached(&store()), policy(1));
        assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
        let under_way = ask(&cache, NOW, &one("key", &policy)).unwrap_err();
        now(change(&cache, &policy)).unwrap();
        assert!(!now(under_way).unwrap().is_allowed(), "the store had decided before");
        assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
    }
}

#[test]
fn a_refusal_from_before_a_reset_does_not_displace_a_newer_one() {
    for change in CHANGES {
        let (cache, policy) = (cached(&store()), policy(1));
        assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
        let under_way = ask(&cache, NOW, &one("key", &policy)).unwrap_err();
        now(change(&cache, &policy)).unwrap();
        exhaust(&cache, "key", &policy);
        assert!(!now(under_way).unwrap().is_allowed());
        assert!(is_known(&cache, NOW, &one("key", &policy)));
    }
}

#[test]
fn a_refusal_decided_while_a_reset_is_under_way_is_forgotten_when_that_has_ended() {
    for change in CHANGES {
        let (cache, policy) = (cached(&store()), policy(1));
        exhaust(&cache, "key", &policy);
        let changing = change(&cache, &policy);
        assert!(!decided(&cache, NOW, &one("key", &policy)).is_allowed());
        now(changing).unwrap();
        assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
    }
}

#[test]
fn a_reset_that_is_given_up_may_have_happened() {
    for change in CHANGES {
        let (cache, policy) = (cached(&store()), policy(1));
        exhaust(&cache, "key", &policy);
        let changing = change(&cache, &policy);
        assert!(!decided(&cache, NOW, &one("key", &policy)).is_allowed());
        assert!(is_known(&cache, NOW, &one("key", &policy)));
        drop(changing);
        assert!(!is_known(&cache, NOW, &one("key", &policy)));
    }
}

#[test]
fn a_reset_leaves_what_is_known_of_most_other_keys() {
    let (cache, policy) = (cached(&store()), policy(1));
    let keys: Vec<String> = (0..100).map(|n| format!("key {n}")).collect();
    for key in &keys {
        exhaust(&cache, key, &policy);
    }
    now(cache.reset("key 0")).unwrap();
    let known = keys.iter().filter(|key| is_known(&cache, NOW, &one(key, &policy))).count();
    assert!((90..100).contains(&known), "{known}");
}

#[test]
fn another_limit_key_or_kind_of_state_is_another_question() {
    let (cache, strict) = (cached(&store()), policy(1));
    exhaust(&cache, "key", &strict);
    let hourly = Policy::new(Algorithm::SlidingWindow, Rate::per_hour(1));
    let window = Policy::new(Algorithm::FixedWindow, Rate::per_minute(1));
    assert!(decided(&cache, NOW, &one("key", &policy(2))).is_allowed(), "the limit was raised");
    for (key, policy) in [("Key", &strict), ("key", &hourly), ("key", &window)] {
        assert!(!is_known(&cache, NOW, &one(key, policy)), "{key} {policy:?}");
    }
    assert!(is_known(&cache, NOW, &one("key", &strict)));
}

#[test]
fn batches_are_repeated_until_their_last_refusal_ends() {
    let (store, minutely) = (store(), policy(1));
    let hourly = Policy::new(Algorithm::SlidingWindow, Rate::per_hour(1));
    let daily = Policy::new(Algorithm::SlidingWindow, Rate::per_day(5));
    let cache = cached(&store);
    let checks = [one("a", &minutely)[0], one("b", &hourly)[0], one("a", &daily)[0]];
    assert!(decided(&cache, NOW, &checks).is_allowed());
    let first = decided(&cache, NOW, &checks);
    let asked = store.checks();
    let again = ask(&cache, NOW + SECOND, &checks).ok().expect("it is known");
    assert_eq!(again.decisions(), first.decisions());
    assert_eq!(again.decided_at(), first.decided_at() + SECOND);
    let [a, b, c] = [0, 1, 2].map(|index| again.decisions()[index]);
    assert!(!a.is_allowed() && !b.is_allowed() && c.is_allowed());
    assert_eq!((c.remaining(), again.deciding()), (4, 1));
    assert!(is_known(&cache, NOW + 3_600 * SECOND - 1, &checks));
    assert_eq!(store.checks(), asked);
    let [first, second, third] = checks;
    let others: [&[Check<'_>]; 4] =
        [&[second, first, third], &[first, second], &[second], &[first, third]];
    for other in others {
        assert!(!is_known(&cache, NOW, other), "{other:?} is another batch");
    }
    assert!(decided(&cache, NOW + 3_600 * SECOND, &checks).is_allowed());
}

#[test]
fn a_reset_of_any_key_of_a_batch_counts() {
    for key in ["a", "b", "c"] {
        let (cache, policy) = (cached(&store()), policy(1));
        let checks = ["a", "b", "c"].map(|key| one(key, &policy)[0]);
        for _ in 0..2 {
            decided(&cache, NOW, &checks);
        }
        assert!(is_known(&cache, NOW, &checks));
        now(cache.reset(key)).unwrap();
        assert!(!is_known(&cache, NOW, &checks), "{key}");
    }
}

#[derive(Debug)]
struct Never;

impl CustomAlgorithm for Never {
    fn step(&self, _: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let decision = match cost {
            0 => Decision::allow(1, 0, now),
            _ => Decision::refuse(1, 0, now, now + MINUTE),
        };
        Step { cell: Cell::default(), expires: now, decision }
    }
}

#[test]
fn what_could_change_is_asked_every_time() {
    let store = store();
    let cache = cached(&store);
    let strict = policy(1);
    let counting = Policy::builder(Algorithm::SlidingWindow, Rate::per_minute(1));
    let counting = counting.count_refused(true).build().unwrap();
    let custom = Policy::custom("never", Never);
    let two = Check { key: "two", policy: &strict, cost: 2 };
    let none = Check { key: "none", policy: &policy(0), cost: 0 };
    let [counted, own, plain] =
        [one("counted", &counting)[0], one("own", &custom)[0], one("plain", &strict)[0]];
    let batches: [&[Check<'_>]; 6] =
        [&[two], &[none], &[counted], &[own], &[plain, two], &[plain, counted]];
    for checks in batches {
        for _ in 0..3 {
            decided(&cache, NOW, checks);
        }
        let asked = store.checks();
        assert!(!is_known(&cache, NOW, checks), "{checks:?}");
        assert_eq!(store.checks(), asked + 1);
    }
}

#[test]
fn who_only_looks_asks_the_store() {
    let (store, policy) = (store(), policy(1));
    let cache = cached(&store);
    exhaust(&cache, "key", &policy);
    for asked in 1..4 {
        let mut batch = Batch::of(Timestamp::from_micros(NOW), one("key", &policy)[0]);
        assert!(matches!(cache.peek(&mut batch), Progress::Pending(_)));
        assert_eq!(store.peeks(), asked);
    }
}

/// Answers every check with the same verdict or error.
#[derive(Debug)]
struct Says(Result<Verdict, BackendError>);

impl Backend for Says {
    fn check(&self, _: &mut Batch<'_>) -> Progress {
        Progress::Pending(Box::pin(ready(self.0.clone())))
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

fn refusal(limit: u64) -> Decision {
    let at = |micros| Timestamp::from_micros(NOW + micros);
    Decision::refuse(limit, 0, at(MINUTE), at(MINUTE))
}

#[test]
fn errors_and_answers_to_something_else_are_not_remembered() {
    let at = Timestamp::from_micros(NOW);
    let policy = policy(1);
    for answer in [
        Err(BackendError::new(ErrorKind::Timeout, Fate::Unknown)),
        Ok(Verdict::default()),
        Ok(Verdict::new(at, [refusal(1), refusal(1)])),
        Ok(Verdict::new(at, [refusal(2)])),
        Ok(Verdict::new(at, [Decision::allow(1, 0, at)])),
    ] {
        let cache = DenialCache::around(Says(answer.clone()));
        for _ in 0..2 {
            let told = ask(&cache, NOW, &one("key", &policy)).expect_err("it is not known");
            assert_eq!(now(told).is_ok(), answer.is_ok());
        }
    }
}

#[test]
fn a_store_that_answers_at_once_is_asked_every_time() {
    let (cache, policy) = (DenialCache::around(MemoryBackend::new(100)), policy(1));
    exhaust(&cache, "key", &policy);
    assert!(is_known(&cache, NOW, &one("key", &policy)), "memory says so itself");
    assert_eq!(cache.stats().refused_locally, 0);
}

#[test]
fn without_capacity_everything_passes_through() {
    let (store, policy) = (store(), policy(1));
    let cache = DenialCache::around(store.clone()).capacity(0);
    exhaust(&cache, "key", &policy);
    assert!(!is_known(&cache, NOW, &one("key", &policy)));
    now(cache.reset("key")).unwrap();
    assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
    now(cache.refund(charge("key", &policy))).unwrap();
    assert!(decided(&cache, NOW, &one("key", &policy)).is_allowed());
    assert_eq!((cache.stats().refused_locally, store.checks()), (0, 5));
}

#[test]
fn what_is_refused_without_the_store_is_counted() {
    let (store, policy) = (store(), policy(1));
    let cache = DenialCache::around(DenialCache::around(store.clone()));
    exhaust(&cache, "key", &policy);
    let checks = [one("key", &policy)[0], one("other", &policy)[0]];
    decided(&cache, NOW, &checks);
    for _ in 0..5 {
        assert!(is_known(&cache, NOW, &one("key", &policy)));
        assert!(is_known(&cache, NOW, &checks));
    }
    assert_eq!(cache.stats().refused_locally, 10);
    assert_eq!(cache.stats().keys, store.stats().keys);
}

#[test]
fn answers_that_nobody_waits_for_leave_no_trace() {
    let (store, policy) = (store(), policy(1));
    let cache = cached(&store);
    for _ in 0..3 {
        drop(ask(&cache, NOW, &one("key", &policy)));
    }
    assert_eq!(store.checks(), 3);
    assert!(!is_known(&cache, NOW, &one("key", &policy)));
    assert!(!decided(&cache, NOW, &one("key", &policy)).is_allowed());
    assert!(is_known(&cache, NOW, &one("key", &policy)));
}

#[test]
fn hammering_asks_the_store_once() {
    let (store, policy) = (store(), policy(1));
    let cache = cached(&store);
    exhaust(&cache, "key", &policy);
    for check in 0..10_000 {
        assert!(is_known(&cache, NOW + check, &one("key", &policy)));
    }
    assert_eq!(store.checks(), 2);
}
