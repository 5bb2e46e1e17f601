//! The limits of a configuration, for those who ask about them outside of requests.

use super::Config;
use crate::Limit;

impl Config {
    /// The limits of the middleware: that of requests no rule is about, if there is one, then that of
    /// each rule. Rates that depend on a request's tier are not among them.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        let defaults = self.defaults();
        let default = self.middleware.default.then(|| self.middleware.default_limit(&defaults));
        let rules = self.middleware.rules.iter().map(|rule| rule.limit(&defaults));
        default.into_iter().chain(rules).collect()
    }
}
