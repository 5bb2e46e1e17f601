//! Header fields about a limit.
//!
//! What does not change between requests is made once; what changes is cheap: small numbers are
//! static texts, and the reset of one second is made once per thread.

use std::{cell::RefCell, fmt::Write, sync::LazyLock};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    Algorithm, Decision, Headers, Policy, Shape, Timestamp,
    limiter::{Rules, encode},
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const BUCKET_SIZE: HeaderName = HeaderName::from_static("x-ratelimit-bucket-size");
const BUCKET_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-bucket-remaining");
const REFILL_RATE: HeaderName = HeaderName::from_static("x-ratelimit-refill-rate");
const IETF_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const IETF_STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The largest integer of a structured field (RFC 9651 §3.3.1).
const LARGEST: u64 = 999_999_999_999_999;
/// Decimals that show the slowest rate, one permit in 366 days.
const MOST_DECIMALS: u32 = 8;
/// Numbers below this are static texts.
const SMALL: usize = 1_000;

/// The header fields of one rule.
#[derive(Debug)]
pub(crate) struct Fields {
    scope: String,
    profiles: Headers,
    policies: Vec<PolicyFields>,
    /// All policies, as `RateLimit-Policy` lists them.
    ietf_policy: HeaderValue,
}

#[derive(Debug)]
struct PolicyFields {
    name: String,
    /// `"name";r=`
    ietf_start: String,
    limit: HeaderValue,
    /// Size and refill rate of a bucket.
    bucket: Option<(HeaderValue, Option<HeaderValue>)>,
}

impl Fields {
    pub(crate) fn new(scope: &str, rules: &Rules, profiles: Headers) -> Self {
        let scope_name = name_of(scope);
        let mut listed = String::new();
        let mut policies = Vec::new();
        for (policy, suffix) in rules.policies.iter().zip(&rules.suffixes) {
            let name = format!("{scope_name}{suffix}");
            let separator = if listed.is_empty() { "" } else { ", " };
            let quota = policy.limit().min(LARGEST);
            // Writing to a String cannot fail.
            let _ = write!(listed, "{separator}\"{name}\";q={quota}");
            if let Some(micros) = policy.window_micros() {
                let _ = write!(listed, ";w={}", micros.div_ceil(1_000_000).clamp(1, LARGEST));
            }
            policies.push(PolicyFields {
                ietf_start: format!("\"{name}\";r="),
                name,
                limit: number(policy.limit()),
                bucket: bucket_fields(policy),
            });
        }
        Self { scope: scope.to_owned(), profiles, policies, ietf_policy: text(&listed) }
    }

    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    pub(crate) fn policy_name(&self, policy: usize) -> &str {
        self.policies.get(policy).map_or("", |fields| &fields.name)
    }

    /// Removes what another limit wrote.
    pub(crate) fn erase(headers: &mut HeaderMap) {
        let names = [LIMIT, REMAINING, RESET, BUCKET_SIZE, BUCKET_REMAINING, REFILL_RATE];
        for name in names.into_iter().chain([IETF_POLICY, IETF_STATE]) {
            headers.remove(name);
        }
    }

    #[inline]
    pub(crate) fn write(
        &self,
        headers: &mut HeaderMap,
        policy: usize,
        decision: &Decision,
        now: Timestamp,
    ) {
        let Some(fields) = self.policies.get(policy) else { return };
        if self.profiles.legacy {
            headers.insert(LIMIT, fields.limit.clone());
            headers.insert(REMAINING, number(decision.remaining()));
            if decision.reset_at() < Timestamp::MAX {
                headers.insert(RESET, second(decision.reset_at().as_secs_ceil()));
            }
            if let Some((size, refill)) = &fields.bucket {
                headers.insert(BUCKET_SIZE, size.clone());
                headers.insert(BUCKET_REMAINING, number(decision.remaining()));
                if let Some(refill) = refill {
                    headers.insert(REFILL_RATE, refill.clone());
                }
            }
        }
        if self.profiles.ietf {
            headers.insert(IETF_POLICY, self.ietf_policy.clone());
            headers.insert(IETF_STATE, fields.ietf_state(decision, now));
        }
    }
}

impl PolicyFields {
    /// `"name";r=99;t=42`
    fn ietf_state(&self, decision: &Decision, now: Timestamp) -> HeaderValue {
        thread_local! {
            static STATE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let mut digits = itoa::Buffer::new();
        STATE.with_borrow_mut(|state| {
            state.clear();
            state.push_str(&self.ietf_start);
            state.push_str(digits.format(decision.remaining().min(LARGEST)));
            if decision.reset_at() < Timestamp::MAX {
                state.push_str(";t=");
                let seconds = decision.reset_at().secs_since_ceil(now);
                state.push_str(digits.format(seconds.min(LARGEST)));
            }
            text(state)
        })
    }
}

fn bucket_fields(policy: &Policy) -> Option<(HeaderValue, Option<HeaderValue>)> {
    let Shape::Meter(meter) = policy.shape() else { return None };
    if !matches!(policy.algorithm(), Some(Algorithm::TokenBucket | Algorithm::LeakyBucket)) {
        return None;
    }
    let (refill, period) = meter.refill();
    let rate = || text(&per_second(refill, period));
    Some((number(meter.capacity()), (refill > 0).then(rate)))
}

/// `permits` in `micros` microseconds as permits per second, rounded: with two decimals, or for slow
/// rates with as many as show two digits.
fn per_second(permits: u64, micros: u64) -> String {
    let micros = u128::from(micros.max(1));
    let scaled = |decimals: u32| {
        let doubled = 2 * u128::from(permits) * 10_u128.pow(6 + decimals) / micros;
        doubled.div_ceil(2)
    };
    let decimals = (2..MOST_DECIMALS).find(|decimals| scaled(*decimals) >= 10);
    let decimals = decimals.unwrap_or(MOST_DECIMALS);
    let (value, unit) = (scaled(decimals), 10_u128.pow(decimals));
    let width = decimals as usize;
    format!("{}.{:0width$}", value / unit, value % unit)
}

/// A scope as a policy's name: a String of structured fields without need of escapes.
fn name_of(scope: &str) -> String {
    if scope.is_empty() {
        return "default".to_owned();
    }
    let mut encoded = String::new();
    encode(scope, &mut encoded);
    let plain = |c: char| if c.is_ascii_graphic() && c != '"' { c } else { '_' };
    encoded.chars().map(plain).collect()
}

/// Text that consists of visible ASCII characters and spaces.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

#[inline]
fn number(value: u64) -> HeaderValue {
    static TEXTS: LazyLock<Vec<HeaderValue>> =
        LazyLock::new(|| (0..SMALL).map(|n| text(&n.to_string())).collect());
    let small = usize::try_from(value).ok().and_then(|index| TEXTS.get(index));
    small.cloned().unwrap_or_else(|| text(itoa::Buffer::new().format(value)))
}

fn second(value: u64) -> HeaderValue {
    thread_local! {
        static LATEST: RefCell<(u64, HeaderValue)> =
            const { RefCell::new((0, HeaderValue::from_static("0"))) };
    }
    LATEST.with_borrow_mut(|(second, header)| {
        if *second != value {
            *second = value;
            *header = text(&value.to_string());
        }
        header.clone()
    })
}
