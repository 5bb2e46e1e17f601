//! `Plan`: a limit with everything looked up that can be looked up beforehand.

use std::{num::NonZeroU32, sync::Arc};

use super::{
    Change, Enforcement, Limit, OnError, RateLimiter, builder::find_backend, storage_key::encode,
};
use crate::{Error, MAX_CHECKS, Policy, Rate, Verdict, backend::Backend};

/// A limit, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    limit: Limit,
    prefix: String,
    rules: Arc<Rules>,
    backend: usize,
    on_error: OnError,
    #[cfg(feature = "metrics")]
    pub(super) meters: std::sync::OnceLock<Arc<super::meters::Meters>>,
}

/// Policies with the endings of their storage keys.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) policies: Vec<Policy>,
    /// What this process keeps of them by itself, if that is less.
    local: Option<Vec<Policy>>,
    pub(crate) suffixes: Vec<String>,
}

impl Plan {
    pub(super) fn new(limit: &Limit, limiter: &RateLimiter) -> Result<Self, Error> {
        let settings = &limiter.0.settings;
        let at_scope = |error: Error| {
            let field = format!("{}.{}", limit.scope, error.field());
            error.at(field)
        };
        if limit.scope.chars().any(char::is_control) {
            let reason = "it has a control character";
            return Err(Error::new("scope", &limit.scope, reason, "use visible characters"));
        }
        let mut prefix = settings.key_prefix.clone();
        if !limit.scope.is_empty() {
            encode(&limit.scope, &mut prefix);
            prefix.push(':');
        }
        let backend = match &limit.backend {
            None => limiter.0.default_backend,
            Some(name) => find_backend("backend", name, &limiter.0.backends).map_err(at_scope)?,
        };
        let policies = limit.policies(&[], settings.algorithm, settings.default_rate);
        let rules = Arc::new(
            Rules::new(policies.map_err(at_scope)?, settings.local_share).map_err(at_scope)?,
        );
        rules.validate(&*limiter.0.backends[backend].1, limit.cost).map_err(at_scope)?;
        let on_error = limit.on_error.unwrap_or(settings.on_error);
        Ok(Self {
            limit: limit.clone(),
            prefix,
            rules,
            backend,
            on_error,
            #[cfg(feature = "metrics")]
            meters: std::sync::OnceLock::new(),
        })
    }

    /// The policies at other rates, chosen for one request.
    pub(crate) fn rules_at(
        &self,
        rates: &[Rate],
        limiter: &RateLimiter,
    ) -> Result<Arc<Rules>, Error> {
        self.rules_of(&self.limit, rates, limiter)
    }

    /// The policies as an override changes them.
    pub(crate) fn rules_under(
        &self,
        change: Change,
        limiter: &RateLimiter,
    ) -> Result<Arc<Rules>, Error> {
        self.rules_of(&change.applied_to(&self.limit), &[], limiter)
    }

    fn rules_of(
        &self,
        limit: &Limit,
        rates: &[Rate],
        limiter: &RateLimiter,
    ) -> Result<Arc<Rules>, Error> {
        let settings = &limiter.0.settings;
        let policies = limit.policies(rates, settings.algorithm, settings.default_rate)?;
        let rules = Rules::new(policies, settings.local_share)?;
        rules.validate(&*limiter.0.backends[self.backend].1, limit.cost)?;
        Ok(Arc::new(rules))
    }

    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    pub(crate) fn scope(&self) -> &str {
        &self.limit.scope
    }

    /// Prefix and scope of the storage keys.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn cost(&self) -> u32 {
        self.limit.cost
    }

    pub(crate) fn enforcement(&self) -> Enforcement {
        self.limit.enforcement
    }

    pub(super) fn backend(&self) -> usize {
        self.backend
    }

    pub(super) fn on_error(&self) -> OnError {
        self.on_error
    }
}

impl Rules {
    /// Whether there is a decision for every policy.
    #[inline]
    pub(super) fn are_answered_by(&self, verdict: &Verdict) -> bool {
        verdict.decisions().len() == self.policies.len()
    }

    /// The policies that this process keeps by itself while the store is away.
    pub(super) fn local(&self) -> &[Policy] {
        self.local.as_deref().unwrap_or(&self.policies)
    }

    /// Whether a backend can keep them all.
    fn validate(&self, backend: &dyn Backend, cost: u32) -> Result<(), Error> {
        self.policies.iter().try_for_each(|policy| backend.validate(policy, cost))
    }

    fn new(policies: Vec<Policy>, instances: NonZeroU32) -> Result<Self, Error> {
        if policies.len() > MAX_CHECKS {
            let reason = format!("a limit has at most {MAX_CHECKS} rates");
            return Err(Error::new("rate", policies.len().to_string(), reason, "remove some"));
        }
        let suffix = |(index, policy): (usize, &Policy)| match (index, policy.rate()) {
            (0, _) | (_, None) => String::new(),
            (_, Some(rate)) => format!("#{rate}"),
        };
        let suffixes: Vec<_> = policies.iter().enumerate().map(suffix).collect();
        for (index, suffix) in suffixes.iter().enumerate().skip(1) {
            let rate = policies[index].rate();
            if suffixes[1..index].contains(suffix) || policies[0].rate() == rate {
                let rate = rate.map(|rate| rate.to_string()).unwrap_or_default();
                return Err(Error::new("rate", rate, "it stands twice", "remove one of the two"));
            }
        }
        let divided = || policies.iter().map(|policy| policy.share(instances)).collect();
        let local = (instances > NonZeroU32::MIN).then(divided);
        Ok(Self { policies, local, suffixes })
    }
}
