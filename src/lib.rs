//! Rate limiting for Actix-web.

pub mod backend;
pub mod clock;
mod http;
mod key;
mod limiter;
pub mod net;

pub use actix_smart_ratelimit_core::{
    Algorithm, Batch, Cell, Charge, Check, CustomAlgorithm, Decision, Entries, EntryLog, Error,
    KeyPart, KeySpec, MAX_CHECKS, Mode, Policy, PolicyBuilder, Rate, Shape, Step, Store, Timestamp,
    Verdict, WindowStart, settle,
};
pub use actix_smart_ratelimit_macros::{rate, rate_limit};
pub use backend::MemoryBackend;
pub use clock::{Clock, ManualClock};
pub use http::{
    Condition, RateLimit, RateLimitInfo, RateLimitService, Reason, Refusal, Rule, Tiers, preset,
};
#[cfg(feature = "jwt")]
pub use key::JwtVerifier;
pub use key::{IntoKey, Key, KeyFn, KeyValue, RateLimitUser, client_ip, key_of};
pub use limiter::{
    Enforcement, Event, EventKind, Headers, Limit, MissingAddress, OnError, Outcome, RateLimiter,
    RateLimiterBuilder, Rates, ResetError,
};

/// What the code written by the attribute names. Not for use by hand: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use core;

    pub use actix_web::Responder;

    pub use crate::{
        Algorithm, Key, Limit, OnError, Rate, Rule, WindowStart,
        http::attribute::{AttributeLimit, Call, Head, Reply, typed},
    };

    /// A rate that the attribute has checked.
    #[must_use]
    pub const fn rate(limit: u32, micros: u64) -> Rate {
        match Rate::from_micros(limit, micros) {
            Some(rate) => rate,
            None => Rate::per_second(0),
        }
    }

    /// The scope of a function.
    #[must_use]
    pub fn scope(module: &str, function: &str) -> String {
        format!("{module}::{function}").replace("::", ".")
    }
}
