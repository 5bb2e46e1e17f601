//! Group `database`: decisions in PostgreSQL, MariaDB and SQLite, against a statement for each check,
//! and against what SQLite alone takes to change as many rows.
//!
//! Everyone has a database of its own on one private server, the same connections, and nearly every key in
//! its tables before anything is timed. All checks are admitted. Nothing is pinned to a core: a server has
//! a process or thread for each connection.

mod log;
pub(crate) mod server;
mod store;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::Runtime;
use anyhow::{Result, ensure};

use self::store::{Durability, Store};
use crate::Options;
use crate::child::cpu_time;
use crate::drive::{Bounds, Check, Slice, Visit, drive};
use crate::measure::{Contender, Samples, interleave};
use crate::memory::{shuffled, shuffled_by};
use crate::ours::Algorithm;
use crate::ours::database::Limiter;
use crate::peer::diesel::bare::Bare;
use crate::table::{self, Row};

const IN_FLIGHT: [usize; 3] = [1, 64, 256];
const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::FixedWindow, Algorithm::Gcra, Algorithm::SlidingWindow];
const KEYS: [usize; 2] = [1, 100_000];

/// Rounds of a case, and the length of one slice.
const ROUNDS: usize = 11;
const WINDOW: Duration = Duration::from_millis(250);
const QUICK_ROUNDS: usize = 3;
const QUICK_WINDOW: Duration = Duration::from_millis(100);

/// How long a contender runs at the beginning of its turn before it is measured: on virtual machines, memory
/// that has rested for a tenth of a second may be slow to touch again, and only some contenders need much.
const WARM_UP: Duration = Duration::from_millis(250);

/// Checks in flight while every key is met for the first time, and how long that may take: who commits
/// every check by itself to a slow disk would take minutes.
const FILL_IN_FLIGHT: usize = 256;
const FILL: Duration = Duration::from_secs(20);

/// One store, algorithm and number of keys.
#[derive(Clone, Copy)]
struct Case {
    durability: Durability,
    algorithm: Algorithm,
    keys: usize,
}

impl Case {
    fn name(self, in_flight: usize) -> String {
        let keys = match self.keys {
            1 => "1 hot key".to_owned(),
            keys => format!("{} k keys", keys / 1000),
        };
        let (store, algorithm) = (self.durability.name(), self.algorithm.name());
        format!("database, {store}, {algorithm}, {keys}, {in_flight} in flight")
    }

    /// Whether the database alone is measured too: where every check needs a row of its own, and SQLite
    /// does the work in this process.
    fn has_bare(self, in_flight: usize) -> bool {
        let is_sqlite =
            matches!(self.durability, Durability::SqliteNormal | Durability::SqliteFull);
        let has_one_row = matches!(self.algorithm, Algorithm::FixedWindow | Algorithm::Gcra);
        is_sqlite && has_one_row && self.keys > in_flight && in_flight > 1
    }
}

/// Measures the selected cases, one server for each store.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    let runtime = Runtime::new()?;
    let mut rows = Vec::new();
    for durability in Durability::ALL {
        let cases = ALGORITHMS
            .into_iter()
            .flat_map(|algorithm| KEYS.map(|keys| Case { durability, algorithm, keys }));
        let selected = |case: &Case| {
            IN_FLIGHT
                .into_iter()
                .filter(|count| options.selects(&case.name(*count)))
                .collect::<Vec<_>>()
        };
        let cases: Vec<(Case, Vec<usize>)> = cases
            .map(|case| (case, selected(&case)))
            .filter(|(_, counts)| !counts.is_empty())
            .collect();
        // A check that is refused writes nothing, so that it costs the same in both of SQLite.
        let log = log::name(durability);
        let has_log = durability != Durability::SqliteFull && options.selects(&log);
        if cases.is_empty() && !has_log {
            continue;
        }
        let store = Store::open(durability)?;
        eprintln!("{}: {}", durability.name(), store.settings()?);
        for (case, in_flight) in cases {
            rows.extend(measured(options, &runtime, &store, case, &in_flight)?);
        }
        if has_log {
            rows.extend(log::run(options, &runtime, &store, &log)?);
        }
    }
    Ok(rows)
}

fn measured(
    options: &Options,
    runtime: &Runtime,
    store: &Store,
    case: Case,
    in_flight: &[usize],
) -> Result<Vec<Row>> {
    let (rounds, window) =
        if options.quick { (QUICK_ROUNDS, QUICK_WINDOW) } else { (ROUNDS, WINDOW) };
    let Case { algorithm, keys, .. } = case;
    let ours = Arc::new(runtime.block_on(store.ours(algorithm, keys))?);
    let peer = Arc::new(store.peer(algorithm, keys)?);
    let stage = Stage { runtime, store };
    let first = Arc::new(shuffled(keys));
    stage.fill(&ours, &first)?;
    stage.fill(&peer, &first)?;
    let has_bare = in_flight.iter().any(|count| case.has_bare(*count));
    let mut bare = has_bare.then(|| stage.bare(algorithm, &first)).transpose()?;
    store.settle()?;
    // In another order than that in which they came, or neighbours in a table would be visited together.
    let keys = Arc::new(shuffled_by(keys, 1));
    let ours_visit = Rc::new(Visit::new(&keys, 0));
    let peer_visit = Rc::new(Visit::new(&keys, 0));
    let bare_visit = Visit::new(&keys, 0);

    let warm_up = Bounds { window: WARM_UP, checks: u64::MAX };
    let bounds = Bounds { window, checks: u64::MAX };
    let mut rows = Vec::new();
    for &count in in_flight {
        let name = case.name(count);
        eprintln!("{name}");
        let turn = || {
            stage.slice(&ours, &ours_visit, count, warm_up)?;
            let before = ours.transactions();
            let costed = stage.slice(&ours, &ours_visit, count, bounds)?;
            Ok(Costed { transactions: ours.transactions() - before, ..costed })
        };
        let peer_turn = || {
            stage.slice(&peer, &peer_visit, count, warm_up)?;
            stage.slice(&peer, &peer_visit, count, bounds)
        };
        let mut contenders =
            vec![Contender::new("ours", turn), Contender::new("one statement each", peer_turn)];
        if let Some(bare) = bare.as_mut().filter(|_| case.has_bare(count)) {
            let turn = || {
                bare.slice(&bare_visit, count, WARM_UP)?;
                stage.costed(|| bare.slice(&bare_visit, count, window))
            };
            contenders.push(Contender::new("the database alone", turn));
        }
        rows.extend(figures(&name, &interleave(rounds, &mut contenders)?));
    }
    Ok(rows)
}

/// Where slices are taken.
struct Stage<'a> {
    runtime: &'a Runtime,
    store: &'a Store,
}

/// A slice with the processor time that each check took, in µs, and the transactions of ours.
struct Costed {
    slice: Slice,
    client: f64,
    transactions: u64,
}

impl Stage<'_> {
    /// Lets a limiter meet every key.
    fn fill<C: Check>(&self, limiter: &Arc<C>, keys: &Arc<Vec<String>>) -> Result<()> {
        let all = Bounds { window: FILL, checks: keys.len() as u64 };
        self.slice(limiter, &Rc::new(Visit::new(keys, 0)), FILL_IN_FLIGHT, all)?;
        Ok(())
    }

    /// SQLite alone, in a database that a limiter of ours has filled.
    fn bare(&self, algorithm: Algorithm, keys: &Arc<Vec<String>>) -> Result<Bare> {
        let pool = self.store.sqlite_pool()?;
        let limiter = Limiter::over(pool.clone(), algorithm, keys.len());
        self.fill(&Arc::new(self.runtime.block_on(limiter)?), keys)?;
        Bare::new(&pool, algorithm)
    }

    /// One slice of a limiter.
    fn slice<C: Check>(
        &self,
        limiter: &Arc<C>,
        visit: &Rc<Visit>,
        in_flight: usize,
        bounds: Bounds,
    ) -> Result<Costed> {
        self.costed(|| self.runtime.block_on(drive(limiter, visit, in_flight, bounds)))
    }

    /// One slice, of which everything must be admitted.
    fn costed(&self, slice: impl FnOnce() -> Result<Slice>) -> Result<Costed> {
        let (server, client) = (self.store.cpu_time()?, cpu_time(std::process::id())?);
        let slice = slice()?;
        let Slice { checks, admitted, .. } = slice;
        ensure!(admitted == checks, "{admitted} of {checks} checks were admitted");
        let each = |used: Duration| used.as_secs_f64() * 1e6 / checks as f64;
        let server = each(self.store.cpu_time()?.saturating_sub(server));
        let client = each(cpu_time(std::process::id())?.saturating_sub(client));
        Ok(Costed { slice: Slice { server, ..slice }, client, transactions: 0 })
    }
}

/// Speed and latency of each, and how many checks of ours went together.
fn figures(case: &str, samples: &[Samples<Costed>]) -> Vec<Row> {
    let unit = |unit, figure: fn(&Costed) -> f64| {
        let figures: Vec<_> = samples.iter().map(|samples| samples.figures(figure)).collect();
        table::compare(case, unit, &figures[0], &figures)
    };
    let mut rows = unit("decisions/s", |costed| costed.slice.per_second());
    rows.extend(unit("µs, median", |costed| costed.slice.median));
    rows.extend(unit("µs, 99 %", |costed| costed.slice.p99));
    rows.extend(unit("µs, longest", |costed| costed.slice.longest));
    if samples[0].rounds.iter().any(|costed| costed.slice.server > 0.0) {
        rows.extend(unit("µs of server CPU", |costed| costed.slice.server));
    }
    rows.extend(unit("µs of client CPU", |costed| costed.client));
    let together =
        samples[0].figures(|costed| costed.slice.checks as f64 / costed.transactions as f64);
    rows.extend(table::compare(case, "checks/transaction", &together, [&together]));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_named_after_all_that_it_varies() {
        let case =
            Case { durability: Durability::SqliteFull, algorithm: Algorithm::Gcra, keys: KEYS[1] };
        assert_eq!(case.name(64), "database, sqlite, full, gcra, 100 k keys, 64 in flight");
    }

    #[test]
    fn sqlite_alone_is_measured_where_many_checks_need_a_row_each() {
        let many =
            Case { durability: Durability::SqliteFull, algorithm: Algorithm::Gcra, keys: KEYS[1] };
        assert_eq!(IN_FLIGHT.map(|count| many.has_bare(count)), [false, true, true]);
        for other in [
            Case { keys: KEYS[0], ..many },
            Case { algorithm: Algorithm::SlidingWindow, ..many },
            Case { durability: Durability::Postgres, ..many },
        ] {
            assert!(!other.has_bare(64), "{}", other.name(64));
        }
    }
}
