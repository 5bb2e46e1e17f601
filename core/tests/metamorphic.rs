//! Changes of a history that must not change its decisions.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{Check, Decision, Mode, Policy, Timestamp};
use oracle::generate::{Case, KINDS, Kind, Move, Parameters, cases, cases_of, moves, starts};
use oracle::store::MapStore;
use oracle::{Answer, Rule};
use proptest::prelude::*;
use proptest::sample::select;

/// One request of a history, at a time that is fixed.
#[derive(Clone, Copy, Debug)]
struct Request {
    at: u64,
    cost: u32,
}

/// The requests of some moves, with the decisions about them.
fn requests(case: &Case, start: u64, moves: &[Move]) -> Vec<(Request, Decision)> {
    let mut store = MapStore::default();
    let (mut now, mut last) = (start, None);
    let mut requests = Vec::new();
    for step in moves {
        now = step.advance.from(now, &case.rule, last.as_ref());
        let cost = step.cost.of(&case.rule, last.as_ref());
        let decision = store.take(&case.policy, now, cost);
        requests.push((Request { at: now, cost }, decision));
        last = Some(Answer::from(&decision));
    }
    requests
}

fn begins_full(rule: &Rule) -> bool {
    !matches!(rule, Rule::Bucket { capacity, initial, .. } if initial < capacity)
}

fn decided(policy: &Policy, requests: impl Iterator<Item = Request>) -> Vec<Decision> {
    let mut store = MapStore::default();
    requests.map(|request| store.take(policy, request.at, request.cost)).collect()
}

fn later(at: Timestamp, by: u64) -> Timestamp {
    if at == Timestamp::MAX { at } else { at + by }
}

proptest! {
    #[test]
    fn a_shift_by_whole_periods_shifts_the_answers(
        case in cases(true),
        start in 0..=1_u64 << 60,
        moves in moves(30),
        periods in 1..1_000_u64,
    ) {
        let period = case.policy.rate().unwrap().period_micros();
        let by = period * periods;
        let history = requests(&case, start, &moves);
        let shifted = history.iter().map(|(r, _)| Request { at: r.at + by, ..*r });
        let shifted = decided(&case.policy, shifted);
        for ((_, before), after) in history.iter().zip(shifted) {
            prop_assert_eq!(before.is_allowed(), after.is_allowed());
            prop_assert_eq!(before.remaining(), after.remaining());
            prop_assert_eq!(before.retry_at().map(|at| at + by), after.retry_at());
            prop_assert_eq!(later(before.reset_at(), by), after.reset_at());
        }
    }

    #[test]
    fn limit_and_costs_times_k_give_the_same_decisions(
        kind in select(KINDS.to_vec()),
        limit in 1..1_000_u32,
        period in 1..100_000_000_u64,
        bucket_size in proptest::option::of(0..2_000_u64),
        start in starts(),
        moves in moves(30),
        k in 2..1_000_u32,
    ) {
        let of = |k: u32| {
            let parameters = Parameters {
                limit: limit * k,
                period,
                bucket_size: bucket_size.map(|size| size * u64::from(k)),
                refill: None,
                initial: None,
                count_refused: false,
            };
            kind.case(parameters).unwrap()
        };
        let (once, many) = (of(1), of(k));
        let history = requests(&once, start, &moves);
        // Costs near 2^32 have no multiple, but refuse all the same.
        let scaled = history.iter().map(|(r, _)| Request { cost: r.cost.saturating_mul(k), ..*r });
        let scaled = decided(&many.policy, scaled);
        for ((_, before), after) in history.iter().zip(scaled) {
            prop_assert_eq!(before.is_allowed(), after.is_allowed());
            prop_assert_eq!(before.retry_at(), after.retry_at());
            prop_assert_eq!(before.reset_at(), after.reset_at());
            prop_assert_eq!(before.remaining(), after.remaining() / u64::from(k));
        }
    }

    #[test]
    fn looking_changes_no_decision(
        case in cases(true),
        start in starts(),
        moves in moves(30),
        looked in 0..3_u32,
    ) {
        let history = requests(&case, start, &moves);
        let mut store = MapStore::default();
        for (Request { at, cost }, before) in history {
            for _ in 0..looked {
                store.take(&case.policy, at, 0);
                let seen = store.peek(&case.policy, at, cost);
                prop_assert_eq!(seen.is_allowed(), before.is_allowed());
            }
            prop_assert_eq!(store.take(&case.policy, at, cost), before);
        }
    }

    #[test]
    fn what_was_refused_might_as_well_not_have_been_asked(
        case in cases(false).prop_filter("its filling begins when it is asked", |case| {
            begins_full(&case.rule)
        }),
        start in starts(),
        moves in moves(40),
    ) {
        let history = requests(&case, start, &moves);
        let admitted: Vec<_> =
            history.into_iter().filter(|(_, decision)| decision.is_allowed()).collect();
        let again = decided(&case.policy, admitted.iter().map(|(request, _)| *request));
        for ((_, before), after) in admitted.iter().zip(again) {
            prop_assert_eq!(before, &after);
        }
    }

    #[test]
    fn a_cost_that_is_admitted_is_admitted_in_single_permits_too(
        case in cases(false),
        start in starts(),
        moves in moves(30),
    ) {
        let mut store = MapStore::default();
        for (Request { at, cost }, before) in requests(&case, start, &moves) {
            let mut split = store.clone();
            let whole = store.take(&case.policy, at, cost);
            prop_assert_eq!(whole, before);
            if whole.is_allowed() && (1..100).contains(&cost) {
                let singles = (0..cost).map(|_| split.take(&case.policy, at, 1));
                prop_assert_eq!(singles.last(), Some(whole));
            }
        }
    }

    #[test]
    fn a_history_of_two_keys_is_two_histories(
        case in cases(true),
        start in starts(),
        moves in moves(40),
        turns in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let history = requests(&case, start, &moves);
        let mut together = MapStore::default();
        let mut apart = [MapStore::default(), MapStore::default()];
        for ((Request { at, cost }, _), turn) in history.into_iter().zip(turns) {
            let (key, own) = if turn { ("a", &mut apart[0]) } else { ("b", &mut apart[1]) };
            let check = [Check { key, policy: &case.policy, cost }];
            prop_assert_eq!(
                together.check(at, &check, Mode::Charge),
                own.check(at, &check, Mode::Charge)
            );
        }
    }

    #[test]
    fn the_three_buckets_are_one(
        limit in 1..1_000_u32,
        period in 1..100_000_000_u64,
        start in starts(),
        moves in moves(30),
    ) {
        let of = |kind: Kind| {
            let (bucket_size, refill, initial) = (Some(2 * u64::from(limit)), None, None);
            let count_refused = false;
            kind.case(Parameters { limit, period, bucket_size, refill, initial, count_refused })
        };
        let token = requests(&of(Kind::TokenBucket).unwrap(), start, &moves);
        for other in [Kind::LeakyBucket, Kind::Gcra] {
            let other = requests(&of(other).unwrap(), start, &moves);
            prop_assert!(token.iter().zip(&other).all(|((_, a), (_, b))| a == b));
        }
    }

    #[test]
    fn a_fixed_window_admits_what_a_sliding_one_does(
        case in cases_of(vec![Kind::Log, Kind::Counter], false),
        start in starts(),
        moves in moves(40),
    ) {
        // Of the same charges, each of the sliding windows holds at least as many against a key.
        let rate = case.policy.rate().unwrap();
        let fixed = Policy::new(actix_smart_ratelimit_core::Algorithm::FixedWindow, rate);
        let history = requests(&case, start, &moves);
        let admitted = history.iter().filter(|(_, d)| d.is_allowed()).map(|(request, _)| *request);
        prop_assert!(decided(&fixed, admitted).iter().all(Decision::is_allowed));
    }
}
