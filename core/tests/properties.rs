//! Every answer against an oracle that knows only the definitions.
//!
//! Each property runs 256 generated cases by default. A thorough run, over a hundred thousand cases
//! in all:
//!
//! ```text
//! PROPTEST_CASES=8000 cargo test --release -p actix-smart-ratelimit-core \
//!     --test properties --test metamorphic --test clocks --test batches --test refunds
//! ```

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod oracle;

use actix_smart_ratelimit_core::{Decision, MAX_PERIOD_MICROS, Mode, Policy, Rate, Timestamp};
use oracle::generate::{Case, KINDS, Kind, LATEST, Move, cases, cases_of, moves, starts};
use oracle::store::MapStore;
use oracle::{Answer, History, Rule};
use proptest::prelude::*;
use proptest::sample::select;

/// Plays a history and hands each decision, with the time and cost of its request, to `judge`.
fn play(
    case: &Case,
    start: u64,
    moves: &[Move],
    mut judge: impl FnMut(&mut MapStore, &Move, u64, u32, Decision) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut store = MapStore::default();
    let (mut now, mut last) = (start, None);
    for step in moves {
        now = step.advance.from(now, &case.rule, last.as_ref());
        let cost = step.cost.of(&case.rule, last.as_ref());
        if step.forget {
            store.forget_expired(now);
        }
        let decision = match step.peek {
            true => store.peek(&case.policy, now, cost),
            false => store.take(&case.policy, now, cost),
        };
        judge(&mut store, step, now, cost, decision)?;
        last = Some(Answer::from(&decision));
    }
    Ok(())
}

/// Decision, remaining, retry and reset are the oracle's, whether or not the store forgets what it
/// was told that it may.
fn agrees_with_the_oracle(case: &Case, start: u64, moves: &[Move]) -> Result<(), TestCaseError> {
    let Case { policy, rule } = case;
    let mut history = History::default();
    play(case, start, moves, |_, step, now, cost, decision| {
        let expected = if step.peek {
            history.look(rule, now, cost.into())
        } else {
            let answer = history.take(rule, now, cost.into());
            if !answer.allowed && policy.counts_refused() {
                history.punish(rule, now, cost.into());
                let after = history.look(rule, now, cost.into());
                prop_assert!(!after.allowed, "a counted refusal does not make room");
                after
            } else {
                if !answer.allowed {
                    history.see(now);
                }
                answer
            }
        };
        prop_assert_eq!(Answer::from(&decision), expected, "at {} for {}", now, cost);
        Ok(())
    })
}

/// Largest cost that may be admitted in `micros` consecutive microseconds.
fn most_in(rule: &Rule, micros: u128) -> u128 {
    match *rule {
        Rule::Log { limit, period } => u128::from(limit) * micros.div_ceil(period.into()),
        Rule::FixedClock { limit, period } | Rule::FixedFirst { limit, period } => {
            u128::from(limit) * (micros.div_ceil(period.into()) + 1)
        }
        Rule::Counter { limit, period } if micros <= period.into() => {
            (2 * u128::from(limit)).saturating_sub(1)
        }
        Rule::Counter { limit, period } => u128::from(limit) * (micros.div_ceil(period.into()) + 1),
        Rule::Bucket { capacity, permits, per, .. } => {
            // The interval is closed: its ends are one microsecond less apart.
            u128::from(capacity) + (micros - 1) * u128::from(permits) / u128::from(per)
        }
    }
}

macro_rules! agreement {
    ($($name:ident: $kind:expr;)*) => {
        proptest! {
            $(
                #[test]
                fn $name(
                    case in cases_of(vec![$kind], true),
                    start in starts(),
                    moves in moves(40),
                ) {
                    agrees_with_the_oracle(&case, start, &moves)?;
                }
            )*
        }
    };
}

agreement! {
    a_fixed_window_of_the_clock_answers_as_defined: Kind::FixedClock;
    a_fixed_window_from_the_first_request_answers_as_defined: Kind::FixedFirst;
    a_sliding_window_answers_as_defined: Kind::Log;
    a_sliding_window_counter_answers_as_defined: Kind::Counter;
    a_token_bucket_answers_as_defined: Kind::TokenBucket;
    a_leaky_bucket_answers_as_defined: Kind::LeakyBucket;
    gcra_answers_as_defined: Kind::Gcra;
}

proptest! {
    #[test]
    fn never_is_more_admitted_in_any_interval_than_the_algorithm_promises(
        case in cases(false),
        start in starts(),
        moves in moves(60),
    ) {
        let mut admitted: Vec<(u64, u128)> = Vec::new();
        play(&case, start, &moves, |_, step, now, cost, decision| {
            if decision.is_allowed() && !step.peek {
                admitted.push((now, cost.into()));
            }
            let mut sum = 0;
            for (at, cost) in admitted.iter().rev() {
                sum += cost;
                let most = most_in(&case.rule, u128::from(now - at) + 1);
                prop_assert!(sum <= most, "{sum} in {} µs", now - at + 1);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_refused_request_is_refused_just_before_its_retry_and_admitted_at_it(
        case in cases(false),
        start in starts(),
        moves in moves(30),
    ) {
        play(&case, start, &moves, |store, step, now, cost, decision| {
            if let (Some(retry), false) = (decision.retry_at(), step.peek) {
                let retry = retry.as_micros();
                prop_assert!(retry > now);
                let early = store.clone().take(&case.policy, retry - 1, cost);
                prop_assert!(!early.is_allowed());
                prop_assert_eq!(early.retry_at(), decision.retry_at());
                prop_assert!(store.clone().take(&case.policy, retry, cost).is_allowed());
                let secs = decision.retry_after_secs(Timestamp::from_micros(now)).unwrap();
                prop_assert!(secs >= 1 && (now + secs * 1_000_000) >= retry);
                prop_assert!(secs == 1 || now + (secs - 1) * 1_000_000 < retry);
            }
            Ok(())
        })?;
    }

    #[test]
    fn remaining_is_the_largest_cost_that_is_admitted(
        case in cases(true),
        start in starts(),
        moves in moves(30),
    ) {
        play(&case, start, &moves, |store, _, now, _, decision| {
            let admits = |cost: u64| match u32::try_from(cost) {
                Ok(cost) => store.clone().peek(&case.policy, now, cost).is_allowed(),
                Err(_) => false,
            };
            prop_assert!(decision.remaining() > u32::MAX.into() || admits(decision.remaining()));
            prop_assert!(!admits(decision.remaining() + 1) || decision.remaining() > u32::MAX.into());
            Ok(())
        })?;
    }

    #[test]
    fn at_its_reset_an_idle_key_is_as_good_as_new_and_not_before(
        case in cases(true),
        start in starts(),
        moves in moves(30),
    ) {
        play(&case, start, &moves, |store, step, now, cost, decision| {
            // A bucket that begins less than full fills only once it has been asked for something.
            if step.peek || cost == 0 {
                return Ok(());
            }
            let reset = decision.reset_at().as_micros();
            let left = |at: u64| store.clone().peek(&case.policy, at, 0).remaining();
            let limit = case.policy.limit();
            if reset < u64::MAX {
                prop_assert_eq!(left(reset), limit);
            }
            if reset > now && reset < u64::MAX {
                prop_assert!(left(reset - 1) < limit);
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_first_request_of_a_key_is_admitted_whenever_it_comes(
        kind in select(KINDS.to_vec()),
        period in 1..=MAX_PERIOD_MICROS,
        limit in 1..=u32::MAX,
        now in 0..=LATEST,
    ) {
        let rate = Rate::new(limit, period).unwrap();
        let policy = Policy::new(kind.algorithm(), rate);
        let mut store = MapStore::default();
        prop_assert!(store.take(&policy, now, limit).is_allowed());
        prop_assert!(!store.take(&policy, now, 1).is_allowed());
        let verdict = store.check(now, &[], Mode::Charge);
        prop_assert!(verdict.is_allowed(), "nothing asked, nothing refused");
    }
}
