//! The backends of a configuration.

use std::sync::Arc;

use super::super::{BackendConfig, Config, ConfigErrors, MultiConfig, RemoteConfig};
use crate::{
    Error, MemoryBackend,
    backend::{Backend, multi::MultiBackend, wrap::Leases},
};

/// A backend and its name.
pub type NamedBackend = (String, Arc<dyn Backend>);
/// Backends and their names, in the order of the file.
pub type NamedBackends = Vec<NamedBackend>;

impl Config {
    /// Every backend by its name, those first that have no members.
    ///
    /// # Errors
    /// When some cannot be made.
    pub fn build_backends(&self) -> Result<NamedBackends, ConfigErrors> {
        let mut built = NamedBackends::new();
        let mut wrong = Vec::new();
        let is_multi = |backend: &BackendConfig| matches!(backend, BackendConfig::Multi(_));
        let (multis, others): (Vec<_>, Vec<_>) =
            self.backends.iter().partition(|(_, backend)| is_multi(backend));
        for (name, config) in others.into_iter().chain(multis) {
            match config.build(&built) {
                Ok(backend) => built.push((name.clone(), backend)),
                Err(error) => {
                    let path = format!("backends.{name}.{}", error.field());
                    wrong.push(self.error_at(path, error));
                }
            }
        }
        ConfigErrors::of(wrong)?;
        // The first one in the file is the default.
        let place = |name: &String| self.backends.iter().position(|(known, _)| known == name);
        built.sort_by_key(|(name, _)| place(name));
        Ok(built)
    }
}

impl BackendConfig {
    /// The backend, of which members are among `built`.
    fn build(&self, built: &[NamedBackend]) -> Result<Arc<dyn Backend>, Error> {
        match self {
            Self::Multi(multi) => Ok(Arc::new(multi.build(built)?)),
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

impl MultiConfig {
    /// The backend, of which members are among `built`.
    ///
    /// # Errors
    /// When a member is not among them.
    pub fn build(&self, built: &[NamedBackend]) -> Result<MultiBackend, Error> {
        let mut builder =
            MultiBackend::builder().strategy(self.strategy).breaker(self.breaker.settings());
        for name in &self.members {
            let Some((_, member)) = built.iter().find(|(known, _)| known == name) else {
                let remedy = format!("write [backends.{name}] and its fields below");
                return Err(Error::new("members", name, "there is no such backend", remedy));
            };
            builder = builder.member(name, member.clone());
        }
        if let Some(deadline) = self.deadline {
            builder = builder.deadline(deadline);
        }
        if let Some(deadline) = self.member_deadline {
            builder = builder.member_deadline(deadline);
        }
        if let Some(interval) = self.probe_interval {
            builder = builder.probe_interval(interval);
        }
        if let Some(deadline) = self.probe_deadline {
            builder = builder.probe_deadline(deadline);
        }
        builder.build()
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
impl super::super::RedisConfig {
    pub(in super::super) fn check(&self) -> Result<(), Error> {
        Err(lacks("redis"))
    }
}

#[cfg(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
impl super::super::DatabaseConfig {
    pub(in super::super) fn check(&self) -> Result<(), Error> {
        Err(lacks("postgres, mysql or sqlite"))
    }

    pub(super) fn override_source(&self) -> Result<Arc<dyn crate::backend::OverrideSource>, Error> {
        Err(lacks("postgres, mysql or sqlite"))
    }
}
