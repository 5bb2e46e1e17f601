//! One of the processes: asks its limiter at random, and writes down everything that happens.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

use actix_smart_ratelimit::{
    Algorithm, Batch, Charge, Decision, Error, Event, EventKind, Limit, Outcome, Policy, Rate,
    RateLimiter, Verdict, WindowStart,
    backend::{
        Backend, BackendError, BoxFuture, Fate, Health, Progress, Stats, database::DatabaseBackend,
        multi::MultiBackend, redis::RedisBackend,
    },
};
use fastrand::Rng;
use futures_util::future::join_all;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::sleep;

use super::{
    checker::LOCAL,
    history::{Attempt, Ended, Line, Request, Result as Came, Span},
    support::processes::say,
};

const TASKS: u64 = 6;
/// A key is asked for during this many seconds, so that fresh ones come and old ones go.
const GENERATION: u64 = 4;
/// Permits of a limit whose permits do not come back during a run, and of the one whose do.
pub(crate) const TOTAL: u32 = 40;
pub(crate) const PER_SECOND: u32 = 40;

thread_local! {
    static FILE: RefCell<Option<BufWriter<File>>> = const { RefCell::new(None) };
    static PROCESS: Cell<u32> = const { Cell::new(0) };
    /// Since when each store is not asked.
    static PAUSES: RefCell<Vec<(String, u64)>> = const { RefCell::new(Vec::new()) };
}

tokio::task_local! {
    /// The request that a task is about, and when `on_error` began to decide it.
    static REQUEST: (u64, Cell<Option<u64>>);
}

/// Nanoseconds of the clock that all processes share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

fn write(line: &Line) {
    FILE.with_borrow_mut(|file| writeln!(file.as_mut().unwrap(), "{line}").unwrap());
}

/// The limits, by the names that the checker knows.
pub(crate) fn limits() -> [Limit; 4] {
    let rate = Rate::new(TOTAL, 366 * 86_400 * 1_000_000).unwrap();
    let window = Limit::new("window", rate).algorithm(Algorithm::FixedWindow);
    [
        window.window(WindowStart::FirstRequest),
        Limit::new("log", rate).algorithm(Algorithm::SlidingWindow),
        Limit::new("bucket", rate).algorithm(Algorithm::TokenBucket),
        Limit::new("steady", Rate::per_second(PER_SECOND)).algorithm(Algorithm::Gcra),
    ]
}

/// A store whose answers are written down.
#[derive(Debug)]
struct Recorded<B> {
    place: &'static str,
    inner: B,
}

/// A question under way; if nobody waits for the answer any more, its fate is unknown.
struct Asking(Option<Attempt>);

impl Asking {
    fn begin(place: &str, batch: &Batch<'_>) -> Self {
        let [check] = batch.checks() else { panic!("a limit of one rate") };
        // ratelimit:<limit>:<key>
        let mut parts = check.key.split(':').skip(1);
        let mut part = || parts.next().unwrap().to_owned();
        Self(Some(Attempt {
            process: PROCESS.get(),
            request: REQUEST.with(|(request, _)| *request),
            place: place.to_owned(),
            limit: part(),
            key: part(),
            cost: check.cost.into(),
            begun: now(),
            ended: 0,
            result: Came::Unknown,
            remaining: 0,
        }))
    }

    fn end(mut self, result: Result<&Verdict, &BackendError>) {
        let (result, remaining) = match result {
            Ok(verdict) => came(&verdict.decisions()[0]),
            Err(error) if error.fate() == Fate::NotCharged => (Came::Failed, 0),
            Err(_) => (Came::Unknown, 0),
        };
        self.write(result, remaining);
    }

    fn write(&mut self, result: Came, remaining: u64) {
        if let Some(attempt) = self.0.take() {
            write(&Line::Attempt(Attempt { ended: now(), result, remaining, ..attempt }));
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.write(Came::Unknown, 0);
    }
}

fn came(decision: &Decision) -> (Came, u64) {
    let result = if decision.is_allowed() { Came::Allowed } else { Came::Refused };
    (result, decision.remaining())
}

impl<B: Backend> Backend for Recorded<B> {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let asking = Asking::begin(self.place, batch);
        match self.inner.check(batch) {
            Progress::Done => {
                asking.end(Ok(batch.verdict()));
                Progress::Done
            }
            Progress::Pending(answer) => Progress::Pending(Box::pin(async move {
                let answer = answer.await;
                asking.end(answer.as_ref());
                answer
            })),
        }
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.inner.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.inner.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        let probing = Probing(self.place, now());
        let answer = self.inner.health();
        Box::pin(async move {
            let _probing = probing;
            answer.await
        })
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.inner.validate(policy, cost)
    }
}

/// A probe under way.
struct Probing(&'static str, u64);

impl Drop for Probing {
    fn drop(&mut self) {
        write(&Line::Probe(span(self.0, self.1)));
    }
}

/// From then until now.
fn span(place: &str, begun: u64) -> Span {
    Span { process: PROCESS.get(), place: place.to_owned(), begun, ended: now() }
}

fn note(event: &Event<'_>) {
    let member = event.member.unwrap_or_default();
    match event.kind {
        EventKind::StoreAway => {
            let _ = REQUEST.try_with(|(_, away)| away.set(Some(now())));
        }
        EventKind::Opened => {
            PAUSES.with_borrow_mut(|pauses| pauses.push((member.to_owned(), now())));
        }
        EventKind::HalfOpen => PAUSES.with_borrow_mut(|pauses| {
            if let Some(at) = pauses.iter().position(|(place, _)| place == member) {
                let (place, begun) = pauses.remove(at);
                write(&Line::Pause(span(&place, begun)));
            }
        }),
        _ => {}
    }
}

/// Plays the role of a process: `number redis postgres seconds folder`.
pub(crate) fn play(role: &str) {
    let fields: Vec<_> = role.split(' ').collect();
    let &[number, redis, postgres, seconds, folder] = &fields[..] else { panic!("{role}") };
    let path = Path::new(folder).join(format!("process{number}"));
    FILE.set(Some(BufWriter::new(File::create(path).unwrap())));
    PROCESS.set(number.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let time = Duration::from_secs(seconds.parse().unwrap());
    let decided: u64 = runtime.block_on(async {
        let redis = Recorded { place: "redis", inner: RedisBackend::connect(redis).unwrap() };
        let inner = DatabaseBackend::builder(postgres).connections(2).build().unwrap();
        let multi = MultiBackend::builder().member("redis", redis);
        let multi = multi.member("postgres", Recorded { place: "postgres", inner });
        let limiter = RateLimiter::builder().backend("main", multi.build().unwrap());
        let limiter = limiter.on_event(note).build().unwrap();
        let tasks = join_all((0..TASKS).map(|task| ask_for(&limiter, task, time)));
        tasks.await.into_iter().sum()
    });
    drop(runtime);
    FILE.with_borrow_mut(|file| file.take().unwrap().flush().unwrap());
    say(decided);
}

/// One task: asks until the time is over, and tells how often.
async fn ask_for(limiter: &RateLimiter, task: u64, time: Duration) -> u64 {
    let mut rng = Rng::new();
    let limits = limits();
    let begun = Instant::now();
    let mut number = task;
    while begun.elapsed() < time {
        let cost = rng.u32(1..=2);
        let limit = limits[rng.usize(..limits.len())].clone().cost(cost);
        let key = match limit.name() {
            "steady" => format!("k{}", rng.u32(..2)),
            _ => format!("k{}", now() / (GENERATION * 1_000_000_000) * 3 + rng.u64(..3)),
        };
        request(limiter, (&limit, cost), &key, number).await;
        number += TASKS;
        sleep(Duration::from_micros(rng.u64(..12_000))).await;
    }
    number / TASKS
}

async fn request(limiter: &RateLimiter, (limit, cost): (&Limit, u32), key: &str, number: u64) {
    let begun = now();
    let scope = (number, Cell::new(None));
    let (outcome, away) = REQUEST
        .scope(scope, async {
            let outcome = limiter.check(limit, key).await.unwrap();
            (outcome, REQUEST.with(|(_, away)| away.get()))
        })
        .await;
    let process = PROCESS.get();
    let ended = now();
    let outcome = match outcome {
        Outcome::Decided { decision, .. } => {
            let (result, remaining) = came(&decision);
            if let Some(begun) = away {
                write(&Line::Attempt(Attempt {
                    process,
                    request: number,
                    place: LOCAL.to_owned(),
                    limit: limit.name().to_owned(),
                    key: key.to_owned(),
                    cost: cost.into(),
                    begun,
                    ended,
                    result,
                    remaining,
                }));
            }
            if decision.is_allowed() { Ended::Allowed } else { Ended::Refused }
        }
        other => Ended::Otherwise(format!("{other:?}")),
    };
    write(&Line::Request(Request { process, number, begun, ended, outcome }));
}
