//! How far leases are off: with `m` processes and lots of `q` permits, at most `m · (q − 1)` permits
//! more than the algorithm admits in any interval, and at most as many refused though unused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../core/tests/oracle/mod.rs"]
mod oracle;
mod wrap_support;

use std::{iter, sync::Arc, thread, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Batch, Charge, Check, MemoryBackend, Policy, Rate, Timestamp, Verdict,
    backend::{Backend, BackendError, BoxFuture, wrap::Leases},
};
use oracle::generate::{KINDS, Kind, Parameters};
use proptest::{collection::vec, prelude::*, sample::select};
use wrap_support::{Later, ask, decided, now, one};

const SECOND: u64 = 1_000_000;
const NOW: u64 = 1_800_000_000 * SECOND;

/// Some processes that share a store, and what each request is about to find.
#[derive(Clone, Debug)]
struct Scene {
    kind: Kind,
    limit: u32,
    period: u64,
    bucket_size: Option<u64>,
    processes: usize,
    lot: u32,
    lifetime: u64,
    /// Whether the store answers at once.
    at_once: bool,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let lifetimes = select(vec![0, 1, SECOND / 2, SECOND, 5 * SECOND, u64::MAX]);
    let sizes = prop_oneof![2 => Just(None), 1 => (1..60_u64).prop_map(Some)];
    let limit_and_period = (1..50_u32, select(vec![SECOND, 7 * SECOND, 10 * SECOND]));
    let rest = (1..5_usize, 2..16_u32, lifetimes, any::<bool>());
    (select(KINDS.to_vec()), limit_and_period, sizes, rest).prop_map(
        |(kind, (limit, period), bucket_size, (processes, lot, lifetime, at_once))| {
            let bucket_size = bucket_size.filter(|_| kind.is_bucket());
            Scene { kind, limit, period, bucket_size, processes, lot, lifetime, at_once }
        },
    )
}

impl Scene {
    fn policy(&self) -> Policy {
        let &Self { limit, period, bucket_size, .. } = self;
        let (refill, initial, count_refused) = (None, None, false);
        let p = Parameters { limit, period, bucket_size, refill, initial, count_refused };
        self.kind.case(p).unwrap().policy
    }

    /// B of a bucket, and the limit of everything else.
    fn capacity(&self) -> u64 {
        self.bucket_size.unwrap_or_else(|| self.limit.into())
    }

    /// m · (q − 1)
    fn held(&self) -> u64 {
        let lot = u64::from(self.lot).min(self.capacity());
        self.processes as u64 * lot.saturating_sub(1)
    }

    fn start(&self) -> (Vec<Box<dyn Process>>, Arc<MemoryBackend>) {
        let memory = Arc::new(MemoryBackend::new(100));
        let lifetime = Duration::from_micros(self.lifetime);
        let process = |_| match self.at_once {
            true => Box::new(Leases::around(memory.clone(), self.lot).lifetime(lifetime)) as _,
            false => {
                let later = Later::new(memory.clone());
                Box::new(Leases::around(later, self.lot).lifetime(lifetime)) as Box<dyn Process>
            }
        };
        ((0..self.processes).map(process).collect(), memory)
    }

    /// Whether no interval has more of `admitted` (time and cost, in order) than the bound.
    fn bounds(&self, admitted: &[(u64, u64)]) -> Result<(), TestCaseError> {
        let limit = u64::from(self.limit);
        for (first, &(from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for &(to, cost) in &admitted[first..] {
                sum += cost;
                let within_a_period = to - from < self.period;
                match self.kind {
                    // Permits do not outlive their window, so no more than without leases.
                    Kind::FixedClock if to / self.period == from / self.period => {
                        prop_assert!(sum <= limit, "{sum} in the window of {from}");
                    }
                    Kind::FixedFirst if within_a_period => prop_assert!(sum <= 2 * limit),
                    Kind::Log if within_a_period => {
                        prop_assert!(sum <= limit + self.held(), "{sum} from {from} to {to}");
                    }
                    Kind::Counter if within_a_period => {
                        prop_assert!(sum <= 2 * limit - 1 + self.held(), "{sum} from {from}");
                    }
                    kind if kind.is_bucket() => {
                        let (sum, room) = (u128::from(sum), self.capacity() + self.held());
                        let refilled = u128::from(to - from) * u128::from(limit);
                        let bound = refilled + u128::from(room) * u128::from(self.period);
                        prop_assert!(sum * u128::from(self.period) <= bound, "{from} to {to}");
                    }
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Whether `cost` at `at` is too much, if all that can be held had been handed out too.
    fn is_full(&self, admitted: &[(u64, u64)], at: u64, cost: u64) -> bool {
        let (limit, period) = (u64::from(self.limit), self.period);
        let sum = |within: &dyn Fn(u64) -> bool| -> u64 {
            admitted.iter().filter(|(time, _)| within(*time)).map(|(_, cost)| cost).sum()
        };
        let more = cost + self.held();
        match self.kind {
            Kind::FixedClock => sum(&|time| time / period == at / period) + more > limit,
            Kind::Log => sum(&|time| at - time < period) + more > limit,
            Kind::Counter => {
                let window = at / period;
                let previous = sum(&|time| time / period + 1 == window);
                let current = sum(&|time| time / period == window) + more;
                previous * (period - at % period) + current * period > limit * period
            }
            // The window began within the last period.
            Kind::FixedFirst => sum(&|time| at - time < period) + more > limit,
            _ => {
                // The arrival time, in units of one microsecond divided by the limit.
                let scale = |micros: u64| u128::from(micros) * u128::from(limit);
                let permits = |n: u64| u128::from(n) * u128::from(period);
                let arrival = admitted.iter().fold(0, |arrival: u128, (time, cost)| {
                    arrival.max(scale(*time)) + permits(*cost)
                });
                arrival.max(scale(at)) + permits(more) > scale(at) + permits(self.capacity())
            }
        }
    }
}

type Answer = BoxFuture<Result<Verdict, BackendError>>;

/// A process, whatever its backend.
trait Process {
    fn ask(&self, at: u64, checks: &[Check<'_>]) -> Result<Verdict, Answer>;
    fn refund(&self, charge: Charge<'_>);
}

impl<B: Backend> Process for Leases<B> {
    fn ask(&self, at: u64, checks: &[Check<'_>]) -> Result<Verdict, Answer> {
        ask(self, at, checks)
    }

    fn refund(&self, charge: Charge<'_>) {
        now(Backend::refund(self, charge)).unwrap();
    }
}

/// One request: the microseconds before it, the process, its cost, and what becomes of an answer
/// that is to come.
type Request = (u64, usize, u32, Arrival);

#[derive(Clone, Copy, Debug)]
enum Arrival {
    AtOnce,
    /// When the next request has been made, or after a second.
    Late,
    Never,
}

fn requests(arrivals: Vec<Arrival>) -> impl Strategy<Value = Vec<Request>> {
    let pauses = prop_oneof![
        6 => Just(0),
        4 => 1..SECOND / 3,
        2 => select(vec![1, SECOND - 1, SECOND, 7 * SECOND, 10 * SECOND]),
    ];
    let costs = select(vec![1, 1, 1, 1, 2, 3, 9]);
    vec((pauses, 0..5_usize, costs, select(arrivals)), 1..200)
}

/// Notes what an answer admits that was asked for at some time, or later when the store was asked a
/// second time.
fn note(admitted: &mut Vec<(u64, u64)>, answer: Option<(Answer, u64, u32)>) {
    let Some((answer, asked_at, cost)) = answer else { return };
    let verdict = now(answer).unwrap();
    if verdict.is_allowed() {
        admitted.push((verdict.decided_at().as_micros().max(asked_at), cost.into()));
    }
}

proptest! {
    #[test]
    fn no_interval_has_more_than_the_algorithm_admits_and_all_that_processes_hold(
        scene in scenes(),
        requests in requests(vec![Arrival::AtOnce, Arrival::AtOnce, Arrival::Late, Arrival::Never]),
    ) {
        let (policy, (processes, _memory)) = (scene.policy(), scene.start());
        let (mut at, mut admitted, mut late) = (NOW, Vec::new(), None);
        for (pause, process, cost, arrival) in requests {
            if pause > SECOND {
                note(&mut admitted, late.take());
            }
            at += pause;
            let check = [Check { key: "key", policy: &policy, cost }];
            let told = processes[process % scene.processes].ask(at, &check);
            note(&mut admitted, late.take());
            match (told, arrival) {
                (Ok(verdict), _) if verdict.is_allowed() => admitted.push((at, cost.into())),
                (Ok(_), _) | (Err(_), Arrival::Never) => {}
                (Err(answer), Arrival::AtOnce) => note(&mut admitted, Some((answer, at, cost))),
                (Err(answer), Arrival::Late) => late = Some((answer, at, cost)),
            }
        }
        admitted.sort_unstable();
        scene.bounds(&admitted)?;
    }

    #[test]
    fn nothing_is_refused_that_would_be_admitted_if_nothing_were_held(
        scene in scenes(),
        requests in requests(vec![Arrival::AtOnce]),
    ) {
        let (policy, (processes, _memory)) = (scene.policy(), scene.start());
        let (mut at, mut admitted) = (NOW, Vec::new());
        for (pause, process, cost, _) in requests {
            at += pause;
            let check = [Check { key: "key", policy: &policy, cost }];
            let told = processes[process % scene.processes].ask(at, &check);
            let verdict = told.unwrap_or_else(|answer| now(answer).unwrap());
            if verdict.is_allowed() {
                admitted.push((at, u64::from(cost)));
            } else {
                let is_full = scene.is_full(&admitted, at, cost.into());
                prop_assert!(is_full, "{cost} refused at {at} after {admitted:?}");
            }
        }
        scene.bounds(&admitted)?;
    }

    /// With refunds for what was just admitted: a permit is never given back twice.
    #[test]
    fn refunds_make_no_room_that_was_not_given_back(
        scene in scenes(),
        requests in requests(vec![Arrival::AtOnce]),
        refunds in vec(any::<bool>(), 200),
    ) {
        let (policy, (processes, _memory)) = (scene.policy(), scene.start());
        let (mut at, mut kept) = (NOW, Vec::new());
        for ((pause, process, cost, _), is_refunded) in requests.into_iter().zip(refunds) {
            at += pause;
            let process = &processes[process % scene.processes];
            let told = process.ask(at, &[Check { key: "key", policy: &policy, cost }]);
            let verdict = told.unwrap_or_else(|answer| now(answer).unwrap());
            if !verdict.is_allowed() {
                continue;
            }
            if is_refunded {
                let charged_at = verdict.decided_at();
                process.refund(Charge { key: "key", policy: &policy, cost, charged_at });
            } else {
                kept.push((at, u64::from(cost)));
            }
        }
        scene.bounds(&kept)?;
    }
}

#[test]
fn the_bound_is_reached_by_permits_that_were_taken_before_the_interval() {
    let (m, q, limit) = (3, 5, 20);
    let memory = Arc::new(MemoryBackend::new(100));
    let policy = Policy::new(Algorithm::SlidingWindow, Rate::per_minute(limit));
    let day = Duration::from_secs(86_400);
    let processes: Vec<_> =
        (0..m).map(|_| Leases::around(memory.clone(), q).lifetime(day)).collect();
    let take = |leases: &Leases<_>, at| decided(leases, at, &one("key", &policy)).is_allowed();
    assert!(processes.iter().all(|leases| take(leases, NOW)));
    // A period later the store has forgotten them.
    let later = NOW + 60 * SECOND;
    let mut admitted = 0;
    while processes.iter().any(|leases| take(leases, later)) {
        admitted += 1;
    }
    assert_eq!(admitted, limit + m * (q - 1));
}

#[test]
fn the_other_bound_is_reached_while_others_hold_theirs() {
    let (m, q, limit) = (3, 5, 20);
    let memory = Arc::new(MemoryBackend::new(100));
    let policy = Policy::new(Algorithm::FixedWindow, Rate::per_minute(limit));
    let processes: Vec<_> = (0..m).map(|_| Leases::around(memory.clone(), q)).collect();
    let take = |leases: &Leases<_>| decided(leases, NOW, &one("key", &policy)).is_allowed();
    for leases in &processes[1..] {
        assert!(take(leases));
    }
    let admitted = (0..100).filter(|_| take(&processes[0])).count();
    let unused = limit as usize - (m - 1) - admitted;
    assert_eq!(unused, (m - 1) * (q as usize - 1), "the first itself holds nothing any more");
}

/// Whatever is held is not taken again, and a bucket recovers in its time.
#[test]
fn slow_traffic_does_not_wear_a_bucket_out() {
    let memory = Arc::new(MemoryBackend::new(100));
    let leases = Leases::around(memory.clone(), 20);
    let policy = Policy::new(Algorithm::TokenBucket, Rate::per_minute(60));
    let left = |at| {
        let check = Check { key: "key", policy: &policy, cost: 0 };
        let mut batch = Batch::of(Timestamp::from_micros(at), check);
        let _ = memory.peek(&mut batch);
        batch.verdict().decisions()[0].remaining()
    };
    // Half of what comes back.
    let mut at = NOW;
    for _ in 0..600 {
        assert!(left(at) >= 60 - 20);
        assert!(decided(&leases, at, &one("key", &policy)).is_allowed());
        at += 2 * SECOND;
    }
    assert_eq!(left(at), 60);
}

#[test]
fn threads_and_processes_together_hand_out_exactly_what_the_store_gave() {
    const LIMIT: u32 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let store = Arc::new(MemoryBackend::new(100));
    let policy = Policy::new(Algorithm::FixedWindow, Rate::per_hour(LIMIT));
    let take = |leases: &Leases<_>| decided(leases, NOW, &one("key", &policy)).is_allowed();
    let processes = [0, 1].map(|_| Leases::around(store.clone(), 7).lifetime(Duration::MAX));
    let total: usize = thread::scope(|scope| {
        let take = &take;
        let count = |leases| {
            scope.spawn(move || {
                iter::repeat_with(|| take(leases)).take_while(|taken| *taken).count()
            })
        };
        let threads: Vec<_> = processes.iter().cycle().take(4).map(count).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // A thread stops at its first refusal, when another may yet be about to put a lot down.
    let rest = processes
        .iter()
        .flat_map(|leases| iter::repeat_with(|| take(leases)).take(100))
        .filter(|taken| *taken)
        .count();
    assert_eq!(total + rest, LIMIT as usize);
    let mut batch = Batch::of(Timestamp::from_micros(NOW), one("key", &policy)[0]);
    let _ = store.peek(&mut batch);
    assert!(!batch.verdict().is_allowed());
}
