//! From a configuration to what it describes.

use super::{BackendConfig, Config, ConfigErrors, OverrideConfig};
use crate::{Error, Override, RateLimit, RateLimiter, backend::BoxFuture};

mod backends;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod database;
#[cfg(feature = "redis")]
mod redis;

pub use backends::{NamedBackend, NamedBackends};

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
            .breaker(config.breaker.settings())
            .local_max_keys(config.local_max_keys)
            .local_share(config.local_share)
            .headers(config.headers)
            .log_keys(config.log_keys)
            .log_every(config.log_every)
            .missing_address(config.missing_address);
        match config.client_ip.rules() {
            Ok(rules) => builder = builder.client_ip(rules),
            Err(error) => wrong.push(config.error_at(error.field().to_owned(), error)),
        }
        if let Some(name) = &config.backend {
            builder = builder.default_backend(name);
        }
        ConfigErrors::of(wrong)?;
        for (name, backend) in config.build_backends()? {
            builder = builder.shared_backend(name, backend);
        }
        let limiter = builder.build().map_err(|error| config.one(error))?;
        limiter.override_from(config)?;
        Ok(limiter)
    }

    /// Puts the overrides of a configuration in force.
    fn override_from(&self, config: &Config) -> Result<(), ConfigErrors> {
        if config.overrides_from.is_some() {
            return Ok(());
        }
        self.set_overrides(config.overrides()?).map_err(|error| config.one(error))
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
    /// A task that reads overrides now and then from where `overrides_from` says, if it says anything:
    /// hand it to a runtime. It ends with the limiter.
    ///
    /// # Errors
    /// When that database backend cannot be made.
    pub fn follow_overrides(
        &self,
        limiter: &RateLimiter,
    ) -> Result<Option<BoxFuture<()>>, ConfigErrors> {
        let Some(name) = &self.overrides_from else { return Ok(None) };
        let mut databases = self.backends.iter().filter_map(|(known, backend)| match backend {
            BackendConfig::Database(database) if known == name => Some(database),
            _ => None,
        });
        let source = match databases.next() {
            Some(database) => database.override_source(),
            None => {
                let remedy = "name a backend of kind \"database\"";
                Err(Error::new("overrides_from", name, "it is no database", remedy))
            }
        };
        let source = source.map_err(|error| self.one(error))?;
        Ok(Some(Box::pin(limiter.follow_overrides(source, self.overrides_interval))))
    }

    /// The overrides that it names itself.
    pub(super) fn overrides(&self) -> Result<Vec<Override>, ConfigErrors> {
        let overrides = self.overrides.iter().map(OverrideConfig::to_override);
        overrides.collect::<Result<_, _>>().map_err(|error| self.one(error))
    }

    pub(crate) fn one(&self, error: Error) -> ConfigErrors {
        let found = self.error_at(error.field().to_owned(), error);
        ConfigErrors::one(found.origin().clone(), found.into())
    }
}
