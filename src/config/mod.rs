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

use std::{ffi::OsString, path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use self::provenance::{Place, Provenance, Sources};
use crate::{Algorithm, Headers, LogKeys, MemoryBackend, MissingAddress, OnError, Rate};

mod backend;
mod build;
mod check;
mod client_ip;
mod condition;
mod duration;
mod env;
mod errors;
mod limits;
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

/// Everything that can be configured without code.
///
/// Serialized it is what applies, defaults included, with secrets masked.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// Whether anything is limited at all; true by default.
    pub enabled: bool,
    /// The backend of limits that name none; the first one by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The algorithm of limits that name none; sliding window by default.
    #[serde(serialize_with = "show::text")]
    pub algorithm: Algorithm,
    /// The rate of limits that name none; `100/m` by default.
    #[serde(serialize_with = "show::text")]
    pub default_rate: Rate,
    /// What every storage key begins with; `ratelimit:` by default.
    pub key_prefix: String,
    /// What happens when a store cannot decide; `local` by default.
    #[serde(serialize_with = "show::on_error")]
    pub on_error: OnError,
    /// How long a store may take to answer, 1 ms to 10 s; 100 ms by default.
    #[serde(serialize_with = "show::duration")]
    pub deadline: Duration,
    /// Most states that are kept in memory while stores are away, 1 to a billion; a million by default.
    pub local_max_keys: usize,
    /// Among how many instances of the application limits are divided while a store is away, 1 to
    /// 100,000; 1 by default.
    pub local_share: u32,
    /// The header profiles of responses; both by default.
    #[serde(serialize_with = "show::headers")]
    pub headers: Headers,
    /// What happens where a client has no address; `shared` by default.
    #[serde(serialize_with = "show::missing")]
    pub missing_address: MissingAddress,
    /// How keys appear in logs: `hashed`, the default, `plain` or `omitted`.
    #[serde(serialize_with = "show::log_keys")]
    pub log_keys: LogKeys,
    /// How often refusals by one limit are logged, 0 ms to 1 d; 1 s by default, and 0 ms for all.
    #[serde(serialize_with = "show::duration")]
    pub log_every: Duration,
    /// A database backend whose table of configuration has further overrides; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides_from: Option<String>,
    /// How often that is read, 100 ms to 1 d; 10 s by default.
    #[serde(serialize_with = "show::duration")]
    pub overrides_interval: Duration,
    /// Backends by name; one in memory, of that name, if there are none.
    #[serde(serialize_with = "show::table", skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<(String, BackendConfig)>,
    /// When a backend that fails is given up, and when it is asked again.
    pub breaker: BreakerConfig,
    /// How the address of a client is found.
    pub client_ip: ClientIpConfig,
    /// What the middleware limits.
    pub middleware: MiddlewareConfig,
    /// The service that decides for proxies.
    pub serve: ServeConfig,
    /// Other rates for some keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideConfig>,
    #[serde(skip)]
    provenance: Provenance,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            backend: None,
            algorithm: Algorithm::default(),
            default_rate: Rate::per_minute(100),
            key_prefix: "ratelimit:".to_owned(),
            on_error: OnError::default(),
            deadline: Duration::from_millis(100),
            local_max_keys: MemoryBackend::DEFAULT_MAX_KEYS,
            local_share: 1,
            headers: Headers::default(),
            missing_address: MissingAddress::default(),
            log_keys: LogKeys::default(),
            log_every: Duration::from_secs(1),
            overrides_from: None,
            overrides_interval: Duration::from_secs(10),
            backends: Vec::new(),
            breaker: BreakerConfig::default(),
            client_ip: ClientIpConfig::default(),
            middleware: MiddlewareConfig::default(),
            serve: ServeConfig::default(),
            overrides: Vec::new(),
            provenance: Provenance::default(),
        }
    }
}

impl Config {
    /// The file that the variable `RATELIMIT_CONFIG` names, or defaults if there is no such variable,
    /// with the variables of the environment over it.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn discover() -> Result<Self, ConfigErrors> {
        match std::env::var_os(env::FILE) {
            Some(path) => Self::load(path),
            None => Self::of(Sources::new(Place::Text("".into()), std::env::vars_os())),
        }
    }

    /// A file, with the variables of the environment over it.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        Self::load_with(path, std::env::vars_os())
    }

    /// A file, with these variables over it.
    ///
    /// # Errors
    /// Everything that is wrong in either.
    pub fn load_with(
        path: impl AsRef<Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigErrors> {
        Self::of(Sources::new(Place::File(path.as_ref().to_owned()), variables))
    }

    /// A TOML document, without any variable.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn from_toml_str(text: &str) -> Result<Self, ConfigErrors> {
        Self::of(Sources::new(Place::Text(text.into()), []))
    }

    /// What looks like a slip but may be meant.
    pub fn warnings(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.provenance.warnings.iter()
    }

    /// Where a field was written, by its path, such as `middleware.rules[0].rate`.
    #[must_use]
    pub fn origin(&self, field: &str) -> &Origin {
        self.provenance.origins.get(field).unwrap_or(&Origin::Unwritten)
    }

    /// What applies, defaults included, as a TOML document with secrets masked.
    ///
    /// # Errors
    /// Never for what was read; names with which TOML cannot be written otherwise.
    pub fn to_toml_string(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The file that it was read from, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.provenance.sources.path()
    }

    fn of(sources: Sources) -> Result<Self, ConfigErrors> {
        let text = sources.text().unwrap_or_else(|| Ok(String::new()));
        let fingerprint = provenance::fingerprint(&text);
        let mut config = Self::layered(sources, &text?)?;
        config.provenance.as_read = Some(Arc::new(config.clone()));
        config.provenance.fingerprint = fingerprint;
        Ok(config)
    }

    fn layered(sources: Sources, text: &str) -> Result<Self, ConfigErrors> {
        let mut table = match node::parse(text, sources.path()) {
            Ok(table) => table,
            Err(errors) => {
                ConfigErrors::of(errors)?;
                node::Table::default()
            }
        };
        let found = env::overlay(&mut table, sources.variables());
        Self::read(table, found, sources)
    }

    fn read(table: node::Table, found: env::Found, sources: Sources) -> Result<Self, ConfigErrors> {
        let mut reader = read::Reader { errors: found.errors, ..read::Reader::default() };
        let mut config = reader.read(table, Self::read_section);
        config.provenance = Provenance {
            sources,
            origins: reader.origins,
            warnings: found.warnings,
            ..Provenance::default()
        };
        let mut errors = reader.errors;
        errors.extend(config.wrong());
        ConfigErrors::of(errors)?;
        Ok(config)
    }

    fn read_section(section: &mut read::Section<'_>) -> Self {
        let default = Self::default();
        let deadlines = Duration::from_millis(1)..=Duration::from_secs(10);
        let pauses = Duration::ZERO..=Duration::from_secs(86_400);
        let intervals = Duration::from_millis(100)..=Duration::from_secs(86_400);
        Self {
            enabled: section.get("enabled", default.enabled),
            backend: section.optional("backend"),
            algorithm: section.get("algorithm", default.algorithm),
            default_rate: section.get("default_rate", default.default_rate),
            key_prefix: section.get("key_prefix", default.key_prefix),
            on_error: section.get("on_error", default.on_error),
            deadline: section.duration("deadline", deadlines).unwrap_or(default.deadline),
            local_max_keys: section
                .number("local_max_keys", 1..=1_000_000_000)
                .unwrap_or(default.local_max_keys),
            local_share: section.number("local_share", 1..=100_000).unwrap_or(default.local_share),
            headers: section
                .list("headers")
                .map_or(default.headers, |profiles| words::Profile::headers(&profiles)),
            missing_address: section.get("missing_address", default.missing_address),
            log_keys: section.get("log_keys", default.log_keys),
            log_every: section.duration("log_every", pauses).unwrap_or(default.log_every),
            overrides_from: section.optional("overrides_from"),
            overrides_interval: section
                .duration("overrides_interval", intervals)
                .unwrap_or(default.overrides_interval),
            backends: section.named("backends", BackendConfig::read),
            breaker: section.table("breaker", BreakerConfig::read).unwrap_or_default(),
            client_ip: section.table("client_ip", ClientIpConfig::read).unwrap_or_default(),
            middleware: section.table("middleware", MiddlewareConfig::read).unwrap_or_default(),
            serve: section.table("serve", ServeConfig::read).unwrap_or_default(),
            overrides: section.each("overrides", OverrideConfig::read),
            provenance: Provenance::default(),
        }
    }
}

/// Reads a configuration that is part of another document; its errors have no lines then.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = node::Table::of(toml::Table::deserialize(deserializer)?);
        Self::read(table, env::Found::default(), Sources::default()).map_err(D::Error::custom)
    }
}
