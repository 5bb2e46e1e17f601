//! What the length of a log costs: a check reads the whole log of its key.
//!
//! Each log is full, so that every check is refused and none changes it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::store::{Durability, Store};
use super::{Options, Runtime};
use crate::drive::{Bounds, Slice, Visit, drive};
use crate::measure::{Contender, interleave};
use crate::ours::database::Limiter;
use crate::table::{self, Row};

/// Rows of a log. The first is the measure of the others.
const ROWS: [u32; 4] = [1, 100, 1_000, 5_000];
const QUICK_ROWS: [u32; 2] = [1, 100];

pub(super) fn name(durability: Durability) -> String {
    format!("database, {}, refusals of a full log, 1 in flight", durability.name())
}

/// Microseconds for each check alone, by the number of rows.
pub(super) fn run(
    options: &Options,
    runtime: &Runtime,
    store: &Store,
    case: &str,
) -> Result<Vec<Row>> {
    let (rows, rounds, window) = if options.quick {
        (QUICK_ROWS.as_slice(), super::QUICK_ROUNDS, super::QUICK_WINDOW)
    } else {
        (ROWS.as_slice(), super::ROUNDS, super::WINDOW)
    };
    eprintln!("{case}");
    let key = Arc::new(vec!["key".to_owned()]);
    let visit = Rc::new(Visit::new(&key, 0));
    let check = |limiter: &Arc<Limiter>, window, checks| {
        let bounds = Bounds { window, checks };
        runtime.block_on(drive(limiter, &visit, 1, bounds))
    };
    let mut contenders = Vec::new();
    for &rows in rows {
        let limiter = Arc::new(runtime.block_on(Limiter::log(&store.url()?, rows))?);
        let filled = check(&limiter, Duration::from_secs(600), rows.into())?;
        ensure!(filled.admitted == u64::from(rows), "{} were admitted", filled.admitted);
        contenders.push(Contender::new(format!("ours, {rows} rows"), move || {
            let Slice { checks, admitted, elapsed, .. } = check(&limiter, window, u64::MAX)?;
            ensure!(admitted == 0, "a check was admitted");
            Ok(elapsed.as_secs_f64() * 1e6 / checks as f64)
        }));
    }
    let samples = interleave(rounds, &mut contenders)?;
    let shortest = samples.first().context("no log was measured")?;
    Ok(table::compare(case, "µs", shortest, &samples))
}
