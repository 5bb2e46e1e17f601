//! Decisions as metrics for Prometheus, and how the stores are, beside a limited application.
//!
//! ```sh
//! cargo run --example prometheus --features metrics
//! for i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{http_code}\n' localhost:8080/; done
//! curl -s localhost:8080/metrics | grep ^ratelimit_   # 5 allowed, 2 refused
//! curl -s localhost:8080/health/limits
//! ```

use actix_smart_ratelimit::{HealthCheck, Limit, Rate, RateLimiter, Rule};
use actix_web::{App, HttpResponse, HttpServer, Responder, http::header::ContentType, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

async fn hello() -> impl Responder {
    "hello\n"
}

/// What Prometheus reads. Keep it from the public, as the path of a proxy or a port of its own.
async fn metrics(
    limiter: web::Data<RateLimiter>,
    recorder: web::Data<PrometheusHandle>,
) -> impl Responder {
    limiter.record_metrics();
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(recorder.render())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the first request: what is counted without a recorder is lost.
    let builder = PrometheusBuilder::new().set_buckets(&[0.001, 0.005, 0.02, 0.1, 0.5])?;
    let recorder = web::Data::new(builder.install_recorder()?);
    RateLimiter::describe_metrics();

    let limiter = RateLimiter::in_memory();
    let health = HealthCheck::of(&limiter);
    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(move || {
        let rule = Rule::new(Limit::new("hello", Rate::per_minute(5)));
        App::new()
            .app_data(web::Data::new(limiter.clone()))
            .app_data(recorder.clone())
            .service(health.at("/health/limits"))
            .route("/metrics", web::get().to(metrics))
            .service(
                web::scope("")
                    .wrap(limiter.middleware().default_rule(rule))
                    .route("/", web::get().to(hello)),
            )
    })
    .bind(bind)?;
    println!("listening on {:?}", server.addrs());
    server.run().await?;
    Ok(())
}
