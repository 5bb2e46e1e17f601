//! The middleware at work, once on each worker.

use std::{
    cell::RefCell,
    future::{Ready, ready},
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    Error as ActixError, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
};
use arc_swap::{ArcSwap, Cache};

use super::{
    RateLimit,
    compiled::Compiled,
    future::RateLimitFuture,
    gate::{Admission, Entry},
};

impl<S, B> Transform<S, ServiceRequest> for RateLimit
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
        let compiled = self.compile().map_err(|error| {
            tracing::error!(%error, "rate limit middleware cannot start");
        });
        ready(compiled.map(|compiled| RateLimitService {
            service: Rc::new(service),
            rules: Rules::Fixed(Arc::new(compiled)),
        }))
    }
}

/// The middleware of one worker.
#[derive(Debug)]
pub struct RateLimitService<S> {
    service: Rc<S>,
    rules: Rules,
}

/// Where the rules are.
#[derive(Debug)]
pub(super) enum Rules {
    /// The same for as long as the worker lives.
    Fixed(Arc<Compiled>),
    /// In a place where others may put new ones.
    Live(Place, RefCell<Option<Seen>>),
}

pub(super) type Place = Arc<ArcSwap<Compiled>>;
/// What was seen in a place last: whether that is still there is one word to read.
type Seen = Cache<Place, Arc<Compiled>>;

impl Rules {
    pub(super) fn live(place: &Place) -> Self {
        Self::Live(place.clone(), RefCell::default())
    }

    #[inline]
    fn enter(&self, request: &HttpRequest) -> Entry {
        match self {
            Self::Fixed(compiled) => compiled.enter(request),
            Self::Live(place, seen) => {
                // Nothing is borrowed while code of the application runs.
                let mut rules = seen.take().unwrap_or_else(|| Cache::new(place.clone()));
                let entry = rules.load().enter(request);
                seen.replace(Some(rules));
                entry
            }
        }
    }
}

impl<S> RateLimitService<S> {
    pub(super) fn new(service: S, rules: Rules) -> Self {
        Self { service: Rc::new(service), rules }
    }
}

impl<S, B> Service<ServiceRequest> for RateLimitService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = ActixError> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = ActixError;
    type Future = RateLimitFuture<S, B>;

    forward_ready!(service);

    #[inline]
    fn call(&self, request: ServiceRequest) -> Self::Future {
        match self.rules.enter(request.request()) {
            Entry::Now(Admission::Granted(pass)) => {
                RateLimitFuture::inner(self.service.call(request), pass)
            }
            Entry::Now(Admission::Refused(refusal)) => {
                RateLimitFuture::refused(request.into_response(*refusal))
            }
            Entry::Waiting(waiting) => {
                RateLimitFuture::store(waiting, request, self.service.clone())
            }
        }
    }
}
