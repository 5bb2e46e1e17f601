//! Decisions of one process on many keys, with 1, 32 and 256 checks in flight.
//!
//! Everyone's checks are admitted. All contenders of an algorithm share one
//! server and keep their keys in databases of their own, which are filled
//! before anything is timed. In the cases of several limits the ratio of
//! decisions/s is the time that a batch of them takes in terms of one limit's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::server::Server;
use super::stage::{KEYS, LIMITS, Participant, Stage, has_limits};
use crate::drive::Slice;
use crate::measure::{self, Contender, Samples, interleave};
use crate::memory::shuffled;
use crate::ours::Algorithm;
use crate::table::{self, Row};
use crate::{Options, pin};

const IN_FLIGHT: [usize; 3] = [1, 32, 256];
const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::FixedWindow,
    Algorithm::SlidingWindow,
    Algorithm::SlidingWindowCounter,
    Algorithm::TokenBucket,
    Algorithm::Gcra,
];

/// Length of one slice.
const WINDOW: Duration = Duration::from_millis(120);
const QUICK_WINDOW: Duration = Duration::from_millis(15);

/// How long each contender fills its database: nearly everyone meets every key in that time.
const FILL: Duration = Duration::from_millis(500);
const QUICK_FILL: Duration = Duration::from_millis(50);

/// The two comparisons that one number of checks in flight is measured for.
struct Names {
    in_flight: usize,
    contenders: String,
    limits: String,
}

impl Names {
    fn new(algorithm: Algorithm, in_flight: usize) -> Self {
        let algorithm = algorithm.name();
        Self {
            in_flight,
            contenders: format!("redis, {algorithm}, {in_flight} in flight"),
            limits: format!("redis, limits of a batch, {algorithm}, {in_flight} in flight"),
        }
    }
}

/// Measures the selected cases, one server for each algorithm.
pub(super) fn run(options: &Options) -> Result<Vec<Row>> {
    let keys = Arc::new(shuffled(KEYS));
    let mut rows = Vec::new();
    for algorithm in ALGORITHMS {
        let names = IN_FLIGHT.map(|in_flight| Names::new(algorithm, in_flight));
        let mut names = Vec::from(names);
        names.retain(|names| {
            let limits = has_limits(algorithm) && options.selects(&names.limits);
            limits || options.selects(&names.contenders)
        });
        if !names.is_empty() {
            rows.extend(measured(options, algorithm, &names, &keys)?);
        }
    }
    Ok(rows)
}

fn measured(
    options: &Options,
    algorithm: Algorithm,
    names: &[Names],
    keys: &Arc<Vec<String>>,
) -> Result<Vec<Row>> {
    let (rounds, window, fill) = if options.quick {
        (measure::QUICK_ROUNDS, QUICK_WINDOW, QUICK_FILL)
    } else {
        (measure::ROUNDS, WINDOW, FILL)
    };
    let mut server = Server::start(pin::SERVER_CORE)?;
    pin::this_thread(pin::LOCAL_CORE)?;
    let stage = Stage::new(&server, keys)?;
    let participants = stage.participants(&mut server, algorithm)?;
    for participant in &participants {
        participant.slice(IN_FLIGHT[2], fill)?;
    }
    let mut rows = Vec::new();
    for names in names {
        eprintln!("{}", names.contenders);
        let contender = |participant| contender(participant, names.in_flight, window);
        let mut contenders: Vec<_> = participants.iter().map(contender).collect();
        rows.extend(rows_of(options, names, &interleave(rounds, &mut contenders)?));
    }
    Ok(rows)
}

fn contender<'a>(
    participant: &'a Participant<'_>,
    in_flight: usize,
    window: Duration,
) -> Contender<'a, Slice> {
    Contender::new(participant.name, move || participant.slice(in_flight, window))
}

/// Everyone but our batches of several limits, then those against our single limit.
fn rows_of(options: &Options, names: &Names, samples: &[Samples<Slice>]) -> Vec<Row> {
    let is_limits = |samples: &&Samples<Slice>| LIMITS.contains(&samples.name.as_str());
    let limits: Vec<_> = samples.iter().filter(is_limits).collect();
    let contenders: Vec<_> = samples.iter().filter(|samples| !is_limits(samples)).collect();
    let mut rows = Vec::new();
    if options.selects(&names.contenders) {
        rows.extend(figures(&names.contenders, &contenders));
    }
    if options.selects(&names.limits) && !limits.is_empty() {
        rows.extend(figures(&names.limits, &[&contenders[..1], &limits].concat()));
    }
    rows
}

/// Four units, each against the first of `samples`.
fn figures(case: &str, samples: &[&Samples<Slice>]) -> Vec<Row> {
    let unit = |unit, figure: fn(&Slice) -> f64| {
        let figures: Vec<_> = samples.iter().map(|samples| samples.figures(figure)).collect();
        table::compare(case, unit, &figures[0], &figures)
    };
    let mut rows = unit("decisions/s", Slice::per_second);
    rows.extend(unit("µs, median", |slice| slice.median));
    rows.extend(unit("µs, 99 %", |slice| slice.p99));
    rows.extend(unit("µs of server CPU", |slice| slice.server));
    rows
}
