//! Policies with their definitions, and histories that seek the edges.

use actix_smart_ratelimit_core::{Algorithm, MAX_PERIOD_MICROS, Policy, Rate, WindowStart};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Answer, Rule};

/// Times beyond this are not exact for buckets: year 294,247.
pub(crate) const LATEST: u64 = 1 << 63;

/// A policy and what it should mean.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) policy: Policy,
    pub(crate) rule: Rule,
}

/// Parameters of a case, before they are judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    pub(crate) limit: u32,
    pub(crate) period: u64,
    pub(crate) bucket_size: Option<u64>,
    /// Millionths of a permit per second.
    pub(crate) refill: Option<u64>,
    pub(crate) initial: Option<u64>,
    pub(crate) count_refused: bool,
}

/// One algorithm in one of its variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    FixedClock,
    FixedFirst,
    Log,
    Counter,
    TokenBucket,
    LeakyBucket,
    Gcra,
}

pub(crate) const KINDS: [Kind; 7] = [
    Kind::FixedClock,
    Kind::FixedFirst,
    Kind::Log,
    Kind::Counter,
    Kind::TokenBucket,
    Kind::LeakyBucket,
    Kind::Gcra,
];

impl Kind {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::FixedClock | Self::FixedFirst => Algorithm::FixedWindow,
            Self::Log => Algorithm::SlidingWindow,
            Self::Counter => Algorithm::SlidingWindowCounter,
            Self::TokenBucket => Algorithm::TokenBucket,
            Self::LeakyBucket => Algorithm::LeakyBucket,
            Self::Gcra => Algorithm::Gcra,
        }
    }

    pub(crate) fn is_bucket(self) -> bool {
        matches!(self, Self::TokenBucket | Self::LeakyBucket | Self::Gcra)
    }

    /// The case, or the error of a constructor. Parameters that mean nothing here are left out.
    pub(crate) fn case(self, p: Parameters) -> Result<Case, actix_smart_ratelimit_core::Error> {
        let mut builder = Policy::builder(self.algorithm(), Rate::new(p.limit, p.period)?);
        builder = builder.count_refused(p.count_refused);
        if self == Self::FixedFirst {
            builder = builder.window_start(WindowStart::FirstRequest);
        }
        let capacity = p.bucket_size.unwrap_or_else(|| p.limit.into());
        let initial = p.initial.filter(|_| self == Self::TokenBucket);
        let refill = p.refill.filter(|_| self.is_bucket() && self != Self::Gcra);
        if self.is_bucket()
            && let Some(size) = p.bucket_size
        {
            builder = builder.bucket_size(size);
        }
        if let Some(millionths) = refill {
            builder = builder.refill_rate(per_second(millionths));
        }
        if let Some(tokens) = initial {
            builder = builder.initial_tokens(tokens);
        }
        let (limit, period) = (u64::from(p.limit), p.period);
        let rule = match self {
            Self::FixedClock => Rule::FixedClock { limit, period },
            Self::FixedFirst => Rule::FixedFirst { limit, period },
            Self::Log => Rule::Log { limit, period },
            Self::Counter => Rule::Counter { limit, period },
            _ => {
                let (permits, per) =
                    refill.map_or((limit, period), |millionths| (millionths, 1_000_000_000_000));
                Rule::Bucket { capacity, initial: initial.unwrap_or(capacity), permits, per }
            }
        };
        Ok(Case { policy: builder.build()?, rule })
    }
}

#[expect(clippy::float_arithmetic, reason = "configuration is decimal")]
fn per_second(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

fn limits() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => select(vec![1, 2, 3, 5, 7, 10, 100]),
        1 => select(vec![0, u32::MAX - 1, u32::MAX]),
        1 => any::<u32>(),
    ]
}

fn periods() -> impl Strategy<Value = u64> {
    const SECOND: u64 = 1_000_000;
    prop_oneof![
        5 => select(vec![SECOND, 7 * SECOND, 60 * SECOND, 3_600 * SECOND, MAX_PERIOD_MICROS]),
        1 => select(vec![1, 2, 3, 7, 999_983, 86_400_000_001]),
        1 => 1..=MAX_PERIOD_MICROS,
    ]
}

fn sizes() -> impl Strategy<Value = Option<u64>> {
    let some = select(vec![0, 1, 2, 3, 20, 5_000_000_000, 1 << 53]);
    prop_oneof![3 => Just(None), 1 => some.prop_map(Some)]
}

fn refills() -> impl Strategy<Value = Option<u64>> {
    let some = select(vec![0, 1, 333_333, 1_000_000, 2_500_000, 7_000_001, 4_294_967_295_000_000]);
    prop_oneof![3 => Just(None), 1 => some.prop_map(Some)]
}

/// Any kind of policy; `counting` says whether refusals may be counted.
pub(crate) fn cases(counting: bool) -> impl Strategy<Value = Case> {
    cases_of(KINDS.to_vec(), counting)
}

pub(crate) fn cases_of(kinds: Vec<Kind>, counting: bool) -> impl Strategy<Value = Case> {
    let initial = prop_oneof![3 => Just(None), 1 => (0..=4_u64).prop_map(Some)];
    let counted = any::<bool>().prop_map(move |counted| counted && counting);
    let parameters = (limits(), periods(), sizes(), refills(), initial, counted);
    (select(kinds), parameters).prop_filter_map(
        "the bucket would take too long to fill",
        |(kind, (limit, period, bucket_size, refill, initial, count_refused))| {
            // In quarters of the capacity.
            let capacity = bucket_size.unwrap_or_else(|| limit.into());
            let initial = initial.map(|quarters| capacity / 4 * quarters);
            let p = Parameters { limit, period, bucket_size, refill, initial, count_refused };
            kind.case(p).ok()
        },
    )
}

/// How far time moves before a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advance {
    Nothing,
    Microsecond,
    PeriodLess1,
    Period,
    PeriodPlus1,
    TenPeriods,
    Thousandths(u64),
    /// To when the last refusal said, and the microsecond before.
    Retry,
    BeforeRetry,
    /// To when the key is untouched again, and the microsecond before.
    Reset,
    BeforeReset,
}

/// How much a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cost {
    Exactly(u32),
    LimitLess1,
    Limit,
    LimitPlus1,
    Thousandths(u64),
    Remaining,
    RemainingPlus1,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) advance: Advance,
    pub(crate) cost: Cost,
    pub(crate) peek: bool,
    /// Whether the store forgets before what need not be kept.
    pub(crate) forget: bool,
}

pub(crate) fn moves(most: usize) -> impl Strategy<Value = Vec<Move>> {
    use Advance::*;
    let jumps = vec![PeriodLess1, Period, PeriodPlus1, TenPeriods];
    let advance = prop_oneof![
        4 => Just(Nothing),
        2 => Just(Microsecond),
        2 => select(jumps),
        3 => (0..2_000_u64).prop_map(Thousandths),
        2 => select(vec![Retry, BeforeRetry]),
        1 => select(vec![Reset, BeforeReset]),
    ];
    let cost = prop_oneof![
        5 => select(vec![1, 1, 1, 2, 3, 0]).prop_map(Cost::Exactly),
        1 => Just(Cost::Exactly(u32::MAX)),
        2 => select(vec![Cost::LimitLess1, Cost::Limit, Cost::LimitPlus1]),
        2 => (0..1_000_u64).prop_map(Cost::Thousandths),
        2 => select(vec![Cost::Remaining, Cost::RemainingPlus1]),
    ];
    let one = (advance, cost, proptest::bool::weighted(0.1), any::<bool>())
        .prop_map(|(advance, cost, peek, forget)| Move { advance, cost, peek, forget });
    vec(one, 1..=most)
}

pub(crate) fn starts() -> impl Strategy<Value = u64> {
    let edges = vec![0, 1, (1 << 53) - 1, (1 << 53) + 1, 1_800_000_000_000_000, 1 << 62];
    prop_oneof![3 => select(edges), 1 => 0..=1_u64 << 62]
}

impl Advance {
    /// The time after this move. Never before `now`, and never beyond [`LATEST`].
    pub(crate) fn from(self, now: u64, rule: &Rule, last: Option<&Answer>) -> u64 {
        let longest = 10 * MAX_PERIOD_MICROS;
        let period = match rule {
            Rule::FixedClock { period, .. }
            | Rule::FixedFirst { period, .. }
            | Rule::Log { period, .. }
            | Rule::Counter { period, .. } => *period,
            Rule::Bucket { .. } => u64::try_from(rule.patience()).unwrap_or(longest),
        };
        let period = period.min(longest);
        let thousandths = |n: u64| u128::from(period) * u128::from(n) / 1_000;
        let retry = last.and_then(|last| last.retry_at).unwrap_or(now);
        let reset = last.map_or(now, |last| last.reset_at);
        let to = match self {
            Self::Nothing => now,
            Self::Microsecond => now + 1,
            Self::PeriodLess1 => now + period.saturating_sub(1),
            Self::Period => now + period,
            Self::PeriodPlus1 => now + period + 1,
            Self::TenPeriods => now + 10 * period,
            Self::Thousandths(n) => now + u64::try_from(thousandths(n)).unwrap(),
            Self::Retry => retry,
            Self::BeforeRetry => retry.saturating_sub(1),
            Self::Reset => reset,
            Self::BeforeReset => reset.saturating_sub(1),
        };
        if to > LATEST { now } else { to.max(now) }
    }
}

impl Cost {
    pub(crate) fn of(self, rule: &Rule, last: Option<&Answer>) -> u32 {
        let limit = rule.limit();
        let remaining = last.map_or(limit, |last| last.remaining);
        let cost = match self {
            Self::Exactly(cost) => cost.into(),
            Self::LimitLess1 => limit.saturating_sub(1),
            Self::Limit => limit,
            Self::LimitPlus1 => limit + 1,
            Self::Thousandths(n) => limit / 1_000 * n + limit % 1_000 * n / 1_000,
            Self::Remaining => remaining,
            Self::RemainingPlus1 => remaining + 1,
        };
        u32::try_from(cost).unwrap_or(u32::MAX)
    }
}
