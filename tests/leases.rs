//! Permits are taken in lots and handed out from memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod wrap_support;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Batch, Cell, Charge, Check, CustomAlgorithm, Decision, Error, MemoryBackend, Policy,
    Rate, Step, Timestamp, Verdict, WindowStart,
    backend::{
        Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats, wrap::Leases,
    },
};
use wrap_support::{Later, ask, decided, now, one};

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
/// A whole multiple of minutes and hours.
const NOW: u64 = 1_800_000_000 * SECOND;
const LONG: Duration = Duration::from_secs(86_400);

type Store = Arc<Later<MemoryBackend>>;

fn store() -> Store {
    Later::new(MemoryBackend::new(10_000))
}

fn leases(store: &Store, lot: u32) -> Leases<Store> {
    Leases::around(store.clone(), lot).lifetime(LONG)
}

fn policy(limit: u32) -> Policy {
    Policy::new(Algorithm::FixedWindow, Rate::per_hour(limit))
}

fn take(backend: &impl Backend, at: u64, policy: &Policy) -> Decision {
    decided(backend, at, &one("key", policy)).decisions()[0]
}

/// How many of `most` requests are admitted before the first refusal.
fn admitted(backend: &impl Backend, at: u64, policy: &Policy, most: usize) -> usize {
    (0..most).take_while(|_| take(backend, at, policy).is_allowed()).count()
}

/// Permits that the store has left.
fn left_in_store(store: &Store, at: u64, policy: &Policy) -> u64 {
    let check = Check { key: "key", policy, cost: 0 };
    let mut batch = Batch::of(Timestamp::from_micros(at), check);
    match store.peek(&mut batch) {
        Progress::Pending(answer) => now(answer).unwrap().decisions()[0].remaining(),
        Progress::Done => unreachable!(),
    }
}

#[test]
fn a_lot_is_handed_out_for_one_question() {
    let (store, policy) = (store(), policy(100));
    let leases = leases(&store, 10);
    for number in 1..=25 {
        let decision = take(&leases, NOW, &policy);
        let told = (decision.limit(), decision.remaining());
        assert!(decision.is_allowed() && told == (100, 100 - number), "{number}: {decision:?}");
        assert_eq!(store.checks(), number.div_ceil(10), "{number}");
    }
    assert_eq!(leases.stats().leased, 22);
    assert_eq!(left_in_store(&store, NOW, &policy), 70);
}

#[test]
fn a_store_that_answers_at_once_serves_as_well() {
    let memory = Arc::new(MemoryBackend::new(100));
    let leases = Leases::around(memory.clone(), 4).lifetime(LONG);
    let policy = policy(10);
    for _ in 0..10 {
        assert!(ask(&leases, NOW, &one("key", &policy)).is_ok_and(|told| told.is_allowed()));
    }
    assert_eq!(leases.stats().leased, 6, "two lots of four, and two for themselves");
    assert!(!take(&leases, NOW, &policy).is_allowed());
    assert!(!take(&*memory, NOW, &policy).is_allowed());
}

#[test]
fn costs_come_out_of_the_lot_and_what_is_missing_is_filled_up() {
    let (store, policy) = (store(), policy(100));
    let leases = leases(&store, 10);
    let take = |cost| {
        let check = [Check { key: "key", policy: &policy, cost }];
        decided(&leases, NOW, &check).decisions()[0].remaining()
    };
    assert_eq!([take(3), take(6)], [97, 91]);
    assert_eq!((store.checks(), left_in_store(&store, NOW, &policy)), (1, 90));
    // One is left, two are needed: nine more make a full lot.
    assert_eq!(take(2), 89);
    assert_eq!((store.checks(), left_in_store(&store, NOW, &policy)), (2, 81));
    assert_eq!(take(8), 81);
    // As much as a lot, or more, is asked for as it is.
    assert_eq!([take(10), take(25)], [71, 46]);
    assert_eq!((store.checks(), left_in_store(&store, NOW, &policy)), (4, 46));
}

#[test]
fn at_the_end_of_its_lifetime_a_lot_is_filled_up_by_the_store() {
    assert_eq!(Leases::<()>::DEFAULT_LIFETIME, Duration::from_secs(1));
    for lifetime in [SECOND, 200_000] {
        let store = store();
        let leases = Leases::around(store.clone(), 10).lifetime(Duration::from_micros(lifetime));
        let policy = policy(100);
        take(&leases, NOW, &policy);
        take(&leases, NOW + lifetime - 1, &policy);
        assert_eq!(store.checks(), 1);
        let decision = take(&leases, NOW + lifetime, &policy);
        assert_eq!((store.checks(), decision.remaining()), (2, 97));
        // Three were handed out and nine are held.
        assert_eq!(left_in_store(&store, NOW + lifetime, &policy), 88);
        take(&leases, NOW + 2 * lifetime - 1, &policy);
        assert_eq!(store.checks(), 2);
    }
}

#[test]
fn no_permit_outlives_its_window() {
    let first = Policy::builder(Algorithm::FixedWindow, Rate::per_minute(10));
    let first = first.window_start(WindowStart::FirstRequest).build().unwrap();
    let clock = Policy::new(Algorithm::FixedWindow, Rate::per_minute(10));
    let counter = Policy::new(Algorithm::SlidingWindowCounter, Rate::per_minute(10));
    let begin = NOW + 20 * SECOND;
    for (policy, end) in [(first, begin + MINUTE), (clock, NOW + MINUTE), (counter, NOW + MINUTE)] {
        let store = store();
        let leases = leases(&store, 5);
        take(&leases, begin, &policy);
        take(&leases, end - 1, &policy);
        assert_eq!(store.checks(), 1, "{policy:?}");
        take(&leases, end, &policy);
        assert_eq!(store.checks(), 2, "{policy:?}: another window, another lot");
    }
}

#[test]
fn a_window_ends_by_the_time_that_was_left_when_the_store_was_asked() {
    // The store's clock is 40 ms ahead.
    let store = Later::ahead(MemoryBackend::new(100), 40_000);
    let leases = leases(&store, 5);
    let policy = Policy::new(Algorithm::FixedWindow, Rate::per_minute(10));
    take(&leases, NOW, &policy);
    take(&leases, NOW + MINUTE - 40_001, &policy);
    assert_eq!(store.checks(), 1);
    take(&leases, NOW + MINUTE - 40_000, &policy);
    assert_eq!(store.checks(), 2);
}

#[test]
fn permits_of_a_window_that_ended_while_the_store_was_asked_are_not_handed_out() {
    let store = store();
    let leases = Leases::around(store.clone(), 5);
    let policy = Policy::new(Algorithm::FixedWindow, Rate::per_minute(10));
    take(&leases, NOW, &policy);
    // Four are held when the last millisecond begins. The question takes five.
    store.set_ahead(5_000);
    let decision = take(&leases, NOW + MINUTE - 1_000, &policy);
    assert_eq!((decision.remaining(), store.checks()), (9, 2));
    assert!(ask(&leases, NOW + MINUTE - 1_000, &one("key", &policy)).is_err(), "none is held");
}

#[test]
fn what_is_left_of_a_window_that_still_counts_goes_back() {
    let (store, bare) = (store(), MemoryBackend::new(100));
    let leases = leases(&store, 8);
    let counter = Policy::new(Algorithm::SlidingWindowCounter, Rate::per_minute(10));
    for at in [NOW + SECOND, NOW + 2 * SECOND, NOW + MINUTE] {
        let expected = take(&bare, at, &counter);
        assert_eq!(take(&leases, at, &counter).remaining(), expected.remaining());
    }
    assert_eq!(store.refunds(), 1);
    let fixed = Policy::new(Algorithm::FixedWindow, Rate::per_minute(10));
    for at in [NOW, NOW + MINUTE, NOW + 2 * MINUTE] {
        take(&leases, at, &fixed);
    }
    assert_eq!(store.refunds(), 1, "to a fixed window that is over nothing can be given back");
}

#[test]
fn near_the_limit_every_permit_is_handed_out_by_somebody() {
    for (name, algorithm) in Algorithm::NAMES {
        let policy = Policy::new(algorithm, Rate::per_hour(23));
        let store = store();
        let processes = [leases(&store, 10), leases(&store, 10), leases(&store, 10)];
        let counts = processes.each_ref().map(|leases| admitted(leases, NOW, &policy, 100));
        assert_eq!(counts, [23, 0, 0], "{name}: by the first alone");
        let store = self::store();
        let processes = [leases(&store, 10), leases(&store, 10), leases(&store, 10)];
        let mut total = 0;
        for turn in 0..100 {
            total += usize::from(take(&processes[turn % 3], NOW, &policy).is_allowed());
        }
        assert_eq!(total, 23, "{name}: in turns");
    }
}

#[test]
fn a_store_that_has_no_lot_is_not_asked_for_one_all_the_time() {
    let (store, policy) = (store(), policy(10));
    let leases = Leases::around(store.clone(), 10);
    take(&*store, NOW, &policy);
    for number in 1..=9 {
        assert_eq!(take(&leases, NOW, &policy).remaining(), 9 - number);
        // The first one asks for a lot in vain, and then for itself.
        assert_eq!(store.checks(), 1 + 1 + number);
    }
    for _ in 0..5 {
        assert!(!take(&leases, NOW, &policy).is_allowed());
    }
    assert_eq!(store.checks(), 1 + 1 + 9 + 5);
    take(&leases, NOW + SECOND, &policy);
    assert_eq!(store.checks(), 1 + 1 + 9 + 5 + 2, "after the lifetime it might have one");
}

#[test]
fn as_soon_as_the_store_might_have_a_lot_it_is_asked() {
    let store = store();
    let leases = leases(&store, 3);
    // A permit every six seconds; three are there after eighteen.
    let policy = Policy::new(Algorithm::TokenBucket, Rate::per_minute(10));
    assert_eq!(admitted(&*store, NOW, &policy, 20), 10);
    assert!(!take(&leases, NOW, &policy).is_allowed());
    let asked = store.checks();
    assert!(take(&leases, NOW + 18 * SECOND - 1, &policy).is_allowed());
    assert_eq!(store.checks(), asked + 1);
    // For a lot, in vain because of the last one, and for itself.
    assert!(take(&leases, NOW + 18 * SECOND, &policy).is_allowed());
    assert_eq!(store.checks(), asked + 3);
}

#[test]
fn what_is_held_is_handed_out_though_the_store_has_nothing_left() {
    let (store, policy) = (store(), policy(10));
    let (one, other) = (Leases::around(store.clone(), 5), leases(&store, 5));
    take(&one, NOW, &policy);
    assert_eq!(admitted(&other, NOW, &policy, 20), 5);
    let later = NOW + SECOND;
    assert_eq!(admitted(&other, later, &policy, 20), 0);
    assert_eq!(admitted(&one, later, &policy, 20), 4, "past its lifetime");
    assert_eq!(left_in_store(&store, later, &policy), 0);
}

#[test]
fn while_a_lot_is_under_way_others_ask_for_themselves() {
    let (store, policy) = (store(), policy(100));
    let leases = leases(&store, 10);
    let first = ask(&leases, NOW, &one("key", &policy)).expect_err("it asks for a lot");
    let second = ask(&leases, NOW, &one("key", &policy)).expect_err("it asks for itself");
    assert_eq!(left_in_store(&store, NOW, &policy), 89);
    assert_eq!(now(second).unwrap().decisions()[0].remaining(), 89);
    assert_eq!(now(first).unwrap().decisions()[0].remaining(), 99);
    assert!(ask(&leases, NOW, &one("key", &policy)).is_ok(), "the lot has arrived");
}

#[test]
fn what_is_held_is_handed_out_while_more_is_under_way() {
    let (store, policy) = (store(), policy(100));
    let leases = leases(&store, 10);
    let of = |cost| [Check { key: "key", policy: &policy, cost }];
    decided(&leases, NOW, &of(5));
    let large = ask(&leases, NOW, &of(6)).expect_err("five are left");
    for _ in 0..5 {
        assert!(ask(&leases, NOW, &of(1)).is_ok());
    }
    assert!(ask(&leases, NOW, &of(1)).is_err());
    assert!(now(large).unwrap().is_allowed());
    // 17 were taken, one of them by the one that asked for itself: all but none are handed out.
    assert_eq!(left_in_store(&store, NOW, &policy), 100 - 10 - 6 - 1);
    assert!(ask(&leases, NOW, &of(1)).is_err(), "nothing is held");
}

#[test]
fn a_lot_that_nobody_waits_for_any_more_is_asked_for_again() {
    let (store, policy) = (store(), policy(100));
    let leases = leases(&store, 10);
    drop(ask(&leases, NOW, &one("key", &policy)));
    assert_eq!(take(&leases, NOW, &policy).remaining(), 89, "the first lot is lost");
    assert!(ask(&leases, NOW, &one("key", &policy)).is_ok());
    assert_eq!(store.checks(), 2);
}

#[derive(Debug)]
struct Once;

impl CustomAlgorithm for Once {
    fn step(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        let cell = cell.unwrap_or_default();
        let decision = Decision::allow(100, 100 - cell.0, now);
        Step { cell: Cell(cell.0 + u64::from(cost), 0), expires: Timestamp::MAX, decision }
    }
}

#[test]
fn what_cannot_be_leased_goes_to_the_store_as_it_is() {
    let store = store();
    let leases = leases(&store, 10);
    let plain = policy(100);
    let counting = Policy::builder(Algorithm::FixedWindow, Rate::per_hour(100));
    let counting = counting.count_refused(true).build().unwrap();
    let custom = Policy::custom("once", Once);
    let (single, nothing) = (policy(1), policy(0));
    let of = |key, policy, cost| Check { key, policy, cost };
    let batches: [&[Check<'_>]; 8] = [
        &[of("a", &plain, 1), of("b", &plain, 1)],
        &[of("c", &plain, 0)],
        &[of("d", &plain, 10)],
        &[of("e", &counting, 1)],
        &[of("f", &custom, 1)],
        &[of("g", &single, 1)],
        &[of("h", &nothing, 1)],
        &[],
    ];
    for checks in batches {
        for _ in 0..2 {
            let asked = store.checks();
            decided(&leases, NOW, checks);
            assert_eq!(store.checks(), asked + 1, "{checks:?}");
        }
    }
    assert_eq!(leases.stats().leased, 0);
    let mut batch = Batch::of(Timestamp::from_micros(NOW), of("a", &plain, 1));
    assert!(matches!(leases.peek(&mut batch), Progress::Pending(_)));
    assert_eq!(store.peeks(), 1);
}

#[test]
fn a_lot_is_at_least_two_and_at_most_the_limit() {
    let (store, three) = (store(), policy(3));
    let small = leases(&store, 0);
    take(&small, NOW, &policy(100));
    take(&small, NOW, &policy(100));
    assert_eq!((store.checks(), small.stats().leased), (1, 1));
    let large = leases(&store, 1_000);
    let check = [Check { key: "other", policy: &three, cost: 1 }];
    for _ in 0..3 {
        assert!(decided(&large, NOW, &check).is_allowed());
    }
    assert_eq!((store.checks(), large.stats().leased), (2, 2));
    assert!(!decided(&large, NOW, &check).is_allowed());
}

#[test]
fn another_limit_or_kind_of_state_has_a_lot_of_its_own() {
    let store = store();
    let leases = leases(&store, 10);
    let daily = Policy::new(Algorithm::FixedWindow, Rate::per_day(100));
    for policy in [&policy(100), &policy(50), &daily] {
        assert!(ask(&leases, NOW, &one("key", policy)).is_err_and(|answer| now(answer).is_ok()));
        assert!(ask(&leases, NOW, &one("key", policy)).is_ok());
    }
}

#[test]
fn a_reset_forgets_what_is_held() {
    let (store, policy) = (store(), policy(10));
    let leases = leases(&store, 5);
    take(&leases, NOW, &policy);
    let resetting = leases.reset("key");
    // Taken while the reset is under way, and forgotten by it.
    take(&leases, NOW, &policy);
    now(resetting).unwrap();
    assert_eq!(admitted(&leases, NOW, &policy, 100), 10);
    let resetting = leases.reset("key");
    take(&leases, NOW, &policy);
    drop(resetting);
    let asked = store.checks();
    take(&leases, NOW, &policy);
    assert!(store.checks() > asked, "a reset that was given up may have happened");
}

#[test]
fn a_lot_that_arrives_after_a_reset_is_forgotten() {
    let (store, policy) = (store(), policy(10));
    let leases = leases(&store, 5);
    let under_way = ask(&leases, NOW, &one("key", &policy)).expect_err("it asks for a lot");
    now(leases.reset("key")).unwrap();
    assert!(now(under_way).unwrap().is_allowed());
    assert_eq!(admitted(&leases, NOW, &policy, 100), 10);
}

#[test]
fn a_refund_reaches_the_charge_that_a_leased_permit_came_from() {
    for (name, algorithm) in Algorithm::NAMES {
        let (store, policy) = (store(), Policy::new(algorithm, Rate::per_day(100)));
        let leases = leases(&store, 10);
        take(&leases, NOW, &policy);
        let leased = ask(&leases, NOW + 7, &one("key", &policy)).ok().expect("it is leased");
        let charged_at = leased.decided_at();
        let charge = Charge { key: "key", policy: &policy, cost: 1, charged_at };
        now(leases.refund(charge)).unwrap();
        assert_eq!(left_in_store(&store, NOW + 7, &policy), 91, "{name}");
    }
}

#[test]
fn keys_beyond_the_bound_are_not_leased_until_lots_have_ended() {
    let (store, policy) = (store(), policy(100));
    let leases = Leases::around(store.clone(), 10).max_keys(64);
    let keys: Vec<String> = (0..2_000).map(|n| format!("key {n}")).collect();
    for key in &keys {
        decided(&leases, NOW, &one(key, &policy));
    }
    let is_leased =
        |at: u64| keys.iter().filter(|key| ask(&leases, at, &one(key, &policy)).is_ok()).count();
    assert_eq!(is_leased(NOW), 64);
    for key in &keys[1_000..] {
        decided(&leases, NOW + SECOND, &one(key, &policy));
    }
    assert_eq!(is_leased(NOW + SECOND), 64, "others have taken their places");
}

#[test]
fn at_a_time_before_the_lot_was_asked_for_the_store_is_asked() {
    let (store, policy) = (store(), policy(100));
    let leases = leases(&store, 10);
    take(&leases, NOW + 5, &policy);
    assert!(ask(&leases, NOW + 4, &one("key", &policy)).is_err());
    assert!(ask(&leases, NOW + 5, &one("key", &policy)).is_ok());
}

/// Answers questions for a lot in an unexpected way, until told otherwise.
#[derive(Debug)]
struct Odd {
    inner: MemoryBackend,
    answer: Result<Verdict, BackendError>,
    at_once: bool,
}

impl Backend for Odd {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let is_lot = batch.checks()[0].cost > 1;
        match (is_lot, self.at_once) {
            (false, _) => self.inner.check(batch),
            (true, true) => Progress::Done,
            (true, false) => Progress::Pending(Box::pin(std::future::ready(self.answer.clone()))),
        }
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.inner.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.inner.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn validate(&self, _: &Policy, cost: u32) -> Result<(), Error> {
        match cost {
            1 => Ok(()),
            _ => Err(Error::new("cost", cost.to_string(), "it is not 1", "use 1")),
        }
    }
}

#[test]
fn errors_of_the_store_reach_the_caller_and_nothing_is_held_then() {
    let error = BackendError::new(ErrorKind::Timeout, Fate::Unknown);
    let odd = |answer, at_once| {
        Leases::around(Odd { inner: MemoryBackend::new(10), answer, at_once }, 10)
    };
    let policy = policy(100);
    let failing = odd(Err(error), false);
    for _ in 0..3 {
        let answer = ask(&failing, NOW, &one("key", &policy)).expect_err("it asks for a lot");
        assert_eq!(now(answer).unwrap_err().kind(), ErrorKind::Timeout);
    }
    for leases in [odd(Ok(Verdict::default()), false), odd(Ok(Verdict::default()), true)] {
        for _ in 0..3 {
            let verdict = decided(&leases, NOW, &one("key", &policy));
            assert!(verdict.decisions().is_empty(), "what decides nothing is passed on");
        }
        assert_eq!(leases.stats().leased, 0);
    }
}

#[test]
fn a_policy_of_which_the_store_cannot_take_lots_is_told_beforehand() {
    let answer = Ok(Verdict::default());
    let odd = Odd { inner: MemoryBackend::new(10), answer, at_once: true };
    let leases = Leases::around(odd, 10);
    assert_eq!(leases.validate(&policy(100), 1).unwrap_err().field(), "cost");
    assert!(leases.validate(&policy(1), 1).is_ok(), "it is never leased");
    assert!(leases.validate(&policy(100), 20).is_err());
}
