//! Rate limiting for Actix-web: an attribute and a middleware, exact under any concurrency.
//!
//! ```no_run
//! use actix_smart_ratelimit::{RateLimiter, rate_limit};
//! use actix_web::{App, HttpServer, Responder, get};
//!
//! #[rate_limit(key = "ip", rate = "5/m")]
//! #[get("/login")]
//! async fn login() -> impl Responder {
//!     "welcome"
//! }
//!
//! #[actix_web::main]
//! async fn main() -> std::io::Result<()> {
//!     let limiter = RateLimiter::in_memory();
//!     HttpServer::new(move || App::new().app_data(limiter.clone()).service(login))
//!         .bind("127.0.0.1:8080")?
//!         .run()
//!         .await
//! }
//! ```
//!
//! # Finding one's way
//!
//! | to | see |
//! |---|---|
//! | limit a handler | [`rate_limit`](macro@rate_limit) |
//! | limit an application, scope or resource | [`RateLimiter::middleware`], [`Rule`] |
//! | limit something that is not a request | [`RateLimiter::check`] |
//! | say whom to count | [`Key`], [`RateLimitUser`], [`IntoKey`] |
//! | say how much, and how it comes back | [`Rate`], [`Algorithm`], [`Limit`] |
//! | choose rules by request | [`Condition`], [`preset`], [`Tiers`] |
//! | run behind proxies | [`net::ClientIp`] |
//! | ask in a handler how its request stands | [`RateLimitInfo`] |
//! | share counters between processes | `backend::redis`, `backend::database`, [`backend::wrap`] |
//! | have another store take over | [`backend::multi`] |
//! | configure it all by a file | `config::Config` |
//! | keep counters elsewhere | [`backend::Backend`] |
//! | count in a way of your own | [`CustomAlgorithm`] |
//!
//! # A request's way
//!
//! Its client is found (no input or output), then the rule that is about it, then its key; all rates
//! of the rule are asked in one decision, and charged together or not at all. If one refuses, the
//! response is made there and then: extractors and handler have not run, and the body was not read.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `jwt` | keys from verified JSON Web Tokens: `JwtVerifier` |
//! | `session` | keys by `actix-session` |
//! | `identity` | users of `actix-identity` |
//! | `redis` | counters in Redis or Valkey, standalone or behind Sentinel: `backend::redis` |
//! | `redis-cluster` | the same in a Redis Cluster |
//! | `redis-tls` | the same over encrypted connections |
//! | `postgres`, `mysql`, `sqlite` | counters in a database: `backend::database` |
//! | `config` | one TOML file and variables of the environment: `config::Config` |
//! | `config-reload` | rules and limits that follow their file: `config::Reloader` |
//! | `serve` | a service that decides for nginx, Traefik and Caddy: `serve::DecisionService` |
//! | `metrics` | counters and histograms of decisions, by the `metrics` facade |
//! | `prometheus` | the same as an endpoint: `Prometheus` |
//! | `cli` | the command `ratelimit`, with every kind of store |
//! | `test-util` | what tests need: assertions, limiters at the brink, the conformance suite |

pub mod backend;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
mod http;
mod key;
mod limiter;
#[cfg(any(feature = "redis", feature = "config"))]
mod masked;
pub mod net;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "test-util")]
pub mod test_util;

pub use actix_smart_ratelimit_core::{
    Algorithm, Batch, Cell, Charge, Check, CustomAlgorithm, Decision, Entries, EntryLog, Error,
    KeyPart, KeySpec, MAX_CHECKS, Mode, Policy, PolicyBuilder, Rate, Shape, Step, Store, Timestamp,
    Verdict, WindowStart, settle,
};
pub use actix_smart_ratelimit_macros::{rate, rate_limit};
pub use backend::MemoryBackend;
pub use clock::{Clock, ManualClock};
#[cfg(feature = "prometheus")]
pub use http::Prometheus;
pub use http::{
    Condition, LiveRateLimit, RateLimit, RateLimitInfo, RateLimitService, Reason, Refusal, Rule,
    Tiers, preset,
};
#[cfg(feature = "jwt")]
pub use key::JwtVerifier;
pub use key::{IntoKey, Key, KeyFn, KeyValue, RateLimitUser, client_ip, key_of};
pub use limiter::{
    BackendHealth, Enforcement, Event, EventKind, Headers, HealthCheck, HealthReport, Limit,
    LogKeys, MissingAddress, OnError, Outcome, Override, RateLimiter, RateLimiterBuilder, Rates,
    ResetError,
};

/// What the code written by the attribute names. Not for use by hand: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use core;

    pub use crate::{
        Algorithm, Key, Limit, OnError, Rate, Rule, WindowStart,
        http::attribute::{AttributeLimit, Call, Head, Reply},
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

/// The pages of the repository, whose programs compile.
#[cfg(all(doctest, feature = "jwt", feature = "redis", feature = "sqlite", feature = "serve"))]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/keys.md")]
    mod keys {}
    #[doc = include_str!("../docs/middleware.md")]
    mod middleware {}
    #[doc = include_str!("../docs/redis.md")]
    mod redis {}
    #[doc = include_str!("../docs/database.md")]
    mod database {}
    #[doc = include_str!("../docs/configuration.md")]
    mod configuration {}
    #[doc = include_str!("../docs/failover.md")]
    mod failover {}
    #[doc = include_str!("../docs/operations.md")]
    mod operations {}
}
