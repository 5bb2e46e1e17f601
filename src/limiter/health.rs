//! How the stores of a limiter are, asked in a bounded time.

use std::{sync::Arc, time::Duration};

use futures_util::future::{FutureExt, Shared, join_all};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::RateLimiter;
use crate::{
    Clock, Timestamp,
    backend::{BackendError, BoxFuture, ErrorKind, Fate, Health},
};

/// What a health check found of every backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HealthReport {
    /// In the order in which they were registered.
    pub backends: Vec<BackendHealth>,
}

/// What a health check found of one backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendHealth {
    /// Its name.
    pub name: String,
    /// Whether it is the one of limits that name none.
    pub is_default: bool,
    /// How it is, or why it cannot decide.
    pub found: Result<Health, BackendError>,
}

impl HealthReport {
    /// Whether every backend can decide.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.backends.iter().all(|backend| backend.found.is_ok())
    }

    /// The report as a JSON object:
    /// `{"healthy": true, "backends": [{"name": "main", "default": true, "healthy": true,
    /// "round_trip_micros": 211, "warnings": [], "error": null}]}`. Where a backend is not healthy,
    /// `error` has a `kind` and a `message` without addresses or credentials, and the round trip is
    /// `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let backends: Vec<_> = self.backends.iter().map(BackendHealth::to_json).collect();
        json!({ "healthy": self.is_healthy(), "backends": backends })
    }
}

impl BackendHealth {
    /// What [`HealthReport::to_json`] tells of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (round_trip, warnings, error) = match &self.found {
            Ok(health) => (json!(health.round_trip_micros), json!(health.warnings), Value::Null),
            Err(error) => {
                let message = error.kind().to_string();
                let error = json!({ "kind": error.kind().name(), "message": message });
                (Value::Null, json!([]), error)
            }
        };
        json!({
            "name": self.name,
            "default": self.is_default,
            "healthy": self.found.is_ok(),
            "round_trip_micros": round_trip,
            "warnings": warnings,
            "error": error,
        })
    }
}

impl RateLimiter {
    /// Makes a round trip to every backend, to all at once. One that has not answered by the deadline
    /// is reported as timed out. Asked for often, use a [`HealthCheck`].
    pub async fn health(&self, deadline: Duration) -> HealthReport {
        let ask =
            |(index, (name, backend)): (usize, &(String, Arc<dyn crate::backend::Backend>))| {
                let (name, is_default) = (name.clone(), index == self.0.default_backend);
                let answer = timeout(deadline, backend.health());
                async move {
                    let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::NotCharged));
                    let found = answer.await.unwrap_or_else(late);
                    #[cfg(feature = "metrics")]
                    super::meters::record_health(&name, &found);
                    BackendHealth { name, is_default, found }
                }
            };
        let backends = join_all(self.0.backends.iter().enumerate().map(ask)).await;
        HealthReport { backends }
    }
}

/// Health checks of a limiter's stores for everybody who asks: stores are asked at most once in a
/// while, however many requests come. Clones share what was found.
///
/// It answers for the stores, not for the application, which goes on without them: do not have a
/// machine restarted or taken out of service for it.
#[derive(Clone)]
pub struct HealthCheck {
    limiter: RateLimiter,
    deadline: Duration,
    fresh_for: Duration,
    latest: Arc<Mutex<Option<Latest>>>,
}

struct Latest {
    asked_at: Timestamp,
    report: Shared<BoxFuture<Arc<HealthReport>>>,
}

impl HealthCheck {
    /// Checks of all backends of a limiter.
    #[must_use]
    pub fn of(limiter: &RateLimiter) -> Self {
        Self {
            limiter: limiter.clone(),
            deadline: Duration::from_millis(500),
            fresh_for: Duration::from_secs(1),
            latest: Arc::default(),
        }
    }

    /// How long a store may take to answer; 500 ms by default, at least 1 ms.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// For how long what was found is told again, from when it was asked for; 1 s by default.
    #[must_use]
    pub fn fresh_for(mut self, time: Duration) -> Self {
        self.fresh_for = time;
        self
    }

    /// How the stores are, or were a moment ago.
    pub async fn report(&self) -> Arc<HealthReport> {
        let report = self.latest();
        report.await
    }

    fn latest(&self) -> Shared<BoxFuture<Arc<HealthReport>>> {
        let now = Clock::System.now();
        let fresh_for = u64::try_from(self.fresh_for.as_micros()).unwrap_or(u64::MAX);
        let mut latest = self.latest.lock();
        if let Some(latest) = &*latest
            && now.since(latest.asked_at) < fresh_for
        {
            return latest.report.clone();
        }
        let (limiter, deadline) = (self.limiter.clone(), self.deadline);
        let asked: BoxFuture<_> = Box::pin(async move { Arc::new(limiter.health(deadline).await) });
        let report = asked.shared();
        *latest = Some(Latest { asked_at: now, report: report.clone() });
        report
    }
}

impl std::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HealthCheck")
            .field("deadline", &self.deadline)
            .field("fresh_for", &self.fresh_for)
            .finish_non_exhaustive()
    }
}
