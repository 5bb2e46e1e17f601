//! Requests in, responses out: middleware, attribute, header fields, refusals.

pub(crate) mod attribute;
mod condition;
mod fields;
mod future;
mod gate;
mod health;
mod info;
mod middleware;
pub mod preset;
mod refusal;
mod rule;
mod selector;
mod tiers;

pub use condition::Condition;
pub use info::RateLimitInfo;
pub use middleware::{RateLimit, RateLimitService};
pub use refusal::{Reason, Refusal};
pub use rule::Rule;
pub use tiers::Tiers;
