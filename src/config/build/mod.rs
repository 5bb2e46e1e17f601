//! From a configuration to what it describes.

use std::sync::Arc;

use super::{BackendConfig, Config, ConfigErrors, RemoteConfig};
use crate::{
    Error, MemoryBackend, RateLimit, RateLimiter,
    backend::{Backend, wrap::Leases},
};

#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod database;
#[cfg(feature = "redis")]
mod redis;

impl RateLimiter {
    /// A limiter as configured. Backends connect when they are first asked.
    ///
    /// # Errors
    /// Everything that cannot work as it is written.
    pub fn from_config(config: &Config) -> Result<Self, ConfigErrors> {
        let mut wrong = config.wrong();
        let mut builder = Self::builder()
            .enabled(config.enabled)
            .algorithm(config.algorithm)
            .default_rate(config.default_rate)
            .key_prefix(&config.key_prefix)
            .on_error(config.on_error)
            .deadline(config.deadline)
            .headers(config.headers)
            .missing_address(config.missing_address);
        match config.client_ip.rules() {
            Ok(rules) => builder = builder.client_ip(rules),
            Err(error) => wrong.push(config.error_at(error.field().to_owned(), error)),
        }
        if let Some(name) = &config.backend {
            builder = builder.default_backend(name);
        }
        ConfigErrors::of(wrong)?;
        let mut wrong = Vec::new();
        for (name, backend) in &config.backends {
            match backend.build() {
                Ok(backend) => builder = builder.shared_backend(name, backend),
                Err(error) => {
                    let path = format!("backends.{name}.{}", error.field());
                    wrong.push(config.error_at(path, error));
                }
            }
        }
        ConfigErrors::of(wrong)?;
        let built = builder.build();
        built.map_err(|error| config.one(error))
    }

    /// A middleware of this limiter as configured; rules without rate, algorithm or `on_error` have
    /// those of the configuration.
    ///
    /// # Errors
    /// When a rule cannot work as it is written, or this limiter lacks a backend that it names.
    pub fn middleware_from(&self, config: &Config) -> Result<RateLimit, ConfigErrors> {
        ConfigErrors::of(config.wrong())?;
        let middleware = config.middleware.middleware(self, &config.defaults());
        let middleware = middleware.map_err(|error| config.one(error))?;
        middleware.validate().map_err(|error| config.one(error))?;
        Ok(middleware)
    }
}

impl Config {
    fn one(&self, error: Error) -> ConfigErrors {
        let found = self.error_at(error.field().to_owned(), error);
        ConfigErrors::one(found.origin().clone(), found.into())
    }
}

impl BackendConfig {
    /// The backend. It connects when it is first asked.
    ///
    /// # Errors
    /// When a URL is malformed, a file of certificates cannot be read, or the build lacks a feature.
    pub fn build(&self) -> Result<Arc<dyn Backend>, Error> {
        match self {
            Self::Memory(memory) => Ok(Arc::new(MemoryBackend::new(memory.max_keys))),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => Ok(redis.remote.leased(redis.build()?)),
            #[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
            Self::Database(database) => Ok(database.remote.leased(database.build()?)),
            #[cfg(not(all(
                feature = "redis",
                any(feature = "postgres", feature = "mysql", feature = "sqlite")
            )))]
            other => match other {
                Self::Redis(_) => Err(lacks("redis")),
                _ => Err(lacks("postgres, mysql or sqlite")),
            },
        }
    }
}

impl RemoteConfig {
    /// The backend, and leases around it if they are configured.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "no backend has a server"))]
    fn leased(&self, backend: impl Backend) -> Arc<dyn Backend> {
        let Some(lot) = self.lease else { return Arc::new(backend) };
        let mut leases = Leases::around(backend, lot);
        if let Some(lifetime) = self.lease_lifetime {
            leases = leases.lifetime(lifetime);
        }
        if let Some(keys) = self.lease_max_keys {
            leases = leases.max_keys(keys);
        }
        Arc::new(leases)
    }
}

/// This build cannot have a backend of this kind.
#[allow(dead_code, reason = "every kind may be built in")]
fn lacks(feature: &str) -> Error {
    let remedy = format!("enable the feature {feature} of actix-smart-ratelimit");
    Error::new("kind", "", "this kind of backend is not built in", remedy)
}

#[cfg(not(feature = "redis"))]
impl super::RedisConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        Err(lacks("redis"))
    }
}

#[cfg(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
impl super::DatabaseConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        Err(lacks("postgres, mysql or sqlite"))
    }
}
