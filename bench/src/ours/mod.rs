//! Our side of every case, and the only place that knows our API.

pub(crate) mod database;
pub(crate) mod keyed;
pub(crate) mod redis;

use std::time::Duration;

use actix_smart_ratelimit::{
    self as smart, Batch, Check, Clock, MemoryBackend, OnError, Policy, Rate, RateLimiter,
    RateLimiterBuilder,
    backend::redis::RedisBackend,
    backend::{Backend, Progress},
};
use actix_web::{
    Error,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::header::{HeaderName, HeaderValue},
};
use anyhow::Result;
use clap::ValueEnum;

/// What every check of a case must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// The limit is out of reach.
    Admitted,
    /// The limit is one per hour and used up by the first check of a key.
    Refused,
}

impl Outcome {
    /// A limit per hour with this outcome, whoever keeps it. Admissions leave a state behind that
    /// matters until the key is visited again, so that nobody is measured on keys that it may
    /// forget.
    pub(crate) fn per_hour(self, keys: usize) -> u32 {
        match self {
            Self::Admitted => u32::try_from(AMPLE / keys.max(1)).unwrap_or(u32::MAX).max(1_000),
            Self::Refused => 1,
        }
    }
}

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(5);

/// Permits per hour for all keys together.
const AMPLE: usize = 2_000_000_000;

/// The algorithms by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    FixedWindow,
    /// The exact log, the only one whose state grows with what it admits.
    SlidingWindow,
    SlidingWindowCounter,
    TokenBucket,
    LeakyBucket,
    Gcra,
}

impl Algorithm {
    /// The name on the command line and in the results.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn smart(self) -> smart::Algorithm {
        match self {
            Self::FixedWindow => smart::Algorithm::FixedWindow,
            Self::SlidingWindow => smart::Algorithm::SlidingWindow,
            Self::SlidingWindowCounter => smart::Algorithm::SlidingWindowCounter,
            Self::TokenBucket => smart::Algorithm::TokenBucket,
            Self::LeakyBucket => smart::Algorithm::LeakyBucket,
            Self::Gcra => smart::Algorithm::Gcra,
        }
    }
}

/// Which header profiles the middleware writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    Off,
    Legacy,
    LegacyAndIetf,
}

/// Decisions by string key on the memory backend.
pub(crate) struct Limiter {
    backend: MemoryBackend,
    policy: Policy,
    clock: Clock,
}

impl Limiter {
    /// A limiter that holds at most `max_keys` keys, of which about half are in use.
    pub(crate) fn new(algorithm: Algorithm, outcome: Outcome, max_keys: usize) -> Result<Self> {
        let policy = Policy::new(algorithm.smart(), Rate::per_hour(outcome.per_hour(max_keys)));
        Ok(Self { backend: MemoryBackend::new(max_keys), policy, clock: Clock::System })
    }

    /// Takes one permit of `key`, reading the clock; whether it was admitted.
    pub(crate) fn check(&self, key: &str) -> bool {
        let check = Check { key, policy: &self.policy, cost: 1 };
        let mut batch = Batch::of(self.clock.now(), check);
        let progress = self.backend.check(&mut batch);
        matches!(progress, Progress::Done) && batch.verdict().is_allowed()
    }
}

/// What servers share: a limiter keyed by peer address.
#[derive(Clone)]
pub(crate) struct HttpLimiter {
    limiter: RateLimiter,
    rate: Rate,
}

/// A limiter for [`middleware`] that counts in this process.
pub(crate) fn http_limiter(headers: Headers, outcome: Outcome) -> Result<HttpLimiter> {
    let builder = RateLimiter::builder().algorithm(smart::Algorithm::Gcra);
    finish(builder, headers, outcome)
}

/// A limiter for [`middleware`] that counts fixed windows in Redis, as its peers there do.
pub(crate) fn redis_http_limiter(
    url: &str,
    headers: Headers,
    outcome: Outcome,
) -> Result<HttpLimiter> {
    let backend = RedisBackend::builder(url).deadline(PATIENCE).connect_deadline(PATIENCE);
    let builder = RateLimiter::builder()
        .backend("redis", backend.build()?)
        .deadline(PATIENCE)
        .algorithm(smart::Algorithm::FixedWindow)
        // Or nobody would see that the store is not asked.
        .on_error(OnError::Deny);
    finish(builder, headers, outcome)
}

fn finish(builder: RateLimiterBuilder, headers: Headers, outcome: Outcome) -> Result<HttpLimiter> {
    let profiles = match headers {
        Headers::Off => smart::Headers::NONE,
        Headers::Legacy => smart::Headers::LEGACY,
        Headers::LegacyAndIetf => smart::Headers::ALL,
    };
    let limiter = builder.headers(profiles).build()?;
    Ok(HttpLimiter { limiter, rate: Rate::per_hour(outcome.per_hour(1)) })
}

/// The same with rules that can be replaced while it runs.
pub(crate) fn live_middleware(limiter: &HttpLimiter) -> Result<smart::LiveRateLimit> {
    Ok(limiter.limiter.middleware().default_rate(limiter.rate).live()?)
}

/// The middleware under measurement.
pub(crate) fn middleware<S, B>(
    limiter: &HttpLimiter,
) -> impl Transform<
    S,
    ServiceRequest,
    Response = ServiceResponse<EitherBody<B>>,
    Error = Error,
    InitError = (),
> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    limiter.limiter.middleware().default_rate(limiter.rate)
}

/// The body of our refusals.
pub(crate) const REFUSAL_BODY: &str = "Rate limit exceeded. Please try again later.";

/// What our two profiles write: three legacy headers, then two of the IETF's.
pub(crate) static HEADERS: [(HeaderName, HeaderValue); 5] = [
    header("x-ratelimit-limit", "1000000000"),
    header("x-ratelimit-remaining", "999999999"),
    header("x-ratelimit-reset", "1790000000"),
    header("ratelimit-policy", "\"default\";q=1000000000;w=3600"),
    header("ratelimit", "\"default\";r=999999999;t=3600"),
];

const fn header(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_static(value))
}
