//! Where a limit's counters are, for those who look into a store.

use super::{Limit, RateLimiter};
use crate::Error;

impl RateLimiter {
    /// The keys under which a store has what `key` takes under this limit: one for each rate.
    ///
    /// # Errors
    /// As [`validate`](Self::validate), and for an empty key.
    pub fn storage_keys(&self, limit: &Limit, key: &str) -> Result<Vec<String>, Error> {
        let plan = self.plan(limit)?;
        let (_, keys) = self.rules_and_keys(&plan, key)?;
        Ok(keys.iter().map(str::to_owned).collect())
    }

    /// What all storage keys of this limit begin with.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn key_prefix_of(&self, limit: &Limit) -> Result<String, Error> {
        Ok(self.plan(limit)?.prefix().to_owned())
    }

    /// The tags of the states of this limit's rates, with the names of their algorithms.
    #[cfg(feature = "cli")]
    pub(crate) fn state_tags(&self, limit: &Limit) -> Result<Vec<(u64, &'static str)>, Error> {
        let plan = self.plan(limit)?;
        let name = |policy: &crate::Policy| policy.algorithm().map_or("custom", |of| of.name());
        let policies = &plan.rules().policies;
        Ok(policies.iter().map(|policy| (policy.state_tag(), name(policy))).collect())
    }
}
