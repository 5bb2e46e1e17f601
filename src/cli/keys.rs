//! From a key as an operator writes it to the keys that stores have.

use super::{failure::Failure, store::Stores};
use crate::{Limit, OnError};

/// A rule that may keep something of a key.
pub(super) struct OfRule {
    pub(super) limit: Limit,
    /// The key as the rule has it.
    pub(super) key: String,
    /// As the store has it, for each rate.
    pub(super) stored: Vec<String>,
    pub(super) backend: String,
}

/// What a key can stand for: itself, as it is stored, and what each rule makes of it.
pub(super) fn of_rules(key: &str, stores: &Stores) -> Result<Vec<OfRule>, Failure> {
    if key.is_empty() {
        return Err(Failure::Usage(
            "the key is empty: name one, such as ip:203.0.113.7".to_owned(),
        ));
    }
    let default = stores.config.backend.as_deref();
    let default = default.or_else(|| stores.limiter.backend_names().next()).unwrap_or_default();
    let mut found = Vec::new();
    for limit in stores.config.limits() {
        // Another store must not decide about it instead.
        let limit = limit.on_error(OnError::Deny);
        let prefix = stores.limiter.key_prefix_of(&limit)?;
        let own = key.strip_prefix(&prefix).filter(|rest| !rest.is_empty()).unwrap_or(key);
        let stored = stores.limiter.storage_keys(&limit, own)?;
        let backend = limit.backend_name().unwrap_or(default).to_owned();
        found.push(OfRule { key: own.to_owned(), stored, backend, limit });
    }
    Ok(found)
}

/// All keys that one store may have, each once.
pub(super) fn stored(key: &str, rules: &[OfRule], store: &str, stores: &Stores) -> Vec<String> {
    let mut keys = vec![key.to_owned()];
    for rule in rules.iter().filter(|rule| stores.keeps(&rule.backend, store)) {
        keys.extend(rule.stored.iter().cloned());
    }
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}
