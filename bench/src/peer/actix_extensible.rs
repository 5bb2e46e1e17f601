//! `actix-extensible-rate-limit` on its memory backend, keyed by peer address.

use actix_extensible_rate_limit::RateLimiter;
use actix_extensible_rate_limit::backend::memory::InMemoryBackend;
use actix_extensible_rate_limit::backend::{
    SimpleInputFunctionBuilder, SimpleInputFuture, SimpleOutput,
};
use actix_web::dev::ServiceRequest;

use super::{LONG, OUT_OF_REACH};
use crate::ours::Outcome;

/// The backend as its builder makes it; needs an Actix runtime around it.
pub(crate) fn backend() -> InMemoryBackend {
    InMemoryBackend::builder().build()
}

/// The middleware, with or without `add_headers`.
pub(crate) fn middleware(
    backend: &InMemoryBackend,
    outcome: Outcome,
    headers: bool,
) -> RateLimiter<InMemoryBackend, SimpleOutput, impl Fn(&ServiceRequest) -> SimpleInputFuture + use<>>
{
    let input = SimpleInputFunctionBuilder::new(LONG, limit(outcome)).peer_ip_key().build();
    let builder = RateLimiter::builder(backend.clone(), input);
    if headers { builder.add_headers().build() } else { builder.build() }
}

fn limit(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Admitted => u64::from(OUT_OF_REACH),
        Outcome::Refused => 1,
    }
}
