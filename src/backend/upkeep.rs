//! What an operator can ask a store beside decisions: which keys it has, and what it keeps of one.

use std::collections::BTreeMap;

use super::{BackendError, BoxFuture};
use crate::Timestamp;

/// A store that can show what it keeps.
///
/// Nothing here is for the way of a request: answers may take as long as the store is large.
pub trait Upkeep: Send + Sync {
    /// The states whose keys match a pattern, expired ones that were not removed yet included, of at
    /// most `limit` keys. `*` stands for anything, also nothing, and every other character for itself.
    fn list(&self, pattern: &str, limit: usize) -> BoxFuture<Result<Listing, BackendError>>;

    /// The states of one key, as they stand in the store. Nothing is changed.
    fn inspect(&self, key: &str) -> BoxFuture<Result<Vec<StoredState>, BackendError>>;

    /// The database behind it, for migrations and cleanups.
    #[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
    fn database(&self) -> Option<&super::database::DatabaseBackend> {
        None
    }
}

/// Part of what a store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// States by their key, in its order.
    pub keys: BTreeMap<String, Vec<StoredState>>,
    /// Whether there are no more that match.
    pub is_complete: bool,
}

/// One state, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredState {
    /// The storage key, as the limiter writes it: prefix, scope, key.
    pub key: String,
    /// Under which name the store has it: a key of its own, or a table.
    pub place: String,
    /// The algorithm whose state it is, by its name in configurations; `state` where the store alone
    /// does not tell.
    pub kind: &'static str,
    /// The tag of the policy that understands it, where the store keeps that.
    pub tag: Option<u64>,
    /// What stands in it: names and values in the store's own terms.
    pub values: Vec<(String, StoredValue)>,
    /// When the store may forget it; `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// A value of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredValue {
    /// A count, or a word that means something to the algorithm alone.
    Number(u64),
    /// A point in time.
    Time(Timestamp),
    /// What the store has, as text.
    Text(String),
}

impl Listing {
    /// Adds a state, unless it is of one key too many.
    #[cfg(any(feature = "redis", feature = "database"))]
    pub(super) fn add(&mut self, state: StoredState, limit: usize) {
        if self.keys.len() >= limit && !self.keys.contains_key(&state.key) {
            self.is_complete = false;
            // The first keys in their order are kept, whatever order they come in.
            match self.keys.last_key_value() {
                Some((last, _)) if *last > state.key => drop(self.keys.pop_last()),
                _ => return,
            }
        }
        self.keys.entry(state.key.clone()).or_default().push(state);
    }
}
