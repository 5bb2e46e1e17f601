//! A middleware whose rules can be replaced while it runs.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{
    Error as ActixError,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};
use arc_swap::ArcSwap;

use super::{
    RateLimit, RateLimitService,
    service::{Place, Rules},
};
use crate::Error;

/// A middleware whose rules can be replaced while it runs; clones share them.
///
/// Counters belong to scopes and keys, so they are kept: a rule of the same name goes on counting
/// where it was.
///
/// ```
/// use actix_smart_ratelimit::{Limit, Rate, RateLimiter, Rule};
/// use actix_web::App;
///
/// # fn main() -> Result<(), actix_smart_ratelimit::Error> {
/// let limiter = RateLimiter::in_memory();
/// let rules = limiter.middleware().live()?;
/// let app = App::new().wrap(rules.clone());
/// # drop(app);
/// // Later, from anywhere:
/// rules.replace(limiter.middleware().rule(Rule::new(Limit::new("api", Rate::per_minute(10)))))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LiveRateLimit {
    place: Place,
}

impl RateLimit {
    /// This middleware with rules that can be replaced while it runs.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn live(&self) -> Result<LiveRateLimit, Error> {
        Ok(LiveRateLimit { place: Arc::new(ArcSwap::from_pointee(self.compile()?)) })
    }
}

impl LiveRateLimit {
    /// Puts other rules in force, for every request that begins from now on. Requests that wait for
    /// a store are decided by the rules that they came under.
    ///
    /// # Errors
    /// As [`RateLimit::validate`]; the rules in force stay.
    pub fn replace(&self, rules: RateLimit) -> Result<(), Error> {
        self.place.store(Arc::new(rules.compile()?));
        Ok(())
    }
}

impl<S, B> Transform<S, ServiceRequest> for LiveRateLimit
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = ActixError> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = ActixError;
    type Transform = RateLimitService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RateLimitService::new(service, Rules::live(&self.place))))
    }
}
