//! Batches over shared keys: mixed policies, some of which count refusals.

use actix_smart_ratelimit_core::{Check, Mode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::generate::{Advance, Case, Cost, KINDS, Kind, Parameters, moves};

const MINUTE: u64 = 60_000_000;

/// Policies of one kind keep one state per key, whatever their limit; a bucket's has one capacity.
pub(crate) fn family(kind: Kind) -> Vec<Case> {
    let limits: &[u32] = if kind.is_bucket() { &[7] } else { &[5, 7, 10] };
    let mut cases = Vec::new();
    for &limit in limits {
        for count_refused in [false, true] {
            let case = kind.case(Parameters {
                limit,
                period: MINUTE,
                bucket_size: None,
                refill: None,
                initial: (kind == Kind::TokenBucket).then_some(3),
                count_refused,
            });
            cases.push(case.unwrap());
        }
    }
    cases
}

/// Which states are one: token bucket, leaky bucket and GCRA of one rate understand each other, but
/// not when one of them begins with fewer tokens, so here they are kept on separate keys.
pub(crate) fn state_of(kind: Kind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap()
}

fn key_of(kind: Kind, number: usize) -> &'static str {
    let keys = match kind {
        Kind::TokenBucket => ["token a", "token b", "token c"],
        Kind::LeakyBucket => ["leaky a", "leaky b", "leaky c"],
        _ => ["a", "b", "c"],
    };
    keys[number]
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) case: Case,
    pub(crate) cost: Cost,
}

fn question() -> impl Strategy<Value = Question> {
    let cost = prop_oneof![
        6 => (1..4_u32).prop_map(Cost::Exactly),
        1 => Just(Cost::Exactly(0)),
        1 => select(vec![Cost::Limit, Cost::LimitPlus1]),
    ];
    (select(KINDS.to_vec()), 0..3_usize, any::<prop::sample::Index>(), cost).prop_map(
        |(kind, number, which, cost)| {
            let family = family(kind);
            let case = family[which.index(family.len())].clone();
            Question { key: key_of(kind, number), kind, case, cost }
        },
    )
}

#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) advance: Advance,
    pub(crate) mode: Mode,
    pub(crate) questions: Vec<Question>,
}

pub(crate) fn turn() -> impl Strategy<Value = Turn> {
    let mode = prop_oneof![5 => Just(Mode::Charge), 1 => Just(Mode::Peek)];
    (moves(1), mode, vec(question(), 1..=8)).prop_map(|(moves, mode, questions)| Turn {
        advance: moves[0].advance,
        mode,
        questions,
    })
}

impl Turn {
    /// The questions as a batch asks them.
    pub(crate) fn checks(&self) -> Vec<Check<'_>> {
        let each = self.questions.iter();
        each.map(|q| Check {
            key: q.key,
            policy: &q.case.policy,
            cost: q.cost.of(&q.case.rule, None),
        })
        .collect()
    }
}
