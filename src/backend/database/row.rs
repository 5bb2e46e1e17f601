//! Rows of the tables, as the transitions see them.

use crate::{Cell, Timestamp};

/// A row of `django_smart_ratelimit_counter`: a fixed window on the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRow {
    /// 0 for a row that is not stored yet, and where rows are found by their keys.
    pub id: i64,
    pub key: String,
    pub count: i64,
    /// Unix microseconds, as `end`.
    pub start: i64,
    pub end: i64,
}

/// A row of `ratelimit_state`: the cell of any other algorithm, or the lock of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    pub key: String,
    /// The bits of a state tag.
    pub tag: i64,
    pub words: [i64; 2],
    /// Unix microseconds, as `expires`.
    pub updated: i64,
    pub expires: i64,
}

/// A row of `django_smart_ratelimit_entry`: an admission in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// 0 for a row that is not stored yet.
    pub id: i64,
    pub key: String,
    /// Unix microseconds, as `expires`.
    pub at: i64,
    pub expires: i64,
    pub cost: i64,
}

impl CounterRow {
    pub(super) fn period(&self) -> u64 {
        unsigned(self.end).saturating_sub(unsigned(self.start))
    }

    pub(super) fn cell(&self) -> Cell {
        Cell(unsigned(self.start), unsigned(self.count).min(u32::MAX.into()))
    }

    /// One that is not stored yet.
    pub(super) fn new(key: &str) -> Self {
        Self { id: 0, key: key.to_owned(), count: 0, start: 0, end: 0 }
    }

    pub(super) fn put(&mut self, cell: Cell, period: u64) {
        self.count = signed(cell.1 & u64::from(u32::MAX));
        self.start = signed(cell.0);
        self.end = signed(cell.0.saturating_add(period));
    }
}

impl StateRow {
    /// One that is not stored yet.
    pub(super) fn new(key: &str, tag: i64) -> Self {
        Self { key: key.to_owned(), tag, words: [0, 0], updated: 0, expires: 0 }
    }

    pub(super) fn put(&mut self, cell: Cell, now: Timestamp, expires: u64) {
        self.words = [bits(cell.0), bits(cell.1)];
        self.updated = signed(now.as_micros());
        self.expires = signed(expires);
    }

    pub(super) fn cell(&self) -> Cell {
        Cell(self.words[0].cast_unsigned(), self.words[1].cast_unsigned())
    }

    /// Moves a bucket, whose first word is a time, back to now if it was written under a later clock:
    /// it lies as far ahead as it did then.
    pub(super) fn move_back(&mut self, now: Timestamp) {
        let later = time(self.updated).since(now);
        if later > 0 {
            self.words[0] = bits(self.cell().0.saturating_sub(later));
            self.updated = signed(now.as_micros());
        }
    }
}

/// The bits of a word, as the tables keep it.
pub(super) fn bits(word: u64) -> i64 {
    word.cast_signed()
}

/// A time of the tables; before the epoch there is none.
pub(super) fn unsigned(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0)
}

/// A time for the tables; those beyond their range never come.
pub(super) fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(unsigned(micros))
}
