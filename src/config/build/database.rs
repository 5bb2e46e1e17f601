//! The database backend of a configuration.

use std::sync::Arc;

use super::super::DatabaseConfig;
use crate::{
    Error,
    backend::OverrideSource,
    backend::database::{DatabaseBackend, DatabaseBuilder},
};

impl DatabaseConfig {
    pub(in super::super) fn check(&self) -> Result<(), Error> {
        DatabaseBuilder::check_url(self.url.expose())
    }

    /// Its table of overrides, over a connection of its own.
    pub(in super::super) fn override_source(&self) -> Result<Arc<dyn OverrideSource>, Error> {
        let mut alone = self.clone();
        alone.remote.connections = Some(1);
        Ok(Arc::new(alone.build()?))
    }

    /// The backend, without leases. It connects when it is first asked.
    ///
    /// # Errors
    /// When the URL is none of a database, the build lacks a feature, or there can be no more
    /// threads.
    pub fn build(&self) -> Result<DatabaseBackend, Error> {
        let mut builder = DatabaseBackend::builder(self.url.expose());
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
        builder.build()
    }
}
