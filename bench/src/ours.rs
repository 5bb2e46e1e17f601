//! Our side of every case, and the only file that knows our API.
//!
//! It stands on `governor` until the limiter exists: whatever is measured here
//! now is a peer behind our name.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse};
use anyhow::Result;
use clap::ValueEnum;

use crate::peer::governor;

/// What every check of a case must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// The limit is out of reach.
    Admitted,
    /// The limit is one per hour and used up by the first check of a key.
    Refused,
}

/// The algorithms whose state is a cell; the exact log is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    FixedWindow,
    SlidingWindowCounter,
    TokenBucket,
    LeakyBucket,
    Gcra,
}

/// Which header profiles the middleware writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    Off,
    Legacy,
    LegacyAndIetf,
}

/// Decisions by string key on the memory backend.
pub(crate) struct Limiter(governor::Limiter);

impl Limiter {
    /// A limiter that holds at most `max_keys` keys.
    pub(crate) fn new(_algorithm: Algorithm, outcome: Outcome, _max_keys: usize) -> Result<Self> {
        governor::Limiter::new(outcome).map(Self)
    }

    /// Takes one permit of `key`, reading the clock; whether it was admitted.
    pub(crate) fn check(&self, key: &String) -> bool {
        self.0.check(key)
    }
}

/// What servers share: a limiter on the memory backend, keyed by peer address.
#[derive(Clone)]
pub(crate) struct HttpLimiter {
    limiter: Arc<governor::Limiter>,
    headers: Headers,
}

/// A limiter for [`middleware`].
pub(crate) fn http_limiter(headers: Headers, outcome: Outcome) -> Result<HttpLimiter> {
    Ok(HttpLimiter { limiter: Arc::new(governor::Limiter::new(outcome)?), headers })
}

/// The middleware under measurement.
pub(crate) fn middleware<S, B>(
    limiter: &HttpLimiter,
) -> impl Transform<
    S,
    ServiceRequest,
    Response = ServiceResponse<EitherBody<B>>,
    Error = Error,
    InitError = (),
> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let limiter = limiter.clone();
    from_fn(move |request, next| stand_in(limiter.clone(), request, next))
}

async fn stand_in<B: MessageBody + 'static>(
    limiter: HttpLimiter,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let address = request.peer_addr().map(|address| address.ip());
    let mut response = if limiter.limiter.check(&key(address)) {
        next.call(request).await?.map_into_left_body()
    } else {
        let refusal = HttpResponse::TooManyRequests().body(REFUSAL_BODY);
        request.into_response(refusal).map_into_right_body()
    };
    let profiles = match limiter.headers {
        Headers::Off => 0,
        Headers::Legacy => 3,
        Headers::LegacyAndIetf => 5,
    };
    write(response.headers_mut(), &HEADERS[..profiles]);
    Ok(response)
}

fn key(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "ip:unknown".to_owned(), |address| format!("ip:{address}"))
}

/// The body of our refusals.
pub(crate) const REFUSAL_BODY: &str = "Rate limit exceeded. Please try again later.";

/// What our two profiles write: three legacy headers, then two of the IETF's.
pub(crate) static HEADERS: [(HeaderName, HeaderValue); 5] = [
    header("x-ratelimit-limit", "1000000000"),
    header("x-ratelimit-remaining", "999999999"),
    header("x-ratelimit-reset", "1790000000"),
    header("ratelimit-policy", "\"default\";q=1000000000;w=3600"),
    header("ratelimit", "\"default\";r=999999999;t=3600"),
];

const fn header(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// Sets `headers` in `map`.
pub(crate) fn write(map: &mut HeaderMap, headers: &[(HeaderName, HeaderValue)]) {
    for (name, value) in headers {
        map.insert(name.clone(), value.clone());
    }
}
