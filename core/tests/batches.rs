//! Batches of checks against "one after the other, and undo": all or nothing, over shared keys,
//! mixed policies and counted refusals.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{
    Algorithm, Batch, Cell, Check, CustomAlgorithm, Decision, Mode, Policy, Rate, Step, Timestamp,
    Verdict,
};
use oracle::Answer;
use oracle::batch::{Asked, Ledger};
use oracle::generate::{Case, KINDS, Parameters, starts};
use oracle::store::MapStore;
use oracle::turns::{state_of, turn};
use proptest::collection::vec;
use proptest::prelude::*;

const MINUTE: u64 = 60_000_000;

proptest! {
    #[test]
    fn a_batch_is_charged_whole_or_not_at_all(
        start in starts(),
        turns in vec(turn(), 1..25),
        forgetful in any::<bool>(),
    ) {
        let (mut store, mut ledger) = (MapStore::default(), Ledger::default());
        let (mut now, mut last) = (start, None);
        for turn in turns {
            now = turn.advance.from(now, &turn.questions[0].case.rule, last.as_ref());
            let checks = turn.checks();
            let asked: Vec<Asked> = turn.questions.iter().zip(&checks)
                .map(|(q, check)| Asked {
                    key: q.key,
                    state: state_of(q.kind),
                    rule: q.case.rule,
                    count_refused: q.case.policy.counts_refused(),
                    cost: check.cost,
                })
                .collect();
            if forgetful {
                store.forget_expired(now);
            }
            let verdict = store.check(now, &checks, turn.mode);
            let answers: Vec<Answer> = verdict.decisions().iter().map(Answer::from).collect();
            let expected = ledger.settle(now, &asked, turn.mode);
            prop_assert_eq!(&answers, &expected);
            prop_assert_eq!(verdict.is_allowed(), expected.iter().all(|answer| answer.allowed));
            last = answers.last().copied();
        }
    }
}

fn fixed(limit: u32, count_refused: bool) -> Policy {
    let rate = Rate::per_minute(limit);
    Policy::builder(Algorithm::FixedWindow, rate).count_refused(count_refused).build().unwrap()
}

#[test]
fn a_refused_batch_takes_nothing_from_any_of_its_keys() {
    let (wide, narrow) = (fixed(10, false), fixed(1, false));
    let both = [
        Check { key: "wide", policy: &wide, cost: 4 },
        Check { key: "narrow", policy: &narrow, cost: 1 },
    ];
    let mut store = MapStore::default();
    assert!(store.check(0, &both, Mode::Charge).is_allowed());
    for _ in 0..5 {
        let verdict = store.check(0, &both, Mode::Charge);
        assert!(!verdict.is_allowed());
        assert!(verdict.decisions()[0].is_allowed(), "the wide one alone would have admitted");
        assert_eq!(verdict.decisions()[0].remaining(), 6);
        assert_eq!(verdict.deciding(), 1);
    }
}

#[test]
fn checks_of_one_batch_on_one_key_are_added_up() {
    for kind in KINDS {
        let parameters = Parameters {
            limit: 5,
            period: MINUTE,
            bucket_size: None,
            refill: None,
            initial: None,
            count_refused: false,
        };
        let Case { policy, .. } = kind.case(parameters).unwrap();
        let three = Check { key: "key", policy: &policy, cost: 3 };
        let mut store = MapStore::default();
        assert!(!store.check(0, &[three, three], Mode::Charge).is_allowed(), "{kind:?}: 6 of 5");
        assert_eq!(store.peek(&policy, 0, 0).remaining(), 5, "{kind:?}: nothing was taken");
        let two = Check { cost: 2, ..three };
        assert!(store.check(0, &[three, two], Mode::Charge).is_allowed(), "{kind:?}: 5 of 5");
        assert_eq!(store.peek(&policy, 0, 0).remaining(), 0, "{kind:?}");
    }
}

#[test]
fn counting_a_refusal_never_turns_it_into_an_admission() {
    let (plain, counting) = (fixed(10, false), fixed(10, true));
    let mut store = MapStore::default();
    let together = [
        Check { key: "key", policy: &plain, cost: 7 },
        Check { key: "key", policy: &counting, cost: 4 },
    ];
    let verdict = store.check(0, &together, Mode::Charge);
    assert!(!verdict.is_allowed(), "11 of 10");
    assert_eq!(store.peek(&plain, 0, 0).remaining(), 6, "the counted 4 are taken, the 7 are not");
}

#[test]
fn a_counted_refusal_of_a_batch_is_charged_to_that_policy_alone() {
    let (plain, counting) = (fixed(10, false), fixed(3, true));
    let mut store = MapStore::default();
    let both = [
        Check { key: "plain", policy: &plain, cost: 1 },
        Check { key: "counting", policy: &counting, cost: 4 },
    ];
    assert!(!store.check(0, &both, Mode::Charge).is_allowed());
    let left = |store: &mut MapStore, key, policy| {
        store.check(0, &[Check { key, policy, cost: 0 }], Mode::Peek).decisions()[0].remaining()
    };
    assert_eq!(left(&mut store, "plain", &plain), 10);
    assert_eq!(left(&mut store, "counting", &counting), 0);
}

#[test]
fn an_admitted_check_that_counts_refusals_is_charged_when_another_one_refuses() {
    let (refusing, counting) = (fixed(0, false), fixed(3, true));
    let both = [
        Check { key: "refusing", policy: &refusing, cost: 1 },
        Check { key: "counting", policy: &counting, cost: 1 },
    ];
    let mut store = MapStore::default();
    let left: Vec<u64> =
        (0..4).map(|_| store.check(0, &both, Mode::Charge).decisions()[1].remaining()).collect();
    assert_eq!(left, [2, 1, 0, 0]);
}

/// Admits while the sum of all costs is at most 10.
#[derive(Debug)]
struct Lifetime;

impl CustomAlgorithm for Lifetime {
    fn step(&self, cell: Option<Cell>, _now: Timestamp, cost: u32) -> Step {
        let used = cell.map_or(0, |cell| cell.0);
        let never = Timestamp::MAX;
        let after = used + u64::from(cost);
        let (cell, decision) = match after <= 10 {
            true => (Cell(after, 0), Decision::allow(10, 10 - after, never)),
            false => (Cell(used, 0), Decision::refuse(10, 10 - used, never, never)),
        };
        Step { cell, expires: never, decision }
    }
}

#[test]
fn an_algorithm_of_ones_own_settles_all_or_nothing_too() {
    let (custom, narrow) = (Policy::custom("lifetime", Lifetime), fixed(2, false));
    let both = [
        Check { key: "key", policy: &custom, cost: 3 },
        Check { key: "key", policy: &narrow, cost: 1 },
    ];
    let mut store = MapStore::default();
    let admitted = (0..5).filter(|_| store.check(0, &both, Mode::Charge).is_allowed()).count();
    assert_eq!(admitted, 2);
    let left = store.check(0, &[Check { cost: 0, ..both[0] }], Mode::Peek);
    assert_eq!(left.decisions()[0].remaining(), 4, "two times three");
    let twice = [Check { cost: 3, ..both[0] }, Check { cost: 2, ..both[0] }];
    assert!(!store.check(0, &twice, Mode::Charge).is_allowed(), "5 of 4");
}

#[test]
fn a_ninth_check_is_refused_by_name() {
    let policy = fixed(1, false);
    let mut batch = Batch::new(Timestamp::ZERO);
    let check = Check { key: "key", policy: &policy, cost: 1 };
    for _ in 0..8 {
        batch.push(check).unwrap();
    }
    let error = batch.push(check).unwrap_err();
    assert_eq!((error.field(), error.remedy()), ("rates", "remove a rate"));
}

#[test]
fn the_deciding_check_is_the_longest_refusal_or_the_smallest_share_left() {
    let secs = Timestamp::from_secs;
    let allow = |limit, remaining| Decision::allow(limit, remaining, secs(60));
    let refuse = |retry| Decision::refuse(10, 0, secs(60), secs(retry));
    let deciding = |decisions: Vec<Decision>| Verdict::new(Timestamp::ZERO, decisions).deciding();
    assert_eq!(deciding(vec![]), 0);
    assert_eq!(deciding(vec![allow(10, 9), allow(1_000, 500), allow(3, 2)]), 1);
    assert_eq!(deciding(vec![allow(10, 0), refuse(20), refuse(40), refuse(30)]), 2);
    assert_eq!(deciding(vec![allow(10, 5), allow(20, 10)]), 0, "the first of equals");
    assert_eq!(deciding(vec![refuse(9), Decision::refuse(0, 0, secs(0), Timestamp::MAX)]), 1);
}
