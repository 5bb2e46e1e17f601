//! Overrides are read again and again from where they are stored.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::stored;
use crate::{
    Error, Event, EventKind,
    backend::{BackendError, ErrorKind, Fate, OverrideSource},
    limiter::{RateLimiter, Shared},
};

/// How long a source may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What events about overrides name instead of a scope.
const SCOPE: &str = "overrides";

/// What was told last, so that nothing is told twice.
#[derive(Default)]
struct Told {
    faults: Vec<Error>,
    is_away: bool,
}

impl RateLimiter {
    /// Reads overrides from a source and puts them in force. Rows that cannot be understood are left
    /// out, and what is wrong with them is returned.
    ///
    /// # Errors
    /// When the source cannot be read within ten seconds; the overrides in force stay.
    pub async fn load_overrides(
        &self,
        source: &dyn OverrideSource,
    ) -> Result<Vec<Error>, BackendError> {
        let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::NotCharged));
        let rows = timeout(PATIENCE, source.overrides()).await.unwrap_or_else(late)?;
        let (overrides, mut faults) = stored::read(&rows, &self.0.settings.key_prefix);
        if overrides != self.overrides() {
            let count = overrides.len();
            match self.set_overrides(overrides) {
                Ok(()) => tracing::info!(count, "rate limit overrides changed"),
                Err(fault) => faults.push(fault),
            }
        }
        Ok(faults)
    }

    /// A task that reads overrides from a source now and then at every interval: hand it to a runtime.
    /// A change is in force no later than one interval after it was stored. It ends with the limiter.
    ///
    /// Faulty rows and a source that is away are told once, when they become so, by
    /// [`EventKind::OverrideSkipped`] and [`EventKind::OverridesAway`]; what was read last stays in
    /// force.
    ///
    /// ```no_run
    /// # use std::{sync::Arc, time::Duration};
    /// # use actix_smart_ratelimit::{RateLimiter, backend::database::DatabaseBackend};
    /// # fn start() -> Result<(), actix_smart_ratelimit::Error> {
    /// let database = Arc::new(DatabaseBackend::connect("sqlite:///var/lib/app/limits.sqlite")?);
    /// let limiter = RateLimiter::builder().backend("database", database.clone()).build()?;
    /// actix_web::rt::spawn(limiter.follow_overrides(database, Duration::from_secs(10)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow_overrides(
        &self,
        source: impl OverrideSource,
        every: Duration,
    ) -> impl Future<Output = ()> + Send + 'static {
        follow(Arc::downgrade(&self.0), source, every)
    }

    fn tell(&self, told: &mut Told, read: Result<Vec<Error>, BackendError>) {
        match read {
            Ok(faults) => {
                if std::mem::take(&mut told.is_away) {
                    tracing::info!("rate limit overrides can be read again");
                }
                for fault in faults.iter().filter(|fault| !told.faults.contains(fault)) {
                    self.emit(&Event::override_skipped(SCOPE, fault));
                }
                told.faults = faults;
            }
            Err(error) if !told.is_away => {
                told.is_away = true;
                self.emit(&Event::new(EventKind::OverridesAway, SCOPE, None, Some(&error)));
            }
            Err(_) => {}
        }
    }
}

async fn follow(limiter: Weak<Shared>, source: impl OverrideSource, every: Duration) {
    let mut told = Told::default();
    while let Some(shared) = limiter.upgrade() {
        let limiter = RateLimiter(shared);
        let read = limiter.load_overrides(&source).await;
        limiter.tell(&mut told, read);
        drop(limiter);
        sleep(every).await;
    }
}
