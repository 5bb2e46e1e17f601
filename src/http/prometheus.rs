//! Metrics as a Prometheus server reads them.

use actix_web::{HttpResponse, Resource, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;

use crate::{Error, RateLimiter};

/// Upper bounds of the classes into which waits for a store are counted, in seconds.
const BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

static INSTALLED: Mutex<Option<Prometheus>> = Mutex::new(None);

/// The recorder of this process, and what it has counted, for Prometheus.
///
/// An application that has a recorder already needs none of this: metrics go to whichever is installed;
/// [`RateLimiter::describe_metrics`] and [`RateLimiter::record_metrics`] are for it.
///
/// ```no_run
/// use actix_smart_ratelimit::{Prometheus, RateLimiter};
/// use actix_web::{App, HttpServer};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let prometheus = Prometheus::install()?;
/// let limiter = RateLimiter::in_memory();
/// HttpServer::new(move || App::new().service(prometheus.at("/metrics", &limiter)))
///     .bind("127.0.0.1:9100")?
///     .run()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Prometheus(PrometheusHandle);

impl Prometheus {
    /// Makes a recorder that of the process, if that was not done before. Do so before the first
    /// request: what is counted before is lost.
    ///
    /// # Errors
    /// When the process has a recorder of another kind.
    pub fn install() -> Result<Self, Error> {
        let mut installed = INSTALLED.lock();
        if let Some(known) = &*installed {
            return Ok(known.clone());
        }
        let failed = |error: metrics_exporter_prometheus::BuildError| {
            let remedy = "use that one, with RateLimiter::describe_metrics and record_metrics";
            Error::new("recorder", "", error.to_string(), remedy)
        };
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).map_err(failed)?;
        let handle = builder.install_recorder().map_err(failed)?;
        RateLimiter::describe_metrics();
        Ok(installed.insert(Self(handle)).clone())
    }

    /// All metrics of the process, with what the backends of a limiter keep now.
    #[must_use]
    pub fn render(&self, limiter: &RateLimiter) -> String {
        limiter.record_metrics();
        self.0.run_upkeep();
        self.0.render()
    }

    /// A service that tells them. Rules and backends are named in it: keep it from the public.
    #[must_use]
    pub fn at(&self, path: &str, limiter: &RateLimiter) -> Resource {
        let (metrics, limiter) = (self.clone(), limiter.clone());
        let answer = move || {
            let text = metrics.render(&limiter);
            async move { HttpResponse::Ok().content_type(CONTENT_TYPE).body(text) }
        };
        web::resource(path).route(web::get().to(answer))
    }
}
