//! The operator's questions, answered from the tables.

use super::{
    DatabaseBackend, Migration,
    key::stored,
    look::{Look, Seen, SeenState, SeenTable},
    row::{signed, time, unsigned},
};
use crate::backend::{
    BackendError, BoxFuture, ErrorKind, Fate, Listing, StoredState, StoredValue, Upkeep,
};

impl Upkeep for DatabaseBackend {
    fn list(&self, pattern: &str, limit: usize) -> BoxFuture<Result<Listing, BackendError>> {
        // A key may have several states, and one more tells that there are more.
        let most = signed(limit as u64).saturating_add(1);
        let seen = self.door.get_ref().look(Look::Like(pattern.to_owned(), most));
        Box::pin(async move {
            let mut listing = Listing { is_complete: true, ..Listing::default() };
            let states = states(seen.await?)?;
            // What was cut off in one table must not be missing from keys found in another.
            let cut = cut(&states, most);
            for state in states {
                if cut.as_ref().is_some_and(|cut| state.key > *cut) {
                    listing.is_complete = false;
                    continue;
                }
                listing.add(told(state), limit);
            }
            Ok(listing)
        })
    }

    fn inspect(&self, key: &str) -> BoxFuture<Result<Vec<StoredState>, BackendError>> {
        let (key, row) = (key.to_owned(), stored(key).into_owned());
        let seen = self.door.get_ref().look(Look::At(row));
        Box::pin(async move {
            let of_key = |state| StoredState { key: key.clone(), ..told(state) };
            Ok(states(seen.await?)?.into_iter().map(of_key).collect())
        })
    }

    fn database(&self) -> Option<&DatabaseBackend> {
        Some(self)
    }
}

impl DatabaseBackend {
    /// The migrations of its tables, in their order, and which of them were run.
    ///
    /// # Errors
    /// When the database cannot be reached, or not be read.
    pub async fn migrations(&self) -> Result<Vec<Migration>, BackendError> {
        match self.door.get_ref().look(Look::Migrations).await? {
            Seen::Migrations(all) => Ok(all),
            Seen::States(_) => Err(unexpected()),
        }
    }
}

fn unexpected() -> BackendError {
    BackendError::new(ErrorKind::Protocol, Fate::NotCharged)
}

fn states(seen: Seen) -> Result<Vec<SeenState>, BackendError> {
    match seen {
        Seen::States(states) => Ok(states),
        Seen::Migrations(_) => Err(unexpected()),
    }
}

/// The last key up to which every table was read.
fn cut(states: &[SeenState], most: i64) -> Option<String> {
    let of = |table| states.iter().filter(move |state| state.table == table);
    let full = |table: &SeenTable| i64::try_from(of(*table).count()).unwrap_or(0) >= most;
    let tables = [SeenTable::Counter, SeenTable::State, SeenTable::Entries];
    let last = |table| of(table).map(|state| &state.key).max().cloned();
    tables.into_iter().filter(full).filter_map(last).min()
}

fn told(state: SeenState) -> StoredState {
    let [first, second, third, fourth] = state.numbers;
    let expires_at = Some(time(state.expires)).filter(|_| state.expires < i64::MAX);
    let count = |micros: i64| StoredValue::Number(unsigned(micros));
    let at = |micros: i64| StoredValue::Time(time(micros));
    let word = |word: i64| StoredValue::Number(word.cast_unsigned());
    let (kind, tag, values) = match state.table {
        SeenTable::Counter => {
            let values = vec![("count", count(first)), ("window_start", at(second))];
            ("fixed_window", None, values)
        }
        SeenTable::Entries => {
            let values = vec![
                ("entries", count(first)),
                ("permits", count(second)),
                ("first", at(third)),
                ("last", at(fourth)),
            ];
            ("sliding_window", None, values)
        }
        SeenTable::State => {
            let values = vec![
                ("first_word", word(second)),
                ("second_word", word(third)),
                ("written", at(fourth)),
            ];
            ("state", Some(first.cast_unsigned()), values)
        }
    };
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let place = state.table.name().to_owned();
    StoredState { key: state.key, place, kind, tag, values, expires_at }
}
