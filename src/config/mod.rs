//! Configuration: one TOML file, then variables of the environment, checked as a whole.
//!
//! ```
//! use actix_smart_ratelimit::{RateLimiter, config::Config};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_toml_str(
//!     r#"
//!     default_rate = "100/m"
//!
//!     [[middleware.rules]]
//!     name = "auth"
//!     path = "/api/auth/"
//!     methods = ["POST"]
//!     rate = "10/m"
//!     "#,
//! )?;
//! let limiter = RateLimiter::from_config(&config)?;
//! let middleware = limiter.middleware_from(&config)?;
//! # drop(middleware);
//!
//! let errors = Config::from_toml_str("default_rat = \"100/m\"").unwrap_err();
//! let expected = "line 1:1: default_rat: there is no such setting; did you mean \"default_rate\"?";
//! assert_eq!(errors.to_string(), expected);
//! # Ok(())
//! # }
//! ```
//!
//! [`Config::load`] reads a file, [`Config::discover`] the one that `RATELIMIT_CONFIG` names. Both lay
//! variables over it: `RATELIMIT__CLIENT_IP__IPV6_PREFIX=56` sets `ipv6_prefix` in `[client_ip]`, and
//! `RATELIMIT__MIDDLEWARE__RULES__AUTH__RATE=5/m` the rate of the rule named `auth`. Lists are
//! separated by commas.
//!
//! Whatever is wrong is told at once, each with its place, field, value, reason and remedy, and
//! passwords in URLs are masked wherever a configuration is printed.

mod backend;
mod build;
mod check;
mod client_ip;
mod condition;
mod duration;
mod env;
mod errors;
mod limits;
mod load;
mod middleware;
mod multi;
mod node;
mod origin;
mod overrides;
mod place;
mod provenance;
mod read;
#[cfg(feature = "config-reload")]
mod reload;
mod rule;
mod secret;
mod serve;
mod settings;
mod show;
mod source;
mod words;

pub use backend::{
    BackendConfig, DatabaseConfig, MemoryConfig, RedisConfig, RedisPlace, RemoteConfig,
};
pub use build::{NamedBackend, NamedBackends};
pub use client_ip::ClientIpConfig;
pub use condition::ConditionSpec;
#[cfg(feature = "cli")]
pub(crate) use duration::parse as parse_duration;
pub use errors::{ConfigError, ConfigErrors};
pub use middleware::MiddlewareConfig;
pub use multi::{BreakerConfig, MultiConfig};
pub use origin::Origin;
pub use overrides::OverrideConfig;
#[cfg(feature = "config-reload")]
pub use reload::{Reloaded, Reloader};
pub use rule::{RuleConfig, TiersConfig};
pub use secret::Secret;
pub use serve::{Proxy, ServeConfig};
pub use settings::Config;
