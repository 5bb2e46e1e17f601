//! Asking a backend directly, whether it answers at once or later.

use actix_smart_ratelimit::{
    Algorithm, Batch, Check, Clock, Decision, Mode, Policy, Rate, Timestamp, Verdict, WindowStart,
    backend::{Backend, BackendError, Progress},
};

const HOUR: u64 = 3_600_000_000;

/// Asks several checks at once.
pub async fn ask(
    backend: &impl Backend,
    checks: &[Check<'_>],
    mode: Mode,
) -> Result<Verdict, BackendError> {
    let mut batch = Batch::new(Clock::System.now());
    for check in checks {
        batch.push(*check).unwrap();
    }
    let progress = match mode {
        Mode::Charge => backend.check(&mut batch),
        Mode::Peek => backend.peek(&mut batch),
    };
    match progress {
        Progress::Done => Ok(batch.into_verdict()),
        Progress::Pending(verdict) => verdict.await,
    }
}

/// Takes `cost` permits.
pub async fn take(backend: &impl Backend, key: &str, policy: &Policy, cost: u32) -> Decision {
    let check = Check { key, policy, cost };
    ask(backend, &[check], Mode::Charge).await.unwrap().decisions()[0]
}

/// Looks whether `cost` permits would be admitted.
pub async fn peek(backend: &impl Backend, key: &str, policy: &Policy, cost: u32) -> Decision {
    let check = Check { key, policy, cost };
    ask(backend, &[check], Mode::Peek).await.unwrap().decisions()[0]
}

/// Permits that are left.
pub async fn left(backend: &impl Backend, key: &str, policy: &Policy) -> u64 {
    peek(backend, key, policy, 0).await.remaining()
}

/// Permits that have been taken.
pub async fn taken(backend: &impl Backend, key: &str, policy: &Policy) -> u64 {
    policy.limit() - left(backend, key, policy).await
}

/// Every algorithm in each of its variants, by name.
pub fn policies(rate: Rate) -> Vec<(&'static str, Policy)> {
    variants(rate, false)
}

/// The same, where refused requests are charged too.
pub fn counting_policies(rate: Rate) -> Vec<(&'static str, Policy)> {
    variants(rate, true)
}

fn variants(rate: Rate, count_refused: bool) -> Vec<(&'static str, Policy)> {
    let builders = Algorithm::NAMES.map(|(name, of)| (name, Policy::builder(of, rate)));
    let first =
        Policy::builder(Algorithm::FixedWindow, rate).window_start(WindowStart::FirstRequest);
    let all = builders.into_iter().chain([("fixed_window from the first request", first)]);
    all.map(|(name, builder)| (name, builder.count_refused(count_refused).build().unwrap()))
        .collect()
}

/// So many permits in a period so long that none comes back while a test runs: no window on the clock
/// ends within the next hour.
pub fn lasting(limit: u32) -> Rate {
    let now = Clock::System.now().as_micros();
    let lasts = |period: &u64| period - now % period > HOUR;
    let period = [366, 365, 364].map(|days| days * 24 * HOUR).into_iter().find(lasts);
    Rate::new(limit, period.unwrap()).unwrap()
}

/// The beginning of a day that is yet to come by the clocks of servers, by which states expire.
pub fn tomorrow() -> Timestamp {
    let now = Clock::System.now();
    now + (2 * 24 * HOUR - now.as_micros() % (24 * HOUR))
}
