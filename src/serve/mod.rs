//! A service that decides for proxies: nginx `auth_request`, Traefik `ForwardAuth`, Caddy
//! `forward_auth`.
//!
//! The proxy asks about each request before it passes it on, and tells its method and path by headers
//! that [`Proxy`](crate::config::Proxy) names. The rules of `[middleware]` decide as if the request had
//! come here: 200, or 429 (another status if `refused_status` says so), with the limiter's header
//! fields. docs/serve.md has the set-up of each proxy.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 for as long as the process answers |
//! | `/readyz` | 200 if every backend can decide, else 503; JSON says more |
//! | `/metrics` | with feature `prometheus`: what was decided, for a Prometheus server |
//! | everything else | a decision |
//!
//! Only networks in `client_ip.trusted_proxies` are answered; others get 403. The client's address is
//! found by the rules of `[client_ip]`. Keys that the application would have to provide (`user`,
//! `session`, `path:…`, `jwt:…`) count by address here.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::{Server, ServerHandle},
    middleware::from_fn,
    web,
};

use self::original::Original;
use crate::{
    HealthCheck, LiveRateLimit, RateLimiter,
    config::{Config, ConfigErrors, Reloader, ServeConfig},
};

mod lacking;
mod original;

/// Why a service cannot start or go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration is wrong.
    Config(ConfigErrors),
    /// An address cannot be listened at.
    Bind(SocketAddr, io::Error),
    /// The server failed.
    Server(io::Error),
}

/// Serves as configured until SIGTERM or SIGINT, on a runtime of its own. `ready` is called when it
/// listens.
///
/// # Errors
/// When the configuration is wrong, an address cannot be listened at, or the server fails.
pub fn serve(config: &Config, ready: impl FnOnce(&DecisionService)) -> Result<(), ServeError> {
    actix_web::rt::System::new().block_on(async {
        let service = DecisionService::bind(config)?;
        ready(&service);
        service.run().await
    })
}

/// A service that listens but does not answer yet.
///
/// ```no_run
/// use actix_smart_ratelimit::{config::Config, serve::DecisionService};
///
/// # #[actix_web::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::load("ratelimit.toml")?;
/// let service = DecisionService::bind(&config)?;
/// println!("listening at {:?}", service.addresses());
/// service.run().await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct DecisionService {
    server: Server,
    addresses: Vec<SocketAddr>,
    limiter: RateLimiter,
    rules: LiveRateLimit,
}

impl DecisionService {
    /// Listens at the addresses of `[serve]`, and follows the configuration's file from now on. It is
    /// called on a runtime of Actix.
    ///
    /// # Errors
    /// When the configuration is wrong, or an address cannot be listened at.
    pub fn bind(config: &Config) -> Result<Self, ServeError> {
        let limiter = RateLimiter::from_config(config)?;
        let rules = limiter.middleware_from(config)?;
        let rules = rules.live().map_err(|error| config.one(error))?;
        for (rule, what) in lacking::of(config) {
            tracing::warn!(%rule, "{what}: only an application knows more");
        }
        if let Some(task) = config.follow_overrides(&limiter)? {
            actix_web::rt::spawn(task);
        }
        actix_web::rt::spawn(Reloader::new(config, &limiter, &rules).run());
        let (server, addresses) = listen(&config.serve, &limiter, &rules)?;
        Ok(Self { server, addresses, limiter, rules })
    }

    /// The addresses that it listens at.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its limiter.
    #[must_use]
    pub fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }

    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> &LiveRateLimit {
        &self.rules
    }

    /// By which it can be stopped.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Answers until SIGTERM or SIGINT, or until its [`handle`](Self::handle) stops it; open requests
    /// are answered before it ends.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run(self) -> Result<(), ServeError> {
        self.server.await.map_err(ServeError::Server)
    }
}

fn listen(
    config: &ServeConfig,
    limiter: &RateLimiter,
    rules: &LiveRateLimit,
) -> Result<(Server, Vec<SocketAddr>), ServeError> {
    let original = Arc::new(Original::new(config, limiter));
    let (limiter, rules) = (limiter.clone(), rules.clone());
    let health = HealthCheck::of(&limiter);
    #[cfg(feature = "prometheus")]
    let metrics = metrics();
    let app = move || {
        let original = original.clone();
        let decisions = web::scope("")
            .wrap(rules.clone())
            .wrap(from_fn(move |request, next| original.clone().pass(request, next)))
            .default_service(web::to(HttpResponse::Ok));
        let app = App::new();
        #[cfg(feature = "prometheus")]
        let app = app.configure(|services| {
            if let Some(metrics) = &metrics {
                services.service(metrics.at("/metrics", &limiter));
            }
        });
        app.app_data(limiter.clone())
            .route("/healthz", web::get().to(|| async { "ok" }))
            .service(health.at("/readyz"))
            .service(decisions)
    };
    let mut server = HttpServer::new(app)
        .shutdown_timeout(config.shutdown_timeout.as_secs())
        // A request has no body here; its head comes from a proxy nearby.
        .client_request_timeout(std::time::Duration::from_secs(5));
    if let Some(workers) = config.workers {
        server = server.workers(workers);
    }
    for address in &config.bind {
        server = server.bind(address).map_err(|error| ServeError::Bind(*address, error))?;
    }
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

/// None, if the program that serves has a recorder of its own.
#[cfg(feature = "prometheus")]
fn metrics() -> Option<crate::Prometheus> {
    let installed = crate::Prometheus::install();
    installed.inspect_err(|error| tracing::warn!(%error, "there is no /metrics")).ok()
}

impl From<ConfigErrors> for ServeError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Bind(address, error) => write!(f, "cannot listen at {address}: {error}"),
            Self::Server(error) => write!(f, "the server failed: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(errors) => Some(errors),
            Self::Bind(_, error) | Self::Server(error) => Some(error),
        }
    }
}

impl fmt::Debug for DecisionService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionService")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}
