//! `cleanup`: rows of databases that are of no use any more, batch after batch.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    args,
    failure::Failure,
    output::Output,
    store::{Store, Stores},
};
use crate::{
    Clock,
    backend::database::{Cleaned, Cleanup, DatabaseBackend},
};

/// Between two batches it rests as long as one took, and at most so long.
const LONGEST_REST: Duration = Duration::from_millis(100);
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

pub(super) async fn cleanup(
    arguments: &args::Cleanup,
    stores: &Stores,
    output: &Output,
) -> Result<(), Failure> {
    let mut done = Vec::new();
    for (store, database) in stores.databases()? {
        let job = Job { arguments, stores, output, store, database };
        let begun = Clock::System.now();
        let mut cleaned = Total::default();
        for cleanup in cleanups(arguments) {
            cleaned.add(job.run(cleanup).await?);
        }
        let millis = Clock::System.now().since(begun) / 1_000;
        done.push((store, cleaned, millis));
    }
    let to_json = |(store, total, millis): &(&Store, Total, u64)| to_json(store, total, *millis);
    let backends: Vec<_> = done.iter().map(to_json).collect();
    output.result(&json!({ "dry_run": arguments.dry_run, "backends": backends }), || {
        let several = done.len() > 1;
        let line = |(store, total, _): &(&Store, Total, u64)| {
            let name = if several { format!("{}: ", store.name) } else { String::new() };
            let (what, Cleaned { entries, counters, states, .. }) = match arguments.dry_run {
                true => ("DRY RUN: Would delete", total.rows),
                false => ("Cleaned up", total.rows),
            };
            format!("{name}{what} {entries} entries, {counters} counters and {states} states\n")
        };
        done.iter().map(line).collect()
    });
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Total {
    rows: Cleaned,
    batches: u64,
}

impl Total {
    fn add(&mut self, other: Self) {
        self.rows.entries += other.rows.entries;
        self.rows.counters += other.rows.counters;
        self.rows.states += other.rows.states;
        self.batches += other.batches;
    }
}

fn to_json(store: &Store, total: &Total, millis: u64) -> Value {
    json!({
        "name": store.name,
        "entries": total.rows.entries,
        "counters": total.rows.counters,
        "states": total.rows.states,
        "total": total.rows.total(),
        "batches": total.batches,
        "milliseconds": millis,
    })
}

/// What is removed, one after the other.
fn cleanups(arguments: &args::Cleanup) -> Vec<Cleanup> {
    let age = |seconds: u64| Duration::from_secs(seconds);
    let mut all = vec![match arguments.older_than {
        0 => Cleanup::expired(),
        hours => Cleanup::older_than(age(u64::from(hours) * HOUR)),
    }];
    if let Some(days) = arguments.stale_days {
        all.push(Cleanup::older_than(age(u64::from(days) * DAY)).only_states(true));
    }
    all.into_iter()
        .map(|cleanup| {
            cleanup
                .key_pattern(&*arguments.key_pattern)
                .batch_size(arguments.batch_size)
                .dry_run(arguments.dry_run)
        })
        .collect()
}

struct Job<'c> {
    arguments: &'c args::Cleanup,
    stores: &'c Stores,
    output: &'c Output,
    store: &'c Store,
    database: &'c DatabaseBackend,
}

impl Job<'_> {
    async fn run(&self, cleanup: Cleanup) -> Result<Total, Failure> {
        let is_counted = self.output.shows_progress() || self.output.is_verbose;
        let mut expected = 0;
        if is_counted && !self.arguments.dry_run {
            let counting = self.database.clean(cleanup.clone().dry_run(true), |_| {});
            expected = self.stores.answer(self.store, counting).await?.total();
        }
        if self.output.is_verbose && !self.arguments.dry_run {
            let (name, size) = (&self.store.name, self.arguments.batch_size);
            let pattern = &self.arguments.key_pattern;
            self.output.remark(&format!(
                "{name}: {expected} rows like \"{pattern}\" to remove, {size} at a time"
            ));
        }
        self.batches(cleanup, expected).await
    }

    /// One batch after the other, each of which has to come within the deadline.
    async fn batches(&self, cleanup: Cleanup, expected: u64) -> Result<Total, Failure> {
        let bar = self.output.progress(expected, "removing");
        let mut total = Total::default();
        loop {
            let begun = Clock::System.now();
            let batch = self.database.clean_batch(&cleanup);
            let rows = match self.stores.answer(self.store, batch).await {
                Ok(rows) => rows,
                Err(failure) => {
                    bar.abandon();
                    if total.rows.total() > 0 {
                        let removed = total.rows.total();
                        self.output.remark(&format!("{removed} rows were removed until then"));
                    }
                    return Err(failure);
                }
            };
            total.add(Total { rows, batches: 1 });
            bar.set_position(total.rows.total());
            if self.output.is_verbose && !self.arguments.dry_run && !self.output.shows_progress() {
                let (batch, rows) = (total.batches, total.rows.total());
                self.output.remark(&format!("batch {batch}: {rows} rows so far"));
            }
            if self.arguments.dry_run || rows.total() < self.arguments.batch_size.into() {
                bar.finish_and_clear();
                return Ok(total);
            }
            // Those who wait for the same rows, or for a file that has one writer, get their turn.
            let took = Duration::from_micros(Clock::System.now().since(begun));
            sleep(took.min(LONGEST_REST)).await;
        }
    }
}
