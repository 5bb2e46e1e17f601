//! Decisions as metrics for Prometheus, and how the stores are, beside a limited application.
//!
//! ```sh
//! cargo run --example prometheus --features prometheus
//! for i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{http_code}\n' localhost:8080/; done
//! curl -s localhost:8080/metrics | grep ^ratelimit_decisions   # 5 allowed, 2 refused
//! curl -s localhost:8080/health/limits
//! ```

use actix_smart_ratelimit::{HealthCheck, Limit, Prometheus, Rate, RateLimiter, Rule};
use actix_web::{App, HttpServer, Responder, web};

async fn hello() -> impl Responder {
    "hello\n"
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Before the first request: what is counted without a recorder is lost.
    let prometheus = Prometheus::install()?;
    let limiter = RateLimiter::in_memory();
    let health = HealthCheck::of(&limiter);
    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(move || {
        let rule = Rule::new(Limit::new("hello", Rate::per_minute(5)));
        let limit = limiter.middleware().default_rule(rule);
        // Both answer everybody here; a port of their own, or a proxy, keeps the public away.
        App::new()
            .service(prometheus.at("/metrics", &limiter))
            .service(health.at("/health/limits"))
            .service(web::scope("").wrap(limit).route("/", web::get().to(hello)))
    })
    .bind(bind)?;
    println!("listening on {:?}", server.addrs());
    server.run().await?;
    Ok(())
}
