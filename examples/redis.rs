//! Several processes share one limit through Redis.
//!
//! Start a server (`docker compose up redis`, or your own), then this program twice:
//!
//! ```text
//! REDIS_URL=redis://127.0.0.1:6379/0 cargo run --example redis --features redis
//! REDIS_URL=redis://127.0.0.1:6379/0 BIND=127.0.0.1:8081 cargo run --example redis --features redis
//! for i in 1 2 3; do curl -i http://127.0.0.1:8080/login; curl -i http://127.0.0.1:8081/login; done
//! ```
//!
//! The sixth call is refused, whichever process it reaches. Stop the server, and each process keeps
//! the limit by itself; start it again, and they share once more.

use std::{env, io};

use actix_smart_ratelimit::{
    RateLimiter, backend::Backend, backend::redis::RedisBackend, rate_limit,
};
use actix_web::{App, HttpServer, Responder, get};

#[rate_limit(key = "ip", rate = "5/m")]
#[get("/login")]
async fn login() -> impl Responder {
    "welcome\n"
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned());
    let redis = RedisBackend::connect(&url).map_err(io::Error::other)?;
    let told = match redis.health().await {
        Ok(health) => {
            format!("Redis answers in {} µs {:?}", health.round_trip_micros, health.warnings)
        }
        Err(error) => format!("{error}; until it is there, this process counts by itself"),
    };
    println!("{told}");
    let limiter =
        RateLimiter::builder().backend("redis", redis).build().map_err(io::Error::other)?;
    let address = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(move || App::new().app_data(limiter.clone()).service(login))
        .bind(address)?;
    println!("listening on http://{:?}", server.addrs());
    server.run().await
}
