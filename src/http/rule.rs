//! `Rule`: a limit for requests, as the middleware and the attribute take it.

use std::{fmt, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::Method};

use super::{Condition, Refusal};
use crate::{Key, Limit, limiter::Rates};

pub(super) type Custom<T> = Arc<dyn Fn(&HttpRequest) -> T + Send + Sync>;
pub(super) type OnRefused = Arc<dyn Fn(&HttpRequest, &Refusal) -> HttpResponse + Send + Sync>;

/// A limit for requests: how much, whom to count, which requests.
///
/// ```
/// use actix_smart_ratelimit::{Condition, Key, Limit, Rate, Rule};
/// use actix_web::http::Method;
///
/// let logins = Rule::new(Limit::new("login", Rate::per_minute(5)))
///     .path("/api/login")
///     .methods([Method::POST])
///     .key(Key::ip())
///     .unless(Condition::staff());
/// ```
#[derive(Clone)]
#[must_use]
pub struct Rule {
    pub(super) limit: Limit,
    pub(super) key: Key,
    pub(super) paths: Vec<String>,
    pub(super) methods: Vec<Method>,
    pub(super) condition: Option<Condition>,
    pub(super) priority: i32,
    pub(super) rates_by: Option<Custom<Rates>>,
    pub(super) cost_by: Option<Custom<u32>>,
    pub(super) skip_if: Option<Custom<bool>>,
    pub(super) on_refused: Option<OnRefused>,
}

impl Rule {
    /// A rule for every request, counted by address.
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            key: Key::ip(),
            paths: Vec::new(),
            methods: Vec::new(),
            condition: None,
            priority: 0,
            rates_by: None,
            cost_by: None,
            skip_if: None,
            on_refused: None,
        }
    }

    /// Whom to count; the client's address by default.
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.key = key.into();
        self
    }

    /// Only requests for this path and those below it; may be called again for more paths. `{name}`
    /// stands for any one segment, and a `$` at the end excludes the paths below. Written as it
    /// reads, not percent-encoded. Only the middleware looks at it.
    pub fn path(mut self, pattern: impl Into<String>) -> Self {
        self.paths.push(pattern.into());
        self
    }

    /// Only requests with these methods; HEAD counts as GET. Only the middleware looks at it.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// Only requests that meet a condition. The middleware goes on to the next rule for others; the
    /// attribute does not limit them.
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition.take() {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }

    /// Only requests that do not meet a condition.
    pub fn unless(self, condition: Condition) -> Self {
        self.when(condition.not())
    }

    /// Of several rules that apply to a request the middleware takes the one with the highest
    /// priority, and of those the one with the most specific path; 0 by default.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Rates that depend on the request. No rate at all stands for the limit's own. It must not
    /// block; a panic in it leaves the limit's own rates.
    pub fn rates_by<F, R>(mut self, rates: F) -> Self
    where
        F: Fn(&HttpRequest) -> R + Send + Sync + 'static,
        R: Into<Rates>,
    {
        self.rates_by = Some(Arc::new(move |request| rates(request).into()));
        self
    }

    /// A cost that depends on the request, in permits. It must not block; a panic in it leaves the
    /// limit's own cost.
    pub fn cost_by(mut self, cost: impl Fn(&HttpRequest) -> u32 + Send + Sync + 'static) -> Self {
        self.cost_by = Some(Arc::new(cost));
        self
    }

    /// Requests that are not limited at all, and carry no headers of this rule. It must not block; a
    /// panic in it skips nothing.
    pub fn skip_if(mut self, skip: impl Fn(&HttpRequest) -> bool + Send + Sync + 'static) -> Self {
        self.skip_if = Some(Arc::new(skip));
        self
    }

    /// The response to refused requests. Header fields are added to it; if it panics, the default
    /// response is sent.
    pub fn on_refused<F>(mut self, respond: F) -> Self
    where
        F: Fn(&HttpRequest, &Refusal) -> HttpResponse + Send + Sync + 'static,
    {
        self.on_refused = Some(Arc::new(respond));
        self
    }

    /// The limit.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// The same rule with another limit.
    pub fn with_limit(mut self, change: impl FnOnce(Limit) -> Limit) -> Self {
        self.limit = change(self.limit);
        self
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("limit", &self.limit)
            .field("key", &self.key)
            .field("paths", &self.paths)
            .field("methods", &self.methods)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}
