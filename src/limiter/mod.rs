//! What an application shares: named backends, defaults, client-address rules, events.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::RwLock;

use crate::{
    Algorithm, Error, MemoryBackend, Rate, Timestamp,
    backend::{Backend, Stats},
    net::ClientIp,
};

mod builder;
mod decide;
mod event;
mod health;
mod limit;
#[cfg(feature = "metrics")]
mod meters;
mod observe;
mod overrides;
mod plan;
mod sampler;
mod select;
mod storage_key;
mod store;
mod stored;

pub use builder::{Headers, MissingAddress, OnError, RateLimiterBuilder};
pub(crate) use decide::{Asked, Deciding};
pub use decide::{Outcome, ResetError};
pub use event::{Event, EventKind};
pub use health::{BackendHealth, HealthCheck, HealthReport};
pub use limit::{Enforcement, Limit, Rates};
pub use observe::LogKeys;
pub(crate) use overrides::Change;
pub use overrides::Override;
pub(crate) use plan::{Plan, Rules};
pub(crate) use select::{PathPattern, RequestPath};
pub(crate) use storage_key::{Keys, digest, encode, hex};

/// What logs can be filtered by.
const TARGET: &str = "actix_smart_ratelimit";

/// The limiter that an application shares; clones share everything.
///
/// ```
/// use actix_smart_ratelimit::{Limit, Rate, RateLimiter};
///
/// # fn main() -> Result<(), actix_smart_ratelimit::Error> {
/// let limiter = RateLimiter::builder().default_rate(Rate::per_minute(300)).build()?;
/// let mails = Limit::new("mails", Rate::per_hour(2));
/// # let decide = async {
/// for expected in [true, true, false] {
///     assert_eq!(limiter.check(&mails, "user:42").await?.is_allowed(), expected);
/// }
/// # Ok::<_, actix_smart_ratelimit::Error>(()) };
/// # actix_web::rt::System::new().block_on(decide)
/// # }
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    id: u64,
    settings: builder::Settings,
    enabled: AtomicBool,
    backends: Vec<(String, Arc<dyn Backend>)>,
    /// The same, watched.
    stores: Vec<store::Store>,
    /// Index of the backend of limits that name none.
    default_backend: usize,
    /// Decides while a store is away.
    fallback: MemoryBackend,
    overrides: ArcSwap<overrides::Overrides>,
    /// Whether there are any.
    has_overrides: AtomicBool,
    /// What is made of the limits that code declares, by the address of the declaration.
    declared: RwLock<HashMap<usize, Arc<dyn Any + Send + Sync>>>,
    told_of_no_address: AtomicBool,
    logged: sampler::Sampler,
    #[cfg(feature = "metrics")]
    meters: meters::AllMeters,
}

static LIMITERS: AtomicU64 = AtomicU64::new(1);

impl RateLimiter {
    /// A limiter with a memory backend and defaults: `100/m`, sliding window, both header profiles.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::from_parts(builder::Settings::default(), Vec::new(), 0)
    }

    /// A limiter of your own making.
    pub fn builder() -> RateLimiterBuilder {
        RateLimiterBuilder::default()
    }

    fn from_parts(
        settings: builder::Settings,
        mut backends: Vec<(String, Arc<dyn Backend>)>,
        default_backend: usize,
    ) -> Self {
        // The clock calibrates itself when it is first read: now rather than at the first request.
        let _ = settings.clock.now();
        if backends.is_empty() {
            backends.push((builder::IN_MEMORY.to_owned(), Arc::new(MemoryBackend::default())));
        }
        Self(Arc::new_cyclic(|limiter| Shared {
            id: LIMITERS.fetch_add(1, Ordering::Relaxed),
            stores: backends
                .iter()
                .map(|(name, backend)| store::Store::new(name, backend, &settings, limiter))
                .collect(),
            fallback: MemoryBackend::new(settings.local_max_keys),
            enabled: AtomicBool::new(settings.enabled),
            settings,
            backends,
            default_backend,
            overrides: ArcSwap::default(),
            has_overrides: AtomicBool::new(false),
            declared: RwLock::default(),
            told_of_no_address: AtomicBool::new(false),
            logged: sampler::Sampler::default(),
            #[cfg(feature = "metrics")]
            meters: meters::AllMeters::default(),
        }))
    }

    /// The time of the limiter's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.settings.clock.now()
    }

    /// Whether anything is limited at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.enabled.load(Ordering::Relaxed)
    }

    /// Switches all limiting off or on, while the application runs.
    pub fn set_enabled(&self, enabled: bool) {
        self.0.enabled.store(enabled, Ordering::Relaxed);
    }

    /// How the address of a client is found.
    #[must_use]
    pub fn client_ip(&self) -> &ClientIp {
        &self.0.settings.client_ip
    }

    /// What happens to requests whose client has no address.
    #[must_use]
    pub fn missing_address(&self) -> MissingAddress {
        self.0.settings.missing_address
    }

    /// The header profiles that responses carry.
    #[must_use]
    pub fn headers(&self) -> Headers {
        self.0.settings.headers
    }

    /// The rate of limits that name none.
    #[must_use]
    pub fn default_rate(&self) -> Rate {
        self.0.settings.default_rate
    }

    /// The algorithm of limits that name none.
    #[must_use]
    pub fn default_algorithm(&self) -> Algorithm {
        self.0.settings.algorithm
    }

    /// Names of the backends, in the order in which they were registered.
    pub fn backend_names(&self) -> impl Iterator<Item = &str> {
        self.0.backends.iter().map(|(name, _)| name.as_str())
    }

    /// A backend by its name.
    #[must_use]
    pub fn backend(&self, name: &str) -> Option<&Arc<dyn Backend>> {
        self.0.backends.iter().find(|(known, _)| known == name).map(|(_, backend)| backend)
    }

    /// Counts of every backend, by name.
    pub fn stats(&self) -> impl Iterator<Item = (&str, Stats)> {
        self.0.backends.iter().map(|(name, backend)| (name.as_str(), backend.stats()))
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Checks a limit against this limiter's backends and settings.
    ///
    /// # Errors
    /// When a parameter is out of range, means nothing to the algorithm, or names a backend that is
    /// not registered.
    pub fn validate(&self, limit: &Limit) -> Result<(), Error> {
        self.plan(limit).map(drop)
    }

    pub(crate) fn plan(&self, limit: &Limit) -> Result<Plan, Error> {
        Plan::new(limit, self)
    }

    /// What was made for a declaration in code, made at its first use.
    pub(crate) fn declared(
        &self,
        declaration: usize,
        make: impl FnOnce() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        if let Some(made) = self.0.declared.read().get(&declaration) {
            return made.clone();
        }
        let made = make();
        self.0.declared.write().entry(declaration).or_insert(made).clone()
    }

    /// Tells of something that need not be told again.
    pub(crate) fn emit_once(&self, event: &Event<'_>) {
        if !self.0.told_of_no_address.swap(true, Ordering::Relaxed) {
            self.emit(event);
        }
    }

    pub(crate) fn emit(&self, event: &Event<'_>) {
        #[cfg(feature = "metrics")]
        meters::count_event(event);
        event.trace(self);
        if let Some(listener) = &self.0.settings.on_event {
            listener(event);
        }
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("settings", &self.0.settings)
            .field("backends", &self.backend_names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Runs code of the application's own; a panic in it becomes `None`, so that it fails one decision
/// and not the worker.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(code)).ok()
}
