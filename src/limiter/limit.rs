//! `Limit`: a named rule, as an application writes it.

use crate::{Algorithm, Error, Policy, Rate, WindowStart};

use super::OnError;

/// A named limit: how much, and what happens beyond it. Whom to count is the caller's to say.
///
/// ```
/// use actix_smart_ratelimit::{Algorithm, Limit, Rate};
///
/// let search = Limit::new("search", [Rate::per_second(10), Rate::per_hour(1_000)])
///     .algorithm(Algorithm::TokenBucket)
///     .cost(5);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Limit {
    pub(super) scope: String,
    pub(super) rates: Vec<Rate>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) custom: Option<Policy>,
    pub(super) bucket_size: Option<u64>,
    pub(super) refill_rate: Option<f64>,
    pub(super) initial_tokens: Option<u64>,
    pub(super) window_start: Option<WindowStart>,
    pub(super) count_refused: bool,
    pub(super) cost: u32,
    pub(super) enforcement: Enforcement,
    pub(super) backend: Option<String>,
    pub(super) on_error: Option<OnError>,
}

/// What happens to a request beyond its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// It is refused.
    #[default]
    Block,
    /// It passes; headers and `RateLimitInfo` tell the truth.
    Observe,
    /// It passes, and its client sees nothing; events say what would have happened.
    Shadow,
}

impl Limit {
    /// A limit. `scope` names its counters: limits of one scope and key share them, and `""` gives
    /// the key alone. No rate at all stands for the limiter's default rate.
    pub fn new(scope: impl Into<String>, rates: impl Into<Rates>) -> Self {
        Self {
            scope: scope.into(),
            rates: rates.into().0,
            algorithm: None,
            custom: None,
            bucket_size: None,
            refill_rate: None,
            initial_tokens: None,
            window_start: None,
            count_refused: false,
            cost: 1,
            enforcement: Enforcement::Block,
            backend: None,
            on_error: None,
        }
    }

    /// The scope.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.scope
    }

    /// The name of the backend that keeps the counters, if it is not the limiter's default one.
    #[must_use]
    pub fn backend_name(&self) -> Option<&str> {
        self.backend.as_deref()
    }

    /// Names the counters otherwise.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// How permits come back; by default as the limiter says (sliding window).
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// A policy of your own instead of rates and an algorithm, such as [`Policy::custom`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.custom = Some(policy);
        self
    }

    /// Capacity of the bucket, in permits; LIMIT by default.
    pub fn bucket_size(mut self, permits: u64) -> Self {
        self.bucket_size = Some(permits);
        self
    }

    /// Permits per second that come back to the bucket; LIMIT / period by default, 0 for never.
    pub fn refill_rate(mut self, permits_per_second: f64) -> Self {
        self.refill_rate = Some(permits_per_second);
        self
    }

    /// Tokens of a key never seen; a full bucket by default.
    pub fn initial_tokens(mut self, tokens: u64) -> Self {
        self.initial_tokens = Some(tokens);
        self
    }

    /// Where a fixed window begins; on the clock by default.
    pub fn window(mut self, start: WindowStart) -> Self {
        self.window_start = Some(start);
        self
    }

    /// Whether refused requests are counted too, so that a client that hammers stays out; false by
    /// default.
    pub fn count_refused(mut self, count: bool) -> Self {
        self.count_refused = count;
        self
    }

    /// Permits that one request takes; 1 by default, 0 only looks.
    pub fn cost(mut self, permits: u32) -> Self {
        self.cost = permits;
        self
    }

    /// Whether requests beyond the limit are refused (the default), or pass and are told.
    pub fn block(mut self, block: bool) -> Self {
        self.enforcement = if block { Enforcement::Block } else { Enforcement::Observe };
        self
    }

    /// Whether the limit only reports to the operator, and clients notice nothing; for roll-out.
    pub fn shadow(mut self, shadow: bool) -> Self {
        if shadow {
            self.enforcement = Enforcement::Shadow;
        } else if self.enforcement == Enforcement::Shadow {
            self.enforcement = Enforcement::Block;
        }
        self
    }

    /// The registered backend that keeps the counters; the limiter's default one by default.
    pub fn backend(mut self, name: impl Into<String>) -> Self {
        self.backend = Some(name.into());
        self
    }

    /// What happens when the backend cannot decide; by default as the limiter says.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = Some(on_error);
        self
    }

    /// The limit without what belongs to its rates and algorithm.
    pub(super) fn without_parameters(self) -> Self {
        Self {
            custom: None,
            bucket_size: None,
            refill_rate: None,
            initial_tokens: None,
            window_start: None,
            ..self
        }
    }

    /// The policies that this limit stands for at `rates`, or at its own rates if those are none.
    pub(super) fn policies(
        &self,
        rates: &[Rate],
        algorithm: Algorithm,
        default_rate: Rate,
    ) -> Result<Vec<Policy>, Error> {
        if let Some(policy) = &self.custom {
            return Ok(vec![policy.clone()]);
        }
        let rates = match (rates, &*self.rates) {
            ([], []) => &[default_rate][..],
            ([], own) => own,
            (given, _) => given,
        };
        rates.iter().map(|rate| self.policy_at(*rate, algorithm)).collect()
    }

    fn policy_at(&self, rate: Rate, algorithm: Algorithm) -> Result<Policy, Error> {
        let mut builder = Policy::builder(self.algorithm.unwrap_or(algorithm), rate);
        if let Some(permits) = self.bucket_size {
            builder = builder.bucket_size(permits);
        }
        if let Some(speed) = self.refill_rate {
            builder = builder.refill_rate(speed);
        }
        if let Some(tokens) = self.initial_tokens {
            builder = builder.initial_tokens(tokens);
        }
        if let Some(start) = self.window_start {
            builder = builder.window_start(start);
        }
        builder.count_refused(self.count_refused).build()
    }
}

/// One rate or several.
#[derive(Clone, Debug, Default)]
pub struct Rates(pub(crate) Vec<Rate>);

impl From<Rate> for Rates {
    fn from(rate: Rate) -> Self {
        Self(vec![rate])
    }
}

impl<const N: usize> From<[Rate; N]> for Rates {
    fn from(rates: [Rate; N]) -> Self {
        Self(rates.to_vec())
    }
}

impl From<&[Rate]> for Rates {
    fn from(rates: &[Rate]) -> Self {
        Self(rates.to_vec())
    }
}

impl From<Vec<Rate>> for Rates {
    fn from(rates: Vec<Rate>) -> Self {
        Self(rates)
    }
}
