//! Conditions on a request, by which rules are chosen.

use std::{fmt, sync::Arc};

use actix_web::{
    HttpMessage, HttpRequest,
    http::{Method, header::USER_AGENT},
};

use crate::{
    Error, RateLimitUser, RateLimiter,
    key::client_ip,
    limiter::{PathPattern, RequestPath, guarded},
    net::Networks,
};

/// A yes or no about a request; conditions combine.
///
/// ```
/// use actix_smart_ratelimit::Condition;
///
/// let scripts = Condition::bot().or(Condition::api_key()).and(Condition::staff().not());
/// ```
#[derive(Clone)]
#[must_use]
pub struct Condition(Arc<Test>);

type Test = dyn Fn(&HttpRequest, &RateLimiter) -> bool + Send + Sync;

const MOBILE: [&str; 5] = ["mobile", "android", "iphone", "ipad", "tablet"];
const BOTS: [&str; 4] = ["bot", "crawler", "spider", "scraper"];

impl Condition {
    /// A function of your own. It must not block; a panic in it is a no.
    pub fn from_fn(test: impl Fn(&HttpRequest) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |request, _| guarded(|| test(request)).unwrap_or(false)))
    }

    /// The request has a [`RateLimitUser`].
    pub fn authenticated() -> Self {
        Self::user(|_| true)
    }

    /// The user is staff.
    pub fn staff() -> Self {
        Self::user(RateLimitUser::is_staff)
    }

    /// The user is a superuser.
    pub fn superuser() -> Self {
        Self::user(RateLimitUser::is_superuser)
    }

    /// The user has an attribute of this value, such as `("tier", "premium")`.
    pub fn user_attribute(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        Self::user(move |user| user.get(&name) == Some(value.as_str()))
    }

    /// There is a user, and it meets `test`.
    pub fn user(test: impl Fn(&RateLimitUser) -> bool + Send + Sync + 'static) -> Self {
        Self::from_fn(move |request| request.extensions().get::<RateLimitUser>().is_some_and(&test))
    }

    /// The request has a header `X-Api-Key`. Clients can send any; this is no authentication.
    pub fn api_key() -> Self {
        Self::from_fn(|request| request.headers().contains_key("x-api-key"))
    }

    /// `User-Agent` tells of a phone or tablet.
    pub fn mobile() -> Self {
        Self::from_fn(|request| user_agent_has(request, &MOBILE))
    }

    /// `User-Agent` admits to be a robot.
    pub fn bot() -> Self {
        Self::from_fn(|request| user_agent_has(request, &BOTS))
    }

    /// The client's address, by the limiter's rules, is in one of these networks.
    pub fn network(networks: Networks) -> Self {
        let inside = move |request: &HttpRequest, limiter: &RateLimiter| {
            client_ip(request, limiter).is_some_and(|address| networks.contains(address))
        };
        Self(Arc::new(inside))
    }

    /// The client's address is a loopback, link-local or private one.
    pub fn internal() -> Self {
        Self::network(Networks::loopback_and_private())
    }

    /// The method is one of these; HEAD counts as GET.
    pub fn methods(methods: impl IntoIterator<Item = Method>) -> Self {
        let methods: Vec<_> = methods.into_iter().collect();
        Self::from_fn(move |request| has_method(&methods, request.method()))
    }

    /// The path is this one or below it, as [`Rule::path`](crate::Rule::path) understands it.
    ///
    /// # Errors
    /// When the pattern is malformed.
    pub fn path(pattern: &str) -> Result<Self, Error> {
        let pattern = PathPattern::parse(pattern)?;
        Ok(Self::from_fn(move |request| path_of(request).may_be_in(&pattern)))
    }

    /// A header has exactly this value.
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        Self::from_fn(move |request| {
            let mut lines = request.headers().get_all(name.as_str());
            lines.any(|line| line.as_bytes() == value.as_bytes())
        })
    }

    /// Both conditions.
    pub fn and(self, other: Self) -> Self {
        Self(Arc::new(move |request, limiter| {
            self.is_met(request, limiter) && other.is_met(request, limiter)
        }))
    }

    /// Either condition.
    pub fn or(self, other: Self) -> Self {
        Self(Arc::new(move |request, limiter| {
            self.is_met(request, limiter) || other.is_met(request, limiter)
        }))
    }

    /// The opposite.
    #[expect(clippy::should_implement_trait, reason = "it reads in a chain with `and` and `or`")]
    pub fn not(self) -> Self {
        Self(Arc::new(move |request, limiter| !self.is_met(request, limiter)))
    }

    pub(super) fn is_met(&self, request: &HttpRequest, limiter: &RateLimiter) -> bool {
        (self.0)(request, limiter)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition")
    }
}

/// The path that the router matches: percent-decoded, as `HttpRequest::path` is not.
#[inline]
pub(super) fn path_of(request: &HttpRequest) -> RequestPath<'_> {
    RequestPath::new(request.match_info().as_str())
}

/// Whether a method is one of `methods`, of which none means all.
pub(super) fn has_method(methods: &[Method], method: &Method) -> bool {
    let counts_as_get = method == Method::HEAD && methods.contains(&Method::GET);
    methods.is_empty() || methods.contains(method) || counts_as_get
}

fn user_agent_has(request: &HttpRequest, words: &[&str]) -> bool {
    let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    agent.is_some_and(|agent| {
        let agent = agent.to_ascii_lowercase();
        words.iter().any(|word| agent.contains(word))
    })
}
