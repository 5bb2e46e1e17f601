//! `actix-extensible-rate-limit`, in memory or in Redis, keyed by peer address.

use actix_extensible_rate_limit::RateLimiter;
use actix_extensible_rate_limit::backend::memory::InMemoryBackend;
use actix_extensible_rate_limit::backend::redis::RedisBackend;
use actix_extensible_rate_limit::backend::{
    Backend, SimpleInput, SimpleInputFunctionBuilder, SimpleInputFuture, SimpleOutput,
};
use actix_web::dev::ServiceRequest;
use anyhow::{Context, Result};
use redis_0_26::{Client, aio::ConnectionManager};

use super::{LONG, OUT_OF_REACH};
use crate::drive::Check;
use crate::ours::Outcome;

/// The backend as its builder makes it; needs an Actix runtime around it.
pub(crate) fn backend() -> InMemoryBackend {
    InMemoryBackend::builder().build()
}

/// The backend on a connection of the runtime around it.
pub(crate) async fn redis_backend(url: &str) -> Result<RedisBackend> {
    let connection = ConnectionManager::new(Client::open(url)?).await;
    Ok(RedisBackend::builder(connection.context("connecting to redis-server")?).build())
}

/// The middleware, with or without `add_headers`.
pub(crate) fn middleware<B>(
    backend: &B,
    outcome: Outcome,
    headers: bool,
) -> RateLimiter<B, SimpleOutput, impl Fn(&ServiceRequest) -> SimpleInputFuture + use<B>>
where
    B: Backend<SimpleInput, Output = SimpleOutput> + Clone + 'static,
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

impl Check for RedisBackend {
    /// What the middleware does before it calls the handler.
    async fn check(&self, key: &str) -> Result<bool> {
        let max_requests = limit(Outcome::Admitted);
        let input = SimpleInput { interval: LONG, max_requests, key: key.to_owned() };
        let (decision, _, _) = self.request(input).await?;
        Ok(decision.is_allowed())
    }
}
