//! `actix-limitation`, which keeps its windows in Redis.

use actix_limitation::{Error, Limiter};
use actix_web::dev::ServiceRequest;
use anyhow::{Result, bail};

use super::{LONG, OUT_OF_REACH};
use crate::drive::Check;

/// A limiter keyed by peer address, for its middleware and for [`Check`].
pub(crate) fn limiter(url: &str) -> Result<Limiter> {
    let address = |request: &ServiceRequest| request.peer_addr().map(|peer| peer.ip().to_string());
    let mut builder = Limiter::builder(url);
    builder.limit(OUT_OF_REACH as usize).period(LONG).key_by(address);
    Ok(builder.build()?)
}

impl Check for Limiter {
    async fn check(&self, key: &str) -> Result<bool> {
        match self.count(key).await {
            Ok(_) => Ok(true),
            Err(Error::LimitExceeded(_)) => Ok(false),
            Err(error) => bail!("actix-limitation: {error}"),
        }
    }
}
