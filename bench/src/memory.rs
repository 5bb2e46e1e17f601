//! Group `memory`: one decision by string key, the reading of the clock included.
//!
//! The grid is keys × outcome × threads. A limiter is filled in the order of
//! the addresses; the checks visit the same keys in a shuffled order, so that
//! with many keys each check meets memory that no cache foresaw. The visited
//! strings themselves lie in the order of the visit: the harness adds little
//! that is not the limiter's own.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use crate::Options;
use crate::measure::{self, Contender, Samples, interleave};
use crate::ours::{self, Algorithm, Outcome};
use crate::peer::governor;
use crate::pin;
use crate::table::{self, Row};

const KEYS: [usize; 3] = [1, 10_000, 1_000_000];
const THREADS: [usize; 2] = [1, 2];
const OUTCOMES: [Outcome; 2] = [Outcome::Admitted, Outcome::Refused];

/// The one of ours that does what `governor` does.
const ALGORITHM: Algorithm = Algorithm::Gcra;

/// Checks of one slice, per thread.
const CHECKS: usize = 200_000;
const QUICK_CHECKS: usize = 10_000;

/// Decisions by string key, from many threads.
trait Check: Sync {
    #[expect(clippy::ptr_arg, reason = "governor looks up a borrowed key of its own type")]
    fn check(&self, key: &String) -> bool;
}

impl Check for ours::Limiter {
    fn check(&self, key: &String) -> bool {
        self.check(key)
    }
}

impl Check for governor::Limiter {
    fn check(&self, key: &String) -> bool {
        self.check(key)
    }
}

/// Measures the selected cells of the grid, then sums them up.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for keys in KEYS {
        for outcome in OUTCOMES {
            rows.extend(cells(options, keys, outcome)?);
        }
    }
    rows.extend(summary(&rows));
    Ok(rows)
}

/// The cells that share their limiters: one per number of threads.
fn cells(options: &Options, keys: usize, outcome: Outcome) -> Result<Vec<Row>> {
    let selected = THREADS.map(|threads| (threads, case(keys, outcome, threads)));
    let selected: Vec<_> = selected.into_iter().filter(|(_, case)| options.selects(case)).collect();
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    let ours = filled(ours::Limiter::new(ALGORITHM, outcome, 2 * keys)?, keys)?;
    let governor = filled(governor::Limiter::new(outcome, 2 * keys)?, keys)?;
    let visit = shuffled(keys);

    let mut rows = Vec::new();
    for (threads, case) in selected {
        eprintln!("{case}");
        let visit = Visit {
            keys: &visit,
            threads,
            checks: if options.quick { QUICK_CHECKS } else { CHECKS },
            outcome,
        };
        let samples = cell(options, &visit, &ours, &governor)?;
        rows.extend(table::compare(&case, "ns", &samples[0], &samples));
    }
    Ok(rows)
}

fn case(keys: usize, outcome: Outcome, threads: usize) -> String {
    let keys = match keys {
        1 => "1 hot key".to_owned(),
        keys => format!("{} k keys", keys / 1000),
    };
    let outcome = match outcome {
        Outcome::Admitted => "admitted",
        Outcome::Refused => "refused",
    };
    let threads = if threads == 1 { "1 thread" } else { "2 threads" };
    format!("check, {keys}, {threads}, {outcome}")
}

fn cell(
    options: &Options,
    visit: &Visit<'_>,
    ours: &ours::Limiter,
    governor: &governor::Limiter,
) -> Result<Vec<Samples<f64>>> {
    let rounds = if options.quick { measure::QUICK_ROUNDS } else { measure::ROUNDS };
    let mut contenders = [contender("ours", visit, ours), contender("governor", visit, governor)];
    interleave(rounds, &mut contenders)
}

/// Successive slices go on where the last one stopped, so that even a short
/// slice over many keys does not meet the same few again.
fn contender<'a>(name: &str, visit: &'a Visit<'a>, limiter: &'a impl Check) -> Contender<'a, f64> {
    let mut start = 0;
    Contender::new(name, move || {
        let cost = visit.slice(limiter, start);
        start += visit.checks;
        cost
    })
}

/// What a slice does, whoever the limiter is.
struct Visit<'a> {
    keys: &'a [String],
    threads: usize,
    checks: usize,
    outcome: Outcome,
}

impl Visit<'_> {
    /// Nanoseconds per check, the mean over the threads.
    fn slice(&self, limiter: &impl Check, start: usize) -> Result<f64> {
        let barrier = Barrier::new(self.threads);
        let spread = self.keys.len() / self.threads;
        let costs: Vec<Result<f64>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads)
                .map(|index| {
                    let barrier = &barrier;
                    let core = (pin::LOCAL_CORE + index) % THREADS.len();
                    scope.spawn(move || {
                        let pinned = pin::this_thread(core);
                        barrier.wait();
                        pinned.and_then(|()| self.checks(limiter, start + index * spread))
                    })
                })
                .collect();
            let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
            joined
                .map(|cost| cost.unwrap_or_else(|_| Err(anyhow!("a measuring thread panicked"))))
                .collect()
        });
        let costs: Vec<f64> = costs.into_iter().collect::<Result<_>>()?;
        Ok(costs.iter().sum::<f64>() / costs.len() as f64)
    }

    fn checks(&self, limiter: &impl Check, start: usize) -> Result<f64> {
        let start = start % self.keys.len();
        let visit = self.keys.iter().cycle().skip(start).take(self.checks);
        let mut admitted = 0;
        let begin = Instant::now();
        for key in visit {
            admitted += usize::from(limiter.check(black_box(key)));
        }
        let elapsed = begin.elapsed();
        let expected = match self.outcome {
            Outcome::Admitted => self.checks,
            Outcome::Refused => 0,
        };
        ensure!(
            admitted == expected,
            "{admitted} of {} checks were admitted, not {expected}",
            self.checks
        );
        Ok(elapsed.as_nanos() as f64 / self.checks as f64)
    }
}

/// Takes the first permit of every key, which is all that a refusing limiter has.
fn filled<L: Check>(limiter: L, keys: usize) -> Result<L> {
    let mut key = String::new();
    for index in 0..keys {
        write_key(&mut key, index);
        ensure!(limiter.check(&key), "the first check of {key} was refused");
    }
    Ok(limiter)
}

/// The keys `0..count` in an order that looks random and is the same on every run.
pub(crate) fn shuffled(count: usize) -> Vec<String> {
    shuffled_by(count, 0)
}

/// The same keys in another order for each `seed`.
pub(crate) fn shuffled_by(count: usize, seed: usize) -> Vec<String> {
    let mut order: Vec<usize> = (0..count).collect();
    let hasher = BuildHasherDefault::<DefaultHasher>::new();
    order.sort_by_cached_key(|index| hasher.hash_one((seed, index)));
    let key = |index| {
        let mut key = String::new();
        write_key(&mut key, index);
        key
    };
    order.into_iter().map(key).collect()
}

/// Writes the key of one of 16 million clients, such as `ip:10.0.39.15`.
pub(crate) fn write_key(key: &mut String, index: usize) {
    use std::fmt::Write;

    key.clear();
    let [.., a, b, c] = index.to_be_bytes();
    // Writing to a string cannot fail.
    let _ = write!(key, "ip:10.{a}.{b}.{c}");
}

/// The median ratio of the measured cells, and the cell where ours does worst.
fn summary(cells: &[Row]) -> Vec<Row> {
    let peers = || cells.iter().filter(|row| row.contender == "governor");
    let row = |case: String, ratio: f64| Row {
        case,
        contender: "governor".to_owned(),
        value: ratio,
        unit: "ours ÷ contender",
        ratio,
    };
    let Some(worst) = peers().max_by(|a, b| a.ratio.total_cmp(&b.ratio)) else {
        return Vec::new();
    };
    let ratios: Vec<f64> = peers().map(|cell| cell.ratio).collect();
    vec![
        row(format!("check, median of {} cells", ratios.len()), measure::median(ratios)),
        row(format!("worst: {}", worst.case), worst.ratio),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_visit_meets_every_filled_key_once_in_another_order() {
        let visit = shuffled(1000);
        let mut filled = Vec::new();
        let mut key = String::new();
        for index in 0..1000 {
            write_key(&mut key, index);
            filled.push(key.clone());
        }
        assert_ne!(visit, filled);
        let visited: HashSet<_> = visit.into_iter().collect();
        assert_eq!(visited, filled.into_iter().collect());
    }

    #[test]
    fn keys_are_addresses() {
        let mut key = String::new();
        write_key(&mut key, 9_999);
        assert_eq!(key, "ip:10.0.39.15");
    }
}
