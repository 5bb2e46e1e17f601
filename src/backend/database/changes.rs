//! What a transaction writes.

use super::{
    fault::Fault,
    row::{CounterRow, EntryRow, StateRow},
    tables::Tables,
};

/// A row that was found, and is to stand otherwise.
#[derive(Clone, Debug)]
pub struct Change<R> {
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "SQLite writes only what changes")
    )]
    pub(super) found: R,
    pub(super) now: R,
}

#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) added_counters: Vec<CounterRow>,
    pub(super) changed_counters: Vec<Change<CounterRow>>,
    pub(super) added_states: Vec<StateRow>,
    pub(super) changed_states: Vec<Change<StateRow>>,
    pub(super) added_entries: Vec<EntryRow>,
    pub(super) removed_entries: Vec<i64>,
}

impl Changes {
    /// Writes everything, in statements that are about many rows each. A row that was not there when
    /// the others were locked must not be there now: it was decided about as one never seen.
    pub(super) fn write(self, tables: &mut impl Tables) -> Result<(), Fault> {
        if !self.added_counters.is_empty() {
            all(tables.add_counters(&self.added_counters)?, self.added_counters.len())?;
        }
        if !self.added_states.is_empty() {
            all(tables.add_states(&self.added_states)?, self.added_states.len())?;
        }
        if !self.changed_counters.is_empty() {
            tables.change_counters(&self.changed_counters)?;
        }
        if !self.changed_states.is_empty() {
            tables.change_states(&self.changed_states)?;
        }
        if !self.removed_entries.is_empty() {
            tables.remove_entries(self.removed_entries)?;
        }
        if !self.added_entries.is_empty() {
            tables.add_entries(&self.added_entries)?;
        }
        Ok(())
    }
}

fn all(added: usize, expected: usize) -> Result<(), Fault> {
    if added == expected { Ok(()) } else { Err(Fault::Raced) }
}
