//! Rules and limits that follow their file while the application runs.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Config, ConfigErrors, provenance};
use crate::{LiveRateLimit, RateLimiter};

mod restart;
mod signal;
mod watch;

/// How long a file must be left alone before it is read: editors write in several steps.
const SETTLED: Duration = Duration::from_millis(100);
/// How many times it is waited for that at most.
const IMPATIENCE: u32 = 10;
/// How often a file is read where nothing tells of its changes, as on some network file systems.
const UNTOLD: Duration = Duration::from_secs(10);

type Listener = Arc<dyn Fn(&Result<Reloaded, ConfigErrors>) + Send + Sync>;

/// Keeps a middleware in step with the file that its rules come from.
///
/// ```no_run
/// use actix_smart_ratelimit::{RateLimiter, config::{Config, Reloader}};
/// use actix_web::{App, HttpServer};
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let config = Config::load("ratelimit.toml")?;
///     let limiter = RateLimiter::from_config(&config)?;
///     let rules = limiter.middleware_from(&config)?.live()?;
///     actix_web::rt::spawn(Reloader::new(&config, &limiter, &rules).run());
///     HttpServer::new(move || App::new().wrap(rules.clone()).app_data(limiter.clone()))
///         .bind("127.0.0.1:8080")?
///         .run()
///         .await?;
///     Ok(())
/// }
/// ```
///
/// | applied at once | needs a restart |
/// |---|---|
/// | `[middleware]` with its rules, lists and skipped paths | `[backends]`, `backend`, `breaker` |
/// | `[[overrides]]`, unless they come from a database | `overrides_from`, `overrides_interval` |
/// | `enabled` | `key_prefix`, `deadline`, `local_max_keys`, `local_share` |
/// | `default_rate`, `algorithm`, `on_error`, for the middleware's rules | the same for limits in code |
/// | | `[client_ip]`, `missing_address`, `headers`, `log_keys`, `log_every`, `[serve]` |
///
/// Counters are kept, while scope, key, algorithm and period stay the same. What code has changed in a
/// configuration since it was read is not in its file, and so is gone after a reload. If anything is wrong, everything stays as it was, and all errors are logged once.
/// A change that needs a restart is logged, and the rest applied.
#[derive(Clone)]
pub struct Reloader {
    running: Arc<Config>,
    limiter: RateLimiter,
    rules: LiveRateLimit,
    listener: Option<Listener>,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Fields that differ from those that the application started with, and need a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Reloader {
    /// Keeps `rules` of `limiter`, which were made from `config`, in step with its file.
    #[must_use]
    pub fn new(config: &Config, limiter: &RateLimiter, rules: &LiveRateLimit) -> Self {
        Self {
            running: Arc::new(config.clone()),
            limiter: limiter.clone(),
            rules: rules.clone(),
            listener: None,
        }
    }

    /// Calls `listener` after every reload; it must not block.
    #[must_use]
    pub fn on_reload(
        mut self,
        listener: impl Fn(&Result<Reloaded, ConfigErrors>) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Reads the file again and applies what it says. It reads a file, so it blocks shortly.
    ///
    /// # Errors
    /// Everything that is wrong with it; then nothing has changed.
    pub fn reload(&self) -> Result<Reloaded, ConfigErrors> {
        match self.running.provenance.sources.text() {
            Some(text) => self.apply(&text?),
            None => Ok(Reloaded { needs_restart: Vec::new() }),
        }
    }

    fn apply(&self, text: &str) -> Result<Reloaded, ConfigErrors> {
        let config = Config::layered(self.running.provenance.sources.clone(), text)?;
        let rules = self.limiter.middleware_from(&config)?;
        let overrides = config.overrides()?;
        // Nothing may fail once something has changed: these rules have just been validated.
        if config.overrides_from.is_none() && self.running.overrides_from.is_none() {
            self.limiter.set_overrides(overrides).map_err(|error| config.one(error))?;
        }
        self.rules.replace(rules).map_err(|error| config.one(error))?;
        self.limiter.set_enabled(config.enabled);
        let read = self.running.provenance.as_read.as_ref().unwrap_or(&self.running);
        Ok(Reloaded { needs_restart: restart::needed(read, &config) })
    }

    /// A task that reloads whenever the file changes, and on the signal SIGHUP: hand it to a runtime.
    /// It never ends.
    ///
    /// Files that are written, renamed over, or swapped by a symbolic link (as Kubernetes does) are
    /// noticed at once where the system tells of changes, and within ten seconds elsewhere. A file
    /// with the same text is not applied again, except on SIGHUP.
    pub async fn run(self) {
        let path = self.running.path().map(Path::to_owned);
        let mut changes = watch::Changes::of(path.as_deref());
        let mut hangups = signal::Hangups::new();
        let mut seen = self.running.provenance.fingerprint;
        // It may have changed since it was read and before it was watched.
        let mut is_asked = false;
        loop {
            self.follow(&mut seen, is_asked).await;
            is_asked = tokio::select! {
                () = hangups.next() => true,
                () = changes.next() => false,
            };
        }
    }

    /// Reads the file, and applies it if it is new or somebody asks.
    async fn follow(&self, seen: &mut u64, is_asked: bool) {
        let Some(mut now) = self.read().await else { return };
        if now.fingerprint != *seen {
            now = self.settled(now).await;
        }
        if now.fingerprint == *seen && !is_asked {
            return;
        }
        *seen = now.fingerprint;
        let reloader = self.clone();
        let apply = move || now.text.and_then(|text| reloader.apply(&text));
        let Some(result) = aside(apply).await else { return };
        tell(&result);
        if let Some(listener) = &self.listener {
            listener(&result);
        }
    }

    /// Waits until the file has been left alone for a moment: it may be read while it is written, and
    /// half a file may be valid.
    async fn settled(&self, mut now: Reading) -> Reading {
        for _ in 0..IMPATIENCE {
            sleep(SETTLED).await;
            let Some(again) = self.read().await else { return now };
            if again.fingerprint == now.fingerprint {
                return again;
            }
            now = again;
        }
        now
    }

    async fn read(&self) -> Option<Reading> {
        let sources = self.running.provenance.sources.clone();
        let read = move || {
            let text = sources.text()?;
            Some(Reading { fingerprint: provenance::fingerprint(&text), text })
        };
        aside(read).await.flatten()
    }
}

/// What a file said, or why it could not be read.
struct Reading {
    fingerprint: u64,
    text: Result<String, ConfigErrors>,
}

/// Does what blocks on a thread for that. `None`: it panicked, or the runtime ends.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn tell(result: &Result<Reloaded, ConfigErrors>) {
    match result {
        Ok(reloaded) => {
            tracing::info!("rate limit configuration reloaded");
            if !reloaded.needs_restart.is_empty() {
                let fields = reloaded.needs_restart.join(", ");
                tracing::warn!(%fields, "changes of these fields need a restart");
            }
        }
        Err(errors) => {
            for error in errors.iter() {
                tracing::error!(%error, "rate limit configuration not reloaded");
            }
        }
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").field("path", &self.running.path()).finish_non_exhaustive()
    }
}
