//! How a limiter is made.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use actix_smart_ratelimit_core::nearest;

use super::{Event, LogKeys, RateLimiter, observe::Logging};
use crate::{
    Algorithm, Clock, Error, MemoryBackend, Rate,
    backend::{Backend, multi::BreakerSettings},
    net::ClientIp,
};

/// What happens to a request when its store cannot decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The same limits are kept by this process alone, in memory.
    #[default]
    Local,
    /// It passes.
    Allow,
    /// It is answered with 503 and `Retry-After`.
    Deny,
}

/// What happens to a request that is limited by address and whose client has none, as behind a Unix
/// socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissingAddress {
    /// All such requests share one counter, and a warning says so once. The default: neither an
    /// open door nor, on a quiet site, an outage.
    #[default]
    Shared,
    /// It is refused.
    Refuse,
    /// It is not limited.
    Allow,
}

/// Which header fields responses carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Headers {
    /// The customary ones: `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    pub legacy: bool,
    /// Those of the IETF draft: the policy and the current state, as structured fields.
    pub ietf: bool,
}

impl Headers {
    /// Both profiles.
    pub const ALL: Self = Self { legacy: true, ietf: true };
    /// The customary profile alone.
    pub const LEGACY: Self = Self { legacy: true, ietf: false };
    /// The IETF profile alone.
    pub const IETF: Self = Self { legacy: false, ietf: true };
    /// No header fields, except `Retry-After` on refusals.
    pub const NONE: Self = Self { legacy: false, ietf: false };
}

impl Default for Headers {
    fn default() -> Self {
        Self::ALL
    }
}

/// The name of the backend that a limiter without any gets.
pub(super) const IN_MEMORY: &str = "memory";

pub(super) type Listener = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) enabled: bool,
    pub(super) algorithm: Algorithm,
    pub(super) default_rate: Rate,
    pub(super) key_prefix: String,
    pub(super) on_error: OnError,
    pub(super) deadline: Duration,
    pub(super) breaker: BreakerSettings,
    pub(super) local_max_keys: usize,
    pub(super) local_share: NonZeroU32,
    pub(super) headers: Headers,
    pub(super) client_ip: ClientIp,
    pub(super) missing_address: MissingAddress,
    pub(super) clock: Clock,
    pub(super) logging: Logging,
    pub(super) on_event: Option<Listener>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            algorithm: Algorithm::SlidingWindow,
            default_rate: Rate::per_minute(100),
            key_prefix: "ratelimit:".to_owned(),
            on_error: OnError::Local,
            deadline: Duration::from_millis(100),
            breaker: BreakerSettings::default(),
            local_max_keys: MemoryBackend::DEFAULT_MAX_KEYS,
            local_share: NonZeroU32::MIN,
            headers: Headers::ALL,
            client_ip: ClientIp::default(),
            missing_address: MissingAddress::Shared,
            clock: Clock::System,
            logging: Logging::default(),
            on_event: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("enabled", &self.enabled)
            .field("algorithm", &self.algorithm)
            .field("default_rate", &self.default_rate)
            .field("key_prefix", &self.key_prefix)
            .field("on_error", &self.on_error)
            .field("breaker", &self.breaker)
            .field("headers", &self.headers)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`RateLimiter`], checked by [`build`](Self::build).
#[derive(Clone, Default)]
#[must_use]
pub struct RateLimiterBuilder {
    settings: Settings,
    backends: Vec<(String, Arc<dyn Backend>)>,
    default_backend: Option<String>,
}

impl RateLimiterBuilder {
    /// Registers a backend under a name. The first one is the default. Without any, a memory
    /// backend of a million keys is registered as `memory`.
    pub fn backend(mut self, name: impl Into<String>, backend: impl Backend) -> Self {
        self.backends.push((name.into(), Arc::new(backend)));
        self
    }

    /// Registers a backend of any kind that others may hold too.
    pub fn shared_backend(mut self, name: impl Into<String>, backend: Arc<dyn Backend>) -> Self {
        self.backends.push((name.into(), backend));
        self
    }

    /// The backend of limits that name none; the first registered one by default.
    pub fn default_backend(mut self, name: impl Into<String>) -> Self {
        self.default_backend = Some(name.into());
        self
    }

    /// Whether anything is limited at all; true by default. When false, no store is touched.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// The algorithm of limits that name none; sliding window by default, the exact one.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.settings.algorithm = algorithm;
        self
    }

    /// The rate of limits that name none; `100/m` by default.
    pub fn default_rate(mut self, rate: Rate) -> Self {
        self.settings.default_rate = rate;
        self
    }

    /// What every storage key begins with; `ratelimit:` by default. One visible ASCII word.
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.key_prefix = prefix.into();
        self
    }

    /// What happens when a store cannot decide; [`OnError::Local`] by default.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.settings.on_error = on_error;
        self
    }

    /// How long a store may take to answer; 100 ms by default, at least 1 ms. Then `on_error`
    /// decides.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// When a backend that fails is given up, and when it is asked again; see [`BreakerSettings`] for
    /// the defaults. While it is given up `on_error` decides at once. A
    /// [`MultiBackend`](crate::backend::multi::MultiBackend) has its own settings, for each member.
    pub fn breaker(mut self, settings: BreakerSettings) -> Self {
        self.settings.breaker = settings;
        self
    }

    /// Most states that are kept in memory while stores are away; a million by default, at least 1.
    pub fn local_max_keys(mut self, keys: usize) -> Self {
        self.settings.local_max_keys = keys;
        self
    }

    /// Divides limits among so many instances of the application while a store is away and each of them
    /// counts by itself; 1 by default, which keeps them whole. Divided limits are rounded up, see
    /// [`Policy::share`](crate::Policy::share). A request that costs more than its part is then
    /// refused.
    pub fn local_share(mut self, instances: u32) -> Self {
        self.settings.local_share = NonZeroU32::new(instances).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// The header profiles of responses; both by default.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.settings.headers = headers;
        self
    }

    /// How the address of a client is found; by default it is the peer's, whatever headers say.
    pub fn client_ip(mut self, rules: ClientIp) -> Self {
        self.settings.client_ip = rules;
        self
    }

    /// What happens where a client has no address; [`MissingAddress::Shared`] by default.
    pub fn missing_address(mut self, missing: MissingAddress) -> Self {
        self.settings.missing_address = missing;
        self
    }

    /// The clock of the memory backend and of headers; the system's by default.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// How keys appear in logs; [`LogKeys::Hashed`] by default.
    pub fn log_keys(mut self, keys: LogKeys) -> Self {
        self.settings.logging.keys = keys;
        self
    }

    /// How often refusals by one limit are logged: the first, and then one in every interval, with the
    /// number of those that were left out. One second by default; `ZERO` logs every refusal.
    pub fn log_every(mut self, interval: Duration) -> Self {
        self.settings.logging.every = interval;
        self
    }

    /// Calls `listener` on every event: refusals, what a shadow limit would have refused, a store
    /// that is away. It runs on the worker's thread, so it must not block.
    pub fn on_event(mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(listener));
        self
    }

    /// The limiter.
    ///
    /// # Errors
    /// When the prefix is not one visible ASCII word, two backends share a name, or the default
    /// backend is not registered.
    pub fn build(self) -> Result<RateLimiter, Error> {
        let prefix = &self.settings.key_prefix;
        let wrong = |byte: u8| !byte.is_ascii_graphic() || b"*{}?[]\\".contains(&byte);
        if prefix.len() > 64 || prefix.bytes().any(wrong) {
            let reason = "it is over 64 bytes, or has white space or one of * ? [ ] { } \\";
            return Err(Error::new(
                "key_prefix",
                prefix,
                reason,
                "use a word such as \"ratelimit:\"",
            ));
        }
        for (index, (name, _)) in self.backends.iter().enumerate() {
            if self.backends[..index].iter().any(|(other, _)| other == name) {
                let reason = "two backends have this name";
                return Err(Error::new("backends", name, reason, "rename one of them"));
            }
        }
        let default_backend = match &self.default_backend {
            None => 0,
            Some(name) if self.backends.is_empty() && name == IN_MEMORY => 0,
            Some(name) => find_backend("default_backend", name, &self.backends)?,
        };
        Ok(RateLimiter::from_parts(self.settings, self.backends, default_backend))
    }
}

impl fmt::Debug for RateLimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiterBuilder")
            .field("settings", &self.settings)
            .field("default_backend", &self.default_backend)
            .finish_non_exhaustive()
    }
}

/// Position of a registered backend.
pub(super) fn find_backend(
    field: &'static str,
    name: &str,
    backends: &[(String, Arc<dyn Backend>)],
) -> Result<usize, Error> {
    if let Some(index) = backends.iter().position(|(known, _)| known == name) {
        return Ok(index);
    }
    let names: Vec<_> = backends.iter().map(|(name, _)| name.as_str()).collect();
    let meant = nearest(name, names.iter().copied());
    let known = match (meant, &*names) {
        (Some(meant), _) => format!("did you mean \"{meant}\"?"),
        (None, []) => format!("none is registered, so there is only \"{IN_MEMORY}\""),
        (None, names) => format!("registered are: {}", names.join(", ")),
    };
    Err(Error::new(field, name, "there is no backend of this name", known))
}
