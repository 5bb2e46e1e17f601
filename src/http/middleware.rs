//! The middleware.

use super::{Rule, compiled::Compiled, selector::Selector};
use crate::{Error, Key, Limit, Rate, RateLimiter, limiter::PathPattern, net::Networks};

/// Scope of the rule for requests that no other rule is about.
const DEFAULT_SCOPE: &str = "default";

/// A middleware that limits requests; for an application, a scope or a resource.
///
/// One rule applies to a request: of those whose path, methods and condition fit, the one with the
/// highest priority, then the one with the most specific path. Requests that fit none fall under the
/// default rate.
///
/// ```
/// use actix_smart_ratelimit::{Key, Limit, Rate, RateLimiter, Rule};
/// use actix_web::{App, http::Method};
///
/// # fn main() -> Result<(), actix_smart_ratelimit::Error> {
/// let limiter = RateLimiter::in_memory();
/// let limit = limiter
///     .middleware()
///     .default_rate(Rate::per_minute(100))
///     .rule(Rule::new(Limit::new("auth", Rate::per_minute(5))).path("/auth").methods([Method::POST]))
///     .rule(Rule::new(Limit::new("api", "1000/h".parse::<Rate>()?)).path("/api").key(Key::user()))
///     .skip_path("/health");
/// limit.validate()?;
/// let app = App::new().wrap(limit);
/// # drop(app);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimit {
    limiter: RateLimiter,
    rules: Vec<Rule>,
    default_rule: Option<Rule>,
    skip_paths: Vec<String>,
    exempt: Networks,
    allow: Networks,
    deny: Networks,
    shadow: bool,
    skip_preflight: bool,
}

impl RateLimiter {
    /// A middleware of this limiter, which limits every request at the default rate by address.
    pub fn middleware(&self) -> RateLimit {
        RateLimit {
            limiter: self.clone(),
            rules: Vec::new(),
            default_rule: Some(Rule::new(Limit::new(DEFAULT_SCOPE, self.default_rate()))),
            skip_paths: Vec::new(),
            exempt: Networks::default(),
            allow: Networks::default(),
            deny: Networks::default(),
            shadow: false,
            skip_preflight: false,
        }
    }
}

impl RateLimit {
    /// Adds a rule.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// The rate of requests that no rule is about; the limiter's default rate by default.
    pub fn default_rate(self, rate: Rate) -> Self {
        self.default_rule(Rule::new(Limit::new(DEFAULT_SCOPE, rate)))
    }

    /// The rule of requests that no other rule is about.
    pub fn default_rule(mut self, rule: Rule) -> Self {
        self.default_rule = Some(rule);
        self
    }

    /// Leaves requests alone that no rule is about.
    pub fn no_default(mut self) -> Self {
        self.default_rule = None;
        self
    }

    /// Whom to count under the default rate; the client's address by default. Call it after
    /// [`default_rate`](Self::default_rate).
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.default_rule = self.default_rule.map(|rule| rule.key(key));
        self
    }

    /// A path that is never limited, with those below it; see [`Rule::path`].
    pub fn skip_path(mut self, pattern: impl Into<String>) -> Self {
        self.skip_paths.push(pattern.into());
        self
    }

    /// Networks whose requests are neither limited nor denied, such as those of monitoring.
    pub fn exempt(mut self, networks: Networks) -> Self {
        self.exempt = networks;
        self
    }

    /// Networks whose requests are not limited, unless they are denied.
    pub fn allow(mut self, networks: Networks) -> Self {
        self.allow = networks;
        self
    }

    /// Networks whose requests are all refused.
    pub fn deny(mut self, networks: Networks) -> Self {
        self.deny = networks;
        self
    }

    /// Whether every rule, and the list of denied networks, only reports to the operator.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Whether CORS preflights are left alone; false by default. A preflight carries no credentials,
    /// so a browser's real request would be counted twice by address; but anybody can send any number
    /// of them.
    pub fn skip_preflight(mut self, skip: bool) -> Self {
        self.skip_preflight = skip;
        self
    }

    /// Checks everything now rather than when the server starts.
    ///
    /// # Errors
    /// When a rule cannot work as it is written: a malformed path, a parameter that means nothing to
    /// the algorithm, a backend that is not registered, two rules of one name.
    pub fn validate(&self) -> Result<(), Error> {
        self.compile().map(drop)
    }

    pub(super) fn compile(&self) -> Result<Compiled, Error> {
        let rules = self.rules.iter().chain(&self.default_rule).cloned();
        let shadowed = |rule: Rule| match self.shadow {
            true => rule.with_limit(|limit| limit.shadow(true)),
            false => rule,
        };
        let rules: Vec<_> = rules.map(shadowed).collect();
        let skip_paths = self.skip_paths.iter().map(|path| PathPattern::parse(path));
        Ok(Compiled {
            limiter: self.limiter.clone(),
            selector: Selector::new(&rules, &self.limiter)?,
            skip_paths: skip_paths
                .collect::<Result<_, _>>()
                .map_err(|error| error.at("skip_paths"))?,
            has_lists: !(self.exempt.is_empty() && self.allow.is_empty() && self.deny.is_empty()),
            exempt: self.exempt.clone(),
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            shadow: self.shadow,
            skip_preflight: self.skip_preflight,
        })
    }
}
