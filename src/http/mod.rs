//! Requests in, responses out: middleware, attribute, header fields, refusals.

pub(crate) mod attribute;
mod compiled;
mod condition;
mod fields;
mod future;
mod gate;
mod health;
mod info;
mod live;
mod middleware;
pub mod preset;
#[cfg(feature = "prometheus")]
mod prometheus;
mod refusal;
mod rule;
mod selector;
mod service;
mod tiers;

pub use condition::Condition;
pub use info::RateLimitInfo;
pub use live::LiveRateLimit;
pub use middleware::RateLimit;
#[cfg(feature = "prometheus")]
pub use prometheus::Prometheus;
pub use refusal::{Reason, Refusal};
pub use rule::Rule;
pub use service::RateLimitService;
pub use tiers::Tiers;
