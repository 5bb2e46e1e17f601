//! The Redis backend of a configuration.

use super::super::{RedisConfig, RedisPlace, Secret};
use crate::{
    Error,
    backend::redis::{RedisBackend, RedisBuilder},
};

impl RedisConfig {
    pub(in super::super) fn check(&self) -> Result<(), Error> {
        self.builder()?.check()
    }

    /// The backend, without leases. It connects when it is first asked.
    ///
    /// # Errors
    /// When a URL is malformed, a file of certificates cannot be read, or the build lacks a
    /// feature.
    pub fn build(&self) -> Result<RedisBackend, Error> {
        self.builder()?.build()
    }

    fn builder(&self) -> Result<RedisBuilder, Error> {
        let mut builder = match &self.place {
            RedisPlace::Standalone { url } => RedisBackend::builder(url.expose()),
            RedisPlace::Sentinel { master, sentinels, user, password, database } => {
                let urls = sentinels.iter().map(Secret::expose);
                let mut builder = RedisBackend::sentinel(master, urls).database(*database);
                if let Some(password) = password {
                    builder = builder.login(user.as_deref(), password.expose());
                }
                builder
            }
            #[cfg(feature = "redis-cluster")]
            RedisPlace::Cluster { nodes } => {
                RedisBackend::cluster(nodes.iter().map(Secret::expose))
            }
            #[cfg(not(feature = "redis-cluster"))]
            RedisPlace::Cluster { .. } => {
                let remedy = "enable the feature redis-cluster of actix-smart-ratelimit";
                return Err(Error::new("nodes", "", "clusters are not built in", remedy));
            }
        };
        let remote = &self.remote;
        if let Some(deadline) = remote.deadline {
            builder = builder.deadline(deadline);
        }
        if let Some(deadline) = remote.connect_deadline {
            builder = builder.connect_deadline(deadline);
        }
        if let Some(most) = remote.connections {
            builder = builder.connections(most);
        }
        if let Some(entries) = remote.denial_cache {
            builder = builder.denial_cache(entries);
        }
        self.with_certificates(builder)
    }

    #[cfg(not(feature = "redis-tls"))]
    fn with_certificates(&self, builder: RedisBuilder) -> Result<RedisBuilder, Error> {
        let files = [("ca_file", &self.ca_file), ("cert_file", &self.cert_file)];
        match files.into_iter().find(|(_, file)| file.is_some()) {
            None => Ok(builder),
            Some((field, _)) => {
                let remedy = "enable the feature redis-tls of actix-smart-ratelimit";
                Err(Error::new(field, "", "encrypted connections are not built in", remedy))
            }
        }
    }

    #[cfg(feature = "redis-tls")]
    fn with_certificates(&self, builder: RedisBuilder) -> Result<RedisBuilder, Error> {
        let read = |field: &'static str, path: &Option<std::path::PathBuf>| {
            let read = path.as_ref().map(|path| {
                std::fs::read(path).map_err(|error| {
                    let reason = format!("it cannot be read: {error}");
                    let remedy = "name a PEM file that this process may read";
                    Error::new(field, path.to_string_lossy(), reason, remedy)
                })
            });
            read.transpose()
        };
        let authority = read("ca_file", &self.ca_file)?;
        let certificate = read("cert_file", &self.cert_file)?;
        let key = read("key_file", &self.key_file)?;
        let client = certificate.as_deref().zip(key.as_deref());
        Ok(match (&authority, client) {
            (None, None) => builder,
            (authority, client) => builder.certificates(authority.as_deref(), client),
        })
    }
}
