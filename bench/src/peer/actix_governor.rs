//! `actix-governor`, keyed by peer address as it is by default.

use actix_governor::governor::clock::QuantaInstant;
use actix_governor::governor::middleware::{
    NoOpMiddleware, RateLimitingMiddleware, StateInformationMiddleware,
};
use actix_governor::{GovernorConfig, GovernorConfigBuilder, PeerIpKeyExtractor};
use anyhow::{Context, Result};

use super::{LONG, OUT_OF_REACH};
use crate::ours::Outcome;

/// Without headers.
pub(crate) fn plain(
    outcome: Outcome,
) -> Result<GovernorConfig<PeerIpKeyExtractor, NoOpMiddleware<QuantaInstant>>> {
    finish(&mut builder(outcome))
}

/// With `use_headers`.
pub(crate) fn with_headers(
    outcome: Outcome,
) -> Result<GovernorConfig<PeerIpKeyExtractor, StateInformationMiddleware>> {
    finish(&mut builder(outcome).use_headers())
}

fn builder(
    outcome: Outcome,
) -> GovernorConfigBuilder<PeerIpKeyExtractor, NoOpMiddleware<QuantaInstant>> {
    let mut builder = GovernorConfigBuilder::default();
    match outcome {
        Outcome::Admitted => builder.nanoseconds_per_request(1).burst_size(OUT_OF_REACH),
        Outcome::Refused => builder.period(LONG).burst_size(1),
    };
    builder
}

fn finish<M>(
    builder: &mut GovernorConfigBuilder<PeerIpKeyExtractor, M>,
) -> Result<GovernorConfig<PeerIpKeyExtractor, M>>
where
    M: RateLimitingMiddleware<QuantaInstant>,
{
    builder.finish().context("actix-governor takes no quota of zero")
}
