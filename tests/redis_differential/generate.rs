//! Histories: policies, keys, and turns that stand near every edge.

use actix_smart_ratelimit::{
    Algorithm, Decision, Mode, Policy, Rate, Timestamp, Verdict, WindowStart,
};
use fastrand::Rng;

/// Policies that understand each other's states, for the keys of one family.
struct Family {
    policies: Vec<Policy>,
    period: u64,
    limit: u64,
}

pub(crate) struct History {
    number: usize,
    families: Vec<Family>,
    base: Timestamp,
    now: Timestamp,
    /// All times are whole multiples of it, in microseconds.
    grain: u64,
    /// Times at which something was asked.
    times: Vec<Timestamp>,
    /// When the latest refusals end.
    edges: Vec<Timestamp>,
    /// Whether states of different kinds have one key.
    shares_keys: bool,
}

/// A key, a policy and a cost.
pub(crate) type Asked = (String, Policy, u32);

pub(crate) enum Turn {
    Ask(Vec<(Mode, Vec<Asked>)>),
    Reset(String),
    Refund { key: String, policy: Policy, cost: u32, charged_at: Timestamp },
}

const SECOND: u64 = 1_000_000;
pub(crate) const PERIODS: [u64; 8] = [
    SECOND,
    2 * SECOND,
    7 * SECOND,
    60 * SECOND,
    3_600 * SECOND,
    86_400 * SECOND,
    30 * 86_400 * SECOND,
    366 * 86_400 * SECOND,
];

impl History {
    pub(crate) fn new(random: &mut Rng, number: usize, base: Timestamp) -> Self {
        let grain = if random.bool() { 1_000 } else { 1 };
        let families = (0..random.usize(1..5)).map(|_| Family::new(random, grain)).collect();
        let now = base + random.u64(0..10_000) * grain;
        let (times, edges) = (vec![now], Vec::new());
        Self { number, families, base, now, grain, times, edges, shares_keys: false }
    }

    /// Lets states of different kinds have one key, in some histories.
    #[allow(dead_code, reason = "not every store can keep them apart")]
    pub(crate) fn sharing_keys(self, random: &mut Rng) -> Self {
        Self { shares_keys: random.u8(0..3) == 0, ..self }
    }

    /// Takes up when refusals end, to come back at that moment and right before it.
    pub(crate) fn hear(&mut self, verdict: &Verdict) {
        let later = |at: &Timestamp| *at > self.now && *at < Timestamp::MAX;
        let retries = verdict.decisions().iter().filter_map(Decision::retry_at);
        self.edges.extend(retries.filter(later));
        self.edges.drain(..self.edges.len().saturating_sub(4));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn turn(&mut self, random: &mut Rng, span: u64) -> Turn {
        self.advance(random, span);
        match random.u8(0..100) {
            0..4 => {
                let (family, key) = self.key(random);
                let _ = family;
                Turn::Reset(key)
            }
            4..14 => {
                let (key, policy, cost) = self.asked(random);
                let charged_at = self.times[random.usize(..self.times.len())];
                Turn::Refund { key, policy, cost: cost.min(1_000), charged_at }
            }
            _ => Turn::Ask((0..random.usize(1..8)).map(|_| self.batch(random)).collect()),
        }
    }

    fn batch(&self, random: &mut Rng) -> (Mode, Vec<Asked>) {
        let mode = if random.u8(0..8) == 0 { Mode::Peek } else { Mode::Charge };
        let checks = if random.bool() { 1 } else { random.usize(1..6) };
        (mode, (0..checks).map(|_| self.asked(random)).collect())
    }

    fn key(&self, random: &mut Rng) -> (usize, String) {
        let family = random.usize(..self.families.len());
        let name = if self.shares_keys { 0 } else { family };
        (family, format!("d:{}:{name}:{}", self.number, random.u8(0..2)))
    }

    fn asked(&self, random: &mut Rng) -> Asked {
        let (family, key) = self.key(random);
        let family = &self.families[family];
        let policy = family.policies[random.usize(..family.policies.len())].clone();
        let is_log = policy.algorithm() == Some(Algorithm::SlidingWindow);
        let most = if is_log { 1_000 } else { u64::from(u32::MAX) };
        let cost = match random.u8(0..11) {
            0 => 0,
            1..6 => 1,
            6 => family.limit,
            7 => family.limit + 1,
            8 => random.u64(0..=family.limit),
            9 => family.limit / 2,
            _ => random.u64(0..=family.limit / 2 + 1),
        };
        (key, policy, u32::try_from(cost.min(most)).unwrap())
    }

    /// Moves the time to where something may happen: by nothing, by a little, to an edge and the
    /// moments beside it, far ahead, or back.
    fn advance(&mut self, random: &mut Rng, span: u64) {
        let family = &self.families[random.usize(..self.families.len())];
        let interval = family.period / family.limit.max(1);
        let step = match random.u8(0..28) {
            0..6 => 0,
            6 => 1,
            7..12 => interval,
            12 => interval.saturating_sub(1),
            13 => interval + 1,
            14 => family.period - 1,
            15 => family.period,
            16 => family.period + 1,
            17 => random.u64(0..family.period),
            18 => random.u64(0..2 * interval + 2),
            19 => 10 * family.period,
            20 => family.period / 2,
            // To where parts of windows begin, at which weighted counts are whole numbers.
            21 => to_multiple(self.now, family.period / 2),
            22 => to_multiple(self.now, family.period / 4),
            23..26 if !self.edges.is_empty() => {
                let edge = self.edges[random.usize(..self.edges.len())];
                edge.since(self.now).saturating_sub(random.u64(0..2))
            }
            _ => random.u64(0..family.period / 4 + 1),
        };
        let step = step.next_multiple_of(self.grain);
        let back = random.u8(0..20) == 0;
        let moved = if back { self.now - step.min(86_400 * SECOND) } else { self.now + step };
        self.now = moved.max(self.base);
        if self.now.since(self.base) > span {
            self.now = self.base;
        }
        self.times.push(self.now);
    }
}

/// How far it is to the next multiple.
fn to_multiple(now: Timestamp, of: u64) -> u64 {
    now.as_micros().next_multiple_of(of) - now.as_micros()
}

impl Family {
    fn new(random: &mut Rng, grain: u64) -> Self {
        loop {
            if let Some(family) = Self::attempt(random, grain) {
                return family;
            }
        }
    }

    /// `None` if a bucket would take longer to fill than the backend keeps.
    fn attempt(random: &mut Rng, grain: u64) -> Option<Self> {
        let period = PERIODS[random.usize(..PERIODS.len())];
        let limit = match random.u8(0..8) {
            0 => 0,
            1 => random.u32(1..1_000_000_000),
            2 => u32::MAX,
            3 => random.u32(5..200),
            _ => random.u32(1..8),
        };
        let (_, algorithm) = Algorithm::NAMES[random.usize(..Algorithm::NAMES.len())];
        let start =
            if grain > 1 && random.bool() { WindowStart::FirstRequest } else { WindowStart::Clock };
        // A log has an entry for each permit.
        let limit = if algorithm == Algorithm::SlidingWindow { limit.min(300) } else { limit };
        let bucket = random.bool().then(|| random.u64(0..20) + u64::from(limit) / 2);
        let refill = (random.u8(0..4) == 0).then(|| {
            let [whole, parts] = [random.u32(0..5), random.u32(0..1_000_000)];
            format!("{whole}.{parts:06}").parse().unwrap()
        });
        let initial = random.bool();
        let mut policies = Vec::new();
        for larger in [0, 1 + limit / 3] {
            for count_refused in [false, random.u8(0..4) == 0] {
                let rate = Rate::new(limit.saturating_add(larger), period).unwrap();
                let policy = policy(algorithm, rate, (bucket, refill, initial), start, larger);
                policies.push(policy.count_refused(count_refused).build().ok()?);
            }
        }
        // Another rate is another state of a bucket, unless it refills at the same speed.
        let tag = policies[0].state_tag();
        policies.retain(|policy| policy.state_tag() == tag);
        if policies.iter().any(|policy| policy.window_micros().is_some_and(|fill| fill > 1 << 51)) {
            return None;
        }
        let limit = policies[0].limit().min(u64::from(u32::MAX) - 1);
        Some(Self { policies, period, limit })
    }
}

fn policy(
    algorithm: Algorithm,
    rate: Rate,
    (bucket, refill, initial): (Option<u64>, Option<f64>, bool),
    start: WindowStart,
    larger: u32,
) -> actix_smart_ratelimit::PolicyBuilder {
    let mut builder = Policy::builder(algorithm, rate);
    let is_meter =
        matches!(algorithm, Algorithm::TokenBucket | Algorithm::LeakyBucket | Algorithm::Gcra);
    let size = bucket.map(|size| size + u64::from(larger));
    if let (true, Some(size)) = (is_meter, size) {
        builder = builder.bucket_size(size);
    }
    if let (Algorithm::TokenBucket | Algorithm::LeakyBucket, Some(refill)) = (algorithm, refill) {
        builder = builder.refill_rate(refill);
    }
    if algorithm == Algorithm::TokenBucket && initial {
        builder = builder.initial_tokens(size.unwrap_or(rate.limit().into()) / 2);
    }
    if algorithm == Algorithm::FixedWindow {
        builder = builder.window_start(start);
    }
    builder
}
