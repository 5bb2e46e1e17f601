//! A flood of requests that are all refused: with and without the denial cache,
//! and the memory backend's refusals as a reference.
//!
//! Every key has used up its only permit of the hour before anything is timed.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::{Runtime, spawn};
use anyhow::{Context, Result, anyhow, ensure};

use super::server::Server;
use crate::drive::{Bounds, Check, Visit, drive};
use crate::measure::{Contender, interleave};
use crate::memory::shuffled;
use crate::ours::keyed::InMemory;
use crate::ours::redis::Limiter;
use crate::ours::{Algorithm, Outcome};
use crate::table::{self, Row};
use crate::{Options, pin};

/// With many more keys hardly one is asked about twice while the cache repeats an answer.
const KEYS: [usize; 3] = [1, 10_000, 50_000];
const QUICK_KEYS: [usize; 2] = [1, 10_000];
const THREADS: [usize; 2] = [1, 2];
const ALGORITHM: Algorithm = Algorithm::Gcra;

/// Slices are long, and few therefore.
const ROUNDS: usize = 7;

/// A slice with the cache: as long as the cache repeats an answer, so that every slice also asks
/// anew about every key.
const CACHED: Work = Work { checks: u32::MAX, window: Duration::from_secs(1) };

/// A slice in which every check asks the server.
const PLAIN: Work = Work { checks: 5_000, window: UNBOUNDED };

/// A slice in memory.
const MEMORY: Work = Work { checks: 200_000, window: UNBOUNDED };

/// Room in the denial cache, the default; if that is less, twice the number of keys.
const DENIALS: usize = 65_536;

/// Checks of a thread that may wait for the server at once.
const IN_FLIGHT: usize = 32;

/// So many while keys are used up.
const FILL_IN_FLIGHT: usize = 256;

/// Checks of a task between two looks at the clock.
const STRETCH: u32 = 200;

/// No slice is ended by time.
const UNBOUNDED: Duration = Duration::from_secs(3600);

/// Measures the selected cases, one server for each number of keys.
pub(super) fn run(options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let keys = if options.quick { QUICK_KEYS.as_slice() } else { &KEYS };
    for &keys in keys {
        let cases = THREADS.map(|threads| (threads, case(keys, threads)));
        let cases: Vec<_> = cases.into_iter().filter(|(_, case)| options.selects(case)).collect();
        if cases.is_empty() {
            continue;
        }
        let mut server = Server::start(pin::SERVER_CORE)?;
        let refusers = Refusers::new(&mut server, keys)?;
        for (threads, case) in cases {
            eprintln!("{case}");
            rows.extend(refusers.rows(options, &case, threads)?);
        }
    }
    Ok(rows)
}

fn case(keys: usize, threads: usize) -> String {
    let keys = match keys {
        1 => "1 hot key".to_owned(),
        keys => format!("{} k keys", keys / 1000),
    };
    let threads = if threads == 1 { "1 thread" } else { "2 threads" };
    format!("redis, flood, {keys}, {threads}, refused")
}

/// The three who refuse, with every key used up.
struct Refusers {
    keys: Arc<Vec<String>>,
    cached: Arc<Limiter>,
    plain: Arc<Limiter>,
    memory: Arc<InMemory>,
}

impl Refusers {
    fn new(server: &mut Server, keys: usize) -> Result<Self> {
        let mut on_redis =
            |denials| Limiter::new(&server.next_url()?, ALGORITHM, Outcome::Refused, keys, denials);
        let refusers = Self {
            keys: Arc::new(shuffled(keys)),
            cached: Arc::new(on_redis(DENIALS.max(2 * keys))?),
            plain: Arc::new(on_redis(0)?),
            memory: Arc::new(InMemory::bounded(ALGORITHM, Outcome::Refused, 2 * keys)),
        };
        let runtime = Runtime::new()?;
        runtime.block_on(async {
            use_up(&refusers.cached, &refusers.keys).await?;
            use_up(&refusers.plain, &refusers.keys).await?;
            use_up(&refusers.memory, &refusers.keys).await
        })?;
        Ok(refusers)
    }

    fn rows(&self, options: &Options, case: &str, threads: usize) -> Result<Vec<Row>> {
        let rounds = if options.quick { 1 } else { ROUNDS };
        let cached = Crew::start(&self.cached, &self.keys, threads, CACHED);
        let plain = Crew::start(&self.plain, &self.keys, threads, PLAIN);
        let memory = Crew::start(&self.memory, &self.keys, threads, MEMORY);
        let mut contenders = [
            Contender::new("ours, denial cache", || cached.slice()),
            Contender::new("ours, no denial cache", || plain.slice()),
            Contender::new("ours, memory backend", || memory.slice()),
        ];
        let samples = interleave(rounds, &mut contenders)?;
        Ok(table::compare(case, "ns", &samples[0], &samples))
    }
}

/// Takes the only permit of every key, then asks once more, which a cache remembers.
async fn use_up(limiter: &Arc<impl Check>, keys: &Arc<Vec<String>>) -> Result<()> {
    let visit = Rc::new(Visit::new(keys, 0));
    let all = keys.len() as u64;
    let bounds = Bounds { window: UNBOUNDED, checks: all };
    for expected in [all, 0] {
        let admitted = drive(limiter, &visit, FILL_IN_FLIGHT, bounds).await?.admitted;
        ensure!(admitted == expected, "{admitted} of {all} checks were admitted, not {expected}");
    }
    Ok(())
}

/// What one thread does in a slice: what is done first ends it.
#[derive(Debug, Clone, Copy)]
struct Work {
    checks: u32,
    window: Duration,
}

/// Threads that wait for orders; they end when it is dropped. They live as long as their contender
/// takes part, since a connection belongs to the runtime that made it.
struct Crew {
    orders: Vec<Sender<()>>,
    costs: Receiver<Result<f64>>,
}

impl Crew {
    fn start<C: Check + Send + Sync>(
        limiter: &Arc<C>,
        keys: &Arc<Vec<String>>,
        threads: usize,
        work: Work,
    ) -> Self {
        let barrier = Arc::new(Barrier::new(threads));
        let (cost, costs) = channel();
        let start = |index| {
            let (order, orders) = channel();
            let member = Member {
                limiter: Arc::clone(limiter),
                keys: Arc::clone(keys),
                from: index * keys.len() / threads,
                core: (pin::LOCAL_CORE + index) % THREADS.len(),
                barrier: Arc::clone(&barrier),
                work,
            };
            let cost = cost.clone();
            thread::spawn(move || member.follow(&orders, &cost));
            order
        };
        Self { orders: (0..threads).map(start).collect(), costs }
    }

    /// Nanoseconds for each check of a thread, the mean over the threads.
    fn slice(&self) -> Result<f64> {
        for order in &self.orders {
            order.send(()).context("a measuring thread has ended")?;
        }
        let mut sum = 0.0;
        for _ in &self.orders {
            sum += self.costs.recv().context("a measuring thread has ended")??;
        }
        Ok(sum / self.orders.len() as f64)
    }
}

/// One thread of a crew.
struct Member<C> {
    limiter: Arc<C>,
    keys: Arc<Vec<String>>,
    /// The number of the first key.
    from: usize,
    core: usize,
    barrier: Arc<Barrier>,
    work: Work,
}

impl<C: Check> Member<C> {
    fn follow(&self, orders: &Receiver<()>, costs: &Sender<Result<f64>>) {
        let runtime = pin::this_thread(self.core).and_then(|()| Ok(Runtime::new()?));
        let visit = Rc::new(Visit::new(&self.keys, self.from));
        for () in orders {
            self.barrier.wait();
            let cost = match &runtime {
                Ok(runtime) => runtime.block_on(self.refusals(&visit)),
                Err(error) => Err(anyhow!("{error:#}")),
            };
            if costs.send(cost).is_err() {
                return;
            }
        }
    }

    /// Nanoseconds for each check.
    async fn refusals(&self, visit: &Rc<Visit>) -> Result<f64> {
        let left = Rc::new(Cell::new(self.work.checks));
        let begin = Instant::now();
        let end = begin + self.work.window;
        let task = || refusals(Arc::clone(&self.limiter), Rc::clone(visit), Rc::clone(&left), end);
        let tasks: Vec<_> = (0..IN_FLIGHT).map(|_| spawn(task())).collect();
        let mut checks = 0;
        for task in tasks {
            checks += task.await.context("a checking task ended early")??;
        }
        Ok(begin.elapsed().as_nanos() as f64 / f64::from(checks))
    }
}

/// As [`drive`] does, without the times of single checks, which here would cost more than the
/// checks; how many there were. A task goes on until a check has to wait for the server.
async fn refusals<C: Check>(
    limiter: Arc<C>,
    visit: Rc<Visit>,
    left: Rc<Cell<u32>>,
    end: Instant,
) -> Result<u32> {
    let mut checks = 0;
    while left.get() > 0 && Instant::now() < end {
        let stretch = left.get().min(STRETCH);
        left.set(left.get() - stretch);
        for _ in 0..stretch {
            let admitted = limiter.check(black_box(visit.next())).await?;
            ensure!(!admitted, "a check was admitted");
        }
        checks += stretch;
    }
    Ok(checks)
}
