//! One log while it is held: the rows that were found, and how it stands since.

use std::collections::BTreeMap;

use super::{
    changes::Changes,
    row::{self, EntryRow},
};
use crate::EntryLog;

#[derive(Debug, Default)]
pub(super) struct HeldLog {
    log: EntryLog,
    rows: Vec<EntryRow>,
}

impl HeldLog {
    /// Takes up a row; rows come by their time.
    pub(super) fn found(&mut self, row: EntryRow) {
        let mut left = row::unsigned(row.cost);
        while left > 0 {
            let cost = u32::try_from(left).unwrap_or(u32::MAX);
            self.log.append(row::time(row.at), cost);
            left -= u64::from(cost);
        }
        self.rows.push(row);
    }

    pub(super) fn log_mut(&mut self) -> &mut EntryLog {
        &mut self.log
    }

    /// Which rows go and come, time by time: where more was taken, a row for what came on top.
    pub(super) fn differences(self, key: &str, period: u64, changes: &mut Changes) {
        let mut stands = BTreeMap::<i64, i64>::new();
        for (at, cost) in self.log.iter() {
            *stands.entry(row::signed(at.as_micros())).or_default() += i64::from(cost);
        }
        let mut found = BTreeMap::<i64, (i64, Vec<i64>)>::new();
        for row in &self.rows {
            let (cost, ids) = found.entry(row.at).or_default();
            *cost += row.cost;
            ids.push(row.id);
        }
        let expires = |at: i64| at.saturating_add(row::signed(period));
        let row =
            |at, cost| EntryRow { id: 0, key: key.to_owned(), at, expires: expires(at), cost };
        for (at, (cost, ids)) in &found {
            let stands = stands.get(at).copied().unwrap_or(0);
            if stands < *cost {
                changes.removed_entries.extend(ids);
                changes.added_entries.extend((stands > 0).then(|| row(*at, stands)));
            }
        }
        for (at, stands) in stands {
            let cost = found.get(&at).map_or(0, |(cost, _)| *cost);
            changes.added_entries.extend((stands > cost).then(|| row(at, stands - cost)));
        }
    }
}
