//! Several stores behind one door: when one is away, another decides.
//!
//! Each member has a circuit breaker. Requests go to the first member, or to their key's, whose breaker is
//! closed; one that fails is followed by the next within the same deadline. Whether a member is back is
//! found out by probes of its own, outside of requests. docs/failover.md has the rules and the bounds.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::timeout;

use self::{
    board::Board,
    decision::{Step, Waiting},
    order::Order,
};
pub use super::breaker::{
    BreakerSettings, Change, ChangeKind, Latency, MemberState, MemberStatus, Watcher,
};
use super::{
    Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats, Upkeep,
    asked::Asked, breaker::Guard,
};
use crate::{Batch, Charge, Clock, Error, Mode, Policy};

mod board;
mod builder;
mod decision;
mod order;

pub use builder::MultiBuilder;
pub use order::Strategy;

/// Several stores behind one door.
///
/// ```
/// use actix_smart_ratelimit::{MemoryBackend, RateLimiter, backend::multi::MultiBackend};
///
/// # fn main() -> Result<(), actix_smart_ratelimit::Error> {
/// # let (redis, database) = (MemoryBackend::new(10), MemoryBackend::new(10));
/// let both = MultiBackend::builder().member("fast", redis).member("durable", database).build()?;
/// let limiter = RateLimiter::builder().backend("main", both).build()?;
/// # Ok(())
/// # }
/// ```
///
/// A refusal is an answer: only what a store cannot decide goes to the next member. Where an answer does
/// not come, nobody knows whether it was charged; it is not asked of that member again, and the next one
/// decides. Members do not share counters, so a client may be admitted up to its limit by each of them.
#[derive(Debug)]
pub struct MultiBackend {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    members: Vec<Arc<Guard>>,
    /// A number for each member, the same in all processes.
    seeds: Vec<u64>,
    strategy: Strategy,
    board: Arc<Board>,
    /// What a whole decision may take, in microseconds.
    deadline: AtomicU64,
    member_deadline: Option<Duration>,
    /// Tasks that probe now.
    probers: Arc<AtomicUsize>,
}

impl MultiBackend {
    /// A backend of members that are yet to be named.
    pub fn builder() -> MultiBuilder {
        MultiBuilder::new()
    }

    /// How each member does, in their order.
    #[must_use]
    pub fn status(&self) -> Vec<MemberStatus> {
        self.shared.members.iter().map(|member| member.status()).collect()
    }

    /// How members share the work.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.shared.strategy
    }

    /// A member by its name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Arc<dyn Backend>> {
        let found = self.shared.members.iter().find(|member| member.name() == name);
        found.map(|member| member.backend())
    }

    #[inline]
    fn ask(&self, batch: &mut Batch<'_>, mode: Mode) -> Progress {
        let shared = &self.shared;
        if shared.probers.load(Relaxed) < shared.members.len() {
            shared.begin_probing();
        }
        let mut order = Order::of_checks(shared.strategy, batch.checks());
        let mut failed: Option<BackendError> = None;
        loop {
            match shared.step(&mut order, batch, mode) {
                Step::Decided => return Progress::Done,
                Step::Failed(error) => failed = Some(worse(failed, error)),
                Step::Later(later) => {
                    let fate = failed.map_or(Fate::NotCharged, |error| error.fate());
                    let asked = Asked::of(batch, mode);
                    let (shared, now) = (shared.clone(), batch.now());
                    let waiting = Waiting { shared, order, asked, now, fate };
                    return Progress::Pending(Box::pin(waiting.decide(later)));
                }
                Step::Nobody => {
                    let error = failed.unwrap_or_else(|| shared.away());
                    return Progress::Pending(Box::pin(ready(Err(error))));
                }
            }
        }
    }
}

/// The later of two errors, told with what both mean for a charge.
fn worse(before: Option<BackendError>, error: BackendError) -> BackendError {
    match before {
        Some(before) if before.fate() == Fate::Unknown => error.with_fate(Fate::Unknown),
        _ => error,
    }
}

impl Shared {
    fn deadline(&self) -> Duration {
        Duration::from_micros(self.deadline.load(Relaxed))
    }

    fn member_deadline(&self, deadline: Duration) -> Duration {
        let share = deadline / u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.member_deadline.unwrap_or(share).min(deadline)
    }

    /// Begins the tasks that are missing: all of them at first, later those whose runtime has ended.
    #[cold]
    fn begin_probing(&self) {
        self.members.iter().for_each(Guard::begin_probing);
    }

    /// Why nobody is asked: what is wrong with the first member.
    #[cold]
    fn away(&self) -> BackendError {
        let unknown = || BackendError::new(ErrorKind::Unavailable, Fate::NotCharged);
        self.members.first().map_or_else(unknown, |member| member.away())
    }

    /// Does something at every member, one after the other, each within its deadline.
    async fn each<T>(
        &self,
        work: impl Fn(&dyn Backend) -> BoxFuture<Result<T, BackendError>>,
        within: Duration,
    ) -> Vec<(String, Result<T, BackendError>)> {
        let mut results = Vec::new();
        for member in &self.members {
            let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::Unknown));
            let done = work(&**member.backend());
            let result = timeout(within, done).await.unwrap_or_else(late);
            results.push((member.name().to_owned(), result));
        }
        results
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for MultiBackend {
    #[inline]
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Mode::Charge)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Mode::Peek)
    }

    /// Forgets the key at every member, those that are away included: where one cannot, its error is
    /// the answer, and the others have forgotten it.
    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let (shared, key) = (self.shared.clone(), key.to_owned());
        Box::pin(async move {
            let within = shared.member_deadline(shared.deadline());
            let results = shared.each(|member| member.reset(&key), within).await;
            results.into_iter().try_for_each(|(_, result)| result)
        })
    }

    /// Gives back to the member that would decide about the key now, and to no other if that fails:
    /// rather too little than too much.
    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let shared = &self.shared;
        let mut order = Order::of(shared.strategy, charge.key);
        let member = order.next(&shared.seeds, |index| shared.members[index].is_closed());
        let Some(member) = member.map(|index| shared.members[index].clone()) else {
            return Box::pin(ready(Err(shared.away())));
        };
        let (done, within) = (member.backend().refund(charge), shared.deadline());
        Box::pin(async move {
            let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::Unknown));
            timeout(within, done).await.unwrap_or_else(late)
        })
    }

    /// Asks every member. It is well while one of them is; what is wrong with others are warnings.
    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let begun = Clock::System.now();
            let results = shared.each(|member| member.health(), shared.deadline()).await;
            let mut health = Health::default();
            let mut failed = None;
            let mut is_well = false;
            for (name, result) in results {
                match result {
                    Ok(found) => {
                        is_well = true;
                        let warnings = found.warnings.into_iter();
                        health.warnings.extend(warnings.map(|text| format!("{name}: {text}")));
                    }
                    Err(error) => {
                        health.warnings.push(format!("{name}: {error}"));
                        failed.get_or_insert(error);
                    }
                }
            }
            health.round_trip_micros = Clock::System.now().since(begun);
            match failed {
                Some(error) if !is_well => Err(error),
                _ => Ok(health),
            }
        })
    }

    /// The sums over all members.
    fn stats(&self) -> Stats {
        let members = self.shared.members.iter().map(|member| member.backend().stats());
        members.fold(Stats::default(), Stats::plus)
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        let mut members = self.shared.members.iter();
        members.try_for_each(|member| member.backend().validate(policy, cost))
    }

    /// That of the first member that has one.
    fn upkeep(&self) -> Option<&dyn Upkeep> {
        self.shared.members.iter().find_map(|member| member.backend().upkeep())
    }

    fn members(&self) -> Vec<MemberStatus> {
        self.status()
    }

    fn watch(&self, watcher: &Watcher) {
        let most = watcher.deadline().saturating_mul(9) / 10;
        self.shared.deadline.fetch_min(micros(most), Relaxed);
        self.shared.board.watch(watcher.clone());
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
