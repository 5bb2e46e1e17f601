//! What can be configured, at the top level.

use std::time::Duration;

use serde::Serialize;

use super::{
    BackendConfig, BreakerConfig, ClientIpConfig, MiddlewareConfig, OverrideConfig, ServeConfig,
    provenance::Provenance, read::Section, show, words,
};
use crate::{Algorithm, Headers, LogKeys, MemoryBackend, MissingAddress, OnError, Rate};

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
    pub(super) provenance: Provenance,
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
    pub(super) fn read_section(section: &mut Section<'_>) -> Self {
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
