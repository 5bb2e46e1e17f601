//! `Policy`: an algorithm with its parameters, valid by construction.

use std::sync::Arc;

use crate::{
    algorithm::{
        Algorithm, Cell, CustomAlgorithm, Step, WindowStart, log::Log, meter::Meter, window::Window,
    },
    error::Error,
    rate::Rate,
    time::Timestamp,
};

/// Tokens per second are kept to a millionth.
const REFILL_SCALE: u64 = 1_000_000;
/// The largest bucket, in permits: beyond it a state would not survive stores that count in doubles.
const MAX_BUCKET: u64 = 1 << 53;

/// A rate, an algorithm and its parameters.
///
/// ```
/// use actix_smart_ratelimit_core::{Algorithm, Policy, Rate};
///
/// let plain = Policy::new(Algorithm::FixedWindow, Rate::per_minute(100));
/// let bursty = Policy::builder(Algorithm::TokenBucket, Rate::per_minute(60)).bucket_size(200).build()?;
/// assert_eq!((plain.limit(), bursty.limit()), (100, 200));
///
/// let wrong = Policy::builder(Algorithm::SlidingWindow, Rate::per_minute(60)).bucket_size(200).build();
/// assert!(wrong.unwrap_err().to_string().starts_with("bucket_size"));
/// # Ok::<(), actix_smart_ratelimit_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    shape: Shape,
    spoken: Option<(Algorithm, Rate)>,
    count_refused: bool,
    state_tag: u64,
}

/// The transition behind a policy, for backends that carry it out themselves.
#[derive(Clone, Debug)]
pub enum Shape {
    /// Fixed window, sliding window counter.
    Window(Window),
    /// Token bucket, leaky bucket, GCRA.
    Meter(Meter),
    /// Sliding window: the exact log.
    Log(Log),
    /// An algorithm of the application's own.
    Custom(Arc<dyn CustomAlgorithm>),
}

/// A charge that can be given back.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// The storage key.
    pub key: &'a str,
    /// The policy under which it was charged.
    pub policy: &'a Policy,
    /// Permits to give back.
    pub cost: u32,
    /// When they were taken.
    pub charged_at: Timestamp,
}

impl Policy {
    /// The algorithm with its defaults: clock-aligned windows; buckets of LIMIT permits, full at
    /// first, refilled at the rate.
    #[must_use]
    pub fn new(algorithm: Algorithm, rate: Rate) -> Self {
        let limit = u64::from(rate.limit());
        let shape = match algorithm {
            Algorithm::FixedWindow => Shape::Window(Window::fixed(rate, WindowStart::Clock)),
            Algorithm::SlidingWindowCounter => Shape::Window(Window::sliding_counter(rate)),
            Algorithm::SlidingWindow => Shape::Log(Log::new(rate)),
            Algorithm::TokenBucket | Algorithm::LeakyBucket | Algorithm::Gcra => {
                match Meter::new(limit, limit, limit, rate.period_micros()) {
                    Some(meter) => Shape::Meter(meter),
                    // Filling takes one period, which is in range; a window of 0 would be the
                    // strictest reading if it were not.
                    None => Shape::Window(Window::fixed(rate, WindowStart::Clock)),
                }
            }
        };
        Self::of(shape, Some((algorithm, rate)), false)
    }

    /// The algorithm with parameters.
    pub fn builder(algorithm: Algorithm, rate: Rate) -> PolicyBuilder {
        PolicyBuilder {
            algorithm,
            rate,
            bucket_size: None,
            refill_rate: None,
            initial_tokens: None,
            window_start: None,
            count_refused: false,
        }
    }

    /// An algorithm of your own. `name` tells its states apart from those of other policies on the
    /// same key; change it when the meaning of a cell changes.
    #[must_use]
    pub fn custom(name: &str, algorithm: impl CustomAlgorithm) -> Self {
        let words = name.bytes().map(u64::from);
        let policy = Self::of(Shape::Custom(Arc::new(algorithm)), None, false);
        Self { state_tag: words.fold(policy.state_tag, mix), ..policy }
    }

    fn of(shape: Shape, spoken: Option<(Algorithm, Rate)>, count_refused: bool) -> Self {
        let state_tag = state_tag(&shape);
        Self { shape, spoken, count_refused, state_tag }
    }

    /// The same, under the same name, but for its transition.
    pub(crate) fn with_shape(&self, shape: Shape) -> Self {
        Self::of(shape, self.spoken, self.count_refused)
    }

    /// The transition.
    #[inline]
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The rate; `None` for an algorithm of the application's own.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.spoken.map(|(_, rate)| rate)
    }

    /// The algorithm by name; `None` for one of the application's own.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.spoken.map(|(algorithm, _)| algorithm)
    }

    /// Whether refused requests are charged as well.
    #[inline]
    #[must_use]
    pub fn counts_refused(&self) -> bool {
        self.count_refused
    }

    /// What a stored state means: two policies with one tag understand each other's states.
    #[inline]
    #[must_use]
    pub fn state_tag(&self) -> u64 {
        self.state_tag
    }

    /// Permits of a whole window, or the capacity of a bucket.
    #[inline]
    #[must_use]
    pub fn limit(&self) -> u64 {
        match &self.shape {
            Shape::Window(window) => window.limit().into(),
            Shape::Meter(meter) => meter.capacity(),
            Shape::Log(log) => log.limit().into(),
            Shape::Custom(algorithm) => algorithm.step(None, Timestamp::ZERO, 0).decision.limit(),
        }
    }

    /// The time in microseconds over which [`limit`](Self::limit) holds: the period, or for buckets
    /// the time in which an empty one fills. `None` where that is unknown or never.
    #[must_use]
    pub fn window_micros(&self) -> Option<u64> {
        match &self.shape {
            Shape::Window(window) => Some(window.period()),
            Shape::Meter(meter) if meter.refill().0 == 0 => None,
            Shape::Meter(meter) => Some(meter.fill_micros()),
            Shape::Log(log) => Some(log.period()),
            Shape::Custom(_) => None,
        }
    }

    /// The transition of a cell; for the exact log, which is not a cell, that of a key never seen.
    #[inline]
    #[must_use]
    pub fn step(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        match &self.shape {
            Shape::Window(window) => window.step(cell, now, cost),
            Shape::Meter(meter) => meter.step(cell, now, cost),
            Shape::Custom(algorithm) => algorithm.step(cell, now, cost),
            Shape::Log(log) => {
                let decision = log.step(&crate::EntryLog::default(), now, cost, 0);
                Step { cell: Cell::default(), expires: now, decision }
            }
        }
    }

    /// The state after a refused request that is to be counted.
    #[must_use]
    pub fn penalize(&self, cell: Option<Cell>, now: Timestamp, cost: u32) -> Step {
        match &self.shape {
            Shape::Window(window) => window.penalize(cell, now, cost),
            Shape::Meter(meter) => meter.penalize(cell, now, cost),
            Shape::Custom(algorithm) => algorithm.penalize(cell, now, cost),
            Shape::Log(_) => self.step(cell, now, 0),
        }
    }

    /// The state after giving a charge back.
    #[must_use]
    pub fn refund(&self, cell: Cell, now: Timestamp, charged_at: Timestamp, cost: u32) -> Step {
        match &self.shape {
            Shape::Window(window) => window.refund(cell, now, charged_at, cost),
            Shape::Meter(meter) => meter.refund(cell, now, charged_at, cost),
            Shape::Custom(algorithm) => algorithm.refund(cell, now, charged_at, cost),
            Shape::Log(_) => self.step(Some(cell), now, 0),
        }
    }
}

/// Parameters of a policy, checked by [`build`](Self::build).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PolicyBuilder {
    algorithm: Algorithm,
    rate: Rate,
    bucket_size: Option<u64>,
    refill_rate: Option<f64>,
    initial_tokens: Option<u64>,
    window_start: Option<WindowStart>,
    count_refused: bool,
}

impl PolicyBuilder {
    /// Capacity of a bucket, or burst of GCRA, in permits: 0 (refuses everything) to 2^53; LIMIT by
    /// default. Token bucket, leaky bucket and GCRA only.
    pub fn bucket_size(mut self, permits: u64) -> Self {
        self.bucket_size = Some(permits);
        self
    }

    /// Permits that come back per second: 0 (never) to 4,294,967,295, in steps of a millionth;
    /// LIMIT / period by default. Token bucket and leaky bucket (as its leak rate) only.
    pub fn refill_rate(mut self, permits_per_second: f64) -> Self {
        self.refill_rate = Some(permits_per_second);
        self
    }

    /// Tokens that a key never seen begins with: 0 to the bucket's size, which is the default.
    /// Token bucket only.
    pub fn initial_tokens(mut self, tokens: u64) -> Self {
        self.initial_tokens = Some(tokens);
        self
    }

    /// Where windows begin; [`WindowStart::Clock`] by default. Fixed window only.
    pub fn window_start(mut self, start: WindowStart) -> Self {
        self.window_start = Some(start);
        self
    }

    /// Whether refused requests are charged too, so that a client that hammers stays out; false by
    /// default. A fixed window then stays full, a bucket empty, and a sliding window begins anew
    /// with each refused request.
    pub fn count_refused(mut self, count: bool) -> Self {
        self.count_refused = count;
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// When a parameter is out of range or means nothing to the algorithm.
    pub fn build(self) -> Result<Policy, Error> {
        use Algorithm::{FixedWindow, Gcra, LeakyBucket, TokenBucket};
        self.only("bucket_size", self.bucket_size.is_some(), &[TokenBucket, LeakyBucket, Gcra])?;
        self.only("refill_rate", self.refill_rate.is_some(), &[TokenBucket, LeakyBucket])?;
        self.only("initial_tokens", self.initial_tokens.is_some(), &[TokenBucket])?;
        self.only("window", self.window_start.is_some(), &[FixedWindow])?;
        let plain = Policy::new(self.algorithm, self.rate);
        let shape = match plain.shape {
            Shape::Meter(_) => Shape::Meter(self.meter()?),
            Shape::Window(window) if !window.is_weighted() => {
                Shape::Window(Window::fixed(self.rate, self.window_start.unwrap_or_default()))
            }
            other => other,
        };
        Ok(Policy::of(shape, Some((self.algorithm, self.rate)), self.count_refused))
    }

    fn only(&self, field: &'static str, given: bool, those: &[Algorithm]) -> Result<(), Error> {
        if !given || those.contains(&self.algorithm) {
            return Ok(());
        }
        let names: Vec<_> = those.iter().map(|algorithm| algorithm.name()).collect();
        let reason = format!("it has no meaning for {}", self.algorithm);
        let remedy = format!("remove it, or use {}", names.join(" or "));
        Err(Error::new(field, "", reason, remedy))
    }

    fn meter(&self) -> Result<Meter, Error> {
        let capacity = self.bucket_size.unwrap_or_else(|| self.rate.limit().into());
        if capacity > MAX_BUCKET {
            let remedy = format!("use at most {MAX_BUCKET}");
            return Err(Error::new("bucket_size", capacity.to_string(), "it is too large", remedy));
        }
        let initial = self.initial_tokens.unwrap_or(capacity);
        if initial > capacity {
            let remedy = format!("use at most the bucket's size, {capacity}");
            let reason = "there are more tokens than the bucket holds";
            return Err(Error::new("initial_tokens", initial.to_string(), reason, remedy));
        }
        let (refill, period) = match self.refill_rate {
            Some(rate) => (scaled(rate)?, REFILL_SCALE * 1_000_000),
            None => (self.rate.limit().into(), self.rate.period_micros()),
        };
        Meter::new(capacity, initial, refill, period).ok_or_else(|| {
            let reason = "the bucket would take over 146,000 years to fill";
            Error::new("bucket_size", capacity.to_string(), reason, "raise the rate of refill")
        })
    }
}

/// Permits per 10^6 seconds.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "configuration in decimal becomes an integer here, once; the range is checked"
)]
fn scaled(rate: f64) -> Result<u64, Error> {
    let error = |reason| {
        let remedy = "use tokens per second from 0.000001 to 4294967295, or 0 for never";
        Err(Error::new("refill_rate", rate.to_string(), reason, remedy))
    };
    if !rate.is_finite() || rate < 0.0 {
        return error("it is not a number of zero or more");
    }
    if rate > f64::from(u32::MAX) {
        return error("it is too large");
    }
    let scaled = (rate * 1e6).round() as u64;
    if scaled == 0 && rate > 0.0 {
        return error("it is smaller than a millionth of a token per second");
    }
    Ok(scaled)
}

/// What a stored state depends on: a changed limit keeps a window's counts, and a changed capacity
/// a bucket's level; another period or speed begins a state of its own.
#[inline]
fn state_tag(shape: &Shape) -> u64 {
    let words = match shape {
        Shape::Window(window) => {
            let kind = match (window.is_weighted(), window.start()) {
                (true, _) => 1,
                (false, WindowStart::Clock) => 2,
                (false, WindowStart::FirstRequest) => 3,
            };
            [kind, window.period(), 0]
        }
        Shape::Meter(meter) => {
            let (refill, period) = meter.refill();
            [4, refill, period]
        }
        Shape::Log(log) => [5, log.period(), 0],
        Shape::Custom(_) => [6, 0, 0],
    };
    words.into_iter().fold(0, mix)
}

/// One round of `SplitMix64` (Steele, Lea and Flood, 2014), over state and input.
const fn mix(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
