//! Resident bytes per key of a full memory backend.
//!
//! Each count is made in a process of its own: the growth of resident memory
//! while distinct keys are checked once. This is what an operator pays,
//! headers of the allocator, half-empty tables and memory that is freed but
//! kept included; a counting allocator would see none of those, and would
//! slow every other case of this binary. One count is enough: it depends on
//! no clock, and repeated counts differ by 0.2 bytes per key.

use std::fs;
use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::Options;
use crate::child::Process;
use crate::measure::Samples;
use crate::memory::write_key;
use crate::ours::{self, Algorithm, Outcome};
use crate::peer::governor;
use crate::table::{self, Row};

/// The bound on the number of keys, and so the divisor.
const MAX_KEYS: usize = 1_000_000;
const QUICK_MAX_KEYS: usize = 100_000;

/// Distinct keys, in multiples of the bound: just full, and flooded.
const FLOODS: [usize; 2] = [1, 4];

/// Arguments of the hidden subcommand that counts once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ours with this algorithm; without it, governor.
    #[arg(long)]
    algorithm: Option<Algorithm>,
    /// The bound that ours gets.
    #[arg(long)]
    max_keys: usize,
    /// How many distinct keys are checked.
    #[arg(long)]
    distinct: usize,
}

impl Args {
    fn name(&self) -> String {
        let Some(algorithm) = self.algorithm else {
            return "governor".to_owned();
        };
        format!("ours, {}", algorithm.name())
    }

    fn command_line(&self) -> Vec<String> {
        let mut line = vec!["resident".to_owned()];
        if let Some(algorithm) = self.algorithm {
            line.push(format!("--algorithm={}", algorithm.name()));
        }
        line.push(format!("--max-keys={}", self.max_keys));
        line.push(format!("--distinct={}", self.distinct));
        line
    }

    /// Lets a child count; bytes per key of the bound.
    fn count(&self) -> Result<Samples<f64>> {
        let answer = Process::spawn(self.command_line())?.line()?;
        let bytes: usize = answer.parse().context("reading a count of bytes")?;
        Ok(Samples { name: self.name(), rounds: vec![bytes as f64 / self.max_keys as f64] })
    }
}

/// Counts for each of our algorithms but the exact log, and for governor.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    let max_keys = if options.quick { QUICK_MAX_KEYS } else { MAX_KEYS };
    let mut rows = Vec::new();
    for flood in FLOODS {
        let distinct = flood * max_keys;
        let case = format!(
            "resident bytes per key, bound {} k, {} k distinct keys",
            max_keys / 1000,
            distinct / 1000
        );
        if !options.selects(&case) {
            continue;
        }
        eprintln!("{case}");
        let counts = contenders()
            .map(|algorithm| Args { algorithm, max_keys, distinct }.count())
            .collect::<Result<Vec<_>>>()?;
        rows.extend(table::compare(&case, "bytes", &counts[0], &counts));
    }
    Ok(rows)
}

/// GCRA comes first: it is the one that the ratios compare. The exact log is left out: a bound of
/// keys does not bound its bytes.
fn contenders() -> impl Iterator<Item = Option<Algorithm>> {
    let others = Algorithm::value_variants().iter().copied();
    let others =
        others.filter(|other| !matches!(other, Algorithm::Gcra | Algorithm::SlidingWindow));
    [Algorithm::Gcra].into_iter().chain(others).map(Some).chain([None])
}

/// Counts once and prints the bytes.
pub(crate) fn resident(args: &Args) -> Result<()> {
    let bytes = if let Some(algorithm) = args.algorithm {
        growth(args, || {
            let limiter = ours::Limiter::new(algorithm, Outcome::Admitted, args.max_keys)?;
            Ok(move |key: &String| limiter.check(key))
        })
    } else {
        growth(args, || {
            let limiter = governor::Limiter::new(Outcome::Admitted, args.max_keys)?;
            Ok(move |key: &String| limiter.check(key))
        })
    };
    println!("{}", bytes?);
    Ok(())
}

/// How much more memory is resident after all keys were checked.
fn growth<C>(args: &Args, limiter: impl FnOnce() -> Result<C>) -> Result<usize>
where
    C: Fn(&String) -> bool,
{
    let mut key = String::with_capacity(32);
    let before = resident_bytes()?;
    let check = limiter()?;
    for index in 0..args.distinct {
        write_key(&mut key, index);
        ensure!(check(&key), "the first check of {key} was refused");
    }
    let after = resident_bytes()?;
    black_box(&check);
    Ok(after.saturating_sub(before))
}

/// Resident memory of this process.
fn resident_bytes() -> Result<usize> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")
        .context("reading resident memory, which only Linux tells")?;
    let kibibytes = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"))
        .context("/proc/self/smaps_rollup has no line \"Rss:\"")?;
    Ok(kibibytes.parse::<usize>()? * 1024)
}
