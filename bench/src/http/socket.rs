//! Requests over real sockets: each contender's server in a child process on
//! one core, the load on the other.
//!
//! All servers stay up for the whole run and are idle outside their slices.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::contender::Contender;
use super::load::Load;
use super::serve::Args;
use super::{Case, participants, samples_of, selected};
use crate::child::Process;
use crate::measure::{self, Samples, interleave};
use crate::ours::Outcome;
use crate::redis::server::Server as Store;
use crate::table::{self, Row};
use crate::{Options, pin};

const ADMITTED: [Case; 2] = [
    Case {
        name: "socket, admitted, headers off",
        ours: Contender::Ours,
        others: &[Contender::Bare, Contender::ActixGovernor, Contender::ActixExtensible],
    },
    Case {
        name: "socket, admitted, headers on",
        ours: Contender::OursLegacyIetf,
        others: &[
            Contender::Bare,
            Contender::BareHeaders,
            Contender::ActixGovernorHeaders,
            Contender::ActixExtensibleHeaders,
        ],
    },
];

/// Refusals of `actix-governor` make a new clock each, which asks the processor
/// for its features; in a virtual machine that traps and costs tens of
/// microseconds, on bare metal far less. Name the machine with these ratios.
const REFUSED: [Case; 1] = [Case {
    name: "socket, refused",
    ours: Contender::OursLegacyIetf,
    others: &[
        Contender::Constant429,
        Contender::ActixGovernor,
        Contender::ActixGovernorHeaders,
        Contender::ActixExtensible,
        Contender::ActixExtensibleHeaders,
    ],
}];

/// The windows of one address on Redis, which shares a core with the load.
const ON_REDIS: [Case; 2] = [
    Case {
        name: "redis, socket, admitted, headers off",
        ours: Contender::OursRedis,
        others: &[Contender::Bare, Contender::ActixExtensibleRedis, Contender::ActixLimitation],
    },
    Case {
        name: "redis, socket, admitted, headers on",
        ours: Contender::OursRedisLegacyIetf,
        others: &[
            Contender::Bare,
            Contender::BareHeaders,
            Contender::ActixExtensibleRedisHeaders,
            Contender::ActixLimitation,
        ],
    },
];

/// Length of one slice; a fifth of it comes before as warming.
const WINDOW: Duration = Duration::from_millis(400);
const QUICK_WINDOW: Duration = Duration::from_millis(40);

/// One slice of load on one server.
struct Slice {
    requests_per_second: f64,
    /// Processor time of the server, in µs per request.
    cpu: f64,
}

/// Measures the selected cases, admitted and refused apart.
pub(super) fn run(options: &Options) -> Result<Vec<Row>> {
    let mut rows = outcome(options, &selected(options, &ADMITTED), Outcome::Admitted, None)?;
    rows.extend(outcome(options, &selected(options, &REFUSED), Outcome::Refused, None)?);
    Ok(rows)
}

/// Measures the selected cases whose state is kept in Redis.
pub(crate) fn run_on_redis(options: &Options) -> Result<Vec<Row>> {
    let cases = selected(options, &ON_REDIS);
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let mut store = Store::start(pin::LOCAL_CORE)?;
    outcome(options, &cases, Outcome::Admitted, Some(&mut store))
}

/// Each contender gets a database of `store`, if there is one.
fn outcome(
    options: &Options,
    cases: &[&Case],
    outcome: Outcome,
    mut store: Option<&mut Store>,
) -> Result<Vec<Row>> {
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    cases.iter().for_each(|case| eprintln!("{}", case.name));
    let (rounds, window) = if options.quick {
        (measure::QUICK_ROUNDS, QUICK_WINDOW)
    } else {
        (measure::ROUNDS, WINDOW)
    };
    let mut contenders = participants(cases)
        .into_iter()
        .map(|contender| {
            let store = store.as_mut().map(|store| store.next_url()).transpose()?;
            let mut server = Server::start(contender, outcome, store)?;
            let slice = move || server.slice(window);
            Ok(measure::Contender::new(contender.name(), slice))
        })
        .collect::<Result<Vec<_>>>()?;
    // After the servers were started: a child inherits the parent's core.
    pin::this_thread(pin::LOCAL_CORE)?;
    let samples = interleave(rounds, &mut contenders)?;
    warn_if_idle(&samples);
    let mut rows = Vec::new();
    for case in cases {
        rows.extend(rows_of(case, &samples)?);
    }
    Ok(rows)
}

fn rows_of(case: &Case, samples: &[Samples<Slice>]) -> Result<Vec<Row>> {
    let mut rows = figures(case, samples, "requests/s", |slice| slice.requests_per_second)?;
    rows.extend(figures(case, samples, "µs CPU/request", |slice| slice.cpu)?);
    Ok(rows)
}

fn figures(
    case: &Case,
    samples: &[Samples<Slice>],
    unit: &'static str,
    figure: impl Fn(&Slice) -> f64,
) -> Result<Vec<Row>> {
    let figures = case
        .contenders()
        .map(|contender| Ok(samples_of(samples, contender)?.figures(&figure)))
        .collect::<Result<Vec<_>>>()?;
    Ok(table::compare(case.name, unit, &figures[0], &figures))
}

/// Says so when a server was not kept busy: its requests/s are then the load's.
fn warn_if_idle(samples: &[Samples<Slice>]) {
    for samples in samples {
        let busy = samples.figures(|slice| slice.requests_per_second * slice.cpu / 1e6);
        let busy = busy.median();
        if busy < 0.95 {
            let name = &samples.name;
            let percent = busy * 100.0;
            eprintln!("  {name}: the server was busy for only {percent:.0} % of the time");
        }
    }
}

/// A contender's server and what its answers must look like.
struct Server {
    process: Process,
    address: SocketAddr,
    status: &'static [u8; 3],
}

impl Server {
    fn start(contender: Contender, outcome: Outcome, store: Option<String>) -> Result<Self> {
        let mut process = Process::spawn(Args::new(contender, outcome, store).command_line())?;
        let address = process.line()?;
        Ok(Self {
            address: address.parse().context("reading the server's address")?,
            process,
            status: match outcome {
                Outcome::Admitted => b"200",
                Outcome::Refused => b"429",
            },
        })
    }

    /// Fresh connections, a warming stretch in which any status will do (a
    /// refusing server admits its first request), then the timed window.
    fn slice(&mut self, window: Duration) -> Result<Slice> {
        let mut load = Load::start(self.address)?;
        load.drive(window / 5, None)?;
        let before = self.process.cpu_time()?;
        let (responses, elapsed) = load.drive(window, Some(self.status))?;
        let cpu = self.process.cpu_time()? - before;
        let responses = responses as f64;
        Ok(Slice {
            requests_per_second: responses / elapsed.as_secs_f64(),
            cpu: cpu.as_secs_f64() * 1e6 / responses,
        })
    }
}
