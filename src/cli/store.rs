//! Which stores a command is about.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{args::Global, failure::Failure};
use crate::{
    RateLimiter,
    backend::{Backend, BackendError, ErrorKind, Fate, Upkeep, database::DatabaseBackend},
    config::{BackendConfig, Config, RemoteConfig},
};

/// Most time for a connection: those that get none should be told why before the deadline.
const CONNECT: Duration = Duration::from_secs(2);
/// How a store is called that a URL names.
const BY_URL: &str = "store";

/// The configuration, and the backends that are asked.
pub(super) struct Stores {
    pub(super) config: Config,
    pub(super) limiter: RateLimiter,
    pub(super) timeout: Duration,
    pub(super) chosen: Vec<Store>,
}

pub(super) struct Store {
    pub(super) name: String,
    pub(super) kind: &'static str,
    /// Where it is, without passwords.
    pub(super) place: String,
    pub(super) backend: Arc<dyn Backend>,
}

impl Stores {
    /// Opens what the arguments name. Nothing is asked yet.
    pub(super) fn open(global: &Global) -> Result<Self, Failure> {
        let mut config = config(global)?;
        for (_, backend) in &mut config.backends {
            be_patient(backend, global.timeout);
        }
        config.deadline = global.timeout;
        let limiter = RateLimiter::from_config(&config)?;
        let chosen: Vec<_> = limiter
            .backend_names()
            .filter(|name| global.backend.as_deref().is_none_or(|only| only == *name))
            .filter_map(|name| Some(store(name, limiter.backend(name)?, &config)))
            .collect();
        if chosen.is_empty() {
            let named = global.backend.as_deref().unwrap_or_default();
            let known: Vec<_> = limiter.backend_names().collect();
            return Err(Failure::Usage(format!(
                "--backend: there is no backend \"{}\"; configured are: {}",
                named.escape_debug(),
                known.join(", ")
            )));
        }
        Ok(Self { config, limiter, timeout: global.timeout, chosen })
    }

    /// Those that can show their keys, of which there must be one.
    pub(super) fn with_keys(&self) -> Result<Vec<(&Store, &dyn Upkeep)>, Failure> {
        let with_keys = |store| Store::upkeep(store).map(|upkeep| (store, upkeep));
        let found: Vec<_> = self.chosen.iter().filter_map(with_keys).collect();
        if found.is_empty() {
            return Err(Failure::Usage(
                "no store has keys to show: memory is each process's own, and keeps only hashes of \
                 keys; name a backend in Redis or a database"
                    .to_owned(),
            ));
        }
        Ok(found)
    }

    /// The databases, of which there must be one.
    pub(super) fn databases(&self) -> Result<Vec<(&Store, &DatabaseBackend)>, Failure> {
        let database = |store| {
            let database = Store::upkeep(store).and_then(Upkeep::database);
            database.map(|database| (store, database))
        };
        let found: Vec<_> = self.chosen.iter().filter_map(database).collect();
        if found.is_empty() {
            return Err(Failure::Usage(
                "no backend is a database: Redis forgets by itself, and memory needs no tables; name \
                 a database with --config, --backend or --url"
                    .to_owned(),
            ));
        }
        Ok(found)
    }

    /// Whether counters of limits on one backend are in a store: it is that, or one of its members.
    pub(super) fn keeps(&self, backend: &str, store: &str) -> bool {
        let members = self.config.backends.iter().find_map(|(name, config)| match config {
            BackendConfig::Multi(multi) if name == backend => Some(&multi.members),
            _ => None,
        });
        backend == store || members.is_some_and(|all| all.iter().any(|member| member == store))
    }

    /// Waits for a store's answer for as long as the command line says.
    pub(super) async fn answer<T>(
        &self,
        store: &Store,
        answer: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, Failure> {
        let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::Unknown));
        let answer = timeout(self.timeout, answer).await.unwrap_or_else(late);
        answer.map_err(Failure::of(&store.name))
    }
}

impl Store {
    fn upkeep(store: &Self) -> Option<&dyn Upkeep> {
        // What several stores keep is asked of each of them, which has a name of its own.
        Some(store.backend.upkeep()).filter(|_| store.backend.members().is_empty()).flatten()
    }
}

/// What is configured, of whatever is asked.
pub(super) fn config(global: &Global) -> Result<Config, Failure> {
    if let Some(url) = &global.url {
        return by_url(url);
    }
    let config = match &global.config {
        Some(file) => Config::load(file)?,
        None => Config::discover()?,
    };
    if global.config.is_none() && config.backends.is_empty() {
        return Err(Failure::Usage(
            "no store is configured: name a file with --config or RATELIMIT_CONFIG, or a store with \
             --url"
                .to_owned(),
        ));
    }
    Ok(config)
}

fn by_url(url: &str) -> Result<Config, Failure> {
    let kind = if url.starts_with("redis") { "redis" } else { "database" };
    let backend = toml::Table::from_iter([
        ("kind".to_owned(), toml::Value::from(kind)),
        ("url".to_owned(), toml::Value::from(url)),
    ]);
    let backends = toml::Table::from_iter([(BY_URL.to_owned(), toml::Value::from(backend))]);
    let all = toml::Table::from_iter([("backends".to_owned(), toml::Value::from(backends))]);
    Config::from_toml_str(&all.to_string()).map_err(|errors| {
        let told: Vec<_> =
            errors.iter().map(|error| format!("{}; {}", error.reason(), error.remedy())).collect();
        Failure::Usage(format!("--url: {}", told.join("; ")))
    })
}

fn store(name: &str, backend: &Arc<dyn Backend>, config: &Config) -> Store {
    let configured = config.backends.iter().find(|(known, _)| known == name);
    let (kind, place) = match configured.map(|(_, config)| config) {
        Some(BackendConfig::Redis(redis)) => ("redis", redis.place.to_string()),
        Some(BackendConfig::Database(database)) => ("database", database.url.to_string()),
        Some(BackendConfig::Multi(multi)) => ("multi", multi.members.join(", ")),
        Some(BackendConfig::Memory(_)) | None => ("memory", "each process's own".to_owned()),
    };
    Store { name: name.to_owned(), kind, place, backend: backend.clone() }
}

/// An operator waits longer than a request may, wants no answer from a cache, and takes no lots.
fn be_patient(backend: &mut BackendConfig, timeout: Duration) {
    let hurry = |remote: &mut RemoteConfig| {
        remote.deadline = Some(timeout);
        remote.connect_deadline = Some((timeout * 4 / 5).min(CONNECT));
        remote.connections = Some(1);
        remote.denial_cache = Some(0);
        (remote.lease, remote.lease_lifetime, remote.lease_max_keys) = (None, None, None);
    };
    match backend {
        BackendConfig::Memory(_) => {}
        BackendConfig::Multi(multi) => {
            (multi.deadline, multi.member_deadline) = (Some(timeout), None);
        }
        BackendConfig::Redis(redis) => hurry(&mut redis.remote),
        BackendConfig::Database(database) => hurry(&mut database.remote),
    }
}
