//! Which rule of a middleware is about a request.

use std::{cell::LazyCell, sync::Arc};

use actix_web::{HttpRequest, http::Method};

use super::{
    Condition, Rule,
    condition::{has_method, path_of},
    gate::Gate,
};
use crate::{Error, RateLimiter, limiter::PathPattern};

/// Rules in the order in which they are tried.
#[derive(Debug)]
pub(super) struct Selector {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: every path.
    pattern: Option<PathPattern>,
    methods: Vec<Method>,
    condition: Option<Condition>,
    gate: Arc<Gate>,
}

impl Selector {
    /// # Errors
    /// When a rule cannot work as it is written, or two of them share a scope.
    pub(super) fn new(rules: &[Rule], limiter: &RateLimiter) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let scope = rule.limit().name();
            if rules[..index].iter().any(|other| other.limit().name() == scope) {
                let reason = "two rules have this name, and so would share their counters";
                return Err(Error::new("rules.name", scope, reason, "rename one of them"));
            }
            let gate = Arc::new(Gate::new(rule.clone(), limiter)?);
            let patterns = match &*rule.paths {
                [] => vec![None],
                paths => paths
                    .iter()
                    .map(|path| PathPattern::parse(path).map(Some))
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.at(format!("{scope}.path")))?,
            };
            for pattern in patterns {
                entries.push(Entry {
                    pattern,
                    methods: rule.methods.clone(),
                    condition: rule.condition.clone(),
                    gate: gate.clone(),
                });
            }
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.rank()));
        Ok(Self { entries })
    }

    /// The first rule that applies.
    #[inline]
    pub(super) fn select(
        &self,
        request: &HttpRequest,
        limiter: &RateLimiter,
    ) -> Option<&Arc<Gate>> {
        let path = LazyCell::new(|| path_of(request));
        let applies = |entry: &&Entry| {
            entry.pattern.as_ref().is_none_or(|pattern| path.may_be_in(pattern))
                && has_method(&entry.methods, request.method())
                && entry.condition.as_ref().is_none_or(|wanted| wanted.is_met(request, limiter))
        };
        self.entries.iter().find(applies).map(|entry| &entry.gate)
    }
}

impl Entry {
    /// Priority, then the path's specificity, then whether methods and a condition narrow it.
    fn rank(&self) -> (i32, (usize, usize, bool), bool, bool) {
        let specificity = self.pattern.as_ref().map(PathPattern::specificity).unwrap_or_default();
        let narrowed = !self.methods.is_empty();
        (self.gate.rule.priority, specificity, narrowed, self.condition.is_some())
    }
}
